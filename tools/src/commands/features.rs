//! `asofdb features`: lists the features of a store.

use asofdb::Feature;
use clap::Args;
use serde_json::{Value as Json, json};

use crate::cli::StoreArg;
use crate::durations;
use crate::error::Result;
use crate::output::{Console, Table};
use crate::stores;
use crate::times;

/// Arguments of `asofdb features`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct FeaturesArgs {
    #[command(flatten)]
    store: StoreArg,
}

const AFTER_HELP: &str = "\
Older schemas are listed too; NAME means the newest one and NAME@1 the first.

Examples:
  asofdb features store
  asofdb features store --json";

/// Prints a line a feature.
pub fn run(args: &FeaturesArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_read(&args.store.dir)?;
    let features = store.features();
    if console.json {
        return console.json(&features.iter().map(feature_json).collect());
    }
    let header = ["feature", "schema", "type", "ttl", "history", "forget after", "description"];
    let mut table = Table::new(header);
    for feature in &features {
        let terms = &feature.terms;
        let mut cells = vec![
            feature.name.clone(),
            format!("{}{}", feature.schema, if feature.newest { "" } else { " (old)" }),
            feature.value_type.to_string(),
        ];
        cells.extend([terms.ttl, terms.history, terms.forget_after].map(durations::format));
        cells.push(terms.description.clone());
        table.row(console, cells)?;
    }
    table.finish(console)
}

/// A feature's definition as JSON.
pub fn feature_json(feature: &Feature) -> Json {
    let terms = &feature.terms;
    json!({
        "name": feature.name,
        "schema": feature.schema,
        "newest": feature.newest,
        "type": feature.value_type.to_string(),
        "ttl": durations::format(terms.ttl),
        "history": durations::format(terms.history),
        "forget_after": durations::format(terms.forget_after),
        "description": terms.description,
        "tags": terms.tags,
        "since": times::format(feature.since.0),
    })
}

/// A feature's definition in one line.
pub fn sentence(feature: &Feature) -> String {
    let terms = &feature.terms;
    let mut line = format!("{} is {}", feature.name, feature.value_type);
    if feature.schema > 1 {
        line.push_str(&format!(", schema {}", feature.schema));
    }
    line.push_str(&format!(
        ", ttl {}, history {}",
        durations::format(terms.ttl),
        durations::format(terms.history)
    ));
    if terms.forget_after.is_some() {
        let after = durations::format(terms.forget_after);
        line.push_str(&format!(", forget after {after}"));
    }
    line
}
