//! The threads queries are planned and run on, apart from those that take in records and answer requests: a query that
//! keeps a core busy for minutes delays other queries and nothing else.

use std::{future::Future, pin::Pin, sync::Arc};

use futures::{StreamExt, stream};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc::{self, Receiver},
    task::{JoinError, JoinHandle},
};

use crate::{
    engine::BatchStream,
    error::{Error, ErrorKind, Result},
};

/// Plans and expressions are trees that are walked, and dropped, recursively. Only what is used of it takes memory.
const STACK_BYTES: usize = 16 << 20;

/// Batches that may wait for the reader of an answer.
const WAITING_BATCHES: usize = 2;

/// Threads for queries. Dropping it ends what runs on it.
pub(crate) struct QueryRuntime {
    /// Taken when dropped, and only then.
    runtime: Option<Runtime>,
}

impl QueryRuntime {
    /// Starts that many threads; one per core for 0.
    pub(crate) fn start(threads: usize) -> Result<QueryRuntime> {
        let threads = if threads == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { threads };
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "threads for queries cannot be started").caused_by(error)
            })?;
        Ok(QueryRuntime { runtime: Some(runtime) })
    }

    fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<Task<T>> {
        let runtime = self.runtime.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "queries are shut down"))?;
        Ok(Task(runtime.spawn(work)))
    }

    /// Runs work to its end, or until its caller stops waiting.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.spawn(work)?.await.unwrap_or_else(|error| Err(ended(error)))
    }

    /// The same batches, made on these threads; they end when what is returned is dropped.
    pub(crate) fn stream(self: &Arc<Self>, mut batches: BatchStream) -> BatchStream {
        let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
        let task = self.spawn(async move {
            while let Some(batch) = batches.next().await {
                let last = batch.is_err();
                if sender.send(batch).await.is_err() || last {
                    break;
                }
            }
        });
        match task {
            Ok(task) => stream::unfold(Some((receiver, task, self.clone())), next).boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }
}

/// What a reader holds on to: the batches, the work that makes them, and the threads it runs on.
type Reading = Option<(Receiver<Result<arrow::array::RecordBatch>>, Task<()>, Arc<QueryRuntime>)>;

async fn next(reading: Reading) -> Option<(Result<arrow::array::RecordBatch>, Reading)> {
    let (mut receiver, task, runtime) = reading?;
    match receiver.recv().await {
        Some(batch) => Some((batch, Some((receiver, task, runtime)))),
        // An end without a reason would look like a complete answer.
        None => task.await.err().map(|error| (Err(ended(error)), None)),
    }
}

fn ended(error: JoinError) -> Error {
    let message = if error.is_panic() { "the query met a defect and was ended" } else { "the query was ended" };
    Error::new(ErrorKind::Internal, message).caused_by(error)
}

impl Drop for QueryRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The usual way waits, which asynchronous callers must not.
            runtime.shutdown_background();
        }
    }
}

/// Work that is ended when nobody waits for it any more.
struct Task<T>(JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_one_query() {
        let runtime = Arc::new(QueryRuntime::start(1).unwrap());
        let error = runtime.run::<()>(async { panic!("on purpose") }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        let batches = stream::poll_fn(|_| panic!("on purpose")).boxed();
        let made: Vec<_> = runtime.stream(batches).collect().await;
        assert!(matches!(made.as_slice(), [Err(error)] if error.kind() == ErrorKind::Internal));
        assert_eq!(runtime.run(async { Ok(1) }).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn dropping_the_reader_ends_the_work() {
        let runtime = Arc::new(QueryRuntime::start(1).unwrap());
        let (alive, ended) = tokio::sync::oneshot::channel::<()>();
        let batches = stream::pending().map(move |batch| (&alive, batch).1).boxed();
        drop(runtime.stream(batches));
        assert!(ended.await.is_err());
    }
}
