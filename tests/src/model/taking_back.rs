//! Erase and revert on the model.
//!
//! Invariants:
//! - a revert takes away a fixed set of batches, all above the horizon of every column they name;
//! - a store remembers what each source touched since the source was last reverted, not what each
//!   batch did: so a batch counts as touching all of that, and until the source is reverted it counts
//!   also when it was taken away by itself.

use std::collections::BTreeSet;

use super::{Batch, Erase, Model, Revert, Revision};
use crate::answer::Refusal;

impl Model {
    /// Hides everything written for the entity so far from every read.
    pub fn erase(&mut self, entity: &[u8]) {
        let commit = self.commit();
        self.erases.push(Erase { commit, entity: entity.to_vec() });
    }

    /// Takes away every batch of the source that is not yet taken away.
    pub fn revert(&mut self, source: &str) -> Result<(), Refusal> {
        let touching = self.touching(Some(source));
        if touching.is_empty() {
            return Err(Refusal::NothingToRevert);
        }
        for batch in &touching {
            self.check_above_horizon(batch.commit, &batch.columns)?;
        }
        let left = touching.iter().map(|batch| batch.commit);
        let left = left.filter(|commit| !self.is_reverted(*commit)).collect();
        self.take_away(left, Some(source));
        Ok(())
    }

    /// Takes away the batches at these places in the order of writing, all or none of them.
    pub fn revert_batches(&mut self, places: &[usize]) -> Result<(), Refusal> {
        let batches = places.iter().map(|place| self.batches.get(*place).cloned());
        let batches: Vec<Batch> = batches.collect::<Option<_>>().ok_or(Refusal::NothingToRevert)?;
        let is_there = |batch: &Batch| !batch.columns.is_empty() && !self.is_reverted(batch.commit);
        if batches.is_empty() || !batches.iter().all(is_there) {
            return Err(Refusal::NothingToRevert);
        }
        for batch in &batches {
            let of_source = self.touching(batch.source.as_deref());
            let columns = of_source.into_iter().flat_map(|batch| batch.columns).collect();
            self.check_above_horizon(batch.commit, &columns)?;
        }
        self.take_away(batches.iter().map(|batch| batch.commit).collect(), None);
        Ok(())
    }

    /// The batches with puts that a source wrote since it was last reverted.
    fn touching(&self, source: Option<&str>) -> Vec<Batch> {
        let of_source = |revert: &&Revert| source.is_some() && revert.source.as_deref() == source;
        let reverted = self.reverts.iter().filter(of_source).map(|revert| revert.commit).max();
        let counts = |batch: &&Batch| {
            batch.source.as_deref() == source
                && !batch.columns.is_empty()
                && reverted.is_none_or(|reverted| batch.commit > reverted)
        };
        self.batches.iter().filter(counts).cloned().collect()
    }

    fn check_above_horizon(&self, commit: i64, columns: &BTreeSet<usize>) -> Result<(), Refusal> {
        let below = |column: &usize| self.bounds(*column).is_at_or_below_horizon(commit);
        if columns.iter().any(below) { Err(Refusal::BelowHorizon) } else { Ok(()) }
    }

    fn take_away(&mut self, batches: BTreeSet<i64>, source: Option<&str>) {
        let commit = self.commit();
        self.reverts.push(Revert { commit, batches, source: source.map(str::to_owned) });
    }

    /// Whether a revert has taken the batch of this commit away.
    pub fn is_reverted(&self, batch: i64) -> bool {
        self.reverts.iter().any(|revert| revert.batches.contains(&batch))
    }

    /// Whether a store may have dropped all that one of these batches wrote: it cannot tell such a
    /// batch from one that never was.
    pub fn may_have_dropped_one(&self, places: &[usize]) -> bool {
        let mut by_the_clock = self.clone();
        for column in 0..self.columns.len() {
            by_the_clock.record_bounds(column, self.bounds(column));
        }
        let all: Vec<usize> = (0..self.revisions.len()).collect();
        let garbage = by_the_clock.garbage(&all).dropped;
        let batches = places.iter().filter_map(|place| self.batches.get(*place));
        let is_gone = |batch: &Batch| {
            let of_batch = |index: &&usize| {
                self.revisions.get(**index).is_some_and(|it| it.commit == batch.commit)
            };
            all.iter().filter(of_batch).all(|index| garbage.contains(index))
        };
        batches.into_iter().any(is_gone)
    }

    /// Whether an erase, or a revert that the reader sees, takes the revision away.
    pub fn is_taken_away(&self, revision: &Revision, seen_commit: i64) -> bool {
        let erased =
            |erase: &Erase| erase.entity == revision.entity && revision.commit < erase.commit;
        let reverted = |revert: &Revert| {
            revert.commit <= seen_commit && revert.batches.contains(&revision.commit)
        };
        self.erases.iter().any(erased) || self.reverts.iter().any(reverted)
    }
}
