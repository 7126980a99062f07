//! Opening a store: what a crash left is put in order, or refused by name.
//!
//! The manifest tells which tables and logs there are. Tables must be there whole. A sealed log
//! must be there whole; the newest log may end torn, behind its last synced mark, and what is whole
//! of it is copied into a new log. What is found and not named was being made when the process
//! stopped, and is removed, except a log that holds batches which the manifest's logs do not, or
//! that tells of more of the manifest than there is: then it is the manifest that is too old.

mod listing;

use std::path::Path;
use std::sync::Arc;

use asofdb_format::batch::BatchReader;
use asofdb_format::edit::Edit;
use asofdb_format::frame::{Frame, FrameKind};
use asofdb_format::hash::EraseKey;
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{Commit, FileNumber, SourceId, StoreId};
use asofdb_format::wire::wide;

use crate::files::log::{FrameFile, FrameWriter, read_whole};
use crate::files::metered::Metered;
use crate::files::names;
use crate::files::table::Table;
use crate::metrics::Monitor;
use crate::open::listing::{Files, check_notes, look_at};
use crate::state::arrangement::Arrangement;
use crate::state::durable::Durable;
use crate::state::live::{Keeper, State};
use crate::state::manifest::{self, Loaded};
use crate::state::memtable::Memtable;
use crate::state::visible::Visible;
use crate::sync::Shared;
use crate::types::error::{Error, Result};
use crate::types::options::Options;
use crate::world::disk::{Disk, FileLock};
use crate::write::commit::{Committer, Standing, apply, tell};

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
    let recovered = recover(&*disk, dir, &found, &loaded, false)?;
    let active = Memtable::new(FileNumber(0), 1 << 14);
    let state = state_of(dir, &options, loaded.store, &recovered, active, monitor)?;
    let last = recovered.durable.newest;
    let durable = recovered.durable;
    let keeper = Arc::new(Keeper::new(dir, loaded.store, options, state, durable, None));
    let committer = Committer::new(Arc::clone(&keeper), None, last, last);
    Ok(Opened { keeper, committer, lock: None })
}

fn open_to_write(dir: &Path, options: Options, monitor: &Arc<Monitor>) -> Result<Opened> {
    let disk = Arc::clone(&options.world.disk);
    let mut found = look_at(&*disk, dir);
    if matches!(&found, Err(Error::NotAStore { .. })) && options.create {
        disk.create_dir_all(dir).map_err(|source| Error::io("create", dir, source))?;
        found = look_at(&*disk, dir);
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
    let (store, mut recovered, old_manifest) = if found.has_current {
        let loaded = manifest::load(&*disk, dir)?;
        let recovered = recover(&*disk, dir, &found, &loaded, true)?;
        (loaded.store, recovered, Some(loaded.number))
    } else {
        found.check_unborn(&*disk, dir)?;
        sync_parents(&*disk, dir)?;
        let (store, key) = identity(&options)?;
        (store, Recovered::nothing(Durable::new(key)), None)
    };
    let last = settle(&mut recovered);
    let durable = &mut recovered.durable;
    durable.next_file = durable.next_file.max(FileNumber(found.greatest.0 + 1));
    let mut next = || {
        let number = durable.next_file;
        durable.next_file = FileNumber(number.0 + 1);
        number
    };
    let (log_number, manifest_number) = (next(), next());
    let made = options.world.clock.now().0;
    let log_header = Header::new(FileKind::Log, store, log_number, made);
    let log = FrameWriter::create(&*disk, dir, &log_header)?;
    let log = log.shared(Arc::clone(&options.world.clock));
    let active = Memtable::new(log_number, options.memtable_bytes);
    copy_logs(&recovered.copied, &log, &active, durable)?;
    durable.logs.insert(log_number, None);
    if !recovered.copied.is_empty() {
        // Nothing else vouches for what was copied: the note behind it is not durable yet.
        durable.log_synced = Some((log_number, log.durable()));
    }
    let writer = manifest::create(&*disk, dir, store, manifest_number, made, durable)?;
    let keep = |kind, number| match kind {
        FileKind::Table => recovered.durable.tables.contains_key(&number),
        FileKind::Log => recovered.durable.logs.contains_key(&number),
        _ => number == manifest_number,
    };
    let told = Edit::ManifestSynced(manifest_number, writer.durable());
    tell(&log, recovered.durable.newest, recovered.durable.ceiling, &told)?;
    found.remove_left_over(&*disk, dir, old_manifest, keep);
    let state = state_of(dir, &options, store, &recovered, active, monitor)?;
    let ceiling = recovered.durable.ceiling;
    let durable = recovered.durable;
    let keeper = Arc::new(Keeper::new(dir, store, options, state, durable, Some(writer)));
    let committer = Committer::new(Arc::clone(&keeper), Some(log), last, ceiling);
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
    copied: Vec<FrameFile>,
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
    disk: &dyn Disk,
    dir: &Path,
    found: &Files,
    loaded: &Loaded,
    to_write: bool,
) -> Result<Recovered> {
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
        let frames = match sealed {
            Some(len) => file.sealed_frames(len)?,
            None => {
                let (frames, end) = file.whole_frames()?;
                if durable.log_synced.is_some_and(|(log, len)| log == number && end < len) {
                    return Err(file.rot(end));
                }
                if to_write {
                    // What a killed process left may be in the page cache alone: it becomes
                    // durable here first, so that the copy never knows more than the original.
                    disk.truncate(&file.path, end)
                        .map_err(|source| Error::io("truncate", &file.path, source))?;
                }
                let ceilings = frames.iter().map(|frame| frame.head.ceiling);
                durable.ceiling = ceilings.fold(durable.ceiling, Ord::max);
                frames
            }
        };
        check_notes(dir, &file, &frames, loaded)?;
        check_heads(&file, &frames, &mut last)?;
        newest = frames.iter().map(|frame| frame.head.commit).fold(newest, Ord::max);
        if to_write && (sealed.is_none() || sealed_len <= COPIED_LEN) {
            durable.logs.remove(&number);
            recovered.copied.push(file);
            continue;
        }
        let bytes: usize = frames.iter().map(|frame| frame.payload.len()).sum();
        let memtable = Memtable::new(number, bytes * 4);
        replay_all(&memtable, &frames, &file, &mut durable)?;
        recovered.memtables.push(Arc::new(memtable));
    }
    durable.newest = newest;
    found.check_logs(disk, dir, loaded, &durable)?;
    recovered.durable = durable;
    Ok(recovered)
}

