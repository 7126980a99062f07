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
//! comes late goes to a [tree](crate::state::memtable::late) beside them.
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

use asofdb_format::ids::{EventTime, SourceId};
use asofdb_format::revision::{Order, Revision};
use asofdb_format::wire::narrow;

pub(crate) use self::falling::Falling;
pub(crate) use self::number::{Newest, Number};
use crate::state::arena::{Place, get, link, set, set_link};
use crate::state::memtable::late::{LateBack, LateTree};
use crate::state::memtable::record::{HALF, Incoming, RECORD, Record, event_time};
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

    /// Words of the newest block and of the root of those that came late: to have them at hand for what
    /// comes next.
    #[inline]
    pub(crate) fn newest_word(&self) -> u64 {
        let late = self.late(get(self.slot, STATE)).first_word();
        get(self.memtable.arena.words(get(self.slot, NEWEST), 1), 0) ^ late
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
        grown + more
    }

    /// A record by its place among the feature's, in its block.
    #[inline]
    fn record(&self, block: Block<'m>, index: usize) -> Record {
        let at = (index - block.first) * RECORD;
        let words = block.records.get(at..at + RECORD).unwrap_or_default();
        std::array::from_fn(|word| get(words, word))
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
    ) -> Option<Revision> {
        let (state, newest) = self.newest_record()?;
        // What came late is below the newest, which is mostly seen.
        if event_time(&newest) <= t {
            let revision = self.memtable.revision_of(&newest);
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
                late: self.late(0).back(),
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
    const fn late(&self, state: u64) -> LateTree<'m> {
        LateTree::new(self.memtable, state >> LATE_AT)
    }

    /// The same, where the newest record is known.
    fn newest_first_of(&self, (state, newest): (u64, Record), t: EventTime) -> NewestFirst<'m> {
        let newest = Some(newest).filter(|newest| event_time(newest) <= t);
        // Less the newest, which is mostly asked for.
        let older = narrow(state & COUNTED).saturating_sub(1);
        let (block, left) =
            if newest.is_some() { (Block::default(), older) } else { self.up_to(older, t) };
        NewestFirst { feature: *self, newest, block, left, late: self.late(state).back_from(t) }
    }

    /// Adds its revisions, ascending; what was written over in a batch left out.
    pub(crate) fn revisions_into(&self, all: &mut Vec<Revision>) {
        let Some((state, newest)) = self.newest_record() else { return };
        if state >> LATE_AT != 0 {
            let found = self.newest_first_of((state, newest), EventTime::MAX);
            let mut found: Vec<Revision> = found.map(|(_, revision)| revision).collect();
            // Of equal ones the one that came last is the first.
            found.dedup_by_key(|revision| revision.order);
            all.extend(found.into_iter().rev());
            return;
        }
        let older = narrow(state & COUNTED).saturating_sub(1);
        all.reserve(older + 1);
        self.ordered_into(self.newest_block(older), older, all);
        push_newer(all, self.memtable.revision_of(&newest));
    }

    /// Adds the first so many records of those in order, of which the last are those of a block.
    fn ordered_into(&self, block: Block<'m>, count: usize, all: &mut Vec<Revision>) {
        if block.first > 0 {
            self.ordered_into(self.block(block.older), block.first, all);
        }
        for index in block.first..count {
            push_newer(all, self.memtable.revision_of(&self.record(block, index)));
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
}

impl NewestFirst<'_> {
    /// The next one of those that came in order.
    #[inline]
    fn ordered(&mut self) -> Option<Record> {
        if self.newest.is_some() {
            return self.newest;
        }
        let index = self.left.checked_sub(1)?;
        if self.block.records.is_empty() {
            self.block = self.feature.newest_block(self.left);
        } else if index < self.block.first {
            self.block = self.feature.block(self.block.older);
        }
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

impl Iterator for NewestFirst<'_> {
    type Item = (Order, Revision);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (ordered, late) = (self.ordered(), self.late.last());
        let is_late = match (&ordered, &late) {
            (Some(ordered), Some(late)) => self.feature.is_newer(late, ordered),
            _ => late.is_some(),
        };
        let record = if is_late {
            self.late.pass();
            late
        } else {
            self.pass();
            ordered
        };
        let revision = self.feature.memtable.revision_of(&record?);
        Some((revision.order, revision))
    }
}
