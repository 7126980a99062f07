//! Which commits somebody holds.
//!
//! A held snapshot keeps compaction from dropping what it sees. Both taking one and asking for the
//! oldest happen under one lock, so a snapshot taken beside a compaction is either counted by it
//! or sees a commit that the compaction does not touch.

use std::collections::BTreeMap;
use std::sync::Arc;

use asofdb_format::ids::Commit;

use crate::sync::Mutex;

/// The commits that are held, and by how many.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    held: Mutex<BTreeMap<Commit, usize>>,
}

impl Registry {
    /// Holds the commit that `newest` tells.
    pub(crate) fn hold(self: &Arc<Self>, newest: impl FnOnce() -> Commit) -> Snapshot {
        let mut held = self.held.lock();
        let commit = newest();
        *held.entry(commit).or_insert(0) += 1;
        Snapshot(Arc::new(Held { commit, registry: Arc::clone(self) }))
    }

    /// The oldest commit that is held.
    pub(crate) fn oldest(&self) -> Option<Commit> {
        self.held.lock().keys().next().copied()
    }

    /// The newest commit that everybody sees who holds a snapshot now or takes one later.
    pub(crate) fn seen_by_all(&self, newest: impl FnOnce() -> Commit) -> Commit {
        let held = self.held.lock();
        let newest = newest();
        held.keys().next().map_or(newest, |oldest| newest.min(*oldest))
    }

    /// How many snapshots are held.
    pub(crate) fn count(&self) -> usize {
        self.held.lock().values().sum()
    }
}

/// A commit that reads can go on being seen from, until the last clone is dropped.
///
/// It fixes commits and the meaning of feature names, not the clock.
///
/// ```
/// use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Read, Store, ValueType};
/// # fn main() -> asofdb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path().join("store"), Options::new())?;
/// store.define(FeatureSpec::new("customer:spend_30d", ValueType::F64))?;
/// let at = EventTime(1_700_000_000_000_000);
/// let put = |value: f64| {
///     let mut batch = Batch::new();
///     batch.put("customer-7", "customer:spend_30d", at, value);
///     store.write(batch, Durability::Buffered)
/// };
/// put(42.5)?;
/// let before = store.snapshot()?;
/// put(43.0)?;
/// let read = Read::as_of(at);
/// let seen = |read| store.read("customer-7", "customer:spend_30d", &read);
/// assert_eq!(seen(read.clone().snapshot(&before))?.as_f64(), Some(42.5));
/// assert_eq!(seen(read)?.as_f64(), Some(43.0));
/// # store.close()
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Snapshot(Arc<Held>);

#[derive(Debug)]
struct Held {
    commit: Commit,
    registry: Arc<Registry>,
}

impl Snapshot {
    /// The newest commit that it sees.
    #[must_use]
    pub fn commit(&self) -> Commit {
        self.0.commit
    }

    /// Whether it is of the store that has this registry.
    pub(crate) fn is_of(&self, registry: &Arc<Registry>) -> bool {
        Arc::ptr_eq(&self.0.registry, registry)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.registry.held.lock();
        if let Some(count) = held.get_mut(&self.commit) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.commit);
            }
        }
    }
}
