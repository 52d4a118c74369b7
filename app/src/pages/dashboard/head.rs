//! What stands above a dashboard's times: what it is for, where else to go with it, and what can be done with it. A page to read
//! only has no way to change it, and a kiosk none of this.

use leptos::prelude::*;

use super::{times::Times, version::Definition};
use crate::{
    components::{
        chrome::DASHBOARD_LIST,
        whole::{Whole, WholeView, changing},
    },
    pages::duplicate::Original,
    state::mode::PageMode,
};

/// What is known of the page above its tiles.
pub(super) struct Head {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) definition: Definition,
    /// The page's times.
    pub(super) times: Times,
    pub(super) mode: Memo<PageMode>,
    /// Whether its links are shown.
    pub(super) sharing: RwSignal<bool>,
    /// What is being duplicated.
    pub(super) copying: RwSignal<Option<Original>>,
}

impl Head {
    /// The view of it; nothing in a kiosk.
    pub(super) fn view(self) -> WholeView {
        let Head { name, title, description, definition, times, mode, sharing, copying } = self;
        let duplicate = {
            let name = name.clone();
            Callback::new(move |()| {
                let version = untrack(|| definition.moment(times.known()));
                copying.set(Some(Original { name: name.clone(), title: title.clone(), version, to_edit: true }));
            })
        };
        let content = move || {
            let mode = mode.get();
            (mode != PageMode::Kiosk).then(|| {
                view! {
                    <div class="dashboard-head">
                        <p class="quiet">{description.clone()}</p>
                        <div class="dashboard-ways">
                            {links(&name, mode == PageMode::Usual && definition.opens_in_editor())}
                            {deeds(mode, definition, sharing, duplicate)}
                        </div>
                    </div>
                }
                .whole()
            })
        };
        changing(content).whole()
    }
}

/// Where else to go with the dashboard.
fn links(name: &str, edits: bool) -> WholeView {
    let versions = format!("/dashboards/{name}/versions");
    let edit = format!("/dashboards/{name}/edit");
    let file = format!("/api/v1/dashboards/{name}?format=yaml");
    let download = format!("{name}.yaml");
    view! {
        <nav class="dashboard-links" aria-label="This dashboard">
            <a href=DASHBOARD_LIST>"All dashboards"</a>
            {edits.then(|| view! { <a href=edit data-testid="edit-link">"Edit"</a> })}
            <a href=versions data-testid="versions-link">"Versions"</a>
            <a href=file download=download rel="external">"Export"</a>
        </nav>
    }
    .whole()
}

/// What can be done with it. What the editor would not open, because it opens the last version, and what comes with the server is
/// changed as a copy.
fn deeds(mode: PageMode, definition: Definition, sharing: RwSignal<bool>, duplicate: Callback<()>) -> WholeView {
    let offers_copy = !definition.opens_in_editor() || definition.comes_with_server();
    let copy = match mode {
        PageMode::Usual if offers_copy => Some(duplicate_button(duplicate)),
        PageMode::Read => Some(read_only(duplicate)),
        PageMode::Usual | PageMode::Kiosk => None,
    };
    view! {
        <div class="dashboard-deeds">
            {copy}
            <button type="button" aria-haspopup="dialog" data-testid="share-open" on:click=move |_| sharing.set(true)>
                "Share"
            </button>
        </div>
    }
    .whole()
}

fn duplicate_button(duplicate: Callback<()>) -> WholeView {
    view! {
        <button
            type="button"
            aria-haspopup="dialog"
            data-testid="duplicate-to-edit"
            on:click=move |_| duplicate.run(())
        >
            "Duplicate to edit"
        </button>
    }
    .whole()
}

/// Says that nothing can be changed here, and to those who want to know more how a copy can be.
fn read_only(duplicate: Callback<()>) -> WholeView {
    let opened = RwSignal::new(false);
    let more = move || {
        opened.get().then(|| {
            view! {
                <p>"This address is for reading. A copy of your own can be changed."</p>
                {duplicate_button(duplicate)}
            }
            .whole()
        })
    };
    view! {
        <div class="read-only">
            <button
                type="button"
                aria-expanded=move || opened.get().to_string()
                aria-controls="read-only-more"
                data-testid="read-only"
                on:click=move |_| opened.update(|opened| *opened = !*opened)
            >
                "Read only"
            </button>
            <div id="read-only-more">{changing(more)}</div>
        </div>
    }
    .whole()
}
