//! A table file: sections, a table of sections, a footer.
//!
//! ```text
//! header             56 bytes, see [`header`](crate::header)
//! history   tag 1    for each entity that has one: chunk, heap
//! far       tag 2    long bytes of heads
//! heads     tag 3    a head for each row of the directory
//! directory tag 4
//! metadata  tag 5
//! freshness tag 8    ignorable, see [`freshness`](crate::freshness)
//! timeline  tag 9    where a head or a chunk goes by it, see [`timeline`](crate::timeline)
//! hints     tag 10   ignorable, where there is history, see [`hint`](crate::hint)
//! checksums tag 6    one for each page of all that stands before it
//! sections           varint count; each: varint tag, u8 1: ignorable, varint start, varint length
//! footer             u64 start of the sections' table | u32 its length | u32 its CRC-32
//!                    | u32 CRC-32 of the checksums section | u32 CRC-32 of the footer up to here
//!                    | 8 bytes "asofdbT\n"
//! ```
//!
//! Every byte hangs on the footer's checksum, which is the table's *identity*: the manifest knows
//! it, so no other file is taken for this one. A section of an unknown tag that is not ignorable
//! means that the table is of a newer format.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chunk::{self, ColumnInput, MAX_REVISIONS};
use crate::directory;
use crate::freshness::{Gauge, place_of};
use crate::hash::EntityHash;
use crate::head::{self, HistoryPlace};
use crate::header::{HEADER_LEN, Header};
use crate::hint::{self, ChunkHint};
use crate::ids::{FeatureId, SourceId};
use crate::meta::{FeatureMeta, TableMeta};
use crate::pages::PageSums;
use crate::revision::Revision;
use crate::timeline::Timeline;
use crate::value::ValueType;
use crate::values::Numbers;
use crate::wire::{Decoded, Malformed, Reader, Writer, narrow, wide};

/// How long a footer is.
pub const FOOTER_LEN: usize = 32;

const MAGIC: &[u8; 8] = b"asofdbT\n";
const CHECKSUMS: u64 = 6;
const FRESHNESS: u64 = 8;
const TIMELINE: u64 = 9;
const HINTS: u64 = 10;

/// About what a row takes in the directory, with its part of a bucket's start, and its hint.
const ROW_LEN: usize = 9 + hint::HINT_LEN;

/// An entity with more revisions, or more bytes of values, is written in several rows.
const MAX_PART_WEIGHT: usize = 256 << 20;

/// More room than this is given back after an entity that needed it.
const MAX_ROOM: usize = 1 << 20;

/// Where a section lies in its file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extent {
    /// Its first byte.
    pub start: u64,
    /// Its length.
    pub len: u64,
}

impl Extent {
    /// The byte behind its last one.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.start.saturating_add(self.len)
    }
}

/// Where everything lies in a table file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Older versions.
    pub history: Extent,
    /// Long bytes of heads.
    pub far: Extent,
    /// Newest versions.
    pub heads: Extent,
    /// From entities to heads.
    pub directory: Extent,
    /// What is known of the table.
    pub meta: Extent,
    /// How fresh the features are; a table may not tell.
    pub freshness: Option<Extent>,
    /// Which event times came with which commits, if any head or chunk goes by that.
    pub timeline: Option<Extent>,
    /// Where chunks lie, if there are any; a table may not tell.
    pub hints: Option<Extent>,
    /// Checksums of pages.
    pub checksums: Extent,
    /// CRC-32 of the checksums section.
    pub checksums_sum: u32,
    /// The footer's checksum.
    pub identity: u32,
}

/// Why a table cannot be opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TableFault {
    /// It is damaged.
    Malformed(Malformed),
    /// It has a section that this crate does not know and may not pass over.
    Unknown(u64),
}

impl From<Malformed> for TableFault {
    fn from(fault: Malformed) -> Self {
        Self::Malformed(fault)
    }
}

/// The footer of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Footer {
    /// Where the table of sections lies.
    pub sections: Extent,
    sections_sum: u32,
    checksums_sum: u32,
    /// The footer's own checksum.
    pub identity: u32,
}

