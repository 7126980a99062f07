//! What needs a process of its own: opening a store after another process closed it or was killed,
//! and the memory that serving and joining take.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::peers::dataset::{Ask, Data, Size};
use crate::peers::ingest::{allocated, open};
use crate::peers::memory::{Peak, status};
use crate::peers::peer::{Cell, Entrant, Role, Setup, Write, checksum};
use crate::peers::report::{Figure, Line, Report, Target};
use crate::peers::timing::{median, nanos};
use crate::peers::{A, Args, joins};

/// What is written by a process that is killed: of it our log holds 64 MiB.
const KILLED: Size = Size { entities: 80_000, features: 20, versions: 2, shared_times: false };

/// Bytes of a record without any store: time, value, entity, feature.
const RECORD: u64 = 22;

/// Rows that are joined while memory is watched.
fn joined_rows(scale: f64) -> usize {
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a share")]
    let rows = (200_000.0 * scale) as usize;
    rows
}

/// A child's work.
#[derive(clap::Args, Clone, Debug)]
pub struct ChildArgs {
    /// What it does.
    task: String,
    /// For whom.
    entrant: String,
    /// Where the stores are.
    dir: std::path::PathBuf,
    /// Which share of the entities there is.
    scale: f64,
}

fn setup(size: Size, stays_in_log: bool) -> Setup {
    let (features, records) = (size.features, size.records());
    Setup { features, records, stays_in_log, ..Setup::default() }
}

/// Does the work and prints its figures on one line.
pub fn run(args: &ChildArgs) -> Outcome<()> {
    let entrants = crate::peers::all_entrants();
    let entrant = entrants.into_iter().find(|one| one.name == args.entrant).ok_or("nobody")?;
    let (whole, killed) = (A.scaled(args.scale), KILLED.scaled(args.scale));
    match args.task.as_str() {
        "open" => first_answer(&entrant, &args.dir, whole),
        "open-killed" => first_answer(&entrant, &args.dir, killed),
        "fill" => {
            let peer = open(&entrant, &args.dir, setup(killed, true))?;
            let records = Data::new(killed).arrivals(0);
            for batch in records.chunks(super::ingest::BATCH) {
                peer.write(batch, Write::default())?;
            }
            println!("filled {}", peer.log_bytes().unwrap_or_default());
            std::io::stdout().flush()?;
            // Until it is killed.
            loop {
                std::thread::sleep(Duration::from_secs(60));
            }
        }
        "serve" => {
            let right = rows_served(whole, |ask, moments, cells| {
                for (cells, t) in cells.iter_mut().zip(moments) {
                    for (feature, cell) in (0..).zip(cells) {
                        *cell = whole.as_of(ask.entity, feature, t);
                    }
                }
                Ok(())
            })?;
            let peer = open(&entrant, &args.dir, setup(whole, false))?;
            let mut reader = peer.reader()?;
            let sum = rows_served(whole, |ask, _, [latest, as_of]| {
                reader.latest_row(ask.entity, latest)?;
                reader.as_of_row(ask.entity, ask.t, as_of)
            })?;
            println!("{} {}", status("RssAnon"), status("RssFile"));
            if sum == right { Ok(()) } else { Err("a row that was served is wrong".into()) }
        }
        "join" => {
            // Without the data in memory: what it would give back, the join could take again unseen.
            let width = usize::from(whole.features);
            let spine = whole.spine(joined_rows(args.scale), false);
            let as_of = |entity, feature, t| whole.as_of(entity, feature, t);
            let right = joins::expected(&spine, width, as_of);
            let peer = open(&entrant, &args.dir, setup(whole, false))?;
            let peak = Peak::begin();
            let joined = peer.join(&spine, 2, 0)?;
            let grown = peak.end();
            if joins::sum(&*joined, spine.len(), width) != right {
                return Err("the join is wrong".into());
            }
            println!("{grown} 0");
            Ok(())
        }
        _ => Err("no such work".into()),
    }
}

/// The sum of the latest and the as-of row of each question that a serving process is asked. Whoever
/// answers, all questions are drawn one by one: nothing is held but two rows.
fn rows_served(
    size: Size,
    mut answer: impl FnMut(Ask, [i64; 2], &mut [Vec<Cell>; 2]) -> Outcome<()>,
) -> Outcome<u64> {
    let row = || vec![Cell::MISSING; usize::from(size.features)];
    let (mut sum, mut cells) = (0u64, [row(), row()]);
    for n in 0..100_000 {
        let ask = size.ask(n, 31, None);
        answer(ask, [i64::MAX, ask.t], &mut cells)?;
        for (cells, salt) in cells.iter().zip([0, 1]) {
            sum = sum.wrapping_add(checksum(cells).rotate_left(salt));
        }
    }
    Ok(sum)
}

