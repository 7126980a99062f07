//! Faults that a review found in the engine and that are mended: a failing disk, a crash, a close or a race at the
//! wrong moment took data, stopped a store from opening, or told a reader something else than before.
#![expect(
    clippy::disallowed_methods,
    reason = "these races need threads of their own, stopped at gates"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod gate;
mod later;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use asofdb::world::scheduler::Threads;
use asofdb::world::sim::{CrashPolicy, Fault, Operation, SimWorld};
use asofdb::*;
use asofdb_tests::hook_disk::hooked;
use gate::Gate;

const T0: i64 = 1_700_000_000_000_000;
const DIR: &str = "/db";

fn options(sim: &SimWorld) -> Options {
    Options::new().world(sim.world()).identity(Some([7; 32])).max_ahead(None)
}
fn open(sim: &SimWorld) -> Result<Store> {
    Store::open(DIR, options(sim))
}
fn put(store: &Store, entity: &str, n: i64, durability: Durability) -> Result<Commit> {
    let mut batch = Batch::new();
    batch.put(entity, "v:f", EventTime(T0 + n), n);
    store.write(batch, durability)
}
fn get(store: &Store, entity: &str) -> Option<i64> {
    store.as_of(entity, "v:f", EventTime::MAX).unwrap().as_i64()
}
fn made(sim: &SimWorld) -> Store {
    let store = open(sim).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    store
}
fn fail_next(sim: &SimWorld, op: Operation, name: &'static str, fault: Fault) {
    sim.disk.arm(move |o, p| o == op && p.to_string_lossy().contains(name));
    sim.disk.fail_at(sim.disk.operations(), fault);
}
fn healed(sim: &SimWorld) {
    sim.disk.heal();
    sim.disk.arm_all();
}

#[test]
fn a_manifest_sync_that_fails_in_a_flush_does_not_take_the_table_with_it() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    put(&store, "a", 1, Durability::Synced).unwrap();
    fail_next(&sim, Operation::Sync, "MANIFEST", Fault::Error(ErrorKind::Other));
    // first sync is the rotation's: let that pass
    healed(&sim);
    sim.disk.arm(|o, p| o == Operation::Sync && p.to_string_lossy().contains("MANIFEST"));
    sim.disk.fail_at(sim.disk.operations() + 1, Fault::Error(ErrorKind::Other));
    assert!(store.flush().is_err());
    assert_eq!(sim.disk.faults_hit(), 1);
    assert_eq!(get(&store, "a"), Some(1));
    drop(store);
    healed(&sim);
    println!("{:?}", sim.disk.files());
    let store = open(&sim).unwrap();
    assert_eq!(get(&store, "a"), Some(1));
}

#[test]
fn a_manifest_sync_that_fails_in_a_compaction_does_not_take_the_outputs_with_it() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    put(&store, "a", 1, Durability::Synced).unwrap();
    store.flush().unwrap();
    put(&store, "a", 2, Durability::Synced).unwrap();
    store.flush().unwrap();
    fail_next(&sim, Operation::Sync, "MANIFEST", Fault::Error(ErrorKind::Other));
    assert!(store.compact().is_err());
    assert_eq!(sim.disk.faults_hit(), 1);
    assert_eq!(get(&store, "a"), Some(2));
    drop(store);
    healed(&sim);
    let store = open(&sim).unwrap();
    assert_eq!(get(&store, "a"), Some(2));
}

#[test]
fn a_manifest_that_cannot_be_rotated_takes_no_table_with_it() {
    let mut hits = 0;
    for short in (60..400).step_by(30) {
        let sim = SimWorld::new(EventTime(T0));
        let store = made(&sim);
        put(&store, "a", 1, Durability::Synced).unwrap();
        // Fills the manifest up to just below a mebibyte, where it is rotated.
        let text = "x".repeat(50_000);
        for n in 0..20 {
            store.alter("v:f", Alter::new().describe(format!("{text}{n}"))).unwrap();
        }
        let big = |sim: &SimWorld| {
            let files = sim.disk.files();
            let manifests = files.iter().filter(|f| f.0.to_string_lossy().contains("MANIFEST"));
            manifests.map(|f| f.1).sum::<u64>()
        };
        let left = (1u64 << 20) - big(&sim) - short;
        assert!(left < 64 << 10);
        store.alter("v:f", Alter::new().describe("y".repeat(left as usize - 100))).unwrap();
        fail_next(&sim, Operation::Create, "MANIFEST", Fault::NoSpace);
        let flushed = store.flush();
        hits += sim.disk.faults_hit();
        println!("{short} {} {flushed:?}", big(&sim));
        assert_eq!(get(&store, "a"), Some(1));
        drop(store);
        healed(&sim);
        let store = open(&sim).unwrap();
        assert_eq!(get(&store, "a"), Some(1));
    }
    assert!(hits > 0);
}

