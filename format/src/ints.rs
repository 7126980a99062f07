//! A column of integers with random access.
//!
//! ```text
//! varint   width (bits 0-6: 0..=57 or 64) | has slope (bit 7) | has scale (bit 8)
//! zigzag   base
//! zigzag   slope                 if it has one
//! varint   scale                 if it has one, at least 2
//! packed   count * width bits, value i at bit i * width, least significant first; whole bytes
//! ```
//!
//! A column of no integers takes no bytes. `value(i) = base + scale * (slope * i + packed(i))`, modulo 2^64. The count is known from
//! elsewhere. A constant column is a few bytes and a regular one (times an hour apart) is too: the
//! width is what is left after the line through the first and the last value. The smaller of the
//! forms with and without slope is written.

#[cfg(target_arch = "x86_64")]
pub(crate) mod lanes;

use std::hint::select_unpredictable;

use crate::wire::{Decoded, Malformed, Reader, Writer, low_byte, narrow, wide, window};

pub(crate) const HAS_SLOPE: u64 = 1 << 7;
pub(crate) const HAS_SCALE: u64 = 1 << 8;

/// Writes a column.
pub fn encode(values: &[i64], out: &mut Vec<u8>) {
    let Some((&first, rest)) = values.split_first() else { return };
    let mut scale = 0;
    for value in rest {
        scale = gcd(scale, value.abs_diff(first));
        if scale == 1 {
            break;
        }
    }
    let scale = scale.max(1);
    if encode_near(values, first, scale, out).is_none() {
        encode_wide(values, first, scale, out);
    }
}

/// Writes a column whose integers lie less than 2^61 apart, as nearly all do; nothing is written if
/// they do not.
fn encode_near(values: &[i64], first: i64, scale: u64, out: &mut Vec<u8>) -> Option<()> {
    let scale = i64::try_from(scale).ok()?;
    let (mut low, mut high) = (first, first);
    for value in values {
        low = low.min(*value);
        high = high.max(*value);
    }
    if high.abs_diff(low) >> 61 != 0 {
        return None;
    }
    // Mostly nothing is to be divided by, and units are but the distance from the first away.
    let scaled: Vec<i64>;
    let (units, origin) = if scale == 1 {
        (values, first)
    } else {
        scaled = values.iter().map(|value| value.wrapping_sub(first) / scale).collect();
        (scaled.as_slice(), 0)
    };
    let steps = i64::try_from(units.len()).ok()?.saturating_sub(1).max(1);
    // What lies on the line is less than 2^61 from the first, too.
    let slope = units.last()?.wrapping_sub(origin) / steps;
    let (flat, flat_width) = above(units, origin, 0);
    let (mut low, mut width) = above(units, origin, slope);
    let bits = |width: u32| wide(units.len()).saturating_mul(u64::from(width));
    let slope_bits =
        if slope == 0 { 0 } else { 8 + 2 * u64::from(64 - slope.abs().leading_zeros()) };
    let is_sloped = bits(width).saturating_add(slope_bits) < bits(flat_width);
    let slope = if is_sloped { slope } else { 0 };
    if !is_sloped {
        (low, width) = (flat, flat_width);
    }
    let base = first.checked_add(low.checked_mul(scale)?)?;
    let width = if width > 57 { 64 } else { width };
    let packed = units.iter().zip(0i64..).map(|(unit, index)| {
        let on_line = slope.wrapping_mul(index).wrapping_add(low);
        unit.wrapping_sub(origin).wrapping_sub(on_line).cast_unsigned()
    });
    write(out, width, base, slope, scale.cast_unsigned(), packed);
    Some(())
}

/// How far the lowest integer lies above a line from `origin` on, and how many bits it takes to tell
/// how far above that each is.
#[inline]
fn above(units: &[i64], origin: i64, slope: i64) -> (i64, u32) {
    let (mut low, mut high) = (i64::MAX, i64::MIN);
    let mut line = origin;
    for unit in units {
        let above = unit.wrapping_sub(line);
        low = low.min(above);
        high = high.max(above);
        line = line.wrapping_add(slope);
    }
    (low, 64 - high.abs_diff(low).leading_zeros())
}

