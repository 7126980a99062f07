//! SPEC.md and the code agree: constants, tags, hashes and the bytes of every worked example.
//!
//! What is compared is read from SPEC.md's own tables, and in both directions: a constant or a tag
//! that only one side knows fails the test as well as one that differs.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that finds something else than it expects shall stop there"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asofdb_format::batch::{BatchHead, Entry, EntryEncoder, EntryValue};
use asofdb_format::catalog::{Bounds, Definition, Terms};
use asofdb_format::chunk::{Chunk, ColumnInput};
use asofdb_format::edit::{Edit, EditFault, Level, TableEntry};
use asofdb_format::frame::{FrameHead, FrameKind, Seed};
use asofdb_format::freshness::{FeatureFreshness, Freshness};
use asofdb_format::hash::{EntityHash, EraseKey, ErasedEntity};
use asofdb_format::head::HistoryPlace;
use asofdb_format::header::{FileKind, HEADER_LEN, Header, HeaderFault};
use asofdb_format::hint::{self, ChunkHint};
use asofdb_format::ids::{
    Commit, EventTime, FeatureId, FileNumber, KnownTime, SourceId, Span, StoreId,
};
use asofdb_format::lines::{self, Lists};
use asofdb_format::meta::TableMeta;
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::table::{FOOTER_LEN, Footer, Names, TableBuilder};
use asofdb_format::timeline::{Step, Timeline};
use asofdb_format::value::{Kind, ValueType};
use asofdb_format::values::{self, Numbers, Place, Values};
use asofdb_format::wire::Reader;
use asofdb_format::{
    FORMAT_VERSION, batch, chunk, directory, edit, frame, freshness, head, header, ints, pages,
    table, timeline, value,
};
use bytes::Bytes;

const MADE: i64 = 1_700_000_000_000_000;

fn crate_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn spec() -> String {
    std::fs::read_to_string(crate_dir().join("../SPEC.md")).unwrap()
}

