//! Whole workloads, asofdb beside the engines that a user would pick instead, in one run.
//!
//! Peers are set up as somebody would who knows them; each file says how. The figures of a line come
//! from rounds in which all take turns, and every answer is held against the generator.

mod beside;
mod child;
mod dataset;
mod deep;
mod durable;
mod export;
#[cfg(feature = "fjall")]
mod fjall;
mod flat;
#[cfg(any(feature = "fjall", feature = "redb", feature = "rocksdb"))]
mod history;
mod ingest;
mod joins;
#[cfg(any(feature = "fjall", feature = "lmdb", feature = "redb", feature = "rocksdb"))]
mod key;
mod late;
mod late_p;
#[cfg(feature = "lmdb")]
mod lmdb;
mod machine;
mod many;
mod mem;
mod memory;
mod mix_29;
mod mixed;
mod ours;
mod peer;
mod platform;
mod reads;
#[cfg(feature = "redb")]
mod redb;
mod report;
#[cfg(feature = "rocksdb")]
mod rocks;
mod sequences;
mod texts;
mod timing;
mod weather;
mod wide;

use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::peers::dataset::{Data, Size, Zipf};
use crate::peers::ingest::{Load, load};
use crate::peers::peer::{Entrant, Role, Setup, Write};
use crate::peers::reads::{Kind, Loaded};
use crate::peers::report::{Figure, Line, Report, Target};

/// What is compared, with whom, and how large.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Only these take part beside asofdb.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these lines.
    #[arg(long, value_delimiter = ',')]
    lines: Vec<String>,
    /// Which share of the entities there is.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// In how many rounds all take turns.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How many questions a round has.
    #[arg(long, default_value_t = 20_000)]
    asks: usize,
    /// Where stores are made; default: the system's place for temporary files.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The folder of the weather set: features.csv, spine.csv, expected-no-ttl.csv.
    #[arg(long)]
    weather: Option<PathBuf>,
    /// Writes the report as a table in Markdown to a file, behind what the machine is.
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Writes the data for other programs to a folder, and does nothing else.
    #[arg(long)]
    export: Option<PathBuf>,
}

impl Args {
    fn wants(&self, line: &str) -> bool {
        self.lines.is_empty() || self.lines.iter().any(|wanted| wanted == line)
    }

    fn wants_any(&self, lines: &[&str]) -> bool {
        lines.iter().any(|line| self.wants(line))
    }

    /// How often all load what is loaded fastest, in turns: what else the machine does decides a single
    /// load.
    fn load_turns(&self) -> usize {
        if self.rounds >= 2 && self.wants_any(&["ingest", "ingest-late"]) { 2 } else { 1 }
    }

    /// All that take part, ours first.
    fn entrants(&self) -> Vec<Entrant> {
        let wanted = |entrant: &Entrant| {
            let is_named = |name: &String| entrant.name == name;
            entrant.role == Role::Ours || self.only.is_empty() || self.only.iter().any(is_named)
        };
        all_entrants().into_iter().filter(wanted).collect()
    }
}

/// All that are built in, ours first.
fn all_entrants() -> Vec<Entrant> {
    vec![
        Entrant { name: "asofdb", role: Role::Ours, open: ours::open },
        #[cfg(feature = "lmdb")]
        Entrant { name: "lmdb-dup", role: Role::Peer, open: lmdb::open },
        #[cfg(feature = "lmdb")]
        Entrant { name: "lmdb-latest", role: Role::Peer, open: lmdb::open_with_latest },
        #[cfg(feature = "rocksdb")]
        Entrant { name: "rocksdb", role: Role::Peer, open: rocks::open },
        #[cfg(feature = "rocksdb")]
        Entrant { name: "rocksdb-latest", role: Role::Peer, open: rocks::open_with_latest },
        #[cfg(feature = "fjall")]
        Entrant { name: "fjall", role: Role::Peer, open: fjall::open },
        #[cfg(feature = "redb")]
        Entrant { name: "redb", role: Role::Peer, open: redb::open },
        Entrant { name: "hashmap", role: Role::Floor, open: mem::open },
        Entrant { name: "flat", role: Role::Floor, open: flat::open },
    ]
}

/// A: wide and shallow.
const A: Size = Size { entities: 50_000, features: 20, versions: 10, shared_times: false };

/// D: as A, but the features of an entity share their times.
const D: Size = Size { shared_times: true, ..A };

/// The work of a child process.
pub use self::child::{ChildArgs, run as run_child};

