//! Reading a table from front to back for background work: with its own buffered reads, never
//! through the map, so that a merge neither takes a fault of the map nor pushes what serving
//! reads out of the page cache by touching it.

use std::ops::{Range, RangeInclusive};

use asofdb_format::chunk::{self, Chunk, Column, Orders, Walk};
use asofdb_format::directory::Directory;
use asofdb_format::hash::EntityHash;
use asofdb_format::head::{Head, HeadShape, Slot};
use asofdb_format::ids::FeatureId;
use asofdb_format::pages::{self, PAGE_LEN};
use asofdb_format::revision::{Payload, Revision};
use asofdb_format::value::{Kind, ValueType};
use asofdb_format::values::{self, Place};
use asofdb_format::wire::{Malformed, narrow, wide};
use bytes::Bytes;

use crate::files::spare::Spare;
use crate::files::table::Table;
use crate::sync::Shared;
use crate::types::error::{Error, Result};

/// How many bytes are read at once from a section, if no less is asked for.
const WINDOW_LEN: u64 = 256 << 10;

const LEAST_WINDOW_LEN: u64 = 16 << 10;

/// One entity of a table, all its revisions ascending by feature and order.
#[derive(Debug)]
pub(crate) struct EntityRevisions {
    pub(crate) hash: EntityHash,
    pub(crate) entity: Bytes,
    pub(crate) features: Vec<(FeatureId, Vec<Revision>)>,
    /// The chunk and the heap that hold all of it but the newest of each feature, if it stands in
    /// one row: they can be copied as they are if nothing is dropped.
    pub(crate) raw: Option<RawHistory>,
}

/// The history of a row, as it stands in its table.
#[derive(Debug)]
pub(crate) struct RawHistory {
    pub(crate) chunk: Bytes,
    pub(crate) heap: Bytes,
}

/// Reads the entities of a table in the order of its directory, those whose hashes lie in a range.
#[derive(Debug)]
pub(crate) struct TableScan {
    table: Shared<Table>,
    range: RangeInclusive<EntityHash>,
    row: usize,
    directory: Window,
    heads: Window,
    history: Window,
    far: Window,
    /// Whether chunks that go by the table's timeline can be copied, too.
    pub(crate) copies_by_time: bool,
    /// Where the lists of rows come from.
    pub(crate) spare: Spare,
}

impl TableScan {
    /// Reads all of a table.
    pub(crate) fn whole(table: Shared<Table>) -> Self {
        Self::new(table, EntityHash(0)..=EntityHash(u64::MAX), usize::MAX)
    }

    /// Reads a range, and holds about so many bytes of the file at a time.
    pub(crate) fn new(
        table: Shared<Table>,
        range: RangeInclusive<EntityHash>,
        held: usize,
    ) -> Self {
        // Four sections are read side by side, each in whole pages.
        let len = (wide(held) / 4).clamp(LEAST_WINDOW_LEN, WINDOW_LEN);
        let len = len - len % PAGE_LEN;
        let window = || Window { len, ..Window::default() };
        Self {
            table,
            range,
            row: 0,
            directory: window(),
            heads: window(),
            history: window(),
            far: window(),
            copies_by_time: false,
            spare: Spare::default(),
        }
    }

