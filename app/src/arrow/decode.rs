//! Arrow IPC streams into columns. Every length and offset of the stream is checked; wrong ones are a sentence, never a panic.

use std::{ops::Range, sync::Arc};

use arrow_ipc::{
    DateUnit, Field, Message, MessageHeader, Precision, RecordBatch, Schema, TimeUnit, Type, root_as_message,
};

use super::{
    Table,
    cells::{self, Kind, VIEW_BYTES},
    column::{Chunk, Column},
    store::Store,
};

/// Marks the start of a message, before its length. Streams of old writers leave it out.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Rows of a batch at most, so that a damaged count is found before anything is done for it.
const BATCH_ROWS: usize = 16_000_000;

/// Decodes a whole stream: finds out where the cells are, and leaves them there. Of an answer that is outside, cells that are
/// not as wide as all others are copied.
pub(super) fn decode(store: &Store) -> Result<Table, String> {
    let mut rest = 0..store.byte_count();
    let Some((message, _)) = next_message(store, &mut rest)? else { return Err("it is empty".to_owned()) };
    let schema = read(&message)?.header_as_schema().ok_or("it does not start with a schema")?;
    let (names, kinds) = columns_of(schema)?;
    let mut columns: Vec<Unfinished> = kinds.iter().map(|kind| Unfinished::new(*kind, store)).collect();
    let mut rows = 0;
    while let Some((message, body)) = next_message(store, &mut rest)? {
        let message = read(&message)?;
        let Some(batch) = message.header_as_record_batch() else {
            let found = message.header_type().variant_name().unwrap_or("something unknown");
            return Err(format!("a batch was expected, and there is {found}"));
        };
        let count = usize::try_from(batch.length()).map_err(|_| damaged())?;
        if count > BATCH_ROWS {
            return Err("a batch claims more rows than a page could show".to_owned());
        }
        let mut buffers = Buffers::new(&batch, body)?;
        for column in &mut columns {
            column.add(rows, count, &mut buffers, store)?;
        }
        rows += count;
    }
    let columns = columns.into_iter().map(|column| column.finish(store)).collect();
    Ok(Table::new(names, columns, rows))
}

/// A column whose batches come one after the other.
struct Unfinished {
    kind: Kind,
    chunks: Vec<Chunk>,
    /// What of it is copied, where it does not stay in the answer.
    kept: Option<Vec<u8>>,
}

impl Unfinished {
    fn new(kind: Kind, store: &Store) -> Unfinished {
        let copied = store.is_outside() && cells::width(kind) == 0;
        Unfinished { kind, chunks: Vec::new(), kept: copied.then(Vec::new) }
    }

    fn add(&mut self, start: usize, rows: usize, buffers: &mut Buffers, store: &Store) -> Result<(), String> {
        let mut chunk = chunk(self.kind, start, rows, buffers)?;
        if let Some(kept) = &mut self.kept {
            for range in [&mut chunk.validity, &mut chunk.values].into_iter().chain(&mut chunk.data) {
                *range = store.keep(range.clone(), kept);
            }
        }
        let here = self.kept.as_deref().unwrap_or(store.here());
        check_texts(self.kind, &chunk, here)?;
        self.chunks.push(chunk);
        Ok(())
    }

    fn finish(self, store: &Store) -> Column {
        let store = self.kept.map_or_else(|| store.clone(), |kept| Store::Here(Arc::new(kept)));
        Column { kind: self.kind, store, chunks: self.chunks }
    }
}

/// A message without its body, and where that is.
type Encoded = (Vec<u8>, Range<usize>);

