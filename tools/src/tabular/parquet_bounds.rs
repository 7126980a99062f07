//! Bounds on what a Parquet file may take, whatever is in it.
//!
//! The library that reads Parquet takes room for what a file says of itself before it looks for it,
//! and what it cannot get ends the process. So the footer is walked through before the library reads
//! it, each page is held against its bounds before the library unpacks it, and how many rows are
//! read at once goes by what a row takes.

mod packed;
mod pages;
mod thrift;

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::{DataType, Fields};
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Type;
use parquet::column::page::{PageIterator, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{
    FooterTail, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};

use super::CHUNK_ROWS;
use pages::Pages;

/// What a page may become when it is unpacked. Writers make pages of about one MiB, some of 100 MB.
pub const PAGE_BYTES: u64 = 128 << 20;
/// What rows that are read at once should take.
const BATCH_BYTES: u64 = 64 << 20;
/// What a value takes that is not said otherwise, with its levels.
const VALUE_BYTES: u64 = 16;

/// A file that is read as Parquet.
pub struct Input {
    file: File,
    length: u64,
    refused: Mutex<Option<String>>,
}

impl Input {
    /// Takes a file.
    pub fn new(file: File) -> Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length, refused: Mutex::new(None) })
    }

    /// Why it was refused here: the library adds words of its own to that.
    pub fn refusal(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn refuse<T>(&self, what: String) -> Result<T> {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(what.clone());
        Err(ParquetError::General(what))
    }

    /// So many bytes from a place on, or fewer at the end.
    fn read(&self, at: u64, bytes: u64) -> Result<Vec<u8>> {
        let there = bytes.min(self.length.saturating_sub(at));
        let mut read = Vec::with_capacity(usize::try_from(there)?);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(at))?;
        file.take(there).read_to_end(&mut read)?;
        Ok(read)
    }

    /// What the footer tells.
    pub fn metadata(&self) -> Result<ParquetMetaData> {
        let end = self.read(self.length.saturating_sub(8), 8)?;
        let Ok(end) = <[u8; 8]>::try_from(end) else {
            return self.refuse(format!("it has only {} bytes", self.length));
        };
        let end = FooterTail::try_new(&end)?;
        if end.is_encrypted_footer() {
            return self.refuse("its footer is encrypted".to_owned());
        }
        let bytes = end.metadata_length() as u64;
        let Some(start) = (self.length - 8).checked_sub(bytes) else {
            return self.refuse(format!(
                "it says that its footer has {bytes} bytes, and it has {} itself",
                self.length
            ));
        };
        let footer = self.read(start, bytes)?;
        thrift::footer(&footer).or_else(|what| self.refuse(what))?;
        ParquetMetaDataReader::decode_metadata(&footer)
    }
}

/// Row groups that are read one after the other.
pub struct Groups {
    input: Arc<Input>,
    metadata: Arc<ParquetMetaData>,
    groups: Range<usize>,
}

impl Groups {
    /// The row groups from this one on that together have rows enough to be read at once; `None`
    /// behind the last.
    pub fn from(first: usize, input: &Arc<Input>, metadata: &Arc<ParquetMetaData>) -> Option<Self> {
        let mut rows = 0_u64;
        let mut end = first;
        for group in metadata.row_groups().get(first..)? {
            end += 1;
            rows = rows.saturating_add(u64::try_from(group.num_rows()).unwrap_or(0));
            if rows >= CHUNK_ROWS as u64 {
                break;
            }
        }
        let (input, metadata) = (input.clone(), metadata.clone());
        (end > first).then(|| Self { input, metadata, groups: first..end })
    }

    /// The row group behind these.
    pub const fn end(&self) -> usize {
        self.groups.end
    }

    /// How many of their rows are read at once.
    pub fn rows_at_once(&self, fields: &Fields) -> Result<usize> {
        for field in fields {
            let padding = fixed(field.data_type());
            if padding > BATCH_BYTES {
                return self.input.refuse(format!(
                    "each row of column {} takes {padding} bytes, and at most {BATCH_BYTES} are read",
                    field.name()
                ));
            }
        }
        let mut most = 1;
        for group in self.groups.clone() {
            most = self.row_bytes(group, fields)?.max(most);
        }
        let rows = usize::try_from(BATCH_BYTES / most).unwrap_or(CHUNK_ROWS);
        Ok(rows.clamp(1, CHUNK_ROWS).min(self.num_rows().max(1)))
    }

    /// What a row takes, more or less.
    fn row_bytes(&self, index: usize, fields: &Fields) -> Result<u64> {
        let group = self.metadata.row_group(index);
        let rows = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
        let per_row = |all: i64| u64::try_from(all).unwrap_or(0).div_ceil(rows);
        let mut bytes = fields.iter().map(|field| fixed(field.data_type())).sum::<u64>();
        for (column, chunk) in group.columns().iter().enumerate() {
            let mut value = VALUE_BYTES;
            if chunk.column_type() == Type::BYTE_ARRAY {
                value += self.pages(index, column)?.longest_text()?;
                bytes = bytes.saturating_add(per_row(chunk.uncompressed_size()));
            }
            let values = per_row(chunk.num_values()).max(1);
            bytes = bytes.saturating_add(value.saturating_mul(values));
        }
        Ok(bytes)
    }

    fn pages(&self, group: usize, column: usize) -> Result<Pages> {
        pages_of(&self.input, &self.metadata, group, column)
    }
}

/// What a value takes although it is null, because all values of its type have that length.
fn fixed(kind: &DataType) -> u64 {
    let times = |count: i32, each: u64| each.saturating_mul(u64::try_from(count).unwrap_or(0));
    match kind {
        DataType::FixedSizeBinary(bytes) => times(*bytes, 1),
        DataType::FixedSizeList(of, count) => times(*count, fixed(of.data_type()).max(VALUE_BYTES)),
        DataType::List(of) | DataType::LargeList(of) | DataType::Map(of, _) => {
            fixed(of.data_type())
        }
        DataType::Struct(fields) => {
            fields.iter().fold(0, |sum, field| sum.saturating_add(fixed(field.data_type())))
        }
        _ => 0,
    }
}

fn pages_of(
    input: &Arc<Input>,
    metadata: &ParquetMetaData,
    group: usize,
    column: usize,
) -> Result<Pages> {
    let group = metadata.row_groups().get(group);
    let found = group.and_then(|group| Some((group.columns().get(column)?, group.num_rows())));
    let Some((chunk, rows)) = found else {
        return input.refuse(format!("a row group has no column {column}"));
    };
    Pages::new(input.clone(), chunk, usize::try_from(rows)?)
}

impl RowGroups for Groups {
    fn num_rows(&self) -> usize {
        let rows = self.row_groups().map(|group| usize::try_from(group.num_rows()).unwrap_or(0));
        rows.fold(0, usize::saturating_add)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let (input, metadata) = (self.input.clone(), self.metadata.clone());
        Ok(Box::new(Chunks { input, metadata, groups: self.groups.clone(), column }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups().get(self.groups.clone()).unwrap_or_default().iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// A column through row groups.
struct Chunks {
    input: Arc<Input>,
    metadata: Arc<ParquetMetaData>,
    groups: Range<usize>,
    column: usize,
}

impl Iterator for Chunks {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.groups.next()?;
        let pages = pages_of(&self.input, &self.metadata, group, self.column);
        Some(pages.map(|pages| Box::new(pages) as Box<dyn PageReader>))
    }
}

impl PageIterator for Chunks {}

#[cfg(test)]
mod tests;
