//! Latest rows while a writer runs at full speed, beside the same without the other.
//!
//! The writer goes on where the data ends, with records whose value follows from their time, so that
//! whichever of them a row shows can be told to be right.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::data::mix;
use crate::peers::dataset::{Ask, Data, below};
use crate::peers::ingest::BATCH;
use crate::peers::peer::{Cell, Peer, Record, Role, Write};
use crate::peers::report::{Figure, Line, Report, Target};
use crate::peers::timing::{Latency, Times, nanos};
use crate::peers::{Args, load_into};

/// For how long the two run beside one another.
const LENGTH: Duration = Duration::from_secs(6);

fn value(entity: u32, feature: u16, time: i64) -> f64 {
    (mix(time.cast_unsigned() ^ u64::from(entity) << 20 ^ u64::from(feature)) >> 44) as f64 / 100.0
}

/// Writes batches from a round on for a while: records a second.
fn write(
    peer: &dyn Peer,
    data: &Data,
    from: u64,
    is_over: &dyn Fn(Duration) -> bool,
) -> Outcome<f64> {
    let (begun, mut n, end) = (Instant::now(), from, data.size.span().1);
    let mut batch = Vec::with_capacity(BATCH);
    while !is_over(begun.elapsed()) {
        batch.clear();
        for _ in 0..BATCH {
            n += 1;
            let entity = below(mix(n), data.size.entities);
            let feature = below(mix(n ^ 0xf), u32::from(data.size.features));
            let feature = u16::try_from(feature).unwrap_or_default();
            let time = end + n.cast_signed();
            batch.push(Record { time, value: value(entity, feature, time), entity, feature });
        }
        peer.write(&batch, Write::default())?;
    }
    Ok((n - from) as f64 / begun.elapsed().as_secs_f64())
}

/// Reads rows for a while; each must be of the data or of the writer.
fn read(
    peer: &dyn Peer,
    data: &Data,
    asks: &[Ask],
    is_over: &dyn Fn(Duration) -> bool,
) -> Outcome<Latency> {
    let (begun, mut times) = (Instant::now(), Times::default());
    let mut reader = peer.reader()?;
    let mut cells = vec![Cell::MISSING; usize::from(data.size.features)];
    for ask in asks.iter().cycle() {
        let called = Instant::now();
        reader.latest_row(ask.entity, &mut cells)?;
        times.push(called);
        for (feature, cell) in (0..).zip(&cells) {
            let expected = if cell.time < data.size.span().1 {
                data.as_of(ask.entity, feature, i64::MAX)
            } else {
                Cell { time: cell.time, value: value(ask.entity, feature, cell.time) }
            };
            if *cell != expected {
                return Err(format!("{ask:?}: {cell:?}, not {expected:?}").into());
            }
        }
        if times.len() % 64 == 0 && is_over(begun.elapsed()) {
            break;
        }
    }
    Ok(Latency { p50: times.at(0.5), p99: times.at(0.99), p999: times.at(0.999), block: 0.0 })
}

/// Each alone, then both.
pub fn run(args: &Args, dir: &Path, data: &Data, report: &mut Report) -> Outcome<()> {
    if !args.wants("mixed") {
        return Ok(());
    }
    let asks = data.asks(args.asks, 21, None);
    let mut reader = Line::new("latest row of 20 beside a writer at full speed (A)", Target::None);
    let mut writer = Line::new("that writer", Target::NoneButMore);
    for entrant in args.entrants().into_iter().filter(|entrant| entrant.role != Role::Floor) {
        let own = dir.join(format!("mixed-{}", entrant.name));
        let (stores, _) = load_into(&[entrant], &own, data, 0, 1)?;
        let peer = &*stores[0].peer;
        let timed = |elapsed| elapsed >= LENGTH / 2;
        let idle = read(peer, data, &asks, &timed)?;
        let alone = write(peer, data, 0, &timed)?;
        let ended = AtomicBool::new(false);
        let (busy, beside) = std::thread::scope(|scope| -> Outcome<_> {
            let work = scope.spawn(|| {
                let rate = write(peer, data, 1 << 32, &|elapsed| elapsed >= LENGTH);
                ended.store(true, Ordering::Relaxed);
                rate.map_err(|error| error.to_string())
            });
            let busy = read(peer, data, &asks, &|_| ended.load(Ordering::Relaxed))?;
            Ok((busy, work.join().map_err(|_| "the writer panicked")??))
        })?;
        let [p50, p99, p999] = [busy.p50, busy.p99, busy.p999].map(nanos);
        let times = [busy.p50 / idle.p50, busy.p99 / idle.p99];
        let text = format!("{p50} / {p99} / {p999} = {:.2} × / {:.2} × idle", times[0], times[1]);
        let (name, role) = (entrant.name, entrant.role);
        reader.figures.push(Figure { name, role, figure: busy.p50, text });
        let text = format!("{:.0} k/s, alone {:.0} k/s", beside / 1e3, alone / 1e3);
        writer.figures.push(Figure { name, role, figure: beside, text });
        if role == Role::Ours {
            reader.also.push(("p50 ≤ 2 × idle".to_owned(), times[0] <= 2.0));
            reader.also.push(("p99 ≤ 5 × idle".to_owned(), times[1] <= 5.0));
            reader.also.push(("p99.9 < 1 ms".to_owned(), busy.p999 < 1e6));
            writer.also.push(("≥ 0.8 × alone".to_owned(), beside >= 0.8 * alone));
        }
        stores.into_iter().try_for_each(|store| store.peer.close())?;
    }
    report.add(reader);
    report.add(writer);
    Ok(())
}
