//! The power goes out, or the process is killed, before or after any one operation of the disk: at the next open every
//! batch that was acknowledged as durable is there, whole batches only, none without those before it, nothing else.
//!
//! `CRASH_SEED=3 CRASH_AT=17 cargo test -p asofdb-tests --test crash` replays one case; CRASH_SEEDS says how many
//! workloads are tried. Without CRASH_FULL each operation meets the crash before or after it, as drawn, and not both:
//! what is on the disk after one operation and before the next is the same.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;

use asofdb::world::sim::{CrashPolicy, Fault, Rng, SimWorld};
use asofdb_tests::asked::asked;
use asofdb_tests::cores::on_both_cores;
use asofdb_tests::ledger::{Coverage, Deeds, Ledger, check_clean, new_world, open, verify};

const STEPS: usize = 60;

/// A workload that does all that there is to do.
const FIRST_SEED: u64 = 147;

/// Runs the workload until it ends or something fails; the store is left open, as a crash leaves it.
fn run(sim: &SimWorld, seed: u64) -> (Ledger, Option<asofdb::Store>) {
    let mut ledger = Ledger::default();
    let mut rng = Rng::new(seed);
    let mut store = None;
    for _ in 0..STEPS {
        if store.is_none() || rng.percent(2) {
            // A clean close loses nothing; the next open finds all of it.
            if let Some(store) = store.take().map(|store: asofdb::Store| store.close()) {
                if let Err(error) = store {
                    check_clean(&error);
                    return (ledger, None);
                }
                ledger.closed();
            }
            match open(sim) {
                Ok(opened) => store = Some(opened),
                Err(error) => {
                    check_clean(&error);
                    return (ledger, None);
                }
            }
        }
        if let Some(store) = &store
            && let Err(error) = ledger.step(sim, store, &mut rng)
        {
            check_clean(&error);
            break;
        }
    }
    (ledger, store)
}

/// Opens the store of a world, holds it against the ledger, works on, and does so again.
fn check(sim: &SimWorld, mut ledger: Ledger, rng: &mut Rng) {
    let store = open(sim).unwrap();
    ledger.check(&store);
    verify(sim);
    for _ in 0..8 {
        ledger.step(sim, &store, rng).unwrap();
    }
    if rng.percent(50) {
        store.compact().unwrap();
    }
    ledger.check(&store);
    // What an open store shows after an open is sync'd is sure, so that a second crash takes none of it.
    store.sync().unwrap();
    let sim = sim.after_power_cut(rng.next_u64(), CrashPolicy::draw(rng));
    ledger.check(&open(&sim).unwrap());
    verify(&sim);
}

/// A crash at an operation that only reads finds the disk as the one at the next that writes does, so those are left
/// out unless CRASH_FULL is set.
fn armed(sim: SimWorld) -> SimWorld {
    if asked("CRASH_FULL").is_none() {
        sim.disk.arm(|operation, _| operation.writes());
    }
    sim
}

/// Goes down before or after one operation, or both, in three ways each; how many crashes that were.
fn crash_at(seed: u64, at: u64) -> u64 {
    let full = asked("CRASH_FULL").map_or("", |_| "CRASH_FULL=1 ");
    println!("{full}CRASH_SEED={seed} CRASH_AT={at} cargo test -p asofdb-tests --test crash");
    let drawn = usize::from(Rng::new(seed ^ at << 32).percent(50));
    let all = asked("CRASH_FULL").or(asked("CRASH_AT")).is_some();
    let sides = if all { 0..2 } else { drawn..drawn + 1 };
    for side in sides.clone() {
        let mut rng = Rng::new(seed ^ at << 32 ^ (side as u64) << 24);
        let faults = [Fault::Error(ErrorKind::Other), Fault::Applied(ErrorKind::Other)];
        let sim = armed(new_world());
        sim.disk.fail_at(at, faults[side]);
        sim.disk.fail_from(at + 1, Fault::Error(ErrorKind::Other));
        let (ledger, _store) = run(&sim, seed);
        let strict = sim.after_power_cut(0, CrashPolicy::STRICT);
        check(&strict, ledger.clone(), &mut rng);
        let drawn = sim.after_power_cut(rng.next_u64(), CrashPolicy::draw(&mut rng));
        check(&drawn, ledger.clone(), &mut rng);
        check(&sim.after_kill(), ledger, &mut rng);
    }
    3 * sides.count() as u64
}

/// How many crashes were survived, and what the workload did.
fn crash_everywhere(seed: u64) -> (u64, Deeds) {
    let whole = armed(new_world());
    whole.disk.start_trace();
    let before = whole.disk.operations();
    let (ledger, _store) = run(&whole, seed);
    let (operations, coverage) = (whole.disk.operations(), Coverage::of(&whole));
    println!("seed {seed}: {} batches sure; {coverage}; {}", ledger.sure(), ledger.deeds());
    assert!(coverage.is_wide(), "the workload misses something: {coverage}");
    let numbers =
        (before..operations).filter(|at| asked("CRASH_AT").is_none_or(|asked| asked == *at));
    let crashes = on_both_cores(numbers.collect(), |at| crash_at(seed, at));
    println!("seed {seed}: {} operations, down at each: {crashes} crashes", operations - before);
    (crashes, ledger.deeds().clone())
}

#[test]
fn acknowledged_batches_are_lost_at_a_crash() {
    let count = asked("CRASH_SEEDS").unwrap_or(1);
    let seeds = asked("CRASH_SEED").map_or(FIRST_SEED..FIRST_SEED + count, |seed| seed..seed + 1);
    let (mut crashes, mut deeds) = (0, Deeds::default());
    for seed in seeds {
        let (more, done) = crash_everywhere(seed);
        (crashes, deeds) = (crashes + more, deeds.join(&done));
    }
    println!("{crashes} crashes, none lost what was acknowledged: {deeds}");
    let missing = deeds.missing();
    assert!(missing.is_empty() || asked("CRASH_SEED").is_some(), "no workload did {missing:?}");
}

/// The machine goes down again while a store is being recovered, at any operation of the recovery.
#[test]
fn acknowledged_batches_are_lost_at_a_crash_during_recovery() {
    for seed in asked("CRASH_SEED").map_or(10..12, |seed| seed..seed + 1) {
        let mut rng = Rng::new(seed);
        let sim = new_world();
        let (ledger, _store) = run(&sim, seed);
        // Of a killed process all is there, and what was not synced can still be lost.
        let crashed = match seed % 2 {
            0 => sim.after_kill(),
            _ => sim.after_power_cut(rng.next_u64(), CrashPolicy::draw(&mut rng)),
        };
        for at in 0.. {
            println!("CRASH_SEED={seed} at {at} cargo test -p asofdb-tests --test crash");
            let sim = armed(crashed.after_kill());
            sim.disk.fail_from(at, Fault::Error(ErrorKind::Other));
            let opened = open(&sim);
            if let Err(error) = &opened {
                check_clean(error);
            }
            let again = sim.after_power_cut(rng.next_u64(), CrashPolicy::draw(&mut rng));
            check(&again, ledger.clone(), &mut rng);
            if opened.is_ok() && sim.disk.faults_hit() == 0 {
                break;
            }
        }
    }
}
