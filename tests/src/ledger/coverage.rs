//! What a workload did, so that a proof over it can say what it is of.

use std::collections::BTreeMap;
use std::fmt;

use asofdb::world::sim::SimWorld;

/// How often a workload did what can go wrong in a way of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Operations of the disk, by their names.
    pub operations: BTreeMap<String, usize>,
    /// Logs that were begun.
    pub logs: usize,
    /// Manifests that were written anew.
    pub manifests: usize,
    /// Tables that were made.
    pub tables: usize,
    /// Tables that a merge replaced.
    pub replaced: usize,
}

impl Coverage {
    /// Of a traced disk.
    pub fn of(sim: &SimWorld) -> Coverage {
        let mut coverage = Coverage::default();
        for line in sim.disk.take_trace() {
            let mut words = line.split_whitespace().skip(1);
            let (Some(operation), Some(path)) = (words.next(), words.next()) else { continue };
            *coverage.operations.entry(operation.to_owned()).or_default() += 1;
            match operation {
                "Create" if path.contains("LOG-") => coverage.logs += 1,
                "Create" if path.contains("MANIFEST-") => coverage.manifests += 1,
                "Create" if path.contains("TABLE-") => coverage.tables += 1,
                "Remove" if path.contains("TABLE-") => coverage.replaced += 1,
                _ => {}
            }
        }
        coverage
    }

    /// Whether logs and the manifest rotated, memtables were flushed and tables merged.
    pub fn is_wide(&self) -> bool {
        self.logs > 2 && self.manifests > 2 && self.tables > 2 && self.replaced > 2
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Coverage { operations, logs, manifests, tables, replaced } = self;
        let names = operations.iter().map(|(name, count)| format!("{count} {name}"));
        let names: Vec<String> = names.collect();
        write!(
            out,
            "{logs} logs, {manifests} manifests, {tables} tables of which {replaced} were merged; {}",
            names.join(", ")
        )
    }
}

/// A thing that workloads do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// A batch.
    Write,
    /// A row at the event time of an earlier one.
    Correction,
    /// A row with a known time of its own.
    Import,
    /// An explicit null.
    Null,
    /// A delete.
    Delete,
    /// A mark of progress.
    Mark,
    /// A definition.
    Define,
    /// A description that was changed.
    Alter,
    /// A new schema.
    Evolve,
    /// A feature that was retired.
    Retire,
    /// An erase.
    Erase,
    /// A revert of a source.
    RevertSource,
    /// A revert of a batch.
    RevertBatch,
    /// A snapshot that was held while others wrote.
    Snapshot,
    /// A flush that was asked for.
    Flush,
    /// A merge of all tables.
    Compact,
    /// A step of background work.
    Step,
    /// A record that merges dropped.
    DroppedRecord,
    /// A table that was dropped unread, since all of it had become garbage by the clock.
    DroppedTable,
    /// A clean close, after which the store was opened again.
    Close,
}

impl Deed {
    const ALL: [Self; 20] = [
        Self::Write,
        Self::Correction,
        Self::Import,
        Self::Null,
        Self::Delete,
        Self::Mark,
        Self::Define,
        Self::Alter,
        Self::Evolve,
        Self::Retire,
        Self::Erase,
        Self::RevertSource,
        Self::RevertBatch,
        Self::Snapshot,
        Self::Flush,
        Self::Compact,
        Self::Step,
        Self::DroppedRecord,
        Self::DroppedTable,
        Self::Close,
    ];
}

/// How often each thing was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deeds(BTreeMap<Deed, u64>);

impl Deeds {
    /// Counts a thing so many times more.
    pub fn add(&mut self, deed: Deed, times: u64) {
        *self.0.entry(deed).or_default() += times;
    }

    /// Counts what another workload did, too.
    pub fn join(mut self, other: &Self) -> Self {
        other.0.iter().for_each(|(deed, times)| self.add(*deed, *times));
        self
    }

    /// What was never done.
    pub fn missing(&self) -> Vec<Deed> {
        let never = |deed: &Deed| self.0.get(deed).is_none_or(|times| *times == 0);
        Deed::ALL.into_iter().filter(never).collect()
    }
}

impl fmt::Display for Deeds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.iter().map(|(deed, times)| format!("{times} {deed:?}"));
        out.write_str(&all.collect::<Vec<_>>().join(", "))
    }
}
