//! LMDB: a table of entity and feature whose versions are sorted duplicates of one width, and beside
//! it, if that is asked for, a table of the newest versions, written in the same transaction.
//!
//! Batches that need not be synced are written through the map and not synced, which is weaker than
//! a log: they outlive the process, and a power cut may spoil the file. Texts are too long for
//! duplicates, so that their versions have keys of their own.

mod raw;

use std::path::Path;

use lmdb_master_sys as c;

use self::raw::{Env, Snapshot, Table, To};
use crate::Outcome;
use crate::peers::key::{self, SERIES};
use crate::peers::peer::{
    Cell, JoinEntity, Joined, Peer, Reader, Record, Setup, SpineRow, TextRecord, Texts, Write,
    join_by_entity,
};

struct Lmdb {
    env: Env,
    history: Table,
    latest: Option<Table>,
    features: u16,
}

/// Opens one without a table of the newest versions.
pub fn open(dir: &Path, setup: Setup) -> Outcome<Box<dyn Peer>> {
    open_with(dir, setup, false)
}

/// Opens one with it.
pub fn open_with_latest(dir: &Path, setup: Setup) -> Outcome<Box<dyn Peer>> {
    open_with(dir, setup, true)
}

fn open_with(dir: &Path, setup: Setup, has_latest: bool) -> Outcome<Box<dyn Peer>> {
    let record = if setup.text { 2_000 } else { 200 };
    let map_bytes = (1 << 30) + usize::try_from(setup.records)? * record;
    let flags = if setup.synced { 0 } else { c::MDB_WRITEMAP | c::MDB_NOSYNC };
    let env = Env::open(dir, map_bytes, flags | c::MDB_NORDAHEAD)?;
    let sorted = if setup.text { 0 } else { c::MDB_DUPSORT | c::MDB_DUPFIXED };
    let tables = env.tables(&[("history", sorted), ("latest", 0)])?;
    let latest = has_latest.then(|| tables[1]);
    Ok(Box::new(Lmdb { env, history: tables[0], latest, features: setup.features }))
}

impl Peer for Lmdb {
    fn write(&self, batch: &[Record], how: Write) -> Outcome<()> {
        let mut sorted = batch.to_vec();
        sorted.sort_unstable_by_key(|r| (r.entity, r.feature, std::cmp::Reverse(r.time)));
        let mut txn = self.env.write()?;
        for record in &sorted {
            let key = key::series(record.entity, record.feature);
            let data = key::pair(record.time, record.value);
            txn.put(self.history, &key, &data, 0)?;
        }
        if let Some(latest) = self.latest {
            for versions in sorted.chunk_by(|a, b| (a.entity, a.feature) == (b.entity, b.feature)) {
                let newest = versions[0];
                let key = key::series(newest.entity, newest.feature);
                let there = if how.may_be_late { txn.get(latest, &key)? } else { None };
                if there.is_none_or(|there| key::time_of(there) <= newest.time) {
                    txn.put(latest, &key, &key::pair(newest.time, newest.value), 0)?;
                }
            }
        }
        txn.commit()
    }

    fn settle(&self) -> Outcome<()> {
        self.env.sync()
    }

    fn reader(&self) -> Outcome<Box<dyn Reader + '_>> {
        let tables = [self.history, self.latest.unwrap_or(self.history)];
        let snapshot = self.env.read(&tables)?;
        Ok(Box::new(LmdbReader { snapshot, has_latest: self.latest.is_some(), plan: 0 }))
    }

    fn join(&self, spine: &[SpineRow], threads: usize, plan: usize) -> Outcome<Box<dyn Joined>> {
        let width = usize::from(self.features);
        join_by_entity(spine, width, threads, || {
            let mut snapshot = self.env.read(&[self.history])?;
            let joining: JoinEntity<'_> = Box::new(move |entity, times, cells| {
                if plan == PAGE {
                    join_pages(&mut snapshot, entity, times, width, cells)
                } else {
                    join_seeks(&mut snapshot, entity, times, width, cells)
                }
            });
            Ok(joining)
        })
    }

    fn write_text(&self, batch: &[TextRecord]) -> Outcome<()> {
        let mut txn = self.env.write()?;
        for record in batch {
            let key = key::version(record.entity, record.feature, record.time);
            txn.put(self.history, &key, record.text.as_bytes(), 0)?;
            if let Some(latest) = self.latest {
                let mut data = key::descending(record.time).to_vec();
                data.extend_from_slice(record.text.as_bytes());
                txn.put(latest, &key[..SERIES], &data, 0)?;
            }
        }
        txn.commit()
    }

    fn text(&self, entity: u32, feature: u16, t: i64) -> Outcome<Option<String>> {
        let mut snapshot = self.env.read(&[self.history])?;
        let key = key::version(entity, feature, t);
        let found = snapshot.seek(0, &key, &[], To::KeyFrom)?;
        let found = found.filter(|(found, _)| found[..SERIES] == key[..SERIES]);
        Ok(found.map(|(_, text)| String::from_utf8_lossy(text).into_owned()))
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        self.env.sync()
    }
}

/// The plan that seeks each feature.
const SEEK: usize = 0;

