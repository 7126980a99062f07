//! Item 7: what was known when. A correction, a late row or a deletion that came later does not exist for the read.

use asofdb_tests::answer::Refusal;
use asofdb_tests::case::{
    Case, as_of, delete, deleted, expired, last_n, latest, missing, numbers, put, value,
};

/// A value of 10, corrected and later deleted.
fn corrected() -> Case {
    Case::new()
        .clock(100)
        .write([put(10, 1)])
        .clock(200)
        .write([put(10, 2)])
        .clock(300)
        .write([delete(20)])
}

pub fn between_a_value_and_its_correction_the_value_was_known() {
    corrected()
        .read(as_of(15).known_at(100), value(1).at(10).known(100))
        .read(as_of(15).known_at(199), value(1).at(10).known(100))
        .read(as_of(15).known_at(200), value(2).at(10).known(200))
        .read(as_of(15), value(2).at(10).known(200))
        .check();
}

pub fn before_both_nothing_was_known() {
    corrected()
        .read(as_of(15).known_at(99), missing())
        .read(as_of(15).known_at(10), missing())
        .read(last_n(50, 9).known_at(99), [])
        .check();
}

pub fn a_delete_that_came_later_was_not_known() {
    corrected()
        .read(as_of(25).known_at(299), value(2).at(10).known(200))
        .read(as_of(25).known_at(150), value(1).at(10).known(100))
        .read(as_of(25).known_at(300), deleted().at(20))
        .read(latest(), deleted().at(20))
        .check();
}

/// Known time is judged before age: what was not known cannot make the answer stale or fresh.
pub fn what_is_known_is_chosen_before_it_is_judged() {
    Case::of(numbers().ttl(7))
        .clock(100)
        .write([put(10, 1)])
        .clock(200)
        .write([put(20, 2)])
        .read(as_of(25), value(2).at(20).known(200))
        .read(as_of(25).known_at(199), expired().at(10))
        .check();
}

pub fn an_import_tells_when_each_value_became_known() {
    Case::new()
        .clock(1_000)
        .write([put(10, 1).known(15), put(10, 2).known(25), put(20, 3).known(21)])
        .read(as_of(10).known_at(14), missing())
        .read(as_of(10).known_at(15), value(1).at(10).known(15))
        .read(as_of(10).known_at(24), value(1).at(10).known(15))
        .read(as_of(10).known_at(25), value(2).at(10).known(25))
        .read(as_of(20).known_at(20), value(1).at(10).known(15))
        .read(as_of(20).known_at(21), value(3).at(20).known(21))
        .read(latest(), value(3).at(20).known(21))
        .check();
}

/// The import trap: whoever gives no known times says that nothing was known before today.
pub fn an_import_without_known_times_was_not_known_in_the_past() {
    Case::new()
        .clock(1_000)
        .write([put(10, 1)])
        .read(as_of(10).known_at(10), missing())
        .read(as_of(10).known_at(999), missing())
        .read(as_of(10).known_at(1_000), value(1).at(10).known(1_000))
        .read(as_of(10), value(1).at(10).known(1_000))
        .check();
}

pub fn an_import_of_what_was_known_earlier_corrects_nothing() {
    Case::new()
        .clock(100)
        .write([put(10, 9)])
        .clock(1_000)
        .write([put(10, 1).known(50)])
        .read(as_of(10), value(9).at(10).known(100))
        .read(latest(), value(9).at(10).known(100))
        .read(as_of(10).known_at(99), value(1).at(10).known(50))
        .read(as_of(10).known_at(49), missing())
        .check();
}

pub fn a_known_time_after_the_commit_is_refused() {
    Case::new()
        .clock(100)
        .write_is_refused([put(10, 1).known(101)], Refusal::KnownAfterCommit)
        .write_is_refused([put(10, 1), put(11, 1).known(101)], Refusal::KnownAfterCommit)
        .read(latest(), missing())
        .write([put(10, 2).known(100)])
        .read(latest(), value(2).at(10).known(100))
        .check();
}

pub fn a_time_of_the_future_may_be_asked_about() {
    Case::new()
        .clock(100)
        .write([put(10, 1)])
        .read(as_of(5_000).known_at(9_000), value(1).at(10).known(100))
        .check();
}

/// Knowing is not seeing: a snapshot fixes what was written, a known time what was known, and both may be asked for.
pub fn a_snapshot_and_a_known_time_are_two_limits() {
    Case::new()
        .clock(100)
        .write([put(10, 1).known(50)])
        .snapshot("s")
        .clock(200)
        .write([put(10, 2).known(60)])
        .read(as_of(10).known_at(60), value(2).at(10).known(60))
        .read(as_of(10).known_at(60).snapshot("s"), value(1).at(10).known(50))
        .read(as_of(10).known_at(59), value(1).at(10).known(50))
        .read(as_of(10).known_at(49).snapshot("s"), missing())
        .check();
}
