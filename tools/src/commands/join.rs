//! `asofdb join`: adds to rows of (entity, time) the features as of each row's time.
//!
//! The spine streams through in chunks, one output row for each of its rows and in its order, all
//! seen from one snapshot; memory is bounded whatever the size of spine and store.

mod columns;
mod csv;
mod parquet;
mod spine;

use std::collections::BTreeSet;
use std::path::PathBuf;

use asofdb::{Feature, JoinOptions, JoinedColumn, KnownTime, Span, Status, Store};
use clap::Args;
use serde_json::json;

use super::import::last_plain_import;
use crate::answers;
use crate::cli::{StoreArg, UnitArg};
use crate::durations;
use crate::error::{Error, Result};
use crate::output::{Console, count, plural};
use crate::place::Place;
use crate::progress::Progress;
use crate::stores;
use crate::tabular::sink::Sink;
use crate::tabular::source::Source;
use crate::tabular::{CHUNK_ROWS, Format, NullTokens, is_standard, split_list};
use crate::times;
use columns::Columns;
use spine::{Asked, Spine};

/// Arguments of `asofdb join`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct JoinArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The rows to add to: CSV (with header) or Parquet; - is the standard input.
    #[arg(value_name = "SPINE")]
    spine: PathBuf,
    /// Where the rows with their features go: CSV or Parquet; - is the standard output.
    #[arg(short, long = "output", value_name = "OUT")]
    output: PathBuf,
    /// The spine's column of the entity, or several that make it up together.
    #[arg(long, value_name = "COL[,COL...]")]
    entity: String,
    /// The spine's column of the time to ask about.
    #[arg(long, value_name = "COL")]
    time: String,
    /// The features; default: all.
    #[arg(long, value_name = "F,...")]
    features: Option<String>,
    /// How old a value may be; tighter than the TTL, never looser.
    #[arg(long, value_name = "DUR", value_parser = durations::parse_span)]
    max_age: Option<Span>,
    /// Each row's own time excluded.
    #[arg(long)]
    before: bool,
    /// Only what was known at a time, or at each row's own time, or so much before it.
    #[arg(long, value_name = "TIME|row|row-DUR", allow_hyphen_values = true)]
    known_at: Option<String>,
    /// Add FEATURE__status: value, null, missing, expired or deleted.
    #[arg(long)]
    status: bool,
    /// Add FEATURE__event_time: when the value became true.
    #[arg(long)]
    times: bool,
    /// Name all features VIEW__FEATURE, not only those that would clash.
    #[arg(long)]
    full_names: bool,
    #[command(flatten)]
    unit: UnitArg,
    /// An unquoted field of a CSV spine that means null, besides the empty one.
    #[arg(long, value_name = "TOKEN")]
    null: Vec<String>,
    /// The form of files whose names do not tell.
    #[arg(long, value_enum, value_name = "csv|parquet")]
    format: Option<Format>,
}

const AFTER_HELP: &str = "\
The spine's columns stay as they are. A cell without a fresh value is empty in CSV and null in
Parquet; --status tells why. A row without entity or time matches nothing and stays.

Examples:
  asofdb join store flights.csv -o training.csv --entity origin --time departed
  asofdb join store flights.csv -o training.parquet --entity tailnum --time asked \\
         --features planes:arr_delay,planes:carrier --known-at row-1h --max-age 1d --status
  asofdb join store - -o - --entity site,sensor --time at --time-unit ms < spine.csv";

/// What a row may have known.
#[derive(Clone, Copy)]
enum Known {
    Anything,
    At(i64),
    Row(Span),
}

/// Cells by their status, and rows that asked from before an import that claims no known times.
#[derive(Default)]
struct Tally {
    rows: u64,
    cells: [u64; 5],
    before_import: u64,
}

/// About how many cells are joined before they are written.
const CELLS_AT_ONCE: usize = 2 << 20;

/// Joins the spine chunk by chunk.
pub fn run(args: &JoinArgs, console: &mut Console) -> Result<()> {
    let entity = split_list(&args.entity)?;
    let features = args.features.as_deref().map(split_list).transpose()?.unwrap_or_default();
    let out_format = Format::of(&args.output, args.format)?;
    let place = Place::new(&args.output, &[&args.spine])?;
    let nulls = NullTokens::new(&args.null);
    let store = stores::open_to_read(&args.store.dir)?;
    let known = parse_known(&store, args)?;
    let selection = stores::select(&store, &features)?;
    named_once(selection.features())?;
    let source = Source::new(&args.spine, args.format)?;

    let mut reader = source.read(&nulls)?;
    // What a part of the spine takes in memory grows with its features.
    reader.rows_at_once = (CELLS_AT_ONCE / selection.len().max(1)).clamp(256, CHUNK_ROWS);
    let spine = Spine::new(reader.columns(), &source, &entity, &args.time, args.unit.time_unit)?;
    let survey = spine.survey(&source, &nulls, out_format == Format::Parquet, store.now().0)?;
    let features = selection.features();
    let columns = Columns::new(features, reader.columns(), args)?;
    let sink = Sink::new(&place)?;
    let mut writer: Box<dyn Writer> = match out_format {
        Format::Csv => Box::new(csv::CsvOut::new(sink, &columns, nulls)?),
        Format::Parquet => {
            let out = parquet::ParquetOut::new(sink, &columns, features, reader.schema(), survey)?;
            Box::new(out)
        }
    };
    let joiner = store.joiner(&selection, options(args, known))?;
    let claimed = claimed(&store, features);
    let mut bar = Progress::new(format!("joining {}", source.name), reader.size);
    let mut tally = Tally::default();
    let mut bad = Vec::new();
    while let Some(chunk) = reader.next_chunk(&mut bad)? {
        if let Some(bad) = bad.pop() {
            return Err(bad.into());
        }
        let rows = spine.rows(&chunk)?;
        let joined = joiner.join(&rows)?;
        let joined: Vec<&JoinedColumn> =
            (0..features.len()).filter_map(|feature| joined.column(feature)).collect();
        tally.add(&rows, &joined, known, claimed.as_ref());
        writer.write(&chunk, &joined)?;
        bar.set(reader.position());
    }
    if let Some(bad) = bad.pop() {
        return Err(bad.into());
    }
    writer.finish()?;
    drop(bar);
    tally.warn(claimed.as_ref(), console)?;
    tally.report(args, features.len(), console)
}

