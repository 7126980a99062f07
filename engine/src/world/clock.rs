//! The clock: injected, so that data never plays it and tests can move it.
//!
//! Invariants: the wall clock may step in either direction and saturates at the ends of what an
//! [`EventTime`] can say; the running time only ever grows.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use asofdb_format::ids::{EventTime, Span};
use parking_lot::Mutex;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Tells the time.
pub trait Clock: Send + Sync + Debug {
    /// The wall clock: microseconds since the Unix epoch. It may step back.
    fn now(&self) -> EventTime;
    /// How long the process has been running; never steps back.
    fn running(&self) -> Span;
}

/// The clocks of the operating system. It runs from when it was made.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose running time starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the real clock behind the Clock trait")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> EventTime {
        since_epoch(clock_gettime(ClockId::Realtime))
    }

    fn running(&self) -> Span {
        span(self.started.elapsed())
    }
}

/// A moment of the system's clock, which may lie before 1970 on a machine without a battery: its
/// nanoseconds then count up from the second before it.
// Every latest read asks for it, and `SystemTime` takes more instructions to tell it.
#[inline]
fn since_epoch(Timespec { tv_sec, tv_nsec }: Timespec) -> EventTime {
    EventTime(tv_sec.saturating_mul(1_000_000).saturating_add(tv_nsec / 1_000))
}

fn span(duration: Duration) -> Span {
    i64::try_from(duration.as_micros()).ok().and_then(Span::from_micros).unwrap_or(Span::MAX)
}

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct ManualClock {
    hands: Mutex<Hands>,
}

#[derive(Debug, Default)]
struct Hands {
    now: EventTime,
    running: Span,
}

impl ManualClock {
    /// A clock that shows a moment and has not run yet.
    #[must_use]
    pub fn new(now: EventTime) -> Self {
        Self { hands: Mutex::new(Hands { now, running: Span::ZERO }) }
    }

    /// Time passes: both the wall clock and the running time go on.
    pub fn advance(&self, by: Span) {
        let mut hands = self.hands.lock();
        hands.now = hands.now.saturating_add(by);
        hands.running = longer(hands.running, by);
    }

    /// The wall clock is set, as by an operator; the running time does not notice.
    pub fn set(&self, now: EventTime) {
        self.hands.lock().now = now;
    }

    /// The wall clock steps back; the running time does not notice.
    pub fn step_back(&self, by: Span) {
        let mut hands = self.hands.lock();
        hands.now = hands.now.saturating_sub(by);
    }

    /// The running time goes on while the wall clock stands.
    pub fn run(&self, by: Span) {
        let mut hands = self.hands.lock();
        hands.running = longer(hands.running, by);
    }
}

fn longer(span: Span, by: Span) -> Span {
    Span::from_micros(span.micros().saturating_add(by.micros())).unwrap_or(Span::MAX)
}

impl Clock for ManualClock {
    fn now(&self) -> EventTime {
        self.hands.lock().now
    }

    fn running(&self) -> Span {
        self.hands.lock().running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_shows_this_century_and_does_not_run_back() {
        let clock = SystemClock::new();
        assert!(clock.now() > EventTime(1_577_836_800_000_000), "before 2020");
        let earlier = clock.running();
        assert!(clock.running() >= earlier);
    }

    #[test]
    fn a_moment_before_the_epoch_is_negative() {
        let at = |tv_sec, tv_nsec| since_epoch(Timespec { tv_sec, tv_nsec });
        assert_eq!(at(-1, 999_993_000), EventTime(-7));
        assert_eq!(at(0, 7_999), EventTime(7));
        assert_eq!(at(i64::MAX, 0), EventTime::MAX);
        assert_eq!(at(i64::MIN, 0), EventTime::MIN);
    }

    #[test]
    fn stepping_the_wall_clock_does_not_touch_the_running_time() {
        let clock = ManualClock::new(EventTime(100));
        clock.advance(Span::from_secs(1));
        clock.step_back(Span::from_secs(2));
        assert_eq!((clock.now(), clock.running()), (EventTime(-999_900), Span::from_secs(1)));
        clock.run(Span::from_secs(1));
        assert_eq!((clock.now(), clock.running()), (EventTime(-999_900), Span::from_secs(2)));
        clock.set(EventTime(5));
        assert_eq!((clock.now(), clock.running()), (EventTime(5), Span::from_secs(2)));
    }

    #[test]
    fn the_ends_of_time_do_not_wrap() {
        let clock = ManualClock::new(EventTime::MAX);
        clock.advance(Span::MAX);
        clock.advance(Span::MAX);
        assert_eq!((clock.now(), clock.running()), (EventTime::MAX, Span::MAX));
        clock.set(EventTime::MIN);
        clock.step_back(Span::from_secs(1));
        assert_eq!(clock.now(), EventTime::MIN);
    }
}
