//! Joined rows as Parquet: the spine's columns with their types, the features with theirs.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, FixedSizeListBuilder, Float32Builder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use asofdb::{Feature, JoinedColumn, Value, ValueType};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::columns::{Columns, Content};
use crate::error::{Error, Result};
use crate::infer::Seen;
use crate::tabular::sink::Sink;
use crate::tabular::{CHUNK_ROWS, Chunk};
use crate::values;

/// Writes joined rows as Parquet.
pub struct ParquetOut {
    name: String,
    writer: ArrowWriter<Sink>,
    schema: SchemaRef,
    columns: Vec<Content>,
    features: Vec<ValueType>,
    /// The types of a CSV spine's columns.
    spine: Vec<ValueType>,
    spine_names: Vec<String>,
}

impl ParquetOut {
    /// Begins the file; the spine's types come from its schema, or from a look at all its rows.
    pub fn new(
        sink: Sink,
        columns: &Columns,
        features: &[Feature],
        spine_schema: Option<&SchemaRef>,
        spine_seen: Vec<Seen>,
    ) -> Result<Self> {
        let name = sink.name().to_owned();
        let spine: Vec<ValueType> =
            spine_seen.iter().map(|seen| seen.value_type().unwrap_or(ValueType::Text)).collect();
        let features: Vec<ValueType> = features.iter().map(|feature| feature.value_type).collect();
        let field = |(name, content): &(String, Content)| match *content {
            Content::Spine(index) => match spine_schema {
                Some(schema) => schema.fields().get(index).cloned(),
                None => spine.get(index).map(|seen| nullable(name, data_type(*seen))),
            },
            Content::Value(index) => {
                features.get(index).map(|value_type| nullable(name, data_type(*value_type)))
            }
            Content::Status(_) => Some(Arc::new(Field::new(name, DataType::Utf8, false))),
            Content::EventTime(_) => Some(nullable(name, moments())),
        };
        let fields: Vec<Arc<Field>> = columns.0.iter().filter_map(field).collect();
        let metadata = spine_schema.map(|schema| schema.metadata().clone()).unwrap_or_default();
        let schema = Arc::new(Schema::new(fields).with_metadata(metadata));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_size(4 * CHUNK_ROWS)
            .build();
        let writer = ArrowWriter::try_new(sink, schema.clone(), Some(properties))
            .map_err(|error| failed(&name, error))?;
        let spine_names = columns.0.iter().map(|(name, _)| name.clone()).take(spine.len());
        Ok(Self {
            spine_names: spine_names.collect(),
            columns: columns.0.iter().map(|(_, content)| *content).collect(),
            name,
            writer,
            schema,
            features,
            spine,
        })
    }

    fn array(&self, chunk: &Chunk, joined: &[&JoinedColumn], content: Content) -> Result<ArrayRef> {
        let feature = |index: usize| joined.get(index).copied();
        let rows = 0..chunk.rows();
        Ok(match content {
            Content::Spine(index) => match chunk {
                Chunk::Parquet(chunk) => match chunk.batch().columns().get(index) {
                    Some(array) => array.clone(),
                    None => Arc::new(StringArray::new_null(chunk.rows())),
                },
                Chunk::Csv(_) => self.spine_array(chunk, index)?,
            },
            Content::Value(index) => {
                let value_type = self.features.get(index).copied().unwrap_or(ValueType::Text);
                let cells = rows.map(|row| feature(index).and_then(|column| column.value(row)));
                let cells: Vec<Option<Value>> = cells.collect();
                values_array(cells.iter().map(Option::as_ref), value_type)
            }
            Content::Status(index) => {
                let statuses = feature(index).map(JoinedColumn::status).unwrap_or_default();
                let words = statuses.iter().map(|status| status.as_str());
                Arc::new(StringArray::from_iter_values(words))
            }
            Content::EventTime(index) => {
                let times = rows.map(|row| {
                    let time = feature(index).and_then(|column| column.event_time(row));
                    time.map(|time| time.0)
                });
                Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("UTC"))
            }
        })
    }

    /// A column of a CSV spine.
    fn spine_array(&self, chunk: &Chunk, index: usize) -> Result<ArrayRef> {
        let value_type = self.spine.get(index).copied().unwrap_or(ValueType::Text);
        let mut cells = Vec::with_capacity(chunk.rows());
        for row in 0..chunk.rows() {
            let cell = chunk.cell(row, index)?;
            let value = values::from_cell(&cell, value_type);
            if value.is_none() && cell != crate::tabular::cell::Cell::Null {
                let column = self.spine_names.get(index).map_or("", String::as_str);
                let expected = values::expected(value_type);
                let bad = chunk.bad_row("the spine", row, column, expected, Some(&cell));
                return Err(bad.into());
            }
            cells.push(value);
        }
        Ok(values_array(cells.iter().map(Option::as_ref), value_type))
    }
}

