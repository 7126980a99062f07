//! Writers are slowed, then stopped, and told.

use asofdb::Error;

use super::*;

/// A store whose flushed tables are merged by nobody, one for each call.
fn flushed(store: &Store, tables: usize) {
    for _ in 0..tables {
        write_hour(store, "hourly");
        store.flush().unwrap();
    }
}

#[test]
fn try_write_waits_or_writes_where_there_is_no_room() {
    let sim = SimWorld::new(EventTime(NOW));
    let options = options(&sim)
        .table_bytes(1 << 20)
        .max_recent_tables(2)
        .slow_recent_tables(4)
        .stop_recent_tables(8);
    let store = open(options);
    let put = |store: &Store| {
        let mut batch = Batch::new();
        batch.put("ant", "v:f", EventTime(NOW), 1i64);
        let written = store.try_write(&batch, Durability::Buffered);
        assert_eq!(batch.len(), 1, "what found no room is lost");
        written
    };
    flushed(&store, 3);
    put(&store).unwrap();
    flushed(&store, 1);
    let newest = store.stats().newest_commit;
    let slowed = put(&store).unwrap_err();
    assert!(matches!(&slowed, Error::Busy { why } if why.contains("slowed")), "{slowed}");
    assert_eq!(store.stats().newest_commit, newest, "it has written");
    store.compact().unwrap();
    put(&store).unwrap();
    store.close().unwrap();
}

/// Counts without end were added to, and came to nothing.
#[test]
fn options_without_end_overflow() {
    let sim = SimWorld::new(EventTime(NOW));
    let endless = options(&sim).max_sealed_memtables(usize::MAX).memtable_bytes(usize::MAX);
    assert!(endless.memory_budget() > 1 << 60, "{}", endless.memory_budget());
    let store = open(endless.stop_recent_tables(usize::MAX).slow_recent_tables(0));
    write_hour(&store, "hourly");
    store.flush().unwrap();
    store.close().unwrap();
}

#[test]
fn flushed_tables_grow_beyond_the_bound() {
    let sim = SimWorld::new(EventTime(NOW));
    let options = options(&sim)
        .table_bytes(1 << 20)
        .max_recent_tables(2)
        .slow_recent_tables(4)
        .stop_recent_tables(6);
    let store = open(options);
    let mut most = 0;
    for _ in 0..40 {
        write_hour(&store, "hourly");
        store.flush().unwrap();
        most = most.max(store.stats().recent_tables);
    }
    assert_eq!(most, 6, "the bound is six, which the flush after the last free write may reach");
    let metrics = store.metrics();
    assert!(metrics.stalls.stalls > 0 && metrics.stalls.slowed_micros.count() > 0);
    println!(
        "{} stalls, {} writes slowed",
        metrics.stalls.stalls,
        metrics.stalls.slowed_micros.count()
    );
    store.close().unwrap();
}
