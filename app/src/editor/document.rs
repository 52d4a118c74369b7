//! The dashboard that is being edited: every change is a command, and every command can be undone.

use std::sync::Arc;

use super::parameters::{renamed, with_parameter_renamed};
use crate::{
    dashboards::{Dashboard, GRID_COLUMNS, ROWS, TileDefinition},
    words::numbered,
};

/// Steps that can be undone.
const STEPS_MOST: usize = 300;

/// A dashboard at one moment. Tiles are shared between moments, so that a step costs what it changes.
#[derive(Debug, Clone, PartialEq)]
struct Moment {
    /// All but the tiles.
    head: Arc<Dashboard>,
    tiles: Vec<Arc<TileDefinition>>,
}

/// The dashboard that is being edited, and how it came to be.
#[derive(Debug, Clone)]
pub struct Document {
    now: Moment,
    past: Vec<(Moment, String)>,
    future: Vec<(Moment, String)>,
    /// What typing goes on with: the next command of the same kind is part of the same step.
    typing: Option<Typing>,
}

/// The member that is being typed into, by the tile's id; of the dashboard where that is empty.
type Typing = (String, &'static str);

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// The dashboard as it has become, whose tiles are left alone. What is typed into one member, named here, is one step.
    Head(Box<Dashboard>, &'static str),
    /// The same as a step of its own, and what was done.
    Arrange(Box<Dashboard>, String),
    /// Another name of a variable, also wherever tiles name it.
    RenameVariable {
        /// The name it has.
        from: String,
        /// The name it gets.
        to: String,
    },
    /// A tab less. What stands on it stands on the page itself then.
    RemoveTab(String),
    /// A section less. Its tiles stand where it stood.
    RemoveSection(String),
    /// A tile more, at a place or last. Its id is changed where there is one of that id.
    Add(Box<TileDefinition>, Option<usize>),
    /// A tile less.
    Remove(String),
    /// A tile at another place: the place it has once it is there. It goes to the tab and the section of the tile whose place
    /// it takes.
    Move(String, usize),
    /// A tile on a tab or in a section, where it is the last.
    Stand(String, Place),
    /// Another size, which is kept within bounds.
    Resize {
        /// The tile.
        id: String,
        /// Columns.
        width: u8,
        /// Rows.
        rows: u8,
    },
    /// A tile as it has become. What is typed into one member, named here, is one step.
    Edit(Box<TileDefinition>, &'static str),
    /// A tile once more, behind itself.
    Duplicate(String),
    /// Another dashboard altogether, and what for.
    Replace(Box<Dashboard>, String),
}

/// Where a tile stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On the page itself, above all tabs.
    Page,
    /// On the tab of that id.
    Tab(String),
    /// In the section of that id.
    Section(String),
}

impl Place {
    /// Where a tile of this dashboard is shown: what stands on a tab or in a section that is gone, on the page itself.
    pub fn shown(tile: &TileDefinition, head: &Dashboard) -> Place {
        let place = Place::of(tile);
        let is_there = match &place {
            Place::Page => true,
            Place::Tab(id) => head.tabs.iter().any(|tab| tab.id == *id),
            Place::Section(id) => head.sections.iter().any(|section| section.id == *id),
        };
        if is_there { place } else { Place::Page }
    }

    /// That of a tile.
    pub fn of(tile: &TileDefinition) -> Place {
        match (&tile.section[..], &tile.tab[..]) {
            ("", "") => Place::Page,
            ("", tab) => Place::Tab(tab.to_owned()),
            (section, _) => Place::Section(section.to_owned()),
        }
    }

    /// Puts a tile there.
    pub fn put(&self, tile: &mut TileDefinition) {
        let (section, tab) = match self {
            Place::Page => ("", ""),
            Place::Tab(id) => ("", id.as_str()),
            Place::Section(id) => (id.as_str(), ""),
        };
        section.clone_into(&mut tile.section);
        tab.clone_into(&mut tile.tab);
    }
}

/// What a command did, for those who do not see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// A sentence.
    pub words: String,
    /// The tile that it was done to.
    pub tile: Option<String>,
}

