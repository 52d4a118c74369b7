//! The documentation: our own Markdown, made into HTML once and written into the page by the server.
//!
//! Nothing here reaches the browser's code, which asks for the text of a page like for any other page. What is written in
//! `content/` is trusted; everything it holds is escaped all the same. A test asks the demo every example.

mod example;
mod layout;
mod markdown;
mod plane;
mod relation;
mod search;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, sync::LazyLock};

pub use example::{Example, Outcome};
use markdown::Chapter;

use crate::pages::docs::{address_of, title_of};

/// Last part of the address and text of each page that is written; the titles are those of the navigation.
const SOURCES: [(&str, &str); 8] = [
    ("", include_str!("content/overview.md")),
    ("semantics", include_str!("content/semantics.md")),
    ("grammar", include_str!("content/grammar.md")),
    ("periods", include_str!("content/periods.md")),
    ("recipes", include_str!("content/recipes.md")),
    ("api", include_str!("content/api.md")),
    ("upkeep", include_str!("content/upkeep.md")),
    ("scaling", include_str!("content/scaling.md")),
];

/// Last part of the address of the search page.
const SEARCH: &str = "search";

static CHAPTERS: LazyLock<Vec<Chapter>> =
    LazyLock::new(|| SOURCES.iter().map(|(slug, source)| markdown::read(slug, source)).collect());

/// What the server writes into a page of the documentation.
pub struct Page {
    /// The text with its navigation and search field, between the marks that the browser looks for.
    pub html: String,
    /// Whether there is such a page. The text says so where there is none.
    pub found: bool,
}

/// The page with this last part of its address. `question` is what is searched for; only the search looks at it.
pub fn page(slug: &str, question: &str) -> Page {
    let chapter = CHAPTERS.iter().find(|chapter| chapter.slug == slug);
    let html = match chapter {
        Some(chapter) => layout::chapter(&CHAPTERS, chapter),
        None if slug == SEARCH => layout::results(&CHAPTERS, question),
        None => layout::missing(&CHAPTERS),
    };
    Page { html, found: chapter.is_some() || slug == SEARCH }
}

/// All examples, in the order in which a reader meets them. Those that write build on each other.
pub fn examples() -> impl Iterator<Item = &'static Example> {
    CHAPTERS.iter().flat_map(|chapter| &chapter.examples)
}

/// Title of a page, as the navigation has it.
fn name_of(slug: &str) -> &'static str {
    title_of(&address_of(slug)).unwrap_or_default()
}

/// Text as it stands in an element or in a quoted attribute.
fn escaped(text: &str) -> Cow<'_, str> {
    html_escape::encode_quoted_attribute(text)
}
