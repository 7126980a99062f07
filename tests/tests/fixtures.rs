//! Stores that were written once are readable for ever: small ones of each kind lie under `fixtures/v1`, and answer
//! as they did when they were made.
//!
//! ASOFDB_REWRITE=1 makes them anew, which is right only when the format's version has changed, or when writers begin to
//! write more than they did; then the stores of before stay, under a name of their own.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use asofdb::world::World;
use asofdb::world::sim::SimWorld;
use asofdb::{
    Batch, Durability, EventTime, FeatureSpec, KnownTime, Options, Read, Revert, Span, Store,
    Value, ValueType, Vector, inspect,
};

const KINDS: [&str; 8] =
    ["log", "recent", "run", "past", "taken_back", "numbers", "timeline", "views"];

/// Written before tables told of freshness, or had timelines and runs of ids, or hints and numbers of
/// four bytes in heads, or lists of event times in chunks, and not made anew.
const BEFORE: [&str; 6] = [
    "before_freshness",
    "before_timelines",
    "numbers_before_timelines",
    "timeline_before_hints",
    "numbers_before_hints",
    "views_before_lists",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1")
}

fn options(sim: &SimWorld) -> Options {
    Options::new().world(sim.world()).identity(Some([9; 32])).table_bytes(2_000)
}

fn at(n: i64) -> EventTime {
    EventTime(1_700_000_000_000_000 + n * 3_600_000_000)
}

fn define_all(store: &Store) {
    let types = [
        ("bool", ValueType::Bool),
        ("i64", ValueType::I64),
        ("f32", ValueType::F32),
        ("f64", ValueType::F64),
        ("text", ValueType::Text),
        ("bytes", ValueType::Bytes),
        ("vector", ValueType::Vector(3)),
    ];
    for (name, value_type) in types {
        let spec = FeatureSpec::new(format!("all:{name}"), value_type).describe(name);
        store.define(spec.ttl(Span::from_days(2)).tag("kind", "fixture")).unwrap();
    }
}

/// A batch with a value of every type for some entities, and nulls and deletes among them.
fn batch(version: i64) -> Batch {
    let mut batch = Batch::new();
    batch.source(if version % 2 == 0 { "even" } else { "odd" });
    for entity in 0..6 {
        let key = format!("entity-{entity}");
        let number = version * 10 + entity;
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let float = number as f64 / 4.0;
        let values: [(&str, Value); 7] = [
            ("all:bool", (number % 2 == 0).into()),
            ("all:i64", number.into()),
            ("all:f32", 0.5_f32.into()),
            ("all:f64", float.into()),
            ("all:text", format!("profile of {key}, {number} ").repeat(4).into()),
            ("all:bytes", vec![0, 255, 7].into()),
            ("all:vector", Vector::from_slice(&[1.0, -0.0, 2.5]).into()),
        ];
        for (place, (feature, value)) in (0..).zip(values) {
            // The features of some entities have a time in common, those of others one each.
            let lag = if entity > 3 { place * 60_000_000 } else { 0 };
            let e = EventTime(at(version).0 - lag);
            match (version + entity) % 5 {
                0 if feature == "all:i64" => batch.put_null(&key, feature, e),
                1 if feature == "all:f64" => batch.delete(&key, feature, e),
                _ => batch.put(&key, feature, e, value),
            };
            if entity == 3 {
                batch.known(KnownTime(at(version).0 + 5));
            }
        }
    }
    batch.mark("fixture", version.to_string().as_bytes());
    batch
}

