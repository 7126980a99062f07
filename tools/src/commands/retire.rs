//! `asofdb retire`: ends a feature under all its schema numbers.

use clap::Args;
use serde_json::json;

use crate::cli::StoreArg;
use crate::error::Result;
use crate::output::Console;
use crate::stores;

/// Arguments of `asofdb retire`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct RetireArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The feature.
    #[arg(value_name = "FEATURE")]
    feature: String,
}

const AFTER_HELP: &str = "\
Its name means nothing any more, nor does NAME@1, and can be defined anew: that is another feature, of which nothing
is known yet. Programs that stand at an earlier stamp or snapshot read what they read before.

Examples:
  asofdb retire store user:embedding";

/// Retires it.
pub fn run(args: &RetireArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_write(&args.store.dir)?;
    let name = stores::feature(&store, &args.feature)?.name;
    store.retire(&name)?;
    store.close()?;
    console.say(format!("retired {name}"), &json!({ "retired": name }))
}
