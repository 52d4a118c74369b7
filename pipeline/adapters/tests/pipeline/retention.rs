//! What the stream keeps of records that were committed.

use std::sync::Arc;

use adapters::{EmbeddedStream, Request, SystemClock};
use engine::ports::Source;

/// Nothing tells the stream that it ends: what was appended since the last release is written nowhere but in the index.
#[tokio::test]
async fn a_stream_that_ends_without_a_word_again_and_again_keeps_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Vec::new();
    for start in 0..30 {
        let stream = EmbeddedStream::open(folder.path(), Arc::new(SystemClock)).unwrap().keeping(100);
        stream.release(stream.last_position()).unwrap();
        kept.push(stream.lag_after(0).unwrap().records);
        let mut request = Request::default();
        request.accept(7, 1, start, 1, &[b'x'; 40]);
        stream.append(request).await.unwrap();
    }
    assert_eq!(kept[..4], [0, 1, 2, 3]);
    assert!(kept.iter().all(|&records| (0..=4).contains(&records)), "{kept:?}");
}
