//! What the clock alone makes garbage.

use asofdb::Revert;

use super::*;

/// A store with ten hours of history, of which all but the newest version is in the past.
fn with_a_past(sim: &SimWorld) -> Store {
    let store = open(options(sim));
    for _ in 0..10 {
        write_hour(&store, "hourly");
        sim.clock.advance(Span::from_hours(1));
    }
    store.compact().unwrap();
    assert!(store.stats().past_runs > 0, "nothing was demoted");
    store
}

#[test]
fn a_file_whose_history_is_over_stays_until_somebody_writes() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = with_a_past(&sim);
    let before = store.stats();
    // All that is in the past was superseded within ten hours, so more than a day ago.
    sim.clock.advance(Span::from_hours(30));
    let legal = store.now().0 - 24 * HOUR;
    let asked = [legal, legal + HOUR, store.now().0];
    let answered = asked.map(|at| answers(&store, at));
    assert!(sim.scheduler.step_named("asofdb-compact"));
    let (stats, metrics) = (store.stats(), store.metrics());
    assert_eq!(stats.past_runs, 0, "{before:?} became {stats:?}");
    assert!(metrics.compactions.unread_tables > 0);
    assert_eq!(asked.map(|at| answers(&store, at)), answered);
    println!(
        "{} tables with {} bytes dropped unread",
        metrics.compactions.unread_tables, metrics.compactions.unread_bytes
    );
    store.close().unwrap();
}

#[test]
fn a_file_that_somebody_may_still_ask_about_is_dropped() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = with_a_past(&sim);
    let held = store.snapshot().unwrap();
    sim.clock.advance(Span::from_hours(23));
    let oldest = store.now().0 - 24 * HOUR;
    let answered = answers(&store, oldest);
    sim.scheduler.step_named("asofdb-compact");
    sim.scheduler.step_all();
    assert_eq!(answers(&store, oldest), answered);
    assert!(answered.iter().all(|(status, _)| *status != Status::Missing), "{answered:?}");
    drop(held);
    store.close().unwrap();
}

/// What stood before a version is found again when the version is taken away: the run may not be
/// passed over any more, nor dropped.
#[test]
fn a_reverted_version_still_hides_what_it_had_superseded() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = open(options(&sim));
    write_hour(&store, "good");
    sim.clock.advance(Span::from_hours(1));
    write_hour(&store, "bad");
    sim.clock.advance(Span::from_hours(1));
    store.compact().unwrap();
    assert!(store.stats().past_runs > 0, "nothing was demoted");
    let now = store.now().0;
    assert_eq!(answers(&store, now).first().unwrap().1, Some(EventTime(NOW + HOUR)));
    store.revert(Revert::source("bad")).unwrap();
    assert_eq!(answers(&store, now).first().unwrap().1, Some(EventTime(NOW)));
    // Also when compaction has met it, and when the horizon would have let the run go.
    sim.clock.advance(Span::from_hours(20));
    sim.scheduler.step_named("asofdb-compact");
    sim.scheduler.step_all();
    let after = answers(&store, store.now().0);
    assert_eq!(after.first().unwrap(), &(Status::Value, Some(EventTime(NOW))));
    sim.clock.advance(Span::from_hours(30));
    sim.scheduler.step_named("asofdb-compact");
    sim.scheduler.step_all();
    let after = answers(&store, store.now().0);
    assert_eq!(after.first().unwrap(), &(Status::Value, Some(EventTime(NOW))));
    store.close().unwrap();
}

#[test]
fn values_that_expired_stay_until_somebody_writes() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = open(options(&sim).present_depth(u64::MAX));
    write_hour(&store, "hourly");
    store.compact().unwrap();
    let stubs =
        |store: &Store| store.stats().features.iter().map(|feature| feature.stubs).sum::<u64>();
    assert_eq!(stubs(&store), 0);
    // S lies a day of history and an hour of TTL before now.
    sim.clock.advance(Span::from_hours(26));
    assert!(sim.scheduler.step_named("asofdb-compact"));
    sim.scheduler.step_all();
    assert_eq!(stubs(&store), ENTITIES.len() as u64);
    let after = answers(&store, store.now().0);
    assert_eq!(after[0].0, Status::Value);
    assert_eq!(after[1], (Status::Expired, Some(EventTime(NOW))));
    store.close().unwrap();
}
