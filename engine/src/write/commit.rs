//! The order of commits: one batch after another gets its commit, goes to the log and to the
//! memtable, and becomes visible.
//!
//! Durability is apart from order: writers that want it share syncs after they have let the next
//! one in. A commit above the ceiling first raises the ceiling durably, so that a commit which a
//! crash takes is never used again.

use std::sync::Arc;

use asofdb_format::batch::{
    BatchHead, BatchReader, Entry, EntryEncoder, EntryValue, MAX_BATCH_LEN, MAX_ENTITY_LEN,
};
use asofdb_format::catalog::Definition;
use asofdb_format::edit::Edit;
use asofdb_format::frame::{FrameKind, MAX_PAYLOAD_LEN};
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{Commit, FeatureId, FileNumber, KnownTime, SourceId};
use asofdb_format::timeline::Step;
use asofdb_format::value::{MAX_VALUE_LEN, ValueType};
use asofdb_format::wire::{Decoded, wide};

use crate::files::log::FrameWriter;
use crate::files::names;
use crate::metrics::{micros, since};
use crate::shape::background::Logs;
use crate::state::catalog::{Catalog, FeatureState};
use crate::state::durable::Durable;
use crate::state::live::{Keeper, State};
use crate::state::memtable::{Incoming, Mark, Memtable};
use crate::state::tally::Tally;
use crate::sync::{Mutex, MutexGuard};
use crate::types::error::{Error, InvalidArgument, Result};
use crate::write::batch::{Batch, Durability, Named};

/// The longest value of a mark in bytes.
const MAX_MARK_LEN: usize = 64 << 10;

/// The most marks that a batch may set.
const MAX_MARKS: usize = 64;

/// Gives commits.
#[derive(Debug)]
pub(crate) struct Committer {
    keeper: Arc<Keeper>,
    order: Mutex<Sequence>,
}

/// What the commit lock guards.
#[derive(Debug)]
pub(crate) struct Sequence {
    log: Log,
    pub(crate) last: Commit,
    ceiling: Commit,
}

/// The log that takes batches.
#[derive(Debug)]
pub(crate) enum Log {
    /// None does: the store is open read-only or closed.
    None,
    /// It is still to be made.
    ToBegin,
    /// This one.
    Begun(Arc<FrameWriter>),
}

impl Log {
    /// The log, if it is made.
    fn begun(&self) -> Option<Arc<FrameWriter>> {
        if let Self::Begun(log) = self { Some(Arc::clone(log)) } else { None }
    }
}

impl Committer {
    pub(crate) fn new(keeper: Arc<Keeper>, log: Log, last: Commit, ceiling: Commit) -> Self {
        Self { keeper, order: Mutex::new(Sequence { log, last, ceiling }) }
    }

    /// Writes a batch.
    pub(crate) fn write(&self, batch: &Batch, durability: Durability) -> Result<Commit> {
        let (clock, monitor) = (&*self.keeper.options.world.clock, &self.keeper.monitor);
        let begun = clock.running();
        let commit = self.commit(batch, durability)?;
        monitor.writes.batches.add(1);
        monitor.writes.records.add(wide(batch.puts.len()));
        monitor.writes.took.record(micros(since(clock, begun)));
        Ok(commit)
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<Commit> {
        self.keeper.check_writable()?;
        check_marks(batch)?;
        let mut prepared = Prepared::new(&self.keeper, batch)?;
        let mut order = self.lock()?;
        if !Arc::ptr_eq(&prepared.catalog, &self.keeper.state().catalog) {
            // A name may have come to mean another feature.
            prepared = Prepared::new(&self.keeper, batch)?;
        }
        let commit = self.next_commit(&order)?;
        prepared.check_known(batch, commit)?;
        let source = batch.source.as_deref().map(|label| self.source_id(label)).transpose()?;
        let batch_head = BatchHead {
            source: source.map(|(id, label)| (id, label.to_string())),
            marks: batch.marks.clone(),
            entries: prepared.entries.entries(),
        };
        let head = batch_head.encode();
        let len = head.len() + prepared.entries.as_bytes().len();
        if wide(len) > u64::from(MAX_PAYLOAD_LEN) {
            return Err(InvalidArgument::BatchLength { len }.into());
        }
        let log = self.log(&mut order)?;
        let raise = commit > order.ceiling;
        if raise {
            order.ceiling = commit.saturating_add(self.keeper.options.commit_lease);
        }
        let parts = [head.as_slice(), prepared.entries.as_bytes()];
        let end = log
            .append(FrameKind::Batch, commit, order.ceiling, &parts)
            .map_err(|error| self.keeper.poison(error))?;
        if raise {
            log.sync_to(end).map_err(|error| self.keeper.poison(error))?;
        }
        let state = self.keeper.state();
        let memtable = state.memtables.first().ok_or(Error::Closed)?;
        // What was written is what is put in.
        let mut reader = BatchReader::of_entries(batch_head, prepared.entries.as_bytes());
        let applied = apply(memtable, commit, &mut reader, &prepared.catalog);
        applied.map_err(|fault| Error::corrupt(log.path(), fault.at, fault.what))?;
        order.last = commit;
        self.keeper.commits.lock().add(commit);
        state.publish(commit);
        drop(order);
        if durability == Durability::Synced {
            log.sync_with_others(end).map_err(|error| self.keeper.poison(error))?;
        }
        Ok(commit)
    }

    /// Takes the commit lock, for as long as nobody else is to get a commit.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, Sequence>> {
        let order = self.order.lock();
        self.keeper.check_writable()?;
        if matches!(order.log, Log::None) {
            return Err(Error::Closed);
        }
        Ok(order)
    }

