//! A column of values of one feature, with random access.
//!
//! ```text
//! u8  form
//! 0   no value at all
//! 1   integers: bits of bool and i64, raw bits of floats        ints
//! 2   f64 as scaled decimals                                     u8 exponent, ints; m / 10^exponent
//! 3   f32 as scaled decimals                                     u8 exponent, ints; m / 10^exponent
//! 4   bytes in place                                             ints of ends, then the bytes
//! 5   the same bytes for every value                             bytes
//! 6   bytes in blocks of the entity's heap
//!         ints      ends of the values in the column's bytes
//!         varint    block count, at least 1
//!         ints      the first value of each block
//!         varint    where the first block begins in the heap
//!         ints      where each block ends in the heap
//! ```
//!
//! What has no value (null, deleted, stub) takes part as the value before it, or as no bytes. A
//! block is a zstd frame of whole values, so that one read decompresses one block, of up to
//! [`SHORT_BLOCK_LEN`] or [`BLOCK_LEN`] bytes or one value.

mod blocks;
mod encode;

use self::blocks::Blocks;
pub use self::blocks::{BackInBlock, Block, decompress};
pub use self::encode::{Numbers, encode};
pub(crate) use self::encode::{Wholes, f64_mantissa};
use crate::ints::Ints;
use crate::wire::{Decoded, Malformed, Reader, narrow};

/// How many bytes a long block of the heap holds at most before compression, unless it is one value.
pub const BLOCK_LEN: usize = 32 << 10;

/// The same of a short one.
pub const SHORT_BLOCK_LEN: usize = 8 << 10;

/// Columns of up to so many bytes stay in place instead of in the heap.
pub const IN_PLACE_LEN: usize = 512;

const COMPRESSION_LEVEL: i32 = 3;
pub(crate) const MAX_EXPONENT: u8 = 9;
const NO_VALUES: u8 = 0;
const INTEGERS: u8 = 1;
const DECIMAL_F64: u8 = 2;
const DECIMAL_F32: u8 = 3;
const IN_PLACE: u8 = 4;
const SAME_BYTES: u8 = 5;
const IN_BLOCKS: u8 = 6;

/// Where the bytes of a value are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// There is no value.
    None,
    /// The number itself.
    Bits(u64),
    /// In the chunk, in bytes from the start of what the column was decoded from.
    InPlace {
        /// Where it starts.
        start: usize,
        /// Where it ends.
        end: usize,
    },
    /// In a block of the entity's heap.
    Block(InBlock),
}

