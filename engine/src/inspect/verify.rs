//! Reads a whole store and holds every file against what the others say of it.
//!
//! The manifest is read first. If it is whole, the files that it names are held against it;
//! if not, it may be an old picture, and every log and table that is there is verified for itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::{Commit, FileNumber, SourceId};
use asofdb_format::revision::Payload;
use asofdb_format::value::{Kind, ValueType};

use super::FileKind;
use super::picture::{Faults, FrameBytes, Listing, Picture, file_len};
use super::verify_log::{LogSummary, verify_log};
use super::verify_table::verify_table;
use super::{Stray, Verified, VerifiedFile};
use crate::files::log::{lost_end, manifest_synced, not_named, old_manifest};
use crate::files::names;
use crate::types::error::{Error, Result};
use crate::world::disk::Disk;

/// A writer beside us changes the picture: what then looks damaged is looked at again.
pub(super) const MAX_TRIES: usize = 5;

/// A numbered file.
type Key = (FileKind, FileNumber);

pub(super) fn verify(
    dir: &Path,
    disk: &dyn Disk,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verified> {
    let mut sound: Sound = BTreeMap::new();
    let mut tries = 0;
    loop {
        let listing = Listing::of(disk, dir)?;
        let picture = Picture::read(disk, dir, &listing);
        let mut round = Round { disk, dir, picture: &picture, done: 0, in_all: 0, progress };
        let mut files = round.files(&listing, &mut sound);
        check_order(&mut files);
        let is_sound = |done: &Done| done.file.faults.is_empty();
        tries += 1;
        if let Some(now) = changed(disk, dir, &picture) {
            // What the writer has taken away meanwhile was not damaged.
            files.retain(|((kind, number), done)| is_sound(done) || now.names(*kind, *number));
            let damaged = !picture.is_whole() || !files.iter().all(|(_, done)| is_sound(done));
            if damaged && tries < MAX_TRIES {
                // A log that is still written is read again, with the newer picture.
                let keep = files.into_iter().filter(|(_, done)| is_sound(done) && done.settled);
                sound =
                    keep.map(|((kind, number), done)| ((kind.letter(), number), done)).collect();
                continue;
            }
        }
        return Ok(report(disk, dir, &listing, picture, files));
    }
}

/// Files that were verified already and never change.
type Sound = BTreeMap<(u8, FileNumber), Done>;

/// A file that was verified, and what others are held against.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) file: VerifiedFile,
    pub(super) log: Option<LogSummary>,
    /// The least and the greatest hash of a table of the run.
    pub(super) run: Option<(Option<u64>, EntityHash, EntityHash)>,
    /// Whether the file never changes any more.
    pub(super) settled: bool,
}

impl Done {
    pub(super) fn new(kind: FileKind, path: PathBuf, bytes: u64) -> Self {
        let file = VerifiedFile {
            path,
            kind,
            bytes,
            records: 0,
            entities: 0,
            torn: None,
            faults: Vec::new(),
            more_faults: 0,
        };
        Self { file, log: None, run: None, settled: true }
    }

    pub(super) fn with(mut self, faults: Faults) -> Self {
        self.file.faults = faults.list;
        self.file.more_faults = faults.more;
        self
    }
}

/// One reading of all files.
struct Round<'r> {
    disk: &'r dyn Disk,
    dir: &'r Path,
    picture: &'r Picture,
    done: u64,
    in_all: u64,
    progress: &'r mut dyn FnMut(u64, u64),
}

