//! Cells out of the bytes of a buffer (Arrow columnar format, "Physical Memory Layout"). Buffers are as long as their rows
//! need: that is checked once, when the answer is decoded.

/// How the cells of a column are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nulls only.
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
    /// `unscaled / 10^scale`, of 16 bytes or fewer.
    Decimal {
        bytes: usize,
        scale: i8,
    },
    /// Days since 1970-01-01.
    Date,
    /// Since 1970-01-01 UTC. Multiplied and then divided, units come out as microseconds.
    Instant {
        times: i64,
        per: i64,
    },
}

/// Bytes of a view that is stored in place (Arrow columnar format, "Variable-size Binary View Layout").
pub(super) const VIEW_BYTES: usize = 16;
const VIEW_INLINE_BYTES: usize = 12;
/// Microseconds in a day.
const DAY_MICROS: i64 = crate::format::time::DAY_MICROS;

/// Bit of a bitmap, least significant first; no bit where the map is too short.
pub(super) fn bit(bits: &[u8], row: usize) -> bool {
    bits.get(row / 8).is_some_and(|byte| byte & (1 << (row % 8)) != 0)
}

/// Bytes of a cell; 0 where cells have no width of their own.
pub(super) fn width(kind: Kind) -> usize {
    match kind {
        Kind::Null | Kind::Bool | Kind::Text { .. } | Kind::TextView => 0,
        Kind::Integer { bytes, .. } | Kind::Float { bytes } | Kind::Decimal { bytes, .. } => bytes,
        Kind::Date => 4,
        Kind::Instant { .. } => 8,
    }
}

fn cell(values: &[u8], row: usize, bytes: usize) -> &[u8] {
    values.get(row * bytes..(row + 1) * bytes).unwrap_or_default()
}

/// Little-endian, of 1 to 16 bytes.
pub(super) fn integer(values: &[u8], row: usize, bytes: usize, signed: bool) -> i128 {
    little_endian(cell(values, row, bytes), signed)
}

fn little_endian(cell: &[u8], signed: bool) -> i128 {
    let negative = signed && cell.last().is_some_and(|last| last & 0x80 != 0);
    let mut bytes = [if negative { 0xff } else { 0 }; 16];
    bytes[..cell.len()].copy_from_slice(cell);
    i128::from_le_bytes(bytes)
}

/// An offset of a text; one that is negative or too large is past every end.
pub(super) fn offset(values: &[u8], row: usize, bytes: usize) -> usize {
    integer(values, row, bytes, true).try_into().unwrap_or(usize::MAX)
}

/// The text of a view, in place or in the buffer it names.
pub(super) fn view<'a>(values: &'a [u8], row: usize, buffer: impl Fn(usize) -> Option<&'a [u8]>) -> Option<&'a [u8]> {
    let view = values.get(row * VIEW_BYTES..(row + 1) * VIEW_BYTES)?;
    let part = |at: usize| usize::try_from(little_endian(&view[at..at + 4], true)).unwrap_or(usize::MAX);
    let length = part(0);
    if length <= VIEW_INLINE_BYTES {
        return view.get(4..4 + length);
    }
    buffer(part(8))?.get(part(12)..)?.get(..length)
}

/// A number for drawing; `None` for what is not a number.
pub(super) fn number(kind: Kind, values: &[u8], row: usize) -> Option<f64> {
    match kind {
        Kind::Integer { bytes, signed } => Some(integer(values, row, bytes, signed) as f64),
        Kind::Decimal { bytes, scale } => {
            Some(integer(values, row, bytes, true) as f64 / 10_f64.powi(i32::from(scale)))
        }
        Kind::Float { bytes: 4 } => {
            Some(cell(values, row, 4).try_into().map_or(f64::NAN, |cell| f32::from_le_bytes(cell).into()))
        }
        Kind::Float { .. } => Some(cell(values, row, 8).try_into().map_or(f64::NAN, f64::from_le_bytes)),
        _ => None,
    }
}

/// An instant in microseconds; `None` for what is not a time.
pub(super) fn instant(kind: Kind, values: &[u8], row: usize) -> Option<i64> {
    match kind {
        Kind::Date => Some((integer(values, row, 4, true) as i64).saturating_mul(DAY_MICROS)),
        Kind::Instant { times, per } => Some(micros(integer(values, row, 8, true) as i64, times, per)),
        _ => None,
    }
}

fn micros(value: i64, times: i64, per: i64) -> i64 {
    value.saturating_mul(times).div_euclid(per)
}

/// Adds the first `rows` cells as numbers for drawing.
pub(super) fn numbers(kind: Kind, values: &[u8], rows: usize, into: &mut Vec<f64>) {
    match kind {
        Kind::Float { bytes: 8 } => columns::push_f64(first(values, rows, 8), into),
        Kind::Integer { bytes: 8, signed: true } => columns::push_i64(first(values, rows, 8), into),
        Kind::Integer { bytes: 4, signed: true } => columns::push_i32(first(values, rows, 4), 1, into),
        Kind::Decimal { bytes: 16, scale } => {
            columns::push_i128(first(values, rows, 16), 10_f64.powi(i32::from(scale)), into);
        }
        _ => into.extend((0..rows).map(|row| number(kind, values, row).unwrap_or(f64::NAN))),
    }
}

/// Adds the first `rows` cells as instants for drawing, in microseconds.
pub(super) fn instants(kind: Kind, values: &[u8], rows: usize, into: &mut Vec<f64>) {
    match kind {
        Kind::Instant { times: 1, per: 1 } => columns::push_i64(first(values, rows, 8), into),
        Kind::Date => columns::push_i32(first(values, rows, 4), DAY_MICROS, into),
        _ => into.extend((0..rows).map(|row| instant(kind, values, row).map_or(f64::NAN, |micros| micros as f64))),
    }
}

/// The first so many cells, or as many as there are.
fn first(values: &[u8], rows: usize, bytes: usize) -> &[u8] {
    values.get(..rows.saturating_mul(bytes)).unwrap_or(values)
}
