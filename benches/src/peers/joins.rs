//! Point-in-time joins of a spine with all features, timed in turns and checked cell by cell.

use std::time::Instant;

use crate::Outcome;
use crate::peers::dataset::Data;
use crate::peers::peer::{Cell, Joined, SpineRow, checksum};
use crate::peers::reads::Loaded;
use crate::peers::timing::median;

/// The sum of the right answers to a spine, of which the generator tells each.
pub fn expected(spine: &[SpineRow], width: usize, as_of: impl Fn(u32, u16, i64) -> Cell) -> u64 {
    let mut cells = vec![Cell::MISSING; width];
    let sums = spine.iter().map(|row| {
        for (feature, cell) in (0..).zip(&mut cells) {
            *cell = as_of(row.entity, feature, row.t);
        }
        checksum(&cells)
    });
    sums.fold(0u64, u64::wrapping_add)
}

/// The sum of what a join gave.
pub fn sum(joined: &dyn Joined, rows: usize, width: usize) -> u64 {
    let mut cells = vec![Cell::MISSING; width];
    let sums = (0..rows).map(|row| {
        for (feature, cell) in cells.iter_mut().enumerate() {
            *cell = joined.cell(row, feature);
        }
        checksum(&cells)
    });
    sums.fold(0u64, u64::wrapping_add)
}

/// Seconds that each entrant takes for the spine, the middle of some rounds, and a word on its
/// plans: each is tried once, and the fastest is measured.
pub fn measure(
    stores: &[Loaded],
    data: &Data,
    spine: &[SpineRow],
    threads: usize,
    rounds: usize,
) -> Outcome<Vec<(f64, String)>> {
    let width = usize::from(data.size.features);
    let right = expected(spine, width, |entity, feature, t| data.as_of(entity, feature, t));
    let cells = (spine.len() * width) as f64;
    let mut plans = Vec::new();
    for store in stores {
        let names = store.peer.reader()?.plans();
        let (mut best, mut told) = ((f64::MAX, 0), String::new());
        for (plan, name) in names.iter().enumerate() {
            let begun = Instant::now();
            store.peer.join(spine, threads, plan)?;
            let took = begun.elapsed().as_secs_f64();
            if names.len() > 1 {
                told.push_str(&format!(", {name} {:.2}", cells / took / 1e6));
            }
            if took < best.0 {
                best = (took, plan);
            }
        }
        plans.push((best.1, told));
    }
    let mut times = vec![Vec::new(); stores.len()];
    for _ in 0..rounds {
        for ((store, (plan, _)), times) in stores.iter().zip(&plans).zip(&mut times) {
            let begun = Instant::now();
            let joined = store.peer.join(spine, threads, *plan)?;
            times.push(begun.elapsed().as_secs_f64());
            if sum(&*joined, spine.len(), width) != right {
                return Err(format!("the join of {} is wrong", store.name).into());
            }
        }
    }
    Ok(times.into_iter().zip(plans).map(|(times, (_, told))| (median(times), told)).collect())
}
