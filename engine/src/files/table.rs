//! A table that is open for reading.
//!
//! Its pages are verified when they are first touched, once an opening; a bit for each says which
//! were. Reads that serve go through the map, or through [`FileReader`] in
//! [`ReadMode::Pread`]; background work has its own reader (see [`scan`](crate::files::scan)).
//! The file is removed when the last reader lets go of a table that was marked obsolete. Values
//! that borrow the map outlive the table, and keep the file's bytes: its pin tells of both.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use asofdb_format::directory::{self, Directory};
use asofdb_format::edit::TableEntry;
use asofdb_format::freshness::Freshness;
use asofdb_format::hash::EntityHash;
use asofdb_format::head::{self, Head, HeadShape};
use asofdb_format::header::{FileKind, HEADER_LEN};
use asofdb_format::hint::{self, ChunkHint, HINT_LEN};
use asofdb_format::ids::StoreId;
use asofdb_format::meta::TableMeta;
use asofdb_format::pages::{self, PAGE_LEN};
use asofdb_format::revision::Order;
use asofdb_format::table::{FOOTER_LEN, Footer, Layout, TableFault};
use asofdb_format::timeline::Timeline;
use asofdb_format::values::{self, InBlock};
use asofdb_format::wire::{Malformed, narrow, wide};
use bytes::Bytes;

use crate::files::blocks::{BlockPlace, Blocks};
use crate::files::log::{check_header, open_error};
use crate::files::names;
use crate::files::pin::Pin;
use crate::files::spared::Spared;
use crate::sync::{AtomicBool, Ordering};
use crate::types::error::{Error, Result};
use crate::types::options::ReadMode;
use crate::world::disk::{Disk, FileReader};

/// A table that is open.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) entry: TableEntry,
    pub(crate) meta: TableMeta,
    /// How fresh its features are; a table may not tell.
    pub(crate) freshness: Option<Freshness>,
    pub(crate) layout: Layout,
    /// Read when it is first asked for: reads that see all revisions have no use for it.
    timeline: OnceLock<Timeline>,
    path: PathBuf,
    directory: Directory,
    sums: Vec<u8>,
    verified: Vec<AtomicU64>,
    map: Option<Bytes>,
    file: Arc<dyn FileReader>,
    disk: Arc<dyn Disk>,
    blocks: Arc<Blocks>,
    obsolete: AtomicBool,
    pin: Arc<Pin>,
    pub(crate) spared: Spared,
}

/// Bytes of a table: borrowed from its map, or read.
#[derive(Debug)]
pub(crate) enum Piece<'t> {
    Mapped(&'t [u8]),
    Read(Bytes),
}

impl Deref for Piece<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

