//! The directory of a table: from an entity to its head, and to "not here".
//!
//! ```text
//! u64      least hash B of the table's entities
//! u8       shift S
//! 7 bytes  zero
//! u64      number of rows N
//! u64      number of buckets K = ((greatest hash - B) >> S) + 1
//! starts   K + 1 u32: the first row of each bucket, and N
//! rows     N u64: low 32 bits of the hash (high half) | where the head begins, in the heads
//!          section (low half)
//! ```
//!
//! Rows ascend by (hash, entity). The bucket of a hash h is `(h - B) >> S`, for about four rows
//! each, so a look-up touches two lines, and where the low half of the hash is not among the
//! bucket's rows the entity is not in the table. An entity may have several rows beside one
//! another, where its versions would not fit in one.

use crate::hash::EntityHash;
use crate::wire::{Decoded, Malformed, Reader, Writer, narrow, wide, window};

/// The bytes before the bucket starts.
pub const FIXED_LEN: usize = 32;

/// Writes the directory of heads at these places, ascending by hash.
pub fn encode(rows: &[(EntityHash, u32)], out: &mut Vec<u8>) {
    let base = rows.first().map_or(0, |row| row.0.0);
    let last = rows.last().map_or(0, |row| row.0.0);
    let wanted = wide(rows.len()).div_ceil(4).max(1);
    let mut shift = 0u8;
    while shift < 63 && ((last - base) >> shift) >= wanted {
        shift += 1;
    }
    let buckets = ((last - base) >> shift) + 1;
    out.put_u64(base);
    out.push(shift);
    out.extend_from_slice(&[0; 7]);
    out.put_u64(wide(rows.len()));
    out.put_u64(buckets);
    let mut row = 0usize;
    for bucket in 0..=buckets {
        while rows.get(row).is_some_and(|(hash, _)| (hash.0 - base) >> shift < bucket) {
            row += 1;
        }
        let start = if bucket == buckets { rows.len() } else { row };
        out.put_u32(u32::try_from(start).unwrap_or(u32::MAX));
    }
    for (hash, head) in rows {
        out.put_u64(hash.0 << 32 | u64::from(*head));
    }
}

/// What the first bytes of a directory tell: how to find the rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Directory {
    base: u64,
    shift: u8,
    rows: usize,
    buckets: u64,
}

impl Directory {
    /// Reads the first [`FIXED_LEN`] bytes of a directory section of this length.
    pub fn decode(fixed: &[u8], section_len: u64) -> Decoded<Self> {
        let mut reader = Reader::new(fixed);
        let base = reader.u64()?;
        let shift = reader.u8()?;
        reader.take(7)?;
        let rows = reader.u64()?;
        let buckets = reader.u64()?;
        let expected = buckets
            .checked_add(1)
            .and_then(|starts| starts.checked_mul(4))
            .and_then(|starts| starts.checked_add(rows.checked_mul(8)?))
            .and_then(|len| len.checked_add(wide(FIXED_LEN)));
        if shift > 63 || buckets == 0 || expected != Some(section_len) || rows > u64::from(u32::MAX)
        {
            return Err(Malformed::new(0, "a directory as long as its counts tell"));
        }
        Ok(Self { base, shift, rows: narrow(rows), buckets })
    }

    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Where in the section the two bucket starts are that bound the rows of a hash, 8 bytes;
    /// `None`: it is not in the table.
    #[must_use]
    #[inline]
    pub fn bucket(&self, hash: EntityHash) -> Option<usize> {
        let bucket = hash.0.checked_sub(self.base)? >> self.shift;
        (bucket < self.buckets).then(|| FIXED_LEN + narrow(bucket) * 4)
    }

    /// The rows that the eight bytes at [`Directory::bucket`] bound.
    #[inline]
    pub fn bounds(&self, eight: &[u8]) -> Decoded<(usize, usize)> {
        let both = window(eight, 0);
        let (from, to) = (narrow(both & 0xffff_ffff), narrow(both >> 32));
        if from > to || to > self.rows {
            return Err(Malformed::new(wide(FIXED_LEN), "ascending starts of buckets"));
        }
        Ok((from, to))
    }

    /// Where in the section a row is, 8 bytes.
    #[must_use]
    #[inline]
    pub fn row_at(&self, row: usize) -> usize {
        FIXED_LEN + (narrow(self.buckets) + 1) * 4 + row * 8
    }

    /// The low half of the hash and the place of the head that a row of eight bytes tells.
    #[must_use]
    #[inline]
    pub fn row(eight: &[u8]) -> (u32, u32) {
        let row = window(eight, 0);
        let half = |n: u64| u32::try_from(n & 0xffff_ffff).unwrap_or_default();
        (half(row >> 32), half(row))
    }
}

/// The part of a hash that rows hold.
#[must_use]
#[inline]
pub fn fingerprint(hash: EntityHash) -> u32 {
    u32::try_from(hash.0 & 0xffff_ffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(bytes: &[u8], hash: EntityHash) -> Option<u32> {
        let directory = Directory::decode(bytes, wide(bytes.len())).unwrap();
        let at = directory.bucket(hash)?;
        let (from, to) = directory.bounds(&bytes[at..at + 8]).unwrap();
        (from..to).find_map(|row| {
            let at = directory.row_at(row);
            let (half, head) = Directory::row(&bytes[at..at + 8]);
            (half == fingerprint(hash)).then_some(head)
        })
    }

    #[test]
    fn every_entity_is_found_and_no_other() {
        for count in [1usize, 2, 3, 5, 1000] {
            let mut rows: Vec<(EntityHash, u32)> = (0..count)
                .map(|n| (EntityHash::of(format!("e{n}").as_bytes()), n as u32 * 10))
                .collect();
            rows.sort_unstable();
            let mut out = Vec::new();
            encode(&rows, &mut out);
            for (hash, head) in &rows {
                assert_eq!(find(&out, *hash), Some(*head));
            }
            for n in 0..1000 {
                assert_eq!(find(&out, EntityHash::of(format!("x{n}").as_bytes())), None);
            }
        }
    }

    #[test]
    fn the_extreme_hashes_have_buckets() {
        let rows = [(EntityHash(0), 1), (EntityHash(1), 2), (EntityHash(u64::MAX), 3)];
        let mut out = Vec::new();
        encode(&rows, &mut out);
        rows.iter().for_each(|(hash, head)| assert_eq!(find(&out, *hash), Some(*head)));
        assert_eq!(find(&out, EntityHash(1 << 63)), None);
    }
}
