//! One feature's revisions of an entity in a memtable.
//!
//! ```text
//! slot     0  how many came in order (low half) | 1 + place among the late lists (high half)   link
//!          1  the newest block                                                                 link
//!          2  the first record
//! block    0  the block before it | its number n (top 8 bits)
//!          1  2^n records, of which the first is the 2^n-th of the feature, counted from 0
//! record   0  event time
//!          1  commit
//!          2  bits of a number, or the place of bytes among those of the memtable
//!             or, if it has a known time, the place of a pair: known time, and that
//!          3  source | kind << 32 | what the value is << 34 | has a known time << 36
//! ```
//!
//! Records that come in order, as nearly all do, ascend. One that comes late goes to a skip list
//! beside them. A block is linked before the count says that there is something in it, so that
//! whoever has loaded the count finds blocks for all that it counts, and maybe a newer one.

use asofdb_format::batch::{Entry, EntryValue};
use asofdb_format::ids::{Commit, EventTime, FeatureId, KnownTime, SourceId};
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::value::Kind;
use asofdb_format::wire::{low_byte, narrow, wide};
use bytes::Bytes;

use crate::state::append::allocated;
use crate::state::arena::{Lots, Place, get, link, set, set_link};
use crate::state::memtable::Memtable;
use crate::sync::{SkipMap, Word};

/// The words of a record.
const RECORD: usize = 4;

/// The words of a slot.
pub(super) const SLOT: usize = 2 + RECORD;

const COUNT: usize = 0;
const NEWEST: usize = 1;
const HALF: u64 = 0xffff_ffff;
const NUMBER_AT: u32 = 56;
const KIND_AT: u32 = 32;
const VALUE_AT: u32 = 34;
const BITS: u64 = 1;
const RAW: u64 = 2;
const HAS_KNOWN: u64 = 1 << 36;

/// What [`Bytes`] take beside themselves when they are first cloned, as a flush does.
const SHARED: usize = 24;

/// A revision's place in the order, and when it came.
pub(super) type Arrived = (Order, u64);

/// Revisions of a feature that came late.
pub(super) type Late = SkipMap<Arrived, Revision>;

/// A revision that is to be put in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming<'p> {
    pub(crate) feature: FeatureId,
    pub(crate) order: Order,
    pub(crate) kind: Kind,
    pub(crate) source: SourceId,
    pub(crate) value: EntryValue<'p>,
}

impl<'p> Incoming<'p> {
    /// An entry of a batch.
    #[inline]
    pub(crate) fn of(entry: &Entry<'p>, commit: Commit, source: SourceId) -> Self {
        let known_time = entry.known_time.unwrap_or(KnownTime(commit.0));
        let order = Order { event_time: entry.event_time, known_time, commit };
        Self { feature: entry.feature, order, kind: entry.kind, source, value: entry.value }
    }

    /// The same, with its own bytes.
    fn to_revision(self) -> Revision {
        let Self { order, kind, source, value, .. } = self;
        Revision { order, kind, source, payload: value.to_payload() }
    }
}

/// A feature's revisions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeatureNode<'m> {
    memtable: &'m Memtable,
    slot: &'m [Word],
}

/// Records side by side: those of a block, or the first of all.
#[derive(Clone, Copy, Debug)]
struct Block<'m> {
    /// The place of its first record among the feature's.
    first: usize,
    older: Place,
    records: &'m [Word],
}

impl<'m> FeatureNode<'m> {
    #[inline]
    pub(super) const fn new(memtable: &'m Memtable, slot: &'m [Word]) -> Self {
        Self { memtable, slot }
    }

