//! Decompressed blocks that are kept from read to read.

use asofdb::world::sim::SimWorld;
use asofdb::{
    Batch, Durability, EventTime, FeatureSpec, JoinOptions, KnownTime, Options, Read, ReadMode,
    Span, Status, Store, ValueType,
};

use crate::{NOW, options};

const ENTITIES: [&str; 3] = ["ant", "bee", "cat"];
const VERSIONS: i64 = 400;

fn text(entity: &str, version: i64) -> String {
    format!("{entity} did {version} for the {}th time; ", version * 7919 % 1000).repeat(5)
}

/// Histories of some blocks each, in one table.
fn with_texts(options: Options) -> Store {
    let store = Store::open("/db", options).unwrap();
    store.define(FeatureSpec::new("v:text", ValueType::Text)).unwrap();
    let mut batch = Batch::new();
    for entity in ENTITIES {
        for version in 0..VERSIONS {
            batch.put(entity, "v:text", EventTime(version), text(entity, version).as_str());
            batch.known(KnownTime(version));
        }
    }
    store.write(batch, Durability::Buffered).unwrap();
    store.compact().unwrap();
    store
}

/// The last texts of an entity as of a moment, each held against what was written.
fn read_last(store: &Store, entity: &str, count: usize, t: i64) {
    let found = store.last_n(entity, "v:text", count, &Read::as_of(EventTime(t))).unwrap();
    assert_eq!(found.answers.len(), count);
    for (answer, version) in found.answers.iter().zip((0..=t).rev()) {
        assert_eq!(answer.as_text(), Some(text(entity, version).as_str()));
    }
}

#[test]
fn a_block_is_decompressed_for_each_read_and_version() {
    for mode in [ReadMode::Map, ReadMode::Pread] {
        let sim = SimWorld::new(EventTime(NOW));
        let store = with_texts(options(&sim).read_mode(mode));
        read_last(&store, "ant", 100, VERSIONS / 2);
        let first = store.metrics().blocks;
        assert!((1..=2).contains(&first.decompressed), "{first:?}");
        assert_eq!(first.found, 0);
        assert!(first.bytes > 0, "{first:?}");
        for _ in 0..10 {
            read_last(&store, "ant", 100, VERSIONS / 2);
        }
        let later = store.metrics().blocks;
        assert_eq!(later.decompressed, first.decompressed, "{mode:?}");
        assert_eq!(later.found, 10 * first.decompressed);
        assert_eq!(later.bytes, first.bytes);
    }
}

#[test]
fn blocks_are_kept_though_no_room_is_given() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = with_texts(options(&sim).block_cache_bytes(0));
    for _ in 0..3 {
        ENTITIES.iter().for_each(|entity| read_last(&store, entity, 30, VERSIONS / 2));
    }
    let blocks = store.metrics().blocks;
    assert_eq!((blocks.found, blocks.bytes), (0, 0));
    assert!(blocks.decompressed >= 9, "{blocks:?}");
}

#[test]
fn bytes_of_an_erased_entity_stay_in_memory() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = with_texts(options(&sim));
    ENTITIES.iter().for_each(|entity| read_last(&store, entity, 30, VERSIONS / 2));
    assert!(store.metrics().blocks.bytes > 0);
    store.erase_and_prove(&["bee"]).unwrap();
    assert_eq!(store.metrics().blocks.bytes, 0, "its table is gone");
    read_last(&store, "ant", 30, VERSIONS / 2);
    let gone = store.last_n("bee", "v:text", 30, &Read::as_of(EventTime(VERSIONS / 2))).unwrap();
    assert_eq!(gone.answers, []);
}

#[test]
fn a_join_or_a_scan_takes_the_room_of_what_is_asked_for_again() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = with_texts(options(&sim));
    read_last(&store, "ant", 30, VERSIONS / 2);
    let before = store.metrics().blocks;
    // Rows that all see the same of the files, and rows of which each sees what it could know.
    for how in [JoinOptions::new(), JoinOptions::new().known_at_row(Span::ZERO)] {
        let decompressed = store.metrics().blocks.decompressed;
        join_all(&store, how);
        let after = store.metrics().blocks;
        assert!((2..20).contains(&(after.decompressed - decompressed)), "{after:?}");
        assert_eq!(after.bytes, before.bytes);
    }
    let rows = store.scan(&store.select_all(), &Read::as_of(EventTime(VERSIONS / 2)), b"").unwrap();
    assert_eq!(rows.map(|row| row.unwrap().1.answers.len()).sum::<usize>(), ENTITIES.len());
    let after = store.metrics().blocks;
    assert_eq!(after.bytes, before.bytes, "{after:?}");
}

/// Joins every version of every entity, and holds each answer against what was written.
fn join_all(store: &Store, how: JoinOptions) {
    let joiner = store.joiner(&store.select_all(), how).unwrap();
    let spine: Vec<_> = ENTITIES
        .iter()
        .flat_map(|entity| (0..VERSIONS).map(|t| Some((*entity, EventTime(t)))))
        .collect();
    let joined = joiner.join(&spine).unwrap();
    for (row, asked) in spine.iter().enumerate() {
        let (entity, t) = asked.unwrap();
        let found = joined.column(0).unwrap().value(row);
        assert_eq!(found.unwrap().as_text(), Some(text(entity, t.0).as_str()));
    }
}

/// They were, for the versions beside one are taken from its block.
#[test]
fn versions_that_are_too_old_are_decompressed() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = with_texts(options(&sim));
    let last = VERSIONS - 1;
    let mut reader = store.sequence_reader("v:text").unwrap();
    let mut read = |max_age: i64, count: usize| {
        let max_age = Span::from_micros(max_age).unwrap();
        let read = Read::as_of(EventTime(last + 1)).max_age(max_age);
        let found = reader.last_n("bee", count, &read).unwrap();
        found.statuses().iter().filter(|status| **status == Status::Value).count()
    };
    assert_eq!(read(1, 300), 1, "the newest, which lies in the head");
    assert_eq!(store.metrics().blocks.decompressed, 0);
    assert_eq!(read(2, 300), 2);
    assert_eq!(store.metrics().blocks.decompressed, 1);
}
