//! The metadata of a table: enough to understand it away from its store.
//!
//! ```text
//! varint   rows of the directory
//! varint   revisions
//! u64      least hash, u64 greatest hash
//! zigzag   least event time, greatest event time, greatest known time, least commit,
//!          greatest commit
//! varint   number of features; each:
//!     bytes name | varint id | varint schema | u8 type | varint dimension
//!     varint revisions, nulls, deletes, stubs; values are the rest
//!     zigzag oldest event time, zigzag newest event time
//!     u8 0 | or 1, u64 bits of the least number, u64 bits of the greatest
//!     bounds under which the table was made
//! varint   number of sources; each: varint id, bytes label
//! ```

use std::collections::BTreeMap;

use crate::catalog::{Bounds, decode_type, encode_type};
use crate::hash::EntityHash;
use crate::ids::{Commit, EventTime, FeatureId, KnownTime, SourceId};
use crate::revision::{Payload, Revision};
use crate::value::{Kind, ValueType};
use crate::wire::{Decoded, Reader, Writer, wide};

/// What a table tells of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableMeta {
    /// How many rows its directory has.
    pub entities: u64,
    /// How many revisions it holds.
    pub revisions: u64,
    /// The least hash of its entities.
    pub min_hash: EntityHash,
    /// The greatest hash of its entities.
    pub max_hash: EntityHash,
    /// The least event time.
    pub min_event_time: EventTime,
    /// The greatest event time.
    pub max_event_time: EventTime,
    /// The greatest known time.
    pub max_known_time: KnownTime,
    /// The least commit.
    pub min_commit: Commit,
    /// The greatest commit.
    pub max_commit: Commit,
    /// What it holds of each feature.
    pub features: BTreeMap<FeatureId, FeatureMeta>,
    /// The labels of its sources.
    pub sources: BTreeMap<SourceId, String>,
}

/// What a table holds of a feature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeatureMeta {
    /// Its name without the schema number.
    pub name: String,
    /// Its schema number.
    pub schema: u32,
    /// The type of its values.
    pub value_type: ValueType,
    /// How many revisions.
    pub revisions: u64,
    /// How many of them are nulls.
    pub nulls: u64,
    /// How many are deletes.
    pub deletes: u64,
    /// How many are stubs.
    pub stubs: u64,
    /// The least event time.
    pub oldest: EventTime,
    /// The greatest event time.
    pub newest: EventTime,
    /// The bits of the least and the greatest number, NaN left aside.
    pub numbers: Option<(u64, u64)>,
    /// The bounds under which the table was made.
    pub bounds: Bounds,
}

impl FeatureMeta {
    /// A feature of which nothing is held yet.
    #[must_use]
    pub const fn new(name: String, schema: u32, value_type: ValueType, bounds: Bounds) -> Self {
        Self {
            name,
            schema,
            value_type,
            revisions: 0,
            nulls: 0,
            deletes: 0,
            stubs: 0,
            oldest: EventTime::MAX,
            newest: EventTime::MIN,
            numbers: None,
            bounds,
        }
    }

    /// Counts a revision.
    pub fn count(&mut self, revision: &Revision) {
        let bits = if let Payload::Bits(bits) = revision.payload { Some(bits) } else { None };
        self.count_one(revision.order.event_time, revision.kind, bits);
    }

    /// Counts a revision by its parts: the bits are those of its number, if it is one.
    #[inline]
    pub fn count_one(&mut self, event_time: EventTime, kind: Kind, bits: Option<u64>) {
        self.revisions += 1;
        match kind {
            Kind::Value => {}
            Kind::Null => self.nulls += 1,
            Kind::Deleted => self.deletes += 1,
            Kind::Stub => self.stubs += 1,
        }
        self.oldest = self.oldest.min(event_time);
        self.newest = self.newest.max(event_time);
        if let Some(bits) = bits {
            self.count_number(bits);
        }
    }

    /// Counts a number of its type.
    pub fn count_number(&mut self, bits: u64) {
        if !is_number(self.value_type, bits) {
            return;
        }
        let (least, greatest) = self.numbers.unwrap_or((bits, bits));
        let lower = |a, b| if is_less(self.value_type, a, b) { a } else { b };
        let upper = |a, b| if is_less(self.value_type, a, b) { b } else { a };
        self.numbers = Some((lower(bits, least), upper(bits, greatest)));
    }

