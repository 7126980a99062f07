//! One feature's revisions of an entity in a memtable.
//!
//! ```text
//! slot     0  how many came in order (bits 0-30) | the newest is being replaced (bit 31)
//!             | 1 + place among the late lists (high half)                                    link
//!          1  the newest block                                                                 link
//!          2  the newest record
//! block    0  the block before it | its number n (top 8 bits)
//!          1  2^n records, of which the first is the (2^n - 1)-th of the feature, counted from 0
//! record   0  event time
//!          1  commit
//!          2  bits of a number, or the place of bytes among those of the memtable
//!             or, if it has a known time, the place of a pair: known time, and that
//!          3  source | kind << 32 | what the value is << 34 | has a known time << 36
//! ```
//!
//! Records that come in order, as nearly all do, ascend. One that comes late goes to a skip list
//! beside them.
//!
//! The newest record stands in the slot: who asks for it looks at nothing else. It is the one thing
//! whose words change. Before they do it is copied to the blocks, where it stays, and the slot's
//! first word says that they are changing; when they have changed that word counts one more. Who
//! finds it the same behind its words as before them has read one record; who does not finds that
//! record among the blocks. Nobody waits. A block is linked before that word tells of anything in
//! it, so that whoever has loaded the word finds blocks for all that it counts, and maybe a newer
//! one.

mod falling;
mod number;

use asofdb_format::batch::{Entry, EntryValue};
use asofdb_format::ids::{Commit, EventTime, FeatureId, KnownTime, SourceId};
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::value::Kind;
use asofdb_format::wire::{low_byte, narrow, wide};
use bytes::Bytes;

pub(crate) use self::falling::Falling;
pub(crate) use self::number::{Newest, Number};
use crate::state::append::allocated;
use crate::state::arena::{Lots, Place, get, link, set, set_link};
use crate::state::memtable::Memtable;
use crate::sync::{Ordering, SkipMap, Word, fence};

/// The words of a record.
const RECORD: usize = 4;

/// The words of a slot.
pub(super) const SLOT: usize = 2 + RECORD;

/// Where a feature's revisions begin.
pub(super) type Slot = [Word; SLOT];

const STATE: usize = 0;
const NEWEST: usize = 1;
const OWN: usize = 2;
const HALF: u64 = 0xffff_ffff;
const CHANGING: u64 = 1 << 31;
const COUNTED: u64 = CHANGING - 1;
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
    slot: &'m Slot,
}

/// The words of a record.
type Record = [u64; RECORD];

/// Records side by side.
#[derive(Clone, Copy, Debug, Default)]
struct Block<'m> {
    /// The place of its first record among the feature's.
    first: usize,
    older: Place,
    records: &'m [Word],
}

impl<'m> FeatureNode<'m> {
    #[inline]
    pub(super) const fn new(memtable: &'m Memtable, slot: &'m Slot) -> Self {
        Self { memtable, slot }
    }

