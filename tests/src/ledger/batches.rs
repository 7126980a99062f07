//! What a workload wrote and took away, as the ledger remembers it.

use asofdb::{Answer, Commit, EventTime, KnownTime, Stamp, Value};

/// The entities that are written.
pub const ENTITIES: [&str; 4] = ["ant", "bee", "cat", "dog"];

/// The feature of numbers, of which stamps are asked.
pub const NUMBER: &str = "v:number@1";

/// The feature that the clock takes from.
pub const AGED: &str = "v:aged@1";

/// What is known of whether something is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was acknowledged as durable.
    Sure,
    /// It was acknowledged as buffered, or failed in a way that leaves it open.
    Open,
    /// A crash took it, or nothing can tell whether it did.
    Gone,
}

/// What a row says.
#[derive(Clone, Debug)]
pub enum Told {
    Value(Value),
    Null,
    Deleted,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub entity: usize,
    /// With its schema number.
    pub feature: String,
    pub told: Told,
}

impl Row {
    /// Whether an answer is what the row says. What is aged may have expired, with its value or without.
    pub fn is(&self, answer: &Answer) -> bool {
        match (&self.told, answer) {
            (Told::Value(value), Answer::Value(found, _)) => value == found,
            (Told::Null, Answer::Null(_)) | (Told::Deleted, Answer::Deleted(_)) => true,
            (Told::Value(value), Answer::Expired(stale, _)) => {
                self.feature == AGED && stale.stale_value().is_none_or(|found| value == found)
            }
            (Told::Null, Answer::Expired(stale, _)) => {
                self.feature == AGED && stale.stale_value().is_none()
            }
            _ => false,
        }
    }
}

/// A batch.
#[derive(Clone, Debug)]
pub struct Written {
    /// As large as the order of writing; values and marks tell it.
    pub id: i64,
    pub source: Option<&'static str>,
    pub event_time: EventTime,
    /// The known time that it gave itself.
    pub imported: Option<KnownTime>,
    pub rows: Vec<Row>,
    /// Whether it set a mark of its own.
    pub marks: bool,
    pub commit: Option<Commit>,
    pub fate: Fate,
}

impl Written {
    /// When its rows became known, if that is known here.
    pub fn known(&self) -> Option<KnownTime> {
        self.imported.or(self.commit.map(|commit| KnownTime(commit.0)))
    }

    /// The name of its mark.
    pub fn mark(&self) -> String {
        format!("batch {}", self.id)
    }
}

/// Something that takes batches away.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The batches written before it.
    pub before: usize,
    pub what: What,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    Entity(usize),
    Source(&'static str),
    /// A batch by its place.
    Batch(usize),
}

/// What the newest numbers were at a moment.
#[derive(Clone, Debug)]
pub struct Stood {
    pub stamp: Stamp,
    /// What had been taken away by then.
    pub taken: usize,
    pub numbers: Vec<Answer>,
}
