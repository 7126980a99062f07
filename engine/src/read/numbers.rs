//! Numbers of one entity at a few moments, from the one row of a table that holds it, where the
//! numbers of its history lie side by side: each moment is answered for each feature in the same way,
//! see [`Grid::answer`](asofdb_format::chunk::Grid::answer), and judged afterwards where there is
//! anything to judge.

use asofdb_format::chunk::{self, Cells, Chunk, Grid, Moments, Wanted};
use asofdb_format::head::Head;
use asofdb_format::ids::EventTime;
use asofdb_format::ints::Limit;
use asofdb_format::value::Kind;
use asofdb_format::wire::Malformed;

use crate::files::table::{ChunkBytes, HeadRow};
use crate::read::asked::{Asked, Places};
use crate::read::direct::{MANY, is_number};
use crate::read::plan::Ask;
use crate::types::answer::Status;
use crate::types::error::Result;

/// Of more moments many see the same version.
const FEW: usize = 32;

/// What is written for a version and for none, before it is judged.
const STATES: (Status, Status) = (Status::Value, Status::Missing);

/// Room that is used again from entity to entity.
#[derive(Debug, Default)]
pub(crate) struct NumbersRoom {
    starts: Vec<u32>,
    limits: Vec<Limit>,
    /// The event times and the bits of a head's versions.
    newest: (Vec<i64>, Vec<u64>),
    wanted: Vec<Wanted>,
    /// Of what is wanted, which ask wants it, and where the head has it; empty if that is the first for
    /// the first, the second for the second, and so on.
    wanting: Vec<(usize, usize)>,
}

