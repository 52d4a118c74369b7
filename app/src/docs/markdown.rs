//! Markdown to HTML, with what ours has beyond the usual: named headings, examples and drawings from data.
//!
//! A block that opens with `sql` is an example, with `plane` a drawing of the plane, with `relation` one of two periods.

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::{
    escaped,
    example::{self, Example},
    plane::Plane,
    relation::Relation,
};

/// A written page.
pub struct Chapter {
    /// Last part of its address.
    pub slug: &'static str,
    /// Its first heading. It is not in `html`, because the frame shows it.
    pub title: String,
    /// The text.
    pub html: String,
    /// Its sections in order; the first, without an id, is what stands before any heading.
    pub sections: Vec<Section>,
    /// Its examples in order.
    pub examples: Vec<Example>,
    /// What is wrong with the source; a test wants nothing here.
    pub problems: Vec<String>,
}

/// What stands under one heading, up to the next of any level.
#[derive(Default)]
pub struct Section {
    /// The heading's id; empty before the first.
    pub id: String,
    /// The heading's text.
    pub title: String,
    /// 2 or 3; 1 before the first.
    pub level: u8,
    /// All words, for the search.
    pub text: String,
}

/// Reads a page.
pub fn read(slug: &'static str, source: &'static str) -> Chapter {
    let mut reader = Reader::new(slug);
    let mut events = Parser::new_ext(source, Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES);
    while let Some(event) = events.next() {
        match event {
            Event::Start(Tag::Heading { level, id, .. }) => {
                let inner = events.by_ref().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
                let inner = inner.collect();
                reader.heading(level, id.as_deref(), inner);
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let inner = events.by_ref().take_while(|event| !matches!(event, Event::End(TagEnd::CodeBlock)));
                let code = text_of(&inner.collect::<Vec<_>>());
                let opening = if let CodeBlockKind::Fenced(opening) = &kind { opening.as_ref() } else { "" };
                reader.block(opening, &code);
            }
            event => reader.inline(event),
        }
    }
    reader.finish()
}

fn text_of(events: &[Event<'_>]) -> String {
    let text = events.iter().filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        Event::SoftBreak => Some(" "),
        _ => None,
    });
    text.collect()
}

struct Reader {
    chapter: Chapter,
    out: Vec<Event<'static>>,
    /// Blocks that are no examples have numbers for names.
    unnamed: usize,
}

impl Reader {
    fn new(slug: &'static str) -> Reader {
        let chapter = Chapter {
            slug,
            title: String::new(),
            html: String::new(),
            sections: vec![Section { level: 1, ..Section::default() }],
            examples: Vec::new(),
            problems: Vec::new(),
        };
        Reader { chapter, out: Vec::new(), unnamed: 0 }
    }

    fn heading(&mut self, level: HeadingLevel, id: Option<&str>, inner: Vec<Event<'static>>) {
        let title = text_of(&inner);
        if level == HeadingLevel::H1 {
            self.chapter.title = title;
            return;
        }
        let Some(id) = id else {
            self.chapter.problems.push(format!("the heading '{title}' has no id"));
            return;
        };
        let (level, id) = (level as u8, id.to_owned());
        let name = escaped(&id).into_owned();
        self.raw(format!("<div class=\"docs-heading\"><h{level} id=\"{name}\">"));
        self.out.extend(inner);
        self.raw(format!(
            "</h{level}><a href=\"#{name}\" rel=\"external\" aria-label=\"Link to: {}\">#</a></div>\n",
            escaped(&title)
        ));
        self.chapter.sections.push(Section { id, title, level, text: String::new() });
    }

    /// A block of code, by the first word of the line that opens it.
    fn block(&mut self, opening: &str, code: &str) {
        let (language, rest) = opening.split_once(' ').unwrap_or((opening, ""));
        let read = match language {
            "sql" => Example::read(self.chapter.slug, opening, code).map(|example| self.example(example)),
            "plane" => Plane::read(code).map(|plane| {
                self.words(&plane.words());
                plane.html()
            }),
            "relation" => Relation::read(rest, code).map(|relation| {
                let drawing = relation.html();
                drawing + &self.example(relation.example(self.chapter.slug))
            }),
            _ => {
                self.unnamed += 1;
                self.words(code);
                Ok(example::other(&format!("{language}-{}", self.unnamed), language, code))
            }
        };
        match read {
            Ok(html) => self.raw(html),
            Err(problem) => self.chapter.problems.push(problem),
        }
    }