/// The part of SPEC.md under a heading, up to the next heading.
fn under(heading: &str) -> String {
    let spec = spec();
    let start = spec.find(&format!("{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let body = &spec[start + heading.len()..];
    body[..body.find("\n#").unwrap_or(body.len())].to_owned()
}

/// The rows of the first table under a heading, without its head; cells without their backticks.
fn table_under(heading: &str) -> Vec<Vec<String>> {
    let body = under(heading);
    let lines = body.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    let cells = rows.map(|row| {
        let inner = row.trim_matches('|').split(" | ");
        inner.map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    });
    cells.collect()
}

/// The bytes of a worked example: the first column of the table under its heading.
fn example(name: &str) -> Vec<u8> {
    let rows = table_under(&format!("#### Example: {name}"));
    let hex: String = rows.iter().map(|row| format!("{} ", row[0].trim_matches('`'))).collect();
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn public_constants() -> BTreeMap<String, String> {
    let wide = |n: usize| u64::try_from(n).unwrap();
    let all = [
        ("FORMAT_VERSION", u64::from(FORMAT_VERSION)),
        ("header::HEADER_LEN", wide(header::HEADER_LEN)),
        ("frame::FRAME_HEAD_LEN", wide(frame::FRAME_HEAD_LEN)),
        ("frame::MAX_PAYLOAD_LEN", u64::from(frame::MAX_PAYLOAD_LEN)),
        ("batch::MAX_BATCH_LEN", wide(batch::MAX_BATCH_LEN)),
        ("batch::MAX_ENTITY_LEN", wide(batch::MAX_ENTITY_LEN)),
        ("value::MAX_VALUE_LEN", wide(value::MAX_VALUE_LEN)),
        ("value::MAX_VECTOR_DIM", u64::from(value::MAX_VECTOR_DIM)),
        ("pages::PAGE_LEN", pages::PAGE_LEN),
        ("table::FOOTER_LEN", wide(table::FOOTER_LEN)),
        ("directory::FIXED_LEN", wide(directory::FIXED_LEN)),
        ("hint::HINT_LEN", wide(hint::HINT_LEN)),
        ("head::FIXED_LEN", wide(head::FIXED_LEN)),
        ("head::MAX_FEATURES", wide(head::MAX_FEATURES)),
        ("head::NEAR_LEN", wide(head::NEAR_LEN)),
        ("chunk::MAX_REVISIONS", chunk::MAX_REVISIONS),
        ("freshness::POINTS", wide(freshness::POINTS)),
        ("freshness::SAMPLE", wide(freshness::SAMPLE)),
        ("timeline::MAX_STEPS", wide(timeline::MAX_STEPS)),
        ("values::IN_PLACE_LEN", wide(values::IN_PLACE_LEN)),
        ("values::BLOCK_LEN", wide(values::BLOCK_LEN)),
        ("values::SHORT_BLOCK_LEN", wide(values::SHORT_BLOCK_LEN)),
    ];
    let mut all: BTreeMap<String, String> =
        all.map(|(name, value)| (name.to_owned(), value.to_string())).into();
    all.insert("header::MAGIC".to_owned(), format!("{:?}", str::from_utf8(header::MAGIC).unwrap()));
    all
}

#[test]
fn constants_are_those_of_the_specification() {
    let rows = table_under("### 10.1 Constants of the format");
    let unquoted = |cell: &str| cell.trim_matches('`').to_owned();
    let told: BTreeMap<String, String> =
        rows.iter().map(|row| (unquoted(&row[0]), unquoted(&row[1]))).collect();
    assert_eq!(told.len(), rows.len(), "a name stands twice");
    assert_eq!(told, public_constants());
}

#[test]
fn no_public_constant_of_the_code_is_left_out() {
    let mut found = BTreeSet::new();
    let files = std::fs::read_dir(crate_dir().join("src")).unwrap();
    let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    for path in files.iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let module = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        for line in text.lines() {
            let Some((name, _)) = line.strip_prefix("pub const ").and_then(|l| l.split_once(':'))
            else {
                continue;
            };
            if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
                let path = if module == "lib" { String::new() } else { format!("{module}::") };
                found.insert(format!("{path}{name}"));
            }
        }
    }
    assert_eq!(found, public_constants().into_keys().collect());
}

/// What SPEC.md says of the tags of one group.
fn told_tags(group: &str) -> BTreeMap<String, u64> {
    let rows = table_under("### 10.2 Tags");
    let row = rows.iter().find(|row| row[0].trim_matches('`') == group).unwrap();
    let pairs = row[1].split(", ").map(|pair| {
        let (name, tag) = pair.rsplit_once(' ').unwrap();
        (name.trim_matches('`').to_owned(), tag.parse().unwrap())
    });
    pairs.collect()
}

fn tags(all: &[(impl ToString, u64)]) -> BTreeMap<String, u64> {
    all.iter().map(|(name, tag)| (name.to_string(), *tag)).collect()
}

fn store() -> StoreId {
    StoreId(std::array::from_fn(|index| u8::try_from(index).unwrap()))
}

#[test]
fn tags_of_files_and_frames() {
    let kinds = [FileKind::Current, FileKind::Manifest, FileKind::Log, FileKind::Table];
    let letters = kinds.map(|kind| (format!("{kind:?}"), u64::from(kind.letter())));
    assert_eq!(told_tags("FileKind"), tags(&letters));
    let known: BTreeSet<u64> = (0..=u8::MAX)
        .filter(|&letter| {
            let mut bytes = Header::new(FileKind::Log, store(), FileNumber(7), MADE).encode();
            bytes[6] = letter;
            let sum = crc32fast::hash(&bytes[..HEADER_LEN - 8]);
            bytes[HEADER_LEN - 8..HEADER_LEN - 4].copy_from_slice(&sum.to_le_bytes());
            Header::decode(&bytes).is_ok()
        })
        .map(u64::from)
        .collect();
    assert_eq!(known, told_tags("FileKind").into_values().collect());

    let seed = Seed::of(store(), FileNumber(7));
    let bytes_of = |kind| {
        let mut out = Vec::new();
        let head = FrameHead { kind, commit: Commit(1), synced: 0, ceiling: Commit(1) };
        frame::encode(&head, &[], seed, 0, &mut out);
        out
    };
    let kinds = [FrameKind::Batch, FrameKind::Edit]
        .map(|kind| (format!("{kind:?}"), u64::from(bytes_of(kind)[12])));
    assert_eq!(told_tags("FrameKind"), tags(&kinds));
    let known: BTreeSet<u64> = (0..=u8::MAX)
        .filter(|&kind| {
            let mut bytes = bytes_of(FrameKind::Batch);
            bytes[12] = kind;
            let sum = file_sum(&[&0u64.to_le_bytes(), &bytes[8..40]]).to_le_bytes();
            bytes[..4].copy_from_slice(&sum);
            bytes[4..8].copy_from_slice(&sum);
            frame::decode_all(&bytes, 0, seed).0.len() == 1
        })
        .map(u64::from)
        .collect();
    assert_eq!(known, told_tags("FrameKind").into_values().collect());
}

#[test]
fn tags_of_kinds_and_types() {
    let kinds = [Kind::Value, Kind::Null, Kind::Deleted, Kind::Stub];
    let all = kinds.map(|kind| (format!("{kind:?}"), u64::from(kind.tag())));
    assert_eq!(told_tags("Kind"), tags(&all));
    let known = (0..=u8::MAX).filter(|&tag| Kind::from_tag(tag).is_some()).map(u64::from);
    assert_eq!(known.collect::<BTreeSet<_>>(), told_tags("Kind").into_values().collect());

    let types = [
        ("Bool", ValueType::Bool),
        ("I64", ValueType::I64),
        ("F32", ValueType::F32),
        ("F64", ValueType::F64),
        ("Text", ValueType::Text),
        ("Bytes", ValueType::Bytes),
        ("Vector", ValueType::Vector(3)),
    ];
    let all = types.map(|(name, value_type)| (name, u64::from(value_type.tag())));
    assert_eq!(told_tags("ValueType"), tags(&all));
    let known = (0..=u8::MAX)
        .filter(|&tag| [0, 1].iter().any(|dim| ValueType::from_tag(tag, *dim).is_some()));
    let known = known.map(u64::from);
    assert_eq!(known.collect::<BTreeSet<_>>(), told_tags("ValueType").into_values().collect());
}

fn one_of_each_edit() -> Vec<Edit> {
    let (commit, id, number) = (Commit(1), FeatureId(1), FileNumber(1));
    let definition = Definition {
        id,
        name: "v:f".to_owned(),
        schema: 1,
        value_type: ValueType::I64,
        terms: Terms::default(),
    };
    let meta = TableMeta::empty();
    let entry = TableEntry {
        number,
        len: 0,
        identity: 0,
        level: Level::Recent,
        min_hash: meta.min_hash,
        max_hash: meta.max_hash,
        entities: 0,
        revisions: 0,
        min_event_time: meta.min_event_time,
        max_event_time: meta.max_event_time,
        max_known_time: meta.max_known_time,
        min_commit: meta.min_commit,
        max_commit: meta.max_commit,
    };
    vec![
        Edit::Store(EraseKey([0; 16])),
        Edit::AddTable(entry),
        Edit::RemoveTable(number),
        Edit::AddLog(number),
        Edit::SealLog(number, 56),
        Edit::RemoveLog(number),
        Edit::NextFile(number),
        Edit::Clock(commit, commit),
        Edit::Commits(Vec::new()),
        Edit::Lost(commit, commit),
        Edit::Define(commit, definition),
        Edit::Alter(commit, id, Terms::default(), Bounds::default()),
        Edit::Retire(commit, "v:f".to_owned()),
        Edit::Bounds(id, Bounds::default()),
        Edit::Erase(commit, ErasedEntity([0; 16])),
        Edit::RevertSource(commit, SourceId(1)),
        Edit::RevertCommits(commit, Vec::new()),
        Edit::Source(SourceId(1), "job".to_owned()),
        Edit::Touch(SourceId(1), id, commit),
        Edit::Mark(commit, SourceId(1), "m".to_owned(), Bytes::new()),
        Edit::LogSynced(number, 56),
        Edit::ManifestSynced(number, 56),
        Edit::ErasesDone(commit),
    ]
}

#[test]
fn tags_of_edits() {
    let all: Vec<(String, u64)> = one_of_each_edit()
        .iter()
        .map(|edit| {
            let debug = format!("{edit:?}");
            let bytes = edit::encode_all(std::slice::from_ref(edit));
            (debug[..debug.find('(').unwrap()].to_owned(), u64::from(bytes[0]))
        })
        .collect();
    assert_eq!(told_tags("Edit"), tags(&all));
    // Content that no edit has tells a tag that is known from one that is not.
    let known: BTreeSet<u64> = (0..128u8)
        .filter(|&tag| match edit::decode_all(&[tag, 1, 0xff]) {
            Err(EditFault::Unknown(_)) => false,
            Ok(edits) => !edits.is_empty(),
            Err(EditFault::Malformed(_)) => true,
        })
        .map(u64::from)
        .collect();
    assert_eq!(known, told_tags("Edit").into_values().collect());
}

#[test]
fn tags_of_sections() {
    let header = Header::new(FileKind::Table, store(), FileNumber(3), MADE);
    let step = Step { commit: Commit(1), from: EventTime(1) };
    let timeline = Arc::new(Timeline::of(vec![step], 1));
    let mut builder = TableBuilder::new(&header, Names::default(), timeline);
    let long = Payload::Raw(Bytes::from(vec![1; 100]));
    let revisions =
        [revision(1, 1, 1, Kind::Value, long.clone()), { revision(2, 1, 1, Kind::Value, long) }];
    builder.add(b"u1", &[(FeatureId(1), &revisions)]);
    let bytes = builder.finish().0.concat();
    let len = u64::try_from(bytes.len()).unwrap();
    let footer = Footer::decode(&bytes[bytes.len() - FOOTER_LEN..], len).unwrap();
    let range = usize::try_from(footer.sections.start).unwrap()
        ..usize::try_from(footer.sections.end()).unwrap();
    let layout = footer.layout(&bytes[range.clone()]).unwrap();
    let named = [
        ("history", layout.history),
        ("far", layout.far),
        ("heads", layout.heads),
        ("directory", layout.directory),
        ("metadata", layout.meta),
        ("freshness", layout.freshness.unwrap()),
        ("timeline", layout.timeline.unwrap()),
        ("hints", layout.hints.unwrap()),
        ("checksums", layout.checksums),
    ];
    let mut reader = Reader::new(&bytes[range]);
    let mut all = Vec::new();
    for _ in 0..reader.varint().unwrap() {
        let tag = reader.varint().unwrap();
        let ignorable = reader.u8().unwrap();
        let place = (reader.varint().unwrap(), reader.varint().unwrap());
        let (name, _) =
            named.iter().find(|(_, extent)| (extent.start, extent.len) == place).unwrap();
        let is_fresh = matches!(*name, "freshness" | "hints");
        assert_eq!(ignorable, u8::from(is_fresh), "of all sections one may be passed over");
        all.push((*name, tag));
    }
    assert_eq!(told_tags("section"), tags(&all));
}

#[test]
fn the_freshness_of_the_example() {
    let feature = |known, points: &[i64]| FeatureFreshness {
        newest_known: KnownTime(known),
        entities: u64::try_from(points.len()).unwrap(),
        points: points.iter().copied().map(EventTime).collect(),
    };
    let features =
        vec![(FeatureId(1), feature(1002, &[30, 35])), (FeatureId(2), feature(999, &[]))];
    assert_eq!(Freshness { features }.encode(), example("freshness"));
    let under = under("### 4.15 Freshness");
    let told: Vec<u64> = under
        .lines()
        .filter(|line| line.starts_with("    ") && line.contains("950") || line.contains("0 1 2"))
        .flat_map(str::split_whitespace)
        .map(|number| number.parse().unwrap())
        .collect();
    let ranks: Vec<u64> =
        (0..freshness::POINTS).map(|point| freshness::rank(point, 1001).unwrap()).collect();
    assert_eq!(told, ranks, "of 1001 entities the ranks are the thousandths");
}

#[test]
fn tags_of_forms_of_values() {
    let form = |payloads: &[Payload], numbers| {
        let (mut out, mut heap) = (Vec::new(), Vec::new());
        values::encode(&payloads.iter().collect::<Vec<_>>(), numbers, &mut out, &mut heap);
        u64::from(out[0])
    };
    let raw = |len: usize| Payload::Raw(Bytes::from(vec![1; len]));
    let half64 = Payload::Bits(0.5f64.to_bits());
    let half32 = Payload::Bits(u64::from(0.5f32.to_bits()));
    let all = [
        ("none", form(&[Payload::None], Numbers::Plain)),
        ("numbers", form(&[Payload::Bits(1)], Numbers::Plain)),
        ("decimal f64", form(&[half64], Numbers::F64)),
        ("decimal f32", form(&[half32], Numbers::F32)),
        ("in place", form(&[raw(1), raw(511)], Numbers::Plain)),
        ("same bytes", form(&[raw(5), raw(5)], Numbers::Plain)),
        ("in blocks", form(&[raw(1), raw(512)], Numbers::Plain)),
    ];
    assert_eq!(told_tags("form of values"), tags(&all));
    let known: BTreeSet<u64> = (0..=u8::MAX)
        .filter(|&form| {
            let fault = Values::decode(&mut Reader::new(&[form]), 1).err();
            fault.is_none_or(|fault| fault.what != "a form of values")
        })
        .map(u64::from)
        .collect();
    assert_eq!(known, told_tags("form of values").into_values().collect());
}

#[test]
fn the_largest_exponent_of_decimals_is_nine() {
    assert!(Values::decode(&mut Reader::new(&[2, 9, 0, 0]), 1).is_ok());
    assert!(Values::decode(&mut Reader::new(&[2, 10, 0, 0]), 1).is_err());
}

#[test]
fn hashes_are_those_of_the_specification() {
    let body = under("### 4.14 Hashes");
    let key = EraseKey(store().0);
    let mut vectors = 0;
    for row in body.lines().filter(|line| line.starts_with("| `\"")) {
        let cells: Vec<&str> =
            row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let entity = cells[0].trim_matches('"').as_bytes();
        assert_eq!(format!("{:?}", EntityHash::of(entity)), cells[1]);
        assert_eq!(format!("{:?}", ErasedEntity::of(&key, entity)), cells[2]);
        vectors += 1;
    }
    assert!(vectors >= 2);
}

/// The CRC-32 of a file's store id and number, and what follows: what sums of frames are.
fn file_sum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&store().0);
    hasher.update(&7u64.to_le_bytes());
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

