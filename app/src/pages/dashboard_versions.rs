//! The versions of a dashboard: who saved what, when and why; two of them compared member by member; any of them saved again.

use leptos::{prelude::*, task::spawn_local};
use leptos_router::hooks::use_params_map;
use serde_json::Value;

use crate::{
    browser,
    components::{
        dialog::{Dialog, form_end},
        whole::{Whole, WholeView, changing},
    },
    dashboards::{Comparison, Difference, ListedVersion, VersionList},
    format::time,
    pages::{
        author::{AuthorField, author},
        not_found::NotFound,
    },
    ports::DashboardDocument,
    queries::dashboards::{compare, document},
    root::with_datasets_and,
    state::address::{Address, Step},
    tasks::dashboards::{delete, restore},
};

/// Address parameters with the versions that are compared.
const A: &str = "a";
const B: &str = "b";

/// The page.
pub fn versions() -> WholeView {
    let params = use_params_map();
    let first = params.with_untracked(|params| params.get("dashboard")).unwrap_or_default();
    let name = move || params.try_with(|params| params.get("dashboard")).flatten().unwrap_or_else(|| first.clone());
    let read = Resource::new_blocking(name, |name| document(DashboardDocument::Versions { name }));
    with_datasets_and(read, |text, _, _| {
        let parse = |text: String| serde_json::from_str::<VersionList>(&text).map_err(|error| error.to_string());
        match text.and_then(|text| text.map(parse).transpose()) {
            Ok(Some(list)) => view! { <Versions list /> }.whole(),
            Ok(None) => view! { <NotFound /> }.whole(),
            Err(reason) => {
                view! { <p class="notice" role="alert">"The versions could not be read: " {reason} "."</p> }.whole()
            }
        }
    })
}

/// What is wanted of a dashboard, once it is said who wants it and why.
#[derive(Clone, PartialEq)]
enum Deed {
    Restore(ListedVersion),
    Delete,
}

