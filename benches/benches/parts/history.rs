//! History rows: the versions of 20 features of an entity at a moment. Where the numbers of a chunk lie side
//! by side, as those of short histories do, reads take four columns at a time if the processor can. What is
//! told column by column is the same, and what it costs stands beside it. Of other chunks they take the
//! numbers of one column after another, and of columns of any type the places of the values.

use std::hint::black_box;

use asofdb::{EventTime, FeatureId};
use asofdb_format::chunk::{self, Cells, Chunk, ColumnInput, Moments, Starts, Walk, Wanted};
use asofdb_format::ints::Limit;
use asofdb_format::revision::{Payload, Revision};
use asofdb_format::timeline::Timeline;
use asofdb_format::values::{Numbers, Place};
use criterion::Criterion;

use self::doors::ANSWERS;
use crate::data::{moment, revision, revisions, time, walk};

#[path = "../../../format/tests/table/doors.rs"]
mod doors;

const FEATURES: usize = 20;
const COLUMNS: [u32; FEATURES] =
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19];

/// The ways of [`ANSWERS`].
const WAYS: [&str; 2] = ["column by column", "four columns at a time"];

/// What a version that there is and one that there is not are told as.
const STATES: (char, char) = ('v', '-');

/// A chunk, and the newest versions, which are not in it.
struct History {
    versions: u64,
    columns: Vec<Vec<Revision>>,
    newest: Vec<i64>,
    bits: Vec<u64>,
    bytes: Vec<u8>,
}

/// What is told of 20 features at some moments.
#[derive(PartialEq, Debug)]
struct Told {
    status: Vec<char>,
    event_times: Vec<i64>,
    bits: Vec<u64>,
}

pub fn bench(criterion: &mut Criterion) {
    if !has_avx2() {
        println!("this processor has no AVX2: four columns at a time are column by column");
    }
    for (name, versions, are_shared) in [
        ("9 versions", 9, false),
        ("9 versions at the same times", 9, true),
        ("999 versions", 999, false),
    ] {
        let history = History::new(versions, are_shared);
        history.verify();
        rows(criterion, name, &history);
        let input = history.input();
        criterion.bench_function(&format!("chunk of 20 features, {name}"), |b| {
            b.iter(|| {
                let (mut bytes, mut heap) = (Vec::new(), Vec::new());
                chunk::encode(black_box(&input), &Timeline::none(), &mut bytes, &mut heap);
                bytes.len()
            });
        });
    }
}

fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

fn rows(criterion: &mut Criterion, name: &str, history: &History) {
    let hours = history.versions + 1;
    let mut group = criterion.benchmark_group(format!("history row of 20 features, {name}"));
    let mut n = 0;
    group.bench_function("places of the values, one by one", |b| {
        b.iter(|| {
            n += 1;
            history.places(moment(n, hours), |found| {
                black_box(found);
            });
        });
    });
    group.bench_function("numbers, one by one", |b| {
        b.iter(|| {
            n += 1;
            history.numbers(moment(n, hours), |found| {
                black_box(found);
            });
        });
    });
    let chunk = Chunk::decode(&history.bytes).unwrap();
    if !chunk.has_grid() {
        return;
    }
    for (way, answer) in WAYS.iter().zip(ANSWERS) {
        let (mut starts, mut limits) = (Starts::default(), Vec::new());
        let mut told = Told::new(1);
        group.bench_function(format!("side by side, {way}"), |b| {
            b.iter(|| {
                n += 1;
                let times = [moment(n, hours)];
                let chunk = Chunk::decode(black_box(&history.bytes)).unwrap();
                chunk.starts(&mut starts).unwrap();
                let grid = chunk.grid(&starts).unwrap();
                grid.limits(&times, &mut limits);
                let moments = Moments { times: &times, limits: &limits };
                answer(&grid, history.wanted(), moments, STATES, &mut told.cells()).unwrap();
            });
        });
    }
    group.finish();
    // The one thing that differs, without what both begin with.
    let mut group = criterion.benchmark_group(format!("numbers of 20 features, {name}"));
    let mut starts = Starts::default();
    chunk.starts(&mut starts).unwrap();
    let grid = chunk.grid(&starts).unwrap();
    for rows in [1, 4] {
        let asked: Vec<(Vec<EventTime>, Vec<Limit>)> = (0..1_024)
            .map(|n| {
                let times: Vec<_> = (0..rows).map(|row| moment(n * rows + row, hours)).collect();
                let mut limits = Vec::new();
                grid.limits(&times, &mut limits);
                (times, limits)
            })
            .collect();
        let mut told = Told::new(rows as usize);
        for (way, answer) in WAYS.iter().zip(ANSWERS) {
            let mut asked = asked.iter().cycle();
            group.bench_function(format!("moments {rows}, {way}"), |b| {
                b.iter(|| {
                    let (times, limits) = asked.next().unwrap();
                    let moments = Moments { times, limits };
                    answer(&grid, history.wanted(), moments, STATES, &mut told.cells()).unwrap();
                });
            });
        }
    }
    group.finish();
}

impl History {
    fn new(versions: u64, are_shared: bool) -> Self {
        let all = |feature| match are_shared {
            false => revisions(feature, versions + 1),
            true => (0..=versions)
                .zip(walk(feature, versions + 1))
                .map(|(version, value)| revision(time(0, version), Payload::Bits(value.to_bits())))
                .collect(),
        };
        let mut columns: Vec<Vec<Revision>> = (0..FEATURES as u64).map(all).collect();
        let newest: Vec<Revision> = columns.iter_mut().map(|all| all.pop().unwrap()).collect();
        let mut history = Self {
            versions,
            columns,
            newest: newest.iter().map(|newest| newest.order.event_time.0).collect(),
            bits: newest.iter().map(bits).collect(),
            bytes: Vec::new(),
        };
        let (mut bytes, mut heap) = (Vec::new(), Vec::new());
        chunk::encode(&history.input(), &Timeline::none(), &mut bytes, &mut heap);
        assert!(heap.is_empty());
        history.bytes = bytes;
        history
    }

