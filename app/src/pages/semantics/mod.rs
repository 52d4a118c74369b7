//! What the figures of a dataset mean: its measures, dimensions and hierarchies, changed in a form and stored as a version, with
//! the versions there were. Read and stored in the browser alone.

mod dimensions;
mod hierarchies;
mod measures;
mod storing;
mod versions;

use leptos::{prelude::*, task::spawn_local};
use model::DatasetSummary;
use serde::{Deserialize, Serialize};

use super::editor::fields::{button, choice, named};
use crate::{
    browser::{
        self,
        claim::{Held, claim_first},
    },
    components::whole::{Whole, WholeView, changing},
    dashboards::{builder::Fields, semantics::Semantics},
    format::time,
    live::Live,
    root::with_datasets,
    state::{
        address::{Address, Step},
        datasets::DatasetList,
    },
    tasks::semantics::{Mistake, Stored, stored},
    words::ended,
};

/// The address parameter with the version that is opened.
const VERSION: &str = "version";
/// What the names of drafts in the browser begin with; the name of the dataset follows.
const DRAFT: &str = "tidemark-semantics:";

/// The name of a draft in the browser, on the page of that number. What is typed over an earlier version is one of its own.
fn storage_name(dataset: &str, version: Option<&str>, page: u32) -> String {
    let of_version = version.map(|version| format!("@{version}")).unwrap_or_default();
    let of_page = if page > 1 { format!("~{page}") } else { String::new() };
    format!("{DRAFT}{dataset}{of_version}{of_page}")
}

/// What the browser keeps of a definition that is not stored yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Draft {
    semantics: Semantics,
    /// The version that was changed; none where nothing was stored.
    version: Option<String>,
}

/// The definition of one dataset while it is changed.
#[derive(Clone, Copy)]
pub(super) struct Defining {
    dataset: StoredValue<DatasetSummary>,
    /// The name under which the browser keeps what is not stored yet.
    storage: StoredValue<String>,
    /// What is stored, as far as it is known here.
    stored: RwSignal<Stored>,
    /// As it is.
    now: RwSignal<Semantics>,
    /// What the server found wrong with what was sent last.
    mistakes: RwSignal<Vec<Mistake>>,
    /// Whether it goes on with what the browser has kept.
    goes_on: RwSignal<bool>,
    /// What was done last, for as long as nothing else is typed.
    told: RwSignal<Option<&'static str>>,
    /// Counted up whenever something was stored, so that versions are read again.
    changed: RwSignal<u32>,
}

impl Defining {
    /// A part of it; tracked.
    fn of<T>(self, part: impl FnOnce(&Semantics) -> T) -> T {
        self.now.with(part)
    }

    /// Changes it, and keeps what it has become in the browser until it is stored.
    fn change(self, change: impl FnOnce(&mut Semantics)) {
        // A field that is taken away while it has the focus tells of its change after the form is gone.
        if self.now.try_update(change).is_some() {
            self.mistakes.update(Vec::clear);
            self.keep();
        }
    }

    /// Keeps what is not stored yet. Never asked for once the page is gone.
    fn keep(self) {
        let (storage, semantics) = (self.storage.get_value(), self.now.get_untracked());
        let stored = self.stored.get_untracked();
        if stored.semantics == semantics {
            return browser::forget(&storage);
        }
        let draft = Draft { semantics, version: stored.version };
        // Fails for maps whose keys are no texts only, of which there is none.
        browser::keep(&storage, &serde_json::to_string(&draft).unwrap_or_default());
    }

    /// Whether there is anything to store; tracked.
    fn is_unsaved(self) -> bool {
        self.now.with(|now| self.stored.with(|stored| stored.semantics != *now))
    }

    /// Goes on with what is stored, in the place of what was typed.
    fn take(self, last: Stored) {
        let semantics = last.semantics.clone();
        if self.stored.try_set(last).is_none() {
            self.goes_on.set(false);
            self.change(|now| *now = semantics);
        }
    }

    /// The columns that can be named; with the four times.
    fn fields(self) -> Fields {
        self.dataset.with_value(|dataset| Fields::of(&dataset.definition))
    }

    /// What is wrong with a member, as lines below its field.
    fn mistakes_at(self, at: impl Fn(&str) -> bool + Send + Sync + 'static) -> WholeView {
        self.mistakes_of(Box::new(at))
    }

    fn mistakes_of(self, at: Box<dyn Fn(&str) -> bool + Send + Sync>) -> WholeView {
        let reasons = Memo::new(move |_| {
            let found = self.mistakes.get();
            found.into_iter().filter(|mistake| at(&mistake.path)).map(|mistake| mistake.reason).collect::<Vec<_>>()
        });
        let line =
            |reason: String| view! { <p class="field-problem" role="status">{ended(format!("It {reason}"))}</p> };
        changing(move || reasons.get().into_iter().map(line).collect_view()).whole()
    }
}

