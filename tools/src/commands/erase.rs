//! `asofdb erase`: forgets entities for good, and proves it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use asofdb::{
    Commit, ErasureCertificate, EventTime, Fate, Feature, InvalidArgument, Options, Read, Span,
    Status, Store,
};
use clap::Args;
use serde_json::{Map, Value as Json, json};

use crate::answers;
use crate::cli::StoreArg;
use crate::durations;
use crate::entity;
use crate::error::{Error, Result};
use crate::output::{Console, count, plural};
use crate::place::Place;
use crate::stores;

/// Arguments of `asofdb erase`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct EraseArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The entities; of several columns, their texts with | between them.
    #[arg(value_name = "ENTITY", required_unless_present = "from")]
    entities: Vec<OsString>,
    /// Also the entities of a file, one a line.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Do at once all that makes the bytes go, and write a certificate of it.
    #[arg(long, value_name = "OUT")]
    certificate: Option<PathBuf>,
    /// By when the bytes are to be gone, told in the certificate.
    #[arg(long, value_name = "D", default_value = "1d", value_parser = durations::parse_span)]
    #[arg(requires = "certificate")]
    deadline: Span,
    /// Erase nothing anew: only finish and certify what was erased before.
    #[arg(long, requires = "certificate")]
    erased_before: bool,
}

const AFTER_HELP: &str = "\
This cannot be undone: every value of these entities, of any time, is hidden from every read from
now on. The bytes go from the files in the background of whoever has the store open, within a day;
with --certificate they are gone when this returns. Writes after it are new data.

The certificate names no entity. It tells what was done with every file, and what still holds
bytes, if anything does. `asofdb verify STORE --erased OUT` holds a store against it. It does not
cover copies made before, readers in other processes, and what the medium keeps of removed files.

Examples:
  asofdb erase store user-17 user-18
  asofdb erase store --from leavers.txt --certificate leavers.erased
  asofdb erase store user-17 --erased-before --certificate user-17.erased";

/// Erases them all at once.
pub fn run(args: &EraseArgs, console: &mut Console) -> Result<()> {
    let entities = entities(args)?;
    if let Some(out) = &args.certificate {
        check_place(out, args.from.as_deref())?;
    }
    let options = Options::new().create(false).erase_deadline(args.deadline);
    let store = Store::open(&args.store.dir, options)?;
    let anew = match args.erased_before {
        true => None,
        false => {
            let stored = stored(&store, &entities)?;
            Some(Anew { stored, commit: store.erase_all(&entities)? })
        }
    };
    let mut certified = None;
    if let Some(out) = &args.certificate {
        let certificate = store.prove_erased(&entities).map_err(|error| named(error, &entities))?;
        File::create_new(out)
            .and_then(|mut file| {
                file.write_all(certificate.encode().as_bytes())?;
                file.sync_all()
            })
            .map_err(|source| Error::io("write", out.display().to_string(), source))?;
        certified = Some((out.as_path(), certificate));
    }
    store.close()?;
    tell(&entities, anew.as_ref(), certified.as_ref(), console)?;
    match certified {
        Some((out, certificate)) if !certificate.is_complete() => Err(Error::Failed(format!(
            "{} is pending: {} held by readers",
            out.display(),
            plural(certificate.pinned.len() as u64, "replaced file")
        ))),
        _ => Ok(()),
    }
}

/// What was erased now.
struct Anew {
    commit: Commit,
    /// Of which of the entities there was anything.
    stored: Vec<bool>,
}

/// Of which of the entities anything is stored, under any schema and at any time.
fn stored(store: &Store, entities: &[Vec<u8>]) -> Result<Vec<bool>> {
    let names: Vec<String> = store.features().iter().map(Feature::versioned_name).collect();
    let features = store.select(&names)?;
    let read = Read::as_of(EventTime::MAX);
    let is_stored = |entity: &Vec<u8>| match store.read_row(entity, &features, &read) {
        Ok(row) => row.answers.iter().any(|answer| answer.status() != Status::Missing),
        // What cannot be read is there.
        Err(_) => true,
    };
    Ok(entities.iter().map(is_stored).collect())
}