#[test]
fn a_compaction_that_outlives_its_store_takes_no_table_from_the_next() {
    let sim = SimWorld::new(EventTime(T0));
    let gate = Gate::default();
    let armed = Arc::new(AtomicBool::new(false));
    let (g, a) = (gate.clone(), armed.clone());
    let mut world = hooked(&sim, move |op, _| {
        let compacts = std::thread::current().name() == Some("asofdb-compact");
        if op == "sync_dir" && compacts && a.swap(false, Ordering::SeqCst) {
            g.pass();
        }
    });
    world.scheduler = Arc::new(Threads);
    let opts = options(&sim).world(world).max_recent_tables(2);
    let store = Store::open(DIR, opts).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    armed.store(true, Ordering::SeqCst);
    put(&store, "a", 1, Durability::Synced).unwrap();
    store.flush().unwrap();
    put(&store, "b", 2, Durability::Synced).unwrap();
    store.flush().unwrap();
    gate.came(); // the background merge has written its table and not yet named it
    let (tell, told) = std::sync::mpsc::channel();
    let closer = std::thread::spawn(move || {
        store.close().unwrap();
        drop(store);
        tell.send(()).unwrap();
    });
    // Right: close waits until the merge is let go. Wrong: it returns.
    let early = told.recv_timeout(std::time::Duration::from_millis(500)).is_ok();
    let second = early.then(|| open(&sim).unwrap());
    gate.open();
    closer.join().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    if let Some(second) = second {
        assert_eq!((get(&second, "a"), get(&second, "b")), (Some(1), Some(2)));
        second.close().unwrap();
    }
    println!("close returned early: {early}; {:?}", sim.disk.files());
    let third = open(&sim).unwrap();
    assert_eq!((get(&third, "a"), get(&third, "b")), (Some(1), Some(2)));
    assert!(!early, "close returned while a merge was under way");
}

