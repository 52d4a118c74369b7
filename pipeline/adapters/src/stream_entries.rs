//! What the embedded stream writes down, entry by entry, and how it is read again.

use engine::{
    Error, ErrorKind, Result,
    model::{Instant, key_encoding::write_varint},
    ports::Quarantined,
    state_value::{read_varint, take},
};
use serde::{Deserialize, Serialize};

use crate::embedded_stream::PARTITIONS;

/// A record in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedRecord {
    /// The dataset it was for.
    pub dataset_id: u32,
    /// Its request.
    pub position: u64,
    /// Its line in the request, counting from 1.
    pub line: u32,
    /// When it arrived.
    pub arrival: Instant,
    /// Why it was not accepted.
    pub reason: String,
    /// The bytes as received.
    #[serde(skip)]
    pub raw: Vec<u8>,
}

/// One request's entry in the index.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct IndexEntry {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) arrival_micros: i64,
    pub(crate) control: bool,
    /// Of what was appended before partitions were counted there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) by_partition: Vec<u64>,
}

/// What is acknowledged and not committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lag {
    /// Events.
    pub records: u64,
    /// Events by partition. Those appended by versions that did not count them are missing here.
    pub by_partition: [u64; PARTITIONS as usize],
    /// Bytes.
    pub bytes: u64,
    /// When the oldest of it arrived.
    pub since: Option<Instant>,
}

impl Lag {
    /// Adds a request; the oldest has to be the first.
    pub(crate) fn add(&mut self, entry: &IndexEntry) {
        self.records += entry.records;
        self.bytes += entry.bytes;
        self.by_partition.iter_mut().zip(&entry.by_partition).for_each(|(total, more)| *total += more);
        self.since = self.since.or(Some(Instant(entry.arrival_micros)));
    }
}

pub(crate) fn partition_name(partition: u16) -> String {
    format!("partition-{partition}")
}

pub(crate) fn position_of(key: &[u8]) -> Result<u64> {
    take::<8>(&mut &*key).map(u64::from_be_bytes)
}

/// Header as JSON with its length in front, then the raw bytes.
pub(crate) fn encode_quarantined(entry: &Quarantined) -> Result<Vec<u8>> {
    let Quarantined { dataset_id, position, line, arrival, reason, .. } = entry.clone();
    let header = to_json(&QuarantinedRecord { dataset_id, position, line, arrival, reason, raw: Vec::new() })?;
    let mut value = Vec::with_capacity(header.len() + entry.raw.len() + 4);
    write_varint(&mut value, header.len() as u64);
    value.extend_from_slice(&header);
    value.extend_from_slice(&entry.raw);
    Ok(value)
}

pub(crate) fn decode_quarantined(mut value: &[u8]) -> Result<QuarantinedRecord> {
    let length = usize::try_from(read_varint(&mut value)?).map_err(|_| corrupt())?;
    let (header, raw) = value.split_at_checked(length).ok_or_else(corrupt)?;
    let record: QuarantinedRecord = from_json(header)?;
    Ok(QuarantinedRecord { raw: raw.to_vec(), ..record })
}

pub(crate) fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::new(ErrorKind::Internal, "an entry cannot be written").because(e))
}

pub(crate) fn from_json<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| corrupt().because(e))
}

pub(crate) fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "an entry of the embedded stream is not what was written")
}
