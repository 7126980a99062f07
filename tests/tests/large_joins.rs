//! Joins of more rows than are answered at once: each answer comes to the row that asked.
//!
//! A join groups its rows by entity, answers some entities at a time, some rows a thread, and puts what it found back
//! in the order of the spine, up to a million rows at once. What every cell has to be is told by arithmetic here, so
//! that a million of them take seconds.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use asofdb::world::World;
use asofdb::world::scheduler::{Manual, Scheduler, Work, Worker};
use asofdb::world::sim::SimWorld;
use asofdb::{
    Batch, Durability, Error, EventTime, FeatureSpec, JoinOptions, Options, Read, Span, Status,
    Store, ValueType,
};
use asofdb_tests::generate::Rng;

const SECOND: i64 = 1_000_000;
const START: i64 = 1_700_000_000 * SECOND;
const ENTITIES: i64 = 1_500;
const VERSIONS: i64 = 6;
const NUMBERS: i64 = 14;

/// Answers before this long after the event time are fresh where a feature grows old.
const TTL: i64 = 70 * SECOND;

/// One in so many versions is null.
const NULLS: i64 = 11;

#[derive(Clone, Copy)]
struct Version {
    entity: i64,
    feature: i64,
    number: i64,
}

impl Version {
    fn time(self) -> i64 {
        let Version { entity, feature, number } = self;
        START + number * 100 * SECOND + (entity * 7 + feature * 13) % 90 * SECOND
    }

    fn is_null(self) -> bool {
        self.feature == 5 && (self.entity + self.number) % NULLS == 0
    }

    fn value(self) -> i64 {
        (self.entity * 100 + self.feature) * 10 + self.number
    }
}

fn names() -> Vec<String> {
    let numbers = (0..NUMBERS).map(|feature| format!("wide:number{feature:02}"));
    numbers.chain(["wide:text".to_owned(), "wide:nothing".to_owned()]).collect()
}

fn key(entity: i64) -> Vec<u8> {
    // Some are short, some are long, and all begin alike.
    if entity % 2 == 0 { format!("e{entity}") } else { format!("entity-number-{entity}") }
        .into_bytes()
}

fn put(batch: &mut Batch, version: Version) {
    let name = &names()[usize::try_from(version.feature).unwrap()];
    let at = EventTime(version.time());
    if version.is_null() {
        batch.put_null(key(version.entity), name, at);
    } else if version.feature == NUMBERS {
        batch.put(key(version.entity), name, at, version.value().to_string().as_str());
    } else {
        batch.put(key(version.entity), name, at, version.value() as f64 / 10.0);
    }
}

/// All versions but the last of some entities in a table; those of some in memory.
fn store(options: Options) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store"), options).unwrap();
    for (feature, name) in (0..).zip(names()) {
        let value_type = if feature == NUMBERS { ValueType::Text } else { ValueType::F64 };
        let mut spec = FeatureSpec::new(name, value_type);
        if feature % 4 == 3 {
            spec = spec.ttl(Span::from_micros(TTL).unwrap());
        }
        store.define(spec).unwrap();
    }
    let versions = |numbers: std::ops::Range<i64>| {
        numbers.flat_map(|number| {
            (0..ENTITIES).flat_map(move |entity| {
                (0..=NUMBERS).map(move |feature| Version { entity, feature, number })
            })
        })
    };
    for numbers in [0..VERSIONS - 1, VERSIONS - 1..VERSIONS] {
        let all: Vec<Version> = versions(numbers.clone()).collect();
        for some in all.chunks(5_000) {
            let mut batch = Batch::new();
            // The newest version of half of the entities comes into memory.
            let is_written = |version: &&Version| numbers.start == 0 || version.entity % 2 == 0;
            some.iter().filter(is_written).for_each(|version| put(&mut batch, *version));
            store.write(batch, Durability::Buffered).unwrap();
        }
        if numbers.start == 0 {
            store.compact().unwrap();
        }
    }
    (dir, store)
}

/// Status, event time and value of a cell, worked out.
fn expected(entity: i64, feature: i64, t: i64) -> (Status, Option<i64>, Option<f64>) {
    let versions = if entity % 2 == 0 { VERSIONS } else { VERSIONS - 1 };
    let seen = (0..versions)
        .map(|number| Version { entity, feature, number })
        .rfind(|version| entity < ENTITIES && feature <= NUMBERS && version.time() <= t);
    let Some(version) = seen else { return (Status::Missing, None, None) };
    let time = Some(version.time());
    if feature % 4 == 3 && t - version.time() > TTL {
        return (Status::Expired, time, None);
    }
    if version.is_null() {
        return (Status::Null, time, None);
    }
    let value = version.value() as f64;
    (Status::Value, time, Some(if feature == NUMBERS { value } else { value / 10.0 }))
}

