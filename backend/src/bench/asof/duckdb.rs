//! DuckDB over the same Parquet files, in a Python of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::Deserialize;
use serde_json::json;
use tokio::{io::AsyncWriteExt, process::Command};

use super::questions::{Question, differ};
use crate::{
    bench::{answers::Rows, figures::Timings},
    error::{Error, ErrorKind, Result},
};

const SCRIPT: &str = include_str!("duckdb.py");

/// What DuckDB made of a question: its answer, and the form that was faster.
#[derive(Debug, Clone)]
pub struct Best {
    /// The answer.
    pub rows: Rows,
    /// `arg_max` or `row_number`.
    pub form: String,
    /// How long it took.
    pub timings: Timings,
}

/// What DuckDB printed.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// DuckDB's version.
    pub version: String,
    answers: Vec<Answer>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    name: String,
    form: String,
    rows: Rows,
    seconds: Vec<f64>,
}

impl Report {
    /// The faster form of a question, by its middle run. Fails where the forms do not agree.
    pub fn best(&self, question: &Question) -> Result<Best> {
        let mut best: Option<Best> = None;
        for answer in self.answers.iter().filter(|answer| answer.name == question.name) {
            let timings: Timings = answer.seconds.iter().map(|&seconds| Duration::from_secs_f64(seconds)).collect();
            if let Some(best) = best.as_ref().filter(|best| best.rows != answer.rows) {
                return Err(differ(question.name, &best.rows, &answer.rows));
            }
            if best.as_ref().is_none_or(|best| timings.median_millis() < best.timings.median_millis()) {
                best = Some(Best { rows: answer.rows.clone(), form: answer.form.clone(), timings });
            }
        }
        best.ok_or_else(|| Error::new(ErrorKind::Internal, format!("DuckDB gave no answer to {}", question.name)))
    }
}

/// Asks all questions in both forms, each once to warm up and then `repeat` times.
pub async fn ask(
    python: &Path,
    table: &str,
    files: &[PathBuf],
    threads: usize,
    repeat: u32,
    questions: &[Question],
) -> Result<Report> {
    let questions = questions.iter().map(|question| json!({ "name": question.name, "forms": question.plain }));
    let task = json!({
        "files": files, "table": table, "threads": threads, "repeat": repeat,
        "questions": questions.collect::<Vec<_>>(),
    });
    let mut process = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| failed(python).because(e))?;
    if let Some(mut stdin) = process.stdin.take() {
        stdin.write_all(task.to_string().as_bytes()).await?;
    }
    let output = process.wait_with_output().await?;
    if !output.status.success() {
        return Err(failed(python).because(format!("it ended with {}", output.status)));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| failed(python).because(e))
}

fn failed(python: &Path) -> Error {
    let message = format!("{} could not ask DuckDB; --python wants one with the package duckdb", python.display());
    Error::new(ErrorKind::BadRequest, message)
}

/// The Parquet files in a folder.
pub fn parquet_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path().canonicalize()?;
        if path.extension().is_some_and(|extension| extension == "parquet") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
