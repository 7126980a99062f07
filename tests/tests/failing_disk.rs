//! One operation of the disk fails, any of them and in any way: nothing that was acknowledged is lost, writes are
//! refused from a failed append or sync on until the store is opened again, reads go on, the error is that of the disk,
//! and a call that fails because something else was refused has done nothing.
//!
//! `FAULT_SEED=3 FAULT_AT=17 cargo test -p asofdb-tests --test failing_disk` replays one case; FAULT_SEEDS says how
//! many workloads are tried.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Mutex;

use asofdb::world::sim::{CrashPolicy, Fault, Hit, Operation, Rng, SimWorld};
use asofdb::{Batch, Commit, Durability, Error, ReadMode, Store};
use asofdb_tests::asked::asked;
use asofdb_tests::cores::on_both_cores;
use asofdb_tests::ledger::{
    BEGIN, Coverage, Deeds, Ledger, check_clean, new_world, open, open_reading, verify,
};

const STEPS: usize = 50;

/// A workload that does all that there is to do.
const FIRST_SEED: u64 = 147;

/// At every step of so many all that is sure is read.
const READ_EVERY: usize = 24;

/// Which operations are to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    Writes,
    Reads,
}

impl Failing {
    /// Lets one of these operations fail, or keeps the disk from failing for a while.
    fn arm(self, sim: &SimWorld, armed: bool) {
        sim.disk.arm(move |operation, _| armed && operation.writes() == (self == Self::Writes));
    }

    /// Opens the store for this time of so many: reads of a table are operations of the disk only where
    /// it is not mapped.
    fn open(self, sim: &SimWorld, time: usize) -> asofdb::Result<Store> {
        let mapped = self == Self::Writes || time.is_multiple_of(2);
        open_reading(sim, if mapped { ReadMode::Map } else { ReadMode::Pread })
    }

    /// How the operation of a number fails first.
    fn first_fault(self, at: u64) -> Fault {
        // A read that comes to an end too early is as good as one that fails.
        let short = self == Self::Reads && at % 2 == 1;
        Fault::Error(if short { ErrorKind::UnexpectedEof } else { ErrorKind::Other })
    }

    /// In which other ways it fails. All that a read can do is to fail.
    fn other_faults(self, operation: Operation) -> &'static [Fault] {
        let has_parts = matches!(operation, Operation::Append | Operation::MakeRoom);
        match self {
            Self::Reads => &[],
            Self::Writes if has_parts => {
                &[Fault::NoSpace, Fault::Applied(ErrorKind::Other), Fault::ShortWrite]
            }
            Self::Writes => &[Fault::NoSpace, Fault::Applied(ErrorKind::Other)],
        }
    }
}

/// Whether a store must refuse writes since: what was appended to a log or a manifest, or was to be
/// durable, may be there or not.
fn ends_writing(hit: &Hit) -> bool {
    let name = hit.path.to_string_lossy();
    matches!(hit.operation, Operation::Append | Operation::Sync)
        && (name.contains("LOG-") || name.contains("MANIFEST-"))
}

/// A store that is being worked on, and what of the faults of its disk it has met.
struct Open {
    store: Store,
    /// How often it was opened before.
    time: usize,
    /// The faults from before it was opened.
    before: usize,
    /// The newest commit that it was opened with.
    found: Option<Commit>,
    poisoned: bool,
}

impl Open {
    fn new(sim: &SimWorld, ledger: &Ledger, failing: Failing, time: usize) -> Self {
        let opened = failing.open(sim, time).or_else(|error| {
            check_clean(&error);
            failing.open(sim, time)
        });
        // One that could not be opened once can be opened again.
        let (before, found) = (sim.disk.hits().len(), ledger.newest());
        Self { store: opened.unwrap(), time, before, found, poisoned: false }
    }

    /// Looks at how a call ended that may have met a fault.
    fn look(&mut self, sim: &SimWorld, hits: usize, done: asofdb::Result<()>) {
        let all = sim.disk.hits();
        if let Err(error) = &done {
            check_clean(error);
            let has_failed = all.len() > hits && !self.poisoned;
            let refused = matches!(error, Error::Poisoned { .. });
            assert!(refused || has_failed, "{error} after {all:?}");
            self.poisoned |= refused;
        }
        self.poisoned |= all.iter().skip(self.before).any(ends_writing);
        if self.poisoned {
            let mut batch = Batch::new();
            batch.put("ant", "v:number", BEGIN, 0);
            for durability in [Durability::Buffered, Durability::Synced] {
                let refused = self.store.write(&batch, durability);
                assert!(
                    matches!(refused, Err(Error::Poisoned { .. })),
                    "{refused:?} after {all:?}"
                );
            }
        }
    }

    fn close(self, sim: &SimWorld, ledger: &mut Ledger) {
        let closed = self.store.close();
        let hits = sim.disk.hits();
        match closed {
            Ok(()) => {
                // Where not even a log could be begun, all is as it was found.
                let changed = ledger.newest() > self.found;
                assert!(!self.poisoned || !changed, "closed in peace after {hits:?}");
                ledger.closed();
            }
            Err(error) => {
                check_clean(&error);
                assert!(hits.len() > self.before, "{error}, though nothing failed");
            }
        }
    }
}

