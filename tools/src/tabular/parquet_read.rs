//! Reading Parquet as a stream of chunks of rows.
//!
//! The library that reads it panics on some damaged files and takes any memory for others: such a
//! file is an error like any other.

use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Fields, SchemaRef, TimeUnit};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::cell::Cell;
use super::guard::guarded;
use super::parquet_bounds::{Groups, Input};
use crate::error::{Error, Result};
use crate::times;

/// Rows of a Parquet file, column by column.
pub struct ParquetChunk {
    batch: RecordBatch,
    first: u64,
}

impl ParquetChunk {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// The number of a row in its file, from 1.
    pub fn number(&self, row: usize) -> u64 {
        self.first + row as u64
    }

    /// The columns.
    pub const fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// One cell.
    pub fn cell(&self, row: usize, column: usize) -> Result<Cell<'_>> {
        let Some(array) = self.batch.columns().get(column) else { return Ok(Cell::Null) };
        cell(array.as_ref(), row)
            .map_err(|what| Error::Failed(format!("Parquet row {}: {what}", self.number(row))))
    }

    /// One cell as text; `None` if it is null. Moments keep their nanoseconds here.
    pub fn text(&self, row: usize, column: usize) -> Result<Option<Vec<u8>>> {
        if let Some(array) = self.batch.columns().get(column)
            && matches!(array.data_type(), DataType::Timestamp(TimeUnit::Nanosecond, _))
            && array.is_valid(row)
            && array.as_primitive::<TimestampNanosecondType>().value(row).rem_euclid(1_000) != 0
        {
            let at = array.as_primitive::<TimestampNanosecondType>().value(row);
            let date = times::format(at.div_euclid(1_000_000_000) * 1_000_000);
            let date = date.trim_end_matches('Z');
            return Ok(Some(format!("{date}.{:09}Z", at.rem_euclid(1_000_000_000)).into_bytes()));
        }
        Ok(self.cell(row, column)?.to_text().map(Cow::into_owned))
    }
}

/// A Parquet file that is being read.
pub struct ParquetReader {
    groups: GroupReader,
    file: String,
    schema: SchemaRef,
    columns: Vec<String>,
    /// Rows that were read and not yet given out.
    rest: Option<RecordBatch>,
    next_row: u64,
}

/// Reads some row groups after others.
struct GroupReader {
    input: Arc<Input>,
    metadata: Arc<ParquetMetaData>,
    levels: FieldLevels,
    fields: Fields,
    batches: Option<ParquetRecordBatchReader>,
    next_group: usize,
}

impl GroupReader {
    fn new(input: Arc<Input>) -> Result<(Self, SchemaRef), ParquetError> {
        let metadata = Arc::new(input.metadata()?);
        let read = ArrowReaderMetadata::try_new(metadata.clone(), ArrowReaderOptions::new())?;
        let schema = read.schema().clone();
        let fields = schema.fields().clone();
        let described = metadata.file_metadata().schema_descr();
        let levels =
            parquet_to_arrow_field_levels(described, ProjectionMask::all(), Some(&fields))?;
        Ok((Self { input, metadata, levels, fields, batches: None, next_group: 0 }, schema))
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, String> {
        loop {
            if let Some(batches) = &mut self.batches
                && let Some(batch) = batches.next()
            {
                return batch.map(Some).map_err(|error| error.to_string());
            }
            let groups = Groups::from(self.next_group, &self.input, &self.metadata);
            let Some(groups) = groups else { return Ok(None) };
            self.batches = Some(self.open(&groups).map_err(|error| error.to_string())?);
            self.next_group = groups.end();
        }
    }

    fn open(&self, groups: &Groups) -> Result<ParquetRecordBatchReader, ParquetError> {
        let rows = groups.rows_at_once(&self.fields)?;
        ParquetRecordBatchReader::try_new_with_row_groups(&self.levels, groups, rows, None)
    }
}

impl ParquetReader {
    /// Reads the footer; tells the number of rows too.
    pub fn new(input: File, file: &str) -> Result<(Self, u64)> {
        let failed =
            |what: String| Error::Failed(format!("{file} cannot be read as Parquet: {what}"));
        let input = Input::new(input).map_err(|error| failed(error.to_string()))?;
        let input = Arc::new(input);
        let opened = guarded(|| GroupReader::new(input.clone()).map_err(|error| error.to_string()));
        let (groups, schema) = opened
            .and_then(|opened| opened)
            .map_err(|error| failed(input.refusal().unwrap_or(error)))?;
        let rows = groups.metadata.file_metadata().num_rows();
        let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
        let file = file.to_owned();
        let reader = Self { groups, file, schema, columns, rest: None, next_row: 1 };
        Ok((reader, u64::try_from(rows).unwrap_or_default()))
    }

    /// The columns' names.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The columns' types.
    pub const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows were read so far.
    pub const fn position(&self) -> u64 {
        self.next_row - 1
    }

