//! `asofdb latest`: the newest values of one entity.

use std::ffi::OsString;

use asofdb::Read;
use clap::Args;

use crate::answers::{self, Extra};
use crate::cli::StoreArg;
use crate::error::Result;
use crate::output::Console;
use crate::stores;

/// Arguments of `asofdb latest`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct LatestArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The entity; of several columns, their texts with | between them.
    #[arg(value_name = "ENTITY")]
    entity: OsString,
    /// The features; default: all.
    #[arg(value_name = "FEATURE")]
    features: Vec<String>,
    /// Show when each value became true and known.
    #[arg(long)]
    times: bool,
    /// Show which of the five answers each is: value, null, missing, expired or deleted.
    #[arg(long)]
    status: bool,
}

const AFTER_HELP: &str = "\
A cell without a fresh value tells why in brackets: (null), (missing), (expired), (deleted).

Examples:
  asofdb latest store EWR
  asofdb latest store EWR weather:temp --times
  asofdb latest store EWR --json";

/// Reads the row and prints it.
pub fn run(args: &LatestArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_read(&args.store.dir)?;
    let selection = stores::select(&store, &args.features)?;
    let entity = stores::entity(&args.entity);
    let row = store.read_row(&entity, &selection, &Read::latest())?;
    let extra = Extra { times: args.times, status: args.status };
    answers::print_row(console, &entity, selection.features(), &row, None, extra)
}
