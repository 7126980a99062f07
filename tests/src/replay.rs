//! Replaying a program on anything that claims to follow the rules.
//!
//! Invariants:
//! - every step's outcome is compared, not only those of reads;
//! - the steps that a [`Mode`] puts in between are compared too: they may change no later answer.

use std::fmt;

use crate::answer::{Outcome, Refusal};
use crate::model::{Bounds, Model};
use crate::program::{Program, Step};
use crate::question::{Crash, Definition, Put, Read};
use crate::recorder::Recorder;

/// A store on which a program can be replayed.
///
/// What goes wrong outside the rules (I/O, a panic that was caught) is [`Outcome::Failed`].
pub trait Subject {
    /// Sets the clock.
    fn clock(&mut self, now: i64) -> Outcome;
    /// Defines a feature.
    fn define(&mut self, feature: &str, definition: &Definition) -> Outcome;
    /// Changes a feature's definition.
    fn alter(&mut self, feature: &str, definition: &Definition) -> Outcome;
    /// Gives a feature its next schema.
    fn evolve(&mut self, feature: &str, definition: &Definition) -> Outcome;
    /// Ends a feature.
    fn retire(&mut self, feature: &str) -> Outcome;
    /// Writes one batch.
    fn write(&mut self, puts: &[Put], source: Option<&str>, synced: bool) -> Outcome;
    /// Makes everything written so far durable.
    fn sync(&mut self) -> Outcome;
    /// Moves the memtables into files.
    fn flush(&mut self) -> Outcome;
    /// Compacts as far as the rules allow.
    fn compact(&mut self) -> Outcome;
    /// Closes and opens the store.
    fn reopen(&mut self) -> Outcome;
    /// Goes down without closing and opens again; the outcome says what was left.
    fn crash(&mut self, crash: Crash) -> Outcome;
    /// Holds a snapshot under this name.
    fn snapshot(&mut self, name: &str) -> Outcome;
    /// Lets the snapshot go.
    fn release(&mut self, name: &str) -> Outcome;
    /// Remembers a stamp under this name.
    fn stamp(&mut self, name: &str) -> Outcome;
    /// Erases an entity.
    fn erase(&mut self, entity: &[u8]) -> Outcome;
    /// Reverts a source.
    fn revert(&mut self, source: &str) -> Outcome;
    /// Reverts batches, by their places in the order of writing.
    fn revert_batches(&mut self, places: &[usize]) -> Outcome;
    /// Reads.
    fn read(&mut self, read: &Read) -> Outcome;
    /// The bounds that the subject has recorded for compaction, by `name@schema`; none if it has
    /// none to tell. Which it has recorded by now is its own affair while the clock may step back.
    fn recorded(&self) -> Vec<(String, Bounds)> {
        Vec::new()
    }
}

/// What is done between the steps of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    #[default]
    AsWritten,
    /// Flush and compact after every step.
    CompactAfterEveryStep,
    /// Flush after every step, so that every batch has a file of its own.
    FlushAfterEveryStep,
    /// Leave every flush and compaction out, so that all stays in memory.
    InMemory,
}

/// The first step at which two stores differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The place of the step.
    pub at: usize,
    /// The step.
    pub step: Step,
    /// What the rule says.
    pub expected: Outcome,
    /// What the subject did.
    pub found: Outcome,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { at, step, expected, found } = self;
        write!(out, "step {at}: {step}\n  expected {expected}\n  found    {found}")
    }
}

/// Does one step.
pub fn apply(step: &Step, subject: &mut dyn Subject) -> Outcome {
    match step {
        Step::Clock(now) => subject.clock(*now),
        Step::Define(feature, definition) => subject.define(feature, definition),
        Step::Alter(feature, definition) => subject.alter(feature, definition),
        Step::Evolve(feature, definition) => subject.evolve(feature, definition),
        Step::Retire(feature) => subject.retire(feature),
        Step::Write { puts, source, synced } => subject.write(puts, source.as_deref(), *synced),
        Step::Sync => subject.sync(),
        Step::Crash(crash) => subject.crash(*crash),
        Step::Flush => subject.flush(),
        Step::Compact => subject.compact(),
        Step::Reopen => subject.reopen(),
        Step::Snapshot(name) => subject.snapshot(name),
        Step::Release(name) => subject.release(name),
        Step::Stamp(name) => subject.stamp(name),
        Step::Erase(entity) => subject.erase(entity),
        Step::Revert(source) => subject.revert(source),
        Step::RevertBatches(places) => subject.revert_batches(places),
        Step::Read(read) => subject.read(read),
    }
}

