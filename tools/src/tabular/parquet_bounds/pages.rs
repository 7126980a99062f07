//! The pages of a column, each held against what it may take before it is unpacked or decoded.

use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::packed::{behind_deltas, longest_text, snappy_most, zstd_keeps_to, zstd_most};
use super::thrift::{
    DEFINITION_BYTES, DICTIONARY_VALUES, Fault, IS_PACKED, KIND, REPETITION_BYTES, Said, UNPACKED,
    VALUES, VALUES_2, page_header,
};
use super::{Input, PAGE_BYTES};

/// What the header of a page may take: the least and the greatest value may stand in it.
const HEADER_BYTES: u64 = 16 << 20;
/// How many lengths of texts a page may have, of four bytes each.
const LENGTHS: u64 = PAGE_BYTES / 4;
const DICTIONARY_PAGE: i64 = 2;
const DATA_PAGE_2: i64 = 3;

/// A column of a row group.
struct Column {
    input: Arc<Input>,
    name: String,
    codec: Compression,
    /// The least that a value of a dictionary takes, in bits.
    value_bits: u64,
    /// How many values all pages may have together, where the levels tell how many a row has.
    most_values: Option<u64>,
    levels: [i16; 2],
    state: Mutex<State>,
}

/// What the last header said, and all before.
#[derive(Default)]
struct State {
    said: Said,
    values: u64,
}

impl Column {
    fn refuse<T>(&self, what: impl std::fmt::Display) -> Result<T> {
        self.input.refuse(format!("a page of column {} {what}", self.name))
    }

    /// The header of a page.
    fn header(&self, at: u64) -> Result<Vec<u8>> {
        let mut piece = 512;
        loop {
            let mut bytes = self.input.read(at, piece)?;
            match page_header(&bytes) {
                Ok((length, said)) => {
                    bytes.truncate(length);
                    self.check_header(&said)?;
                    return Ok(bytes);
                }
                Err(Fault::Short) if bytes.len() as u64 == piece && piece < HEADER_BYTES => {
                    piece *= 8;
                }
                Err(Fault::Short) => return self.refuse("has a header that does not end"),
                Err(Fault::Wrong(what)) => return self.refuse(format!("is damaged: {what}")),
            }
        }
    }

    fn check_header(&self, said: &Said) -> Result<()> {
        let numbers = said.iter().flatten();
        if let Some(number) =
            numbers.copied().find(|&said| i32::try_from(said).map_or(true, |said| said < 0))
        {
            return self.refuse(format!("is damaged: its header has the number {number}"));
        }
        let told = |index: usize| {
            let told = said.get(index).copied().flatten();
            told.and_then(|told| u64::try_from(told).ok()).unwrap_or(0)
        };
        let bytes = told(UNPACKED);
        if bytes > PAGE_BYTES {
            return self.refuse(format!(
                "says that it holds {bytes} bytes, and at most {PAGE_BYTES} are read; write it with smaller pages"
            ));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match said[KIND] {
            Some(DICTIONARY_PAGE) => {
                let values = told(DICTIONARY_VALUES);
                if values.saturating_mul(self.value_bits) > bytes * 8 {
                    return self.refuse(format!(
                        "is damaged: it says that its {bytes} bytes hold {values} values"
                    ));
                }
            }
            Some(DATA_PAGE_2) => state.values += told(VALUES_2),
            _ => state.values += told(VALUES),
        }
        state.said = *said;
        match self.most_values {
            Some(most) if state.values > most => self.refuse(format!(
                "is damaged: with those before it has {} values, and the column {most}",
                state.values
            )),
            _ => Ok(()),
        }
    }

    /// What a packed page becomes must be what its header says.
    fn check_packed(&self, bytes: &[u8]) -> Result<()> {
        let said = self.state.lock().unwrap_or_else(PoisonError::into_inner).said;
        let told = |index: usize| said.get(index).copied().flatten().unwrap_or(0);
        let levels = told(DEFINITION_BYTES) + told(REPETITION_BYTES);
        let stated = u64::try_from(told(UNPACKED) - levels).unwrap_or(0);
        if said[IS_PACKED] == Some(0) || stated == 0 {
            return Ok(());
        }
        let packed = usize::try_from(levels).ok().and_then(|levels| bytes.get(levels..));
        let packed = packed.unwrap_or_default();
        let most = match self.codec {
            Compression::SNAPPY => snappy_most(packed.len()),
            Compression::ZSTD(_) => zstd_most(packed),
            _ => return Ok(()),
        };
        if stated > most {
            let length = packed.len();
            return self.refuse(format!(
                "is damaged: it says that its {length} bytes become {stated}, and at most {most} can come of them"
            ));
        }
        if matches!(self.codec, Compression::ZSTD(_)) && !zstd_keeps_to(stated, packed) {
            return self
                .refuse(format!("is damaged: it becomes more than the {stated} bytes it says"));
        }
        Ok(())
    }

    /// Texts that are kept as differences have their number once more among the packed bytes.
    fn check_page(&self, page: &Page) -> Result<()> {
        if !matches!(
            page.encoding(),
            Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY
        ) {
            return Ok(());
        }
        let most = u64::from(page.num_values()).min(LENGTHS);
        let rest = behind_deltas(self.values(page), most);
        let rest = match page.encoding() {
            Encoding::DELTA_BYTE_ARRAY => rest.and_then(|rest| behind_deltas(rest, most)),
            _ => rest,
        };
        if rest.is_none() {
            return self.refuse(format!(
                "is damaged: it has more lengths of texts than its {most} values"
            ));
        }
        Ok(())
    }

    /// The values of a page, which stand behind the levels.
    fn values<'p>(&self, page: &'p Page) -> &'p [u8] {
        let mut rest = page.buffer().as_ref();
        match page {
            Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
                let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                rest = usize::try_from(levels)
                    .ok()
                    .and_then(|levels| rest.get(levels..))
                    .unwrap_or_default();
            }
            Page::DataPage { num_values, def_level_encoding, rep_level_encoding, .. } => {
                for (most, encoding) in
                    self.levels.iter().zip([rep_level_encoding, def_level_encoding])
                {
                    rest = behind_levels(rest, *most, *encoding, *num_values).unwrap_or_default();
                }
            }
            Page::DictionaryPage { .. } => {}
        }
        rest
    }
}

