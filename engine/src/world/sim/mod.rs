//! The simulated world: a disk in memory, a clock and a scheduler that stand still.
//!
//! Invariant: nothing here asks the outside for anything, so that a program with a seed does the
//! same things on every machine, through crashes and faults alike.
//!
//! ```text
//! let sim = SimWorld::new(EventTime(0));
//! // open a store on sim.world(), write to it, sync some of it ...
//! let sim = sim.after_power_cut(seed, CrashPolicy::default());
//! // open the store again on sim.world(): what was acknowledged as durable must be there
//! ```
//!
//! To stop a program at each of its operations in turn, take the device away from there on:
//!
//! ```text
//! for number in 0.. {
//!     let sim = SimWorld::new(EventTime(0));
//!     sim.disk.fail_from(number, Fault::Error(ErrorKind::Other));
//!     // run the program: it must end in an error ...
//!     if sim.disk.faults_hit() == 0 {
//!         break; // it has no operation of this number: all were tried
//!     }
//!     // open the store again on sim.after_power_cut(seed, policy), and on sim.after_kill()
//! }
//! ```

pub mod disk;
pub mod faults;
mod file;
mod handle;
mod inspect;
mod names;
pub mod rng;

use std::sync::Arc;

use asofdb_format::ids::EventTime;

pub use self::disk::{CrashPolicy, SimDisk};
pub use self::faults::{Fault, Hit, Injected, Operation};
pub use self::rng::Rng;
use super::World;
use super::clock::{Clock, ManualClock};
use super::scheduler::Manual;

/// A simulated disk, clock and scheduler, within reach of the test that moves them.
#[derive(Clone, Debug)]
pub struct SimWorld {
    /// Where files are.
    pub disk: Arc<SimDisk>,
    /// What time it is.
    pub clock: Arc<ManualClock>,
    /// Who does background work.
    pub scheduler: Arc<Manual>,
}

impl SimWorld {
    /// A world with an empty disk at a moment.
    #[must_use]
    pub fn new(now: EventTime) -> Self {
        Self::with_disk(SimDisk::new(), now)
    }

    /// A world that was started at a moment, with this disk.
    #[must_use]
    pub fn with_disk(disk: SimDisk, now: EventTime) -> Self {
        Self {
            disk: Arc::new(disk),
            clock: Arc::new(ManualClock::new(now)),
            scheduler: Arc::new(Manual::new()),
        }
    }

    /// What a store is opened with.
    #[must_use]
    pub fn world(&self) -> World {
        World {
            disk: Arc::<SimDisk>::clone(&self.disk),
            clock: Arc::<ManualClock>::clone(&self.clock),
            scheduler: Arc::<Manual>::clone(&self.scheduler),
        }
    }

    /// The world in which the machine was switched on again after the power went out just now.
    /// This one goes on as if nothing had happened.
    #[must_use]
    pub fn after_power_cut(&self, seed: u64, policy: CrashPolicy) -> Self {
        Self::with_disk(self.disk.crash_clone(seed, policy), self.clock.now())
    }

    /// The world in which the process was killed just now and another one is started: everything
    /// written is there, but what was not synced can still be lost to a power cut. This one goes
    /// on as if nothing had happened.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        Self::with_disk(self.disk.crash_clone_all(), self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::world::disk::Disk;

    #[test]
    fn the_parts_a_test_holds_are_those_the_store_sees() {
        let sim = SimWorld::new(EventTime(7));
        let world = sim.world();
        world.disk.create(Path::new("/a")).unwrap();
        assert_eq!(sim.disk.files(), [("/a".into(), 0)]);
        sim.clock.set(EventTime(9));
        assert_eq!(world.clock.now(), EventTime(9));
        assert!(!world.scheduler.runs_by_itself());
    }

    #[test]
    fn a_new_process_starts_with_the_wall_clock_of_the_old_one_and_no_running_time() {
        let sim = SimWorld::new(EventTime(7));
        sim.clock.advance(asofdb_format::ids::Span::from_secs(1));
        sim.disk.create(Path::new("/a")).unwrap();
        let killed = sim.after_kill();
        assert_eq!(killed.clock.now(), EventTime(1_000_007));
        assert_eq!(killed.clock.running().micros(), 0);
        assert_eq!(killed.disk.files().len(), 1);
        let cut = killed.after_power_cut(0, CrashPolicy::STRICT);
        assert_eq!(cut.disk.files().len(), 0, "a kill made nothing durable");
    }
}
