//! `asofdb evolve`: gives a feature another type under its next schema number.

use asofdb::ValueType;
use clap::Args;

use super::define::parse_type;
use super::features::{feature_json, sentence};
use crate::cli::StoreArg;
use crate::error::Result;
use crate::output::Console;
use crate::stores;

/// Arguments of `asofdb evolve`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct EvolveArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The feature.
    #[arg(value_name = "FEATURE")]
    feature: String,
    /// The new type: bool, i64, f32, f64, text, bytes or vector(N).
    #[arg(value_name = "TYPE", value_parser = parse_type)]
    value_type: ValueType,
}

const AFTER_HELP: &str = "\
The old values stay readable as FEATURE@1 and never mix with the new ones.

Examples:
  asofdb evolve store user:embedding 'vector(768)'
  asofdb latest store u17 user:embedding@1";

/// Evolves it.
pub fn run(args: &EvolveArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_write(&args.store.dir)?;
    let name = stores::feature(&store, &args.feature)?.name;
    let feature = store.evolve(&name, args.value_type)?;
    store.close()?;
    let line = format!(
        "{}; the old values stay readable as {}@{}",
        sentence(&feature),
        feature.name,
        feature.schema.saturating_sub(1)
    );
    console.say(line, &feature_json(&feature))
}
