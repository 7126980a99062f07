//! Ninety days of a feature store in simulated time: hourly updates of which some come late, a
//! backfill in the middle, an erase a day, TTLs, and a horizon that follows the clock.
//!
//! The clock and the background work are stepped, the disk is real. Every answer follows from
//! (entity, feature, hour) and is told again without keeping it; at the end of each day a sample of
//! cells is read at random legal moments, with and without a known time, and held against that.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use asofdb::events::EventListener;
use asofdb::world::World;
use asofdb::world::clock::{Clock, ManualClock};
use asofdb::world::disk::RealDisk;
use asofdb::world::scheduler::Manual;
use asofdb::{
    Answer, Batch, Durability, EventTime, Feature, FeatureSpec, KnownTime, Options, Read, Span,
    Status, Store, ValueType,
};
use clap::Args;

use crate::Outcome;
use crate::causes::Causes;
use crate::data::{HOUR, mix};

const DAY: i64 = 24 * HOUR;

/// Values stay fresh for so long, of half of the features.
const TTL: i64 = DAY;

/// History is kept for so long.
const HISTORY: i64 = 7 * DAY;

/// The first hour, a whole one.
const START: i64 = 1_700_000_000_000_000 / HOUR * HOUR;

/// How large a run is.
#[derive(Args, Clone, Copy, Debug)]
pub struct Size {
    /// How many entities.
    #[arg(long, default_value_t = 5_000)]
    entities: u64,
    /// How many features each has.
    #[arg(long, default_value_t = 20)]
    features: u64,
    /// How many days.
    #[arg(long, default_value_t = 90)]
    days: u64,
    /// How many cells are checked at the end of each day.
    #[arg(long, default_value_t = 10_000)]
    sample: u64,
    /// How many updates of a hundred come late, by up to a day.
    #[arg(long, default_value_t = 5)]
    late: u64,
    /// How many days are written again, with other values, in the middle.
    #[arg(long, default_value_t = 30)]
    backfill: u64,
    /// After how many days an entity is erased; 0: none is.
    #[arg(long, default_value_t = 1)]
    erase_every: u64,
    /// Bytes of a memtable.
    #[arg(long, default_value_t = 16 << 20)]
    memtable_bytes: usize,
    /// Bytes of a table.
    #[arg(long, default_value_t = 64 << 20)]
    table_bytes: u64,
}

/// What was written, told by what it follows from.
struct Oracle {
    size: Size,
    /// The hour at whose end an entity was erased, by entity.
    erased: BTreeMap<u64, u64>,
    /// The hours that the backfill corrected, and the hour in which it came.
    backfill: Option<(u64, u64, u64)>,
}

impl Oracle {
    fn drawn(entity: u64, feature: u64, hour: u64, salt: u64) -> u64 {
        mix(entity ^ (feature << 24) ^ (hour << 32) ^ (salt << 56))
    }

    fn entity(entity: u64) -> [u8; 8] {
        mix(entity ^ 0x5eed).to_le_bytes()
    }

    /// Whether a feature of an entity has an update in an hour: some entities rest for three days.
    fn is_updated(entity: u64, hour: u64) -> bool {
        (entity + hour / 24) % 50 > 2
    }

    /// How many hours late an update comes, if it does.
    fn late(&self, entity: u64, feature: u64, hour: u64) -> u64 {
        let drawn = Self::drawn(entity, feature, hour, 1);
        if drawn % 100 < self.size.late { 1 + drawn / 100 % 24 } else { 0 }
    }

    fn event_time(entity: u64, feature: u64, hour: u64) -> i64 {
        let jitter = Self::drawn(entity, feature, hour, 2) % (HOUR / 2).unsigned_abs();
        START + hour.cast_signed() * HOUR + jitter.cast_signed()
    }