    /// The next row of the directory: an entity, or a part of one.
    pub(crate) fn next_row(&mut self) -> Result<Option<EntityRevisions>> {
        if self.row == 0 {
            self.row = self.first_row()?;
        }
        while let Some(row) = self.row_after()? {
            if *self.range.end() < row.hash {
                return Ok(None);
            }
            if *self.range.start() <= row.hash {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// A row at or before the first one of the range.
    fn first_row(&mut self) -> Result<usize> {
        let start = *self.range.start();
        if start <= self.table.entry.min_hash {
            return Ok(0);
        }
        if self.table.entry.max_hash < start {
            return Ok(self.rows());
        }
        Ok(self.rows_of(start)?.start)
    }

    fn row_after(&mut self) -> Result<Option<EntityRevisions>> {
        if self.row >= self.rows() {
            return Ok(None);
        }
        self.row += 1;
        self.read_row(self.row - 1).map(Some)
    }

    /// How many rows the directory has.
    pub(crate) fn rows(&self) -> usize {
        self.table.directory().rows()
    }

    /// The rows that may be those of an entity of this hash.
    pub(crate) fn rows_of(&mut self, hash: EntityHash) -> Result<Range<usize>> {
        let table = Shared::clone(&self.table);
        let Some(place) = table.directory().bucket(hash) else { return Ok(0..0) };
        let start = table.layout.directory.start;
        let at = start + wide(place);
        let eight = self.directory.bytes(&table, at, at + 8)?;
        let bounds = table.directory().bounds(&eight);
        let (from, to) = bounds.map_err(|fault| table.corrupt(start, &fault))?;
        Ok(from..to)
    }

    /// The entity of a row.
    pub(crate) fn entity(&mut self, row: usize) -> Result<Bytes> {
        let table = Shared::clone(&self.table);
        let (at, bytes) = self.head(&table, row)?;
        let head = Head::decode(&bytes).map_err(|fault| table.corrupt(at, &fault))?;
        Ok(Bytes::copy_from_slice(head.entity()))
    }

    /// The head of a row: where it is, and its bytes.
    fn head(&mut self, table: &Table, row: usize) -> Result<(u64, Bytes)> {
        let layout = &table.layout;
        let at = layout.directory.start + wide(table.directory().row_at(row));
        let row = self.directory.bytes(table, at, at + 8)?;
        let (_, head_at) = Directory::row(&row);
        let at = layout.heads.start + u64::from(head_at);
        let prefix_end = (at + wide(asofdb_format::head::FIXED_LEN)).min(layout.heads.end());
        let prefix = self.heads.bytes(table, at, prefix_end)?;
        let shape = HeadShape::decode(&prefix).map_err(|fault| table.corrupt(at, &fault))?;
        let end = at.saturating_add(wide(shape.near_start()));
        Ok((at, self.heads.bytes(table, at, end)?))
    }

    /// All of a row.
    pub(crate) fn read_row(&mut self, row: usize) -> Result<EntityRevisions> {
        let table = Shared::clone(&self.table);
        let (at, bytes) = self.head(&table, row)?;
        let head = Head::decode(&bytes).map_err(|fault| table.corrupt(at, &fault))?;
        let mut found = EntityRevisions {
            hash: EntityHash::of(head.entity()),
            entity: Bytes::copy_from_slice(head.entity()),
            features: Vec::with_capacity(head.len()),
            raw: None,
        };
        self.read_history(&table, &head, &mut found)?;
        self.read_heads(&table, at, &head, &mut found)?;
        Ok(found)
    }

    fn read_history(
        &mut self,
        table: &Table,
        head: &Head<'_>,
        to: &mut EntityRevisions,
    ) -> Result<()> {
        let place = head.history();
        if place.chunk_len == 0 {
            to.raw = Some(RawHistory { chunk: Bytes::new(), heap: Bytes::new() });
            return Ok(());
        }
        let start = table.layout.history.start.saturating_add(place.start);
        let heap = start.saturating_add(u64::from(place.chunk_len));
        let whole =
            self.history.bytes(table, start, heap.saturating_add(u64::from(place.heap_len)))?;
        let (chunk_bytes, heap_bytes) = whole.split_at(narrow(u64::from(place.chunk_len)));
        let malformed = |fault: Malformed| table.corrupt(start, &fault);
        let chunk = Chunk::decode(chunk_bytes).map_err(malformed)?;
        if self.copies_by_time || !chunk::goes_by_timeline(chunk_bytes) {
            to.raw = Some(RawHistory {
                chunk: whole.slice(..chunk_bytes.len()),
                heap: whole.slice(chunk_bytes.len()..),
            });
        }
        let orders = chunk.orders(table.timeline()?).map_err(malformed)?;
        let mut walk = Walk::default();
        for index in 0..chunk.columns() {
            let column = chunk.column_with(index, &mut walk).map_err(malformed)?;
            let feature = chunk.feature(index);
            let mut revisions = self.spare.take();
            read_column(table, (&column, &orders), (chunk_bytes, heap_bytes), &mut revisions)
                .map_err(malformed)?;
            to.features.push((feature, revisions));
        }
        Ok(())
    }

    fn read_heads(
        &mut self,
        table: &Table,
        at: u64,
        head: &Head<'_>,
        to: &mut EntityRevisions,
    ) -> Result<()> {
        let malformed = |fault: Malformed| table.corrupt(at, &fault);
        let timeline = table.timeline()?;
        for index in 0..head.len() {
            let feature = head.feature(index);
            let kind = head.kind(index).map_err(malformed)?;
            let payload = match table.meta.features.get(&feature).map(|known| known.value_type) {
                _ if kind != Kind::Value => Payload::None,
                Some(ValueType::Text | ValueType::Bytes | ValueType::Vector(_)) => {
                    let (window, start, end) = match head.raw(index).map_err(malformed)? {
                        Slot::Near { start, end } => (&mut self.heads, at + start, at + end),
                        Slot::Far { start, end } => {
                            let base = table.layout.far.start;
                            (&mut self.far, base + start, base + end)
                        }
                    };
                    Payload::Raw(window.bytes(table, start, end)?)
                }
                Some(_) => Payload::Bits(head.bits(index)),
                None => {
                    let fault = Malformed::new(0, "only features that the metadata names");
                    return Err(malformed(fault));
                }
            };
            let order = head.order(index, timeline).map_err(malformed)?;
            let revision = Revision { order, kind, source: head.source(index), payload };
            match to.features.binary_search_by_key(&feature, |entry| entry.0) {
                Ok(found) => {
                    if let Some((_, revisions)) = to.features.get_mut(found) {
                        revisions.push(revision);
                    }
                }
                Err(place) => {
                    let mut revisions = self.spare.take();
                    revisions.push(revision);
                    to.features.insert(place, (feature, revisions));
                }
            }
        }
        Ok(())
    }
}

/// All revisions of a column.
fn read_column(
    table: &Table,
    (column, orders): (&Column<'_>, &Orders<'_>),
    (chunk, heap): (&[u8], &[u8]),
    revisions: &mut Vec<Revision>,
) -> std::result::Result<(), Malformed> {
    let values = column.values()?;
    let outside = || Malformed::new(0, "values within the chunk and its heap");
    // Consecutive values mostly lie in one block: it is decompressed once.
    let mut block: Option<(usize, Bytes)> = None;
    // One more will come from the head.
    revisions.reserve(column.len().min(narrow(table.meta.revisions)) + 1);
    for index in 0..column.len() {
        let kind = column.kind(index)?;
        let payload = match (kind, values.place(index)?) {
            (Kind::Null | Kind::Deleted | Kind::Stub, _) | (_, Place::None) => Payload::None,
            (Kind::Value, Place::Bits(bits)) => Payload::Bits(bits),
            (Kind::Value, Place::InPlace { start, end }) => {
                let bytes = chunk.get(start..end).ok_or_else(outside)?;
                Payload::Raw(Bytes::copy_from_slice(bytes))
            }
            (Kind::Value, Place::Block(at)) => {
                let whole = match &block {
                    Some((start, whole)) if *start == at.block_start => whole.clone(),
                    _ => {
                        let frame = heap.get(at.block_start..at.block_end).ok_or_else(outside)?;
                        let whole = values::decompress(frame, at.block_len)?;
                        block = Some((at.block_start, whole.clone()));
                        whole
                    }
                };
                Payload::Raw(whole.slice(at.start..at.end))
            }
        };
        let (order, source) = (column.order(orders, index), column.source(orders, index));
        revisions.push(Revision { order, kind, source, payload });
    }
    Ok(())
}

/// A part of the file that was read last.
#[derive(Debug, Default)]
struct Window {
    /// How many bytes are read at once.
    len: u64,
    start: u64,
    bytes: Bytes,
}

impl Window {
    /// Verified bytes of the file.
    fn bytes(&mut self, table: &Table, start: u64, end: u64) -> Result<Bytes> {
        let covered = table.layout.covered();
        if start > end || end > covered {
            let what = "something in the table points outside of it";
            return Err(Error::corrupt(table.path(), start, what));
        }
        if start < self.start || end > self.start + wide(self.bytes.len()) {
            let from = start - start % PAGE_LEN;
            let least = end.div_ceil(PAGE_LEN) * PAGE_LEN;
            let to = least.max(from + self.len).min(covered);
            let mut buffer = vec![0; narrow(to - from)];
            table
                .file()
                .read_at(from, &mut buffer)
                .map_err(|source| Error::io("read", table.path(), source))?;
            for (page, bytes) in (from / PAGE_LEN..).zip(buffer.chunks(narrow(PAGE_LEN))) {
                if !pages::page_is_whole(table.sums(), page, bytes) {
                    table.check_page(page, bytes)?;
                }
            }
            (self.start, self.bytes) = (from, Bytes::from(buffer));
        }
        let from = narrow(start - self.start);
        Ok(self.bytes.slice(from..from + narrow(end - start)))
    }
}
