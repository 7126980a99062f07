//! `asofdb import`: writes the rows of CSV or Parquet files into a store.
//!
//! Two passes over each file. The first ([`check`]) tells the types of the columns and finds every
//! bad row, so that a file with one writes nothing; the second ([`load`]) writes in batches of
//! some ten thousand records, each with a mark of how far it came. The mark's name is made of the
//! file's content and of what the import was asked, so an import that was killed goes on behind
//! its last batch when it is run again, and one that was finished writes nothing.

mod check;
mod define;
mod layout;
mod load;
mod marks;

use std::path::PathBuf;

use asofdb::{Span, ValueType};
use clap::Args;
use serde_json::{Map, Value as Json, json};

use crate::cli::{StoreArg, UnitArg};
use crate::durations::{self, Duration};
use crate::error::{BadRow, Error, Result};
use crate::output::{Console, count, plural};
use crate::stores;
use crate::tabular::source::Source;
use crate::tabular::{Format, NullTokens, split_list};
use check::Checked;
use layout::{Explicit, Rules, View};
use load::Loaded;
use marks::Progress;

pub use marks::last_plain_import;
/// Arguments of `asofdb import`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct ImportArgs {
    #[command(flatten)]
    store: StoreArg,
    /// CSV (with header) or Parquet files; - is the standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The view that the features belong to; default: each file's name without its ending.
    #[arg(long, value_name = "NAME")]
    view: Option<String>,
    /// The column of the entity, or several that make it up together.
    #[arg(long, value_name = "COL[,COL...]")]
    entity: String,
    /// The column of the time at which each row became true.
    #[arg(long, value_name = "COL")]
    time: String,
    /// The column of the time at which each row became known; default: now.
    #[arg(long, value_name = "COL")]
    known: Option<String>,
    /// The columns to import and their types; default: all others, with types told from all rows.
    #[arg(long, value_name = "COL[:TYPE],...")]
    features: Option<String>,
    /// Rows of one value each: the columns of the feature's name and of the value.
    #[arg(long, value_name = "FEATURE_COL,VALUE_COL")]
    long: Option<String>,
    /// How long a value is fresh, for features that are new; default: forever.
    #[arg(long, value_name = "DUR", value_parser = durations::parse)]
    ttl: Option<Duration>,
    /// How far back can be asked about, for features that are new; default: forever.
    #[arg(long, value_name = "DUR", value_parser = durations::parse)]
    history: Option<Duration>,
    /// Whether an empty cell is written as a null, or not at all.
    #[arg(long, value_enum, default_value_t = Nulls::Store, value_name = "store|skip")]
    nulls: Nulls,
    /// An unquoted field of a CSV file that means null, besides the empty one.
    #[arg(long, value_name = "TOKEN")]
    null: Vec<String>,
    /// A label that every answer can tell and `asofdb revert` can take back.
    #[arg(long, value_name = "LABEL")]
    source: Option<String>,
    #[command(flatten)]
    unit: UnitArg,
    /// Leave out bad rows, count and list them.
    #[arg(long)]
    skip_bad: bool,
    /// The form of files whose names do not tell.
    #[arg(long, value_enum, value_name = "csv|parquet")]
    format: Option<Format>,
}

/// What becomes of an empty cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Nulls {
    /// It is written as a null, and no older value shines through.
    Store,
    /// It is left out, and the value before it stands.
    Skip,
}

const AFTER_HELP: &str = "\
The store is made if there is none. Rows of the same entity and time correct one another: the one
known latest wins, then the later one in the file. The entity of several columns is their texts
with | between them, and \\ before each | or \\ that is in a text.

An import that was killed goes on where it stopped when it is run again, and writes no row twice.

Examples:
  asofdb import store weather.csv --entity airport --time hour --ttl 2h
  asofdb import store flights.csv --view planes --entity tailnum --time departed \\
         --known landed --features carrier,arr_delay:f64
  asofdb import store - --view sensors --entity site,sensor --time at --time-unit ms \\
         --long metric,reading --null NA --source nightly < readings.csv";

