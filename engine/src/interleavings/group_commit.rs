//! Writers share syncs: none is told that its bytes are durable before they are, and what a failed
//! sync was to keep is never called durable by a later one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use asofdb_format::frame::FrameKind;
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{Commit, EventTime, FileNumber, Span, StoreId};
use loom::thread;

use super::disk::WatchedDisk;
use super::explore;
use super::lab::{FEATURE, Lab};
use crate::files::log::FrameWriter;
use crate::read::how::Read;
use crate::store::Store;
use crate::sync::Mutex;
use crate::types::error::{Error, Result};
use crate::types::options::Options;
use crate::types::spec::Terms;
use crate::world::clock::Clock;
use crate::world::sim::SimWorld;
use crate::write::batch::Durability;

/// A clock by which every sync takes long, so that it pays to wait for others.
#[derive(Debug, Default)]
struct SlowSyncs(AtomicI64);

impl Clock for SlowSyncs {
    fn now(&self) -> EventTime {
        EventTime(0)
    }

    fn running(&self) -> Span {
        Span::from_micros(self.0.fetch_add(10_000, Ordering::Relaxed)).unwrap()
    }
}

/// A log alone, whose writers append one at a time.
#[derive(Debug)]
struct Log {
    disk: WatchedDisk,
    writer: FrameWriter,
    order: Mutex<()>,
}

impl Log {
    fn new() -> Arc<Self> {
        let disk = WatchedDisk::new();
        let header = Header::new(FileKind::Log, StoreId([7; 16]), FileNumber(1), 0);
        let writer = FrameWriter::create(&disk, Path::new("/"), &header).unwrap();
        let writer = writer.shared(Arc::new(SlowSyncs::default()));
        Arc::new(Self { disk, writer, order: Mutex::new(()) })
    }

    /// Appends a frame and syncs it: what it is told is durable, is.
    fn put(&self) -> Result<()> {
        let one_at_a_time = self.order.lock();
        let end = self.writer.append(FrameKind::Batch, Commit(1), Commit(1), &[b"payload"])?;
        drop(one_at_a_time);
        self.writer.sync_with_others(end)?;
        self.check(end);
        Ok(())
    }

    /// Appends a frame and syncs it while it keeps others from appending, as a change does.
    fn put_alone(&self) -> Result<()> {
        let _one_at_a_time = self.order.lock();
        let end = self.writer.append(FrameKind::Batch, Commit(1), Commit(1), &[b"payload"])?;
        self.writer.sync_to(end)?;
        self.check(end);
        Ok(())
    }

    fn check(&self, end: u64) {
        let durable = self.disk.durable(self.writer.path());
        assert!(durable >= end, "{end} is acknowledged, {durable} is durable");
    }
}

fn put_beside(log: &Arc<Log>, threads: usize) -> Vec<Result<()>> {
    put_each(log, threads, 1)
}

/// Each thread puts so many, one after another.
fn put_each(log: &Arc<Log>, threads: usize, puts: usize) -> Vec<Result<()>> {
    let threads = (0..threads).map(|_| {
        let log = Arc::clone(log);
        thread::spawn(move || (0..puts).map(|_| log.put()).collect::<Vec<_>>())
    });
    let threads: Vec<_> = threads.collect();
    threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn a_frame_is_acknowledged_before_the_sync_that_covers_it() {
    explore(3, || {
        let log = Log::new();
        assert!(put_beside(&log, 2).iter().all(Result::is_ok));
        assert_eq!(log.disk.durable(log.writer.path()), log.writer.len());
    });
}

#[test]
fn three_writers_wait_for_one_another_for_ever() {
    explore(2, || {
        let log = Log::new();
        assert!(put_beside(&log, 3).iter().all(Result::is_ok));
    });
}

/// Who shared a sync waits for the other, who comes, or comes too late.
#[test]
fn writers_who_wait_for_those_who_shared_their_sync_miss_one_another() {
    explore(3, || {
        let log = Log::new();
        assert!(put_each(&log, 2, 2).iter().all(Result::is_ok));
        assert_eq!(log.disk.durable(log.writer.path()), log.writer.len());
    });
}

/// Who holds the commit lock makes a sync in the midst of those who wait for one another.
#[test]
fn a_change_between_writers_leaves_one_of_them_waiting() {
    explore(2, || {
        let log = Log::new();
        let other = Arc::clone(&log);
        let changer = thread::spawn(move || other.put_alone());
        assert!(put_each(&log, 2, 2).iter().all(Result::is_ok));
        assert!(changer.join().unwrap().is_ok());
    });
}

/// It fails while one waits for another who shared the last sync.
#[test]
fn a_failed_sync_spares_a_writer_that_waits_for_others() {
    explore(3, || {
        let log = Log::new();
        log.disk.fail_a_log_sync_after(1);
        let results = put_each(&log, 2, 2);
        assert!(results.iter().any(Result::is_err), "{results:?}");
        assert!(log.writer.append(FrameKind::Batch, Commit(2), Commit(2), &[]).is_err());
    });
}

/// The next sync would succeed, and would not keep what the failed one was to keep.
#[test]
fn a_failed_sync_spares_a_writer_that_waits_for_it() {
    explore(3, || {
        let log = Log::new();
        log.disk.fail_a_log_sync_after(0);
        let results = put_beside(&log, 2);
        assert!(results.iter().all(Result::is_err), "{results:?}");
        assert!(log.writer.append(FrameKind::Batch, Commit(2), Commit(2), &[]).is_err());
    });
}

/// What was acknowledged is found after a power cut, and after a failure nothing is acknowledged.
fn synced_writes(good_syncs: usize) {
    let lab = Lab::new(Terms::default());
    lab.disk.fail_a_log_sync_after(good_syncs);
    let write = |number: i64| {
        let lab = Arc::clone(&lab);
        move || lab.write_as(number, EventTime(number), Durability::Synced, None)
    };
    let other = thread::spawn(write(1));
    let own = write(2)();
    let results = [(1, other.join().unwrap()), (2, own)];
    if results.iter().any(|(_, result)| result.is_err()) {
        assert!(matches!(lab.keeper.check_writable(), Err(Error::Poisoned { .. })));
        assert!(write(3)().is_err(), "a write after a failed sync");
    }
    let world = SimWorld::with_disk(lab.disk.after_power_cut(), EventTime(2_000_000)).world();
    let found = Store::open("/store", Options::new().memtable_bytes(0).world(world)).unwrap();
    for (number, result) in results {
        let read = found.read("ant", FEATURE, &Read::as_of(EventTime(number))).unwrap();
        assert!(
            result.is_err() || read.as_i64() == Some(number),
            "{number} was acknowledged as {result:?} and is {read:?} after the power cut"
        );
    }
}

#[test]
fn an_acknowledged_batch_is_lost_at_a_power_cut() {
    explore(2, || synced_writes(usize::MAX));
}

#[test]
fn an_acknowledged_batch_is_lost_when_a_sync_fails() {
    explore(2, || synced_writes(0));
}

#[test]
fn an_acknowledged_batch_is_lost_when_a_later_sync_fails() {
    explore(2, || synced_writes(1));
}
