//! `asofdb report`: one page with the picture of a store.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::StoreArg;
use crate::error::{Error, Result};
use crate::output::Console;
use crate::place::Place;
use crate::report;
use crate::stores;
use crate::tabular::sink::Sink;

/// Arguments of `asofdb report`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct ReportArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The page to write; - is the standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

const AFTER_HELP: &str = "\
The page has its plots inside and needs neither a network nor scripts: levels over time, bytes
by feature, freshness, expiry still to come, amplification.

Examples:
  asofdb report store -o report.html";

/// Writes the page.
pub fn run(args: &ReportArgs, console: &mut Console) -> Result<()> {
    let place = Place::new(&args.output, &[])?;
    let store = stores::open_to_read(&args.store.dir)?;
    let mut sink = Sink::new(&place)?;
    let (page, unread) = report::page(&args.store.dir.display().to_string(), &store)?;
    let name = sink.name().to_owned();
    sink.write_all(page.as_bytes()).map_err(|error| Error::io("write", &name, error))?;
    sink.finish()?;
    if let Some(unread) = unread {
        console.warn(format!("the page lacks what could not be read: {unread}"))?;
    }
    if args.output.as_os_str() == "-" {
        return Ok(());
    }
    console.say(
        format!("wrote {name}: open it in a browser"),
        &json!({ "report": name, "bytes": page.len() }),
    )
}
