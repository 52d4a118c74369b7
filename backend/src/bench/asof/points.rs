//! One key as of a past moment, over HTTP: a server of its own on the folder, one connection, one question at a time.

use std::{
    net::TcpListener,
    path::Path,
    process::Stdio,
    time::{Duration, Instant as Stopwatch},
};

use model::Instant;
use reqwest::{Client, header::ACCEPT};
use serde_json::json;
use tokio::process::{Child, Command};

use crate::{
    bench::{
        figures::{Timings, draw},
        prices::{DAY_MICROS, History, start_of_day},
    },
    error::{Error, ErrorKind, Result},
};

/// Asked before the first that counts.
const WARM_UP: u64 = 200;
/// How long the server may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// What draws are for.
const WHICH_KEY: u64 = 101;
const WHICH_DAY: u64 = 102;
const WHICH_MOMENT: u64 = 103;

/// One question, and what has to be the answer.
struct Point {
    sql: String,
    answer: String,
}

/// Asks so many questions of a folder with `prices`; keys and coordinates are drawn. Every answer is checked.
pub async fn measure(folder: &Path, identifiers: &[String], history: &History, requests: u64) -> Result<Timings> {
    let (mut server, url) = start(folder).await?;
    let client = Client::builder().no_proxy().pool_max_idle_per_host(1).build().map_err(no_answer)?;
    await_ready(&client, &url, &mut server).await?;
    let mut timings = Timings::default();
    for number in 0..WARM_UP + requests {
        let point = point(number, identifiers, history);
        let watch = Stopwatch::now();
        let request = client.post(format!("{url}/api/v1/sql")).header(ACCEPT, "text/csv");
        let response = request.json(&json!({ "sql": point.sql })).send().await.map_err(no_answer)?;
        let answer = response.text().await.map_err(no_answer)?;
        if number >= WARM_UP {
            timings.push(watch.elapsed());
        }
        if answer.trim_end() != point.answer {
            let message = format!("{} is answered with {answer:?} in place of {:?}", point.sql, point.answer);
            return Err(Error::new(ErrorKind::Internal, message));
        }
    }
    Ok(timings)
}

fn point(number: u64, identifiers: &[String], history: &History) -> Point {
    let instrument = draw(WHICH_KEY, number, 0) % identifiers.len() as u64;
    // At the start of a day all rounds before it are known; that after the last lies behind the last commit.
    let known_rounds = 1 + (draw(WHICH_DAY, number, 0) % u64::from(history.rounds - 1)) as u32;
    let past_micros = u64::from(known_rounds) * DAY_MICROS.unsigned_abs();
    let moment = (draw(WHICH_MOMENT, number, 0) % past_micros).cast_signed();
    let valid = Instant(start_of_day(history.first_day).micros() + moment);
    let system = start_of_day(history.first_day + known_rounds);
    let sql = format!(
        "SELECT value FROM prices FOR VALID_TIME AS OF TIMESTAMP '{valid}' FOR SYSTEM_TIME AS OF TIMESTAMP '{system}' \
         WHERE instrument = '{}'",
        identifiers[instrument as usize]
    );
    let price = history.price_at(instrument as u32, valid, known_rounds);
    let answer = price
        .map_or_else(|| "value".to_owned(), |price| format!("value\n{}.{:02}", price.cents / 100, price.cents % 100));
    Point { sql, answer }
}

/// Starts this program as a server; gives the process, which ends when it is dropped, and its address.
async fn start(folder: &Path) -> Result<(Child, String)> {
    // Free a moment later, and then most likely still.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let process = Command::new(std::env::current_exe()?)
        .args(["serve", "--listen", &address.to_string(), "--no-upkeep", "--data"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .env("TIDEMARK_LOG", "warn")
        .kill_on_drop(true)
        .spawn()?;
    Ok((process, format!("http://{address}")))
}

async fn await_ready(client: &Client, url: &str, server: &mut Child) -> Result<()> {
    let watch = Stopwatch::now();
    while watch.elapsed() < READY_WITHIN {
        if let Some(status) = server.try_wait()? {
            return Err(Error::new(ErrorKind::Unavailable, format!("the benchmark's server ended with {status}")));
        }
        let answer = client.get(format!("{url}/readyz")).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(Error::new(ErrorKind::Unavailable, format!("the benchmark's server was not ready in {READY_WITHIN:?}")))
}

fn no_answer(source: reqwest::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the benchmark's server did not answer").because(source)
}
