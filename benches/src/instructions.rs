//! How many instructions a read takes, and in which functions: valgrind counts them, whatever else the
//! machine does, and counts the same again.
//!
//! A child reads the same list once and, in another run, twice; the difference is what reading it takes,
//! without opening the store and making the list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use asofdb::{EventTime, JoinOptions, Options, Read, Selection, Store};

use crate::Outcome;
use crate::data::{HOUR, Shape, mix};

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The newest versions of all features of an entity.
    LatestRow,
    /// One of them.
    LatestPoint,
    /// All features of an entity as of a moment.
    AsOfRow,
    /// One of them.
    AsOfPoint,
    /// A cell of a shuffled join of four rows an entity.
    JoinedCell,
}

/// How much is read.
#[derive(clap::Args, Clone, Debug)]
pub struct Size {
    /// How many entities of 20 features there are.
    #[arg(long, default_value_t = 2_500)]
    entities: u64,
    /// How many versions each feature has.
    #[arg(long, default_value_t = 10)]
    versions: u64,
    /// Only these reads.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
    /// So many functions are told of each.
    #[arg(long, default_value_t = 0)]
    functions: usize,
}

impl Size {
    fn shape(&self) -> Shape {
        let start = 1_700_000_000_000_000 / HOUR * HOUR;
        Shape { entities: self.entities, features: 20, versions: self.versions, start }
    }
}

/// A child's work.
#[derive(clap::Args, Clone, Debug)]
pub struct ChildArgs {
    kind: Kind,
    rounds: u64,
    store: PathBuf,
    #[command(flatten)]
    size: Size,
}

/// Counts every kind of read that is wanted.
pub fn run(dir: &Path, size: &Size) -> Outcome<()> {
    let store = dir.join("store");
    crate::load(&store, size.shape(), 1_000)?;
    let kinds = <Kind as clap::ValueEnum>::value_variants();
    for kind in kinds.iter().filter(|kind| size.only.is_empty() || size.only.contains(kind)) {
        let (once, twice) =
            (count(dir, &store, size, *kind, 1)?, count(dir, &store, size, *kind, 2)?);
        let reads = match kind {
            Kind::JoinedCell => size.entities * 4 * size.shape().features,
            _ => size.entities,
        };
        let each = |function: &str| {
            let counted = |counts: &Counts| counts.get(function).copied().unwrap_or(0);
            counted(&twice).saturating_sub(counted(&once)) as f64 / reads as f64
        };
        let mut functions: Vec<(f64, &String)> =
            twice.keys().map(|name| (each(name), name)).collect();
        functions.sort_by(|one, other| other.0.total_cmp(&one.0));
        let all: f64 = functions.iter().map(|(each, _)| each).sum();
        println!("{kind:?}: {all:.0} instructions");
        for (each, name) in functions.iter().take(size.functions) {
            println!("    {each:8.1} {name}");
        }
    }
    Ok(())
}

/// Instructions by function.
type Counts = BTreeMap<String, u64>;

/// What one run of a child takes.
fn count(dir: &Path, store: &Path, size: &Size, kind: Kind, rounds: u64) -> Outcome<Counts> {
    let file = dir.join("counts");
    let name = clap::ValueEnum::to_possible_value(&kind).ok_or("a kind without a name")?;
    let mut child = Command::new("valgrind");
    child.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", file.display()));
    child.arg(std::env::current_exe()?).arg("instructions-child").arg(name.get_name());
    child.arg(rounds.to_string()).arg(store);
    child.arg(format!("--entities={}", size.entities)).arg(format!("--versions={}", size.versions));
    let ran = child.output().map_err(|error| format!("valgrind has to be installed: {error}"))?;
    if !ran.status.success() {
        return Err(String::from_utf8_lossy(&ran.stderr).into());
    }
    let mut annotate = Command::new("callgrind_annotate");
    let told = annotate.args(["--auto=no", "--threshold=100"]).arg(&file).output()?;
    let mut counts = Counts::new();
    // Lines of: 1,234 (5.67%) path:function [object]
    for line in String::from_utf8_lossy(&told.stdout).lines() {
        let Some((instructions, rest)) = line.trim_start().split_once(" (") else { continue };
        let Ok(instructions) = instructions.replace(',', "").parse::<u64>() else { continue };
        let function = rest.split_once(") ").and_then(|(_, at)| at.split_once(':'));
        let Some((_, function)) = function else { continue };
        let function = function.rsplit_once(" [").map_or(function, |(function, _)| function);
        *counts.entry(function.to_owned()).or_default() += instructions;
    }
    Ok(counts)
}

/// Reads the same list so many times.
pub fn run_child(args: &ChildArgs) -> Outcome<()> {
    let (shape, entities) = (args.size.shape(), args.size.entities);
    let store = Store::open(&args.store, Options::new())?;
    let names: Vec<String> = (0..shape.features).map(|n| format!("a:f{n}")).collect();
    let (row, point) = (store.select(&names)?, store.select(names.get(7..8).unwrap_or_default())?);
    let at = |n: u64| {
        let since = mix(n ^ 3) % ((shape.versions - 1) * HOUR.unsigned_abs());
        EventTime(shape.start + HOUR + since.cast_signed())
    };
    let key = |n: u64| shape.entity(mix(n ^ 7) % entities);
    let read = |selection: &Selection, asks: Vec<([u8; 8], Read)>| -> Outcome<()> {
        let mut reader = store.reader(selection)?;
        for _ in 0..args.rounds {
            for (key, read) in &asks {
                std::hint::black_box(reader.read(key, read)?);
            }
        }
        Ok(())
    };
    let latest = || (0..entities).map(|n| (key(n), Read::latest())).collect();
    let as_of = || (0..entities).map(|n| (key(n), Read::as_of(at(n)))).collect();
    match args.kind {
        Kind::LatestRow => read(&row, latest())?,
        Kind::LatestPoint => read(&point, latest())?,
        Kind::AsOfRow => read(&row, as_of())?,
        Kind::AsOfPoint => read(&point, as_of())?,
        Kind::JoinedCell => {
            let joiner = store.joiner(&row, JoinOptions::new().threads(1))?;
            let spine: Vec<_> = (0..entities * 4).map(|n| Some((key(n), at(n)))).collect();
            for _ in 0..args.rounds {
                std::hint::black_box(joiner.join(&spine)?);
            }
        }
    }
    store.close()?;
    Ok(())
}
