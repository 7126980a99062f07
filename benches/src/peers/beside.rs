//! Reads while a writer runs at full speed, beside the same without the other.
//!
//! The writer goes on where the data ends, with records whose value follows from their time, so that
//! whichever of them a read shows can be told to be right.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::peers::Args;
use crate::peers::ingest::BATCH;
use crate::peers::peer::{Entrant, Peer, Reader, Role};
use crate::peers::report::{Figure, Line, Report, Target};
use crate::peers::timing::{Latency, Times, nanos};

/// For how long the two run beside one another.
const LENGTH: Duration = Duration::from_secs(6);

/// Data that is read, and that a writer goes on with.
pub trait Growing: Sync {
    /// What is written.
    type Record: Clone + Default;
    /// Room for an answer, used again.
    type Room: Default;

    /// The n-th record behind the data, in room that is used again.
    fn record(&self, n: u64, record: &mut Self::Record);

    /// Writes some of them.
    fn write(&self, peer: &dyn Peer, batch: &[Self::Record]) -> Outcome<()>;

    /// Asks a question of this number, whose time alone is taken; the answer must be of the data or of
    /// the writer.
    fn read(
        &self,
        reader: &mut dyn Reader,
        n: usize,
        room: &mut Self::Room,
        times: &mut Times,
    ) -> Outcome<()>;
}

/// What one entrant did: reads and records a second, of each alone and of both.
struct Took {
    idle: Latency,
    alone: f64,
    busy: Latency,
    beside: f64,
}

/// Writes batches from a number on for a while: how many records, and how many a second.
fn write<G: Growing>(
    growing: &G,
    peer: &dyn Peer,
    from: u64,
    is_over: &dyn Fn(Duration) -> bool,
) -> Outcome<(u64, f64)> {
    let (begun, mut n) = (Instant::now(), from);
    let mut batch = vec![G::Record::default(); BATCH];
    while !is_over(begun.elapsed()) {
        for record in &mut batch {
            growing.record(n, record);
            n += 1;
        }
        growing.write(peer, &batch)?;
    }
    Ok((n - from, (n - from) as f64 / begun.elapsed().as_secs_f64()))
}

/// Reads for a while.
fn read<G: Growing>(
    growing: &G,
    peer: &dyn Peer,
    is_over: &dyn Fn(Duration) -> bool,
) -> Outcome<Latency> {
    let (begun, mut times) = (Instant::now(), Times::default());
    let (mut reader, mut room) = (peer.reader()?, G::Room::default());
    for n in 0.. {
        growing.read(&mut *reader, n, &mut room, &mut times)?;
        if n % 64 == 63 && is_over(begun.elapsed()) {
            break;
        }
    }
    Ok(Latency { p50: times.at(0.5), p99: times.at(0.99), p999: times.at(0.999), block: 0.0 })
}

/// Each alone, then both.
fn take<G: Growing>(growing: &G, peer: &dyn Peer) -> Outcome<Took> {
    let timed = |elapsed| elapsed >= LENGTH / 2;
    let idle = read(growing, peer, &timed)?;
    let (written, alone) = write(growing, peer, 0, &timed)?;
    let ended = AtomicBool::new(false);
    let (busy, beside) = std::thread::scope(|scope| -> Outcome<_> {
        let work = scope.spawn(|| {
            let rate = write(growing, peer, written, &|elapsed| elapsed >= LENGTH);
            ended.store(true, Ordering::Relaxed);
            rate.map_err(|error| error.to_string())
        });
        let busy = read(growing, peer, &|_| ended.load(Ordering::Relaxed))?;
        Ok((busy, work.join().map_err(|_| "the writer panicked")??.1))
    })?;
    Ok(Took { idle, alone, busy, beside })
}

/// The two lines of all who keep files, each of whom is loaded into a folder when its turn comes. The
/// folder is deleted after each: a writer at full speed leaves much behind.
pub fn run<G: Growing>(
    args: &Args,
    title: &str,
    dir: &Path,
    growing: &G,
    load: impl Fn(Entrant, &Path) -> Outcome<Box<dyn Peer>>,
    report: &mut Report,
) -> Outcome<()> {
    let mut reader = Line::new(format!("{title} beside a writer at full speed"), Target::None);
    let mut writer = Line::new(format!("{title}: that writer"), Target::NoneButMore);
    for entrant in args.entrants().into_iter().filter(|entrant| entrant.role != Role::Floor) {
        let peer = load(entrant, dir)?;
        let took = take(growing, &*peer).map_err(|error| format!("{}: {error}", entrant.name))?;
        peer.close()?;
        std::fs::remove_dir_all(dir)?;
        let Took { idle, alone, busy, beside } = took;
        let [p50, p99, p999] = [busy.p50, busy.p99, busy.p999].map(nanos);
        let times = [busy.p50 / idle.p50, busy.p99 / idle.p99];
        let text = format!("{p50} / {p99} / {p999} = {:.2} × / {:.2} × idle", times[0], times[1]);
        let (name, role) = (entrant.name, entrant.role);
        reader.figures.push(Figure { name, role, figure: busy.p50, text });
        let text = format!("{:.0} k/s, alone {:.0} k/s", beside / 1e3, alone / 1e3);
        writer.figures.push(Figure { name, role, figure: beside, text });
        if role == Role::Ours {
            reader.also.push(("p50 ≤ 2 × idle".to_owned(), times[0] <= 2.0));
            reader.also.push(("p99 ≤ 5 × idle".to_owned(), times[1] <= 5.0));
            reader.also.push(("p99.9 < 1 ms".to_owned(), busy.p999 < 1e6));
            writer.also.push(("≥ 0.8 × alone".to_owned(), beside >= 0.8 * alone));
        }
    }
    report.add(reader);
    report.add(writer);
    Ok(())
}
