//! The live feed: running closes, late corrections, and whatever the calendar brings.
//!
//! A running close depends on the seed, the share and the moment alone. It leads from the last close to the close the
//! day will have, so a server that was away goes on where the market is, and the closes of days gone by are the same
//! whoever watched them.

use std::collections::{BTreeMap, VecDeque};

use chrono::{Days, NaiveDate};
use model::Instant;
use rand_chacha::ChaCha8Rng;

use super::{
    DemoEvent, DemoOptions, World,
    calendar::{MICROS_PER_DAY, MICROS_PER_SECOND, at, day_of, is_business_day, next_business_day},
    draft::Draft,
    market::{Quote, TICK, TradingDay, moved, snap},
    random::{Stream, between, index_below, one_in, scatter, stream},
};

/// Seconds between corrections of closes, between corrections of coupons and reports, between malformed records; each
/// up to a fifth sooner or later.
const PRICE_CORRECTION_SECONDS: i64 = 10;
const OTHER_CORRECTION_SECONDS: i64 = 30;
const MALFORMED_SECONDS: i64 = 60;

/// Running closes made up for after a pause, in seconds of them.
const LONGEST_CREDIT_SECONDS: i64 = 5;

/// Bound on the rate.
const MOST_EVENTS_PER_SECOND: u32 = 100_000;

/// Hours in which a running close gets from the last close to that of the day.
const SESSION_HOURS: i64 = 18;

/// Business days back to which closes are corrected.
const CORRECTED_DAYS: usize = 40;

/// Running closes waver in waves of these lengths (seconds) and heights (millionths of the price).
const WAVES: [(i64, i64); 5] = [(3, 300), (19, 400), (120, 800), (1_500, 1_800), (7_200, 2_500)];

/// The whole market, where waves are counted by instrument.
const WHOLE_MARKET: u64 = u64::MAX;

/// The running business day.
struct Session {
    trading: TradingDay,
    /// Whether every instrument has a close that day.
    opened: bool,
    /// Whether the last close published of every instrument is that of the day.
    closed: bool,
    /// Whether the indices were looked at after the close.
    reviewed: bool,
}

/// The live feed. Holds the market's state; each tick moves it on.
pub struct LiveFeed {
    options: DemoOptions,
    world: World,
    /// Last calendar day the generators have decided on.
    day: NaiveDate,
    session: Option<Session>,
    /// Decided, not yet known; by moment and order of decision.
    pending: BTreeMap<(Instant, u64), Draft>,
    decided: u64,
    rng: ChaCha8Rng,
    last_tick: Option<Instant>,
    /// Running closes earned and not yet given, times a million.
    credit: i64,
    /// Whose turn it is, among the heavyweights and among all.
    turns: (usize, usize),
    next_price_correction: Instant,
    next_other_correction: Instant,
    next_malformed: Instant,
    malformed: usize,
}

impl LiveFeed {
    /// Goes on after `day`, the last of the history. What is due at or before `since` counts as published.
    pub(super) fn new(
        options: DemoOptions,
        world: World,
        day: NaiveDate,
        pending: Vec<Draft>,
        since: Instant,
    ) -> LiveFeed {
        let published =
            |trading: &TradingDay| Session { trading: trading.clone(), opened: true, closed: true, reviewed: true };
        let session = world.market.last_day().map(published);
        let rng = stream(options.seed, Stream::Live);
        let mut feed = LiveFeed {
            options,
            world,
            day,
            session,
            pending: BTreeMap::new(),
            decided: 0,
            rng,
            last_tick: None,
            credit: 0,
            turns: (0, 0),
            next_price_correction: since,
            next_other_correction: since,
            next_malformed: since,
            malformed: 0,
        };
        feed.hold(pending);
        feed.catch_up(since);
        feed
    }

    /// What became known since the last tick, all with `known_at` = `now`. Meant to be called once a second; after a
    /// pause the days missed are made up for. A `now` not later than that of the last tick gives nothing.
    pub fn tick(&mut self, now: Instant) -> Vec<DemoEvent> {
        let elapsed_micros = match self.last_tick {
            Some(last) if now <= last => return Vec::new(),
            Some(last) => now.micros() - last.micros(),
            None => {
                self.start_intervals(now);
                MICROS_PER_SECOND
            }
        };
        self.last_tick = Some(now);
        let mut drafts = self.catch_up(now);
        self.running_closes(now, elapsed_micros, &mut drafts);
        self.corrections(now, &mut drafts);
        if self.options.malformed && is_due(&mut self.rng, &mut self.next_malformed, now, MALFORMED_SECONDS) {
            drafts.extend(self.malformed_record(now));
        }
        drafts.iter().map(|draft| draft.publish(now)).collect()
    }

    /// Soon after the first tick there is something of everything.
    fn start_intervals(&mut self, now: Instant) {
        self.next_price_correction = later(now, 4);
        self.next_other_correction = later(now, 9);
        self.next_malformed = later(now, 17);
    }

