//! late-p: deep histories of which a share comes late, up to seven days, and some series in one backfill
//! of their last thirty days.
//!
//! As-of rows are timed right after the last record, with nothing at rest, and again when all is. Of ours
//! it is told how many sources a lookup visits; and a store of its own, in which each record says when it
//! became known, is asked what was known at the moment itself, of which the others cannot tell, row by
//! row and in joins.

use std::path::Path;
use std::time::{Duration, Instant};

use asofdb::{
    Batch, Durability, EventTime, FeatureSpec, JoinOptions, KnownTime, Options, Read, RowReader,
    Selection, Span, Status, Store, ValueType,
};

use crate::Outcome;
use crate::data::{HOUR, mix};
use crate::peers::Args;
use crate::peers::dataset::{Ask, Data, Size, Zipf, normal};
use crate::peers::ingest::BATCH;
use crate::peers::peer::{Cell, Record, Role, Setup, Write};
use crate::peers::reads::{self, Kind, Loaded};
use crate::peers::report::{Figure, Line, Report, Target};
use crate::peers::timing::{Times, nanos};

/// Thirty-three days of hours.
const SIZE: Size = Size { entities: 500, features: 10, versions: 800, shared_times: false };

const DAY: i64 = 24 * HOUR;

/// How many of ten thousand records come late.
const SHARES: [u64; 4] = [10, 100, 500, 2_000];

/// Of so many joins the fastest is told.
const JOINS: usize = 3;

/// One series in so many is filled in at the end.
const BACKFILLED: u64 = 20;

/// How much later than it became true a record comes.
fn delay(data: &Data, place: usize, time: i64, share: u64) -> i64 {
    let end = data.size.span().1;
    let series = mix((place / data.size.versions as usize) as u64 ^ 0xbacf);
    if series.is_multiple_of(BACKFILLED) && end - time <= 30 * DAY {
        // All of it behind the last of the others, in the order of time.
        return end + 7 * DAY - time + (time - (end - 30 * DAY)) / 1_000;
    }
    let drawn = mix(place as u64 ^ 0x1a7e);
    if drawn % 10_000 >= share { 0 } else { long_tailed(mix(drawn)) }
}

/// A delay drawn from a lognormal distribution about six hours, at most seven days.
fn long_tailed(drawn: u64) -> i64 {
    let hours = (6f64.ln() + 1.5 * normal(drawn)).exp().min(7.0 * 24.0);
    #[expect(clippy::cast_possible_truncation, reason = "a delay")]
    let delay = (hours * HOUR as f64) as i64;
    delay
}

/// Times every share of late records.
pub fn run(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants("late-p") {
        return Ok(());
    }
    let data = Data::new(SIZE.scaled(args.scale));
    let zipf = Zipf::new(data.size.entities, 0.99);
    let asks = data.asks(args.asks, 31, Some(&zipf));
    for share in SHARES {
        let arrivals = data.arrivals_after(|place, time| delay(&data, place, time, share));
        let name = format!("{} % late", share as f64 / 100.0);
        let own = dir.join(format!("late-{share}"));
        beside_others(args, &own, &data, &arrivals, &asks, &name, report)?;
        as_known(&own, &data, &arrivals, &asks, &name)?;
    }
    Ok(())
}

/// As-of rows of all who take part.
fn beside_others(
    args: &Args,
    dir: &Path,
    data: &Data,
    arrivals: &[(i64, Record)],
    asks: &[Ask],
    name: &str,
    report: &mut Report,
) -> Outcome<()> {
    let (features, records) = (data.size.features, data.size.records());
    let setup = Setup { features, records, ..Setup::default() };
    let mut lines = ["right after the last record", "at rest"].map(|when| {
        let title = format!("late-p: as-of row of {features}, Zipf 0.99, {name}, {when}");
        Line::new(title, Target::None)
    });
    for entrant in args.entrants().into_iter().filter(|entrant| entrant.role != Role::Floor) {
        let store = [Loaded::open(entrant, dir, setup)?];
        let peer = &*store[0].peer;
        let mut batch = Vec::with_capacity(BATCH);
        for arrivals in arrivals.chunks(BATCH) {
            batch.clear();
            batch.extend(arrivals.iter().map(|(_, record)| *record));
            peer.write(&batch, Write { may_be_late: true, synced: false })?;
        }
        for (line, is_at_rest) in lines.iter_mut().zip([false, true]) {
            if is_at_rest {
                peer.settle()?;
            }
            let before = peer.visits();
            let (latency, plan) = reads::measure(&store, data, Kind::AsOfRow, asks, 1)?[0];
            let visits = before.zip(peer.visits()).map(|((visited, lookups), now)| {
                format!(", {:.2} sources a lookup", (now.0 - visited) / (now.1 - lookups))
            });
            let text = reads::text(&latency, plan) + &visits.unwrap_or_default();
            let (name, role) = (entrant.name, entrant.role);
            line.figures.push(Figure { name, role, figure: latency.p50, text });
        }
        store.into_iter().try_for_each(|store| store.peer.close())?;
    }
    lines.into_iter().for_each(|line| report.add(line));
    Ok(())
}

