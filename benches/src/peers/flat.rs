//! A floor: all versions in one sorted array of 32-byte rows under a memory map. A binary search
//! finds the first feature of an entity, galloping the next ones. It takes no second write.
//!
//! A row is entity, feature, event time and value, eight bytes each, by the newest version first.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use asofdb::world::disk::{Disk, RealDisk};

use crate::Outcome;
use crate::peers::peer::{
    Cell, Joined, Peer, Reader, Record, Setup, SpineRow, Write, join_by_entity,
};

/// Bytes of a row.
const ROW: usize = 32;

struct Flat {
    path: PathBuf,
    features: u16,
    written: Mutex<Vec<Record>>,
    map: OnceLock<Rows<&'static [u8]>>,
}

/// Rows over bytes that hold them.
#[derive(Clone, Copy)]
struct Rows<B>(B);

/// Opens one. What is in the directory is taken as it is.
pub fn open(dir: &Path, setup: Setup) -> Outcome<Box<dyn Peer>> {
    let (path, written) = (dir.join("rows"), Mutex::default());
    let flat = Flat { path, features: setup.features, written, map: OnceLock::new() };
    if flat.path.exists() {
        flat.map()?;
    }
    Ok(Box::new(flat))
}

impl Flat {
    fn map(&self) -> Outcome<()> {
        let map = RealDisk.map(&self.path, std::fs::metadata(&self.path)?.len())?;
        // It is mapped until the process ends: there are few of them, and they are only address
        // space.
        let map: &'static bytes::Bytes = Box::leak(Box::new(map));
        self.map.set(Rows(map)).map_err(|_| "it is settled once".into())
    }

    fn rows(&self) -> Outcome<Rows<&'static [u8]>> {
        self.map.get().copied().ok_or_else(|| "it has not settled".into())
    }
}

impl Rows<&'static [u8]> {
    fn len(self) -> usize {
        self.0.len() / ROW
    }

    fn word(self, row: usize, word: usize) -> u64 {
        let at = row * ROW + word * 8;
        let bytes = self.0[at..at + 8].try_into().unwrap_or_default();
        u64::from_le_bytes(bytes)
    }

    /// Whether a row comes before the versions of a feature that are as old as a moment.
    fn is_before(self, row: usize, entity: u32, feature: u16, t: i64) -> bool {
        let found = (self.word(row, 0), self.word(row, 1));
        let asked = (u64::from(entity), u64::from(feature));
        found < asked || (found == asked && self.word(row, 2).cast_signed() > t)
    }

    /// The first row of a feature that is as old as a moment, from a row on that is not after it.
    fn find(self, from: usize, entity: u32, feature: u16, t: i64) -> usize {
        let (mut low, mut step) = (from, 1);
        while low + step <= self.len() && self.is_before(low + step - 1, entity, feature, t) {
            low += step;
            step *= 2;
        }
        self.search(low, (low + step).min(self.len()), entity, feature, t)
    }

    fn search(self, mut low: usize, mut high: usize, entity: u32, feature: u16, t: i64) -> usize {
        while low < high {
            let middle = low.midpoint(high);
            if self.is_before(middle, entity, feature, t) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn cell(self, row: usize, entity: u32, feature: u16) -> Cell {
        let asked = (u64::from(entity), u64::from(feature));
        if row >= self.len() || (self.word(row, 0), self.word(row, 1)) != asked {
            return Cell::MISSING;
        }
        let (time, value) = (self.word(row, 2).cast_signed(), f64::from_bits(self.word(row, 3)));
        Cell { time, value }
    }

    fn row(self, entity: u32, t: i64, from: &mut Option<usize>, cells: &mut [Cell]) {
        for (feature, cell) in (0..).zip(cells) {
            let at = match *from {
                Some(from) => self.find(from, entity, feature, t),
                None => self.search(0, self.len(), entity, feature, t),
            };
            *from = Some(at);
            *cell = self.cell(at, entity, feature);
        }
    }
}

impl Peer for Flat {
    fn write(&self, batch: &[Record], _: Write) -> Outcome<()> {
        self.written.lock().map_err(|_| "a writer panicked")?.extend_from_slice(batch);
        Ok(())
    }

    fn settle(&self) -> Outcome<()> {
        let mut records = std::mem::take(&mut *self.written.lock().map_err(|_| "it panicked")?);
        if records.is_empty() {
            return Ok(());
        }
        records.sort_unstable_by_key(|r| (r.entity, r.feature, std::cmp::Reverse(r.time)));
        let mut file = std::io::BufWriter::new(std::fs::File::create(&self.path)?);
        for record in records {
            let words = [
                u64::from(record.entity),
                u64::from(record.feature),
                record.time.cast_unsigned(),
                record.value.to_bits(),
            ];
            for word in words {
                std::io::Write::write_all(&mut file, &word.to_le_bytes())?;
            }
        }
        file.into_inner()?.sync_all()?;
        self.map()
    }

    fn reader(&self) -> Outcome<Box<dyn Reader + '_>> {
        Ok(Box::new(FlatReader { rows: self.rows()? }))
    }

    fn join(&self, spine: &[SpineRow], threads: usize, _: usize) -> Outcome<Box<dyn Joined>> {
        let (rows, width) = (self.rows()?, usize::from(self.features));
        join_by_entity(spine, width, threads, || {
            // Entities rise: the next one is found from the last.
            let mut place = 0;
            Ok(Box::new(move |entity, times, cells| {
                place = rows.find(place, entity, 0, i64::MAX);
                for (t, cells) in times.iter().zip(cells.chunks_mut(width)) {
                    rows.row(entity, *t, &mut Some(place), cells);
                }
                Ok(())
            }))
        })
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}

struct FlatReader {
    rows: Rows<&'static [u8]>,
}

impl Reader for FlatReader {
    fn latest_row(&mut self, entity: u32, cells: &mut [Cell]) -> Outcome<()> {
        self.rows.row(entity, i64::MAX, &mut None, cells);
        Ok(())
    }

    fn as_of_row(&mut self, entity: u32, t: i64, cells: &mut [Cell]) -> Outcome<()> {
        self.rows.row(entity, t, &mut None, cells);
        Ok(())
    }

    fn latest_point(&mut self, entity: u32, feature: u16) -> Outcome<Cell> {
        self.as_of_point(entity, feature, i64::MAX)
    }

    fn as_of_point(&mut self, entity: u32, feature: u16, t: i64) -> Outcome<Cell> {
        let at = self.rows.search(0, self.rows.len(), entity, feature, t);
        Ok(self.rows.cell(at, entity, feature))
    }
}
