//! Settings: command line over environment over file over defaults.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use engine::{PipelineOptions, ports::EpochLimits};
use lake::ArchiveOptions;
use serde::Deserialize;

use crate::{
    demo::DemoOptions,
    error::{Error, ErrorKind, Result},
    savepoints::{SavepointOptions, Written},
    store::bucket_place,
};

/// Memory of all queries together unless the settings say otherwise.
const QUERY_MEMORY_BYTES: usize = 2 << 30;
/// How often upkeep looks whether something is due unless the settings say otherwise.
const STREAM_KEPT_BYTES: u64 = 256 << 20;
const UPKEEP_INTERVAL_SECS: u64 = 10;
const UPKEEP_INTERVAL_SECS_MAX: u64 = 86_400;
/// A hundred years.
const ARCHIVE_AFTER_DAYS_MAX: u32 = 36_525;
const STATE_TTL_DAYS_MAX: u32 = 36_525;
/// Below these RocksDB gains nothing and works without end.
const STATE_BLOCK_CACHE_BYTES_MIN: usize = 1 << 20;
const STATE_WRITE_BUFFER_BYTES_MIN: usize = 4 << 20;
const DAY: Duration = Duration::from_secs(86_400);

/// Arguments of `tidemark serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArguments {
    /// Settings file (TOML).
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Folder of everything that is kept. Default: .tidemark
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Address to listen on; a loopback address. Default: 127.0.0.1:3000
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// Folder of the built pages. Default: target/site
    #[arg(long, env = "TIDEMARK_SITE")]
    pub site: Option<PathBuf>,
    /// Folder of the style sheets. Default: style
    #[arg(long, env = "TIDEMARK_STYLE")]
    pub style: Option<PathBuf>,
    /// Folder of further dashboards, one definition in JSON a file. Default: none
    #[arg(long, env = "TIDEMARK_DASHBOARDS")]
    pub dashboards: Option<PathBuf>,
    /// Parallel workers of the pipeline. Default: 2
    #[arg(long)]
    pub slots: Option<u16>,
    /// Compact and merge files only when told to by `tidemark maintain` or the API.
    #[arg(long)]
    pub no_upkeep: bool,
    /// Folder or s3://bucket/prefix to which files of what has been known no longer for long are moved. It has to be
    /// there. Default: they stay.
    #[arg(long, env = "TIDEMARK_ARCHIVE")]
    pub archive: Option<PathBuf>,
    /// Days after which they are moved there.
    #[arg(long, env = "TIDEMARK_ARCHIVE_AFTER_DAYS")]
    pub archive_after_days: Option<u32>,
    /// Days after which what ended in valid time goes from the timeline state; a late event has it fetched back from the
    /// lake. Default: nothing goes.
    #[arg(long, env = "TIDEMARK_STATE_TTL_DAYS")]
    pub state_ttl_days: Option<u32>,
    /// Folder or s3://bucket/prefix for savepoints of the timeline state. Default: a folder in the data folder
    #[arg(long, env = "TIDEMARK_SAVEPOINTS")]
    pub savepoints: Option<PathBuf>,
    /// Run the demo feed: a simulated market with a history of corrections, then live.
    #[arg(long)]
    pub demo: bool,
    /// Seed of the demo.
    #[arg(long, default_value_t = 7)]
    pub demo_seed: u64,
    /// Days of history the demo starts with.
    #[arg(long, default_value_t = 400)]
    pub demo_history_days: u32,
    /// Live records per second of the demo; 0 stops after the history.
    #[arg(long, default_value_t = 40)]
    pub demo_rate: u32,
}

/// The settings file. Unknown names are refused, so that a typing error is found.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    data: Option<PathBuf>,
    listen: Option<SocketAddr>,
    site: Option<PathBuf>,
    style: Option<PathBuf>,
    dashboards: Option<PathBuf>,
    slots: Option<u16>,
    small_epoch_records: Option<u64>,
    epoch_interval_ms: Option<u64>,
    epoch_max_records: Option<u64>,
    epoch_max_bytes: Option<u64>,
    checkpoint_interval_secs: Option<u64>,
    checkpoint_max_records: Option<u64>,
    stream_kept_bytes: Option<u64>,
    state_block_cache_bytes: Option<usize>,
    state_write_buffer_bytes: Option<usize>,
    state_ttl_days: Option<u32>,
    query_memory_bytes: Option<usize>,
    upkeep: Option<bool>,
    upkeep_interval_secs: Option<u64>,
    archive: Option<PathBuf>,
    archive_after_days: Option<u32>,
    savepoints: Option<PathBuf>,
    savepoint_interval_secs: Option<u64>,
    savepoints_kept: Option<u32>,
    savepoints_kept_days: Option<u32>,
    savepoint_stream_bytes: Option<u64>,
}

