//! Reads: what they came across, what they passed over, what they looked at.

use std::collections::BTreeSet;

use asofdb::metrics::ReadMetrics;
use asofdb::world::sim::{Rng, SimWorld};
use asofdb::{Alter, Error, EventTime, FeatureSpec, JoinOptions, Read, Span, Store, ValueType};
use asofdb_format::hash::EntityHash;

use crate::{NOW, open, options, put};

/// Entities enough that the hashes of each table range over nearly all.
fn crowd() -> Vec<String> {
    (0..64).map(|n| format!("e{n}")).collect()
}

fn put_crowd(store: &Store, at: i64) {
    let crowd = crowd();
    put(store, &crowd.iter().map(String::as_str).collect::<Vec<_>>(), at);
}

/// What a call added to the counts.
fn counted(store: &Store, call: impl FnOnce()) -> ReadMetrics {
    let before = store.metrics().reads;
    call();
    let mut reads = store.metrics().reads;
    for (after, before) in [
        (&mut reads.points, before.points),
        (&mut reads.rows, before.rows),
        (&mut reads.versions, before.versions),
        (&mut reads.cells, before.cells),
        (&mut reads.join_rows, before.join_rows),
        (&mut reads.join_cells, before.join_cells),
        (&mut reads.lookups, before.lookups),
        (&mut reads.sources_considered, before.sources_considered),
        (&mut reads.skipped_by_bound, before.skipped_by_bound),
        (&mut reads.skipped_by_filter, before.skipped_by_filter),
        (&mut reads.sources_visited, before.sources_visited),
        (&mut reads.stopped_early, before.stopped_early),
        (&mut reads.histories_opened, before.histories_opened),
    ] {
        *after -= before;
    }
    reads
}

/// considered, by bound, by filter, visited, stopped early, histories.
fn sources(reads: &ReadMetrics) -> [u64; 6] {
    [
        reads.sources_considered,
        reads.skipped_by_bound,
        reads.skipped_by_filter,
        reads.sources_visited,
        reads.stopped_early,
        reads.histories_opened,
    ]
}

/// Three tables of times 10, 20 and 30 with everybody in them, and a memtable with `ant` at 40.
fn three_tables_and_a_memtable() -> Store {
    let sim = SimWorld::new(EventTime(NOW));
    let store = open(options(&sim));
    for at in [10, 20, 30] {
        put_crowd(&store, at);
        put(&store, &["ant", "bee"], at);
        store.flush().unwrap();
    }
    put(&store, &["ant"], 40);
    for entity in ["ant", "bee", "cat"] {
        let hash = EntityHash::of(entity.as_bytes()).0;
        let covers = |table: &&asofdb::TableShape| {
            (table.extent.min_hash..=table.extent.max_hash).contains(&hash)
        };
        assert_eq!(store.shape().tables.iter().filter(covers).count(), 3, "{entity} lies aside");
    }
    store
}

