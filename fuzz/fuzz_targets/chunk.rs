//! Chunks: any bytes are read without a panic; columns that were written come back.
#![no_main]

use asofdb_format::chunk::{
    self, Cells, Chunk, ColumnInput, MAX_REVISIONS, Moments, Starts, Walk, Wanted,
};
use asofdb_format::head::MAX_FEATURES;
use asofdb_format::ids::{Commit, EventTime, FeatureId};
use asofdb_format::revision::Payload;
use asofdb_format::timeline::{Step, Timeline};
use asofdb_fuzz::columns::{MOST, chunk_columns, features, numbers, timeline};
use asofdb_fuzz::{heap, lanes};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let features = features(u)?;
    let timeline = timeline(u, &features)?;
    let columns: Vec<ColumnInput<'_>> = features
        .iter()
        .map(|(feature, revisions)| ColumnInput {
            feature: *feature,
            numbers: numbers(),
            revisions,
        })
        .collect();
    let (mut out, mut heap) = (Vec::new(), Vec::new());
    chunk::encode(&columns, &timeline, &mut out, &mut heap);
    assert_eq!(chunk_columns(&out, &heap, &timeline), Ok(features.clone()));
    let chunk = Chunk::decode(&out).unwrap();
    let mut starts = Starts::default();
    chunk.starts(&mut starts).unwrap();
    let grid = chunk.grid(&starts);
    let mut walk = Walk::default();
    for (index, (_, revisions)) in features.iter().enumerate() {
        let Some(numbers) = chunk.numbers(index, &mut walk).unwrap() else { continue };
        assert_eq!(numbers.len(), revisions.len());
        for (at, revision) in revisions.iter().enumerate() {
            let t = revision.order.event_time;
            let up_to = revisions.partition_point(|other| other.order.event_time <= t);
            assert_eq!((numbers.event_time(at), numbers.kind(at)), (t, Ok(revision.kind)));
            let moment = chunk.moment(t);
            assert_eq!(numbers.up_to(&moment), up_to);
            assert!(moment.up_to_of_all().is_none_or(|all| all == up_to));
            assert!(chunk.changes_after(&moment).is_none_or(|next| {
                next > t && numbers.up_to(&chunk.moment(EventTime(next.0 - 1))) == up_to
            }));
            if let Payload::Bits(bits) = revision.payload {
                assert_eq!(numbers.bits(at), bits);
            }
            let Some(grid) = &grid else { continue };
            let mut limits = Vec::new();
            grid.limits(&[t], &mut limits);
            assert_eq!(limits.first().map(|limit| grid.up_to(index, limit)), Some(up_to));
            assert_eq!(grid.kind(index, at), Ok(revision.kind));
            let newest = EventTime(t.0.saturating_add(1));
            let wanted =
                Wanted { columns: &[small(index)], places: &[0], newest: &[newest.0], bits: &[0] };
            let (mut status, mut event_times, mut bits) = ([0], [0], [0]);
            let mut out =
                Cells { status: &mut status, event_times: &mut event_times, bits: &mut bits };
            let moments = Moments { times: &[t], limits: &limits };
            assert_eq!(grid.answer(wanted, moments, (1, 2), &mut out), Ok(()));
            if t < newest {
                assert_eq!((status, event_times), ([1], [t.0]));
                // Of several of one event time the last one counts.
                if at + 1 == up_to
                    && let Payload::Bits(number) = revision.payload
                {
                    assert_eq!(bits, [number]);
                }
            }
        }
    }
    Ok(())
}

