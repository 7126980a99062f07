//! Counts what came of trials, fails at the first that went wrong, and tells how to replay it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::asked;
use crate::trial::{Trial, Verdict};

/// Counts of trials.
#[derive(Default)]
pub struct Tally {
    counts: BTreeMap<(String, &'static str), u64>,
    tried: u64,
    turn: u64,
    memory: u64,
    operations: u64,
}

/// Prints how to replay a trial if it panics.
pub struct Replay<'r>(pub &'r dyn fmt::Display);

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("replay: {}", self.0);
        }
    }
}

/// The name of a file without its directory.
pub fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The kind of a file, for counting.
pub fn kind_of(path: &Path) -> &str {
    file_name(path).split('-').next().unwrap_or_default()
}

/// What a verdict is called in print.
pub fn name_of(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::AtOpen => "found at open",
        Verdict::AtRead => "found at a read or a merge",
        Verdict::ByVerify => "found by verify alone",
        Verdict::TornEnd => "told as a torn end",
        Verdict::Unseen => "seen by nothing",
    }
}

impl Tally {
    /// Counts a trial of some kind of damage.
    ///
    /// # Panics
    /// If it went wrong.
    pub fn count(&mut self, of: &str, trial: &Trial) {
        assert!(trial.wrong.is_none(), "{of}: {}", trial.wrong.as_deref().unwrap_or_default());
        self.tried += 1;
        self.memory = self.memory.max(trial.memory);
        self.operations = self.operations.max(trial.operations);
        *self.counts.entry((of.to_owned(), name_of(&trial.verdict))).or_default() += 1;
    }

    /// The number of the next trial, if it is to be tried: `DAMAGE_AT` asks for one.
    pub fn turn(&mut self) -> Option<u64> {
        self.turn += 1;
        let is_it = asked("DAMAGE_AT").is_none_or(|asked| asked == self.turn.to_string());
        is_it.then_some(self.turn)
    }

    /// Counts something apart, as the reason why damage is harmless.
    pub fn harmless(&mut self, reason: &'static str) {
        *self.counts.entry(("harmless".to_owned(), reason)).or_default() += 1;
    }

    /// Whether some kind of damage was tried.
    pub fn has_tried(&self, of: &str) -> bool {
        self.counts.keys().any(|(tried, _)| tried == of)
    }

    /// How many trials there were.
    pub fn tried(&self) -> u64 {
        self.tried
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((of, what), count) in &self.counts {
            writeln!(f, "  {of}: {count} {what}")?;
        }
        write!(
            f,
            "  {} in all; at most {} bytes of memory and {} operations of the disk",
            self.tried, self.memory, self.operations
        )
    }
}
