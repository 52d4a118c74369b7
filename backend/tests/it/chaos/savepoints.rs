//! An operator who takes savepoints and deletes those before, until the server is gone. What it was told of is there
//! after the kill, whole, and the state can be put back from it.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    savepoints::{SAVEPOINTS, restore, savepoint, text},
    support::Client,
};

/// The savepoints of a run.
#[derive(Debug, Default)]
pub struct Kept {
    /// The last that was told to be taken.
    pub last: Option<String>,
    /// How many were taken, and how many put back.
    pub taken: u64,
    pub restored: u64,
}

/// Takes one after the other; of each two the former goes once the latter is there.
pub fn take(client: &Client, round: u64, seed: u64, kept: &Mutex<Kept>, stop: &AtomicBool) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for number in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("round-{round}-{number}");
        let Some(reply) = client.try_post_json(SAVEPOINTS, &json!({"name": name, "note": "chaos"})) else { return };
        reply.expect_status(201);
        let before = {
            let mut kept = kept.lock().expect("no client panics");
            kept.taken += 1;
            kept.last.replace(name)
        };
        if let Some(before) = before {
            let Some(reply) = client.try_delete(&format!("{SAVEPOINTS}/{before}")) else { return };
            reply.expect_status(200);
        }
        thread::sleep(Duration::from_millis(random.random_range(20..300)));
    }
}

impl Kept {
    /// After a kill: the last one is whole, and takes the place of the state, which sometimes is lost.
    pub fn put_back(&mut self, data: &TempDir, random: &mut ChaCha8Rng) {
        let Some(last) = &self.last else { return };
        savepoint(&["verify", last, "--data", text(data.path())], &[]).unwrap_or_else(|e| panic!("{last}: {e}"));
        if random.random() {
            std::fs::remove_dir_all(data.path().join("state")).expect("the state can be removed");
        }
        let slots = random.random_range(1..=6).to_string();
        restore(last, data, &["--slots", &slots]).unwrap_or_else(|e| panic!("{last}: {e}"));
        self.restored += 1;
    }
}
