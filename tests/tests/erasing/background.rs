//! The work of an erase is done in time without being asked for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use asofdb::world::World;
use asofdb::{Durability, Options, Span, Store};
use asofdb_tests::parked::{self, Parked};

use crate::lab::{
    DIR, OLD, OLD_BASE, VICTIMS, answers, check_certificate, define, fill, neighbours, new_world,
    open, small, victims, write,
};
use crate::search::{Finds, Needles};
use crate::{filled, find};

const VERSIONS: u64 = 23;

#[test]
fn the_deadline_passes_and_the_bytes_are_there() {
    for reopen in [false, true] {
        let sim = new_world();
        let mut store = filled(&sim, VERSIONS);
        while store.step().unwrap() {}
        store.erase_all(&VICTIMS).unwrap();
        if reopen {
            // The names are forgotten: only their hashes are on the disk.
            store.close().unwrap();
            store = open(&sim);
        }
        let nothing = answers(&store, "nobody");
        let old = Needles::new(OLD, OLD_BASE, VERSIONS).of_entities();
        sim.clock.advance(Span::from_hours(11));
        while store.step().unwrap() {}
        assert_eq!(store.stats().pending_erases, 2, "erases are to share the rewriting");
        assert!(!find(&sim, &old).is_empty());
        // Batches of one moment have commits that follow it.
        sim.clock.advance(Span::from_secs(3601));
        sim.scheduler.step_named("asofdb-compact");
        sim.scheduler.step_all();
        assert_eq!(store.stats().pending_erases, 0);
        assert_eq!(find(&sim, &old), Finds::new());
        assert!(VICTIMS.iter().all(|entity| answers(&store, entity) == nothing));
        let certificate = store.prove_erased(&VICTIMS).unwrap();
        check_certificate(Path::new(DIR), &sim.world(), &certificate);
        // That it is done is not forgotten.
        store.close().unwrap();
        assert_eq!(open(&sim).stats().pending_erases, 0);
    }
}

/// Nobody writes, nobody calls, and the thread sleeps: it must wake by itself.
#[expect(
    clippy::disallowed_methods,
    reason = "it waits for a thread that waits for the real clock"
)]
#[test]
fn a_store_at_rest_sleeps_through_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("store");
    let options = |deadline| -> Options { small(World::real()).erase_deadline(deadline) };
    let store = Store::open(&dir, options(Span::from_secs(1))).unwrap();
    define(&store);
    fill(&store, 0..20);
    store.erase_all(&VICTIMS).unwrap();
    while store.stats().pending_erases > 0 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let certificate = store.prove_erased(&VICTIMS).unwrap();
    check_certificate(&dir, &World::real(), &certificate);
    store.close().unwrap();
}

/// The work of erases waited for a flush that was under way, and held the lock of compaction meanwhile.
#[expect(clippy::disallowed_methods, reason = "what waits for ever is to fail the test")]
#[test]
fn the_work_of_erases_waits_for_a_flush_that_stands_still() {
    let sim = new_world();
    let store = Store::open(DIR, small(parked::world(&sim))).unwrap();
    define(&store);
    let all: Vec<_> = victims(OLD).into_iter().chain(neighbours()).collect();
    // Until a memtable waits for its flush, and the newest has something too.
    let mut versions = 0;
    while store.stats().memtables < 2 {
        write(&store, &all, versions, Durability::Buffered);
        versions += 1;
    }
    store.erase_all(&VICTIMS).unwrap();
    sim.clock.advance(Span::from_hours(13));
    let flush = Parked::begin(&sim, "asofdb-flush").unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let scheduler = Arc::clone(&sim.scheduler);
    std::thread::spawn(move || {
        scheduler.step_named("asofdb-compact");
        tell.send(()).unwrap();
    });
    told.recv_timeout(Duration::from_secs(60)).expect("a step of compaction waits for the flush");
    assert_eq!(store.stats().pending_erases, 2, "what is in memory is still there");
    flush.finish();
    sim.scheduler.step_all();
    assert_eq!(store.stats().pending_erases, 0);
    assert_eq!(find(&sim, &Needles::new(OLD, OLD_BASE, versions).of_entities()), Finds::new());
}
