//! `asofdb demo`: the tool's main commands on a bundled sample of real events, each shown as a
//! user would type it.
//!
//! What is printed is the same on every machine and every day, so the demo is a test as well: no
//! clock and no path of this machine is in it, but for the first line with a directory given.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use asofdb::inspect;
use asofdb::world::World;
use clap::{Args, Parser as _};
use serde_json::json;

use crate::cli::Cli;
use crate::error::{Error, Result};
use crate::output::{Console, plural};
use crate::stores;
use crate::tabular::source::Source;
use crate::tabular::{NullTokens, find_column};

/// Arguments of `asofdb demo`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct DemoArgs {
    /// A new directory to keep the sample and the store in; default: they are taken away again.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
The sample is real: hourly weather of three airports and a day of flights, July 2013.

Examples:
  asofdb demo
  asofdb demo my-demo";

/// The files of the sample.
const SAMPLE: [(&str, &str); 2] = [
    ("weather.csv", include_str!("../../sample/weather.csv")),
    ("flights.csv", include_str!("../../sample/flights.csv")),
];

/// One thing that the demo does.
enum Step {
    /// It says something.
    Say(&'static str),
    /// It runs a command.
    Run(&'static [&'static str]),
    /// It shows some columns of the first rows of a file.
    Show(&'static str, &'static [&'static str]),
    /// It counts the rows of two files that differ in a column.
    Leak { right: &'static str, naive: &'static str, column: &'static str, told: &'static str },
    /// It holds two files to be the same.
    Same(&'static str, &'static str),
    /// It verifies a store and tells only what is the same on every day.
    Verify(&'static str),
}

use Step::{Leak, Run, Same, Say, Show, Verify};

/// The demo from its beginning to its end.
const STEPS: &[Step] = &[
    Say("1. A file of events becomes features: hourly weather, an entity for each airport."),
    Run(&["import", "store", "weather.csv", "--entity", "airport", "--time", "hour"]),
    Say("2. Online: the newest values, as a service would ask for them."),
    Run(&["latest", "store", "JFK", "temp", "wind_gust", "visib", "--status"]),
    Say("3. Offline: the values as of any past moment, from the same files by the same rule."),
    Run(&["as-of", "store", "2013-07-02 12:30:00", "JFK", "temp", "wind_gust", "visib"]),
    Say("4. Training data: each flight with the weather as of its departure, at most 2 hours old."),
    Run(&[
        "join",
        "store",
        "flights.csv",
        "-o",
        "training.csv",
        "--entity",
        "origin",
        "--time",
        "departed",
        "--features",
        "temp,wind_speed,visib",
        "--max-age",
        "2h",
        "--times",
    ]),
    Show("training.csv", &["flight", "origin", "departed", "temp", "temp__event_time"]),
    Say("5. What a join by day would have leaked: the weather at the end of the day."),
    Run(&[
        "join",
        "store",
        "flights.csv",
        "-o",
        "by-day.csv",
        "--entity",
        "origin",
        "--time",
        "end_of_day",
        "--features",
        "temp,wind_speed,visib",
        "--max-age",
        "2h",
    ]),
    Leak {
        right: "training.csv",
        naive: "by-day.csv",
        column: "temp",
        told: "flights would have been trained on a temperature that was measured after they had \
               left",
    },
    Say("6. What event times alone leak: a delay is true from departure, but known at landing."),
    Run(&[
        "import",
        "store",
        "flights.csv",
        "--view",
        "plane",
        "--entity",
        "tailnum",
        "--time",
        "departed",
        "--known",
        "landed",
        "--features",
        "dep_delay,arr_delay",
    ]),
    Run(&[
        "join",
        "store",
        "flights.csv",
        "-o",
        "known.csv",
        "--entity",
        "tailnum",
        "--time",
        "asked",
        "--features",
        "plane:arr_delay",
        "--known-at",
        "row",
    ]),
    Run(&[
        "join",
        "store",
        "flights.csv",
        "-o",
        "leaky.csv",
        "--entity",
        "tailnum",
        "--time",
        "asked",
        "--features",
        "plane:arr_delay",
    ]),
    Leak {
        right: "known.csv",
        naive: "leaky.csv",
        column: "plane__arr_delay",
        told: "flights would have been trained on the arrival delay of a flight still in the air",
    },
    Say("7. Five answers that nobody can mix up: a value, and four ways to have none."),
    Run(&["define", "store", "note:status", "text", "--ttl", "1h"]),
    Run(&["put", "store", "JFK", "note:status=open", "--at", "2013-07-02 10:00:00"]),
    Run(&["put", "store", "JFK", "note:status=", "--at", "2013-07-02 13:00:00"]),
    Run(&["delete", "store", "JFK", "note:status", "--at", "2013-07-02 14:00:00"]),
    Run(&["as-of", "store", "2013-07-02 09:00:00", "JFK", "note:status"]),
    Run(&["as-of", "store", "2013-07-02 11:00:00", "JFK", "note:status"]),
    Run(&["as-of", "store", "2013-07-02 11:00:01", "JFK", "note:status"]),
    Run(&["as-of", "store", "2013-07-02 13:30:00", "JFK", "note:status"]),
    Run(&["as-of", "store", "2013-07-02 14:30:00", "JFK", "note:status"]),
    Say("8. Compaction is invisible: the same join gives the same file, byte for byte."),
    Run(&["compact", "store"]),
    Run(&[
        "join",
        "store",
        "flights.csv",
        "-o",
        "again.csv",
        "--entity",
        "origin",
        "--time",
        "departed",
        "--features",
        "temp,wind_speed,visib",
        "--max-age",
        "2h",
        "--times",
    ]),
    Same("training.csv", "again.csv"),
    Say("9. Every byte of the store is read and held against every other."),
    Verify("store"),
];

/// Runs the demo in a directory of its own.
pub fn run(args: &DemoArgs, console: &mut Console) -> Result<()> {
    let io = |op: &'static str, place: &Path| {
        let place = place.display().to_string();
        move |error| Error::io(op, place, error)
    };
    let home = env::current_dir().map_err(io("find", Path::new("the current directory")))?;
    let (dir, temporary) = match &args.dir {
        Some(dir) if !stores::is_vacant(dir) => {
            return Err(Error::Failed(format!(
                "{} is not empty; the demo wants a new directory",
                dir.display()
            )));
        }
        Some(dir) => {
            fs::create_dir_all(dir).map_err(io("make", dir))?;
            say(console, &format!("The sample and the store are in {}.", dir.display()))?;
            (dir.clone(), None)
        }
        None => {
            let dir = tempfile::tempdir().map_err(io("make", &env::temp_dir()))?;
            say(console, "`asofdb demo DIR` keeps the sample and the store in DIR.")?;
            (dir.path().to_path_buf(), Some(dir))
        }
    };
    for (name, content) in SAMPLE {
        fs::write(dir.join(name), content).map_err(io("write", &dir.join(name)))?;
    }
    env::set_current_dir(&dir).map_err(io("enter", &dir))?;
    let result = STEPS.iter().try_for_each(|step| take(step, console));
    env::set_current_dir(&home).map_err(io("enter", &home))?;
    drop(temporary);
    result
}

fn say(console: &mut Console, text: &str) -> Result<()> {
    console.say(text, &json!({ "says": text }))
}

fn take(step: &Step, console: &mut Console) -> Result<()> {
    match step {
        Say(text) => {
            if !console.json {
                console.line("")?;
            }
            say(console, text)
        }
        Run(words) => {
            let typed = typed(words);
            console.say(format!("\n$ {typed}"), &json!({ "command": typed }))?;
            let words = std::iter::once("asofdb").chain(words.iter().copied());
            let cli = Cli::try_parse_from(words)
                .map_err(|error| Error::Failed(format!("the demo is broken: {error}")))?;
            cli.command.run(console)
        }
        Show(file, columns) => show(file, columns, console),
        Leak { right, naive, column, told } => {
            let (right, naive) = (column_of(right, column)?, column_of(naive, column)?);
            let rows = right.len();
            let leaked = right.iter().zip(&naive).filter(|(right, naive)| right != naive).count();
            let line = format!("\n=> {leaked} of {rows} {told}.");
            console.say(line, &json!({ "leaked": leaked, "rows": rows, "column": column }))
        }
        Verify(dir) => {
            let typed = typed(&["verify", dir]);
            console.say(format!("\n$ {typed}"), &json!({ "command": typed }))?;
            let verified = inspect::verify(Path::new(dir), &World::real(), &mut |_, _| {})?;
            if let Some(fault) = verified.faults().next() {
                return Err(fault.clone().into());
            }
            let records = plural(verified.records, "record");
            say(console, &format!("clean: {records}, every checksum and reference agrees"))
        }
        Same(first, second) => {
            let read = |name: &str| fs::read(name).map_err(|error| Error::io("read", name, error));
            if read(first)? != read(second)? {
                return Err(Error::Failed(format!("{first} and {second} differ")));
            }
            say(console, &format!("{first} and {second} are the same."))
        }
    }
}

/// A command as a user would type it.
fn typed(words: &[&str]) -> String {
    let quoted = words.iter().map(|word| match word.contains(' ') {
        true => format!("'{word}'"),
        false => (*word).to_owned(),
    });
    std::iter::once("asofdb".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

/// Prints some columns of the first rows of a file.
fn show(file: &str, columns: &[&str], console: &mut Console) -> Result<()> {
    if console.json {
        return Ok(());
    }
    let cells = columns.iter().map(|name| column_of(file, name)).collect::<Result<Vec<_>>>()?;
    let mut table = crate::output::Table::new(columns.iter().copied());
    for row in 0..3 {
        let row = cells.iter().map(|column| column.get(row).cloned().unwrap_or_default());
        table.row(console, row.collect())?;
    }
    table.finish(console)
}

/// One column of a CSV file.
fn column_of(file: &str, column: &str) -> Result<Vec<String>> {
    let mut reader = Source::new(Path::new(file), None)?.read(&NullTokens::default())?;
    let column = find_column(reader.columns(), column, file)?;
    let mut cells = Vec::new();
    while let Some(chunk) = reader.next_chunk(&mut Vec::new())? {
        for row in 0..chunk.rows() {
            let text = chunk.cell(row, column)?.to_text().unwrap_or_default();
            cells.push(String::from_utf8_lossy(&text).into_owned());
        }
    }
    Ok(cells)
}