    /// The block at a place; none at 0.
    #[inline]
    fn block(&self, place: Place) -> Block<'m> {
        if place == 0 {
            return Block::default();
        }
        let words = self.memtable.arena.words_from(place);
        let (head, rest) =
            words.split_first().map_or((0, words), |(_, rest)| (get(words, 0), rest));
        let len = 1usize << (head >> NUMBER_AT).min(62);
        let records = len.checked_mul(RECORD).and_then(|len| rest.get(..len)).unwrap_or_default();
        Block { first: len - 1, older: head & ((1 << NUMBER_AT) - 1), records }
    }

    /// The block of the last of so many records that are not the newest.
    #[inline]
    fn newest_block(&self, count: usize) -> Block<'m> {
        if count == 0 {
            return Block::default();
        }
        let mut block = self.block(link(self.slot, NEWEST));
        while block.first >= count {
            block = self.block(block.older);
        }
        block
    }

    /// The words of the slot's record, which may be changing: whether they were is told by the slot's
    /// first word, looked at behind them.
    #[inline(always)]
    fn own_words(&self) -> Record {
        let record = std::array::from_fn(|word| get(self.slot, OWN + word));
        fence(Ordering::Acquire);
        record
    }

    /// The newest record and what the slot's first word said when it was; `None`: there is none.
    #[inline]
    fn newest_record(&self) -> Option<(u64, Record)> {
        let state = link(self.slot, STATE);
        let last = narrow(state & COUNTED).checked_sub(1)?;
        if state & CHANGING == 0 {
            let record = self.own_words();
            if (link(self.slot, STATE) ^ state) & HALF == 0 {
                return Some((state, record));
            }
        }
        Some((state, self.record(self.newest_block(last + 1), last)))
    }

    /// A word of the newest block: to have it at hand for what comes next.
    #[inline]
    pub(crate) fn newest_word(&self) -> u64 {
        get(self.memtable.arena.words(get(self.slot, NEWEST), 1), 0)
    }

    /// Puts a revision in; how many bytes of memory the memtable grew by. One writer at a time.
    pub(super) fn insert(&self, words: &Lots<'_>, put: &Incoming<'_>, arrival: u64) -> usize {
        let state = link(self.slot, STATE);
        let mut grown = 0;
        if let Some(last) = narrow(state & COUNTED).checked_sub(1) {
            let newest = std::array::from_fn(|word| get(self.slot, OWN + word));
            let (before, next) = (event_time(&newest), put.order.event_time);
            if before > next || before == next && self.order_of(&newest) > put.order {
                return self.insert_late(put, arrival, state);
            }
            grown += self.keep(words, &newest, last);
            set_link(self.slot, STATE, state | CHANGING);
            // Who sees one of the words that follow sees this one.
            fence(Ordering::Release);
        }
        let (record, more) = self.record_of(words, put);
        for (word, value) in (OWN..).zip(record) {
            set(self.slot, word, value);
        }
        set_link(self.slot, STATE, state + 1);
        grown + more
    }

    /// Copies the newest record to the blocks, by its place among the feature's.
    fn keep(&self, words: &Lots<'_>, record: &Record, index: usize) -> usize {
        let arena = &self.memtable.arena;
        let newest = link(self.slot, NEWEST);
        let is_new = (index + 1).is_power_of_two();
        let (place, grown) =
            if is_new { words.take(1 + (index + 1) * RECORD) } else { (newest, 0) };
        if is_new {
            let number = u64::from((index + 1).ilog2());
            set(arena.words(place, 1), 0, newest | number << NUMBER_AT);
        }
        let block = self.block(place);
        let at = (index - block.first) * RECORD;
        let words = block.records.get(at..).unwrap_or_default();
        (0..).zip(record).for_each(|(word, value)| set(words, word, *value));
        if is_new {
            set_link(self.slot, NEWEST, place);
        }
        grown
    }

    fn insert_late(&self, put: &Incoming<'_>, arrival: u64, state: u64) -> usize {
        let lates = &self.memtable.lates;
        // A node has four words of its own on average.
        let mut grown = allocated(size_of::<(Arrived, Revision)>() + 32);
        let place = match state >> 32 {
            0 => {
                let late = Box::new(Late::new());
                let _one = self.memtable.listing.lock();
                grown += lates.push(late);
                grown += allocated(size_of::<Late>() + align_of::<Late>());
                let place = wide(lates.len());
                set_link(self.slot, STATE, state | place << 32);
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

    /// A record of what is put in, and how many bytes of memory the memtable grew by.
    fn record_of(&self, words: &Lots<'_>, put: &Incoming<'_>) -> (Record, usize) {
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
        let meta = u64::from(put.source.0)
            | u64::from(put.kind.tag()) << KIND_AT
            | what << VALUE_AT
            | if own_known { HAS_KNOWN } else { 0 };
        let [event_time, commit] = [put.order.event_time.0, put.order.commit.0];
        ([event_time.cast_unsigned(), commit.cast_unsigned(), value, meta], grown)
    }

    /// A record by its place among the feature's, in its block.
    #[inline]
    fn record(&self, block: Block<'m>, index: usize) -> Record {
        let at = (index - block.first) * RECORD;
        let words = block.records.get(at..at + RECORD).unwrap_or_default();
        std::array::from_fn(|word| get(words, word))
    }

    #[inline]
    fn order_of(&self, record: &Record) -> Order {
        let [event_time, commit, value, meta] = *record;
        let known = if meta & HAS_KNOWN == 0 {
            commit
        } else {
            get(self.memtable.arena.words(value, 2), 0)
        };
        Order {
            event_time: EventTime(event_time.cast_signed()),
            known_time: KnownTime(known.cast_signed()),
            commit: Commit(commit.cast_signed()),
        }
    }

    #[inline]
    fn revision(&self, record: &Record) -> Revision {
        let [_, _, value, meta] = *record;
        let value =
            if meta & HAS_KNOWN == 0 { value } else { get(self.memtable.arena.words(value, 2), 1) };
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
            kind: kind(meta),
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
        let (state, newest) = self.newest_record()?;
        // Mostly all came in order and the newest one is seen.
        if state >> 32 == 0 && event_time(&newest) <= t {
            let revision = self.revision(&newest);
            if sees(&revision.order, revision.source) {
                return Some(revision);
            }
        }
        let mut all = self.newest_first_of((state, newest), t).map(|(_, revision)| revision);
        all.find(|revision| sees(&revision.order, revision.source))
    }

    /// Its revisions with event times up to `t`, newest first; of equal ones the one that came
    /// last comes first.
    pub(crate) fn newest_first(&self, t: EventTime) -> NewestFirst<'m> {
        match self.newest_record() {
            Some(newest) => self.newest_first_of(newest, t),
            None => NewestFirst {
                feature: *self,
                newest: None,
                block: Block::default(),
                left: 0,
                late: None,
            },
        }
    }

    /// How many of the first so many records have event times up to `t`, and the block of the last
    /// of these.
    #[inline]
    fn up_to(&self, count: usize, t: EventTime) -> (Block<'m>, usize) {
        let is_up_to = |block, index| event_time(&self.record(block, index)) <= t;
        let (mut block, mut left) = (self.newest_block(count), count);
        while block.first > 0 && !is_up_to(block, block.first) {
            left = block.first;
            block = self.block(block.older);
        }
        let (mut low, mut high) = (block.first, left);
        // From where it would lie among even times on, in steps that double, then in halves.
        let mut middle = self.guess(block, (low, high), t);
        let mut step = 1;
        while low < high {
            if is_up_to(block, middle) {
                low = middle + 1;
                middle = if high == left { (low + step).min(high - 1) } else { low.midpoint(high) };
            } else {
                high = middle;
                middle = if low == block.first {
                    high.saturating_sub(step).max(low)
                } else {
                    low.midpoint(high)
                };
            }
            step = step.saturating_mul(2);
        }
        (block, low)
    }

    /// Where among some records of a block the first above a moment would lie if times were even.
    #[inline]
    fn guess(&self, block: Block<'m>, (low, high): (usize, usize), t: EventTime) -> usize {
        let Some(last) = high.checked_sub(1).filter(|last| *last > low) else { return low };
        let [from, to] = [low, last].map(|index| event_time(&self.record(block, index)).0);
        let (part, all) = (t.0.saturating_sub(from).max(0), to.saturating_sub(from));
        #[expect(clippy::cast_possible_truncation, reason = "a share of a count")]
        #[expect(clippy::cast_sign_loss, reason = "neither part is below 0")]
        let within = ((part as f64 / all.max(1) as f64).min(1.0) * (last - low) as f64) as usize;
        low + within.min(last - low)
    }

    /// Those that came late.
    #[inline]
    fn late(&self, state: u64) -> Option<&'m Late> {
        let place = (state >> 32).checked_sub(1)?;
        self.memtable.lates.get(narrow(place)).map(|late| &**late)
    }

    /// The same, where the newest record is known.
    fn newest_first_of(&self, (state, newest): (u64, Record), t: EventTime) -> NewestFirst<'m> {
        let newest = Some(newest).filter(|newest| event_time(newest) <= t);
        // Less the newest, which is mostly asked for.
        let older = narrow(state & COUNTED).saturating_sub(1);
        let (block, left) =
            if newest.is_some() { (Block::default(), older) } else { self.up_to(older, t) };
        let up_to = Order { event_time: t, known_time: KnownTime::MAX, commit: Commit::MAX };
        NewestFirst {
            feature: *self,
            newest,
            block,
            left,
            late: self.late(state).map(|late| (late, (up_to, u64::MAX))),
        }
    }

    /// Adds its revisions, ascending; what was written over in a batch left out.
    pub(crate) fn revisions_into(&self, all: &mut Vec<Revision>) {
        let Some((state, newest)) = self.newest_record() else { return };
        if state >> 32 != 0 {
            let found = self.newest_first_of((state, newest), EventTime::MAX);
            let mut found: Vec<Revision> = found.map(|(_, revision)| revision).collect();
            // One that comes late meanwhile may be found behind those that it stands before; of
            // equal ones the one that came last stays the first.
            if !found.is_sorted_by(|newer, older| newer.order >= older.order) {
                found.sort_by_key(|revision| std::cmp::Reverse(revision.order));
            }
            found.dedup_by_key(|revision| revision.order);
            all.extend(found.into_iter().rev());
            return;
        }
        let older = narrow(state & COUNTED).saturating_sub(1);
        all.reserve(older + 1);
        self.ordered_into(self.newest_block(older), older, all);
        push_newer(all, self.revision(&newest));
    }

    /// Adds the first so many records of those in order, of which the last are those of a block.
    fn ordered_into(&self, block: Block<'m>, count: usize, all: &mut Vec<Revision>) {
        if block.first > 0 {
            self.ordered_into(self.block(block.older), block.first, all);
        }
        for index in block.first..count {
            push_newer(all, self.revision(&self.record(block, index)));
        }
    }
}

