//! A disk that counts what is written of a store's files, and is otherwise the one behind it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use asofdb_format::header::FileKind;
use asofdb_format::wire::wide;
use bytes::Bytes;

use crate::files::names;
use crate::metrics::{Monitor, micros, since};
use crate::world::World;
use crate::world::clock::Clock;
use crate::world::disk::{Disk, FileLock, FileReader, FileWriter};

/// The disk of a store that is open.
#[derive(Debug)]
pub(crate) struct Metered {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    monitor: Arc<Monitor>,
}

impl Metered {
    pub(crate) fn of(world: &World, monitor: &Arc<Monitor>) -> Arc<dyn Disk> {
        let (disk, clock) = (Arc::clone(&world.disk), Arc::clone(&world.clock));
        Arc::new(Self { disk, clock, monitor: Arc::clone(monitor) })
    }
}

impl Disk for Metered {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let kind = names::parse(name).map_or(FileKind::Current, |(kind, _)| kind);
        let (clock, monitor) = (Arc::clone(&self.clock), Arc::clone(&self.monitor));
        Ok(Box::new(Writer { file: self.disk.create(path)?, kind, clock, monitor }))
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

/// A file that is being written, and counted.
#[derive(Debug)]
struct Writer {
    file: Box<dyn FileWriter>,
    kind: FileKind,
    clock: Arc<dyn Clock>,
    monitor: Arc<Monitor>,
}

impl FileWriter for Writer {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(bytes)?;
        self.monitor.writes.appended(self.kind, wide(bytes.len()));
        Ok(())
    }

    fn make_room(&self, bytes: u64) -> io::Result<()> {
        self.file.make_room(bytes)
    }

    fn take_room_back(&self) -> io::Result<()> {
        self.file.take_room_back()
    }

    fn sync(&self) -> io::Result<()> {
        let begun = self.clock.running();
        self.file.sync()?;
        self.monitor.writes.synced(self.kind, micros(since(&*self.clock, begun)));
        Ok(())
    }
}
