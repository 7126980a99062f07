//! `asofdb verify`: reads every byte of a store and holds it against every other.

use asofdb::inspect::{self, Verified, VerifiedFile};
use asofdb::world::World;
use clap::Args;
use serde_json::{Value as Json, json};

use crate::cli::StoreArg;
use crate::error::{Error, Result};
use crate::output::{Console, Table, count, plural};
use crate::progress::Progress;

/// Arguments of `asofdb verify`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct VerifyArgs {
    #[command(flatten)]
    store: StoreArg,
}

const AFTER_HELP: &str = "\
Nothing is changed and no lock is taken. Exit code 1 if anything is damaged; each damaged file is
named with the place of its first fault.

Examples:
  asofdb verify store
  asofdb verify store --json";

/// Verifies it.
pub fn run(args: &VerifyArgs, console: &mut Console) -> Result<()> {
    let mut progress: Option<Progress> = None;
    let verified = inspect::verify(&args.store.dir, &World::real(), &mut |done, all| {
        progress.get_or_insert_with(|| Progress::new("verify".to_owned(), all)).set(done);
    })?;
    drop(progress);
    if console.json {
        console.json(&to_json(&verified))?;
    } else {
        print(&verified, console)?;
    }
    if verified.is_clean() {
        return Ok(());
    }
    let damaged = verified.files.iter().filter(|file| !file.faults.is_empty()).count();
    Err(Error::Failed(format!(
        "{} of {} damaged; restore what is named from a copy",
        count(damaged as u64),
        plural(verified.files.len() as u64, "file")
    )))
}

fn name(file: &VerifiedFile) -> String {
    file.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn state(file: &VerifiedFile) -> String {
    match (file.faults.len() as u64 + file.more_faults, file.torn) {
        (0, None) => "whole".to_owned(),
        (0, Some(at)) => format!("whole up to byte {at}; the next opening cuts it there"),
        (faults, _) => plural(faults, "fault"),
    }
}

fn print(verified: &Verified, console: &mut Console) -> Result<()> {
    let mut table = Table::new(["file", "bytes", "records", "state"]);
    for file in &verified.files {
        table
            .row(console, vec![name(file), count(file.bytes), count(file.records), state(file)])?;
    }
    table.finish(console)?;
    for stray in &verified.strays {
        console.line(format!("{} is not of the store", stray.path.display()))?;
    }
    for fault in verified.faults() {
        console.line(format!("fault: {fault}"))?;
    }
    console.line(format!(
        "{}: {} in {} read, {} of {} in tables and logs; checksums, order, counts, bounds and \
         references {}",
        if verified.is_clean() { "clean" } else { "damaged" },
        plural(verified.bytes, "byte"),
        plural(verified.files.len() as u64, "file"),
        plural(verified.records, "record"),
        plural(verified.features, "feature"),
        if verified.is_clean() { "agree" } else { "do not all agree" },
    ))
}

fn to_json(verified: &Verified) -> Json {
    let files: Vec<Json> = verified
        .files
        .iter()
        .map(|file| {
            json!({
                "file": name(file),
                "kind": file.kind.as_str(),
                "bytes": file.bytes,
                "records": file.records,
                "torn": file.torn,
                "faults": file.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "more_faults": file.more_faults,
            })
        })
        .collect();
    let strays = verified.strays.iter().map(|stray| stray.path.display().to_string());
    json!({
        "clean": verified.is_clean(),
        "files": files,
        "strays": strays.collect::<Vec<_>>(),
        "bytes": verified.bytes,
        "records": verified.records,
        "features": verified.features,
    })
}
