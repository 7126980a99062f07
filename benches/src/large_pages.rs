//! What large pages are worth to a join: the same join in turns with them and without, and what reading its
//! result takes. Joined in parts, of which each is given back before the next, or all are kept to the end: an
//! allocator that is asked for the same room again has it at hand, another has to ask the system.
//!
//! The engine takes room for large results as a map and asks for large pages in it. Linux can be told to give
//! this process none: the room is then the same map in small pages. Where the engine is told that there are
//! none for anybody it takes vectors, which need no unsafe code; a mount that no other process sees tells so:
//!
//! ```text
//! cargo run --release -p asofdb-benches -- large-pages
//! echo "always madvise [never]" > target/never
//! sudo unshare --mount sh -c "mount --bind target/never /sys/kernel/mm/transparent_hugepage/enabled &&
//!     target/release/asofdb-benches large-pages"
//! ```

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use asofdb::{EventTime, JoinOptions, Joined, Joiner, Options, Store};
use rustix::thread::disable_transparent_huge_pages;
use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;
use crate::data::{HOUR, Shape, define, write_version};

/// How large a run is.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Size {
    /// How many entities.
    #[arg(long, default_value_t = 20_000)]
    entities: u64,
    /// How many features each has.
    #[arg(long, default_value_t = 20)]
    features: u64,
    /// Rows of the spine.
    #[arg(long, default_value_t = 200_000)]
    rows: u64,
    /// Rows of it that are joined at once.
    #[arg(long, default_value_t = 65_536)]
    part: usize,
    /// How often each way takes its turn.
    #[arg(long, default_value_t = 15)]
    rounds: u64,
    /// Threads of a join; as many as there are processors by default.
    #[arg(long)]
    threads: Option<usize>,
}

/// What one join of the whole spine took.
#[derive(Clone, Copy, Debug)]
struct Turn {
    joined: Duration,
    /// What the threads of the join took together.
    processor: Duration,
    read: Duration,
    faults: u64,
    /// The most memory of the process in large pages while a part was there.
    large_kib: u64,
}

type SpineRow = Option<([u8; 8], EventTime)>;

/// Runs it and prints its figures; an error if an answer is wrong.
pub fn run(dir: &Path, size: Size) -> Outcome<()> {
    let shape = Shape {
        entities: size.entities,
        features: size.features,
        versions: 10,
        start: 1_700_000_000_000_000 / HOUR * HOUR,
    };
    let store = Store::open(dir, Options::new())?;
    let ids = define(&store, shape)?;
    for version in 0..shape.versions {
        write_version(&store, &ids, shape, version, 1_000)?;
    }
    store.compact()?;
    let names: Vec<String> = (0..shape.features).map(|n| format!("a:f{n}")).collect();
    let options = size.threads.map_or_else(JoinOptions::new, |n| JoinOptions::new().threads(n));
    let joiner = store.joiner(&store.select(&names)?, options)?;
    let row = |n| {
        let (entity, t) = shape.spine_row(n);
        Some((shape.entity(entity), t))
    };
    let spine: Vec<SpineRow> = (0..size.rows).map(row).collect();
    let setting = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")?;
    let has_large = !setting.contains("[never]");
    println!("large pages: {}", setting.trim());
    let ways: &[(&str, bool)] = if has_large {
        &[("a map in large pages", false), ("the same map in small pages", true)]
    } else {
        &[("vectors", true)]
    };
    for keeps in [false, true] {
        println!("{}:", if keeps { "all parts kept" } else { "each part given back" });
        let mut turns = vec![Vec::new(); ways.len()];
        for round in 0..size.rounds {
            for ((_, is_small), turns) in ways.iter().zip(&mut turns) {
                disable_transparent_huge_pages(*is_small)?;
                // The first one finds caches empty, and is checked.
                if round == 0 {
                    verify(&joiner, &spine, size.part, shape)?;
                } else {
                    turns.push(turn(&joiner, &spine, size.part, keeps)?);
                }
            }
        }
        for ((way, is_small), turns) in ways.iter().zip(&turns) {
            print(way, turns, size.rows * size.features);
            if *is_small && turns.iter().any(|turn| turn.large_kib > 0) {
                return Err("there are large pages where there were to be none".into());
            }
        }
    }
    disable_transparent_huge_pages(false)?;
    store.close()?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "rates")]