#[test]
fn the_sums_of_a_frame_go_on_from_one_another() {
    assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
    let bytes = example("frame");
    let place = 56u64.to_le_bytes();
    assert_eq!(bytes[..4], file_sum(&[&place, &bytes[8..40]]).to_le_bytes());
    assert_eq!(bytes[4..8], file_sum(&[&place, &bytes[8..]]).to_le_bytes());
    assert!(under("#### Example: frame").contains(&format!("`0x{:08x}`", file_sum(&[]))));
}

fn revision(e: i64, known: i64, c: i64, kind: Kind, payload: Payload) -> Revision {
    let order = Order { event_time: EventTime(e), known_time: KnownTime(known), commit: Commit(c) };
    Revision { order, kind, source: SourceId::NONE, payload }
}

#[test]
fn the_example_of_a_header() {
    let header = Header::new(FileKind::Log, store(), FileNumber(7), MADE);
    assert_eq!(header.encode(), example("header"));
    let mut newer = header;
    newer.version += 1;
    assert_eq!(Header::decode(&newer.encode()), Err(HeaderFault::Newer(FORMAT_VERSION + 1)));
}

#[test]
fn the_example_of_a_frame() {
    let entry = |entity, feature, e, known: Option<i64>, kind, value| Entry {
        entity,
        feature: FeatureId(feature),
        event_time: EventTime(e),
        known_time: known.map(KnownTime),
        kind,
        value,
    };
    let mut entries = EntryEncoder::default();
    entries.push(&entry(b"u1", 1, 100, None, Kind::Value, EntryValue::Bits(42)));
    entries.push(&entry(b"u1", 1, 90, Some(95), Kind::Null, EntryValue::None));
    entries.push(&entry(b"u2", 2, 100, None, Kind::Value, EntryValue::Raw(b"hi")));
    let batch = BatchHead {
        source: Some((SourceId(1), "job".to_owned())),
        marks: vec![("m".to_owned(), Bytes::from_static(b"17"))],
        entries: entries.entries(),
    };
    let head = FrameHead {
        kind: FrameKind::Batch,
        commit: Commit(MADE),
        synced: 56,
        ceiling: Commit(MADE + 1_000_000),
    };
    let mut out = Vec::new();
    let seed = Seed::of(store(), FileNumber(7));
    frame::encode(&head, &[&batch.encode(), entries.as_bytes()], seed, 56, &mut out);
    assert_eq!(out, example("frame"));
}

