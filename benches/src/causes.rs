//! What merges wrote, told apart by what they were for.

use std::collections::BTreeMap;
use std::sync::Mutex;

use asofdb::events::{CompactionEnded, EventListener, FlushEnded, TableRef};

/// Bytes written, by cause.
#[derive(Debug, Default)]
pub struct Causes(Mutex<BTreeMap<&'static str, Written>>);

#[derive(Clone, Copy, Debug, Default)]
struct Written {
    times: u64,
    bytes: u64,
}

impl Causes {
    fn add(&self, cause: &'static str, bytes: u64) {
        let mut causes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let written = causes.entry(cause).or_default();
        written.times += 1;
        written.bytes += bytes;
    }

    /// Prints each, and how many times what was flushed it is.
    pub fn print(&self) {
        let causes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let flushed = causes.get(FLUSHES).map_or(1, |written| written.bytes.max(1));
        for (cause, written) in &*causes {
            #[expect(clippy::cast_precision_loss, reason = "a ratio")]
            let part = written.bytes as f64 / flushed as f64;
            let Written { times, bytes } = written;
            println!("    {cause}: {times} times, {bytes} bytes, {part:.2} x what was flushed");
        }
    }
}

const FLUSHES: &str = "flushes";

// Levels as events tell them.
const RECENT: u8 = 0;
const PRESENT: u8 = 1;
const PAST: u8 = 2;

impl EventListener for Causes {
    fn flush_ended(&self, event: &FlushEnded) {
        self.add(FLUSHES, event.bytes);
    }

    fn compaction_ended(&self, event: &CompactionEnded) {
        let levels: Vec<u8> = event.inputs.iter().map(|table| table.level).collect();
        let cause = match levels.as_slice() {
            // Policy rewrites a table alone only where much of it has become garbage, in the past
            // also all tables of a run; erases do it with each that holds what was erased.
            [PAST] => "rewrites of one table of the past, for erases or garbage",
            [_] => "rewrites of one other table, for erases or garbage",
            all if all.iter().all(|level| *level == RECENT) => "merges of flushed tables",
            all if all.contains(&PRESENT) || all.contains(&RECENT) => "merges into the present",
            _ => "merges within the past, of windows or for garbage",
        };
        self.add(cause, event.bytes_written);
        let past = |table: &&TableRef| table.level == PAST;
        let demoted: u64 = event.outputs.iter().filter(past).map(|table| table.bytes).sum();
        if cause == "merges into the present" && demoted > 0 {
            self.add("  of it to the past", demoted);
        }
    }
}
