//! The answers of a read and of an operation, in the form in which two stores are compared.
//!
//! Invariants:
//! - the five answers are five variants; an error is none of them;
//! - an expired or deleted version tells its event time and never a value;
//! - two outcomes are equal exactly when no reader could tell the stores apart by them.

use std::fmt;

/// A value, in as many types as the model needs to keep apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A value of a feature of type `i64`.
    I64(i64),
    /// The bytes of a value of any other type. The model only copies them.
    Other(Vec<u8>),
}

/// What one revision says of its version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The version has this value.
    Value(Value),
    /// The version is explicitly null.
    Null,
    /// From this version on there is no value, until a newer version.
    Deleted,
}

/// The answer to one cell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// There is a fresh value.
    Value {
        /// The event time of the version.
        e: i64,
        /// The known time of the revision.
        known: i64,
        /// The value.
        value: Value,
    },
    /// There is a fresh, explicit null.
    Null {
        /// The event time of the version.
        e: i64,
        /// The known time of the revision.
        known: i64,
    },
    /// The newest version says that there is no value.
    Deleted {
        /// The event time of the version.
        e: i64,
    },
    /// The newest version is stale.
    Expired {
        /// The event time of the version.
        e: i64,
    },
    /// There is no version.
    Missing,
}

/// Why an operation or a read was refused. A refused operation changes nothing and takes no commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A time of the read, or a batch to revert, is below the feature's horizon.
    BelowHorizon,
    /// The name means no feature for this reader.
    UnknownFeature,
    /// A feature of this name is already defined.
    AlreadyDefined,
    /// The definition contradicts itself or the one before it.
    InvalidDefinition,
    /// A put's known time is later than the commit of its batch.
    KnownAfterCommit,
    /// A put's value is of another type than the feature.
    WrongType,
    /// No batch of the source is left to take away.
    NothingToRevert,
    /// No snapshot of this name is held.
    UnknownSnapshot,
    /// No stamp of this name was remembered.
    UnknownStamp,
    /// A crash took the commit that the stamp names.
    LostCommit,
}

impl Refusal {
    /// Every refusal, so that a name can be looked up.
    pub const ALL: [Refusal; 10] = [
        Refusal::BelowHorizon,
        Refusal::UnknownFeature,
        Refusal::AlreadyDefined,
        Refusal::InvalidDefinition,
        Refusal::KnownAfterCommit,
        Refusal::WrongType,
        Refusal::NothingToRevert,
        Refusal::UnknownSnapshot,
        Refusal::UnknownStamp,
        Refusal::LostCommit,
    ];

    /// The name under which a program writes this refusal.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::BelowHorizon => "below_horizon",
            Refusal::UnknownFeature => "unknown_feature",
            Refusal::AlreadyDefined => "already_defined",
            Refusal::InvalidDefinition => "invalid_definition",
            Refusal::KnownAfterCommit => "known_after_commit",
            Refusal::WrongType => "wrong_type",
            Refusal::NothingToRevert => "nothing_to_revert",
            Refusal::UnknownSnapshot => "unknown_snapshot",
            Refusal::UnknownStamp => "unknown_stamp",
            Refusal::LostCommit => "lost_commit",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl std::error::Error for Refusal {}

/// What one step of a program came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The operation was done; it has nothing to tell.
    Done,
    /// A read of one cell.
    Cell(Answer),
    /// A read of many versions of one cell, newest first.
    Versions(Vec<Answer>),
    /// The operation or the read was refused.
    Refused(Refusal),
    /// A store was opened after a crash: this is its newest commit, the least number if it has none.
    Survived(i64),
    /// It went wrong in a way that no rule asks for. The model never gives this.
    Failed(String),
}

impl From<Result<(), Refusal>> for Outcome {
    fn from(result: Result<(), Refusal>) -> Outcome {
        match result {
            Ok(()) => Outcome::Done,
            Err(refusal) => Outcome::Refused(refusal),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::I64(number) => write!(out, "{number}"),
            Value::Other(bytes) => write!(out, "bytes {}", bytes.escape_ascii()),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Value { e, known, value } => write!(out, "value {value} at {e}, known {known}"),
            Answer::Null { e, known } => write!(out, "null at {e}, known {known}"),
            Answer::Deleted { e } => write!(out, "deleted at {e}"),
            Answer::Expired { e } => write!(out, "expired at {e}"),
            Answer::Missing => out.write_str("missing"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => out.write_str("done"),
            Outcome::Cell(answer) => write!(out, "{answer}"),
            Outcome::Refused(refusal) => write!(out, "refused: {refusal}"),
            Outcome::Survived(commit) => write!(out, "open again, newest commit {commit}"),
            Outcome::Failed(reason) => write!(out, "failed: {reason}"),
            Outcome::Versions(answers) => {
                out.write_str("[")?;
                for (place, answer) in answers.iter().enumerate() {
                    if place > 0 {
                        out.write_str("; ")?;
                    }
                    write!(out, "{answer}")?;
                }
                out.write_str("]")
            }
        }
    }
}
