//! A column of a chunk with all that its revisions have, read in place.

use crate::chunk::List;
use crate::ids::{Commit, EventTime, KnownTime, SourceId};
use crate::ints::Ints;
use crate::revision::Order;
use crate::timeline::Timeline;
use crate::value::Kind;
use crate::values::{NumberValues, Place, Values};
use crate::wire::{Decoded, Malformed, Reader};

/// Commits, known times and sources of a chunk: what tells whether a read sees a revision, and which
/// of two of one event time is newer.
#[derive(Clone, Copy, Debug)]
pub struct Orders<'a> {
    pub(super) commits: Commits<'a>,
    pub(super) known: Option<Ints<'a>>,
    pub(super) sources: Option<Ints<'a>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Commits<'a> {
    One(Ints<'a>),
    Lines(Ints<'a>),
    Places(Ints<'a>, Ints<'a>),
    /// Those of a timeline, but for revisions at some places, ascending.
    ByTime {
        timeline: &'a Timeline,
        places: Ints<'a>,
        commits: Ints<'a>,
    },
}

impl Commits<'_> {
    /// The commit of the i-th revision of a list before which so many lie, of an event time.
    fn get(&self, before: usize, index: usize, event_time: EventTime) -> i64 {
        match self {
            Self::One(list) => list.get(index),
            Self::Lines(all) => all.at(index, before.saturating_add(index)),
            Self::Places(commits, places) => {
                match usize::try_from(places.at(index, before.saturating_add(index))) {
                    Ok(place) if place < commits.len() => commits.get(place),
                    // No writer has such a place; the largest commit is one that no reader sees.
                    _ => i64::MAX,
                }
            }
            Self::ByTime { timeline, places, commits } => {
                let place = place_of(before, index);
                let last = places.partition_above(place).checked_sub(1);
                let exception = last.filter(|at| places.get(*at) == place);
                told(timeline, commits, exception, event_time)
            }
        }
    }
}

/// The place among all of the i-th revision of a column before which so many lie.
fn place_of(before: usize, index: usize) -> i64 {
    i64::try_from(before.saturating_add(index)).unwrap_or(i64::MAX)
}

/// The commit of an exception, or what the timeline tells of an event time.
#[inline]
fn told(
    timeline: &Timeline,
    commits: &Ints<'_>,
    exception: Option<usize>,
    event_time: EventTime,
) -> i64 {
    let by_time = || timeline.commit_of(event_time).map_or(i64::MAX, |commit| commit.0);
    exception.map_or_else(by_time, |at| commits.get(at))
}

/// The orders of a column for who goes back from revision to revision: what was found out for one is
/// near what the one before it needs.
#[derive(Clone, Debug)]
pub struct OrdersBack<'o, 'a> {
    orders: &'o Orders<'a>,
    before: usize,
    /// Of the revisions that do not go by the timeline, how many lie up to the one asked for last.
    exceptions: Option<usize>,
}

impl<'o, 'a> OrdersBack<'o, 'a> {
    pub(super) const fn new(orders: &'o Orders<'a>, before: usize) -> Self {
        Self { orders, before, exceptions: None }
    }

    /// The place in the order of the i-th revision of the column, by its event time. No index may be
    /// above the one before.
    #[must_use]
    #[inline]
    pub fn order(&mut self, index: usize, event_time: EventTime) -> Order {
        let commit = match &self.orders.commits {
            Commits::ByTime { timeline, places, commits } => {
                let place = place_of(self.before, index);
                let mut up_to = match self.exceptions {
                    Some(up_to) => up_to,
                    None => places.partition_above(place),
                };
                let exception = loop {
                    let Some(at) = up_to.checked_sub(1) else { break None };
                    let last = places.get(at);
                    if last <= place {
                        break (last == place).then_some(at);
                    }
                    up_to = at;
                };
                self.exceptions = Some(up_to);
                told(timeline, commits, exception, event_time)
            }
            commits => commits.get(self.before, index, event_time),
        };
        self.orders.with_commit(commit, self.before.saturating_add(index), event_time)
    }

    /// The same, and the i-th revision's source.
    #[must_use]
    #[inline]
    pub fn version(&mut self, index: usize, event_time: EventTime) -> (Order, SourceId) {
        let source = self.orders.source(self.before.saturating_add(index));
        (self.order(index, event_time), source)
    }
}

impl Orders<'_> {
    /// The place in the order of the i-th revision of a column before which so many revisions lie.
    #[inline]
    fn of(&self, before: usize, index: usize, event_time: EventTime) -> Order {
        let commit = self.commits.get(before, index, event_time);
        self.with_commit(commit, before.saturating_add(index), event_time)
    }

    /// The order of the revision at a place among all, of which the rest is known.
    #[inline]
    fn with_commit(&self, commit: i64, place: usize, event_time: EventTime) -> Order {
        let behind = self.known.as_ref().map_or(0, |known| known.get(place));
        Order {
            event_time,
            known_time: KnownTime(commit.wrapping_sub(behind)),
            commit: Commit(commit),
        }
    }

    /// Whether any revision is of a source that is looked for.
    #[must_use]
    pub fn has_any_of(&self, is_one: impl Fn(SourceId) -> bool) -> bool {
        let is_one = |id: i64| is_one(SourceId(u32::try_from(id).unwrap_or(u32::MAX)));
        match &self.sources {
            None => is_one(0),
            Some(all) => match all.constant() {
                Some(one) => is_one(one),
                None => all.iter().any(is_one),
            },
        }
    }

    /// The source of the revision at a place among all.
    #[inline]
    fn source(&self, place: usize) -> SourceId {
        let id = self.sources.as_ref().map_or(0, |sources| sources.get(place));
        SourceId(u32::try_from(id).unwrap_or(u32::MAX))
    }
}

