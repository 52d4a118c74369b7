//! `tidemark maintain`: has upkeep done now, says what it would do or did, and checks that it has changed no answer.

use std::{io::Write, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    util::pretty::pretty_format_batches,
};
use clap::Args;
use lake::{UpkeepPlan, UpkeepRun};
use model::DatasetSummary;
use serde::{Deserialize, de::DeserializeOwned};

use super::{DEFAULT_URL, accepted, block_on, unreachable};
use crate::{
    api::upkeep::{Checked, Order, UpkeepAction},
    error::{Error, ErrorKind, Result},
};

const RUN_COLUMNS: [&str; 7] = ["dataset", "kind", "reason", "files", "rows", "bytes", "duration"];
const HISTORY_COLUMNS: [&str; 9] =
    ["started", "dataset", "kind", "reason", "files", "rows", "bytes", "duration", "outcome"];
const DIGEST_COLUMNS: [&str; 5] = ["dataset", "as known at", "kept", "found", "holds"];
const NOTHING: &str = "nothing to do";

/// Arguments of `tidemark maintain`.
#[derive(Debug, Args)]
pub struct MaintainArguments {
    /// The datasets. Default: all.
    datasets: Vec<String>,
    /// All datasets, as without a name.
    #[arg(long, conflicts_with = "datasets")]
    all: bool,
    /// Do only what is due, as the server does by itself. Otherwise all there is to resolve is resolved.
    #[arg(long)]
    due: bool,
    /// Move all files that are old enough to the archive that the server has.
    #[arg(long, conflicts_with = "due")]
    archive: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Work the kept digests out again from the files, and fail where one does not hold.
    #[arg(long, conflicts_with_all = ["due", "archive", "dry_run", "history"])]
    verify: bool,
    /// List past runs.
    #[arg(long, conflicts_with_all = ["due", "archive", "dry_run"])]
    history: bool,
    /// Tidemark's address.
    #[arg(long, default_value = DEFAULT_URL, env = "TIDEMARK_URL")]
    url: String,
}

#[derive(Debug, Deserialize)]
struct Done {
    run: Option<UpkeepRun>,
}

#[derive(Debug, Deserialize)]
struct Planned {
    plan: Option<UpkeepPlan>,
}

#[derive(Debug, Deserialize)]
struct Past {
    runs: Vec<UpkeepRun>,
}

#[derive(Debug, Deserialize)]
struct Digests {
    verified: Vec<Checked>,
}

/// Does what the arguments say and prints a table. A dataset that fails holds the others up no longer than it takes.
pub fn run(arguments: MaintainArguments) -> Result<()> {
    block_on(async {
        let client = Client { http: reqwest::Client::new(), base: arguments.url.trim_end_matches('/').to_owned() };
        let datasets =
            if arguments.datasets.is_empty() { client.datasets().await? } else { arguments.datasets.clone() };
        let columns: &[&str] = match &arguments {
            MaintainArguments { history: true, .. } => &HISTORY_COLUMNS,
            MaintainArguments { verify: true, .. } => &DIGEST_COLUMNS,
            _ => &RUN_COLUMNS,
        };
        let mut rows = Vec::new();
        let mut failures = Vec::new();
        for dataset in &datasets {
            match client.rows(dataset, &arguments, &mut failures).await {
                Ok(found) => rows.extend(found),
                Err(error) => failures.push(format!("{dataset}: {error}")),
            }
        }
        if arguments.history {
            rows.sort_by(|a, b| b.cmp(a));
        }
        writeln!(std::io::stdout(), "{}", table(columns, &rows)?)?;
        match failures.is_empty() {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Unprocessable, failures.join("; "))),
        }
    })
}

struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    async fn datasets(&self) -> Result<Vec<String>> {
        let summaries: Vec<DatasetSummary> = self.answer(self.http.get(self.url("/api/v1/datasets"))).await?;
        Ok(summaries.into_iter().map(|summary| summary.name).collect())
    }

    /// What is to be printed of a dataset. A digest that does not hold is a failure, and has its row all the same.
    async fn rows(
        &self,
        dataset: &str,
        arguments: &MaintainArguments,
        failures: &mut Vec<String>,
    ) -> Result<Vec<Vec<String>>> {
        if arguments.history {
            let past: Past = self.answer(self.http.get(self.url(&format!("/api/v1/upkeep?dataset={dataset}")))).await?;
            return Ok(past.runs.iter().map(of_past_run).collect());
        }
        if arguments.verify {
            let order = Order { action: UpkeepAction::Verify, dry_run: false };
            let digests: Digests = self.order(dataset, &order).await?;
            let broken = digests.verified.iter().filter(|digest| !digest.holds).count();
            if broken > 0 {
                failures.push(format!("{dataset}: {broken} digests do not hold; what was known is not what it was"));
            }
            return Ok(digests.verified.iter().map(|digest| of_digest(dataset, digest)).collect());
        }
        let action = match arguments {
            MaintainArguments { due: true, .. } => UpkeepAction::Maintain,
            MaintainArguments { archive: true, .. } => UpkeepAction::Archive,
            _ => UpkeepAction::Compact,
        };
        let order = Order { action, dry_run: arguments.dry_run };
        let row = if arguments.dry_run {
            self.order::<Planned>(dataset, &order).await?.plan.map(|plan| of_plan(&plan))
        } else {
            self.order::<Done>(dataset, &order).await?.run.map(|run| of_run(&run))
        };
        Ok(vec![row.unwrap_or_else(|| of_nothing(dataset))])
    }

    async fn order<T: DeserializeOwned>(&self, dataset: &str, order: &Order) -> Result<T> {
        self.answer(self.http.post(self.url(&format!("/api/v1/datasets/{dataset}/upkeep"))).json(order)).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T> {
        let response = accepted(request.send().await.map_err(|e| unreachable(&self.base, e))?).await?;
        response.json().await.map_err(|e| unreachable(&self.base, e))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn of_run(run: &UpkeepRun) -> Vec<String> {
    vec![
        run.dataset.clone(),
        run.kind.to_string(),
        run.reason.clone(),
        format!("{} → {}", run.files_before, run.files_after),
        format!("{} → {}", run.rows_before, run.rows_after),
        format!("{} → {}", bytes(run.bytes_before), bytes(run.bytes_after)),
        duration(run.duration_micros),
    ]
}

fn of_past_run(run: &UpkeepRun) -> Vec<String> {
    let mut row = vec![run.started.to_string()];
    row.extend(of_run(run));
    row.push(run.error.clone().unwrap_or_else(|| "done".to_owned()));
    row
}

/// What would be taken in; what comes of it shows when it is done.
fn of_plan(plan: &UpkeepPlan) -> Vec<String> {
    vec![
        plan.dataset.clone(),
        plan.kind.to_string(),
        plan.reason.clone(),
        format!("{} → ?", plan.files),
        format!("{} → ?", plan.rows),
        format!("{} → ?", bytes(plan.bytes)),
        "not run".to_owned(),
    ]
}

fn of_nothing(dataset: &str) -> Vec<String> {
    let mut row = vec![dataset.to_owned(), String::new(), NOTHING.to_owned()];
    row.resize(RUN_COLUMNS.len(), String::new());
    row
}

fn of_digest(dataset: &str, digest: &Checked) -> Vec<String> {
    let holds = if digest.holds { "yes" } else { "NO" };
    let Checked { digest, .. } = digest;
    vec![
        dataset.to_owned(),
        digest.system_time.to_string(),
        digest.kept.clone(),
        digest.found.clone(),
        holds.to_owned(),
    ]
}

/// In the largest unit of which there is at least one.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut shown = format!("{count} B");
    for unit in UNITS {
        if value < 1_024.0 {
            break;
        }
        value /= 1_024.0;
        shown = format!("{value:.1} {unit}");
    }
    shown
}

fn duration(micros: u64) -> String {
    match micros {
        0..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}

pub(super) fn table(columns: &[&str], rows: &[Vec<String>]) -> Result<String> {
    let unwritable = |e| Error::new(ErrorKind::Internal, "the table cannot be written").because(e);
    let column = |(index, name): (usize, &&str)| {
        let values = rows.iter().map(|row| row.get(index).map(String::as_str));
        (name.to_string(), Arc::new(StringArray::from_iter(values)) as ArrayRef)
    };
    let batch = RecordBatch::try_from_iter(columns.iter().enumerate().map(column)).map_err(unwritable)?;
    Ok(pretty_format_batches(&[batch]).map_err(unwritable)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_have_units() {
        let sizes = [0, 1_023, 1_024, 1_536, 5 << 20, 3 << 40, u64::MAX].map(bytes);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "3.0 TiB", "16777216.0 TiB"]);
        assert_eq!([0, 999_999, 1_000_000, 61_300_000].map(duration), ["0 ms", "999 ms", "1.0 s", "61.3 s"]);
    }

    #[test]
    fn a_dataset_with_nothing_to_do_has_a_row() {
        let shown = table(&RUN_COLUMNS, &[of_nothing("prices")]).unwrap();
        assert!(shown.contains("prices") && shown.contains(NOTHING), "{shown}");
        assert_eq!(shown.lines().count(), 5, "{shown}");
    }
}
