//! What a tile asks at its coordinates: pure, and the same for the browser and for pictures that the server makes.

use std::collections::BTreeMap;

use super::{Filter, PerTile, TileDefinition, has_parameter};
use crate::{
    format::time::{self, DAY_MICROS},
    queries::client::{About, ParameterValue, Request},
    state::coordinates::{Compared, Coordinates, Days, Known},
};

/// Days before the first commit that *all* of effective time reaches back on a page: what was known then may have begun long
/// before.
const DAYS_BEFORE_FIRST: i64 = 400;
/// Days from today on that *all* of effective time reaches ahead.
const DAYS_AHEAD: i64 = 31;
/// The known time of a page that shows what is known now: whatever becomes known is not later.
const AHEAD_OF_ALL: &str = "9999-12-31T23:59:59Z";
/// The address parameter with the coordinates of single tiles.
pub const OWN_TIMES: &str = "own";
/// The parameters of which only one way of saying the effective range can be there.
const EFFECTIVE: [&str; 4] = ["on", "last", "from", "to"];

/// What coordinates mean at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The known time.
    pub known: Known,
    /// The effective range in microseconds, half-open.
    pub range: (i64, i64),
    /// The earlier period that it is compared with.
    pub compared: Option<Compared>,
}

/// The clock that coordinates are seen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Now, in microseconds.
    pub now: i64,
    /// Today, in days since 1970-01-01.
    pub today: i64,
    /// The last commit, in microseconds; `None` before the first.
    pub last_commit: Option<i64>,
    /// The first moment anything was known, in microseconds.
    pub first_known: Option<i64>,
}

impl Moment {
    /// What coordinates mean now.
    pub fn of(chosen: Coordinates, clock: Clock) -> Moment {
        let days = chosen.effective.days(clock.today);
        Moment {
            known: chosen.known.at(clock.now, clock.last_commit),
            range: range_of(days, clock.first_known, clock.today),
            compared: chosen.compare.and_then(|compare| compare.of(days, clock.today)),
        }
    }

    /// Whether questions are asked of the earlier period.
    fn back_micros(self, earlier: bool) -> i64 {
        self.compared.filter(|_| earlier).map_or(0, |compared| compared.shift_days * DAY_MICROS)
    }
}

/// A statement at a moment, reading a range of effective time; `earlier` asks it of the period that it is compared with.
pub fn question(sql: &str, moment: Moment, range: (i64, i64), earlier: bool, filters: Vec<Filter>) -> Request {
    let back = moment.back_micros(earlier);
    let about = About { known: moment.known, compared: moment.compared, ..About::default() };
    Request {
        system_time: moment.known.system_time(),
        parameters: parameters(sql, (range.0 - back, range.1 - back), moment.known),
        filters,
        ..Request::new(sql.to_owned(), None, about)
    }
}

/// The parameters of a statement, as far as it has them: the ends of a range, half-open, and what became known at the latest,
/// for statements that read all of system time.
fn parameters(sql: &str, (from, to): (i64, i64), known: Known) -> BTreeMap<String, ParameterValue> {
    let known = if let Known::At(micros) = known { time::iso(micros) } else { AHEAD_OF_ALL.to_owned() };
    let values = [("from", time::iso(from)), ("to", time::iso(to)), ("known", known)];
    // A parameter that a statement does not have is refused.
    let named = |(name, _): &(&str, String)| has_parameter(sql, name);
    values.into_iter().filter(named).map(|(name, value)| (name.to_owned(), ParameterValue::Text(value))).collect()
}

type Pair = (String, String);

fn pairs(text: &str) -> Vec<Pair> {
    let pair = |part: &str| part.split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.split(',').filter_map(pair).collect()
}

impl TileDefinition {
    /// The coordinates of the tile on a page: those of the page, except for what the definition says, and except for what the
    /// address says of the tile alone, where `own` is wanted.
    pub fn coordinates(&self, page: impl Fn(&str) -> Option<String>, own: bool) -> Coordinates {
        let said = PerTile::parse(page(OWN_TIMES).filter(|_| own).as_deref());
        let said = said.of(&self.id).map(pairs).unwrap_or_default();
        let defined: Vec<Pair> = self.times.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        of_layers(&[&said, &defined], page)
    }
}