/// A certificate takes no other file's place, and is no file of a store.
fn check_place(out: &Path, from: Option<&Path>) -> Result<()> {
    if out.exists() {
        return Err(Error::Failed(format!(
            "{} is there already; give the certificate another name, or move that file away",
            out.display()
        )));
    }
    Place::new(out, from.as_slice())?;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new(".")).canonicalize();
    folder.map_err(|source| Error::io("write to", out.display().to_string(), source))?;
    Ok(())
}

/// The bytes that some programs put before a text to say that it is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The entities of the command line and of the file, each once.
fn entities(args: &EraseArgs) -> Result<Vec<Vec<u8>>> {
    let mut entities: Vec<Vec<u8>> =
        args.entities.iter().map(|argument| stores::entity(argument)).collect();
    if let Some(file) = &args.from {
        let text = fs::read(file)
            .map_err(|source| Error::io("read", file.display().to_string(), source))?;
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
        let lines = text.split(|byte| *byte == b'\n');
        let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        entities.extend(lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec));
        if entities.is_empty() {
            return Err(Error::Failed(format!("{} names no entity", file.display())));
        }
    }
    let mut seen = BTreeSet::new();
    entities.retain(|entity| seen.insert(entity.clone()));
    Ok(entities)
}

/// The store's own words name a place in the list.
fn named(error: asofdb::Error, entities: &[Vec<u8>]) -> Error {
    if let asofdb::Error::InvalidArgument(InvalidArgument::NotErased { index }) = &error
        && let Some(entity) = entities.get(*index)
    {
        let entity = entity::show(entity);
        return Error::Failed(format!("{entity} was never erased; leave out --erased-before"));
    }
    error.into()
}

fn tell(
    entities: &[Vec<u8>],
    anew: Option<&Anew>,
    certified: Option<&(&Path, ErasureCertificate)>,
    console: &mut Console,
) -> Result<()> {
    let stored = anew.map(|anew| anew.stored.as_slice()).unwrap_or_default();
    let without = stored.iter().filter(|stored| !**stored).count();
    if without > 0 {
        let (without, all) = (count(without as u64), count(entities.len() as u64));
        console.warn(format!("{without} of {all} had nothing stored: is the list right?"))?;
    }
    if console.json {
        let erased = entities.iter().enumerate().map(|(place, entity)| {
            let mut object = Map::new();
            answers::entity_json(&mut object, entity);
            object.extend(anew.map(|anew| ("commit".to_owned(), json!(anew.commit.0))));
            let stored = stored.get(place).map(|stored| ("stored".to_owned(), json!(stored)));
            object.extend(stored);
            Json::Object(object)
        });
        let mut all = Map::new();
        all.insert("erased".to_owned(), erased.collect());
        if let Some((out, certificate)) = certified {
            all.insert("certificate".to_owned(), certificate_json(out, certificate));
        }
        return console.json(&Json::Object(all));
    }
    for (entity, stored) in entities.iter().zip(stored) {
        let without = if *stored { "" } else { ": nothing was stored of it" };
        console.line(format!("erased {}{without}", entity::show(entity)))?;
    }
    let Some((out, certificate)) = certified else { return Ok(()) };
    let files = |fate| plural(certificate.with_fate(fate).count() as u64, "file");
    console.line(format!(
        "{}: {} rewritten, {} removed, {} looked through; {}",
        out.display(),
        files(Fate::Rewritten),
        files(Fate::Removed),
        files(Fate::Absent),
        if certificate.is_complete() { "complete" } else { "pending" }
    ))
}

/// A certificate for machines.
pub fn certificate_json(out: &Path, certificate: &ErasureCertificate) -> Json {
    let files = |fate| certificate.with_fate(fate).count();
    json!({
        "path": out.display().to_string(),
        "complete": certificate.is_complete(),
        "made": certificate.made,
        "deadline": certificate.deadline,
        "entities": certificate.erased.len(),
        "rewritten": files(Fate::Rewritten),
        "removed": files(Fate::Removed),
        "absent": files(Fate::Absent),
        "new": files(Fate::New),
        "pinned": certificate.pinned.len(),
    })
}
