//! Point-in-time joins of a spine with all features, timed in turns and checked cell by cell.
//!
//! Each join is the first thing that is asked of a store that was just opened: its files may be in the
//! page cache, and nothing of them is in the process.

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

/// An entrant between two joins.
struct Turn {
    store: Loaded,
    /// The fastest plan, and a word on all of them.
    plan: usize,
    told: String,
    times: Vec<f64>,
}

/// What a join of an entrant took: seconds, and a word on its plans.
pub type Took = (f64, String);

/// What each entrant takes for the spine, the middle of some rounds: each of its plans is tried once,
/// and the fastest is measured. The stores are given back.
pub fn measure(
    stores: Vec<Loaded>,
    data: &Data,
    spine: &[SpineRow],
    threads: usize,
    rounds: usize,
) -> Outcome<(Vec<Loaded>, Vec<Took>)> {
    let width = usize::from(data.size.features);
    let right = expected(spine, width, |entity, feature, t| data.as_of(entity, feature, t));
    let mut turns = Vec::new();
    for mut store in stores {
        let names = store.peer.reader()?.plans();
        let (mut best, mut told) = ((f64::MAX, 0), String::new());
        for (plan, name) in names.iter().enumerate() {
            let took;
            (store, took, _) = join_anew(store, spine, threads, plan)?;
            if names.len() > 1 {
                let cells = (spine.len() * width) as f64;
                told.push_str(&format!(", {name} {:.2}", cells / took / 1e6));
            }
            if took < best.0 {
                best = (took, plan);
            }
        }
        turns.push(Turn { store, plan: best.1, told, times: Vec::new() });
    }
    for _ in 0..rounds {
        let mut next = Vec::new();
        for Turn { store, plan, told, mut times } in turns {
            let (store, took, joined) = join_anew(store, spine, threads, plan)?;
            times.push(took);
            if sum(&*joined, spine.len(), width) != right {
                return Err(format!("the join of {} is wrong", store.name).into());
            }
            next.push(Turn { store, plan, told, times });
        }
        turns = next;
    }
    let each = turns.into_iter().map(|turn| (turn.store, (median(turn.times), turn.told)));
    Ok(each.unzip())
}

/// Opens a store again and joins: the seconds of the join alone.
fn join_anew(
    store: Loaded,
    spine: &[SpineRow],
    threads: usize,
    plan: usize,
) -> Outcome<(Loaded, f64, Box<dyn Joined>)> {
    let store = store.reopened()?;
    let begun = Instant::now();
    let joined = store.peer.join(spine, threads, plan)?;
    let took = begun.elapsed().as_secs_f64();
    Ok((store, took, joined))
}
