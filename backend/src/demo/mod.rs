//! The demo feed: a simulated market, history first and live after it.
//!
//! Instruments, two benchmark indices, closes with late corrections, floating-rate notes, quarterly reports and
//! corporate actions, all from one seed. Nothing here reads a clock, a file or the network, and no floating-point
//! number is used: the same options and the same UTC date give the same bytes on every machine.
//!
//! All generators go forward one calendar day at a time and may decide on a day what becomes known on a later one. The
//! history is what is known before the first moment of the UTC date of `now`; what was decided before and becomes known
//! later is handed to the live feed, so that nothing announced is forgotten between the two.
//!
//! Levels: `level(day) = Σ close × index_shares` over the members of an index that day, 1000 on the first business day.
//! Closes enter in the currency they are quoted in, at par. All prices are split-adjusted.

mod actions;
mod calendar;
mod definitions;
mod draft;
mod fixed_income;
mod index;
mod live;
mod market;
mod random;
mod reports;
mod universe;

#[cfg(test)]
mod tests;

use chrono::{Days, NaiveDate};
use model::Instant;

use actions::CorporateActions;
use draft::Draft;
use fixed_income::Notes;
use index::Indices;
use market::Market;
use reports::Reports;
use universe::Registry;

pub use definitions::{MEANINGS, definitions};
pub use live::LiveFeed;

/// Shortest and longest history, in days. Below the first no week is whole; above the second nobody wants to wait.
const HISTORY_DAYS: (u32, u32) = (7, 7_300);

/// What a demo feed can be told.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Everything random comes from it. Default 7.
    pub seed: u64,
    /// Calendar days of history before the UTC date of `now`; taken as 7 to 7,300. Default 400.
    pub history_days: u32,
    /// Running closes per second of the live feed, corrections not counted; taken as 100,000 at most. Default 40.
    pub events_per_second: u32,
    /// Whether the live feed holds, once a minute, a record that belongs in quarantine. Default true.
    pub malformed: bool,
}

impl Default for DemoOptions {
    fn default() -> DemoOptions {
        DemoOptions { seed: 7, history_days: 400, events_per_second: 40, malformed: true }
    }
}

/// One event of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoEvent {
    /// Dataset it belongs to, one of [`definitions`].
    pub dataset: &'static str,
    /// When it became known. Also in `json`, as column `known_at`.
    pub known_at: Instant,
    /// One NDJSON line, without the line feed. Decimals are strings with all their digits.
    pub json: String,
}

/// The demo feed of one seed and one UTC date.
pub struct DemoFeed {
    options: DemoOptions,
    /// First moment of the UTC date of `now`: the history ends before it.
    cut: Instant,
    /// The market as it stands at the end of the last day of history.
    world: World,
    history: Vec<DemoEvent>,
    /// Decided in the history, known after it.
    pending: Vec<Draft>,
}

impl DemoFeed {
    /// Plays the history that ends on the day before the UTC date of `now`. A function of the options and that date:
    /// a server that starts again passes the `now` of its first start, and goes on with [`DemoFeed::live_from`].
    pub fn new(options: DemoOptions, now: Instant) -> DemoFeed {
        let today = calendar::day_of(now);
        let cut = calendar::at(today, 0, 0, 0);
        let history_days = options.history_days.clamp(HISTORY_DAYS.0, HISTORY_DAYS.1);
        let mut day = today - Days::new(u64::from(history_days));
        let mut drafts = Vec::new();
        let mut world = World::new(options.seed, day, &mut drafts);
        while day < today {
            world.play(day, &mut drafts);
            day = day + Days::new(1);
        }
        let (mut known, mut pending): (Vec<Draft>, Vec<Draft>) = drafts.into_iter().partition(|draft| draft.due < cut);
        known.sort_by_key(|draft| draft.due);
        pending.sort_by_key(|draft| draft.due);
        let history = known.iter().map(|draft| draft.publish(draft.due)).collect();
        DemoFeed { options, cut, world, history, pending }
    }

    /// The history, ordered by `known_at`, all of it before the UTC date of `now`. Within one moment the order is that
    /// of the market's day and stays the same.
    pub fn history(&self) -> Vec<DemoEvent> {
        self.history.clone()
    }

    /// The live feed, from the end of the history on.
    pub fn live(&self) -> LiveFeed {
        self.live_from(Instant(self.cut.micros() - 1))
    }

    /// The live feed of a server that stopped at `since`: what became known up to then is not published again. Days
    /// missed since are made up for at the first tick.
    pub fn live_from(&self, since: Instant) -> LiveFeed {
        let last_day = calendar::day_of(self.cut) - Days::new(1);
        LiveFeed::new(self.options.clone(), self.world.clone(), last_day, self.pending.clone(), since)
    }
}

/// All generators, at the end of one calendar day.
#[derive(Clone)]
struct World {
    market: Market,
    indices: Indices,
    registry: Registry,
    notes: Notes,
    reports: Reports,
    actions: CorporateActions,
}

impl World {
    /// The state before the first day, and what is known before it begins.
    fn new(seed: u64, first_day: NaiveDate, out: &mut Vec<Draft>) -> World {
        let instruments = universe::instruments(seed);
        let registry = Registry::new(seed, &instruments, first_day, out);
        let notes = Notes::new(seed, first_day, out);
        let indices = Indices::new(seed, &instruments);
        let reports = Reports::new(seed, &instruments);
        let actions = CorporateActions::new(seed, instruments.len(), first_day);
        World { market: Market::new(seed, instruments), indices, registry, notes, reports, actions }
    }

    /// One whole day of history.
    fn play(&mut self, day: NaiveDate, out: &mut Vec<Draft>) {
        if calendar::is_business_day(day) {
            self.market.step(day);
            self.market.publish(out);
            self.indices.after_close(&self.market, out);
        }
        self.decide(day, out);
    }

    /// What is decided on a day beside prices and indices.
    fn decide(&mut self, day: NaiveDate, out: &mut Vec<Draft>) {
        self.registry.decide(day, out);
        self.notes.decide(day, out);
        self.reports.decide(day, out);
        self.actions.decide(day, &self.market, out);
    }
}
