//! `asofdb stats`: numbers of a store.

use asofdb::Stats;
use clap::Args;
use serde_json::{Value as Json, json};

use crate::cli::StoreArg;
use crate::error::Result;
use crate::output::{Console, Table, count};
use crate::stores;
use crate::times;

/// Arguments of `asofdb stats`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct StatsArgs {
    #[command(flatten)]
    store: StoreArg,
}

const AFTER_HELP: &str = "\
Examples:
  asofdb stats store
  asofdb stats store --json";

/// Prints them.
pub fn run(args: &StatsArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_read(&args.store.dir)?;
    let stats = store.stats();
    if console.json {
        return console.json(&stats_json(&stats, &store.sources()));
    }
    let mut table = Table::new(["store", ""]);
    for (name, value) in [
        ("records", count(stats.records)),
        ("tables", count(stats.tables)),
        ("bytes in tables", count(stats.table_bytes)),
        ("bytes in logs", count(stats.log_bytes)),
        ("bytes in memory", count(stats.memtable_bytes)),
        ("newest commit", times::format(stats.newest_commit.0)),
        ("sources", store.sources().join(", ")),
    ] {
        table.row(console, vec![name.to_owned(), value])?;
    }
    table.finish(console)?;
    console.line("")?;
    let mut table = Table::new(["feature", "schema", "records in tables"]);
    for feature in &stats.features {
        let schema = feature.schema.to_string();
        table.row(console, vec![feature.name.clone(), schema, count(feature.records)])?;
    }
    table.finish(console)
}

fn stats_json(stats: &Stats, sources: &[std::sync::Arc<str>]) -> Json {
    let features: Vec<Json> = stats
        .features
        .iter()
        .map(|feature| {
            json!({
                "name": feature.name,
                "schema": feature.schema,
                "records_in_tables": feature.records,
            })
        })
        .collect();
    json!({
        "records": stats.records,
        "tables": stats.tables,
        "table_bytes": stats.table_bytes,
        "log_bytes": stats.log_bytes,
        "memtable_bytes": stats.memtable_bytes,
        "newest_commit": stats.newest_commit.0,
        "sources": sources.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        "features": features,
    })
}
