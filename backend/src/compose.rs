//! The only place where adapters meet ports: opens what is kept, starts the pipeline, serves until told to stop.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use adapters::{EmbeddedStream, LakeSink, RocksDbState, S3Objects, SystemClock};
use axum::serve::ListenerExt as _;
use engine::{Pipeline, Progress, ports::Clock};
use lake::{Lake, LakeOptions, ObjectStore};
use query::{QueryEngine, QueryOptions};
use tokio::{net::TcpListener, runtime::Runtime};
use tracing::{debug, info, warn};

use crate::{
    api::{self, Access, ApiState},
    backup::{self, Backups},
    config::{ServeArguments, Settings},
    dashboards::{Dashboards, Sources},
    demo_runner,
    error::{Error, ErrorKind, Result},
    ingest::Ingest,
    live::{self, Live, Sampled},
    rescales::Rescales,
    savepoints::{self, Savepoints},
    semantics::SemanticLayer,
    site,
    system_tables::Tables,
    upkeep::{self, Upkeep},
};

/// What is kept and what runs on it.
pub struct Parts {
    /// The lake.
    pub lake: Lake,
    /// The embedded stream.
    pub stream: Arc<EmbeddedStream>,
    /// The timeline state.
    pub state: Arc<RocksDbState>,
    /// What the pipeline tells.
    pub progress: Arc<Progress>,
    /// How many slots the pipeline has, and had.
    pub rescales: Arc<Rescales>,
    /// What open pages hear.
    pub live: Arc<Live>,
    /// Keeps the lake quick and small.
    pub upkeep: Arc<Upkeep>,
    /// Takes backups of all this.
    pub backups: Arc<Backups>,
    /// Takes savepoints of the timeline state.
    pub savepoints: Arc<Savepoints>,
}

impl Parts {
    /// Opens what lies in the data folder, or makes it.
    pub async fn open(settings: &Settings) -> Result<Parts> {
        let data = &settings.data;
        std::fs::create_dir_all(data).map_err(|e| cannot_open(data, e))?;
        backup::restored_whole(data)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // RocksDB's lock comes first: it keeps a second process away from the whole folder.
        let stream = EmbeddedStream::open(&data.join(backup::STREAM), clock).map_err(|e| cannot_open(data, e))?;
        let held_bytes = settings.savepoints.automatic.stream_bytes;
        let stream = stream.keeping(settings.stream_kept_bytes).holding(held_bytes);
        savepoints::finish_restore(data)?;
        let state = RocksDbState::open(&data.join(backup::STATE), settings.state);
        let state = state.map_err(|e| cannot_open_state(data, settings.savepoints.place.as_deref(), e))?;
        let objects = object_store();
        let options = LakeOptions { archive: settings.archive.clone(), objects: Some(objects.clone()) };
        let lake = Lake::open_with(&data.join(backup::LAKE), options).await.map_err(|e| cannot_open(data, e))?;
        let live = Arc::new(Live::new(&lake).await?);
        let rescales = Rescales::open(&lake, settings.pipeline.slots, live.clone()).await?;
        let upkeep = Upkeep::new(&lake).await?;
        let (stream, state) = (Arc::new(stream), Arc::new(state));
        let backups = Backups::new(data, lake.clone(), stream.clone(), state.clone(), objects.clone())?;
        let of = savepoints::Parts {
            data: data.clone(),
            lake: lake.clone(),
            stream: stream.clone(),
            state: state.clone(),
            objects,
            scaling: rescales.scaling().clone(),
        };
        let savepoints = Savepoints::new(of, settings.savepoints.clone())?;
        Ok(Parts {
            lake,
            stream,
            state,
            progress: Arc::new(Progress::default()),
            rescales: Arc::new(rescales),
            live,
            upkeep: Arc::new(upkeep),
            backups: Arc::new(backups),
            savepoints: Arc::new(savepoints),
        })
    }

    /// The pipeline over these parts.
    pub fn pipeline(&self, settings: &Settings, runtime: tokio::runtime::Handle) -> Pipeline {
        let live = Arc::clone(&self.live);
        Pipeline {
            source: self.stream.clone(),
            state: self.state.clone(),
            sink: Arc::new(LakeSink::new(self.lake.clone(), runtime)),
            clock: Arc::new(SystemClock),
            options: settings.pipeline.clone(),
            scaling: Arc::clone(self.rescales.scaling()),
            progress: Arc::clone(&self.progress),
            on_commit: Box::new(move |record, datasets| live.committed(record, datasets)),
        }
    }

    /// The query engine over these parts.
    pub fn query_engine(&self, settings: &Settings) -> Result<QueryEngine> {
        let tables = Tables {
            live: self.live.clone(),
            stream: self.stream.clone(),
            lake: self.lake.clone(),
            upkeep: self.upkeep.clone(),
            rescales: self.rescales.clone(),
            savepoints: self.savepoints.clone(),
        };
        let options = QueryOptions { memory_limit_bytes: settings.query_memory_bytes, ..QueryOptions::default() };
        QueryEngine::new(self.lake.clone(), options, Arc::new(tables))
            .map_err(|e| Error::new(ErrorKind::Internal, "the query engine cannot be started").because(e))
    }
}

/// Access to buckets. Nothing is connected, nor looked for in the environment, before something is asked of one.
pub fn object_store() -> Arc<dyn ObjectStore> {
    Arc::new(S3Objects::default())
}

