//! How to read: the moment asked about and what may be seen.

use asofdb_format::ids::{EventTime, KnownTime, Span};

use crate::state::snapshots::Snapshot;
use crate::types::answer::Stamp;

/// What a read asks: as of when, as known when, seen from which commit.
///
/// ```
/// use asofdb::{EventTime, KnownTime, Read, Span};
/// let newest = Read::latest();
/// let then = Read::as_of(EventTime(1_700_000_000_000_000))
///     .known_at(KnownTime(1_700_000_100_000_000))
///     .before()
///     .max_age(Span::from_hours(2));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Read {
    pub(crate) moment: Moment,
    pub(crate) known_at: Option<KnownTime>,
    pub(crate) before: bool,
    pub(crate) delay: Span,
    pub(crate) max_age: Option<Span>,
    pub(crate) stand: Stand,
}

/// The moment that a read asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Now,
    AsOf(EventTime),
    /// All versions of a span, both ends included.
    Span(EventTime, EventTime),
}

/// Where a read stands: which commits it sees, and what it takes for now.
#[derive(Clone, Debug, Default)]
pub(crate) enum Stand {
    #[default]
    Newest,
    Snapshot(Snapshot),
    Stamp(Stamp),
}

impl Read {
    const fn of(moment: Moment) -> Self {
        Self {
            moment,
            known_at: None,
            before: false,
            delay: Span::ZERO,
            max_age: None,
            stand: Stand::Newest,
        }
    }

    /// As of now.
    pub const fn latest() -> Self {
        Self::of(Moment::Now)
    }

    /// As of a moment, itself included. It may lie in the future of the clock.
    pub const fn as_of(t: EventTime) -> Self {
        Self::of(Moment::AsOf(t))
    }

    /// As of what the clock said at a stamp, seen from its commit: what [`Read::latest`] was answered that
    /// returned it. To repeat any other read add [`Read::stamp`] to it.
    pub fn at(stamp: Stamp) -> Self {
        Self::of(Moment::Now).stamp(stamp)
    }

    /// Only what was known at a moment, itself included.
    pub const fn known_at(mut self, k: KnownTime) -> Self {
        self.known_at = Some(k);
        self
    }

    /// The moment itself excluded: as of one microsecond earlier.
    pub const fn before(mut self) -> Self {
        self.before = true;
        self
    }

    /// As of the moment minus `delay`.
    pub const fn delay(mut self, delay: Span) -> Self {
        self.delay = delay;
        self
    }

    /// A limit on age tighter than the TTL; never looser.
    pub const fn max_age(mut self, max_age: Span) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Seen from a held snapshot, in place of a stamp.
    pub fn snapshot(mut self, snapshot: &Snapshot) -> Self {
        self.stand = Stand::Snapshot(snapshot.clone());
        self
    }

    /// Seen from the commit of a stamp, with its clock, in place of a snapshot.
    pub fn stamp(mut self, stamp: Stamp) -> Self {
        self.stand = Stand::Stamp(stamp);
        self
    }
}

/// How a join reads: the moments come with the spine's rows.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct JoinOptions {
    pub(crate) known: JoinKnown,
    pub(crate) before: bool,
    pub(crate) delay: Span,
    pub(crate) max_age: Option<Span>,
    pub(crate) stand: Stand,
    pub(crate) threads: Option<usize>,
}

/// What a join's row may have known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum JoinKnown {
    #[default]
    Anything,
    At(KnownTime),
    RowLess(Span),
}

impl JoinOptions {
    /// Every row as of its own time, itself included; whatever is known by now.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only what was known at a moment, the same for all rows.
    pub const fn known_at(mut self, k: KnownTime) -> Self {
        self.known = JoinKnown::At(k);
        self
    }

    /// Only what was known at each row's own time, less a lag.
    pub const fn known_at_row(mut self, lag: Span) -> Self {
        self.known = JoinKnown::RowLess(lag);
        self
    }

    /// Each row's own time excluded.
    pub const fn before(mut self) -> Self {
        self.before = true;
        self
    }

    /// Each row as of its own time minus `delay`.
    pub const fn delay(mut self, delay: Span) -> Self {
        self.delay = delay;
        self
    }

    /// A limit on age tighter than the TTL; never looser.
    pub const fn max_age(mut self, max_age: Span) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Seen from a held snapshot, in place of a stamp.
    pub fn snapshot(mut self, snapshot: &Snapshot) -> Self {
        self.stand = Stand::Snapshot(snapshot.clone());
        self
    }

    /// Seen from the commit of a stamp, with its clock, in place of a snapshot: a join with the same spine
    /// and options as the one that told [the stamp](crate::Joined::stamp) is answered the same.
    pub fn stamp(mut self, stamp: Stamp) -> Self {
        self.stand = Stand::Stamp(stamp);
        self
    }

    /// How many threads may work on it; default: as many as there are cores.
    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }
}
