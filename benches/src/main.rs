//! Runs a workload and prints its figures; every answer is verified against the generator.
//!
//!     cargo run --release -p asofdb-benches -- load
//!     cargo run --release -p asofdb-benches -- load --entities 1000 --versions 1000 --features 10
//!     cargo run --release -p asofdb-benches -- erase --records 10000000
//!     cargo run --release -p asofdb-benches --features peers -- peers
//!
//! The last one stands beside other engines, each of which is built only where its feature asks for
//! it: `rocksdb`, `lmdb`, `fjall`, `redb`, or `peers` for all of them. RESULTS.md tells more.
#![expect(clippy::disallowed_methods, reason = "figures are measured by the real clock")]

mod causes;
mod counted;
mod data;
mod deep;
mod durable;
mod erase;
#[expect(clippy::cast_precision_loss, reason = "figures are approximate")]
mod instructions;
#[cfg(target_os = "linux")]
mod large_pages;
#[expect(clippy::cast_precision_loss, reason = "figures are small")]
mod lines;
mod ninety_days;
#[expect(
    clippy::indexing_slicing,
    clippy::big_endian_bytes,
    clippy::cast_precision_loss,
    reason = "a place out of bounds ends the run; keys sort as bytes; figures are approximate"
)]
mod peers;
mod times;
mod writers;

use std::path::Path;
use std::time::{Duration, Instant};

use asofdb::{EventTime, JoinOptions, Options, Read, Selection, Store};
use clap::Parser;

use crate::data::{HOUR, Shape, define, mix, write_version};

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Workloads of asofdb.
#[derive(Parser)]
enum Command {
    /// Loads generated numbers, flushes, compacts, opens again, and checks a sample of cells.
    Load {
        /// How many entities.
        #[arg(long, default_value_t = 50_000)]
        entities: u64,
        /// How many features each has.
        #[arg(long, default_value_t = 20)]
        features: u64,
        /// How many versions each feature has.
        #[arg(long, default_value_t = 10)]
        versions: u64,
        /// How many cells are checked.
        #[arg(long, default_value_t = 100_000)]
        sample: u64,
        /// Records a batch.
        #[arg(long, default_value_t = 1_000)]
        batch: usize,
        /// Where the store is made and kept; one that is there is read as it is.
        #[arg(long)]
        store: Option<std::path::PathBuf>,
        /// Only one of: latest, as-of, join.
        #[arg(long)]
        only: Option<String>,
    },
    /// What the depth of a history costs compaction and latest rows.
    Deep {
        /// How many entities.
        #[arg(long, default_value_t = 1_000)]
        entities: u64,
        /// How many features each has.
        #[arg(long, default_value_t = 10)]
        features: u64,
        /// How many versions each feature has.
        #[arg(long, default_value_t = 1_000)]
        versions: u64,
        /// Bytes of a memtable.
        #[arg(long, default_value_t = 16 << 20)]
        memtable_bytes: usize,
    },
    /// Ninety days in simulated time, checked at the end of each against the generator.
    NinetyDays(ninety_days::Size),
    /// Small batches that are synced, by one writer and by several.
    Durable(durable::Size),
    /// Writers at full speed beside readers.
    Writers(writers::Size),
    /// What large pages are worth to the results of joins.
    #[cfg(target_os = "linux")]
    LargePages(large_pages::Size),
    /// How many instructions each kind of read takes, counted by valgrind.
    Instructions(instructions::Args),
    /// A part of it that valgrind looks at.
    #[command(hide = true)]
    InstructionsChild(instructions::ChildArgs),
    /// How many cache lines each kind of read touches, traced by valgrind.
    Lines(lines::Args),
    /// A part of it that valgrind looks at.
    #[command(hide = true)]
    LinesChild(lines::ChildArgs),
    /// Whole workloads beside other engines, as far as they are built in.
    Peers(peers::Args),
    /// A part of it that needs a process of its own.
    #[command(hide = true)]
    PeersChild(peers::ChildArgs),
    /// Erases one entity of a large store and proves that it is gone.
    Erase {
        /// How many records, 20 an entity.
        #[arg(long, default_value_t = 10_000_000)]
        records: u64,
    },
}

