//! Answers queries: text and coordinates in, a stream of batches and the token of the state that was read out.

use std::{path::PathBuf, sync::Arc};

use datafusion::arrow::{array::RecordBatch, datatypes::SchemaRef};
use futures::stream::BoxStream;
use lake::{
    Lake,
    model::{Instant, SnapshotToken},
};

use crate::{
    alter::Alteration,
    catalog::SystemTables,
    clause,
    error::{Error, ErrorKind, Result},
    measures::FormulaMistake,
    parameters::Parameters,
    planner::{Planned, Planner},
    reduce::Reduction,
    request_filters::Filter,
    runtime::QueryRuntime,
    statement::{self, StatementKind},
    views::ViewChange,
    write::WritePlan,
};

/// What queries may use.
#[derive(Debug, Clone)]
pub struct QueryOptions {
    /// Memory of all running queries together, in bytes. 2 GiB by default. A query that would go past it fails.
    pub memory_limit_bytes: usize,
    /// Where sorts and joins may put what does not fit; `None`, the default, for nowhere.
    pub spill_folder: Option<PathBuf>,
    /// Space in that folder, in bytes. 16 GiB by default.
    pub spill_limit_bytes: u64,
    /// Threads that queries are planned and run on; 0, the default, for one per core.
    pub threads: usize,
    /// The longest text of a query, in bytes. 1 MiB by default.
    pub text_limit_bytes: usize,
}

impl Default for QueryOptions {
    fn default() -> QueryOptions {
        QueryOptions {
            memory_limit_bytes: 2 << 30,
            spill_folder: None,
            spill_limit_bytes: 16 << 30,
            threads: 0,
            text_limit_bytes: 1 << 20,
        }
    }
}

/// A query and the coordinates for the tables in it that name none.
#[derive(Debug, Clone, Default)]
pub struct QueryRequest {
    /// One statement that reads.
    pub sql: String,
    /// RFC 3339 time or ISO date; all valid time without it.
    pub valid_time: Option<String>,
    /// RFC 3339 time or ISO date, not later than the last commit, or `first-published` for what was the first to be known
    /// of each valid instant; the snapshot's own system time without it.
    pub system_time: Option<String>,
    /// The token of the state to read; the last committed state without it.
    pub snapshot: Option<String>,
    /// The values of `$1`, `?` and `$name` in the text.
    pub parameters: Parameters,
    /// What the rows are reduced to, one after another; nothing by default. Only for statements that read.
    pub reduce: Vec<Reduction>,
    /// Conditions on every dataset that has their column, for statements that read; none without it.
    pub filters: Option<Vec<Filter>>,
}

/// Batches of an answer. An error ends it; dropping it ends the query.
pub type BatchStream = BoxStream<'static, Result<RecordBatch>>;

/// The answer to a query.
pub struct QueryAnswer {
    /// The columns of every batch.
    pub schema: SchemaRef,
    /// The state that was read. The same request with it gives the same batches, unless the query asks for the time of
    /// day or for a random number, or reads a system table.
    pub token: SnapshotToken,
    /// The system time of tables that name none: the request's, else the token's.
    pub system_time: Instant,
    /// Whether asking again with the token may give something else: the query asks for the time of day or a random
    /// number, reads a system table, or shows a plan.
    pub volatile: bool,
    /// Which of the request's filters are for a dataset that was read, as indices; `None` where it gave none.
    pub filters: Option<Vec<usize>>,
    /// The rows.
    pub stream: BatchStream,
}

/// Answers queries over one lake, on threads of its own.
pub struct QueryEngine {
    planner: Arc<Planner>,
    runtime: Arc<QueryRuntime>,
    text_limit_bytes: usize,
}

impl QueryEngine {
    /// An engine over the lake. Fails when threads cannot be started or the spill folder cannot be used.
    pub fn new(lake: Lake, options: QueryOptions, system_tables: Arc<dyn SystemTables>) -> Result<QueryEngine> {
        let text_limit_bytes = options.text_limit_bytes;
        let runtime = Arc::new(QueryRuntime::start(options.threads)?);
        let planner = Arc::new(Planner::new(lake, options, system_tables)?);
        Ok(QueryEngine { planner, runtime, text_limit_bytes })
    }

    /// What a text would do, by its first words; a text that is no statement counts as one that reads.
    pub fn statement_kind(sql: &str) -> StatementKind {
        statement::kind(&clause::first_tokens(sql))
    }

    /// Finds out what INSERT, UPDATE or DELETE would do to the last committed state; `None` for anything else. Nothing
    /// is written: the rows become events, which the caller puts into the stream.
    pub async fn write(&self, request: QueryRequest) -> Result<Option<WritePlan>> {
        self.check_writing(&request)?;
        let planner = self.planner.clone();
        self.runtime.run(async move { planner.write(&request).await }).await
    }

    /// Reads CREATE VIEW and DROP VIEW; `None` for anything else. Nothing is changed: that is the caller's, in the lake.
    pub async fn view_change(&self, request: QueryRequest) -> Result<Option<ViewChange>> {
        self.check_writing(&request)?;
        let planner = self.planner.clone();
        self.runtime.run(async move { planner.view_change(&request).await }).await
    }

    /// Reads ALTER TABLE and sees that the changes can be made to the dataset as it is now; `None` for anything else.
    /// Nothing is changed: that is the caller's, in the lake.
    pub fn alteration(&self, request: &QueryRequest) -> Result<Option<Alteration>> {
        self.check_writing(request)?;
        self.planner.alteration(request)
    }

    /// All that is wrong with the formulas of a dataset's measures, each a name and a formula that may use the others.
    /// Fails with `UnknownTable` where there is no such dataset.
    pub async fn check_measures(&self, dataset: &str, measures: Vec<(String, String)>) -> Result<Vec<FormulaMistake>> {
        let (planner, dataset) = (self.planner.clone(), dataset.to_owned());
        self.runtime.run(async move { planner.check_measures(&dataset, &measures).await }).await
    }

    fn check_writing(&self, request: &QueryRequest) -> Result<()> {
        if request.filters.is_some() {
            let message = "filters narrow what is read; send none with a statement that writes";
            return Err(Error::new(ErrorKind::InvalidFilter, message));
        }
        self.check_length(request)
    }

    fn check_length(&self, request: &QueryRequest) -> Result<()> {
        if request.sql.len() > self.text_limit_bytes {
            let message = format!("the query is longer than {} bytes", self.text_limit_bytes);
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(())
    }

    /// Plans the query and begins to answer it. All tables are read in one committed state.
    pub async fn query(&self, request: QueryRequest) -> Result<QueryAnswer> {
        self.check_length(&request)?;
        let planner = self.planner.clone();
        let planned = self.runtime.run(async move { planner.plan(&request).await }).await?;
        let Planned { schema, token, system_time, volatile, filters, stream } = planned;
        Ok(QueryAnswer { schema, token, system_time, volatile, filters, stream: self.runtime.stream(stream) })
    }
}