/// Writes any column.
fn encode_wide(values: &[i64], first: i64, scale: u64, out: &mut Vec<u8>) {
    let count = values.len();
    let units: Vec<i128> = values
        .iter()
        .map(|&value| (i128::from(value) - i128::from(first)) / i128::from(scale))
        .collect();
    let flat = Line::through(&units, 0);
    let last = units.last().copied().unwrap_or_default();
    let steps = i128::try_from(count.saturating_sub(1)).unwrap_or(i128::MAX).max(1);
    let sloped = Line::through(&units, last / steps);
    let line = if sloped.cost(values.len()) < flat.cost(values.len()) { sloped } else { flat };
    let Some((low, slope)) = line.fits(first, scale) else {
        write(out, 64, 0, 0, 1, values.iter().map(|value| value.cast_unsigned()));
        return;
    };
    let width = if line.width > 57 { 64 } else { line.width };
    let packed = units.iter().enumerate().map(|(index, unit)| {
        let on_line = i128::from(slope) * i128::try_from(index).unwrap_or(0) + line.low;
        u64::try_from(unit - on_line).unwrap_or(0)
    });
    write(out, width, low, slope, scale, packed);
}

/// A line below all values: what is left above it is packed.
struct Line {
    slope: i128,
    low: i128,
    width: u32,
}

impl Line {
    fn through(units: &[i128], slope: i128) -> Self {
        let mut low = i128::MAX;
        let mut high = i128::MIN;
        for (index, unit) in units.iter().enumerate() {
            let above = unit - slope * i128::try_from(index).unwrap_or(0);
            low = low.min(above);
            high = high.max(above);
        }
        Self { slope, low, width: 128 - (high - low).leading_zeros() }
    }

    fn cost(&self, count: usize) -> u128 {
        let slope =
            if self.slope == 0 { 0 } else { 8 + 2 * (128 - self.slope.abs().leading_zeros()) };
        u128::from(self.width) * count as u128 + u128::from(slope)
    }

    /// The base and the slope if both can be written and the width is at most 64.
    fn fits(&self, first: i64, scale: u64) -> Option<(i64, i64)> {
        if self.width > 64 {
            return None;
        }
        let base = i128::from(first) + self.low * i128::from(scale);
        Some((i64::try_from(base).ok()?, i64::try_from(self.slope).ok()?))
    }
}

fn write(
    out: &mut Vec<u8>,
    width: u32,
    base: i64,
    slope: i64,
    scale: u64,
    packed: impl Iterator<Item = u64>,
) {
    let head = u64::from(width)
        | if slope == 0 { 0 } else { HAS_SLOPE }
        | if scale == 1 { 0 } else { HAS_SCALE };
    out.put_varint(head);
    out.put_zigzag(base);
    if slope != 0 {
        out.put_zigzag(slope);
    }
    if scale != 1 {
        out.put_varint(scale);
    }
    pack(out, width, packed);
}

/// Packs integers of so many bits each.
pub(crate) fn pack(out: &mut Vec<u8>, width: u32, packed: impl Iterator<Item = u64>) {
    if width == 0 {
        return;
    }
    let mut bits = 0u64;
    let mut held = 0;
    for value in packed {
        bits |= value << held;
        held += width;
        if held >= 64 {
            out.extend_from_slice(&bits.to_le_bytes());
            held -= 64;
            // What did not fit; nothing of it if the integer ended with the word.
            bits = value.checked_shr(width - held).unwrap_or(0);
        }
    }
    let left = bits.to_le_bytes();
    out.extend_from_slice(left.get(..held.div_ceil(8) as usize).unwrap_or_default());
}

