//! How much of the past is written anew for what goes from it, by the clock and by erases.

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

/// Lets time pass, and compaction look at it every ten minutes.
fn pass(sim: &SimWorld, hours: u32) {
    for _ in 0..hours * 6 {
        sim.clock.advance(Span::from_secs(600));
        sim.scheduler.step_named("asofdb-compact");
        sim.scheduler.step_all();
    }
}

/// The horizon takes two hours to pass a window of two, in which compaction looks at it often.
#[test]
fn a_table_of_the_past_is_rewritten_again_and_again_before_it_is_dropped() {
    let sim = SimWorld::new(EventTime(NOW));
    let (rewrites, options) = listened(options(&sim));
    let store = open(options);
    for _ in 0..10 {
        write_hour(&store, "hourly");
        sim.clock.advance(Span::from_hours(1));
    }
    store.compact().unwrap();
    let before = store.stats();
    assert!(before.past_runs >= 5, "{before:?}");
    let oldest = answers(&store, NOW + 9 * HOUR);
    rewrites.take();
    pass(&sim, 21);
    let (stats, metrics) = (store.stats(), store.metrics());
    assert_eq!(rewrites.take(), [], "of {} tables of the past", before.tables);
    assert!(stats.past_runs < before.past_runs && stats.past_runs > 0, "{stats:?}");
    assert_eq!(answers(&store, NOW + 9 * HOUR), oldest);
    println!(
        "{} runs of the past became {}, {} tables dropped unread",
        before.past_runs, stats.past_runs, metrics.compactions.unread_tables
    );
    store.close().unwrap();
}

/// A version that was in force for long stays for as long: what stands beside it goes before.
#[test]
fn garbage_stays_beside_a_version_that_was_in_force_for_long() {
    let sim = SimWorld::new(EventTime(NOW));
    let (rewrites, options) = listened(options(&sim));
    let store = open(options);
    for hour in 0..11 {
        // Nothing comes for twenty hours.
        sim.clock.advance(Span::from_hours(if hour == 10 { 20 } else { 1 }));
        write_hour(&store, "hourly");
    }
    sim.clock.advance(Span::from_hours(1));
    store.compact().unwrap();
    let records = store.stats().records;
    rewrites.take();
    // The horizon is to stand four hours behind what was written before the pause.
    pass(&sim, 7);
    let stats = store.stats();
    assert!(stats.past_runs > 0, "what the horizon has not reached yet is gone: {stats:?}");
    let (tables, rewritten) = (ENTITIES.len(), rewrites.take());
    // Once behind the horizon, and once when the values of the feature with a TTL are stale.
    assert!(!rewritten.is_empty() && rewritten.len() <= 2 * tables, "{rewritten:?}");
    // Of each entity and feature the version that was in force, and the newest.
    assert_eq!(stats.records, 2 * 2 * tables as u64, "of {records}");
    println!("{records} records became {}, in {} rewrites", stats.records, rewritten.len());
    store.close().unwrap();
}

const PEOPLE: u64 = 2_000;

fn person(n: u64) -> String {
    format!("person-{n}")
}

/// A store with five versions of a kilobyte of each of many entities, of which four are in one run
/// of the past. The fifth came twenty minutes later.
fn with_a_large_run(sim: &SimWorld, history: Option<Span>) -> (Arc<Rewrites>, Store) {
    let (rewrites, options) = listened(options(sim).table_bytes(16 << 20));
    let store = Store::open("/db", options).unwrap();
    let spec = FeatureSpec::new("v:photo", ValueType::Bytes);
    let spec = if let Some(history) = history { spec.history(history) } else { spec };
    store.define(spec).unwrap();
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
    let (rewrites, store) = with_a_large_run(&sim, None);
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

#[test]
fn what_is_left_of_a_run_stays_in_as_many_tables() {
    let sim = SimWorld::new(EventTime(NOW));
    let (rewrites, store) = with_a_large_run(&sim, Some(Span::from_secs(3_600)));
    let tables = past_tables(&store);
    assert!(tables > 4, "{tables} tables");
    // Of the four versions in the run the horizon has passed three; the last is in force there.
    sim.clock.set(EventTime(NOW + 3_700_000_000));
    sim.scheduler.step_named("asofdb-compact");
    sim.scheduler.step_all();
    let rewritten = rewrites.take();
    assert_eq!(rewritten.len(), 1, "{rewritten:?}");
    assert!(rewritten[0].0 == tables && past_tables(&store) <= tables / 2, "{rewritten:?}");
    // Asked as it was known then: the fifth version came later.
    let legal = store.now().0 - 3_600_000_000;
    let legal = Read::as_of(EventTime(legal)).known_at(asofdb::KnownTime(legal));
    for n in 0..PEOPLE {
        let found = store.read(person(n), "v:photo", &legal).unwrap().answer;
        assert_eq!(found.event_time(), Some(EventTime(NOW + 3)), "{n}");
    }
    println!("{tables} tables became {}", past_tables(&store));
    store.close().unwrap();
}
