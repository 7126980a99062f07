//! Writes merged entities into tables, none much longer than the options say, dropping garbage on
//! the way.
//!
//! Tables of the past are shorter where that is of use: an entity that is erased has a row in every
//! run, and all of the table is rewritten that has it. A run is made of up to sixteen tables, none
//! shorter than a MiB, so an erase rewrites a sixteenth of a large run. The present, which every
//! merge into it rewrites whole, gains nothing from that.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asofdb_format::edit::{Level, Past, TableEntry};
use asofdb_format::hash::EntityHash;
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{Commit, EventTime, FeatureId};
use asofdb_format::meta::FeatureMeta;
use asofdb_format::revision::Revision;
use asofdb_format::table::{Names, TableBuilder};
use asofdb_format::timeline::{Step, Timeline};
use asofdb_format::wire::{narrow, wide};
use parking_lot::Mutex;

use crate::files::names;
use crate::files::scan::{EntityRevisions, RawHistory};
use crate::files::table::Table;
use crate::shape::demote::{Window, demote};
use crate::shape::garbage::{Dropped, Limits, drop_garbage};
use crate::shape::merge::Merge;
use crate::shape::placement::{bytes, superseded_for_all};
use crate::state::live::{Keeper, State};
use crate::state::memtable::Memtable;
use crate::sync::Shared;
use crate::types::error::{Error, Result};
use crate::types::options::Options;
use crate::world::disk::{Disk, FileWriter};

/// What is to be merged, and where it goes.
#[derive(Debug)]
pub(crate) struct Job<'j> {
    pub(crate) tables: &'j [Shared<Table>],
    pub(crate) memtables: &'j [&'j Memtable],
    pub(crate) placing: Placing,
    /// The newest commit that every reader sees.
    pub(crate) seen_by_all: Commit,
    /// Whether it is held to the limit of background work, and lets others go before it.
    pub(crate) paced: bool,
}

/// Where the outputs of a merge stand.
#[derive(Clone, Debug)]
pub(crate) enum Placing {
    /// All in one level.
    Together(Level),
    /// In the present, but for what was superseded up to a moment: that goes to windows of the
    /// past, which ascend and cover all time up to there.
    Parted { limit: EventTime, windows: Vec<Window> },
}

/// What came of a merge.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) tables: Vec<Shared<Table>>,
    pub(crate) dropped: Dropped,
}

/// Tables are not made longer, whatever the options say: places of heads have 32 bits.
const MAX_TABLE_LEN: u64 = 1 << 30;

/// A run of the past is made of so many tables,
const TABLES_OF_A_RUN: u64 = 16;

/// if none of them is shorter than this.
const LEAST_OF_A_RUN: u64 = 1 << 20;

/// Bytes that a merge may have read ahead.
const READ_AHEAD: usize = 32 << 20;

/// Merges of fewer bytes than this each are not done beside one another.
const LEAST_PART: u64 = 4 << 20;

/// Bytes of a table that are gathered before they are written.
const WRITE_LEN: usize = 256 << 10;

/// How long a table is made.
fn table_len(options: &Options) -> u64 {
    options.table_bytes.clamp(1, MAX_TABLE_LEN)
}

/// How long a table of the past is made: what is merged is cut evenly, into shares of the run that it
/// is a part of, or else of itself.
fn past_len(options: &Options, state: &State, inputs: &[Shared<Table>]) -> u64 {
    let run_of = |table: &Shared<Table>| table.entry.level.past().map(|past| past.run);
    let run = inputs
        .first()
        .and_then(run_of)
        .filter(|run| inputs.iter().all(|table| run_of(table) == Some(*run)));
    let merged = bytes(inputs);
    let runs = state.tables.past().iter().filter(|known| Some(known.number) == run);
    let whole = runs.map(|run| bytes(&run.tables)).sum::<u64>().max(merged);
    let share = (whole / TABLES_OF_A_RUN).max(LEAST_OF_A_RUN);
    let even = merged / (merged / share).max(1);
    // What a table has beside its rows, or the last would be a small rest.
    even.saturating_add(even / 16).max(LEAST_OF_A_RUN).min(table_len(options))
}

