//! Writers at full speed into a large store, beside readers: whether memory stays within what the
//! options allow, how long writers are held up, and how long reads take meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Read, Store, ValueType};

use crate::Outcome;
use crate::data::mix;

/// How large a run is.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Size {
    /// How many entities.
    #[arg(long, default_value_t = 3_000_000)]
    entities: u64,
    /// How many features each has.
    #[arg(long, default_value_t = 4)]
    features: u64,
    /// For how long writers run, in seconds.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Bytes of a memtable.
    #[arg(long, default_value_t = 64 << 20)]
    memtable_bytes: usize,
}

/// The value of the n-th write of an entity's feature.
fn value(entity: u64, feature: u64, n: u64) -> i64 {
    (mix(entity ^ (feature << 32)) >> 20).cast_signed() + n.cast_signed()
}

/// Runs it and prints its figures; an error if an answer is wrong.
pub fn run(dir: &Path, size: Size) -> Outcome<()> {
    let options = Options::new().memtable_bytes(size.memtable_bytes);
    let budget = size.memtable_bytes as u64 * (options.max_sealed_memtables as u64 + 1);
    let store = Store::open(dir, options)?;
    let mut features = Vec::new();
    for feature in 0..size.features {
        features.push(store.define(FeatureSpec::new(format!("w:f{feature}"), ValueType::I64))?);
    }
    // Everybody has one version of everything first: the n-th round writes its number.
    let started = store.now().0;
    let begun = Instant::now();
    let write = |entities: std::ops::Range<u64>, round: u64| -> Outcome<()> {
        let mut batch = Batch::new();
        for n in entities {
            // A round goes over all entities, in an order of its own.
            let entity = mix(n ^ (round << 40)) % size.entities;
            let at = EventTime(started + round.cast_signed());
            for (index, feature) in (0u64..).zip(&features) {
                let key = mix(entity).to_le_bytes();
                batch.put_id(key, feature.id, at, value(entity, index, round));
            }
        }
        store.write(batch, Durability::Buffered)?;
        Ok(())
    };
    let mut batch = Batch::new();
    for entity in 0..size.entities {
        for (index, feature) in (0u64..).zip(&features) {
            let key = mix(entity).to_le_bytes();
            batch.put_id(key, feature.id, EventTime(started), value(entity, index, 0));
        }
        if batch.len() >= 1_000 {
            store.write(std::mem::take(&mut batch), Durability::Buffered)?;
        }
    }
    store.write(batch, Durability::Synced)?;
    println!("{} entities loaded in {:.0?}", size.entities, begun.elapsed());
    let (ended, written) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
    let begun = Instant::now();
    let length = Duration::from_secs(size.seconds);
    let mut peak = 0;
    let (slowest_write, reads) = std::thread::scope(|scope| -> Outcome<_> {
        let writer = scope.spawn(|| -> Result<Duration, String> {
            let mut slowest = Duration::ZERO;
            let mut n = 0;
            while begun.elapsed() < length {
                let round = 1 + n / size.entities;
                let next = n + 250;
                let from = Instant::now();
                write(n..next, round).map_err(|error| error.to_string())?;
                slowest = slowest.max(from.elapsed());
                written.fetch_add(250 * size.features, Ordering::Relaxed);
                n = next;
            }
            ended.store(true, Ordering::Relaxed);
            Ok(slowest)
        });
        let reader = scope.spawn(|| -> Result<Vec<u32>, String> {
            let selection = store.select_all();
            let mut times = Vec::new();
            let mut n = 0u64;
            while !ended.load(Ordering::Relaxed) {
                n += 1;
                let entity = mix(n) % size.entities;
                let key = mix(entity).to_le_bytes();
                let from = Instant::now();
                let row = store.read_row(key, &selection, &Read::latest());
                let row = row.map_err(|error| error.to_string())?;
                times.push(u32::try_from(from.elapsed().as_nanos()).unwrap_or(u32::MAX));
                // Whichever round it is of, its event time tells its value.
                for (index, answer) in (0u64..).zip(&row.answers) {
                    let round = answer.event_time().map(|at| (at.0 - started).unsigned_abs());
                    let expected = round.map(|round| value(entity, index, round));
                    if answer.as_i64() != expected || expected.is_none() {
                        return Err(format!("entity {entity}: {answer:?}"));
                    }
                }
                std::thread::yield_now();
            }
            Ok(times)
        });
        while !ended.load(Ordering::Relaxed) && !writer.is_finished() {
            std::thread::park_timeout(Duration::from_millis(200));
            peak = peak.max(anonymous_bytes());
        }
        ended.store(true, Ordering::Relaxed);
        let slowest = writer.join().map_err(|_| "the writer panicked")??;
        let reads = reader.join().map_err(|_| "the reader panicked")??;
        Ok((slowest, reads))
    })?;
    let took = begun.elapsed().as_secs_f64();
    let metrics = store.metrics();
    let mut reads = reads;
    reads.sort_unstable();
    let at = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let place = ((reads.len() as f64 - 1.0) * part) as usize;
        Duration::from_nanos(u64::from(reads.get(place).copied().unwrap_or_default()))
    };
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = written.load(Ordering::Relaxed) as f64 / took;
    println!(
        "{rate:.0} records/s for {took:.0} s; the slowest batch of 1,000 took {slowest_write:?}"
    );
    println!(
        "{} waits, the longest {} µs; {} writes slowed, the longest {} µs",
        metrics.stalls.stalls,
        metrics.stalls.micros.max(),
        metrics.stalls.slowed_micros.count(),
        metrics.stalls.slowed_micros.max()
    );
    println!(
        "{} latest rows of {} features meanwhile: p50 {:?}, p99 {:?}, p99.9 {:?}, the longest {:?}",
        reads.len(),
        size.features,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    println!(
        "memory that is not files, at its peak: {} MB; memtables may have {} MB",
        peak >> 20,
        budget >> 20
    );
    println!(
        "write amplification {:.2}; {} bytes of tables",
        metrics.write_amplification().unwrap_or_default(),
        metrics.table_bytes()
    );
    store.close()?;
    Ok(())
}

/// What the process holds that is no file; 0 where that is not told.
fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    kilobytes.unwrap_or(0u64) * 1024
}