/// A value in a compressed block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InBlock {
    /// Where the block starts in the entity's heap.
    pub block_start: usize,
    /// Where it ends.
    pub block_end: usize,
    /// How long the block is when decompressed.
    pub block_len: usize,
    /// Where the value starts in the decompressed block.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// A column of values, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    form: Form<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    None,
    Numbers(NumberValues<'a>),
    InPlace { ends: Ints<'a>, start: usize, len: usize },
    Same { start: usize, end: usize },
    Blocks(Blocks<'a>),
}

impl<'a> Values<'a> {
    /// Reads a column of so many values; the reader is then behind it. Places in the chunk count
    /// from the reader's start.
    #[inline]
    pub fn decode(reader: &mut Reader<'a>, count: usize) -> Decoded<Self> {
        let fault = reader.fault("a form of values");
        let form = match reader.u8()? {
            NO_VALUES => Form::None,
            form @ (INTEGERS | DECIMAL_F64 | DECIMAL_F32) => {
                Form::Numbers(NumberValues::of_form(form, reader, count)?)
            }
            IN_PLACE => {
                let ends = Ints::decode(reader, count)?;
                let bad = reader.fault("ends of values");
                let len = match count.checked_sub(1) {
                    Some(last) => usize::try_from(ends.get(last)).map_err(|_| bad)?,
                    None => 0,
                };
                let start = reader.position();
                reader.take(len)?;
                Form::InPlace { ends, start, len }
            }
            SAME_BYTES => {
                let bytes = reader.bytes()?;
                Form::Same { start: reader.position() - bytes.len(), end: reader.position() }
            }
            IN_BLOCKS => {
                let ends = Ints::decode(reader, count)?;
                let bad = reader.fault("a count of blocks of at most one a value");
                let blocks = narrow(reader.varint()?);
                if blocks == 0 || blocks > count {
                    return Err(bad);
                }
                let firsts = Ints::decode(reader, blocks)?;
                let heap_start = narrow(reader.varint()?);
                let block_ends = Ints::decode(reader, blocks)?;
                Form::Blocks(Blocks { ends, firsts, heap_start, block_ends })
            }
            _ => return Err(fault),
        };
        Ok(Self { form })
    }

    /// Where the i-th value is.
    #[inline]
    pub fn place(&self, index: usize) -> Decoded<Place> {
        Ok(match &self.form {
            Form::None => Place::None,
            Form::Numbers(numbers) => Place::Bits(numbers.bits(index)),
            Form::InPlace { ends, start, len } => {
                let (from, to) = between(ends, index, 0)?;
                if to > *len {
                    return Err(Malformed::new(0, "the end of a value within its column"));
                }
                Place::InPlace { start: start + from, end: start + to }
            }
            Form::Same { start, end } => Place::InPlace { start: *start, end: *end },
            Form::Blocks(blocks) => blocks.of(index)?.place(blocks, index)?,
        })
    }

    /// As [`Values::place`], for who mostly asks for values beside the one that was asked for last.
    #[inline]
    pub fn place_near(&self, index: usize, last: &mut Option<Block>) -> Decoded<Place> {
        let Form::Blocks(blocks) = &self.form else { return self.place(index) };
        let block = match last {
            Some(block) if block.holds(index) => block,
            _ => last.insert(blocks.of(index)?),
        };
        block.place(blocks, index)
    }

    /// Whether the values lie in blocks.
    #[must_use]
    #[inline]
    pub const fn are_in_blocks(&self) -> bool {
        matches!(self.form, Form::Blocks(_))
    }

    /// The values below one, down to the first of the block that was asked for last, if that holds it.
    #[inline]
    pub fn below(&self, index: usize, last: Option<&Block>) -> Decoded<Option<BackInBlock<'a>>> {
        match (&self.form, last.filter(|block| block.holds(index))) {
            (Form::Blocks(blocks), Some(block)) => {
                BackInBlock::below(blocks, block, index).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// How the numbers of a column that lies beside others come from integers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumberCode {
    form: u8,
    exponent: u8,
}

impl NumberCode {
    /// `None`: there is no such code.
    #[inline(always)]
    pub(crate) fn of(code: i64) -> Option<Self> {
        let code = u8::try_from(code).ok()?;
        let (form, exponent) = (code & 15, code >> 4);
        let is_known = match form {
            INTEGERS => exponent == 0,
            DECIMAL_F64 | DECIMAL_F32 => exponent <= MAX_EXPONENT,
            _ => false,
        };
        is_known.then_some(Self { form, exponent })
    }

    /// Whether the number is such an integer, or a double made of it.
    #[inline(always)]
    pub(crate) fn is_f64_or_integer(self) -> bool {
        matches!(self.form, DECIMAL_F64 | INTEGERS)
    }

    /// By what integers are divided, if that is all that makes an `f64` of them.
    #[inline(always)]
    pub(crate) fn divisor(self) -> Option<f64> {
        (self.form == DECIMAL_F64).then(|| power_of_ten(self.exponent))
    }

    /// The bits of the number that an integer stands for.
    #[inline(always)]
    pub(crate) fn bits(self, whole: i64) -> u64 {
        match self.form {
            DECIMAL_F64 => f64_from(whole, self.exponent),
            DECIMAL_F32 => f32_from(whole, self.exponent),
            _ => whole.cast_unsigned(),
        }
    }
}

/// A column of numbers, read in place: what [`Values`] is for a reader who knows that they are
/// numbers.
#[derive(Clone, Copy, Debug)]
pub struct NumberValues<'a> {
    form: u8,
    exponent: u8,
    base: i64,
    /// How many numbers of other columns lie before them.
    before: usize,
    all: Ints<'a>,
}

impl<'a> NumberValues<'a> {
    /// Reads a column of so many values; `None` if they are no numbers, and the reader is then
    /// within the column.
    #[inline(always)]
    pub fn decode(reader: &mut Reader<'a>, count: usize) -> Decoded<Option<Self>> {
        match reader.u8()? {
            form @ (INTEGERS | DECIMAL_F64 | DECIMAL_F32) => {
                Self::of_form(form, reader, count).map(Some)
            }
            _ => Ok(None),
        }
    }

    #[inline(always)]
    fn of_form(form: u8, reader: &mut Reader<'a>, count: usize) -> Decoded<Self> {
        let exponent = if form == INTEGERS { 0 } else { exponent(reader)? };
        let all = Ints::decode(reader, count)?;
        Ok(Self { form, exponent, base: 0, before: 0, all })
    }

    /// Those of one column among numbers that lie side by side, of which so many lie before its own.
    #[inline(always)]
    pub(crate) const fn beside(code: NumberCode, base: i64, before: usize, all: Ints<'a>) -> Self {
        Self { form: code.form, exponent: code.exponent, base, before, all }
    }

    /// The bits of the i-th number.
    #[must_use]
    #[inline(always)]
    pub fn bits(&self, index: usize) -> u64 {
        let rest = self.all.at(index, self.before.saturating_add(index));
        let code = NumberCode { form: self.form, exponent: self.exponent };
        code.bits(self.base.wrapping_add(rest))
    }
}

impl<'a> From<NumberValues<'a>> for Values<'a> {
    fn from(numbers: NumberValues<'a>) -> Self {
        Self { form: Form::Numbers(numbers) }
    }
}

#[inline]
fn exponent(reader: &mut Reader<'_>) -> Decoded<u8> {
    let fault = reader.fault("a power of ten up to nine");
    let exponent = reader.u8()?;
    if exponent > MAX_EXPONENT { Err(fault) } else { Ok(exponent) }
}

#[inline]
fn between(ends: &Ints<'_>, index: usize, start: usize) -> Decoded<(usize, usize)> {
    let end = |index| usize::try_from(ends.get(index)).ok();
    let from = if index == 0 { Some(start) } else { end(index - 1) };
    match from.zip(end(index)) {
        Some((from, to)) if from <= to => Ok((from, to)),
        _ => Err(Malformed::new(0, "ascending ends")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "encoders write mantissas that f64 holds exactly")]
#[inline(always)]
pub(crate) fn decimal(mantissa: i64, power: f64) -> f64 {
    mantissa as f64 / power
}

#[inline]
pub(crate) fn f64_from(mantissa: i64, exponent: u8) -> u64 {
    decimal(mantissa, power_of_ten(exponent)).to_bits()
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the meaning of the form")]
#[inline]
fn f32_from(mantissa: i64, exponent: u8) -> u64 {
    u64::from((decimal(mantissa, power_of_ten(exponent)) as f32).to_bits())
}

#[inline]
pub(crate) fn power_of_ten(exponent: u8) -> f64 {
    const POWERS: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
    POWERS.get(usize::from(exponent)).copied().unwrap_or(1.0)
}

fn signed(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::encode::rounded;
    use super::*;
    use crate::revision::Payload;

    fn round_trip(payloads: &[Payload], numbers: Numbers) -> usize {
        let mut out = Vec::new();
        let mut heap = Vec::new();
        let all: Vec<&Payload> = payloads.iter().collect();
        encode(&all, numbers, &mut out, &mut heap);
        let column = Values::decode(&mut Reader::new(&out), payloads.len()).unwrap();
        let mut near = None;
        for index in (0..payloads.len()).rev().chain(0..payloads.len()) {
            assert_eq!(column.place_near(index, &mut near), column.place(index), "{index}");
            let mut below = index;
            for at in column.below(index, near.as_ref()).unwrap().into_iter().flatten() {
                let (at, bytes) = at.unwrap();
                let Place::Block(place) = column.place(at).unwrap() else { panic!("{at}") };
                assert_eq!((at, bytes), (below - 1, place.start..place.end));
                below = at;
            }
            let is_another = |at| column.place_near(at, &mut near.clone()) != column.place(at);
            assert!(below == 0 || !is_another(below - 1));
        }
        for (index, payload) in payloads.iter().enumerate() {
            let raw = match column.place(index).unwrap() {
                Place::None => Bytes::new(),
                Place::Bits(bits) => {
                    if let Payload::Bits(wanted) = payload {
                        assert_eq!(bits, *wanted, "{index}");
                    }
                    continue;
                }
                Place::InPlace { start, end } => Bytes::copy_from_slice(&out[start..end]),
                Place::Block(at) => decompress(&heap[at.block_start..at.block_end], at.block_len)
                    .unwrap()
                    .slice(at.start..at.end),
            };
            if let Payload::Raw(wanted) = payload {
                assert_eq!(&raw, wanted, "{index}");
            }
        }
        out.len() + heap.len()
    }

    fn floats(numbers: &[f64]) -> Vec<Payload> {
        numbers.iter().map(|number| Payload::Bits(number.to_bits())).collect()
    }

    #[test]
    fn floats_that_are_no_decimals_keep_their_bits() {
        round_trip(&floats(&[f64::NAN, -0.0, f64::INFINITY, 1e300, 5e-324]), Numbers::F64);
        round_trip(&floats(&[10.357019999999999, 8.05546]), Numbers::F64);
        round_trip(&[Payload::Bits(u64::from((-0.0f32).to_bits()))], Numbers::F32);
        let quiet = Payload::Bits(u64::from(f32::NAN.to_bits()));
        round_trip(&[quiet, Payload::Bits(u64::from(0.1f32.to_bits()))], Numbers::F32);
    }

    #[test]
    fn prices_take_about_their_own_digits() {
        let prices: Vec<f64> = (0..1000).map(|n| f64::from(10_000 + n % 128) / 100.0).collect();
        assert!(round_trip(&floats(&prices), Numbers::F64) < 900);
    }

    #[test]
    fn long_values_are_cut_into_blocks_and_come_back() {
        let texts: Vec<Payload> = (0..200)
            .map(|n| Payload::Raw(Bytes::from(format!("profile {n} ").repeat(n % 60 * 10))))
            .collect();
        assert!(round_trip(&texts, Numbers::Plain) < 60_000);
        let large = vec![
            Payload::Raw(Bytes::from(vec![7; 3 * BLOCK_LEN])),
            Payload::None,
            Payload::Raw(Bytes::from(vec![8; BLOCK_LEN])),
            Payload::Raw(Bytes::new()),
        ];
        round_trip(&large, Numbers::Plain);
    }

    /// The lengths of the blocks of a column.
    fn blocks_of(texts: &[String]) -> Vec<usize> {
        let payloads: Vec<Payload> =
            texts.iter().map(|text| Payload::Raw(Bytes::from(text.clone()))).collect();
        let (mut out, mut heap) = (Vec::new(), Vec::new());
        encode(&payloads.iter().collect::<Vec<_>>(), Numbers::Plain, &mut out, &mut heap);
        round_trip(&payloads, Numbers::Plain);
        let column = Values::decode(&mut Reader::new(&out), texts.len()).unwrap();
        let mut lengths: Vec<(usize, usize)> = (0..texts.len())
            .map(|index| match column.place(index).unwrap() {
                Place::Block(at) => (at.block_start, at.block_len),
                place => panic!("{place:?}"),
            })
            .collect();
        lengths.dedup();
        lengths.into_iter().map(|(_, len)| len).collect()
    }

    /// A number that looks random.
    fn scattered(n: usize) -> u64 {
        (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23).wrapping_mul(0xbf58_476d)
    }

    #[test]
    fn one_event_costs_a_long_block_though_short_ones_are_hardly_larger() {
        let event = |n| {
            format!("{{\"item\":{},\"session\":\"{:x}\"}}", scattered(n) % 10_000, scattered(n))
        };
        for count in [600, 5_000] {
            let lengths = blocks_of(&(0..count).map(event).collect::<Vec<_>>());
            assert!(lengths.iter().all(|len| *len <= SHORT_BLOCK_LEN), "{lengths:?}");
            assert!(lengths.len() > 1, "{lengths:?}");
        }
    }

    /// Of the two short blocks that are compared the second one went on behind the long one.
    #[test]
    fn a_value_at_the_end_of_a_long_block_is_written_twice() {
        const KIB: usize = 1 << 10;
        let of_len = |(n, len): (usize, usize)| {
            let letters = (0..len).map(|at| scattered(n * 100_003 + at / 2).to_le_bytes()[at % 2]);
            Payload::Raw(letters.collect::<Vec<u8>>().into())
        };
        let mut lengths = vec![
            vec![28 * KIB, 3 * KIB, 3 * KIB, KIB],
            vec![32 * KIB, 0, 32 * KIB],
            vec![0, 40 * KIB, 0, 0, 20 * KIB, 9 * KIB, 9 * KIB, 0],
        ];
        for seed in 0..60 {
            let most = [700, 9 * KIB, 34 * KIB][seed % 3];
            let len = |n| narrow(scattered(seed * 100 + n)) % most * usize::from(n % 5 != 0);
            lengths.push((0..40).map(len).collect());
        }
        for lengths in lengths {
            let payloads: Vec<Payload> = lengths.into_iter().enumerate().map(of_len).collect();
            round_trip(&payloads, Numbers::Plain);
        }
    }

    /// The choice rested on the oldest values alone.
    #[test]
    fn what_is_written_since_a_change_is_cut_as_what_was_before() {
        let random = |n: usize| (0..20).map(|at| format!("{:x}", scattered(n * 20 + at))).collect();
        let profile: String = (0..150).map(|n| format!("{:x} ", scattered(n))).collect();
        let same = |n: usize| format!("{profile}{n}");
        let texts: Vec<String> = (0..170).map(random).chain((0..400).map(same)).collect();
        let lengths = blocks_of(&texts);
        let of_profiles = lengths.get(lengths.len() - 20..).unwrap_or_default();
        assert!(of_profiles.iter().all(|len| *len > SHORT_BLOCK_LEN), "{lengths:?}");
        let long = "x".repeat(BLOCK_LEN + 1);
        let texts: Vec<String> = std::iter::once(long).chain((0..500).map(random)).collect();
        let lengths = blocks_of(&texts);
        assert!(lengths.iter().skip(1).all(|len| *len <= SHORT_BLOCK_LEN), "{lengths:?}");
    }

    #[test]
    fn profiles_that_hardly_change_take_the_room_of_each_anew() {
        let profile: String = (0..60).map(|n| format!("{:x} ", scattered(n))).collect();
        for count in [20, 400] {
            let profiles: Vec<_> = (0..count).map(|n| format!("{profile}{n}")).collect();
            let lengths = blocks_of(&profiles);
            let (_, but_the_last) = lengths.split_last().unwrap();
            assert!(but_the_last.iter().all(|len| *len > SHORT_BLOCK_LEN), "{lengths:?}");
        }
    }

    #[test]
    fn a_block_of_several_frames_is_taken_for_one() {
        let frame = |bytes: &[u8]| zstd::bulk::compress(bytes, COMPRESSION_LEVEL).unwrap();
        let (one, empty) = (frame(b"value"), frame(b""));
        assert_eq!(decompress(&one, 5).unwrap(), "value");
        assert_eq!(decompress(&empty, 0).unwrap(), "");
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
        for (parts, len) in [
            ([one.as_slice(), &one], 10),
            ([&one, &empty], 5),
            ([&empty, &one], 5),
            ([&empty, &empty], 0),
            ([&one, &skippable], 5),
            ([&skippable, &one], 5),
            ([&skippable, &[]], 0),
            ([&one, b"x"], 5),
        ] {
            assert!(decompress(&parts.concat(), len).is_err(), "{parts:?}");
        }
    }

    proptest! {
        #[test]
        fn halves_are_rounded_as_ever(bits in any::<u64>(), whole in -9_000_000_000_000_000i64..=9_000_000_000_000_000) {
            let near = [-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0].map(|part| whole as f64 + part);
            let few = near.map(|number| number / 1e12);
            for number in near.into_iter().chain(few).chain([f64::from_bits(bits)]) {
                let scaled = number.round();
                let wanted = if scaled.abs() > 9e15 { None } else { Some(scaled as i64) };
                assert_eq!(rounded(number), wanted, "{number}");
            }
        }

        #[test]
        fn any_numbers_come_back(bits in prop::collection::vec(prop::option::of(any::<u64>()), 1..40)) {
            let payloads: Vec<Payload> =
                bits.iter().map(|bits| bits.map_or(Payload::None, Payload::Bits)).collect();
            round_trip(&payloads, Numbers::F64);
            round_trip(&payloads, Numbers::Plain);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), count in 0usize..20) {
            if let Ok(column) = Values::decode(&mut Reader::new(&bytes), count) {
                for index in 0..count {
                    drop(column.place(index));
                }
            }
        }
    }
}
