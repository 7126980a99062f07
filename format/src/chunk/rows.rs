//! The numbers of several columns of a chunk at several moments, each with a newer version beside it
//! that some of the moments see.
//!
//! Every moment is answered in the same way, whichever version it sees: the one before it is read,
//! and the newest takes its place where it is not after the moment. Which version that is decides no
//! branch, and of each column only what differs from the others is looked at again. Most processors do
//! it for four columns at a time, see `lanes`.

use std::hint::select_unpredictable;

use crate::chunk::grid::Grid;
use crate::ids::EventTime;
use crate::ints::Limit;
use crate::wire::Decoded;

/// What is wanted of some columns: an entry in each list for each of them.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// The column of the chunk; [`Wanted::NO_COLUMN`] if it has none.
    pub columns: &'w [u32],
    /// Where its answers go, counted in columns.
    pub places: &'w [u32],
    /// The event time of the version after all of its own, in microseconds.
    pub newest: &'w [i64],
    /// The number of that version.
    pub bits: &'w [u64],
}

impl Wanted<'_> {
    /// Told of a feature of which the chunk has no column.
    pub const NO_COLUMN: u32 = u32::MAX;
}

/// Where answers go: of each place as many cells as there are moments, beside one another.
#[derive(Debug)]
pub struct Cells<'o, S> {
    /// Whether there is an answer.
    pub status: &'o mut [S],
    /// In microseconds; 0 where there is none.
    pub event_times: &'o mut [i64],
    /// The bits of the number; 0 where there is none.
    pub bits: &'o mut [u64],
}

impl<S> Cells<'_, S> {
    #[inline]
    fn at(
        &mut self,
        place: u32,
        rows: usize,
    ) -> Option<impl Iterator<Item = ((&mut S, &mut i64), &mut u64)>> {
        let from = (place as usize).checked_mul(rows)?;
        let to = from.checked_add(rows)?;
        let status = self.status.get_mut(from..to)?;
        let event_times = self.event_times.get_mut(from..to)?;
        Some(status.iter_mut().zip(event_times).zip(self.bits.get_mut(from..to)?))
    }
}

/// Answers each moment for each column that is wanted, where no version but the newest is.
pub fn answer_newest<S: Copy>(
    wanted: Wanted<'_>,
    times: &[EventTime],
    states: (S, S),
    out: &mut Cells<'_, S>,
) {
    let newest = wanted.newest.iter().map(|t| EventTime(*t)).zip(wanted.bits);
    for (place, (newest, bits)) in wanted.places.iter().zip(newest) {
        if let Some(cells) = out.at(*place, times.len()) {
            see_newest((newest, *bits), times, states, cells);
        }
    }
}

#[inline]
fn see_newest<'o, S: Copy + 'o>(
    (newest, bits): (EventTime, u64),
    times: &[EventTime],
    (there, missing): (S, S),
    cells: impl Iterator<Item = ((&'o mut S, &'o mut i64), &'o mut u64)>,
) {
    for (t, ((status, to_time), to_bits)) in times.iter().zip(cells) {
        let is_newest = *t >= newest;
        *status = if is_newest { there } else { missing };
        *to_time = select_unpredictable(is_newest, newest.0, 0);
        *to_bits = select_unpredictable(is_newest, bits, 0);
    }
}

/// Moments, ascending or not.
#[derive(Clone, Copy, Debug)]
pub struct Moments<'m> {
    /// The moments.
    pub times: &'m [EventTime],
    /// What [`Grid::limits`] made of them, one of each.
    pub limits: &'m [Limit],
}

impl Grid<'_, '_> {
    /// Answers each moment for each column that is wanted; all versions are taken for values, for
    /// which `there` is written, and `missing` where no version is. Places that `out` does not have
    /// are left out.
    pub fn answer<S: Copy>(
        &self,
        wanted: Wanted<'_>,
        moments: Moments<'_>,
        (there, missing): (S, S),
        out: &mut Cells<'_, S>,
    ) -> Decoded<()> {
        let (times, bases, rests) = (self.chunk.times, self.beside.bases, self.beside.rests);
        let one_code = self.beside.one_code()?;
        let newest = wanted.newest.iter().map(|t| EventTime(*t)).zip(wanted.bits.iter().copied());
        for ((column, place), newest) in wanted.columns.iter().zip(wanted.places).zip(newest) {
            let Some(cells) = out.at(*place, moments.times.len()) else { continue };
            let column = *column as usize;
            let Some((before, len)) = self.list_of(column) else {
                see_newest(newest, moments.times, (there, missing), cells);
                continue;
            };
            let code = self.beside.code(one_code, column)?;
            let base = bases.get(column);
            let times_before = self.times_before(column, before);
            let moments = moments.times.iter().zip(moments.limits);
            for ((t, limit), ((status, to_time), to_bits)) in moments.zip(cells) {
                let up_to = times.partition_within(times_before, len, limit);
                let (is_newest, is_older) = (*t >= newest.0, up_to > 0);
                let index = up_to.saturating_sub(1);
                let event_time = times.at(index, times_before.wrapping_add(index));
                let rest = rests.at(index, before.wrapping_add(index));
                let number = code.bits(base.wrapping_add(rest));
                let event_time = select_unpredictable(is_older, event_time, 0);
                let number = select_unpredictable(is_older, number, 0);
                *to_time = select_unpredictable(is_newest, newest.0.0, event_time);
                *to_bits = select_unpredictable(is_newest, newest.1, number);
                *status = if is_newest | is_older { there } else { missing };
            }
        }
        Ok(())
    }
}
