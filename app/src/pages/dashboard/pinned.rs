//! The address of a page that goes on showing what the page shows now: every coordinate that moves with the clock or with the
//! next commit is said as what it means at the moment. Pure.

use super::times::own_text;
use crate::{
    dashboards::{Clock, Moment, OWN_TIMES, PerTile, TileDefinition, VERSION},
    format::time,
    state::{
        address::Change,
        coordinates::{Coordinates, Effective, Known, KnownChoice},
    },
};

/// A page that does not move.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pinned {
    /// Its coordinates.
    pub(super) coordinates: Coordinates,
    /// The parameters in which its address differs from that of the page.
    pub(super) changes: Vec<Change>,
}

/// What shows the same as the page at an address, seen from a clock. `read_at` is the commit that it is read as of, in
/// microseconds; before the first there is none, and known stays now. `version` names the version of its definition.
pub(super) fn pin<'a>(
    tiles: impl Iterator<Item = &'a TileDefinition>,
    clock: Clock,
    read_at: Option<i64>,
    version: Option<String>,
    get: impl Fn(&str) -> Option<String>,
) -> Pinned {
    let coordinates = fixed(Coordinates::read(&get).0, clock, read_at);
    let mut changes = Vec::from(coordinates.effective.changes());
    changes.push(("known", coordinates.known.parameter()));
    changes.push(("vs", coordinates.compare.map(|compare| compare.parameter().to_owned())));
    changes.push((VERSION, version));
    let own = {
        let page = |name: &str| match changes.iter().find(|change| change.0 == name) {
            Some(change) => change.1.clone(),
            None => get(name),
        };
        tiles.fold(PerTile::default(), |own, tile| {
            let of_tile = fixed(tile.coordinates(&get, true), clock, read_at);
            // Without those of its own it would have these.
            match own_text(of_tile, tile.coordinates(page, false)) {
                Some(text) => own.with(&tile.id, Some(text)),
                None => own,
            }
        })
    };
    changes.push((OWN_TIMES, own.parameter()));
    Pinned { coordinates, changes }
}

/// Coordinates that mean for ever what these mean now.
fn fixed(chosen: Coordinates, clock: Clock, read_at: Option<i64>) -> Coordinates {
    let moment = Moment::of(chosen, clock);
    let (from, behind) = moment.range;
    let effective = match chosen.effective {
        Effective::On(_) => chosen.effective,
        _ => Effective::Between { from: Some(time::day_of(from)), to: Some(time::day_of(behind) - 1) },
    };
    let known = match moment.known {
        Known::Now => read_at.map_or(Known::Now, Known::At),
        known => known,
    };
    // What has no earlier period would get one with an end that is said.
    let compare = chosen.compare.filter(|_| moment.compared.is_some());
    Coordinates { effective, compare, known: KnownChoice::Exactly(known) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::time::{DAY_MICROS, HOUR_MICROS};

    /// 31 March 2026.
    const TODAY: i64 = 20_543;
    const NOON: i64 = TODAY * DAY_MICROS + 12 * HOUR_MICROS;
    const CLOCK: Clock =
        Clock { now: NOON + HOUR_MICROS, today: TODAY, last_commit: Some(NOON), first_known: Some(NOON - DAY_MICROS) };

    fn tile(more: &str) -> TileDefinition {
        let text = format!(r#"{{"id": "a", "title": "A", "sql": "SELECT $from", "picture": {{"grid": {{}}}}{more}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn value(parameters: &[(&str, &str)], name: &str) -> Option<String> {
        parameters.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned())
    }

    fn pinned(tile: &TileDefinition, parameters: &[(&str, &str)]) -> Pinned {
        pin(std::iter::once(tile), CLOCK, Some(NOON), Some("v".to_owned()), |name| value(parameters, name))
    }

    fn after(pinned: &Pinned, parameters: &[(&str, &str)], name: &str) -> Option<String> {
        match pinned.changes.iter().find(|change| change.0 == name) {
            Some(change) => change.1.clone(),
            None => value(parameters, name),
        }
    }

    #[test]
    fn what_moves_with_the_clock_is_said_as_what_it_means() {
        let parameters = [("last", "mtd"), ("only", "sector:Energy"), ("vs", "prev")];
        let found = pinned(&tile(""), &parameters);
        let said = |name: &str| after(&found, &parameters, name);
        assert_eq!((said("from").as_deref(), said("to").as_deref()), (Some("2026-03-01"), Some("2026-03-31")));
        assert_eq!(said("known").as_deref(), Some("2026-03-31T12:00:00Z"));
        assert_eq!((said("last"), said("own"), said(VERSION).as_deref()), (None, None, Some("v")));
        assert_eq!((said("vs").as_deref(), said("only").as_deref()), (Some("prev"), Some("sector:Energy")));
    }

    #[test]
    fn a_month_later_the_page_and_its_tiles_mean_the_same() {
        let later = Clock {
            now: CLOCK.now + 30 * DAY_MICROS,
            today: TODAY + 30,
            last_commit: Some(NOON + 30 * DAY_MICROS),
            first_known: Some(NOON - 90 * DAY_MICROS),
        };
        let tiles =
            [tile(""), tile(r#", "times": {"last": "7d", "known": "-3d"}"#), tile(r#", "times": {"vs": "1y"}"#)];
        let addresses: [&[(&str, &str)]; 7] = [
            &[],
            &[("last", "1y"), ("known", "-7d")],
            &[("from", "first"), ("vs", "prev")],
            &[("on", "2026-03-01"), ("known", "first")],
            &[("from", "2026-01-01"), ("known", "2026-02-01")],
            &[("own", "a(last:ytd,known:-1h)"), ("known", "2026-02-01")],
            &[("own", "a(from:first,known:now)"), ("last", "7d")],
        ];
        for (tile, address) in tiles.iter().flat_map(|tile| addresses.map(|address| (tile, address))) {
            let found = pinned(tile, address);
            let then = |name: &str| after(&found, address, name);
            let now = |coordinates: Coordinates| {
                let moment = Moment::of(coordinates, CLOCK);
                let known = if moment.known == Known::Now { Known::At(NOON) } else { moment.known };
                (known, moment.range, moment.compared)
            };
            let meant = |coordinates: Coordinates| {
                let moment = Moment::of(coordinates, later);
                (moment.known, moment.range, moment.compared)
            };
            let page = |name: &str| value(address, name);
            assert_eq!(meant(Coordinates::read(then).0), now(Coordinates::read(page).0), "{address:?}");
            assert_eq!(meant(tile.coordinates(then, true)), now(tile.coordinates(page, true)), "{address:?}");
        }
    }

    #[test]
    fn before_the_first_commit_known_stays_now() {
        let none = Clock { last_commit: None, ..CLOCK };
        let found = pin(std::iter::empty(), none, None, None, |_| None);
        assert_eq!(found.coordinates.known, KnownChoice::NOW);
    }
}
