//! Rows of the answer to a join while they are being answered: some rows of each column.
//!
//! Rows are answered in the order of their entities, into the first rows of each column; the
//! [landing](crate::read::landing) brings them to the rows that ask.

use asofdb_format::value::Value;

use crate::read::part::PartCells;
use crate::types::answer::Status;

/// Some rows of all columns, a column a feature.
#[derive(Debug)]
pub(crate) struct PartColumns<'c> {
    columns: Vec<PartColumn<'c>>,
    /// Where each row comes from among the cells that are taken over.
    from: Vec<(u32, u32)>,
}

/// Some rows of a column.
#[derive(Debug)]
pub(crate) struct PartColumn<'c> {
    pub(crate) status: &'c mut [Status],
    pub(crate) event_times: &'c mut [i64],
    pub(crate) bits: &'c mut [u64],
    /// Empty if the feature's values are numbers.
    pub(crate) values: &'c mut [Option<Value>],
}

impl<'c> PartColumn<'c> {
    /// Takes the first so many rows off.
    fn split_off(&mut self, rows: usize) -> Self {
        Self {
            status: split_off(&mut self.status, rows),
            event_times: split_off(&mut self.event_times, rows),
            bits: split_off(&mut self.bits, rows),
            values: split_off(&mut self.values, rows),
        }
    }

    fn reborrowed(&mut self) -> PartColumn<'_> {
        PartColumn {
            status: self.status,
            event_times: self.event_times,
            bits: self.bits,
            values: self.values,
        }
    }
}

/// Takes the first so many off a slice, or all that there are.
fn split_off<'c, T>(all: &mut &'c mut [T], many: usize) -> &'c mut [T] {
    let (first, rest) = std::mem::take(all).split_at_mut_checked(many).unwrap_or_default();
    *all = rest;
    first
}

impl<'c> PartColumns<'c> {
    pub(crate) const fn new(columns: Vec<PartColumn<'c>>) -> Self {
        Self { columns, from: Vec::new() }
    }

    /// Takes the first so many rows off.
    pub(crate) fn split_off(&mut self, rows: usize) -> Self {
        Self::new(self.columns.iter_mut().map(|column| column.split_off(rows)).collect())
    }

    /// The same rows, lent.
    pub(crate) fn reborrowed(&mut self) -> PartColumns<'_> {
        PartColumns::new(self.columns.iter_mut().map(PartColumn::reborrowed).collect())
    }

    /// The columns.
    pub(crate) fn columns_mut(&mut self) -> &mut [PartColumn<'c>] {
        &mut self.columns
    }

    /// Takes over the cells of entities that have so many rows each, from a row on.
    pub(crate) fn take_over(&mut self, first: usize, cells: &mut PartCells, groups: &[usize]) {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.from.clear();
        let mut before = 0;
        for rows in groups {
            let from = before * cells.features;
            self.from.extend((from..from + rows).map(|from| (small(from), small(*rows))));
            before += rows;
        }
        let rows = first..first + before;
        for (feature, column) in self.columns.iter_mut().enumerate() {
            let to = (
                column.status.get_mut(rows.clone()),
                column.event_times.get_mut(rows.clone()),
                column.bits.get_mut(rows.clone()),
            );
            let (Some(status), Some(event_times), Some(bits)) = to else { continue };
            let to = status.iter_mut().zip(event_times).zip(bits);
            for (((status, event_time), bits), (from, step)) in to.zip(&self.from) {
                let cell = *from as usize + feature * *step as usize;
                let from =
                    (cells.status.get(cell), cells.event_times.get(cell), cells.bits.get(cell));
                if let (Some(from_status), Some(from_time), Some(from_bits)) = from {
                    (*status, *event_time, *bits) = (*from_status, *from_time, *from_bits);
                }
            }
            let values = column.values.get_mut(rows.clone()).unwrap_or_default();
            for (value, (from, step)) in values.iter_mut().zip(&self.from) {
                let cell = *from as usize + feature * *step as usize;
                *value = cells.values.get_mut(cell).and_then(Option::take);
            }
        }
    }

    /// Takes over the cells of one entity from a row on, of which the order tells where each belongs.
    pub(crate) fn take_over_one(&mut self, first: usize, cells: &mut PartCells, order: &[u32]) {
        let rows = order.len();
        let to = first..first + rows;
        for (feature, column) in self.columns.iter_mut().enumerate() {
            let from = feature * rows..(feature + 1) * rows;
            scatter(column.status.get_mut(to.clone()), cells.status.get(from.clone()), order);
            let event_times = cells.event_times.get(from.clone());
            scatter(column.event_times.get_mut(to.clone()), event_times, order);
            scatter(column.bits.get_mut(to.clone()), cells.bits.get(from.clone()), order);
            let to = column.values.get_mut(to.clone()).unwrap_or_default();
            let from = cells.values.get_mut(from).unwrap_or_default();
            for (value, at) in from.iter_mut().zip(order) {
                if let Some(to) = to.get_mut(*at as usize) {
                    *to = value.take();
                }
            }
        }
    }

    /// Puts in the answers of one feature to rows from one on.
    #[inline]
    pub(crate) fn put_rows<R>(
        &mut self,
        feature: usize,
        first: usize,
        rows: impl ExactSizeIterator<Item = R>,
        mut answer: impl FnMut(R) -> (Status, i64, u64),
    ) {
        let Some(column) = self.columns.get_mut(feature) else { return };
        let cells = first..first + rows.len();
        let to = (
            column.status.get_mut(cells.clone()),
            column.event_times.get_mut(cells.clone()),
            column.bits.get_mut(cells),
        );
        let (Some(status), Some(event_times), Some(bits)) = to else { return };
        for (((status, event_time), bits), row) in
            status.iter_mut().zip(event_times).zip(bits).zip(rows)
        {
            (*status, *event_time, *bits) = answer(row);
        }
    }
}

fn scatter<T: Copy>(to: Option<&mut [T]>, from: Option<&[T]>, order: &[u32]) {
    let (Some(to), Some(from)) = (to, from) else { return };
    for (one, at) in from.iter().zip(order) {
        if let Some(to) = to.get_mut(*at as usize) {
            *to = *one;
        }
    }
}
