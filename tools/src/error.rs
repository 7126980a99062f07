//! What can go wrong, by the exit code that tells of it: 1 for a failure, 2 for a wrong call, 3 for
//! features that are staler than they may be.

use std::fmt;
use std::io;
use std::process::ExitCode;

use asofdb::InvalidArgument;

use crate::times;

/// The result of a command.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line does not make sense, whatever is in the files it names.
    #[error("{0}")]
    Usage(String),
    /// The store refused or failed.
    #[error("{}", in_words(.0))]
    Store(Box<asofdb::Error>),
    /// The operating system refused.
    #[error("cannot {op} {place}: {source}")]
    Io {
        /// What was tried, as a verb.
        op: &'static str,
        /// On what.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// A row of a file is not as it should be.
    #[error("{0}; mend the row{1}")]
    Row(Box<BadRow>, &'static str),
    /// Files, options and store do not go together.
    #[error("{0}")]
    Failed(String),
    /// Features are staler than they may be: a sentence for each.
    #[error("{}", .0.join("\nerror: "))]
    Stale(Vec<String>),
    /// Whoever read the output has had enough of it.
    #[error("the output was closed")]
    PipeClosed,
}

impl Error {
    /// The exit code that tells of it.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Stale(_) => ExitCode::from(3),
            Self::PipeClosed => ExitCode::SUCCESS,
            _ => ExitCode::from(1),
        }
    }

    /// An error of the operating system, told apart from a reader that went away.
    pub fn io(op: &'static str, place: impl Into<String>, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::BrokenPipe {
            return Self::PipeClosed;
        }
        Self::Io { op, place: place.into(), source }
    }

    /// A failure to write the answer itself.
    pub fn output(source: io::Error) -> Self {
        Self::io("write to", "the standard output", source)
    }
}

impl From<asofdb::Error> for Error {
    fn from(error: asofdb::Error) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<BadRow> for Error {
    fn from(bad: BadRow) -> Self {
        Self::Row(Box::new(bad), "")
    }
}

/// One row that cannot be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// The file.
    pub file: String,
    /// What the number counts: lines of a CSV file or rows of a Parquet file, both from 1.
    pub counted: &'static str,
    /// Which line or row.
    pub number: u64,
    /// Which column, if it is about one.
    pub column: Option<String>,
    /// What was expected there.
    pub expected: String,
    /// What was found there, if it can be shown.
    pub found: Option<String>,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} {}", self.file, self.counted, self.number)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": expected {}", self.expected)?;
        if let Some(found) = &self.found {
            write!(f, ", found {found}")?;
        }
        Ok(())
    }
}

/// The sentence of an error of the store, with its moments as dates.
fn in_words(error: &asofdb::Error) -> String {
    match error {
        asofdb::Error::BelowHorizon { feature, asked, horizon } => format!(
            "{feature} keeps no history before {}, and this asks about {}; ask for a later time; \
             a longer history (`asofdb alter --history`) counts from when it is set",
            times::format(horizon.0),
            times::format(*asked)
        ),
        asofdb::Error::InvalidArgument(InvalidArgument::TooFarAhead {
            feature,
            event_time,
            now,
            ..
        }) => format!(
            "{feature} at {}: the event time is more than a day ahead of the clock ({}); \
             is the time in another unit?",
            times::format(event_time.0),
            times::format(*now)
        ),
        asofdb::Error::InvalidArgument(InvalidArgument::KnownAfterCommit {
            feature,
            known,
            ..
        }) => format!(
            "{feature}: the known time {} lies ahead of the clock, and nothing is known ahead; \
             is it in another unit?",
            times::format(*known)
        ),
        asofdb::Error::Locked { dir } => {
            let (dir, lock) = (dir.display(), dir.join("LOCK"));
            format!(
                "{dir} is in use by another writer: end the process that holds {lock} (`fuser \
                 {lock}` tells which), or wait for it; commands that only read, such as latest, \
                 as-of, scan and join, work meanwhile",
                lock = lock.display()
            )
        }
        other => other.to_string(),
    }
}

/// What is wrong with a file, for a report that tells what to do about all of them.
pub fn fault(error: &asofdb::Error) -> String {
    match error {
        asofdb::Error::Corruption { file, offset, what } => {
            format!("{} is damaged at byte {offset}: {what}", file.display())
        }
        other => in_words(other),
    }
}