/// As-of rows of a store of ours whose records say when they became known, without and with the moment
/// itself as the limit of what was known.
fn as_known(
    dir: &Path,
    data: &Data,
    arrivals: &[(i64, Record)],
    asks: &[Ask],
    name: &str,
) -> Outcome<()> {
    let store = Store::open(dir.join("known"), Options::new())?;
    let names: Vec<String> = (0..data.size.features).map(|n| format!("a:f{n}")).collect();
    for name in &names {
        store.define(FeatureSpec::new(name, ValueType::F64))?;
    }
    let selection = store.select(&names)?;
    let ids: Vec<_> = selection.features().iter().map(|feature| feature.id).collect();
    let mut known = vec![0; usize::try_from(data.size.records())?];
    for arrivals in arrivals.chunks(BATCH) {
        let mut batch = Batch::new();
        for (arrival, record) in arrivals {
            let id = ids[usize::from(record.feature)];
            let entity = u64::from(record.entity).to_be_bytes();
            batch.put_id(entity, id, EventTime(record.time), record.value);
            batch.known(KnownTime(*arrival));
            known[data.place(record.entity, record.feature, record.time)] = *arrival;
        }
        store.write(batch, Durability::Buffered)?;
    }
    for is_at_rest in [false, true] {
        if is_at_rest {
            store.compact()?;
        }
        let mut told = Vec::new();
        for is_known_then in [false, true] {
            let before = store.metrics().reads;
            let mut reader = store.reader(&selection)?;
            let mut times = Times::default();
            for ask in asks {
                let read = Read::as_of(EventTime(ask.t));
                let read = if is_known_then { read.known_at(KnownTime(ask.t)) } else { read };
                let begun = Instant::now();
                reader.read(u64::from(ask.entity).to_be_bytes(), &read)?;
                times.push(begun);
                check(&mut reader, data, &known, *ask, is_known_then, &read)?;
            }
            let after = store.metrics().reads;
            let visited = (after.sources_visited - before.sources_visited) as f64;
            told.push(format!(
                "{} / {}, {:.2} sources a lookup",
                nanos(times.at(0.5)),
                nanos(times.at(0.99)),
                visited / (after.lookups - before.lookups) as f64
            ));
        }
        let when = if is_at_rest { "at rest" } else { "right after the last record" };
        println!("late-p: {name}, known times of their own, {when}");
        println!("    as of t {}; as known at t {}", told[0], told[1]);
        let joined = |is_known_then| join(&store, &selection, data, &known, asks, is_known_then);
        let (of_all, of_known) = (joined(false)?, joined(true)?);
        println!("    joins of these: {of_all:.1} M cells/s; as known at each row {of_known:.1}");
    }
    Ok(store.close()?)
}

/// A million answers a second of a join on one thread, in the fastest of some rounds.
fn join(
    store: &Store,
    selection: &Selection,
    data: &Data,
    known: &[i64],
    asks: &[Ask],
    is_known_then: bool,
) -> Outcome<f64> {
    let options = JoinOptions::new().threads(1);
    let options = if is_known_then { options.known_at_row(Span::ZERO) } else { options };
    let joiner = store.joiner(selection, options)?;
    let row = |ask: &Ask| Some((u64::from(ask.entity).to_be_bytes(), EventTime(ask.t)));
    let spine: Vec<_> = asks.iter().map(row).collect();
    let mut fastest = Duration::MAX;
    for _ in 0..JOINS {
        let begun = Instant::now();
        let joined = joiner.join(&spine)?;
        fastest = fastest.min(begun.elapsed());
        for feature in 0..data.size.features {
            let column = joined.column(usize::from(feature)).ok_or("a column is missing")?;
            for (row, ask) in asks.iter().enumerate() {
                let found = column.event_time(row).map_or(Cell::MISSING, |time| Cell {
                    time: time.0,
                    value: f64::from_bits(column.bits()[row]),
                });
                same(data, known, (*ask, feature), is_known_then, found)?;
            }
        }
    }
    let cells = asks.len() as f64 * f64::from(data.size.features);
    Ok(cells / fastest.as_secs_f64() / 1e6)
}

/// Holds a row against what the generator says of it.
fn check(
    reader: &mut RowReader,
    data: &Data,
    known: &[i64],
    ask: Ask,
    is_known_then: bool,
    read: &Read,
) -> Outcome<()> {
    let cells = reader.read(u64::from(ask.entity).to_be_bytes(), read)?;
    for feature in 0..data.size.features {
        let at = usize::from(feature);
        let found = match cells.statuses()[at] {
            Status::Value => {
                Cell { time: cells.event_times()[at], value: f64::from_bits(cells.bits()[at]) }
            }
            _ => Cell::MISSING,
        };
        same(data, known, (ask, feature), is_known_then, found)?;
    }
    Ok(())
}

/// Holds a cell against what the generator says of it.
fn same(
    data: &Data,
    known: &[i64],
    (ask, feature): (Ask, u16),
    is_known_then: bool,
    found: Cell,
) -> Outcome<()> {
    let expected = if is_known_then {
        data.newest(ask.entity, feature, |place, time| time <= ask.t && known[place] <= ask.t)
    } else {
        data.as_of(ask.entity, feature, ask.t)
    };
    if found == expected {
        return Ok(());
    }
    Err(format!("{ask:?}, feature {feature}: {found:?}, not {expected:?}").into())
}
