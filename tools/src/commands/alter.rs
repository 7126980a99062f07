//! `asofdb alter`: changes how long a feature's values stay, or its description.

use asofdb::Alter;
use clap::Args;

use super::features::{feature_json, sentence};
use crate::cli::StoreArg;
use crate::durations::{self, Duration};
use crate::error::Result;
use crate::output::Console;
use crate::stores;

/// Arguments of `asofdb alter`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
#[group(id = "change", required = true, multiple = true)]
#[group(args = ["ttl", "history", "forget_after", "describe"])]
pub struct AlterArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The feature.
    #[arg(value_name = "FEATURE")]
    feature: String,
    /// How long a value is fresh, or forever.
    #[arg(long, value_name = "DUR", value_parser = durations::parse)]
    ttl: Option<Duration>,
    /// How far back it can be asked about, or forever. What is past a shorter history is dropped
    /// for good.
    #[arg(long, value_name = "DUR", value_parser = durations::parse)]
    history: Option<Duration>,
    /// How long past the history even the marks of stale versions are kept, or forever.
    #[arg(long, value_name = "DUR", value_parser = durations::parse)]
    forget_after: Option<Duration>,
    /// What the feature is, for people.
    #[arg(long, value_name = "TEXT")]
    describe: Option<String>,
}

const AFTER_HELP: &str = "\
What is not named stays as it is.

Examples:
  asofdb alter store weather:temp --ttl 3h
  asofdb alter store weather:temp --ttl forever --history 400d";

/// Alters it.
pub fn run(args: &AlterArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_write(&args.store.dir)?;
    let name = stores::feature(&store, &args.feature)?.name;
    let mut change = Alter::new();
    change.ttl = args.ttl.map(|ttl| ttl.0);
    change.history = args.history.map(|history| history.0);
    change.forget_after = args.forget_after.map(|after| after.0);
    change.description.clone_from(&args.describe);
    let feature = store.alter(&name, change)?;
    store.close()?;
    console.say(sentence(&feature), &feature_json(&feature))
}
