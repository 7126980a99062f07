//! A table file read row by row and record by record, with or without its store. Unlike a scan for
//! a merge it tells where each record lies, and keeps no more of an entity than a part of its
//! chunk, so that no damage makes it hold more than the file is long.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use asofdb_format::chunk::{Chunk, Column, Orders, Walk};
use asofdb_format::directory::{self, Directory};
use asofdb_format::hash::EntityHash;
use asofdb_format::head::{self, Head, HeadShape, Slot};
use asofdb_format::hint::{ChunkHint, HINT_LEN};
use asofdb_format::ids::{Commit, EventTime, FeatureId};
use asofdb_format::pages::{self, PAGE_LEN};
use asofdb_format::revision::{Payload, Revision};
use asofdb_format::timeline::Timeline;
use asofdb_format::value::{Kind, ValueType};
use asofdb_format::values::{self, Place as ValuePlace};
use asofdb_format::wire::{Malformed, narrow, uint, wide};
use bytes::Bytes;

use super::find::Place;
use crate::files::log::open_error;
use crate::files::table::OpenedTable;
use crate::types::error::{Error, Result};
use crate::world::disk::{Disk, FileReader};

const WINDOW_LEN: u64 = 256 << 10;

/// A table file.
#[derive(Debug)]
pub(super) struct TableFile {
    pub(super) opened: OpenedTable,
    pub(super) directory: Directory,
    pub(super) len: u64,
    pub(super) timeline: Arc<Timeline>,
    pages: Pages,
    rows: Window,
    hints: Window,
    heads: Window,
    chunks: Window,
    heap: Window,
    far: Window,
    records_left: u64,
}

/// A row of the directory, with the head that it names.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) fingerprint: u32,
    /// Where the head begins in the file.
    pub(super) at: u64,
    bytes: Bytes,
}

/// One record, and where it lies.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) feature: FeatureId,
    pub(super) revision: Revision,
    pub(super) place: Place,
    /// Where the head or the chunk begins that holds it.
    pub(super) at: u64,
    /// Where the bytes of its value lie, or the block that they are in.
    pub(super) value_at: Option<u64>,
}

type Each<'e> = &'e mut dyn FnMut(&Record) -> Result<()>;