#[test]
fn a_read_counts_a_source_that_it_did_not_look_at() {
    let store = three_tables_and_a_memtable();
    let all = store.select_all();
    let f = store.select(&["v:f"]).unwrap();

    let newest = counted(&store, || drop(store.latest("ant", "v:f").unwrap()));
    assert_eq!((newest.points, newest.rows, newest.cells, newest.lookups), (1, 0, 1, 1));
    assert_eq!(sources(&newest), [4, 3, 0, 1, 1, 0], "the memtable has the newest");

    let in_a_table = counted(&store, || drop(store.latest("bee", "v:f").unwrap()));
    assert_eq!(sources(&in_a_table), [4, 2, 1, 1, 1, 0], "the newest table has it");

    let nobody = counted(&store, || drop(store.latest("cat", "v:f").unwrap()));
    assert_eq!(sources(&nobody), [4, 0, 4, 0, 0, 0], "the directories say no");

    // A feature that nobody has can be in any source that has the entity.
    let rows = counted(&store, || drop(store.read_rows(&["bee", "cat"], &all, &Read::latest())));
    assert_eq!((rows.rows, rows.cells, rows.lookups, rows.points), (2, 4, 2, 0));
    assert_eq!(sources(&rows), [8, 0, 5, 3, 0, 0]);

    let versions = counted(&store, || {
        let two = store.last_n("bee", "v:f", 2, &Read::latest()).unwrap();
        assert_eq!(two.answers.len(), 2);
        store.range("cat", "v:f", EventTime(0), EventTime(50), &Read::latest()).unwrap();
    });
    assert_eq!((versions.versions, versions.lookups, versions.cells), (2, 2, 0));
    assert_eq!(sources(&versions), [8, 1, 5, 2, 1, 0], "the oldest table has none of the last two");

    let joined = counted(&store, || {
        let joiner = store.joiner(&all, JoinOptions::new()).unwrap();
        let row = |entity: &'static str, at| Some((entity, EventTime(at)));
        let spine = [row("bee", 35), row("bee", 25), None, row("cat", 35), row("bee", 15)];
        assert_eq!(joiner.join(&spine).unwrap().rows(), 5);
    });
    assert_eq!((joined.join_rows, joined.join_cells, joined.lookups, joined.rows), (4, 8, 2, 0));
    assert_eq!(sources(&joined), [8, 0, 5, 3, 0, 0]);

    let scanned =
        counted(&store, || assert_eq!(store.scan(&f, &Read::latest(), b"a").unwrap().count(), 1));
    assert_eq!((scanned.rows, scanned.lookups), (1, 1));
    assert_eq!(sources(&scanned), [4, 3, 0, 1, 1, 0]);
}

#[test]
fn a_read_that_fails_or_asks_for_nothing_counts_as_answered() {
    let store = three_tables_and_a_memtable();
    store.alter("v:f", Alter::new().history(Some(Span::ZERO))).unwrap();
    let failed = counted(&store, || {
        let below = store.as_of("bee", "v:f", EventTime(35));
        assert!(matches!(below, Err(Error::BelowHorizon { .. })));
        assert!(store.latest("bee", "v:nothing").is_err());
    });
    assert_eq!((failed.points, failed.lookups, failed.sources_considered), (0, 0, 0));
}

#[test]
fn an_older_version_is_found_without_its_history() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = open(options(&sim));
    for at in [10, 20, 30] {
        put(&store, &["ant"], at);
    }
    store.flush().unwrap();
    let head = counted(&store, || drop(store.latest("ant", "v:f").unwrap()));
    assert_eq!(sources(&head), [1, 0, 0, 1, 0, 0]);
    let older = counted(&store, || {
        assert_eq!(store.as_of("ant", "v:f", EventTime(25)).unwrap().as_i64(), Some(20));
    });
    assert_eq!(sources(&older), [1, 0, 0, 1, 0, 1]);
    let one = counted(&store, || {
        assert_eq!(store.last_n("ant", "v:f", 1, &Read::latest()).unwrap().answers.len(), 1);
    });
    assert_eq!(sources(&one), [1, 0, 0, 1, 0, 0], "the newest stands by itself");
    let all = counted(&store, || {
        assert_eq!(store.last_n("ant", "v:f", 9, &Read::latest()).unwrap().answers.len(), 3);
    });
    assert_eq!(sources(&all), [1, 0, 0, 1, 0, 1]);
}

#[test]
fn an_opening_goes_on_counting_where_the_last_one_ended() {
    let sim = SimWorld::new(EventTime(NOW));
    let store = open(options(&sim));
    put(&store, &["ant"], 10);
    store.compact().unwrap();
    store.latest("ant", "v:f").unwrap();
    store.close().unwrap();
    let store = Store::open("/db", options(&sim)).unwrap();
    let metrics = store.metrics();
    assert_eq!((metrics.reads.lookups, metrics.writes.batches, metrics.flushes.flushes), (0, 0, 0));
    assert_eq!((metrics.compactions.compactions, metrics.reads.visited_per_lookup.count()), (0, 0));
    assert_eq!(metrics.levels[&1].tables, 1, "what it holds it tells at once");
}

