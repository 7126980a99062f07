//! `asofdb verify`: reads every byte of a store and holds it against every other.

use std::path::{Path, PathBuf};

use asofdb::inspect::{self, Verified, VerifiedErasure, VerifiedFile};
use asofdb::world::World;
use asofdb::{CertificateFault, ErasureCertificate};
use clap::Args;
use serde_json::{Value as Json, json};

use crate::cli::StoreArg;
use crate::error::{self, Error, Result};
use crate::output::{Console, Table, count, plural};
use crate::progress::Progress;

/// Arguments of `asofdb verify`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct VerifyArgs {
    #[command(flatten)]
    store: StoreArg,
    /// Also hold the store against the certificate of an erase.
    #[arg(long, value_name = "CERTIFICATE")]
    erased: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Nothing is changed and no lock is taken. Exit code 1 if anything is damaged; each damaged file is
named with the place of its first fault. With --erased every log and table is also searched for
records from before the erase, and the directory for files that the certificate does not tell of;
exit code 1 as well if there are any, or if the certificate is damaged or pending.

Examples:
  asofdb verify store
  asofdb verify store --erased user-17.erased
  asofdb verify store --json";

/// Verifies it.
pub fn run(args: &VerifyArgs, console: &mut Console) -> Result<()> {
    let certificate = args.erased.as_deref().map(read).transpose()?;
    let mut progress: Option<Progress> = None;
    let verified = inspect::verify(&args.store.dir, &World::real(), &mut |done, all| {
        progress.get_or_insert_with(|| Progress::new("verify".to_owned(), all)).set(done);
    })?;
    drop(progress);
    let erased = match &certificate {
        None => None,
        Some(certificate) => {
            let dir = &args.store.dir;
            Some(inspect::verify_erased(dir, &World::real(), certificate, &mut |_, _| {})?)
        }
    };
    let erased = certificate.as_ref().zip(erased.as_ref());
    if console.json {
        let mut json = to_json(&verified);
        if let (Some((certificate, erased)), Some(all)) = (erased, json.as_object_mut()) {
            all.insert("erased".to_owned(), erased_json(certificate, erased));
        }
        console.json(&json)?;
    } else {
        print(&verified, console)?;
        if let Some((certificate, erased)) = erased {
            print_erased(certificate, erased, console)?;
        }
    }
    if verified.is_clean() {
        return erased.map_or(Ok(()), |(certificate, erased)| judge(certificate, erased));
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
        console.line(format!("fault: {}", error::fault(fault)))?;
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
                "faults": file.faults.iter().map(error::fault).collect::<Vec<_>>(),
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

fn read(path: &Path) -> Result<ErasureCertificate> {
    let place = || path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| Error::io("read", place(), source))?;
    ErasureCertificate::decode(&bytes).map_err(|fault| {
        let hint = match fault {
            CertificateFault::Newer => "; verify with a newer asofdb",
            CertificateFault::NotOne => "; name the file that `asofdb erase` wrote",
            _ => "; restore it from a copy, or make another with `asofdb erase --erased-before`",
        };
        Error::Failed(format!("{}: {fault}{hint}", place()))
    })
}

fn print_erased(
    certificate: &ErasureCertificate,
    erased: &VerifiedErasure,
    console: &mut Console,
) -> Result<()> {
    for fault in &erased.faults {
        console.line(format!("fault: {}", error::fault(fault)))?;
    }
    for file in &certificate.pinned {
        let what = match file.kind {
            inspect::FileKind::Log => "the memory beside log",
            _ => "the replaced table",
        };
        console.line(format!("pending: readers held {what} {}", file.number.0))?;
    }
    console.line(format!(
        "erased {}: {} searched; {} of {} from before the erase, {} from after it",
        if erased.faults.is_empty() { "as certified" } else { "not as certified" },
        plural(erased.files, "file"),
        if erased.faults.is_empty() {
            "nothing"
        } else {
            "something, or a file that is not certified,"
        },
        plural(certificate.erased.len() as u64, "entity").replace("entitys", "entities"),
        plural(erased.later, "record"),
    ))
}

fn erased_json(certificate: &ErasureCertificate, erased: &VerifiedErasure) -> Json {
    json!({
        "clean": erased.faults.is_empty(),
        "complete": certificate.is_complete(),
        "entities": certificate.erased.len(),
        "files": erased.files,
        "later": erased.later,
        "faults": erased.faults.iter().map(error::fault).collect::<Vec<_>>(),
    })
}

/// Whether the certificate holds.
fn judge(certificate: &ErasureCertificate, erased: &VerifiedErasure) -> Result<()> {
    if let Some(fault) = erased.faults.first() {
        return Err(Error::Failed(format!(
            "the store is not as its certificate says: {}",
            error::fault(fault)
        )));
    }
    if !certificate.is_complete() {
        let what = "the certificate is pending; when its readers have let go, make another with \
                    `asofdb erase --erased-before`";
        return Err(Error::Failed(what.to_owned()));
    }
    Ok(())
}
