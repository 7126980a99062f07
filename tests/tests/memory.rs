//! How much memory a store takes, counted by the allocator.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use asofdb::world::World;
use asofdb::world::disk::RealDisk;
use asofdb::world::scheduler::Manual;
use asofdb::{Batch, Durability, EventTime, Feature, FeatureSpec, Options, Store, ValueType};

/// A store on the real disk, whose background work is done by the thread of the test: what the disk
/// holds is not counted, and all that the store allocates is.
fn store(dir: &std::path::Path, options: Options) -> Store {
    let world =
        World { disk: Arc::new(RealDisk), scheduler: Arc::new(Manual::new()), ..World::real() };
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