/// One feature's older versions, read in place. Their orders are told by the chunk's own
/// [`Chunk::orders`](crate::chunk::Chunk::orders), which who sees all of them need not decode.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    pub(super) times: List<'a>,
    pub(super) before: usize,
    pub(super) kinds: Option<Ints<'a>>,
    pub(super) values: ColumnValues<'a>,
}

/// Where the values of a column are.
#[derive(Clone, Copy, Debug)]
pub(super) enum ColumnValues<'a> {
    /// From a place of the chunk on, up to another.
    Body(Reader<'a>, usize),
    Beside(NumberValues<'a>),
}

impl<'a> Column<'a> {
    /// How many revisions it has, at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a column is never empty")]
    pub const fn len(&self) -> usize {
        self.times.count
    }

    /// How many of its revisions have an event time up to `t`.
    #[must_use]
    #[inline]
    pub fn up_to(&self, t: EventTime) -> usize {
        self.times.partition_above(t.0)
    }

    /// The i-th event time.
    #[must_use]
    #[inline]
    pub fn event_time(&self, index: usize) -> EventTime {
        EventTime(self.times.get(index))
    }

    /// The i-th revision's place in the order.
    #[must_use]
    #[inline]
    pub fn order(&self, orders: &Orders<'_>, index: usize) -> Order {
        self.order_at(orders, index, self.event_time(index))
    }

    /// The same for who has its event time.
    #[must_use]
    #[inline]
    pub fn order_at(&self, orders: &Orders<'_>, index: usize, event_time: EventTime) -> Order {
        orders.of(self.before, index, event_time)
    }

    /// The i-th revision's source.
    #[must_use]
    pub fn source(&self, orders: &Orders<'_>, index: usize) -> SourceId {
        orders.source(self.before.saturating_add(index))
    }

    /// The orders of its revisions, for who goes back through them.
    #[must_use]
    pub const fn orders_back<'o>(&self, orders: &'o Orders<'a>) -> OrdersBack<'o, 'a> {
        OrdersBack::new(orders, self.before)
    }

    /// The i-th revision's kind.
    #[inline]
    pub fn kind(&self, index: usize) -> Decoded<Kind> {
        kind_of(self.kinds.as_ref(), self.before.saturating_add(index))
    }

    /// Whether each of its revisions surely has a value.
    #[must_use]
    #[inline]
    pub const fn are_values(&self) -> bool {
        self.kinds.is_none()
    }

    /// Where the values are, in the chunk that the column is of.
    #[inline]
    pub fn values(&self) -> Decoded<Values<'a>> {
        let (mut reader, end) = match self.values {
            ColumnValues::Body(reader, end) => (reader, end),
            ColumnValues::Beside(numbers) => return Ok(Values::from(numbers)),
        };
        let values = Values::decode(&mut reader, self.len())?;
        if reader.position() == end {
            Ok(values)
        } else {
            Err(reader.fault("the end of the column"))
        }
    }

    /// Where the i-th revision's value is; places count from the start of the chunk.
    #[inline]
    pub fn place(&self, index: usize) -> Decoded<Place> {
        self.values()?.place(index)
    }
}

#[inline]
pub(super) fn kind_of(kinds: Option<&Ints<'_>>, index: usize) -> Decoded<Kind> {
    let Some(kinds) = kinds else { return Ok(Kind::Value) };
    u8::try_from(kinds.get(index))
        .ok()
        .and_then(Kind::from_tag)
        .ok_or(Malformed::new(0, "the kind of a revision"))
}
