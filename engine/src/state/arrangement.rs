//! How the tables of a store are arranged: recent, present, past.
//!
//! ```text
//! recent    flushed tables, the newest first; they may overlap
//! present   tables ascending by hash; no two hold the same entity
//! past      runs, the newest window first; a run is arranged as the present is
//! ```
//!
//! A look-up needs one table of the present and one of each run. Which of them it may pass over is
//! told by the bounds that stand with each table, never by where it stands.

use asofdb_format::edit::{Level, Past};
use asofdb_format::hash::EntityHash;
use asofdb_format::ids::{Commit, EventTime, FileNumber};

use crate::files::table::Table;
use crate::sync::Shared;

/// The tables of a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrangement {
    recent: Vec<Shared<Table>>,
    present: Vec<Shared<Table>>,
    past: Vec<Run>,
}

/// Tables of the past that belong together.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) number: u64,
    /// The first and the last moment of its window.
    pub(crate) window: (EventTime, EventTime),
    pub(crate) tables: Vec<Shared<Table>>,
}

impl Arrangement {
    /// Arranges tables.
    pub(crate) fn of(tables: impl IntoIterator<Item = Shared<Table>>) -> Self {
        let mut arranged = Self::default();
        for table in tables {
            match table.entry.level {
                Level::Recent => arranged.recent.push(table),
                Level::Present => arranged.present.push(table),
                Level::Past(Past { run: number, window, .. }) => {
                    let same = |run: &&mut Run| run.number == number && run.window == window;
                    match arranged.past.iter_mut().find(same) {
                        Some(run) => run.tables.push(table),
                        None => arranged.past.push(Run { number, window, tables: vec![table] }),
                    }
                }
            }
        }
        arranged.recent.sort_unstable_by_key(|table| std::cmp::Reverse(table.entry.number));
        arranged.present.sort_unstable_by_key(|table| table.entry.min_hash);
        for run in &mut arranged.past {
            run.tables.sort_unstable_by_key(|table| table.entry.min_hash);
        }
        arranged.past.sort_unstable_by_key(|run| std::cmp::Reverse((run.window.1, run.number)));
        arranged
    }

    /// The same without some tables, and with others.
    pub(crate) fn replaced(&self, out: &[FileNumber], new: &[Shared<Table>]) -> Self {
        let stays = |table: &&Shared<Table>| !out.contains(&table.entry.number);
        Self::of(self.all().filter(stays).chain(new).cloned())
    }

    /// A table that shares a hash with another of the present, or of its run.
    pub(crate) fn overlapping(&self) -> Option<&Shared<Table>> {
        let runs = self.past.iter().map(|run| &run.tables);
        runs.chain([&self.present]).find_map(|tables| {
            tables.windows(2).find_map(|pair| match pair {
                [a, b] if a.entry.max_hash >= b.entry.min_hash => Some(b),
                _ => None,
            })
        })
    }

    /// The tables that may hold an entity of this hash: recent ones first, then the present, then
    /// the past.
    #[inline]
    pub(crate) fn tables_of(&self, hash: EntityHash) -> impl Iterator<Item = &Shared<Table>> {
        let covers = move |table: &&Shared<Table>| covers(table, hash);
        let past = self.past.iter().filter_map(move |run| find(&run.tables, hash));
        self.recent.iter().filter(covers).chain(find(&self.present, hash)).chain(past)
    }

    /// The one table that may hold an entity of this hash, if any does; `None` if several may.
    #[inline]
    pub(crate) fn only_table_of(&self, hash: EntityHash) -> Option<Option<&Table>> {
        let is_settled = self.recent.is_empty() && self.past.is_empty();
        is_settled.then(|| find(&self.present, hash).map(|table| &**table))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Shared<Table>> {
        let past = self.past.iter().flat_map(|run| &run.tables);
        self.recent.iter().chain(&self.present).chain(past)
    }

    pub(crate) fn recent(&self) -> &[Shared<Table>] {
        &self.recent
    }

    pub(crate) fn present(&self) -> &[Shared<Table>] {
        &self.present
    }

    pub(crate) fn past(&self) -> &[Run] {
        &self.past
    }
}

fn covers(table: &Table, hash: EntityHash) -> bool {
    table.entry.min_hash <= hash && hash <= table.entry.max_hash
}

/// The one of tables that share no hash that may hold this one.
#[inline]
fn find(tables: &[Shared<Table>], hash: EntityHash) -> Option<&Shared<Table>> {
    let place = tables.partition_point(|table| table.entry.max_hash < hash);
    tables.get(place).filter(|table| covers(table, hash))
}

/// Whether something newer stands before all that a table of the past holds, for whoever asks about
/// this moment or a later one and sees this commit or a later one. A revert may have taken away
/// what stood before it: then nothing is known, if the revert is newer than the table.
#[inline]
pub(crate) fn is_superseded(
    past: &Past,
    asked: EventTime,
    seen_from: Commit,
    newest_revert: Commit,
) -> bool {
    past.superseded <= asked && past.superseded.0 <= seen_from.0 && newest_revert <= past.made
}
