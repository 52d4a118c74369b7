//! Runs the demo feed: loads its history once, then sends it live, second by second.

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use adapters::SystemClock;
use engine::ports::Clock;
use lake::Lake;
use model::Instant;
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::{
    dashboards::{history::Reason, reading::Syntax, saving::Expected},
    demo::{DemoEvent, DemoFeed, DemoOptions, MEANINGS, definitions},
    error::{Error, ErrorKind, Result},
    ingest::{Ingest, Wait},
    semantics::SemanticLayer,
};

/// Lines sent in one request while history is loaded.
const LINES_PER_REQUEST: usize = 4_000;

/// What has to be remembered so that a restart continues the same market.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Origin {
    seed: u64,
    history_days: u32,
    /// When the market's history was loaded; it is a function of this and the two above.
    started_at: Instant,
}

/// Feeds the lake until the process ends. What goes wrong is logged; the server goes on without the feed.
pub async fn run(options: DemoOptions, data: PathBuf, lake: Lake, ingest: Arc<Ingest>, semantics: Arc<SemanticLayer>) {
    if let Err(error) = feed(options, data, &lake, &ingest, &semantics).await {
        error!(%error, "the demo feed has stopped");
    }
}

async fn feed(
    options: DemoOptions,
    data: PathBuf,
    lake: &Lake,
    ingest: &Ingest,
    semantics: &Arc<SemanticLayer>,
) -> Result<()> {
    let origin = origin(&options, &data)?;
    let options = DemoOptions { seed: origin.seed, history_days: origin.history_days, ..options };
    let rate = options.events_per_second;
    let market = DemoFeed::new(options, origin.started_at);
    let loaded_now = load_history(&market, lake, ingest).await?;
    // Each waits for a commit; the feed does not.
    tokio::spawn(say_what_figures_mean(semantics.clone()));
    if rate == 0 {
        return Ok(());
    }
    let mut live = match lake.head() {
        Some(head) if !loaded_now => market.live_from(head.system_time),
        _ => market.live(),
    };
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for (dataset, lines) in by_dataset(live.tick(SystemClock.now())) {
            if let Err(error) = ingest.events(dataset, lines.into(), Wait::Durable).await {
                warn!(%error, dataset, "records of the demo feed were not taken");
            }
        }
    }
}

fn origin(options: &DemoOptions, data: &std::path::Path) -> Result<Origin> {
    let path = data.join("demo.json");
    if let Ok(text) = std::fs::read(&path) {
        return serde_json::from_slice(&text)
            .map_err(|e| Error::new(ErrorKind::Io, format!("{} cannot be read", path.display())).because(e));
    }
    let origin = Origin { seed: options.seed, history_days: options.history_days, started_at: SystemClock.now() };
    let text =
        serde_json::to_vec(&origin).map_err(|e| Error::new(ErrorKind::Internal, "the demo's origin").because(e))?;
    std::fs::write(&path, text)?;
    Ok(origin)
}

/// Defines the datasets and imports their history, unless that was done before. An import that was cut short goes on
/// where it was: the history is the same each time, so what has arrived is its beginning. Tells whether it did so now.
async fn load_history(market: &DemoFeed, lake: &Lake, ingest: &Ingest) -> Result<bool> {
    let mut open = Vec::new();
    for (name, definition) in definitions() {
        // One that is there may have had its columns changed since; events go on as they were.
        let dataset = match lake.dataset(name) {
            Some(dataset) => dataset,
            None => lake.define_dataset(name, &definition).await?.dataset().clone(),
        };
        if dataset.is_open_import() {
            open.push(name);
        }
    }
    if open.is_empty() {
        return Ok(false);
    }
    let mut arrived: HashMap<&str, u64> = open.iter().map(|name| (*name, ingest.received(name))).collect();
    let mut missing = market.history();
    missing.retain(|event| match arrived.get_mut(event.dataset) {
        None => false,
        Some(0) => true,
        Some(skip) => {
            *skip -= 1;
            false
        }
    });
    let events = missing;
    let total = events.len();
    info!(events = total, "loading the demo's history");
    for chunk in events.chunks(LINES_PER_REQUEST) {
        for (dataset, lines) in by_dataset(chunk.to_vec()) {
            ingest.events(dataset, lines.into(), Wait::Durable).await?;
        }
    }
    for name in open {
        ingest.seal(name).await?;
    }
    info!(events = total, "the demo's history is loaded");
    Ok(true)
}

/// Stores what the figures of the demo's datasets mean, of each unless it was ever said: who deletes or changes a definition has
/// the last word. Without them only units are missing.
async fn say_what_figures_mean(semantics: Arc<SemanticLayer>) {
    for (dataset, text) in MEANINGS {
        let reason = Reason { author: "demo".to_owned(), note: "Units of the demo's figures".to_owned() };
        let saved = async {
            match semantics.versions(dataset).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let meaning = semantics.read(dataset, text, Syntax::Json).await?;
                    semantics.save(meaning, Expected::Nothing, reason).await.map(|_| ())
                }
                said => said.map(|_| ()),
            }
        };
        if let Err(error) = saved.await {
            warn!(%error, dataset, "what the figures of a dataset mean was not stored");
        }
    }
}

/// The events of each dataset as NDJSON, in their order; datasets in the order they first appear.
fn by_dataset(events: Vec<DemoEvent>) -> Vec<(&'static str, String)> {
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    for event in events {
        let index = lines.iter().position(|(dataset, _)| *dataset == event.dataset).unwrap_or_else(|| {
            lines.push((event.dataset, String::new()));
            lines.len() - 1
        });
        lines[index].1.push_str(&event.json);
        lines[index].1.push('\n');
    }
    lines
}
