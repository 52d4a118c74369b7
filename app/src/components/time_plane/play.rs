//! Playing through what was known: step by step up to now, two a second, waiting for tiles that read. Any other choice stops
//! it. For those who asked for less motion each step is made by hand.

use std::time::Duration;

use leptos::{leptos_dom::helpers::IntervalHandle, prelude::*};

use super::{Gesture, KnownMark, plane::Plane};
use crate::{
    browser,
    components::{
        icon::{self, icon},
        whole::Whole,
    },
    state::coordinates::{Known, KnownChoice},
};

const STEP_EVERY: Duration = Duration::from_millis(500);

/// Moves a known time through the past.
#[derive(Clone, Copy)]
pub struct Player {
    mark: KnownMark,
    plane: Memo<Plane>,
    from_day: Signal<i64>,
    busy: Signal<bool>,
    /// Whether it plays.
    pub playing: RwSignal<bool>,
    timer: StoredValue<Option<IntervalHandle>>,
    /// The known time it has set last, and microseconds of a step.
    expected: StoredValue<(Known, i64)>,
}

impl Player {
    /// Plays `mark` on a strip whose effective range starts on a day.
    pub fn new(mark: KnownMark, plane: Memo<Plane>, from_day: Signal<i64>, busy: Signal<bool>) -> Player {
        let player = Player {
            mark,
            plane,
            from_day,
            busy,
            playing: RwSignal::new(false),
            timer: StoredValue::new(None),
            expected: StoredValue::new((Known::Now, 0)),
        };
        Effect::new(move |_| {
            if mark.known.get() != player.expected.get_value().0 {
                player.stop();
            }
        });
        // Says so to nobody: who would hear of it goes as well.
        on_cleanup(move || player.clear());
        player
    }

    /// Plays or stops; makes one step where motion is not wanted.
    pub fn toggle(self) {
        if self.playing.get_untracked() {
            return self.stop();
        }
        self.begin();
        if browser::wants_less_motion() {
            return;
        }
        // The page may be gone by the time a timer calls.
        let tick = move || {
            if self.playing.try_get_untracked() == Some(true) {
                self.tick();
            }
        };
        let timer = set_interval_with_handle(tick, STEP_EVERY).ok();
        self.timer.set_value(timer);
        self.playing.set(timer.is_some());
    }

    /// Stops where it is.
    pub fn stop(self) {
        self.clear();
        if self.playing.get_untracked() {
            self.playing.set(false);
        }
    }

    fn clear(self) {
        if let Some(timer) = self.timer.try_update_value(Option::take).flatten() {
            timer.clear();
        }
    }

    fn begin(self) {
        let (plane, known) = (self.plane.get_untracked(), self.mark.known.get_untracked());
        let start = plane.play_start(known, self.from_day.get_untracked());
        let step = match self.expected.get_value() {
            // By hand one step follows the other.
            (expected, step) if expected == known && step > 0 && known != Known::Now => step,
            _ => plane.play_step(start),
        };
        let next = if known == Known::At(start) { plane.play_next(start, step) } else { Known::At(start) };
        self.set(next, step, Gesture::Choice);
    }

    fn tick(self) {
        let (expected, step) = self.expected.get_value();
        let arrived = self.mark.known.get_untracked() == expected;
        let Some(moment) = expected.instant().filter(|_| arrived && !self.busy.get_untracked()) else { return };
        let next = self.plane.get_untracked().play_next(moment, step);
        self.set(next, step, Gesture::Moving);
        if next == Known::Now {
            self.stop();
        }
    }

    fn set(self, known: Known, step: i64, gesture: Gesture) {
        self.expected.set_value((known, step));
        self.mark.set.run((KnownChoice::Exactly(known), gesture));
    }
}

/// Plays and stops.
#[component]
pub fn PlayButton(player: Player) -> impl IntoView {
    let by_hand = RwSignal::new(false);
    Effect::new(move |_| by_hand.set(browser::wants_less_motion()));
    let word = move || match (player.playing.get(), by_hand.get()) {
        (true, _) => "Pause",
        (_, true) => "Step forward",
        _ => "Play through",
    };
    let picture = move || if player.playing.get() { icon(icon::PAUSE).whole() } else { icon(icon::PLAY).whole() };
    view! {
        <button type="button" class="play" data-testid="play" on:click=move |_| player.toggle()>
            {picture}
            <span>{word}</span>
        </button>
    }
    .whole()
}