    /// The log that takes batches, which is made if it is not there yet.
    fn log(&self, order: &mut Sequence) -> Result<Arc<FrameWriter>> {
        let log = match &order.log {
            Log::None => return Err(Error::Closed),
            Log::Begun(log) => return Ok(Arc::clone(log)),
            Log::ToBegin => self.keeper.begun_log()?,
        };
        order.log = Log::Begun(Arc::clone(&log));
        Ok(log)
    }

    /// The commit that the next batch or edit gets.
    fn next_commit(&self, order: &Sequence) -> Result<Commit> {
        let next =
            order.last.0.checked_add(1).filter(|next| *next < i64::MAX).ok_or_else(|| {
                let what = "the clock stands at the end of time: no commit can follow";
                Error::from(InvalidArgument::Other(what.to_owned()))
            })?;
        // Read for compaction too, so that a jump is held against what the clock said before.
        self.keeper.lagging.read(&*self.keeper.options.world.clock);
        Ok(Commit(self.keeper.now().0.clamp(next, i64::MAX - 1)))
    }

    /// Gives a commit to edits and makes them durable and visible.
    pub(crate) fn change(
        &self,
        order: &mut Sequence,
        edits: impl FnOnce(Commit, &Durable) -> Result<Vec<Edit>>,
        change: impl FnOnce(&mut State, &Durable),
    ) -> Result<Commit> {
        // What was committed before the edit is durable before it: a crash then takes no commit
        // that lies below one that it leaves.
        let log = self.log(order)?;
        let len = log.sync().map_err(|error| self.keeper.poison(error))?;
        let commit = self.next_commit(order)?;
        let raised = commit.saturating_add(self.keeper.options.commit_lease);
        let ceiling = if commit > order.ceiling { raised } else { order.ceiling };
        self.keeper.change(
            |durable| {
                let mut edits = edits(commit, durable)?;
                edits.push(Edit::LogSynced(log.number(), len));
                edits.push(Edit::Clock(commit, ceiling));
                Ok(edits)
            },
            |state, durable| {
                change(state, durable);
                self.keeper.commits.lock().add(commit);
                state.part_at(commit);
            },
        )?;
        // Only now is it durable: a refused edit has reserved nothing.
        order.ceiling = ceiling;
        order.last = commit;
        // The change is done; a failure here only ends writing.
        let _ = self.tell_manifest(&log, commit, ceiling);
        Ok(commit)
    }

    /// Tells in a log how much of the manifest is durable, so that an old copy of the manifest is
    /// known for what it is. It becomes durable with what follows it.
    fn tell_manifest(&self, log: &FrameWriter, newest: Commit, ceiling: Commit) -> Result<()> {
        let Some(told) = self.keeper.manifest_synced() else { return Ok(()) };
        log.tell(newest, ceiling, &told).map_err(|error| self.keeper.poison(error))
    }

