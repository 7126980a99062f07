//! What the parts are tried on.

use asofdb::EventTime;
use asofdb_format::ids::{Commit, KnownTime, SourceId};
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::value::Kind;

pub const HOUR: u64 = 3_600_000_000;
pub const START: u64 = 1_700_000_000_000_000;

/// Bits without a pattern.
pub fn mix(n: u64) -> u64 {
    let x = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// About an hour after the version before, in another minute for each feature.
pub fn time(feature: u64, version: u64) -> i64 {
    (START + version * HOUR + mix(feature << 32 | version) % 1_200_000_000).cast_signed()
}

/// A moment among so many hours.
pub fn moment(n: u64, hours: u64) -> EventTime {
    EventTime((START + mix(n) % (hours * HOUR)).cast_signed())
}

/// A random walk with two decimals.
pub fn walk(feature: u64, versions: u64) -> Vec<f64> {
    let mut cents = 50_000.0;
    let step = |version| {
        cents += (mix(feature << 20 | version) % 201) as f64 - 100.0;
        cents / 100.0
    };
    (0..versions).map(step).collect()
}

pub fn revision(at: i64, payload: Payload) -> Revision {
    let commit = at + 2_000_000;
    let order =
        Order { event_time: EventTime(at), known_time: KnownTime(commit), commit: Commit(commit) };
    Revision { order, kind: Kind::Value, source: SourceId::NONE, payload }
}

pub fn revisions(feature: u64, versions: u64) -> Vec<Revision> {
    let revision = |(version, value): (u64, f64)| {
        revision(time(feature, version), Payload::Bits(value.to_bits()))
    };
    (0..versions).zip(walk(feature, versions)).map(revision).collect()
}
