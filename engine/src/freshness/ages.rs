//! Ages of entities in buckets: percentiles in bounded memory, whatever the number of entities.
//!
//! Ages up to 255 µs have a bucket each; above, a power of two is cut in 128 buckets. A percentile
//! is the last age of its bucket, so it is never below the true one and at most 1/128 above it; the
//! least and the greatest age are exact. There are at most 7,296 buckets, and only those in use
//! take memory.

use std::collections::BTreeMap;

use asofdb_format::ids::Span;

/// How many bits of an age a bucket keeps behind the highest.
const KEPT_BITS: u32 = 7;

/// Percentiles of the ages of a feature's entities: for each, the least age that this part of the
/// entities does not exceed (the nearest rank).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ages {
    /// The age of the youngest.
    pub p0: Span,
    /// Half of them are at most so old.
    pub p50: Span,
    /// Nine in ten are at most so old.
    pub p90: Span,
    /// Ninety-nine in a hundred are at most so old.
    pub p99: Span,
    /// The age of the oldest.
    pub p100: Span,
}

impl Ages {
    /// The ages that `percentile` tells of 0, 50, 90, 99 and 100.
    pub(super) fn of(mut percentile: impl FnMut(u64) -> Option<Span>) -> Option<Self> {
        Some(Self {
            p0: percentile(0)?,
            p50: percentile(50)?,
            p90: percentile(90)?,
            p99: percentile(99)?,
            p100: percentile(100)?,
        })
    }
}

/// How many of `count` lie at or below a percentile; at least one.
pub(super) fn nearest_rank(percent: u64, count: u64) -> u64 {
    let rank = (u128::from(percent) * u128::from(count)).div_ceil(100);
    u64::try_from(rank).unwrap_or(u64::MAX).max(1)
}

/// The age of something at `then`, seen from `now`; 0 if it lies ahead.
pub(super) fn age(now: i64, then: i64) -> Span {
    let age = i128::from(now) - i128::from(then);
    i64::try_from(age.max(0)).ok().and_then(Span::from_micros).unwrap_or(Span::MAX)
}

/// How many entities have which age.
#[derive(Clone, Debug, Default)]
pub(super) struct AgeCounts {
    buckets: BTreeMap<u16, u64>,
    count: u64,
    ends: Option<(Span, Span)>,
}

impl AgeCounts {
    pub(super) fn add(&mut self, age: Span) {
        *self.buckets.entry(bucket(age)).or_default() += 1;
        self.count += 1;
        let (least, greatest) = self.ends.unwrap_or((age, age));
        self.ends = Some((least.min(age), greatest.max(age)));
    }

    pub(super) fn ages(&self) -> Option<Ages> {
        let (least, greatest) = self.ends?;
        Ages::of(|percent| match percent {
            0 => Some(least),
            100 => Some(greatest),
            _ => {
                let mut left = nearest_rank(percent, self.count);
                let holds = |(_, count): &(&u16, &u64)| {
                    let is_here = left <= **count;
                    left = left.saturating_sub(**count);
                    is_here
                };
                let (bucket, _) = self.buckets.iter().find(holds)?;
                Some(last_of(*bucket).clamp(least, greatest))
            }
        })
    }
}

/// The bucket of an age.
fn bucket(age: Span) -> u16 {
    let age = age.micros().unsigned_abs();
    let power = age.checked_ilog2().unwrap_or(0);
    let Some(dropped) = power.checked_sub(KEPT_BITS) else {
        return u16::try_from(age).unwrap_or(u16::MAX);
    };
    // The bits kept, the highest among them, count from 128 to 255.
    let place = (u64::from(dropped) << KEPT_BITS) + (age >> dropped);
    u16::try_from(place).unwrap_or(u16::MAX)
}

/// The greatest age of a bucket.
fn last_of(bucket: u16) -> Span {
    let bucket = u64::from(bucket);
    let Some(dropped) = (bucket >> KEPT_BITS).checked_sub(1) else {
        return Span::from_micros(bucket.cast_signed()).unwrap_or(Span::MAX);
    };
    let kept = bucket - (dropped << KEPT_BITS);
    let next = u128::from(kept + 1) << dropped;
    i64::try_from(next - 1).ok().and_then(Span::from_micros).unwrap_or(Span::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(micros: i64) -> Span {
        Span::from_micros(micros).unwrap()
    }

    #[test]
    fn a_bucket_is_wider_than_said_or_leaves_a_gap() {
        let mut ages: Vec<i64> = (0..70_000).collect();
        for power in 16..63 {
            let at = 1i64 << power;
            ages.extend([at - 1, at, at + 1, at + at / 3, at + (at - 1)]);
        }
        ages.push(i64::MAX);
        ages.sort_unstable();
        let mut before = 0;
        for age in ages {
            let bucket = bucket(span(age));
            assert!(bucket >= before, "{age}");
            before = bucket;
            let last = last_of(bucket).micros();
            assert!(last >= age && last - age <= age / 128, "{age} in a bucket up to {last}");
            if last < i64::MAX {
                assert_eq!(super::bucket(span(last + 1)), bucket + 1, "{age}");
            }
        }
        assert_eq!(before, 7_295, "the last bucket");
    }

    #[test]
    fn a_percentile_is_off_by_more_than_said() {
        let mut counts = AgeCounts::default();
        assert_eq!(counts.ages(), None);
        let all: Vec<i64> = (0..1000).map(|n| n * n * 17 + 3).collect();
        all.iter().for_each(|age| counts.add(span(*age)));
        let ages = counts.ages().unwrap();
        assert_eq!((ages.p0, ages.p100), (span(3), span(999 * 999 * 17 + 3)));
        for (found, rank) in [(ages.p50, 500), (ages.p90, 900), (ages.p99, 990)] {
            let exact = all[rank - 1];
            assert!(found.micros() >= exact && found.micros() - exact <= exact / 128, "{rank}");
        }
        let mut one = AgeCounts::default();
        one.add(Span::MAX);
        assert_eq!(one.ages().unwrap().p50, Span::MAX);
        assert_eq!(age(i64::MAX, i64::MIN), Span::MAX);
        assert_eq!(age(3, 4), Span::ZERO);
    }
}
