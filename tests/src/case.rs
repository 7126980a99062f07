//! Cases: short programs that say in the test what every answer is, and are replayed on the model and, in many
//! arrangements of the same facts over memory and files, on the engine.
//!
//! ```
//! use asofdb_tests::case::{Case, as_of, missing, put, value};
//! Case::new()
//!     .clock(100)
//!     .write([put(10, 5)])
//!     .read(as_of(10), value(5).at(10).known(100))
//!     .read(as_of(9), missing())
//!     .check();
//! ```
//!
//! A case begins with the clock at 0 and the feature `f` of type i64, defined by commit 0. What names no entity is about
//! `a`, what names no feature about `f`. A write takes the clock for its commit, or the commit after the newest if that
//! is greater.
//!
//! Invariants:
//! - the answers stand in the test: the model and the engine cannot be wrong together;
//! - a case that holds no answer is no case.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a case that fails fails its test")]

mod arrange;
mod words;

use asofdb::Store;

use crate::answer::{Outcome, Refusal};
use crate::model::Model;
use crate::program::{Program, Step};
use crate::question::{Definition, Put, Read};
use crate::replay::{Mode, replay};
use arrange::arrangements;

pub use words::{
    as_of, delete, deleted, expired, last_n, latest, missing, null, null_value, numbers, put,
    range, text, value,
};

/// A program with its answers.
#[derive(Clone, Debug)]
#[must_use]
pub struct Case {
    steps: Vec<(Step, Outcome)>,
}

impl Default for Case {
    fn default() -> Case {
        Case::new()
    }
}

impl Case {
    /// A case whose `f` is kept for ever.
    pub fn new() -> Case {
        Case::of(numbers())
    }

    /// A case whose `f` has this definition.
    pub fn of(definition: Definition) -> Case {
        Case { steps: Vec::new() }.clock(0).define("f", definition)
    }

    /// A step and what comes of it.
    pub fn step(mut self, step: Step, outcome: impl Into<Outcome>) -> Case {
        self.steps.push((step, outcome.into()));
        self
    }

    fn done(self, step: Step) -> Case {
        self.step(step, Outcome::Done)
    }

    /// The clock shows `now`.
    pub fn clock(self, now: i64) -> Case {
        self.done(Step::Clock(now))
    }

    /// Defines a feature.
    pub fn define(self, feature: &str, definition: Definition) -> Case {
        self.done(Step::Define(feature.to_owned(), definition))
    }

    /// Alters a feature.
    pub fn alter(self, feature: &str, definition: Definition) -> Case {
        self.done(Step::Alter(feature.to_owned(), definition))
    }

    /// Gives a feature its next schema.
    pub fn evolve(self, feature: &str, definition: Definition) -> Case {
        self.done(Step::Evolve(feature.to_owned(), definition))
    }

    /// Retires a feature.
    pub fn retire(self, feature: &str) -> Case {
        self.done(Step::Retire(feature.to_owned()))
    }

    /// Writes one batch.
    pub fn write(self, puts: impl IntoIterator<Item = Put>) -> Case {
        self.done(Step::Write { puts: puts.into_iter().collect(), source: None, synced: false })
    }

    /// Writes one batch with a label.
    pub fn write_from(self, source: &str, puts: impl IntoIterator<Item = Put>) -> Case {
        let (puts, source) = (puts.into_iter().collect(), Some(source.to_owned()));
        self.done(Step::Write { puts, source, synced: false })
    }

    /// A batch is refused.
    pub fn write_is_refused(self, puts: impl IntoIterator<Item = Put>, refusal: Refusal) -> Case {
        self.step(
            Step::Write { puts: puts.into_iter().collect(), source: None, synced: false },
            refusal,
        )
    }

    /// Moves what is in memory into files.
    pub fn flush(self) -> Case {
        self.done(Step::Flush)
    }

    /// Compacts all.
    pub fn compact(self) -> Case {
        self.done(Step::Compact)
    }

    /// Closes the store and opens it.
    pub fn reopen(self) -> Case {
        self.done(Step::Reopen)
    }

    /// Holds a snapshot.
    pub fn snapshot(self, name: &str) -> Case {
        self.done(Step::Snapshot(name.to_owned()))
    }

    /// Lets a snapshot go.
    pub fn release(self, name: &str) -> Case {
        self.done(Step::Release(name.to_owned()))
    }

    /// Remembers a stamp.
    pub fn stamp(self, name: &str) -> Case {
        self.done(Step::Stamp(name.to_owned()))
    }

    /// Erases an entity.
    pub fn erase(self, entity: &str) -> Case {
        self.done(Step::Erase(entity.as_bytes().to_vec()))
    }

    /// Reverts a source.
    pub fn revert(self, source: &str) -> Case {
        self.done(Step::Revert(source.to_owned()))
    }

    /// A read and its answer.
    pub fn read(self, read: Read, outcome: impl Into<Outcome>) -> Case {
        self.step(Step::Read(read), outcome)
    }

    /// Replays the case on the model and in every arrangement on the engine.
    pub fn check(self) {
        self.check_on_stores(|_| ());
    }

    /// As [`Case::check`], and looks at each store at the end, for what programs have no words for.
    pub fn check_on_stores(self, look: impl Fn(&Store)) {
        let program = Program { seed: 0, steps: self.steps };
        let cells = replay(&program, &mut Model::new(), Mode::AsWritten);
        let mut cells = cells.unwrap_or_else(|failure| panic!("the model\n{failure}"));
        assert!(cells > 0, "the case asks nothing");
        let mut stores = 0;
        for arrangement in arrangements(&program) {
            let program = &arrangement.program;
            if let Err(failure) = replay(program, &mut Model::new(), Mode::AsWritten) {
                panic!("the model, {}\n{failure}", arrangement.name);
            }
            let mut engine = arrangement.engine().unwrap();
            match replay(program, &mut engine, arrangement.mode) {
                Ok(compared) => cells += compared,
                Err(failure) => panic!("{}\n{failure}", arrangement.name),
            }
            println!("looking at the store, {}", arrangement.name);
            look(engine.store());
            stores += 1;
        }
        println!("{cells} cells on the model and {stores} stores");
    }
}
