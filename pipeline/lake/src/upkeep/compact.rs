//! Compaction and merging, from a moment of a table to the files that take the place of others.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant as Stopwatch,
};

use arrow::datatypes::SchemaRef;
use model::{EpochRecord, Instant};
use uuid::Uuid;

use super::{
    archive,
    digest::PlaneDigest,
    partitions::{Input, Survey, read},
    plan::{FileFacts, FileKind},
    policy::UpkeepJob,
    progress::Progress,
    replace::{Replacement, replace},
    rows::{Class, Classes, Columns, ExactRows, add_exact, digest_of_rows},
    runs::{FileDigest, UpkeepKind, UpkeepRun},
    time_tree::TimeTree,
};
use crate::{
    AssertionWriter, Dataset, Error, ErrorKind, Lake, Result, StagedFile, files,
    lake::{State, TableState},
    layout::{TableFolders, whole_schema},
    objects::DataFiles,
    writer::{FileShape, Staging},
};

/// Rows that a leaf of a time tree should have.
const ROWS_PER_LEAF: u64 = 1 << 19;
/// Leaves at most, for each of them has a file open while rows are written.
const LEAVES: u64 = 32;

/// How to carry out a piece of upkeep. The default is right; the rest is for tests.
#[derive(Debug, Clone, Default)]
pub struct CompactOptions {
    /// Rows that a file should have, where not about half a million: smaller to see many files with few rows.
    pub rows_per_file: Option<u64>,
    #[cfg(test)]
    pub(crate) fault: Option<super::tests::Fault>,
}

/// What was written in place of the input.
struct Written {
    files: Vec<StagedFile>,
    digests: Vec<FileDigest>,
    /// Of the rows that were read.
    digest_before: PlaneDigest,
    /// Of the rows that were written, read back from disk.
    digest_after: PlaneDigest,
}

/// The blocking part of the work: all it needs, and nothing shared.
struct Work {
    kind: UpkeepKind,
    input: Input,
    columns: Columns,
    data_folder: PathBuf,
    scratch: PathBuf,
    staging: Staging,
    progress: Arc<Progress>,
    options: CompactOptions,
}

/// Carries out a job on a moment of a table, and keeps what came of it.
pub(crate) async fn run(
    lake: &Lake,
    state: &State,
    table: &TableState,
    files: &[FileFacts],
    job: UpkeepJob,
    options: &CompactOptions,
) -> Result<UpkeepRun> {
    let watch = Stopwatch::now();
    let mut run = begun(table, state.head.as_ref(), files, &job);
    let outcome = match job.kind {
        UpkeepKind::Archive => archive::attempt(lake, table, files, &job, options, &mut run, watch).await,
        _ => attempt(lake, table, files, &job, options, &mut run, watch).await,
    };
    if let Err(error) = &outcome {
        run.error = Some(error.to_string());
        run.duration_micros = micros(watch);
        tracing::error!(dataset = run.dataset, kind = %run.kind, %error, "upkeep was given up and has changed nothing");
        lake.shared.catalog.keep_upkeep_run(&run).await?;
    }
    outcome.map(|()| run)
}

fn begun(table: &TableState, head: Option<&EpochRecord>, files: &[FileFacts], job: &UpkeepJob) -> UpkeepRun {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let sum = |pick: fn(&FileFacts) -> u64| files.iter().map(pick).sum::<u64>();
    UpkeepRun {
        run: Uuid::now_v7().to_string(),
        kind: job.kind,
        dataset: table.dataset.name.clone(),
        reason: job.reason.clone(),
        started: Instant(i64::try_from(now.as_micros()).unwrap_or(i64::MAX)),
        duration_micros: 0,
        error: None,
        system_time: head.map(|head| head.system_time),
        files_before: files.len() as u64,
        files_after: files.len() as u64,
        rows_before: sum(|file| file.rows),
        rows_after: sum(|file| file.rows),
        bytes_before: sum(|file| file.bytes),
        bytes_after: sum(|file| file.bytes),
        digest: None,
    }
}

