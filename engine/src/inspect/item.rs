//! One line of a dump: what it tells of, and its fields, alike for all kinds of files, so that one
//! loop turns any of them into text or JSON.

use std::fmt::{self, Write};

use asofdb_format::value::Value;
use bytes::Bytes;

/// Longer bytes and vectors are cut in text.
const TEXT_LEN: usize = 64;

/// One thing that a file holds.
///
/// ```
/// use asofdb::inspect::{Field, Item};
/// let item = Item::new("record", 1, vec![
///     ("feature", Field::Text("weather:temp@1".to_owned())),
///     ("event_time", Field::Moment(5)),
///     ("value", Field::Value(39.5.into())),
///     ("source", Field::Absent),
/// ]);
/// assert_eq!(item.to_string(), "  record feature=weather:temp@1 event_time=5 value=39.5");
/// assert_eq!(item.text(&|moment| format!("{moment}us")),
///            "  record feature=weather:temp@1 event_time=5us value=39.5");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Item {
    /// What it tells of: `file`, `batch`, `entry`, `entity`, `record` and so on.
    pub what: &'static str,
    /// 0 for a file, 1 for its parts, 2 for theirs.
    pub depth: u8,
    /// Names and what stands under them, in the order of the file.
    pub fields: Vec<(&'static str, Field)>,
}

/// What a field of an [`Item`] says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Field {
    /// Nothing; text leaves it out.
    Absent,
    /// Yes or no.
    Flag(bool),
    /// A count, a length, a place in a file or a number given by the store.
    Count(u64),
    /// Microseconds since the Unix epoch: an event time, a known time, a commit, a bound.
    Moment(i64),
    /// Moments, ascending; text leaves out those between the ends.
    Moments(Vec<i64>),
    /// A length of time in microseconds.
    Span(i64),
    /// A name, a label, a checksum in hexadecimal.
    Text(String),
    /// Bytes that the store gives no meaning to: an entity, the value of a mark.
    Bytes(Bytes),
    /// A value of a feature.
    Value(Value),
}

impl Item {
    /// An item from its parts.
    #[must_use]
    pub const fn new(what: &'static str, depth: u8, fields: Vec<(&'static str, Field)>) -> Self {
        Self { what, depth, fields }
    }

    /// The item as a line for people, without its end, with moments in a form of one's own. Long
    /// values are cut.
    #[must_use]
    pub fn text(&self, moment: &dyn Fn(i64) -> String) -> String {
        let mut line = "  ".repeat(usize::from(self.depth));
        line.push_str(self.what);
        for (name, field) in &self.fields {
            let text = match field {
                Field::Absent => continue,
                Field::Moment(micros) => moment(*micros),
                Field::Moments(all) => moments_text(all, moment),
                other => other.text(),
            };
            // Writing to a string does not fail.
            let _ = write!(line, " {name}={text}");
        }
        line
    }
}

/// Moments are integers: microseconds since the Unix epoch.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(&|micros| micros.to_string()))
    }
}

impl Field {
    pub(super) fn text_of(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn moment(micros: Option<i64>) -> Self {
        micros.map_or(Self::Absent, Self::Moment)
    }

    pub(super) fn count(count: Option<u64>) -> Self {
        count.map_or(Self::Absent, Self::Count)
    }

    fn text(&self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Flag(flag) => flag.to_string(),
            Self::Count(count) => count.to_string(),
            Self::Moment(micros) => micros.to_string(),
            Self::Moments(all) => moments_text(all, &|micros| micros.to_string()),
            Self::Span(micros) => format!("{micros}us"),
            Self::Text(text) if is_plain(text) => text.clone(),
            Self::Text(text) => format!("{text:?}"),
            Self::Bytes(bytes) => bytes_text(bytes),
            Self::Value(value) => value_text(value),
        }
    }
}

/// Whether a word needs no quotes to be told from what stands beside it.
fn is_plain(text: &str) -> bool {
    let plain = |char: char| char.is_alphanumeric() || "_-:.,@/()#+".contains(char);
    !text.is_empty() && text.chars().all(plain)
}

fn moments_text(all: &[i64], moment: &dyn Fn(i64) -> String) -> String {
    match all {
        [] => "none".to_owned(),
        [one] => moment(*one),
        [first, last] => format!("{},{}", moment(*first), moment(*last)),
        [first, between @ .., last] => {
            format!("{}...({} more)...{}", moment(*first), between.len(), moment(*last))
        }
    }
}

fn bytes_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.len() <= TEXT_LEN => format!("{text:?}"),
        Ok(text) => {
            let cut: String = text.chars().take(TEXT_LEN).collect();
            format!("{cut:?}...({} bytes)", bytes.len())
        }
        Err(_) => {
            let (shown, rest) = bytes.split_at(bytes.len().min(TEXT_LEN));
            let shown = format!("b\"{}\"", shown.escape_ascii());
            if rest.is_empty() { shown } else { format!("{shown}...({} bytes)", bytes.len()) }
        }
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Vector(vector) if vector.dim() > TEXT_LEN / 8 => {
            let shown: Vec<f32> = vector.iter().take(TEXT_LEN / 8).collect();
            format!("{shown:?}...({} numbers)", vector.dim())
        }
        Value::Vector(vector) => format!("{:?}", vector.iter().collect::<Vec<_>>()),
        Value::Text(text) => bytes_text(text.as_bytes()),
        // Beside text, bytes are told by their prefix.
        Value::Bytes(bytes) => {
            let (shown, rest) = bytes.split_at(bytes.len().min(TEXT_LEN));
            let shown = format!("b\"{}\"", shown.escape_ascii());
            if rest.is_empty() { shown } else { format!("{shown}...({} bytes)", bytes.len()) }
        }
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use asofdb_format::value::Vector;

    use super::*;

    #[test]
    fn what_is_long_or_strange_is_cut_and_quoted() {
        let text = |field: Field| field.text();
        assert_eq!(text(Field::Text("a b".to_owned())), "\"a b\"");
        assert_eq!(text(Field::Text("v:f@1".to_owned())), "v:f@1");
        assert_eq!(text(Field::Moments(vec![1, 2, 3, 9])), "1...(2 more)...9");
        assert_eq!(text(Field::Bytes(Bytes::from_static(b"JFK"))), "\"JFK\"");
        assert_eq!(text(Field::Bytes(Bytes::from_static(&[255, 0]))), "b\"\\xff\\x00\"");
        let long = text(Field::Value("x".repeat(100).into()));
        assert!(long.ends_with("x\"...(100 bytes)") && long.len() < 90, "{long}");
        let vector = Value::Vector(Vector::from_slice(&[1.0; 9]));
        assert!(text(Field::Value(vector)).ends_with("1.0]...(9 numbers)"));
        assert_eq!(text(Field::Value(Bytes::from_static(b"ab").into())), "b\"ab\"");
    }
}