/// Replays a program and returns how many cells were compared, or the first difference and the way to it.
pub fn replay(program: &Program, subject: &mut dyn Subject, mode: Mode) -> Result<usize, String> {
    let expected = program.steps.iter().map(|(step, outcome)| (step, outcome.clone()));
    compare(expected, subject, mode).map_err(|difference| {
        let steps = program.steps.iter().take(difference.at + 1).cloned().collect();
        format!("{difference}\n\n{}", Program { seed: program.seed, steps })
    })
}

/// What a replay compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Answers of reads.
    pub cells: usize,
    /// Crashes that were survived.
    pub crashes: usize,
    /// Batches that crashes took.
    pub lost: usize,
}

/// Replays steps on a model and a subject at once and returns what was compared.
pub fn replay_against_model(
    steps: &[Step],
    subject: &mut dyn Subject,
    mode: Mode,
) -> Result<Compared, Box<Difference>> {
    let mut model = Model::new();
    let mut recorder = Recorder::default();
    let mut compared = Compared::default();
    for (at, step) in steps.iter().enumerate() {
        if is_left_out(step, mode) {
            continue;
        }
        let before = model.batches.len();
        let learnt = recorder.learn(&mut model, subject);
        let expected = learnt.and_then(|()| judge(step, &mut model, subject));
        recorder.look(&model, step);
        if let Err((expected, found)) = expected {
            return Err(Box::new(Difference { at, step: step.clone(), expected, found }));
        }
        compared.cells += usize::from(matches!(step, Step::Read(_)));
        if matches!(step, Step::Crash(_)) {
            compared.crashes += 1;
            compared.lost += (before + 1).saturating_sub(model.batches.len());
        }
        go_between(at, subject, mode)?;
        if mode != Mode::AsWritten && mode != Mode::InMemory {
            model.sync();
        }
    }
    Ok(compared)
}

/// Does one step on both; what the model said and what was found, if they differ.
fn judge(
    step: &Step,
    model: &mut Model,
    subject: &mut dyn Subject,
) -> Result<(), (Outcome, Outcome)> {
    let found = apply(step, subject);
    if let (Step::Crash(crash), Outcome::Survived(newest)) = (step, &found) {
        // Which unsynced batches are left is the store's affair; the model follows it.
        return model.crash(*crash, *newest).map_err(|wanted| (Outcome::Failed(wanted), found));
    }
    let reverts_batches = matches!(step, Step::RevertBatches(_));
    let before = reverts_batches.then(|| model.clone());
    let expected = apply(step, model);
    if found == expected || both_refuse_a_batch(step, &expected, &found) {
        return Ok(());
    }
    if let (Step::RevertBatches(places), Some(before)) = (step, before)
        && found == Outcome::Refused(Refusal::NothingToRevert)
        && before.may_have_dropped_one(places)
    {
        *model = before;
        return Ok(());
    }
    Err((expected, found))
}

/// The steps with what the model answers to each.
pub fn with_answers(seed: u64, steps: Vec<Step>) -> Program {
    let mut model = Model::new();
    let answer = |step: Step| {
        let outcome = apply(&step, &mut model);
        (step, outcome)
    };
    Program { seed, steps: steps.into_iter().map(answer).collect() }
}

/// Whether a replay in this mode leaves the step out.
pub fn is_left_out(step: &Step, mode: Mode) -> bool {
    mode == Mode::InMemory && matches!(step, Step::Flush | Step::Compact)
}

