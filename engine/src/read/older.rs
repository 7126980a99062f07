//! The older versions of an entity, decoded once for all rows that ask about it.

use asofdb_format::chunk::{Chunk, NumberColumn, Walk};
use asofdb_format::ids::FeatureId;
use asofdb_format::wire::Malformed;

use crate::files::table::{ChunkBytes, HeadRow};
use crate::types::error::{Error, Result};

/// The chunk of an entity, and how far it was looked through.
pub(super) struct History<'h, 't> {
    pub(super) row: &'h HeadRow<'t>,
    pub(super) bytes: &'h ChunkBytes<'t>,
    pub(super) chunk: Chunk<'h>,
    walk: Walk<'h>,
    from: usize,
}

impl<'h, 't> History<'h, 't> {
    pub(super) fn of(row: &'h HeadRow<'t>, bytes: &'h ChunkBytes<'t>) -> Result<Self> {
        bytes.fetch();
        let chunk = Chunk::decode(&bytes.bytes);
        let chunk = chunk.map_err(|fault| row.table.corrupt(bytes.start, &fault))?;
        Ok(Self { row, bytes, chunk, walk: Walk::default(), from: 0 })
    }

    #[cold]
    pub(super) fn corrupt(&self, fault: &Malformed) -> Error {
        self.row.table.corrupt(self.bytes.start, fault)
    }

    /// The column of a feature that is not before those that were asked for already.
    #[inline]
    pub(super) fn column_of(&mut self, feature: FeatureId) -> Option<usize> {
        let found = self.chunk.find(feature, self.from);
        self.from = found.unwrap_or_else(|next| next);
        found.ok()
    }

    /// A column, if it holds numbers.
    #[inline]
    pub(super) fn numbers(&mut self, column: usize) -> Result<Option<NumberColumn<'h>>> {
        let numbers = self.chunk.numbers(column, &mut self.walk);
        numbers.map_err(|fault| self.corrupt(&fault))
    }
}