#[test]
fn the_example_of_edits() {
    let edits = [
        Edit::NextFile(FileNumber(300)),
        Edit::Clock(Commit(-1), Commit(63)),
        Edit::SealLog(FileNumber(7), 56),
    ];
    assert_eq!(edit::encode_all(&edits), example("edits"));
}

#[test]
fn the_example_of_a_directory() {
    let hash = EntityHash::of(b"u1");
    assert!(under("#### Example: directory").contains(&format!("`0x{hash:?}`")));
    let mut out = Vec::new();
    directory::encode(&[(hash, 0)], &mut out);
    assert_eq!(out, example("directory"));
}

#[test]
fn the_example_of_hints() {
    let hint = |start, chunk_len| ChunkHint::of(HistoryPlace { start, chunk_len, heap_len: 0 });
    let hints = [hint(0, 36), hint(0, 0), hint(100, 5000)];
    assert_eq!(hint::encode(&hints), example("hints"));
}

#[test]
fn the_examples_of_head_and_chunk() {
    let raw = |text: &'static [u8]| Payload::Raw(Bytes::from_static(text));
    let numbers = [
        revision(10, 1000, 1000, Kind::Value, Payload::Bits(7)),
        revision(20, 1001, 1001, Kind::Value, Payload::Bits(9)),
    ];
    let texts = [
        revision(10, 1000, 1000, Kind::Value, raw(b"x")),
        revision(20, 999, 1001, Kind::Null, Payload::None),
    ];
    let column = |feature, revisions| ColumnInput {
        feature: FeatureId(feature),
        numbers: Numbers::Plain,
        revisions,
    };
    let (mut bytes, mut heap) = (Vec::new(), Vec::new());
    chunk::encode(
        &[column(1, &numbers), column(2, &texts)],
        &Timeline::none(),
        &mut bytes,
        &mut heap,
    );
    assert_eq!(bytes, example("chunk"));
    assert!(heap.is_empty());

    let newest = [
        revision(30, 1002, 1002, Kind::Value, Payload::Bits(11)),
        revision(20, 1002, 1002, Kind::Value, raw(b"yz")),
    ];
    let chunk_len = u32::try_from(bytes.len()).unwrap();
    let history = HistoryPlace { start: 0, chunk_len, heap_len: 0 };
    let newest = [(FeatureId(1), &newest[0]), (FeatureId(2), &newest[1])];
    let (mut bytes, mut far) = (Vec::new(), Vec::new());
    head::encode(b"u1", &newest, history, &Timeline::none(), (&mut bytes, &mut far));
    assert_eq!(bytes, example("head"));
    assert!(far.is_empty());
}

