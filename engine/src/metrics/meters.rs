//! All counters of a store but those of reads, by what they are about.

use std::collections::BTreeMap;

use asofdb_format::header::FileKind;
use parking_lot::Mutex;

use crate::metrics::counter::Counter;
use crate::metrics::histogram::Recorder;
use crate::metrics::snapshot::{CompactionMetrics, FlushMetrics, StallMetrics, WriteMetrics};

/// What was written by callers, and what the disk took.
#[derive(Debug, Default)]
pub(crate) struct WriteMeter {
    pub(crate) batches: Counter,
    pub(crate) records: Counter,
    pub(crate) took: Recorder,
    log_bytes: Counter,
    table_bytes: Counter,
    manifest_bytes: Counter,
    log_syncs: Counter,
    syncs: Counter,
    sync_took: Recorder,
}

impl WriteMeter {
    /// The disk took so many bytes of a file.
    pub(crate) fn appended(&self, kind: FileKind, bytes: u64) {
        match kind {
            FileKind::Log => self.log_bytes.add(bytes),
            FileKind::Table => self.table_bytes.add(bytes),
            FileKind::Manifest | FileKind::Current => self.manifest_bytes.add(bytes),
        }
    }

    /// The disk made a file durable.
    pub(crate) fn synced(&self, kind: FileKind, micros: u64) {
        self.syncs.add(1);
        if kind == FileKind::Log {
            self.log_syncs.add(1);
        }
        self.sync_took.record(micros);
    }

    pub(crate) fn snapshot(&self) -> WriteMetrics {
        WriteMetrics {
            batches: self.batches.get(),
            records: self.records.get(),
            log_bytes: self.log_bytes.get(),
            table_bytes: self.table_bytes.get(),
            manifest_bytes: self.manifest_bytes.get(),
            log_syncs: self.log_syncs.get(),
            syncs: self.syncs.get(),
            micros: self.took.snapshot(),
            sync_micros: self.sync_took.snapshot(),
        }
    }
}

/// Memtables that became tables.
#[derive(Debug, Default)]
pub(crate) struct FlushMeter {
    pub(crate) flushes: Counter,
    pub(crate) records: Counter,
    pub(crate) bytes: Counter,
    pub(crate) dropped_records: Counter,
    pub(crate) dropped_values: Counter,
    pub(crate) took: Recorder,
}

impl FlushMeter {
    pub(crate) fn snapshot(&self) -> FlushMetrics {
        FlushMetrics {
            flushes: self.flushes.get(),
            records: self.records.get(),
            bytes: self.bytes.get(),
            dropped_records: self.dropped_records.get(),
            dropped_values: self.dropped_values.get(),
            micros: self.took.snapshot(),
        }
    }
}

/// Merges of tables.
#[derive(Debug, Default)]
pub(crate) struct CompactionMeter {
    pub(crate) compactions: Counter,
    pub(crate) dropped_records: Counter,
    pub(crate) dropped_values: Counter,
    /// Tables that were dropped whole without being read, for the clock had passed all they held.
    pub(crate) unread_tables: Counter,
    /// Bytes of those.
    pub(crate) unread_bytes: Counter,
    pub(crate) took: Recorder,
    levels: Mutex<BTreeMap<u8, (u64, u64)>>,
}

impl CompactionMeter {
    /// A merge read a table of a level.
    pub(crate) fn read(&self, level: u8, bytes: u64) {
        self.levels.lock().entry(level).or_default().0 += bytes;
    }

    /// A merge wrote a table of a level.
    pub(crate) fn wrote(&self, level: u8, bytes: u64) {
        self.levels.lock().entry(level).or_default().1 += bytes;
    }

    /// Bytes read and written of each level.
    pub(crate) fn levels(&self) -> BTreeMap<u8, (u64, u64)> {
        self.levels.lock().clone()
    }

    pub(crate) fn snapshot(&self) -> CompactionMetrics {
        let levels = self.levels();
        CompactionMetrics {
            compactions: self.compactions.get(),
            bytes_read: levels.values().map(|(read, _)| read).sum(),
            bytes_written: levels.values().map(|(_, written)| written).sum(),
            dropped_records: self.dropped_records.get(),
            dropped_values: self.dropped_values.get(),
            unread_tables: self.unread_tables.get(),
            unread_bytes: self.unread_bytes.get(),
            micros: self.took.snapshot(),
        }
    }
}

/// Writers that had to wait.
#[derive(Debug, Default)]
pub(crate) struct StallMeter {
    pub(crate) stalls: Counter,
    pub(crate) took: Recorder,
    /// Writes that were slowed and not stopped, each with its delay in microseconds.
    pub(crate) slowed: Recorder,
}

impl StallMeter {
    pub(crate) fn snapshot(&self) -> StallMetrics {
        StallMetrics {
            stalls: self.stalls.get(),
            micros: self.took.snapshot(),
            slowed_micros: self.slowed.snapshot(),
        }
    }
}
