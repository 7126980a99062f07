//! What was counted, as it is handed out.

use std::collections::BTreeMap;

use crate::types::error::Error;

/// What a store has counted since it was opened, and what it holds now.
///
/// Every opening begins at zero. Bytes are bytes of files unless it is said otherwise; times are
/// microseconds of the clock's running time.
///
/// ```
/// use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType};
/// # fn main() -> asofdb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path().join("store");
/// let store = Store::open(&dir, Options::new())?;
/// store.define(FeatureSpec::new("weather:temp", ValueType::F64))?;
/// let mut batch = Batch::new();
/// batch.put("JFK", "weather:temp", EventTime(1_700_000_000_000_000), 39.0);
/// store.write(batch, Durability::Buffered)?;
/// store.flush()?;
/// store.latest("JFK", "weather:temp")?;
/// store.latest("LGA", "weather:temp")?;
///
/// let metrics = store.metrics();
/// assert_eq!((metrics.writes.batches, metrics.writes.records), (1, 1));
/// assert_eq!(metrics.reads.points, 2);
/// // Of LGA the table's hash range or its directory says that it is not there.
/// assert_eq!(metrics.reads.sources_visited, 1);
/// assert_eq!(metrics.levels[&0].tables, 1);
/// # store.close()
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Reads that were answered.
    pub reads: ReadMetrics,
    /// What was written by callers, and what the disk took.
    pub writes: WriteMetrics,
    /// Memtables that became tables.
    pub flushes: FlushMetrics,
    /// Merges of tables.
    pub compactions: CompactionMetrics,
    /// Writers that had to wait.
    pub stalls: StallMetrics,
    /// Decompressed blocks that are kept for later reads.
    pub blocks: BlockMetrics,
    /// What each level holds now, and what merges did with it. Level 0 has the flushed tables,
    /// which may overlap, level 1 the present, level 2 the runs of the past.
    pub levels: BTreeMap<u8, LevelMetrics>,
    /// Bytes of tables that belong to the store no more and that readers still hold: states
    /// pinned by reads, scans and joins under way, and values borrowed from a map.
    pub pinned_bytes: u64,
    /// About how many bytes of the tables are no garbage. It is worked out from metadata alone:
    /// the records of a feature in a table are taken to be spread evenly over its event times and
    /// over its commits; of those that lie below the recorded horizon by both one an entity is
    /// needed, of those before the bound of forgetting none. Erased and reverted records count as needed until they are dropped.
    pub estimated_live_bytes: u64,
    /// Errors of calls, of background work and of the opening that told of a damaged file.
    pub corruptions: u64,
    /// Steps of background work that failed.
    pub background_failures: u64,
    /// Why the newest of them failed; `None` if none did since the store was opened.
    pub last_background_error: Option<Error>,
    /// Calls of the listener that panicked.
    pub listener_panics: u64,
}

impl Metrics {
    /// Bytes of tables now.
    #[must_use]
    pub fn table_bytes(&self) -> u64 {
        self.levels.values().map(|level| level.bytes).sum()
    }

    /// Write amplification: bytes that logs and tables took for each byte that logs took, without the
    /// room that is written ahead in logs which are synced after every few bytes. `None` before
    /// anything was written.
    #[must_use]
    pub fn write_amplification(&self) -> Option<f64> {
        let logs = self.writes.log_bytes;
        ratio(logs.saturating_add(self.writes.table_bytes), logs)
    }

    /// Write amplification of tables alone: bytes that tables took, in flushes and merges, for
    /// each byte that was flushed. `None` before anything was flushed.
    #[must_use]
    pub fn table_write_amplification(&self) -> Option<f64> {
        let flushed = self.flushes.bytes;
        ratio(flushed.saturating_add(self.compactions.bytes_written), flushed)
    }

    /// Read amplification: sources visited for each lookup of an entity. `None` before anything
    /// was read.
    #[must_use]
    pub fn read_amplification(&self) -> Option<f64> {
        ratio(self.reads.sources_visited, self.reads.lookups)
    }

