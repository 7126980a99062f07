//! The command-line tool `asofdb` as a library, so that a program can run its commands and see
//! what they say: parse a [`Cli`], and run its command on a [`Console`].
//!
//! One file a command in `commands`; what they share stands beside. It does nothing that the
//! library could not do for others.
#![expect(
    clippy::disallowed_methods,
    reason = "the lint keeps the engine's file access behind its traits; the tool reads and \
              writes its users' files"
)]

mod answers;
mod cli;
mod commands;
mod durations;
mod entity;
mod error;
mod infer;
mod output;
mod picture;
mod place;
mod progress;
mod report;
mod stores;
mod tabular;
mod times;
mod values;
mod view;

pub use cli::{Cli, Command};
pub use error::{BadRow, Error, Result};
pub use output::Console;
