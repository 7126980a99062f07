//! Maps a published file into memory.
//!
//! Invariants: a file is mapped whole, read-only, and only if it has exactly the length that its
//! caller knows it by. The mapping lives as long as the last [`Bytes`] cut from it, even if the
//! file loses its name before.

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;
use memmap2::Mmap;

use super::disk;

/// Maps a file of exactly `len` bytes, which nobody writes any more.
///
/// No advice is given to the kernel: Linux takes a touch through a `MADV_RANDOM` map for no use of
/// the page, so that the hottest pages of a table would be the first to leave the cache.
pub fn map(path: &Path, len: u64) -> io::Result<Bytes> {
    #[expect(clippy::disallowed_methods, reason = "this is the real disk behind the Disk trait")]
    let file = File::open(path)?;
    disk::exact_length(file.metadata()?.len(), len)?;
    let len = usize::try_from(len).map_err(|_| {
        io::Error::new(io::ErrorKind::OutOfMemory, "the file is larger than the address space")
    })?;
    if len == 0 {
        return Ok(Bytes::new());
    }
    map_file(&file, len).map(Bytes::from_owner)
}

#[expect(unsafe_code, reason = "a file can only be mapped by an unsafe call")]
fn map_file(file: &File, len: usize) -> io::Result<Mmap> {
    // The bytes behind a `&[u8]` must not change while it lives. Files that reach this
    // point were written, synced and given their final name before; the engine has no writer for
    // such a file and `Disk::truncate` is only called on logs, which are read and not mapped. To
    // take a file away the engine removes its name, which leaves the mapping whole. The store's
    // lock keeps a second engine from writing in the directory. What remains is a foreign program
    // that overwrites or shortens a store's file, or a device that fails under it: the first is
    // outside of what a store can promise, and both end in a checksum error or in SIGBUS; who
    // cannot accept that reads through `FileReader` instead. `len` is not larger than the file,
    // which was measured through this very descriptor.
    // SAFETY: nobody changes or shortens the file while it is mapped, as argued above.
    unsafe { memmap2::MmapOptions::new().len(len).map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::disk::{Disk, RealDisk};

    fn file_of(dir: &Path, bytes: &[u8]) -> std::path::PathBuf {
        let path = dir.join("file");
        RealDisk.create(&path).unwrap().append(bytes).unwrap();
        path
    }

    #[test]
    fn a_file_of_another_length_is_not_mapped() {
        let dir = tempfile::tempdir().unwrap();
        let path = file_of(dir.path(), b"12345");
        assert_eq!(map(&path, 6).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(map(&path, 4).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(map(&path, 5).unwrap(), &b"12345"[..]);
        let missing = dir.path().join("missing");
        assert_eq!(map(&missing, 0).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn an_empty_file_maps_to_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = file_of(dir.path(), b"");
        assert_eq!(map(&path, 0).unwrap(), Bytes::new());
    }

    #[test]
    fn a_slice_outlives_the_name_and_the_map_it_came_from() {
        let dir = tempfile::tempdir().unwrap();
        let path = file_of(dir.path(), b"0123456789");
        let whole = map(&path, 10).unwrap();
        let slice = whole.slice(3..6);
        drop(whole);
        RealDisk.remove(&path).unwrap();
        assert_eq!(slice, &b"345"[..]);
    }
}