/// How many bad rows are listed.
const MAX_LISTED: usize = 50;

/// How many types of columns are told.
const MAX_TYPES: usize = 30;

/// What became of a file.
struct Outcome {
    source: String,
    view: String,
    features: usize,
    /// Columns and the types that the rows of all files of the view told; with its first file.
    inferred: Vec<(String, ValueType)>,
    /// `None`: the file was imported before.
    loaded: Option<Loaded>,
    bad: Vec<BadRow>,
    bad_count: u64,
}

/// Imports the files one after the other, after all of them were checked.
pub fn run(args: &ImportArgs, console: &mut Console) -> Result<()> {
    let rules = rules(args)?;
    let mut explicit = Explicit::parse(args.features.as_deref())?;
    explicit.check(&rules)?;
    let files = sources(args)?;
    let existing = match stores::is_vacant(&args.store.dir) {
        true => None,
        false => Some(stores::open_to_write(&args.store.dir)?),
    };
    let now = existing.as_ref().map_or_else(clock, |store| store.now().0);
    let rules = Rules { now, ..rules };

    let mut views: Vec<View> = Vec::new();
    let mut checked: Vec<(Source, String, usize, Option<Checked>)> = Vec::new();
    for (source, view) in files {
        let name = marks::name(&source, &view, args)?;
        let index = View::find_or_add(&mut views, view);
        let before = existing.as_ref().and_then(|store| Progress::read(store, &name));
        let Some(view) = views.get_mut(index) else { continue };
        if let Some(store) = existing.as_ref().filter(|_| before.is_some_and(|file| file.done)) {
            explicit.had(&view.name, store);
            checked.push((source, name, index, None));
            continue;
        }
        let found = check::check(&source, &rules, view, &mut explicit, existing.as_ref(), console)?;
        checked.push((source, name, index, Some(found)));
    }
    if checked.iter().any(|(_, _, _, found)| found.is_some()) {
        explicit.all_found()?;
    }
    let terms = define::Terms { ttl: args.ttl, history: args.history };
    for view in &views {
        define::check(existing.as_ref(), view, terms)?;
    }

    let store = match existing {
        Some(store) => store,
        None => stores::open_or_create(&args.store.dir)?,
    };
    for view in &mut views {
        define::define(&store, view, terms, console)?;
    }
    let mut outcomes = Vec::new();
    for (source, mark, index, found) in checked {
        let Some(view) = views.get_mut(index) else { continue };
        let loaded = match &found {
            Some(found) => load::load(&store, &source, &mark, &rules, view, found, console)?,
            None => None,
        };
        let found = found.unwrap_or_default();
        let outcome = Outcome {
            source: source.name,
            view: view.name.clone(),
            features: view.features.len(),
            inferred: loaded.map_or_else(Vec::new, |_| view.take_inferred()),
            loaded,
            bad: found.bad,
            bad_count: found.bad_count,
        };
        if !console.json {
            report(&outcome, console)?;
        }
        outcomes.push(outcome);
    }
    store.close()?;
    if console.json {
        let files: Vec<Json> = outcomes.iter().map(outcome_json).collect();
        console.json(&json!({ "files": files }))?;
    }
    Ok(())
}

/// The clock of a store that is not made yet.
fn clock() -> i64 {
    asofdb::world::World::real().clock.now().0
}

