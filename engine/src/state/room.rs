//! How much room there is for another batch.
//!
//! Where flushing or merging falls behind, writers are slowed, the more the further behind it is,
//! and at a bound they wait. So memory and the number of tables that a read may have to visit stay
//! bounded, and latency rises before anything stops.

use std::fmt;
use std::time::Duration;

use asofdb_format::wire::{narrow, wide};

use crate::state::live::State;
use crate::state::memtable::Memtable;
use crate::types::options::Options;

/// Bytes a second that a writer may still write who is slowed the least.
const FASTEST: f64 = 64.0 * 1024.0 * 1024.0;

/// Bytes a second that a writer may still write who is about to be stopped.
const SLOWEST: f64 = 1024.0 * 1024.0;

/// What stands in the way of another batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Nothing.
    Free,
    /// A writer is to wait for so long first.
    Little(Duration),
    /// So many memtables wait for their flush.
    Memtables(usize),
    /// So many flushed tables wait for their merge.
    Tables(usize),
}

impl fmt::Display for Room {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free => out.write_str("nothing is in the way"),
            Self::Little(length) => write!(out, "writes are slowed by {length:?}"),
            Self::Memtables(count) => write!(out, "{count} memtables wait for their flush"),
            Self::Tables(count) => write!(out, "{count} flushed tables wait to be merged"),
        }
    }
}

/// How many flushed tables there may be before writers wait.
pub(crate) fn most_tables(options: &Options) -> usize {
    options.stop_recent_tables.max(options.max_recent_tables).max(2)
}

/// How many memtables may wait for their flush while another is begun.
pub(crate) fn most_memtables(options: &Options) -> usize {
    options.max_sealed_memtables.max(1) - 1
}

/// How much memory the memtables take at the most, about: their buckets are a part of it, and a
/// batch goes into the last one whole.
pub(crate) fn memory(options: &Options) -> u64 {
    let count = wide(most_memtables(options)).saturating_add(2);
    let each = wide(memtable_bytes(options));
    (each + each / 16).saturating_mul(count)
}

/// How large a memtable grows.
pub(crate) fn memtable_bytes(options: &Options) -> usize {
    options.memtable_bytes.min(narrow(Memtable::MOST_BYTES))
}

/// What stands in the way of a batch of so many bytes.
pub(crate) fn room_for(state: &State, options: &Options, bytes: usize) -> Room {
    let tables = state.tables.recent().len();
    if tables >= most_tables(options) {
        return Room::Tables(tables);
    }
    let is_full =
        state.memtables.first().is_some_and(|first| first.bytes() >= options.memtable_bytes);
    let sealed = state.memtables.len().saturating_sub(1);
    if is_full && sealed > most_memtables(options) {
        return Room::Memtables(sealed);
    }
    let slow_from = options.slow_recent_tables.max(options.max_recent_tables).max(2);
    let behind = part(tables, slow_from, most_tables(options));
    // Half of the memtables may wait before anybody is slowed for them.
    let most_sealed = options.max_sealed_memtables;
    let sealed = part(sealed, most_sealed / 2 + 1, most_sealed.saturating_add(1));
    let behind = behind.max(sealed);
    if behind <= 0.0 {
        return Room::Free;
    }
    let rate = FASTEST * (SLOWEST / FASTEST).powf(behind);
    #[expect(clippy::cast_precision_loss, reason = "a length of time that need not be exact")]
    let length = Duration::from_secs_f64(bytes as f64 / rate);
    Room::Little(length)
}

/// How far a count has come from where it begins to matter to where it is too much.
#[expect(clippy::cast_precision_loss, reason = "counts of tables")]
fn part(count: usize, from: usize, to: usize) -> f64 {
    if count < from {
        return 0.0;
    }
    ((count - from) as f64 + 1.0) / ((to.max(from) - from) as f64 + 1.0)
}
