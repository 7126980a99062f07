//! A file system in memory that knows what a power cut would leave of it.
//!
//! Invariants: it behaves as a POSIX file system that promises no more than it must. Syncing a
//! file keeps its bytes and its length, not its name; syncing a directory keeps the names in it.
//! A rename is atomic. What was not synced survives in part, out of order and torn. Each call is
//! one step under one lock, so that calls have a common order and numbers.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::faults::{Fault, Faults, Hit, Operation};
use super::file::Content;
use super::handle::{SimFile, SimLock};
use super::names::{Names, Node, plain};
use super::rng::Rng;
use crate::world::disk::{Disk, FileLock, FileReader, FileWriter, exact_length, no_growth};

/// How much of what was not synced a power cut leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashPolicy {
    /// How many of a hundred creations, renames and removals.
    pub names: u8,
    /// How many of a hundred sectors, and of a hundred growths of a file.
    pub data: u8,
}

impl CrashPolicy {
    /// Nothing that was not synced.
    pub const STRICT: Self = Self { names: 0, data: 0 };
    /// Everything.
    pub const ALL: Self = Self { names: 100, data: 100 };

    /// Some policy: few, half, or most of names, of data, or of both.
    pub fn draw(rng: &mut Rng) -> Self {
        let mut percent = || rng.choose(&[0, 10, 50, 90, 100]).copied().unwrap_or(50);
        Self { names: percent(), data: percent() }
    }
}

impl Default for CrashPolicy {
    /// Half of everything.
    fn default() -> Self {
        Self { names: 50, data: 50 }
    }
}

/// A file system in memory.
#[derive(Default)]
pub struct SimDisk {
    pub(super) state: Arc<Mutex<State>>,
}

/// All that there is to a disk.
#[derive(Default)]
pub(super) struct State {
    pub names: Names,
    pub locks: BTreeSet<PathBuf>,
    pub faults: Faults,
}

impl SimDisk {
    /// An empty disk, with a root directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The disk as it is found after the power went out just now. All that was synced is there,
    /// of the rest what the seed draws. Nothing is locked and nothing is planned to fail.
    #[must_use]
    pub fn crash_clone(&self, seed: u64, policy: CrashPolicy) -> Self {
        let mut rng = Rng::new(seed);
        let state = self.state.lock();
        let found = state.names.after_power_cut(|| rng.percent(policy.names));
        let mut names = Names::default();
        for (path, node) in found {
            let node = match node {
                Node::Dir => Node::Dir,
                Node::File(file) => {
                    let content = file.lock().after_power_cut(&mut rng, policy.data);
                    Node::File(Arc::new(Mutex::new(content)))
                }
            };
            names.place(&path, node);
        }
        Self::of(names)
    }

    /// The disk after a power cut that left nothing but what was synced.
    #[must_use]
    pub fn crash_clone_strict(&self) -> Self {
        self.crash_clone(0, CrashPolicy::STRICT)
    }

    /// The disk as another process finds it after this one was killed: everything is there, and
    /// what was not synced is still not durable. Nothing is locked or planned to fail.
    #[must_use]
    pub fn crash_clone_all(&self) -> Self {
        Self::of(self.state.lock().names.copy())
    }

    fn of(names: Names) -> Self {
        let state = State { names, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }
}

/// Faults and what they hit.
impl SimDisk {
    /// The armed operation of this number goes wrong, counted from 0 since the disk was made.
    pub fn fail_at(&self, number: u64, fault: Fault) {
        self.state.lock().faults.plan(number, false, fault);
    }

    /// The armed operation of this number and all after it go wrong, as if the device were gone.
    pub fn fail_from(&self, number: u64, fault: Fault) {
        self.state.lock().faults.plan(number, true, fault);
    }

    /// Nothing is planned to fail any more.
    pub fn heal(&self) {
        self.state.lock().faults.clear();
    }

    /// From now on only operations that this says are counted and can fail. At first all are.
    pub fn arm(&self, which: impl Fn(Operation, &Path) -> bool + Send + 'static) {
        self.state.lock().faults.arm(Some(Box::new(which)));
    }

    /// From now on all operations are counted and can fail.
    pub fn arm_all(&self) {
        self.state.lock().faults.arm(None);
    }

    /// How many armed operations there were: the number of the next one.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state.lock().faults.count()
    }

    /// How many operations went wrong as planned.
    #[must_use]
    pub fn faults_hit(&self) -> u64 {
        u64::try_from(self.state.lock().faults.hits().len()).unwrap_or(u64::MAX)
    }

    /// The operations that went wrong as planned, in their order.
    #[must_use]
    pub fn hits(&self) -> Vec<Hit> {
        self.state.lock().faults.hits().to_vec()
    }

    /// From now on writes down each operation: its number, or `-` if it is not armed, what it
    /// was, on which file, and the fault that hit it.
    pub fn start_trace(&self) {
        self.state.lock().faults.start_trace();
    }

    /// What was written down since the last call.
    #[must_use]
    pub fn take_trace(&self) -> Vec<String> {
        self.state.lock().faults.take_trace()
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk").field("files", &self.files()).finish_non_exhaustive()
    }
}

