//! asofdb through its public API, with default options.

use std::path::Path;

use asofdb::{
    Batch, Cells, Durability, EventTime, FeatureId, FeatureSpec, JoinOptions, Options, Read,
    RowReader, Selection, SequenceReader, Status, Store, ValueType,
};

use crate::Outcome;
use crate::peers::peer::{
    Cell, Joined, Peer, Reader, Record, Setup, SpineRow, TextRecord, Texts, Write,
};

/// Rows of a spine that are joined at once.
const PART: usize = 1 << 18;

struct Ours {
    store: Store,
    ids: Vec<FeatureId>,
    names: Vec<String>,
    selection: Selection,
}

/// Opens a store with the features that are asked for.
pub fn open(dir: &Path, setup: Setup) -> Outcome<Box<dyn Peer>> {
    let mut options = Options::new();
    if setup.stays_in_log {
        options = options.memtable_bytes(1 << 30);
    }
    let store = Store::open(dir.join("store"), options)?;
    let names: Vec<String> = (0..setup.features).map(|n| format!("a:f{n}")).collect();
    if store.features().is_empty() {
        let value_type = if setup.text { ValueType::Text } else { ValueType::F64 };
        for name in &names {
            store.define(FeatureSpec::new(name, value_type))?;
        }
    }
    let selection = store.select(&names)?;
    let ids = selection.features().iter().map(|feature| feature.id).collect();
    Ok(Box::new(Ours { store, ids, names, selection }))
}

fn key(entity: u32) -> [u8; 8] {
    u64::from(entity).to_be_bytes()
}

impl Peer for Ours {
    fn write(&self, records: &[Record], how: Write) -> Outcome<()> {
        let mut batch = Batch::new();
        for record in records {
            let id = self.ids[usize::from(record.feature)];
            batch.put_id(key(record.entity), id, EventTime(record.time), record.value);
        }
        let durability = if how.synced { Durability::Synced } else { Durability::Buffered };
        self.store.write(batch, durability)?;
        Ok(())
    }

    fn settle(&self) -> Outcome<()> {
        self.store.compact()?;
        Ok(())
    }

    fn reader(&self) -> Outcome<Box<dyn Reader + '_>> {
        Ok(Box::new(OursReader { ours: self, rows: None, points: Vec::new(), sequences: None }))
    }

    fn join(&self, spine: &[SpineRow], threads: usize, _: usize) -> Outcome<Box<dyn Joined>> {
        let joiner = self.store.joiner(&self.selection, JoinOptions::new().threads(threads))?;
        let mut parts = Vec::new();
        for part in spine.chunks(PART) {
            let rows: Vec<_> =
                part.iter().map(|row| Some((key(row.entity), EventTime(row.t)))).collect();
            parts.push(joiner.join(&rows)?);
        }
        Ok(Box::new(OursJoined(parts)))
    }

    fn write_text(&self, records: &[TextRecord]) -> Outcome<()> {
        let mut batch = Batch::new();
        for record in records {
            let id = self.ids[usize::from(record.feature)];
            let at = EventTime(record.time);
            batch.put_id(key(record.entity), id, at, record.text.as_str());
        }
        self.store.write(batch, Durability::Buffered)?;
        Ok(())
    }

    fn text(&self, entity: u32, feature: u16, t: i64) -> Outcome<Option<String>> {
        let name = &self.names[usize::from(feature)];
        let reading = self.store.as_of(key(entity), name, EventTime(t))?;
        Ok(reading.as_text().map(str::to_owned))
    }

    fn visits(&self) -> Option<(f64, f64)> {
        let reads = self.store.metrics().reads;
        Some((reads.sources_visited as f64, reads.lookups as f64))
    }

    fn log_bytes(&self) -> Option<u64> {
        Some(self.store.stats().log_bytes)
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(self.store.close()?)
    }
}

struct OursReader<'s> {
    ours: &'s Ours,
    /// Of the first features, as many as were asked for last.
    rows: Option<RowReader>,
    /// One a feature.
    points: Vec<RowReader>,
    /// Of the feature of this number.
    sequences: Option<(usize, SequenceReader)>,
}

