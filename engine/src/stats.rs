//! What a store holds, from metadata alone: counts, its shape, its metrics.

mod shape;
mod space;

use std::collections::BTreeMap;

use asofdb_format::ids::{Commit, EventTime, FeatureId};

pub use self::shape::{Extent, FeatureShape, LogShape, MemtableShape, Shape, TableShape};
use crate::metrics::Metrics;
use crate::state::live::Keeper;

/// What was counted, beside what the levels hold now.
pub(crate) fn metrics(keeper: &Keeper) -> Metrics {
    let mut metrics = keeper.monitor.snapshot();
    let state = keeper.state();
    for table in state.tables.all() {
        let level = metrics.levels.entry(table.entry.level.number()).or_default();
        level.tables += 1;
        level.bytes += table.entry.len;
    }
    metrics.estimated_live_bytes = space::live_bytes(&state);
    metrics.blocks = state.blocks.metrics();
    metrics
}

/// What a store holds. Garbage that is not yet dropped counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Revisions, in memory and in tables.
    pub records: u64,
    /// Revisions in memory.
    pub memtable_records: u64,
    /// Bytes of memory that memtables take, about.
    pub memtable_bytes: u64,
    /// Memtables, the one that takes batches included.
    pub memtables: usize,
    /// Tables that were flushed and not yet merged into the present.
    pub recent_tables: usize,
    /// Tables of the present.
    pub present_tables: usize,
    /// Runs of the past.
    pub past_runs: usize,
    /// Tables in all.
    pub tables: u64,
    /// Bytes of the logs that hold what is in memory; of one that this opening does not write, with the
    /// room behind them.
    pub log_bytes: u64,
    /// Bytes of all tables.
    pub table_bytes: u64,
    /// Rows of the directories of all tables: an entity counts once a table.
    pub table_entities: u64,
    /// The newest commit that reads see.
    pub newest_commit: Commit,
    /// Snapshots that are held.
    pub snapshots: usize,
    /// Erases that are remembered.
    pub erases: usize,
    /// Those of them whose bytes are not known to be gone from the files.
    pub pending_erases: usize,
    /// Reverts that are remembered.
    pub reverts: usize,
    /// What tables hold of each feature, by number.
    pub features: Vec<FeatureStats>,
}

/// What tables hold of a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureStats {
    /// Its name without the schema number.
    pub name: String,
    /// Its schema number.
    pub schema: u32,
    /// Revisions.
    pub records: u64,
    /// Explicit nulls among them.
    pub nulls: u64,
    /// Deletes among them.
    pub deletes: u64,
    /// Marks without value among them.
    pub stubs: u64,
    /// The oldest event time.
    pub oldest: EventTime,
    /// The newest event time.
    pub newest: EventTime,
}

impl Stats {
    pub(crate) fn of(keeper: &Keeper, log_bytes: u64) -> Self {
        let state = keeper.state();
        let mut stats = Self {
            memtables: state.memtables.len(),
            recent_tables: state.tables.recent().len(),
            present_tables: state.tables.present().len(),
            past_runs: state.tables.past().len(),
            newest_commit: state.visible(),
            snapshots: keeper.snapshots.count(),
            erases: state.taken.erased.len(),
            pending_erases: state.taken.pending().len(),
            reverts: state.taken.reverts.len(),
            ..Self::default()
        };
        for memtable in &state.memtables {
            stats.memtable_records += memtable.revisions();
            stats.memtable_bytes += memtable.bytes() as u64;
        }
        stats.records = stats.memtable_records;
        let mut features: BTreeMap<FeatureId, FeatureStats> = BTreeMap::new();
        for table in state.tables.all() {
            stats.tables += 1;
            stats.records += table.entry.revisions;
            stats.table_bytes += table.entry.len;
            stats.table_entities += table.entry.entities;
            for (id, meta) in &table.meta.features {
                let of = features.entry(*id).or_insert_with(|| FeatureStats {
                    name: meta.name.clone(),
                    schema: meta.schema,
                    records: 0,
                    nulls: 0,
                    deletes: 0,
                    stubs: 0,
                    oldest: EventTime::MAX,
                    newest: EventTime::MIN,
                });
                of.records += meta.revisions;
                of.nulls += meta.nulls;
                of.deletes += meta.deletes;
                of.stubs += meta.stubs;
                of.oldest = of.oldest.min(meta.oldest);
                of.newest = of.newest.max(meta.newest);
            }
        }
        stats.features = features.into_values().collect();
        stats.log_bytes = log_bytes;
        stats
    }
}
