//! What is noted on the charts of a page that run over time: instants with words, read by one statement for all of them.

use std::sync::Arc;

use leptos::prelude::*;

use super::times::Times;
use crate::{
    arrow::Table,
    charts::Note,
    dashboards::{Values, question, values_for},
    queries::client::Request,
    state::tile::{PageRead, use_tile},
};

/// Notes that are shown at most; more would hide what they stand on.
const NOTES_MOST: usize = 100;

/// The notes of a page under its snapshot; none where its definition asks for none, or while they cannot be read.
pub(super) fn read_notes(
    sql: Option<String>,
    page: PageRead,
    times: Times,
    values: Memo<Values>,
) -> Signal<Arc<Vec<Note>>> {
    let Some(sql) = sql else { return Signal::stored(Arc::default()) };
    let asked = move || {
        let moment = times.moment.get();
        let mut asked = question(&sql, moment, moment.range, false, Vec::new());
        asked.parameters.extend(values.with(|values| values_for(&sql, values)).ok()?);
        Some(asked)
    };
    let wanted = asked.clone();
    let request = move || Some(Request { snapshot: page.snapshot(), ..wanted()? });
    // The answer itself is kept, as by others: what reads into a type of its own is compiled anew for that type.
    let read = use_tile(Some(page), request, |table, _| Ok(Ok(table.clone())));
    // Notes of other coordinates would be noted where they do not belong.
    Memo::new(move |_| {
        let answered = read.status.answered.get();
        let same = answered.zip(asked()).is_some_and(|(answered, asked)| answered.asks_the_same(&asked));
        let answer = read.data.get().filter(|_| same);
        Arc::new(answer.and_then(|table| notes_of(&table).ok()).unwrap_or_default())
    })
    .into()
}

/// Instants and words of an answer.
pub fn notes_of(table: &Table) -> Result<Vec<Note>, String> {
    let [at, note] = table.columns(["at", "note"])?;
    let one =
        |row: usize| Some(Note { at: at.instant_micros(row)? as f64, text: note.display(row)?.replace('\n', " ") });
    Ok((0..table.rows()).filter_map(one).take(NOTES_MOST).collect())
}
