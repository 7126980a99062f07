//! Errors, told apart by what the caller does next.
//!
//! | error | what to do |
//! | --- | --- |
//! | [`Error::Corruption`] | restore the named file; nothing else of the store is touched |
//! | [`Error::Io`] | mend the disk or the permissions, then try again |
//! | [`Error::BelowHorizon`] | ask for a later time; a longer history keeps more from then on |
//! | [`Error::Poisoned`] | close and open the store again; reads go on |
//! | [`Error::Locked`] | close the other writer, or open read-only |
//! | [`Error::UnknownFeature`] | define the feature, or mend the name |
//! | [`Error::InvalidArgument`] | mend the call |
//! | [`Error::NotAStore`], [`Error::NewerFormat`] | open the right directory, or a newer asofdb |
//! | [`Error::Busy`] | try again later |
//! | [`Error::Closed`] | the store was closed: open it again |

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asofdb_format::ids::{Commit, EventTime};

use crate::types::spec::ValueType;

/// The result of a call to the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Cheap to clone.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A byte of the store is not what was written.
    #[error(
        "{} is damaged at byte {offset}: {what}; restore this file from a copy, \
         or run `asofdb verify` to see all that is damaged", file.display()
    )]
    Corruption {
        /// The damaged file.
        file: PathBuf,
        /// Where in it, in bytes from its start.
        offset: u64,
        /// What was expected there, and what was found.
        what: String,
    },
    /// The operating system refused.
    #[error("cannot {op} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        op: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The time asked about lies before what the feature keeps.
    #[error(
        "{feature} keeps no history before {horizon} (microseconds since 1970), \
         and the read asks about {asked}; ask for a later time (a longer history counts from when it is set)"
    )]
    BelowHorizon {
        /// The first feature whose horizon the read is below.
        feature: String,
        /// The moment that was asked about.
        asked: i64,
        /// The earliest moment that can be asked about.
        horizon: EventTime,
    },
    /// A write to the disk failed earlier, so what was acknowledged can no longer be vouched for.
    #[error("the store refuses writes since {op} failed ({reason}); close it and open it again")]
    Poisoned {
        /// What failed, as a verb.
        op: &'static str,
        /// What the system said then.
        reason: String,
    },
    /// Another process has the store open for writing.
    #[error(
        "{} is in use by another writer; close that one, or open the store read-only", dir.display()
    )]
    Locked {
        /// The store.
        dir: PathBuf,
    },
    /// No feature has this name.
    #[error("there is no feature {name:?}{}", near_names(near))]
    UnknownFeature {
        /// The name asked for.
        name: String,
        /// Names that look like it, the nearest first.
        near: Vec<String>,
    },
    /// The call cannot be taken as it is; nothing was changed.
    #[error(transparent)]
    InvalidArgument(#[from] InvalidArgument),
    /// The directory holds no store.
    #[error("{} is not an asofdb store: {what}", dir.display())]
    NotAStore {
        /// The directory.
        dir: PathBuf,
        /// What is missing from it or strange in it.
        what: String,
    },
    /// A file was written by a newer asofdb.
    #[error(
        "{} has {}, and this asofdb reads up to format version {supported}; \
         open it with a newer asofdb", file.display(), newer(*found)
    )]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// Its version; `None` if that can be read, but not a part of the file that must be.
        found: Option<u32>,
        /// The newest version that can be read.
        supported: u32,
    },
    /// The store was closed.
    #[error("the store is closed; open it again")]
    Closed,
    /// The stamp names a commit that was lost in a crash before it was durable.
    #[error(
        "commit {commit} was lost in a crash before it was durable; \
         what was read at it cannot be read again"
    )]
    LostCommit {
        /// The commit.
        commit: Commit,
    },
    /// There is no room for the batch just now: flushing or merging has fallen behind. Nothing was
    /// written.
    #[error("no room for a batch now: {why}; try again later, or call `write`, which waits")]
    Busy {
        /// What stands in the way.
        why: String,
    },
    /// The store is open read-only.
    #[error("the store is open read-only; open it for writing")]
    ReadOnly,
}

