//! A part of a join at work: rows of a sorted spine, and their answers feature by feature.
//!
//! ```text
//! cells   features * rows: all rows of the first feature, then all of the second, ...
//! ```
//!
//! The rows of one entity stand beside one another and ascend by time, so that each column of the
//! entity's history is decoded once for all of them and its answers are written side by side.

use asofdb_format::chunk::{Chunk, Moment, NumberColumn, Walk};
use asofdb_format::head::Head;
use asofdb_format::ids::EventTime;
use asofdb_format::revision::Order;
use asofdb_format::value::{Kind, Value};
use asofdb_format::wire::Malformed;

use crate::files::table::{ChunkBytes, HeadRow};
use crate::read::asked::Asked;
use crate::read::direct::{MANY, Put, is_number, put};
use crate::read::plan::Ask;
use crate::read::resolve::View;
use crate::read::source::{Found, column_found, head_found};
use crate::types::answer::Status;
use crate::types::error::Result;

/// The answers to some rows of a sorted spine.
#[derive(Debug)]
pub(crate) struct PartCells {
    rows: usize,
    status: Vec<Status>,
    event_times: Vec<i64>,
    bits: Vec<u64>,
    has_bytes: bool,
    /// Empty if all features are numbers.
    values: Vec<Option<Value>>,
}

/// The answers to all rows for one feature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartColumn<'p> {
    pub(crate) status: &'p [Status],
    pub(crate) event_times: &'p [i64],
    pub(crate) bits: &'p [u64],
    /// Empty if the features are numbers.
    pub(crate) values: &'p [Option<Value>],
}

/// One row of them.
#[derive(Debug)]
pub(crate) struct PartRow<'p> {
    cells: &'p mut PartCells,
    row: usize,
}

impl PartCells {
    /// Cells of no rows.
    pub(crate) const fn none(has_bytes: bool) -> Self {
        Self {
            rows: 0,
            status: Vec::new(),
            event_times: Vec::new(),
            bits: Vec::new(),
            has_bytes,
            values: Vec::new(),
        }
    }

    /// Others of no rows.
    pub(crate) const fn of_none(&self) -> Self {
        Self::none(self.has_bytes)
    }

    /// Makes it one of so many rows, all missing.
    pub(crate) fn reset(&mut self, features: usize, rows: usize) {
        let (cells, has_bytes) = (features * rows, self.has_bytes);
        self.rows = rows;
        self.status.clear();
        self.status.resize(cells, Status::Missing);
        self.event_times.clear();
        self.event_times.resize(cells, 0);
        self.bits.clear();
        self.bits.resize(cells, 0);
        self.values.clear();
        self.values.resize(if has_bytes { cells } else { 0 }, None);
    }

    /// Forgets what some rows hold.
    pub(crate) fn clear(&mut self, features: usize, rows: std::ops::Range<usize>) {
        for feature in 0..features {
            let from = feature * self.rows;
            let cells = from + rows.start..from + rows.end;
            self.numbers_mut(feature, rows.clone()).clear();
            self.values.get_mut(cells).unwrap_or_default().fill(None);
        }
    }

    /// Takes from rows of an entity what is newer than what stands from `first` on. `false`: two
    /// versions of one event time meet, and only the whole order tells which one is newer.
    pub(crate) fn take_newer(&mut self, features: usize, first: usize, other: &mut Self) -> bool {
        for feature in 0..features {
            let (from, to) = (feature * other.rows, feature * self.rows + first);
            let PartColumn { status, event_times, bits, .. } = other.column(feature);
            let mut ours = self.numbers_mut(feature, first..first + other.rows);
            let mut taken = 0u64;
            for (at, ((status, event_time), bits)) in
                status.iter().zip(event_times).zip(bits).enumerate()
            {
                match ours.take_newer(at, (*status, *event_time, *bits)) {
                    Some(is_taken) => taken += u64::from(is_taken),
                    None => return false,
                }
            }
            if taken == 0 || !self.has_bytes {
                continue;
            }
            for at in 0..other.rows {
                let is_theirs = self.event_times.get(to + at) == other.event_times.get(from + at);
                if let (Some(ours), Some(theirs)) =
                    (self.values.get_mut(to + at), other.values.get_mut(from + at))
                    && is_theirs
                {
                    *ours = theirs.take();
                }
            }
        }
        true
    }

