//! What stands in for S3 in tests.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::support::{Client, free_address, python};

/// How long the stand-in may take to start.
const STARTED_WITHIN: Duration = Duration::from_secs(60);
/// What the stand-in takes from whoever writes; it checks no signatures.
pub const AUTHORISATION: &str = "AWS name-of-a-test:signature";

/// A server that speaks the protocol of S3, with a bucket named `lake`. Ended when it is dropped.
pub struct Bucket {
    process: Child,
    pub client: Client,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Bucket {
    pub fn start() -> Option<Bucket> {
        let python = python()?;
        let address = free_address();
        let port = address.rsplit(':').next().expect("a port").to_owned();
        let process = Command::new(python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts");
        let bucket = Bucket { process, client: Client::new(&address) };
        let started = Instant::now();
        while !bucket.client.answers() {
            assert!(started.elapsed() < STARTED_WITHIN, "moto does not answer; is it in the Python that tests use?");
            thread::sleep(Duration::from_millis(100));
        }
        bucket.client.put("/lake", AUTHORISATION, "").expect_status(200);
        Some(bucket)
    }

    /// What Tidemark needs to know to reach it.
    pub fn environment(&self) -> [(&str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL", self.client.base()),
            ("AWS_ACCESS_KEY_ID", "name-of-a-test"),
            ("AWS_SECRET_ACCESS_KEY", "secret-of-a-test"),
            ("AWS_REGION", "us-east-1"),
        ]
    }

    /// The keys that begin so.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let listed = self.client.get(&format!("/lake?list-type=2&prefix={prefix}")).expect_status(200).text();
        listed.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned())).collect()
    }
}
