//! The measures of a definition: name, formula, unit and how values are written.

use leptos::prelude::*;

use super::{Defining, Listed};
use crate::{
    browser,
    charts::ValueFormat,
    components::whole::{Whole, WholeView},
    dashboards::semantics::DefinedMeasure,
    pages::editor::fields::{check, remove, text, value_format},
    words::numbered,
};

/// Id of the heading, which takes the focus when a measure is taken away.
const HEADING: &str = "semantics-measures";

/// A measure of the form.
#[derive(Clone, Copy)]
struct Row {
    defining: Defining,
    index: usize,
}

impl Row {
    /// A text of it; tracked.
    fn read(self, part: fn(&DefinedMeasure) -> &String) -> impl Fn() -> String + Copy + Send + Sync + 'static {
        move || {
            self.defining
                .of(|now| now.measures.get(self.index).map(|measure| part(measure).clone()))
                .unwrap_or_default()
        }
    }

    fn change(self, change: impl FnOnce(&mut DefinedMeasure)) {
        self.defining.change(|now| {
            if let Some(measure) = now.measures.get_mut(self.index) {
                change(measure);
            }
        });
    }

    fn testid(self, member: &str) -> String {
        format!("measure-{}-{member}", self.index)
    }

    /// A field of a text.
    fn field(
        self,
        word: &'static str,
        member: &'static str,
        part: fn(&DefinedMeasure) -> &String,
        part_mut: fn(&mut DefinedMeasure) -> &mut String,
    ) -> WholeView {
        let typed = move |text: String| self.change(|measure| *part_mut(measure) = text);
        text(word, self.testid(member), self.read(part), typed, || ())
    }
}

pub(super) fn list(defining: Defining) -> WholeView {
    let count = Memo::new(move |_| defining.of(|now| now.measures.len()));
    let add = move || {
        defining.change(|now| {
            let is_taken = |name: &str| now.measures.iter().any(|measure| measure.name == name);
            let name = numbered("measure", "_", is_taken);
            let [title, formula, unit, description] = [(); 4].map(|()| String::new());
            let format = ValueFormat::default();
            now.measures.push(DefinedMeasure { name, title, formula, unit, format, additive: false, description });
        });
    };
    let list = Listed {
        heading: HEADING,
        title: "Measures",
        hint: None,
        member: "measures",
        add: ("Add a measure", "add-measure"),
    };
    list.view(defining, count, |defining, index| row(Row { defining, index }), Box::new(add))
}

fn row(row: Row) -> WholeView {
    let Row { defining, index } = row;
    let take_away = move || {
        defining.change(|now| {
            if index < now.measures.len() {
                now.measures.remove(index);
            }
        });
        browser::focus(HEADING);
    };
    let (place, hint) = (format!("measures[{index}]"), format!("measure-{index}-problem"));
    let described_by = hint.clone();
    let formula = row.read(|measure| &measure.formula);
    let format = move || defining.of(|now| now.measures.get(index).map(|measure| measure.format)).unwrap_or_default();
    let additive = move || defining.of(|now| now.measures.get(index).is_some_and(|measure| measure.additive));
    view! {
        <fieldset class="field-group semantics-measure">
            <legend>{move || format!("Measure {}", row.read(|measure| &measure.name)())}</legend>
            <div class="field-row">
                {row.field("Name, as in MEASURE(name)", "name", |it| &it.name, |it| &mut it.name)}
                {row.field("Title", "title", |it| &it.title, |it| &mut it.title)}
                {row.field("Unit", "unit", |it| &it.unit, |it| &mut it.unit)}
                {value_format(row.testid("format"), format, move |format| row.change(|measure| measure.format = format))}
                {remove(format!("measure {}", index + 1), row.testid("remove"), take_away)}
            </div>
            <label class="field">
                <span class="field-name">"Formula: SQL that puts rows together, such as sum(close * volume)"</span>
                <textarea
                    class="statement"
                    rows="2"
                    spellcheck="false"
                    autocomplete="off"
                    autocapitalize="none"
                    data-testid=row.testid("formula")
                    aria-describedby=described_by
                    prop:value=formula
                    on:input:target=move |event| {
                        let formula = event.target().value();
                        row.change(|measure| measure.formula = formula);
                    }
                ></textarea>
            </label>
            <div id=hint>{defining.mistakes_at(move |path| path.starts_with(&place))}</div>
            <div class="field-row">
                {row.field("What it says, in a sentence", "description", |it| &it.description, |it| &mut it.description)}
                {check("Parts add up to the whole", row.testid("additive"), additive, move |additive| {
                    row.change(|measure| measure.additive = additive);
                })}
            </div>
        </fieldset>
    }
    .whole()
}
