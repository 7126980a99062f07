//! Where each source stands, of one feature's versions, newest first.

use std::cell::OnceCell;

use asofdb_format::chunk::{Chunk, Column, Orders};
use asofdb_format::hash::EntityHash;
use asofdb_format::head::Head;
use asofdb_format::ids::{EventTime, SourceId};
use asofdb_format::revision::Order;
use asofdb_format::value::ValueType;
use asofdb_format::wire::Malformed;

use crate::files::table::{ChunkBytes, HeadRow, Table};
use crate::read::plan::Ask;
use crate::read::resolve::View;
use crate::read::source::{Beside, Content, Found, LastBlock, column_content, head_content};
use crate::state::memtable::{Held, NewestFirst};
use crate::types::error::Result;

/// The rows that a table has of an entity, mostly one.
#[derive(Debug)]
pub(super) struct Rows<'p> {
    first: Option<Row<'p>>,
    more: Vec<Row<'p>>,
}

/// One of them, and its chunk once that was read; `None`: there is none.
#[derive(Debug)]
pub(super) struct Row<'p> {
    row: HeadRow<'p>,
    sees_all: bool,
    pub(super) chunk: OnceCell<Option<ChunkBytes<'p>>>,
}

impl<'p> Rows<'p> {
    pub(super) fn of(
        table: &'p Table,
        hash: EntityHash,
        entity: &[u8],
        view: &View<'_>,
    ) -> Result<Self> {
        let sees_all = view.sees_all(table);
        let mut rows = table.rows(hash, entity)?.map(|row| {
            let row = row?;
            Ok(Row { row, sees_all, chunk: OnceCell::new() })
        });
        let first = rows.next().transpose()?;
        Ok(Self { first, more: rows.collect::<Result<_>>()? })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &Row<'p>> {
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

    pub(super) fn order(&self) -> Result<Order> {
        match self {
            Self::Memory(memory) => Ok(memory.now.order),
            Self::Table(table) => table.order(),
        }
    }

    /// What it says.
    #[inline]
    pub(crate) fn content(&mut self, value_type: ValueType) -> Result<Content<'p>> {
        match self {
            Self::Memory(memory) => Ok(Content::of(&memory.now)),
            Self::Table(table) => table.content(value_type),
        }
    }

    /// All of it.
    pub(crate) fn found(&mut self, value_type: ValueType) -> Result<Found<'p>> {
        let source = match self {
            Self::Memory(memory) => memory.now.source,
            Self::Table(table) => table.source()?,
        };
        Ok(Found { order: self.order()?, source, content: self.content(value_type)? })
    }

    /// Goes on to the next older version; `false`: there is none.
    #[inline]
    pub(super) fn advance(&mut self, ask: &Ask, view: &View<'_>) -> Result<bool> {
        match self {
            Self::Memory(memory) => Ok(memory.advance(view)),
            Self::Table(table) => table.advance(ask, view),
        }
    }
}

/// A memtable's revisions of the feature.
#[derive(Debug)]
pub(crate) struct InMemory<'p> {
    now: Held<'p>,
    rest: NewestFirst<'p>,
    /// How many of the next were fetched ahead.
    fetched: usize,
}

/// So many versions of a memtable are fetched side by side.
const FETCHED: usize = 8;

impl<'p> InMemory<'p> {
    pub(super) fn first(mut rest: NewestFirst<'p>, view: &View<'_>) -> Option<Self> {
        let now = rest.by_ref().find(|held| view.sees(&held.order, || held.source))?;
        Some(Self { now, rest, fetched: 0 })
    }