/// The next message, without its body, and where that is; `None` at the end of the stream, which is marked or simply there.
fn next_message(store: &Store, rest: &mut Range<usize>) -> Result<Option<Encoded>, String> {
    if rest.start == rest.end {
        return Ok(None);
    }
    let four =
        |rest: &mut Range<usize>| store.read_cell(take(rest, 4)?, |bytes| bytes.try_into().map_err(|_| truncated()));
    let mut length: [u8; 4] = four(rest)?;
    if length == CONTINUATION {
        length = four(rest)?;
    }
    let length = u32::from_le_bytes(length);
    if length == 0 {
        return Ok(None);
    }
    let bytes = store.read(take(rest, length as usize)?, <[u8]>::to_vec);
    let message = read(&bytes)?;
    let body = usize::try_from(message.bodyLength()).map_err(|_| truncated())?;
    let body = take(rest, if message.header_type() == MessageHeader::Schema { 0 } else { body })?;
    Ok(Some((bytes, body)))
}

fn read(message: &[u8]) -> Result<Message<'_>, String> {
    root_as_message(message).map_err(|_| "a message is damaged".to_owned())
}

fn take(rest: &mut Range<usize>, length: usize) -> Result<Range<usize>, String> {
    let end = rest.start.checked_add(length).filter(|end| *end <= rest.end).ok_or_else(truncated)?;
    let taken = rest.start..end;
    rest.start = end;
    Ok(taken)
}

fn truncated() -> String {
    "it ends too early".to_owned()
}

fn damaged() -> String {
    "a column is damaged".to_owned()
}

fn columns_of(schema: Schema<'_>) -> Result<(Vec<String>, Vec<Kind>), String> {
    let fields = schema.fields().ok_or("it has no columns")?;
    let mut names = Vec::with_capacity(fields.len());
    let mut kinds = Vec::with_capacity(fields.len());
    for field in fields {
        let name = field.name().unwrap_or_default();
        let kind = kind_of(&field).filter(|_| field.dictionary().is_none());
        kinds.push(kind.ok_or_else(|| format!("column '{name}' has a type that pages do not show"))?);
        names.push(name.to_owned());
    }
    Ok((names, kinds))
}

fn kind_of(field: &Field<'_>) -> Option<Kind> {
    let bytes = |bits: i32| usize::try_from(bits / 8).ok().filter(|bytes| (1..=16).contains(bytes));
    Some(match field.type_type() {
        Type::Null => Kind::Null,
        Type::Bool => Kind::Bool,
        Type::Utf8 => Kind::Text { offset_bytes: 4 },
        Type::LargeUtf8 => Kind::Text { offset_bytes: 8 },
        Type::Utf8View => Kind::TextView,
        Type::Int => {
            let int = field.type_as_int()?;
            Kind::Integer { bytes: bytes(int.bitWidth())?, signed: int.is_signed() }
        }
        Type::FloatingPoint => match field.type_as_floating_point()?.precision() {
            Precision::SINGLE => Kind::Float { bytes: 4 },
            Precision::DOUBLE => Kind::Float { bytes: 8 },
            _ => return None,
        },
        Type::Decimal => {
            let decimal = field.type_as_decimal()?;
            Kind::Decimal { bytes: bytes(decimal.bitWidth())?, scale: decimal.scale().try_into().ok()? }
        }
        Type::Date if field.type_as_date()?.unit() == DateUnit::DAY => Kind::Date,
        Type::Timestamp => match field.type_as_timestamp()?.unit() {
            TimeUnit::SECOND => Kind::Instant { times: 1_000_000, per: 1 },
            TimeUnit::MILLISECOND => Kind::Instant { times: 1_000, per: 1 },
            TimeUnit::MICROSECOND => Kind::Instant { times: 1, per: 1 },
            _ => Kind::Instant { times: 1, per: 1_000 },
        },
        _ => return None,
    })
}

/// What a batch holds of its columns, handed out in their order: how many cells are null, and buffers as places in the answer.
struct Buffers {
    null_counts: std::vec::IntoIter<i64>,
    /// Offset and length in the body.
    places: std::vec::IntoIter<(i64, i64)>,
    /// Data buffers of each view column.
    view_counts: std::vec::IntoIter<i64>,
    body: Range<usize>,
}