impl Round<'_> {
    fn files(&mut self, listing: &Listing, sound: &mut Sound) -> Vec<(Key, Done)> {
        let durable = &self.picture.durable;
        let keys: Vec<Key> = if self.picture.is_whole() {
            let logs = durable.logs.keys().map(|number| (FileKind::Log, *number));
            let tables = durable.tables.keys().map(|number| (FileKind::Table, *number));
            logs.chain(tables).collect()
        } else {
            let there = |kind| listing.of_kind(kind).map(move |number| (kind, number));
            there(FileKind::Log).chain(there(FileKind::Table)).collect()
        };
        let lens: Vec<(Key, PathBuf, u64)> = keys
            .into_iter()
            .map(|(kind, number)| {
                let path = names::numbered(self.dir, kind, number);
                let len = file_len(self.disk, &path);
                ((kind, number), path, len)
            })
            .collect();
        self.done = file_len(self.disk, &names::current(self.dir))
            + self.picture.manifest.as_ref().map_or(0, |manifest| manifest.len);
        self.in_all = self.done + lens.iter().map(|(.., len)| len).sum::<u64>();
        (self.progress)(self.done, self.in_all);
        let mut sources = self.picture.durable.sources.iter().map(named_source).collect();
        let mut files = Vec::with_capacity(lens.len());
        for ((kind, number), path, len) in lens {
            let done = match sound.remove(&(kind.letter(), number)) {
                Some(done) => done,
                None => self.one((kind, number), path, len, &sources),
            };
            for (id, label) in done.log.iter().flat_map(|log| &log.sources) {
                sources.entry(*id).or_insert_with(|| label.clone());
            }
            self.done += len;
            (self.progress)(self.done, self.in_all);
            files.push(((kind, number), done));
        }
        files
    }

    fn one(
        &mut self,
        (kind, number): Key,
        path: PathBuf,
        len: u64,
        sources: &BTreeMap<SourceId, String>,
    ) -> Done {
        let picture = self.picture;
        let against = picture.is_whole().then_some(picture);
        if kind == FileKind::Log {
            return verify_log(self.disk, path, number, picture, against, sources);
        }
        let (before, in_all) = (self.done, self.in_all);
        let progress = &mut *self.progress;
        let mut step = |done: u64| progress(before + done.min(len), in_all);
        verify_table(self.disk, path, number, picture, against, sources, &mut step)
    }
}

fn named_source((id, label): (&SourceId, &std::sync::Arc<str>)) -> (SourceId, String) {
    (*id, label.to_string())
}

/// Commits ascend from log to log, and no two tables of the run share a hash.
fn check_order(files: &mut [(Key, Done)]) {
    let mut newest: Option<Commit> = None;
    let mut runs: Vec<(Option<u64>, EntityHash, EntityHash, usize)> = Vec::new();
    for (index, (_, done)) in files.iter_mut().enumerate() {
        if let Some((first, last)) = done.log.as_ref().and_then(|log| log.commits) {
            if newest.is_some_and(|newest| first <= newest) {
                let what = "expected commits above those of the logs before this one";
                done.file.faults.push(Error::corrupt(&done.file.path, 0, what));
            }
            newest = newest.max(Some(last));
        }
        runs.extend(done.run.map(|(run, least, greatest)| (run, least, greatest, index)));
    }
    runs.sort_unstable();
    let mut before: Option<(Option<u64>, EntityHash)> = None;
    for (run, least, greatest, index) in runs {
        if before.is_some_and(|before| (run, least) <= before)
            && let Some((_, done)) = files.get_mut(index)
        {
            let what = "it overlaps another table of the run";
            done.file.faults.push(Error::corrupt(&done.file.path, 0, what));
        }
        before = before.max(Some((run, greatest)));
    }
}

/// The picture now, if it is no longer the one that was read.
pub(super) fn changed(disk: &dyn Disk, dir: &Path, picture: &Picture) -> Option<Picture> {
    let now = Picture::read(disk, dir, &Listing::of(disk, dir).ok()?);
    let stand = |picture: &Picture| {
        picture.manifest.as_ref().map(|manifest| (manifest.number, manifest.len))
    };
    (stand(&now) != stand(picture)).then_some(now)
}

