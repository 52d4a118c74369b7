//! What events say of a dense grid of valid time, one event after the other, with no thought for speed.

use engine::model::{Instant, Mode};

use crate::world::{Kind, known, line, numbered, with};

/// An event in the making.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Which key.
    pub key: usize,
    /// `None` withdraws; a value of 0 stands for nothing.
    pub value: Option<i64>,
    /// First cell.
    pub from: usize,
    /// First cell after, of an interval; the number of cells for an open end.
    pub to: usize,
    /// Looked at where the dataset has a sequence.
    pub sequence: i64,
}

impl Draft {
    /// The event as text, over a grid of so many cells; `system_time` is when it was known, in an import.
    pub fn text(&self, key: &str, kind: Kind, cells: usize, system_time: i64) -> String {
        let word = match self.value {
            None if kind.mode == Mode::UntilChanged => "retract",
            None | Some(0) => "delete",
            Some(_) => "put",
        };
        let mut text = line(key, word, self.from as i64, self.value.unwrap_or(0));
        if kind.mode == Mode::Interval && self.to < cells {
            text = with(&text, "b", &format!("\"{}\"", Instant(self.to as i64)));
        }
        if kind.sequenced {
            text = numbered(self.sequence, &text);
        }
        if kind.import { known(system_time, &text) } else { text }
    }
}

/// What holds of a key in each cell; the last cell stands for all that follow.
#[derive(Debug, Clone)]
pub struct Grid {
    kind: Kind,
    /// In interval mode what was said of each cell, else of each instant: `None` where nothing was or it was withdrawn,
    /// with the sequence number.
    said: Vec<(i64, Option<i64>)>,
}

impl Grid {
    /// Of which nothing was said.
    pub fn new(kind: Kind, cells: usize) -> Grid {
        Grid { kind, said: vec![(i64::MIN, None); cells] }
    }

    /// Lets an event act.
    pub fn take(&mut self, draft: &Draft) {
        let sequence = if self.kind.sequenced { draft.sequence } else { 0 };
        let same = self.cells()[draft.from] == draft.value.unwrap_or(0);
        let interval = self.kind.mode == Mode::Interval;
        if !interval && !self.kind.sequenced && draft.value.is_some() && same {
            return;
        }
        let to = if interval { draft.to } else { draft.from + 1 };
        // There is nothing to withdraw in interval mode; the line says a delete.
        let value = if interval { Some(draft.value.unwrap_or(0)) } else { draft.value };
        for said in self.said[draft.from..to].iter_mut().filter(|said| said.0 <= sequence) {
            *said = (sequence, value);
        }
    }

    /// The value that holds in each cell; 0 for nothing.
    pub fn cells(&self) -> Vec<i64> {
        let mut held = 0;
        let mut cells = Vec::with_capacity(self.said.len());
        for (_, value) in &self.said {
            held = value.unwrap_or(if self.kind.mode == Mode::Interval { 0 } else { held });
            cells.push(held);
        }
        cells
    }
}
