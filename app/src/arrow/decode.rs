//! Arrow IPC streams into columns. Every length and offset of the stream is checked; wrong ones are a sentence, never a panic.

use arrow_ipc::{
    DateUnit, Field, Message, MessageHeader, Precision, RecordBatch, Schema, TimeUnit, Type, root_as_message,
};

use super::{Table, column::Column, column::Values};

/// Marks the start of a message, before its length. Streams of old writers leave it out.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Bytes of a view that is stored in place (Arrow columnar format, "Variable-size Binary View Layout").
const VIEW_BYTES: usize = 16;
const VIEW_INLINE_BYTES: usize = 12;
/// Rows of a batch at most, so that a damaged count reserves no more memory than a page can have.
const BATCH_ROWS: usize = 4_000_000;

/// Decodes a whole stream.
pub(super) fn decode(bytes: &[u8]) -> Result<Table, String> {
    let mut rest = bytes;
    let Some((message, _)) = next_message(&mut rest)? else { return Err("it is empty".to_owned()) };
    let schema = message.header_as_schema().ok_or("it does not start with a schema")?;
    let (names, kinds) = columns_of(schema)?;
    let mut columns = kinds.iter().map(Kind::empty).collect::<Vec<_>>();
    let mut rows = 0;
    while let Some((message, body)) = next_message(&mut rest)? {
        let Some(batch) = message.header_as_record_batch() else {
            let found = message.header_type().variant_name().unwrap_or("something unknown");
            return Err(format!("a batch was expected, and there is {found}"));
        };
        let count = usize::try_from(batch.length()).map_err(|_| damaged())?;
        if count > BATCH_ROWS {
            return Err("a batch claims more rows than a page could show".to_owned());
        }
        let mut buffers = Buffers::new(&batch, body)?;
        for (kind, column) in kinds.iter().zip(&mut columns) {
            append(column, *kind, count, &mut buffers)?;
        }
        rows += count;
    }
    Ok(Table::new(names, columns, rows))
}

/// The next message and its body; `None` at the end of the stream, which is marked or simply there.
fn next_message<'a>(rest: &mut &'a [u8]) -> Result<Option<(Message<'a>, &'a [u8])>, String> {
    if rest.is_empty() {
        return Ok(None);
    }
    let mut length = take(rest, 4)?;
    if length == CONTINUATION {
        length = take(rest, 4)?;
    }
    let length = u32::from_le_bytes(length.try_into().map_err(|_| truncated())?);
    if length == 0 {
        return Ok(None);
    }
    let message = root_as_message(take(rest, length as usize)?).map_err(|_| "a message is damaged".to_owned())?;
    let body = usize::try_from(message.bodyLength()).map_err(|_| truncated())?;
    let body = take(rest, if message.header_type() == MessageHeader::Schema { 0 } else { body })?;
    Ok(Some((message, body)))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (head, tail) = rest.split_at_checked(length).ok_or_else(truncated)?;
    *rest = tail;
    Ok(head)
}

fn truncated() -> String {
    "it ends too early".to_owned()
}

fn damaged() -> String {
    "a column is damaged".to_owned()
}

/// How the cells of a column are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Bool,
    /// Offsets of 4 or 8 bytes.
    Text {
        offset_bytes: usize,
    },
    TextView,
    Integer {
        bytes: usize,
        signed: bool,
    },
    Float {
        bytes: usize,
    },
    /// 16 bytes or fewer.
    Decimal {
        bytes: usize,
        scale: i8,
    },
    Date,
    /// Multiplied and then divided, units come out as microseconds.
    Instant {
        times: i64,
        per: i64,
    },
}

impl Kind {
    fn empty(&self) -> Column {
        let values = match self {
            Kind::Null => Values::Null,
            Kind::Bool => Values::Bool(Vec::new()),
            Kind::Text { .. } | Kind::TextView => Values::Text(Vec::new()),
            Kind::Integer { .. } => Values::Integer(Vec::new()),
            Kind::Float { .. } => Values::Float(Vec::new()),
            Kind::Decimal { scale, .. } => Values::Decimal(Vec::new(), *scale),
            Kind::Date => Values::Date(Vec::new()),
            Kind::Instant { .. } => Values::Instant(Vec::new()),
        };
        Column { valid: Vec::new(), values }
    }
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

/// The buffers of a batch, handed out in the order in which columns own them.
struct Buffers<'a> {
    /// Offset and length in the body.
    places: std::vec::IntoIter<(i64, i64)>,
    /// Data buffers of each view column.
    view_counts: std::vec::IntoIter<i64>,
    body: &'a [u8],
}

