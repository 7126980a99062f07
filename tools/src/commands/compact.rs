//! `asofdb compact`: rewrites the files of a store as compactly as the rules allow.

use clap::Args;
use serde_json::json;

use crate::cli::StoreArg;
use crate::error::Result;
use crate::output::{Console, plural};
use crate::stores;

/// Arguments of `asofdb compact`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct CompactArgs {
    #[command(flatten)]
    store: StoreArg,
}

const AFTER_HELP: &str = "\
No read can tell that it was done. The store also compacts by itself while it is written.

Examples:
  asofdb compact store";

/// Flushes and compacts.
pub fn run(args: &CompactArgs, console: &mut Console) -> Result<()> {
    let store = stores::open_to_write(&args.store.dir)?;
    let before = store.stats();
    store.flush()?;
    store.compact()?;
    let after = store.stats();
    store.close()?;
    let records = plural(after.records, "record");
    let line = format!("{records} in {}", plural(after.tables, "table"));
    console.say(
        line,
        &json!({
            "records_before": before.records,
            "records": after.records,
            "tables_before": before.tables,
            "tables": after.tables,
            "bytes_before": before.table_bytes + before.log_bytes,
            "bytes": after.table_bytes + after.log_bytes,
        }),
    )
}
