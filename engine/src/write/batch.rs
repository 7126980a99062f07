//! A batch as its writer builds it. Nothing is checked before it is written: a batch knows no
//! store.

use std::collections::HashMap;
use std::ops::Range;

use asofdb_format::batch::EntryValue;
use asofdb_format::ids::{EventTime, FeatureId, KnownTime};
use asofdb_format::value::{Kind, Value, ValueType};
use bytes::Bytes;

/// Puts, nulls and deletes that are written all together or not at all.
///
/// ```
/// use asofdb::{Batch, EventTime};
/// let mut batch = Batch::new();
/// batch.source("nightly-job");
/// batch.put("customer-7", "customer:spend_30d", EventTime(1_700_000_000_000_000), 42.5);
/// batch.put_null("customer-7", "customer:segment", EventTime(1_700_000_000_000_000));
/// assert_eq!(batch.len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(crate) source: Option<String>,
    pub(crate) marks: Vec<(String, Bytes)>,
    pub(crate) names: Vec<String>,
    name_places: HashMap<String, u32>,
    entities: Vec<u8>,
    pub(crate) puts: Vec<Put>,
    /// Values that are no numbers.
    values: Vec<Value>,
    bytes: usize,
}

/// One put, null or delete.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    /// Where the entity lies among the batch's entities.
    entity: Range<usize>,
    pub(crate) feature: Named,
    pub(crate) event_time: EventTime,
    pub(crate) known_time: Option<KnownTime>,
    pub(crate) kind: Kind,
    value: Held,
}

/// The value of a put: puts are many, and most values are numbers.
#[derive(Clone, Copy, Debug)]
enum Held {
    None,
    Number(ValueType, u64),
    /// Its place among the batch's values.
    Aside(usize),
}

/// A feature by its place among the batch's names, or by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Name(u32),
    Id(FeatureId),
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Labels the batch with where it comes from: a job, a model, a prompt's version. 1 to 255
    /// bytes; every answer can tell it, and [`revert`](crate::Store::revert) takes it.
    pub fn source(&mut self, label: impl Into<String>) -> &mut Self {
        self.source = Some(label.into());
        self
    }

    /// Adds a value.
    pub fn put(
        &mut self,
        entity: impl AsRef<[u8]>,
        feature: &str,
        at: EventTime,
        value: impl Into<Value>,
    ) -> &mut Self {
        let feature = self.name(feature);
        self.push(entity.as_ref(), feature, at, Kind::Value, Some(value.into()))
    }

    /// Says that the value is explicitly null.
    pub fn put_null(
        &mut self,
        entity: impl AsRef<[u8]>,
        feature: &str,
        at: EventTime,
    ) -> &mut Self {
        let feature = self.name(feature);
        self.push(entity.as_ref(), feature, at, Kind::Null, None)
    }

    /// Says that from `at` on there is no value, until a newer version.
    pub fn delete(&mut self, entity: impl AsRef<[u8]>, feature: &str, at: EventTime) -> &mut Self {
        let feature = self.name(feature);
        self.push(entity.as_ref(), feature, at, Kind::Deleted, None)
    }

    /// As [`Batch::put`], for a feature by its number: nothing is looked up by name.
    pub fn put_id(
        &mut self,
        entity: impl AsRef<[u8]>,
        feature: FeatureId,
        at: EventTime,
        value: impl Into<Value>,
    ) -> &mut Self {
        self.push(entity.as_ref(), Named::Id(feature), at, Kind::Value, Some(value.into()))
    }

    /// As [`Batch::put_null`], for a feature by its number.
    pub fn put_null_id(
        &mut self,
        entity: impl AsRef<[u8]>,
        feature: FeatureId,
        at: EventTime,
    ) -> &mut Self {
        self.push(entity.as_ref(), Named::Id(feature), at, Kind::Null, None)
    }

    /// As [`Batch::delete`], for a feature by its number.
    pub fn delete_id(
        &mut self,
        entity: impl AsRef<[u8]>,
        feature: FeatureId,
        at: EventTime,
    ) -> &mut Self {
        self.push(entity.as_ref(), Named::Id(feature), at, Kind::Deleted, None)
    }

    /// Tells when what was added last became known; without it, that is when it is committed. A
    /// time after the commit is refused when the batch is written. In a batch of nothing it tells nothing.
    pub fn known(&mut self, known: KnownTime) -> &mut Self {
        if let Some(last) = self.puts.last_mut() {
            last.known_time = Some(known);
        }
        self
    }

    /// Sets a mark of progress that takes effect with the batch; see [`Store::mark`](crate::Store::mark).
    /// A batch has up to 64; a name has 1 to 255 bytes, a value up to 64 KiB.
    pub fn mark(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.bytes += name.len() + value.len();
        self.marks.push((name.to_owned(), Bytes::copy_from_slice(value)));
        self
    }

    /// How many puts, nulls and deletes it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.puts.len()
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.puts.is_empty()
    }

    /// About how many bytes it takes in the log.
    #[must_use]
    pub const fn encoded_bytes(&self) -> usize {
        self.bytes
    }

    /// The entity of a put.
    pub(crate) fn entity_of(&self, put: &Put) -> &[u8] {
        self.entities.get(put.entity.clone()).unwrap_or_default()
    }

    /// The value of a put, if it has one, and its type.
    pub(crate) fn value_of(&self, put: &Put) -> Option<(ValueType, EntryValue<'_>)> {
        match put.value {
            Held::None => None,
            Held::Number(value_type, bits) => Some((value_type, EntryValue::Bits(bits))),
            Held::Aside(place) => {
                let value = self.values.get(place)?;
                let raw = value.as_raw_bytes().map_or(EntryValue::None, |raw| EntryValue::Raw(raw));
                Some((value.value_type(), raw))
            }
        }
    }

    /// The name of a feature that was named.
    pub(crate) fn name_of(&self, place: u32) -> Option<&String> {
        self.names.get(place as usize)
    }

    fn name(&mut self, name: &str) -> Named {
        if let Some(place) = self.name_places.get(name) {
            return Named::Name(*place);
        }
        // No machine holds so many names that they cannot be counted so.
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.to_owned());
        self.name_places.insert(name.to_owned(), place);
        Named::Name(place)
    }

    fn push(
        &mut self,
        entity: &[u8],
        feature: Named,
        event_time: EventTime,
        kind: Kind,
        value: Option<Value>,
    ) -> &mut Self {
        let same = self.puts.last().map(|last| last.entity.clone());
        let same = same.filter(|range| self.entities.get(range.clone()) == Some(entity));
        let entity = same.unwrap_or_else(|| {
            let start = self.entities.len();
            self.entities.extend_from_slice(entity);
            self.bytes += entity.len();
            start..self.entities.len()
        });
        let raw = value.as_ref().and_then(Value::as_raw_bytes).map_or(8, Bytes::len);
        self.bytes += 16 + raw;
        let value = match value {
            None => Held::None,
            Some(value) => match value.as_bits() {
                Some(bits) => Held::Number(value.value_type(), bits),
                None => {
                    self.values.push(value);
                    Held::Aside(self.values.len() - 1)
                }
            },
        };
        self.puts.push(Put { entity, feature, event_time, known_time: None, kind, value });
        self
    }
}

/// When a written batch is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When the operating system has it: it outlives the process, not the machine.
    Buffered,
    /// When the disk has it: it outlives the machine.
    Synced,
}
