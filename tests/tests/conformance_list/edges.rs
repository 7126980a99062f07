//! Items 1 and 2: the microsecond at which a version begins to count, and the one at which it is too old.

use asofdb_tests::case::{
    Case, as_of, delete, deleted, expired, latest, missing, null, numbers, put, value,
};

pub fn a_version_counts_from_exactly_its_event_time_on() {
    let five = value(5).at(10).known(100);
    Case::new()
        .clock(100)
        .write([put(10, 5)])
        .read(as_of(10), five.clone())
        .read(as_of(11), five.clone())
        .read(latest(), five)
        .check();
}

pub fn a_version_counts_exactly_until_the_next_one() {
    Case::new()
        .clock(100)
        .write([put(10, 1), put(20, 2)])
        .read(as_of(19), value(1).at(10).known(100))
        .read(as_of(20), value(2).at(20).known(100))
        .check();
}

pub fn a_version_is_not_there_one_microsecond_before_its_event_time() {
    Case::new()
        .clock(100)
        .write([put(10, 5), put(0, 6).of("at the epoch"), put(-10, 7).of("before the epoch")])
        .read(as_of(9), missing())
        .read(as_of(-1).of("at the epoch"), missing())
        .read(as_of(0).of("at the epoch"), value(6).at(0).known(100))
        .read(as_of(-11).of("before the epoch"), missing())
        .read(as_of(-10).of("before the epoch"), value(7).at(-10).known(100))
        .check();
}

/// A label and the features of its own moment: the strict bound is what keeps the one out of the other.
pub fn before_a_time_leaves_out_exactly_that_microsecond() {
    Case::new()
        .clock(100)
        .write([put(10, 1), put(20, 2)])
        .read(as_of(10).before(), missing())
        .read(as_of(11).before(), value(1).at(10).known(100))
        .read(as_of(20).before(), value(1).at(10).known(100))
        .read(as_of(21).before(), value(2).at(20).known(100))
        .clock(20)
        .read(latest().before(), value(1).at(10).known(100))
        .check();
}

pub fn a_delay_moves_the_edge_by_exactly_itself() {
    Case::new()
        .clock(100)
        .write([put(10, 5)])
        .read(as_of(14).delay(5), missing())
        .read(as_of(15).delay(5), value(5).at(10).known(100))
        .read(as_of(15).delay(5).before(), missing())
        .read(as_of(16).delay(5).before(), value(5).at(10).known(100))
        .read(as_of(10).delay(0), value(5).at(10).known(100))
        .check();
}

pub fn a_value_is_fresh_at_exactly_its_ttl() {
    Case::of(numbers().ttl(7))
        .clock(100)
        .write([put(10, 5)])
        .read(as_of(10), value(5).at(10).known(100))
        .read(as_of(17), value(5).at(10).known(100))
        .check();
}

pub fn a_value_is_expired_one_microsecond_after_its_ttl() {
    Case::of(numbers().ttl(7))
        .clock(17)
        .write([put(10, 5)])
        .read(latest(), value(5).at(10).known(17))
        .clock(18)
        .read(latest(), expired().at(10))
        .read(as_of(18), expired().at(10))
        .read(as_of(17), value(5).at(10).known(17))
        .check();
}

pub fn with_a_ttl_of_zero_a_value_is_fresh_in_its_own_microsecond_alone() {
    Case::of(numbers().ttl(0))
        .clock(100)
        .write([put(10, 5)])
        .read(as_of(9), missing())
        .read(as_of(10), value(5).at(10).known(100))
        .read(as_of(11), expired().at(10))
        .check();
}

pub fn age_is_counted_at_the_time_that_before_and_delay_leave() {
    Case::of(numbers().ttl(7))
        .clock(100)
        .write([put(10, 5)])
        .read(as_of(18).before(), value(5).at(10).known(100))
        .read(as_of(19).before(), expired().at(10))
        .read(as_of(20).delay(3), value(5).at(10).known(100))
        .read(as_of(21).delay(3), expired().at(10))
        .check();
}

pub fn without_a_ttl_a_value_is_fresh_for_ever() {
    Case::new()
        .clock(100)
        .write([put(10, 5), put(i64::MIN, 6).of("the oldest")])
        .read(as_of(i64::MAX), value(5).at(10).known(100))
        .read(as_of(i64::MAX).of("the oldest"), value(6).at(i64::MIN).known(100))
        .check();
}

pub fn a_max_age_tighter_than_the_ttl_is_the_limit() {
    Case::of(numbers().ttl(7))
        .define("g", numbers())
        .clock(100)
        .write([put(10, 5), put(10, 6).feature("g"), null(10).of("null"), delete(10).of("deleted")])
        .read(as_of(13).max_age(3), value(5).at(10).known(100))
        .read(as_of(14).max_age(3), expired().at(10))
        .read(as_of(13).max_age(3).feature("g"), value(6).at(10).known(100))
        .read(as_of(14).max_age(3).feature("g"), expired().at(10))
        .read(as_of(10).max_age(0), value(5).at(10).known(100))
        .read(as_of(11).max_age(0), expired().at(10))
        .read(as_of(14).max_age(3).of("null"), expired().at(10))
        .read(as_of(14).max_age(3).of("deleted"), deleted().at(10))
        .check();
}

pub fn a_max_age_looser_than_the_ttl_revives_nothing() {
    Case::of(numbers().ttl(7))
        .clock(100)
        .write([put(10, 5)])
        .read(as_of(17).max_age(8), value(5).at(10).known(100))
        .read(as_of(18).max_age(8), expired().at(10))
        .read(as_of(18).max_age(i64::MAX), expired().at(10))
        .check();
}
