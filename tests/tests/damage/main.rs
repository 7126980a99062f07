//! No damaged byte ever gives a wrong answer: files of a store are changed behind its back, and
//! whatever is asked is answered as before, or with an error that names a damaged file; in the
//! newest log, past what is told to be durable, a prefix of whole batches may be left.
//!
//! `ASOFDB_DAMAGE=full cargo test -p asofdb-tests --test damage -- --nocapture` tries
//! everything. A failure prints the command that replays its one trial.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod bursts;
mod files;
mod flips;
mod harmless;
mod lengths;
mod old;
mod parts;
mod questions;
mod stores;
mod tail;
mod tally;
mod trial;

/// What the environment asks for under a name.
fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether everything is to be tried.
fn is_full() -> bool {
    asked("ASOFDB_DAMAGE").is_some_and(|asked| asked == "full")
}