    /// The number of a source label, which is new to the store if it has none yet.
    fn source_id(&self, label: &str) -> Result<(SourceId, Arc<str>)> {
        if label.is_empty() || label.len() > 255 {
            return Err(InvalidArgument::SourceLabel { len: label.len() }.into());
        }
        let state = self.keeper.state();
        if let Some((id, known)) = state.sources.id_of(label) {
            return Ok((id, Arc::clone(known)));
        }
        let id = state.sources.next_id();
        let label: Arc<str> = Arc::from(label);
        // It becomes durable with the batch, whose frame tells it.
        self.keeper.change(
            |_| Ok(Vec::new()),
            |state, _| {
                state.sources = Arc::new(state.sources.with(id, &label));
                state.part_at(state.visible());
            },
        )?;
        Ok((id, label))
    }

    /// How long the logs are that hold what is in memory.
    pub(crate) fn log_bytes(&self) -> u64 {
        let begun = self.order.lock().log.begun();
        let logs = self.keeper.look(|durable| durable.logs.clone());
        let len_of = |(number, sealed): (FileNumber, Option<u64>)| {
            let own = || begun.as_ref().filter(|log| log.number() == number).map(|log| log.len());
            sealed.or_else(own).unwrap_or_else(|| self.found_len(number))
        };
        logs.into_iter().map(len_of).sum()
    }

    /// How long a log is that somebody else wrote, with the room that it has; 0 if that cannot be told.
    fn found_len(&self, number: FileNumber) -> u64 {
        let path = names::numbered(&self.keeper.dir, FileKind::Log, number);
        let file = self.keeper.options.world.disk.open(&path);
        file.and_then(|file| file.len()).unwrap_or(0)
    }

    /// Makes everything written so far durable.
    pub(crate) fn sync(&self) -> Result<()> {
        // What was found by the opening was durable.
        let Some(log) = self.lock()?.log.begun() else { return Ok(()) };
        log.sync().map(drop).map_err(|error| self.keeper.poison(error))
    }

    /// Begins a new log and memtable if the present one is at least so large.
    pub(crate) fn rotate(&self, at_least: usize) -> Result<()> {
        // Most of the log becomes durable while other writers go on.
        self.sync()?;
        let mut order = self.lock()?;
        let state = self.keeper.state();
        let full = state.memtables.first().ok_or(Error::Closed)?;
        if full.revisions() == 0 && full.aside().marks.is_empty() || full.bytes() < at_least {
            // Batches of nothing have commits too.
            let Some(log) = order.log.begun() else { return Ok(()) };
            return log.sync().map(drop).map_err(|error| self.keeper.poison(error));
        }
        let _span = tracing::debug_span!(target: "asofdb", "rotate").entered();
        let keeper = &self.keeper;
        let old = self.log(&mut order)?;
        let number = keeper.next_file();
        let header = Header::new(FileKind::Log, keeper.store, number, keeper.now().0);
        let disk = &*keeper.options.world.disk;
        let new = FrameWriter::create(disk, &keeper.dir, &header)
            .and_then(|new| new.sync_named(disk, &keeper.dir).map(|_| new))
            .map_err(|error| keeper.poison(error))?
            .shared(Arc::clone(&keeper.options.world.clock));
        let len = old.sync_whole().map_err(|error| keeper.poison(error))?;
        let memtable = Memtable::after(full, number, keeper.options.memtable_bytes);
        // The ceiling stood in frames of the old log alone.
        let clock = Edit::Clock(state.visible(), order.ceiling);
        keeper.change(
            |_| Ok(vec![Edit::SealLog(old.number(), len), Edit::AddLog(number), clock]),
            |state, _| {
                state.memtables.insert(0, Arc::new(memtable));
                state.part_at(state.visible());
            },
        )?;
        let told = self.tell_manifest(&new, state.visible(), order.ceiling);
        order.log = Log::Begun(Arc::new(new));
        told
    }

