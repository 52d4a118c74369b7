//! What all parts of the editor share: the document, what is chosen in it, and the datasets it asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use leptos::{prelude::*, task::spawn_local};
use model::{DatasetSummary, Instant};

use super::panel::choosing;
use crate::{
    dashboards::{
        Clock, Dashboard, Moment, Options, PictureDefinition, TileDefinition, Variable,
        builder::{
            Extent, Fields, OutputColumn, Problem, Question, TileQuery, compile, first_question, fit_picture, title_of,
        },
        range_of,
        semantics::Semantics,
    },
    editor::{Command, Document, Place, Said},
    format::time,
    live::Live,
    queries::{
        client::{self, About, Request},
        profile,
        semantics::semantics,
    },
    state::{
        address::Address,
        coordinates::{Coordinates, Effective},
        datasets::DatasetList,
        tile::PageRead,
    },
    tasks::publishing::Published,
};

/// The members of a tile's own times that say its effective range.
const EFFECTIVE: [&str; 4] = ["on", "last", "from", "to"];

/// Goes to an address.
pub(super) type Go = Arc<dyn Fn(&str) + Send + Sync>;

/// The editor of one dashboard.
#[derive(Clone, Copy)]
pub(super) struct Editing {
    pub(super) document: RwSignal<Document>,
    /// The tile whose panel is open.
    pub(super) selected: RwSignal<Option<String>>,
    /// What was done last, for those who do not see it.
    pub(super) said: RwSignal<String>,
    /// What is published, as far as it is known here; none of a new dashboard.
    pub(super) published: RwSignal<Option<Published>>,
    /// The name under which it is published; none of a new one.
    pub(super) name: StoredValue<Option<String>>,
    /// The name of its draft in the browser, which no other page has.
    pub(super) storage: StoredValue<String>,
    /// What was published when the editor was opened.
    pub(super) read: StoredValue<Option<Published>>,
    /// Goes to another address in the place of this one.
    pub(super) go: StoredValue<Go>,
    /// When the draft was kept that this went on with, for people.
    pub(super) restored: RwSignal<Option<String>>,
    /// Whether its name is given, so that it follows the title no more.
    pub(super) named: RwSignal<bool>,
    /// Tiles whose kind of picture nobody has chosen, so that it follows the question.
    pub(super) automatic: RwSignal<BTreeSet<String>>,
    /// The columns of the answers of tiles with a statement, by tile.
    pub(super) columns: RwSignal<BTreeMap<String, Vec<OutputColumn>>>,
    pub(super) list: DatasetList,
    /// How far datasets reach, by name; those that have been asked for.
    pub(super) extents: RwSignal<BTreeMap<String, Option<Extent>>>,
    /// The variables of the dashboard.
    pub(super) variables: Memo<Arc<Vec<Variable>>>,
    /// What is wrong with the dashboard without its tiles, found once for all fields.
    pub(super) problems: Memo<Vec<crate::dashboards::Problem>>,
    /// What can be chosen of variables with a query; without those that are still being read.
    pub(super) options: RwSignal<Options>,
    /// The tab that was chosen to be shown, by its id.
    pub(super) tab: RwSignal<String>,
    /// What is defined of datasets, by name, each with when that was stored.
    pub(super) meanings: RwSignal<BTreeMap<String, (Instant, Arc<Semantics>)>>,
    pub(super) page: PageRead,
    pub(super) live: Live,
    pub(super) address: Address,
    /// The first moment anything was known, in microseconds.
    pub(super) first: Memo<Option<i64>>,
}

impl Editing {
    /// The tile of that id; tracked.
    pub(super) fn tile(self, id: &str) -> Option<Arc<TileDefinition>> {
        self.document.with(|document| document.tile(id).cloned())
    }

    /// Carries a command out and tells it. What is being typed tells itself.
    pub(super) fn apply(self, command: Command) {
        let types = matches!(command, Command::Edit(..) | Command::Head(..));
        let mut said = None;
        self.document.maybe_update(|document| {
            said = document.apply(command);
            said.is_some()
        });
        if let Some(said) = said.filter(|_| !types) {
            self.tell(said);
        }
    }

