//! Fields to type both times into, with presets.

use leptos::prelude::*;

use super::{CompareChoice, EffectiveAxis, Gesture, KnownMark, plane::Plane};
use crate::{
    components::whole::{Whole, WholeView, changing},
    format::time,
    state::coordinates::{Compare, Effective, Known, KnownChoice},
};

/// Effective ranges that are one choice away: as the field reads them, and their words.
const EFFECTIVE_PRESETS: [(&str, &str); 7] = [
    ("7d", "Last 7 days"),
    ("1m", "Last month"),
    ("3m", "Last 3 months"),
    ("1y", "Last year"),
    ("mtd", "Month to date"),
    ("ytd", "Year to date"),
    ("all", "All"),
];
/// Known times that are one choice away: as the field reads them, and their words.
const KNOWN_PRESETS: [(&str, &str); 5] = [
    ("now", "Now"),
    ("-1d", "1 day ago"),
    ("-7d", "1 week ago"),
    ("-1m", "1 month ago"),
    ("first", "As first published"),
];
/// Presets that keep what is shown, and only hold it still.
const DAY: &str = "day";
const RANGE: &str = "range";
const MOMENT: &str = "moment";
const NO_COMPARISON: &str = "none";

type Options = Vec<(&'static str, &'static str)>;

/// A select: what is chosen among options, and what happens on a change.
fn select(
    name: String,
    testid: String,
    options: Options,
    current: impl Fn() -> &'static str + Copy + Send + Sync + 'static,
    change: impl Fn(String) + 'static,
) -> WholeView {
    let option = move |(value, word): (&'static str, &'static str)| {
        view! {
            <option value=value selected=move || current() == value>
                {word}
            </option>
        }
        .whole()
    };
    view! {
        <select
            aria-label=name
            data-testid=testid
            prop:value=current
            on:change:target=move |event| change(event.target().value())
        >
            {options.into_iter().map(option).collect_view()}
        </select>
    }
    .whole()
}

/// A field to type into, with the reason where it could not be read. `typed` chooses, or says why it cannot.
fn field(
    label: (&'static str, &'static str),
    testid: String,
    text: impl Fn() -> String + Copy + Send + Sync + 'static,
    problem: RwSignal<String>,
    typed: impl Fn(String) -> Result<(), String> + 'static,
) -> WholeView {
    let hint = format!("{testid}-problem");
    let described_by = hint.clone();
    view! {
        <label class="time-field">
            <span class="time-name">
                <span aria-hidden="true">{label.0} " "</span>
                {label.1}
            </span>
            <input
                type="text"
                autocomplete="off"
                spellcheck="false"
                data-testid=testid
                aria-describedby=described_by
                aria-invalid=move || problem.with(|problem| (!problem.is_empty()).then_some("true"))
                value=untrack(text)
                prop:value=text
                on:change:target=move |event| problem.set(typed(event.target().value()).err().unwrap_or_default())
            />
        </label>
        <p class="field-problem" id=hint role="status">{changing(move || problem.get())}</p>
    }
    .whole()
}

/// The effective range: a field, and ranges that are one choice away.
#[component]
pub fn EffectiveField(effective: EffectiveAxis, today: Memo<i64>, plane: Memo<Plane>) -> impl IntoView {
    let problem = RwSignal::new(String::new());
    let choice = effective.choice;
    let typed = move |text: String| {
        effective.set.run((Effective::parse_field(&text)?, Gesture::Choice));
        Ok(())
    };
    let current = move || {
        let now = choice.get();
        let preset = EFFECTIVE_PRESETS.iter().find(|(text, _)| Effective::parse_field(text) == Ok(now));
        match (preset, now) {
            (Some((text, _)), _) => *text,
            (_, Effective::On(_)) => DAY,
            _ => RANGE,
        }
    };
    let change = move |value: String| {
        let (from, to) = plane.get_untracked().span(choice.get_untracked().days(today.get_untracked()));
        let chosen = match value.as_str() {
            DAY => Effective::On(to),
            RANGE => Effective::Between { from: Some(from), to: Some(to) },
            text => Effective::parse_field(text).unwrap_or(Effective::USUAL),
        };
        problem.set(String::new());
        effective.set.run((chosen, Gesture::Choice));
    };
    let options = EFFECTIVE_PRESETS.into_iter().chain([(DAY, "One day"), (RANGE, "Chosen days")]).collect();
    view! {
        {field(("↔", "Effective"), format!("{}-field", effective.testid), move || choice.get().field_text(), problem, typed)}
        {select("Effective, presets".to_owned(), format!("{}-preset", effective.testid), options, current, change)}
    }
    .whole()
}

/// The earlier period that the range is compared with, and which days those are.
#[component]
pub fn CompareSelect(compare: CompareChoice) -> impl IntoView {
    let options = vec![
        (NO_COMPARISON, "No comparison"),
        (Compare::Previous.parameter(), "Period before"),
        (Compare::YearBefore.parameter(), "Year before"),
    ];
    let current = move || compare.choice.get().map_or(NO_COMPARISON, Compare::parameter);
    let change = move |value: String| {
        if let Ok(chosen) = Compare::parse(Some(&value)) {
            compare.set.run(chosen);
        }
    };
    let sentence = move || match (compare.choice.get(), compare.compared.get()) {
        (None, _) => String::new(),
        (_, Some(compared)) => format!("compared with {}", compared.days.text()),
        (_, None) => "Nothing lies before all facts. Choose a range with a first day to compare.".to_owned(),
    };
    view! {
        {select("Compared with".to_owned(), format!("{}-select", compare.testid), options, current, change)}
        <p class="time-note" data-testid="compared" role="status">{sentence}</p>
    }
    .whole()
}

/// A known time: a field, and times that are one choice away.
#[component]
pub fn KnownField(
    mark: KnownMark,
    /// The moment *now* is, in microseconds.
    now: Memo<i64>,
) -> impl IntoView {
    let problem = RwSignal::new(String::new());
    let typed = move |text: String| {
        let choice = KnownChoice::parse(Some(&text))?;
        if let KnownChoice::Exactly(Known::At(micros)) = choice
            && micros > now.get_untracked()
        {
            return Err(format!("{} has not come yet", time::moment_text(micros)));
        }
        mark.set.run((choice, Gesture::Choice));
        Ok(())
    };
    let current = move || {
        let choice = mark.choice.get();
        let preset = KNOWN_PRESETS.iter().find(|(text, _)| KnownChoice::parse(Some(text)) == Ok(choice));
        preset.map_or(MOMENT, |(text, _)| *text)
    };
    let change = move |value: String| {
        let chosen = match value.as_str() {
            MOMENT => KnownChoice::Exactly(held(mark.known.get_untracked(), now.get_untracked())),
            text => KnownChoice::parse(Some(text)).unwrap_or(KnownChoice::NOW),
        };
        problem.set(String::new());
        mark.set.run((chosen, Gesture::Choice));
    };
    let options = KNOWN_PRESETS.into_iter().chain([(MOMENT, "Chosen moment")]).collect();
    let testid = |part: &str| format!("{}-{part}", mark.testid);
    view! {
        {field(("↕", mark.name), testid("field"), move || mark.choice.get().field_text(), problem, typed)}
        {select(format!("{}, presets", mark.name), testid("preset"), options, current, change)}
    }
    .whole()
}

/// A known time that stays as it is when the clock moves on: now becomes the last full second.
fn held(known: Known, now: i64) -> Known {
    match known {
        Known::At(micros) => Known::At(micros),
        Known::Now | Known::First => Known::At(now.div_euclid(time::SECOND_MICROS) * time::SECOND_MICROS),
    }
}
