//! A floor: a hash map from entity and feature to its versions in memory. It keeps nothing.

use std::path::Path;
use std::sync::{RwLock, RwLockReadGuard};

use rustc_hash::FxHashMap;

use crate::Outcome;
use crate::peers::peer::{
    Cell, Joined, Peer, Reader, Record, Setup, SpineRow, Write, join_by_entity,
};

type Map = FxHashMap<(u32, u16), Vec<(i64, f64)>>;

struct Mem {
    map: RwLock<Map>,
    features: u16,
}

/// Opens an empty one.
pub fn open(_: &Path, setup: Setup) -> Outcome<Box<dyn Peer>> {
    Ok(Box::new(Mem { map: RwLock::default(), features: setup.features }))
}

fn newest(versions: Option<&Vec<(i64, f64)>>) -> Cell {
    let found = versions.and_then(|versions| versions.last());
    found.map_or(Cell::MISSING, |(time, value)| Cell { time: *time, value: *value })
}

fn as_of(versions: Option<&Vec<(i64, f64)>>, t: i64) -> Cell {
    let Some(versions) = versions else { return Cell::MISSING };
    match versions.partition_point(|(time, _)| *time <= t) {
        0 => Cell::MISSING,
        after => Cell { time: versions[after - 1].0, value: versions[after - 1].1 },
    }
}

impl Peer for Mem {
    fn write(&self, batch: &[Record], _: Write) -> Outcome<()> {
        let mut map = self.map.write().map_err(|_| "a writer panicked")?;
        for record in batch {
            let versions = map.entry((record.entity, record.feature)).or_default();
            let version = (record.time, record.value);
            match versions.last() {
                Some(last) if last.0 > record.time => {
                    let at = versions.partition_point(|version| version.0 <= record.time);
                    versions.insert(at, version);
                }
                _ => versions.push(version),
            }
        }
        Ok(())
    }

    fn settle(&self) -> Outcome<()> {
        Ok(())
    }

    fn reader(&self) -> Outcome<Box<dyn Reader + '_>> {
        Ok(Box::new(MemReader { map: self.map.read().map_err(|_| "a writer panicked")? }))
    }

    fn join(&self, spine: &[SpineRow], threads: usize, _: usize) -> Outcome<Box<dyn Joined>> {
        let map = &*self.map.read().map_err(|_| "a writer panicked")?;
        let width = usize::from(self.features);
        join_by_entity(spine, width, threads, || {
            Ok(Box::new(|entity, times, cells| {
                for feature in 0..self.features {
                    let versions = map.get(&(entity, feature));
                    for (row, t) in times.iter().enumerate() {
                        cells[row * width + usize::from(feature)] = as_of(versions, *t);
                    }
                }
                Ok(())
            }))
        })
    }

    fn is_kept(&self) -> bool {
        false
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}

struct MemReader<'m> {
    map: RwLockReadGuard<'m, Map>,
}

impl Reader for MemReader<'_> {
    fn latest_row(&mut self, entity: u32, cells: &mut [Cell]) -> Outcome<()> {
        for (feature, cell) in (0..).zip(cells) {
            *cell = newest(self.map.get(&(entity, feature)));
        }
        Ok(())
    }

    fn as_of_row(&mut self, entity: u32, t: i64, cells: &mut [Cell]) -> Outcome<()> {
        for (feature, cell) in (0..).zip(cells) {
            *cell = as_of(self.map.get(&(entity, feature)), t);
        }
        Ok(())
    }

    fn latest_point(&mut self, entity: u32, feature: u16) -> Outcome<Cell> {
        Ok(newest(self.map.get(&(entity, feature))))
    }

    fn as_of_point(&mut self, entity: u32, feature: u16, t: i64) -> Outcome<Cell> {
        Ok(as_of(self.map.get(&(entity, feature)), t))
    }
}