#[test]
fn answers_come_to_the_rows_that_asked() {
    let seed = std::env::var("ASOFDB_FIRST_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("ASOFDB_FIRST_SEED={seed} cargo test -p asofdb-tests --test large_joins");
    let mut rng = Rng::new(seed);
    let (_dir, store) = store(Options::new());
    // In another order than they were defined in, so that no answer stands where its number is.
    let mut asked: Vec<(i64, String)> = (0..).zip(names()).collect();
    asked.rotate_left(3);
    let names: Vec<String> = asked.iter().map(|(_, name)| name.clone()).collect();
    let features: Vec<i64> = asked.iter().map(|(feature, _)| *feature).collect();
    let end = (VERSIONS + 1) * 100;
    let mut statuses = BTreeMap::new();
    type Rows = [Option<(Vec<u8>, EventTime)>];
    let none = |_: &mut Rows| {};
    // Entity after entity; and in no order of time, one entity at the end again.
    let by_entity = |spine: &mut Rows| spine.sort();
    let by_name = |spine: &mut Rows| {
        spine.sort_by_key(|row| row.as_ref().map(|(key, _)| key.clone()));
        spine.rotate_left(spine.len() / 3);
    };
    let none: fn(&mut Rows) = none;
    for (rows, threads, order) in [
        (1, 1, none),
        (3_000, 2, none),
        (20_000, 3, none),
        (70_000, 2, none),
        (20_000, 3, by_entity),
        (9_000, 1, by_entity),
        (20_000, 2, by_name),
    ] {
        let mut spine: Vec<Option<(Vec<u8>, EventTime)>> = (0..rows)
            .map(|row| {
                // One entity is asked about again and again, and some nobody knows.
                let entity = if row % 9 == 0 { 44 } else { rng.between(0, ENTITIES + 20) };
                let t = START + rng.between(-50, end) * SECOND + rng.between(0, 2) - 1;
                (row % 501 != 500).then(|| (key(entity), EventTime(t)))
            })
            .collect();
        order(&mut spine);
        let entity_of: BTreeMap<Vec<u8>, i64> =
            (0..ENTITIES + 21).map(|entity| (key(entity), entity)).collect();
        let selection = store.select(&names).unwrap();
        let joiner = store.joiner(&selection, JoinOptions::new().threads(threads)).unwrap();
        for part in [&spine[..rows / 2], &spine[..]] {
            let joined = joiner.join(part).unwrap();
            for (column, feature) in joined.columns().iter().zip(&features) {
                for (row, asked) in part.iter().enumerate() {
                    let expected = match asked {
                        Some((key, t)) => expected(entity_of[key], *feature, t.0),
                        None => (Status::Missing, None, None),
                    };
                    let value = column.value(row).and_then(|value| match value.as_text() {
                        Some(text) => text.parse().ok(),
                        None => value.as_f64(),
                    });
                    let event_time = column.event_time(row).map(|time| time.0);
                    let told = (column.status()[row], event_time, value);
                    assert_eq!(
                        told, expected,
                        "seed {seed}, row {row} of {rows}, feature {feature}"
                    );
                    *statuses.entry(format!("{:?}", told.0)).or_insert(0) += 1;
                }
            }
        }
    }
    println!("cells: {statuses:?}");
    assert!(["Value", "Null", "Expired", "Missing"].iter().all(|status| statuses[*status] > 1_000));
}

/// Versions of each feature of [`few`].
const MANY_VERSIONS: i64 = 40;

/// Event time of a version of an entity of [`few`]: one of all features, or one each.
fn few_time(entity: &str, feature: i64, number: i64) -> i64 {
    let apart = if entity == "own times" { feature } else { 0 };
    START + (number * 100 + apart) * SECOND
}

/// What a version of [`few`] is: a feature may come with the last one, or have nulls or deletes among its values;
/// `None`: there is none.
fn few_version(feature: i64, number: i64) -> Option<Status> {
    match (feature, number) {
        (1, number) if number % 5 == 0 => Some(Status::Null),
        (2, number) if number % 7 == 0 => Some(Status::Deleted),
        (4, number) if number < MANY_VERSIONS - 1 => None,
        _ => Some(Status::Value),
    }
}

/// The last one is text.
const FEW_NAMES: [&str; 6] =
    ["few:plain", "few:nulls", "few:deletes", "few:fresh", "few:newest", "few:text"];

/// Few entities of many versions, one with its newest ones in memory. Every other feature grows old.
fn few() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store"), Options::new()).unwrap();
    for (feature, name) in FEW_NAMES.iter().enumerate() {
        let value_type = match feature {
            2 => ValueType::I64,
            5 => ValueType::Text,
            _ => ValueType::F64,
        };
        let mut spec = FeatureSpec::new(*name, value_type);
        if feature % 2 == 1 {
            spec = spec.ttl(Span::from_micros(TTL).unwrap());
        }
        store.define(spec).unwrap();
    }
    for number in 0..MANY_VERSIONS {
        if number == MANY_VERSIONS - 1 {
            store.compact().unwrap();
        }
        let mut batch = Batch::new();
        for entity in ["one time", "own times", "in memory"] {
            for (feature, name) in (0..).zip(FEW_NAMES) {
                let at = EventTime(few_time(entity, feature, number));
                let Some(version) = few_version(feature, number) else { continue };
                match version {
                    Status::Null => batch.put_null(entity, name, at),
                    Status::Deleted => batch.delete(entity, name, at),
                    _ if feature == 2 => batch.put(entity, name, at, number),
                    _ if feature == 5 => batch.put(entity, name, at, number.to_string().as_str()),
                    _ => batch.put(entity, name, at, number as f64),
                };
            }
        }
        store.write(batch, Durability::Buffered).unwrap();
    }
    store.compact().unwrap();
    let mut batch = Batch::new();
    batch.put("in memory", FEW_NAMES[0], EventTime(few_time("in memory", 0, MANY_VERSIONS)), 40.0);
    store.write(batch, Durability::Buffered).unwrap();
    (dir, store)
}

