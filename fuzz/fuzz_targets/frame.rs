//! Frames: any bytes are read without a panic; frames that were written come back; a cut file is a
//! torn one, with the frames before the cut.
#![no_main]

use asofdb_format::frame::{self, FileEnd, FrameHead, FrameKind, Seed};
use asofdb_format::ids::{Commit, FileNumber, StoreId};
use asofdb_fuzz::heap;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

fn written(u: &mut Unstructured<'_>, seed: Seed) -> Result<()> {
    let mut file = Vec::new();
    let mut heads = Vec::new();
    for _ in 0..u.int_in_range(0..=6)? {
        let kind = if u.arbitrary()? { FrameKind::Batch } else { FrameKind::Edit };
        // No frame tells of more than what stands before it.
        let synced = u.int_in_range(0..=file.len() as u64)?;
        let commit = Commit(u.arbitrary()?);
        let head = FrameHead { kind, commit, synced, ceiling: Commit(u.arbitrary()?) };
        let payload: Vec<u8> = u.arbitrary()?;
        let start = file.len();
        let (one, two) = payload.split_at(payload.len() / 2);
        frame::encode(&head, &[one, two], seed, start as u64, &mut file);
        heads.push((start, head, payload));
    }
    let (frames, end) = frame::decode_all(&file, 0, seed);
    assert_eq!(end, FileEnd::Whole);
    assert_eq!(frames.len(), heads.len());
    for (frame, (start, head, payload)) in frames.iter().zip(&heads) {
        assert_eq!((frame.start, &frame.head, frame.payload), (*start as u64, head, &payload[..]));
    }
    let cut = u.int_in_range(0..=file.len())?;
    let (frames, end) = frame::decode_all(&file[..cut], 0, seed);
    let whole = heads
        .iter()
        .filter(|(start, _, payload)| start + frame::FRAME_HEAD_LEN + payload.len() <= cut);
    assert_eq!(frames.len(), whole.count());
    assert!(!matches!(end, FileEnd::Rot { .. }), "a cut behind all marks is no rot");
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let seed = Seed::of(StoreId([1; 16]), FileNumber(2));
    // A list of frames, each of at least the 40 bytes of its head.
    let (frames, end) = heap::bounded(bytes.len(), 8, || frame::decode_all(bytes, 0, seed));
    let last = frames.last().map_or(0, |frame| frame.end);
    match end {
        FileEnd::Whole => assert_eq!(last, bytes.len() as u64),
        FileEnd::Torn { at } => assert_eq!(last, at),
        FileEnd::Rot { at } => assert!(at >= last),
    }
    let _ = written(&mut Unstructured::new(bytes), seed);
});
