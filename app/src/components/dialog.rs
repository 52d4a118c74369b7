//! A dialog over the page. The browser keeps the focus inside and gives it back when the dialog closes.

use leptos::{
    ev::{KeyboardEvent, MouseEvent},
    html,
    prelude::*,
};
use web_sys::EventTarget;

use super::whole::{Whole, WholeChildren, WholeView, changing};

/// Shows its children over the page while `open`. Escape, and a click beside it, close it; the page does not hear of either.
#[component]
pub fn Dialog(
    /// Its class in the stylesheet.
    class: &'static str,
    /// Its name.
    label: &'static str,
    testid: &'static str,
    open: RwSignal<bool>,
    children: WholeChildren,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let (open, Some(dialog)) = (open.get(), node.get()) else { return };
        if open && !dialog.open() {
            if dialog.show_modal().is_err() {
                leptos::logging::warn!("the dialog '{label}' could not be opened");
            }
        } else if !open && dialog.open() {
            dialog.close();
        }
    });
    let key = move |event: KeyboardEvent| {
        if event.key() == "Escape" {
            event.prevent_default();
            open.set(false);
        }
    };
    // The dialog's content covers it: what hits the dialog itself hit what lies behind.
    let click = move |event: MouseEvent| {
        let dialog = node.get_untracked().map(EventTarget::from);
        if dialog.is_some() && event.target() == dialog {
            open.set(false);
        }
    };
    view! {
        <dialog
            class=class
            aria-label=label
            data-testid=testid
            node_ref=node
            on:keydown=key
            on:click=click
            on:close=move |_| open.set(false)
        >
            {children.view()}
        </dialog>
    }
    .whole()
}

/// The end of a form in a dialog: why it was refused, if it was, and the ways out.
pub fn form_end(verb: &'static str, problem: RwSignal<Option<String>>, open: RwSignal<bool>) -> WholeView {
    view! {
        {changing(move || problem.get().map(|reason| view! { <p class="notice" role="alert">{reason}</p> }))}
        <div class="dialog-actions">
            <button type="submit">{verb}</button>
            <button type="button" on:click=move |_| open.set(false)>
                "Cancel"
            </button>
        </div>
    }
    .whole()
}