    /// A row, its cells to be put in one by one.
    pub(crate) const fn row(&mut self, row: usize) -> PartRow<'_> {
        PartRow { cells: self, row }
    }

    /// All rows of a feature.
    pub(crate) fn column(&self, feature: usize) -> PartColumn<'_> {
        let cells = feature * self.rows..(feature + 1) * self.rows;
        PartColumn {
            status: self.status.get(cells.clone()).unwrap_or_default(),
            event_times: self.event_times.get(cells.clone()).unwrap_or_default(),
            bits: self.bits.get(cells.clone()).unwrap_or_default(),
            values: self.values.get(cells).unwrap_or_default(),
        }
    }

    /// Some rows of a feature: statuses, event times and bits.
    fn numbers_mut(&mut self, feature: usize, rows: std::ops::Range<usize>) -> Numbers<'_> {
        let from = feature * self.rows;
        let cells = from + rows.start..from + rows.end;
        Numbers {
            status: self.status.get_mut(cells.clone()).unwrap_or_default(),
            event_times: self.event_times.get_mut(cells.clone()).unwrap_or_default(),
            bits: self.bits.get_mut(cells).unwrap_or_default(),
        }
    }
}

impl Put for PartRow<'_> {
    #[inline]
    fn put(&mut self, feature: usize, status: Status, event_time: EventTime, bits: u64) {
        let to = self.cells.numbers_mut(feature, self.row..self.row + 1);
        to.status.fill(status);
        to.event_times.fill(event_time.0);
        to.bits.fill(bits);
    }

    fn put_value(&mut self, feature: usize, value: Value) {
        let cell = feature * self.cells.rows + self.row;
        if let Some(to) = self.cells.values.get_mut(cell) {
            *to = Some(value);
        }
    }
}

/// Rows of one feature, to be filled.
struct Numbers<'p> {
    status: &'p mut [Status],
    event_times: &'p mut [i64],
    bits: &'p mut [u64],
}

impl Numbers<'_> {
    fn clear(&mut self) {
        self.status.fill(Status::Missing);
        self.event_times.fill(0);
        self.bits.fill(0);
    }

    /// Takes an answer if it is newer than what is there, and tells whether it did; `None`: they are
    /// of one event time.
    #[inline]
    fn take_newer(
        &mut self,
        at: usize,
        (status, event_time, bits): (Status, i64, u64),
    ) -> Option<bool> {
        if status == Status::Missing {
            return Some(false);
        }
        let (Some(to_status), Some(to_time), Some(to_bits)) =
            (self.status.get_mut(at), self.event_times.get_mut(at), self.bits.get_mut(at))
        else {
            return Some(false);
        };
        if *to_status == Status::Missing || *to_time < event_time {
            (*to_status, *to_time, *to_bits) = (status, event_time, bits);
            return Some(true);
        }
        (*to_time != event_time).then_some(false)
    }

    /// Fills rows, each judged at its own time, with one version; those from `from` up to `to`.
    #[inline]
    fn fill(
        &mut self,
        ask: &Ask,
        times: &[EventTime],
        (from, to): (usize, usize),
        version: (EventTime, Kind, u64),
    ) {
        let (event_time, kind, bits) = version;
        if from >= to || ask.terms.is_forgotten(event_time) {
            return;
        }
        let rows = from..to;
        let (Some(status), Some(event_times), Some(all_bits), Some(times)) = (
            self.status.get_mut(rows.clone()),
            self.event_times.get_mut(rows.clone()),
            self.bits.get_mut(rows.clone()),
            times.get(rows),
        ) else {
            return;
        };
        event_times.fill(event_time.0);
        if kind == Kind::Value && ask.terms.is_endless() {
            status.fill(Status::Value);
            all_bits.fill(bits);
            return;
        }
        for ((status, to), t) in status.iter_mut().zip(all_bits).zip(times) {
            *status = ask.terms.judge(event_time, kind, *t);
            *to = if *status == Status::Value { bits } else { 0 };
        }
    }
}

/// Rows of a part that ask about one entity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group<'t> {
    /// The first of them.
    pub(crate) first: usize,
    /// Their moments, ascending.
    pub(crate) times: &'t [EventTime],
}