    fn tell(self, Said { words, tile }: Said) {
        self.said.set(words);
        if let Some(tile) = tile {
            self.selected.set(Some(tile));
        }
        let gone = |id: &String| self.document.with_untracked(|document| document.tile(id).is_none());
        if self.selected.get_untracked().as_ref().is_some_and(gone) {
            self.selected.set(None);
        }
    }

    /// Takes the last step back, or does it again.
    pub(super) fn step(self, forth: bool) {
        let mut said = None;
        self.document.maybe_update(|document| {
            said = if forth { document.redo() } else { document.undo() };
            // What is published has its name for good.
            if let Some(name) = self.name.get_value() {
                document.keep_name(&name);
            }
            said.is_some()
        });
        if let Some(said) = said {
            self.tell(said);
        }
    }

    /// Ends what is being typed. A field tells so also when it is taken away with the whole editor.
    pub(super) fn settle(self) {
        self.document.try_update_untracked(Document::settle);
    }

    /// Changes a tile. What is typed into one member is one step.
    pub(super) fn edit(self, id: &str, member: &'static str, change: impl FnOnce(&mut TileDefinition)) {
        let tile = self.document.with_untracked(|document| document.tile(id).cloned());
        let Some(tile) = tile else { return };
        let mut tile = TileDefinition::clone(&tile);
        change(&mut tile);
        self.apply(Command::Edit(Box::new(tile), member));
    }

    /// Changes a tile's question; its title follows while nobody has given it another, and its picture what can be drawn.
    pub(super) fn ask(self, id: &str, member: &'static str, change: impl FnOnce(&mut TileQuery)) {
        let keep_kind = self.automatic.with_untracked(|automatic| !automatic.contains(id));
        self.edit(id, member, |tile| {
            let Some(query) = &mut tile.query else { return };
            let follows = tile.title.is_empty() || tile.title == title_of(query);
            change(query);
            if follows {
                tile.title = title_of(query);
            }
            // What lies below it goes when nothing does any more; what is shown does not depend on it.
            let alone = TileQuery { down: None, ..TileQuery::clone(query) };
            if let Ok(question) = self.compiled(&alone) {
                let leads_down = query.down.is_none() || self.compiled(query).is_ok();
                tile.picture = fit_picture(&tile.title, &tile.picture, &question.columns, keep_kind);
                choosing::fit(tile, &question.columns, leads_down);
            }
        });
    }

    /// A question as a statement for the datasets as they are; untracked.
    pub(super) fn compiled(self, query: &TileQuery) -> Result<Question, Vec<Problem>> {
        untrack(|| self.compiled_now(query))
    }

    /// The same, tracked.
    pub(super) fn compiled_now(self, query: &TileQuery) -> Result<Question, Vec<Problem>> {
        let problem = |reason: String, missing: Option<String>| {
            Err(vec![Problem { pointer: "/dataset".to_owned(), span: None, missing, reason }])
        };
        self.list.all.with(|all| match all.iter().find(|dataset| dataset.name == query.dataset) {
            Some(dataset) if dataset.readable => compile(query, &self.fields_of(dataset)),
            Some(dataset) => {
                problem(format!("nothing of '{}' can be read before its import is sealed", dataset.name), None)
            }
            None if query.dataset.is_empty() => problem("choose a dataset".to_owned(), None),
            None => {
                let reason = format!("there is no dataset '{}' any more; choose another", query.dataset);
                problem(reason, Some(query.dataset.clone()))
            }
        })
    }

    /// The fields of a dataset; tracked. None where there is no such dataset.
    pub(super) fn fields(self, dataset: &str) -> Fields {
        self.list.all.with(|all| {
            let found = all.iter().find(|known| known.name == dataset);
            found.map(|dataset| self.fields_of(dataset)).unwrap_or_default()
        })
    }

    fn fields_of(self, dataset: &DatasetSummary) -> Fields {
        let fields = Fields::of(&dataset.definition);
        let fields = self.variables.with(|variables| fields.chosen_by(variables));
        match dataset.semantics {
            None => fields.meaning(Arc::new(Semantics::none(&dataset.name))),
            Some(_) => self.meanings.with(|known| match known.get(&dataset.name) {
                Some((_, meaning)) => fields.meaning(meaning.clone()),
                None => fields,
            }),
        }
    }

