//! One program under many options: every answer and every refusal is the model's, whatever the sizes of memtables
//! and tables, however tables are read, wherever background work stands while the program goes on, through crashes
//! and a clock that jumps.
//!
//! ASOFDB_SEEDS says how many programs (by default 250, and 100 on a clock that jumps), ASOFDB_FIRST_SEED which is the
//! first. A program that fails is made small; `simulate` replays a seed with all that happens on the disk:
//!
//!     ASOFDB_FIRST_SEED=77 ASOFDB_SEEDS=1 cargo test -p asofdb-tests --test metamorphic -- --nocapture
//!     cargo run -p asofdb-tests --bin simulate -- --seed 77 --trace
#![expect(clippy::panic, reason = "a test fails by panicking")]

use asofdb_tests::asked::asked;
use asofdb_tests::metamorphic::{self, Counts, Kind};

fn check(kind: Kind, seeds: u64) {
    let (first, seeds) =
        (asked("ASOFDB_FIRST_SEED").unwrap_or(1), asked("ASOFDB_SEEDS").unwrap_or(seeds));
    let mut counts = Counts::default();
    for seed in first..first + seeds {
        match metamorphic::check(seed, kind) {
            Ok(of_seed) => counts.add(of_seed),
            Err(failure) => panic!(
                "{failure}\nreplay: ASOFDB_FIRST_SEED={seed} ASOFDB_SEEDS=1 \
                 cargo test -p asofdb-tests --test metamorphic"
            ),
        }
    }
    println!("{kind}, from seed {first}: {counts}, no difference");
    assert!(counts.cells > 0, "no cell was compared");
}

#[test]
fn no_option_and_no_moment_of_the_background_work_changes_an_answer() {
    check(Kind::Steady, 250);
}

#[test]
fn no_crash_changes_an_answer() {
    check(Kind::Crashes, 250);
}

#[test]
fn no_jump_of_the_clock_loses_an_answer() {
    check(Kind::ClockJumps, 100);
}

#[test]
fn the_same_seed_does_the_same_operations_and_leaves_the_same_bytes() {
    let first = asked("ASOFDB_FIRST_SEED").unwrap_or(1);
    let mut lines = 0;
    for seed in first..first + 20 {
        for (kind, setting) in metamorphic::settings_of_all_kinds(seed) {
            let once = metamorphic::trace(seed, kind, &setting);
            let twice = metamorphic::trace(seed, kind, &setting);
            let differs = once.lines.iter().zip(&twice.lines).position(|(one, other)| one != other);
            assert_eq!(differs, None, "seed {seed}, {kind}, {setting}");
            assert!(once.files == twice.files, "seed {seed}, {kind}, {setting}: other bytes");
            lines += once.lines.len();
        }
    }
    println!("20 seeds run twice: {lines} lines of trace, no difference");
    assert!(lines > 0);
}
