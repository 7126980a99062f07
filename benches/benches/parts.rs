//! The parts of a read and of a write, each alone: directory probe, head row, search in a history,
//! codecs, log frame, memtable put, merge.
//!
//!     cargo bench -p asofdb-benches
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that fails has to end"
)]

use std::hint::black_box;
use std::sync::Arc;

use asofdb::world::World;
use asofdb::world::clock::ManualClock;
use asofdb::world::disk::RealDisk;
use asofdb::world::scheduler::Manual;
use asofdb::{Batch, Durability, EventTime, FeatureId, FeatureSpec, Options, Store, ValueType};
use asofdb_format::batch::{BatchHead, Entry, EntryEncoder, EntryValue};
use asofdb_format::chunk::{self, Chunk, ColumnInput};
use asofdb_format::directory::{self, Directory, fingerprint};
use asofdb_format::frame::{self, FrameHead, FrameKind, Seed};
use asofdb_format::hash::EntityHash;
use asofdb_format::head::{self, Head, HistoryPlace};
use asofdb_format::ids::{Commit, FileNumber, KnownTime, SourceId, StoreId};
use asofdb_format::ints::{self, Ints};
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::timeline::Timeline;
use asofdb_format::value::Kind;
use asofdb_format::values::{self, Numbers, Values};
use asofdb_format::wire::Reader;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const HOUR: u64 = 3_600_000_000;
const START: u64 = 1_700_000_000_000_000;

