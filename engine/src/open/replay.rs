//! Replays logs: the batches of many frames go to a memtable on all cores, with the outcome that
//! they had one after another when they were written.
//!
//! ```text
//! frames, in order -> heads: sources, marks, commits
//!      round: so many entries of the batches that come next
//!          pieces, beside one another: entries -> parts of the memtable, counts
//!          parts, beside one another:  revisions, gathered by entity -> memtable
//! ```
//!
//! A log in the order of event time has another entity in each record, so that each put would wait
//! for memory. Gathered, the revisions of an entity go in together. Those of one entity stay in the
//! order of the log: which of two equal ones stands rests on it, and nothing rests on the order of
//! two entities.

mod gather;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;
use std::sync::Arc;

use asofdb_format::batch::{BatchReader, Entry};
use asofdb_format::frame::{Frame, FrameKind};
use asofdb_format::hash::EntityHash;
use asofdb_format::ids::{Commit, FeatureId, SourceId};
use asofdb_format::timeline::Step;
use asofdb_format::value::ValueType;
use asofdb_format::wire::{Malformed, narrow, wide};

use crate::files::log::FrameFile;
use crate::open::replay::gather::{Put, Read, put_part};
use crate::state::catalog::Catalog;
use crate::state::durable::Durable;
use crate::state::memtable::{Incoming, Mark, Memtable};
use crate::state::tally::Tally;
use crate::types::error::{Error, Result};
use crate::world::scheduler::Scheduler;

/// How much is done at once.
#[derive(Clone, Copy, Debug)]
struct Grain {
    /// Entries of a round: what is gathered takes about 50 bytes for each.
    round: u64,
    /// Entries of a part: what they touch of the memtable is to stay in the cache of a core.
    part: u64,
    /// Entries of which it is worth to have another core read a share.
    piece: u64,
    /// A memtable has at most so many parts, a power of two.
    most_parts: u64,
}

const GRAIN: Grain = Grain { round: 1 << 19, part: 1 << 12, piece: 1 << 12, most_parts: 128 };

/// Puts the batches of a log into a memtable, and what they say beside their revisions into the
/// picture.
pub(super) fn replay(
    scheduler: &dyn Scheduler,
    memtable: &Memtable,
    file: &FrameFile,
    durable: &mut Durable,
) -> Result<()> {
    replay_by(GRAIN, scheduler, memtable, file, durable)
}

fn replay_by(
    grain: Grain,
    scheduler: &dyn Scheduler,
    memtable: &Memtable,
    file: &FrameFile,
    durable: &mut Durable,
) -> Result<()> {
    let mut spare = Vec::new();
    let mut batches = Vec::new();
    let mut entries = 0;
    let mut malformed = None;
    for frame in file.frames().filter(|frame| frame.head.kind == FrameKind::Batch) {
        match Batch::begin(&frame, file, memtable, durable) {
            Ok(batch) => {
                entries += batch.weight();
                batches.push(batch);
            }
            Err(error) => {
                malformed = Some(error);
                break;
            }
        }
        while entries >= grain.round {
            let round = Round { grain, scheduler, memtable, catalog: &durable.catalog };
            let rest = round.put(std::mem::take(&mut batches), &mut spare)?;
            entries = rest.as_ref().map_or(0, Batch::weight);
            batches.extend(rest);
        }
    }
    let round = Round { grain, scheduler, memtable, catalog: &durable.catalog };
    round.put(batches, &mut spare)?;
    // What is wrong with an earlier batch is told first.
    if let Some(error) = malformed {
        return Err(error);
    }
    durable.commits.add_all(&memtable.aside().commits);
    Ok(())
}

/// A batch of which the head is done.
#[derive(Debug)]
struct Batch<'a> {
    reader: BatchReader<'a>,
    /// Entries that are still to be read.
    left: u64,
    commit: Commit,
    source: SourceId,
    /// Whether what it touched still counts: not once its source was reverted.
    touches: bool,
    /// The event times of what was read of it.
    times: Vec<i64>,
    file: &'a FrameFile,
    /// Where its payload begins.
    base: u64,
}

