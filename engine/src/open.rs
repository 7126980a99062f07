//! Opening a store: what a crash left is put in order, or refused by name.
//!
//! The manifest tells which tables and logs there are. Tables must be there whole. A sealed log
//! must be there whole; the newest log may end torn, behind its last synced mark, and what is whole
//! of it is copied into a new log. What is found and not named was being made when the process
//! stopped, and is removed, except a log that holds batches which the manifest's logs do not, or
//! that tells of more of the manifest than there is: then it is the manifest that is too old.
//!
//! Where a clean close left nothing to put in order, nothing is written before the first batch or edit.

mod listing;
mod replay;

use std::path::Path;
use std::sync::Arc;

use asofdb_format::frame::FrameKind;
use asofdb_format::hash::EraseKey;
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{Commit, FileNumber, StoreId};

use crate::files::blocks::Blocks;
use crate::files::log::{FrameFile, FrameWriter, read_whole};
use crate::files::metered::Metered;
use crate::files::names;
use crate::files::table::Table;
use crate::metrics::Monitor;
use crate::open::listing::{Files, check_notes, look_at};
use crate::open::replay::replay;
use crate::state::arrangement::Arrangement;
use crate::state::beginning::{self, Begun, Home};
use crate::state::durable::Durable;
use crate::state::labels::Labels;
use crate::state::live::{Found, Keeper, Manifest, State};
use crate::state::manifest::{self, Loaded};
use crate::state::memtable::Memtable;
use crate::state::room;
use crate::state::visible::Visible;
use crate::sync::Shared;
use crate::types::error::{Error, Result};
use crate::types::options::Options;
use crate::world::World;
use crate::world::disk::{Disk, FileLock};
use crate::write::commit::{Committer, Log};

/// A store that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) committer: Committer,
    pub(crate) lock: Option<Box<dyn FileLock>>,
}

/// Opens or makes a store.
pub(crate) fn open(dir: &Path, mut options: Options) -> Result<Opened> {
    let read_only = options.read_only;
    let _span =
        tracing::info_span!(target: "asofdb", "open", dir = %dir.display(), read_only).entered();
    // Who works elsewhere later goes on writing to this store.
    let absolute = options.world.disk.absolute(dir);
    let dir = &absolute.map_err(|source| Error::io("find", dir, source))?;
    options.memtable_bytes = room::memtable_bytes(&options);
    let monitor = Arc::new(Monitor::new(options.listener.clone()));
    options.world.disk = Metered::of(&options.world, &monitor);
    monitor.watched(open_any(dir, options, &monitor))
}

fn open_any(dir: &Path, options: Options, monitor: &Arc<Monitor>) -> Result<Opened> {
    if !options.read_only {
        return open_to_write(dir, options, monitor);
    }
    // A writer beside us may take files away while we open them; then its manifest is another one
    // or a longer one, and what we missed is no damage.
    let disk = Arc::clone(&options.world.disk);
    loop {
        let before = picture_of(&*disk, dir);
        let opened = open_to_read(dir, options.clone(), monitor);
        let moved_on = picture_of(&*disk, dir) != before;
        match opened {
            Err(Error::Corruption { .. } | Error::Io { .. }) if moved_on => {}
            opened => return opened,
        }
    }
}

/// What CURRENT says, and how long the manifest is that it names.
fn picture_of(disk: &dyn Disk, dir: &Path) -> Option<(Vec<u8>, u64)> {
    let current = read_whole(disk, &names::current(dir)).ok()?;
    let number = Header::decode(&current).ok()?.number;
    let manifest = disk.open(&names::numbered(dir, FileKind::Manifest, number)).ok()?;
    Some((current, manifest.len().ok()?))
}

fn open_to_read(dir: &Path, options: Options, monitor: &Arc<Monitor>) -> Result<Opened> {
    let found = look_at(&*options.world.disk, dir)?;
    let disk = Arc::clone(&options.world.disk);
    if !found.has_current {
        return Err(found.without_current(&*disk, dir));
    }
    let loaded = manifest::load(&*disk, dir)?;
    let recovered = recover(&options.world, dir, &found, &loaded, false)?;
    let active = Memtable::new(FileNumber(0), 1 << 14);
    let state = state_of(dir, &options, loaded.store, &recovered, active, monitor)?;
    let last = recovered.durable.newest;
    let durable = recovered.durable;
    let manifest = Manifest::None;
    let keeper = Arc::new(Keeper::new(dir, loaded.store, options, state, durable, manifest));
    let committer = Committer::new(Arc::clone(&keeper), Log::None, last, last);
    Ok(Opened { keeper, committer, lock: None })
}

