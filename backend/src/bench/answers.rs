//! Asking the engine in this process, with the answer as text.

use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use query::{QueryEngine, QueryRequest};

use crate::error::{Error, ErrorKind, Result};

/// Rows of an answer, each cell as text; null is `null`.
pub type Rows = Vec<Vec<String>>;

/// Asks one statement and waits for all of its answer.
pub async fn ask(engine: &QueryEngine, sql: &str) -> Result<Rows> {
    let failed = |e| Error::new(ErrorKind::Internal, format!("a question failed: {sql}")).because(e);
    let request = QueryRequest { sql: sql.to_owned(), ..QueryRequest::default() };
    let answer = engine.query(request).await.map_err(failed)?;
    let batches: Vec<_> = answer.stream.try_collect().await.map_err(failed)?;
    let unreadable = |e| Error::new(ErrorKind::Internal, "an answer cannot be shown as text").because(e);
    let options = FormatOptions::default().with_null("null");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
        let columns: Vec<ArrayFormatter> = columns.collect::<Result<_, _>>().map_err(unreadable)?;
        rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_string()).collect()));
    }
    Ok(rows)
}