/// Adds a revision, which takes the place of an equal one.
fn push_newer(all: &mut Vec<Revision>, revision: Revision) {
    if all.last().is_some_and(|last| last.order == revision.order) {
        all.pop();
    }
    all.push(revision);
}

#[inline]
fn event_time(record: &Record) -> EventTime {
    let [event_time, ..] = record;
    EventTime(event_time.cast_signed())
}

/// Only what has a tag was put in.
#[inline]
fn kind(meta: u64) -> Kind {
    Kind::from_tag(low_byte(meta >> KIND_AT & 3)).unwrap_or(Kind::Null)
}

/// Revisions of a feature, newest first.
#[derive(Debug)]
pub(crate) struct NewestFirst<'m> {
    feature: FeatureNode<'m>,
    /// The newest of those that came in order, if it is left.
    newest: Option<Record>,
    /// The block of the last of the others that are left, once one was looked at.
    block: Block<'m>,
    left: usize,
    late: Option<(&'m Late, Arrived)>,
}

impl NewestFirst<'_> {
    /// The next one of those that came in order.
    #[inline]
    fn ordered(&mut self) -> Option<(Order, Revision)> {
        let record = match self.newest {
            Some(newest) => newest,
            None => {
                let index = self.left.checked_sub(1)?;
                if self.block.records.is_empty() {
                    self.block = self.feature.newest_block(self.left);
                } else if index < self.block.first {
                    self.block = self.feature.block(self.block.older);
                }
                self.feature.record(self.block, index)
            }
        };
        let revision = self.feature.revision(&record);
        Some((revision.order, revision))
    }

    /// It was handed out.
    #[inline]
    const fn pass(&mut self) {
        if self.newest.take().is_none() {
            self.left = self.left.saturating_sub(1);
        }
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
                self.pass();
                ordered
            }
            // What is late came later than an equal one that is in order.
            (Some(ordered), Some(((order, _), _))) if ordered.0 > order => {
                self.pass();
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
