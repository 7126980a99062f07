//! Everything that SPEC.md gives a form: what is written comes back, and stands in the order that
//! it says.
#![no_main]

use asofdb_format::batch::{BatchReader, Entry, EntryEncoder, EntryValue};
use asofdb_format::certificate::ErasureCertificate;
use asofdb_format::chunk::{self, Chunk, ColumnInput};
use asofdb_format::directory::{self, Directory};
use asofdb_format::edit;
use asofdb_format::frame::{self, FileEnd, FrameHead, FrameKind, Seed};
use asofdb_format::freshness::{FeatureFreshness, Freshness, Gauge, POINTS};
use asofdb_format::hash::EntityHash;
use asofdb_format::head::{self, Head, HistoryPlace};
use asofdb_format::header::{FileKind, HEADER_LEN, Header};
use asofdb_format::hint::{self, ChunkHint};
use asofdb_format::ids::{Commit, EventTime, FeatureId, FileNumber, KnownTime, StoreId};
use asofdb_format::ints::{self, Ints};
use asofdb_format::lines::{self, Lists};
use asofdb_format::meta::TableMeta;
use asofdb_format::revision::{Order, Payload, Revision};
use asofdb_format::timeline::{Step, Timeline};
use asofdb_format::value::Kind;
use asofdb_format::wire::{Reader, Writer as _};
use asofdb_fuzz::columns::{MOST, features, moment, numbers, payload, timeline};
use asofdb_fuzz::{certificates, records, tables};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

/// The hash of an entity, from SPEC.md 4.14 alone.
fn hash(entity: &[u8]) -> u64 {
    const M1: u64 = 0x9e37_79b9_7f4a_7c15;
    const M2: u64 = 0xbf58_476d_1ce4_e5b9;
    let mix = |mut x: u64| {
        x = (x ^ x >> 32).wrapping_mul(M1);
        x = (x ^ x >> 29).wrapping_mul(M2);
        x ^ x >> 32
    };
    entity.chunks(8).fold((entity.len() as u64).wrapping_mul(M1), |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash ^ u64::from_le_bytes(word))
    })
}

fn key(order: Order) -> (i64, i64, i64) {
    (order.event_time.0, order.known_time.0, order.commit.0)
}

fn edits(u: &mut Unstructured<'_>) -> Result<()> {
    let edits =
        (0..u.int_in_range(0..=6)?).map(|_| records::edit(u)).collect::<Result<Vec<_>>>()?;
    assert_eq!(edit::decode_all(&edit::encode_all(&edits)), Ok(edits));
    Ok(())
}

fn batches(u: &mut Unstructured<'_>) -> Result<()> {
    let mut head = records::batch_head(u)?;
    let mut written = Vec::new();
    for _ in 0..u.int_in_range(0..=12)? {
        let entity: Vec<u8> = match u.int_in_range(0..=4)? {
            0 => vec![u.arbitrary()?; u.int_in_range(1..=65_535)?],
            few => vec![few],
        };
        let kind = Kind::from_tag(u.int_in_range(0..=2)?).unwrap_or(Kind::Null);
        let raw = u.arbitrary()?;
        let payload = if kind == Kind::Value { payload(u, raw)? } else { Payload::None };
        let known = if u.arbitrary()? { Some(KnownTime(moment(u)?)) } else { None };
        let feature = FeatureId(u.arbitrary()?);
        written.push((entity, feature, EventTime(moment(u)?), known, kind, payload));
    }
    let entries: Vec<Entry<'_>> = written
        .iter()
        .map(|(entity, feature, event_time, known_time, kind, payload)| Entry {
            entity,
            feature: *feature,
            event_time: *event_time,
            known_time: *known_time,
            kind: *kind,
            value: match payload {
                Payload::None => EntryValue::None,
                Payload::Bits(bits) => EntryValue::Bits(*bits),
                Payload::Raw(raw) => EntryValue::Raw(raw),
            },
        })
        .collect();
    let mut encoder = EntryEncoder::default();
    entries.iter().for_each(|entry| encoder.push(entry));
    head.entries = encoder.entries();
    let bytes = [head.encode(), encoder.as_bytes().to_vec()].concat();
    let mut reader = BatchReader::decode(&bytes).unwrap();
    assert_eq!(reader.head, head);
    for entry in &entries {
        assert_eq!(reader.next_entry(), Ok(Some(entry.clone())));
    }
    assert_eq!(reader.next_entry(), Ok(None));
    Ok(())
}

fn metadata(u: &mut Unstructured<'_>) -> Result<()> {
    let meta = records::table_meta(u)?;
    assert_eq!(TableMeta::decode(&meta.encode()), Ok(meta));
    Ok(())
}

