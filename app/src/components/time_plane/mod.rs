//! The time control: the plane of both times in small. Effective runs from left to right, known from bottom to top, and the top
//! edge is now. Beside the strip stand fields to type into, which are folded on narrow screens.
//!
//! Nothing here knows a page: what is chosen comes in as signals and goes out through callbacks.

mod fields;
mod picture;
mod plane;
mod play;
mod strip;

use leptos::prelude::*;

use self::{
    fields::{CompareSelect, EffectiveField, KnownField},
    plane::Plane,
    play::{PlayButton, Player},
    strip::Strip,
};
use super::whole::Whole;
use crate::{
    format::time::SECOND_MICROS,
    live::Live,
    state::{
        address::Step,
        coordinates::{Compare, Compared, Effective, Known, KnownChoice},
    },
};

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesture {
    /// One more of a movement that has begun.
    Moving,
    /// A choice, or the first of a movement.
    Choice,
}

impl Gesture {
    /// How it enters the history: a movement is one step, however long it is.
    pub fn step(self) -> Step {
        if self == Gesture::Moving { Step::Replace } else { Step::Push }
    }
}

/// The effective axis.
#[derive(Clone, Copy)]
pub struct EffectiveAxis {
    /// What is chosen.
    pub choice: Memo<Effective>,
    /// First and last day of the facts that have been seen, as far as there are any.
    pub facts: Signal<Option<(i64, i64)>>,
    /// Chooses.
    pub set: Callback<(Effective, Gesture)>,
    /// What the names for tests begin with: `…-field`, `…-preset`.
    pub testid: &'static str,
}

/// A known time on the strip.
#[derive(Clone, Copy)]
pub struct KnownMark {
    /// Its name, such as `Known`.
    pub name: &'static str,
    /// Its sign where there are several, such as `A`; else empty.
    pub sign: &'static str,
    /// What the names for tests begin with: `…-slider`, `…-field`, `…-preset`.
    pub testid: &'static str,
    /// What is chosen.
    pub choice: Memo<KnownChoice>,
    /// What that means now.
    pub known: Memo<Known>,
    /// Chooses.
    pub set: Callback<(KnownChoice, Gesture)>,
}

/// The comparison with an earlier period.
#[derive(Clone, Copy)]
pub struct CompareChoice {
    /// What is chosen.
    pub choice: Memo<Option<Compare>>,
    /// What that means for the range.
    pub compared: Memo<Option<Compared>>,
    /// Chooses.
    pub set: Callback<Option<Compare>>,
    /// What the names for tests begin with: `…-select`.
    pub testid: &'static str,
}

/// The control. With `busy`, which says that tiles are reading, the first known time can be played through.
#[component]
pub fn TimePlane(
    live: Live,
    effective: EffectiveAxis,
    marks: Vec<KnownMark>,
    /// The first moment anything was known, in microseconds; `None` while nothing is.
    known_first: Memo<Option<i64>>,
    #[prop(optional_no_strip)] compare: Option<CompareChoice>,
    #[prop(optional)] busy: Option<Signal<bool>>,
) -> impl IntoView {
    let today = Memo::new(move |_| live.today());
    // By the minute, so that the strip does not tremble with every commit.
    let top = Memo::new(move |_| {
        let minute = 60 * SECOND_MICROS;
        live.head_micros().unwrap_or_else(|| live.now.get()).div_euclid(minute) * minute
    });
    let held = RwSignal::new(false);
    let plane = Memo::new(move |before: Option<&Plane>| match before {
        Some(before) if held.get() => *before,
        _ => Plane::over(effective.facts.get(), known_first.get(), effective.choice.get().days(today.get()), top.get()),
    });
    let player = busy.zip(marks.first().copied()).map(|(busy, mark)| {
        let from_day = Signal::derive(move || plane.get().span(effective.choice.get().days(today.get())).0);
        Player::new(mark, plane, from_day, busy)
    });
    let strip = Strip::new(plane, held, today, effective, &marks, compare, player);
    let now = Memo::new(move |_| live.now.get());
    let row = |(index, mark): (usize, KnownMark)| {
        let play = player.filter(|_| index == 0).map(|player| view! { <PlayButton player /> });
        view! {
            <div class="time-row known">
                <KnownField mark now />
                {play}
            </div>
        }
        .whole()
    };
    // On narrow screens the style folds the fields with it, and this says what they hold.
    let said = marks.clone();
    let summary = move || {
        let mut text = "↔ ".to_owned();
        text.push_str(&effective.choice.get().days(today.get()).text());
        if let Some(compared) = compare.and_then(|compare| compare.compared.get()) {
            text.push_str(", compared with ");
            text.push_str(&compared.days.text());
        }
        for mark in &said {
            text.push_str(" ↕ ");
            text.push_str(mark.sign);
            text.push(' ');
            text.push_str(&mark.known.get().text());
        }
        text
    };
    let rows = marks.into_iter().enumerate().map(row).collect_view();
    view! {
        <div class="time-plane" role="group" aria-label="Effective and known time">
            {strip.view()}
            <details class="time-fold">
                <summary data-testid="time-fold">{summary}</summary>
            </details>
            <div class="time-fields">
                <div class="time-row effective">
                    <EffectiveField effective today plane />
                    {compare.map(|compare| view! { <CompareSelect compare /> })}
                </div>
                {rows}
            </div>
        </div>
    }
    .whole()
}
