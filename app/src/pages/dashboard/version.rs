//! Which version of its definition a page shows, where that is not plainly the last: what was known earlier was shown by what
//! the dashboard was then. Moving the known time does not change what the page is made of by itself; it is offered.

use leptos::prelude::*;

use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::{ShownDashboard, VERSION, VERSION_AS_KNOWN},
    format::time,
    state::{
        address::{Address, Step},
        coordinates::Known,
    },
};

/// The version of its definition that a page shows.
#[derive(Clone, Copy)]
pub(super) struct Definition {
    /// When it was saved, in microseconds; none of what comes with the server.
    saved: Option<i64>,
    latest: bool,
    address: Address,
}

impl Definition {
    pub(super) fn of(shown: &ShownDashboard, address: Address) -> Definition {
        let saved = shown.version.as_ref().map(|version| version.system_time.micros());
        Definition { saved, latest: shown.latest, address }
    }

    /// Whether the editor opens what is shown, and not a later version.
    pub(super) fn opens_in_editor(self) -> bool {
        self.latest
    }

    /// Whether it was never stored in the lake.
    pub(super) fn comes_with_server(self) -> bool {
        self.saved.is_none()
    }

    /// A moment whose version it is, as an address says it, on a page of this known time; none of what comes with the server and
    /// holds now, unless the address names one. Tracked.
    pub(super) fn moment(self, known: Known) -> Option<String> {
        let said = || self.address.get(VERSION).filter(|said| said != VERSION_AS_KNOWN);
        match self.saved {
            Some(micros) => Some(time::iso(micros)),
            None => said().or_else(|| known.instant().filter(|_| !self.latest).map(time::iso)),
        }
    }
}

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
    /// The sentence and what can be done, which in a kiosk is nothing; nothing at all where the page is made of the last version
    /// and that held then, too.
    pub(super) fn view(self, known: Memo<Known>, kiosk: Memo<bool>) -> WholeView {
        let Notice { shown, changes, address } = self;
        let content = move || {
            if let Some(said) = &shown {
                let choice = Choice { label: "Show the latest version", version: None, address, kiosk };
                return Some(banner("earlier", said.clone(), choice));
            }
            let Known::At(micros) = known.get() else { return None };
            let later = changes.iter().filter(|change| **change > micros).count();
            let asked = address.get(VERSION).is_some();
            (later > 0 && !asked).then(|| {
                let times = if later == 1 { "once".to_owned() } else { format!("{later} times") };
                let said = format!("The dashboard itself is today's; it was changed {times} since then.");
                let version = Some(VERSION_AS_KNOWN.to_owned());
                banner("today", said, Choice { label: "Show it as it was then", version, address, kiosk })
            })
        };
        view! { {changing(content)} }.whole()
    }
}

/// Another version that can be shown.
struct Choice {
    label: &'static str,
    version: Option<String>,
    address: Address,
    kiosk: Memo<bool>,
}

fn banner(state: &'static str, said: String, choice: Choice) -> WholeView {
    let Choice { label, version, address, kiosk } = choice;
    let button = move || {
        let version = version.clone();
        let choose = move |_| address.set(vec![(VERSION, version.clone())], Step::Push);
        (!kiosk.get()).then(|| {
            view! {
                <button type="button" data-testid="choose-version" on:click=choose>
                    {label}
                </button>
            }
            .whole()
        })
    };
    view! {
        <div class="version-banner" data-testid="version-banner" data-version=state role="status">
            <p>{said}</p>
            {changing(button)}
        </div>
    }
    .whole()
}
