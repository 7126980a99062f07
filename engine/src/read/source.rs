//! What a memtable or a table can offer: the best revision that a read sees, and what a revision says.

use std::convert::Infallible;

use asofdb_format::chunk::Column;
use asofdb_format::head::{Head, Slot};
use asofdb_format::ids::{EventTime, SourceId};
use asofdb_format::revision::Order;
use asofdb_format::value::{Kind, Value, ValueType};
use asofdb_format::values::{BackInBlock, Block, InBlock, Place, Values};
use asofdb_format::wire::{Malformed, wide};
use bytes::Bytes;

use crate::files::blocks::BlockPlace;
use crate::files::table::{ChunkBytes, HeadRow, Table};
use crate::read::going_back::newest_seen;
use crate::read::older::OlderVersions;
use crate::read::plan::Ask;
use crate::read::resolve::View;
use crate::state::memtable::{EntityNode, FeatureNode, Held, HeldValue, Near};
use crate::types::error::Result;

/// A revision that a read sees, its value not yet fetched, for who compares it with others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'s> {
    pub(crate) order: Order,
    pub(crate) source: SourceId,
    pub(crate) content: Content<'s>,
}

/// The same for who has compared: when it became true, and what it says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version<'s> {
    pub(crate) event_time: EventTime,
    pub(crate) content: Content<'s>,
}

/// What a revision says, its value not yet fetched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content<'s> {
    pub(crate) kind: Kind,
    value: ValuePlace<'s>,
}

