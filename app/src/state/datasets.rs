//! The list of datasets on an open page: as it was rendered, then read again as the lake changes.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};
use model::DatasetSummary;

use crate::{live::Live, queries::datasets::datasets};

/// The list is read at most this often, however quickly commits follow each other.
const REFRESH_MS: u64 = 2_000;

/// A list that follows the lake.
#[derive(Clone, Copy)]
pub struct DatasetList {
    /// The datasets, by name.
    pub all: RwSignal<Vec<DatasetSummary>>,
    /// Why the last reading failed, if it did; the list is older then.
    pub problem: RwSignal<Option<String>>,
    busy: StoredValue<bool>,
    stale: StoredValue<bool>,
}

impl DatasetList {
    /// Starts from what was rendered. Reads again after commits: one reading at a time, not more often than every two seconds,
    /// and only while `wanted` says so of the list that is there.
    pub fn follow(
        live: Live,
        rendered: Vec<DatasetSummary>,
        problem: Option<String>,
        wanted: fn(&[DatasetSummary]) -> bool,
    ) -> DatasetList {
        let list = DatasetList {
            all: RwSignal::new(rendered),
            problem: RwSignal::new(problem),
            busy: StoredValue::new(false),
            stale: StoredValue::new(false),
        };
        Effect::new(move |_| {
            live.head.track();
            list.stale.set_value(list.all.with_untracked(|all| wanted(all)));
            list.read_when_stale();
        });
        list
    }

    fn read_when_stale(self) {
        // The page may be gone by the time a timer calls: everything here only tries.
        if self.busy.try_get_value() != Some(false) || self.stale.try_get_value() != Some(true) {
            return;
        }
        self.busy.try_set_value(true);
        self.stale.try_set_value(false);
        spawn_local(async move {
            match datasets().await {
                Ok(read) => {
                    self.problem.try_set(None);
                    if self.all.try_with_untracked(|all| *all != read) == Some(true) {
                        self.all.try_set(read);
                    }
                }
                Err(reason) => {
                    self.problem.try_set(Some(reason));
                }
            }
            let again = move || {
                if self.busy.try_set_value(false).is_none() {
                    self.read_when_stale();
                }
            };
            set_timeout(again, Duration::from_millis(REFRESH_MS));
        });
    }
}

/// Whether something is still to be expected of a list: no dataset, an import under way, or nothing known yet.
pub fn is_unsettled(all: &[DatasetSummary]) -> bool {
    all.is_empty() || all.iter().any(|dataset| !dataset.readable || dataset.known.is_none())
}
