//! A disk that calls a hook before each operation that changes it or opens a file, and before each
//! sector that is read, so that a test can stop there whoever asks for it.
//!
//! Invariant: the hook is called while no lock of the disk is held.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asofdb::world::World;
use asofdb::world::disk::{Disk, FileLock, FileReader, FileWriter};
use asofdb::world::sim::SimWorld;
use bytes::Bytes;

type Hook = Arc<dyn Fn(&str, &Path) + Send + Sync>;

struct HookDisk {
    inner: Arc<dyn Disk>,
    hook: Hook,
}

struct HookReader {
    inner: Arc<dyn FileReader>,
    path: PathBuf,
    hook: Hook,
}

struct HookWriter {
    inner: Box<dyn FileWriter>,
    path: PathBuf,
    hook: Hook,
}

/// The world of a simulation, its disk calling `hook` with the operation's name and path.
pub fn hooked(sim: &SimWorld, hook: impl Fn(&str, &Path) + Send + Sync + 'static) -> World {
    let inner: Arc<dyn Disk> = sim.disk.clone();
    World { disk: Arc::new(HookDisk { inner, hook: Arc::new(hook) }), ..sim.world() }
}

impl fmt::Debug for HookDisk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("HookDisk")
    }
}

impl fmt::Debug for HookWriter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HookWriter({})", self.path.display())
    }
}

impl fmt::Debug for HookReader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HookReader({})", self.path.display())
    }
}

impl FileReader for HookReader {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut at = offset;
        for sector in buffer.chunks_mut(512) {
            (self.hook)("read", &self.path);
            self.inner.read_at(at, sector)?;
            at += sector.len() as u64;
        }
        Ok(())
    }
}

impl FileWriter for HookWriter {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (self.hook)("append", &self.path);
        self.inner.append(bytes)
    }

    fn make_room(&self, bytes: u64) -> io::Result<()> {
        (self.hook)("make room", &self.path);
        self.inner.make_room(bytes)
    }

    fn take_room_back(&self) -> io::Result<()> {
        (self.hook)("take room back", &self.path);
        self.inner.take_room_back()
    }

    fn sync(&self) -> io::Result<()> {
        (self.hook)("sync", &self.path);
        self.inner.sync()
    }
}

impl Disk for HookDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.inner.create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>> {
        (self.hook)("create", path);
        let inner = self.inner.create(path)?;
        Ok(Box::new(HookWriter { inner, path: path.to_owned(), hook: Arc::clone(&self.hook) }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn FileReader>> {
        (self.hook)("open", path);
        let inner = self.inner.open(path)?;
        Ok(Arc::new(HookReader { inner, path: path.to_owned(), hook: Arc::clone(&self.hook) }))
    }

    fn map(&self, path: &Path, len: u64) -> io::Result<Bytes> {
        self.inner.map(path, len)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        (self.hook)("rename", from);
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        (self.hook)("remove", path);
        self.inner.remove(path)
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.inner.truncate(path, len)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        (self.hook)("sync_dir", dir);
        self.inner.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        self.inner.lock(path)
    }
}
