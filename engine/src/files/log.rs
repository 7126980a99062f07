//! Files of frames, logs and manifests: written by appending, read whole.
//!
//! An append goes to the operating system at once, so a killed process loses nothing of it; a
//! sync makes it outlive the machine. Syncs are shared: see [`turns`](super::turns).
//!
//! A log that is synced after every few bytes gets room: zeros are written ahead, and a sync need not
//! make the file longer. They read as a torn end, and are cut off before the log is sealed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use asofdb_format::edit::{self, Edit, EditFault};
use asofdb_format::frame::{self, FRAME_HEAD_LEN, FileEnd, Frame, FrameHead, FrameKind, Seed};
use asofdb_format::header::{FileKind, HEADER_LEN, Header, HeaderFault};
use asofdb_format::ids::{Commit, FileNumber, StoreId};
use asofdb_format::wire::{narrow, wide};

use crate::files::names;
use crate::files::turns::{Said, Turn, Turns};
use crate::sync::{Mutex, MutexGuard};
use crate::types::error::{Error, Result};
use crate::world::clock::Clock;
use crate::world::disk::{Disk, FileWriter};

/// Of many frames about so many bytes are appended at once.
const APPENDED_AT_ONCE: usize = 1 << 20;

/// Room is made from so many syncs on, as long as they come after so few bytes each on the average.
const SYNCS_BEFORE_ROOM: u64 = 3;
const FEW_BYTES: u64 = 16 << 10;

/// As much room is made as the file is long already, within these bounds.
const LEAST_ROOM: u64 = 4 << 10;
const MOST_ROOM: u64 = 256 << 10;

/// A file of frames that is being written.
#[derive(Debug)]
pub(crate) struct FrameWriter {
    path: PathBuf,
    number: FileNumber,
    seed: Seed,
    file: Box<dyn FileWriter>,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    written: u64,
    durable: u64,
    /// How far there is room, if some was ever made.
    room_end: Option<u64>,
    /// Whether room may be made: not after the disk had none to give.
    may_have_room: bool,
    syncs: u64,
    turns: Turns,
    failed: Option<Error>,
}

impl Progress {
    /// How much room to make for so many more bytes: 0 for none.
    fn room_for(&self, bytes: u64) -> u64 {
        let end = self.written.saturating_add(bytes);
        if bytes > FEW_BYTES {
            return 0;
        }
        let is_often_synced =
            self.syncs >= SYNCS_BEFORE_ROOM && self.written / self.syncs <= FEW_BYTES;
        if !self.may_have_room || !is_often_synced || self.room_end.is_some_and(|room| end <= room)
        {
            return 0;
        }
        bytes.saturating_add(self.written.clamp(LEAST_ROOM, MOST_ROOM))
    }
}

impl FrameWriter {
    /// Makes a file with its header, which is durable. Its name is not: see
    /// [`FrameWriter::sync_named`].
    pub(crate) fn create(disk: &dyn Disk, dir: &Path, header: &Header) -> Result<Self> {
        let path = names::numbered(dir, header.kind, header.number);
        let file = disk.create(&path).map_err(|source| Error::io("create", &path, source))?;
        file.append(&header.encode()).map_err(|source| Error::io("write", &path, source))?;
        file.sync().map_err(|source| Error::io("sync", &path, source))?;
        let len = wide(HEADER_LEN);
        Ok(Self {
            path,
            number: header.number,
            seed: Seed::of(header.store, header.number),
            file,
            progress: Mutex::new(Progress {
                written: len,
                durable: len,
                room_end: None,
                may_have_room: false,
                syncs: 0,
                turns: Turns::new(None),
                failed: None,
            }),
        })
    }

    /// For many who write beside one another: they wait for others to share a sync with. Room is made
    /// for what they write, which [`FrameWriter::sync_whole`] takes back.
    pub(crate) fn shared(self, clock: Arc<dyn Clock>) -> Self {
        let mut progress = self.progress.lock();
        progress.turns = Turns::new(Some(clock));
        progress.may_have_room = true;
        drop(progress);
        self
    }