    fn input(&self) -> Vec<ColumnInput<'_>> {
        (0..)
            .map(FeatureId)
            .zip(&self.columns)
            .map(|(feature, revisions)| ColumnInput { feature, numbers: Numbers::F64, revisions })
            .collect()
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { columns: &COLUMNS, places: &COLUMNS, newest: &self.newest, bits: &self.bits }
    }

    /// Where each column's version at a moment is.
    fn places(&self, t: EventTime, mut told: impl FnMut(Option<(EventTime, Place)>)) {
        let chunk = Chunk::decode(black_box(&self.bytes)).unwrap();
        let mut walk = Walk::default();
        for index in 0..FEATURES {
            let column = chunk.column_with(index, &mut walk).unwrap();
            let at = column.up_to(t).checked_sub(1);
            told(at.map(|at| (column.event_time(at), column.place(at).unwrap())));
        }
    }

    /// The number of each column's version at a moment.
    fn numbers(&self, t: EventTime, mut told: impl FnMut(Option<(EventTime, u64)>)) {
        let chunk = Chunk::decode(black_box(&self.bytes)).unwrap();
        let (moment, mut walk) = (chunk.moment(t), Walk::default());
        for index in 0..FEATURES {
            let column = chunk.numbers(index, &mut walk).unwrap().unwrap();
            let at = column.up_to(&moment).checked_sub(1);
            told(at.map(|at| (column.event_time(at), column.bits(at))));
        }
    }

    /// All versions, and whether each way tells the right ones at some moments.
    fn verify(&self) {
        let chunk = Chunk::decode(&self.bytes).unwrap();
        let timeline = Timeline::none();
        let orders = chunk.orders(&timeline).unwrap();
        for (index, revisions) in self.columns.iter().enumerate() {
            let column = chunk.column(index).unwrap();
            assert_eq!(column.len(), revisions.len());
            for (at, revision) in revisions.iter().enumerate() {
                assert_eq!(column.order(&orders, at), revision.order);
                assert_eq!(column.place(at).unwrap(), Place::Bits(bits(revision)));
            }
        }
        for t in (0..500).map(|n| moment(n, self.versions + 2)) {
            let told = |index: usize| {
                let older = newest_at(&self.columns[index], t);
                older.map(|it| (it.order.event_time, bits(it)))
            };
            let (mut places, mut numbers) = (0.., 0..);
            self.places(t, |found| {
                let told = told(places.next().unwrap());
                assert_eq!(found, told.map(|(at, bits)| (at, Place::Bits(bits))));
            });
            self.numbers(t, |found| assert_eq!(found, told(numbers.next().unwrap())));
            assert_eq!((places.next(), numbers.next()), (Some(FEATURES), Some(FEATURES)));
        }
        assert_eq!(chunk.has_grid(), self.versions < 100);
        if chunk.has_grid() {
            self.verify_side_by_side(&chunk);
        }
    }

    fn verify_side_by_side(&self, chunk: &Chunk<'_>) {
        let (mut starts, mut limits) = (Starts::default(), Vec::new());
        chunk.starts(&mut starts).unwrap();
        let grid = chunk.grid(&starts).unwrap();
        for (n, rows) in (0..500).map(|n| (n, 1)).chain((500..600).map(|n| (n, 4))) {
            let times: Vec<_> =
                (0..rows).map(|row| moment(n * 4 + row, self.versions + 2)).collect();
            grid.limits(&times, &mut limits);
            let expected = self.expected(&times);
            for answer in ANSWERS {
                let mut told = Told::new(times.len());
                let moments = Moments { times: &times, limits: &limits };
                answer(&grid, self.wanted(), moments, STATES, &mut told.cells()).unwrap();
                assert_eq!(told, expected);
            }
        }
    }

    fn expected(&self, times: &[EventTime]) -> Told {
        let mut told = Told::new(0);
        for (index, revisions) in self.columns.iter().enumerate() {
            for t in times {
                let newest =
                    (self.newest[index] <= t.0).then(|| (self.newest[index], self.bits[index]));
                let older = || newest_at(revisions, *t).map(|it| (it.order.event_time.0, bits(it)));
                let found = newest.or_else(older);
                let (event_time, bits) = found.unwrap_or_default();
                told.status.push(if found.is_some() { STATES.0 } else { STATES.1 });
                told.event_times.push(event_time);
                told.bits.push(bits);
            }
        }
        told
    }
}

impl Told {
    fn new(rows: usize) -> Self {
        let cells = FEATURES * rows;
        Self { status: vec![' '; cells], event_times: vec![0; cells], bits: vec![0; cells] }
    }

    fn cells(&mut self) -> Cells<'_, char> {
        let Self { status, event_times, bits } = self;
        Cells { status, event_times, bits }
    }
}

fn bits(revision: &Revision) -> u64 {
    match revision.payload {
        Payload::Bits(bits) => bits,
        _ => panic!("each revision is a number"),
    }
}

fn newest_at(revisions: &[Revision], t: EventTime) -> Option<&Revision> {
    revisions.iter().rev().find(|revision| revision.order.event_time <= t)
}
