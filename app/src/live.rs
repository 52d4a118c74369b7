//! What the server tells as it happens: commits and pipeline samples, over one stream of server-sent events for all pages.

use std::time::Duration;

use leptos::prelude::*;
use model::{CommitAnnouncement, PipelineSample};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{EventSource, MessageEvent};

use crate::{browser, ports, queries::client};

const STREAM_ADDRESS: &str = "/api/v1/live";
/// The browser reconnects by itself after a lost connection, but not after an answer that is not a stream.
const REOPEN_AFTER_MS: u64 = 2_000;
/// A sample comes every second. After so long without news the connection is taken for lost, whatever the browser thinks: a
/// network that is gone closes nothing.
const SILENT_AFTER_MICROS: i64 = 8_000_000;
/// How often that is looked at.
const LOOK_EVERY_MS: u64 = 1_000;

/// Whether news arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// Not open yet.
    Connecting,
    /// Open.
    Live,
    /// Lost; being opened again.
    Reconnecting,
}

/// The latest news. Provided once for the whole application.
#[derive(Clone, Copy)]
pub struct Live {
    /// The last commit; `None` before the first.
    pub head: RwSignal<Option<CommitAnnouncement>>,
    /// The last pipeline sample.
    pub sample: RwSignal<Option<PipelineSample>>,
    /// Whether news arrives.
    pub connection: RwSignal<Connection>,
    /// The moment the page is seen from, in microseconds: the server's while it renders, the browser's from the first news on.
    pub now: RwSignal<i64>,
    /// Whether the reader has asked for pages to stand still. News that arrives meanwhile is shown when they go on.
    pub paused: RwSignal<bool>,
    /// The last commit that arrived while they stood still.
    held: StoredValue<Option<CommitAnnouncement>>,
    /// When the server was heard of last, in microseconds.
    heard: StoredValue<i64>,
}

/// What the server knew while it rendered; the browser starts from the same.
#[derive(Clone, Serialize, Deserialize)]
struct Start {
    head: Option<CommitAnnouncement>,
    now: i64,
}

impl Live {
    /// Starts from what the server rendered with, and listens as soon as there is a browser.
    pub fn provide() -> Live {
        let start = SharedValue::new(|| Start {
            head: ports::lake().ok().and_then(|lake| lake.head()),
            now: browser::now_micros(),
        })
        .into_inner();
        let live = Live::at(start.now, start.head);
        provide_context(live);
        Effect::new(move |_| live.listen());
        live
    }

    /// Of a page that hears of nothing and stands at a moment, in microseconds.
    #[cfg(feature = "ssr")]
    pub fn still(now: i64) -> Live {
        Live::at(now, None)
    }

    fn at(now: i64, head: Option<CommitAnnouncement>) -> Live {
        Live {
            head: RwSignal::new(head),
            sample: RwSignal::new(None),
            connection: RwSignal::new(Connection::Connecting),
            now: RwSignal::new(now),
            paused: RwSignal::new(false),
            held: StoredValue::new(None),
            heard: StoredValue::new(now),
        }
    }

    /// The system time of the last commit.
    pub fn head_micros(&self) -> Option<i64> {
        self.head.with(|head| head.as_ref().map(|head| head.system_time.micros()))
    }

    /// Today in UTC, in days since 1970-01-01.
    pub fn today(&self) -> i64 {
        crate::format::time::day_of(self.now.get())
    }

    fn listen(self) {
        let Ok(source) = EventSource::new(STREAM_ADDRESS) else {
            self.connection.set(Connection::Reconnecting);
            return;
        };
        self.heard.set_value(browser::now_micros());
        on(&source, "open", move |_| self.hear());
        on(&source, "commit", move |event| {
            self.hear();
            self.commit(&event);
        });
        on(&source, "sample", move |event| {
            self.hear();
            if let Some(sample) = parse(&event).filter(|_| !self.paused.get_untracked()) {
                self.sample.set(Some(sample));
            }
        });
        let lost = source.clone();
        on(&source, "error", move |_| {
            self.connection.set(Connection::Reconnecting);
            // It closes for good after an answer that is no stream.
            if lost.ready_state() == EventSource::CLOSED {
                set_timeout(move || self.listen(), Duration::from_millis(REOPEN_AFTER_MS));
            }
        });
        self.watch(source);
    }

    /// The server was heard of.
    fn hear(self) {
        self.heard.set_value(browser::now_micros());
        if self.connection.get_untracked() != Connection::Live {
            self.connection.set(Connection::Live);
        }
    }

    /// Opens the stream anew where it has fallen silent.
    fn watch(self, source: EventSource) {
        let look = move || {
            if source.ready_state() == EventSource::CLOSED {
                return;
            }
            if browser::now_micros() - self.heard.get_value() < SILENT_AFTER_MICROS {
                return self.watch(source);
            }
            source.close();
            client::hang_up();
            self.connection.set(Connection::Reconnecting);
            self.listen();
        };
        set_timeout(look, Duration::from_millis(LOOK_EVERY_MS));
    }

    fn commit(self, event: &MessageEvent) {
        let Some(commit) = parse::<CommitAnnouncement>(event) else { return };
        if self.paused.get_untracked() {
            self.held.set_value(Some(commit));
        } else {
            self.show(commit);
        }
    }

    /// Lets pages stand still, or go on from the last commit.
    pub fn toggle_pause(self) {
        self.paused.update(|paused| *paused = !*paused);
        let held = self.held.try_update_value(Option::take).flatten();
        if let Some(commit) = held {
            self.show(commit);
        }
    }

    fn show(self, commit: CommitAnnouncement) {
        let newer = self.head.with_untracked(|head| head.as_ref().is_none_or(|head| head.epoch < commit.epoch));
        if newer {
            self.now.set(browser::now_micros());
            self.head.set(Some(commit));
        }
    }
}

fn parse<T: for<'a> Deserialize<'a>>(event: &MessageEvent) -> Option<T> {
    serde_json::from_str(&event.data().as_string()?).ok()
}

/// The stream lives as long as the page, and so do its listeners.
fn on(source: &EventSource, name: &str, listener: impl Fn(MessageEvent) + 'static) {
    let closure = Closure::<dyn Fn(MessageEvent)>::new(listener);
    let added = source.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
    if added.is_ok() {
        closure.forget();
    }
}
