//! Random tables: names, rows and revisions of every kind, from a seed.

use std::collections::BTreeSet;
use std::sync::Arc;

use asofdb_format::catalog::Bounds;
use asofdb_format::hash::EntityHash;
use asofdb_format::head::NEAR_LEN;
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{Commit, EventTime, FeatureId, FileNumber, KnownTime, SourceId, StoreId};
use asofdb_format::meta::FeatureMeta;
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::table::{Finished, Names, TableBuilder};
use asofdb_format::timeline::{Step, Timeline};
use asofdb_format::value::{Kind, ValueType, Vector};
use asofdb_format::values::{BLOCK_LEN, IN_PLACE_LEN};
use asofdb_format::wire::wide;
use bytes::Bytes;

use crate::RowOf;

pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn chance(&mut self, of_ten: u64) -> bool {
        self.below(10) < of_ten
    }
}

pub(crate) const TYPES: [ValueType; 7] = [
    ValueType::Bool,
    ValueType::I64,
    ValueType::F32,
    ValueType::F64,
    ValueType::Text,
    ValueType::Bytes,
    ValueType::Vector(3),
];

pub(crate) fn names(rng: &mut Rng) -> Names {
    let (base, step) = [(0, 1), (200, 20), (65_500, 13), (u32::MAX - 14, 1)][rng.below(4) as usize];
    let mut names = Names::default();
    for n in 0..14u32 {
        let value_type = TYPES[n as usize % TYPES.len()];
        let bounds = Bounds { horizon: Some(EventTime(-5)), ..Bounds::default() };
        let feature = FeatureMeta::new(format!("v:f{n}"), 1 + n / 7, value_type, bounds);
        names.features.insert(FeatureId(base + n * step), feature);
    }
    names.sources.insert(SourceId(1), "job".to_owned());
    names.sources.insert(SourceId(u32::MAX), "other".to_owned());
    names
}

pub(crate) fn payload(rng: &mut Rng, value_type: ValueType, style: u64) -> Payload {
    let small = rng.below(7);
    match value_type {
        ValueType::Bool => Payload::Bits(small % 2),
        ValueType::I64 => Payload::Bits([9, small, rng.next()][style as usize]),
        ValueType::F64 => {
            let price = small as f64 / 100.0;
            Payload::Bits([price.to_bits(), (-price).to_bits(), rng.next()][style as usize])
        }
        ValueType::F32 => {
            let price = small as f32 / 10.0;
            let random = rng.next() as u32;
            Payload::Bits(u64::from([price.to_bits(), 0x7fc0_0001, random][style as usize]))
        }
        ValueType::Vector(dim) => {
            let numbers: Vec<f32> = (0..dim).map(|_| rng.below(9) as f32).collect();
            Payload::Raw(Vector::from_slice(&numbers).as_bytes().clone())
        }
        _ => {
            let longest = [NEAR_LEN + 2, IN_PLACE_LEN, BLOCK_LEN][style as usize];
            let len = rng.below(wide(longest) + 2) as usize;
            let letter = b'a' + small as u8;
            Payload::Raw(Bytes::from(vec![letter; if rng.chance(2) { 0 } else { len }]))
        }
    }
}

