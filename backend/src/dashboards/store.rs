//! Keeps definitions of one kind: reads what is stored last into memory, because every page names it, and commits changes one at
//! a time, what belongs together in one epoch or not at all.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use lake::Lake;
use model::Instant;
use query::QueryEngine;
use tokio::sync::{
    Mutex, OwnedMutexGuard,
    broadcast::{Receiver, error::RecvError},
};

use super::history::{History, Reason, Saved, Table, Version};
use crate::{
    error::{Error, ErrorKind, Result},
    ingest::{Ingest, Wait},
    live::LiveMessage,
};

/// How long a change waits for those before it.
const TURN_WAIT_MAX: Duration = Duration::from_secs(60);

/// The last version of each definition that was ever stored, by name.
pub type Current = BTreeMap<String, Saved>;

/// Definitions of one kind.
pub struct Store {
    /// Reads the past.
    pub history: History,
    ingest: Arc<Ingest>,
    /// Held by the change that is under way.
    saving: Arc<Mutex<()>>,
    /// `None` until it is read again.
    current: RwLock<Option<Arc<Current>>>,
}

impl Store {
    /// Over what a lake has stored in this table.
    pub fn new(table: &'static Table, lake: Lake, query: Arc<QueryEngine>, ingest: Arc<Ingest>) -> Store {
        let history = History { lake, query, table };
        Store { history, ingest, saving: Arc::default(), current: RwLock::new(None) }
    }

    /// What was read last; `None` where it has to be read again.
    pub fn kept(&self) -> Option<Arc<Current>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has what is stored read again when it is asked for.
    pub fn forget(&self) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Reads what is stored. Where a reading that began later ended earlier, what that has read is given.
    pub async fn read_again(&self) -> Result<Arc<Current>> {
        let stored = self.history.as_of(None).await?;
        let current: Arc<Current> = Arc::new(stored.into_iter().map(|saved| (saved.name.clone(), saved)).collect());
        let newest = |current: &Current| current.values().map(|saved| saved.system_time).max();
        let mut kept = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(newer) = kept.as_ref().filter(|kept| newest(kept) > newest(&current)) {
            return Ok(Arc::clone(newer));
        }
        *kept = Some(Arc::clone(&current));
        Ok(current)
    }

    /// Waits for a commit that changes what is stored, or may have; false when the server stops.
    pub async fn changed(&self, messages: &mut Receiver<LiveMessage>) -> bool {
        loop {
            match messages.recv().await {
                Ok(LiveMessage::Commit(commit)) => {
                    if commit.datasets.iter().any(|name| name == self.history.table.dataset) {
                        return true;
                    }
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return true,
                Err(RecvError::Closed) => return false,
            }
        }
    }

    /// Waits until those changes are committed that came before this one.
    pub async fn turn(&self) -> Result<OwnedMutexGuard<()>> {
        tokio::time::timeout(TURN_WAIT_MAX, Arc::clone(&self.saving).lock_owned()).await.map_err(|_| {
            let message = "a change before this one still waits for its commit; nothing of this one was done";
            Error::new(ErrorKind::Unavailable, message)
        })
    }

    /// Commits versions in one epoch; gives its system time, and the turn, which ends when what is stored was read again.
    pub async fn commit(
        &self,
        versions: Vec<Version>,
        reason: &Reason,
        turn: OwnedMutexGuard<()>,
    ) -> Result<(Instant, OwnedMutexGuard<()>)> {
        let History { lake, table, .. } = &self.history;
        if lake.dataset(table.dataset).is_none() {
            lake.define_dataset(table.dataset, &table.definition()?).await?;
        }
        let lines: Vec<String> = versions.into_iter().map(|version| table.event_line(version, reason)).collect();
        let receipt = self.ingest.own_transaction(lines.join("\n").into(), Wait::Committed).await?;
        let Some(system_time) = receipt.system_time else {
            // The next change must not be checked against what was before this one: the turn goes on until it is there.
            let ingest = Arc::clone(&self.ingest);
            tokio::spawn(async move {
                let _turn = turn;
                while ingest.close_epoch().await.is_err() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
            let message = "the change is on disk and not committed yet; it will be, and is not to be sent again";
            return Err(Error::new(ErrorKind::Unavailable, message));
        };
        Ok((system_time, turn))
    }
}

/// Carries a change to its end even where whoever wants it goes away.
pub async fn to_the_end<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let lost = |e| Error::new(ErrorKind::Internal, "the change could not be carried to its end").because(e);
    tokio::spawn(work).await.map_err(lost)?
}
