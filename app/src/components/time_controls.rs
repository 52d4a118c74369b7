//! The two time controls. Effective runs along the chart, from left to right; known stands beside it, from bottom to top, and
//! its top edge is now.

use leptos::{ev::KeyboardEvent, prelude::*};
use wasm_bindgen::JsCast;

use super::whole::Whole;
use crate::{
    format::time::{self, DAY_MICROS, HOUR_MICROS},
    state::coordinates::{EffectiveRange, Known, Start},
};

/// Hours that Shift makes of one on the known slider.
const LONG_STEP_HOURS: i64 = 10;

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesture {
    /// One more of a movement that has begun.
    Moving,
    /// A choice, or the first of a movement.
    Choice,
}

/// Known times that are one button away: word, days before now.
const KNOWN_PRESETS: [(&str, i64); 3] = [("1 day ago", 1), ("1 week ago", 7), ("1 month ago", 30)];
/// Effective ranges that are one button away: word, months before today; 0 is all.
const RANGE_PRESETS: [(&str, i64); 4] = [("1 month", 1), ("3 months", 3), ("1 year", 12), ("All", 0)];

fn preset_range(months: i64, today: i64) -> EffectiveRange {
    let start = match months {
        0 => Start::First,
        3 => Start::Usual,
        _ => Start::Day(time::months_before(today, months)),
    };
    EffectiveRange { start, end: None }
}

/// The effective range: two fields and presets.
#[component]
pub fn EffectiveControls(
    range: Memo<EffectiveRange>,
    today: Memo<i64>,
    set: Callback<EffectiveRange>,
) -> impl IntoView {
    let problem = RwSignal::new(String::new());
    let from_text = move || range.get().days(today.get()).from.map_or_else(|| "first".to_owned(), time::iso_day);
    let to_text = move || range.get().end.map_or_else(|| "latest".to_owned(), time::iso_day);
    let choose = move |from: Option<&str>, to: Option<&str>| {
        let (chosen, reason) = EffectiveRange::parse(from, to);
        problem.set(reason.clone().unwrap_or_default());
        if reason.is_none() {
            set.run(chosen);
        }
    };
    let set_from = move |text: String| {
        let (_, to) = range.get_untracked().parameters();
        choose(Some(&text), to.as_deref());
    };
    let set_to = move |text: String| {
        let from = range.get_untracked().days(today.get_untracked()).from.map(time::iso_day);
        choose(from.as_deref().or(Some("first")), Some(&text));
    };
    let presets = RANGE_PRESETS.map(|(word, months)| {
        let pressed = move || if range.get() == preset_range(months, today.get()) { "true" } else { "false" };
        view! {
            <button
                type="button"
                aria-pressed=pressed
                on:click=move |_| {
                    problem.set(String::new());
                    set.run(preset_range(months, today.get_untracked()));
                }
            >
                {word}
            </button>
        }
        .whole()
    });
    view! {
        <fieldset class="controls effective">
            <legend>
                <span aria-hidden="true">"↔ "</span>
                "Effective"
            </legend>
            <label>
                "From"
                <input
                    type="text"
                    class="day"
                    autocomplete="off"
                    spellcheck="false"
                    placeholder="2026-03-31"
                    aria-describedby="range-problem"
                    data-testid="from-field"
                    value=untrack(from_text)
                    prop:value=from_text
                    on:change:target=move |event| set_from(event.target().value())
                />
            </label>
            <label>
                "To"
                <input
                    type="text"
                    class="day"
                    autocomplete="off"
                    spellcheck="false"
                    placeholder="2026-03-31"
                    aria-describedby="range-problem"
                    data-testid="to-field"
                    value=untrack(to_text)
                    prop:value=to_text
                    on:change:target=move |event| set_to(event.target().value())
                />
            </label>
            <div class="presets">{Vec::from(presets)}</div>
            <p class="field-problem" id="range-problem" role="status">{move || problem.get()}</p>
        </fieldset>
    }
    .whole()
}