/// What a server runs with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of everything that is kept.
    pub data: PathBuf,
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Folder of the built pages.
    pub site: PathBuf,
    /// Folder of the style sheets.
    pub style: PathBuf,
    /// Folder of further dashboards.
    pub dashboards: Option<PathBuf>,
    /// How the pipeline runs.
    pub pipeline: PipelineOptions,
    /// Memory of the state.
    pub state: adapters::StateOptions,
    /// Memory of all queries together, in bytes. Default 2 GiB.
    pub query_memory_bytes: usize,
    /// How often upkeep looks whether something is due. Default 10 s; none where it does nothing by itself.
    pub upkeep_interval: Option<Duration>,
    /// Bytes of committed records that the stream keeps, the newest.
    pub stream_kept_bytes: u64,
    /// Where files of what is known no longer go, and when. Default: they stay.
    pub archive: Option<ArchiveOptions>,
    /// Where savepoints are and which are taken by themselves.
    pub savepoints: SavepointOptions,
    /// The demo feed, if wanted.
    pub demo: Option<DemoOptions>,
}

impl Settings {
    /// The defaults, for a data folder.
    pub fn for_folder(data: PathBuf) -> Settings {
        Settings {
            data,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            site: PathBuf::from("target/site"),
            style: PathBuf::from("style"),
            dashboards: None,
            pipeline: PipelineOptions::default(),
            state: adapters::StateOptions::default(),
            query_memory_bytes: QUERY_MEMORY_BYTES,
            upkeep_interval: Some(Duration::from_secs(UPKEEP_INTERVAL_SECS)),
            stream_kept_bytes: STREAM_KEPT_BYTES,
            archive: None,
            savepoints: SavepointOptions::default(),
            demo: None,
        }
    }

    /// Puts the settings together and checks them.
    pub fn load(arguments: ServeArguments) -> Result<Settings> {
        let file = match &arguments.config {
            Some(path) => read_file(path)?,
            None => SettingsFile::default(),
        };
        let defaults = PipelineOptions::default();
        let listen = arguments.listen.or(file.listen).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 3000)));
        if !listen.ip().is_loopback() {
            let message = format!(
                "will not listen on {listen}: there is no sign-in yet, so only this machine may ask; use a loopback address such as 127.0.0.1:3000"
            );
            return Err(Error::new(ErrorKind::BadRequest, message));
        }
        let data = arguments.data.clone().or(file.data.clone()).unwrap_or_else(|| PathBuf::from(".tidemark"));
        let slots = arguments.slots.or(file.slots).unwrap_or(defaults.slots);
        if !(1..=model::KEY_GROUPS).contains(&slots) {
            let message = format!(
                "{slots} slots cannot be: there are {} key groups to share, so 1 to {} slots",
                model::KEY_GROUPS,
                model::KEY_GROUPS
            );
            return Err(Error::new(ErrorKind::BadRequest, message));
        }
        let upkeep_interval = upkeep_interval(&arguments, &file)?;
        let state_ttl = state_ttl(arguments.state_ttl_days.or(file.state_ttl_days))?;
        let state = state_options(&file)?;
        let archive = archive(
            arguments.archive.clone().or(file.archive.clone()),
            arguments.archive_after_days.or(file.archive_after_days),
            &data,
        )?;
        let savepoints = SavepointOptions::of(Written {
            place: arguments.savepoints.clone().or(file.savepoints.clone()),
            interval_secs: file.savepoint_interval_secs,
            kept: file.savepoints_kept,
            kept_days: file.savepoints_kept_days,
            stream_bytes: file.savepoint_stream_bytes,
        })?;
        let demo = arguments.demo.then_some(DemoOptions {
            seed: arguments.demo_seed,
            history_days: arguments.demo_history_days,
            events_per_second: arguments.demo_rate,
            malformed: true,
        });
        Ok(Settings {
            data,
            listen,
            site: arguments.site.or(file.site).unwrap_or_else(|| PathBuf::from("target/site")),
            style: arguments.style.or(file.style).unwrap_or_else(|| PathBuf::from("style")),
            dashboards: arguments.dashboards.or(file.dashboards),
            pipeline: PipelineOptions {
                slots,
                small_epoch_records: file.small_epoch_records.unwrap_or(defaults.small_epoch_records),
                epoch_interval: file.epoch_interval_ms.map_or(defaults.epoch_interval, Duration::from_millis),
                limits: EpochLimits {
                    max_records: file.epoch_max_records.unwrap_or(defaults.limits.max_records),
                    max_bytes: file.epoch_max_bytes.unwrap_or(defaults.limits.max_bytes),
                },
                checkpoint_interval: file
                    .checkpoint_interval_secs
                    .map_or(defaults.checkpoint_interval, Duration::from_secs),
                checkpoint_max_records: checkpoint_max_records(file.checkpoint_max_records)?
                    .unwrap_or(defaults.checkpoint_max_records),
                state_ttl,
                ..defaults
            },
            state,
            query_memory_bytes: file.query_memory_bytes.unwrap_or(QUERY_MEMORY_BYTES),
            upkeep_interval,
            stream_kept_bytes: file.stream_kept_bytes.unwrap_or(STREAM_KEPT_BYTES),
            archive,
            savepoints,
            demo,
        })
    }
}

