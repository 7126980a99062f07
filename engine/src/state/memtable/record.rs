//! What a revision is in a memtable: four words.
//!
//! ```text
//! record   0  event time
//!          1  commit
//!          2  bits of a number, or the place of bytes among those of the memtable
//!             or, if it has a known time, the place of a pair: known time, and that
//!          3  source | kind << 32 | what the value is << 34 | has a known time << 36
//!             | of one in order: some that came late are between it and the next << 37
//! ```

use asofdb_format::batch::{Entry, EntryValue};
use asofdb_format::ids::{Commit, EventTime, FeatureId, KnownTime, SourceId};
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::value::Kind;
use asofdb_format::wire::{low_byte, narrow, wide};
use bytes::Bytes;

use crate::state::append::allocated;
use crate::state::arena::{Lots, get, set};
use crate::state::memtable::Memtable;

/// The words of a record.
pub(super) const RECORD: usize = 4;

/// The words.
pub(super) type Record = [u64; RECORD];

pub(super) const HALF: u64 = 0xffff_ffff;
pub(super) const KIND_AT: u32 = 32;
pub(super) const VALUE_AT: u32 = 34;
pub(super) const BITS: u64 = 1;
pub(super) const HAS_KNOWN: u64 = 1 << 36;
pub(super) const HAS_LATE: u64 = 1 << 37;

/// The word of a record that tells what it is.
pub(super) const WHAT: usize = 3;

const RAW: u64 = 2;

/// What [`Bytes`] take beside themselves when they are first cloned, as a flush does.
const SHARED: usize = 24;

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
}

/// A revision where a memtable holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'m> {
    pub(crate) order: Order,
    pub(crate) kind: Kind,
    pub(crate) source: SourceId,
    pub(crate) value: HeldValue<'m>,
}

/// What it says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HeldValue<'m> {
    None,
    Bits(u64),
    Raw(&'m Bytes),
}

impl Held<'_> {
    /// The same for who keeps it.
    pub(crate) fn revision(&self) -> Revision {
        let payload = match self.value {
            HeldValue::None => Payload::None,
            HeldValue::Bits(bits) => Payload::Bits(bits),
            HeldValue::Raw(raw) => Payload::Raw(raw.clone()),
        };
        Revision { order: self.order, kind: self.kind, source: self.source, payload }
    }
}

impl Memtable {
    /// A record of what is put in, and how many bytes of memory the memtable grew by.
    pub(super) fn record_of(&self, words: &Lots<'_>, put: &Incoming<'_>) -> (Record, usize) {
        let mut grown = 0;
        let (what, value) = match put.value {
            EntryValue::None => (0, 0),
            EntryValue::Bits(bits) => (BITS, bits),
            EntryValue::Raw(raw) => {
                grown += allocated(raw.len()) + allocated(SHARED);
                let raw = Bytes::copy_from_slice(raw);
                let _one = self.listing.lock();
                let place = wide(self.raws.len());
                grown += self.raws.push(raw);
                (RAW, place)
            }
        };
        let own_known = put.order.known_time.0 != put.order.commit.0;
        let value = if own_known {
            let (place, more) = words.take(2);
            grown += more;
            let pair = self.arena.words(place, 2);
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

    #[inline]
    pub(super) fn order_of(&self, record: &Record) -> Order {
        let [event_time, commit, value, meta] = *record;
        let known = if meta & HAS_KNOWN == 0 { commit } else { get(self.arena.words(value, 2), 0) };
        Order {
            event_time: EventTime(event_time.cast_signed()),
            known_time: KnownTime(known.cast_signed()),
            commit: Commit(commit.cast_signed()),
        }
    }

    /// What the third word of a record says beside a known time.
    #[inline]
    pub(super) fn value_word(&self, [_, _, value, meta]: &Record) -> u64 {
        if meta & HAS_KNOWN == 0 { *value } else { get(self.arena.words(*value, 2), 1) }
    }

    #[inline]
    pub(super) fn held(&self, record: &Record) -> Held<'_> {
        let [.., meta] = *record;
        let value = match meta >> VALUE_AT & 3 {
            BITS => HeldValue::Bits(self.value_word(record)),
            RAW => self.raw_of(record).map_or(HeldValue::None, HeldValue::Raw),
            _ => HeldValue::None,
        };
        Held {
            order: self.order_of(record),
            kind: kind(meta),
            source: SourceId(u32::try_from(meta & HALF).unwrap_or_default()),
            value,
        }
    }

    #[inline]
    fn raw_of(&self, record: &Record) -> Option<&Bytes> {
        self.raws.get(narrow(self.value_word(record)))
    }

    /// Something of both ends of a text, bytes or a vector: to have it at hand for what comes next.
    #[inline]
    pub(super) fn ends_of_raw(&self, record: &Record) -> u8 {
        let [.., meta] = *record;
        let raw = if meta >> VALUE_AT & 3 == RAW { self.raw_of(record) } else { None };
        raw.and_then(|raw| Some(raw.first()? ^ raw.last()?)).unwrap_or_default()
    }
}

#[inline]
pub(super) fn event_time(record: &Record) -> EventTime {
    let [event_time, ..] = record;
    EventTime(event_time.cast_signed())
}

/// Whether some that came late are between a record and the next one in order.
#[inline]
pub(super) const fn has_late([.., what]: &Record) -> bool {
    *what & HAS_LATE != 0
}

/// Only what has a tag was put in.
#[inline]
pub(super) fn kind(meta: u64) -> Kind {
    Kind::from_tag(low_byte(meta >> KIND_AT & 3)).unwrap_or(Kind::Null)
}
