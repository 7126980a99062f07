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
//! Nothing of a table is read before the newest event time that it has of the feature is reached.

use std::cell::OnceCell;
use std::cmp::Reverse;

use asofdb_format::chunk::{Chunk, Column};
use asofdb_format::hash::EntityHash;
use asofdb_format::head::Head;
use asofdb_format::ids::{EventTime, SourceId};
use asofdb_format::revision::{Order, Revision};
use asofdb_format::value::ValueType;
use asofdb_format::wire::Malformed;

use crate::files::table::{ChunkBytes, HeadRow, Table};
use crate::metrics::Visits;
use crate::read::plan::{Ask, Plan};
use crate::read::resolve::View;
use crate::read::source::{Beside, Content, Found, column_content, head_content};
use crate::state::memtable::NewestFirst;
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

/// Hands out the winning revision of each version that is wanted; whether older ones were left because
/// the base was reached.
pub(crate) fn each_version<'p>(
    plan: &'p Plan,
    ask: &Ask,
    entity: &[u8],
    wanted: Wanted,
    visits: &mut Visits,
    mut each: impl FnMut(&mut Cursor<'_, 'p>) -> Result<()>,
) -> Result<bool> {
    let (hash, view) = (EntityHash::of(entity), plan.view(entity));
    // What is forgotten does not exist, so it is not even a base.
    let from = wanted.from.max(ask.terms.forgotten.unwrap_or(EventTime::MIN));
    let mut cursors = Vec::new();
    for memtable in &plan.state.memtables {
        if memtable.revisions() == 0 {
            continue;
        }
        visits.consider();
        let node = memtable.find(hash, entity);
        visits.asked(node.is_some());
        if let Some(feature) = node.and_then(|node| node.feature(ask.feature)) {
            let rest = feature.newest_first(ask.t);
            cursors.extend(InMemory::first(rest, &view).map(Cursor::Memory));
        }
    }
    // With the newest event time of the feature in each.
    let mut tables: Vec<(EventTime, &'p Table)> = Vec::new();
    for table in plan.state.tables.tables_of(hash) {
        visits.consider();
        let feature = table.meta.features.get(&ask.feature);
        let feature = feature.filter(|feature| feature.oldest <= ask.t && feature.newest >= from);
        match feature.filter(|_| table.entry.min_commit <= view.seen_from) {
            Some(feature) => tables.push((feature.newest, table)),
            None => visits.pass_over(),
        }
    }
    tables.sort_by_key(|(newest, _)| Reverse(*newest));
    let slots: Vec<OnceCell<Rows<'p>>> = tables.iter().map(|_| OnceCell::new()).collect();
    let mut closed = tables.iter().zip(&slots).peekable();
    let (mut count, mut last) = (0, None);
    let is_base =
        |last: Option<EventTime>| last.zip(wanted.base).is_some_and(|(t, base)| t <= base);
    while count < wanted.most && !is_base(last) {
        let best = newest(&cursors)?;
        let top = best.map_or(EventTime::MIN, |(event_time, _)| event_time);
        if let Some(((_, table), slot)) = closed.next_if(|((newest, _), _)| *newest >= top) {
            let rows = Rows::of(table, hash, entity, &view)?;
            visits.asked(!rows.is_empty());
            for row in slot.get_or_init(|| rows).each() {
                cursors.extend(InTable::first(row, ask, &view)?.map(Cursor::Table));
            }
            continue;
        }
        let Some((event_time, best)) = best.filter(|(event_time, _)| *event_time >= from) else {
            break;
        };
        if let Some(best) = cursors.get_mut(best) {
            each(best)?;
        }
        (count, last) = (count + 1, Some(event_time));
        if count == wanted.most {
            // Older versions need not be decoded.
            break;
        }
        let mut place = 0;
        while let Some(cursor) = cursors.get_mut(place) {
            if cursor.event_time() == event_time && !cursor.advance(ask, &view)? {
                cursors.swap_remove(place);
            } else {
                place += 1;
            }
        }
    }
    closed.for_each(|_| visits.pass_over());
    for row in slots.iter().filter_map(OnceCell::get).flat_map(Rows::each) {
        visits.open_history(row.chunk.get().is_some_and(Option::is_some));
    }
    Ok(is_base(last) && count < wanted.most)
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

/// The rows that a table has of an entity, mostly one.
#[derive(Debug)]
struct Rows<'p> {
    first: Option<Row<'p>>,
    more: Vec<Row<'p>>,
}

/// One of them, and its chunk once that was read; `None`: there is none.
#[derive(Debug)]
struct Row<'p> {
    row: HeadRow<'p>,
    sees_all: bool,
    chunk: OnceCell<Option<ChunkBytes<'p>>>,
}

