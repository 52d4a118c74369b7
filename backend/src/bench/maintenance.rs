//! What benchmarks ask of the lake's upkeep: the one place to change when its calls do.

use lake::{CompactOptions, ExpiryOptions, Lake, MaintainOptions};
use serde_json::Value;

use crate::{
    compose::Parts,
    error::{Error, ErrorKind, Result},
};

/// Compacts a dataset once. Gives the run's record; null when there was nothing to do.
pub async fn compact(lake: &Lake, dataset: &str) -> Result<Value> {
    let run = lake.compact(dataset, CompactOptions::default()).await?;
    serde_json::to_value(run).map_err(|e| Error::new(ErrorKind::Internal, "a run is no JSON").because(e))
}

/// One round of the upkeep that a server does by itself: every dataset, whatever is due now. Where a simulated clock runs
/// `speed` times as fast as the real one, what a server keeps for a while is kept for so much shorter.
pub async fn maintain_once(parts: &Parts, speed: f64) -> Result<()> {
    let usual = MaintainOptions::default();
    let speed = speed.max(1.0);
    let expiry = ExpiryOptions { grace: usual.expiry.grace.div_f64(speed), ..usual.expiry };
    let options = MaintainOptions { expiry, expire_every: usual.expire_every.div_f64(speed), ..usual };
    for dataset in parts.lake.datasets() {
        while parts.lake.maintain(&dataset.name, options.clone()).await?.is_some() {}
    }
    Ok(())
}
