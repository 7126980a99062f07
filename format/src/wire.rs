//! Reading and writing of small things: little-endian integers, varints, strings.
//!
//! ```text
//! varint   7 bits a byte, least significant first; the top bit says that more follow; at most
//!          10 bytes, no superfluous last byte
//! zigzag   a signed integer n as the varint of (n << 1) ^ (n >> 63)
//! bytes    varint length, then so many bytes
//! ```

use std::fmt;

/// What a decoder found that no encoder writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where, in bytes from the start of what was decoded.
    pub at: u64,
    /// What was expected there.
    pub what: &'static str,
}

impl Malformed {
    /// A fault at a place.
    #[must_use]
    pub const fn new(at: u64, what: &'static str) -> Self {
        Self { at, what }
    }

    /// The same fault, seen from a place so many bytes earlier.
    #[must_use]
    pub const fn offset(self, by: u64) -> Self {
        Self { at: self.at.saturating_add(by), what: self.what }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.what, self.at)
    }
}

impl std::error::Error for Malformed {}

/// The result of decoding.
pub type Decoded<T> = Result<T, Malformed>;

/// A `usize` as `u64`; no platform has a wider one.
#[must_use]
#[inline]
pub const fn wide(n: usize) -> u64 {
    n as u64
}

/// A `u64` as `usize`, or the largest one, which no slice reaches.
#[must_use]
#[inline]
pub fn narrow(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

const A_VARINT: &str = "a varint of at most 10 bytes without a superfluous one";

/// The bits that say that a varint goes on.
const TOP_BITS: u64 = 0x8080_8080_8080_8080;

/// The groups of seven bits of up to eight bytes, side by side.
#[inline]
const fn joined(bytes: u64) -> u64 {
    let sevens = bytes & !TOP_BITS;
    let pairs = (sevens & 0x007f_007f_007f_007f) | (sevens & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    (fours & 0x0fff_ffff) | (fours & 0x0fff_ffff_0000_0000) >> 4
}

/// Reads from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads this slice from its front.
    #[must_use]
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    #[must_use]
    #[inline]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    #[must_use]
    #[inline]
    pub const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// All that is left.
    #[must_use]
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// A fault at the place reached.
    #[must_use]
    #[inline]
    pub const fn fault(&self, what: &'static str) -> Malformed {
        Malformed::new(wide(self.at), what)
    }

    /// The next `len` bytes.
    #[inline]
    pub fn take(&mut self, len: usize) -> Decoded<&'a [u8]> {
        let end = self.at.checked_add(len).ok_or(self.fault("a length within the input"))?;
        let slice = self.bytes.get(self.at..end).ok_or(self.fault("more bytes than there are"))?;
        self.at = end;
        Ok(slice)
    }

    /// The next bytes as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let fault = self.fault("more bytes than there are");
        self.take(N)?.try_into().map_err(|_| fault)
    }

    /// A byte.
    #[inline]
    pub fn u8(&mut self) -> Decoded<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A little-endian `u16`.
    #[inline]
    pub fn u16(&mut self) -> Decoded<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// A little-endian `u32`.
    #[inline]
    pub fn u32(&mut self) -> Decoded<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A little-endian `u64`.
    #[inline]
    pub fn u64(&mut self) -> Decoded<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A little-endian `i64`.
    #[inline]
    pub fn i64(&mut self) -> Decoded<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A varint.
    #[inline(always)]
    pub fn varint(&mut self) -> Decoded<u64> {
        // Most have one byte.
        if let Some(byte) = self.bytes.get(self.at)
            && *byte < 0x80
        {
            self.at += 1;
            return Ok(u64::from(*byte));
        }
        // All of up to eight bytes at once, where the input goes on for so long.
        if let Some(eight) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let window = u64::from_le_bytes(*eight);
            let ends = !window & TOP_BITS;
            if ends != 0 {
                let len = ends.trailing_zeros() / 8 + 1;
                let own = window & (u64::MAX >> (64 - 8 * len));
                if len > 1 && own >> (8 * len - 8) == 0 {
                    return Err(self.fault(A_VARINT));
                }
                self.at += len as usize;
                return Ok(joined(own));
            }
        }
        self.varint_by_bytes()
    }

    /// A varint of nine or ten bytes, or near the end of the input.
    #[inline(never)]
    fn varint_by_bytes(&mut self) -> Decoded<u64> {
        let start = self.fault(A_VARINT);
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && byte > 1 || shift > 0 && byte == 0 {
                return Err(start);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(start)
    }

    /// A varint that fits `u32`.
    #[inline]
    pub fn varint_u32(&mut self) -> Decoded<u32> {
        let fault = self.fault("a number below 2^32");
        u32::try_from(self.varint()?).map_err(|_| fault)
    }

    /// A varint that counts things of at least one byte each that follow.
    #[inline]
    pub fn count(&mut self) -> Decoded<usize> {
        let fault = self.fault("a count of no more things than there are bytes");
        let count = narrow(self.varint()?);
        if count > self.left() { Err(fault) } else { Ok(count) }
    }

    /// A zigzag varint.
    #[inline(always)]
    pub fn zigzag(&mut self) -> Decoded<i64> {
        self.varint().map(|raw| (raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()))
    }

    /// Bytes behind their length.
    #[inline]
    pub fn bytes(&mut self) -> Decoded<&'a [u8]> {
        let len = self.count()?;
        self.take(len)
    }

    /// UTF-8 behind its length in bytes.
    pub fn text(&mut self) -> Decoded<&'a str> {
        let fault = self.fault("UTF-8 text");
        std::str::from_utf8(self.bytes()?).map_err(|_| fault)
    }

    /// Nothing may be left.
    pub const fn end(&self) -> Decoded<()> {
        if self.left() == 0 { Ok(()) } else { Err(self.fault("the end of the input")) }
    }
}

