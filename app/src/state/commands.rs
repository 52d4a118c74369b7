//! What can be reached and done by name, and which of it a few typed letters mean. Pure.

use model::DatasetSummary;

use crate::{
    components::chrome::{
        DESIGN, NEW_DASHBOARD, PAGES, SEMANTICS, dashboard_address, dataset_address, explore_address,
    },
    format::zone::UTC,
    order,
    pages::docs,
    queries::docs::Section,
    state::display::{DENSITIES, OWN, ZONES},
};

/// How many commands are remembered as recent.
pub const RECENT_MOST: usize = 5;
/// How many commands are shown at most.
const SHOWN_MOST: usize = 40;

/// What a command does to the page that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Puts this page's address where it can be pasted from.
    CopyLink,
    /// Takes the known time back to now.
    ReturnToNow,
    /// Shows the keys of the page.
    ShowKeys,
    /// Chooses a theme.
    Theme(&'static str),
    /// Chooses a density.
    Density(&'static str),
    /// Chooses the time zone by its name, or the browser's.
    Zone(&'static str),
}

/// Where a command leads, or what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Opens an address of this server.
    Open(String),
    /// Does something here.
    Do(Action),
}

/// Something that can be reached or done by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its name.
    pub name: String,
    /// Where it belongs: a kind, or the page a section stands on. Found as well, after names.
    pub place: String,
    /// The key that does the same; empty where there is none.
    pub key: &'static str,
    /// What it does.
    pub deed: Deed,
}

impl Command {
    fn open(name: &str, place: &str, address: &str) -> Command {
        Command { name: name.to_owned(), place: place.to_owned(), key: "", deed: Deed::Open(address.to_owned()) }
    }

    fn act(name: &str, key: &'static str, action: Action) -> Command {
        Command { name: name.to_owned(), place: "Action".to_owned(), key, deed: Deed::Do(action) }
    }

    /// What it is remembered by: stays the same from visit to visit.
    pub fn id(&self) -> &str {
        match &self.deed {
            Deed::Open(address) => address,
            Deed::Do(_) => &self.name,
        }
    }
}

/// All commands, in the order in which they are shown before anything is typed. Of dashboards there is name and title; `past`
/// says whether the page shows what was known at a moment in the past.
pub fn commands(
    datasets: &[DatasetSummary],
    dashboards: &[(String, String)],
    sections: &[Section],
    past: bool,
) -> Vec<Command> {
    let pages = PAGES.iter().map(|(address, title, _, _)| Command::open(title, "Page", address));
    let dashboards = dashboards.iter().map(|(name, title)| Command::open(title, "Dashboard", &dashboard_address(name)));
    let below = docs::PAGES.iter().filter(|(slug, _)| !slug.is_empty());
    let below = below.map(|(slug, title)| Command::open(title, "Documentation", &docs::address_of(slug)));
    let datasets = datasets.iter().filter(|dataset| dataset.readable);
    let datasets = datasets.flat_map(|DatasetSummary { name, .. }| {
        let explore = format!("Explore {name}");
        [
            Command::open(name, "Dataset", &dataset_address(name)),
            Command::open(&explore, "Dataset", &explore_address(name)),
        ]
    });
    let sections = sections.iter().map(|section| Command::open(&section.title, &section.page, &section.address));
    let others = [
        Command::open("Semantic layer", "Page", SEMANTICS),
        Command::open("Design", "Page", DESIGN),
        Command::open("New dashboard", "Action", NEW_DASHBOARD),
    ];
    pages.chain(dashboards).chain(datasets).chain(below).chain(others).chain(actions(past)).chain(sections).collect()
}

