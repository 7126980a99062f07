//! Bytes: what the disk took, what levels hold, what is pinned and what is needed.

use std::sync::Arc;

use asofdb::world::sim::{Rng, SimWorld};
use asofdb::{
    Batch, Durability, EventTime, FeatureSpec, JoinOptions, Read, ReadMode, Span, Value, ValueType,
};

use crate::{NOW, on_disk, open, options, put};

#[test]
fn bytes_are_counted_that_the_disk_did_not_take() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = open(options(&sim));
    for n in 0..20 {
        put(&store, &["ant", "bee"], n);
    }
    let writes = store.metrics().writes;
    assert_eq!((writes.batches, writes.records), (20, 40));
    assert_eq!(writes.log_bytes, on_disk(&sim, "LOG"));
    assert_eq!(writes.manifest_bytes, on_disk(&sim, "MANIFEST") + on_disk(&sim, "CURRENT"));
    assert_eq!((writes.table_bytes, writes.micros.count()), (0, 20));
    let (syncs, log_syncs) = (writes.syncs, writes.log_syncs);
    store.sync().unwrap();
    let writes = store.metrics().writes;
    assert_eq!((writes.syncs, writes.log_syncs), (syncs + 1, log_syncs + 1));
    assert_eq!(writes.sync_micros.count(), writes.syncs);

    store.flush().unwrap();
    put(&store, &["ant"], 30);
    store.flush().unwrap();
    let metrics = store.metrics();
    assert_eq!(metrics.writes.table_bytes, on_disk(&sim, "TABLE"));
    assert_eq!((metrics.flushes.flushes, metrics.flushes.records), (2, 41));
    assert_eq!(metrics.flushes.bytes, on_disk(&sim, "TABLE"));
    assert_eq!(metrics.table_write_amplification(), Some(1.0));

    store.compact().unwrap();
    let metrics = store.metrics();
    let written = metrics.flushes.bytes + metrics.compactions.bytes_written;
    assert_eq!(metrics.writes.table_bytes, written);
    assert_eq!(metrics.compactions.bytes_written, on_disk(&sim, "TABLE"));
    assert_eq!(metrics.compactions.bytes_read, metrics.flushes.bytes);
    assert_eq!(metrics.levels[&0].bytes_read, metrics.flushes.bytes);
    assert_eq!(metrics.levels[&1].bytes_written, metrics.compactions.bytes_written);
    let logs = metrics.writes.log_bytes as f64;
    assert_eq!(metrics.write_amplification(), Some((logs + written as f64) / logs));
}

/// After every step of a random walk over writes, flushes and merges.
#[test]
fn levels_tell_of_files_that_are_not_there() {
    let mut steps = 0;
    for seed in 0..10 {
        println!("seed {seed}: for seed in {seed}..={seed} in this test");
        let mut rng = Rng::new(seed);
        let sim = SimWorld::new(EventTime(NOW));
        let options = options(&sim).max_recent_tables(3).table_bytes(2_000);
        let store = open(options);
        for n in 0..60 {
            let entity = format!("e{}", rng.below(40));
            put(&store, &[&entity, "ant"], n);
            match rng.below(4) {
                0 => store.flush().unwrap(),
                1 => drop(store.step().unwrap()),
                2 if rng.percent(20) => store.compact().unwrap(),
                _ => {}
            }
            let (metrics, shape) = (store.metrics(), store.shape());
            let files = sim.disk.files();
            let tables = files.iter().filter(|(path, _)| path.to_string_lossy().contains("TABLE"));
            let (count, bytes) = tables.fold((0, 0), |all, file| (all.0 + 1, all.1 + file.1));
            assert_eq!(metrics.table_bytes(), bytes, "seed {seed}, step {n}");
            let levels = metrics.levels.values();
            assert_eq!(levels.map(|level| level.tables).sum::<u64>(), count);
            assert_eq!(shape.tables.iter().map(|table| table.bytes).sum::<u64>(), bytes);
            for table in &shape.tables {
                let shares = table.features.iter().map(|feature| feature.estimated_bytes);
                assert_eq!(shares.sum::<u64>(), table.bytes, "shares add up to the table");
                let records = table.features.iter().map(|feature| feature.records);
                assert_eq!(records.sum::<u64>(), table.records);
            }
            assert_eq!(metrics.pinned_bytes, 0, "nobody holds anything");
            assert_eq!(metrics.estimated_live_bytes, bytes, "without a horizon all is needed");
            steps += 1;
        }
    }
    println!("{steps} steps");
}