/// Revisions of a column ascend by (e, κ, c) as numbers, and a search by event time agrees.
fn columns(u: &mut Unstructured<'_>) -> Result<()> {
    let features = features(u)?;
    let t = EventTime(moment(u)?);
    let inputs: Vec<ColumnInput<'_>> = features
        .iter()
        .map(|(feature, revisions)| ColumnInput {
            feature: *feature,
            numbers: numbers(),
            revisions,
        })
        .collect();
    let (mut out, mut heap) = (Vec::new(), Vec::new());
    let timeline = timeline(u, &features)?;
    if !timeline.is_empty() {
        assert_eq!(Timeline::decode(&timeline.encode()).as_ref(), Ok(&timeline));
    }
    chunk::encode(&inputs, &timeline, &mut out, &mut heap);
    let chunk = Chunk::decode(&out).unwrap();
    let told = chunk.orders(&timeline).unwrap();
    for (index, (feature, revisions)) in features.iter().enumerate() {
        assert_eq!((chunk.feature(index), chunk.find(*feature, 0)), (*feature, Ok(index)));
        let column = chunk.column(index).unwrap();
        let orders: Vec<_> = (0..column.len()).map(|index| column.order(&told, index)).collect();
        assert!(orders.windows(2).all(|pair| key(pair[0]) < key(pair[1]) && pair[0] < pair[1]));
        assert!(orders.iter().copied().eq(revisions.iter().map(|revision| revision.order)));
        let up_to = orders.iter().filter(|order| order.event_time <= t).count();
        assert_eq!(column.up_to(t), up_to);
    }
    let newest: Vec<(FeatureId, &Revision)> =
        features.iter().map(|(id, revisions)| (*id, &revisions[revisions.len() - 1])).collect();
    let (mut out, mut far) = (Vec::new(), Vec::new());
    head::encode(b"e", &newest, HistoryPlace::default(), &timeline, (&mut out, &mut far));
    let head = Head::decode(&out).unwrap();
    let top = newest.iter().map(|(_, revision)| revision.order.event_time).max();
    assert_eq!(Some(head.top_time()), top);
    for id in [0, 5, u32::MAX].map(FeatureId).into_iter().chain(newest.iter().map(|(id, _)| *id)) {
        assert_eq!(head.find(id, 0), newest.binary_search_by_key(&id, |(own, _)| *own));
    }
    Ok(())
}

/// Rows of a table ascend by (hash, entity), the hash as SPEC.md has it, and all come back.
fn whole_tables(u: &mut Unstructured<'_>) -> Result<()> {
    let rows = tables::rows(u)?;
    for (entity, _) in &rows {
        assert_eq!(EntityHash::of(entity).0, hash(entity));
    }
    let (bytes, finished) = tables::write(&rows);
    let layout = tables::layout_of(&bytes).unwrap();
    let found = tables::read(&bytes, &layout).unwrap();
    let keys: Vec<_> = found.iter().map(|(entity, _)| (hash(entity), entity)).collect();
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?}");
    assert_eq!(keys.first().map(|key| key.0).unwrap_or(u64::MAX), finished.meta.min_hash.0);
    assert_eq!(keys.last().map(|key| key.0).unwrap_or(0), finished.meta.max_hash.0);
    assert_eq!(found, rows);
    Ok(())
}

/// Numbers and bytes of SPEC.md 4.1, and the header of 4.3.
fn small_things(u: &mut Unstructured<'_>) -> Result<()> {
    let (number, signed): (u64, i64) = (u.arbitrary()?, u.arbitrary()?);
    let number = number >> u.int_in_range(0..=63)?;
    let signed = signed >> u.int_in_range(0..=63)?;
    let text: String = u.arbitrary()?;
    let mut out = Vec::new();
    out.put_varint(number);
    let seven_bits_each = (u64::BITS - number.leading_zeros()).div_ceil(7).max(1);
    assert_eq!(out.len(), seven_bits_each as usize);
    out.put_zigzag(signed);
    out.put_varint((signed << 1 ^ signed >> 63).cast_unsigned());
    out.put_bytes(text.as_bytes());
    let mut reader = Reader::new(&out);
    assert_eq!((reader.varint(), reader.zigzag()), (Ok(number), Ok(signed)));
    assert_eq!((reader.zigzag(), reader.text()), (Ok(signed), Ok(text.as_str())));
    assert_eq!(reader.end(), Ok(()));
    let kinds = [FileKind::Current, FileKind::Manifest, FileKind::Log, FileKind::Table];
    let kind = *u.choose(&kinds)?;
    let (store, file) = (StoreId(u.arbitrary()?), FileNumber(u.arbitrary()?));
    let header = Header::new(kind, store, file, u.arbitrary()?);
    let bytes = header.encode();
    assert_eq!((bytes.len(), Header::decode(&bytes)), (HEADER_LEN, Ok(header)));
    Ok(())
}

