//! What a crash takes from the model: a store tells how far it survived, and the model judges
//! whether that may be, and follows it.
//!
//! Invariants:
//! - commits are lost from the newest back, none up to the one that is durable;
//! - a commit that was lost is never given again;
//! - definitions, erases and reverts are durable, so a crash takes nothing but batches.

use std::collections::BTreeSet;

use super::{Batch, Model, Revision};
use crate::question::{Crash, DOWN};

impl Model {
    /// Everything so far outlives a power cut.
    pub fn sync(&mut self) {
        self.durable = self.commits.last().copied();
    }

    /// Whether a crash took this commit.
    pub fn is_lost(&self, commit: i64) -> bool {
        self.lost.iter().any(|(first, last)| (*first..=*last).contains(&commit))
    }

    /// Goes down and opens again with this newest commit, unless the crash may not leave that.
    pub fn crash(&mut self, crash: Crash, newest: i64) -> Result<(), String> {
        let last = self.last_commit();
        let least = match crash {
            Crash::Kill => self.commits.last().copied(),
            Crash::PowerCut { .. } => self.durable,
        };
        if least.is_some_and(|least| newest < least) {
            return Err(format!("a commit of at least {}", least.unwrap_or(last)));
        }
        if newest != i64::MIN && !self.commits.contains(&newest) {
            return Err(format!("one of the commits up to {last}"));
        }
        if newest < last {
            self.lost.push((newest.saturating_add(1), last));
        }
        self.commits.retain(|commit| *commit <= newest);
        self.batches.retain(|batch| batch.commit <= newest);
        self.revisions.retain(|revision: &Revision| revision.commit <= newest);
        self.snapshots.clear();
        self.now = self.now.max(last) + DOWN;
        self.batches.push(Batch { commit: self.now, source: None, columns: BTreeSet::new() });
        self.commits.push(self.now);
        self.sync();
        Ok(())
    }
}
