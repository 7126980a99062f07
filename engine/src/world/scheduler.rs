//! The scheduler: who does background work, and how work is split over cores.
//!
//! Invariants: a work is stepped by one thread at a time; a notice that comes while it is stepped
//! leads to a further step; a worker that was dropped steps no more.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

pub use super::manual::Manual;
pub use super::threads::Threads;

/// Background work that is done in steps.
pub trait Work: Send + Sync {
    /// Does one step; whether there may be more to do at once.
    fn step(&self) -> bool;
    /// How long to wait before the next step if no notice comes; `None`: for ever. Asked when there
    /// was nothing more to do at once.
    fn again_in(&self) -> Option<Duration> {
        None
    }
    /// No step will be done any more, for a reason that is not the worker's end: a step panicked,
    /// or there was no thread to be had. Whoever waits for this work should be told.
    fn abandoned(&self, reason: &str) {
        let _ = reason;
    }
}

/// Runs work.
pub trait Scheduler: Send + Sync + Debug {
    /// Takes on work that is to be stepped whenever it is notified, until the handle is dropped.
    fn start(&self, name: &str, work: Arc<dyn Work>) -> Box<dyn Worker>;
    /// Whether background work goes on by itself. If not, whoever waits for it must step it.
    fn runs_by_itself(&self) -> bool;
    /// Runs all jobs to their end, beside one another where that is possible. If a job panics, so
    /// does the call, and some of the others may not have been run.
    fn run_all(&self, jobs: Vec<Box<dyn FnOnce() + Send + '_>>);
    /// Runs all jobs to their end like [`Scheduler::run_all`], on less of the processors than others get
    /// who want them meanwhile, where that can be arranged: nobody waits for these.
    fn run_patiently(&self, jobs: Vec<Box<dyn FnOnce() + Send + '_>>) {
        self.run_all(jobs);
    }
    /// Holds the calling thread up for so long; a scheduler that does not run by itself returns at
    /// once.
    fn pause(&self, length: Duration) {
        let _ = length;
    }
    /// How many jobs may be of use beside one another.
    fn parallelism(&self) -> usize;
}

/// Work that was taken on. Dropping it waits for the step under way and ends the work.
pub trait Worker: Send + Sync + Debug {
    /// There may be something to do.
    fn notify(&self);
}