/// Answers a group from the one row of a table that holds its entity; whether its older versions
/// were decoded for it. `None`: what is seen differs from revision to revision, and nothing was
/// done. `view` is what the row sees that sees least.
pub(crate) fn answer_group(
    row: &HeadRow<'_>,
    asked: &mut Asked,
    view: &View<'_>,
    group: Group<'_>,
    room: &mut GroupRoom,
    cells: &mut PartCells,
) -> Result<Option<bool>> {
    let entry = &row.table.entry;
    let sees_all = view.sees_all(&Order {
        event_time: entry.max_event_time,
        known_time: entry.max_known_time,
        commit: entry.max_commit,
    });
    if !sees_all {
        return Ok(None);
    }
    let head = row.head()?;
    let are_same = asked.are(&head);
    let bytes = row.chunk(&head)?;
    let mut history = None;
    let mut from = 0;
    let asks = asked.len();
    for (index, ask) in asked.each().iter().enumerate() {
        let place = if are_same {
            index
        } else {
            match head.find(ask.feature, from) {
                Ok(place) => {
                    from = place;
                    place
                }
                Err(next) => {
                    from = next;
                    continue;
                }
            }
        };
        let newest = head.event_time(place);
        let before = group.times.partition_point(|t| *t < newest);
        from_head(row, &head, place, ask, group, before, cells)?;
        if before == 0 {
            continue;
        }
        let Some(bytes) = &bytes else { continue };
        let history = match &mut history {
            Some(history) => history,
            None => history.insert(History::of(row, bytes, (group.times, asks), room)?),
        };
        history.answer(ask, group, before, room, cells)?;
    }
    Ok(Some(history.is_some()))
}

/// Answers the rows from `before` on, which see the newest version.
#[inline]
fn from_head(
    row: &HeadRow<'_>,
    head: &Head<'_>,
    place: usize,
    ask: &Ask,
    group: Group<'_>,
    before: usize,
    cells: &mut PartCells,
) -> Result<()> {
    if is_number(ask) {
        let malformed = |fault: Malformed| row.table.corrupt(row.at, &fault);
        let version =
            (head.event_time(place), head.kind(place).map_err(malformed)?, head.bits(place));
        let rows = group.first..group.first + group.times.len();
        let mut to = cells.numbers_mut(ask.place, rows);
        to.fill(ask, group.times, (before, group.times.len()), version);
        return Ok(());
    }
    for at in before..group.times.len() {
        put_at(group, at, ask, &head_found(row, head, place, ask)?, cells)?;
    }
    Ok(())
}

/// Room that is used again from entity to entity.
#[derive(Debug, Default)]
pub(crate) struct GroupRoom {
    moments: Vec<Moment>,
    starts: Vec<u32>,
    /// Of each moment, how many revisions of each column are not after it.
    up_to: Vec<u32>,
}

/// For more rows of an entity than this each column goes through its versions, of which many rows
/// see the same.
const FEW_ROWS: usize = 32;

/// The older versions of the entity, decoded.
struct History<'h, 't> {
    row: &'h HeadRow<'t>,
    bytes: &'h ChunkBytes<'t>,
    chunk: Chunk<'h>,
    /// Whether numbers are read side by side.
    by_grid: bool,
    walk: Walk<'h>,
    from: usize,
}

impl<'h, 't> History<'h, 't> {
    fn of(
        row: &'h HeadRow<'t>,
        bytes: &'h ChunkBytes<'t>,
        (times, asks): (&[EventTime], usize),
        room: &mut GroupRoom,
    ) -> Result<Self> {
        let malformed = |fault: Malformed| row.table.corrupt(bytes.start, &fault);
        bytes.fetch();
        let chunk = Chunk::decode(&bytes.bytes).map_err(malformed)?;
        let GroupRoom { moments, starts, up_to } = room;
        moments.clear();
        moments.extend(times.iter().map(|t| chunk.moment(*t)));
        let mut by_grid = times.len() <= FEW_ROWS && asks * MANY >= chunk.columns();
        if by_grid {
            chunk.starts(starts);
            up_to.clear();
            let grid = chunk.grid(starts);
            by_grid = grid.is_some();
            if let Some(grid) = grid {
                moments.iter().for_each(|moment| grid.up_to(moment, up_to));
            }
        }
        Ok(Self { row, bytes, chunk, by_grid, walk: Walk::default(), from: 0 })
    }

