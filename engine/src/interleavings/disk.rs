//! A simulated disk of which loom sees what matters: when a sync covers what, and when a name goes.
//!
//! A sync keeps only what was appended before it began, which is all that a disk promises; what a
//! failed one was to keep is lost, though later ones succeed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use loom::sync::atomic::{AtomicUsize, Ordering};
use parking_lot::Mutex;

use crate::world::disk::{Disk, FileLock, FileReader, FileWriter};
use crate::world::sim::{CrashPolicy, Fault, SimDisk};

/// A disk that loom watches.
#[derive(Debug)]
pub(super) struct WatchedDisk {
    disk: Arc<SimDisk>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Counts the steps of writers; all of them depend on one another.
    steps: AtomicUsize,
    /// How many names were taken away.
    removals: AtomicUsize,
    removed: Mutex<Vec<PathBuf>>,
    lengths: Mutex<BTreeMap<PathBuf, Length>>,
    /// How many more syncs of logs come before the one that fails, if one is to.
    syncs_until_failure: Mutex<Option<usize>>,
}

/// How much of a file was appended, and how much of that survives a power cut.
#[derive(Debug, Default)]
struct Length {
    written: u64,
    durable: u64,
    /// A sync failed: there is a hole behind what was durable.
    holed: bool,
}

impl WatchedDisk {
    pub(super) fn new() -> Self {
        let shared = Shared {
            steps: AtomicUsize::new(0),
            removals: AtomicUsize::new(0),
            removed: Mutex::new(Vec::new()),
            lengths: Mutex::new(BTreeMap::new()),
            syncs_until_failure: Mutex::new(None),
        };
        Self { disk: Arc::new(SimDisk::new()), shared: Arc::new(shared) }
    }

    /// After so many more syncs of logs, one fails.
    pub(super) fn fail_a_log_sync_after(&self, good: usize) {
        *self.shared.syncs_until_failure.lock() = Some(good);
    }

    /// The disk as it is found after the power went out and only what was synced stayed.
    pub(super) fn after_power_cut(&self) -> SimDisk {
        self.disk.crash_clone(0, CrashPolicy::STRICT)
    }

    /// How often a file was taken away by now.
    pub(super) fn removals(&self, path: &Path) -> usize {
        self.shared.removals.fetch_add(0, Ordering::Relaxed);
        self.shared.removed.lock().iter().filter(|removed| *removed == path).count()
    }

    /// How much of a file is durable by now.
    pub(super) fn durable(&self, path: &Path) -> u64 {
        self.shared.steps.fetch_add(0, Ordering::Relaxed);
        self.shared.lengths.lock().get(path).map_or(0, |length| length.durable)
    }
}

impl Disk for WatchedDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>> {
        let file = self.disk.create(path)?;
        let (disk, shared) = (Arc::clone(&self.disk), Arc::clone(&self.shared));
        Ok(Box::new(Writer { file, path: path.to_owned(), disk, shared }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn FileReader>> {
        self.disk.open(path)
    }

    fn map(&self, path: &Path, len: u64) -> io::Result<Bytes> {
        self.disk.map(path, len)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.shared.removals.fetch_add(1, Ordering::Relaxed);
        self.shared.removed.lock().push(path.to_owned());
        self.disk.remove(path)
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.disk.truncate(path, len)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        self.disk.lock(path)
    }
}

/// A file that is being written.
#[derive(Debug)]
struct Writer {
    file: Box<dyn FileWriter>,
    path: PathBuf,
    disk: Arc<SimDisk>,
    shared: Arc<Shared>,
}

impl Writer {
    fn is_log(&self) -> bool {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("LOG"))
    }

    fn fails_now(&self) -> bool {
        let mut left = self.shared.syncs_until_failure.lock();
        let now = *left == Some(0);
        *left = left.and_then(|left| left.checked_sub(1));
        now
    }

    /// A step that those of others on a log may come before or after.
    fn step<T>(&self, act: impl FnOnce(&mut Length) -> T) -> T {
        if self.is_log() {
            self.shared.steps.fetch_add(1, Ordering::Relaxed);
        }
        act(self.shared.lengths.lock().entry(self.path.clone()).or_default())
    }
}

impl FileWriter for Writer {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(bytes)?;
        self.step(|length| length.written += bytes.len() as u64);
        Ok(())
    }

    fn make_room(&self, bytes: u64) -> io::Result<()> {
        self.file.make_room(bytes)
    }

    fn take_room_back(&self) -> io::Result<()> {
        self.file.take_room_back()
    }

    fn sync(&self) -> io::Result<()> {
        let fails = self.is_log() && self.fails_now();
        let covered = self.step(|length| {
            length.holed |= fails;
            length.written
        });
        if fails {
            self.disk.fail_at(self.disk.operations(), Fault::Error(io::ErrorKind::Other));
        }
        self.file.sync()?;
        self.step(|length| {
            if !length.holed {
                length.durable = covered.max(length.durable);
            }
        });
        Ok(())
    }
}
