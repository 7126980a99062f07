//! Files whose checksums are right and whose content no store writes: opening refuses frames and
//! parts of a newer format, to read and to write, and `verify` tells of the same file; counts of a
//! table that contradict one another stop nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use asofdb::world::sim::SimWorld;
use asofdb::{
    Batch, Durability, Error, EventTime, FeatureSpec, Options, Store, Value, ValueType, inspect,
};
use asofdb_format::batch::{BatchHead, Entry, EntryEncoder, EntryValue};
use asofdb_format::catalog::{Bounds, Definition, Terms};
use asofdb_format::edit::{self, Edit, Level, Past, TableEntry};
use asofdb_format::frame::{self, FrameHead, FrameKind, Seed};
use asofdb_format::hash::{EntityHash, EraseKey};
use asofdb_format::header::{HEADER_LEN, Header};
use asofdb_format::ids::{Commit, FeatureId, FileNumber, KnownTime, SourceId};
use asofdb_format::meta::TableMeta;
use asofdb_format::pages::PageSums;
use asofdb_format::table::{FOOTER_LEN, Footer, Layout};
use asofdb_format::value::Kind;

const DIR: &str = "/db";
const NOW: i64 = 1_000_000;
/// Above all commits and below the ceiling.
const NEXT: Commit = Commit(NOW + 1000);

fn options(sim: &SimWorld) -> Options {
    Options::new().world(sim.world()).identity(Some([7; 32]))
}

fn put(store: &Store, len: usize) {
    let mut batch = Batch::new();
    batch.put("a", "v:f", EventTime(1), Value::from("x".repeat(len)));
    batch.source("job");
    store.write(batch, Durability::Synced).unwrap();
}

/// A store that was killed with a sealed log, and a newer one that is not sealed. Feature 1 is
/// text, source 1 is "job".
fn killed() -> SimWorld {
    let sim = SimWorld::new(EventTime(NOW));
    let store = Store::open(DIR, options(&sim)).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::Text)).unwrap();
    // Too long to be copied when the store is opened again: this log stays.
    put(&store, 300 << 10);
    store.close().unwrap();
    let store = Store::open(DIR, options(&sim)).unwrap();
    put(&store, 1);
    let killed = sim.after_kill();
    drop(store);
    killed
}

fn newest(sim: &SimWorld, kind: &str) -> PathBuf {
    let mut files = sim.disk.files().into_iter().map(|(path, _)| path);
    files.rfind(|path| path.to_string_lossy().contains(kind)).unwrap()
}

type Frames = Vec<(FrameHead, Vec<u8>)>;

/// Writes the frames of a file anew, with checksums that are right.
fn rewrite(sim: &SimWorld, file: &Path, change: impl FnOnce(&mut Frames)) {
    let bytes = sim.disk.read_file(file).unwrap();
    let header = Header::decode(&bytes).unwrap();
    let seed = Seed::of(header.store, header.number);
    let mut frames: Frames = frame::decode_all(&bytes, HEADER_LEN, seed)
        .0
        .iter()
        .map(|frame| (frame.head, frame.payload.to_vec()))
        .collect();
    change(&mut frames);
    let mut forged = bytes.get(..HEADER_LEN).unwrap().to_vec();
    for (head, payload) in &frames {
        let at = forged.len() as u64;
        frame::encode(head, &[payload], seed, at, &mut forged);
    }
    sim.disk.write_file(file, &forged).unwrap();
}

/// The file is refused with these words, by all who look at it.
fn is_refused(sim: &SimWorld, file: &Path, words: &str) {
    let told = |error: &Error| match error {
        Error::Corruption { file: of, what, .. } => of == file && what.contains(words),
        _ => false,
    };
    let verified = inspect::verify(Path::new(DIR), &sim.world(), &mut |_, _| {}).unwrap();
    assert!(verified.faults().any(told), "{words}: {:?}", verified.faults().collect::<Vec<_>>());
    for read_only in [true, false] {
        let opened = Store::open(DIR, options(&sim.after_kill()).read_only(read_only));
        let refused = opened.err();
        assert!(refused.as_ref().is_some_and(told), "{words}: {refused:?}");
    }
}

fn definition(value_type: ValueType) -> Definition {
    let terms = Terms {
        ttl: None,
        history: None,
        forget_after: None,
        description: String::new(),
        tags: Vec::new().into_iter().collect(),
    };
    Definition { id: FeatureId(2), name: "v:g".to_owned(), schema: 1, value_type, terms }
}

