//! Storing a definition: who does it and why, and what keeps it from being stored.

use leptos::{prelude::*, task::spawn_local};

use super::{Defining, VERSION};
use crate::{
    browser,
    components::whole::{Whole, WholeView, changing},
    dashboards::semantics::Semantics,
    pages::{
        author::{AuthorField, author},
        editor::fields::{button, text},
    },
    state::address::{Address, Step},
    tasks::semantics::{Mistake, Reason, Refused, Stored, delete, store, stored},
    words::ended,
};

/// How storing stands.
#[derive(Debug, Clone, PartialEq)]
enum Stand {
    /// Nothing was sent yet.
    Idle,
    /// Under way.
    Sending,
    /// Somebody else has stored one meanwhile, or deleted it.
    Conflict { deleted: bool },
    /// Refused or not arrived, and why.
    Failed(String),
}

pub(super) fn form(defining: Defining, address: Address) -> WholeView {
    let (stand, note) = (RwSignal::new(Stand::Idle), RwSignal::new(String::new()));
    let told = defining.told;
    // Whoever goes on has something else to store.
    Effect::new(move |before: Option<()>| {
        defining.now.track();
        if before.is_some() && stand.with_untracked(|stand| *stand != Stand::Sending) {
            stand.set(Stand::Idle);
            told.set(None);
        }
    });
    let unsaved = Memo::new(move |_| defining.is_unsaved());
    let is_stored = Memo::new(move |_| defining.stored.with(|stored| stored.version.is_some()));
    let word = move || match stand.get() {
        Stand::Sending => "Storing".to_owned(),
        Stand::Conflict { deleted: false } => {
            "Somebody else has stored a definition meanwhile. Yours is still here.".to_owned()
        }
        Stand::Conflict { deleted: true } => "Somebody else has deleted it meanwhile. Yours is still here.".to_owned(),
        Stand::Failed(reason) => format!("{} What you have typed is kept in this browser.", ended(reason)),
        Stand::Idle if told.get().is_some() => told.get().unwrap_or_default().to_owned(),
        Stand::Idle if unsaved.get() => "Not stored yet.".to_owned(),
        Stand::Idle if is_stored.get() => "Stored.".to_owned(),
        Stand::Idle => "Nothing is stored yet.".to_owned(),
    };
    let failed =
        move || stand.with(|stand| matches!(stand, Stand::Failed(_) | Stand::Conflict { .. })).then_some("true");
    let over = move || {
        let Stand::Conflict { deleted } = stand.get() else { return ().whole() };
        let theirs = (!deleted).then(|| {
            button("Take theirs", "semantics-theirs", move || {
                read_theirs(defining, stand, move |theirs| defining.take(theirs));
            })
        });
        let word = if deleted { "Store mine again" } else { "Store mine over theirs" };
        let mine = button(word, "semantics-over", move || over_theirs(defining, stand, note, address));
        view! { {theirs} {mine} }.whole()
    };
    let delete = move || {
        is_stored
            .get()
            .then(|| button("Delete the definition", "semantics-delete", move || delete_it(defining, stand, note)))
    };
    view! {
        <form
            class="semantics-store"
            on:submit=move |event| {
                event.prevent_default();
                if stand.with_untracked(|stand| *stand != Stand::Sending) {
                    send(defining, stand, note, address);
                }
            }
        >
            <AuthorField />
            {text("Why", "semantics-note", move || note.get(), move |why| note.set(why), || ())}
            <button type="submit" class="primary" data-testid="semantics-store">
                "Store"
            </button>
            {changing(over)}
            {changing(delete)}
            <p class="editor-stand" role="status" data-testid="semantics-state" data-failed=failed>{word}</p>
            {defining.mistakes_at(is_elsewhere)}
        </form>
    }
    .whole()
}

/// Whether a mistake is told below no field.
fn is_elsewhere(path: &str) -> bool {
    !["measures", "dimensions", "hierarchies"].iter().any(|list| path.starts_with(list))
}

