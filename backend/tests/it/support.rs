//! The real binary, started on a free port over a folder of its own, and what tests say to it over HTTP. All calls
//! block; a [`Client`] can be cloned into threads. Nothing here looks inside the server or its files.

// Each module of the tests uses a part of it.
#![allow(dead_code)]

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a server may take to become ready; the first start on a cold disk is the slow one.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long one request may take: longer than any epoch, shorter than a hanging test run.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// Environment variables, by name.
pub type Environment<'a> = &'a [(&'a str, &'a str)];

const BINARY: &str = env!("CARGO_BIN_EXE_tidemark");

/// A running `tidemark serve`. Dropping it kills the process; the data folder goes with its last owner.
pub struct Server {
    client: Client,
    process: Child,
    data: Arc<TempDir>,
    log: PathBuf,
}

impl Server {
    /// A server over an empty folder.
    pub fn start() -> Self {
        Self::start_on(Arc::new(TempDir::new().expect("a temporary folder can be made")), &[])
    }

    /// A server over this folder, with further options of `tidemark serve`. Panics with the end of the server's log
    /// where it does not become ready.
    pub fn start_on(data: Arc<TempDir>, options: &[&str]) -> Self {
        Self::start_in(data, options, &[])
    }

    /// The same with further environment variables.
    pub fn start_in(data: Arc<TempDir>, options: &[&str], environment: Environment<'_>) -> Self {
        let log = data.path().with_extension("log");
        // Another process may take the free port before the server does; then once more with another.
        for attempt in 1.. {
            let address = free_address();
            let mut process = spawn(&data, &log, &address, options, environment);
            match await_ready(&mut process, Client::new(&address)) {
                Ok(client) => return Self { client, process, data, log },
                Err(reason) => {
                    let _ = process.kill();
                    let _ = process.wait();
                    let log = log_tail(&log);
                    let port_taken = log.contains("in use");
                    assert!(port_taken && attempt < 5, "tidemark serve {reason}; the end of its log:\n{log}");
                }
            }
        }
        unreachable!("the last attempt returns or panics")
    }

    /// `kill -9`: the process ends wherever it is. Gives the folder to start over.
    pub fn kill(mut self) -> Arc<TempDir> {
        self.process.kill().expect("the server was running");
        self.process.wait().expect("a killed process can be waited for");
        self.data.clone()
    }

    /// `kill -TERM`: the server may finish what it does. Panics if it takes longer than half a minute or fails.
    pub fn stop(mut self) -> Arc<TempDir> {
        let sent = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIGTERM could not be sent");
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(30) {
            if let Some(status) = self.process.try_wait().expect("the server's state can be asked for") {
                assert!(status.success(), "the server ended with {status}; its log:\n{}", log_tail(&self.log));
                return self.data.clone();
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not stop within 30 s of SIGTERM; its log:\n{}", log_tail(&self.log));
    }

    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The folder given as `--data`.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    pub fn log(&self) -> String {
        log_tail(&self.log)
    }
}

impl std::ops::Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("the end of the server's log:\n{}", log_tail(&self.log));
        }
        if Arc::strong_count(&self.data) == 1 {
            let _ = fs::remove_file(&self.log);
        }
    }
}

/// What a test says to a server. Every call blocks until the answer's last byte is there.
#[derive(Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
    runtime: Arc<tokio::runtime::Runtime>,
}

impl Client {
    /// For a server at `address` (`127.0.0.1:3000`).
    pub fn new(address: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build();
        Self {
            base: format!("http://{address}"),
            http: http.expect("an HTTP client can be made"),
            runtime: Arc::new(runtime.expect("a runtime can be made")),
        }
    }

    /// `http://127.0.0.1:PORT`, as `--url` takes it.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `PUT /api/v1/datasets/{name}`.
    pub fn put_dataset(&self, name: &str, definition: &Value) -> Reply {
        self.expect(self.http.put(self.url(&format!("/api/v1/datasets/{name}"))).json(definition))
    }

    /// `PATCH /api/v1/datasets/{name}` with these changes.
    pub fn change_dataset(&self, name: &str, changes: &Value) -> Reply {
        self.expect(self.change(name, changes))
    }

    /// The same where the server may die before it answers: `None` then.
    pub fn try_change_dataset(&self, name: &str, changes: &Value) -> Option<Reply> {
        self.send(self.change(name, changes)).ok()
    }

    /// `POST /api/v1/datasets/{name}/events?wait=…` with NDJSON; `wait` is `durable` or `committed`.
    pub fn post_events(&self, name: &str, wait: &str, ndjson: impl Into<reqwest::Body>) -> Reply {
        self.expect(self.events(name, wait, ndjson))
    }

    /// The same where the server may die before it answers: `None` then.
    pub fn try_post_events(&self, name: &str, wait: &str, ndjson: impl Into<reqwest::Body>) -> Option<Reply> {
        self.send(self.events(name, wait, ndjson)).ok()
    }

    /// `POST /api/v1/datasets/{name}/upkeep`; `None` where the server is gone before it answers.
    pub fn try_upkeep(&self, name: &str, action: &str) -> Option<Reply> {
        let order = json!({ "action": action });
        self.send(self.http.post(self.url(&format!("/api/v1/datasets/{name}/upkeep"))).json(&order)).ok()
    }

    /// `POST /api/v1/transactions?wait=…` with NDJSON.
    pub fn post_transaction(&self, wait: &str, ndjson: impl Into<reqwest::Body>) -> Reply {
        self.expect(self.http.post(self.url(&format!("/api/v1/transactions?wait={wait}"))).body(ndjson))
    }

