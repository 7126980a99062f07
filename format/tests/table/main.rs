//! What goes into a table comes out of it, and no damage to it goes unseen.
//!
//! Tables of many shapes are made with [`TableBuilder`] and read back with a reader that is written
//! out here: footer, sections, pages, directory, heads, chunks, heaps. Every test with a seed names
//! it when it fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test that finds something else than it expects shall stop there"
)]

mod alike;
mod doors;
mod random;
mod rows;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asofdb_format::catalog::Bounds;
use asofdb_format::chunk::{self, Chunk, Column, ColumnInput, Orders, Starts, Walk};
use asofdb_format::directory::{self, Directory};
use asofdb_format::freshness::{self, Freshness};
use asofdb_format::hash::EntityHash;
use asofdb_format::head::{self, Head, Slot};
use asofdb_format::header::{FileKind, HEADER_LEN, Header};
use asofdb_format::ids::{Commit, EventTime, FeatureId, FileNumber, KnownTime, SourceId, StoreId};
use asofdb_format::meta::{FeatureMeta, TableMeta};
use asofdb_format::pages;
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::table::{Extent, FOOTER_LEN, Footer, Layout, Names, TableBuilder, TableFault};
use asofdb_format::timeline::Timeline;
use asofdb_format::value::{Kind, ValueType};
use asofdb_format::values::{self, Numbers, Place};
use asofdb_format::wire::{Malformed, narrow, uint, wide};
use bytes::Bytes;
use random::*;

/// What one call of [`TableBuilder::add`] takes, and what one row gives back.
type RowOf = (Vec<u8>, Vec<(FeatureId, Vec<Revision>)>);

// ---------------------------------------------------------------------------------------------
// A reader, as SPEC.md has it

fn at(bytes: &[u8], start: u64, len: u64) -> Result<&[u8], Malformed> {
    let end = start.saturating_add(len);
    bytes.get(narrow(start)..narrow(end)).ok_or(Malformed::new(start, "bytes within the file"))
}

fn section(bytes: &[u8], extent: Extent) -> Result<&[u8], Malformed> {
    at(bytes, extent.start, extent.len)
}

fn layout_of(bytes: &[u8]) -> Result<Layout, TableFault> {
    let len = wide(bytes.len());
    let tail = bytes.get(bytes.len().saturating_sub(FOOTER_LEN)..).unwrap_or_default();
    let footer = Footer::decode(tail, len)?;
    footer.layout(section(bytes, footer.sections)?)
}

/// Verifies every byte of a table.
fn verify(bytes: &[u8]) -> Result<Layout, TableFault> {
    let bad = |what| TableFault::Malformed(Malformed::new(0, what));
    let layout = layout_of(bytes)?;
    let sums = section(bytes, layout.checksums)?;
    if !layout.sums_are_whole(sums) {
        return Err(bad("the checksums"));
    }
    for page in 0..pages::page_count(layout.covered()) {
        let (start, end) = pages::page_range(page, layout.covered());
        if !pages::page_is_whole(sums, page, at(bytes, start, end - start)?) {
            return Err(bad("a page"));
        }
    }
    let header = Header::decode(bytes).map_err(|_| bad("the header"))?;
    if header.kind == FileKind::Table { Ok(layout) } else { Err(bad("the kind of file")) }
}

struct Table<'a> {
    bytes: &'a [u8],
    layout: Layout,
    meta: TableMeta,
    directory: Directory,
}

impl<'a> Table<'a> {
    fn open(bytes: &'a [u8], layout: Layout) -> Result<Self, Malformed> {
        let index = section(bytes, layout.directory)?;
        let fixed = index.get(..directory::FIXED_LEN).unwrap_or_default();
        let directory = Directory::decode(fixed, layout.directory.len)?;
        let meta = TableMeta::decode(section(bytes, layout.meta)?)?;
        Ok(Self { bytes, layout, meta, directory })
    }