fn is_in_the_way(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AlreadyExists, NotADirectory};
    matches!(error.kind(), AlreadyExists | NotADirectory)
}

fn open_to_write(dir: &Path, options: Options, monitor: &Arc<Monitor>) -> Result<Opened> {
    let disk = Arc::clone(&options.world.disk);
    let mut found = look_at(&*disk, dir);
    if matches!(&found, Err(Error::NotAStore { .. })) && options.create {
        match disk.create_dir_all(dir) {
            Ok(()) => found = look_at(&*disk, dir),
            // There is a file in its place.
            Err(error) if is_in_the_way(&error) => {}
            Err(source) => return Err(Error::io("create", dir, source)),
        }
    }
    let found = found?;
    if !found.has_current && (!options.create || !found.strangers.is_empty()) {
        return Err(found.without_current(&*disk, dir));
    }
    let lock_path = names::lock(dir);
    let lock = disk.lock(&lock_path).map_err(|source| Error::io("lock", &lock_path, source))?;
    let Some(lock) = lock else { return Err(Error::Locked { dir: dir.to_path_buf() }) };
    // Only now does nobody else change what we look at.
    let found = look_at(&*disk, dir)?;
    let (store, mut recovered, loaded) = if found.has_current {
        let loaded = manifest::load(&*disk, dir)?;
        let recovered = recover(&options.world, dir, &found, &loaded, true)?;
        (loaded.store, recovered, Some(loaded))
    } else {
        found.check_unborn(&*disk, dir)?;
        sync_parents(&*disk, dir)?;
        let (store, key) = identity(&options)?;
        (store, Recovered::nothing(Durable::new(key)), None)
    };
    // Then the manifest that was found stays until there is something to write.
    let whole = loaded.as_ref().filter(|loaded| found.is_as_closed(loaded)).map(|one| one.number);
    let last = settle(&mut recovered);
    let durable = &mut recovered.durable;
    durable.next_file = durable.next_file.max(FileNumber(found.greatest.0 + 1));
    let active = Memtable::new(durable.draw(), options.memtable_bytes);
    let (log, manifest) = if let Some(number) = whole {
        let copied = std::mem::take(&mut recovered.copied);
        for one in &copied {
            replay(&*options.world.scheduler, &active, &one.file, durable)?;
        }
        let copied = copied.into_iter().map(|one| one.file).collect();
        (Log::ToBegin, Manifest::Found(Found { manifest: number, copied }))
    } else {
        let all = &recovered.copied;
        let copied: Vec<_> = all.iter().map(|one| one.file.header.number).collect();
        let home = Home { disk: &*disk, dir, store, clock: &options.world.clock };
        let Begun { log, manifest } =
            beginning::begin(home, active.log, &copied, durable, |log, durable| {
                copy_logs(&options.world, all, log, &active, durable)
            })?;
        let durable = &recovered.durable;
        let keep = |kind, number| match kind {
            FileKind::Table => durable.tables.contains_key(&number),
            FileKind::Log => durable.logs.contains_key(&number),
            _ => number == manifest.number(),
        };
        found.remove_left_over(&*disk, dir, loaded.map(|loaded| loaded.number), keep);
        (Log::Begun(Arc::new(log)), Manifest::Begun(Box::new(manifest)))
    };
    let state = state_of(dir, &options, store, &recovered, active, monitor)?;
    let ceiling = recovered.durable.ceiling;
    let durable = recovered.durable;
    let keeper = Arc::new(Keeper::new(dir, store, options, state, durable, manifest));
    let committer = Committer::new(Arc::clone(&keeper), log, last, ceiling);
    Ok(Opened { keeper, committer, lock: Some(lock) })
}

