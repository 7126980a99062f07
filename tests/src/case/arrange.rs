//! The arrangements of a case: the same facts, brought into the store and laid over memory and files in many ways.
//!
//! Invariants:
//! - every arrangement has the same reads with the same answers;
//! - an arrangement that a program cannot have is left out whole: a store that is closed holds no snapshot, and an import
//!   has other commits than what it imports, which only snapshots, stamps and reverts can tell.

use std::collections::BTreeSet;

use asofdb::{Error, Options, ReadMode, Span};

use crate::answer::{Outcome, Refusal};
use crate::engine::Engine;
use crate::model::Model;
use crate::program::{Program, Step};
use crate::replay::{Mode, apply};

/// One way to bring the facts of a case into a store.
pub(super) struct Arrangement {
    pub(super) name: &'static str,
    pub(super) program: Program,
    pub(super) mode: Mode,
    options: Options,
    copies: bool,
    killed: bool,
}

impl Arrangement {
    fn new(name: &'static str, program: &Program, mode: Mode) -> Arrangement {
        // Commits are not reserved ahead, so that a killed store goes on with the commits of the program.
        let options = Options::new().commit_lease(Span::ZERO);
        // What is recorded by a clock that stands ahead stays recorded when it steps back, if it is relied on at once.
        let options = match steps_back(program) {
            true => options,
            false => options.clock_lag(Span::ZERO),
        };
        let (copies, killed) = (false, false);
        Arrangement { name, program: program.clone(), mode, options, copies, killed }
    }

    fn options(mut self, change: impl FnOnce(Options) -> Options) -> Arrangement {
        self.options = change(self.options);
        self
    }

    /// An empty store for it.
    pub(super) fn engine(&self) -> Result<Engine, Error> {
        let mut engine = Engine::new(self.options.clone())?.through_every_door();
        if self.copies {
            engine = engine.read_from_copies();
        }
        if self.killed {
            engine = engine.killed_at_reopen();
        }
        Ok(engine)
    }
}

/// Every arrangement that the program can have.
pub(super) fn arrangements(program: &Program) -> Vec<Arrangement> {
    use Mode::{AsWritten, CompactAfterEveryStep, FlushAfterEveryStep, InMemory};
    let never_merged = |options: Options| options.max_recent_tables(usize::MAX);
    let small = |options: Options| options.table_bytes(1).read_mode(ReadMode::Pread);
    let mut all = vec![
        Arrangement::new("as written", program, AsWritten),
        Arrangement::new("in memory", program, InMemory),
        Arrangement::new("a table a step", program, FlushAfterEveryStep).options(never_merged),
        Arrangement::new("compacted", program, CompactAfterEveryStep),
        Arrangement::new("compacted into small tables", program, CompactAfterEveryStep)
            .options(small),
    ];
    let mut copied = Arrangement::new("read from a copy", program, AsWritten);
    copied.copies = true;
    all.push(copied);

    let reopened = reopened(program);
    all.push(Arrangement::new("reopened after every step", &reopened, AsWritten));
    let mut killed = Arrangement::new("killed after every step", &reopened, AsWritten);
    killed.killed = true;
    all.push(killed);
    // A store that is opened knows only the clock of its opening, which compaction then relies on.
    if !steps_back(program) {
        let name = "compacted and reopened after every step";
        all.push(Arrangement::new(name, &reopened, CompactAfterEveryStep));
    }

    if let Some(imported) = imported(program) {
        let new = |name, mode| Arrangement::new(name, &imported, mode);
        all.push(new("imported in reverse", InMemory));
        all.push(
            new("imported in reverse, a table a step", FlushAfterEveryStep).options(never_merged),
        );
        all.push(new("imported in reverse and compacted", CompactAfterEveryStep));
    }
    all
}

fn steps_back(program: &Program) -> bool {
    let clocks = program.steps.iter().filter_map(|(step, _)| match step {
        Step::Clock(now) => Some(*now),
        _ => None,
    });
    !clocks.is_sorted()
}

/// The program with the store closed and opened after every step that changes it, while no snapshot is held.
fn reopened(program: &Program) -> Program {
    let mut held = BTreeSet::new();
    let mut steps = Vec::new();
    for (step, outcome) in &program.steps {
        match step {
            Step::Snapshot(name) => drop(held.insert(name)),
            Step::Release(name) => drop(held.remove(name)),
            _ => {}
        }
        steps.push((step.clone(), outcome.clone()));
        if held.is_empty() && !matches!(step, Step::Read(_) | Step::Clock(_)) {
            steps.push((Step::Reopen, Outcome::Done));
        }
    }
    Program { seed: program.seed, steps }
}

/// The program with its batches written late and the last first, each told when it became known: what lies between two
/// reads may come in any order.
fn imported(program: &Program) -> Option<Program> {
    if steps_back(program) {
        return None;
    }
    let mut import = Import::default();
    let mut revisions = BTreeSet::new();
    for (step, outcome) in &program.steps {
        let _ = apply(step, &mut import.original);
        match step {
            Step::Write { puts, source, .. } if *outcome == Outcome::Done => {
                let mut puts = puts.clone();
                for put in &mut puts {
                    put.known = Some(put.known.unwrap_or(import.original.last_commit()));
                }
                // Of two batches that say something of one revision the later one stands.
                let said: BTreeSet<_> = puts
                    .iter()
                    .map(|put| (put.entity.clone(), put.feature.clone(), put.e, put.known))
                    .collect();
                if said.iter().any(|revision| !revisions.insert(revision.clone())) {
                    return None;
                }
                import.waiting.push(Step::Write { puts, source: source.clone(), synced: false });
            }
            // A later commit may take what this one refuses.
            Step::Write { .. } if *outcome == Refusal::KnownAfterCommit.into() => return None,
            Step::Clock(_) => import.push(step.clone(), outcome.clone()),
            Step::Define(..)
            | Step::Evolve(..)
            | Step::Retire(_)
            | Step::Write { .. }
            | Step::Sync
            | Step::Flush
            | Step::Compact
            | Step::Reopen
            | Step::Erase(_)
            | Step::Read(_) => {
                import.bring_in();
                import.push(step.clone(), outcome.clone());
            }
            Step::Alter(..)
            | Step::Snapshot(_)
            | Step::Release(_)
            | Step::Stamp(_)
            | Step::Crash(_)
            | Step::Revert(_)
            | Step::RevertBatches(_) => return None,
        }
    }
    import.bring_in();
    Some(Program { seed: program.seed, steps: import.steps })
}

/// An import that is being made of a program.
#[derive(Default)]
struct Import {
    /// The program on a model, for the commits.
    original: Model,
    /// The import on a model, for its commits.
    model: Model,
    steps: Vec<(Step, Outcome)>,
    waiting: Vec<Step>,
}

impl Import {
    fn push(&mut self, step: Step, outcome: Outcome) {
        let _ = apply(&step, &mut self.model);
        self.steps.push((step, outcome));
    }

    /// Writes what waits, the last first. Commits of nothing come before until all of it is known.
    fn bring_in(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let puts = waiting.iter().filter_map(|step| match step {
            Step::Write { puts, .. } => Some(puts),
            _ => None,
        });
        let known = puts.flatten().filter_map(|put| put.known).max();
        while known.is_some_and(|known| self.model.next_commit() < known) {
            self.push(Step::Write { puts: Vec::new(), source: None, synced: false }, Outcome::Done);
        }
        for step in waiting.into_iter().rev() {
            self.push(step, Outcome::Done);
        }
    }
}
