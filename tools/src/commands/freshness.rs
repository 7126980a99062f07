//! `asofdb freshness`: how old the values of each feature are, and whether any is too old.

use std::collections::BTreeMap;

use asofdb::{Ages, FeatureFreshness, FreshnessReport, FutureRow, Span, Store, Value};
use clap::Args;
use serde_json::{Value as Json, json};

use crate::cli::StoreArg;
use crate::durations;
use crate::entity;
use crate::error::{Error, Result};
use crate::output::{Console, Table, count, plural};
use crate::stores;
use crate::times;
use crate::values;

/// How many rows of the future people are shown.
const FUTURE_ROWS: usize = 10;

/// How many rows of the future machines are told.
const FUTURE_ROWS_JSON: usize = 1000;

/// Arguments of `asofdb freshness`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct FreshnessArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Ask every entity for its newest version, instead of what files tell of themselves.
    #[arg(long)]
    exact: bool,
    /// Exit with code 3 if the newest event time of a feature is longer ago than this, over all
    /// its entities, or if it has no value at all.
    #[arg(long, value_name = "NAME=D,...", value_delimiter = ',', value_parser = limit)]
    max_age: Vec<(String, Span)>,
}

const AFTER_HELP: &str = "\
The age of a feature is now less its newest event time, over all entities; rows dated after now
do not count. Without --exact nothing but what files tell of themselves is read. That counts what
is not cleaned up yet, an entity once in each file, and what an erase or a revert has taken away.
With --max-age the report is exact by itself where that could hide an old feature: if rows were
deleted, erased or reverted, or are dated after now.

Examples:
  asofdb freshness store
  asofdb freshness store --exact --json
  asofdb freshness store --max-age weather:temp=2h,weather:wind=1d";

/// Reads `view:feature=DURATION`.
fn limit(text: &str) -> std::result::Result<(String, Span), String> {
    let (name, age) = text
        .rsplit_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| "expected NAME=DURATION, as weather:temp=2h".to_owned())?;
    Ok((name.to_owned(), durations::parse_span(age)?))
}

/// Prints the report, and fails if a feature is too old.
pub fn run(args: &FreshnessArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_read(&args.store.dir)?;
    let limits = limits(&store, &args.max_age)?;
    let mut report = if args.exact { store.freshness_exact()? } else { store.freshness()? };
    // Files count what is no value any more, which makes a feature look younger than it is.
    let stats = store.stats();
    let is_taken_back = stats.reverts > 0 || stats.pending_erases > 0;
    let is_hidden = |feature: &FeatureFreshness| {
        let is_doubtful = is_taken_back || feature.future_dated > 0 || feature.records.deletes > 0;
        is_doubtful && limits.contains_key(&(feature.name.clone(), feature.schema))
    };
    if !report.exact && report.features.iter().any(is_hidden) {
        report = store.freshness_exact()?;
    }
    let any_ahead = report.features.iter().any(|feature| feature.future_dated > 0);
    let most = if console.json { FUTURE_ROWS_JSON } else { FUTURE_ROWS + 1 };
    let ahead = if any_ahead { store.future_dated(most)? } else { Vec::new() };
    if console.json {
        console.json(&report_json(&report, &ahead))?;
    } else {
        print(&report, &ahead, console)?;
    }
    let stale: Vec<String> = report
        .features
        .iter()
        .filter_map(|feature| {
            let limit = limits.get(&(feature.name.clone(), feature.schema))?;
            too_old(feature, *limit, report.stamp.now.0)
        })
        .collect();
    if stale.is_empty() { Ok(()) } else { Err(Error::Stale(stale)) }
}

/// The limits by name and schema; a name that means nothing is an error.
fn limits(store: &Store, given: &[(String, Span)]) -> Result<BTreeMap<(String, u32), Span>> {
    let mut limits = BTreeMap::new();
    for (name, limit) in given {
        let feature = stores::feature(store, name)?;
        let strictest = limits.entry((feature.name, feature.schema)).or_insert(*limit);
        *strictest = (*limit).min(*strictest);
    }
    Ok(limits)
}

/// What is wrong with the age of a feature.
fn too_old(feature: &FeatureFreshness, limit: Span, now: i64) -> Option<String> {
    let name = shown_name(feature);
    let allowed = durations::format(Some(limit));
    let Some(newest) = feature.newest_event_time else {
        return Some(format!("{name} has no value, and may be {allowed} old"));
    };
    let age = i128::from(now) - i128::from(newest.0);
    (age > i128::from(limit.micros())).then(|| {
        let age = i64::try_from(age).ok().and_then(Span::from_micros).unwrap_or(Span::MAX);
        format!(
            "{name} is {} old (newest event {}), and may be {allowed} old",
            durations::brief(age),
            times::format(newest.0)
        )
    })
}

fn shown_name(feature: &FeatureFreshness) -> String {
    if feature.newest_schema {
        feature.name.clone()
    } else {
        format!("{}@{}", feature.name, feature.schema)
    }
}

