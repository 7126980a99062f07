//! Writers share syncs: none is told that its bytes are durable before they are, and what a failed
//! sync was to keep is never called durable by a later one.

use std::path::Path;
use std::sync::Arc;

use asofdb_format::frame::FrameKind;
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{Commit, EventTime, FileNumber, StoreId};
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
use crate::world::sim::SimWorld;
use crate::write::batch::Durability;

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
        Arc::new(Self { disk, writer, order: Mutex::new(()) })
    }

    /// Appends a frame and syncs it: what it is told is durable, is.
    fn put(&self) -> Result<()> {
        let one_at_a_time = self.order.lock();
        let end = self.writer.append(FrameKind::Batch, Commit(1), Commit(1), &[b"payload"])?;
        drop(one_at_a_time);
        self.writer.sync_to(end)?;
        let durable = self.disk.durable(self.writer.path());
        assert!(durable >= end, "{end} is acknowledged, {durable} is durable");
        Ok(())
    }
}

fn put_beside(log: &Arc<Log>, threads: usize) -> Vec<Result<()>> {
    let threads = (0..threads).map(|_| {
        let log = Arc::clone(log);
        thread::spawn(move || log.put())
    });
    let threads: Vec<_> = threads.collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
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