fn main() -> Outcome<()> {
    match Command::parse() {
        Command::Load { entities, features, versions, sample, batch, store, only } => {
            let shape =
                Shape { entities, features, versions, start: 1_700_000_000_000_000 / HOUR * HOUR };
            let dir = tempfile::tempdir()?;
            let dir = store.unwrap_or_else(|| dir.path().join("store"));
            if !dir.exists() {
                load(&dir, shape, batch)?;
            }
            read(&dir, shape, sample, only.as_deref())
        }
        Command::Deep { entities, features, versions, memtable_bytes } => {
            let start = 1_700_000_000_000_000 / HOUR * HOUR;
            let shape = Shape { entities, features, versions, start };
            let dir = tempfile::tempdir()?;
            deep::run(dir.path(), shape, memtable_bytes)
        }
        Command::Durable(size) => {
            let dir = tempfile::tempdir()?;
            durable::run(dir.path(), size)
        }
        Command::Writers(size) => {
            let dir = tempfile::tempdir()?;
            writers::run(&dir.path().join("store"), size)
        }
        Command::NinetyDays(size) => {
            let dir = tempfile::tempdir()?;
            ninety_days::run(&dir.path().join("store"), size)
        }
        #[cfg(target_os = "linux")]
        Command::LargePages(size) => {
            let dir = tempfile::tempdir()?;
            large_pages::run(&dir.path().join("store"), size)
        }
        Command::Instructions(args) => {
            let dir = tempfile::tempdir()?;
            instructions::run(dir.path(), &args)
        }
        Command::InstructionsChild(args) => instructions::run_child(&args),
        Command::Lines(args) => {
            let dir = tempfile::tempdir()?;
            lines::run(dir.path(), &args)
        }
        Command::LinesChild(args) => lines::run_child(&args),
        Command::Peers(args) => peers::run(&args),
        Command::PeersChild(args) => peers::run_child(&args),
        Command::Erase { records } => {
            let start = 1_700_000_000_000_000 / HOUR * HOUR;
            let shape = Shape { entities: (records / 20).max(3), features: 4, versions: 5, start };
            let dir = tempfile::tempdir()?;
            erase::run(&dir.path().join("store"), shape)
        }
    }
}

fn load(dir: &Path, shape: Shape, batch_len: usize) -> Outcome<()> {
    let store = Store::open(dir, Options::new())?;
    let ids = define(&store, shape)?;
    let begun = Instant::now();
    for version in 0..shape.versions {
        write_version(&store, &ids, shape, version, batch_len)?;
    }
    store.sync()?;
    let written = begun.elapsed();
    store.compact()?;
    let settled = begun.elapsed();
    let per_second = |took: Duration| shape.records() as f64 / took.as_secs_f64() / 1e3;
    println!(
        "{} records: {:.0} k records/s written, {:.0} k records/s flushed and compacted",
        shape.records(),
        per_second(written),
        per_second(settled)
    );
    store.close()?;
    Ok(())
}

fn read(dir: &Path, shape: Shape, sample: u64, only: Option<&str>) -> Outcome<()> {
    let names: Vec<String> = (0..shape.features).map(|n| format!("a:f{n}")).collect();
    let begun = Instant::now();
    let store = Store::open(dir, Options::new())?;
    let first = store.latest(shape.entity(0), "a:f0")?;
    let opened = begun.elapsed();
    println!("first answer after opening: {:?}", first.as_f64());
    let stats = store.stats();
    println!(
        "{} tables, {} records stored, {:.2} bytes a record; opened to the first answer in {:.2} ms",
        stats.tables,
        stats.records,
        stats.table_bytes as f64 / shape.records() as f64,
        opened.as_secs_f64() * 1e3
    );
    let mut freshness = [Duration::ZERO; 3];
    for took in &mut freshness {
        let begun = Instant::now();
        let report = store.freshness()?;
        *took = begun.elapsed();
        if report.features.len() != names.len() {
            return Err("freshness tells of other features than there are".into());
        }
    }
    println!("freshness of all features, three times from metadata: {freshness:.1?}");
    check(&store, shape, sample)?;
    let selection = store.select(&names)?;
    let wanted = |line: &str| only.is_none_or(|only| only == line);
    for as_of in [false, true] {
        if wanted(if as_of { "as-of" } else { "latest" }) {
            rows(&store, shape, &selection, as_of)?;
        }
    }
    if wanted("join") {
        join(&store, shape, &selection)?;
    }
    store.close()?;
    Ok(())
}

