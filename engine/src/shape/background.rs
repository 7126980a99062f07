//! Background work: flushing in one worker, compaction in another, so that a long merge keeps no
//! memtable waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex};

use crate::shape::{compact, flush};
use crate::state::live::Keeper;
use crate::types::error::{Error, Result};
use crate::types::events::BackgroundWork;
use crate::world::scheduler::{Work, Worker};

/// Both kinds of work, and who does them.
#[derive(Debug)]
pub(crate) struct Background {
    keeper: Arc<Keeper>,
    flushing: Mutex<()>,
    compacting: Mutex<()>,
    progress: Mutex<Progress>,
    changed: Condvar,
    workers: Mutex<Option<[Box<dyn Worker>; 2]>>,
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct Progress {
    flushed: u64,
    failed: Option<Error>,
}

impl Background {
    pub(crate) fn new(keeper: Arc<Keeper>) -> Arc<Self> {
        Arc::new(Self {
            keeper,
            flushing: Mutex::new(()),
            compacting: Mutex::new(()),
            progress: Mutex::new(Progress::default()),
            changed: Condvar::new(),
            workers: Mutex::new(None),
            stopping: AtomicBool::new(false),
        })
    }

    /// Hands the work to the scheduler.
    pub(crate) fn start(self: &Arc<Self>) {
        let scheduler = &self.keeper.options.world.scheduler;
        let work = |kind| Arc::new(Job { background: Arc::downgrade(self), kind });
        *self.workers.lock() = Some([
            scheduler.start("asofdb-flush", work(Kind::Flush)),
            scheduler.start("asofdb-compact", work(Kind::Compact)),
        ]);
    }

    /// Ends all work: no step is under way when it returns, and none begins any more.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.note(Some(&Error::Closed));
        // Dropping a worker waits for its step; no lock is held meanwhile.
        let workers = self.workers.lock().take();
        drop(workers);
        drop(self.flushing.lock());
        drop(self.compacting.lock());
    }

    fn check_running(&self) -> Result<()> {
        if self.stopping.load(Ordering::SeqCst) { Err(Error::Closed) } else { Ok(()) }
    }

    /// There may be something to flush.
    pub(crate) fn notify(&self) {
        if let Some([flush, _]) = &*self.workers.lock() {
            flush.notify();
        }
    }

    /// One step of flushing.
    pub(crate) fn flush_step(&self) -> Result<bool> {
        let flushed = {
            let _one = self.flushing.lock();
            let flushed = self.check_running().and_then(|()| flush::flush_one(&self.keeper));
            self.keeper.monitor.watched(flushed)
        };
        self.note(flushed.as_ref().err());
        if matches!(flushed, Ok(true))
            && let Some([_, compact]) = &*self.workers.lock()
        {
            compact.notify();
        }
        flushed
    }

    /// One step of compaction.
    pub(crate) fn compact_step(&self) -> Result<bool> {
        let _one = self.compacting.lock();
        self.check_running()?;
        self.keeper.monitor.watched(compact::compact_if_due(&self.keeper))
    }

    /// Merges everything.
    pub(crate) fn compact_all(&self) -> Result<()> {
        let _one = self.compacting.lock();
        self.check_running()?;
        self.keeper.monitor.watched(compact::compact_all(&self.keeper))
    }

    fn note(&self, failed: Option<&Error>) {
        let mut progress = self.progress.lock();
        progress.flushed += 1;
        progress.failed = failed.cloned();
        self.changed.notify_all();
    }

    /// Waits until there are at most so many memtables that wait for their flush.
    pub(crate) fn wait_for_room(&self, most: usize) -> Result<()> {
        let mut stall = None;
        loop {
            self.check_running()?;
            let before = self.progress.lock().flushed;
            // A worker that has died poisons first: either this sees it or the note that follows.
            self.keeper.check_writable()?;
            let waiting = self.keeper.state().memtables.len() - 1;
            if waiting <= most {
                return Ok(());
            }
            stall.get_or_insert_with(|| {
                self.keeper.monitor.stall(waiting, &*self.keeper.options.world.clock)
            });
            if !self.keeper.options.world.scheduler.runs_by_itself() {
                self.flush_step()?;
                continue;
            }
            self.notify();
            let mut progress = self.progress.lock();
            while progress.flushed == before {
                self.changed.wait(&mut progress);
            }
            if let Some(failed) = &progress.failed {
                return Err(failed.clone());
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Flush,
    Compact,
}

impl Kind {
    const fn work(self) -> BackgroundWork {
        match self {
            Self::Flush => BackgroundWork::Flush,
            Self::Compact => BackgroundWork::Compaction,
        }
    }
}

/// One kind of work, which ends with its store.
struct Job {
    background: std::sync::Weak<Background>,
    kind: Kind,
}

impl Work for Job {
    fn step(&self) -> bool {
        let Some(background) = self.background.upgrade() else { return false };
        let done = match self.kind {
            Kind::Flush => background.flush_step(),
            Kind::Compact => background.compact_step(),
        };
        // What failed is told to the writers that wait and to the listener, and is tried again
        // when notified.
        done.unwrap_or_else(|error| {
            background.keeper.monitor.background_failed(self.kind.work(), &error);
            false
        })
    }

    fn abandoned(&self, reason: &str) {
        if let Some(background) = self.background.upgrade() {
            let source = std::io::Error::other(reason.to_owned());
            let error = Error::io("go on with", &background.keeper.dir, source);
            let error = background.keeper.poison(error);
            background.note(Some(&error));
            background.keeper.monitor.background_failed(self.kind.work(), &error);
        }
    }
}
