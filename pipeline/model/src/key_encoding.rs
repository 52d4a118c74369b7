//! Keys as bytes, and the hash that puts them in order.
//!
//! State is kept, and files are appended, in the order of this hash, so whoever looks keys of several files up does well to
//! keep them in the same order. It is part of what is stored: it never changes. It has no secret: where keys are
//! chosen by strangers, nothing may get slow when many of them hash alike.

use xxhash_rust::xxh3::xxh3_64;

/// Longest text whose key is hashed without allocating, in bytes; its length takes one byte.
const SHORT_TEXT_BYTES: usize = 62;
/// What the encoding of a text begins with; its length follows in as few bytes as it needs, then its bytes.
pub const TEXT: u8 = 1;
/// What the encoding of an integer begins with; its eight bytes follow, the lowest first.
pub const INTEGER: u8 = 4;

/// Hash of an encoded key: its upper bits are the key group, the whole of it the order in the state and in files.
#[inline]
pub fn key_hash(encoded_key: &[u8]) -> u64 {
    xxh3_64(encoded_key)
}

/// Writes a text as a part of a key.
pub fn encode_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(TEXT);
    write_varint(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// Writes an integer of any width as a part of a key: alike for all widths, so that a column that was widened has the
/// keys it had.
pub fn encode_integer(value: i64, out: &mut Vec<u8>) {
    out.push(INTEGER);
    out.extend_from_slice(&value.to_le_bytes());
}

/// The hash of a key that is one text.
#[inline]
pub fn text_key_hash(text: &[u8]) -> u64 {
    if text.len() > SHORT_TEXT_BYTES {
        let mut encoded = Vec::with_capacity(text.len() + 8);
        encode_text(text, &mut encoded);
        return key_hash(&encoded);
    }
    let mut encoded = [0; SHORT_TEXT_BYTES + 2];
    encoded[..2].copy_from_slice(&[TEXT, text.len() as u8]);
    encoded[2..2 + text.len()].copy_from_slice(text);
    key_hash(&encoded[..2 + text.len()])
}

/// The hash of a key that is one integer, or a date in days or a timestamp in microseconds.
pub fn integer_key_hash(value: i64) -> u64 {
    let mut encoded = [INTEGER; 9];
    encoded[1..].copy_from_slice(&value.to_le_bytes());
    key_hash(&encoded)
}

/// Writes a number in as few bytes as it needs, seven bits each, the lowest first (LEB128).
pub fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_column_hash_as_their_encoding() {
        for length in [0, 1, 12, 15, 61, 62, 63, 64, 127, 128, 400] {
            let text = "k".repeat(length);
            let mut encoded = Vec::new();
            encode_text(text.as_bytes(), &mut encoded);
            assert_eq!(text_key_hash(text.as_bytes()), key_hash(&encoded), "{length}");
        }
        for value in [0, -1, 19_000, i64::MIN, i64::MAX] {
            let mut encoded = Vec::new();
            encode_integer(value, &mut encoded);
            assert_eq!(integer_key_hash(value), key_hash(&encoded));
        }
    }

    /// Stored state and files are in this order.
    #[test]
    fn the_hash_is_the_one_that_lakes_were_written_by() {
        assert_eq!(text_key_hash(b"DE0007164600"), xxh3_64(b"\x01\x0cDE0007164600"));
        assert_eq!(integer_key_hash(7), xxh3_64(&[4, 7, 0, 0, 0, 0, 0, 0, 0]));
    }
}
