//! Item 13: values of two schemas never meet in one answer.

use asofdb::{Batch, Durability, Error, EventTime, InvalidArgument, Value};
use asofdb_tests::answer::Refusal;
use asofdb_tests::case::{Case, as_of, last_n, latest, missing, numbers, put, text, value};
use asofdb_tests::program::Step;

/// `f` was of type i64, and is text now.
fn evolved() -> Case {
    Case::new()
        .clock(100)
        .write([put(10, 1), put(30, 2)])
        .clock(200)
        .evolve("f", numbers().of_type("text"))
}

pub fn a_new_schema_does_not_fall_back_to_values_of_the_old_one() {
    evolved()
        .read(latest(), missing())
        .read(latest().feature("f@2"), missing())
        .read(latest().feature("f@1"), value(2).at(30).known(100))
        .write([put(20, 0).text("two")])
        .read(latest(), text("two").at(20).known(201))
        .read(as_of(19), missing())
        .check();
}

pub fn each_schema_has_its_own_versions() {
    evolved()
        .write([put(20, 0).text("two"), put(5, 3).feature("f@1")])
        .read(last_n(50, 9), [text("two").at(20).known(201)])
        .read(last_n(50, 9).feature("f@2"), [text("two").at(20).known(201)])
        .read(
            last_n(50, 9).feature("f@1"),
            [value(2).at(30).known(100), value(1).at(10).known(100), value(3).at(5).known(201)],
        )
        .read(as_of(9).feature("f@1"), value(3).at(5).known(201))
        .read(latest().feature("f@3"), Refusal::UnknownFeature)
        .check();
}

pub fn a_value_of_the_wrong_schema_is_refused() {
    evolved()
        .write_is_refused([put(40, 1)], Refusal::WrongType)
        .write_is_refused([put(40, 0).text("two").feature("f@1")], Refusal::WrongType)
        .write_is_refused([put(40, 1).feature("f@3")], Refusal::UnknownFeature)
        .read(latest(), missing())
        .read(latest().feature("f@1"), value(2).at(30).known(100))
        .check();
}

pub fn a_type_does_not_change_under_one_schema_number() {
    Case::new()
        .clock(100)
        .write([put(10, 1)])
        .step(Step::Alter("f".to_owned(), numbers().of_type("text")), Refusal::InvalidDefinition)
        .read(latest(), value(1).at(10).known(100))
        .read(latest().feature("f@2"), Refusal::UnknownFeature)
        .check();
}

pub fn a_reader_from_before_the_new_schema_goes_on_with_the_old_one() {
    Case::new()
        .clock(100)
        .write([put(10, 1)])
        .stamp("then")
        .snapshot("held")
        .evolve("f", numbers().of_type("text"))
        .write([put(20, 0).text("two")])
        .read(latest(), text("two").at(20).known(102))
        .read(latest().snapshot("held"), value(1).at(10).known(100))
        .read(latest().stamp("then"), value(1).at(10).known(100))
        .read(latest().stamp("then").feature("f@2"), Refusal::UnknownFeature)
        .check();
}

/// Two encoders of one dimension, or of two: their vectors never mix, and a vector of another dimension is no value.
pub fn vectors_of_two_dimensions_never_mix() {
    Case::new()
        .define("v", numbers().of_type("vector(2)"))
        .clock(100)
        .write([put(10, 0).feature("v").text("1 2")])
        .evolve("v", numbers().of_type("vector(3)"))
        .write([put(20, 0).feature("v").text("3 4 5")])
        .write([put(30, 0).feature("v@1").text("6 7")])
        .read(latest().feature("v"), text("3 4 5").at(20).known(102))
        .read(as_of(19).feature("v"), missing())
        .read(latest().feature("v@1"), text("6 7").at(30).known(103))
        .read(as_of(29).feature("v@1"), text("1 2").at(10).known(100))
        .check_on_stores(|store| {
            for (feature, numbers) in
                [("v", &[1.0, 2.0][..]), ("v@1", &[1.0, 2.0, 3.0]), ("v", &[])]
            {
                let mut batch = Batch::new();
                batch.put("a", feature, EventTime(40), Value::from(numbers));
                let refused = store.write(batch, Durability::Buffered).unwrap_err();
                let wrong_type = InvalidArgument::WrongType {
                    feature: "v".to_owned(),
                    expected: store.feature(feature).unwrap().value_type,
                    found: Value::from(numbers).value_type(),
                };
                match &refused {
                    Error::InvalidArgument(found) => assert_eq!(*found, wrong_type),
                    other => panic!("{other}"),
                }
            }
            let new = store.latest("a", "v").unwrap();
            assert_eq!((new.origin().unwrap().schema, new.as_vector().unwrap().dim()), (2, 3));
            let old = store.latest("a", "v@1").unwrap();
            assert_eq!((old.origin().unwrap().schema, old.as_vector().unwrap().dim()), (1, 2));
        });
}

/// A number is never used again: what was trained on `f@1` finds `f@1` or nothing.
pub fn a_feature_that_was_retired_and_defined_again_gets_the_next_schema_number() {
    Case::new()
        .clock(100)
        .write([put(10, 1)])
        .snapshot("held")
        .retire("f")
        .read(latest(), Refusal::UnknownFeature)
        .read(latest().feature("f@1"), Refusal::UnknownFeature)
        .define("f", numbers())
        .read(latest(), missing())
        .read(latest().feature("f@1"), Refusal::UnknownFeature)
        .write([put(20, 2)])
        .read(latest().feature("f@2"), value(2).at(20).known(103))
        .read(latest().snapshot("held"), value(1).at(10).known(100))
        .check();
}
