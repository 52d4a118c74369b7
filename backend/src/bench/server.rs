//! A server of its own for benchmarks that kill it or that ask it as clients do.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant as Stopwatch},
};

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};

/// A start that takes longer has failed.
const READY_WITHIN: Duration = Duration::from_secs(600);
const ASK_EVERY: Duration = Duration::from_millis(5);

/// A running `tidemark serve`, killed when it is dropped.
pub struct Server {
    process: Child,
    base: String,
    /// For requests to it.
    pub http: reqwest::Client,
}

impl Server {
    /// Starts one over a data folder with the lines of a settings file; what it says goes to `server.log` beside the data.
    /// Does not wait until it answers.
    pub fn start(data: &Path, settings: &str) -> Result<Server> {
        fs::create_dir_all(data)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let file = data.with_extension("toml");
        fs::write(&file, settings)?;
        let log = File::options().create(true).append(true).open(data.with_extension("log"))?;
        let process = Command::new(std::env::current_exe()?)
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(data)
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(120)).build();
        let http = http.map_err(|e| Error::new(ErrorKind::Internal, "no HTTP client").because(e))?;
        Ok(Server { process, base: format!("http://{address}"), http })
    }

    /// Waits until it is ready to work.
    pub async fn ready(&mut self) -> Result<()> {
        let watch = Stopwatch::now();
        loop {
            let answer = self.http.get(self.url("/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                return Ok(());
            }
            self.must_run(watch)?;
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Fails where it has ended, or has had its time.
    pub fn must_run(&mut self, since: Stopwatch) -> Result<()> {
        let message = match self.process.try_wait()? {
            Some(status) => format!("the server ended with {status}; its log is beside the data folder"),
            None if since.elapsed() > READY_WITHIN => "the server does not become ready".to_owned(),
            None => return Ok(()),
        };
        Err(Error::new(ErrorKind::Internal, message))
    }

    /// `kill -9`
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Address of a call.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Defines a dataset.
    pub async fn define(&self, dataset: &str, definition: &Value) -> Result<()> {
        let request = self.http.put(self.url(&format!("/api/v1/datasets/{dataset}"))).json(definition);
        answered(request).await.map(|_| ())
    }

    /// The rows of a statement.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Value>> {
        let request = self.http.post(self.url("/api/v1/sql")).header("accept", "application/json");
        let answer = answered(request.json(&json!({ "sql": sql }))).await?;
        answer.json().await.map_err(|e| Error::new(ErrorKind::Internal, "an answer is no JSON").because(e))
    }

    /// Where a dataset's records went.
    pub async fn counts(&self, dataset: &str) -> Result<Value> {
        let answer = answered(self.http.get(self.url(&format!("/api/v1/datasets/{dataset}")))).await?;
        let summary: Value =
            answer.json().await.map_err(|e| Error::new(ErrorKind::Internal, "an answer is no JSON").because(e))?;
        Ok(summary["counts"].clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.kill();
    }
}

/// The answer to a request, which has to be a good one.
pub async fn answered(request: reqwest::RequestBuilder) -> Result<Response> {
    let answer = request.send().await.map_err(|e| Error::new(ErrorKind::Internal, "no answer").because(e))?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    Err(Error::new(ErrorKind::Internal, format!("{status}: {text}")))
}
