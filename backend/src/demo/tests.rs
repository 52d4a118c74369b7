//! What the demo promises: the same bytes for the same seed, lines that fit the definitions, indices that add up, and a
//! live feed that goes on where the history ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{ColumnType, DatasetDefinition, Instant, definition::check_dataset_name};
use serde_json::Value;

use super::{
    DemoEvent, DemoFeed, DemoOptions, LiveFeed, MEANINGS,
    calendar::{self, MICROS_PER_DAY, MICROS_PER_SECOND},
    definitions,
};

/// A Monday; no review near.
const NOW: &str = "2026-11-23T09:30:00Z";

fn instant(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn feed() -> DemoFeed {
    DemoFeed::new(DemoOptions::default(), instant(NOW))
}

fn seconds_after(start: Instant, seconds: i64) -> Instant {
    Instant(start.micros() + seconds * MICROS_PER_SECOND)
}

/// Digits of a decimal text as a whole number of 10^-`scale`.
fn units(value: &Value, scale: usize) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, fraction) = text.split_once('.').unwrap();
    assert_eq!(fraction.len(), scale, "{text}");
    format!("{whole}{fraction}").parse().unwrap()
}

fn text<'a>(event: &'a Value, column: &str) -> &'a str {
    event[column].as_str().unwrap_or_else(|| panic!("no text '{column}' in {event}"))
}

/// All that is known after some events, looked up naively.
#[derive(Default)]
struct Known {
    /// By day and instrument.
    closes: BTreeMap<(String, String), i128>,
    /// The same, as last published at the end of the day, whatever corrections say.
    closings: BTreeMap<(String, String), i128>,
    /// Puts (with index shares) and deletes, in order: index, instrument, valid from, shares.
    constituents: Vec<(String, String, String, Option<i128>)>,
}

impl Known {
    fn learn(&mut self, events: &[DemoEvent]) {
        for event in events {
            let json: Value = serde_json::from_str(&event.json).unwrap();
            match event.dataset {
                "prices" if text(&json, "op") == "put" => {
                    let close = units(&json["close"], 4);
                    self.closes.insert(close_key(&json), close);
                    if json["source"] == "closing" {
                        self.closings.insert(close_key(&json), close);
                    }
                }
                "prices" => {
                    self.closes.remove(&close_key(&json));
                }
                "constituents" => {
                    let shares = (text(&json, "op") == "put").then(|| units(&json["index_shares"], 12));
                    let [index, instrument, from] =
                        ["index_id", "instrument_id", "valid_from"].map(|column| text(&json, column).to_owned());
                    self.constituents.push((index, instrument, from, shares));
                }
                _ => {}
            }
        }
    }

    /// Members of an index on a day and their shares.
    fn members(&self, index: &str, day: &str) -> BTreeMap<&str, i128> {
        let mut members = BTreeMap::new();
        for (_, instrument, from, shares) in self.constituents.iter().filter(|c| c.0 == index) {
            if from.as_str() <= day {
                match shares {
                    Some(shares) => members.insert(instrument.as_str(), *shares),
                    None => members.remove(instrument.as_str()),
                };
            }
        }
        members
    }

    /// Level at the closes of `day` with the shares of `shares_of`, in 10^-16. All members must have a close.
    fn level(&self, index: &str, day: &str, shares_of: &str) -> i128 {
        let members = self.members(index, shares_of);
        assert!(!members.is_empty(), "{index} {shares_of}");
        members.iter().map(|(id, shares)| self.closes[&(day.to_owned(), (*id).to_owned())] * shares).sum()
    }

    fn days(&self) -> BTreeSet<&str> {
        self.closes.keys().map(|(day, _)| day.as_str()).collect()
    }

    fn effective_days(&self) -> BTreeSet<&str> {
        self.constituents.iter().map(|constituent| constituent.2.as_str()).collect()
    }
}

fn close_key(json: &Value) -> (String, String) {
    (text(json, "valid_from").to_owned(), text(json, "instrument_id").to_owned())
}

fn knowledge(events: &[DemoEvent]) -> Known {
    let mut known = Known::default();
    known.learn(events);
    known
}

fn parsed(events: &[DemoEvent]) -> Vec<(&'static str, Value)> {
    events.iter().map(|event| (event.dataset, serde_json::from_str(&event.json).unwrap())).collect()
}

