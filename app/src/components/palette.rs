//! The command palette: every page, section of the documentation, dataset and action, by a few letters of its name.

use leptos::{
    ev::{self, KeyboardEvent},
    prelude::*,
    task::spawn_local,
};
use leptos_router::{NavigateOptions, hooks::use_navigate};
use model::DatasetSummary;

use super::{
    dialog::Dialog,
    icon::{self, icon},
    keys::KeysDialog,
    theme::Theme,
    whole::{Whole, WholeView, changing},
};
use crate::{
    browser,
    dashboards::ListedDashboard,
    pages::lazy::LazyPart,
    ports::DashboardDocument,
    queries::{
        dashboards::document,
        datasets::datasets,
        docs::{self, Section},
    },
    root::DashboardTitles,
    state::{
        address::{Address, Step},
        commands::{Action, Command, Deed, commands, find, remembered},
        display::Display,
    },
};

/// Recent commands are kept under this name, an id a line.
const STORAGE_NAME: &str = "tidemark-recent";
/// Ids of the field, and of what belongs to it.
const FIELD: &str = "palette-field";
const CLOSE: &str = "palette-close";
const LIST: &str = "palette-list";
const OPTION: &str = "palette-option";
/// How long it is said that something was done.
const SAID_FOR: std::time::Duration = std::time::Duration::from_secs(3);

/// What of the palette is there before it is opened; the rest is loaded then.
#[derive(Clone, Copy)]
struct Door {
    open: RwSignal<bool>,
    keys_open: RwSignal<bool>,
    /// What was done, for a moment.
    said: RwSignal<&'static str>,
    /// The documentation stays what it is while the page is open.
    sections: RwSignal<Vec<Section>>,
    /// What has been typed, before there is a field as well.
    typed: RwSignal<String>,
    /// Whether Enter was pressed before there was anything to choose.
    entered: RwSignal<bool>,
    /// Whether the field is there.
    ready: StoredValue<bool>,
}

impl Door {
    fn show(self, shown: bool) {
        if shown {
            self.keys_open.set(false);
            self.typed.set(String::new());
            self.entered.set(false);
            self.ready.set_value(false);
        }
        self.open.set(shown);
    }

    /// Keeps what is typed until there is a field for it.
    fn type_ahead(self, event: &KeyboardEvent) {
        let key = event.key();
        let mut letters = key.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => self.typed.update(|typed| typed.push(letter)),
            _ if key == "Backspace" => self.typed.update(|typed| {
                typed.pop();
            }),
            _ if key == "Enter" => self.entered.set(true),
            _ => return,
        }
        event.prevent_default();
    }
}

/// What the palette holds. What is read from the server is read once it is opened.
#[derive(Clone, Copy)]
struct Palette {
    door: Door,
    typed: RwSignal<String>,
    /// Place in `found` of the command that Enter means.
    at: RwSignal<usize>,
    recent: RwSignal<Vec<String>>,
    datasets: RwSignal<Vec<DatasetSummary>>,
    /// Name and title.
    dashboards: RwSignal<Vec<(String, String)>>,
    found: Memo<Vec<Command>>,
    address: Address,
    theme: Theme,
    display: Display,
    navigate: Option<StoredValue<Navigate, LocalStorage>>,
}

type Navigate = Box<dyn Fn(&str)>;

impl Palette {
    fn new(door: Door) -> Palette {
        let address = Address::of_page();
        let kept = browser::recall(STORAGE_NAME).unwrap_or_default();
        let (typed, recent) = (door.typed, RwSignal::new(kept.lines().map(str::to_owned).collect::<Vec<_>>()));
        let (datasets, sections) = (RwSignal::new(Vec::new()), door.sections);
        let past = Memo::new(move |_| past_parameter(address).is_some());
        let DashboardTitles(dashboards) = expect_context();
        let dashboards = RwSignal::new(dashboards);
        let all = Memo::new(move |_| {
            let of = |datasets: &Vec<_>, sections: &Vec<_>| {
                dashboards.with(|dashboards| commands(datasets, dashboards, sections, past.get()))
            };
            datasets.with(|datasets| sections.with(|sections| of(datasets, sections)))
        });
        let found = Memo::new(move |_| {
            let found = |all: &Vec<Command>, typed: &String, recent: &Vec<String>| {
                find(all, typed, recent).into_iter().cloned().collect()
            };
            all.with(|all| typed.with(|typed| recent.with(|recent| found(all, typed, recent))))
        });
        // As with the address: only a browser goes anywhere.
        let navigate = (!cfg!(feature = "ssr")).then(|| {
            let navigate = use_navigate();
            StoredValue::new_local(
                Box::new(move |address: &str| navigate(address, NavigateOptions::default())) as Navigate
            )
        });
        let (theme, display) = (expect_context::<Theme>(), expect_context::<Display>());
        Palette {
            door,
            typed,
            at: RwSignal::new(0),
            recent,
            datasets,
            dashboards,
            found,
            address,
            theme,
            display,
            navigate,
        }
    }