impl Footer {
    /// Reads the last [`FOOTER_LEN`] bytes of a file of this length.
    pub fn decode(tail: &[u8], file_len: u64) -> Decoded<Self> {
        let base = file_len.saturating_sub(wide(FOOTER_LEN));
        let fault = Malformed::new(base, "the footer of a table");
        let mut reader = Reader::new(tail);
        let start = reader.u64().map_err(|_| fault.clone())?;
        let len = u64::from(reader.u32().map_err(|_| fault.clone())?);
        let sections_sum = reader.u32().map_err(|_| fault.clone())?;
        let checksums_sum = reader.u32().map_err(|_| fault.clone())?;
        let summed = tail.get(..reader.position()).map(crc32fast::hash);
        let identity = reader.u32().map_err(|_| fault.clone())?;
        let magic = reader.take(MAGIC.len()).map_err(|_| fault.clone())?;
        let sections = Extent { start, len };
        if summed != Some(identity) || magic != MAGIC || sections.end() != base {
            return Err(fault);
        }
        Ok(Self { sections, sections_sum, checksums_sum, identity })
    }

    /// Reads the table of sections, the bytes at [`Footer::sections`].
    pub fn layout(&self, bytes: &[u8]) -> Result<Layout, TableFault> {
        let base = self.sections.start;
        if crc32fast::hash(bytes) != self.sections_sum {
            return Err(Malformed::new(base, "a table of sections that has its checksum").into());
        }
        let mut reader = Reader::new(bytes);
        let mut found = BTreeMap::new();
        let count = reader.count().map_err(|fault| fault.offset(base))?;
        for _ in 0..count {
            let mut entry = || -> Decoded<(u64, u8, Extent)> {
                let tag = reader.varint()?;
                let ignorable = reader.u8()?;
                let start = reader.varint()?;
                Ok((tag, ignorable, Extent { start, len: reader.varint()? }))
            };
            let (tag, ignorable, extent) = entry().map_err(|fault| fault.offset(base))?;
            let is_known =
                (1..=CHECKSUMS).contains(&tag) || matches!(tag, FRESHNESS | TIMELINE | HINTS);
            if !is_known && ignorable == 0 {
                return Err(TableFault::Unknown(tag));
            }
            if ignorable > 1 {
                return Err(Malformed::new(base, "sections ignorable or required").into());
            }
            if extent.start > base || extent.end() > base {
                return Err(Malformed::new(base, "sections before their table").into());
            }
            if found.insert(tag, extent).is_some() {
                return Err(Malformed::new(base, "each section once").into());
            }
        }
        let checksums = found.get(&CHECKSUMS).copied().unwrap_or_default();
        if found.iter().any(|(tag, extent)| *tag != CHECKSUMS && extent.end() > checksums.start) {
            return Err(
                Malformed::new(base, "sections before the checksums that cover them").into()
            );
        }
        let section = |tag: u64| {
            found.get(&tag).copied().ok_or(Malformed::new(base, "all sections of a table"))
        };
        Ok(Layout {
            history: section(1)?,
            far: section(2)?,
            heads: section(3)?,
            directory: section(4)?,
            meta: section(5)?,
            freshness: found.get(&FRESHNESS).copied(),
            timeline: found.get(&TIMELINE).copied(),
            hints: found.get(&HINTS).copied(),
            checksums: section(CHECKSUMS)?,
            checksums_sum: self.checksums_sum,
            identity: self.identity,
        })
    }
}

impl Layout {
    /// Whether the bytes of the checksums section are those that were written.
    #[must_use]
    pub fn sums_are_whole(&self, sums: &[u8]) -> bool {
        let pages = crate::pages::page_count(self.covered());
        crc32fast::hash(sums) == self.checksums_sum
            && Some(wide(sums.len())) == pages.checked_mul(4)
    }

    /// How many bytes the page checksums cover.
    #[must_use]
    pub const fn covered(&self) -> u64 {
        self.checksums.start
    }
}

/// The features and sources that a table may hold.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The features.
    pub features: BTreeMap<FeatureId, FeatureMeta>,
    /// The labels of the sources.
    pub sources: BTreeMap<SourceId, String>,
}

