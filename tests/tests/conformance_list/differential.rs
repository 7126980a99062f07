//! Item 18: joins of sets without ties, against formulas that know nothing of asofdb.
//!
//! Here the formulas are written out: that of DuckDB's ASOF JOIN and that of Feast's joins, naive. Beside this, in
//! `tests/differential/`, programs compare the command-line tool with DuckDB, pandas and Feast's dask store themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use asofdb::world::sim::SimWorld;
use asofdb::{
    Batch, Durability, EventTime, FeatureSpec, JoinOptions, KnownTime, Options, Span, Status,
    Store, Value, ValueType,
};
use asofdb_tests::generate::Rng;

/// A row of features: entity, event time, known time, value.
#[derive(Clone, Debug)]
struct Feature {
    entity: String,
    e: i64,
    known: i64,
    value: i64,
}

/// A row of the spine: entity, time.
type Asked = (String, i64);

/// Rows of which no two have the same entity and time, in no order.
fn features(rng: &mut Rng) -> Vec<Feature> {
    let mut rows = BTreeMap::new();
    for _ in 0..rng.between(1, 400) {
        let entity = format!("e{}", rng.between(0, 9));
        let e = rng.between(-1_000, 1_000);
        let known = e + rng.between(0, 300);
        let value = rng.between(-99, 99);
        rows.insert((entity.clone(), e), Feature { entity, e, known, value });
    }
    shuffled(rows.into_values().collect(), rng)
}

fn spine(rng: &mut Rng) -> Vec<Asked> {
    let row = |rng: &mut Rng| (format!("e{}", rng.between(0, 11)), rng.between(-1_100, 1_600));
    (0..rng.between(0, 300)).map(|_| row(rng)).collect()
}

fn shuffled<T>(mut rows: Vec<T>, rng: &mut Rng) -> Vec<T> {
    for last in (1..rows.len()).rev() {
        let other = rng.between(0, i64::try_from(last).unwrap());
        rows.swap(last, usize::try_from(other).unwrap());
    }
    rows
}

/// DuckDB's ASOF LEFT JOIN on entity and e <= t: of each row's matches the one of the greatest time.
fn duckdb(features: &[Feature], (entity, t): &Asked) -> Option<Feature> {
    let matches = features.iter().filter(|row| row.entity == *entity && row.e <= *t);
    matches.max_by_key(|row| row.e).cloned()
}

/// Feast's join: merge on the entity, filter on the times and the TTL, sort by time, drop duplicates but the last.
fn feast(features: &[Feature], (entity, t): &Asked, ttl: i64) -> Option<Feature> {
    let mut merged: Vec<_> = features.iter().filter(|row| row.entity == *entity).collect();
    merged.retain(|row| row.e <= *t && row.e >= *t - ttl);
    merged.sort_by_key(|row| row.e);
    merged.last().copied().cloned()
}

/// As the TTL of asofdb: the newest row, if it is young enough.
fn if_fresh(row: Option<Feature>, t: i64, ttl: i64) -> Option<Feature> {
    row.filter(|row| t - row.e <= ttl)
}

/// A store of the rows, each known when it says, over as many files as chance wants.
fn store_of(features: &[Feature], ttl: Option<Span>, rng: &mut Rng) -> Store {
    let sim = SimWorld::new(EventTime(10_000));
    let options = Options::new().world(sim.world()).max_recent_tables(usize::MAX);
    let store = Store::open("/store", options).unwrap();
    let mut spec = FeatureSpec::new("f", ValueType::I64);
    spec.terms.ttl = ttl;
    store.define(spec).unwrap();
    for rows in features.chunks(usize::try_from(rng.between(1, 100)).unwrap()) {
        let mut batch = Batch::new();
        for row in rows {
            batch.put(&row.entity, "f", EventTime(row.e), row.value).known(KnownTime(row.known));
        }
        store.write(batch, Durability::Buffered).unwrap();
        if rng.percent(40) {
            store.flush().unwrap();
        }
    }
    if rng.percent(40) {
        store.compact().unwrap();
    }
    store
}