fn rules(args: &ImportArgs) -> Result<Rules> {
    let entity = split_list(&args.entity)?;
    if args.view.as_deref() == Some("") {
        let what = "--view takes a name, and this one is empty; leave it out to name the view \
                    after each file";
        return Err(Error::Usage(what.to_owned()));
    }
    let long = match args.long.as_deref().map(split_list).transpose()? {
        None => None,
        Some(columns) => match <[String; 2]>::try_from(columns) {
            Ok(columns) => Some(columns),
            Err(_) => {
                return Err(Error::Usage(
                    "--long takes two columns, the feature's name and the value: --long \
                     metric,reading"
                        .to_owned(),
                ));
            }
        },
    };
    if let Some(label) = &args.source
        && !(1..=255).contains(&label.len())
    {
        let len = label.len();
        return Err(Error::Usage(format!("--source takes 1 to 255 bytes, and this has {len}")));
    }
    Ok(Rules {
        entity,
        time: args.time.clone(),
        known: args.known.clone(),
        long,
        unit: args.unit.time_unit,
        null_tokens: NullTokens::new(&args.null),
        store_nulls: args.nulls == Nulls::Store,
        skip_bad: args.skip_bad,
        label: args.source.clone(),
        now: 0,
        max_ahead: Span::from_days(1),
    })
}

/// The files and the views they belong to.
fn sources(args: &ImportArgs) -> Result<Vec<(Source, String)>> {
    let mut sources = Vec::new();
    for path in &args.files {
        let source = Source::new(path, args.format)?;
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let view = match (&args.view, stem) {
            (Some(view), _) => view.clone(),
            (None, Some(stem)) if !source.is_standard_input() => stem.to_owned(),
            _ => {
                return Err(Error::Usage(format!(
                    "{} has no name to take the view's from: say --view NAME",
                    source.name
                )));
            }
        };
        sources.push((source, view));
    }
    Ok(sources)
}

fn report(outcome: &Outcome, console: &mut Console) -> Result<()> {
    let Outcome { source, view, .. } = outcome;
    let Some(loaded) = &outcome.loaded else {
        return console.line(format!(
            "{source}: already imported, nothing to write (another --source label imports it again)"
        ));
    };
    let mut line = format!(
        "{source}: {} with {} of {} of the view {view}",
        plural(loaded.rows, "row"),
        plural(loaded.records, "record"),
        plural(outcome.features as u64, "feature"),
    );
    if loaded.rows_before > 0 {
        line.push_str(&format!(
            ", after {} that an earlier run had written",
            plural(loaded.rows_before, "row")
        ));
    }
    console.line(line)?;
    if !outcome.inferred.is_empty() {
        let shown = outcome.inferred.iter().take(MAX_TYPES);
        let shown: Vec<String> =
            shown.map(|(column, value_type)| format!("{column} {value_type}")).collect();
        let more = outcome.inferred.len() - shown.len();
        let more =
            if more > 0 { format!(", and {} more", count(more as u64)) } else { String::new() };
        console.line(format!("types told from the rows: {}{more}", shown.join(", ")))?;
    }
    if outcome.bad_count > 0 {
        console.line(format!("left out {}:", plural(outcome.bad_count, "bad row")))?;
        for bad in &outcome.bad {
            console.line(format!("  {bad}"))?;
        }
        let more = outcome.bad_count.saturating_sub(outcome.bad.len() as u64);
        if more > 0 {
            console.line(format!("  and {} more", count(more)))?;
        }
    }
    Ok(())
}

fn outcome_json(outcome: &Outcome) -> Json {
    let loaded = outcome.loaded.as_ref();
    let bad: Vec<Json> = outcome
        .bad
        .iter()
        .map(|bad| {
            json!({
                bad.counted: bad.number,
                "column": bad.column,
                "expected": bad.expected,
                "found": bad.found,
            })
        })
        .collect();
    let inferred = outcome.inferred.iter();
    let inferred: Map<String, Json> = inferred
        .map(|(column, value_type)| (column.clone(), json!(value_type.to_string())))
        .collect();
    json!({
        "file": outcome.source,
        "view": outcome.view,
        "already_imported": loaded.is_none(),
        "rows": loaded.map_or(0, |loaded| loaded.rows),
        "rows_before": loaded.map_or(0, |loaded| loaded.rows_before),
        "records": loaded.map_or(0, |loaded| loaded.records),
        "nulls": loaded.map_or(0, |loaded| loaded.nulls),
        "inferred": inferred,
        "skipped": outcome.bad_count,
        "bad_rows": bad,
    })
}
