//! Going back from the newest version up to a moment to one that is seen, where not all are.
//!
//! ```text
//! versions      . . . a x x x x | n n n        a: what the row before was told
//! of known time       2 9 7 8 9 | ? ? ?        x: looked at, not seen yet; n: new to this row
//! ```
//!
//! Rows that ascend by time and by what they know are never told an older version than the row before:
//! each goes back through what is new to it, and what was not seen waits until it is known. So no row
//! looks at a version again that one before it looked at, however many came late.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use asofdb_format::ids::{KnownTime, SourceId};
use asofdb_format::revision::Order;

use crate::read::resolve::View;

/// How far rows went back through the versions of a feature.
#[derive(Debug)]
pub(crate) struct GoingBack {
    /// Some rows know more than those before them.
    learns: bool,
    /// What was told last.
    seen: Option<usize>,
    /// All versions from there up to here were looked at.
    up_to: usize,
    /// Those of them that will be seen, once they are known. What lies before `seen` says nothing.
    waiting: BinaryHeap<Reverse<(KnownTime, usize)>>,
}

/// The newest of the first so many versions that a view sees.
#[inline]
pub(crate) fn newest_seen(
    up_to: usize,
    version: impl FnMut(usize) -> (Order, SourceId),
    view: &View<'_>,
) -> Option<usize> {
    GoingBack::new(false).newest(up_to, version, view)
}

impl GoingBack {
    /// Begins, for rows of which some know more than others, or for such as all know the same.
    #[inline]
    pub(crate) const fn new(learns: bool) -> Self {
        Self { learns, seen: None, up_to: 0, waiting: BinaryHeap::new() }
    }

    /// The newest of the first so many versions that a row sees. No row asks for less, or knows less,
    /// than the one before: where damage makes one ask for less, nothing is looked at again.
    #[inline]
    pub(crate) fn newest(
        &mut self,
        up_to: usize,
        mut version: impl FnMut(usize) -> (Order, SourceId),
        view: &View<'_>,
    ) -> Option<usize> {
        let once_known = View { known_at: None, ..*view };
        for index in (self.up_to..up_to).rev() {
            let (order, source) = version(index);
            if view.sees(&order, || source) {
                self.seen = Some(index);
                break;
            }
            if self.learns && once_known.sees(&order, || source) {
                self.waiting.push(Reverse((order.known_time, index)));
            }
        }
        self.up_to = self.up_to.max(up_to);
        while let Some(Reverse((known_time, index))) = self.waiting.peek().copied()
            && view.known_at.is_none_or(|known_at| known_time <= known_at)
        {
            self.waiting.pop();
            self.seen = self.seen.max(Some(index));
        }
        self.seen
    }

    /// Begins with another feature.
    pub(crate) fn clear(&mut self) {
        (self.seen, self.up_to) = (None, 0);
        self.waiting.clear();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use asofdb_format::chunk::{self, Chunk, ColumnInput, NumberColumn, Walk};
    use asofdb_format::hash::EraseKey;
    use asofdb_format::ids::{Commit, EventTime, FeatureId};
    use asofdb_format::revision::{Payload, Revision};
    use asofdb_format::timeline::Timeline;
    use asofdb_format::value::Kind;
    use asofdb_format::values::Numbers;

    use super::*;
    use crate::state::taken::Taken;
    use crate::world::sim::Rng;

    fn number(rng: &mut Rng, most: u64) -> i64 {
        rng.below(most + 1).cast_signed()
    }

    fn some_revisions(rng: &mut Rng) -> Vec<Revision> {
        let mut revisions: Vec<_> = (0..1 + rng.below(40))
            .map(|_| {
                let commit = number(rng, 90);
                let order = Order {
                    event_time: EventTime(number(rng, 30)),
                    known_time: KnownTime(commit - number(rng, 50)),
                    commit: Commit(commit),
                };
                let payload = Payload::Bits(rng.next_u64() >> 40);
                Revision { order, kind: Kind::Value, source: SourceId(0), payload }
            })
            .collect();
        revisions.sort_by_key(|revision| revision.order);
        revisions.dedup_by_key(|revision| revision.order);
        revisions
    }

    /// Of each row the newest version by looking at all of them.
    fn by_all(revisions: &[Revision], t: EventTime, view: &View<'_>) -> Option<usize> {
        let is_seen = |revision: &Revision| {
            revision.order.event_time <= t && view.sees(&revision.order, || revision.source)
        };
        revisions.iter().rposition(is_seen)
    }

    #[test]
    fn a_row_is_told_what_the_row_before_it_knew() {
        for seed in 0..3_000 {
            let mut rng = Rng::new(seed);
            let revisions = some_revisions(&mut rng);
            let input = ColumnInput {
                feature: FeatureId(1),
                numbers: Numbers::Plain,
                revisions: &revisions,
            };
            let (mut bytes, timeline) = (Vec::new(), Timeline::none());
            chunk::encode(&[input], &timeline, &mut bytes, &mut Vec::new());
            let chunk = Chunk::decode(&bytes).unwrap();
            let column: NumberColumn<'_> = chunk.numbers(0, &mut Walk::default()).unwrap().unwrap();
            let orders = chunk.orders(&timeline).unwrap();
            let differ = rng.percent(70);
            let mut rows: Vec<_> = (0..1 + rng.below(12))
                .map(|_| (number(&mut rng, 31), number(&mut rng, 90)))
                .collect();
            let mut known: Vec<_> = rows.iter().map(|(_, known)| *known).collect();
            known.sort_unstable();
            rows.sort_unstable();
            let (same, seen_from) = (number(&mut rng, 90), Commit(number(&mut rng, 120)));
            let taken = Taken::new(EraseKey([0; 16]));
            let mut back = GoingBack::new(differ);
            for ((t, _), known) in rows.into_iter().zip(known) {
                let known_at = Some(KnownTime(if differ { known } else { same }));
                let view = View { seen_from, known_at, erased: None, taken: &taken };
                let t = EventTime(t);
                let up_to = column.up_to(&chunk.moment(t));
                let mut orders = column.orders_back(&orders);
                let version = |index| orders.version(index, column.event_time(index));
                let told = back.newest(up_to, version, &view);
                let expected = by_all(&revisions, t, &view);
                assert_eq!(told, expected, "seed {seed}, at {t:?} of {view:?}: {revisions:?}");
            }
        }
    }

    /// Of a chunk whose times were damaged so that they do not ascend, a later moment may be answered
    /// with fewer versions.
    #[test]
    fn versions_wait_again_for_each_row_of_a_damaged_chunk() {
        let versions = 1_000;
        let taken = Taken::new(EraseKey([0; 16]));
        let mut back = GoingBack::new(true);
        for row in 0..5_000 {
            let view = View {
                seen_from: Commit(9),
                known_at: Some(KnownTime(1)),
                erased: None,
                taken: &taken,
            };
            let order =
                Order { event_time: EventTime(1), known_time: KnownTime(2), commit: Commit(3) };
            let up_to = if row % 2 == 0 { versions } else { 1 };
            assert_eq!(back.newest(up_to, |_| (order, SourceId(0)), &view), None);
        }
        assert_eq!(back.waiting.len(), versions);
    }
}
