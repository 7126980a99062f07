//! After a clean close an opening writes nothing: the log and the manifest are made for the first batch or edit. What
//! was closed must be there after a crash at any operation of the disk that this takes, and however often it is opened.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::path::PathBuf;

use asofdb::world::sim::{CrashPolicy, Fault, Operation, Rng, SimWorld};
use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType};
use asofdb_tests::ledger::{check_clean, new_world, verify};

fn open(sim: &SimWorld) -> asofdb::Result<Store> {
    Store::open("/store", Options::new().world(sim.world()))
}

/// Writes a number for entities of which each has a name of its own.
fn put(store: &Store, names: std::ops::Range<u32>, value: i64) -> asofdb::Result<()> {
    let mut batch = Batch::new();
    for name in names {
        // Long names make a long log of few records.
        let name = if name < LONG { format!("entity-{name}") } else { format!("{name:0>250}") };
        batch.put(name, "v:f", EventTime(value), value);
    }
    store.write(batch, Durability::Synced).map(drop)
}

fn number(store: &Store, name: u32) -> Option<i64> {
    store.latest(format!("entity-{name}"), "v:f").unwrap().as_i64()
}

/// How a store was closed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Closed {
    /// With a short log, whose batches go to the next one.
    Short,
    /// With a log that stays until it is flushed.
    Long,
    /// With all in tables.
    Flushed,
}

const HELD: u32 = 20;
const LONG: u32 = 1_000;

fn closed(how: Closed) -> SimWorld {
    let sim = new_world();
    let store = open(&sim).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    put(&store, 0..HELD, 1).unwrap();
    match how {
        Closed::Short => {}
        Closed::Long => put(&store, LONG..LONG + 1_100, 1).unwrap(),
        Closed::Flushed => store.flush().unwrap(),
    }
    store.close().unwrap();
    sim
}

const ALL: [Closed; 3] = [Closed::Short, Closed::Long, Closed::Flushed];

fn files(sim: &SimWorld) -> Vec<(PathBuf, Vec<u8>)> {
    let files = sim.disk.files().into_iter();
    files.map(|(path, _)| (path.clone(), sim.disk.read_file(&path).unwrap())).collect()
}

#[test]
fn an_opening_changes_a_store_to_which_nothing_is_written() {
    for how in ALL {
        let sim = closed(how);
        let before = files(&sim);
        for _ in 0..3 {
            let store = open(&sim).unwrap();
            assert_eq!(number(&store, HELD - 1), Some(1));
            store.sync().unwrap();
            store.close().unwrap();
        }
        assert!(files(&sim) == before, "{how:?}");
        // Nor does it matter that one is not closed.
        let _open = open(&sim).unwrap();
        let cut = sim.after_power_cut(3, CrashPolicy::STRICT);
        assert_eq!(number(&open(&cut).unwrap(), HELD - 1), Some(1), "{how:?}");
        verify(&sim);
    }
}

#[test]
fn short_openings_leave_many_logs() {
    let sim = closed(Closed::Short);
    for value in 2..20 {
        let store = open(&sim).unwrap();
        put(&store, 0..1, value).unwrap();
        assert_eq!(number(&store, 0), Some(value));
        assert_eq!(number(&store, HELD - 1), Some(1));
        store.close().unwrap();
        let logs =
            files(&sim).into_iter().filter(|(path, _)| path.to_string_lossy().contains("LOG-"));
        assert_eq!(logs.count(), 1);
        verify(&sim);
    }
}

/// The first change after an opening that wrote nothing.
#[derive(Clone, Copy, Debug)]
enum First {
    Write,
    Define,
    /// Background work comes first.
    Compact,
    Erase,
}

fn change(store: &Store, first: First) -> asofdb::Result<()> {
    match first {
        First::Write => put(store, 50..51, 7),
        First::Define => store.define(FeatureSpec::new("v:g", ValueType::Bool)).map(drop),
        First::Compact => store.compact(),
        First::Erase => store.erase("entity-3").map(drop),
    }
}

fn is_changed(store: &Store, first: First) -> bool {
    match first {
        First::Write => number(store, 50) == Some(7),
        First::Define => store.feature("v:g").is_ok(),
        First::Compact => true,
        First::Erase => number(store, 3).is_none(),
    }
}

/// Goes down at an operation of the first change; whether it was reached.
fn down_at(how: Closed, first: First, at: u64, applied: bool, rng: &mut Rng) -> bool {
    let sim = closed(how).after_kill();
    sim.disk.arm(|operation, _| operation.writes() && operation != Operation::Lock);
    let from = sim.disk.operations();
    let store = open(&sim).unwrap();
    assert_eq!(sim.disk.operations(), from, "all is to be done by the first change");
    let error = ErrorKind::Other;
    let fault = if applied { Fault::Applied(error) } else { Fault::Error(error) };
    sim.disk.fail_at(from + at, fault);
    sim.disk.fail_from(from + at + 1, Fault::Error(error));
    let changed = change(&store, first);
    let sure = changed.is_ok();
    changed.unwrap_or_else(|error| check_clean(&error));
    let hit = sim.disk.faults_hit() > 0;
    let mut crashes = vec![sim.after_power_cut(0, CrashPolicy::STRICT), sim.after_kill()];
    // Of what was not synced, some is left and some is not.
    crashes.extend((0..6).map(|_| sim.after_power_cut(rng.next_u64(), CrashPolicy::draw(rng))));
    for crashed in crashes {
        for _ in 0..2 {
            let store = open(&crashed).unwrap();
            let erased = is_changed(&store, First::Erase) && matches!(first, First::Erase);
            assert!((0..HELD).all(|name| number(&store, name) == Some(1) || erased && name == 3));
            assert!(!sure || is_changed(&store, first));
            store.close().unwrap();
            verify(&crashed);
        }
        let store = open(&crashed).unwrap();
        put(&store, 60..61, 8).unwrap();
        let cut = crashed.after_power_cut(rng.next_u64(), CrashPolicy::STRICT);
        let store = open(&cut).unwrap();
        assert_eq!((number(&store, 60), number(&store, HELD - 1)), (Some(8), Some(1)));
        verify(&cut);
    }
    hit
}

#[test]
fn a_crash_at_the_first_change_loses_what_was_closed() {
    let mut rng = Rng::new(5);
    let mut crashes = 0;
    for how in ALL {
        for first in [First::Write, First::Define, First::Compact, First::Erase] {
            for at in 0.. {
                let applied = rng.percent(50);
                println!("{how:?}, {first:?}, down at operation {at}, done: {applied}");
                if !down_at(how, first, at, applied, &mut rng) {
                    break;
                }
                crashes += 8;
            }
        }
    }
    println!("{crashes} crashes, none lost what was closed");
}