/// How much memory a flush or a part of a merge holds at the most: the heads of tables that are not
/// finished, and what the directory is made of.
fn memory_of_part(options: &Options) -> u64 {
    table_len(options) / 2 * 3
}

/// How much memory a flush and a merge beside it hold at the most, about.
pub(crate) fn memory(options: &Options) -> u64 {
    let parts = 1 + wide(options.world.scheduler.parallelism());
    memory_of_part(options).saturating_mul(parts).saturating_add(wide(READ_AHEAD))
}

/// Writes all entities of a job into new tables, ranges of hashes beside one another where there is
/// enough to do. The tables are durable when it returns, and no manifest names them yet.
pub(crate) fn write_all(keeper: &Keeper, state: &State, job: &Job<'_>) -> Result<Written> {
    let names = names_of(state);
    let past_len = past_len(&keeper.options, state, job.tables);
    let timeline = Arc::new(timeline_of(keeper, job, past_len)?);
    let made = state.visible();
    let ranges = ranges(keeper, job);
    let window = READ_AHEAD / (job.tables.len().max(1) * ranges.len());
    let fill = |range: RangeInclusive<EntityHash>| {
        let mut merge = if job.memtables.is_empty() {
            Merge::in_range(job.tables, range, window, &timeline)?
        } else {
            Merge::new(job.tables, job.memtables, &timeline)?
        };
        let mut filler = Filler {
            keeper,
            state,
            job,
            names: &names,
            timeline: &timeline,
            past_len,
            made,
            here: None,
            past: BTreeMap::new(),
            written: Written::default(),
        };
        let filled = filler.fill(&mut merge);
        // No manifest names what was made so far.
        let give_up = |tables: &[Shared<Table>]| tables.iter().for_each(|t| t.mark_obsolete());
        filled.inspect_err(|_| give_up(&filler.written.tables))?;
        Ok(filler.written)
    };
    let parts = in_parts((keeper, job.paced), ranges, &fill);
    let mut written = Written::default();
    let mut failed = None;
    for part in parts {
        match part {
            Ok(part) => {
                written.tables.extend(part.tables);
                written.dropped.revisions += part.dropped.revisions;
                written.dropped.values += part.dropped.values;
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    let synced = || match written.tables.is_empty() {
        true => Ok(()),
        false => {
            let disk = &keeper.options.world.disk;
            disk.sync_dir(&keeper.dir).map_err(|source| Error::io("sync", &keeper.dir, source))
        }
    };
    if let Err(error) = failed.map_or_else(synced, Err) {
        written.tables.iter().for_each(|table| table.mark_obsolete());
        return Err(error);
    }
    Ok(written)
}

/// The timeline of what is written: the steps of all that is merged. Where a table gets few of the
/// records of each batch, steps take more room than commits.
fn timeline_of(keeper: &Keeper, job: &Job<'_>, past_len: u64) -> Result<Timeline> {
    let mut steps: Vec<Step> = Vec::new();
    for table in job.tables {
        steps.extend(table.timeline()?.steps());
    }
    job.memtables.iter().for_each(|memtable| steps.extend(&memtable.aside().steps));
    let in_tables: u64 = job.tables.iter().map(|table| table.entry.revisions).sum();
    let in_memory: u64 = job.memtables.iter().map(|memtable| memtable.revisions()).sum();
    let len = match &job.placing {
        Placing::Together(level) if level.past().is_some() => past_len,
        Placing::Together(_) | Placing::Parted { .. } => table_len(&keeper.options),
    };
    let tables = bytes(job.tables).div_ceil(len.max(1)).max(1);
    let most = (in_tables + in_memory) / tables / wide(Step::LEAST_RECORDS);
    Ok(Timeline::of(steps, narrow(most)))
}

/// The ranges of hashes that are merged beside one another: hashes are spread evenly.
fn ranges(keeper: &Keeper, job: &Job<'_>) -> Vec<RangeInclusive<EntityHash>> {
    let bytes = bytes(job.tables);
    let cores = wide(keeper.options.world.scheduler.parallelism());
    // No more tables are made than there were, or parts of half a table.
    let half = (table_len(&keeper.options) / 2).max(1);
    let most = wide(job.tables.len()).max(bytes / half);
    let parts = match job.memtables.is_empty() {
        true => cores.min(bytes / half.min(LEAST_PART)).min(most).max(1),
        false => 1,
    };
    let width = u64::MAX / parts;
    let range = |part: u64| {
        let last = if part + 1 == parts { u64::MAX } else { (part + 1) * width - 1 };
        EntityHash(part * width)..=EntityHash(last)
    };
    (0..parts).map(range).collect()
}

fn in_parts(
    (keeper, is_patient): (&Keeper, bool),
    ranges: Vec<RangeInclusive<EntityHash>>,
    fill: &(impl Fn(RangeInclusive<EntityHash>) -> Result<Written> + Sync),
) -> Vec<Result<Written>> {
    if ranges.len() == 1 && !is_patient {
        return ranges.into_iter().map(fill).collect();
    }
    let results: Vec<Mutex<Result<Written>>> =
        ranges.iter().map(|_| Mutex::new(Ok(Written::default()))).collect();
    let jobs = ranges.into_iter().zip(&results).map(|(range, result)| {
        let job: Box<dyn FnOnce() + Send + '_> = Box::new(move || *result.lock() = fill(range));
        job
    });
    let scheduler = &keeper.options.world.scheduler;
    if is_patient {
        scheduler.run_patiently(jobs.collect());
    } else {
        scheduler.run_all(jobs.collect());
    }
    results.into_iter().map(Mutex::into_inner).collect()
}

fn names_of(state: &State) -> Names {
    Names {
        features: state
            .catalog
            .all()
            .map(|feature| {
                let definition = &feature.definition;
                let meta = FeatureMeta::new(
                    definition.name.clone(),
                    definition.schema,
                    definition.value_type,
                    feature.recorded,
                );
                (definition.id, meta)
            })
            .collect::<BTreeMap<_, _>>(),
        sources: state.sources.each().map(|(id, label)| (id, label.to_string())).collect(),
    }
}

/// Fills tables with the entities of one range.
struct Filler<'f> {
    keeper: &'f Keeper,
    state: &'f State,
    job: &'f Job<'f>,
    names: &'f Names,
    timeline: &'f Arc<Timeline>,
    /// How long a table of the past is made.
    past_len: u64,
    /// The newest commit of the state that is merged.
    made: Commit,
    here: Option<Output>,
    /// By place of the window.
    past: BTreeMap<usize, Output>,
    written: Written,
}

impl Filler<'_> {
    fn fill(&mut self, merge: &mut Merge<'_>) -> Result<()> {
        while let Some(mut entity) = merge.next_entity()? {
            let erased = self.state.taken.erase_of(&entity.entity);
            let past = match &self.job.placing {
                Placing::Together(level) => level.past(),
                Placing::Parted { .. } => None,
            };
            let (seen_by_all, dropped) = (self.job.seen_by_all, &mut self.written.dropped);
            clean(self.state, &mut entity, erased, past, seen_by_all, dropped);
            let gone = match &self.job.placing {
                Placing::Together(_) => Vec::new(),
                Placing::Parted { limit, windows } => {
                    demote(&mut entity, *limit, windows, &self.state.taken, erased)
                }
            };
            self.limit(entity.hash)?;
            for (window, demoted) in gone {
                let output = self.past.remove(&window);
                let (hash, features) = (entity.hash, &demoted.features);
                let mut output = self.room(output, Some(window), hash)?;
                output.superseded = output.superseded.max(demoted.superseded);
                output.add(hash, &entity.entity, features, None);
                self.write(&mut output)?;
                self.past.insert(window, output);
            }
            if !entity.features.is_empty() {
                let output = self.here.take();
                let mut output = self.room(output, None, entity.hash)?;
                output.add(entity.hash, &entity.entity, &entity.features, entity.raw.as_ref());
                self.write(&mut output)?;
                self.here = Some(output);
            }
            merge.take_back(entity);
        }
        let past = std::mem::take(&mut self.past).into_iter().map(|(at, open)| (Some(at), open));
        for (window, open) in self.here.take().map(|open| (None, open)).into_iter().chain(past) {
            let level = self.level(window, open.superseded);
            self.written.tables.push(open.finish(self.keeper, level)?);
        }
        Ok(())
    }

    fn write(&self, output: &mut Output) -> Result<()> {
        let written = output.write(false)?;
        if self.job.paced
            && written > 0
            && let Some(limit) = self.keeper.options.merge_bytes_per_second
        {
            self.keeper.pace.take(written, limit, &self.keeper.options.world);
        }
        Ok(())
    }

    /// Ends the output that holds the most memory, if all of them hold as much as one may: what a
    /// merge holds does not grow with the number of windows.
    fn limit(&mut self, next: EntityHash) -> Result<()> {
        let outputs = || self.past.iter().map(|(window, open)| (Some(*window), open));
        let outputs = || self.here.iter().map(|open| (None, open)).chain(outputs());
        let kept: usize = outputs().map(|(_, open)| open.builder.kept()).sum();
        if self.past.is_empty() || wide(kept) < table_len(&self.keeper.options) {
            return Ok(());
        }
        let can_end = outputs().filter(|(_, open)| open.last != Some(next));
        let most = can_end.max_by_key(|(_, open)| open.builder.kept());
        let Some((window, _)) = most else { return Ok(()) };
        let open = match window {
            Some(window) => self.past.remove(&window),
            None => self.here.take(),
        };
        if let Some(open) = open {
            let level = self.level(window, open.superseded);
            self.written.tables.push(open.finish(self.keeper, level)?);
        }
        Ok(())
    }

    /// The open output, or a new one in its place if it is full. Entities of one hash stay in one
    /// table: tables of the present, and of a run, share no hash.
    fn room(
        &mut self,
        open: Option<Output>,
        window: Option<usize>,
        next: EntityHash,
    ) -> Result<Output> {
        let is_past = match &self.job.placing {
            Placing::Together(level) => level.past().is_some(),
            Placing::Parted { .. } => window.is_some(),
        };
        let most = if is_past { self.past_len } else { table_len(&self.keeper.options) };
        match open {
            Some(open) if open.builder.len() < most || open.last == Some(next) => Ok(open),
            full => {
                if let Some(full) = full {
                    let level = self.level(window, full.superseded);
                    self.written.tables.push(full.finish(self.keeper, level)?);
                }
                Output::create(self.keeper, self.names.clone(), self.timeline)
            }
        }
    }

    fn level(&self, window: Option<usize>, superseded: EventTime) -> Level {
        match (&self.job.placing, window) {
            (Placing::Together(level), _) => *level,
            (Placing::Parted { .. }, None) => Level::Present,
            (Placing::Parted { windows, limit }, Some(place)) => {
                let all = Window { run: 0, first: EventTime::MIN, last: *limit };
                let window = windows.get(place).copied().unwrap_or(all);
                Level::Past(Past {
                    run: window.run,
                    window: (window.first, window.last),
                    superseded,
                    made: self.made,
                })
            }
        }
    }
}

/// Takes garbage out of an entity.
fn clean(
    state: &State,
    entity: &mut EntityRevisions,
    erased: Option<Commit>,
    past: Option<&Past>,
    seen_by_all: Commit,
    dropped: &mut Dropped,
) {
    let before = *dropped;
    for (feature, revisions) in &mut entity.features {
        let Some(known) = state.catalog.get(*feature) else { continue };
        let newest_revert = state.taken.newest_revert;
        let is_below = |past| superseded_for_all(past, known.recorded, seen_by_all, newest_revert);
        if past.is_some_and(is_below) {
            dropped.revisions += wide(revisions.len());
            revisions.clear();
            continue;
        }
        let limits = Limits { bounds: known.recorded, seen_by_all, erased, taken: &state.taken };
        let now = drop_garbage(revisions, &limits);
        dropped.revisions += now.revisions;
        dropped.values += now.values;
    }
    if *dropped != before {
        entity.raw = None;
        entity.features.retain(|(_, revisions)| !revisions.is_empty());
    }
}

/// A table that is being written.
struct Output {
    builder: TableBuilder,
    header: Header,
    path: PathBuf,
    file: Box<dyn FileWriter>,
    pending: Vec<u8>,
    unfinished: Unfinished,
    /// The hash of the entity that came last.
    last: Option<EntityHash>,
    /// When the last of what it holds was superseded, if it is of the past.
    superseded: EventTime,
}

/// A file that no manifest names yet: it goes with this, unless it was finished.
struct Unfinished {
    disk: Arc<dyn Disk>,
    path: Option<PathBuf>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // Left over at the worst: the next open removes it.
            let _ = self.disk.remove(&path);
        }
    }
}

