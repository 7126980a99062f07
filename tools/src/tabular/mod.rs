//! Files of rows and columns: CSV and Parquet, read as a stream of chunks and written likewise.

pub mod cell;
pub mod csv_read;
pub mod csv_write;
mod guard;
mod parquet_bounds;
pub mod parquet_read;
pub mod sink;
pub mod source;

use std::path::Path;

use crate::error::{BadRow, Error, Result};
use cell::Cell;
use csv_read::CsvChunk;
use parquet_read::ParquetChunk;

/// How many rows are read at once.
pub const CHUNK_ROWS: usize = 65_536;

/// What a CSV file may begin with, before its header.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The form of a file by its name, or as said for names that do not tell.
    pub fn of(path: &Path, said: Option<Self>) -> Result<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("parquet" | "pq") => Ok(Self::Parquet),
            _ if is_standard(path) => Ok(said.unwrap_or(Self::Csv)),
            _ => said.ok_or_else(|| {
                Error::Usage(format!(
                    "{} ends neither in .csv nor in .parquet: say which it is with --format",
                    path.display()
                ))
            }),
        }
    }
}

/// Whether a path means the standard input or output.
pub fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// What an unquoted field of a CSV file must be to mean null.
#[derive(Clone, Debug)]
pub struct NullTokens(Vec<Vec<u8>>);

impl Default for NullTokens {
    fn default() -> Self {
        Self(vec![Vec::new()])
    }
}

impl NullTokens {
    /// The empty field and these.
    pub fn new(tokens: &[String]) -> Self {
        let mut nulls = Self::default();
        tokens.iter().for_each(|token| nulls.add(token));
        nulls
    }

    /// One more.
    pub fn add(&mut self, token: &str) {
        self.0.push(token.as_bytes().to_vec());
    }

    /// Whether an unquoted field means null.
    pub fn contains(&self, field: &[u8]) -> bool {
        self.0.iter().any(|token| token == field)
    }
}

/// Some rows of a file.
pub enum Chunk {
    /// Of a CSV file.
    Csv(CsvChunk),
    /// Of a Parquet file.
    Parquet(ParquetChunk),
}

impl Chunk {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        match self {
            Self::Csv(chunk) => chunk.rows(),
            Self::Parquet(chunk) => chunk.rows(),
        }
    }

    /// One cell.
    pub fn cell(&self, row: usize, column: usize) -> Result<Cell<'_>> {
        match self {
            Self::Csv(chunk) => Ok(chunk.cell(row, column)),
            Self::Parquet(chunk) => chunk.cell(row, column),
        }
    }

    /// Where a row is in its file: its line in a CSV file, its place in a Parquet file.
    pub fn number(&self, row: usize) -> u64 {
        match self {
            Self::Csv(chunk) => chunk.line(row),
            Self::Parquet(chunk) => chunk.number(row),
        }
    }

    /// A row that cannot be taken because of one of its cells.
    pub fn bad_row(
        &self,
        file: &str,
        row: usize,
        column: &str,
        expected: impl Into<String>,
        found: Option<&Cell<'_>>,
    ) -> BadRow {
        let number = self.number(row);
        let counted = if matches!(self, Self::Csv(_)) { "line" } else { "row" };
        BadRow {
            file: file.to_owned(),
            counted,
            number,
            column: Some(column.to_owned()),
            expected: expected.into(),
            found: found.map(Cell::show),
        }
    }
}

/// Splits a list of columns or features at its commas; names with a comma stand in quotes, as
/// they would in a CSV header.
pub fn split_list(list: &str) -> Result<Vec<String>> {
    let reader = csv_read::CsvReader::new(list.as_bytes(), "the list", NullTokens::default())
        .map_err(|_| {
            Error::Usage(format!("{list:?} is no list: names with commas between them"))
        })?;
    Ok(reader.columns().iter().map(|name| name.trim().to_owned()).collect())
}

/// Where a column stands among the others.
pub fn find_column(columns: &[String], name: &str, file: &str) -> Result<usize> {
    let mut found = columns.iter().enumerate().filter(|(_, column)| *column == name);
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some(_), Some(_)) => Err(Error::Failed(format!(
            "{file} has more than one column {name:?}; give them different names"
        ))),
        (None, _) => Err(Error::Failed(format!(
            "{file} has no column {name:?}; its columns are {}",
            columns.join(", ")
        ))),
    }
}
