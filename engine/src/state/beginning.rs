//! Beginning to write: a new log, and a new manifest that names it. An opening that has something to
//! put in order does it; after a clean close it is done for the first batch or edit, so that an
//! opening which writes nothing leaves all as it is.

use std::path::Path;
use std::sync::Arc;

use asofdb_format::edit::Edit;
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{FileNumber, StoreId};

use crate::files::log::FrameWriter;
use crate::state::durable::Durable;
use crate::state::manifest;
use crate::types::error::Result;
use crate::world::clock::Clock;
use crate::world::disk::Disk;

/// Where a store is, and which one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home<'h> {
    pub(crate) disk: &'h dyn Disk,
    pub(crate) dir: &'h Path,
    pub(crate) store: StoreId,
    pub(crate) clock: &'h Arc<dyn Clock>,
}

/// The files that were begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) log: FrameWriter,
    pub(crate) manifest: FrameWriter,
}

/// Begins a log of this number and a manifest. The batches of other logs are copied to the log:
/// these take no more part.
pub(crate) fn begin(
    home: Home<'_>,
    number: FileNumber,
    copied: &[FileNumber],
    durable: &mut Durable,
    copy: impl FnOnce(&FrameWriter, &mut Durable) -> Result<()>,
) -> Result<Begun> {
    let Home { disk, dir, store, clock } = home;
    let now = clock.now().0;
    let log = FrameWriter::create(disk, dir, &Header::new(FileKind::Log, store, number, now))?;
    copy(&log, durable)?;
    let len = log.sync()?;
    for number in copied {
        durable.logs.remove(number);
    }
    durable.logs.insert(number, None);
    if !copied.is_empty() {
        // Nothing else vouches for what was copied: the note behind it is not durable yet.
        durable.log_synced = Some((number, len));
    }
    // The log's name becomes durable with that of the manifest, before CURRENT names it.
    let number = durable.draw();
    let manifest = manifest::create(disk, dir, store, number, now, durable)?;
    let told = Edit::ManifestSynced(number, manifest.durable());
    log.tell(durable.newest, durable.ceiling, &told)?;
    Ok(Begun { log: log.shared(Arc::clone(clock)), manifest })
}
