//! All dashboards: by folder, found by words, the favourites of this browser first. Who changed each last, and what can be done
//! with it.

use std::{collections::BTreeSet, time::Duration};

use leptos::prelude::*;

use crate::{
    browser,
    components::{
        chrome::NEW_DASHBOARD,
        theme::Theme,
        whole::{Whole, WholeView, changing},
    },
    dashboards::ListedDashboard,
    format::time,
    pages::duplicate::{DuplicateDialog, Original},
    ports::DashboardDocument,
    queries::dashboards::document,
    root::with_datasets_and,
};

/// Names of favourites are kept under this name in this browser, one a line: there is no sign-in that they could belong to.
const FAVOURITES: &str = "tidemark-favourites";

/// Width of thumbnails in pixels: twice what they have on the page, for screens with more pixels.
const THUMBNAIL_PX: u32 = 320;

/// The page.
pub fn list() -> WholeView {
    let read = Resource::new_blocking(|| (), |()| document(DashboardDocument::List));
    with_datasets_and(read, |text, _, _| {
        let parse =
            |text: String| serde_json::from_str::<Vec<ListedDashboard>>(&text).map_err(|error| error.to_string());
        match text.and_then(|text| parse(text.unwrap_or_default())) {
            Ok(listed) => view! { <Listed listed /> }.whole(),
            Err(reason) => {
                view! { <p class="notice" role="alert">"The dashboards could not be read: " {reason} "."</p> }.whole()
            }
        }
    })
}

/// What the parts of the page share.
#[derive(Clone, Copy)]
struct Context {
    favourites: RwSignal<BTreeSet<String>>,
    /// The dashboard that is being duplicated.
    copying: RwSignal<Option<Original>>,
    /// The theme that is shown, by which thumbnails have their colours; none before the browser has said it.
    theme: RwSignal<Option<String>>,
}

#[component]
fn Listed(listed: Vec<ListedDashboard>) -> impl IntoView {
    let search = RwSignal::new(String::new());
    let context = Context {
        favourites: RwSignal::new(BTreeSet::new()),
        copying: RwSignal::new(None),
        theme: RwSignal::new(None),
    };
    follow_theme(context.theme);
    Effect::new(move |_| {
        let kept = browser::recall(FAVOURITES).unwrap_or_default();
        context.favourites.set(kept.lines().map(str::to_owned).collect());
    });
    let listed = StoredValue::new(listed);
    let found = Memo::new(move |_| {
        let search = search.get();
        listed.with_value(|listed| listed.iter().filter(|one| one.has(&search)).cloned().collect::<Vec<_>>())
    });
    let said = move || {
        let count = found.with(Vec::len);
        if count == 1 { "1 dashboard".to_owned() } else { format!("{count} dashboards") }
    };
    view! {
        <div class="list-head">
            <label>
                <span>"Search"</span>
                <input
                    type="search"
                    data-testid="search-dashboards"
                    on:input=move |event| search.set(event_target_value(&event))
                />
            </label>
            <p class="quiet" role="status">{changing(said)}</p>
            <a class="list-new" href=NEW_DASHBOARD>"New dashboard"</a>
        </div>
        {changing(move || groups(&found.get(), context))}
        <p class="quiet">"Favourites are kept in this browser alone."</p>
        <DuplicateDialog copying=context.copying />
    }
    .whole()
}

/// The theme is the browser's to say, so thumbnails come once it runs.
fn follow_theme(shown: RwSignal<Option<String>>) {
    let theme = expect_context::<Theme>();
    Effect::new(move |_| {
        theme.version.track();
        let now = browser::root_attribute("data-theme");
        if shown.with_untracked(|shown| *shown != now) {
            shown.set(now);
        }
    });
}

/// A dashboard in small. It says nothing that the title does not, and has its place before it is there.
fn thumbnail(name: &str, theme: RwSignal<Option<String>>) -> WholeView {
    let address = format!("/api/v1/dashboards/{name}/thumbnail.png?width={THUMBNAIL_PX}");
    let image = move || {
        theme.get().map(|theme| {
            let address = format!("{address}&theme={theme}");
            view! { <img src=address alt="" width="160" height="100" loading="lazy" decoding="async" /> }.whole()
        })
    };
    view! { <div class="thumbnail">{changing(image)}</div> }.whole()
}

