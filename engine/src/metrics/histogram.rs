//! How a quantity is spread: counts by size, in buckets that grow with the size.
//!
//! Log-linear: every power of two is split into 16 buckets of equal width, and numbers below 16
//! have a bucket each. A number is therefore known to within a sixteenth of itself (6.25 %), and
//! exactly below 32. Numbers from 2^40 on share the last bucket; the greatest of all is kept beside
//! the buckets.

use std::sync::atomic::{AtomicU64, Ordering};

use asofdb_format::wire::narrow;

use crate::metrics::snapshot::Histogram;

/// Each power of two has 2 to this many buckets.
const SPLIT: u32 = 4;

/// Numbers from 2 to this on share a bucket.
const LAST: u32 = 40;

const BUCKETS: usize = (((LAST - SPLIT + 1) << SPLIT) + 1) as usize;

/// Counts by size.
#[derive(Debug)]
pub(crate) struct Recorder {
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }
}

impl Recorder {
    pub(crate) fn record(&self, number: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(number)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(number, Ordering::Relaxed);
        self.max.fetch_max(number, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Histogram {
        let counts = self.buckets.iter().enumerate().filter_map(|(bucket, count)| {
            let count = count.load(Ordering::Relaxed);
            (count > 0).then(|| (greatest_of(bucket), count))
        });
        Histogram::new(
            counts.collect(),
            self.sum.load(Ordering::Relaxed),
            self.max.load(Ordering::Relaxed),
        )
    }
}

/// The bucket of a number.
fn bucket_of(number: u64) -> usize {
    if number >> LAST > 0 {
        return BUCKETS - 1;
    }
    if number >> SPLIT == 0 {
        return narrow(number);
    }
    let power = number.ilog2();
    let within = (number >> (power - SPLIT)) - (1 << SPLIT);
    narrow((u64::from(power - SPLIT + 1) << SPLIT) + within)
}

/// The greatest number of a bucket.
fn greatest_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let (power, within) = (bucket >> SPLIT, bucket & ((1 << SPLIT) - 1));
    match power {
        0 => bucket,
        _ if bucket + 1 == BUCKETS as u64 => u64::MAX,
        _ => (((1 << SPLIT) + within + 1) << (power - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_falls_into_a_bucket_that_does_not_reach_to_it() {
        let mut before = None;
        let edges = (0..LAST).flat_map(|power| {
            let at = 1u64 << power;
            [at.saturating_sub(1), at, at + 1, at + at / 3]
        });
        let mut numbers: Vec<u64> = (0..100).chain(edges).collect();
        numbers.sort_unstable();
        for number in numbers {
            let bucket = bucket_of(number);
            assert!(bucket < BUCKETS - 1, "{number}");
            let greatest = greatest_of(bucket);
            assert!(greatest >= number, "{number} lies above its bucket {bucket}");
            assert!(greatest - number <= number / 16, "{number} is told as {greatest}");
            assert_eq!(bucket_of(greatest), bucket, "{number}");
            if bucket > 0 {
                assert_eq!(bucket_of(greatest_of(bucket - 1)) + 1, bucket, "a gap at {number}");
            }
            assert!(before.is_none_or(|before| before <= bucket), "buckets fall at {number}");
            before = Some(bucket);
        }
        for number in [1 << LAST, u64::MAX] {
            assert_eq!(greatest_of(bucket_of(number)), u64::MAX);
        }
    }

    #[test]
    fn a_quantile_lies_below_what_it_stands_for() {
        let recorder = Recorder::default();
        assert_eq!(recorder.snapshot().quantile(0.5), None);
        (1..=1000u64).for_each(|number| recorder.record(number));
        let snapshot = recorder.snapshot();
        assert_eq!((snapshot.count(), snapshot.sum(), snapshot.max()), (1000, 500_500, 1000));
        for (q, exact) in [(0.0, 1), (0.001, 1), (0.5, 500), (0.9, 900), (0.99, 990), (1.0, 1000)] {
            let told = snapshot.quantile(q).unwrap();
            assert!(told >= exact && told <= exact + exact / 16, "{q}: {told}, not {exact}");
        }
        recorder.record(u64::MAX);
        assert_eq!(recorder.snapshot().quantile(1.0), Some(u64::MAX));
    }
}
