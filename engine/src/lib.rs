//! An embedded storage engine for feature versions: values of features for entities, each with the
//! time at which it became true.
//!
//! From the same files a [`Store`] serves the newest values of an entity, and the values *as of*
//! any past moment, into which no future value leaks. Both are one rule: [`Store::latest`] is
//! [`Store::as_of`] now.
//!
//! ```
//! use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType};
//! # fn main() -> asofdb::Result<()> {
//! # let dir = tempfile::tempdir().unwrap();
//! # let dir = dir.path().join("store");
//! let hour = |n: i64| EventTime(1_700_000_000_000_000 + n * 3_600_000_000);
//! let store = Store::open(&dir, Options::new())?;
//! store.define(FeatureSpec::new("weather:temp", ValueType::F64))?;
//! let mut batch = Batch::new();
//! batch.put("JFK", "weather:temp", hour(0), 39.0).put("JFK", "weather:temp", hour(1), 41.5);
//! store.write(batch, Durability::Buffered)?;
//! assert_eq!(store.latest("JFK", "weather:temp")?.as_f64(), Some(41.5));
//! let before = EventTime(hour(1).0 - 1);
//! assert_eq!(store.as_of("JFK", "weather:temp", before)?.as_f64(), Some(39.0));
//! # store.close()
//! # }
//! ```
//!
//! The floors of the crate, from the door down; each names only what stands below it:
//!
//! | floor | what it does |
//! | --- | --- |
//! | `store` | the door |
//! | `open` | recovery |
//! | [`inspect`] | verifies and dumps files, beside `open` |
//! | `freshness` | reports how fresh features are, above `read` |
//! | `stats` | counts what there is, and tells how it lies over files |
//! | `arrow` | joins of Arrow batches, above `read`, with the feature `arrow` |
//! | `read` | answers questions |
//! | `write` | takes batches, definitions, erases, reverts |
//! | `shape` | arranges data over files, drops garbage |
//! | `state` | what the store is at a moment |
//! | `files` | logs and tables |
//! | [`metrics`] | counters, and who is told of events |
//! | [`world`] | disk, clock, scheduler |
//! | `types` | the words of the API |
//! | `sync` | locks, atomics and cells |

#[cfg(feature = "arrow")]
mod arrow;
mod files;
mod freshness;
pub mod inspect;
#[cfg(all(loom, test))]
mod interleavings;
pub mod metrics;
mod open;
mod read;
mod shape;
mod state;
mod stats;
mod store;
mod sync;
mod types;
pub mod world;
mod write;

#[cfg(feature = "arrow")]
pub use crate::arrow::ArrowColumns;
pub use asofdb_format::certificate::{
    CertificateFault, CertifiedFile, Erased, ErasureCertificate, Fate, OtherFile,
};
pub use asofdb_format::ids::{
    Commit, EventTime, FeatureId, FileNumber, KnownTime, SourceId, Span, StoreId,
};
pub use asofdb_format::value::{Kind, Text, Value, ValueType, Vector};

pub use crate::freshness::{Ages, Answers, FeatureFreshness, FreshnessReport, FutureRow, Records};
pub use crate::metrics::Metrics;
pub use crate::read::how::{JoinOptions, Read};
pub use crate::read::join::Joiner;
pub use crate::read::joined::{Joined, JoinedColumn};
pub use crate::read::reader::RowReader;
pub use crate::read::scan::Scan;
pub use crate::read::selection::Selection;
pub use crate::read::sequence::SequenceReader;
pub use crate::state::snapshots::Snapshot;
pub use crate::stats::{
    Extent, FeatureShape, FeatureStats, LogShape, MemtableShape, Shape, Stats, TableShape,
};
pub use crate::store::Store;
pub use crate::types::answer::{Answer, Origin, Reading, Row, Stale, Stamp, Status, Versions};
pub use crate::types::cells::{Cell, Cells};
pub use crate::types::error::{Error, InvalidArgument, Result};
pub use crate::types::events;
pub use crate::types::options::{Options, ReadMode};
pub use crate::types::sequence::Sequence;
pub use crate::types::spec::{Alter, Bounds, Feature, FeatureSpec, Terms};
pub use crate::write::batch::{Batch, Durability};
pub use crate::write::taking_back::{Revert, Reverted};

/// The example of the README, kept working.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
