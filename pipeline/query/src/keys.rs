//! Sorting rows by key without moving them.
//!
//! Every key becomes bytes whose order is the order of the keys; eight of them, taken behind what all keys begin with,
//! travel with the reference to the row and decide most comparisons alone.

use std::{cmp::Ordering, ops::Range};

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, StringArray},
        datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimestampMicrosecondType},
        row::{RowConverter, Rows, SortField},
    },
    common::Result,
    execution::memory_pool::MemoryReservation,
};

use crate::rows::Place;

/// The rows of all chunks, in the order of their keys once sorted.
pub(crate) struct KeyOrder {
    entries: Vec<Entry>,
    bytes: KeyBytes,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Order-preserving: keys whose prefixes differ compare as their prefixes do.
    prefix: u64,
    place: Place,
}

/// The bytes of the keys, by chunk; `Prefix` where the prefix alone is the whole key.
enum KeyBytes {
    Prefix,
    Text(Vec<StringArray>),
    Rows(Vec<Rows>),
}

impl KeyBytes {
    fn of(&self, place: Place) -> &[u8] {
        let (chunk, row) = (place.chunk as usize, place.row as usize);
        match self {
            KeyBytes::Prefix => &[],
            KeyBytes::Text(chunks) => chunks[chunk].value(row).as_bytes(),
            KeyBytes::Rows(chunks) => chunks[chunk].row(row).data(),
        }
    }
}

impl KeyOrder {
    /// Of the key columns of each chunk; none of their values is null. The reservation grows by what is made.
    pub(crate) fn new(chunks: &[Vec<ArrayRef>], memory: &MemoryReservation) -> Result<KeyOrder> {
        let rows: usize = chunks.iter().map(|columns| columns[0].len()).sum();
        memory.try_grow(rows * size_of::<Entry>())?;
        let mut entries = Vec::with_capacity(rows);
        let single = chunks.first().filter(|columns| columns.len() == 1).map(|columns| columns[0].data_type().clone());
        if let Some(data_type) = &single
            && chunks.iter().enumerate().all(|(chunk, columns)| push_integers(&mut entries, chunk, &columns[0]))
            && is_integer(data_type)
        {
            return Ok(KeyOrder { entries, bytes: KeyBytes::Prefix });
        }
        entries.clear();
        let bytes = match single {
            Some(DataType::Utf8) => {
                KeyBytes::Text(chunks.iter().map(|columns| columns[0].as_string::<i32>().clone()).collect())
            }
            _ => KeyBytes::Rows(to_rows(chunks, memory)?),
        };
        let places = chunks.iter().enumerate().flat_map(|(chunk, columns)| places(chunk, columns[0].len()));
        let common = common_prefix(places.clone().map(|place| bytes.of(place)));
        entries.extend(places.map(|place| Entry { prefix: prefix(&bytes.of(place)[common..]), place }));
        Ok(KeyOrder { entries, bytes })
    }

    /// Brings equal keys together, smaller keys first.
    pub(crate) fn sort(&mut self) {
        let bytes = &self.bytes;
        self.entries.sort_unstable_by(|a, b| match a.prefix.cmp(&b.prefix) {
            Ordering::Equal => bytes.of(a.place).cmp(bytes.of(b.place)),
            decided => decided,
        });
    }

    /// The rows with the same key as row `start`, from there on; `None` behind the last.
    pub(crate) fn group_at(&self, start: usize) -> Option<Range<usize>> {
        let first = self.entries.get(start)?;
        let key = self.bytes.of(first.place);
        let same = |entry: &&Entry| entry.prefix == first.prefix && self.bytes.of(entry.place) == key;
        Some(start..start + self.entries[start..].iter().take_while(same).count())
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where a row is kept.
    pub(crate) fn place(&self, index: usize) -> Place {
        self.entries[index].place
    }
}

fn places(chunk: usize, rows: usize) -> impl Iterator<Item = Place> + Clone {
    (0..rows).map(move |row| Place { chunk: chunk as u32, row: row as u32 })
}

fn is_integer(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Timestamp(..))
}

