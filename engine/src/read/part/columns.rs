//! The answers to all rows of a part, feature by feature.

use std::ops::Range;

use asofdb_format::value::Value;

use crate::read::part::PartCells;
use crate::types::answer::Status;
use crate::world::large_pages::Numbers;

/// The answers to the rows of a part: all rows of the first feature, then all of the second, and so on.
#[derive(Debug, Default)]
pub(crate) struct PartColumns {
    rows: usize,
    status: Numbers<Status>,
    event_times: Numbers<i64>,
    bits: Numbers<u64>,
    /// Empty if all features are numbers.
    values: Vec<Option<Value>>,
    /// Where each row comes from among the cells that are taken over.
    from: Vec<(u32, u32)>,
}

/// The answers to all rows for one feature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartColumn<'p> {
    pub(crate) status: &'p [Status],
    pub(crate) event_times: &'p [i64],
    pub(crate) bits: &'p [u64],
    /// Empty if all features are numbers.
    pub(crate) values: &'p [Option<Value>],
}

impl PartColumns {
    /// Makes it one of so many rows, of which each is to be taken over.
    pub(crate) fn reset(&mut self, features: usize, rows: usize, has_bytes: bool) {
        let cells = features * rows;
        if self.status.len() < cells {
            // The earlier room first, so that there are never two.
            *self = Self { values: std::mem::take(&mut self.values), ..Self::default() };
            self.status = Numbers::zeros(cells);
            self.event_times = Numbers::zeros(cells);
            self.bits = Numbers::zeros(cells);
        }
        self.rows = rows;
        self.values.clear();
        self.values.resize(if has_bytes { cells } else { 0 }, None);
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
        for feature in 0..cells.features {
            let range = feature * self.rows + first..feature * self.rows + first + before;
            let to = (
                self.status.get_mut(range.clone()),
                self.event_times.get_mut(range.clone()),
                self.bits.get_mut(range.clone()),
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
            if cells.values.is_empty() {
                continue;
            }
            let values = self.values.get_mut(range).unwrap_or_default();
            for (value, (from, step)) in values.iter_mut().zip(&self.from) {
                let cell = *from as usize + feature * *step as usize;
                *value = cells.values.get_mut(cell).and_then(Option::take);
            }
        }
    }

    /// Takes over the cells of one entity from a row on, of which the order tells where each belongs.
    pub(crate) fn take_over_one(&mut self, first: usize, cells: &mut PartCells, order: &[u32]) {
        let rows = order.len();
        for feature in 0..cells.features {
            let from = feature * rows..(feature + 1) * rows;
            let to = feature * self.rows + first..feature * self.rows + first + rows;
            scatter(&mut self.status, to.clone(), (&cells.status, from.clone()), order);
            scatter(&mut self.event_times, to.clone(), (&cells.event_times, from.clone()), order);
            scatter(&mut self.bits, to.clone(), (&cells.bits, from.clone()), order);
            let to = self.values.get_mut(to).unwrap_or_default();
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
        let from = feature * self.rows + first;
        let cells = from..from + rows.len();
        let to = (
            self.status.get_mut(cells.clone()),
            self.event_times.get_mut(cells.clone()),
            self.bits.get_mut(cells),
        );
        let (Some(status), Some(event_times), Some(bits)) = to else { return };
        for (((status, event_time), bits), row) in
            status.iter_mut().zip(event_times).zip(bits).zip(rows)
        {
            (*status, *event_time, *bits) = answer(row);
        }
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
}

fn scatter<T: Copy>(
    to: &mut [T],
    at: Range<usize>,
    (all, from): (&[T], Range<usize>),
    order: &[u32],
) {
    let (to, from) = (to.get_mut(at), all.get(from));
    let (Some(to), Some(from)) = (to, from) else { return };
    for (one, at) in from.iter().zip(order) {
        if let Some(to) = to.get_mut(*at as usize) {
            *to = *one;
        }
    }
}
