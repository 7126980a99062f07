//! How much memory a process holds that is no file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A line of the process's status, in bytes; 0 where that is not told.
pub fn status(field: &str) -> u64 {
    kilobytes("/proc/self/status", field)
}

/// A figure in a file that tells names and kilobytes, in bytes; 0 where it is not told.
pub fn kilobytes(path: &str, field: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    kilobytes.unwrap_or(0u64) * 1024
}

/// Watches the memory of the process.
pub struct Peak {
    before: u64,
    peak: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    watcher: JoinHandle<()>,
}

impl Peak {
    /// Begins to watch.
    pub fn begin() -> Self {
        let (before, peak) = (status("RssAnon"), Arc::new(AtomicU64::new(0)));
        let is_over = Arc::new(AtomicBool::new(false));
        let (seen, ended) = (Arc::clone(&peak), Arc::clone(&is_over));
        let watcher = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                seen.fetch_max(status("RssAnon"), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        Self { before, peak, is_over, watcher }
    }

    /// By how many bytes it had grown when it was largest.
    pub fn end(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        let last = status("RssAnon");
        // A watcher that panicked has seen nothing.
        self.watcher.join().unwrap_or_default();
        self.peak.load(Ordering::Relaxed).max(last).saturating_sub(self.before)
    }
}
