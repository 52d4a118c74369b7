//! Archiving: files go elsewhere, answers stay; cut off at any step, with an archive that is gone, after a restore.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::{
    ArchiveOptions, LakeOptions, LakeSource, MaintainOptions, ObjectContents, ObjectFound, ObjectStore, UpkeepKind,
    relocate,
};

/// Objects in memory.
#[derive(Debug, Default)]
struct Objects {
    held: Mutex<BTreeMap<String, Bytes>>,
    gone: AtomicBool,
    ranges: AtomicUsize,
}

impl Objects {
    fn held(&self) -> Result<std::sync::MutexGuard<'_, BTreeMap<String, Bytes>>> {
        match self.gone.load(Ordering::Relaxed) {
            true => Err(Error::new(ErrorKind::Unreachable, "the bucket test cannot be reached")),
            false => Ok(self.held.lock().unwrap()),
        }
    }
}

fn found((location, bytes): (&String, &Bytes)) -> ObjectFound {
    ObjectFound { location: location.clone(), bytes: bytes.len() as u64, written_secs: 0 }
}

impl ObjectStore for Objects {
    fn put(&self, location: &str, contents: ObjectContents, new: bool) -> Result<()> {
        let bytes = match contents {
            ObjectContents::Bytes(bytes) => bytes,
            ObjectContents::File(path) => Bytes::from(std::fs::read(path).unwrap()),
        };
        let replaced = self.held()?.insert(location.to_owned(), bytes);
        assert!(replaced.is_none() || !new, "{location}");
        Ok(())
    }

    fn get(&self, location: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        self.ranges.fetch_add(usize::from(range.is_some()), Ordering::Relaxed);
        let part = |bytes: &Bytes| match range {
            Some(range) => bytes.slice(range.start as usize..range.end as usize),
            None => bytes.clone(),
        };
        Ok(self.held()?.get(location).map(part))
    }

    fn find(&self, location: &str) -> Result<Option<ObjectFound>> {
        Ok(self.held()?.get_key_value(location).map(found))
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectFound>> {
        Ok(self.held()?.iter().filter(|(location, _)| location.starts_with(prefix)).map(found).collect())
    }

    fn delete(&self, location: &str) -> Result<()> {
        self.held()?.remove(location);
        Ok(())
    }
}

/// An archive: a folder, or a bucket in memory.
struct Place {
    folder: TempDir,
    objects: Arc<Objects>,
    root: PathBuf,
}

impl Place {
    fn folder() -> Place {
        let folder = tempfile::tempdir().unwrap();
        Place { root: folder.path().to_path_buf(), folder, objects: Arc::default() }
    }

    fn bucket() -> Place {
        Place { root: PathBuf::from("s3://test/archive"), ..Place::folder() }
    }

    /// What is in it, by name.
    fn archived(&self) -> Vec<String> {
        let objects = self.objects.held.lock().unwrap();
        [objects.keys().cloned().collect(), archived(self.folder.path())].concat()
    }

    async fn open(&self, folder: &Path) -> Lake {
        let archive = ArchiveOptions { folder: self.root.clone(), after: Duration::ZERO };
        let objects: Arc<dyn ObjectStore> = self.objects.clone();
        Lake::open_with(folder, LakeOptions { archive: Some(archive), objects: Some(objects) }).await.unwrap()
    }

    async fn resolved(&self, folder: &Path) -> (Lake, Arc<Dataset>) {
        let (lake, dataset) = filled(folder).await;
        drop(lake);
        let lake = self.open(folder).await;
        lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
        (lake, dataset)
    }
}

/// A lake whose files may go to the archive as soon as they are superseded.
async fn open(folder: &Path, archive: &Path) -> Lake {
    let archive = ArchiveOptions { folder: archive.to_path_buf(), after: Duration::ZERO };
    Lake::open_with(folder, LakeOptions { archive: Some(archive), ..LakeOptions::default() }).await.unwrap()
}

/// Ten epochs, resolved: some rows are superseded.
async fn resolved(folder: &Path, archive: &Path) -> (Lake, Arc<Dataset>) {
    let (lake, dataset) = filled(folder).await;
    drop(lake);
    let lake = open(folder, archive).await;
    lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
    (lake, dataset)
}

/// The files of a lake's archive, by name.
fn archived(archive: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![archive.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => names.push(entry.file_name().into_string().unwrap()),
            }
        }
    }
    names.sort();
    names
}

