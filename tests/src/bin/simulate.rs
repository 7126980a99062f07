//! Runs the programs of seeds on the engine in a simulated world, against the model.
//!
//! One seed with `--trace` prints every step, every operation of the disk and every stop of the
//! background work; the same seed prints the same for ever.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use asofdb_tests::metamorphic::{self, Counts, Kind};
use clap::{Parser, ValueEnum};

/// Replays the programs of seeds on the engine and on the model.
#[derive(Debug, Parser)]
struct Asked {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Only programs of this kind.
    #[arg(long)]
    kind: Option<Named>,
    /// Print all that happens, for each setting that the program is run under.
    #[arg(long)]
    trace: bool,
    /// Leave the store of each run, as its program left it, in a folder of this one.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Named {
    /// Ordinary operations.
    Steady,
    /// Crashes too.
    Crashes,
    /// Crashes, and a clock that is wrong at times.
    ClockJumps,
}

impl From<Named> for Kind {
    fn from(named: Named) -> Kind {
        match named {
            Named::Steady => Kind::Steady,
            Named::Crashes => Kind::Crashes,
            Named::ClockJumps => Kind::ClockJumps,
        }
    }
}

fn main() -> ExitCode {
    match run(&Asked::parse()) {
        Ok(failures) => ExitCode::from(u8::from(failures > 0)),
        // Who reads the beginning of a trace wants no more.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// How many programs failed.
fn run(asked: &Asked) -> io::Result<usize> {
    let mut out = io::stdout().lock();
    let kinds = asked.kind.map_or(Kind::ALL.to_vec(), |kind| vec![kind.into()]);
    let mut failures = 0;
    for kind in kinds {
        let mut counts = Counts::default();
        for seed in asked.seed..asked.seed.saturating_add(asked.seeds) {
            if asked.trace {
                print_trace(seed, kind, &mut out)?;
            }
            if let Some(dir) = &asked.keep {
                keep(seed, kind, dir)?;
            }
            match metamorphic::check(seed, kind) {
                Ok(of_seed) => counts.add(of_seed),
                Err(failure) => {
                    writeln!(out, "{failure}\nreplay: simulate --seed {seed} --kind {kind}")?;
                    failures += 1;
                }
            }
        }
        writeln!(out, "{kind}, seeds {} and on: {counts}", asked.seed)?;
    }
    Ok(failures)
}

/// `DIR/seed-7-crashes-0/store` and so on, one for each setting.
fn keep(seed: u64, kind: Kind, dir: &Path) -> io::Result<()> {
    for (place, setting) in metamorphic::settings(seed, kind).iter().enumerate() {
        let world = metamorphic::world_after(seed, kind, setting);
        world.disk.copy_to_real(&dir.join(format!("seed-{seed}-{kind}-{place}")))?;
    }
    Ok(())
}

fn print_trace(seed: u64, kind: Kind, out: &mut impl Write) -> io::Result<()> {
    for setting in metamorphic::settings(seed, kind) {
        for line in metamorphic::trace(seed, kind, &setting).lines {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}
