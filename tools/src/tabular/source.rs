//! Files that are read, the standard input among them.
//!
//! A file is read more than once (to tell the types of its columns before the first row is taken),
//! so the standard input goes to a temporary file first.

use std::fs::File;
use std::hash::Hasher as _;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use siphasher::sip128::{Hasher128 as _, SipHasher13};
use tempfile::NamedTempFile;

use super::csv_read::CsvReader;
use super::parquet_read::ParquetReader;
use super::{CHUNK_ROWS, Chunk, Format, NullTokens, is_standard};
use crate::error::{BadRow, Error, Result};

/// A file that can be read again and again.
pub struct Source {
    /// How the file is called in messages.
    pub name: String,
    /// Its form.
    pub format: Format,
    path: PathBuf,
    spool: Option<NamedTempFile>,
}

/// What tells a file's content from any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Its length in bytes.
    pub length: u64,
    /// A hash of its bytes.
    pub hash: u128,
}

impl Source {
    /// Takes the file of this path, or the standard input if it is `-`.
    pub fn new(path: &Path, said: Option<Format>) -> Result<Self> {
        let format = Format::of(path, said)?;
        if !is_standard(path) {
            let name = path.display().to_string();
            return Ok(Self { name, format, path: path.to_path_buf(), spool: None });
        }
        let name = "standard input".to_owned();
        let io = |error| Error::io("copy to a temporary file", &name, error);
        let mut spool = NamedTempFile::new().map_err(io)?;
        io::copy(&mut io::stdin().lock(), &mut spool).map_err(io)?;
        Ok(Self { path: spool.path().to_path_buf(), name, format, spool: Some(spool) })
    }

    /// Whether it is the standard input.
    pub const fn is_standard_input(&self) -> bool {
        self.spool.is_some()
    }

    fn open(&self) -> Result<File> {
        let file = File::open(&self.path).map_err(|error| Error::io("open", &self.name, error))?;
        let is_dir = file.metadata().is_ok_and(|metadata| metadata.is_dir());
        if is_dir {
            return Err(Error::Failed(format!("{} is a directory, not a file", self.name)));
        }
        Ok(file)
    }

    /// What tells its content from any other.
    pub fn fingerprint(&self) -> Result<Fingerprint> {
        let mut file = self.open()?;
        let mut hasher = SipHasher13::new();
        let mut buffer = vec![0; 1 << 16];
        let mut length = 0;
        loop {
            let count =
                file.read(&mut buffer).map_err(|error| Error::io("read", &self.name, error))?;
            if count == 0 {
                return Ok(Fingerprint { length, hash: hasher.finish128().as_u128() });
            }
            hasher.write(buffer.get(..count).unwrap_or_default());
            length += count as u64;
        }
    }

    /// Begins to read it from its front.
    pub fn read(&self, nulls: &NullTokens) -> Result<Reader> {
        let file = self.open()?;
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        Ok(match self.format {
            Format::Csv => {
                let input = BufReader::with_capacity(1 << 17, file);
                let reader = CsvReader::new(input, &self.name, nulls.clone())?;
                Reader {
                    inner: Inner::Csv(Box::new(reader)),
                    size: bytes,
                    rows_at_once: CHUNK_ROWS,
                }
            }
            Format::Parquet => {
                let (reader, rows) = ParquetReader::new(file, &self.name)?;
                Reader {
                    inner: Inner::Parquet(Box::new(reader)),
                    size: rows,
                    rows_at_once: CHUNK_ROWS,
                }
            }
        })
    }
}

enum Inner {
    Csv(Box<CsvReader<BufReader<File>>>),
    Parquet(Box<ParquetReader>),
}

/// A file that is being read.
pub struct Reader {
    inner: Inner,
    /// How large the file is, in what [`Reader::position`] counts.
    pub size: u64,
    /// How many rows come at a time at the most.
    pub rows_at_once: usize,
}

impl Reader {
    /// The columns' names.
    pub fn columns(&self) -> &[String] {
        match &self.inner {
            Inner::Csv(reader) => reader.columns(),
            Inner::Parquet(reader) => reader.columns(),
        }
    }

    /// The columns' types, if the file tells them.
    pub fn schema(&self) -> Option<&arrow_schema::SchemaRef> {
        match &self.inner {
            Inner::Csv(_) => None,
            Inner::Parquet(reader) => Some(reader.schema()),
        }
    }

    /// How far it was read: bytes of a CSV file, rows of a Parquet file.
    pub fn position(&self) -> u64 {
        match &self.inner {
            Inner::Csv(reader) => reader.position(),
            Inner::Parquet(reader) => reader.position(),
        }
    }

    /// The next rows, `None` at the end; rows that are broken go to `bad`.
    pub fn next_chunk(&mut self, bad: &mut Vec<BadRow>) -> Result<Option<Chunk>> {
        Ok(match &mut self.inner {
            Inner::Csv(reader) => reader.next_chunk(self.rows_at_once, bad)?.map(Chunk::Csv),
            Inner::Parquet(reader) => reader.next_chunk(self.rows_at_once)?.map(Chunk::Parquet),
        })
    }
}
