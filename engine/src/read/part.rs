//! A part of a join at work: rows of a sorted spine, and their answers.
//!
//! ```text
//! cells     of each entity's rows: all rows of the first feature, then all of the second, ...
//! columns   of each feature all rows of the part, among those of the whole answer
//! ```
//!
//! The rows of one entity stand beside one another and ascend by time, so that each column of the
//! entity's history is decoded once for all of them and its answers are written side by side. The cells
//! of some entities are written one after another and then go to columns, one column after another: who
//! writes to all columns at once waits for memory in each of them. Many rows of one entity may go to
//! columns straight away, in the order in which they were asked, see [`many`].
//!
//! A group is answered from each source by itself: from a row of a table of which all is seen by
//! [`group`], of which not by [`seen`], from a memtable by [`memory`]. Then each cell takes what is newest.

mod columns;
mod group;
mod many;
mod memory;
mod seen;

use std::ops::Range;

use asofdb_format::chunk;
use asofdb_format::ids::{EventTime, KnownTime};
use asofdb_format::value::{Kind, Value};

pub(crate) use self::columns::{PartColumn, PartColumns};
pub(crate) use self::group::{GroupRoom, answer_group};
pub(crate) use self::many::{ManyRoom, answer_many};
pub(crate) use self::memory::answer_in_memory;
use crate::read::direct::Put;
use crate::read::plan::Ask;
use crate::read::resolve::View;
use crate::types::answer::Status;

/// Rows of a part that ask about one entity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group<'t> {
    /// The first of them.
    pub(crate) first: usize,
    /// Their moments, ascending.
    pub(crate) times: &'t [EventTime],
}

/// What the rows of a group see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Views<'v> {
    /// What the first of them sees, which sees least.
    pub(crate) first: View<'v>,
    /// What each knows, ascending; empty if all know the same.
    pub(crate) known: &'v [KnownTime],
}

impl<'v> Views<'v> {
    /// What a row sees.
    #[inline]
    pub(crate) fn of(&self, row: usize) -> View<'v> {
        let known_at = self.known.get(row).copied().or(self.first.known_at);
        View { known_at, ..self.first }
    }
}

/// The answers to the rows of some entities.
#[derive(Debug)]
pub(crate) struct PartCells {
    features: usize,
    status: Vec<Status>,
    event_times: Vec<i64>,
    bits: Vec<u64>,
    has_bytes: bool,
    /// Empty if all features are numbers.
    values: Vec<Option<Value>>,
}

/// Rows of one entity, their cells to be put in one by one.
#[derive(Debug)]
pub(crate) struct PartRow<'p> {
    cells: &'p mut PartCells,
    /// Where the row's cell of the first feature is, and how far from one feature to the next.
    first: usize,
    step: usize,
}

impl PartCells {
    /// Cells of no rows.
    pub(crate) const fn none(has_bytes: bool) -> Self {
        Self {
            features: 0,
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
        self.features = features;
        self.status.clear();
        self.status.resize(cells, Status::Missing);
        self.event_times.clear();
        self.event_times.resize(cells, 0);
        self.bits.clear();
        self.bits.resize(cells, 0);
        self.values.clear();
        self.values.resize(if has_bytes { cells } else { 0 }, None);
    }

    /// Where the cells of a group are.
    const fn cells_of(&self, group: Group<'_>) -> Range<usize> {
        group.first * self.features..(group.first + group.times.len()) * self.features
    }

    /// Forgets what a row of a group holds.
    pub(crate) fn clear_row(&mut self, group: Group<'_>, row: usize) {
        let cells = self.cells_of(group).skip(row).step_by(group.times.len().max(1));
        for cell in cells {
            self.numbers_in(cell..cell + 1).clear();
            self.values.get_mut(cell..=cell).unwrap_or_default().fill(None);
        }
    }

    /// Takes from the cells of as many rows of an entity what is newer than what stands in its group.
    /// Adds the rows for which two versions of one event time meet, of which only the whole order
    /// tells which one is newer: what stands there then is neither.
    pub(crate) fn take_newer(&mut self, group: Group<'_>, other: &mut Self, tied: &mut Vec<usize>) {
        let range = self.cells_of(group);
        let rows = group.times.len().max(1);
        let has_bytes = self.has_bytes;
        let theirs = other.status.iter().zip(&other.event_times).zip(&other.bits);
        let mut ours = self.numbers_in(range.clone());
        let mut taken = 0u64;
        for (at, ((status, event_time), bits)) in theirs.enumerate() {
            match ours.take_newer(at, (*status, *event_time, *bits)) {
                Some(is_taken) => taken += u64::from(is_taken),
                None => tied.push(at % rows),
            }
        }
        if taken == 0 || !has_bytes {
            return;
        }
        // What has their event time now was taken from them, if they have anything: the time of a
        // cell that is missing says nothing.
        let event_times = self.event_times.get(range.clone()).unwrap_or_default();
        let values = self.values.get_mut(range).unwrap_or_default();
        let theirs = other.status.iter().zip(&other.event_times).zip(&mut other.values);
        for ((ours, event_time), ((their_status, their_time), theirs)) in
            values.iter_mut().zip(event_times).zip(theirs)
        {
            if *their_status != Status::Missing && event_time == their_time {
                *ours = theirs.take();
            }
        }
    }

    /// A row of a group, its cells to be put in one by one.
    pub(crate) const fn row(&mut self, group: Group<'_>, at: usize) -> PartRow<'_> {
        let first = group.first * self.features + at;
        PartRow { cells: self, first, step: group.times.len() }
    }

    /// The rows of a group: statuses, event times and bits of a feature.
    fn numbers_mut(&mut self, group: Group<'_>, feature: usize) -> Numbers<'_> {
        let (from, rows) = (group.first * self.features, group.times.len());
        self.numbers_in(from + feature * rows..from + (feature + 1) * rows)
    }

    /// All cells of a group, a place a feature.
    fn of_group(&mut self, group: Group<'_>) -> chunk::Cells<'_, Status> {
        let range = self.cells_of(group);
        let Numbers { status, event_times, bits } = self.numbers_in(range);
        chunk::Cells { status, event_times, bits }
    }

    /// The statuses, event times and bits of some cells.
    fn numbers_in(&mut self, cells: Range<usize>) -> Numbers<'_> {
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
        let cell = self.first + feature * self.step;
        let to = self.cells.numbers_in(cell..cell + 1);
        to.status.fill(status);
        to.event_times.fill(event_time.0);
        to.bits.fill(bits);
    }

    fn put_value(&mut self, feature: usize, value: Value) {
        let cell = self.first + feature * self.step;
        if let Some(to) = self.cells.values.get_mut(cell) {
            *to = Some(value);
        }
    }
}

/// Cells to be filled, of one feature or several.
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

    /// Fills one row, as [`Numbers::fill`] does.
    #[inline]
    fn put(
        &mut self,
        ask: &Ask,
        times: &[EventTime],
        row: usize,
        (event_time, kind, bits): (EventTime, Kind, u64),
    ) {
        let numbers = (self.event_times.get_mut(row), self.bits.get_mut(row));
        let (Some(to_time), Some(to_bits)) = numbers else { return };
        let (Some(status), Some(t)) = (self.status.get_mut(row), times.get(row)) else { return };
        if !ask.terms.is_forgotten(event_time) {
            *status = ask.terms.judge(event_time, kind, *t);
            *to_time = event_time.0;
            *to_bits = if *status == Status::Value { bits } else { 0 };
        }
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