    pub(crate) const fn number(&self) -> FileNumber {
        self.number
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How much of it is known to be durable.
    pub(crate) fn durable(&self) -> u64 {
        self.progress.lock().durable
    }

    /// How long the file is, without room.
    pub(crate) fn len(&self) -> u64 {
        self.progress.lock().written
    }

    /// Appends a frame; where it ends. Callers append one at a time.
    pub(crate) fn append(
        &self,
        kind: FrameKind,
        commit: Commit,
        ceiling: Commit,
        parts: &[&[u8]],
    ) -> Result<u64> {
        let (synced, at) = self.place()?;
        let mut bytes = Vec::new();
        let head = FrameHead { kind, commit, synced, ceiling };
        frame::encode(&head, parts, self.seed, at, &mut bytes);
        self.append_bytes(&bytes)
    }

    /// Appends a frame with one edit, as a log has it.
    pub(crate) fn tell(&self, newest: Commit, ceiling: Commit, what: &Edit) -> Result<()> {
        let payload = edit::encode_all(std::slice::from_ref(what));
        self.append(FrameKind::Edit, newest, ceiling, &[&payload]).map(drop)
    }

    /// Appends the batches of another file as they are there, many at once.
    pub(crate) fn append_batches(&self, file: &FrameFile) -> Result<()> {
        let (synced, mut at) = self.place()?;
        let mut bytes = Vec::new();
        for frame in file.frames().filter(|frame| frame.head.kind == FrameKind::Batch) {
            let head = FrameHead { synced, ..frame.head };
            let before = bytes.len();
            frame::encode(&head, &[frame.payload], self.seed, at, &mut bytes);
            at += wide(bytes.len() - before);
            if bytes.len() >= APPENDED_AT_ONCE {
                self.append_bytes(&bytes)?;
                bytes.clear();
            }
        }
        if bytes.is_empty() { Ok(()) } else { self.append_bytes(&bytes).map(drop) }
    }

    /// How much is durable, and where the next frame begins.
    fn place(&self) -> Result<(u64, u64)> {
        let progress = self.progress.lock();
        // Behind half a frame nothing more may stand: a reader would not see it.
        if let Some(failed) = &progress.failed {
            return Err(failed.clone());
        }
        Ok((progress.durable, progress.written))
    }

    /// Appends what was encoded; where it ends.
    fn append_bytes(&self, bytes: &[u8]) -> Result<u64> {
        self.make_room(wide(bytes.len()));
        let appended = self.file.append(bytes);
        let mut progress = self.progress.lock();
        if let Err(source) = appended {
            let failed = Error::io("write", &self.path, source);
            progress.failed = Some(failed.clone());
            return Err(failed);
        }
        progress.written += wide(bytes.len());
        Ok(progress.written)
    }

    /// Makes room for so many bytes and more if that pays. A disk that refuses is not asked again: what
    /// there is no room for makes the file longer.
    fn make_room(&self, bytes: u64) {
        let progress = self.progress.lock();
        let (room, written) = (progress.room_for(bytes), progress.written);
        drop(progress);
        if room == 0 {
            return;
        }
        // What a full disk gave in part others may need more.
        let is_made = self.file.make_room(room).is_ok();
        let is_gone = !is_made && self.file.take_room_back().is_ok();
        let mut progress = self.progress.lock();
        progress.room_end = (!is_gone).then(|| written.saturating_add(room));
        progress.may_have_room = is_made;
    }

    /// Makes the file durable up to a place that was written, as soon as that can be.
    pub(crate) fn sync_to(&self, end: u64) -> Result<()> {
        self.sync_in_turn(end, true)
    }

    /// The same for who holds no lock that keeps others from appending: some may be waited for.
    pub(crate) fn sync_with_others(&self, end: u64) -> Result<()> {
        self.sync_in_turn(end, false)
    }

    fn sync_in_turn(&self, end: u64, presses: bool) -> Result<()> {
        let mut progress = self.progress.lock();
        if let Some(failed) = &progress.failed {
            return Err(failed.clone());
        }
        if progress.durable >= end {
            return Ok(());
        }
        let (place, mut turn) = progress.turns.join(presses);
        loop {
            let limit = match turn {
                Turn::Sync => return self.sync_for_all(progress),
                Turn::Gather(limit) => Some(limit),
                Turn::Wait => None,
            };
            drop(progress);
            let said = place.wait(limit);
            if let Said::Served(result) = said {
                return result;
            }
            progress = self.progress.lock();
            turn = progress.turns.again(&place, matches!(said, Said::Nothing));
        }
    }

    /// Makes a sync and tells all who wait for it how it ended.
    fn sync_for_all<'a>(&'a self, mut progress: MutexGuard<'a, Progress>) -> Result<()> {
        let mut syncing = progress.turns.begin();
        let written = progress.written;
        drop(progress);
        let result = self.file.sync();
        progress = self.progress.lock();
        match result {
            Ok(()) => {
                progress.durable = progress.durable.max(written);
                progress.syncs += 1;
            }
            Err(source) => progress.failed = Some(Error::io("sync", &self.path, source)),
        }
        let result = progress.failed.clone().map_or(Ok(()), Err);
        let next = progress.turns.end(&mut syncing, result.is_err());
        drop(progress);
        if let Some(next) = next {
            next.call();
        }
        syncing.served.iter().for_each(|place| place.serve(result.clone()));
        result
    }

