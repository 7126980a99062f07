//! The head of one entity in a table: the newest version of each of its features, read in place.
//!
//! ```text
//! u16      length of the entity
//! u16      number of features N, less one
//! u8       width of the ids: 1, 2, 4, or 0: a run (low four bits)
//!          | width of the times: 0 to 8 (high four bits)
//! u8       width of the commits: 0 to 8, or 15: the timeline tells them (low four bits)
//!          | flags (high four bits):
//!              1 known times of their own | 2 has sources | 4 has kinds
//! u8       how the numbers are written: 0 slots | 1 in four bytes, each with a code of its own | else
//!          in four bytes, with this [code](narrow)
//! u8       zero
//! u32      length of the entity's chunk in the history section, 0: it has none
//! u32      length of the entity's heap behind the chunk
//! u64      where the chunk begins, in the history section
//! u64      where the entity's far values begin, in the far section
//! i64      greatest event time T of the N versions
//! i64      greatest commit C of the N versions
//! entity
//! ids      N feature ids, ascending; a run: a u32, the first, and each is one more than the one
//!          before
//! times    N differences T - event time
//! commits  N differences C - commit, unless each is the one that the table's
//!          [timeline](crate::timeline) tells of the event time
//! known    N u64 differences commit - known time          if flagged; else known at the commit
//! sources  N u32 source ids                               if flagged; else none
//! kinds    N u8 kinds                                     if flagged; else all are values
//! codes    N u8                                           if each has its own
//! values   N u64 slots: the bits of a number, or where the bytes are; or N times four bytes
//! near     short bytes
//!
//! slot of bytes:  bit 63: far | bits 38-62: length | bits 0-37: start, among the near bytes or
//!                 from the entity's start in the far section
//! ```
//!
//! Numbers are where a read looks first and lie side by side; bytes of up to [`NEAR_LEN`] lie in
//! the same record, longer ones in the far section, so that they do not part the numbers.

mod narrow;

use self::narrow::Narrow;
use crate::ids::{Commit, EventTime, FeatureId, KnownTime, SourceId};
use crate::revision::{Order, Payload, Revision};
use crate::timeline::{self, Timeline};
use crate::value::{Kind, MAX_VALUE_LEN};
use crate::wire::{Decoded, Malformed, Writer, low_byte, put_uint, uint, uint_width, wide, window};

/// Bytes of up to this length lie in the head itself.
pub const NEAR_LEN: usize = 64;

/// The bytes of a head before the entity.
pub const FIXED_LEN: usize = 48;

const FIXED: u32 = 48;

/// The most features of one head.
pub const MAX_FEATURES: usize = 1 << 16;

const OWN_KNOWN: u8 = 1;
const HAS_SOURCES: u8 = 2;
const HAS_KINDS: u8 = 4;
/// How long the first id of a run is.
const RUN_LEN: usize = 4;
/// The width of commits that the timeline tells.
const BY_TIME: u8 = 15;
/// Values are slots.
const SLOTS: u8 = 0;
/// Values are numbers in four bytes, each with a code of its own.
const OWN_CODES: u8 = 1;
const FAR: u64 = 1 << 63;
const START_BITS: u32 = 38;

/// Where an entity's history lies in a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HistoryPlace {
    /// Where the chunk begins, in the history section.
    pub start: u64,
    /// How long the chunk is; 0 if there is none.
    pub chunk_len: u32,
    /// How long the heap behind it is.
    pub heap_len: u32,
}

