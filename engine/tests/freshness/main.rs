//! Reports of freshness: the exact one is what a naive count of all that was written says, and the
//! one from metadata is off by no more than it tells.
//!
//! FRESHNESS_SEED=n runs one seed of the random stores alone, FRESHNESS_SEEDS=n so many.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "helpers of tests are no tests to the lints; a store of an earlier day is a real file"
)]

mod forged;
mod naive;
mod percentiles;
mod random;

use std::path::Path;

use asofdb::world::sim::SimWorld;
use asofdb::{
    Ages, Alter, Batch, Commit, Durability, EventTime, FeatureFreshness, FeatureSpec, Kind,
    KnownTime, Options, Revert, Span, Store, ValueType,
};

const HOUR: i64 = 3_600_000_000;
const START: i64 = 1_700_000_000_000_000;
const DIR: &str = "/store";

fn options(sim: &SimWorld) -> Options {
    Options::new().world(sim.world()).identity(Some([5; 32])).table_bytes(1 << 20)
}

fn hours(n: u32) -> Span {
    Span::from_hours(n)
}

fn new_store() -> (SimWorld, Store) {
    let sim = SimWorld::new(EventTime(START));
    let store = Store::open(DIR, options(&sim)).unwrap();
    (sim, store)
}

fn write(store: &Store, batch: Batch) -> Commit {
    store.write(batch, Durability::Buffered).unwrap()
}

fn of<'r>(features: &'r [FeatureFreshness], name: &str) -> &'r FeatureFreshness {
    features.iter().find(|feature| feature.name == name && feature.newest_schema).unwrap()
}

fn estimate(store: &Store, name: &str) -> FeatureFreshness {
    let report = store.freshness().unwrap();
    assert!(!report.exact);
    of(&report.features, name).clone()
}

fn exact(store: &Store, name: &str) -> FeatureFreshness {
    let report = store.freshness_exact().unwrap();
    assert!(report.exact);
    of(&report.features, name).clone()
}

fn micros(ages: &Ages) -> [i64; 5] {
    [ages.p0, ages.p50, ages.p90, ages.p99, ages.p100].map(Span::micros)
}

/// Numbers that follow from a seed.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from).unsigned_abs()).cast_signed()
    }
}

/// The age that so many thousandths of the entities do not exceed.
fn nearest(ages: &[i64], thousandths: usize) -> i64 {
    let rank = (ages.len() * thousandths).div_ceil(1000).clamp(1, ages.len());
    ages[rank - 1]
}

#[test]
fn a_row_of_the_future_hides_that_all_others_are_old() {
    let (sim, store) = new_store();
    store.define(FeatureSpec::new("v:f", ValueType::F64)).unwrap();
    let mut batch = Batch::new();
    batch.put("a", "v:f", EventTime(START - 50 * HOUR), 1.0);
    batch.put("b", "v:f", EventTime(START - 60 * HOUR), 1.0);
    batch.put("a", "v:f", EventTime(START + 2 * HOUR), 2.0);
    batch.delete("b", "v:f", EventTime(START + 3 * HOUR));
    write(&store, batch);
    for in_tables in [false, true] {
        if in_tables {
            store.flush().unwrap();
        }
        let guess = estimate(&store, "v:f");
        assert!(guess.future_dated > 0);
        assert!(guess.newest_event_time.is_none_or(|at| at.0 <= START - 50 * HOUR));
        let found = exact(&store, "v:f");
        assert_eq!(found.future_dated, 2);
        assert_eq!(found.newest_event_time, Some(EventTime(START - 50 * HOUR)));
        let rows = store.future_dated(usize::MAX).unwrap();
        let mut told: Vec<_> = rows
            .iter()
            .map(|row| (row.entity.to_vec(), row.event_time.0 - START, row.kind, row.schema))
            .collect();
        told.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(
            told,
            [
                (b"a".to_vec(), 2 * HOUR, Kind::Value, 1),
                (b"b".to_vec(), 3 * HOUR, Kind::Deleted, 1)
            ]
        );
        assert_eq!(store.future_dated(1).unwrap().len(), 1);
        assert_eq!(store.future_dated(0).unwrap(), []);
    }
    // Its time comes.
    sim.clock.set(EventTime(START + 3 * HOUR));
    let guess = estimate(&store, "v:f");
    assert_eq!((guess.future_dated, guess.entities), (0, 1));
    assert_eq!(guess.newest_event_time, Some(EventTime(START + 2 * HOUR)));
    assert_eq!(exact(&store, "v:f").answers.unwrap().deleted, 1);
    assert_eq!(store.future_dated(9).unwrap(), []);
}

