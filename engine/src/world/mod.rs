//! What the engine needs of the outside: a disk, a clock, a scheduler.
//!
//! Everything above this floor reaches files, time and threads through these three traits alone,
//! so that a simulation can replay, crash and fail it from a seed.

pub mod clock;
pub mod disk;
pub(crate) mod large_pages;
mod manual;
mod map;
pub(crate) mod pace;
mod real_disk;
pub mod scheduler;
pub mod sim;
mod threads;

use std::sync::Arc;

/// The three together, as a store holds them.
#[derive(Clone)]
pub struct World {
    /// Where files are.
    pub disk: Arc<dyn disk::Disk>,
    /// What time it is.
    pub clock: Arc<dyn clock::Clock>,
    /// Who does background work.
    pub scheduler: Arc<dyn scheduler::Scheduler>,
}

impl World {
    /// The real disk, clock and threads.
    #[must_use]
    pub fn real() -> Self {
        Self {
            disk: Arc::new(disk::RealDisk),
            clock: Arc::new(clock::SystemClock::new()),
            scheduler: Arc::new(scheduler::Threads),
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}
