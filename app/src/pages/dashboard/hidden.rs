//! How much a known time in the past hides of what a page reads.

use leptos::prelude::*;

use super::times::Times;
use crate::{
    arrow::Table,
    dashboards::question,
    format::number,
    queries::{
        client::{About, Request},
        hidden,
    },
    state::tile::{PageRead, use_tile},
};

/// What a known time hides.
#[derive(Debug)]
struct Hidden {
    corrections: u64,
    later: u64,
}

/// The sentence, of these datasets; empty while nothing is hidden or it is not known how much.
pub(super) fn sentence(datasets: Memo<Vec<String>>, page: PageRead, times: Times) -> Signal<String> {
    let request = move || {
        let moment = times.moment.get();
        let sql = datasets.with(|names| hidden::hidden(names, moment.known.instant()?))?;
        // Read as known now: what is hidden became known later.
        let asked = question(&sql, moment, moment.range, false, Vec::new());
        let about = About { known: moment.known, ..About::default() };
        Some(Request { snapshot: page.snapshot(), system_time: None, about, ..asked })
    };
    let read = use_tile(Some(page), request, |table, _| Ok(Ok(table.clone())));
    Signal::derive(move || {
        let known = times.known();
        let of_this = read.status.answered.with(|asked| asked.as_ref().is_some_and(|asked| asked.about.known == known));
        let answer = read.data.get().filter(|_| of_this);
        answer.and_then(|table| counts(&table)).map(|hidden| in_words(&hidden)).unwrap_or_default()
    })
}

fn counts(table: &Table) -> Option<Hidden> {
    let [corrections, later] = table.columns(["corrections", "later"]).ok()?;
    Some(Hidden { corrections: corrections.count(0)?, later: later.count(0)? })
}

fn in_words(hidden: &Hidden) -> String {
    let corrections = match hidden.corrections {
        0 => "No later corrections hidden".to_owned(),
        1 => "1 later correction hidden".to_owned(),
        count => format!("{} later corrections hidden", number::count_text(count)),
    };
    match hidden.later {
        0 => format!("{corrections}."),
        1 => format!("{corrections}, and 1 fact of later days."),
        count => format!("{corrections}, and {} facts of later days.", number::count_text(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_counted_in_words() {
        let sentence = |corrections, later| in_words(&Hidden { corrections, later });
        assert_eq!(sentence(2_314, 0), "2,314 later corrections hidden.");
        assert_eq!(sentence(1, 30), "1 later correction hidden, and 30 facts of later days.");
        assert_eq!(sentence(0, 0), "No later corrections hidden.");
    }
}
