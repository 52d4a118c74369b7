//! Links to a dashboard, in a dialog over it: one that moves with it, and one to what it shows now.

use std::sync::Arc;

use leptos::{prelude::*, task::spawn_local};

use super::{
    Context,
    pinned::{Pinned, pin},
    times::Times,
    version::Definition,
};
use crate::{
    browser,
    components::{
        dialog::Dialog,
        whole::{Whole, WholeView, changing},
    },
    dashboards::{Clock, TileDefinition},
    format::time,
    pages::lazy::LazyPart,
    state::{
        address::{Address, Change},
        coordinates::Known,
        mode::{MODE, PageMode},
    },
};

/// The page whose links are wanted.
#[derive(Clone)]
pub(in crate::pages) struct Shared {
    pub(super) context: Context,
    /// What people call it.
    pub(super) title: String,
    pub(super) definition: Definition,
    /// The first moment anything was known, in microseconds.
    pub(super) first: Memo<Option<i64>>,
    pub(super) tiles: Arc<Vec<(Arc<TileDefinition>, Times)>>,
}

/// What an open dialog is about.
#[derive(Clone)]
struct Opened {
    shared: Shared,
    open: RwSignal<bool>,
}

/// The dialog. What it holds is loaded once it is opened.
#[component]
pub(in crate::pages) fn ShareDialog(open: RwSignal<bool>, shared: Shared) -> impl IntoView {
    let content = move || {
        open.get().then(|| {
            provide_context(Opened { shared: shared.clone(), open });
            LazyPart::Share.view()
        })
    };
    view! {
        <Dialog class="small-dialog" label="Share this dashboard" testid="share" open>
            {changing(content)}
        </Dialog>
    }
    .whole()
}

/// A link that can be copied.
struct Link {
    title: &'static str,
    /// What it shows, in a sentence.
    said: String,
    /// What the names for tests begin with: `…-url`, `…-mode`, `…-copy`.
    testid: &'static str,
    /// In what its address differs from that of the page.
    changes: Vec<Change>,
}

/// Both links to the page that the dialog provides.
pub fn links() -> WholeView {
    let Opened { shared, open } = expect_context();
    let address = shared.context.address;
    let told = RwSignal::new("");
    let moving = Link {
        title: "As it moves",
        said: "Shows what is current whenever it is opened: ranges such as the last three months end on that day, and known \
               now stays now."
            .to_owned(),
        testid: "share-moving",
        changes: Vec::new(),
    };
    // Of the moment at which the dialog was opened: what is being copied does not change.
    let pinned = shared.pinned();
    let as_it_is = Link {
        title: "As it is now",
        said: sentence(&pinned, untrack(|| shared.context.today.get())),
        testid: "share-pinned",
        changes: pinned.changes,
    };
    view! {
        <h2>"Share " {shared.title}</h2>
        {link_view(moving, address, told)}
        {link_view(as_it_is, address, told)}
        <p class="quiet" role="status" data-testid="share-told">{changing(move || told.get())}</p>
        <div class="dialog-actions">
            <button type="button" on:click=move |_| open.set(false)>
                "Close"
            </button>
        </div>
    }
    .whole()
}

impl Shared {
    /// What the page shows now.
    fn pinned(&self) -> Pinned {
        untrack(|| {
            let Context { live, today, address, page, of_page, .. } = self.context;
            let clock = Clock {
                now: live.now.get(),
                today: today.get(),
                last_commit: live.head_micros(),
                first_known: self.first.get(),
            };
            // Under its snapshot *now* is the commit that the page is read as of.
            let read_at = page.moment().or(clock.last_commit);
            // What came with the server has no moment of its own, and held at that one.
            let version = self.definition.moment(of_page.known()).or_else(|| read_at.map(time::iso));
            pin(self.tiles.iter().map(|(tile, _)| tile.as_ref()), clock, read_at, version, |name| address.get(name))
        })
    }
}

/// What a pinned link shows.
fn sentence(pinned: &Pinned, today: i64) -> String {
    let days = pinned.coordinates.effective.days(today).text();
    // A moment that is said is the same from whenever it is seen.
    let known = pinned.coordinates.known.at(0, None);
    match known {
        Known::First => format!(
            "Shows what is chosen now: effective {days}, in this version of the dashboard, each fact as first published. \
             That is no moment: facts of these days that become known later are added."
        ),
        Known::Now => format!("Shows what is there now, effective {days}; nothing is known yet that could be pinned."),
        Known::At(_) => format!(
            "Shows for ever what is shown now: effective {days}, as known on {}, in this version of the dashboard.",
            known.text()
        ),
    }
}

fn link_view(link: Link, address: Address, told: RwSignal<&'static str>) -> WholeView {
    let Link { title, said, testid, changes } = link;
    let mode = RwSignal::new(untrack(|| PageMode::parse(address.get(MODE).as_deref())));
    let url = Signal::derive(move || {
        let changes = changes.iter().cloned().chain([(MODE, mode.get().parameter())]).collect();
        format!("{}{}", browser::origin(), address.after(changes))
    });
    let copy = move |_| {
        let url = url.get_untracked();
        spawn_local(async move {
            let copied = browser::copy(&url).await;
            told.try_set(match copied {
                true => "Link copied.",
                false => "The browser does not allow copying. Choose the link and copy it by hand.",
            });
        });
    };
    let heading = format!("{testid}-title");
    let labelled_by = heading.clone();
    let [url_id, mode_id, copy_id] = ["url", "mode", "copy"].map(|part| format!("{testid}-{part}"));
    let [url_label, copy_label] =
        [format!("Link, {}", title.to_lowercase()), format!("Copy the link, {}", title.to_lowercase())];
    view! {
        <section class="share-link" aria-labelledby=labelled_by>
            <h3 id=heading>{title}</h3>
            <p class="quiet">{said}</p>
            {mode_choice(mode, mode_id)}
            <div class="share-url">
                <input
                    type="text"
                    readonly
                    aria-label=url_label
                    data-testid=url_id
                    prop:value=move || url.get()
                    on:focus:target=move |event| event.target().select()
                />
                <button type="button" aria-label=copy_label data-testid=copy_id on:click=copy>
                    "Copy"
                </button>
            </div>
        </section>
    }
    .whole()
}

/// How the page opens by the link.
fn mode_choice(mode: RwSignal<PageMode>, testid: String) -> WholeView {
    let option = move |of: PageMode| {
        let words = match of {
            PageMode::Usual => "As usual",
            PageMode::Read => "To read only",
            PageMode::Kiosk => "As a kiosk, for a screen on a wall",
        };
        let chosen = move || mode.get() == of;
        view! {
            <option value=of.word() selected=chosen>
                {words}
            </option>
        }
        .whole()
    };
    view! {
        <label>
            "Opens"
            <select
                data-testid=testid
                on:change:target=move |event| mode.set(PageMode::parse(Some(&event.target().value())))
            >
                {Vec::from(PageMode::ALL.map(option))}
            </select>
        </label>
    }
    .whole()
}
