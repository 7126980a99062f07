//! Item 16: joins, and rows and scans beside them. A join is left: a row for each row of the spine, in its order, and each
//! cell is what a read as of the row's time answers.

use asofdb::{Error, EventTime, JoinOptions, Read, Span, Status, Store};
use asofdb_tests::case::{
    Case, as_of, delete, deleted, expired, missing, null, null_value, numbers, put, value,
};
use asofdb_tests::generate::Rng;

/// The cell of a row: its status, its event time, its number.
type Cell = (Status, Option<i64>, Option<i64>);

const MISSING: Cell = (Status::Missing, None, None);

fn number(number: i64, e: i64) -> Cell {
    (Status::Value, Some(e), Some(number))
}

/// Joins a spine, with None for a null, against features; the cells of each row.
fn join(
    store: &Store,
    features: &[&str],
    options: JoinOptions,
    spine: &[Option<(&str, i64)>],
) -> asofdb::Result<Vec<Vec<Cell>>> {
    let features = store.select(features)?;
    let rows: Vec<_> =
        spine.iter().map(|row| row.map(|(entity, t)| (entity, EventTime(t)))).collect();
    let joined = store.joiner(&features, options)?.join(&rows)?;
    assert_eq!((joined.rows(), joined.columns().len()), (spine.len(), features.len()));
    let cell = |row: usize, column: &asofdb::JoinedColumn| {
        let number = column.value(row).and_then(|value| value.as_i64());
        (column.status()[row], column.event_time(row).map(|e| e.0), number)
    };
    let cells = |row| joined.columns().iter().map(|column| cell(row, column)).collect();
    Ok((0..spine.len()).map(cells).collect())
}

fn join_f(store: &Store, options: JoinOptions, spine: &[Option<(&str, i64)>]) -> Vec<Cell> {
    join(store, &["f"], options, spine).unwrap().into_iter().map(|row| row[0]).collect()
}

fn span(micros: i64) -> Span {
    Span::from_micros(micros).unwrap()
}

/// Two entities; each version known when it became true, but the correction of 20, which was known at 35.
fn two() -> Case {
    Case::of(numbers().ttl(25)).define("g", numbers()).clock(100).write([
        put(10, 1).known(10),
        put(20, 2).known(20),
        put(20, 3).known(35),
        put(15, 4).known(15).of("b"),
        null(12).known(12).feature("g"),
        delete(22).known(22).feature("g"),
    ])
}

pub fn an_empty_spine_gives_no_rows() {
    two().read(as_of(10), value(1).at(10).known(10)).check_on_stores(|store| {
        assert_eq!(
            join(store, &["f", "g"], JoinOptions::new(), &[]).unwrap(),
            Vec::<Vec<_>>::new()
        );
    });
}

pub fn an_unsorted_spine_comes_out_in_its_own_order() {
    two()
        .read(as_of(30), value(3).at(20).known(35))
        .read(as_of(19), value(1).at(10).known(10))
        .read(as_of(16).of("b"), value(4).at(15).known(15))
        .check_on_stores(|store| {
            let spine = [("a", 30), ("b", 16), ("a", 9), ("b", 14), ("a", 19), ("b", 15)].map(Some);
            let cells = join_f(store, JoinOptions::new(), &spine);
            let expected =
                [number(3, 20), number(4, 15), MISSING, MISSING, number(1, 10), number(4, 15)];
            assert_eq!(cells, expected);
        });
}

pub fn each_of_several_equal_rows_is_answered() {
    two().read(as_of(19), value(1).at(10).known(10)).check_on_stores(|store| {
        let spine = [("a", 19), ("a", 19), ("b", 20), ("a", 19)].map(Some);
        let cells = join_f(store, JoinOptions::new(), &spine);
        assert_eq!(cells, [number(1, 10), number(1, 10), number(4, 15), number(1, 10)]);
    });
}

/// A tie in the store does not duplicate the training row.
pub fn a_corrected_version_does_not_double_the_row() {
    two().read(as_of(20), value(3).at(20).known(35)).check_on_stores(|store| {
        assert_eq!(join_f(store, JoinOptions::new(), &[Some(("a", 20))]), [number(3, 20)]);
    });
}

pub fn a_row_of_an_unknown_entity_stays_and_is_missing() {
    two().read(as_of(20).of("nobody"), missing()).check_on_stores(|store| {
        let spine = [Some(("nobody", 20)), Some(("a", 10)), Some(("", 20))];
        assert_eq!(join_f(store, JoinOptions::new(), &spine), [MISSING, number(1, 10), MISSING]);
    });
}

