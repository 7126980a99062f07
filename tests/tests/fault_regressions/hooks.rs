//! A disk that calls a hook before each operation, so that a test can stop a thread there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use asofdb::world::World;
use asofdb::world::disk::{Disk, FileLock, FileReader, FileWriter};
use asofdb::world::sim::SimWorld;
use bytes::Bytes;

type Hook = Arc<dyn Fn(&str, &Path) + Send + Sync>;

pub(crate) struct HookDisk {
    inner: Arc<dyn Disk>,
    hook: Hook,
}
impl std::fmt::Debug for HookDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookDisk")
    }
}
impl HookDisk {
    pub(crate) fn new(
        inner: Arc<dyn Disk>,
        hook: impl Fn(&str, &Path) + Send + Sync + 'static,
    ) -> Self {
        Self { inner, hook: Arc::new(hook) }
    }
}
struct W(Box<dyn FileWriter>, std::path::PathBuf, Hook);
impl std::fmt::Debug for W {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("W")
    }
}
impl FileWriter for W {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (self.2)("append", &self.1);
        self.0.append(bytes)
    }
    fn sync(&self) -> io::Result<()> {
        (self.2)("sync", &self.1);
        self.0.sync()
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
        Ok(Box::new(W(inner, path.to_owned(), self.hook.clone())))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn FileReader>> {
        (self.hook)("open", path);
        self.inner.open(path)
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

/// A gate: a thread that comes waits until it is opened; others can wait until one came.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<(bool, bool)>, Condvar)>);
impl Gate {
    pub(crate) fn pass(&self) {
        let mut s = self.0.0.lock().unwrap();
        s.0 = true;
        self.0.1.notify_all();
        while !s.1 {
            s = self.0.1.wait(s).unwrap();
        }
    }
    pub(crate) fn came(&self) {
        let mut s = self.0.0.lock().unwrap();
        while !s.0 {
            s = self.0.1.wait(s).unwrap();
        }
    }
    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().1 = true;
        self.0.1.notify_all();
    }
}

pub(crate) fn hooked(sim: &SimWorld, hook: impl Fn(&str, &Path) + Send + Sync + 'static) -> World {
    let inner: Arc<dyn Disk> = sim.disk.clone();
    World { disk: Arc::new(HookDisk::new(inner, hook)), ..sim.world() }
}
