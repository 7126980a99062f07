//! Random programs against a subject: run one seed, and make a failing program small enough to read.
//!
//! Invariants:
//! - a shrunk program fails, though perhaps in another way than the one it came from;
//! - every failure tells its seed, and a panic of the subject is a failure like any other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::generate::{Settings, generate};
use crate::program::Step;
use crate::replay::{Compared, Mode, Subject, replay_against_model, with_answers};

/// Makes a new, empty subject.
pub type Make<'a> = dyn FnMut() -> Box<dyn Subject> + 'a;

/// Replays the program of one seed on a new subject. Returns what was compared, or a small program that
/// fails, with its seed.
pub fn check_seed(
    seed: u64,
    settings: Settings,
    mode: Mode,
    make: &mut Make<'_>,
) -> Result<Compared, String> {
    let steps = generate(seed, settings);
    run(&steps, mode, make).map_err(|_| {
        let small = shrink(steps, &mut |steps| run(steps, mode, make).is_err());
        let difference = run(&small, mode, make).err().unwrap_or_else(|| "not again".to_owned());
        let program = with_answers(seed, small);
        let json = program.to_json();
        format!("seed {seed}, {mode:?}, {settings:?}\n{difference}\n\n{program}\n{json}")
    })
}

/// Replays steps on a new subject and on the model.
fn run(steps: &[Step], mode: Mode, make: &mut Make<'_>) -> Result<Compared, String> {
    let replayed = catch_unwind(AssertUnwindSafe(|| {
        let mut subject = make();
        replay_against_model(steps, subject.as_mut(), mode)
    }));
    match replayed {
        Ok(compared) => compared.map_err(|difference| difference.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(format!("the subject panicked: {text}"))
        }
    }
}

/// Takes steps, and puts of batches, away as long as the program still fails.
pub fn shrink(steps: Vec<Step>, fails: &mut dyn FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut steps = steps;
    let mut length = steps.len();
    while length > 0 {
        let before = steps.len();
        steps = without_spans(steps, length, fails);
        // Removing one step can make another one needless, so single steps are tried until none goes.
        length = if length == 1 && steps.len() < before { 1 } else { length / 2 };
    }
    without_puts(steps, fails)
}

/// Tries to take away every span of the given length, from the end to the beginning.
fn without_spans(
    mut steps: Vec<Step>,
    length: usize,
    fails: &mut dyn FnMut(&[Step]) -> bool,
) -> Vec<Step> {
    let mut end = steps.len();
    while end > 0 {
        let start = end.saturating_sub(length);
        let mut fewer = steps.clone();
        fewer.drain(start..end);
        if fails(&fewer) {
            steps = fewer;
        }
        end = start;
    }
    steps
}

/// Tries to take every put out of every batch that has others.
fn without_puts(mut steps: Vec<Step>, fails: &mut dyn FnMut(&[Step]) -> bool) -> Vec<Step> {
    for at in 0..steps.len() {
        let Some(Step::Write { puts, .. }) = steps.get(at) else { continue };
        for place in (0..puts.len()).rev() {
            let mut fewer = steps.clone();
            let Some(Step::Write { puts, .. }) = fewer.get_mut(at) else { continue };
            if puts.len() == 1 {
                break;
            }
            puts.remove(place);
            if fails(&fewer) {
                steps = fewer;
            }
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_shrinks_to_what_makes_it_fail() {
        let steps = generate(7, Settings::default());
        let mut needs_flush_then_reopen = |steps: &[Step]| {
            let flush = steps.iter().position(|step| *step == Step::Flush);
            let reopen = steps.iter().rposition(|step| *step == Step::Reopen);
            flush.zip(reopen).is_some_and(|(flush, reopen)| flush < reopen)
        };
        let mut failing = steps;
        failing.extend([Step::Flush, Step::Compact, Step::Reopen]);
        let small = shrink(failing, &mut needs_flush_then_reopen);
        assert_eq!(small, [Step::Flush, Step::Reopen]);
    }
}
