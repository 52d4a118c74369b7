//! Taking records in: each line is decoded to see whether it can be accepted, then the request goes to the stream.
//!
//! Used by the API and by the demo feed alike. A line that cannot be accepted goes to quarantine with the same write.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use adapters::{Appended, EmbeddedStream, Request};
use engine::{
    Decoder,
    event_batch::{EventBatch, Place},
};
use lake::{Dataset, Lake};
use model::{
    DefinitionChange, Instant,
    definition::{OWN_PREFIX, is_own},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::error::{Error, ErrorKind, Result};

/// How long an answer is held back for a commit before it is given without one.
const COMMIT_WAIT_MAX: Duration = Duration::from_secs(60);

/// What a request waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// The records are on disk.
    #[default]
    Durable,
    /// They are committed and can be queried.
    Committed,
}

/// The answer to a request.
#[derive(Debug, Serialize)]
pub struct Receipt {
    /// Lines accepted.
    pub accepted: u64,
    /// Lines refused; they are in quarantine.
    pub rejected: Vec<RejectedLine>,
    /// System time of the epoch that contains the request, when it was waited for.
    pub system_time: Option<Instant>,
}

/// A line that was refused.
#[derive(Debug, Serialize)]
pub struct RejectedLine {
    /// Its number in the request, counting from 1.
    pub line: u32,
    /// Why, and what to do.
    pub reason: String,
}

/// Takes records in.
pub struct Ingest {
    lake: Lake,
    stream: Arc<EmbeddedStream>,
    /// By dataset, with the version of its definition.
    decoders: Mutex<HashMap<u32, (u32, Arc<Decoder>)>>,
    /// Held by each request until it is in the stream; a change of a definition waits for them and keeps out the next.
    taking_in: RwLock<()>,
}

impl Ingest {
    /// For a lake and its stream.
    pub fn new(lake: Lake, stream: Arc<EmbeddedStream>) -> Ingest {
        Ingest { lake, stream, decoders: Mutex::new(HashMap::new()), taking_in: RwLock::new(()) }
    }

    /// Takes the lines of one dataset.
    pub async fn events(&self, dataset: &str, body: bytes::Bytes, wait: Wait) -> Result<Receipt> {
        let taking_in = self.taking_in.read().await;
        let dataset = self.dataset(dataset)?;
        let decoder = self.decoder(&dataset);
        let work = move || {
            let mut request = Request::default();
            let mut rejected = Vec::new();
            let mut scratch = EventBatch::new(decoder.definition());
            let mut accepted = 0;
            for (line, raw) in lines(&body) {
                match check(&decoder, &dataset, raw, line, &mut scratch) {
                    Ok(checked) => {
                        request.accept(dataset.id, line, checked.key_hash, checked.events, raw);
                        accepted += 1;
                    }
                    Err(reason) => {
                        rejected.push(RejectedLine { line, reason: reason.clone() });
                        request.refuse(dataset.id, line, reason, raw.to_vec());
                    }
                }
            }
            (request, accepted, rejected)
        };
        let (request, accepted, rejected) = tokio::task::spawn_blocking(work).await.map_err(task_failed)?;
        let system_time = self.append(request, wait, taking_in).await?;
        Ok(Receipt { accepted, rejected, system_time })
    }

    /// Takes lines `{"dataset", "event"}` over several datasets: all in one epoch, or none.
    pub async fn transaction(&self, body: bytes::Bytes, wait: Wait) -> Result<Receipt> {
        self.lines_of_datasets(body, wait, false).await
    }

    /// The same for Tidemark's own datasets, which nobody else sends events.
    pub async fn own_transaction(&self, body: bytes::Bytes, wait: Wait) -> Result<Receipt> {
        self.lines_of_datasets(body, wait, true).await
    }

