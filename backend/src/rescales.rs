//! Rescales as a process carries them out: asked for, waited for, kept with the lake, told to open pages.
//!
//! What the engine decides it tells through a channel, so that the pipeline never waits for a disk; one task writes it to
//! the catalog, in order. Whoever asks is answered once what was decided is kept.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use adapters::SystemClock;
use engine::{
    Scaling,
    meters::{Histogram, HistogramReading},
    ports::Clock,
    rescale::{Refusal, RescaleRequest, ended_by_restart, slots_at_start},
};
use lake::Lake;
use model::{KeptSlots, RescaleOutcome, RescaleRecord};
use tokio::sync::{mpsc, watch};
use tracing::{error, info};

use crate::{
    error::{Error, ErrorKind, Result},
    live::Live,
};

/// Rescales at hand for the API, the system table and the metrics; the lake keeps more.
const AT_HAND: usize = 1_000;
/// How long whoever asks waits until what was decided is kept.
const KEPT_WITHIN: Duration = Duration::from_secs(10);
/// Pause before writing is tried again.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Asks for rescales and knows of those there were.
pub struct Rescales {
    scaling: Arc<Scaling>,
    told: Arc<Told>,
    /// How many changes are kept.
    kept: watch::Receiver<u64>,
}

const OUTCOMES: [RescaleOutcome; 4] =
    [RescaleOutcome::Done, RescaleOutcome::AtRestart, RescaleOutcome::Cancelled, RescaleOutcome::Failed];

/// Rescales that ended since the process began; those that the last process left are among them.
#[derive(Debug)]
pub struct Tally {
    /// How many ended how.
    pub by_outcome: [(RescaleOutcome, u64); OUTCOMES.len()],
    /// Measured pauses.
    pub pauses: HistogramReading,
}

/// What the engine has told.
struct Told {
    /// Latest first, as they are now.
    records: Mutex<VecDeque<RescaleRecord>>,
    /// How many changes there were.
    changes: AtomicU64,
    /// Pauses of those that ended since the process began.
    pauses: Histogram,
    /// How those ended, in the order of [`OUTCOMES`].
    outcomes: [AtomicU64; OUTCOMES.len()],
    /// The same, to be waited for.
    changed: watch::Sender<u64>,
}

impl Rescales {
    /// Goes on from what the lake remembers; `configured` is the number of slots that the settings say. A rescale that was
    /// under way when the last process ended is ended now.
    pub async fn open(lake: &Lake, configured: u16, live: Arc<Live>) -> Result<Rescales> {
        let slots = slots_at_start(configured, lake.kept_slots().await?);
        if slots != configured {
            info!(slots, configured, "the number of slots is the one of the last rescale, not that of the settings");
        }
        let mut records = lake.rescales(AT_HAND as u32).await?;
        let now = SystemClock.now();
        let mut ended = Vec::new();
        for record in records.iter_mut().filter(|record| record.is_under_way()) {
            *record = ended_by_restart(record, slots, now);
            ended.push(record.clone());
        }
        lake.keep_rescales(&ended, KeptSlots { configured, wanted: slots }).await?;
        let told = Arc::new(Told {
            records: Mutex::new(records.into()),
            changes: AtomicU64::new(0),
            pauses: Histogram::default(),
            outcomes: Default::default(),
            changed: watch::Sender::new(0),
        });
        ended.iter().for_each(|record| told.count(record));
        // At most one rescale is under way, and whoever asks for the next one waits until this one is kept; so there is
        // never much in it.
        let (changes, to_keep) = mpsc::unbounded_channel();
        let telling = Arc::clone(&told);
        let on_change = move |record: &RescaleRecord| {
            telling.take(record);
            live.rescaling(record);
            // Nobody takes it where the process is about to end.
            let _ = changes.send(record.clone());
        };
        let scaling = Scaling::new(slots).after(told.lock().iter().rev()).telling(Box::new(on_change));
        let (counting, kept) = watch::channel(0);
        tokio::spawn(keep(lake.clone(), configured, to_keep, counting));
        Ok(Rescales { scaling: Arc::new(scaling), told, kept })
    }

    /// The handle that the pipeline consults.
    pub fn scaling(&self) -> &Arc<Scaling> {
        &self.scaling
    }

    /// Those at hand, latest first; the first may be under way.
    pub fn records(&self, limit: usize) -> Vec<RescaleRecord> {
        self.told.lock().iter().take(limit).cloned().collect()
    }

    /// Asks for another number of slots. Returns once the request is kept; it is carried out whatever becomes of the
    /// caller.
    pub async fn request(&self, request: RescaleRequest) -> Result<RescaleRecord> {
        let record = self.scaling.request(request, SystemClock.now()).map_err(refused)?;
        self.all_kept().await?;
        Ok(record)
    }

    /// Takes back the one that is requested; with an `id` only that one.
    pub async fn cancel(&self, id: Option<u64>) -> Result<RescaleRecord> {
        let record = self.scaling.cancel(id, SystemClock.now()).map_err(refused)?;
        self.all_kept().await?;
        Ok(record)
    }

    /// Waits until a rescale has ended, and gives it as it is then; as it is now after `timeout`.
    pub async fn ended(&self, id: u64, timeout: Duration) -> Option<RescaleRecord> {
        let mut changed = self.told.changed.subscribe();
        let is_over = |_: &u64| self.record(id).is_none_or(|record| !record.is_under_way());
        let _ = tokio::time::timeout(timeout, changed.wait_for(is_over)).await;
        self.record(id)
    }

