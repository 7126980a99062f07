//! `asofdb as-of`: the values of one entity as of a time.

use std::ffi::OsString;

use asofdb::Read;
use clap::Args;

use crate::answers::{self, Extra};
use crate::cli::{StoreArg, UnitArg};
use crate::error::Result;
use crate::output::Console;
use crate::stores;

/// Arguments of `asofdb as-of`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct AsOfArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The time, or `now`.
    #[arg(value_name = "TIME", allow_hyphen_values = true)]
    time: String,
    /// The entity; of several columns, their texts with | between them.
    #[arg(value_name = "ENTITY")]
    entity: OsString,
    /// The features; default: all.
    #[arg(value_name = "FEATURE")]
    features: Vec<String>,
    /// Only what was known at this time.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    known_at: Option<String>,
    /// Show when each value became true and known.
    #[arg(long)]
    times: bool,
    /// Show which of the five answers each is: value, null, missing, expired or deleted.
    #[arg(long)]
    status: bool,
    #[command(flatten)]
    unit: UnitArg,
}

const AFTER_HELP: &str = "\
A cell without a fresh value tells why in brackets: (null), (missing), (expired), (deleted).

Examples:
  asofdb as-of store '2013-06-03 09:50:00' EWR
  asofdb as-of store 2013-06-03T05:50:00-04:00 EWR weather:temp --times
  asofdb as-of store 2013-06-03 N619AA --known-at 2013-06-02 --json";

/// Reads the row and prints it.
pub fn run(args: &AsOfArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_read(&args.store.dir)?;
    let at = stores::event_time(&store, &args.time, args.unit.time_unit)?;
    let mut read = Read::as_of(at);
    if let Some(known) = &args.known_at {
        read = read.known_at(stores::known_time(&store, known, args.unit.time_unit)?);
    }
    let selection = stores::select(&store, &args.features)?;
    let entity = stores::entity(&args.entity);
    let row = store.read_row(&entity, &selection, &read)?;
    let extra = Extra { times: args.times, status: args.status };
    answers::print_row(console, &entity, selection.features(), &row, Some(at.0), extra)
}
