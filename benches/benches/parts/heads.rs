//! Head rows: the newest versions of 20 features of an entity, in each form that numbers have there.

use std::hint::black_box;

use asofdb::FeatureId;
use asofdb_format::head::{self, Head, HistoryPlace, Slot};
use asofdb_format::revision::{Payload, Revision};
use asofdb_format::timeline::Timeline;
use bytes::Bytes;
use criterion::Criterion;

use crate::data::{mix, revision, time, walk};

const FEATURES: usize = 20;

fn heads() -> Vec<(&'static str, Vec<Revision>)> {
    let decimal = |n| Payload::Bits(walk(n, 10)[9].to_bits());
    let double = |n| Payload::Bits((mix(n) >> 2) | 1 << 61);
    let mixed = |n| if n % 2 == 0 { decimal(n) } else { Payload::Bits(mix(n) % 1_000) };
    let words = |n| Payload::Raw(Bytes::from(format!("segment {}", mix(n) % 30)));
    let of = |payload: &dyn Fn(u64) -> Payload| {
        (0..FEATURES as u64).map(|n| revision(time(n, 9), payload(n))).collect()
    };
    vec![
        ("decimals, in four bytes each", of(&decimal)),
        ("decimals and integers, in four bytes each", of(&mixed)),
        ("doubles", of(&double)),
        ("words", of(&words)),
    ]
}

pub fn bench(criterion: &mut Criterion) {
    for (name, newest) in heads() {
        let newest: Vec<(FeatureId, &Revision)> = (0..).map(FeatureId).zip(&newest).collect();
        let entity = 7u64.to_le_bytes();
        let write = || {
            let (mut bytes, mut far) = (Vec::new(), Vec::new());
            let (place, timeline) = (HistoryPlace::default(), Timeline::none());
            head::encode(&entity, &newest, place, &timeline, (&mut bytes, &mut far));
            (bytes, far)
        };
        let (bytes, far) = write();
        verify(&bytes, &newest);
        assert!(far.is_empty());
        let mut group = criterion.benchmark_group(format!("head row of 20 features, {name}"));
        group.bench_function("written", |b| b.iter(write));
        if name == "words" {
            group.bench_function("read", |b| {
                b.iter(|| {
                    let head = Head::decode(black_box(&bytes)).unwrap();
                    for index in 0..FEATURES {
                        black_box(head.raw(index).unwrap());
                    }
                });
            });
            continue;
        }
        group.bench_function("read, feature by feature", |b| {
            b.iter(|| {
                let head = Head::decode(black_box(&bytes)).unwrap();
                let mut sum = 0u64;
                let mut from = 0;
                for (id, _) in &newest {
                    let index = head.find(*id, from).unwrap();
                    sum ^= head.bits(index) ^ head.event_time(index).0.cast_unsigned();
                    from = index + 1;
                }
                sum
            });
        });
        group.bench_function("read at once", |b| {
            b.iter(|| {
                let head = Head::decode(black_box(&bytes)).unwrap();
                let (mut times, mut numbers) = ([0; FEATURES], [0; FEATURES]);
                head.event_times_into(&mut times);
                head.bits_into(&mut numbers);
                (times, numbers)
            });
        });
        group.finish();
    }
}

fn verify(bytes: &[u8], newest: &[(FeatureId, &Revision)]) {
    let head = Head::decode(bytes).unwrap();
    let (mut times, mut numbers) = ([0; FEATURES], [0; FEATURES]);
    head.event_times_into(&mut times);
    head.bits_into(&mut numbers);
    assert_eq!((head.entity(), head.len()), (&7u64.to_le_bytes()[..], newest.len()));
    for (index, (id, revision)) in newest.iter().enumerate() {
        assert_eq!(head.find(*id, 0), Ok(index));
        assert_eq!(head.order(index, &Timeline::none()).unwrap(), revision.order);
        assert_eq!(times[index], revision.order.event_time.0);
        match &revision.payload {
            Payload::Bits(bits) => assert_eq!((head.bits(index), numbers[index]), (*bits, *bits)),
            Payload::Raw(raw) => {
                let Slot::Near { start, end } = head.raw(index).unwrap() else {
                    panic!("a short text lies far away");
                };
                assert_eq!(&bytes[start as usize..end as usize], raw);
            }
            Payload::None => panic!("each feature has a value"),
        }
    }
}