    /// The records of the slot itself.
    #[inline]
    fn own(&self) -> Block<'m> {
        Block { first: 0, older: 0, records: self.slot.get(2..).unwrap_or_default() }
    }

    /// The block at a place, or the slot's own record.
    #[inline]
    fn block(&self, place: Place) -> Block<'m> {
        if place == 0 {
            return self.own();
        }
        let arena = &self.memtable.arena;
        let head = get(arena.words(place, 1), 0);
        let first = 1usize << (head >> NUMBER_AT).min(62);
        let records = arena.words(place + 1, first * RECORD);
        Block { first, older: head & ((1 << NUMBER_AT) - 1), records }
    }

    /// The block of the last of so many records.
    #[inline]
    fn newest_block(&self, count: usize) -> Block<'m> {
        if count < 2 {
            return self.own();
        }
        let mut block = self.block(link(self.slot, NEWEST));
        while block.first >= count {
            block = self.block(block.older);
        }
        block
    }

    /// A word of the newest block: to have it at hand for what comes next.
    #[inline]
    pub(crate) fn newest_word(&self) -> u64 {
        get(self.memtable.arena.words(get(self.slot, NEWEST), 1), 0)
    }

    /// Puts a revision in; how many bytes of memory the memtable grew by. One writer at a time.
    pub(super) fn insert(&self, words: &Lots<'_>, put: &Incoming<'_>, arrival: u64) -> usize {
        let count_and_late = link(self.slot, COUNT);
        let count = narrow(count_and_late & HALF);
        let block = self.newest_block(count);
        if let Some(last) = count.checked_sub(1) {
            let record = self.record(block, last);
            let (last, next) = (event_time(record), put.order.event_time);
            if last > next || last == next && self.order_of(record) > put.order {
                return self.insert_late(put, arrival, count_and_late);
            }
        }
        let (mut grown, mut block) = (0, block);
        if count.is_power_of_two() {
            let number = count.ilog2();
            let (place, more) = words.take(1 + count * RECORD);
            grown += more;
            let head = link(self.slot, NEWEST) | u64::from(number) << NUMBER_AT;
            set(self.memtable.arena.words(place, 1), 0, head);
            set_link(self.slot, NEWEST, place);
            block = self.block(place);
        }
        grown += self.write(words, self.record(block, count), put);
        set_link(self.slot, COUNT, count_and_late + 1);
        grown
    }

    fn insert_late(&self, put: &Incoming<'_>, arrival: u64, count_and_late: u64) -> usize {
        let lates = &self.memtable.lates;
        // A node has four words of its own on average.
        let mut grown = allocated(size_of::<(Arrived, Revision)>() + 32);
        let place = match count_and_late >> 32 {
            0 => {
                let late = Box::new(Late::new());
                let _one = self.memtable.listing.lock();
                grown += lates.push(late);
                grown += allocated(size_of::<Late>() + align_of::<Late>());
                let place = wide(lates.len());
                set_link(self.slot, COUNT, count_and_late | place << 32);
                place
            }
            place => place,
        };
        let revision = put.to_revision();
        if let Payload::Raw(raw) = &revision.payload {
            grown += allocated(raw.len()) + allocated(SHARED);
        }
        if let Some(late) = lates.get(narrow(place - 1)) {
            late.insert((put.order, arrival), revision);
        }
        grown
    }

    /// Fills a record.
    fn write(&self, words: &Lots<'_>, record: &[Word], put: &Incoming<'_>) -> usize {
        let mut grown = 0;
        let (what, value) = match put.value {
            EntryValue::None => (0, 0),
            EntryValue::Bits(bits) => (BITS, bits),
            EntryValue::Raw(raw) => {
                grown += allocated(raw.len()) + allocated(SHARED);
                let raw = Bytes::copy_from_slice(raw);
                let _one = self.memtable.listing.lock();
                let place = wide(self.memtable.raws.len());
                grown += self.memtable.raws.push(raw);
                (RAW, place)
            }
        };
        let own_known = put.order.known_time.0 != put.order.commit.0;
        let value = if own_known {
            let (place, more) = words.take(2);
            grown += more;
            let pair = self.memtable.arena.words(place, 2);
            set(pair, 0, put.order.known_time.0.cast_unsigned());
            set(pair, 1, value);
            place
        } else {
            value
        };
        set(record, 0, put.order.event_time.0.cast_unsigned());
        set(record, 1, put.order.commit.0.cast_unsigned());
        set(record, 2, value);
        let meta = u64::from(put.source.0)
            | u64::from(put.kind.tag()) << KIND_AT
            | what << VALUE_AT
            | if own_known { HAS_KNOWN } else { 0 };
        set(record, 3, meta);
        grown
    }

    /// A record by its place among the feature's, in its block.
    #[inline]
    fn record(&self, block: Block<'m>, index: usize) -> &'m [Word] {
        let at = (index - block.first) * RECORD;
        block.records.get(at..at + RECORD).unwrap_or_default()
    }

    #[inline]
    fn order_of(&self, record: &[Word]) -> Order {
        let commit = get(record, 1).cast_signed();
        let known = if get(record, 3) & HAS_KNOWN == 0 {
            commit
        } else {
            get(self.memtable.arena.words(get(record, 2), 2), 0).cast_signed()
        };
        Order {
            event_time: event_time(record),
            known_time: KnownTime(known),
            commit: Commit(commit),
        }
    }

    #[inline]
    fn revision(&self, record: &[Word]) -> Revision {
        let meta = get(record, 3);
        let value = if meta & HAS_KNOWN == 0 {
            get(record, 2)
        } else {
            get(self.memtable.arena.words(get(record, 2), 2), 1)
        };
        let payload = match meta >> VALUE_AT & 3 {
            BITS => Payload::Bits(value),
            RAW => match self.memtable.raws.get(narrow(value)) {
                Some(raw) => Payload::Raw(raw.clone()),
                None => Payload::None,
            },
            _ => Payload::None,
        };
        Revision {
            order: self.order_of(record),
            // Only what has a tag was put in.
            kind: Kind::from_tag(low_byte(meta >> KIND_AT & 3)).unwrap_or(Kind::Null),
            source: SourceId(u32::try_from(meta & HALF).unwrap_or_default()),
            payload,
        }
    }

    /// The newest of its revisions up to `t` that are seen.
    #[inline]
    pub(crate) fn newest(
        &self,
        t: EventTime,
        sees: impl Fn(&Order, SourceId) -> bool,
    ) -> Option<Revision> {
        let count_and_late = link(self.slot, COUNT);
        let last = narrow(count_and_late & HALF).checked_sub(1);
        // Mostly all came in order and the newest one is seen.
        if let Some(last) = last.filter(|_| count_and_late >> 32 == 0) {
            let record = self.record(self.newest_block(last + 1), last);
            if event_time(record) <= t {
                let revision = self.revision(record);
                if sees(&revision.order, revision.source) {
                    return Some(revision);
                }
            }
        }
        let mut all = self.newest_first(t).map(|(_, revision)| revision);
        all.find(|revision| sees(&revision.order, revision.source))
    }

    /// Its revisions with event times up to `t`, newest first; of equal ones the one that came
    /// last comes first.
    pub(crate) fn newest_first(&self, t: EventTime) -> NewestFirst<'m> {
        let count_and_late = link(self.slot, COUNT);
        let mut left = narrow(count_and_late & HALF);
        let mut block = self.newest_block(left);
        // Mostly the newest is asked for.
        let is_up_to = |block, index| event_time(self.record(block, index)) <= t;
        if left > 0 && !is_up_to(block, left - 1) {
            while block.first > 0 && !is_up_to(block, block.first) {
                left = block.first;
                block = self.block(block.older);
            }
            let (mut low, mut high) = (block.first, left);
            while low < high {
                let middle = low.midpoint(high);
                if is_up_to(block, middle) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            left = low;
        }
        let up_to = Order { event_time: t, known_time: KnownTime::MAX, commit: Commit::MAX };
        let late = (count_and_late >> 32).checked_sub(1);
        NewestFirst {
            feature: *self,
            block,
            left,
            late: late
                .and_then(|place| self.memtable.lates.get(narrow(place)))
                .map(|late| (&**late, (up_to, u64::MAX))),
        }
    }

    /// Adds its revisions, ascending; what was written over in a batch left out.
    pub(crate) fn revisions_into(&self, all: &mut Vec<Revision>) {
        let count_and_late = link(self.slot, COUNT);
        if count_and_late >> 32 != 0 {
            let mut found: Vec<Revision> =
                self.newest_first(EventTime::MAX).map(|(_, revision)| revision).collect();
            // One that comes late meanwhile may be found behind those that it stands before; of
            // equal ones the one that came last stays the first.
            if !found.is_sorted_by(|newer, older| newer.order >= older.order) {
                found.sort_by_key(|revision| std::cmp::Reverse(revision.order));
            }
            found.dedup_by_key(|revision| revision.order);
            all.extend(found.into_iter().rev());
            return;
        }
        let count = narrow(count_and_late & HALF);
        all.reserve(count);
        self.ordered_into(self.newest_block(count), count, all);
    }

    /// Adds the first so many records of those in order, of which the last are those of a block.
    fn ordered_into(&self, block: Block<'m>, count: usize, all: &mut Vec<Revision>) {
        if block.first > 0 {
            self.ordered_into(self.block(block.older), block.first, all);
        }
        for index in block.first..count {
            let revision = self.revision(self.record(block, index));
            if index > 0 && all.last().is_some_and(|last| last.order == revision.order) {
                all.pop();
            }
            all.push(revision);
        }
    }
}

