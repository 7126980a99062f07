//! mix-29: texts of about 300 bytes, now and then many times as long; 29 reads of the newest one of a
//! series for each write of another, for a while, with flushes and merges going on.
//!
//! Entities that are asked for often are written often, by Zipf 0.99. Beside it the same reads are timed
//! while another thread writes at full speed.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::data::{HOUR, mix};
use crate::peers::Args;
use crate::peers::beside::{self, Growing};
use crate::peers::dataset::{Zipf, below, normal};
use crate::peers::ingest::{BATCH, open};
use crate::peers::peer::{Entrant, Peer, Reader, Role, Setup, TextRecord, Texts};
use crate::peers::report::{Figure, Line, Report, Target};
use crate::peers::texts::{text_of, words};
use crate::peers::timing::{Times, nanos};

/// Entities, features, versions before the first read.
const SHAPE: (f64, u16, u32) = (4_000.0, 20, 10);

const START: i64 = 1_700_000_000_000_000 / HOUR * HOUR;

/// The longest text.
const LONGEST: f64 = 16_384.0;

/// Each reads and writes for so long.
const LENGTH: Duration = Duration::from_secs(20);

/// What a writer at full speed writes are so many texts, each behind words that no other record has:
/// making new ones would be most of its time.
const READY: u32 = 4_096;

/// The texts of all series, and how many versions each has.
struct Series {
    words: Vec<String>,
    entities: u32,
    versions: Vec<u32>,
}

impl Series {
    fn new(scale: f64) -> Self {
        let (entities, features, versions) = SHAPE;
        #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a share")]
        let entities = ((entities * scale) as u32).max(10);
        let count = entities as usize * usize::from(features);
        Self { words: words(), entities, versions: vec![versions; count] }
    }

    fn versions(&mut self, entity: u32, feature: u16) -> &mut u32 {
        &mut self.versions[entity as usize * usize::from(SHAPE.1) + usize::from(feature)]
    }

    /// A version; it becomes true in its own hour.
    fn record(&self, entity: u32, feature: u16, version: u32) -> TextRecord {
        let seed = mix(u64::from(entity) << 40 ^ u64::from(feature) << 32 ^ u64::from(version));
        // Lognormal of a mean of 300.
        let length = (300f64.ln() - 0.5 + normal(seed)).exp().clamp(8.0, LONGEST);
        #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a length")]
        let text = text_of(&self.words, format!("{entity}/{feature}:"), seed, length as usize);
        let within = below(seed, 1_200_000_000);
        let time = START + i64::from(version) * HOUR + i64::from(within);
        TextRecord { time, entity, feature, text }
    }

    /// All that is there before the first read, in the order of time.
    fn first(&self) -> Vec<TextRecord> {
        let mut all = Vec::new();
        for version in 0..SHAPE.2 {
            for entity in 0..self.entities {
                all.extend((0..SHAPE.1).map(|feature| self.record(entity, feature, version)));
            }
        }
        all.sort_unstable_by_key(|record| record.time);
        all
    }
}

struct Took {
    reads: Times,
    writes: Times,
    steps: usize,
    seconds: f64,
}

fn take(peer: &dyn Peer, series: &mut Series, zipf: &Zipf) -> Outcome<Took> {
    let begun = Instant::now();
    let mut took =
        Took { reads: Times::default(), writes: Times::default(), steps: 0, seconds: 0.0 };
    let (mut reader, mut found) = (peer.reader()?, Texts::default());
    while begun.elapsed() < LENGTH {
        let drawn = mix(took.steps as u64 ^ 0x29_0000);
        let entity = zipf.draw(drawn);
        let feature = u16::try_from(below(mix(drawn), u32::from(SHAPE.1))).unwrap_or_default();
        let versions = *series.versions(entity, feature);
        if took.steps % 30 == 29 {
            let record = series.record(entity, feature, versions);
            let since = Instant::now();
            peer.write_text(std::slice::from_ref(&record))?;
            took.writes.push(since);
            took.seconds += since.elapsed().as_secs_f64();
            *series.versions(entity, feature) += 1;
        } else {
            let expected = series.record(entity, feature, versions - 1);
            found.clear();
            let since = Instant::now();
            reader.latest_text(entity, feature, &mut found)?;
            took.reads.push(since);
            took.seconds += since.elapsed().as_secs_f64();
            if !found.is_one(expected.time, expected.text.as_bytes()) {
                return Err(format!("the newest text of {entity}/{feature} is wrong").into());
            }
        }
        took.steps += 1;
    }
    Ok(took)
}

/// Series that a writer goes on with from their end, a microsecond a record.
struct Written {
    series: Series,
    zipf: Zipf,
    ready: Vec<String>,
}

impl Written {
    const END: i64 = START + SHAPE.2 as i64 * HOUR;