fn actions(past: bool) -> Vec<Command> {
    let mut actions = vec![
        Command::act("Copy link to this page", "", Action::CopyLink),
        Command::act("Show keys", "?", Action::ShowKeys),
        Command::act("Theme: light", "", Action::Theme("light")),
        Command::act("Theme: dark", "", Action::Theme("dark")),
        Command::act("Theme: as the system", "", Action::Theme("system")),
    ];
    let densities = DENSITIES.iter().map(|(density, word)| (format!("Density: {}", word.to_lowercase()), *density));
    actions.extend(densities.map(|(name, density)| Command::act(&name, "", Action::Density(density))));
    actions.push(Command::act("Time zone: UTC", "", Action::Zone(UTC)));
    actions.push(Command::act("Time zone: as the browser", "", Action::Zone(OWN)));
    let zones = ZONES.iter().map(|zone| (format!("Time zone: {}", zone.replace('_', " ")), *zone));
    actions.extend(zones.map(|(name, zone)| Command::act(&name, "", Action::Zone(zone))));
    if past {
        actions.insert(0, Command::act("Return known to now", "", Action::ReturnToNow));
    }
    actions
}

/// The commands that are meant by what was typed, the likeliest first; of equals the one that comes first in `all`. Before
/// anything is typed: the recent ones, by their ids, then all others.
pub fn find<'a>(all: &'a [Command], typed: &str, recent: &[String]) -> Vec<&'a Command> {
    let words: Vec<Vec<char>> = typed.split_whitespace().map(folded).collect();
    if words.is_empty() {
        let first = recent.iter().filter_map(|id| all.iter().find(|command| command.id() == id));
        let others = all.iter().filter(|command| !recent.iter().any(|id| command.id() == id));
        return first.chain(others).take(SHOWN_MOST).collect();
    }
    let (worse, found): (Vec<f64>, Vec<&Command>) =
        all.iter().filter_map(|command| Some((-f64::from(fit(&words, command)?), command))).unzip();
    order::by_number(&worse).into_iter().map(|place| found[place as usize]).take(SHOWN_MOST).collect()
}

/// The ids of recent commands after one more was chosen: that one first, each once.
pub fn remembered(recent: &[String], chosen: &str) -> Vec<String> {
    let others = recent.iter().filter(|id| *id != chosen).cloned();
    std::iter::once(chosen.to_owned()).chain(others).take(RECENT_MOST).collect()
}

/// Small letters, letter for letter.
fn folded(text: &str) -> Vec<char> {
    text.chars().map(|letter| letter.to_lowercase().next().unwrap_or(letter)).collect()
}

/// How well a command fits: the sum over all words, each at its best in the name, else in the place. `None` where a word fits
/// neither.
fn fit(words: &[Vec<char>], command: &Command) -> Option<u32> {
    let (name, place) = (folded(&command.name), folded(&command.place));
    words.iter().map(|word| fit_in(word, &name).or_else(|| Some(fit_in(word, &place)? / 4))).sum()
}

/// How well a word fits a text, 0 to 1,000: begins it, begins one of its words, consists of letters that begin its words,
/// stands inside it, or is what is left of it after leaving letters out. The less is left over the better.
fn fit_in(word: &[char], text: &[char]) -> Option<u32> {
    let starts = |at: usize| at == 0 || !text[at - 1].is_alphanumeric();
    let places = || (0..text.len()).filter(|&at| text[at..].starts_with(word));
    let kind = if text.starts_with(word) {
        9
    } else if places().any(starts) {
        7
    } else if is_within(word, text.iter().enumerate().filter(|(at, _)| starts(*at)).map(|(_, letter)| letter)) {
        5
    } else if places().next().is_some() {
        3
    } else if word.first().is_some_and(|first| (0..text.len()).any(|at| starts(at) && text[at] == *first))
        && is_within(word, text.iter())
    {
        1
    } else {
        return None;
    };
    let left_over = text.len().saturating_sub(word.len()).min(99) as u32;
    Some(kind * 100 + 99 - left_over)
}

