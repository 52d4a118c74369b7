//! What the page knows of the pipeline, kept up to date: read again each second, and ten times as often while a rescale is
//! under way. The stream tells of rescales too; it is not listened to, because every page would carry the code for it.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};
use model::RescaleRecord;

use crate::{
    live::Live,
    queries::scaling::{self, PipelineStatus},
};

/// How soon a rescale that is under way is looked at again.
const STEP_LASTS: Duration = Duration::from_millis(100);

/// What is followed.
#[derive(Clone, Copy)]
pub(super) struct Following {
    /// How the pipeline stands, as it was read last.
    pub(super) status: RwSignal<Option<PipelineStatus>>,
    /// Why it could not be read, if it could not.
    pub(super) problem: RwSignal<Option<String>>,
    /// The rescale that was told of last since the page was opened; the one under way when it was.
    pub(super) record: RwSignal<Option<RescaleRecord>>,
    /// Counts what was told of rescales, so that the history is read again.
    pub(super) changes: RwSignal<u64>,
    reading: StoredValue<bool>,
}

impl Following {
    pub(super) fn begin(live: Live) -> Following {
        let following = Following {
            status: RwSignal::new(None),
            problem: RwSignal::new(None),
            record: RwSignal::new(None),
            changes: RwSignal::new(0),
            reading: StoredValue::new(false),
        };
        Effect::new(move |_| {
            live.sample.track();
            live.connection.track();
            following.read();
        });
        following
    }

    /// A rescale is so far. What comes late is left out.
    pub(super) fn told(self, record: RescaleRecord) {
        let newer = self.record.with_untracked(|known| known.as_ref().is_none_or(|known| is_newer(&record, known)));
        if newer {
            self.record.set(Some(record));
            self.changes.update(|changes| *changes += 1);
        }
    }

    /// Reads how the pipeline stands, unless that is being read.
    pub(super) fn read(self) {
        // The page may be gone by now.
        if self.reading.try_get_value() != Some(false) {
            return;
        }
        self.reading.set_value(true);
        spawn_local(async move {
            let answer = scaling::status().await;
            // The page may be gone by now: everything below only tries.
            self.reading.try_set_value(false);
            match answer {
                Ok(status) => self.arrived(status).await,
                Err(reason) => drop(self.problem.try_set(Some(reason))),
            }
        });
    }

    async fn arrived(self, status: PipelineStatus) {
        self.problem.try_set(None);
        let under_way = status.rescale.clone();
        if under_way.is_some() {
            set_timeout(move || self.read(), STEP_LASTS);
        }
        let slots = |known: &Option<PipelineStatus>| known.as_ref().map(|known| known.slots);
        let moved = self.status.try_with_untracked(slots).flatten().is_some_and(|slots| slots != status.slots);
        if self.status.try_with_untracked(|known| known.as_ref() != Some(&status)) == Some(true) {
            self.status.try_set(Some(status));
        }
        let known = self.record.try_get_untracked().flatten().filter(RescaleRecord::is_under_way);
        let ended = match (under_way, known) {
            (Some(record), _) => return self.told(record),
            (None, Some(known)) => scaling::record(Some(known.id)).await,
            // Somebody else's, which has begun and ended since.
            (None, None) if moved => scaling::record(None).await,
            (None, None) => return,
        };
        if let Ok(Some(record)) = ended
            && self.record.try_get_untracked().is_some()
        {
            self.told(record);
        }
    }
}

/// Whether a record tells of something later than another.
fn is_newer(record: &RescaleRecord, known: &RescaleRecord) -> bool {
    let place = |record: &RescaleRecord| (record.id, record.outcome.is_some(), record.phase);
    place(record) > place(known)
}
