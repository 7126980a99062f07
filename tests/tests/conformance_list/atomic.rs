//! Item 11: of a batch, a crash leaves all or nothing, and never one without those before it.

use std::io::ErrorKind;

use asofdb::world::sim::{CrashPolicy, Fault, Rng, SimWorld};
use asofdb::{
    Batch, Durability, EventTime, FeatureSpec, KnownTime, Options, Read, Revert, Store, ValueType,
};

const ENTITIES: [&str; 5] = ["ant", "bee", "cat", "dog", "eel"];
const FEATURES: [&str; 2] = ["f", "g"];

/// Memtables so small that a few batches fill one; the log is synced when another is begun.
const SMALL: usize = 15_000;
const LARGE: usize = 1 << 20;

fn open_with(sim: &SimWorld, memtable_bytes: usize) -> Store {
    let options = Options::new().world(sim.world());
    let options = options.memtable_bytes(memtable_bytes).max_recent_tables(3);
    Store::open("/store", options).unwrap()
}

fn open(sim: &SimWorld) -> Store {
    open_with(sim, SMALL)
}

fn new_store(sim: &SimWorld) -> Store {
    new_store_with(sim, SMALL)
}

fn new_store_with(sim: &SimWorld, memtable_bytes: usize) -> Store {
    let store = open_with(sim, memtable_bytes);
    store.define(FeatureSpec::new("f", ValueType::I64)).unwrap();
    store.define(FeatureSpec::new("g", ValueType::Text)).unwrap();
    store
}

/// The n-th batch: every feature of every entity at n, the texts longer than a sector of a disk now and then.
fn batch(n: i64) -> Batch {
    let mut batch = Batch::new();
    batch.source(format!("batch {n}"));
    let length = if n % 5 == 0 { 700 } else { 20 };
    for entity in ENTITIES {
        batch.put(entity, "f", EventTime(n), n);
        batch.put(entity, "g", EventTime(n), format!("{n} {}", "x".repeat(length)));
    }
    batch
}

fn write(store: &Store, n: i64, durability: Durability) {
    store.write(batch(n), durability).unwrap();
}

/// How many of the cells of batch n are there.
fn cells_of(store: &Store, n: i64) -> usize {
    let features = store.select(&FEATURES).unwrap();
    let rows = store.read_rows(&ENTITIES, &features, &Read::as_of(EventTime(n))).unwrap();
    let answers = rows.iter().flat_map(|row| &row.answers);
    let is_of_n = |answer: &&asofdb::Answer| {
        let text = answer.as_text().and_then(|text| text.split(' ').next()?.parse().ok());
        answer.event_time() == Some(EventTime(n)) && answer.as_i64().or(text) == Some(n)
    };
    answers.filter(is_of_n).count()
}

/// How many of the batches from 1 on are there, each whole and none without those before it.
fn whole_batches(store: &Store, written: i64) -> i64 {
    let cells: Vec<usize> = (1..=written).map(|n| cells_of(store, n)).collect();
    let whole = cells.iter().take_while(|cells| **cells == 10).count();
    assert!(cells[whole..].iter().all(|cells| *cells == 0), "{cells:?}");
    i64::try_from(whole).unwrap()
}

pub fn after_a_power_cut_a_batch_is_whole_or_absent() {
    let mut found = [0; 13];
    for seed in 0..150 {
        let mut rng = Rng::new(seed);
        let sim = SimWorld::new(EventTime(1_000));
        let store = new_store_with(&sim, if rng.percent(50) { SMALL } else { LARGE });
        let mut durable = 0;
        for n in 1..=12 {
            let durability = match rng.percent(15) {
                true => Durability::Synced,
                false => Durability::Buffered,
            };
            write(&store, n, durability);
            if durability == Durability::Synced {
                durable = n;
            }
            if rng.percent(10) {
                store.step().unwrap();
            }
        }
        let store = open(&sim.after_power_cut(seed, CrashPolicy::draw(&mut rng)));
        let whole = whole_batches(&store, 12);
        assert!(whole >= durable, "seed {seed}: {whole} of {durable} durable batches");
        found[usize::try_from(whole).unwrap()] += 1;
    }
    println!("crashes that left 0 to 12 batches: {found:?}");
    assert!(found.iter().filter(|times| **times > 0).count() > 5, "the crashes are all alike");
}

pub fn nothing_is_left_of_a_batch_that_was_not_synced_when_the_power_cut_leaves_nothing() {
    let sim = SimWorld::new(EventTime(1_000));
    let store = new_store(&sim);
    write(&store, 1, Durability::Synced);
    write(&store, 2, Durability::Buffered);
    let store = open(&sim.after_power_cut(0, CrashPolicy::STRICT));
    assert_eq!(whole_batches(&store, 2), 1);
}

