//! Settings of savepoints.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::fit::Automatic;
use crate::{
    error::{Error, ErrorKind, Result},
    store::bucket_place,
};

/// Folder in the data folder where savepoints are unless the settings say otherwise.
pub const FOLDER: &str = "savepoints";
const INTERVAL_SECS: u64 = 600;
const INTERVAL_SECS_MAX: u64 = 86_400 * 31;
const KEPT: u32 = 3;
const KEPT_MAX: u32 = 1_000;
const KEPT_DAYS_MAX: u32 = 36_525;
const STREAM_BYTES: u64 = 4 << 30;
const DAY: Duration = Duration::from_secs(86_400);

/// Where savepoints are, and what is done by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavepointOptions {
    /// An absolute folder, or `s3://bucket/prefix`; `None` for a folder in the data folder.
    pub place: Option<PathBuf>,
    /// Whether savepoints are taken by themselves. Default true.
    pub by_itself: bool,
    /// How these are taken and kept. Default: every 600 s, the newest 3, of any age, 4 GiB of records.
    pub automatic: Automatic,
}

impl Default for SavepointOptions {
    fn default() -> SavepointOptions {
        let automatic = Automatic {
            interval: Duration::from_secs(INTERVAL_SECS),
            kept: KEPT as usize,
            kept_for: None,
            stream_bytes: STREAM_BYTES,
        };
        SavepointOptions { place: None, by_itself: true, automatic }
    }
}

/// The settings as they were written.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// `savepoints`
    pub place: Option<PathBuf>,
    /// `savepoint_interval_secs`
    pub interval_secs: Option<u64>,
    /// `savepoints_kept`
    pub kept: Option<u32>,
    /// `savepoints_kept_days`
    pub kept_days: Option<u32>,
    /// `savepoint_stream_bytes`
    pub stream_bytes: Option<u64>,
}

impl SavepointOptions {
    /// Checks the settings and adds defaults.
    pub fn of(written: Written) -> Result<SavepointOptions> {
        let refused = |message: String| Err(Error::new(ErrorKind::BadRequest, message));
        let interval_secs = written.interval_secs.unwrap_or(INTERVAL_SECS);
        if interval_secs > INTERVAL_SECS_MAX {
            return refused(format!(
                "savepoint_interval_secs = {interval_secs} cannot be; it is 1 to {INTERVAL_SECS_MAX}, or 0 to take none \
                 but those asked for"
            ));
        }
        let kept = written.kept.unwrap_or(KEPT);
        if !(1..=KEPT_MAX).contains(&kept) {
            return refused(format!("savepoints_kept = {kept} cannot be; it is 1 to {KEPT_MAX}"));
        }
        if let Some(days) = written.kept_days
            && !(1..=KEPT_DAYS_MAX).contains(&days)
        {
            return refused(format!("savepoints_kept_days = {days} cannot be; it is 1 to {KEPT_DAYS_MAX}"));
        }
        let place = written.place.as_deref().map(checked_place).transpose()?;
        let automatic = Automatic {
            interval: Duration::from_secs(interval_secs.max(1)),
            kept: kept as usize,
            kept_for: written.kept_days.map(|days| DAY * days),
            stream_bytes: written.stream_bytes.unwrap_or(STREAM_BYTES),
        };
        Ok(SavepointOptions { place, by_itself: interval_secs > 0, automatic })
    }

    /// Where savepoints of a data folder are.
    pub fn place(&self, data: &Path) -> PathBuf {
        self.place.clone().unwrap_or_else(|| data.join(FOLDER))
    }
}

fn checked_place(place: &Path) -> Result<PathBuf> {
    if let Some(bucket) = bucket_place(place)? {
        return Ok(PathBuf::from(bucket));
    }
    if !place.is_absolute() {
        let message =
            format!("savepoints = {} has to be an absolute folder, or like s3://bucket/prefix", place.display());
        return Err(Error::new(ErrorKind::BadRequest, message));
    }
    Ok(place.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_and_zero_takes_none() {
        assert_eq!(SavepointOptions::of(Written::default()).unwrap(), SavepointOptions::default());
        let none = SavepointOptions::of(Written { interval_secs: Some(0), ..Written::default() }).unwrap();
        assert!(!none.by_itself);
        for wrong in [
            Written { interval_secs: Some(u64::MAX), ..Written::default() },
            Written { kept: Some(0), ..Written::default() },
            Written { kept_days: Some(0), ..Written::default() },
            Written { place: Some(PathBuf::from("elsewhere")), ..Written::default() },
        ] {
            assert!(SavepointOptions::of(wrong.clone()).is_err(), "{wrong:?}");
        }
        let place = |text: &str| Written { place: Some(PathBuf::from(text)), ..Written::default() };
        let options = SavepointOptions::of(place("s3://bucket/savepoints/")).unwrap();
        assert_eq!(options.place(Path::new("/data")), Path::new("s3://bucket/savepoints"));
        assert_eq!(SavepointOptions::default().place(Path::new("/data")), Path::new("/data/savepoints"));
    }
}
