//! How many lines of the cache a read touches: valgrind tells every address that a child loads from or stores
//! to, and lines of 64 bytes are counted.
//!
//! Each read is of another entity, and everything was read once before: pages are verified, and the lines are
//! those of any later read. What at least one read in eight touches is shared: it stays in a cache where
//! reads are frequent. Every other line is the entity's own, and is likely waited for.

mod child;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;
use std::process::Stdio;

use asofdb::{Options, Store};

pub use self::child::{ChildArgs, run as run_child};
use crate::Outcome;
use crate::counted::{self, Size};
use crate::data::define;

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
    /// A row of a shuffled join of four rows an entity.
    JoinedRow,
    /// A latest row where nothing was flushed.
    MemoryRow,
    /// A latest row of which half of the features have a newer version in memory.
    HalfInMemoryRow,
    /// The last ten events of a user, whose block is kept decompressed.
    LastTen,
}

/// What is counted.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(flatten)]
    size: Size,
    /// Only these reads.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
}

/// So many reads are looked at, each by itself.
const READS: u64 = 64;
/// So many entities are joined, and half as many: the difference is what rows take.
const JOINED: u64 = 200;
const LINE: u64 = 64;

/// Where a line may lie: what the caller gets, the stack, tables, other memory, what belongs to the program.
const PLACES: [&str; 5] = ["columns", "stack", "files", "memory", "program"];
const MEMORY: usize = 3;

/// Lines in each of the places.
type Lines = [f64; PLACES.len()];

/// Counts every kind of read that is wanted.
pub fn run(dir: &Path, args: &Args) -> Outcome<()> {
    let kinds = <Kind as clap::ValueEnum>::value_variants();
    for kind in kinds.iter().filter(|kind| args.only.is_empty() || args.only.contains(kind)) {
        let shape = args.size.shape();
        let store = match kind {
            Kind::MemoryRow | Kind::HalfInMemoryRow | Kind::LastTen => {
                dir.join(format!("{kind:?}"))
            }
            _ => dir.join("store"),
        };
        match kind {
            Kind::MemoryRow => drop(define(&Store::open(&store, Options::new())?, shape)?),
            Kind::LastTen => child::write_events(&store, shape)?,
            _ if store.exists() => {}
            _ => crate::load(&store, shape, 1_000)?,
        }
        let places = dir.join("places");
        let reads = trace(*kind, &store, &places, args.size)?;
        let regions = regions(&std::fs::read_to_string(&places)?)?;
        let (own, shared) = match (kind, reads.as_slice()) {
            (Kind::JoinedRow, [half, all]) => of_joins(half, all, &regions),
            (Kind::JoinedRow, _) => return Err("a join was not seen".into()),
            _ if reads.len() as u64 == READS => of_reads(&reads, &regions),
            _ => return Err(format!("{} reads were seen", reads.len()).into()),
        };
        let told = |lines: Lines| {
            let each = PLACES.iter().zip(lines).filter(|(_, lines)| *lines != 0.0);
            each.map(|(place, lines)| format!("{place} {lines:.1}")).collect::<Vec<_>>().join(", ")
        };
        println!("{kind:?}: its own: {}; shared: {}", told(own), told(shared));
    }
    Ok(())
}

/// The lines that each read of a child touches.
fn trace(kind: Kind, store: &Path, places: &Path, size: Size) -> Outcome<Vec<BTreeSet<u64>>> {
    let tool = ["--tool=lackey", "--trace-mem=yes"].map(str::to_owned);
    let mut child = counted::child(&tool, ("lines-child", &kind), store, size)?;
    child.arg("--places").arg(places).stderr(Stdio::piped());
    let mut ran =
        child.spawn().map_err(|error| format!("valgrind has to be installed: {error}"))?;
    let mut from = BufReader::new(ran.stderr.take().ok_or("no trace")?);
    let (mut reads, mut read, mut marks, mut said) = (Vec::new(), None, (0, 0), String::new());
    let (mut bytes, hex) = (Vec::new(), |text: &str| u64::from_str_radix(text, 16));
    loop {
        bytes.clear();
        if from.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        // Lines of ` L 1fff000778,8`, for loads, stores, and both; and of each instruction.
        if bytes.starts_with(b"I") {
            continue;
        }
        let line = String::from_utf8_lossy(&bytes);
        if let Some((begin, end)) =
            line.strip_prefix(child::MARKS).and_then(|at| at.trim().split_once(' '))
        {
            marks = (hex(begin)?, hex(end)?);
        }
        let access = line.get(3..).and_then(|rest| rest.trim().split_once(','));
        let at = access.and_then(|(at, len)| Some((hex(at).ok()?, len.parse::<u64>().ok()?)));
        match at.filter(|_| line.starts_with(' ')) {
            None => said.push_str(&line),
            Some((at, _)) if at == marks.0 => read = Some(BTreeSet::new()),
            Some((at, _)) if at == marks.1 => reads.extend(read.take()),
            Some((at, len)) => {
                read.iter_mut().for_each(|read| read.extend(at / LINE..=(at + len - 1) / LINE));
            }
        }
    }
    if ran.wait()?.success() { Ok(reads) } else { Err(said.into()) }
}

/// Lines, and the place where they lie.
type Region = (Range<u64>, usize);

/// Lines of `start end place`.
fn regions(told: &str) -> Outcome<Vec<Region>> {
    let region = |line: &str| {
        let mut parts = line.split(' ');
        let (start, end, place) = (parts.next()?, parts.next()?, parts.next()?);
        let lines = start.parse::<u64>().ok()? / LINE..end.parse::<u64>().ok()?.div_ceil(LINE);
        Some((lines, PLACES.iter().position(|known| *known == place)?))
    };
    told.lines().map(|line| region(line).ok_or_else(|| line.into())).collect()
}

fn place_of(line: u64, regions: &[Region]) -> usize {
    regions.iter().find(|(lines, _)| lines.contains(&line)).map_or(MEMORY, |(_, place)| *place)
}

/// The median of the lines of each place that few reads touch, and of those that many do.
fn of_reads(reads: &[BTreeSet<u64>], regions: &[Region]) -> (Lines, Lines) {
    let mut touched: BTreeMap<u64, usize> = BTreeMap::new();
    reads.iter().flatten().for_each(|line| *touched.entry(*line).or_default() += 1);
    let many = |line: &u64| touched.get(line).is_some_and(|times| *times * 8 >= reads.len());
    let median = |place: usize, is_shared: bool| {
        let is_meant = |line: &&u64| many(line) == is_shared && place_of(**line, regions) == place;
        let count = |read: &BTreeSet<u64>| read.iter().filter(is_meant).count();
        let mut counts: Vec<usize> = reads.iter().map(count).collect();
        counts.sort_unstable();
        counts.get(counts.len() / 2).map_or(0.0, |count| *count as f64)
    };
    let of = |is_shared| std::array::from_fn(|place| median(place, is_shared));
    (of(false), of(true))
}

/// The lines that a row takes, and those that a join takes whatever its rows.
fn of_joins(half: &BTreeSet<u64>, all: &BTreeSet<u64>, regions: &[Region]) -> (Lines, Lines) {
    let count = |lines: &BTreeSet<u64>, place| {
        lines.iter().filter(|line| place_of(**line, regions) == place).count() as f64
    };
    let rows = (JOINED / 2 * 4) as f64;
    let row = |place| (count(all, place) - count(half, place)) / rows;
    let rest = |place| count(all, place) - row(place) * 2.0 * rows;
    (std::array::from_fn(row), std::array::from_fn(rest))
}
