//! How a key's timeline is kept: the key's bytes, and pages of segments.
//!
//! A timeline is one head page, and older pages when it has grown long. An event near the end of the timeline reads
//! and writes the head alone, however long the history; a late one reads the pages from its place on.

use model::{Fingerprint, KEY_GROUPS, Segment, key_encoding::write_varint};

use crate::{Error, ErrorKind, Result};

/// Most segments a page holds; one more, and the older half of the head becomes a page of its own.
pub const PAGE_SEGMENTS_MAX: usize = 16;

/// The key group of a key hash: its upper seven bits.
pub fn key_group(hash: u64) -> u16 {
    const { assert!(KEY_GROUPS == 128) };
    (hash >> 57) as u16
}

/// The partition of a source with so many partitions that a key group belongs to: whole groups, evenly.
pub fn partition_of(key_group: u16, partitions: u16) -> u16 {
    ((u32::from(key_group) * u32::from(partitions)) / u32::from(KEY_GROUPS)) as u16
}

/// Writes a key's head address: key group, dataset, hash, length of the key, key. So the entries of a key group lie
/// together, keys come in the order of their hash, and no address is the beginning of another key's.
pub fn write_head_address(out: &mut Vec<u8>, dataset_id: u32, hash: u64, encoded_key: &[u8]) {
    out.clear();
    out.push(key_group(hash) as u8);
    out.extend_from_slice(&dataset_id.to_be_bytes());
    out.extend_from_slice(&hash.to_be_bytes());
    out.extend_from_slice(&(encoded_key.len() as u32).to_be_bytes());
    out.extend_from_slice(encoded_key);
}

/// Where it is kept until which instant the timelines of a dataset are evicted in a key group. It is the beginning of the
/// addresses of all of them, and so the first entry of the dataset in the group.
pub fn eviction_address(key_group: u8, dataset_id: u32) -> [u8; 5] {
    let [a, b, c, d] = dataset_id.to_be_bytes();
    [key_group, a, b, c, d]
}

/// What an address is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// See [`eviction_address`].
    Eviction,
    /// The head of a timeline.
    Head,
    /// An older page of the timeline whose head's address is this long.
    OlderPage {
        /// Bytes of the head's address.
        head_bytes: usize,
    },
}

/// What the address of a key group's entry is of, and of which dataset.
pub fn entry_of(address: &[u8]) -> Result<(u32, Entry)> {
    let mut rest = address.get(1..).ok_or_else(corrupt)?;
    let dataset_id = u32::from_be_bytes(take::<4>(&mut rest)?);
    if rest.is_empty() {
        return Ok((dataset_id, Entry::Eviction));
    }
    take::<8>(&mut rest)?;
    let key_bytes = u32::from_be_bytes(take::<4>(&mut rest)?) as usize;
    let head_bytes = address.len() - rest.len() + key_bytes;
    match rest.len().checked_sub(key_bytes) {
        Some(0) => Ok((dataset_id, Entry::Head)),
        Some(8) => Ok((dataset_id, Entry::OlderPage { head_bytes })),
        _ => Err(corrupt()),
    }
}

/// The address of an older page: the head's, then the first instant the page covers, in an order-keeping form.
pub fn page_address(head_address: &[u8], starts_at: i64) -> Vec<u8> {
    let mut address = head_address.to_vec();
    address.extend_from_slice(&(starts_at as u64 ^ (1 << 63)).to_be_bytes());
    address
}

/// The first instant a page covers, from its address.
pub fn page_start(head_address: &[u8], address: &[u8]) -> Result<i64> {
    let bytes = address.strip_prefix(head_address).and_then(|rest| rest.try_into().ok()).ok_or_else(corrupt)?;
    Ok((u64::from_be_bytes(bytes) ^ (1 << 63)) as i64)
}

/// A page of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// For a head behind which older pages lie: the first instant it covers. `None`: it covers everything.
    pub covers_from: Option<i64>,
    /// Segments in order.
    pub segments: Vec<Segment>,
}

const HAS_OLDER_PAGES: u8 = 1;
const SEQUENCED: u8 = 2;
/// Each segment ends with a byte of marks. Pages of which no segment has one have no such byte.
const MARKS: u8 = 4;
/// Mark of a retraction.
const RETRACTED: u8 = 1;
/// Mark of what the lake is known to have.
const RECORDED: u8 = 2;

