//! Files that say of themselves what is not so, and what that takes.

use std::io::Write as _;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder};
use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use super::super::parquet_read::ParquetReader;
use super::*;

/// What reading one of the small files here may take.
const MEMORY: u64 = 32 << 20;
/// 2^31 - 1 as Thrift writes counts, and twice that, which is the same as a number with a sign.
const COUNT: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x07];
const NUMBER: [u8; 5] = [0xfe, 0xff, 0xff, 0xff, 0x0f];

fn properties(compression: Compression) -> WriterProperties {
    WriterProperties::builder()
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build()
}

fn written(columns: Vec<(&str, ArrayRef)>, properties: WriterProperties) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

/// Reads all of a file; gives its rows, or what was said instead.
fn read(bytes: &[u8]) -> std::result::Result<usize, String> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let mut result = Ok(0);
    let taken = allocation_counter::measure(|| {
        result = ParquetReader::new(file, "x.parquet")
            .and_then(|(mut reader, _)| {
                let mut rows = 0;
                while let Some(chunk) = reader.next_chunk(CHUNK_ROWS)? {
                    rows += chunk.rows();
                }
                Ok(rows)
            })
            .map_err(|error| error.to_string());
    });
    assert!(taken.bytes_max < MEMORY, "it took {} bytes: {result:?}", taken.bytes_max);
    result
}

fn texts() -> ArrayRef {
    Arc::new(StringArray::from(vec![Some("x"), None, Some("yy")]))
}

fn vectors() -> ArrayRef {
    let mut list = FixedSizeListBuilder::new(Float32Builder::new(), 2);
    for number in [1.0, 2.0, 3.0] {
        list.values().append_slice(&[number, 0.5]);
        list.append(number < 3.0);
    }
    Arc::new(list.finish())
}

fn lists() -> ArrayRef {
    let mut list = ListBuilder::new(Float32Builder::new());
    list.append_value([Some(1.0), Some(-0.0)]);
    list.append_null();
    list.append_value([Some(f32::NAN), Some(2.0)]);
    Arc::new(list.finish())
}

fn columns() -> Vec<(&'static str, ArrayRef)> {
    let fixed = FixedSizeBinaryArray::try_from_iter(["ab", "cd", "ef"].iter()).unwrap();
    vec![
        ("s", texts()),
        ("n", Arc::new(Int64Array::from(vec![Some(1), Some(7), None]))),
        ("l", lists()),
        ("v", vectors()),
        ("f", Arc::new(fixed)),
    ]
}

/// Good files of each form.
fn good() -> Vec<Vec<u8>> {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let mut files = Vec::new();
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, zstd] {
        files.push(written(columns(), properties(compression)));
        let other = properties(compression)
            .into_builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_dictionary_enabled(false)
            .set_column_encoding("s".into(), Encoding::DELTA_BYTE_ARRAY);
        files.push(written(columns(), other.build()));
    }
    files
}

#[test]
fn files_of_every_form_are_read() {
    for file in good() {
        assert_eq!(read(&file), Ok(3));
    }
}

/// Puts a number over each place and over the bytes behind it, with the bytes behind those moved
/// or not, and reads what becomes of it.
#[test]
fn a_count_anywhere_takes_the_memory() {
    let (mut refused, mut all) = (0, 0);
    for whole in good() {
        for at in 0..whole.len() {
            for number in [COUNT, NUMBER] {
                let mut inserted = whole.clone();
                inserted.splice(at..=at, number);
                // The footer is so much longer: its length stands before the last four bytes.
                let end = inserted.len() - 8;
                let length = u32::from_le_bytes(inserted[end..end + 4].try_into().unwrap());
                if at + 8 < whole.len() {
                    inserted[end..end + 4].copy_from_slice(&(length + 4).to_le_bytes());
                }
                let mut over = whole.clone();
                let behind = (at + 5).min(over.len());
                over[at..behind].copy_from_slice(&number[..behind - at]);
                for damaged in [inserted, over] {
                    all += 1;
                    refused += u32::from(read(&damaged).is_err());
                }
            }
        }
    }
    println!("{refused} of {all} refused");
    assert!(refused > all / 3, "{refused} of {all}");
}