/// A list of the definition: its heading, which takes the focus when a row is taken away, what it is, and how a row more is
/// called.
struct Listed {
    /// The id of the heading.
    heading: &'static str,
    title: &'static str,
    hint: Option<&'static str>,
    /// The member of the definition; what is wrong with it as a whole is told at the end.
    member: &'static str,
    /// The words on the button that adds one, and what names it for tests.
    add: (&'static str, &'static str),
}

impl Listed {
    /// The list, with a row for each of so many and a way to add one.
    fn view(
        self,
        defining: Defining,
        count: Memo<usize>,
        row: fn(Defining, usize) -> WholeView,
        add: Box<dyn Fn() + Send + Sync>,
    ) -> WholeView {
        let Listed { heading, title, hint, member, add: (word, testid) } = self;
        view! {
            <section class="tile" aria-labelledby=heading>
                <header class="tile-header">
                    <h2 id=heading tabindex="-1">
                        {title}
                    </h2>
                </header>
                <div class="tile-body semantics-list">
                    {hint.map(|hint| view! { <p class="quiet">{hint}</p> })}
                    <For
                        each=move || 0..count.get()
                        key=|index| *index
                        children=move |index| row(defining, index)
                    />
                    <p class="field-row">{button(word, testid, add)}</p>
                    {defining.mistakes_at(move |path| path == member)}
                </div>
            </section>
        }
        .whole()
    }
}

/// The page.
#[component]
pub fn SemanticsPage() -> impl IntoView {
    with_datasets(page)
}

fn page(datasets: Vec<DatasetSummary>, problem: Option<String>) -> WholeView {
    let address = Address::of_page();
    // It outlives the form that did it.
    let told = RwSignal::new(None);
    let list = DatasetList::follow(expect_context::<Live>(), datasets, problem, |_| true);
    let dataset = Memo::new(move |_| {
        let said = address.get("dataset");
        list.all.with(|all| match said {
            Some(name) => all.iter().find(|dataset| dataset.name == name).map(|dataset| dataset.name.clone()),
            None => all.iter().find(|dataset| dataset.readable).map(|dataset| dataset.name.clone()),
        })
    });
    let version = Memo::new(move |_| address.get(VERSION));
    let names = move || list.all.with(|all| named(all.iter().map(|dataset| dataset.name.clone())));
    let choose = move |name: String| address.set(vec![("dataset", Some(name)), (VERSION, None)], Step::Push);
    let missing = move || match (dataset.with(Option::is_none), address.get("dataset")) {
        (true, Some(name)) => Some(format!("There is no dataset '{name}'. Choose one from the list.")),
        (true, None) => Some("The lake holds no dataset yet. Define one and send it records.".to_owned()),
        (false, _) => None,
    };
    let content = move || {
        let name = dataset.get()?;
        let version = version.get();
        let summary = list.all.with_untracked(|all| all.iter().find(|dataset| dataset.name == name).cloned())?;
        Some(read(summary, version, address, told))
    };
    view! {
        <p class="quiet">
            "What the figures of a dataset mean is said once, and holds in tiles, in Explore and in SQL as MEASURE(name)."
        </p>
        {changing(move || list.problem.get().map(|reason| view! { <p class="notice" role="alert">{reason}</p> }))}
        {changing(move || missing().map(|reason| view! { <p class="notice" role="alert">{reason}</p> }))}
        <div class="control-bar">
            {choice("Dataset", "semantics-dataset", names, move || dataset.get().unwrap_or_default(), choose)}
        </div>
        {changing(content)}
    }
    .whole()
}

/// What the browser has of a definition.
#[derive(Clone, PartialEq)]
enum Begin {
    Reading,
    Failed(String),
    /// What is stored, and the version that is opened, if it is an earlier one.
    There(Box<Stored>, Option<Box<Semantics>>),
}

