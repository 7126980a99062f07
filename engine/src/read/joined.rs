//! What a join answers: a column a feature, a row for each row of the spine.
//!
//! The numbers of several columns of a large answer stand in one room, column after column: a column alone
//! is often smaller than the pages that a system hands out fastest. Each keeps its whole room.

use asofdb_format::ids::EventTime;
use asofdb_format::value::{Value, ValueType};

use crate::read::part::{PartColumn, PartColumns};
use crate::types::answer::{Stamp, Status};
use crate::types::cells::is_bytes;
use crate::world::large_pages::{Numbers, Part};

/// The answers to a part of a spine: a column a feature, a row for each row of the part.
#[derive(Clone, Debug)]
pub struct Joined {
    pub(crate) rows: usize,
    pub(crate) columns: Vec<JoinedColumn>,
    pub(crate) stamp: Stamp,
}

/// The answers of one feature. Its numbers may lie in memory that it shares with other columns of the
/// join, up to 16 MiB of each kind, which stays as long as any of these columns does.
#[derive(Clone, Debug)]
pub struct JoinedColumn {
    value_type: ValueType,
    status: Part<Status>,
    event_times: Part<i64>,
    bits: Part<u64>,
    /// Text, bytes and vectors; empty for numbers.
    values: Vec<Option<Value>>,
}

/// Columns whose rows are all missing until they are answered.
#[derive(Debug)]
pub(crate) struct Unanswered {
    rows: usize,
    status: Vec<Numbers<Status>>,
    event_times: Vec<Numbers<i64>>,
    bits: Vec<Numbers<u64>>,
    /// Of each column its type, and what it has that is no number.
    columns: Vec<(ValueType, Vec<Option<Value>>)>,
}

impl Joined {
    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in the order of the selection.
    #[must_use]
    pub fn columns(&self) -> &[JoinedColumn] {
        &self.columns
    }

    /// The column of the n-th feature of the selection.
    #[must_use]
    pub fn column(&self, feature: usize) -> Option<&JoinedColumn> {
        self.columns.get(feature)
    }

    /// What the join saw.
    #[must_use]
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }
}

impl JoinedColumn {
    /// Which of the five answers each row got.
    #[must_use]
    pub fn status(&self) -> &[Status] {
        &self.status
    }

    /// The rows' numbers as their bits, as [`Cells::bits`](crate::Cells::bits) tells them.
    #[must_use]
    pub fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// A row's value, if it is fresh. Text, bytes and vectors borrow the store's files.
    #[must_use]
    #[inline]
    pub fn value(&self, row: usize) -> Option<Value> {
        if *self.status.get(row)? != Status::Value {
            return None;
        }
        let value = self.values.get(row).and_then(Clone::clone);
        value.or_else(|| Value::from_bits(self.value_type, *self.bits.get(row)?))
    }

    /// The event time of a row's version, of whatever answer but `Missing`.
    #[must_use]
    pub fn event_time(&self, row: usize) -> Option<EventTime> {
        let status = self.status.get(row)?;
        (*status != Status::Missing).then(|| self.event_times.get(row).copied().map(EventTime))?
    }
}

impl Unanswered {
    /// Columns of some types and so many rows.
    pub(crate) fn new(types: impl Iterator<Item = ValueType>, rows: usize) -> Self {
        let values = |value_type| if is_bytes(value_type) { vec![None; rows] } else { Vec::new() };
        let columns: Vec<_> = types.map(|value_type| (value_type, values(value_type))).collect();
        let many = columns.len();
        Self {
            rows,
            status: Numbers::rooms(many, rows),
            event_times: Numbers::rooms(many, rows),
            bits: Numbers::rooms(many, rows),
            columns,
        }
    }

    /// The columns, to be answered.
    pub(crate) fn columns(&mut self) -> PartColumns<'_> {
        let rows = self.rows.max(1);
        let status = self.status.iter_mut().flat_map(|room| room.chunks_mut(rows));
        let event_times = self.event_times.iter_mut().flat_map(|room| room.chunks_mut(rows));
        let bits = self.bits.iter_mut().flat_map(|room| room.chunks_mut(rows));
        let numbers = status.zip(event_times).zip(bits);
        let columns = numbers.zip(&mut self.columns);
        let columns = columns.map(|(((status, event_times), bits), (_, values))| PartColumn {
            status,
            event_times,
            bits,
            values,
        });
        PartColumns::new(columns.collect())
    }

    /// The answers, now that all rows have theirs.
    pub(crate) fn answered(self, stamp: Stamp) -> Joined {
        let rows = self.rows;
        let status = Part::of_rooms(self.status, rows);
        let numbers = Part::of_rooms(self.event_times, rows).zip(Part::of_rooms(self.bits, rows));
        let columns = self.columns.into_iter().zip(status.zip(numbers));
        let columns = columns.map(|((value_type, values), (status, (event_times, bits)))| {
            JoinedColumn { value_type, status, event_times, bits, values }
        });
        Joined { rows, columns: columns.collect(), stamp }
    }
}