/// Runs what is asked for.
pub fn run(args: &Args) -> Outcome<()> {
    if let Some(folder) = &args.export {
        return export::run(folder, args.scale);
    }
    let dir = match &args.dir {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let mut report = Report::default();
    report.tell(platform::lines(dir.path()));
    let outcome = all_lines(args, dir.path(), &mut report);
    // A run that fails has its lines up to there, too.
    println!("\n{}", report.table());
    if let Some(path) = &args.markdown {
        std::fs::write(path, report.markdown())?;
    }
    outcome
}

/// One set of data after another.
fn all_lines(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if args.wants("machine") {
        report.tell(machine::run(dir)?);
    }
    report.tell(vec![
        format!("reading the clock twice costs {:.0} ns, taken off", timing::clock_cost()),
        "latencies are p50 / p99 / p99.9 of single calls [a call in the middle block of 64]".into(),
    ]);
    set_a(args, dir, report)?;
    deep::run(args, dir, report)?;
    set_d(args, dir, report)?;
    texts::run(args, dir, report)?;
    many::run(args, dir, report)?;
    sequences::run(args, dir, report)?;
    late_p::run(args, dir, report)?;
    mix_29::run(args, dir, report)?;
    mix_29::beside_writer(args, dir, report)?;
    wide::run(args, dir, report)?;
    weather::run(args, dir, report)?;
    durable::run(args, dir, report)
}

/// The lines of A.
fn set_a(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    let loaded = [
        "latest",
        "latest-zipf",
        "latest-point",
        "asof",
        "asof-point",
        "join",
        "ingest",
        "bytes",
        "open",
        "memory",
    ];
    let fresh = ["ingest-late", "late-rows", "mixed"];
    if !args.wants_any(&loaded) && !args.wants_any(&fresh) {
        return Ok(());
    }
    let data = Data::new(A.scaled(args.scale));
    let mut in_order = None;
    if args.wants_any(&loaded) {
        in_order = loaded_a(args, dir, &data, report)?;
    }
    child::opening(args, dir, report)?;
    child::memory(args, dir, report)?;
    late::ingest(args, dir, &data, in_order, report)?;
    late::rows(args, dir, &data, report)?;
    mixed::run(args, dir, &data, report)
}

/// Loads A, times what is read of it, and closes; what the load of ours took.
fn loaded_a(args: &Args, dir: &Path, data: &Data, report: &mut Report) -> Outcome<Option<Load>> {
    let turns = args.load_turns();
    let (mut stores, loads) = load_into(&args.entrants(), &dir.join("a"), data, 0, turns)?;
    if args.wants("ingest") {
        let title = format!("ingest, buffered, to quiescence{} (A)", better_of(turns));
        let mut line = rates(title, data, &stores, &loads);
        line.target = Target::AtLeast(3.0);
        report.add(line);
    }
    if args.wants("bytes") {
        report.add(bytes("bytes a record (A)", 6.5, "≤ 6.5", data, &stores, &loads));
    }
    let zipf = Zipf::new(data.size.entities, 0.99);
    let count = args.asks * args.rounds;
    let uniform = data.asks(count, 1, None);
    let skewed = data.asks(count, 2, Some(&zipf));
    let lines = [
        ("latest", "latest row of 20, uniform (A)", Kind::LatestRow, 1.0 / 6.0),
        ("latest-zipf", "latest row of 20, Zipf 0.99 (A)", Kind::LatestRow, 1.0 / 6.0),
        ("latest-point", "latest point, uniform (A)", Kind::LatestPoint, 0.5),
        ("asof", "as-of row of 20, uniform (A)", Kind::AsOfRow, 0.2),
        ("asof-point", "as-of point, uniform (A)", Kind::AsOfPoint, 0.5),
    ];
    for (name, title, kind, target) in lines.into_iter().filter(|line| args.wants(line.0)) {
        let asks = if name == "latest-zipf" { &skewed } else { &uniform };
        report.add(read_line(&stores, data, title, kind, asks, args.rounds, target)?);
    }
    if args.wants("join") {
        stores = join_lines(args, data, stores, "A", report)?;
    }
    stores.into_iter().try_for_each(|store| store.peer.close())?;
    Ok(loads.first().copied())
}

/// The lines of D.
fn set_d(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants_any(&["join-shared", "bytes"]) {
        return Ok(());
    }
    let data = Data::new(D.scaled(args.scale));
    let (mut stores, loads) = load_all(args, &dir.join("d"), &data, 0)?;
    if args.wants("bytes") {
        report.add(bytes("bytes a record (D)", 2.5, "≤ 2.5", &data, &stores, &loads));
    }
    if args.wants("join-shared") {
        stores = join_lines(args, &data, stores, "D", report)?;
    }
    stores.into_iter().try_for_each(|store| store.peer.close())
}

/// Loads a data set into the stores of all.
fn load_all(args: &Args, dir: &Path, data: &Data, late: u64) -> Outcome<(Vec<Loaded>, Vec<Load>)> {
    load_into(&args.entrants(), dir, data, late, 1)
}

/// What the title of a line says about loads in some turns.
fn better_of(turns: usize) -> &'static str {
    if turns == 2 { ", the better of two turns" } else { "" }
}

