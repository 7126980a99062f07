//! Columns of every common type, written as other tools write them.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder, StringDictionaryBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Int8Array, LargeStringArray, StringArray, StructArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow_schema::{Field, Fields};
use parquet::arrow::ArrowWriter;

use super::*;

/// Writes columns of two rows to a file and reads them back.
fn through_a_file(columns: Vec<(&str, ArrayRef)>) -> ParquetChunk {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let (mut reader, rows) = ParquetReader::new(file, "x.parquet").unwrap();
    assert_eq!(rows, 2);
    let chunk = reader.next_chunk(65_536).unwrap().unwrap();
    assert!(reader.next_chunk(65_536).unwrap().is_none());
    assert_eq!(reader.position(), 2);
    assert_eq!((chunk.number(0), chunk.number(1)), (1, 2));
    chunk
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

/// A date of four bytes may lie further away than a moment can: in a release build it was taken for another moment.
#[test]
fn a_date_that_is_no_moment_is_taken_for_another() {
    let days = Date32Array::from(vec![106_751_991, 106_751_992]);
    let chunk = through_a_file(vec![("day", Arc::new(days))]);
    assert_eq!(chunk.cell(0, 0).unwrap(), Cell::Time(106_751_991 * 86_400_000_000));
    let error = chunk.cell(1, 0).unwrap_err().to_string();
    assert!(error.contains("106751992 is out of range"), "{error}");
}

#[test]
fn times_of_every_unit_are_the_same_moment() {
    let (second, zone) = (1_372_766_400, "UTC");
    let chunk = through_a_file(vec![
        ("s", Arc::new(TimestampSecondArray::from(vec![Some(second), None]))),
        ("ms", Arc::new(TimestampMillisecondArray::from(vec![Some(second * 1_000), None]))),
        (
            "ns",
            Arc::new(
                TimestampNanosecondArray::from(vec![second * 1_000_000_000 + 999, -1])
                    .with_timezone(zone),
            ),
        ),
        ("day", Arc::new(Date32Array::from(vec![Some(15_888), None]))),
    ]);
    for column in 0..3 {
        assert_eq!(chunk.cell(0, column).unwrap(), Cell::Time(second * 1_000_000), "{column}");
    }
    assert_eq!(chunk.cell(1, 0).unwrap(), Cell::Null);
    assert_eq!(chunk.cell(1, 2).unwrap(), Cell::Time(-1), "cut off towards the past");
    assert_eq!(chunk.cell(0, 3).unwrap(), Cell::Time(15_888 * 86_400_000_000));
    let as_text = |row, column| String::from_utf8(chunk.text(row, column).unwrap().unwrap());
    assert_eq!(as_text(0, 1).unwrap(), "2013-07-02T12:00:00Z");
    assert_eq!(as_text(0, 2).unwrap(), "2013-07-02T12:00:00.000000999Z");
    assert_eq!(as_text(1, 2).unwrap(), "1969-12-31T23:59:59.999999999Z");
}

#[test]
fn categories_are_their_texts() {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    builder.append_value("JFK");
    builder.append_value("EWR");
    let chunk = through_a_file(vec![
        ("category", Arc::new(builder.finish())),
        ("large", Arc::new(LargeStringArray::from(vec![Some("a"), None]))),
    ]);
    assert_eq!(chunk.cell(0, 0).unwrap(), text("JFK"));
    assert_eq!(chunk.cell(1, 0).unwrap(), text("EWR"));
    assert_eq!(chunk.cell(0, 1).unwrap(), text("a"));
    assert_eq!(chunk.cell(1, 1).unwrap(), Cell::Null);
}

#[test]
fn numbers_that_do_not_fit_are_not_bent() {
    let decimals = Decimal128Array::from(vec![1_234, -5]).with_precision_and_scale(10, 2).unwrap();
    let chunk = through_a_file(vec![
        ("small", Arc::new(Int8Array::from(vec![-128, 127]))),
        ("large", Arc::new(UInt64Array::from(vec![7, u64::MAX]))),
        ("decimal", Arc::new(decimals)),
    ]);
    assert_eq!(chunk.cell(0, 0).unwrap(), Cell::I64(-128));
    assert_eq!(chunk.cell(0, 1).unwrap(), Cell::I64(7));
    assert_eq!(chunk.cell(1, 1).unwrap(), Cell::TooLarge(u64::MAX));
    assert_eq!(chunk.cell(0, 2).unwrap(), text("12.34"));
    assert_eq!(chunk.cell(1, 2).unwrap(), text("-0.05"));
}

#[test]
fn lists_of_floats_are_vectors_and_what_is_nested_is_text() {
    let mut lists = ListBuilder::new(Float64Builder::new());
    lists.values().append_slice(&[0.5, 1.0]);
    lists.append(true);
    lists.values().append_null();
    lists.append(true);
    let fields = Fields::from(vec![Field::new("a", DataType::Utf8, true)]);
    let names: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    let chunk = through_a_file(vec![
        ("list", Arc::new(lists.finish())),
        ("struct", Arc::new(StructArray::new(fields, vec![names], None))),
    ]);
    assert_eq!(chunk.cell(0, 0).unwrap(), Cell::Floats(Some(vec![0.5, 1.0])));
    assert_eq!(chunk.cell(1, 0).unwrap(), Cell::Floats(None));
    assert_eq!(chunk.cell(0, 1).unwrap(), text("{a: x}"));
}

/// The library that reads Parquet panics on some of these files.
#[test]
fn a_damaged_file_ends_the_program() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("s", Arc::new(StringArray::from(vec![Some("x"), None]))),
        ("n", Arc::new(Int8Array::from(vec![1, 2]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut whole = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut whole, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mut refused = 0;
    for at in 0..whole.len() {
        for bits in [0x01, 0x10, 0xff] {
            let mut file = tempfile::tempfile().unwrap();
            let mut damaged = whole.clone();
            damaged[at] ^= bits;
            std::io::Write::write_all(&mut file, &damaged).unwrap();
            let read = ParquetReader::new(file, "x.parquet").and_then(|(mut reader, _)| {
                while let Some(chunk) = reader.next_chunk(9)? {
                    for (row, column) in [(0, 0), (0, 1)].into_iter().take(chunk.rows() * 2) {
                        chunk.cell(row, column)?;
                    }
                }
                Ok(())
            });
            refused += u32::from(read.is_err());
        }
    }
    println!("{} bytes, {refused} of {} damages refused", whole.len(), 3 * whole.len());
    assert!(refused > 100, "{refused}");
}
