//! Heads: any bytes are read without a panic; versions that were written come back.
#![no_main]

use asofdb_format::head::{self, Head, HeadShape, HistoryPlace, Slot};
use asofdb_format::ids::{Commit, EventTime, FeatureId};
use asofdb_format::revision::Payload;
use asofdb_format::timeline::{Step, Timeline};
use asofdb_fuzz::columns::{MOST, features, timeline};
use asofdb_fuzz::heap;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let features = features(u)?;
    let newest: Vec<_> =
        features.iter().map(|(id, revisions)| (*id, &revisions[revisions.len() - 1])).collect();
    let history =
        HistoryPlace { start: u.arbitrary()?, chunk_len: u.arbitrary()?, heap_len: u.arbitrary()? };
    let entity: Vec<u8> = u.arbitrary()?;
    let entity = &entity[..entity.len().min(65_535)];
    let (mut out, mut far) = (Vec::new(), vec![9; u.int_in_range(0..=9)?]);
    let timeline = timeline(u, &features)?;
    head::encode(entity, &newest, history, &timeline, (&mut out, &mut far));
    let head = Head::decode(&out).unwrap();
    assert_eq!((head.entity(), head.history(), head.len()), (entity, history, newest.len()));
    assert_eq!(HeadShape::decode(&out).unwrap().near_start(), head.near_start());
    for (index, (id, revision)) in newest.iter().enumerate() {
        assert_eq!(head.find(*id, 0), Ok(index));
        assert_eq!(head.order(index, &timeline), Ok(revision.order));
        assert_eq!(head.source(index), revision.source);
        assert_eq!(head.kind(index), Ok(revision.kind));
        match &revision.payload {
            Payload::None => {}
            Payload::Bits(bits) => assert_eq!(head.bits(index), *bits),
            Payload::Raw(raw) => {
                let found = match head.raw(index).unwrap() {
                    Slot::Near { start, end } => &out[start as usize..end as usize],
                    Slot::Far { start, end } => &far[start as usize..end as usize],
                };
                assert_eq!(found, raw);
            }
        }
    }
    Ok(())
}

fn read(bytes: &[u8]) {
    let step = Step { commit: Commit(7), from: EventTime(0) };
    let timeline = Timeline::of(vec![step], 1);
    let shape = HeadShape::decode(bytes);
    if let Ok(head) = Head::decode(bytes) {
        assert_eq!(shape.unwrap().near_start(), head.near_start());
        let (mut times, mut bits) = ([0; MOST], [0; MOST]);
        head.event_times_into(&mut times);
        head.bits_into(&mut bits);
        for index in 0..head.len().min(MOST) {
            let _ = (head.order(index, &timeline), head.order(index, &Timeline::none()));
            let _ = (head.kind(index), head.raw(index), head.source(index));
            assert_eq!((head.event_time(index).0, head.bits(index)), (times[index], bits[index]));
            let _ = head.find(head.feature(index), 0);
        }
        let _ = head.find(FeatureId(u32::MAX), 0);
    }
}

fuzz_target!(|bytes: &[u8]| {
    heap::bounded(bytes.len(), 1, || read(bytes));
    let _ = written(&mut Unstructured::new(bytes));
});
