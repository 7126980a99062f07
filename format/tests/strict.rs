//! What no encoder writes and only a decoder can refuse: bytes that nothing holds, lists that do
//! not ascend, things that are there twice. The whole pieces are the examples of SPEC.md.
#![expect(clippy::unwrap_used, reason = "a test that finds something else shall stop there")]

use asofdb_format::chunk::Chunk;
use asofdb_format::head::Head;
use asofdb_format::meta::TableMeta;
use asofdb_format::pages::PageSums;
use asofdb_format::table::{FOOTER_LEN, Footer};
use asofdb_format::value::{MAX_VECTOR_DIM, ValueType};
use asofdb_format::wire::{Writer, wide};

/// Two columns; the ends of their bodies are bytes 9 and 10, the packed commits byte 6.
const CHUNK: &str = "11 02 02 01 d0 0f 02 01 02 10 20 02 00 81 02 14 0a 02 01 00 02 01 81 02 0e 02 \
                     02 02 17 00 00 81 02 00 02 02 01 00 02 04 00 02 78";
const HEAD: &str = "02 00 01 00 11 00 00 00 2b 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
                    00 00 00 00 00 1e 00 00 00 00 00 00 00 ea 03 00 00 00 00 00 00 75 31 01 02 00 \
                    0a 0b 00 00 00 00 00 00 00 00 00 00 00 80 00 00 00 79 7a";

fn bytes(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn bytes_of_a_chunk_that_no_column_holds_go_unseen() {
    let sound = bytes(CHUNK);
    let chunk = Chunk::decode(&sound).unwrap();
    for index in 0..chunk.columns() {
        assert!(chunk.column(index).unwrap().values().is_ok());
    }
    let mut longer = sound.clone();
    longer.push(0);
    assert!(Chunk::decode(&longer).is_err());
    // The last body may claim the byte; its values do not.
    *longer.get_mut(10).unwrap() += 1;
    let chunk = Chunk::decode(&longer).unwrap();
    assert!(chunk.column(0).unwrap().values().is_ok());
    assert!(chunk.column(1).unwrap().values().is_err());
}

#[test]
fn commits_of_a_chunk_that_fall_go_unseen() {
    let mut chunk = bytes(CHUNK);
    assert!(Chunk::decode(&chunk).unwrap().commits_ascend());
    // 1000, 1001 become 1001, 1000, and then 1001 twice.
    for packed in [0b01, 0b11] {
        *chunk.get_mut(6).unwrap() = packed;
        assert!(!Chunk::decode(&chunk).unwrap().commits_ascend());
    }
}

#[test]
fn the_zeros_of_a_head_may_be_anything() {
    let mut head = bytes(HEAD);
    assert_eq!(Head::decode(&head).unwrap().entity(), b"u1");
    for at in [6, 7] {
        *head.get_mut(at).unwrap() = 1;
        assert!(Head::decode(&head).is_err());
        *head.get_mut(at).unwrap() = 0;
    }
}

#[test]
fn a_type_has_a_dimension_that_no_value_of_it_can_have() {
    for tag in 1..=7 {
        let is_vector = tag == 7;
        assert_eq!(ValueType::from_tag(tag, 0).is_some(), !is_vector);
        assert_eq!(ValueType::from_tag(tag, 3).is_some(), is_vector);
        assert_eq!(ValueType::from_tag(tag, MAX_VECTOR_DIM).is_some(), is_vector);
        assert_eq!(ValueType::from_tag(tag, MAX_VECTOR_DIM + 1), None);
    }
}

#[test]
fn a_source_of_the_metadata_is_there_twice() {
    for (ids, is_sound) in [([1, 2], true), ([2, 1], false), ([1, 1], false)] {
        let mut meta = vec![0; 2 + 16 + 5];
        meta.extend_from_slice(&[0, 2]);
        for id in ids {
            meta.extend_from_slice(&[id, 1, b'a']);
        }
        assert_eq!(TableMeta::decode(&meta).is_ok(), is_sound, "{ids:?}");
    }
}

fn sum(bytes: &[u8]) -> Vec<u8> {
    let mut sums = PageSums::default();
    sums.update(bytes);
    sums.finish()
}

#[test]
fn a_section_is_there_twice_and_the_last_counts() {
    for (again, is_sound) in [(None, true), (Some(1), false), (Some(5), false)] {
        let tags: Vec<u8> = (1..=6).chain(again).collect();
        let mut sections = vec![u8::try_from(tags.len()).unwrap()];
        tags.iter().for_each(|tag| sections.extend_from_slice(&[*tag, 0, 56, 0]));
        let mut footer = Vec::new();
        footer.put_u64(56);
        footer.put_u32(u32::try_from(sections.len()).unwrap());
        footer.extend_from_slice(&sum(&sections));
        footer.put_u32(0);
        footer.extend_from_slice(&sum(&footer.clone()));
        footer.extend_from_slice(b"asofdbT\n");
        let len = 56 + wide(sections.len() + FOOTER_LEN);
        let footer = Footer::decode(&footer, len).unwrap();
        assert_eq!(footer.layout(&sections).is_ok(), is_sound, "{again:?}");
    }
}