/// Stores of some hundred batches in tables and memtables drawn at random; the naive count knows which entities each
/// source holds.
#[test]
fn sources_are_counted_otherwise_than_one_by_one() {
    let (mut lookups, mut considered) = (0, 0);
    for seed in 0..20 {
        println!("seed {seed}: for seed in {seed}..={seed} in this test");
        let mut rng = Rng::new(seed);
        let sim = SimWorld::new(EventTime(NOW));
        let store = open(options(&sim));
        store.define(FeatureSpec::new("v:text", ValueType::Text)).unwrap();
        let crowd = crowd();
        // What each source holds, the newest first.
        let mut held: Vec<BTreeSet<&str>> = vec![BTreeSet::new()];
        for _ in 0..100 {
            let entity = crowd[usize::try_from(rng.below(64)).unwrap()].as_str();
            put(&store, &[entity], i64::try_from(rng.below(100)).unwrap());
            held[0].insert(entity);
            if rng.percent(5) {
                store.flush().unwrap();
                held.insert(0, BTreeSet::new());
            }
        }
        let hashes = |held: &BTreeSet<&str>| -> Vec<EntityHash> {
            held.iter().map(|entity| EntityHash::of(entity.as_bytes())).collect()
        };
        for _ in 0..50 {
            let entity = crowd[usize::try_from(rng.below(64)).unwrap()].as_str();
            let hash = EntityHash::of(entity.as_bytes());
            let is_memtable = |index| index == 0;
            let across = held.iter().enumerate().filter(|(index, held)| {
                let hashes = hashes(held);
                let range = hashes.iter().min()..=hashes.iter().max();
                !held.is_empty() && (is_memtable(*index) || range.contains(&Some(&hash)))
            });
            let (have, have_not): (Vec<_>, Vec<_>) =
                across.partition(|(_, held)| held.contains(entity));
            let all = (have.len() + have_not.len()) as u64;
            let versions = counted(&store, || {
                drop(store.last_n(entity, "v:f", 1_000, &Read::latest()).unwrap());
            });
            let naive = [all, 0, have_not.len() as u64, have.len() as u64];
            assert_eq!(sources(&versions)[..4], naive, "seed {seed}, {entity}");
            let t = EventTime(i64::try_from(rng.below(100)).unwrap());
            let point = counted(&store, || drop(store.as_of(entity, "v:f", t).unwrap()));
            let few = counted(&store, || {
                drop(store.last_n(entity, "v:f", 2, &Read::as_of(t)).unwrap());
            });
            for reads in [&point, &few] {
                let [considered_here, by_bound, by_filter, visited, early, _] = sources(reads);
                assert_eq!(considered_here, all, "seed {seed}, {entity} at {t:?}");
                assert_eq!(considered_here, by_bound + by_filter + visited);
                assert!(by_filter <= have_not.len() as u64 && visited <= have.len() as u64);
                assert_eq!(early, u64::from(by_bound > 0));
            }
            lookups += 3;
            considered += 3 * all;
        }
        let reads = store.metrics().reads;
        assert_eq!(reads.visited_per_lookup.count(), reads.lookups);
        assert_eq!(reads.visited_per_lookup.sum(), reads.sources_visited);
    }
    println!("{lookups} lookups came across {considered} sources");
}

#[test]
fn reads_of_many_threads_are_lost() {
    let store = three_tables_and_a_memtable();
    let reads = counted(&store, || {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..500).for_each(|_| drop(store.latest("bee", "v:f").unwrap())));
            }
        });
    });
    assert_eq!((reads.points, reads.lookups), (4_000, 4_000));
    assert_eq!(sources(&reads), [16_000, 8_000, 4_000, 4_000, 4_000, 0]);
}
