//! Keys of the key-value engines: entity and feature as big-endian numbers, and the event time
//! complemented, so that a feature's newest version comes first.
#![allow(dead_code, reason = "what is used depends on the peers that are built in")]

use crate::peers::peer::Cell;

/// Entity and feature.
pub const SERIES: usize = 10;

/// Entity, feature and event time.
pub const VERSION: usize = 18;

const SIGN: u64 = 1 << 63;

/// A time as bytes that fall as it rises.
pub fn descending(time: i64) -> [u8; 8] {
    (!(time.cast_unsigned() ^ SIGN)).to_be_bytes()
}

/// The time that such bytes stand for.
pub fn time_of(bytes: &[u8]) -> i64 {
    (!word(bytes) ^ SIGN).cast_signed()
}

fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The key of a feature of an entity.
pub fn series(entity: u32, feature: u16) -> [u8; SERIES] {
    let mut key = [0; SERIES];
    key[..8].copy_from_slice(&u64::from(entity).to_be_bytes());
    key[8..].copy_from_slice(&feature.to_be_bytes());
    key
}

/// The key of a version.
pub fn version(entity: u32, feature: u16, time: i64) -> [u8; VERSION] {
    let mut key = [0; VERSION];
    key[..SERIES].copy_from_slice(&series(entity, feature));
    key[SERIES..].copy_from_slice(&descending(time));
    key
}

/// The feature of a key, if it is one of the entity.
pub fn feature_of(key: &[u8], entity: u32) -> Option<usize> {
    if word(key) != u64::from(entity) {
        return None;
    }
    Some(usize::from(u16::from_be_bytes([*key.get(8)?, *key.get(9)?])))
}

/// Event time and value as the data of a key.
pub fn pair(time: i64, value: f64) -> [u8; 16] {
    let mut data = [0; 16];
    data[..8].copy_from_slice(&descending(time));
    data[8..].copy_from_slice(&value.to_bits().to_be_bytes());
    data
}

/// The value in some bytes.
pub fn value_of(bytes: &[u8]) -> f64 {
    f64::from_bits(word(bytes))
}

/// What such a pair says.
pub fn cell_of(pair: &[u8]) -> Cell {
    if pair.len() < 16 {
        return Cell::MISSING;
    }
    Cell { time: time_of(pair), value: value_of(&pair[8..]) }
}
