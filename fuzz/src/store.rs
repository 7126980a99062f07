//! Programs on whole stores: operations and damage from a tape, on the simulated disk, against the
//! naive model of the tests.
//!
//! Without damage every outcome is the model's. A damaged copy answers right, or with an error
//! that names a damaged file; what looks like the torn end of the newest log takes whole batches
//! with it (see `verdict`). Nothing panics, hangs, or takes more memory than [`MEMORY`].

mod damage;
mod episode;
pub mod op;
pub mod steps;
mod sweep;
pub mod tape;
mod verdict;

use asofdb::{Options, ReadMode, Span};
use asofdb_tests::answer::Outcome;
use asofdb_tests::engine::Engine;
use asofdb_tests::model::Model;
use asofdb_tests::program::Step;
use asofdb_tests::replay::{Subject, apply};

use crate::heap;
use op::Op;
use tape::Tape;

/// What a program may take, its simulated disk and the model included.
pub const MEMORY: usize = 64 << 20;

/// The most operations of a program.
const MAX_OPS: usize = 100;

/// The most of those that read everything.
const MAX_SWEEPS: usize = 2;

/// When the clock of a program begins.
const BEGIN: i64 = 1_700_000_000_000_000;

/// The options that a byte chooses.
fn options(choice: u8) -> Options {
    let of = |bits: u8, list: [usize; 4]| list[usize::from(choice >> bits & 3)];
    let options = Options::new()
        .memtable_bytes(of(0, [1 << 20, 1, 2_000, 6_000]))
        .table_bytes(of(2, [1 << 20, 1, 500, 8_000]) as u64)
        .max_recent_tables(of(4, [8, 2, 3, usize::MAX]))
        .read_mode(if choice & 64 == 0 { ReadMode::Map } else { ReadMode::Pread });
    // The clock of a program never steps back, so relying on it at once changes no answer.
    if choice & 128 == 0 { options.clock_lag(Span::ZERO) } else { options }
}

/// Plays the program of a tape.
pub fn play(bytes: &[u8]) {
    heap::at_most(MEMORY, || {
        let mut tape = Tape::new(bytes);
        let choice = tape.byte();
        let mut model = Model::new();
        let mut engine = Engine::new(options(choice)).unwrap();
        let begin = Step::Clock(if tape.byte() == 0 { BEGIN } else { 0 });
        let _ = (apply(&begin, &mut model), apply(&begin, &mut engine));
        let mut sweeps = 0;
        for _ in 0..MAX_OPS {
            if tape.is_over() {
                break;
            }
            let op = Op::read(&mut tape);
            let is_large = matches!(op, Op::Sweep | Op::Damage(_));
            sweeps += usize::from(is_large);
            if !is_large || sweeps <= MAX_SWEEPS {
                one(&op, &mut engine, &mut model);
            }
        }
        engine.close().unwrap();
    });
}

fn one(op: &Op, engine: &mut Engine, model: &mut Model) {
    if let Some(step) = steps::step_of(op, model) {
        let expected = apply(&step, model);
        let found = apply(&step, engine);
        // A batch that may be refused for two reasons may be refused for either.
        let both_refused = matches!(step, Step::Write { .. })
            && matches!((&expected, &found), (Outcome::Refused(_), Outcome::Refused(_)));
        assert!(found == expected || both_refused, "{step}\nexpected {expected}\nfound    {found}");
        return;
    }
    match op {
        Op::Sync => engine.store().sync().unwrap(),
        Op::Work(steps) => {
            for _ in 0..*steps {
                if !engine.store().step().unwrap() {
                    break;
                }
            }
        }
        Op::Sweep => sweep::sweep(engine, model, &sweep::Blame::default()),
        Op::Damage(episode) => episode::play(engine, model, episode),
        other => unreachable!("{other:?} is a step"),
    }
}

/// The tape of a list of steps, as far as a tape can tell them, with a byte of options.
pub fn tape_of(choice: u8, begin: u8, steps: &[Step], more: impl Fn(usize) -> Vec<Op>) -> Vec<u8> {
    let mut model = Model::new();
    let _ = Subject::clock(&mut model, if begin == 0 { BEGIN } else { 0 });
    let mut out = vec![choice, begin];
    for (index, step) in steps.iter().enumerate() {
        let ops = steps::op_of(step, &model).into_iter().chain(more(index));
        for op in ops {
            op.write(&mut out);
            if let Some(step) = steps::step_of(&op, &model) {
                let _ = apply(&step, &mut model);
            }
        }
    }
    out
}
