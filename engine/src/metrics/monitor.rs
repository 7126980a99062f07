//! The one place where what happens in a store is counted, traced and told to its listener.
//!
//! No lock of the store is held while the listener is called, but for those by which one flush or
//! one compaction is done at a time. What is noticed under a lock is kept until it is released.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use asofdb_format::ids::Span;
use parking_lot::Mutex;

use crate::metrics::counter::{Counter, Gauge};
use crate::metrics::lanes::ReadMeter;
use crate::metrics::meters::{CompactionMeter, FlushMeter, StallMeter, WriteMeter};
use crate::metrics::snapshot::{LevelMetrics, Metrics};
use crate::types::error::{Error, Result};
use crate::types::events::{
    BackgroundFailed, BackgroundWork, CompactionBegun, CompactionEnded, CorruptionFound,
    EventListener, FlushBegun, FlushEnded, HorizonRisen, StallBegun, StallEnded,
};
use crate::world::clock::Clock;

/// The counters of a store, and who is told of events.
#[derive(Debug, Default)]
pub(crate) struct Monitor {
    pub(crate) reads: ReadMeter,
    pub(crate) writes: WriteMeter,
    pub(crate) compactions: CompactionMeter,
    /// Bytes of tables that the store has no more and somebody still holds.
    pub(crate) pinned: Arc<Gauge>,
    flushes: FlushMeter,
    stalls: StallMeter,
    corruptions: Counter,
    failures: Counter,
    last_failure: Mutex<Option<Error>>,
    panics: Counter,
    risen: Mutex<Vec<HorizonRisen>>,
    listener: Option<Arc<dyn EventListener>>,
}