/// Strictly ascending places in the order, of one of several shapes.
pub(crate) fn orders(rng: &mut Rng, count: u64) -> Vec<Order> {
    let shape = rng.below(4);
    let commit = 1_700_000_000_000_000 + rng.below(1000) as i64;
    let mut all: Vec<Order> = (0..count as i64)
        .map(|n| {
            let (e, c, behind) = match shape {
                0 => (n * 3_600_000_000, commit, 0),
                1 => (n * 60 + rng.below(9) as i64, commit + n, rng.below(2) as i64),
                2 => (rng.below(5) as i64 - 2, commit - rng.below(99) as i64, 0),
                _ => (rng.next() as i64, rng.next() as i64, rng.next() as i64),
            };
            // A known time is never later than its commit.
            let known = if shape == 3 { behind.min(c) } else { c - behind };
            Order { event_time: EventTime(e), known_time: KnownTime(known), commit: Commit(c) }
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

pub(crate) fn revisions(rng: &mut Rng, value_type: ValueType, orders: &[Order]) -> Vec<Revision> {
    let (style, kinds, sources) = (rng.below(3), rng.below(4), rng.chance(3));
    let all = orders.iter().map(|&order| {
        let kind = match (kinds, rng.below(4)) {
            (0, 0) => Kind::Null,
            (0, 1) => Kind::Deleted,
            (0, 2) | (1, _) => Kind::Stub,
            _ => Kind::Value,
        };
        let source = SourceId(if sources { [0, 1, u32::MAX][rng.below(3) as usize] } else { 0 });
        let payload = match kind {
            Kind::Value => payload(rng, value_type, style),
            _ => Payload::None,
        };
        Revision { order, kind, source, payload }
    });
    all.collect()
}

/// Rows in the order in which a builder takes them; now and then an entity in several.
pub(crate) fn rows(rng: &mut Rng, names: &Names, entities: u64) -> Vec<RowOf> {
    let mut keys: BTreeSet<(EntityHash, Vec<u8>)> = BTreeSet::new();
    for n in 0..entities {
        let mut entity = format!("entity-{n}").into_bytes();
        entity.resize(1 + rng.below(40) as usize, b'.');
        keys.insert((EntityHash::of(&entity), entity));
    }
    let mut all = Vec::new();
    for (_, entity) in keys {
        let deep = if rng.chance(2) { 60 } else { 4 };
        let count = 1 + rng.below(deep);
        let shared = orders(rng, count);
        let mut features = Vec::new();
        for (id, known) in &names.features {
            if rng.chance(4) {
                continue;
            }
            let count = 1 + rng.below(deep);
            let own = if rng.chance(6) { shared.clone() } else { orders(rng, count) };
            features.push((*id, revisions(rng, known.value_type, &own)));
        }
        if features.is_empty() {
            let (id, known) = names.features.first_key_value().unwrap();
            features.push((*id, revisions(rng, known.value_type, &shared)));
        }
        if rng.chance(2) {
            let mut older = Vec::new();
            for (id, revisions) in &mut features {
                let newest = revisions.split_off(revisions.len() / 2);
                if !revisions.is_empty() {
                    older.push((*id, std::mem::take(revisions)));
                }
                *revisions = newest;
            }
            all.push((entity.clone(), features));
            if !older.is_empty() {
                all.push((entity, older));
            }
        } else {
            all.push((entity, features));
        }
    }
    all
}

/// Of each commit the least event time; those that do not ascend are left out.
pub(crate) fn timeline_of(rows: &[RowOf]) -> Timeline {
    let features = rows.iter().flat_map(|(_, features)| features);
    let orders = features.flat_map(|(_, revisions)| revisions.iter().map(|r| r.order));
    Timeline::of(orders.map(|o| Step { commit: o.commit, from: o.event_time }).collect(), 1_000)
}

pub(crate) fn build(names: &Names, rows: &[RowOf], pieces: bool) -> (Vec<u8>, Finished) {
    let header = Header::new(FileKind::Table, StoreId([7; 16]), FileNumber(3), 1);
    let mut builder = TableBuilder::new(&header, names.clone(), Arc::new(timeline_of(rows)));
    let mut bytes = Vec::new();
    for (entity, features) in rows {
        let features: Vec<(FeatureId, &[Revision])> =
            features.iter().map(|(id, revisions)| (*id, revisions.as_slice())).collect();
        builder.add(entity, &features);
        if pieces {
            bytes.extend(builder.take_written());
        }
    }
    let (rest, finished) = builder.finish();
    bytes.extend(rest.concat());
    (bytes, finished)
}