/// Whether old and new shares give the same level on the review day, to 10^-6.
fn assert_continuous(known: &Known, review_day: &str, effective: &str) {
    for index in ["TMK30", "TMK10"] {
        let (old, new) = (known.level(index, review_day, review_day), known.level(index, review_day, effective));
        assert!((old - new).abs() < 10_i128.pow(10), "{index} {review_day}: {old} {new}");
        assert_ne!(known.members(index, review_day), known.members(index, effective));
    }
}

#[test]
fn definitions_are_sound() {
    for (name, definition) in definitions() {
        assert_eq!(check_dataset_name(name), Ok(()));
        assert_eq!(definition.problems(), vec![], "{name}");
    }
}

#[test]
fn the_same_seed_and_date_give_the_same_bytes() {
    let history = feed().history();
    assert_eq!(history, DemoFeed::new(DemoOptions::default(), instant("2026-11-23T23:59:59Z")).history());
    let other_seed = DemoOptions { seed: 8, ..DemoOptions::default() };
    assert_ne!(history, DemoFeed::new(other_seed, instant(NOW)).history());
    let live = || {
        let mut live = feed().live();
        (0..40).flat_map(|second| live.tick(seconds_after(instant(NOW), second))).collect::<Vec<_>>()
    };
    assert_eq!(live(), live());
}

#[test]
fn history_is_in_order_of_knowledge_and_of_the_size_promised() {
    let history = feed().history();
    assert!(history.is_sorted_by_key(|event| event.known_at));
    assert!(history.iter().all(|event| event.known_at < instant("2026-11-23")));
    assert!((12_000..13_500).contains(&history.len()), "{} events", history.len());
    for (name, _) in definitions() {
        assert!(history.iter().filter(|event| event.dataset == name).count() >= 40, "{name}");
    }
}

#[test]
fn every_line_fits_its_definition() {
    let definitions: HashMap<_, _> = definitions().into_iter().collect();
    let mut live = feed().live();
    let mut events = feed().history();
    events.extend(live.tick(instant(NOW)));
    for event in events {
        let json: Value = serde_json::from_str(&event.json).unwrap();
        assert_eq!(text(&json, "known_at"), event.known_at.to_string());
        assert_fits(&json, &definitions[event.dataset]);
    }
}

fn assert_fits(json: &Value, definition: &DatasetDefinition) {
    let members = json.as_object().unwrap();
    for (name, value) in members {
        let column = definition.column(name).unwrap_or_else(|| panic!("no column '{name}': {json}"));
        assert!(value.is_null() || fits(value, column.column_type), "'{name}' in {json}");
    }
    let deletes = json.get("op").is_some_and(|op| op == "delete");
    for column in &definition.columns {
        let needed = !deletes || !definition.is_value(&column.name);
        assert!(!needed || members.contains_key(&column.name), "no '{}' in {json}", column.name);
        assert!(!definition.key.contains(&column.name) || !json[&column.name].is_null(), "{json}");
    }
    if let Some(to) = json.get("valid_to").and_then(Value::as_str) {
        assert!(text(json, "valid_from") < to, "{json}");
    }
}

fn fits(value: &Value, column_type: ColumnType) -> bool {
    match column_type {
        ColumnType::String => value.is_string(),
        ColumnType::Int32 => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        ColumnType::Int64 => value.is_i64(),
        ColumnType::Date => value.as_str().is_some_and(|text| Instant::parse_date_days(text).is_ok()),
        ColumnType::Timestamp => value.as_str().is_some_and(|text| Instant::parse(text).is_ok()),
        ColumnType::Decimal { precision, scale } => {
            units(value, scale.into()).unsigned_abs() < 10_u128.pow(precision.into())
        }
        ColumnType::Bool | ColumnType::Float64 => false,
    }
}