/// Makes a table file of entities that come ascending by (hash, entity).
///
/// History is handed out as it is made (see [`TableBuilder::take_written`]); heads and directory
/// are kept until the end.
#[derive(Debug)]
pub struct TableBuilder {
    names: Names,
    meta: TableMeta,
    /// What is counted of each feature, ascending, and which is mostly counted next.
    counted: Vec<(FeatureId, FeatureMeta)>,
    next: usize,
    gauge: Gauge,
    timeline: Arc<Timeline>,
    /// Whether a head or a chunk goes by it.
    is_by_time: bool,
    sums: PageSums,
    unwritten: Vec<u8>,
    /// Room for a chunk and its heap, used again.
    room: (Vec<u8>, Vec<u8>),
    history_len: u64,
    far: Vec<u8>,
    heads: Pieces,
    rows: Vec<(EntityHash, u32)>,
    hints: Vec<ChunkHint>,
}

/// Bytes that grow without being copied.
#[derive(Debug, Default)]
struct Pieces {
    full: Vec<Vec<u8>>,
    full_len: usize,
    open: Vec<u8>,
}

impl Pieces {
    /// How long a piece gets before the next one is begun.
    const LEN: usize = 256 << 10;

    const fn len(&self) -> usize {
        self.full_len + self.open.len()
    }

    /// Where to write on.
    fn open(&mut self) -> &mut Vec<u8> {
        if self.open.len() >= Self::LEN {
            self.full_len += self.open.len();
            self.full.push(std::mem::take(&mut self.open));
        }
        &mut self.open
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        self.full.push(self.open);
        self.full
    }
}

/// What a finished table is, for the manifest.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What the table tells of itself.
    pub meta: TableMeta,
    /// The length of the file.
    pub len: u64,
    /// The footer's checksum.
    pub identity: u32,
}

impl TableBuilder {
    /// Begins a table whose chunks may go by a timeline.
    #[must_use]
    pub fn new(header: &Header, names: Names, timeline: Arc<Timeline>) -> Self {
        let mut builder = Self {
            names,
            meta: TableMeta::empty(),
            counted: Vec::new(),
            next: 0,
            gauge: Gauge::default(),
            timeline,
            is_by_time: false,
            sums: PageSums::default(),
            unwritten: Vec::new(),
            room: (Vec::new(), Vec::new()),
            history_len: 0,
            far: Vec::new(),
            heads: Pieces::default(),
            rows: Vec::new(),
            hints: Vec::new(),
        };
        builder.push(&header.encode());
        builder
    }

    /// How long the file is so far, about.
    #[must_use]
    pub fn len(&self) -> u64 {
        let kept = self.far.len() + self.heads.len() + self.rows.len() * ROW_LEN + HEADER_LEN;
        self.history_len + wide(kept)
    }

    /// About how much of it is held in memory until the end.
    #[must_use]
    pub const fn kept(&self) -> usize {
        self.far.len() + self.heads.len() + self.rows.len() * size_of::<(EntityHash, u32)>()
    }

    /// Whether nothing was added yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds an entity: for each feature, ascending, its revisions, ascending, at least one.
    pub fn add(&mut self, entity: &[u8], features: &[(FeatureId, &[Revision])]) {
        self.gauge(features);
        self.add_rows(entity, features);
    }

    fn gauge(&mut self, features: &[(FeatureId, &[Revision])]) {
        for (feature, revisions) in features {
            if let Some(newest) = revisions.last() {
                self.gauge.newest(*feature, newest.order.event_time, newest.kind);
            }
        }
    }

