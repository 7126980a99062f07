//! A log that is synced after every few bytes is written over room that was made ahead. Who reads it must take the room
//! for no part of it: an open store's readers, an opening after a kill or a power cut, and the one after a clean close.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use asofdb::world::sim::{CrashPolicy, Fault, Operation, SimWorld};
use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType, inspect};
use asofdb_tests::ledger::{new_world, verify};

fn open(sim: &SimWorld) -> Store {
    Store::open("/store", Options::new().world(sim.world())).unwrap()
}

fn put(store: &Store, value: i64, durability: Durability) {
    let mut batch = Batch::new();
    batch.put("e", "v:f", EventTime(value), value);
    store.write(batch, durability).unwrap();
}

fn latest(store: &Store) -> Option<i64> {
    store.latest("e", "v:f").unwrap().as_i64()
}

/// A store with so many synced batches of one record.
fn synced(sim: &SimWorld, batches: i64) -> Store {
    let store = open(sim);
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    (1..=batches).for_each(|value| put(&store, value, Durability::Synced));
    store
}

/// What a record ends with may be zeros, too: a number has eight bytes.
const NONE: usize = 8;

/// The newest log, and how many zeros it ends with.
fn room(sim: &SimWorld) -> (PathBuf, usize) {
    let is_log = |path: &PathBuf| path.to_string_lossy().contains("LOG-");
    let logs = sim.disk.files().into_iter().map(|(path, _)| path).filter(is_log);
    let log = logs.max().unwrap();
    let bytes = sim.disk.read_file(&log).unwrap();
    (log, bytes.iter().rev().take_while(|byte| **byte == 0).count())
}

#[test]
fn room_is_taken_for_batches_or_batches_for_room() {
    let sim = new_world();
    let store = synced(&sim, 40);
    let (log, ahead) = room(&sim);
    assert!(ahead > 1_000, "there is no room: {ahead}");
    assert!(sim.disk.is_durable(&log).unwrap());
    let reader = Store::open("/store", Options::new().world(sim.world()).read_only(true)).unwrap();
    assert_eq!(latest(&reader), Some(40));
    for world in [sim.after_kill(), sim.after_power_cut(7, CrashPolicy::STRICT)] {
        let verified =
            inspect::verify(Path::new("/store"), &world.world(), &mut |_, _| {}).unwrap();
        assert!(verified.faults().next().is_none());
        assert!(verified.files.iter().any(|file| file.torn.is_some()));
        let store = open(&world);
        assert_eq!(latest(&store), Some(40));
        put(&store, 41, Durability::Synced);
        drop(store);
        assert_eq!(latest(&open(&world.after_kill())), Some(41));
        verify(&world);
    }
    store.close().unwrap();
    assert!(room(&sim).1 < NONE, "a sealed log has room");
    assert_eq!(latest(&open(&sim)), Some(40));
    verify(&sim);
}

#[test]
fn a_log_that_makes_way_for_a_new_one_keeps_its_room() {
    let sim = new_world();
    let store = synced(&sim, 40);
    store.flush().unwrap();
    (41..=80).for_each(|value| put(&store, value, Durability::Synced));
    assert!(room(&sim).1 > 1_000);
    store.flush().unwrap();
    drop(store);
    verify(&sim);
    assert_eq!(latest(&open(&sim.after_kill())), Some(80));
}

#[test]
fn logs_that_are_seldom_synced_have_room() {
    let sim = new_world();
    let store = open(&sim);
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    (1..=500).for_each(|value| put(&store, value, Durability::Buffered));
    assert!(room(&sim).1 < NONE);
}

#[test]
fn a_disk_without_room_refuses_batches_or_loses_them() {
    for fault in [Fault::NoSpace, Fault::ShortWrite, Fault::Applied(ErrorKind::Other)] {
        let sim = new_world();
        sim.disk.arm(|operation, _| operation == Operation::MakeRoom);
        let before = sim.disk.operations();
        sim.disk.fail_at(before, fault);
        let store = synced(&sim, 40);
        let asked = sim.disk.operations() - before;
        assert_eq!((sim.disk.faults_hit(), asked), (1, 1), "it is asked once");
        assert_eq!(latest(&open(&sim.after_power_cut(3, CrashPolicy::STRICT))), Some(40));
        store.close().unwrap();
        assert!(room(&sim).1 < NONE);
        assert_eq!(latest(&open(&sim)), Some(40));
        verify(&sim);
    }
}

#[test]
fn a_log_whose_room_could_not_be_taken_back_is_sealed() {
    let sim = new_world();
    let store = synced(&sim, 40);
    sim.disk.arm(|operation, _| operation == Operation::Truncate);
    sim.disk.fail_at(sim.disk.operations(), Fault::Error(ErrorKind::Other));
    assert!(store.close().is_err());
    sim.disk.heal();
    let world = sim.after_kill();
    verify(&world);
    assert_eq!(latest(&open(&world)), Some(40));
}
