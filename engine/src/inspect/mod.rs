//! Looks at a store's files without opening the store: [`verify`] reads all of them and tells what
//! is damaged, [`dump_file`] and [`dump_store`] tell what they hold, [`find_entity`] tells where
//! the records of an entity lie.
//!
//! Nothing here takes the lock or changes a file, so all of it works beside a writer and on a
//! store that does not open. What is read is checked on the way; damaged files are errors and
//! never more than that.
//!
//! ```
//! use asofdb::world::World;
//! use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType, inspect};
//! # fn main() -> asofdb::Result<()> {
//! # let dir = tempfile::tempdir().unwrap();
//! # let dir = dir.path().join("store");
//! let store = Store::open(&dir, Options::new())?;
//! store.define(FeatureSpec::new("weather:temp", ValueType::F64))?;
//! let mut batch = Batch::new();
//! batch.put("JFK", "weather:temp", EventTime(1_700_000_000_000_000), 39.0);
//! store.write(batch, Durability::Synced)?;
//!
//! let world = World::real();
//! let verified = inspect::verify(&dir, &world, &mut |_done, _in_all| {})?;
//! assert!(verified.is_clean());
//! assert_eq!((verified.records, verified.features), (1, 1));
//!
//! let mut lines = Vec::new();
//! inspect::dump_store(&dir, &world, &mut |item| lines.push(item.to_string()))?;
//! assert!(lines.iter().any(|line| line.contains("entity=\"JFK\"")));
//!
//! let mut found = Vec::new();
//! inspect::find_entity(&dir, &world, b"JFK", &mut |record| found.push(record))?;
//! assert_eq!(found[0].value, Some(39.0.into()));
//! # store.close()
//! # }
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | `picture` | what is in the directory, and what its manifest draws |
//! | `walk` | the rows and records of a table, one after another |
//! | `verify`, `verify_log`, `verify_table` | every byte and every cross-reference |
//! | `verify_erased` | that what a certificate says is gone is gone |
//! | `dump`, `dump_edit` | what a file holds, as items |
//! | `item` | one line of a dump |
//! | `find` | the records of an entity |

mod dump;
mod dump_edit;
mod find;
mod item;
mod picture;
mod verify;
mod verify_erased;
mod verify_freshness;
mod verify_log;
mod verify_table;
mod walk;

use std::path::{Path, PathBuf};

use asofdb_format::certificate::ErasureCertificate;
pub use asofdb_format::header::{FileKind, MAGIC};

pub use self::find::{Found, Place, Searched};
pub use self::item::{Field, Item};
use crate::files::names;
use crate::types::error::{Error, Result};
use crate::world::World;

/// What [`verify`] found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Verified {
    /// CURRENT, the manifest, the logs and the tables that it names, by number.
    pub files: Vec<VerifiedFile>,
    /// Other files of the directory, by name. They are no fault: a crash leaves some, and the next
    /// open for writing removes those that were the store's.
    pub strays: Vec<Stray>,
    /// The length of all files but strays.
    pub bytes: u64,
    /// The records of all logs and tables.
    pub records: u64,
    /// The entities of each table, added up: one that is in several tables counts several times.
    pub entities: u64,
    /// The features of the catalog, retired ones and older schemas included.
    pub features: u64,
}

impl Verified {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults().next().is_none()
    }

    /// All faults, file by file.
    pub fn faults(&self) -> impl Iterator<Item = &Error> {
        self.files.iter().flat_map(|file| &file.faults)
    }
}

/// What [`verify`] found in a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifiedFile {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub kind: FileKind,
    /// Its length; 0 if it is missing.
    pub bytes: u64,
    /// How many records were read: entries of a log, revisions of a table, edits of a manifest.
    pub records: u64,
    /// How many entities a table has.
    pub entities: u64,
    /// Where the file ends torn, as a crash leaves it, or room that was written ahead; the next open for
    /// writing cuts it there.
    /// Nothing of what was acknowledged as durable lies behind that place, as far as the file
    /// itself can tell.
    pub torn: Option<u64>,
    /// What is wrong with it, in the order in which it was found, some of it if there is much.
    pub faults: Vec<Error>,
    /// How many more faults there are than those listed.
    pub more_faults: u64,
}

