//! What a store counts of its own work, and how it tells of it.
//!
//! [`Store::metrics`](crate::Store::metrics) gives a [`Metrics`]: what was counted since the store
//! was opened. Every opening begins at zero; nothing of it is kept in files. Read-only stores count
//! too, each opening for itself.
//!
//! | module | what it is |
//! | --- | --- |
//! | `counter` | a number that only grows |
//! | `histogram` | how a quantity is spread |
//! | `lanes` | counters of reads, without a cell that two threads write |
//! | `meters` | all counters of a store, by what they are about |
//! | `monitor` | the meters and the listener: what happens is counted, traced and told here |
//! | `snapshot` | what is handed out |
//!
//! Counting a read costs a few plain stores into memory of its thread alone. Each number of a
//! snapshot is exact, for all that ended before it was asked for; numbers that are counted while
//! it is gathered may or may not be in it, each for itself.

mod counter;
mod histogram;
mod lanes;
mod meters;
mod monitor;
mod snapshot;

pub(crate) use self::counter::{Counter, Gauge};
pub(crate) use self::lanes::{Lookup, Visits};
pub(crate) use self::monitor::{Monitor, micros, since};
pub use self::snapshot::{
    BlockMetrics, CompactionMetrics, FlushMetrics, Histogram, LevelMetrics, Metrics, ReadMetrics,
    StallMetrics, WriteMetrics,
};
