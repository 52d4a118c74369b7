//! Words of a tile from Markdown to HTML, on the server alone. Whoever wrote them is not trusted: HTML is text, pictures are
//! their words, and a link leads to this server or to http and https, or it is no link.

use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// Markdown as HTML in which nothing runs and nothing is loaded.
pub fn html_of(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut links = Vec::new();
    let events = Parser::new_ext(text, options).filter_map(|event| safe(event, &mut links));
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

/// What is left of an event. `links` has for each link that is open whether it is one.
fn safe<'a>(event: Event<'a>, links: &mut Vec<bool>) -> Option<Event<'a>> {
    Some(match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => return None,
        Event::Start(Tag::Link { dest_url, .. }) => {
            let kept = leads_somewhere(&dest_url);
            links.push(kept);
            if !kept {
                return None;
            }
            Event::InlineHtml(CowStr::from(format!("<a href=\"{}\"{}>", attribute(&dest_url), manner(&dest_url))))
        }
        Event::End(TagEnd::Link) => match links.pop() {
            Some(true) => Event::InlineHtml(CowStr::from("</a>")),
            _ => return None,
        },
        // Styles in the text are forbidden to pages.
        Event::Start(Tag::Table(columns)) => Event::Start(Tag::Table(vec![Alignment::None; columns.len()])),
        // Below the heading of the tile.
        Event::Start(Tag::Heading { level, .. }) => {
            Event::Start(Tag::Heading { level: lower(level), id: None, classes: Vec::new(), attrs: Vec::new() })
        }
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        event => event,
    })
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

/// Whether a link is one: a list of what is allowed, because nobody knows all that is not.
fn leads_somewhere(address: &str) -> bool {
    let starts = |scheme: &str| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let inside = address.starts_with('/') && !address.starts_with("//") && !address.contains('\\');
    let plain = !address.chars().any(char::is_control);
    plain && (inside || address.starts_with(['#', '?']) || starts("https://") || starts("http://"))
}

/// Pages of ours are opened like all others; what is no page is the browser's own.
fn manner(address: &str) -> &'static str {
    match address {
        inside if inside.starts_with("/api/") || inside.starts_with('#') => " rel=\"external\"",
        inside if inside.starts_with(['/', '?']) => "",
        _ => " rel=\"external noopener noreferrer nofollow\"",
    }
}

fn attribute(text: &str) -> String {
    html_escape::encode_double_quoted_attribute(text).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::html_of;

    /// The tags of a text, without what stands in quotes.
    fn tags(html: &str) -> impl Iterator<Item = String> {
        let tag = |part: &str| part.split('>').next().unwrap_or_default().split('"').step_by(2).collect::<String>();
        html.split('<').skip(1).map(tag)
    }

    #[test]
    fn words_lists_tables_and_links_are_shown() {
        let html = html_of(
            "# Desk\n\nSee *this* [index](/dashboards/market?last=1y) or [that](https://example.org/a?b&c).\n\n- one\n\n|a|\n|-|\n|b|\n",
        );
        assert!(html.contains("<h3>Desk</h3>") && html.contains("<em>this</em>"), "{html}");
        assert!(html.contains("<a href=\"/dashboards/market?last=1y\">index</a>"), "{html}");
        assert!(html.contains("<a href=\"https://example.org/a?b&amp;c\" rel=\"external noopener"), "{html}");
        assert!(html.contains("<li>one</li>") && html.contains("<td>b</td>"), "{html}");
    }

    #[test]
    fn nothing_that_runs_or_loads_is_left() {
        for hostile in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "a <b onmouseover=\"alert(1)\">b</b>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](java\tscript:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](  javascript:alert(1))",
            "[x](data:text/html,<script>)",
            "[x](vbscript:x)",
            "[x](//evil.example/a)",
            "[x](/\\evil.example/a)",
            "<javascript:alert(1)>",
            "[x][r]\n\n[r]: javascript:alert(1)",
            "![x](https://evil.example/pixel.png)",
            "![x](x\" onerror=\"alert(1))",
            "[x](https://a.example/\" onclick=\"alert(1))",
            "[x](https://a.example/ \"t\\\" onclick=\\\"alert(1)\")",
            "<svg/onload=alert(1)>",
            "<!-- --><iframe src=x></iframe>",
        ] {
            let html = html_of(hostile);
            for never in [
                "<script",
                "<img",
                "<svg",
                "<iframe",
                "<b ",
                "href=\"j",
                "href=\"d",
                "href=\"v",
                "href=\"//",
                "href=\"/\\",
            ] {
                assert!(!html.to_ascii_lowercase().contains(never), "{hostile}: {html}");
            }
            assert!(tags(&html).all(|tag| !tag.contains(" on")), "{hostile}: {html}");
        }
    }

    proptest! {
        #[test]
        fn every_tag_is_one_of_ours(text in r#"([<>\[\]()!"'`#*_ \n/\\:a-z&;=|-]|script|javascript:|https://|<a |onload=){0,40}"#) {
            let html = html_of(&text);
            let ours = [
                "p", "em", "strong", "del", "code", "pre", "ul", "ol", "li", "blockquote", "h3", "h4", "h5", "h6", "hr", "br",
                "a", "table", "thead", "tbody", "tr", "th", "td", "input",
            ];
            for tag in tags(&html) {
                let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
                prop_assert!(ours.contains(&name.as_str()) && !tag.contains(" on"), "{text:?}: {html}");
            }
        }
    }
}
