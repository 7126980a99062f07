//! `asofdb erase`: forgets entities for good.

use std::ffi::OsString;

use clap::Args;
use serde_json::{Map, Value as Json, json};

use crate::answers;
use crate::cli::StoreArg;
use crate::entity;
use crate::error::Result;
use crate::output::Console;
use crate::stores;

/// Arguments of `asofdb erase`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct EraseArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The entities; of several columns, their texts with | between them.
    #[arg(value_name = "ENTITY", required = true)]
    entities: Vec<OsString>,
}

const AFTER_HELP: &str = "\
This cannot be undone: every value of these entities, of any time, is hidden from every read from
now on, and compaction drops its bytes. Writes after it are new data.

Examples:
  asofdb erase store user-17 user-18";

/// Erases one after the other.
pub fn run(args: &EraseArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_write(&args.store.dir)?;
    let mut erased = Vec::new();
    for argument in &args.entities {
        let entity = stores::entity(argument);
        let commit = store.erase(&entity)?;
        if !console.json {
            console.line(format!("erased {}", entity::show(&entity)))?;
        }
        let mut object = Map::new();
        answers::entity_json(&mut object, &entity);
        object.insert("commit".to_owned(), json!(commit.0));
        erased.push(Json::Object(object));
    }
    store.close()?;
    if console.json { console.json(&json!({ "erased": erased })) } else { Ok(()) }
}
