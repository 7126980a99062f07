//! Loading: how fast batches are taken, how fast all is at rest, and how many bytes it takes then.

use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::peers::peer::{Entrant, Peer, Record, Setup, Write};

/// Records a batch.
pub const BATCH: usize = 1_000;

/// What a load took.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Seconds until the last batch was taken.
    pub written: f64,
    /// Seconds until all was at rest.
    pub settled: f64,
    /// Bytes of all files then.
    pub bytes: u64,
}

impl Load {
    /// The faster one of two loads of the same, with the bytes of the later one, which is read.
    pub fn better(self, later: Self) -> Self {
        let faster = if later.settled < self.settled { later } else { self };
        Self { bytes: later.bytes, ..faster }
    }
}

/// Opens an entrant's store in a directory of its own.
pub fn open(entrant: &Entrant, dir: &Path, setup: Setup) -> Outcome<Box<dyn Peer>> {
    let dir = dir.join(entrant.name);
    std::fs::create_dir_all(&dir)?;
    (entrant.open)(&dir, setup)
}

/// Writes records in the order given, in batches.
pub fn load(peer: &dyn Peer, dir: &Path, records: &[Record], how: Write) -> Outcome<Load> {
    let begun = Instant::now();
    for batch in records.chunks(BATCH) {
        peer.write(batch, how)?;
    }
    let written = begun.elapsed().as_secs_f64();
    peer.settle()?;
    let settled = begun.elapsed().as_secs_f64();
    Ok(Load { written, settled, bytes: allocated(dir)? })
}

/// Bytes on the disk of all files below a directory. Holes do not count, nor does what is set aside
/// beyond the end of a file.
pub fn allocated(dir: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        bytes += if meta.is_dir() {
            allocated(&path)?
        } else {
            meta.len().min(std::os::unix::fs::MetadataExt::blocks(&meta) * 512)
        };
    }
    Ok(bytes)
}