/// Loads a data set into stores, in one or two turns: what is loaded in the first of two is deleted at
/// once.
fn load_into(
    entrants: &[Entrant],
    dir: &Path,
    data: &Data,
    late: u64,
    turns: usize,
) -> Outcome<(Vec<Loaded>, Vec<Load>)> {
    let records = data.arrivals(late);
    let setup =
        Setup { features: data.size.features, records: data.size.records(), ..Setup::default() };
    let how = Write { may_be_late: late > 0, synced: false };
    let (mut stores, mut loads) = (Vec::new(), Vec::<Load>::new());
    for turn in 1..=turns {
        for (place, entrant) in entrants.iter().enumerate() {
            let (store, files) = (Loaded::open(*entrant, dir, setup)?, dir.join(entrant.name));
            let took = load(&*store.peer, &files, &records, how)?;
            let Load { written, settled, .. } = took;
            println!("{} loaded: {written:.1} s, {settled:.1} s settled", entrant.name);
            match loads.get_mut(place) {
                Some(load) => *load = load.better(took),
                None => loads.push(took),
            }
            if turn < turns {
                store.peer.close()?;
                std::fs::remove_dir_all(files)?;
            } else {
                stores.push(store);
            }
        }
    }
    Ok((stores, loads))
}

fn read_line(
    stores: &[Loaded],
    data: &Data,
    title: &str,
    kind: Kind,
    asks: &[dataset::Ask],
    rounds: usize,
    target: f64,
) -> Outcome<Line> {
    let latencies = reads::measure(stores, data, kind, asks, rounds)?;
    let figures = reads::figures(stores, &latencies);
    let mut also = Vec::new();
    let ours = latencies.first().map(|(latency, _)| *latency).unwrap_or_default();
    if kind == Kind::LatestRow {
        also.push(("p99 ≤ 5 × p50".to_owned(), ours.p99 <= 5.0 * ours.p50));
    }
    if kind == Kind::AsOfRow
        && let Some(flat) = figures.iter().find(|figure| figure.name == "flat")
    {
        also.push(("below the flat array".to_owned(), ours.p50 < flat.figure));
    }
    Ok(Line { figures, also, ..Line::new(title, Target::AtMost(target)) })
}

/// Joins of one spine: shuffled and sorted, with one thread and with two. The stores are given back.
fn join_lines(
    args: &Args,
    data: &Data,
    mut stores: Vec<Loaded>,
    set: &str,
    report: &mut Report,
) -> Outcome<Vec<Loaded>> {
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a share")]
    let rows = (200_000.0 * args.scale) as usize;
    let mut single = 0.0;
    for (order, sorted) in [("shuffled", false), ("sorted", true)] {
        let spine = data.size.spine(rows, sorted);
        let cells = rows as f64 * f64::from(data.size.features);
        for threads in [1, 2] {
            let took;
            (stores, took) = joins::measure(stores, data, &spine, threads, args.rounds.min(3))?;
            let each = stores.iter().zip(took).map(|(store, (seconds, plans))| {
                let figure = cells / seconds / 1e6;
                let text = format!("{figure:.2} M cells/s{plans}");
                Figure { name: store.name, role: store.role, figure, text }
            });
            let figures: Vec<Figure> = each.collect();
            let ours = figures.first().map_or(0.0, |figure| figure.figure);
            let mut also = Vec::new();
            if threads == 1 {
                single = ours;
            } else {
                also.push(("≥ 1.8 × one thread".to_owned(), ours >= 1.8 * single));
            }
            let threads = if threads == 1 { "one thread" } else { "two threads" };
            let title = format!("join of {rows} {order} rows, just opened, {threads} ({set})");
            let target = match set {
                "D" => Target::Elsewhere("≥ Polars in benches/offline/joins.py"),
                _ => Target::AtLeast(5.0),
            };
            report.add(Line { figures, also, ..Line::new(title, target) });
        }
    }
    Ok(stores)
}

fn rates(title: String, data: &Data, stores: &[Loaded], loads: &[Load]) -> Line {
    let each = stores.iter().zip(loads).map(|(store, load)| {
        let rate = |seconds: f64| data.size.records() as f64 / seconds / 1e3;
        let figure = rate(load.settled);
        let text = format!("{figure:.0} k/s ({:.0} k/s written)", rate(load.written));
        Figure { name: store.name, role: store.role, figure, text }
    });
    Line { figures: each.collect(), ..Line::new(title, Target::NoneButMore) }
}

fn bytes(
    title: &str,
    limit: f64,
    asked: &'static str,
    data: &Data,
    stores: &[Loaded],
    loads: &[Load],
) -> Line {
    let each = stores.iter().zip(loads).filter(|(_, load)| load.bytes > 0).map(|(store, load)| {
        let figure = load.bytes as f64 / data.size.records() as f64;
        Figure { name: store.name, role: store.role, figure, text: format!("{figure:.2}") }
    });
    let title = format!("{title}; a perfect model: {:.2}", data.size.perfect_bytes());
    Line { figures: each.collect(), ..Line::new(title, Target::Below(limit, asked)) }
}
