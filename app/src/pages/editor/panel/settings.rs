//! The dashboard itself, shown while no tile is chosen: where it is listed, its tabs, sections and variables, and what is noted
//! on its charts.

use leptos::prelude::*;

use super::{places, variables};
use crate::{
    components::whole::{Whole, WholeView, changing},
    pages::editor::{fields::text, state::Editing},
};

pub(super) fn form(editing: Editing) -> WholeView {
    // As it is typed, so that a comma at the end stays there.
    let typed = RwSignal::new(editing.document.with_untracked(|document| document.head().tags.join(", ")));
    Effect::new(move |_| {
        let now = editing.document.with(|document| document.head().tags.clone());
        if tags_of(&typed.get_untracked()) != now {
            typed.set(now.join(", "));
        }
    });
    let tag = move |text: String| {
        typed.set(text.clone());
        editing.describe("tags", |head| head.tags = tags_of(&text));
    };
    view! {
        <p class="quiet">"Choose a tile to change what it asks and how it looks, or add one."</p>
        <fieldset class="field-group">
            <legend>"Where it is listed"</legend>
            {text(
                "Folder, such as risk/credit",
                "folder",
                move || editing.document.with(|document| document.head().folder.clone()),
                move |folder| editing.describe("folder", |head| head.folder = folder),
                move || editing.settle(),
            )}
            {problems(editing, |path| path == "folder")}
            {text("Words it is found by, with commas between", "tags", move || typed.get(), tag, move || editing.settle())}
        </fieldset>
        {variables::list(editing)}
        {places::tabs(editing)}
        {places::sections(editing)}
        {notes(editing)}
    }
    .whole()
}

fn tags_of(typed: &str) -> Vec<String> {
    typed.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// What is noted on charts that run over time.
fn notes(editing: Editing) -> WholeView {
    let current = move || editing.document.with(|document| document.head().notes.clone()).unwrap_or_default();
    let typed = move |sql: String| {
        editing.describe("notes", |head| head.notes = Some(sql).filter(|sql| !sql.trim().is_empty()));
    };
    view! {
        <fieldset class="field-group">
            <legend>"Notes on charts"</legend>
            <label class="field">
                <span class="field-name">"SQL that gives instants in at and words in note"</span>
                <textarea
                    class="statement"
                    rows="3"
                    spellcheck="false"
                    autocomplete="off"
                    data-testid="notes"
                    prop:value=current
                    on:input:target=move |event| typed(event.target().value())
                    on:blur=move |_| editing.settle()
                ></textarea>
            </label>
        </fieldset>
    }
    .whole()
}

/// What is wrong with members of the dashboard at these paths, below their fields.
pub(super) fn problems(editing: Editing, at: impl Fn(&str) -> bool + Send + Sync + 'static) -> WholeView {
    problems_of(editing, Box::new(at))
}

fn problems_of(editing: Editing, at: Box<dyn Fn(&str) -> bool + Send + Sync>) -> WholeView {
    let reasons = Memo::new(move |_| {
        editing.problems.with(|found| {
            let here = found.iter().filter(|problem| at(&problem.path));
            here.map(|problem| problem.reason.clone()).collect::<Vec<_>>()
        })
    });
    let line = |reason: String| {
        // A sentence of its own, whose subject is the field above.
        view! { <p class="field-problem" role="status">{format!("It {reason}.")}</p> }
    };
    changing(move || reasons.get().into_iter().map(line).collect_view()).whole()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart_by_commas() {
        assert_eq!(tags_of(" bonds, risk ,,"), ["bonds", "risk"]);
        assert!(tags_of(" , ").is_empty());
    }
}
