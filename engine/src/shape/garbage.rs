//! The rule of what may be dropped: it decides alone, and for any subset of the files.
//!
//! Among the revisions of one entity and feature, ascending by (event time, known time, commit):
//!
//! - what an erase took away is garbage at once;
//! - what a revert took away is garbage once the revert is at or below the horizon and everybody
//!   sees it;
//! - let `a` be the greatest revision that nothing took away, with event time, known time and
//!   commit at or below the horizon, and whose commit everybody sees: every legal read considers
//!   it, so what is ordered before it is garbage;
//! - what lies before the bound B is garbage;
//! - the value of what lies before the bound S is garbage; its mark stays, as a stub.
//!
//! Nothing else is. The bounds must be durable before the rule is applied with them.

use asofdb_format::catalog::Bounds;
use asofdb_format::ids::Commit;
use asofdb_format::revision::{Payload, Revision};
use asofdb_format::value::Kind;

use crate::state::taken::Taken;

/// What the rule looks at beside the revisions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits<'a> {
    /// The durable bounds of the feature.
    pub(crate) bounds: Bounds,
    /// The newest commit that every reader sees, now and later.
    pub(crate) seen_by_all: Commit,
    /// The newest erase of the entity.
    pub(crate) erased: Option<Commit>,
    /// All erases and reverts.
    pub(crate) taken: &'a Taken,
}

/// What the rule dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) revisions: u64,
    pub(crate) values: u64,
}

/// Drops what is garbage among the revisions of one entity and feature.
pub(crate) fn drop_garbage(revisions: &mut Vec<Revision>, limits: &Limits<'_>) -> Dropped {
    let Bounds { horizon, stale, forgotten } = limits.bounds;
    let is_taken_from = limits.erased.is_some() || !limits.taken.reverts.is_empty();
    if horizon.is_none() && stale.is_none() && forgotten.is_none() && !is_taken_from {
        return Dropped::default();
    }
    let is_erased =
        |revision: &Revision| limits.erased.is_some_and(|erase| revision.order.commit < erase);
    let is_taken = |revision: &Revision| {
        let taken = |revert: &crate::state::taken::Revert| {
            revert.takes(revision.order.commit, revision.source)
        };
        is_erased(revision) || limits.taken.reverts.iter().any(taken)
    };
    let is_taken_for_all = |revision: &Revision| {
        let below = |commit: Commit| horizon.is_some_and(|horizon| commit.0 <= horizon.0);
        let taken = |revert: &crate::state::taken::Revert| {
            below(revert.commit)
                && revert.commit <= limits.seen_by_all
                && revert.takes(revision.order.commit, revision.source)
        };
        is_erased(revision) || limits.taken.reverts.iter().any(taken)
    };
    let is_base = |revision: &Revision| {
        horizon.is_some_and(|horizon| {
            revision.order.event_time <= horizon
                && revision.order.known_time.0 <= horizon.0
                && revision.order.commit.0 <= horizon.0
        }) && revision.order.commit <= limits.seen_by_all
            && !is_taken(revision)
    };
    let base = revisions.iter().rev().find(|revision| is_base(revision)).map(|base| base.order);
    let before = revisions.len();
    revisions.retain(|revision| {
        base.is_none_or(|base| revision.order >= base)
            && forgotten.is_none_or(|forgotten| revision.order.event_time >= forgotten)
            && !is_taken_for_all(revision)
    });
    let mut values = 0;
    if let Some(stale) = stale {
        for revision in revisions.iter_mut() {
            if revision.order.event_time < stale && revision.kind == Kind::Value {
                revision.kind = Kind::Stub;
                revision.payload = Payload::None;
                values += 1;
            }
        }
    }
    Dropped { revisions: (before - revisions.len()) as u64, values }
}
