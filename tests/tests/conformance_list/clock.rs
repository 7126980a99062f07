//! Item 12: a clock that steps back, stands still or stands at the end of time, and times at the ends of an i64.

use asofdb::world::sim::SimWorld;
use asofdb::{
    Batch, Durability, EventTime, FeatureSpec, JoinOptions, KnownTime, Options, Span, Status,
    Store, ValueType,
};
use asofdb_tests::answer::Refusal::BelowHorizon;
use asofdb_tests::case::{
    Case, as_of, expired, last_n, latest, missing, numbers, put, range, value,
};

const MIN: i64 = i64::MIN;
const MAX: i64 = i64::MAX;

pub fn commits_go_on_rising_when_the_clock_steps_back() {
    Case::new()
        .clock(1_000)
        .write([put(10, 1)])
        .clock(500)
        .write([put(10, 2)])
        .read(latest(), value(2).at(10).known(1_001))
        .read(as_of(10).known_at(1_000), value(1).at(10).known(1_000))
        .clock(1_001)
        .write([put(10, 3)])
        .read(latest(), value(3).at(10).known(1_002))
        .check();
}

/// The present is what the clock says, not what the newest commit says.
pub fn what_a_clock_that_steps_back_has_not_reached_is_not_served() {
    Case::new()
        .clock(1_000)
        .write([put(10, 1), put(900, 2)])
        .read(latest(), value(2).at(900).known(1_000))
        .clock(899)
        .read(latest(), value(1).at(10).known(1_000))
        .clock(900)
        .read(latest(), value(2).at(900).known(1_000))
        .check();
}

/// An alter records the horizon: 950. The present is then judged there.
pub fn a_recorded_horizon_does_not_fall_with_the_clock() {
    Case::of(numbers().history(50))
        .clock(990)
        .write([put(940, 1).known(940), put(955, 2).known(955)])
        .clock(1_000)
        .alter("f", numbers().history(50))
        .clock(500)
        .read(as_of(949), BelowHorizon)
        .read(as_of(950), value(1).at(940).known(940))
        .read(as_of(955), value(2).at(955).known(955))
        .read(latest(), value(1).at(940).known(940))
        .clock(1_001)
        .read(as_of(950), BelowHorizon)
        .read(latest(), value(2).at(955).known(955))
        .check();
}

pub fn a_clock_that_jumped_ahead_and_was_soon_set_right_has_cost_nothing() {
    Case::of(numbers().history(50).ttl(100))
        .clock(990)
        .write([put(940, 1).known(940), put(960, 2).known(960)])
        .clock(1_000)
        .read(as_of(950), value(1).at(940).known(940))
        .clock(500_000_000)
        .read(as_of(950), BelowHorizon)
        .compact()
        .clock(1_000)
        .read(as_of(950), value(1).at(940).known(940))
        .read(latest(), value(2).at(960).known(960))
        .check();
}

pub fn batches_under_a_clock_that_stands_still_have_commits_of_their_own() {
    Case::new()
        .clock(100)
        .write([put(10, 1)])
        .write([put(10, 2)])
        .write([put(10, 3)])
        .read(latest(), value(3).at(10).known(102))
        .read(as_of(10).known_at(101), value(2).at(10).known(101))
        .read(as_of(10).known_at(100), value(1).at(10).known(100))
        .check();
}

/// Changes of the catalog, erases and reverts take commits too.
pub fn all_that_changes_a_store_has_a_commit_of_its_own_under_a_clock_that_stands_still() {
    Case::new()
        .clock(100)
        .write_from("job", [put(10, 1)])
        .stamp("one")
        .alter("f", numbers().ttl(1_000))
        .define("g", numbers())
        .erase("nobody")
        .revert("job")
        .stamp("none")
        .write([put(10, 2)])
        .read(latest(), value(2).at(10).known(105))
        .read(latest().stamp("none"), missing())
        .read(latest().stamp("one"), value(1).at(10).known(100))
        .check();
}

pub fn the_first_and_the_last_moment_are_times_like_others() {
    let (first, last) = (value(1).at(MIN).known(100), value(2).at(MAX).known(100));
    Case::new()
        .clock(100)
        .write([put(MIN, 1), put(MAX, 2)])
        .read(as_of(MIN), first.clone())
        .read(as_of(MIN).before(), missing())
        .read(as_of(MAX), last.clone())
        .read(as_of(MAX).before(), first.clone())
        .read(latest(), first.clone())
        .read(range(MIN, MAX), [last.clone(), first.clone()])
        .read(last_n(MAX, 9), [last, first.clone()])
        .read(last_n(MIN, 9), [first])
        .check();
}

pub fn an_age_wider_than_an_i64_does_not_wrap() {
    Case::of(numbers().ttl(MAX))
        .define("short", numbers().ttl(1))
        .clock(100)
        .write([put(MIN, 1), put(MIN, 2).feature("short")])
        .read(as_of(-1), value(1).at(MIN).known(100))
        .read(as_of(0), expired().at(MIN))
        .read(as_of(MAX), expired().at(MIN))
        .read(as_of(MAX).feature("short"), expired().at(MIN))
        .read(as_of(MAX).max_age(MAX), expired().at(MIN))
        .check();
}