fn append(file: &dyn FileWriter, path: &Path, bytes: &[u8]) -> Result<()> {
    file.append(bytes).map_err(|source| Error::io("write", path, source))
}

impl Output {
    fn create(keeper: &Keeper, names: Names, timeline: &Arc<Timeline>) -> Result<Self> {
        let number = keeper.next_file();
        let header = Header::new(FileKind::Table, keeper.store, number, keeper.now().0);
        let path = names::numbered(&keeper.dir, FileKind::Table, number);
        let disk = &keeper.options.world.disk;
        let file = disk.create(&path).map_err(|source| Error::io("create", &path, source))?;
        let builder = TableBuilder::new(&header, names, Arc::clone(timeline));
        let unfinished = Unfinished { disk: Arc::clone(disk), path: Some(path.clone()) };
        Ok(Self {
            builder,
            header,
            path,
            file,
            pending: Vec::new(),
            unfinished,
            last: None,
            superseded: EventTime::MIN,
        })
    }

    fn add(
        &mut self,
        hash: EntityHash,
        entity: &[u8],
        features: &[(FeatureId, Vec<Revision>)],
        raw: Option<&RawHistory>,
    ) {
        self.last = Some(hash);
        let features: Vec<(FeatureId, &[Revision])> =
            features.iter().map(|(id, revisions)| (*id, revisions.as_slice())).collect();
        match raw {
            Some(raw) => self.builder.add_copied(entity, &features, (&raw.chunk, &raw.heap)),
            None => self.builder.add(entity, &features),
        }
    }

