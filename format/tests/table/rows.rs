//! What is read of several columns at once, held against the revisions that were written.

use asofdb_format::chunk::{
    Cells, Chunk, Column, Grid, Moments, NumberColumn, Orders, Starts, Wanted,
};
use asofdb_format::head::{self, Head, HistoryPlace};
use asofdb_format::ids::{Commit, EventTime, FeatureId, KnownTime, SourceId};
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::timeline::Timeline;
use asofdb_format::value::Kind;
use asofdb_format::values::Numbers;

use crate::doors::{ANSWERS, Answer};

/// Moments at, before and after some revisions, of which some columns have a newer version and some are
/// not there at all.
pub fn check_answers(chunk: &Chunk<'_>, columns: &[(FeatureId, Numbers, Vec<Revision>)]) {
    let mut starts = Starts::default();
    chunk.starts(&mut starts).unwrap();
    let Some(grid) = chunk.grid(&starts) else { return };
    let some = columns.iter().flat_map(|(_, _, revisions)| revisions.iter().step_by(5)).take(9);
    let mut times: Vec<EventTime> = some
        .flat_map(|revision| [-1, 0, 1].map(|by| revision.order.event_time.0.saturating_add(by)))
        .chain([i64::MIN, i64::MAX])
        .map(EventTime)
        .collect();
    times.sort_unstable();
    check_at(&grid, columns, &times);
    for t in times {
        // One moment is answered in another way than many.
        check_at(&grid, columns, &[t]);
    }
}

fn check_at(
    grid: &Grid<'_, '_>,
    columns: &[(FeatureId, Numbers, Vec<Revision>)],
    times: &[EventTime],
) {
    let mut limits = Vec::new();
    grid.limits(times, &mut limits);
    for (index, (_, _, revisions)) in columns.iter().enumerate() {
        for (t, limit) in times.iter().zip(&limits) {
            let expected = revisions.partition_point(|one| one.order.event_time <= *t);
            assert_eq!(grid.up_to(index, limit), expected);
        }
    }
    assert_eq!(grid.up_to(columns.len(), &limits[0]), 0, "there is no such column");
    let newest = |index: usize, revisions: &[Revision]| {
        let last = revisions.last().unwrap().order.event_time.0;
        EventTime(if index.is_multiple_of(3) { i64::MAX } else { last.saturating_add(1) })
    };
    let moments = Moments { times, limits: &limits };
    for answer in ANSWERS {
        for is_ascending in [true, false] {
            let (len, ones) = (columns.len(), 1..=columns.len() as u32);
            let mut places: Vec<u32> =
                if is_ascending { ones.collect() } else { ones.rev().collect() };
            let mut wanted_columns: Vec<u32> = (0..len as u32).collect();
            let newest = columns.iter().enumerate().map(|(index, (.., all))| newest(index, all).0);
            let mut newest: Vec<i64> = newest.collect();
            let mut bits: Vec<u64> = (0..len as u64).map(|index| 1 << 60 | index).collect();
            // No such column, and no such place, for which nothing is written.
            wanted_columns.extend([Wanted::NO_COLUMN, 0]);
            places.extend([0, len as u32 + 2]);
            newest.extend([0, newest[0]]);
            bits.extend([5, bits[0]]);
            let wanted =
                Wanted { columns: &wanted_columns, places: &places, newest: &newest, bits: &bits };
            check_told(answer, grid, columns, (wanted, moments));
        }
    }
}

