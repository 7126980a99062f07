//! Revisions, features and columns made of a fuzzer's bytes, and read back from a chunk.

use asofdb_format::chunk::{Chunk, Column, Orders};
use asofdb_format::ids::{Commit, EventTime, FeatureId, KnownTime, SourceId};
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::timeline::{Step, Timeline};
use asofdb_format::value::Kind;
use asofdb_format::values::{self, Numbers, Place};
use asofdb_format::wire::{Decoded, Malformed};
use bytes::Bytes;
use libfuzzer_sys::arbitrary::{Result, Unstructured};

/// The most rows of a column that a target looks at: damaged counts are large.
pub const MOST: usize = 200;

/// A moment, mostly a near one.
pub fn moment(u: &mut Unstructured<'_>) -> Result<i64> {
    Ok(if u.ratio(7, 8)? { i64::from(u.arbitrary::<i8>()?) * 60 } else { u.arbitrary()? })
}

/// A value without its type.
pub fn payload(u: &mut Unstructured<'_>, raw: bool) -> Result<Payload> {
    Ok(match (raw, u.ratio(1, 2)?) {
        (false, true) => Payload::Bits((f64::from(u.arbitrary::<i16>()?) / 100.0).to_bits()),
        (false, false) => Payload::Bits(u.arbitrary()?),
        (true, short) => {
            let len = if short { u.int_in_range(0..=70)? } else { u.int_in_range(0..=40_000)? };
            Payload::Raw(Bytes::from(vec![u.arbitrary()?; len]))
        }
    })
}

/// Revisions of one feature, ascending, at least one.
pub fn revisions(u: &mut Unstructured<'_>, raw: bool) -> Result<Vec<Revision>> {
    let mut all = Vec::new();
    for _ in 0..u.int_in_range(1..=12)? {
        let commit = moment(u)?;
        let known = if u.ratio(3, 4)? { commit } else { moment(u)?.min(commit) };
        let order = Order {
            event_time: EventTime(moment(u)?),
            known_time: KnownTime(known),
            commit: Commit(commit),
        };
        let kind = Kind::from_tag(u.int_in_range(0..=3)?).unwrap_or(Kind::Value);
        let payload = if kind == Kind::Value { payload(u, raw)? } else { Payload::None };
        let source = SourceId(u.int_in_range(0..=2)?);
        all.push(Revision { order, kind, source, payload });
    }
    all.sort_by_key(|revision| revision.order);
    all.dedup_by_key(|revision| revision.order);
    Ok(all)
}

/// A feature of bytes has an odd id here, one of numbers an even one.
pub fn is_raw(feature: FeatureId) -> bool {
    feature.0 % 2 == 1
}

/// Features with their revisions, ascending by id, at least one.
pub fn features(u: &mut Unstructured<'_>) -> Result<Vec<(FeatureId, Vec<Revision>)>> {
    let mut ids: Vec<u32> = Vec::new();
    for _ in 0..u.int_in_range(1..=5)? {
        ids.push(if u.ratio(3, 4)? { u.int_in_range(0..=9)? } else { u.arbitrary()? });
    }
    ids.sort_unstable();
    ids.dedup();
    let mut all: Vec<(FeatureId, Vec<Revision>)> = Vec::new();
    for id in ids.into_iter().map(FeatureId) {
        let mut own = revisions(u, is_raw(id))?;
        // Columns often share their times.
        if let Some((_, before)) = all.last().filter(|(_, before)| before.len() == own.len()) {
            own.iter_mut().zip(before).for_each(|(own, before)| own.order = before.order);
        }
        all.push((id, own));
    }
    Ok(all)
}

/// How the numbers of these features are written.
pub const fn numbers() -> Numbers {
    Numbers::F64
}

/// All revisions of a column, up to [`MOST`].
pub fn column_revisions(
    (chunk, heap): (&[u8], &[u8]),
    column: &Column<'_>,
    orders: &Orders<'_>,
) -> Decoded<Vec<Revision>> {
    let mut all = Vec::new();
    for index in 0..column.len().min(MOST) {
        let kind = column.kind(index)?;
        let place = column.place(index)?;
        let outside = Malformed::new(0, "bytes within the input");
        let payload = match place {
            _ if kind != Kind::Value => Payload::None,
            Place::None => Payload::None,
            Place::Bits(bits) => Payload::Bits(bits),
            Place::InPlace { start, end } => {
                Payload::Raw(Bytes::copy_from_slice(chunk.get(start..end).ok_or(outside)?))
            }
            Place::Block(at) => {
                let block = heap.get(at.block_start..at.block_end).ok_or(outside)?;
                Payload::Raw(values::decompress(block, at.block_len)?.slice(at.start..at.end))
            }
        };
        let (order, source) = (column.order(orders, index), column.source(orders, index));
        all.push(Revision { order, kind, source, payload });
    }
    Ok(all)
}

/// A timeline: none, or one that tells the commits of many of these features' revisions.
pub fn timeline(
    u: &mut Unstructured<'_>,
    features: &[(FeatureId, Vec<Revision>)],
) -> Result<Timeline> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Timeline::none(),
        every => timeline_of(features, every),
    })
}

/// A timeline with a step of every so many-th revision, of those that ascend.
pub fn timeline_of(features: &[(FeatureId, Vec<Revision>)], every: usize) -> Timeline {
    let orders = features.iter().flat_map(|(_, own)| own.iter().map(|revision| revision.order));
    let step = |order: Order| Step { commit: order.commit, from: order.event_time };
    Timeline::of(orders.map(step).step_by(every).collect(), MOST)
}

/// All columns of a chunk of a table that has this timeline, up to [`MOST`].
pub fn chunk_columns(
    bytes: &[u8],
    heap: &[u8],
    timeline: &Timeline,
) -> Decoded<Vec<(FeatureId, Vec<Revision>)>> {
    let chunk = Chunk::decode(bytes)?;
    let orders = chunk.orders(timeline)?;
    let columns = (0..chunk.columns().min(MOST)).map(|index| {
        let column = chunk.column(index)?;
        let _ = column.up_to(EventTime(0));
        Ok((chunk.feature(index), column_revisions((bytes, heap), &column, &orders)?))
    });
    columns.collect()
}
