//! Background work: flushing in one worker, compaction in another, so that a long merge keeps no
//! memtable waiting. Where no merge is due, compaction does the work of erases in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use asofdb_format::certificate::ErasureCertificate;
use asofdb_format::ids::FileNumber;
use parking_lot::{Condvar, Mutex};

use crate::shape::certifying::{Done, Files, certify};
use crate::shape::erasing::{self, Erases};
use crate::shape::{compact, flush};
use crate::state::live::Keeper;
use crate::state::room::{Room, room_for};
use crate::types::error::{Error, Result};
use crate::types::events::{BackgroundWork, StallBegun};
use crate::world::scheduler::{Work, Worker};

/// Who begins logs and memtables.
pub(crate) trait Logs: Send + Sync + std::fmt::Debug {
    /// Begins others if the present ones hold anything.
    fn begin(&self) -> Result<()>;
    /// The number of the next file, when no log is just being begun.
    fn next_file(&self) -> Result<FileNumber>;
}

/// How long the work of erases rests when it has failed.
const REST: Duration = Duration::from_secs(60);

/// Both kinds of work, and who does them.
#[derive(Debug)]
pub(crate) struct Background {
    keeper: Arc<Keeper>,
    logs: Arc<dyn Logs>,
    flushing: Mutex<()>,
    compacting: Mutex<()>,
    progress: Mutex<Progress>,
    changed: Condvar,
    workers: Mutex<Option<[Box<dyn Worker>; 2]>>,
    stopping: AtomicBool,
    erasing_failed: AtomicBool,
}

#[derive(Debug, Default)]
struct Progress {
    /// Steps of either kind that ended.
    steps: u64,
    /// Why the last flush and the last compaction failed, if they did.
    failed: [Option<Error>; 2],
}