/// Writes the head of an entity whose newest versions are given ascending by feature, for a table
/// that has this timeline; whether the timeline tells their commits.
pub fn encode(
    entity: &[u8],
    newest: &[(FeatureId, &Revision)],
    history: HistoryPlace,
    timeline: &Timeline,
    (out, far): (&mut Vec<u8>, &mut Vec<u8>),
) -> bool {
    let far_start = far.len();
    let orders = || newest.iter().map(|(_, revision)| revision.order);
    let top_time = orders().map(|order| order.event_time.0).max().unwrap_or_default();
    let top_commit = orders().map(|order| order.commit.0).max().unwrap_or_default();
    let behind_time = |order: Order| top_time.abs_diff(order.event_time.0);
    let behind_commit = |order: Order| top_commit.abs_diff(order.commit.0);
    let id_width = match newest.last() {
        _ if newest.len() > RUN_LEN && is_run(newest.iter().map(|(id, _)| *id)) => 0,
        Some((FeatureId(id), _)) if *id > 0xffff => 4,
        Some((FeatureId(id), _)) if *id > 0xff => 2,
        _ => 1,
    };
    let time_width = uint_width(orders().map(behind_time).max().unwrap_or_default());
    let commit_width = uint_width(orders().map(behind_commit).max().unwrap_or_default());
    let told = |order: Order| timeline.commit_of(order.event_time) == Some(order.commit);
    let by_time = commit_width > 0 && orders().all(told);
    let own_known = orders().any(|order| order.commit.0 != order.known_time.0);
    let has_sources = newest.iter().any(|(_, revision)| revision.source != SourceId::NONE);
    let has_kinds = newest.iter().any(|(_, revision)| revision.kind != Kind::Value);
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let flags =
        flag(own_known, OWN_KNOWN) | flag(has_sources, HAS_SOURCES) | flag(has_kinds, HAS_KINDS);
    let narrow = Narrow::of(newest);
    let form = match narrow.as_ref().map(|narrow| narrow.codes.as_slice()) {
        None => SLOTS,
        Some([code]) => *code,
        Some(_) => OWN_CODES,
    };
    let small = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let half = |n: usize| u8::try_from(n).unwrap_or(8);

    out.put_u16(small(entity.len()));
    out.put_u16(small(newest.len().saturating_sub(1)));
    out.push(half(id_width) | half(time_width) << 4);
    out.push(if by_time { BY_TIME } else { half(commit_width) } | flags << 4);
    out.extend_from_slice(&[form, 0]);
    out.put_u32(history.chunk_len);
    out.put_u32(history.heap_len);
    out.put_u64(history.start);
    out.put_u64(wide(far_start));
    out.put_i64(top_time);
    out.put_i64(top_commit);
    out.extend_from_slice(entity);
    match newest.first() {
        Some((first, _)) if id_width == 0 => out.put_u32(first.0),
        _ => newest.iter().for_each(|(id, _)| put_uint(out, u64::from(id.0), id_width)),
    }
    orders().for_each(|order| put_uint(out, behind_time(order), time_width));
    if !by_time {
        orders().for_each(|order| put_uint(out, behind_commit(order), commit_width));
    }
    if own_known {
        orders().for_each(|order| out.put_u64(order.commit.0.abs_diff(order.known_time.0)));
    }
    if has_sources {
        newest.iter().for_each(|(_, revision)| out.put_u32(revision.source.0));
    }
    if has_kinds {
        newest.iter().for_each(|(_, revision)| out.push(revision.kind.tag()));
    }
    if let Some(narrow) = narrow {
        if form == OWN_CODES {
            out.extend_from_slice(&narrow.codes);
        }
        out.extend_from_slice(narrow.fours.as_flattened());
        return by_time;
    }
    let mut near = Vec::new();
    for (_, revision) in newest {
        let slot = match &revision.payload {
            Payload::None => 0,
            Payload::Bits(bits) => *bits,
            Payload::Raw(raw) => {
                let len = wide(raw.len()) << START_BITS;
                if raw.len() <= NEAR_LEN {
                    near.extend_from_slice(raw);
                    len | wide(near.len() - raw.len())
                } else {
                    far.extend_from_slice(raw);
                    FAR | len | wide(far.len() - raw.len() - far_start)
                }
            }
        };
        out.put_u64(slot);
    }
    out.extend_from_slice(&near);
    by_time
}

/// Times that lie so far behind the greatest one.
#[inline]
fn rise_to<'o, const WIDTH: usize>(
    top: i64,
    behind: &[[u8; WIDTH]],
    out: impl Iterator<Item = &'o mut i64>,
    integer: impl Fn([u8; WIDTH]) -> u64,
) {
    for (out, behind) in out.zip(behind) {
        *out = top.wrapping_sub_unsigned(integer(*behind));
    }
}

