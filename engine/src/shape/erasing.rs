//! The work of erases: what they took away goes from memory, logs and tables.
//!
//! An erase is *pending* until the manifest says that its work is done. What was written before it
//! lies in memtables and logs that began before it, and in tables that say so by their least
//! commit; the directory of a table tells whether it has the entity. Tables that have something of
//! it are rewritten each by itself, as compaction would, and no other is touched.
//!
//! Merges drop what was erased whenever they meet it, and no merge is under way during the work,
//! so nothing can bring back what was looked through once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asofdb_format::edit::Edit;
use asofdb_format::hash::{EntityHash, EraseKey, ErasedEntity};
use asofdb_format::ids::{Commit, EventTime, FileNumber, Span};
use bytes::Bytes;

use crate::files::scan::TableScan;
use crate::files::table::Table;
use crate::shape::compact;
use crate::state::live::{Keeper, State};
use crate::state::memtable::Memtable;
use crate::sync::Shared;
use crate::types::error::Result;

/// Entities by their keyed hashes, each with the commit of its newest erase.
pub(crate) type Erases = BTreeMap<ErasedEntity, Commit>;

/// When the work of the pending erases is to begin: at half of the oldest one's deadline, so that
/// many erases share the rewriting of a table.
pub(crate) fn due(keeper: &Keeper) -> Option<EventTime> {
    let state = keeper.state();
    let pending = state.taken.erased.values().filter(|commit| **commit > state.taken.done);
    let oldest = EventTime(pending.min()?.0);
    let half = Span::from_micros(keeper.options.erase_deadline.micros() / 2);
    Some(oldest.saturating_add(half.unwrap_or(Span::ZERO)))
}

/// Whether a memtable, and so its log, has anything from before a commit.
pub(crate) fn is_in_memory(state: &State, before: Commit) -> bool {
    state.memtables.iter().any(|memtable| has_any_before(memtable, before))
}

/// Whether a memtable holds a revision of a batch from before a commit, or may.
pub(crate) fn has_any_before(memtable: &Memtable, before: Commit) -> bool {
    memtable.revisions() > 0 && memtable.oldest().is_some_and(|oldest| oldest < before)
}

/// Rewrites each table that holds what these erases take away; which they were. One caller at a
/// time, and no compaction beside it.
pub(crate) fn rewrite(keeper: &Keeper, erases: &Erases) -> Result<BTreeSet<FileNumber>> {
    let state = keeper.state();
    let key = state.taken.key;
    let tables: Vec<Shared<Table>> = state.tables.all().cloned().collect();
    // Or the rewriting itself would hold what it replaces.
    drop(state);
    let names = keeper.erasing.names();
    let mut rewritten = BTreeSet::new();
    for table in tables {
        if (Search { table: &table, key, erases, names: &names }).finds_something()? {
            rewritten.insert(table.entry.number);
            compact::rewrite(keeper, table)?;
        }
    }
    Ok(rewritten)
}

/// Makes it durable that no file holds what the erases up to a commit take away, in a new
/// manifest: the old one tells least and greatest hashes of tables that are gone.
pub(crate) fn record_done(keeper: &Keeper, up_to: Commit) -> Result<()> {
    keeper.change(
        |_| Ok(vec![Edit::ErasesDone(up_to)]),
        |state, durable| state.taken = Arc::new(durable.taken.clone()),
    )?;
    keeper.renew_manifest()
}

/// Forgets the names of entities whose erase is done.
pub(crate) fn forget_names(keeper: &Keeper) {
    let state = keeper.state();
    let is_done = |entity: &ErasedEntity| {
        state.taken.erased.get(entity).is_none_or(|commit| *commit <= state.taken.done)
    };
    keeper.erasing.forget(is_done);
}

/// Looks through a table for what erases take away.
struct Search<'s> {
    table: &'s Shared<Table>,
    key: EraseKey,
    erases: &'s Erases,
    names: &'s BTreeMap<ErasedEntity, Bytes>,
}

impl Search<'_> {
    fn finds_something(&self) -> Result<bool> {
        let entry = &self.table.entry;
        let erases: Erases = self
            .erases
            .iter()
            .filter(|(_, commit)| **commit > entry.min_commit)
            .map(|(entity, commit)| (*entity, *commit))
            .collect();
        if erases.is_empty() {
            return Ok(false);
        }
        let named = |(entity, commit): (&ErasedEntity, &Commit)| {
            let name = self.names.get(entity)?;
            Some((EntityHash::of(name), name, *commit))
        };
        match erases.iter().map(named).collect::<Option<Vec<_>>>() {
            Some(named) => self.look_up(named),
            None => self.scan(&erases),
        }
    }

    /// Asks the directory for entities whose names are known.
    fn look_up(&self, mut named: Vec<(EntityHash, &Bytes, Commit)>) -> Result<bool> {
        // In the order of the table, so that it is read forwards.
        named.sort_unstable();
        let mut scan = TableScan::whole(Shared::clone(self.table));
        for (hash, name, commit) in named {
            for row in scan.rows_of(hash)? {
                if scan.entity(row)? == *name && has_older(&mut scan, row, commit)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Hashes every entity: after an opening the names are known to nobody.
    fn scan(&self, erases: &Erases) -> Result<bool> {
        let mut scan = TableScan::whole(Shared::clone(self.table));
        for row in 0..scan.rows() {
            let entity = ErasedEntity::of(&self.key, &scan.entity(row)?);
            if let Some(commit) = erases.get(&entity)
                && has_older(&mut scan, row, *commit)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a row has a revision from before a commit: later ones are new data.
fn has_older(scan: &mut TableScan, row: usize, commit: Commit) -> Result<bool> {
    let found = scan.read_row(row)?;
    let mut revisions = found.features.iter().flat_map(|(_, revisions)| revisions);
    Ok(revisions.any(|revision| revision.order.commit < commit))
}
