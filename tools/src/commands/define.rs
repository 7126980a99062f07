//! `asofdb define`: defines a feature.

use asofdb::{FeatureSpec, ValueType};
use clap::Args;

use super::features::{feature_json, sentence};
use crate::cli::StoreArg;
use crate::durations::{self, Duration};
use crate::error::Result;
use crate::output::Console;
use crate::stores;

/// Arguments of `asofdb define`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct DefineArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The feature's name, usually VIEW:FEATURE.
    #[arg(value_name = "NAME")]
    name: String,
    /// The type of its values: bool, i64, f32, f64, text, bytes or vector(N).
    #[arg(value_name = "TYPE", value_parser = parse_type)]
    value_type: ValueType,
    /// How long a value is fresh; default: forever.
    #[arg(long, value_name = "DUR", value_parser = durations::parse)]
    ttl: Option<Duration>,
    /// How far back it can be asked about; default: forever.
    #[arg(long, value_name = "DUR", value_parser = durations::parse)]
    history: Option<Duration>,
    /// How long past the history even the marks of stale versions are kept; default: forever.
    #[arg(long, value_name = "DUR", value_parser = durations::parse)]
    forget_after: Option<Duration>,
    /// What the feature is, for people.
    #[arg(long, value_name = "TEXT")]
    describe: Option<String>,
}

const AFTER_HELP: &str = "\
The store is made if there is none.

Examples:
  asofdb define store weather:temp f64 --ttl 2h --describe 'Temperature in Fahrenheit'
  asofdb define store user:embedding 'vector(384)' --history 90d";

/// Reads a type as it is written on the command line.
pub fn parse_type(text: &str) -> Result<ValueType, String> {
    ValueType::parse(text).ok_or_else(|| {
        "the types are bool, i64, f32, f64, text, bytes and vector(N), N numbers".to_owned()
    })
}

/// Defines it.
pub fn run(args: &DefineArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_or_create(&args.store.dir)?;
    let mut spec = FeatureSpec::new(&args.name, args.value_type);
    spec.terms.ttl = args.ttl.and_then(|ttl| ttl.0);
    spec.terms.history = args.history.and_then(|history| history.0);
    spec.terms.forget_after = args.forget_after.and_then(|after| after.0);
    if let Some(text) = &args.describe {
        spec.terms.description.clone_from(text);
    }
    let feature = store.define(spec)?;
    store.close()?;
    console.say(sentence(&feature), &feature_json(&feature))
}
