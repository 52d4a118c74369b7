//! Tiles that read: one request at a time each, again when something newer is wanted, and all tiles of a page under one
//! snapshot.
//!
//! The picture that is shown stays until a newer one has arrived; a failed read keeps it too.

use std::sync::Arc;

use leptos::{prelude::*, task::spawn_local};
use model::SnapshotToken;

use crate::{
    arrow::Table,
    live::{Connection, Live},
    queries::client::{self, About, Request},
};

/// How a tile stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// What is wanted has not arrived yet. A refresh of the same coordinates is not loading: the picture is still right.
    Loading,
    /// The picture is what was asked for.
    Ready,
    /// There is nothing to show, and why.
    Empty(String),
    /// The last read failed, and why; the picture, if any, is older.
    Error(String),
}

impl Phase {
    /// The word for it in `data-state`.
    pub fn word(&self) -> &'static str {
        match self {
            Phase::Loading => "loading",
            Phase::Ready => "ready",
            Phase::Empty(_) => "empty",
            Phase::Error(_) => "error",
        }
    }
}

/// The snapshot under which a page reads, shared by its tiles.
#[derive(Clone, Copy)]
pub struct PageRead {
    snapshot: RwSignal<Option<String>>,
    in_flight: RwSignal<u32>,
}

impl PageRead {
    /// Moves on to the last commit when the page follows it and no tile is reading, and whenever `key`, the page's coordinates,
    /// changes. So all tiles of one refresh read under one token, and a slow page skips commits rather than queueing them.
    pub fn new<K: PartialEq + Send + Sync + 'static>(
        live: Live,
        follows: impl Fn() -> bool + Send + Sync + 'static,
        key: impl Fn() -> K + Send + Sync + 'static,
    ) -> PageRead {
        let head = move || live.head.with(|head| head.as_ref().map(|head| head.snapshot.to_string()));
        let page = PageRead { snapshot: RwSignal::new(untrack(head)), in_flight: RwSignal::new(0) };
        let key = Memo::new(move |_| key());
        Effect::new(move |seen: Option<bool>| {
            key.track();
            let head = head();
            let idle = page.in_flight.get() == 0;
            let moved = seen.is_none() || page.snapshot.with_untracked(Option::is_none);
            if (idle && follows()) || moved {
                page.move_to(head);
            }
            true
        });
        Effect::new(move |seen: Option<()>| {
            key.track();
            if seen.is_some() {
                page.move_to(live.head.with_untracked(|head| head.as_ref().map(|head| head.snapshot.to_string())));
            }
        });
        page
    }

    fn move_to(&self, head: Option<String>) {
        if head.is_some() && self.snapshot.with_untracked(|snapshot| *snapshot != head) {
            self.snapshot.set(head);
        }
    }

    /// A statement under this page's snapshot; tracked.
    pub fn request(&self, sql: String, about: About) -> Request {
        Request::new(sql, self.snapshot(), about)
    }

    /// The page's snapshot; tracked.
    pub fn snapshot(&self) -> Option<String> {
        self.snapshot.get()
    }

    /// The moment of the snapshot, in microseconds: what *now* means under it. Tracked.
    pub fn moment(&self) -> Option<i64> {
        let token: SnapshotToken = self.snapshot.get()?.parse().ok()?;
        Some(token.system_time.micros())
    }

    /// When nothing was committed while the page rendered, the first answer's snapshot becomes the page's.
    fn adopt(&self, snapshot: Option<String>) {
        if snapshot.is_some() && self.snapshot.try_with_untracked(Option::is_none) == Some(true) {
            self.snapshot.try_set(snapshot);
        }
    }
}

/// What a tile shows and how it stands.
pub struct Tile<T: Send + Sync + 'static> {
    /// The picture; kept until a newer one is there.
    pub data: RwSignal<Option<Arc<T>>>,
    /// How the tile stands.
    pub status: TileStatus,
}

