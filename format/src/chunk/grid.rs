//! The numbers of all columns of a chunk at one moment, where they lie side by side: columns are
//! looked at one beside another, and no look waits for the one before it.

use crate::chunk::beside::Beside;
use crate::chunk::numbers::Moment;
use crate::chunk::{Chunk, ONE_TIMES};
use crate::value::Kind;
use crate::wire::{Decoded, narrow};

/// The numbers of a chunk, for readers who see every revision of it.
#[derive(Clone, Copy, Debug)]
pub struct Grid<'c, 'a> {
    pub(super) chunk: &'c Chunk<'a>,
    pub(super) beside: &'c Beside<'a>,
    /// How many revisions lie before each column, and all.
    starts: &'c [u32],
    pub(super) is_one_time: bool,
}

impl<'a> Chunk<'a> {
    /// Whether its numbers lie side by side.
    #[must_use]
    #[inline]
    pub const fn has_grid(&self) -> bool {
        self.beside.is_some()
    }

    /// Its numbers, if they lie side by side. `starts` are those of [`Chunk::starts`].
    #[must_use]
    #[inline]
    pub fn grid<'c>(&'c self, starts: &'c [u32]) -> Option<Grid<'c, 'a>> {
        let beside = self.beside.as_ref()?;
        let is_one_time = self.flags & ONE_TIMES != 0;
        Some(Grid { chunk: self, beside, starts, is_one_time })
    }

    /// How many revisions lie before each column, and how many there are in all: those replace what
    /// is in the list.
    #[inline]
    pub fn starts(&self, out: &mut Vec<u32>) {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        out.clear();
        match self.counts.constant() {
            Some(count) => {
                let count = narrow(count.cast_unsigned());
                out.extend((0..=self.columns).map(|column| small(column * count)));
            }
            None => {
                let mut before = 0;
                out.extend(self.counts.iter().map(|count| {
                    let start = small(before);
                    before += narrow(count.cast_unsigned());
                    start
                }));
                out.push(small(before));
            }
        }
    }
}

impl Grid<'_, '_> {
    /// Tells of each column how many of its revisions have an event time up to a moment that the
    /// chunk made: a place in `out` for each.
    #[inline]
    pub fn up_to<'o>(&self, moment: &Moment, out: impl Iterator<Item = &'o mut u32>) {
        let times = &self.chunk.times;
        match (moment.index, &moment.limit) {
            (None, Some(limit)) => times.partition_each(self.starts, limit, out),
            (Some(index), _) => {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                for (pair, out) in self.starts.windows(2).zip(out) {
                    *out = index.min(len_of(pair));
                }
            }
            // Times of their own are never beside numbers that are side by side.
            (None, None) => out.for_each(|out| *out = 0),
        }
    }

    /// Whether all revisions are values.
    #[must_use]
    #[inline]
    pub const fn is_all_values(&self) -> bool {
        self.chunk.kinds.is_none()
    }

    /// How many revisions lie before a column.
    #[inline(always)]
    pub(super) fn before(&self, column: usize) -> usize {
        self.starts.get(column).map_or(usize::MAX, |start| *start as usize)
    }

    /// The kind of the i-th revision of a column.
    #[inline(always)]
    pub fn kind(&self, column: usize, index: usize) -> Decoded<Kind> {
        match &self.chunk.kinds {
            None => Ok(Kind::Value),
            kinds => {
                super::column::kind_of(kinds.as_ref(), self.before(column).saturating_add(index))
            }
        }
    }
}

/// How many revisions a column has, told by its start and that of the next.
#[inline]
fn len_of(pair: &[u32]) -> u32 {
    match pair {
        [start, next] => next.saturating_sub(*start),
        _ => 0,
    }
}
