//! The numbers of several columns of a chunk at several moments, each with a newer version beside it
//! that some of the moments see.
//!
//! Every moment is answered in the same way, whichever version it sees: the one before it is read,
//! and the newest takes its place where it is not after the moment. Which version that is decides no
//! branch, and of each column only what differs from the others is looked at again.

use std::hint::select_unpredictable;

use crate::chunk::grid::Grid;
use crate::ids::EventTime;
use crate::ints::Limit;
use crate::values::decimal;
use crate::wire::Decoded;

/// What is wanted of a column.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The column of the chunk; [`Wanted::NO_COLUMN`] if it has none.
    pub column: u32,
    /// Where its answers go, counted in columns.
    pub place: u32,
    /// The event time of the version after all of its own.
    pub newest: EventTime,
    /// The number of that version.
    pub bits: u64,
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
        let from = place as usize * rows;
        let status = self.status.get_mut(from..from + rows)?;
        let event_times = self.event_times.get_mut(from..from + rows)?;
        Some(status.iter_mut().zip(event_times).zip(self.bits.get_mut(from..from + rows)?))
    }
}

/// Answers each moment for each column that is wanted, where no version but the newest is.
pub fn answer_newest<S: Copy>(
    wanted: &[Wanted],
    times: &[EventTime],
    states: (S, S),
    out: &mut Cells<'_, S>,
) {
    for wanted in wanted {
        if let Some(cells) = out.at(wanted.place, times.len()) {
            see_newest((wanted.newest, wanted.bits), times, states, cells);
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

impl Wanted {
    /// Told of a feature of which the chunk has no column.
    pub const NO_COLUMN: u32 = u32::MAX;
}

/// Moments, ascending or not.
#[derive(Clone, Copy, Debug)]
pub struct Moments<'m> {
    /// The moments.
    pub times: &'m [EventTime],
    /// What [`Grid::limits`] made of them.
    pub limits: &'m [Limit],
}

impl Grid<'_, '_> {
    /// Answers each moment for each column that is wanted; all versions are taken for values, for
    /// which `there` is written, and `missing` where no version is. Places that `out` does not have
    /// are left out.
    #[inline]
    pub fn answer<S: Copy>(
        &self,
        wanted: &[Wanted],
        moments: Moments<'_>,
        states: (S, S),
        out: &mut Cells<'_, S>,
    ) -> Decoded<()> {
        let are_near = self.chunk.times.has_whole_windows()
            && self.beside.has_whole_windows()
            && moments.limits.iter().all(Limit::is_near);
        match moments.times.len() {
            1 if are_near => self.answer_in::<true, true, S>(wanted, moments, states, out),
            _ if are_near => self.answer_in::<true, false, S>(wanted, moments, states, out),
            _ => self.answer_in::<false, false, S>(wanted, moments, states, out),
        }
    }

    /// Where limits are near and windows whole, no call and no loop stands between what is looked at in
    /// one column and the next; where there is one moment, no loop within a column either.
    // Not inlined: what it looks at in each column is then in registers.
    #[inline(never)]
    fn answer_in<const NEAR: bool, const ONE: bool, S: Copy>(
        &self,
        wanted: &[Wanted],
        Moments { times: moments, limits }: Moments<'_>,
        (there, missing): (S, S),
        out: &mut Cells<'_, S>,
    ) -> Decoded<()> {
        let rows = if ONE { 1 } else { moments.len() };
        let (Some(moments), Some(limits)) = (moments.get(..rows), limits.get(..rows)) else {
            return Ok(());
        };
        let (times, bases, rests) = (self.chunk.times, self.beside.bases, self.beside.rests);
        let one_code = self.beside.one_code()?;
        for wanted in wanted {
            let Some(cells) = out.at(wanted.place, rows) else { continue };
            let newest = (wanted.newest, wanted.bits);
            let column = wanted.column as usize;
            let Some((before, len)) = self.list_of(column) else {
                see_newest(newest, moments, (there, missing), cells);
                continue;
            };
            let code = self.beside.code::<NEAR>(one_code, column)?;
            let base = bases.at_in::<NEAR>(column, column);
            let times_before = self.times_before(before);
            for ((t, limit), ((status, to_time), to_bits)) in moments.iter().zip(limits).zip(cells)
            {
                let up_to = if NEAR {
                    times.partition_near(times_before, len, limit)
                } else {
                    times.partition_within(times_before, len, limit)
                };
                let (is_newest, is_older) = (*t >= newest.0, up_to > 0);
                let index = up_to.saturating_sub(1);
                let event_time = times.at_in::<NEAR>(index, times_before.wrapping_add(index));
                let rest = rests.at_in::<NEAR>(index, before.wrapping_add(index));
                let whole = base.wrapping_add(rest);
                let number = match code.divisor() {
                    Some(divisor) => decimal(whole, divisor).to_bits(),
                    None => code.bits(whole),
                };
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
