//! Splitting independent cases over two threads.

/// Runs every case and adds up what they count. A case that panics ends the test.
pub fn on_both_cores<C: Copy + Sync>(cases: Vec<C>, run: impl Fn(C) -> u64 + Sync) -> u64 {
    let part = |first: usize| cases.iter().skip(first).step_by(2).map(|case| run(*case)).sum();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| part(1));
        let mine: u64 = part(0);
        match other.join() {
            Ok(theirs) => mine + theirs,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
