//! Archiving: files go elsewhere, answers stay; cut off at any step, with an archive that is gone, after a restore.

use super::*;
use crate::{ArchiveOptions, LakeOptions, MaintainOptions, UpkeepKind, relocate};

/// A lake whose files may go to the archive as soon as they are superseded.
async fn open(folder: &Path, archive: &Path) -> Lake {
    let archive = ArchiveOptions { folder: archive.to_path_buf(), after: Duration::ZERO };
    Lake::open_with(folder, LakeOptions { archive: Some(archive) }).await.unwrap()
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
    let (folder, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (lake, dataset) = resolved(folder.path(), archive.path()).await;
    let before = answers(&lake, 10).await;
    let plan = lake.plan_upkeep("prices", super::super::Extent::Archive).await.unwrap().unwrap();
    assert_eq!((plan.kind, plan.files), (UpkeepKind::Archive, 1));
    let files = run_files(&lake).await;
    let run = lake.archive("prices", CompactOptions::default()).await.unwrap().unwrap();
    assert_eq!((run.kind, run.files_before, run.files_after), (UpkeepKind::Archive, files as u64, files as u64));
    assert_eq!(run.rows_before, run.rows_after);
    assert_eq!(archived(archive.path()).len(), 1);
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
    assert_eq!(data_files(folder.path()) + archived(archive.path()).len(), run_files(&lake).await);
    assert!(archived(archive.path()).len() < 9, "archived files were taken in and have gone");
    assert_eq!(answers(&lake, 20).await, before);
    drop(lake);
    let lake = open(folder.path(), archive.path()).await;
    assert_eq!(answers(&lake, 20).await, before);
    assert_eq!(verified(&lake).await, 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn archiving_cut_off_at_any_step_leaves_the_old_state_or_the_new() {
    for step in [Step::PartWritten, Step::FilesWritten, Step::MetadataWritten, Step::Committed] {
        let (folder, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (lake, dataset) = resolved(folder.path(), archive.path()).await;
        let before = answers(&lake, 10).await;
        lake.archive("prices", with(Fault::CrashAt(step))).await.unwrap_err();
        drop(lake);
        let lake = open(folder.path(), archive.path()).await;
        assert_eq!(answers(&lake, 10).await, before, "{step:?}");
        let run = lake.archive("prices", CompactOptions::default()).await.unwrap();
        assert_eq!(run.is_none(), step == Step::Committed, "{step:?}");
        lake.expire("prices", everything_old(None)).await.unwrap().unwrap();
        assert_eq!(archived(archive.path()).len(), 1, "{step:?}: what was left behind is gone");
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
        std::fs::copy(&file.source, to).unwrap();
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
