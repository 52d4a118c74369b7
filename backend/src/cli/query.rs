//! `tidemark query`: asks a question and prints the answer.

use std::io::{Cursor, Write, stdout};

use arrow::{ipc::reader::StreamReader, util::pretty::pretty_format_batches};
use clap::{Args, ValueEnum};
use serde_json::value::RawValue;

use super::{DEFAULT_URL, accepted, block_on, unreachable};
use crate::{
    api::sql::Question,
    error::{Error, ErrorKind, Result},
};

/// Arguments of `tidemark query`.
#[derive(Debug, Args)]
pub struct QueryArguments {
    /// The question.
    sql: String,
    /// Tidemark's address.
    #[arg(long, default_value = DEFAULT_URL, env = "TIDEMARK_URL")]
    url: String,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Valid time for tables that name none.
    #[arg(long)]
    valid_time: Option<String>,
    /// System time for tables that name none, or first-published.
    #[arg(long)]
    system_time: Option<String>,
    /// Snapshot token of an earlier answer: the same question gives the same bytes again.
    #[arg(long)]
    snapshot: Option<String>,
    /// Values for $1, $2, … as a JSON array, or for $name as an object: '["GER", 2.50]'.
    #[arg(long)]
    parameters: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// Comma-separated with a header line.
    Csv,
    /// Array of objects.
    Json,
    /// Arrow IPC stream.
    Arrow,
}

/// Asks and prints. The snapshot token goes to standard error.
pub fn run(arguments: QueryArguments) -> Result<()> {
    block_on(async {
        let QueryArguments { sql, url, format, valid_time, system_time, snapshot, parameters } = arguments;
        let parameters: Option<Box<RawValue>> = parameters
            .map(RawValue::from_string)
            .transpose()
            .map_err(|e| Error::new(ErrorKind::BadRequest, format!("--parameters is not JSON: {e}")))?;
        let accept = match format {
            Format::Table | Format::Arrow => "application/vnd.apache.arrow.stream",
            Format::Csv => "text/csv",
            Format::Json => "application/json",
        };
        let question = Question { sql, valid_time, system_time, snapshot, parameters, reduce: None, filters: None };
        let request = reqwest::Client::new().post(format!("{}/api/v1/sql", url.trim_end_matches('/')));
        let response =
            request.header("accept", accept).json(&question).send().await.map_err(|e| unreachable(&url, e))?;
        let response = accepted(response).await?;
        let header =
            |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("?").to_owned();
        let (token, system_time) = (header("tidemark-snapshot"), header("tidemark-system-time"));
        let broken = |e| Error::new(ErrorKind::Io, "the answer broke off").because(e);
        let body = response.bytes().await.map_err(broken)?;
        let mut out = stdout().lock();
        match format {
            Format::Table => writeln!(out, "{}", table(&body)?)?,
            Format::Csv | Format::Json | Format::Arrow => out.write_all(&body)?,
        }
        if format == Format::Json {
            writeln!(out)?;
        }
        eprintln!("as known at {system_time}, snapshot {token}");
        Ok(())
    })
}

fn table(body: &[u8]) -> Result<String> {
    let unreadable = |e| Error::new(ErrorKind::Io, "the answer is not an Arrow stream").because(e);
    let reader = StreamReader::try_new(Cursor::new(body), None).map_err(unreadable)?;
    let schema = reader.schema();
    let mut batches = reader.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if batches.is_empty() {
        batches.push(arrow::array::RecordBatch::new_empty(schema));
    }
    Ok(pretty_format_batches(&batches).map_err(unreadable)?.to_string())
}