fn few_expected(entity: &str, feature: i64, t: i64) -> (Status, Option<i64>, Option<i64>) {
    let versions = MANY_VERSIONS + i64::from(feature == 0 && entity == "in memory");
    let is_seen = |number: &i64| {
        few_version(feature, *number).is_some() && few_time(entity, feature, *number) <= t
    };
    let Some(number) = (0..versions).rev().find(is_seen).filter(|_| entity != "nobody") else {
        return (Status::Missing, None, None);
    };
    let time = few_time(entity, feature, number);
    match few_version(feature, number).unwrap() {
        Status::Value | Status::Null if feature % 2 == 1 && t - time > TTL => {
            (Status::Expired, Some(time), None)
        }
        Status::Value => (Status::Value, Some(time), Some(number)),
        status => (status, Some(time), None),
    }
}

/// Rows of an entity that are many are answered in the order in which they were asked, where that can be.
#[test]
fn among_many_rows_of_an_entity_one_is_told_of_anothers_moment() {
    let seed = std::env::var("ASOFDB_FIRST_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("ASOFDB_FIRST_SEED={seed} cargo test -p asofdb-tests --test large_joins");
    let mut rng = Rng::new(seed);
    let (_dir, store) = few();
    let entities = ["one time", "own times", "in memory", "nobody"];
    let mut statuses = BTreeMap::new();
    // Without the text, and with it.
    let trials = [(600, 1), (5_000, 1), (9_000, 2), (30_000, 3)];
    for ((rows, threads), names) in trials.iter().flat_map(|t| [(*t, 5), (*t, 6)]) {
        let spine: Vec<Option<(&str, i64)>> = (0..rows)
            .map(|row| {
                let version = START + rng.between(-1, MANY_VERSIONS + 2) * 100 * SECOND;
                // Just before and at event times, at the last fresh moment and after it, and anywhere.
                let near = *rng.pick(&[-1, 0, 1, TTL, TTL + 1, 3 * SECOND]).unwrap();
                let t = if rng.percent(5) { i64::MAX } else { version + near };
                let entity = if rows == 600 { "one time" } else { *rng.pick(&entities).unwrap() };
                (row % 97 != 5).then_some((entity, t))
            })
            .collect();
        let selection = store.select(&FEW_NAMES[..names]).unwrap();
        let joiner = store.joiner(&selection, JoinOptions::new().threads(threads)).unwrap();
        let asked: Vec<_> =
            spine.iter().map(|row| row.map(|(entity, t)| (entity, EventTime(t)))).collect();
        let joined = joiner.join(&asked).unwrap();
        for (column, feature) in joined.columns().iter().zip(0..) {
            for (row, asked) in spine.iter().enumerate() {
                let expected = asked.map_or((Status::Missing, None, None), |(entity, t)| {
                    few_expected(entity, feature, t)
                });
                #[expect(clippy::cast_possible_truncation, reason = "numbers of versions")]
                let number = |value: asofdb::Value| {
                    let text = || value.as_text()?.parse().ok();
                    let number = value.as_i64().or_else(|| value.as_f64().map(|n| n as i64));
                    number.or_else(text)
                };
                let value = column.value(row).and_then(number);
                let event_time = column.event_time(row).map(|time| time.0);
                let told = (column.status()[row], event_time, value);
                assert_eq!(told, expected, "seed {seed}, {asked:?} of {rows} rows, {feature}");
                assert!(value.is_some() || column.bits()[row] == 0, "bits of {told:?}");
                *statuses.entry(format!("{:?}", told.0)).or_insert(0) += 1;
            }
        }
    }
    println!("cells: {statuses:?}");
    let all = ["Value", "Null", "Deleted", "Expired", "Missing"];
    assert!(all.iter().all(|status| statuses[*status] > 500));
}

/// Many rows read the history of an entity, and failed where that was damaged, although each of them saw the newest
/// version of all that it asked for: another feature had a newer one.
#[test]
fn many_rows_of_an_entity_read_what_one_row_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store"), Options::new()).unwrap();
    for name in ["a:asked", "a:later"] {
        store.define(FeatureSpec::new(name, ValueType::I64)).unwrap();
    }
    let mut batch = Batch::new();
    for number in 0..100 {
        batch.put("e", "a:asked", EventTime(number), number);
    }
    batch.put("e", "a:later", EventTime(1_000), 1);
    store.write(batch, Durability::Buffered).unwrap();
    store.compact().unwrap();
    let selection = store.select(&["a:asked"]).unwrap();
    let joiner = store.joiner(&selection, JoinOptions::new().threads(1)).unwrap();
    let mut opened = Vec::new();
    for (rows, t) in [(1, 500), (2_000, 500), (2_000, 50)] {
        let before = store.metrics().reads;
        let joined = joiner.join(&vec![Some(("e", EventTime(t))); rows]).unwrap();
        let newest = joined.column(0).unwrap().value(rows - 1).and_then(|value| value.as_i64());
        assert_eq!(newest, Some(t.min(99)));
        let after = store.metrics().reads;
        assert_eq!(after.join_rows - before.join_rows, rows as u64);
        assert_eq!(after.lookups - before.lookups, 1);
        opened.push(after.histories_opened - before.histories_opened);
    }
    assert_eq!(opened, [0, 0, 1]);
}

