//! Columns of values of each type.

use std::hint::black_box;

use asofdb_format::revision::Payload;
use asofdb_format::values::{self, Numbers, Place, Values, decompress};
use asofdb_format::wire::Reader;
use bytes::Bytes;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};

use crate::data::{mix, walk};

const COUNT: u64 = 1_000;

/// A column: what it is called, how its numbers may be written, its values.
type Column = (&'static str, Numbers, Vec<Payload>);

fn columns() -> Vec<Column> {
    let bits = |number: &dyn Fn(u64) -> u64| (0..COUNT).map(number).map(Payload::Bits).collect();
    let raw = |value: &dyn Fn(u64) -> Vec<u8>| {
        (0..COUNT).map(|n| Payload::Raw(Bytes::from(value(n)))).collect()
    };
    let walk = walk(3, COUNT);
    let short = |n: u64| f32::from(i16::try_from(mix(n) % 10_000).unwrap()) / 100.0;
    vec![
        ("decimals", Numbers::F64, bits(&|n| walk[n as usize].to_bits())),
        ("doubles", Numbers::F64, bits(&|n| mix(n) >> 2)),
        ("decimals of 32 bits", Numbers::F32, bits(&|n| u64::from(short(n).to_bits()))),
        ("floats of 32 bits", Numbers::F32, bits(&|n| mix(n) >> 34)),
        ("integers", Numbers::Plain, bits(&|n| mix(n) % 5_000)),
        ("booleans", Numbers::Plain, bits(&|n| mix(n) % 2)),
        ("words", Numbers::Plain, raw(&|n| format!("segment {}", mix(n) % 30).into_bytes())),
        ("one word again and again", Numbers::Plain, raw(&|_| b"segment 7".to_vec())),
        ("texts of 300 bytes", Numbers::Plain, raw(&text)),
        ("vectors of 64", Numbers::Plain, raw(&vector)),
    ]
}

/// About 300 bytes, some of them the same in each.
fn text(n: u64) -> Vec<u8> {
    let fields =
        (0..12).map(|field| format!("\"field {field}\": {}, ", mix(n << 8 | field) % 9_999));
    fields.collect::<String>().into_bytes()
}

/// 64 floats from -1 to 1.
fn vector(n: u64) -> Vec<u8> {
    let one = |at| (mix(n << 8 | at) % 20_001) as f32 / 10_000.0 - 1.0;
    (0..64).flat_map(|at| one(at).to_le_bytes()).collect()
}

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("1,000 values");
    group.throughput(Throughput::Elements(COUNT));
    for (name, numbers, column) in columns() {
        bench_one(&mut group, name, numbers, &column);
    }
    group.finish();
    let mut group = criterion.benchmark_group("30 values");
    group.throughput(Throughput::Elements(30));
    let words = |n| Payload::Raw(Bytes::from(format!("segment {}", mix(n) % 30)));
    let words: Vec<Payload> = (0..30).map(words).collect();
    bench_one(&mut group, "words, in place", Numbers::Plain, &words);
    group.finish();
}

fn bench_one(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    numbers: Numbers,
    column: &[Payload],
) {
    let payloads: Vec<&Payload> = column.iter().collect();
    let write = || {
        let (mut bytes, mut heap) = (Vec::new(), Vec::new());
        values::encode(black_box(&payloads), numbers, &mut bytes, &mut heap);
        (bytes, heap)
    };
    let (bytes, heap) = write();
    let decoded = || Values::decode(&mut Reader::new(black_box(&bytes)), payloads.len()).unwrap();
    let values = decoded();
    for (index, payload) in column.iter().enumerate() {
        assert_eq!(at(&values, index, &bytes, &heap), *payload, "{name}");
    }
    group.bench_function(format!("{name}, encode"), |b| b.iter(write));
    group.bench_function(format!("{name}, place of all"), |b| {
        b.iter(|| {
            let values = decoded();
            for n in 0..payloads.len() {
                black_box(values.place(n).unwrap());
            }
        });
    });
    if !values.are_in_blocks() {
        return;
    }
    let lengths: usize = payloads.iter().map(|payload| payload.raw_len()).sum();
    assert_eq!(whole(&values, payloads.len(), &heap), lengths, "{name}");
    let mut n = 0;
    group.bench_function(format!("{name}, 1 out of its compressed block"), |b| {
        b.iter(|| {
            n += 1;
            at(&values, (mix(n) % COUNT) as usize, &bytes, &heap)
        });
    });
    group.bench_function(format!("{name}, all, each block once"), |b| {
        b.iter(|| whole(&values, payloads.len(), &heap));
    });
}

/// The value at an index, wherever it is.
fn at(values: &Values<'_>, index: usize, bytes: &[u8], heap: &[u8]) -> Payload {
    match values.place(index).unwrap() {
        Place::None => Payload::None,
        Place::Bits(bits) => Payload::Bits(bits),
        Place::InPlace { start, end } => Payload::Raw(Bytes::copy_from_slice(&bytes[start..end])),
        Place::Block(place) => {
            let block = &heap[place.block_start..place.block_end];
            let block = decompress(block, place.block_len).unwrap();
            Payload::Raw(block.slice(place.start..place.end))
        }
    }
}

/// Reads all values out of their blocks, and tells how long they are together.
fn whole(values: &Values<'_>, count: usize, heap: &[u8]) -> usize {
    let (mut last, mut block, mut from) = (None, Bytes::new(), usize::MAX);
    let mut sum = 0;
    for index in 0..count {
        let Place::Block(place) = values.place_near(index, &mut last).unwrap() else { continue };
        if from != place.block_start {
            from = place.block_start;
            block = decompress(&heap[from..place.block_end], place.block_len).unwrap();
        }
        sum += black_box(&block[place.start..place.end]).len();
    }
    sum
}