impl Buffers {
    fn new(batch: &RecordBatch<'_>, body: Range<usize>) -> Result<Buffers, String> {
        if batch.compression().is_some() {
            return Err("it is compressed".to_owned());
        }
        let places: Vec<_> = batch.buffers().ok_or_else(damaged)?.iter().map(|b| (b.offset(), b.length())).collect();
        let counts: Vec<_> = batch.variadicBufferCounts().map(|counts| counts.iter().collect()).unwrap_or_default();
        let null_counts: Vec<_> = batch.nodes().ok_or_else(damaged)?.iter().map(|node| node.null_count()).collect();
        Ok(Buffers {
            null_counts: null_counts.into_iter(),
            places: places.into_iter(),
            view_counts: counts.into_iter(),
            body,
        })
    }

    /// A buffer of at least so many bytes.
    fn next(&mut self, least: usize) -> Result<Range<usize>, String> {
        let (offset, length) = self.places.next().ok_or_else(damaged)?;
        let (Ok(offset), Ok(length)) = (usize::try_from(offset), usize::try_from(length)) else {
            return Err(damaged());
        };
        let start = self.body.start.checked_add(offset).ok_or_else(damaged)?;
        let end = start.checked_add(length).filter(|end| *end <= self.body.end).ok_or_else(damaged)?;
        if length < least { Err(damaged()) } else { Ok(start..end) }
    }
}

fn chunk(kind: Kind, start: usize, rows: usize, buffers: &mut Buffers) -> Result<Chunk, String> {
    let mut chunk = Chunk { start, rows, validity: 0..0, values: 0..0, data: Vec::new() };
    let null_count = buffers.null_counts.next().ok_or_else(damaged)?;
    if kind == Kind::Null {
        return Ok(chunk);
    }
    chunk.validity = buffers.next(0)?;
    if !chunk.validity.is_empty() && chunk.validity.len() < rows.div_ceil(8) {
        return Err(damaged());
    }
    // Written also where all its bits are set: looking at each of them takes longer than reading the cells.
    if null_count == 0 {
        chunk.validity = 0..0;
    }
    let bytes = |count: usize, each: usize| count.checked_mul(each).ok_or_else(damaged);
    let least = match kind {
        Kind::Null => 0,
        Kind::Bool => rows.div_ceil(8),
        // An empty column may leave its offsets out.
        Kind::Text { .. } if rows == 0 => 0,
        Kind::Text { offset_bytes } => bytes(rows + 1, offset_bytes)?,
        Kind::TextView => bytes(rows, VIEW_BYTES)?,
        Kind::Integer { bytes: each, .. } | Kind::Float { bytes: each } | Kind::Decimal { bytes: each, .. } => {
            bytes(rows, each)?
        }
        Kind::Date => bytes(rows, 4)?,
        Kind::Instant { .. } => bytes(rows, 8)?,
    };
    chunk.values = buffers.next(least)?;
    let data = match kind {
        Kind::Text { .. } => 1,
        Kind::TextView => buffers.view_counts.next().ok_or_else(damaged)?,
        _ => 0,
    };
    for _ in 0..data {
        chunk.data.push(buffers.next(0)?);
    }
    Ok(chunk)
}

/// Texts are looked at now, so that what is damaged is said instead of shown as nothing.
fn check_texts(kind: Kind, chunk: &Chunk, bytes: &[u8]) -> Result<(), String> {
    if !matches!(kind, Kind::Text { .. } | Kind::TextView) {
        return Ok(());
    }
    let values = &bytes[chunk.values.clone()];
    let data = |buffer: usize| chunk.data.get(buffer).map(|range| &bytes[range.clone()]);
    let text = |row: usize| match kind {
        Kind::Text { offset_bytes } => {
            let range = cells::offset(values, row, offset_bytes)..cells::offset(values, row + 1, offset_bytes);
            data(0).and_then(|data| data.get(range))
        }
        _ => cells::view(values, row, data),
    };
    for row in 0..chunk.rows {
        std::str::from_utf8(text(row).ok_or_else(damaged)?).map_err(|_| "a text is not UTF-8".to_owned())?;
    }
    Ok(())
}
