//! Chaos: the real binary is killed with `kill -9` at random moments, while clients send records and wait for them,
//! epochs commit, upkeep compacts, slots change and savepoints are taken. After each kill everything that was acknowledged
//! is there once, and the past answers as it did; after some the state is put back from the last savepoint first.
//!
//! `TIDEMARK_CHAOS_KILLS=200` asks for more kills than 20; the seed of what is sent and of when it is killed is printed,
//! and `TIDEMARK_CHAOS_SEED=…` takes it again, though a process is never at the same place twice.

mod clients;
mod model;
mod past;
mod savepoints;

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Server};
use clients::{BULK, Told, WRITERS, bulk, write};
use model::{DATASETS, Model};
use past::Past;
use savepoints::Kept;

const KILLS: u64 = 20;
/// Of past answers so many are asked for again after each kill, and all at the end.
const ANSWERS_AGAIN: usize = 6;

fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// After one kill in so many a savepoint takes the place of the state.
const PUT_BACK_EVERY: u64 = 4;

/// What a server is given: short epochs, frequent checkpoints, a stream that lets go at once, upkeep by itself.
const SETTINGS: &str = "epoch_interval_ms = 40\nepoch_max_records = 6000\ncheckpoint_interval_secs = 1\n\
                        small_epoch_records = 50\nsavepoint_interval_secs = 1\nstream_kept_bytes = 0\nstate_write_buffer_bytes = 4194304\nupkeep_interval_secs = 1\n";

struct Chaos {
    random: ChaCha8Rng,
    model: Model,
    past: Past,
    savepoints: Mutex<Kept>,
    settings: TempDir,
}

#[test]
fn whenever_it_is_killed_every_acknowledged_record_is_there_once_and_the_past_is_unchanged() {
    let kills = given("TIDEMARK_CHAOS_KILLS").unwrap_or(KILLS);
    let seed = given("TIDEMARK_CHAOS_SEED").unwrap_or_else(|| RandomState::new().hash_one("seed"));
    eprintln!("{kills} kills; to send the same again: TIDEMARK_CHAOS_KILLS={kills} TIDEMARK_CHAOS_SEED={seed}");
    let settings = TempDir::new().expect("a temporary folder can be made");
    std::fs::write(settings.path().join("tidemark.toml"), SETTINGS).expect("the settings can be written");
    let random = ChaCha8Rng::seed_from_u64(seed);
    let (model, past, savepoints) = (Model::default(), Past::default(), Mutex::default());
    let mut chaos = Chaos { random, model, past, savepoints, settings };
    let data = Arc::new(TempDir::new().expect("a temporary folder can be made"));
    let mut server = chaos.start(data);
    for (name, definition) in model::definitions() {
        server.put_dataset(name, &definition).expect_status(201);
    }
    for round in 0..kills {
        let (data, told) = chaos.run_and_kill(server, round);
        if round % PUT_BACK_EVERY == PUT_BACK_EVERY - 1 {
            chaos.savepoints.get_mut().expect("no client panics").put_back(&data, &mut chaos.random);
        }
        server = chaos.start(data);
        settled(&server);
        chaos.model.take_in(&server, &told, round);
        chaos.model.check(&server);
        let again = chaos.past.some(&mut chaos.random, ANSWERS_AGAIN);
        chaos.past.check(&server, &again);
        if round % 5 == 4 {
            digests_hold(&server);
        }
    }
    assert!(chaos.model.acknowledged > kills, "hardly anything was tested");
    let server = chaos.start(server.stop());
    settled(&server);
    chaos.model.check(&server);
    chaos.past.check(&server, &chaos.past.all());
    let (rescales, acknowledged) = (rescales_done(&server), chaos.model.acknowledged);
    let Kept { taken, restored, .. } = chaos.savepoints.into_inner().expect("no client panics");
    eprintln!(
        "{kills} kills: {acknowledged} requests acknowledged, {rescales} rescales done under load, {taken} savepoints \
         taken, {restored} of them restored"
    );
    assert!(kills < KILLS || rescales > 0 && restored > 0, "no rescale or no restore was done");
}

