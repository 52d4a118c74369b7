//! Who may do what. There is no sign-in yet: whoever is on this machine may do everything, and no one else anything.
//!
//! The server listens on loopback alone. What is left to keep out is other sites in a browser on this machine: a page
//! may send requests to loopback, or give its own name our address. So the name asked for must be a loopback name, and a
//! request a page sent must come from our own.

use axum::http::{HeaderMap, Method, header};

use crate::error::{Error, ErrorKind, Result};

/// What a request wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// See data.
    Read,
    /// Define datasets and send records.
    Write,
}

/// Decides.
#[derive(Debug, Default)]
pub struct Access;

impl Access {
    /// Whether a request may do that. Called first in every handler.
    pub fn authorise(&self, headers: &HeaderMap, action: Action) -> Result<()> {
        let host = text(headers, header::HOST).ok_or_else(|| forbidden("the request names no host"))?;
        if !is_loopback_name(host) {
            return Err(forbidden("Tidemark answers on this machine's own names only, such as 127.0.0.1 or localhost"));
        }
        let foreign_origin = text(headers, header::ORIGIN)
            .is_some_and(|origin| origin.split_once("://").is_none_or(|(_, authority)| authority != host));
        let cross_site = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
        // A link may be followed; an image or a script of another site may not make us work.
        let embedded = headers.get("sec-fetch-mode").is_some_and(|mode| mode != "navigate");
        if foreign_origin || (cross_site && (action == Action::Write || embedded)) {
            return Err(forbidden("a page of another site may not use Tidemark"));
        }
        Ok(())
    }

    /// The same for pages, which are only ever read.
    pub fn authorise_page(&self, headers: &HeaderMap, method: &Method) -> Result<()> {
        let action = if method == Method::GET || method == Method::HEAD { Action::Read } else { Action::Write };
        self.authorise(headers, action)
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn forbidden(message: &str) -> Error {
    Error::new(ErrorKind::Forbidden, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(pairs: &[(&'static str, &str)], action: Action) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        Access.authorise(&headers, action).is_ok()
    }

    #[test]
    fn only_this_machines_names_are_answered() {
        for host in ["127.0.0.1:3000", "localhost:3000", "[::1]:3000", "LOCALHOST"] {
            assert!(allowed(&[("host", host)], Action::Write), "{host}");
        }
        for host in ["tidemark.example", "127.0.0.1.evil.example:3000", "10.0.0.1", ""] {
            assert!(!allowed(&[("host", host)], Action::Read), "{host}");
        }
        assert!(!allowed(&[], Action::Read));
    }

    #[test]
    fn other_sites_pages_are_kept_out() {
        let host = ("host", "127.0.0.1:3000");
        assert!(allowed(&[host, ("origin", "http://127.0.0.1:3000")], Action::Write));
        for origin in ["https://evil.example", "http://127.0.0.1:4000", "null"] {
            assert!(!allowed(&[host, ("origin", origin)], Action::Read), "{origin}");
        }
        assert!(!allowed(&[host, ("sec-fetch-site", "cross-site")], Action::Write));
        assert!(
            allowed(&[host, ("sec-fetch-site", "cross-site")], Action::Read),
            "a link from elsewhere may be followed"
        );
        let image = [host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")];
        assert!(!allowed(&image, Action::Read));
    }
}