#[test]
fn the_example_of_a_head_of_numbers() {
    let number =
        |number: f64| revision(30, 1002, 1002, Kind::Value, Payload::Bits(number.to_bits()));
    let (one, other) = (number(2.5), number(0.25));
    let newest = [(FeatureId(1), &one), (FeatureId(2), &other)];
    let (mut bytes, mut far) = (Vec::new(), Vec::new());
    let none = HistoryPlace::default();
    head::encode(b"u1", &newest, none, &Timeline::none(), (&mut bytes, &mut far));
    assert_eq!(bytes, example("head of numbers"));
}

#[test]
fn the_examples_of_ints() {
    let columns = [vec![10i64, 20, 35], (0..6).map(|step| 1000 + 10 * step).collect::<Vec<i64>>()];
    for column in columns {
        let list: Vec<String> = column.iter().map(i64::to_string).collect();
        let mut out = Vec::new();
        ints::encode(&column, &mut out);
        assert_eq!(out, example(&format!("ints of {}", list.join(", "))));
    }
}

#[test]
fn the_example_of_lines() {
    let (all, counts) = ([10, 20, 12, 22, 33], [2, 3]);
    let mut out = Vec::new();
    lines::encode(Lists { all: &all, counts: &counts }, &mut out);
    assert_eq!(out, example("lines of 10, 20 and of 12, 22, 33"));
}

