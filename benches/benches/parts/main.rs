//! The parts of a read and of a write, each alone. What is timed is verified beside the clock: each part
//! fails unless what it answers is what was put in.
//!
//! ```text
//! probe      an entity: hash, directory, hint
//! heads      its newest versions
//! history    its older ones, side by side and column by column; four at a time and one by one
//! integers   columns and lists of integers, timelines
//! columns    columns of values of each type, and compressed blocks
//! files      frames of logs, checksums of pages
//! stores     puts and merges
//! ```
//!
//!     cargo bench -p asofdb-benches
//!     cargo bench -p asofdb-benches -- --quick
//!     cargo bench -p asofdb-benches -- --quick "numbers of 20 features"
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a benchmark that fails has to end, and counts small things"
)]

mod columns;
mod data;
mod files;
mod heads;
mod history;
mod integers;
mod probe;
mod stores;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    parts,
    probe::bench,
    heads::bench,
    history::bench,
    integers::bench,
    columns::bench,
    files::bench,
    stores::bench
);
criterion_main!(parts);
