//! The garbage rule, as a pure function of what has happened and of one file.
//!
//! The model itself never drops anything. This says what a compaction may drop, so that a test can drop it
//! from a copy and look for a read that can tell.
//!
//! Invariants:
//! - only recorded bounds count: what is dropped for a bound must be dropped after it is durable;
//! - the answer for one file needs nothing of any other file.

use std::collections::BTreeSet;

use super::{Bounds, Model, Revision};
use crate::answer::{Kind, Value};

/// What a compaction of one file may do, as places in [`Model::revisions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Revisions that may go.
    pub dropped: BTreeSet<usize>,
    /// Revisions that stay, with time and kind, while the bytes of their values may go.
    pub stubs: BTreeSet<usize>,
}

impl Model {
    /// What the rule calls garbage in a file that holds these revisions.
    pub fn garbage(&self, file: &[usize]) -> Garbage {
        let mut garbage = Garbage::default();
        for &index in file {
            let Some(revision) = self.revisions.get(index) else { continue };
            let bounds = self.recorded_bounds(revision.column);
            if self.is_garbage(revision, bounds, file) {
                garbage.dropped.insert(index);
            } else if bounds.is_stale(revision.e) && matches!(revision.kind, Kind::Value(_)) {
                garbage.stubs.insert(index);
            }
        }
        garbage
    }

    /// A copy of the model in which the garbage is gone. A stub holds a value that no write wrote, so that a
    /// read which serves it is seen.
    pub fn without(&self, garbage: &Garbage) -> Model {
        let mut rest = self.clone();
        rest.revisions.clear();
        for (index, revision) in self.revisions.iter().enumerate() {
            if garbage.dropped.contains(&index) {
                continue;
            }
            let mut revision = revision.clone();
            if garbage.stubs.contains(&index) {
                revision.kind = Kind::Value(Value::Other(b"the value of a stub".to_vec()));
            }
            rest.revisions.push(revision);
        }
        rest
    }

    fn is_garbage(&self, revision: &Revision, bounds: Bounds, file: &[usize]) -> bool {
        bounds.has_forgotten(revision.e)
            || self.is_erased(revision)
            || self.is_reverted_for_all(revision, bounds)
            || self.is_superseded_for_all(revision, bounds, file)
    }

    fn recorded_bounds(&self, column: usize) -> Bounds {
        self.columns.get(column).map(|column| column.recorded).unwrap_or_default()
    }

    fn is_erased(&self, revision: &Revision) -> bool {
        self.erases
            .iter()
            .any(|erase| erase.entity == revision.entity && revision.commit < erase.commit)
    }

    /// Whether the commit is at or below the horizon and every live snapshot sees it.
    fn is_old_news(&self, commit: i64, bounds: Bounds) -> bool {
        bounds.is_at_or_below_horizon(commit)
            && self.snapshots.values().all(|snapshot| commit <= *snapshot)
    }

    fn is_reverted_for_all(&self, revision: &Revision, bounds: Bounds) -> bool {
        self.reverts.iter().any(|revert| {
            revert.batches.contains(&revision.commit) && self.is_old_news(revert.commit, bounds)
        })
    }

    /// Whether the file holds a later revision that is a candidate of every legal read.
    fn is_superseded_for_all(&self, revision: &Revision, bounds: Bounds, file: &[usize]) -> bool {
        let in_file = file.iter().filter_map(|index| self.revisions.get(*index));
        in_file.into_iter().any(|other| {
            other.entity == revision.entity
                && other.column == revision.column
                && other.order() > revision.order()
                && bounds.is_at_or_below_horizon(other.e)
                && bounds.is_at_or_below_horizon(other.known)
                && self.is_old_news(other.commit, bounds)
                && !self.is_taken_away_for_anyone(other)
        })
    }

    fn is_taken_away_for_anyone(&self, revision: &Revision) -> bool {
        self.is_taken_away(revision, i64::MAX)
    }
}