pub fn a_row_without_entity_or_time_stays_and_is_missing() {
    two().read(as_of(10), value(1).at(10).known(10)).check_on_stores(|store| {
        let spine = [None, Some(("a", 10)), None];
        assert_eq!(join_f(store, JoinOptions::new(), &spine), [MISSING, number(1, 10), MISSING]);
    });
}

pub fn an_unknown_feature_is_an_error_and_no_empty_column() {
    use asofdb_tests::answer::Refusal::UnknownFeature;
    two().read(as_of(10).feature("h"), UnknownFeature).check_on_stores(|store| {
        for name in ["h", "f@2", "f@0", ""] {
            let joined = join(store, &["f", name], JoinOptions::new(), &[Some(("a", 10))]);
            match joined.unwrap_err() {
                Error::UnknownFeature { name: told, .. } => assert_eq!(told, name),
                other => panic!("{other}"),
            }
        }
    });
}

pub fn without_features_there_are_rows_without_columns() {
    two().read(as_of(10), value(1).at(10).known(10)).check_on_stores(|store| {
        let joined = join(store, &[], JoinOptions::new(), &[Some(("a", 10)), None]).unwrap();
        assert_eq!(joined, [vec![], vec![]]);
    });
}

pub fn each_cell_of_a_row_has_its_own_answer() {
    two()
        .read(as_of(21), value(3).at(20).known(35))
        .read(as_of(21).feature("g"), null_value().at(12).known(12))
        .read(as_of(46), expired().at(20))
        .read(as_of(46).feature("g"), deleted().at(22))
        .read(as_of(11).feature("g"), missing())
        .check_on_stores(|store| {
            let spine = [("a", 21), ("a", 46), ("a", 11), ("b", 20)].map(Some);
            let cells = join(store, &["g", "f"], JoinOptions::new(), &spine).unwrap();
            let null = (Status::Null, Some(12), None);
            let gone = (Status::Deleted, Some(22), None);
            let stale = (Status::Expired, Some(20), None);
            let expected = [
                vec![null, number(3, 20)],
                vec![gone, stale],
                vec![MISSING, number(1, 10)],
                vec![MISSING, number(4, 15)],
            ];
            assert_eq!(cells, expected);
        });
}

/// The join that cannot leak: each row knows what was known at its own time, less a lag.
pub fn a_row_knows_what_was_known_at_its_own_time_less_the_lag() {
    two()
        .read(as_of(34).known_at(34), value(2).at(20).known(20))
        .read(as_of(35).known_at(35), value(3).at(20).known(35))
        .read(as_of(35).known_at(34), value(2).at(20).known(20))
        .read(as_of(24).known_at(19), value(1).at(10).known(10))
        .check_on_stores(|store| {
            let spine = [("a", 34), ("a", 35), ("a", 24), ("a", 10)].map(Some);
            let knowing = |lag| join_f(store, JoinOptions::new().known_at_row(span(lag)), &spine);
            assert_eq!(knowing(0), [number(2, 20), number(3, 20), number(2, 20), number(1, 10)]);
            assert_eq!(knowing(1), [number(2, 20), number(2, 20), number(2, 20), MISSING]);
            assert_eq!(knowing(5), [number(2, 20), number(2, 20), number(1, 10), MISSING]);
            let all = join_f(store, JoinOptions::new(), &spine);
            assert_eq!(all, [number(3, 20), number(3, 20), number(3, 20), number(1, 10)]);
        });
}

pub fn the_lag_is_taken_from_the_row_and_not_from_what_the_delay_leaves() {
    two()
        .read(as_of(36).delay(10).known_at(35), value(3).at(20).known(35))
        .read(as_of(36).delay(10).known_at(34), value(2).at(20).known(20))
        .check_on_stores(|store| {
            let cell = |lag| {
                let options = JoinOptions::new().delay(span(10)).known_at_row(span(lag));
                join_f(store, options.clone().before(), &[Some(("a", 36))])[0]
            };
            assert_eq!([cell(1), cell(2)], [number(3, 20), number(2, 20)]);
        });
}

pub fn before_delay_and_max_age_are_of_each_row() {
    two().read(as_of(20).before(), value(1).at(10).known(10)).check_on_stores(|store| {
        let spine = [("a", 20), ("a", 21), ("b", 15), ("a", 29)].map(Some);
        let before = join_f(store, JoinOptions::new().before(), &spine);
        assert_eq!(before, [number(1, 10), number(3, 20), MISSING, number(3, 20)]);
        let delayed = join_f(store, JoinOptions::new().delay(span(1)), &spine);
        assert_eq!(delayed, before);
        let young = join_f(store, JoinOptions::new().max_age(span(8)), &spine);
        let stale = (Status::Expired, Some(20), None);
        assert_eq!(young, [number(3, 20), number(3, 20), number(4, 15), stale]);
    });
}