/// Reads the definition, and the version that is opened.
fn read(
    dataset: DatasetSummary,
    version: Option<String>,
    address: Address,
    told: RwSignal<Option<&'static str>>,
) -> WholeView {
    let begin = RwSignal::new(Begin::Reading);
    // The name of the draft, for as long as this page is open.
    let (held, storage) = (Held::none(), StoredValue::new(String::new()));
    let (name, wanted) = (dataset.name.clone(), version.clone());
    Effect::new(move |_| {
        let (name, wanted) = (name.clone(), wanted.clone());
        spawn_local(async move {
            if !held.is_some() {
                let (page, claim) = claim_first(|page| storage_name(&name, wanted.as_deref(), page)).await;
                storage.try_set_value(storage_name(&name, wanted.as_deref(), page));
                held.keep(claim);
            }
            let next = match stored(&name, None).await {
                Err(reason) => Begin::Failed(reason),
                Ok(last) => match &wanted {
                    None => Begin::There(Box::new(last), None),
                    Some(moment) => match stored(&name, Some(moment)).await {
                        Err(reason) => Begin::Failed(reason),
                        Ok(earlier) => Begin::There(Box::new(last), Some(Box::new(earlier.semantics))),
                    },
                },
            };
            begin.try_set(next);
        });
    });
    let dataset = StoredValue::new(dataset);
    changing(move || match begin.get() {
        Begin::Reading => view! { <p class="quiet" role="status">"Loading"</p> }.whole(),
        Begin::Failed(reason) => view! {
            <p class="notice" role="alert">{ended(format!("The definition could not be read: {reason}"))}</p>
        }
        .whole(),
        Begin::There(last, earlier) => {
            let earlier = earlier.map(|earlier| *earlier);
            let defining = Defining::begin(dataset.get_value(), *last, earlier, storage.get_value(), told);
            form(defining, version.clone(), address)
        }
    })
    .whole()
}

impl Defining {
    /// Begins with what is stored, with an earlier version, or with what the browser has kept.
    fn begin(
        dataset: DatasetSummary,
        last: Stored,
        earlier: Option<Semantics>,
        storage: String,
        told: RwSignal<Option<&'static str>>,
    ) -> Defining {
        let draft = browser::recall(&storage).and_then(|text| serde_json::from_str::<Draft>(&text).ok());
        let draft = draft.filter(|draft| draft.semantics != last.semantics);
        let goes_on = draft.is_some();
        // What somebody else has stored since the draft began is found by storing over the version that it began with.
        let (now, version) = match draft {
            Some(Draft { semantics, version }) => (semantics, version),
            None => (earlier.unwrap_or_else(|| last.semantics.clone()), last.version),
        };
        Defining {
            dataset: StoredValue::new(dataset),
            storage: StoredValue::new(storage),
            stored: RwSignal::new(Stored { semantics: last.semantics, version }),
            now: RwSignal::new(now),
            mistakes: RwSignal::new(Vec::new()),
            goes_on: RwSignal::new(goes_on),
            told,
            changed: RwSignal::new(0),
        }
    }
}

fn form(defining: Defining, version: Option<String>, address: Address) -> WholeView {
    let description = move |text: String| defining.change(|now| now.description = text);
    view! {
        {notice(defining, version, address)}
        <div class="semantics" data-testid="semantics">
            <label class="field">
                <span class="field-name">"What a row of it is"</span>
                <input
                    type="text"
                    autocomplete="off"
                    data-testid="semantics-description"
                    prop:value=move || defining.of(|now| now.description.clone())
                    on:input:target=move |event| description(event.target().value())
                />
            </label>
            {measures::list(defining)}
            {dimensions::table(defining)}
            {hierarchies::list(defining)}
            {storing::form(defining, address)}
        </div>
        {versions::table(defining)}
    }
    .whole()
}

/// That this is not what is stored, and the way back.
fn notice(defining: Defining, version: Option<String>, address: Address) -> WholeView {
    let said = match &version {
        Some(moment) => {
            let text = model::Instant::parse(moment).map(|it| time::moment_seconds_text(it.micros()));
            let when = text.unwrap_or_else(|_| moment.clone());
            format!("This is the definition as it was saved on {when}. Stored, it is the last one again.")
        }
        None => "You go on with what was typed here before and not stored yet.".to_owned(),
    };
    let is_version = version.is_some();
    let back = move |_| {
        if is_version {
            browser::forget(&defining.storage.get_value());
            return address.set(vec![(VERSION, None)], Step::Push);
        }
        let dataset = defining.dataset.with_value(|dataset| dataset.name.clone());
        spawn_local(async move {
            // As it is by now.
            if let Ok(last) = stored(&dataset, None).await {
                defining.take(last);
            }
        });
    };
    let shown = Memo::new(move |_| is_version || (defining.goes_on.get() && defining.is_unsaved()));
    changing(move || {
        shown.get().then(|| {
            view! {
                <div class="notice" role="status" data-testid="semantics-notice">
                    <p>{said.clone()}</p>
                    <p class="field-row">
                        <button type="button" data-testid="semantics-return" on:click=back>
                            "Return to what is stored"
                        </button>
                    </p>
                </div>
            }
            .whole()
        })
    })
    .whole()
}
