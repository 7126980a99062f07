//! One feature's revisions of an entity in a memtable.
//!
//! ```text
//! slot     0  how many came in order (bits 0-30) | the newest is being replaced (bit 31)
//!             | the root of the late ones (high half)                                          link
//!          1  the newest block                                                                 link
//!          2  the newest record
//! block    0  the block before it | its number n (top 8 bits)
//!          1  2^n records, of which the first is the (2^n - 1)-th of the feature, counted from 0
//! ```
//!
//! [Records](crate::state::memtable::record) that come in order, as nearly all do, ascend. One that
//! comes late goes to a [tree](crate::state::memtable::late) beside them, and the last one in order that
//! is not above it is marked: who finds one that is not marked need not look at the tree.
//!
//! The newest record stands in the slot: who asks for it looks at nothing else. But for marks it is
//! the one thing whose words change. Before they do it is copied to the blocks, where it stays, and the slot's
//! first word says that they are changing; when they have changed that word counts one more. Who
//! finds it the same behind its words as before them has read one record; who does not finds that
//! record among the blocks. Nobody waits. A block is linked before that word tells of anything in
//! it, so that whoever has loaded the word finds blocks for all that it counts, and maybe a newer
//! one.

mod falling;
mod number;

use asofdb_format::ids::{EventTime, SourceId};
use asofdb_format::revision::{Order, Revision};
use asofdb_format::wire::narrow;

pub(crate) use self::falling::Falling;
pub(crate) use self::number::{Newest, Number};
use crate::state::arena::{Place, get, link, set, set_link};
use crate::state::memtable::late::{LateBack, LateTree, just_below, up_to_moment};
use crate::state::memtable::record::{
    HALF, HAS_LATE, Held, Incoming, RECORD, Record, WHAT, event_time, has_late,
};
use crate::state::memtable::{Memtable, Room};
use crate::sync::{Ordering, Word, fence};

/// The words of a slot.
pub(super) const SLOT: usize = 2 + RECORD;

/// Where a feature's revisions begin.
pub(super) type Slot = [Word; SLOT];

const STATE: usize = 0;
const NEWEST: usize = 1;
const OWN: usize = 2;
const CHANGING: u64 = 1 << 31;
const COUNTED: u64 = CHANGING - 1;
const LATE_AT: u32 = 32;
const NUMBER_AT: u32 = 56;
const OLDER: u64 = (1 << NUMBER_AT) - 1;

