//! Finds sections by their words. All words have to be there; where no section has them all, those that have some.

use std::collections::BTreeSet;

use super::{
    escaped,
    markdown::{Chapter, Section},
};

/// Sections that are shown at most.
const SHOWN: usize = 20;
/// Letters of an excerpt before and after the first word found.
const AROUND: usize = 90;
/// Words of a question that are looked at.
const TERMS: usize = 12;
/// Occurrences in the text of a section that count.
const COUNTED: usize = 5;

/// What was found.
pub struct Found<'a> {
    /// The best first.
    pub hits: Vec<Hit<'a>>,
    /// Whether every hit has every word.
    pub all_words: bool,
}

/// A section that has what was asked for.
pub struct Hit<'a> {
    /// The page it is on.
    pub chapter: &'a Chapter,
    /// The section.
    pub section: &'a Section,
    /// Its heading as HTML, with the words marked.
    pub title: String,
    /// Part of its text as HTML, with the words marked.
    pub excerpt: String,
    score: usize,
}

/// A text in small letters, letter for letter: what is found in it is at the same place in the text.
struct Folded(Vec<char>);

impl Folded {
    fn of(text: &str) -> Folded {
        Folded(text.chars().map(|letter| letter.to_lowercase().next().unwrap_or(letter)).collect())
    }

    /// Where words begin that begin with `term`.
    fn places<'a>(&'a self, term: &'a [char]) -> impl Iterator<Item = usize> + 'a {
        let starts = (0..self.0.len()).filter(|&at| at == 0 || !self.0[at - 1].is_alphanumeric());
        starts.filter(move |&at| self.0[at..].starts_with(term))
    }

    fn is_whole_word(&self, at: usize, length: usize) -> bool {
        self.0.get(at + length).is_none_or(|next| !next.is_alphanumeric() && *next != '_')
    }
}

/// The words of a question, in small letters.
fn terms(question: &str) -> Vec<Vec<char>> {
    let words = question.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.filter(|word| !word.is_empty()).take(TERMS).map(|word| Folded::of(word).0).collect()
}

/// Looks through all pages.
pub fn find<'a>(chapters: &'a [Chapter], question: &str) -> Found<'a> {
    let terms = terms(question);
    let phrase = Folded::of(question.trim()).0;
    let sections =
        || chapters.iter().flat_map(|chapter| chapter.sections.iter().map(move |section| (chapter, section)));
    let with = |least: usize| -> Vec<Hit<'a>> {
        sections().filter_map(|(chapter, section)| hit(chapter, section, &terms, &phrase, least)).collect()
    };
    let mut hits = if terms.is_empty() { Vec::new() } else { with(terms.len()) };
    let all_words = !hits.is_empty();
    if hits.is_empty() && terms.len() > 1 {
        hits = with(1);
    }
    // Stable: of equals the one that comes first in the documentation.
    hits.sort_by_key(|hit| std::cmp::Reverse(hit.score));
    hits.truncate(SHOWN);
    Found { hits, all_words }
}

/// The section as a hit, if it has at least so many of the words.
fn hit<'a>(
    chapter: &'a Chapter,
    section: &'a Section,
    terms: &[Vec<char>],
    phrase: &[char],
    least: usize,
) -> Option<Hit<'a>> {
    let name = heading(chapter, section);
    let (title, text) = (Folded::of(name), Folded::of(&section.text));
    let mut score = 0;
    let mut have = 0;
    for term in terms {
        let in_title = title.places(term).map(|at| if title.is_whole_word(at, term.len()) { 14 } else { 8 }).max();
        let whole = text.places(term).any(|at| text.is_whole_word(at, term.len()));
        let in_text = text.places(term).take(COUNTED).count() + usize::from(whole);
        let found = in_title.unwrap_or_default() + in_text;
        have += usize::from(found > 0);
        score += found;
    }
    if have < least {
        return None;
    }
    if terms.len() > 1 {
        score += 20 * usize::from(title.places(phrase).next().is_some());
        score += 6 * usize::from(text.places(phrase).next().is_some());
    }
    let (title, excerpt) = (marked(name, terms), excerpt(&section.text, terms));
    Some(Hit { chapter, section, title, excerpt, score: score + 100 * have })
}

/// The section's heading; what stands before the first goes by the name of the page.
pub fn heading<'a>(chapter: &'a Chapter, section: &'a Section) -> &'a str {
    if section.title.is_empty() { &chapter.title } else { &section.title }
}

