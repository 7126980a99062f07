//! A process that writes to the real disk is killed with SIGKILL at a random moment: all that it had acknowledged is
//! there, the operation it was in is there whole or not at all, and nothing else.
//!
//! ASOFDB_KILLS says how many times (default 40), ASOFDB_SEED from which seed operations and moments are drawn; the
//! moments are those of a real machine, so a seed alone does not bring a failure back: the store of one is kept.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and this one waits for a real moment"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use asofdb::inspect;
use asofdb::world::World;
use asofdb_tests::asked::asked;
use asofdb_tests::generate::Rng;
use asofdb_tests::killed::{Books, Did, open};

/// So many rounds go on with the same store.
const ROUNDS: u64 = 20;

/// Starts a writer, kills it, and returns what it was in the middle of and how much it had done.
fn write_until_killed(
    dir: &Path,
    books: &mut Books,
    rng: &mut Rng,
    seed: u64,
) -> (Option<Did>, u64) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_write_until_killed"))
        .arg(dir)
        .args([books.next.to_string(), seed.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Killed while it opens, or after so many operations and a moment more.
    let operations = if rng.percent(10) { 0 } else { rng.between(1, 150) };
    let moment = Duration::from_micros(rng.between(0, 4_000).unsigned_abs());
    let (mut begun, mut done) = (None, 0);
    let mut take = |line: String, books: &mut Books| {
        let (what, did) = line.split_once(' ').unwrap();
        let did: Did = did.parse().unwrap();
        if what == "begin" {
            begun = Some(did);
            return;
        }
        books.done(did);
        begun = None;
        done += 1;
    };
    for line in lines.by_ref().take(usize::try_from(operations * 2).unwrap()) {
        take(line.unwrap(), books);
    }
    std::thread::sleep(moment);
    child.kill().unwrap();
    // What it printed before it died is in the pipe.
    for line in lines {
        take(line.unwrap(), books);
    }
    child.wait().unwrap();
    (begun, done)
}

#[test]
fn a_killed_process_takes_what_it_had_acknowledged() {
    let (kills, seed) = (asked("ASOFDB_KILLS").unwrap_or(40), asked("ASOFDB_SEED").unwrap_or(1));
    let mut rng = Rng::new(seed);
    let (mut operations, mut in_the_middle, mut versions) = (0, 0, 0);
    let mut round = 0;
    while round < kills {
        let dir = tempfile::tempdir().unwrap();
        let store_dir = dir.path().join("store");
        let mut books = Books::default();
        for _ in 0..ROUNDS.min(kills - round) {
            round += 1;
            let (begun, done) = write_until_killed(&store_dir, &mut books, &mut rng, seed + round);
            operations += done;
            in_the_middle += u64::from(begun.is_some());
            let store = open(&store_dir).unwrap();
            match books.check(&store, begun) {
                Ok(compared) => versions += compared,
                Err(difference) => {
                    let kept = dir.keep();
                    panic!("round {round} of seed {seed}: {difference}; see {}", kept.display());
                }
            }
            store.close().unwrap();
            let verified = inspect::verify(&store_dir, &World::real(), &mut |_, _| {}).unwrap();
            assert!(verified.is_clean(), "round {round} of seed {seed}: {:?}", verified.files);
        }
    }
    println!(
        "killed {round} times, {in_the_middle} in the middle of an operation; {operations} operations \
         acknowledged, {versions} versions compared, none lost"
    );
    assert!(operations > 0 && versions > 0, "nothing was written");
}