    fn value(entity: u64, feature: u64, hour: u64, corrected: bool) -> f64 {
        let cents = Self::drawn(entity, feature, hour, 3 + u64::from(corrected)) % 100_000;
        f64::from(u32::try_from(cents).unwrap_or_default()) / 100.0
    }

    /// Whether the backfill corrects a feature.
    fn is_corrected(feature: u64) -> bool {
        feature % 10 == 1
    }

    /// The newest version up to `t` that is stored by the end of the hour `now`, of what was known
    /// by the end of the hour `known`: its event time and value.
    fn answer(
        &self,
        entity: u64,
        feature: u64,
        t: i64,
        known: u64,
        now: u64,
    ) -> Option<(i64, f64)> {
        let last = u64::try_from((t - START) / HOUR).ok().filter(|_| t >= START)?;
        let erased = self.erased.get(&entity).copied();
        let stands = |came: u64| came <= known && came <= now && erased.is_none_or(|at| came > at);
        let horizon = (now + 1).saturating_sub(24 * 40);
        for hour in (horizon..=last).rev() {
            let event_time = Self::event_time(entity, feature, hour);
            if event_time > t || !Self::is_updated(entity, hour) {
                continue;
            }
            // Of the two revisions that a version may have, the one that came later stands.
            let first_came = Some(hour + self.late(entity, feature, hour)).filter(|c| stands(*c));
            let corrected = self.backfill.and_then(|(first, last, came)| {
                let is_of_it = Self::is_corrected(feature) && (first..=last).contains(&hour);
                (is_of_it && stands(came)).then_some(came)
            });
            if let Some(came) = first_came.max(corrected) {
                // The backfill is written behind the updates of its hour.
                let is_corrected = corrected == Some(came);
                return Some((event_time, Self::value(entity, feature, hour, is_corrected)));
            }
        }
        None
    }
}

/// What a run counts.
#[derive(Debug, Default)]
struct Counts {
    records: u64,
    cells: u64,
    by_status: BTreeMap<&'static str, u64>,
    worst_space: f64,
}

/// Runs it and prints its figures; an error if an answer is wrong.
pub fn run(dir: &Path, size: Size) -> Outcome<()> {
    let clock = Arc::new(ManualClock::new(EventTime(START)));
    let scheduler = Arc::new(Manual::new());
    let world =
        World { disk: Arc::new(RealDisk), clock: clock.clone(), scheduler: scheduler.clone() };
    let causes = Arc::new(Causes::default());
    let options = Options::new()
        .listener(Some(Arc::clone(&causes) as Arc<dyn EventListener>))
        .world(world)
        .memtable_bytes(size.memtable_bytes)
        .table_bytes(size.table_bytes);
    let store = Store::open(dir, options)?;
    let span = |micros| Span::from_micros(micros).ok_or("a span of time");
    let mut features = Vec::new();
    for feature in 0..size.features {
        let spec = FeatureSpec::new(format!("sim:f{feature}"), ValueType::F64);
        let spec = spec.history(span(HISTORY)?);
        let spec = if feature.is_multiple_of(2) { spec.ttl(span(TTL)?) } else { spec };
        features.push(store.define(spec)?);
    }
    let mut oracle = Oracle { size, erased: BTreeMap::new(), backfill: None };
    let mut counts = Counts::default();
    let begun = Instant::now();
    let mut live_bytes_each = 0.0;
    for hour in 0..size.days * 24 {
        write_hour(&store, &features, &oracle, hour, &mut counts)?;
        if hour == size.days * 12 && size.backfill > 0 {
            backfill(&store, &features, &mut oracle, hour, &mut counts)?;
        }
        let is_erasing = size.erase_every > 0 && (hour / 24).is_multiple_of(size.erase_every);
        if hour % 24 == 23 && is_erasing {
            let entity = hour / 24 * 7 % size.entities;
            store.erase(Oracle::entity(entity))?;
            oracle.erased.insert(entity, hour);
        }
        clock.set(EventTime(START + (hour + 1).cast_signed() * HOUR - 1));
        clock.run(span(HOUR - 1)?);
        scheduler.step_all();
        if hour % 24 == 23 {
            check(&store, &features, &oracle, hour, clock.now(), &mut counts)?;
            let day = hour / 24 + 1;
            if day % 30 == 0 || day == size.days {
                live_bytes_each = live_bytes(&store, dir, &clock)?;
            }
            report(&store, day, live_bytes_each, &mut counts);
        }
        clock.run(span(1)?);
        clock.set(EventTime(START + (hour + 1).cast_signed() * HOUR));
    }
    let metrics = store.metrics();
    println!("{} records written in {:.0?}", counts.records, begun.elapsed());
    println!("{} cells agreed with the generator: {:?}", counts.cells, counts.by_status);
    println!(
        "write amplification: {:.2} of what was logged, logs included; {:.2} of what was flushed",
        metrics.write_amplification().unwrap_or_default(),
        metrics.table_write_amplification().unwrap_or_default(),
    );
    causes.print();
    println!(
        "sources visited for each as-of point: {:.2}",
        metrics.read_amplification().unwrap_or_default()
    );
    println!(
        "tables dropped unread: {} with {} bytes; worst space at the end of a measured day: {:.2} x live",
        metrics.compactions.unread_tables, metrics.compactions.unread_bytes, counts.worst_space,
    );
    store.close()?;
    Ok(())
}