fn print(way: &str, turns: &[Turn], cells: u64) {
    let ns = |of: fn(&Turn) -> Duration| middle(turns, of).as_nanos() as f64 / cells as f64;
    println!(
        "  {way}: a cell joined in {:.1} ns, {:.1} ns of processors, and read row by row in {:.1} ns; {} page faults, {} MiB in large pages",
        ns(|turn| turn.joined),
        ns(|turn| turn.processor),
        ns(|turn| turn.read),
        middle(turns, |turn| turn.faults),
        middle(turns, |turn| turn.large_kib) >> 10
    );
}

fn middle<T: Ord + Default>(turns: &[Turn], of: impl Fn(&Turn) -> T) -> T {
    let mut all: Vec<T> = turns.iter().map(of).collect();
    all.sort_unstable();
    let half = all.len() / 2;
    all.into_iter().nth(half).unwrap_or_default()
}

fn verify(joiner: &Joiner, spine: &[SpineRow], part: usize, shape: Shape) -> Outcome<()> {
    let mut first = 0;
    for rows in spine.chunks(part) {
        if shape.wrong_in(&joiner.join(rows)?, first) > 0 {
            return Err("the join is wrong".into());
        }
        first += rows.len() as u64;
    }
    Ok(())
}

/// Joins the spine; giving the room back is part of it.
fn turn(joiner: &Joiner, spine: &[SpineRow], part: usize, keeps: bool) -> Outcome<Turn> {
    let (mut read, mut large_kib, mut kept) = (Duration::ZERO, 0, Vec::new());
    let (mut joined, mut processor) = (Duration::ZERO, Duration::ZERO);
    let mut time = |work: &mut dyn FnMut() -> Outcome<()>| {
        let (begun, taken) = (Instant::now(), processor_time()?);
        work()?;
        joined += begun.elapsed();
        processor += processor_time()?.saturating_sub(taken);
        Outcome::Ok(())
    };
    let faults = faults()?;
    for rows in spine.chunks(part) {
        time(&mut || {
            if !keeps {
                kept.clear();
            }
            kept.push(joiner.join(rows)?);
            Ok(())
        })?;
        let begun = Instant::now();
        black_box(kept.last().map(sum));
        read += begun.elapsed();
        large_kib = large_kib.max(large_pages()?);
    }
    time(&mut || {
        kept.clear();
        Ok(())
    })?;
    Ok(Turn { joined, processor, read, faults: self::faults()? - faults, large_kib })
}

/// What all threads of this process took by now.
fn processor_time() -> Outcome<Duration> {
    Ok(Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?)
}

/// Looks at all numbers, row by row: each lies in another page than the one before.
fn sum(joined: &Joined) -> u64 {
    let columns: Vec<&[u64]> = joined.columns().iter().map(|column| column.bits()).collect();
    let numbers = (0..joined.rows()).flat_map(|row| columns.iter().filter_map(move |c| c.get(row)));
    numbers.fold(0, |sum, bits| sum ^ bits)
}

/// Page faults of this process that read nothing from a disk.
fn faults() -> Outcome<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program may hold anything but ends with the last parenthesis.
    let behind_name = stat.rsplit(')').next().ok_or("no state of the process")?;
    Ok(behind_name.split_whitespace().nth(7).ok_or("no page faults are told")?.parse()?)
}

/// Memory in large pages that is no file's, in KiB.
fn large_pages() -> Outcome<u64> {
    let maps = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = maps.lines().find_map(|line| line.strip_prefix("AnonHugePages:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("no large pages are told")?.parse()?)
}