    /// Moves the calendar on to the date of `now` and returns what is due by then.
    fn catch_up(&mut self, now: Instant) -> Vec<Draft> {
        let mut due = Vec::new();
        while self.day < day_of(now) {
            self.day = self.day + Days::new(1);
            if is_business_day(self.day) {
                self.close_session(now, &mut due);
                self.world.market.step(self.day);
                let open = |trading: &TradingDay| Session {
                    trading: trading.clone(),
                    opened: false,
                    closed: false,
                    reviewed: false,
                };
                self.session = self.world.market.last_day().map(open);
            }
            let mut decided = Vec::new();
            self.world.decide(self.day, &mut decided);
            self.hold(decided);
        }
        while let Some(first) = self.pending.first_entry()
            && first.key().0 <= now
        {
            due.push(first.remove());
        }
        due
    }

    /// Publishes the closes of the running day and, on review days, the new constituents.
    fn close_session(&mut self, now: Instant, out: &mut Vec<Draft>) {
        let Some(session) = self.session.take() else { return };
        if !session.closed {
            let quotes = (0..session.trading.closes.len()).map(|instrument| self.quote(&session.trading, instrument));
            out.extend(quotes.map(|quote| quote.put(now, "closing")));
        }
        if !session.reviewed {
            self.world.indices.after_close(&self.world.market, out);
        }
    }

    fn quote(&self, trading: &TradingDay, instrument: usize) -> Quote {
        Quote {
            instrument: self.world.market.instruments()[instrument].company.id,
            day: trading.day,
            close: trading.closes[instrument],
            volume: trading.volumes[instrument],
        }
    }

    /// As many running closes as the rate asks for, up to half of heavyweights; all instruments at the opening.
    fn running_closes(&mut self, now: Instant, elapsed_micros: i64, out: &mut Vec<Draft>) {
        let Some(mut session) = self.session.take() else { return };
        let rate = i64::from(self.options.events_per_second.min(MOST_EVENTS_PER_SECOND));
        self.credit += elapsed_micros.min(LONGEST_CREDIT_SECONDS * MICROS_PER_SECOND) * rate;
        let mut count = self.credit / MICROS_PER_SECOND;
        self.credit -= count * MICROS_PER_SECOND;
        if !session.opened {
            let all = 0..session.trading.closes.len();
            count = (count - all.len() as i64).max(0);
            out.extend(all.map(|instrument| self.running_close(&session.trading, instrument, now).put(now, "running")));
            session.opened = true;
        }
        for (place, instrument) in self.turns(count).into_iter().enumerate() {
            // Spread over the last second, so that two of one instrument differ.
            let ago = (count - 1 - place as i64) * MICROS_PER_SECOND / count;
            let moment = Instant(now.micros() - ago);
            out.push(self.running_close(&session.trading, instrument, moment).put(now, "running"));
            session.closed = false;
        }
        self.session = Some(session);
    }

    /// The next instruments in turn: heavyweights, each once at most, as half of them; then all.
    fn turns(&mut self, count: i64) -> Vec<usize> {
        let heavyweights: Vec<usize> = self.world.indices.heavyweights().collect();
        let all = self.world.market.instruments().len();
        let count = usize::try_from(count).unwrap_or_default();
        let heavy = count.div_ceil(2).min(heavyweights.len());
        let mut turns = Vec::with_capacity(count);
        for _ in 0..heavy {
            turns.push(heavyweights[self.turns.0 % heavyweights.len()]);
            self.turns.0 = (self.turns.0 + 1) % heavyweights.len();
        }
        for _ in heavy..count {
            turns.push(self.turns.1);
            self.turns.1 = (self.turns.1 + 1) % all;
        }
        turns
    }

    /// The close a day would have if it ended at `moment`.
    fn running_close(&self, trading: &TradingDay, instrument: usize, moment: Instant) -> Quote {
        let opening = at(trading.day, 0, 0, 0);
        let closing = at(next_business_day(trading.day), 0, 0, 0);
        let gone = (moment.micros() - opening.micros()).clamp(0, closing.micros() - opening.micros());
        let session_micros = SESSION_HOURS * MICROS_PER_DAY / 24;
        let (open, close) = (trading.opens[instrument], trading.closes[instrument]);
        let trend_ppm = gone.min(session_micros) / (session_micros / 1_000_000);
        let waver_ppm = self.waver_ppm(WHOLE_MARKET, moment) + self.waver_ppm(instrument as u64, moment);
        let running = open + (close - open) * trend_ppm / 1_000_000 + open * waver_ppm / 1_000_000;
        let traded = i128::from(trading.volumes[instrument]) * i128::from(gone)
            / i128::from(closing.micros() - opening.micros());
        let volume = i64::try_from(traded).unwrap_or(i64::MAX);
        Quote { close: snap(running), volume, ..self.quote(trading, instrument) }
    }

