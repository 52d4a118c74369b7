//! Keys as sixteen bytes, to be looked up in a table.

use std::hash::BuildHasher;

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, StringArray, StringViewArray},
        datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimestampMicrosecondType},
        row::{RowConverter, Rows, SortField},
    },
    common::Result,
};
use lake::model::key_encoding::{INTEGER, TEXT, key_hash};

/// Bytes a code has room for, behind what they are and their number.
const INLINE_BYTES: usize = 14;
/// Most bytes a view holds itself: behind its length in four bytes, and zeros behind them (Arrow, "Variable-size Binary View
/// Layout").
const VIEW_BYTES: u32 = 12;
/// What the code of several columns begins with, and that of a key that has no room in it.
const COLUMNS: u8 = 0xfe;
const LONG: u8 = 0xff;

/// A key. If there is room for it, that of one column as `model::key_encoding` has it, so that the hash of the encoding is one
/// of bytes that are there already. Else a hash, with bytes that are kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code([u8; 16]);

impl Code {
    /// For where there is no key.
    pub(crate) const NONE: Code = Code([0; 16]);

    /// A short text, whose bytes are the lowest of a number.
    fn text(bytes: u128, length: u8) -> Code {
        Code(((bytes << 16) | (u128::from(length) << 8) | u128::from(TEXT)).to_le_bytes())
    }

    fn integer(value: i64) -> Code {
        Code(((u128::from(value.cast_unsigned()) << 8) | u128::from(INTEGER)).to_le_bytes())
    }

    /// Bytes, if there is room for them.
    fn inline(kind: u8, bytes: &[u8]) -> Option<Code> {
        let mut inline = [0; 16];
        inline.get_mut(2..2 + bytes.len())?.copy_from_slice(bytes);
        inline[..2].copy_from_slice(&[kind, bytes.len() as u8]);
        Some(Code(inline))
    }

    fn long(hash: u64) -> Code {
        Code(((u128::from(hash) << 8 | u128::from(LONG)) & u128::from(u64::MAX)).to_le_bytes())
    }

    fn halves(&self) -> (u64, u64) {
        let number = u128::from_le_bytes(self.0);
        (number as u64, (number >> 64) as u64)
    }

    /// The code of a long key whose bytes are kept at a place, told by any number.
    pub(crate) fn kept_at(mut self, place: u64) -> Code {
        self.0[8..].copy_from_slice(&place.to_le_bytes());
        self
    }

    /// Where the bytes of a long key are kept; `None` for a code that holds them.
    #[inline]
    pub(crate) fn place(&self) -> Option<u64> {
        (self.0[0] == LONG).then(|| self.halves().1)
    }

    /// Its first half.
    #[inline]
    pub(crate) fn low(&self) -> u64 {
        self.halves().0
    }

    /// The code without the place.
    pub(crate) fn bare(self) -> Code {
        if self.place().is_some() { self.kept_at(0) } else { self }
    }
}

/// Makes codes of the keys of batches. Codes of different makers cannot be compared.
pub(crate) struct Coder {
    hasher: Hasher,
    order: Order,
    /// For keys of several columns, and of types that have no shorter way.
    converter: Option<RowConverter>,
}

/// What short keys are ordered by.
#[derive(Clone, Copy)]
enum Order {
    /// Nothing that anybody could know.
    Secret,
    /// As rows lie in appended files: by the stored hash.
    Stored,
}

/// The keys of a batch.
pub(crate) struct Keys {
    pub(crate) codes: Vec<Code>,
    bytes: Bytes,
}

enum Bytes {
    None,
    Text(StringArray),
    Views(StringViewArray),
    Rows(Rows),
}

impl Keys {
    /// The bytes of a long key.
    pub(crate) fn bytes(&self, row: usize) -> &[u8] {
        match &self.bytes {
            Bytes::None => &[],
            Bytes::Text(text) => text.value(row).as_bytes(),
            Bytes::Views(views) => views.value(row).as_bytes(),
            Bytes::Rows(rows) => rows.row(row).data(),
        }
    }
}

impl Coder {
    /// For keys with columns of these types.
    pub(crate) fn new(types: &[DataType]) -> Result<Coder> {
        let short = matches!(types, [DataType::Utf8]) || matches!(types, [single] if is_integer(single));
        let fields = || types.iter().map(|data_type| SortField::new(data_type.clone())).collect();
        let converter = if short { None } else { Some(RowConverter::new(fields())?) };
        Ok(Coder { hasher: Hasher::new(), order: Order::Secret, converter })
    }