    /// Ends writing: everything is durable, and the next open knows that nothing was lost.
    pub(crate) fn close(&self) -> Result<()> {
        let mut order = self.order.lock();
        let log = match std::mem::replace(&mut order.log, Log::None) {
            Log::None => None,
            // Background work may have begun it.
            Log::ToBegin => self.keeper.log_if_begun(),
            Log::Begun(log) => Some(log),
        };
        // Without a log all is as it was found.
        let Some(log) = log else { return Ok(()) };
        self.keeper.check_writable()?;
        let len = log.sync_whole().map_err(|error| self.keeper.poison(error))?;
        // What readers see is the newest commit; after a crash more are spent than that.
        let newest = self.keeper.state().visible();
        let clock = Edit::Clock(newest, order.last.max(newest));
        let edits = vec![Edit::SealLog(log.number(), len), clock];
        self.keeper.change(|_| Ok(edits), |_, _| {})
    }
}

impl Logs for Committer {
    fn begin(&self) -> Result<()> {
        self.rotate(0)
    }

    fn next_file(&self) -> Result<FileNumber> {
        let _order = self.lock()?;
        Ok(self.keeper.look(|durable| durable.next_file))
    }
}

/// A batch whose names are resolved and whose values are checked.
struct Prepared {
    catalog: Arc<Catalog>,
    entries: EntryEncoder,
    latest_known: Option<(usize, KnownTime)>,
}

impl Prepared {
    fn new(keeper: &Keeper, batch: &Batch) -> Result<Self> {
        let now = keeper.now();
        let state = keeper.state();
        let visible = state.visible();
        let by_name: Vec<&Arc<FeatureState>> = batch
            .names
            .iter()
            .map(|name| state.catalog.resolve(name, visible))
            .collect::<Result<_>>()?;
        let latest = keeper.options.max_ahead.map(|ahead| (now.saturating_add(ahead), ahead));
        let mut prepared = Self {
            catalog: Arc::clone(&state.catalog),
            entries: EntryEncoder::with_capacity(batch.encoded_bytes()),
            latest_known: None,
        };
        for (index, put) in batch.puts.iter().enumerate() {
            let feature = match put.feature {
                Named::Name(place) => by_name.get(place as usize).copied(),
                Named::Id(id) => state.catalog.get(id).filter(|found| found.retired.is_none()),
            };
            let feature = feature.ok_or_else(|| unknown_id(put.feature))?;
            let definition = &feature.definition;
            let (entity, value) = (batch.entity_of(put), batch.value_of(put));
            check(entity, value, definition)?;
            if let Some((latest, ahead)) = latest
                && put.event_time > latest
            {
                return Err(InvalidArgument::TooFarAhead {
                    feature: definition.name.clone(),
                    event_time: put.event_time,
                    now: now.0,
                    allowed_micros: ahead.micros(),
                }
                .into());
            }
            if let Some(known) = put.known_time
                && prepared.latest_known.is_none_or(|(_, latest)| known > latest)
            {
                prepared.latest_known = Some((index, known));
            }
            prepared.entries.push(&Entry {
                entity,
                feature: definition.id,
                event_time: put.event_time,
                known_time: put.known_time,
                kind: put.kind,
                value: value.map_or(EntryValue::None, |(_, value)| value),
            });
            let len = prepared.entries.as_bytes().len();
            if len > MAX_BATCH_LEN {
                return Err(InvalidArgument::BatchLength { len }.into());
            }
        }
        Ok(prepared)
    }

    /// Nothing may be known only after the commit.
    fn check_known(&self, batch: &Batch, commit: Commit) -> Result<()> {
        match self.latest_known {
            Some((index, known)) if known.0 > commit.0 => {
                let put = batch.puts.get(index);
                let feature = match put.map(|put| put.feature) {
                    Some(Named::Name(place)) => batch.name_of(place).cloned(),
                    Some(Named::Id(id)) => Some(format!("feature #{}", id.0)),
                    None => None,
                };
                Err(InvalidArgument::KnownAfterCommit {
                    feature: feature.unwrap_or_default(),
                    known: known.0,
                    commit: commit.0,
                }
                .into())
            }
            _ => Ok(()),
        }
    }
}

