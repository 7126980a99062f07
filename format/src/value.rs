//! Values and their types.
//!
//! A [`Value`] of text, bytes or a vector holds [`Bytes`]: what is read from a table borrows the
//! table's image and copies nothing. Vectors are little-endian `f32`s end to end.

use std::fmt;

use bytes::Bytes;

/// The longest value in bytes: 16 MiB.
pub const MAX_VALUE_LEN: usize = 16 << 20;

/// The largest dimension of a vector: as many `f32` as a value may hold.
pub const MAX_VECTOR_DIM: u32 = 4 << 20;

/// The type of a feature. It never changes under one schema number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ValueType {
    /// `true` or `false`.
    Bool,
    /// A 64-bit signed integer.
    I64,
    /// A 32-bit float; every bit pattern is kept.
    F32,
    /// A 64-bit float; every bit pattern is kept.
    F64,
    /// UTF-8 text.
    Text,
    /// Bytes without meaning to the store.
    Bytes,
    /// A vector of so many `f32`.
    Vector(u32),
}

impl ValueType {
    /// The type's number in files.
    #[must_use]
    pub const fn tag(self) -> u8 {
        match self {
            Self::Bool => 1,
            Self::I64 => 2,
            Self::F32 => 3,
            Self::F64 => 4,
            Self::Text => 5,
            Self::Bytes => 6,
            Self::Vector(_) => 7,
        }
    }

    /// The type with this number in files; `dim` is 1 to [`MAX_VECTOR_DIM`] for a vector and 0 for
    /// every other type.
    #[must_use]
    pub const fn from_tag(tag: u8, dim: u32) -> Option<Self> {
        let is_vector = tag == 7;
        if is_vector != (dim >= 1) || dim > MAX_VECTOR_DIM {
            return None;
        }
        Some(match tag {
            1 => Self::Bool,
            2 => Self::I64,
            3 => Self::F32,
            4 => Self::F64,
            5 => Self::Text,
            6 => Self::Bytes,
            7 => Self::Vector(dim),
            _ => return None,
        })
    }

    /// The vector's dimension, 0 for other types.
    #[must_use]
    pub const fn dim(self) -> u32 {
        if let Self::Vector(dim) = self { dim } else { 0 }
    }

    /// The type that [`fmt::Display`] writes so: `bool`, `i64`, `f32`, `f64`, `text`, `bytes`,
    /// `vector(N)`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "bool" => Self::Bool,
            "i64" => Self::I64,
            "f32" => Self::F32,
            "f64" => Self::F64,
            "text" => Self::Text,
            "bytes" => Self::Bytes,
            _ => {
                let dim = text.strip_prefix("vector(")?.strip_suffix(')')?.parse().ok()?;
                if dim == 0 || dim > MAX_VECTOR_DIM {
                    return None;
                }
                Self::Vector(dim)
            }
        })
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::I64 => f.write_str("i64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Text => f.write_str("text"),
            Self::Bytes => f.write_str("bytes"),
            Self::Vector(dim) => write!(f, "vector({dim})"),
        }
    }
}

/// Whether bytes are UTF-8. Most texts are ASCII, which is seen eight bytes at a time.
#[must_use]
#[inline]
pub fn is_text(bytes: &[u8]) -> bool {
    let (eights, rest) = bytes.as_chunks();
    let seen = eights.iter().fold(0, |seen, eight| seen | u64::from_le_bytes(*eight));
    let seen = match bytes.last_chunk() {
        Some(eight) => seen | u64::from_le_bytes(*eight),
        None => rest.iter().fold(seen, |seen, byte| seen | u64::from(*byte)),
    };
    seen & 0x8080_8080_8080_8080 == 0 || std::str::from_utf8(bytes).is_ok()
}

/// UTF-8 text that shares its bytes.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(Bytes);

impl Text {
    /// Takes bytes as text; `None` if they are not UTF-8.
    #[must_use]
    pub fn from_utf8(bytes: Bytes) -> Option<Self> {
        is_text(&bytes).then_some(Self(bytes))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A vector of `f32` that shares its bytes.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Vector(Bytes);

impl Vector {
    /// Takes little-endian `f32`s end to end; `None` if the length is not a multiple of four.
    #[must_use]
    pub fn from_le_bytes(bytes: Bytes) -> Option<Self> {
        bytes.len().is_multiple_of(4).then_some(Self(bytes))
    }

    /// A vector of these numbers.
    #[must_use]
    pub fn from_slice(numbers: &[f32]) -> Self {
        Self(numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>().into())
    }

    /// How many numbers it has.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.0.len() / 4
    }

    /// The numbers, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = f32> + '_ {
        self.0.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap_or_default()))
    }

    /// Its bytes: little-endian `f32`s end to end.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// One value of a feature. Equality of floats is equality of their bits.
#[derive(Clone)]
#[non_exhaustive]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A 64-bit signed integer.
    I64(i64),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
    /// UTF-8 text.
    Text(Text),
    /// Bytes.
    Bytes(Bytes),
    /// A vector of `f32`.
    Vector(Vector),
}

