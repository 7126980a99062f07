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

mod hooks;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use asofdb::world::scheduler::Threads;
use asofdb::world::sim::{CrashPolicy, Fault, Operation, SimWorld};
use asofdb::*;
use hooks::{Gate, hooked};

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

#[test]
fn two_entities_of_one_hash_are_both_found_in_the_run() {
    fn mix(mut x: u64) -> u64 {
        x ^= x >> 32;
        x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^= x >> 29;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^ (x >> 32)
    }
    let start = 16u64.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let entity = |a: u64, b: u64| [a.to_le_bytes(), b.to_le_bytes()].concat();
    let (a, b, c) = (1u64, 2u64, 3u64);
    let d = b ^ mix(start ^ a) ^ mix(start ^ c);
    let (one, two) = (entity(a, b), entity(c, d));
    let sim = SimWorld::new(EventTime(T0));
    let store = Store::open(DIR, options(&sim).table_bytes(1)).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    let mut batch = Batch::new();
    batch.put(&one, "v:f", EventTime(T0), 1i64).put(&two, "v:f", EventTime(T0), 2i64);
    store.write(batch, Durability::Synced).unwrap();
    store.compact().unwrap();
    let get = |store: &Store, e: &[u8]| store.latest(e, "v:f").unwrap().as_i64();
    assert_eq!((get(&store, &one), get(&store, &two)), (Some(1), Some(2)));
    store.close().unwrap();
    let store = Store::open(DIR, options(&sim)).unwrap();
    assert_eq!((get(&store, &one), get(&store, &two)), (Some(1), Some(2)));
}

#[test]
fn a_jump_of_the_clock_before_the_first_flush_costs_nothing() {
    let sim = SimWorld::new(EventTime(T0));
    let store = open(&sim).unwrap();
    let spec = FeatureSpec::new("v:f", ValueType::I64).history(Span::from_days(30));
    store.define(spec).unwrap();
    put(&store, "a", 1, Durability::Synced).unwrap();
    sim.clock.advance(Span::from_secs(10));
    put(&store, "a", 2, Durability::Synced).unwrap();
    sim.clock.advance(Span::from_hours(3));
    let now = store.now();
    sim.clock.set(EventTime(now.0 + 400 * 86_400_000_000)); // a jump ...
    store.compact().unwrap();
    sim.clock.set(now); // ... set right at once
    let read = store.as_of("a", "v:f", EventTime(T0 + 1));
    assert_eq!(read.map(|r| r.as_i64()).map_err(|e| e.to_string()), Ok(Some(1)));
}

#[test]
fn a_batch_whose_sync_failed_does_not_break_the_store_after_reopening_and_a_power_cut() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    put(&store, "a", 1, Durability::Synced).unwrap();
    sim.disk.arm(|o, p| o == Operation::Sync && p.to_string_lossy().contains("LOG"));
    sim.disk.fail_at(sim.disk.operations(), Fault::Error(ErrorKind::Other));
    put(&store, "b", 2, Durability::Synced).unwrap_err();
    drop(store);
    healed(&sim);
    // As the error says: opened again, on the same machine.
    let store = open(&sim).unwrap();
    put(&store, "c", 3, Durability::Synced).unwrap();
    let seen = get(&store, "b");
    let sim = sim.after_power_cut(1, CrashPolicy::STRICT);
    let store = open(&sim).unwrap();
    assert_eq!((get(&store, "a"), get(&store, "c")), (Some(1), Some(3)));
    assert_eq!(get(&store, "b"), seen, "what a new store showed is gone without a word");
}