    /// Counts all that another has counted of the same feature.
    pub fn merge(&mut self, other: &Self) {
        let sum = |mine: &mut u64, other: u64| *mine = mine.saturating_add(other);
        sum(&mut self.revisions, other.revisions);
        sum(&mut self.nulls, other.nulls);
        sum(&mut self.deletes, other.deletes);
        sum(&mut self.stubs, other.stubs);
        self.oldest = self.oldest.min(other.oldest);
        self.newest = self.newest.max(other.newest);
        if let Some((least, greatest)) = other.numbers {
            self.count_number(least);
            self.count_number(greatest);
        }
    }
}

fn number(value_type: ValueType, bits: u64) -> f64 {
    match value_type {
        ValueType::F32 => f64::from(f32::from_bits(u32::try_from(bits).unwrap_or(u32::MAX))),
        _ => f64::from_bits(bits),
    }
}

fn is_number(value_type: ValueType, bits: u64) -> bool {
    !matches!(value_type, ValueType::F32 | ValueType::F64) || !number(value_type, bits).is_nan()
}

fn is_less(value_type: ValueType, a: u64, b: u64) -> bool {
    match value_type {
        ValueType::F32 | ValueType::F64 => number(value_type, a) < number(value_type, b),
        _ => a.cast_signed() < b.cast_signed(),
    }
}

impl TableMeta {
    /// A table in which nothing is yet.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            min_hash: EntityHash(u64::MAX),
            min_event_time: EventTime::MAX,
            max_event_time: EventTime::MIN,
            max_known_time: KnownTime::MIN,
            min_commit: Commit::MAX,
            max_commit: Commit::MIN,
            ..Self::default()
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_varint(self.entities);
        out.put_varint(self.revisions);
        out.put_u64(self.min_hash.0);
        out.put_u64(self.max_hash.0);
        for moment in [
            self.min_event_time.0,
            self.max_event_time.0,
            self.max_known_time.0,
            self.min_commit.0,
            self.max_commit.0,
        ] {
            out.put_zigzag(moment);
        }
        out.put_varint(wide(self.features.len()));
        for (id, feature) in &self.features {
            out.put_bytes(feature.name.as_bytes());
            out.put_varint(u64::from(id.0));
            out.put_varint(u64::from(feature.schema));
            encode_type(feature.value_type, &mut out);
            for count in [feature.revisions, feature.nulls, feature.deletes, feature.stubs] {
                out.put_varint(count);
            }
            out.put_zigzag(feature.oldest.0);
            out.put_zigzag(feature.newest.0);
            match feature.numbers {
                None => out.push(0),
                Some((least, greatest)) => {
                    out.push(1);
                    out.put_u64(least);
                    out.put_u64(greatest);
                }
            }
            feature.bounds.encode(&mut out);
        }
        out.put_varint(wide(self.sources.len()));
        for (id, label) in &self.sources {
            out.put_varint(u64::from(id.0));
            out.put_bytes(label.as_bytes());
        }
        out
    }

    /// Reads the metadata of a table.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        let mut meta = Self {
            entities: reader.varint()?,
            revisions: reader.varint()?,
            min_hash: EntityHash(reader.u64()?),
            max_hash: EntityHash(reader.u64()?),
            min_event_time: EventTime(reader.zigzag()?),
            max_event_time: EventTime(reader.zigzag()?),
            max_known_time: KnownTime(reader.zigzag()?),
            min_commit: Commit(reader.zigzag()?),
            max_commit: Commit(reader.zigzag()?),
            features: BTreeMap::new(),
            sources: BTreeMap::new(),
        };
        for _ in 0..reader.count()? {
            let name = reader.text()?.to_owned();
            let fault = reader.fault("features that ascend");
            let id = FeatureId(reader.varint_u32()?);
            if meta.features.last_key_value().is_some_and(|(last, _)| *last >= id) {
                return Err(fault);
            }
            let feature = FeatureMeta {
                name,
                schema: reader.varint_u32()?,
                value_type: decode_type(reader)?,
                revisions: reader.varint()?,
                nulls: reader.varint()?,
                deletes: reader.varint()?,
                stubs: reader.varint()?,
                oldest: EventTime(reader.zigzag()?),
                newest: EventTime(reader.zigzag()?),
                numbers: match reader.u8()? {
                    0 => None,
                    1 => Some((reader.u64()?, reader.u64()?)),
                    _ => return Err(reader.fault("whether there are numbers")),
                },
                bounds: Bounds::decode(reader)?,
            };
            meta.features.insert(id, feature);
        }
        for _ in 0..reader.count()? {
            let fault = reader.fault("sources that ascend");
            let id = SourceId(reader.varint_u32()?);
            if meta.sources.last_key_value().is_some_and(|(last, _)| *last >= id) {
                return Err(fault);
            }
            meta.sources.insert(id, reader.text()?.to_owned());
        }
        reader.end()?;
        Ok(meta)
    }
}