/// A file in a store's directory that the manifest does not name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stray {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// Whether a store calls a file of its own so: CURRENT, or a numbered manifest, log or table.
///
/// ```
/// use asofdb::inspect::is_named_as_one;
/// assert!(is_named_as_one("TABLE-000003") && !is_named_as_one("TABLE-3.csv"));
/// ```
#[must_use]
pub fn is_named_as_one(name: &str) -> bool {
    name == "CURRENT" || names::parse(name).is_some()
}

/// Reads every byte of a store and holds every cross-reference against what it refers to. It goes
/// on after a fault; `progress` is told how many bytes are done, and how many there are in all.
///
/// Beside a writer it verifies the store as of some moment after its beginning.
///
/// # Errors
/// [`Error::NotAStore`] if the directory holds no file of a store, [`Error::Io`] if it cannot be
/// listed. Whatever is wrong with a file is told in [`VerifiedFile::faults`].
pub fn verify(dir: &Path, world: &World, progress: &mut dyn FnMut(u64, u64)) -> Result<Verified> {
    verify::verify(dir, &*world.disk, progress)
}

/// What [`verify_erased`] found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifiedErasure {
    /// What contradicts the certificate; none if it holds.
    pub faults: Vec<Error>,
    /// The files that were looked through.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The rows of tables and the entries of logs whose entity was looked at.
    pub entities: u64,
    /// Records of the entities that were written after their erase.
    pub later: u64,
}

/// Holds a store against the certificate of an erase: looks through every log and table of the
/// directory for records of the entities from before it, and through the directory for files that
/// the certificate does not tell of. It goes on after a fault; `progress` is told how many bytes
/// are done, and how many there are in all. Whether the files are whole is for [`verify`] to tell.
///
/// ```
/// # use asofdb::world::World;
/// # use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType, inspect};
/// # fn main() -> asofdb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path().join("store");
/// # let store = Store::open(&dir, Options::new())?;
/// # store.define(FeatureSpec::new("customer:name", ValueType::Text))?;
/// # let mut batch = Batch::new();
/// # batch.put("customer-7", "customer:name", EventTime(0), "Ada");
/// # store.write(batch, Durability::Synced)?;
/// let certificate = store.erase_and_prove(&["customer-7"])?;
/// let verified = inspect::verify_erased(&dir, &World::real(), &certificate, &mut |_, _| {})?;
/// assert!(certificate.is_complete() && verified.faults.is_empty());
/// # store.close()
/// # }
/// ```
///
/// # Errors
/// As [`verify`]; [`InvalidArgument`](crate::InvalidArgument) if the certificate is of another
/// store.
pub fn verify_erased(
    dir: &Path,
    world: &World,
    certificate: &ErasureCertificate,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<VerifiedErasure> {
    verify_erased::verify_erased(dir, &*world.disk, certificate, progress)
}

/// Tells what a file of a store holds; its header says what it is.
///
/// A table tells the names of its features itself; a log is told them by the manifest if it lies
/// in its store's directory, else its features are numbers and its values untyped.
///
/// # Errors
/// The first fault of the file; what stands before it has been given out.
pub fn dump_file(path: &Path, world: &World, out: &mut dyn FnMut(Item)) -> Result<()> {
    dump::file(path, &*world.disk, out)
}

/// Tells what all files of a store hold, one after another.
///
/// # Errors
/// As [`verify`]; and the first fault of any file, when all were read: in its place there is an
/// item that says so.
pub fn dump_store(dir: &Path, world: &World, out: &mut dyn FnMut(Item)) -> Result<()> {
    dump::store(dir, &*world.disk, out)
}

/// Finds every place where a record of an entity lies: in logs and in tables, also in those that
/// are left over, also what is erased, reverted or superseded. Files are not searched for bytes of
/// the entity that belong to no record, as in the torn end of a log.
///
/// # Errors
/// As [`verify`]. What could not be searched is told in [`Searched::unread`].
pub fn find_entity(
    dir: &Path,
    world: &World,
    entity: &[u8],
    out: &mut dyn FnMut(Found),
) -> Result<Searched> {
    find::find_entity(dir, world, entity, out)
}