#[test]
fn close_waits_for_the_background_step_under_way() {
    let sim = SimWorld::new(EventTime(T0));
    let gate = Gate::default();
    let armed = Arc::new(AtomicBool::new(false));
    let (g, a) = (gate.clone(), armed.clone());
    let mut world = hooked(&sim, move |op, path| {
        let name = std::thread::current().name().unwrap_or("").to_owned();
        if op == "sync"
            && name == "asofdb-compact"
            && path.to_string_lossy().contains("TABLE")
            && a.swap(false, Ordering::SeqCst)
        {
            g.pass();
        }
    });
    world.scheduler = Arc::new(Threads);
    let opts = options(&sim).world(world).max_recent_tables(2);
    let store = Store::open(DIR, opts).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    armed.store(true, Ordering::SeqCst);
    put(&store, "a", 1, Durability::Synced).unwrap();
    store.flush().unwrap();
    put(&store, "a", 2, Durability::Synced).unwrap();
    store.flush().unwrap();
    gate.came();
    let closed = Arc::new(AtomicBool::new(false));
    let (c, s) = (closed.clone(), store.clone());
    let t = std::thread::spawn(move || {
        s.close().unwrap();
        c.store(true, Ordering::SeqCst);
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    let closed_early = closed.load(Ordering::SeqCst);
    let second = if closed_early { Some(open(&sim).unwrap()) } else { None };
    gate.open();
    t.join().unwrap();
    drop(store);
    std::thread::sleep(std::time::Duration::from_millis(300));
    drop(second);
    println!("{:?}", sim.disk.files());
    let third = open(&sim).unwrap();
    assert_eq!(get(&third, "a"), Some(2));
    assert!(!closed_early, "close returned while a compaction was under way");
}

#[test]
fn commits_reserved_by_a_rotated_log_stay_reserved() {
    let sim = SimWorld::new(EventTime(T0));
    let store = Store::open(DIR, options(&sim).memtable_bytes(1)).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    // beyond the ceiling of the definition: the log alone raises it
    sim.clock.advance(Span::from_secs(10));
    put(&store, "a", 1, Durability::Synced).unwrap(); // raises, rotates
    let lost = put(&store, "b", 2, Durability::Buffered).unwrap_or(Commit(0));
    // (a write of one more batch also rotates with memtable_bytes 1; use a plain store below)
    drop(store);
    let _ = lost;

    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    sim.clock.advance(Span::from_secs(10));
    put(&store, "a", 1, Durability::Synced).unwrap();
    store.flush().unwrap(); // rotates
    let lost = put(&store, "b", 2, Durability::Buffered).unwrap();
    let stamp = store.stamp().unwrap();
    assert_eq!(stamp.commit, lost);
    let sim = sim.after_power_cut(1, CrashPolicy::STRICT);
    let store = open(&sim).unwrap();
    assert_eq!(get(&store, "b"), None);
    let next = put(&store, "c", 3, Durability::Synced).unwrap();
    assert_ne!(next, lost, "a commit was used twice");
    let again = store.read("b", "v:f", &Read::at(stamp));
    assert!(matches!(again, Err(Error::LostCommit { .. })), "{again:?}");
}

#[test]
fn a_definition_does_not_outlive_the_batches_before_it() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    put(&store, "a", 1, Durability::Synced).unwrap();
    let lost = put(&store, "a", 2, Durability::Buffered).unwrap();
    let stamp = store.stamp().unwrap();
    assert_eq!(stamp.commit, lost);
    store.define(FeatureSpec::new("v:g", ValueType::I64)).unwrap();
    let later = store.stamp().unwrap();
    let ask = Read::as_of(EventTime::MAX);
    let first = store.read("a", "v:f", &ask.clone().stamp(later)).unwrap().as_i64();
    let sim = sim.after_power_cut(1, CrashPolicy::STRICT);
    let store = open(&sim).unwrap();
    for stamp in [stamp, later] {
        match store.read("a", "v:f", &ask.clone().stamp(stamp)) {
            Err(Error::LostCommit { .. }) => {}
            Ok(again) => assert_eq!(again.as_i64(), first, "{stamp:?} answers otherwise"),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn compaction_comes_to_an_end() {
    let sim = SimWorld::new(EventTime(T0));
    let opts = options(&sim).memtable_bytes(1 << 30).table_bytes(4096).max_recent_tables(4);
    let store = Store::open(DIR, opts).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    let fill = |from: i64, to: i64| {
        let mut batch = Batch::new();
        for n in from..to {
            batch.put(format!("entity-{n:06}"), "v:f", EventTime(T0 + n), n);
        }
        store.write(batch, Durability::Buffered).unwrap();
    };
    fill(0, 20_000);
    store.compact().unwrap(); // a large run
    println!("{:?}", store.stats());
    for n in 0..3 {
        fill(20_000 + n * 500, 20_500 + n * 500);
        store.flush().unwrap();
    }
    let mut steps = 0;
    while store.step().unwrap() {
        steps += 1;
        assert!(steps < 50, "still merging: {:?}", store.stats());
    }
    println!("{steps}");
}

#[test]
fn a_large_mark_is_refused_or_kept() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    put(&store, "a", 1, Durability::Synced).unwrap();
    let mut batch = Batch::new();
    batch.put("a", "v:f", EventTime(T0 + 2), 2i64);
    batch.mark("m", &vec![1; 258 << 20]);
    let written = store.write(batch, Durability::Synced);
    println!("{written:?}");
    let after = put(&store, "b", 3, Durability::Synced);
    drop(store);
    let store = open(&sim).unwrap();
    if written.is_ok() {
        assert_eq!(get(&store, "a"), Some(2));
    }
    if after.is_ok() {
        assert_eq!(get(&store, "b"), Some(3));
    }
}

#[test]
fn many_marks_do_not_make_the_store_unopenable() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    for n in 0..300 {
        let mut batch = Batch::new();
        batch.put("a", "v:f", EventTime(T0 + n), n);
        batch.mark(&format!("m{n}"), &vec![1; 1 << 20]);
        if store.write(batch, Durability::Buffered).is_err() {
            return;
        }
        if n % 50 == 49 {
            store.flush().unwrap();
        }
    }
    store.close().unwrap();
    drop(store);
    let store = open(&sim).unwrap();
    drop(store);
    let store = open(&sim).unwrap();
    assert_eq!(get(&store, "a"), Some(299));
}

#[test]
fn a_revert_takes_no_later_batch() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    let bad = put(&store, "a", 1, Durability::Synced).unwrap();
    let next = Commit(bad.0 + 5_000_000);
    store.revert(Revert::commits([bad, next])).ok();
    sim.clock.set(EventTime(next.0));
    let commit = put(&store, "b", 2, Durability::Synced).unwrap();
    assert_eq!(commit, next);
    assert_eq!(get(&store, "b"), Some(2));
}

#[test]
fn a_mark_that_a_revert_took_does_not_come_back_at_an_open() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    let mut batch = Batch::new();
    batch.put("a", "v:f", EventTime(T0), 1i64).mark("m", b"17");
    let commit = store.write(batch, Durability::Synced).unwrap();
    store.revert(Revert::commits([commit])).unwrap();
    assert_eq!(store.mark("m"), None);
    store.close().unwrap();
    let store = open(&sim).unwrap();
    assert_eq!(store.mark("m"), None);
}