/// `tidemark serve`
pub fn serve(arguments: ServeArguments) -> Result<()> {
    start_log();
    let settings = Settings::load(arguments)?;
    let runtime = Runtime::new()?;
    runtime.block_on(serve_until_stopped(settings))
}

async fn serve_until_stopped(settings: Settings) -> Result<()> {
    let listener = TcpListener::bind(settings.listen).await.map_err(|e| {
        let message = format!("cannot listen on {}; choose another address with --listen", settings.listen);
        Error::new(ErrorKind::Io, message).because(e)
    })?;
    let address = listener.local_addr()?;
    let parts = Parts::open(&settings).await?;
    let ingest = Arc::new(Ingest::new(parts.lake.clone(), parts.stream.clone()));
    let query = Arc::new(parts.query_engine(&settings)?);
    let sources = Sources::load(settings.dashboards.as_deref())?;
    let semantics = Arc::new(SemanticLayer::new(parts.lake.clone(), query.clone(), ingest.clone()));
    semantics.load().await?;
    tokio::spawn(semantics.clone().follow(parts.live.clone()));
    let dashboards = Dashboards::new(sources, semantics.clone(), parts.lake.clone(), query.clone(), ingest.clone());
    let dashboards = Arc::new(dashboards);
    dashboards.load().await?;
    tokio::spawn(dashboards.clone().follow(parts.live.clone()));
    let api_state = ApiState {
        access: Arc::new(Access),
        lake: parts.lake.clone(),
        stream: parts.stream.clone(),
        state: parts.state.clone(),
        ingest: ingest.clone(),
        query,
        sql_writes: Arc::default(),
        live: parts.live.clone(),
        progress: parts.progress.clone(),
        rescales: parts.rescales.clone(),
        dashboards,
        semantics: semantics.clone(),
        upkeep: parts.upkeep.clone(),
        backups: parts.backups.clone(),
        savepoints: parts.savepoints.clone(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let pipeline = start_pipeline(&parts, &settings, &stop)?;
    let sampled = Sampled {
        lake: parts.lake.clone(),
        stream: parts.stream.clone(),
        state: parts.state.clone(),
        progress: parts.progress.clone(),
        scaling: parts.rescales.scaling().clone(),
    };
    tokio::spawn(live::sample_each_second(parts.live.clone(), sampled));
    if let Some(interval) = settings.upkeep_interval {
        tokio::spawn(upkeep::run(parts.upkeep.clone(), interval));
    }
    tokio::spawn(parts.savepoints.clone().run());
    tokio::spawn(savepoints::forget_old_state(settings.data.clone(), parts.progress.clone()));
    if let Some(options) = settings.demo.clone() {
        tokio::spawn(demo_runner::run(options, settings.data.clone(), parts.lake.clone(), ingest, semantics));
    }
    let router = site::router(&settings, address, api_state.clone()).merge(api::routes(api_state));
    eprintln!("Tidemark is at http://{address}/  (data in {}; stop with Ctrl-C)", settings.data.display());
    let (live, upkeep) = (parts.live.clone(), parts.upkeep.clone());
    let (backups, savepoints) = (parts.backups.clone(), parts.savepoints.clone());
    let closing = async move {
        stopped().await;
        upkeep.stop();
        backups.stop();
        savepoints.stop();
        live.close();
    };
    // An answer's last bytes must not wait until the client has acknowledged the first.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            debug!(%error, "a connection is answered with delay");
        }
    });
    let outcome = axum::serve(listener, router).with_graceful_shutdown(closing).await;
    info!("stopping: the running epoch is finished and the state made durable");
    stop.store(true, Ordering::Relaxed);
    tokio::task::spawn_blocking(move || pipeline.join()).await.ok();
    parts.upkeep.stopped().await;
    if let Err(error) = parts.rescales.all_kept().await {
        warn!(%error, "the last rescale is not kept as it ended");
    }
    outcome.map_err(Error::from)
}

fn start_pipeline(parts: &Parts, settings: &Settings, stop: &Arc<AtomicBool>) -> Result<JoinHandle<()>> {
    let pipeline = parts.pipeline(settings, tokio::runtime::Handle::current());
    let stop = Arc::clone(stop);
    let run = move || {
        // It has logged its error and says so on /readyz; records are still taken in meanwhile.
        let _ = pipeline.run(&stop);
    };
    Ok(std::thread::Builder::new().name("pipeline".to_owned()).spawn(run)?)
}

/// Returns at Ctrl-C or SIGTERM.
async fn stopped() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("TIDEMARK_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,engine=warn,engine::scaling=info"));
    // Already set in a test: fine.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// The stream is open by now, so no other process is in the way.
fn cannot_open_state(data: &Path, savepoints: Option<&Path>, source: engine::Error) -> Error {
    let place = savepoints.map(|place| format!(" --savepoints {}", place.display())).unwrap_or_default();
    let options = format!("--data {}{place}", data.display());
    let message = format!(
        "the timeline state in {} cannot be opened; restore a savepoint ('tidemark savepoint list {options}' shows those \
         there are, 'tidemark savepoint restore NAME {options}' restores one), or a backup; the lake and the records in \
         the stream are as they were",
        data.join(backup::STATE).display()
    );
    Error::new(ErrorKind::Io, message).because(source)
}

fn cannot_open(data: &Path, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    let message = format!("the data folder {} cannot be opened (is another Tidemark using it?)", data.display());
    Error::new(ErrorKind::Io, message).because(source)
}