#[test]
fn a_span_is_at_most_two_to_the_63_in_files() {
    let terms = Terms { ttl: Some(Span::MAX), ..Terms::default() };
    let edit = Edit::Alter(Commit(0), FeatureId(0), terms, Bounds::default());
    let bytes = edit::encode_all(std::slice::from_ref(&edit));
    let mut reader = Reader::new(&bytes[4..]);
    assert_eq!(reader.varint(), Ok(1 << 63));
    assert_eq!(edit::decode_all(&bytes), Ok(vec![edit]));
}

#[test]
fn the_numbers_of_the_example() {
    let columns = [[7u64, 9], [107, 105], [207, 209]].map(|numbers| {
        let at = |n: usize| {
            let (event_time, commit) = ([10, 20][n], 1000 + i64::try_from(n).unwrap());
            revision(event_time, commit, commit, Kind::Value, Payload::Bits(numbers[n]))
        };
        [at(0), at(1)]
    });
    let input = (1..).map(FeatureId).zip(&columns).map(|(feature, revisions)| ColumnInput {
        feature,
        numbers: Numbers::Plain,
        revisions,
    });
    let (mut bytes, mut heap) = (Vec::new(), Vec::new());
    chunk::encode(&input.collect::<Vec<_>>(), &Timeline::none(), &mut bytes, &mut heap);
    assert_eq!(bytes, example("numbers side by side"), "{bytes:02x?}");
    assert!(heap.is_empty());
    let chunk = Chunk::decode(&bytes).unwrap();
    assert_eq!(chunk.column(1).unwrap().place(1), Ok(Place::Bits(105)));
    for (byte, what) in [(0x90, "ends of a byte each"), (0x30, "ends of three bytes")] {
        let mut other = bytes.clone();
        other[0] = byte;
        assert!(Chunk::decode(&other).is_err(), "{what}");
    }
    let mut other = bytes.clone();
    other[1] = other[1] & !1 | 2;
    assert!(Chunk::decode(&other).is_err(), "times of each column's own");
}