thread_local! {
    /// Whether the thread is within a call of a listener.
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

impl Monitor {
    pub(crate) fn new(listener: Option<Arc<dyn EventListener>>) -> Self {
        Self { listener, ..Self::default() }
    }

    /// Calls the listener, if there is one and it is not it who caused this.
    fn tell(&self, call: impl FnOnce(&dyn EventListener)) {
        let Some(listener) = &self.listener else { return };
        if TELLING.replace(true) {
            return;
        }
        // What a listener leaves half done is its own.
        let told = catch_unwind(AssertUnwindSafe(|| call(&**listener)));
        TELLING.set(false);
        if told.is_err() {
            self.panics.add(1);
            tracing::error!(target: "asofdb", "a listener of events panicked");
        }
    }

    /// Passes the outcome of a call on, and tells if it is damage.
    #[inline]
    pub(crate) fn watched<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome {
            self.failed(error);
        }
        outcome
    }

    #[cold]
    fn failed(&self, error: &Error) {
        let Error::Corruption { file, offset, what } = error else { return };
        self.corruptions.add(1);
        tracing::error!(target: "asofdb", file = %file.display(), offset, what, "damage found");
        let event = CorruptionFound { file: file.clone(), offset: *offset, what: what.clone() };
        self.tell(|listener| listener.corruption_found(&event));
    }

    /// A step of background work failed; the end of the store is no failure.
    pub(crate) fn background_failed(&self, work: BackgroundWork, error: &Error) {
        if matches!(error, Error::Closed) {
            return;
        }
        self.failures.add(1);
        *self.last_failure.lock() = Some(error.clone());
        tracing::error!(target: "asofdb", ?work, %error, "background work failed");
        let event = BackgroundFailed { work, error: error.clone() };
        self.tell(|listener| listener.background_failed(&event));
    }

    pub(crate) fn flush_begun(&self, event: &FlushBegun) {
        tracing::debug!(
            target: "asofdb",
            log = event.log.0,
            records = event.records,
            "flush begun"
        );
        self.tell(|listener| listener.flush_begun(event));
    }

    pub(crate) fn flush_ended(&self, event: &FlushEnded) {
        let meter = &self.flushes;
        meter.flushes.add(1);
        meter.records.add(event.records);
        meter.bytes.add(event.bytes);
        meter.dropped_records.add(event.dropped_records);
        meter.dropped_values.add(event.dropped_values);
        meter.took.record(micros(event.took));
        tracing::info!(
            target: "asofdb",
            tables = event.tables.len(),
            records = event.records,
            bytes = event.bytes,
            dropped = event.dropped_records,
            micros = micros(event.took),
            "flush ended"
        );
        self.tell(|listener| listener.flush_ended(event));
    }

    pub(crate) fn compaction_begun(&self, event: &CompactionBegun) {
        tracing::debug!(
            target: "asofdb",
            inputs = event.inputs.len(),
            bytes = event.bytes,
            "compaction begun"
        );
        self.tell(|listener| listener.compaction_begun(event));
    }

    pub(crate) fn compaction_ended(&self, event: &CompactionEnded) {
        let meter = &self.compactions;
        event.inputs.iter().for_each(|table| meter.read(table.level, table.bytes));
        event.outputs.iter().for_each(|table| meter.wrote(table.level, table.bytes));
        meter.compactions.add(1);
        meter.dropped_records.add(event.dropped_records);
        meter.dropped_values.add(event.dropped_values);
        meter.took.record(micros(event.took));
        tracing::info!(
            target: "asofdb",
            inputs = event.inputs.len(),
            outputs = event.outputs.len(),
            read = event.bytes_read,
            written = event.bytes_written,
            dropped = event.dropped_records,
            micros = micros(event.took),
            "compaction ended"
        );
        self.tell(|listener| listener.compaction_ended(event));
    }

    /// Tables of these lengths were dropped unread.
    pub(crate) fn dropped_unread(&self, lengths: &[u64]) {
        let meter = &self.compactions;
        meter.unread_tables.add(lengths.len() as u64);
        meter.unread_bytes.add(lengths.iter().sum());
        tracing::info!(target: "asofdb", tables = lengths.len(), "tables dropped unread");
    }

    /// A writer was slowed for so long.
    pub(crate) fn slowed(&self, length: Duration) {
        self.stalls.slowed.record(u64::try_from(length.as_micros()).unwrap_or(u64::MAX));
    }

    /// A writer begins to wait; it waits until what is returned is dropped.
    pub(crate) fn stall<'m>(&'m self, event: &StallBegun, clock: &'m dyn Clock) -> Stall<'m> {
        self.stalls.stalls.add(1);
        let StallBegun { memtables, recent_tables } = *event;
        tracing::debug!(target: "asofdb", memtables, recent_tables, "stall begun");
        self.tell(|listener| listener.stall_begun(event));
        Stall { monitor: self, clock, begun: clock.running() }
    }

    /// Notes, under whatever lock, what [`Monitor::tell_risen`] will tell.
    pub(crate) fn note_risen(&self, event: HorizonRisen) {
        self.risen.lock().push(event);
    }

    /// Tells of the horizons that have risen. The caller holds no lock.
    pub(crate) fn tell_risen(&self) {
        let risen = std::mem::take(&mut *self.risen.lock());
        for event in &risen {
            tracing::debug!(
                target: "asofdb",
                feature = event.feature,
                schema = event.schema,
                horizon = event.horizon.0,
                "horizon risen"
            );
            self.tell(|listener| listener.horizon_risen(event));
        }
    }

    /// All that was counted, and nothing of what the store holds but its levels' merges.
    pub(crate) fn snapshot(&self) -> Metrics {
        let merged = |(level, (bytes_read, bytes_written))| {
            (level, LevelMetrics { bytes_read, bytes_written, ..LevelMetrics::default() })
        };
        Metrics {
            reads: self.reads.snapshot(),
            writes: self.writes.snapshot(),
            flushes: self.flushes.snapshot(),
            compactions: self.compactions.snapshot(),
            stalls: self.stalls.snapshot(),
            levels: self.compactions.levels().into_iter().map(merged).collect(),
            pinned_bytes: self.pinned.get(),
            corruptions: self.corruptions.get(),
            background_failures: self.failures.get(),
            last_background_error: self.last_failure.lock().clone(),
            listener_panics: self.panics.get(),
            ..Metrics::default()
        }
    }
}

/// A writer that waits.
#[derive(Debug)]
pub(crate) struct Stall<'m> {
    monitor: &'m Monitor,
    clock: &'m dyn Clock,
    begun: Span,
}

impl Drop for Stall<'_> {
    fn drop(&mut self) {
        let took = since(self.clock, self.begun);
        self.monitor.stalls.took.record(micros(took));
        tracing::info!(target: "asofdb", micros = micros(took), "stall ended");
        self.monitor.tell(|listener| listener.stall_ended(&StallEnded { took }));
    }
}

/// How long ago a reading of the clock's running time was.
pub(crate) fn since(clock: &dyn Clock, begun: Span) -> Span {
    let micros = clock.running().micros().saturating_sub(begun.micros());
    Span::from_micros(micros).unwrap_or(Span::ZERO)
}

pub(crate) fn micros(span: Span) -> u64 {
    span.micros().unsigned_abs()
}