/// Whether each id is one more than the one before.
pub(crate) fn is_run(ids: impl Iterator<Item = FeatureId> + Clone) -> bool {
    ids.clone().zip(ids.skip(1)).all(|(one, next)| one.0.checked_add(1) == Some(next.0))
}

/// The place of a feature in a run of so many from a first one on, searched from a place on.
#[inline]
pub(crate) fn place_in_run(
    feature: FeatureId,
    first: FeatureId,
    from: usize,
    count: usize,
) -> Result<usize, usize> {
    match feature.0.checked_sub(first.0).map(|place| place as usize) {
        Some(place) if (from..count).contains(&place) => Ok(place),
        Some(place) => Err(place.clamp(from, count.max(from))),
        None => Err(from),
    }
}

/// What the first [`FIXED_LEN`] bytes of a head tell: where its parts are.
#[derive(Clone, Copy, Debug)]
pub struct HeadShape {
    /// Where the entity's history is.
    pub history: HistoryPlace,
    far_start: u64,
    top_time: i64,
    top_commit: i64,
    count: u32,
    // Where each part begins; no part begins at 0.
    ids: u32,
    times: u32,
    commits: u32,
    known: u32,
    sources: u32,
    kinds: u32,
    codes: u32,
    values: u32,
    near: u32,
    /// [`SLOTS`], [`OWN_CODES`] or a code.
    form: u8,
    id_width: u8,
    time_width: u8,
    /// [`BY_TIME`], or how many bytes.
    commit_width: u8,
}

impl HeadShape {
    /// Reads the first [`FIXED_LEN`] bytes of a head, which may go on behind them.
    #[inline]
    pub fn decode(fixed: &[u8]) -> Decoded<Self> {
        let Some(fixed) = fixed.first_chunk::<FIXED_LEN>() else {
            return Err(Malformed::new(wide(fixed.len()), "more bytes than there are"));
        };
        let first = window(fixed, 0);
        let lengths = window(fixed, 8);
        let half = |n: u64| u32::try_from(n & 0xffff_ffff).unwrap_or_default();
        let (entity_len, count) = (half(first & 0xffff), half(first >> 16 & 0xffff) + 1);
        let id_width = low_byte(first >> 32 & 15);
        let time_width = low_byte(first >> 36 & 15);
        let commit_width = low_byte(first >> 40 & 15);
        let flags = low_byte(first >> 44 & 15);
        let widths_are_good = matches!(id_width, 0 | 1 | 2 | 4)
            && time_width <= 8
            && (commit_width <= 8 || commit_width == BY_TIME);
        if !widths_are_good || flags > 7 {
            return Err(Malformed::new(4, "the widths and flags of a head"));
        }
        let form = low_byte(first >> 48 & 0xff);
        if !matches!(form, SLOTS | OWN_CODES) && !narrow::is_code(form) || first >> 56 != 0 {
            return Err(Malformed::new(6, "how the numbers of a head are written"));
        }
        // At most 2^16 features of 41 bytes each.
        let ids = FIXED + entity_len;
        let times = match id_width {
            0 => ids + 4,
            width => ids + count * u32::from(width),
        };
        let commits = times + count * u32::from(time_width);
        let known = match commit_width {
            BY_TIME => commits,
            width => commits + count * u32::from(width),
        };
        let width_if = |flag: u8, width: u32| if flags & flag == 0 { 0 } else { width };
        let sources = known + count * width_if(OWN_KNOWN, 8);
        let kinds = sources + count * width_if(HAS_SOURCES, 4);
        let codes = kinds + count * width_if(HAS_KINDS, 1);
        let values = if form == OWN_CODES { codes + count } else { codes };
        let near = values + count * if form == SLOTS { 8 } else { 4 };
        let place_if = |flag: u8, place: u32| if flags & flag == 0 { 0 } else { place };
        Ok(Self {
            history: HistoryPlace {
                start: window(fixed, 16),
                chunk_len: half(lengths),
                heap_len: half(lengths >> 32),
            },
            far_start: window(fixed, 24),
            top_time: window(fixed, 32).cast_signed(),
            top_commit: window(fixed, 40).cast_signed(),
            count,
            ids,
            times,
            commits,
            known: place_if(OWN_KNOWN, known),
            sources: place_if(HAS_SOURCES, sources),
            kinds: place_if(HAS_KINDS, kinds),
            codes,
            values,
            near,
            form,
            id_width,
            time_width,
            commit_width,
        })
    }