    /// Returns when all that was decided until now is kept. Fails with `Unavailable` where that takes too long.
    pub async fn all_kept(&self) -> Result<()> {
        let (changes, mut kept) = (self.told.changes.load(Ordering::SeqCst), self.kept.clone());
        match tokio::time::timeout(KEPT_WITHIN, kept.wait_for(|kept| *kept >= changes)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                let message = "what was decided holds, but cannot be kept with the lake just now, so a restart may not know \
                               of it; see to the disk, the log says what is wrong";
                Err(Error::new(ErrorKind::Unavailable, message))
            }
        }
    }

    /// How many ended since the process began, and with what pauses.
    pub fn tally(&self) -> Tally {
        let mut by_outcome = OUTCOMES.map(|outcome| (outcome, 0));
        for ((_, count), counted) in by_outcome.iter_mut().zip(&self.told.outcomes) {
            *count = counted.load(Ordering::Relaxed);
        }
        Tally { by_outcome, pauses: self.told.pauses.read() }
    }

    fn record(&self, id: u64) -> Option<RescaleRecord> {
        self.told.lock().iter().find(|record| record.id == id).cloned()
    }
}

impl Told {
    fn take(&self, record: &RescaleRecord) {
        let mut records = self.lock();
        match records.front_mut().filter(|latest| latest.id == record.id) {
            Some(latest) => *latest = record.clone(),
            None => records.push_front(record.clone()),
        }
        records.truncate(AT_HAND);
        drop(records);
        self.count(record);
        let changes = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        self.changed.send_replace(changes);
    }

    fn count(&self, record: &RescaleRecord) {
        let outcome = OUTCOMES.iter().position(|outcome| record.outcome == Some(*outcome));
        if let Some(outcome) = outcome {
            self.outcomes[outcome].fetch_add(1, Ordering::Relaxed);
            record.pause_micros.iter().for_each(|pause| self.pauses.observe(*pause));
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<RescaleRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what changes to the lake, in order, until nobody can change anything any more. What cannot be written is tried
/// again for as long as it takes.
async fn keep(
    lake: Lake,
    configured: u16,
    mut changes: mpsc::UnboundedReceiver<RescaleRecord>,
    counting: watch::Sender<u64>,
) {
    while let Some(record) = changes.recv().await {
        let slots = KeptSlots { configured, wanted: record.wanted_slots() };
        while let Err(error) = lake.keep_rescales(std::slice::from_ref(&record), slots).await {
            error!(%error, rescale = record.id, "a rescale cannot be kept with the lake; it is tried again");
            tokio::time::sleep(WRITE_AGAIN_AFTER).await;
        }
        counting.send_modify(|kept| *kept += 1);
    }
}

/// A refusal as an error of the API.
pub fn refused(refusal: Refusal) -> Error {
    let kind = match refusal {
        Refusal::OutOfRange { .. } | Refusal::Same { .. } | Refusal::TooLong { .. } => ErrorKind::Unprocessable,
        Refusal::UnderWay { .. } | Refusal::TooLate { .. } => ErrorKind::Conflict,
        Refusal::NothingUnderWay => ErrorKind::NotFound,
        Refusal::NotRunning => ErrorKind::Unavailable,
    };
    Error::new(kind, refusal.to_string())
}

#[cfg(test)]
mod tests {
    use engine::model::RescaleReason;

    use super::*;

    fn to(slots: u16) -> RescaleRequest {
        RescaleRequest { slots, reason: RescaleReason::Hand { text: String::new() }, asked_by: "a test".to_owned() }
    }

    async fn open(folder: &std::path::Path, configured: u16) -> (Lake, Rescales) {
        let lake = Lake::open(folder).await.unwrap();
        let live = Arc::new(Live::new(&lake).await.unwrap());
        let rescales = Rescales::open(&lake, configured, live).await.unwrap();
        (lake, rescales)
    }

    #[tokio::test]
    async fn a_request_is_kept_before_it_is_answered_and_ended_by_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (lake, rescales) = open(folder.path(), 2).await;
        let asked = rescales.request(to(6)).await.unwrap();
        assert_eq!(lake.rescales(9).await.unwrap(), [asked]);
        drop((lake, rescales));

        let (lake, rescales) = open(folder.path(), 2).await;
        assert_eq!(rescales.scaling().slots(), 6);
        let [ended] = &rescales.records(9)[..] else { panic!("one rescale") };
        assert_eq!(ended.outcome.map(model::RescaleOutcome::word), Some("at_restart"));
        assert_eq!(lake.rescales(9).await.unwrap(), rescales.records(9));
        drop((lake, rescales));

        // Somebody has changed the settings on purpose.
        let (_, rescales) = open(folder.path(), 3).await;
        assert_eq!(rescales.scaling().slots(), 3);
    }

    #[tokio::test]
    async fn what_is_taken_back_is_not_wanted_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (lake, rescales) = open(folder.path(), 2).await;
        let asked = rescales.request(to(6)).await.unwrap();
        assert_eq!(rescales.request(to(7)).await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(rescales.cancel(Some(asked.id)).await.unwrap().wanted_slots(), 2);
        assert_eq!(rescales.cancel(None).await.unwrap_err().kind(), ErrorKind::NotFound);
        let ended = rescales.ended(asked.id, Duration::from_secs(60)).await.unwrap();
        assert_eq!(ended.outcome.map(model::RescaleOutcome::word), Some("cancelled"));
        drop((lake, rescales));
        let (_, rescales) = open(folder.path(), 2).await;
        assert_eq!(rescales.scaling().slots(), 2);
        assert_eq!(rescales.request(to(6)).await.unwrap().id, 2, "numbers go on");
    }
}
