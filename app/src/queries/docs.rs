//! The text of the documentation, for a browser that has come to it from another page, and the names of its sections.

use gloo_net::http::Request;
use wasm_bindgen::JsCast;
use web_sys::Element;

use crate::pages::docs::address_of;

/// What stands before and after the text in a page that the server has rendered.
pub const MARKS: (&str, &str) = ("<!--docs-->", "<!--/docs-->");

/// The text of the documentation page at an address, as HTML of this server. The error is a sentence for the user.
pub async fn text(address: &str) -> Result<String, String> {
    let unreachable = |_| "The server could not be reached; check that it is running.".to_owned();
    let response = Request::get(address).header("Accept", "text/html").send().await.map_err(unreachable)?;
    // A page that is not there has a text as well, with another status.
    let page = response.text().await.map_err(unreachable)?;
    between_marks(&page).map(str::to_owned).ok_or_else(|| "The documentation could not be read.".to_owned())
}

/// A section of the documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// The page it stands on.
    pub page: String,
    /// Its address.
    pub address: String,
}

/// All sections, as the overview lists them. The error is a sentence for the user.
pub async fn sections() -> Result<Vec<Section>, String> {
    let html = text(&address_of("")).await?;
    listed(&html).ok_or_else(|| "The sections of the documentation could not be read.".to_owned())
}

fn listed(html: &str) -> Option<Vec<Section>> {
    // Never part of the page: nothing in it is loaded or run.
    let overview = web_sys::window()?.document()?.create_element("div").ok()?;
    overview.set_inner_html(html);
    let links = overview.query_selector_all(".docs-index li a").ok()?;
    let link = |index| links.get(index)?.dyn_into::<Element>().ok();
    Some((0..links.length()).filter_map(|index| section(&link(index)?)).collect())
}

fn section(link: &Element) -> Option<Section> {
    let page = link.closest("div").ok()??.query_selector("h3").ok()??.text_content()?;
    Some(Section { title: link.text_content()?, page, address: link.get_attribute("href")? })
}

fn between_marks(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once(MARKS.0)?;
    rest.split_once(MARKS.1).map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_stands_between_the_marks() {
        assert_eq!(between_marks("<main><!--docs--><p>a</p><!--/docs--></main>"), Some("<p>a</p>"));
        assert_eq!(between_marks("<main><!--docs--><p>a</p></main>"), None);
        assert_eq!(between_marks("<main></main>"), None);
    }
}