impl Document {
    /// Begins with a dashboard.
    pub fn new(dashboard: Dashboard) -> Document {
        Document { now: Moment::of(dashboard), past: Vec::new(), future: Vec::new(), typing: None }
    }

    /// The dashboard as it is now.
    pub fn dashboard(&self) -> Dashboard {
        let tiles = self.now.tiles.iter().map(|tile| TileDefinition::clone(tile)).collect();
        Dashboard { tiles, ..Dashboard::clone(&self.now.head) }
    }

    /// All but its tiles.
    pub fn head(&self) -> &Arc<Dashboard> {
        &self.now.head
    }

    /// Its tiles.
    pub fn tiles(&self) -> &[Arc<TileDefinition>] {
        &self.now.tiles
    }

    /// The tile of that id.
    pub fn tile(&self, id: &str) -> Option<&Arc<TileDefinition>> {
        self.now.tiles.iter().find(|tile| tile.id == id)
    }

    /// What would be undone, if anything can be.
    pub fn undoes(&self) -> Option<&str> {
        self.past.last().map(|(_, what)| what.as_str())
    }

    /// What would be done again, if anything can be.
    pub fn redoes(&self) -> Option<&str> {
        self.future.last().map(|(_, what)| what.as_str())
    }

    /// Ends what is being typed: the next letter is a step of its own.
    pub fn settle(&mut self) {
        self.typing = None;
    }

    /// Carries a command out. `None` where it changes nothing, or concerns a tile that is not there.
    pub fn apply(&mut self, command: Command) -> Option<Said> {
        let typing = typing_of(&command);
        let (next, what, tile) = self.now.after(command)?;
        if next == self.now {
            return None;
        }
        let goes_on = typing.is_some() && typing == self.typing;
        let before = std::mem::replace(&mut self.now, next);
        if !goes_on {
            self.past.push((before, what.clone()));
            if self.past.len() > STEPS_MOST {
                self.past.remove(0);
            }
        }
        self.future.clear();
        self.typing = typing;
        Some(Said { words: what, tile })
    }

    /// Takes the last step back.
    pub fn undo(&mut self) -> Option<Said> {
        let (before, what) = self.past.pop()?;
        let after = std::mem::replace(&mut self.now, before);
        self.future.push((after, what.clone()));
        self.typing = None;
        Some(Said { words: format!("Undone: {what}"), tile: None })
    }

    /// Does again what was undone last.
    pub fn redo(&mut self) -> Option<Said> {
        let (after, what) = self.future.pop()?;
        let before = std::mem::replace(&mut self.now, after);
        self.past.push((before, what.clone()));
        self.typing = None;
        Some(Said { words: format!("Done again: {what}"), tile: None })
    }

    /// Gives it this name, whatever the step said that was taken back.
    pub fn keep_name(&mut self, name: &str) {
        if self.now.head.name != name {
            self.now.head = Arc::new(Dashboard { name: name.to_owned(), ..Dashboard::clone(&self.now.head) });
        }
    }

    /// An id that no tile has, made of a title.
    pub fn free_id(&self, title: &str) -> String {
        self.now.free_id(title)
    }
}

fn typing_of(command: &Command) -> Option<Typing> {
    match command {
        Command::Edit(tile, member) => Some((tile.id.clone(), *member)),
        Command::Head(_, member) => Some((String::new(), *member)),
        _ => None,
    }
}

impl Moment {
    fn of(mut dashboard: Dashboard) -> Moment {
        let tiles = std::mem::take(&mut dashboard.tiles).into_iter().map(Arc::new).collect();
        Moment { head: Arc::new(dashboard), tiles }
    }

    fn place(&self, id: &str) -> Option<usize> {
        self.tiles.iter().position(|tile| tile.id == id)
    }

    fn free_id(&self, title: &str) -> String {
        free_name(title, "tile", |id| self.place(id).is_some())
    }