/// The event time and the value of each row of the spine.
fn joined(store: &Store, options: JoinOptions, spine: &[Asked]) -> Vec<Option<(i64, i64)>> {
    let features = store.select(&["f"]).unwrap();
    let rows: Vec<_> = spine.iter().map(|(entity, t)| Some((entity, EventTime(*t)))).collect();
    let joined = store.joiner(&features, options).unwrap().join(&rows).unwrap();
    let column = joined.column(0).unwrap();
    let cell = |row| Some((column.event_time(row)?.0, column.value(row)?.as_i64()?));
    (0..spine.len()).map(cell).collect()
}

/// Compares the joins of random sets with a formula and tells how many cells had a value.
fn differ_nowhere(
    ttl_in_store: bool,
    options: impl Fn(i64) -> JoinOptions,
    formula: impl Fn(&[Feature], &Asked, i64) -> Option<Feature>,
) {
    let (mut cells, mut values) = (0, 0);
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let (features, spine) = (features(&mut rng), spine(&mut rng));
        let ttl = rng.between(0, 400);
        let in_store = if ttl_in_store { Span::from_micros(ttl) } else { None };
        let store = store_of(&features, in_store, &mut rng);
        for (row, found) in spine.iter().zip(joined(&store, options(ttl), &spine)) {
            let expected = formula(&features, row, ttl).map(|row| (row.e, row.value));
            assert_eq!(found, expected, "seed {seed}, {row:?}, ttl {ttl}");
            cells += 1;
            values += usize::from(found.is_some());
        }
    }
    println!("{cells} cells, {values} of them values, none differs");
    assert!(values > 1_000 && values < cells, "{values} values of {cells} cells prove nothing");
}

pub fn no_cell_differs_from_an_asof_join() {
    differ_nowhere(false, |_| JoinOptions::new(), |rows, row, _| duckdb(rows, row));
}

pub fn no_cell_differs_from_a_feast_join_with_a_ttl() {
    differ_nowhere(true, |_| JoinOptions::new(), feast);
    let max_age = |ttl| JoinOptions::new().max_age(Span::from_micros(ttl).unwrap());
    differ_nowhere(false, max_age, feast);
}

/// Without ties, filtering by age before or after the newest row is picked is the same.
pub fn no_cell_differs_from_an_asof_join_judged_by_age() {
    let formula = |rows: &[Feature], row: &Asked, ttl| if_fresh(duckdb(rows, row), row.1, ttl);
    differ_nowhere(true, |_| JoinOptions::new(), formula);
}

/// Feast's filter by created time: rows that were created after the row's time are none.
pub fn no_cell_differs_from_a_feast_join_by_created_time() {
    let formula = |rows: &[Feature], row: &Asked, ttl| {
        let known: Vec<_> = rows.iter().filter(|known| known.known <= row.1).cloned().collect();
        feast(&known, row, ttl)
    };
    differ_nowhere(true, |_| JoinOptions::new().known_at_row(Span::ZERO), formula);
}

/// A strict join: DuckDB's with e < t.
pub fn no_cell_differs_from_a_strict_asof_join() {
    let formula = |rows: &[Feature], row: &Asked, _| duckdb(rows, &(row.0.clone(), row.1 - 1));
    differ_nowhere(false, |_| JoinOptions::new().before(), formula);
}

/// Where real events with joins that DuckDB and Polars agree on lie beside the sources.
fn real_data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    beside.map(|dir| dir.join("shared/data")).find(|data| data.join("weather").is_dir())
}

fn read_csv(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let words = |row: &csv::StringRecord| row.iter().map(str::to_owned).collect::<Vec<_>>();
    let head = words(reader.headers().unwrap());
    (head, reader.records().map(|row| words(&row.unwrap())).collect())
}

/// A moment as the files write it: `2013-01-01 10:00:00`, perhaps with T and Z.
fn moment(text: &str) -> i64 {
    let parts: Vec<i64> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().unwrap())
        .collect();
    let (year, month) = (parts[0], parts[1]);
    // Days since 1970 by counting: the files span a year or two.
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of = |month: i64| match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let years: i64 = (1970..year).map(|year| 365 + i64::from(is_leap(year))).sum();
    let days = years + (1..month).map(days_of).sum::<i64>() + parts[2] - 1;
    let clock = parts[3..].iter().zip([3_600, 60, 1]).map(|(part, seconds)| part * seconds);
    (days * 86_400 + clock.sum::<i64>()) * 1_000_000
}

