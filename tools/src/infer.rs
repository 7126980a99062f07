//! The type of a column from all its cells.
//!
//! The narrowest of bool, i64, f64 and text that every cell is written as a value of. Texts that
//! would lose something as numbers make their column text: leading zeros (`007`), a plus sign,
//! numbers out of range, a quoted empty field. Columns of Parquet files have their types; lists
//! of floats of one length are vectors. One column goes through several files of a view.
//!
//! A few texts among many numbers are likely a slip, and are told as [`Odd`].

use asofdb::ValueType;

use crate::error::BadRow;
use crate::tabular::cell::Cell;
use crate::values::parse_f64;

/// What was seen of a column so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(Option<ValueType>);

impl Seen {
    /// Takes one more cell into account; nulls say nothing.
    pub fn add(&mut self, cell: &Cell<'_>) {
        if self.0 == Some(ValueType::Text) {
            return;
        }
        let found = match cell {
            Cell::Null => return,
            Cell::Field(bytes) => self.field_type(bytes),
            Cell::Bool(_) => ValueType::Bool,
            Cell::I64(_) | Cell::TooLarge(_) => ValueType::I64,
            Cell::F32(_) => ValueType::F32,
            Cell::F64(_) => ValueType::F64,
            Cell::Text(_) | Cell::Time(_) | Cell::Floats(None) => ValueType::Text,
            Cell::Bytes(_) => ValueType::Bytes,
            Cell::Floats(Some(floats)) => {
                ValueType::Vector(u32::try_from(floats.len()).unwrap_or(u32::MAX))
            }
        };
        self.0 = Some(self.0.map_or(found, |before| join(before, found)));
    }

    /// The type; `None` if there were only nulls.
    pub const fn value_type(&self) -> Option<ValueType> {
        self.0
    }

    /// The type of a field; what the column can no longer be is not tried.
    fn field_type(&self, field: &[u8]) -> ValueType {
        match self.0 {
            None | Some(ValueType::Bool) if is_bool(field) => ValueType::Bool,
            None | Some(ValueType::I64 | ValueType::F64) if is_i64(field) => ValueType::I64,
            None | Some(ValueType::I64 | ValueType::F64) if is_f64(field) => ValueType::F64,
            _ => ValueType::Text,
        }
    }
}

/// How many texts among numbers are few.
const MAX_ODD: u64 = 10;

/// The texts that make a column of numbers text, while they are few.
#[derive(Clone, Debug, Default)]
pub struct Odd {
    numbers: u64,
    texts: u64,
    first: Option<BadRow>,
}

impl Odd {
    /// Takes into account a cell that was [seen](Seen::add); `place` tells where it is.
    pub fn add(&mut self, cell: &Cell<'_>, seen: &Seen, place: impl FnOnce() -> BadRow) {
        let Cell::Field(field) = cell else { return };
        // A column that is all text is not looked at for long, and one of numbers not at all.
        if self.texts > MAX_ODD {
            return;
        }
        let are_numbers = matches!(seen.0, Some(ValueType::I64 | ValueType::F64));
        if are_numbers || is_i64(field) || is_f64(field) {
            self.numbers += 1;
            return;
        }
        self.texts += 1;
        self.first.get_or_insert_with(place);
    }

    /// The first such text, how many there are, and among how many numbers; `None` if it is no
    /// slip.
    pub fn few(&self) -> Option<(&BadRow, u64, u64)> {
        let first = self.first.as_ref()?;
        let is_slip = self.texts <= MAX_ODD && self.numbers > self.texts;
        is_slip.then_some((first, self.texts, self.numbers))
    }
}

/// The narrowest type that holds both.
fn join(left: ValueType, right: ValueType) -> ValueType {
    use ValueType::{F32, F64, I64, Text};
    match (left, right) {
        _ if left == right => left,
        (I64 | F32 | F64, I64 | F32 | F64) => F64,
        _ => Text,
    }
}

fn is_bool(field: &[u8]) -> bool {
    field.eq_ignore_ascii_case(b"true") || field.eq_ignore_ascii_case(b"false")
}

/// Digits without a leading zero.
fn is_plain(digits: &[u8]) -> bool {
    match digits {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn is_i64(field: &[u8]) -> bool {
    let digits = field.strip_prefix(b"-").unwrap_or(field);
    is_plain(digits)
        && field != b"-0"
        && std::str::from_utf8(field).is_ok_and(|text| text.parse::<i64>().is_ok())
}

fn is_f64(field: &[u8]) -> bool {
    let number = field.strip_prefix(b"-").unwrap_or(field);
    if matches!(number, b"NaN" | b"nan" | b"inf" | b"Inf" | b"Infinity") {
        return true;
    }
    let whole = number.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(number.len());
    let (digits, rest) = number.split_at(whole);
    // An integer that is beyond 64 bits, or has a leading zero, is a name rather than a number.
    let shaped = match rest.first() {
        Some(b'.') => digits.is_empty() || is_plain(digits),
        Some(b'e' | b'E') => is_plain(digits),
        _ => number == b"0",
    };
    shaped && std::str::from_utf8(field).is_ok_and(|text| parse_f64(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn infer(fields: &[&str]) -> Option<ValueType> {
        let mut seen = Seen::default();
        for field in fields {
            seen.add(&Cell::Field(field.as_bytes()));
        }
        let mut reversed = Seen::default();
        for field in fields.iter().rev() {
            reversed.add(&Cell::Field(field.as_bytes()));
        }
        assert_eq!(seen, reversed, "the order of {fields:?} must not matter");
        seen.value_type()
    }

    #[test]
    fn a_column_has_the_narrowest_type_of_all_its_cells() {
        assert_eq!(infer(&[]), None);
        assert_eq!(infer(&["true", "False"]), Some(ValueType::Bool));
        assert_eq!(infer(&["1", "-2", "0"]), Some(ValueType::I64));
        assert_eq!(infer(&["1", "2.5"]), Some(ValueType::F64));
        assert_eq!(infer(&["1e5", "-0", ".5", "3.", "NaN", "-inf"]), Some(ValueType::F64));
        assert_eq!(infer(&["1", "x"]), Some(ValueType::Text));
        assert_eq!(infer(&["true", "1"]), Some(ValueType::Text));
    }

    #[test]
    fn names_that_look_like_numbers_stay_text() {
        for name in ["007", "+1", "", " 1", "12345678901234567890", "1_000", "00.5", "0x1f", "."] {
            assert_eq!(infer(&[name]), Some(ValueType::Text), "{name:?}");
        }
        assert_eq!(infer(&["1e400"]), Some(ValueType::Text), "it would become infinite");
        assert_eq!(infer(&["1.5", "007"]), Some(ValueType::Text));
    }

    #[test]
    fn lists_of_one_length_are_vectors() {
        let mut seen = Seen::default();
        seen.add(&Cell::Floats(Some(vec![1.0, 2.0])));
        assert_eq!(seen.value_type(), Some(ValueType::Vector(2)));
        seen.add(&Cell::Floats(Some(vec![1.0])));
        assert_eq!(seen.value_type(), Some(ValueType::Text));
    }
}
