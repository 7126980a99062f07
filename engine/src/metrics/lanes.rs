//! Counters of reads, without a cell that two threads write.
//!
//! A read of a row takes less than a microsecond, and threads that add to one counter take longer
//! than that to hand its cache line around. So a thread takes a lane, a place of its own in every
//! store's counters, and adds to it with plain stores; a snapshot adds the lanes up. A thread that
//! ends gives its lane, with all that was counted in it, to the next one. Threads that find no lane
//! free share one, in which they add atomically.
//!
//! A read counts on its stack ([`Visits`]) and adds once, when it is answered.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

use crate::metrics::snapshot::{Histogram, ReadMetrics};

/// Threads that have a lane of their own; the lane behind them is shared.
const OWNED: usize = 64;

/// Lookups that visited more sources than this are counted with those that visited so many.
const MOST_VISITED: usize = 16;

/// What an answered call was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lookup {
    /// One feature of an entity, as of a moment.
    Point,
    /// Features of an entity, as of a moment.
    Row,
    /// Versions of a feature of an entity.
    Versions,
    /// An entity of a part of a join, for so many rows of the spine.
    Join {
        /// How many.
        rows: u64,
    },
}

/// What one lookup of an entity did, counted while it is done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Visits {
    considered: u32,
    by_bound: u32,
    by_filter: u32,
    history: u32,
}

impl Visits {
    /// Looks up nothing yet.
    pub(crate) const fn new() -> Self {
        Self { considered: 0, by_bound: 0, by_filter: 0, history: 0 }
    }

    /// A source that holds entities about this one's hash.
    #[inline]
    pub(crate) const fn consider(&mut self) {
        self.considered += 1;
    }

    /// It is not looked at: it can offer nothing better than what was found.
    #[inline]
    pub(crate) const fn pass_over(&mut self) {
        self.by_bound += 1;
    }

    /// It was asked for the entity; whether it has it. If not it was dismissed by its directory.
    #[inline]
    pub(crate) const fn asked(&mut self, has_it: bool) {
        if !has_it {
            self.by_filter += 1;
        }
    }

    /// The older versions of a row in a table were decoded.
    #[inline]
    pub(crate) const fn open_history(&mut self, opened: bool) {
        if opened {
            self.history += 1;
        }
    }

    const fn visited(&self) -> u32 {
        self.considered.saturating_sub(self.by_bound).saturating_sub(self.by_filter)
    }
}

/// What one thread has counted.
#[derive(Debug, Default)]
struct Lane {
    points: AtomicU64,
    rows: AtomicU64,
    versions: AtomicU64,
    join_rows: AtomicU64,
    join_lookups: AtomicU64,
    cells: AtomicU64,
    join_cells: AtomicU64,
    considered: AtomicU64,
    by_bound: AtomicU64,
    by_filter: AtomicU64,
    stopped_early: AtomicU64,
    history: AtomicU64,
    visited: [AtomicU64; MOST_VISITED + 1],
}

/// The counters of all threads that read from a store.
#[derive(Debug)]
pub(crate) struct ReadMeter {
    lanes: Box<[CachePadded<Lane>]>,
}

impl Default for ReadMeter {
    fn default() -> Self {
        Self { lanes: (0..=OWNED).map(|_| CachePadded::new(Lane::default())).collect() }
    }
}

