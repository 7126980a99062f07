//! rank-500: the newest versions of 50 features of 500 items in one call, items drawn by Zipf 0.99.

use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::peers::dataset::{Data, Size, Zipf};
use crate::peers::peer::{Cell, checksum};
use crate::peers::reads::Kind;
use crate::peers::report::{Figure, Line, Report, Target};
use crate::peers::timing::median;
use crate::peers::{Args, load_all};

/// Items, their features and versions.
const ITEMS: Size = Size { entities: 50_000, features: 50, versions: 4, shared_times: false };

/// Items a call.
const CALL: usize = 500;

/// Loads the items and times calls, in turns.
pub fn run(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants("rank-500") {
        return Ok(());
    }
    let data = Data::new(ITEMS.scaled(args.scale));
    let (stores, _) = load_all(args, &dir.join("rank"), &data, 0)?;
    let zipf = Zipf::new(data.size.entities, 0.99);
    let width = usize::from(data.size.features);
    for (draw, zipf) in [("Zipf 0.99", Some(&zipf)), ("uniform", None)] {
        let asks = data.asks(CALL * 40, 12, zipf);
        let entities: Vec<u32> = asks.iter().map(|ask| ask.entity).collect();
        let mut cells = vec![Cell::MISSING; width * CALL];
        let mut expected = 0u64;
        for asks in asks.chunks(CALL) {
            for (ask, cells) in asks.iter().zip(cells.chunks_mut(width)) {
                Kind::LatestRow.expected(&data, *ask, cells);
            }
            expected = expected.wrapping_add(checksum(&cells));
        }
        let mut times = vec![Vec::new(); stores.len()];
        for _ in 0..args.rounds {
            for (store, times) in stores.iter().zip(&mut times) {
                let mut reader = store.peer.reader()?;
                let mut sum = 0u64;
                for entities in entities.chunks(CALL) {
                    let begun = Instant::now();
                    reader.latest_rows(entities, width, &mut cells)?;
                    times.push(begun.elapsed().as_secs_f64());
                    sum = sum.wrapping_add(checksum(&cells));
                }
                if sum != expected {
                    return Err(format!("{}: many rows are wrong", store.name).into());
                }
            }
        }
        let each = stores.iter().zip(times).map(|(store, times)| {
            let seconds = median(times);
            let figure = (CALL * width) as f64 / seconds / 1e6;
            let text = format!("{figure:.1} M cells/s ({:.0} µs a call)", seconds * 1e6);
            Figure { name: store.name, role: store.role, figure, text }
        });
        // Fewer items are more of a cache's size.
        let title = format!("rank-500: 500 items × 50 features in one call, {draw}");
        let line = Line::new(title, Target::Above(20.0, "≥ 20 M cells/s")).of_share(args.scale);
        report.add(Line { figures: each.collect(), ..line });
    }
    stores.into_iter().try_for_each(|store| store.peer.close())
}
