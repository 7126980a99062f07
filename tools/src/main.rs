//! `asofdb`: the command-line tool.

use std::io::Write as _;
use std::process::ExitCode;

use asofdb_tools::{Cli, Console, Error};
use clap::Parser as _;

fn main() -> ExitCode {
    let cli = Cli::parse();
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
