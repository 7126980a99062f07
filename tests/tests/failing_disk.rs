//! One operation of the disk fails, any of them and in any way: nothing that was acknowledged is lost, writes are
//! refused from a failed append or sync on until the store is opened again, reads go on, and a call that fails because
//! something else was refused has done nothing.
//!
//! `FAULT_SEED=3 FAULT_AT=17 cargo test -p asofdb-tests --test failing_disk` replays one case; FAULT_SEEDS says how
//! many workloads are tried.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;

use asofdb::Error;
use asofdb::world::sim::{CrashPolicy, Fault, Operation, Rng, SimWorld};
use asofdb_tests::asked::asked;
use asofdb_tests::cores::on_both_cores;
use asofdb_tests::ledger::{Coverage, Ledger, new_world, open, verify};

const STEPS: usize = 50;

const FAULTS: [Fault; 4] = [
    Fault::Error(ErrorKind::Other),
    Fault::NoSpace,
    Fault::ShortWrite,
    Fault::Applied(ErrorKind::Other),
];

/// Runs the workload through whatever fails.
fn run(sim: &SimWorld, seed: u64) -> Ledger {
    let mut ledger = Ledger::default();
    let mut rng = Rng::new(seed);
    let Ok(store) = open(sim).or_else(|_| open(sim)) else {
        panic!("a store that could not be opened once cannot be opened again");
    };
    let mut poisoned = false;
    for _ in 0..STEPS {
        let done = ledger.step(sim, &store, &mut rng);
        if poisoned && let Err(error) = &done {
            assert!(matches!(error, Error::Poisoned { .. }), "{error}");
        }
        poisoned |= matches!(done, Err(Error::Poisoned { .. }));
        ledger.check_reads(sim, &store);
    }
    let closed = store.close();
    assert_eq!(closed.is_err(), poisoned || closed.is_err());
    if closed.is_ok() {
        ledger.closed();
    }
    ledger
}

/// How many operations failed.
fn fail_everywhere(seed: u64, armed: fn(Operation) -> bool) -> u64 {
    let whole = new_world();
    whole.disk.arm(move |operation, _| armed(operation));
    whole.disk.start_trace();
    run(&whole, seed);
    let (operations, coverage) = (whole.disk.operations(), Coverage::of(&whole));
    println!("seed {seed}: {coverage}");
    assert!(coverage.is_wide(), "the workload misses something: {coverage}");
    let numbers = (0..operations).filter(|at| asked("FAULT_AT").is_none_or(|asked| asked == *at));
    let failures = on_both_cores(numbers.collect(), |at| fail_at(seed, armed, at));
    println!(
        "seed {seed}: {operations} operations, each failed in {} ways: {failures}",
        FAULTS.len()
    );
    failures
}

/// Fails one operation in every way; how many ways hit it.
fn fail_at(seed: u64, armed: fn(Operation) -> bool, at: u64) -> u64 {
    println!("FAULT_SEED={seed} FAULT_AT={at} cargo test -p asofdb-tests --test failing_disk");
    let mut rng = Rng::new(seed ^ at << 32);
    let mut hits = 0;
    for fault in FAULTS {
        let sim = new_world();
        sim.disk.arm(move |operation, _| armed(operation));
        sim.disk.fail_at(at, fault);
        let mut ledger = run(&sim, seed);
        hits += sim.disk.faults_hit();
        sim.disk.heal();
        let store = open(&sim).unwrap();
        ledger.check(&store);
        verify(&sim);
        for _ in 0..6 {
            ledger.step(&sim, &store, &mut rng).unwrap();
        }
        store.sync().unwrap();
        ledger.closed();
        let cut = sim.after_power_cut(rng.next_u64(), CrashPolicy::draw(&mut rng));
        ledger.check(&open(&cut).unwrap());
    }
    hits
}

fn seeds(first: u64) -> std::ops::Range<u64> {
    let count = asked("FAULT_SEEDS").unwrap_or(1);
    asked("FAULT_SEED").map_or(first..first + count, |seed| seed..seed + 1)
}

#[test]
fn acknowledged_batches_are_lost_when_a_write_fails() {
    let failures: u64 = seeds(1).map(|seed| fail_everywhere(seed, Operation::writes)).sum();
    println!(
        "{failures} failed writes, syncs, renames and removals, none lost what was acknowledged"
    );
    assert!(failures > 0);
}

#[test]
fn acknowledged_batches_are_lost_when_a_read_fails() {
    let reads = |operation: Operation| !operation.writes();
    let failures: u64 = seeds(3).map(|seed| fail_everywhere(seed, reads)).sum();
    println!("{failures} failed reads, none lost what was acknowledged");
    assert!(failures > 0);
}
