//! Durable batches of 20 records: each is on the disk when it is acknowledged, by fdatasync for
//! everybody.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::data::mix;
use crate::peers::Args;
use crate::peers::ingest::open;
use crate::peers::peer::{Cell, Peer, Record, Role, Setup, Write};
use crate::peers::report::{Figure, Line, Report, Target};
use crate::peers::timing::{Times, nanos};

/// Records a batch.
const BATCH: u64 = 20;

/// For how long threads write.
const LENGTH: Duration = Duration::from_secs(4);

/// Entities, each with features of the number of a batch.
const ENTITIES: u64 = 50_000;

/// The n-th batch of a thread: an entity's features, each batch newer than those before it.
fn batch(thread: u64, n: u64) -> Vec<Record> {
    let drawn = mix(thread << 32 | n);
    // Each thread has entities of its own: what is the newest is then known.
    let entity = u32::try_from(drawn % (ENTITIES / 8) * 8 + thread % 8).unwrap_or_default();
    let record = |feature: u16| {
        let time = 1_700_000_000_000_000 + n.cast_signed() * 1_000_000;
        let value = (drawn >> 40) as f64 / 100.0 + f64::from(feature);
        Record { time, value, entity, feature }
    };
    (0..20).map(record).collect()
}

fn write(peer: &dyn Peer, thread: u64) -> Outcome<Times> {
    let (mut times, from) = (Times::default(), Instant::now());
    for n in 0.. {
        let batch = batch(thread, n);
        let begun = Instant::now();
        peer.write(&batch, Write { may_be_late: false, synced: true })?;
        times.push(begun);
        if from.elapsed() >= LENGTH {
            break;
        }
    }
    Ok(times)
}

/// The newest versions of what the threads wrote, each so many batches, read again.
fn check(peer: &dyn Peer, name: &str, written: &[usize]) -> Outcome<()> {
    let mut reader = peer.reader()?;
    for (thread, count) in (0..).zip(written) {
        let mut newest = std::collections::HashMap::new();
        for n in 0..*count as u64 {
            let batch = batch(thread, n);
            newest.insert(batch[0].entity, batch);
        }
        for (entity, batch) in newest {
            let mut cells = [Cell::MISSING; 20];
            reader.latest_row(entity, &mut cells)?;
            let is_it = |(cell, record): (&Cell, &Record)| {
                cell.time == record.time && cell.value == record.value
            };
            if !cells.iter().zip(&batch).all(is_it) {
                return Err(format!("{name}: a durable batch is not there: {cells:?}").into());
            }
        }
    }
    Ok(())
}

/// Batches of one thread, and of eight.
pub fn run(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants("durable") {
        return Ok(());
    }
    let setup = Setup { features: 20, records: 1_000_000, synced: true, ..Setup::default() };
    let mut lines = [
        ("durable batches of 20, one thread: a batch", Target::AtMost(1.0)),
        ("durable batches of 20, eight threads: batches", Target::NoneButMore),
    ]
    .map(|(title, target)| Line::new(title, target));
    for entrant in args.entrants().into_iter().filter(|entrant| entrant.role != Role::Floor) {
        let mut single = 0.0;
        for (threads, line) in [1u64, 8].into_iter().zip(&mut lines) {
            let peer = open(&entrant, &dir.join(format!("durable-{threads}")), setup)?;
            let begun = Instant::now();
            let mut times = Vec::new();
            std::thread::scope(|scope| -> Outcome<()> {
                let work: Vec<_> = (0..threads)
                    .map(|thread| {
                        let peer = &*peer;
                        scope.spawn(move || write(peer, thread).map_err(|error| error.to_string()))
                    })
                    .collect();
                for work in work {
                    times.push(work.join().map_err(|_| "a writer panicked")??);
                }
                Ok(())
            })?;
            let written: Vec<usize> = times.iter().map(Times::len).collect();
            let batches: usize = written.iter().sum();
            let rate = batches as f64 / begun.elapsed().as_secs_f64();
            check(&*peer, entrant.name, &written)?;
            let [p50, p99] = times.first_mut().map_or([0.0; 2], |t| [t.at(0.5), t.at(0.99)]);
            let figure = if threads == 1 { p50 } else { rate };
            let text = format!("{} / {} ({rate:.0} batches/s)", nanos(p50), nanos(p99));
            line.figures.push(Figure { name: entrant.name, role: entrant.role, figure, text });
            if threads == 1 {
                single = rate;
            } else if entrant.role == Role::Ours {
                let what = format!("≥ 4 × one thread ({:.2} ×)", rate / single);
                line.also.push((what, rate >= 4.0 * single));
            }
            peer.close()?;
        }
    }
    println!("a batch has {BATCH} records of one entity");
    lines.into_iter().for_each(|line| report.add(line));
    Ok(())
}