/// Bits without a pattern.
fn mix(n: u64) -> u64 {
    let x = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn time(feature: u64, version: u64) -> i64 {
    (START + version * HOUR + mix(feature << 32 | version) % 1_200_000_000).cast_signed()
}

/// A random walk with two decimals.
fn walk(feature: u64, versions: u64) -> Vec<f64> {
    let mut cents = 50_000.0;
    let step = |version| {
        cents += (mix(feature << 20 | version) % 201) as f64 - 100.0;
        cents / 100.0
    };
    (0..versions).map(step).collect()
}

fn revisions(feature: u64, versions: u64) -> Vec<Revision> {
    let revision = |(version, value): (u64, f64)| {
        let commit = time(feature, version) + 2_000_000;
        Revision {
            order: Order {
                event_time: EventTime(time(feature, version)),
                known_time: KnownTime(commit),
                commit: Commit(commit),
            },
            kind: Kind::Value,
            source: SourceId::NONE,
            payload: Payload::Bits(value.to_bits()),
        }
    };
    (0..versions).zip(walk(feature, versions)).map(revision).collect()
}

fn probe(criterion: &mut Criterion) {
    let key = |n: u64| n.to_le_bytes();
    criterion.bench_function("hash of an entity of 8 bytes", |b| {
        b.iter(|| EntityHash::of(black_box(&key(7))));
    });
    let mut rows: Vec<(EntityHash, u32)> =
        (0..50_000u32).map(|n| (EntityHash::of(&key(u64::from(n))), n)).collect();
    rows.sort_unstable();
    let mut bytes = Vec::new();
    directory::encode(&rows, &mut bytes);
    let directory = Directory::decode(&bytes, bytes.len() as u64).unwrap();
    let find = |hash: EntityHash| {
        let at = directory.bucket(hash)?;
        let (from, to) = directory.bounds(&bytes[at..at + 8]).unwrap();
        (from..to).find_map(|row| {
            let at = directory.row_at(row);
            let (found, head) = Directory::row(&bytes[at..at + 8]);
            (found == fingerprint(hash)).then_some(head)
        })
    };
    let mut n = 0;
    criterion.bench_function("directory probe, 50,000 entities", |b| {
        b.iter(|| {
            n += 1;
            find(EntityHash::of(&key(mix(n) % 50_000))).unwrap()
        });
    });
    criterion.bench_function("directory probe of an entity that is not there", |b| {
        b.iter(|| {
            n += 1;
            find(EntityHash::of(&key(mix(n) | 1 << 40)))
        });
    });
}

fn head_row(criterion: &mut Criterion) {
    let newest: Vec<Revision> = (0..20).map(|n| revisions(n, 10).pop().unwrap()).collect();
    let newest: Vec<(FeatureId, &Revision)> = (0..20).map(FeatureId).zip(&newest).collect();
    let (mut bytes, mut far) = (Vec::new(), Vec::new());
    head::encode(
        &7u64.to_le_bytes(),
        &newest,
        HistoryPlace::default(),
        &Timeline::none(),
        (&mut bytes, &mut far),
    );
    criterion.bench_function("head row of 20 features", |b| {
        b.iter(|| {
            let head = Head::decode(black_box(&bytes)).unwrap();
            let mut sum = 0u64;
            let mut from = 0;
            for id in 0..20 {
                let index = head.find(FeatureId(id), from).unwrap();
                sum ^= head.bits(index) ^ head.event_time(index).0.cast_unsigned();
                from = index + 1;
            }
            sum
        });
    });
}

fn history(criterion: &mut Criterion) {
    for versions in [9u64, 999] {
        let columns: Vec<Vec<Revision>> = (0..20).map(|n| revisions(n, versions)).collect();
        let input: Vec<ColumnInput<'_>> = (0..20)
            .map(FeatureId)
            .zip(&columns)
            .map(|(feature, revisions)| ColumnInput { feature, numbers: Numbers::F64, revisions })
            .collect();
        let (mut bytes, mut heap) = (Vec::new(), Vec::new());
        let timeline = Timeline::none();
        chunk::encode(&input, &timeline, &mut bytes, &mut heap);
        let mut n = 0;
        criterion.bench_function(
            &format!("history row of 20 features, {versions} versions"),
            |b| {
                b.iter(|| {
                    n += 1;
                    let t = EventTime((START + mix(n) % (versions * HOUR)).cast_signed());
                    let chunk = Chunk::decode(black_box(&bytes)).unwrap();
                    let mut found = 0;
                    for index in 0..20 {
                        let column = chunk.column(index).unwrap();
                        if let Some(at) = column.up_to(t).checked_sub(1) {
                            black_box(column.place(at).unwrap());
                            found += 1;
                        }
                    }
                    found
                });
            },
        );
        criterion.bench_function(&format!("chunk of 20 features, {versions} versions"), |b| {
            b.iter(|| {
                let (mut bytes, mut heap) = (Vec::new(), Vec::new());
                chunk::encode(black_box(&input), &timeline, &mut bytes, &mut heap);
                bytes.len()
            });
        });
    }
}

fn codecs(criterion: &mut Criterion) {
    let times: Vec<i64> = (0..1_000).map(|version| time(3, version)).collect();
    let regular: Vec<i64> =
        (0..1_000).map(|version| (START + version * HOUR).cast_signed()).collect();
    let mut group = criterion.benchmark_group("1,000 integers");
    group.throughput(Throughput::Elements(1_000));
    for (name, numbers) in [("scattered times", &times), ("regular times", &regular)] {
        let mut bytes = Vec::new();
        ints::encode(numbers, &mut bytes);
        group.bench_function(format!("{name}, encode"), |b| {
            b.iter(|| {
                let mut bytes = Vec::new();
                ints::encode(black_box(numbers), &mut bytes);
                bytes.len()
            });
        });
        let decoded = || Ints::decode(&mut Reader::new(black_box(&bytes)), numbers.len()).unwrap();
        group.bench_function(format!("{name}, decode all"), |b| {
            b.iter(|| decoded().iter().sum::<i64>());
        });
        let mut n = 0;
        group.bench_function(format!("{name}, search 1"), |b| {
            b.iter(|| {
                n += 1;
                decoded().partition_above((START + mix(n) % (1_000 * HOUR)).cast_signed())
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("1,000 values");
    group.throughput(Throughput::Elements(1_000));
    let decimals: Vec<Payload> =
        walk(3, 1_000).into_iter().map(|value| Payload::Bits(value.to_bits())).collect();
    let doubles: Vec<Payload> = (0..1_000).map(|n| Payload::Bits(mix(n) >> 2)).collect();
    let words: Vec<Payload> =
        (0..1_000u64).map(|n| Payload::Raw(format!("segment {}", mix(n) % 30).into())).collect();
    for (name, payloads) in [("decimals", &decimals), ("doubles", &doubles), ("words", &words)] {
        let payloads: Vec<&Payload> = payloads.iter().collect();
        let (mut bytes, mut heap) = (Vec::new(), Vec::new());
        values::encode(&payloads, Numbers::F64, &mut bytes, &mut heap);
        group.bench_function(format!("{name}, encode"), |b| {
            b.iter(|| {
                let (mut bytes, mut heap) = (Vec::new(), Vec::new());
                values::encode(black_box(&payloads), Numbers::F64, &mut bytes, &mut heap);
                bytes.len()
            });
        });
        group.bench_function(format!("{name}, place of all"), |b| {
            b.iter(|| {
                let mut reader = Reader::new(black_box(&bytes));
                let values = Values::decode(&mut reader, payloads.len()).unwrap();
                for n in 0..payloads.len() {
                    black_box(values.place(n).unwrap());
                }
            });
        });
    }
    group.finish();
}

fn log_frame(criterion: &mut Criterion) {
    let head = FrameHead {
        kind: FrameKind::Batch,
        commit: Commit(7),
        synced: 0,
        ceiling: Commit(1_000_000),
    };
    let seed = Seed::of(StoreId([7; 16]), FileNumber(3));
    let mut group = criterion.benchmark_group("log");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("frame of a batch of 1,000 records", |b| {
        b.iter(|| {
            let mut entries = EntryEncoder::default();
            for n in 0..1_000u64 {
                entries.push(&Entry {
                    entity: &(n / 20).to_le_bytes(),
                    feature: FeatureId(u32::try_from(n % 20).unwrap()),
                    event_time: EventTime(time(n, 3)),
                    known_time: None,
                    kind: Kind::Value,
                    value: EntryValue::Bits(mix(n)),
                });
            }
            let batch = BatchHead { entries: 1_000, ..BatchHead::default() }.encode();
            let mut out = Vec::new();
            frame::encode(&head, &[&batch, entries.as_bytes()], seed, 4096, &mut out);
            out.len()
        });
    });
    group.finish();
}

/// A store whose work in the background is stepped.
fn store(dir: &std::path::Path) -> (Store, Vec<FeatureId>) {
    let clock = ManualClock::new(EventTime((START + 1_000 * HOUR).cast_signed()));
    let scheduler = Arc::new(Manual::new());
    let world = World { disk: Arc::new(RealDisk), clock: Arc::new(clock), scheduler };
    let options = Options::new().world(world).memtable_bytes(1 << 30);
    let store = Store::open(dir, options).unwrap();
    let spec = |n| FeatureSpec::new(format!("a:f{n}"), ValueType::F64);
    let ids = (0..20).map(|n| store.define(spec(n)).unwrap().id).collect();
    (store, ids)
}

/// A version of 20 features of some of 5,000 entities.
fn batch(ids: &[FeatureId], version: u64, entities: std::ops::Range<u64>) -> Batch {
    let mut batch = Batch::new();
    for entity in entities {
        for (n, id) in (0..).zip(ids) {
            let at = EventTime(time(entity << 8 | n, version));
            batch.put_id((entity % 5_000).to_le_bytes(), *id, at, (mix(entity ^ n) % 999) as f64);
        }
    }
    batch
}

fn whole_store(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(1_000));
    let dir = tempfile::tempdir().unwrap();
    let (put_into, ids) = store(&dir.path().join("put"));
    let mut n = 0;
    group.bench_function("put of a batch of 1,000 records, log and memtable", |b| {
        b.iter_batched(
            || {
                n += 1;
                // Memory would run full otherwise.
                if n % 500 == 0 {
                    put_into.flush().unwrap();
                }
                batch(&ids, n / 100 % 900, n % 100 * 50..n % 100 * 50 + 50)
            },
            |batch| put_into.write(batch, Durability::Buffered).unwrap(),
            BatchSize::SmallInput,
        );
    });
    group.throughput(Throughput::Elements(5_000 * 20 * 8));
    group.sample_size(10);
    let mut n = 0;
    group.bench_function("merge of 8 flushed tables of 100,000 records", |b| {
        b.iter_batched(
            || {
                n += 1;
                let (store, ids) = store(&dir.path().join(format!("merge-{n}")));
                for version in 0..8 {
                    for part in 0..100 {
                        let entities = part * 50..part * 50 + 50;
                        let batch = batch(&ids, version, entities);
                        store.write(batch, Durability::Buffered).unwrap();
                    }
                    store.flush().unwrap();
                }
                store
            },
            |store| store.compact().unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(parts, probe, head_row, history, codecs, log_frame, whole_store);
criterion_main!(parts);
