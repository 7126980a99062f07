//! The versions of one feature of one entity, from all sources side by side, newest first.
//!
//! Each source is gone through by a cursor. The one that stands at the newest event time is next; where
//! several stand at the same, the whole order tells. Commits and known times are looked at only for
//! that, or where the read does not see all of a source.
//!
//! ```text
//! memtable   9  7        cursor at 9
//! table      8  7  3     cursor at 8           versions: 9 8 7 (the better of two) 3 ...
//! table      2  1        not opened before a version of 2 or less is wanted
//! ```
//!
//! Nothing of a table is believed before the newest event time that it has of the feature is reached:
//! lines of one are only looked at ahead. What one source has before another has its turn is a
//! [`Run`]: above 9, 8, 7, 3, and 2 with all that follows.

mod cursor;

use std::cell::OnceCell;
use std::cmp::Reverse;

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::EventTime;

use crate::files::table::Table;
use crate::metrics::Visits;
use crate::read::history::cursor::{Cursor, InMemory, InTable, Rows};
use crate::read::plan::Ask;
use crate::read::resolve::View;
use crate::read::source::LastBlock;
use crate::state::live::State;
use crate::types::error::Result;

/// Which versions are wanted: newest first, up to the ask's moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// None older than this.
    pub(crate) from: EventTime,
    /// No more than so many.
    pub(crate) most: usize,
    /// None older than the first that lies at or before this, itself included.
    pub(crate) base: Option<EventTime>,
}

/// Hands out the winning revision of each version that is wanted, run by run; whether older ones were
/// left because the base was reached. Who is handed a run takes all of it.
pub(crate) fn each_version<'p>(
    state: &'p State,
    view: &View<'_>,
    ask: &Ask,
    entity: &[u8],
    wanted: Wanted,
    visits: &mut Visits,
    mut each: impl FnMut(&mut Run<'_, '_, 'p>) -> Result<()>,
) -> Result<bool> {
    let hash = EntityHash::of(entity);
    // What is forgotten does not exist, so it is not even a base.
    let from = wanted.from.max(ask.terms.forgotten.unwrap_or(EventTime::MIN));
    let mut tables: Vec<Ahead<'p>> = Vec::new();
    for table in state.tables.tables_of(hash) {
        visits.consider();
        let feature = table.meta.features.get(&ask.feature);
        let feature = feature.filter(|feature| feature.oldest <= ask.t && feature.newest >= from);
        match feature.filter(|_| table.entry.min_commit <= view.seen_from) {
            Some(feature) => {
                tables.push(Ahead { newest: feature.newest, table, rows: OnceCell::new() });
            }
            None => visits.pass_over(),
        }
    }
    tables.sort_by_key(|ahead| Reverse(ahead.newest));
    if wanted.most > 0 {
        glance(state, tables.first().map(|ahead| ahead.table), hash);
    }
    // Mostly there is one, and it is large.
    let mut cursors = Vec::with_capacity(1);
    for memtable in &state.memtables {
        if memtable.revisions() == 0 {
            continue;
        }
        visits.consider();
        let node = memtable.find(hash, entity);
        visits.asked(node.is_some());
        if let Some(feature) = node.and_then(|node| node.feature(ask.feature)) {
            let rest = feature.newest_first(ask.t);
            cursors.extend(InMemory::first(rest, view).map(Cursor::Memory));
        }
    }
    let mut closed = tables.iter().peekable();
    let mut bounds =
        Bounds { from, others: None, left: wanted.most, base: wanted.base, is_base: false };
    while !bounds.is_over() {
        let best = newest(&cursors)?;
        let top = best.map_or(EventTime::MIN, |(event_time, _)| event_time);
        if let Some(next) = closed.next_if(|ahead| ahead.newest >= top) {
            let rows = Rows::of(next.table, hash, entity, view)?;
            visits.asked(!rows.is_empty());
            for row in next.rows.get_or_init(|| rows).each() {
                InTable::add_first(row, ask, view, &mut cursors)?;
            }
            continue;
        }
        let Some((event_time, best)) = best.filter(|(event_time, _)| *event_time >= from) else {
            break;
        };
        bounds.others = closed.peek().map(|ahead| ahead.newest);
        for (place, cursor) in cursors.iter().enumerate() {
            let event_time = Some(cursor.event_time()).filter(|_| place != best);
            bounds.others = bounds.others.max(event_time);
        }
        let Some(cursor) = cursors.get_mut(best) else { break };
        let mut run = Run { cursor, ask, view, bounds, has_begun: false, is_left: true };
        each(&mut run)?;
        let is_left = run.is_left;
        bounds = run.bounds;
        if !is_left {
            cursors.swap_remove(best);
        }
        // Others that have this version, too.
        let at_it = bounds.others == Some(event_time);
        let mut place = 0;
        while let Some(cursor) = cursors.get_mut(place).filter(|_| at_it) {
            if cursor.event_time() == event_time && !cursor.advance(ask, view)? {
                cursors.swap_remove(place);
            } else {
                place += 1;
            }
        }
    }
    closed.for_each(|_| visits.pass_over());
    for row in tables.iter().filter_map(|ahead| ahead.rows.get()).flat_map(Rows::each) {
        visits.open_history(row.chunk.get().is_some_and(Option::is_some));
    }
    Ok(bounds.is_base && bounds.left > 0)
}

