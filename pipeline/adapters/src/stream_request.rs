//! A request on its way into the embedded stream.

use std::collections::BTreeMap;

use engine::model::key_encoding::write_varint;
use engine::state_value::{key_group, partition_of};

use crate::embedded_stream::{PARTITIONS, StreamCounts};

/// What may wait to be written, in KiB; then whoever appends waits.
pub(crate) const WAITING_KIB_MAX: u32 = 256 << 10;
/// What a request counts at least, so that there are never many.
const REQUEST_KIB_MIN: u32 = 256;
/// Records of one request, sorted by partition, and what of it was refused.
#[derive(Debug, Default)]
pub struct Request {
    pub(crate) chunks: BTreeMap<(u16, u32), Chunk>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) seal: Option<u32>,
    pub(crate) mark: bool,
    pub(crate) counts: BTreeMap<u32, StreamCounts>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) lines: u64,
    pub(crate) events: u64,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) dataset_id: u32,
    pub(crate) line: u32,
    pub(crate) reason: String,
    pub(crate) raw: Vec<u8>,
}

impl Request {
    /// A request of no records, whose position ends an epoch: what has to wait for the next epoch waits for this.
    pub fn mark() -> Request {
        Request { mark: true, ..Request::default() }
    }

    /// A request that seals a dataset's history import.
    pub fn sealing(dataset_id: u32) -> Request {
        Request { seal: Some(dataset_id), ..Request::default() }
    }

    /// Adds an accepted record: its line in the request (from 1), the hash of its (first) key, the events it makes.
    pub fn accept(&mut self, dataset_id: u32, line: u32, key_hash: u64, events: u64, raw: &[u8]) {
        let partition = partition_of(key_group(key_hash), PARTITIONS);
        let chunk = self.chunks.entry((partition, dataset_id)).or_default();
        chunk.lines += 1;
        chunk.events += events;
        write_varint(&mut chunk.bytes, u64::from(line));
        write_varint(&mut chunk.bytes, raw.len() as u64);
        chunk.bytes.extend_from_slice(raw);
        self.records += events;
        self.bytes += raw.len() as u64;
        self.counts.entry(dataset_id).or_default().received += events;
    }

    /// Adds a record that cannot be accepted; it goes to quarantine with the request.
    pub fn refuse(&mut self, dataset_id: u32, line: u32, reason: String, raw: Vec<u8>) {
        let counts = self.counts.entry(dataset_id).or_default();
        counts.received += 1;
        counts.refused += 1;
        self.bytes += raw.len() as u64;
        self.refused.push(Refused { dataset_id, line, reason, raw });
    }

    /// What it takes in memory, as it is counted while it waits.
    pub(crate) fn kib(&self) -> u32 {
        let refused: usize = self.refused.iter().map(|refused| refused.raw.len() + refused.reason.len()).sum();
        let kib = (self.bytes + refused as u64) >> 10;
        u32::try_from(kib).unwrap_or(u32::MAX).clamp(REQUEST_KIB_MIN, WAITING_KIB_MAX)
    }

    /// Its events by partition.
    pub(crate) fn records_by_partition(&self) -> Vec<u64> {
        let mut by_partition = vec![0; usize::from(PARTITIONS)];
        for ((partition, _), chunk) in &self.chunks {
            by_partition[usize::from(*partition)] += chunk.events;
        }
        by_partition
    }

    /// Whether it holds anything for the pipeline; what was refused alone is in quarantine once it is written.
    pub fn has_content(&self) -> bool {
        !self.chunks.is_empty() || self.seal.is_some() || self.mark
    }
}