async fn verified(lake: &Lake) -> usize {
    let verified = lake.verify_upkeep("prices").await.unwrap();
    assert!(verified.iter().all(super::super::Verified::holds), "{verified:?}");
    verified.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_files_answer_and_are_verified_and_taken_in_again() {
    for archive in [Place::folder(), Place::bucket()] {
        archived_and_taken_in_again(&archive).await;
    }
}

async fn archived_and_taken_in_again(archive: &Place) {
    let folder = tempfile::tempdir().unwrap();
    let (lake, dataset) = archive.resolved(folder.path()).await;
    let before = answers(&lake, 10).await;
    let plan = lake.plan_upkeep("prices", super::super::Extent::Archive).await.unwrap().unwrap();
    assert_eq!((plan.kind, plan.files), (UpkeepKind::Archive, 1));
    let files = run_files(&lake).await;
    let run = lake.archive("prices", CompactOptions::default()).await.unwrap().unwrap();
    assert_eq!((run.kind, run.files_before, run.files_after), (UpkeepKind::Archive, files as u64, files as u64));
    assert_eq!(run.rows_before, run.rows_after);
    assert_eq!(archive.archived().len(), 1);
    assert_eq!(answers(&lake, 10).await, before);
    assert_eq!(verified(&lake).await, 1);
    assert!(lake.archive("prices", CompactOptions::default()).await.unwrap().is_none(), "it is archived");
    lake.expire("prices", everything_old(None)).await.unwrap().unwrap();
    assert_eq!((data_files(folder.path()) + 1, run_files(&lake).await), (files, files), "the old file is gone");
    assert_eq!(answers(&lake, 10).await, before);

    // Small superseded files are put together, archived ones with the others.
    for epoch in 11..=20 {
        append(&lake, &dataset, epoch).await;
        lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
        lake.archive("prices", CompactOptions::default()).await.unwrap();
    }
    let before = answers(&lake, 20).await;
    assert_eq!(verified(&lake).await, 11);
    lake.expire("prices", everything_old(None)).await.unwrap().unwrap();
    assert_eq!(data_files(folder.path()) + archive.archived().len(), run_files(&lake).await);
    assert!(archive.archived().len() < 9, "archived files were taken in and have gone");
    assert_eq!(answers(&lake, 20).await, before);
    drop(lake);
    let lake = archive.open(folder.path()).await;
    assert_eq!(answers(&lake, 20).await, before);
    assert_eq!(verified(&lake).await, 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn archiving_cut_off_at_any_step_leaves_the_old_state_or_the_new() {
    let steps = [Step::PartWritten, Step::FilesWritten, Step::MetadataWritten, Step::Committed];
    for (step, archive) in steps.into_iter().flat_map(|step| [(step, Place::folder()), (step, Place::bucket())]) {
        let folder = tempfile::tempdir().unwrap();
        let (lake, dataset) = archive.resolved(folder.path()).await;
        let before = answers(&lake, 10).await;
        lake.archive("prices", with(Fault::CrashAt(step))).await.unwrap_err();
        drop(lake);
        let lake = archive.open(folder.path()).await;
        assert_eq!(answers(&lake, 10).await, before, "{step:?}");
        let run = lake.archive("prices", CompactOptions::default()).await.unwrap();
        assert_eq!(run.is_none(), step == Step::Committed, "{step:?}");
        lake.expire("prices", everything_old(None)).await.unwrap().unwrap();
        assert_eq!(archive.archived().len(), 1, "{step:?}: what was left behind is gone");
        assert_eq!(data_files(folder.path()) + 1, run_files(&lake).await, "{step:?}");
        assert_eq!(answers(&lake, 10).await, before, "{step:?}");
        assert_eq!(verified(&lake).await, 1, "{step:?}");
        append(&lake, &dataset, 11).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_not_what_was_copied_is_found() {
    let (folder, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (lake, _) = resolved(folder.path(), archive.path()).await;
    let before = answers(&lake, 10).await;
    let error = lake.archive("prices", with(Fault::CopySpoilt)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProofFailed, "{error}");
    assert!(archived(archive.path()).is_empty());
    assert_eq!(answers(&lake, 10).await, before);
    assert!(lake.upkeep_runs(Some("prices"), 1).await.unwrap()[0].error.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_gone_is_named_and_missed_only_where_it_is_needed() {
    let (folder, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let archive = place.path().join("archive");
    let (lake, dataset) = resolved(folder.path(), &archive).await;
    let error = lake.archive("prices", CompactOptions::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.retryable()), (ErrorKind::Unreachable, true), "it is not made");
    assert!(error.message().contains(archive.to_str().unwrap()), "{error}");
    std::fs::create_dir(&archive).unwrap();
    lake.archive("prices", CompactOptions::default()).await.unwrap().unwrap();
    let before = answers(&lake, 10).await;
    drop(lake);
    std::fs::rename(&archive, place.path().join("elsewhere")).unwrap();
    std::fs::create_dir(&archive).unwrap();
    let lake = open(folder.path(), &archive).await;
    append(&lake, &dataset, 11).await;
    let known_still = ScanRequest {
        columns: vec!["key".to_owned()],
        system_to_after: Some(START + 11_000_000),
        ..ScanRequest::default()
    };
    let read = async |request| {
        let table = lake.snapshot(None).await.unwrap().table("prices").unwrap();
        table.scan(request).unwrap().try_collect::<Vec<RecordBatch>>().await
    };
    assert!(!read(known_still.clone()).await.unwrap().is_empty(), "what is known now needs no archive");
    let error = read(ScanRequest { system_to_after: None, ..known_still }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(error.message().contains(archive.to_str().unwrap()), "{error}");
    // Nothing is written where the archive's disk belongs, and nothing is taken for an orphan.
    lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
    let error = lake.archive("prices", CompactOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    lake.expire("prices", everything_old(None)).await.unwrap();
    assert!(archived(&archive).is_empty());
    // Files are put together for their size without those that are out of reach.
    for epoch in 12..=22 {
        append(&lake, &dataset, epoch).await;
        lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
    }
    let options = MaintainOptions { expire_every: Duration::ZERO, expiry: everything_old(None), ..Default::default() };
    let run = lake.maintain("prices", options).await.unwrap().unwrap();
    assert_eq!(run.kind, UpkeepKind::Expiry, "what can be done is done first");
    std::fs::remove_dir(&archive).unwrap();
    std::fs::rename(place.path().join("elsewhere"), &archive).unwrap();
    assert_eq!(answers(&lake, 10).await, before);
    assert_eq!(verified(&lake).await, 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_needs_no_archive_and_leaves_that_of_the_first_alone() {
    let (folder, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (lake, dataset) = resolved(folder.path(), archive.path()).await;
    lake.archive("prices", CompactOptions::default()).await.unwrap().unwrap();
    let (before, copy) = (answers(&lake, 10).await, tempfile::tempdir().unwrap());
    let scratch = tempfile::tempdir_in(folder.path()).unwrap();
    let (moment, ()) = lake.hold_still(&scratch.path().join("held"), || ()).await.unwrap();
    for file in moment.files().await.unwrap() {
        let to = copy.path().join(&file.place);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        let LakeSource::File(source) = &file.source else { panic!("{file:?}") };
        std::fs::copy(source, to).unwrap();
    }
    drop(moment);
    relocate(copy.path()).await.unwrap();
    let restored = open(copy.path(), archive.path()).await;
    assert_eq!(data_files(copy.path()), run_files(&restored).await);
    let digests = restored.shared.catalog.file_digests().await.unwrap();
    assert!(
        digests.keys().all(|location| crate::files::path_of(location).starts_with(copy.path().canonicalize().unwrap()))
    );
    restored.expire("prices", everything_old(None)).await.unwrap();
    assert_eq!(archived(archive.path()).len(), 1, "it is the first lake's");
    assert_eq!(answers(&restored, 10).await, before);
    restored.archive("prices", CompactOptions::default()).await.unwrap().unwrap();
    append(&restored, &dataset, 11).await;
    lake.expire("prices", everything_old(None)).await.unwrap();
    assert_eq!(archived(archive.path()).len(), 2, "each has a folder of its own");
    assert_eq!(answers(&restored, 10).await, before);
    assert_eq!(verified(&restored).await, 1);
    assert_eq!(answers(&lake, 10).await, before);
}

/// Many rows of a few keys, with values that cannot be made small.
fn many_rows(epoch: i64) -> RecordBatch {
    let rows = 0..4_000_i64;
    let system_time = START + epoch * 1_000_000;
    let times = |values: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(values.into_iter().collect::<TimestampMicrosecondArray>().with_data_type(timestamp_type()))
    };
    let lot = |row: i64| (row + epoch * 4_001).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.clone().map(|row| format!("key-{}", row % 50)))),
        Arc::new(Int64Array::from_iter_values(rows.clone().map(lot))),
        times(rows.clone().map(|row| Some(row / 50)).collect()),
        times(rows.clone().map(|row| Some(row / 50 + 1)).collect()),
        times(rows.clone().map(|_| Some(system_time)).collect()),
        times(rows.clone().map(|_| None).collect()),
        Arc::new(StringArray::from_iter_values(rows.map(|_| "put"))),
    ];
    RecordBatch::try_new(assertion_schema(&definition()), columns).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_in_a_bucket_is_read_in_ranges_and_missed_only_where_it_is_needed() {
    let (folder, archive) = (tempfile::tempdir().unwrap(), Place::bucket());
    let lake = archive.open(folder.path()).await;
    let dataset = lake.define_dataset("prices", &definition()).await.unwrap().dataset().clone();
    for epoch in 1..=15 {
        append_rows(&lake, &dataset, epoch, &many_rows(epoch as i64)).await;
    }
    lake.compact("prices", CompactOptions::default()).await.unwrap().unwrap();
    let before = answers(&lake, 15).await;
    lake.archive("prices", CompactOptions::default()).await.unwrap().unwrap();
    let largest = archive.objects.held.lock().unwrap().values().map(Bytes::len).max();
    assert!(largest > Some(256 << 10), "{largest:?}");
    let before_reading = archive.objects.ranges.load(Ordering::Relaxed);
    assert_eq!(answers(&lake, 15).await, before);
    assert!(archive.objects.ranges.load(Ordering::Relaxed) >= before_reading + 2, "footer and columns");
    assert_eq!(verified(&lake).await, 1);

    drop(lake);
    let lake = archive.open(folder.path()).await;
    archive.objects.gone.store(true, Ordering::Relaxed);
    let request =
        |system_to_after| ScanRequest { columns: vec!["value".to_owned()], system_to_after, ..ScanRequest::default() };
    let read = async |request| {
        let table = lake.snapshot(None).await.unwrap().table("prices").unwrap();
        table.scan(request).unwrap().try_collect::<Vec<RecordBatch>>().await
    };
    let known = read(request(Some(START + 15_000_000))).await.unwrap();
    assert_eq!(known.iter().map(RecordBatch::num_rows).sum::<usize>(), 4_000);
    assert_eq!(read(request(None)).await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(lake.verify_upkeep("prices").await.unwrap_err().kind(), ErrorKind::Unreachable);
    lake.expire("prices", everything_old(None)).await.unwrap();
    archive.objects.gone.store(false, Ordering::Relaxed);
    assert_eq!(answers(&lake, 15).await, before);
}
