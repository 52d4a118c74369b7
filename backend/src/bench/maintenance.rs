//! What benchmarks ask of the lake's upkeep: the one place to change when its calls do.

use lake::Lake;
use serde_json::Value;

use crate::{
    compose::Parts,
    error::{Error, ErrorKind, Result},
};

/// Compacts a dataset once. Gives the run's record; null when there was nothing to do.
pub async fn compact(_lake: &Lake, dataset: &str) -> Result<Value> {
    let message = format!("this build cannot compact '{dataset}'; measure with --without-upkeep");
    Err(Error::new(ErrorKind::Unprocessable, message))
}

/// One round of the upkeep that a server does by itself: every dataset, whatever is due now.
pub async fn maintain_once(parts: &Parts) -> Result<()> {
    for dataset in parts.lake.datasets() {
        compact(&parts.lake, &dataset.name).await?;
    }
    Ok(())
}
