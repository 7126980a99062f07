//! Answers in columns that the caller keeps from read to read: nothing is allocated for a cell.
//!
//! ```text
//! status       rows * features, row by row
//! event times  the same; 0 where the status is missing
//! bits         the same; the numbers, 0 where there is no value
//! values       the same, if a feature has text, bytes or a vector; else nothing
//! ```

use asofdb_format::ids::{Commit, EventTime};
use asofdb_format::value::{Value, ValueType};
use bytes::Bytes;

use crate::types::answer::{Stamp, Status};

/// The answers of a [`RowReader`](crate::RowReader): a row an entity, a cell a feature.
#[derive(Clone, Debug)]
pub struct Cells {
    types: Box<[ValueType]>,
    has_bytes: bool,
    status: Vec<Status>,
    event_times: Vec<i64>,
    bits: Vec<u64>,
    values: Vec<Option<Value>>,
    pub(crate) stamp: Stamp,
}

/// One answer.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'c> {
    status: Status,
    event_time: i64,
    bits: u64,
    value: Option<&'c Value>,
    value_type: ValueType,
}

/// The cells of one row, to be filled: first of all to be cleared, for they hold an earlier row.
#[derive(Debug)]
pub(crate) struct RowCells<'c> {
    pub(crate) status: &'c mut [Status],
    pub(crate) event_times: &'c mut [i64],
    pub(crate) bits: &'c mut [u64],
    /// Empty if all features are numbers.
    pub(crate) values: &'c mut [Option<Value>],
}

/// Whether values of a type are bytes, and not the bits of a number.
pub(crate) const fn is_bytes(value_type: ValueType) -> bool {
    matches!(value_type, ValueType::Text | ValueType::Bytes | ValueType::Vector(_))
}

impl Cells {
    pub(crate) fn new(types: impl Iterator<Item = ValueType>) -> Self {
        let types: Box<[ValueType]> = types.collect();
        Self {
            has_bytes: types.iter().copied().any(is_bytes),
            types,
            status: Vec::new(),
            event_times: Vec::new(),
            bits: Vec::new(),
            values: Vec::new(),
            stamp: Stamp { now: EventTime::MIN, commit: Commit::MIN },
        }
    }

    /// Makes room for so many rows, which hold whatever they held.
    #[inline]
    pub(crate) fn make_room(&mut self, rows: usize) {
        let cells = rows * self.types.len();
        if self.status.len() != cells {
            self.status.resize(cells, Status::Missing);
            self.event_times.resize(cells, 0);
            self.bits.resize(cells, 0);
            if self.has_bytes {
                self.values.resize(cells, None);
            }
        }
    }

    /// A row, to be filled.
    #[inline]
    pub(crate) fn row_mut(&mut self, row: usize) -> RowCells<'_> {
        let cells = row * self.types.len()..(row + 1) * self.types.len();
        let values = if self.has_bytes { cells.clone() } else { 0..0 };
        RowCells {
            status: self.status.get_mut(cells.clone()).unwrap_or_default(),
            event_times: self.event_times.get_mut(cells.clone()).unwrap_or_default(),
            bits: self.bits.get_mut(cells).unwrap_or_default(),
            values: self.values.get_mut(values).unwrap_or_default(),
        }
    }

    /// How many rows there are: one for each entity that was asked about.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.status.len().checked_div(self.types.len()).unwrap_or_default()
    }

    /// How many features each row has.
    #[must_use]
    pub fn features(&self) -> usize {
        self.types.len()
    }

    /// The answer of a row for the n-th feature of the selection; `None` where there is none such.
    #[must_use]
    #[inline]
    pub fn at(&self, row: usize, feature: usize) -> Option<Cell<'_>> {
        let value_type = *self.types.get(feature)?;
        let index = row * self.types.len() + feature;
        Some(Cell {
            status: *self.status.get(index)?,
            event_time: *self.event_times.get(index)?,
            bits: *self.bits.get(index)?,
            value: self.values.get(index).and_then(Option::as_ref),
            value_type,
        })
    }

    /// Which of the five answers each cell is, row by row.
    #[must_use]
    #[inline]
    pub fn statuses(&self) -> &[Status] {
        &self.status
    }

    /// The event times of the cells' versions in microseconds, row by row; 0 where the status is
    /// [`Status::Missing`].
    #[must_use]
    #[inline]
    pub fn event_times(&self) -> &[i64] {
        &self.event_times
    }

    /// The numbers as their bits, row by row: of floats as they are (an `f32` in the lower half), of
    /// an integer its two's complement, of a boolean 0 or 1; 0 where the status is not
    /// [`Status::Value`], and for text, bytes and vectors.
    #[must_use]
    #[inline]
    pub fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// When the rows were read.
    #[must_use]
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }
}