/// Where a value is.
#[derive(Clone, Copy, Debug)]
enum ValuePlace<'s> {
    None,
    Bits(u64),
    /// Bytes of a memtable.
    Raw(&'s Bytes),
    /// Bytes of a table's file.
    At(&'s Table, u64, u64),
    /// In a block of the heap that begins here.
    Block(&'s Table, u64, InBlock),
}

impl<'s> Found<'s> {
    pub(crate) fn of(held: &Held<'s>) -> Self {
        Self { order: held.order, source: held.source, content: Content::of(held) }
    }

    pub(crate) const fn version(&self) -> Version<'s> {
        Version { event_time: self.order.event_time, content: self.content }
    }
}

impl<'s> Version<'s> {
    pub(crate) fn of(held: &Held<'s>) -> Self {
        Self { event_time: held.order.event_time, content: Content::of(held) }
    }
}

impl<'s> Content<'s> {
    pub(crate) fn of(held: &Held<'s>) -> Self {
        let value = match held.value {
            HeldValue::None => ValuePlace::None,
            HeldValue::Bits(bits) => ValuePlace::Bits(bits),
            HeldValue::Raw(raw) => ValuePlace::Raw(raw),
        };
        Self { kind: held.kind, value }
    }

    /// The bits of its number, if it is one.
    pub(crate) const fn bits(&self) -> Option<u64> {
        if let ValuePlace::Bits(bits) = self.value { Some(bits) } else { None }
    }

    /// Fetches the value; `None` if there is none.
    pub(crate) fn value(
        &self,
        value_type: ValueType,
        last: &mut LastBlock,
    ) -> Result<Option<Value>> {
        let value = match &self.value {
            ValuePlace::None => return Ok(None),
            ValuePlace::Bits(bits) => Value::from_bits(value_type, *bits),
            ValuePlace::Raw(raw) => Value::from_raw_bytes(value_type, Bytes::clone(raw)),
            ValuePlace::At(table, start, end) => {
                Value::from_raw_bytes(value_type, table.owned(*start, *end)?)
            }
            ValuePlace::Block(table, heap, at) => {
                let raw = last.of(table, *heap, at)?.slice(at.start..at.end);
                Value::from_raw_bytes(value_type, raw)
            }
        };
        self.of_its_type(value)
    }

    /// Hands the bytes of a value of text, bytes or a vector to `take`, which gives nothing if they are
    /// none of the feature's type. `None` if there is no value.
    #[inline]
    pub(crate) fn raw<T>(
        &self,
        last: &mut LastBlock,
        take: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>> {
        let taken = match &self.value {
            ValuePlace::None | ValuePlace::Bits(_) => return Ok(None),
            ValuePlace::Raw(raw) => take(raw),
            ValuePlace::At(table, start, end) => take(&table.bytes(*start, *end)?),
            ValuePlace::Block(table, heap, at) => {
                last.of(table, *heap, at)?.get(at.start..at.end).and_then(take)
            }
        };
        self.of_its_type(taken)
    }

    /// The value, if what is written is one of the feature's type.
    fn of_its_type<T>(&self, value: Option<T>) -> Result<Option<T>> {
        let (table, at) = match &self.value {
            _ if value.is_some() => return Ok(value),
            ValuePlace::At(table, start, _) => (table, *start),
            ValuePlace::Block(table, heap, _) => (table, *heap),
            // What a memtable holds was checked when it was written, or came from a whole frame.
            _ => return Ok(None),
        };
        Err(table.corrupt(at, &Malformed::new(0, "a value of the feature's type")))
    }
}

/// The block that a value was last taken from: versions beside one another mostly lie in one.
#[derive(Debug, Default)]
pub(crate) struct LastBlock {
    last: Option<(BlockPlace, Bytes)>,
    passes: bool,
}

impl LastBlock {
    /// For who goes through so much that others' blocks would have to make room: it keeps none.
    pub(crate) const fn passing() -> Self {
        Self { last: None, passes: true }
    }

    /// The block that a value lies in.
    #[inline]
    pub(crate) fn of(&mut self, table: &Table, heap: u64, at: &InBlock) -> Result<&Bytes> {
        let place = table.block_place(heap, at);
        let last = match self.last.take() {
            Some(last) if last.0 == place => last,
            _ => (place, table.block(place, !self.passes)?),
        };
        Ok(&self.last.insert(last).1)
    }
}

/// The better of what was found and what is offered.
#[inline]
fn offer<'s>(best: &mut Option<Found<'s>>, found: Found<'s>) {
    if best.as_ref().is_none_or(|best| best.order < found.order) {
        *best = Some(found);
    }
}

/// Hands out the newest version that the view sees of each feature that a memtable has of an entity,
/// until it is told to stop.
#[inline]
pub(crate) fn newest_in_memtable<'s>(
    node: EntityNode<'s>,
    asks: &[Ask],
    view: &View<'_>,
    mut each: impl FnMut(&Ask, Version<'s>) -> Result<bool>,
) -> Result<bool> {
    each_feature(node, asks, |ask, _, feature| {
        let seen = feature.newest(ask.t, |order, source| view.sees(order, || source));
        seen.map_or(Ok(true), |held| each(ask, Version::of(&held)))
    })
}

/// So many features of an entity are looked at side by side.
const AT_ONCE: usize = 16;

/// Goes through those of the features that a memtable has of an entity, until it is told to stop.
/// What is looked at of them is fetched for several at once.
#[inline]
pub(crate) fn each_feature<'s, E>(
    node: EntityNode<'s>,
    asks: &[Ask],
    mut each: impl FnMut(&Ask, usize, FeatureNode<'s>) -> std::result::Result<bool, E>,
) -> std::result::Result<bool, E> {
    let mut near = Near::default();
    let mut place = 0;
    node.fetch_features(asks.len());
    for asks in asks.chunks(AT_ONCE) {
        let mut features = [None; AT_ONCE];
        let mut seen = 0;
        for (feature, ask) in features.iter_mut().zip(asks) {
            *feature = node.feature_near(ask.feature, &mut near);
            seen ^= feature.as_ref().map_or(0, FeatureNode::newest_word);
        }
        std::hint::black_box(seen);
        for (feature, ask) in features.iter().zip(asks) {
            seen ^= feature.as_ref().map_or(0, |feature| feature.glance(ask.t));
        }
        std::hint::black_box(seen);
        for (feature, ask) in features.into_iter().zip(asks) {
            if let Some(feature) = feature
                && !each(ask, place, feature)?
            {
                return Ok(false);
            }
            place += 1;
        }
    }
    Ok(true)
}

/// Offers what a memtable has of an entity; `best` stands in the order of `asks`.
pub(crate) fn offer_memtable<'s>(
    node: EntityNode<'s>,
    asks: &[Ask],
    view: &View<'_>,
    best: &mut [Option<Found<'s>>],
) {
    let offer_one = |ask: &Ask, place: usize, feature: FeatureNode<'s>| {
        let seen = feature.newest(ask.t, |order, source| view.sees(order, || source));
        if let (Some(held), Some(best)) = (seen, best.get_mut(place)) {
            offer(best, Found::of(&held));
        }
        Ok::<_, Infallible>(true)
    };
    let Ok(_) = each_feature(node, asks, offer_one);
}