    /// Writes what was gathered, if it is enough; how many bytes it was.
    fn write(&mut self, all: bool) -> Result<u64> {
        if !all && self.pending.len() + self.builder.unwritten() < WRITE_LEN {
            return Ok(0);
        }
        self.pending.extend(self.builder.take_written());
        let len = wide(self.pending.len());
        if self.pending.len() >= WRITE_LEN || all {
            append(&*self.file, &self.path, &self.pending)?;
            self.pending.clear();
            return Ok(len);
        }
        Ok(0)
    }

    fn finish(mut self, keeper: &Keeper, level: Level) -> Result<Shared<Table>> {
        self.write(true)?;
        let Self { builder, header, path, file, mut pending, mut unfinished, .. } = self;
        let (rest, finished) = builder.finish();
        // Short pieces together, and each let go of once it is written.
        for piece in rest {
            if pending.len() + piece.len() >= WRITE_LEN && !pending.is_empty() {
                append(&*file, &path, &pending)?;
                pending.clear();
            }
            if piece.len() >= WRITE_LEN {
                append(&*file, &path, &piece)?;
            } else {
                pending.extend(piece);
            }
        }
        append(&*file, &path, &pending)?;
        file.sync().map_err(|source| Error::io("sync", &path, source))?;
        let meta = &finished.meta;
        let entry = TableEntry {
            number: header.number,
            len: finished.len,
            identity: finished.identity,
            level,
            min_hash: meta.min_hash,
            max_hash: meta.max_hash,
            entities: meta.entities,
            revisions: meta.revisions,
            min_event_time: meta.min_event_time,
            max_event_time: meta.max_event_time,
            max_known_time: meta.max_known_time,
            min_commit: meta.min_commit,
            max_commit: meta.max_commit,
        };
        let options = &keeper.options;
        let (disk, mode) = (&options.world.disk, options.read_mode);
        let blocks = &keeper.state().blocks;
        let table = Table::open(disk, &keeper.dir, keeper.store, &entry, mode, blocks)?;
        unfinished.path = None;
        Ok(Shared::new(table))
    }
}
