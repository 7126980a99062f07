//! What is dumped of each kind of file, which people and programs read.

use std::fmt::Write as _;
use std::path::Path;

use asofdb::inspect::{self, Item};
use asofdb::world::sim::SimWorld;
use asofdb::{Batch, EventTime, FeatureSpec, ValueType};

use super::{DIR, START, at, closed, killed, micros, open, path_of, verify, write};

pub(super) fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("ASOFDB_REWRITE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap();
    for (number, (wanted, found)) in wanted.lines().zip(text.lines()).enumerate() {
        assert_eq!(found, wanted, "{name}:{} (ASOFDB_REWRITE=1 rewrites it)", number + 1);
    }
    assert_eq!(text.lines().count(), wanted.lines().count(), "{name}");
}

pub(super) fn lines(dump: impl FnOnce(&mut dyn FnMut(Item))) -> String {
    let mut text = String::new();
    dump(&mut |item| writeln!(text, "{item}").unwrap());
    text
}

fn dumped(sim: &SimWorld, prefix: &str) -> String {
    let path = path_of(sim, prefix);
    lines(|out| inspect::dump_file(&path, &sim.world(), out).unwrap())
}

#[test]
fn dumps_of_each_kind_of_file_are_as_they_were() {
    let sim = killed();
    for (prefix, name) in [
        ("CURRENT", "current.txt"),
        ("MANIFEST", "manifest.txt"),
        ("TABLE", "table.txt"),
        ("LOG", "log.txt"),
    ] {
        golden(name, &dumped(&sim, prefix));
    }
    golden("manifest_with_edits.txt", &dumped(&closed(), "MANIFEST"));
    let whole = lines(|out| inspect::dump_store(Path::new(DIR), &sim.world(), out).unwrap());
    golden("store.txt", &whole);
}

/// What came in the order of event time, of which the commits are told by its event times.
#[test]
fn a_dump_of_a_timeline_is_as_it_was() {
    let sim = SimWorld::new(EventTime(START));
    let store = open(&sim);
    let names = ["w:one", "w:two"];
    let define = |name| drop(store.define(FeatureSpec::new(name, ValueType::I64)).unwrap());
    names.into_iter().for_each(define);
    let mut batch = Batch::new();
    for hour in 0..4 {
        for (entity, n) in ["a", "bb", "ccc"].into_iter().zip(0..) {
            for (name, number) in names.into_iter().zip(0..) {
                batch.put(entity, name, at(100 * hour + 2 * n + number), hour * n);
            }
        }
        // Two of them came late.
        batch.put("bb", "w:two", at(-7 * hour), -hour);
        write(&store, &mut batch);
        sim.clock.advance(micros(100));
    }
    store.compact().unwrap();
    store.close().unwrap();
    let text = dumped(&sim, "TABLE");
    assert!(text.contains("  step "), "{text}");
    golden("timeline.txt", &text);
    assert!(verify(&sim).is_clean());
}

#[test]
fn a_file_away_from_its_store_is_dumped_too() {
    let sim = killed();
    let away = |prefix: &str| {
        let path = path_of(&sim, prefix);
        let other = Path::new("/away").join(format!("copy of {prefix}"));
        sim.disk.write_file(&other, &sim.disk.read_file(&path).unwrap()).unwrap();
        let there = lines(|out| inspect::dump_file(&path, &sim.world(), out).unwrap());
        let here = lines(|out| inspect::dump_file(&other, &sim.world(), out).unwrap());
        let rest = |text: &str| text.split_once('\n').unwrap().1.to_owned();
        (rest(&there), rest(&here))
    };
    let (there, here) = away("TABLE");
    assert_eq!(there, here);
    let (there, here) = away("MANIFEST");
    assert_eq!(there, here);
    let (there, here) = away("LOG");
    assert!(there.contains("feature=v:text@1"));
    assert!(here.contains("feature=#5") && !here.contains("v:text"));
}