/// A join takes up to 2^20 rows down at once.
#[test]
fn rows_behind_the_first_million_get_the_answers_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store"), Options::new()).unwrap();
    store.define(FeatureSpec::new("a:number", ValueType::I64)).unwrap();
    let mut batch = Batch::new();
    for entity in 0..1_000u64 {
        for at in [0, 10] {
            batch.put(entity.to_le_bytes(), "a:number", EventTime(at), entity as i64 + at);
        }
    }
    store.write(batch, Durability::Buffered).unwrap();
    store.compact().unwrap();
    let joiner = store.joiner(&store.select(&["a:number"]).unwrap(), JoinOptions::new()).unwrap();
    let asked = |row: u64| (row % 10 != 7).then(|| (row * 7 % 1_013, (row % 22) as i64 - 2));
    let rows = (2 << 20) + 77_777;
    let spine: Vec<_> = (0..rows)
        .map(|row| asked(row).map(|(entity, t)| (entity.to_le_bytes(), EventTime(t))))
        .collect();
    let joined = joiner.join(&spine).unwrap();
    let column = joined.column(0).unwrap();
    for row in 0..rows {
        let expected = asked(row).filter(|(entity, t)| *entity < 1_000 && *t >= 0);
        let expected = expected.map(|(entity, t)| (t / 10 * 10, entity as i64 + t / 10 * 10));
        let at = usize::try_from(row).unwrap();
        let value = column.value(at).and_then(|value| value.as_i64());
        assert_eq!(column.event_time(at).map(|t| t.0).zip(value), expected, "row {row}");
    }
}