impl<'a> Batch<'a> {
    fn begin(
        frame: &Frame<'a>,
        file: &'a FrameFile,
        memtable: &Memtable,
        durable: &mut Durable,
    ) -> Result<Self> {
        let base = frame.end - wide(frame.payload.len());
        let malformed = |fault: Malformed| corrupt(file, base, &fault);
        let mut reader = BatchReader::decode(frame.payload).map_err(malformed)?;
        let commit = frame.head.commit;
        let mut source = SourceId::NONE;
        let mut aside = memtable.aside();
        if let Some((id, label)) = &reader.head.source {
            source = *id;
            let known = durable.sources.entry(source).or_insert_with(|| Arc::from(label.as_str()));
            if **known != *label.as_str() || label.is_empty() {
                return Err(malformed(Malformed::new(0, "the label that its source has")));
            }
            aside.sources.entry(source).or_insert_with(|| Arc::clone(known));
        }
        aside.commits.add(commit);
        let marks = std::mem::take(&mut reader.head.marks);
        if !durable.taken.is_reverted(commit, source, Commit::MAX) {
            let marks = marks.into_iter();
            aside.marks.extend(marks.map(|(name, value)| (name, Mark { commit, source, value })));
        }
        let touches = durable.taken.newest_revert_of(source).is_none_or(|revert| revert <= commit);
        let left = reader.head.entries;
        Ok(Self { reader, left, commit, source, touches, times: Vec::new(), file, base })
    }

    /// How much of a round it is: without entries it is something, too.
    const fn weight(&self) -> u64 {
        self.left.saturating_add(1)
    }

    /// Reads the next entry; behind the last one, the end.
    fn next(&mut self, catalog: &Catalog) -> Result<Option<Entry<'a>>> {
        let malformed = |fault: Malformed| corrupt(self.file, self.base, &fault);
        let entry = self.reader.next_entry().map_err(malformed)?;
        if let Some(entry) = &entry {
            self.left = self.left.saturating_sub(1);
            let checked = catalog.check(entry, self.commit);
            checked.map_err(|what| malformed(Malformed::new(0, what)))?;
        }
        Ok(entry)
    }
}

fn corrupt(file: &FrameFile, base: u64, fault: &Malformed) -> Error {
    Error::corrupt(&file.path, base + fault.at, format!("expected {}", fault.what))
}

/// What is put in together.
struct Round<'r> {
    grain: Grain,
    scheduler: &'r dyn Scheduler,
    memtable: &'r Memtable,
    catalog: &'r Catalog,
}

/// Batches that follow one another, which one core reads.
#[derive(Debug, Default)]
struct Piece<'a> {
    /// Each with how many of its entries are to be read. The last one may have more.
    batches: Vec<(Batch<'a>, u64)>,
    rest: Option<Batch<'a>>,
    read: Read<'a>,
    counts: Counts,
    touches: BTreeMap<(SourceId, FeatureId), Commit>,
    steps: Vec<Step>,
    failed: Option<Error>,
}

