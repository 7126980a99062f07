//! Writers at full speed into a large store, beside readers: whether memory stays within what the
//! options allow, how long writers are held up, and how long reads take meanwhile.

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use asofdb::{Batch, Durability, EventTime, Feature, FeatureSpec, Options, Read, Store, ValueType};

use crate::Outcome;
use crate::data::mix;
use crate::times::Times;

/// Entities of a batch.
const BATCH: u64 = 250;

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
    /// How many writers there are.
    #[arg(long, default_value_t = 2)]
    writers: usize,
    /// Bytes of a memtable.
    #[arg(long, default_value_t = 64 << 20)]
    memtable_bytes: usize,
}

/// What writers and the reader share.
struct Run<'r> {
    store: &'r Store,
    features: &'r [Feature],
    size: Size,
    /// The event time of the first version of everything; the n-th round adds its number.
    started: i64,
    loaded: Barrier,
    ended: AtomicBool,
    written: AtomicU64,
}

impl Run<'_> {
    /// Writes entities in a round; whatever that tells of one follows from both.
    fn batch(&self, entities: impl Iterator<Item = u64>, round: u64) -> Outcome<()> {
        let mut batch = Batch::new();
        let at = EventTime(self.started + round.cast_signed());
        for entity in entities {
            let key = mix(entity).to_le_bytes();
            for (index, feature) in (0u64..).zip(self.features) {
                batch.put_id(key, feature.id, at, value(entity, index, round));
            }
        }
        self.store.write(batch, Durability::Buffered)?;
        Ok(())
    }

    /// A writer's part: one version of everything first, then rounds over all entities, in an order
    /// of its own each. How long the slowest batch took after the first.
    fn write(&self, writer: u64) -> Outcome<Duration> {
        let (all, step) = (self.size.entities, BATCH * self.size.writers as u64);
        let mut first = writer * BATCH;
        let mut loaded = Ok(());
        while first < all && loaded.is_ok() {
            loaded = self.batch(first..all.min(first + BATCH), 0);
            first += step;
        }
        self.loaded.wait();
        loaded?;
        let (begun, length) = (Instant::now(), Duration::from_secs(self.size.seconds));
        let mut slowest = Duration::ZERO;
        let mut first = writer * BATCH;
        while begun.elapsed() < length {
            let round = 1 + first / all;
            let from = Instant::now();
            self.batch((first..first + BATCH).map(|n| mix(n ^ (round << 40)) % all), round)?;
            slowest = slowest.max(from.elapsed());
            self.written.fetch_add(BATCH * self.size.features, Ordering::Relaxed);
            first += step;
        }
        Ok(slowest)
    }

    /// Reads rows until writers end, a few thousand a second: how long they took.
    fn read(&self) -> Outcome<Times> {
        self.loaded.wait();
        let selection = self.store.select_all();
        let mut times = Times::default();
        let mut n = 0u64;
        while !self.ended.load(Ordering::Relaxed) {
            n += 1;
            let entity = mix(n) % self.size.entities;
            let key = mix(entity).to_le_bytes();
            let from = Instant::now();
            let row = self.store.read_row(key, &selection, &Read::latest())?;
            times.add(from.elapsed());
            // Whichever round it is of, its event time tells its value.
            for (index, answer) in (0u64..).zip(&row.answers) {
                let round = answer.event_time().map(|at| (at.0 - self.started).unsigned_abs());
                let expected = round.map(|round| value(entity, index, round));
                if answer.as_i64() != expected || expected.is_none() {
                    return Err(format!("entity {entity}: {answer:?}").into());
                }
            }
            std::thread::park_timeout(Duration::from_micros(100));
        }
        Ok(times)
    }
}

/// The value of the n-th write of an entity's feature.
fn value(entity: u64, feature: u64, n: u64) -> i64 {
    (mix(entity ^ (feature << 32)) >> 20).cast_signed() + n.cast_signed()
}

/// Runs it and prints its figures; an error if an answer is wrong.
pub fn run(dir: &Path, size: Size) -> Outcome<()> {
    let options = Options::new().memtable_bytes(size.memtable_bytes);
    let (budget, before) = (options.memory_budget(), Memory::now());
    let store = Store::open(dir, options)?;
    let mut features = Vec::new();
    for feature in 0..size.features {
        features.push(store.define(FeatureSpec::new(format!("w:f{feature}"), ValueType::I64))?);
    }
    let run = Run {
        store: &store,
        features: &features,
        size,
        started: store.now().0,
        loaded: Barrier::new(size.writers + 2),
        ended: AtomicBool::new(false),
        written: AtomicU64::new(0),
    };
    let mut peak = Memory::default();
    let mut begun = Instant::now();
    let (slowest_write, reads) = std::thread::scope(|scope| -> Outcome<_> {
        let writers: Vec<_> = (0..size.writers)
            .map(|n| {
                scope.spawn({
                    let run = &run;
                    move || run.write(n as u64).map_err(|error| error.to_string())
                })
            })
            .collect();
        let reader = scope.spawn(|| run.read().map_err(|error| error.to_string()));
        let watch = scope.spawn(|| {
            let mut peak = Memory::default();
            while !run.ended.load(Ordering::Relaxed) {
                std::thread::park_timeout(Duration::from_millis(100));
                peak = peak.max(Memory::now());
            }
            peak
        });
        run.loaded.wait();
        println!("{} entities loaded in {:.0?}", size.entities, begun.elapsed());
        begun = Instant::now();
        let took: Vec<_> = writers.into_iter().map(ScopedJoinHandle::join).collect();
        run.ended.store(true, Ordering::Relaxed);
        peak = watch.join().map_err(|_| "the watch panicked")?;
        let reads = reader.join().map_err(|_| "the reader panicked")??;
        let mut slowest = Duration::ZERO;
        for took in took {
            slowest = slowest.max(took.map_err(|_| "a writer panicked")??);
        }
        Ok((slowest, reads))
    })?;
    let took = begun.elapsed().as_secs_f64();
    let metrics = store.metrics();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = run.written.load(Ordering::Relaxed) as f64 / took;
    println!(
        "{rate:.0} records/s for {took:.0} s; the slowest batch of {} took {slowest_write:?}",
        BATCH * size.features
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
        reads.count(),
        size.features,
        reads.at(500),
        reads.at(990),
        reads.at(999),
        reads.longest()
    );
    println!(
        "memory at its peak: {} MB that are no files, of which {} before there was a store; {} MB of \
         mapped files; the options allow {} MB",
        peak.anonymous >> 20,
        before.anonymous >> 20,
        peak.files >> 20,
        budget >> 20
    );
    println!(
        "write amplification {:.2}; {} bytes of tables",
        metrics.write_amplification().unwrap_or_default(),
        metrics.table_bytes()
    );
    store.close()?;
    if peak.anonymous > before.anonymous + budget {
        return Err("the store took more memory than its options allow".into());
    }
    Ok(())
}

/// What the process holds in memory, in bytes; 0 where the system does not tell.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    anonymous: u64,
    files: u64,
}

impl Memory {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let of = |name: &str| {
            let told = status.lines().find_map(|line| line.strip_prefix(name));
            let told = told.and_then(|told| told.trim().strip_suffix("kB")?.trim().parse().ok());
            told.unwrap_or(0u64) * 1024
        };
        Self { anonymous: of("RssAnon:"), files: of("RssFile:") }
    }

    fn max(self, other: Self) -> Self {
        let anonymous = self.anonymous.max(other.anonymous);
        Self { anonymous, files: self.files.max(other.files) }
    }
}