/// Whether the letters of a word come one after the other in a text, with others between them.
fn is_within<'a>(word: &[char], text: impl Iterator<Item = &'a char>) -> bool {
    let mut wanted = word.iter().peekable();
    text.for_each(|letter| {
        wanted.next_if_eq(&letter);
    });
    wanted.peek().is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all() -> Vec<Command> {
        let names = ["Home", "Benchmark index", "Restatements", "Pipeline", "History import", "instruments"];
        let pages = names.iter().map(|name| Command::open(name, "Page", name));
        pages.chain([Command::open("Ranges", "Grammar", "ranges")]).collect()
    }

    fn names(typed: &str, recent: &[&str]) -> Vec<String> {
        let recent: Vec<String> = recent.iter().map(|&id| id.to_owned()).collect();
        find(&all(), typed, &recent).into_iter().map(|command| command.name.clone()).collect()
    }

    #[test]
    fn a_beginning_counts_more_than_the_start_of_a_word_and_that_more_than_the_middle() {
        assert_eq!(names("in", &[])[..2], ["instruments", "Benchmark index"]);
        assert_eq!(names("im", &[])[0], "History import");
        assert_eq!(names("bi", &[])[0], "Benchmark index");
        assert_eq!(names("PIPE", &[])[0], "Pipeline");
        assert_eq!(names("hi im", &[]), ["History import"]);
    }

    #[test]
    fn letters_may_be_left_out_but_not_added() {
        assert_eq!(names("rstmnts", &[]), ["Restatements"]);
        assert_eq!(names("pipelinee", &[]), Vec::<String>::new());
        assert_eq!(names("page pipeline", &[]), ["Pipeline"]);
    }

    #[test]
    fn what_stands_in_a_place_is_found_by_its_name_after_those_of_that_name() {
        assert_eq!(names("grammar", &[]), ["Ranges"]);
        assert_eq!(names("h", &[])[0], "Home");
    }

    #[test]
    fn before_anything_is_typed_recent_ones_come_first_and_each_once() {
        let shown = names(" ", &["Pipeline", "gone", "Home"]);
        assert_eq!(shown[..3], ["Pipeline", "Home", "Benchmark index"]);
        assert_eq!(shown.len(), all().len());
    }

    #[test]
    fn what_is_chosen_again_moves_to_the_front() {
        let recent: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        assert_eq!(remembered(&recent, "c"), ["c", "a", "b", "d", "e"]);
        assert_eq!(remembered(&recent, "f"), ["f", "a", "b", "c", "d"]);
    }

    #[test]
    fn returning_to_now_is_offered_only_in_the_past() {
        let offers = |past| commands(&[], &[], &[], past).iter().any(|c| c.deed == Deed::Do(Action::ReturnToNow));
        assert!(offers(true) && !offers(false));
    }

    #[test]
    fn no_two_commands_are_remembered_by_the_same() {
        let dashboards = [("market".to_owned(), "Market".to_owned()), ("market-2".to_owned(), "Market".to_owned())];
        let all = commands(&[], &dashboards, &[], true);
        let ids: std::collections::BTreeSet<&str> = all.iter().map(Command::id).collect();
        assert_eq!(ids.len(), all.len());
    }

    proptest! {
        #[test]
        fn a_name_is_found_by_any_beginning_before_all_that_only_contain_it(name in "[a-z]{1,8}( [a-z]{1,8})?", length in 1_usize..8) {
            let typed: String = name.chars().take(length).collect();
            let inside = Command::open(&format!("x{name}"), "Page", "inside");
            let all = [inside, Command::open(&name, "Page", "begins")];
            let found = find(&all, &typed, &[]);
            prop_assert_eq!(found[0].id(), "begins");
        }

        #[test]
        fn finding_never_fails_and_finds_each_once(typed in any::<String>()) {
            let all = all();
            let found = find(&all, &typed, &[]);
            let ids: std::collections::BTreeSet<&str> = found.iter().map(|command| command.id()).collect();
            prop_assert_eq!(ids.len(), found.len());
        }
    }
}