    /// Adds an entity, in several rows if it does not fit in one.
    fn add_rows(&mut self, entity: &[u8], features: &[(FeatureId, &[Revision])]) {
        let weight: usize = features
            .iter()
            .flat_map(|(_, revisions)| revisions.iter())
            .map(|revision| 64 + revision.payload.raw_len())
            .sum();
        let lengths = || features.iter().map(|(_, revisions)| revisions.len());
        let (longest, all) = (lengths().max().unwrap_or(0), lengths().sum());
        if longest < 2 || weight <= MAX_PART_WEIGHT && wide(all) <= MAX_REVISIONS {
            self.add_part(entity, features);
            return;
        }
        let halves = |newer: bool| -> Vec<(FeatureId, &[Revision])> {
            features
                .iter()
                .map(|(id, revisions)| {
                    let (older, newest) = revisions.split_at(revisions.len() / 2);
                    (*id, if newer { newest } else { older })
                })
                .filter(|(_, revisions)| !revisions.is_empty())
                .collect()
        };
        self.add_rows(entity, &halves(true));
        self.add_rows(entity, &halves(false));
    }

    /// Adds an entity whose revisions are all those of one row of another table: its chunk and heap
    /// are copied as they are. If the chunk goes by a timeline, that of this table must tell the same
    /// of them.
    pub fn add_copied(
        &mut self,
        entity: &[u8],
        features: &[(FeatureId, &[Revision])],
        (chunk, heap): (&[u8], &[u8]),
    ) {
        self.gauge(features);
        features.iter().for_each(|(feature, revisions)| self.count(*feature, revisions));
        let newest: Vec<(FeatureId, &Revision)> = features
            .iter()
            .filter_map(|(feature, revisions)| Some((*feature, revisions.last()?)))
            .collect();
        self.add_row(entity, &newest, chunk, heap);
    }

    fn add_part(&mut self, entity: &[u8], features: &[(FeatureId, &[Revision])]) {
        let mut newest = Vec::with_capacity(features.len());
        let mut columns = Vec::new();
        for (feature, revisions) in features {
            let Some((head, older)) = revisions.split_last() else { continue };
            newest.push((*feature, head));
            let numbers = match self.names.features.get(feature).map(|known| known.value_type) {
                Some(ValueType::F64) => Numbers::F64,
                Some(ValueType::F32) => Numbers::F32,
                _ => Numbers::Plain,
            };
            if !older.is_empty() {
                columns.push(ColumnInput { feature: *feature, numbers, revisions: older });
            }
            self.count(*feature, revisions);
        }
        let (mut chunk, mut heap) = std::mem::take(&mut self.room);
        if !columns.is_empty() {
            chunk::encode(&columns, &self.timeline, &mut chunk, &mut heap);
        }
        self.add_row(entity, &newest, &chunk, &heap);
        chunk.clear();
        heap.clear();
        if chunk.capacity() + heap.capacity() <= MAX_ROOM {
            self.room = (chunk, heap);
        }
    }

    fn add_row(
        &mut self,
        entity: &[u8],
        newest: &[(FeatureId, &Revision)],
        chunk: &[u8],
        heap: &[u8],
    ) {
        if newest.is_empty() {
            return;
        }
        let mut history = HistoryPlace { start: self.history_len, ..HistoryPlace::default() };
        if !chunk.is_empty() {
            let short = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
            history.chunk_len = short(chunk.len());
            history.heap_len = short(heap.len());
            self.is_by_time |= chunk::goes_by_timeline(chunk);
            self.history_len += wide(chunk.len() + heap.len());
            self.push(chunk);
            self.push(heap);
        }
        let hash = EntityHash::of(entity);
        let head = u32::try_from(self.heads.len()).unwrap_or(u32::MAX);
        self.rows.push((hash, head));
        self.hints.push(ChunkHint::of(history));
        let to = (self.heads.open(), &mut self.far);
        self.is_by_time |= head::encode(entity, newest, history, &self.timeline, to);
        self.meta.entities += 1;
        self.meta.min_hash = self.meta.min_hash.min(hash);
        self.meta.max_hash = self.meta.max_hash.max(hash);
    }

