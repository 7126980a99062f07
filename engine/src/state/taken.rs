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
    /// The commit of the newest erase; the least of all if there is none.
    newest_erase: Commit,
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
            newest_erase: Commit::MIN,
            reverts: Vec::new(),
            newest_revert: Commit::MIN,
            done: Commit::MIN,
        }
    }

    /// Takes in an erase.
    pub(crate) fn erase(&mut self, entity: ErasedEntity, commit: Commit) {
        self.newest_erase = self.newest_erase.max(commit);
        self.erased.insert(entity, commit);
    }

    /// Takes in a revert.
    pub(crate) fn revert(&mut self, revert: Revert) {
        self.newest_revert = self.newest_revert.max(revert.commit);
        self.reverts.push(revert);
    }

    /// The newest erase of an entity, if anything of what it took away may be left: what was
    /// committed before it is gone for every reader.
    #[inline]
    pub(crate) fn erase_of(&self, entity: &[u8]) -> Option<Commit> {
        if self.newest_erase <= self.done {
            return None;
        }
        self.ever_erased(entity)
    }

    /// The newest erase of an entity, whatever is left of what it took away.
    pub(crate) fn ever_erased(&self, entity: &[u8]) -> Option<Commit> {
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

    /// Whether no revert takes anything of some sources whose commit is neither below the first nor above
    /// the last of two.
    pub(crate) fn spares(
        &self,
        (first, last): (Commit, Commit),
        holds: impl Fn(SourceId) -> bool,
    ) -> bool {
        let takes = |revert: &Revert| match &revert.what {
            Reverted::Source(id) => first < revert.commit && holds(*id),
            Reverted::Commits(commits) => {
                commits.iter().any(|commit| (first..=last).contains(commit))
            }
        };
        !self.reverts.iter().any(takes)
    }

    /// Whether a revert may take something of a source.
    #[inline]
    pub(crate) fn may_take(&self, source: SourceId) -> bool {
        self.reverts.iter().any(|revert| match &revert.what {
            Reverted::Source(id) => *id == source,
            Reverted::Commits(_) => true,
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: [SourceId; 3] = [SourceId::NONE, SourceId(1), SourceId(2)];

    fn reverts() -> Vec<Taken> {
        let source = |id| Reverted::Source(SourceId(id));
        let commits = |all: &[i64]| Reverted::Commits(all.iter().map(|c| Commit(*c)).collect());
        let whats = [source(0), source(1), source(2), commits(&[2]), commits(&[1, 4])];
        let all = whats.iter().flat_map(|what| [3, 5].map(|commit| (commit, what.clone())));
        let all: Vec<_> =
            all.map(|(commit, what)| Revert { commit: Commit(commit), what }).collect();
        let of = |reverts: &[&Revert]| {
            let mut taken = Taken::new(EraseKey([7; 16]));
            reverts.iter().for_each(|revert| taken.revert(Revert::clone(revert)));
            taken
        };
        let pairs = all.iter().flat_map(|a| all.iter().map(move |b| of(&[a, b])));
        pairs.chain(all.iter().map(|one| of(&[one]))).collect()
    }

    /// Else a read takes all of a table for what it sees, and tells what a revert took away.
    #[test]
    fn of_what_is_spared_nothing_is_taken() {
        let (mut spared, mut touched) = (0, 0);
        for (taken, held) in reverts().iter().flat_map(|taken| (0..8).map(move |set| (taken, set)))
        {
            let holds = |source: SourceId| held & (1 << source.0) != 0;
            for (first, last) in (0..6).flat_map(|first| (first..6).map(move |last| (first, last)))
            {
                let told = taken.spares((Commit(first), Commit(last)), holds);
                let kept = |s: &&SourceId| !taken.may_take(**s);
                let is_whole = |s| !taken.is_reverted(Commit(last), s, Commit::MAX);
                assert!(SOURCES.iter().filter(kept).all(|s| is_whole(*s)), "{taken:?} {last}");
                let takes = |commit, source| {
                    holds(source) && taken.is_reverted(Commit(commit), source, Commit::MAX)
                };
                let any = (first..=last).any(|commit| SOURCES.iter().any(|s| takes(commit, *s)));
                assert!(!told || !any, "{taken:?} {held:b} {first} {last}");
                if told { spared += 1 } else { touched += usize::from(any) }
            }
        }
        assert!(spared > 1_000 && touched > 1_000, "{spared} {touched}");
    }

    /// Else what was erased last is told as long as files hold it.
    #[test]
    fn an_erase_is_looked_for_until_its_work_is_done() {
        let mut taken = Taken::new(EraseKey([7; 16]));
        let entity = |name: &[u8]| ErasedEntity::of(&taken.key, name);
        let (a, b) = (entity(b"a"), entity(b"b"));
        assert_eq!(taken.erase_of(b"a"), None);
        taken.erase(a, Commit(5));
        assert_eq!((taken.erase_of(b"a"), taken.erase_of(b"b")), (Some(Commit(5)), None));
        taken.done = Commit(5);
        assert_eq!(taken.erase_of(b"a"), None);
        taken.erase(b, Commit(8));
        assert_eq!(taken.erase_of(b"b"), Some(Commit(8)));
        taken.done = Commit(8);
        assert_eq!(taken.erase_of(b"b"), None);
    }
}
