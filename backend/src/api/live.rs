//! `GET /api/v1/live`: commits and samples as server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, StreamExt, stream};
use tokio_stream::wrappers::BroadcastStream;

use super::{ApiState, access::Action};
use crate::{error::Result, live::LiveMessage};

/// Events `commit` (a commit announcement), `sample` (a pipeline sample) and `rescale` (a rescale as it is now). Begins with the last commit, so that a
/// page that was away knows at once whether it missed something.
pub async fn stream(
    State(state): State<ApiState>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    state.access.authorise(&headers, Action::Read)?;
    let messages = BroadcastStream::new(state.live.listen());
    let names: Vec<String> = state.lake.datasets().iter().map(|dataset| dataset.name.clone()).collect();
    let head = state.lake.head().map(|head| LiveMessage::Commit(state.live.announcement(&head, &names)));
    let sample = state.live.samples().last().copied().map(LiveMessage::Sample);
    // A listener that was too slow misses some; the next message tells it all it needs.
    let messages = stream::iter(head.into_iter().chain(sample)).chain(messages.filter_map(async |m| m.ok()));
    let open = messages.take_until(Box::pin(state.live.closed()));
    let events = open.filter_map(async |message| to_event(&message)).map(Ok);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(10))))
}

fn to_event(message: &LiveMessage) -> Option<Event> {
    match message {
        LiveMessage::Commit(commit) => Event::default().event("commit").json_data(commit).ok(),
        LiveMessage::Sample(sample) => Event::default().event("sample").json_data(sample).ok(),
        LiveMessage::Rescale(record) => Event::default().event("rescale").json_data(record).ok(),
    }
}