/// The known time as a field with presets.
#[component]
pub fn KnownControls(
    /// Its name, such as `Known`.
    name: &'static str,
    /// Name of the field for tests.
    testid: &'static str,
    known: Memo<Known>,
    /// The moment *now* is, in microseconds.
    now: Memo<i64>,
    set: Callback<Known>,
) -> impl IntoView {
    let problem = RwSignal::new(String::new());
    let text = move || known.get().instant().map_or_else(|| "now".to_owned(), time::field_text);
    let typed = move |text: String| match Known::parse(Some(&text)) {
        Ok(Known::At(micros)) if micros > now.get_untracked() => {
            problem.set(format!("{} has not come yet", time::moment_text(micros)));
        }
        Ok(known) => {
            problem.set(String::new());
            set.run(known);
        }
        Err(reason) => problem.set(reason),
    };
    let choose = move |known: Known| {
        problem.set(String::new());
        set.run(known);
    };
    let presets = KNOWN_PRESETS.map(|(word, days)| {
        let before =
            move || now.get_untracked().div_euclid(time::SECOND_MICROS) * time::SECOND_MICROS - days * DAY_MICROS;
        view! {
            <button type="button" on:click=move |_| choose(Known::At(before()))>
                {word}
            </button>
        }
        .whole()
    });
    let is_now = move || if known.get() == Known::Now { "true" } else { "false" };
    let hint = format!("{testid}-problem");
    let described_by = hint.clone();
    view! {
        <fieldset class="controls known">
            <legend>
                <span aria-hidden="true">"↕ "</span>
                {name}
            </legend>
            <label>
                "As of, UTC"
                <input
                    type="text"
                    inputmode="text"
                    autocomplete="off"
                    spellcheck="false"
                    data-testid=testid
                    aria-describedby=described_by
                    aria-invalid=move || problem.with(|problem| (!problem.is_empty()).then_some("true"))
                    value=untrack(text)
                    prop:value=text
                    on:change:target=move |event| typed(event.target().value())
                />
            </label>
            <div class="presets">
                <button type="button" aria-pressed=is_now on:click=move |_| choose(Known::Now)>
                    "Now"
                </button>
                {Vec::from(presets)}
            </div>
            <p class="field-problem" id=hint role="status">{move || problem.get()}</p>
        </fieldset>
    }
    .whole()
}

/// The known time as a slider that stands upright: its foot is the first commit, its top is now. Arrows move by the hour,
/// with Shift by ten; End returns to now.
#[component]
pub fn KnownSlider(
    /// The first moment anything was known, in microseconds; `None` while nothing is.
    first: Memo<Option<i64>>,
    known: Memo<Known>,
    now: Memo<i64>,
    set: Callback<(Known, Gesture)>,
) -> impl IntoView {
    let foot = Memo::new(move |_| first.get().map(|first| (first.div_euclid(HOUR_MICROS) + 1) * HOUR_MICROS));
    let top = Memo::new(move |_| foot.get().map_or(1, |foot| ((now.get() - foot).max(0) / HOUR_MICROS) + 1));
    let place = move || match (known.get().instant(), foot.get()) {
        (Some(micros), Some(foot)) => ((micros - foot) / HOUR_MICROS).clamp(0, top.get()),
        _ => top.get(),
    };
    let at = move |hours: i64| match foot.get_untracked() {
        Some(foot) if hours < top.get_untracked() => Known::At(foot + hours * HOUR_MICROS),
        _ => Known::Now,
    };
    let moving = StoredValue::new(false);
    let slide = move |text: String| {
        let Ok(hours) = text.parse::<i64>() else { return };
        let gesture = if moving.get_value() { Gesture::Moving } else { Gesture::Choice };
        moving.set_value(true);
        set.run((at(hours), gesture));
    };
    let key = move |event: KeyboardEvent| {
        let step = match event.key().as_str() {
            "ArrowUp" | "ArrowRight" => LONG_STEP_HOURS,
            "ArrowDown" | "ArrowLeft" => -LONG_STEP_HOURS,
            _ => return,
        };
        let input = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
        let hours = input.and_then(|input| input.value().parse::<i64>().ok());
        if let Some(hours) = hours.filter(|_| event.shift_key()) {
            event.prevent_default();
            set.run((at((hours + step).clamp(0, top.get_untracked())), Gesture::Choice));
        }
    };
    let foot_text = move || first.get().map(|first| time::day_text(time::day_of(first))).unwrap_or_default();
    view! {
        <div class="known-rail">
            <p class="rail-end" aria-hidden="true">"now"</p>
            <input
                type="range"
                class="known-slider"
                data-testid="known-slider"
                aria-label="Known as of"
                aria-orientation="vertical"
                aria-valuetext=move || known.get().text()
                min="0"
                max=move || top.get().to_string()
                step="1"
                disabled=move || first.get().is_none()
                value=untrack(place).to_string()
                prop:value=move || place().to_string()
                on:input:target=move |event| slide(event.target().value())
                on:change=move |_| moving.set_value(false)
                on:keydown=key
            />
            <p class="rail-end" aria-hidden="true">{foot_text}</p>
            <p class="rail-name" aria-hidden="true">"↕ known"</p>
        </div>
    }
    .whole()
}