#[test]
fn a_stamp_taken_after_a_crash_and_a_clean_close_can_be_read() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    put(&store, "a", 1, Durability::Synced).unwrap();
    let sim = sim.after_power_cut(1, CrashPolicy::STRICT);
    let store = open(&sim).unwrap();
    store.close().unwrap();
    let store = open(&sim).unwrap();
    let stamp = store.stamp().unwrap();
    let again = store.read("a", "v:f", &Read::as_of(EventTime::MAX).stamp(stamp));
    assert_eq!(again.unwrap().as_i64(), Some(1));
}

#[test]
fn a_store_whose_making_was_cut_off_twice_can_be_made() {
    let mut sim = SimWorld::new(EventTime(T0));
    for _ in 0..3 {
        sim.disk.arm(|o, _| o == Operation::Rename);
        sim.disk.fail_at(sim.disk.operations(), Fault::NoSpace);
        println!("{:?}", open(&sim).map(drop));
        sim = sim.after_kill();
    }
    open(&sim).unwrap();
}

#[test]
fn a_write_that_returns_an_error_is_not_in_the_store_or_poisons_it() {
    let sim = SimWorld::new(EventTime(T0));
    let opts = options(&sim).memtable_bytes(1).max_sealed_memtables(2);
    let store = Store::open(DIR, opts).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    sim.disk.arm(|o, p| o == Operation::Create && p.to_string_lossy().contains("TABLE"));
    sim.disk.fail_from(0, Fault::NoSpace);
    let mut lies = 0;
    for n in 0..20 {
        let entity = format!("e{n}");
        let written = put(&store, &entity, n, Durability::Buffered);
        if let Err(error) = &written
            && !matches!(error, Error::Poisoned { .. })
            && get(&store, &entity).is_some()
        {
            lies += 1;
        }
    }
    println!("{:?}", store.stats().memtables);
    assert!(lies <= 1, "{lies} writes said that they failed and did not, and more were taken");
    assert!(
        store.stats().memtables <= 6,
        "memory grows while flushes fail: {}",
        store.stats().memtables
    );
}

#[test]
fn a_flush_that_fails_leaves_no_files() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    put(&store, "a", 1, Durability::Synced).unwrap();
    sim.disk.arm(|o, p| o == Operation::Append && p.to_string_lossy().contains("TABLE"));
    sim.disk.fail_from(0, Fault::ShortWrite);
    for _ in 0..10 {
        store.flush().unwrap_err();
    }
    let tables =
        sim.disk.files().iter().filter(|f| f.0.to_string_lossy().contains("TABLE")).count();
    assert!(tables <= 1, "{tables} half tables");
}