#[test]
fn what_readers_hold_of_old_tables_is_not_counted() {
    for mode in [ReadMode::Map, ReadMode::Pread] {
        let sim = SimWorld::new(EventTime(NOW));
        let store = open(options(&sim).read_mode(mode));
        store.define(FeatureSpec::new("v:text", ValueType::Text)).unwrap();
        let mut batch = Batch::new();
        batch.put("ant", "v:text", EventTime(1), "long ".repeat(500).as_str());
        store.write(batch, Durability::Buffered).unwrap();
        store.flush().unwrap();
        let old = store.metrics().table_bytes();
        let text = store.latest("ant", "v:text").unwrap();
        assert!(matches!(text.answer.value(), Some(Value::Text(_))));
        let all = store.select_all();
        let scan = store.scan(&all, &Read::latest(), b"").unwrap();
        let joiner = store.joiner(&all, JoinOptions::new()).unwrap();
        assert_eq!(store.metrics().pinned_bytes, 0, "the store itself has it");
        store.compact().unwrap();
        assert_eq!(store.metrics().pinned_bytes, old, "once, however many hold it");
        drop(joiner);
        assert_eq!(store.metrics().pinned_bytes, old);
        drop(scan);
        // A value out of a map borrows the map; one that was read is a copy.
        let held = if mode == ReadMode::Map { old } else { 0 };
        assert_eq!(store.metrics().pinned_bytes, held, "{mode:?}");
        drop(text);
        assert_eq!(store.metrics().pinned_bytes, 0);
        drop(all);
    }
}

#[test]
fn what_no_read_needs_counts_as_needed() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = open(options(&sim));
    let hour = 3_600_000_000;
    let spec = FeatureSpec::new("v:short", ValueType::I64).history(Span::from_hours(10));
    store.define(spec).unwrap();
    // A hundred hours of one entity, of which ten and one version are needed.
    for n in 0..100 {
        let mut batch = Batch::new();
        batch.put("ant", "v:short", EventTime(NOW - (100 - n) * hour), n);
        store.write(batch, Durability::Buffered).unwrap();
    }
    store.flush().unwrap();
    let before = store.metrics();
    assert_eq!(before.estimated_live_bytes, before.table_bytes(), "nothing is below the horizon");
    // The horizon is judged by commits too: they are below it once the clock is.
    sim.clock.advance(Span::from_hours(11));
    put(&store, &["bee"], 1);
    store.flush().unwrap();
    let metrics = store.metrics();
    let space = metrics.space_amplification().unwrap();
    println!("{} bytes, {space} times what is needed", metrics.table_bytes());
    assert!(space > 2.0, "{space}");
    store.compact().unwrap();
    let space = store.metrics().space_amplification().unwrap();
    assert!(space < 1.5, "{space}");
    assert!(store.metrics().compactions.dropped_records >= 98);
}

/// Two threads ask while a third flushes and merges: no count falls.
#[test]
fn a_count_falls() {
    let dir = tempfile::tempdir().unwrap();
    let options = asofdb::Options::new().max_ahead(None).memtable_bytes(4 << 10);
    let store = asofdb::Store::open(dir.path().join("store"), options).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let counts = || {
                    let metrics = store.metrics();
                    [
                        metrics.reads.points,
                        metrics.reads.sources_considered,
                        metrics.writes.batches,
                        metrics.writes.log_bytes,
                        metrics.writes.table_bytes,
                        metrics.flushes.flushes,
                        metrics.compactions.bytes_read,
                    ]
                };
                let mut before = counts();
                while !done.load(std::sync::atomic::Ordering::SeqCst) {
                    store.latest("ant", "v:f").unwrap();
                    let now = counts();
                    assert!(before.iter().zip(&now).all(|(before, now)| before <= now));
                    before = now;
                }
            });
        }
        for n in 0..300 {
            put(&store, &["ant", "bee"], n);
            if n % 60 == 0 {
                store.compact().unwrap();
            }
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    let metrics = store.metrics();
    assert_eq!((metrics.writes.batches, metrics.writes.records), (300, 600));
    println!("{} reads, {} flushes", metrics.reads.points, metrics.flushes.flushes);
}
