//! One write of a version, as files hold it.

use bytes::Bytes;

use crate::ids::{Commit, EventTime, KnownTime, SourceId};
use crate::value::{Kind, Value, ValueType};

/// What orders the revisions of one entity and feature: event time, known time, commit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Order {
    /// When the value became true.
    pub event_time: EventTime,
    /// When it became known.
    pub known_time: KnownTime,
    /// The commit that wrote it.
    pub commit: Commit,
}

/// A revision's value without its type, which the feature has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Payload {
    /// There is none: null, deleted, or a stub.
    #[default]
    None,
    /// The bits of a number.
    Bits(u64),
    /// The bytes of text, bytes or a vector.
    Raw(Bytes),
}

impl Payload {
    /// A value without its type.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        match (value.as_bits(), value.as_raw_bytes()) {
            (Some(bits), _) => Self::Bits(bits),
            (None, Some(raw)) => Self::Raw(raw.clone()),
            (None, None) => Self::None,
        }
    }

    /// The value of this type; `None` if there is none or it is of another type.
    #[must_use]
    pub fn to_value(&self, value_type: ValueType) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Bits(bits) => Value::from_bits(value_type, *bits),
            Self::Raw(raw) => Value::from_raw_bytes(value_type, raw.clone()),
        }
    }

    /// How many bytes it takes beside its own struct.
    #[must_use]
    pub fn raw_len(&self) -> usize {
        if let Self::Raw(raw) = self { raw.len() } else { 0 }
    }
}

/// One write of a version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    /// Its place in the order.
    pub order: Order,
    /// What it says.
    pub kind: Kind,
    /// The label of its batch.
    pub source: SourceId,
    /// Its value.
    pub payload: Payload,
}