/// A feature's revisions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeatureNode<'m> {
    memtable: &'m Memtable,
    slot: &'m Slot,
}

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
        Block { first: len - 1, older: head & OLDER, records }
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
    pub(super) fn insert(&self, room: &Room<'_>, put: &Incoming<'_>) -> usize {
        let state = link(self.slot, STATE);
        let mut grown = 0;
        if let Some(last) = narrow(state & COUNTED).checked_sub(1) {
            let newest = std::array::from_fn(|word| get(self.slot, OWN + word));
            let (before, next) = (event_time(&newest), put.order.event_time);
            if before > next || before == next && self.memtable.order_of(&newest) > put.order {
                return self.insert_late(room, put, state);
            }
            grown += self.keep(room, &newest, last);
            set_link(self.slot, STATE, state | CHANGING);
            // Who sees one of the words that follow sees this one.
            fence(Ordering::Release);
        }
        let (record, more) = self.memtable.record_of(&room.words, put);
        for (word, value) in (OWN..).zip(record) {
            set(self.slot, word, value);
        }
        set_link(self.slot, STATE, state + 1);
        grown + more
    }

    /// Copies the newest record to the blocks, by its place among the feature's.
    fn keep(&self, room: &Room<'_>, record: &Record, index: usize) -> usize {
        let arena = &self.memtable.arena;
        let newest = link(self.slot, NEWEST);
        let is_new = (index + 1).is_power_of_two();
        let (place, grown) =
            if is_new { room.words.take(1 + (index + 1) * RECORD) } else { (newest, 0) };
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

    fn insert_late(&self, room: &Room<'_>, put: &Incoming<'_>, state: u64) -> usize {
        let (record, grown) = self.memtable.record_of(&room.words, put);
        let (root, more) = self.late(state).insert(&room.nodes, &record);
        // A budget keeps places of nodes below 2^32: see `Memtable::MOST_BYTES`.
        set_link(self.slot, STATE, state & HALF | root << LATE_AT);
        self.tell_of_late(&put.order, state);
        grown + more
    }

    /// Marks the last record in order that is not above one that came late, if there is one.
    fn tell_of_late(&self, late: &Order, state: u64) {
        let older = narrow(state & COUNTED).saturating_sub(1);
        let (mut block, mut left) = self.up_to((older, self.upper_bound()), late.event_time);
        let is_up_to = |block, index| {
            let record = self.record(block, index);
            event_time(&record) < late.event_time || self.memtable.order_of(&record) <= *late
        };
        // Many may be of the same moment.
        while left > 0 && !is_up_to(block, block.first) {
            left = block.first;
            block = self.newest_block(left);
        }
        let Some(last) = left.checked_sub(1) else { return };
        let (mut low, mut high) = (block.first, last);
        if is_up_to(block, last) {
            low = last;
        }
        // The one at `low` is, and none above `high`.
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if is_up_to(block, middle) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        let words = block.records.get((low - block.first) * RECORD..).unwrap_or_default();
        set(words, WHAT, get(words, WHAT) | HAS_LATE);
    }

    /// A record by its place among the feature's, in its block.
    #[inline]
    fn record(&self, block: Block<'m>, index: usize) -> Record {
        let at = (index - block.first) * RECORD;
        let words = block.records.get(at..at + RECORD).unwrap_or_default();
        std::array::from_fn(|word| get(words, word))
    }

    /// The event time of the same.
    #[inline]
    fn time(&self, block: Block<'m>, index: usize) -> EventTime {
        EventTime(get(block.records, (index - block.first) * RECORD).cast_signed())
    }

    /// Whether a late record stands before one that came in order: it came later than an equal one.
    #[inline]
    fn is_newer(&self, late: &Record, ordered: &Record) -> bool {
        match event_time(late).cmp(&event_time(ordered)) {
            std::cmp::Ordering::Equal => {
                self.memtable.order_of(late) >= self.memtable.order_of(ordered)
            }
            unequal => unequal.is_gt(),
        }
    }

    /// The newest of its revisions up to `t` that are seen.
    #[inline]
    pub(crate) fn newest(
        &self,
        t: EventTime,
        sees: impl Fn(&Order, SourceId) -> bool,
    ) -> Option<Held<'m>> {
        let (state, newest) = self.newest_record()?;
        // What came late is below the newest, which is mostly seen.
        if event_time(&newest) <= t {
            let held = self.memtable.held(&newest);
            if sees(&held.order, held.source) {
                return Some(held);
            }
        }
        let mut all = self.newest_first_of((state, newest), t);
        all.find(|held| sees(&held.order, held.source))
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
                late: self.late(0).back(),
                below: up_to_moment(t),
            },
        }
    }

    /// How many of the first so many records have event times up to `t`, which is not after the time of
    /// the next one, and the block of the last of these.
    #[inline]
    fn up_to(&self, (count, next): (usize, EventTime), t: EventTime) -> (Block<'m>, usize) {
        // From where it would lie among even times on, in steps that double, then in halves.
        let (block, left, mut middle) = self.near((count, next), t);
        let (mut low, mut high) = (block.first, left);
        let mut step = 0usize;
        while low < high {
            if self.time(block, middle) <= t {
                low = middle + 1;
                middle = if high == left { (low + step).min(high - 1) } else { low.midpoint(high) };
            } else {
                high = middle;
                middle = if low == block.first {
                    high.saturating_sub(1 + step).max(low)
                } else {
                    low.midpoint(high)
                };
            }
            step = step.saturating_mul(2).saturating_add(1);
        }
        (block, low)
    }

    /// The block that the same is looked for in, how many records there are up to its end, and where
    /// the last up to `t` likely is: where it would lie if times were even, and from there as far again
    /// as that one is from it.
    #[inline]
    fn near(&self, (count, next): (usize, EventTime), t: EventTime) -> (Block<'m>, usize, usize) {
        let (mut block, mut left, mut next) = (self.newest_block(count), count, next);
        let mut first = self.time(block, block.first);
        while block.first > 0 && first > t {
            (left, next) = (block.first, first);
            block = self.block(block.older);
            first = self.time(block, block.first);
        }
        let (low, high) = (block.first, left.saturating_sub(1).max(block.first));
        let rate = (left - low) as f64 / next.0.saturating_sub(first.0).max(1) as f64;
        let from = |index: usize, time: EventTime| {
            #[expect(clippy::cast_possible_truncation, reason = "it is held within bounds")]
            let further = (t.0.saturating_sub(time.0) as f64 * rate).floor() as isize;
            index.saturating_add_signed(further).clamp(low, high)
        };
        let even = from(low, first);
        (block, left, from(even, self.time(block, even)))
    }

    /// Looks at where an older record will be looked for, once the [newest word](Self::newest_word) was
    /// looked at.
    #[inline]
    pub(crate) fn glance(&self, t: EventTime) -> u64 {
        let next = self.upper_bound();
        if next <= t {
            return 0;
        }
        let count = narrow(link(self.slot, STATE) & COUNTED).saturating_sub(1);
        let (block, _, middle) = self.near((count, next), t);
        self.time(block, middle).0.cast_unsigned()
    }

    /// Those that came late.
    #[inline]
    const fn late(&self, state: u64) -> LateTree<'m> {
        LateTree::new(self.memtable, state >> LATE_AT)
    }

    /// The same, where the newest record is known.
    fn newest_first_of(&self, (state, newest): (u64, Record), t: EventTime) -> NewestFirst<'m> {
        // Less the newest, which is mostly asked for.
        let older = narrow(state & COUNTED).saturating_sub(1);
        let next = event_time(&newest);
        let newest = Some(newest).filter(|_| next <= t);
        let (block, left) =
            if newest.is_some() { (Block::default(), older) } else { self.up_to((older, next), t) };
        let (late, below) = (self.late(state).back(), up_to_moment(t));
        NewestFirst { feature: *self, newest, block, left, late, below }
    }

    /// Adds its revisions, ascending; what was written over in a batch left out.
    pub(crate) fn revisions_into(&self, all: &mut Vec<Revision>) {
        let Some((state, newest)) = self.newest_record() else { return };
        if state >> LATE_AT != 0 {
            let found = self.newest_first_of((state, newest), EventTime::MAX);
            let mut found: Vec<Revision> = found.map(|held| held.revision()).collect();
            // Of equal ones the one that came last is the first.
            found.dedup_by_key(|revision| revision.order);
            all.extend(found.into_iter().rev());
            return;
        }
        let older = narrow(state & COUNTED).saturating_sub(1);
        all.reserve(older + 1);
        self.ordered_into(self.newest_block(older), older, all);
        push_newer(all, self.memtable.held(&newest).revision());
    }

    /// Adds the first so many records of those in order, of which the last are those of a block.
    fn ordered_into(&self, block: Block<'m>, count: usize, all: &mut Vec<Revision>) {
        if block.first > 0 {
            self.ordered_into(self.block(block.older), block.first, all);
        }
        for index in block.first..count {
            push_newer(all, self.memtable.held(&self.record(block, index)).revision());
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

/// Revisions of a feature, newest first.
#[derive(Debug)]
pub(crate) struct NewestFirst<'m> {
    feature: FeatureNode<'m>,
    /// The newest of those that came in order, if it is left.
    newest: Option<Record>,
    /// The block of the last of the others that are left, once one was looked at.
    block: Block<'m>,
    left: usize,
    late: LateBack<'m>,
    /// None of those that are left is above this.
    below: Order,
}

impl NewestFirst<'_> {
    /// Waits side by side for what the next of those that came in order say, up to so many: for who will
    /// read one after the other. How many there were, of which all lie in one block.
    #[inline]
    pub(crate) fn fetch_ahead(&mut self, count: usize) -> usize {
        if self.left == 0 {
            return 0;
        }
        self.enter_block(self.left - 1);
        let low = self.left.saturating_sub(count).max(self.block.first);
        let mut seen = 0;
        for index in (low..self.left).rev() {
            seen ^= self.feature.memtable.ends_of_raw(&self.feature.record(self.block, index));
        }
        std::hint::black_box(seen);
        self.left - low
    }

    /// Goes back to the block of a record below the last one that was looked at.
    #[inline]
    fn enter_block(&mut self, index: usize) {
        if self.block.records.is_empty() {
            self.block = self.feature.newest_block(index + 1);
        } else if index < self.block.first {
            self.block = self.feature.block(self.block.older);
        }
    }

    /// The next one of those that came in order.
    #[inline]
    fn ordered(&mut self) -> Option<Record> {
        if self.newest.is_some() {
            return self.newest;
        }
        let index = self.left.checked_sub(1)?;
        self.enter_block(index);
        Some(self.feature.record(self.block, index))
    }

    /// It was handed out.
    #[inline]
    const fn pass(&mut self) {
        if self.newest.take().is_none() {
            self.left = self.left.saturating_sub(1);
        }
    }
}

impl<'m> Iterator for NewestFirst<'m> {
    type Item = Held<'m>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let ordered = self.ordered();
        let may_be_late = ordered.as_ref().is_none_or(has_late);
        let late = if may_be_late { self.late.up_to(&self.below) } else { None };
        let is_late = match (&ordered, &late) {
            (Some(ordered), Some(late)) => self.feature.is_newer(late, ordered),
            _ => late.is_some(),
        };
        let record = if is_late {
            late
        } else {
            self.pass();
            ordered
        };
        let held = self.feature.memtable.held(&record?);
        self.below = just_below(held.order);
        Some(held)
    }
}
