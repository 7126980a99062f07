//! Lists of integers side by side, read in place like a [`column`](crate::ints) of them.
//!
//! ```text
//! what a column of integers is; but value i of a list of which p integers lie before it is
//! base + scale * (slope * i + packed(p + i)), modulo 2^64
//! ```
//!
//! All lists have one head, so that a short list costs nothing but its packed integers, and they
//! rise alike: the slope begins anew with each list.

use crate::ints::{HAS_SCALE, HAS_SLOPE, gcd, pack};
use crate::wire::{Writer, wide};

/// Integers of several lists, one list after another.
#[derive(Clone, Copy, Debug)]
pub struct Lists<'a> {
    /// All integers.
    pub all: &'a [i64],
    /// How many each list has, at least one.
    pub counts: &'a [usize],
}

/// How lists are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The integer from which units are counted, and the least unit above the line.
    first: i64,
    low: i64,
    slope: i64,
    scale: u64,
    width: u32,
}

const RAW: Plan = Plan { first: 0, low: 0, slope: 0, scale: 1, width: 64 };

impl<'a> Lists<'a> {
    fn each(self) -> impl Iterator<Item = &'a [i64]> {
        let mut rest = self.all;
        self.counts.iter().map(move |count| {
            let (list, later) = rest.split_at_checked(*count).unwrap_or((rest, &[]));
            rest = later;
            list
        })
    }

    /// Whether all lists are the first one again.
    #[must_use]
    pub fn are_one(self) -> bool {
        let mut lists = self.each();
        lists.next().is_some_and(|first| lists.all(|list| list == first))
    }

    /// The way to write them that takes the least room.
    #[must_use]
    pub fn plan(self) -> Plan {
        let Some(&first) = self.all.first() else { return RAW };
        let mut scale = 0;
        for value in self.all {
            // What lies too far apart is written as it is.
            let Some(apart) = value.checked_sub(first) else { return RAW };
            if scale != 1 {
                scale = gcd(scale, apart.unsigned_abs());
            }
        }
        let scale = scale.max(1);
        let Ok(divisor) = i64::try_from(scale) else { return RAW };
        let unit = |value: &i64| units(value.wrapping_sub(first), divisor);
        let (mut rise, mut steps) = (0i128, 0i128);
        for list in self.each() {
            if let [one, .., last] = list {
                rise += i128::from(unit(last)) - i128::from(unit(one));
                steps += i128::try_from(list.len() - 1).unwrap_or(i128::MAX);
            }
        }
        let sloped = i64::try_from(rise / steps.max(1)).unwrap_or(0);
        let flat = self.above_line(0, unit);
        let (slope, (low, width)) = match self.above_line(sloped, unit) {
            Some(line) if flat.is_none_or(|flat| line.1 < flat.1) => (sloped, line),
            _ => match flat {
                Some(flat) => (0, flat),
                None => return RAW,
            },
        };
        Plan { first, low, slope, scale, width }
    }

    /// The least of what is left above the line, and how many bits the rest takes above that.
    fn above_line(self, slope: i64, unit: impl Fn(&i64) -> i64) -> Option<(i64, u32)> {
        let (mut low, mut high) = (i64::MAX, i64::MIN);
        for list in self.each() {
            let mut line = 0i64;
            for value in list {
                let above = unit(value).checked_sub(line)?;
                low = low.min(above);
                high = high.max(above);
                line = line.checked_add(slope)?;
            }
        }
        let width = 64 - high.wrapping_sub(low).cast_unsigned().leading_zeros();
        (width <= 57).then_some((low, width))
    }
}

/// How many times a divisor goes into what is its multiple. Mostly it is 1, and a division takes long.
#[inline]
const fn units(apart: i64, divisor: i64) -> i64 {
    if divisor == 1 { apart } else { apart / divisor }
}

impl Plan {
    /// The fewest bits that any integers take.
    pub(crate) const LEAST_BITS: u64 = 64;

    /// About how many bits so many integers take, written so.
    #[must_use]
    pub fn bits(&self, count: usize) -> u64 {
        wide(count) * u64::from(self.width) + if self.slope == 0 { Self::LEAST_BITS } else { 104 }
    }