impl Table {
    /// Opens a table that a manifest names.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        store: StoreId,
        entry: &TableEntry,
        mode: ReadMode,
        blocks: &Arc<Blocks>,
    ) -> Result<Self> {
        let path = names::numbered(dir, FileKind::Table, entry.number);
        let file = disk.open(&path).map_err(|source| open_error(&path, source))?;
        let len = file.len().map_err(|source| Error::io("read", &path, source))?;
        if len != entry.len {
            let what = format!("the table is {len} bytes long and was written with {}", entry.len);
            return Err(Error::corrupt(&path, len.min(entry.len), what));
        }
        let opened = OpenedTable::read(&*file, &path, len)?;
        if opened.layout.identity != entry.identity
            || opened.header.store != store
            || opened.header.number != entry.number
        {
            return Err(Error::corrupt(&path, 0, "this is another table than the manifest names"));
        }
        let pin = Pin::new(len);
        let map = match mode {
            ReadMode::Map => {
                let map = disk.map(&path, len).map_err(|source| Error::io("map", &path, source))?;
                Some(pin.around(map))
            }
            ReadMode::Pread => None,
        };
        let pages = pages::page_count(opened.layout.covered());
        Ok(Self {
            entry: entry.clone(),
            meta: opened.meta,
            freshness: opened.freshness,
            layout: opened.layout,
            timeline: OnceLock::new(),
            path,
            directory: opened.directory,
            sums: opened.sums,
            verified: (0..pages.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            map,
            file,
            disk: Arc::clone(disk),
            blocks: Arc::clone(blocks),
            obsolete: AtomicBool::new(false),
            pin,
            spared: Spared::default(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &Arc<dyn FileReader> {
        &self.file
    }

    pub(crate) fn sums(&self) -> &[u8] {
        &self.sums
    }

    pub(crate) const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Which event times came with which commits.
    pub(crate) fn timeline(&self) -> Result<&Timeline> {
        static NONE: Timeline = Timeline::none();
        let Some(section) = self.layout.timeline else { return Ok(&NONE) };
        if let Some(known) = self.timeline.get() {
            return Ok(known);
        }
        let bytes = self.bytes(section.start, section.end())?;
        let decoded = Timeline::decode(&bytes).map_err(|fault| self.corrupt(section.start, &fault));
        let decoded = decoded?;
        Ok(self.timeline.get_or_init(|| decoded))
    }

    /// Who holds its bytes.
    pub(crate) fn pin(&self) -> &Arc<Pin> {
        &self.pin
    }

    /// The file is to be removed when nobody reads it any more.
    pub(crate) fn mark_obsolete(&self) {
        self.obsolete.store(true, Ordering::Release);
    }

    #[cold]
    pub(crate) fn corrupt(&self, base: u64, fault: &Malformed) -> Error {
        Error::corrupt(
            &self.path,
            base.saturating_add(fault.at),
            format!("expected {}", fault.what),
        )
    }

    /// What no revision of the table is above in any of the three.
    pub(crate) const fn top_order(&self) -> Order {
        Order {
            event_time: self.entry.max_event_time,
            known_time: self.entry.max_known_time,
            commit: self.entry.max_commit,
        }
    }

    /// Verified bytes of the file.
    #[inline]
    pub(crate) fn bytes(&self, start: u64, end: u64) -> Result<Piece<'_>> {
        match &self.map {
            Some(map) => {
                if !self.is_verified(start, end) {
                    self.verify(map, start, end)?;
                }
                let slice = map.get(narrow(start)..narrow(end));
                slice.map(Piece::Mapped).ok_or_else(|| self.outside(start))
            }
            None => self.read(start, end).map(Piece::Read),
        }
    }

    /// Whether the page of a piece within one page was verified; pieces of more are looked at one
    /// page after another.
    #[inline]
    fn is_verified(&self, start: u64, end: u64) -> bool {
        let page = start / PAGE_LEN;
        let seen = self.verified.get(narrow(page / 64));
        end.saturating_sub(1) / PAGE_LEN == page
            && seen.is_some_and(|seen| seen.load(Ordering::Relaxed) >> (page % 64) & 1 == 1)
    }

    /// Verified bytes of the file that stay as long as they are held.
    pub(crate) fn owned(&self, start: u64, end: u64) -> Result<Bytes> {
        match &self.map {
            Some(map) => {
                self.verify(map, start, end)?;
                if end > wide(map.len()) || start > end {
                    return Err(self.outside(start));
                }
                Ok(map.slice(narrow(start)..narrow(end)))
            }
            None => self.read(start, end),
        }
    }

    /// Which block a value lies in; places count from the entity's heap.
    pub(crate) const fn block_place(&self, heap: u64, at: &InBlock) -> BlockPlace {
        let table = self.entry.number;
        BlockPlace { table, heap, start: at.block_start, end: at.block_end, len: at.block_len }
    }

    /// A compressed block as it was; it is kept for other reads, or not.
    pub(crate) fn block(&self, place: BlockPlace, stays: bool) -> Result<Bytes> {
        if let Some(block) = self.blocks.get(&place) {
            return Ok(block);
        }
        let start = place.heap.saturating_add(wide(place.start));
        let bytes = self.bytes(start, place.heap.saturating_add(wide(place.end)))?;
        let block = values::decompress(&bytes, place.len);
        let block = block.map_err(|fault| self.corrupt(start, &fault))?;
        self.blocks.count();
        if stays {
            self.blocks.keep(place, &block);
        }
        Ok(block)
    }

    #[inline(never)]
    fn verify(&self, map: &[u8], start: u64, end: u64) -> Result<()> {
        if start >= end {
            return Ok(());
        }
        let last = (end - 1) / PAGE_LEN;
        let mut page = start / PAGE_LEN;
        while page <= last {
            let seen = self.verified.get(narrow(page / 64)).ok_or_else(|| self.outside(start))?;
            let bit = 1u64 << (page % 64);
            if seen.load(Ordering::Relaxed) & bit == 0 {
                self.verify_page(map, page)?;
                seen.fetch_or(bit, Ordering::Relaxed);
            }
            page += 1;
        }
        Ok(())
    }

    #[cold]
    fn verify_page(&self, map: &[u8], page: u64) -> Result<()> {
        let (from, to) = pages::page_range(page, self.layout.covered());
        let bytes = map.get(narrow(from)..narrow(to)).unwrap_or_default();
        self.check_page(page, bytes)
    }

    /// Compares a page with its checksum.
    pub(crate) fn check_page(&self, page: u64, bytes: &[u8]) -> Result<()> {
        if pages::page_is_whole(&self.sums, page, bytes) {
            return Ok(());
        }
        let what = "the page here does not have the checksum it was written with";
        Err(Error::corrupt(&self.path, page.saturating_mul(PAGE_LEN), what))
    }

    #[inline(never)]
    fn read(&self, start: u64, end: u64) -> Result<Bytes> {
        let covered = self.layout.covered();
        if start > end || end > covered {
            return Err(self.outside(start));
        }
        if start == end {
            return Ok(Bytes::new());
        }
        let from = start - start % PAGE_LEN;
        let to = (end.div_ceil(PAGE_LEN) * PAGE_LEN).min(covered);
        let mut buffer = vec![0; narrow(to - from)];
        self.file
            .read_at(from, &mut buffer)
            .map_err(|source| Error::io("read", &self.path, source))?;
        for (page, bytes) in (from / PAGE_LEN..).zip(buffer.chunks(narrow(PAGE_LEN))) {
            self.check_page(page, bytes)?;
        }
        Ok(Bytes::from(buffer).slice(narrow(start - from)..narrow(end - from)))
    }

    #[cold]
    fn outside(&self, at: u64) -> Error {
        Error::corrupt(&self.path, at, "something in the table points outside of it")
    }

    /// The rows of an entity, mostly none or one.
    #[inline]
    pub(crate) fn rows<'t, 'e>(
        &'t self,
        hash: EntityHash,
        entity: &'e [u8],
    ) -> Result<Rows<'t, 'e>> {
        let base = self.layout.directory.start;
        let (from, to) = match self.directory.bucket(hash) {
            None => (0, 0),
            Some(at) => {
                let at = base + wide(at);
                let eight = self.bytes(at, at + 8)?;
                self.directory.bounds(&eight).map_err(|fault| self.corrupt(base, &fault))?
            }
        };
        let rows = if from == to {
            Piece::Mapped(&[])
        } else {
            let place = |row| base + wide(self.directory.row_at(row));
            self.bytes(place(from), place(to))?
        };
        let fingerprint = directory::fingerprint(hash);
        Ok(Rows { table: self, fingerprint, entity, first: from, rows, next: 0 })
    }

    /// The hints to the chunks of rows from one on, as many as there are.
    #[inline]
    fn glance_at_hints(&self, from: usize, count: usize) -> &[[u8; HINT_LEN]] {
        let Some(section) = self.layout.hints else { return &[] };
        let at = section.start + wide(from * HINT_LEN);
        self.glance(at, count * HINT_LEN).unwrap_or_default().as_chunks().0
    }

    /// Looks at the bucket of a hash: the rows that it bounds, as long as nobody believes it.
    #[inline]
    pub(crate) fn glance_at_bucket(&self, hash: EntityHash) -> (usize, usize) {
        let at = self.directory.bucket(hash).map(|at| self.layout.directory.start + wide(at));
        let eight = at.and_then(|at| self.glance(at, 8));
        eight.and_then(|eight| self.directory.bounds(eight).ok()).unwrap_or_default()
    }

    /// Looks at these rows, and at the lines of a head that is likely the entity's and has so many
    /// features, and at its history if older versions are looked for. Which row it is decides no
    /// branch: what is looked at next waits for none.
    #[inline]
    pub(crate) fn glance_at_row(
        &self,
        hash: EntityHash,
        (from, to): (usize, usize),
        features: usize,
        older: bool,
    ) -> u64 {
        if from == to {
            return 0;
        }
        let at = self.layout.directory.start + wide(self.directory.row_at(from));
        let rows = self.glance(at, ROWS_GLANCED * 8).unwrap_or_default().as_chunks::<8>().0;
        self.glance_behind(rows, from, directory::fingerprint(hash), features, older)
    }

    /// Looks at the lines of a head and of its chunk, as [`Table::glance_at_row`] does. The head comes
    /// first: it is the first to be read, and a core waits for so many lines at a time only.
    #[inline]
    fn glance_behind(
        &self,
        rows: &[[u8; 8]],
        from: usize,
        wanted: u32,
        features: usize,
        older: bool,
    ) -> u64 {
        let hints = if older { self.glance_at_hints(from, rows.len()) } else { &[] };
        let head = rows.iter().fold(0, |found, row| {
            let (fingerprint, head) = Directory::row(row);
            if fingerprint == wanted { head } else { found }
        });
        let hint = rows.iter().zip(hints).fold(0, |found, (row, hint)| {
            if Directory::row(row).0 == wanted { u32::from_le_bytes(*hint) } else { found }
        });
        // Of few numbers each takes about so many bytes.
        let len = (head::FIXED_LEN + 16 + features * 10).min(MOST_FETCHED);
        let head = self.glance(self.layout.heads.start + u64::from(head), len);
        let hint = ChunkHint(hint);
        let len = hint.len().unwrap_or(LONG_GLANCED);
        let chunk = self.glance(self.layout.history.start + hint.start(), len);
        look_at(head.unwrap_or_default()) ^ look_at(chunk.unwrap_or_default())
    }

    /// Bytes of the map, which may not be verified.
    #[inline]
    fn glance(&self, at: u64, len: usize) -> Option<&[u8]> {
        let map = self.map.as_ref()?;
        let at = narrow(at);
        map.get(at..map.len().min(at.saturating_add(len)))
    }

    /// Where the head of a row of the directory begins, and its part of the hash.
    #[inline]
    pub(crate) fn row(&self, row: usize) -> Result<(u32, u64)> {
        let at = self.layout.directory.start + wide(self.directory.row_at(row));
        let (fingerprint, head) = Directory::row(&self.bytes(at, at + 8)?);
        Ok((fingerprint, self.layout.heads.start + u64::from(head)))
    }

    /// The head that begins at a place.
    #[inline]
    pub(crate) fn head_at(&self, at: u64) -> Result<HeadRow<'_>> {
        let fixed = self.bytes(at, at.saturating_add(wide(head::FIXED_LEN)))?;
        let shape = HeadShape::decode(&fixed).map_err(|fault| self.corrupt(at, &fault))?;
        let end = at.saturating_add(wide(shape.near_start()));
        if end > self.layout.heads.end() {
            return Err(self.outside(at));
        }
        let bytes = self.bytes(at, end)?;
        fetch(&bytes);
        Ok(HeadRow { table: self, at, shape, bytes })
    }
}

/// So many rows of a bucket are looked at before it is asked; it has about four.
const ROWS_GLANCED: usize = 8;

/// Of a chunk whose length no hint tells so much is looked at.
const LONG_GLANCED: usize = 256;

/// Of longer pieces a read mostly looks at few lines.
const MOST_FETCHED: usize = 4 << 10;

/// Looks at every line of a piece: none waits for another, as they would when the piece is read.
#[inline]
fn fetch(bytes: &[u8]) {
    if bytes.len() <= MOST_FETCHED {
        std::hint::black_box(bytes.iter().step_by(64).fold(0, |seen, byte| seen ^ byte));
    }
}

/// Looks at every line of a piece, one load each, as part of looking at more: what they hold is mixed
/// so that no compiler gathers bytes into vectors first.
#[inline]
fn look_at(bytes: &[u8]) -> u64 {
    bytes.iter().step_by(64).fold(0, |seen: u64, byte| seen.rotate_left(1) ^ u64::from(*byte))
}

impl Drop for Table {
    fn drop(&mut self) {
        self.blocks.forget(self.entry.number);
        if self.obsolete.load(Ordering::Acquire) {
            // Left over at the worst: the next open removes what no manifest names.
            let _ = self.disk.remove(&self.path);
        }
    }
}

/// The rows of one entity in a table.
#[derive(Debug)]
pub(crate) struct Rows<'t, 'e> {
    table: &'t Table,
    fingerprint: u32,
    entity: &'e [u8],
    /// The first row of the bucket.
    first: usize,
    /// The rows of the bucket, and the first that was not looked at.
    rows: Piece<'t>,
    next: usize,
}

impl<'t> Rows<'t, '_> {
    /// Looks at the head of the row that is likely the entity's, and at its chunk: for who will want older
    /// versions than the head has of so many features, and would else wait for the head before it is
    /// known where the chunk is.
    #[inline]
    pub(crate) fn glance_at_history(&self, features: usize) {
        let rows = self.rows.as_chunks::<8>().0;
        let wanted = self.fingerprint;
        std::hint::black_box(self.table.glance_behind(rows, self.first, wanted, features, true));
    }

    #[inline]
    fn next_row(&mut self) -> Result<Option<HeadRow<'t>>> {
        while let Some(row) = self.rows.as_chunks::<8>().0.get(self.next) {
            self.next += 1;
            let (fingerprint, head) = Directory::row(row);
            if fingerprint != self.fingerprint {
                continue;
            }
            let at = self.table.layout.heads.start + u64::from(head);
            let found = self.table.head_at(at)?;
            if found.head()?.entity() == self.entity {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl<'t> Iterator for Rows<'t, '_> {
    type Item = Result<HeadRow<'t>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.next_row().transpose()
    }
}

/// The head of an entity, and the way to its history.
#[derive(Debug)]
pub(crate) struct HeadRow<'t> {
    pub(crate) table: &'t Table,
    /// Where the head begins in the file.
    pub(crate) at: u64,
    shape: HeadShape,
    bytes: Piece<'t>,
}

impl<'t> HeadRow<'t> {
    #[inline]
    pub(crate) fn head(&self) -> Result<Head<'_>> {
        Head::of(self.shape, &self.bytes).map_err(|fault| self.table.corrupt(self.at, &fault))
    }

    /// Where a version stands in the order.
    #[inline]
    pub(crate) fn order(&self, head: &Head<'_>, index: usize) -> Result<Order> {
        let order = head.order(index, self.table.timeline()?);
        order.map_err(|fault| self.table.corrupt(self.at, &fault))
    }

    /// Where the entity's chunk and its heap begin in the file, and the chunk's bytes; `None` if
    /// it has no history here.
    pub(crate) fn chunk(&self, head: &Head<'_>) -> Result<Option<ChunkBytes<'t>>> {
        let place = head.history();
        if place.chunk_len == 0 {
            return Ok(None);
        }
        let history = self.table.layout.history;
        let start = history.start.saturating_add(place.start);
        let heap = start.saturating_add(u64::from(place.chunk_len));
        if heap.saturating_add(u64::from(place.heap_len)) > history.end() {
            return Err(self.table.outside(self.at));
        }
        Ok(Some(ChunkBytes { start, heap, bytes: self.table.bytes(start, heap)? }))
    }
}

/// The chunk of an entity.
#[derive(Debug)]
pub(crate) struct ChunkBytes<'t> {
    /// Where it begins in the file.
    pub(crate) start: u64,
    /// Where the heap behind it begins.
    pub(crate) heap: u64,
    pub(crate) bytes: Piece<'t>,
}

