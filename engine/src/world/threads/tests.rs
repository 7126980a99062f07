//! What can go wrong with threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;

const LONG: Duration = Duration::from_secs(20);

/// Work that reports each step and waits for leave to end it.
struct Gate {
    entered: Sender<()>,
    leave: Mutex<Receiver<bool>>,
    steps: AtomicUsize,
}

fn gate() -> (Arc<Gate>, Receiver<()>, Sender<bool>) {
    let ((entered, seen), (give, leave)) = (channel(), channel());
    let steps = AtomicUsize::new(0);
    (Arc::new(Gate { entered, leave: Mutex::new(leave), steps }), seen, give)
}

impl Work for Gate {
    fn step(&self) -> bool {
        self.steps.fetch_add(1, Ordering::SeqCst);
        let _ = self.entered.send(());
        self.leave.lock().recv_timeout(LONG).unwrap_or(false)
    }
}

#[test]
fn nothing_is_stepped_before_it_is_notified() {
    let (work, seen, _give) = gate();
    let worker = Threads.start("quiet", work.clone());
    assert!(seen.recv_timeout(Duration::from_millis(30)).is_err());
    drop(worker);
    assert_eq!(work.steps.load(Ordering::SeqCst), 0);
}

#[test]
fn a_notice_during_a_step_leads_to_one_more_step_and_no_more() {
    let (work, seen, give) = gate();
    let worker = Threads.start("one-more", work.clone());
    worker.notify();
    seen.recv_timeout(LONG).unwrap();
    for _ in 0..100 {
        worker.notify();
    }
    give.send(false).unwrap();
    seen.recv_timeout(LONG).unwrap();
    give.send(false).unwrap();
    assert!(seen.recv_timeout(Duration::from_millis(30)).is_err());
    assert_eq!(work.steps.load(Ordering::SeqCst), 2);
}

#[test]
fn a_step_that_asks_for_more_is_followed_without_a_notice() {
    let (work, seen, give) = gate();
    let worker = Threads.start("more", work);
    worker.notify();
    for more in [true, true, false] {
        seen.recv_timeout(LONG).unwrap();
        give.send(more).unwrap();
    }
    assert!(seen.recv_timeout(Duration::from_millis(30)).is_err());
    drop(worker);
}

#[test]
fn dropping_a_worker_waits_for_the_step_under_way() {
    struct Slow(Sender<()>, Arc<AtomicBool>);
    impl Work for Slow {
        fn step(&self) -> bool {
            let _ = self.0.send(());
            thread::park_timeout(Duration::from_millis(50));
            self.1.store(true, Ordering::SeqCst);
            true
        }
    }
    let (entered, seen) = channel();
    let ended = Arc::new(AtomicBool::new(false));
    let worker = Threads.start("slow", Arc::new(Slow(entered, Arc::clone(&ended))));
    worker.notify();
    seen.recv_timeout(LONG).unwrap();
    drop(worker);
    assert!(ended.load(Ordering::SeqCst));
    assert!(seen.recv_timeout(LONG).is_err(), "the work was let go of and stepped no more");
}

#[test]
fn a_step_may_drop_its_own_worker() {
    struct Last(Mutex<Option<Box<dyn Worker>>>, Sender<()>);
    impl Work for Last {
        fn step(&self) -> bool {
            drop(self.0.lock().take());
            let _ = self.1.send(());
            true
        }
    }
    let (done, seen) = channel();
    let work = Arc::new(Last(Mutex::new(None), done));
    let worker = Threads.start("last", work.clone());
    let mut kept = work.0.lock();
    worker.notify();
    *kept = Some(worker);
    drop(kept);
    seen.recv_timeout(LONG).unwrap();
    assert!(seen.recv_timeout(Duration::from_millis(30)).is_err(), "it went on");
}

#[test]
fn a_panic_in_a_step_ends_this_work_and_not_the_process() {
    struct Bad(Sender<String>);
    impl Work for Bad {
        fn step(&self) -> bool {
            panic!("on purpose");
        }
        fn abandoned(&self, reason: &str) {
            let _ = self.0.send(reason.to_owned());
        }
    }
    let (told, reasons) = channel();
    let worker = Threads.start("bad", Arc::new(Bad(told)));
    worker.notify();
    assert_eq!(reasons.recv_timeout(LONG).unwrap(), "a step panicked: on purpose");
    worker.notify();
    drop(worker);
    assert!(reasons.try_recv().is_err());
}

#[test]
fn all_jobs_are_run_however_few_the_threads() {
    let sum = AtomicUsize::new(0);
    let jobs = (0..1000).map(|n| {
        let sum = &sum;
        Box::new(move || {
            sum.fetch_add(n, Ordering::SeqCst);
        }) as Box<dyn FnOnce() + Send + '_>
    });
    Threads.run_all(jobs.collect());
    assert_eq!(sum.load(Ordering::SeqCst), 499_500);
    Threads.run_all(Vec::new());
}

#[test]
fn a_job_that_panics_is_not_passed_over() {
    let ran = AtomicUsize::new(0);
    let ran_all = catch_unwind(AssertUnwindSafe(|| {
        let mut jobs: Vec<Box<dyn FnOnce() + Send + '_>> = vec![Box::new(|| panic!("a job"))];
        jobs.push(Box::new(|| {
            ran.fetch_add(1, Ordering::SeqCst);
        }));
        Threads.run_all(jobs);
    }));
    assert!(ran_all.is_err());
}

/// A thread that stepped back for a merge would serve more slowly from then on.
#[test]
#[cfg(target_os = "linux")]
fn who_waits_for_patient_jobs_does_not_step_back() {
    let nice = || rustix::process::getpriority_process(None).unwrap();
    let own = nice();
    let in_jobs: Mutex<Vec<i32>> = Mutex::default();
    let job = || Box::new(|| in_jobs.lock().push(nice())) as Box<dyn FnOnce() + Send + '_>;
    Threads.run_patiently((0..5).map(|_| job()).collect());
    assert_eq!(in_jobs.into_inner(), [(own + STEPS_BACK).min(19); 5]);
    assert_eq!(nice(), own);
}

#[test]
fn a_patient_job_that_panics_is_not_passed_over() {
    let jobs: Vec<Box<dyn FnOnce() + Send + '_>> = vec![Box::new(|| panic!("a job"))];
    assert!(catch_unwind(AssertUnwindSafe(|| Threads.run_patiently(jobs))).is_err());
}

/// Who looks for the threads of merges, in a profile or a trace, finds them by their name.
#[test]
fn threads_that_help_have_the_name_of_whom_they_help() {
    let names: Mutex<Vec<Option<String>>> = Mutex::default();
    let tell = || names.lock().push(thread::current().name().map(ToOwned::to_owned));
    let job = || Box::new(tell) as Box<dyn FnOnce() + Send + '_>;
    thread::scope(|scope| {
        let helped = thread::Builder::new().name("helped".to_owned());
        let work = || Threads.run_patiently((0..3).map(|_| job()).collect());
        helped.spawn_scoped(scope, work).unwrap().join().unwrap();
    });
    let helped = Some("helped".to_owned());
    assert_eq!(names.into_inner(), [helped.clone(), helped.clone(), helped]);
}