    /// For keys with columns of these types out of files: short keys of one column are ordered as files have them, so that
    /// a table of them is walked through and not jumped about in.
    pub(crate) fn as_stored(types: &[DataType]) -> Result<Coder> {
        let coder = Coder::new(types)?;
        let order = if coder.converter.is_none() { Order::Stored } else { Order::Secret };
        Ok(Coder { order, ..coder })
    }

    /// The keys of a batch, of which no column has nulls. Texts may be views.
    pub(crate) fn keys(&self, columns: &[ArrayRef]) -> Result<Keys> {
        if let Some(converter) = &self.converter {
            let rows = converter.convert_columns(columns)?;
            let codes = rows.iter().map(|row| self.code(COLUMNS, row.data())).collect();
            return Ok(Keys { codes, bytes: Bytes::Rows(rows) });
        }
        if let Some(codes) = integer_codes(&columns[0]) {
            return Ok(Keys { codes, bytes: Bytes::None });
        }
        if let Some(views) = columns[0].as_string_view_opt() {
            return Ok(Keys { codes: self.view_codes(views), bytes: Bytes::Views(views.clone()) });
        }
        let text = columns[0].as_string::<i32>().clone();
        Ok(Keys { codes: self.text_codes(&text), bytes: Bytes::Text(text) })
    }

    /// The number by which codes are ordered, the same for equal ones. Whoever chooses keys can make them lie together.
    #[inline]
    pub(crate) fn hash(&self, code: &Code) -> u64 {
        match (self.order, code.0[0]) {
            (Order::Stored, TEXT) => key_hash(&code.0[..2 + usize::from(code.0[1]).min(INLINE_BYTES)]),
            (Order::Stored, INTEGER) => key_hash(&code.0[..9]),
            _ => self.secret_hash(code),
        }
    }

    /// A well-spread number, the same for equal codes, whatever keys somebody chose.
    pub(crate) fn secret_hash(&self, code: &Code) -> u64 {
        let (low, high) = code.halves();
        self.hasher.fold(low, high)
    }

    fn view_codes(&self, views: &StringViewArray) -> Vec<Code> {
        let code = |(row, view): (usize, &u128)| {
            let length = *view as u32;
            if length > VIEW_BYTES {
                return self.code(TEXT, views.value(row).as_bytes());
            }
            Code::text(view >> 32, length as u8)
        };
        views.views().iter().enumerate().map(code).collect()
    }

    fn text_codes(&self, text: &StringArray) -> Vec<Code> {
        let values = text.value_data();
        let ends = text.value_offsets().windows(2);
        let code = |ends: &[i32]| {
            let (start, end) = (ends[0] as usize, ends[1] as usize);
            // Sixteen bytes at once, of which those behind the end are cut off.
            match values.get(start..start + 16) {
                Some(sixteen) if end - start <= INLINE_BYTES => {
                    let mut bytes = [0; 16];
                    bytes.copy_from_slice(sixteen);
                    let length = end - start;
                    Code::text(u128::from_le_bytes(bytes) & ((1 << (8 * length)) - 1), length as u8)
                }
                _ => self.code(TEXT, &values[start..end]),
            }
        };
        ends.map(code).collect()
    }

    fn code(&self, kind: u8, bytes: &[u8]) -> Code {
        Code::inline(kind, bytes).unwrap_or_else(|| Code::long(self.hasher.of_bytes(bytes)))
    }
}

fn is_integer(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Timestamp(..))
}

fn integer_codes(column: &ArrayRef) -> Option<Vec<Code>> {
    let code = Code::integer;
    Some(match column.data_type() {
        DataType::Int32 => column.as_primitive::<Int32Type>().values().iter().map(|&v| code(v.into())).collect(),
        DataType::Date32 => column.as_primitive::<Date32Type>().values().iter().map(|&v| code(v.into())).collect(),
        DataType::Int64 => column.as_primitive::<Int64Type>().values().iter().map(|&v| code(v)).collect(),
        DataType::Timestamp(..) => {
            column.as_primitive::<TimestampMicrosecondType>().values().iter().map(|&v| code(v)).collect()
        }
        _ => return None,
    })
}

