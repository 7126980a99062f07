//! How much of the past is written anew for what goes from it, by erases.

use std::sync::Arc;
use std::sync::Mutex;

use asofdb::events::{CompactionEnded, EventListener};
use asofdb::world::sim::Rng;

use super::*;

/// Of each merge of nothing but tables of the past, how many these were and became, and how many
/// bytes were written.
#[derive(Debug, Default)]
struct Rewrites(Mutex<Vec<(usize, usize, u64)>>);

impl Rewrites {
    fn take(&self) -> Vec<(usize, usize, u64)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl EventListener for Rewrites {
    fn compaction_ended(&self, event: &CompactionEnded) {
        if event.inputs.iter().all(|table| table.level == 2) {
            let (from, to) = (event.inputs.len(), event.outputs.len());
            self.0.lock().unwrap().push((from, to, event.bytes_written));
        }
    }
}

fn listened(options: Options) -> (Arc<Rewrites>, Options) {
    let rewrites = Arc::new(Rewrites::default());
    (Arc::clone(&rewrites), options.listener(Some(rewrites as Arc<dyn EventListener>)))
}

const PEOPLE: u64 = 2_000;

fn person(n: u64) -> String {
    format!("person-{n}")
}

/// A store with five versions of a kilobyte of each of many entities, of which four are in one run
/// of the past. The fifth came twenty minutes later.
fn with_a_large_run(sim: &SimWorld) -> (Arc<Rewrites>, Store) {
    let (rewrites, options) = listened(options(sim).table_bytes(16 << 20));
    let store = Store::open("/db", options).unwrap();
    store.define(FeatureSpec::new("v:photo", ValueType::Bytes)).unwrap();
    let mut rng = Rng::new(7);
    for version in 0..5 {
        let mut batch = Batch::new();
        for n in 0..PEOPLE {
            let photo: Vec<u8> = (0..125).flat_map(|_| rng.below(u64::MAX).to_le_bytes()).collect();
            batch.put(person(n), "v:photo", EventTime(NOW + version), photo);
        }
        store.write(batch, Durability::Buffered).unwrap();
        sim.clock.advance(Span::from_secs(if version == 3 { 1_200 } else { 1 }));
        store.flush().unwrap();
    }
    // The first merge finds no history in what was flushed, the second does.
    store.compact().unwrap();
    store.compact().unwrap();
    assert_eq!(store.stats().past_runs, 1);
    rewrites.take();
    (rewrites, store)
}

fn past_tables(store: &Store) -> usize {
    let stats = store.stats();
    usize::try_from(stats.tables).unwrap() - stats.present_tables - stats.recent_tables
}

#[test]
fn an_erase_of_one_entity_rewrites_a_whole_run() {
    let sim = SimWorld::new(EventTime(NOW));
    let (rewrites, store) = with_a_large_run(&sim);
    let (bytes, tables) = (store.stats().table_bytes, past_tables(&store));
    let mut most = 0;
    for n in [0, 700, 701, 1_500] {
        let certificate = store.erase_and_prove(&[person(n)]).unwrap();
        assert!(certificate.pinned.is_empty());
        let rewritten = rewrites.take();
        assert_eq!(rewritten.len(), 1, "one table has the entity: {rewritten:?}");
        assert_eq!((rewritten[0].0, rewritten[0].1), (1, 1), "a table became several");
        most = most.max(rewritten[0].2);
        let row = store.latest(person(n), "v:photo").unwrap();
        assert_eq!(row.status(), Status::Missing);
    }
    assert!(most < bytes / 5, "an erase has rewritten {most} of {bytes} bytes");
    assert_eq!(past_tables(&store), tables);
    for n in (0..PEOPLE).filter(|n| ![0, 700, 701, 1_500].contains(n)) {
        let first = store.read(person(n), "v:photo", &Read::as_of(EventTime(NOW))).unwrap();
        assert_eq!(first.answer.event_time(), Some(EventTime(NOW)), "{n}");
    }
    println!("{bytes} bytes, {tables} tables of the past; an erase rewrote {most} of them");
    store.close().unwrap();
}