    async fn lines_of_datasets(&self, body: bytes::Bytes, wait: Wait, own: bool) -> Result<Receipt> {
        let taking_in = self.taking_in.read().await;
        let (mut request, mut accepted) = (Request::default(), 0);
        let mut rejected: Vec<RejectedLine> = Vec::new();
        for (line, raw) in lines(&body) {
            match self.check_transaction_line(line, raw, own) {
                Ok((dataset, event, checked)) => {
                    request.accept(dataset.id, line, checked.key_hash, checked.events, event.as_bytes());
                    accepted += 1;
                }
                Err(reason) => rejected.push(RejectedLine { line, reason }),
            }
        }
        if !rejected.is_empty() {
            let message =
                format!("nothing of the transaction was taken: {} of its lines cannot be accepted", rejected.len());
            let listed: Vec<serde_json::Value> = rejected
                .into_iter()
                .map(|rejected| serde_json::json!({"line": rejected.line, "reason": rejected.reason}))
                .collect();
            return Err(Error::new(ErrorKind::Unprocessable, message).with("rejected", listed));
        }
        let system_time = self.append(request, wait, taking_in).await?;
        Ok(Receipt { accepted, rejected: Vec::new(), system_time })
    }

    /// Closes an epoch, of no records if none are there, and waits for its commit.
    pub async fn close_epoch(&self) -> Result<Instant> {
        let before = self.lake.head().map_or(0, |head| head.epoch);
        let appended = self.stream.append(Request::mark()).await?;
        self.committed(appended, before).await?.ok_or_else(|| {
            Error::new(ErrorKind::Unavailable, "no epoch was committed in time; the change takes effect with the next")
        })
    }

    /// Changes a dataset's definition and closes the epoch before which it does not hold; gives the dataset as it is now
    /// and that epoch's system time.
    ///
    /// What was acknowledged before the change is committed before it, so that it acts as its sender saw it accepted. Of
    /// the records that wait most are committed first; while the rest are, nothing is taken in.
    pub async fn change_definition(
        &self,
        dataset: &str,
        changes: &[DefinitionChange],
    ) -> Result<(Arc<Dataset>, Instant)> {
        refuse_own(dataset)?;
        self.lake.check_changes(dataset, changes)?;
        self.commit_what_waits().await?;
        let nobody = self.taking_in.write().await;
        self.commit_what_waits().await?;
        let changed = self.lake.change_definition(dataset, changes).await?;
        drop(nobody);
        Ok((changed, self.close_epoch().await?))
    }

    async fn commit_what_waits(&self) -> Result<()> {
        let committed = self.lake.head().map_or(0, |head| head.position);
        if committed < self.stream.last_position() {
            self.close_epoch().await?;
        }
        Ok(())
    }

    /// Seals a dataset's history import and waits for it.
    pub async fn seal(&self, dataset: &str) -> Result<Option<Instant>> {
        let dataset = self.dataset(dataset)?;
        if dataset.definition.system_time.is_none() {
            let message =
                format!("'{}' is no history import: its definition names no system_time column", dataset.name);
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if dataset.sealed_epoch.is_some() {
            return Ok(self.lake.head().map(|head| head.system_time));
        }
        let before = self.lake.head().map_or(0, |head| head.epoch);
        let appended = self.stream.append(Request::sealing(dataset.id)).await?;
        self.committed(appended, before).await
    }

    /// Events of a dataset that ever arrived.
    pub fn received(&self, dataset: &str) -> u64 {
        let id = self.lake.dataset(dataset).map(|dataset| dataset.id);
        id.and_then(|id| self.stream.counts().get(&id).map(|counts| counts.received)).unwrap_or(0)
    }

    /// A dataset that anybody may send events.
    fn dataset(&self, name: &str) -> Result<Arc<Dataset>> {
        refuse_own(name)?;
        self.any_dataset(name)
    }

    fn any_dataset(&self, name: &str) -> Result<Arc<Dataset>> {
        self.lake.dataset(name).ok_or_else(|| {
            let message = format!("there is no dataset '{name}'; define it with PUT /api/v1/datasets/{name}");
            Error::new(ErrorKind::NotFound, message)
        })
    }

    fn decoder(&self, dataset: &Dataset) -> Arc<Decoder> {
        let mut decoders = self.decoders.lock().unwrap_or_else(PoisonError::into_inner);
        match decoders.get(&dataset.id) {
            Some((version, decoder)) if *version == dataset.version => Arc::clone(decoder),
            _ => {
                let decoder = Arc::new(Decoder::new(Arc::new(dataset.definition.clone()), &dataset.columns));
                decoders.insert(dataset.id, (dataset.version, Arc::clone(&decoder)));
                decoder
            }
        }
    }

    fn check_transaction_line<'a>(
        &self,
        line: u32,
        raw: &'a [u8],
        own: bool,
    ) -> Result<(Arc<Dataset>, &'a str, Checked), String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct TransactionLine<'a> {
            dataset: String,
            #[serde(borrow)]
            event: &'a RawValue,
        }
        let parsed: TransactionLine<'a> = serde_json::from_slice(raw)
            .map_err(|e| format!("not a transaction line {{\"dataset\", \"event\"}}: {e}"))?;
        let dataset = if own { self.any_dataset(&parsed.dataset) } else { self.dataset(&parsed.dataset) };
        let dataset = dataset.map_err(|e| e.message().to_owned())?;
        let decoder = self.decoder(&dataset);
        let mut scratch = EventBatch::new(decoder.definition());
        let event = parsed.event.get();
        let checked = check(&decoder, &dataset, event.as_bytes(), line, &mut scratch)?;
        Ok((dataset, event, checked))
    }

