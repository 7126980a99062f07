//! Item 8: how far back reads may go, and what is kept of what lies further back.

use asofdb::{EventTime, Read};
use asofdb_tests::answer::Refusal::BelowHorizon;
use asofdb_tests::case::{
    Case, as_of, delete, deleted, expired, last_n, latest, missing, numbers, put, range, value,
};

/// Versions of 900, 940 and 960, each known at once; at 1000, with a history of 50, the horizon is 950.
fn at_950() -> Case {
    Case::of(numbers().history(50))
        .clock(990)
        .write([put(900, 1).known(900)])
        .write([put(940, 2).known(940)])
        .write([put(960, 3).known(960)])
        .clock(1_000)
}

pub fn one_microsecond_below_the_horizon_is_an_error() {
    at_950()
        .read(as_of(949), BelowHorizon)
        .read(as_of(0), BelowHorizon)
        .read(as_of(950).before(), BelowHorizon)
        .read(as_of(952).delay(3), BelowHorizon)
        .read(as_of(949).of("nobody"), BelowHorizon)
        .read(range(949, 1_000), BelowHorizon)
        .read(last_n(949, 1), BelowHorizon)
        .check();
}

pub fn a_time_of_knowing_below_the_horizon_is_an_error() {
    at_950()
        .read(as_of(960).known_at(949), BelowHorizon)
        .read(latest().known_at(949), BelowHorizon)
        .read(range(950, 960).known_at(949), BelowHorizon)
        .read(last_n(960, 1).known_at(949), BelowHorizon)
        .read(as_of(960).known_at(950), value(2).at(940).known(940))
        .check();
}

pub fn the_horizon_itself_is_answered_exactly() {
    at_950()
        .read(as_of(950), value(2).at(940).known(940))
        .read(as_of(951).before(), value(2).at(940).known(940))
        .read(as_of(953).delay(3), value(2).at(940).known(940))
        .read(as_of(959), value(2).at(940).known(940))
        .read(as_of(960), value(3).at(960).known(960))
        .read(range(950, 1_000), [value(3).at(960).known(960)])
        .check();
}

pub fn the_version_in_force_at_the_horizon_is_kept() {
    at_950()
        .compact()
        .read(as_of(950), value(2).at(940).known(940))
        .read(last_n(1_000, 9), [value(3).at(960).known(960), value(2).at(940).known(940)])
        .clock(10_000)
        .compact()
        .read(latest(), value(3).at(960).known(960))
        .read(as_of(9_950), value(3).at(960).known(960))
        .check();
}

/// Of a correction that came after the horizon, both it and what it corrected are asked for.
pub fn a_correction_of_below_the_horizon_known_above_it_hides_nothing() {
    Case::of(numbers().history(50))
        .clock(945)
        .write([put(940, 1)])
        .clock(970)
        .write([put(940, 2)])
        .clock(1_000)
        .compact()
        .read(as_of(950).known_at(969), value(1).at(940).known(945))
        .read(as_of(950).known_at(970), value(2).at(940).known(970))
        .read(as_of(950), value(2).at(940).known(970))
        .check();
}

pub fn with_a_history_of_nothing_only_the_present_is_answered() {
    Case::of(numbers().history(0))
        .clock(100)
        .write([put(90, 1), put(95, 2)])
        .read(latest(), value(2).at(95).known(100))
        .read(as_of(100), value(2).at(95).known(100))
        .read(as_of(99), BelowHorizon)
        .read(latest().before(), BelowHorizon)
        .read(as_of(500), value(2).at(95).known(100))
        .clock(5_000)
        .read(latest(), value(2).at(95).known(100))
        .check();
}

pub fn without_a_history_every_time_is_answered() {
    Case::new()
        .clock(1_000_000)
        .write([put(10, 1)])
        .read(as_of(9), missing())
        .read(as_of(i64::MIN), missing())
        .read(as_of(10).known_at(i64::MIN), missing())
        .check();
}

/// At 1000 the horizon is 980 and what is younger than 100 is fresh: it lies far below the horizon.
pub fn with_a_ttl_longer_than_the_history_what_lies_below_the_horizon_is_served_until_it_is_stale()
{
    Case::of(numbers().history(20).ttl(100))
        .clock(990)
        .write([put(880, 1).known(880), put(890, 2).known(890)])
        .clock(1_000)
        .compact()
        .read(as_of(979), BelowHorizon)
        .read(as_of(980), value(2).at(890).known(890))
        .read(as_of(990), value(2).at(890).known(890))
        .read(as_of(991), expired().at(890))
        .read(latest(), expired().at(890))
        .check();
}

/// At 1000 the horizon is 900 and what is older than 20 is stale, but each time sees its own.
pub fn with_a_ttl_shorter_than_the_history_each_time_judges_its_own_age() {
    Case::of(numbers().history(100).ttl(20))
        .clock(990)
        .write([put(885, 1).known(885), put(950, 2).known(950)])
        .clock(1_000)
        .compact()
        .read(as_of(899), BelowHorizon)
        .read(as_of(905), value(1).at(885).known(885))
        .read(as_of(906), expired().at(885))
        .read(as_of(949), expired().at(885))
        .read(as_of(970), value(2).at(950).known(950))
        .read(as_of(971), expired().at(950))
        .check();
}

/// With H at 980 and a TTL of 10 the bound S is 970.
pub fn the_stale_value_is_kept_down_to_the_bound_s_and_no_further() {
    Case::of(numbers().history(20).ttl(10))
        .clock(990)
        .write([put(970, 1).known(970), put(969, 2).known(969).of("b")])
        .clock(1_000)
        .read(latest(), expired().at(970))
        .read(latest().of("b"), expired().at(969))
        .read(as_of(980), value(1).at(970).known(970))
        .read(as_of(980).of("b"), expired().at(969))
        .check_on_stores(|store| {
            let stale = |entity| {
                let reading = store.read(entity, "f", &Read::as_of(EventTime(1_000))).unwrap();
                let asofdb::Answer::Expired(stale, _) = reading.answer else {
                    panic!("not expired")
                };
                stale.stale_value().and_then(asofdb::Value::as_i64)
            };
            assert_eq!((stale("a"), stale("b")), (Some(1), None));
        });
}

/// A pipeline that stands still for years leaves an answer that says so, not an empty one.
pub fn what_is_stale_for_long_is_expired_and_not_missing() {
    Case::of(numbers().history(20).ttl(10))
        .clock(200)
        .write([put(100, 1), put(150, 2)])
        .clock(1_000_000_000)
        .compact()
        .read(latest(), expired().at(150))
        .read(last_n(1_000_000_000, 9), [expired().at(150)])
        .check();
}

/// With H at 1000 and forget_after 300 the bound B is 700.
pub fn what_is_stale_beyond_forget_after_is_missing() {
    Case::of(numbers().history(20).ttl(10).forget_after(300))
        .clock(990)
        .write([put(700, 1), put(699, 2).of("b"), delete(700).of("c"), delete(699).of("d")])
        .clock(1_020)
        .compact()
        .read(latest(), expired().at(700))
        .read(latest().of("b"), missing())
        .read(latest().of("c"), deleted().at(700))
        .read(latest().of("d"), missing())
        .check();
}

/// The TTL is the lesser limit of what is forgotten: nothing fresh is.
pub fn what_is_fresh_is_not_forgotten() {
    Case::of(numbers().history(0).ttl(100).forget_after(10))
        .clock(1_000)
        .write([put(900, 1), put(899, 2).of("b")])
        .compact()
        .read(latest(), value(1).at(900).known(1_000))
        .read(latest().of("b"), missing())
        .check();
}
