//! Records of catalogs, manifests, batches and metadata made of a fuzzer's bytes.

use std::collections::BTreeMap;

use asofdb_format::batch::BatchHead;
use asofdb_format::catalog::{Bounds, Definition, Terms};
use asofdb_format::edit::{Edit, Level, Past, TableEntry};
use asofdb_format::hash::{EntityHash, EraseKey, ErasedEntity};
use asofdb_format::ids::{Commit, EventTime, FeatureId, FileNumber, KnownTime, SourceId, Span};
use asofdb_format::meta::{FeatureMeta, TableMeta};
use asofdb_format::value::{Value, ValueType, Vector};
use bytes::Bytes;
use libfuzzer_sys::arbitrary::{Result, Unstructured};

use crate::columns::moment;

fn short(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let len = if u.ratio(1, 8)? { u.int_in_range(0..=300)? } else { u.int_in_range(0..=9)? };
    Ok(u.bytes(len.min(u.len()))?.to_vec())
}

pub(crate) fn text(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(String::from_utf8_lossy(&short(u)?).into_owned())
}

/// A list of a few things.
pub(crate) fn few<T>(
    u: &mut Unstructured<'_>,
    mut one: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..u.int_in_range(0..=4)?).map(|_| one(u)).collect()
}

pub(crate) fn maybe<T>(
    u: &mut Unstructured<'_>,
    one: impl FnOnce(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Option<T>> {
    Ok(if u.arbitrary()? { Some(one(u)?) } else { None })
}

pub(crate) fn commit(u: &mut Unstructured<'_>) -> Result<Commit> {
    moment(u).map(Commit)
}

fn feature(u: &mut Unstructured<'_>) -> Result<FeatureId> {
    u.arbitrary().map(FeatureId)
}

fn source(u: &mut Unstructured<'_>) -> Result<SourceId> {
    u.arbitrary().map(SourceId)
}

pub(crate) fn number(u: &mut Unstructured<'_>) -> Result<FileNumber> {
    u.arbitrary().map(FileNumber)
}

/// Any type.
pub fn value_type(u: &mut Unstructured<'_>) -> Result<ValueType> {
    let (tag, dim) = (u.int_in_range(1..=7)?, u.int_in_range(1..=5)?);
    Ok(ValueType::from_tag(tag, dim).unwrap_or(ValueType::Bool))
}

/// Any value.
pub fn value(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=6)? {
        0 => Value::Bool(u.arbitrary()?),
        1 => Value::I64(u.arbitrary()?),
        2 => Value::F32(f32::from_bits(u.arbitrary()?)),
        3 => Value::F64(f64::from_bits(u.arbitrary()?)),
        4 => Value::from(text(u)?),
        5 => Value::Bytes(short(u)?.into()),
        _ => {
            let bits: Vec<u32> = few(u, |u| u.arbitrary())?;
            Value::Vector(Vector::from_slice(
                &bits.into_iter().map(f32::from_bits).collect::<Vec<_>>(),
            ))
        }
    })
}

fn bounds(u: &mut Unstructured<'_>) -> Result<Bounds> {
    let mut bound = || maybe(u, |u| moment(u).map(EventTime));
    Ok(Bounds { horizon: bound()?, stale: bound()?, forgotten: bound()? })
}

fn terms(u: &mut Unstructured<'_>) -> Result<Terms> {
    let mut span = || Ok(Span::from_micros(u.arbitrary()?));
    let (ttl, history, forget_after) = (span()?, span()?, span()?);
    let tags: BTreeMap<String, String> =
        few(u, |u| Ok((text(u)?, text(u)?)))?.into_iter().collect();
    Ok(Terms { ttl, history, forget_after, description: text(u)?, tags })
}

fn definition(u: &mut Unstructured<'_>) -> Result<Definition> {
    Ok(Definition {
        id: feature(u)?,
        name: text(u)?,
        schema: u.arbitrary()?,
        value_type: value_type(u)?,
        terms: terms(u)?,
    })
}

fn level(u: &mut Unstructured<'_>) -> Result<Level> {
    Ok(match u.int_in_range(0..=2)? {
        0 => Level::Recent,
        1 => Level::Present,
        _ => Level::Past(Past {
            run: u.arbitrary()?,
            window: (EventTime(moment(u)?), EventTime(moment(u)?)),
            superseded: EventTime(moment(u)?),
            made: commit(u)?,
        }),
    })
}

