//! The tool from outside: what it prints, what it writes, how it exits.
//!
//! Files of expected output are in `golden`; `ASOF_REWRITE=1` writes them anew.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot prepare its ground has failed, and it works on real files"
)]

mod answers;
mod bad_input;
mod columns;
mod erasing;
mod freshness;
mod golden;
mod imports;
mod joins;
mod killed;
mod lab;
mod messages;
mod outputs;
mod real_data;
