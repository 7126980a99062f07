//! `asofdb`: the command-line tool.
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
mod progress;
mod stores;
mod tabular;
mod times;
mod values;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use error::Error;
use output::Console;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let mut console = Console::standard(cli.json);
    let result = cli.command.run(&mut console);
    match result.and_then(|()| console.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::PipeClosed) => Error::PipeClosed.exit_code(),
        Err(error) => {
            // What was printed before stays before the error; if either stream is closed there
            // is nobody left to tell.
            let _ = console.flush();
            let _ = writeln!(std::io::stderr(), "error: {error}");
            error.exit_code()
        }
    }
}