#[component]
fn Versions(list: VersionList) -> impl IntoView {
    let address = Address::of_page();
    let deed = RwSignal::new(None::<Deed>);
    let beneath = list.beneath.as_deref().map(|origin| match origin {
        "file" => "Beneath what is stored, this dashboard is a file of the server. It is shown when what is stored is deleted.",
        _ => "Beneath what is stored, this dashboard comes with Tidemark. It is shown when what is stored is deleted.",
    });
    let there = list.versions.first().is_some_and(|last| last.change != "deleted");
    let rows = list.versions.iter().map(|version| row(version, &list.name, address, deed)).collect_view();
    let back = format!("/dashboards/{}", list.name);
    let title = list.title.clone();
    let table = if list.versions.is_empty() {
        view! { <p class="tile-empty">"Nothing has been stored under this name yet."</p> }.whole()
    } else {
        view! {
            <div class="table-box" role="region" aria-label="Versions: table" tabindex="0">
                <table data-testid="versions">
                    <caption class="visually-hidden">"Versions, the last first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Before"</th>
                            <th scope="col">"After"</th>
                            <th scope="col">"Saved"</th>
                            <th scope="col">"By"</th>
                            <th scope="col">"What"</th>
                            <th scope="col">"Why"</th>
                            <th scope="col">
                                <span class="visually-hidden">"What can be done"</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .whole()
    };
    let delete = there.then(|| {
        view! {
            <button type="button" data-testid="delete-dashboard" on:click=move |_| deed.set(Some(Deed::Delete))>
                "Delete this dashboard"
            </button>
        }
    });
    let list = StoredValue::new(list);
    view! {
        <div class="list-head">
            <p>
                <a href=back>"Back to " {title}</a>
            </p>
            {delete}
        </div>
        <section class="tile" aria-labelledby="versions-title">
            <header class="tile-header">
                <h2 id="versions-title">"Versions"</h2>
            </header>
            <div class="tile-body">{table}</div>
        </section>
        {beneath.map(|said| view! { <p class="quiet">{said}</p> })}
        {compared(list, address)}
        <Doing list deed />
    }
    .whole()
}

fn row(version: &ListedVersion, name: &str, address: Address, deed: RwSignal<Option<Deed>>) -> WholeView {
    let moment = version.version.system_time.to_string();
    let text = time::moment_seconds_text(version.version.system_time.micros());
    let gone = version.change == "deleted";
    let open = format!("/dashboards/{name}?version={moment}");
    let pick = |side: &'static str, word: &'static str| {
        if gone {
            return ().whole();
        }
        let (label, value, moment) = (format!("{word} the version of {text}"), moment.clone(), moment.clone());
        let checked = move || address.get(side).as_ref() == Some(&moment);
        let choose = move |_| address.set(vec![(side, Some(value.clone()))], Step::Replace);
        view! { <input type="radio" name=side aria-label=label prop:checked=checked on:change=choose /> }.whole()
    };
    let (before, after) = (pick(A, "Compare from"), pick(B, "Compare to"));
    let saved = if gone { text.clone().whole() } else { view! { <a href=open>{text.clone()}</a> }.whole() };
    let restored = version.clone();
    let label = format!("Restore the version of {text}");
    let deeds = (!gone && version.until.is_some()).then(|| {
        view! {
            <button type="button" aria-label=label on:click=move |_| deed.set(Some(Deed::Restore(restored.clone())))>
                "Restore"
            </button>
        }
    });
    view! {
        <tr>
            <td>{before}</td>
            <td>{after}</td>
            <th scope="row">{saved}</th>
            <td>{version.version.author.clone()}</td>
            <td>{version.change.clone()}</td>
            <td>{version.version.note.clone()}</td>
            <td>{deeds}</td>
        </tr>
    }
    .whole()
}

/// What differs between the two versions that the address names.
fn compared(list: StoredValue<VersionList>, address: Address) -> WholeView {
    let wanted = Memo::new(move |_| Some((address.get(A)?, address.get(B)?)));
    let read = RwSignal::new(None::<Result<Comparison, String>>);
    Effect::new(move |_| {
        read.set(None);
        let Some((a, b)) = wanted.get() else { return };
        spawn_local(async move {
            let Some(name) = list.try_with_value(|list| list.name.clone()) else { return };
            let found = compare(&name, &a, &b).await;
            // Another pair may be wanted by now, or the page be gone.
            if wanted.try_get_untracked().flatten() == Some((a, b)) {
                read.try_set(Some(found));
            }
        });
    });
    let content = move || match (wanted.with(Option::is_some), read.get()) {
        (false, _) => view! { <p class="tile-empty">"Choose two versions to see what differs."</p> }.whole(),
        (true, None) => view! { <p class="quiet" role="status">"Loading"</p> }.whole(),
        (true, Some(Err(reason))) => view! { <p class="notice" role="alert">{reason}</p> }.whole(),
        (true, Some(Ok(found))) if found.changes.is_empty() => {
            view! { <p class="tile-empty">"The two say the same."</p> }.whole()
        }
        (true, Some(Ok(found))) => changes_table(&found.changes),
    };
    view! {
        <section class="tile" data-testid="comparison" aria-labelledby="comparison-title">
            <header class="tile-header">
                <h2 id="comparison-title">"What differs"</h2>
            </header>
            <div class="tile-body">{changing(content)}</div>
        </section>
    }
    .whole()
}

fn changes_table(changes: &[Difference]) -> WholeView {
    let cell = |value: &Option<Value>| {
        let text = match value {
            None => "–".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => serde_json::to_string_pretty(value).unwrap_or_default(),
        };
        view! { <td><pre>{text}</pre></td> }
    };
    let row = |change: &Difference| {
        view! {
            <tr>
                <th scope="row"><code>{change.path.clone()}</code></th>
                {cell(&change.before)}
                {cell(&change.after)}
            </tr>
        }
    };
    let rows = changes.iter().map(row).collect_view();
    view! {
        <div class="table-box" role="region" aria-label="What differs: table" tabindex="0">
            <table class="differences" data-testid="differences">
                <caption class="visually-hidden">"Members that differ, before and after"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Member"</th>
                        <th scope="col">"Before"</th>
                        <th scope="col">"After"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .whole()
}

/// The dialog in which it is said who does it and why.
#[component]
fn Doing(list: StoredValue<VersionList>, deed: RwSignal<Option<Deed>>) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move |_| open.set(deed.with(Option::is_some)));
    Effect::new(move |_| {
        if !open.get() && deed.with_untracked(Option::is_some) {
            deed.set(None);
        }
    });
    view! {
        <Dialog class="small-dialog" label="Change this dashboard" testid="doing" open>
            {changing(move || deed.get().map(|deed| doing(list, deed, open)))}
        </Dialog>
    }
    .whole()
}

fn doing(list: StoredValue<VersionList>, deed: Deed, open: RwSignal<bool>) -> WholeView {
    let (note, problem) = (RwSignal::new(String::new()), RwSignal::new(None::<String>));
    let title = list.with_value(|list| list.title.clone());
    let (heading, verb) = match &deed {
        Deed::Restore(version) => {
            let moment = time::moment_seconds_text(version.version.system_time.micros());
            (format!("Restore {title} as it was saved on {moment}"), "Restore")
        }
        Deed::Delete => (format!("Delete {title}. Its versions are kept"), "Delete"),
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (deed, note) = (deed.clone(), note.get_untracked());
        let (name, tag) = list.with_value(|list| {
            let last = list.versions.first().filter(|last| last.change != "deleted");
            (list.name.clone(), last.map(|last| last.version.system_time.to_string()))
        });
        spawn_local(async move {
            let done = match &deed {
                Deed::Restore(version) => {
                    let moment = version.version.system_time.to_string();
                    restore(&name, &moment, tag.as_deref(), &author(), &note).await
                }
                Deed::Delete => delete(&name, tag.as_deref(), &author(), &note).await,
            };
            match done {
                Ok(()) => browser::open(&format!("/dashboards/{name}/versions")),
                Err(reason) => {
                    problem.try_set(Some(reason));
                }
            }
        });
    };
    view! {
        <form on:submit=submit>
            <h2>{heading}</h2>
            <AuthorField />
            <label>
                "Why"
                <input type="text" data-testid="note" on:input=move |event| note.set(event_target_value(&event)) />
            </label>
            {form_end(verb, problem, open)}
        </form>
    }
    .whole()
}
