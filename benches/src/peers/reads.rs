//! Rows and points, timed in turns: a busy machine is busy for all.
//!
//! Each entrant answers the same questions as the others of its round. What it answered is summed
//! between the timed calls and held against the generator's sum after the round.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::Outcome;
use crate::peers::dataset::{Ask, Data};
use crate::peers::ingest::open;
use crate::peers::peer::{Cell, Entrant, Peer, Reader, Role, Setup, checksum};
use crate::peers::report::Figure;
use crate::peers::timing::{BLOCK, Latency, Times, median, middle, nanos};

/// Somebody with a store that is loaded.
pub struct Loaded {
    /// Its name.
    pub name: &'static str,
    /// Its side.
    pub role: Role,
    /// The store.
    pub peer: Box<dyn Peer>,
    entrant: Entrant,
    dir: PathBuf,
    setup: Setup,
}

impl Loaded {
    /// Opens an entrant's store in a directory of its own.
    pub fn open(entrant: Entrant, dir: &Path, setup: Setup) -> Outcome<Self> {
        let (name, role, dir) = (entrant.name, entrant.role, dir.to_path_buf());
        Ok(Self { name, role, peer: open(&entrant, &dir, setup)?, entrant, dir, setup })
    }

    /// Closes it and opens it again, so that nothing that it had read is left in the process. What is
    /// kept in no file stays as it is.
    pub fn reopened(self) -> Outcome<Self> {
        if !self.peer.is_kept() {
            return Ok(self);
        }
        self.peer.close()?;
        let peer = open(&self.entrant, &self.dir, self.setup)?;
        Ok(Self { peer, ..self })
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The newest versions of all features of an entity.
    LatestRow,
    /// All features of an entity as of a moment.
    AsOfRow,
    /// The newest version of a feature.
    LatestPoint,
    /// A feature as of a moment.
    AsOfPoint,
}

impl Kind {
    fn width(self, data: &Data) -> usize {
        if self.is_row() { usize::from(data.size.features) } else { 1 }
    }

    const fn is_row(self) -> bool {
        matches!(self, Self::LatestRow | Self::AsOfRow)
    }

    fn ask(self, reader: &mut dyn Reader, ask: Ask, cells: &mut [Cell]) -> Outcome<()> {
        match self {
            Self::LatestRow => reader.latest_row(ask.entity, cells)?,
            Self::AsOfRow => reader.as_of_row(ask.entity, ask.t, cells)?,
            Self::LatestPoint => cells[0] = reader.latest_point(ask.entity, ask.feature)?,
            Self::AsOfPoint => cells[0] = reader.as_of_point(ask.entity, ask.feature, ask.t)?,
        }
        Ok(())
    }

