//! The real disk: the file system of the operating system.
//!
//! Invariants: no call keeps anything of its own between calls, so that the files are the only
//! state; every descriptor is closed when another program is executed. Syncing means that the
//! device was told to keep the bytes, not only the kernel: `fdatasync` on Linux, `F_FULLFSYNC` on
//! macOS, which is what `std` does for either.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asofdb_format::wire::{narrow, wide};
use bytes::Bytes;
use parking_lot::Mutex;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::disk::{Disk, FileLock, FileReader, FileWriter, no_growth};
use super::map;

/// The file system of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[expect(clippy::disallowed_methods, reason = "this is the real disk behind the Disk trait")]
impl Disk for RealDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(here(dir))
    }

    fn absolute(&self, dir: &Path) -> io::Result<PathBuf> {
        std::path::absolute(here(dir))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(here(dir))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                continue;
            }
            // A name that is not UTF-8 cannot be one that the engine gave.
            if let Ok(name) = entry.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Box::new(RealWriter { file, end: Mutex::new(0) }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn FileReader>> {
        Ok(Arc::new(RealFile(File::open(path)?)))
    }

    fn map(&self, path: &Path, len: u64) -> io::Result<Bytes> {
        map::map(path, len)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        no_growth(file.metadata()?.len(), len)?;
        file.set_len(len)?;
        file.sync_all()
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(here(dir))?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        // A lock of `flock` belongs to the open file, unlike a POSIX record lock, which a second
        // store in this process would be given too, and would give back for both.
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Box::new(RealLock(file)))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The parent of a bare relative name is an empty path, which means the current directory.
fn here(dir: &Path) -> &Path {
    if dir.as_os_str().is_empty() { Path::new(".") } else { dir }
}

/// A file that is open for writing, and where what is appended next begins.
#[derive(Debug)]
struct RealWriter {
    file: File,
    end: Mutex<u64>,
}

/// So many zeros are written at once.
static ZEROS: [u8; 32 << 10] = [0; 32 << 10];

impl FileWriter for RealWriter {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut end = self.end.lock();
        self.file.write_all_at(bytes, *end)?;
        *end += wide(bytes.len());
        Ok(())
    }

    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let end = self.end.lock();
        let (mut at, room_end) = (*end, end.saturating_add(bytes));
        while at < room_end {
            let zeros = ZEROS.get(..narrow(room_end - at)).unwrap_or(&ZEROS);
            self.file.write_all_at(zeros, at)?;
            at += wide(zeros.len());
        }
        Ok(())
    }

    fn take_room_back(&self) -> io::Result<()> {
        let end = self.end.lock();
        self.file.set_len(*end)?;
        self.file.sync_all()
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A file that is open for reading.
#[derive(Debug)]
struct RealFile(File);

impl FileReader for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
}

/// A lock; closing the file gives it back.
#[derive(Debug)]
struct RealLock(#[expect(dead_code, reason = "held for its descriptor alone")] File);

impl FileLock for RealLock {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::disk::check;

    #[test]
    fn the_real_disk_keeps_the_contract_of_the_trait() {
        let dir = tempfile::tempdir().unwrap();
        check::contract(&RealDisk, dir.path());
    }

    #[test]
    fn two_writers_cannot_hold_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        check::two_writers_cannot_hold_the_lock(&RealDisk, dir.path());
    }

    #[test]
    fn the_lock_file_may_hold_text_and_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        RealDisk.create(&path).unwrap().append(b"text").unwrap();
        drop(RealDisk.lock(&path).unwrap().unwrap());
        assert_eq!(RealDisk.open(&path).unwrap().len().unwrap(), 4);
    }

    #[test]
    fn the_parent_of_a_bare_name_is_the_current_directory() {
        RealDisk.sync_dir(Path::new("name").parent().unwrap()).unwrap();
    }
}