impl Chaos {
    fn start(&mut self, data: Arc<TempDir>) -> Server {
        let settings = self.settings.path().join("tidemark.toml");
        let slots = self.random.random_range(1..=5).to_string();
        let options = ["--config", settings.to_str().expect("a readable path"), "--slots", &slots];
        // Sometimes it is killed while it starts, or while it still catches up.
        while self.random.random_range(0..5) == 0 {
            let lives_for = Duration::from_millis(self.random.random_range(0..600));
            Server::start_and_kill(&data, &options, lives_for);
        }
        Server::start_on(data, &options)
    }

    /// Lets clients, upkeep and an operator work until the server is killed; gives what was told to the clients.
    fn run_and_kill(&mut self, server: Server, round: u64) -> (Arc<TempDir>, Told) {
        let told = Mutex::new(Told::after(&self.model));
        let stop = AtomicBool::new(false);
        let lives_for = Duration::from_millis(self.random.random_range(50..1_800));
        let seeds: Vec<u64> = (0..WRITERS + 2).map(|_| self.random.random()).collect();
        let client = server.client();
        let data = thread::scope(|scope| {
            for (writer, &seed) in seeds.iter().take(WRITERS).enumerate() {
                let (client, told, stop) = (client.clone(), &told, &stop);
                scope.spawn(move || write(&client, writer, round, seed, told, stop));
            }
            let (client_too, told_too, stop_too) = (client.clone(), &told, &stop);
            scope.spawn(move || bulk(&client_too, told_too, stop_too));
            let (client_too, stop_too) = (client.clone(), &stop);
            scope.spawn(move || compact(&client_too, stop_too));
            let (client_too, stop_too, seed) = (client.clone(), &stop, seeds[WRITERS]);
            scope.spawn(move || rescale(&client_too, seed, stop_too));
            let (client_too, stop_too, seed, kept) = (client.clone(), &stop, seeds[WRITERS + 1], &self.savepoints);
            scope.spawn(move || savepoints::take(&client_too, round, seed, kept, stop_too));
            thread::sleep(lives_for / 2);
            self.past.ask(&server);
            thread::sleep(lives_for / 2);
            let data = server.kill();
            stop.store(true, Ordering::Relaxed);
            data
        });
        (data, told.into_inner().expect("no client panics"))
    }
}

/// Compacts again and again until the server is gone.
fn compact(client: &Client, stop: &AtomicBool) {
    for dataset in DATASETS.iter().copied().chain([BULK]).cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let Some(reply) = client.try_upkeep(dataset, "compact") else { return };
        assert_eq!(reply.expect_status(200).json()["run"]["error"], Value::Null);
    }
}

/// Asks for other numbers of slots until the server is gone.
fn rescale(client: &Client, seed: u64, stop: &AtomicBool) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    while !stop.load(Ordering::Relaxed) {
        let order = json!({"slots": random.random_range(1..=6), "reason": "chaos"});
        let Some(reply) = client.try_post_json("/api/v1/pipeline/rescale", &order) else { return };
        // The number it has already, or while another one is under way: refused.
        assert!([200, 202, 409, 422].contains(&reply.status), "{}: {}", reply.status, reply.text());
        thread::sleep(Duration::from_millis(random.random_range(20..300)));
    }
}

fn rescales_done(server: &Server) -> usize {
    let known = server.get("/api/v1/pipeline/rescales?limit=1000").expect_status(200).json();
    let known = known["rescales"].as_array().expect("rescales").clone();
    known.iter().filter(|rescale| rescale["outcome"] == "done").count()
}

/// Waits until all that was acknowledged is committed.
fn settled(server: &Server) {
    let in_flight = |dataset: &str| {
        let shown = server.get(&format!("/api/v1/datasets/{dataset}")).expect_status(200).json();
        shown["counts"]["in_flight"].as_u64().expect("a count")
    };
    for _ in 0..600 {
        if DATASETS.iter().copied().chain([BULK]).all(|dataset| in_flight(dataset) == 0) {
            return;
        }
        thread::sleep(Duration::from_millis(30));
    }
    panic!("the stream does not drain: {}", server.log());
}

fn digests_hold(server: &Server) {
    for dataset in DATASETS {
        let checked = server.try_upkeep(dataset, "verify").expect("an answer").expect_status(200).json();
        let checked = checked["verified"].as_array().expect("digests").clone();
        assert!(checked.iter().all(|digest| digest["holds"] == true), "{dataset}: {checked:?}");
    }
}
