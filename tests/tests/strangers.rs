//! What is of another store, of another moment, or no store at all.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "a real directory with a file that is no store's")]

use asofdb::world::sim::SimWorld;
use asofdb::{
    Alter, Batch, Durability, Error, EventTime, FeatureSpec, InvalidArgument, JoinOptions, Joined,
    Options, Read, Revert, Span, Stamp, Store, ValueType,
};

const HOUR: i64 = 3_600_000_000;
const START: i64 = 1_700_000_000_000_000;

fn hour(n: i64) -> EventTime {
    EventTime(START + n * HOUR)
}

fn put(store: &Store, source: &str, entity: &str, name: &str, at: EventTime, value: f64) {
    let mut batch = Batch::new();
    batch.source(source).put(entity, name, at, value);
    store.write(batch, Durability::Buffered).unwrap();
}

/// Features are known by number: one store's first was once read as the first of another, its bits as
/// those of another type.
#[test]
fn a_selection_of_another_store_is_answered_by_its_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| {
        let store = Store::open(dir.path().join(name), Options::new()).unwrap();
        let (feature, value_type) =
            if name == "one" { ("u:age", ValueType::I64) } else { ("x:score", ValueType::F64) };
        store.define(FeatureSpec::new(feature, value_type)).unwrap();
        store
    });
    put(&other, "job", "ant", "x:score", hour(0), 0.5);
    let selection = one.select(&["u:age"]).unwrap();
    let read = Read::latest();
    for _ in 0..2 {
        let refused = [
            other.read_row("ant", &selection, &read).map(drop),
            other.read_rows(&["ant"], &selection, &read).map(drop),
            other.reader(&selection).map(drop),
            other.scan(&selection, &read, b"").map(drop),
            other.joiner(&selection, JoinOptions::new()).map(drop),
        ];
        for (door, refused) in refused.into_iter().enumerate() {
            let Err(Error::InvalidArgument(InvalidArgument::Other(what))) = refused else {
                panic!("door {door}: {refused:?}")
            };
            assert!(what.contains("another store"), "{what}");
        }
        other.flush().unwrap();
    }
    one.close().unwrap();
    let again = Store::open(dir.path().join("one"), Options::new()).unwrap();
    again.read_row("ant", &selection, &read).unwrap();
    again.close().unwrap();
    other.close().unwrap();
}

/// What a join tells of each of its rows.
fn answers(joined: &Joined) -> Vec<(Vec<asofdb::Status>, Vec<u64>)> {
    joined
        .columns()
        .iter()
        .map(|column| (column.status().to_vec(), column.bits().to_vec()))
        .collect()
}

#[test]
fn a_join_at_its_stamp_is_told_what_came_later() {
    let sim = SimWorld::new(hour(100));
    let options = Options::new().world(sim.world()).max_ahead(None);
    let store = Store::open("/store", options).unwrap();
    let names = ["v:f", "v:g"];
    for name in names {
        let spec = FeatureSpec::new(name, ValueType::F64).ttl(Span::from_hours(30));
        store.define(spec).unwrap();
    }
    let entities = ["ant", "bee", "cat"];
    for (n, entity) in (0..).zip(entities) {
        put(&store, "good", entity, "v:f", hour(n), 1.0);
        put(&store, "bad", entity, "v:g", hour(2 * n), 2.0);
    }
    let rows: Vec<Option<(&str, EventTime)>> = entities
        .iter()
        .flat_map(|entity| (0..40).map(move |n| (n % 7 != 0).then_some((*entity, hour(n)))))
        .collect();
    let selection = store.select(&names).unwrap();
    let options = || JoinOptions::new().known_at_row(Span::ZERO);
    let everything = JoinOptions::new;
    let (known, all) = (
        store.joiner(&selection, options()).unwrap().join(&rows).unwrap(),
        store.joiner(&selection, everything()).unwrap().join(&rows).unwrap(),
    );
    sim.clock.advance(Span::from_hours(1));
    for entity in entities {
        put(&store, "late", entity, "v:f", hour(5), 9.0);
        put(&store, "good", entity, "v:g", hour(0), 8.0);
    }
    store.revert(Revert::source("bad")).unwrap();
    store.alter("v:f", Alter::new().ttl(None)).unwrap();
    store.evolve("v:g", ValueType::Text).unwrap();
    for step in ["in memory", "flushed", "compacted"] {
        for (joined, options) in [(&known, options()), (&all, everything())] {
            let selection = store.select_as(&names, &Read::at(joined.stamp())).unwrap();
            let at = options.stamp(joined.stamp());
            let again = store.joiner(&selection, at).unwrap().join(&rows).unwrap();
            assert_eq!(answers(&again), answers(joined), "{step}");
            assert_eq!(again.stamp(), joined.stamp());
        }
        let now = store.joiner(&selection, everything()).unwrap().join(&rows).unwrap();
        assert_ne!(answers(&now), answers(&all), "{step}: nothing came later");
        if step == "in memory" { store.flush() } else { store.compact() }.unwrap();
    }
    let ahead = Stamp { commit: asofdb::Commit(all.stamp().commit.0 + 100 * HOUR), ..all.stamp() };
    let ahead = store.joiner(&selection, everything().stamp(ahead)).map(drop);
    assert!(
        matches!(&ahead, Err(Error::InvalidArgument(InvalidArgument::FutureCommit { .. }))),
        "{ahead:?}"
    );
    store.alter("v:f", Alter::new().history(Some(Span::from_hours(1)))).unwrap();
    sim.clock.advance(Span::from_hours(2));
    let below = store.joiner(&selection, everything().stamp(all.stamp())).map(drop);
    assert!(matches!(&below, Err(Error::BelowHorizon { .. })), "{below:?}");
    store.close().unwrap();
}

