//! An object store that can be made worse: it refuses, is silent or slow.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

pub const PASS: u8 = 0;
pub const REFUSE: u8 = 1;
pub const SILENT: u8 = 2;
pub const SLOW: u8 = 3;
/// All but the record of a savepoint, which is written last.
pub const REFUSE_RECORDS: u8 = 4;
/// The record of a savepoint is written, and then the connection breaks, once.
pub const LOSE_ANSWER: u8 = 5;
const LOSING: u8 = 6;
/// In the path of records.
const SAVEPOINTS: &[u8] = b"/savepoints/";

/// Between Tidemark and what stands in for S3, to make it worse.
pub struct Proxy {
    address: String,
    mode: Arc<AtomicU8>,
}

impl Proxy {
    pub fn start(upstream: Option<String>) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a local port is free");
        let address = listener.local_addr().expect("an address").to_string();
        let mode = Arc::new(AtomicU8::new(PASS));
        let told = Arc::clone(&mode);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (upstream, mode) = (upstream.clone(), Arc::clone(&told));
                thread::spawn(move || serve(connection, upstream.as_deref(), &mode));
            }
        });
        Proxy { address, mode }
    }

    pub fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::Relaxed);
    }

    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ACCESS_KEY_ID", "name-of-a-test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-a-test".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("TIDEMARK_BUCKET_TIMEOUT_SECS", "1".to_owned()),
        ]
    }
}

/// Takes one connection to its end. Errors are those of whoever went away.
fn serve(mut client: TcpStream, upstream: Option<&str>, mode: &Arc<AtomicU8>) {
    match mode.load(Ordering::Relaxed) {
        REFUSE => {
            let mut request = vec![0; 64 << 10];
            if client.read(&mut request).unwrap_or(0) == 0 {
                return;
            }
            let body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
            let head = "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close";
            let _ = write!(client, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = client.shutdown(Shutdown::Write);
            let _ = client.read_to_end(&mut Vec::new());
        }
        SILENT => {
            while mode.load(Ordering::Relaxed) == SILENT {
                thread::sleep(Duration::from_millis(50));
            }
        }
        _ => {
            let Some(server) = upstream.and_then(|upstream| TcpStream::connect(upstream).ok()) else { return };
            let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else { return };
            let asking = Arc::clone(mode);
            let asked = thread::spawn(move || pass(from_client, to_server, &asking));
            pass(server, client, mode);
            let _ = asked.join();
        }
    }
}

/// Passes bytes on, slowly where it is to be slow, until one side ends or the mode no longer lets any through.
fn pass(mut from: TcpStream, mut to: TcpStream, mode: &AtomicU8) {
    let mut buffer = [0; 16 << 10];
    while let Ok(length) = from.read(&mut buffer) {
        let now = mode.load(Ordering::Relaxed);
        if length == 0 || matches!(now, REFUSE | SILENT) {
            break;
        }
        let is_record = is_put_of_record(&buffer[..length]);
        match now {
            REFUSE_RECORDS if is_record => break,
            LOSE_ANSWER if is_record => mode.store(LOSING, Ordering::Relaxed),
            LOSING if buffer.starts_with(b"HTTP/1.1 200") => {
                mode.store(PASS, Ordering::Relaxed);
                break;
            }
            _ => {}
        }
        if now == SLOW {
            thread::sleep(Duration::from_millis(100));
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

fn is_put_of_record(request: &[u8]) -> bool {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.starts_with(b"PUT ") && line.windows(SAVEPOINTS.len()).any(|part| part == SAVEPOINTS)
}

pub fn borrowed<'a>(environment: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
