//! The replay law on the model: what a stamp or a held snapshot answered once, it answers as long as it is readable.
//!
//! The garbage tests compare two models under the same bounds, so bounds that are too high would go unseen there:
//! they would take from both. Here every answer is compared with the one given when the stamp was made. Only an erase and
//! the bound B may make a difference, and B only to marks: expired or deleted versions.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use asofdb_tests::answer::{Answer, Outcome};
use asofdb_tests::generate::{Settings, generate};
use asofdb_tests::model::{Bounds, Model};
use asofdb_tests::program::{Program, Step};
use asofdb_tests::question::{Options, Question, Read, Reader};
use asofdb_tests::replay::apply;

/// A read and what it answered first.
struct Kept {
    column: usize,
    /// The bounds of the column at the first reading.
    bounds: Bounds,
    read: Read,
    answer: Answer,
}

fn ask(model: &Model, read: &Read) -> Option<Answer> {
    match model.read(read) {
        Outcome::Cell(answer) => Some(answer),
        _ => None,
    }
}

/// Every read that the law speaks of for a stamp or snapshot just made.
fn first_answers(model: &Model, reader: &Reader, kept: &mut Vec<Kept>) {
    let entities: BTreeSet<&Vec<u8>> =
        model.revisions.iter().map(|revision| &revision.entity).collect();
    let questions: Vec<Question> = match reader {
        Reader::Stamp(_) => vec![Question::Latest],
        _ => (0..4).map(|back| Question::AsOf(model.now - back * 1_500_000)).collect(),
    };
    for (index, column) in model.columns.iter().enumerate() {
        for entity in &entities {
            for question in &questions {
                let read = Read {
                    entity: (*entity).clone(),
                    feature: format!("{}@{}", column.name, column.schema),
                    question: question.clone(),
                    options: Options { reader: reader.clone(), ..Options::default() },
                };
                let answer = ask(model, &read);
                kept.extend(answer.map(|answer| Kept {
                    column: index,
                    bounds: model.bounds(index),
                    read,
                    answer,
                }));
            }
        }
    }
}

/// The answer, or Missing for a mark that B had taken at one of the two readings. (B falls when the clock steps back and
/// nothing was recorded, so a mark may come back too.)
fn unless_forgotten(answer: &Answer, kept: &Kept, now: Bounds) -> Answer {
    match answer {
        Answer::Expired { e } | Answer::Deleted { e } if kept.bounds.max(now).has_forgotten(*e) => {
            Answer::Missing
        }
        other => other.clone(),
    }
}

/// Plays the program, asks everything again after every step, and returns how many answers were compared.
fn check(program: &[Step]) -> Result<usize, String> {
    let mut model = Model::new();
    let mut kept: Vec<Kept> = Vec::new();
    let mut compared = 0;
    for (at, step) in program.iter().enumerate() {
        let outcome = apply(step, &mut model);
        match step {
            Step::Read(_) => continue,
            Step::Erase(entity) => kept.retain(|kept| kept.read.entity != *entity),
            Step::Stamp(name) if outcome == Outcome::Done => {
                first_answers(&model, &Reader::Stamp(name.clone()), &mut kept);
            }
            Step::Snapshot(name) if outcome == Outcome::Done => {
                first_answers(&model, &Reader::Snapshot(name.clone()), &mut kept);
            }
            _ => {}
        }
        for kept in &kept {
            // Refused: below the horizon by now, or the snapshot was let go.
            let Some(answer) = ask(&model, &kept.read) else { continue };
            compared += 1;
            let bounds = model.bounds(kept.column);
            let same = unless_forgotten(&answer, kept, bounds)
                == unless_forgotten(&kept.answer, kept, bounds);
            if !same {
                let first = &kept.answer;
                return Err(format!("step {at}, {:?}\n first {first}\n now   {answer}", kept.read));
            }
        }
    }
    Ok(compared)
}

fn check_seeds(seeds: std::ops::Range<u64>, settings: Settings) {
    let mut compared = 0;
    for seed in seeds {
        let steps = generate(seed, settings);
        match check(&steps) {
            Ok(some) => compared += some,
            Err(difference) => {
                let mut fails = |steps: &[Step]| check(steps).is_err();
                let steps = asofdb_tests::shrink::shrink(steps, &mut fails);
                let small: Program = asofdb_tests::replay::with_answers(seed, steps);
                panic!("seed {seed}, {settings:?}\n{difference}\n\nsmall: {small}");
            }
        }
    }
    println!("{compared} answers compared");
    assert!(compared > 0, "no stamp was readable");
}

#[test]
fn stamps_and_snapshots_keep_their_answers() {
    check_seeds(0..2_000, Settings::default());
}

#[test]
fn they_keep_them_when_the_clock_steps_back() {
    check_seeds(0..2_000, Settings { clock_steps_back: true, ..Settings::default() });
}