    /// `POST /api/v1/datasets/{name}/seal`.
    pub fn seal(&self, name: &str) -> Reply {
        self.expect(self.http.post(self.url(&format!("/api/v1/datasets/{name}/seal"))))
    }

    /// `POST /api/v1/sql` with the whole request object, answered as `accept` says (`application/json`, `text/csv`, …).
    pub fn post_sql(&self, request: &Value, accept: &str) -> Reply {
        self.expect(self.http.post(self.url("/api/v1/sql")).header("accept", accept).json(request))
    }

    /// The rows of a statement as JSON objects. Panics where the server refuses it.
    pub fn rows(&self, sql: &str) -> Vec<Value> {
        let reply = self.post_sql(&json!({ "sql": sql }), "application/json");
        assert_eq!(reply.status, 200, "{sql}\n{}", reply.text());
        serde_json::from_slice(&reply.body).unwrap_or_else(|e| panic!("{sql}: {e}\n{}", reply.text()))
    }

    /// `PUT` of any body to any path, for servers that want to know who asks.
    pub fn put(&self, path: &str, authorization: &str, body: impl Into<reqwest::Body>) -> Reply {
        self.expect(self.http.put(self.url(path)).header("authorization", authorization).body(body))
    }

    /// Any call with any headers.
    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Reply {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.http.request(method, self.url(path)).body(body);
        self.expect(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
    }

    /// Whether something answers, whatever it says.
    pub fn answers(&self) -> bool {
        self.send(self.http.get(self.url("/"))).is_ok()
    }

    pub fn get(&self, path: &str) -> Reply {
        self.expect(self.http.get(self.url(path)))
    }

    /// `POST` of any body to any path, for what the calls above cannot say.
    pub fn post(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Reply {
        self.expect(self.http.post(self.url(path)).header("content-type", content_type).body(body))
    }

    fn events(&self, name: &str, wait: &str, ndjson: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.http.post(self.url(&format!("/api/v1/datasets/{name}/events?wait={wait}"))).body(ndjson)
    }

    fn change(&self, name: &str, changes: &Value) -> reqwest::RequestBuilder {
        let body = json!({ "changes": changes });
        self.http.patch(self.url(&format!("/api/v1/datasets/{name}"))).json(&body)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn expect(&self, request: reqwest::RequestBuilder) -> Reply {
        self.send(request).unwrap_or_else(|e| panic!("no answer: {e:?}"))
    }

    fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
        self.runtime.block_on(async {
            let response = request.send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Ok(Reply { status, headers, body: response.bytes().await?.to_vec() })
        })
    }
}

/// An answer, whole.
pub struct Reply {
    pub status: u16,
    headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON; panics with its text where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e} in the answer ({}): {}", self.status, self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, for instance `tidemark-snapshot`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Panics with the answer where its status is another one.
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

/// Runs `tidemark` with these arguments and this standard input to its end.
pub fn tidemark(arguments: &[&str], stdin: &[u8]) -> Output {
    tidemark_in(arguments, stdin, &[])
}

/// The same with further environment variables.
pub fn tidemark_in(arguments: &[&str], stdin: &[u8], environment: Environment<'_>) -> Output {
    let mut process = Command::new(BINARY)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{BINARY} did not start: {e}"));
    let mut pipe = process.stdin.take().expect("standard input is piped");
    let stdin = stdin.to_vec();
    // From a thread: the process may fill its output before it has read all its input. It may also end without
    // reading it, which is no error of the test's.
    let writer = thread::spawn(move || pipe.write_all(&stdin).is_ok());
    let output = process.wait_with_output().expect("a started process can be waited for");
    writer.join().expect("the writing thread does not panic");
    output
}

/// The folder of published histories beside the checkout, or `None` where there is none: it comes with the
/// development machines, not with the sources. Under `CI=true` its absence is a failure.
pub fn shared_data() -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    if data.is_dir() {
        return Some(data);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "../shared/data is missing beside the checkout");
    eprintln!("skipped: there is no ../shared/data beside the checkout");
    None
}

/// The Python with what only tests need, or `None` where `make setup` made none. Under `CI=true` that is a failure.
pub fn python() -> Option<String> {
    let python = std::env::var("TIDEMARK_PYTHON").ok();
    if python.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "TIDEMARK_PYTHON names no Python with what tests need");
        eprintln!("skipped: TIDEMARK_PYTHON names no Python with what tests need; make setup makes one");
    }
    python
}

/// An address of this machine that nothing listens on.
pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a local port is free");
    listener.local_addr().expect("a bound socket has an address").to_string()
}

fn spawn(data: &TempDir, log: &Path, address: &str, options: &[&str], environment: Environment<'_>) -> Child {
    // Appended to, so that a restart keeps what the killed server had said.
    let out = File::options().create(true).append(true).open(log).expect("the log can be written");
    let err = out.try_clone().expect("the log can be shared");
    Command::new(BINARY)
        .args(["serve", "--listen", address, "--data"])
        .arg(data.path())
        .args(options)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .unwrap_or_else(|e| panic!("{BINARY} did not start: {e}"))
}

fn await_ready(process: &mut Child, client: Client) -> Result<Client, String> {
    let started = Instant::now();
    while started.elapsed() < READY_WITHIN {
        if let Some(status) = process.try_wait().expect("the server's state can be asked for") {
            return Err(format!("ended with {status}"));
        }
        if client.send(client.http.get(client.url("/readyz"))).is_ok_and(|reply| reply.status == 200) {
            return Ok(client);
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(format!("was not ready within {} s", READY_WITHIN.as_secs()))
}

fn log_tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