    fn index(&self) -> Result<&'a [u8], Malformed> {
        section(self.bytes, self.layout.directory)
    }

    fn head_at(&self, row: usize) -> Result<(u32, Head<'a>), Malformed> {
        let eight = at(self.index()?, wide(self.directory.row_at(row)), 8)?;
        let (half, place) = Directory::row(eight);
        let heads = section(self.bytes, self.layout.heads)?;
        let from = heads.get(narrow(u64::from(place))..).unwrap_or_default();
        Ok((half, Head::decode(from)?))
    }

    /// The rows of an entity, as a look-up finds them.
    fn rows_of(&self, entity: &[u8]) -> Result<Vec<usize>, Malformed> {
        let hash = EntityHash::of(entity);
        let Some(place) = self.directory.bucket(hash) else { return Ok(Vec::new()) };
        let (from, to) = self.directory.bounds(at(self.index()?, wide(place), 8)?)?;
        let mut rows = Vec::new();
        for row in from..to {
            let eight = at(self.index()?, wide(self.directory.row_at(row)), 8)?;
            if Directory::row(eight).0 == directory::fingerprint(hash)
                && self.head_at(row)?.1.entity() == entity
            {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    fn is_raw(&self, feature: FeatureId) -> bool {
        let known = self.meta.features.get(&feature).map(|known| known.value_type);
        matches!(known, Some(ValueType::Text | ValueType::Bytes | ValueType::Vector(_)))
    }

    fn head_revision(&self, head: &Head<'a>, index: usize) -> Result<Revision, Malformed> {
        let heads = section(self.bytes, self.layout.heads)?;
        let far = section(self.bytes, self.layout.far)?;
        let kind = head.kind(index)?;
        let payload = if kind != Kind::Value {
            Payload::None
        } else if self.is_raw(head.feature(index)) {
            let raw = match head.raw(index)? {
                Slot::Far { start, end } => at(far, start, end.saturating_sub(start))?,
                Slot::Near { start, end } => {
                    // Counted from the head's start, which lies so far before its entity.
                    let head_start = head.entity().as_ptr() as usize - heads.as_ptr() as usize;
                    let head_start = wide(head_start - head::FIXED_LEN);
                    at(heads, head_start + start, end.saturating_sub(start))?
                }
            };
            Payload::Raw(Bytes::copy_from_slice(raw))
        } else {
            Payload::Bits(head.bits(index))
        };
        let order = head.order(index, &self.timeline()?)?;
        Ok(Revision { order, kind, source: head.source(index), payload })
    }

    fn timeline(&self) -> Result<Timeline, Malformed> {
        let Some(extent) = self.layout.timeline else { return Ok(Timeline::none()) };
        Timeline::decode(section(self.bytes, extent)?)
    }

    /// All of a row: for each feature its revisions, ascending. `most` bounds the work on bytes
    /// that are damaged.
    fn row(&self, row: usize, most: usize) -> Result<RowOf, Malformed> {
        let (_, head) = self.head_at(row)?;
        let mut features: BTreeMap<FeatureId, Vec<Revision>> = BTreeMap::new();
        let place = head.history();
        if place.chunk_len > 0 {
            let history = section(self.bytes, self.layout.history)?;
            let bytes = at(history, place.start, u64::from(place.chunk_len))?;
            let heap_start = place.start.saturating_add(u64::from(place.chunk_len));
            let heap = at(history, heap_start, u64::from(place.heap_len))?;
            let chunk = Chunk::decode(bytes)?;
            let timeline = self.timeline()?;
            let orders = chunk.orders(&timeline)?;
            for index in 0..chunk.columns().min(most) {
                let column = chunk.column(index)?;
                let revisions = column_revisions((bytes, heap), &column, &orders, most)?;
                features.insert(chunk.feature(index), revisions);
            }
        }
        for index in 0..head.len().min(most) {
            let newest = self.head_revision(&head, index)?;
            features.entry(head.feature(index)).or_default().push(newest);
        }
        Ok((head.entity().to_vec(), features.into_iter().collect()))
    }
}

fn column_revisions(
    (chunk, heap): (&[u8], &[u8]),
    column: &Column<'_>,
    orders: &Orders<'_>,
    most: usize,
) -> Result<Vec<Revision>, Malformed> {
    let mut all = Vec::new();
    let mut held = (0..0, Bytes::new());
    for index in 0..column.len().min(most) {
        let kind = column.kind(index)?;
        let place = column.place(index)?;
        let payload = match place {
            _ if kind != Kind::Value => Payload::None,
            Place::None => Payload::None,
            Place::Bits(bits) => Payload::Bits(bits),
            Place::InPlace { start, end } => Payload::Raw(Bytes::copy_from_slice(at(
                chunk,
                wide(start),
                wide(end.saturating_sub(start)),
            )?)),
            Place::Block(place) => {
                let range = place.block_start..place.block_end;
                if held.0 != range || held.1.len() != place.block_len {
                    let len = wide(range.len());
                    let block = at(heap, wide(place.block_start), len)?;
                    held = (range, values::decompress(block, place.block_len)?);
                }
                Payload::Raw(held.1.slice(place.start..place.end))
            }
        };
        let (order, source) = (column.order(orders, index), column.source(orders, index));
        all.push(Revision { order, kind, source, payload });
    }
    Ok(all)
}

// ---------------------------------------------------------------------------------------------
// Round trips

fn check_table(seed: u64, entities: u64) {
    let mut rng = Rng(seed);
    let names = names(&mut rng);
    let rows = rows(&mut rng, &names, entities);
    let (bytes, finished) = build(&names, &rows, seed.is_multiple_of(2));
    assert_eq!(wide(bytes.len()), finished.len, "seed {seed}");
    let layout = verify(&bytes).unwrap_or_else(|fault| panic!("seed {seed}: {fault:?}"));
    assert_eq!(layout.identity, finished.identity, "seed {seed}");
    let table = Table::open(&bytes, layout).unwrap();
    assert_eq!(table.meta, finished.meta, "seed {seed}");
    assert_eq!(table.directory.rows(), rows.len(), "seed {seed}");
    for (index, row) in rows.iter().enumerate() {
        let found = table.row(index, usize::MAX).expect("a row");
        assert_eq!(&found, row, "seed {seed}, row {index}");
        let same = rows.iter().enumerate().filter(|(_, other)| other.0 == row.0);
        let same: Vec<usize> = same.map(|(index, _)| index).collect();
        assert_eq!(table.rows_of(&row.0), Ok(same), "seed {seed}, row {index}");
        let (half, head) = table.head_at(index).unwrap();
        assert_eq!(half, directory::fingerprint(EntityHash::of(&row.0)));
        let top = row.1.iter().map(|(_, revisions)| revisions.last().unwrap().order.event_time);
        assert_eq!(Some(head.top_time()), top.max());
    }
    for n in 0..100 {
        let stranger = format!("stranger-{n}");
        assert_eq!(table.rows_of(stranger.as_bytes()), Ok(Vec::new()), "seed {seed}");
    }
    check_meta(&names, &rows, &table.meta);
    check_freshness(&rows, &freshness_of(&bytes, &layout));
}

fn freshness_of(bytes: &[u8], layout: &Layout) -> Freshness {
    Freshness::decode(section(bytes, layout.freshness.unwrap()).unwrap()).unwrap()
}

/// Of few entities all event times are told, of more those at the ranks.
fn check_freshness(rows: &[RowOf], told: &Freshness) {
    let mut known: BTreeMap<FeatureId, KnownTime> = BTreeMap::new();
    let mut times: BTreeMap<FeatureId, Vec<EventTime>> = BTreeMap::new();
    for (id, revisions) in rows.iter().flat_map(|row| &row.1) {
        for revision in revisions {
            let newest = known.entry(*id).or_insert(KnownTime::MIN);
            *newest = revision.order.known_time.max(*newest);
        }
        let newest = revisions.last().unwrap();
        let alive = (newest.kind != Kind::Deleted).then_some(newest.order.event_time);
        times.entry(*id).or_default().extend(alive);
    }
    assert!(told.features.iter().map(|(id, _)| id).eq(known.keys()));
    for (id, of) in &told.features {
        let mut times = times[id].clone();
        times.sort_unstable();
        let count = wide(times.len());
        let points = (0..freshness::POINTS).filter_map(|point| freshness::rank(point, count));
        let points: Vec<EventTime> = points.map(|rank| times[narrow(rank)]).collect();
        assert_eq!((of.newest_known, of.entities), (known[id], count));
        assert_eq!(of.points, points);
    }
}

fn check_meta(names: &Names, rows: &[RowOf], meta: &TableMeta) {
    let all: Vec<(FeatureId, &Revision)> = rows
        .iter()
        .flat_map(|row| &row.1)
        .flat_map(|(id, revisions)| revisions.iter().map(|revision| (*id, revision)))
        .collect();
    let orders = || all.iter().map(|(_, revision)| revision.order);
    let hashes = || rows.iter().map(|row| EntityHash::of(&row.0));
    assert_eq!(meta.entities, wide(rows.len()));
    assert_eq!(meta.revisions, wide(all.len()));
    assert_eq!(Some(meta.min_hash), hashes().min());
    assert_eq!(Some(meta.max_hash), hashes().max());
    assert_eq!(Some(meta.min_event_time), orders().map(|order| order.event_time).min());
    assert_eq!(Some(meta.max_event_time), orders().map(|order| order.event_time).max());
    assert_eq!(Some(meta.max_known_time), orders().map(|order| order.known_time).max());
    assert_eq!(Some(meta.min_commit), orders().map(|order| order.commit).min());
    assert_eq!(Some(meta.max_commit), orders().map(|order| order.commit).max());
    let ids: BTreeSet<FeatureId> = all.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, meta.features.keys().copied().collect());
    for (id, told) in &meta.features {
        let mut counted = names.features[id].clone();
        let of = all.iter().filter(|(other, _)| other == id);
        of.for_each(|(_, revision)| counted.count(revision));
        assert_eq!(told, &counted);
    }
    for (id, label) in &meta.sources {
        assert_eq!(Some(label), names.sources.get(id));
    }
}

#[test]
fn every_revision_comes_back() {
    (0..60).for_each(|seed| check_table(seed, 1 + seed % 20));
}

#[test]
fn every_revision_of_many_entities_comes_back() {
    check_table(1000, 700);
}

/// The chunk is encoded otherwise than a builder would: what is copied is told from what is made
/// again.
#[test]
fn a_copied_chunk_is_made_again_or_is_not_that_of_its_row() {
    let mut rng = Rng(7);
    let mut names = Names::default();
    let price = FeatureMeta::new("v:price".to_owned(), 1, ValueType::F64, Bounds::default());
    names.features.insert(FeatureId(1), price);
    let orders: Vec<Order> = (0..50)
        .map(|n| Order { event_time: EventTime(n), known_time: KnownTime(n), commit: Commit(n) })
        .collect();
    let all = revisions(&mut rng, ValueType::F64, &orders);
    let (older, _) = all.split_at(all.len() - 1);
    let column = ColumnInput { feature: FeatureId(1), numbers: Numbers::Plain, revisions: older };
    let (mut chunk, mut heap) = (Vec::new(), Vec::new());
    chunk::encode(&[column], &Timeline::none(), &mut chunk, &mut heap);
    let rows: Vec<RowOf> = vec![(b"ant".to_vec(), vec![(FeatureId(1), all.clone())])];
    let (made, _) = build(&names, &rows, false);
    let contains = |bytes: &[u8]| bytes.windows(chunk.len()).any(|window| window == chunk);
    assert!(!contains(&made), "a builder encodes it so too: the test tells nothing");
    let header = Header::new(FileKind::Table, StoreId([7; 16]), FileNumber(3), 1);
    let mut builder = TableBuilder::new(&header, names.clone(), Arc::default());
    builder.add_copied(b"ant", &[(FeatureId(1), &all)], (&chunk, &heap));
    let copied = builder.finish().0.concat();
    assert!(contains(&copied));
    let table = Table::open(&copied, verify(&copied).unwrap()).unwrap();
    assert_eq!(table.row(0, usize::MAX).unwrap(), rows[0]);
    check_meta(&names, &rows, &table.meta);
    check_freshness(&rows, &freshness_of(&copied, &layout_of(&copied).unwrap()));
}

#[test]
fn a_table_of_nothing_can_be_read() {
    let (bytes, _) = build(&Names::default(), &[], false);
    let table = Table::open(&bytes, verify(&bytes).unwrap()).unwrap();
    assert_eq!(table.directory.rows(), 0);
    assert_eq!(table.meta, TableMeta::empty());
    assert_eq!(table.rows_of(b"a"), Ok(Vec::new()));
}

#[test]
fn numbers_of_the_metadata_leave_nan_aside() {
    let id = FeatureId(1);
    let bounds = Bounds::default();
    let numbers = |value_type, bits: &[u64]| {
        let mut meta = FeatureMeta::new("v:f".to_owned(), 1, value_type, bounds);
        for &bits in bits {
            let order =
                Order { event_time: EventTime(0), known_time: KnownTime(0), commit: Commit(0) };
            let (kind, source) = (Kind::Value, SourceId::NONE);
            meta.count(&Revision { order, kind, source, payload: Payload::Bits(bits) });
        }
        let names = Names { features: [(id, meta.clone())].into(), ..Names::default() };
        let mut table = TableMeta::empty();
        table.features = names.features;
        assert_eq!(TableMeta::decode(&table.encode()).unwrap().features[&id], meta);
        meta.numbers
    };
    let bits = |number: f64| number.to_bits();
    let all = [bits(f64::NAN), bits(2.0), bits(-3.0), bits(f64::NAN)];
    assert_eq!(numbers(ValueType::F64, &all), Some((bits(-3.0), bits(2.0))));
    assert_eq!(numbers(ValueType::F64, &[bits(f64::NAN)]), None);
    let small = |number: f32| u64::from(number.to_bits());
    let all = [small(1.5), small(f32::NAN), small(-1.5)];
    assert_eq!(numbers(ValueType::F32, &all), Some((small(-1.5), small(1.5))));
    let minus = (-4i64).cast_unsigned();
    assert_eq!(numbers(ValueType::I64, &[3, minus]), Some((minus, 3)));
}

/// Values of 16 MiB that share their bytes: what counts is the weight.
#[test]
fn an_entity_that_is_too_heavy_gets_several_rows() {
    let id = FeatureId(5);
    let value = Payload::Raw(Bytes::from(vec![3; 16 << 20]));
    let revisions: Vec<Revision> = (0..20)
        .map(|n| {
            let order =
                Order { event_time: EventTime(n), known_time: KnownTime(n), commit: Commit(n) };
            let (kind, source) = (Kind::Value, SourceId::NONE);
            Revision { order, kind, source, payload: value.clone() }
        })
        .collect();
    let bounds = Bounds::default();
    let mut names = Names::default();
    let feature = FeatureMeta::new("v:f".to_owned(), 1, ValueType::Bytes, bounds);
    names.features.insert(id, feature);
    let row = (b"heavy".to_vec(), vec![(id, revisions.clone())]);
    let (bytes, _) = build(&names, &[row], false);
    let table = Table::open(&bytes, verify(&bytes).unwrap()).unwrap();
    assert_eq!(table.rows_of(b"heavy"), Ok(vec![0, 1]));
    let fresh = freshness_of(&bytes, &table.layout);
    assert_eq!(fresh.features[0].1.points, [EventTime(19)], "one entity, whatever its rows");
    let halves: Vec<RowOf> = [0, 1].map(|row| table.row(row, usize::MAX).unwrap()).into();
    let found = [&halves[1].1[0].1[..], &halves[0].1[0].1[..]].concat();
    assert!(found == revisions, "newer revisions stand in the first row");
}

// ---------------------------------------------------------------------------------------------
// Chunks

/// With a timeline that tells every commit, with one that tells some, and without one.
fn check_chunk(columns: &[(FeatureId, Numbers, Vec<Revision>)]) -> usize {
    let features = columns.iter().map(|(id, _, revisions)| (*id, revisions.clone()));
    let whole = timeline_of(&[(b"e".to_vec(), features.collect())]);
    let half = Timeline::of(whole.steps().step_by(2).collect(), 1_000);
    check_chunk_of(columns, &whole);
    check_chunk_of(columns, &half);
    check_chunk_of(columns, &Timeline::none())
}

/// What a chunk of these columns is made of.
fn inputs_of(columns: &[(FeatureId, Numbers, Vec<Revision>)]) -> Vec<ColumnInput<'_>> {
    columns
        .iter()
        .map(|(feature, numbers, revisions)| ColumnInput {
            feature: *feature,
            numbers: *numbers,
            revisions,
        })
        .collect()
}

