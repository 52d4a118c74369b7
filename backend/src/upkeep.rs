//! Upkeep beside the running pipeline: by itself where it is due, and when somebody asks for it. One run at a time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use adapters::SystemClock;
use engine::ports::Clock;
use lake::{CompactOptions, Extent, Lake, MaintainOptions, UpkeepKind, UpkeepPlan, UpkeepRun};
use model::Instant;
use serde::Serialize;
use tokio::time::Instant as Moment;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::error::{Error, ErrorKind, Result};

/// Runs at hand for the system table.
const RUNS_KEPT: u32 = 1_000;
/// Longest time a dataset whose upkeep fails is left alone, unless the interval is longer.
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// How long a run may go on when the server stops. One that is cut off has changed nothing and begins anew later.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

/// The run that goes on now.
#[derive(Debug, Clone, Serialize)]
pub struct Running {
    /// What it does.
    #[serde(flatten)]
    pub plan: UpkeepPlan,
    /// Since when.
    pub started: Instant,
    /// How far it is, from 0 to 1.
    pub progress: f64,
}

/// Runs of one kind and outcome since the server was started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// How many.
    pub runs: u64,
    /// How long the last one took.
    pub last_duration_seconds: f64,
}

/// Kind of upkeep, and whether it was done.
pub type Outcome = (String, bool);

/// Carries out upkeep, and knows of what was carried out.
pub struct Upkeep {
    lake: Lake,
    turn: tokio::sync::Mutex<()>,
    seen: Mutex<Seen>,
    stopping: CancellationToken,
}

#[derive(Default)]
struct Seen {
    running: Option<Running>,
    /// Latest first.
    runs: Vec<UpkeepRun>,
    tallies: BTreeMap<Outcome, Tally>,
}

impl Upkeep {
    /// Begins with the runs the lake remembers.
    pub async fn new(lake: &Lake) -> lake::Result<Upkeep> {
        let runs = lake.upkeep_runs(None, RUNS_KEPT).await?;
        Ok(Upkeep {
            lake: lake.clone(),
            turn: tokio::sync::Mutex::default(),
            seen: Mutex::new(Seen { runs, ..Seen::default() }),
            stopping: CancellationToken::new(),
        })
    }

    /// The run that goes on now, if one does.
    pub fn running(&self) -> Option<Running> {
        let running = self.seen().running.clone();
        running.map(|running| Running { progress: self.lake.upkeep_progress(), ..running })
    }

    /// The last 1,000 runs, latest first.
    pub fn runs(&self) -> Vec<UpkeepRun> {
        self.seen().runs.clone()
    }

    /// Runs since the start, by kind and outcome.
    pub fn tallies(&self) -> BTreeMap<Outcome, Tally> {
        self.seen().tallies.clone()
    }

    /// Carries out one run on a dataset, once it has its turn; `None` where there is nothing to do. It goes on to its
    /// end even where the caller stops waiting. Fails as `Lake::compact` does, and with `Unavailable` where the server
    /// stops.
    pub async fn run(self: &Arc<Self>, dataset: &str, extent: Extent) -> Result<Option<UpkeepRun>> {
        let (upkeep, dataset) = (Arc::clone(self), dataset.to_owned());
        let run = tokio::spawn(async move { upkeep.run_in_turn(&dataset, extent).await });
        run.await.map_err(|e| Error::new(ErrorKind::Internal, "upkeep did not come to its end").because(e))?
    }

    /// Begins no further run.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Returns when nothing runs any more, or has had time enough to come to its end.
    pub async fn stopped(&self) {
        if tokio::time::timeout(STOPPED_WITHIN, self.turn.lock()).await.is_err() {
            warn!("a run of upkeep is cut off; it has changed nothing and begins anew after the next start");
        }
    }

    async fn run_in_turn(&self, dataset: &str, extent: Extent) -> Result<Option<UpkeepRun>> {
        let _turn = self.turn.lock().await;
        if self.stopping.is_cancelled() {
            return Err(Error::new(ErrorKind::Unavailable, "Tidemark is stopping; upkeep begins no further run"));
        }
        let began = Moment::now();
        let plan = self.lake.plan_upkeep(dataset, extent).await?;
        let planned = plan.as_ref().map(|plan| plan.kind);
        self.seen().running = plan.map(|plan| Running { plan, started: SystemClock.now(), progress: 0.0 });
        let outcome = match extent {
            // Expiry may be due where nothing else is.
            Extent::Due => self.lake.maintain(dataset, MaintainOptions::default()).await,
            Extent::All => self.lake.compact(dataset, CompactOptions::default()).await,
            Extent::Archive => self.lake.archive(dataset, CompactOptions::default()).await,
        };
        let kind = match &outcome {
            Ok(run) => run.as_ref().map(|run| run.kind),
            Err(_) => planned.or(Some(UpkeepKind::Expiry)),
        };
        match kind {
            Some(kind) => self.ended(kind, outcome.is_ok(), began.elapsed()).await,
            None => self.seen().running = None,
        }
        if let Ok(Some(run)) = &outcome {
            tell(run);
        }
        Ok(outcome?)
    }

