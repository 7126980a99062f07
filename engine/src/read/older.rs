//! The older versions of an entity: the chunk of one row of a table, decoded once for all that is asked
//! of it.

use std::cell::OnceCell;

use asofdb_format::chunk::{Chunk, Column, NumberColumn, Orders, Walk};
use asofdb_format::ids::FeatureId;
use asofdb_format::wire::Malformed;

use crate::files::table::{ChunkBytes, HeadRow};
use crate::types::error::{Error, Result};

/// The chunk of an entity, and how far it was looked through.
pub(crate) struct OlderVersions<'h, 't> {
    pub(crate) row: &'h HeadRow<'t>,
    pub(crate) bytes: &'h ChunkBytes<'t>,
    pub(crate) chunk: Chunk<'h>,
    walk: Walk<'h>,
    from: usize,
    /// Decoded when they are first asked for: what is surely seen has no use for them.
    orders: OnceCell<Orders<'h>>,
}

impl<'h, 't> OlderVersions<'h, 't> {
    // Inlined, as decoding is: what is handed over in memory costs as much as reading it.
    #[inline(always)]
    pub(crate) fn of(row: &'h HeadRow<'t>, bytes: &'h ChunkBytes<'t>) -> Result<Self> {
        bytes.fetch();
        let chunk = Chunk::decode(&bytes.bytes);
        let chunk = chunk.map_err(|fault| row.table.corrupt(bytes.start, &fault))?;
        Ok(Self { row, bytes, chunk, walk: Walk::default(), from: 0, orders: OnceCell::new() })
    }

    #[cold]
    pub(crate) fn corrupt(&self, fault: &Malformed) -> Error {
        self.row.table.corrupt(self.bytes.start, fault)
    }

    /// The column of a feature that is not before those that were asked for already.
    #[inline]
    pub(crate) fn column_of(&mut self, feature: FeatureId) -> Option<usize> {
        let found = self.chunk.find(feature, self.from);
        self.from = found.unwrap_or_else(|next| next);
        found.ok()
    }

    /// A column, if it holds numbers.
    #[inline(always)]
    pub(crate) fn numbers(&mut self, column: usize) -> Result<Option<NumberColumn<'h>>> {
        let numbers = self.chunk.numbers(column, &mut self.walk);
        numbers.map_err(|fault| self.corrupt(&fault))
    }

    /// A column of any values.
    pub(crate) fn column(&mut self, column: usize) -> Result<Column<'h>> {
        let found = self.chunk.column_with(column, &mut self.walk);
        found.map_err(|fault| self.corrupt(&fault))
    }

    /// What tells of the revisions of all columns whether they are seen.
    #[inline]
    pub(crate) fn orders(&self) -> Result<&Orders<'h>> {
        match self.orders.get() {
            Some(orders) => Ok(orders),
            None => {
                let orders = self.chunk.orders(self.row.table.timeline()?);
                let orders = orders.map_err(|fault| self.corrupt(&fault))?;
                Ok(self.orders.get_or_init(|| orders))
            }
        }
    }
}
