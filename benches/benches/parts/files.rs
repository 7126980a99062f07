//! What files are made of: frames of logs with the batches in them, checksums of pages.

use std::hint::black_box;

use asofdb::{EventTime, FeatureId};
use asofdb_format::batch::{BatchHead, BatchReader, Entry, EntryEncoder, EntryValue};
use asofdb_format::frame::{self, FileEnd, FrameHead, FrameKind, Seed};
use asofdb_format::ids::{Commit, FileNumber, StoreId};
use asofdb_format::pages::{self, PAGE_LEN, PageSums};
use asofdb_format::value::Kind;
use criterion::{Criterion, Throughput};

use crate::data::{mix, time};

const RECORDS: u64 = 1_000;

/// Where the frame begins in its file.
const AT: usize = 4_096;

pub fn bench(criterion: &mut Criterion) {
    log(criterion);
    page_sums(criterion);
}

fn entry(entity: &[u8; 8], n: u64) -> Entry<'_> {
    Entry {
        entity,
        feature: FeatureId((n % 20) as u32),
        event_time: EventTime(time(n, 3)),
        known_time: None,
        kind: Kind::Value,
        value: EntryValue::Bits(mix(n)),
    }
}

fn log(criterion: &mut Criterion) {
    let head = FrameHead {
        kind: FrameKind::Batch,
        commit: Commit(7),
        synced: 0,
        ceiling: Commit(1_000_000),
    };
    let seed = Seed::of(StoreId([7; 16]), FileNumber(3));
    let write = |out: &mut Vec<u8>| {
        let mut entries = EntryEncoder::default();
        (0..RECORDS).for_each(|n| entries.push(&entry(&(n / 20).to_le_bytes(), n)));
        let batch = BatchHead { entries: RECORDS, ..BatchHead::default() }.encode();
        frame::encode(&head, &[&batch, entries.as_bytes()], seed, AT as u64, out);
    };
    let read = |file: &[u8], each: &mut dyn FnMut(Entry<'_>)| {
        let (frames, end) = frame::decode_all(file, AT, seed);
        for frame in &frames {
            let mut batch = BatchReader::decode(frame.payload).unwrap();
            while let Some(entry) = batch.next_entry().unwrap() {
                each(entry);
            }
        }
        (frames.first().map(|frame| frame.head), frames.len(), end)
    };
    let mut file = vec![0; AT];
    write(&mut file);
    let mut n = 0u64;
    let found = read(&file, &mut |found| {
        assert_eq!(format!("{found:?}"), format!("{:?}", entry(&(n / 20).to_le_bytes(), n)));
        n += 1;
    });
    assert_eq!((n, found), (RECORDS, (Some(head), 1, FileEnd::Whole)));
    let mut rotten = file.clone();
    rotten[AT + 500] ^= 1;
    assert_eq!(read(&rotten, &mut |_| ()).1, 0, "rot is seen");
    let mut group = criterion.benchmark_group("log");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("frame of a batch of 1,000 records", |b| {
        b.iter(|| {
            let mut out = Vec::new();
            write(&mut out);
            out.len()
        });
    });
    group.bench_function("frame of a batch of 1,000 records, checked", |b| {
        b.iter(|| frame::decode_all(black_box(&file), AT, seed));
    });
    group.bench_function("frame of a batch of 1,000 records, checked and read", |b| {
        b.iter(|| {
            let mut sum = 0;
            let _ = black_box(read(black_box(&file), &mut |entry| {
                sum ^= entry.event_time.0;
            }));
            sum
        });
    });
    group.finish();
}

fn page_sums(criterion: &mut Criterion) {
    let bytes: Vec<u8> = (0..1 << 17).flat_map(|n| mix(n).to_le_bytes()).collect();
    let covered = bytes.len() as u64;
    let sum = || {
        let mut sums = PageSums::default();
        sums.update(black_box(&bytes));
        sums.finish()
    };
    let sums = sum();
    let page = |page| {
        let (start, end) = pages::page_range(page, covered);
        &bytes[start as usize..end as usize]
    };
    let pages = pages::page_count(covered);
    assert_eq!((pages, sums.len() as u64), (256, 4 * 256));
    for n in 0..pages {
        assert!(pages::page_is_whole(&sums, n, page(n)));
        let mut rotten = page(n).to_vec();
        rotten[(mix(n) % PAGE_LEN) as usize] ^= 1;
        assert!(!pages::page_is_whole(&sums, n, &rotten));
    }
    let mut group = criterion.benchmark_group("pages");
    group.throughput(Throughput::Bytes(covered));
    group.bench_function("checksums of 1 MiB, made", |b| b.iter(sum));
    group.throughput(Throughput::Bytes(PAGE_LEN));
    let mut n = 0;
    group.bench_function("page checked", |b| {
        b.iter(|| {
            n += 1;
            let at = mix(n) % pages;
            pages::page_is_whole(black_box(&sums), at, page(at))
        });
    });
    group.finish();
}