impl<'c> Cell<'c> {
    /// Which of the five answers it is.
    #[must_use]
    #[inline]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// When the version became true; `None` if nothing is there.
    #[must_use]
    #[inline]
    pub fn event_time(&self) -> Option<EventTime> {
        (self.status != Status::Missing).then_some(EventTime(self.event_time))
    }

    /// The value, if it is fresh. Text, bytes and vectors borrow the store's files, as those of an
    /// [`Answer`](crate::Answer) do.
    #[must_use]
    #[inline]
    pub fn value(&self) -> Option<Value> {
        if self.status != Status::Value {
            return None;
        }
        self.value.cloned().or_else(|| Value::from_bits(self.value_type, self.bits))
    }

    /// The fresh boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        self.value()?.as_bool()
    }

    /// The fresh integer.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.value()?.as_i64()
    }

    /// The fresh float of either width.
    #[must_use]
    #[inline]
    pub fn as_f64(&self) -> Option<f64> {
        self.value()?.as_f64()
    }

    /// The fresh text.
    #[must_use]
    pub fn as_text(&self) -> Option<&'c str> {
        self.fresh()?.as_text()
    }

    /// The fresh bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'c Bytes> {
        self.fresh()?.as_bytes()
    }

    const fn fresh(&self) -> Option<&'c Value> {
        if matches!(self.status, Status::Value) { self.value } else { None }
    }
}

impl RowCells<'_> {
    /// Forgets what the row held: all is missing.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.status.fill(Status::Missing);
        self.event_times.fill(0);
        self.bits.fill(0);
        self.values.fill(None);
    }

    /// The event time of what was put in; `None`: nothing was.
    #[inline]
    pub(crate) fn event_time(&self, place: usize) -> Option<EventTime> {
        let is_there = *self.status.get(place)? != Status::Missing;
        self.event_times.get(place).filter(|_| is_there).copied().map(EventTime)
    }

    /// Forgets what one cell held.
    pub(crate) fn clear_cell(&mut self, place: usize) {
        if let Some(value) = self.values.get_mut(place) {
            *value = None;
        }
    }

    /// Takes those cells of another row that are newer than what is here. `false`: two versions of
    /// one event time meet, and only the whole order tells which one is newer.
    pub(crate) fn take_newer(&mut self, other: &mut RowCells<'_>) -> bool {
        let theirs = other.status.iter().zip(&*other.event_times).zip(&*other.bits);
        let ours = self.status.iter_mut().zip(&mut *self.event_times).zip(&mut *self.bits);
        for (place, (((status, time), bits), ((their_status, their_time), their_bits))) in
            ours.zip(theirs).enumerate()
        {
            if *their_status == Status::Missing {
                continue;
            }
            if *status == Status::Missing || *time < *their_time {
                (*status, *time, *bits) = (*their_status, *their_time, *their_bits);
                if let (Some(to), Some(value)) =
                    (self.values.get_mut(place), other.values.get_mut(place))
                {
                    *to = value.take();
                }
            } else if *time == *their_time {
                return false;
            }
        }
        true
    }

    /// Whether what is here is newer than this event time.
    #[inline(always)]
    pub(crate) fn is_newer(&self, place: usize, than: EventTime) -> bool {
        match (self.status.get(place), self.event_times.get(place)) {
            (Some(status), Some(time)) => *status != Status::Missing && *time > than.0,
            _ => false,
        }
    }

    /// Takes a fresh number if it is newer than what is here. `false`: one of the same event time
    /// is.
    #[inline(always)]
    pub(crate) fn take_newer_number(&mut self, place: usize, event_time: i64, bits: u64) -> bool {
        let cell =
            (self.status.get_mut(place), self.event_times.get_mut(place), self.bits.get_mut(place));
        let (Some(status), Some(to_time), Some(to_bits)) = cell else { return true };
        if *status == Status::Missing || *to_time < event_time {
            (*status, *to_time, *to_bits) = (Status::Value, event_time, bits);
            return true;
        }
        *to_time != event_time
    }

    /// Whether a version up to this event time may be newer than what is here.
    pub(crate) fn may_take(&self, newest: EventTime) -> bool {
        let cells = self.status.iter().zip(&*self.event_times);
        cells.into_iter().any(|(status, time)| *status == Status::Missing || *time <= newest.0)
    }
}