fn table(level: Level, greatest: u64) -> TableEntry {
    TableEntry {
        number: FileNumber(1),
        len: 1000,
        identity: 1,
        level,
        min_hash: EntityHash(5),
        max_hash: EntityHash(greatest),
        entities: 1,
        revisions: 1,
        min_event_time: EventTime(1),
        max_event_time: EventTime(1),
        max_known_time: KnownTime(1),
        min_commit: Commit(1),
        max_commit: Commit(1),
    }
}

#[test]
fn an_edit_that_names_nothing_or_contradicts_the_picture_is_taken() {
    let none = Bounds { horizon: None, stale: None, forgotten: None };
    let log = |sim: &SimWorld| {
        let bytes = sim.disk.read_file(&newest(sim, "LOG")).unwrap();
        Header::decode(&bytes).unwrap().number
    };
    let later = FileNumber(log(&killed()).0 + 10);
    let backwards = Level::Past(Past {
        run: 1,
        window: (EventTime(2), EventTime(1)),
        superseded: EventTime(2),
        made: Commit(1),
    });
    let source = "a source that has a label";
    let feature = "a feature that is defined";
    let cases: Vec<(Vec<Edit>, &str)> = vec![
        (vec![Edit::Bounds(FeatureId(9), none)], feature),
        (vec![Edit::Alter(NEXT, FeatureId(9), definition(ValueType::I64).terms, none)], feature),
        (vec![Edit::Retire(NEXT, "v:none".to_owned())], "the name of a feature that is defined"),
        (vec![Edit::Touch(SourceId(0), FeatureId(9), NEXT)], feature),
        (vec![Edit::Touch(SourceId(9), FeatureId(1), NEXT)], source),
        (vec![Edit::Mark(NEXT, SourceId(9), "m".to_owned(), bytes::Bytes::new())], source),
        (vec![Edit::AddLog(log(&killed()))], "a log that is not yet there"),
        (
            vec![Edit::NextFile(FileNumber(later.0 + 1)), Edit::AddLog(later)],
            "only the newest log to be without its length",
        ),
        (
            vec![
                Edit::AddTable(table(Level::Present, 5)),
                Edit::AddTable(table(Level::Present, 5)),
            ],
            "not yet there",
        ),
        (vec![Edit::AddTable(table(backwards, 5))], "bounds are in order"),
        (vec![Edit::AddTable(table(Level::Present, 4))], "bounds are in order"),
        (
            vec![
                Edit::NextFile(later),
                Edit::AddTable(TableEntry { number: later, ..table(Level::Recent, 5) }),
            ],
            "numbers of files below the next one",
        ),
        (vec![Edit::Store(EraseKey([1; 16]))], "the key of the store, once"),
        (vec![Edit::Lost(Commit(5), Commit(4))], "lost commits in order"),
        (vec![Edit::Clock(Commit(5), Commit(4))], "no commit above the ceiling"),
        (vec![Edit::Define(NEXT, definition(ValueType::Vector(0)))], "the type of a feature"),
        (
            vec![Edit::Define(NEXT, definition(ValueType::Vector((4 << 20) + 1)))],
            "the type of a feature",
        ),
        (vec![Edit::ManifestSynced(FileNumber(2), 60)], "an edit of a manifest"),
        (vec![Edit::NextFile(FileNumber((1 << 62) + 1))], "as many files as a store can have"),
    ];
    println!("{} pictures", cases.len());
    for (edits, words) in cases {
        let sim = killed();
        let manifest = newest(&sim, "MANIFEST");
        rewrite(&sim, &manifest, |frames| {
            let (head, _) = *frames.last().unwrap();
            frames.push((head, edit::encode_all(&edits)));
        });
        is_refused(&sim, &manifest, words);
    }
}

/// A name is anybody's to give: counting on from the greatest number came to an end.
#[test]
fn a_file_with_the_last_of_all_numbers_ends_the_program() {
    for kind in ["MANIFEST", "LOG", "TABLE"] {
        for number in [u64::MAX, u64::MAX - 1, 1 << 62] {
            let sim = killed();
            let stranger = Path::new(DIR).join(format!("{kind}-{number}"));
            sim.disk.write_file(&stranger, b"").unwrap();
            let store = Store::open(DIR, options(&sim)).unwrap();
            put(&store, 10);
            store.compact().unwrap();
            store.close().unwrap();
            let verified = inspect::verify(Path::new(DIR), &sim.world(), &mut |_, _| {}).unwrap();
            assert_eq!(verified.faults().count(), 0, "{kind} {number}");
            assert!(sim.disk.read_file(&stranger).is_ok(), "a stranger's file is gone");
        }
    }
}

