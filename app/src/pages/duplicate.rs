//! The dialog in which a copy of a dashboard gets its name. Its form is loaded once it is opened.

use leptos::{ev::SubmitEvent, prelude::*, task::spawn_local};

use super::{
    author::{AuthorField, author},
    lazy::LazyPart,
};
use crate::{
    browser,
    components::{
        dialog::{Dialog, form_end},
        whole::{Whole, WholeView, changing},
    },
    tasks::dashboards::duplicate,
};

/// What is duplicated, and what for.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::pages) struct Original {
    /// Its name in addresses.
    pub(in crate::pages) name: String,
    /// What people call it.
    pub(in crate::pages) title: String,
    /// The moment whose version is duplicated; the last without.
    pub(in crate::pages) version: Option<String>,
    /// Whether the copy is opened in the editor, and not as a page.
    pub(in crate::pages) to_edit: bool,
}

/// What the form of an open dialog works on.
#[derive(Clone)]
struct Opened {
    original: Original,
    open: RwSignal<bool>,
}

/// The dialog; closed while nothing is being duplicated.
#[component]
pub(in crate::pages) fn DuplicateDialog(copying: RwSignal<Option<Original>>) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move |_| open.set(copying.with(Option::is_some)));
    Effect::new(move |_| {
        if !open.get() && copying.with_untracked(Option::is_some) {
            copying.set(None);
        }
    });
    let content = move || {
        let original = copying.get()?;
        provide_context(Opened { original, open });
        Some(LazyPart::Duplicate.view())
    };
    view! {
        <Dialog class="small-dialog" label="Duplicate a dashboard" testid="duplicate" open>
            {changing(content)}
        </Dialog>
    }
    .whole()
}

/// The form for what the dialog provides.
pub fn form() -> WholeView {
    let Opened { original, open } = expect_context();
    let Original { name: of, title: called, version, to_edit } = original;
    let (name, title) = (RwSignal::new(format!("{of}-copy")), RwSignal::new(format!("{called} (copy)")));
    let problem = RwSignal::new(None::<String>);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let (of, version) = (of.clone(), version.clone());
        let (name, title) = (name.get_untracked(), title.get_untracked());
        spawn_local(async move {
            match duplicate(&of, version.as_deref(), &name, &title, &author()).await {
                // Anew from the server, which knows the new one's title.
                Ok(()) => browser::open(&address_of_copy(&name, to_edit)),
                Err(reason) => {
                    problem.try_set(Some(reason));
                }
            }
        });
    };
    let verb = if to_edit { "Duplicate and edit" } else { "Duplicate" };
    let told =
        to_edit.then(|| view! { <p class="quiet">"The copy is yours to change; this dashboard stays as it is."</p> });
    view! {
        <form on:submit=submit>
            <h2>"Duplicate " {called}</h2>
            {told}
            <label>
                "Name in addresses"
                <input
                    type="text"
                    required
                    pattern="[a-z0-9\\-]+"
                    title="a to z, 0 to 9 and -"
                    prop:value=move || name.get()
                    on:input=move |event| name.set(event_target_value(&event))
                />
            </label>
            <label>
                "Title"
                <input
                    type="text"
                    required
                    prop:value=move || title.get()
                    on:input=move |event| title.set(event_target_value(&event))
                />
            </label>
            <AuthorField />
            {form_end(verb, problem, open)}
        </form>
    }
    .whole()
}

fn address_of_copy(name: &str, to_edit: bool) -> String {
    let below = if to_edit { "/edit" } else { "" };
    format!("/dashboards/{name}{below}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_opens_where_it_is_wanted() {
        assert_eq!(address_of_copy("desk-copy", false), "/dashboards/desk-copy");
        assert_eq!(address_of_copy("desk-copy", true), "/dashboards/desk-copy/edit");
    }
}