impl<'p> Rows<'p> {
    fn of(table: &'p Table, hash: EntityHash, entity: &[u8], view: &View<'_>) -> Result<Self> {
        let sees_all = view.sees_all(&table.top_order());
        let mut rows = table.rows(hash, entity)?.map(|row| {
            let row = row?;
            Ok(Row { row, sees_all, chunk: OnceCell::new() })
        });
        let first = rows.next().transpose()?;
        Ok(Self { first, more: rows.collect::<Result<_>>()? })
    }

    fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    fn each(&self) -> impl Iterator<Item = &Row<'p>> {
        self.first.iter().chain(&self.more)
    }
}

/// Where one source stands: at a revision that the read sees.
#[expect(clippy::large_enum_variant, reason = "there are few, and each is made once a read")]
pub(crate) enum Cursor<'h, 'p> {
    Memory(InMemory<'p>),
    Table(InTable<'h, 'p>),
}

impl<'p> Cursor<'_, 'p> {
    /// When it became true.
    #[inline]
    pub(crate) fn event_time(&self) -> EventTime {
        match self {
            Self::Memory(memory) => memory.now.order.event_time,
            Self::Table(table) => table.event_time,
        }
    }

    fn order(&self) -> Result<Order> {
        match self {
            Self::Memory(memory) => Ok(memory.now.order),
            Self::Table(table) => table.order(),
        }
    }

    /// What it says.
    #[inline]
    pub(crate) fn content(&mut self, value_type: ValueType) -> Result<Content<'p>> {
        match self {
            Self::Memory(memory) => Ok(Content::of(memory.now.kind, memory.now.payload.clone())),
            Self::Table(table) => table.content(value_type),
        }
    }

    /// All of it.
    pub(crate) fn found(&mut self, value_type: ValueType) -> Result<Found<'p>> {
        let source = match self {
            Self::Memory(memory) => memory.now.source,
            Self::Table(table) => table.source(),
        };
        Ok(Found { order: self.order()?, source, content: self.content(value_type)? })
    }

    /// Goes on to the next older version; `false`: there is none.
    #[inline]
    fn advance(&mut self, ask: &Ask, view: &View<'_>) -> Result<bool> {
        match self {
            Self::Memory(memory) => Ok(memory.advance(view)),
            Self::Table(table) => table.advance(ask, view),
        }
    }
}

/// A memtable's revisions of the feature.
#[derive(Debug)]
pub(crate) struct InMemory<'p> {
    now: Revision,
    rest: NewestFirst<'p>,
}

impl<'p> InMemory<'p> {
    fn first(mut rest: NewestFirst<'p>, view: &View<'_>) -> Option<Self> {
        let sees = |revision: &Revision| view.sees(&revision.order, || revision.source);
        let now = rest.by_ref().map(|(_, revision)| revision).find(sees)?;
        Some(Self { now, rest })
    }

    fn advance(&mut self, view: &View<'_>) -> bool {
        let passed = self.now.order.event_time;
        let mut rest = self.rest.by_ref().map(|(_, revision)| revision);
        let next = rest.find(|revision| {
            revision.order.event_time != passed && view.sees(&revision.order, || revision.source)
        });
        next.map(|next| self.now = next).is_some()
    }
}