#[test]
fn a_manifest_without_its_key_is_read_and_forgets_who_was_erased() {
    let sim = killed();
    let manifest = newest(&sim, "MANIFEST");
    rewrite(&sim, &manifest, |frames| {
        let payload = &mut frames.first_mut().unwrap().1;
        let mut edits = edit::decode_all(payload).unwrap();
        edits.rotate_left(1);
        *payload = edit::encode_all(&edits);
    });
    is_refused(&sim, &manifest, "the key of the store, once");
}

fn entry(feature: u32, known: Option<i64>, value: EntryValue<'static>) -> Entry<'static> {
    Entry {
        entity: b"a",
        feature: FeatureId(feature),
        event_time: EventTime(2),
        known_time: known.map(KnownTime),
        kind: Kind::Value,
        value,
    }
}

fn batch(label: &str, entry: &Entry<'_>) -> Vec<u8> {
    let mut entries = EntryEncoder::default();
    entries.push(entry);
    let source = Some((SourceId(1), label.to_owned()));
    let mut payload = BatchHead { source, marks: Vec::new(), entries: 1 }.encode();
    payload.extend_from_slice(entries.as_bytes());
    payload
}

#[test]
fn a_batch_that_no_store_writes_is_replayed() {
    let raw = EntryValue::Raw;
    let text = entry(1, None, raw(b"x"));
    let types = "values of their features' types";
    let unknown = "features that the catalog has";
    let head =
        FrameHead { kind: FrameKind::Batch, commit: NEXT, synced: 0, ceiling: Commit(NEXT.0 + 1) };
    let with = |commit| FrameHead { commit, ..head };
    let cases: Vec<(FrameHead, Vec<u8>, &str)> = vec![
        (head, batch("job", &entry(1, None, raw(b"\xff"))), types),
        (head, batch("job", &entry(1, None, EntryValue::Bits(1))), types),
        (head, batch("job", &entry(9, None, raw(b"x"))), unknown),
        (head, batch("job", &entry(1, Some(NEXT.0 + 1), raw(b"x"))), "known only after its commit"),
        (head, batch("other", &text), "the label that its source has"),
        (FrameHead { synced: 1 << 40, ..head }, batch("job", &text), "a synced mark before"),
        (FrameHead { ceiling: Commit(NEXT.0 - 1), ..head }, batch("job", &text), "a ceiling"),
        (with(Commit(1)), batch("job", &text), "commit"),
    ];
    println!("{} batches", cases.len());
    for (head, payload, words) in cases {
        let sim = killed();
        let log = newest(&sim, "LOG");
        let too_far = head.synced > 0;
        rewrite(&sim, &log, |frames| frames.push((head, payload)));
        let words = if too_far { "whole" } else { words };
        is_refused(&sim, &log, words);
    }
}

#[test]
fn commits_that_fall_from_log_to_log_are_replayed() {
    let sim = killed();
    let log = newest(&sim, "LOG");
    rewrite(&sim, &log, |frames| {
        for (head, _) in frames.iter_mut().filter(|(head, _)| head.kind == FrameKind::Batch) {
            // Above the definition of the feature, and not above the batch of the sealed log.
            head.commit = Commit(NOW + 1);
        }
    });
    is_refused(&sim, &log, "commit");
}

/// A store that was closed with all in one table.
fn flushed() -> SimWorld {
    let sim = SimWorld::new(EventTime(NOW));
    let store = Store::open(DIR, options(&sim)).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::Text)).unwrap();
    put(&store, 1);
    store.flush().unwrap();
    store.close().unwrap();
    sim
}

/// The checksum of what is no longer than a page.
fn sum(bytes: &[u8]) -> Vec<u8> {
    let mut sums = PageSums::default();
    sums.update(bytes);
    sums.finish()
}