/// Runs the workload through whatever fails.
fn run(sim: &SimWorld, seed: u64, failing: Failing) -> Ledger {
    let mut ledger = Ledger::default();
    let mut rng = Rng::new(seed);
    let mut open = Open::new(sim, &ledger, failing, 0);
    for step in 0..STEPS {
        let hits = sim.disk.hits().len();
        if rng.percent(5) {
            let time = open.time + 1;
            open.close(sim, &mut ledger);
            open = Open::new(sim, &ledger, failing, time);
            if sim.disk.faults_hit() > 0 {
                failing.arm(sim, false);
                ledger.check(&open.store);
                failing.arm(sim, true);
            }
        }
        let done = ledger.step(sim, &open.store, &mut rng);
        open.look(sim, hits, done);
        // Until a write fails, reads tell nothing new.
        let has_failed = failing == Failing::Writes && sim.disk.faults_hit() > 0;
        if has_failed || step % READ_EVERY == 0 {
            ledger.check_reads(sim, &open.store);
        }
    }
    open.close(sim, &mut ledger);
    ledger
}

/// How often each operation failed in each way.
type Hits = BTreeMap<Operation, BTreeMap<String, u64>>;

/// How many failures there were, what failed, and what the workload did.
fn fail_everywhere(seed: u64, failing: Failing) -> (u64, Hits, Deeds) {
    let whole = new_world();
    failing.arm(&whole, true);
    whole.disk.start_trace();
    let before = whole.disk.operations();
    let ledger = run(&whole, seed, failing);
    let (operations, coverage) = (before..whole.disk.operations(), Coverage::of(&whole));
    println!(
        "seed {seed}: {} operations, {coverage}; {}",
        operations.clone().count(),
        ledger.deeds()
    );
    assert!(coverage.is_wide(), "the workload misses something: {coverage}");
    let numbers = operations.filter(|at| asked("FAULT_AT").is_none_or(|asked| asked == *at));
    let hits = Mutex::new(Hits::new());
    let failures = on_both_cores(numbers.collect(), |at| fail_at(seed, failing, at, &hits));
    (failures, hits.into_inner().unwrap(), ledger.deeds().clone())
}

/// Fails one operation in every way; how many ways those are.
fn fail_at(seed: u64, failing: Failing, at: u64, hits: &Mutex<Hits>) -> u64 {
    println!("FAULT_SEED={seed} FAULT_AT={at} cargo test -p asofdb-tests --test failing_disk");
    let mut rng = Rng::new(seed ^ at << 32);
    let first = fail_once(seed, failing, at, failing.first_fault(at), &mut rng);
    let mut all = vec![first.clone()];
    for fault in failing.other_faults(first.operation) {
        let hit = fail_once(seed, failing, at, *fault, &mut rng);
        assert_eq!((hit.operation, &hit.path), (first.operation, &first.path));
        all.push(hit);
    }
    let mut hits = hits.lock().unwrap();
    for hit in &all {
        *hits.entry(hit.operation).or_default().entry(format!("{:?}", hit.fault)).or_default() += 1;
    }
    u64::try_from(all.len()).unwrap()
}

/// Fails one operation in one way, and holds what is left against what was acknowledged.
fn fail_once(seed: u64, failing: Failing, at: u64, fault: Fault, rng: &mut Rng) -> Hit {
    let sim = new_world();
    failing.arm(&sim, true);
    sim.disk.fail_at(at, fault);
    let mut ledger = run(&sim, seed, failing);
    sim.disk.heal();
    let store = open(&sim).unwrap();
    ledger.check(&store);
    verify(&sim);
    ledger.write_any(&store, rng).unwrap();
    for _ in 0..6 {
        ledger.step(&sim, &store, rng).unwrap();
    }
    store.sync().unwrap();
    ledger.synced();
    let cut = sim.after_power_cut(rng.next_u64(), CrashPolicy::draw(rng));
    ledger.check(&open(&cut).unwrap());
    let hits = sim.disk.hits();
    assert_eq!(hits.len(), 1, "{fault:?} at {at}");
    hits.into_iter().next().unwrap()
}

/// Lets each operation of the workloads fail, and prints what did.
fn fail_all(first: u64, failing: Failing) {
    let count = asked("FAULT_SEEDS").unwrap_or(1);
    let seeds = asked("FAULT_SEED").map_or(first..first + count, |seed| seed..seed + 1);
    let (mut sum, mut all, mut deeds) = (0, Hits::new(), Deeds::default());
    for seed in seeds {
        let (failures, hits, done) = fail_everywhere(seed, failing);
        sum += failures;
        for (operation, faults) in hits {
            let known = all.entry(operation).or_default();
            faults.into_iter().for_each(|(how, times)| *known.entry(how).or_default() += times);
        }
        deeds = deeds.join(&done);
    }
    for (operation, faults) in &all {
        let faults = faults.iter().map(|(how, times)| format!("{times} {how}"));
        println!("{failing:?}, {operation:?}: {}", faults.collect::<Vec<_>>().join(", "));
    }
    println!("{failing:?}: {sum} failures, none lost what was acknowledged: {deeds}");
    let missing = deeds.missing();
    assert!(missing.is_empty() || asked("FAULT_SEED").is_some(), "no workload did {missing:?}");
}

#[test]
fn acknowledged_batches_are_lost_when_a_write_fails() {
    fail_all(FIRST_SEED, Failing::Writes);
}

#[test]
fn acknowledged_batches_are_lost_when_a_read_fails() {
    fail_all(FIRST_SEED, Failing::Reads);
}