impl Page {
    /// Writes the page. Instants are differences from their predecessor; a segment that ends where the next begins, or
    /// never, needs no end.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        let sequenced = self.segments.iter().any(|segment| segment.sequence != 0);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let marks = |segment: &Segment| flag(segment.retracted, RETRACTED) | flag(segment.recorded, RECORDED);
        let marked = self.segments.iter().any(|segment| marks(segment) != 0);
        let has_older = flag(self.covers_from.is_some(), HAS_OLDER_PAGES);
        out.push(has_older | flag(sequenced, SEQUENCED) | flag(marked, MARKS));
        if let Some(from) = self.covers_from {
            out.extend_from_slice(&from.to_be_bytes());
        }
        let mut at = self.covers_from.unwrap_or(0);
        for segment in &self.segments {
            write_varint(out, zigzag(segment.from.wrapping_sub(at)));
            let length = if segment.to == model::OPEN { 0 } else { segment.to.wrapping_sub(segment.from) as u64 };
            write_varint(out, length);
            out.extend_from_slice(&segment.fingerprint.0.to_le_bytes());
            if sequenced {
                write_varint(out, zigzag(segment.sequence));
            }
            if marked {
                out.push(marks(segment));
            }
            at = if segment.to == model::OPEN { segment.from } else { segment.to };
        }
    }

    /// Reads a page.
    pub fn decode(mut bytes: &[u8]) -> Result<Page> {
        let input = &mut bytes;
        let flags = take::<1>(input)?[0];
        if flags & !(HAS_OLDER_PAGES | SEQUENCED | MARKS) != 0 {
            return Err(corrupt());
        }
        let covers_from = if flags & HAS_OLDER_PAGES != 0 { Some(i64::from_be_bytes(take::<8>(input)?)) } else { None };
        let mut at = covers_from.unwrap_or(0);
        let mut segments = Vec::with_capacity(input.len() / 20 + 2);
        while !input.is_empty() {
            let from = at.wrapping_add(unzigzag(read_varint(input)?));
            let length = read_varint(input)?;
            let to = if length == 0 { model::OPEN } else { from.wrapping_add(length as i64) };
            let fingerprint = Fingerprint(u128::from_le_bytes(take::<16>(input)?));
            let sequence = if flags & SEQUENCED != 0 { unzigzag(read_varint(input)?) } else { 0 };
            let marks = if flags & MARKS != 0 { take::<1>(input)?[0] } else { 0 };
            if marks & !(RETRACTED | RECORDED) != 0 {
                return Err(corrupt());
            }
            let (retracted, recorded) = (marks & RETRACTED != 0, marks & RECORDED != 0);
            segments.push(Segment { from, to, sequence, fingerprint, retracted, recorded });
            at = if length == 0 { from } else { to };
        }
        Ok(Page { covers_from, segments })
    }
}

/// Reads what [`write_varint`] wrote.
pub fn read_varint(input: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take::<1>(input)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(corrupt())
}

/// Takes a fixed number of bytes.
pub fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>().ok_or_else(corrupt)?;
    *input = rest;
    Ok(*head)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "an entry of the timeline state is not what was written; restore a savepoint")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segments() -> impl Strategy<Value = Vec<Segment>> {
        let part = (any::<u32>(), 1..u32::MAX, any::<i64>(), any::<u128>(), (any::<bool>(), any::<bool>()));
        (prop::collection::vec(part, 0..20), any::<bool>()).prop_map(|(parts, marked)| {
            let mut at = -1_000_000_000_000_i64;
            let mut segments: Vec<Segment> = parts
                .into_iter()
                .map(|(gap, length, sequence, fingerprint, (retracted, recorded))| {
                    let from = at + i64::from(gap);
                    at = from + i64::from(length);
                    let (retracted, recorded) = (retracted && marked, recorded && marked);
                    Segment { from, to: at, sequence, fingerprint: Fingerprint(fingerprint), retracted, recorded }
                })
                .collect();
            if let Some(last) = segments.last_mut() {
                last.to = model::OPEN;
            }
            segments
        })
    }

    proptest! {
        #[test]
        fn a_page_reads_back_as_it_is_written(segments in segments(), covers_from in any::<Option<i64>>()) {
            let page = Page { covers_from, segments };
            let mut bytes = Vec::new();
            page.encode(&mut bytes);
            prop_assert_eq!(Page::decode(&bytes).unwrap(), page);
        }

        #[test]
        fn a_damaged_page_is_an_error_and_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Page::decode(&bytes);
        }

        #[test]
        fn pages_sort_by_their_start(a in any::<i64>(), b in any::<i64>()) {
            let (x, y) = (page_address(b"k", a), page_address(b"k", b));
            prop_assert_eq!(a.cmp(&b), x.cmp(&y));
            prop_assert_eq!(page_start(b"k", &x).unwrap(), a);
        }
    }

    #[test]
    fn a_page_without_marks_has_no_byte_for_them() {
        let segment =
            |from, to, sequence| Segment { sequence, fingerprint: Fingerprint(7), ..Segment::nothing(from, to) };
        let page = Page { covers_from: None, segments: vec![segment(1, 3, 4), segment(3, model::OPEN, 5)] };
        let mut fingerprint = [0; 16];
        fingerprint[0] = 7;
        let written = [&[2, 2, 2][..], &fingerprint[..], &[8, 0, 0], &fingerprint[..], &[10]].concat();
        let mut bytes = Vec::new();
        page.encode(&mut bytes);
        assert_eq!(bytes, written);
        assert_eq!(Page::decode(&written).unwrap(), page);
    }

    #[test]
    fn an_address_says_what_it_is_of() {
        let mut head = Vec::new();
        write_head_address(&mut head, 7, 9 << 57, b"key");
        assert_eq!(entry_of(&head).unwrap(), (7, Entry::Head));
        let page = page_address(&head, -5);
        assert_eq!(entry_of(&page).unwrap(), (7, Entry::OlderPage { head_bytes: head.len() }));
        let eviction = eviction_address(9, 7);
        assert_eq!(entry_of(&eviction).unwrap(), (7, Entry::Eviction));
        assert!(head.starts_with(&eviction) && eviction[..] < head[..]);
        for length in [0, 3, 6, head.len() - 1, head.len() + 1] {
            assert!(entry_of(&page[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_page_with_what_is_not_known_here_is_an_error() {
        assert_eq!(Page::decode(&[8]).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn partitions_hold_whole_key_groups_evenly() {
        let mut counts = [0; 16];
        (0..KEY_GROUPS).for_each(|group| counts[usize::from(partition_of(group, 16))] += 1);
        assert_eq!(counts, [8; 16]);
    }
}