impl ReadMeter {
    /// Counts a lookup that was answered, of so many features.
    #[inline]
    pub(crate) fn count(&self, what: Lookup, features: usize, visits: &Visits) {
        let number = MINE.try_with(|mine| mine.0).unwrap_or(OWNED);
        let Some(lane) = self.lanes.get(number) else { return };
        let owned = number < OWNED;
        let add = |cell: &AtomicU64, more: u64| {
            if owned {
                // Nobody else writes here.
                cell.store(cell.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
            } else {
                cell.fetch_add(more, Ordering::Relaxed);
            }
        };
        let features = features as u64;
        match what {
            Lookup::Row => {
                add(&lane.rows, 1);
                add(&lane.cells, features);
            }
            Lookup::Point => {
                add(&lane.points, 1);
                add(&lane.cells, 1);
            }
            Lookup::Versions => add(&lane.versions, 1),
            Lookup::Join { rows } => {
                add(&lane.join_lookups, 1);
                add(&lane.join_rows, rows);
                add(&lane.join_cells, rows.wrapping_mul(features));
            }
        }
        add(&lane.considered, u64::from(visits.considered));
        if visits.by_bound > 0 {
            add(&lane.by_bound, u64::from(visits.by_bound));
            add(&lane.stopped_early, 1);
        }
        if visits.by_filter > 0 {
            add(&lane.by_filter, u64::from(visits.by_filter));
        }
        if visits.history > 0 {
            add(&lane.history, u64::from(visits.history));
        }
        let visited = (visits.visited() as usize).min(MOST_VISITED);
        if let Some(cell) = lane.visited.get(visited) {
            add(cell, 1);
        }
    }

    pub(crate) fn snapshot(&self) -> ReadMetrics {
        let sum = |cell: fn(&Lane) -> &AtomicU64| {
            self.lanes.iter().map(|lane| cell(lane).load(Ordering::Relaxed)).sum::<u64>()
        };
        let mut reads = ReadMetrics {
            points: sum(|lane| &lane.points),
            rows: sum(|lane| &lane.rows),
            versions: sum(|lane| &lane.versions),
            cells: sum(|lane| &lane.cells),
            join_rows: sum(|lane| &lane.join_rows),
            join_cells: sum(|lane| &lane.join_cells),
            sources_considered: sum(|lane| &lane.considered),
            skipped_by_bound: sum(|lane| &lane.by_bound),
            skipped_by_filter: sum(|lane| &lane.by_filter),
            stopped_early: sum(|lane| &lane.stopped_early),
            histories_opened: sum(|lane| &lane.history),
            ..ReadMetrics::default()
        };
        let join_lookups = sum(|lane| &lane.join_lookups);
        reads.lookups = reads.points + reads.rows + reads.versions + join_lookups;
        let skipped = reads.skipped_by_bound.saturating_add(reads.skipped_by_filter);
        reads.sources_visited = reads.sources_considered.saturating_sub(skipped);
        let visited = (0..=MOST_VISITED).filter_map(|visited| {
            let cells = self.lanes.iter().filter_map(|lane| lane.visited.get(visited));
            let count: u64 = cells.map(|cell| cell.load(Ordering::Relaxed)).sum();
            (count > 0).then_some((visited as u64, count))
        });
        let visited: Vec<(u64, u64)> = visited.collect();
        let max = visited.last().map_or(0, |(visited, _)| *visited);
        reads.visited_per_lookup = Histogram::new(visited, reads.sources_visited, max);
        reads
    }
}

/// The lanes that no thread has.
struct Free {
    returned: Vec<usize>,
    next: usize,
}

static FREE: Mutex<Free> = Mutex::new(Free { returned: Vec::new(), next: 0 });

/// A thread's lane, which is its own in the counters of every store.
struct Mine(usize);

impl Mine {
    fn take() -> Self {
        let mut free = FREE.lock();
        Self(free.returned.pop().unwrap_or_else(|| {
            let next = free.next.min(OWNED);
            free.next = next + 1;
            next
        }))
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        if self.0 < OWNED {
            FREE.lock().returned.push(self.0);
        }
    }
}

thread_local! {
    static MINE: Mine = Mine::take();
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTED: u64 = 1_000;

    fn count_all(meter: &ReadMeter) {
        for _ in 0..COUNTED {
            let mut visits = Visits::new();
            (0..3).for_each(|_| visits.consider());
            visits.pass_over();
            visits.asked(false);
            visits.asked(true);
            visits.open_history(true);
            meter.count(Lookup::Row, 5, &visits);
        }
    }

    /// More threads than lanes, at once and one after another, on two stores.
    #[test]
    fn counts_of_threads_that_share_a_lane_are_lost() {
        let meters = [ReadMeter::default(), ReadMeter::default()];
        let threads = OWNED * 2;
        for _ in 0..2 {
            let gate = std::sync::Barrier::new(threads);
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        MINE.with(|mine| assert!(mine.0 <= OWNED));
                        // Nobody ends, and gives a lane back, before everybody has one.
                        gate.wait();
                        meters.iter().for_each(count_all);
                    });
                }
            });
        }
        let rows = 2 * threads as u64 * COUNTED;
        for meter in &meters {
            let reads = meter.snapshot();
            assert_eq!((reads.rows, reads.cells, reads.lookups), (rows, 5 * rows, rows));
            assert_eq!(reads.sources_considered, 3 * rows);
            assert_eq!((reads.skipped_by_bound, reads.stopped_early), (rows, rows));
            assert_eq!((reads.skipped_by_filter, reads.sources_visited), (rows, rows));
            assert_eq!(reads.histories_opened, rows);
            assert_eq!(reads.visited_per_lookup.count(), rows);
        }
        println!("{rows} rows of {threads} threads, twice, on two meters");
    }
}