/// Features of numbers alone, as most views are.
fn make_numbers() -> SimWorld {
    let sim = SimWorld::new(at(-1));
    let store = Store::open("/numbers", options(&sim)).unwrap();
    let types = [ValueType::I64, ValueType::F64, ValueType::F32];
    for (place, value_type) in (0..6).zip(types.into_iter().cycle()) {
        store.define(FeatureSpec::new(format!("only:{place}"), value_type)).unwrap();
    }
    for version in 0..8 {
        sim.clock.set(EventTime(at(version).0 + 60_000_000));
        let mut batch = Batch::new();
        for (entity, place) in (0..4).flat_map(|entity| (0..6).map(move |place| (entity, place))) {
            let e = EventTime(at(version).0 - place * (entity % 2) * 1_000_000);
            let number = version * 7 % 5 + place * 100 + entity;
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let value: Value = match place % 3 {
                0 => number.into(),
                1 => (number as f64 / 4.0).into(),
                _ => (number as f32 / 2.0).into(),
            };
            let (key, name) = (format!("entity-{entity}"), format!("only:{place}"));
            match (version + entity + place) % 11 {
                0 => batch.put_null(&key, &name, e),
                1 => batch.delete(&key, &name, e),
                _ => batch.put(&key, &name, e, value),
            };
        }
        store.write(batch, Durability::Synced).unwrap();
    }
    store.compact().unwrap();
    store.close().unwrap();
    sim
}

/// Batches in the order of event time, of which a few records come some batches late: event times tell
/// nearly all commits.
fn make_timeline() -> SimWorld {
    let sim = SimWorld::new(at(-1));
    let store = Store::open("/timeline", options(&sim)).unwrap();
    let types = [ValueType::I64, ValueType::Text, ValueType::F64, ValueType::F64];
    for (place, value_type) in (0..).zip(types) {
        store.define(FeatureSpec::new(format!("stream:{place}"), value_type)).unwrap();
    }
    let mut arrivals: Vec<(i64, i64, i64)> = Vec::new();
    for n in 0..320 {
        let late = if n % 29 == 3 { 40 } else { 0 };
        arrivals.push((n + late, n, n * 7 % 20));
    }
    arrivals.sort_unstable();
    for (batch_at, arrived) in (0..).zip(arrivals.chunks(16)) {
        // Commits are moments: they come at no regular steps.
        sim.clock.set(EventTime(at(batch_at + 1).0 + batch_at * batch_at * 77_777));
        let mut batch = Batch::new();
        for (_, n, series) in arrived {
            let e = EventTime(at(0).0 + n * 60_000_000 + n * n % 1_013);
            let (key, place) = (format!("entity-{}", series / 4), series % 4);
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let value: Value = match place {
                0 => (n * 3).into(),
                1 => format!("state {}", n % 5).into(),
                _ => (*n as f64 / 100.0).into(),
            };
            batch.put(&key, &format!("stream:{place}"), e, value);
        }
        store.write(batch, Durability::Synced).unwrap();
        if batch_at % 6 == 5 {
            store.flush().unwrap();
        }
    }
    store.compact().unwrap();
    store.close().unwrap();
    sim
}

/// Features of three views, each of which brings its own together; those of the second are numbers
/// beside a text for some entities.
fn make_views() -> SimWorld {
    const VIEWS: [i64; 3] = [12, 7, 16];
    let sim = SimWorld::new(at(-1));
    let store = Store::open("/views", options(&sim)).unwrap();
    for (view, features) in VIEWS.iter().enumerate() {
        for place in 0..*features {
            store.define(FeatureSpec::new(format!("view{view}:{place}"), ValueType::F64)).unwrap();
        }
    }
    store.define(FeatureSpec::new("view1:name", ValueType::Text)).unwrap();
    for version in 0..14 {
        sim.clock.set(EventTime(at(version).0 + 60_000_000));
        let mut batch = Batch::new();
        let views = || VIEWS.iter().enumerate().zip([2, 1, 0]);
        for (entity, ((view, features), lag)) in
            (0..4).flat_map(|entity| views().map(move |view| (entity, view)))
        {
            // The last view comes half as often.
            if view == 2 && version % 2 == 1 {
                continue;
            }
            let e = EventTime(at(version).0 - (version * 7919 + entity * 31) % 1_009 * lag);
            let key = format!("entity-{entity}");
            for place in 0..*features {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let value = (version * 17 % 7 + place * 100 + entity) as f64 / 4.0;
                batch.put(&key, &format!("view{view}:{place}"), e, value);
            }
            if view == 1 && entity > 1 {
                batch.put(&key, "view1:name", e, format!("name {version}"));
            }
        }
        store.write(batch, Durability::Synced).unwrap();
    }
    store.compact().unwrap();
    store.close().unwrap();
    sim
}

