//! The versions of a definition: who stored it, when and why; each opens as it was, and can be stored again.

use leptos::{prelude::*, task::spawn_local};

use super::Defining;
use crate::{
    components::{
        chrome::semantics_address,
        whole::{Whole, WholeView, changing},
    },
    dashboards::{ListedVersion, VersionList},
    format::time,
    tasks::semantics::versions,
};

pub(super) fn table(defining: Defining) -> WholeView {
    let read = RwSignal::new(None::<Result<Option<VersionList>, String>>);
    let name = defining.dataset.with_value(|dataset| dataset.name.clone());
    let asked = name.clone();
    Effect::new(move |_| {
        let (name, this) = (asked.clone(), defining.changed.get());
        spawn_local(async move {
            let found = versions(&name).await;
            // Another reading may be under way by now.
            if defining.changed.try_get_untracked() == Some(this) {
                read.set(Some(found));
            }
        });
    });
    let content = move || match read.get() {
        None => view! { <p class="quiet" role="status">"Loading"</p> }.whole(),
        Some(Err(reason)) => view! { <p class="notice" role="alert">{reason}</p> }.whole(),
        Some(Ok(None)) => view! { <p class="tile-empty">"Nothing has been stored yet."</p> }.whole(),
        Some(Ok(Some(list))) => rows(&name, &list),
    };
    view! {
        <section class="tile" aria-labelledby="semantics-versions">
            <header class="tile-header">
                <h2 id="semantics-versions">"Versions"</h2>
            </header>
            <div class="tile-body">{changing(content)}</div>
        </section>
    }
    .whole()
}

fn rows(dataset: &str, list: &VersionList) -> WholeView {
    let row = |version: &ListedVersion| {
        let text = time::moment_seconds_text(version.version.system_time.micros());
        let open = format!("{}&version={}", semantics_address(dataset), version.version.system_time);
        let saved = match version.change == "deleted" {
            true => text.whole(),
            false => view! { <a href=open>{text}</a> }.whole(),
        };
        view! {
            <tr>
                <th scope="row">{saved}</th>
                <td>{version.version.author.clone()}</td>
                <td>{version.change.clone()}</td>
                <td>{version.version.note.clone()}</td>
            </tr>
        }
        .whole()
    };
    view! {
        <div class="table-box" role="region" aria-label="Versions: table" tabindex="0">
            <table data-testid="semantics-version-list">
                <caption class="visually-hidden">"Versions, the last first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Saved"</th>
                        <th scope="col">"By"</th>
                        <th scope="col">"What"</th>
                        <th scope="col">"Why"</th>
                    </tr>
                </thead>
                <tbody>{list.versions.iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
    .whole()
}
