//! The manifest: a file of edits, and CURRENT, which names it.

use std::path::Path;

use asofdb_format::edit::{self, Edit, EditFault};
use asofdb_format::frame::FrameKind;
use asofdb_format::hash::EraseKey;
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{Commit, FileNumber, StoreId};

use crate::files::log::{FrameFile, FrameWriter, check_header, read_whole};
use crate::files::names;
use crate::state::durable::Durable;
use crate::types::error::{Error, Result};
use crate::world::disk::Disk;

/// A manifest that was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) store: StoreId,
    pub(crate) number: FileNumber,
    pub(crate) durable: Durable,
}

/// Reads the manifest that CURRENT names.
pub(crate) fn load(disk: &dyn Disk, dir: &Path) -> Result<Loaded> {
    let current = names::current(dir);
    let bytes = read_whole(disk, &current)?;
    let named = check_header(&current, &bytes, FileKind::Current)?;
    let file = FrameFile::read(disk, dir, FileKind::Manifest, named.number, named.store)?;
    let (frames, end) = file.whole_frames()?;
    let mut durable = Durable::new(EraseKey([0; 16]));
    if frames.is_empty() {
        return Err(Error::corrupt(&file.path, end, "a manifest has at least one edit"));
    }
    for frame in &frames {
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
            EditFault::Unknown(_) => Error::NewerFormat {
                file: file.path.clone(),
                found: asofdb_format::FORMAT_VERSION + 1,
                supported: asofdb_format::FORMAT_VERSION,
            },
        })?;
        for edit in &edits {
            durable.apply(edit).map_err(|what| {
                Error::corrupt(&file.path, frame.start, format!("expected {what}"))
            })?;
        }
        durable.ceiling = durable.ceiling.max(frame.head.ceiling);
    }
    Ok(Loaded { store: named.store, number: named.number, durable })
}

/// Writes a new manifest that holds a picture whole, and makes CURRENT name it.
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
    append(&writer, durable.newest, durable.ceiling, &durable.snapshot())?;
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

/// Appends edits that take effect together, durable when it returns.
pub(crate) fn append(
    writer: &FrameWriter,
    newest: Commit,
    ceiling: Commit,
    edits: &[Edit],
) -> Result<()> {
    let payload = edit::encode_all(edits);
    let end = writer.append(FrameKind::Edit, newest, ceiling, &[&payload])?;
    writer.sync_to(end)
}