fn behind_levels(bytes: &[u8], most: i16, encoding: Encoding, values: u32) -> Option<&[u8]> {
    if most == 0 {
        return Some(bytes);
    }
    if encoding == Encoding::RLE {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        return rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..);
    }
    let bits = u64::from(most.unsigned_abs().ilog2() + 1);
    bytes.get(usize::try_from((u64::from(values) * bits).div_ceil(8)).ok()?..)
}

/// The bytes of a column, for the library: what it reads of them are headers, what it gets is the
/// page behind the last one.
struct Chunk(Arc<Column>);

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.0.input.length
    }
}

impl ChunkReader for Chunk {
    type T = Header;

    fn get_read(&self, start: u64) -> Result<Header> {
        Ok(Header { column: self.0.clone(), at: start, bytes: None })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.0.input.read(start, length as u64)?;
        if bytes.len() < length {
            return self.0.refuse("ends behind the file");
        }
        self.0.check_packed(&bytes)?;
        Ok(bytes.into())
    }
}

/// The header of a page; it is looked for when it is read, which is not always done.
struct Header {
    column: Arc<Column>,
    at: u64,
    bytes: Option<Cursor<Vec<u8>>>,
}

impl Read for Header {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = match self.bytes.take() {
            Some(bytes) => bytes,
            None => Cursor::new(self.column.header(self.at).map_err(io::Error::other)?),
        };
        self.bytes.insert(bytes).read(buffer)
    }
}

/// The pages of a column.
pub struct Pages {
    inner: SerializedPageReader<Chunk>,
    column: Arc<Column>,
    begun: bool,
}

impl Pages {
    /// Those of this column of a row group, which has so many rows.
    pub fn new(input: Arc<Input>, chunk: &ColumnChunkMetaData, rows: usize) -> Result<Self> {
        let described = chunk.column_descr();
        let value_bits = match chunk.column_type() {
            Type::BOOLEAN => 1,
            Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 32,
            Type::INT64 | Type::DOUBLE => 64,
            Type::INT96 => 96,
            Type::FIXED_LEN_BYTE_ARRAY => {
                8 * u64::try_from(described.type_length()).unwrap_or(0).max(1)
            }
        };
        let column = Arc::new(Column {
            input,
            name: described.path().string(),
            codec: chunk.compression(),
            value_bits,
            most_values: (described.max_rep_level() > 0)
                .then(|| u64::try_from(chunk.num_values()).unwrap_or(0)),
            levels: [described.max_rep_level(), described.max_def_level()],
            state: Mutex::default(),
        });
        let inner = SerializedPageReader::new(Arc::new(Chunk(column.clone())), chunk, rows, None)?;
        Ok(Self { inner, column, begun: false })
    }

    /// The longest text of the dictionary, 0 if there is none.
    pub fn longest_text(mut self) -> Result<u64> {
        if !self.peek_next_page()?.is_some_and(|page| page.is_dict) {
            return Ok(0);
        }
        let page = self.get_next_page()?;
        Ok(page.map_or(0, |page| longest_text(page.buffer())))
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(page) = self.inner.get_next_page()? else { return Ok(None) };
        // How many rows are read at once goes by the dictionary that was found at the front.
        if self.begun && matches!(page, Page::DictionaryPage { .. }) {
            return self.column.refuse("is damaged: it is a dictionary behind other pages");
        }
        self.begun = true;
        self.column.check_page(&page)?;
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.begun = true;
        self.inner.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.inner.at_record_boundary()
    }
}

impl Iterator for Pages {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
