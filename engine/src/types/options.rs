//! Options of a store.

use std::sync::Arc;

use asofdb_format::ids::Span;

use crate::types::events::EventListener;
use crate::world::World;

/// How tables are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadMode {
    /// Through a memory map: nothing is copied. A disk that fails under the map ends the process
    /// with SIGBUS.
    #[default]
    Map,
    /// By reads into buffers: slower, and a failing disk is an error.
    Pread,
}

/// How a store is opened and how it works.
///
/// ```
/// use asofdb::Options;
/// let options = Options::new().memtable_bytes(16 << 20);
/// ```
#[derive(Clone, Debug)]
#[must_use]
#[non_exhaustive]
pub struct Options {
    /// Whether a missing store is made. Default: yes.
    pub create: bool,
    /// Whether the store is only read: no lock is taken and nothing is written. Default: no.
    pub read_only: bool,
    /// How far an event time may lie ahead of the clock; `None`: any distance. Default: one day.
    pub max_ahead: Option<Span>,
    /// How large a memtable grows before it is flushed, in bytes of memory; more than 8 GiB count as
    /// that. Default: 64 MiB.
    pub memtable_bytes: usize,
    /// How many full memtables may wait for their flush before writers wait too. Default: 4.
    pub max_sealed_memtables: usize,
    /// How large a table file is made at the most, in bytes; more than 1 GiB count as that. Tables of the past are cut to a
    /// sixteenth of their run if that is shorter, so that an erase rewrites less. Default: 64 MiB.
    pub table_bytes: u64,
    /// How many flushed tables there may be before they are merged. Default: 8.
    pub max_recent_tables: usize,
    /// Older versions go to the past when they take more than so many times the bytes of the newest ones
    /// in the present. Default: 3.
    pub present_depth: u64,
    /// From how many flushed tables on writers are slowed, the more the more there are. Default: 48.
    pub slow_recent_tables: usize,
    /// At how many flushed tables writers wait until there are fewer. Default: 96.
    pub stop_recent_tables: usize,
    /// How many bytes a second background merges may write; `None`: as many as they can. Flushes,
    /// and merges that writers are slowed for, are not held back; other merges also let the threads
    /// of the process go before them, on Linux. Default: none.
    pub merge_bytes_per_second: Option<u64>,
    /// How often compaction looks at what the clock alone has made garbage. Default: one minute.
    pub clock_check: Span,
    /// How large the manifest grows before it is written anew, in bytes, if that is at least four
    /// times what it held when it was new. Default: 1 MiB.
    pub manifest_bytes: u64,
    /// How tables are read. Default: through a map.
    pub read_mode: ReadMode,
    /// How many bytes of memory decompressed blocks take that are kept for later reads, of older
    /// texts, bytes and vectors; joins and scans keep none. A block has 8 or 32 KiB or one longer
    /// value. One of more than a sixteenth of this is not kept; of less than 2 MiB, one of more than half
    /// of what each of its parts of at least 256 KiB may keep. 0: none. Default: 32 MiB.
    pub block_cache_bytes: usize,
    /// How long a reading of the clock must have stood before compaction relies on it. When a store
    /// is opened, the moment of its newest batch stands for the readings before. Default: ten
    /// minutes.
    pub clock_lag: Span,
    /// By when the bytes of what was erased are gone from the files: background work begins with
    /// it when half of the time is over, so that many erases share it. Default: one day.
    pub erase_deadline: Span,
    /// How far ahead commits are reserved: after a crash, commits start that much later at the
    /// most. Default: one second.
    pub commit_lease: Span,
    /// The random bytes of a new store: its id, and its secret for naming erased entities.
    /// Default: from the system. Only a simulation that must repeat itself sets them.
    pub identity: Option<[u8; 32]>,
    /// Who is told what happens in the store. Default: nobody.
    pub listener: Option<Arc<dyn EventListener>>,
    /// The disk, the clock and the scheduler. Default: the real ones.
    pub world: World,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            create: true,
            read_only: false,
            max_ahead: Some(Span::from_days(1)),
            memtable_bytes: 64 << 20,
            max_sealed_memtables: 4,
            table_bytes: 64 << 20,
            max_recent_tables: 8,
            present_depth: 3,
            slow_recent_tables: 48,
            stop_recent_tables: 96,
            merge_bytes_per_second: None,
            clock_check: Span::from_secs(60),
            manifest_bytes: 1 << 20,
            read_mode: ReadMode::Map,
            block_cache_bytes: 32 << 20,
            clock_lag: Span::from_secs(600),
            erase_deadline: Span::from_days(1),
            commit_lease: Span::from_secs(1),
            identity: None,
            listener: None,
            world: World::real(),
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        $($(#[$doc])*
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = $name;
            self
        })*
    };
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets whether a missing store is made.
        create: bool,
        /// Sets whether the store is only read.
        read_only: bool,
        /// Sets how far an event time may lie ahead of the clock.
        max_ahead: Option<Span>,
        /// Sets how large a memtable grows, in bytes.
        memtable_bytes: usize,
        /// Sets how many full memtables may wait for their flush.
        max_sealed_memtables: usize,
        /// Sets how large a table file is made, in bytes.
        table_bytes: u64,
        /// Sets how many flushed tables there may be before they are merged.
        max_recent_tables: usize,
        /// Sets how many times the bytes of the newest versions the present may hold of older ones.
        present_depth: u64,
        /// Sets from how many flushed tables on writers are slowed.
        slow_recent_tables: usize,
        /// Sets at how many flushed tables writers wait.
        stop_recent_tables: usize,
        /// Sets how many bytes a second background merges may write.
        merge_bytes_per_second: Option<u64>,
        /// Sets how often compaction looks at the clock.
        clock_check: Span,
        /// Sets how large the manifest grows before it is written anew, in bytes.
        manifest_bytes: u64,
        /// Sets how tables are read.
        read_mode: ReadMode,
        /// Sets how many bytes of decompressed blocks are kept for later reads.
        block_cache_bytes: usize,
        /// Sets how long a reading of the clock must have stood before compaction relies on it.
        clock_lag: Span,
        /// Sets by when the bytes of what was erased are gone from the files.
        erase_deadline: Span,
        /// Sets how far ahead commits are reserved.
        commit_lease: Span,
        /// Sets the random bytes of a new store.
        identity: Option<[u8; 32]>,
        /// Sets who is told what happens in the store.
        listener: Option<Arc<dyn EventListener>>,
        /// Sets the disk, the clock and the scheduler.
        world: World,
    }
}
