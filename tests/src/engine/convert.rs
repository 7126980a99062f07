//! What the engine says in the words of the model, and the other way round.
//!
//! Invariant: whatever the engine refuses for a reason that no rule knows is [`Outcome::Failed`].

use asofdb::{Alter, Error, InvalidArgument, Span, ValueType, Vector};

use crate::answer::{Answer, Outcome, Refusal, Value};
use crate::question::Definition;

pub(super) fn span(micros: i64) -> Result<Span, Outcome> {
    Span::from_micros(micros).ok_or(Outcome::Refused(Refusal::InvalidDefinition))
}

/// Values of other types than i64 are opaque to the model. What says no value of the type is given
/// as bytes, so that the engine can refuse it.
pub(super) fn other_value(value_type: ValueType, bytes: &[u8]) -> asofdb::Value {
    let text = String::from_utf8_lossy(bytes);
    let parsed = match value_type {
        ValueType::Text => Some(asofdb::Value::from(text.clone().into_owned())),
        ValueType::Bool => text.parse::<bool>().ok().map(asofdb::Value::from),
        ValueType::F64 => text.parse::<f64>().ok().map(asofdb::Value::from),
        ValueType::F32 => text.parse::<f32>().ok().map(asofdb::Value::from),
        ValueType::Vector(_) => {
            let numbers = text.split(' ').map(str::parse).collect::<Result<Vec<f32>, _>>();
            numbers.ok().map(|numbers| asofdb::Value::from(Vector::from_slice(&numbers)))
        }
        _ => None,
    };
    parsed.unwrap_or_else(|| asofdb::Value::from(bytes))
}

/// A value of the engine as the model has it.
#[must_use]
pub fn value(value: &asofdb::Value) -> Value {
    match value {
        asofdb::Value::I64(number) => Value::I64(*number),
        asofdb::Value::Bool(is) => Value::Other(is.to_string().into_bytes()),
        asofdb::Value::F64(number) => Value::Other(number.to_string().into_bytes()),
        asofdb::Value::F32(number) => Value::Other(number.to_string().into_bytes()),
        asofdb::Value::Vector(vector) => {
            let numbers: Vec<String> = vector.iter().map(|number| number.to_string()).collect();
            Value::Other(numbers.join(" ").into_bytes())
        }
        other => Value::Other(other.as_raw_bytes().map(|raw| raw.to_vec()).unwrap_or_default()),
    }
}

/// An answer of the engine in the form in which two stores are compared.
pub fn answer(answer: &asofdb::Answer) -> Answer {
    let e = answer.event_time().map_or(0, |time| time.0);
    let known = answer.origin().map_or(0, |origin| origin.known_time.0);
    match answer {
        asofdb::Answer::Missing => Answer::Missing,
        asofdb::Answer::Deleted(_) => Answer::Deleted { e },
        asofdb::Answer::Expired(..) => Answer::Expired { e },
        asofdb::Answer::Null(_) => Answer::Null { e, known },
        asofdb::Answer::Value(given, _) => Answer::Value { e, known, value: value(given) },
    }
}

pub(super) fn refused(error: Error) -> Outcome {
    refusal(&error).map_or_else(|| Outcome::Failed(error.to_string()), Outcome::Refused)
}

/// The refusal that the rules know, if the error is one.
pub(super) fn refusal(error: &Error) -> Option<Refusal> {
    Some(match error {
        Error::BelowHorizon { .. }
        | Error::InvalidArgument(InvalidArgument::RevertBelowHorizon { .. }) => {
            Refusal::BelowHorizon
        }
        Error::UnknownFeature { .. } => Refusal::UnknownFeature,
        Error::LostCommit { .. } => Refusal::LostCommit,
        Error::InvalidArgument(InvalidArgument::AlreadyDefined { .. }) => Refusal::AlreadyDefined,
        Error::InvalidArgument(InvalidArgument::ForgetWithoutTtl { .. }) => {
            Refusal::InvalidDefinition
        }
        Error::InvalidArgument(InvalidArgument::KnownAfterCommit { .. }) => {
            Refusal::KnownAfterCommit
        }
        Error::InvalidArgument(InvalidArgument::NothingToRevert { .. }) => Refusal::NothingToRevert,
        Error::InvalidArgument(InvalidArgument::WrongType { .. }) => Refusal::WrongType,
        _ => return None,
    })
}

pub(super) fn done<T>(result: Result<T, Error>) -> Outcome {
    result.map_or_else(refused, |_| Outcome::Done)
}

pub(super) fn terms(definition: &Definition) -> Option<Alter> {
    let span = |micros: Option<i64>| match micros {
        None => Some(None),
        Some(micros) => Span::from_micros(micros).map(Some),
    };
    let alter = Alter::new().ttl(span(definition.ttl)?).history(span(definition.history)?);
    Some(alter.forget_after(span(definition.forget_after)?))
}
