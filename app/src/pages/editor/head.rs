//! Above the grid: what the dashboard is called, steps back and forth, a tile more, publishing.

use leptos::prelude::*;

use super::{
    conflict,
    fields::{button, text},
    publishing::{Stand, send},
    state::Editing,
};
use crate::{
    browser,
    components::whole::{Whole, WholeView, changing},
    dashboards::Dashboard,
    editor::Command,
    pages::author::AuthorField,
};

pub(super) fn head(editing: Editing) -> WholeView {
    let (stand, conflict) = (RwSignal::new(Stand::Idle), RwSignal::new(None));
    // Whoever goes on editing has something that is not published, and may have mended what was wrong.
    Effect::new(move |before: Option<()>| {
        editing.document.track();
        if before.is_some() && stand.with_untracked(|stand| matches!(stand, Stand::Done | Stand::Failed(_))) {
            stand.set(Stand::Idle);
        }
    });
    let part =
        move |of: fn(&Dashboard) -> &String| move || editing.document.with(|document| of(document.head()).clone());
    let is_new = Memo::new(move |_| editing.published.with(Option::is_none));
    let name = move || {
        is_new.get().then(|| {
            text(
                "Name in the address",
                "dashboard-name",
                part(|head| &head.name),
                move |name| {
                    editing.named.set(!name.is_empty());
                    editing.describe("name", |head| head.name = name);
                },
                move || editing.settle(),
            )
        })
    };
    let describe = move |description: String| editing.describe("description", |head| head.description = description);
    view! {
        {draft_notice(editing)}
        <div class="editor-head">
            {text("Title", "dashboard-title", part(|head| &head.title), move |title| editing.title(title), move || editing.settle())}
            {changing(name)}
            {text("What it is for", "dashboard-description", part(|head| &head.description), describe, move || editing.settle())}
            <div class="editor-tools-row">
                {step(editing, false)}
                {step(editing, true)}
                {button("Add a tile", "add-tile", move || {
                    editing.add_tile(None);
                    browser::focus(super::panel::HEADING);
                })}
                {button("Add words", "add-words", move || {
                    editing.add_words();
                    browser::focus(super::panel::HEADING);
                })}
                {button("Dashboard", "settings", move || {
                    editing.selected.set(None);
                    browser::focus(super::panel::HEADING);
                })}
                <AuthorField />
                {publish_button(editing, stand, conflict)}
                {stands(editing, stand)}
            </div>
        </div>
        {conflict::dialog(editing, stand, conflict)}
    }
    .whole()
}

fn step(editing: Editing, forth: bool) -> WholeView {
    let what = move || {
        editing.document.with(|document| if forth { document.redoes() } else { document.undoes() }.map(str::to_owned))
    };
    let (word, testid, key) = if forth { ("Redo", "redo", "Control+Shift+Z") } else { ("Undo", "undo", "Control+Z") };
    view! {
        <button
            type="button"
            data-testid=testid
            aria-keyshortcuts=key
            disabled=move || what().is_none()
            title=move || what().map(|what| format!("{word}: {what}"))
            on:click=move |_| editing.step(forth)
        >
            {word}
        </button>
    }
    .whole()
}

fn publish_button(
    editing: Editing,
    stand: RwSignal<Stand>,
    conflict: RwSignal<Option<conflict::Conflict>>,
) -> WholeView {
    view! {
        <button
            type="button"
            class="primary"
            data-testid="publish"
            aria-disabled=move || stand.with(|stand| *stand == Stand::Sending).then_some("true")
            on:click=move |_| {
                if stand.with_untracked(|stand| *stand != Stand::Sending) {
                    send(editing, stand, conflict, false);
                }
            }
        >
            "Publish"
        </button>
    }
    .whole()
}

/// How publishing stands, and whether there is anything to publish.
fn stands(editing: Editing, stand: RwSignal<Stand>) -> WholeView {
    let unpublished = Memo::new(move |_| {
        let dashboard = editing.document.with(crate::editor::Document::dashboard);
        editing.published.with(|published| published.as_ref().is_none_or(|published| published.dashboard != dashboard))
    });
    let word = move || match stand.get() {
        Stand::Sending => "Publishing".to_owned(),
        Stand::Failed(reason) => reason,
        Stand::Done => "Published.".to_owned(),
        Stand::Idle if unpublished.get() => "Draft, not published yet.".to_owned(),
        Stand::Idle => "Published.".to_owned(),
    };
    let failed = move || stand.with(|stand| matches!(stand, Stand::Failed(_))).then_some("true");
    let link = move || {
        let published = editing.published.get()?;
        let href = format!("/dashboards/{}", published.dashboard.name);
        Some(view! { <a href=href rel="external" data-testid="open-dashboard">"Open the dashboard"</a> }.whole())
    };
    view! {
        <p class="editor-stand" role="status" data-testid="publish-state" data-failed=failed>{word}</p>
        {changing(link)}
    }
    .whole()
}

/// That this went on with a draft, and the way back.
fn draft_notice(editing: Editing) -> WholeView {
    let notice = move || {
        let when = editing.restored.get()?;
        let back = move |_| {
            editing.restored.set(None);
            let now = editing.read.get_value();
            let dashboard = now.as_ref().map_or_else(Dashboard::empty, |now| now.dashboard.clone());
            editing.published.set(now);
            editing.apply(Command::Replace(Box::new(dashboard), "Returned to what is published".to_owned()));
            browser::focus(super::panel::HEADING);
        };
        let keep = move |_| {
            editing.restored.set(None);
            browser::focus(super::panel::HEADING);
        };
        Some(
            view! {
                <div class="notice" role="status" data-testid="draft-notice">
                    <p>{format!("You go on with the draft of {when}, which was not published.")}</p>
                    <p class="field-row">
                        <button type="button" data-testid="draft-keep" on:click=keep>
                            "Go on with it"
                        </button>
                        <button type="button" data-testid="draft-discard" on:click=back>
                            "Return to what is published"
                        </button>
                    </p>
                </div>
            }
            .whole(),
        )
    };
    changing(notice).whole()
}
