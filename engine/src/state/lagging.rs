//! The clock that compaction relies on: the least reading of the last while.
//!
//! What compaction drops is gone, so a clock that jumps ahead and is soon set right must have cost
//! nothing: bounds that are recorded for it use the least reading of the last ten minutes (by
//! default) of the process's running time.

use std::collections::VecDeque;

use asofdb_format::ids::{EventTime, Span};
use parking_lot::Mutex;

use crate::world::clock::Clock;

/// Readings of the clock.
#[derive(Debug)]
pub(crate) struct LaggingClock {
    lag: Span,
    /// (running time, reading), ascending in both: a reading is dropped when a later one is lower.
    readings: Mutex<VecDeque<(Span, EventTime)>>,
}

impl LaggingClock {
    pub(crate) const fn new(lag: Span) -> Self {
        Self { lag, readings: Mutex::new(VecDeque::new()) }
    }

    /// Takes the moment of the newest commit for the readings before an opening: a clock that is
    /// wrong when a machine comes up is not relied on either.
    pub(crate) fn opened(&self, clock: &dyn Clock, newest: EventTime) {
        let (running, now) = (clock.running(), clock.now());
        Self::push(&mut self.readings.lock(), running, newest.min(now));
    }

    fn push(readings: &mut VecDeque<(Span, EventTime)>, running: Span, now: EventTime) {
        while readings.back().is_some_and(|(_, reading)| *reading >= now) {
            readings.pop_back();
        }
        readings.push_back((running, now));
    }

    /// Reads the clock, and tells the least reading of the last while.
    pub(crate) fn read(&self, clock: &dyn Clock) -> EventTime {
        let now = clock.now();
        if self.lag == Span::ZERO {
            return now;
        }
        let running = clock.running();
        let mut readings = self.readings.lock();
        // A lower reading of just before stands for this one: that is only ever more careful, and
        // keeps the readings few.
        let grain = self.lag.micros() / 128;
        let stands = |(since, reading): &(Span, EventTime)| {
            *reading <= now && running.micros() - since.micros() < grain
        };
        if !readings.back().is_some_and(stands) {
            Self::push(&mut readings, running, now);
        }
        // The newest reading from before the while stands for the time up to the next one.
        let since = Span::from_micros(running.micros() - self.lag.micros()).unwrap_or(Span::ZERO);
        while readings.get(1).is_some_and(|(running, _)| *running <= since) {
            readings.pop_front();
        }
        readings.front().map_or(now, |(_, reading)| *reading)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Hands(AtomicI64, AtomicI64);

    impl Clock for Hands {
        fn now(&self) -> EventTime {
            EventTime(self.0.load(Ordering::Relaxed))
        }

        fn running(&self) -> Span {
            Span::from_micros(self.1.load(Ordering::Relaxed)).unwrap()
        }
    }

    fn read(lagging: &LaggingClock, wall: i64, running: i64) -> i64 {
        lagging.read(&Hands(wall.into(), running.into())).0
    }

    #[test]
    fn a_jump_that_is_set_right_within_the_lag_is_never_relied_on() {
        let lagging = LaggingClock::new(Span::from_micros(100).unwrap());
        assert_eq!(read(&lagging, 1000, 0), 1000);
        assert_eq!(read(&lagging, 9_000_000, 50), 1000);
        assert_eq!(read(&lagging, 9_000_090, 99), 1000);
        assert_eq!(read(&lagging, 1150, 150), 1000);
        assert_eq!(read(&lagging, 1260, 260), 1150);
        assert_eq!(read(&lagging, 1400, 400), 1260);
    }

    #[test]
    fn a_clock_that_is_wrong_at_an_opening_is_relied_on() {
        let lagging = LaggingClock::new(Span::from_micros(100).unwrap());
        lagging.opened(&Hands(9_000_000.into(), 7.into()), EventTime(1000));
        assert_eq!(read(&lagging, 9_000_000, 7), 1000);
        assert_eq!(read(&lagging, 9_000_090, 97), 1000);
        assert_eq!(read(&lagging, 1200, 98), 1000);
        assert_eq!(read(&lagging, 1300, 198), 1200);
    }

    #[test]
    fn a_step_back_is_followed_at_once() {
        let lagging = LaggingClock::new(Span::from_micros(100).unwrap());
        assert_eq!(read(&lagging, 1000, 0), 1000);
        assert_eq!(read(&lagging, 400, 10), 400);
    }
}
