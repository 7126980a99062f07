//! Hints: about where the chunk of each row of a table's directory lies.
//!
//! ```text
//! N u32    for each row of the directory
//!
//! bits 6 to 31  the line in which the chunk begins; lines have 64 bytes and are counted from the
//!               start of the history section
//! bits 0 to 5   how many lines hold a byte of it; 63: so many or more
//! 0             no chunk, or one that begins at 2^32 or behind
//! ```
//!
//! The head of the row tells the same, and to the byte. But a head is mostly not in the cache: who
//! needs older versions looks at chunk and head side by side instead of waiting for one and then for
//! the other. What a hint tells is believed by nobody.

use crate::head::HistoryPlace;
use crate::wire::{Writer, wide};

/// How long a hint is.
pub const HINT_LEN: usize = 4;

/// What memory hands out at once.
const LINE_LEN: u64 = 64;

const COUNT_BITS: u32 = 6;

/// About where a chunk lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChunkHint(pub u32);

impl ChunkHint {
    /// The most lines that a hint tells: there may be more.
    pub const MOST_LINES: u32 = (1 << COUNT_BITS) - 1;

    /// The hint to the chunk at a place.
    #[must_use]
    pub fn of(history: HistoryPlace) -> Self {
        let first = history.start / LINE_LEN;
        let len = history.start % LINE_LEN + u64::from(history.chunk_len);
        let lines = len.div_ceil(LINE_LEN).min(u64::from(Self::MOST_LINES));
        let is_far = first >> (u32::BITS - COUNT_BITS) != 0;
        let both = if history.chunk_len == 0 || is_far { 0 } else { first << COUNT_BITS | lines };
        Self(u32::try_from(both).unwrap_or_default())
    }

    /// Where the lines begin in the history section, in bytes.
    #[must_use]
    #[inline]
    pub const fn start(self) -> u64 {
        (self.0 >> COUNT_BITS) as u64 * LINE_LEN
    }

    /// How long the lines are together, in bytes; `None`: longer than can be told.
    #[must_use]
    #[inline]
    pub const fn len(self) -> Option<usize> {
        let lines = self.0 & Self::MOST_LINES;
        if lines == Self::MOST_LINES { None } else { Some(lines as usize * 64) }
    }

    /// Whether there is no chunk to look at.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 & Self::MOST_LINES == 0
    }
}

/// Writes the hints of a table's rows.
#[must_use]
pub fn encode(hints: &[ChunkHint]) -> Vec<u8> {
    let mut out = Vec::with_capacity(hints.len() * HINT_LEN);
    hints.iter().for_each(|hint| out.put_u32(hint.0));
    out
}

/// Whether a section of hints is as long as a directory of so many rows asks for.
#[must_use]
pub fn is_of_length(section_len: u64, rows: usize) -> bool {
    section_len == wide(rows).saturating_mul(wide(HINT_LEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_lies_beside_the_lines_that_are_told() {
        let told = |start, chunk_len| {
            let hint = ChunkHint::of(HistoryPlace { start, chunk_len, heap_len: 7 });
            (hint.start(), hint.len())
        };
        assert_eq!(told(0, 0), (0, Some(0)));
        assert_eq!(told(64, 64), (64, Some(64)));
        assert_eq!(told(63, 2), (0, Some(128)));
        assert_eq!(told(127, 1), (64, Some(64)));
        assert_eq!(told(640, 62 * 64), (640, Some(62 * 64)));
        assert_eq!(told(640, 62 * 64 + 1), (640, None));
        assert_eq!(told((1 << 32) - 1, 9), ((1 << 32) - 64, Some(128)));
        assert_eq!(told(1 << 32, 9), (0, Some(0)));
        assert_eq!(told(u64::MAX, u32::MAX), (0, Some(0)));
    }
}