    /// Makes all of the file durable, and its name; how long it is.
    pub(crate) fn sync_named(&self, disk: &dyn Disk, dir: &Path) -> Result<u64> {
        let len = self.sync()?;
        disk.sync_dir(dir).map_err(|source| Error::io("sync", dir, source))?;
        Ok(len)
    }

    /// Makes all of a file durable to which nothing more is appended, and its length: room is taken
    /// back. How long it is.
    pub(crate) fn sync_whole(&self) -> Result<u64> {
        let len = self.sync()?;
        let has_room = self.progress.lock().room_end.is_some_and(|room| room > len);
        if has_room {
            let cut = self.file.take_room_back();
            cut.map_err(|source| Error::io("truncate", &self.path, source))?;
            self.progress.lock().room_end = None;
        }
        Ok(len)
    }

    /// Makes all of the file durable; how long it is.
    pub(crate) fn sync(&self) -> Result<u64> {
        let len = self.len();
        self.sync_to(len)?;
        Ok(len)
    }
}

/// A file of frames as it was found.
#[derive(Debug)]
pub(crate) struct FrameFile {
    pub(crate) path: PathBuf,
    pub(crate) header: Header,
    bytes: Vec<u8>,
    /// Its whole frames.
    frames: Vec<Placed>,
    end: FileEnd,
}

/// A frame that was found whole: it begins where the one before it ends.
#[derive(Debug)]
struct Placed {
    end: u64,
    head: FrameHead,
}

impl FrameFile {
    /// Reads a file whole and checks its header.
    pub(crate) fn read(
        disk: &dyn Disk,
        dir: &Path,
        kind: FileKind,
        number: FileNumber,
        store: StoreId,
    ) -> Result<Self> {
        let path = names::numbered(dir, kind, number);
        let file = settled(|| {
            let bytes = read_whole(disk, &path)?;
            let header = check_header(&path, &bytes, kind)?;
            let seed = Seed::of(header.store, header.number);
            let (frames, end) = frame::decode_all(&bytes, HEADER_LEN, seed);
            let frames =
                frames.into_iter().map(|frame| Placed { end: frame.end, head: frame.head });
            let frames = frames.collect();
            Ok((Self { path: path.clone(), header, bytes, frames, end }, end))
        })?;
        let header = &file.header;
        if header.number != number || header.store != store {
            let what = format!(
                "this is {} {} of store {:?}, not {} of store {store:?}",
                header.kind.as_str(),
                header.number.0,
                header.store,
                number.0,
            );
            return Err(Error::corrupt(&path, 0, what));
        }
        Ok(file)
    }

    /// How long it is.
    pub(crate) const fn len(&self) -> u64 {
        wide(self.bytes.len())
    }

    /// Its whole frames.
    pub(crate) fn frames(&self) -> impl Iterator<Item = Frame<'_>> + Clone {
        let starts = std::iter::once(wide(HEADER_LEN)).chain(self.frames.iter().map(|one| one.end));
        starts.zip(&self.frames).map(|(start, Placed { end, head })| {
            let payload = narrow(start) + FRAME_HEAD_LEN..narrow(*end);
            let payload = self.bytes.get(payload).unwrap_or_default();
            Frame { start, end: *end, head: *head, payload }
        })
    }

    /// Where its frames end, if what follows them, if anything, is a torn end.
    pub(crate) fn check_torn(&self) -> Result<u64> {
        match self.end {
            FileEnd::Whole => Ok(self.len()),
            FileEnd::Torn { at } => Ok(at),
            FileEnd::Rot { at } => Err(self.rot(at)),
        }
    }

    /// Whether all of it is as it was when it was sealed at this length.
    pub(crate) fn check_sealed(&self, len: u64) -> Result<()> {
        let whole = match self.end {
            FileEnd::Whole => self.len(),
            FileEnd::Torn { at } | FileEnd::Rot { at } => at,
        };
        if whole != len || self.len() != len {
            return Err(self.rot(whole.min(len)));
        }
        Ok(())
    }

    pub(crate) fn rot(&self, at: u64) -> Error {
        Error::corrupt(&self.path, at, "there was a whole frame here, and it is not whole any more")
    }
}

/// What a frame of a log without a batch tells: which manifest there was, and how much of it was
/// durable. `None` for a frame with a batch.
pub(crate) fn manifest_synced(path: &Path, frame: &Frame<'_>) -> Result<Option<(FileNumber, u64)>> {
    if frame.head.kind == FrameKind::Batch {
        return Ok(None);
    }
    match edit::decode_all(frame.payload).as_deref() {
        Ok([Edit::ManifestSynced(number, len)]) => Ok(Some((*number, *len))),
        Err(EditFault::Unknown(_)) => Err(Error::newer_part(path)),
        _ => Err(Error::corrupt(path, frame.start, "expected a batch, or what the manifest was")),
    }
}