impl TableFile {
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<Self> {
        let file = disk.open(path).map_err(|source| open_error(path, source))?;
        let len = file.len().map_err(|source| Error::io("read", path, source))?;
        let opened = OpenedTable::read(&*file, path, len)?;
        let pages = Pages {
            path: path.to_path_buf(),
            file,
            sums: opened.sums.clone(),
            covered: opened.layout.covered(),
        };
        let section = opened.layout.directory;
        let mut rows = Window::default();
        let fixed_end = section.start.saturating_add(wide(directory::FIXED_LEN));
        let fixed = rows.bytes(&pages, section.start, fixed_end)?;
        let directory = Directory::decode(&fixed, section.len)
            .map_err(|fault| pages.corrupt(section.start, &fault))?;
        let timeline = match opened.layout.timeline {
            None => Timeline::none(),
            Some(section) => {
                let bytes = Window::default().bytes(&pages, section.start, section.end())?;
                Timeline::decode(&bytes).map_err(|fault| pages.corrupt(section.start, &fault))?
            }
        };
        let records_left = opened.meta.revisions;
        let window = Window::default;
        Ok(Self {
            opened,
            directory,
            len,
            timeline: Arc::new(timeline),
            pages,
            rows,
            hints: window(),
            heads: window(),
            chunks: window(),
            heap: window(),
            far: window(),
            records_left,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.pages.path
    }

    pub(super) fn corrupt(&self, base: u64, fault: &Malformed) -> Error {
        self.pages.corrupt(base, fault)
    }

    /// Reads all pages and tells which are damaged; `done` is told how far it is.
    pub(super) fn check_pages(&self, fault: &mut dyn FnMut(Error), done: &mut dyn FnMut(u64)) {
        let mut at = 0;
        while at < self.pages.covered {
            let end = at.saturating_add(WINDOW_LEN).min(self.pages.covered);
            match self.pages.read(at, end) {
                Ok(bytes) => self.pages.check(at, &bytes, fault),
                Err(error) => fault(error),
            }
            at = end;
            done(at);
        }
    }

    /// Eight bytes of the directory section.
    pub(super) fn directory_bytes(&mut self, place: usize, len: usize) -> Result<Bytes> {
        let at = self.opened.layout.directory.start.saturating_add(wide(place));
        self.rows.bytes(&self.pages, at, at.saturating_add(wide(len)))
    }

    /// A row of the directory and its head.
    pub(super) fn row(&mut self, row: usize) -> Result<Row> {
        let eight = self.directory_bytes(self.directory.row_at(row), 8)?;
        let (fingerprint, head) = Directory::row(&eight);
        let section = self.opened.layout.heads;
        let at = section.start.saturating_add(u64::from(head));
        let prefix_end = at.saturating_add(wide(head::FIXED_LEN)).min(section.end());
        let prefix = self.heads.bytes(&self.pages, at, prefix_end)?;
        let shape = HeadShape::decode(&prefix).map_err(|fault| self.corrupt(at, &fault))?;
        let end = at.saturating_add(wide(shape.near_start()));
        if end > section.end() {
            return Err(self.pages.outside(at));
        }
        let bytes = self.heads.bytes(&self.pages, at, end)?;
        Head::decode(&bytes).map_err(|fault| self.corrupt(at, &fault))?;
        Ok(Row { fingerprint, at, bytes })
    }

    /// Whether the hint to a row's chunk, if there are hints, tells what its head tells.
    pub(super) fn check_hint(&mut self, index: usize, row: &Row) -> Result<()> {
        let Some(section) = self.opened.layout.hints else { return Ok(()) };
        let at = section.start.saturating_add(wide(index.saturating_mul(HINT_LEN)));
        let told = uint(&self.hints.bytes(&self.pages, at, at.saturating_add(4))?, 0, HINT_LEN);
        let head = Head::decode(&row.bytes).map_err(|fault| self.corrupt(row.at, &fault))?;
        if told == u64::from(ChunkHint::of(head.history()).0) {
            return Ok(());
        }
        Err(self.corrupt(at, &Malformed::new(0, "the hint to the chunk that the head tells")))
    }

    /// The rows that may be an entity's.
    pub(super) fn rows_of(&mut self, hash: EntityHash) -> Result<std::ops::Range<usize>> {
        let Some(place) = self.directory.bucket(hash) else { return Ok(0..0) };
        let eight = self.directory_bytes(place, 8)?;
        let base = self.opened.layout.directory.start;
        let (from, to) =
            self.directory.bounds(&eight).map_err(|fault| self.corrupt(base, &fault))?;
        Ok(from..to)
    }

    /// The records of a row, ascending by feature, each feature's in the order of the file: its
    /// history, then its head. The answer is where the head ends in the file.
    pub(super) fn records(&mut self, row: &Row, each: Each<'_>) -> Result<u64> {
        let head = row.head(self)?;
        let place = head.history();
        let section = self.opened.layout.history;
        let start = section.start.saturating_add(place.start);
        let heap = start.saturating_add(u64::from(place.chunk_len));
        if heap.saturating_add(u64::from(place.heap_len)) > section.end() {
            return Err(self.pages.outside(row.at));
        }
        let bytes = self.chunks.bytes(&self.pages, start, heap)?;
        let timeline = Arc::clone(&self.timeline);
        let chunk = if place.chunk_len == 0 {
            None
        } else {
            Some(Chunk::decode(&bytes).map_err(|fault| self.corrupt(start, &fault))?)
        };
        let mut orders = None;
        if let Some(chunk) = &chunk {
            let fail = |fault: Malformed| self.pages.corrupt(start, &fault);
            if !chunk.commits_ascend(&timeline).map_err(fail)? {
                return Err(fail(Malformed::new(0, "a list of commits that ascends")));
            }
            orders = Some(chunk.orders(&timeline).map_err(fail)?);
        }
        let columns = chunk.as_ref().map_or(0, Chunk::columns);
        let (mut next, mut walk) = (0, Walk::default());
        let mut last = None;
        let mut top = (EventTime(i64::MIN), Commit::MIN);
        let mut end = row.at.saturating_add(wide(head.near_start()));
        for index in 0..head.len() {
            let feature = head.feature(index);
            if last.is_some_and(|last| last >= feature) {
                return Err(self.corrupt(row.at, &Malformed::new(0, "features that ascend")));
            }
            last = Some(feature);
            if let (Some(chunk), Some(orders)) = (&chunk, &orders)
                && next < columns
                && chunk.feature(next) == feature
            {
                let fail = |fault: Malformed| self.pages.corrupt(start, &fault);
                let column = chunk.column_with(next, &mut walk).map_err(fail)?;
                let at = ChunkAt { bytes: &bytes, start, heap, heap_len: place.heap_len };
                self.column(feature, (&column, orders), &at, each)?;
                next += 1;
            }
            let (record, near_end) = self.head_record(row, &head, index)?;
            end = end.max(near_end);
            let order = record.revision.order;
            top = (top.0.max(order.event_time), top.1.max(order.commit));
            self.hand_out(&record, each)?;
        }
        if top != (head.top_time(), head.top_commit()) {
            let fault = Malformed::new(0, "the greatest event time and commit of the head");
            return Err(self.corrupt(row.at, &fault));
        }
        if next < columns {
            let fault = Malformed::new(0, "columns that ascend, each of a feature of the head");
            return Err(self.corrupt(start, &fault));
        }
        Ok(end)
    }

    fn hand_out(&mut self, record: &Record, each: Each<'_>) -> Result<()> {
        // A few bytes can tell of millions of records: the metadata says when to stop.
        let Some(left) = self.records_left.checked_sub(1) else {
            let fault = Malformed::new(0, "no more records than the metadata tells");
            return Err(self.corrupt(record.at, &fault));
        };
        self.records_left = left;
        each(record)
    }

    fn value_type(&self, feature: FeatureId, at: u64) -> Result<ValueType> {
        let known = self.opened.meta.features.get(&feature);
        known.map(|known| known.value_type).ok_or_else(|| {
            self.corrupt(at, &Malformed::new(0, "only features that the metadata names"))
        })
    }

    /// The record of a head, and where its near bytes end if it has some.
    fn head_record(&mut self, row: &Row, head: &Head<'_>, index: usize) -> Result<(Record, u64)> {
        let feature = head.feature(index);
        let value_type = self.value_type(feature, row.at)?;
        let kind = head.kind(index).map_err(|fault| self.corrupt(row.at, &fault))?;
        let mut near_end = 0;
        if !head.is_known_form(index) {
            let fault = Malformed::new(0, "a known code for each number");
            return Err(self.corrupt(row.at, &fault));
        }
        if kind != Kind::Value && head.bits(index) != 0 {
            let fault = Malformed::new(0, "a slot of zero where there is no value");
            return Err(self.corrupt(row.at, &fault));
        }
        let (payload, value_at) = match (kind, value_type) {
            (Kind::Value, ValueType::Text | ValueType::Bytes | ValueType::Vector(_)) => {
                let slot = head.raw(index).map_err(|fault| self.corrupt(row.at, &fault))?;
                let layout = &self.opened.layout;
                let (window, section, base, start, end) = match slot {
                    Slot::Near { start, end } => {
                        near_end = row.at.saturating_add(end);
                        (&mut self.heads, layout.heads, row.at, start, end)
                    }
                    Slot::Far { start, end } => {
                        (&mut self.far, layout.far, layout.far.start, start, end)
                    }
                };
                let (start, end) = (base.saturating_add(start), base.saturating_add(end));
                if end > section.end() {
                    return Err(self.pages.outside(row.at));
                }
                (Payload::Raw(window.bytes(&self.pages, start, end)?), Some(start))
            }
            (Kind::Value, _) => (Payload::Bits(head.bits(index)), None),
            _ => (Payload::None, None),
        };
        let order = head.order(index, &self.timeline);
        let order = order.map_err(|fault| self.corrupt(row.at, &fault))?;
        let revision = Revision { order, kind, source: head.source(index), payload };
        let record = Record { feature, revision, place: Place::Head, at: row.at, value_at };
        Ok((record, near_end))
    }

    fn column(
        &mut self,
        feature: FeatureId,
        (column, orders): (&Column<'_>, &Orders<'_>),
        chunk: &ChunkAt<'_>,
        each: Each<'_>,
    ) -> Result<()> {
        let start = chunk.start;
        self.value_type(feature, start)?;
        let column_values = column.values().map_err(|fault| self.corrupt(start, &fault))?;
        // Consecutive values mostly lie in one block: it is decompressed once.
        let mut block: Option<(usize, Bytes)> = None;
        for index in 0..column.len() {
            let kind = column.kind(index).map_err(|fault| self.corrupt(start, &fault))?;
            let place = column_values.place(index).map_err(|fault| self.corrupt(start, &fault))?;
            let (payload, value_at) = match place {
                _ if kind != Kind::Value => (Payload::None, None),
                ValuePlace::None => (Payload::None, None),
                ValuePlace::Bits(bits) => (Payload::Bits(bits), None),
                ValuePlace::InPlace { start: from, end } => {
                    let bytes = chunk.bytes.get(from..end).ok_or_else(|| self.pages.outside(start));
                    let at = start.saturating_add(wide(from));
                    (Payload::Raw(Bytes::copy_from_slice(bytes?)), Some(at))
                }
                ValuePlace::Block(at) => {
                    let block_at = chunk.heap.saturating_add(wide(at.block_start));
                    let whole = match &block {
                        Some((held, whole)) if *held == at.block_start => whole.clone(),
                        _ => self.block(chunk, at.block_start, at.block_end, at.block_len)?,
                    };
                    block = Some((at.block_start, whole.clone()));
                    if at.end > whole.len() || at.start > at.end {
                        return Err(self.pages.outside(block_at));
                    }
                    (Payload::Raw(whole.slice(at.start..at.end)), Some(block_at))
                }
            };
            let (order, source) = (column.order(orders, index), column.source(orders, index));
            let revision = Revision { order, kind, source, payload };
            let place = Place::History;
            self.hand_out(&Record { feature, revision, place, at: start, value_at }, each)?;
        }
        Ok(())
    }

    fn block(&mut self, chunk: &ChunkAt<'_>, from: usize, to: usize, len: usize) -> Result<Bytes> {
        let start = chunk.heap.saturating_add(wide(from));
        if wide(to) > u64::from(chunk.heap_len) {
            return Err(self.pages.outside(start));
        }
        let end = chunk.heap.saturating_add(wide(to));
        let frame = self.heap.bytes(&self.pages, start, end)?;
        values::decompress(&frame, len).map_err(|fault| self.corrupt(start, &fault))
    }
}

/// The chunk of an entity, and where it and its heap lie in the file.
struct ChunkAt<'a> {
    bytes: &'a [u8],
    start: u64,
    heap: u64,
    heap_len: u32,
}

impl Row {
    pub(super) fn head(&self, table: &TableFile) -> Result<Head<'_>> {
        Head::decode(&self.bytes).map_err(|fault| table.corrupt(self.at, &fault))
    }