#[test]
fn what_is_in_memory_is_not_seen() {
    let (_sim, store) = new_store();
    store.define(FeatureSpec::new("v:f", ValueType::F64).ttl(hours(1))).unwrap();
    store.define(FeatureSpec::new("v:none", ValueType::F64)).unwrap();
    let mut batch = Batch::new();
    batch.put("a", "v:f", EventTime(START - 5), 3.0).put_null("b", "v:f", EventTime(START - 9));
    batch.delete("c", "v:f", EventTime(START - 1));
    let commit = write(&store, batch);
    let guess = estimate(&store, "v:f");
    assert_eq!((guess.records.all, guess.records.in_memory), (3, 3));
    assert_eq!((guess.records.nulls, guess.records.deletes), (1, 1));
    assert_eq!(guess.newest_event_time, Some(EventTime(START - 5)), "a delete is no value");
    assert_eq!(guess.newest_known_time, Some(KnownTime(commit.0)));
    assert_eq!((guess.entities, guess.ages, guess.next_expiry), (0, None, None));
    assert_eq!((guess.least, guess.greatest), (Some(3.0.into()), Some(3.0.into())));
    let none = estimate(&store, "v:none");
    assert_eq!((none.records.all, none.newest_event_time, none.null_share), (0, None, None));
    let found = exact(&store, "v:f");
    assert_eq!((found.entities, found.answers.unwrap().deleted), (2, 1));
    assert_eq!(found.next_expiry, Some(EventTime(START - 9 + HOUR + 1)));
    // A flush changes nothing but where it is counted.
    store.flush().unwrap();
    let flushed = estimate(&store, "v:f");
    assert_eq!((flushed.records.all, flushed.records.in_memory, flushed.entities), (3, 0, 2));
    assert_eq!(flushed.newest_event_time, guess.newest_event_time);
    assert_eq!(flushed.next_expiry, found.next_expiry);
}

#[test]
fn an_exact_report_counts_what_was_taken_away() {
    let (_sim, store) = new_store();
    store.define(FeatureSpec::new("v:f", ValueType::F64)).unwrap();
    let put = |source: &str, entity: &str, age: i64, number: f64| {
        let mut batch = Batch::new();
        batch.source(source).put(entity, "v:f", EventTime(START - age), number);
        write(&store, batch);
    };
    put("good", "a", 30 * HOUR, 1.0);
    put("bad", "a", HOUR, 1000.0);
    put("good", "b", 2 * HOUR, 5.0);
    store.flush().unwrap();
    store.revert(Revert::source("bad")).unwrap();
    store.erase("b").unwrap();
    let found = exact(&store, "v:f");
    assert_eq!((found.entities, found.greatest), (1, Some(1.0.into())));
    assert_eq!(found.newest_event_time, Some(EventTime(START - 30 * HOUR)));
    // Metadata does not know of it, and says so.
    let guess = estimate(&store, "v:f");
    assert_eq!((guess.entities, guess.greatest), (2, Some(1000.0.into())));
    assert_eq!(guess.newest_event_time, Some(EventTime(START - HOUR)));
}

#[test]
fn a_retired_feature_is_reported_and_an_old_schema_is_not() {
    let (sim, store) = new_store();
    for name in ["v:kept", "v:retired"] {
        store.define(FeatureSpec::new(name, ValueType::F64)).unwrap();
        let mut batch = Batch::new();
        batch.put("a", name, EventTime(START - HOUR), 1.0);
        write(&store, batch);
    }
    store.evolve("v:kept", ValueType::Text).unwrap();
    store.retire("v:retired").unwrap();
    store.flush().unwrap();
    for report in [store.freshness().unwrap(), store.freshness_exact().unwrap()] {
        let told: Vec<_> = report
            .features
            .iter()
            .map(|of| (of.name.as_str(), of.schema, of.newest_schema, of.entities))
            .collect();
        assert_eq!(told, [("v:kept", 1, false, 1), ("v:kept", 2, true, 0)]);
    }
    store.close().unwrap();
    let reader = Store::open(DIR, options(&sim).read_only(true)).unwrap();
    assert_eq!(reader.freshness().unwrap().features.len(), 2);
    assert_eq!(reader.freshness_exact().unwrap().features.len(), 2);
}

#[test]
fn what_lies_below_the_bounds_is_fresh() {
    let (sim, store) = new_store();
    let spec = FeatureSpec::new("v:f", ValueType::F64).ttl(hours(10)).history(hours(1));
    store.define(spec.forget_after(hours(20))).unwrap();
    let mut batch = Batch::new();
    batch.put("old", "v:f", EventTime(START - 5 * HOUR), 1.0);
    batch.put("older", "v:f", EventTime(START - 25 * HOUR), 2.0);
    batch.put("young", "v:f", EventTime(START), 3.0);
    write(&store, batch);
    store.flush().unwrap();
    // S is now 11 hours ago, B 21.
    sim.clock.set(EventTime(START + 8 * HOUR));
    store.alter("v:f", Alter::new().forget_after(None)).unwrap();
    store.alter("v:f", Alter::new().ttl(None)).unwrap();
    let (guess, found) = (estimate(&store, "v:f"), exact(&store, "v:f"));
    let answers = found.answers.unwrap();
    assert_eq!((answers.values, answers.expired, found.entities), (1, 1, 2), "one is forgotten");
    assert_eq!((guess.entities, guess.expired_share), (2, Some(0.5)));
    assert_eq!((guess.ttl, guess.next_expiry, found.next_expiry), (None, None, None));
}

#[test]
fn tables_of_an_earlier_version_are_taken_for_empty() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/v1/before_freshness");
    let store = Store::open(dir, Options::new().read_only(true)).unwrap();
    let report = store.freshness().unwrap();
    assert_eq!(report.silent_tables, 2);
    let exact = store.freshness_exact().unwrap();
    for (guess, found) in report.features.iter().zip(&exact.features) {
        assert!(guess.records.all > 0 && guess.newest_event_time >= found.newest_event_time);
        assert_eq!((guess.entities, guess.ages), (0, None));
        assert_eq!(found.entities + found.answers.unwrap().deleted, 6);
    }
}
