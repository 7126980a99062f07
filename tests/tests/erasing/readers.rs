//! Readers that hold what the work of an erase replaced, and writers beside it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use asofdb::inspect::FileKind;
use asofdb::world::World;
use asofdb::{Durability, JoinOptions, Read, ReadMode, Store};

use crate::lab::{
    OLD, VICTIMS, check_certificate, define, fill, neighbours, small, victims, write,
};

/// A store on the real disk, all of it in tables.
fn real(dir: &Path, mode: ReadMode) -> Store {
    let store = Store::open(dir, small(World::real()).read_mode(mode)).unwrap();
    define(&store);
    fill(&store, 0..30);
    store.compact().unwrap();
    store
}

#[test]
fn a_certificate_is_complete_while_a_value_still_holds_the_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("store");
    let store = real(&dir, ReadMode::Map);
    let held = store.latest(VICTIMS[0], "p:letter").unwrap();
    let text = format!("{:?}", held.answer);
    assert!(text.contains(OLD));
    let pending = store.erase_and_prove(&VICTIMS).unwrap();
    print!("{}", pending.encode());
    assert!(!pending.is_complete());
    assert!(pending.encode().contains("\nstatus pending\n"));
    let pinned: Vec<_> = pending.pinned.iter().map(|file| (file.kind, file.number)).collect();
    assert_eq!(pinned.len(), 1, "one value lies in one table");
    assert!(pinned.iter().all(|(kind, _)| *kind == FileKind::Table));
    // Its name is gone, and whoever holds the value can go on reading it.
    let path = dir.join(format!("TABLE-{:06}", pinned[0].1.0));
    assert!(!path.exists());
    assert_eq!(format!("{:?}", held.answer), text);
    assert!(!store.prove_erased(&VICTIMS).unwrap().is_complete());
    drop(held);
    let complete = store.prove_erased(&VICTIMS).unwrap();
    assert!(complete.is_complete());
    check_certificate(&dir, &World::real(), &complete);
    check_certificate(&dir, &World::real(), &pending);
    store.close().unwrap();
}

#[test]
fn a_certificate_is_complete_while_a_join_or_a_scan_holds_a_memtable_or_a_table() {
    for mode in [ReadMode::Map, ReadMode::Pread] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("store");
        let store = real(&dir, mode);
        write(&store, &victims(OLD), 40, Durability::Buffered);
        let features = store.select_all();
        let joiner = store.joiner(&features, JoinOptions::new()).unwrap();
        let scan = store.scan(&features, &Read::latest(), b"victim").unwrap();
        let pending = store.erase_and_prove(&VICTIMS).unwrap();
        let kinds: Vec<FileKind> = pending.pinned.iter().map(|file| file.kind).collect();
        assert!(kinds.contains(&FileKind::Log), "the memtable is not told of: {kinds:?}");
        assert!(kinds.contains(&FileKind::Table), "the tables are not told of: {kinds:?}");
        drop(joiner);
        assert_eq!(store.prove_erased(&VICTIMS).unwrap().pinned, pending.pinned);
        drop(scan);
        let complete = store.prove_erased(&VICTIMS).unwrap();
        assert!(complete.is_complete(), "{}", complete.encode());
        // A snapshot holds a commit and no file.
        let snapshot = store.snapshot().unwrap();
        write(&store, &victims(OLD), 41, Durability::Buffered);
        assert!(store.erase_and_prove(&VICTIMS).unwrap().is_complete());
        drop(snapshot);
        store.close().unwrap();
    }
}

/// Whoever writes, flushes and merges meanwhile makes files of its own.
#[test]
fn a_certificate_misses_files_that_are_made_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("store");
    let store = real(&dir, ReadMode::Map);
    let done = AtomicBool::new(false);
    let mut certificates = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in (0..150).take_while(|_| !done.load(Ordering::Relaxed)) {
                write(&store, &neighbours()[..6], n, Durability::Buffered);
                std::thread::yield_now();
            }
        });
        scope.spawn(|| {
            for _ in (0..40).take_while(|_| !done.load(Ordering::Relaxed)) {
                store.compact().unwrap();
                std::thread::yield_now();
            }
        });
        for n in 0..12 {
            write(&store, &victims(OLD), 50 + n, Durability::Buffered);
            let certificate = store.erase_and_prove(&VICTIMS).unwrap();
            certificates.push(certificate.clone());
            check_certificate(&dir, &World::real(), &certificate);
        }
        done.store(true, Ordering::Relaxed);
    });
    let last = certificates.last().unwrap();
    check_certificate(&dir, &World::real(), last);
    store.close().unwrap();
    check_certificate(&dir, &World::real(), last);
    let files: usize = certificates.iter().map(|certificate| certificate.files.len()).sum();
    println!("{} certificates of {files} files beside writers and merges", certificates.len());
}
