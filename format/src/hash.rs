//! The hash that orders entities in tables, and the keyed hash that names an erased one.
//!
//! [`EntityHash`] is fixed for ever: tables are sorted by it and shards are ranges of it. It mixes
//! eight bytes at a time with a bijection, so that two entities of eight bytes never collide:
//!
//! ```text
//! h = length * M1
//! for each 8 bytes w, little-endian, the last one filled with zeros:  h = mix(h ^ w)
//! mix(x): x ^= x >> 32;  x *= M1;  x ^= x >> 29;  x *= M2;  x ^= x >> 32
//! M1 = 0x9e3779b97f4a7c15, M2 = 0xbf58476d1ce4e5b9, all modulo 2^64
//! ```

use std::fmt;
use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::wire::window;

const M1: u64 = 0x9e37_79b9_7f4a_7c15;
const M2: u64 = 0xbf58_476d_1ce4_e5b9;

/// Where an entity stands in the order of a table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntityHash(pub u64);

impl EntityHash {
    /// The hash of an entity's bytes.
    #[must_use]
    #[inline]
    pub fn of(entity: &[u8]) -> Self {
        let mut hash = (entity.len() as u64).wrapping_mul(M1);
        let mut at = 0;
        while at < entity.len() {
            hash = mix(hash ^ window(entity, at));
            at += 8;
        }
        Self(hash)
    }

    /// Whether two entities of this length in bytes are the same one if their hashes are: a hash of
    /// up to eight bytes can be turned back.
    ///
    /// ```
    /// use asofdb_format::hash::EntityHash;
    ///
    /// assert!(EntityHash::tells_entity(8) && !EntityHash::tells_entity(9));
    /// ```
    #[must_use]
    #[inline]
    pub const fn tells_entity(len: usize) -> bool {
        len <= 8
    }
}

impl fmt::Debug for EntityHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[inline]
const fn mix(mut x: u64) -> u64 {
    x ^= x >> 32;
    x = x.wrapping_mul(M1);
    x ^= x >> 29;
    x = x.wrapping_mul(M2);
    x ^ (x >> 32)
}

/// The store's secret for [`ErasedEntity`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EraseKey(pub [u8; 16]);

impl fmt::Debug for EraseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EraseKey(..)")
    }
}

/// An erased entity, named by `SipHash-2-4-128` under the store's key: the record of an erase does
/// not hold the entity itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErasedEntity(pub [u8; 16]);

impl ErasedEntity {
    /// The name of an entity under a key.
    #[must_use]
    pub fn of(key: &EraseKey, entity: &[u8]) -> Self {
        let mut hasher = SipHasher24::new_with_key(&key.0);
        hasher.write(entity);
        Self(hasher.finish128().as_bytes())
    }
}

impl fmt::Debug for ErasedEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_released_files_never_changes() {
        assert_eq!(EntityHash::of(b"").0, 0);
        let of = |entity: &[u8]| format!("{:?}", EntityHash::of(entity));
        assert_eq!(of(b"a"), "b4d7470440d7d08e");
        assert_eq!(of(b"customer-42"), "76a1768385eef379");
        assert_ne!(of(b"a"), of(b"a\0"));
        assert_ne!(of(b"12345678"), of(b"123456780"));
    }

    #[test]
    fn buckets_of_sequential_keys_are_even() {
        let mut buckets = [0u32; 64];
        for n in 0u64..64_000 {
            let hash = EntityHash::of(format!("customer-{n}").as_bytes()).0;
            buckets[(hash >> 58) as usize] += 1;
        }
        assert!(buckets.iter().all(|count| (800..1200).contains(count)), "{buckets:?}");
    }
}
