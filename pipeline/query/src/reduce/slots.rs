//! Numbers for the cells of a grid that are in use, so that states are kept for these alone.

const NONE: u32 = u32::MAX;

/// The cells in use, by line and position.
pub(crate) struct Slots {
    width: usize,
    /// The slot of each cell, or none, line after line.
    directory: Vec<u32>,
    cells: Vec<(u32, u32)>,
}

impl Slots {
    /// No cell in use; lines are so wide.
    pub(crate) fn new(width: usize) -> Slots {
        Slots { width, directory: Vec::new(), cells: Vec::new() }
    }

    /// Makes room for so many lines.
    pub(crate) fn reserve_lines(&mut self, lines: usize) {
        if self.directory.len() < lines * self.width {
            self.directory.resize(lines * self.width, NONE);
        }
    }

    /// Slots in use.
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The slot of a cell, the next free one if it has none yet. The line has to be within those there is room for.
    pub(crate) fn slot(&mut self, line: u32, position: u32) -> usize {
        let at = &mut self.directory[line as usize * self.width + position as usize];
        if *at == NONE {
            *at = self.cells.len() as u32;
            self.cells.push((line, position));
        }
        *at as usize
    }

    /// The slot of a cell, if it is in use.
    pub(crate) fn find(&self, line: u32, position: u32) -> Option<usize> {
        let at = self.directory.get(line as usize * self.width + position as usize)?;
        (*at != NONE).then_some(*at as usize)
    }

    /// Moves all cells. Tells the new slot of each old one; those that come to one cell share it, and none is above the
    /// old.
    pub(crate) fn move_all(&mut self, moved: impl Fn(u32, u32) -> (u32, u32)) -> Vec<u32> {
        self.directory.fill(NONE);
        let cells = std::mem::take(&mut self.cells);
        let to_slot = |(line, position)| {
            let (line, position) = moved(line, position);
            self.slot(line, position) as u32
        };
        cells.into_iter().map(to_slot).collect()
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.directory.capacity() * size_of::<u32>() + self.cells.capacity() * size_of::<(u32, u32)>()
    }
}

/// Puts states together that were moved to the same slot.
pub(crate) fn merge<S>(states: &mut Vec<S>, to: &[u32], merged: impl Fn(&mut S, S)) {
    for (state, &slot) in std::mem::take(states).into_iter().zip(to) {
        match states.get_mut(slot as usize) {
            Some(held) => merged(held, state),
            None => states.push(state),
        }
    }
}