#[test]
fn the_lists_of_the_example() {
    let bytes = example("some lists of event times");
    let chunk = Chunk::decode(&bytes).unwrap();
    assert_eq!(chunk.columns(), 3);
    let timeline = Timeline::none();
    let orders = chunk.orders(&timeline).unwrap();
    for (index, expected) in
        [&[(10, 7), (20, 9)][..], &[(10, 107), (20, 105)], &[(15, 207)]].into_iter().enumerate()
    {
        assert_eq!(chunk.feature(index), FeatureId(u32::try_from(index).unwrap() + 1));
        let column = chunk.column(index).unwrap();
        let versions = (0..column.len()).map(|at| {
            assert_eq!(column.order(&orders, at).commit, Commit(1000));
            let Ok(Place::Bits(bits)) = column.place(at) else { panic!("a number") };
            (column.event_time(at).0, bits)
        });
        assert_eq!(versions.collect::<Vec<_>>(), expected);
    }
    for (at, byte, what) in [
        (7, 4, "more lists than columns"),
        (10, 3, "a list of more event times than its column has revisions"),
        (13, 5, "another list, which is shorter"),
    ] {
        let mut other = bytes.clone();
        other[at] = byte;
        let read = Chunk::decode(&other).and_then(|chunk| chunk.column(0).map(drop));
        assert!(read.is_err(), "{what}");
    }
}

#[test]
fn the_examples_of_a_timeline() {
    let steps = [(1000, 10), (1001, 20), (1007, 35)];
    let step = |(commit, from)| Step { commit: Commit(commit), from: EventTime(from) };
    let timeline = Timeline::of(steps.map(step).to_vec(), 3);
    assert_eq!(timeline.encode(), example("timeline"), "{:02x?}", timeline.encode());
    let told = |t| timeline.commit_of(EventTime(t));
    assert_eq!([9, 19, 20].map(told), [1000, 1000, 1001].map(|commit| Some(Commit(commit))));

    let times = [10i64, 12, 14, 16, 18, 20, 22, 36];
    let commits = [1000, 1000, 1005, 1000, 1000, 1001, 1001, 1007];
    let at = |(time, commit): (&i64, i64)| {
        revision(*time, commit, commit, Kind::Value, Payload::Bits(7))
    };
    let revisions: Vec<Revision> = times.iter().zip(commits).map(at).collect();
    let column =
        ColumnInput { feature: FeatureId(1), numbers: Numbers::Plain, revisions: &revisions };
    let (mut bytes, mut heap) = (Vec::new(), Vec::new());
    chunk::encode(&[column], &timeline, &mut bytes, &mut heap);
    assert_eq!(bytes, example("chunk by a timeline"), "{bytes:02x?}");
    let chunk = Chunk::decode(&bytes).unwrap();
    let (column, orders) = (chunk.column(0).unwrap(), chunk.orders(&timeline).unwrap());
    let found = (0..column.len()).map(|index| column.order(&orders, index).commit.0);
    assert_eq!(found.collect::<Vec<_>>(), commits);
    assert!(chunk.orders(&Timeline::none()).is_err(), "there is no timeline");
}
