//! What was evicted of timelines, read back from the lake where an event reaches into it.
//!
//! A key group remembers of each dataset until which instant its timelines are evicted. An event that reaches back before
//! it cannot tell from the state alone what it acts upon, nor whether its key was ever heard of: the lake is asked, for all
//! such keys of a slot together, what held just before the epoch. So a replay is told the same as the first time, however
//! much further the lake is by then.

use std::collections::HashMap;

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{
        DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    },
};
use model::{KEY_GROUPS, Mode, Segment, TimelineEvent};

use crate::{
    Error, ErrorKind, Result,
    apply::{RowRef, reaches_back_to},
    decode::fingerprint_of,
    event_batch::EventBatch,
    json_leaf::Value,
    ports::{DatasetInfo, HeldRows, Sink, StateStore},
    staging::key_columns,
    state_value::{eviction_address, key_group},
};

/// Keys asked for at once, which bounds what a question and its answer take of memory.
const KEYS_PER_QUESTION: usize = 32_768;

/// What the lake gives back of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedBack {
    /// The stretch of valid time it was asked for.
    pub stretch: (i64, i64),
    /// What held there, clipped to it.
    pub found: Vec<Segment>,
    /// Until when timelines of the key's group are evicted.
    pub evicted_before: i64,
}

/// Where what was evicted of a dataset is, for one slot in one epoch.
#[derive(Clone, Copy)]
pub struct History<'a> {
    /// The lake.
    pub sink: &'a dyn Sink,
    /// The dataset.
    pub dataset_id: u32,
    /// What is known of it.
    pub info: &'a DatasetInfo,
    /// The columns of the epoch's batches: key columns in key order, then value columns.
    pub columns: &'a [Vec<ArrayRef>],
    /// The epoch's system time: only what became known before it is given back.
    pub known_before: i64,
}

impl History<'_> {
    /// Of each range of rows, which are those of one key, what has to be fetched back for its events, by the start of the
    /// range; nothing where the state knows all they reach.
    pub fn fetch<'k>(
        &self,
        state: &dyn StateStore,
        batches: &[EventBatch],
        rows: &[RowRef],
        keys: impl Iterator<Item = &'k std::ops::Range<usize>>,
    ) -> Result<HashMap<usize, FetchedBack>> {
        let evicted_before = evicted_before(state, self.dataset_id, batches, rows)?;
        if evicted_before.iter().all(|&before| before == i64::MIN) {
            return Ok(HashMap::new());
        }
        let mut asked: Vec<(usize, FetchedBack)> = Vec::new();
        for range in keys {
            let first = rows[range.start];
            let group = key_group(batches[first.batch as usize].hashes[first.row as usize]);
            let before = evicted_before[usize::from(group)];
            let events = rows[range.clone()].iter().map(|row| &batches[row.batch as usize].events[row.row as usize]);
            if let Some(stretch) = stretch(self.info.definition.mode, events, before) {
                asked.push((range.start, FetchedBack { stretch, found: Vec::new(), evicted_before: before }));
            }
        }
        for question in asked.chunks_mut(KEYS_PER_QUESTION) {
            self.ask(rows, question)?;
        }
        Ok(asked.into_iter().collect())
    }

    fn ask(&self, rows: &[RowRef], question: &mut [(usize, FetchedBack)]) -> Result<()> {
        let places: Vec<(usize, usize)> =
            question.iter().map(|(start, _)| (rows[*start].batch as usize, rows[*start].row as usize)).collect();
        let keys = key_columns(self.columns, &places, self.info.definition.key.len())?;
        let within: Vec<(i64, i64)> = question.iter().map(|(_, back)| back.stretch).collect();
        let held = self.sink.held_within(self.dataset_id, self.info.version, self.known_before, &keys, &within)?;
        let segments = segments_of(&held, self.info)?;
        for (index, segment) in held.asked.iter().zip(segments) {
            let (_, back) = question.get_mut(*index as usize).ok_or_else(|| {
                Error::new(ErrorKind::Internal, "the sink gave back what it was not asked for")
                    .with("dataset", &self.info.name)
            })?;
            back.found.push(segment);
        }
        Ok(())
    }
}

/// The stretch of valid time that has to be known to let events act, so far as it may be evicted; `None` where none of it
/// is. In `until_changed` mode all of it: where one change ends and the next begins is only told from the first on.
fn stretch<'a>(mode: Mode, events: impl Iterator<Item = &'a TimelineEvent> + Clone, before: i64) -> Option<(i64, i64)> {
    let earliest = events.clone().map(reaches_back_to).min().filter(|&earliest| earliest < before)?;
    match mode {
        Mode::UntilChanged => Some((i64::MIN, before)),
        Mode::Interval => Some((earliest, events.map(|event| event.to).max().map_or(before, |to| to.min(before)))),
    }
}

/// By key group until when the dataset's timelines are evicted, of the groups of the rows.
fn evicted_before(
    state: &dyn StateStore,
    dataset_id: u32,
    batches: &[EventBatch],
    rows: &[RowRef],
) -> Result<Vec<i64>> {
    let mut met = [false; KEY_GROUPS as usize];
    for row in rows {
        met[usize::from(key_group(batches[row.batch as usize].hashes[row.row as usize]))] = true;
    }
    let groups: Vec<u8> = (0_u8..).zip(met).filter(|(_, met)| *met).map(|(group, _)| group).collect();
    let mut evicted_before = vec![i64::MIN; usize::from(KEY_GROUPS)];
    let found = read_evicted_before(state, &groups.iter().map(|&group| (group, dataset_id)).collect::<Vec<_>>())?;
    groups.iter().zip(found).for_each(|(&group, before)| evicted_before[usize::from(group)] = before);
    Ok(evicted_before)
}