    /// Datasets and dashboards may have come since; the documentation stays what it is while the page is open. What cannot be
    /// read is not offered: the pages themselves say what is wrong.
    fn read(self) {
        spawn_local(async move {
            if let Ok(read) = datasets().await {
                self.datasets.try_set(read);
            }
        });
        spawn_local(async move {
            let Ok(Some(text)) = document(DashboardDocument::List).await else { return };
            let listed = serde_json::from_str::<Vec<ListedDashboard>>(&text).unwrap_or_default();
            if !listed.is_empty() {
                self.dashboards.try_set(listed.into_iter().map(|one| (one.name, one.title)).collect());
            }
        });
        if self.door.sections.with_untracked(Vec::is_empty) {
            spawn_local(async move {
                if let Ok(read) = docs::sections().await {
                    self.door.sections.try_set(read);
                }
            });
        }
    }

    fn key(self, event: &KeyboardEvent) {
        let last = self.found.with_untracked(Vec::len).saturating_sub(1);
        let at = self.at.get_untracked().min(last);
        match event.key().as_str() {
            "ArrowDown" => self.move_to(if at == last { 0 } else { at + 1 }),
            "ArrowUp" => self.move_to(if at == 0 { last } else { at - 1 }),
            "PageDown" => self.move_to((at + 8).min(last)),
            "PageUp" => self.move_to(at.saturating_sub(8)),
            "Enter" => self.run(at),
            _ => return,
        }
        event.prevent_default();
    }

    fn move_to(self, at: usize) {
        self.at.set(at);
        browser::reveal(&format!("{OPTION}-{at}"));
    }

    fn run(self, at: usize) {
        let Some(command) = self.found.with_untracked(|found| found.get(at).cloned()) else { return };
        let recent = self.recent.with_untracked(|recent| remembered(recent, command.id()));
        browser::keep(STORAGE_NAME, &recent.join("\n"));
        self.door.open.set(false);
        match command.deed {
            Deed::Open(address) => {
                if let Some(navigate) = self.navigate {
                    navigate.with_value(|navigate| navigate(&address));
                }
            }
            Deed::Do(action) => self.act(action),
        }
    }

    fn act(self, action: Action) {
        match action {
            Action::CopyLink => spawn_local(async move {
                let copied = browser::copy(&browser::page_address()).await;
                self.say(if copied { "Link copied" } else { "The browser does not allow copying" });
            }),
            Action::ReturnToNow => {
                if let Some(name) = past_parameter(self.address) {
                    self.address.set(vec![(name, None)], Step::Push);
                }
            }
            Action::ShowKeys => self.door.keys_open.set(true),
            Action::Theme(choice) => self.theme.choose(choice),
            Action::Density(density) => self.display.choose_density(density),
            Action::Zone(zone) => {
                if self.display.choose_zone(zone).is_err() {
                    self.say("This browser does not know that zone");
                }
            }
        }
    }

    fn say(self, what: &'static str) {
        let said = self.door.said;
        said.try_set(what);
        set_timeout(
            move || {
                said.try_set("");
            },
            SAID_FOR,
        );
    }
}

/// The parameter of the address that holds a known time in the past, if one does.
fn past_parameter(address: Address) -> Option<&'static str> {
    ["known", "b"].into_iter().find(|name| address.get(name).is_some_and(|value| value != "now"))
}

/// The button that opens the palette, the palette, and the list of keys.
#[component]
pub fn CommandPalette() -> impl IntoView {
    let door = Door {
        open: RwSignal::new(false),
        keys_open: RwSignal::new(false),
        said: RwSignal::new(""),
        sections: RwSignal::new(Vec::new()),
        typed: RwSignal::new(String::new()),
        entered: RwSignal::new(false),
        ready: StoredValue::new(false),
    };
    Effect::new(move |_| {
        let keys = window_event_listener(ev::keydown, move |event| {
            let wanted = (event.ctrl_key() || event.meta_key()) && !event.alt_key() && !event.shift_key();
            if wanted && event.key().eq_ignore_ascii_case("k") {
                event.prevent_default();
                return door.show(!door.open.get_untracked());
            }
            let plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
            if plain && door.open.get_untracked() && !door.ready.get_value() {
                door.type_ahead(&event);
            }
        });
        on_cleanup(move || keys.remove());
    });
    let content = move || {
        door.open.get().then(|| {
            provide_context(door);
            LazyPart::Palette.view()
        })
    };
    let shown = move || door.said.with(|said| !said.is_empty());
    view! {
        <button
            type="button"
            class="top-button"
            data-testid="palette-open"
            aria-haspopup="dialog"
            aria-keyshortcuts="Control+K Meta+K"
            on:click=move |_| door.show(true)
        >
            {icon(icon::SEARCH)}
            <span class="top-word">"Search"</span>
            <kbd aria-hidden="true">"Ctrl K"</kbd>
        </button>
        <Dialog class="palette" label="Search and commands" testid="palette" open=door.open>
            {changing(content)}
        </Dialog>
        <KeysDialog open=door.keys_open />
        <p class="said" class:shown=shown role="status" data-testid="said">{changing(move || door.said.get())}</p>
    }
    .whole()
}

