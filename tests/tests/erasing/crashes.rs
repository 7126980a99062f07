//! The machine goes down during the work of an erase, before or after any one operation of the disk.
//!
//! `ERASE_AT=17 cargo test -p asofdb-tests --test erasing` replays one place; ERASE_ALL=1 tries every operation, and
//! not only each fourth.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use asofdb::world::sim::{CrashPolicy, Fault, Rng, SimWorld};

use crate::find;
use crate::lab::{
    DIR, OLD, OLD_BASE, VICTIMS, answers, check_certificate, define, fill, neighbours, new_world,
    open,
};
use crate::search::{Finds, Needles};

const VERSIONS: u64 = 8;

/// What ended the work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    PowerCut,
    Kill,
}

/// What was erased stays away, what was not stays; the work can be done again, and is then done.
fn check(sim: &SimWorld, before: &[BTreeMap<i64, String>], after: After) {
    let store = open(sim);
    let nothing = answers(&store, "nobody");
    let same = |store: &asofdb::Store| {
        assert!(VICTIMS.iter().all(|entity| answers(store, entity) == nothing), "it is back");
        assert!(answers_of_some(store) == before, "what stays answers otherwise");
    };
    same(&store);
    let certificate = store.prove_erased(&VICTIMS).unwrap();
    assert!(certificate.is_complete());
    same(&store);
    check_certificate(Path::new(DIR), &sim.world(), &certificate);
    let old = Needles::new(OLD, OLD_BASE, VERSIONS).of_entities();
    assert_eq!(find(sim, &old), Finds::new());
    // What is certified is durable.
    let cut = sim.after_power_cut(0, CrashPolicy::STRICT);
    if after == After::Kill {
        // But for names whose sync failed in the process that was killed: no later sync helps, and
        // the next opening takes them away again.
        open(&cut).close().unwrap();
    }
    check_certificate(Path::new(DIR), &cut.world(), &certificate);
}

fn answers_of_some(store: &asofdb::Store) -> Vec<BTreeMap<i64, String>> {
    neighbours().iter().step_by(6).map(|(entity, ..)| answers(store, entity)).collect()
}

#[test]
fn what_was_erased_comes_back_after_a_crash_during_the_work() {
    let asked: Option<u64> = std::env::var("ERASE_AT").ok().and_then(|at| at.parse().ok());
    let whole = new_world();
    let store = open(&whole);
    define(&store);
    // Tables of both levels, and logs.
    fill(&store, 0..3);
    store.compact().unwrap();
    fill(&store, 3..VERSIONS);
    let before = answers_of_some(&store);
    store.erase_all(&VICTIMS).unwrap();
    let mut crashes = 0;
    let mut operations = 0;
    let every = if std::env::var_os("ERASE_ALL").is_some() { 1 } else { 4 };
    for at in asked.map_or(0..u64::MAX, |at| at..at + 1).step_by(every) {
        println!("ERASE_AT={at} cargo test -p asofdb-tests --test erasing");
        let mut hit = 0;
        for fault in [Fault::Error(ErrorKind::Other), Fault::Applied(ErrorKind::Other)] {
            let sim = whole.after_kill();
            let mut rng = Rng::new(at);
            let store = open(&sim);
            sim.disk.arm(|operation, _| operation.writes());
            let first = sim.disk.operations();
            sim.disk.fail_at(first + at, fault);
            sim.disk.fail_from(first + at + 1, Fault::Error(ErrorKind::Other));
            // With the last operation applied there is nothing left to fail.
            let _ = store.prove_erased(&VICTIMS);
            hit += sim.disk.faults_hit();
            check(&sim.after_power_cut(0, CrashPolicy::STRICT), &before, After::PowerCut);
            let policy = CrashPolicy::draw(&mut rng);
            check(&sim.after_power_cut(rng.next_u64(), policy), &before, After::PowerCut);
            check(&sim.after_kill(), &before, After::Kill);
            crashes += 3;
        }
        if hit == 0 {
            break;
        }
        operations = at + 1;
    }
    println!("{operations} operations of the work, down before and after each: {crashes} crashes");
    assert!(asked.is_some() || operations > 20, "the work does next to nothing");
}
