//! Writes columns of values: of every one the form that takes the least room.

use crate::ints;
use crate::revision::Payload;
use crate::wire::{Writer, wide};

use super::blocks::BlocksOut;
use super::{
    DECIMAL_F32, DECIMAL_F64, IN_BLOCKS, IN_PLACE, IN_PLACE_LEN, INTEGERS, MAX_EXPONENT, NO_VALUES,
    SAME_BYTES, f32_from, f64_from, power_of_ten, signed,
};

/// How the bits of a feature's numbers may be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Numbers {
    /// As the integers they are.
    Plain,
    /// As `f64`, in decimals if that is exact.
    F64,
    /// As `f32`, in decimals if that is exact.
    F32,
}

/// Writes a column; long bytes go to the entity's heap.
pub fn encode(payloads: &[&Payload], numbers: Numbers, out: &mut Vec<u8>, heap: &mut Vec<u8>) {
    match Wholes::of(payloads, numbers) {
        None => encode_raw(payloads, out, heap),
        Some(wholes) if wholes.are_none => out.push(NO_VALUES),
        Some(wholes) => wholes.encode(out),
    }
}

/// Numbers as the integers that they are written as.
#[derive(Debug)]
pub(crate) struct Wholes {
    form: u8,
    exponent: u8,
    /// There is no value at all.
    pub(crate) are_none: bool,
    /// One a value.
    pub(crate) wholes: Vec<i64>,
}

impl Wholes {
    /// Those of a column; `None` if it holds bytes.
    pub(crate) fn of(payloads: &[&Payload], numbers: Numbers) -> Option<Self> {
        if payloads.iter().any(|payload| matches!(payload, Payload::Raw(_))) {
            return None;
        }
        let bits = fill_gaps(payloads);
        let decimals = match numbers {
            Numbers::Plain => None,
            Numbers::F64 => decimals(&bits, f64_mantissa).map(|found| (DECIMAL_F64, found)),
            Numbers::F32 => decimals(&bits, f32_mantissa).map(|found| (DECIMAL_F32, found)),
        };
        let are_none = payloads.iter().all(|payload| matches!(payload, Payload::None));
        Some(match decimals {
            Some((form, (exponent, wholes))) => Self { form, exponent, are_none, wholes },
            None => {
                let wholes = bits.iter().map(|bits| bits.cast_signed()).collect();
                Self { form: INTEGERS, exponent: 0, are_none, wholes }
            }
        })
    }

    /// Writes them as a column of their own.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.form);
        if self.form != INTEGERS {
            out.push(self.exponent);
        }
        ints::encode(&self.wholes, out);
    }

    /// Form and exponent in one.
    pub(crate) fn code(&self) -> i64 {
        i64::from(self.form | self.exponent << 4)
    }
}

/// The bits of all rows: a row without a value takes those of the row before it.
fn fill_gaps(payloads: &[&Payload]) -> Vec<u64> {
    let mut last = payloads
        .iter()
        .find_map(|payload| if let Payload::Bits(bits) = payload { Some(*bits) } else { None })
        .unwrap_or_default();
    let filled = payloads.iter().map(|payload| {
        if let Payload::Bits(bits) = payload {
            last = *bits;
        }
        last
    });
    filled.collect()
}

/// The least exponent with which every number is exactly an integer over a power of ten.
fn decimals(bits: &[u64], mantissa: fn(u64, u8) -> Option<i64>) -> Option<(u8, Vec<i64>)> {
    let mut exponent = 0;
    let mut all = Vec::with_capacity(bits.len());
    // Where it began to be the exponent: what comes before is made anew.
    let mut since = 0;
    for &number in bits {
        let found = loop {
            if let Some(found) = mantissa(number, exponent) {
                break found;
            }
            exponent += 1;
            since = all.len();
            if exponent > MAX_EXPONENT {
                return None;
            }
        };
        all.push(found);
    }
    for (found, number) in all.iter_mut().zip(bits).take(since) {
        *found = mantissa(*number, exponent)?;
    }
    Some((exponent, all))
}

/// The nearest integer, of two the one farther from zero; `None` if `f64` may not hold it exactly.
/// That of NaN is some integer.
#[inline]
pub(super) fn rounded(number: f64) -> Option<i64> {
    if number.abs() > 9e15 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 9e15, checked above")]
    let whole = number as i64;
    #[expect(clippy::cast_precision_loss, reason = "at most 9e15, which is exact")]
    let rest = number - whole as f64;
    Some(whole + i64::from(rest >= 0.5) - i64::from(rest <= -0.5))
}

/// The integer that an `f64` is exactly over this power of ten.
pub(crate) fn f64_mantissa(bits: u64, exponent: u8) -> Option<i64> {
    let number = f64::from_bits(bits);
    // NaN fails below.
    let mantissa = rounded(number * power_of_ten(exponent))?;
    (f64_from(mantissa, exponent) == bits).then_some(mantissa)
}

fn f32_mantissa(bits: u64, exponent: u8) -> Option<i64> {
    let number = f64::from(f32::from_bits(u32::try_from(bits).ok()?));
    // NaN fails below.
    let mantissa = rounded(number * power_of_ten(exponent))?;
    (f32_from(mantissa, exponent) == bits).then_some(mantissa)
}

fn encode_raw(payloads: &[&Payload], out: &mut Vec<u8>, heap: &mut Vec<u8>) {
    let raw: Vec<&[u8]> = payloads
        .iter()
        .map(|payload| if let Payload::Raw(raw) = payload { raw.as_ref() } else { &[] })
        .collect();
    let all_alike = raw.windows(2).all(|pair| pair.first() == pair.last());
    if all_alike {
        out.push(SAME_BYTES);
        out.put_bytes(raw.first().copied().unwrap_or_default());
        return;
    }
    let ends = ends_of(raw.iter().map(|value| value.len()));
    let total: usize = raw.iter().map(|value| value.len()).sum();
    if total <= IN_PLACE_LEN {
        out.push(IN_PLACE);
        ints::encode(&ends, out);
        raw.iter().for_each(|value| out.extend_from_slice(value));
        return;
    }
    out.push(IN_BLOCKS);
    ints::encode(&ends, out);
    let start = heap.len();
    let blocks = BlocksOut::of(&raw, heap);
    out.put_varint(wide(blocks.firsts.len()));
    ints::encode(&blocks.firsts, out);
    out.put_varint(wide(start));
    ints::encode(&blocks.ends, out);
}

fn ends_of(lengths: impl Iterator<Item = usize>) -> Vec<i64> {
    let mut end = 0;
    let ends = lengths.map(|len| {
        end += signed(len);
        end
    });
    ends.collect()
}
