//! The first bytes of every file of a store.
//!
//! ```text
//! 6 bytes   "asofdb"
//! u8        what the file is: 'C' current, 'M' manifest, 'L' log, 'T' table
//! u8        0x0a
//! u32       format version
//! u32       zero
//! 16 bytes  store id
//! u64       file number; in CURRENT that of the manifest
//! i64       when it was made, microseconds since the Unix epoch
//! u32       CRC-32 of all that
//! u32       zero
//! ```

use crate::FORMAT_VERSION;
use crate::ids::{FileNumber, StoreId};
use crate::wire::{Decoded, Malformed, Reader, Writer};

/// How long a header is.
pub const HEADER_LEN: usize = 56;

/// What every file of a store but LOCK begins with.
pub const MAGIC: &[u8; 6] = b"asofdb";

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// Names the manifest.
    Current,
    /// The history of the store's shape.
    Manifest,
    /// Batches not yet in tables.
    Log,
    /// Versions, grouped by entity.
    Table,
}

impl FileKind {
    /// The letter that files carry.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Current => b'C',
            Self::Manifest => b'M',
            Self::Log => b'L',
            Self::Table => b'T',
        }
    }

    const fn from_letter(letter: u8) -> Option<Self> {
        Some(match letter {
            b'C' => Self::Current,
            b'M' => Self::Manifest,
            b'L' => Self::Log,
            b'T' => Self::Table,
            _ => return None,
        })
    }

    /// The kind in a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Manifest => "manifest",
            Self::Log => "log",
            Self::Table => "table",
        }
    }
}

/// The header of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// What the file is.
    pub kind: FileKind,
    /// The version of the format that it was written in.
    pub version: u32,
    /// The store that it belongs to.
    pub store: StoreId,
    /// Its number.
    pub number: FileNumber,
    /// When it was made, microseconds since the Unix epoch.
    pub made: i64,
}

/// Why a header cannot be taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeaderFault {
    /// The file is none of a store's.
    NotOurs,
    /// It is of a version that this crate does not know.
    Newer(u32),
    /// It is damaged.
    Malformed(Malformed),
}

impl Header {
    /// The header of a new file of the present version.
    #[must_use]
    pub const fn new(kind: FileKind, store: StoreId, number: FileNumber, made: i64) -> Self {
        Self { kind, version: FORMAT_VERSION, store, number, made }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[self.kind.letter(), 0x0a]);
        out.put_u32(self.version);
        out.put_u32(0);
        out.extend_from_slice(&self.store.0);
        out.put_u64(self.number.0);
        out.put_i64(self.made);
        out.put_u32(crc32fast::hash(&out));
        out.put_u32(0);
        out
    }

    /// Reads a header.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let mut reader = Reader::new(bytes);
        let all = Self::fields(&mut reader);
        if bytes.get(..MAGIC.len()).is_some_and(|magic| magic != MAGIC) {
            return Err(HeaderFault::NotOurs);
        }
        let (header, sum, zero) = all.map_err(HeaderFault::Malformed)?;
        let summed = bytes.get(..HEADER_LEN - 8).map(crc32fast::hash);
        if summed != Some(sum) || zero != 0 {
            let fault = Malformed::new(0, "a file header that has its checksum");
            return Err(HeaderFault::Malformed(fault));
        }
        if header.version > FORMAT_VERSION {
            return Err(HeaderFault::Newer(header.version));
        }
        Ok(header)
    }

    fn fields(reader: &mut Reader<'_>) -> Decoded<(Self, u32, u32)> {
        reader.take(MAGIC.len())?;
        let fault = reader.fault("the letter of a kind of file");
        let kind = FileKind::from_letter(reader.u8()?).ok_or(fault)?;
        reader.u8()?;
        let version = reader.u32()?;
        reader.u32()?;
        let store = StoreId(reader.array()?);
        let number = FileNumber(reader.u64()?);
        let made = reader.i64()?;
        let sum = reader.u32()?;
        let zero = reader.u32()?;
        Ok((Self { kind, version, store, number, made }, sum, zero))
    }
}
