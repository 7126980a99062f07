//! The disk: what the engine asks of a file system, and the real one.
//!
//! Paths are whole paths. A file is written once, from front to back, by one [`FileWriter`], over
//! room that it made before if it did; only [`Disk::truncate`] shortens one, and a writer that takes
//! its room back. Names become durable with [`Disk::sync_dir`], bytes with [`FileWriter::sync`];
//! neither does the work of the other. Whoever syncs a name must have made the directories above it
//! durable too. A sync that failed is final: bytes that it was asked to keep may be lost even if a
//! later one succeeds.

use std::cmp::Ordering;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

pub use super::real_disk::RealDisk;

/// A file system as the engine uses it.
pub trait Disk: Send + Sync + Debug {
    /// Makes a directory and its parents; nothing happens if it is there.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// The path that means the same directory wherever the process works later: of one that is relative,
    /// from where it works now. By default the path itself.
    fn absolute(&self, dir: &Path) -> io::Result<PathBuf> {
        Ok(dir.to_path_buf())
    }
    /// The names of the files in a directory, in no order; directories in it are left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes a new, empty file and opens it for writing; an error if there is one of this name.
    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>>;
    /// Opens an existing file for reading.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn FileReader>>;
    /// Maps an existing file of exactly `len` bytes, which nobody writes any more; an
    /// `UnexpectedEof` error if it is shorter, `InvalidData` if it is longer.
    fn map(&self, path: &Path, len: u64) -> io::Result<Bytes>;
    /// Gives a file another name, in place of the file that has it now, if any.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a file's name away; who has it open goes on reading it.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Shortens a file that nobody writes any more and makes its new length and what it holds durable;
    /// an `InvalidInput` error if it is shorter than that.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the lock of a file (made if missing); `None` if somebody else holds it. It is held
    /// until the box is dropped, or the process ends.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>>;
}

/// A file that is being written.
pub trait FileWriter: Send + Sync + Debug {
    /// Adds bytes behind those appended before. After an error some of them may have been added.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;
    /// Writes so many zeros behind what was appended, for what is appended next to be written over: a
    /// sync of a file that need not grow has less to write. Whoever reads the file finds the zeros. A
    /// disk may do nothing, and after an error there may be some.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let _ = bytes;
        Ok(())
    }
    /// Takes away the zeros behind what was appended, and makes the file durable as it then is.
    fn take_room_back(&self) -> io::Result<()> {
        self.sync()
    }
    /// Makes all bytes appended before this call durable.
    fn sync(&self) -> io::Result<()>;
}

/// A file that is being read.
#[expect(clippy::len_without_is_empty, reason = "the engine never asks whether a file is empty")]
pub trait FileReader: Send + Sync + Debug {
    /// Its length in bytes now.
    fn len(&self) -> io::Result<u64>;
    /// Fills the buffer from a place in the file; an `UnexpectedEof` error if it is too short.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// A lock that is held.
pub trait FileLock: Send + Sync + Debug {}

/// An error if a file that is to be mapped has not the length that it is known by.
pub(super) fn exact_length(found: u64, expected: u64) -> io::Result<()> {
    let kind = match found.cmp(&expected) {
        Ordering::Equal => return Ok(()),
        Ordering::Less => io::ErrorKind::UnexpectedEof,
        Ordering::Greater => io::ErrorKind::InvalidData,
    };
    Err(io::Error::new(kind, format!("the file has {found} bytes, not {expected}")))
}

/// An error if truncating to `len` would make a file longer.
pub(super) fn no_growth(found: u64, len: u64) -> io::Result<()> {
    if len <= found {
        return Ok(());
    }
    let why = format!("the file has {found} bytes and cannot be shortened to {len}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

#[cfg(test)]
pub mod check;