pub(super) fn micros(watch: Stopwatch) -> u64 {
    u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX)
}

async fn attempt(
    lake: &Lake,
    table: &TableState,
    files: &[FileFacts],
    job: &UpkeepJob,
    options: &CompactOptions,
    run: &mut UpkeepRun,
    watch: Stopwatch,
) -> Result<()> {
    let (schema, columns) = schema_of(&table.dataset)?;
    let work = Work {
        kind: job.kind,
        input: Input {
            data: lake.shared.files.data().clone(),
            paths: job.inputs.iter().map(FileFacts::path).collect(),
            rows: job.inputs.iter().map(|file| file.rows).sum(),
            schema: schema.clone(),
            key_columns: columns.keys,
        },
        columns: columns.clone(),
        data_folder: TableFolders::at(table.metadata.location()).data(),
        scratch: lake.scratch()?,
        staging: lake.shared.staging.clone(),
        progress: lake.shared.progress.clone(),
        options: options.clone(),
    };
    let written = files::on_own_thread("upkeep", move || {
        let written = work.write();
        // Of no worth any more, whatever came of it; what stays behind goes when the lake is opened.
        let _ = std::fs::remove_dir_all(&work.scratch);
        written
    })
    .await?;
    if written.digest_before != written.digest_after {
        discard(&written.files);
        return Err(Error::new(
            ErrorKind::ProofFailed,
            "what was written does not say what was read; the old files stay, the new ones were removed",
        )
        .with("dataset", &run.dataset)
        .with("digest before", written.digest_before)
        .with("digest after", written.digest_after));
    }
    let taken = |file: &&FileFacts| job.inputs.iter().any(|input| input.location == file.location);
    let (removed, kept): (Vec<&FileFacts>, Vec<&FileFacts>) = files.iter().partition(taken);
    if run.kind == UpkeepKind::Compaction {
        let of_kept = digest_of_kept(lake, &kept, schema, columns).await?;
        run.digest = Some((of_kept + written.digest_after).to_string());
    }
    let staged = &written.files;
    run.files_after = (kept.len() + staged.len()) as u64;
    run.rows_after = kept.iter().map(|file| file.rows).chain(staged.iter().map(|file| file.rows)).sum();
    run.bytes_after = kept.iter().map(|file| file.bytes).chain(staged.iter().map(|file| file.bytes)).sum();
    run.duration_micros = micros(watch);
    let removed = removed.into_iter().map(|file| file.location.clone()).collect();
    // The files are in use until they are committed.
    let Written { files: staged, digests, .. } = written;
    let added = staged.iter().map(|file| file.data_file.clone()).collect();
    let replacement = Replacement { dataset_id: table.dataset.id, removed, added, digests };
    replace(lake, replacement, run, options).await
}

/// The digest of the exact files that stay, most of them known from when they were written.
async fn digest_of_kept(lake: &Lake, kept: &[&FileFacts], schema: SchemaRef, columns: Columns) -> Result<PlaneDigest> {
    let known = lake.shared.catalog.file_digests().await?;
    let mut digest = PlaneDigest::default();
    let mut unknown = Vec::new();
    for file in kept.iter().filter(|file| file.kind != FileKind::Appended) {
        match known.get(&file.location) {
            Some(of_file) => digest += *of_file,
            None => unknown.push(file.path()),
        }
    }
    let data = lake.shared.files.data().clone();
    let of_unknown = files::on_own_thread("upkeep", move || {
        let mut digest = PlaneDigest::default();
        for path in unknown {
            digest += digest_of_file(&data, &path, &schema, &columns)?;
        }
        Ok(digest)
    });
    Ok(digest + of_unknown.await?)
}

/// The digest of an exact file, as it is stored.
fn digest_of_file(data: &DataFiles, path: &Path, schema: &SchemaRef, columns: &Columns) -> Result<PlaneDigest> {
    let mut digest = [PlaneDigest::default()];
    for batch in read(data, path, schema)? {
        add_exact(&batch?, columns, &[i64::MAX], &mut digest)?;
    }
    Ok(digest[0])
}