/// What is wrong with a call's arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidArgument {
    /// Entities have 1 to 65,535 bytes.
    #[error("an entity has 1 to 65,535 bytes, and this one has {len}")]
    EntityLength {
        /// Its length in bytes.
        len: usize,
    },
    /// Values have at most 16 MiB.
    #[error("a value has at most 16 MiB, and this one of {feature} has {len} bytes")]
    ValueLength {
        /// The feature.
        feature: String,
        /// The value's length in bytes.
        len: usize,
    },
    /// A batch has at most 256 MiB.
    #[error("a batch has at most 256 MiB, and this one has {len} bytes; write it in parts")]
    BatchLength {
        /// The batch's length in bytes.
        len: usize,
    },
    /// The value is not of the feature's type.
    #[error("{feature} is {expected}, and the value is {found}")]
    WrongType {
        /// The feature.
        feature: String,
        /// Its type.
        expected: ValueType,
        /// The value's type.
        found: ValueType,
    },
    /// The event time is further ahead of the clock than the options allow.
    #[error(
        "{feature} at {event_time}: the event time is more than {allowed_micros} microseconds \
         ahead of the clock ({now}); is the time in another unit?"
    )]
    TooFarAhead {
        /// The feature.
        feature: String,
        /// The event time.
        event_time: EventTime,
        /// The clock's reading.
        now: i64,
        /// How far ahead is allowed.
        allowed_micros: i64,
    },
    /// A known time after the commit.
    #[error("{feature}: known time {known} lies after the commit {commit}; nothing is known ahead")]
    KnownAfterCommit {
        /// The feature.
        feature: String,
        /// The known time given.
        known: i64,
        /// The commit that the batch would get.
        commit: i64,
    },
    /// A feature's name is empty, too long, or has a reserved character.
    #[error(
        "{name:?} is no feature name: it has 1 to 255 bytes of UTF-8 and no '@' or control character"
    )]
    FeatureName {
        /// The name.
        name: String,
    },
    /// The feature is already defined otherwise.
    #[error("{name} is already defined as {existing}; alter it, or evolve it to another type")]
    AlreadyDefined {
        /// The feature.
        name: String,
        /// Its definition in words.
        existing: String,
    },
    /// The store is full of features.
    #[error("a store has at most 65,536 features, each schema and retired ones counted")]
    TooManyFeatures,
    /// `forget_after` needs a TTL.
    #[error("{name}: forget_after needs a TTL")]
    ForgetWithoutTtl {
        /// The feature.
        name: String,
    },
    /// A source label is empty or too long.
    #[error("a source label has 1 to 255 bytes, and this one has {len}")]
    SourceLabel {
        /// Its length in bytes.
        len: usize,
    },
    /// The revert would take away what a horizon has already passed.
    #[error(
        "the batch of commit {commit} lies at or below the horizon {horizon} of {feature}: \
         what it replaced may be gone, so it can no longer be reverted"
    )]
    RevertBelowHorizon {
        /// The batch.
        commit: Commit,
        /// The feature.
        feature: String,
        /// Its horizon.
        horizon: EventTime,
    },
    /// There is nothing to revert.
    #[error("no batch {what}")]
    NothingToRevert {
        /// What was looked for, as in "has the source \"x\"".
        what: String,
    },
    /// A certificate is asked for an entity that was never erased.
    #[error("the entity at place {index} of the list was never erased; erase it first")]
    NotErased {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// A stamp of the future or of another store.
    #[error("commit {commit} is not yet in this store, whose newest is {newest}")]
    FutureCommit {
        /// The commit asked for.
        commit: Commit,
        /// The newest commit of the store.
        newest: Commit,
    },
    /// Arguments that do not go together, or lie outside their range.
    #[error("{0}")]
    Other(String),
}

fn near_names(near: &[String]) -> String {
    match near {
        [] => "; `asofdb features` lists those there are".to_owned(),
        [one] => format!("; did you mean {one:?}?"),
        many => format!("; did you mean one of {many:?}?"),
    }
}

fn newer(found: Option<u32>) -> String {
    let version = |found| format!("format version {found}");
    found.map_or_else(|| "a part that it does not know".to_owned(), version)
}

impl Error {
    /// An [`Error::NewerFormat`] of a file with a part that must be read and is not known here.
    pub(crate) fn newer_part(file: &Path) -> Self {
        let supported = asofdb_format::FORMAT_VERSION;
        Self::NewerFormat { file: file.to_path_buf(), found: None, supported }
    }

    /// An [`Error::Io`] from its parts.
    pub(crate) fn io(op: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { op, path: path.to_path_buf(), source: Arc::new(source) }
    }

    /// An [`Error::Corruption`] from its parts.
    pub(crate) fn corrupt(file: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self::Corruption { file: file.to_path_buf(), offset, what: what.into() }
    }
}