/// Marks are kept in the manifest, which is to stay small.
fn check_marks(batch: &Batch) -> Result<()> {
    let too_long = |(name, value): &&(String, bytes::Bytes)| {
        name.is_empty() || name.len() > 255 || value.len() > MAX_MARK_LEN
    };
    if batch.marks.iter().any(|mark| too_long(&mark)) || batch.marks.len() > MAX_MARKS {
        let what = format!(
            "a batch sets at most {MAX_MARKS} marks, each with a name of 1 to 255 bytes and a \
             value of at most {MAX_MARK_LEN} bytes"
        );
        return Err(InvalidArgument::Other(what).into());
    }
    Ok(())
}

fn unknown_id(feature: Named) -> Error {
    let name = match feature {
        Named::Id(FeatureId(id)) => format!("#{id}"),
        Named::Name(_) => String::new(),
    };
    Error::UnknownFeature { name, near: Vec::new() }
}

fn check(
    entity: &[u8],
    value: Option<(ValueType, EntryValue<'_>)>,
    definition: &Definition,
) -> Result<()> {
    if entity.is_empty() || entity.len() > MAX_ENTITY_LEN {
        return Err(InvalidArgument::EntityLength { len: entity.len() }.into());
    }
    let Some((value_type, value)) = value else { return Ok(()) };
    if value_type != definition.value_type {
        return Err(InvalidArgument::WrongType {
            feature: definition.name.clone(),
            expected: definition.value_type,
            found: value_type,
        }
        .into());
    }
    let len = if let EntryValue::Raw(raw) = value { raw.len() } else { 0 };
    if len > MAX_VALUE_LEN {
        let feature = definition.name.clone();
        return Err(InvalidArgument::ValueLength { feature, len }.into());
    }
    Ok(())
}

/// So many features of a view mostly have different last bits.
const GUESSES: usize = 64;

/// Puts a batch of the log into a memtable. Readers see it when the commit is published.
fn apply(
    memtable: &Memtable,
    commit: Commit,
    batch: &mut BatchReader<'_>,
    catalog: &Catalog,
) -> Decoded<()> {
    let source = batch.head.source.as_ref().map_or(SourceId::NONE, |(id, _)| *id);
    // Mostly the features of one entity come in the order in which those of the one before came, or in
    // any order; then where each was touched before is guessed by the last bits of its number.
    let (mut next, mut guesses) = (0, [0; GUESSES]);
    let mut touched: Vec<FeatureId> = Vec::new();
    // Counted here first, so that the lock is taken once.
    let mut tallies: Vec<Tally> = Vec::new();
    let mut times = Vec::new();
    let mut inserter = memtable.inserter();
    while let Some(entry) = batch.next_entry()? {
        let put = Incoming::of(&entry, commit, source);
        let feature = put.feature;
        let guess = guesses.get_mut(feature.0 as usize % GUESSES);
        let likely = [next, guess.as_deref().copied().unwrap_or_default()];
        let place = likely.into_iter().find(|place| touched.get(*place) == Some(&feature));
        let place = place.or_else(|| touched.iter().position(|known| *known == feature));
        let place = place.unwrap_or_else(|| {
            let known = catalog.get(feature);
            let known = known.map_or(ValueType::Bytes, |known| known.definition.value_type);
            touched.push(feature);
            tallies.push(Tally::new(known));
            tallies.len() - 1
        });
        if let Some(guess) = guess {
            *guess = place;
        }
        next = place + 1;
        if let Some(tally) = tallies.get_mut(place) {
            tally.count(&put.order, put.kind, put.value);
        }
        times.push(entry.event_time.0);
        inserter.put(entry.entity, put);
    }
    inserter.end();
    let step = Step::of(commit, &mut times);
    let mut aside = memtable.aside();
    aside.commits.add(commit);
    if let Some(step) = step {
        memtable.add_step(&mut aside, step);
    }
    if let Some((id, label)) = &batch.head.source {
        aside.sources.insert(*id, Arc::from(label.as_str()));
    }
    for (feature, tally) in touched.into_iter().zip(tallies) {
        aside.touches.entry((source, feature)).or_insert(commit);
        let known = aside.tallies.entry(feature);
        known.or_insert_with(|| Tally::new(tally.meta.value_type)).merge(&tally);
    }
    for (name, value) in &batch.head.marks {
        aside.marks.insert(name.clone(), Mark { commit, source, value: value.clone() });
    }
    Ok(())
}
