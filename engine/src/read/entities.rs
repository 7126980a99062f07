//! The entities of some sources, each once, in the order of their hashes.

use asofdb_format::hash::EntityHash;
use bytes::Bytes;

use crate::files::table::Table;
use crate::state::live::State;
use crate::state::memtable::Memtable;
use crate::sync::Shared;
use crate::types::error::Result;

/// Walks over the entities of memtables and tables; memory stays bounded by the memtables.
#[derive(Debug)]
pub(crate) struct Entities {
    cursors: Vec<Cursor>,
}

/// Where the walk stands in one source.
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

impl Entities {
    /// Those of the memtables and tables that are wanted; of memtables only entities that begin
    /// with `prefix`.
    pub(crate) fn new(
        state: &State,
        prefix: &[u8],
        memtable_wanted: impl Fn(&Memtable) -> bool,
        table_wanted: impl Fn(&Table) -> bool,
    ) -> Result<Self> {
        let tables = state.tables.all().filter(|table| table_wanted(table));
        let tables = tables.map(|table| Rest::Table(Shared::clone(table), 0));
        let memtables = state.memtables.iter().filter(|memtable| memtable_wanted(memtable));
        let memtables = memtables.map(|memtable| {
            let keys: Vec<_> = memtable
                .entities()
                .iter()
                .map(|node| (node.hash(), node.entity()))
                .filter(|(_, entity)| entity.starts_with(prefix))
                .collect();
            Rest::Memtable(keys.into_iter())
        });
        let mut cursors: Vec<Cursor> =
            memtables.chain(tables).map(|rest| Cursor { rest, at: None }).collect();
        for cursor in &mut cursors {
            cursor.advance()?;
        }
        Ok(Self { cursors })
    }

    /// The next entity.
    pub(crate) fn next_entity(&mut self) -> Result<Option<Bytes>> {
        let Some(next) = self.cursors.iter().filter_map(|cursor| cursor.at.as_ref()).min() else {
            return Ok(None);
        };
        let next = next.clone();
        for cursor in &mut self.cursors {
            while cursor.at.as_ref() == Some(&next) {
                cursor.advance()?;
            }
        }
        Ok(Some(next.1))
    }
}