/// What is told of what is wanted: of each column, of one that there is not, and of one whose answers go
/// nowhere.
fn check_told(
    answer: Answer,
    grid: &Grid<'_, '_>,
    columns: &[(FeatureId, Numbers, Vec<Revision>)],
    (wanted, moments): (Wanted<'_>, Moments<'_>),
) {
    let (rows, places) = (moments.times.len(), columns.len() + 2);
    let (mut status, mut event_times, mut bits) =
        (vec!['-'; places * rows], vec![-7; places * rows], vec![7; places * rows]);
    let mut out = Cells { status: &mut status, event_times: &mut event_times, bits: &mut bits };
    answer(grid, wanted, moments, ('v', 'm'), &mut out).unwrap();
    let told = |place: usize, at: usize| {
        let cell = place * rows + at;
        (status[cell], event_times[cell], bits[cell])
    };
    for (at, t) in moments.times.iter().enumerate() {
        assert_eq!(told(0, at), if t.0 >= 0 { ('v', 0, 5) } else { ('m', 0, 0) });
        assert_eq!(told(columns.len() + 1, at), ('-', -7, 7), "nobody asked for this place");
        for (index, (_, _, revisions)) in columns.iter().enumerate() {
            let seen = revisions.iter().rfind(|revision| revision.order.event_time <= *t);
            let number = |revision: &Revision| match revision.payload {
                Payload::Bits(bits) => Some(bits),
                _ => None,
            };
            let newest = wanted.newest[index];
            let expected = match seen {
                _ if t.0 >= newest => ('v', newest, Some(1 << 60 | index as u64)),
                Some(revision) => ('v', revision.order.event_time.0, number(revision)),
                None => ('m', 0, Some(0)),
            };
            let (status, event_time, bits) = told(wanted.places[index] as usize, at);
            assert_eq!((status, event_time), (expected.0, expected.1), "{t:?}, column {index}");
            // What stands for no value is told by nobody but its kind.
            assert!(expected.2.is_none_or(|expected| bits == expected), "{t:?}, column {index}");
        }
    }
}

#[test]
fn event_times_read_at_once_differ_from_those_read_one_by_one() {
    for bits in 0..64 {
        let revisions: Vec<Revision> = (0..5)
            .map(|n| {
                let behind = if n == 3 { (1u64 << bits) - 1 } else { (n * 7) & ((1 << bits) - 1) };
                let event_time = EventTime(i64::MAX.wrapping_sub_unsigned(behind));
                let order = Order { event_time, known_time: KnownTime(1), commit: Commit(1) };
                let payload = Payload::Bits(n);
                Revision { order, kind: Kind::Value, source: SourceId::NONE, payload }
            })
            .collect();
        let newest: Vec<(FeatureId, &Revision)> = (7..).map(FeatureId).zip(&revisions).collect();
        let (mut out, mut far) = (Vec::new(), Vec::new());
        let (place, timeline) = (HistoryPlace::default(), Timeline::none());
        head::encode(b"e", &newest, place, &timeline, (&mut out, &mut far));
        let head = Head::decode(&out).unwrap();
        let expected: Vec<i64> = (0..5).map(|index| head.event_time(index).0).collect();
        assert!(expected.iter().zip(&revisions).all(|(t, one)| *t == one.order.event_time.0));
        for room in [0, 3, 5, 8] {
            let mut times = vec![-1; room];
            head.event_times_into(&mut times);
            let told = room.min(5);
            assert_eq!(times[..told], expected[..told], "{bits} bits, room for {room}");
            assert!(times[told..].iter().all(|time| *time == -1), "more than there are");
        }
    }
}

/// Four columns of two revisions each, of which the second is the older one, as no writer makes them: the
/// ways to search once looked at different ones of them.
#[test]
fn event_times_that_fall_are_told_otherwise_four_at_a_time() {
    let bytes = [0, 128, 4, 0, 4, 1, 8, 9, 10, 0, 10, 0, 10, 0, 10, 0, 0, 2, 0, 0, 0, 0];
    let chunk = Chunk::decode(&bytes).unwrap();
    let mut starts = Starts::default();
    chunk.starts(&mut starts).unwrap();
    let grid = chunk.grid(&starts).unwrap();
    for t in -7..8 {
        let times = [EventTime(t)];
        let mut limits = Vec::new();
        grid.limits(&times, &mut limits);
        let told = ANSWERS.map(|answer| {
            let (mut status, mut event_times, mut bits) = (['-'; 4], [-7; 4], [7; 4]);
            let mut out =
                Cells { status: &mut status, event_times: &mut event_times, bits: &mut bits };
            let wanted = Wanted {
                columns: &[0, 1, 2, 3],
                places: &[0, 1, 2, 3],
                newest: &[100; 4],
                bits: &[9; 4],
            };
            let moments = Moments { times: &times, limits: &limits };
            answer(&grid, wanted, moments, ('v', 'm'), &mut out).unwrap();
            (status, event_times, bits)
        });
        assert_eq!(told[0], told[1], "{t}");
    }
}

