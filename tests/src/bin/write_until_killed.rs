//! Writes to a store on the real disk until somebody kills the process, and says so on standard output:
//! `begin` before each operation and `done` after it was acknowledged.
//!
//! The test `killed` starts it, kills it and holds the store against what it printed.

use std::io::Write;
use std::process::ExitCode;

use asofdb_tests::killed::{Did, open};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, dir, first, seed] = arguments.as_slice() else {
        eprintln!("usage: write_until_killed DIR FIRST-NUMBER SEED");
        return ExitCode::from(2);
    };
    let (Ok(first), Ok(seed)) = (first.parse(), seed.parse()) else {
        eprintln!("the first number and the seed are numbers");
        return ExitCode::from(2);
    };
    match work(dir, first, seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn work(dir: &str, first: i64, seed: u64) -> Result<(), Box<dyn std::error::Error>> {
    let store = open(dir.as_ref())?;
    let mut out = std::io::stdout().lock();
    // Far more than anybody lets it do.
    for number in first..first + 1_000_000 {
        let did = Did::draw(number, seed);
        writeln!(out, "begin {did}")?;
        out.flush()?;
        did.run(&store)?;
        writeln!(out, "done {did}")?;
        out.flush()?;
    }
    Ok(())
}
