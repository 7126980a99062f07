//! The newest records up to moments that fall, for the rows of a join: each is looked for from where the
//! one before was found, and so is one that came late.
//!
//! ```text
//! records   r0 r1 r2 r3 r4 r5 | newest      asked at 9, then at 6, then at 5
//! times      1  2  5  6  8  8 | 9           9: newest; 6: from the end down to r3; 5: from r3 on
//! ```
//!
//! What was put in since it began need not be found: its commits are above all that its reader sees.

use asofdb_format::ids::EventTime;
use asofdb_format::wire::narrow;

use crate::state::memtable::feature::{Block, COUNTED, FeatureNode, Newest};
use crate::state::memtable::late::{LateBack, up_to_moment};
use crate::state::memtable::record::{Record, event_time, has_late};

/// How far the moments have fallen.
#[derive(Debug)]
pub(crate) struct Falling<'m> {
    feature: FeatureNode<'m>,
    /// `None`: there is no record.
    newest: Option<Record>,
    /// The block of the last of the older records that are left, and how many that are.
    block: Block<'m>,
    left: usize,
    /// At the newest late record up to the last moment for which one was looked for.
    late: LateBack<'m>,
}

impl<'m> FeatureNode<'m> {
    /// Begins at the newest record.
    #[inline]
    pub(crate) fn falling(&self) -> Falling<'m> {
        let (state, newest) = match self.newest_record() {
            Some((state, newest)) => (state, Some(newest)),
            None => (0, None),
        };
        let left = narrow(state & COUNTED).saturating_sub(1);
        let block = self.newest_block(left);
        Falling { feature: *self, newest, block, left, late: self.late(state).back() }
    }
}

impl Falling<'_> {
    /// As [`FeatureNode::number_up_to`], of a moment that is not after the one before.
    #[inline]
    pub(crate) fn number_up_to(&mut self, t: EventTime) -> Newest {
        let Some(newest) = &self.newest else { return Newest::Nothing };
        // What came late is below the newest.
        if event_time(newest) <= t {
            return self.feature.number(newest);
        }
        let ordered = self.ordered_up_to(t);
        if let Some(ordered) = &ordered
            && !has_late(ordered)
        {
            return self.feature.number(ordered);
        }
        self.feature.newer_of(ordered, self.late.up_to(&up_to_moment(t)))
    }

    #[inline]
    fn ordered_up_to(&mut self, t: EventTime) -> Option<Record> {
        let Self { feature, block, left, .. } = self;
        let is_up_to = |block, index| feature.time(block, index) <= t;
        while block.first > 0 && !is_up_to(*block, block.first) {
            *left = block.first;
            *block = feature.block(block.older);
        }
        // Down in steps that double, then in halves.
        let (mut low, mut high, mut step) = (block.first, *left, 1usize);
        while low < high {
            let middle = high.saturating_sub(step).max(low);
            if is_up_to(*block, middle) {
                low = middle + 1;
                break;
            }
            high = middle;
            step = step.saturating_mul(2);
        }
        while low < high {
            let middle = low.midpoint(high);
            if is_up_to(*block, middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        *left = low;
        let last = low.checked_sub(1)?;
        Some(feature.record(*block, last))
    }
}