#[test]
fn weights_sum_to_one_and_members_change_at_each_review() {
    let history = feed().history();
    let known = knowledge(&history);
    let mut weights: BTreeMap<(String, String), i128> = BTreeMap::new();
    for (_, json) in parsed(&history).iter().filter(|(dataset, _)| *dataset == "constituents") {
        if text(json, "op") == "put" {
            let review = (text(json, "valid_from").to_owned(), text(json, "index_id").to_owned());
            *weights.entry(review).or_default() += units(&json["weight"], 10);
        }
    }
    assert_eq!(weights.len(), 10, "a base and four reviews of two indices");
    assert!(weights.values().all(|sum| *sum == 10_i128.pow(10)), "{weights:?}");
    let mut changes = 0;
    let mut before: Option<BTreeSet<&str>> = None;
    for day in known.effective_days() {
        let (wide, narrow) = (known.members("TMK30", day), known.members("TMK10", day));
        assert_eq!((wide.len(), narrow.len()), (30, 10), "{day}");
        assert!(narrow.keys().all(|id| wide.contains_key(id)), "{day}");
        let wide: BTreeSet<&str> = wide.into_keys().collect();
        if let Some(before) = before {
            assert!(before.difference(&wide).count() >= 3, "fewer than one in ten left on {day}");
            changes += before.difference(&wide).count();
        }
        before = Some(wide);
    }
    assert!((12..30).contains(&changes), "{changes} changes in four reviews");
}

#[test]
fn levels_start_at_1000_and_do_not_jump_at_reviews() {
    for seed in [7, 1, 2] {
        let options = DemoOptions { seed, ..DemoOptions::default() };
        assert_levels(&knowledge(&DemoFeed::new(options, instant(NOW)).history()));
    }
}

fn assert_levels(known: &Known) {
    let days = known.days();
    let mut effective = known.effective_days().into_iter();
    let base = effective.next().unwrap();
    assert_eq!(Some(&base), days.iter().next());
    for index in ["TMK30", "TMK10"] {
        assert!((known.level(index, base, base) - 1_000 * 10_i128.pow(16)).abs() < 10_i128.pow(10));
    }
    for effective in effective {
        let review_day = days.range(..effective).next_back().unwrap();
        assert_continuous(known, review_day, effective);
    }
}

#[test]
fn closes_are_of_business_days_and_corrected_in_every_month() {
    let history = parsed(&feed().history());
    let (mut puts, mut corrections, mut months) = (0, BTreeMap::new(), BTreeSet::new());
    for (_, json) in history.iter().filter(|(dataset, _)| *dataset == "prices") {
        let day = calendar::day_of(instant(text(json, "valid_from")));
        assert!(calendar::is_business_day(day), "{json}");
        assert_eq!(text(json, "valid_to"), (day + chrono::Days::new(1)).to_string());
        months.insert(text(json, "known_at")[..7].to_owned());
        if json["source"] == "closing" {
            assert_eq!(text(json, "known_at"), format!("{day}T18:00:00Z"));
            puts += 1;
        } else {
            assert!(!calendar::is_review_day(day), "index shares rest on it: {json}");
            *corrections.entry(text(json, "known_at")[..7].to_owned()).or_insert(0) += 1;
        }
    }
    // The first month of the history is not whole.
    assert!(months.iter().skip(1).all(|month| corrections.contains_key(month)), "{corrections:?}");
    let share = f64::from(corrections.values().sum::<i32>()) / f64::from(puts);
    assert!((0.012..0.022).contains(&share), "{share}");
    let withdrawn = history.iter().filter(|(dataset, json)| *dataset == "prices" && json["op"] == "delete").count();
    assert!((2..40).contains(&withdrawn), "{withdrawn} withdrawn");
}

#[test]
fn coupons_follow_on_each_other_without_gap() {
    for seed in 0..10 {
        let history = DemoFeed::new(DemoOptions { seed, ..DemoOptions::default() }, instant(NOW)).history();
        let mut periods: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
        for (_, json) in parsed(&history).iter().filter(|(dataset, _)| *dataset == "bonds") {
            let period = (text(json, "valid_from").to_owned(), text(json, "valid_to").to_owned());
            periods.entry(text(json, "isin").to_owned()).or_default().insert(period);
        }
        assert_eq!(periods.len(), 12);
        for (isin, periods) in periods {
            let periods: Vec<_> = periods.into_iter().collect();
            assert!(periods.windows(2).all(|pair| pair[0].1 == pair[1].0), "seed {seed} {isin}: {periods:?}");
            assert!(periods.last().is_some_and(|(_, to)| to.as_str() > "2026-11-22"), "seed {seed} {isin}");
        }
    }
}

