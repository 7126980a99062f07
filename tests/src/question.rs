//! What a store is told and asked: definitions, puts and reads, as plain data.
//!
//! Invariants:
//! - times and durations are microseconds, times since the Unix epoch;
//! - nothing here decides anything: the model and the stores under test read these types.

use crate::answer::{Kind, Value};

/// The definition of a feature, as `define`, `alter` and `evolve` take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The name of the type of its values, `i64` for instance.
    pub value_type: String,
    /// How long a value stays fresh. None: for ever.
    pub ttl: Option<i64>,
    /// How far back reads may go. None: to the beginning.
    pub history: Option<i64>,
    /// How long the mark of a stale version is kept. None: for ever. Needs a TTL.
    pub forget_after: Option<i64>,
}

/// One put of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The entity.
    pub entity: Vec<u8>,
    /// The name of the feature.
    pub feature: String,
    /// The event time.
    pub e: i64,
    /// The known time. None: the commit of the batch.
    pub known: Option<i64>,
    /// What the revision says.
    pub kind: Kind,
}

/// How long a machine that goes down stays down, from its clock or its newest commit on, whichever is
/// later. Commits start later after a crash, by the lease at the most; an empty batch that is written
/// so much later brings the newest commit back to what the clock says.
pub const DOWN: i64 = 2_000_000;

/// How a store goes down without being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed; what it wrote is there.
    Kill,
    /// The power goes out; of what was not synced so much in a hundred is there, drawn from a seed.
    PowerCut {
        /// Of the names of files.
        names: u8,
        /// Of the sectors of files.
        data: u8,
        /// What is drawn from.
        seed: u64,
    },
}

/// Where a read stands: it fixes the commit s and, for a stamp, the clock too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reader {
    /// Sees the newest commit.
    #[default]
    Newest,
    /// Sees what the held snapshot of this name sees.
    Snapshot(String),
    /// Sees what the remembered stamp of this name saw.
    Stamp(String),
}

/// Which versions a read asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The version in force now.
    Latest,
    /// The version in force at this time.
    AsOf(i64),
    /// The versions of a closed span of event time, newest first.
    Range {
        /// The first event time.
        from: i64,
        /// The last event time, at which every version is judged.
        to: i64,
    },
    /// The newest versions up to a time, newest first.
    LastN {
        /// The time up to which, and at which, versions are judged.
        t: i64,
        /// The greatest number of versions.
        n: usize,
    },
}

/// What may be asked on top of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Only revisions known at this time count.
    pub known_at: Option<i64>,
    /// Judge one microsecond earlier. For questions of one cell.
    pub before: bool,
    /// Judge so much earlier. For questions of one cell.
    pub delay: Option<i64>,
    /// A limit of age beside the TTL. The tighter of the two counts.
    pub max_age: Option<i64>,
    /// Where the read stands.
    pub reader: Reader,
}

/// One read of one entity and feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The entity.
    pub entity: Vec<u8>,
    /// The name of the feature, `name` or `name@schema`.
    pub feature: String,
    /// Which versions.
    pub question: Question,
    /// Everything else.
    pub options: Options,
}

impl Definition {
    /// A definition of type `i64`.
    pub fn i64(ttl: Option<i64>, history: Option<i64>, forget_after: Option<i64>) -> Definition {
        Definition { value_type: "i64".to_owned(), ttl, history, forget_after }
    }

    /// Whether the definition does not contradict itself.
    pub fn is_sound(&self) -> bool {
        let durations = [self.ttl, self.history, self.forget_after];
        durations.iter().flatten().all(|duration| *duration >= 0)
            && (self.forget_after.is_none() || self.ttl.is_some())
    }

    /// Whether a revision of this kind may be put under this definition.
    pub fn takes(&self, kind: &Kind) -> bool {
        match kind {
            Kind::Value(Value::I64(_)) => self.value_type == "i64",
            Kind::Value(Value::Other(text)) => is_of_type(text, &self.value_type),
            Kind::Null | Kind::Deleted => true,
        }
    }
}

/// Whether a text says a value of this type, one that is not `i64`.
fn is_of_type(text: &[u8], value_type: &str) -> bool {
    let is_number =
        |text: &[u8]| std::str::from_utf8(text).is_ok_and(|it| it.parse::<f64>().is_ok());
    match value_type {
        "i64" => false,
        "bool" => text == b"true" || text == b"false",
        "f32" | "f64" => is_number(text),
        _ => {
            let dimension = value_type.strip_prefix("vector(").and_then(|it| it.strip_suffix(')'));
            let numbers: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
            dimension.is_none_or(|dimension| {
                numbers.len().to_string() == dimension && numbers.into_iter().all(is_number)
            })
        }
    }
}
