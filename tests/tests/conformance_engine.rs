//! The engine answers every conformance program as the program says: with the flushes and compactions that it asks
//! for, with none, and with both after every step; relying on the clock at once, or only after ten minutes.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use asofdb::{Options, ReadMode, Span};
use asofdb_tests::engine::Engine;
use asofdb_tests::program::Program;
use asofdb_tests::replay::{Mode, replay};

fn programs_file() -> PathBuf {
    if let Some(named) = std::env::var_os("ASOFDB_CONFORMANCE") {
        return named.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = root.join("../../shared/conformance/programs.jsonl");
    if shared.exists() { shared } else { root.join("tests/conformance/sample.jsonl") }
}

fn replay_all(options: &Options, mode: Mode) {
    let path = programs_file();
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut programs, mut cells) = (0, 0);
    for program in &Program::parse_lines(&text).unwrap() {
        let mut engine = Engine::new(options.clone()).unwrap();
        match replay(program, &mut engine, mode) {
            Ok(compared) => cells += compared,
            Err(difference) => panic!("program {}, {mode:?}: {difference}", program.seed),
        }
        programs += 1;
    }
    println!("{}: {programs} programs, {cells} cells, {mode:?}", path.display());
    assert!(programs > 0 && cells > 0, "no cell was compared");
}

#[test]
fn programs_as_they_are_written() {
    replay_all(&Options::new(), Mode::AsWritten);
}

#[test]
fn programs_with_everything_in_memory() {
    replay_all(&Options::new(), Mode::InMemory);
}

#[test]
fn programs_compacted_after_every_step_by_the_clock_of_the_moment() {
    replay_all(&Options::new().clock_lag(Span::ZERO), Mode::CompactAfterEveryStep);
}

#[test]
fn programs_flushed_after_every_step_and_never_merged() {
    let options = Options::new().clock_lag(Span::ZERO).max_recent_tables(usize::MAX);
    replay_all(&options, Mode::FlushAfterEveryStep);
}

#[test]
fn programs_read_without_the_map() {
    let options = Options::new().clock_lag(Span::ZERO).read_mode(ReadMode::Pread);
    replay_all(&options, Mode::CompactAfterEveryStep);
}
