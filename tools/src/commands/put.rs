//! `asofdb put`: writes values of one entity.

use std::ffi::OsString;

use asofdb::{Batch, Durability, EventTime};
use clap::Args;
use serde_json::json;

use crate::answers;
use crate::cli::{StoreArg, UnitArg};
use crate::entity;
use crate::error::{Error, Result};
use crate::output::{Console, plural};
use crate::stores;
use crate::times;
use crate::values;

/// Arguments of `asofdb put`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct PutArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The entity; of several columns, their texts with | between them.
    #[arg(value_name = "ENTITY")]
    entity: OsString,
    /// Values by feature; nothing after = means null, and "" an empty text.
    #[arg(value_name = "FEATURE=VALUE", required = true)]
    values: Vec<String>,
    /// When the values became true, or `now`.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: String,
    /// When they became known, if it was before now.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    known: Option<String>,
    #[command(flatten)]
    unit: UnitArg,
}

const AFTER_HELP: &str = "\
Examples:
  asofdb put store EWR weather:temp=39.02 weather:humid=59.4 --at 2013-01-01T06:00:00Z
  asofdb put store EWR weather:temp= --at now
  asofdb put store EWR weather:temp=40 --at 2013-01-01 --known '2013-01-02 08:00:00'";

/// Writes the values in one batch, durably.
pub fn run(args: &PutArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_write(&args.store.dir)?;
    let at = stores::event_time(&store, &args.at, args.unit.time_unit)?;
    let known = match &args.known {
        Some(known) => Some(stores::known_time(&store, known, args.unit.time_unit)?),
        None => None,
    };
    let entity = stores::entity(&args.entity);
    let mut batch = Batch::new();
    for assignment in &args.values {
        let (name, text) = assignment.split_once('=').ok_or_else(|| {
            Error::Usage(format!("{assignment:?} is no FEATURE=VALUE: it has no = in it"))
        })?;
        let feature = stores::feature(&store, name)?;
        let name = answers::shown_name(&feature);
        match text {
            "" => batch.put_null(&entity, &name, at),
            _ => {
                let text = if text == "\"\"" { "" } else { text };
                let value = values::from_text(text, feature.value_type).ok_or_else(|| {
                    Error::Usage(format!(
                        "{text:?} is no value of {}: expected {}",
                        feature.name,
                        values::expected(feature.value_type)
                    ))
                })?;
                batch.put(&entity, &name, at, value)
            }
        };
        if let Some(known) = known {
            batch.known(known);
        }
    }
    let written = batch.len();
    let commit = store.write(batch, Durability::Synced)?;
    store.close()?;
    say(console, &entity, written, at, commit.0)
}

fn say(console: &mut Console, entity: &[u8], n: usize, at: EventTime, commit: i64) -> Result<()> {
    let line = format!(
        "wrote {} of {} at {}",
        plural(n as u64, "value"),
        entity::show(entity),
        times::format(at.0)
    );
    console.say(line, &json!({ "written": n, "commit": commit }))
}
