//! Runs the programs of seeds on the engine in a simulated world, against the model.
//!
//! One seed with `--trace` prints every step, every operation of the disk and every stop of the
//! background work; the same seed prints the same for ever.

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
    let asked = Asked::parse();
    let kinds = asked.kind.map_or(Kind::ALL.to_vec(), |kind| vec![kind.into()]);
    let mut failures = 0;
    for kind in kinds {
        let mut counts = Counts::default();
        for seed in asked.seed..asked.seed.saturating_add(asked.seeds) {
            if asked.trace {
                print_trace(seed, kind);
            }
            if let Some(dir) = &asked.keep
                && let Err(error) = keep(seed, kind, dir)
            {
                eprintln!("cannot write to {}: {error}", dir.display());
                return ExitCode::FAILURE;
            }
            match metamorphic::check(seed, kind) {
                Ok(of_seed) => counts.add(of_seed),
                Err(failure) => {
                    println!("{failure}");
                    println!("replay: simulate --seed {seed} --kind {kind}");
                    failures += 1;
                }
            }
        }
        println!("{kind}, seeds {} and on: {counts}", asked.seed);
    }
    ExitCode::from(u8::from(failures > 0))
}

/// `DIR/seed-7-crashes-0/store` and so on, one for each setting.
fn keep(seed: u64, kind: Kind, dir: &Path) -> std::io::Result<()> {
    for (place, setting) in metamorphic::settings(seed, kind).iter().enumerate() {
        let world = metamorphic::world_after(seed, kind, setting);
        world.disk.copy_to_real(&dir.join(format!("seed-{seed}-{kind}-{place}")))?;
    }
    Ok(())
}

fn print_trace(seed: u64, kind: Kind) {
    for setting in metamorphic::settings(seed, kind) {
        for line in metamorphic::trace(seed, kind, &setting).lines {
            println!("{line}");
        }
    }
}