fn checkpoint_max_records(given: Option<u64>) -> Result<Option<u64>> {
    match given {
        Some(0) => {
            let message = "checkpoint_max_records = 0 cannot be; it is 1 or more";
            Err(Error::new(ErrorKind::BadRequest, message))
        }
        given => Ok(given),
    }
}

fn upkeep_interval(arguments: &ServeArguments, file: &SettingsFile) -> Result<Option<Duration>> {
    let seconds = file.upkeep_interval_secs.unwrap_or(UPKEEP_INTERVAL_SECS);
    if !(1..=UPKEEP_INTERVAL_SECS_MAX).contains(&seconds) {
        let message = format!(
            "upkeep_interval_secs = {seconds} cannot be; it is 1 to {UPKEEP_INTERVAL_SECS_MAX}, and upkeep = false does without"
        );
        return Err(Error::new(ErrorKind::BadRequest, message));
    }
    let wanted = !arguments.no_upkeep && file.upkeep.unwrap_or(true);
    Ok(wanted.then_some(Duration::from_secs(seconds)))
}

fn state_ttl(days: Option<u32>) -> Result<Option<Duration>> {
    match days {
        Some(days) if !(1..=STATE_TTL_DAYS_MAX).contains(&days) => {
            let message = format!(
                "state_ttl_days = {days} cannot be; it is 1 to {STATE_TTL_DAYS_MAX}, and without it nothing goes from the state"
            );
            Err(Error::new(ErrorKind::BadRequest, message))
        }
        days => Ok(days.map(|days| DAY * days)),
    }
}

fn state_options(file: &SettingsFile) -> Result<adapters::StateOptions> {
    let defaults = adapters::StateOptions::default();
    let options = adapters::StateOptions {
        block_cache_bytes: file.state_block_cache_bytes.unwrap_or(defaults.block_cache_bytes),
        write_buffer_bytes: file.state_write_buffer_bytes.unwrap_or(defaults.write_buffer_bytes),
    };
    for (name, bytes, least) in [
        ("state_block_cache_bytes", options.block_cache_bytes, STATE_BLOCK_CACHE_BYTES_MIN),
        ("state_write_buffer_bytes", options.write_buffer_bytes, STATE_WRITE_BUFFER_BYTES_MIN),
    ] {
        if bytes < least {
            let message = format!("{name} = {bytes} is too little; it is at least {least}");
            return Err(Error::new(ErrorKind::BadRequest, message));
        }
    }
    Ok(options)
}

fn archive(folder: Option<PathBuf>, after_days: Option<u32>, data: &Path) -> Result<Option<ArchiveOptions>> {
    let refused = |message: String| Err(Error::new(ErrorKind::BadRequest, message));
    let (folder, days) = match (folder, after_days) {
        (None, None) => return Ok(None),
        (Some(folder), Some(days)) => (folder, days),
        (Some(_), None) => {
            return refused("archive needs archive_after_days, the days after which files are moved there".to_owned());
        }
        (None, Some(_)) => {
            return refused("archive_after_days needs archive, the folder files are moved to".to_owned());
        }
    };
    if days > ARCHIVE_AFTER_DAYS_MAX {
        return refused(format!("archive_after_days = {days} cannot be; it is 0 to {ARCHIVE_AFTER_DAYS_MAX}"));
    }
    if let Some(bucket) = bucket_place(&folder)? {
        return Ok(Some(ArchiveOptions { folder: PathBuf::from(bucket), after: DAY * days }));
    }
    if !folder.is_absolute() {
        let message =
            format!("the archive {} has to be an absolute folder, or like s3://bucket/prefix", folder.display());
        return refused(message);
    }
    let real = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    if real(&folder)?.starts_with(real(data)?) {
        let message = format!(
            "the archive {} is inside the data folder {}; choose a folder elsewhere",
            folder.display(),
            data.display()
        );
        return refused(message);
    }
    Ok(Some(ArchiveOptions { folder, after: DAY * days }))
}

fn read_file(path: &Path) -> Result<SettingsFile> {
    let about = |what: &str| format!("the settings file {} {what}", path.display());
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::new(ErrorKind::BadRequest, about("cannot be read")).because(e))?;
    toml::from_str(&text).map_err(|e| Error::new(ErrorKind::BadRequest, about("is not right")).because(e))
}