    /// The next rows, `None` at the end.
    pub fn next_chunk(&mut self, max_rows: usize) -> Result<Option<ParquetChunk>> {
        let read = match self.rest.take() {
            Some(rest) => Ok(Some(rest)),
            None => guarded(|| self.groups.next()).and_then(|read| read),
        };
        let batch = read.map_err(|error| {
            let error = self.groups.input.refusal().unwrap_or(error);
            Error::Failed(format!(
                "{} cannot be read after row {}: {error}",
                self.file,
                self.position()
            ))
        })?;
        let Some(batch) = batch else { return Ok(None) };
        let rows = batch.num_rows().min(max_rows);
        if rows < batch.num_rows() {
            self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        let first = self.next_row;
        self.next_row += rows as u64;
        Ok(Some(ParquetChunk { batch: batch.slice(0, rows), first }))
    }
}

/// One cell of an array; columns of types without a cell of their own come as text.
fn cell(array: &dyn Array, row: usize) -> Result<Cell<'_>, String> {
    if array.is_null(row) {
        return Ok(Cell::Null);
    }
    macro_rules! number {
        ($type:ty) => {
            array.as_primitive::<$type>().value(row)
        };
    }
    macro_rules! moment {
        ($number:expr, $make:expr) => {
            match $make($number) {
                Some(micros) => Cell::Time(micros),
                None => return Err(format!("the time {} is out of range", $number)),
            }
        };
    }
    Ok(match array.data_type() {
        DataType::Null => Cell::Null,
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        DataType::Int8 => Cell::I64(number!(Int8Type).into()),
        DataType::Int16 => Cell::I64(number!(Int16Type).into()),
        DataType::Int32 => Cell::I64(number!(Int32Type).into()),
        DataType::Int64 => Cell::I64(number!(Int64Type)),
        DataType::UInt8 => Cell::I64(number!(UInt8Type).into()),
        DataType::UInt16 => Cell::I64(number!(UInt16Type).into()),
        DataType::UInt32 => Cell::I64(number!(UInt32Type).into()),
        DataType::UInt64 => {
            let number = number!(UInt64Type);
            i64::try_from(number).map_or(Cell::TooLarge(number), Cell::I64)
        }
        DataType::Float32 => Cell::F32(number!(Float32Type)),
        DataType::Float64 => Cell::F64(number!(Float64Type)),
        DataType::Utf8 => Cell::Text(Cow::Borrowed(array.as_string::<i32>().value(row))),
        DataType::LargeUtf8 => Cell::Text(Cow::Borrowed(array.as_string::<i64>().value(row))),
        DataType::Utf8View => Cell::Text(Cow::Borrowed(array.as_string_view().value(row))),
        DataType::Binary => Cell::Bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Cell::Bytes(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => Cell::Bytes(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => Cell::Bytes(array.as_fixed_size_binary().value(row)),
        DataType::Timestamp(TimeUnit::Second, _) => {
            moment!(number!(TimestampSecondType), |at: i64| at.checked_mul(1_000_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            moment!(number!(TimestampMillisecondType), |at: i64| at.checked_mul(1_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Cell::Time(number!(TimestampMicrosecondType))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            Cell::Time(number!(TimestampNanosecondType).div_euclid(1_000))
        }
        DataType::Date32 => {
            moment!(number!(Date32Type), |day: i32| i64::from(day).checked_mul(86_400_000_000))
        }
        DataType::Date64 => moment!(number!(Date64Type), |at: i64| at.checked_mul(1_000)),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = dictionary.normalized_keys().get(row).copied().unwrap_or_default();
            return cell(dictionary.values().as_ref(), key);
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            list(array, row)?
        }
        _ => as_text(array, row)?,
    })
}

/// A list: a vector if it is one of floats.
fn list(array: &dyn Array, row: usize) -> Result<Cell<'static>, String> {
    let list = match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value(row),
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        _ => array.as_fixed_size_list().value(row),
    };
    floats(list.as_ref()).map_or_else(|| as_text(array, row), Ok)
}

/// A list as floats; `None` if it is a list of something else.
fn floats(list: &dyn Array) -> Option<Cell<'static>> {
    if !matches!(list.data_type(), DataType::Float32 | DataType::Float64) {
        return None;
    }
    if list.null_count() > 0 {
        return Some(Cell::Floats(None));
    }
    #[expect(clippy::cast_possible_truncation, reason = "vectors are of f32 by definition")]
    let floats = match list.data_type() {
        DataType::Float32 => list.as_primitive::<Float32Type>().values().to_vec(),
        _ => list.as_primitive::<Float64Type>().values().iter().map(|&wide| wide as f32).collect(),
    };
    Some(Cell::Floats(Some(floats)))
}

fn as_text(array: &dyn Array, row: usize) -> Result<Cell<'static>, String> {
    let formatter = ArrayFormatter::try_new(array, &FormatOptions::default())
        .map_err(|error| format!("a {} cannot be written as text: {error}", array.data_type()))?;
    formatter
        .value(row)
        .try_to_string()
        .map(|text| Cell::Text(Cow::Owned(text)))
        .map_err(|error| format!("a {} cannot be written as text: {error}", array.data_type()))
}

#[cfg(test)]
mod tests;
