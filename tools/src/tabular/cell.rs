//! One cell of a file, whatever the file's form.

use std::borrow::Cow;

use crate::entity;
use crate::times::{self, Time, Unit};
use crate::values;

/// A cell as the file has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// A field of a CSV file: its type is whatever its column is taken for.
    Field(&'a [u8]),
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An integer too large for a signed one.
    TooLarge(u64),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
    /// Text, or what is best written as such.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A moment in microseconds.
    Time(i64),
    /// A list of floats; `None` if some are null.
    Floats(Option<Vec<f32>>),
}

impl<'a> Cell<'a> {
    /// The cell as a part of an entity.
    pub fn entity_part(&self) -> Option<Cow<'a, [u8]>> {
        Some(match self {
            Self::Field(bytes) | Self::Bytes(bytes) => Cow::Borrowed(*bytes),
            Self::Text(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
            Self::Text(Cow::Owned(text)) => Cow::Owned(text.clone().into_bytes()),
            Self::Bool(bit) => Cow::Owned(bit.to_string().into_bytes()),
            Self::I64(number) => Cow::Owned(number.to_string().into_bytes()),
            Self::TooLarge(number) => Cow::Owned(number.to_string().into_bytes()),
            Self::Time(micros) => Cow::Owned(times::format(*micros).into_bytes()),
            Self::Null | Self::F32(_) | Self::F64(_) | Self::Floats(_) => return None,
        })
    }

    /// The cell as text; `None` if it is null.
    pub fn to_text(&self) -> Option<Cow<'a, [u8]>> {
        let text = match self {
            Self::Null | Self::Floats(None) => return None,
            Self::F32(number) => format!("{number:?}"),
            Self::F64(number) => format!("{number:?}"),
            Self::Bytes(bytes) => values::hex(bytes),
            Self::Floats(Some(floats)) => {
                let numbers: Vec<String> =
                    floats.iter().map(|float| format!("{float:?}")).collect();
                format!("[{}]", numbers.join(", "))
            }
            other => return other.entity_part(),
        };
        Some(Cow::Owned(text.into_bytes()))
    }

    /// The cell as a time; `None` if it is none. A null is none either.
    pub fn time(&self, unit: Unit) -> Option<Time> {
        match self {
            Self::Field(bytes) => times::parse(std::str::from_utf8(bytes).ok()?, unit),
            Self::Text(text) => times::parse(text, unit),
            Self::I64(number) => {
                Some(Time { micros: unit.micros(*number)?, integer: Some(*number) })
            }
            Self::Time(micros) => Some(Time { micros: *micros, integer: None }),
            _ => None,
        }
    }

    /// The cell in a message: short, and in quotes if it is text.
    pub fn show(&self) -> String {
        let quoted = |text: &str| {
            let mut short: String = text.chars().take(40).collect();
            if short.len() < text.len() {
                short.push('…');
            }
            format!("{short:?}")
        };
        match self {
            Self::Null => "null".to_owned(),
            Self::Field([]) => "an empty text".to_owned(),
            Self::Field(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => quoted(text),
                Err(_) => format!("bytes that are not UTF-8 ({})", quoted(&entity::show(bytes))),
            },
            Self::Bool(bit) => bit.to_string(),
            Self::I64(number) => number.to_string(),
            Self::TooLarge(number) => number.to_string(),
            Self::F32(number) => format!("{number:?}"),
            Self::F64(number) => format!("{number:?}"),
            Self::Text(text) => quoted(text),
            Self::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Self::Time(micros) => times::format(*micros),
            Self::Floats(Some(floats)) => format!("a list of {} numbers", floats.len()),
            Self::Floats(None) => "a list with a null in it".to_owned(),
        }
    }
}