/// The greatest common divisor, by halving: that takes no division.
pub(crate) fn gcd(mut a: u64, mut b: u64) -> u64 {
    if a == 0 || b == 0 {
        return a | b;
    }
    let twos = (a | b).trailing_zeros();
    a >>= a.trailing_zeros();
    while b != 0 {
        b >>= b.trailing_zeros();
        (a, b) = (a.min(b), a.abs_diff(b));
    }
    a << twos
}

/// A column, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Ints<'a> {
    packed: &'a [u8],
    count: usize,
    width: u32,
    /// The bits of a packed integer.
    mask: u64,
    base: i64,
    slope: i64,
    scale: i64,
}

impl<'a> Ints<'a> {
    /// Reads a column of so many integers; the reader is then behind it.
    #[inline(always)]
    pub fn decode(reader: &mut Reader<'a>, count: usize) -> Decoded<Self> {
        if count == 0 {
            return Ok(Self::none());
        }
        let fault = reader.fault("the head of a column of integers");
        let head = reader.varint()?;
        let width = u32::from(low_byte(head) & 0x7f);
        if head >= HAS_SCALE << 1 || width > 57 && width != 64 {
            return Err(fault);
        }
        let base = reader.zigzag()?;
        let slope = if head & HAS_SLOPE == 0 { 0 } else { reader.zigzag()? };
        let scale = if head & HAS_SCALE == 0 { 1 } else { reader.varint()? };
        if head & HAS_SCALE != 0 && scale < 2 {
            return Err(fault);
        }
        let scale = scale.cast_signed();
        let bits = wide(count).checked_mul(u64::from(width)).ok_or(fault)?;
        // The slice goes on to the end of the input, so that most windows are whole.
        let packed = reader.rest();
        reader.take(narrow(bits.div_ceil(8)))?;
        let mask = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
        Ok(Self { packed, count, width, mask, base, slope, scale })
    }

    /// A column of none.
    #[must_use]
    pub const fn none() -> Self {
        Self { packed: &[], count: 0, width: 0, mask: 0, base: 0, slope: 0, scale: 1 }
    }

    /// How many integers there are.
    #[must_use]
    #[inline]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The i-th integer. Past the end it is some integer.
    #[must_use]
    #[inline(always)]
    pub fn get(&self, index: usize) -> i64 {
        self.at(index, index)
    }

    /// The integer at a place, which is the i-th of its list: see [`lines`](crate::lines). Past the
    /// end it is some integer.
    #[must_use]
    #[inline(always)]
    pub fn at(&self, index: usize, place: usize) -> i64 {
        let line = self.slope.wrapping_mul(index.cast_signed() as i64);
        let units = line.wrapping_add(self.packed(place).cast_signed());
        self.base.wrapping_add(self.scale.wrapping_mul(units))
    }

    /// The one integer that all of them are, if it is told without packed ones.
    #[must_use]
    #[inline]
    pub const fn constant(&self) -> Option<i64> {
        if self.width == 0 && self.slope == 0 { Some(self.base) } else { None }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i64> + '_ {
        (0..self.count).map(|index| self.get(index))
    }

    /// The first index from which on all integers are above `limit`, if they ascend; some index
    /// up to the count if they do not.
    #[must_use]
    #[inline(always)]
    pub fn partition_above(&self, limit: i64) -> usize {
        self.partition_of(0, self.count, limit)
    }

    /// As [`Ints::partition_above`], of a list of so many integers before which so many lie.
    #[must_use]
    #[inline(always)]
    pub fn partition_of(&self, before: usize, count: usize, limit: i64) -> usize {
        // Where the limit lies is anybody's guess, so that a jump would be guessed wrong half of
        // the time: both ends are chosen without one.
        let (mut low, mut len) = (0, count);
        while len > 0 {
            let half = len / 2;
            let place = low + half;
            let is_up_to = self.at(place, before.wrapping_add(place)) <= limit;
            low = select_unpredictable(is_up_to, low + half + 1, low);
            len = select_unpredictable(is_up_to, len - half - 1, half);
        }
        low
    }
}