/// Compares cells with what the generator wrote.
fn check(store: &Store, shape: Shape, sample: u64) -> Outcome<()> {
    let (mut latest, mut as_of) = (0, 0);
    for n in 0..sample {
        let entity = mix(n) % shape.entities;
        let feature = mix(n ^ 1) % shape.features;
        let span = (shape.versions + 2) * HOUR.unsigned_abs();
        let t = shape.start - HOUR + (mix(n ^ 2) % span).cast_signed();
        let (key, name) = (shape.entity(entity), format!("a:f{feature}"));
        let version = if n % 2 == 0 {
            Some(shape.versions - 1)
        } else {
            shape.version_at(entity, feature, t)
        };
        let reading = if n % 2 == 0 {
            latest += 1;
            store.latest(key, &name)?
        } else {
            as_of += 1;
            store.as_of(key, &name, EventTime(t))?
        };
        let expected = version.map(|version| shape.value(entity, feature, version));
        let time = version.map(|version| EventTime(shape.event_time(entity, feature, version)));
        if reading.as_f64() != expected || reading.event_time() != time {
            return Err(format!("{key:?} {name} at {t}: {reading:?}, not {expected:?}").into());
        }
    }
    println!("{latest} latest and {as_of} as-of cells checked, all right");
    Ok(())
}

/// Times rows of all features, one by one and in runs of 64 (which pay nothing for the timer), and
/// checks what they answer.
fn rows(store: &Store, shape: Shape, selection: &Selection, as_of: bool) -> Outcome<()> {
    const RUN: usize = 64;
    let mut reader = store.reader(selection)?;
    let question = |n: u64| {
        let span = shape.versions * HOUR.unsigned_abs();
        let t = shape.start + HOUR + (mix(n ^ 3) % span).cast_signed();
        let read = if as_of { Read::as_of(EventTime(t)) } else { Read::latest() };
        (mix(n ^ 77) % shape.entities, t, read)
    };
    let (mut times, mut runs) = (Vec::new(), Vec::new());
    let mut wrong = 0;
    for run in 0..4_000u64 {
        let asked: Vec<_> = (0..RUN as u64).map(|n| question(run * RUN as u64 + n)).collect();
        let keys: Vec<_> = asked.iter().map(|(entity, ..)| shape.entity(*entity)).collect();
        if run % 2 == 0 {
            let begun = Instant::now();
            for (key, (.., read)) in keys.iter().zip(&asked) {
                std::hint::black_box(reader.read(key, read)?);
            }
            runs.push(begun.elapsed() / 64);
            continue;
        }
        for (key, (entity, t, read)) in keys.iter().zip(&asked) {
            let begun = Instant::now();
            let cells = reader.read(key, read)?;
            times.push(begun.elapsed());
            for feature in 0..shape.features {
                let newest = Some(shape.versions - 1).filter(|_| !as_of);
                let version = newest.or_else(|| shape.version_at(*entity, feature, *t));
                let cell = cells.at(0, usize::try_from(feature)?).ok_or("a row without a cell")?;
                let found = (cell.as_f64(), cell.event_time());
                wrong += usize::from(found != shape.told(*entity, feature, version));
            }
        }
    }
    times.sort_unstable();
    runs.sort_unstable();
    let at = |times: &[Duration], share: usize| {
        times.get(times.len() * share / 1000).copied().unwrap_or_default()
    };
    println!(
        "{} row of {} features: p50 {:?} in runs; one by one p50 {:?}, p99 {:?}, p99.9 {:?}; {wrong} cells wrong",
        if as_of { "as-of" } else { "latest" },
        selection.len(),
        at(&runs, 500),
        at(&times, 500),
        at(&times, 990),
        at(&times, 999)
    );
    if wrong > 0 {
        return Err("a row is wrong".into());
    }
    Ok(())
}

/// Times a join of a shuffled spine, and checks every cell.
fn join(store: &Store, shape: Shape, selection: &Selection) -> Outcome<()> {
    let joiner = store.joiner(selection, JoinOptions::new())?;
    let spine: Vec<Option<([u8; 8], EventTime)>> = (0..200_000u64)
        .map(|n| {
            let (entity, t) = shape.spine_row(n);
            Some((shape.entity(entity), t))
        })
        .collect();
    let (mut took, mut first, mut wrong) = (Duration::ZERO, 0, 0);
    for rows in spine.chunks(65_536) {
        let begun = Instant::now();
        let joined = joiner.join(rows)?;
        took += begun.elapsed();
        if joined.rows() != rows.len() || joined.columns().len() != selection.len() {
            return Err("the join has other rows or columns than it was asked for".into());
        }
        wrong += shape.wrong_in(&joined, first);
        first += rows.len() as u64;
        let begun = Instant::now();
        drop(joined);
        took += begun.elapsed();
    }
    let cells = spine.len() * selection.len();
    println!(
        "join of {} rows with {} features: {:.2} M cells/s; {wrong} of {cells} cells wrong",
        spine.len(),
        selection.len(),
        cells as f64 / took.as_secs_f64() / 1e6
    );
    if wrong == 0 { Ok(()) } else { Err("the join is wrong".into()) }
}
