//! A column of numbers. Who sees all of its revisions decodes nothing else; who does not brings along the
//! chunk's [`Orders`], which tell.

use crate::chunk::List;
use crate::chunk::column::{Orders, OrdersBack, kind_of};
use crate::ids::EventTime;
use crate::ints::{Ints, Limit};
use crate::value::Kind;
use crate::values::NumberValues;
use crate::wire::Decoded;

/// A moment, and what was found out of it for all columns of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub(super) t: EventTime,
    pub(super) limit: Option<Limit>,
    /// How many revisions of each column are not after it, if that is the same for all.
    pub(super) index: Option<usize>,
}

impl Moment {
    /// How many revisions of each column are not after it, if their event times are one list.
    #[must_use]
    #[inline]
    pub const fn up_to_of_all(&self) -> Option<usize> {
        self.index
    }
}

/// A column of numbers.
#[derive(Clone, Copy, Debug)]
pub struct NumberColumn<'a> {
    pub(super) times: List<'a>,
    pub(super) before: usize,
    pub(super) kinds: Option<Ints<'a>>,
    pub(super) numbers: NumberValues<'a>,
}

impl NumberColumn<'_> {
    /// How many revisions it has, at least one.
    #[must_use]
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a column is never empty")]
    pub const fn len(&self) -> usize {
        self.times.count
    }

    /// How many of its revisions have an event time up to a moment that its chunk made.
    #[must_use]
    #[inline(always)]
    pub fn up_to(&self, moment: &Moment) -> usize {
        let List { all, before, count } = &self.times;
        match (moment.index, &moment.limit) {
            (Some(index), _) => index.min(*count),
            (None, Some(limit)) => all.partition_within(*before, *count, limit),
            (None, None) => self.times.partition_above(moment.t.0),
        }
    }

    /// The i-th event time.
    #[must_use]
    #[inline(always)]
    pub fn event_time(&self, index: usize) -> EventTime {
        EventTime(self.times.get(index))
    }

    /// The i-th revision's kind.
    #[inline(always)]
    pub fn kind(&self, index: usize) -> Decoded<Kind> {
        kind_of(self.kinds.as_ref(), self.before.saturating_add(index))
    }

    /// The orders of its revisions, for who goes back through them, of the chunk's own
    /// [`Chunk::orders`](crate::chunk::Chunk::orders).
    #[must_use]
    #[inline]
    pub const fn orders_back<'o, 'a>(&self, orders: &'o Orders<'a>) -> OrdersBack<'o, 'a> {
        OrdersBack::new(orders, self.before)
    }

    /// The bits of the i-th number.
    #[must_use]
    #[inline(always)]
    pub fn bits(&self, index: usize) -> u64 {
        self.numbers.bits(index)
    }
}