/// Commits rise from batch to batch and from log to log, and no head tells what was not so when its
/// frame was written.
fn check_heads(file: &FrameFile, frames: &[Frame<'_>], last: &mut Option<Commit>) -> Result<()> {
    for frame in frames {
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

/// Writes the batches of logs into a new one and its memtable; they are durable when it returns.
fn copy_logs(
    copied: &[FrameFile],
    log: &FrameWriter,
    memtable: &Memtable,
    durable: &mut Durable,
) -> Result<()> {
    for file in copied {
        let (frames, _) = file.frames();
        replay_all(memtable, &frames, file, durable)?;
        // What it tells of the manifest has been heard: there will be another one.
        for frame in frames.iter().filter(|frame| frame.head.kind == FrameKind::Batch) {
            log.append(frame.head.kind, frame.head.commit, frame.head.ceiling, &[frame.payload])?;
        }
    }
    log.sync()?;
    Ok(())
}

fn replay_all(
    memtable: &Memtable,
    frames: &[Frame<'_>],
    file: &FrameFile,
    durable: &mut Durable,
) -> Result<()> {
    for frame in frames.iter().filter(|frame| frame.head.kind == FrameKind::Batch) {
        replay(memtable, frame, file, durable)?;
    }
    durable.commits.add_all(&memtable.aside().commits);
    Ok(())
}

fn replay(
    memtable: &Memtable,
    frame: &Frame<'_>,
    file: &FrameFile,
    durable: &mut Durable,
) -> Result<()> {
    let base = frame.end - wide(frame.payload.len());
    let corrupt = |at: u64, what: &str| Error::corrupt(&file.path, at, format!("expected {what}"));
    let malformed = |fault: asofdb_format::Malformed| corrupt(base + fault.at, fault.what);
    let mut reader = BatchReader::decode(frame.payload).map_err(malformed)?;
    let commit = frame.head.commit;
    let mut source = SourceId::NONE;
    if let Some((id, label)) = &reader.head.source {
        source = *id;
        let known = durable.sources.entry(source).or_insert_with(|| Arc::from(label.as_str()));
        if **known != *label.as_str() || label.is_empty() {
            return Err(corrupt(base, "the label that its source has"));
        }
    }
    let standing = Standing {
        marks: !durable.taken.is_reverted(commit, source, Commit::MAX),
        touches: durable.taken.newest_revert_of(source).is_none_or(|revert| revert <= commit),
    };
    let catalog = &durable.catalog;
    apply(memtable, commit, &mut reader, standing, catalog, |entry| catalog.check(entry, commit))
        .map_err(malformed)?;
    Ok(())
}

/// Ends what the last process left open; the commit that the next one must be above.
fn settle(recovered: &mut Recovered) -> Commit {
    let durable = &mut recovered.durable;
    if durable.newest < durable.ceiling {
        let lost = (Commit(durable.newest.0.saturating_add(1)), durable.ceiling);
        // The same loss is not written down again by every open that follows it.
        if !durable.lost.iter().any(|span| span.0 <= lost.0 && lost.1 <= span.1) {
            durable.lost.push(lost);
        }
    }
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
    let mut tables = Vec::with_capacity(durable.tables.len());
    for entry in durable.tables.values() {
        tables.push(Shared::new(Table::open(disk, dir, store, entry, options.read_mode)?));
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
        sources: Arc::new(durable.sources.clone()),
        lost: durable.lost.clone().into(),
        marks: Arc::new(marks),
        monitor: Arc::clone(monitor),
        tally: Arc::default(),
    })
}