impl<T: Send + Sync + 'static> Clone for Tile<T> {
    fn clone(&self) -> Tile<T> {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Tile<T> {}

/// The part of a tile that its frame needs.
#[derive(Clone, Copy)]
pub struct TileStatus {
    /// How it stands.
    pub phase: RwSignal<Phase>,
    /// Counts up to read again by hand.
    pub retries: RwSignal<u32>,
    /// What is shown answers this, under this snapshot.
    pub answered: RwSignal<Option<Request>>,
    /// Columns by which the page is narrowed down, and the tile is not: nothing that it reads has them.
    pub unfiltered: RwSignal<String>,
}

impl TileStatus {
    /// Of a tile that has read nothing.
    pub fn new(phase: Phase) -> TileStatus {
        TileStatus {
            phase: RwSignal::new(phase),
            retries: RwSignal::new(0),
            answered: RwSignal::new(None),
            unfiltered: RwSignal::new(String::new()),
        }
    }
}

/// Columns of the filters that were asked and are not among those, by their places, that could narrow the answer down; with a
/// comma between them.
fn unfiltered(request: &Request, applied: Option<&str>) -> String {
    let mut columns = String::new();
    for (place, filter) in request.filters.iter().enumerate() {
        let place = place.to_string();
        if applied.is_some_and(|applied| applied.split(", ").any(|known| known == place)) {
            continue;
        }
        if !columns.is_empty() {
            columns.push_str(", ");
        }
        columns.push_str(&filter.column);
    }
    columns
}

type Apply = Box<dyn Fn(&Arc<Table>, &About) -> Result<Phase, String> + Send + Sync>;

/// The reading half of a tile, the same code for every type of picture.
#[derive(Clone, Copy)]
struct Reader {
    status: TileStatus,
    wanted: Memo<Option<Request>>,
    in_flight: Option<RwSignal<u32>>,
    page: Option<PageRead>,
    reading: StoredValue<bool>,
    retried: StoredValue<u32>,
    last: StoredValue<Option<Request>>,
    apply: StoredValue<Apply>,
}

/// A tile that reads whatever `request` wants (`None`: nothing yet) and makes a picture of it with `picture`, which says
/// why when there is none. What failed is read again by hand, when something newer is wanted, and when the server is back.
/// `page` is the snapshot it shares with the page's other tiles; system tables have none.
pub fn use_tile<T: Send + Sync + 'static>(
    page: Option<PageRead>,
    request: impl Fn() -> Option<Request> + Send + Sync + 'static,
    picture: impl Fn(&Arc<Table>, &About) -> Result<Result<T, String>, String> + Send + Sync + 'static,
) -> Tile<T> {
    let data = RwSignal::new(None);
    let apply = move |table: &Arc<Table>, about: &About| match picture(table, about)? {
        Ok(picture) => {
            data.try_set(Some(Arc::new(picture)));
            Ok(Phase::Ready)
        }
        Err(why) => {
            data.try_set(None);
            Ok(Phase::Empty(why))
        }
    };
    Tile { data, status: read_into(page, Memo::new(move |_| request()), Box::new(apply)) }
}

fn read_into(page: Option<PageRead>, wanted: Memo<Option<Request>>, apply: Apply) -> TileStatus {
    let status = TileStatus::new(Phase::Loading);
    let reader = Reader {
        status,
        wanted,
        in_flight: page.map(|page| page.in_flight),
        page,
        reading: StoredValue::new(false),
        retried: StoredValue::new(0),
        last: StoredValue::new(None),
        apply: StoredValue::new(apply),
    };
    Effect::new(move |_| {
        wanted.track();
        status.retries.track();
        reader.start();
    });
    let live = expect_context::<Live>();
    Effect::new(move |_| {
        let failed = || status.phase.with_untracked(|phase| matches!(phase, Phase::Error(_)));
        if live.connection.get() == Connection::Live && failed() {
            status.retries.update(|count| *count += 1);
        }
    });
    status
}