impl super::Writer for ParquetOut {
    fn write(&mut self, chunk: &Chunk, joined: &[&JoinedColumn]) -> Result<()> {
        let arrays = self
            .columns
            .iter()
            .map(|content| self.array(chunk, joined, *content))
            .collect::<Result<Vec<_>>>()?;
        let batch = RecordBatch::try_new(self.schema.clone(), arrays)
            .map_err(|error: ArrowError| failed(&self.name, error.into()))?;
        self.writer.write(&batch).map_err(|error| failed(&self.name, error))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let sink = self.writer.into_inner().map_err(|error| failed(&self.name, error))?;
        sink.finish()
    }
}

fn failed(name: &str, error: ParquetError) -> Error {
    Error::Failed(format!("cannot write {name} as Parquet: {error}"))
}

fn nullable(name: &str, data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new(name, data_type, true))
}

/// Moments as Parquet has them: microseconds, UTC.
fn moments() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn element() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float32, true))
}

fn data_type(value_type: ValueType) -> DataType {
    match value_type {
        ValueType::Bool => DataType::Boolean,
        ValueType::I64 => DataType::Int64,
        ValueType::F32 => DataType::Float32,
        ValueType::F64 => DataType::Float64,
        ValueType::Bytes => DataType::Binary,
        ValueType::Vector(dim) => {
            DataType::FixedSizeList(element(), i32::try_from(dim).unwrap_or(i32::MAX))
        }
        _ => DataType::Utf8,
    }
}

/// Values of one type as an array.
fn values_array<'a>(
    values: impl Iterator<Item = Option<&'a Value>>,
    value_type: ValueType,
) -> ArrayRef {
    match value_type {
        ValueType::Bool => Arc::new(values.map(|value| value?.as_bool()).collect::<BooleanArray>()),
        ValueType::I64 => Arc::new(values.map(|value| value?.as_i64()).collect::<Int64Array>()),
        ValueType::F32 => Arc::new(values.map(|value| value?.as_f32()).collect::<Float32Array>()),
        ValueType::F64 => Arc::new(values.map(|value| value?.as_f64()).collect::<Float64Array>()),
        ValueType::Bytes => {
            let mut builder = BinaryBuilder::new();
            values.for_each(|value| {
                builder.append_option(value.and_then(Value::as_raw_bytes));
            });
            Arc::new(builder.finish())
        }
        ValueType::Vector(dim) => {
            let length = i32::try_from(dim).unwrap_or(i32::MAX);
            let mut builder = FixedSizeListBuilder::new(Float32Builder::new(), length);
            for value in values {
                match value.and_then(Value::as_vector) {
                    Some(vector) => {
                        vector.iter().for_each(|number| builder.values().append_value(number));
                        builder.append(true);
                    }
                    None => {
                        (0..length).for_each(|_| builder.values().append_null());
                        builder.append(false);
                    }
                }
            }
            Arc::new(builder.finish())
        }
        _ => {
            let mut builder = StringBuilder::new();
            for value in values {
                builder.append_option(value.and_then(Value::as_text));
            }
            Arc::new(builder.finish())
        }
    }
}
