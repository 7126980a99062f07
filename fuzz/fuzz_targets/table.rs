//! Tables: a table that was written has its checksums and comes back; any bytes in the place of
//! its sections are read without a panic.
#![no_main]

use asofdb_format::catalog::Bounds;
use asofdb_format::directory::{self, Directory};
use asofdb_format::hash::EntityHash;
use asofdb_format::head::Head;
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{FeatureId, FileNumber, StoreId};
use asofdb_format::meta::{FeatureMeta, TableMeta};
use asofdb_format::pages;
use asofdb_format::revision::Revision;
use asofdb_format::table::{FOOTER_LEN, Footer, Layout, Names, TableBuilder};
use asofdb_format::value::ValueType;
use asofdb_fuzz::{MOST, chunk_columns, features, is_raw};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn layout_of(bytes: &[u8]) -> Option<Layout> {
    let tail = bytes.get(bytes.len().checked_sub(FOOTER_LEN)?..)?;
    let footer = Footer::decode(tail, bytes.len() as u64).ok()?;
    let (start, end) = (footer.sections.start as usize, footer.sections.end() as usize);
    footer.layout(bytes.get(start..end)?).ok()
}

/// Reads all rows; asks of nothing but that it ends without a panic.
fn read(bytes: &[u8], layout: &Layout) -> Option<usize> {
    let section = |start: u64, end: u64| bytes.get(start as usize..end as usize);
    let index = section(layout.directory.start, layout.directory.end())?;
    let heads = section(layout.heads.start, layout.heads.end())?;
    let history = section(layout.history.start, layout.history.end())?;
    TableMeta::decode(section(layout.meta.start, layout.meta.end())?).ok()?;
    let fixed = index.get(..directory::FIXED_LEN)?;
    let directory = Directory::decode(fixed, layout.directory.len).ok()?;
    let mut columns = 0;
    for row in 0..directory.rows().min(MOST) {
        let place = directory.row_at(row);
        let (half, head) = Directory::row(index.get(place..place + 8)?);
        let head = Head::decode(heads.get(head as usize..)?).ok()?;
        let hash = EntityHash::of(head.entity());
        let found = directory.bucket(hash).and_then(|at| index.get(at..at + 8));
        let within = found.and_then(|eight| directory.bounds(eight).ok());
        if half != directory::fingerprint(hash) || !within?.contains(&row) {
            return None;
        }
        for index in 0..head.len().min(MOST) {
            let _ = (head.order(index), head.kind(index), head.raw(index));
        }
        let at = head.history;
        let start = at.start as usize;
        let chunk = history.get(start..start.checked_add(at.chunk_len as usize)?)?;
        let heap = history.get(start + chunk.len()..)?.get(..at.heap_len as usize)?;
        if !chunk.is_empty() {
            columns += chunk_columns(chunk, heap).ok()?.len();
        }
    }
    Some(columns)
}

trait Contains {
    fn contains(&self, row: &usize) -> bool;
}

impl Contains for (usize, usize) {
    fn contains(&self, row: &usize) -> bool {
        (self.0..self.1).contains(row)
    }
}

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let mut rows = Vec::new();
    for n in 0..u.int_in_range(0..=4u8)? {
        let mut entity = vec![n];
        entity.extend(u.arbitrary::<[u8; 3]>()?);
        rows.push((EntityHash::of(&entity), entity, features(u)?));
    }
    rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut names = Names::default();
    for (id, _) in rows.iter().flat_map(|row| &row.2) {
        let value_type = if is_raw(*id) { ValueType::Bytes } else { ValueType::F64 };
        let feature = FeatureMeta::new(format!("v:{}", id.0), 1, value_type, Bounds::default());
        names.features.insert(*id, feature);
    }
    let header = Header::new(FileKind::Table, StoreId([1; 16]), FileNumber(2), 3);
    let mut builder = TableBuilder::new(&header, names);
    let mut columns = 0;
    for (_, entity, features) in &rows {
        let features: Vec<(FeatureId, &[Revision])> =
            features.iter().map(|(id, revisions)| (*id, revisions.as_slice())).collect();
        columns += features.iter().filter(|(_, revisions)| revisions.len() > 1).count();
        builder.add(entity, &features);
    }
    let (mut bytes, finished) = builder.finish();
    let layout = layout_of(&bytes).unwrap();
    assert_eq!(layout.identity, finished.identity);
    let sums = layout.checksums.start as usize..layout.checksums.end() as usize;
    assert!(layout.sums_are_whole(&bytes[sums.clone()]));
    for page in 0..pages::page_count(layout.covered()) {
        let (start, end) = pages::page_range(page, layout.covered());
        let page_bytes = &bytes[start as usize..end as usize];
        assert!(pages::page_is_whole(&bytes[sums.clone()], page, page_bytes));
    }
    assert_eq!(read(&bytes, &layout), Some(columns));
    for _ in 0..u.int_in_range(1..=9)? {
        let at = u.int_in_range(0..=layout.covered() as usize - 1)?;
        bytes[at] = u.arbitrary()?;
    }
    let _ = read(&bytes, &layout);
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(layout) = layout_of(bytes) {
        let _ = read(bytes, &layout);
    }
    let _ = Header::decode(bytes);
    let _ = written(&mut Unstructured::new(bytes));
});
