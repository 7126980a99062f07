//! A column of a chunk with all that its revisions have, read in place.

use crate::chunk::List;
use crate::ids::{Commit, EventTime, KnownTime, SourceId};
use crate::ints::Ints;
use crate::revision::Order;
use crate::timeline::Timeline;
use crate::value::Kind;
use crate::values::{NumberValues, Place, Values};
use crate::wire::{Decoded, Malformed, Reader};

/// Commits, known times and sources of a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Orders<'a> {
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
                let place = i64::try_from(before.saturating_add(index)).unwrap_or(i64::MAX);
                match places.partition_above(place).checked_sub(1) {
                    Some(at) if places.get(at) == place => commits.get(at),
                    _ => timeline.commit_of(event_time).map_or(i64::MAX, |commit| commit.0),
                }
            }
        }
    }
}

/// One feature's older versions, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    pub(super) times: List<'a>,
    pub(super) before: usize,
    pub(super) orders: Orders<'a>,
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
    pub fn order(&self, index: usize) -> Order {
        self.order_at(index, self.event_time(index))
    }

    /// The same for who has its event time.
    #[must_use]
    #[inline]
    pub fn order_at(&self, index: usize, event_time: EventTime) -> Order {
        let commit = self.orders.commits.get(self.before, index, event_time);
        let place = self.before.saturating_add(index);
        let behind = self.orders.known.as_ref().map_or(0, |known| known.get(place));
        Order {
            event_time,
            known_time: KnownTime(commit.wrapping_sub(behind)),
            commit: Commit(commit),
        }
    }

    /// The i-th revision's source.
    #[must_use]
    pub fn source(&self, index: usize) -> SourceId {
        let place = self.before.saturating_add(index);
        let id = self.orders.sources.as_ref().map_or(0, |sources| sources.get(place));
        SourceId(u32::try_from(id).unwrap_or(u32::MAX))
    }

    /// The i-th revision's kind.
    #[inline]
    pub fn kind(&self, index: usize) -> Decoded<Kind> {
        kind_of(self.kinds.as_ref(), self.before.saturating_add(index))
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
