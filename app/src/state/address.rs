//! The page's address: read it, change some of its parameters, keep the rest. Back and forward work because every choice is
//! a step in the browser's history; while a slider moves, its steps replace each other.

use std::borrow::Cow;

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate, use_query_map},
    params::ParamsMap,
};

/// Reads and changes the query part of the address.
#[derive(Clone, Copy)]
pub struct Address {
    path: Memo<String>,
    query: Memo<ParamsMap>,
    change: StoredValue<Navigate>,
}

type Navigate = Box<dyn Fn(Vec<(Cow<'static, str>, Option<String>)>, Step) + Send + Sync>;

/// A parameter and its new value; `None` removes it.
pub type Change = (&'static str, Option<String>);

/// How a change enters the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Back returns to what was before.
    Push,
    /// Replaces what was before.
    Replace,
}

impl Address {
    /// The address of the page that is being shown. Inside the router only.
    pub fn of_page() -> Address {
        let query = use_query_map();
        let path = use_location().pathname;
        // Only a browser goes anywhere; and what use_navigate gives may not move between threads, as a page that is
        // being rendered on the server does.
        let navigate = (!cfg!(feature = "ssr")).then(|| StoredValue::new_local(use_navigate()));
        let change = move |changes: Vec<(Cow<'static, str>, Option<String>)>, step: Step| {
            let replace = step == Step::Replace;
            let options = NavigateOptions { resolve: false, replace, scroll: false, ..NavigateOptions::default() };
            let address = changed(&path.get_untracked(), query.get_untracked(), changes);
            if let Some(navigate) = navigate {
                navigate.with_value(|navigate| navigate(&address, options));
            }
        };
        Address { path, query, change: StoredValue::new(Box::new(change) as Navigate) }
    }

    /// A parameter; tracked.
    pub fn get(&self, name: &str) -> Option<String> {
        self.query.with(|query| query.get(name))
    }

    /// All parameters as they stand behind the question mark, which stands there too; empty where there are none. Tracked.
    pub fn query(&self) -> String {
        readable(self.query.with(|query| query.to_query_string()))
    }

    /// The address after some changes, from its path on; nothing goes there. Tracked.
    pub fn after(&self, changes: Vec<Change>) -> String {
        let changes = changes.into_iter().map(|(name, value)| (Cow::Borrowed(name), value));
        changed(&self.path.get(), self.query.get(), changes)
    }

    /// Changes some parameters and keeps the rest.
    pub fn set(&self, changes: Vec<Change>, step: Step) {
        let changes = changes.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect();
        self.change.with_value(|change| change(changes, step));
    }

    /// Changes a parameter whose name is not known before, and keeps the rest.
    pub fn set_named(&self, name: String, value: Option<String>, step: Step) {
        self.change.with_value(|change| change(vec![(Cow::Owned(name), value)], step));
    }
}

/// An address with other values of some parameters, and the rest of them as they are.
fn changed(
    path: &str,
    mut query: ParamsMap,
    changes: impl IntoIterator<Item = (Cow<'static, str>, Option<String>)>,
) -> String {
    for (name, value) in changes {
        query.remove(&name);
        if let Some(value) = value {
            query.insert(name, value);
        }
    }
    format!("{path}{}", readable(query.to_query_string()))
}

/// Colons and commas need no escape in a query, and times and lists are full of them.
fn readable(query: String) -> String {
    query.replace("%3A", ":").replace("%2C", ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_stays_in_the_address() {
        let mut query = ParamsMap::new();
        for (name, value) in [("mode", "read"), ("known", "first"), ("only", "sector:Energy,Utilities")] {
            query.insert(name, value.to_owned());
        }
        let known = [(Cow::Borrowed("known"), Some("now".to_owned()))];
        let address = changed("/dashboards/market", query.clone(), known);
        assert!(address.starts_with("/dashboards/market?"), "{address}");
        for parameter in ["mode=read", "known=now", "only=sector:Energy,Utilities"] {
            assert!(address.contains(parameter), "no {parameter} in {address}");
        }
        let gone = changed("/", query, [(Cow::Borrowed("mode"), None)]);
        assert!(!gone.contains("mode"), "{gone}");
    }
}
