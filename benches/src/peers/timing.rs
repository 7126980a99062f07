//! Times of calls: each alone, and of blocks of calls, in which the clock costs nothing.

use std::time::Instant;

/// Calls that are timed as one.
pub const BLOCK: usize = 64;

/// Times of calls in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Times {
    nanos: Vec<u32>,
}

impl Times {
    /// Adds one.
    pub fn push(&mut self, since: Instant) {
        self.nanos.push(u32::try_from(since.elapsed().as_nanos()).unwrap_or(u32::MAX));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.nanos.len()
    }

    /// The time below which a share of them lies, less what the clock costs.
    pub fn at(&mut self, share: f64) -> f64 {
        self.nanos.sort_unstable();
        #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a place")]
        let place = ((self.nanos.len().max(1) - 1) as f64 * share) as usize;
        let nanos = self.nanos.get(place).copied().unwrap_or_default();
        (f64::from(nanos) - clock_cost()).max(0.0)
    }
}

/// What reading the clock twice costs, in nanoseconds.
pub fn clock_cost() -> f64 {
    static COST: std::sync::OnceLock<f64> = std::sync::OnceLock::new();
    *COST.get_or_init(|| {
        let mut nanos: Vec<u128> =
            (0..100_000).map(|_| Instant::now()).map(|from| from.elapsed().as_nanos()).collect();
        nanos.sort_unstable();
        nanos[nanos.len() / 2] as f64
    })
}

/// Figures of one line for one entrant, in nanoseconds a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    /// Half of the calls took at most so long.
    pub p50: f64,
    /// Of a hundred calls, 99.
    pub p99: f64,
    /// Of a thousand calls, 999.
    pub p999: f64,
    /// The middle one of the blocks, a call.
    pub block: f64,
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// The middle of the rounds of a line, figure by figure.
pub fn middle(rounds: &[Latency]) -> Latency {
    let of = |pick: fn(&Latency) -> f64| median(rounds.iter().map(pick).collect());
    Latency { p50: of(|r| r.p50), p99: of(|r| r.p99), p999: of(|r| r.p999), block: of(|r| r.block) }
}

/// A time as it is read.
pub fn nanos(nanos: f64) -> String {
    match nanos {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e4 => format!("{:.2} µs", n / 1e3),
        n if n < 1e6 => format!("{:.1} µs", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}
