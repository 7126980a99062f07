//! All entities, in the order of their hashes.

use asofdb_format::hash::EntityHash;
use bytes::Bytes;

use crate::files::table::Table;
use crate::read::plan::Plan;
use crate::read::row::read_row;
use crate::sync::Shared;
use crate::types::answer::{Row, Status};
use crate::types::error::Result;

/// Entities that have anything to answer, each with its row, ascending by hash of the entity. The
/// state is pinned when the scan begins; memory stays bounded by the memtables.
#[derive(Debug)]
pub struct Scan {
    plan: Plan,
    prefix: Bytes,
    cursors: Vec<Cursor>,
    failed: bool,
}

/// Where the scan stands in one source.
#[derive(Debug)]
struct Cursor {
    rest: Rest,
    at: Option<(EntityHash, Bytes)>,
}

#[derive(Debug)]
enum Rest {
    Table(Shared<Table>, usize),
    Memtable(std::vec::IntoIter<(EntityHash, Bytes)>),
}

impl Cursor {
    fn advance(&mut self) -> Result<()> {
        self.at = match &mut self.rest {
            Rest::Memtable(keys) => keys.next(),
            Rest::Table(table, row) if *row < table.directory().rows() => {
                let (_, at) = table.row(*row)?;
                *row += 1;
                let found = table.head_at(at)?;
                let entity = Bytes::copy_from_slice(found.head()?.entity());
                Some((EntityHash::of(&entity), entity))
            }
            Rest::Table(..) => None,
        };
        Ok(())
    }
}

impl Scan {
    pub(crate) fn new(plan: Plan, prefix: &[u8]) -> Result<Self> {
        let tables = plan.state.tables.all().map(|table| Rest::Table(Shared::clone(table), 0));
        let memtables = plan.state.memtables.iter().map(|memtable| {
            let keys: Vec<_> = memtable
                .entities()
                .iter()
                .filter(|node| node.entity.starts_with(prefix))
                .map(|node| (node.hash, node.entity.clone()))
                .collect();
            Rest::Memtable(keys.into_iter())
        });
        let mut cursors: Vec<Cursor> =
            memtables.chain(tables).map(|rest| Cursor { rest, at: None }).collect();
        for cursor in &mut cursors {
            plan.state.monitor.watched(cursor.advance())?;
        }
        Ok(Self { plan, prefix: Bytes::copy_from_slice(prefix), cursors, failed: false })
    }

    fn next_row(&mut self) -> Result<Option<(Bytes, Row)>> {
        loop {
            let Some(next) = self.cursors.iter().filter_map(|cursor| cursor.at.as_ref()).min()
            else {
                return Ok(None);
            };
            let next = next.clone();
            for cursor in &mut self.cursors {
                while cursor.at.as_ref() == Some(&next) {
                    self.plan.state.monitor.watched(cursor.advance())?;
                }
            }
            let (_, entity) = next;
            if !entity.starts_with(&self.prefix) {
                continue;
            }
            let row = read_row(&self.plan, &entity)?;
            if row.answers.iter().any(|answer| answer.status() != Status::Missing) {
                return Ok(Some((entity, row)));
            }
        }
    }
}

impl Iterator for Scan {
    type Item = Result<(Bytes, Row)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_row();
        self.failed = next.is_err();
        next.transpose()
    }
}
