//! Somebody else has published meanwhile: what each changed, and whose is taken where both did.

use std::collections::BTreeMap;

use leptos::prelude::*;

use super::{
    publishing::{Stand, send},
    state::Editing,
};
use crate::{
    components::{
        dialog::Dialog,
        whole::{Whole, WholeView, changing},
    },
    dashboards::Dashboard,
    editor::{Change, Command, Side, changes, merged, with_own_ids},
    tasks::publishing::Published,
};

/// Two people's changes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conflict {
    base: Dashboard,
    mine: Dashboard,
    /// None where it was deleted.
    theirs: Option<Published>,
}

impl Conflict {
    /// `base` is what editing began with; of a new dashboard what is there already stands for it.
    pub(super) fn new(base: Option<Dashboard>, mine: Dashboard, theirs: Option<Published>) -> Conflict {
        let base = base.unwrap_or_else(|| Dashboard { name: mine.name.clone(), ..Dashboard::empty() });
        let mine = match &theirs {
            Some(theirs) => with_own_ids(mine, &base, &theirs.dashboard),
            None => mine,
        };
        Conflict { base, mine, theirs }
    }
}

/// The dialog; closed while there is no conflict.
pub(super) fn dialog(editing: Editing, stand: RwSignal<Stand>, conflict: RwSignal<Option<Conflict>>) -> WholeView {
    let open = RwSignal::new(false);
    Effect::new(move |_| open.set(conflict.with(Option::is_some)));
    Effect::new(move |_| {
        if !open.get() && conflict.with_untracked(Option::is_some) {
            conflict.set(None);
        }
    });
    let content = move || conflict.get().map(|found| content(editing, stand, conflict, found));
    view! {
        <Dialog class="conflict" label="Somebody else has published" testid="conflict" open>
            {changing(content)}
        </Dialog>
    }
    .whole()
}

fn content(
    editing: Editing,
    stand: RwSignal<Stand>,
    conflict: RwSignal<Option<Conflict>>,
    found: Conflict,
) -> WholeView {
    let close = move |_| conflict.set(None);
    let overwrite = move |_| {
        conflict.set(None);
        send(editing, stand, conflict, true);
    };
    let Some(theirs) = found.theirs.clone() else {
        return view! {
            <h2>"This dashboard was deleted"</h2>
            <p>"Somebody has deleted it since you began. What you have made is kept here."</p>
            <p class="field-row">
                <button type="button" data-testid="conflict-overwrite" on:click=overwrite>
                    "Publish it again"
                </button>
                <button type="button" on:click=close>
                    "Go on editing"
                </button>
            </p>
        }
        .whole();
    };
    let all = changes(&found.base, &found.mine, &theirs.dashboard);
    let choices = RwSignal::new(BTreeMap::<usize, Side>::new());
    let problem = RwSignal::new(String::new());
    let rows = all.iter().enumerate().map(|(place, change)| row(place, change, choices)).collect_view();
    let merge = move |_| match merged(&found.base, &found.mine, &theirs.dashboard, &choices.get_untracked()) {
        Ok(together) => {
            editing.published.set(Some(theirs.clone()));
            editing
                .apply(Command::Replace(Box::new(together), "Merged with what somebody else has published".to_owned()));
            conflict.set(None);
            send(editing, stand, conflict, false);
        }
        Err(reason) => problem.set(reason),
    };
    view! {
        <h2>"Somebody else has published meanwhile"</h2>
        <p>
            "Changes of different parts go together by themselves. Where both of you have changed the same, choose whose is taken."
        </p>
        <div class="table-box" tabindex="0" role="region" aria-label="What was changed">
            <table data-testid="conflict-changes">
                <thead>
                    <tr>
                        <th scope="col">"Part"</th>
                        <th scope="col">"Yours"</th>
                        <th scope="col">"Theirs"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <p class="field-problem" role="status">{changing(move || problem.get())}</p>
        <p class="field-row">
            <button type="button" class="primary" data-testid="conflict-merge" on:click=merge>
                "Merge and publish"
            </button>
            <button type="button" data-testid="conflict-overwrite" on:click=overwrite>
                "Overwrite with yours"
            </button>
            <button type="button" on:click=close>
                "Go on editing"
            </button>
        </p>
    }
    .whole()
}

fn row(place: usize, change: &Change, choices: RwSignal<BTreeMap<usize, Side>>) -> WholeView {
    let usual = change.usual();
    let name = format!("conflict-{place}");
    let part = change.place();
    let cell = |side: Side, word: &'static str| {
        let (text, changed) =
            (change.text(side), if side == Side::Mine { &change.mine } else { &change.theirs } != &change.base);
        let chosen = move || choices.with(|choices| choices.get(&place).copied().unwrap_or(usual) == side);
        let choose = move |_| {
            choices.update(|choices| {
                choices.insert(place, side);
            });
        };
        let label = format!("{part}: {word}");
        let shown = if changed { text } else { format!("{text} (as before)") };
        view! {
            <td>
                <label class="field-check">
                    <input
                        type="radio"
                        name=name.clone()
                        aria-label=label
                        data-testid=format!("{name}-{word}")
                        prop:checked=chosen
                        on:change=choose
                    />
                    <span class="conflict-text">{shown}</span>
                </label>
            </td>
        }
        .whole()
    };
    let cells = [cell(Side::Mine, "yours"), cell(Side::Theirs, "theirs")];
    let conflicts = change.conflicts().then_some("true");
    view! {
        <tr data-conflict=conflicts>
            <th scope="row">{part}</th>
            {Vec::from(cells)}
        </tr>
    }
    .whole()
}