/// A table that may have versions that are wanted.
#[derive(Debug)]
struct Ahead<'p> {
    /// The newest event time of the feature in it.
    newest: EventTime,
    table: &'p Table,
    /// What it has of the entity, once it was opened.
    rows: OnceCell<Rows<'p>>,
}

/// So many memtables are looked at before anything is asked.
const GLANCED: usize = 2;

/// Looks side by side at what memtables will be asked for, and the table that has the newest.
#[inline]
fn glance(state: &State, table: Option<&Table>, hash: EntityHash) {
    let bounds = table.map(|table| table.glance_at_bucket(hash)).unwrap_or_default();
    let memtables = || state.memtables.iter().filter(|memtable| memtable.revisions() > 0);
    let mut places = [0; GLANCED];
    for (place, memtable) in places.iter_mut().zip(memtables()) {
        *place = memtable.first_of(hash);
    }
    let mut seen = table.map_or(0, |table| table.glance_at_row(hash, bounds, 1, true));
    for (place, memtable) in places.into_iter().zip(memtables()) {
        seen ^= memtable.fetch(place, 1);
    }
    std::hint::black_box(seen);
}

/// How far the versions of one source go on.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// None older than this.
    from: EventTime,
    /// The newest that another source has, or may have.
    others: Option<EventTime>,
    /// No more than so many.
    left: usize,
    /// None older than the first that lies at or before this.
    base: Option<EventTime>,
    /// That one was handed out.
    is_base: bool,
}

impl Bounds {
    /// Nothing more is wanted.
    #[inline]
    const fn is_over(&self) -> bool {
        self.left == 0 || self.is_base
    }

    /// Whether the next version of the same source is the next of all.
    #[inline]
    fn hold(&self, event_time: EventTime) -> bool {
        event_time >= self.from && Some(event_time) > self.others
    }

    /// A version was handed out.
    #[inline]
    fn pass(&mut self, event_time: EventTime) {
        self.left -= 1;
        self.is_base = self.base.is_some_and(|base| event_time <= base);
    }
}

/// The versions that one source has before another has its turn.
pub(crate) struct Run<'r, 'h, 'p> {
    cursor: &'r mut Cursor<'h, 'p>,
    ask: &'r Ask,
    view: &'r View<'r>,
    bounds: Bounds,
    has_begun: bool,
    /// The source has more, whose turn it may be later.
    is_left: bool,
}

impl<'h, 'p> Run<'_, 'h, 'p> {
    /// The next version; `None`: there is none, or it is another source's turn, and the run is over.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<&mut Cursor<'h, 'p>>> {
        if self.bounds.is_over() {
            // Older versions need not be decoded.
            return Ok(None);
        }
        if self.has_begun {
            self.is_left = self.cursor.advance(self.ask, self.view)?;
            if !self.is_left || !self.bounds.hold(self.cursor.event_time()) {
                return Ok(None);
            }
        }
        self.has_begun = true;
        self.bounds.pass(self.cursor.event_time());
        Ok(Some(self.cursor))
    }

    /// Goes on from the version that was handed out last, to the end of its block of texts, bytes or
    /// vectors, and hands out their bytes as long as they are taken; all else is told by [`Run::next`].
    #[inline]
    pub(crate) fn rest_of_block(
        &mut self,
        last: &mut LastBlock,
        mut each: impl FnMut(EventTime, &[u8]) -> bool,
    ) -> Result<()> {
        let bounds = &mut self.bounds;
        let Cursor::Table(table) = &mut *self.cursor else { return Ok(()) };
        if bounds.is_over() {
            return Ok(());
        }
        table.rest_of_block(last, |event_time, raw| {
            let is_next = !bounds.is_over() && bounds.hold(event_time) && each(event_time, raw);
            if is_next {
                bounds.pass(event_time);
            }
            is_next
        })
    }
}

/// The cursor that stands at the newest revision of all, and its event time.
#[inline]
fn newest(cursors: &[Cursor<'_, '_>]) -> Result<Option<(EventTime, usize)>> {
    let mut best: Option<(EventTime, usize, &Cursor<'_, '_>)> = None;
    for (place, cursor) in cursors.iter().enumerate() {
        let event_time = cursor.event_time();
        let is_better = match &best {
            None => true,
            Some((than, ..)) if event_time != *than => event_time > *than,
            Some((.., other)) => cursor.order()? > other.order()?,
        };
        if is_better {
            best = Some((event_time, place, cursor));
        }
    }
    Ok(best.map(|(event_time, place, _)| (event_time, place)))
}
