//! `tidemark ingest`: sends records from files or standard input, in requests of a few megabytes.

use std::{io::Write, path::PathBuf};

use clap::{Args, ValueEnum};
use model::{DatasetSummary, Instant};
use serde::{Deserialize, Serialize};

use super::{DEFAULT_URL, accepted, block_on, input, unreachable};
use crate::error::{Error, ErrorKind, Result};

/// Bytes of a request; a longer line still goes as one.
const REQUEST_BYTES: usize = 4 << 20;
/// Refused lines told one by one.
const REJECTED_TOLD: usize = 20;

/// Arguments of `tidemark ingest`.
#[derive(Debug, Args)]
pub struct IngestArguments {
    /// The dataset.
    dataset: String,
    /// Files to read, '-' for standard input; compressed ones end in .gz. Default: standard input.
    files: Vec<PathBuf>,
    /// Tidemark's address.
    #[arg(long, default_value = DEFAULT_URL, env = "TIDEMARK_URL")]
    url: String,
    /// What the files hold. Default: by their ending, else ndjson.
    #[arg(long, value_enum)]
    format: Option<InputFormat>,
    /// Seal the history import when all has been sent.
    #[arg(long)]
    seal: bool,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated with a header line.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Arrow,
}

#[derive(Debug, Deserialize)]
struct Receipt {
    accepted: u64,
    rejected: Vec<Rejected>,
    system_time: Option<Instant>,
}

#[derive(Debug, Deserialize)]
struct Rejected {
    line: u64,
    reason: String,
}

/// What is printed at the end, as one line of JSON.
#[derive(Debug, Default, Serialize)]
struct Summary {
    accepted: u64,
    rejected: u64,
    system_time: Option<Instant>,
}

/// Sends and prints what became of it.
pub fn run(arguments: IngestArguments) -> Result<()> {
    block_on(async {
        let sender = Sender::new(&arguments).await?;
        let mut summary = Summary::default();
        let files = if arguments.files.is_empty() { vec![PathBuf::from("-")] } else { arguments.files.clone() };
        for file in &files {
            let mut reader = input::open(file, arguments.format, &sender.definition)?;
            let mut first_line = 1;
            let mut request = Vec::with_capacity(REQUEST_BYTES + 1024);
            let mut lines = 0;
            loop {
                let more = reader.next_line(&mut request)?;
                lines += u64::from(more);
                if request.len() >= REQUEST_BYTES || (!more && !request.is_empty()) {
                    sender
                        .send(std::mem::take(&mut request), &file.to_string_lossy(), first_line, &mut summary)
                        .await?;
                    first_line += lines;
                    lines = 0;
                }
                if !more {
                    break;
                }
            }
        }
        if arguments.seal {
            summary.system_time = sender.seal().await?.or(summary.system_time);
        }
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&summary).unwrap_or_default())?;
        Ok(())
    })
}

struct Sender {
    client: reqwest::Client,
    base: String,
    definition: model::DatasetDefinition,
}

impl Sender {
    async fn new(arguments: &IngestArguments) -> Result<Sender> {
        let base = format!("{}/api/v1/datasets/{}", arguments.url.trim_end_matches('/'), arguments.dataset);
        let client = reqwest::Client::new();
        let response = client.get(&base).send().await.map_err(|e| unreachable(&base, e))?;
        let summary: DatasetSummary = accepted(response).await?.json().await.map_err(|e| unreachable(&base, e))?;
        Ok(Sender { client, base, definition: summary.definition })
    }

    async fn send(&self, lines: Vec<u8>, file: &str, first_line: u64, summary: &mut Summary) -> Result<()> {
        let request = self.client.post(format!("{}/events?wait=committed", self.base)).body(lines);
        let response = accepted(request.send().await.map_err(|e| unreachable(&self.base, e))?).await?;
        let receipt: Receipt = response.json().await.map_err(|e| unreachable(&self.base, e))?;
        for (index, rejected) in receipt.rejected.iter().enumerate() {
            let told = summary.rejected as usize + index;
            if told < REJECTED_TOLD {
                eprintln!("{file}:{}: {} (kept in quarantine)", first_line + rejected.line - 1, rejected.reason);
            } else if told == REJECTED_TOLD {
                eprintln!("further refused lines are not listed; GET {}/quarantine shows them", self.base);
            }
        }
        summary.accepted += receipt.accepted;
        summary.rejected += receipt.rejected.len() as u64;
        summary.system_time = receipt.system_time.or(summary.system_time);
        Ok(())
    }

    async fn seal(&self) -> Result<Option<Instant>> {
        #[derive(Deserialize)]
        struct Sealed {
            sealed: bool,
            system_time: Option<Instant>,
        }
        let request = self.client.post(format!("{}/seal", self.base));
        let response = accepted(request.send().await.map_err(|e| unreachable(&self.base, e))?).await?;
        let sealed: Sealed = response.json().await.map_err(|e| unreachable(&self.base, e))?;
        if !sealed.sealed {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the seal is written but not committed yet; ask again later",
            ));
        }
        Ok(sealed.system_time)
    }
}
