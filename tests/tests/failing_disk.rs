//! One operation of the disk fails, any of them and in any way: nothing that was acknowledged is lost, writes are
//! refused from a failed append or sync on until the store is opened again, reads go on, and a call that fails because
//! something else was refused has done nothing.
//!
//! `FAULT_SEED=3 FAULT_AT=17 cargo test -p asofdb-tests --test failing_disk` replays one case.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;

use asofdb::Error;
use asofdb::world::sim::{CrashPolicy, Fault, Operation, Rng, SimWorld};
use asofdb_tests::ledger::{Ledger, new_world, open};

const STEPS: usize = 50;

const FAULTS: [Fault; 4] = [
    Fault::Error(ErrorKind::Other),
    Fault::NoSpace,
    Fault::ShortWrite,
    Fault::Applied(ErrorKind::Other),
];

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

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
        ledger.check_reads(&store);
    }
    let closed = store.close();
    assert_eq!(closed.is_err(), poisoned || closed.is_err());
    if closed.is_ok() {
        ledger.closed();
    }
    ledger
}

fn fail_everywhere(seed: u64, armed: fn(Operation) -> bool) {
    let whole = new_world();
    whole.disk.arm(move |operation, _| armed(operation));
    run(&whole, seed);
    let operations = whole.disk.operations();
    println!("seed {seed}: {operations} operations");
    for at in 0..operations {
        if asked("FAULT_AT").is_some_and(|asked| asked != at) {
            continue;
        }
        println!("FAULT_SEED={seed} FAULT_AT={at} cargo test -p asofdb-tests --test failing_disk");
        let mut rng = Rng::new(seed ^ at << 32);
        for fault in FAULTS {
            let sim = new_world();
            sim.disk.arm(move |operation, _| armed(operation));
            sim.disk.fail_at(at, fault);
            let mut ledger = run(&sim, seed);
            sim.disk.heal();
            let store = open(&sim).unwrap();
            ledger.check(&store);
            for _ in 0..6 {
                ledger.step(&sim, &store, &mut rng).unwrap();
            }
            store.sync().unwrap();
            ledger.closed();
            let cut = sim.after_power_cut(rng.next_u64(), CrashPolicy::draw(&mut rng));
            ledger.check(&open(&cut).unwrap());
        }
    }
}

fn seeds(default: std::ops::Range<u64>) -> std::ops::Range<u64> {
    asked("FAULT_SEED").map_or(default, |seed| seed..seed + 1)
}

#[test]
fn acknowledged_batches_are_lost_when_a_write_fails() {
    seeds(1..2).for_each(|seed| fail_everywhere(seed, Operation::writes));
}

#[test]
fn acknowledged_batches_are_lost_when_a_read_fails() {
    seeds(3..4).for_each(|seed| fail_everywhere(seed, |operation| !operation.writes()));
}
