//! Follows the bounds that a store records for compaction.
//!
//! When a store records is its own affair, and while the clock stands back the recorded bounds decide
//! answers. So the model takes them over, after they were held against what may be recorded.
//!
//! Invariants:
//! - recorded bounds never fall;
//! - none is above what the clock gave at some moment at which it was not ahead of itself: a jump
//!   that is set right within the lag is never relied on.

use crate::answer::Outcome;
use crate::model::{Bounds, Model};
use crate::program::Step;
use crate::replay::Subject;

/// A step forward that no waiting explains: the clock was set.
const JUMP: i64 = 2 * 86_400 * 1_000_000;

/// The clock lag of the stores that tell what they have recorded.
const LAG: i64 = 600 * 1_000_000;

/// What may be recorded by now.
#[derive(Debug, Default)]
pub struct Recorder {
    clock: i64,
    /// What the clock said when it was last not ahead of itself.
    settled: i64,
    /// The latest moment at which it was not.
    latest: i64,
    /// How long the clock has been running since it was set ahead, if it was.
    ahead: Option<i64>,
    /// By column of the model.
    at_most: Vec<Bounds>,
}

impl Recorder {
    /// Looks at the model after a step.
    pub fn look(&mut self, model: &Model, step: &Step) {
        match step {
            Step::Clock(now) => {
                let forward = *now - self.clock;
                let is_ahead = *now - self.latest > JUMP;
                self.ahead = match self.ahead {
                    // The first step of a program sets the clock up.
                    _ if forward > JUMP && is_ahead && !self.at_most.is_empty() => Some(0),
                    _ if forward < 0 => None,
                    // What has stood for the lag is relied on.
                    Some(since) => Some(since + forward).filter(|since| *since < LAG),
                    None => None,
                };
                self.clock = *now;
            }
            // A store that is opened takes the clock for right.
            Step::Reopen | Step::Crash(_) => {
                self.ahead = None;
                self.clock = model.now;
            }
            _ => {}
        }
        if self.ahead.is_none() {
            self.settled = self.clock;
            self.latest = self.latest.max(self.clock);
        }
        self.at_most.resize(model.columns.len(), Bounds::default());
        for (column, at_most) in self.at_most.iter_mut().enumerate() {
            *at_most = at_most.max(model.bounds_at(column, self.settled));
        }
    }

    /// Holds what the subject has recorded against the rules and gives it to the model; what was
    /// wrong with it, as expected and found.
    pub fn learn(
        &self,
        model: &mut Model,
        subject: &dyn Subject,
    ) -> Result<(), (Outcome, Outcome)> {
        for (name, recorded) in subject.recorded() {
            let Ok((column, known)) = model.resolve(&name, i64::MAX) else { continue };
            let (before, at_most) = (known.recorded, self.at_most.get(column).copied());
            let at_most = at_most.unwrap_or_default();
            let text = |bounds: Bounds| Outcome::Failed(format!("{name} records {bounds:?}"));
            if recorded.max(before) != recorded {
                return Err((text(before), text(recorded)));
            }
            if recorded.max(at_most) != at_most {
                return Err((text(at_most), text(recorded)));
            }
            model.record_bounds(column, recorded);
        }
        Ok(())
    }
}