fn print(report: &FreshnessReport, ahead: &[FutureRow], console: &mut Console) -> Result<()> {
    let mut table = Table::new([
        "feature",
        "records",
        "nulls",
        "entities",
        "newest event",
        "age",
        "p50",
        "p90",
        "p99",
        "oldest",
        "expired",
        "next expiry",
        "min",
        "max",
        "ahead",
    ]);
    let none = || "-".to_owned();
    for feature in &report.features {
        let age = feature.newest_event_time.map(|newest| {
            let age = report.stamp.now.0.saturating_sub(newest.0).max(0);
            durations::brief(Span::from_micros(age).unwrap_or_default())
        });
        let at = |percentile: fn(&Ages) -> Span| {
            feature.ages.as_ref().map_or_else(none, |ages| durations::brief(percentile(ages)))
        };
        let moment = |at: Option<asofdb::EventTime>| at.map_or_else(none, |at| times::format(at.0));
        let number = |value: &Option<Value>| {
            value.as_ref().map_or_else(none, |value| values::to_text(value).into_owned())
        };
        table.row(
            console,
            vec![
                shown_name(feature),
                count(feature.records.all),
                feature.null_share.map_or_else(none, percent),
                count(feature.entities),
                moment(feature.newest_event_time),
                age.unwrap_or_else(none),
                at(|ages| ages.p50),
                at(|ages| ages.p90),
                at(|ages| ages.p99),
                at(|ages| ages.p100),
                feature.expired_share.map_or_else(none, percent),
                moment(feature.next_expiry),
                number(&feature.least),
                number(&feature.greatest),
                count(feature.future_dated),
            ],
        )?;
    }
    table.finish(console)?;
    for row in ahead.iter().take(FUTURE_ROWS) {
        let name = format!("{}@{}", row.feature, row.schema);
        let at = times::format(row.event_time.0);
        console.line(format!("ahead: {name} of {} at {at}", entity::show(&row.entity)))?;
    }
    if ahead.len() > FUTURE_ROWS {
        console.line("ahead: and more, which --json lists")?;
    }
    if report.exact {
        return console.line("exact: of every entity its newest version now");
    }
    let in_memory: u64 = report.features.iter().map(|feature| feature.records.in_memory).sum();
    let mut said =
        "estimated from what files tell of themselves; --exact asks every entity".to_owned();
    if in_memory > 0 {
        let records = plural(in_memory, "record");
        said.push_str(&format!("; entities and their ages leave out {records} in logs"));
    }
    if report.silent_tables > 0 {
        let tables = plural(report.silent_tables as u64, "table");
        said.push_str(&format!("; {tables} of an earlier version tell no ages"));
    }
    console.line(said)
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

fn report_json(report: &FreshnessReport, ahead: &[FutureRow]) -> Json {
    json!({
        "exact": report.exact,
        "now": report.stamp.now.0,
        "commit": report.stamp.commit.0,
        "silent_tables": report.silent_tables,
        "features": report.features.iter().map(feature_json).collect::<Vec<_>>(),
        "future_dated": ahead.iter().map(future_json).collect::<Vec<_>>(),
    })
}

fn feature_json(feature: &FeatureFreshness) -> Json {
    let records = &feature.records;
    let answers = feature.answers.map(|answers| {
        json!({
            "values": answers.values,
            "nulls": answers.nulls,
            "expired": answers.expired,
            "deleted": answers.deleted,
        })
    });
    let ages = feature.ages.map(|ages| {
        json!({
            "p0": ages.p0.micros(),
            "p50": ages.p50.micros(),
            "p90": ages.p90.micros(),
            "p99": ages.p99.micros(),
            "p100": ages.p100.micros(),
        })
    });
    json!({
        "name": feature.name,
        "schema": feature.schema,
        "newest": feature.newest_schema,
        "type": feature.value_type.to_string(),
        "ttl": feature.ttl.map(Span::micros),
        "records": records.all,
        "nulls": records.nulls,
        "deletes": records.deletes,
        "stubs": records.stubs,
        "records_in_memory": records.in_memory,
        "entities": feature.entities,
        "answers": answers,
        "null_share": feature.null_share,
        "expired_share": feature.expired_share,
        "min": feature.least.as_ref().map(values::to_json),
        "max": feature.greatest.as_ref().map(values::to_json),
        "newest_event_time": feature.newest_event_time.map(|at| at.0),
        "newest_known_time": feature.newest_known_time.map(|at| at.0),
        "ages": ages,
        "next_expiry": feature.next_expiry.map(|at| at.0),
        "future_dated": feature.future_dated,
    })
}

fn future_json(row: &FutureRow) -> Json {
    json!({
        "entity": values::hex(&row.entity),
        "feature": format!("{}@{}", row.feature, row.schema),
        "event_time": row.event_time.0,
        "kind": match row.kind {
            asofdb::Kind::Value => "value",
            asofdb::Kind::Null => "null",
            asofdb::Kind::Deleted => "deleted",
            asofdb::Kind::Stub => "stub",
        },
    })
}

#[cfg(test)]
mod tests;