impl Value {
    /// The value's type; a vector's dimension is its own.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Bool(_) => ValueType::Bool,
            Self::I64(_) => ValueType::I64,
            Self::F32(_) => ValueType::F32,
            Self::F64(_) => ValueType::F64,
            Self::Text(_) => ValueType::Text,
            Self::Bytes(_) => ValueType::Bytes,
            Self::Vector(vector) => {
                ValueType::Vector(u32::try_from(vector.dim()).unwrap_or(u32::MAX))
            }
        }
    }

    /// Bytes of a value that is stored as bytes: text, bytes, vector.
    #[must_use]
    pub fn as_raw_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            Self::Bytes(bytes) => Some(bytes),
            Self::Vector(vector) => Some(vector.as_bytes()),
            _ => None,
        }
    }

    /// Bits of a value that is stored as a number: bool (0, 1), i64, f32 (in the low half), f64.
    #[must_use]
    pub fn as_bits(&self) -> Option<u64> {
        match self {
            Self::Bool(bit) => Some(u64::from(*bit)),
            Self::I64(number) => Some(number.cast_unsigned()),
            Self::F32(number) => Some(u64::from(number.to_bits())),
            Self::F64(number) => Some(number.to_bits()),
            _ => None,
        }
    }

    /// The number of this type with these bits; `None` if the type is not a number's, or the
    /// bits are none of its.
    #[must_use]
    pub fn from_bits(value_type: ValueType, bits: u64) -> Option<Self> {
        Some(match value_type {
            ValueType::Bool if bits <= 1 => Self::Bool(bits == 1),
            ValueType::I64 => Self::I64(bits.cast_signed()),
            ValueType::F32 => Self::F32(f32::from_bits(u32::try_from(bits).ok()?)),
            ValueType::F64 => Self::F64(f64::from_bits(bits)),
            _ => return None,
        })
    }

    /// The value of this type with these raw bytes; `None` if the type is a number's, or the
    /// bytes are not of it.
    #[must_use]
    pub fn from_raw_bytes(value_type: ValueType, bytes: Bytes) -> Option<Self> {
        Some(match value_type {
            ValueType::Text => Self::Text(Text::from_utf8(bytes)?),
            ValueType::Bytes => Self::Bytes(bytes),
            ValueType::Vector(dim) => {
                let vector = Vector::from_le_bytes(bytes)?;
                if vector.dim() != usize::try_from(dim).ok()? {
                    return None;
                }
                Self::Vector(vector)
            }
            _ => return None,
        })
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(bit) = self { Some(*bit) } else { None }
    }

    /// The integer, if it is one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::I64(number) = self { Some(*number) } else { None }
    }

    /// The 32-bit float, if it is one.
    #[must_use]
    pub fn as_f32(&self) -> Option<f32> {
        if let Self::F32(number) = self { Some(*number) } else { None }
    }

    /// The float, if it is one of either width.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::F64(number) => Some(*number),
            Self::F32(number) => Some(f64::from(*number)),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text.as_str()) } else { None }
    }

    /// The bytes, if it is a value of bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// The vector, if it is one.
    #[must_use]
    pub fn as_vector(&self) -> Option<&Vector> {
        if let Self::Vector(vector) = self { Some(vector) } else { None }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.value_type() == other.value_type()
            && self.as_bits() == other.as_bits()
            && self.as_raw_bytes() == other.as_raw_bytes()
    }
}

impl Eq for Value {}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(bit) => fmt::Debug::fmt(bit, f),
            Self::I64(number) => fmt::Debug::fmt(number, f),
            Self::F32(number) => fmt::Debug::fmt(number, f),
            Self::F64(number) => fmt::Debug::fmt(number, f),
            Self::Text(text) => fmt::Debug::fmt(text, f),
            Self::Bytes(bytes) => fmt::Debug::fmt(bytes, f),
            Self::Vector(vector) => fmt::Debug::fmt(vector, f),
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $make:expr),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(given: $from) -> Self {
                $make(given)
            }
        })*
    };
}

value_from! {
    bool => Value::Bool,
    i64 => Value::I64,
    i32 => |number| Value::I64(i64::from(number)),
    f32 => Value::F32,
    f64 => Value::F64,
    &str => |text: &str| Value::Text(Text(Bytes::copy_from_slice(text.as_bytes()))),
    String => |text: String| Value::Text(Text(Bytes::from(text.into_bytes()))),
    Text => Value::Text,
    Bytes => Value::Bytes,
    Vec<u8> => |bytes: Vec<u8>| Value::Bytes(Bytes::from(bytes)),
    &[u8] => |bytes: &[u8]| Value::Bytes(Bytes::copy_from_slice(bytes)),
    Vector => Value::Vector,
    &[f32] => |numbers: &[f32]| Value::Vector(Vector::from_slice(numbers)),
    Vec<f32> => |numbers: Vec<f32>| Value::Vector(Vector::from_slice(&numbers)),
}

/// What a revision says from its event time on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// There is a value.
    Value,
    /// The value is explicitly null.
    Null,
    /// There is no value, until a newer version.
    Deleted,
    /// There was a value; its bytes were dropped when the version went below the stale bound.
    Stub,
}

impl Kind {
    /// The kind's number in files.
    #[must_use]
    pub const fn tag(self) -> u8 {
        match self {
            Self::Value => 0,
            Self::Null => 1,
            Self::Deleted => 2,
            Self::Stub => 3,
        }
    }

    /// The kind with this number in files.
    #[must_use]
    pub const fn from_tag(tag: u8) -> Option<Self> {
        Some(match tag {
            0 => Self::Value,
            1 => Self::Null,
            2 => Self::Deleted,
            3 => Self::Stub,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_that_are_no_text_are_taken_for_it(
            mut bytes in prop::collection::vec(prop_oneof![9 => 0u8..0x80, 1 => any::<u8>()], 0..40),
            text in ".{0,12}",
            at in 0usize..40,
        ) {
            prop_assert_eq!(is_text(&bytes), std::str::from_utf8(&bytes).is_ok());
            prop_assert!(is_text(text.as_bytes()));
            bytes.retain(u8::is_ascii);
            prop_assert!(is_text(&bytes));
            bytes.insert(at.min(bytes.len()), 0xff);
            prop_assert!(!is_text(&bytes));
        }
    }
}
