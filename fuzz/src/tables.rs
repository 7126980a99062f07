//! Tables made of a fuzzer's bytes, and a reader of tables that follows SPEC.md 4.7 to 4.10 and
//! stops at the first thing that is not as it says.

use std::sync::Arc;

use asofdb_format::catalog::Bounds;
use asofdb_format::directory::{self, Directory};
use asofdb_format::hash::EntityHash;
use asofdb_format::head::{Head, Slot};
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{FeatureId, FileNumber, StoreId};
use asofdb_format::meta::{FeatureMeta, TableMeta};
use asofdb_format::revision::{Payload, Revision};
use asofdb_format::table::{FOOTER_LEN, Finished, Footer, Layout, Names, TableBuilder};
use asofdb_format::timeline::Timeline;
use asofdb_format::value::{Kind, ValueType};
use bytes::Bytes;
use libfuzzer_sys::arbitrary::{Result, Unstructured};

use crate::columns::{MOST, chunk_columns, features, is_raw, timeline_of};

/// An entity with its revisions by feature.
pub type Row = (Vec<u8>, Vec<(FeatureId, Vec<Revision>)>);

/// Rows in the order of a table.
pub fn rows(u: &mut Unstructured<'_>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for n in 0..u.int_in_range(0..=4u8)? {
        let mut entity = vec![n];
        entity.extend(u.arbitrary::<[u8; 3]>()?);
        rows.push((entity, features(u)?));
    }
    rows.sort_by(|a, b| (EntityHash::of(&a.0), &a.0).cmp(&(EntityHash::of(&b.0), &b.0)));
    Ok(rows)
}

/// A table of these rows.
pub fn write(rows: &[Row]) -> (Vec<u8>, Finished) {
    let mut names = Names::default();
    for (id, _) in rows.iter().flat_map(|row| &row.1) {
        let value_type = if is_raw(*id) { ValueType::Bytes } else { ValueType::F64 };
        let feature = FeatureMeta::new(format!("v:{}", id.0), 1, value_type, Bounds::default());
        names.features.insert(*id, feature);
    }
    let header = Header::new(FileKind::Table, StoreId([1; 16]), FileNumber(2), 3);
    let all: Vec<_> = rows.iter().flat_map(|row| row.1.iter().cloned()).collect();
    let timeline = timeline_of(&all, 1 + rows.len() % 2);
    let mut builder = TableBuilder::new(&header, names, Arc::new(timeline));
    for (entity, features) in rows {
        let features: Vec<(FeatureId, &[Revision])> =
            features.iter().map(|(id, revisions)| (*id, revisions.as_slice())).collect();
        builder.add(entity, &features);
    }
    let (bytes, finished) = builder.finish();
    (bytes.concat(), finished)
}

/// Where the sections are.
pub fn layout_of(bytes: &[u8]) -> Option<Layout> {
    let tail = bytes.get(bytes.len().checked_sub(FOOTER_LEN)?..)?;
    let footer = Footer::decode(tail, bytes.len() as u64).ok()?;
    let (start, end) = (footer.sections.start as usize, footer.sections.end() as usize);
    footer.layout(bytes.get(start..end)?).ok()
}

/// All rows, up to [`MOST`]; `None` at the first fault.
pub fn read(bytes: &[u8], layout: &Layout) -> Option<Vec<Row>> {
    let section = |start: u64, end: u64| bytes.get(start as usize..end as usize);
    let index = section(layout.directory.start, layout.directory.end())?;
    let heads = section(layout.heads.start, layout.heads.end())?;
    let far = section(layout.far.start, layout.far.end())?;
    let history = section(layout.history.start, layout.history.end())?;
    let meta = TableMeta::decode(section(layout.meta.start, layout.meta.end())?).ok()?;
    let timeline = match layout.timeline {
        Some(extent) => Timeline::decode(section(extent.start, extent.end())?).ok()?,
        None => Timeline::none(),
    };
    let fixed = index.get(..directory::FIXED_LEN)?;
    let directory = Directory::decode(fixed, layout.directory.len).ok()?;
    let mut rows = Vec::new();
    for row in 0..directory.rows().min(MOST) {
        let place = directory.row_at(row);
        let (half, head) = Directory::row(index.get(place..place.checked_add(8)?)?);
        let near = heads.get(head as usize..)?;
        let head = Head::decode(near).ok()?;
        let hash = EntityHash::of(head.entity());
        let bucket = index.get(directory.bucket(hash)?..)?.get(..8)?;
        let (from, to) = directory.bounds(bucket).ok()?;
        if half != directory::fingerprint(hash) || !(from..to).contains(&row) {
            return None;
        }
        let at = head.history();
        let start = at.start as usize;
        let chunk = history.get(start..start.checked_add(at.chunk_len as usize)?)?;
        let heap = history.get(start + chunk.len()..)?.get(..at.heap_len as usize)?;
        let mut features = if chunk.is_empty() {
            Vec::new()
        } else {
            chunk_columns(chunk, heap, &timeline).ok()?
        };
        for index in 0..head.len().min(MOST) {
            let revision = newest((&head, &timeline), index, &meta, near, far)?;
            let feature = head.feature(index);
            if head.find(feature, 0) != Ok(index) {
                return None;
            }
            match features.binary_search_by_key(&feature, |(id, _)| *id) {
                Ok(found) => features[found].1.push(revision),
                Err(place) => features.insert(place, (feature, vec![revision])),
            }
        }
        rows.push((head.entity().to_vec(), features));
    }
    Some(rows)
}

fn newest(
    (head, timeline): (&Head<'_>, &Timeline),
    index: usize,
    meta: &TableMeta,
    near: &[u8],
    far: &[u8],
) -> Option<Revision> {
    let kind = head.kind(index).ok()?;
    let known = meta.features.get(&head.feature(index))?;
    let is_raw =
        matches!(known.value_type, ValueType::Text | ValueType::Bytes | ValueType::Vector(_));
    let payload = if kind != Kind::Value {
        Payload::None
    } else if is_raw {
        let raw = match head.raw(index).ok()? {
            Slot::Near { start, end } => near.get(start as usize..end as usize)?,
            Slot::Far { start, end } => far.get(start as usize..end as usize)?,
        };
        Payload::Raw(Bytes::copy_from_slice(raw))
    } else {
        Payload::Bits(head.bits(index))
    };
    let order = head.order(index, timeline).ok()?;
    Some(Revision { order, kind, source: head.source(index), payload })
}