fn check_chunk_of(columns: &[(FeatureId, Numbers, Vec<Revision>)], timeline: &Timeline) -> usize {
    let inputs = inputs_of(columns);
    let (mut bytes, mut heap) = (Vec::new(), Vec::new());
    chunk::encode(&inputs, timeline, &mut bytes, &mut heap);
    let chunk = Chunk::decode(&bytes).unwrap();
    assert_eq!(chunk.columns(), columns.len());
    let mut from = 0;
    let (mut walk, mut column_walk) = (Walk::default(), Walk::default());
    for (index, (feature, _, revisions)) in columns.iter().enumerate() {
        assert_eq!(chunk.find(*feature, 0), Ok(index));
        assert_eq!(chunk.find(*feature, from), Ok(index));
        from = index;
        let (column, orders) = (chunk.column(index).unwrap(), chunk.orders(timeline).unwrap());
        let found = column_revisions((&bytes, &heap), &column, &orders, usize::MAX);
        assert_eq!(&found.unwrap(), revisions);
        for revision in revisions {
            let t = revision.order.event_time;
            let expected = revisions.iter().filter(|other| other.order.event_time <= t).count();
            assert_eq!(column.up_to(t), expected);
        }
        assert_eq!(column.up_to(EventTime::MAX), revisions.len());
        let again = chunk.column_with(index, &mut column_walk).unwrap();
        rows::check_back(&again, &orders, revisions);
        if let Some(numbers) = chunk.numbers(index, &mut walk).unwrap() {
            assert_eq!(numbers.len(), revisions.len());
            let (mut starts, mut limits) = (Starts::default(), Vec::new());
            chunk.starts(&mut starts).unwrap();
            if let Some(grid) = chunk.grid(&starts) {
                for (at, revision) in revisions.iter().enumerate() {
                    let t = revision.order.event_time;
                    grid.limits(&[t], &mut limits);
                    assert_eq!(grid.up_to(index, &limits[0]), numbers.up_to(&chunk.moment(t)));
                    assert_eq!(grid.kind(index, at), numbers.kind(at));
                }
            }
            for (at, revision) in revisions.iter().enumerate() {
                let t = revision.order.event_time;
                let up_to = |t| numbers.up_to(&chunk.moment(t));
                assert_eq!((numbers.event_time(at), up_to(t)), (t, column.up_to(t)));
                let before = EventTime(t.0.saturating_sub(1));
                assert_eq!(up_to(before), column.up_to(before));
                rows::check_moment(&chunk, &numbers, before);
                rows::check_moment(&chunk, &numbers, t);
                assert_eq!(numbers.kind(at), Ok(revision.kind));
                if let Payload::Bits(bits) = revision.payload {
                    assert_eq!(numbers.bits(at), bits);
                }
            }
        }
    }
    rows::check_answers(&chunk, columns);
    let last = columns.last().unwrap().0;
    assert!(chunk.find(FeatureId(last.0.wrapping_add(1)), 0).is_err());
    bytes.len()
}

