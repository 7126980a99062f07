//! The payload of a log frame: a batch of revisions. Its commit stands in the frame's head.
//!
//! ```text
//! varint   source id, 0: none; then its label as bytes
//! varint   number of marks; each: name as bytes, value as bytes
//! varint   number of entries
//! entries
//!
//! entry:
//! u8       kind (bits 0-1) | 4 same entity as the entry before | 8 known time given
//!              | 16 the value is bytes
//! bytes    entity                                   unless the same
//! varint   feature id
//! zigzag   event time, less that of the entry before (0 for the first)
//! zigzag   known time, less the event time          if given; else known at the commit
//! value    u64 bits of a number, or bytes           if the kind is a value
//! ```
//!
//! Of two entries of one entity, feature, event time and known time the later one stands.

use bytes::Bytes;

use crate::ids::{EventTime, FeatureId, KnownTime, SourceId};
use crate::revision::Payload;
use crate::value::{Kind, MAX_VALUE_LEN, Value, ValueType};
use crate::wire::{Decoded, Malformed, Reader, Writer, wide};

/// The most bytes of entries that a batch may have: 256 MiB.
pub const MAX_BATCH_LEN: usize = 256 << 20;

/// The longest entity in bytes.
pub const MAX_ENTITY_LEN: usize = 65_535;

const SAME_ENTITY: u8 = 4;
const KNOWN_GIVEN: u8 = 8;
const RAW: u8 = 16;

/// What stands before the entries of a batch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BatchHead {
    /// The id and label of its source, if it has one.
    pub source: Option<(SourceId, String)>,
    /// Marks of progress that commit with it: name and value.
    pub marks: Vec<(String, Bytes)>,
    /// How many entries follow.
    pub entries: u64,
}

impl BatchHead {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.source {
            None => out.put_varint(0),
            Some((id, label)) => {
                out.put_varint(u64::from(id.0));
                out.put_bytes(label.as_bytes());
            }
        }
        out.put_varint(wide(self.marks.len()));
        for (name, value) in &self.marks {
            out.put_bytes(name.as_bytes());
            out.put_bytes(value);
        }
        out.put_varint(self.entries);
        out
    }
}

/// One entry of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// The entity.
    pub entity: &'a [u8],
    /// The feature.
    pub feature: FeatureId,
    /// When it became true.
    pub event_time: EventTime,
    /// When it became known, if the writer said so.
    pub known_time: Option<KnownTime>,
    /// What it says.
    pub kind: Kind,
    /// Its value.
    pub value: EntryValue<'a>,
}

/// The value of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryValue<'a> {
    /// There is none.
    None,
    /// The bits of a number.
    Bits(u64),
    /// Bytes.
    Raw(&'a [u8]),
}

impl EntryValue<'_> {
    /// Whether it is a value of this type.
    #[must_use]
    pub fn is_of(self, value_type: ValueType) -> bool {
        match (self, value_type) {
            (Self::Bits(bits), _) => Value::from_bits(value_type, bits).is_some(),
            (Self::Raw(raw), ValueType::Text) => std::str::from_utf8(raw).is_ok(),
            (Self::Raw(_), ValueType::Bytes) => true,
            (Self::Raw(raw), ValueType::Vector(dim)) => wide(raw.len()) == 4 * u64::from(dim),
            _ => false,
        }
    }

    /// The value with its own bytes.
    #[must_use]
    pub fn to_payload(self) -> Payload {
        match self {
            Self::None => Payload::None,
            Self::Bits(bits) => Payload::Bits(bits),
            Self::Raw(raw) => Payload::Raw(Bytes::copy_from_slice(raw)),
        }
    }
}

/// Writes entries one by one.
#[derive(Debug, Default)]
pub struct EntryEncoder {
    out: Vec<u8>,
    /// Where the entity of the last entry lies in `out`.
    entity: std::ops::Range<usize>,
    event_time: i64,
    entries: u64,
}

impl EntryEncoder {
    /// Writes entries of about so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes.min(MAX_BATCH_LEN)), ..Self::default() }
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: &Entry<'_>) {
        let same = self.entries > 0 && self.out.get(self.entity.clone()) == Some(entry.entity);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        self.out.push(
            entry.kind.tag()
                | flag(same, SAME_ENTITY)
                | flag(entry.known_time.is_some(), KNOWN_GIVEN)
                | flag(matches!(entry.value, EntryValue::Raw(_)), RAW),
        );
        if !same {
            self.out.put_bytes(entry.entity);
            self.entity = self.out.len() - entry.entity.len()..self.out.len();
        }
        self.out.put_varint(u64::from(entry.feature.0));
        self.out.put_zigzag(entry.event_time.0.wrapping_sub(self.event_time));
        self.event_time = entry.event_time.0;
        if let Some(known) = entry.known_time {
            self.out.put_zigzag(known.0.wrapping_sub(entry.event_time.0));
        }
        match entry.value {
            EntryValue::None => {}
            EntryValue::Bits(bits) => self.out.put_u64(bits),
            EntryValue::Raw(raw) => self.out.put_bytes(raw),
        }
        self.entries += 1;
    }

    /// How many entries there are.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// The bytes of all entries.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.out
    }
}