/// What the palette holds while it is open.
pub fn content() -> WholeView {
    let door: Door = expect_context();
    let palette = Palette::new(door);
    palette.read();
    // Enter that came before the list means what is found once the list is there.
    Effect::new(move |_| {
        if door.entered.get() && palette.found.with(|found| !found.is_empty()) {
            door.entered.set(false);
            palette.run(0);
        }
    });
    // The dialog may have been open before its field was there.
    Effect::new(move |_| {
        browser::focus(FIELD);
        door.ready.set_value(true);
    });
    view! {
        <PaletteField palette />
        {changing(move || palette.found.with(|found| list(palette, found)))}
    }
    .whole()
}

#[component]
fn PaletteField(palette: Palette) -> impl IntoView {
    let count = move || palette.found.with(Vec::len);
    let expanded = move || if count() > 0 { "true" } else { "false" };
    let selected = move || (count() > 0).then(|| format!("{OPTION}-{}", palette.at.get()));
    let heard = move || match (palette.typed.with(String::is_empty), count()) {
        (true, _) => String::new(),
        (_, 0) => "Nothing has that name".to_owned(),
        (_, 1) => "1 found".to_owned(),
        (_, count) => format!("{count} found"),
    };
    // Two things take the focus here; Tab goes from one to the other.
    let tab = move |event: KeyboardEvent, to: &'static str| {
        if event.key() == "Tab" && browser::focus(to) {
            event.prevent_default();
        }
    };
    view! {
        <div class="palette-head">
            {icon(icon::SEARCH)}
            <input
                id=FIELD
                type="text"
                role="combobox"
                autofocus=true
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                enterkeyhint="go"
                placeholder="Pages, dashboards, documentation, datasets, actions"
                aria-label="Search pages, dashboards, documentation, datasets and actions"
                aria-autocomplete="list"
                aria-expanded=expanded
                aria-controls=LIST
                aria-activedescendant=selected
                prop:value=move || palette.typed.get()
                on:input:target=move |event| {
                    palette.typed.set(event.target().value());
                    palette.at.set(0);
                }
                on:keydown=move |event| {
                    palette.key(&event);
                    tab(event, CLOSE);
                }
            />
            <button
                id=CLOSE
                type="button"
                on:click=move |_| palette.door.open.set(false)
                on:keydown=move |event| tab(event, FIELD)
            >
                <span class="visually-hidden">"Close "</span>
                <kbd>"Esc"</kbd>
            </button>
        </div>
        <p class="visually-hidden" role="status">{heard}</p>
    }
    .whole()
}

fn list(palette: Palette, found: &[Command]) -> WholeView {
    if found.is_empty() {
        let text = "Nothing has that name. Try fewer letters, or the first letters of its words.";
        return view! { <p id=LIST class="palette-empty">{text}</p> }.whole();
    }
    let options = found.iter().enumerate().map(|(index, command)| option(palette, index, command));
    view! {
        <ul id=LIST class="palette-list" role="listbox" aria-label="Commands">
            {options.collect::<Vec<_>>()}
        </ul>
    }
    .whole()
}

fn option(palette: Palette, index: usize, command: &Command) -> WholeView {
    let selected = move || if palette.at.get() == index { "true" } else { "false" };
    let key = (!command.key.is_empty()).then(|| view! { <kbd>{command.key}</kbd> });
    view! {
        <li
            id=format!("{OPTION}-{index}")
            role="option"
            aria-selected=selected
            on:pointermove=move |_| {
                if palette.at.get_untracked() != index {
                    palette.at.set(index);
                }
            }
            on:click=move |_| palette.run(index)
        >
            <span class="palette-name">{command.name.clone()}</span>
            {key}
            <span class="palette-place">{command.place.clone()}</span>
        </li>
    }
    .whole()
}