pub fn a_delay_that_goes_before_all_time_finds_nothing() {
    Case::new()
        .clock(100)
        .write([put(MIN, 1), put(0, 2)])
        .read(as_of(MAX).delay(MAX), value(2).at(0).known(100))
        .read(as_of(-1).delay(MAX), value(1).at(MIN).known(100))
        .read(as_of(-2).delay(MAX), missing())
        .read(as_of(-1).delay(MAX).before(), missing())
        .read(as_of(MIN).delay(MAX), missing())
        .check();
}

pub fn a_history_as_long_as_time_has_its_horizon_where_it_is() {
    Case::of(numbers().history(MAX))
        .clock(0)
        .write([put(MIN, 1).known(MIN), put(MIN + 1, 2).known(MIN)])
        .read(as_of(MIN), BelowHorizon)
        .read(as_of(MIN + 1), value(2).at(MIN + 1).known(MIN))
        .read(as_of(0).known_at(MIN), BelowHorizon)
        .clock(1)
        .read(as_of(MIN + 1), BelowHorizon)
        .read(as_of(MIN + 2), value(2).at(MIN + 1).known(MIN))
        .check();
}

/// Before the epoch a horizon can lie before all time: a bound there is as good as none.
pub fn a_horizon_before_all_time_refuses_nothing() {
    Case::of(numbers().history(MAX).ttl(MAX).forget_after(MAX))
        .clock(-5)
        .write([put(MIN, 1).known(MIN)])
        .read(as_of(MIN), value(1).at(MIN).known(MIN))
        .read(as_of(MIN).before(), missing())
        .read(as_of(MIN).delay(1), missing())
        .read(as_of(MIN).known_at(MIN), value(1).at(MIN).known(MIN))
        .compact()
        .read(as_of(MIN), value(1).at(MIN).known(MIN))
        .check();
}

pub fn what_was_known_before_all_time_is_known_at_the_first_moment() {
    Case::new()
        .clock(100)
        .write([put(10, 1).known(MIN)])
        .read(as_of(10).known_at(MIN), value(1).at(10).known(MIN))
        .read(as_of(10).known_at(MAX), value(1).at(10).known(MIN))
        .check();
}

/// A row at the beginning of time that knew only what was known before it.
pub fn a_lag_that_goes_before_all_time_knows_nothing() {
    Case::new()
        .clock(100)
        .write([put(MIN, 1).known(MIN)])
        .read(as_of(MIN + 1), value(1).at(MIN).known(MIN))
        .check_on_stores(|store| {
            let features = store.select(&["f"]).unwrap();
            let status = |lag| {
                let options = JoinOptions::new().known_at_row(Span::from_micros(lag).unwrap());
                let joiner = store.joiner(&features, options).unwrap();
                let joined = joiner.join(&[Some(("a", EventTime(MIN + 1)))]).unwrap();
                joined.columns()[0].status()[0]
            };
            let statuses = [0, 1, 2, MAX].map(status);
            assert_eq!(statuses, [Status::Value, Status::Value, Status::Missing, Status::Missing]);
        });
}

fn store_at(now: i64) -> (SimWorld, Store) {
    let sim = SimWorld::new(EventTime(now));
    let store = Store::open("/store", Options::new().world(sim.world())).unwrap();
    (sim, store)
}

fn write(store: &Store, e: i64) -> asofdb::Result<asofdb::Commit> {
    let mut batch = Batch::new();
    batch.put("a", "f", EventTime(e), e);
    store.write(batch, Durability::Synced)
}

pub fn a_clock_at_the_beginning_of_time_gives_commits() {
    let (sim, store) = store_at(MIN);
    store.define(FeatureSpec::new("f", ValueType::I64).history(Span::MAX).ttl(Span::MAX)).unwrap();
    let first = write(&store, MIN).unwrap();
    let second = write(&store, MIN).unwrap();
    assert!(first < second, "{first} {second}");
    assert_eq!(store.latest("a", "f").unwrap().as_i64(), Some(MIN));
    store.compact().unwrap();
    assert_eq!(store.latest("a", "f").unwrap().as_i64(), Some(MIN));
    sim.clock.set(EventTime(0));
    let third = write(&store, 0).unwrap();
    assert_eq!(third.0, 0);
}

/// There is a last commit. After it writes are refused; none wraps round to a commit before.
pub fn a_clock_at_the_end_of_time_refuses_what_has_no_commit() {
    let (sim, store) = store_at(100);
    store.define(FeatureSpec::new("f", ValueType::I64)).unwrap();
    sim.clock.set(EventTime::MAX);
    let last = write(&store, 7).unwrap();
    assert_eq!(last.0, MAX - 1);
    let refused = write(&store, 8).unwrap_err();
    assert!(matches!(refused, asofdb::Error::InvalidArgument(_)), "{refused}");
    assert!(store.erase("a").is_err());
    let read = asofdb::Read::as_of(EventTime::MAX).known_at(KnownTime(MAX));
    assert_eq!(store.read("a", "f", &read).unwrap().as_i64(), Some(7));
    drop(store);
    let store = Store::open("/store", Options::new().world(sim.world())).unwrap();
    assert_eq!(store.latest("a", "f").unwrap().as_i64(), Some(7));
    assert!(write(&store, 9).is_err());
}
