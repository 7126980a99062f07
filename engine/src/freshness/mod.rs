//! How fresh a store's features are, and how good: from metadata alone, or exactly by a scan.
//!
//! The report from metadata reads no row. It takes what tables tell of themselves (put together
//! once for each set of tables and then kept) and the counts of memtables, so it costs about as
//! much as there are features. It counts what is stored, garbage too, and sees neither erases nor
//! reverts. The exact report asks of each entity and feature what `latest` would answer.

mod ages;
mod estimate;
mod exact;
mod future;

use asofdb_format::ids::{EventTime, KnownTime, Span};
use asofdb_format::value::{Value, ValueType};

pub use crate::freshness::ages::Ages;
pub(crate) use crate::freshness::estimate::estimate;
pub(crate) use crate::freshness::exact::exact;
pub use crate::freshness::future::FutureRow;
pub(crate) use crate::freshness::future::future_rows;
use crate::types::answer::Stamp;

/// How fresh the features of a store are.
///
/// From metadata ([`Store::freshness`](crate::Store::freshness)) it is an estimate. It counts what
/// the files hold: garbage that is not dropped yet, an entity once in each table that has it, what
/// an erase or a revert has taken away, what lies below the bounds. Where each entity is in one
/// table and nothing was taken away, as after a compaction, entities are counted exactly, and
/// percentiles of ages are never below the true ones, and above by no more than the distance of two
/// points of a table: one entity in a hundred among the oldest twentieth, one in twenty elsewhere,
/// and a rank for each table. The share of what is expired is as near. (Of more than 16,384 entities of a
/// table the points are those of a sample of 8,192 or more.)
///
/// Exact ([`Store::freshness_exact`](crate::Store::freshness_exact)) it is what `latest` answers
/// at the stamp, of every entity. Percentiles of ages are then never below the true ones and at
/// most 1/128 above.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FreshnessReport {
    /// Whether it is exact.
    pub exact: bool,
    /// What the clock said, and the newest commit that was seen.
    pub stamp: Stamp,
    /// Every schema of every feature that is not retired, by name and schema number.
    pub features: Vec<FeatureFreshness>,
    /// Tables that do not tell ages, as they need not: what they hold is missing in `entities`, `ages`,
    /// `expired_share` and `next_expiry` of an estimate.
    pub silent_tables: usize,
}

/// How fresh a feature is. Moments are microseconds since the Unix epoch, spans microseconds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FeatureFreshness {
    /// Its name without the schema number.
    pub name: String,
    /// Its schema number.
    pub schema: u32,
    /// Whether it is the newest schema of its name.
    pub newest_schema: bool,
    /// The type of its values.
    pub value_type: ValueType,
    /// Its present TTL.
    pub ttl: Option<Span>,
    /// What is stored of it, in both reports as the files tell it.
    pub records: Records,
    /// Entities that have a newest version now that is no delete. Of an estimate: once for each
    /// table, and of those in memory none.
    pub entities: u64,
    /// What the newest versions of the entities answer now; only an exact report knows.
    pub answers: Option<Answers>,
    /// Which part is explicitly null, 0 to 1: of an exact report nulls among `entities`, of an
    /// estimate nulls among `records`. `None` if there are none.
    pub null_share: Option<f64>,
    /// Which part of `entities` is older than the TTL, 0 to 1. `None` if there are none.
    pub expired_share: Option<f64>,
    /// The least number, NaN left aside: of an exact report among the answers, of an estimate
    /// among all records. `None` if there is none, and for text, bytes and vectors.
    pub least: Option<Value>,
    /// The greatest number, likewise.
    pub greatest: Option<Value>,
    /// The newest event time up to now of an entity's newest version that is no delete. If
    /// `future_dated` is not 0 an estimate may tell an earlier one or none, for a row of the future
    /// hides what the same entity had before; and so may a delete that a revert took away.
    /// Otherwise it tells no earlier one.
    pub newest_event_time: Option<EventTime>,
    /// The newest known time: of an exact report among the answers, of an estimate among all
    /// records.
    pub newest_known_time: Option<KnownTime>,
    /// Percentiles over `entities` of now less event time.
    pub ages: Option<Ages>,
    /// The first moment from which on one of the values (or nulls) that are fresh now will be
    /// expired, if no newer version comes. An estimate tells the moment of one of them, which may
    /// be later than the first. `None` without TTL, and if nothing is fresh.
    pub next_expiry: Option<EventTime>,
    /// Versions dated after now. An estimate counts entities instead, roughly; 0 is certain.
    pub future_dated: u64,
}

/// What is stored of a feature, garbage that is not dropped yet included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Records {
    /// Revisions, in memory and in tables.
    pub all: u64,
    /// Explicit nulls among them.
    pub nulls: u64,
    /// Deletes among them.
    pub deletes: u64,
    /// Marks without value among them.
    pub stubs: u64,
    /// Those in memory. An estimate's `entities`, `ages`, `expired_share` and `next_expiry` leave
    /// them out.
    pub in_memory: u64,
}

/// What the newest versions of a feature's entities answer now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answers {
    /// Fresh values.
    pub values: u64,
    /// Fresh nulls.
    pub nulls: u64,
    /// Versions older than the TTL.
    pub expired: u64,
    /// Deletes.
    pub deleted: u64,
}

/// A part of a whole, `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "a share is for people and thresholds")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The first moment at which a version of this event time is older than its TTL.
fn expiry(event_time: EventTime, ttl: Span) -> EventTime {
    EventTime(event_time.saturating_add(ttl).0.saturating_add(1))
}
