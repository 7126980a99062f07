//! How many instructions a read takes, and in which functions: valgrind counts them, whatever else the
//! machine does, and counts the same again.
//!
//! A child reads the same list once and, in another run, twice; the difference is what reading it takes,
//! without opening the store, making the list, and holding the answers against the generator at the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use asofdb::{EventTime, JoinOptions, Options, Selection, Store};

use crate::Outcome;
use crate::counted::{self, Ask, Size, as_asked, check};

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

/// What is counted.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(flatten)]
    size: Size,
    /// Only these reads.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
    /// So many functions are told of each.
    #[arg(long, default_value_t = 0)]
    functions: usize,
}

/// A child's work.
#[derive(clap::Args, Clone, Debug)]
pub struct ChildArgs {
    kind: Kind,
    store: PathBuf,
    #[arg(long)]
    rounds: u64,
    #[command(flatten)]
    size: Size,
}

/// Counts every kind of read that is wanted.
pub fn run(dir: &Path, args: &Args) -> Outcome<()> {
    let (store, size) = (dir.join("store"), args.size);
    crate::load(&store, size.shape(), 1_000)?;
    let kinds = <Kind as clap::ValueEnum>::value_variants();
    for kind in kinds.iter().filter(|kind| args.only.is_empty() || args.only.contains(kind)) {
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
        for (each, name) in functions.iter().take(args.functions) {
            println!("    {each:8.1} {name}");
        }
    }
    Ok(())
}

/// Instructions by function.
type Counts = BTreeMap<String, u64>;

/// What one run of a child takes.
fn count(dir: &Path, store: &Path, size: Size, kind: Kind, rounds: u64) -> Outcome<Counts> {
    let file = dir.join("counts");
    let to = format!("--callgrind-out-file={}", file.display());
    let tool = ["--tool=callgrind".to_owned(), to];
    let mut child = counted::child(&tool, ("instructions-child", &kind), store, size)?;
    child.arg(format!("--rounds={rounds}"));
    let ran = child.output().map_err(|error| format!("valgrind has to be installed: {error}"))?;
    if !ran.status.success() {
        return Err(String::from_utf8_lossy(&ran.stderr).into());
    }
    let mut annotate = Command::new("callgrind_annotate");
    let told = annotate.args(["--auto=no", "--threshold=100"]).arg(&file).output()?;
    if !told.status.success() {
        return Err(String::from_utf8_lossy(&told.stderr).into());
    }
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

/// Reads the same list so many times, and then holds the answers against the generator.
pub fn run_child(args: &ChildArgs) -> Outcome<()> {
    let (shape, entities) = (args.size.shape(), args.size.entities);
    let store = Store::open(&args.store, Options::new())?;
    let names = counted::names(shape);
    let (row, point) = (store.select(&names)?, store.select(names.get(..1).unwrap_or_default())?);
    let asks = |count: u64| -> Vec<Ask> { (0..count).map(|n| counted::ask(shape, n, n)).collect() };
    let read = |selection: &Selection, is_latest: bool| -> Outcome<()> {
        let mut reader = store.reader(selection)?;
        let list: Vec<_> =
            asks(entities).into_iter().map(|ask| as_asked(shape, ask, is_latest)).collect();
        for _ in 0..args.rounds {
            for (key, read) in &list {
                std::hint::black_box(reader.read(key, read)?);
            }
        }
        for (ask, (key, read)) in asks(entities).into_iter().zip(&list) {
            let cells = reader.read(key, read)?;
            let ask = if is_latest { (ask.0, i64::MAX) } else { ask };
            for feature in 0..selection.len() {
                check(shape, ask, feature, cells.at(0, feature).and_then(|cell| cell.as_f64()))?;
            }
        }
        Ok(())
    };
    match args.kind {
        Kind::LatestRow => read(&row, true)?,
        Kind::LatestPoint => read(&point, true)?,
        Kind::AsOfRow => read(&row, false)?,
        Kind::AsOfPoint => read(&point, false)?,
        Kind::JoinedCell => {
            let joiner = store.joiner(&row, JoinOptions::new().threads(1))?;
            let asks = asks(entities * 4);
            let key = |(entity, t): &Ask| Some((shape.entity(*entity), EventTime(*t)));
            let spine: Vec<_> = asks.iter().map(key).collect();
            for _ in 0..args.rounds {
                std::hint::black_box(joiner.join(&spine)?);
            }
            let joined = joiner.join(&spine)?;
            for feature in 0..row.len() {
                let column = joined.column(feature).ok_or("a column is missing")?;
                for (at, ask) in asks.iter().enumerate() {
                    let found = column.value(at).and_then(|value| value.as_f64());
                    check(shape, *ask, feature, found)?;
                }
            }
        }
    }
    store.close()?;
    Ok(())
}
