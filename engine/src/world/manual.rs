//! The scheduler of tests: nothing happens until a test says so.
//!
//! Invariants: a work is stepped by the thread that asks for it and by no other; the works take
//! turns in the order in which they were taken on, so that the same calls do the same things. A
//! panic inside a step reaches whoever stepped.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::{Mutex, ReentrantMutex};

use super::scheduler::{Scheduler, Work, Worker};

/// A scheduler that never runs by itself.
#[derive(Debug, Default)]
pub struct Manual {
    works: Arc<Mutex<Works>>,
}

#[derive(Debug, Default)]
struct Works {
    taken_on: BTreeMap<u64, Entry>,
    next: u64,
    last_stepped: u64,
}

#[derive(Clone)]
struct Entry {
    name: String,
    work: Arc<dyn Work>,
    notified: bool,
    // Held during a step; it can be taken again by the step itself, which may drop its own worker.
    busy: Arc<ReentrantMutex<()>>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, if self.notified { " (notified)" } else { "" })
    }
}

impl Manual {
    /// A scheduler without any work.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Does one step of the work whose turn it is among those that were notified; whether there
    /// was one. A work that says that there may be more to do counts as notified again.
    pub fn step_one(&self) -> bool {
        let chosen = self.works.lock().next_notified();
        chosen.is_some_and(|number| self.step(number))
    }

    /// Does one step of the work of this name that was taken on first, notified or not; whether
    /// there is one.
    pub fn step_named(&self, name: &str) -> bool {
        let chosen = {
            let works = self.works.lock();
            works.taken_on.iter().find(|(_, entry)| entry.name == name).map(|(number, _)| *number)
        };
        chosen.is_some_and(|number| self.step(number))
    }

    /// Steps until no work is notified; how many steps that took.
    pub fn step_all(&self) -> usize {
        let mut steps = 0;
        while self.step_one() {
            steps += 1;
        }
        steps
    }

    /// The names of the works that were notified and wait for a step, in the order in which they
    /// were taken on.
    #[must_use]
    pub fn waiting(&self) -> Vec<String> {
        let works = self.works.lock();
        let notified = works.taken_on.values().filter(|entry| entry.notified);
        notified.map(|entry| entry.name.clone()).collect()
    }

    /// The names of all works, in the order in which they were taken on.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.works.lock().taken_on.values().map(|entry| entry.name.clone()).collect()
    }

    fn step(&self, number: u64) -> bool {
        let Some(busy) = self.works.lock().taken_on.get(&number).map(|e| Arc::clone(&e.busy))
        else {
            return false;
        };
        let _busy = busy.lock();
        let entry = {
            let mut works = self.works.lock();
            works.last_stepped = number;
            // It may have been dropped while this thread waited for another one's step.
            let Some(entry) = works.taken_on.get_mut(&number) else { return false };
            // A notice that comes during the step must not be lost with the one before it.
            entry.notified = false;
            entry.clone()
        };
        if entry.work.step()
            && let Some(entry) = self.works.lock().taken_on.get_mut(&number)
        {
            entry.notified = true;
        }
        true
    }
}

impl Works {
    fn next_notified(&self) -> Option<u64> {
        let after = self.taken_on.range((Bound::Excluded(self.last_stepped), Bound::Unbounded));
        let before = self.taken_on.range(..=self.last_stepped);
        after.chain(before).find(|(_, entry)| entry.notified).map(|(number, _)| *number)
    }
}

impl Scheduler for Manual {
    fn start(&self, name: &str, work: Arc<dyn Work>) -> Box<dyn Worker> {
        let mut works = self.works.lock();
        works.next += 1;
        let number = works.next;
        let entry = Entry { name: name.to_owned(), work, notified: false, busy: Arc::default() };
        works.taken_on.insert(number, entry);
        Box::new(ManualWorker { works: Arc::clone(&self.works), number })
    }

    fn runs_by_itself(&self) -> bool {
        false
    }

    fn run_all(&self, jobs: Vec<Box<dyn FnOnce() + Send + '_>>) {
        jobs.into_iter().for_each(|job| job());
    }

    fn parallelism(&self) -> usize {
        1
    }
}

/// A work that waits for a test to step it.
#[derive(Debug)]
struct ManualWorker {
    works: Arc<Mutex<Works>>,
    number: u64,
}