#[test]
fn chunks_come_back() {
    for seed in 0..300 {
        let mut rng = Rng(seed);
        let known = names(&mut rng);
        let count = 1 + rng.below(30);
        let shared = orders(&mut rng, count);
        // Numbers lie side by side where nothing else is among them.
        let (numbers_alone, are_alike) = (seed % 2 == 0, rng.chance(5));
        let mut columns = Vec::new();
        for (id, meta) in &known.features {
            let numbers = match meta.value_type {
                ValueType::F64 => Numbers::F64,
                ValueType::F32 => Numbers::F32,
                ValueType::Bool | ValueType::I64 => Numbers::Plain,
                _ if numbers_alone => continue,
                _ => Numbers::Plain,
            };
            let count = if are_alike { count } else { 1 + rng.below(30) };
            let own = if rng.chance(5) { shared.clone() } else { orders(&mut rng, count) };
            columns.push((*id, numbers, revisions(&mut rng, meta.value_type, &own)));
        }
        check_chunk(&columns);
    }
}

/// One list of times for all columns, so far apart that they are packed in 64 bits: a moment before the
/// second was once told that it sees it.
#[test]
fn what_has_always_been_true_lets_a_moment_see_the_future() {
    for times in [[i64::MIN, 1_700_000_000_000_001, 1_700_000_360_000_000], [i64::MIN, -10, 5]] {
        let columns: Vec<_> = (0..8)
            .map(|id| {
                let revision = |(n, time): (u64, &i64)| Revision {
                    order: Order {
                        event_time: EventTime(*time),
                        known_time: KnownTime(7),
                        commit: Commit(7),
                    },
                    kind: Kind::Value,
                    source: SourceId::NONE,
                    payload: Payload::Bits(n + u64::from(id)),
                };
                (FeatureId(id), Numbers::Plain, (0..).zip(&times).map(revision).collect())
            })
            .collect();
        let mut bytes = Vec::new();
        chunk::encode(&inputs_of(&columns), &Timeline::none(), &mut bytes, &mut Vec::new());
        assert!(Chunk::decode(&bytes).unwrap().has_grid());
        check_chunk(&columns);
    }
}