    /// The entity's bytes.
    pub(super) fn entity(&self, table: &TableFile) -> Result<Bytes> {
        Ok(Bytes::copy_from_slice(self.head(table)?.entity()))
    }
}

/// The pages of a table, with their checksums.
#[derive(Debug)]
struct Pages {
    path: PathBuf,
    file: Arc<dyn FileReader>,
    sums: Vec<u8>,
    covered: u64,
}

impl Pages {
    fn read(&self, start: u64, end: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; narrow(end.saturating_sub(start))];
        self.file
            .read_at(start, &mut bytes)
            .map_err(|source| Error::io("read", &self.path, source))?;
        Ok(bytes)
    }

    /// Holds whole pages against their checksums.
    fn check(&self, start: u64, bytes: &[u8], fault: &mut dyn FnMut(Error)) {
        for (page, bytes) in (start / PAGE_LEN..).zip(bytes.chunks(narrow(PAGE_LEN))) {
            if !pages::page_is_whole(&self.sums, page, bytes) {
                let what = "the page here does not have the checksum it was written with";
                fault(Error::corrupt(&self.path, page * PAGE_LEN, what));
            }
        }
    }

    fn corrupt(&self, base: u64, fault: &Malformed) -> Error {
        let at = base.saturating_add(fault.at);
        Error::corrupt(&self.path, at, format!("expected {}", fault.what))
    }

    fn outside(&self, at: u64) -> Error {
        Error::corrupt(&self.path, at, "something here points outside of its section")
    }
}

/// A part of the file that was read last.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    bytes: Bytes,
}

impl Window {
    /// Verified bytes of the file.
    fn bytes(&mut self, pages: &Pages, start: u64, end: u64) -> Result<Bytes> {
        if start > end || end > pages.covered {
            return Err(pages.outside(start));
        }
        let held_end = self.start.saturating_add(wide(self.bytes.len()));
        if start < self.start || end > held_end {
            let from = start - start % PAGE_LEN;
            let to = end.max(from.saturating_add(WINDOW_LEN)).next_multiple_of(PAGE_LEN);
            let bytes = pages.read(from, to.min(pages.covered))?;
            let mut first = None;
            pages.check(from, &bytes, &mut |fault| first = first.take().or(Some(fault)));
            if let Some(fault) = first {
                return Err(fault);
            }
            *self = Self { start: from, bytes: Bytes::from(bytes) };
        }
        let from = narrow(start - self.start);
        Ok(self.bytes.slice(from..from + narrow(end - start)))
    }
}
