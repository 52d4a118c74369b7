//! The coordinates of a page as the address carries them. Pure: nothing here knows a router or a clock.
//!
//! What an address says is a choice ([`Effective`], [`KnownChoice`]); seen from a today and a now it becomes [`Days`] and
//! [`Known`], and only those are read at. Whatever a choice prints, it reads back.

mod compare;
mod days;
mod effective;
mod known;
mod span;

pub use compare::{Compare, Compared};
pub use days::Days;
pub use effective::{Effective, Recent};
pub use known::{Known, KnownChoice};
pub use span::Span;

/// What an address asks a page to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coordinates {
    /// The valid time.
    pub effective: Effective,
    /// The earlier period it is compared with.
    pub compare: Option<Compare>,
    /// The system time.
    pub known: KnownChoice,
}

impl Coordinates {
    /// Reads the parameters of an address. What cannot be read is named, in one sentence without its full stop, and the usual
    /// stands in for it.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> (Coordinates, Option<String>) {
        let (effective, effective_problem) = Effective::read(&get);
        let known = KnownChoice::parse(get("known").as_deref());
        let compare = Compare::parse(get("vs").as_deref());
        let problems = [effective_problem, compare.as_ref().err().cloned(), known.as_ref().err().cloned()];
        let coordinates =
            Coordinates { effective, compare: compare.unwrap_or(None), known: known.unwrap_or(KnownChoice::NOW) };
        (coordinates, problems.into_iter().flatten().reduce(|one, other| format!("{one}; {other}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::state::address::Change;

    fn changes(coordinates: Coordinates) -> Vec<Change> {
        let Coordinates { effective, compare, known } = coordinates;
        let compare = compare.map(|compare| compare.parameter().to_owned());
        effective.changes().into_iter().chain([("vs", compare), ("known", known.parameter())]).collect()
    }

    fn read(pairs: &[(&str, &str)]) -> (Coordinates, Option<String>) {
        Coordinates::read(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
    }

    fn read_back(coordinates: Coordinates) -> (Coordinates, Option<String>) {
        let changes = changes(coordinates);
        Coordinates::read(|name| changes.iter().find(|change| change.0 == name)?.1.clone())
    }

    fn spans() -> impl Strategy<Value = Span> {
        prop_oneof![
            (1..=Span::MOST).prop_map(Span::Days),
            (1..=Span::MOST).prop_map(Span::Months),
            (1..=Span::MOST).prop_map(Span::Hours)
        ]
    }

    fn effective() -> impl Strategy<Value = Effective> {
        let day = -100_000_i64..200_000;
        let recent = prop_oneof![
            spans().prop_filter("days", |span| !matches!(span, Span::Hours(_))).prop_map(Recent::Span),
            Just(Recent::YearToDate),
            Just(Recent::MonthToDate)
        ];
        prop_oneof![
            day.clone().prop_map(Effective::On),
            (day.clone(), 0_i64..50_000, any::<bool>(), any::<bool>()).prop_map(|(from, length, first, last)| {
                Effective::Between { from: (!first).then_some(from), to: (!last).then_some(from + length) }
            }),
            recent.prop_map(Effective::Last)
        ]
    }

    fn known() -> impl Strategy<Value = KnownChoice> {
        prop_oneof![
            Just(KnownChoice::NOW),
            Just(KnownChoice::Exactly(Known::First)),
            (0_i64..4_000_000_000_000_000).prop_map(|micros| KnownChoice::Exactly(Known::At(micros))),
            (0_i64..40_000).prop_map(|day| KnownChoice::Exactly(Known::At(day * crate::format::time::DAY_MICROS))),
            spans().prop_map(KnownChoice::Ago)
        ]
    }

    proptest! {
        #[test]
        fn what_an_address_says_reads_back(effective in effective(), known in known(), compare in 0..3) {
            let compare = [None, Some(Compare::Previous), Some(Compare::YearBefore)][compare as usize];
            let coordinates = Coordinates { effective, compare, known };
            prop_assert_eq!(read_back(coordinates), (coordinates, None));
        }
    }

    #[test]
    fn the_usual_coordinates_need_no_parameters() {
        let (usual, problem) = read(&[]);
        assert_eq!(problem, None);
        assert!(changes(usual).iter().all(|change| change.1.is_none()));
        assert_eq!(read(&[("last", "3m"), ("known", "now"), ("vs", "none")]), (usual, None));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_the_rest_counts() {
        let (coordinates, problem) = read(&[("last", "soon"), ("known", "then"), ("vs", "prev")]);
        assert_eq!(coordinates.effective, Effective::USUAL);
        assert_eq!(coordinates.compare, Some(Compare::Previous));
        let problem = problem.unwrap();
        assert!(problem.contains("'soon'") && problem.contains("'then'"), "{problem}");
    }
}
