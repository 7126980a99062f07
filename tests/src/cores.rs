//! Threads of a test: splitting independent cases over two of them, and waiting for all of a scope.

use std::thread::ScopedJoinHandle;

/// Runs every case and adds up what they count. A case that panics ends the test.
pub fn on_both_cores<C: Copy + Sync>(cases: Vec<C>, run: impl Fn(C) -> u64 + Sync) -> u64 {
    let part = |first: usize| cases.iter().skip(first).step_by(2).map(|case| run(*case)).sum();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| part(1));
        let mine: u64 = part(0);
        mine + join_all([other]).into_iter().sum::<u64>()
    })
}

/// Waits for all of them, and then panics if one did. A scope waits by itself too, but by an atomic of the
/// standard library, which ThreadSanitizer does not see: it then takes a thread that has ended for one that
/// still reads the stack of who waited.
pub fn join_all<'scope, T>(
    threads: impl IntoIterator<Item = ScopedJoinHandle<'scope, T>>,
) -> Vec<T> {
    let ended: Vec<_> = threads.into_iter().map(ScopedJoinHandle::join).collect();
    let told =
        ended.into_iter().map(|one| one.unwrap_or_else(|told| std::panic::resume_unwind(told)));
    told.collect()
}