    fn example(&mut self, example: Example) -> String {
        self.words(&example.sql);
        let html = example.html();
        self.chapter.examples.push(example);
        html
    }

    fn inline(&mut self, event: Event<'static>) {
        match event {
            Event::Text(ref text) | Event::Code(ref text) => self.append(text),
            Event::SoftBreak | Event::HardBreak => self.append(" "),
            Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::TableCell) => self.append(" "),
            _ => {}
        }
        match event {
            // Tables scroll inside their box.
            Event::Start(Tag::Table(alignment)) => {
                self.raw("<div class=\"docs-table\" role=\"group\" aria-label=\"Table\" tabindex=\"0\">".to_owned());
                self.out.push(Event::Start(Tag::Table(alignment)));
            }
            Event::End(TagEnd::Table) => {
                self.out.push(event);
                self.raw("</div>\n".to_owned());
            }
            // Within the page the browser itself leads on, and takes the focus along; the API has no pages to be drawn.
            Event::Start(Tag::Link { ref dest_url, .. })
                if dest_url.starts_with('#') || dest_url.starts_with("/api/") =>
            {
                let link = format!("<a href=\"{}\" rel=\"external\">", escaped(dest_url));
                self.out.push(Event::InlineHtml(CowStr::from(link)));
            }
            Event::Html(text) | Event::InlineHtml(text) => self.out.push(Event::Text(text)),
            event => self.out.push(event),
        }
    }

    fn raw(&mut self, html: String) {
        self.out.push(Event::Html(CowStr::from(html)));
    }

    fn append(&mut self, text: &str) {
        if let Some(section) = self.chapter.sections.last_mut() {
            section.text.push_str(text);
        }
    }

    /// Words of a block, apart from those around it.
    fn words(&mut self, text: &str) {
        self.append(" ");
        self.append(text);
        self.append(" ");
    }

    fn finish(mut self) -> Chapter {
        html::push_html(&mut self.chapter.html, self.out.into_iter());
        self.chapter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "# A title\n\nBefore <b>all</b> of it, see [below](#second).\n\n## The *first* `part` {#first}\n\nOne.\n\n\
        ```sql all\nSELECT 1 < 2\n```\n\n### The second {#second}\n\n| a | b |\n|---|---|\n| x | y |\n";

    #[test]
    fn headings_sections_and_examples_are_found() {
        let chapter = read("grammar", SOURCE);
        assert_eq!(chapter.problems, Vec::<String>::new());
        assert_eq!(chapter.title, "A title");
        let sections: Vec<_> = chapter.sections.iter().map(|s| (s.id.as_str(), s.title.as_str(), s.level)).collect();
        assert_eq!(sections, [("", "", 1), ("first", "The first part", 2), ("second", "The second", 3)]);
        assert!(chapter.sections[1].text.contains("One.") && chapter.sections[1].text.contains("SELECT 1 < 2"));
        assert_eq!(chapter.sections[2].text.split_whitespace().collect::<Vec<_>>(), ["a", "b", "x", "y"]);
        assert_eq!(chapter.examples.len(), 1);
    }

    #[test]
    fn html_in_the_source_is_text_and_places_in_the_page_are_links_of_the_browser() {
        let html = read("grammar", SOURCE).html;
        assert!(html.contains("Before &lt;b&gt;all&lt;/b&gt; of it"), "{html}");
        assert!(html.contains("<a href=\"#second\" rel=\"external\">below</a>"), "{html}");
        assert!(html.contains("<h2 id=\"first\">The <em>first</em> <code>part</code></h2>"), "{html}");
        assert!(html.contains("SELECT 1 &lt; 2") && !html.contains("<h1"), "{html}");
    }

    #[test]
    fn what_is_wrong_with_a_source_is_told() {
        let chapter = read(
            "grammar",
            "## Nameless\n\n```sql\nSELECT 1\n```\n\n```plane\nrubbish\n```\n\n```relation\np 1 2\n```\n",
        );
        assert_eq!(chapter.problems.len(), 4, "{:?}", chapter.problems);
    }
}
