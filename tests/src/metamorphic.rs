//! One program of a seed under several settings, each against the model: so all answers are equal.
//!
//! Invariants:
//! - seed and kind fix the program and its settings;
//! - the same seed, kind and setting give the same run, byte for byte.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use asofdb::world::sim::SimWorld;

use crate::engine::Engine;
use crate::generate::{Rng, Settings, generate};
use crate::options::Setting;
use crate::replay::{Compared, Subject, apply, go_between, is_left_out, replay_against_model};
use crate::shrink::check_seed;

/// How many settings each program is run under.
const SETTINGS: usize = 3;

/// What a program may meet beside ordinary operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Steady,
    /// Crashes.
    Crashes,
    /// Crashes, and a clock that is wrong at times.
    ClockJumps,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Steady, Kind::Crashes, Kind::ClockJumps];

    fn settings(self) -> Settings {
        Settings {
            every_operation: self != Kind::Steady,
            clock_jumps: self == Kind::ClockJumps,
            ..Settings::default()
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Kind::Steady => "steady",
            Kind::Crashes => "crashes",
            Kind::ClockJumps => "clock-jumps",
        })
    }
}

/// What was run and compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Programs.
    pub programs: usize,
    /// Programs, each under one setting.
    pub runs: usize,
    /// Answers of reads.
    pub cells: usize,
    /// Crashes.
    pub crashes: usize,
    /// Batches that crashes took.
    pub lost: usize,
    /// Times that background work stood still while a program went on.
    pub stops: usize,
}

impl Counts {
    /// Adds others.
    pub fn add(&mut self, other: Counts) {
        self.programs += other.programs;
        self.runs += other.runs;
        self.cells += other.cells;
        self.crashes += other.crashes;
        self.lost += other.lost;
        self.stops += other.stops;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} programs, {} runs, {} cells, {} crashes that took {} batches, {} stops of background \
             work",
            self.programs, self.runs, self.cells, self.crashes, self.lost, self.stops
        )
    }
}

/// The settings of a program.
pub fn settings(seed: u64, kind: Kind) -> Vec<Setting> {
    let mut rng = Rng::new(seed);
    (0..SETTINGS).map(|_| Setting::draw(&mut rng, kind == Kind::ClockJumps)).collect()
}

/// One setting of every kind.
pub fn settings_of_all_kinds(seed: u64) -> Vec<(Kind, Setting)> {
    let first = |kind| settings(seed, kind).into_iter().next().map(|setting| (kind, setting));
    Kind::ALL.into_iter().filter_map(first).collect()
}

/// Runs a program under all its settings; what was compared, or a small program that fails.
pub fn check(seed: u64, kind: Kind) -> Result<Counts, String> {
    let steps = generate(seed, kind.settings());
    let mut counts = Counts { programs: 1, ..Counts::default() };
    for setting in settings(seed, kind) {
        let run = catch_unwind(AssertUnwindSafe(|| {
            let mut engine = new_engine(&setting, false);
            let compared = replay_against_model(&steps, &mut engine, setting.mode);
            compared.map(|compared| (compared, engine.stops()))
        }));
        let Ok(Ok((Compared { cells, crashes, lost }, stops))) = run else {
            let mut make = || -> Box<dyn Subject> { Box::new(new_engine(&setting, false)) };
            let small = check_seed(seed, kind.settings(), setting.mode, &mut make);
            let small = small.err().unwrap_or_else(|| "it did not fail again".to_owned());
            return Err(format!("{small}\n{kind}, {setting}"));
        };
        counts.add(Counts { programs: 0, runs: 1, cells, crashes, lost, stops });
    }
    Ok(counts)
}

#[expect(clippy::panic, reason = "a test fails by panicking")]
fn new_engine(setting: &Setting, traced: bool) -> Engine {
    match setting.engine(traced) {
        Ok(engine) => engine,
        Err(error) => panic!("a new store cannot be made: {error}"),
    }
}

/// What a run did and left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Steps with their outcomes, operations of the disk, stops of background work.
    pub lines: Vec<String>,
    /// Files and their bytes at the end.
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

/// Runs a program under one setting and writes down all that happens.
pub fn trace(seed: u64, kind: Kind, setting: &Setting) -> Trace {
    let mut lines = vec![format!("seed {seed}, {kind}: {setting}")];
    let disk = run(seed, kind, setting, Some(&mut lines)).disk;
    let files = disk.files().into_iter();
    let files = files.map(|(path, _)| (path.clone(), disk.read_file(&path).unwrap_or_default()));
    Trace { lines, files: files.collect() }
}

/// Runs a program under one setting; the world as it is left when the store is closed.
pub fn world_after(seed: u64, kind: Kind, setting: &Setting) -> SimWorld {
    run(seed, kind, setting, None)
}

fn run(seed: u64, kind: Kind, setting: &Setting, mut lines: Option<&mut Vec<String>>) -> SimWorld {
    let mut engine = new_engine(setting, lines.is_some());
    for (at, step) in generate(seed, kind.settings()).iter().enumerate() {
        if is_left_out(step, setting.mode) {
            continue;
        }
        let mut outcome = apply(step, &mut engine).to_string();
        if let Err(failed) = go_between(at, &mut engine, setting.mode) {
            outcome = failed.to_string();
        }
        if let Some(lines) = &mut lines {
            lines.push(format!("{at:4}  {step}"));
            lines.extend(engine.trace().into_iter().map(|line| format!("            {line}")));
            lines.push(format!("        -> {outcome}"));
        }
    }
    engine.sim().clone()
}
