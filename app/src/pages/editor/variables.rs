//! The variables of the dashboard while it is edited: a control for each, as on the page itself. Tiles show what is chosen.

use std::{sync::Arc, time::Duration};

use leptos::prelude::*;

use super::state::Editing;
use crate::{
    components::whole::{Whole, WholeView, changing},
    dashboards::{Variable, VariableKind},
    pages::dashboard::choices::{read_options, row as controls},
};

/// What is typed into the query of a variable is asked for once nothing was typed for so long.
const ASK_AFTER: Duration = Duration::from_millis(300);

/// Those that ask something, without what their answers do not depend on.
fn asking(variables: &[Variable]) -> Arc<Vec<Variable>> {
    let asks = |variable: &&Variable| matches!(variable.kind, VariableKind::Query { .. });
    let bare = |variable: &Variable| Variable {
        name: variable.name.clone(),
        title: String::new(),
        kind: variable.kind.clone(),
        multiple: false,
        default: Vec::new(),
    };
    Arc::new(variables.iter().filter(asks).map(bare).collect())
}

/// The row of controls; nothing while there is no variable.
pub(super) fn row(editing: Editing) -> WholeView {
    let wanted = Memo::new(move |_| editing.variables.with(|all| asking(all)));
    let asked = RwSignal::new(wanted.get_untracked());
    let typed = StoredValue::new(0_u32);
    Effect::new(move |before: Option<()>| {
        let now = wanted.get();
        if before.is_none() {
            return;
        }
        typed.update_value(|typed| *typed += 1);
        let this = typed.get_value();
        let later = move || {
            if typed.try_get_value() == Some(this) {
                asked.set(now.clone());
            }
        };
        set_timeout(later, ASK_AFTER);
    });
    changing(move || {
        let read = asked.with(|asked| read_options(asked, editing.page, move || editing.page_moment()));
        Effect::new(move |_| editing.options.set(read.known.get()));
        changing(move || controls(&editing.variables.get(), read, editing.address)).whole()
    })
    .whole()
}
