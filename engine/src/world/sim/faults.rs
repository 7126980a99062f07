//! Which operation of a simulated disk goes wrong, and how.
//!
//! Invariants: every armed operation has a number, counted from 0 in the order in which the disk
//! takes them; a plan names a number and so hits the same operation in every run of a program
//! that does the same things. Operations that are not armed have no number and never fail.

use std::fmt::{self, Arguments};
use std::io;
use std::path::{Path, PathBuf};

/// What is done to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `Disk::create_dir_all`.
    CreateDir,
    /// `Disk::list`.
    List,
    /// `Disk::create`.
    Create,
    /// `Disk::open`.
    Open,
    /// `Disk::map`.
    Map,
    /// `Disk::rename`.
    Rename,
    /// `Disk::remove`.
    Remove,
    /// `Disk::truncate`.
    Truncate,
    /// `Disk::sync_dir`.
    SyncDir,
    /// `Disk::lock`.
    Lock,
    /// `FileWriter::append`.
    Append,
    /// `FileWriter::make_room`.
    MakeRoom,
    /// `FileWriter::take_room_back`.
    TakeRoomBack,
    /// `FileWriter::sync`.
    Sync,
    /// `FileReader::len`.
    Len,
    /// `FileReader::read_at`.
    ReadAt,
}

impl Operation {
    /// Whether it changes what is on the disk or makes it durable.
    #[must_use]
    pub const fn writes(self) -> bool {
        !matches!(self, Self::List | Self::Open | Self::Map | Self::Len | Self::ReadAt)
    }
}

/// How an operation goes wrong.
///
/// A sync that goes wrong dooms what it was asked to keep, whatever the fault but
/// [`Fault::Applied`]: a later sync does not make it durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and reports this error.
    Error(io::ErrorKind),
    /// It does nothing, since the disk is full.
    NoSpace,
    /// An append adds the first half of its bytes, or of the room, then the disk is full. Any other
    /// operation fails as by [`Fault::NoSpace`].
    ShortWrite,
    /// It is done in full, and then reports this error all the same.
    Applied(io::ErrorKind),
}

impl Fault {
    /// The error that is reported.
    #[must_use]
    pub fn error(self) -> io::Error {
        let kind = match self {
            Self::Error(kind) | Self::Applied(kind) => kind,
            Self::NoSpace | Self::ShortWrite => io::ErrorKind::StorageFull,
        };
        io::Error::new(kind, Injected)
    }

    /// The error, unless the operation is to be done first.
    pub(super) fn refuse(fault: Option<Self>) -> io::Result<()> {
        match fault {
            None | Some(Self::Applied(_)) => Ok(()),
            Some(fault) => Err(fault.error()),
        }
    }

    /// The error of an operation that was done.
    pub(super) fn report(fault: Option<Self>) -> io::Result<()> {
        fault.map_or(Ok(()), |fault| Err(fault.error()))
    }
}

/// What an error of a simulated disk holds if a plan put it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injected;

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault of the simulated disk")
    }
}

impl std::error::Error for Injected {}

/// An operation that went wrong as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// What was done.
    pub operation: Operation,
    /// The file or directory; of a rename, the name that was to go.
    pub path: PathBuf,
    /// How it went wrong.
    pub fault: Fault,
}

type Armed = Box<dyn Fn(Operation, &Path) -> bool + Send>;

/// The plans, the count, and what was seen.
#[derive(Default)]
pub(super) struct Faults {
    plans: Vec<Plan>,
    armed: Option<Armed>,
    count: u64,
    hits: Vec<Hit>,
    trace: Option<Vec<String>>,
}

struct Plan {
    number: u64,
    onwards: bool,
    fault: Fault,
}

impl Faults {
    /// Counts an operation; how it goes wrong, if it does.
    pub fn next(
        &mut self,
        operation: Operation,
        path: &Path,
        detail: Arguments<'_>,
    ) -> Option<Fault> {
        let armed = self.armed.as_ref().is_none_or(|armed| armed(operation, path));
        let number = self.count;
        let fault = if armed {
            self.count = self.count.saturating_add(1);
            self.planned(number)
        } else {
            None
        };
        if let Some(fault) = fault {
            self.hits.push(Hit { operation, path: path.to_owned(), fault });
        }
        if let Some(trace) = &mut self.trace {
            let mut line = if armed { number.to_string() } else { "-".to_owned() };
            line.push_str(&format!(" {operation:?} {}{detail}", path.display()));
            if let Some(fault) = fault {
                line.push_str(&format!(": {fault:?}"));
            }
            trace.push(line);
        }
        fault
    }

    fn planned(&self, number: u64) -> Option<Fault> {
        let due = |plan: &&Plan| match plan.onwards {
            true => plan.number <= number,
            false => plan.number == number,
        };
        self.plans.iter().find(due).map(|plan| plan.fault)
    }

    pub fn plan(&mut self, number: u64, onwards: bool, fault: Fault) {
        self.plans.push(Plan { number, onwards, fault });
    }

    pub fn clear(&mut self) {
        self.plans.clear();
    }

    pub fn arm(&mut self, armed: Option<Armed>) {
        self.armed = armed;
    }

    pub const fn count(&self) -> u64 {
        self.count
    }

    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    pub fn start_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    pub fn take_trace(&mut self) -> Vec<String> {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(faults: &mut Faults, operations: &[Operation]) -> Vec<bool> {
        let path = Path::new("/x");
        operations.iter().map(|op| faults.next(*op, path, format_args!("")).is_some()).collect()
    }

    #[test]
    fn a_plan_hits_the_operation_of_its_number_once_or_from_there_on() {
        let mut faults = Faults::default();
        faults.plan(1, false, Fault::NoSpace);
        faults.plan(3, true, Fault::NoSpace);
        assert_eq!(run(&mut faults, &[Operation::Sync; 5]), [false, true, false, true, true]);
        assert_eq!((faults.count(), faults.hits().len()), (5, 3));
        let hit = Hit { operation: Operation::Sync, path: "/x".into(), fault: Fault::NoSpace };
        assert_eq!(faults.hits()[0], hit);
        faults.clear();
        assert_eq!(run(&mut faults, &[Operation::Sync; 1]), [false]);
    }

    #[test]
    fn operations_that_are_not_armed_are_not_counted() {
        let mut faults = Faults::default();
        faults.start_trace();
        faults.arm(Some(Box::new(|operation, _| operation == Operation::Sync)));
        faults.plan(1, false, Fault::Error(io::ErrorKind::Other));
        let program = [Operation::Sync, Operation::Append, Operation::Sync];
        assert_eq!(run(&mut faults, &program), [false, false, true]);
        assert_eq!(faults.count(), 2);
        assert_eq!(faults.take_trace(), ["0 Sync /x", "- Append /x", "1 Sync /x: Error(Other)"]);
    }

    #[test]
    fn an_error_tells_that_it_was_planned() {
        let error = Fault::ShortWrite.error();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.get_ref().is_some_and(|inner| inner.is::<Injected>()));
    }
}
