//! Item 14: a TTL that is altered, up and down, judges what is already stored, and tells no reader from before anything
//! else than it was told.

use asofdb_tests::answer::Refusal;
use asofdb_tests::case::{Case, as_of, expired, latest, numbers, put, value};

pub fn a_longer_ttl_counts_at_once_for_what_is_stored() {
    Case::of(numbers().ttl(10))
        .clock(120)
        .write([put(100, 1)])
        .read(latest(), expired().at(100))
        .alter("f", numbers().ttl(20))
        .read(latest(), value(1).at(100).known(120))
        .read(as_of(120), value(1).at(100).known(120))
        .read(as_of(121), expired().at(100))
        .check();
}

pub fn a_shorter_ttl_counts_at_once_for_what_is_stored() {
    Case::of(numbers().ttl(10))
        .clock(106)
        .write([put(100, 1)])
        .read(latest(), value(1).at(100).known(106))
        .alter("f", numbers().ttl(5))
        .read(latest(), expired().at(100))
        .read(as_of(105), value(1).at(100).known(106))
        .check();
}

pub fn without_a_history_a_ttl_that_goes_down_and_up_again_has_cost_nothing() {
    Case::of(numbers().ttl(50))
        .clock(100)
        .write([put(60, 1)])
        .alter("f", numbers().ttl(5))
        .compact()
        .read(latest(), expired().at(60))
        .clock(110)
        .alter("f", numbers().ttl(50))
        .read(latest(), value(1).at(60).known(100))
        .alter("f", numbers())
        .clock(1_000_000)
        .read(latest(), value(1).at(60).known(100))
        .check();
}

pub fn a_reader_from_before_keeps_the_ttl_of_its_time() {
    Case::of(numbers().ttl(10))
        .clock(110)
        .write([put(100, 1)])
        .stamp("fresh")
        .snapshot("held")
        .alter("f", numbers().ttl(5))
        .read(latest(), expired().at(100))
        .read(latest().stamp("fresh"), value(1).at(100).known(110))
        .read(latest().snapshot("held"), value(1).at(100).known(110))
        .read(as_of(111).snapshot("held"), expired().at(100))
        .release("held")
        .clock(120)
        .stamp("stale")
        .alter("f", numbers().ttl(1_000))
        .read(latest(), value(1).at(100).known(110))
        .read(latest().stamp("stale"), expired().at(100))
        .read(latest().stamp("fresh"), value(1).at(100).known(110))
        .check();
}

/// At 1000, with a history of 20 and a TTL of 10, what is older than 970 has given up its value for good.
pub fn a_longer_ttl_does_not_revive_what_lies_below_the_bound_s() {
    Case::of(numbers().history(20).ttl(10))
        .clock(1_000)
        .write([put(969, 1), put(970, 2).of("b"), put(975, 3).of("c")])
        .compact()
        .read(latest(), expired().at(969))
        .read(latest().of("b"), expired().at(970))
        .alter("f", numbers().history(20).ttl(100))
        .read(latest(), expired().at(969))
        .read(latest().of("b"), value(2).at(970).known(1_000))
        .read(latest().of("c"), value(3).at(975).known(1_000))
        .alter("f", numbers().history(20))
        .read(latest(), expired().at(969))
        .read(as_of(980), expired().at(969))
        .check();
}

/// The longest TTL in force since the horizon holds the bound S down, so a shorter one that was a mistake can be undone.
pub fn a_ttl_that_was_shortened_by_mistake_can_be_set_right_within_the_history() {
    Case::of(numbers().history(20).ttl(100))
        .clock(1_000)
        .write([put(900, 1)])
        .read(latest(), value(1).at(900).known(1_000))
        .alter("f", numbers().history(20).ttl(10))
        .clock(1_005)
        .compact()
        .read(latest(), expired().at(900))
        .alter("f", numbers().history(20).ttl(200))
        .read(latest(), value(1).at(900).known(1_000))
        .check();
}

pub fn a_ttl_that_was_shortened_for_longer_than_the_history_has_taken_effect() {
    Case::of(numbers().history(20).ttl(100))
        .clock(1_000)
        .write([put(990, 1)])
        .alter("f", numbers().history(20).ttl(10))
        .clock(1_025)
        .compact()
        .read(latest(), expired().at(990))
        .alter("f", numbers().history(20).ttl(200))
        .read(latest(), expired().at(990))
        .check();
}

pub fn a_definition_that_contradicts_itself_is_refused() {
    use asofdb_tests::program::Step::Alter;
    Case::of(numbers().ttl(10))
        .clock(105)
        .write([put(100, 1)])
        .step(Alter("f".to_owned(), numbers().forget_after(10)), Refusal::InvalidDefinition)
        .step(Alter("f".to_owned(), numbers().ttl(-1)), Refusal::InvalidDefinition)
        .step(Alter("g".to_owned(), numbers()), Refusal::UnknownFeature)
        .read(latest(), value(1).at(100).known(105))
        .read(as_of(111), expired().at(100))
        .check();
}