/// Several threads take down a spine, each some rows of it.
#[test]
fn another_row_below_the_horizon_is_told_than_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store"), Options::new()).unwrap();
    let spec = FeatureSpec::new("a:number", ValueType::I64);
    store.define(spec.history(Span::from_micros(60 * SECOND).unwrap())).unwrap();
    let selection = store.select(&["a:number"]).unwrap();
    let joiner = store.joiner(&selection, JoinOptions::new().threads(3)).unwrap();
    for below in [[100, 4_000, 8_999], [5_000, 5_001, 6_000]] {
        let t = |row: i64| if below.contains(&row) { EventTime(row) } else { EventTime::MAX };
        let spine: Vec<_> = (0..9_000).map(|row| Some(("e", t(row)))).collect();
        let told = joiner.join(&spine).map(|joined| joined.rows());
        let Err(Error::BelowHorizon { asked, .. }) = told else { panic!("{told:?}") };
        assert_eq!(asked, below[0]);
        assert_eq!(store.metrics().reads.join_rows, 0);
    }
}

/// No row asks about anything, and several threads have nothing to do.
#[test]
fn a_spine_of_nothing_is_answered_with_something() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store"), Options::new()).unwrap();
    store.define(FeatureSpec::new("a:number", ValueType::I64)).unwrap();
    let selection = store.select(&["a:number"]).unwrap();
    for threads in [0, 1, 2, 64] {
        let joiner = store.joiner(&selection, JoinOptions::new().threads(threads)).unwrap();
        for rows in [0, 1, 70_000] {
            let joined = joiner.join(&vec![None::<(&str, EventTime)>; rows]).unwrap();
            assert_eq!(joined.rows(), rows);
            assert_eq!(joined.column(0).unwrap().status(), vec![Status::Missing; rows]);
        }
    }
}

/// Texts of a history lie in blocks that are decompressed as a whole, once for values beside one another: the last 200
/// of a user's events took milliseconds, for each decompressed its block anew.
#[test]
fn a_text_is_taken_from_the_block_of_another() {
    const TEXTS: i64 = 900;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store"), Options::new()).unwrap();
    let names = ["a:event", "a:note"];
    for name in names {
        store.define(FeatureSpec::new(name, ValueType::Text)).unwrap();
    }
    let text = |entity: i64, feature: i64, number: i64| {
        let words = ["view", "click", "buy"][usize::try_from(number % 3).unwrap()];
        format!("{words} {number} of feature {feature} by {entity}, {}", words.repeat(20))
    };
    let mut batch = Batch::new();
    for number in 0..TEXTS {
        for (entity, (feature, name)) in
            (0..3).flat_map(|entity| (0..).zip(names).map(move |f| (entity, f)))
        {
            batch.put(key(entity), name, EventTime(number), text(entity, feature, number).as_str());
        }
    }
    store.write(batch, Durability::Buffered).unwrap();
    store.compact().unwrap();
    for (entity, (feature, name)) in
        (0..3).flat_map(|entity| (0..).zip(names).map(move |f| (entity, f)))
    {
        let read = Read::as_of(EventTime(TEXTS - 10));
        let versions = store.last_n(key(entity), name, 700, &read).unwrap().answers;
        let told: Vec<_> = versions.iter().filter_map(|answer| answer.as_text()).collect();
        let expected = (0..=TEXTS - 10).rev().take(700).map(|number| text(entity, feature, number));
        assert!(told.iter().copied().eq(expected), "{name} of {entity}");
    }
    let joiner = store.joiner(&store.select(&names).unwrap(), JoinOptions::new()).unwrap();
    // Few rows of an entity, and more than are few.
    for rows in [7, 90, 5_000] {
        let asked: Vec<_> = (0..rows).map(|row| (row % 3, row * 7_919 % TEXTS)).collect();
        let spine: Vec<_> = asked.iter().map(|(e, t)| Some((key(*e), EventTime(*t)))).collect();
        let joined = joiner.join(&spine).unwrap();
        for (row, (entity, t)) in asked.iter().enumerate() {
            for feature in 0..2 {
                let column = joined.column(usize::try_from(feature).unwrap()).unwrap();
                let value = column.value(row);
                let told = value.as_ref().and_then(|value| value.as_text());
                assert_eq!(told, Some(&*text(*entity, feature, *t)), "row {row} of {rows}");
            }
        }
    }
    for t in [0, 5, 300, TEXTS - 1] {
        let row = store
            .read_row(key(1), &store.select(&names).unwrap(), &Read::as_of(EventTime(t)))
            .unwrap();
        let told: Vec<_> = row.answers.iter().filter_map(|answer| answer.as_text()).collect();
        assert_eq!(told, [text(1, 0, t), text(1, 1, t)]);
    }
}