    /// Reads what is defined of datasets, again whenever a definition was stored.
    pub(super) fn follow_meanings(self) {
        Effect::new(move |_| {
            let of = |dataset: &DatasetSummary| Some((dataset.name.clone(), dataset.semantics?));
            let stored: Vec<(String, Instant)> = self.list.all.with(|all| all.iter().filter_map(of).collect());
            for (dataset, stored) in stored {
                let is_read = |known: &(Instant, Arc<Semantics>)| known.0 == stored;
                if self.meanings.with_untracked(|known| known.get(&dataset).is_some_and(is_read)) {
                    continue;
                }
                spawn_local(async move {
                    // Until they are there, names of measures are taken as they are.
                    if let Ok(read) = semantics(&dataset, None).await {
                        self.meanings.try_update(|known| {
                            let is_later = known.get(&dataset).is_some_and(|(known, _)| *known > stored);
                            if !is_later {
                                known.insert(dataset, (stored, Arc::new(read)));
                            }
                        });
                    }
                });
            }
        });
    }

    /// What coordinates mean at this moment; tracked.
    pub(super) fn moment(self, coordinates: Coordinates) -> Moment {
        let clock = Clock {
            now: self.live.now.get(),
            today: self.live.today(),
            last_commit: self.live.head_micros(),
            first_known: self.first.get(),
        };
        Moment::of(coordinates, clock)
    }

    /// What the page's coordinates mean at this moment; tracked.
    pub(super) fn page_moment(self) -> Moment {
        self.moment(Coordinates::read(|name| self.address.get(name)).0)
    }

    /// The tab that is shown, if there are tabs; tracked.
    pub(super) fn shown_tab(self) -> Option<String> {
        let chosen = self.tab.get();
        self.document.with(|document| {
            let tabs = &document.head().tabs;
            let shown = tabs.iter().find(|tab| tab.id == chosen).or_else(|| tabs.first());
            shown.map(|tab| tab.id.clone())
        })
    }

    /// Where a tile more stands, where nobody says: on the tab that is shown; untracked.
    fn usual_place(self) -> Place {
        untrack(|| self.shown_tab()).map_or(Place::Page, Place::Tab)
    }

    /// Changes the dashboard itself. What is typed into one member is one step.
    pub(super) fn describe(self, member: &'static str, change: impl FnOnce(&mut Dashboard)) {
        if let Some(head) = self.changed(change) {
            self.apply(Command::Head(head, member));
        }
    }

    /// The same as a step of its own, which is told.
    pub(super) fn arrange(self, what: impl Into<String>, change: impl FnOnce(&mut Dashboard)) {
        if let Some(head) = self.changed(change) {
            self.apply(Command::Arrange(head, what.into()));
        }
    }

    /// A field tells of its change also when it is taken away with the whole editor.
    fn changed(self, change: impl FnOnce(&mut Dashboard)) -> Option<Box<Dashboard>> {
        let mut head = self.document.try_with_untracked(|document| Dashboard::clone(document.head()))?;
        change(&mut head);
        Some(Box::new(head))
    }

    /// Names of the datasets that can be asked; tracked.
    pub(super) fn dataset_names(self) -> Vec<String> {
        self.list.all.with(|all| all.iter().filter(|it| it.readable).map(|it| it.name.clone()).collect())
    }

    /// A tile more, without a question yet, and its panel; at a place, or at the usual one.
    pub(super) fn add_tile(self, place: Option<Place>) {
        let names = untrack(|| self.dataset_names());
        // Where there is but one dataset it is the one that is meant.
        let dataset = if let [one] = &names[..] { one.clone() } else { String::new() };
        let mut tile = TileDefinition {
            id: self.document.with_untracked(|document| document.free_id("tile")),
            query: Some(Box::default()),
            ..TileDefinition::empty()
        };
        place.unwrap_or_else(|| self.usual_place()).put(&mut tile);
        let id = tile.id.clone();
        self.automatic.update(|automatic| {
            automatic.insert(id.clone());
        });
        self.apply(Command::Add(Box::new(tile), None));
        if !dataset.is_empty() {
            self.choose_dataset(&id, dataset);
        }
    }