impl<'a> Buffers<'a> {
    fn new(batch: &RecordBatch<'a>, body: &'a [u8]) -> Result<Buffers<'a>, String> {
        if batch.compression().is_some() {
            return Err("it is compressed".to_owned());
        }
        let places: Vec<_> = batch.buffers().ok_or_else(damaged)?.iter().map(|b| (b.offset(), b.length())).collect();
        let counts: Vec<_> = batch.variadicBufferCounts().map(|counts| counts.iter().collect()).unwrap_or_default();
        Ok(Buffers { places: places.into_iter(), view_counts: counts.into_iter(), body })
    }

    fn next(&mut self) -> Result<&'a [u8], String> {
        let (offset, length) = self.places.next().ok_or_else(damaged)?;
        let (offset, length) = (usize::try_from(offset), usize::try_from(length));
        let (Ok(offset), Ok(length)) = (offset, length) else { return Err(damaged()) };
        self.body.get(offset..).and_then(|rest| rest.get(..length)).ok_or_else(damaged)
    }

    /// A buffer of so many cells of so many bytes each, cut into them.
    fn cells(&mut self, count: usize, bytes: usize) -> Result<impl Iterator<Item = &'a [u8]> + use<'a>, String> {
        let length = count.checked_mul(bytes).ok_or_else(damaged)?;
        Ok(self.next()?.get(..length).ok_or_else(damaged)?.chunks_exact(bytes))
    }
}

fn append(column: &mut Column, kind: Kind, count: usize, buffers: &mut Buffers<'_>) -> Result<(), String> {
    if kind == Kind::Null {
        column.valid.resize(column.valid.len() + count, false);
        return Ok(());
    }
    let validity = buffers.next()?;
    if validity.is_empty() {
        column.valid.resize(column.valid.len() + count, true);
    } else {
        bits(validity, count, &mut column.valid)?;
    }
    match (&mut column.values, kind) {
        (Values::Bool(cells), Kind::Bool) => bits(buffers.next()?, count, cells),
        (Values::Text(cells), Kind::Text { offset_bytes }) => texts(buffers, count, offset_bytes, cells),
        (Values::Text(cells), Kind::TextView) => views(buffers, count, cells),
        (Values::Integer(cells), Kind::Integer { bytes, signed }) => {
            cells.extend(buffers.cells(count, bytes)?.map(|cell| integer(cell, signed)));
            Ok(())
        }
        (Values::Decimal(cells, _), Kind::Decimal { bytes, .. }) => {
            cells.extend(buffers.cells(count, bytes)?.map(|cell| integer(cell, true)));
            Ok(())
        }
        (Values::Float(cells), Kind::Float { bytes }) => {
            cells.extend(buffers.cells(count, bytes)?.map(|cell| {
                let bits = integer(cell, false);
                if bytes == 4 { f64::from(f32::from_bits(bits as u32)) } else { f64::from_bits(bits as u64) }
            }));
            Ok(())
        }
        (Values::Date(cells), Kind::Date) => {
            cells.extend(buffers.cells(count, 4)?.map(|cell| integer(cell, true) as i64));
            Ok(())
        }
        (Values::Instant(cells), Kind::Instant { times, per }) => {
            let micros = |cell: &[u8]| (integer(cell, true) as i64).saturating_mul(times).div_euclid(per);
            cells.extend(buffers.cells(count, 8)?.map(micros));
            Ok(())
        }
        _ => Err(damaged()),
    }
}

/// Little-endian, of 1 to 16 bytes.
fn integer(cell: &[u8], signed: bool) -> i128 {
    let negative = signed && cell.last().is_some_and(|last| last & 0x80 != 0);
    let mut bytes = [if negative { 0xff } else { 0 }; 16];
    bytes[..cell.len()].copy_from_slice(cell);
    i128::from_le_bytes(bytes)
}

fn bits(bitmap: &[u8], count: usize, into: &mut Vec<bool>) -> Result<(), String> {
    if bitmap.len() < count.div_ceil(8) {
        return Err(damaged());
    }
    into.extend((0..count).map(|index| bitmap[index / 8] & (1 << (index % 8)) != 0));
    Ok(())
}

fn texts(buffers: &mut Buffers<'_>, count: usize, offset_bytes: usize, into: &mut Vec<String>) -> Result<(), String> {
    // An empty column may leave its offsets out.
    let offsets: Vec<usize> = if count == 0 {
        buffers.next()?;
        Vec::new()
    } else {
        buffers
            .cells(count + 1, offset_bytes)?
            .map(|cell| integer(cell, true).try_into().unwrap_or(usize::MAX))
            .collect()
    };
    let data = buffers.next()?;
    for pair in offsets.windows(2) {
        into.push(utf8(data.get(pair[0]..pair[1]))?);
    }
    Ok(())
}

fn views(buffers: &mut Buffers<'_>, count: usize, into: &mut Vec<String>) -> Result<(), String> {
    let views = buffers.cells(count, VIEW_BYTES)?;
    let data_count = buffers.view_counts.next().ok_or_else(damaged)?;
    let data = (0..data_count).map(|_| buffers.next()).collect::<Result<Vec<_>, _>>()?;
    let part = |view: &[u8], at: usize| integer(&view[at..at + 4], true).try_into().unwrap_or(usize::MAX);
    for view in views {
        let length: usize = part(view, 0);
        let text = if length <= VIEW_INLINE_BYTES {
            view.get(4..4 + length)
        } else {
            let (buffer, offset): (usize, usize) = (part(view, 8), part(view, 12));
            data.get(buffer).and_then(|data| data.get(offset..)).and_then(|rest| rest.get(..length))
        };
        into.push(utf8(text)?);
    }
    Ok(())
}

fn utf8(bytes: Option<&[u8]>) -> Result<String, String> {
    let text = std::str::from_utf8(bytes.ok_or_else(damaged)?).map_err(|_| "a text is not UTF-8".to_owned())?;
    Ok(text.to_owned())
}
