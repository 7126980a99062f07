//! The chunk of an entity that only one input of a merge has is copied as it stands, and only then. That it is copied,
//! and not made again alike, is held in the tests of the format.

use std::path::Path;

use asofdb::KnownTime;
use asofdb_format::head::Head;
use asofdb_format::table::{FOOTER_LEN, Footer};

use super::*;

/// The chunk and heap of each entity in the tables on a disk, by entity.
fn chunks(sim: &SimWorld) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    for (path, _) in sim.disk.files() {
        if !path.to_string_lossy().contains("TABLE") {
            continue;
        }
        let bytes = sim.disk.read_file(Path::new(&path)).unwrap();
        let tail = &bytes[bytes.len() - FOOTER_LEN..];
        let footer = Footer::decode(tail, bytes.len() as u64).unwrap();
        let sections = &bytes[footer.sections.start as usize..][..footer.sections.len as usize];
        let layout = footer.layout(sections).unwrap();
        let mut heads = &bytes[layout.heads.start as usize..layout.heads.end() as usize];
        while !heads.is_empty() {
            let head = Head::decode(heads).unwrap();
            let place = head.history();
            let start = (layout.history.start + place.start) as usize;
            let len = place.chunk_len as usize + place.heap_len as usize;
            found.push((head.entity().to_vec(), bytes[start..start + len].to_vec()));
            // Numbers alone, so a head ends behind its slots.
            heads = &heads[head.near_start()..];
        }
    }
    found
}

/// A store whose present has five hours of everything.
fn with_five_hours(sim: &SimWorld) -> Store {
    let store = open(options(sim).present_depth(u64::MAX).table_bytes(1 << 20));
    for _ in 0..5 {
        write_hour(&store, "hourly");
        sim.clock.advance(Span::from_hours(1));
    }
    store.compact().unwrap();
    store
}

/// Closes a store of which every byte is as it was written and means what others say of it.
fn close_sound(store: &Store, sim: &SimWorld) {
    let verified = asofdb::inspect::verify(Path::new("/db"), &sim.world(), &mut |_, _| {}).unwrap();
    assert!(verified.is_clean(), "{:?}", verified.faults().next());
    store.close().unwrap();
}

#[test]
fn a_chunk_that_no_merge_needs_to_touch_is_another_one_afterwards() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = with_five_hours(&sim);
    let before = chunks(&sim);
    assert_eq!(before.len(), ENTITIES.len());
    let mut batch = Batch::new();
    batch.put("ant", "v:f", store.now(), 1i64);
    store.write(batch, Durability::Buffered).unwrap();
    store.compact().unwrap();
    let after = chunks(&sim);
    let mut copied = 0;
    for (entity, chunk) in &before {
        let now = &after.iter().find(|(other, _)| other == entity).unwrap().1;
        assert!(chunk.len() > 20, "a chunk of five versions of two features");
        if entity == b"ant" {
            assert_ne!(chunk, now, "it has one version more");
        } else {
            assert_eq!(chunk, now, "{}", String::from_utf8_lossy(entity));
            copied += 1;
        }
    }
    assert_eq!(copied, ENTITIES.len() - 1);
    close_sound(&store, &sim);
}

/// A row that has lost a version to the horizon has another chunk, whatever it was before.
#[test]
fn what_was_dropped_from_a_row_is_copied_all_the_same() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = with_five_hours(&sim);
    let (before, records) = (chunks(&sim), store.stats().records);
    assert_eq!(records, 5 * 2 * ENTITIES.len() as u64);
    // The horizon comes to lie at the third hour.
    sim.clock.advance(Span::from_hours(21));
    store.compact().unwrap();
    let after = chunks(&sim);
    assert_eq!(store.stats().records, 3 * 2 * ENTITIES.len() as u64);
    for ((entity, before), (_, after)) in before.iter().zip(&after) {
        assert_ne!(before, after, "{}", String::from_utf8_lossy(entity));
    }
    close_sound(&store, &sim);
}

/// Event times tell other commits in the new table than they did in the one that a chunk is from: late
/// batches of one entity outnumber those that were in time.
#[test]
fn a_chunk_is_copied_to_where_event_times_tell_other_commits() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = open(options(&sim).present_depth(u64::MAX).table_bytes(1 << 20));
    let minute = |n: i64| EventTime(NOW + n * 60_000_000);
    sim.clock.set(minute(100));
    let write = |entities: &[&str], minutes: &[i64]| {
        let mut batch = Batch::new();
        for entity in entities {
            for n in minutes {
                batch.put(*entity, "v:f", minute(*n), *n);
            }
        }
        let known = KnownTime(store.now().0 + 1_000_000);
        store.write(batch, Durability::Buffered).unwrap();
        sim.clock.advance(Span::from_secs(60));
        known
    };
    let known = [0, 50, 60].map(|n| write(&ENTITIES, &[n]));
    store.compact().unwrap();
    for first in [10, 20, 30, 40] {
        write(&["ant"], &[first, first + 1, first + 2, first + 3]);
    }
    store.compact().unwrap();
    for entity in ENTITIES {
        for (known, n) in known.into_iter().zip([0, 50, 60]) {
            let read = Read::as_of(minute(70)).known_at(known);
            let answer = store.read(entity, "v:f", &read).unwrap().answer;
            assert_eq!(answer.event_time(), Some(minute(n)), "{entity} as known at {known:?}");
        }
    }
    close_sound(&store, &sim);
}
