//! A merge that is split by ranges of the hash over several jobs.

use std::sync::Arc;
use std::time::Duration;

use asofdb::world::World;
use asofdb::world::scheduler::{Manual, Scheduler, Work, Worker};

use super::*;

/// The manual scheduler of a machine with three cores.
#[derive(Debug, Default)]
struct ThreeCores(Arc<Manual>);

impl Scheduler for ThreeCores {
    fn start(&self, name: &str, work: Arc<dyn Work>) -> Box<dyn Worker> {
        self.0.start(name, work)
    }

    fn runs_by_itself(&self) -> bool {
        false
    }

    fn run_all(&self, jobs: Vec<Box<dyn FnOnce() + Send + '_>>) {
        assert!(jobs.len() > 1, "a single job needs no scheduler");
        self.0.run_all(jobs);
    }

    fn pause(&self, length: Duration) {
        self.0.pause(length);
    }

    fn parallelism(&self) -> usize {
        3
    }
}

#[test]
fn a_merge_in_parts_loses_or_doubles_an_entity() {
    let sim = SimWorld::new(EventTime(NOW));
    let world = World { scheduler: Arc::new(ThreeCores::default()), ..sim.world() };
    let store = open(options(&sim).world(world).table_bytes(4_000));
    let names: Vec<String> = (0..500).map(|n| format!("entity-{n}")).collect();
    for version in 0..6 {
        let mut batch = Batch::new();
        for (n, name) in names.iter().enumerate().filter(|(n, _)| n % 7 != version % 7) {
            batch.put(name, "v:f", store.now(), n as i64 * 10 + version as i64);
        }
        store.write(batch, Durability::Buffered).unwrap();
        sim.clock.advance(Span::from_hours(1));
        store.flush().unwrap();
    }
    let records = store.stats().records;
    // The first merge finds no history in what was flushed, the second does.
    store.compact().unwrap();
    store.compact().unwrap();
    let stats = store.stats();
    assert_eq!(stats.records, records);
    assert!(stats.present_tables >= 3 && stats.past_runs > 0, "{stats:?}");
    for (n, name) in names.iter().enumerate() {
        for hour in 0..6 {
            let at = EventTime(NOW + hour * HOUR);
            let newest = (0..=hour).rev().find(|version| n as i64 % 7 != version % 7);
            let found = store.read(name, "v:f", &Read::as_of(at)).unwrap().answer;
            assert_eq!(
                found.as_i64(),
                newest.map(|version| n as i64 * 10 + version),
                "{name} {hour}"
            );
        }
    }
    let verified =
        asofdb::inspect::verify(std::path::Path::new("/db"), &sim.world(), &mut |_, _| {}).unwrap();
    assert!(verified.is_clean(), "{:?}", verified.faults().next());
    println!("{} tables of {} records", stats.tables, stats.records);
    store.close().unwrap();
}