/// A limit that integers of a column, or of lists with one head, are held against: found out once
/// for all lists.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    limit: i64,
    /// `None`: sums may wrap, or fall.
    within: Option<Within>,
}

/// Where the first integer above a limit stands in a list of any length.
#[derive(Clone, Copy, Debug)]
struct Within {
    /// The greatest `slope * i + packed` that is not above the limit.
    units: i64,
    /// The indexes between which it stands.
    from: usize,
    to: usize,
}

impl Limit {
    /// Of lists that all have the first integer above it at an index, if they are that long.
    #[inline]
    pub(crate) const fn at(index: usize) -> Self {
        Self { limit: i64::MIN, within: Some(Within { units: -1, from: index, to: index }) }
    }

    /// Whether it is held against sums that neither wrap nor fall.
    #[inline]
    pub(crate) const fn is_certain(&self) -> bool {
        self.within.is_some()
    }
}

impl<'a> Ints<'a> {
    /// A limit for lists of up to so many integers.
    #[inline]
    #[must_use]
    pub fn limit(&self, longest: usize, limit: i64) -> Limit {
        Limit { limit, within: self.within(longest, limit) }
    }

    fn within(&self, longest: usize, limit: i64) -> Option<Within> {
        if self.width > 57 || self.slope < 0 || self.scale < 1 {
            return None;
        }
        let most_packed = (1i64 << self.width) - 1;
        let last = i64::try_from(longest.saturating_sub(1)).ok()?;
        // No sum wraps: the greatest one there can be is an integer like any other.
        let most = self.slope.checked_mul(last)?.checked_add(most_packed)?;
        self.base.checked_add(self.scale.checked_mul(most)?)?;
        let apart = limit.saturating_sub(self.base);
        if apart < 0 {
            return Some(Within { units: -1, from: 0, to: 0 });
        }
        // Where the difference is cut to what can be written, it is above all sums anyway.
        let units = if self.scale == 1 { apart } else { apart / self.scale };
        let (from, to) = if self.slope == 0 {
            (if units >= most_packed { longest } else { 0 }, longest)
        } else {
            let index = |units: i64| {
                let below = usize::try_from(units / self.slope);
                below.map_or(longest, |below| below.saturating_add(1)).min(longest)
            };
            (if units < most_packed { 0 } else { index(units - most_packed) }, index(units))
        };
        Some(Within { units, from, to })
    }

    /// As [`Ints::partition_of`], for a limit that was made by these integers' own
    /// [`Ints::limit`]. Which integers are looked at depends on the limit alone, so that who looks at
    /// several lists side by side is told the same, also where they do not ascend.
    #[must_use]
    #[inline(always)]
    pub fn partition_within(&self, before: usize, count: usize, limit: &Limit) -> usize {
        let Some(Within { units, from, to }) = limit.within else {
            return self.partition_of(before, count, limit.limit);
        };
        let (mut low, mut len) = (from, to.saturating_sub(from));
        while len > 0 {
            let half = len.div_ceil(2);
            let index = low + half - 1;
            let line = self.slope.wrapping_mul(index.cast_signed() as i64);
            let packed = self.packed(before.wrapping_add(index)).cast_signed();
            // What lies behind the end of a list is another's, and says nothing.
            let is_up_to = line.wrapping_add(packed) <= units && index < count;
            low = select_unpredictable(is_up_to, low + half, low);
            len -= half;
        }
        low.min(count)
    }

    /// A packed integer.
    #[inline(always)]
    fn packed(&self, place: usize) -> u64 {
        if self.mask == 0 {
            return 0;
        }
        // Past the end it is some integer.
        let bit = place.wrapping_mul(self.width as usize);
        (window(self.packed, bit / 8) >> (bit % 8)) & self.mask
    }
}

/// Reads a column and gives its integers.
pub fn decode_all(reader: &mut Reader<'_>, count: usize) -> Decoded<Vec<i64>> {
    // A constant column of any count is a few bytes: the count must be bounded by its caller.
    Ints::decode(reader, count).map(|column| column.iter().collect())
}

