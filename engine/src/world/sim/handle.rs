//! What a simulated disk hands out: files that are open, and locks.
//!
//! Invariants: a file that is open stays what it is when its name goes away or is given to another
//! one; an operation on it is counted and done under the lock of the disk it came from.

use std::fmt::{self, Arguments};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::disk::{State, length};
use super::faults::{Fault, Operation};
use super::file::Content;
use crate::world::disk::{FileLock, FileReader, FileWriter};

/// A file that is open, for reading or for writing.
pub(super) struct SimFile {
    pub state: Arc<Mutex<State>>,
    /// The name it was opened under, for the trace.
    pub path: PathBuf,
    pub file: Arc<Mutex<Content>>,
}

impl SimFile {
    /// Counts an operation; its fault, and the lock under which it is done.
    fn count(
        &self,
        what: Operation,
        detail: Arguments<'_>,
    ) -> (MutexGuard<'_, State>, Option<Fault>) {
        let mut state = self.state.lock();
        let fault = state.faults.next(what, &self.path, detail);
        (state, fault)
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile({})", self.path.display())
    }
}

impl FileWriter for SimFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let (_state, fault) = self.count(Operation::Append, format_args!(" +{}", bytes.len()));
        if fault == Some(Fault::ShortWrite) {
            let (half, _) = bytes.split_at(bytes.len() / 2);
            self.file.lock().append(half);
        }
        Fault::refuse(fault)?;
        self.file.lock().append(bytes);
        Fault::report(fault)
    }

    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let (_state, fault) = self.count(Operation::MakeRoom, format_args!(" {bytes}"));
        let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::StorageFull)?;
        if fault == Some(Fault::ShortWrite) {
            self.file.lock().make_room(bytes / 2);
        }
        Fault::refuse(fault)?;
        self.file.lock().make_room(bytes);
        Fault::report(fault)
    }

    fn take_room_back(&self) -> io::Result<()> {
        let (_state, fault) = self.count(Operation::TakeRoomBack, format_args!(""));
        Fault::refuse(fault)?;
        self.file.lock().take_room_back();
        Fault::report(fault)
    }

    fn sync(&self) -> io::Result<()> {
        let (_state, fault) = self.count(Operation::Sync, format_args!(""));
        if let Err(error) = Fault::refuse(fault) {
            self.file.lock().fail_sync();
            return Err(error);
        }
        self.file.lock().sync();
        Fault::report(fault)
    }
}

impl FileReader for SimFile {
    fn len(&self) -> io::Result<u64> {
        let (_state, fault) = self.count(Operation::Len, format_args!(""));
        Fault::report(fault)?;
        Ok(length(&self.file.lock()))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let detail = format_args!(" {offset}+{}", buffer.len());
        let (_state, fault) = self.count(Operation::ReadAt, detail);
        Fault::report(fault)?;
        if buffer.is_empty() {
            return Ok(());
        }
        let content = self.file.lock();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = content.bytes().get(start..start.saturating_add(buffer.len()));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A lock; dropping it gives it back.
pub(super) struct SimLock {
    pub state: Arc<Mutex<State>>,
    pub path: PathBuf,
}

impl fmt::Debug for SimLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimLock({})", self.path.display())
    }
}

impl FileLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.state.lock().locks.remove(&self.path);
    }
}