/// Writes to the end of a buffer, in the forms that [`Reader`] reads.
pub trait Writer {
    /// A varint.
    fn put_varint(&mut self, value: u64);
    /// A zigzag varint.
    fn put_zigzag(&mut self, value: i64);
    /// Bytes behind their length.
    fn put_bytes(&mut self, bytes: &[u8]);
    /// A little-endian `u16`.
    fn put_u16(&mut self, value: u16);
    /// A little-endian `u32`.
    fn put_u32(&mut self, value: u32);
    /// A little-endian `u64`.
    fn put_u64(&mut self, value: u64);
    /// A little-endian `i64`.
    fn put_i64(&mut self, value: i64);
}

impl Writer for Vec<u8> {
    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(low_byte(value) | 0x80);
            value >>= 7;
        }
        self.push(low_byte(value));
    }

    fn put_zigzag(&mut self, value: i64) {
        self.put_varint(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_varint(wide(bytes.len()));
        self.extend_from_slice(bytes);
    }

    fn put_u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_i64(&mut self, value: i64) {
        self.extend_from_slice(&value.to_le_bytes());
    }
}

/// The lowest eight bits.
#[must_use]
pub const fn low_byte(value: u64) -> u8 {
    let [byte, ..] = value.to_le_bytes();
    byte
}

/// Eight bytes at a place, little-endian; those past the end count as zero.
#[must_use]
#[inline(always)]
pub fn window(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..at.wrapping_add(8)).and_then(<[u8]>::first_chunk) {
        Some(eight) => u64::from_le_bytes(*eight),
        None => window_at_the_end(bytes, at),
    }
}

#[cold]
fn window_at_the_end(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    // Both ends at once, which mostly overlap.
    if let (Some(low), Some(high)) = (rest.first_chunk(), rest.last_chunk()) {
        let (low, high) = (u32::from_le_bytes(*low), u32::from_le_bytes(*high));
        return u64::from(low) | u64::from(high) << (8 * (rest.len() - 4).min(4));
    }
    let byte = |at: usize| rest.get(at).map_or(0, |byte| u64::from(*byte) << (8 * at));
    byte(0) | byte(1) | byte(2)
}

/// An unsigned integer of `width` bytes (0 to 8), little-endian; bytes past the end count as zero.
#[must_use]
#[inline]
pub fn uint(bytes: &[u8], at: usize, width: usize) -> u64 {
    if width == 0 { 0 } else { window(bytes, at) & (u64::MAX >> (64 - 8 * width.min(8))) }
}

/// Writes the lowest `width` bytes (0 to 8) of a number, little-endian.
#[inline]
pub fn put_uint(out: &mut Vec<u8>, value: u64, width: usize) {
    let bytes = value.to_le_bytes();
    // Eight are copied faster than few.
    let len = out.len() + width.min(8);
    out.extend_from_slice(&bytes);
    out.truncate(len);
}

/// How many bytes hold a number: 0 for zero, 8 at the most.
#[must_use]
pub const fn uint_width(max: u64) -> usize {
    (64 - max.leading_zeros() as usize).div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_have_one_form() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            out.put_varint(value);
            assert_eq!(Reader::new(&out).varint(), Ok(value));
        }
        assert!(Reader::new(&[0x80, 0]).varint().is_err());
        assert!(Reader::new(&[0xff; 10]).varint().is_err());
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            out.put_zigzag(value);
            assert_eq!(Reader::new(&out).zigzag(), Ok(value));
        }
    }

    #[test]
    fn a_varint_is_read_otherwise_in_the_middle_of_the_input_than_at_its_end() {
        let mut seed = 7u64;
        for round in 0..20_000u32 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let mut bytes = Vec::new();
            bytes.put_varint(seed >> (round % 64));
            // One in four is bent, so that superfluous and unending ones are among them.
            if round % 4 == 0 {
                let len = bytes.len();
                bytes[(seed >> 7) as usize % len] ^= 0x80;
            }
            let at_the_end = Reader::new(&bytes).varint();
            let len = bytes.len();
            bytes.extend_from_slice(&[0; 8]);
            let mut reader = Reader::new(&bytes);
            let in_the_middle = reader.varint();
            if reader.position() <= len {
                assert_eq!(at_the_end.ok(), in_the_middle.ok(), "round {round}: {bytes:?}");
            } else {
                assert!(at_the_end.is_err(), "round {round}: {bytes:?}");
            }
        }
    }

    #[test]
    fn a_count_beyond_the_input_is_refused_before_anything_is_allocated() {
        let mut out = Vec::new();
        out.put_varint(1 << 40);
        assert!(Reader::new(&out).count().is_err());
    }

    #[test]
    fn short_integers_stop_at_the_end_of_the_input() {
        assert_eq!(uint(&[1, 2, 3], 1, 2), 0x0302);
        assert_eq!(uint(&[1, 2, 3], 2, 8), 3);
        assert_eq!(uint(&[1, 2, 3], 9, 8), 0);
        assert_eq!(uint_width(0), 0);
        assert_eq!(uint_width(255), 1);
        assert_eq!(uint_width(256), 2);
        assert_eq!(uint_width(u64::MAX), 8);
    }
}
