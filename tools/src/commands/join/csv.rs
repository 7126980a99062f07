//! Joined rows as CSV.

use asofdb::{JoinedColumn, Value};

use super::columns::{Columns, Content};
use crate::error::{Error, Result};
use crate::tabular::csv_write::CsvWriter;
use crate::tabular::sink::Sink;
use crate::tabular::{Chunk, NullTokens};
use crate::times;
use crate::values;

/// Writes joined rows as CSV.
pub struct CsvOut {
    name: String,
    writer: CsvWriter<Sink>,
    columns: Vec<Content>,
}

impl CsvOut {
    /// Writes the header.
    pub fn new(sink: Sink, columns: &Columns, nulls: NullTokens) -> Result<Self> {
        let name = sink.name().to_owned();
        let mut writer = CsvWriter::new(sink, nulls);
        let header = columns.0.iter().try_for_each(|(name, _)| writer.text(name.as_bytes()));
        header.and_then(|()| writer.end_row()).map_err(|error| Error::io("write", &name, error))?;
        let columns = columns.0.iter().map(|(_, content)| *content).collect();
        Ok(Self { name, writer, columns })
    }

    fn cell(
        &mut self,
        chunk: &Chunk,
        joined: &[&JoinedColumn],
        row: usize,
        content: Content,
    ) -> Result<()> {
        let writer = &mut self.writer;
        let feature = |index: usize| joined.get(index).copied();
        match content {
            Content::Spine(column) => match chunk {
                // As it was, its quotes too: they tell an empty text from a null.
                Chunk::Csv(chunk) => {
                    let (bytes, quoted) = chunk.field(row, column);
                    writer.field(bytes, quoted)
                }
                Chunk::Parquet(chunk) => match chunk.text(row, column)? {
                    Some(text) => writer.text(&text),
                    None => writer.null(),
                },
            },
            Content::Value(index) => match feature(index).and_then(|column| column.value(row)) {
                Some(Value::Text(text)) => writer.text(text.as_str().as_bytes()),
                Some(value) => writer.text(values::to_text(&value).as_bytes()),
                None => writer.null(),
            },
            Content::Status(index) => {
                match feature(index).and_then(|column| column.status().get(row)) {
                    Some(status) => writer.text(status.as_str().as_bytes()),
                    None => writer.null(),
                }
            }
            Content::EventTime(index) => {
                match feature(index).and_then(|column| column.event_time(row)) {
                    Some(time) => writer.text(times::format(time.0).as_bytes()),
                    None => writer.null(),
                }
            }
        }
        .map_err(|error| Error::io("write", &self.name, error))
    }
}

impl super::Writer for CsvOut {
    fn write(&mut self, chunk: &Chunk, joined: &[&JoinedColumn]) -> Result<()> {
        for row in 0..chunk.rows() {
            for index in 0..self.columns.len() {
                if let Some(content) = self.columns.get(index).copied() {
                    self.cell(chunk, joined, row, content)?;
                }
            }
            self.writer.end_row().map_err(|error| Error::io("write", &self.name, error))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self { name, writer, .. } = *self;
        writer.finish().map_err(|error| Error::io("write", name, error))?.finish()
    }
}