fn make(kind: &str) -> SimWorld {
    match kind {
        "views" => return make_views(),
        "numbers" => return make_numbers(),
        "timeline" => return make_timeline(),
        _ => {}
    }
    let sim = SimWorld::new(at(-1));
    let options = match kind {
        "past" => options(&sim).present_depth(0).table_bytes(2_000).clock_lag(Span::ZERO),
        _ => options(&sim),
    };
    let store = Store::open(format!("/{kind}"), options).unwrap();
    define_all(&store);
    for version in 0..4 {
        sim.clock.set(EventTime(at(version).0 + 60_000_000));
        store.write(batch(version), Durability::Synced).unwrap();
        match kind {
            "log" => {}
            "recent" => store.flush().unwrap(),
            _ => store.compact().unwrap(),
        }
    }
    if kind == "taken_back" {
        store.erase("entity-2").unwrap();
        store.revert(Revert::source("odd")).unwrap();
        store.evolve("all:i64", ValueType::Text).unwrap();
        store.retire("all:bool").unwrap();
    }
    store.close().unwrap();
    sim
}

/// All that a store answers, as text.
fn answers(dir: &Path) -> String {
    let store = Store::open(dir, Options::new().read_only(true)).unwrap();
    let selection = store.select_all();
    let mut text = String::new();
    for version in -1..5 {
        let read = Read::as_of(at(version));
        let mut rows: Vec<String> = store
            .scan(&selection, &read, b"")
            .unwrap()
            .map(|row| {
                let (entity, row) = row.unwrap();
                format!("{version} {entity:?} {:?}\n", row.answers)
            })
            .collect();
        rows.sort();
        text.extend(rows);
    }
    text
}

#[test]
fn a_store_of_an_earlier_day_is_read_otherwise() {
    for kind in KINDS.into_iter().chain(BEFORE) {
        let dir = folder().join(kind);
        if !BEFORE.contains(&kind) && std::env::var_os("ASOFDB_REWRITE").is_some() {
            let sim = make(kind);
            let made = tempfile::tempdir().unwrap();
            sim.disk.copy_to_real(made.path()).unwrap();
            let _ = std::fs::remove_dir_all(&dir);
            write_all(&made.path().join(kind), &dir);
            #[expect(clippy::disallowed_methods, reason = "a fixture is a file of the sources")]
            std::fs::write(dir.join("answers.txt"), answers(&dir)).unwrap();
        }
        let kept = std::fs::read_to_string(dir.join("answers.txt")).unwrap();
        assert!(kept.lines().count() > 10, "{kind}: the fixture answers nothing");
        assert_eq!(answers(&dir), kept, "{kind}");
        let verified = inspect::verify(&dir, &World::real(), &mut |_, _| {}).unwrap();
        assert!(verified.is_clean(), "{kind}: {:?}", verified.faults().next());
    }
}

#[test]
fn the_same_writes_make_other_bytes() {
    // Byte for byte: a change of the format must not come unseen.
    for kind in KINDS {
        let sim = make(kind);
        let made = tempfile::tempdir().unwrap();
        sim.disk.copy_to_real(made.path()).unwrap();
        for entry in std::fs::read_dir(made.path().join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let kept = folder().join(kind).join(path.file_name().unwrap());
            assert!(bytes(&path) == bytes(&kept), "{} differs", kept.display());
        }
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "a fixture is a file of the sources")]
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write_all(from: &Path, to: &Path) {
    #[expect(clippy::disallowed_methods, reason = "a fixture is a folder of the sources")]
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}