impl ChunkBytes<'_> {
    /// Has the lines of a short one at hand: for who is about to decode it.
    #[inline]
    pub(crate) fn fetch(&self) {
        fetch(&self.bytes);
    }
}

/// What is read of a table to open it.
#[derive(Debug)]
pub(crate) struct OpenedTable {
    pub(crate) header: asofdb_format::header::Header,
    pub(crate) layout: Layout,
    pub(crate) meta: TableMeta,
    pub(crate) freshness: Option<Freshness>,
    pub(crate) sums: Vec<u8>,
    directory: Directory,
}

impl OpenedTable {
    /// Reads header, footer, sections, checksums, metadata, freshness and the head of the
    /// directory, and verifies each.
    pub(crate) fn read(file: &dyn FileReader, path: &Path, len: u64) -> Result<Self> {
        let read = |start: u64, len: u64| -> Result<Vec<u8>> {
            let mut bytes = vec![0; narrow(len)];
            file.read_at(start, &mut bytes).map_err(|source| Error::io("read", path, source))?;
            Ok(bytes)
        };
        if len < wide(HEADER_LEN + FOOTER_LEN) {
            return Err(Error::corrupt(path, len, "the file is too short for a table"));
        }
        let header = check_header(path, &read(0, wide(HEADER_LEN))?, FileKind::Table)?;
        let malformed =
            |fault: Malformed| Error::corrupt(path, fault.at, format!("expected {}", fault.what));
        let tail = read(len - wide(FOOTER_LEN), wide(FOOTER_LEN))?;
        let footer = Footer::decode(&tail, len).map_err(malformed)?;
        let sections = read(footer.sections.start, footer.sections.len)?;
        let layout = footer.layout(&sections).map_err(|fault| match fault {
            TableFault::Malformed(fault) => malformed(fault),
            TableFault::Unknown(_) => Error::newer_part(path),
        })?;
        let sums = read(layout.checksums.start, layout.checksums.len)?;
        if !layout.sums_are_whole(&sums) {
            let what = "the checksums of the pages do not have their own checksum";
            return Err(Error::corrupt(path, layout.checksums.start, what));
        }
        let verified = |start: u64, end: u64| -> Result<Vec<u8>> {
            let from = start - start % PAGE_LEN;
            let to = (end.div_ceil(PAGE_LEN) * PAGE_LEN).min(layout.covered());
            if start > end || end > layout.covered() {
                return Err(Error::corrupt(path, start, "a section lies outside of the table"));
            }
            let bytes = read(from, to - from)?;
            for (page, bytes) in (from / PAGE_LEN..).zip(bytes.chunks(narrow(PAGE_LEN))) {
                if !pages::page_is_whole(&sums, page, bytes) {
                    let what = "the page here does not have the checksum it was written with";
                    return Err(Error::corrupt(path, page * PAGE_LEN, what));
                }
            }
            Ok(bytes.get(narrow(start - from)..narrow(end - from)).unwrap_or_default().to_vec())
        };
        let meta = TableMeta::decode(&verified(layout.meta.start, layout.meta.end())?)
            .map_err(|fault| malformed(fault.offset(layout.meta.start)))?;
        let freshness = layout.freshness.map(|section| {
            Freshness::decode(&verified(section.start, section.end())?)
                .map_err(|fault| malformed(fault.offset(section.start)))
        });
        let freshness = freshness.transpose()?;
        let fixed_end = layout.directory.start.saturating_add(wide(directory::FIXED_LEN));
        let fixed = verified(layout.directory.start, fixed_end)?;
        let directory = Directory::decode(&fixed, layout.directory.len)
            .map_err(|fault| malformed(fault.offset(layout.directory.start)))?;
        if let Some(hints) = layout.hints
            && !hint::is_of_length(hints.len, directory.rows())
        {
            return Err(malformed(Malformed::new(hints.start, "a hint for each row")));
        }
        Ok(Self { header, layout, meta, freshness, sums, directory })
    }
}
