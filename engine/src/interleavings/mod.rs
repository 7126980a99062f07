//! Every interleaving of a few threads in the parts that take turns without a common lock, tried
//! out by loom on the code itself (see [`sync`](crate::sync)).
//!
//! A model is named by the danger that it looks for. It opens a store on a simulated disk, runs
//! two or three threads through the engine's own functions, and is run again and again until all
//! orders of their steps were tried that need at most so many preemptions, with every value that
//! weak memory may let a load find. Where one writes and others look, the main thread writes: it
//! goes first, so that the others' loads find all that it ever stored. What a model cannot see is the inside of what it trusts:
//! `Arc`, the pointer swap.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom \
//!     cargo test -p asofdb --release --lib interleavings -- --nocapture
//! ```
//!
//! `LOOM_MAX_PREEMPTIONS=4` tries more, `ASOFDB_PREEMPTIONS=2` at most so many; `LOOM_LOG=1 LOOM_LOCATION=1` tells the steps of a failure.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod deletion;
mod disk;
mod group_commit;
mod lab;
mod publication;
mod snapshots;
mod swap;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs a model in all orders of its steps that need at most so many preemptions.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let runs = Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    let at_most = std::env::var("ASOFDB_PREEMPTIONS").ok().and_then(|text| text.parse().ok());
    builder.preemption_bound.get_or_insert(preemptions.min(at_most.unwrap_or(usize::MAX)));
    // Opening a store takes many steps, though nobody is there to interleave with.
    builder.max_branches = 100_000;
    let bound = builder.preemption_bound.unwrap_or_default();
    let counted = Arc::clone(&runs);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let runs = runs.load(Ordering::Relaxed);
    assert!(runs > 1, "the threads of this model never meet");
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    println!("{name}: {runs} interleavings of at most {bound} preemptions");
}
