//! Everything that SPEC.md gives a form: what is written comes back, and stands in the order that
//! it says.
#![no_main]

use asofdb_format::batch::{BatchReader, Entry, EntryEncoder, EntryValue};
use asofdb_format::chunk::{self, Chunk, ColumnInput};
use asofdb_format::edit;
use asofdb_format::hash::EntityHash;
use asofdb_format::head::{self, Head, HistoryPlace};
use asofdb_format::ids::{EventTime, FeatureId, KnownTime};
use asofdb_format::meta::TableMeta;
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::timeline::Timeline;
use asofdb_format::value::Kind;
use asofdb_fuzz::columns::{features, moment, numbers, payload, timeline};
use asofdb_fuzz::{records, tables};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

/// The hash of an entity, from SPEC.md 4.14 alone.
fn hash(entity: &[u8]) -> u64 {
    const M1: u64 = 0x9e37_79b9_7f4a_7c15;
    const M2: u64 = 0xbf58_476d_1ce4_e5b9;
    let mix = |mut x: u64| {
        x = (x ^ x >> 32).wrapping_mul(M1);
        x = (x ^ x >> 29).wrapping_mul(M2);
        x ^ x >> 32
    };
    entity.chunks(8).fold((entity.len() as u64).wrapping_mul(M1), |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash ^ u64::from_le_bytes(word))
    })
}

fn key(order: Order) -> (i64, i64, i64) {
    (order.event_time.0, order.known_time.0, order.commit.0)
}

fn edits(u: &mut Unstructured<'_>) -> Result<()> {
    let edits =
        (0..u.int_in_range(0..=6)?).map(|_| records::edit(u)).collect::<Result<Vec<_>>>()?;
    assert_eq!(edit::decode_all(&edit::encode_all(&edits)), Ok(edits));
    Ok(())
}

fn batches(u: &mut Unstructured<'_>) -> Result<()> {
    let mut head = records::batch_head(u)?;
    let mut written = Vec::new();
    for _ in 0..u.int_in_range(0..=12)? {
        let entity: Vec<u8> = match u.int_in_range(0..=4)? {
            0 => vec![u.arbitrary()?; u.int_in_range(1..=65_535)?],
            few => vec![few],
        };
        let kind = Kind::from_tag(u.int_in_range(0..=2)?).unwrap_or(Kind::Null);
        let raw = u.arbitrary()?;
        let payload = if kind == Kind::Value { payload(u, raw)? } else { Payload::None };
        let known = if u.arbitrary()? { Some(KnownTime(moment(u)?)) } else { None };
        let feature = FeatureId(u.arbitrary()?);
        written.push((entity, feature, EventTime(moment(u)?), known, kind, payload));
    }
    let entries: Vec<Entry<'_>> = written
        .iter()
        .map(|(entity, feature, event_time, known_time, kind, payload)| Entry {
            entity,
            feature: *feature,
            event_time: *event_time,
            known_time: *known_time,
            kind: *kind,
            value: match payload {
                Payload::None => EntryValue::None,
                Payload::Bits(bits) => EntryValue::Bits(*bits),
                Payload::Raw(raw) => EntryValue::Raw(raw),
            },
        })
        .collect();
    let mut encoder = EntryEncoder::default();
    entries.iter().for_each(|entry| encoder.push(entry));
    head.entries = encoder.entries();
    let bytes = [head.encode(), encoder.as_bytes().to_vec()].concat();
    let mut reader = BatchReader::decode(&bytes).unwrap();
    assert_eq!(reader.head, head);
    for entry in &entries {
        assert_eq!(reader.next_entry(), Ok(Some(entry.clone())));
    }
    assert_eq!(reader.next_entry(), Ok(None));
    Ok(())
}

fn metadata(u: &mut Unstructured<'_>) -> Result<()> {
    let meta = records::table_meta(u)?;
    assert_eq!(TableMeta::decode(&meta.encode()), Ok(meta));
    Ok(())
}

/// Revisions of a column ascend by (e, κ, c) as numbers, and a search by event time agrees.
fn columns(u: &mut Unstructured<'_>) -> Result<()> {
    let features = features(u)?;
    let t = EventTime(moment(u)?);
    let inputs: Vec<ColumnInput<'_>> = features
        .iter()
        .map(|(feature, revisions)| ColumnInput {
            feature: *feature,
            numbers: numbers(),
            revisions,
        })
        .collect();
    let (mut out, mut heap) = (Vec::new(), Vec::new());
    let timeline = timeline(u, &features)?;
    if !timeline.is_empty() {
        assert_eq!(Timeline::decode(&timeline.encode()).as_ref(), Ok(&timeline));
    }
    chunk::encode(&inputs, &timeline, &mut out, &mut heap);
    let chunk = Chunk::decode(&out).unwrap();
    let told = chunk.orders(&timeline).unwrap();
    for (index, (feature, revisions)) in features.iter().enumerate() {
        assert_eq!((chunk.feature(index), chunk.find(*feature, 0)), (*feature, Ok(index)));
        let column = chunk.column(index).unwrap();
        let orders: Vec<_> = (0..column.len()).map(|index| column.order(&told, index)).collect();
        assert!(orders.windows(2).all(|pair| key(pair[0]) < key(pair[1]) && pair[0] < pair[1]));
        assert!(orders.iter().copied().eq(revisions.iter().map(|revision| revision.order)));
        let up_to = orders.iter().filter(|order| order.event_time <= t).count();
        assert_eq!(column.up_to(t), up_to);
    }
    let newest: Vec<(FeatureId, &Revision)> =
        features.iter().map(|(id, revisions)| (*id, &revisions[revisions.len() - 1])).collect();
    let (mut out, mut far) = (Vec::new(), Vec::new());
    head::encode(b"e", &newest, HistoryPlace::default(), &timeline, (&mut out, &mut far));
    let head = Head::decode(&out).unwrap();
    let top = newest.iter().map(|(_, revision)| revision.order.event_time).max();
    assert_eq!(Some(head.top_time()), top);
    for id in [0, 5, u32::MAX].map(FeatureId).into_iter().chain(newest.iter().map(|(id, _)| *id)) {
        assert_eq!(head.find(id, 0), newest.binary_search_by_key(&id, |(own, _)| *own));
    }
    Ok(())
}

/// Rows of a table ascend by (hash, entity), the hash as SPEC.md has it, and all come back.
fn whole_tables(u: &mut Unstructured<'_>) -> Result<()> {
    let rows = tables::rows(u)?;
    for (entity, _) in &rows {
        assert_eq!(EntityHash::of(entity).0, hash(entity));
    }
    let (bytes, finished) = tables::write(&rows);
    let layout = tables::layout_of(&bytes).unwrap();
    let found = tables::read(&bytes, &layout).unwrap();
    let keys: Vec<_> = found.iter().map(|(entity, _)| (hash(entity), entity)).collect();
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?}");
    assert_eq!(keys.first().map(|key| key.0).unwrap_or(u64::MAX), finished.meta.min_hash.0);
    assert_eq!(keys.last().map(|key| key.0).unwrap_or(0), finished.meta.max_hash.0);
    assert_eq!(found, rows);
    Ok(())
}

fn one(u: &mut Unstructured<'_>) -> Result<()> {
    match u.int_in_range(0..=5)? {
        0 => edits(u),
        1 => batches(u),
        2 => metadata(u),
        3 => columns(u),
        4 => whole_tables(u),
        _ => {
            let entity = u.bytes(u.len())?;
            assert_eq!(EntityHash::of(entity).0, hash(entity));
            Ok(())
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let _ = one(&mut Unstructured::new(bytes));
});