#[inline]
fn event_time(record: &[Word]) -> EventTime {
    EventTime(get(record, 0).cast_signed())
}

/// Revisions of a feature, newest first.
#[derive(Debug)]
pub(crate) struct NewestFirst<'m> {
    feature: FeatureNode<'m>,
    /// The block of the last of those that are left.
    block: Block<'m>,
    left: usize,
    late: Option<(&'m Late, Arrived)>,
}

impl NewestFirst<'_> {
    /// The next one of those that came in order.
    #[inline]
    fn ordered(&mut self) -> Option<(Order, Revision)> {
        let index = self.left.checked_sub(1)?;
        if index < self.block.first {
            self.block = self.feature.block(self.block.older);
        }
        let revision = self.feature.revision(self.feature.record(self.block, index));
        Some((revision.order, revision))
    }
}

impl Iterator for NewestFirst<'_> {
    type Item = (Order, Revision);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let ordered = self.ordered();
        let late = self.late.as_ref().and_then(|(late, below)| {
            late.range(..=*below).next_back().map(|entry| (*entry.key(), entry))
        });
        match (ordered, late) {
            (ordered, None) => {
                self.left = self.left.saturating_sub(1);
                ordered
            }
            // What is late came later than an equal one that is in order.
            (Some(ordered), Some(((order, _), _))) if ordered.0 > order => {
                self.left -= 1;
                Some(ordered)
            }
            (_, Some(((order, arrival), entry))) => {
                let below = match arrival.checked_sub(1) {
                    Some(earlier) => (order, earlier),
                    None => (just_below(order), u64::MAX),
                };
                if let Some((_, limit)) = &mut self.late {
                    *limit = below;
                }
                Some((order, entry.value().clone()))
            }
        }
    }
}

/// The greatest order below one; only a first arrival needs it, and the lowest order of all is
/// its own: no batch writes it, for commits are far above.
fn just_below(order: Order) -> Order {
    Order { commit: Commit(order.commit.0.saturating_sub(1)), ..order }
}