/// Columns that share times but not commits, commits but not times, both, and neither.
#[test]
fn times_and_commits_are_shared_each_for_itself() {
    let column = |id: u32, times: &[i64], commits: &[i64]| {
        let revisions = times.iter().zip(commits).map(|(&e, &c)| {
            let order =
                Order { event_time: EventTime(e), known_time: KnownTime(c), commit: Commit(c) };
            let (kind, source) = (Kind::Value, SourceId::NONE);
            Revision { order, kind, source, payload: Payload::Bits(5) }
        });
        (FeatureId(id), Numbers::Plain, revisions.collect::<Vec<_>>())
    };
    let (a, b) = ([10, 35, 36, 90], [10, 35, 37, 90]);
    let (x, y) = ([500, 501, 570, 571], [501, 500, 571, 570]);
    check_chunk(&[
        column(0, &a, &x),
        column(1, &a, &y),
        column(2, &b, &x),
        column(3, &b, &y),
        column(4, &a, &x),
        column(5, &a[..3], &x[..3]),
        column(6, &b[..3], &y[..3]),
        column(7, &a, &y),
    ]);
    let times: Vec<i64> = (0..500).map(|n| n * n * 7919 % 1_000_003).collect();
    let mut times: Vec<i64> = times.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    times.sort_unstable();
    let alone = check_chunk(&[column(0, &times, &times)]);
    let many: Vec<_> = (0..10).map(|id| column(id, &times, &times)).collect();
    assert!(check_chunk(&many) < alone + 200, "ten columns share their lists");
}