    /// How far a price is off its trend at a moment, in millionths: waves through random points.
    fn waver_ppm(&self, who: u64, moment: Instant) -> i64 {
        let wave = |(seconds, height_ppm): (i64, i64)| {
            let length = seconds * MICROS_PER_SECOND;
            let (number, into) = (moment.micros().div_euclid(length), moment.micros().rem_euclid(length));
            let point = |number: i64| {
                let random = scatter(self.options.seed ^ seconds.unsigned_abs(), who, number.unsigned_abs());
                (random % 2_001) as i64 - 1_000
            };
            let (from, to) = (point(number), point(number + 1));
            (from * 1_000 + (to - from) * (into / (length / 1_000))) * height_ppm / 1_000_000
        };
        WAVES.into_iter().map(wave).sum()
    }

    fn corrections(&mut self, now: Instant, out: &mut Vec<Draft>) {
        if is_due(&mut self.rng, &mut self.next_price_correction, now, PRICE_CORRECTION_SECONDS) {
            self.correct_close(now, out);
        }
        if is_due(&mut self.rng, &mut self.next_other_correction, now, OTHER_CORRECTION_SECONDS) {
            if one_in(&mut self.rng, 2) {
                out.extend(self.world.notes.correction(self.day, now));
            } else {
                self.world.reports.correction(now, self.day, out);
            }
        }
    }

    /// Corrects a past close by 0.05 to 1.5 %; once in seven times withdraws it, and restores it within a minute.
    fn correct_close(&mut self, now: Instant, out: &mut Vec<Draft>) {
        let market = &self.world.market;
        let running = self.session.as_ref().map(|session| session.trading.day);
        let past = market.recent().filter(|trading| Some(trading.day) != running && !market.is_settled(trading.day));
        let mut past: VecDeque<&TradingDay> = past.collect();
        past.drain(..past.len().saturating_sub(CORRECTED_DAYS));
        if past.is_empty() {
            return;
        }
        let trading = past[index_below(&mut self.rng, past.len())];
        let heavyweights: Vec<usize> = self.world.indices.heavyweights().collect();
        let instrument = if one_in(&mut self.rng, 2) && !heavyweights.is_empty() {
            heavyweights[index_below(&mut self.rng, heavyweights.len())]
        } else {
            index_below(&mut self.rng, trading.closes.len())
        };
        let quote = self.quote(trading, instrument);
        if one_in(&mut self.rng, 7) {
            let restored = later(now, between(&mut self.rng, 20, 45));
            out.push(quote.delete(now));
            self.hold([quote.put(restored, "restored")]);
            return;
        }
        let size_ppm = between(&mut self.rng, 500, 15_000);
        let up = one_in(&mut self.rng, 2);
        let corrected = moved(quote.close, if up { size_ppm } else { -size_ppm });
        let close = if corrected == quote.close { corrected + TICK } else { corrected };
        out.push(Quote { close, ..quote }.put(now, "correction"));
    }

    /// A record of `prices` that cannot be accepted, another kind each time.
    fn malformed_record(&mut self, now: Instant) -> Option<Draft> {
        let day = self.session.as_ref()?.trading.day;
        let next = day + Days::new(1);
        let instruments = self.world.market.instruments();
        let instrument = instruments[index_below(&mut self.rng, instruments.len())].company.id;
        let key = Draft::new("prices", now).text("op", "put").text("instrument_id", instrument);
        let keyless = Draft::new("prices", now).text("op", "put");
        let record = match self.malformed % 4 {
            0 => key.text("close", "n/a").integer("volume", 1_200).valid(day, Some(next)),
            1 => keyless.text("close", "104.2000").integer("volume", 1_200).valid(day, Some(next)),
            2 => key.text("close", "104.2000").integer("volume", 1_200).valid(next, Some(day)),
            _ => key.text("close", "104.2000").text("volume", "12k").valid(day, Some(next)),
        };
        self.malformed += 1;
        Some(record.text("source", "running"))
    }

    fn hold(&mut self, drafts: impl IntoIterator<Item = Draft>) {
        for draft in drafts {
            self.pending.insert((draft.due, self.decided), draft);
            self.decided += 1;
        }
    }
}

fn later(now: Instant, seconds: i64) -> Instant {
    Instant(now.micros() + seconds * MICROS_PER_SECOND)
}

/// Whether it is time; if so sets the next time, `seconds` on, up to a fifth sooner or later.
fn is_due(rng: &mut ChaCha8Rng, next: &mut Instant, now: Instant, seconds: i64) -> bool {
    if now < *next {
        return false;
    }
    let millis = seconds * between(rng, 800, 1_200);
    *next = Instant(now.micros() + millis * MICROS_PER_SECOND / 1_000);
    true
}
