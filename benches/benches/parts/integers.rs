//! Columns of integers in each of their forms, lists of them side by side, and timelines.

use std::hint::black_box;

use asofdb::EventTime;
use asofdb_format::ids::Commit;
use asofdb_format::ints::{self, Ints};
use asofdb_format::lines::{self, Lists};
use asofdb_format::timeline::{Step, Timeline};
use asofdb_format::wire::Reader;
use criterion::{Criterion, Throughput};

use crate::data::{HOUR, START, mix, moment, time};

const COUNT: u64 = 1_000;

pub fn bench(criterion: &mut Criterion) {
    columns(criterion);
    side_by_side(criterion);
    timeline(criterion);
}

fn columns(criterion: &mut Criterion) {
    let of = |number: &dyn Fn(u64) -> i64| (0..COUNT).map(number).collect::<Vec<i64>>();
    let mut group = criterion.benchmark_group("1,000 integers");
    group.throughput(Throughput::Elements(COUNT));
    for (name, numbers) in [
        ("scattered times", of(&|n| time(3, n))),
        ("regular times", of(&|n| (START + n * HOUR).cast_signed())),
        ("times to the second", of(&|n| time(3, n) / 1_000_000 * 1_000_000)),
        ("small ones without order", of(&|n| (mix(n) % 1_000).cast_signed())),
        ("one again and again", of(&|_| 77)),
        ("any at all", of(&|n| mix(n).cast_signed())),
    ] {
        let write = || {
            let mut bytes = Vec::new();
            ints::encode(black_box(&numbers), &mut bytes);
            bytes
        };
        let bytes = write();
        let decoded = || Ints::decode(&mut Reader::new(black_box(&bytes)), numbers.len()).unwrap();
        let mut reader = Reader::new(&bytes);
        assert_eq!(ints::decode_all(&mut reader, numbers.len()).unwrap(), numbers);
        assert_eq!(reader.position(), bytes.len());
        group.bench_function(format!("{name}, encode"), |b| b.iter(write));
        group.bench_function(format!("{name}, decode all"), |b| {
            b.iter(|| decoded().iter().fold(0i64, i64::wrapping_add));
        });
        if !numbers.is_sorted() || name == "one again and again" {
            continue;
        }
        for t in (0..COUNT).map(|n| moment(n, COUNT).0).chain(numbers.iter().copied()) {
            let up_to = numbers.iter().filter(|number| **number <= t).count();
            assert_eq!(decoded().partition_above(t), up_to);
        }
        let mut n = 0;
        group.bench_function(format!("{name}, search 1"), |b| {
            b.iter(|| {
                n += 1;
                decoded().partition_above(moment(n, COUNT).0)
            });
        });
    }
    group.finish();
}

/// Event times of 20 features of 50 versions each.
fn side_by_side(criterion: &mut Criterion) {
    const LISTS: usize = 20;
    const EACH: usize = 50;
    let lists: Vec<Vec<i64>> = (0..LISTS as u64)
        .map(|feature| (0..EACH as u64).map(|version| time(feature, version)).collect())
        .collect();
    let (all, counts) = (lists.concat(), [EACH; LISTS]);
    let write = || {
        let mut bytes = Vec::new();
        lines::encode(Lists { all: black_box(&all), counts: &counts }, &mut bytes);
        bytes
    };
    let bytes = write();
    let decoded = || Ints::decode(&mut Reader::new(black_box(&bytes)), all.len()).unwrap();
    let read = |each: &mut dyn FnMut(i64)| {
        let ints = decoded();
        for list in 0..LISTS {
            (0..EACH).for_each(|index| each(ints.at(index, list * EACH + index)));
        }
    };
    let search = |t: EventTime| {
        let ints = decoded();
        let limit = ints.limit(EACH, t.0);
        std::array::from_fn::<usize, LISTS, _>(|list| {
            ints.partition_within(list * EACH, EACH, &limit)
        })
    };
    let mut numbers = Vec::new();
    read(&mut |number| numbers.push(number));
    assert_eq!(numbers, all);
    for t in (0..1_000).map(|n| moment(n, EACH as u64 + 1)) {
        let up_to = |list: &Vec<i64>| list.iter().filter(|number| **number <= t.0).count();
        assert_eq!(search(t).to_vec(), lists.iter().map(up_to).collect::<Vec<_>>());
    }
    let mut group = criterion.benchmark_group("20 lists of 50 times");
    group.throughput(Throughput::Elements(all.len() as u64));
    group.bench_function("encode", |b| b.iter(write));
    group.bench_function("decode all", |b| {
        b.iter(|| {
            let mut sum = 0i64;
            read(&mut |number| sum = sum.wrapping_add(number));
            sum
        });
    });
    group.throughput(Throughput::Elements(LISTS as u64));
    let mut n = 0;
    group.bench_function("search each", |b| {
        b.iter(|| {
            n += 1;
            search(moment(n, EACH as u64 + 1))
        });
    });
    group.finish();
}

fn timeline(criterion: &mut Criterion) {
    const STEPS: u64 = 10_000;
    let step = |n| Step { commit: Commit(time(1, n) + 2_000_000), from: EventTime(time(1, n)) };
    let steps: Vec<Step> = (0..STEPS).map(step).collect();
    let timeline = Timeline::of(steps.clone(), usize::MAX);
    assert_eq!(timeline.steps().collect::<Vec<_>>(), steps);
    let bytes = timeline.encode();
    assert_eq!(Timeline::decode(&bytes).unwrap(), timeline);
    for t in (0..5_000).map(|n| moment(n, STEPS)) {
        let step = steps.iter().rev().find(|step| step.from <= t).unwrap_or(&steps[0]);
        assert_eq!(timeline.commit_of(t), Some(step.commit));
    }
    let mut group = criterion.benchmark_group("timeline of 10,000 steps");
    group.throughput(Throughput::Elements(STEPS));
    group.bench_function("encode", |b| b.iter(|| black_box(&timeline).encode()));
    group.bench_function("decode", |b| b.iter(|| Timeline::decode(black_box(&bytes)).unwrap()));
    group.throughput(Throughput::Elements(1));
    let mut n = 0;
    group.bench_function("commit of an event time", |b| {
        b.iter(|| {
            n += 1;
            timeline.commit_of(moment(n, STEPS))
        });
    });
    group.finish();
}
