//! When a program's store does its background work: between steps, or in the middle of others.
//!
//! Invariant: nothing waits for work that stands still, since nothing could let that go on.

use asofdb::Error;

use super::Engine;
use crate::answer::Outcome;
use crate::generate::Rng;
use crate::parked::Parked;

const FLUSH: &str = "asofdb-flush";
const COMPACT: &str = "asofdb-compact";

/// The work that stands still, and what is drawn for it.
#[derive(Default)]
pub(super) struct Background {
    rng: Option<Rng>,
    flush: Option<Parked>,
    compact: Option<Parked>,
    pub(super) stops: usize,
}

impl Background {
    pub(super) fn drawn_from(seed: u64) -> Background {
        Background { rng: Some(Rng::new(seed)), ..Background::default() }
    }
}

impl Engine {
    /// After a write: nothing, whole steps, or a step that stands still.
    pub(super) fn begin_background(&mut self) -> Outcome {
        let Some(rng) = &mut self.background.rng else { return Outcome::Done };
        let choice = rng.between(0, 6);
        let done = match choice {
            0 | 1 => self.whole_steps(choice + 1),
            2 | 3 if self.background.flush.is_none() => {
                self.background.flush = Parked::begin(&self.sim, FLUSH);
                self.note([format!("flush begins: {}", self.background.flush.is_some())]);
                Ok(())
            }
            4 | 5 if self.background.compact.is_none() => {
                self.background.compact = Parked::begin(&self.sim, COMPACT);
                self.note([format!("compaction begins: {}", self.background.compact.is_some())]);
                Ok(())
            }
            _ => Ok(()),
        };
        done.map_or_else(|error| Outcome::Failed(error.to_string()), |()| self.move_background())
    }

    fn whole_steps(&mut self, steps: i64) -> Result<(), Error> {
        self.finish_background();
        for _ in 0..steps {
            self.store.step()?;
        }
        Ok(())
    }

    /// Lets what stands still go on for some stops, or not.
    pub(super) fn move_background(&mut self) -> Outcome {
        let Some(rng) = &mut self.background.rng else { return Outcome::Done };
        let (flush, compact) = (rng.between(0, 2), rng.between(0, 2));
        let mut lines = Vec::new();
        for (parked, stops) in
            [(&mut self.background.flush, flush), (&mut self.background.compact, compact)]
        {
            for _ in 0..stops {
                let Some(work) = parked else { break };
                match work.go_on() {
                    Some(stop) => {
                        lines.push(format!("stands still before {stop}"));
                        self.background.stops += 1;
                    }
                    None => {
                        lines.push("has ended".to_owned());
                        *parked = None;
                    }
                }
            }
        }
        self.note_disk();
        self.note(lines);
        Outcome::Done
    }

    /// Ends a flush that stands still, which another flush would wait for.
    pub(super) fn finish_flush(&mut self) {
        self.background.flush = None;
    }

    /// Ends all that stands still.
    pub(super) fn finish_background(&mut self) {
        self.background.flush = None;
        self.background.compact = None;
    }

    /// A write that finds too many memtables flushes one, and one that finds too many flushed
    /// tables merges them: it would wait for a flush or a merge that stands still.
    pub(super) fn make_room(&mut self) {
        if self.store.stats().memtables > self.options.max_sealed_memtables.max(1) {
            self.finish_flush();
        }
        // What it flushes may be what makes them too many.
        let stats = self.store.stats();
        let most = self.options.stop_recent_tables.max(self.options.max_recent_tables).max(2);
        let may_flush = stats.memtables > self.options.max_sealed_memtables.max(1);
        if stats.recent_tables >= most || may_flush {
            self.background.compact = None;
        }
    }
}
