//! What a join answers: a column a feature, a row for each row of the spine.

use asofdb_format::ids::EventTime;
use asofdb_format::value::{Value, ValueType};

use crate::read::part::{PartColumn, PartColumns};
use crate::types::answer::{Stamp, Status};
use crate::types::cells::is_bytes;

/// The answers to a part of a spine: a column a feature, a row for each row of the part.
#[derive(Clone, Debug)]
pub struct Joined {
    pub(crate) rows: usize,
    pub(crate) columns: Vec<JoinedColumn>,
    pub(crate) stamp: Stamp,
}

/// The answers of one feature.
#[derive(Clone, Debug)]
pub struct JoinedColumn {
    value_type: ValueType,
    status: Vec<Status>,
    event_times: Vec<i64>,
    bits: Vec<u64>,
    /// Text, bytes and vectors; empty for numbers.
    values: Vec<Option<Value>>,
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
    pub(crate) fn missing(value_type: ValueType, rows: usize) -> Self {
        Self {
            value_type,
            status: vec![Status::Missing; rows],
            event_times: vec![0; rows],
            bits: vec![0; rows],
            values: if is_bytes(value_type) { vec![None; rows] } else { Vec::new() },
        }
    }

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

    /// Takes over the answers to some rows for the n-th feature.
    pub(crate) fn take_over(&mut self, part: &PartColumns, feature: usize, rows: &[Landing]) {
        let PartColumn { status, event_times, bits, values } = part.column(feature);
        for Landing { row, from } in rows {
            let from = *from as usize;
            let from = (status.get(from), event_times.get(from), bits.get(from));
            let to = (
                self.status.get_mut(*row),
                self.event_times.get_mut(*row),
                self.bits.get_mut(*row),
            );
            if let (Some(status), Some(event_time), Some(bits)) = from
                && let (Some(to_status), Some(to_time), Some(to_bits)) = to
            {
                (*to_status, *to_time, *to_bits) = (*status, *event_time, *bits);
            }
        }
        if self.values.is_empty() {
            return;
        }
        for Landing { row, from } in rows {
            if let (Some(to), Some(value)) = (self.values.get_mut(*row), values.get(*from as usize))
            {
                to.clone_from(value);
            }
        }
    }
}

/// Where a row of a part goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Landing {
    pub(crate) row: usize,
    /// Its place in the part.
    pub(crate) from: u32,
}
