//! Numbers of one entity at a few moments, from the one row of a table that holds it, where the
//! numbers of its history lie side by side: each moment is answered for each feature in the same way,
//! see [`Grid::answer`](asofdb_format::chunk::Grid::answer), and judged afterwards where there is
//! anything to judge.

use asofdb_format::chunk::{self, Cells, Chunk, Grid, Moments, Starts, Wanted};
use asofdb_format::head::Head;
use asofdb_format::ids::EventTime;
use asofdb_format::ints::Limit;
use asofdb_format::value::Kind;
use asofdb_format::wire::Malformed;

use crate::files::table::{ChunkBytes, HeadRow};
use crate::read::asked::{Asked, Places};
use crate::read::direct::{MANY, is_number};
use crate::read::lanes;
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
    starts: Starts,
    limits: Vec<Limit>,
    wanted: WantedRoom,
    /// Of what is wanted, which ask wants it, and where the head has it; empty if that is the first for
    /// the first, the second for the second, and so on.
    wanting: Vec<(usize, usize)>,
}

/// What [`Wanted`] borrows.
#[derive(Debug, Default)]
struct WantedRoom {
    columns: Vec<u32>,
    places: Vec<u32>,
    newest: Vec<i64>,
    bits: Vec<u64>,
    /// 0, 1, 2 and so on: mostly these are the columns and the places.
    ascending: Vec<u32>,
    are_columns_ascending: bool,
    are_places_ascending: bool,
}

impl WantedRoom {
    fn all(&self) -> Wanted<'_> {
        let Self { newest, bits, .. } = self;
        let ascending = self.ascending.get(..newest.len()).unwrap_or_default();
        let columns = if self.are_columns_ascending { ascending } else { &self.columns };
        let places = if self.are_places_ascending { ascending } else { &self.places };
        Wanted { columns, places, newest, bits }
    }

    fn make_ascending(&mut self) {
        let from = small(self.ascending.len());
        self.ascending.extend(from..small(self.newest.len()));
    }
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
        .is_some_and(|first| room.wanted.newest.iter().any(|newest| first.0 < *newest));
    let bytes = if are_older_seen { row.chunk(head)? } else { None };
    let Some(bytes) = bytes else {
        chunk::answer_newest(room.wanted.all(), times, STATES, out);
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
    chunk.starts(&mut starts).map_err(malformed)?;
    let grid = chunk.grid(&starts);
    if let Some(grid) = &grid {
        grid.limits(times, &mut room.limits);
        room.want_of(&chunk, asked);
        let moments = Moments { times, limits: &room.limits };
        lanes::answer(grid, room.wanted.all(), moments, STATES, out).map_err(malformed)?;
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
        let WantedRoom { places, newest, bits, are_places_ascending, .. } = &mut self.wanted;
        self.wanting.clear();
        let are_same = asked.are(head);
        // All of the head, in its order.
        let is_whole = are_same && asked.is_numbers && asked.is_in_place;
        *are_places_ascending = is_whole;
        if is_whole {
            newest.resize(head.len(), 0);
            bits.resize(head.len(), 0);
            head.event_times_into(newest);
            head.bits_into(bits);
            self.wanted.make_ascending();
            return;
        }
        places.clear();
        newest.clear();
        bits.clear();
        let mut found = Places::new(are_same);
        for (index, ask) in asked.each().iter().enumerate() {
            if !is_number(ask) {
                continue;
            }
            let Some(place) = found.find(head, index, ask) else { continue };
            places.push(small(ask.place));
            newest.push(head.event_time(place).0);
            bits.push(head.bits(place));
            self.wanting.push((index, place));
        }
    }

    /// Finds the columns of what is wanted.
    #[inline]
    fn want_of(&mut self, chunk: &Chunk<'_>, asked: &mut Asked) {
        let run = chunk.run_from().filter(|_| chunk.columns() == asked.len());
        let are_columns = run.is_some() && run == asked.row_from;
        self.wanted.are_columns_ascending = are_columns && self.wanting.is_empty();
        if self.wanted.are_columns_ascending {
            return self.wanted.make_ascending();
        }
        let asks = asked.each();
        let mut from = 0;
        self.wanted.columns.clear();
        self.wanted.columns.extend((0..self.wanted.newest.len()).map(|at| {
            let index = self.wanting.get(at).map_or(at, |(index, _)| *index);
            match asks.get(index) {
                _ if are_columns => small(index),
                Some(ask) => {
                    let found = chunk.find(ask.feature, from);
                    from = found.unwrap_or_else(|next| next);
                    found.map_or(Wanted::NO_COLUMN, small)
                }
                None => Wanted::NO_COLUMN,
            }
        }));
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
        let wanted = self.wanted.all();
        for (at, newest_time) in wanted.newest.iter().enumerate() {
            let (index, place) = self.wanting.get(at).copied().unwrap_or((at, at));
            let Some(ask) = asks.get(index) else { continue };
            if are_values && ask.terms.is_endless() {
                continue;
            }
            let newest = head.kind(place);
            let newest = newest.map_err(|fault| row.table.corrupt(row.at, &fault))?;
            for (moment, t) in times.iter().enumerate() {
                let kind = match older {
                    _ if t.0 >= *newest_time => newest,
                    Some((grid, bytes)) => {
                        let column = wanted.columns.get(at).map_or(usize::MAX, |at| *at as usize);
                        let up_to = self.limits.get(moment).map(|limit| grid.up_to(column, limit));
                        let Some(index) = up_to.and_then(|up_to| up_to.checked_sub(1)) else {
                            continue;
                        };
                        let kind = grid.kind(column, index);
                        kind.map_err(|fault| row.table.corrupt(bytes.start, &fault))?
                    }
                    None => continue,
                };
                judge_cell(out, ask.place * times.len() + moment, ask, (kind, *t));
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
