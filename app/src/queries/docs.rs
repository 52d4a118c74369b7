//! The text of the documentation, for a browser that has come to it from another page.

use gloo_net::http::Request;

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
