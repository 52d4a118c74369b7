//! Answers as bytes: Arrow IPC stream, JSON array of objects, CSV. Batch by batch, so that no answer is held whole.

use std::sync::Arc;

use arrow::{
    array::{Array, RecordBatch},
    csv,
    datatypes::{FieldRef, SchemaRef},
    error::ArrowError,
    ipc::writer::StreamWriter,
    json::{
        Encoder as JsonEncoder, EncoderFactory, EncoderOptions,
        writer::{JsonArray, NullableEncoder, Writer, WriterBuilder},
    },
    util::display::{ArrayFormatter, FormatOptions},
};

use crate::error::{Error, ErrorKind, Result};

/// What an answer is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Arrow IPC stream.
    Arrow,
    /// Array of objects; nulls are there, decimals are strings so that they keep their digits.
    Json,
    /// Comma-separated with a header line.
    Csv,
}

impl Format {
    /// The first type of an `Accept` header that can be had; JSON when nothing is asked for.
    pub fn negotiate(accept: Option<&str>) -> Result<Format> {
        let Some(accept) = accept else { return Ok(Format::Json) };
        let wanted = accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        let found = wanted.filter_map(|media| match media {
            "application/vnd.apache.arrow.stream" => Some(Format::Arrow),
            "application/json" | "application/*" | "*/*" => Some(Format::Json),
            "text/csv" | "text/*" => Some(Format::Csv),
            _ => None,
        });
        found.into_iter().next().ok_or_else(|| {
            let message = "answers come as application/vnd.apache.arrow.stream, application/json or text/csv";
            Error::new(ErrorKind::BadRequest, message)
        })
    }

    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Arrow => "application/vnd.apache.arrow.stream",
            Format::Json => "application/json",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }
}

/// Writes one answer.
pub enum Encoder {
    /// Arrow IPC stream.
    Arrow(StreamWriter<Vec<u8>>),
    /// JSON array.
    Json(Writer<Vec<u8>, JsonArray>),
    /// CSV of batches of this schema.
    Csv(SchemaRef),
}

impl Encoder {
    /// For answers of a schema.
    pub fn new(format: Format, schema: &SchemaRef) -> Result<Encoder> {
        Ok(match format {
            Format::Arrow => Encoder::Arrow(StreamWriter::try_new(Vec::new(), schema).map_err(failed)?),
            Format::Json => Encoder::Json(json_writer()),
            Format::Csv => Encoder::Csv(schema.clone()),
        })
    }

    /// What comes before the first batch. Of CSV that is the header, so that an empty answer has it too.
    pub fn begin(&mut self) -> Result<Vec<u8>> {
        match self {
            Encoder::Arrow(writer) => Ok(std::mem::take(writer.get_mut())),
            Encoder::Json(_) => Ok(Vec::new()),
            Encoder::Csv(schema) => csv_of(&RecordBatch::new_empty(schema.clone()), true),
        }
    }

    /// One batch.
    pub fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        match self {
            Encoder::Arrow(writer) => {
                writer.write(batch).map_err(failed)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Encoder::Json(writer) => {
                writer.write(batch).map_err(failed)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Encoder::Csv(_) => csv_of(batch, false),
        }
    }

    /// What comes after the last batch.
    pub fn end(self) -> Result<Vec<u8>> {
        match self {
            Encoder::Arrow(mut writer) => {
                writer.finish().map_err(failed)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Encoder::Json(mut writer) => {
                writer.finish().map_err(failed)?;
                Ok(writer.into_inner())
            }
            Encoder::Csv(_) => Ok(Vec::new()),
        }
    }
}

/// Nulls are written, and decimals as strings, because most readers of JSON would round them.
fn json_writer() -> Writer<Vec<u8>, JsonArray> {
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    builder.with_encoder_factory(Arc::new(DecimalsAsText)).build(Vec::new())
}

/// Writes decimals as JSON strings.
#[derive(Debug)]
pub struct DecimalsAsText;

impl EncoderFactory for DecimalsAsText {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        if !array.data_type().is_decimal() {
            return Ok(None);
        }
        let formatter = ArrayFormatter::try_new(array, &FormatOptions::new())?;
        Ok(Some(NullableEncoder::new(Box::new(QuotedDecimal(formatter)), array.nulls().cloned())))
    }
}

/// Digits, sign and point need no escape.
struct QuotedDecimal<'a>(ArrayFormatter<'a>);

impl JsonEncoder for QuotedDecimal<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("\"{}\"", self.0.value(row)).as_bytes());
    }
}

fn csv_of(batch: &RecordBatch, header: bool) -> Result<Vec<u8>> {
    let builder = csv::WriterBuilder::new().with_header(header).with_timestamp_format(RFC3339.to_owned());
    let mut writer = builder.with_timestamp_tz_format(RFC3339.to_owned()).build(Vec::new());
    writer.write(batch).map_err(failed)?;
    Ok(writer.into_inner())
}

const RFC3339: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

fn failed(error: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "the answer could not be written").because(error)
}
