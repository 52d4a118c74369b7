//! What stands around a text: the pages, the search field, the sections of the page, and what was found.

use std::fmt::Write;

use super::{
    SEARCH, SOURCES, address_of, escaped,
    markdown::{Chapter, Section},
    name_of, search,
};
use crate::{pages::docs::SEARCH_FIELD, queries::docs::MARKS};

/// Questions that lead somewhere, for those whose own did not.
const USUAL_QUESTIONS: [&str; 5] = ["as of", "diff", "restated since", "snapshot", "until changed"];

/// A page of the documentation.
pub fn chapter(chapters: &[Chapter], chapter: &Chapter) -> String {
    let sections = chapter.sections.iter().filter(|section| section.level == 2);
    let items: String = sections
        .map(|section| {
            format!("<li><a href=\"#{}\" rel=\"external\">{}</a></li>", escaped(&section.id), escaped(&section.title))
        })
        .collect();
    let contents = match items.as_str() {
        "" => String::new(),
        _ => format!(
            "<nav class=\"docs-contents\" aria-label=\"On this page\"><p>On this page</p><ul>{items}</ul></nav>"
        ),
    };
    let list = if chapter.slug.is_empty() { all_sections(chapters) } else { String::new() };
    let text = format!("<article class=\"docs-text\">{}{list}{}</article>", chapter.html, next(chapters, chapter));
    framed(chapter.slug, "", &format!("{contents}{text}"))
}

/// What a search found.
pub fn results(chapters: &[Chapter], question: &str) -> String {
    let question = question.trim();
    if question.is_empty() {
        let text = format!("<h2>What are you looking for?</h2>{}", usual_questions());
        return framed(SEARCH, "", &format!("<div class=\"docs-text\">{text}</div>"));
    }
    let found = search::find(chapters, question);
    let shown = escaped(question);
    let count = found.hits.len();
    let mut text = match (count, found.all_words) {
        (0, _) => format!("<h2>No section has “{shown}”</h2>"),
        (1, true) => format!("<h2>One section has “{shown}”</h2>"),
        (_, true) => format!("<h2>{count} sections have “{shown}”</h2>"),
        (_, false) => format!("<h2>No section has all of “{shown}”; {count} have some of it</h2>"),
    };
    if count == 0 {
        if let Some(suggestion) = search::suggestion(chapters, question) {
            let _ = write!(text, "<p>Did you mean {}?</p>", question_link(&suggestion));
        }
        text.push_str(&usual_questions());
    } else {
        let items: String = found.hits.iter().map(hit).collect();
        let _ = write!(text, "<ol class=\"docs-results\" data-testid=\"docs-results\">{items}</ol>");
    }
    framed(SEARCH, question, &format!("<div class=\"docs-text\">{text}</div>"))
}

/// An address below the documentation that is no page.
pub fn missing(chapters: &[Chapter]) -> String {
    let text = "<h2>There is no such page in the documentation</h2><p>It may have been mistyped, or the page may have \
                moved. These are all that there are:</p>";
    framed("-", "", &format!("<div class=\"docs-text\">{text}{}</div>", all_sections(chapters)))
}

/// The text with the pages and the search field before it, between the marks.
fn framed(slug: &str, question: &str, text: &str) -> String {
    let pages: String = SOURCES.iter().map(|(page, _)| page_link(page, *page == slug)).collect();
    let search = address_of(SEARCH);
    format!(
        "{}<div class=\"docs-bar\"><nav aria-label=\"Documentation\"><ul>{pages}</ul></nav>\
         <form role=\"search\" action=\"{search}\" method=\"get\"><label for=\"{SEARCH_FIELD}\">Search \
         <kbd aria-hidden=\"true\">/</kbd></label><input id=\"{SEARCH_FIELD}\" type=\"search\" name=\"q\" value=\"{}\" \
         maxlength=\"200\" aria-keyshortcuts=\"/\" data-testid=\"docs-search\"><button type=\"submit\">Find</button></form>\
         </div><div class=\"docs-body\">{text}</div>{}",
        MARKS.0,
        escaped(question),
        MARKS.1
    )
}

fn page_link(slug: &str, current: bool) -> String {
    let name = if slug.is_empty() { "Overview" } else { name_of(slug) };
    let current = if current { " aria-current=\"page\"" } else { "" };
    format!("<li><a href=\"{}\"{current}>{name}</a></li>", address_of(slug))
}

/// Every page with its sections.
fn all_sections(chapters: &[Chapter]) -> String {
    let lists = chapters.iter().filter(|chapter| !chapter.slug.is_empty()).map(|chapter| {
        let address = address_of(chapter.slug);
        let named = chapter.sections.iter().filter(|section| section.level > 1);
        let sections: String = named.map(|section| section_link(&address, section)).collect();
        format!("<div><h3><a href=\"{address}\">{}</a></h3><ul>{sections}</ul></div>", escaped(&chapter.title))
    });
    let lists: String = lists.collect();
    format!("<h2 id=\"all-sections\">All sections</h2><div class=\"docs-index\">{lists}</div>")
}

/// Every section has an item of its own; those below another stand further in.
fn section_link(address: &str, section: &Section) -> String {
    let class = if section.level > 2 { " class=\"docs-below\"" } else { "" };
    format!("<li{class}><a href=\"{address}#{}\">{}</a></li>", escaped(&section.id), escaped(&section.title))
}

fn next(chapters: &[Chapter], chapter: &Chapter) -> String {
    let after = chapters.iter().skip_while(|other| other.slug != chapter.slug).nth(1);
    after.map_or_else(String::new, |after| {
        format!("<p class=\"docs-next\">Next: <a href=\"{}\">{}</a></p>", address_of(after.slug), escaped(&after.title))
    })
}

fn hit(hit: &search::Hit<'_>) -> String {
    let place = if hit.section.id.is_empty() { String::new() } else { format!("#{}", escaped(&hit.section.id)) };
    format!(
        "<li><h3><a href=\"{}{place}\">{}</a></h3><p class=\"docs-where\">{}</p><p>{}</p></li>",
        address_of(hit.chapter.slug),
        hit.title,
        escaped(&hit.chapter.title),
        hit.excerpt
    )
}

fn usual_questions() -> String {
    let links: String =
        USUAL_QUESTIONS.iter().map(|question| format!("<li>{}</li>", question_link(question))).collect();
    let overview = address_of("");
    format!(
        "<p>Others have looked for:</p><ul class=\"docs-questions\">{links}</ul><p>Or begin at the \
         <a href=\"{overview}#all-sections\">list of all sections</a>.</p>"
    )
}

fn question_link(question: &str) -> String {
    let address = format!("{}?q={}", address_of(SEARCH), leptos_router::location::Url::escape(question));
    format!("<a href=\"{}\">{}</a>", escaped(&address), escaped(question))
}