fn table_entry(u: &mut Unstructured<'_>) -> Result<TableEntry> {
    Ok(TableEntry {
        number: number(u)?,
        len: u.arbitrary()?,
        identity: u.arbitrary()?,
        level: level(u)?,
        min_hash: EntityHash(u.arbitrary()?),
        max_hash: EntityHash(u.arbitrary()?),
        entities: u.arbitrary()?,
        revisions: u.arbitrary()?,
        min_event_time: EventTime(moment(u)?),
        max_event_time: EventTime(moment(u)?),
        max_known_time: KnownTime(moment(u)?),
        min_commit: commit(u)?,
        max_commit: commit(u)?,
    })
}

/// Any edit.
pub fn edit(u: &mut Unstructured<'_>) -> Result<Edit> {
    Ok(match u.int_in_range(0..=22)? {
        0 => Edit::Store(EraseKey(u.arbitrary()?)),
        1 => Edit::AddTable(table_entry(u)?),
        2 => Edit::RemoveTable(number(u)?),
        3 => Edit::AddLog(number(u)?),
        4 => Edit::SealLog(number(u)?, u.arbitrary()?),
        5 => Edit::RemoveLog(number(u)?),
        6 => Edit::NextFile(number(u)?),
        7 => Edit::Clock(commit(u)?, commit(u)?),
        8 => Edit::Commits(few(u, |u| {
            let (one, two) = (commit(u)?, commit(u)?);
            Ok((one.min(two), one.max(two)))
        })?),
        9 => Edit::Lost(commit(u)?, commit(u)?),
        10 => Edit::Define(commit(u)?, definition(u)?),
        11 => Edit::Alter(commit(u)?, feature(u)?, terms(u)?, bounds(u)?),
        12 => Edit::Retire(commit(u)?, text(u)?),
        13 => Edit::Bounds(feature(u)?, bounds(u)?),
        14 => Edit::Erase(commit(u)?, ErasedEntity(u.arbitrary()?)),
        15 => Edit::RevertSource(commit(u)?, source(u)?),
        16 => Edit::RevertCommits(commit(u)?, few(u, commit)?),
        17 => Edit::Source(source(u)?, text(u)?),
        18 => Edit::Touch(source(u)?, feature(u)?, commit(u)?),
        19 => Edit::Mark(commit(u)?, source(u)?, text(u)?, Bytes::from(short(u)?)),
        20 => Edit::LogSynced(number(u)?, u.arbitrary()?),
        21 => Edit::ManifestSynced(number(u)?, u.arbitrary()?),
        _ => Edit::ErasesDone(commit(u)?),
    })
}

/// The head of any batch; its entries are not counted.
pub fn batch_head(u: &mut Unstructured<'_>) -> Result<BatchHead> {
    let source = maybe(u, |u| Ok((SourceId(u.int_in_range(1..=u32::MAX)?), text(u)?)))?;
    let marks = few(u, |u| Ok((text(u)?, Bytes::from(short(u)?))))?;
    Ok(BatchHead { source, marks, entries: 0 })
}

/// Any metadata.
pub fn table_meta(u: &mut Unstructured<'_>) -> Result<TableMeta> {
    let features = few(u, |u| {
        let mut meta = FeatureMeta::new(text(u)?, u.arbitrary()?, value_type(u)?, bounds(u)?);
        (meta.revisions, meta.nulls) = (u.arbitrary()?, u.arbitrary()?);
        (meta.deletes, meta.stubs) = (u.arbitrary()?, u.arbitrary()?);
        (meta.oldest, meta.newest) = (EventTime(moment(u)?), EventTime(moment(u)?));
        meta.numbers = maybe(u, |u| Ok((u.arbitrary()?, u.arbitrary()?)))?;
        Ok((feature(u)?, meta))
    })?;
    Ok(TableMeta {
        entities: u.arbitrary()?,
        revisions: u.arbitrary()?,
        min_hash: EntityHash(u.arbitrary()?),
        max_hash: EntityHash(u.arbitrary()?),
        min_event_time: EventTime(moment(u)?),
        max_event_time: EventTime(moment(u)?),
        max_known_time: KnownTime(moment(u)?),
        min_commit: commit(u)?,
        max_commit: commit(u)?,
        features: features.into_iter().collect(),
        sources: few(u, |u| Ok((source(u)?, text(u)?)))?.into_iter().collect(),
    })
}