/// Makes the name of a new store's directory durable, and those of its parents: whoever made them
/// may not have done so.
fn sync_parents(disk: &dyn Disk, dir: &Path) -> Result<()> {
    for parent in dir.ancestors().skip(1) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match disk.sync_dir(parent) {
            // Who may not open a directory has not made it either.
            Err(source) if source.kind() == std::io::ErrorKind::PermissionDenied => break,
            synced => synced.map_err(|source| Error::io("sync", parent, source))?,
        }
    }
    Ok(())
}

/// The id and the secret of a new store.
fn identity(options: &Options) -> Result<(StoreId, EraseKey)> {
    let mut random = [0u8; 32];
    match options.identity {
        Some(given) => random = given,
        None => getrandom::fill(&mut random).map_err(|error| {
            Error::io("read", Path::new("the system's random numbers"), error.into())
        })?,
    }
    let (store, key) = random.split_at(16);
    let half = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).unwrap_or_default();
    Ok((StoreId(half(store)), EraseKey(half(key))))
}

/// What the manifest and the logs tell.
struct Recovered {
    durable: Durable,
    /// Of the logs that stay, oldest first.
    memtables: Vec<Arc<Memtable>>,
    /// Logs whose batches go to the new log, oldest first.
    copied: Vec<Copied>,
}

/// A log whose batches go to another one.
struct Copied {
    file: FrameFile,
    /// Where it is to be cut first, if it is not sealed.
    torn_at: Option<u64>,
}

impl Recovered {
    const fn nothing(durable: Durable) -> Self {
        Self { durable, memtables: Vec::new(), copied: Vec::new() }
    }
}

/// Sealed logs that are together no longer than this are copied into the new one, so that many
/// short openings do not leave many logs.
const COPIED_LEN: u64 = 256 << 10;

/// Reads the logs and replays those that stay. The log that took batches last does not stay, if
/// the store is opened to write: a sync of it may once have failed, and what is read of it now may
/// never have reached the disk.
fn recover(
    world: &World,
    dir: &Path,
    found: &Files,
    loaded: &Loaded,
    to_write: bool,
) -> Result<Recovered> {
    let disk = &*world.disk;
    let mut newest_log = found.check_manifest(disk, dir, loaded)?;
    let mut durable = loaded.durable.clone();
    let logs: Vec<(FileNumber, Option<u64>)> =
        durable.logs.iter().map(|(number, sealed)| (*number, *sealed)).collect();
    let sealed_len: u64 = logs.iter().filter_map(|(_, sealed)| *sealed).sum();
    let mut newest = durable.newest;
    let mut last = None;
    let mut recovered = Recovered::nothing(Durable::new(EraseKey([0; 16])));
    for (number, sealed) in logs {
        let file = match newest_log.take_if(|newest| newest.header.number == number) {
            Some(newest) => newest,
            None => FrameFile::read(disk, dir, FileKind::Log, number, loaded.store)?,
        };
        let torn_at = if let Some(len) = sealed {
            file.check_sealed(len)?;
            None
        } else {
            let end = file.check_torn()?;
            if durable.log_synced.is_some_and(|(log, len)| log == number && end < len) {
                return Err(file.rot(end));
            }
            let ceilings = file.frames().map(|frame| frame.head.ceiling);
            durable.ceiling = ceilings.fold(durable.ceiling, Ord::max);
            Some(end)
        };
        check_notes(dir, &file, loaded)?;
        check_heads(&file, &mut last)?;
        newest = file.frames().map(|frame| frame.head.commit).fold(newest, Ord::max);
        if to_write && (sealed.is_none() || sealed_len <= COPIED_LEN) {
            recovered.copied.push(Copied { file, torn_at });
            continue;
        }
        let bytes: usize = file.frames().map(|frame| frame.payload.len()).sum();
        let memtable = Memtable::new(number, bytes * 4);
        replay(&*world.scheduler, &memtable, &file, &mut durable)?;
        recovered.memtables.push(Arc::new(memtable));
    }
    durable.newest = newest;
    found.check_logs(disk, dir, loaded, &durable)?;
    recovered.durable = durable;
    Ok(recovered)
}

