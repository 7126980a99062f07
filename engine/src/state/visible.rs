//! Up to which commit a state is seen.
//!
//! Batches raise it while the state stays what it is: revisions of a commit are put in before the
//! commit is stored, with `Release`. Whatever changes what a state says of commits to come (a
//! memtable for them, the label of a new source, a definition, an erase, a revert) gives the next
//! state an edge of its own and leaves the old one where it stands, so that who pinned a state is
//! never shown a commit that the state does not know.

use asofdb_format::ids::Commit;

use crate::sync::{AtomicI64, Ordering};

/// The newest commit that readers of a state may see.
#[derive(Debug)]
pub(crate) struct Visible(AtomicI64);

impl Visible {
    pub(crate) fn new(commit: Commit) -> Self {
        Self(AtomicI64::new(commit.0))
    }

    #[inline]
    pub(crate) fn get(&self) -> Commit {
        Commit(self.0.load(Ordering::Acquire))
    }

    /// Lets readers see a commit, of which all is put in. One writer at a time: it holds the commit
    /// lock.
    pub(crate) fn publish(&self, commit: Commit) {
        self.0.store(commit.0, Ordering::Release);
    }
}