    /// Where the near bytes begin, counted from the head's start: the head is at least so long.
    #[must_use]
    pub const fn near_start(&self) -> usize {
        self.near as usize
    }
}

/// A head, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    bytes: &'a [u8],
    shape: HeadShape,
}

/// Where the value of a head's version is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// Bytes in the heads section, counted from the head's start.
    Near {
        /// Where they start.
        start: u64,
        /// Where they end.
        end: u64,
    },
    /// Bytes in the far section, counted from its start.
    Far {
        /// Where they start.
        start: u64,
        /// Where they end.
        end: u64,
    },
}

impl<'a> Head<'a> {
    /// Reads the head at the start of these bytes, which may go on behind it.
    #[inline]
    pub fn decode(bytes: &'a [u8]) -> Decoded<Self> {
        Self::of(HeadShape::decode(bytes)?, bytes)
    }

    /// The head of this shape at the start of these bytes.
    #[inline]
    pub const fn of(shape: HeadShape, bytes: &'a [u8]) -> Decoded<Self> {
        if bytes.len() < shape.near as usize {
            return Err(Malformed::new(wide(bytes.len()), "more bytes than there are"));
        }
        Ok(Self { bytes, shape })
    }

    /// Where the entity's history is.
    #[must_use]
    #[inline]
    pub const fn history(&self) -> HistoryPlace {
        self.shape.history
    }

