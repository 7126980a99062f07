//! How much memory a store takes, counted by the allocator.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use asofdb::world::World;
use asofdb::world::clock::ManualClock;
use asofdb::world::disk::RealDisk;
use asofdb::world::scheduler::Manual;
use asofdb::{
    Batch, Durability, EventTime, Feature, FeatureSpec, JoinOptions, Options, Span, Store,
    ValueType,
};

/// A store on the real disk, whose background work is done by the thread of the test: what the disk
/// holds is not counted, and all that the store allocates is.
fn store(dir: &std::path::Path, options: Options) -> Store {
    let world = World {
        disk: Arc::new(RealDisk),
        scheduler: Arc::new(Manual::new()),
        ..options.world.clone()
    };
    Store::open(dir, options.world(world)).unwrap()
}

fn define(store: &Store, value_type: ValueType, count: usize) -> Vec<Feature> {
    let spec = |n| FeatureSpec::new(format!("m:f{n}"), value_type);
    (0..count).map(|n| store.define(spec(n)).unwrap()).collect()
}

#[test]
fn a_memtable_takes_more_than_it_tells() {
    type Put = fn(&mut Batch, &Feature, u64);
    fn time(n: u64) -> EventTime {
        EventTime(1_000_000 + n.cast_signed())
    }
    let shapes: [(&str, ValueType, Put); 4] = [
        ("one version of each entity", ValueType::I64, |batch, feature, n| {
            batch.put_id(n.to_le_bytes(), feature.id, time(n), n.cast_signed());
        }),
        ("deep histories", ValueType::I64, |batch, feature, n| {
            batch.put_id((n % 7).to_le_bytes(), feature.id, time(n), n.cast_signed());
        }),
        ("late versions", ValueType::I64, |batch, feature, n| {
            batch.put_id((n % 50).to_le_bytes(), feature.id, time(100_000 - n), n.cast_signed());
        }),
        ("short texts", ValueType::Text, |batch, feature, n| {
            batch.put_id((n / 3).to_le_bytes(), feature.id, time(n), format!("text {n}").as_str());
        }),
    ];
    for (shape, value_type, put) in shapes {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir.path().join("store"), Options::new());
        let features = define(&store, value_type, 4);
        let before = store.stats().memtable_bytes;
        let counted = allocation_counter::measure(|| {
            for n in 0..20_000 / 500 {
                let mut batch = Batch::new();
                (n * 500..(n + 1) * 500).for_each(|n| {
                    features.iter().for_each(|feature| put(&mut batch, feature, n));
                });
                store.write(batch, Durability::Buffered).unwrap();
            }
        });
        let taken = u64::try_from(counted.bytes_current).unwrap();
        let told = store.stats().memtable_bytes - before;
        println!("{shape}: {taken} bytes taken, {told} told");
        assert!(taken <= told + told / 20, "{shape}: {taken} bytes taken, {told} told");
        assert!(told <= taken * 2, "{shape}: {taken} bytes taken, {told} told");
    }
}

#[test]
fn a_merge_into_many_windows_holds_the_heads_of_all() {
    let dir = tempfile::tempdir().unwrap();
    let (entities, versions) = (10_000u64, 9u64);
    let clock = Arc::new(ManualClock::new(EventTime(0)));
    let table_bytes = 1 << 20;
    let options = Options::new()
        .memtable_bytes(16 << 20)
        .table_bytes(table_bytes)
        .present_depth(0)
        .clock_lag(Span::ZERO)
        .world(World { clock: clock.clone(), ..World::real() });
    // What was read ahead of the inputs, what each output gathers before it is written, and the heads
    // of all outputs together: no more than one table may have, where they would come to 8 MB more.
    let most = 16 << 20;
    // Long names, so that the heads of a table are nearly all of it.
    let key = |entity: u64| [entity.to_le_bytes().as_slice(), &[7; 700]].concat();
    let store = store(&dir.path().join("store"), options);
    let spec = FeatureSpec::new("m:f", ValueType::I64).history(Span::from_days(12));
    let feature = store.define(spec).unwrap();
    for version in 0..versions {
        let now = Span::from_days(1).micros() * version.cast_signed();
        clock.set(EventTime(now));
        for first in (0..entities).step_by(1_000) {
            let mut batch = Batch::new();
            for entity in first..first + 1_000 {
                // Of any size, so that there is history worth files of its own.
                let value = (entity ^ version << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                batch.put_id(key(entity), feature.id, EventTime(now), value.cast_signed());
            }
            store.write(batch, Durability::Buffered).unwrap();
        }
    }
    // What is newest has no history in the tables of flushes; the present has.
    store.compact().unwrap();
    let counted = allocation_counter::measure(|| store.compact().unwrap());
    let stats = store.stats();
    println!(
        "{} bytes held at the most by a merge into {} runs of the past, {} tables in all",
        counted.bytes_max, stats.past_runs, stats.tables
    );
    assert!(stats.past_runs >= 5, "{stats:?}");
    assert!(counted.bytes_max <= most, "{} bytes held of {most}", counted.bytes_max);
    let row = store.latest(key(7), "m:f").unwrap();
    assert!(row.as_i64().is_some(), "{row:?}");
}

/// The answers to all rows were gathered entity by entity before they went to columns.
#[test]
fn a_join_holds_its_answers_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("store"), Options::new());
    let (rows, features) = (200_000, 20);
    let defined = define(&store, ValueType::I64, features);
    let mut batch = Batch::new();
    for entity in 0..1_000u64 {
        for feature in &defined {
            batch.put_id(entity.to_le_bytes(), feature.id, EventTime(1), entity.cast_signed());
        }
    }
    store.write(batch, Durability::Buffered).unwrap();
    let row = |n: u64| Some(((n / 2).to_le_bytes(), EventTime(5)));
    let spine: Vec<_> = (0..rows).map(row).collect();
    let joiner = store.joiner(&store.select_all(), JoinOptions::new().threads(1)).unwrap();
    let mut joined = None;
    let counted = allocation_counter::measure(|| joined = Some(joiner.join(&spine).unwrap()));
    // Large answers are in maps, which are not counted; all that is, is the result's.
    let beside = counted.bytes_max - u64::try_from(counted.bytes_current).unwrap();
    let (most, answers) = (rows * 120 + (4 << 20), rows * features as u64 * 17);
    println!("{beside} bytes beside the answers of {answers}, {most} at the most");
    assert!(beside <= most && most < answers / 2, "{beside} bytes of {most}");
}

/// The heads of a table were copied together, and once more to be written.
#[test]
fn a_flush_holds_the_heads_of_its_table_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("store"), Options::new().memtable_bytes(32 << 20));
    let feature = define(&store, ValueType::I64, 1).remove(0);
    // Long names, so that the heads of the table are nearly all of it.
    let mut batch = Batch::new();
    for entity in 0..20_000u64 {
        let name = [entity.to_le_bytes().as_slice(), &[7; 700]].concat();
        batch.put_id(name, feature.id, EventTime(1), entity.cast_signed());
    }
    store.write(batch, Durability::Buffered).unwrap();
    let counted = allocation_counter::measure(|| store.flush().unwrap());
    let table = store.stats().table_bytes;
    println!("{} bytes held at the most for a table of {table}", counted.bytes_max);
    // Once, beside the next memtable and the directory.
    assert!(counted.bytes_max < 2 * table, "{} bytes of {table}", counted.bytes_max);
}