impl Reader {
    /// Starts reading unless a read is under way; that one looks again when it is done.
    fn start(self) {
        if self.reading.get_value() {
            return;
        }
        let Some(request) = self.wanted.get_untracked() else { return };
        self.reading.set_value(true);
        let retries = self.status.retries.get_untracked();
        let by_hand = self.retried.get_value() != retries;
        self.retried.set_value(retries);
        let same = self.last.with_value(|last| last.as_ref().is_some_and(|last| same_question(last, &request)));
        // What failed is asked again with every commit; that is no news before it succeeds.
        if !same || by_hand {
            self.last.set_value(Some(request.clone()));
            self.set_phase(Phase::Loading);
        }
        if let Some(in_flight) = self.in_flight {
            in_flight.update(|count| *count += 1);
        }
        spawn_local(async move {
            let answer = client::ask(&request).await;
            self.finish(&request, answer);
        });
    }

    fn finish(self, request: &Request, answer: Result<client::Answer, String>) {
        // The tile may be gone by now, and its page with it: everything below only tries.
        if self.reading.try_set_value(false).is_some() {
            return self.landed();
        }
        let outdated = self.wanted.try_get_untracked().flatten().is_some_and(|wanted| wanted != *request);
        let retry = self.status.retries.try_get_untracked() != self.retried.try_get_value();
        let coordinates_moved = outdated
            && self.wanted.try_get_untracked().flatten().is_some_and(|wanted| !same_question(&wanted, request));
        let phase = answer.and_then(|answer| {
            // Where none was asked for, the answer says of which it is.
            let snapshot = answer.snapshot.clone().or_else(|| request.snapshot.clone());
            if let Some(page) = self.page {
                page.adopt(answer.snapshot);
            }
            let applied = self.apply.try_with_value(|apply| apply(&answer.table, &request.about));
            let phase = applied.unwrap_or(Ok(Phase::Ready))?;
            self.status.answered.try_set(Some(Request { snapshot, ..request.clone() }));
            let unfiltered = unfiltered(request, answer.filters.as_deref());
            if self.status.unfiltered.try_with_untracked(|before| *before != unfiltered) == Some(true) {
                self.status.unfiltered.try_set(unfiltered);
            }
            Ok(phase)
        });
        // An answer to a question that is no longer asked is shown, because it is nearer than the last, but it is not yet what
        // was wanted.
        if !coordinates_moved {
            self.set_phase(phase.unwrap_or_else(Phase::Error));
        }
        self.landed();
        if outdated || retry {
            self.start();
        }
    }

    /// One read of the page less is under way.
    fn landed(&self) {
        if let Some(in_flight) = self.in_flight {
            in_flight.try_update(|count| *count = count.saturating_sub(1));
        }
    }

    fn set_phase(&self, phase: Phase) {
        if self.status.phase.try_with_untracked(|current| *current != phase) == Some(true) {
            self.status.phase.try_set(phase);
        }
    }
}

/// Whether two requests are the same question, asked of one state or another. A live window moves with the clock and is still
/// the same window.
fn same_question(a: &Request, b: &Request) -> bool {
    let live = "FROM system.";
    a.asks_the_same(b) || (a.sql.contains(live) && b.sql.contains(live))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_window_that_moves_on_is_not_a_new_question() {
        let request = |sql: &str| Request::new(sql.to_owned(), None, About::default());
        let at = |micros| request(&crate::queries::pipeline::samples(micros));
        assert!(same_question(&at(1_774_980_000_000_000), &at(1_774_980_001_000_000)));
        assert!(!same_question(&request("SELECT 1 FROM a"), &request("SELECT 2 FROM a")));
        let later = Request { snapshot: Some("later".to_owned()), ..request("SELECT 1 FROM a") };
        assert!(same_question(&request("SELECT 1 FROM a"), &later));
    }
}