/// Removes files that were never committed. Should that fail they are orphans, and go as such.
fn discard(staged: &[StagedFile]) {
    for file in staged {
        let _ = std::fs::remove_file(file.path());
    }
}

impl Work {
    fn write(&self) -> Result<Written> {
        // Surveyed, taken in, and written; what is written is read once more.
        self.progress.begin(3 * self.input.rows);
        let survey = self.input.survey(&self.progress)?;
        let (files, digest_before) = match self.kind {
            UpkeepKind::Merge => self.merge(&survey)?,
            _ => self.compact(&survey)?,
        };
        let mut written = Written { files, digests: Vec::new(), digest_before, digest_after: PlaneDigest::default() };
        self.progress.expect(written.files.iter().map(|file| file.rows).sum());
        for file in &written.files {
            self.progress.add(file.rows as usize);
            let path = file.path();
            if self.kind == UpkeepKind::Merge {
                for batch in read(&self.input.data, &path, &self.input.schema)? {
                    written.digest_after += digest_of_rows(&batch?, &self.columns)?;
                }
                continue;
            }
            let digest = digest_of_file(&self.input.data, &path, &self.input.schema, &self.columns)?;
            written.digest_after += digest;
            written.digests.push(FileDigest { location: files::location_of(&path)?, digest });
        }
        Ok(written)
    }

    fn compact(&self, survey: &Survey) -> Result<(Vec<StagedFile>, PlaneDigest)> {
        let per_leaf = self.options.rows_per_file.unwrap_or(ROWS_PER_LEAF).max(1);
        let leaves = usize::try_from((self.input.rows / per_leaf).clamp(1, LEAVES)).unwrap_or(1);
        let classes = Classes {
            closed: TimeTree::dividing(survey.valid_from.clone(), leaves),
            superseded: TimeTree::dividing(survey.system_from.clone(), leaves),
        };
        let mut digest = PlaneDigest::default();
        let mut writers: HashMap<Class, AssertionWriter> = HashMap::new();
        let mut ranges = self.input.ranges(survey, &self.scratch, &self.progress)?;
        while let Some(range) = ranges.next()? {
            self.progress.add(range.num_rows());
            #[allow(unused_mut)]
            let mut exact = ExactRows::resolve(range, &self.columns, &classes)?;
            #[cfg(test)]
            super::tests::damage(&self.options, &mut exact.by_class);
            digest += exact.digest;
            for (class, rows) in &exact.by_class {
                let writer = writers.entry(*class).or_insert_with(|| self.writer(FileShape::EXACT));
                writer.write(&exact.rows(rows)?)?;
            }
        }
        let in_order: BTreeMap<Class, AssertionWriter> = writers.into_iter().collect();
        let mut files = Vec::new();
        for writer in in_order.into_values() {
            files.extend(writer.finish()?);
        }
        Ok((files, digest))
    }

    /// Rows as they are, sorted by key.
    fn merge(&self, survey: &Survey) -> Result<(Vec<StagedFile>, PlaneDigest)> {
        let mut digest = PlaneDigest::default();
        let mut writer = self.writer(FileShape::MERGED);
        let mut ranges = self.input.ranges(survey, &self.scratch, &self.progress)?;
        while let Some(range) = ranges.next()? {
            self.progress.add(range.num_rows());
            digest += digest_of_rows(&range, &self.columns)?;
            writer.write(&super::rows::by_key(&range, &self.columns)?)?;
        }
        Ok((writer.finish()?, digest))
    }

    fn writer(&self, shape: FileShape) -> AssertionWriter {
        AssertionWriter::new(self.input.schema.clone(), self.data_folder.clone(), shape, self.staging.clone())
    }
}

/// The schema of all columns that files of a dataset can have, and where they are in it.
pub(crate) fn schema_of(dataset: &Dataset) -> Result<(SchemaRef, Columns)> {
    let schema = whole_schema(&dataset.columns);
    let columns = Columns::of(&schema, dataset.definition.key.len())?;
    Ok((schema, columns))
}
