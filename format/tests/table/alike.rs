//! Columns that have much in common take next to no room, and are read all the same.

use asofdb_format::chunk::{self, ColumnInput};
use asofdb_format::ids::{Commit, EventTime, FeatureId, KnownTime, SourceId};
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::table::Names;
use asofdb_format::timeline::Timeline;
use asofdb_format::value::{Kind, ValueType};
use asofdb_format::values::Numbers;

use crate::random::{Rng, build, revisions, timeline_of};
use crate::{check_chunk, layout_of};

#[test]
fn commits_that_event_times_tell_take_room() {
    let order = |n: i64| Order {
        event_time: EventTime(n * 1_000 + n * n % 997),
        known_time: KnownTime(n * n),
        commit: Commit(n * n),
    };
    let mut rng = Rng(11);
    let revisions = |first: i64, rng: &mut Rng| {
        let orders: Vec<Order> = (0..40).map(|n| order(first + n * 7)).collect();
        revisions(rng, ValueType::I64, &orders)
    };
    let features: Vec<(FeatureId, Vec<Revision>)> =
        (1..6).map(|id| (FeatureId(id), revisions(i64::from(id), &mut rng))).collect();
    let row = (b"ant".to_vec(), features);
    let timeline = timeline_of(std::slice::from_ref(&row));
    let len = |timeline: &Timeline| {
        let input = row.1.iter().map(|(feature, revisions)| ColumnInput {
            feature: *feature,
            numbers: Numbers::Plain,
            revisions,
        });
        let (mut chunk, mut heap) = (Vec::new(), Vec::new());
        chunk::encode(&input.collect::<Vec<_>>(), timeline, &mut chunk, &mut heap);
        (chunk.len(), chunk::goes_by_timeline(&chunk))
    };
    let ((by_time, goes), (plain, other)) = (len(&timeline), len(&Timeline::none()));
    assert!(goes && !other && by_time + 200 < plain, "{by_time} and {plain} bytes");
    let (bytes, _) = build(&Names::default(), &[row], false);
    assert!(layout_of(&bytes).unwrap().timeline.is_some());
}

/// A chunk of many columns that are all alike is shorter than a byte for each.
#[test]
fn columns_that_take_no_bytes_are_more_than_a_reader_believes() {
    let order =
        |n: i64| Order { event_time: EventTime(n), known_time: KnownTime(n), commit: Commit(n) };
    let same = Revision {
        order: order(1),
        kind: Kind::Value,
        source: SourceId::NONE,
        payload: Payload::Bits(7),
    };
    let revisions = vec![same.clone(), Revision { order: order(2), ..same }];
    let columns: Vec<_> =
        (5..2_005).map(|id| (FeatureId(id), Numbers::Plain, revisions.clone())).collect();
    assert!(check_chunk(&columns) < 100);
}
