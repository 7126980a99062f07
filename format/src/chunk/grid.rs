//! The numbers of all columns of a chunk at some moments, where they lie side by side: columns are
//! looked at one beside another, and no look waits for the one before it.

use crate::chunk::beside::Beside;
use crate::chunk::{Chunk, ONE_TIMES, TIMES};
use crate::ids::EventTime;
use crate::ints::Limit;
use crate::value::Kind;
use crate::wire::{Decoded, narrow};

/// The numbers of a chunk, for readers who see every revision of it.
#[derive(Clone, Copy, Debug)]
pub struct Grid<'c, 'a> {
    pub(super) chunk: &'c Chunk<'a>,
    pub(super) beside: &'c Beside<'a>,
    /// How many revisions each column has, if all have as many.
    pub(super) each: Option<u32>,
    /// Else, how many lie before each column, and all.
    starts: &'c [u32],
    pub(super) is_one_time: bool,
    /// How many event times lie before those of each column, where columns have some lists.
    pub(super) listed: Option<&'c [u32]>,
}

/// What has to be remembered of a chunk for its [`Grid`]: where columns begin that are not alike.
#[derive(Clone, Debug, Default)]
pub struct Starts {
    revisions: Vec<u32>,
    times: Vec<u32>,
}

impl<'a> Chunk<'a> {
    /// Whether its numbers lie side by side.
    #[must_use]
    #[inline]
    pub const fn has_grid(&self) -> bool {
        self.beside.is_some()
    }

    /// Its numbers, if they lie side by side. `starts` are those of [`Chunk::starts`], without which there
    /// are none.
    #[must_use]
    #[inline]
    pub fn grid<'c>(&'c self, starts: &'c Starts) -> Option<Grid<'c, 'a>> {
        let beside = self.beside.as_ref()?;
        let each = self.counts.constant().map(|count| small(narrow(count.cast_unsigned())));
        let is_one_time = self.flags & TIMES == ONE_TIMES;
        let listed = self.listed.map(|_| &*starts.times);
        if listed.is_some_and(|listed| listed.len() != self.columns) {
            return None;
        }
        Some(Grid { chunk: self, beside, each, starts: &starts.revisions, is_one_time, listed })
    }

    /// Where columns begin, for [`Chunk::grid`]: replaces what was remembered of another chunk.
    #[inline]
    pub fn starts(&self, out: &mut Starts) -> Decoded<()> {
        let Starts { revisions, times } = out;
        revisions.clear();
        times.clear();
        if let Some(listed) = &self.listed {
            listed.starts(&self.counts, self.times.len(), times).inspect_err(|_| times.clear())?;
        }
        if self.counts.constant().is_none() {
            let mut before = 0;
            revisions.reserve_exact(self.columns + 1);
            revisions.extend(self.counts.iter().map(|count| {
                let start = small(before);
                before += narrow(count.cast_unsigned());
                start
            }));
            revisions.push(small(before));
        }
        Ok(())
    }
}

/// No chunk has more revisions than can be counted so.
pub(super) fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Grid<'_, '_> {
    /// Holds moments against the event times of all columns, for [`Grid::answer`] and [`Grid::up_to`]:
    /// those replace what is in the list.
    #[inline]
    pub fn limits(&self, moments: &[EventTime], out: &mut Vec<Limit>) {
        let times = &self.chunk.times;
        let longest = self.chunk.longest();
        let limits = moments.iter().map(|t| times.limit(longest, t.0));
        out.clear();
        if self.is_one_time {
            let index = |limit| Limit::at(times.partition_within(0, longest, &limit));
            out.extend(limits.map(index));
        } else {
            out.extend(limits);
        }
    }

    /// How many revisions of a column have an event time up to a moment.
    #[must_use]
    #[inline]
    pub fn up_to(&self, column: usize, moment: &Limit) -> usize {
        let Some((before, len)) = self.list_of(column) else { return 0 };
        self.chunk.times.partition_within(self.times_before(column, before), len, moment)
    }

    /// Whether all revisions are values.
    #[must_use]
    #[inline]
    pub const fn is_all_values(&self) -> bool {
        self.chunk.kinds.is_none()
    }

    /// How many revisions lie before a column, and how many it has.
    #[inline(always)]
    pub(super) fn list_of(&self, column: usize) -> Option<(usize, usize)> {
        if let Some(each) = self.each {
            let each = each as usize;
            return (column < self.chunk.columns).then(|| (column.wrapping_mul(each), each));
        }
        let start = *self.starts.get(column)?;
        let next = *self.starts.get(column.wrapping_add(1))?;
        Some((start as usize, next.saturating_sub(start) as usize))
    }

    /// How many revisions lie before a column and before each of the four behind it, if there are so
    /// many and they have to be remembered.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn starts_from(&self, column: u32) -> Option<&[u32; 5]> {
        let column = column as usize;
        self.starts.get(column..column.wrapping_add(5))?.first_chunk()
    }

    /// How many event times lie before those of a column before which so many revisions lie.
    #[inline(always)]
    pub(super) fn times_before(&self, column: usize, before: usize) -> usize {
        match self.listed {
            Some(listed) => listed.get(column).map_or(0, |before| *before as usize),
            None if self.is_one_time => 0,
            None => before,
        }
    }

    /// The kind of the i-th revision of a column.
    #[inline(always)]
    pub fn kind(&self, column: usize, index: usize) -> Decoded<Kind> {
        match &self.chunk.kinds {
            None => Ok(Kind::Value),
            kinds => {
                let (before, _) = self.list_of(column).unwrap_or((usize::MAX, 0));
                super::column::kind_of(kinds.as_ref(), before.saturating_add(index))
            }
        }
    }
}