/// Part of a text around the first word found, cut at spaces.
fn excerpt(text: &str, terms: &[Vec<char>]) -> String {
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let letters: Vec<char> = text.chars().collect();
    let folded = Folded::of(&text);
    let first = terms.iter().filter_map(|term| folded.places(term).next()).min().unwrap_or_default();
    let space = |letter: &char| *letter == ' ';
    let from = first.saturating_sub(AROUND);
    let from = if from == 0 { 0 } else { from + letters[from..first].iter().position(space).map_or(0, |at| at + 1) };
    let to = (first + AROUND).min(letters.len());
    let to =
        if to == letters.len() { to } else { first + letters[first..to].iter().rposition(space).unwrap_or(to - first) };
    let part: String = letters[from..to].iter().collect();
    let before = if from > 0 { "… " } else { "" };
    let after = if to < letters.len() { " …" } else { "" };
    format!("{before}{}{after}", marked(&part, terms))
}

/// The text as HTML, each word that was looked for in a `mark`.
fn marked(text: &str, terms: &[Vec<char>]) -> String {
    let letters: Vec<char> = text.chars().collect();
    let folded = Folded::of(text);
    let mut inside = vec![false; letters.len()];
    for term in terms {
        for at in folded.places(term) {
            inside[at..at + term.len()].fill(true);
        }
    }
    let mut html = String::new();
    let mut at = 0;
    while at < letters.len() {
        let run = inside[at..].iter().take_while(|&&here| here == inside[at]).count();
        let piece: String = letters[at..at + run].iter().collect();
        let piece = escaped(&piece);
        html.push_str(&if inside[at] { format!("<mark>{piece}</mark>") } else { piece.into_owned() });
        at += run;
    }
    html
}

/// A question that is written almost like this one and finds something.
pub fn suggestion(chapters: &[Chapter], question: &str) -> Option<String> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for section in chapters.iter().flat_map(|chapter| &chapter.sections) {
        let words = |text: &str| terms_of(text).filter(|word| word.len() > 2).collect::<Vec<_>>();
        known.extend(words(&section.title));
        known.extend(words(&section.text));
    }
    let nearest = |word: String| -> Option<String> {
        let far = if word.chars().count() < 5 { 1 } else { 2 };
        let near = known.iter().map(|other| (strsim::osa_distance(&word, other), other));
        near.filter(|(distance, _)| *distance <= far).min().map(|(_, other)| other.clone())
    };
    let words = terms(question).into_iter().map(|word| nearest(word.into_iter().collect()));
    let suggested = words.collect::<Option<Vec<String>>>()?.join(" ");
    (!suggested.is_empty() && !find(chapters, &suggested).hits.is_empty()).then_some(suggested)
}

/// Words of a text in small letters, without the bounds of a question.
fn terms_of(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::markdown;

    fn chapters() -> Vec<Chapter> {
        let source = "# Grammar\n\nAbout statements.\n\n## AS OF {#as-of}\n\nReads `<one>` instant of an axis.\n\n\
            ## Ranges {#ranges}\n\nFROM and TO; an instant AS OF which nothing is known is no range.\n\n\
            ## Snapshots {#snapshots}\n\nThe same bytes again.\n";
        vec![markdown::read("grammar", source)]
    }

    fn ids(question: &str) -> Vec<String> {
        let chapters = chapters();
        find(&chapters, question).hits.iter().map(|hit| hit.section.id.clone()).collect()
    }

    #[test]
    fn a_heading_counts_more_than_the_text() {
        assert_eq!(ids("as of"), ["as-of", "ranges"]);
        assert_eq!(ids("AS OF instant"), ["as-of", "ranges"]);
        assert_eq!(ids("grammar"), [""]);
    }

    #[test]
    fn all_words_are_wanted_before_some() {
        let chapters = chapters();
        assert!(find(&chapters, "same bytes").all_words);
        let some = find(&chapters, "bytes nowhere");
        assert!(!some.all_words && some.hits.len() == 1);
        assert!(find(&chapters, "nowhere").hits.is_empty());
        assert!(find(&chapters, " ,; ").hits.is_empty());
    }

    #[test]
    fn words_are_marked_and_the_rest_is_escaped() {
        let chapters = chapters();
        let found = find(&chapters, "INSTANT");
        assert_eq!(found.hits[0].excerpt, "Reads &lt;one&gt; <mark>instant</mark> of an axis.");
        assert_eq!(marked("AS OF", &terms("of as")), "<mark>AS</mark> <mark>OF</mark>");
    }

    #[test]
    fn an_excerpt_is_cut_at_spaces_around_what_was_found() {
        let long = format!("{} needle {}", "before ".repeat(40), "after ".repeat(40));
        let cut = excerpt(&long, &terms("needle"));
        assert!(
            cut.starts_with("… before ") && cut.ends_with("after …") && cut.contains("<mark>needle</mark>"),
            "{cut}"
        );
        assert!(cut.chars().count() < 2 * AROUND + 40, "{cut}");
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        assert_eq!(suggestion(&chapters(), "snapshosts").as_deref(), Some("snapshots"));
        assert_eq!(suggestion(&chapters(), "qqqqqqqq"), None);
        assert_eq!(suggestion(&chapters(), ""), None);
    }
}