#[test]
fn a_bit_anywhere_takes_the_memory() {
    for whole in good() {
        for at in 0..whole.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= bits;
                _ = read(&damaged);
            }
        }
    }
}

/// A file with one piece of its footer in place of another of that length.
fn footer_with(whole: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = whole.windows(from.len()).rposition(|window| window == from).unwrap();
    let mut file = whole.to_vec();
    file.splice(at..at + from.len(), to.iter().copied());
    let end = file.len() - 8;
    let length = u32::from_le_bytes(file[end..end + 4].try_into().unwrap());
    let more = u32::try_from(to.len() - from.len()).unwrap();
    file[end..end + 4].copy_from_slice(&(length + more).to_le_bytes());
    file
}

fn one_column(compression: Compression) -> Vec<u8> {
    written(vec![("s", texts())], properties(compression))
}

#[test]
fn a_list_of_the_footer_says_more_than_there_is() {
    let whole = one_column(Compression::UNCOMPRESSED);
    // Version 1, then a list of two elements of the schema.
    let mut list = vec![0x15, 0x02, 0x19, 0xfc];
    list.extend(COUNT);
    let file = footer_with(&whole, &[0x15, 0x02, 0x19, 0x2c], &list);
    let said = read(&file).unwrap_err();
    assert!(said.contains("in its footer a list says that it has 2147483647 elements"), "{said}");
}

#[test]
fn a_list_of_the_footer_hides_behind_another_type() {
    let whole = one_column(Compression::UNCOMPRESSED);
    // As bytes it is a text of 0x2c bytes; the library would read a list.
    let file = footer_with(&whole, &[0x15, 0x02, 0x19, 0x2c], &[0x15, 0x02, 0x18, 0x2c]);
    let said = read(&file).unwrap_err();
    assert!(said.contains("a field has another type than Parquet gives it"), "{said}");
}

#[test]
fn a_group_of_the_schema_says_more_columns_than_there_are() {
    let whole = one_column(Compression::UNCOMPRESSED);
    // The root is called arrow_schema and has one child.
    let mut root = b"arrow_schema\x15".to_vec();
    root.extend(NUMBER);
    let file = footer_with(&whole, b"arrow_schema\x15\x02", &root);
    let said = read(&file).unwrap_err();
    assert!(said.contains("says that it has 2147483647 columns, and 1 follow"), "{said}");
}

#[test]
fn groups_of_the_schema_lie_too_deep() {
    let deep: Vec<Option<i64>> = [vec![Some(1); 100_000], vec![None]].concat();
    let mut footer = vec![0x29, 0xfc];
    let mut count = deep.len();
    while count > 0x7f {
        footer.push(u8::try_from(count & 0x7f).unwrap() | 0x80);
        count >>= 7;
    }
    footer.push(u8::try_from(count).unwrap());
    for children in deep {
        footer.extend([0x35, 0x02, 0x18, 0x01, b'x']);
        footer.extend(children.map_or(vec![0], |_| vec![0x15, 0x02, 0]));
    }
    footer.push(0);
    let length = u32::try_from(footer.len()).unwrap();
    let file = [&footer[..], &length.to_le_bytes(), b"PAR1"].concat();
    let said = read(&file).unwrap_err();
    assert!(said.contains("in its footer columns lie deeper than 64 groups"), "{said}");
}

#[test]
fn a_footer_says_that_it_is_longer_than_the_file() {
    let mut file = one_column(Compression::UNCOMPRESSED);
    let end = file.len() - 8;
    file[end..end + 4].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let said = read(&file).unwrap_err();
    assert!(said.contains("it says that its footer has 2147483647 bytes"), "{said}");
}

