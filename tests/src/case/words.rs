//! The words of a case: puts, questions and answers, each begun by a function and made precise by methods.

use crate::answer::{Answer, Kind, Outcome, Refusal, Value};
use crate::question::{Definition, Options, Put, Question, Read, Reader};

/// The definition of a feature of type i64 that is kept for ever and never stale.
pub fn numbers() -> Definition {
    Definition::i64(None, None, None)
}

impl Definition {
    /// Values are stale when they are older.
    #[must_use]
    pub fn ttl(self, ttl: i64) -> Definition {
        Definition { ttl: Some(ttl), ..self }
    }

    /// Reads go so far back.
    #[must_use]
    pub fn history(self, history: i64) -> Definition {
        Definition { history: Some(history), ..self }
    }

    /// Marks of stale versions are kept so long.
    #[must_use]
    pub fn forget_after(self, forget_after: i64) -> Definition {
        Definition { forget_after: Some(forget_after), ..self }
    }

    /// Values are of another type.
    #[must_use]
    pub fn of_type(self, value_type: &str) -> Definition {
        Definition { value_type: value_type.to_owned(), ..self }
    }
}

fn revision(e: i64, kind: Kind) -> Put {
    Put { entity: b"a".to_vec(), feature: "f".to_owned(), e, known: None, kind }
}

/// Puts a number.
pub fn put(e: i64, number: i64) -> Put {
    revision(e, Kind::Value(Value::I64(number)))
}

/// Puts a null.
pub fn null(e: i64) -> Put {
    revision(e, Kind::Null)
}

/// Deletes.
pub fn delete(e: i64) -> Put {
    revision(e, Kind::Deleted)
}

impl Put {
    /// For this entity.
    #[must_use]
    pub fn of(self, entity: &str) -> Put {
        Put { entity: entity.as_bytes().to_vec(), ..self }
    }

    /// For this feature.
    #[must_use]
    pub fn feature(self, feature: &str) -> Put {
        Put { feature: feature.to_owned(), ..self }
    }

    /// Known since then.
    #[must_use]
    pub fn known(self, known: i64) -> Put {
        Put { known: Some(known), ..self }
    }

    /// The value is this text in place of a number: a text, bytes, the numbers of a vector.
    #[must_use]
    pub fn text(self, text: &str) -> Put {
        Put { kind: Kind::Value(Value::Other(text.as_bytes().to_vec())), ..self }
    }
}

fn ask(question: Question) -> Read {
    let (entity, feature) = (b"a".to_vec(), "f".to_owned());
    Read { entity, feature, question, options: Options::default() }
}

/// Asks for the version in force now.
pub fn latest() -> Read {
    ask(Question::Latest)
}

/// Asks for the version in force at a time.
pub fn as_of(t: i64) -> Read {
    ask(Question::AsOf(t))
}

/// Asks for the versions of a span, judged at its end.
pub fn range(from: i64, to: i64) -> Read {
    ask(Question::Range { from, to })
}

/// Asks for the newest versions up to a time.
pub fn last_n(t: i64, n: usize) -> Read {
    ask(Question::LastN { t, n })
}

impl Read {
    fn with(mut self, change: impl FnOnce(&mut Options)) -> Read {
        change(&mut self.options);
        self
    }

    /// Of this entity.
    #[must_use]
    pub fn of(self, entity: &str) -> Read {
        Read { entity: entity.as_bytes().to_vec(), ..self }
    }

    /// Of this feature.
    #[must_use]
    pub fn feature(self, feature: &str) -> Read {
        Read { feature: feature.to_owned(), ..self }
    }

    /// Only what was known then.
    #[must_use]
    pub fn known_at(self, k: i64) -> Read {
        self.with(|options| options.known_at = Some(k))
    }

    /// The time itself excluded.
    #[must_use]
    pub fn before(self) -> Read {
        self.with(|options| options.before = true)
    }

    /// As of so much earlier.
    #[must_use]
    pub fn delay(self, delay: i64) -> Read {
        self.with(|options| options.delay = Some(delay))
    }

    /// Nothing older than this.
    #[must_use]
    pub fn max_age(self, max_age: i64) -> Read {
        self.with(|options| options.max_age = Some(max_age))
    }

    /// Seen from a held snapshot.
    #[must_use]
    pub fn snapshot(self, name: &str) -> Read {
        self.with(|options| options.reader = Reader::Snapshot(name.to_owned()))
    }

    /// Seen from a remembered stamp.
    #[must_use]
    pub fn stamp(self, name: &str) -> Read {
        self.with(|options| options.reader = Reader::Stamp(name.to_owned()))
    }
}

/// The answer is a number. [`Answer::at`] and [`Answer::known`] say of which version and revision.
pub fn value(number: i64) -> Answer {
    Answer::Value { e: 0, known: 0, value: Value::I64(number) }
}

/// The answer is a value of another type than i64.
pub fn text(text: &str) -> Answer {
    Answer::Value { e: 0, known: 0, value: Value::Other(text.as_bytes().to_vec()) }
}

/// The answer is an explicit null.
pub fn null_value() -> Answer {
    Answer::Null { e: 0, known: 0 }
}

/// The newest version is stale.
pub fn expired() -> Answer {
    Answer::Expired { e: 0 }
}

/// The newest version says that there is no value.
pub fn deleted() -> Answer {
    Answer::Deleted { e: 0 }
}

/// There is no version.
pub fn missing() -> Answer {
    Answer::Missing
}

impl Answer {
    /// Of the version of this event time.
    #[must_use]
    pub fn at(mut self, at: i64) -> Answer {
        match &mut self {
            Answer::Value { e, .. }
            | Answer::Null { e, .. }
            | Answer::Deleted { e }
            | Answer::Expired { e } => *e = at,
            Answer::Missing => {}
        }
        self
    }

    /// Of the revision that became known then.
    #[must_use]
    pub fn known(mut self, since: i64) -> Answer {
        if let Answer::Value { known, .. } | Answer::Null { known, .. } = &mut self {
            *known = since;
        }
        self
    }
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Outcome {
        Outcome::Cell(answer)
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Outcome {
        Outcome::Refused(refusal)
    }
}

impl<const N: usize> From<[Answer; N]> for Outcome {
    fn from(answers: [Answer; N]) -> Outcome {
        Outcome::Versions(answers.to_vec())
    }
}

impl From<Vec<Answer>> for Outcome {
    fn from(answers: Vec<Answer>) -> Outcome {
        Outcome::Versions(answers)
    }
}
