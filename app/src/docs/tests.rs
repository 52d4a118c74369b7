//! What holds of the documentation as a whole.

use std::collections::HashSet;

use super::*;
use crate::{
    components::chrome::{DESIGN, SEMANTICS},
    pages::docs::PAGES,
    queries::docs::MARKS,
};

/// What stands in `attribute="…"`, each time it does.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let opening = format!(" {attribute}=\"");
    html.split(&opening).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_source_can_be_read() {
    for chapter in CHAPTERS.iter() {
        assert_eq!(chapter.problems, Vec::<String>::new(), "{}", chapter.slug);
    }
}

#[test]
fn the_navigation_has_the_pages_that_are_written_under_their_titles() {
    for chapter in CHAPTERS.iter() {
        assert_eq!(name_of(chapter.slug), chapter.title, "{}", chapter.slug);
    }
    let written: Vec<&str> = SOURCES.iter().map(|(slug, _)| *slug).chain([SEARCH]).collect();
    let listed: Vec<&str> = PAGES.iter().map(|(slug, _)| *slug).collect();
    assert_eq!(listed, written);
}

#[test]
fn every_id_is_there_once_and_every_link_leads_somewhere() {
    let pages: Vec<(String, String)> =
        SOURCES.iter().map(|(slug, _)| (address_of(slug), page(slug, "").html)).collect();
    for (address, html) in &pages {
        let ids = values(html, "id");
        let unique: HashSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "an id stands twice on {address}");
    }
    for (address, html) in &pages {
        for link in values(html, "href").into_iter().filter(|link| !link.starts_with("/api/")) {
            let (path, place) = link.split_once('#').unwrap_or((link, ""));
            let path = if path.is_empty() { address.as_str() } else { path };
            let Some((_, target)) = pages.iter().find(|(page, _)| page == path) else {
                let elsewhere = ["/", DESIGN, SEMANTICS].contains(&path)
                    || path.starts_with("/dashboards/")
                    || path.starts_with("/admin/")
                    || path.starts_with("/docs/search?");
                assert!(elsewhere, "{address} links to {link}, which is no page");
                continue;
            };
            assert!(place.is_empty() || values(target, "id").contains(&place), "{address} links to {link}");
        }
    }
}

#[test]
fn headings_go_down_one_level_at_a_time() {
    for chapter in CHAPTERS.iter() {
        let mut last = 1;
        for section in &chapter.sections {
            assert!((1..=3).contains(&section.level) && section.level <= last + 1, "{}#{}", chapter.slug, section.id);
            last = section.level;
        }
    }
}

#[test]
fn examples_have_names_of_their_own() {
    let mut names = HashSet::new();
    assert!(examples().all(|example| names.insert(&example.id)), "two examples share a name");
    assert!(names.len() > 60, "{}", names.len());
    let refused = examples().filter(|example| example.outcome == Outcome::Refused).count();
    let written = examples().filter(|example| example.outcome == Outcome::Written).count();
    assert!(refused >= 3 && written >= 5, "{refused} {written}");
}

#[test]
fn the_story_is_drawn_and_said() {
    let html = page("semantics", "").html;
    assert!(html.matches("<svg").count() >= 4);
    assert_eq!(html.matches("<svg").count(), html.matches("<summary>").count());
    assert_eq!(html.matches("<svg").count(), html.matches("role=\"img\"").count());
}

#[test]
fn every_page_stands_between_the_marks_and_has_a_search_field() {
    for slug in PAGES.iter().map(|(slug, _)| *slug).chain(["no-such-page"]) {
        let page = page(slug, "as of");
        assert_eq!(page.found, slug != "no-such-page", "{slug}");
        assert!(page.html.starts_with(MARKS.0) && page.html.ends_with(MARKS.1), "{slug}");
        assert_eq!(page.html.matches(MARKS.1).count(), 1, "{slug}");
        assert!(page.html.contains("role=\"search\""), "{slug}");
    }
}

#[test]
fn a_search_finds_sections_by_their_headings_first() {
    for (question, first) in [
        ("met by", "/docs/periods#met-by"),
        ("snapshot token", "/docs/semantics#repeatable-read"),
        ("audit trail", "/docs/recipes#audit-trail"),
        ("no-op", "/docs/semantics#unchanged"),
    ] {
        let html = page(SEARCH, question).html;
        let list = html.split("data-testid=\"docs-results\"").nth(1).unwrap_or_default();
        assert_eq!(values(list, "href").first(), Some(&first), "{question}");
    }
}

#[test]
fn a_question_is_text_wherever_it_is_shown() {
    let html = page(SEARCH, "<script>alert(\"x\")</script>").html;
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
    assert!(page(SEARCH, "snapshto").html.contains("Did you mean"), "a slip of the finger");
    assert!(page(SEARCH, "zzzzzzzzzz").html.contains("No section has"), "nothing found");
}