    /// A series that is asked for, or written.
    fn draw(&self, drawn: u64) -> (u32, u16) {
        let feature = u16::try_from(below(mix(drawn), u32::from(SHAPE.1))).unwrap_or_default();
        (self.zipf.draw(drawn), feature)
    }
}

impl Growing for Written {
    type Record = TextRecord;
    type Room = Texts;

    fn record(&self, n: u64, record: &mut TextRecord) {
        let drawn = mix(n ^ 0x2900_0000_0000);
        (record.entity, record.feature) = self.draw(drawn);
        record.time = Self::END + n.cast_signed();
        let ready = &self.ready[below(mix(drawn ^ 1), READY) as usize];
        record.text.clear();
        let TextRecord { entity, feature, .. } = record;
        // Writing to a string does not fail.
        let _ = write!(record.text, "{entity}/{feature}, {n}:{ready}");
    }

    fn write(&self, peer: &dyn Peer, batch: &[TextRecord]) -> Outcome<()> {
        peer.write_text(batch)
    }

    fn read(
        &self,
        reader: &mut dyn Reader,
        n: usize,
        found: &mut Texts,
        times: &mut Times,
    ) -> Outcome<()> {
        let (entity, feature) = self.draw(mix(n as u64 ^ 0x29_0000));
        found.clear();
        let called = Instant::now();
        reader.latest_text(entity, feature, found)?;
        times.push(called);
        let time = found.newest().ok_or("a series without a text")?;
        let mut expected = TextRecord::default();
        match u64::try_from(time - Self::END) {
            Ok(n) => self.record(n, &mut expected),
            Err(_) => expected = self.series.record(entity, feature, SHAPE.2 - 1),
        }
        let is_of_series = (expected.entity, expected.feature) == (entity, feature);
        if is_of_series && found.is_one(expected.time, expected.text.as_bytes()) {
            return Ok(());
        }
        Err(format!("the newest text of {entity}/{feature} is wrong").into())
    }
}

/// The newest texts while a writer runs at full speed, each entrant with a store of its own.
pub fn beside_writer(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants("mixed-29") {
        return Ok(());
    }
    let series = Series::new(args.scale);
    let (first, zipf) = (series.first(), Zipf::new(series.entities, 0.99));
    let ready = (0..READY).map(|n| series.record(0, u16::MAX, n).text).collect();
    // What is written comes on top.
    let records = first.len() as u64 + 20_000_000;
    let setup = Setup { features: SHAPE.1, records, text: true, ..Setup::default() };
    let load = |entrant: Entrant, dir: &Path| {
        let peer = open(&entrant, dir, setup)?;
        for batch in first.chunks(BATCH) {
            peer.write_text(batch)?;
        }
        peer.settle()?;
        Ok(peer)
    };
    let written = Written { series, zipf, ready };
    let title = "mix-29: the newest text of a series";
    beside::run(args, title, &dir.join("mixed-29"), &written, load, report)
}

/// Loads the texts into all that hold them, and lets each read and write for a while.
pub fn run(args: &Args, dir: &Path, report: &mut Report) -> Outcome<()> {
    if !args.wants("mix-29") {
        return Ok(());
    }
    let first = Series::new(args.scale).first();
    let zipf = Zipf::new(Series::new(args.scale).entities, 0.99);
    let setup =
        Setup { features: SHAPE.1, records: first.len() as u64, text: true, ..Setup::default() };
    let mean = first.iter().map(|record| record.text.len()).sum::<usize>() as f64;
    let mean = mean / first.len() as f64;
    let mut lines = [
        (format!("mix-29: the newest text of a series, {mean:.0} bytes on average"), Target::None),
        ("mix-29: one more text, by itself".to_owned(), Target::None),
        ("mix-29: 29 reads and a write, steps".to_owned(), Target::NoneButMore),
    ]
    .map(|(title, target)| Line::new(title, target));
    for entrant in args.entrants().into_iter().filter(|entrant| entrant.role != Role::Floor) {
        let peer = open(&entrant, &dir.join("mix"), setup)?;
        for batch in first.chunks(BATCH) {
            peer.write_text(batch)?;
        }
        peer.settle()?;
        let took = take(&*peer, &mut Series::new(args.scale), &zipf)
            .map_err(|error| format!("{}: {error}", entrant.name))?;
        peer.close()?;
        let Took { mut reads, mut writes, steps, seconds } = took;
        let (name, role) = (entrant.name, entrant.role);
        for (line, times) in lines.iter_mut().zip([&mut reads, &mut writes]) {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| times.at(share));
            let text = format!("{} / {} / {}", nanos(p50), nanos(p99), nanos(p999));
            line.figures.push(Figure { name, role, figure: p50, text });
        }
        let figure = steps as f64 / seconds / 1e3;
        let text = format!("{figure:.0} k/s");
        lines[2].figures.push(Figure { name, role, figure, text });
    }
    lines.into_iter().for_each(|line| report.add(line));
    Ok(())
}
