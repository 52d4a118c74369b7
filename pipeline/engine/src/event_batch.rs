//! Decoded events of one dataset, column by column.

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder,
    Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use model::{
    ColumnType, DatasetDefinition, TimelineEvent, arrow_layout,
    key_encoding::{encode_integer, encode_text, key_hash},
};

use crate::json_leaf::Value;

/// Where a record stood in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Its request.
    pub position: u64,
    /// Its line in the request, counting from 1.
    pub line: u32,
}

/// Events of one dataset. Row `i` is the same event in every member.
pub struct EventBatch {
    /// Where each event stood.
    pub places: Vec<Place>,
    /// Hash of each event's key.
    pub hashes: Vec<u64>,
    /// What the kernel needs.
    pub events: Vec<TimelineEvent>,
    /// The system time an event carries; only in a history import, else empty.
    pub system_times: Vec<i64>,
    /// Fields that the definition does not name, seen so far.
    pub ignored_fields: u64,
    keys: Vec<u8>,
    key_ends: Vec<usize>,
    columns: Vec<ColumnBuilder>,
}

/// One event, decoded, not yet part of a batch.
#[derive(Debug)]
pub struct Event<'a> {
    /// Where it stood.
    pub place: Place,
    /// What the kernel needs.
    pub event: TimelineEvent,
    /// The system time it carries, in a history import.
    pub system_time: Option<i64>,
    /// Its key, encoded.
    pub key: Vec<u8>,
    /// Key columns in key order, then value columns in the definition's order.
    pub values: Vec<Value<'a>>,
}

impl EventBatch {
    /// An empty batch for a dataset.
    pub fn new(definition: &DatasetDefinition) -> EventBatch {
        let stored = definition.key_columns().chain(definition.value_columns());
        EventBatch {
            places: Vec::new(),
            hashes: Vec::new(),
            events: Vec::new(),
            system_times: Vec::new(),
            ignored_fields: 0,
            keys: Vec::new(),
            key_ends: vec![0],
            columns: stored.map(|column| ColumnBuilder::new(column.column_type)).collect(),
        }
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The encoded key of an event.
    pub fn key(&self, row: usize) -> &[u8] {
        &self.keys[self.key_ends[row]..self.key_ends[row + 1]]
    }

    /// Appends an event.
    pub fn push(&mut self, event: Event<'_>) {
        self.places.push(event.place);
        self.hashes.push(key_hash(&event.key));
        self.events.push(event.event);
        self.system_times.extend(event.system_time);
        self.keys.extend_from_slice(&event.key);
        self.key_ends.push(self.keys.len());
        for (column, value) in self.columns.iter_mut().zip(&event.values) {
            column.append(value);
        }
    }

    /// Takes the columns out: key columns in key order, then value columns.
    pub fn finish_columns(&mut self) -> Vec<ArrayRef> {
        self.columns.iter_mut().map(ColumnBuilder::finish).collect()
    }
}

enum ColumnBuilder {
    String(StringBuilder),
    Bool(BooleanBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl ColumnBuilder {
    fn new(column_type: ColumnType) -> ColumnBuilder {
        let data_type = arrow_layout::data_type(column_type);
        match column_type {
            ColumnType::String => ColumnBuilder::String(StringBuilder::new()),
            ColumnType::Bool => ColumnBuilder::Bool(BooleanBuilder::new()),
            ColumnType::Int32 => ColumnBuilder::Int32(Int32Builder::new()),
            ColumnType::Int64 => ColumnBuilder::Int64(Int64Builder::new()),
            ColumnType::Float64 => ColumnBuilder::Float64(Float64Builder::new()),
            ColumnType::Decimal { .. } => ColumnBuilder::Decimal(Decimal128Builder::new().with_data_type(data_type)),
            ColumnType::Date => ColumnBuilder::Date(Date32Builder::new()),
            ColumnType::Timestamp => {
                ColumnBuilder::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(data_type))
            }
        }
    }

    /// Appends a value the decoder produced for this column's type; anything else is null.
    fn append(&mut self, value: &Value<'_>) {
        match (self, value) {
            (ColumnBuilder::String(b), Value::String(v)) => b.append_value(v),
            (ColumnBuilder::Bool(b), Value::Bool(v)) => b.append_value(*v),
            (ColumnBuilder::Int32(b), Value::Int32(v)) => b.append_value(*v),
            (ColumnBuilder::Int64(b), Value::Int64(v)) => b.append_value(*v),
            (ColumnBuilder::Float64(b), Value::Float64(v)) => b.append_value(*v),
            (ColumnBuilder::Decimal(b), Value::Decimal(v)) => b.append_value(*v),
            (ColumnBuilder::Date(b), Value::Int32(v)) => b.append_value(*v),
            (ColumnBuilder::Timestamp(b), Value::Int64(v)) => b.append_value(*v),
            (builder, value) => {
                debug_assert_eq!(*value, Value::Null, "the decoder types values by their column");
                builder.append_null();
            }
        }
    }

    fn append_null(&mut self) {
        match self {
            ColumnBuilder::String(b) => b.append_null(),
            ColumnBuilder::Bool(b) => b.append_null(),
            ColumnBuilder::Int32(b) => b.append_null(),
            ColumnBuilder::Int64(b) => b.append_null(),
            ColumnBuilder::Float64(b) => b.append_null(),
            ColumnBuilder::Decimal(b) => b.append_null(),
            ColumnBuilder::Date(b) => b.append_null(),
            ColumnBuilder::Timestamp(b) => b.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        let builder: &mut dyn ArrayBuilder = match self {
            ColumnBuilder::String(b) => b,
            ColumnBuilder::Bool(b) => b,
            ColumnBuilder::Int32(b) => b,
            ColumnBuilder::Int64(b) => b,
            ColumnBuilder::Float64(b) => b,
            ColumnBuilder::Decimal(b) => b,
            ColumnBuilder::Date(b) => b,
            ColumnBuilder::Timestamp(b) => b,
        };
        builder.finish()
    }
}

/// Writes a key's columns so that different keys never share bytes.
pub fn encode_key(values: &[Value<'_>], out: &mut Vec<u8>) {
    out.clear();
    values.iter().for_each(|value| encode_value(value, out));
}

/// Writes one value with its kind, so that a sequence of values has one meaning.
pub fn encode_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0),
        Value::String(text) => encode_text(text.as_bytes(), out),
        Value::Bool(value) => out.extend_from_slice(&[2, u8::from(*value)]),
        Value::Int32(value) => encode_integer(i64::from(*value), out),
        Value::Int64(value) => encode_integer(*value, out),
        Value::Float64(value) => {
            out.push(5);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Value::Decimal(value) => {
            out.push(6);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}
