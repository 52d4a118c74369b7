//! Drafts, which the browser keeps while somebody edits, and publishing what was edited.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};

use super::{conflict::Conflict, state::Editing};
use crate::{
    browser,
    dashboards::Dashboard,
    editor::Draft,
    pages::author::author,
    tasks::publishing::{Over, Publication, Published, publish, published},
    words::ended,
};

/// A draft is kept once nobody has changed anything for so long.
const KEEP_AFTER: Duration = Duration::from_millis(200);
/// And not later than so many changes after the last time.
const CHANGES_UNKEPT_MOST: u32 = 20;

/// How publishing stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stand {
    /// Nothing was published yet.
    Idle,
    /// Under way.
    Sending,
    /// Published.
    Done,
    /// Refused or not arrived, and why.
    Failed(String),
}

/// Keeps what is edited as a draft, until it is what is published.
pub(super) fn keep_drafts(editing: Editing) {
    let changes = StoredValue::new(0_u32);
    Effect::new(move |before: Option<()>| {
        editing.document.track();
        if before.is_none() {
            return;
        }
        changes.update_value(|changes| *changes += 1);
        let this = changes.get_value();
        if this.is_multiple_of(CHANGES_UNKEPT_MOST) {
            return keep(editing);
        }
        let later = move || {
            if changes.try_get_value() == Some(this) {
                keep(editing);
            }
        };
        set_timeout(later, KEEP_AFTER);
    });
    // Whoever leaves right after a letter has typed it all the same.
    on_cleanup(move || keep(editing));
    Effect::new(move |_| {
        let leaving = window_event_listener_untyped("pagehide", move |_| keep(editing));
        on_cleanup(move || leaving.remove());
    });
}

fn keep(editing: Editing) {
    let Some(dashboard) = editing.document.try_with_untracked(crate::editor::Document::dashboard) else { return };
    let Some(storage) = editing.storage.try_get_value() else { return };
    let Some(base) = editing.published.try_get_untracked() else { return };
    if base.as_ref().is_some_and(|base| base.dashboard == dashboard) {
        return browser::forget(&storage);
    }
    let (base, version) = base.map_or((None, None), |base| (Some(base.dashboard), base.version));
    let draft = Draft { dashboard, base, version, kept_at: browser::now_micros() };
    if !browser::keep(&storage, &draft.text()) {
        let refused = "This browser keeps no draft of it: publish before you leave.";
        editing.said.try_maybe_update(|said| {
            let new = said.as_str() != refused;
            if new {
                refused.clone_into(said);
            }
            (new, ())
        });
    }
}

/// Why a dashboard cannot be published yet.
pub(super) fn missing(dashboard: &Dashboard) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match () {
        () if dashboard.title.trim().is_empty() => Some("Give the dashboard a title first."),
        () if dashboard.name.is_empty() => {
            Some("Give the dashboard a name for its address first: a to z, 0 to 9 and -.")
        }
        () if !dashboard.name.chars().all(plain) => {
            Some("The name in the address is made of a to z, 0 to 9 and - alone.")
        }
        () if dashboard.name == "new" => Some("'new' is the address of new dashboards; choose another name."),
        () if dashboard.tiles.is_empty() => Some("Add a tile first."),
        () => None,
    }
}

/// Publishes over the version that editing began with; `anything` publishes over whatever there is.
pub(super) fn send(editing: Editing, stand: RwSignal<Stand>, conflict: RwSignal<Option<Conflict>>, anything: bool) {
    let dashboard = editing.document.with_untracked(crate::editor::Document::dashboard);
    if let Some(missing) = missing(&dashboard) {
        return stand.set(Stand::Failed(missing.to_owned()));
    }
    stand.set(Stand::Sending);
    editing.settle();
    let (author, storage) = (author(), editing.storage.get_value());
    spawn_local(async move {
        let base = editing.published.try_get_untracked().flatten();
        let version = base.as_ref().and_then(|base| base.version.clone());
        let over = match &version {
            _ if anything => Over::Anything,
            Some(version) => Over::Version(version),
            // What comes with the server has no version, and is published over as nothing is.
            None => Over::Nothing,
        };
        match publish(&dashboard, over, &author).await {
            Ok(Publication::Done(version)) => done(editing, stand, &storage, Published { dashboard, version }),
            Ok(Publication::Conflict) => {
                let theirs = published(&dashboard.name).await;
                if base.is_none() && matches!(theirs, Ok(Some(_))) {
                    let taken = format!(
                        "There is a dashboard '{}' already; choose another name in the address.",
                        dashboard.name
                    );
                    stand.try_set(Stand::Failed(taken));
                    return;
                }
                // With what was typed while it was under way.
                let mine = editing.document.try_with_untracked(crate::editor::Document::dashboard).unwrap_or(dashboard);
                let found = theirs.map(|theirs| Conflict::new(base.map(|base| base.dashboard), mine, theirs));
                match found {
                    Ok(found) => {
                        stand.try_set(Stand::Idle);
                        conflict.try_set(Some(found));
                    }
                    Err(reason) => {
                        stand.try_set(Stand::Failed(format!(
                            "Somebody else has published, and that could not be read: {reason}."
                        )));
                    }
                }
            }
            Err(reason) => {
                let kept = "What you have made is kept in this browser.";
                let said = ended(format!("It could not be published: {reason}"));
                stand.try_set(Stand::Failed(format!("{said} {kept}")));
            }
        }
    });
}

/// `storage` is the name that the draft had.
fn done(editing: Editing, stand: RwSignal<Stand>, storage: &str, published: Published) {
    browser::forget(storage);
    // None where the editor was left meanwhile: another page is shown, with a draft of its own.
    let Some(before) = editing.name.try_get_value() else { return };
    if before.is_none() {
        editing.storage.try_set_value(Draft::storage_name(Some(&published.dashboard.name), 1));
    }
    editing.name.try_set_value(Some(published.dashboard.name.clone()));
    editing.named.try_set(true);
    editing.restored.try_set(None);
    let name = published.dashboard.name.clone();
    editing.published.try_set(Some(published));
    stand.try_set(Stand::Done);
    editing.said.try_set("Published".to_owned());
    // What was typed while it was under way.
    keep(editing);
    if before.is_none() {
        editing.go.try_with_value(|go| go(&format!("/dashboards/{name}/edit")));
    }
}
