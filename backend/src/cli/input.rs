//! Files of several kinds as lines of JSON.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, stdin},
    path::Path,
    sync::Arc,
};

use arrow::{
    array::RecordBatch,
    csv,
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
    ipc::reader::{FileReader, StreamReader},
    json::{LineDelimitedWriter, writer::LineDelimited, writer::WriterBuilder},
};
use flate2::read::MultiGzDecoder;
use model::{ColumnType, DatasetDefinition};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::ingest::InputFormat;
use crate::error::{Error, ErrorKind, Result};

/// Lines, one after the other.
pub enum Lines {
    /// Lines as they are in the file.
    Text(Box<dyn BufRead>),
    /// Lines made from record batches.
    Batches { batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>, ready: std::vec::IntoIter<u8> },
}

/// Opens a file, or standard input for `-`.
pub fn open(path: &Path, format: Option<InputFormat>, definition: &DatasetDefinition) -> Result<Lines> {
    let name = path.to_string_lossy();
    let unreadable = |e: std::io::Error| Error::new(ErrorKind::Io, format!("{name} cannot be read")).because(e);
    let format = format.unwrap_or_else(|| by_ending(name.trim_end_matches(".gz")));
    if format == InputFormat::Parquet {
        if name == "-" {
            return Err(Error::new(ErrorKind::BadRequest, "Parquet cannot be read from standard input; name the file"));
        }
        let file = File::open(path).map_err(unreadable)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
        let reader =
            reader.map_err(|e| Error::new(ErrorKind::Io, format!("{name} is not a Parquet file")).because(e))?;
        return Ok(Lines::of_batches(reader));
    }
    if format == InputFormat::Arrow && name != "-" && is_arrow_file(path).map_err(unreadable)? {
        let file = File::open(path).map_err(unreadable)?;
        let reader = FileReader::try_new(BufReader::new(file), None).map_err(|e| not_that(&name, "Arrow", e))?;
        return Ok(Lines::of_batches(reader));
    }
    let raw: Box<dyn Read> =
        if name == "-" { Box::new(stdin()) } else { Box::new(File::open(path).map_err(unreadable)?) };
    let plain: Box<dyn Read> = if name.ends_with(".gz") { Box::new(MultiGzDecoder::new(raw)) } else { raw };
    let mut text = BufReader::with_capacity(1 << 20, plain);
    match format {
        InputFormat::Ndjson => Ok(Lines::Text(Box::new(text))),
        InputFormat::Csv => {
            let mut header = String::new();
            text.read_line(&mut header).map_err(unreadable)?;
            let schema = csv_schema(&header, definition).map_err(|e| not_that(&name, "CSV", e))?;
            let reader = csv::ReaderBuilder::new(schema).build_buffered(text).map_err(|e| not_that(&name, "CSV", e))?;
            Ok(Lines::of_batches(reader))
        }
        InputFormat::Arrow | InputFormat::Parquet => {
            let reader = StreamReader::try_new(text, None).map_err(|e| not_that(&name, "Arrow", e))?;
            Ok(Lines::of_batches(reader))
        }
    }
}

impl Lines {
    fn of_batches(batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'static) -> Lines {
        Lines::Batches { batches: Box::new(batches), ready: Vec::new().into_iter() }
    }

    /// Appends a line with its line feed; false at the end.
    pub fn next_line(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        match self {
            Lines::Text(text) => Ok(text.read_until(b'\n', out)? > 0),
            Lines::Batches { batches, ready } => loop {
                let before = out.len();
                for byte in ready.by_ref() {
                    out.push(byte);
                    if byte == b'\n' {
                        break;
                    }
                }
                if out.len() > before {
                    return Ok(true);
                }
                let Some(batch) = batches.next() else { return Ok(false) };
                *ready = to_lines(&batch.map_err(|e| not_that("the file", "readable", e))?)?.into_iter();
            },
        }
    }
}

fn to_lines(batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer: LineDelimitedWriter<Vec<u8>> = WriterBuilder::new().build::<_, LineDelimited>(Vec::new());
    writer.write(batch).and_then(|()| writer.finish()).map_err(|e| not_that("the file", "representable as JSON", e))?;
    Ok(writer.into_inner())
}

/// Columns by the header's names; those the dataset has as truth values are read as such, all others as text, so that
/// no digit changes on the way.
fn csv_schema(header: &str, definition: &DatasetDefinition) -> Result<Arc<Schema>, ArrowError> {
    let mut names = csv::reader::Format::default().with_header(true);
    names = names.with_delimiter(b',');
    let (inferred, _) = names.infer_schema(header.as_bytes(), Some(0))?;
    let is_bool = |name: &str| {
        definition
            .columns
            .iter()
            .any(|c| c.column_type == ColumnType::Bool && c.path.as_deref().unwrap_or(&c.name) == name)
    };
    let field = |field: &Arc<Field>| {
        let data_type = if is_bool(field.name()) { DataType::Boolean } else { DataType::Utf8 };
        Field::new(field.name(), data_type, true)
    };
    Ok(Arc::new(Schema::new(inferred.fields().iter().map(field).collect::<Vec<_>>())))
}

fn by_ending(name: &str) -> InputFormat {
    match name.rsplit('.').next() {
        Some("csv") => InputFormat::Csv,
        Some("parquet") => InputFormat::Parquet,
        Some("arrow" | "arrows" | "feather") => InputFormat::Arrow,
        _ => InputFormat::Ndjson,
    }
}

fn is_arrow_file(path: &Path) -> std::io::Result<bool> {
    let mut magic = [0; 6];
    let mut file = File::open(path)?;
    let read = file.read(&mut magic)?;
    file.rewind()?;
    Ok(read == 6 && &magic == b"ARROW1")
}

fn not_that(name: &str, what: &str, source: ArrowError) -> Error {
    Error::new(ErrorKind::Io, format!("{name} is not {what}")).because(source)
}
