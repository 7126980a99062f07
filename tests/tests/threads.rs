//! Writers, readers, flushes, merges, snapshots and definitions beside one another, on real threads: a batch is seen
//! whole or not at all, in the order of commits, and what was read at a stamp or a snapshot is read there again.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use asofdb::world::sim::Rng;
use asofdb::{
    Batch, Durability, Error, EventTime, FeatureSpec, JoinOptions, Options, Read, ReadMode, Row,
    Selection, Snapshot, Span, Stamp, Store, ValueType,
};
use asofdb_tests::cores::join_all;
// A race checker sees its locks; those of the standard library come compiled without it.
use parking_lot::Mutex;

const FEATURES: usize = 5;
const ENTITIES: [&str; 3] = ["ant", "bee", "cat"];
const BATCHES: i64 = 4_000;
const WRITERS: i64 = 2;

fn small() -> Options {
    Options::new()
        .max_ahead(None)
        .memtable_bytes(64 << 10)
        .table_bytes(32 << 10)
        .max_recent_tables(3)
        .max_sealed_memtables(2)
        .clock_lag(Span::ZERO)
}

fn name(feature: usize) -> String {
    format!("v:f{feature}")
}

fn new_store(options: Options, history: Option<Span>) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store"), options).unwrap();
    for feature in 0..FEATURES {
        let mut spec = FeatureSpec::new(name(feature), ValueType::I64);
        spec.terms.history = history;
        store.define(spec).unwrap();
    }
    (dir, store)
}

/// A batch of every feature of every entity, all of one number: some come late.
fn batch(store: &Store, number: i64, rng: &mut Rng) -> Batch {
    let late = i64::try_from(rng.below(3)).unwrap() * 1_000;
    let at = EventTime(store.now().0 - late);
    let mut batch = Batch::new();
    for entity in ENTITIES {
        for feature in 0..FEATURES {
            batch.put(entity, &name(feature), at, number);
        }
    }
    batch
}

/// The one number that a row holds.
fn number_of(row: &Row) -> Option<i64> {
    let numbers: Vec<Option<i64>> = row.answers.iter().map(|answer| answer.as_i64()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] == pair[1]), "half a batch: {numbers:?}");
    numbers[0]
}

/// The one number that all rows hold.
fn numbers(rows: &[Row]) -> Option<i64> {
    let all: Vec<Option<i64>> = rows.iter().map(number_of).collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "half a batch: {all:?}");
    all[0]
}

fn read(store: &Store, features: &Selection, read: &Read) -> asofdb::Result<Option<i64>> {
    Ok(numbers(&store.read_rows(&ENTITIES, features, read)?))
}

/// Ends the others also when it panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn beside_one_another(options: Options, history: Option<Span>) {
    let (_dir, store) = new_store(options, history);
    let all = store.select_all();
    let (next, done) = (AtomicI64::new(1), AtomicBool::new(false));
    let seen: Mutex<Vec<(Stamp, Option<i64>)>> = Mutex::new(Vec::new());
    let held: Mutex<Vec<(Snapshot, EventTime, Option<i64>)>> = Mutex::new(Vec::new());
    // Below the horizon a stamp may no longer be read; with history for ever it always can.
    let again = |stamp: Stamp, before: Option<i64>| match read(&store, &all, &Read::at(stamp)) {
        Ok(now) => assert_eq!(now, before, "{stamp:?} answers otherwise"),
        Err(Error::BelowHorizon { .. }) if history.is_some() => {}
        Err(error) => panic!("{error}"),
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (store, next) = (&store, &next);
                scope.spawn(move || {
                    let mut rng = Rng::new(writer as u64);
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        if number > BATCHES {
                            return;
                        }
                        let durability = match rng.below(50) {
                            0 => Durability::Synced,
                            _ => Durability::Buffered,
                        };
                        store.write(batch(store, number, &mut rng), durability).unwrap();
                    }
                })
            })
            .collect();
        let readers = [0, 1].map(|reader| {
            let (store, all, done, seen, held, again) = (&store, &all, &done, &seen, &held, &again);
            scope.spawn(move || {
                let _done = Done(done);
                let mut rng = Rng::new(100 + reader);
                let mut newest = None;
                while !done.load(Ordering::SeqCst) {
                    let rows = store.read_rows(&ENTITIES, all, &Read::latest()).unwrap();
                    let (stamp, number) = (rows[0].stamp, numbers(&rows));
                    assert!(newest <= Some(stamp.commit), "commits go back");
                    newest = Some(stamp.commit);
                    match rng.below(10) {
                        0 => {
                            let snapshot = store.snapshot().unwrap();
                            let t = store.now();
                            let at = Read::as_of(t).snapshot(&snapshot);
                            if let Ok(number) = read(store, all, &at) {
                                held.lock().push((snapshot, t, number));
                            }
                        }
                        1 => {
                            let joiner = store.joiner(all, JoinOptions::new()).unwrap();
                            let t = store.now();
                            let spine: Vec<_> =
                                ENTITIES.iter().map(|entity| Some((*entity, t))).collect();
                            let joined = joiner.join(&spine).unwrap();
                            let first = joined.columns()[0].value(0);
                            for column in joined.columns() {
                                for row in 0..ENTITIES.len() {
                                    assert_eq!(column.value(row), first, "half a batch");
                                }
                            }
                        }
                        2 => match store.scan(all, &Read::at(stamp), b"") {
                            Ok(scan) => {
                                let rows = scan.map(|found| found.unwrap().1);
                                rows.for_each(|row| assert_eq!(number_of(&row), number));
                            }
                            Err(Error::BelowHorizon { .. }) if history.is_some() => {}
                            Err(error) => panic!("{error}"),
                        },
                        3 => {
                            let mut held = held.lock();
                            if held.len() > 20 {
                                let out = rng.index(held.len());
                                drop(held.swap_remove(out));
                            }
                        }
                        _ => {
                            let old = {
                                let mut seen = seen.lock();
                                seen.push((stamp, number));
                                *rng.choose(&seen).unwrap()
                            };
                            again(old.0, old.1);
                        }
                    }
                }
            })
        });
        let compactor = {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                let _done = Done(done);
                let mut rng = Rng::new(7);
                for round in 0.. {
                    if done.load(Ordering::SeqCst) {
                        return;
                    }
                    match rng.below(20) {
                        0 => store.compact().unwrap(),
                        1 => {
                            let spec = FeatureSpec::new(format!("w:g{round}"), ValueType::Text);
                            drop(store.define(spec).unwrap());
                        }
                        2 => drop(store.erase(format!("nobody {round}")).unwrap()),
                        3 => store.sync().unwrap(),
                        4 => store.flush().unwrap(),
                        _ => drop(store.stats()),
                    }
                    std::thread::yield_now();
                }
            })
        };
        let written: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::SeqCst);
        join_all(readers.into_iter().chain([compactor]));
        written.into_iter().for_each(|written| written.unwrap());
    });
    store.compact().unwrap();
    for (stamp, before) in seen.into_inner() {
        again(stamp, before);
    }
    for (snapshot, t, before) in held.into_inner() {
        match read(&store, &all, &Read::as_of(t).snapshot(&snapshot)) {
            Ok(now) => assert_eq!(now, before, "a snapshot answers otherwise"),
            Err(Error::BelowHorizon { .. }) if history.is_some() => {}
            Err(error) => panic!("{error}"),
        }
    }
    store.close().unwrap();
}

