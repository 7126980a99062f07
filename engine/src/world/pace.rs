//! A limit on how fast background work writes.
//!
//! What was written so far tells when the next bytes may be: whoever is ahead of that pauses. Some
//! bytes may always go at once, so that short work is not held up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use asofdb_format::ids::Span;
use parking_lot::Mutex;

use crate::world::World;

/// Holds writers to a number of bytes a second.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Up to which moment of the process's running time the limit is used up.
    used_up: Mutex<i64>,
    lifted: AtomicBool,
}

/// So much of the limit may be used at once after a rest, in microseconds of it.
const BURST: i64 = 100_000;

impl Pace {
    /// Holds nobody up any more: somebody waits for the work to end.
    pub(crate) fn lift(&self) {
        self.lifted.store(true, Ordering::Relaxed);
    }

    /// Tells that so many bytes are about to be written, and pauses if that is too soon.
    pub(crate) fn take(&self, bytes: u64, bytes_per_second: u64, world: &World) {
        let now = world.clock.running();
        let cost = u128::from(bytes) * 1_000_000 / u128::from(bytes_per_second.max(1));
        let cost = i64::try_from(cost).unwrap_or(i64::MAX);
        let early = {
            let mut used_up = self.used_up.lock();
            *used_up = (*used_up).max(now.micros() - BURST).saturating_add(cost);
            Span::from_micros(*used_up - now.micros()).unwrap_or(Span::ZERO)
        };
        if early > Span::ZERO && !self.lifted.load(Ordering::Relaxed) {
            world.scheduler.pause(Duration::from_micros(early.micros().unsigned_abs()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use asofdb_format::ids::EventTime;

    use super::*;
    use crate::world::clock::Clock;
    use crate::world::scheduler::{Scheduler, Work, Worker};
    use crate::world::sim::SimWorld;

    /// Its pauses are what passes of the time.
    #[derive(Debug, Default)]
    struct Paused(Mutex<i64>);

    impl Clock for Paused {
        fn now(&self) -> EventTime {
            EventTime(0)
        }

        fn running(&self) -> Span {
            Span::from_micros(*self.0.lock()).unwrap()
        }
    }

    impl Scheduler for Paused {
        fn start(&self, _: &str, _: Arc<dyn Work>) -> Box<dyn Worker> {
            unreachable!("nothing is started here")
        }

        fn runs_by_itself(&self) -> bool {
            true
        }

        fn run_all(&self, _: Vec<Box<dyn FnOnce() + Send + '_>>) {}

        fn pause(&self, length: Duration) {
            *self.0.lock() += i64::try_from(length.as_micros()).unwrap();
        }

        fn parallelism(&self) -> usize {
            1
        }
    }

    #[test]
    fn more_is_written_than_the_limit_allows() {
        let paused = Arc::new(Paused::default());
        let mut world = SimWorld::new(EventTime(0)).world();
        (world.clock, world.scheduler) = (paused.clone(), paused.clone());
        let pace = Pace::default();
        for _ in 0..1000 {
            pace.take(10_000, 1_000_000, &world);
        }
        let took = *paused.0.lock();
        assert!((9_900_000..=10_000_000).contains(&took), "{took}");
        // Who closes a store does not wait for the limit.
        pace.lift();
        pace.take(10_000_000, 1_000_000, &world);
        assert_eq!(*paused.0.lock(), took);
    }
}
