//! `asofdb revert`: undoes a bad load by the label of its source, or by its commits.

use asofdb::{Commit, Revert};
use clap::Args;
use serde_json::json;

use crate::cli::StoreArg;
use crate::error::Result;
use crate::output::{Console, count, plural};
use crate::stores;

/// Arguments of `asofdb revert`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct RevertArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The label that the batches were written with.
    #[arg(long, value_name = "LABEL", required_unless_present = "commit")]
    source: Option<String>,
    /// The commits of the batches, as `history --json` and `dump` tell them; may be given again.
    #[arg(long, value_name = "COMMIT", conflicts_with = "source")]
    commit: Vec<i64>,
    /// Only tell what would be taken away.
    #[arg(long)]
    dry_run: bool,
}

const AFTER_HELP: &str = "\
What the batches had replaced is there again. What is read at an earlier stamp stays as it was.

Examples:
  asofdb revert store --source nightly-2013-06-03 --dry-run
  asofdb revert store --source nightly-2013-06-03
  asofdb revert store --commit 1370217600000000";

/// Reverts, or tells what would be reverted.
pub fn run(args: &RevertArgs, console: &mut Console) -> Result<()> {
    let (what, told) = match &args.source {
        Some(source) => (Revert::source(source), format!(" with the source {source:?}")),
        None => (Revert::commits(args.commit.iter().copied().map(Commit)), String::new()),
    };
    let (store, reverted, verb) = if args.dry_run {
        let store = stores::open_to_read(&args.store.dir)?;
        let reverted = store.revert_dry_run(what)?;
        (store, reverted, "would take away")
    } else {
        let store = stores::open_to_write(&args.store.dir)?;
        let reverted = store.revert(what)?;
        (store, reverted, "took away")
    };
    store.close()?;
    let line = format!(
        "{verb} {} in {} batch{} of {}{told}",
        plural(reverted.records, "record"),
        count(reverted.batches),
        if reverted.batches == 1 { "" } else { "es" },
        if reverted.entities == 1 {
            "1 entity".to_owned()
        } else {
            format!("{} entities", count(reverted.entities))
        },
    );
    console.say(
        line,
        &json!({
            "source": args.source,
            "commits": args.commit,
            "dry_run": args.dry_run,
            "commit": reverted.commit.map(|commit| commit.0),
            "batches": reverted.batches,
            "records": reverted.records,
            "entities": reverted.entities,
        }),
    )
}