#[test]
fn what_was_decided_in_the_history_becomes_known_later() {
    for seed in 0..20 {
        let feed = DemoFeed::new(DemoOptions { seed, malformed: false, ..DemoOptions::default() }, instant(NOW));
        let history = feed.history();
        let mut known = knowledge(&history);
        let first_tick = feed.live().tick(Instant(instant(NOW).micros() + 40 * MICROS_PER_DAY));
        known.learn(&first_tick);
        let days = known.days().len();
        assert_eq!(known.closes.len(), days * 40, "seed {seed}: a withdrawn close was not restored");
        assert!(first_tick.iter().any(|event| event.dataset == "corporate_actions"), "seed {seed}");
    }
}

fn count(events: &[(&str, Value)], dataset: &str, column: &str, value: &str) -> usize {
    events.iter().filter(|(name, json)| *name == dataset && json[column] == value).count()
}

#[test]
fn the_live_feed_keeps_its_rate_and_brings_something_of_everything() {
    let mut live = feed().live();
    let events: Vec<DemoEvent> = (0..300).flat_map(|second| live.tick(seconds_after(instant(NOW), second))).collect();
    assert!(events.is_sorted_by_key(|event| event.known_at));
    let (malformed, events): (Vec<_>, Vec<_>) = parsed(&events).into_iter().partition(|(_, json)| is_malformed(json));
    assert!((4..=6).contains(&malformed.len()), "{malformed:?}");
    let running = count(&events, "prices", "source", "running");
    assert_eq!(running, 300 * 40);
    let corrected = count(&events, "prices", "source", "correction") + count(&events, "prices", "op", "delete");
    assert!((22..36).contains(&corrected), "{corrected} corrections in 300 s");
    let other = events.iter().filter(|(dataset, _)| matches!(*dataset, "bonds" | "reports")).count();
    assert!((6..36).contains(&other), "{other}");
}

/// Whether a line of `prices` belongs in quarantine.
fn is_malformed(json: &Value) -> bool {
    json.get("source").is_some()
        && json["op"] == "put"
        && (json["close"] == "n/a"
            || json.get("instrument_id").is_none()
            || text(json, "valid_from") >= text(json, "valid_to")
            || !json["volume"].is_i64())
}

#[test]
fn no_record_is_malformed_where_none_is_wanted() {
    let options = DemoOptions { malformed: false, ..DemoOptions::default() };
    let mut live = DemoFeed::new(options, instant(NOW)).live();
    let events: Vec<DemoEvent> = (0..200).flat_map(|second| live.tick(seconds_after(instant(NOW), second))).collect();
    assert!(!parsed(&events).iter().any(|(_, json)| is_malformed(json)));
}

#[test]
fn the_level_moves_every_second() {
    for events_per_second in [4, 40, 400] {
        let options = DemoOptions { events_per_second, malformed: false, ..DemoOptions::default() };
        let feed = DemoFeed::new(options, instant(NOW));
        let (mut known, mut live) = (knowledge(&feed.history()), feed.live());
        let levels: Vec<i128> = (0..120)
            .map(|second| {
                known.learn(&live.tick(seconds_after(instant(NOW), second)));
                known.level("TMK30", "2026-11-23", "2026-11-23")
            })
            .collect();
        // Moves that a screen with two decimals shows.
        let visible = levels.windows(2).filter(|pair| (pair[0] - pair[1]).abs() > 5 * 10_i128.pow(13)).count();
        assert!(visible > 100, "{visible} of 119 at {events_per_second}/s");
        let (low, high) = (levels.iter().min().unwrap(), levels.iter().max().unwrap());
        assert!((high - low) * 100 < *low, "the level goes astray");
    }
}

/// Ticks every ten minutes and learns what comes.
fn run(live: &mut LiveFeed, known: &mut Known, from: &str, to: &str) {
    let (mut now, to) = (instant(from), instant(to));
    while now < to {
        known.learn(&live.tick(now));
        now = seconds_after(now, 600);
    }
}

