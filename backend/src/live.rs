//! What an open page hears: commits as they happen, and a sample of the pipeline each second.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use adapters::{EmbeddedStream, RocksDbState, SystemClock};
use engine::{
    Progress, Scaling,
    ports::{Clock, StateStore},
};
use lake::Lake;
use model::{CommitAnnouncement, EpochRecord, PipelineSample, RescaleRecord, SnapshotToken};
use tokio::sync::{broadcast, watch};

/// Samples kept: fifteen minutes.
const SAMPLES_KEPT: usize = 900;
/// Epochs kept for the system table.
const EPOCHS_KEPT: usize = 600;
/// Messages a slow listener may lag behind before it misses some.
const MESSAGES_KEPT: usize = 256;

/// A message to open pages.
#[derive(Debug, Clone)]
pub enum LiveMessage {
    /// An epoch was committed.
    Commit(CommitAnnouncement),
    /// A second has passed.
    Sample(PipelineSample),
    /// A rescale is asked for, goes on, or has ended.
    Rescale(RescaleRecord),
}

/// Collects and spreads what is live.
pub struct Live {
    lake_id: u32,
    messages: broadcast::Sender<LiveMessage>,
    closing: watch::Sender<bool>,
    samples: Mutex<VecDeque<PipelineSample>>,
    epochs: Mutex<VecDeque<EpochRecord>>,
}

impl Live {
    /// Begins with the epochs the lake remembers.
    pub async fn new(lake: &Lake) -> lake::Result<Live> {
        let recent = lake.recent_epochs(EPOCHS_KEPT as u32).await?;
        Ok(Live {
            lake_id: lake.id(),
            messages: broadcast::channel(MESSAGES_KEPT).0,
            closing: watch::Sender::new(false),
            samples: Mutex::new(VecDeque::new()),
            epochs: Mutex::new(recent.into()),
        })
    }

    /// Tells open pages of a commit.
    pub fn committed(&self, record: &EpochRecord, datasets: &[String]) {
        push_bounded(&self.epochs, record.clone(), EPOCHS_KEPT);
        // No one listening is no error.
        let _ = self.messages.send(LiveMessage::Commit(self.announcement(record, datasets)));
    }

    /// Tells open pages how far a rescale is.
    pub fn rescaling(&self, record: &RescaleRecord) {
        let _ = self.messages.send(LiveMessage::Rescale(record.clone()));
    }

    /// An epoch as it is announced.
    pub fn announcement(&self, record: &EpochRecord, datasets: &[String]) -> CommitAnnouncement {
        let EpochRecord { epoch, system_time, records, .. } = *record;
        let snapshot = SnapshotToken { lake: self.lake_id, epoch, system_time };
        CommitAnnouncement { epoch, system_time, snapshot, datasets: datasets.to_vec(), records }
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<LiveMessage> {
        self.messages.subscribe()
    }

    /// Ends all open streams, so that a server that stops need not wait for its listeners to go.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Returns once [`Live::close`] was called.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closing = self.closing.subscribe();
        async move {
            // An error means that the sender is gone, which is closed enough.
            let _ = closing.wait_for(|closing| *closing).await;
        }
    }

    /// The samples kept, oldest first.
    pub fn samples(&self) -> Vec<PipelineSample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// The epochs kept, oldest first.
    pub fn epochs(&self) -> Vec<EpochRecord> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn sampled(&self, sample: PipelineSample) {
        push_bounded(&self.samples, sample, SAMPLES_KEPT);
        let _ = self.messages.send(LiveMessage::Sample(sample));
    }
}

fn push_bounded<T>(kept: &Mutex<VecDeque<T>>, value: T, most: usize) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push_back(value);
    if kept.len() > most {
        kept.pop_front();
    }
}

/// What a sample is taken from.
pub struct Sampled {
    /// The lake.
    pub lake: Lake,
    /// The stream.
    pub stream: Arc<EmbeddedStream>,
    /// The state.
    pub state: Arc<RocksDbState>,
    /// What the pipeline tells.
    pub progress: Arc<Progress>,
    /// How many workers it has.
    pub scaling: Arc<Scaling>,
}

/// Takes a sample each second, for ever.
pub async fn sample_each_second(live: Arc<Live>, sampled: Sampled) {
    let sampled = Arc::new(sampled);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let records_before = Arc::new(AtomicU64::new(sampled.progress.records.load(Ordering::Relaxed)));
    let mut last = tokio::time::Instant::now();
    loop {
        ticks.tick().await;
        let seconds = last.elapsed().as_secs_f64().max(0.001);
        last = tokio::time::Instant::now();
        let (sampled, before) = (Arc::clone(&sampled), Arc::clone(&records_before));
        // Counting what lags reads from disk.
        let sample = tokio::task::spawn_blocking(move || take_sample(&sampled, &before, seconds)).await;
        if let Ok(sample) = sample {
            live.sampled(sample);
        }
    }
}

fn take_sample(sampled: &Sampled, records_before: &AtomicU64, seconds: f64) -> PipelineSample {
    let head = sampled.lake.head();
    let records = sampled.progress.records.load(Ordering::Relaxed);
    let new_records = records - records_before.swap(records, Ordering::Relaxed);
    let position = head.as_ref().map_or(0, |head| head.position);
    PipelineSample {
        at: SystemClock.now(),
        records_per_second: new_records as f64 / seconds,
        lag_records: sampled.stream.lag_after(position).map_or(0, |lag| lag.records),
        epoch_duration_ms: sampled.progress.epoch_duration_micros.load(Ordering::Relaxed) as f64 / 1_000.0,
        state_bytes: sampled.state.size_bytes(),
        epoch: head.map_or(0, |head| head.epoch),
        slots: u32::from(sampled.scaling.slots()),
    }
}
