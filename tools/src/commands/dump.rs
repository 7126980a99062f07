//! `asofdb dump`: what the files of a store hold, or every place where an entity's records are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use asofdb::inspect::{self, Field, Item};
use asofdb::world::World;
use clap::Args;
use serde_json::{Map, Value as Json, json};

use crate::error::{Error, Result};
use crate::output::{Console, plural};
use crate::place;
use crate::stores;
use crate::times;
use crate::values;

/// Arguments of `asofdb dump`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct DumpArgs {
    /// Stores, or files of stores: logs, manifests, tables.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Find every place where a record of this entity lies, garbage included.
    #[arg(long, value_name = "E")]
    entity: Option<OsString>,
}

const AFTER_HELP: &str = "\
Nothing is changed and no lock is taken. A table can be dumped away from its store.

Examples:
  asofdb dump store
  asofdb dump store/TABLE-000007
  asofdb dump store/LOG-000003 --json
  asofdb dump store --entity JFK";

/// Dumps them.
pub fn run(args: &DumpArgs, console: &mut Console) -> Result<()> {
    for path in &args.paths {
        match &args.entity {
            Some(entity) => find(path, &stores::entity(entity), console)?,
            None => dump(path, console)?,
        }
    }
    Ok(())
}

/// Prints items as they come, and remembers when that failed.
struct Printer<'c> {
    console: &'c mut Console,
    printed: Result<()>,
}

impl Printer<'_> {
    fn item(&mut self, item: &Item) {
        if self.printed.is_ok() {
            self.printed = if self.console.json {
                self.console.json(&item_json(item))
            } else {
                self.console.line(item.text(&times::format))
            };
        }
    }
}

fn dump(path: &Path, console: &mut Console) -> Result<()> {
    let shown = || path.display().to_string();
    let metadata = path.metadata().map_err(|source| Error::io("open", shown(), source))?;
    // A file that is called as a store calls its own is damaged if it does not begin as one.
    if !metadata.is_dir() && !place::is_named_as_one(path) && !place::is_one(path) {
        return Err(Error::Failed(format!(
            "{} is not an asofdb file: it does not begin as one; name a store, or a manifest, log \
             or table of one",
            shown()
        )));
    }
    let mut printer = Printer { console, printed: Ok(()) };
    let world = World::real();
    let dumped = if path.is_dir() {
        inspect::dump_store(path, &world, &mut |item| printer.item(&item))
    } else {
        inspect::dump_file(path, &world, &mut |item| printer.item(&item))
    };
    printer.printed?;
    dumped.map_err(Error::from)
}

fn item_json(item: &Item) -> Json {
    let mut fields = Map::new();
    fields.insert("what".to_owned(), json!(item.what));
    for (name, field) in &item.fields {
        let value = match field {
            Field::Absent => continue,
            Field::Flag(flag) => json!(flag),
            Field::Count(count) => json!(count),
            Field::Moment(micros) | Field::Span(micros) => json!(micros),
            Field::Moments(all) => json!(all),
            Field::Text(text) => json!(text),
            Field::Bytes(bytes) => json!(values::hex(bytes)),
            Field::Value(value) => values::to_json(value),
            _ => Json::Null,
        };
        fields.insert((*name).to_owned(), value);
    }
    Json::Object(fields)
}

fn find(dir: &Path, entity: &[u8], console: &mut Console) -> Result<()> {
    let mut places = 0u64;
    let mut printer = Printer { console, printed: Ok(()) };
    let searched = inspect::find_entity(dir, &World::real(), entity, &mut |found| {
        places += 1;
        printer.item(&found.item());
    })?;
    printer.printed?;
    if !console.json {
        let files = plural(searched.files, "file");
        console.line(format!("{} in {files} searched", plural(places, "place")))?;
    }
    // What could not be read may hold more.
    searched.unread.into_iter().next().map_or(Ok(()), |fault| Err(fault.into()))
}
