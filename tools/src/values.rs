//! Values as text and as JSON, and cells as values of a feature's type.
//!
//! Bytes are written in hexadecimal, vectors as `[1.0, 2.5]`. Floats are written as short as
//! reads back to the same number, and so that they are seen to be floats: `50.0`.

use std::borrow::Cow;

use asofdb::{Value, ValueType, Vector};
use bytes::Bytes;
use serde_json::json;

use crate::tabular::cell::Cell;
use crate::times;

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads what [`hex`] writes.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok())
        .collect()
}

/// A value as text.
pub fn to_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Bool(bit) => Cow::Borrowed(if *bit { "true" } else { "false" }),
        Value::I64(number) => Cow::Owned(number.to_string()),
        Value::F32(number) => Cow::Owned(format!("{number:?}")),
        Value::F64(number) => Cow::Owned(format!("{number:?}")),
        Value::Text(text) => Cow::Borrowed(text.as_str()),
        Value::Bytes(bytes) => Cow::Owned(hex(bytes)),
        Value::Vector(vector) => {
            let numbers: Vec<String> = vector.iter().map(|number| format!("{number:?}")).collect();
            Cow::Owned(format!("[{}]", numbers.join(", ")))
        }
        _ => Cow::Owned(format!("{value:?}")),
    }
}

/// A value as JSON; floats that JSON has no number for are texts.
pub fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(bit) => json!(bit),
        Value::I64(number) => json!(number),
        Value::F32(number) => float_to_json(f64::from(*number), format!("{number:?}")),
        Value::F64(number) => float_to_json(*number, format!("{number:?}")),
        Value::Vector(vector) => vector
            .iter()
            .map(|number| float_to_json(f64::from(number), format!("{number:?}")))
            .collect(),
        other => json!(to_text(other)),
    }
}

/// `text` is the number as short as its own width allows.
fn float_to_json(number: f64, text: String) -> serde_json::Value {
    match text.parse::<f64>() {
        Ok(short) if number.is_finite() => json!(short),
        _ => json!(text),
    }
}

/// Text as a value of a type; `None` if it is none.
pub fn from_text(text: &str, value_type: ValueType) -> Option<Value> {
    let trimmed = text.trim();
    Some(match value_type {
        ValueType::Bool => Value::Bool(parse_bool(trimmed)?),
        ValueType::I64 => Value::I64(trimmed.parse().ok()?),
        ValueType::F32 => Value::F32(parse_f32(trimmed)?),
        ValueType::F64 => Value::F64(parse_f64(trimmed)?),
        ValueType::Text => Value::from(text),
        ValueType::Bytes => Value::Bytes(Bytes::from(from_hex(trimmed)?)),
        ValueType::Vector(dim) => {
            let numbers = parse_vector(trimmed)?;
            if u32::try_from(numbers.len()) != Ok(dim) {
                return None;
            }
            Value::Vector(Vector::from_slice(&numbers))
        }
        _ => return None,
    })
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A float; `None` for a number beyond its range, which would become infinite.
pub fn parse_f64(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite() || is_word(text))
}

fn parse_f32(text: &str) -> Option<f32> {
    text.parse().ok().filter(|number: &f32| number.is_finite() || is_word(text))
}

/// Whether a float is written as a word, as `inf` and `NaN` are.
fn is_word(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_digit())
}

fn parse_vector(text: &str) -> Option<Vec<f32>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.split(',').map(|number| parse_f32(number.trim())).collect()
}

/// The number in fewer bits; `None` if it is beyond their range.
#[expect(clippy::cast_possible_truncation, reason = "the type asked for is the narrow one")]
fn narrow(number: f64) -> Option<f32> {
    let narrow = number as f32;
    (narrow.is_finite() || !number.is_finite()).then_some(narrow)
}