/// What is wrong if a log tells of a newer manifest, or of more of it, than was found.
pub(crate) fn old_manifest(
    dir: &Path,
    log: &Path,
    (number, len): (FileNumber, u64),
    (found, end): (FileNumber, u64),
) -> Result<()> {
    if number > found {
        let newer = names::numbered(dir, FileKind::Manifest, number);
        let what = format!(
            "{} was written when {} was in use: this is an old copy",
            log.display(),
            newer.display()
        );
        return Err(Error::corrupt(&names::current(dir), 0, what));
    }
    if number == found && len > end {
        let what = format!(
            "it ends here, and {} tells that it was durable up to byte {len}: it is an old copy, \
             or its end is damaged",
            log.display()
        );
        return Err(Error::corrupt(&names::numbered(dir, FileKind::Manifest, found), end, what));
    }
    Ok(())
}

/// What is wrong if a log that no manifest names holds batches that are newer than all others.
pub(crate) fn not_named(dir: &Path, log: &Path) -> Error {
    let what = format!(
        "the manifest does not name {}, which holds newer batches: it is an old copy",
        log.display()
    );
    Error::corrupt(&names::current(dir), 0, what)
}

/// What is wrong if a manifest names a file that is missing, and had gone on behind its end.
pub(crate) fn lost_end(dir: &Path, manifest: FileNumber, end: u64, missing: &Path) -> Error {
    let what = format!(
        "it ends here and names {}, which is missing, while newer files are there: it is an old \
         copy, or its end is damaged",
        missing.display()
    );
    Error::corrupt(&names::numbered(dir, FileKind::Manifest, manifest), end, what)
}

/// A file that is damaged is read at most so often.
const MOST_READINGS: u32 = 8;

/// What a reading finds of a file of frames that somebody may be writing.
///
/// A reading goes from front to back and takes time. Where it found room a frame may be written
/// before it comes to a later one, whose mark says that the room had been a frame: that is no damage.
/// Whoever reads again reads it whole. So a place is believed to be damaged only if two readings one
/// after the other find it so.
pub(crate) fn settled<T>(mut read: impl FnMut() -> Result<(T, FileEnd)>) -> Result<T> {
    let mut before = None;
    for _ in 1..MOST_READINGS {
        match read()? {
            (_, FileEnd::Rot { at }) if before != Some(at) => before = Some(at),
            (found, _) => return Ok(found),
        }
    }
    read().map(|(found, _)| found)
}

/// Reads a file whole.
pub(crate) fn read_whole(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>> {
    let failed = |source| Error::io("read", path, source);
    let file = disk.open(path).map_err(|source| open_error(path, source))?;
    let mut len = file.len().map_err(failed)?;
    loop {
        let mut bytes = vec![0; narrow(len)];
        let Err(source) = file.read_at(0, &mut bytes) else { return Ok(bytes) };
        // A log whose room was taken back meanwhile has become shorter.
        let now = file.len().map_err(failed)?;
        if source.kind() != std::io::ErrorKind::UnexpectedEof || now >= len {
            return Err(failed(source));
        }
        len = now;
    }
}

/// A file that the store names and that is gone is damage; anything else is the system's refusal.
pub(crate) fn open_error(path: &Path, source: std::io::Error) -> Error {
    if source.kind() == std::io::ErrorKind::NotFound {
        return Error::corrupt(path, 0, "the file is missing");
    }
    Error::io("open", path, source)
}

/// Reads and checks the header of a file.
pub(crate) fn check_header(path: &Path, bytes: &[u8], kind: FileKind) -> Result<Header> {
    match Header::decode(bytes) {
        Ok(header) if header.kind == kind => Ok(header),
        Ok(header) => {
            let what = format!("this is a {}, not a {}", header.kind.as_str(), kind.as_str());
            Err(Error::corrupt(path, 6, what))
        }
        Err(HeaderFault::NotOurs) => Err(Error::corrupt(
            path,
            0,
            "an asofdb file begins with \"asofdb\", and this one does not",
        )),
        Err(HeaderFault::Newer(found)) => Err(Error::NewerFormat {
            file: path.to_path_buf(),
            found: Some(found),
            supported: asofdb_format::FORMAT_VERSION,
        }),
        Err(HeaderFault::Malformed(fault)) => {
            Err(Error::corrupt(path, fault.at, format!("expected {}", fault.what)))
        }
    }
}