pub(super) fn length(content: &Content) -> u64 {
    u64::try_from(content.bytes().len()).unwrap_or(u64::MAX)
}

impl State {
    /// Counts an operation; the fault that it reports after it is done, or now the error of one
    /// that is not done.
    fn count(&mut self, what: Operation, path: &Path) -> io::Result<Option<Fault>> {
        let fault = self.faults.next(what, path, format_args!(""));
        Fault::refuse(fault).map(|()| fault)
    }

    fn dir(&self, path: &Path) -> io::Result<()> {
        match self.names.get(path) {
            Some(Node::Dir) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub fn file(&self, path: &Path) -> io::Result<Arc<Mutex<Content>>> {
        match self.names.get(path) {
            Some(Node::File(file)) => Ok(Arc::clone(file)),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Makes an empty file of a name that is free.
    fn create(&mut self, path: &Path) -> io::Result<Arc<Mutex<Content>>> {
        self.dir(path.parent().unwrap_or(Path::new("/")))?;
        if self.names.get(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = Arc::<Mutex<Content>>::default();
        self.names.change(None, Some((path.to_owned(), Node::File(Arc::clone(&file)))));
        Ok(file)
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let dir = plain(dir);
        let mut state = self.state.lock();
        let fault = state.count(Operation::CreateDir, &dir)?;
        let mut missing = Vec::new();
        for dir in dir.ancestors() {
            match state.names.get(dir) {
                Some(Node::Dir) => break,
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => missing.push(dir.to_owned()),
            }
        }
        for dir in missing.into_iter().rev() {
            state.names.change(None, Some((dir, Node::Dir)));
        }
        Fault::report(fault)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let dir = plain(dir);
        let mut state = self.state.lock();
        let fault = state.count(Operation::List, &dir)?;
        state.dir(&dir)?;
        let here = state.names.below(&dir).filter(|(path, _)| path.parent() == Some(&dir));
        let files = here.filter(|(_, node)| matches!(node, Node::File(_)));
        let names = files.filter_map(|(path, _)| Some(path.file_name()?.to_str()?.to_owned()));
        let names = names.collect();
        Fault::report(fault).map(|()| names)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>> {
        let path = plain(path);
        let mut state = self.state.lock();
        let fault = state.count(Operation::Create, &path)?;
        let file = state.create(&path)?;
        Fault::report(fault)?;
        Ok(Box::new(self.opened(path, file)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn FileReader>> {
        let path = plain(path);
        let mut state = self.state.lock();
        let fault = state.count(Operation::Open, &path)?;
        let file = state.file(&path)?;
        Fault::report(fault)?;
        Ok(Arc::new(self.opened(path, file)))
    }

    fn map(&self, path: &Path, len: u64) -> io::Result<Bytes> {
        let path = plain(path);
        let mut state = self.state.lock();
        let fault = state.count(Operation::Map, &path)?;
        let file = state.file(&path)?;
        Fault::report(fault)?;
        let content = file.lock();
        exact_length(length(&content), len)?;
        Ok(if len == 0 { Bytes::new() } else { Bytes::from_owner(content.share()) })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (plain(from), plain(to));
        let mut state = self.state.lock();
        let fault =
            state.faults.next(Operation::Rename, &from, format_args!(" to {}", to.display()));
        Fault::refuse(fault)?;
        let file = state.file(&from)?;
        state.dir(to.parent().unwrap_or(Path::new("/")))?;
        if matches!(state.names.get(&to), Some(Node::Dir)) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if from != to {
            state.names.change(Some(from), Some((to, Node::File(file))));
        }
        Fault::report(fault)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = plain(path);
        let mut state = self.state.lock();
        let fault = state.count(Operation::Remove, &path)?;
        state.file(&path)?;
        state.names.change(Some(path), None);
        Fault::report(fault)
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let path = plain(path);
        let mut state = self.state.lock();
        let fault = state.faults.next(Operation::Truncate, &path, format_args!(" {len}"));
        Fault::refuse(fault)?;
        let file = state.file(&path)?;
        let mut content = file.lock();
        no_growth(length(&content), len)?;
        // It is no longer than the file, so that it fits.
        content.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        Fault::report(fault)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = plain(dir);
        let mut state = self.state.lock();
        let fault = state.faults.next(Operation::SyncDir, &dir, format_args!(""));
        state.dir(&dir)?;
        if let Err(error) = Fault::refuse(fault) {
            state.names.fail_sync(&dir);
            return Err(error);
        }
        state.names.sync(&dir);
        Fault::report(fault)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        let path = plain(path);
        let mut state = self.state.lock();
        let fault = state.count(Operation::Lock, &path)?;
        match state.file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => drop(state.create(&path)?),
            found => drop(found?),
        }
        Fault::report(fault)?;
        if !state.locks.insert(path.clone()) {
            return Ok(None);
        }
        Ok(Some(Box::new(SimLock { state: Arc::clone(&self.state), path })))
    }
}

impl SimDisk {
    fn opened(&self, path: PathBuf, file: Arc<Mutex<Content>>) -> SimFile {
        SimFile { state: Arc::clone(&self.state), path, file }
    }
}

#[cfg(test)]
mod tests;