#[test]
fn nothing_is_appended_to_the_manifest_behind_a_half_edit() {
    let sim = SimWorld::new(EventTime(T0));
    let (flush_gate, edit_gate) = (Gate::default(), Gate::default());
    let armed = Arc::new(AtomicBool::new(false));
    let (f, e, a) = (flush_gate.clone(), edit_gate.clone(), armed.clone());
    let mut world = hooked(&sim, move |op, path| {
        if !a.load(Ordering::SeqCst) {
            return;
        }
        let (thread, file) = (std::thread::current(), path.to_string_lossy());
        match thread.name() {
            Some("flusher") if op == "sync" && file.contains("TABLE") => f.pass(),
            Some("definer") if op == "append" && file.contains("MANIFEST") => e.pass(),
            _ => {}
        }
    });
    world.scheduler = Arc::new(Threads);
    let store = Store::open(DIR, options(&sim).world(world)).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    put(&store, "a", 1, Durability::Synced).unwrap();
    armed.store(true, Ordering::SeqCst);
    let named = |n: &str| std::thread::Builder::new().name(n.to_owned());
    let s = store.clone();
    let flusher = named("flusher").spawn(move || s.flush()).unwrap();
    flush_gate.came();
    let s = store.clone();
    let definer =
        named("definer").spawn(move || s.define(FeatureSpec::new("v:g", ValueType::I64))).unwrap();
    edit_gate.came();
    fail_next(&sim, Operation::Append, "MANIFEST", Fault::ShortWrite);
    flush_gate.open();
    std::thread::sleep(std::time::Duration::from_millis(300));
    edit_gate.open();
    println!("define: {:?}", definer.join().unwrap().map(|_| ()));
    println!("flush: {:?}", flusher.join().unwrap());
    drop(store);
    healed(&sim);
    println!("{:?}", sim.disk.files());
    let store = open(&sim).unwrap();
    assert_eq!(get(&store, "a"), Some(1));
}

#[test]
fn a_batch_is_written_under_the_definition_in_force_at_its_commit() {
    let sim = SimWorld::new(EventTime(T0));
    let gate = Gate::default();
    let armed = Arc::new(AtomicBool::new(false));
    let (g, a) = (gate.clone(), armed.clone());
    let world = hooked(&sim, move |op, path| {
        if op == "append"
            && path.to_string_lossy().contains("MANIFEST")
            && a.swap(false, Ordering::SeqCst)
        {
            g.pass();
        }
    });
    let store = Store::open(DIR, options(&sim).world(world)).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    armed.store(true, Ordering::SeqCst);
    let s = store.clone();
    let evolver = std::thread::spawn(move || s.evolve("v:f", ValueType::F64).unwrap());
    gate.came();
    let s = store.clone();
    let writer = std::thread::spawn(move || put(&s, "a", 1, Durability::Synced));
    std::thread::sleep(std::time::Duration::from_millis(300));
    gate.open();
    let evolved = evolver.join().unwrap();
    let written = writer.join().unwrap();
    println!("{:?} {written:?}", evolved.since);
    if let Ok(commit) = written {
        assert!(commit < evolved.since, "an i64 was written to v:f after it became f64");
    }
}

#[test]
fn a_batch_of_marks_alone_can_be_reverted() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    let mut batch = Batch::new();
    batch.source("job").mark("m", b"17");
    store.write(batch, Durability::Synced).unwrap();
    println!("{:?}", store.revert(Revert::source("job")));
    assert_eq!(store.mark("m"), None);
}

#[test]
fn a_row_read_before_the_definition_is_an_unknown_feature_too() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    let snapshot = store.snapshot().unwrap();
    store.define(FeatureSpec::new("v:g", ValueType::I64)).unwrap();
    let read = Read::latest().snapshot(&snapshot);
    assert!(matches!(store.read("a", "v:g", &read), Err(Error::UnknownFeature { .. })));
    let selection = store.select(&["v:g"]).unwrap();
    let row = store.read_row("a", &selection, &read);
    assert!(matches!(row, Err(Error::UnknownFeature { .. })), "{row:?}");
}

#[test]
fn the_end_of_time_does_not_break_the_store() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    sim.clock.set(EventTime::MAX);
    for n in 0..3 {
        println!("{:?}", put(&store, "a", n, Durability::Synced));
    }
    drop(store);
    open(&sim).unwrap();
}