/// A row's revisions of the feature: the newest in its head, the others in a column of its chunk.
pub(crate) struct InTable<'h, 'p> {
    row: &'h Row<'p>,
    head: Head<'h>,
    /// Of the feature in the head.
    place: usize,
    event_time: EventTime,
    /// Once the newest was passed.
    older: Option<Older<'h, 'p>>,
}

/// A column, and which of its revisions is looked at.
struct Older<'h, 'p> {
    bytes: &'h ChunkBytes<'p>,
    column: Column<'h>,
    values: Beside<'h>,
    index: usize,
}

impl<'h, 'p> InTable<'h, 'p> {
    fn first(row: &'h Row<'p>, ask: &Ask, view: &View<'_>) -> Result<Option<Self>> {
        let head = row.row.head()?;
        let Ok(place) = head.find(ask.feature, 0) else { return Ok(None) };
        let event_time = head.event_time(place);
        let mut first = Self { row, head, place, event_time, older: None };
        let is_seen =
            event_time <= ask.t && (row.sees_all || view.sees(&first.order()?, || first.source()));
        Ok(if is_seen || first.go_on(None, ask, view)? { Some(first) } else { None })
    }

    #[inline]
    fn advance(&mut self, ask: &Ask, view: &View<'_>) -> Result<bool> {
        self.go_on(Some(self.event_time), ask, view)
    }

    /// Goes on to the next revision that is seen and of another event time.
    fn go_on(&mut self, passed: Option<EventTime>, ask: &Ask, view: &View<'_>) -> Result<bool> {
        if self.older.is_none() {
            self.older = Older::of(self.row, &self.head, ask)?;
        }
        let Some(older) = &mut self.older else { return Ok(false) };
        while let Some(index) = older.index.checked_sub(1) {
            older.index = index;
            let event_time = older.column.event_time(index);
            if passed == Some(event_time) {
                continue;
            }
            let column = &older.column;
            if self.row.sees_all
                || view.sees(&column.order_at(index, event_time), || column.source(index))
            {
                self.event_time = event_time;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn order(&self) -> Result<Order> {
        match &self.older {
            Some(older) => Ok(older.column.order_at(older.index, self.event_time)),
            None => self.row.row.order(&self.head, self.place),
        }
    }

    fn source(&self) -> SourceId {
        match &self.older {
            Some(older) => older.column.source(older.index),
            None => self.head.source(self.place),
        }
    }

    #[inline]
    fn content(&mut self, value_type: ValueType) -> Result<Content<'p>> {
        let table = self.row.row.table;
        match &mut self.older {
            Some(Older { bytes, column, values, index }) => {
                let content = column_content(table, bytes, column, values, *index);
                content.map_err(|fault| table.corrupt(bytes.start, &fault))
            }
            None => head_content(&self.row.row, &self.head, self.place, value_type),
        }
    }
}

impl<'h, 'p> Older<'h, 'p> {
    /// Behind the newest revision up to the ask's moment; `None`: the row has none in its chunk.
    fn of(row: &'h Row<'p>, head: &Head<'_>, ask: &Ask) -> Result<Option<Self>> {
        let bytes = match row.chunk.get() {
            Some(bytes) => bytes,
            None => {
                let bytes = row.row.chunk(head)?;
                row.chunk.get_or_init(|| bytes)
            }
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let table = row.row.table;
        let malformed = |fault: Malformed| table.corrupt(bytes.start, &fault);
        let chunk = Chunk::decode(&bytes.bytes).map_err(malformed)?;
        let Ok(place) = chunk.find(ask.feature, 0) else { return Ok(None) };
        let column = chunk.column(place, table.timeline()?).map_err(malformed)?;
        let values = Beside::of(&column).map_err(malformed)?;
        let index = column.up_to(ask.t);
        Ok(Some(Self { bytes, column, values, index }))
    }
}
