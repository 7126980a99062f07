//! What no encoder writes and only a decoder can refuse: bytes that nothing holds, lists that do
//! not ascend, things that are there twice. The whole pieces are the examples of SPEC.md.
#![expect(clippy::unwrap_used, reason = "a test that finds something else shall stop there")]

use asofdb_format::chunk::Chunk;
use asofdb_format::head::Head;
use asofdb_format::meta::TableMeta;
use asofdb_format::pages::PageSums;
use asofdb_format::table::{FOOTER_LEN, Footer};
use asofdb_format::timeline::Timeline;
use asofdb_format::value::{MAX_VECTOR_DIM, ValueType};
use asofdb_format::wire::{Writer, wide};

static NONE: Timeline = Timeline::none();

/// Two columns; their numbers of revisions are bytes 3 and 4, the ends of their bodies 7 and 8.
const CHUNK: &str = "11 55 02 00 04 01 02 06 0a 81 02 14 0a 02 01 00 08 01 81 02 0e 02 02 04 00 02 78 \
                     01 d0 0f 02 81 02 00 02 08";
/// Two columns of four revisions of three commits that lie far apart, so that there is a list of them:
/// 1000, 1777 and one more, packed in 37 bits each from byte 24 on.
const PLACES: &str = "11 09 02 00 08 01 02 03 06 82 02 00 0a e4 01 00 0e 01 00 0e 03 25 d0 0f 00 00 00 00 \
                      20 61 00 00 00 5c 90 db 21 5d 02 00 24 25";
const HEAD: &str = "02 00 01 00 11 00 00 00 24 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
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
        assert!(chunk.commits_ascend(&NONE).unwrap());
    }
    let mut longer = sound.clone();
    longer.push(0);
    let chunk = Chunk::decode(&longer).unwrap();
    assert!(chunk.orders(&NONE).is_err());
    assert!(chunk.commits_ascend(&NONE).is_err());
    // The last body may claim a byte of what lies behind it; its values do not.
    let mut claimed = sound.clone();
    *claimed.get_mut(8).unwrap() += 1;
    let chunk = Chunk::decode(&claimed).unwrap();
    let ends_well = |index| chunk.column(index).is_ok_and(|column| column.values().is_ok());
    assert!(!ends_well(1));
}

#[test]
fn commits_of_a_chunk_that_fall_go_unseen() {
    let mut chunk = bytes(PLACES);
    assert!(Chunk::decode(&chunk).unwrap().commits_ascend(&NONE).unwrap());
    // 1777 twice, and 1778 before 1777.
    for first in [777u16, 778] {
        chunk.splice(24..26, first.to_le_bytes());
        assert!(!Chunk::decode(&chunk).unwrap().commits_ascend(&NONE).unwrap());
    }
}

#[test]
fn one_list_is_that_of_columns_of_different_lengths() {
    let mut chunk = bytes(CHUNK);
    // 2 and 3 revisions: width 0 becomes width 0 with slope 1.
    chunk.splice(3..5, [0x80, 1, 4, 2]);
    assert!(Chunk::decode(&chunk).is_err());
    // No revision, and more than a column may have.
    for base in [[0x00, 0x00, 0x00, 0x00, 0x00], [0x82, 0x80, 0x80, 0x10, 0x00]] {
        let mut chunk = bytes(CHUNK);
        let len = if base[0] == 0 { 1 } else { 4 };
        chunk.splice(4..5, base.into_iter().take(len));
        assert!(Chunk::decode(&chunk).is_err(), "{base:?}");
    }
}

#[test]
fn two_forms_of_a_list_are_flagged_and_one_is_read() {
    for flags in [0x55 | 2, 0x55 | 128] {
        let mut chunk = bytes(CHUNK);
        *chunk.get_mut(1).unwrap() = flags;
        assert!(Chunk::decode(&chunk).is_err(), "{flags:x}");
    }
}

#[test]
fn the_zeros_of_a_head_may_be_anything() {
    let mut head = bytes(HEAD);
    assert_eq!(Head::decode(&head).unwrap().entity(), b"u1");
    *head.get_mut(7).unwrap() = 1;
    assert!(Head::decode(&head).is_err());
    *head.get_mut(7).unwrap() = 0;
    let forms = (0..=255).filter(|form| {
        *head.get_mut(6).unwrap() = *form;
        Head::decode(&head).is_ok()
    });
    let known: Vec<u8> = [0, 1].into_iter().chain(16..=25).chain([32, 48]).collect();
    assert_eq!(forms.collect::<Vec<u8>>(), known);
}

#[test]
fn text_is_looked_for_where_a_head_has_numbers_of_four_bytes() {
    let mut head = bytes(HEAD);
    assert!(Head::decode(&head).unwrap().raw(1).is_ok());
    *head.get_mut(6).unwrap() = 48;
    let head = Head::decode(&head).unwrap();
    assert!(head.raw(1).is_err());
    assert!(head.is_known_form(1));
}

#[test]
fn a_number_has_a_code_that_there_is_not() {
    let mut head = bytes(HEAD);
    *head.get_mut(6).unwrap() = 1;
    head.splice(54.., [48, 49, 7, 0, 0, 0, 8, 0, 0, 0]);
    let head = Head::decode(&head).unwrap();
    assert_eq!((head.is_known_form(0), head.bits(0)), (true, 7));
    assert!(!head.is_known_form(1));
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
