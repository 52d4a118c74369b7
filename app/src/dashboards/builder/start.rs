//! What is asked of a dataset before anybody has said what, and what a question is called.

use super::{Aggregate, Fields, Grain, Measure, Over, TileQuery, TimeAxis};

/// How far a dataset reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// How many facts there are.
    pub facts: u64,
    /// The day on which the first of them begins, in days since 1970-01-01; none where there are none.
    pub first: Option<i64>,
    /// The day on which the last begins.
    pub last: Option<i64>,
}

impl Extent {
    /// The effective days that show the dataset where those of a page, from the first up to the last, show nothing of it.
    pub fn times_beside(&self, (page_from, page_to): (i64, i64)) -> Option<(i64, i64)> {
        let (first, last) = (self.first?, self.last?);
        (last < page_from || first > page_to).then_some((first, last))
    }

    /// The grain that shows all of it.
    pub fn grain(&self) -> Option<Grain> {
        let days = self.last? - self.first?;
        (days > 0).then(|| Grain::for_days(days))
    }
}

/// A question to begin with: the first number that is no key, as a number begins, or facts counted, along the time over
/// which they begin.
pub fn first_question(dataset: &str, fields: &Fields, extent: Option<&Extent>) -> TileQuery {
    let number = fields.own().find(|field| !field.key && field.value.is_number());
    let measure = number.map_or_else(Measure::count, |field| Measure::of(&field.name, Aggregate::first_of(true)));
    let grain = extent.and_then(Extent::grain);
    TileQuery {
        dataset: dataset.to_owned(),
        measures: vec![measure],
        over: grain.map(|grain| Over { time: TimeAxis::EffectiveStart, grain }),
        ..TileQuery::default()
    }
}

/// What people call a question: `Sum of value by country and year`.
pub fn title_of(query: &TileQuery) -> String {
    if let Some(distribution) = &query.distribution {
        return format!("Distribution of {}", distribution.field);
    }
    if query.measures.is_empty() {
        return format!("Facts of {}", query.dataset);
    }
    let measures = and(query.measures.iter().map(Measure::name).collect());
    let grain = query.over.map(|over| over.grain.word().to_owned());
    let by: Vec<String> = query.by.iter().cloned().chain(grain).collect();
    let known = query.over.is_some_and(|over| over.time == TimeAxis::Known);
    let by = if by.is_empty() { String::new() } else { format!(" by {}", and(by)) };
    format!("{measures}{by}{}", if known { " known" } else { "" })
}

fn and(mut names: Vec<String>) -> String {
    match names.pop() {
        None => String::new(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
    }
}
