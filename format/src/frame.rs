//! Frames: how logs and manifests are written, so that a torn end is told from rot.
//!
//! ```text
//! u32      CRC-32 of the 32 bytes of the head behind the two sums, seeded with the file's id and number
//!          and the place of the frame
//! u32      CRC-32 of the payload, seeded with the CRC of the head
//! u32      length of the payload
//! u8       kind: 1 batch, 2 edit
//! 3 bytes  zero
//! i64      commit of the batch; of an edit the newest commit at the time
//! u64      synced mark: the file was known to be durable up to here when the frame was written
//! i64      ceiling: commits up to this one may be in use
//! payload
//! ```
//!
//! A crash may cut or garble what was not yet synced. So a frame that is not whole is the torn end
//! of the file if no later frame, and no earlier one, carries a synced mark beyond its start;
//! otherwise it had been durable once, and is rot.

use crate::ids::{Commit, FileNumber, StoreId};
use crate::wire::{Reader, Writer, narrow, wide};

/// How long the head of a frame is.
pub const FRAME_HEAD_LEN: usize = 40;

/// The longest payload: a batch of 256 MiB and what frames it.
pub const MAX_PAYLOAD_LEN: u32 = (256 << 20) + (1 << 20);

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameKind {
    /// A batch.
    Batch,
    /// A manifest edit.
    Edit,
}

impl FrameKind {
    const fn tag(self) -> u8 {
        match self {
            Self::Batch => 1,
            Self::Edit => 2,
        }
    }

    const fn from_tag(tag: u8) -> Option<Self> {
        match tag {
            1 => Some(Self::Batch),
            2 => Some(Self::Edit),
            _ => None,
        }
    }
}

/// The head of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHead {
    /// What the frame holds.
    pub kind: FrameKind,
    /// Its commit.
    pub commit: Commit,
    /// How far the file was known to be durable.
    pub synced: u64,
    /// Up to which commit commits may be in use.
    pub ceiling: Commit,
}

/// What ties the frames of a file to it, and each to its place: frames of another file, or of
/// another place in this one, are no frames here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seed(u32);

impl Seed {
    /// The seed of a file of a store.
    #[must_use]
    pub fn of(store: StoreId, number: FileNumber) -> Self {
        let mut bytes = store.0.to_vec();
        bytes.put_u64(number.0);
        Self(crc32fast::hash(&bytes))
    }

    fn sum(self, at: u64, bytes: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        hasher.update(&at.to_le_bytes());
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// Writes a frame that begins at a place of its file and whose payload is the parts end to end.
pub fn encode(head: &FrameHead, parts: &[&[u8]], seed: Seed, at: u64, out: &mut Vec<u8>) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let mut body = Vec::with_capacity(FRAME_HEAD_LEN);
    body.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
    body.extend_from_slice(&[head.kind.tag(), 0, 0, 0]);
    body.put_i64(head.commit.0);
    body.put_u64(head.synced);
    body.put_i64(head.ceiling.0);
    // The payload's sum stands before its length but is seeded with the sum of the head, so it
    // takes part in neither.
    let head_sum = seed.sum(at, &body);
    let mut hasher = crc32fast::Hasher::new_with_initial(head_sum);
    parts.iter().for_each(|part| hasher.update(part));
    out.reserve(FRAME_HEAD_LEN + len);
    out.put_u32(head_sum);
    out.put_u32(hasher.finalize());
    out.extend_from_slice(&body);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// A whole frame of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Where it starts in the file.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// Its head.
    pub head: FrameHead,
    /// Its payload.
    pub payload: &'a [u8],
}

/// How the frames of a file end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileEnd {
    /// With the last frame.
    Whole,
    /// What follows the last frame was being written when the machine stopped.
    Torn {
        /// Where the torn end starts.
        at: u64,
    },
    /// There is a frame that was durable once and is no longer whole.
    Rot {
        /// Where it starts.
        at: u64,
    },
}

/// Reads the whole frames of a file from `start` on, and how they end.
#[must_use]
pub fn decode_all(file: &[u8], start: usize, seed: Seed) -> (Vec<Frame<'_>>, FileEnd) {
    let mut frames = Vec::new();
    let mut at = start;
    let mut durable = 0u64;
    while at < file.len() {
        let Some(frame) = decode_at(file, at, seed) else {
            let rot = durable > wide(at) || later_mark(file, at, seed) > wide(at);
            let at = wide(at);
            return (frames, if rot { FileEnd::Rot { at } } else { FileEnd::Torn { at } });
        };
        durable = durable.max(frame.head.synced);
        at = narrow(frame.end);
        frames.push(frame);
    }
    let at = wide(file.len());
    (frames, if durable > at { FileEnd::Rot { at } } else { FileEnd::Whole })
}

