//! Whole stores: what a put costs, with its log and without, and a merge.
//!
//! A put takes a batch through all that a write is: its names and times are checked, it gets its commit, its
//! frame with a checksum is appended to the log, its records go to the memtable. On a disk that keeps no logs
//! all but the append is left.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use asofdb::world::World;
use asofdb::world::clock::ManualClock;
use asofdb::world::disk::{Disk, FileLock, FileReader, FileWriter, RealDisk};
use asofdb::world::scheduler::Manual;
use asofdb::{Batch, Durability, EventTime, FeatureId, FeatureSpec, Options, Store, ValueType};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};

use crate::data::{HOUR, START, mix, time};

const ENTITIES: u64 = 5_000;
const FEATURES: u64 = 20;

/// Entities of a batch, which then has 1,000 records.
const PART: u64 = 50;

const PARTS: u64 = ENTITIES / PART;

/// How many tables are merged.
const TABLES: u64 = 8;

pub fn bench(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    puts(criterion, &dir.path().join("put"));
    merge(criterion, &dir.path().join("merge"));
}

/// A store whose work in the background is stepped.
fn store(dir: &Path, disk: Arc<dyn Disk>) -> (Store, Vec<FeatureId>) {
    let clock = ManualClock::new(EventTime((START + 1_000 * HOUR).cast_signed()));
    let world = World { disk, clock: Arc::new(clock), scheduler: Arc::new(Manual::new()) };
    let options = Options::new().world(world).memtable_bytes(1 << 30);
    let store = Store::open(dir, options).unwrap();
    let spec = |n| FeatureSpec::new(format!("a:f{n}"), ValueType::F64);
    let ids = (0..FEATURES).map(|n| store.define(spec(n)).unwrap().id).collect();
    (store, ids)
}

fn event_time(entity: u64, feature: u64, version: u64) -> EventTime {
    EventTime(time(entity << 8 | feature, version))
}

fn value(entity: u64, feature: u64, version: u64) -> f64 {
    (mix(entity ^ feature ^ version << 20) % 999) as f64
}

/// A version of all features of some entities.
fn batch(ids: &[FeatureId], version: u64, entities: Range<u64>) -> Batch {
    let mut batch = Batch::new();
    for entity in entities {
        for (feature, id) in (0..).zip(ids) {
            let at = event_time(entity, feature, version);
            batch.put_id(entity.to_le_bytes(), *id, at, value(entity, feature, version));
        }
    }
    batch
}

/// Fails unless the store tells a version of all features of some entities at its moment.
fn verify(store: &Store, version: u64, entities: Range<u64>) {
    for entity in entities {
        for feature in 0..FEATURES {
            let t = event_time(entity, feature, version);
            let found = store.as_of(entity.to_le_bytes(), &format!("a:f{feature}"), t).unwrap();
            let expected = (Some(value(entity, feature, version)), Some(t));
            assert_eq!((found.as_f64(), found.event_time()), expected, "{entity}, {feature}");
        }
    }
}

fn puts(criterion: &mut Criterion, dir: &Path) {
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(PART * FEATURES));
    let disks: [(&str, Arc<dyn Disk>); 2] = [
        ("log and memtable", Arc::new(RealDisk)),
        ("memtable, the log is not kept", Arc::new(NoLogs)),
    ];
    for (name, disk) in disks {
        let (store, ids) = store(&dir.join(name), disk);
        let part = |n: u64| (n / PARTS % 900, n % PARTS * PART..n % PARTS * PART + PART);
        let mut n = 0;
        group.bench_function(format!("put of a batch of 1,000 records, {name}"), |b| {
            b.iter_batched(
                || {
                    n += 1;
                    // Memory would run full otherwise.
                    if n % 500 == 0 {
                        store.flush().unwrap();
                    }
                    let (version, entities) = part(n);
                    batch(&ids, version, entities)
                },
                |batch| store.write(batch, Durability::Buffered).unwrap(),
                BatchSize::SmallInput,
            );
        });
        // The last batches, some of them in memory and some in a table.
        for n in n.saturating_sub(600) + 1..=n {
            let (version, entities) = part(n);
            verify(&store, version, entities);
        }
    }
    group.finish();
}

#[expect(clippy::disallowed_methods, reason = "figures are measured by the real clock")]
fn merge(criterion: &mut Criterion, dir: &Path) {
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(ENTITIES * FEATURES * TABLES));
    group.sample_size(10);
    let mut n = 0;
    let mut once = || {
        n += 1;
        let dir = dir.join(n.to_string());
        let (store, ids) = store(&dir, Arc::new(RealDisk));
        for version in 0..TABLES {
            for from in (0..ENTITIES).step_by(PART as usize) {
                let batch = batch(&ids, version, from..from + PART);
                store.write(batch, Durability::Buffered).unwrap();
            }
            store.flush().unwrap();
        }
        let begun = Instant::now();
        store.compact().unwrap();
        let took = begun.elapsed();
        let stats = store.stats();
        assert_eq!((stats.tables, stats.records), (1, ENTITIES * FEATURES * TABLES));
        verify(&store, n % TABLES, 0..ENTITIES);
        store.close().unwrap();
        std::fs::remove_dir_all(dir).unwrap();
        took
    };
    group.bench_function("merge of 8 flushed tables of 100,000 records", |b| {
        b.iter_custom(|count| (0..count).map(|_| once()).sum::<Duration>());
    });
    group.finish();
}

/// The real disk, but for logs, of which it keeps nothing.
#[derive(Debug)]
struct NoLogs;

impl Disk for NoLogs {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(dir)
    }

    fn absolute(&self, dir: &Path) -> io::Result<PathBuf> {
        RealDisk.absolute(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>> {
        let file = RealDisk.create(path)?;
        let is_log =
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("LOG-"));
        Ok(if is_log { Box::new(Forgotten) } else { file })
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn FileReader>> {
        RealDisk.open(path)
    }

    fn map(&self, path: &Path, len: u64) -> io::Result<Bytes> {
        RealDisk.map(path, len)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        RealDisk.truncate(path, len)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        RealDisk.lock(path)
    }
}

/// A file of which nothing is kept.
#[derive(Debug)]
struct Forgotten;

impl FileWriter for Forgotten {
    fn append(&self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