/// Commits rise from batch to batch and from log to log, and no head tells what was not so when its
/// frame was written.
fn check_heads(file: &FrameFile, last: &mut Option<Commit>) -> Result<()> {
    for frame in file.frames() {
        let strange =
            |what: &str| Error::corrupt(&file.path, frame.start, format!("expected {what}"));
        if frame.head.synced > frame.start {
            return Err(strange("a synced mark before the frame"));
        }
        if frame.head.kind != FrameKind::Batch {
            continue;
        }
        let commit = frame.head.commit;
        if commit > frame.head.ceiling {
            return Err(strange("a ceiling not below the commit"));
        }
        if last.is_some_and(|last| commit <= last) {
            return Err(strange("a commit above those of all earlier batches"));
        }
        *last = Some(commit);
    }
    Ok(())
}

/// Writes the batches of logs into a new one, and puts them into its memtable meanwhile; they are
/// durable when it returns.
fn copy_logs(
    world: &World,
    copied: &[Copied],
    log: &FrameWriter,
    memtable: &Memtable,
    durable: &mut Durable,
) -> Result<()> {
    let scheduler = &*world.scheduler;
    let (mut replayed, mut written) = (Ok(()), Ok(()));
    scheduler.run_all(vec![
        Box::new(|| {
            let mut all = copied.iter();
            replayed = all.try_for_each(|one| replay(scheduler, memtable, &one.file, durable));
        }),
        Box::new(|| written = write_copies(&*world.disk, copied, log)),
    ]);
    replayed.and(written)
}

fn write_copies(disk: &dyn Disk, copied: &[Copied], log: &FrameWriter) -> Result<()> {
    for Copied { file, torn_at } in copied {
        if let Some(end) = *torn_at {
            // What a killed process left may be in the page cache alone: it becomes durable here
            // first, so that the copy never knows more than the original.
            disk.truncate(&file.path, end)
                .map_err(|source| Error::io("truncate", &file.path, source))?;
        }
        // What it tells of the manifest has been heard: there will be another one.
        log.append_batches(file)?;
    }
    log.sync().map(drop)
}

/// Ends what the last process left open; the commit that the next one must be above.
fn settle(recovered: &mut Recovered) -> Commit {
    let durable = &mut recovered.durable;
    durable.lost.extend(durable.untold_loss());
    // Logs that hold nothing need no flush.
    recovered.memtables.retain(|memtable| {
        let is_empty = memtable.revisions() == 0 && memtable.aside().marks.is_empty();
        if is_empty {
            durable.logs.remove(&memtable.log);
        }
        !is_empty
    });
    durable.newest.max(durable.ceiling)
}

fn state_of(
    dir: &Path,
    options: &Options,
    store: StoreId,
    recovered: &Recovered,
    active: Memtable,
    monitor: &Arc<Monitor>,
) -> Result<State> {
    let durable = &recovered.durable;
    let disk = &options.world.disk;
    let blocks = Arc::new(Blocks::new(options.block_cache_bytes));
    let mut tables = Vec::with_capacity(durable.tables.len());
    for entry in durable.tables.values() {
        let table = Table::open(disk, dir, store, entry, options.read_mode, &blocks)?;
        tables.push(Shared::new(table));
    }
    let tables = Arrangement::of(tables);
    if let Some(table) = tables.overlapping() {
        return Err(Error::corrupt(table.path(), 0, "it overlaps another table of the run"));
    }
    let mut marks = durable.marks.clone();
    for memtable in &recovered.memtables {
        marks.extend(memtable.aside().marks.clone());
    }
    marks.extend(active.aside().marks.clone());
    let mut memtables = vec![Arc::new(active)];
    memtables.extend(recovered.memtables.iter().rev().cloned());
    Ok(State {
        visible: Arc::new(Visible::new(durable.newest)),
        memtables,
        tables: Arc::new(tables),
        catalog: Arc::new(durable.catalog.clone()),
        taken: Arc::new(durable.taken.clone()),
        sources: Arc::new(Labels::of(&durable.sources)),
        lost: durable.lost.clone().into(),
        marks: Arc::new(marks),
        monitor: Arc::clone(monitor),
        blocks,
        tally: Arc::default(),
    })
}
