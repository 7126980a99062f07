//! What erases and reverts took away.
//!
//! An erased entity is named by a keyed hash, so the record of the erase does not hold it. A
//! revert takes away all earlier batches of a source, or some batches, for readers that see it.

use std::collections::{BTreeMap, BTreeSet};

use asofdb_format::hash::{EraseKey, ErasedEntity};
use asofdb_format::ids::{Commit, SourceId};

/// All erases and reverts of the store.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) key: EraseKey,
    pub(crate) erased: BTreeMap<ErasedEntity, Commit>,
    pub(crate) reverts: Vec<Revert>,
    /// The commit of the newest revert; the least of all if there is none.
    pub(crate) newest_revert: Commit,
    /// Nothing that an erase up to this commit took away is in any file that is named.
    pub(crate) done: Commit,
}

/// One revert.
#[derive(Clone, Debug)]
pub(crate) struct Revert {
    pub(crate) commit: Commit,
    pub(crate) what: Reverted,
}

/// What a revert takes away.
#[derive(Clone, Debug)]
pub(crate) enum Reverted {
    /// All earlier batches of a source.
    Source(SourceId),
    /// Some batches.
    Commits(BTreeSet<Commit>),
}

impl Taken {
    pub(crate) fn new(key: EraseKey) -> Self {
        Self {
            key,
            erased: BTreeMap::new(),
            reverts: Vec::new(),
            newest_revert: Commit::MIN,
            done: Commit::MIN,
        }
    }

    /// Takes in a revert.
    pub(crate) fn revert(&mut self, revert: Revert) {
        self.newest_revert = self.newest_revert.max(revert.commit);
        self.reverts.push(revert);
    }

    /// The newest erase of an entity: what was committed before it is gone for every reader.
    #[inline]
    pub(crate) fn erase_of(&self, entity: &[u8]) -> Option<Commit> {
        if self.erased.is_empty() {
            return None;
        }
        self.erased.get(&ErasedEntity::of(&self.key, entity)).copied()
    }

    /// The erases whose work is not known to be done.
    pub(crate) fn pending(&self) -> BTreeMap<ErasedEntity, Commit> {
        let pending = self.erased.iter().filter(|(_, commit)| **commit > self.done);
        pending.map(|(entity, commit)| (*entity, *commit)).collect()
    }

    /// Whether a revert that a reader at `seen_from` sees takes a revision away.
    #[inline]
    pub(crate) fn is_reverted(&self, commit: Commit, source: SourceId, seen_from: Commit) -> bool {
        self.reverts.iter().any(|revert| revert.commit <= seen_from && revert.takes(commit, source))
    }

    /// The newest revert of a source, at which its earlier batches went.
    pub(crate) fn newest_revert_of(&self, source: SourceId) -> Option<Commit> {
        let of_source =
            |revert: &&Revert| matches!(revert.what, Reverted::Source(id) if id == source);
        self.reverts.iter().filter(of_source).map(|revert| revert.commit).max()
    }
}

impl Revert {
    /// Whether it takes a revision away, for readers that see it.
    #[inline]
    pub(crate) fn takes(&self, commit: Commit, source: SourceId) -> bool {
        match &self.what {
            Reverted::Source(id) => *id == source && commit < self.commit,
            Reverted::Commits(commits) => commit < self.commit && commits.contains(&commit),
        }
    }
}
