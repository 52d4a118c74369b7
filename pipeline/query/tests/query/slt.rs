//! Runs `tests/slt/*.slt`. A first line `-- valid_time=… system_time=…` of a query gives the request's coordinates.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use query::{Error, QueryRequest};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

use crate::{fixture, harness::Harness};

struct Connection(Arc<Harness>);

#[async_trait]
impl AsyncDB for Connection {
    type Error = Error;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Error> {
        let mut request = QueryRequest { sql: sql.to_owned(), ..QueryRequest::default() };
        let settings = sql.lines().next().and_then(|line| line.strip_prefix("-- ")).unwrap_or_default();
        for (name, value) in settings.split_whitespace().filter_map(|setting| setting.split_once('=')) {
            match name {
                "valid_time" => request.valid_time = Some(value.to_owned()),
                "system_time" => request.system_time = Some(value.to_owned()),
                "snapshot" => request.snapshot = Some(value.to_owned()),
                _ => panic!("unknown setting {name}"),
            }
        }
        let answer = self.0.request(request).await?;
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; answer.columns.len()], rows: answer.rows })
    }

    async fn shutdown(&mut self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn every_slt_file_holds() {
    let harness = Arc::new(fixture::history().await);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    let mut failures = Vec::new();
    for file in files {
        let mut runner = Runner::new(|| async { Ok(Connection(harness.clone())) });
        if let Err(error) = runner.run_file_async(&file).await {
            failures.push(error.to_string());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
