//! Some lists of event times, of which each column has one: features of one view mostly come together, and
//! an entity has several views.
//!
//! ```text
//! varint   L lists, 1 to C
//! ints     L ends of lists, counted in event times from the first of all: the last is T
//! ints     C indices of lists: the one that each column has
//! lines    of the L lists' event times, T in all
//! ```
//!
//! A list has as many event times as each column that has it has revisions. Ends, and not lengths: which
//! list a column has is told without a look at the lists before it.

use crate::chunk::grid::small;
use crate::ints::{self, Ints};
use crate::lines::{self, Lists};
use crate::wire::{Decoded, Malformed, Reader, Writer, narrow, wide};

/// Which list each column has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed<'a> {
    ends: Ints<'a>,
    lists: Ints<'a>,
}

impl<'a> Listed<'a> {
    /// The lists of so many columns, which have so many revisions in all, and the event times.
    pub(super) fn decode(
        reader: &mut Reader<'a>,
        columns: usize,
        revisions: usize,
    ) -> Decoded<(Self, Ints<'a>)> {
        let fault = reader.fault("a number of lists up to that of columns");
        let many = narrow(reader.varint()?);
        if !(1..=columns).contains(&many) {
            return Err(fault);
        }
        let fault = reader.fault("lists of no more event times than there are revisions");
        let ends = Ints::decode(reader, many)?;
        let total = narrow(ends.get(many - 1).cast_unsigned());
        if !(1..=revisions).contains(&total) {
            return Err(fault);
        }
        let lists = Ints::decode(reader, columns)?;
        Ok((Self { ends, lists }, Ints::decode(reader, total)?))
    }

    /// How many event times lie before those of a column of so many revisions, among so many.
    #[inline]
    pub(super) fn before(&self, column: usize, revisions: usize, total: usize) -> Decoded<usize> {
        let list = narrow(self.lists.get(column).cast_unsigned());
        let end_of = |list: usize| narrow(self.ends.get(list).cast_unsigned());
        if list < self.ends.len() {
            let before = list.checked_sub(1).map_or(0, end_of);
            let end = end_of(list);
            if end <= total && end.checked_sub(before) == Some(revisions) {
                return Ok(before);
            }
        }
        Err(Malformed::new(0, "a list of as many event times as its column has revisions"))
    }

    /// The same of each column, where columns have so many revisions.
    pub(super) fn starts(
        &self,
        revisions: &Ints<'_>,
        total: usize,
        out: &mut Vec<u32>,
    ) -> Decoded<()> {
        out.reserve_exact(revisions.len());
        for (column, count) in revisions.iter().enumerate() {
            out.push(small(self.before(column, narrow(count.cast_unsigned()), total)?));
        }
        Ok(())
    }
}

/// How the event times of several columns are written in some lists.
#[derive(Debug)]
pub(super) struct Plan {
    counts: Vec<usize>,
    lists: Vec<i64>,
    all: Vec<i64>,
    lines: lines::Plan,
}

impl Plan {
    /// Told of each column the earlier one whose list it has again; `None` where there is none.
    pub(super) fn of(times: Lists<'_>, owners: &[Option<usize>]) -> Option<Self> {
        if owners.iter().all(Option::is_none) {
            return None;
        }
        let (mut counts, mut lists, mut all) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest = times.all;
        for (count, owner) in times.counts.iter().zip(owners) {
            let (list, later) = rest.split_at_checked(*count).unwrap_or((rest, &[]));
            rest = later;
            let again = owner.and_then(|owner| lists.get(owner).copied());
            lists.push(match again {
                Some(again) => again,
                None => {
                    counts.push(*count);
                    all.extend_from_slice(list);
                    i64::try_from(counts.len() - 1).unwrap_or(i64::MAX)
                }
            });
        }
        let lines = Lists { all: &all, counts: &counts }.plan();
        Some(Self { counts, lists, all, lines })
    }

    /// About how much room they take.
    pub(super) fn bits(&self) -> u64 {
        // What is told of small integers before they are packed is short.
        const HEAD: u64 = 24;
        let plan = |all: &[i64]| {
            let bits = Lists { all, counts: &[all.len()] }.plan().bits(all.len());
            bits - lines::Plan::LEAST_BITS + HEAD
        };
        8 + plan(&self.ends()) + plan(&self.lists) + self.lines.bits(self.all.len())
    }

    fn ends(&self) -> Vec<i64> {
        let mut end = 0;
        let ends = self.counts.iter().map(|count| {
            end += count;
            i64::try_from(end).unwrap_or(i64::MAX)
        });
        ends.collect()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.put_varint(wide(self.counts.len()));
        ints::encode(&self.ends(), out);
        ints::encode(&self.lists, out);
        self.lines.write(Lists { all: &self.all, counts: &self.counts }, out);
    }
}
