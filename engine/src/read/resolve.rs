//! The answer: which revisions a read sees, and what follows from the newest of them.
//!
//! The rule stands here alone; latest, as-of, range, scan and join all come here.

use asofdb_format::ids::{Commit, EventTime, KnownTime, SourceId, Span};
use asofdb_format::revision::Order;
use asofdb_format::value::Kind;

use crate::files::table::Table;
use crate::state::taken::Taken;
use crate::types::answer::Status;

/// What a read may see of one entity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// The newest commit that is seen.
    pub(crate) seen_from: Commit,
    /// The latest known time that is seen.
    pub(crate) known_at: Option<KnownTime>,
    /// The newest erase of the entity.
    pub(crate) erased: Option<Commit>,
    /// All reverts.
    pub(crate) taken: &'a Taken,
}

impl<'a> View<'a> {
    /// What a read of an entity may see that sees so many commits, and known times up to one.
    #[inline]
    pub(crate) fn of(
        taken: &'a Taken,
        entity: &[u8],
        seen_from: Commit,
        known_at: Option<KnownTime>,
    ) -> Self {
        Self { seen_from, known_at, erased: taken.erase_of(entity), taken }
    }

    /// Whether the read sees a revision. The source is asked for only if it matters.
    #[inline]
    pub(crate) fn sees(&self, order: &Order, source: impl FnOnce() -> SourceId) -> bool {
        order.commit <= self.seen_from
            && self.known_at.is_none_or(|known_at| order.known_time <= known_at)
            && self.erased.is_none_or(|erase| order.commit >= erase)
            && (self.taken.reverts.is_empty()
                || !self.taken.is_reverted(order.commit, source(), self.seen_from))
    }

    /// Whether a commit alone may tell that the read sees a revision.
    #[inline]
    pub(crate) const fn sees_by_commit(&self) -> bool {
        self.known_at.is_none()
    }

    /// Whether the read, if it [sees by commit](Self::sees_by_commit), surely sees what has this commit:
    /// nothing that is taken away is as new as the last that takes away.
    #[inline]
    pub(crate) fn surely_sees(&self, commit: Commit) -> bool {
        commit <= self.seen_from
            && commit >= self.taken.newest_revert
            && self.erased.is_none_or(|erase| commit >= erase)
    }

    /// Whether the read surely sees every revision of a table.
    #[inline]
    pub(crate) fn sees_all(&self, table: &Table) -> bool {
        self.sees_all_below(&table.top_order())
            && (self.taken.reverts.is_empty() || self.is_spared(table))
    }

    /// Whether no revert takes anything of a table, as far as its metadata tells.
    #[inline]
    pub(crate) fn is_spared(&self, table: &Table) -> bool {
        let commits = (table.entry.min_commit, table.entry.max_commit);
        let holds = |source| table.meta.sources.contains_key(&source);
        table.spared.by(self.taken.newest_revert, || self.taken.spares(commits, holds))
    }

    /// Whether the read surely sees every revision that is above `top` in none of the three and that no
    /// revert takes away.
    #[inline]
    pub(crate) fn sees_all_below(&self, top: &Order) -> bool {
        top.commit <= self.seen_from
            && self.known_at.is_none_or(|known_at| top.known_time <= known_at)
            && self.erased.is_none()
    }
}

/// What a feature's definition and bounds say to a read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Age up to which a value is fresh.
    pub(crate) max_age: Option<Span>,
    /// S.
    pub(crate) stale: Option<EventTime>,
    /// B.
    pub(crate) forgotten: Option<EventTime>,
}

impl Terms {
    /// Whether no value ever grows old.
    #[inline]
    pub(crate) const fn is_endless(&self) -> bool {
        self.max_age.is_none() && self.stale.is_none() && self.forgotten.is_none()
    }

    /// Whether a version of this event time does not exist, whatever holds it.
    #[inline]
    pub(crate) fn is_forgotten(&self, event_time: EventTime) -> bool {
        self.forgotten.is_some_and(|forgotten| event_time < forgotten)
    }

    /// Whether the value of a version of this event time is given up.
    #[inline]
    pub(crate) fn is_given_up(&self, event_time: EventTime) -> bool {
        self.stale.is_some_and(|stale| event_time < stale)
    }

    /// Which answer the newest version gives as of `t`.
    #[inline]
    pub(crate) fn judge(&self, event_time: EventTime, kind: Kind, t: EventTime) -> Status {
        if kind == Kind::Deleted {
            return Status::Deleted;
        }
        let age = i128::from(t.0) - i128::from(event_time.0);
        let too_old = self.max_age.is_some_and(|limit| age > i128::from(limit.micros()));
        // A stub is only made of what lies below S, and S never falls.
        if self.is_given_up(event_time) || too_old || kind == Kind::Stub {
            return Status::Expired;
        }
        if kind == Kind::Null { Status::Null } else { Status::Value }
    }

    /// Which answer the newest version gives at first, and up to when: later it has expired.
    pub(crate) fn judge_until(&self, event_time: EventTime, kind: Kind) -> (Status, EventTime) {
        let status = self.judge(event_time, kind, event_time);
        let grows_old = matches!(status, Status::Value | Status::Null);
        let until = match self.max_age.filter(|_| grows_old) {
            // What comes to more than any moment is not reached.
            Some(limit) => event_time.0.saturating_add(limit.micros()),
            None => i64::MAX,
        };
        (status, EventTime(until))
    }
}