/// Writes the table of a store anew, with checksums that are right up to the manifest's: what changes its
/// bytes is told where they lie, and keeps their number.
fn forge_table(sim: &SimWorld, change: impl FnOnce(&mut Vec<u8>, &Layout)) -> PathBuf {
    let table = newest(sim, "TABLE");
    let mut bytes = sim.disk.read_file(&table).unwrap();
    let tail = bytes.len() - FOOTER_LEN;
    let footer = Footer::decode(bytes.get(tail..).unwrap(), bytes.len() as u64).unwrap();
    let within = |start, end| usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
    let sections = within(footer.sections.start, footer.sections.end());
    let layout = footer.layout(bytes.get(sections.clone()).unwrap()).unwrap();
    change(&mut bytes, &layout);
    let mut pages = PageSums::default();
    pages.update(bytes.get(within(0, layout.covered())).unwrap());
    let sums = pages.finish();
    let at = within(layout.checksums.start, layout.checksums.end());
    bytes.get_mut(at).unwrap().copy_from_slice(&sums);
    let of_sections = sum(bytes.get(sections).unwrap());
    bytes.get_mut(tail + 12..tail + 16).unwrap().copy_from_slice(&of_sections);
    bytes.get_mut(tail + 16..tail + 20).unwrap().copy_from_slice(&sum(&sums));
    let identity = sum(bytes.get(tail..tail + 20).unwrap());
    bytes.get_mut(tail + 20..tail + 24).unwrap().copy_from_slice(&identity);
    sim.disk.write_file(&table, &bytes).unwrap();
    let footer = Footer::decode(bytes.get(tail..).unwrap(), bytes.len() as u64).unwrap();
    rewrite(sim, &newest(sim, "MANIFEST"), |frames| {
        for (_, payload) in frames {
            let mut edits = edit::decode_all(payload).unwrap();
            for edit in &mut edits {
                if let Edit::AddTable(entry) = edit {
                    entry.identity = footer.identity;
                }
            }
            *payload = edit::encode_all(&edits);
        }
    });
    table
}

/// More nulls and deletes than there are revisions: an estimate of what is garbage fell below nothing.
#[test]
fn counts_that_contradict_one_another_overflow_an_estimate() {
    let sim = flushed();
    forge_table(&sim, |bytes, layout| {
        let at = usize::try_from(layout.meta.start).unwrap();
        let meta = bytes.get_mut(at..usize::try_from(layout.meta.end()).unwrap()).unwrap();
        let mut told = TableMeta::decode(meta).unwrap();
        for feature in told.features.values_mut() {
            (feature.nulls, feature.deletes, feature.stubs) = (100, 100, 100);
        }
        meta.copy_from_slice(&told.encode());
    });
    let store = Store::open(DIR, options(&sim)).unwrap();
    assert!(!store.step().unwrap(), "there is nothing to do");
    println!("{} live bytes", store.metrics().estimated_live_bytes);
    store.compact().unwrap();
    assert_eq!(store.latest("a", "v:f").unwrap().as_text(), Some("x"));
}

/// `NewerFormat` told a version that no file has.
#[test]
fn a_part_of_a_newer_format_is_told_as_a_version() {
    let is_told = |sim: &SimWorld, file: &Path| {
        for read_only in [true, false] {
            let opened = Store::open(DIR, options(&sim.after_kill()).read_only(read_only));
            let refused = opened.unwrap_err();
            let Error::NewerFormat { file: of, found: None, .. } = &refused else {
                panic!("{refused:?}");
            };
            assert_eq!(of, file);
            assert!(refused.to_string().contains(" has a part that it does not know"), "{refused}");
        }
    };
    let sim = flushed();
    let table = forge_table(&sim, |bytes, layout| {
        let sections = usize::try_from(layout.checksums.end()).unwrap();
        let sections = bytes.get_mut(sections..).unwrap();
        // The freshness, which may be passed over, becomes what may not.
        let at = sections.windows(2).position(|pair| pair == [8, 1]).unwrap();
        sections.get_mut(at..at + 2).unwrap().copy_from_slice(&[77, 0]);
    });
    is_told(&sim, &table);
    let sim = killed();
    let manifest = newest(&sim, "MANIFEST");
    rewrite(&sim, &manifest, |frames| {
        let (head, _) = *frames.last().unwrap();
        // Edits of even tags may not be passed over; this one is empty.
        frames.push((head, vec![0xe8, 0x07, 0]));
    });
    is_told(&sim, &manifest);
}
