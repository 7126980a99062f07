//! How long a random test runs, and from where, as the environment asks: `ASOFDB_SEEDS` and the like.
//!
//! What is no number is as if nobody had asked.

/// A number that the environment asks for.
pub fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