/// Multiplies and folds, with secrets of its own, so that nobody can choose keys that collide.
struct Hasher {
    secrets: [u64; 2],
}

impl Hasher {
    fn new() -> Hasher {
        let random = std::hash::RandomState::new();
        Hasher { secrets: [random.hash_one(1) | 1, random.hash_one(2) | 1] }
    }

    fn fold(&self, low: u64, high: u64) -> u64 {
        let product = u128::from(low ^ self.secrets[0]) * u128::from(high ^ self.secrets[1]);
        product as u64 ^ (product >> 64) as u64
    }

    fn of_bytes(&self, bytes: &[u8]) -> u64 {
        let eight = |bytes: &[u8]| {
            let mut eight = [0; 8];
            eight[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(eight)
        };
        let start = bytes.len() as u64;
        bytes.chunks(8).map(eight).fold(start, |hash, part| self.fold(hash.rotate_left(29) ^ part, hash))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Arc};

    use datafusion::arrow::array::{BooleanArray, Int32Array};
    use lake::model::key_encoding::{integer_key_hash, text_key_hash};

    use super::*;

    #[test]
    fn short_texts_are_their_codes_wherever_they_lie() {
        let words = ["", "a", "a\0", "fourteen chars", "fifteen letters", "rather more than sixteen letters", "a"];
        let coder = Coder::new(&[DataType::Utf8]).unwrap();
        let column: ArrayRef = Arc::new(StringArray::from(words.to_vec()));
        let keys = coder.keys(&[column]).unwrap();
        let distinct: HashSet<[u8; 16]> = keys.codes.iter().map(|code| code.0).collect();
        assert_eq!(distinct.len(), 6);
        assert_eq!(keys.codes[1], keys.codes[6]);
        let long: Vec<bool> = keys.codes.iter().map(|code| code.place().is_some()).collect();
        assert_eq!(long, [false, false, false, false, true, true, false]);
        assert_eq!(keys.bytes(4), b"fifteen letters");
        let kept = keys.codes[5].kept_at(7);
        assert_eq!((kept.place(), kept.bare()), (Some(7), keys.codes[5]));
        assert_eq!(coder.hash(&kept.bare()), coder.hash(&keys.codes[5]));
        let views: ArrayRef = Arc::new(StringViewArray::from(words.to_vec()));
        let of_views = coder.keys(&[views]).unwrap();
        assert_eq!(of_views.codes, keys.codes);
        assert_eq!(of_views.bytes(4), b"fifteen letters");
    }

    #[test]
    fn short_keys_are_ordered_as_files_have_them() {
        let words = ["", "a", "DE0007164600", "fourteen chars"];
        let coder = Coder::as_stored(&[DataType::Utf8]).unwrap();
        let keys = coder.keys(&[Arc::new(StringArray::from(words.to_vec())) as ArrayRef]).unwrap();
        let hashes: Vec<u64> = keys.codes.iter().map(|code| coder.hash(code)).collect();
        assert_eq!(hashes, words.map(|word| text_key_hash(word.as_bytes())));
        let coder = Coder::as_stored(&[DataType::Date32]).unwrap();
        let dates: ArrayRef = Arc::new(datafusion::arrow::array::Date32Array::from(vec![-1, 0, 19_000]));
        let hashes = coder.keys(&[dates]).unwrap().codes.into_iter().map(|code| coder.hash(&code));
        assert!(hashes.eq([-1, 0, 19_000].map(integer_key_hash)));
    }

    #[test]
    fn numbers_and_several_columns_have_codes() {
        let coder = Coder::new(&[DataType::Int32]).unwrap();
        let column: ArrayRef = Arc::new(Int32Array::from(vec![-1, 0, i32::MIN, -1]));
        let codes = coder.keys(std::slice::from_ref(&column)).unwrap().codes;
        assert!(codes[0] == codes[3] && codes[0] != codes[1] && codes.iter().all(|code| code.place().is_none()));
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true, true]));
        let coder = Coder::new(&[DataType::Int32, DataType::Boolean]).unwrap();
        let codes = coder.keys(&[column, flags]).unwrap().codes;
        assert!(codes[0] == codes[3] && codes[0] != codes[1] && codes[1] != codes[2]);
    }
}