/// What tells that CURRENT or the manifest is an old copy, or that the manifest lost its end: a log
/// that holds newer batches than all that are named, or that tells of a newer manifest or of more
/// of it; a file that is missing while there are newer ones.
fn old_copy(
    disk: &dyn Disk,
    dir: &Path,
    listing: &Listing,
    picture: &Picture,
    files: &[(Key, Done)],
) -> Option<Error> {
    let manifest = picture.manifest.as_ref().filter(|manifest| manifest.whole)?;
    let durable = &picture.durable;
    let stand = (manifest.number, manifest.end());
    let commits = files.iter().filter_map(|(_, done)| done.log.as_ref()?.commits);
    let newest = commits.map(|(_, last)| last).fold(durable.newest, Ord::max);
    let named = files.iter().filter_map(|((_, number), done)| {
        let told = done.log.as_ref()?.manifest?;
        let path = names::numbered(dir, FileKind::Log, *number);
        old_manifest(dir, &path, told, stand).err()
    });
    let unnamed = listing.of_kind(FileKind::Log).filter(|n| !durable.logs.contains_key(n));
    let unnamed = unnamed.filter_map(|number| {
        let path = names::numbered(dir, FileKind::Log, number);
        let log = FrameBytes::read(disk, &path, FileKind::Log).ok()?;
        log.belongs(picture.store, number).ok()?;
        let (frames, _) = log.frames();
        let told = frames.iter().filter_map(|frame| manifest_synced(&path, frame).ok().flatten());
        let told = told.max().and_then(|told| old_manifest(dir, &path, told, stand).err());
        // Older batches are those of a log that was flushed, or that an open was copying.
        let newer = frames.iter().any(|frame| frame.head.commit > newest);
        told.or_else(|| newer.then(|| not_named(dir, &path)))
    });
    let is_old =
        || manifest.torn.is_some() || listing.numbered.iter().any(|file| durable.is_newer(*file));
    let missing = || {
        let path = &files.iter().find(|(_, done)| done.file.bytes == 0)?.1.file.path;
        is_old().then(|| lost_end(dir, manifest.number, manifest.end(), path))
    };
    let found = named.chain(unnamed).next().or_else(missing)?;
    // A writer beside us may have written all that since the manifest was read.
    changed(disk, dir, picture).is_none().then_some(found)
}

/// Whether a value is of a type, and a record of another kind has none.
pub(super) fn fits(kind: Kind, payload: &Payload, value_type: ValueType) -> bool {
    match kind {
        Kind::Value => payload.to_value(value_type).is_some(),
        Kind::Null | Kind::Deleted | Kind::Stub => *payload == Payload::None,
    }
}

fn report(
    disk: &dyn Disk,
    dir: &Path,
    listing: &Listing,
    picture: Picture,
    files: Vec<(Key, Done)>,
) -> Verified {
    let path = names::current(dir);
    let bytes = file_len(disk, &path);
    let mut current = picture.current.clone();
    let mut of_manifest = None;
    match old_copy(disk, dir, listing, &picture, &files) {
        Some(Error::Corruption { file, offset, what }) if file != path => {
            of_manifest = Some(Error::Corruption { file, offset, what });
        }
        Some(fault) => current.push(fault),
        None => {}
    }
    let mut all = vec![Done::new(FileKind::Current, path, bytes).with(current).file];
    if let Some(mut manifest) = picture.manifest {
        of_manifest.into_iter().for_each(|fault| manifest.faults.push(fault));
        let done = Done::new(FileKind::Manifest, manifest.path, manifest.len);
        let mut file = done.with(manifest.faults).file;
        file.records = manifest.edits;
        file.torn = manifest.torn;
        all.push(file);
    }
    let mut verified =
        Verified { features: picture.durable.catalog.len() as u64, ..Verified::default() };
    for (_, done) in files {
        verified.records += done.file.records;
        verified.entities += done.file.entities;
        all.push(done.file);
    }
    verified.bytes = all.iter().map(|file| file.bytes).sum();
    let numbered =
        listing.numbered.iter().map(|(kind, number)| names::numbered(dir, *kind, *number));
    let others = listing.others.iter().map(|name| dir.join(name));
    let strays = numbered.chain(others).filter(|path| all.iter().all(|file| file.path != *path));
    // A writer beside us may have taken one away.
    let bytes_of = |path: &Path| disk.open(path).and_then(|file| file.len()).ok();
    verified.strays =
        strays.filter_map(|path| Some(Stray { bytes: bytes_of(&path)?, path })).collect();
    verified.strays.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    verified.files = all;
    verified
}