/// Opens a store and asks it something.
fn first_answer(entrant: &Entrant, dir: &Path, size: Size) -> Outcome<()> {
    let begun = Instant::now();
    let peer = open(entrant, dir, setup(size, false))?;
    let found = peer.reader()?.latest_point(7, 3)?;
    let took = begun.elapsed();
    let expected = size.series(7, 3).last().map(|(time, value)| Cell { time, value });
    if Some(found) != expected {
        return Err(format!("after opening: {found:?}, not {expected:?}").into());
    }
    println!("{} 0", took.as_nanos());
    Ok(())
}

/// Runs a child to its end: the two figures that it prints.
fn ask(task: &str, entrant: &str, dir: &Path, scale: f64) -> Outcome<(u64, u64)> {
    let output = Command::new(std::env::current_exe()?)
        .args(["peers-child", task, entrant])
        .arg(dir)
        .arg(scale.to_string())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{entrant}: {task} failed").into());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (first, second) = text.trim().split_once(' ').ok_or("a child said nothing")?;
    Ok((first.parse()?, second.parse()?))
}

/// Has a child write batches that stay in its log, and kills it: bytes of the log, if that is told.
fn kill_while_filled(entrant: &str, dir: &Path, scale: f64) -> Outcome<u64> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["peers-child", "fill", entrant])
        .arg(dir)
        .arg(scale.to_string())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    // SIGKILL: nothing of it runs any more.
    child.kill()?;
    child.wait()?;
    let told = line.trim().strip_prefix("filled ");
    Ok(told.ok_or_else(|| format!("{entrant} was not filled"))?.parse()?)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Opens the stores of A, which are closed, and stores whose writer was killed.
pub fn opening(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants("open") {
        return Ok(());
    }
    let target = Target::Below(2e6, "≤ 2 ms");
    let mut clean =
        Line::new("open to the first answer, closed before (A)", target).of_share(args.scale);
    let mut killed =
        Line::new("", Target::Below(3e8, "≤ 300 ms with 64 MiB of log")).of_share(args.scale);
    let mut our_log = 0;
    for entrant in args.entrants().into_iter().filter(|entrant| entrant.role != Role::Floor) {
        let (name, role) = (entrant.name, entrant.role);
        let mut times = Vec::new();
        for _ in 0..args.rounds {
            times.push(ask("open", name, &dir.join("a"), args.scale)?.0 as f64);
        }
        let figure = median(times);
        clean.figures.push(Figure { name, role, figure, text: nanos(figure) });
        // redb loses what was not synced, by its own promise: there is nothing to ask.
        if name == "redb" {
            continue;
        }
        let mut times = Vec::new();
        let mut bytes = 0;
        for round in 0..3 {
            let own = dir.join(format!("killed-{round}"));
            let log = kill_while_filled(name, &own, args.scale)?;
            our_log = our_log.max(log);
            bytes = allocated(&own.join(name))?;
            times.push(ask("open-killed", name, &own, args.scale)?.0 as f64);
        }
        let figure = median(times);
        let text = format!("{} ({:.1} MiB of files)", nanos(figure), mib(bytes));
        killed.figures.push(Figure { name, role, figure, text });
    }
    report.add(clean);
    let records = KILLED.scaled(args.scale).records();
    let (raw, log) = (mib(records * RECORD), mib(our_log));
    killed.title = format!(
        "open to the first answer, killed after {records} records of {RECORD} bytes ({raw:.1} MiB; asofdb's log {log:.1} MiB)"
    );
    report.add(killed);
    Ok(())
}

/// Memory of serving and of joining, over the stores of A, which are closed.
pub fn memory(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants("memory") {
        return Ok(());
    }
    let asked = Target::Below(f64::from(64 << 20), "< 64 MiB beside the page cache");
    let mut serving =
        Line::new("memory of a process that serves rows (A)", asked).of_share(args.scale);
    let rows = joined_rows(args.scale);
    let title = format!("memory that a join of {rows} rows adds, result included (A)");
    let mut joining = Line::new(title, Target::None);
    for entrant in args.entrants().into_iter().filter(|entrant| entrant.role != Role::Floor) {
        let (name, role) = (entrant.name, entrant.role);
        let (own, mapped) = ask("serve", name, &dir.join("a"), args.scale)?;
        let text = format!("{} MiB, {} MiB mapped", own >> 20, mapped >> 20);
        serving.figures.push(Figure { name, role, figure: own as f64, text });
        let (grown, _) = ask("join", name, &dir.join("a"), args.scale)?;
        let text = format!("{} MiB", grown >> 20);
        joining.figures.push(Figure { name, role, figure: grown as f64, text });
    }
    report.add(serving);
    report.add(joining);
    Ok(())
}