fn write_hour(
    store: &Store,
    features: &[Feature],
    oracle: &Oracle,
    hour: u64,
    counts: &mut Counts,
) -> Outcome<()> {
    let mut batch = Batch::new();
    for entity in 0..oracle.size.entities {
        let key = Oracle::entity(entity);
        for (index, feature) in (0u64..).zip(features) {
            // What comes in this hour: its own update, and those of earlier hours that are late.
            for late in 0..=24 {
                let Some(of) = hour.checked_sub(late) else { break };
                if oracle.late(entity, index, of) == late && Oracle::is_updated(entity, of) {
                    let at = EventTime(Oracle::event_time(entity, index, of));
                    batch.put_id(key, feature.id, at, Oracle::value(entity, index, of, false));
                    counts.records += 1;
                }
            }
            if batch.len() >= 1_000 {
                store.write(std::mem::take(&mut batch), Durability::Buffered)?;
            }
        }
    }
    store.write(batch, Durability::Buffered)?;
    Ok(())
}

/// Writes thirty days again, with other values, of some of the features.
fn backfill(
    store: &Store,
    features: &[Feature],
    oracle: &mut Oracle,
    now: u64,
    counts: &mut Counts,
) -> Outcome<()> {
    let (first, last) = (now.saturating_sub(oracle.size.backfill * 24), now.saturating_sub(1));
    let mut batch = Batch::new();
    batch.source("backfill");
    for entity in 0..oracle.size.entities {
        let key = Oracle::entity(entity);
        for (index, feature) in (0u64..).zip(features).filter(|(n, _)| Oracle::is_corrected(*n)) {
            for hour in (first..=last).filter(|hour| Oracle::is_updated(entity, *hour)) {
                let at = EventTime(Oracle::event_time(entity, index, hour));
                batch.put_id(key, feature.id, at, Oracle::value(entity, index, hour, true));
                counts.records += 1;
            }
        }
        if batch.len() >= 1_000 {
            store.write(std::mem::take(&mut batch), Durability::Buffered)?;
            batch.source("backfill");
        }
    }
    store.write(batch, Durability::Buffered)?;
    oracle.backfill = Some((first, last, now));
    Ok(())
}

