//! `asofdb delete`: says that an entity has no value from a time on.

use std::ffi::OsString;

use asofdb::{Answer, Batch, Durability, Read};
use clap::Args;
use serde_json::json;

use crate::cli::{StoreArg, UnitArg};
use crate::entity;
use crate::error::Result;
use crate::output::{Console, plural};
use crate::stores;
use crate::times;

/// Arguments of `asofdb delete`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct DeleteArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The entity; of several columns, their texts with | between them.
    #[arg(value_name = "ENTITY")]
    entity: OsString,
    /// The features; default: all that have an answer for the entity at that time.
    #[arg(value_name = "FEATURE")]
    features: Vec<String>,
    /// From when on there is no value, or `now`.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: String,
    #[command(flatten)]
    unit: UnitArg,
}

const AFTER_HELP: &str = "\
What was true before that time can still be asked about; `asofdb erase` forgets it.

Examples:
  asofdb delete store EWR weather:temp --at 2013-06-01
  asofdb delete store EWR --at now";

/// Writes the deletions in one batch, durably.
pub fn run(args: &DeleteArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_write(&args.store.dir)?;
    let at = stores::event_time(&store, &args.at, args.unit.time_unit)?;
    let entity = stores::entity(&args.entity);
    let selection = stores::select(&store, &args.features)?;
    let mut batch = Batch::new();
    if args.features.is_empty() {
        // Features of other kinds of entities have nothing to say of this one: they stay missing.
        let row = store.read_row(&entity, &selection, &Read::as_of(at))?;
        for (feature, answer) in selection.features().iter().zip(&row.answers) {
            if !matches!(answer, Answer::Missing | Answer::Deleted(_)) {
                batch.delete_id(&entity, feature.id, at);
            }
        }
    } else {
        for feature in selection.features() {
            batch.delete_id(&entity, feature.id, at);
        }
    }
    let name = entity::show(&entity);
    let deleted = batch.len();
    if deleted == 0 {
        store.close()?;
        let line = format!("nothing to delete: {name} has no values at {}", times::format(at.0));
        return console.say(line, &json!({ "deleted": 0, "commit": null }));
    }
    let commit = store.write(batch, Durability::Synced)?;
    store.close()?;
    console.say(
        format!(
            "deleted {} of {name} from {} on",
            plural(deleted as u64, "feature"),
            times::format(at.0)
        ),
        &json!({ "deleted": deleted, "commit": commit.0 }),
    )
}