#[test]
fn a_revert_and_a_compaction_agree_on_the_horizon() {
    // The clock moves and a compaction runs between the revert's check and its edit.
    #[derive(Debug)]
    struct Hooked(Arc<asofdb::world::clock::ManualClock>, std::sync::OnceLock<Store>, AtomicBool);
    impl asofdb::world::clock::Clock for Hooked {
        fn now(&self) -> EventTime {
            let now = self.0.now();
            if self.2.swap(false, Ordering::SeqCst) {
                self.0.advance(Span::from_secs(2));
                let store = self.1.get().unwrap();
                while store.step().unwrap() {}
            }
            now
        }
        fn running(&self) -> Span {
            self.0.running()
        }
    }
    let sim = SimWorld::new(EventTime(T0));
    let clock = Arc::new(Hooked(sim.clock.clone(), Default::default(), AtomicBool::new(false)));
    let mut world = sim.world();
    world.clock = clock.clone();
    let opts = options(&sim).world(world).max_recent_tables(2).clock_lag(Span::ZERO);
    let store = Store::open(DIR, opts).unwrap();
    let _ = clock.1.set(store.clone());
    store.define(FeatureSpec::new("v:f", ValueType::I64).history(Span::from_secs(1))).unwrap();
    put(&store, "a", 1, Durability::Synced).unwrap();
    store.flush().unwrap();
    let mut batch = Batch::new();
    batch.source("bad").put("a", "v:f", EventTime(T0 + 2), 2i64);
    store.write(batch, Durability::Synced).unwrap();
    store.flush().unwrap();
    clock.2.store(true, Ordering::SeqCst);
    let reverted = store.revert(Revert::source("bad"));
    println!("{reverted:?}");
    assert_eq!(get(&store, "a"), if reverted.is_ok() { Some(1) } else { Some(2) });
}

#[test]
fn a_power_cut_while_a_killed_store_is_reopened_leaves_a_store_that_opens() {
    let mut refused = Vec::new();
    for at in 0..40 {
        let sim = SimWorld::new(EventTime(T0));
        let store = made(&sim);
        put(&store, "a", 1, Durability::Synced).unwrap();
        put(&store, "b", 2, Durability::Buffered).unwrap();
        let sim = sim.after_kill();
        sim.disk.fail_from(at, Fault::Error(ErrorKind::Other));
        drop(open(&sim));
        let sim = sim.after_power_cut(1, CrashPolicy::STRICT);
        match open(&sim) {
            Ok(store) => assert_eq!(get(&store, "a"), Some(1)),
            Err(error) => refused.push(format!("{at}: {error}")),
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn a_refused_revert_does_not_reserve_commits_in_memory_alone() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    let mut batch = Batch::new();
    batch.source("bad").put("a", "v:f", EventTime(T0), 1i64);
    store.write(batch, Durability::Synced).unwrap();
    store.revert(Revert::source("bad")).unwrap();
    sim.clock.advance(Span::from_secs(10));
    store.revert(Revert::source("bad")).unwrap_err();
    let lost = put(&store, "b", 2, Durability::Buffered).unwrap();
    let stamp = store.stamp().unwrap();
    let sim = sim.after_power_cut(1, CrashPolicy::STRICT);
    let store = open(&sim).unwrap();
    if get(&store, "b").is_none() {
        let again = store.read("b", "v:f", &Read::at(stamp));
        assert!(matches!(again, Err(Error::LostCommit { .. })), "{again:?}");
        assert_ne!(put(&store, "c", 3, Durability::Synced).unwrap(), lost);
    }
}

#[test]
fn a_store_does_not_remember_every_reading_of_the_clock() {
    fn resident() -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }
    let sim = SimWorld::new(EventTime(T0));
    let dir = tempfile::tempdir().unwrap();
    let mut world = sim.world();
    world.disk = Arc::new(asofdb::world::disk::RealDisk);
    let store =
        Store::open(dir.path(), options(&sim).world(world).commit_lease(Span::from_hours(9)))
            .unwrap();
    let write = |n: usize| {
        for _ in 0..n {
            sim.clock.advance(Span::from_micros(20).unwrap());
            store.write(Batch::new(), Durability::Buffered).unwrap();
        }
        resident()
    };
    let (before, after) = (write(300_000), write(1_500_000));
    println!("{before} {after}");
    let grown = after.saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes for 1,500,000 batches of nothing in 30 seconds");
}