    /// A tile of words more, and its panel.
    pub(super) fn add_words(self) {
        let text = "## Heading\n\nWords about what is shown.".to_owned();
        let mut tile = TileDefinition {
            id: self.document.with_untracked(|document| document.free_id("words")),
            title: "Words".to_owned(),
            picture: PictureDefinition::Markdown { text },
            ..TileDefinition::empty()
        };
        self.usual_place().put(&mut tile);
        self.apply(Command::Add(Box::new(tile), None));
    }

    /// Asks something of a dataset that shows it, whatever the tile asked before of another.
    pub(super) fn choose_dataset(self, id: &str, dataset: String) {
        self.begin(id, &dataset);
        let known = self.extents.with_untracked(|extents| extents.get(&dataset).copied().flatten());
        if known.is_some() {
            return;
        }
        let id = id.to_owned();
        spawn_local(async move {
            self.read_extent(&dataset).await;
            let still = self.document.try_with_untracked(|document| {
                let tile = document.tile(&id)?;
                Some(tile.query.as_ref()?.dataset == dataset)
            });
            if still.flatten() == Some(true) {
                self.begin(&id, &dataset);
            }
        });
    }

    async fn read_extent(self, dataset: &str) {
        let key = self.list.all.try_with_untracked(|all| {
            all.iter().find(|known| known.name == dataset).map(|known: &DatasetSummary| known.definition.key.clone())
        });
        let Some(key) = key.flatten() else { return };
        let request = Request::new(profile::extent(dataset, &key), None, About::default());
        // Without it the question begins without a time; whoever edits can choose one.
        let read = client::ask(&request).await.and_then(|answer| profile::extent_of(&answer.table));
        self.extents.try_update(|extents| extents.insert(dataset.to_owned(), read.ok()));
    }

    fn begin(self, id: &str, dataset: &str) {
        let of_another = self.document.with_untracked(|document| {
            document.tile(id).and_then(|tile| tile.query.as_ref().map(|query| query.dataset != dataset))
        });
        let extent = self.extents.with_untracked(|extents| extents.get(dataset).copied().flatten());
        let fields = untrack(|| self.fields(dataset));
        let page = untrack(|| self.page_days());
        self.ask(id, "dataset", |query| {
            // What was put together of the same dataset stays.
            let untouched = query.dataset != dataset
                || *query == first_question(dataset, &fields, None)
                || *query == first_question(dataset, &fields, extent.as_ref());
            if untouched {
                *query = first_question(dataset, &fields, extent.as_ref());
            }
        });
        let beside = extent.and_then(|extent| extent.times_beside(page));
        if of_another == Some(true) || beside.is_some() {
            self.edit(id, "dataset", |tile| {
                // Times of what was shown before say nothing of this.
                tile.times.retain(|name, _| !EFFECTIVE.contains(&name.as_str()));
                let days = beside.map(|(from, to)| [("from", from), ("to", to)]).into_iter().flatten();
                tile.times.extend(days.map(|(name, day)| (name.to_owned(), time::iso_day(day))));
            });
        }
    }

    /// The effective range of the page, in days; tracked.
    fn page_days(self) -> (i64, i64) {
        let chosen = Coordinates::read(|name| self.address.get(name)).0;
        let today = self.live.today();
        let (from, to) = range_of(chosen.effective.days(today), self.first.get(), today);
        (time::day_of(from), time::day_of(to))
    }

    /// Chooses the picture of a tile. From now on it stays that kind.
    pub(super) fn choose_picture(self, id: &str, picture: PictureDefinition) {
        self.automatic.update(|automatic| {
            automatic.remove(id);
        });
        self.edit(id, "picture", |tile| tile.picture = picture);
    }

    /// Shows a tile over other effective times than the page, or over the page's.
    pub(super) fn choose_effective(self, id: &str, effective: Option<Effective>) {
        self.edit(id, "times", |tile| {
            tile.times.retain(|name, _| !EFFECTIVE.contains(&name.as_str()));
            let changes = effective.map(Effective::changes).into_iter().flatten();
            tile.times.extend(changes.filter_map(|(name, value)| Some((name.to_owned(), value?))));
        });
    }
}