fn send(defining: Defining, stand: RwSignal<Stand>, note: RwSignal<String>, address: Address) {
    stand.set(Stand::Sending);
    let semantics = defining.now.get_untracked();
    let version = defining.stored.with_untracked(|stored| stored.version.clone());
    let (author, why, storage) = (author(), note.get_untracked(), defining.storage.get_value());
    spawn_local(async move {
        let sent = store(&semantics, version.as_deref(), Reason { author: &author, note: &why }).await;
        match sent {
            Ok(version) => {
                browser::forget(&storage);
                // None where the page was left meanwhile.
                if defining.stored.try_set(Stored { semantics, version }).is_none() {
                    let typed_meanwhile = untrack(|| defining.is_unsaved());
                    done(defining, stand);
                    note.set(String::new());
                    if !typed_meanwhile {
                        defining.told.set(Some("Stored."));
                        address.set(vec![(VERSION, None)], Step::Replace);
                    }
                }
            }
            Err(refused) => fail(defining, stand, refused).await,
        }
    });
}

/// What there is to do once something was stored or deleted.
fn done(defining: Defining, stand: RwSignal<Stand>) {
    stand.set(Stand::Idle);
    defining.goes_on.set(false);
    defining.changed.update(|changed| *changed += 1);
    // With what was typed while it was under way.
    defining.keep();
}

async fn fail(defining: Defining, stand: RwSignal<Stand>, refused: Refused) {
    let next = match refused {
        Refused::Conflict => {
            let Some(dataset) = defining.dataset.try_with_value(|dataset| dataset.name.clone()) else { return };
            match stored(&dataset, None).await {
                Ok(theirs) => Stand::Conflict { deleted: theirs.version.is_none() },
                Err(reason) => Stand::Failed(reason),
            }
        }
        Refused::Other(reason) => Stand::Failed(reason),
        Refused::Mistakes(mistakes) => {
            let count = mistakes.len();
            let reason = first_words(&mistakes);
            defining.mistakes.try_set(mistakes);
            Stand::Failed(match count {
                1 => format!("It could not be stored: {reason}"),
                count => format!("It could not be stored. {count} things are not right; the first: {reason}"),
            })
        }
    };
    stand.try_set(next);
}

fn first_words(mistakes: &[Mistake]) -> String {
    mistakes.first().map(|mistake| format!("{} {}", mistake.path, mistake.reason)).unwrap_or_default()
}

fn over_theirs(defining: Defining, stand: RwSignal<Stand>, note: RwSignal<String>, address: Address) {
    read_theirs(defining, stand, move |theirs| {
        // None where the page was left meanwhile.
        if defining.stored.try_set(theirs).is_none() {
            send(defining, stand, note, address);
        }
    });
}

fn read_theirs(defining: Defining, stand: RwSignal<Stand>, go_on: impl FnOnce(Stored) + 'static) {
    let dataset = defining.dataset.with_value(|dataset| dataset.name.clone());
    spawn_local(async move {
        match stored(&dataset, None).await {
            Ok(theirs) => go_on(theirs),
            Err(reason) => drop(stand.try_set(Stand::Failed(reason))),
        }
    });
}

fn delete_it(defining: Defining, stand: RwSignal<Stand>, note: RwSignal<String>) {
    if stand.with_untracked(|stand| *stand == Stand::Sending) {
        return;
    }
    stand.set(Stand::Sending);
    let (dataset, version) =
        (defining.dataset.with_value(|it| it.name.clone()), defining.stored.with_untracked(|it| it.version.clone()));
    let (author, why) = (author(), note.get_untracked());
    spawn_local(async move {
        match delete(&dataset, version.as_deref(), Reason { author: &author, note: &why }).await {
            Ok(()) => {
                let none = Stored { semantics: Semantics::none(&dataset), version: None };
                if defining.stored.try_set(none).is_none() {
                    done(defining, stand);
                    defining.told.set(Some("Deleted. What it said is still here, and its versions are kept."));
                }
            }
            Err(refused) => fail(defining, stand, refused).await,
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_told_below_its_field_or_at_the_end() {
        assert!(is_elsewhere("") && is_elsewhere("dataset"));
        assert!(!is_elsewhere("measures[0].formula") && !is_elsewhere("hierarchies"));
    }
}
