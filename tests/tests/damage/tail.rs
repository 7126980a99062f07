//! The newest log of a store that was not closed: the one place where damage may take something
//! without an error, and how much it may take.
//!
//! What is whole in front of the first damaged byte is taken. The rest may be cut in silence if
//! nothing whole tells that it was durable: no frame's head, and no change of the catalog, before
//! which the log is always synced.

use std::path::PathBuf;

use asofdb_format::frame::{self, FRAME_HEAD_LEN, FrameKind, Seed};
use asofdb_format::header::{HEADER_LEN, Header};

use crate::questions::Found;
use crate::stores::Files;

struct Place {
    start: usize,
    end: usize,
    synced: usize,
    is_batch: bool,
}

/// The frames of the newest log, and what the store answers without the last of them.
pub struct Tail {
    /// The log.
    pub path: PathBuf,
    bytes: Vec<u8>,
    frames: Vec<Place>,
    /// The answers with `floor` batches of the log, and with each further one.
    states: Vec<Vec<Found>>,
    floor: usize,
}

/// The log with the greatest number.
pub fn newest_log(files: &Files) -> Option<(&PathBuf, &Vec<u8>)> {
    let is_log = |path: &PathBuf| path.to_string_lossy().contains("LOG-");
    files.iter().rfind(|(path, _)| is_log(path))
}

/// What a store with damage in its newest log may do beside naming the log.
pub enum Allowed<'t> {
    /// Nothing.
    Nothing,
    /// Answer this.
    Answers(&'t [Found]),
}

impl Tail {
    /// The newest log of these files. `floor` of its batches may not be missing; `states` are the
    /// answers with those and with each batch behind them.
    pub fn new(files: &Files, states: Vec<Vec<Found>>, floor: usize) -> Self {
        let (path, bytes) = newest_log(files).unwrap();
        let header = Header::decode(bytes).unwrap();
        let (frames, _) =
            frame::decode_all(bytes, HEADER_LEN, Seed::of(header.store, header.number));
        let place = |n: u64| usize::try_from(n).unwrap();
        let frames = frames.iter().map(|frame| Place {
            start: place(frame.start),
            end: place(frame.end),
            synced: place(frame.head.synced),
            is_batch: frame.head.kind == FrameKind::Batch,
        });
        let frames = frames.collect();
        Self { path: path.clone(), bytes: bytes.clone(), frames, states, floor }
    }

    /// How many batches it holds.
    pub fn batches(&self) -> usize {
        self.frames.iter().filter(|frame| frame.is_batch).count()
    }

    /// What may be answered if the log holds these bytes instead.
    pub fn allowed(&self, damaged: &[u8]) -> Allowed<'_> {
        let same = |from: usize, to: usize| {
            damaged.get(from..to).is_some_and(|part| part == &self.bytes[from..to])
        };
        if !same(0, HEADER_LEN) {
            return Allowed::Nothing;
        }
        let whole = self.frames.iter().take_while(|frame| same(frame.start, frame.end));
        let whole: Vec<_> = whole.collect();
        let end = whole.last().map_or(HEADER_LEN, |frame| frame.end);
        // The payload's sum stands at 4 to 7; a head is good without it.
        let told = self.frames.iter().filter(|frame| {
            let start = frame.start;
            same(start, start + 4) && same(start + 8, start + FRAME_HEAD_LEN)
        });
        let synced = told.map(|frame| frame.synced).max().unwrap_or(0);
        let batches = whole.iter().filter(|frame| frame.is_batch).count();
        if synced > end {
            return Allowed::Nothing;
        }
        let state = batches.checked_sub(self.floor).and_then(|after| self.states.get(after));
        state.map_or(Allowed::Nothing, |state| Allowed::Answers(state))
    }
}
