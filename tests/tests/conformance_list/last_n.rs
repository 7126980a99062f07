//! Item 15: several versions of one cell, over files, newest first, each judged at the time asked about.

use asofdb::{EventTime, Read};
use asofdb_tests::case::{
    Case, delete, deleted, expired, last_n, null, null_value, numbers, put, range, value,
};

/// Versions of 10, 20, 30 and 40, each in a batch of its own, in another order than that of their times.
fn four() -> Case {
    Case::of(numbers().ttl(25))
        .clock(100)
        .write([put(40, 4)])
        .flush()
        .write([put(10, 1)])
        .flush()
        .write([delete(30)])
        .write([null(20)])
        .flush()
}

pub fn versions_that_lie_in_several_files_come_newest_first() {
    four()
        .read(
            last_n(41, 4),
            [
                value(4).at(40).known(100),
                deleted().at(30),
                null_value().at(20).known(103),
                expired().at(10),
            ],
        )
        .check();
}

pub fn fewer_than_there_are_are_the_newest() {
    four()
        .read(last_n(45, 1), [value(4).at(40).known(100)])
        .read(last_n(45, 2), [value(4).at(40).known(100), deleted().at(30)])
        .read(last_n(45, 0), [])
        .check();
}

pub fn more_than_there_are_are_all() {
    let all = [
        value(4).at(40).known(100),
        deleted().at(30),
        null_value().at(20).known(103),
        expired().at(10),
    ];
    four()
        .read(last_n(45, 5), all.clone())
        .read(last_n(45, usize::from(u16::MAX)), all)
        .read(last_n(45, 5).of("nobody"), [])
        .check_on_stores(|store| {
            let all = store.last_n("a", "f", usize::MAX, &Read::as_of(EventTime(45))).unwrap();
            assert_eq!((all.answers.len(), all.stopped_at_horizon), (4, false));
        });
}

/// Each is judged at the time asked about, not at its successor's time, and keeps its place.
pub fn expired_and_deleted_versions_are_in_the_list() {
    four()
        .read(
            last_n(46, 9),
            [value(4).at(40).known(100), deleted().at(30), expired().at(20), expired().at(10)],
        )
        .read(
            last_n(66, 9),
            [expired().at(40), deleted().at(30), expired().at(20), expired().at(10)],
        )
        .read(
            last_n(66, 9).max_age(26),
            [expired().at(40), deleted().at(30), expired().at(20), expired().at(10)],
        )
        .read(last_n(45, 2).max_age(4), [expired().at(40), deleted().at(30)])
        .check();
}

pub fn versions_after_the_time_asked_about_are_not_in_the_list() {
    four()
        .read(last_n(39, 9), [deleted().at(30), null_value().at(20).known(103), expired().at(10)])
        .read(last_n(29, 1), [null_value().at(20).known(103)])
        .read(last_n(9, 9), [])
        .check();
}

pub fn of_a_corrected_version_only_the_correction_is_in_the_list() {
    four()
        .clock(200)
        .write([put(30, 3), put(10, 9)])
        .flush()
        .read(
            last_n(45, 9),
            [
                value(4).at(40).known(100),
                value(3).at(30).known(200),
                null_value().at(20).known(103),
                expired().at(10),
            ],
        )
        .read(
            last_n(35, 9),
            [
                value(3).at(30).known(200),
                null_value().at(20).known(103),
                value(9).at(10).known(200),
            ],
        )
        .read(
            last_n(35, 9).known_at(199),
            [deleted().at(30), null_value().at(20).known(103), value(1).at(10).known(101)],
        )
        .check();
}

pub fn a_range_holds_both_of_its_ends() {
    four()
        .read(range(20, 30), [deleted().at(30), null_value().at(20).known(103)])
        .read(range(21, 29), [])
        .read(range(30, 40), [value(4).at(40).known(100), deleted().at(30)])
        .read(range(10, 36), [deleted().at(30), null_value().at(20).known(103), expired().at(10)])
        .read(range(30, 20), [])
        .check();
}

/// At 1000 the horizon is 950: what is older than the version in force there may be gone.
pub fn the_list_ends_with_the_version_in_force_at_the_horizon_and_says_so() {
    Case::of(numbers().history(50))
        .clock(990)
        .write([put(930, 1), put(940, 2)])
        .write([put(960, 3), put(970, 4)])
        .clock(1_000)
        .read(
            last_n(1_000, 9),
            [value(4).at(970).known(991), value(3).at(960).known(991), value(2).at(940).known(990)],
        )
        .read(last_n(1_000, 2), [value(4).at(970).known(991), value(3).at(960).known(991)])
        .read(last_n(950, 9), [value(2).at(940).known(990)])
        .check_on_stores(|store| {
            let read = |n| store.last_n("a", "f", n, &Read::as_of(EventTime(1_000))).unwrap();
            let told = |n| (read(n).answers.len(), read(n).stopped_at_horizon);
            assert_eq!([told(2), told(3), told(4)], [(2, false), (3, false), (3, true)]);
        });
}