/// A place of which some cells are there and some are not was written in part by those who answer four at a
/// time, and left out by the others.
#[test]
fn a_place_that_is_there_in_part_is_written_in_part() {
    // Four columns of two revisions each.
    let bytes = [0, 128, 4, 0, 4, 1, 8, 9, 10, 0, 10, 0, 10, 0, 10, 0, 0, 2, 0, 0, 0, 0];
    let chunk = Chunk::decode(&bytes).unwrap();
    let mut starts = Starts::default();
    chunk.starts(&mut starts).unwrap();
    let grid = chunk.grid(&starts).unwrap();
    for (times, places) in [(1, [0, 1, 2, 3]), (3, [0, 1, 2, 3]), (3, [3, 1, 0, 2])] {
        let times: Vec<EventTime> = (0..times).map(EventTime).collect();
        let mut limits = Vec::new();
        grid.limits(&times, &mut limits);
        for (answer, cells) in
            ANSWERS.into_iter().flat_map(|one| (0..13).map(move |len| (one, len)))
        {
            let (mut status, mut event_times, mut bits) =
                (vec!['-'; cells], vec![-7; cells], vec![7; cells]);
            let mut out =
                Cells { status: &mut status, event_times: &mut event_times, bits: &mut bits };
            let wanted = Wanted {
                columns: &[0, 1, 2, 3],
                places: &places,
                newest: &[100; 4],
                bits: &[9; 4],
            };
            let moments = Moments { times: &times, limits: &limits };
            answer(&grid, wanted, moments, ('v', 'm'), &mut out).unwrap();
            let whole = cells.min(4 * times.len()) / times.len() * times.len();
            assert!(status[..whole].iter().all(|one| *one != '-'), "{places:?}, {cells} cells");
            let rest = (&status[whole..], &event_times[whole..], &bits[whole..]);
            let left = cells - whole;
            let as_it_was = (&vec!['-'; left][..], &vec![-7; left][..], &vec![7; left][..]);
            assert_eq!(rest, as_it_was, "{places:?}, {cells} cells");
        }
    }
}

/// What a moment says of all columns is so of one of them.
pub fn check_moment(chunk: &Chunk<'_>, numbers: &NumberColumn<'_>, t: EventTime) {
    let up_to = |t| numbers.up_to(&chunk.moment(t));
    let moment = chunk.moment(t);
    assert!(moment.up_to_of_all().is_none_or(|all| all == up_to(t)));
    assert_eq!(moment.up_to_of_all().is_some(), chunk.len_of_all().is_some());
    assert!(chunk.len_of_all().is_none_or(|all| all == numbers.len()));
    let Some(next) = chunk.changes_after(&moment) else {
        assert_eq!(up_to(EventTime::MAX), up_to(t));
        return;
    };
    assert!(next > t);
    assert_eq!(up_to(EventTime(next.0 - 1)), up_to(t));
    assert!(moment.up_to_of_all().is_none() || up_to(next) > up_to(t));
}

/// Whether who goes back through a column, by steps of any length, is told its revisions.
pub fn check_back(column: &Column<'_>, orders: &Orders<'_>, revisions: &[Revision]) {
    for step in 1..4 {
        let mut back = column.orders_back(orders);
        for (at, revision) in revisions.iter().enumerate().rev().step_by(step) {
            let version = back.version(at, column.event_time(at));
            assert_eq!(version, (revision.order, revision.source));
        }
    }
}
