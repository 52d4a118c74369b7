//! `tidemark rescale`: another number of slots for the running pipeline. Says beforehand what pause is to be expected, waits,
//! and says what it was.

use std::{io::Write, time::Duration};

use clap::Args;
use model::{RescaleOutcome, RescaleRecord};
use serde::de::DeserializeOwned;

use super::{
    DEFAULT_URL, accepted, block_on,
    maintain::{bytes, table},
    unreachable,
};
use crate::{
    api::pipeline::{History, Order, Planned},
    error::{Error, ErrorKind, Result},
};

/// How often a rescale is asked after.
const POLL: Duration = Duration::from_millis(50);
const COLUMNS: [&str; 9] =
    ["id", "requested", "slots", "reason", "asked by", "expected pause", "measured pause", "state", "outcome"];

/// Arguments of `tidemark rescale`.
#[derive(Debug, Args)]
pub struct RescaleArguments {
    /// Parallel workers from then on, 1 to 128.
    #[arg(long, required_unless_present_any = ["cancel", "history"])]
    slots: Option<u16>,
    /// Why; kept with the record.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    /// Say what pause is to be expected, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Take back the rescale that the pipeline has not come to yet.
    #[arg(long, conflicts_with_all = ["slots", "dry_run", "history"])]
    cancel: bool,
    /// List past rescales.
    #[arg(long, conflicts_with_all = ["slots", "dry_run"])]
    history: bool,
    /// Tidemark's address.
    #[arg(long, default_value = DEFAULT_URL, env = "TIDEMARK_URL")]
    url: String,
}

/// Does what the arguments say. Fails where the rescale did.
pub fn run(arguments: RescaleArguments) -> Result<()> {
    block_on(async {
        let client = Client { http: reqwest::Client::new(), base: arguments.url.trim_end_matches('/').to_owned() };
        match arguments.slots {
            Some(slots) => client.rescale(slots, &arguments).await,
            None if arguments.cancel => client.cancel().await,
            None => client.history().await,
        }
    })
}

struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    async fn rescale(&self, slots: u16, arguments: &RescaleArguments) -> Result<()> {
        let order = |dry_run: bool| Order {
            slots,
            reason: arguments.reason.clone(),
            asked_by: Some("command line".to_owned()),
            dry_run,
        };
        let url = self.url("/rescale");
        let Planned { plan } = self.answer(self.http.post(&url).json(&order(true))).await?;
        say(&format!(
            "{} → {} slots: {} of {} key groups change owner; expected: a pause of {} after the running epoch, in about {}",
            plan.slots_before,
            plan.slots_after,
            plan.key_groups_moved,
            model::KEY_GROUPS,
            millis(plan.expectation.pause_micros),
            millis(plan.expectation.wait_micros),
        ))?;
        if arguments.dry_run {
            return say("not run");
        }
        let asked: RescaleRecord = self.answer(self.http.post(&url).json(&order(false))).await?;
        told(&self.ended(asked).await?)
    }

    /// Waits until it has ended, however long that takes: an epoch that is run again and again ends some time.
    async fn ended(&self, mut record: RescaleRecord) -> Result<RescaleRecord> {
        while record.is_under_way() {
            tokio::time::sleep(POLL).await;
            let History { rescales } = self.answer(self.http.get(self.url("/rescales?limit=1000"))).await?;
            let gone = || Error::new(ErrorKind::NotFound, format!("rescale {} is not known any more", record.id));
            record = rescales.into_iter().find(|found| found.id == record.id).ok_or_else(gone)?;
        }
        Ok(record)
    }

    async fn cancel(&self) -> Result<()> {
        let record: RescaleRecord = self.answer(self.http.delete(self.url("/rescale"))).await?;
        say(&format!("rescale {} to {} slots is cancelled", record.id, record.slots_after))
    }

    async fn history(&self) -> Result<()> {
        let History { rescales } = self.answer(self.http.get(self.url("/rescales?limit=1000"))).await?;
        let rows: Vec<Vec<String>> = rescales.iter().map(row).collect();
        say(&table(&COLUMNS, &rows)?)
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T> {
        let response = accepted(request.send().await.map_err(|e| unreachable(&self.base, e))?).await?;
        response.json().await.map_err(|e| unreachable(&self.base, e))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/pipeline{path}", self.base)
    }
}

fn told(record: &RescaleRecord) -> Result<()> {
    match record.outcome {
        Some(RescaleOutcome::Done) => say(&format!(
            "rescale {} is done: {} slots since epoch {}; measured: a pause of {} (expected {}), {} after it was asked for",
            record.id,
            record.slots_after,
            record.epoch.unwrap_or(0),
            millis(record.pause_micros.unwrap_or(0)),
            millis(record.expected_pause_micros),
            millis(record.waited_micros.unwrap_or(0)),
        )),
        Some(RescaleOutcome::AtRestart) => {
            say(&format!("rescale {}: Tidemark was restarted, and has {} slots since", record.id, record.slots_after))
        }
        Some(RescaleOutcome::Cancelled) => Err(failed(record, "somebody has cancelled it")),
        Some(RescaleOutcome::Failed) | None => {
            Err(failed(record, record.error.as_deref().unwrap_or("the log says why")))
        }
    }
}

fn failed(record: &RescaleRecord, why: &str) -> Error {
    let message = format!("rescale {} did not take place, there are {} slots: {why}", record.id, record.slots_before);
    Error::new(ErrorKind::Unprocessable, message)
}

fn row(record: &RescaleRecord) -> Vec<String> {
    vec![
        record.id.to_string(),
        record.requested.to_string(),
        format!("{} → {}", record.slots_before, record.slots_after),
        record.reason.to_string(),
        record.asked_by.clone(),
        millis(record.expected_pause_micros),
        record.pause_micros.map_or_else(|| "–".to_owned(), millis),
        record.state_bytes.map_or_else(|| "–".to_owned(), bytes),
        record.outcome.map_or_else(|| record.phase.word(), RescaleOutcome::word).replace('_', " "),
    ]
}

/// To the hundredth of a millisecond, in which pauses differ.
fn millis(micros: u64) -> String {
    match micros {
        0..1_000_000 => format!("{:.2} ms", micros as f64 / 1e3),
        _ => format!("{:.2} s", micros as f64 / 1e6),
    }
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_written_in_what_they_differ_in() {
        assert_eq!(
            [0, 7, 1_234, 999_994, 2_500_000].map(millis),
            ["0.00 ms", "0.01 ms", "1.23 ms", "999.99 ms", "2.50 s"]
        );
    }
}