    #[inline]
    fn advance(&mut self, view: &View<'_>) -> bool {
        let passed = self.now.order.event_time;
        if self.fetched == 0 {
            self.fetched = self.rest.fetch_ahead(FETCHED).max(1);
        }
        self.fetched -= 1;
        let next = self
            .rest
            .find(|held| held.order.event_time != passed && view.sees(&held.order, || held.source));
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
    /// Decoded when they are first asked for.
    orders: OnceCell<Orders<'h>>,
    values: Beside<'h>,
    index: usize,
}

impl<'h, 'p> InTable<'h, 'p> {
    /// Adds a cursor at the newest revision of a row that is seen, if there is one.
    // It is made where it stays: it is large.
    pub(super) fn add_first(
        row: &'h Row<'p>,
        ask: &Ask,
        view: &View<'_>,
        cursors: &mut Vec<Cursor<'h, 'p>>,
    ) -> Result<()> {
        let head = row.row.head()?;
        let Ok(place) = head.find(ask.feature, 0) else { return Ok(()) };
        let event_time = head.event_time(place);
        let is_seen = event_time <= ask.t
            && (row.sees_all || view.sees(&row.row.order(&head, place)?, || head.source(place)));
        cursors.push(Cursor::Table(Self { row, head, place, event_time, older: None }));
        if !is_seen
            && let Some(Cursor::Table(first)) = cursors.last_mut()
            && !first.go_on(None, ask, view)?
        {
            cursors.truncate(cursors.len() - 1);
        }
        Ok(())
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
            if self.row.sees_all || older.is_seen(self.row, event_time, view)? {
                self.event_time = event_time;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Hands out the bytes of the versions below the one that it stands at, which was handed out, as far
    /// as they lie in the same block and `each` takes them; it then stands at the last one.
    ///
    /// Nothing is handed out where not every revision is seen and a value: then it takes more to tell.
    #[inline]
    pub(super) fn rest_of_block(
        &mut self,
        last: &mut LastBlock,
        mut each: impl FnMut(EventTime, &[u8]) -> bool,
    ) -> Result<()> {
        let Some(older) = self.older.as_mut().filter(|_| self.row.sees_all) else { return Ok(()) };
        if !older.column.are_values() {
            return Ok(());
        }
        let (table, at) = (self.row.row.table, older.bytes.start);
        let malformed = |fault: Malformed| table.corrupt(at, &fault);
        let below = older.values.below(older.index).map_err(malformed)?;
        let Some((block, below)) = below else { return Ok(()) };
        let block = last.of(table, older.bytes.heap, &block)?;
        for next in below {
            let (index, place) = next.map_err(malformed)?;
            let event_time = older.column.event_time(index);
            if event_time != self.event_time {
                let raw = block.get(place).ok_or_else(|| malformed(OUTSIDE))?;
                if !each(event_time, raw) {
                    break;
                }
                self.event_time = event_time;
            }
            older.index = index;
        }
        Ok(())
    }

    fn order(&self) -> Result<Order> {
        match &self.older {
            Some(older) => older.order(self.row, self.event_time),
            None => self.row.row.order(&self.head, self.place),
        }
    }

    fn source(&self) -> Result<SourceId> {
        match &self.older {
            Some(older) => Ok(older.column.source(older.orders(self.row)?, older.index)),
            None => Ok(self.head.source(self.place)),
        }
    }

    #[inline]
    fn content(&mut self, value_type: ValueType) -> Result<Content<'p>> {
        let table = self.row.row.table;
        match &mut self.older {
            Some(Older { bytes, column, values, index, .. }) => {
                let content = column_content(table, bytes, column, values, *index);
                content.map_err(|fault| table.corrupt(bytes.start, &fault))
            }
            None => head_content(&self.row.row, &self.head, self.place, value_type),
        }
    }
}

impl<'h, 'p> Older<'h, 'p> {
    /// Behind the newest revision up to the ask's moment; `None`: the row has none in its chunk.
    #[inline]
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
        let column = chunk.column(place).map_err(malformed)?;
        let values = Beside::of(&column).map_err(malformed)?;
        let index = column.up_to(ask.t);
        let orders = OnceCell::new();
        if !row.sees_all {
            // Each revision will be asked about.
            let all = chunk.orders(table.timeline()?).map_err(malformed)?;
            orders.get_or_init(|| all);
        }
        Ok(Some(Self { bytes, column, orders, values, index }))
    }

    /// What tells of the revisions whether they are seen. Where all are it is seldom asked for, so that
    /// the chunk is decoded once more rather than kept.
    fn orders(&self, row: &'h Row<'p>) -> Result<&Orders<'h>> {
        if let Some(orders) = self.orders.get() {
            return Ok(orders);
        }
        let (table, bytes) = (row.row.table, self.bytes);
        let timeline = table.timeline()?;
        let orders = Chunk::decode(&bytes.bytes).and_then(|chunk| chunk.orders(timeline));
        let orders = orders.map_err(|fault| table.corrupt(bytes.start, &fault))?;
        Ok(self.orders.get_or_init(|| orders))
    }

    /// The place in the order of the revision that is looked at, by its event time.
    fn order(&self, row: &'h Row<'p>, event_time: EventTime) -> Result<Order> {
        Ok(self.column.order_at(self.orders(row)?, self.index, event_time))
    }

    /// Whether the view sees it.
    fn is_seen(&self, row: &'h Row<'p>, event_time: EventTime, view: &View<'_>) -> Result<bool> {
        let orders = self.orders(row)?;
        let order = self.column.order_at(orders, self.index, event_time);
        Ok(view.sees(&order, || self.column.source(orders, self.index)))
    }
}

const OUTSIDE: Malformed = Malformed::new(0, "a value within its block");