/// The numbers of a chunk side by side: some words a column are allocated.
fn side_by_side(bytes: &[u8]) {
    let Ok(chunk) = Chunk::decode(bytes) else { return };
    let mut starts = Starts::default();
    if chunk.starts(&mut starts).is_err() {
        return;
    }
    let Some(grid) = chunk.grid(&starts) else { return };
    let times = [i64::MIN, 0, i64::MAX].map(EventTime);
    lanes::compare(&grid, chunk.columns().min(MOST), &times);
    lanes::compare(&grid, chunk.columns().min(MOST), &times[1..2]);
    let mut limits = Vec::new();
    grid.limits(&times, &mut limits);
    for column in 0..chunk.columns().min(MOST) {
        for limit in &limits {
            let up_to = grid.up_to(column, limit);
            assert!(u64::try_from(up_to).is_ok_and(|up_to| up_to <= MAX_REVISIONS));
            let _ = grid.kind(column, up_to);
        }
        for index in [0, usize::MAX] {
            let _ = grid.kind(column, index);
        }
        for newest in [i64::MIN, i64::MAX] {
            let columns = [small(column)];
            let wanted = Wanted { columns: &columns, places: &[0], newest: &[newest], bits: &[0] };
            let mut out =
                Cells { status: &mut [0; 3], event_times: &mut [0; 3], bits: &mut [0; 3] };
            let all = Moments { times: &times, limits: &limits };
            let _ = grid.answer(wanted, all, (1, 2), &mut out);
            for (time, limit) in times.chunks(1).zip(limits.chunks(1)) {
                let one = Moments { times: time, limits: limit };
                let _ = grid.answer(wanted, one, (1, 2), &mut out);
            }
        }
    }
}

/// A chunk is read in place: whatever its counts say, nothing is allocated for them.
fn in_place(bytes: &[u8], timeline: &Timeline) {
    let Ok(chunk) = Chunk::decode(bytes) else { return };
    let orders = chunk.orders(timeline);
    let are_good = chunk.commits_ascend(timeline) == Ok(true);
    for index in 0..chunk.columns().min(MOST) {
        let Ok(column) = chunk.column(index) else { continue };
        let places = [0, 1, column.len() / 2, column.len() - 1, column.len(), usize::MAX];
        for index in places {
            let _ = (column.kind(index), column.event_time(index), column.place(index));
        }
        assert!(column.up_to(EventTime(0)) <= column.len());
        let Ok(orders) = &orders else { continue };
        let told = |index| (column.order(orders, index), column.source(orders, index));
        let _ = places.map(told);
        let mut back = column.orders_back(orders);
        for index in (0..column.len().min(MOST)).rev() {
            let version = back.version(index, column.event_time(index));
            assert!(!are_good || version == told(index));
        }
    }
    let _ = chunk.find(FeatureId(u32::MAX), 0);
    let moments = [i64::MIN, 0, i64::MAX].map(|t| chunk.moment(EventTime(t)));
    let mut walk = Walk::default();
    for index in 0..chunk.columns().min(MOST) {
        let Ok(Some(numbers)) = chunk.numbers(index, &mut walk) else { continue };
        for index in [0, numbers.len() - 1, usize::MAX] {
            let _ = (numbers.event_time(index), numbers.kind(index), numbers.bits(index));
        }
        for moment in &moments {
            assert!(numbers.up_to(moment) <= numbers.len());
            assert!(moment.up_to_of_all().is_none_or(|all| all <= numbers.len()));
            let _ = chunk.changes_after(moment);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let step = |(commit, from)| Step { commit: Commit(commit), from: EventTime(from) };
    let timeline = Timeline::of([(7, -60), (9, 0), (30, 3_600)].map(step).to_vec(), 3);
    for timeline in [&timeline, &Timeline::none()] {
        heap::bounded(bytes.len(), 1, || in_place(bytes, timeline));
    }
    // Columns that are all alike take no bytes of their own.
    heap::bounded(bytes.len() + MAX_FEATURES, 16, || side_by_side(bytes));
    let (chunk, heap) = bytes.split_at(bytes.len() / 2);
    let _ = chunk_columns(chunk, heap, &timeline);
    let _ = chunk_columns(bytes, bytes, &timeline);
    let _ = written(&mut Unstructured::new(bytes));
});
