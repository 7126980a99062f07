//! Items 4 and 5: what comes late, and what comes early.

use asofdb::world::sim::SimWorld;
use asofdb::{
    Batch, Durability, Error, EventTime, FeatureSpec, InvalidArgument, Options, Store, ValueType,
};
use asofdb_tests::case::{
    Case, as_of, delete, deleted, last_n, latest, missing, null, null_value, numbers, put, range,
    value,
};

pub fn a_late_value_never_replaces_a_newer_one() {
    Case::new()
        .clock(100)
        .write([put(50, 2)])
        .clock(200)
        .write([put(30, 1)])
        .read(latest(), value(2).at(50).known(100))
        .read(as_of(50), value(2).at(50).known(100))
        .check();
}

pub fn a_late_value_is_in_force_at_its_own_event_time() {
    Case::new()
        .clock(100)
        .write([put(50, 2), put(10, 0)])
        .clock(200)
        .write([put(30, 1)])
        .read(as_of(29), value(0).at(10).known(100))
        .read(as_of(30), value(1).at(30).known(200))
        .read(as_of(49), value(1).at(30).known(200))
        .read(as_of(49).known_at(199), value(0).at(10).known(100))
        .read(
            range(10, 50),
            [value(2).at(50).known(100), value(1).at(30).known(200), value(0).at(10).known(100)],
        )
        .check();
}

pub fn a_late_delete_takes_nothing_from_newer_versions() {
    Case::new()
        .clock(100)
        .write([put(20, 1), put(50, 2)])
        .clock(200)
        .write([delete(30)])
        .read(latest(), value(2).at(50).known(100))
        .read(as_of(49), deleted().at(30))
        .read(as_of(30), deleted().at(30))
        .read(as_of(49).known_at(199), value(1).at(20).known(100))
        .check();
}

/// A deletion is a version: who reads an earlier time still sees what was there.
pub fn a_delete_takes_nothing_from_earlier_times() {
    Case::new()
        .clock(100)
        .write([put(20, 1)])
        .clock(200)
        .write([delete(30)])
        .read(as_of(29), value(1).at(20).known(100))
        .read(as_of(30), deleted().at(30))
        .read(latest(), deleted().at(30))
        .check();
}

pub fn a_delete_of_nothing_stands_against_what_comes_late() {
    Case::new()
        .clock(100)
        .write([delete(30)])
        .read(as_of(29), missing())
        .read(latest(), deleted().at(30))
        .clock(200)
        .write([put(20, 1)])
        .read(latest(), deleted().at(30))
        .read(as_of(29), value(1).at(20).known(200))
        .write([put(40, 2)])
        .read(latest(), value(2).at(40).known(201))
        .check();
}

pub fn a_late_null_is_in_force_at_its_own_event_time() {
    Case::new()
        .clock(100)
        .write([put(20, 1), put(50, 2)])
        .clock(200)
        .write([null(30)])
        .read(as_of(49), null_value().at(30).known(200))
        .read(latest(), value(2).at(50).known(100))
        .check();
}

pub fn a_version_of_the_future_is_not_served_before_it_is_due() {
    Case::new()
        .clock(100)
        .write([put(500, 9)])
        .read(latest(), missing())
        .read(as_of(499), missing())
        .write([put(90, 1)])
        .clock(499)
        .read(latest(), value(1).at(90).known(101))
        .check();
}

pub fn a_version_of_the_future_is_served_when_it_is_due() {
    Case::new()
        .clock(100)
        .write([put(500, 9)])
        .write([put(90, 1)])
        .read(as_of(500), value(9).at(500).known(100))
        .clock(500)
        .read(latest(), value(9).at(500).known(100))
        .read(as_of(499), value(1).at(90).known(101))
        .check();
}

pub fn a_version_of_the_future_blocks_no_normal_one() {
    Case::new()
        .clock(100)
        .write([put(500, 9)])
        .write([put(90, 1)])
        .read(latest(), value(1).at(90).known(101))
        .clock(200)
        .write([put(150, 2)])
        .read(latest(), value(2).at(150).known(200))
        .read(last_n(200, 9), [value(2).at(150).known(200), value(1).at(90).known(101)])
        .write([put(160, 3), delete(170)])
        .read(latest(), deleted().at(170))
        .check();
}

pub fn a_delete_of_the_future_takes_effect_when_it_is_due() {
    Case::new()
        .clock(100)
        .write([put(90, 1), delete(500)])
        .read(latest(), value(1).at(90).known(100))
        .clock(500)
        .read(latest(), deleted().at(500))
        .read(as_of(499), value(1).at(90).known(100))
        .check();
}

/// Data never plays the clock.
pub fn a_row_of_the_year_2200_expires_and_drops_nothing() {
    let in_2200 = 7_258_118_400_000_000;
    Case::of(numbers().ttl(20).history(30))
        .clock(100)
        .write([put(75, 0).known(75), put(90, 1).known(90)])
        .write([put(in_2200, 9)])
        .compact()
        .read(as_of(75), value(0).at(75).known(75))
        .read(latest(), value(1).at(90).known(90))
        .read(as_of(110), value(1).at(90).known(90))
        .check();
}

/// The guard is on unless it is taken off, as it is in every other case here.
pub fn an_event_time_of_a_wrong_unit_is_refused_by_default() {
    let day = 86_400_000_000;
    let sim = SimWorld::new(EventTime(1_000));
    let store = Store::open("/store", Options::new().world(sim.world())).unwrap();
    store.define(FeatureSpec::new("f", ValueType::I64)).unwrap();
    let write = |e: i64| {
        let mut batch = Batch::new();
        batch.put("a", "f", EventTime(e), 1);
        store.write(batch, Durability::Buffered)
    };
    write(1_000 + day).unwrap();
    let refused = write(1_000 + day + 1).unwrap_err();
    let too_far = matches!(
        refused,
        Error::InvalidArgument(InvalidArgument::TooFarAhead { event_time, .. })
            if event_time == EventTime(1_000 + day + 1)
    );
    assert!(too_far, "{refused}");
}
