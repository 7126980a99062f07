//! Records of the catalog: what features are, and what was altered.
//!
//! ```text
//! definition   varint id | bytes name | varint schema | u8 type | varint dimension | terms
//! terms        span ttl | span history | span forget_after | bytes description
//!              | varint number of tags | each: bytes key, bytes value
//! span         varint 0: none; else microseconds + 1
//! bounds       bound horizon | bound stale | bound forgotten
//! bound        u8 0: none; 1: zigzag moment
//! ```

use std::collections::BTreeMap;

use crate::ids::{EventTime, FeatureId, Span};
use crate::value::ValueType;
use crate::wire::{Decoded, Reader, Writer, wide};

/// A feature's definition, as it was first made under one schema number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Definition {
    /// Its stable number.
    pub id: FeatureId,
    /// Its name without the schema number.
    pub name: String,
    /// Its schema number, 1 for the first.
    pub schema: u32,
    /// The type of its values.
    pub value_type: ValueType,
    /// How long what is written stays.
    pub terms: Terms,
}

/// The part of a definition that may be altered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Terms {
    /// A value older than this is expired; `None`: never.
    pub ttl: Option<Span>,
    /// How far back reads may ask; `None`: for ever.
    pub history: Option<Span>,
    /// How long past the horizon the mark of a stale version is kept; `None`: for ever.
    pub forget_after: Option<Span>,
    /// What the feature is.
    pub description: String,
    /// Labels.
    pub tags: BTreeMap<String, String>,
}

/// The three bounds of a feature; `None`: there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bounds {
    /// H: reads below it are refused.
    pub horizon: Option<EventTime>,
    /// S: values of versions before it are given up.
    pub stale: Option<EventTime>,
    /// B: versions before it do not exist.
    pub forgotten: Option<EventTime>,
}

impl Bounds {
    /// The higher of each of the bounds.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            horizon: self.horizon.max(other.horizon),
            stale: self.stale.max(other.stale),
            forgotten: self.forgotten.max(other.forgotten),
        }
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        for bound in [self.horizon, self.stale, self.forgotten] {
            match bound {
                None => out.push(0),
                Some(moment) => {
                    out.push(1);
                    out.put_zigzag(moment.0);
                }
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let mut bound = || -> Decoded<Option<EventTime>> {
            let fault = reader.fault("whether there is a bound");
            match reader.u8()? {
                0 => Ok(None),
                1 => Ok(Some(EventTime(reader.zigzag()?))),
                _ => Err(fault),
            }
        };
        Ok(Self { horizon: bound()?, stale: bound()?, forgotten: bound()? })
    }
}

impl Terms {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for span in [self.ttl, self.history, self.forget_after] {
            out.put_varint(span.map_or(0, |span| span.micros().unsigned_abs() + 1));
        }
        out.put_bytes(self.description.as_bytes());
        out.put_varint(wide(self.tags.len()));
        for (key, value) in &self.tags {
            out.put_bytes(key.as_bytes());
            out.put_bytes(value.as_bytes());
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let mut span = || -> Decoded<Option<Span>> {
            let fault = reader.fault("a span below 2^63 microseconds");
            match reader.varint()? {
                0 => Ok(None),
                raw => {
                    let span = i64::try_from(raw - 1).ok().and_then(Span::from_micros);
                    span.map(Some).ok_or(fault)
                }
            }
        };
        let (ttl, history, forget_after) = (span()?, span()?, span()?);
        let description = reader.text()?.to_owned();
        let tags = (0..reader.count()?)
            .map(|_| Ok((reader.text()?.to_owned(), reader.text()?.to_owned())))
            .collect::<Decoded<_>>()?;
        Ok(Self { ttl, history, forget_after, description, tags })
    }
}

pub(crate) fn encode_type(value_type: ValueType, out: &mut Vec<u8>) {
    out.push(value_type.tag());
    out.put_varint(u64::from(value_type.dim()));
}

pub(crate) fn decode_type(reader: &mut Reader<'_>) -> Decoded<ValueType> {
    let fault = reader.fault("the type of a feature");
    let tag = reader.u8()?;
    let dim = reader.varint_u32()?;
    ValueType::from_tag(tag, dim).ok_or(fault)
}

impl Definition {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(u64::from(self.id.0));
        out.put_bytes(self.name.as_bytes());
        out.put_varint(u64::from(self.schema));
        encode_type(self.value_type, out);
        self.terms.encode(out);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Self {
            id: FeatureId(reader.varint_u32()?),
            name: reader.text()?.to_owned(),
            schema: reader.varint_u32()?,
            value_type: decode_type(reader)?,
            terms: Terms::decode(reader)?,
        })
    }
}
