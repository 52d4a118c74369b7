//! A lake in a temporary folder, filled with assertion rows written as NDJSON.

use std::{io::Cursor, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    json::ReaderBuilder,
    util::display::{ArrayFormatter, FormatOptions},
};
use futures::TryStreamExt;
use lake::{
    DatasetCommit, EpochCommit, Lake,
    model::{EpochRecord, Instant, SnapshotToken, arrow_layout::assertion_schema},
};
use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngSeed, TestRunner},
};
use query::{Error, QueryEngine, QueryOptions, QueryRequest, SystemTables};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A lake that is being filled, and a query engine over it.
pub struct Harness {
    pub lake: Lake,
    pub engine: QueryEngine,
    epoch: u64,
    _folder: TempDir,
}

/// An answer as text: a row is its values, null written as NULL.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub token: SnapshotToken,
    pub system_time: Instant,
    pub filters: Option<Vec<usize>>,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub batches: Vec<RecordBatch>,
}

/// One row, so that `system.greetings` can be asked for.
struct Greetings;

impl SystemTables for Greetings {
    fn names(&self) -> Vec<String> {
        vec!["greetings".to_owned()]
    }

    fn table(&self, name: &str) -> Option<RecordBatch> {
        let words: ArrayRef = Arc::new(StringArray::from(vec!["hello"]));
        (name == "greetings").then(|| RecordBatch::try_from_iter([("word", words)]).unwrap())
    }
}

impl Harness {
    /// An empty lake.
    pub async fn new() -> Harness {
        Harness::with_options(QueryOptions::default()).await
    }

    /// An empty lake and an engine with these limits.
    pub async fn with_options(options: QueryOptions) -> Harness {
        let folder = TempDir::new().unwrap();
        let lake = Lake::open(folder.path()).await.unwrap();
        let engine = QueryEngine::new(lake.clone(), options, Arc::new(Greetings)).unwrap();
        Harness { lake, engine, epoch: 0, _folder: folder }
    }

    /// Defines a dataset by its JSON.
    pub async fn define(&self, name: &str, definition: &str) {
        self.lake.define_dataset(name, &serde_json::from_str(definition).unwrap()).await.unwrap();
    }

    /// Commits an epoch: of each dataset named, the rows given as NDJSON. A row without `system_from` gets the epoch's.
    pub async fn commit(&mut self, system_time: &str, datasets: &[(&str, &str)], seal: &[&str]) -> EpochRecord {
        self.epoch += 1;
        let system_time = Instant::parse(system_time).unwrap();
        let mut commits: Vec<DatasetCommit> = Vec::new();
        let mut total = 0;
        for name in
            datasets.iter().map(|(name, _)| name).chain(seal.iter().filter(|s| datasets.iter().all(|d| d.0 != **s)))
        {
            let dataset = self.lake.dataset(name).unwrap();
            let mut writer = self.lake.writer(&dataset).unwrap();
            let mut rows = 0;
            for (_, text) in datasets.iter().filter(|(of, _)| of == name) {
                for batch in batches(&dataset.definition, text, system_time) {
                    rows += batch.num_rows() as u64;
                    writer.write(&batch).unwrap();
                }
            }
            total += rows;
            commits.push(DatasetCommit {
                dataset_id: dataset.id,
                version: dataset.version,
                files: writer.finish().unwrap(),
                committed: rows,
                unchanged: 0,
                quarantined: 0,
                ignored_fields: 0,
                seal: seal.contains(name),
            });
        }
        let record = EpochRecord {
            epoch: self.epoch,
            system_time,
            position: self.epoch,
            records: total,
            rows: total,
            duration_micros: 0,
        };
        let commit = EpochCommit { record, datasets: commits, checkpoint: format!("c{}", self.epoch) };
        self.lake.commit_epoch(commit).await.unwrap()
    }

    /// Asks with no coordinates of the request.
    pub async fn ask(&self, sql: &str) -> Result<Answer, Error> {
        self.request(QueryRequest { sql: sql.to_owned(), ..QueryRequest::default() }).await
    }

    pub async fn request(&self, request: QueryRequest) -> Result<Answer, Error> {
        let answer = self.engine.query(request).await?;
        let filters = answer.filters.clone();
        let columns = answer.schema.fields().iter().map(|field| field.name().clone()).collect();
        let batches: Vec<RecordBatch> = answer.stream.try_collect().await?;
        for batch in &batches {
            assert_eq!(batch.schema(), answer.schema);
        }
        let rows = batches.iter().flat_map(texts).collect();
        Ok(Answer { token: answer.token, system_time: answer.system_time, filters, columns, rows, batches })
    }

    /// The rows of an answer, values joined by blanks.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let answer = self.ask(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        answer.rows.iter().map(|row| row.join(" ")).collect()
    }
}

fn batches(definition: &lake::model::DatasetDefinition, text: &str, system_time: Instant) -> Vec<RecordBatch> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let with_time = lines.map(|line| match line.contains("\"system_from\"") {
        true => line.to_owned(),
        false => format!("{{\"system_from\":\"{system_time}\",{}", line.strip_prefix('{').unwrap()),
    });
    let text = with_time.collect::<Vec<_>>().join("\n");
    let reader = ReaderBuilder::new(assertion_schema(definition)).build(Cursor::new(text)).unwrap();
    reader.map(|batch| batch.unwrap()).collect()
}

/// The rows of a batch as texts.
pub fn texts(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayFormatter<'_>> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| column.value(row).to_string()).collect()).collect()
}

/// Checks 60 random cases, or as many as `PROPTEST_CASES` says, from a seed that is printed or that `PROPTEST_RNG_SEED`
/// gives.
pub fn check_random<S: Strategy>(cases_of: &S, check: impl AsyncFn(&S::Value)) {
    let runtime = Runtime::new().unwrap();
    let given = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let cases = given("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(60);
    let seed = given("PROPTEST_RNG_SEED").unwrap_or_else(|| {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
    });
    eprintln!("{cases} cases; to play them again: PROPTEST_CASES={cases} PROPTEST_RNG_SEED={seed}");
    let rng_seed = RngSeed::Fixed(seed);
    let config = Config { cases, rng_seed, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    TestRunner::new(config)
        .run(cases_of, |case| {
            runtime.block_on(check(&case));
            Ok(())
        })
        .unwrap();
}
