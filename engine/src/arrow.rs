//! Joins of Arrow record batches: a spine goes in as one, the joined rows come out as one.
//!
//! Needs the cargo feature `arrow`.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, FixedSizeListBuilder, Float32Builder, Float64Builder,
    Int64Builder, StringBuilder, StringDictionaryBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use asofdb_format::ids::EventTime;
use asofdb_format::value::{Value, ValueType};

use crate::read::join::Joiner;
use crate::read::joined::{Joined, JoinedColumn};
use crate::types::error::{Error, InvalidArgument, Result};
use crate::types::spec::Feature;

/// Which columns a joined record batch has beside the spine's and the values.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct ArrowColumns {
    status: bool,
    event_times: bool,
    ages: bool,
}

impl ArrowColumns {
    /// The values alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `FEATURE__status`, which tells the five answers apart.
    pub const fn status(mut self) -> Self {
        self.status = true;
        self
    }

    /// Adds `FEATURE__event_time`, the event time of the version found.
    pub const fn event_times(mut self) -> Self {
        self.event_times = true;
        self
    }

    /// Adds `FEATURE__age_us`, the row's time less the event time, in microseconds.
    pub const fn ages(mut self) -> Self {
        self.ages = true;
        self
    }
}

impl Joiner {
    /// Joins a spine: the record batch's columns as they are, then a column a feature, null where
    /// there is no fresh value. The entity is a column of text or bytes; the time is a timestamp,
    /// or an `Int64` of microseconds since 1970. A null entity or time matches nothing.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use arrow_array::{Float64Array, Int64Array, RecordBatch, StringArray, cast::AsArray};
    /// # use asofdb::{ArrowColumns, Batch, Durability, EventTime, FeatureSpec, JoinOptions, Options, Store, ValueType};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// let store = Store::open(dir.path().join("store"), Options::new())?;
    /// store.define(FeatureSpec::new("weather:temp", ValueType::F64))?;
    /// let mut batch = Batch::new();
    /// batch.put("JFK", "weather:temp", EventTime(1_000_000), 39.0);
    /// store.write(batch, Durability::Buffered)?;
    ///
    /// let spine = RecordBatch::try_from_iter([
    ///     ("origin", Arc::new(StringArray::from(vec!["JFK", "LGA"])) as _),
    ///     ("at", Arc::new(Int64Array::from(vec![2_000_000, 2_000_000])) as _),
    /// ])?;
    /// let joiner = store.joiner(&store.select_all(), JoinOptions::new())?;
    /// let joined = joiner.join_record_batch(&spine, "origin", "at", ArrowColumns::new().status())?;
    /// let temp: &Float64Array = joined["weather:temp"].as_primitive();
    /// assert_eq!(temp.iter().collect::<Vec<_>>(), [Some(39.0), None]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::InvalidArgument) if a column is missing or of another type;
    /// otherwise as [`Joiner::join`].
    pub fn join_record_batch(
        &self,
        spine: &RecordBatch,
        entity: &str,
        time: &str,
        columns: ArrowColumns,
    ) -> Result<RecordBatch> {
        let entities = Entities::of(column(spine, entity)?, entity)?;
        let times = times_of(column(spine, time)?, time)?;
        let rows: Vec<Option<(&[u8], EventTime)>> = (0..spine.num_rows())
            .map(|row| {
                let at = (!times.is_null(row)).then(|| EventTime(times.value(row)))?;
                Some((entities.get(row)?, at))
            })
            .collect();
        let joined = self.join(&rows)?;
        let mut fields: Vec<Arc<Field>> = spine.schema().fields().iter().cloned().collect();
        let mut arrays: Vec<ArrayRef> = spine.columns().to_vec();
        let mut push = |name: String, array: ArrayRef| {
            fields.push(Arc::new(Field::new(name, array.data_type().clone(), true)));
            arrays.push(array);
        };
        let all = self.features();
        for (feature, answers) in all.iter().zip(joined.columns()) {
            // Of two schemas of one name each needs its own.
            let is_alone = all.iter().filter(|other| other.name == feature.name).count() == 1;
            let name = if is_alone { feature.name.clone() } else { feature.versioned_name() };
            push(name.clone(), values(feature, answers)?);
            if columns.status {
                push(format!("{name}__status"), statuses(answers)?);
            }
            if columns.event_times {
                let times = (0..joined.rows()).map(|row| Some(answers.event_time(row)?.0));
                let array: TimestampMicrosecondArray = times.collect();
                push(format!("{name}__event_time"), Arc::new(array.with_timezone("UTC")));
            }
            if columns.ages {
                push(format!("{name}__age_us"), ages(&joined, answers, &times));
            }
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|error| other(&error))
    }
}

