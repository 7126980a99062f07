//! `asofdb history`: the versions of one entity's feature, newest first.

use std::ffi::OsString;

use asofdb::{Answer, Read};
use clap::Args;

use crate::answers;
use crate::cli::{StoreArg, UnitArg, whole_number};
use crate::error::Result;
use crate::output::{Console, Table};
use crate::stores;
use crate::times;

/// Arguments of `asofdb history`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct HistoryArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The entity; of several columns, their texts with | between them.
    #[arg(value_name = "ENTITY")]
    entity: OsString,
    /// The feature.
    #[arg(value_name = "FEATURE")]
    feature: String,
    /// The earliest event time; default: as far back as the history is kept.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    from: Option<String>,
    /// The latest event time, and the time at which each version is judged; default: now.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    to: Option<String>,
    /// At most so many versions, the newest.
    #[arg(long, value_name = "N", value_parser = whole_number, allow_hyphen_values = true)]
    last: Option<usize>,
    #[command(flatten)]
    unit: UnitArg,
}

const AFTER_HELP: &str = "\
With --json, one JSON object a line.

Examples:
  asofdb history store EWR weather:temp --last 5
  asofdb history store EWR weather:temp --from 2013-06-01 --to '2013-06-02 12:00:00'";

/// Reads the versions and prints them.
pub fn run(args: &HistoryArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_read(&args.store.dir)?;
    let unit = args.unit.time_unit;
    let feature = answers::shown_name(&stores::feature(&store, &args.feature)?);
    let entity = stores::entity(&args.entity);
    let to = stores::event_time(&store, args.to.as_deref().unwrap_or("now"), unit)?;
    let last = args.last.unwrap_or(usize::MAX);
    let read = Read::as_of(to);
    let mut versions = match &args.from {
        Some(from) => {
            let from = stores::event_time(&store, from, unit)?;
            store.range(&entity, &feature, from, to, &read)?
        }
        None => store.last_n(&entity, &feature, last, &read)?,
    };
    versions.answers.truncate(last);
    if console.json {
        return versions.answers.iter().try_for_each(|answer| console.json(&answers::json(answer)));
    }
    let mut table = Table::new(["event time", "value", "known time", "source"]);
    for answer in &versions.answers {
        table.row(console, cells(answer))?;
    }
    table.finish(console)?;
    if versions.stopped_at_horizon {
        console.line("Older versions may be gone: the feature's history ends here.")?;
    }
    Ok(())
}

fn cells(answer: &Answer) -> Vec<String> {
    let origin = answer.origin();
    vec![
        origin.map(|origin| times::format(origin.event_time.0)).unwrap_or_default(),
        answers::cell(answer),
        origin.map(|origin| times::format(origin.known_time.0)).unwrap_or_default(),
        origin.and_then(|origin| origin.source.as_deref()).unwrap_or_default().to_owned(),
    ]
}