#[test]
fn a_file_in_place_of_a_store_is_called_a_fault_of_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.csv");
    std::fs::write(&file, "user,ts\n").unwrap();
    for path in [file.clone(), file.join("store")] {
        for read_only in [false, true] {
            let opened = Store::open(&path, Options::new().read_only(read_only)).map(drop);
            assert!(matches!(&opened, Err(Error::NotAStore { .. })), "{opened:?}");
        }
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"user,ts\n");
}

/// A store that was opened by a relative path followed the process to where it worked next, wrote on in
/// whatever directory had the same name there, and took its files away.
#[test]
fn who_works_elsewhere_later_writes_to_another_store() {
    let dir = tempfile::tempdir().unwrap();
    let [here, there] = ["here", "there"].map(|name| dir.path().join(name));
    for (place, value) in [(&here, 1.0), (&there, 7.0)] {
        std::fs::create_dir(place).unwrap();
        let store = Store::open(place.join("store"), Options::new()).unwrap();
        store.define(FeatureSpec::new("v:f", ValueType::F64)).unwrap();
        put(&store, "job", "ant", "v:f", hour(0), value);
        store.close().unwrap();
    }
    let before = std::env::current_dir().unwrap();
    std::env::set_current_dir(&here).unwrap();
    let store = Store::open("store", Options::new()).unwrap();
    put(&store, "job", "ant", "v:f", hour(1), 2.0);
    std::env::set_current_dir(&there).unwrap();
    put(&store, "job", "ant", "v:f", hour(2), 3.0);
    store.flush().unwrap();
    put(&store, "job", "ant", "v:f", hour(3), 4.0);
    store.compact().unwrap();
    store.close().unwrap();
    std::env::set_current_dir(before).unwrap();
    for (place, value) in [(&here, 4.0), (&there, 7.0)] {
        let store = Store::open(place.join("store"), Options::new()).unwrap();
        assert_eq!(store.latest("ant", "v:f").unwrap().as_f64(), Some(value));
        store.close().unwrap();
    }
}

/// A row names the first feature that is below its horizon in either time; a join once looked at all
/// features by event time first.
#[test]
fn a_join_below_two_horizons_names_another_feature_than_a_row() {
    let sim = SimWorld::new(hour(1_000));
    let store = Store::open("/store", Options::new().world(sim.world())).unwrap();
    for (name, hours) in [("v:long", 500), ("v:short", 100)] {
        let spec = FeatureSpec::new(name, ValueType::F64).history(Span::from_hours(hours));
        store.define(spec).unwrap();
    }
    let selection = store.select(&["v:long", "v:short"]).unwrap();
    let (t, k) = (hour(800), asofdb::KnownTime(hour(400).0));
    let row = store.read_row("ant", &selection, &Read::as_of(t).known_at(k)).unwrap_err();
    let lag = Span::from_hours(400);
    for options in [JoinOptions::new().known_at(k), JoinOptions::new().known_at_row(lag)] {
        let joiner = store.joiner(&selection, options).unwrap();
        let joined = joiner.join(&[Some(("ant", t))]).unwrap_err();
        assert_eq!(joined.to_string(), row.to_string());
    }
    assert!(row.to_string().starts_with("v:long"), "{row}");
    store.close().unwrap();
}
