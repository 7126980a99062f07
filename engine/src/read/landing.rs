//! Answers on their way from the order of entities to the rows that ask.
//!
//! ```text
//! a column as answered   a0 a1 a2 a3 | -- --        the answers to the rows of a sorted spine, and room
//! from                   2 none 0 3 none 1          of each row that asks, which answer it gets
//! the column afterwards  a2 -- a0 a3 -- a1
//! ```
//!
//! One column after another is copied aside and put back in order: what is read here and there is a copy
//! that mostly fits a cache, and what is written is written in the order of memory.

use std::convert::identity;

use crate::read::part::{PartColumn, PartColumns};
use crate::read::spine::SpineRow;
use crate::types::answer::Status;
use crate::world::scheduler::Scheduler;

/// At most so many rows are brought to their places at once, which a number of 32 bits tells: of a column
/// that are 8 MiB, more of which few caches hold.
pub(crate) const MOST_ROWS: usize = 1 << 20;

/// Where the row finds its answer that asks about nothing.
const NOWHERE: u32 = u32::MAX;

/// Which answer each row gets.
#[derive(Debug)]
pub(crate) struct Landing {
    from: Vec<u32>,
    /// How many answers there are.
    answers: usize,
}

/// Where a column lies while its rows are put in order.
#[derive(Debug, Default)]
struct Aside {
    status: Vec<Status>,
    numbers: Vec<u64>,
}

impl Landing {
    /// Of the rows of a sorted spine among so many, at most [`MOST_ROWS`], that ask.
    pub(crate) fn of(spine: &[SpineRow<'_>], rows: usize) -> Self {
        let mut from = vec![NOWHERE; rows];
        for (answer, row) in (0..).zip(spine) {
            if let Some(from) = from.get_mut(row.row) {
                *from = answer;
            }
        }
        Self { from, answers: spine.len() }
    }

    /// Brings the answers, which are the first rows of each column, to the rows that ask; all other rows
    /// are missing. Some columns a thread.
    pub(crate) fn bring(
        &self,
        columns: &mut PartColumns<'_>,
        threads: usize,
        scheduler: &dyn Scheduler,
    ) {
        if (0..).zip(&self.from).take(self.answers).all(|(row, from)| row == *from) {
            return;
        }
        let columns = columns.columns_mut();
        let bring = |columns: &mut [PartColumn<'_>]| {
            let mut aside = Aside::default();
            columns.iter_mut().for_each(|column| self.bring_column(column, &mut aside));
        };
        if threads == 1 || columns.len() == 1 {
            return bring(columns);
        }
        let at_once = columns.len().div_ceil(threads).max(1);
        let jobs = columns.chunks_mut(at_once).map(|columns| {
            let job: Box<dyn FnOnce() + Send + '_> = Box::new(move || bring(columns));
            job
        });
        scheduler.run_all(jobs.collect());
    }

    fn bring_column(&self, column: &mut PartColumn<'_>, aside: &mut Aside) {
        let Aside { status, numbers } = aside;
        let as_it_is = (identity, identity);
        self.put_in_order(column.status, status, Status::Missing, as_it_is);
        let as_bits = (i64::cast_unsigned, u64::cast_signed);
        self.put_in_order(column.event_times, numbers, 0, as_bits);
        self.put_in_order(column.bits, numbers, 0, (identity, identity));
        let mut values: Vec<_> =
            column.values.iter_mut().take(self.answers).map(Option::take).collect();
        for (to, from) in column.values.iter_mut().zip(&self.from) {
            *to = values.get_mut(*from as usize).and_then(Option::take);
        }
    }

    /// Puts numbers in order, which are kept aside in another form.
    #[inline]
    fn put_in_order<T: Copy, A: Copy>(
        &self,
        column: &mut [T],
        aside: &mut Vec<A>,
        none: A,
        (keep, back): (impl Fn(T) -> A, impl Fn(A) -> T),
    ) {
        aside.clear();
        aside.extend(column.iter().take(self.answers).map(|number| keep(*number)));
        for (to, from) in column.iter_mut().zip(&self.from) {
            *to = back(aside.get(*from as usize).copied().unwrap_or(none));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use asofdb_format::ids::EventTime;
    use asofdb_format::value::Value;

    use super::*;
    use crate::world::scheduler::Threads;

    /// Rows in some order of their entities, of which every fifth asks about nothing; each answer tells
    /// its row.
    #[test]
    fn an_answer_lands_on_the_row_of_another() {
        for (rows, threads, step) in
            [(0usize, 1, 1), (1, 2, 1), (200, 1, 7), (20_000, 2, 77), (20_000, 3, 1)]
        {
            let asks = |row: &usize| step == 1 || row % 5 != 3;
            let shuffled = (0..rows).map(|n| n * step % rows.max(1)).filter(asks);
            let spine: Vec<_> = shuffled.map(|row| SpineRow::new(row, b"", EventTime(0))).collect();
            let told = |row: usize| (Status::Value, row as i64 - 9, !(row as u64));
            let (mut status, mut event_times) = (vec![Status::Missing; rows], vec![0; rows]);
            let (mut bits, mut values) = (vec![0; rows], vec![None; rows]);
            for (at, row) in spine.iter().enumerate() {
                (status[at], event_times[at], bits[at]) = told(row.row);
                values[at] = Some(Value::I64(told(row.row).1));
            }
            let mut more = (status.clone(), event_times.clone(), bits.clone());
            let column = PartColumn {
                status: &mut status,
                event_times: &mut event_times,
                bits: &mut bits,
                values: &mut values,
            };
            let (status_too, times_too, bits_too) = (&mut more.0, &mut more.1, &mut more.2);
            let number = PartColumn {
                status: status_too,
                event_times: times_too,
                bits: bits_too,
                values: &mut [],
            };
            let mut columns = PartColumns::new(vec![column, number]);
            Landing::of(&spine, rows).bring(&mut columns, threads, &Threads);
            assert!((&more.0, &more.1, &more.2) == (&status, &event_times, &bits));
            for row in 0..rows {
                let asked = asks(&row).then(|| told(row));
                let expected = asked.unwrap_or((Status::Missing, 0, 0));
                assert_eq!((status[row], event_times[row], bits[row]), expected, "row {row}");
                let value = asked.map(|(_, event_time, _)| Value::I64(event_time));
                assert_eq!(values[row], value, "row {row}");
            }
        }
    }
}