fn other(what: &dyn std::fmt::Display) -> Error {
    InvalidArgument::Other(what.to_string()).into()
}

fn column<'b>(spine: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
    let found = spine.column_by_name(name);
    found.ok_or_else(|| other(&format!("the spine has no column {name:?}")))
}

/// A column of entities in any form that Arrow has for text or bytes.
enum Entities<'a> {
    Text(&'a arrow_array::StringArray),
    LargeText(&'a arrow_array::LargeStringArray),
    TextView(&'a arrow_array::StringViewArray),
    Bytes(&'a arrow_array::BinaryArray),
    LargeBytes(&'a arrow_array::LargeBinaryArray),
}

impl<'a> Entities<'a> {
    fn of(array: &'a ArrayRef, name: &str) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::LargeUtf8 => Self::LargeText(array.as_string()),
            DataType::Utf8View => Self::TextView(array.as_string_view()),
            DataType::Binary => Self::Bytes(array.as_binary()),
            DataType::LargeBinary => Self::LargeBytes(array.as_binary()),
            found => {
                let what =
                    format!("the entity {name:?} is text or bytes, and the column is {found}");
                return Err(other(&what));
            }
        })
    }

    fn get(&self, row: usize) -> Option<&'a [u8]> {
        match self {
            Self::Text(array) => array.is_valid(row).then(|| array.value(row).as_bytes()),
            Self::LargeText(array) => array.is_valid(row).then(|| array.value(row).as_bytes()),
            Self::TextView(array) => array.is_valid(row).then(|| array.value(row).as_bytes()),
            Self::Bytes(array) => array.is_valid(row).then(|| array.value(row)),
            Self::LargeBytes(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

/// A column of times in microseconds; what is finer is rounded down, so that no row sees what
/// came after it.
fn times_of(array: &ArrayRef, name: &str) -> Result<Int64Array> {
    let scaled = |values: Int64Array, scale: i64| {
        let micros: Int64Array = values.unary_opt(|at| at.checked_mul(scale));
        match micros.null_count() == values.null_count() {
            true => Ok(micros),
            false => Err(other(&format!("the time {name:?} has a moment beyond all microseconds"))),
        }
    };
    Ok(match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().clone(),
        DataType::Timestamp(TimeUnit::Second, _) => {
            scaled(array.as_primitive::<TimestampSecondType>().reinterpret_cast(), 1_000_000)?
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            scaled(array.as_primitive::<TimestampMillisecondType>().reinterpret_cast(), 1_000)?
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<TimestampMicrosecondType>().reinterpret_cast()
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let values = array.as_primitive::<TimestampNanosecondType>();
            let values: Int64Array = values.reinterpret_cast();
            values.unary(|at| at.div_euclid(1_000))
        }
        found => {
            let what =
                format!("the time {name:?} is a timestamp or Int64, and the column is {found}");
            return Err(other(&what));
        }
    })
}

fn values(feature: &Feature, answers: &JoinedColumn) -> Result<ArrayRef> {
    check_len(feature, answers)?;
    let all = (0..answers.status().len()).map(|row| answers.value(row));
    Ok(match feature.value_type {
        ValueType::Bool => {
            let mut builder = BooleanBuilder::new();
            all.for_each(|value| builder.append_option(value.and_then(|value| value.as_bool())));
            Arc::new(builder.finish())
        }
        ValueType::I64 => {
            let mut builder = Int64Builder::new();
            all.for_each(|value| builder.append_option(value.and_then(|value| value.as_i64())));
            Arc::new(builder.finish())
        }
        ValueType::F32 => {
            let mut builder = Float32Builder::new();
            all.for_each(|value| builder.append_option(value.and_then(|value| value.as_f32())));
            Arc::new(builder.finish())
        }
        ValueType::F64 => {
            let mut builder = Float64Builder::new();
            all.for_each(|value| builder.append_option(value.and_then(|value| value.as_f64())));
            Arc::new(builder.finish())
        }
        ValueType::Text => {
            let mut builder = StringBuilder::new();
            all.for_each(|value| builder.append_option(value.as_ref().and_then(Value::as_text)));
            Arc::new(builder.finish())
        }
        ValueType::Vector(dim) => {
            let len = i32::try_from(dim).unwrap_or(i32::MAX);
            let mut builder = FixedSizeListBuilder::new(Float32Builder::new(), len);
            for value in all {
                match value.as_ref().and_then(Value::as_vector) {
                    Some(vector) => vector.iter().for_each(|n| builder.values().append_value(n)),
                    None => (0..dim).for_each(|_| builder.values().append_null()),
                }
                builder.append(value.is_some());
            }
            Arc::new(builder.finish())
        }
        _ => {
            let mut builder = BinaryBuilder::new();
            all.for_each(|value| builder.append_option(value.as_ref().and_then(Value::as_bytes)));
            Arc::new(builder.finish())
        }
    })
}

/// Refuses texts and bytes of which one column of Arrow does not hold all.
fn check_len(feature: &Feature, answers: &JoinedColumn) -> Result<()> {
    let len = |value: Value| {
        let text = value.as_text().map(str::len);
        text.or_else(|| value.as_bytes().map(|bytes| bytes.len())).unwrap_or(0)
    };
    let has_ends = matches!(feature.value_type, ValueType::Text | ValueType::Bytes);
    let rows = if has_ends { answers.status().len() } else { 0 };
    let all: usize = (0..rows).filter_map(|row| answers.value(row)).map(len).sum();
    if i32::try_from(all).is_ok() {
        return Ok(());
    }
    let what = format!("{all} bytes of {} are more than a column of 2 GiB holds", feature.name);
    Err(other(&format!("{what}; join fewer rows at once")))
}

fn statuses(answers: &JoinedColumn) -> Result<ArrayRef> {
    let mut builder = StringDictionaryBuilder::<Int8Type>::new();
    for status in answers.status() {
        builder.append(status.as_str()).map_err(|error| other(&error))?;
    }
    Ok(Arc::new(builder.finish()))
}

fn ages(joined: &Joined, answers: &JoinedColumn, times: &Int64Array) -> ArrayRef {
    let ages = (0..joined.rows()).map(|row| {
        let event_time = answers.event_time(row)?;
        Some(times.value(row).saturating_sub(event_time.0))
    });
    Arc::new(ages.collect::<Int64Array>())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use arrow_array::{BinaryArray, StringArray, TimestampSecondArray};

    use super::*;
    use crate::read::how::JoinOptions;
    use crate::types::options::Options;
    use crate::types::spec::FeatureSpec;
    use crate::world::sim::SimWorld;
    use crate::{Batch, Durability, Store};

    fn store() -> Result<Store> {
        let options = Options::new().world(SimWorld::new(EventTime(1_000_000)).world());
        let store = Store::open("/store", options)?;
        store.define(FeatureSpec::new("v:f", ValueType::I64))?;
        Ok(store)
    }

    fn put(store: &Store, name: &str, value: impl Into<Value>) -> Result<()> {
        let mut batch = Batch::new();
        batch.put("ant", name, EventTime(7), value);
        store.write(batch, Durability::Buffered).map(drop)
    }

    fn join(store: &Store, names: &[&str], entity: ArrayRef, at: ArrayRef) -> Result<RecordBatch> {
        let spine = RecordBatch::try_from_iter([("entity", entity), ("at", at)]);
        let spine = spine.map_err(|error| other(&error))?;
        let joiner = store.joiner(&store.select(names)?, JoinOptions::new())?;
        joiner.join_record_batch(&spine, "entity", "at", ArrowColumns::new())
    }

    #[test]
    fn two_schemas_of_one_name_share_a_column() {
        let store = store().unwrap();
        put(&store, "v:f", 3i64).unwrap();
        store.evolve("v:f", ValueType::F64).unwrap();
        put(&store, "v:f", 0.5).unwrap();
        let entities: Vec<Option<&[u8]>> = vec![Some(b"ant"), None];
        let at = Arc::new(Int64Array::from(vec![Some(9), Some(9)]));
        let entity = Arc::new(BinaryArray::from(entities));
        let joined = join(&store, &["v:f", "v:f@1"], entity, at).unwrap();
        let told = |name: &str| joined.column_by_name(name).map(|column| column.null_count());
        assert_eq!([told("v:f@2"), told("v:f@1"), told("v:f")], [Some(1), Some(1), None]);
    }

    #[test]
    fn a_moment_beyond_all_microseconds_is_no_moment() {
        let at = Arc::new(TimestampSecondArray::from(vec![Some(1), None, Some(i64::MAX / 1_000)]));
        let entity = Arc::new(StringArray::from(vec!["ant"; 3]));
        let refused = join(&store().unwrap(), &["v:f"], entity, at).unwrap_err().to_string();
        assert!(refused.contains("beyond all microseconds"), "{refused}");
    }

    #[test]
    fn more_text_than_a_column_holds_panics() {
        let store = store().unwrap();
        store.define(FeatureSpec::new("v:t", ValueType::Text)).unwrap();
        put(&store, "v:t", "x".repeat(16 << 20)).unwrap();
        let (entity, at) = (StringArray::from(vec!["ant"; 128]), Int64Array::from(vec![9; 128]));
        let refused = join(&store, &["v:t"], Arc::new(entity), Arc::new(at)).unwrap_err();
        assert!(refused.to_string().contains("join fewer rows"), "{refused}");
    }
}