#[cfg(test)]
mod tests {
    use asofdb_format::hash::EraseKey;

    use super::*;
    use crate::state::taken::{Revert, Reverted};

    const TERMS: Terms = Terms { max_age: None, stale: None, forgotten: None };

    /// What surely sees all below a top of a source is never told by the source's rows to see less.
    #[test]
    fn who_sees_all_is_refused_a_revision_below_the_top() {
        let moments = [0, 3, 5, 8];
        let order = |known_time, commit| Order {
            event_time: EventTime(1),
            known_time: KnownTime(known_time),
            commit: Commit(commit),
        };
        let taken = &Taken::new(EraseKey([7; 16]));
        let (mut whole, mut parts) = (0, 0);
        for (seen_from, known_at) in moments.iter().flat_map(|a| moments.map(|b| (*a, b))) {
            for erased in [None, Some(Commit(4))] {
                for known_at in [None, Some(KnownTime(known_at))] {
                    let view = View { seen_from: Commit(seen_from), known_at, erased, taken };
                    for (known, commit) in moments.iter().flat_map(|a| moments.map(|b| (*a, b))) {
                        let below =
                            (0..=known).flat_map(|k| (0..=commit).map(move |c| order(k, c)));
                        let sees = |order: Order| view.sees(&order, || SourceId(1));
                        let all = below.map(sees).fold(true, |all, sees| all & sees);
                        let told = view.sees_all_below(&order(known, commit));
                        assert!(!told || all, "{view:?} {known} {commit}");
                        if told { whole += 1 } else { parts += usize::from(!all) }
                    }
                }
            }
        }
        assert!(whole > 20 && parts > 20, "{whole} {parts}");
    }

    /// Of a record in memory a commit is told at once, its source and known time are not.
    #[test]
    fn what_is_surely_seen_no_erase_or_revert_took_away() {
        let mut reverted = Taken::new(EraseKey([7; 16]));
        let kept = reverted.clone();
        for (commit, source) in [(3, 2), (5, 1)] {
            let what = Reverted::Source(SourceId(source));
            reverted.revert(Revert { commit: Commit(commit), what });
        }
        let (mut sure, mut gone) = (0, 0);
        for taken in [&kept, &reverted] {
            for (erased, seen_from) in
                [None, Some(Commit(4))].iter().flat_map(|e| (0..9).map(move |s| (e, s)))
            {
                let view =
                    View { seen_from: Commit(seen_from), known_at: None, erased: *erased, taken };
                for (commit, source) in (0..9).flat_map(|c| (0..3).map(move |s| (c, s))) {
                    let order = Order {
                        event_time: EventTime(1),
                        known_time: KnownTime(commit),
                        commit: Commit(commit),
                    };
                    let told = view.sees_by_commit() && view.surely_sees(order.commit);
                    let sees = view.sees(&order, || SourceId(source));
                    assert!(!told || sees, "{view:?} {commit} {source}");
                    if told { sure += 1 } else { gone += usize::from(!sees) }
                }
            }
        }
        assert!(sure > 100 && gone > 100, "{sure} {gone}");
    }

    #[test]
    fn a_value_as_old_as_its_ttl_is_fresh_and_one_microsecond_more_is_not() {
        let terms = Terms { max_age: Span::from_micros(10), ..TERMS };
        assert_eq!(terms.judge(EventTime(0), Kind::Value, EventTime(10)), Status::Value);
        assert_eq!(terms.judge(EventTime(0), Kind::Value, EventTime(11)), Status::Expired);
        let widest = terms.judge(EventTime::MIN, Kind::Value, EventTime::MAX);
        assert_eq!(widest, Status::Expired);
    }

    #[test]
    fn what_holds_up_to_a_moment_is_what_is_judged_at_each() {
        let ends = [i64::MIN, i64::MIN + 1, -1, 0, 1, 7, 10, 11, i64::MAX - 1, i64::MAX];
        let ages = [None, Some(0), Some(1), Some(10), Some(Span::MAX.micros())];
        for max_age in ages.map(|age| age.and_then(Span::from_micros)) {
            for stale in [None, Some(EventTime(1)), Some(EventTime(i64::MAX))] {
                let terms = Terms { max_age, stale, ..TERMS };
                for (event_time, t) in ends.iter().flat_map(|a| ends.map(|b| (*a, b))) {
                    for kind in [Kind::Value, Kind::Null, Kind::Deleted, Kind::Stub] {
                        let (first, until) = terms.judge_until(EventTime(event_time), kind);
                        let told = if t <= until.0 { first } else { Status::Expired };
                        let judged = terms.judge(EventTime(event_time), kind, EventTime(t));
                        let case = (terms, kind, event_time, t);
                        assert!(t < event_time || told == judged, "{case:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_delete_stays_a_delete_and_a_stale_null_is_expired() {
        let terms = Terms { stale: Some(EventTime(5)), ..TERMS };
        assert_eq!(terms.judge(EventTime(4), Kind::Deleted, EventTime(9)), Status::Deleted);
        assert_eq!(terms.judge(EventTime(4), Kind::Null, EventTime(9)), Status::Expired);
        assert_eq!(terms.judge(EventTime(5), Kind::Null, EventTime(9)), Status::Null);
    }
}