    /// What the generator says.
    pub fn expected(self, data: &Data, ask: Ask, cells: &mut [Cell]) {
        let t = if matches!(self, Self::AsOfRow | Self::AsOfPoint) { ask.t } else { i64::MAX };
        for (place, cell) in (0..).zip(cells) {
            let feature = if self.is_row() { place } else { ask.feature };
            *cell = data.as_of(ask.entity, feature, t);
        }
    }
}

/// Answers questions, each timed.
fn singly(
    reader: &mut dyn Reader,
    kind: Kind,
    asks: &[Ask],
    width: usize,
) -> Outcome<(Times, u64)> {
    let (mut times, mut sum) = (Times::default(), 0u64);
    let mut cells = vec![Cell::MISSING; width];
    for ask in asks {
        let begun = Instant::now();
        kind.ask(reader, *ask, &mut cells)?;
        times.push(begun);
        sum = sum.wrapping_add(checksum(&cells));
    }
    Ok((times, sum))
}

/// Answers questions, timed in blocks: the time of a call in the middle one of the blocks.
fn in_blocks(
    reader: &mut dyn Reader,
    kind: Kind,
    asks: &[Ask],
    width: usize,
) -> Outcome<(f64, u64)> {
    let (mut times, mut sum) = (Vec::new(), 0u64);
    let mut cells = vec![Cell::MISSING; width * BLOCK];
    for asks in asks.chunks(BLOCK) {
        let begun = Instant::now();
        for (ask, cells) in asks.iter().zip(cells.chunks_mut(width)) {
            kind.ask(reader, *ask, cells)?;
        }
        times.push(begun.elapsed().as_nanos() as f64 / asks.len() as f64);
        for cells in cells.chunks(width).take(asks.len()) {
            sum = sum.wrapping_add(checksum(cells));
        }
    }
    Ok((median(times), sum))
}

/// Which of its plans answers fastest.
fn choose(reader: &mut dyn Reader, kind: Kind, asks: &[Ask], width: usize) -> Outcome<usize> {
    let mut best = (f64::MAX, 0);
    for plan in 0..reader.plans().len() {
        reader.set_plan(plan);
        let asks = &asks[..asks.len().min(10 * BLOCK)];
        in_blocks(reader, kind, &asks[..asks.len() / 4], width)?;
        let (time, _) = in_blocks(reader, kind, asks, width)?;
        if time < best.0 {
            best = (time, plan);
        }
    }
    reader.set_plan(best.1);
    Ok(best.1)
}

/// Times a kind of read for all who take part; the questions are split over the rounds.
pub fn measure(
    stores: &[Loaded],
    data: &Data,
    kind: Kind,
    asks: &[Ask],
    rounds: usize,
) -> Outcome<Vec<(Latency, &'static str)>> {
    let width = kind.width(data);
    let mut readers = Vec::new();
    for store in stores {
        let mut reader = store.peer.reader()?;
        let plan = if kind.is_row() { choose(&mut *reader, kind, asks, width)? } else { 0 };
        readers.push((store.name, reader, plan, Vec::new()));
    }
    for asks in asks.chunks(asks.len() / rounds) {
        let mut cells = vec![Cell::MISSING; width];
        let sums = asks.iter().map(|ask| {
            kind.expected(data, *ask, &mut cells);
            checksum(&cells)
        });
        let expected = sums.fold(0u64, u64::wrapping_add);
        let warm = asks.len() / 4;
        for (name, reader, _, rounds) in &mut readers {
            singly(&mut **reader, kind, &asks[asks.len() - warm..], width)?;
            let (mut times, sum) = singly(&mut **reader, kind, asks, width)?;
            let (block, again) = in_blocks(&mut **reader, kind, asks, width)?;
            if sum != expected || again != expected {
                return Err(first_wrong(name, &mut **reader, data, kind, asks)?.into());
            }
            let (p50, p99, p999) = (times.at(0.5), times.at(0.99), times.at(0.999));
            rounds.push(Latency { p50, p99, p999, block });
        }
    }
    let figures = readers.iter().map(|(_, reader, plan, rounds)| {
        let plans = reader.plans();
        let plan = if kind.is_row() && plans.len() > 1 { plans[*plan] } else { "" };
        (middle(rounds), plan)
    });
    Ok(figures.collect())
}

/// Tells what was answered wrongly.
fn first_wrong(
    name: &str,
    reader: &mut dyn Reader,
    data: &Data,
    kind: Kind,
    asks: &[Ask],
) -> Outcome<String> {
    let width = kind.width(data);
    let (mut found, mut expected) = (vec![Cell::MISSING; width], vec![Cell::MISSING; width]);
    for ask in asks {
        kind.ask(reader, *ask, &mut found)?;
        kind.expected(data, *ask, &mut expected);
        if found != expected {
            return Ok(format!("{name} {kind:?} {ask:?}: {found:?}, not {expected:?}"));
        }
    }
    Ok(format!("{name} {kind:?}: wrong once and right the next time"))
}

/// The figures of a line of latencies.
pub fn figures(stores: &[Loaded], latencies: &[(Latency, &'static str)]) -> Vec<Figure> {
    let each = stores.iter().zip(latencies).map(|(store, (latency, plan))| Figure {
        name: store.name,
        role: store.role,
        figure: latency.p50,
        text: text(latency, plan),
    });
    each.collect()
}

/// p50, p99, p99.9, and a call in the middle one of the blocks.
pub fn text(latency: &Latency, plan: &str) -> String {
    let [p50, p99, p999, block] =
        [latency.p50, latency.p99, latency.p999, latency.block].map(nanos);
    let plan = if plan.is_empty() { String::new() } else { format!(" by {plan}") };
    format!("{p50} / {p99} / {p999} [{block}]{plan}")
}
