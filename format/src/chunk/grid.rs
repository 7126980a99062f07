//! The numbers of all columns of a chunk at one moment, where they lie side by side: columns are
//! looked at one beside another, and no look waits for the one before it.

use crate::chunk::beside::Beside;
use crate::chunk::numbers::{Moment, NumberColumn};
use crate::chunk::{Chunk, List, ONE_TIMES};
use crate::ids::EventTime;
use crate::value::Kind;
use crate::wire::{Decoded, narrow};

/// The numbers of a chunk, for readers who see every revision of it.
#[derive(Clone, Copy, Debug)]
pub struct Grid<'c, 'a> {
    chunk: &'c Chunk<'a>,
    beside: &'c Beside<'a>,
    /// How many revisions lie before each column, and all.
    starts: &'c [u32],
    is_one_time: bool,
}

impl<'a> Chunk<'a> {
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
    /// Adds how many revisions of each column have an event time up to a moment that the chunk made.
    #[inline]
    pub fn up_to(&self, moment: &Moment, out: &mut Vec<u32>) {
        let times = &self.chunk.times;
        match (moment.index, &moment.limit) {
            (None, Some(limit)) => times.partition_each(self.starts, limit, out),
            (Some(index), _) => {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                out.extend(self.starts.windows(2).map(|pair| index.min(len_of(pair))));
            }
            // Times of their own are never beside numbers that are side by side.
            (None, None) => out.extend(self.starts.windows(2).map(|_| 0)),
        }
    }

    /// How many revisions lie before a column.
    #[inline(always)]
    fn before(&self, column: usize) -> usize {
        self.starts.get(column).map_or(usize::MAX, |start| *start as usize)
    }

    /// A column, for who reads several of its revisions.
    #[inline(always)]
    pub fn column(&self, column: usize) -> Decoded<NumberColumn<'_>> {
        let before = self.before(column);
        let times = List {
            all: self.chunk.times,
            before: if self.is_one_time { 0 } else { before },
            count: self
                .starts
                .get(column + 1)
                .map_or(0, |next| (*next as usize).saturating_sub(before)),
        };
        let numbers = self.beside.column(column, before)?;
        Ok(NumberColumn { times, before, kinds: self.chunk.kinds, numbers })
    }

    /// The event time of the i-th revision of a column.
    #[must_use]
    #[inline(always)]
    pub fn event_time(&self, column: usize, index: usize) -> EventTime {
        let before = if self.is_one_time { 0 } else { self.before(column) };
        EventTime(self.chunk.times.at(index, before.saturating_add(index)))
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

    /// The bits of the i-th number of a column.
    #[inline(always)]
    pub fn bits(&self, column: usize, index: usize) -> Decoded<u64> {
        Ok(self.beside.column(column, self.before(column))?.bits(index))
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
