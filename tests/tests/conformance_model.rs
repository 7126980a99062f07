//! The model answers every conformance program as the program says.
//!
//! The programs are those of the file that ASOFDB_CONFORMANCE names, else those beside the workspace, else our own
//! sample. A wrong model would make every other test worthless, so this is the first one to look at.
//!
//! The sample is what the generator makes of the first seeds. ASOFDB_REWRITE=1 writes it anew.

use std::path::{Path, PathBuf};

use asofdb_tests::generate::{Settings, generate};
use asofdb_tests::model::Model;
use asofdb_tests::program::Program;
use asofdb_tests::replay::{Mode, replay, with_answers};

fn programs_file() -> PathBuf {
    if let Some(named) = std::env::var_os("ASOFDB_CONFORMANCE") {
        return named.into();
    }
    let shared =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance/programs.jsonl");
    if shared.exists() { shared } else { sample_file() }
}

fn sample_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/sample.jsonl")
}

fn replay_file(path: &Path) -> Result<(usize, usize), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path:?}: {error}"))?;
    let programs = Program::parse_lines(&text)?;
    let mut cells = 0;
    for program in &programs {
        cells += replay(program, &mut Model::new(), Mode::AsWritten)?;
    }
    Ok((programs.len(), cells))
}

#[test]
fn the_model_answers_every_program() {
    let path = programs_file();
    match replay_file(&path) {
        Err(difference) => panic!("{}\n{difference}", path.display()),
        Ok((programs, cells)) => {
            println!("{}: {programs} programs, {cells} cells", path.display());
            assert!(programs > 0 && cells > 0, "no cell was compared");
        }
    }
}

#[test]
fn a_printed_program_parses_to_the_same() {
    let text = std::fs::read_to_string(programs_file()).unwrap();
    for program in Program::parse_lines(&text).unwrap() {
        assert_eq!(Program::parse(&program.to_json()).unwrap(), program);
    }
}

#[test]
fn the_sample_is_what_the_generator_makes() {
    let programs = (1..=20).map(|seed| with_answers(seed, generate(seed, Settings::default())));
    let made: String = programs.map(|program| program.to_json() + "\n").collect();
    if std::env::var_os("ASOFDB_REWRITE").is_some() {
        #[expect(clippy::disallowed_methods, reason = "the sample is a file of the sources")]
        std::fs::write(sample_file(), &made).unwrap();
    }
    let kept = std::fs::read_to_string(sample_file()).unwrap();
    assert!(made == kept, "the generator changed: look at it, then run with ASOFDB_REWRITE=1");
    replay_file(&sample_file()).unwrap();
}
