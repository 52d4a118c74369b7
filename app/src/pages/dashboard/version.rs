//! Which version of its definition a page shows, where that is not plainly the last: what was known earlier was shown by what
//! the dashboard was then. Moving the known time does not change what the page is made of by itself; it is offered.

use leptos::prelude::*;

use crate::{
    components::{
        chrome::DASHBOARD_LIST,
        whole::{Whole, WholeView, changing},
    },
    dashboards::{ShownDashboard, VERSION, VERSION_AS_KNOWN},
    format::time,
    state::{
        address::{Address, Step},
        coordinates::Known,
    },
};

/// What there is to say.
pub(super) struct Notice {
    /// What is said whatever the page's known time is, and whether there is a way back to the last version.
    shown: Option<String>,
    /// When the definition was changed, in microseconds.
    changes: Vec<i64>,
    address: Address,
}

/// Reads it off what the server gave.
pub(super) fn notice(shown: &ShownDashboard, address: Address) -> Notice {
    let earlier = shown.version.as_ref().filter(|_| !shown.latest).map(|version| {
        let by = if version.author.is_empty() { String::new() } else { format!(" by {}", version.author) };
        let why = if version.note.is_empty() { String::new() } else { format!(": {}", version.note) };
        format!(
            "This is the dashboard as it was saved on {}{by}{why}.",
            time::moment_text(version.system_time.micros())
        )
    });
    let said = match (shown.absent, shown.latest) {
        (true, _) => Some("There was no such dashboard then; it is shown as it is now.".to_owned()),
        (false, true) => None,
        (false, false) => {
            Some(earlier.unwrap_or_else(|| "This is the dashboard as it came with the server.".to_owned()))
        }
    };
    let changes = shown.changes.iter().map(|change| change.micros()).collect();
    Notice { shown: said, changes, address }
}

impl Notice {
    /// The sentence and what can be done; nothing where the page is made of the last version and that held then, too.
    pub(super) fn view(self, known: Memo<Known>) -> WholeView {
        let Notice { shown, changes, address } = self;
        let content = move || {
            if let Some(said) = &shown {
                return Some(banner("earlier", said.clone(), "Show the latest version", address, None));
            }
            let Known::At(micros) = known.get() else { return None };
            let later = changes.iter().filter(|change| **change > micros).count();
            let asked = address.get(VERSION).is_some();
            (later > 0 && !asked).then(|| {
                let times = if later == 1 { "once".to_owned() } else { format!("{later} times") };
                let said = format!("The dashboard itself is today's; it was changed {times} since then.");
                let then = Some(VERSION_AS_KNOWN.to_owned());
                banner("today", said, "Show it as it was then", address, then)
            })
        };
        view! { {changing(content)} }.whole()
    }
}

fn banner(
    state: &'static str,
    said: String,
    label: &'static str,
    address: Address,
    version: Option<String>,
) -> WholeView {
    let choose = move |_| address.set(vec![(VERSION, version.clone())], Step::Push);
    view! {
        <div class="version-banner" data-testid="version-banner" data-version=state role="status">
            <p>{said}</p>
            <button type="button" data-testid="choose-version" on:click=choose>
                {label}
            </button>
        </div>
    }
    .whole()
}

/// Where else to go with the dashboard.
pub(super) fn links(name: &str) -> WholeView {
    let versions = format!("/dashboards/{name}/versions");
    let file = format!("/api/v1/dashboards/{name}?format=yaml");
    let download = format!("{name}.yaml");
    view! {
        <nav class="dashboard-links" aria-label="This dashboard">
            <a href=DASHBOARD_LIST>"All dashboards"</a>
            <a href=versions data-testid="versions-link">"Versions"</a>
            <a href=file download=download rel="external">"Export"</a>
        </nav>
    }
    .whole()
}
