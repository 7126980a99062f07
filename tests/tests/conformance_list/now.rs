//! Item 17: the newest value is the value as of now, in every state that a cell can be in.

use std::collections::BTreeSet;

use asofdb::Options;
use asofdb_tests::answer::{Answer, Refusal};
use asofdb_tests::case::{
    Case, as_of, delete, deleted, expired, latest, missing, null, null_value, numbers, put, value,
};
use asofdb_tests::engine::Engine;
use asofdb_tests::generate::{Settings, generate};
use asofdb_tests::model::Model;
use asofdb_tests::program::Step;
use asofdb_tests::question::{Options as Asked, Question, Read};
use asofdb_tests::replay::{Subject, apply};

/// At the end of the case both give this answer, and both give the same one to every option.
fn now_and_latest_are(case: Case, now: i64, answer: Answer) {
    let case = case.read(latest(), answer.clone()).read(as_of(now), answer.clone());
    let case =
        case.read(latest().known_at(now), answer.clone()).read(as_of(now).known_at(now), answer);
    case.check();
}

pub fn of_nothing() {
    now_and_latest_are(Case::new().clock(100), 100, missing());
    now_and_latest_are(Case::new().clock(100).write([put(10, 1).of("b")]), 100, missing());
}

pub fn of_a_value() {
    let case = Case::of(numbers().ttl(90)).clock(100).write([put(10, 1)]);
    now_and_latest_are(case, 100, value(1).at(10).known(100));
}

pub fn of_a_value_of_this_very_moment() {
    let case = Case::of(numbers().ttl(0)).clock(100).write([put(100, 1)]);
    now_and_latest_are(case, 100, value(1).at(100).known(100));
}

pub fn of_a_null() {
    let case = Case::new().clock(100).write([put(10, 1), null(20)]);
    now_and_latest_are(case, 100, null_value().at(20).known(100));
}

pub fn of_a_deletion() {
    let case = Case::of(numbers().ttl(5)).clock(100).write([put(10, 1), delete(20)]);
    now_and_latest_are(case, 100, deleted().at(20));
}

pub fn of_an_expired_value() {
    let case = Case::of(numbers().ttl(89)).clock(100).write([put(10, 1)]);
    now_and_latest_are(case, 100, expired().at(10));
}

pub fn of_a_version_of_the_future() {
    now_and_latest_are(Case::new().clock(100).write([put(101, 1)]), 100, missing());
    let due = Case::new().clock(100).write([put(101, 1)]).clock(101);
    now_and_latest_are(due, 101, value(1).at(101).known(100));
}

pub fn of_late_and_corrected_versions() {
    let case =
        Case::new().clock(100).write([put(50, 1)]).clock(200).write([put(50, 2), put(40, 3)]);
    now_and_latest_are(case, 200, value(2).at(50).known(200));
}

pub fn of_an_erased_entity() {
    let case = Case::new().clock(100).write([put(10, 1)]).clock(200).erase("a");
    now_and_latest_are(case, 200, missing());
}

pub fn of_a_reverted_batch() {
    let case = Case::new().clock(100).write([put(10, 1)]).write_from("job", [put(20, 2)]);
    now_and_latest_are(case.clock(200).revert("job"), 200, value(1).at(10).known(100));
}

pub fn of_a_feature_without_history() {
    let case = Case::of(numbers().history(0).ttl(10)).clock(100).write([put(95, 1)]).clock(105);
    now_and_latest_are(case.clone(), 105, value(1).at(95).known(100));
    now_and_latest_are(case.clock(106), 106, expired().at(95));
}

pub fn of_a_new_schema_and_of_a_name_that_means_nothing() {
    let case = Case::new().clock(100).write([put(10, 1)]).evolve("f", numbers().ttl(5)).clock(200);
    now_and_latest_are(case, 200, missing());
    Case::new()
        .clock(100)
        .read(latest().feature("g"), Refusal::UnknownFeature)
        .read(as_of(100).feature("g"), Refusal::UnknownFeature)
        .check();
}

/// Every option that a read can have, in every combination.
fn options(now: i64) -> Vec<Asked> {
    let mut all = Vec::new();
    for known_at in [None, Some(now), Some(now - 2_000_000)] {
        for before in [false, true] {
            for delay in [None, Some(1_000_000)] {
                for max_age in [None, Some(0), Some(3_000_000)] {
                    let reader = Asked::default().reader;
                    all.push(Asked { known_at, before, delay, max_age, reader });
                }
            }
        }
    }
    all
}

/// After every step of random programs, for every entity and schema and all options.
pub fn of_every_state_that_random_programs_reach() {
    const PROGRAMS: u64 = 60;
    let (mut cells, mut answers) = (0, BTreeSet::new());
    for seed in 0..PROGRAMS {
        let mut model = Model::new();
        let mut engine = Engine::new(Options::new()).unwrap();
        let steps = generate(seed, Settings::default());
        for (at, step) in steps.iter().enumerate() {
            let _ = (apply(step, &mut model), apply(step, &mut engine));
            if matches!(step, Step::Read(_)) {
                continue;
            }
            let entities: BTreeSet<_> =
                model.revisions.iter().map(|revision| &revision.entity).cloned().collect();
            // One set of options a step and cell: over all programs each meets every state many times.
            let options = options(model.now);
            for column in &model.columns {
                for entity in &entities {
                    let feature = format!("{}@{}", column.name, column.schema);
                    let options = options[cells % options.len()].clone();
                    let mut ask = |question| {
                        let (entity, feature) = (entity.clone(), feature.clone());
                        let options = options.clone();
                        Subject::read(&mut engine, &Read { entity, feature, question, options })
                    };
                    let newest = ask(Question::Latest);
                    let now = ask(Question::AsOf(model.now));
                    assert_eq!(newest, now, "seed {seed}, step {at}, {feature}, {options:?}");
                    let read = Read {
                        entity: entity.clone(),
                        feature,
                        question: Question::Latest,
                        options,
                    };
                    assert_eq!(newest, model.read(&read), "seed {seed}, step {at}: {read:?}");
                    let kind = newest.to_string();
                    answers.insert(kind.split(' ').next().map(str::to_owned));
                    cells += 1;
                }
            }
        }
    }
    println!("{PROGRAMS} programs, {cells} cells, {answers:?}");
    assert_eq!(answers.len(), 6, "a kind of answer is never met: {answers:?}");
}
