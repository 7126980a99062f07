//! Small Parquet files of many types, as seeds.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int16Array,
    Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::{KNOWN, PARQUET, SKIP_BAD, SKIP_NULLS};

fn lists() -> ArrayRef {
    let mut list = ListBuilder::new(Float32Builder::new());
    list.append_value([Some(1.0), Some(-0.0)]);
    list.append_null();
    list.append_value([Some(f32::NAN), Some(2.0)]);
    Arc::new(list.finish())
}

fn fixed_lists() -> ArrayRef {
    let mut list = FixedSizeListBuilder::new(Float32Builder::new(), 2);
    for number in [1.0, 2.0, 3.0] {
        list.values().append_slice(&[number, 0.5]);
        list.append(true);
    }
    Arc::new(list.finish())
}

fn file(columns: Vec<(&str, ArrayRef)>, compression: Compression, dictionary: bool) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(dictionary)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_created_by(String::new())
        .build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut out, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

/// Files with the options under which they are imported.
pub fn files() -> Vec<([u8; 3], Vec<u8>)> {
    let entities = || -> ArrayRef { Arc::new(StringArray::from(vec!["x", "y", "x"])) };
    let times = || -> ArrayRef { Arc::new(Int64Array::from(vec![1, 2, 3])) };
    let (none, snappy) = (Compression::UNCOMPRESSED, Compression::SNAPPY);
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let with = |a: ArrayRef| vec![("e", entities()), ("t", times()), ("a", a)];
    let a: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(5), None, Some(-7)])),
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..], b"", b"z"])),
        Arc::new(UInt64Array::from(vec![1, u64::MAX, 3])),
        Arc::new(Float64Array::from(vec![0.1, f64::NAN, -0.0])),
        Arc::new(Int16Array::from(vec![1, 2, 3])),
        lists(),
        fixed_lists(),
    ];
    let mut files: Vec<([u8; 3], Vec<u8>)> = Vec::new();
    for (index, array) in a.into_iter().enumerate() {
        let compression = [none, snappy, zstd][index % 3];
        let options = [PARQUET | [0, SKIP_NULLS][index % 2], 0, 4 * u8::from(index % 2 == 1)];
        files.push((options, file(with(array), compression, index % 2 == 0)));
    }
    let moments: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from(vec![1, 2, 3])),
        Arc::new(TimestampMillisecondArray::from(vec![1, 2, 1_700_000_000_000])),
        Arc::new(TimestampNanosecondArray::from(vec![-1, 2, 3])),
        Arc::new(Date32Array::from(vec![-1, 0, 19_000])),
    ];
    for (index, t) in moments.into_iter().enumerate() {
        let columns = vec![
            ("e", Arc::new(Int64Array::from(vec![7, 8, 7])) as ArrayRef),
            ("t", t),
            ("k", times()),
            ("a", Arc::new(Float32Array::from(vec![Some(0.1), None, Some(2.0)]))),
            ("b", Arc::new(StringArray::from(vec![Some("x"), Some(""), None]))),
        ];
        let flags = PARQUET | [0, SKIP_BAD][index % 2] | [KNOWN, 0][index / 2 % 2];
        files.push(([flags, 8, 0], file(columns, [none, snappy][index % 2], index > 1)));
    }
    files
}
