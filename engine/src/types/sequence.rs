//! Versions of one feature of one entity in columns that the caller keeps from read to read.
//!
//! ```text
//! status       one a version, newest first
//! event times  the same
//! bits         the same; the numbers, 0 where there is no value
//! ends         of text, bytes and vectors: where the value of each version ends among those of all
//! bytes        the texts and bytes, end to end
//! numbers      the numbers of the vectors, end to end
//! ```

use std::ops::Range;

use asofdb_format::ids::{Commit, EventTime};
use asofdb_format::value::{Value, ValueType, is_text};
use asofdb_format::wire::narrow;

use crate::types::answer::{Stamp, Status};

/// The versions that a [`SequenceReader`](crate::SequenceReader) found, newest first.
#[derive(Clone, Debug)]
pub struct Sequence {
    value_type: ValueType,
    status: Vec<Status>,
    event_times: Vec<i64>,
    bits: Vec<u64>,
    ends: Vec<usize>,
    bytes: Vec<u8>,
    numbers: Vec<f32>,
    pub(crate) stopped_at_horizon: bool,
    pub(crate) stamp: Stamp,
}

impl Sequence {
    pub(crate) const fn new(value_type: ValueType) -> Self {
        Self {
            value_type,
            status: Vec::new(),
            event_times: Vec::new(),
            bits: Vec::new(),
            ends: Vec::new(),
            bytes: Vec::new(),
            numbers: Vec::new(),
            stopped_at_horizon: false,
            stamp: Stamp { now: EventTime(0), commit: Commit(0) },
        }
    }

    /// Forgets what was read before.
    pub(crate) fn clear(&mut self) {
        self.status.clear();
        self.event_times.clear();
        self.bits.clear();
        self.ends.clear();
        self.bytes.clear();
        self.numbers.clear();
        self.stopped_at_horizon = false;
    }

    /// Adds a version; of a value of text, bytes or a vector, [`Sequence::push_raw`] was told before.
    #[inline]
    pub(crate) fn push(&mut self, status: Status, event_time: EventTime, bits: u64) {
        self.status.push(status);
        self.event_times.push(event_time.0);
        self.bits.push(bits);
        self.ends.push(match self.value_type {
            ValueType::Vector(_) => self.numbers.len(),
            _ => self.bytes.len(),
        });
    }

    /// Adds the bytes of a value; `None`: they are none of the type.
    #[inline]
    pub(crate) fn push_raw(&mut self, raw: &[u8]) -> Option<()> {
        match self.value_type {
            ValueType::Text if !is_text(raw) => return None,
            ValueType::Text | ValueType::Bytes => self.bytes.extend_from_slice(raw),
            ValueType::Vector(dim) => {
                let (numbers, rest) = raw.as_chunks();
                if numbers.len() != narrow(dim.into()) || !rest.is_empty() {
                    return None;
                }
                self.numbers.extend(numbers.iter().map(|number| f32::from_le_bytes(*number)));
            }
            _ => return None,
        }
        Some(())
    }

    /// The type of the feature.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// How many versions there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.status.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.status.is_empty()
    }

    /// Which of the answers each version gives; [`Status::Missing`] is none of them.
    #[must_use]
    pub fn statuses(&self) -> &[Status] {
        &self.status
    }

    /// When each version became true, in microseconds, falling.
    #[must_use]
    pub fn event_times(&self) -> &[i64] {
        &self.event_times
    }

    /// The numbers as their bits, as [`Cells::bits`](crate::Cells::bits) tells them; 0 where the status
    /// is not [`Status::Value`], and for text, bytes and vectors.
    #[must_use]
    pub fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// The n-th version's fresh number, whatever its type: a boolean is 0 or 1, and an integer of more
    /// than 53 bits is rounded.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "it is said")]
    pub fn as_f64(&self, index: usize) -> Option<f64> {
        self.fresh(index)?;
        Some(match Value::from_bits(self.value_type, *self.bits.get(index)?)? {
            Value::Bool(bit) => f64::from(u8::from(bit)),
            Value::I64(number) => number as f64,
            Value::F32(number) => number.into(),
            Value::F64(number) => number,
            _ => return None,
        })
    }

    /// The n-th version's fresh text.
    #[must_use]
    pub fn as_text(&self, index: usize) -> Option<&str> {
        let is_text = self.value_type == ValueType::Text;
        if is_text { std::str::from_utf8(self.as_raw_bytes(index)?).ok() } else { None }
    }

    /// The n-th version's fresh bytes.
    #[must_use]
    pub fn as_bytes(&self, index: usize) -> Option<&[u8]> {
        if self.value_type == ValueType::Bytes { self.as_raw_bytes(index) } else { None }
    }

    /// The bytes of the n-th version's fresh text, in UTF-8, or of its fresh bytes.
    #[must_use]
    pub fn as_raw_bytes(&self, index: usize) -> Option<&[u8]> {
        let is_held = matches!(self.value_type, ValueType::Text | ValueType::Bytes);
        if is_held { self.bytes.get(self.fresh(index)?) } else { None }
    }

    /// The n-th version's fresh vector.
    #[must_use]
    pub fn as_vector(&self, index: usize) -> Option<&[f32]> {
        let is_vector = matches!(self.value_type, ValueType::Vector(_));
        if is_vector { self.numbers.get(self.fresh(index)?) } else { None }
    }

    /// Whether older versions may be gone, because the horizon was reached before all asked for were
    /// found.
    #[must_use]
    pub const fn stopped_at_horizon(&self) -> bool {
        self.stopped_at_horizon
    }

    /// When they were read.
    #[must_use]
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Where the value of a version lies among those of all, if it is fresh.
    fn fresh(&self, index: usize) -> Option<Range<usize>> {
        if *self.status.get(index)? != Status::Value {
            return None;
        }
        let before = index.checked_sub(1).and_then(|before| self.ends.get(before));
        Some(before.copied().unwrap_or(0)..*self.ends.get(index)?)
    }
}