fn check(
    store: &Store,
    features: &[Feature],
    oracle: &Oracle,
    hour: u64,
    now: EventTime,
    counts: &mut Counts,
) -> Outcome<()> {
    let selection = store.select_all();
    debug_assert_eq!(selection.features().len(), features.len(), "all features are selected");
    for n in 0..oracle.size.sample {
        let drawn = mix(n ^ (hour << 32) ^ 0x7e57);
        let entity = drawn % oracle.size.entities;
        let index = drawn / 7919 % oracle.size.features;
        // From the horizon up to now; the first days have no more than what there is.
        let reach = HISTORY.min(now.0 - START);
        let back = (mix(drawn) % reach.unsigned_abs()).cast_signed();
        let t = if n % 4 == 0 { now.0 } else { now.0 - back };
        let all_known = n % 3 != 0;
        // The end of an hour: what was known then is what came up to it.
        let hours_back = mix(drawn ^ 1) % (reach / HOUR - 1).max(1).unsigned_abs();
        let known = if all_known { hour } else { hour - hours_back };
        let read = Read::as_of(EventTime(t));
        let end = START + (known + 1).cast_signed() * HOUR - 1;
        let read = if all_known { read } else { read.known_at(KnownTime(end)) };
        let name = format!("sim:f{index}");
        let found = store.read(Oracle::entity(entity), &name, &read)?.answer;
        let expected = oracle.answer(entity, index, t, known, hour);
        let status = match expected {
            None => Status::Missing,
            Some((e, _)) if index.is_multiple_of(2) && t - e > TTL => Status::Expired,
            Some(_) => Status::Value,
        };
        let agrees = found.status() == status
            && found.event_time().map(|e| e.0) == expected.map(|(e, _)| e)
            && match (&found, expected) {
                (Answer::Value(..), Some((_, value))) => found.as_f64() == Some(value),
                _ => true,
            };
        if !agrees {
            return Err(format!(
                "entity {entity}, {name}, as of {t}, known at the end of hour {known}: {found:?} \
                 where the generator has {status:?} {expected:?}"
            )
            .into());
        }
        counts.cells += 1;
        let word = match status {
            Status::Missing => "missing",
            Status::Expired => "expired",
            _ => "value",
        };
        *counts.by_status.entry(word).or_default() += 1;
    }
    Ok(())
}

/// How many bytes a live record takes: those of a copy that is merged into one, under the same
/// clock.
fn live_bytes(store: &Store, dir: &Path, clock: &Arc<ManualClock>) -> Outcome<f64> {
    let copy = dir.with_extension("copy");
    store.flush()?;
    std::fs::create_dir_all(&copy)?;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        std::fs::copy(entry.path(), copy.join(entry.file_name()))?;
    }
    let world = World {
        disk: Arc::new(RealDisk),
        clock: clock.clone(),
        scheduler: Arc::new(Manual::new()),
    };
    let whole = Options::new().world(world).clock_lag(Span::ZERO).present_depth(u64::MAX);
    let merged = Store::open(&copy, whole)?;
    merged.compact()?;
    let stats = merged.stats();
    merged.close()?;
    std::fs::remove_dir_all(&copy)?;
    println!(
        "    merged into one it would be {} records in {} bytes",
        stats.records, stats.table_bytes
    );
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    Ok(stats.table_bytes as f64)
}

#[expect(clippy::cast_precision_loss, reason = "ratios")]
fn report(store: &Store, day: u64, live_bytes: f64, counts: &mut Counts) {
    let (stats, metrics) = (store.stats(), store.metrics());
    if day.is_multiple_of(30) {
        counts.worst_space = counts.worst_space.max(stats.table_bytes as f64 / live_bytes);
    }
    if day.is_multiple_of(10) || day == 1 {
        println!(
            "day {day}: {} records in {} bytes of tables: {} recent, {} present, {} runs of the past; \
             write amplification {:.2} and {:.2}; {} tables dropped unread; {} cells agreed",
            stats.records,
            stats.table_bytes,
            stats.recent_tables,
            stats.present_tables,
            stats.past_runs,
            metrics.write_amplification().unwrap_or_default(),
            metrics.table_write_amplification().unwrap_or_default(),
            metrics.compactions.unread_tables,
            counts.cells,
        );
    }
}
