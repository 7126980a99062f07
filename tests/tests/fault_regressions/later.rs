//! The faults that came to light later: at reopenings, at the ends of ranges, and in what was mended before.

use super::*;

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

/// The horizon was held at the first moment of all when it lay before it, and refused what was asked from there.
#[test]
fn a_horizon_before_all_time_refuses_a_read_from_before_all_time() {
    let sim = SimWorld::new(EventTime(-5));
    let store = open(&sim).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64).history(Span::MAX)).unwrap();
    let read = Read::as_of(EventTime::MIN).before();
    assert_eq!(store.read("a", "v:f", &read).unwrap().answer, Answer::Missing);
    sim.clock.set(EventTime(-1));
    assert!(matches!(store.read("a", "v:f", &read), Err(Error::BelowHorizon { .. })));
}

/// A lag that goes before all time was held at the first moment of all, so that a row knew what it could not.
#[test]
fn a_row_of_a_join_knows_what_was_known_after_its_lag() {
    let sim = SimWorld::new(EventTime(0));
    let store = made(&sim);
    let mut batch = Batch::new();
    batch.put("a", "v:f", EventTime::MIN, 1i64).known(KnownTime::MIN);
    store.write(batch, Durability::Synced).unwrap();
    let features = store.select(&["v:f"]).unwrap();
    let status = |lag| {
        let options = JoinOptions::new().known_at_row(Span::from_micros(lag).unwrap());
        let joiner = store.joiner(&features, options).unwrap();
        let joined = joiner.join(&[Some(("a", EventTime(EventTime::MIN.0 + 1)))]).unwrap();
        joined.column(0).unwrap().status().to_vec()
    };
    assert_eq!(status(1), [Status::Value]);
    assert_eq!(status(2), [Status::Missing]);
}

/// The worker of flushes died after a writer had looked whether it was alive, and before it waited: nobody was left who
/// would wake it.
#[test]
fn a_writer_waits_for_ever_for_a_worker_that_died() {
    #[derive(Debug, Default)]
    struct Between {
        dies: Gate,
        is_dead: Gate,
    }
    impl events::EventListener for Between {
        fn stall_begun(&self, _: &events::StallBegun) {
            self.dies.open();
            self.is_dead.pass();
        }
        fn background_failed(&self, _: &events::BackgroundFailed) {
            self.is_dead.open();
        }
    }
    let sim = SimWorld::new(EventTime(T0));
    let between = Arc::new(Between::default());
    let dies = between.dies.clone();
    let mut world = hooked(&sim, move |op, path| {
        if op == "create" && path.to_string_lossy().contains("TABLE") {
            dies.pass();
            panic!("as the test wants it");
        }
    });
    world.scheduler = Arc::new(Threads);
    let options = options(&sim).world(world).listener(Some(between));
    let store = Store::open(DIR, options.memtable_bytes(1).max_sealed_memtables(1)).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    let writer = store.clone();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let refused = (0..3).find_map(|n| put(&writer, "a", n, Durability::Buffered).err());
        tell.send(refused).unwrap();
    });
    // So that a writer who waits for ever fails the test and does not hold it.
    let refused = told.recv_timeout(std::time::Duration::from_secs(60)).expect("it waits");
    assert!(matches!(refused, Some(Error::Io { op: "go on with", .. })), "{refused:?}");
    let refused = put(&store, "a", 9, Durability::Buffered);
    assert!(matches!(refused, Err(Error::Poisoned { .. })), "{refused:?}");
}

/// A sync of a parent that failed was passed over, and the name of a store was lost that had been said to be made.
#[test]
fn a_store_is_made_whose_name_a_power_cut_takes() {
    let mut refused = 0;
    for at in 0.. {
        let sim = SimWorld::new(EventTime(T0));
        // Nobody made the directories above it durable.
        let dir = "/some/where/db";
        sim.disk.arm(|operation, _| operation == Operation::SyncDir);
        sim.disk.fail_at(at, Fault::Error(ErrorKind::Other));
        let made = Store::open(dir, options(&sim)).and_then(|store| {
            store.define(FeatureSpec::new("v:f", ValueType::I64))?;
            put(&store, "a", 1, Durability::Synced)
        });
        if made.is_err() {
            refused += 1;
        } else {
            let cut = sim.after_power_cut(1, CrashPolicy::STRICT);
            let store = Store::open(dir, options(&cut).create(false));
            assert_eq!(get(&store.unwrap(), "a"), Some(1), "sync {at} of a directory");
        }
        if sim.disk.faults_hit() == 0 {
            break;
        }
    }
    assert!(refused > 3, "three parents have names to keep: {refused}");
}

/// A sync did nothing where no batch had put anything, though such batches have commits that stamps tell.
#[test]
fn a_sync_after_batches_of_nothing_does_nothing() {
    let sim = SimWorld::new(EventTime(T0));
    let store = made(&sim);
    let commits = [(); 2].map(|()| store.write(Batch::new(), Durability::Buffered).unwrap());
    store.sync().unwrap();
    let stamp = store.stamp().unwrap();
    let sim = sim.after_power_cut(1, CrashPolicy::STRICT);
    let store = open(&sim).unwrap();
    assert_eq!(store.read("a", "v:f", &Read::at(stamp)).unwrap().answer, Answer::Missing);
    let next = put(&store, "a", 1, Durability::Synced).unwrap();
    assert!(next > commits[1], "{next:?} after {commits:?}");
}

/// A definition in the way was told with its spans in microseconds.
#[test]
fn a_definition_in_the_way_is_told_in_microseconds() {
    let sim = SimWorld::new(EventTime(T0));
    let store = open(&sim).unwrap();
    let spec = |ttl, history| {
        let spec = FeatureSpec::new("v:f", ValueType::I64).ttl(Span::from_hours(ttl));
        spec.history(Span::from_days(history))
    };
    store.define(spec(2, 30)).unwrap();
    let refused = store.define(spec(3, 30)).unwrap_err().to_string();
    let told = "v:f is already defined as i64, ttl 2h, history 30d; ";
    assert!(refused.starts_with(told), "{refused}");
}