/// Answers the asks for numbers at each of some moments, where every revision is seen; whether older
/// versions were read for them. `None`: nothing was done, for there are none, or they do not lie side
/// by side, or too many moments are asked about, or too few of the features.
#[inline]
pub(crate) fn answer(
    row: &HeadRow<'_>,
    head: &Head<'_>,
    (asked, times): (&mut Asked, &[EventTime]),
    room: &mut NumbersRoom,
    out: &mut Cells<'_, Status>,
) -> Result<Option<bool>> {
    if !asked.has_numbers || times.len() > FEW || asked.len() * MANY < head.len() {
        return Ok(None);
    }
    room.want(head, asked);
    let are_older_seen = times
        .iter()
        .min()
        .is_some_and(|first| room.wanted.iter().any(|wanted| *first < wanted.newest));
    let bytes = if are_older_seen { row.chunk(head)? } else { None };
    let Some(bytes) = bytes else {
        chunk::answer_newest(&room.wanted, times, STATES, out);
        room.judge((row, head), None, (asked, times), out)?;
        return Ok(Some(false));
    };
    bytes.fetch();
    let malformed = |fault: Malformed| row.table.corrupt(bytes.start, &fault);
    let chunk = Chunk::decode(&bytes.bytes).map_err(malformed)?;
    let columns = chunk.columns();
    if !chunk.has_grid() || asked.len() * MANY < columns {
        return Ok(None);
    }
    let mut starts = std::mem::take(&mut room.starts);
    chunk.starts(&mut starts);
    let grid = chunk.grid(&starts);
    if let Some(grid) = &grid {
        grid.limits(times, &mut room.limits);
        room.want_of(&chunk, asked);
        let moments = Moments { times, limits: &room.limits };
        grid.answer(&room.wanted, moments, STATES, out).map_err(malformed)?;
        room.judge((row, head), Some((grid, &bytes)), (asked, times), out)?;
    }
    let is_answered = grid.map(|_| true);
    room.starts = starts;
    Ok(is_answered)
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl NumbersRoom {
    /// Finds what is wanted of a head.
    #[inline]
    fn want(&mut self, head: &Head<'_>, asked: &mut Asked) {
        self.wanted.clear();
        self.wanting.clear();
        let are_same = asked.are(head);
        if are_same && asked.is_numbers && asked.is_in_place {
            return self.want_all(head);
        }
        let mut places = Places::new(are_same);
        for (index, ask) in asked.each().iter().enumerate() {
            if !is_number(ask) {
                continue;
            }
            let Some(place) = places.find(head, index, ask) else { continue };
            self.wanted.push(Wanted {
                column: Wanted::NO_COLUMN,
                place: small(ask.place),
                newest: head.event_time(place),
                bits: head.bits(place),
            });
            self.wanting.push((index, place));
        }
    }

    /// Where all of a head is wanted, in its order.
    #[inline]
    fn want_all(&mut self, head: &Head<'_>) {
        let (times, bits) = &mut self.newest;
        times.resize(head.len(), 0);
        bits.resize(head.len(), 0);
        head.event_times_into(times);
        head.bits_into(bits);
        let newest = times.iter().zip(&*bits);
        self.wanted.extend((0..).zip(newest).map(|(place, (newest, bits))| Wanted {
            column: Wanted::NO_COLUMN,
            place,
            newest: EventTime(*newest),
            bits: *bits,
        }));
    }

    /// Finds the columns of what is wanted.
    #[inline]
    fn want_of(&mut self, chunk: &Chunk<'_>, asked: &mut Asked) {
        let run = chunk.run_from().filter(|_| chunk.columns() == asked.len());
        let are_columns = run.is_some() && run == asked.row_from;
        if are_columns && self.wanting.is_empty() {
            self.wanted.iter_mut().for_each(|wanted| wanted.column = wanted.place);
            return;
        }
        let asks = asked.each();
        let mut from = 0;
        for (at, wanted) in self.wanted.iter_mut().enumerate() {
            let index = self.wanting.get(at).map_or(at, |(index, _)| *index);
            if are_columns {
                wanted.column = small(index);
            } else if let Some(ask) = asks.get(index) {
                let found = chunk.find(ask.feature, from);
                from = found.unwrap_or_else(|next| next);
                wanted.column = found.map_or(Wanted::NO_COLUMN, small);
            }
        }
    }

    /// Judges what was taken for values, by its kind and by what is asked.
    fn judge(
        &self,
        (row, head): (&HeadRow<'_>, &Head<'_>),
        older: Option<(&Grid<'_, '_>, &ChunkBytes<'_>)>,
        (asked, times): (&mut Asked, &[EventTime]),
        out: &mut Cells<'_, Status>,
    ) -> Result<()> {
        let are_values = head.is_all_values() && older.is_none_or(|(grid, _)| grid.is_all_values());
        if are_values && asked.is_endless {
            return Ok(());
        }
        let asks = asked.each();
        for (at, wanted) in self.wanted.iter().enumerate() {
            let (index, place) = self.wanting.get(at).copied().unwrap_or((at, at));
            let Some(ask) = asks.get(index) else { continue };
            if are_values && ask.terms.is_endless() {
                continue;
            }
            let newest = head.kind(place);
            let newest = newest.map_err(|fault| row.table.corrupt(row.at, &fault))?;
            for (at, t) in times.iter().enumerate() {
                let kind = match older {
                    _ if *t >= wanted.newest => newest,
                    Some((grid, bytes)) if wanted.column != Wanted::NO_COLUMN => {
                        let column = wanted.column as usize;
                        let up_to = self.limits.get(at).map(|limit| grid.up_to(column, limit));
                        let Some(index) = up_to.and_then(|up_to| up_to.checked_sub(1)) else {
                            continue;
                        };
                        let kind = grid.kind(column, index);
                        kind.map_err(|fault| row.table.corrupt(bytes.start, &fault))?
                    }
                    _ => continue,
                };
                judge_cell(out, ask.place * times.len() + at, ask, (kind, *t));
            }
        }
        Ok(())
    }
}

/// Judges what a cell holds, which was taken for a value, by what it is.
fn judge_cell(out: &mut Cells<'_, Status>, at: usize, ask: &Ask, (kind, t): (Kind, EventTime)) {
    let cell = (out.status.get_mut(at), out.event_times.get_mut(at), out.bits.get_mut(at));
    let (Some(status), Some(event_time), Some(bits)) = cell else { return };
    if ask.terms.is_forgotten(EventTime(*event_time)) {
        (*status, *event_time, *bits) = (Status::Missing, 0, 0);
        return;
    }
    *status = ask.terms.judge(EventTime(*event_time), kind, t);
    if *status != Status::Value {
        *bits = 0;
    }
}
