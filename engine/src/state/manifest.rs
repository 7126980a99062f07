//! The manifest: a file of edits, and CURRENT, which names it.

use std::path::Path;

use asofdb_format::edit::{self, Edit, EditFault};
use asofdb_format::frame::{self, FrameKind, MAX_PAYLOAD_LEN, Seed};
use asofdb_format::header::{FileKind, HEADER_LEN, Header};
use asofdb_format::ids::{Commit, FileNumber, StoreId};
use asofdb_format::wire::wide;

use crate::files::log::{FrameFile, FrameWriter, check_header, read_whole};
use crate::files::names;
use crate::state::durable::Durable;
use crate::types::error::{Error, InvalidArgument, Result};
use crate::world::disk::Disk;

/// About how long the frames of a picture are.
const PICTURE_FRAME_LEN: usize = 4 << 20;

/// A manifest that was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) store: StoreId,
    pub(crate) number: FileNumber,
    /// Where its whole frames end.
    pub(crate) end: u64,
    /// Whether it goes on behind them.
    pub(crate) torn: bool,
    /// Whether it says itself that all of it is durable.
    pub(crate) vouched_for: bool,
    pub(crate) durable: Durable,
}

/// Reads the manifest that CURRENT names.
pub(crate) fn load(disk: &dyn Disk, dir: &Path) -> Result<Loaded> {
    let current = names::current(dir);
    let bytes = read_whole(disk, &current)?;
    let named = check_header(&current, &bytes, FileKind::Current)?;
    let file = FrameFile::read(disk, dir, FileKind::Manifest, named.number, named.store)?;
    let end = file.check_torn()?;
    let mut durable = Durable::blank();
    let (mut whole, mut vouched_for) = (false, false);
    for frame in file.frames() {
        let payload_start = frame.end - asofdb_format::wire::wide(frame.payload.len());
        if frame.head.kind != FrameKind::Edit {
            return Err(Error::corrupt(&file.path, frame.start, "a manifest holds only edits"));
        }
        let edits = edit::decode_all(frame.payload).map_err(|fault| match fault {
            EditFault::Malformed(fault) => Error::corrupt(
                &file.path,
                payload_start + fault.at,
                format!("expected {}", fault.what),
            ),
            EditFault::Unknown(_) => Error::newer_part(&file.path),
        })?;
        if frame.head.synced > frame.start {
            let what = "expected a synced mark before the frame";
            return Err(Error::corrupt(&file.path, frame.start, what));
        }
        for edit in &edits {
            durable.apply(edit).map_err(|what| {
                Error::corrupt(&file.path, frame.start, format!("expected {what}"))
            })?;
        }
        whole |= edits.iter().any(|edit| matches!(edit, Edit::Clock(..)));
        durable.ceiling = durable.ceiling.max(frame.head.ceiling);
        vouched_for = edits.is_empty() && frame.head.synced == frame.start;
    }
    if !whole {
        return Err(Error::corrupt(
            &file.path,
            end,
            "the picture that a manifest begins with ends here",
        ));
    }
    durable
        .check_drawn(named.number)
        .map_err(|what| Error::corrupt(&file.path, end, format!("expected {what}")))?;
    let torn = end < file.len();
    let (store, number) = (named.store, named.number);
    Ok(Loaded { store, number, end, torn, vouched_for: vouched_for && !torn, durable })
}

/// Whether a manifest tells of any commit, so that its store was in use.
pub(crate) fn has_commits(disk: &dyn Disk, path: &Path) -> bool {
    let Ok(bytes) = read_whole(disk, path) else { return false };
    let Ok(header) = check_header(path, &bytes, FileKind::Manifest) else { return false };
    let seed = Seed::of(header.store, header.number);
    let (frames, _) = frame::decode_all(&bytes, HEADER_LEN, seed);
    frames.iter().any(|frame| frame.head.commit > Commit::MIN)
}

/// Writes a new manifest that holds a picture whole, and makes CURRENT name it. The names of files
/// that were made before become durable with its own.
pub(crate) fn create(
    disk: &dyn Disk,
    dir: &Path,
    store: StoreId,
    number: FileNumber,
    made: i64,
    durable: &Durable,
) -> Result<FrameWriter> {
    let header = Header::new(FileKind::Manifest, store, number, made);
    let writer = FrameWriter::create(disk, dir, &header)?;
    write_picture(&writer, durable)?;
    disk.sync_dir(dir).map_err(|source| Error::io("sync", dir, source))?;
    let tmp = names::current_tmp(dir);
    let current = names::current(dir);
    // One is left over if an earlier open was cut off here.
    let _ = disk.remove(&tmp);
    let file = disk.create(&tmp).map_err(|source| Error::io("create", &tmp, source))?;
    let named = Header::new(FileKind::Current, store, number, made);
    file.append(&named.encode()).map_err(|source| Error::io("write", &tmp, source))?;
    file.sync().map_err(|source| Error::io("sync", &tmp, source))?;
    disk.rename(&tmp, &current).map_err(|source| Error::io("rename", &tmp, source))?;
    disk.sync_dir(dir).map_err(|source| Error::io("sync", dir, source))?;
    Ok(writer)
}

/// Writes a picture whole, in frames of bounded length: CURRENT makes them one.
fn write_picture(writer: &FrameWriter, durable: &Durable) -> Result<()> {
    let mut edits = durable.snapshot();
    while !edits.is_empty() {
        let mut len = 0;
        let fits = edits.iter().take_while(|edit| {
            len += edit::encode_all(std::slice::from_ref(*edit)).len();
            len <= PICTURE_FRAME_LEN
        });
        let rest = edits.split_off(fits.count().max(1));
        append(writer, durable.newest, durable.ceiling, &edits)?;
        edits = rest;
    }
    Ok(())
}

/// Appends edits that take effect together, durable when it returns.
pub(crate) fn append(
    writer: &FrameWriter,
    newest: Commit,
    ceiling: Commit,
    edits: &[Edit],
) -> Result<()> {
    let payload = edit::encode_all(edits);
    if wide(payload.len()) > u64::from(MAX_PAYLOAD_LEN) {
        return Err(InvalidArgument::BatchLength { len: payload.len() }.into());
    }
    let end = writer.append(FrameKind::Edit, newest, ceiling, &[&payload])?;
    writer.sync_to(end)?;
    // An empty frame behind it carries the mark that it is durable: damage to the last edit is
    // then told from one that was being written.
    writer.append(FrameKind::Edit, newest, ceiling, &[]).map(drop)
}
