//! Item 6: the newest version is judged, whatever it says. Nothing falls back past it.

use asofdb::{EventTime, Read, Status};
use asofdb_tests::case::{
    Case, as_of, delete, deleted, expired, last_n, latest, missing, null, null_value, numbers, put,
    value,
};

pub fn a_newer_value_decides() {
    Case::of(numbers().ttl(7))
        .clock(100)
        .write([put(10, 1), put(20, 2)])
        .read(as_of(25), value(2).at(20).known(100))
        .check();
}

/// The bug of every store that cannot tell "not touched" from "known to be null".
pub fn a_null_is_not_passed_over_for_an_older_value() {
    Case::of(numbers().ttl(17))
        .clock(100)
        .write([put(10, 1), null(20)])
        .read(as_of(19), value(1).at(10).known(100))
        .read(as_of(20), null_value().at(20).known(100))
        .read(as_of(25), null_value().at(20).known(100))
        .check();
}

pub fn a_delete_is_not_passed_over_for_an_older_value() {
    Case::of(numbers().ttl(17))
        .clock(100)
        .write([put(10, 1), delete(20)])
        .read(as_of(19), value(1).at(10).known(100))
        .read(as_of(20), deleted().at(20))
        .read(as_of(25), deleted().at(20))
        .check();
}

pub fn an_expired_version_is_not_passed_over_for_an_older_one() {
    Case::of(numbers().ttl(7))
        .clock(100)
        .write([put(19, 1), null(18), delete(17), put(20, 2)])
        .read(as_of(27), value(2).at(20).known(100))
        .read(as_of(28), expired().at(20))
        .check();
}

pub fn a_null_goes_stale_as_a_value_does() {
    Case::of(numbers().ttl(7))
        .clock(100)
        .write([null(10)])
        .read(as_of(17), null_value().at(10).known(100))
        .read(as_of(18), expired().at(10))
        .check();
}

pub fn a_deletion_never_goes_stale() {
    Case::of(numbers().ttl(7))
        .clock(100)
        .write([put(10, 1), delete(10)])
        .read(as_of(17), deleted().at(10))
        .read(as_of(18), deleted().at(10))
        .read(as_of(i64::MAX), deleted().at(10))
        .check();
}

pub fn a_value_after_a_null_or_a_delete_counts_again() {
    Case::new()
        .clock(100)
        .write([put(10, 1), delete(20), null(30), put(40, 4)])
        .read(as_of(25), deleted().at(20))
        .read(as_of(35), null_value().at(30).known(100))
        .read(as_of(45), value(4).at(40).known(100))
        .read(
            last_n(45, 9),
            [
                value(4).at(40).known(100),
                null_value().at(30).known(100),
                deleted().at(20),
                value(1).at(10).known(100),
            ],
        )
        .check();
}

/// Not written is not null: who wants no null to stand writes none.
pub fn a_feature_that_a_batch_does_not_touch_keeps_its_value() {
    Case::new()
        .define("g", numbers())
        .clock(100)
        .write([put(10, 1), put(10, 2).feature("g")])
        .write([put(20, 3)])
        .read(as_of(25), value(3).at(20).known(101))
        .read(as_of(25).feature("g"), value(2).at(10).known(100))
        .read(as_of(25).of("nobody"), missing())
        .check();
}

pub fn a_stale_value_comes_only_when_asked_for_by_its_name() {
    Case::of(numbers().ttl(7))
        .clock(100)
        .write([put(10, 5), null(10).of("null"), delete(10).of("deleted")])
        .read(as_of(18), expired().at(10))
        .read(latest(), expired().at(10))
        .check_on_stores(|store| {
            let read =
                |entity| store.read(entity, "f", &Read::as_of(EventTime(18))).unwrap().answer;
            let asofdb::Answer::Expired(stale, origin) = read("a") else { panic!("not expired") };
            assert_eq!(stale.stale_value().and_then(asofdb::Value::as_i64), Some(5));
            assert_eq!((origin.event_time.0, origin.known_time.0, origin.schema), (10, 100, 1));
            assert_eq!((read("a").value(), read("a").as_i64()), (None, None));
            let asofdb::Answer::Expired(stale, _) = read("null") else { panic!("not expired") };
            assert_eq!(stale.stale_value(), None);
            assert_eq!(read("deleted").status(), Status::Deleted);
        });
}
