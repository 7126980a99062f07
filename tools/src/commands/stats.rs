//! `asofdb stats`: the shape of a store, as a picture in text.

use asofdb::{FeatureShape, Shape, TableShape};
use clap::Args;
use serde_json::{Value as Json, json};

use crate::cli::StoreArg;
use crate::error::Result;
use crate::output::{Console, Table, count, plural};
use crate::picture;
use crate::stores;
use crate::times;
use crate::view::{View, level_name};

/// Arguments of `asofdb stats`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct StatsArgs {
    #[command(flatten)]
    store: StoreArg,
}

const AFTER_HELP: &str = "\
Bytes of features are estimates: the bytes of a table are shared out by the widths of the types.

Examples:
  asofdb stats store
  asofdb stats store --json";

/// More tables and features than this are counted and not listed.
const MOST_LISTED: usize = 40;

/// Prints it.
pub fn run(args: &StatsArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_read(&args.store.dir)?;
    let view = View::of(&store)?;
    if console.json { console.json(&view_json(&view)) } else { print(&view, console) }
}

fn print(view: &View, console: &mut Console) -> Result<()> {
    let stats = &view.stats;
    let mut table = Table::new(["store", ""]);
    for (name, value) in [
        ("records", count(stats.records)),
        ("tables", count(stats.tables)),
        ("bytes in tables", count(stats.table_bytes)),
        ("bytes in logs", count(stats.log_bytes)),
        ("bytes in memory", count(stats.memtable_bytes)),
        ("newest commit", times::format(stats.newest_commit.0)),
        ("sources", view.sources.join(", ")),
    ] {
        table.row(console, vec![name.to_owned(), value])?;
    }
    table.finish(console)?;
    print_levels(view, console)?;
    print_charts(view, console)?;
    print_tables(view, console)?;
    print_features(view, console)
}

/// A bar for memory, the logs and each level.
fn print_levels(view: &View, console: &mut Console) -> Result<()> {
    let stats = &view.stats;
    let mut rows = vec![
        (
            "memory".to_owned(),
            stats.memtable_bytes,
            plural(stats.memtables as u64, "memtable"),
            stats.memtable_records,
        ),
        (
            "logs".to_owned(),
            stats.log_bytes,
            plural(view.shape.logs.len() as u64, "log"),
            stats.memtable_records,
        ),
    ];
    for (level, tables) in view.levels() {
        let bytes = tables.iter().map(|table| table.bytes).sum();
        let records = tables.iter().map(|table| table.records).sum();
        rows.push((level_name(level), bytes, plural(tables.len() as u64, "table"), records));
    }
    let most = rows.iter().map(|(_, bytes, ..)| *bytes).max().unwrap_or_default();
    console.line("")?;
    let mut table = Table::new(["level", "bytes", "", "files", "records"]);
    for (name, bytes, files, records) in rows {
        let bar = picture::bar(bytes, most);
        table.row(console, vec![name, picture::size(bytes), bar, files, count(records)])?;
    }
    table.finish(console)
}

/// Where the tables of each level lie.
fn print_charts(view: &View, console: &mut Console) -> Result<()> {
    let tables = view.shape.tables.iter().map(|table| table.extent);
    let from = tables.clone().map(|extent| extent.min_event_time.0).min();
    let to = tables.map(|extent| extent.max_event_time.0).max();
    let (Some(from), Some(to)) = (from, to) else { return Ok(()) };
    console.line("")?;
    console.line(
        "Hashes of entities down, event times across: ░ one table, ▒ two, ▓ three, █ more.",
    )?;
    for (level, tables) in view.levels() {
        console.line(level_name(level))?;
        for row in picture::chart(&tables, (from, to)) {
            console.line(format!("|{row}|"))?;
        }
        console.line(format!(" {}", picture::axis((&times::format(from), &times::format(to)))))?;
    }
    Ok(())
}

fn print_tables(view: &View, console: &mut Console) -> Result<()> {
    let tables = &view.shape.tables;
    if tables.is_empty() {
        return Ok(());
    }
    console.line("")?;
    let header = ["table", "level", "bytes", "records", "entities", "hashes", "from", "to"];
    let mut table = Table::new(header);
    for shape in tables.iter().take(MOST_LISTED) {
        let extent = &shape.extent;
        let cells = vec![
            shape.number.0.to_string(),
            shape.level.to_string(),
            count(shape.bytes),
            count(shape.records),
            count(shape.entities),
            format!("{:04x}…{:04x}", extent.min_hash >> 48, extent.max_hash >> 48),
            times::format(extent.min_event_time.0),
            times::format(extent.max_event_time.0),
        ];
        table.row(console, cells)?;
    }
    table.finish(console)?;
    more(console, tables.len(), "table")
}