#[test]
fn batches_are_seen_in_part_and_stamps_change() {
    beside_one_another(small(), None);
}

#[test]
fn batches_are_seen_in_part_and_stamps_change_where_garbage_is_dropped() {
    beside_one_another(small(), Some(Span::from_micros(20_000).unwrap()));
}

#[test]
fn batches_are_seen_in_part_and_stamps_change_without_the_map() {
    beside_one_another(small().read_mode(ReadMode::Pread), Some(Span::ZERO));
}

/// Close comes while everything works: what was acknowledged is there when the next one opens at once.
#[test]
fn a_close_beside_writers_and_merges_loses_batches() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let acknowledged = AtomicI64::new(0);
    let mut rng = Rng::new(5);
    for round in 0..30 {
        let store = Store::open(&path, small().memtable_bytes(8 << 10)).unwrap();
        store.define(FeatureSpec::new("v:f0", ValueType::I64)).unwrap();
        let enough = 20 + rng.below(300);
        let count = AtomicI64::new(0);
        std::thread::scope(|scope| {
            let writers = [0, 1, 2].map(|writer| {
                let (store, count, acknowledged) = (&store, &count, &acknowledged);
                scope.spawn(move || {
                    loop {
                        let number = acknowledged.load(Ordering::SeqCst);
                        let mut batch = Batch::new();
                        let entity = format!("{round} {writer} {}", count.load(Ordering::SeqCst));
                        batch.put(entity, "v:f0", EventTime(0), number);
                        match store.write(batch, Durability::Buffered) {
                            Ok(_) => {
                                acknowledged.fetch_add(1, Ordering::SeqCst);
                                count.fetch_add(1, Ordering::SeqCst);
                            }
                            Err(Error::Closed) => return,
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
            });
            let compactor = scope.spawn(|| while store.compact().is_ok() {});
            while count.load(Ordering::SeqCst) < enough as i64 {
                std::thread::yield_now();
            }
            store.close().unwrap();
            join_all(writers.into_iter().chain([compactor]));
        });
        drop(store);
    }
    let store = Store::open(&path, Options::new()).unwrap();
    let features = store.select(&["v:f0"]).unwrap();
    let found = store.scan(&features, &Read::as_of(EventTime::MAX), b"").unwrap();
    let found: usize = found.map(|row| usize::from(row.is_ok())).sum();
    // Two writers may have named an entity alike, so there may be fewer entities than batches.
    let records = store.stats().records;
    assert!(found > 0 && records >= found as u64, "{found} {records}");
    assert_eq!(records, u64::try_from(acknowledged.into_inner()).unwrap());
}

/// Read-only openings beside a writer that flushes and merges all the time see whole batches, and no error.
#[test]
fn a_reader_beside_a_busy_writer_is_told_of_damage() {
    let (dir, store) = new_store(small().memtable_bytes(16 << 10), None);
    let path = dir.path().join("store");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let _done = Done(&done);
            let mut rng = Rng::new(1);
            for number in 1..=BATCHES {
                store.write(batch(&store, number, &mut rng), Durability::Buffered).unwrap();
                if rng.percent(1) {
                    store.compact().unwrap();
                }
            }
        });
        let mut openings = 0;
        while openings == 0 || !done.load(Ordering::SeqCst) {
            let reader = Store::open(&path, small().read_only(true)).unwrap();
            let all = reader.select_all();
            read(&reader, &all, &Read::latest()).unwrap();
            reader.close().unwrap();
            openings += 1;
        }
        join_all([writer]);
        println!("{openings} openings");
    });
}
