//! What a store tells while it works: a listener, and what it is told.

use std::fmt::Debug;
use std::path::PathBuf;

use asofdb_format::ids::{Commit, EventTime, FileNumber, Span};

use crate::types::error::Error;

/// Is told what happens in a store; see [`Options::listener`](crate::Options::listener). Each call
/// does nothing unless it is written.
///
/// A call comes on the thread on which the thing happens, which waits for it: the worker that
/// flushes or compacts, or the caller of the store. It may read from the store, and ask for its
/// stats and metrics. It must not write, flush, compact, alter, erase, revert or close: those may
/// wait for the very work that waits for the listener. Who wants that hands the event to a thread
/// of its own.
///
/// A listener that panics harms nothing but itself: the panic is caught and counted in
/// [`Metrics::listener_panics`](crate::Metrics::listener_panics), and the listener goes on being
/// told. (A program built to abort at a panic ends, as with any panic.) What a listener does to
/// cause an event is not told to it: reading a damaged file inside of a call leads to no further
/// call.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use asofdb::events::{EventListener, FlushEnded};
/// use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType};
///
/// #[derive(Debug, Default)]
/// struct Flushed(AtomicU64);
///
/// impl EventListener for Flushed {
///     fn flush_ended(&self, event: &FlushEnded) {
///         self.0.fetch_add(event.records, Ordering::Relaxed);
///     }
/// }
/// # fn main() -> asofdb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path().join("store");
/// let flushed = Arc::new(Flushed::default());
/// let options = Options::new().listener(Some(Arc::clone(&flushed) as Arc<dyn EventListener>));
/// let store = Store::open(&dir, options)?;
/// store.define(FeatureSpec::new("weather:temp", ValueType::F64))?;
/// let mut batch = Batch::new();
/// batch.put("JFK", "weather:temp", EventTime(1_700_000_000_000_000), 39.0);
/// store.write(batch, Durability::Buffered)?;
/// store.flush()?;
/// assert_eq!(flushed.0.load(Ordering::Relaxed), 1);
/// # store.close()
/// # }
/// ```
pub trait EventListener: Send + Sync + Debug {
    /// A memtable begins to become tables. If that fails, no end is told.
    fn flush_begun(&self, event: &FlushBegun) {
        let _ = event;
    }

    /// A memtable has become tables: they are durable, and reads use them.
    fn flush_ended(&self, event: &FlushEnded) {
        let _ = event;
    }

    /// A merge of tables begins. If it fails, no end is told.
    fn compaction_begun(&self, event: &CompactionBegun) {
        let _ = event;
    }

    /// A merge of tables is done: what came of it is durable, and reads use it.
    fn compaction_ended(&self, event: &CompactionEnded) {
        let _ = event;
    }

    /// A writer has to wait, for too many memtables wait for their flush.
    fn stall_begun(&self, event: &StallBegun) {
        let _ = event;
    }

    /// The writer waits no more.
    fn stall_ended(&self, event: &StallEnded) {
        let _ = event;
    }

    /// A file was found damaged, by a read, by background work or at the opening. Each call of the
    /// store that meets the damage tells it again.
    fn corruption_found(&self, event: &CorruptionFound) {
        let _ = event;
    }

    /// The recorded horizon of a feature has risen: reads below it are refused from now on,
    /// whatever the clock says.
    fn horizon_risen(&self, event: &HorizonRisen) {
        let _ = event;
    }

    /// A flush or a compaction in the background failed. Writers that wait for it are told by
    /// their own errors; nobody else is.
    fn background_failed(&self, event: &BackgroundFailed) {
        let _ = event;
    }
}

/// A table that something is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableRef {
    /// The number in its file's name.
    pub number: FileNumber,
    /// Its level.
    pub level: u8,
    /// Its length.
    pub bytes: u64,
}

impl TableRef {
    pub(crate) const fn new(number: FileNumber, level: u8, bytes: u64) -> Self {
        Self { number, level, bytes }
    }
}

/// A memtable begins to become tables.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FlushBegun {
    /// The log that holds the same.
    pub log: FileNumber,
    /// Revisions in the memtable.
    pub records: u64,
    /// Bytes of memory that it takes, about.
    pub memory_bytes: u64,
}

/// A memtable has become tables.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FlushEnded {
    /// The log that held the same.
    pub log: FileNumber,
    /// The tables that were made; none if all was garbage.
    pub tables: Vec<TableRef>,
    /// Revisions in them.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Revisions that were dropped on the way.
    pub dropped_records: u64,
    /// Values that were dropped, of revisions that stay as stubs.
    pub dropped_values: u64,
    /// How long it took, by the clock's running time.
    pub took: Span,
}

/// A merge of tables begins.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CompactionBegun {
    /// The tables that are merged.
    pub inputs: Vec<TableRef>,
    /// Bytes of them.
    pub bytes: u64,
}

/// A merge of tables is done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CompactionEnded {
    /// The tables that were merged.
    pub inputs: Vec<TableRef>,
    /// Bytes of them.
    pub bytes_read: u64,
    /// The tables that were made; none if all was garbage.
    pub outputs: Vec<TableRef>,
    /// Bytes of them.
    pub bytes_written: u64,
    /// Revisions that were dropped.
    pub dropped_records: u64,
    /// Values that were dropped, of revisions that stay as stubs.
    pub dropped_values: u64,
    /// How long it took, by the clock's running time.
    pub took: Span,
}

/// A writer has to wait.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StallBegun {
    /// Memtables that wait for their flush.
    pub memtables: usize,
    /// Flushed tables that wait to be merged.
    pub recent_tables: usize,
}

/// A writer waits no more, whether there is room now or its wait failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StallEnded {
    /// How long it waited, by the clock's running time.
    pub took: Span,
}

/// A file is damaged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CorruptionFound {
    /// The file.
    pub file: PathBuf,
    /// Where in it, in bytes from its start.
    pub offset: u64,
    /// What was expected there, and what was found.
    pub what: String,
}

/// The recorded horizon of a feature has risen.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HorizonRisen {
    /// The feature's name, without the schema number.
    pub feature: String,
    /// Its schema number.
    pub schema: u32,
    /// Where the horizon was; `None` if there was none.
    pub before: Option<EventTime>,
    /// Where it is.
    pub horizon: EventTime,
    /// The newest commit when it was recorded.
    pub commit: Commit,
}

/// What was done in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackgroundWork {
    /// Flushing.
    Flush,
    /// Compaction.
    Compaction,
}

/// Work in the background failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackgroundFailed {
    /// What was being done.
    pub work: BackgroundWork,
    /// What went wrong.
    pub error: Error,
}