fn decode_at(file: &[u8], at: usize, seed: Seed) -> Option<Frame<'_>> {
    let (head, sum, len, head_sum) = decode_head(file, at, seed)?;
    let from = at + FRAME_HEAD_LEN;
    let payload = file.get(from..from.checked_add(len)?)?;
    let mut hasher = crc32fast::Hasher::new_with_initial(head_sum);
    hasher.update(payload);
    (hasher.finalize() == sum).then(|| Frame {
        start: wide(at),
        end: wide(from + len),
        head,
        payload,
    })
}

fn decode_head(file: &[u8], at: usize, seed: Seed) -> Option<(FrameHead, u32, usize, u32)> {
    let bytes = file.get(at..at.checked_add(FRAME_HEAD_LEN)?)?;
    let mut reader = Reader::new(bytes);
    let head_sum = reader.u32().ok()?;
    let payload_sum = reader.u32().ok()?;
    // Almost every wrong place is refused here, before anything is summed.
    let mut body = Reader::new(reader.rest());
    let len = body.u32().ok()?;
    let kind = FrameKind::from_tag(body.u8().ok()?)?;
    if body.take(3).ok()? != [0; 3] || len > MAX_PAYLOAD_LEN {
        return None;
    }
    let commit = Commit(body.i64().ok()?);
    let synced = body.u64().ok()?;
    let ceiling = Commit(body.i64().ok()?);
    if seed.sum(wide(at), reader.rest()) != head_sum {
        return None;
    }
    Some((
        FrameHead { kind, commit, synced, ceiling },
        payload_sum,
        narrow(u64::from(len)),
        head_sum,
    ))
}

/// The greatest synced mark of any frame's head behind a place.
fn later_mark(file: &[u8], from: usize, seed: Seed) -> u64 {
    (from..file.len())
        .filter_map(|at| decode_head(file, at, seed))
        .map(|(head, ..)| head.synced)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: Seed = Seed(77);

    fn file(marks: &[u64]) -> (Vec<u8>, Vec<usize>) {
        let mut out = Vec::new();
        let mut starts = Vec::new();
        for (n, &synced) in marks.iter().enumerate() {
            starts.push(out.len());
            let head = FrameHead {
                kind: FrameKind::Batch,
                commit: Commit(n as i64),
                synced,
                ceiling: Commit(9),
            };
            encode(&head, &[b"pay", &vec![n as u8; n * 7]], SEED, out.len() as u64, &mut out);
        }
        (out, starts)
    }

    #[test]
    fn frames_come_back() {
        let (bytes, _) = file(&[0, 0, 43]);
        let (frames, end) = decode_all(&bytes, 0, SEED);
        assert_eq!(end, FileEnd::Whole);
        assert_eq!(frames.len(), 3);
        assert_eq!(frames[2].payload.len(), 17);
        assert_eq!(frames[2].head.synced, 43);
    }

    #[test]
    fn a_torn_end_is_cut_and_rot_before_a_mark_is_an_error() {
        let (bytes, starts) = file(&[0, 0, 93]);
        for cut in starts[2] + 1..bytes.len() {
            let (frames, end) = decode_all(&bytes[..cut], 0, SEED);
            assert_eq!(frames.len(), 2);
            assert_eq!(end, FileEnd::Torn { at: starts[2] as u64 });
        }
        for at in 0..starts[2] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            let (_, end) = decode_all(&damaged, 0, SEED);
            assert!(matches!(end, FileEnd::Rot { .. }), "byte {at}: {end:?}");
        }
    }

    #[test]
    fn frames_of_another_file_are_none() {
        let (bytes, _) = file(&[0]);
        let (frames, end) = decode_all(&bytes, 0, Seed(78));
        assert!(frames.is_empty());
        assert_eq!(end, FileEnd::Torn { at: 0 });
    }

    /// Frames of one length stood at multiples of it, and a sector that was written to the place
    /// of another, or a part that was cut out, took batches with it: what followed was taken.
    #[test]
    fn a_frame_is_taken_in_the_place_of_another() {
        let mut bytes = Vec::new();
        for commit in 0..4 {
            let head = FrameHead {
                kind: FrameKind::Batch,
                commit: Commit(commit),
                synced: bytes.len() as u64,
                ceiling: Commit(9),
            };
            let at = bytes.len() as u64;
            encode(&head, &[b"payload"], SEED, at, &mut bytes);
        }
        let len = bytes.len() / 4;
        let without_the_second = [&bytes[..len], &bytes[2 * len..]].concat();
        let (frames, _) = decode_all(&without_the_second, 0, SEED);
        assert_eq!(frames.len(), 1);
        bytes.copy_within(2 * len..3 * len, len);
        let (frames, end) = decode_all(&bytes, 0, SEED);
        assert_eq!((frames.len(), end), (1, FileEnd::Rot { at: len as u64 }));
    }

    #[test]
    fn a_file_shorter_than_its_own_mark_is_rot() {
        let (bytes, _) = file(&[1000]);
        let (_, end) = decode_all(&bytes, 0, SEED);
        assert_eq!(end, FileEnd::Rot { at: bytes.len() as u64 });
    }
}