#[test]
fn the_live_feed_moves_on_over_nights_a_weekend_and_a_review() {
    let options = DemoOptions { malformed: false, ..DemoOptions::default() };
    let feed = DemoFeed::new(options, instant("2026-12-16T15:00:00Z"));
    let (mut known, mut live) = (knowledge(&feed.history()), feed.live());
    run(&mut live, &mut known, "2026-12-16T15:00:00Z", "2026-12-19T00:00:00Z");
    assert_eq!(known.days().last(), Some(&"2026-12-18"));
    let friday = known.closes.clone();
    run(&mut live, &mut known, "2026-12-19T00:00:00Z", "2026-12-21T00:00:00Z");
    assert_eq!(known.days().last(), Some(&"2026-12-18"), "no business day began");
    assert_ne!(friday, known.closes, "the weekend goes on with Friday's closes");
    assert_eq!(known.effective_days().last(), Some(&"2026-09-21"));
    run(&mut live, &mut known, "2026-12-21T00:00:00Z", "2026-12-23T12:00:00Z");
    assert_eq!(known.days().iter().rev().take(3).collect::<Vec<_>>(), [&"2026-12-23", &"2026-12-22", &"2026-12-21"]);
    assert_eq!(known.effective_days().last(), Some(&"2026-12-21"));
    assert_continuous(&known, "2026-12-18", "2026-12-21");
}

#[test]
fn a_server_that_was_away_goes_on_where_the_market_is() {
    let options = DemoOptions { malformed: false, ..DemoOptions::default() };
    let feed = DemoFeed::new(options, instant(NOW));
    let mut watching = feed.live();
    let mut known = Known::default();
    run(&mut watching, &mut known, NOW, "2026-11-26T15:00:00Z");
    let mut back = feed.live_from(instant("2026-11-24T11:00:00Z"));
    let now = instant("2026-11-26T15:00:00Z");
    let (seen, caught_up) = (parsed(&watching.tick(now)), parsed(&back.tick(now)));
    let running = |events: &[(&str, Value)]| -> BTreeMap<String, String> {
        let today = events.iter().filter(|(_, json)| json["source"] == "running" && json["valid_from"] == "2026-11-26");
        today.map(|(_, json)| (text(json, "instrument_id").to_owned(), text(json, "close").to_owned())).collect()
    };
    let (seen, caught_up_today) = (running(&seen), running(&caught_up));
    let differing = seen.iter().filter(|(id, close)| caught_up_today.get(*id) != Some(close)).count();
    assert!(differing <= seen.len() / 4, "{differing} of {} closes differ", seen.len());
    let mut missed: Vec<&str> = caught_up
        .iter()
        .filter(|(_, json)| json["source"] == "closing")
        .map(|(_, json)| text(json, "valid_from"))
        .collect();
    missed.dedup();
    assert_eq!(missed, ["2026-11-24", "2026-11-25"], "Monday's closes were published before it stopped");
    for (_, json) in caught_up.iter().filter(|(_, json)| json["source"] == "closing") {
        assert_eq!(units(&json["close"], 4), known.closings[&close_key(json)], "{json}");
    }
}

#[test]
fn a_clock_that_stands_still_or_goes_back_gives_nothing() {
    let mut live = feed().live();
    assert!(!live.tick(instant(NOW)).is_empty());
    assert!(live.tick(instant(NOW)).is_empty());
    assert!(live.tick(instant("2026-11-22")).is_empty());
    assert!(!live.tick(seconds_after(instant(NOW), 1)).is_empty());
}

#[test]
fn options_out_of_range_are_brought_into_it() {
    for day in 16..23 {
        let options = DemoOptions { history_days: 0, events_per_second: 0, ..DemoOptions::default() };
        let feed = DemoFeed::new(options, instant(&format!("2026-12-{day}T12:00:00Z")));
        assert_eq!(knowledge(&feed.history()).days().len(), 5);
        let mut live = feed.live();
        let first = live.tick(instant(&format!("2026-12-{day}T12:00:00Z")));
        assert!(first.len() <= 160, "{}", first.len());
        live.tick(instant("2027-01-04T12:00:00Z"));
    }
    let options = DemoOptions { history_days: 8, events_per_second: u32::MAX, ..DemoOptions::default() };
    assert!((100_000..100_100).contains(&DemoFeed::new(options, instant(NOW)).live().tick(instant(NOW)).len()));
}

#[test]
fn what_figures_mean_fits_the_datasets() {
    let definitions: HashMap<&str, DatasetDefinition> = definitions().into_iter().collect();
    for (dataset, text) in MEANINGS {
        let meaning: app::dashboards::semantics::Semantics = serde_json::from_str(text).unwrap();
        assert_eq!(meaning.dataset, dataset);
        assert_eq!(meaning.problems_in(&definitions[dataset]), [], "{dataset}");
        assert!(meaning.measures.is_empty(), "formulas are checked by a server alone");
    }
}