fn print_features(view: &View, console: &mut Console) -> Result<()> {
    let features = view.by_bytes();
    let bytes = |feature: &crate::view::FeatureView| feature.table_bytes + feature.memory_bytes;
    let most = features.first().map_or(0, |feature| bytes(feature));
    console.line("")?;
    let header =
        ["feature", "schema", "records in tables", "in memory", "bytes, about", "", "newest"];
    let mut table = Table::new(header);
    for feature in features.iter().take(MOST_LISTED) {
        let cells = vec![
            feature.name.clone(),
            feature.schema.to_string(),
            count(feature.table_records),
            count(feature.memory_records),
            count(bytes(feature)),
            picture::bar(bytes(feature), most),
            feature.newest.map_or_else(|| "-".to_owned(), times::format),
        ];
        table.row(console, cells)?;
    }
    table.finish(console)?;
    more(console, features.len(), "feature")
}

fn more(console: &mut Console, all: usize, what: &str) -> Result<()> {
    match all.saturating_sub(MOST_LISTED) {
        0 => Ok(()),
        more => console.line(format!("and {}; --json lists them", plural(more as u64, what))),
    }
}

fn view_json(view: &View) -> Json {
    let stats = &view.stats;
    let features: Vec<Json> = view
        .features
        .iter()
        .map(|feature| {
            json!({
                "name": feature.name,
                "schema": feature.schema,
                "records_in_tables": feature.table_records,
                "records_in_memory": feature.memory_records,
                "estimated_table_bytes": feature.table_bytes,
                "estimated_memory_bytes": feature.memory_bytes,
                "newest": feature.newest,
            })
        })
        .collect();
    let levels =
        view.metrics.levels.iter().map(
            |(level, held)| json!({ "level": level, "tables": held.tables, "bytes": held.bytes }),
        );
    json!({
        "records": stats.records,
        "tables": stats.tables,
        "table_bytes": stats.table_bytes,
        "log_bytes": stats.log_bytes,
        "memtable_bytes": stats.memtable_bytes,
        "estimated_live_bytes": view.metrics.estimated_live_bytes,
        "newest_commit": stats.newest_commit.0,
        "snapshots": stats.snapshots,
        "erases": stats.erases,
        "reverts": stats.reverts,
        "sources": view.sources,
        "features": features,
        "levels": levels.collect::<Vec<_>>(),
        "table_files": view.shape.tables.iter().map(table_json).collect::<Vec<_>>(),
        "memtables": memtables_json(&view.shape),
        "logs": logs_json(&view.shape),
    })
}

fn table_json(table: &TableShape) -> Json {
    let extent = &table.extent;
    json!({
        "number": table.number.0,
        "level": table.level,
        "bytes": table.bytes,
        "records": table.records,
        "entities": table.entities,
        "min_hash": format!("{:016x}", extent.min_hash),
        "max_hash": format!("{:016x}", extent.max_hash),
        "min_event_time": extent.min_event_time.0,
        "max_event_time": extent.max_event_time.0,
        "max_known_time": table.max_known_time.0,
        "min_commit": table.min_commit.0,
        "max_commit": table.max_commit.0,
        "features": table.features.iter().map(feature_json).collect::<Vec<_>>(),
    })
}

fn feature_json(feature: &FeatureShape) -> Json {
    json!({
        "name": feature.name,
        "schema": feature.schema,
        "records": feature.records,
        "estimated_bytes": feature.estimated_bytes,
        "oldest": feature.oldest.0,
        "newest": feature.newest.0,
    })
}

fn memtables_json(shape: &Shape) -> Vec<Json> {
    let memtable = |memtable: &asofdb::MemtableShape| {
        json!({
            "log": memtable.log.0,
            "records": memtable.records,
            "entities": memtable.entities,
            "bytes": memtable.memory_bytes,
            "min_event_time": memtable.extent.map(|extent| extent.min_event_time.0),
            "max_event_time": memtable.extent.map(|extent| extent.max_event_time.0),
        })
    };
    shape.memtables.iter().map(memtable).collect()
}

fn logs_json(shape: &Shape) -> Vec<Json> {
    let log = |log: &asofdb::LogShape| json!({ "number": log.number.0, "sealed_bytes": log.sealed_bytes });
    shape.logs.iter().map(log).collect()
}

#[cfg(test)]
mod tests;