    fn count(&mut self, feature: FeatureId, revisions: &[Revision]) {
        let meta = &mut self.meta;
        meta.revisions += wide(revisions.len());
        let names = &self.names.features;
        let place = place_of(&mut self.counted, &mut self.next, feature, || {
            names.get(&feature).cloned().unwrap_or_else(|| {
                let unnamed = format!("#{}", feature.0);
                FeatureMeta::new(unnamed, 1, ValueType::Bytes, crate::catalog::Bounds::default())
            })
        });
        if let Some(known) = revisions.iter().map(|revision| revision.order.known_time).max() {
            self.gauge.known(feature, known);
        }
        let Some((_, counted)) = self.counted.get_mut(place) else { return };
        for revision in revisions {
            counted.count(revision);
            meta.min_event_time = meta.min_event_time.min(revision.order.event_time);
            meta.max_event_time = meta.max_event_time.max(revision.order.event_time);
            meta.max_known_time = meta.max_known_time.max(revision.order.known_time);
            meta.min_commit = meta.min_commit.min(revision.order.commit);
            meta.max_commit = meta.max_commit.max(revision.order.commit);
            if revision.source != SourceId::NONE && !meta.sources.contains_key(&revision.source) {
                let label = self.names.sources.get(&revision.source).cloned();
                meta.sources.insert(revision.source, label.unwrap_or_default());
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.sums.update(bytes);
        self.unwritten.extend_from_slice(bytes);
    }

    /// How many bytes [`TableBuilder::take_written`] would hand out.
    #[must_use]
    pub const fn unwritten(&self) -> usize {
        self.unwritten.len()
    }

    /// The next bytes of the file.
    #[must_use]
    pub fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unwritten)
    }

    /// Ends the table: the last bytes of the file, in pieces as they stand in memory, and what it is.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Vec<u8>>, Finished) {
        let mut at = wide(HEADER_LEN);
        let mut extents = Vec::new();
        let mut extent = |tag: u64, len: usize| {
            extents.push((tag, u8::from(matches!(tag, FRESHNESS | HINTS)), at, wide(len)));
            at += wide(len);
        };
        let mut index = Vec::with_capacity(directory::FIXED_LEN + self.rows.len() * ROW_LEN);
        directory::encode(&std::mem::take(&mut self.rows), &mut index);
        self.meta.features = std::mem::take(&mut self.counted).into_iter().collect();
        let meta = self.meta.encode();
        let fresh = std::mem::take(&mut self.gauge).finish().encode();
        let times = (self.meta.min_event_time, self.meta.max_event_time);
        let timeline = self.is_by_time.then(|| self.timeline.between(times.0, times.1).encode());
        let heads = std::mem::take(&mut self.heads).finish();
        extent(1, narrow(self.history_len));
        let sections = [
            (2, vec![self.far]),
            (3, heads),
            (4, vec![index]),
            (5, vec![meta]),
            (FRESHNESS, vec![fresh]),
        ];
        let timeline = timeline.map(|timeline| (TIMELINE, vec![timeline]));
        let has_history = self.hints.iter().any(|hint| !hint.is_empty());
        let hints = has_history.then(|| (HINTS, vec![hint::encode(&self.hints)]));
        let mut out = vec![self.unwritten];
        for (tag, pieces) in sections.into_iter().chain(timeline).chain(hints) {
            extent(tag, pieces.iter().map(Vec::len).sum());
            pieces.iter().for_each(|piece| self.sums.update(piece));
            out.extend(pieces);
        }
        let checksums = self.sums.finish();
        extent(CHECKSUMS, checksums.len());
        let mut sections = Vec::new();
        sections.put_varint(wide(extents.len()));
        for (tag, ignorable, start, len) in extents {
            sections.put_varint(tag);
            sections.push(ignorable);
            sections.put_varint(start);
            sections.put_varint(len);
        }
        let mut footer = Vec::with_capacity(FOOTER_LEN);
        footer.put_u64(at);
        footer.put_u32(u32::try_from(sections.len()).unwrap_or(u32::MAX));
        footer.put_u32(crc32fast::hash(&sections));
        footer.put_u32(crc32fast::hash(&checksums));
        let identity = crc32fast::hash(&footer);
        footer.put_u32(identity);
        footer.extend_from_slice(MAGIC);
        let len = at + wide(sections.len() + FOOTER_LEN);
        out.extend([checksums, sections, footer]);
        (out, Finished { meta: self.meta, len, identity })
    }
}