impl Background {
    pub(crate) fn new(keeper: Arc<Keeper>, logs: Arc<dyn Logs>) -> Arc<Self> {
        Arc::new(Self {
            keeper,
            logs,
            flushing: Mutex::new(()),
            compacting: Mutex::new(()),
            progress: Mutex::new(Progress::default()),
            changed: Condvar::new(),
            workers: Mutex::new(None),
            stopping: AtomicBool::new(false),
            erasing_failed: AtomicBool::new(false),
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
        self.keeper.pace.lift();
        self.note(Kind::Flush, Some(&Error::Closed));
        self.note(Kind::Compact, Some(&Error::Closed));
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
        self.notify_kind(Kind::Flush);
    }

    /// There may be something to compact, or an erase whose work has its time.
    pub(crate) fn notify_compaction(&self) {
        self.notify_kind(Kind::Compact);
    }

    /// One step of flushing.
    pub(crate) fn flush_step(&self) -> Result<bool> {
        let flushed = {
            let _one = self.flushing.lock();
            let flushed = self.check_running().and_then(|()| flush::flush_one(&self.keeper));
            self.keeper.monitor.watched(flushed)
        };
        self.note(Kind::Flush, flushed.as_ref().err());
        if matches!(flushed, Ok(true)) {
            self.notify_kind(Kind::Compact);
        }
        flushed
    }

    /// One step of compaction, or the work of erases.
    pub(crate) fn compact_step(&self) -> Result<bool> {
        let compacted = {
            let _one = self.compacting.lock();
            self.check_running()
                .and_then(|()| self.keeper.monitor.watched(compact::compact_if_due(&self.keeper)))
        };
        self.note(Kind::Compact, compacted.as_ref().err());
        let is_due = || erasing::due(&self.keeper).is_some_and(|due| due <= self.keeper.now());
        if compacted? {
            return Ok(true);
        }
        if !is_due() {
            return Ok(false);
        }
        let worked = self.erase_step();
        self.erasing_failed.store(worked.is_err(), Ordering::Relaxed);
        worked
    }

    /// One step of the work of pending erases. It waits for no flush: what is in memory is left to
    /// the worker of flushes, which calls again when it is done.
    fn erase_step(&self) -> Result<bool> {
        let keeper = &*self.keeper;
        let pending = keeper.state().taken.pending();
        let Some(newest) = pending.values().max().copied() else { return Ok(false) };
        let state = keeper.state();
        if erasing::is_in_memory(&state, newest) {
            let first = state.memtables.first();
            let begin = first.is_some_and(|first| erasing::has_any_before(first, newest));
            if begin {
                self.logs.begin()?;
            }
            self.notify();
            return Ok(begin);
        }
        drop(state);
        let _no_other = self.compacting.lock();
        self.check_running()?;
        erasing::rewrite(keeper, &pending)?;
        erasing::record_done(keeper, newest)?;
        erasing::forget_names(keeper);
        let disk = &keeper.options.world.disk;
        disk.sync_dir(&keeper.dir).map_err(|source| Error::io("sync", &keeper.dir, source))?;
        Ok(true)
    }

    /// How long the work of erases can wait, if there is any.
    fn erases_wait(&self) -> Option<Duration> {
        let wait = erasing::due(&self.keeper)?.0.saturating_sub(self.keeper.now().0);
        let wait = Duration::from_micros(wait.max(0).unsigned_abs());
        let failed = self.erasing_failed.load(Ordering::Relaxed);
        let least = if failed { REST } else { Duration::from_secs(1) };
        // The clock may be set meanwhile.
        Some(wait.clamp(least, Duration::from_secs(3600)))
    }

    /// Does the work of all erases that are pending, and tells what the files have of those that
    /// are asked about, which may have been done before.
    pub(crate) fn finish_erases(&self, asked: &Erases) -> Result<ErasureCertificate> {
        let keeper = &*self.keeper;
        let _no_other = self.compacting.lock();
        self.check_running()?;
        let before = Files::of(keeper)?;
        let pending = keeper.state().taken.pending();
        let mut erases = pending.clone();
        erases.extend(asked.iter().map(|(entity, commit)| (*entity, *commit)));
        if let Some(newest) = erases.values().max()
            && erasing::is_in_memory(&keeper.state(), *newest)
        {
            self.logs.begin()?;
            while self.flush_step()? {}
        }
        let rewritten = erasing::rewrite(keeper, &erases)?;
        if let Some(newest) = pending.values().max() {
            erasing::record_done(keeper, *newest)?;
        }
        erasing::forget_names(keeper);
        let _no_flush = self.flushing.lock();
        let next_file = self.logs.next_file()?;
        Files::clear_up(keeper, next_file)?;
        certify(keeper, Done { before, rewritten, next_file, erases: asked })
    }

    /// Merges everything.
    pub(crate) fn compact_all(&self) -> Result<()> {
        let _one = self.compacting.lock();
        self.check_running()?;
        self.keeper.monitor.watched(compact::compact_all(&self.keeper))
    }

    fn note(&self, kind: Kind, failed: Option<&Error>) {
        let mut progress = self.progress.lock();
        progress.steps += 1;
        let [flush, compact] = &mut progress.failed;
        let last = match kind {
            Kind::Flush => flush,
            Kind::Compact => compact,
        };
        *last = failed.cloned();
        self.changed.notify_all();
    }

    /// Waits until a batch may be written, doing the work that it waits for if nobody else does.
    /// What stands in the way after as much work as there is stays.
    pub(crate) fn wait_for_room(&self) -> Result<()> {
        let keeper = &self.keeper;
        let mut stall = None;
        loop {
            self.check_running()?;
            let before = self.progress.lock().steps;
            // A worker that has died poisons first: either this sees it or the note that follows.
            keeper.check_writable()?;
            let state = keeper.state();
            let kind = match room_for(&state, &keeper.options, 0) {
                Room::Free | Room::Little(_) => return Ok(()),
                Room::Memtables(_) => Kind::Flush,
                Room::Tables(_) => Kind::Compact,
            };
            stall.get_or_insert_with(|| {
                let begun = StallBegun {
                    memtables: state.memtables.len() - 1,
                    recent_tables: state.tables.recent().len(),
                };
                keeper.monitor.stall(&begun, &*keeper.options.world.clock)
            });
            // Or the one that waits would keep what is to go.
            drop(state);
            if !keeper.options.world.scheduler.runs_by_itself() {
                let stepped = match kind {
                    Kind::Flush => self.flush_step()?,
                    Kind::Compact => self.compact_step()?,
                };
                if !stepped {
                    return Ok(());
                }
                continue;
            }
            self.notify_kind(kind);
            let mut progress = self.progress.lock();
            while progress.steps == before {
                self.changed.wait(&mut progress);
            }
            let [flush, compact] = &progress.failed;
            let failed = match kind {
                Kind::Flush => flush,
                Kind::Compact => compact,
            };
            if let Some(failed) = failed {
                return Err(failed.clone());
            }
        }
    }

    fn notify_kind(&self, kind: Kind) {
        if let Some([flush, compact]) = &*self.workers.lock() {
            match kind {
                Kind::Flush => flush.notify(),
                Kind::Compact => compact.notify(),
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

    fn again_in(&self) -> Option<Duration> {
        let background = self.background.upgrade()?;
        match self.kind {
            Kind::Flush => None,
            Kind::Compact => {
                // Files become garbage by the clock alone, and nobody notifies of that.
                let check = background.keeper.options.clock_check.micros().max(1);
                let check = Duration::from_micros(check.unsigned_abs());
                Some(background.erases_wait().map_or(check, |wait| wait.min(check)))
            }
        }
    }

    fn abandoned(&self, reason: &str) {
        if let Some(background) = self.background.upgrade() {
            let source = std::io::Error::other(reason.to_owned());
            let error = Error::io("go on with", &background.keeper.dir, source);
            let error = background.keeper.poison(error);
            background.note(self.kind, Some(&error));
            background.keeper.monitor.background_failed(self.kind.work(), &error);
        }
    }
}
