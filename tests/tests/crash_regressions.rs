//! Faults that were once in the engine and showed only after a crash or a reopen, each with its story.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use asofdb::world::sim::{CrashPolicy, SimWorld};
use asofdb::{
    Batch, Commit, Durability, EventTime, FeatureSpec, Options, Read, Revert, Store, ValueType,
};
use asofdb_format::hash::EntityHash;

fn open(world: &SimWorld) -> Store {
    Store::open("/store", Options::new().world(world.world())).unwrap()
}

fn new_store(world: &SimWorld) -> Store {
    let store = open(world);
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    store
}

fn put(store: &Store, e: i64, value: i64, durability: Durability) -> Commit {
    let mut batch = Batch::new();
    batch.put("entity", "v:f", EventTime(e), value);
    store.write(batch, durability).unwrap()
}

/// A ceiling stood only in frames of the log that raised it, and was forgotten when that log was sealed: a commit
/// that a reader had seen, and a crash had taken, was then given to another batch.
#[test]
fn a_commit_that_a_crash_took_is_given_again_after_a_flush() {
    let world = SimWorld::new(EventTime(1_000_000));
    let store = new_store(&world);
    world.clock.set(EventTime(5_000_000));
    put(&store, 1, 1, Durability::Synced);
    store.flush().unwrap();
    let taken = put(&store, 2, 2, Durability::Buffered);
    let stamp = store.latest("entity", "v:f").unwrap().stamp;
    let store = open(&world.after_power_cut(1, CrashPolicy::STRICT));
    let next = put(&store, 3, 3, Durability::Synced);
    assert!(next > taken, "{next} after {taken}");
    assert!(store.read("entity", "v:f", &Read::at(stamp)).is_err(), "a stamp of a lost commit");
}

/// A definition was durable while an earlier batch was not: after a crash the batch was gone, no loss was noted, for
/// the newest commit was the definition's, and a stamp read something else than before.
#[test]
fn a_definition_outlives_a_batch_before_it() {
    let world = SimWorld::new(EventTime(1_000_000));
    let store = new_store(&world);
    put(&store, 1, 1, Durability::Synced);
    put(&store, 2, 2, Durability::Buffered);
    let stamp = store.latest("entity", "v:f").unwrap().stamp;
    store.define(FeatureSpec::new("v:g", ValueType::I64)).unwrap();
    let store = open(&world.after_power_cut(1, CrashPolicy::STRICT));
    let again = store.read("entity", "v:f", &Read::at(stamp)).unwrap();
    assert_eq!(again.as_i64(), Some(2));
}

/// The replay of a log set marks again whose batch had been reverted by its commit.
#[test]
fn a_mark_comes_back_that_was_reverted() {
    let world = SimWorld::new(EventTime(1_000_000));
    let store = new_store(&world);
    let mut batch = Batch::new();
    batch.put("entity", "v:f", EventTime(1), 1).mark("progress", b"17");
    let commit = store.write(batch, Durability::Synced).unwrap();
    store.revert(Revert::commits([commit])).unwrap();
    assert_eq!(store.mark("progress"), None);
    assert_eq!(open(&world.after_kill()).mark("progress"), None);
}

/// A batch of short entries and long marks made a frame longer than any reader takes: it was acknowledged, and the
/// next open took it for a torn end.
#[test]
fn a_batch_too_long_for_a_frame_is_acknowledged() {
    let world = SimWorld::new(EventTime(1_000_000));
    let store = new_store(&world);
    let mut batch = Batch::new();
    batch.put("entity", "v:f", EventTime(1), 1).mark("progress", &vec![0; 258 << 20]);
    let refused = store.write(batch, Durability::Synced).unwrap_err();
    assert!(matches!(refused, asofdb::Error::InvalidArgument(_)), "{refused}");
    assert!(store.latest("entity", "v:f").unwrap().value().is_none());
}

/// Two entities of one hash lay on both sides of a cut between two tables of the run: one was not found any more, and
/// the store could not be opened again.
#[test]
fn entities_of_one_hash_are_parted_by_a_cut_between_tables() {
    const M1: u64 = 0x9e37_79b9_7f4a_7c15;
    const M2: u64 = 0xbf58_476d_1ce4_e5b9;
    let mix = |mut x: u64| {
        x = (x ^ (x >> 32)).wrapping_mul(M1);
        x = (x ^ (x >> 29)).wrapping_mul(M2);
        x ^ (x >> 32)
    };
    let after_first = |word: u64| mix(16u64.wrapping_mul(M1) ^ word);
    let entity = |first: u64, second: u64| [first.to_le_bytes(), second.to_le_bytes()].concat();
    let one = entity(1, 0);
    let other = entity(2, after_first(1) ^ after_first(2));
    assert_eq!(EntityHash::of(&one), EntityHash::of(&other));
    let world = SimWorld::new(EventTime(1_000_000));
    let options = || Options::new().world(world.world()).table_bytes(1);
    let store = Store::open("/store", options()).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    let mut batch = Batch::new();
    batch.put(&one, "v:f", EventTime(1), 1).put(&other, "v:f", EventTime(1), 2);
    store.write(batch, Durability::Synced).unwrap();
    store.compact().unwrap();
    let check = |store: &Store| {
        assert_eq!(store.latest(&one, "v:f").unwrap().as_i64(), Some(1));
        assert_eq!(store.latest(&other, "v:f").unwrap().as_i64(), Some(2));
    };
    check(&store);
    store.close().unwrap();
    check(&Store::open("/store", options()).unwrap());
}
