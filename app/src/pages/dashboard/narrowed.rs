//! What a page is narrowed down to, in words: a kiosk says it in the place of the controls.

use std::sync::Arc;

use leptos::prelude::*;

use super::choices::Read;
use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::{Filter, Filters, Options, Variable},
    state::address::Address,
};

/// Values of a variable that are named at most.
const NAMED_MOST: usize = 3;

/// The line of words; nothing where there is neither a variable nor a filter.
pub(super) fn line(
    variables: Arc<Vec<Variable>>,
    read: Read,
    filters: Memo<Filters>,
    address: Address,
) -> impl Fn() -> Option<WholeView> + Send + Sync + 'static {
    let words = Memo::new(move |_| {
        let of_variables = read.known.with(|options| {
            let said = |variable: &Variable| variable_text(variable, address.get(&variable.parameter()), options);
            variables.iter().map(said).collect::<Vec<_>>()
        });
        let of_filters = filters.with(|filters| filters.0.iter().map(filter_text).collect::<Vec<_>>());
        [of_variables, of_filters].concat().join(" · ")
    });
    move || {
        let said = words.with(|words| !words.is_empty());
        said.then(|| view! { <p class="narrowed" data-testid="narrowed">{changing(move || words.get())}</p> }.whole())
    }
}

fn filter_text(filter: &Filter) -> String {
    format!("{}: {}", filter.column, filter.text())
}

fn variable_text(variable: &Variable, said: Option<String>, options: &Options) -> String {
    let chosen = variable.chosen(said.as_deref(), options);
    let all = variable.options(options).is_some_and(|options| options.len() == chosen.len() && chosen.len() > 1);
    let values = match &chosen[..] {
        [] => "–".to_owned(),
        _ if all => "all".to_owned(),
        few if few.len() <= NAMED_MOST => few.join(", "),
        many => format!("{} and {} more", many[..NAMED_MOST].join(", "), many.len() - NAMED_MOST),
    };
    format!("{}: {values}", variable.title())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_is_named_as_far_as_it_is_short() {
        let text = r#"{"name": "v", "title": "Region", "kind": {"choice": {"options": ["a", "b", "c", "d", "e"]}}, "multiple": true}"#;
        let variable: Variable = serde_json::from_str(text).unwrap();
        let said = |parameter: Option<&str>| variable_text(&variable, parameter.map(str::to_owned), &Options::new());
        assert_eq!(said(None), "Region: all");
        assert_eq!(said(Some("a,b")), "Region: a, b");
        assert_eq!(said(Some("a,b,c,d")), "Region: a, b, c and 1 more");
        assert_eq!(said(Some("~")), "Region: –");
        assert_eq!(filter_text(&Filter::one("sector", Some("Energy".to_owned()))), "sector: Energy");
    }
}
