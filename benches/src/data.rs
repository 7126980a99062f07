//! Generated data whose every answer can be told again without keeping it.
//!
//! Data A: entities × features × versions of numbers. Version `v` of a feature is true about `v` hours after the
//! start, its own jitter of microseconds added; values are random walks with two decimals. Everything follows from
//! (entity, feature, version), so an answer is checked by computing it again.

use asofdb::{Batch, Durability, EventTime, FeatureId, FeatureSpec, Joined, Store, ValueType};

/// One hour in microseconds.
pub const HOUR: i64 = 3_600_000_000;

/// The shape of the data.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many entities.
    pub entities: u64,
    /// How many features each has.
    pub features: u64,
    /// How many versions each feature has.
    pub versions: u64,
    /// The event time before all versions.
    pub start: i64,
}

impl Shape {
    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.entities * self.features * self.versions
    }

    /// The name of an entity.
    pub fn entity(&self, entity: u64) -> [u8; 8] {
        // Numbers in another order than the one they are written in.
        mix(entity).to_le_bytes()
    }

    /// The event time of a version.
    pub fn event_time(&self, entity: u64, feature: u64, version: u64) -> i64 {
        let jitter = mix(entity ^ (feature << 40) ^ (version << 50)) % HOUR.unsigned_abs();
        self.start + version.cast_signed() * HOUR + jitter.cast_signed()
    }

    /// The value of a version.
    pub fn value(&self, entity: u64, feature: u64, version: u64) -> f64 {
        let mut cents = (mix(entity.wrapping_mul(31) ^ feature) % 100_000).cast_signed();
        for step in 1..=version {
            let drawn = mix(entity ^ (feature << 32) ^ (step << 48) ^ 0xabcd) % 201;
            cents += drawn.cast_signed() - 100;
        }
        f64::from(i32::try_from(cents).unwrap_or_default()) / 100.0
    }

    /// The version in force at a time, if any.
    pub fn version_at(&self, entity: u64, feature: u64, t: i64) -> Option<u64> {
        (0..self.versions).rev().find(|version| self.event_time(entity, feature, *version) <= t)
    }

    /// What a read tells of a version, and of none: value and event time.
    pub fn told(
        &self,
        entity: u64,
        feature: u64,
        version: Option<u64>,
    ) -> (Option<f64>, Option<EventTime>) {
        let version = version.map(|version| {
            let at = EventTime(self.event_time(entity, feature, version));
            (self.value(entity, feature, version), at)
        });
        version.unzip()
    }

    /// The n-th row of a shuffled spine: an entity and a moment.
    pub fn spine_row(&self, n: u64) -> (u64, EventTime) {
        let span = self.versions * HOUR.unsigned_abs();
        let t = self.start + (mix(n ^ 5) % span).cast_signed();
        (mix(n ^ 6) % self.entities, EventTime(t))
    }

    /// How many cells are wrong in what was joined of the spine from its n-th row on.
    pub fn wrong_in(&self, joined: &Joined, first: u64) -> usize {
        let mut wrong = 0;
        for (feature, column) in (0..self.features).zip(joined.columns()) {
            for (n, row) in (first..).zip(0..joined.rows()) {
                let (entity, t) = self.spine_row(n);
                let version = self.version_at(entity, feature, t.0);
                let value = column.value(row).and_then(|value| value.as_f64());
                let found = (value, column.event_time(row));
                wrong += usize::from(found != self.told(entity, feature, version));
            }
        }
        wrong
    }
}

/// Defines the features of a shape and tells their ids.
pub fn define(store: &Store, shape: Shape) -> asofdb::Result<Vec<FeatureId>> {
    let spec = |n| FeatureSpec::new(format!("a:f{n}"), ValueType::F64);
    (0..shape.features).map(|n| Ok(store.define(spec(n))?.id)).collect()
}

/// Writes one version of everything, as a pipeline does in its hour.
pub fn write_version(
    store: &Store,
    ids: &[FeatureId],
    shape: Shape,
    version: u64,
    batch_len: usize,
) -> asofdb::Result<()> {
    let mut batch = Batch::new();
    for entity in 0..shape.entities {
        let key = shape.entity(entity);
        for (feature, id) in (0..shape.features).zip(ids) {
            let at = EventTime(shape.event_time(entity, feature, version));
            batch.put_id(key, *id, at, shape.value(entity, feature, version));
            if batch.len() >= batch_len {
                store.write(std::mem::take(&mut batch), Durability::Buffered)?;
            }
        }
    }
    store.write(batch, Durability::Buffered)?;
    Ok(())
}

/// A bijection of 64 bits that leaves no pattern.
pub const fn mix(n: u64) -> u64 {
    let mut x = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