fn copy(found: &Cells, out: &mut [Cell]) {
    let all = found.statuses().iter().zip(found.event_times()).zip(found.bits());
    for (out, ((status, time), bits)) in out.iter_mut().zip(all) {
        *out = match status {
            Status::Value => Cell { time: *time, value: f64::from_bits(*bits) },
            _ => Cell::MISSING,
        };
    }
}

impl OursReader<'_> {
    fn rows(&mut self, width: usize) -> Outcome<&mut RowReader> {
        let rows = match self.rows.take() {
            Some(rows) if rows.features().len() == width => rows,
            _ => {
                let store = &self.ours.store;
                store.reader(&store.select(&self.ours.names[..width])?)?
            }
        };
        Ok(self.rows.insert(rows))
    }

    fn points(&mut self, feature: u16) -> Outcome<&mut RowReader> {
        if self.points.is_empty() {
            for name in &self.ours.names {
                self.points.push(self.ours.store.reader(&self.ours.store.select(&[name])?)?);
            }
        }
        Ok(&mut self.points[usize::from(feature)])
    }

    fn point(&mut self, entity: u32, feature: u16, read: &Read) -> Outcome<Cell> {
        let mut cell = Cell::MISSING;
        let found = self.points(feature)?.read(key(entity), read)?;
        copy(found, std::slice::from_mut(&mut cell));
        Ok(cell)
    }
}

impl Reader for OursReader<'_> {
    fn latest_row(&mut self, entity: u32, cells: &mut [Cell]) -> Outcome<()> {
        copy(self.rows(cells.len())?.read(key(entity), &Read::latest())?, cells);
        Ok(())
    }

    fn as_of_row(&mut self, entity: u32, t: i64, cells: &mut [Cell]) -> Outcome<()> {
        copy(self.rows(cells.len())?.read(key(entity), &Read::as_of(EventTime(t)))?, cells);
        Ok(())
    }

    fn latest_point(&mut self, entity: u32, feature: u16) -> Outcome<Cell> {
        self.point(entity, feature, &Read::latest())
    }

    fn as_of_point(&mut self, entity: u32, feature: u16, t: i64) -> Outcome<Cell> {
        self.point(entity, feature, &Read::as_of(EventTime(t)))
    }

    fn latest_rows(&mut self, entities: &[u32], width: usize, cells: &mut [Cell]) -> Outcome<()> {
        let keys: Vec<[u8; 8]> = entities.iter().map(|entity| key(*entity)).collect();
        copy(self.rows(width)?.read_all(&keys, &Read::latest())?, cells);
        Ok(())
    }

    fn latest_text(&mut self, entity: u32, feature: u16, out: &mut Texts) -> Outcome<()> {
        let found = self.points(feature)?.read(key(entity), &Read::latest())?;
        let text = found.at(0, 0).and_then(|cell| cell.as_text());
        text.into_iter().for_each(|text| out.push(found.event_times()[0], text.as_bytes()));
        Ok(())
    }

    fn last_texts(
        &mut self,
        (entity, feature): (u32, u16),
        t: i64,
        most: usize,
        out: &mut Texts,
    ) -> Outcome<()> {
        let Ours { store, names, .. } = self.ours;
        let place = usize::from(feature);
        let sequences = match &mut self.sequences {
            Some((of, sequences)) if *of == place => sequences,
            _ => &mut self.sequences.insert((place, store.sequence_reader(&names[place])?)).1,
        };
        let found = sequences.last_n(key(entity), most, &Read::as_of(EventTime(t)))?;
        for (place, time) in found.event_times().iter().enumerate() {
            out.push(*time, found.as_raw_bytes(place).unwrap_or_default());
        }
        Ok(())
    }
}

struct OursJoined(Vec<asofdb::Joined>);

impl Joined for OursJoined {
    fn cell(&self, row: usize, feature: usize) -> Cell {
        let found = self.0.get(row / PART).and_then(|part| {
            let column = part.column(feature)?;
            let value = column.value(row % PART)?.as_f64()?;
            Some(Cell { time: column.event_time(row % PART)?.0, value })
        });
        found.unwrap_or(Cell::MISSING)
    }
}