/// A cell as a value of a type; `None` if it is none. A null is none either.
pub fn from_cell(cell: &Cell<'_>, value_type: ValueType) -> Option<Value> {
    let text = |text: String| from_text(&text, value_type);
    match (cell, value_type) {
        (Cell::Field(bytes), _) => from_text(std::str::from_utf8(bytes).ok()?, value_type),
        (Cell::Text(text), _) => from_text(text, value_type),
        (Cell::Bool(bit), ValueType::Bool) => Some(Value::Bool(*bit)),
        (Cell::I64(number), ValueType::I64) => Some(Value::I64(*number)),
        (Cell::I64(number), _) => text(number.to_string()),
        (Cell::TooLarge(number), ValueType::F64 | ValueType::F32 | ValueType::Text) => {
            text(number.to_string())
        }
        (Cell::F64(number), ValueType::F64) => Some(Value::F64(*number)),
        (Cell::F32(number), ValueType::F32) => Some(Value::F32(*number)),
        (Cell::F32(number), ValueType::F64) => Some(Value::F64(f64::from(*number))),
        (Cell::F64(number), ValueType::F32) => narrow(*number).map(Value::F32),
        (Cell::F64(number), ValueType::Text) => text(format!("{number:?}")),
        (Cell::F32(number), ValueType::Text) => text(format!("{number:?}")),
        (Cell::Bytes(bytes), ValueType::Bytes) => Some(Value::Bytes(Bytes::copy_from_slice(bytes))),
        (Cell::Bytes(bytes), ValueType::Text) => {
            from_text(std::str::from_utf8(bytes).ok()?, value_type)
        }
        (Cell::Time(micros), ValueType::I64) => Some(Value::I64(*micros)),
        (Cell::Time(micros), ValueType::Text) => text(times::format(*micros)),
        (Cell::Bool(bit), ValueType::Text) => text(bit.to_string()),
        (Cell::Floats(Some(floats)), ValueType::Vector(dim))
            if u32::try_from(floats.len()) == Ok(dim) =>
        {
            Some(Value::Vector(Vector::from_slice(floats)))
        }
        _ => None,
    }
}

/// What a cell of this type may look like, for messages.
pub fn expected(value_type: ValueType) -> String {
    match value_type {
        ValueType::Bool => "bool (true or false)".to_owned(),
        ValueType::Text => "text in UTF-8".to_owned(),
        ValueType::Bytes => "bytes in hexadecimal".to_owned(),
        ValueType::Vector(dim) => format!("a vector of {dim} numbers, as [1.0,2.0]"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_survives_being_written_and_read() {
        for value in [
            Value::Bool(true),
            Value::I64(i64::MIN),
            Value::F64(0.1 + 0.2),
            Value::F64(50.0),
            Value::F64(-0.0),
            Value::F64(f64::MAX),
            Value::F64(f64::INFINITY),
            Value::F64(f64::NAN),
            Value::F32(0.1),
            Value::from(" text, \"quoted\" \n"),
            Value::from(&[0u8, 255, 16][..]),
            Value::from(&[1.0f32, -2.5][..]),
        ] {
            let text = to_text(&value);
            assert_eq!(from_text(&text, value.value_type()), Some(value.clone()), "{text}");
        }
        assert_eq!(to_text(&Value::F64(50.0)), "50.0");
        assert_eq!(to_text(&Value::F64(10.357_019_999_999_999)), "10.357019999999999");
        assert_eq!(to_json(&Value::F32(0.1)).to_string(), "0.1");
        assert_eq!(to_json(&Value::F64(f64::NAN)).to_string(), "\"NaN\"");
    }

    #[test]
    fn what_is_not_of_the_type_is_refused() {
        for (text, value_type) in [
            ("", ValueType::F64),
            ("1.5", ValueType::I64),
            ("yes", ValueType::Bool),
            ("abc", ValueType::Bytes),
            ("[1,2]", ValueType::Vector(3)),
            ("[]", ValueType::Vector(1)),
        ] {
            assert_eq!(from_text(text, value_type), None, "{text:?} as {value_type}");
        }
    }

    #[test]
    fn a_number_out_of_range_becomes_infinite() {
        for (text, value_type) in [
            ("1e400", ValueType::F64),
            ("-1e400", ValueType::F64),
            ("1e39", ValueType::F32),
            ("340282366920938463463374607431768211456", ValueType::F32),
            ("[1.0,1e39]", ValueType::Vector(2)),
        ] {
            assert_eq!(from_text(text, value_type), None, "{text:?} as {value_type}");
        }
        let wide = |number| from_cell(&Cell::F64(number), ValueType::F32);
        assert_eq!(wide(1e39), None);
        assert_eq!(wide(f64::INFINITY), Some(Value::F32(f32::INFINITY)));
        for word in ["inf", "-inf", "+Infinity", "INF"] {
            assert!(from_text(word, ValueType::F64).is_some(), "{word}");
            assert!(from_text(word, ValueType::F32).is_some(), "{word}");
        }
        assert_eq!(from_text("1e39", ValueType::F64), Some(Value::F64(1e39)));
    }
}
