//! Drafts, which the browser keeps while somebody edits, and publishing what was edited.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};

use super::{conflict::Conflict, state::Editing};
use crate::{
    browser,
    dashboards::Dashboard,
    editor::Draft,
    tasks::publishing::{Over, Publication, Published, publish, published},
};

/// A draft is kept once nobody has changed anything for so long.
const KEEP_AFTER: Duration = Duration::from_millis(200);

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
        let later = move || {
            if changes.try_get_value() == Some(this) {
                keep(editing);
            }
        };
        set_timeout(later, KEEP_AFTER);
    });
}

fn keep(editing: Editing) {
    let Some(dashboard) = editing.document.try_with_untracked(crate::editor::Document::dashboard) else { return };
    let name = editing.name.get_value();
    let base = editing.published.get_untracked();
    let storage = Draft::storage_name(name.as_deref());
    if base.as_ref().is_some_and(|base| base.dashboard == dashboard) {
        return browser::forget(&storage);
    }
    let (base, version) = base.map_or((None, None), |base| (Some(base.dashboard), base.version));
    let draft = Draft { dashboard, base, version, kept_at: browser::now_micros() };
    browser::keep(&storage, &draft.text());
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
    spawn_local(async move {
        let base = editing.published.try_get_untracked().flatten();
        let version = base.as_ref().and_then(|base| base.version.clone());
        let over = match &version {
            _ if anything => Over::Anything,
            Some(version) => Over::Version(version),
            // What comes with the server has no version, and is published over as nothing is.
            None => Over::Nothing,
        };
        match publish(&dashboard, over).await {
            Ok(Publication::Done(version)) => done(editing, stand, Published { dashboard, version }),
            Ok(Publication::Conflict) => {
                let theirs = published(&dashboard.name).await;
                let found = theirs.map(|theirs| Conflict::new(base.map(|base| base.dashboard), dashboard, theirs));
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
                stand.try_set(Stand::Failed(format!(
                    "It could not be published: {}. {kept}",
                    reason.trim_end_matches('.')
                )));
            }
        }
    });
}

fn done(editing: Editing, stand: RwSignal<Stand>, published: Published) {
    let was_new = editing.name.try_get_value().flatten().is_none();
    browser::forget(&Draft::storage_name(editing.name.try_get_value().flatten().as_deref()));
    editing.name.try_set_value(Some(published.dashboard.name.clone()));
    editing.named.try_set(true);
    editing.restored.try_set(None);
    let name = published.dashboard.name.clone();
    editing.published.try_set(Some(published));
    stand.try_set(Stand::Done);
    editing.said.try_set("Published".to_owned());
    if was_new {
        // The page stays as it is; only its address becomes that of the dashboard.
        browser::replace_address(&format!("/dashboards/{name}/edit"));
    }
    // What was typed while it was under way.
    keep(editing);
}