/// Frames behind a header, with the sums of SPEC.md 4.4.
fn frames(u: &mut Unstructured<'_>) -> Result<()> {
    let (store, number) = (StoreId(u.arbitrary()?), FileNumber(u.arbitrary()?));
    let seed = Seed::of(store, number);
    let mut file = vec![0; HEADER_LEN];
    let mut written = Vec::new();
    for _ in 0..u.int_in_range(0..=4)? {
        let start = file.len();
        let kind = if u.arbitrary()? { FrameKind::Batch } else { FrameKind::Edit };
        let synced = u.int_in_range(0..=start as u64)?;
        let commit = Commit(moment(u)?);
        let head = FrameHead { kind, commit, synced, ceiling: Commit(moment(u)?) };
        let payload: Vec<u8> = u.arbitrary()?;
        frame::encode(&head, &[&payload], seed, start as u64, &mut file);
        let bound = [&store.0[..], &number.0.to_le_bytes(), &start.to_le_bytes()].concat();
        let sum = |end: usize| crc32fast::hash(&[&bound, &file[start + 8..end]].concat());
        let sums = [sum(start + frame::FRAME_HEAD_LEN), sum(file.len())].map(u32::to_le_bytes);
        assert_eq!(file[start..start + 8], sums.concat());
        written.push((start as u64, head, payload));
    }
    let (frames, end) = frame::decode_all(&file, HEADER_LEN, seed);
    let told = frames.iter().map(|frame| (frame.start, frame.head, frame.payload));
    let written = written.iter().map(|(start, head, payload)| (*start, *head, payload.as_slice()));
    assert!(end == FileEnd::Whole && told.eq(written));
    Ok(())
}

/// Rows of a directory ascend by hash, and each is in the bucket of SPEC.md 4.8.
fn directories(u: &mut Unstructured<'_>) -> Result<()> {
    let near = u.arbitrary::<u64>()?;
    let mut rows: Vec<(EntityHash, u32)> = Vec::new();
    for _ in 0..u.int_in_range(0..=40)? {
        let far = u.arbitrary::<u64>()? >> u.int_in_range(0..=63)?;
        rows.push((EntityHash(near.wrapping_add(far)), u.arbitrary()?));
    }
    rows.sort_unstable();
    let mut out = Vec::new();
    directory::encode(&rows, &mut out);
    let directory = Directory::decode(&out[..directory::FIXED_LEN], out.len() as u64).unwrap();
    assert_eq!(directory.rows(), rows.len());
    let (base, shift) = (rows.first().map_or(0, |row| row.0.0), out[8]);
    let mut before = 0;
    for (row, (hash, head)) in rows.iter().enumerate() {
        let at = directory.row_at(row);
        assert_eq!(Directory::row(&out[at..at + 8]), (hash.0 as u32, *head));
        let bucket = (hash.0 - base) >> shift;
        let place = directory::FIXED_LEN + 4 * bucket as usize;
        assert_eq!(directory.bucket(*hash), Some(place));
        let (from, to) = directory.bounds(&out[place..place + 8]).unwrap();
        assert!((from..to).contains(&row) && before <= from);
        before = from;
    }
    Ok(())
}

/// What tells how fresh features are: points ascend, and of many are those of SPEC.md 4.15.
fn freshness(u: &mut Unstructured<'_>) -> Result<()> {
    const THOUSANDTHS: [usize; POINTS] = [
        0, 1, 2, 5, 10, 20, 30, 40, 50, 75, 100, 125, 150, 200, 250, 300, 350, 400, 450, 500, 550,
        600, 650, 700, 750, 800, 850, 900, 950, 975, 990, 999, 1000,
    ];
    let mut gauge = Gauge::default();
    let mut wanted = Vec::new();
    let mut id = FeatureId(0);
    for _ in 0..u.int_in_range(0..=3)? {
        id = FeatureId(id.0 + u.int_in_range(1..=1 << 20)?);
        let newest_known = KnownTime(moment(u)?);
        gauge.known(id, newest_known);
        let mut times = Vec::new();
        for _ in 0..u.int_in_range(0..=60)? {
            times.push(EventTime(moment(u)?));
        }
        times.iter().for_each(|time| gauge.newest(id, *time, Kind::Value));
        gauge.newest(id, EventTime(moment(u)?), Kind::Deleted);
        times.sort_unstable();
        let (entities, last) = (times.len() as u64, times.len().saturating_sub(1));
        let points = if times.len() <= POINTS {
            times
        } else {
            THOUSANDTHS.map(|part| times[part * last / 1000]).to_vec()
        };
        wanted.push((id, FeatureFreshness { newest_known, entities, points }));
    }
    let freshness = gauge.finish();
    assert_eq!(freshness.features, wanted);
    assert_eq!(Freshness::decode(&freshness.encode()), Ok(freshness));
    Ok(())
}