/// Coordinates from the first layer that says anything of them, and from the page's address.
fn of_layers(layers: &[&[Pair]], page: impl Fn(&str) -> Option<String>) -> Coordinates {
    let says = |layer: &[Pair], name: &str| {
        let same = |known: &str| known == name || (EFFECTIVE.contains(&name) && EFFECTIVE.contains(&known));
        layer.iter().any(|(known, _)| same(known))
    };
    let get = |name: &str| match layers.iter().find(|layer| says(layer, name)) {
        Some(layer) => layer.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()),
        None => page(name),
    };
    Coordinates::read(get).0
}

/// The range in microseconds. What is open ends with today, but *all* has to have ends somewhere: well before anything was
/// known, and a month from today.
pub fn range_of(days: Days, first_known: Option<i64>, today: i64) -> (i64, i64) {
    let first = time::day_of(first_known.unwrap_or(today * DAY_MICROS)) - DAYS_BEFORE_FIRST;
    let from = days.from.unwrap_or(first);
    let ahead = if days.from.is_none() { DAYS_AHEAD } else { 0 };
    let to = days.to.unwrap_or((today + ahead).max(from)) + 1;
    (from * DAY_MICROS, to * DAY_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_half_open_and_all_of_time_has_ends() {
        let days = |from, to| Days { from, to };
        assert_eq!(range_of(days(Some(10), Some(20)), None, 100), (10 * DAY_MICROS, 21 * DAY_MICROS));
        assert_eq!(range_of(days(Some(10), None), None, 100), (10 * DAY_MICROS, 101 * DAY_MICROS));
        assert_eq!(range_of(days(None, None), Some(1_000 * DAY_MICROS), 1_300), (600 * DAY_MICROS, 1_332 * DAY_MICROS));
    }

    fn value(parameters: &str, name: &str) -> Option<String> {
        pairs(parameters).into_iter().find(|pair| pair.0 == name).map(|pair| pair.1)
    }

    fn at(parameters: &str) -> Coordinates {
        of_layers(&[], |name| value(parameters, name))
    }

    #[test]
    fn a_tile_has_the_coordinates_of_its_page_except_for_its_own() {
        let read = |own: &str, definition: &str| {
            of_layers(&[&pairs(own), &pairs(definition)], |name| value("last:1y,known:2026-03-31", name))
        };
        assert_eq!(read("", ""), at("last:1y,known:2026-03-31"));
        assert_eq!(read("known:now", ""), at("last:1y"));
        assert_eq!(read("on:2026-01-01", "last:7d,known:first"), at("on:2026-01-01,known:first"));
    }

    #[test]
    fn all_of_system_time_ends_for_a_page_at_its_known_time() {
        const SQL: &str = "SELECT 1 FROM a FOR SYSTEM_TIME ALL WHERE system_from <= $known";
        let known = |known: Known| {
            let moment = Moment { known, range: (0, DAY_MICROS), compared: None };
            question(SQL, moment, moment.range, false, Vec::new()).parameters.remove("known")
        };
        let text = |text: &str| Some(ParameterValue::Text(text.to_owned()));
        assert_eq!(known(Known::At(DAY_MICROS)), text("1970-01-02T00:00:00Z"));
        assert_eq!(known(Known::Now), text(AHEAD_OF_ALL));
        assert_eq!(known(Known::First), text(AHEAD_OF_ALL));
    }

    #[test]
    fn the_earlier_period_is_asked_the_same_so_many_days_before() {
        let clock = Clock { now: 0, today: 20_543, last_commit: None, first_known: None };
        let moment = Moment::of(at("from:2026-01-01,to:2026-03-31,vs:1y,known:first"), clock);
        let asked = |earlier| question("SELECT $from, $to, $told", moment, moment.range, earlier, Vec::new());
        let from = |earlier| asked(earlier).parameters["from"].clone();
        assert_eq!(from(false), ParameterValue::Text("2026-01-01T00:00:00Z".to_owned()));
        assert_eq!(from(true), ParameterValue::Text("2025-01-01T00:00:00Z".to_owned()));
        assert_eq!(asked(true).parameters.len(), 2);
        assert_eq!(asked(false).system_time.as_deref(), Some("first-published"));
    }
}
