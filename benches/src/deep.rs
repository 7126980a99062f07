//! What the depth of a history costs: how much compaction rewrites while a deep store goes on
//! growing, and how fast its latest rows are beside those of a store without any history.
//!
//! Background work is stepped, so that all that is due is done between two hours.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use asofdb::world::World;
use asofdb::world::clock::ManualClock;
use asofdb::world::disk::RealDisk;
use asofdb::world::scheduler::Manual;
use asofdb::{EventTime, FeatureId, Options, Read, Selection, Span, Store};

use crate::Outcome;
use crate::data::{HOUR, Shape, define, mix, write_version};

/// A store under a clock and a scheduler that are stepped.
struct Stepped {
    store: Store,
    clock: Arc<ManualClock>,
    scheduler: Arc<Manual>,
    ids: Vec<FeatureId>,
    selection: Selection,
}

impl Stepped {
    fn open(dir: &Path, shape: Shape, memtable_bytes: usize) -> Outcome<Self> {
        let clock = Arc::new(ManualClock::new(EventTime(shape.start)));
        let scheduler = Arc::new(Manual::new());
        let world =
            World { disk: Arc::new(RealDisk), clock: clock.clone(), scheduler: scheduler.clone() };
        let options = Options::new().world(world).memtable_bytes(memtable_bytes);
        let store = Store::open(dir, options)?;
        let ids = define(&store, shape)?;
        let names: Vec<String> = (0..shape.features).map(|n| format!("a:f{n}")).collect();
        let selection = store.select(&names)?;
        Ok(Self { store, clock, scheduler, ids, selection })
    }

    /// Writes one version of everything, in its hour.
    fn write(&self, shape: Shape, version: u64) -> Outcome<()> {
        self.clock.set(EventTime(shape.start + version.cast_signed() * HOUR));
        write_version(&self.store, &self.ids, shape, version, 1_000)?;
        let next = shape.start + (version + 1).cast_signed() * HOUR;
        self.clock.set(EventTime(next));
        self.clock.run(Span::from_micros(HOUR).ok_or("an hour")?);
        self.scheduler.step_all();
        Ok(())
    }

    /// The middle time of a latest row of many; each is held against the generator.
    fn latest_rows(&self, shape: Shape, rounds: u64) -> Outcome<Duration> {
        let mut times = Vec::with_capacity(usize::try_from(rounds)?);
        for n in 0..rounds {
            let entity = mix(n) % shape.entities;
            let key = shape.entity(entity);
            let begun = Instant::now();
            let row = self.store.read_row(key, &self.selection, &Read::latest())?;
            times.push(begun.elapsed());
            let feature = n % shape.features;
            let found = row.answers.get(usize::try_from(feature)?).and_then(|a| a.as_f64());
            let expected = shape.value(entity, feature, shape.versions - 1);
            if found != Some(expected) {
                return Err(format!("entity {entity}, feature {feature}: {found:?}").into());
            }
        }
        times.sort_unstable();
        Ok(times.get(times.len() / 2).copied().unwrap_or_default())
    }
}

/// Runs it and prints its figures; an error if an answer is wrong.
pub fn run(dir: &Path, shape: Shape, memtable_bytes: usize) -> Outcome<()> {
    let deep = Stepped::open(&dir.join("deep"), shape, memtable_bytes)?;
    let first = shape.versions * 9 / 10;
    for version in 0..first {
        deep.write(shape, version)?;
    }
    deep.store.compact()?;
    let before = deep.store.metrics();
    for version in first..shape.versions {
        deep.write(shape, version)?;
    }
    let after = deep.store.metrics();
    let appended = after.writes.log_bytes - before.writes.log_bytes;
    let flushed = after.flushes.bytes - before.flushes.bytes;
    let rewritten = after.compactions.bytes_written - before.compactions.bytes_written;
    let stats = deep.store.stats();
    #[expect(clippy::cast_precision_loss, reason = "ratios")]
    let ratio = |a: u64, b: u64| a as f64 / b.max(1) as f64;
    println!(
        "{} records; while the last {} came: {appended} bytes logged, {flushed} flushed, {rewritten} \
         rewritten by compaction: {:.2} x what was logged, {:.2} x what was flushed",
        shape.records(),
        shape.records() / shape.versions * (shape.versions - first),
        ratio(rewritten, appended),
        ratio(rewritten, flushed),
    );
    println!(
        "{} bytes of tables: {} recent, {} present, {} runs of the past",
        stats.table_bytes, stats.recent_tables, stats.present_tables, stats.past_runs
    );
    deep.store.flush()?;
    deep.scheduler.step_all();
    let flat = Stepped::open(&dir.join("flat"), shape, memtable_bytes)?;
    flat.write(shape, shape.versions - 1)?;
    flat.store.compact()?;
    // In turns, so that a busy machine is busy for both.
    let mut rounds = Vec::new();
    for _ in 0..9 {
        let (a, b) = (deep.latest_rows(shape, 20_000)?, flat.latest_rows(shape, 20_000)?);
        rounds.push((a.as_secs_f64() / b.as_secs_f64(), a, b));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, a, b) = rounds.get(rounds.len() / 2).copied().ok_or("a round")?;
    println!(
        "latest row of {} features: p50 {a:?} beside a deep history, {b:?} without any: {ratio:.2} x",
        shape.features
    );
    deep.store.close()?;
    flat.store.close()?;
    Ok(())
}
