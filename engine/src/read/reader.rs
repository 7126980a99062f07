//! Rows into columns that the caller keeps: the door for serving.
//!
//! What does not depend on the entity is kept from read to read ([`ready`](crate::read::ready)).
//! Nothing is pinned between two calls: an idle reader keeps no file.

use std::sync::Arc;

use asofdb_format::hash::EntityHash;

use crate::files::table::Table;
use crate::metrics::{Lookup, Visits};
use crate::read::asked::Asked;
use crate::read::direct::{RowRoom, answer_row, put};
use crate::read::how::Read;
use crate::read::plan::Plan;
use crate::read::ready::Ready;
use crate::read::resolve::View;
use crate::read::row::{Looked, look};
use crate::read::selection::Selection;
use crate::read::several::{Room, Several};
use crate::state::live::{Keeper, State};
use crate::types::answer::Stamp;
use crate::types::cells::{Cells, RowCells};
use crate::types::error::Result;
use crate::types::spec::Feature;

/// Reads rows of the same features again and again; see [`Store::reader`](crate::Store::reader).
///
/// It belongs to one thread at a time; every thread makes its own.
#[derive(Debug)]
pub struct RowReader {
    keeper: Arc<Keeper>,
    features: Selection,
    ready: Option<Ready>,
    cells: Cells,
    room: Room,
}

impl RowReader {
    pub(crate) fn new(keeper: &Arc<Keeper>, features: &Selection) -> Self {
        let cells = Cells::new(features.features().iter().map(|feature| feature.value_type));
        Self {
            keeper: Arc::clone(keeper),
            room: Room { row: RowRoom::default(), spare: cells.clone() },
            cells,
            features: features.clone(),
            ready: None,
        }
    }

    /// The features, in the order of the cells.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        self.features.features()
    }

    /// The features of one entity: row 0 of the cells.
    ///
    /// # Errors
    /// As [`Store::read_row`](crate::Store::read_row).
    #[inline]
    pub fn read(&mut self, entity: impl AsRef<[u8]>, read: &Read) -> Result<&Cells> {
        self.read_all(std::slice::from_ref(&entity), read)
    }

    /// The features of many entities, a row each, all at one moment and commit.
    ///
    /// # Errors
    /// As [`Store::read_row`](crate::Store::read_row).
    pub fn read_all<E: AsRef<[u8]>>(&mut self, entities: &[E], read: &Read) -> Result<&Cells> {
        let Self { keeper, features, ready, cells, room } = self;
        keeper.check_open()?;
        cells.make_room(entities.len());
        let answered = keeper.glance(|state| {
            let stamp = Stamp { now: keeper.now(), commit: state.visible() };
            let asked = ready.as_mut()?.current(state, stamp, read)?;
            Some(answer(state, asked, stamp, read, entities, cells, room))
        });
        match answered {
            Some(answered) => answered?,
            None => {
                let plan = Plan::new(keeper, features, read)?;
                *ready = Ready::of(&plan, features, read);
                let mut asked = Asked::new(plan.asks);
                answer(&plan.state, &mut asked, plan.stamp, read, entities, cells, room)?;
            }
        }
        Ok(cells)
    }
}

fn answer<E: AsRef<[u8]>>(
    state: &State,
    asked: &mut Asked,
    stamp: Stamp,
    read: &Read,
    entities: &[E],
    cells: &mut Cells,
    room: &mut Room,
) -> Result<()> {
    cells.stamp = stamp;
    let taken = &*state.taken;
    for (row, entity) in entities.iter().enumerate() {
        let entity = entity.as_ref();
        let view = View::of(taken, entity, stamp.commit, read.known_at);
        let mut visits = Visits::new();
        let mut out = cells.row_mut(row);
        let answered = answer_one(state, asked, &view, entity, &mut visits, &mut out, room);
        state.monitor.watched(answered)?;
        state.monitor.reads.count(Lookup::Row, asked.len(), &visits);
    }
    Ok(())
}

#[inline]
fn answer_one(
    state: &State,
    asked: &mut Asked,
    view: &View<'_>,
    entity: &[u8],
    visits: &mut Visits,
    out: &mut RowCells<'_>,
    room: &mut Room,
) -> Result<()> {
    let hash = EntityHash::of(entity);
    let looked = match only_table(state, hash) {
        Some(only) => look_in_one(only, hash, entity, asked, view, visits)?,
        None => None,
    };
    match looked {
        Some(Looked::One(row)) => {
            visits.open_history(answer_row(&row, asked, view, &mut room.row, out)?);
            return Ok(());
        }
        Some(_) => {
            out.clear();
            return Ok(());
        }
        None => *visits = Visits::new(),
    }
    let mut several = Several { asked, view, hash, entity, visits, out, room };
    if several.answer(state)? {
        return Ok(());
    }
    *visits = Visits::new();
    out.clear();
    match look(state, hash, entity, asked.each(), view, visits)? {
        Looked::Nothing => {}
        Looked::One(row) => {
            visits.open_history(answer_row(&row, asked, view, &mut room.row, out)?);
        }
        Looked::Best(best) => {
            for (ask, found) in asked.each().iter().zip(best) {
                if let Some(found) = found {
                    put(ask, &found.version(), out)?;
                }
            }
        }
    }
    Ok(())
}

/// The table that alone may hold entities of a hash, if there is one at most: `None` if there may be
/// several sources.
#[inline]
fn only_table(state: &State, hash: EntityHash) -> Option<Option<&Table>> {
    let is_empty = state.memtables.iter().all(|memtable| memtable.revisions() == 0);
    if is_empty { state.tables.only_table_of(hash) } else { None }
}

/// Looks an entity up where no other source has to be compared with; `None` if it has several rows.
#[inline]
fn look_in_one<'s>(
    table: Option<&'s Table>,
    hash: EntityHash,
    entity: &[u8],
    asked: &Asked,
    view: &View<'_>,
    visits: &mut Visits,
) -> Result<Option<Looked<'s>>> {
    let Some(table) = table else { return Ok(Some(Looked::Nothing)) };
    visits.consider();
    if table.entry.min_commit > view.seen_from || asked.moments.1 < table.entry.min_event_time {
        visits.pass_over();
        return Ok(Some(Looked::Nothing));
    }
    let mut rows = table.rows(hash, entity)?;
    if asked.moments.0 < table.entry.max_event_time {
        rows.glance_at_history(asked.len());
    }
    let Some(row) = rows.next() else {
        visits.asked(false);
        return Ok(Some(Looked::Nothing));
    };
    let row = row?;
    Ok(if rows.next().is_none() { Some(Looked::One(row)) } else { None })
}