    /// Answers the first `before` rows of the group.
    #[inline]
    fn answer(
        &mut self,
        ask: &Ask,
        group: Group<'_>,
        before: usize,
        room: &GroupRoom,
        cells: &mut PartCells,
    ) -> Result<()> {
        let table = self.row.table;
        let start = self.bytes.start;
        let malformed = |fault: Malformed| table.corrupt(start, &fault);
        let place = match self.chunk.find(ask.feature, self.from) {
            Ok(place) => {
                self.from = place;
                place
            }
            Err(next) => {
                self.from = next;
                return Ok(());
            }
        };
        let rows = group.first..group.first + group.times.len();
        if self.by_grid
            && is_number(ask)
            && let Some(grid) = self.chunk.grid(&room.starts)
        {
            let each = room.up_to.chunks_exact(self.chunk.columns()).take(before);
            let up_to = each.map(|up_to| up_to.get(place).map_or(0, |up_to| *up_to as usize));
            let to = cells.numbers_mut(ask.place, rows);
            let column = grid.column(place).map_err(malformed)?;
            return fill_each(&column, ask, (group.times, up_to), to).map_err(malformed);
        }
        if is_number(ask)
            && let Some(column) = self.chunk.numbers(place, &mut self.walk).map_err(malformed)?
        {
            let to = cells.numbers_mut(ask.place, rows);
            let moments = &room.moments;
            return fill_all(&column, ask, (group.times, moments), before, to).map_err(malformed);
        }
        let column = self.chunk.column(place, table.timeline()?).map_err(malformed)?;
        for (at, t) in group.times.iter().enumerate().take(before) {
            if let Some(newest) = column.up_to(*t).checked_sub(1) {
                let found = column_found(table, self.bytes, &column, newest);
                put_at(group, at, ask, &found.map_err(malformed)?, cells)?;
            }
        }
        Ok(())
    }
}

/// Fills the first rows, of each of which it is told how many revisions are not after it.
#[inline]
fn fill_each(
    column: &NumberColumn<'_>,
    ask: &Ask,
    (times, up_to): (&[EventTime], impl Iterator<Item = usize> + Clone),
    to: Numbers<'_>,
) -> std::result::Result<(), Malformed> {
    // As [`Numbers::fill`] does for many rows: to call it for each would cost a join an eighth.
    let is_plain = ask.terms.is_endless();
    let Numbers { status, event_times, bits } = to;
    let cells = status.iter_mut().zip(event_times).zip(bits);
    if is_plain && column.is_all_values() {
        // Rows ascend by time: those that see nothing are the first.
        let none = up_to.clone().take_while(|up_to| *up_to == 0).count();
        let mut cells = cells.skip(none);
        column.each(up_to.skip(none).map(|up_to| up_to.wrapping_sub(1)), |event_time, bits| {
            if let Some(((status, to_time), to_bits)) = cells.next() {
                (*status, *to_time, *to_bits) = (Status::Value, event_time.0, bits);
            }
        });
        return Ok(());
    }
    for ((up_to, t), ((to_status, to_time), to_bits)) in up_to.zip(times).zip(cells) {
        let Some(newest) = up_to.checked_sub(1) else { continue };
        let event_time = column.event_time(newest);
        if !is_plain && ask.terms.is_forgotten(event_time) {
            continue;
        }
        let kind = column.kind(newest)?;
        let status = match kind {
            Kind::Value if is_plain => Status::Value,
            _ => ask.terms.judge(event_time, kind, *t),
        };
        (*to_status, *to_time) = (status, event_time.0);
        *to_bits = if status == Status::Value { column.bits(newest) } else { 0 };
    }
    Ok(())
}

/// Fills the first `before` rows, of which several in a row mostly see the same version.
#[inline]
fn fill_all(
    column: &NumberColumn<'_>,
    ask: &Ask,
    (times, moments): (&[EventTime], &[Moment]),
    before: usize,
    mut to: Numbers<'_>,
) -> std::result::Result<(), Malformed> {
    let mut at = 0;
    while let Some(moment) = moments.get(at).filter(|_| at < before) {
        let up_to = column.up_to(moment);
        // The rows that see it, too: up to the event time of the next version.
        let mut next = at + 1;
        if up_to < column.len() {
            let limit = column.event_time(up_to);
            while next < before && times.get(next).is_some_and(|t| *t < limit) {
                next += 1;
            }
        } else {
            next = before;
        }
        if let Some(newest) = up_to.checked_sub(1) {
            let version = (column.event_time(newest), column.kind(newest)?, column.bits(newest));
            to.fill(ask, times, (at, next), version);
        }
        at = next;
    }
    Ok(())
}

fn put_at(
    group: Group<'_>,
    at: usize,
    ask: &Ask,
    found: &Found<'_>,
    cells: &mut PartCells,
) -> Result<()> {
    let Some(t) = group.times.get(at) else { return Ok(()) };
    put(&Ask { t: *t, ..*ask }, found, &mut cells.row(group.first + at))
}