pub fn a_synced_batch_outlives_a_power_cut_with_all_before_it() {
    let sim = SimWorld::new(EventTime(1_000));
    let store = new_store(&sim);
    for n in 1..=9 {
        write(&store, n, Durability::Buffered);
    }
    write(&store, 10, Durability::Synced);
    let store = open(&sim.after_power_cut(0, CrashPolicy::STRICT));
    assert_eq!(whole_batches(&store, 10), 10);
}

pub fn a_buffered_batch_outlives_its_process() {
    let sim = SimWorld::new(EventTime(1_000));
    let store = new_store(&sim);
    for n in 1..=10 {
        write(&store, n, Durability::Buffered);
    }
    let store = open(&sim.after_kill());
    assert_eq!(whole_batches(&store, 10), 10);
}

/// The disk goes away at each operation of the writing of one batch and of the flush after it.
pub fn a_batch_that_the_disk_refuses_is_whole_or_absent() {
    let mut cases = 0;
    for at in 0.. {
        let sim = SimWorld::new(EventTime(1_000));
        let store = new_store(&sim);
        write(&store, 5, Durability::Synced);
        let begin = sim.disk.operations();
        sim.disk.fail_from(begin + at, Fault::Error(ErrorKind::Other));
        let synced = store.write(batch(10), Durability::Synced).is_ok();
        let _ = store.flush();
        drop(store);
        for seed in 0..8 {
            let policy = [CrashPolicy::STRICT, CrashPolicy::default(), CrashPolicy::ALL];
            let policy = policy[usize::try_from(seed % 3).unwrap()];
            let store = open(&sim.after_power_cut(seed, policy));
            let found = [5, 10].map(|n| cells_of(&store, n));
            assert_eq!(found[0], 10, "operation {at}, seed {seed}");
            assert!(found[1] == 10 || (found[1] == 0 && !synced), "operation {at}: {found:?}");
            cases += 1;
        }
        if sim.disk.faults_hit() == 0 {
            break;
        }
    }
    println!("{cases} crashes");
    assert!(cases > 8, "the disk failed nowhere");
}

/// A reader of the same moment sees all of a batch's features or none: they have one commit.
pub fn all_of_a_batch_has_one_commit() {
    let sim = SimWorld::new(EventTime(1_000));
    let store = new_store(&sim);
    write(&store, 1, Durability::Buffered);
    let between = store.snapshot().unwrap();
    let commit = store.write(batch(2), Durability::Buffered).unwrap();
    for flushed in [false, true] {
        if flushed {
            store.flush().unwrap();
        }
        let features = store.select(&FEATURES).unwrap();
        let told = |read: &Read| {
            let rows = store.read_rows(&ENTITIES, &features, read).unwrap();
            let answers = rows.iter().flat_map(|row| row.answers.clone());
            let origins = answers.map(|answer| {
                let origin = answer.origin().unwrap().clone();
                (origin.event_time.0, origin.commit, origin.source.unwrap().to_string())
            });
            origins.collect::<std::collections::BTreeSet<_>>()
        };
        let newest = told(&Read::as_of(EventTime(2)));
        assert_eq!(newest.into_iter().collect::<Vec<_>>(), [(2, commit, "batch 2".to_owned())]);
        let before = Read::as_of(EventTime(2)).known_at(KnownTime(commit.0 - 1));
        assert_eq!(told(&before).len(), 1);
        assert_eq!(told(&before), told(&Read::as_of(EventTime(2)).snapshot(&between)));
    }
}

/// A revert takes away whole batches, and a crash leaves all of the revert or nothing.
pub fn after_a_power_cut_a_revert_is_whole_or_absent() {
    for at in 0.. {
        let sim = SimWorld::new(EventTime(1_000));
        let store = new_store(&sim);
        write(&store, 1, Durability::Synced);
        write(&store, 2, Durability::Synced);
        sim.disk.fail_from(sim.disk.operations() + at, Fault::Error(ErrorKind::Other));
        let reverted = store.revert(Revert::source("batch 2")).is_ok();
        drop(store);
        for (seed, policy) in [(0, CrashPolicy::STRICT), (1, CrashPolicy::default())] {
            let store = open(&sim.after_power_cut(seed, policy));
            let found = [1, 2].map(|n| cells_of(&store, n));
            assert!(found == [10, 0] || (found == [10, 10] && !reverted), "{at}: {found:?}");
        }
        if sim.disk.faults_hit() == 0 {
            assert!(reverted);
            break;
        }
    }
}
