//! The five answers, and what is told with each.

use std::ops::Deref;
use std::sync::Arc;

use asofdb_format::ids::{Commit, EventTime, KnownTime};
use asofdb_format::value::{Value, Vector};

/// What the store held for one entity and feature at the moment asked about.
///
/// Five different answers, and an error is none of them. Every answer but `Missing` tells when
/// its version became true and known.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A value that is fresh.
    Value(Value, Origin),
    /// The value is explicitly null.
    Null(Origin),
    /// The newest version is older than the TTL.
    Expired(Stale, Origin),
    /// The feature was deleted for this entity.
    Deleted(Origin),
    /// Nothing was ever written that the read may see.
    Missing,
}

/// Where an answer comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// When the version became true.
    pub event_time: EventTime,
    /// When it became known.
    pub known_time: KnownTime,
    /// The commit that wrote it.
    pub commit: Commit,
    /// The schema number of the feature that was read.
    pub schema: u32,
    /// The label of the batch that wrote it.
    pub source: Option<Arc<str>>,
}

impl Origin {
    pub(crate) const fn new(
        event_time: EventTime,
        known_time: KnownTime,
        commit: Commit,
        schema: u32,
        source: Option<Arc<str>>,
    ) -> Self {
        Self { event_time, known_time, commit, schema, source }
    }
}

/// A value that is too old to be served, kept behind a plain name so that nobody takes it
/// for a fresh one.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Stale(pub(crate) Option<Value>);

impl Stale {
    /// The stale value; `None` if it was null or its bytes are already given up.
    #[must_use]
    pub fn stale_value(&self) -> Option<&Value> {
        self.0.as_ref()
    }
}

/// The kind of an [`Answer`], for a status column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// Nothing was ever written that the read may see.
    Missing = 0,
    /// A value that is fresh.
    Value = 1,
    /// Explicitly null.
    Null = 2,
    /// Older than the TTL.
    Expired = 3,
    /// Deleted.
    Deleted = 4,
}

impl Status {
    /// The status in one lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Value => "value",
            Self::Null => "null",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }
}

impl Answer {
    /// Which of the five it is.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Value(..) => Status::Value,
            Self::Null(_) => Status::Null,
            Self::Expired(..) => Status::Expired,
            Self::Deleted(_) => Status::Deleted,
            Self::Missing => Status::Missing,
        }
    }

    /// The value, if it is fresh.
    #[must_use]
    pub const fn value(&self) -> Option<&Value> {
        if let Self::Value(value, _) = self { Some(value) } else { None }
    }

    /// Where the answer comes from; `None` for `Missing`.
    #[must_use]
    pub const fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Value(_, origin)
            | Self::Null(origin)
            | Self::Expired(_, origin)
            | Self::Deleted(origin) => Some(origin),
            Self::Missing => None,
        }
    }

    /// When the version became true; `None` for `Missing`.
    #[must_use]
    pub fn event_time(&self) -> Option<EventTime> {
        self.origin().map(|origin| origin.event_time)
    }

    /// The fresh boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        self.value()?.as_bool()
    }

    /// The fresh integer.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.value()?.as_i64()
    }

    /// The fresh 32-bit float.
    #[must_use]
    pub fn as_f32(&self) -> Option<f32> {
        self.value()?.as_f32()
    }

    /// The fresh float of either width.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        self.value()?.as_f64()
    }

    /// The fresh text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        self.value()?.as_text()
    }

    /// The fresh bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&bytes::Bytes> {
        self.value()?.as_bytes()
    }

    /// The fresh vector.
    #[must_use]
    pub fn as_vector(&self) -> Option<&Vector> {
        self.value()?.as_vector()
    }
}

/// The moment of a read: what the clock said, and the newest commit it saw. The same read with
/// [`Read::stamp`](crate::Read::stamp) gives the same answers; of [`Read::latest`](crate::Read::latest) that
/// is [`Read::at`](crate::Read::at) it.
///
/// ```
/// use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Read, Store, ValueType};
/// # fn main() -> asofdb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path().join("store"), Options::new())?;
/// store.define(FeatureSpec::new("customer:spend_30d", ValueType::F64))?;
/// let put = |value: f64| {
///     let mut batch = Batch::new();
///     batch.put("customer-7", "customer:spend_30d", EventTime(1_700_000_000_000_000), value);
///     store.write(batch, Durability::Buffered)
/// };
/// put(42.5)?;
/// let served = store.latest("customer-7", "customer:spend_30d")?;
/// put(43.0)?;
/// let again = store.read("customer-7", "customer:spend_30d", &Read::at(served.stamp))?;
/// assert_eq!(again.answer, served.answer);
/// # store.close()
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// What the clock said.
    pub now: EventTime,
    /// The newest commit that the read saw.
    pub commit: Commit,
}

/// One answer and the stamp it was read at.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// The answer.
    pub answer: Answer,
    /// When it was read.
    pub stamp: Stamp,
}

impl Deref for Reading {
    type Target = Answer;

    fn deref(&self) -> &Answer {
        &self.answer
    }
}

/// The answers of one entity's features, in the order of the selection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// One answer a feature.
    pub answers: Vec<Answer>,
    /// When they were read.
    pub stamp: Stamp,
}

impl Row {
    /// The answer of the n-th feature of the selection.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Answer> {
        self.answers.get(index)
    }
}

/// Versions of one entity's feature, newest first.
///
/// ```
/// use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Read, Store, ValueType};
/// # fn main() -> asofdb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path().join("store"), Options::new())?;
/// store.define(FeatureSpec::new("customer:spend_30d", ValueType::F64))?;
/// let hour = |n: i64| EventTime(1_700_000_000_000_000 + n * 3_600_000_000);
/// let mut batch = Batch::new();
/// for n in 0..5 {
///     batch.put("customer-7", "customer:spend_30d", hour(n), n as f64);
/// }
/// store.write(batch, Durability::Buffered)?;
/// let name = "customer:spend_30d";
/// let newest = store.last_n("customer-7", name, 2, &Read::latest())?;
/// assert_eq!(newest.answers.iter().map(|one| one.as_f64()).collect::<Vec<_>>(), [Some(4.0), Some(3.0)]);
/// let between = store.range("customer-7", name, hour(1), hour(2), &Read::latest())?;
/// assert_eq!(between.answers.len(), 2);
/// # store.close()
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Versions {
    /// The winning revision of each version, judged.
    pub answers: Vec<Answer>,
    /// Whether older versions may be gone, because the horizon was reached before all asked for
    /// were found.
    pub stopped_at_horizon: bool,
    /// When they were read.
    pub stamp: Stamp,
}