    /// Space amplification: bytes of tables for each byte that is no garbage, as
    /// [`Metrics::estimated_live_bytes`] estimates it. `None` if there is no such byte.
    #[must_use]
    pub fn space_amplification(&self) -> Option<f64> {
        ratio(self.table_bytes(), self.estimated_live_bytes)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio is told to a few digits")]
fn ratio(a: u64, b: u64) -> Option<f64> {
    (b > 0).then(|| a as f64 / b as f64)
}

/// Reads that were answered; those that ended in an error do not count.
///
/// A *source* is a memtable that holds anything, or a table whose hash range the entity falls
/// into. `sources_considered` = `skipped_by_bound` + `skipped_by_filter` + `sources_visited`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReadMetrics {
    /// Reads of one feature of one entity as of a moment.
    pub points: u64,
    /// Reads of several features of one entity as of a moment: of `read_row`, each of `read_rows`, each
    /// row of a `RowReader`, and each entity that a scan looked at.
    pub rows: u64,
    /// Reads of versions: of `range` and `last_n`, also of a `SequenceReader`.
    pub versions: u64,
    /// Answers of points and rows: features times entities.
    pub cells: u64,
    /// Rows of spines that joins answered; those that could match nothing are left aside.
    pub join_rows: u64,
    /// Answers of joins: features times `join_rows`.
    pub join_cells: u64,
    /// Times that an entity was looked up in the sources: once for a point, a row and a read of
    /// versions, once for all rows of an entity that a join brings together.
    pub lookups: u64,
    /// Sources that lookups came across.
    pub sources_considered: u64,
    /// Of those, sources that were not looked at: all that was asked had a better answer already
    /// than they could offer.
    pub skipped_by_bound: u64,
    /// Of those, sources that were asked for the entity and did not have it: the directory of a
    /// table, the index of a memtable.
    pub skipped_by_filter: u64,
    /// Of those, sources whose records of the entity were looked at.
    pub sources_visited: u64,
    /// Lookups that were answered before all sources were asked.
    pub stopped_early: u64,
    /// Rows of tables whose older versions were decoded because the newest did not answer. A join does it
    /// once a lookup, or for each row of its spine where rows may see other versions than one another.
    pub histories_opened: u64,
    /// Sources visited by each lookup; more than 16 count as 16.
    pub visited_per_lookup: Histogram,
}

/// What was written by callers, and what the disk took for it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WriteMetrics {
    /// Batches that were acknowledged.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes that logs took, headers and what an opening copied included.
    pub log_bytes: u64,
    /// Bytes that tables took, those of failed merges included.
    pub table_bytes: u64,
    /// Bytes that manifests took, and CURRENT.
    pub manifest_bytes: u64,
    /// Syncs of logs: one may serve many writers.
    pub log_syncs: u64,
    /// Syncs of files, those of logs included, those of directories not.
    pub syncs: u64,
    /// How long batches took until they were acknowledged, stalls left aside.
    pub micros: Histogram,
    /// How long syncs of files took.
    pub sync_micros: Histogram,
}

/// Memtables that became tables.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FlushMetrics {
    /// Flushes that were done.
    pub flushes: u64,
    /// Records in the tables that came of them.
    pub records: u64,
    /// Bytes of those tables.
    pub bytes: u64,
    /// Records that were dropped as garbage.
    pub dropped_records: u64,
    /// Values that were dropped, of records that stay as stubs.
    pub dropped_values: u64,
    /// How long flushes took.
    pub micros: Histogram,
}

/// Merges of tables. [`LevelMetrics`] tells their bytes by level.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CompactionMetrics {
    /// Merges that were done.
    pub compactions: u64,
    /// Bytes of the tables that were merged.
    pub bytes_read: u64,
    /// Bytes of the tables that came of it.
    pub bytes_written: u64,
    /// Records that were dropped as garbage.
    pub dropped_records: u64,
    /// Values that were dropped, of records that stay as stubs.
    pub dropped_values: u64,
    /// Tables that were dropped whole without being read, for the clock had passed all they held.
    pub unread_tables: u64,
    /// Bytes of those.
    pub unread_bytes: u64,
    /// How long merges took.
    pub micros: Histogram,
}

/// Writers that were slowed or had to wait as flushing or merging fell behind.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StallMetrics {
    /// Waits that began.
    pub stalls: u64,
    /// How long those that ended took.
    pub micros: Histogram,
    /// How long writes were slowed that were not stopped.
    pub slowed_micros: Histogram,
}

/// Compressed blocks of older texts, bytes and vectors that reads came across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockMetrics {
    /// Blocks that a read before had left decompressed.
    pub found: u64,
    /// Blocks that were decompressed.
    pub decompressed: u64,
    /// Bytes of memory of those that are kept now, up to
    /// [`Options::block_cache_bytes`](crate::Options::block_cache_bytes).
    pub bytes: u64,
}

/// What a level holds, and what merges did with it since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LevelMetrics {
    /// Tables of it now.
    pub tables: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes of its tables that merges read.
    pub bytes_read: u64,
    /// Bytes of the tables that merges wrote into it.
    pub bytes_written: u64,
}

/// How a quantity is spread: counts by size.
///
/// Sizes of histograms in microseconds are known to within a sixteenth of themselves (6.25 %),
/// and exactly below 32; a quantile is never told too small.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// The greatest size that each count stands for, ascending.
    buckets: Vec<(u64, u64)>,
    sum: u64,
    max: u64,
}

impl Histogram {
    pub(crate) const fn new(buckets: Vec<(u64, u64)>, sum: u64, max: u64) -> Self {
        Self { buckets, sum, max }
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// All sizes together.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// The greatest size; 0 if nothing was counted.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The sizes' mean; `None` if nothing was counted.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        ratio(self.sum, self.count())
    }

    /// A size that at least the part `q` of all that was counted, 0 to 1, does not exceed: 0.5
    /// gives the median. `None` if nothing was counted.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is told to the digits that a double has, and lies within the count"
    )]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let count = self.count();
        let rank = ((q.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        for (greatest, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return Some((*greatest).min(self.max));
            }
        }
        None
    }

    /// The counts, ascending by size: the greatest size that each stands for, and the count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.buckets.iter().copied()
    }
}
