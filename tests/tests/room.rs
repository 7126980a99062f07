//! A log that is synced after every few bytes is written over room that was made ahead. Who reads it must take the room
//! for no part of it: an open store's readers, an opening after a kill or a power cut, and the one after a clean close.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use asofdb::world::sim::{CrashPolicy, Fault, Operation, SimWorld};
use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType, inspect};
use asofdb_tests::hook_disk::hooked;
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

fn is_log(path: &Path) -> bool {
    path.to_string_lossy().contains("LOG-")
}

fn fail_next(sim: &SimWorld, which: Operation, name: &'static str, fault: Fault) {
    sim.disk
        .arm(move |operation, path| operation == which && path.to_string_lossy().contains(name));
    sim.disk.fail_at(sim.disk.operations(), fault);
}

/// What a record ends with may be zeros, too: a number has eight bytes.
const NONE: usize = 8;

/// The newest log, and how many zeros it ends with.
fn room(sim: &SimWorld) -> (PathBuf, usize) {
    let logs = sim.disk.files().into_iter().map(|(path, _)| path);
    let log = logs.filter(|path| is_log(path)).max().unwrap();
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
    assert!(room(&sim).1 > 1_000);
    // The log is sealed, and stays: no table comes of it.
    fail_next(&sim, Operation::Create, "TABLE", Fault::NoSpace);
    assert!(store.flush().is_err());
    drop(store);
    sim.disk.heal();
    let sealed = sim.disk.files().into_iter().filter(|(path, _)| is_log(path)).count();
    assert_eq!(sealed, 2, "the sealed log and the new one");
    let world = sim.after_kill();
    verify(&world);
    assert_eq!(latest(&open(&world)), Some(40));
}

/// What a reader finds of a store with which something is done before each sector of a log that it reads: it is told how
/// many bytes were read before.
fn read_meanwhile(
    store: Store,
    sim: &SimWorld,
    what: impl Fn(&Store, usize) + Send + Sync + 'static,
) -> asofdb::Result<Store> {
    let (read, is_within) = (AtomicUsize::new(0), AtomicBool::new(false));
    let world = hooked(sim, move |operation, path| match operation {
        _ if !is_log(path) || is_within.load(Ordering::SeqCst) => {}
        "open" => read.store(0, Ordering::SeqCst),
        "read" => {
            is_within.store(true, Ordering::SeqCst);
            what(&store, read.fetch_add(512, Ordering::SeqCst));
            is_within.store(false, Ordering::SeqCst);
        }
        _ => {}
    });
    let verified = inspect::verify(Path::new("/store"), &world, &mut |_, _| {})?;
    let fault = verified.faults().next();
    assert!(fault.is_none(), "{fault:?}");
    Store::open("/store", Options::new().world(world).read_only(true))
}

/// A reader copied a sector of room; frames were written there and behind; their marks, which it then came to, told that
/// there had been frames, and a sound store was called damaged.
#[test]
fn frames_that_are_written_while_a_log_is_read_are_taken_for_damage() {
    let sim = new_world();
    let store = synced(&sim, 60);
    let written = |sim: &SimWorld| {
        let (log, ahead) = room(sim);
        sim.disk.read_file(&log).unwrap().len() - ahead
    };
    let (end, value) = (AtomicUsize::new(written(&sim)), AtomicI64::new(61));
    let (seen, wrote) = (sim.disk.clone(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&wrote);
    let reader = read_meanwhile(store, &sim, move |store, read| {
        // The sector in which the log ended was read as it was, with room behind.
        if read <= end.load(Ordering::SeqCst) || count.load(Ordering::SeqCst) == 4 {
            return;
        }
        count.fetch_add(1, Ordering::SeqCst);
        for _ in 0..12 {
            put(store, value.fetch_add(1, Ordering::SeqCst), Durability::Synced);
        }
        let sim = SimWorld { disk: Arc::clone(&seen), ..new_world() };
        end.store(written(&sim), Ordering::SeqCst);
    })
    .unwrap();
    assert!(wrote.load(Ordering::SeqCst) > 0);
    assert!(latest(&reader) >= Some(60 + 12));
}

/// Room was taken back from a log while it was read, before anything else told that it was sealed: the reader came to an
/// end that it did not expect.
#[test]
fn a_log_that_becomes_shorter_while_it_is_read_is_an_error() {
    let sim = new_world();
    let store = synced(&sim, 40);
    let disk = Arc::clone(&sim.disk);
    let before = room(&sim).1;
    let reader = read_meanwhile(store, &sim, move |store, _| {
        // The edit that would seal the log cannot be written.
        disk.arm(|operation, path| {
            operation == Operation::Append && path.to_string_lossy().contains("MANIFEST")
        });
        disk.fail_from(disk.operations(), Fault::NoSpace);
        assert!(store.flush().is_err());
    })
    .unwrap();
    assert_eq!(latest(&reader), Some(40));
    assert!(before > 1_000 && sim.disk.faults_hit() > 0);
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
    fail_next(&sim, Operation::TakeRoomBack, "LOG", Fault::Error(ErrorKind::Other));
    assert!(store.close().is_err());
    sim.disk.heal();
    let world = sim.after_kill();
    verify(&world);
    assert_eq!(latest(&open(&world)), Some(40));
}

/// A disk that is nearly full kept a part of the room, which others may need.
#[test]
fn a_full_disk_keeps_the_room_that_it_gave_in_part() {
    let sim = new_world();
    let store = synced(&sim, 0);
    sim.disk.arm(|operation, _| operation == Operation::MakeRoom);
    sim.disk.fail_at(sim.disk.operations(), Fault::ShortWrite);
    for value in 1.. {
        put(&store, value, Durability::Synced);
        if sim.disk.faults_hit() > 0 {
            break;
        }
    }
    assert!(room(&sim).1 < NONE, "a part of the room is there: {:?}", room(&sim));
}

/// Room was made for a batch just before it was written: the disk took as many bytes of zeros first.
#[test]
fn a_large_batch_is_written_twice() {
    const LARGE: usize = 1 << 20;
    let sim = new_world();
    let store = synced(&sim, 40);
    store.define(FeatureSpec::new("v:t", ValueType::Text)).unwrap();
    assert!(room(&sim).1 > 1_000);
    sim.disk.start_trace();
    let mut batch = Batch::new();
    batch.put("e", "v:t", EventTime(1), "x".repeat(LARGE).as_str());
    store.write(batch, Durability::Synced).unwrap();
    let trace = sim.disk.take_trace();
    let taken = trace.iter().filter_map(|line| {
        let is_taken = line.contains("Append ") || line.contains("MakeRoom ");
        line.rsplit(' ').next().filter(|_| is_taken)?.trim_start_matches('+').parse::<usize>().ok()
    });
    let taken: usize = taken.sum();
    assert!((LARGE..LARGE + 1_000).contains(&taken), "{taken} bytes: {trace:?}");
}

/// Room was taken back by the name of a log and not through its open file, which not every system allows.
#[test]
fn a_log_that_is_being_written_is_cut_by_its_name() {
    let sim = new_world();
    sim.disk.arm(|operation, path| operation == Operation::Truncate && is_log(path));
    sim.disk.fail_from(0, Fault::Error(ErrorKind::PermissionDenied));
    let store = synced(&sim, 40);
    assert!(room(&sim).1 > 1_000);
    store.flush().unwrap();
    put(&store, 41, Durability::Synced);
    store.close().unwrap();
    assert_eq!((latest(&open(&sim)), sim.disk.faults_hit()), (Some(41), 0));
}