impl Round<'_> {
    /// Puts in the entries of batches; a batch is given back that has more than fit in a round.
    fn put<'a>(
        &self,
        batches: Vec<Batch<'a>>,
        spare: &mut Vec<Vec<Put<'a>>>,
    ) -> Result<Option<Batch<'a>>> {
        let entries: u64 = batches.iter().map(Batch::weight).sum::<u64>().min(self.grain.round);
        let cores = wide(self.scheduler.parallelism()).min(entries / self.grain.piece).max(1);
        let parts = (entries / self.grain.part).clamp(1, self.grain.most_parts).next_power_of_two();
        let mut pieces = self.pieces(batches, entries.div_ceil(cores));
        for piece in &mut pieces {
            piece.read.parts.extend((0..parts).map(|_| spare.pop().unwrap_or_default()));
        }
        let read = |piece| job(move || self.read(piece));
        self.scheduler.run_all(pieces.iter_mut().map(read).collect());
        if let Some(failed) = pieces.iter_mut().find_map(|piece| piece.failed.take()) {
            return Err(failed);
        }
        let (memtable, all) = (self.memtable, &pieces);
        let put = |part| {
            let pieces = all.iter().map(|piece| &piece.read);
            job(move || put_part(memtable, part, pieces))
        };
        self.scheduler.run_all((0..narrow(parts)).map(put).collect());
        let mut aside = memtable.aside();
        let mut rest = None;
        for piece in pieces {
            for (touched, commit) in piece.touches {
                aside.touches.entry(touched).or_insert(commit);
            }
            for Count { feature, tally, .. } in piece.counts.all {
                match aside.tallies.entry(feature) {
                    Place::Vacant(place) => drop(place.insert(tally)),
                    Place::Occupied(mut known) => known.get_mut().merge(&tally),
                }
            }
            for step in piece.steps {
                memtable.add_step(&mut aside, step);
            }
            rest = rest.or(piece.rest);
            spare.extend(piece.read.parts.into_iter().map(|mut part| {
                part.clear();
                part
            }));
        }
        Ok(rest)
    }

    /// Cuts batches into pieces of about so many entries, together no more than a round has.
    fn pieces<'a>(&self, batches: Vec<Batch<'a>>, each: u64) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let (mut piece, mut len, mut left) = (Piece::default(), 0, self.grain.round);
        for batch in batches {
            let now = batch.left.min(left);
            left -= now;
            len += now + 1;
            piece.batches.push((batch, now));
            if len >= each {
                pieces.push(std::mem::take(&mut piece));
                len = 0;
            }
        }
        if len > 0 {
            pieces.push(piece);
        }
        pieces
    }

    /// Reads the entries of a piece.
    fn read(&self, piece: &mut Piece<'_>) {
        let entries: u64 = piece.batches.iter().map(|(_, now)| *now).sum();
        let parts = &mut piece.read.parts;
        let each = narrow(entries) / parts.len().max(1);
        // Hashes are even: few parts have so many more than others.
        let each = if parts.len() == 1 { each } else { each + each / 8 };
        parts.iter_mut().for_each(|part| part.reserve(each));
        for (mut batch, now) in std::mem::take(&mut piece.batches) {
            match self.read_batch(piece, &mut batch, now) {
                Ok(()) if batch.left > 0 => piece.rest = Some(batch),
                Ok(()) => piece.steps.extend(Step::of(batch.commit, &mut batch.times)),
                Err(error) => {
                    piece.failed = Some(error);
                    return;
                }
            }
        }
    }

    fn read_batch<'a>(&self, piece: &mut Piece<'a>, batch: &mut Batch<'a>, now: u64) -> Result<()> {
        let stays = batch.left - now;
        piece.read.batches.push((batch.commit, batch.source));
        let mut last: (&[u8], EntityHash) = (&[], EntityHash::default());
        // The end of a batch is looked at with its last entry.
        while batch.left > stays || stays == 0 {
            let Some(entry) = batch.next(self.catalog)? else { break };
            let put = Incoming::of(&entry, batch.commit, batch.source);
            batch.times.push(put.order.event_time.0);
            if let Some(count) = piece.counts.of(put.feature, self.catalog) {
                count.tally.count(&put.order, put.kind, put.value);
                // Mostly the same source comes again.
                if batch.touches && count.touched != Some(batch.source) {
                    count.touched = Some(batch.source);
                    piece.touches.entry((batch.source, put.feature)).or_insert(batch.commit);
                }
            }
            if !std::ptr::eq(last.0, entry.entity) {
                last = (entry.entity, EntityHash::of(entry.entity));
            }
            let part = self.memtable.part(last.1, piece.read.parts.len());
            piece.read.push(part, last.1, &entry);
        }
        Ok(())
    }
}

fn job<'j>(work: impl FnOnce() + Send + 'j) -> Box<dyn FnOnce() + Send + 'j> {
    Box::new(work)
}

/// What is counted of features.
#[derive(Debug, Default)]
struct Counts {
    /// 1 + the place of a feature's counts, by its number; 0: there are none yet.
    places: Vec<usize>,
    all: Vec<Count>,
}

/// What is counted of a feature.
#[derive(Debug)]
struct Count {
    feature: FeatureId,
    tally: Tally,
    /// The source that touched it last.
    touched: Option<SourceId>,
}

impl Counts {
    /// Those of a feature that is defined.
    #[inline]
    fn of(&mut self, feature: FeatureId, catalog: &Catalog) -> Option<&mut Count> {
        let number = narrow(u64::from(feature.0));
        if self.places.len() <= number {
            self.places.resize(number + 1, 0);
        }
        let place = self.places.get_mut(number)?;
        if *place == 0 {
            let known = catalog.get(feature);
            let known = known.map_or(ValueType::Bytes, |known| known.definition.value_type);
            self.all.push(Count { feature, tally: Tally::new(known), touched: None });
            *place = self.all.len();
        }
        self.all.get_mut(*place - 1)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