    /// Writes lists of which this is the plan.
    pub fn write(&self, lists: Lists<'_>, out: &mut Vec<u8>) {
        let Self { first, low, slope, scale, width } = *self;
        let divisor = i64::try_from(scale).unwrap_or(1);
        out.put_varint(
            u64::from(width)
                | if slope == 0 { 0 } else { HAS_SLOPE }
                | if scale == 1 { 0 } else { HAS_SCALE },
        );
        out.put_zigzag(first.wrapping_add(low.wrapping_mul(divisor)));
        if slope != 0 {
            out.put_zigzag(slope);
        }
        if scale != 1 {
            out.put_varint(scale);
        }
        let packed = lists.each().flat_map(|list| {
            let mut line = low;
            list.iter().map(move |value| {
                let above = units(value.wrapping_sub(first), divisor).wrapping_sub(line);
                line = line.wrapping_add(slope);
                above.cast_unsigned()
            })
        });
        pack(out, width, packed);
    }
}

/// Writes lists in the least room.
pub fn encode(lists: Lists<'_>, out: &mut Vec<u8>) {
    if !lists.all.is_empty() {
        lists.plan().write(lists, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ints::Ints;
    use crate::wire::Reader;

    fn round_trip(lists: &[Vec<i64>]) -> usize {
        let all: Vec<i64> = lists.iter().flatten().copied().collect();
        let counts: Vec<usize> = lists.iter().map(Vec::len).collect();
        let mut out = Vec::new();
        encode(Lists { all: &all, counts: &counts }, &mut out);
        let len = out.len();
        out.extend_from_slice(&[0xff; 3]);
        let mut reader = Reader::new(&out);
        let packed = Ints::decode(&mut reader, all.len()).unwrap();
        assert_eq!(reader.position(), len);
        let mut before = 0;
        for list in lists {
            for (index, value) in list.iter().enumerate() {
                assert_eq!(packed.at(index, before + index), *value);
            }
            for limit in list.iter().flat_map(|value| [value.saturating_sub(1), *value]) {
                let expected = list.partition_point(|value| *value <= limit);
                if list.is_sorted() {
                    assert_eq!(packed.partition_of(before, list.len(), limit), expected);
                    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
                    let limit = packed.limit(longest, limit);
                    assert_eq!(packed.partition_within(before, list.len(), &limit), expected);
                }
            }
            before += list.len();
        }
        len
    }

    #[test]
    fn lists_that_rise_alike_cost_what_they_differ_by() {
        let hour = 3_600_000_000;
        let lists: Vec<Vec<i64>> = (0..20)
            .map(|n| (0..9).map(|i| 1_700_000_000_000_000 + hour * i + n).collect())
            .collect();
        assert!(round_trip(&lists) < 180 * 5 / 8 + 30);
    }

    #[test]
    fn the_ends_of_the_range_come_back_from_lists() {
        round_trip(&[]);
        round_trip(&[vec![i64::MIN], vec![i64::MAX]]);
        round_trip(&[vec![i64::MIN, 0, i64::MAX]]);
        round_trip(&[vec![0, 1 << 57], vec![5]]);
        round_trip(&[vec![0, (1 << 57) - 1], vec![5]]);
        round_trip(&[vec![-4, 0, 8], vec![i64::MAX - 3]]);
        round_trip(&[vec![0, i64::MAX], vec![0; 40]]);
    }

    proptest! {
        #[test]
        fn any_lists_come_back(lists in prop::collection::vec(prop::collection::vec(any::<i64>(), 1..9), 0..7)) {
            round_trip(&lists);
        }

        #[test]
        fn near_lists_come_back(
            base in any::<i64>(), step in -1000i64..1000,
            lists in prop::collection::vec(prop::collection::vec(0i64..97, 1..30), 1..9),
        ) {
            let lists: Vec<Vec<i64>> = lists.iter().map(|list| list.iter().zip(0i64..)
                .map(|(n, i)| base.wrapping_add(step * i).wrapping_add(*n)).collect()).collect();
            round_trip(&lists);
        }
    }
}