/// A batch that may be refused for two reasons may be refused for either.
fn both_refuse_a_batch(step: &Step, expected: &Outcome, found: &Outcome) -> bool {
    matches!(step, Step::Write { .. })
        && matches!((expected, found), (Outcome::Refused(_), Outcome::Refused(_)))
}

fn compare<'a>(
    expected: impl Iterator<Item = (&'a Step, Outcome)>,
    subject: &mut dyn Subject,
    mode: Mode,
) -> Result<usize, Box<Difference>> {
    let mut cells = 0;
    for (at, (step, expected)) in expected.enumerate() {
        if is_left_out(step, mode) {
            continue;
        }
        let found = apply(step, subject);
        if found != expected && !both_refuse_a_batch(step, &expected, &found) {
            return Err(Box::new(Difference { at, step: step.clone(), expected, found }));
        }
        cells += usize::from(matches!(step, Step::Read(_)));
        go_between(at, subject, mode)?;
    }
    Ok(cells)
}

/// Does what the mode puts after a step.
pub fn go_between(at: usize, subject: &mut dyn Subject, mode: Mode) -> Result<(), Box<Difference>> {
    let between: &[Step] = match mode {
        Mode::AsWritten | Mode::InMemory => &[],
        Mode::FlushAfterEveryStep => &[Step::Flush],
        Mode::CompactAfterEveryStep => &[Step::Flush, Step::Compact],
    };
    for step in between {
        let found = apply(step, subject);
        if found != Outcome::Done {
            let (step, expected) = (step.clone(), Outcome::Done);
            return Err(Box::new(Difference { at, step, expected, found }));
        }
    }
    Ok(())
}

impl Subject for Model {
    fn clock(&mut self, now: i64) -> Outcome {
        self.now = now;
        Outcome::Done
    }

    fn define(&mut self, feature: &str, definition: &Definition) -> Outcome {
        Model::define(self, feature, definition).into()
    }

    fn alter(&mut self, feature: &str, definition: &Definition) -> Outcome {
        Model::alter(self, feature, definition).into()
    }

    fn evolve(&mut self, feature: &str, definition: &Definition) -> Outcome {
        Model::evolve(self, feature, definition).into()
    }

    fn retire(&mut self, feature: &str) -> Outcome {
        Model::retire(self, feature).into()
    }

    fn write(&mut self, puts: &[Put], source: Option<&str>, synced: bool) -> Outcome {
        let written = Model::write(self, puts, source);
        if synced && written.is_ok() {
            Model::sync(self);
        }
        written.into()
    }

    fn sync(&mut self) -> Outcome {
        Model::sync(self);
        Outcome::Done
    }

    fn flush(&mut self) -> Outcome {
        Subject::sync(self)
    }

    fn compact(&mut self) -> Outcome {
        Subject::sync(self)
    }

    /// On its own the model loses what it may; a store beside it says what is left.
    fn crash(&mut self, crash: Crash) -> Outcome {
        let newest = match crash {
            Crash::Kill => self.last_commit(),
            Crash::PowerCut { .. } => self.durable.unwrap_or(i64::MIN),
        };
        match Model::crash(self, crash, newest) {
            Ok(()) => Outcome::Survived(newest),
            Err(wanted) => Outcome::Failed(wanted),
        }
    }

    fn reopen(&mut self) -> Outcome {
        Model::reopen(self);
        Outcome::Done
    }

    fn snapshot(&mut self, name: &str) -> Outcome {
        Model::snapshot(self, name);
        Outcome::Done
    }

    fn release(&mut self, name: &str) -> Outcome {
        Model::release(self, name).into()
    }

    fn stamp(&mut self, name: &str) -> Outcome {
        Model::stamp(self, name);
        Outcome::Done
    }

    fn erase(&mut self, entity: &[u8]) -> Outcome {
        Model::erase(self, entity);
        Outcome::Done
    }

    fn revert(&mut self, source: &str) -> Outcome {
        Model::revert(self, source).into()
    }

    fn revert_batches(&mut self, places: &[usize]) -> Outcome {
        Model::revert_batches(self, places).into()
    }

    fn read(&mut self, read: &Read) -> Outcome {
        Model::read(self, read)
    }
}
