//! What a feature's newest record up to a moment says where its event time, its commit and a number
//! are all that there is to know: for a reader who asks for no known time, of a value that, if there
//! is one, is a number.

use asofdb_format::ids::{Commit, EventTime};
use asofdb_format::value::Kind;
use asofdb_format::wire::narrow;

use crate::state::arena::{get, link};
use crate::state::memtable::feature::{COUNTED, FeatureNode, OWN, STATE};
use crate::state::memtable::late::up_to_moment;
use crate::state::memtable::record::{
    BITS, HALF, HAS_KNOWN, KIND_AT, Record, VALUE_AT, event_time, has_late, kind,
};

/// The newest record up to a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Newest {
    /// There is none.
    Nothing,
    Number(Number),
    /// There is more to know than a number.
    More,
}

/// What a record says, but for its source and its known time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    pub(crate) event_time: EventTime,
    pub(crate) commit: Commit,
    pub(crate) kind: Kind,
    pub(crate) bits: u64,
}

impl FeatureNode<'_> {
    /// No record that a reader may see is above this, late ones included: a record is late because
    /// one above it is there. What is being put in is of a commit that nobody sees yet.
    #[inline(always)]
    pub(crate) fn upper_bound(&self) -> EventTime {
        EventTime(get(self.slot, OWN).cast_signed())
    }

    /// The newest record where it is such a number and has a value, as nearly all are, and whether
    /// there is no other; `None`: there may be more to know.
    #[inline(always)]
    pub(crate) fn newest_value(&self) -> Option<(Number, bool)> {
        const NOT_PLAIN: u64 = HAS_KNOWN | 3 << VALUE_AT | 3 << KIND_AT;
        const PLAIN: u64 = BITS << VALUE_AT | (Kind::Value.tag() as u64) << KIND_AT;
        let state = link(self.slot, STATE);
        let [event_time, commit, bits, meta] = self.own_words();
        let is_one = (state & HALF).wrapping_sub(1) < COUNTED
            && (link(self.slot, STATE) ^ state) & HALF == 0;
        let (event_time, commit) =
            (EventTime(event_time.cast_signed()), Commit(commit.cast_signed()));
        let number = Number { event_time, commit, kind: Kind::Value, bits };
        (is_one && meta & NOT_PLAIN == PLAIN).then_some((number, state == 1))
    }

    /// The newest record up to a moment.
    #[inline]
    pub(crate) fn number_up_to(&self, t: EventTime) -> Newest {
        let Some((state, newest)) = self.newest_record() else { return Newest::Nothing };
        // What came late is below the newest.
        if event_time(&newest) <= t {
            return self.number(&newest);
        }
        let older = narrow(state & COUNTED).saturating_sub(1);
        let (block, up_to) = self.up_to((older, event_time(&newest)), t);
        let ordered = up_to.checked_sub(1).map(|index| self.record(block, index));
        if let Some(ordered) = &ordered
            && !has_late(ordered)
        {
            return self.number(ordered);
        }
        self.newer_of(ordered, self.late(state).back().up_to(&up_to_moment(t)))
    }

    /// The newer of a record that came in order and of one that came late.
    #[inline]
    pub(super) fn newer_of(&self, ordered: Option<Record>, late: Option<Record>) -> Newest {
        let newer = match (&ordered, &late) {
            (Some(in_order), Some(late_one)) if !self.is_newer(late_one, in_order) => ordered,
            (_, Some(_)) => late,
            (_, None) => ordered,
        };
        newer.map_or(Newest::Nothing, |newer| self.number(&newer))
    }

    #[inline]
    pub(super) fn number(&self, record: &Record) -> Newest {
        let [event_time, commit, _, meta] = *record;
        let (what, kind) = (meta >> VALUE_AT & 3, kind(meta));
        if what != BITS && (what != 0 || kind == Kind::Value) {
            return Newest::More;
        }
        let bits = self.memtable.value_word(record);
        Newest::Number(Number {
            event_time: EventTime(event_time.cast_signed()),
            commit: Commit(commit.cast_signed()),
            kind,
            bits,
        })
    }
}
