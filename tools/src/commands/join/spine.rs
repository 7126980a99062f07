//! The spine: which of its columns are the entity and the time, and its rows as the store asks
//! for them.

use asofdb::EventTime;

use crate::entity;
use crate::error::{Error, Result};
use crate::infer::Seen;
use crate::tabular::cell::Cell;
use crate::tabular::source::Source;
use crate::tabular::{Chunk, NullTokens, find_column};
use crate::times::{self, Column1970, Unit};

/// What a row asks about; `None` if it matches nothing.
pub type Asked = Option<(Vec<u8>, EventTime)>;

/// Where a row's entity and time are.
pub struct Spine {
    file: String,
    entity: Vec<usize>,
    entity_name: String,
    time: usize,
    time_name: String,
    unit: Unit,
}

impl Spine {
    /// Finds the columns.
    pub fn new(
        columns: &[String],
        source: &Source,
        entity: &[String],
        time: &str,
        unit: Unit,
    ) -> Result<Self> {
        let file = source.name.clone();
        let places = entity.iter().map(|name| find_column(columns, name, &file));
        Ok(Self {
            entity: places.collect::<Result<_>>()?,
            entity_name: entity.join(","),
            time: find_column(columns, time, &file)?,
            time_name: time.to_owned(),
            unit,
            file,
        })
    }

    /// Looks at the spine before anything is written: refuses times in a wrong unit, and tells the
    /// types of a CSV spine's columns if they are needed.
    pub fn survey(
        &self,
        source: &Source,
        nulls: &NullTokens,
        need_types: bool,
        now: i64,
    ) -> Result<Vec<Seen>> {
        let mut reader = source.read(nulls)?;
        let need_types = need_types && reader.schema().is_none();
        let mut seen = vec![Seen::default(); reader.columns().len()];
        let mut times = Column1970::default();
        let mut bad = Vec::new();
        while let Some(chunk) = reader.next_chunk(&mut bad)? {
            for row in 0..chunk.rows() {
                if let Some(time) = chunk.cell(row, self.time)?.time(self.unit) {
                    times.add(time);
                }
            }
            if need_types {
                for (column, seen) in seen.iter_mut().enumerate() {
                    for row in 0..chunk.rows() {
                        seen.add(&chunk.cell(row, column)?);
                    }
                }
            } else if !times.all_within_1970() && chunk.rows() > 0 {
                break;
            }
        }
        match times.refusal(self.unit, now) {
            Some(refusal) => {
                Err(Error::Failed(format!("{}, column {}: {refusal}", self.file, self.time_name)))
            }
            None => Ok(seen),
        }
    }

    /// The rows of a chunk; `None` for one without an entity or a time, which matches nothing.
    pub fn rows(&self, chunk: &Chunk) -> Result<Vec<Asked>> {
        (0..chunk.rows()).map(|row| self.row(chunk, row)).collect()
    }

    fn row(&self, chunk: &Chunk, row: usize) -> Result<Asked> {
        let cell = chunk.cell(row, self.time)?;
        let time = match cell {
            Cell::Null => return Ok(None),
            _ => cell.time(self.unit).ok_or_else(|| {
                let expected = times::EXPECTED;
                chunk.bad_row(&self.file, row, &self.time_name, expected, Some(&cell))
            })?,
        };
        let mut parts = Vec::with_capacity(self.entity.len());
        for &column in &self.entity {
            let cell = chunk.cell(row, column)?;
            if cell == Cell::Null {
                return Ok(None);
            }
            match cell.entity_part() {
                Some(part) => parts.push(part.into_owned()),
                None => {
                    let expected = "text or an integer";
                    let name = &self.entity_name;
                    let bad = chunk.bad_row(&self.file, row, name, expected, Some(&cell));
                    return Err(bad.into());
                }
            }
        }
        let mut entity = Vec::new();
        entity::encode(parts.iter().map(Vec::as_slice), &mut entity);
        // No store has an entity of another length.
        let possible = (1..=entity::MAX_LEN).contains(&entity.len());
        Ok(possible.then_some((entity, EventTime(time.micros))))
    }
}