    async fn ended(&self, kind: UpkeepKind, done: bool, took: Duration) {
        let runs = self.lake.upkeep_runs(None, RUNS_KEPT).await;
        let mut seen = self.seen();
        seen.running = None;
        let tally = seen.tallies.entry((kind.to_string(), done)).or_default();
        *tally = Tally { runs: tally.runs + 1, last_duration_seconds: took.as_secs_f64() };
        match runs {
            Ok(runs) => seen.runs = runs,
            Err(error) => error!(%error, "past runs of upkeep cannot be read; system.upkeep lacks the last one"),
        }
    }

    /// Does what is due for a dataset. Tells whether more may be due at once.
    async fn look_after(self: &Arc<Self>, dataset: &str, pauses: &mut Pauses) -> bool {
        if self.stopping.is_cancelled() || !pauses.is_over(dataset, Moment::now()) {
            return false;
        }
        match self.run(dataset, Extent::Due).await {
            Ok(run) => {
                pauses.end(dataset);
                // Another run that left as many files would come to the same again. What is archived is so but once.
                run.is_some_and(|run| run.files_after < run.files_before || run.kind == UpkeepKind::Archive)
            }
            Err(error) => {
                let pause = pauses.begin(dataset, Moment::now());
                warn!(dataset, %error, pause_secs = pause.as_secs(), "upkeep failed and is tried again after a pause");
                false
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at every dataset each `interval`, and does what is due until nothing is. Returns when the server stops.
pub async fn run(upkeep: Arc<Upkeep>, interval: Duration) {
    let mut pauses = Pauses::new(interval);
    while !upkeep.stopping.is_cancelled() {
        let mut more = false;
        for dataset in upkeep.lake.datasets() {
            more |= upkeep.look_after(&dataset.name, &mut pauses).await;
        }
        if !more {
            upkeep.stopping.run_until_cancelled(tokio::time::sleep(interval)).await;
        }
    }
}

fn tell(run: &UpkeepRun) {
    info!(
        dataset = run.dataset,
        kind = %run.kind,
        reason = run.reason,
        files_before = run.files_before,
        files_after = run.files_after,
        rows_before = run.rows_before,
        rows_after = run.rows_after,
        ms = run.duration_micros / 1_000,
        "upkeep"
    );
}

/// Datasets whose upkeep fails, and until when each is left alone. It is told the time.
struct Pauses {
    interval: Duration,
    failing: HashMap<String, Failing>,
}

struct Failing {
    /// In a row.
    failures: u32,
    until: Moment,
}

impl Pauses {
    fn new(interval: Duration) -> Pauses {
        Pauses { interval, failing: HashMap::new() }
    }

    fn is_over(&self, dataset: &str, now: Moment) -> bool {
        self.failing.get(dataset).is_none_or(|failing| failing.until <= now)
    }

    /// Counts a failure and gives the pause that follows it.
    fn begin(&mut self, dataset: &str, now: Moment) -> Duration {
        let failing = self.failing.entry(dataset.to_owned()).or_insert(Failing { failures: 0, until: now });
        failing.failures = failing.failures.saturating_add(1);
        let pause = pause_after(failing.failures, self.interval);
        failing.until = now + pause;
        pause
    }

    fn end(&mut self, dataset: &str) {
        self.failing.remove(dataset);
    }
}

/// Twice as long after each failure.
fn pause_after(failures: u32, interval: Duration) -> Duration {
    interval.saturating_mul(1 << failures.min(16)).min(PAUSE_MAX.max(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_ten_minutes_or_the_interval() {
        let seconds = |failures, interval| pause_after(failures, Duration::from_secs(interval)).as_secs();
        assert_eq!([1, 2, 3, 6, 7, 1_000].map(|failures| seconds(failures, 10)), [20, 40, 80, 600, 600, 600]);
        assert_eq!(seconds(1, 3_600), 3_600);
        assert_eq!(seconds(u32::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn a_dataset_that_fails_is_left_alone_and_no_other() {
        let (start, interval) = (Moment::now(), Duration::from_secs(10));
        let mut pauses = Pauses::new(interval);
        assert!(pauses.is_over("prices", start));
        assert_eq!(pauses.begin("prices", start), interval * 2);
        assert!(!pauses.is_over("prices", start + interval));
        assert!(pauses.is_over("prices", start + interval * 2));
        assert!(pauses.is_over("bonds", start));
        assert_eq!(pauses.begin("prices", start), interval * 4);
        pauses.end("prices");
        assert!(pauses.is_over("prices", start));
        assert_eq!(pauses.begin("prices", start), interval * 2);
    }
}