/// Writes joined rows in one form.
trait Writer {
    /// Some rows of the spine and the columns of their features.
    fn write(&mut self, chunk: &crate::tabular::Chunk, joined: &[&JoinedColumn]) -> Result<()>;
    /// The end: the file appears under its name.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// An error if a feature was asked for twice: its columns could not be told apart.
fn named_once(features: &[Feature]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match features.iter().find(|feature| !seen.insert(feature.id)) {
        Some(twice) => Err(Error::Usage(format!(
            "--features names {} twice; name it once",
            answers::shown_name(twice)
        ))),
        None => Ok(()),
    }
}

fn parse_known(store: &Store, args: &JoinArgs) -> Result<Known> {
    let Some(text) = args.known_at.as_deref() else { return Ok(Known::Anything) };
    if text == "row" {
        return Ok(Known::Row(Span::ZERO));
    }
    if let Some(lag) = text.strip_prefix("row-") {
        let lag = durations::parse_span(lag);
        return lag
            .map(Known::Row)
            .map_err(|what| Error::Usage(format!("--known-at {text}: {what}")));
    }
    if text != "now" && times::parse(text, args.unit.time_unit).is_none() {
        return Err(Error::Usage(format!(
            "--known-at {text:?} is no time: expected row, row-DUR as row-1h, now, or {}",
            times::EXPECTED
        )));
    }
    stores::moment(store, text, args.unit.time_unit).map(Known::At)
}

fn options(args: &JoinArgs, known: Known) -> JoinOptions {
    let mut options = JoinOptions::new();
    options = match known {
        Known::Anything => options,
        Known::At(k) => options.known_at(KnownTime(k)),
        Known::Row(lag) => options.known_at_row(lag),
    };
    if args.before {
        options = options.before();
    }
    match args.max_age {
        Some(max_age) => options.max_age(max_age),
        None => options,
    }
}

/// An import that gave no known times: its values claim to be known since then.
struct Claim {
    view: String,
    at: i64,
}

/// The last import without known times of any of the features' views.
fn claimed(store: &Store, features: &[Feature]) -> Option<Claim> {
    let views = features.iter().filter_map(|feature| feature.name.split_once(':'));
    let mut views: Vec<&str> = views.map(|(view, _)| view).collect();
    views.dedup();
    let claims = views.into_iter().filter_map(|view| {
        Some(Claim { view: view.to_owned(), at: last_plain_import(store, view)? })
    });
    claims.max_by_key(|claim| claim.at)
}

/// The statuses in the order in which they are told.
const STATUSES: [Status; 5] =
    [Status::Value, Status::Null, Status::Missing, Status::Expired, Status::Deleted];

impl Tally {
    fn add(
        &mut self,
        rows: &[Asked],
        joined: &[&JoinedColumn],
        known: Known,
        claimed: Option<&Claim>,
    ) {
        self.rows += rows.len() as u64;
        for status in joined.iter().flat_map(|column| column.status()) {
            if let Some(cells) = self.cells.get_mut(*status as usize) {
                *cells += 1;
            }
        }
        let Some(claimed) = claimed else { return };
        for (_, at) in rows.iter().flatten() {
            let known = match known {
                Known::Anything => return,
                Known::At(known) => known,
                Known::Row(lag) => at.saturating_sub(lag).0,
            };
            self.before_import += u64::from(known < claimed.at);
        }
    }

    fn cells(&self, status: Status) -> u64 {
        self.cells.get(status as usize).copied().unwrap_or_default()
    }

    fn warn(&self, claimed: Option<&Claim>, console: &mut Console) -> Result<()> {
        let Some(claimed) = claimed.filter(|_| self.before_import > 0) else { return Ok(()) };
        console.warn(format!(
            "values of the view {} were imported without --known, so they all became known at the \
             import ({}); {} what was known before that and cannot see them",
            claimed.view,
            times::format(claimed.at),
            match self.before_import {
                1 => "1 row asks".to_owned(),
                rows => format!("{} rows ask", count(rows)),
            }
        ))
    }

    fn report(&self, args: &JoinArgs, features: usize, console: &mut Console) -> Result<()> {
        if is_standard(&args.output) {
            return Ok(());
        }
        let cells: Vec<String> = STATUSES
            .iter()
            .map(|status| format!("{} {}", count(self.cells(*status)), status.as_str()))
            .collect();
        let out = args.output.display().to_string();
        let line = format!(
            "{out}: {} with {}; cells: {}",
            plural(self.rows, "row"),
            plural(features as u64, "feature"),
            cells.join(", ")
        );
        let cells: serde_json::Map<String, serde_json::Value> = STATUSES
            .iter()
            .map(|status| (status.as_str().to_owned(), json!(self.cells(*status))))
            .collect();
        let value =
            json!({ "output": out, "rows": self.rows, "features": features, "cells": cells });
        console.say(line, &value)
    }
}
