//! Features of one view come together: columns of an entity have some lists of event times among them.

use asofdb_format::chunk::{self, Chunk, Starts, Walk};
use asofdb_format::ids::{Commit, EventTime, FeatureId, KnownTime, SourceId};
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::timeline::Timeline;
use asofdb_format::value::Kind;
use asofdb_format::values::Numbers;

use crate::random::Rng;
use crate::{check_chunk, inputs_of};

type Columns = Vec<(FeatureId, Numbers, Vec<Revision>)>;

/// How a chunk's flags tell of lists.
const SOME_LISTS: u8 = 3;

/// Views of so many features each, each with as many versions as told; what is bytes is told by column.
fn views(rng: &mut Rng, views: &[(u32, u64)], is_bytes: impl Fn(u32) -> bool) -> Columns {
    let mut columns = Columns::new();
    for (features, versions) in views {
        let mut times: Vec<i64> = (0..*versions as i64)
            .map(|n| n * 3_600_000_000 + rng.below(9_999_999) as i64)
            .collect();
        times.sort_unstable();
        for _ in 0..*features {
            let id = columns.len() as u32;
            let revision = |t: &i64| Revision {
                order: Order {
                    event_time: EventTime(*t),
                    known_time: KnownTime(t + 5),
                    commit: Commit(t + 5),
                },
                kind: Kind::Value,
                source: SourceId::NONE,
                payload: match is_bytes(id) {
                    true => Payload::Raw(vec![b'x'; rng.below(9) as usize].into()),
                    false => Payload::Bits((rng.below(10_000) as f64 / 100.0).to_bits()),
                },
            };
            let numbers = if is_bytes(id) { Numbers::Plain } else { Numbers::F64 };
            let revisions = times.iter().map(revision).collect();
            columns.push((FeatureId(id), numbers, revisions));
        }
    }
    columns
}

fn encoded(columns: &Columns) -> Vec<u8> {
    let mut out = Vec::new();
    chunk::encode(&inputs_of(columns), &Timeline::none(), &mut out, &mut Vec::new());
    out
}

#[test]
fn features_of_several_views_are_read_one_by_one() {
    let mut rng = Rng(3);
    for lists in [
        &[(20, 5), (20, 5), (20, 5)][..],
        &[(1, 3), (30, 9), (7, 1), (2, 40)],
        &[(100, 6); 10],
        &[(9, 4), (9, 4)],
    ] {
        let columns = views(&mut rng, lists, |_| false);
        let bytes = encoded(&columns);
        assert_eq!(bytes[1] & SOME_LISTS, SOME_LISTS, "{lists:?}");
        assert!(Chunk::decode(&bytes).unwrap().has_grid(), "{lists:?}");
        check_chunk(&columns);
        let columns = views(&mut rng, lists, |id| id % 4 == 1);
        let bytes = encoded(&columns);
        assert_eq!(bytes[1] & SOME_LISTS, SOME_LISTS, "{lists:?}");
        assert!(!Chunk::decode(&bytes).unwrap().has_grid(), "{lists:?}");
        check_chunk(&columns);
    }
}

#[test]
fn event_times_of_a_view_are_written_for_each_of_its_features() {
    let mut rng = Rng(4);
    let one = encoded(&views(&mut rng, &[(1, 50), (1, 50)], |_| false)).len();
    let many = encoded(&views(&mut rng, &[(50, 50), (50, 50)], |_| false)).len();
    // Each number takes 14 bits, and each event time at least twice as many.
    assert!(many < 98 * 50 * 2 + one + 500, "{many} bytes for a hundred features, {one} for two");
}

/// A list that is not there, or of another length than the column: an error of who looks at the column.
#[test]
fn a_damaged_list_of_a_view_is_a_panic_or_another_list() {
    let columns = views(&mut Rng(5), &[(4, 3), (4, 2), (4, 3)], |_| false);
    let good = encoded(&columns);
    let mut refused = 0;
    for at in 1..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            let Ok(chunk) = Chunk::decode(&bytes) else { continue };
            let mut starts = Starts::default();
            let are_good = chunk.starts(&mut starts).is_ok();
            let mut walk = Walk::default();
            let each = (0..chunk.columns()).map(|column| chunk.column_with(column, &mut walk));
            let are_read = each.filter(Result::is_ok).count() == chunk.columns();
            assert!(are_good || !are_read, "byte {at} bit {bit}: {bytes:?}");
            refused += u32::from(!are_good);
            let Some(grid) = chunk.grid(&starts) else { continue };
            assert!(are_good, "byte {at} bit {bit}: a grid of lists that were refused");
            let mut limits = Vec::new();
            grid.limits(&[EventTime(0)], &mut limits);
            for column in 0..chunk.columns() {
                let _ = grid.up_to(column, &limits[0]);
            }
        }
    }
    assert!(refused > 20, "{refused} lists were refused");
}

/// 65,536 columns of one revision each, whose lists come one before the other: 32 bytes, in which who counts
/// what lies before each list counts for seconds.
#[test]
fn lists_that_go_backwards_are_counted_from_the_first_again_and_again() {
    let bytes = [
        0, 0x83, 0x80, 0x80, 4, // a run of ids; some lists, numbers side by side; columns
        0, 2, 0, // one revision each; the first feature
        0x80, 0x80, 4, 0x80, 1, 2, 2, // as many lists; ends from 1 on, one more each
        0x80, 1, 0xfe, 0xff, 7,
        1, // the list of each column: from the last one on, one less each
        0, 0, // event times
        0, 2, 0, 0, 0, 0, // codes, bases, rests
        0, 0, // commits
    ];
    let chunk = Chunk::decode(&bytes).unwrap();
    let mut starts = Starts::default();
    for _ in 0..100 {
        chunk.starts(&mut starts).unwrap();
    }
    let mut walk = Walk::default();
    for column in 0..chunk.columns() {
        assert_eq!(chunk.column_with(column, &mut walk).unwrap().len(), 1);
    }
    let grid = chunk.grid(&starts).unwrap();
    let mut limits = Vec::new();
    grid.limits(&[EventTime(0)], &mut limits);
    assert_eq!(grid.up_to(65_535, &limits[0]), 1);
    assert_eq!(
        chunk.column(usize::MAX).map(drop).map_err(|fault| fault.what),
        Err("a column of the chunk")
    );
}

/// Features of two views by turns: the list of one is not beside that of the one before.
#[test]
fn features_of_views_by_turns_are_told_by_the_list_of_the_other() {
    let mut columns = views(&mut Rng(6), &[(30, 9), (30, 9), (30, 4), (30, 4)], |_| false);
    let place = |id: u32| id % 30 * 4 + id / 30;
    columns.iter_mut().for_each(|(feature, ..)| feature.0 = place(feature.0));
    columns.sort_by_key(|(feature, ..)| *feature);
    assert_eq!(encoded(&columns)[1] & SOME_LISTS, SOME_LISTS);
    check_chunk(&columns);
}
