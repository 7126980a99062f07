//! The way to an entity: its hash, the directory, the hint to its chunk.

use std::hint::black_box;

use asofdb_format::directory::{self, Directory, fingerprint};
use asofdb_format::hash::EntityHash;
use asofdb_format::head::HistoryPlace;
use asofdb_format::hint::{self, ChunkHint, HINT_LEN};
use criterion::Criterion;

use crate::data::mix;

const ENTITIES: u64 = 50_000;

fn key(n: u64) -> [u8; 8] {
    n.to_le_bytes()
}

pub fn bench(criterion: &mut Criterion) {
    probe(criterion);
    hints(criterion);
}

fn probe(criterion: &mut Criterion) {
    criterion.bench_function("hash of an entity of 8 bytes", |b| {
        b.iter(|| EntityHash::of(black_box(&key(7))));
    });
    let mut rows: Vec<(EntityHash, u32)> =
        (0u32..).zip(0..ENTITIES).map(|(n, entity)| (EntityHash::of(&key(entity)), n)).collect();
    rows.sort_unstable();
    assert!(rows.is_sorted_by(|one, next| one.0 < next.0), "two entities have one hash");
    let mut bytes = Vec::new();
    directory::encode(&rows, &mut bytes);
    let directory = Directory::decode(&bytes, bytes.len() as u64).unwrap();
    let find = |hash: EntityHash| {
        let at = directory.bucket(hash)?;
        let (from, to) = directory.bounds(&bytes[at..at + 8]).unwrap();
        (from..to).find_map(|row| {
            let at = directory.row_at(row);
            let (found, head) = Directory::row(&bytes[at..at + 8]);
            (found == fingerprint(hash)).then_some(head)
        })
    };
    let absent = |n: u64| EntityHash::of(&key(mix(n) | 1 << 40));
    for (n, entity) in (0u32..).zip(0..ENTITIES) {
        assert_eq!(find(EntityHash::of(&key(entity))), Some(n));
        assert_eq!(find(absent(entity)), None);
    }
    criterion.bench_function("directory of 50,000 entities, written", |b| {
        b.iter(|| {
            let mut bytes = Vec::new();
            directory::encode(black_box(&rows), &mut bytes);
            bytes.len()
        });
    });
    let mut n = 0;
    criterion.bench_function("directory probe, 50,000 entities", |b| {
        b.iter(|| {
            n += 1;
            find(EntityHash::of(&key(mix(n) % ENTITIES))).unwrap()
        });
    });
    criterion.bench_function("directory probe of an entity that is not there", |b| {
        b.iter(|| {
            n += 1;
            find(absent(n))
        });
    });
}

fn hints(criterion: &mut Criterion) {
    let mut start = 0;
    let places: Vec<HistoryPlace> = (0..ENTITIES)
        .map(|n| {
            let place = HistoryPlace { start, chunk_len: 100 + (mix(n) % 900) as u32, heap_len: 0 };
            start += u64::from(place.chunk_len);
            place
        })
        .collect();
    let write = || {
        let hints: Vec<ChunkHint> = black_box(&places).iter().map(|p| ChunkHint::of(*p)).collect();
        hint::encode(&hints)
    };
    let bytes = write();
    let (hints, _) = bytes.as_chunks::<HINT_LEN>();
    let read = |row: usize| {
        let hint = ChunkHint(u32::from_le_bytes(hints[row]));
        (hint.start(), hint.len())
    };
    assert_eq!(hints.len(), places.len());
    for (row, place) in places.iter().enumerate() {
        let (start, Some(len)) = read(row) else { panic!("a chunk of few lines has no length") };
        let chunk = place.start..place.start + u64::from(place.chunk_len);
        let told = start..start + len as u64;
        assert!(told.start <= chunk.start && chunk.end <= told.end && len <= 1_200, "{place:?}");
    }
    criterion.bench_function("hints of 50,000 chunks, written", |b| b.iter(write));
    let mut n = 0;
    criterion.bench_function("hint of a chunk, read", |b| {
        b.iter(|| {
            n += 1;
            read((mix(n) % ENTITIES) as usize)
        });
    });
}
