//! A whole answer: its batches under one schema.
//!
//! The framing of the stream is read here; messages and batches are `arrow-ipc`'s. Its own stream reader also joins
//! dictionaries, which the server does not send, with kernels that would be a tenth of the download.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::{Message, MessageHeader, convert::fb_to_schema, reader::read_record_batch, root_as_message};
use arrow_schema::SchemaRef;

/// An answer, decoded.
#[derive(Debug, Clone)]
pub struct Table {
    /// Names and types of its columns.
    pub schema: SchemaRef,
    /// Its rows, in order.
    pub batches: Vec<RecordBatch>,
}

impl Table {
    /// Decodes an Arrow IPC stream. Fails with a plain sentence where the bytes are not one, or end too early.
    pub fn decode(bytes: &[u8]) -> Result<Table, String> {
        decode(bytes).map_err(|reason| format!("the answer could not be decoded: {reason}"))
    }

    /// Rows in all.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The position of a column.
    pub fn column(&self, name: &str) -> Result<usize, String> {
        self.schema.index_of(name).map_err(|_| format!("the answer has no column '{name}'"))
    }

    /// The positions of several columns, in the order asked for.
    pub fn columns<const N: usize>(&self, names: [&str; N]) -> Result<[usize; N], String> {
        let mut positions = [0; N];
        for (position, name) in positions.iter_mut().zip(names) {
            *position = self.column(name)?;
        }
        Ok(positions)
    }

    /// Walks all rows in order: each item is the columns of a batch and a row in it.
    pub fn each_row(&self) -> impl Iterator<Item = (&[ArrayRef], usize)> {
        self.batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch.columns(), row)))
    }
}

/// Marks the start of a message, before its length. Streams of old writers leave it out.
const CONTINUATION: [u8; 4] = [0xff; 4];

fn decode(bytes: &[u8]) -> Result<Table, String> {
    let mut rest = bytes;
    let schema = match next_message(&mut rest)? {
        Some((message, _)) => message.header_as_schema().ok_or("it does not start with a schema")?,
        None => return Err("it is empty".to_owned()),
    };
    let schema = Arc::new(fb_to_schema(schema));
    let mut batches = Vec::new();
    while let Some((message, body)) = next_message(&mut rest)? {
        let Some(batch) = message.header_as_record_batch() else {
            let found = message.header_type().variant_name().unwrap_or("something unknown");
            return Err(format!("a batch was expected, and there is {found}"));
        };
        let version = message.version();
        let batch = read_record_batch(&body.into(), batch, schema.clone(), &HashMap::new(), None, &version);
        batches.push(batch.map_err(|error| error.to_string())?);
    }
    Ok(Table { schema, batches })
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
    let length = length.try_into().map(u32::from_le_bytes).map_err(|_| truncated())?;
    if length == 0 {
        return Ok(None);
    }
    let message = root_as_message(take(rest, length as usize)?).map_err(|error| error.to_string())?;
    let body = usize::try_from(message.bodyLength()).map_err(|_| truncated())?;
    let has_body = message.header_type() != MessageHeader::Schema;
    let body = take(rest, if has_body { body } else { 0 })?;
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

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray, StringViewArray};
    use arrow_ipc::writer::StreamWriter;
    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    pub(crate) fn encode(batches: &[RecordBatch]) -> Vec<u8> {
        let mut writer = StreamWriter::try_new(Vec::new(), &batches[0].schema()).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.into_inner().unwrap()
    }

    fn batch(names: &[&str], counts: &[i64]) -> RecordBatch {
        let fields = vec![
            Field::new("name", DataType::Utf8, false),
            Field::new("view", DataType::Utf8View, false),
            Field::new("count", DataType::Int64, false),
        ];
        RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            vec![
                Arc::new(StringArray::from(names.to_vec())),
                Arc::new(StringViewArray::from(names.to_vec())),
                Arc::new(Int64Array::from(counts.to_vec())),
            ],
        )
        .unwrap()
    }

    #[test]
    fn a_stream_of_several_batches_reads_back_in_order() {
        let bytes = encode(&[batch(&["a", "b"], &[1, 2]), batch(&["a name longer than twelve bytes"], &[3])]);
        let table = Table::decode(&bytes).unwrap();
        let [name, view, count] = table.columns(["name", "view", "count"]).unwrap();
        let rows: Vec<_> = table
            .each_row()
            .map(|(columns, row)| {
                (
                    crate::arrow::text(&columns[name], row).unwrap(),
                    crate::arrow::display(&columns[view], row).unwrap(),
                    crate::arrow::integer(&columns[count], row).unwrap(),
                )
            })
            .collect();
        assert_eq!(table.rows(), 3);
        assert_eq!(rows[0], ("a", "a".to_owned(), 1));
        assert_eq!(rows[2], ("a name longer than twelve bytes", "a name longer than twelve bytes".to_owned(), 3));
    }

    #[test]
    fn broken_bytes_and_missing_columns_are_said_plainly() {
        let bytes = encode(&[batch(&["a"], &[1])]);
        assert!(Table::decode(b"not arrow").unwrap_err().starts_with("the answer could not be decoded"));
        assert!(Table::decode(&bytes[..bytes.len() / 2]).is_err());
        let table = Table::decode(&bytes).unwrap();
        assert_eq!(table.columns(["name", "level"]).unwrap_err(), "the answer has no column 'level'");
    }
}