/// Adds a chunk whose only key column fits eight bytes; false when it does not.
fn push_integers(entries: &mut Vec<Entry>, chunk: usize, column: &ArrayRef) -> bool {
    let prefix = |value: i64| value.cast_unsigned() ^ (1 << 63);
    let value: Box<dyn Fn(usize) -> i64> = match column.data_type() {
        DataType::Int32 => Box::new(|row| i64::from(column.as_primitive::<Int32Type>().value(row))),
        DataType::Date32 => Box::new(|row| i64::from(column.as_primitive::<Date32Type>().value(row))),
        DataType::Int64 => Box::new(|row| column.as_primitive::<Int64Type>().value(row)),
        DataType::Timestamp(..) => Box::new(|row| column.as_primitive::<TimestampMicrosecondType>().value(row)),
        _ => return false,
    };
    entries.extend(places(chunk, column.len()).map(|place| Entry { prefix: prefix(value(place.row as usize)), place }));
    true
}

fn to_rows(chunks: &[Vec<ArrayRef>], memory: &MemoryReservation) -> Result<Vec<Rows>> {
    let Some(first) = chunks.first() else { return Ok(Vec::new()) };
    let fields = first.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    let mut all = Vec::with_capacity(chunks.len());
    for columns in chunks {
        let rows = converter.convert_columns(columns)?;
        memory.try_grow(rows.size())?;
        all.push(rows);
    }
    Ok(all)
}

/// How many bytes all keys begin with.
fn common_prefix<'a>(mut keys: impl Iterator<Item = &'a [u8]>) -> usize {
    let Some(first) = keys.next() else { return 0 };
    let mut length = first.len();
    for key in keys {
        if length == 0 {
            break;
        }
        length = first[..length].iter().zip(key).take_while(|(a, b)| a == b).count();
    }
    length
}

/// The first eight bytes as a number; what is missing counts as zero, and the full comparison settles the rest.
fn prefix(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    let length = bytes.len().min(8);
    eight[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(eight)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::{
        arrow::array::{Array, BooleanArray, Int32Array, Int64Array},
        execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool},
    };

    use super::*;

    fn sorted(chunks: &[Vec<ArrayRef>]) -> Vec<Vec<(u32, u32)>> {
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        let mut order = KeyOrder::new(chunks, &MemoryConsumer::new("test").register(&pool)).unwrap();
        order.sort();
        let mut groups = Vec::new();
        let mut at = 0;
        while let Some(group) = order.group_at(at) {
            at = group.end;
            let mut places: Vec<_> = group.map(|index| order.place(index)).map(|p| (p.chunk, p.row)).collect();
            places.sort_unstable();
            groups.push(places);
        }
        groups
    }

    #[test]
    fn text_keys_of_any_length_come_in_byte_order() {
        let text = |values: &[&str]| -> Vec<ArrayRef> { vec![Arc::new(StringArray::from(values.to_vec()))] };
        let chunks = [text(&["key-b", "key-", "key-\0", "key-aaaaaaaaaaaaaz"]), text(&["key-aaaaaaaaaaaaaa", "key-b"])];
        assert_eq!(sorted(&chunks), [vec![(0, 1)], vec![(0, 2)], vec![(1, 0)], vec![(0, 3)], vec![(0, 0), (1, 1)]]);
        assert!(sorted(&[]).is_empty());
    }

    #[test]
    fn integers_and_several_columns_come_in_value_order() {
        let longs: ArrayRef = Arc::new(Int64Array::from(vec![3, i64::MIN, -1, i64::MAX, -1]));
        assert_eq!(sorted(&[vec![longs]]), [vec![(0, 1)], vec![(0, 2), (0, 4)], vec![(0, 0)], vec![(0, 3)]]);
        let text: ArrayRef = Arc::new(StringArray::from(vec!["b", "a", "a"]));
        let number: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, -2]));
        assert_eq!(sorted(&[vec![text, number]]), [vec![(0, 2)], vec![(0, 1)], vec![(0, 0)]]);
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        assert_eq!(flags.len(), 2);
        assert_eq!(sorted(&[vec![flags]]), [vec![(0, 1)], vec![(0, 0)]]);
    }
}
