//! What was erased is gone: from every file of the store when the work is done, whatever crashes meanwhile, and with a
//! certificate that says no more than is so.
#![expect(
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and counts small things"
)]

mod background;
mod certificates;
mod crashes;
mod lab;
mod readers;
mod search;

use std::path::{Path, PathBuf};

use asofdb::world::sim::SimWorld;
use asofdb::{Durability, ErasureCertificate, Fate, Store};

use crate::lab::{
    DIR, NEW, NEW_BASE, OLD, OLD_BASE, VICTIMS, answers, check_certificate, define, fill,
    neighbours, new_world, open, victims, write,
};
use crate::search::{Finds, Needles, search};

const VERSIONS: u64 = 43;

/// A store whose files of every kind hold something of the victims.
fn filled(sim: &SimWorld, versions: u64) -> Store {
    let store = open(sim);
    define(&store);
    fill(&store, 0..versions / 2);
    // The next opening copies what is in logs.
    store.close().unwrap();
    let store = open(sim);
    fill(&store, versions / 2..versions);
    store
}

fn files(sim: &SimWorld) -> Vec<(PathBuf, Vec<u8>)> {
    let files = sim.disk.files().into_iter();
    files.map(|(path, _)| (path.clone(), sim.disk.read_file(&path).unwrap())).collect()
}

fn find(sim: &SimWorld, needles: &Needles) -> Finds {
    search(&files(sim), Path::new(DIR), &sim.world(), needles)
}

fn count(certificate: &ErasureCertificate, fate: Fate) -> usize {
    certificate.with_fate(fate).count()
}

#[test]
fn erased_bytes_are_left_in_some_file() {
    let sim = new_world();
    let store = filled(&sim, VERSIONS);
    let old = Needles::new(OLD, OLD_BASE, VERSIONS).of_entities();
    let found = find(&sim, &old);
    for place in [
        "entity in LOG",
        "entity in TABLE",
        "entity said",
        "hash in MANIFEST",
        "mark in LOG",
        "mark in TABLE",
        "mark in a block",
        "mark said",
        "i64 in LOG",
        "i64 in TABLE",
        "i64 said",
        "f64 in LOG",
        "f64 in TABLE",
        "f64 said",
        "f32 in TABLE",
        "vector in TABLE",
    ] {
        assert!(found.contains_key(place), "the search does not find {place}");
    }
    let before: Vec<_> = neighbours().iter().map(|(entity, ..)| answers(&store, entity)).collect();
    let nothing = answers(&store, "nobody");

    let certificate = store.erase_and_prove(&VICTIMS).unwrap();
    print!("{}", certificate.encode());
    assert!(certificate.is_complete());
    assert_eq!(certificate.erased.len(), VICTIMS.len());
    assert!(count(&certificate, Fate::Rewritten) > 1 && count(&certificate, Fate::Absent) > 1);
    assert!(count(&certificate, Fate::Removed) > 1 && count(&certificate, Fate::New) > 1);
    assert_eq!(find(&sim, &old), Finds::new(), "of the erased something is left");
    assert_eq!(check_certificate(Path::new(DIR), &sim.world(), &certificate), 0);
    assert_eq!(store.stats().pending_erases, 0);

    let check = |store: &Store| {
        let after: Vec<_> =
            neighbours().iter().map(|(entity, ..)| answers(store, entity)).collect();
        assert!(before == after, "what stays answers otherwise");
    };
    check(&store);
    assert!(VICTIMS.iter().all(|entity| answers(&store, entity) == nothing));

    // What is written of them later is new, in memory and in files.
    let new: Vec<_> = victims(NEW);
    let new: Vec<_> = new
        .into_iter()
        .map(|(entity, mark, base)| (entity, mark, base - OLD_BASE + NEW_BASE))
        .collect();
    let newer = Needles::new(NEW, NEW_BASE, VERSIONS).of_entities();
    let old = Needles::new(OLD, OLD_BASE, VERSIONS);
    for n in 0..VERSIONS {
        write(&store, &new, n, Durability::Synced);
        match n % 10 {
            3 => store.flush().unwrap(),
            7 => store.compact().unwrap(),
            _ => {}
        }
    }
    let later = check_certificate(Path::new(DIR), &sim.world(), &certificate);
    assert!(later > 0, "the later writes are not seen");
    assert!(find(&sim, &newer)["mark said"] > 0);
    assert_eq!(find(&sim, &old), Finds::new(), "of the erased something has come back");
    check(&store);
    store.close().unwrap();
    let store = open(&sim);
    check(&store);
    assert!(VICTIMS.iter().all(|entity| answers(&store, entity) != nothing));
    // The certificate can be had again: of the erase, not of what came later.
    let again = store.prove_erased(&VICTIMS).unwrap();
    assert_eq!(again.erased, certificate.erased);
    check_certificate(Path::new(DIR), &sim.world(), &again);
    check_certificate(Path::new(DIR), &sim.world(), &certificate);
    assert!(find(&sim, &newer)["mark said"] > 0, "what was written later is gone");
}

/// Reads give a name its rows from before the erase only if the directory is asked for the wrong one: so many.
#[test]
fn of_many_erased_at_once_some_stay() {
    let sim = new_world();
    let store = open(&sim);
    define(&store);
    let all: Vec<(String, &str, i64)> =
        (0..600).map(|n| (format!("crowd-{n:03}"), "CROWD", n * 100)).collect();
    for (n, some) in all.chunks(100).enumerate() {
        write(&store, some, n as u64, Durability::Buffered);
    }
    store.compact().unwrap();
    let gone: Vec<&str> = all.iter().step_by(3).map(|(entity, ..)| entity.as_str()).collect();
    let commits = store.stats().newest_commit;
    let commit = store.erase_all(&gone).unwrap();
    assert_eq!(store.stats().newest_commit, commit);
    assert!(commit > commits);
    assert_eq!(store.stats().pending_erases, gone.len());
    let nothing = answers(&store, "nobody");
    let check = |store: &Store| {
        for (n, (entity, ..)) in all.iter().enumerate() {
            assert_eq!(answers(store, entity) == nothing, n % 3 == 0, "{entity}");
        }
    };
    check(&store);
    let certificate = store.prove_erased(&gone).unwrap();
    assert_eq!(certificate.erased.len(), gone.len());
    assert!(certificate.erased.iter().all(|erased| erased.commit == commit));
    check_certificate(Path::new(DIR), &sim.world(), &certificate);
    check(&store);
    let text: Vec<u8> = files(&sim).into_iter().flat_map(|(_, bytes)| bytes).collect();
    let left = |entity: &&&str| text.windows(9).any(|window| window == entity.as_bytes());
    assert_eq!(gone.iter().filter(left).count(), 0);
    println!("{} of {} erased with one commit", gone.len(), all.len());
}
