//! Newtypes for every integer of the model that could be taken for another.
//!
//! Moments are microseconds since the Unix epoch (UTC), negative allowed; [`Span`] is a length of
//! time in microseconds, never negative. Arithmetic on moments goes through `i128` or saturates,
//! so that no comparison can wrap at the ends of `i64`.

use std::fmt;
use std::time::{Duration, SystemTime};

macro_rules! moment {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(
            /// Microseconds since the Unix epoch.
            pub i64,
        );

        impl $name {
            /// The earliest moment that can be written down.
            pub const MIN: Self = Self(i64::MIN);
            /// The latest moment that can be written down.
            pub const MAX: Self = Self(i64::MAX);

            /// The moment `span` later, or the last one if there is none so late.
            #[must_use]
            pub const fn saturating_add(self, span: Span) -> Self {
                Self(self.0.saturating_add(span.micros()))
            }

            /// The moment `span` earlier, or the first one if there is none so early.
            #[must_use]
            pub const fn saturating_sub(self, span: Span) -> Self {
                Self(self.0.saturating_sub(span.micros()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

moment! {
    /// When a value became true, or the moment a read asks about.
    EventTime
}
moment! {
    /// When a value became known to whoever would have served it.
    KnownTime
}
moment! {
    /// The sequence number of a batch, and the moment the store took it: strictly increasing.
    Commit
}

/// The microseconds since 1970 of a time of the system. What lies beyond all moments is the first or the
/// last one; parts of a microsecond are cut off.
fn micros_of(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => Span::from(since).micros(),
        Err(before) => -Span::from(before.duration()).micros(),
    }
}

impl From<SystemTime> for EventTime {
    fn from(time: SystemTime) -> Self {
        Self(micros_of(time))
    }
}

impl From<SystemTime> for KnownTime {
    fn from(time: SystemTime) -> Self {
        Self(micros_of(time))
    }
}

/// A length of time in microseconds, at least zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest span, some 292,000 years.
    pub const MAX: Self = Self(i64::MAX);

    /// A span of so many microseconds; `None` if negative.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < 0 { None } else { Some(Self(micros)) }
    }

    /// A span of so many seconds, saturating at [`Span::MAX`].
    #[must_use]
    pub const fn from_secs(secs: u32) -> Self {
        Self(secs as i64 * 1_000_000)
    }

    /// A span of so many minutes.
    #[must_use]
    pub const fn from_minutes(minutes: u32) -> Self {
        Self(minutes as i64 * 60_000_000)
    }

    /// A span of so many hours, saturating at [`Span::MAX`].
    #[must_use]
    pub const fn from_hours(hours: u32) -> Self {
        Self(hours as i64 * 3_600_000_000)
    }

    /// A span of so many days, saturating at [`Span::MAX`].
    #[must_use]
    pub const fn from_days(days: u32) -> Self {
        Self((days as i64).saturating_mul(86_400_000_000))
    }

    /// Its microseconds.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }
}

/// Saturating at [`Span::MAX`]; parts of a microsecond are cut off.
impl From<Duration> for Span {
    fn from(length: Duration) -> Self {
        i64::try_from(length.as_micros()).map_or(Self::MAX, Self)
    }
}

/// The stable number of a feature's schema inside a store; never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FeatureId(pub u32);

/// The stable number of a source label inside a store; 0 is "no source".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SourceId(pub u32);

impl SourceId {
    /// The batch had no source label.
    pub const NONE: Self = Self(0);
}

/// The number of a file of a store; names are made of it and it is never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileNumber(pub u64);

/// The random number that a store is given when it is made; every file of it carries it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreId(pub [u8; 16]);

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_system_becomes_another_moment() {
        let at = |micros: u64| Duration::from_micros(micros);
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(EventTime::from(epoch + at(1_700_000_000_000_001)).0, 1_700_000_000_000_001);
        assert_eq!(KnownTime::from(epoch - at(7)).0, -7);
        assert_eq!(Span::from(Duration::from_secs(90)), Span::from_secs(90));
        assert_eq!(Span::from(Duration::MAX), Span::MAX);
        assert_eq!(Span::from_minutes(90), Span::from_secs(5_400));
    }
}