    async fn append(
        &self,
        request: Request,
        wait: Wait,
        taking_in: RwLockReadGuard<'_, ()>,
    ) -> Result<Option<Instant>> {
        // What was refused alone comes in no epoch.
        let to_commit = request.has_content();
        let before = self.lake.head().map_or(0, |head| head.epoch);
        let appended = self.stream.append(request).await?;
        drop(taking_in);
        match wait {
            Wait::Committed if to_commit => self.committed(appended, before).await,
            Wait::Committed | Wait::Durable => Ok(None),
        }
    }

    /// The system time of the epoch that contains a request, which is later than epoch `before`; `None` when that takes
    /// too long.
    async fn committed(&self, appended: Appended, before: u64) -> Result<Option<Instant>> {
        let mut heads = self.lake.subscribe();
        let reached = heads.wait_for(|head| head.as_ref().is_some_and(|head| head.position >= appended.position));
        match tokio::time::timeout(COMMIT_WAIT_MAX, reached).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return Err(Error::new(ErrorKind::Unavailable, "Tidemark is stopping; the records are kept")),
            Err(_) => return Ok(None),
        }
        // Several epochs may have passed since; the first that reaches the position is the one.
        let epochs = self.lake.epochs_after(before, u32::MAX).await?;
        Ok(epochs.iter().find(|epoch| epoch.position >= appended.position).map(|epoch| epoch.system_time))
    }
}

/// Refuses to let anybody define, change or fill what is Tidemark's own.
pub fn refuse_own(dataset: &str) -> Result<()> {
    if !is_own(dataset) {
        return Ok(());
    }
    let message = format!(
        "'{dataset}' is Tidemark's own: names that start with {OWN_PREFIX} are kept for what it stores of itself; choose another"
    );
    Err(Error::new(ErrorKind::Forbidden, message))
}

/// A line that can be accepted.
struct Checked {
    key_hash: u64,
    events: u64,
}

fn check(
    decoder: &Decoder,
    dataset: &Dataset,
    raw: &[u8],
    line: u32,
    scratch: &mut EventBatch,
) -> Result<Checked, String> {
    // Decoding appends to the scratch batch; it is emptied now and then so that it stays small.
    if scratch.len() >= 4_096 {
        *scratch = EventBatch::new(decoder.definition());
    }
    let first = scratch.len();
    let importing = dataset.definition.system_time.is_some() && dataset.sealed_epoch.is_none();
    let events =
        decoder.decode(raw, Place { position: 0, line }, importing, scratch).map_err(|rejection| rejection.0)?;
    Ok(Checked { key_hash: scratch.hashes[first], events: u64::from(events) })
}

/// Lines that are not blank, with their numbers from 1. A carriage return before the line feed is no part of a line.
fn lines(body: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let trimmed = body.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let numbered = trimmed.enumerate().map(|(index, line)| (u32::try_from(index + 1).unwrap_or(u32::MAX), line));
    numbered.filter(|(_, line)| !line.trim_ascii().is_empty())
}

fn task_failed(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "the request could not be worked on").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_count_but_are_no_records() {
        let found: Vec<_> = lines(b"a\r\n\n  \nb\n").collect();
        assert_eq!(found, [(1, b"a".as_slice()), (4, b"b".as_slice())]);
    }
}