/// Offers what a table has in one row, and tells whether its older versions were decoded for it;
/// `best` stands in the order of `asks`.
pub(crate) fn offer_row<'s>(
    row: &HeadRow<'s>,
    asks: &[Ask],
    view: &View<'_>,
    best: &mut [Option<Found<'s>>],
) -> Result<bool> {
    let table = row.table;
    let head = row.head()?;
    let mut from = 0;
    let mut in_history = false;
    let mut older: Vec<bool> = Vec::new();
    for (index, (ask, best)) in asks.iter().zip(&mut *best).enumerate() {
        let place = match head.find(ask.feature, from) {
            Ok(place) => place,
            Err(next) => {
                from = next;
                continue;
            }
        };
        from = place;
        let seen = head.event_time(place) <= ask.t
            && view.sees(&row.order(&head, place)?, || head.source(place));
        if seen {
            let content = head_content(row, &head, place, ask.value_type)?;
            let (order, source) = (row.order(&head, place)?, head.source(place));
            offer(best, Found { order, source, content });
        } else {
            if !in_history {
                in_history = true;
                older = vec![false; asks.len()];
            }
            if let Some(older) = older.get_mut(index) {
                *older = true;
            }
        }
    }
    if !in_history {
        return Ok(false);
    }
    let Some(bytes) = row.chunk(&head)? else { return Ok(false) };
    let malformed = |fault: Malformed| table.corrupt(bytes.start, &fault);
    let mut history = OlderVersions::of(row, &bytes)?;
    for ((ask, best), _) in asks.iter().zip(best).zip(older).filter(|(_, older)| *older) {
        let Some(place) = history.column_of(ask.feature) else { continue };
        let column = history.column(place)?;
        let orders = history.orders()?;
        let mut back = column.orders_back(orders);
        let version = |index| back.version(index, column.event_time(index));
        let newest = newest_seen(column.up_to(ask.t), version, view);
        if let Some(newest) = newest {
            let said = column_version(table, &bytes, &column, newest).map_err(malformed)?;
            let order = column.order_at(orders, newest, said.event_time);
            let source = column.source(orders, newest);
            offer(best, Found { order, source, content: said.content });
        }
    }
    Ok(true)
}

pub(crate) fn head_version<'s>(
    row: &HeadRow<'s>,
    head: &Head<'_>,
    place: usize,
    ask: &Ask,
) -> Result<Version<'s>> {
    let content = head_content(row, head, place, ask.value_type)?;
    Ok(Version { event_time: head.event_time(place), content })
}

/// What the newest revision of a feature says.
pub(crate) fn head_content<'s>(
    row: &HeadRow<'s>,
    head: &Head<'_>,
    place: usize,
    value_type: ValueType,
) -> Result<Content<'s>> {
    let table = row.table;
    let malformed = |fault: Malformed| table.corrupt(row.at, &fault);
    let kind = head.kind(place).map_err(malformed)?;
    let value = match value_type {
        _ if kind != Kind::Value => ValuePlace::None,
        ValueType::Text | ValueType::Bytes | ValueType::Vector(_) => {
            let (start, end, limit) = match head.raw(place).map_err(malformed)? {
                Slot::Near { start, end } => {
                    (row.at + start, row.at + end, table.layout.heads.end())
                }
                Slot::Far { start, end } => {
                    let base = table.layout.far.start;
                    (base.saturating_add(start), base.saturating_add(end), table.layout.far.end())
                }
            };
            if end > limit {
                return Err(malformed(Malformed::new(0, "a value within its section")));
            }
            ValuePlace::At(table, start, end)
        }
        _ => ValuePlace::Bits(head.bits(place)),
    };
    Ok(Content { kind, value })
}

pub(crate) fn column_version<'s>(
    table: &'s Table,
    bytes: &ChunkBytes<'s>,
    column: &Column<'_>,
    index: usize,
) -> std::result::Result<Version<'s>, Malformed> {
    let content = column_content(table, bytes, column, &mut Beside::of(column)?, index)?;
    Ok(Version { event_time: column.event_time(index), content })
}

/// The values of a column, and in which block the last one was that was looked at.
pub(crate) struct Beside<'a> {
    values: Values<'a>,
    block: Option<Block>,
}

impl<'a> Beside<'a> {
    pub(crate) fn of(column: &Column<'a>) -> std::result::Result<Self, Malformed> {
        Ok(Self { values: column.values()?, block: None })
    }

    /// The values below one that was looked at last, as far as they lie in its block, and that one's
    /// place in it; `None`: it lies in none.
    #[inline]
    pub(crate) fn below(
        &mut self,
        index: usize,
    ) -> std::result::Result<Option<(InBlock, BackInBlock<'a>)>, Malformed> {
        if !self.values.are_in_blocks() {
            return Ok(None);
        }
        let Place::Block(at) = self.values.place_near(index, &mut self.block)? else {
            return Ok(None);
        };
        let below = self.values.below(index, self.block.as_ref())?;
        Ok(below.map(|below| (at, below)))
    }
}

/// What a revision of a column says.
#[inline]
pub(crate) fn column_content<'s>(
    table: &'s Table,
    bytes: &ChunkBytes<'s>,
    column: &Column<'_>,
    Beside { values, block }: &mut Beside<'_>,
    index: usize,
) -> std::result::Result<Content<'s>, Malformed> {
    let kind = column.kind(index)?;
    let value = match (kind, values.place_near(index, block)?) {
        (Kind::Null | Kind::Deleted | Kind::Stub, _) | (_, Place::None) => ValuePlace::None,
        (Kind::Value, Place::Bits(bits)) => ValuePlace::Bits(bits),
        (Kind::Value, Place::InPlace { start, end }) => {
            ValuePlace::At(table, bytes.start + wide(start), bytes.start + wide(end))
        }
        (Kind::Value, Place::Block(at)) => ValuePlace::Block(table, bytes.heap, at),
    };
    Ok(Content { kind, value })
}