/// Steps of a timeline ascend by event time and by commit.
fn timelines(u: &mut Unstructured<'_>) -> Result<()> {
    let mut lists = [Vec::new(), Vec::new()];
    let len = u.int_in_range(1..=40)?;
    for list in &mut lists {
        for _ in 0..len {
            list.push(moment(u)?);
        }
        list.sort_unstable();
        list.dedup();
    }
    let [times, commits] = &lists;
    let steps = times.iter().zip(commits);
    let steps: Vec<Step> = steps
        .map(|(from, commit)| Step { commit: Commit(*commit), from: EventTime(*from) })
        .collect();
    let timeline = Timeline::of(steps.clone(), MOST);
    assert!(timeline.steps().eq(steps), "all of them ascend");
    assert_eq!(Timeline::decode(&timeline.encode()), Ok(timeline));
    Ok(())
}

/// A hint tells the lines of SPEC.md 4.17 that hold a byte of the chunk.
fn hints(u: &mut Unstructured<'_>) -> Result<()> {
    let mut hints = Vec::new();
    for _ in 0..u.int_in_range(0..=9)? {
        let start = u.arbitrary::<u64>()? >> u.int_in_range(0..=63)?;
        let chunk_len = u.arbitrary::<u32>()? >> u.int_in_range(0..=31)?;
        let hint = ChunkHint::of(HistoryPlace { start, chunk_len, heap_len: u.arbitrary()? });
        let is_told = chunk_len > 0 && start < 1 << 32;
        let last = (start / 64, start.saturating_add(u64::from(chunk_len)).saturating_sub(1) / 64);
        let lines = (last.1.saturating_sub(last.0) + 1).min(63);
        assert_eq!(u64::from(hint.0), if is_told { last.0 << 6 | lines } else { 0 });
        assert_eq!(hint.is_empty(), !is_told);
        if is_told {
            assert_eq!(hint.start(), start / 64 * 64);
            assert_eq!(hint.len(), (lines < 63).then_some(64 * lines as usize));
        }
        hints.push(hint);
    }
    let bytes = hint::encode(&hints);
    assert!(hint::is_of_length(bytes.len() as u64, hints.len()));
    let words = bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    assert!(words.eq(hints.iter().map(|hint| hint.0)));
    Ok(())
}

/// Integers, and several lists of them with one head (SPEC.md 4.11).
fn integers(u: &mut Unstructured<'_>) -> Result<()> {
    let mut counts = Vec::new();
    let mut all = Vec::new();
    for _ in 0..u.int_in_range(1..=5)? {
        counts.push(u.int_in_range(1..=12)?);
        for _ in 0..counts[counts.len() - 1] {
            all.push(moment(u)?);
        }
    }
    let (mut one, mut several) = (Vec::new(), Vec::new());
    ints::encode(&all, &mut one);
    lines::encode(Lists { all: &all, counts: &counts }, &mut several);
    let (mut one, mut several) = (Reader::new(&one), Reader::new(&several));
    let column = Ints::decode(&mut one, all.len()).unwrap();
    let lists = Ints::decode(&mut several, all.len()).unwrap();
    assert!(column.iter().eq(all.iter().copied()));
    let within = counts.iter().flat_map(|count| 0..*count);
    for (place, index) in within.enumerate() {
        assert_eq!(lists.at(index, place), all[place]);
    }
    assert_eq!((one.left(), several.left()), (0, 0));
    Ok(())
}

/// Certificates of erases, as SPEC.md 14 has them.
fn certificate(u: &mut Unstructured<'_>) -> Result<()> {
    let certificate = certificates::certificate(u)?;
    let text = certificate.encode();
    let hashes = text.lines().filter(|line| line.starts_with("erased "));
    let hashes: Vec<_> = hashes.map(|line| line.rsplit_once(' ')).collect();
    assert!(hashes.is_sorted_by_key(|line| line.map(|(_, hash)| hash)));
    assert_eq!(ErasureCertificate::decode(text.as_bytes()), Ok(certificate));
    Ok(())
}

fn one(u: &mut Unstructured<'_>) -> Result<()> {
    match u.int_in_range(0..=13)? {
        0 => edits(u),
        1 => batches(u),
        2 => metadata(u),
        3 => columns(u),
        4 => whole_tables(u),
        5 => small_things(u),
        6 => frames(u),
        7 => directories(u),
        8 => freshness(u),
        9 => timelines(u),
        10 => hints(u),
        11 => integers(u),
        12 => certificate(u),
        _ => {
            let entity = u.bytes(u.len())?;
            assert_eq!(EntityHash::of(entity).0, hash(entity));
            Ok(())
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let _ = one(&mut Unstructured::new(bytes));
});