// ---------------------------------------------------------------------------------------------
// Damage

/// A table of a few pages with something in every section.
fn small_table() -> Vec<u8> {
    for seed in 0.. {
        let mut rng = Rng(seed);
        let names = names(&mut rng);
        let rows = rows(&mut rng, &names, 4);
        let (bytes, _) = build(&names, &rows, false);
        let layout = verify(&bytes).unwrap();
        let all = [layout.history, layout.far, layout.heads, layout.directory, layout.meta];
        if all.iter().all(|extent| extent.len > 0) && (9_000..13_000).contains(&bytes.len()) {
            return bytes;
        }
    }
    panic!("a table of that size");
}

#[test]
fn every_flipped_byte_is_caught() {
    let mut bytes = small_table();
    let footer = bytes.len() - FOOTER_LEN;
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            bytes[at] ^= flip;
            assert!(verify(&bytes).is_err(), "byte {at} of {footer} + footer, flip {flip:#x}");
            bytes[at] ^= flip;
        }
    }
    assert!(verify(&bytes).is_ok());
}

#[test]
fn a_flipped_byte_is_caught_by_its_own_page() {
    let bytes = small_table();
    let layout = verify(&bytes).unwrap();
    let sums = section(&bytes, layout.checksums).unwrap();
    for place in 0..layout.covered() {
        let mut damaged = bytes.clone();
        damaged[narrow(place)] ^= 0x10;
        let page = place / pages::PAGE_LEN;
        let (start, end) = pages::page_range(page, layout.covered());
        let page_bytes = at(&damaged, start, end - start).unwrap();
        assert!(!pages::page_is_whole(sums, page, page_bytes), "byte {place}");
    }
}

