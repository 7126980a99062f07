//! Damage that once gave a wrong answer, or accused a file that was sound, each with its story.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use asofdb::world::sim::SimWorld;
use asofdb::{
    Batch, Durability, Error, EventTime, FeatureSpec, JoinOptions, JoinedColumn, Options, Read,
    ReadMode, Span, Status, Store, Value, ValueType, inspect,
};

use asofdb_format::frame::{self, Seed};
use asofdb_format::header::{HEADER_LEN, Header};

const DIR: &str = "/db";

fn options(sim: &SimWorld) -> Options {
    Options::new().world(sim.world()).identity(Some([7; 32]))
}

fn made(sim: &SimWorld) -> Store {
    let store = Store::open(DIR, options(sim)).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::Bytes)).unwrap();
    store
}

fn put(store: &Store, entity: &str, e: i64, len: usize) {
    let mut batch = Batch::new();
    batch.put(entity, "v:f", EventTime(e), Value::from(vec![1; len]));
    store.write(batch, Durability::Synced).unwrap();
}

/// The newest file of a kind.
fn newest(sim: &SimWorld, kind: &str) -> PathBuf {
    let files = sim.disk.files().into_iter().map(|(path, _)| path);
    let is_it = |path: &PathBuf| path.to_string_lossy().contains(kind);
    files.rev().find(is_it).unwrap()
}

/// What the sums of a file's frames begin with.
fn seed(bytes: &[u8]) -> Seed {
    let header = Header::decode(bytes).unwrap();
    Seed::of(header.store, header.number)
}

/// The store does not open, in no way, and `verify` tells of the same file.
fn names(sim: &SimWorld, file: &Path) {
    let verified = inspect::verify(Path::new(DIR), &sim.world(), &mut |_, _| {}).unwrap();
    let is_it = |error: &Error| matches!(error, Error::Corruption { file: of, .. } if of == file);
    assert!(verified.faults().any(is_it), "{:?}", verified.faults().collect::<Vec<_>>());
    for read_only in [true, false] {
        let options = options(&sim.after_kill()).read_only(read_only);
        let refused = Store::open(DIR, options).unwrap_err();
        assert!(is_it(&refused), "{refused}");
    }
}

/// A manifest cut between two frames, or put back as it had been, was whole: the last erases,
/// reverts and definitions were gone without an error, and an erased entity was there again.
#[test]
fn an_erased_entity_comes_back_with_an_old_manifest() {
    let sim = SimWorld::new(EventTime(1_000_000));
    let store = made(&sim);
    put(&store, "gone", 1, 1);
    let manifest = newest(&sim, "MANIFEST");
    let old = sim.disk.read_file(&manifest).unwrap();
    store.erase("gone").unwrap();
    put(&store, "other", 2, 1);
    for closed in [false, true] {
        if closed {
            store.close().unwrap();
        }
        let sim = sim.after_kill();
        sim.disk.write_file(&manifest, &old).unwrap();
        names(&sim, &manifest);
    }
}

/// The newest log put back as it had been before a change of the catalog: its batches were lost,
/// and the change that came after them was not.
#[test]
fn batches_before_an_erase_are_lost_with_an_old_log() {
    let sim = SimWorld::new(EventTime(1_000_000));
    let store = made(&sim);
    let log = newest(&sim, "LOG");
    let old = sim.disk.read_file(&log).unwrap();
    put(&store, "a", 1, 1);
    store.erase("b").unwrap();
    let sim = sim.after_kill();
    sim.disk.write_file(&log, &old).unwrap();
    names(&sim, &log);
}

/// An opening makes durable in a new log what the last process left. Cut between two frames that
/// log was whole: the batches were gone without an error, and a stamp of one, which the manifest
/// knew to be the newest commit, was answered as if nothing were lost.
#[test]
fn batches_that_an_opening_made_durable_are_lost_with_an_old_log() {
    let sim = SimWorld::new(EventTime(1_000_000));
    let store = made(&sim);
    for e in 1..=3 {
        put(&store, "a", e, 1);
    }
    // After a clean close nothing is copied before the first write.
    let sim = sim.after_kill();
    let store = Store::open(DIR, options(&sim)).unwrap();
    let log = newest(&sim, "LOG");
    let whole = sim.disk.read_file(&log).unwrap();
    // Behind the batches is one more frame: the note, which is not durable yet.
    let frames = |bytes: &[u8]| frame::decode_all(bytes, HEADER_LEN, seed(bytes)).0.len();
    assert_eq!(frames(&whole), 4);
    let mut cuts = 0;
    for len in HEADER_LEN..whole.len() {
        let sim = sim.after_kill();
        sim.disk.write_file(&log, &whole[..len]).unwrap();
        if frames(&whole[..len]) < 3 {
            names(&sim, &log);
            cuts += 1;
        } else {
            Store::open(DIR, options(&sim)).unwrap().close().unwrap();
        }
    }
    println!("{cuts} cuts of a log of {} bytes were seen", whole.len());
    drop(store);
}