/// A text at event time 0 was told as a value without a value where anything newer of its entity was in memory: a cell
/// that is missing has the time 0, too, and was taken for the one that had been taken over.
#[test]
fn a_text_of_the_first_microsecond_is_blank_beside_what_is_newer() {
    for (feature, newer) in [("a:number", "2"), ("a:text", "y")] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("store"), Options::new()).unwrap();
        store.define(FeatureSpec::new("a:text", ValueType::Text)).unwrap();
        store.define(FeatureSpec::new("a:number", ValueType::Text)).unwrap();
        store.define(FeatureSpec::new("a:count", ValueType::F64)).unwrap();
        let write = |fields: &[(&str, i64, &str)]| {
            let mut batch = Batch::new();
            for (name, at, value) in fields {
                batch.put("e", name, EventTime(*at), *value);
            }
            batch.put("e", "a:count", EventTime(fields[0].1), 1.0);
            store.write(batch, Durability::Buffered).unwrap();
        };
        write(&[("a:text", 0, "x"), ("a:number", 0, "1")]);
        store.compact().unwrap();
        write(&[(feature, 100, newer)]);
        let selection = store.select(&["a:text", "a:number"]).unwrap();
        let joiner = store.joiner(&selection, JoinOptions::new()).unwrap();
        let spine = [50, 150].map(|t| Some(("e", EventTime(t))));
        let joined = joiner.join(&spine).unwrap();
        let told: Vec<Vec<Option<String>>> = joined
            .columns()
            .iter()
            .map(|column| {
                let text = |row| column.value(row)?.as_text().map(ToOwned::to_owned);
                vec![text(0), text(1)]
            })
            .collect();
        let some = |text: &str| Some(text.to_owned());
        let expected =
            |name, first| vec![some(first), some(if name == feature { newer } else { first })];
        assert_eq!(told, [expected("a:text", "x"), expected("a:number", "1")], "newer: {feature}");
    }
}

/// A scheduler that counts the jobs of each call.
#[derive(Debug, Default)]
struct Counting(Manual, Mutex<Vec<usize>>);

impl Scheduler for Counting {
    fn start(&self, name: &str, work: Arc<dyn Work>) -> Box<dyn Worker> {
        self.0.start(name, work)
    }
    fn runs_by_itself(&self) -> bool {
        false
    }
    fn run_all(&self, jobs: Vec<Box<dyn FnOnce() + Send + '_>>) {
        self.1.lock().unwrap().push(jobs.len());
        self.0.run_all(jobs);
    }
    fn parallelism(&self) -> usize {
        1
    }
}

/// How many jobs each call made for a join of these rows.
fn jobs(threads: usize, spine: &[Option<(Vec<u8>, EventTime)>]) -> Vec<usize> {
    let scheduler = Arc::new(Counting::default());
    let sim = SimWorld::new(EventTime(START));
    let world = World { scheduler: scheduler.clone(), ..sim.world() };
    let store = Store::open("/store", Options::new().world(world)).unwrap();
    store.define(FeatureSpec::new("a:number", ValueType::I64)).unwrap();
    let options = JoinOptions::new().threads(threads);
    let joiner = store.joiner(&store.select_all(), options).unwrap();
    scheduler.1.lock().unwrap().clear();
    assert_eq!(joiner.join(spine).unwrap().rows(), spine.len());
    std::mem::take(&mut scheduler.1.lock().unwrap())
}

/// Each bucket of a spine became a job, thousands of them, where no row came into any.
#[test]
fn a_spine_of_nothing_makes_a_job_for_every_bucket() {
    let made = jobs(4, &vec![None; 300_000]);
    assert!(made.iter().all(|jobs| *jobs <= 8), "{made:?}");
}

/// Who sorts a part of a spine looks at the rows of all: a thousand threads looked at it a thousand times.
#[test]
fn each_of_many_threads_looks_at_all_rows_of_a_spine() {
    let row = |n: i64| Some((key(n), EventTime(START)));
    let spine: Vec<_> = (0..70_000).map(row).collect();
    let made = jobs(1_025, &spine);
    let [taken, sorted, answered, ..] = &made[..] else { panic!("{made:?}") };
    assert!((2..=8).contains(taken) && (2..=16).contains(sorted), "{made:?}");
    assert!(*answered > 60, "as many threads as were asked for answer: {made:?}");
}