#[test]
fn a_truncated_table_is_an_error_at_every_length() {
    let bytes = small_table();
    for len in 0..bytes.len() {
        assert!(verify(&bytes[..len]).is_err(), "{len} bytes");
    }
    let mut longer = bytes.clone();
    longer.push(b'\n');
    assert!(verify(&longer).is_err());
    longer.extend_from_slice(&bytes);
    assert!(verify(&longer).is_err(), "a table behind another");
}

/// Checksums find damage before decoders meet it. These take it all the same.
#[test]
fn decoders_take_damaged_sections_without_a_panic() {
    let bytes = small_table();
    let layout = verify(&bytes).unwrap();
    let mut rng = Rng(5);
    for at in (HEADER_LEN..narrow(layout.covered())).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << rng.below(8);
        let Ok(table) = Table::open(&damaged, layout) else { continue };
        for row in 0..table.directory.rows().min(20) {
            drop(table.row(row, 30));
        }
        drop(table.rows_of(b"entity-1"));
    }
}

#[test]
fn a_required_section_of_an_unknown_tag_is_a_newer_format() {
    let bytes = small_table();
    let layout = verify(&bytes).unwrap();
    let footer = Footer::decode(&bytes[bytes.len() - FOOTER_LEN..], wide(bytes.len())).unwrap();
    for ignorable in [0, 1] {
        let mut sections = section(&bytes, footer.sections).unwrap().to_vec();
        sections[0] += 1;
        sections.extend_from_slice(&[77, ignorable, 60, 2]);
        let mut changed = bytes[..narrow(footer.sections.start)].to_vec();
        changed.extend_from_slice(&sections);
        let mut tail = bytes[bytes.len() - FOOTER_LEN..].to_vec();
        tail[8..12].copy_from_slice(&(sections.len() as u32).to_le_bytes());
        tail[12..16].copy_from_slice(&crc32fast::hash(&sections).to_le_bytes());
        let identity = crc32fast::hash(&tail[..20]);
        tail[20..24].copy_from_slice(&identity.to_le_bytes());
        changed.extend_from_slice(&tail);
        let expected = if ignorable == 0 {
            Err(TableFault::Unknown(77))
        } else {
            Ok(Layout { identity, ..layout })
        };
        assert_eq!(verify(&changed), expected);
        assert_eq!(uint(&changed, changed.len() - 12, 4), u64::from(identity));
    }
}