/// Without CURRENT a store that held definitions and no batches was taken for one that was being
/// made: it was made anew, and empty.
#[test]
fn definitions_are_gone_with_current() {
    let sim = SimWorld::new(EventTime(1_000_000));
    made(&sim).close().unwrap();
    for lost in ["LOG", "MANIFEST"] {
        let sim = sim.after_kill();
        sim.disk.lose_file(&newest(&sim, lost)).unwrap();
        sim.disk.lose_file(&Path::new(DIR).join("CURRENT")).unwrap();
        names(&sim, &Path::new(DIR).join("CURRENT"));
    }
}

/// Who opened read-only did not look at logs that no manifest names: with CURRENT and the manifest
/// of an earlier day it answered as on that day.
#[test]
fn a_reader_answers_from_an_old_manifest() {
    let sim = SimWorld::new(EventTime(1_000_000));
    let store = made(&sim);
    // Too long to be copied when the store is opened again: this log stays.
    put(&store, "a", 1, 300 << 10);
    store.close().unwrap();
    let current = Path::new(DIR).join("CURRENT");
    let old: Vec<(PathBuf, Vec<u8>)> = [current.clone(), newest(&sim, "MANIFEST")]
        .map(|path| (path.clone(), sim.disk.read_file(&path).unwrap()))
        .into();
    let store = Store::open(DIR, options(&sim)).unwrap();
    put(&store, "a", 2, 1);
    let sim = sim.after_kill();
    for (path, bytes) in &old {
        sim.disk.write_file(path, bytes).unwrap();
    }
    names(&sim, &current);
    drop(store);
}

/// A manifest whose last edits are damaged named a log that a flush had taken away: the error told
/// of that log and not of the manifest.
#[test]
fn a_damaged_manifest_accuses_a_log() {
    let sim = SimWorld::new(EventTime(1_000_000));
    let store = made(&sim);
    put(&store, "a", 1, 1);
    let manifest = newest(&sim, "MANIFEST");
    let before = sim.disk.read_file(&manifest).unwrap().len();
    store.flush().unwrap();
    let whole = sim.disk.read_file(&manifest).unwrap();
    for len in before..whole.len() - 40 {
        let sim = sim.after_kill();
        let mut damaged = whole.clone();
        damaged[len..].fill(0);
        sim.disk.write_file(&manifest, &damaged).unwrap();
        names(&sim, &manifest);
        sim.disk.write_file(&manifest, &whole[..len]).unwrap();
        names(&sim, &manifest);
    }
}

/// A row of the newest versions looked at the entity's whole history where its features were not those of the head, or one
/// of them grew old: it failed where the history was damaged, and without a map it read all of it.
#[test]
fn the_newest_versions_are_refused_where_older_ones_are_damaged() {
    for read_mode in [ReadMode::Map, ReadMode::Pread] {
        let sim = SimWorld::new(EventTime(1 << 40));
        let names = ["v:a", "v:b", "v:c"];
        let options = || options(&sim).read_mode(read_mode);
        let store = Store::open(DIR, options()).unwrap();
        for name in names {
            store.define(FeatureSpec::new(name, ValueType::F64)).unwrap();
        }
        let aging = FeatureSpec::new("v:d", ValueType::F64);
        store.define(aging.ttl(Span::from_micros(i64::MAX).unwrap())).unwrap();
        for part in 0..10 {
            let mut batch = Batch::new();
            for e in part * 500..(part + 1) * 500 {
                for name in names.into_iter().chain(["v:d"]) {
                    let noise = (e * 7_919 % 1_009) as f64 / 10.0;
                    batch.put("e", name, EventTime(e * 1_000 + e % 13), noise);
                }
            }
            store.write(batch, Durability::Buffered).unwrap();
        }
        store.compact().unwrap();
        store.close().unwrap();
        let table = newest(&sim, "TABLE");
        let mut bytes = sim.disk.read_file(&table).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        sim.disk.write_file(&table, &bytes).unwrap();
        let store = Store::open(DIR, options()).unwrap();
        let rows = |names: &[&str], read: &Read| -> Result<Vec<Status>, Error> {
            let mut reader = store.reader(&store.select(names)?)?;
            Ok(reader.read("e", read)?.statuses().to_vec())
        };
        for asked in [&names[..2], &names[..], &["v:a", "v:b", "v:c", "v:d"], &["v:d"], &["v:b"]] {
            let newest = rows(asked, &Read::latest()).unwrap();
            assert!(newest.iter().all(|status| *status == Status::Value), "{asked:?}");
            let spine = [Some(("e", EventTime(1 << 40)))];
            let joiner = store.joiner(&store.select(asked).unwrap(), JoinOptions::new()).unwrap();
            let joined = joiner.join(&spine).unwrap();
            let is_value = |column: &JoinedColumn| column.status()[0] == Status::Value;
            assert!(joined.columns().iter().all(is_value), "{asked:?}");
            // The history is damaged indeed.
            let older = rows(asked, &Read::as_of(EventTime(2_000_000)));
            assert!(matches!(older, Err(Error::Corruption { .. })), "{asked:?}: {older:?}");
        }
    }
}
