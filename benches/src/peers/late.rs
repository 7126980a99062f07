//! Late records: how fast they are taken, and what reads cost right after them, before all is at
//! rest again.

use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::peers::dataset::Data;
use crate::peers::ingest::{BATCH, Load, load};
use crate::peers::peer::{Record, Role, Setup, Write};
use crate::peers::reads::{self, Kind, Loaded};
use crate::peers::report::{Figure, Line, Report, Target};
use crate::peers::{Args, better_of, load_into, rates};

/// Records of a hundred that come late.
const LATE: u64 = 10;

/// Takes records of which some come one to five hours late; beside it, how fast ours were taken in
/// order.
pub fn ingest(
    args: &Args,
    dir: &Path,
    data: &Data,
    in_order: Option<Load>,
    report: &mut Report,
) -> Outcome<()> {
    if !args.wants("ingest-late") {
        return Ok(());
    }
    let turns = args.load_turns();
    let (stores, loads) = load_into(&args.entrants(), &dir.join("late"), data, LATE, turns)?;
    let title = format!("ingest with 10 % late, to quiescence{} (A)", better_of(turns));
    let mut line = rates(title, data, &stores, &loads);
    if let Some((before, now)) = in_order.zip(loads.first()) {
        let slower = now.settled / before.settled;
        let what = format!("≤ 1.25 × the time in order ({slower:.2} ×)");
        line.also.push((what, slower <= 1.25));
    }
    report.add(line);
    check(args, data, &stores)?;
    stores.into_iter().try_for_each(|store| store.peer.close())
}

/// Reads what was written, whatever its order was.
fn check(args: &Args, data: &Data, stores: &[Loaded]) -> Outcome<()> {
    let asks = data.asks(args.asks.min(5_000), 8, None);
    for kind in [Kind::LatestRow, Kind::AsOfRow] {
        reads::measure(stores, data, kind, &asks, 1)?;
    }
    Ok(())
}

/// Reads right after the late records came, and again when all is at rest.
pub fn rows(args: &Args, dir: &Path, data: &Data, report: &mut Report) -> Outcome<()> {
    if !args.wants("late-rows") {
        return Ok(());
    }
    let is_late = |place: &usize| crate::data::mix(*place as u64 ^ 0x1a7e) % 100 < LATE;
    let (late, on_time): (Vec<_>, Vec<_>) =
        data.arrivals(0).into_iter().enumerate().partition(|(place, _)| is_late(place));
    let plain = |part: Vec<(usize, Record)>| part.into_iter().map(|(_, record)| record);
    let (late, on_time): (Vec<_>, Vec<_>) = (plain(late).collect(), plain(on_time).collect());
    let (features, records) = (data.size.features, data.size.records());
    let setup = Setup { features, records, ..Setup::default() };
    let asks = data.asks(args.asks, 9, None);
    let kinds = [Kind::LatestRow, Kind::AsOfRow];
    let mut lines = kinds.map(|kind| {
        let title = format!("{kind:?} right after 10 % late, before all is at rest (A)");
        Line::new(title, Target::None)
    });
    for entrant in args.entrants().into_iter().filter(|entrant| entrant.role != Role::Floor) {
        let own = dir.join("after-late");
        let store = [Loaded::open(entrant, &own, setup)?];
        let peer = &*store[0].peer;
        let files = own.join(entrant.name);
        load(peer, &files, &on_time, Write { may_be_late: false, synced: false })?;
        for batch in late.chunks(BATCH) {
            peer.write(batch, Write { may_be_late: true, synced: false })?;
        }
        let written = Instant::now();
        let mut at_once = Vec::new();
        for kind in kinds {
            at_once.push(reads::measure(&store, data, kind, &asks, 1)?[0]);
        }
        let read_for = written.elapsed().as_secs_f64();
        peer.settle()?;
        for ((kind, (latency, plan)), line) in kinds.into_iter().zip(at_once).zip(&mut lines) {
            let (settled, _) = reads::measure(&store, data, kind, &asks, 1)?[0];
            let times = latency.p50 / settled.p50.max(1.0);
            line.figures.push(Figure {
                name: entrant.name,
                role: entrant.role,
                figure: latency.p50,
                text: format!("{} = {times:.2} × at rest", reads::text(&latency, plan)),
            });
            if entrant.role == Role::Ours {
                line.also.push(("≤ 2 × at rest".to_owned(), times <= 2.0));
            }
        }
        println!("{}: read within {read_for:.1} s of the last write", entrant.name);
        store.into_iter().try_for_each(|store| store.peer.close())?;
    }
    lines.into_iter().for_each(|line| report.add(line));
    Ok(())
}