/// Until when timelines are evicted, of some key groups and datasets in ascending order; the beginning of time where they
/// are not.
pub fn read_evicted_before(state: &dyn StateStore, places: &[(u8, u32)]) -> Result<Vec<i64>> {
    let addresses: Vec<[u8; 5]> = places.iter().map(|&(group, dataset)| eviction_address(group, dataset)).collect();
    let addresses: Vec<&[u8]> = addresses.iter().map(<[u8; 5]>::as_slice).collect();
    let mut found = vec![i64::MIN; places.len()];
    state.load(&addresses, &mut |index, value| {
        if let Some(value) = value {
            let bytes = value.try_into().map_err(|_| {
                let message = "the state does not say until when a key group is evicted; restore a savepoint";
                Error::new(ErrorKind::Corrupt, message).with("key group", places[index].0)
            })?;
            found[index] = i64::from_be_bytes(bytes);
        }
        Ok(())
    })?;
    Ok(found)
}

/// The segments that rows of the lake stand for.
fn segments_of(held: &HeldRows, info: &DatasetInfo) -> Result<Vec<Segment>> {
    let sequence_id = info.definition.sequence.as_deref().and_then(|name| info.columns.field_id(name));
    let is_sequence = |id: i32| Some(id) == sequence_id;
    let readers: Vec<(i32, Reader<'_>)> =
        held.columns.iter().map(|(id, column)| Ok((*id, Reader::of(column)?))).collect::<Result<_>>()?;
    let segment = |row: usize| {
        let said = readers.iter().filter(|(id, _)| !is_sequence(*id)).map(|(id, reader)| (*id, reader.value(row)));
        let number = readers.iter().find(|(id, _)| is_sequence(*id)).map(|(_, reader)| reader.value(row));
        let sequence = match number {
            Some(Value::Int64(number)) => number,
            Some(Value::Int32(number)) => i64::from(number),
            _ => 0,
        };
        let fingerprint = fingerprint_of(said);
        Segment { sequence, fingerprint, ..Segment::nothing(held.from[row], held.to[row]) }
    };
    Ok((0..held.asked.len()).map(segment).collect())
}

/// Reads the values of a column as the decoder would have given them.
enum Reader<'a> {
    String(&'a arrow::array::StringArray),
    Bool(&'a arrow::array::BooleanArray),
    Int32(&'a arrow::array::Int32Array),
    Int64(&'a arrow::array::Int64Array),
    Float64(&'a arrow::array::Float64Array),
    Decimal(&'a arrow::array::Decimal128Array),
    Date(&'a arrow::array::Date32Array),
    Timestamp(&'a arrow::array::TimestampMicrosecondArray),
}

impl<'a> Reader<'a> {
    fn of(column: &'a ArrayRef) -> Result<Reader<'a>> {
        Ok(match column.data_type() {
            DataType::Utf8 => Reader::String(column.as_string()),
            DataType::Boolean => Reader::Bool(column.as_boolean()),
            DataType::Int32 => Reader::Int32(column.as_primitive::<Int32Type>()),
            DataType::Int64 => Reader::Int64(column.as_primitive::<Int64Type>()),
            DataType::Float64 => Reader::Float64(column.as_primitive::<Float64Type>()),
            DataType::Decimal128(..) => Reader::Decimal(column.as_primitive::<Decimal128Type>()),
            DataType::Date32 => Reader::Date(column.as_primitive::<Date32Type>()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Reader::Timestamp(column.as_primitive::<TimestampMicrosecondType>())
            }
            other => {
                let message = "a stored column has a type that no event has";
                return Err(Error::new(ErrorKind::Corrupt, message).with("type", other));
            }
        })
    }

    fn value(&self, row: usize) -> Value<'a> {
        match self {
            Reader::String(c) if c.is_valid(row) => Value::String(c.value(row).into()),
            Reader::Bool(c) if c.is_valid(row) => Value::Bool(c.value(row)),
            Reader::Int32(c) if c.is_valid(row) => Value::Int32(c.value(row)),
            Reader::Int64(c) if c.is_valid(row) => Value::Int64(c.value(row)),
            Reader::Float64(c) if c.is_valid(row) => Value::Float64(c.value(row)),
            Reader::Decimal(c) if c.is_valid(row) => Value::Decimal(c.value(row)),
            Reader::Date(c) if c.is_valid(row) => Value::Int32(c.value(row)),
            Reader::Timestamp(c) if c.is_valid(row) => Value::Int64(c.value(row)),
            _ => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Fingerprint, OPEN, Operation};

    use super::*;

    fn event(operation: Operation, from: i64, to: i64) -> TimelineEvent {
        TimelineEvent { operation, from, to, exact: false, sequence: 0, fingerprint: Fingerprint(1) }
    }

    #[test]
    fn only_what_events_reach_and_may_be_evicted_is_asked_for() {
        let events = [event(Operation::Put, 30, 40), event(Operation::Delete, 10, 15)];
        assert_eq!(stretch(Mode::Interval, events.iter(), 10), None);
        assert_eq!(stretch(Mode::Interval, events.iter(), 11), Some((10, 11)));
        assert_eq!(stretch(Mode::Interval, events.iter(), 100), Some((10, 40)));
        assert_eq!(stretch(Mode::UntilChanged, events.iter(), 11), Some((i64::MIN, 11)));
        assert_eq!(stretch(Mode::UntilChanged, events.iter(), 10), None);
    }

    #[test]
    fn a_retraction_reaches_what_held_before_it() {
        let events = [event(Operation::Retract, 10, OPEN)];
        assert_eq!(stretch(Mode::UntilChanged, events.iter(), 10), Some((i64::MIN, 10)));
        assert_eq!(stretch(Mode::UntilChanged, events.iter(), 9), None);
    }
}