    /// Puts tiles at other places; none of those for which there is none.
    fn rearrange(&mut self, other: impl Fn(&TileDefinition) -> Option<Place>) {
        for tile in &mut self.tiles {
            if let Some(place) = other(tile) {
                *tile = standing(tile.clone(), &place);
            }
        }
    }

    /// A place, for people.
    fn called(&self, place: &Place) -> String {
        match place {
            Place::Page => "the page itself".to_owned(),
            Place::Tab(id) => {
                let tab = self.head.tabs.iter().find(|tab| tab.id == *id);
                format!("the tab '{}'", tab.map_or(id, |tab| &tab.title))
            }
            Place::Section(id) => {
                let section = self.head.sections.iter().find(|section| section.id == *id);
                format!("the section '{}'", section.map_or(id, |section| &section.title))
            }
        }
    }

    /// The moment after a command, what was done, and to which tile.
    fn after(&self, command: Command) -> Option<(Moment, String, Option<String>)> {
        let mut next = self.clone();
        let done = |next: Moment, what: String, tile: Option<String>| Some((next, what, tile));
        match command {
            Command::Head(head, member) => {
                next.head = Arc::new(Dashboard { tiles: Vec::new(), ..*head });
                let what = match member {
                    "variables" | "tabs" | "sections" => format!("Changed the {member}"),
                    _ => "Dashboard described".to_owned(),
                };
                done(next, what, None)
            }
            Command::Arrange(head, what) => {
                next.head = Arc::new(Dashboard { tiles: Vec::new(), ..*head });
                done(next, what, None)
            }
            Command::RenameVariable { from, to } => {
                let mut head = Dashboard::clone(&self.head);
                head.variables.iter_mut().find(|variable| variable.name == from)?.name.clone_from(&to);
                head.notes = head.notes.map(|sql| renamed(&sql, &from, &to));
                next.head = Arc::new(head);
                for tile in &mut next.tiles {
                    if let Some(renamed) = with_parameter_renamed(tile, &from, &to) {
                        *tile = Arc::new(renamed);
                    }
                }
                done(next, format!("Renamed the variable '{from}' to '{to}'"), None)
            }
            Command::RemoveTab(id) => {
                let mut head = Dashboard::clone(&self.head);
                let tab = head.tabs.remove(head.tabs.iter().position(|tab| tab.id == id)?);
                head.sections.iter_mut().filter(|section| section.tab == id).for_each(|section| section.tab.clear());
                next.head = Arc::new(head);
                next.rearrange(|tile| (Place::of(tile) == Place::Tab(id.clone())).then_some(Place::Page));
                done(next, format!("Removed the tab '{}'", tab.title), None)
            }
            Command::RemoveSection(id) => {
                let mut head = Dashboard::clone(&self.head);
                let section = head.sections.remove(head.sections.iter().position(|section| section.id == id)?);
                let outer = if section.tab.is_empty() { Place::Page } else { Place::Tab(section.tab) };
                next.head = Arc::new(head);
                next.rearrange(|tile| (Place::of(tile) == Place::Section(id.clone())).then(|| outer.clone()));
                done(next, format!("Removed the section '{}'", section.title), None)
            }
            Command::Add(mut tile, place) => {
                if self.place(&tile.id).is_some() || tile.id.is_empty() {
                    tile.id = self.free_id(&tile.title);
                }
                let (id, what) = (tile.id.clone(), format!("Added '{}'", tile.title));
                let place = place.unwrap_or(next.tiles.len()).min(next.tiles.len());
                next.tiles.insert(place, Arc::new(*tile));
                done(next, what, Some(id))
            }
            Command::Remove(id) => {
                let tile = next.tiles.remove(self.place(&id)?);
                done(next, format!("Removed '{}'", tile.title), None)
            }
            Command::Move(id, to) => {
                let tile = next.tiles.remove(self.place(&id)?);
                let to = to.min(next.tiles.len());
                let what = format!("Moved '{}' to place {} of {}", tile.title, to + 1, self.tiles.len());
                let place = self.tiles.get(to).map_or(Place::Page, |taken| Place::of(taken));
                next.tiles.insert(to, standing(tile, &place));
                done(next, what, Some(id))
            }
            Command::Stand(id, place) => {
                let tile = &self.tiles[self.place(&id)?];
                if Place::of(tile) == place {
                    return None;
                }
                let (title, tile) = (tile.title.clone(), next.tiles.remove(self.place(&id)?));
                next.tiles.push(standing(tile, &place));
                done(next, format!("Moved '{title}' to {}", self.called(&place)), Some(id))
            }
            Command::Resize { id, width, rows } => {
                let place = self.place(&id)?;
                let tile = &self.tiles[place];
                let (width, rows) = (width.clamp(1, GRID_COLUMNS), rows.clamp(ROWS.0, ROWS.1));
                if (tile.width, tile.rows()) == (width, rows) {
                    return None;
                }
                let what = format!("Made '{}' {width} of {GRID_COLUMNS} columns wide and {rows} rows high", tile.title);
                let resized = TileDefinition { width, rows: Some(rows), tall: false, ..TileDefinition::clone(tile) };
                next.tiles[place] = Arc::new(resized);
                done(next, what, Some(id))
            }
            Command::Edit(tile, _) => {
                let place = self.place(&tile.id)?;
                let (id, what) = (tile.id.clone(), format!("Changed '{}'", tile.title));
                next.tiles[place] = Arc::new(*tile);
                done(next, what, Some(id))
            }
            Command::Duplicate(id) => {
                let place = self.place(&id)?;
                let tile = &self.tiles[place];
                let copy = TileDefinition { id: self.free_id(&tile.title), ..TileDefinition::clone(tile) };
                let (id, what) = (copy.id.clone(), format!("Duplicated '{}'", tile.title));
                next.tiles.insert(place + 1, Arc::new(copy));
                done(next, what, Some(id))
            }
            Command::Replace(dashboard, what) => done(Moment::of(*dashboard), what, None),
        }
    }
}