pub fn no_cell_differs_from_the_joins_of_real_events() {
    let Some(data) = real_data() else {
        println!("there are no real events beside the sources");
        return;
    };
    let any_age = || JoinOptions::new();
    let weather = data.join("weather");
    let store = real_store(&weather);
    compare_real(&store, &weather, "expected-no-ttl.csv", any_age());
    compare_real(&store, &weather, "expected-ttl-2h.csv", any_age().max_age(Span::from_hours(2)));
    let planes = data.join("planes");
    let store = real_store(&planes);
    compare_real(&store, &planes, "expected-no-ttl.csv", any_age());
    compare_real(&store, &planes, "expected-ttl-1d.csv", any_age().max_age(Span::from_days(1)));
    let known = any_age().known_at_row(Span::ZERO);
    compare_real(&store, &planes, "expected-known-at-row.csv", known);
}

/// A store of a set's rows, every cell as text: what a file holds is what comes back, and an empty cell is a null.
fn real_store(set: &Path) -> Store {
    let (head, rows) = read_csv(&set.join("features.csv"));
    let place = |name: &str| head.iter().position(|column| column == name);
    let (entity, e) = (place("entity").unwrap(), place("event_time").unwrap());
    let known = place("created_time");
    let first = known.unwrap_or(e) + 1;
    let sim = SimWorld::new(EventTime(moment("2026-01-01 00:00:00")));
    let store = Store::open("/store", Options::new().world(sim.world())).unwrap();
    for name in &head[first..] {
        store.define(FeatureSpec::new(name, ValueType::Text)).unwrap();
    }
    for rows in rows.chunks(1_000) {
        let mut batch = Batch::new();
        for row in rows {
            let at = EventTime(moment(&row[e]));
            let known = known.map(|known| KnownTime(moment(&row[known])));
            for (name, text) in head.iter().zip(row).skip(first) {
                match text.as_str() {
                    "" => batch.put_null(&row[entity], name, at),
                    text => batch.put(&row[entity], name, at, text),
                };
                if let Some(known) = known {
                    batch.known(known);
                }
            }
        }
        store.write(batch, Durability::Buffered).unwrap();
    }
    store.compact().unwrap();
    store
}

fn compare_real(store: &Store, set: &Path, expected: &str, options: JoinOptions) {
    let (names, expected_rows) = read_csv(&set.join(expected));
    let (_, spine) = read_csv(&set.join("spine.csv"));
    let spine: Vec<_> =
        spine.iter().map(|row| Some((row[0].as_str(), EventTime(moment(&row[1]))))).collect();
    let columns: Vec<&String> = names.iter().filter(|name| *name != "matched").collect();
    let features = store.select(&columns).unwrap();
    let joined = store.joiner(&features, options).unwrap().join(&spine).unwrap();
    let matched = names.iter().position(|name| name == "matched").unwrap();
    let (mut cells, mut values) = (0, 0);
    for (at, row) in expected_rows.iter().enumerate() {
        let told = Some(row[matched].as_str()).filter(|text| !text.is_empty()).map(moment);
        let texts = row.iter().enumerate().filter(|(column, _)| *column != matched);
        for (column, (_, text)) in joined.columns().iter().zip(texts) {
            let value = column.value(at);
            let found = value.as_ref().and_then(Value::as_text).unwrap_or_default();
            assert_eq!(found, text, "{expected}, row {at}");
            let fresh = matches!(column.status()[at], Status::Value | Status::Null);
            let time = column.event_time(at).filter(|_| fresh).map(|e| e.0);
            assert_eq!(time, told, "{expected}, row {at}");
            cells += 1;
            values += usize::from(value.is_some());
        }
    }
    println!("{}/{expected}: {cells} cells, {values} values, none differs", set.display());
    assert_eq!(expected_rows.len(), spine.len());
    assert!(values > 10_000, "{values} values prove nothing");
}
