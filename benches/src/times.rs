//! Lengths of time, counted in little memory however many there are.
//!
//! A length is told to within a thirty-second of itself.

use std::time::Duration;

/// Lengths below this are counted each by itself, and above it so many of each doubling.
const FINE: u64 = 32;

/// Counts of lengths.
#[derive(Debug, Default)]
pub struct Times {
    buckets: Vec<u64>,
    count: u64,
    longest: Duration,
}

impl Times {
    /// Counts one.
    pub fn add(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let doublings = u64::from((nanos / FINE).checked_ilog2().map_or(0, |log| log + 1));
        let shift = doublings.saturating_sub(1);
        let bucket = usize::try_from(doublings * FINE + (nanos >> shift) % FINE).unwrap_or(0);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        if let Some(counted) = self.buckets.get_mut(bucket) {
            *counted += 1;
        }
        self.count += 1;
        self.longest = self.longest.max(took);
    }

    /// How many there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    pub const fn longest(&self) -> Duration {
        self.longest
    }

    /// About the length that so many thousandths of them do not exceed.
    pub fn at(&self, thousandths: u64) -> Duration {
        let wanted = self.count.saturating_mul(thousandths) / 1000;
        let mut passed = 0;
        for (bucket, counted) in (0u64..).zip(&self.buckets) {
            passed += counted;
            if passed >= wanted.max(1) {
                let (doublings, rest) = (bucket / FINE, bucket % FINE);
                let nanos = match doublings.checked_sub(1) {
                    None => rest,
                    Some(shift) => (FINE + rest) << shift,
                };
                return Duration::from_nanos(nanos);
            }
        }
        self.longest
    }
}