    /// The entity.
    #[must_use]
    #[inline]
    pub fn entity(&self) -> &'a [u8] {
        self.bytes.get(FIXED_LEN..self.shape.ids as usize).unwrap_or_default()
    }

    /// How many features it has, at least one.
    #[must_use]
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a head is never empty")]
    pub const fn len(&self) -> usize {
        self.shape.count as usize
    }

    /// The greatest event time of its versions.
    #[must_use]
    #[inline]
    pub const fn top_time(&self) -> EventTime {
        EventTime(self.shape.top_time)
    }

    /// The greatest commit of its versions.
    #[must_use]
    #[inline]
    pub const fn top_commit(&self) -> Commit {
        Commit(self.shape.top_commit)
    }

    /// The ids of its features, as they are written: so many bytes each, or the first of a run.
    #[must_use]
    #[inline]
    pub fn ids(&self) -> (usize, &'a [u8]) {
        let ids = self.shape.ids as usize..self.shape.times as usize;
        (usize::from(self.shape.id_width), self.bytes.get(ids).unwrap_or_default())
    }

    /// The i-th integer of a part whose integers have so many bytes.
    #[inline]
    fn integer(&self, part: u32, index: usize, width: u8) -> u64 {
        let width = usize::from(width);
        uint(self.bytes, part as usize + index * width, width)
    }

    /// The i-th feature.
    #[must_use]
    #[inline]
    pub fn feature(&self, index: usize) -> FeatureId {
        let id = match self.shape.id_width {
            0 => self.integer(self.shape.ids, 0, 4).saturating_add(wide(index)),
            width => self.integer(self.shape.ids, index, width),
        };
        FeatureId(u32::try_from(id).unwrap_or(u32::MAX))
    }

    /// The place of a feature, searched from a place on: a caller who asks in ascending order
    /// passes what it was told last.
    #[inline]
    pub fn find(&self, feature: FeatureId, from: usize) -> Result<usize, usize> {
        let (mut low, mut high) = (from, self.len());
        // Callers mostly ask for the very next one.
        if low < high && self.feature(low) == feature {
            return Ok(low);
        }
        if self.shape.id_width == 0 {
            return place_in_run(feature, self.feature(0), from, high);
        }
        while low < high {
            let middle = low.midpoint(high);
            match self.feature(middle).cmp(&feature) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The i-th event time.
    #[must_use]
    #[inline]
    pub fn event_time(&self, index: usize) -> EventTime {
        let behind = self.integer(self.shape.times, index, self.shape.time_width);
        EventTime(self.shape.top_time.wrapping_sub_unsigned(behind))
    }

    /// The i-th version's place in the order, in a table that has this timeline.
    #[inline]
    pub fn order(&self, index: usize, timeline: &Timeline) -> Decoded<Order> {
        let event_time = self.event_time(index);
        let commit = match self.shape.commit_width {
            BY_TIME => timeline.commit_of(event_time).ok_or(timeline::MISSING)?.0,
            width => {
                let behind = self.integer(self.shape.commits, index, width);
                self.shape.top_commit.wrapping_sub_unsigned(behind)
            }
        };
        let unknown = match self.shape.known {
            0 => 0,
            known => self.integer(known, index, 8),
        };
        Ok(Order {
            event_time,
            known_time: KnownTime(commit.wrapping_sub_unsigned(unknown)),
            commit: Commit(commit),
        })
    }

    /// The i-th version's source.
    #[must_use]
    #[inline]
    pub fn source(&self, index: usize) -> SourceId {
        let id = match self.shape.sources {
            0 => 0,
            sources => self.integer(sources, index, 4),
        };
        SourceId(u32::try_from(id).unwrap_or(u32::MAX))
    }

    /// The i-th version's kind.
    #[inline]
    pub fn kind(&self, index: usize) -> Decoded<Kind> {
        if self.is_all_values() {
            return Ok(Kind::Value);
        }
        let kinds = self.shape.kinds as usize;
        self.bytes
            .get(kinds + index)
            .copied()
            .and_then(Kind::from_tag)
            .ok_or(Malformed::new(wide(kinds), "the kind of a version"))
    }

    /// The i-th version's number.
    #[must_use]
    #[inline]
    pub fn bits(&self, index: usize) -> u64 {
        if self.shape.form == SLOTS {
            return self.integer(self.shape.values, index, 8);
        }
        let four = self.fours().get(index).copied().unwrap_or_default();
        narrow::bits(four, self.code(index))
    }

    /// Whether there is such a code as the one by which the i-th number is written, if any.
    #[must_use]
    pub fn is_known_form(&self, index: usize) -> bool {
        self.shape.form == SLOTS || narrow::is_code(self.code(index))
    }

    #[inline]
    fn code(&self, index: usize) -> u8 {
        match self.shape.form {
            OWN_CODES => {
                let codes = self.bytes.get(self.shape.codes as usize..).unwrap_or_default();
                codes.get(index).copied().unwrap_or_default()
            }
            code => code,
        }
    }

    #[inline]
    fn fours(&self) -> &'a [[u8; 4]] {
        let values = self.shape.values as usize..self.shape.near as usize;
        self.bytes.get(values).unwrap_or_default().as_chunks().0
    }

    /// The event times of the versions from the first on, as many as there is room for.
    #[inline]
    pub fn event_times_into(&self, out: &mut [i64]) {
        let top = self.shape.top_time;
        let (from, width) = (self.shape.times as usize, usize::from(self.shape.time_width));
        let out = out.iter_mut().take(self.len());
        let behind = self.bytes.get(from..).unwrap_or_default();
        // Some widths are read several at a time.
        match width {
            0 => out.for_each(|out| *out = top),
            2 => rise_to(top, behind.as_chunks().0, out, |two| u64::from(u16::from_le_bytes(two))),
            4 => {
                rise_to(top, behind.as_chunks().0, out, |four| u64::from(u32::from_le_bytes(four)))
            }
            8 => rise_to(top, behind.as_chunks().0, out, u64::from_le_bytes),
            _ => {
                for (index, out) in out.enumerate() {
                    *out = self.event_time(index).0;
                }
            }
        }
    }

    /// The numbers of the versions from the first on, as many as there is room for.
    #[inline]
    pub fn bits_into(&self, out: &mut [u64]) {
        match self.shape.form {
            SLOTS => {
                let values = self.bytes.get(self.shape.values as usize..).unwrap_or_default();
                let (eights, _) = values.as_chunks::<8>();
                for (out, eight) in out.iter_mut().zip(eights).take(self.len()) {
                    *out = u64::from_le_bytes(*eight);
                }
            }
            OWN_CODES => {
                for (index, out) in out.iter_mut().enumerate().take(self.len()) {
                    *out = self.bits(index);
                }
            }
            code => narrow::bits_into(self.fours(), code, out),
        }
    }

    /// Whether all of its versions are values.
    #[must_use]
    #[inline]
    pub const fn is_all_values(&self) -> bool {
        self.shape.kinds == 0
    }

    /// Where the i-th version's bytes are, if the feature's values are bytes.
    pub fn raw(&self, index: usize) -> Decoded<Slot> {
        let fault = Malformed::new(u64::from(self.shape.values), "the place of a value");
        if self.shape.form != SLOTS {
            return Err(fault);
        }
        let slot = self.bits(index);
        let len = (slot & !FAR) >> START_BITS;
        let start = slot & ((1 << START_BITS) - 1);
        if len > wide(MAX_VALUE_LEN) {
            return Err(fault);
        }
        if slot & FAR != 0 {
            let start = self.shape.far_start.checked_add(start).ok_or(fault.clone())?;
            let end = start.checked_add(len).ok_or(fault)?;
            return Ok(Slot::Far { start, end });
        }
        let start = u64::from(self.shape.near).saturating_add(start);
        Ok(Slot::Near { start, end: start + len })
    }

    /// Where the near bytes begin, counted from the head's start: the head is at least so long.
    #[must_use]
    pub const fn near_start(&self) -> usize {
        self.shape.near_start()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn revision(e: i64, known: i64, c: i64, kind: Kind, payload: Payload) -> Revision {
        let order =
            Order { event_time: EventTime(e), known_time: KnownTime(known), commit: Commit(c) };
        Revision { order, kind, source: SourceId(0), payload }
    }

    #[test]
    fn versions_of_every_kind_and_length_come_back() {
        let mut sourced = revision(i64::MAX, -7, 3, Kind::Value, Payload::Bits(u64::MAX));
        sourced.source = SourceId(9);
        let all = [
            revision(i64::MIN, i64::MIN, 1, Kind::Null, Payload::None),
            sourced,
            revision(0, 2, 2, Kind::Value, Payload::Raw(Bytes::from_static(b"near"))),
            revision(0, 2, 2, Kind::Value, Payload::Raw(Bytes::from(vec![5; 1000]))),
            revision(0, 2, 2, Kind::Value, Payload::Raw(Bytes::new())),
        ];
        let ids = [0, 7, 300, 301, 65_535].map(FeatureId);
        let newest: Vec<_> = ids.into_iter().zip(&all).collect();
        let history = HistoryPlace { start: 77, chunk_len: 5, heap_len: 6 };
        let (mut out, mut far) = (Vec::new(), vec![1, 2, 3]);
        let none = Timeline::none();
        encode(b"entity", &newest, history, &none, (&mut out, &mut far));
        let head = Head::decode(&out).unwrap();
        assert_eq!(head.entity(), b"entity");
        assert_eq!(head.history(), history);
        assert_eq!(HeadShape::decode(&out).unwrap().near_start(), head.near_start());
        for (index, (id, revision)) in newest.iter().enumerate() {
            assert_eq!(head.find(*id, 0), Ok(index));
            assert_eq!(head.order(index, &none), Ok(revision.order));
            assert_eq!(head.kind(index), Ok(revision.kind));
            assert_eq!(head.source(index), revision.source);
            match &revision.payload {
                Payload::None => {}
                Payload::Bits(bits) => assert_eq!(head.bits(index), *bits),
                Payload::Raw(raw) => match head.raw(index).unwrap() {
                    Slot::Near { start, end } => {
                        assert_eq!(&out[start as usize..end as usize], raw);
                    }
                    Slot::Far { start, end } => {
                        assert_eq!(&far[start as usize..end as usize], raw);
                    }
                },
            }
        }
        assert_eq!(head.find(FeatureId(8), 0), Err(2));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = HeadShape::decode(&bytes);
            if let Ok(head) = Head::decode(&bytes) {
                for index in 0..head.len().min(100) {
                    let _ = (head.order(index, &Timeline::none()), head.kind(index));
                    let _ = (head.raw(index), head.source(index));
                }
                let _ = head.find(FeatureId(3), 0);
            }
        }
    }
}