pub fn a_row_below_the_horizon_fails_the_join_and_names_the_feature() {
    Case::new()
        .define("short", numbers().history(50))
        .clock(1_000)
        .write([put(900, 1), put(900, 2).feature("short")])
        .read(as_of(949), value(1).at(900).known(1_000))
        .check_on_stores(|store| {
            let spine = [Some(("a", 950)), None, Some(("nobody", 949))];
            let options = JoinOptions::new;
            let refused = join(store, &["f", "short"], options(), &spine).unwrap_err();
            match refused {
                Error::BelowHorizon { feature, asked, horizon } => {
                    assert_eq!((feature.as_str(), asked, horizon.0), ("short", 949, 950));
                }
                other => panic!("{other}"),
            }
            let cells = join(store, &["f", "short"], options(), &spine[..2]).unwrap();
            let none = vec![MISSING, MISSING];
            assert_eq!(cells, [vec![number(1, 900), number(2, 900)], none]);
            assert_eq!(join_f(store, options(), &spine), [number(1, 900), MISSING, MISSING]);
            let late = options().known_at_row(span(1));
            assert!(
                join(store, &["short"], late, &spine[..1]).is_err(),
                "k lies below the horizon"
            );
        });
}

/// Rows of one store, read in one join on several threads, each held against a read of its own.
pub fn a_join_differs_nowhere_from_reads_one_by_one() {
    let mut case = Case::of(numbers().ttl(300)).clock(10_000);
    let mut rng = Rng::new(16);
    for entity in 0..40 {
        let entity = format!("e{entity}");
        let batch: Vec<_> = (0..rng.between(0, 12))
            .map(|n| put(rng.between(0, 2_000), n).of(&entity).known(rng.between(0, 10_000)))
            .collect();
        case = case.write(batch);
        if rng.percent(20) {
            case = case.flush();
        }
    }
    case.read(as_of(0).of("nobody"), missing()).check_on_stores(|store| {
        let mut rng = Rng::new(61);
        let entities: Vec<String> = (0..45).map(|entity| format!("e{entity}")).collect();
        let spine: Vec<Option<(&str, i64)>> = (0..5_000)
            .map(|_| {
                let entity = rng.pick(&entities)?.as_str();
                rng.percent(99).then(|| (entity, rng.between(-10, 2_400)))
            })
            .collect();
        let cells = join_f(store, JoinOptions::new().threads(4), &spine);
        for (row, cell) in spine.iter().zip(cells) {
            let Some((entity, t)) = row else {
                assert_eq!(cell, MISSING);
                continue;
            };
            let answer = store.as_of(entity, "f", EventTime(*t)).unwrap();
            let read = (answer.status(), answer.event_time().map(|e| e.0), answer.as_i64());
            assert_eq!(cell, read, "{entity} {t}");
        }
    });
}

pub fn rows_and_scans_answer_as_the_join_does() {
    two()
        .read(as_of(21), value(3).at(20).known(35))
        .read(as_of(21).of("b"), value(4).at(15).known(15))
        .check_on_stores(|store| {
            let features = store.select(&["g", "f"]).unwrap();
            let read = Read::as_of(EventTime(21));
            let cells = |row: &asofdb::Row| -> Vec<Cell> {
                let cell = |answer: &asofdb::Answer| {
                    (answer.status(), answer.event_time().map(|e| e.0), answer.as_i64())
                };
                row.answers.iter().map(cell).collect()
            };
            let entities = ["b", "nobody", "a", "b"];
            let rows = store.read_rows(&entities, &features, &read).unwrap();
            let spine = entities.map(|entity| Some((entity, 21)));
            let joined = join(store, &["g", "f"], JoinOptions::new(), &spine).unwrap();
            assert_eq!(rows.iter().map(cells).collect::<Vec<_>>(), joined);
            let scan = store.scan(&features, &read, b"").unwrap();
            let mut scanned: Vec<_> = scan
                .map(|row| row.map(|(entity, row)| (entity.to_vec(), cells(&row))).unwrap())
                .collect();
            scanned.sort_by(|a, b| a.0.cmp(&b.0));
            let expected = [(b"a".to_vec(), joined[2].clone()), (b"b".to_vec(), joined[0].clone())];
            assert_eq!(scanned, expected);
        });
}
