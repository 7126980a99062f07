//! `asofdb scan`: all entities as of a time.

use std::ffi::OsString;

use asofdb::Read;
use clap::Args;

use crate::answers;
use crate::cli::{StoreArg, UnitArg, whole_number};
use crate::entity;
use crate::error::Result;
use crate::output::{Console, Table};
use crate::stores;

/// Arguments of `asofdb scan`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct ScanArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Only entities that begin so.
    #[arg(long, value_name = "P", default_value = "")]
    prefix: OsString,
    /// As of when; default: now.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
    /// At most so many entities.
    #[arg(long, value_name = "N", value_parser = whole_number, allow_hyphen_values = true)]
    limit: Option<usize>,
    #[command(flatten)]
    unit: UnitArg,
}

const AFTER_HELP: &str = "\
Entities come in the store's own order. With --json, one JSON object a line.

Examples:
  asofdb scan store --limit 10
  asofdb scan store --prefix 'user|' --at 2013-06-01 --json";

/// Reads row after row and prints each.
pub fn run(args: &ScanArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_read(&args.store.dir)?;
    let at = match &args.at {
        Some(at) => Some(stores::event_time(&store, at, args.unit.time_unit)?),
        None => None,
    };
    let read = at.map_or_else(Read::latest, Read::as_of);
    let selection = stores::select(&store, &[])?;
    let rows = store.scan(&selection, &read, args.prefix.as_encoded_bytes())?;
    let names = selection.features().iter().map(answers::shown_name);
    let mut table = Table::new(std::iter::once("entity".to_owned()).chain(names));
    for found in rows.take(args.limit.unwrap_or(usize::MAX)) {
        let (entity, row) = found?;
        if console.json {
            let features = selection.features();
            console.json(&answers::row_json(&entity, features, &row, at.map(|at| at.0)))?;
        } else {
            let cells = std::iter::once(entity::show(&entity));
            table.row(console, cells.chain(row.answers.iter().map(answers::cell)).collect())?;
        }
    }
    if console.json { Ok(()) } else { table.finish(console) }
}
