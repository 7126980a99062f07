//! The real scheduler: a thread for each work.
//!
//! Invariants: a thread sleeps unless it was notified or its work asked for a step by now, and any
//! number of notices that come before it looks are one; it looks at whether it should end between
//! two steps; a panic inside a step ends this one work and tells it so, and never reaches the host.

use std::any::Any;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::scheduler::{Scheduler, Work, Worker};

/// A thread for each work, and as many as there are cores for jobs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

impl Scheduler for Threads {
    fn start(&self, name: &str, work: Arc<dyn Work>) -> Box<dyn Worker> {
        let bell = Arc::new(Bell::default());
        let (heard, stepped) = (Arc::clone(&bell), Arc::clone(&work));
        let started = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || step_when_rung(&heard, stepped.as_ref()));
        let thread = match started {
            Ok(thread) => Some(thread),
            Err(error) => {
                work.abandoned(&format!("no thread could be started: {error}"));
                None
            }
        };
        Box::new(ThreadWorker { bell, thread })
    }

    fn runs_by_itself(&self) -> bool {
        true
    }

    fn run_all(&self, jobs: Vec<Box<dyn FnOnce() + Send + '_>>) {
        let helpers = self.parallelism().min(jobs.len()).saturating_sub(1);
        let queue = Mutex::new(jobs.into_iter());
        let work_off = || {
            loop {
                // The guard must be gone before the job runs, or the others would wait for it.
                let next = queue.lock().next();
                match next {
                    Some(job) => job(),
                    None => return,
                }
            }
        };
        thread::scope(|scope| {
            let mut started = Vec::with_capacity(helpers);
            for _ in 0..helpers {
                // Where no more threads are to be had, those that there are do all the jobs.
                let Ok(thread) = thread::Builder::new().spawn_scoped(scope, work_off) else {
                    break;
                };
                started.push(thread);
            }
            work_off();
            for thread in started {
                if let Err(panic) = thread.join() {
                    resume_unwind(panic);
                }
            }
        });
    }

    #[expect(clippy::disallowed_methods, reason = "this is where a pause comes to the real thread")]
    fn pause(&self, length: Duration) {
        thread::sleep(length);
    }

    fn parallelism(&self) -> usize {
        // Finding out reads files on Linux, which is too slow to do for every call.
        static CORES: OnceLock<usize> = OnceLock::new();
        *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
    }
}

/// How a worker reaches its thread.
#[derive(Debug, Default)]
struct Bell {
    state: Mutex<Rung>,
    rings: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    notified: bool,
    ended: bool,
}

impl Bell {
    /// Waits for a notice, or so long; `false` if it is time to end.
    fn wait(&self, at_most: Option<Duration>) -> bool {
        let mut state = self.state.lock();
        while !state.notified && !state.ended {
            match at_most {
                None => self.rings.wait(&mut state),
                Some(at_most) if self.rings.wait_for(&mut state, at_most).timed_out() => break,
                Some(_) => {}
            }
        }
        state.notified = false;
        !state.ended
    }

    fn ended(&self) -> bool {
        self.state.lock().ended
    }
}

fn step_when_rung(bell: &Bell, work: &dyn Work) {
    while bell.wait(work.again_in()) {
        loop {
            // What the work shares with others may be left half changed by a panic; its own
            // `abandoned` is what keeps them from relying on it.
            match catch_unwind(AssertUnwindSafe(|| work.step())) {
                Ok(true) if !bell.ended() => {}
                Ok(_) => break,
                Err(panic) => {
                    let reason = format!("a step panicked: {}", message(panic.as_ref()));
                    let _ = catch_unwind(AssertUnwindSafe(|| work.abandoned(&reason)));
                    return;
                }
            }
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// A thread that steps one work.
#[derive(Debug)]
struct ThreadWorker {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Worker for ThreadWorker {
    fn notify(&self) {
        self.bell.state.lock().notified = true;
        self.bell.rings.notify_one();
    }
}

impl Drop for ThreadWorker {
    fn drop(&mut self) {
        self.bell.state.lock().ended = true;
        self.bell.rings.notify_one();
        let Some(thread) = self.thread.take() else { return };
        // A step may itself hold the last reference to what owns this worker. A thread cannot
        // wait for its own end; it ends after this step.
        if thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