/// Refuses a count that no writer has, before anything is allocated for it.
pub fn check_count(count: u64, most: u64, at: usize) -> Decoded<usize> {
    if count > most {
        return Err(Malformed::new(wide(at), "a count within the limits of the format"));
    }
    Ok(narrow(count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lines;

    /// The same column, all of it in wide arithmetic and packed byte by byte.
    fn encoded_plainly(values: &[i64]) -> Vec<u8> {
        let mut out = Vec::new();
        let Some((&first, rest)) = values.split_first() else { return out };
        let divisor = rest.iter().fold(0, |mut a, value| {
            let mut b = value.abs_diff(first);
            while b != 0 {
                (a, b) = (b, a % b);
            }
            a
        });
        let scale = i128::from(divisor.max(1));
        let units: Vec<i128> =
            values.iter().map(|value| (i128::from(*value) - i128::from(first)) / scale).collect();
        let steps = (values.len() as i128 - 1).max(1);
        let (flat, sloped) =
            (Line::through(&units, 0), Line::through(&units, units.last().unwrap() / steps));
        let is_sloped = sloped.cost(values.len()) < flat.cost(values.len());
        let line = if is_sloped { sloped } else { flat };
        let place = |n: &i128, index: usize| n - line.slope * index as i128 - line.low;
        let (packed, width): (Vec<u64>, u32) = match line.fits(first, divisor.max(1)) {
            None => {
                write(&mut out, 0, 0, 0, 1, [].into_iter());
                out[0] = 64;
                (values.iter().map(|value| value.cast_unsigned()).collect(), 64)
            }
            Some((base, slope)) => {
                let width = if line.width > 57 { 64 } else { line.width };
                write(&mut out, 0, base, slope, divisor.max(1), [].into_iter());
                out[0] |= width as u8;
                (units.iter().enumerate().map(|(n, unit)| place(unit, n) as u64).collect(), width)
            }
        };
        let mut bits = vec![0u8; (values.len() * width as usize).div_ceil(8)];
        for bit in 0..values.len() * width as usize {
            let value = packed[bit / width as usize] >> (bit % width as usize) & 1;
            bits[bit / 8] |= (value as u8) << (bit % 8);
        }
        out.extend_from_slice(&bits);
        out
    }

    fn round_trip(values: &[i64]) -> usize {
        let mut out = Vec::new();
        encode(values, &mut out);
        assert_eq!(out, encoded_plainly(values), "{values:?}");
        let len = out.len();
        out.extend_from_slice(&[0xff; 3]);
        let mut reader = Reader::new(&out);
        let column = Ints::decode(&mut reader, values.len()).unwrap();
        assert_eq!(column.iter().collect::<Vec<_>>(), values);
        assert_eq!(reader.position(), len);
        // Others follow, or none: the last ones are then read from fewer than eight bytes.
        let column = Ints::decode(&mut Reader::new(&out[..len]), values.len()).unwrap();
        assert_eq!(column.iter().collect::<Vec<_>>(), values);
        len
    }

    #[test]
    fn what_is_constant_or_regular_costs_nothing_a_value() {
        assert!(round_trip(&[1_700_000_000_000_000; 1000]) < 12);
        let hourly: Vec<i64> =
            (0..1000).map(|n| 1_700_000_000_000_000 + n * 3_600_000_000).collect();
        assert!(round_trip(&hourly) < 22, "{}", round_trip(&hourly));
    }

    /// Times before 1970 that rise by one microsecond, and a question about the end of all time.
    #[test]
    fn a_limit_at_the_end_of_all_time_wraps() {
        let values: Vec<i64> = (-9..0).collect();
        let mut out = Vec::new();
        encode(&values, &mut out);
        let column = Ints::decode(&mut Reader::new(&out), values.len()).unwrap();
        for (limit, up_to) in [(i64::MAX, 9), (-1, 9), (-5, 5), (-10, 0), (i64::MIN, 0)] {
            let limit = column.limit(values.len(), limit);
            assert_eq!(column.partition_within(0, values.len(), &limit), up_to);
        }
    }

    /// Lists of an hour's steps, each step a while late: for each limit one of each list is in question, or,
    /// where a list is shorter, one of the next.
    #[test]
    fn a_limit_counts_the_integer_of_the_list_behind() {
        let lists: [&[i64]; 4] =
            [&[7, 3_609, 7_211, 10_855], &[300, 3_600], &[2_000], &[1, 4_000, 7_300]];
        let mut out = Vec::new();
        let all = lists.concat();
        lines::encode(lines::Lists { all: &all, counts: &[4, 2, 1, 3] }, &mut out);
        let column = Ints::decode(&mut Reader::new(&out), all.len()).unwrap();
        let around = all.iter().flat_map(|n| [n - 1, *n, n + 1]);
        for limit in around.chain([i64::MIN, -1, 0, 5_000, i64::MAX]) {
            let told = column.limit(4, limit);
            assert!(told.within.is_some());
            let mut before = 0;
            for list in lists {
                let expected = list.partition_point(|n| *n <= limit);
                assert_eq!(column.partition_within(before, list.len(), &told), expected);
                before += list.len();
            }
        }
        let after_two = Limit::at(2);
        assert_eq!([4, 1].map(|len| column.partition_within(0, len, &after_two)), [2, 1]);
    }

    /// So far apart that an integer is packed in 64 bits, of which the highest is set: it was once taken
    /// for one below any limit.
    #[test]
    fn an_integer_above_half_of_all_time_is_counted_by_an_index_that_is_known() {
        let mut out = Vec::new();
        encode(&[i64::MIN, -10, 0, 5], &mut out);
        let column = Ints::decode(&mut Reader::new(&out), 4).unwrap();
        assert_eq!(column.width, 64);
        for index in 0..5 {
            assert_eq!(column.partition_within(0, 4, &Limit::at(index)), index.min(4));
        }
    }

    #[test]
    fn the_ends_of_the_range_come_back() {
        round_trip(&[]);
        round_trip(&[i64::MIN]);
        round_trip(&[i64::MIN, i64::MAX]);
        round_trip(&[i64::MAX, i64::MIN, 0, -1, 1]);
        round_trip(&[i64::MIN, i64::MIN + 2, i64::MAX - 1]);
    }

    proptest! {
        #[test]
        fn any_column_comes_back(values in prop::collection::vec(any::<i64>(), 0..50)) {
            round_trip(&values);
        }

        #[test]
        fn columns_of_any_length_and_scale_come_back(
            (first, scale, spread) in (any::<i64>(), 1i64..1_000_000, 0u32..64),
            noise in prop::collection::vec(any::<i64>(), 0..150),
            step in any::<i32>(),
        ) {
            let value = |(n, i): (&i64, i64)| {
                first.wrapping_add((n >> spread).wrapping_add(i64::from(step) * i).wrapping_mul(scale))
            };
            round_trip(&noise.iter().zip(0i64..).map(value).collect::<Vec<_>>());
        }

        #[test]
        fn near_columns_come_back(
            base in any::<i64>(), step in -1000i64..1000, noise in prop::collection::vec(0i64..97, 1..90)
        ) {
            let values: Vec<i64> = noise.iter().zip(0i64..)
                .map(|(n, i)| base.wrapping_add(step * i).wrapping_add(*n)).collect();
            round_trip(&values);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), count in 0usize..100) {
            if let Ok(column) = Ints::decode(&mut Reader::new(&bytes), count) {
                column.iter().for_each(drop);
                let _ = column.partition_above(7);
                let _ = column.get(usize::MAX);
                let _ = column.at(usize::MAX, usize::MAX);
                let _ = column.partition_within(usize::MAX, count, &column.limit(count, 7));
            }
        }
    }
}