/// Favourites first, then what is in no folder, then folder by folder.
fn groups(found: &[ListedDashboard], context: Context) -> WholeView {
    if found.is_empty() {
        return view! { <p class="tile-empty">"No dashboard has these words."</p> }.whole();
    }
    let favourites = context.favourites.get();
    let (first, rest): (Vec<_>, Vec<_>) = found.iter().partition(|one| favourites.contains(&one.name));
    let folders: BTreeSet<&str> = rest.iter().map(|one| one.folder.as_str()).collect();
    let of_folder = |folder: &&str| {
        let title = if folder.is_empty() { "Dashboards" } else { *folder };
        group(title, rest.iter().filter(|one| one.folder == **folder).copied(), context)
    };
    let folders = folders.iter().map(of_folder).collect_view();
    let favourites = (!first.is_empty()).then(|| group("Favourites", first.iter().copied(), context));
    view! { {favourites} {folders} }.whole()
}

fn group<'a>(title: &str, of: impl Iterator<Item = &'a ListedDashboard>, context: Context) -> WholeView {
    let items = of.map(|one| item(one, context)).collect_view();
    view! {
        <section class="dashboard-folder">
            <h2 class="section-title">{title.to_owned()}</h2>
            <ul>{items}</ul>
        </section>
    }
    .whole()
}

fn item(one: &ListedDashboard, context: Context) -> WholeView {
    let address = format!("/dashboards/{}", one.name);
    let (versions, export) = (format!("{address}/versions"), format!("/api/v1{address}?format=yaml"));
    let download = format!("{}.yaml", one.name);
    let last = match (&one.version, one.origin.as_str()) {
        (Some(version), _) => {
            let by = if version.author.is_empty() { String::new() } else { format!(" by {}", version.author) };
            format!("Changed {}{by}", time::moment_text(version.system_time.micros()))
        }
        (None, "file") => "A file of this server".to_owned(),
        (None, _) => "Comes with Tidemark".to_owned(),
    };
    let name = one.name.clone();
    let favourite = context.favourites.with_untracked(|kept| kept.contains(&name));
    let star = star_id(&name);
    let star_label = format!("Favourite: {}", one.title);
    let toggle = move |_| {
        context.favourites.update(|kept| {
            if !kept.remove(&name) {
                kept.insert(name.clone());
            }
            browser::keep(FAVOURITES, &kept.iter().map(String::as_str).collect::<Vec<_>>().join("\n"));
        });
        // It stands elsewhere now; the focus goes with it.
        let id = star_id(&name);
        set_timeout(
            move || {
                browser::focus(&id);
            },
            Duration::ZERO,
        );
    };
    let tags = one.tags.iter().map(|tag| view! { <li>{tag.clone()}</li> }).collect_view();
    let tags = (!one.tags.is_empty()).then(|| view! { <ul class="tags" aria-label="Tags">{tags}</ul> });
    let copied = Original { name: one.name.clone(), title: one.title.clone(), version: None, to_edit: false };
    let (versions_label, copy_label, export_label) =
        (format!("Versions of {}", one.title), format!("Duplicate {}", one.title), format!("Export {}", one.title));
    let testid = format!("dashboard-{}", one.name);
    view! {
        <li class="dashboard-item" data-testid=testid>
            <button type="button" class="star" id=star aria-pressed=favourite.to_string() aria-label=star_label on:click=toggle>
                <span aria-hidden="true">{if favourite { "★" } else { "☆" }}</span>
            </button>
            {thumbnail(&one.name, context.theme)}
            <div class="dashboard-said">
                <h3>
                    <a href=address>{one.title.clone()}</a>
                </h3>
                <p>{one.description.clone()}</p>
                <p class="quiet">{last}</p>
                {tags}
            </div>
            <div class="dashboard-deeds">
                <a href=versions aria-label=versions_label>"Versions"</a>
                <button type="button" aria-label=copy_label on:click=move |_| context.copying.set(Some(copied.clone()))>
                    "Duplicate"
                </button>
                <a href=export aria-label=export_label download=download rel="external">
                    "Export"
                </a>
            </div>
        </li>
    }
    .whole()
}

fn star_id(name: &str) -> String {
    format!("star-{name}")
}
