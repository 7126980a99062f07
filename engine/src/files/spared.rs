//! What was found out of a table about reverts: each read asks, and the answer changes with new reverts only.
//!
//! Reverts are added and none goes: who is spared by all up to a commit is spared by those before it, and
//! of whom one takes something, the next ones do not give it back.

use std::sync::atomic::{AtomicI64, Ordering};

use asofdb_format::ids::Commit;

/// Up to which revert none takes anything, and from which on one does.
#[derive(Debug)]
pub(crate) struct Spared {
    up_to: AtomicI64,
    not_from: AtomicI64,
}

impl Default for Spared {
    fn default() -> Self {
        Self { up_to: AtomicI64::new(i64::MIN), not_from: AtomicI64::new(i64::MAX) }
    }
}

impl Spared {
    /// Whether no revert up to the newest that a reader knows takes anything; where that is not known yet,
    /// `find_out` is asked.
    #[inline]
    pub(crate) fn by(&self, newest: Commit, find_out: impl FnOnce() -> bool) -> bool {
        // Each of the two is true by itself: nothing else is read by what they tell.
        if newest.0 <= self.up_to.load(Ordering::Relaxed) {
            return true;
        }
        newest.0 < self.not_from.load(Ordering::Relaxed) && self.find_out(newest, find_out)
    }

    #[cold]
    fn find_out(&self, newest: Commit, find_out: impl FnOnce() -> bool) -> bool {
        let is_spared = find_out();
        if is_spared {
            self.up_to.fetch_max(newest.0, Ordering::Relaxed);
        } else {
            self.not_from.fetch_min(newest.0, Ordering::Relaxed);
        }
        is_spared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readers of older states know fewer reverts, and ask later.
    #[test]
    fn a_revert_is_not_missed_by_who_asks_after_an_older_reader_and_the_other_way_round() {
        let taken_from = 7;
        for asks in [[3, 5, 7, 9, 4, 8], [9, 3, 8, 5, 7, 6], [5, 7, 3, 4, 9, 6]] {
            let spared = Spared::default();
            for newest in asks {
                let told = spared.by(Commit(newest), || newest < taken_from);
                assert_eq!(told, newest < taken_from, "{asks:?} {newest}");
            }
            let (up_to, not_from) = (spared.up_to.into_inner(), spared.not_from.into_inner());
            assert!(up_to < taken_from && not_from >= taken_from, "{up_to} {not_from}");
        }
    }
}