/// The plan that goes from feature to feature and takes each one's page of versions.
const PAGE: usize = 1;

struct LmdbReader<'e> {
    snapshot: Snapshot<'e>,
    has_latest: bool,
    plan: usize,
}

/// The newest of some pairs beside one another that is not after a moment.
fn search(pairs: &[u8], t: i64) -> Option<Cell> {
    let asked = key::descending(t);
    let (mut low, mut high) = (0, pairs.len() / 16);
    while low < high {
        let middle = low.midpoint(high);
        if pairs[middle * 16..middle * 16 + 8] < asked[..] {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    pairs.get(low * 16..).filter(|rest| !rest.is_empty()).map(key::cell_of)
}

fn seek_version(snapshot: &mut Snapshot<'_>, key: &[u8], t: i64) -> Outcome<Cell> {
    let mut from = [0; 16];
    from[..8].copy_from_slice(&key::descending(t));
    let found = snapshot.seek(0, key, &from, To::DataFrom)?;
    Ok(found.map_or(Cell::MISSING, |(_, data)| key::cell_of(data)))
}

fn join_seeks(
    snapshot: &mut Snapshot<'_>,
    entity: u32,
    times: &[i64],
    width: usize,
    cells: &mut [Cell],
) -> Outcome<()> {
    for (place, feature) in (0..width).zip(0..) {
        let key = key::series(entity, feature);
        for (row, t) in times.iter().enumerate() {
            cells[row * width + place] = seek_version(snapshot, &key, *t)?;
        }
    }
    Ok(())
}

fn join_pages(
    snapshot: &mut Snapshot<'_>,
    entity: u32,
    times: &[i64],
    width: usize,
    cells: &mut [Cell],
) -> Outcome<()> {
    let first = key::series(entity, 0);
    let mut to = To::KeyFrom;
    let mut open = Vec::new();
    while let Some((key, pairs)) = snapshot.seek_all(0, &first, to)? {
        let Some(feature) = key::feature_of(key, entity).filter(|feature| *feature < width) else {
            break;
        };
        for (row, t) in times.iter().enumerate() {
            match search(pairs, *t) {
                Some(cell) => cells[row * width + feature] = cell,
                // It may lie beyond the first page.
                None => open.push((row, feature, *t)),
            }
        }
        to = To::NextKey;
    }
    for (row, feature, t) in open {
        let key = key::series(entity, u16::try_from(feature)?);
        cells[row * width + feature] = seek_version(snapshot, &key, t)?;
    }
    Ok(())
}

impl Reader for LmdbReader<'_> {
    fn plans(&self) -> &'static [&'static str] {
        &["seek", "page"]
    }

    fn set_plan(&mut self, plan: usize) {
        self.plan = plan;
    }

    fn latest_row(&mut self, entity: u32, cells: &mut [Cell]) -> Outcome<()> {
        self.snapshot.renew()?;
        cells.fill(Cell::MISSING);
        let first = key::series(entity, 0);
        let (cursor, next) = if self.has_latest { (1, To::Next) } else { (0, To::NextKey) };
        let mut to = To::KeyFrom;
        for _ in 0..cells.len() {
            let Some((key, data)) = self.snapshot.seek(cursor, &first, &[], to)? else { break };
            match key::feature_of(key, entity).and_then(|feature| cells.get_mut(feature)) {
                Some(cell) => *cell = key::cell_of(data),
                None => break,
            }
            to = next;
        }
        Ok(())
    }

    fn as_of_row(&mut self, entity: u32, t: i64, cells: &mut [Cell]) -> Outcome<()> {
        self.snapshot.renew()?;
        cells.fill(Cell::MISSING);
        let width = cells.len();
        if self.plan == SEEK {
            join_seeks(&mut self.snapshot, entity, &[t], width, cells)
        } else {
            join_pages(&mut self.snapshot, entity, &[t], width, cells)
        }
    }

    fn latest_point(&mut self, entity: u32, feature: u16) -> Outcome<Cell> {
        self.snapshot.renew()?;
        let key = key::series(entity, feature);
        let found = self.snapshot.seek(usize::from(self.has_latest), &key, &[], To::KeyFrom)?;
        let found = found.filter(|(found, _)| *found == key);
        Ok(found.map_or(Cell::MISSING, |(_, data)| key::cell_of(data)))
    }

    fn as_of_point(&mut self, entity: u32, feature: u16, t: i64) -> Outcome<Cell> {
        self.snapshot.renew()?;
        seek_version(&mut self.snapshot, &key::series(entity, feature), t)
    }

    fn last_texts(
        &mut self,
        (entity, feature): (u32, u16),
        t: i64,
        most: usize,
        out: &mut Texts,
    ) -> Outcome<()> {
        self.snapshot.renew()?;
        let (key, mut to) = (key::version(entity, feature, t), To::KeyFrom);
        while out.len() < most {
            let Some((found, text)) = self.snapshot.seek(0, &key, &[], to)? else { break };
            if found[..SERIES] != key[..SERIES] {
                break;
            }
            out.push(key::time_of(&found[SERIES..]), text);
            to = To::Next;
        }
        Ok(())
    }
}
