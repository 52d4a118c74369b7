//! The coordinates that a page and each of its tiles are read at. A tile has those of its page, except for what its definition
//! or the address says of it alone.

use std::sync::Arc;

use leptos::prelude::*;

use crate::{
    dashboards::{Clock, Moment, TileDefinition},
    live::Live,
    state::{
        address::Address,
        coordinates::{Coordinates, Effective, Known},
    },
};

/// What the coordinates of a page or a tile mean now.
#[derive(Clone, Copy)]
pub(in crate::pages) struct Times {
    /// As they were chosen.
    pub(super) chosen: Memo<Coordinates>,
    /// As they would be if the address said nothing of this tile.
    pub(super) usual: Memo<Coordinates>,
    /// What they mean.
    pub(super) moment: Memo<Moment>,
}

impl Times {
    /// `first` is the first moment anything was known.
    pub(super) fn new(live: Live, today: Memo<i64>, first: Memo<Option<i64>>, chosen: Memo<Coordinates>) -> Times {
        let moment = Memo::new(move |_| {
            let (now, today, last_commit) = (live.now.get(), today.get(), live.head_micros());
            Moment::of(chosen.get(), Clock { now, today, last_commit, first_known: first.get() })
        });
        Times { chosen, usual: chosen, moment }
    }

    /// Those of a tile.
    pub(super) fn of_tile(
        live: Live,
        today: Memo<i64>,
        first: Memo<Option<i64>>,
        address: Address,
        tile: &Arc<TileDefinition>,
    ) -> Times {
        let read = |own: bool| {
            let tile = tile.clone();
            Memo::new(move |_| tile.coordinates(|name| address.get(name), own))
        };
        Times { usual: read(false), ..Times::new(live, today, first, read(true)) }
    }

    /// The known time; tracked.
    pub(super) fn known(self) -> Known {
        self.moment.get().known
    }
}

/// What an address says of a tile with these coordinates: those in which it differs from its page.
pub(super) fn own_text(own: Coordinates, page: Coordinates) -> Option<String> {
    let mut parts = Vec::new();
    if own.effective != page.effective {
        let said = own.effective.changes().into_iter().filter_map(|(name, value)| Some(format!("{name}:{}", value?)));
        parts.extend(said);
        // What needs no parameter on a page does here.
        if own.effective == Effective::USUAL {
            parts.push("last:3m".to_owned());
        }
    }
    if own.known != page.known {
        parts.push(format!("known:{}", own.known.parameter().unwrap_or_else(|| "now".to_owned())));
    }
    if own.compare != page.compare {
        parts.push(format!("vs:{}", own.compare.map_or("none", |compare| compare.parameter())));
    }
    (!parts.is_empty()).then(|| parts.join(","))
}

/// In which coordinates a tile differs from its page, in words; empty where it does not.
pub(super) fn difference_text(own: Coordinates, page: Coordinates, known: Known, today: i64) -> String {
    let effective = (own.effective != page.effective).then(|| format!("↔ {}", own.effective.days(today).text()));
    let known = (own.known != page.known).then(|| format!("↕ {}", known.text()));
    effective.into_iter().chain(known).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::coordinates::{KnownChoice, Recent, Span};

    const TILE: &str = r#"{"id": "a", "title": "A", "sql": "SELECT 1", "picture": {"grid": {}}}"#;

    fn at(parameters: &str) -> Coordinates {
        let value = |name: &str| {
            let pairs = parameters.split(',').filter_map(|pair| pair.split_once(':'));
            pairs.into_iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned())
        };
        Coordinates::read(value).0
    }

    #[test]
    fn what_the_address_says_of_a_tile_reads_back() {
        let page = at("last:1y,known:2026-03-31,vs:prev");
        let tile: TileDefinition = serde_json::from_str(TILE).unwrap();
        for own in ["last:3m,known:now", "on:2026-01-01", "vs:none", "from:first", "known:-7d,last:1y", ""] {
            let own = at(own);
            let text = own_text(own, page).unwrap_or_default();
            let address = |name: &str| match name {
                "own" => Some(format!("a({text})")),
                "last" => Some("1y".to_owned()),
                "known" => Some("2026-03-31".to_owned()),
                "vs" => Some("prev".to_owned()),
                _ => None,
            };
            assert_eq!(tile.coordinates(address, true), own, "{text}");
            assert_eq!(tile.coordinates(address, false), page, "{text}");
        }
        assert_eq!(own_text(page, page), None);
    }

    #[test]
    fn only_what_differs_is_said() {
        let page = at("last:1y");
        let week_ago = Coordinates { known: KnownChoice::Ago(Span::Days(7)), ..page };
        assert_eq!(difference_text(page, page, Known::Now, 0), "");
        assert_eq!(difference_text(week_ago, page, Known::At(0), 0), "↕ 1 Jan 1970, 00:00 UTC");
        let week = Coordinates { effective: Effective::Last(Recent::Span(Span::Days(7))), ..page };
        assert_eq!(difference_text(week, page, Known::Now, 20_543), "↔ from 24 Mar 2026");
    }
}