impl Worker for ManualWorker {
    fn notify(&self) {
        if let Some(entry) = self.works.lock().taken_on.get_mut(&self.number) {
            entry.notified = true;
        }
    }
}

impl Drop for ManualWorker {
    fn drop(&mut self) {
        // The entry is let go of outside the lock: what the work owns may itself be a worker.
        let entry = self.works.lock().taken_on.remove(&self.number);
        if let Some(entry) = entry {
            // Waits for a step that another thread is in.
            drop(entry.busy.lock());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Work that writes down its steps and has more to do so many times.
    struct Steps(&'static str, Mutex<usize>, Arc<Mutex<Vec<&'static str>>>);

    impl Work for Steps {
        fn step(&self) -> bool {
            self.2.lock().push(self.0);
            let mut more = self.1.lock();
            *more = more.saturating_sub(1);
            *more > 0
        }
    }

    fn start(on: &Manual, name: &'static str, steps: usize, log: &Log) -> Box<dyn Worker> {
        on.start(name, Arc::new(Steps(name, Mutex::new(steps), Arc::clone(log))))
    }

    type Log = Arc<Mutex<Vec<&'static str>>>;

    #[test]
    fn works_take_turns_and_stop_when_there_is_nothing_more() {
        let (manual, log) = (Manual::new(), Log::default());
        let a = start(&manual, "a", 3, &log);
        let b = start(&manual, "b", 2, &log);
        let _c = start(&manual, "c", 2, &log);
        assert!(!manual.step_one(), "nobody was notified");
        a.notify();
        b.notify();
        assert_eq!(manual.waiting(), ["a", "b"]);
        assert_eq!(manual.step_all(), 5);
        assert_eq!(*log.lock(), ["a", "b", "a", "b", "a"]);
        assert_eq!(manual.step_all(), 0);
    }

    #[test]
    fn a_dropped_worker_is_stepped_no_more() {
        let (manual, log) = (Manual::new(), Log::default());
        let a = start(&manual, "a", 1, &log);
        a.notify();
        drop(a);
        assert!(!manual.step_one());
        assert!(!manual.step_named("a"));
        assert!(manual.names().is_empty() && log.lock().is_empty());
    }

    #[test]
    fn a_step_may_drop_its_own_worker_or_notify_it() {
        struct Own(Mutex<Option<Box<dyn Worker>>>, Mutex<usize>);
        impl Work for Own {
            fn step(&self) -> bool {
                let mut worker = self.0.lock();
                let mut left = self.1.lock();
                *left -= 1;
                if *left == 0 {
                    drop(worker.take());
                } else if let Some(worker) = worker.as_ref() {
                    worker.notify();
                }
                false
            }
        }
        let manual = Manual::new();
        let work = Arc::new(Own(Mutex::new(None), Mutex::new(3)));
        let worker = manual.start("own", work.clone());
        worker.notify();
        *work.0.lock() = Some(worker);
        assert_eq!(manual.step_all(), 3);
        assert!(manual.names().is_empty());
    }

    #[test]
    fn jobs_are_run_in_their_order() {
        let order = Mutex::new(Vec::new());
        let jobs = (0..10).map(|n| {
            let order = &order;
            Box::new(move || order.lock().push(n)) as Box<dyn FnOnce() + Send + '_>
        });
        Manual::new().run_all(jobs.collect());
        assert_eq!(*order.lock(), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn dropping_a_worker_waits_for_a_step_on_another_thread() {
        struct Slow(std::sync::mpsc::Sender<()>, Arc<Mutex<bool>>);
        impl Work for Slow {
            fn step(&self) -> bool {
                let mut ended = self.1.lock();
                let _ = self.0.send(());
                std::thread::park_timeout(std::time::Duration::from_millis(50));
                *ended = true;
                false
            }
        }
        let manual = Manual::new();
        let (entered, seen) = std::sync::mpsc::channel();
        let ended = Arc::new(Mutex::new(false));
        let worker = manual.start("slow", Arc::new(Slow(entered, Arc::clone(&ended))));
        std::thread::scope(|scope| {
            scope.spawn(|| manual.step_named("slow"));
            seen.recv().unwrap();
            drop(worker);
            assert!(ended.try_lock().is_some_and(|ended| *ended));
        });
    }
}
