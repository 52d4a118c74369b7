//! Every rescale there was: as a table, and as marks on the charts.

use std::sync::Arc;

use super::note;
use crate::{
    arrow::{Column, Table},
    charts::Note,
    components::data_grid::{GridColumn, GridData},
    format::{number, time},
};

/// What is shown of past rescales.
#[derive(Debug)]
pub(super) struct History {
    /// The table.
    pub(super) grid: Arc<GridData>,
    /// Where the number of slots changed.
    pub(super) notes: Vec<Note>,
    /// The last measured pause and what was expected, in microseconds.
    pub(super) last_pause: Option<(f64, f64)>,
}

/// Reads what `scaling::rescales` asked for.
pub(super) fn history_picture(table: &Arc<Table>) -> Result<Result<History, String>, String> {
    if table.rows() == 0 {
        let text =
            "The number of slots has not been changed yet. Each rescale is kept here, with its reason and its pause.";
        return Ok(Err(text.to_owned()));
    }
    let [requested, ended, before, after] = table.columns(["requested", "ended", "slots_before", "slots_after"])?;
    let [reason, asked_by, expected, pause] = table.columns(["reason", "asked_by", "expected_pause_ms", "pause_ms"])?;
    let [waited, state, epoch, outcome, error, phase] =
        table.columns(["waited_ms", "state_bytes", "epoch", "outcome", "error", "phase"])?;
    let duration = |column: &Column, row: usize| {
        column.number(row).map_or_else(dash, |millis| number::duration_text(millis * 1e3))
    };
    let row = |row: usize| {
        let told = outcome.text(row).or_else(|| phase.text(row)).unwrap_or_default().replace('_', " ");
        vec![
            requested.instant_micros(row).map_or_else(dash, time::moment_seconds_text),
            format!("{} → {}", before.display_or_dash(row), after.display_or_dash(row)),
            reason.display_or_dash(row),
            asked_by.display_or_dash(row),
            duration(expected, row),
            duration(pause, row),
            duration(waited, row),
            state.number(row).map_or_else(dash, number::bytes_text),
            epoch.display_or_dash(row),
            error.text(row).map_or_else(|| told.clone(), |error| format!("{told}: {error}")),
        ]
    };
    let columns = vec![
        GridColumn::text("Requested"),
        GridColumn::text("Slots"),
        GridColumn::text("Reason"),
        GridColumn::text("Asked by"),
        GridColumn::number("Expected pause"),
        GridColumn::number("Measured pause"),
        GridColumn::number("Wait for the epoch"),
        GridColumn::number("State size"),
        GridColumn::number("After epoch"),
        GridColumn::text("Outcome"),
    ];
    let took_place = |row: &usize| matches!(outcome.text(*row), Some("done" | "at_restart"));
    let notes = (0..table.rows()).filter(took_place).filter_map(|row| {
        let at = ended.instant_micros(row)? as f64;
        Some(note(at, before.count(row)?, after.count(row)?, reason.text(row).unwrap_or_default()))
    });
    let last_pause = (0..table.rows()).find_map(|row| Some((pause.number(row)? * 1e3, expected.number(row)? * 1e3)));
    let grid = GridData::written(columns, (0..table.rows()).map(row).collect());
    Ok(Ok(History { grid: Arc::new(grid), notes: notes.collect(), last_pause }))
}

fn dash() -> String {
    "–".to_owned()
}