/// The tile at a place.
fn standing(tile: Arc<TileDefinition>, place: &Place) -> Arc<TileDefinition> {
    if Place::of(&tile) == *place {
        return tile;
    }
    let mut tile = TileDefinition::clone(&tile);
    place.put(&mut tile);
    Arc::new(tile)
}

/// An id made of a title, or of `otherwise` where no letter of it is left, with a number behind it where that is taken.
pub fn free_name(title: &str, otherwise: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let plain = plain_name(title);
    numbered(if plain.is_empty() { otherwise } else { &plain }, "-", is_taken)
}

/// A name for addresses, made of a title: `a` to `z`, `0` to `9` and `-`.
pub fn plain_name(title: &str) -> String {
    let letters: String =
        title.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    letters.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-").chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tile(id: &str) -> TileDefinition {
        let json = serde_json::json!({"id": id, "title": id, "sql": "SELECT 1", "picture": {"grid": {}}});
        serde_json::from_value(json).unwrap()
    }

    fn document(ids: &[&str]) -> Document {
        let mut dashboard: Dashboard =
            serde_json::from_str(r#"{"name": "desk", "title": "Desk", "tiles": []}"#).unwrap();
        dashboard.tiles = ids.iter().map(|id| tile(id)).collect();
        Document::new(dashboard)
    }

    fn ids(document: &Document) -> Vec<&str> {
        document.tiles().iter().map(|tile| tile.id.as_str()).collect()
    }

    #[test]
    fn tiles_come_go_and_move() {
        let mut document = document(&["a", "b", "c"]);
        let said = document.apply(Command::Move("a".into(), 2)).unwrap();
        assert_eq!(said.words, "Moved 'a' to place 3 of 3");
        assert_eq!(ids(&document), ["b", "c", "a"]);
        document.apply(Command::Duplicate("c".into())).unwrap();
        assert_eq!(ids(&document), ["b", "c", "c-2", "a"]);
        document.apply(Command::Add(Box::new(tile("a")), Some(0))).unwrap();
        assert_eq!(ids(&document), ["a-2", "b", "c", "c-2", "a"]);
        document.apply(Command::Remove("b".into())).unwrap();
        assert_eq!(document.apply(Command::Remove("b".into())), None);
        assert_eq!(document.undo().unwrap().words, "Undone: Removed 'b'");
        assert_eq!(ids(&document), ["a-2", "b", "c", "c-2", "a"]);
    }

    #[test]
    fn what_is_typed_in_one_go_is_one_step() {
        let mut document = document(&["a"]);
        for title in ["G", "GD", "GDP"] {
            let edited = TileDefinition { title: title.into(), ..TileDefinition::clone(document.tile("a").unwrap()) };
            document.apply(Command::Edit(Box::new(edited), "title")).unwrap();
        }
        document.settle();
        let edited = TileDefinition { title: "GDP.".into(), ..TileDefinition::clone(document.tile("a").unwrap()) };
        document.apply(Command::Edit(Box::new(edited), "title")).unwrap();
        document.undo().unwrap();
        assert_eq!(document.tile("a").unwrap().title, "GDP");
        document.undo().unwrap();
        assert_eq!(document.tile("a").unwrap().title, "a");
        assert_eq!(document.redo().unwrap().words, "Done again: Changed 'G'");
        assert_eq!(document.tile("a").unwrap().title, "GDP");
    }

    /// Two tabs, a section on the second; `a` on the page, `b` on the first tab, `c` in the section.
    fn placed() -> Document {
        let mut dashboard = document(&["a", "b", "c"]).dashboard();
        let value = serde_json::json!([{"id": "one", "title": "One"}, {"id": "two", "title": "Two"}]);
        dashboard.tabs = serde_json::from_value(value).unwrap();
        let value = serde_json::json!([{"id": "more", "title": "More", "tab": "two"}]);
        dashboard.sections = serde_json::from_value(value).unwrap();
        Place::Tab("one".into()).put(&mut dashboard.tiles[1]);
        Place::Section("more".into()).put(&mut dashboard.tiles[2]);
        Document::new(dashboard)
    }

    fn places(document: &Document) -> Vec<Place> {
        document.tiles().iter().map(|tile| Place::of(tile)).collect()
    }

    #[test]
    fn tiles_go_to_the_tab_and_the_section_of_what_stands_there() {
        let mut document = placed();
        document.apply(Command::Move("a".into(), 2)).unwrap();
        assert_eq!(ids(&document), ["b", "c", "a"]);
        assert_eq!(places(&document)[2], Place::Section("more".into()));
        let said = document.apply(Command::Stand("b".into(), Place::Tab("two".into()))).unwrap();
        assert_eq!(said.words, "Moved 'b' to the tab 'Two'");
        assert_eq!((ids(&document), places(&document)[2].clone()), (vec!["c", "a", "b"], Place::Tab("two".into())));
        assert_eq!(document.apply(Command::Stand("b".into(), Place::Tab("two".into()))), None);
    }

    #[test]
    fn what_stood_on_a_tab_or_in_a_section_stays() {
        let mut document = placed();
        document.apply(Command::RemoveSection("more".into())).unwrap();
        assert_eq!(places(&document), [Place::Page, Place::Tab("one".into()), Place::Tab("two".into())]);
        document.undo().unwrap();
        document.apply(Command::RemoveTab("two".into())).unwrap();
        assert_eq!(document.head().sections[0].tab, "");
        document.apply(Command::RemoveTab("one".into())).unwrap();
        assert_eq!(places(&document), [Place::Page, Place::Page, Place::Section("more".into())]);
        assert_eq!(document.apply(Command::RemoveTab("one".into())), None);
        assert!(document.dashboard().problems().is_empty());
    }

    #[test]
    fn a_variable_is_renamed_wherever_it_is_named() {
        let mut dashboard = document(&["a", "b"]).dashboard();
        dashboard.variables = serde_json::from_str(r#"[{"name": "r", "kind": "text"}]"#).unwrap();
        dashboard.tiles[0].sql = "SELECT $r, $region, $from".into();
        dashboard.notes = Some("SELECT $r".into());
        let mut document = Document::new(dashboard);
        document.apply(Command::RenameVariable { from: "r".into(), to: "land".into() }).unwrap();
        assert_eq!(document.tiles()[0].sql, "SELECT $land, $region, $from");
        assert_eq!(document.head().notes.as_deref(), Some("SELECT $land"));
        assert_eq!(
            (document.head().variables[0].name.as_str(), document.tiles()[1].sql.as_str()),
            ("land", "SELECT 1")
        );
        assert_eq!(document.apply(Command::RenameVariable { from: "r".into(), to: "x".into() }), None);
        document.undo().unwrap();
        assert_eq!(document.tiles()[0].sql, "SELECT $r, $region, $from");
    }

    #[test]
    fn sizes_stay_within_bounds() {
        let mut document = document(&["a"]);
        document.apply(Command::Resize { id: "a".into(), width: 40, rows: 0 }).unwrap();
        let tile = document.tile("a").unwrap();
        assert_eq!((tile.width, tile.rows()), (GRID_COLUMNS, ROWS.0));
        assert_eq!(document.apply(Command::Resize { id: "a".into(), width: 90, rows: 1 }), None);
    }

    #[test]
    fn names_are_made_of_titles() {
        assert_eq!(plain_name("  GDP – by country (2024)! "), "gdp-by-country-2024");
        assert_eq!(plain_name("日本"), "");
        assert_eq!(document(&["tile"]).free_id("日本"), "tile-2");
    }

    fn any_place() -> impl Strategy<Value = Place> {
        let places = [Place::Page, Place::Tab("one".into()), Place::Tab("two".into()), Place::Section("more".into())];
        prop::sample::select(places.to_vec())
    }

    fn any_command() -> impl Strategy<Value = Command> {
        let id = || prop::sample::select(vec!["a", "b", "c", "b-2", "gone"]).prop_map(str::to_owned);
        prop_oneof![
            (id(), 0_usize..6).prop_map(|(id, to)| Command::Move(id, to)),
            id().prop_map(Command::Remove),
            id().prop_map(Command::Duplicate),
            (id(), prop::option::of(0_usize..9)).prop_map(|(id, place)| Command::Add(Box::new(tile(&id)), place)),
            (id(), any::<u8>(), any::<u8>()).prop_map(|(id, width, rows)| Command::Resize { id, width, rows }),
            (id(), "[a-z]{0,3}")
                .prop_map(|(id, title)| { Command::Edit(Box::new(TileDefinition { title, ..tile(&id) }), "title") }),
            "[a-z]{0,3}".prop_map(|title| {
                let head = Dashboard { title, ..placed().dashboard() };
                Command::Head(Box::new(head), "title")
            }),
            (id(), any_place()).prop_map(|(id, place)| Command::Stand(id, place)),
            prop::sample::select(vec!["one", "two", "gone"]).prop_map(|id| Command::RemoveTab(id.into())),
            Just(Command::RemoveSection("more".into())),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_done_can_be_undone_and_done_again(commands in prop::collection::vec(any_command(), 0..40)) {
            let first = placed();
            let mut document = first.clone();
            let mut states = vec![first.dashboard()];
            for command in commands {
                document.settle();
                if document.apply(command).is_some() {
                    states.push(document.dashboard());
                }
                let mut known = std::collections::BTreeSet::new();
                prop_assert!(document.tiles().iter().all(|tile| known.insert(tile.id.clone())), "one id twice");
            }
            for state in states.iter().rev().skip(1) {
                document.undo().unwrap();
                prop_assert_eq!(&document.dashboard(), state);
            }
            prop_assert_eq!(document.undo(), None);
            for state in states.iter().skip(1) {
                document.redo().unwrap();
                prop_assert_eq!(&document.dashboard(), state);
            }
            prop_assert_eq!(document.redo(), None);
        }
    }
}