/// The first page, which is the dictionary: kind 2, then its two lengths; the bytes behind are
/// moved, which is of no matter where the header alone is refused.
fn first_page(compression: Compression, unpacked: &[u8]) -> Vec<u8> {
    let whole = one_column(compression);
    assert_eq!(&whole[..7], b"PAR1\x15\x04\x15");
    let mut file = whole;
    file.splice(7..8, unpacked.iter().copied());
    file
}

#[test]
fn a_page_that_says_it_is_two_gigabytes_takes_them() {
    for compression in [Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())] {
        let said = read(&first_page(compression, &NUMBER)).unwrap_err();
        let wanted = "a page of column s says that it holds 2147483647 bytes, \
                      and at most 134217728 are read; write it with smaller pages";
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn a_page_that_says_more_than_its_bytes_can_become_takes_that() {
    for compression in [Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())] {
        // 64 MiB.
        let file = first_page(compression, &[0x80, 0x80, 0x80, 0x40]);
        let said = read(&file).unwrap_err();
        assert!(said.contains("become 67108864, and at most"), "{said}");
    }
}

#[test]
fn a_dictionary_says_more_values_than_its_bytes_hold() {
    let whole = written(
        vec![("n", Arc::new(Int64Array::from(vec![1, 2])))],
        properties(Compression::UNCOMPRESSED),
    );
    // The header ends with the number of its values, 2, and their encoding.
    let at = whole.windows(5).position(|window| window == [0x4c, 0x15, 0x04, 0x15, 0x00]).unwrap();
    let mut file = whole;
    file.splice(at + 2..at + 3, NUMBER);
    let said = read(&file).unwrap_err();
    assert!(said.contains("says that its 16 bytes hold 2147483647 values"), "{said}");
}

#[test]
fn a_dictionary_of_one_long_text_is_repeated_in_every_row_at_once() {
    let text = "x".repeat(1 << 20);
    let many: ArrayRef = Arc::new(StringArray::from(vec![text.as_str(); 150]));
    let mut file = tempfile::tempfile().unwrap();
    let batch = RecordBatch::try_from_iter(vec![("s", many)]).unwrap();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    drop(batch);
    let (mut rows, mut most) = (0, 0);
    let taken = allocation_counter::measure(|| {
        let (mut reader, _) = ParquetReader::new(file, "x.parquet").unwrap();
        while let Some(chunk) = reader.next_chunk(CHUNK_ROWS).unwrap() {
            rows += chunk.rows();
            most = chunk.rows().max(most);
        }
    });
    assert_eq!(rows, 150);
    assert!(most < 65, "{most}");
    assert!(taken.bytes_max < 3 * BATCH_BYTES, "{}", taken.bytes_max);
}

#[test]
fn null_vectors_of_any_length_are_padded() {
    let field = |count| {
        let item = Arc::new(arrow_schema::Field::new("item", DataType::Float32, true));
        fixed(&DataType::FixedSizeList(item, count))
    };
    assert_eq!(field(3), 48);
    assert!(field(i32::MAX) > BATCH_BYTES);
    assert_eq!(fixed(&DataType::FixedSizeBinary(i32::MAX)), 2_147_483_647);
}

#[test]
fn texts_kept_as_differences_say_more_lengths_than_values() {
    // Blocks of 128 in 4 parts, then how many, then the first.
    let head = |count: &[u8]| [&[0x80, 0x01, 0x04][..], count, &[0x02]].concat();
    assert_eq!(packed::behind_deltas(&head(&COUNT), 1000), None);
    assert_eq!(packed::behind_deltas(&[&head(&[1])[..], b"rest"].concat(), 1), Some(&b"rest"[..]));
    // A block with widths of 1, 0, 0, 0 bits, of which 32 values take four bytes.
    let block = [&head(&[3])[..], &[0x00, 1, 7, 7, 7], &[0; 4], b"rest"].concat();
    assert_eq!(packed::behind_deltas(&block, 3), Some(&b"rest"[..]));
}
