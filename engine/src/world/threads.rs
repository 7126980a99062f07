//! The real scheduler: a thread for each work.
//!
//! Invariants: a thread sleeps unless it was notified or its work asked for a step by now, and any
//! number of notices that come before it looks are one; it looks at whether it should end between
//! two steps; patient jobs are done by threads that let others go before them, and no other thread
//! steps back for them; a panic inside a step ends this one work and tells it so, and never reaches the host.

use std::any::Any;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle, Scope, ScopedJoinHandle};
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
        let queue = Queue::new(jobs);
        thread::scope(|scope| {
            let started = start_all(scope, helpers, || queue.work_off());
            queue.work_off();
            join_all(started);
        });
    }

    fn run_patiently(&self, jobs: Vec<Box<dyn FnOnce() + Send + '_>>) {
        let helpers = self.parallelism().min(jobs.len());
        let queue = Queue::new(jobs);
        thread::scope(|scope| {
            // Threads of their own, for a thread that has stepped back may not step forward again.
            let started = start_all(scope, helpers, || {
                step_back();
                queue.work_off();
            });
            if started.is_empty() {
                queue.work_off();
            }
            join_all(started);
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

/// Jobs that no thread has taken.
struct Queue<'q>(Mutex<std::vec::IntoIter<Box<dyn FnOnce() + Send + 'q>>>);

impl<'q> Queue<'q> {
    fn new(jobs: Vec<Box<dyn FnOnce() + Send + 'q>>) -> Self {
        Self(Mutex::new(jobs.into_iter()))
    }

    fn work_off(&self) {
        loop {
            // The guard must be gone before the job runs, or the others would wait for it.
            let next = self.0.lock().next();
            match next {
                Some(job) => job(),
                None => return,
            }
        }
    }
}

/// Starts so many threads, or as many as are to be had. They have the name of the one that they help.
fn start_all<'s>(
    scope: &'s Scope<'s, '_>,
    count: usize,
    work: impl Fn() + Copy + Send + 's,
) -> Vec<ScopedJoinHandle<'s, ()>> {
    let own = thread::current();
    let start = |_| {
        let builder = thread::Builder::new();
        let builder = match own.name() {
            Some(name) => builder.name(name.to_owned()),
            None => builder,
        };
        builder.spawn_scoped(scope, work).ok()
    };
    (0..count).map_while(start).collect()
}

/// Waits for threads, and panics if one of them did.
fn join_all(threads: Vec<ScopedJoinHandle<'_, ()>>) {
    for thread in threads {
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
    }
}

/// How far a patient thread steps back, in steps of `nice`: beside one other that wants its processor
/// it gets a quarter.
#[cfg(target_os = "linux")]
const STEPS_BACK: i32 = 5;

/// Lets others go before this thread. Elsewhere than on Linux that would be the whole process.
fn step_back() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(STEPS_BACK);
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