/// Reads a batch: its head, then its entries.
#[derive(Debug)]
pub struct BatchReader<'a> {
    /// What stands before the entries.
    pub head: BatchHead,
    reader: Reader<'a>,
    left: u64,
    entity: &'a [u8],
    event_time: i64,
}

impl<'a> BatchReader<'a> {
    /// Reads the head of a batch.
    pub fn decode(payload: &'a [u8]) -> Decoded<Self> {
        let mut reader = Reader::new(payload);
        let id = SourceId(reader.varint_u32()?);
        let source =
            if id == SourceId::NONE { None } else { Some((id, reader.text()?.to_owned())) };
        let marks = (0..reader.count()?)
            .map(|_| Ok((reader.text()?.to_owned(), Bytes::copy_from_slice(reader.bytes()?))))
            .collect::<Decoded<_>>()?;
        let entries = wide(reader.count()?);
        let head = BatchHead { source, marks, entries };
        Ok(Self { head, reader, left: entries, entity: &[], event_time: 0 })
    }

    /// Reads the entries behind a head that is known, as [`EntryEncoder`] wrote them.
    #[must_use]
    pub fn of_entries(head: BatchHead, entries: &'a [u8]) -> Self {
        let left = head.entries;
        Self { head, reader: Reader::new(entries), left, entity: &[], event_time: 0 }
    }

    /// The next entry; `None` behind the last one.
    #[inline]
    pub fn next_entry(&mut self) -> Decoded<Option<Entry<'a>>> {
        if self.left == 0 {
            self.reader.end()?;
            return Ok(None);
        }
        let reader = &mut self.reader;
        let fault = reader.fault("the flags of an entry");
        let flags = reader.u8()?;
        let kind = Kind::from_tag(flags & 3).filter(|kind| *kind != Kind::Stub);
        let (Some(kind), true) = (kind, flags < RAW << 1) else { return Err(fault) };
        let entity = if flags & SAME_ENTITY == 0 { reader.bytes()? } else { self.entity };
        self.entity = entity;
        if entity.is_empty() || entity.len() > MAX_ENTITY_LEN {
            return Err(Malformed { what: "an entity of 1 to 65,535 bytes", ..fault });
        }
        let feature = FeatureId(reader.varint_u32()?);
        self.event_time = self.event_time.wrapping_add(reader.zigzag()?);
        let event_time = EventTime(self.event_time);
        let known_time = if flags & KNOWN_GIVEN == 0 {
            None
        } else {
            Some(KnownTime(event_time.0.wrapping_add(reader.zigzag()?)))
        };
        let value = match (kind, flags & RAW) {
            (Kind::Value, 0) => EntryValue::Bits(reader.u64()?),
            (Kind::Value, _) => {
                let fault = reader.fault("a value of at most 16 MiB");
                let raw = reader.bytes()?;
                if raw.len() > MAX_VALUE_LEN {
                    return Err(fault);
                }
                EntryValue::Raw(raw)
            }
            (_, 0) => EntryValue::None,
            _ => return Err(fault),
        };
        self.left -= 1;
        Ok(Some(Entry { entity, feature, event_time, known_time, kind, value }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_batch_comes_back() {
        let entry = |entity, e, known, kind, value| Entry {
            entity,
            feature: FeatureId(3),
            event_time: EventTime(e),
            known_time: known,
            kind,
            value,
        };
        let entries = [
            entry(b"a".as_slice(), i64::MAX, None, Kind::Value, EntryValue::Bits(u64::MAX)),
            entry(b"a", i64::MIN, Some(KnownTime(i64::MAX)), Kind::Null, EntryValue::None),
            entry(b"b", 0, Some(KnownTime(5)), Kind::Value, EntryValue::Raw(b"text")),
            entry(b"b", 0, None, Kind::Deleted, EntryValue::None),
        ];
        let mut encoder = EntryEncoder::default();
        entries.iter().for_each(|entry| encoder.push(entry));
        let head = BatchHead {
            source: Some((SourceId(4), "job".to_owned())),
            marks: vec![("m".to_owned(), Bytes::from_static(b"17"))],
            entries: encoder.entries(),
        };
        let mut payload = head.encode();
        payload.extend_from_slice(encoder.as_bytes());
        let mut reader = BatchReader::decode(&payload).unwrap();
        assert_eq!(reader.head, head);
        for entry in &entries {
            assert_eq!(reader.next_entry().unwrap().as_ref(), Some(entry));
        }
        assert_eq!(reader.next_entry(), Ok(None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(mut reader) = BatchReader::decode(&bytes) {
                while let Ok(Some(_)) = reader.next_entry() {}
            }
        }
    }
}
