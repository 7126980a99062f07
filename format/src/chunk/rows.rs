//! The numbers of several columns of a chunk at several moments, each with a newer version beside it
//! that some of the moments see.
//!
//! Every moment is answered in the same way, whichever version it sees: the one before it is read,
//! and the newest takes its place where it is not after the moment. Which version that is decides no
//! branch, and of each column only what differs from the others is looked at again.

use std::hint::select_unpredictable;

use crate::chunk::grid::Grid;
use crate::ids::EventTime;
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

/// Moments, ascending or not, and of each column and moment, in this order, how many revisions are
/// not after it, as [`Grid::up_to`] tells.
#[derive(Clone, Copy, Debug)]
pub struct Moments<'m> {
    /// The moments.
    pub times: &'m [EventTime],
    /// Of each column so many numbers as there are moments.
    pub up_to: &'m [u32],
}

impl Grid<'_, '_> {
    /// Answers each moment for each column that is wanted; all versions are taken for values, for
    /// which `there` is written, and `missing` where no version is. Places that `out` does not have
    /// are left out.
    // Not inlined: what it looks at in each column is then in registers.
    #[inline(never)]
    pub fn answer<S: Copy>(
        &self,
        wanted: &[Wanted],
        moments: Moments<'_>,
        (there, missing): (S, S),
        out: &mut Cells<'_, S>,
    ) -> Decoded<()> {
        let rows = moments.times.len();
        let times = self.chunk.times;
        for wanted in wanted {
            let Some(cells) = out.at(wanted.place, rows) else { continue };
            let column = wanted.column as usize;
            let up_to = moments.up_to.get(column.saturating_mul(rows)..).unwrap_or_default();
            let newest = (wanted.newest, wanted.bits);
            if wanted.column == Wanted::NO_COLUMN || up_to.len() < rows {
                see_newest(newest, moments.times, (there, missing), cells);
                continue;
            }
            let before = self.before(column);
            let numbers = self.beside.column(column, before)?;
            let times_before = if self.is_one_time { 0 } else { before };
            let rows = moments.times.iter().zip(up_to).zip(cells);
            let wanted = rows.map(|((t, up_to), cell)| {
                let is_newest = *t >= newest.0;
                (up_to.saturating_sub(1) as usize, (is_newest, *up_to > 0, cell))
            });
            numbers.each(wanted, |(is_newest, is_older, cell), index, number| {
                let ((status, to_time), to_bits) = cell;
                let event_time = times.at(index, times_before.wrapping_add(index));
                let event_time = select_unpredictable(is_older, event_time, 0);
                let number = select_unpredictable(is_older, number, 0);
                *to_time = select_unpredictable(is_newest, newest.0.0, event_time);
                *to_bits = select_unpredictable(is_newest, newest.1, number);
                *status = if is_newest | is_older { there } else { missing };
            });
        }
        Ok(())
    }
}
