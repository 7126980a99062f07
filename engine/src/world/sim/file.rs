//! The bytes of a simulated file, and which of them a power cut leaves.
//!
//! Invariants: what lies below `durable` and in no range of `doomed` survives any crash. Bytes
//! that a failed sync was asked to keep are doomed: the kernel has reported its error and takes
//! their pages for clean, so that no later sync writes them. They stay readable until the crash.
//!
//! ```text
//! ... bytes that a sync was tried for | dirty bytes | room: zeros |
//!                                   tried          end         length
//! ```

use std::ops::Range;
use std::sync::Arc;

use super::rng::Rng;

/// How much of a file a device writes at once, or not at all.
pub const SECTOR: usize = 512;

/// The bytes of a file. They are shared with maps and copies until they change.
#[derive(Clone, Debug, Default)]
pub struct Content {
    bytes: Arc<Vec<u8>>,
    /// Where what is appended next begins: behind it are zeros.
    end: usize,
    /// The length that survives.
    durable: usize,
    /// How far a sync was tried; from here on bytes are dirty.
    tried: usize,
    /// The length for which a sync was tried.
    tried_len: usize,
    /// Ranges that failed syncs were asked to keep, in order; below `tried`.
    doomed: Vec<Range<usize>>,
}

/// Bytes that a map can own.
#[derive(Debug)]
pub struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Content {
    /// A file of these bytes, all of them durable.
    pub fn durable(bytes: Arc<Vec<u8>>) -> Self {
        let len = bytes.len();
        Self { bytes, end: len, durable: len, tried: len, tried_len: len, doomed: Vec::new() }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn share(&self) -> Shared {
        Shared(Arc::clone(&self.bytes))
    }

    pub fn append(&mut self, bytes: &[u8]) {
        let all = Arc::make_mut(&mut self.bytes);
        // Somebody may have cut the file under its writer.
        if all.len() < self.end {
            all.resize(self.end, 0);
        }
        // Over the room, and behind it what it has no room for.
        let (over, behind) = bytes.split_at(bytes.len().min(all.len() - self.end));
        if let Some(room) = all.get_mut(self.end..self.end + over.len()) {
            room.copy_from_slice(over);
        }
        all.extend_from_slice(behind);
        self.end += bytes.len();
    }

    /// Writes zeros behind the end, to be written over.
    pub fn make_room(&mut self, bytes: usize) {
        let len = self.end.saturating_add(bytes);
        if self.bytes.len() < len {
            Arc::make_mut(&mut self.bytes).resize(len, 0);
        }
    }

    /// Takes the zeros behind the end away; all bytes but those that are doomed become durable.
    pub fn take_room_back(&mut self) {
        self.truncate(self.end);
    }

    fn is_dirty(&self) -> bool {
        self.tried < self.end || self.tried_len < self.bytes.len()
    }

    /// A sync was tried for all that there is.
    fn try_all(&mut self) {
        self.tried = self.end;
        self.tried_len = self.bytes.len();
    }

    /// A sync that succeeds: dirty bytes and, if there are any, the length become durable.
    pub fn sync(&mut self) {
        if self.is_dirty() {
            self.try_all();
            self.durable = self.tried_len;
        }
    }

    /// A sync that fails: dirty bytes will never be durable.
    pub fn fail_sync(&mut self) {
        if self.tried < self.end {
            self.doomed.push(self.tried..self.end);
        }
        self.try_all();
    }

    /// Shortens the file; its length and all bytes but those that are doomed become durable.
    pub fn truncate(&mut self, len: usize) {
        if len < self.bytes.len() {
            Arc::make_mut(&mut self.bytes).truncate(len);
        }
        for range in &mut self.doomed {
            range.end = range.end.min(len);
        }
        self.doomed.retain(|range| range.start < range.end);
        self.try_all();
        self.durable = self.tried_len;
    }

    /// Whether all of it survives any crash.
    pub fn is_durable(&self) -> bool {
        self.durable == self.bytes.len() && self.tried == self.end && self.doomed.is_empty()
    }

    /// What is left of it after a power cut. Of every hundred sectors that hold something that is
    /// not durable, about `percent` survive; the others read as zeros or lie beyond the new end.
    pub fn after_power_cut(&self, rng: &mut Rng, percent: u8) -> Self {
        if self.is_durable() {
            return Self::durable(Arc::clone(&self.bytes));
        }
        let len = self.surviving_length(rng, percent);
        let mut bytes: Vec<u8> = self.bytes.iter().copied().take(len).collect();
        let dirty = self.tried..self.end;
        let risky = self.doomed.iter().chain([&dirty]);
        let risky = risky.filter(|range| range.start < self.durable.min(range.end)).cloned();
        let risky = risky.map(|range| range.start..range.end.min(self.durable));
        for range in risky.chain(std::iter::once(self.durable..len)) {
            for sector in sectors(range) {
                if !rng.percent(percent)
                    && let Some(lost) = bytes.get_mut(sector)
                {
                    lost.fill(0);
                }
            }
        }
        Self::durable(Arc::new(bytes))
    }

    /// The file grew by what was not synced: by all of it, by none, or by a part that ends
    /// anywhere.
    fn surviving_length(&self, rng: &mut Rng, percent: u8) -> usize {
        if rng.percent(percent) {
            self.bytes.len()
        } else if percent == 0 || rng.percent(50) {
            self.durable
        } else {
            let grown = self.bytes.len().saturating_sub(self.durable);
            self.durable.saturating_add(rng.index(grown))
        }
    }
}

/// Cuts a range where sectors begin.
fn sectors(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let Range { mut start, end } = range;
    std::iter::from_fn(move || {
        if start >= end {
            return None;
        }
        let next = (start / SECTOR).saturating_add(1).saturating_mul(SECTOR).min(end);
        let sector = start..next;
        start = next;
        Some(sector)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(synced: usize, dirty: usize) -> Content {
        let mut content = Content::default();
        content.append(&vec![1; synced]);
        content.sync();
        content.append(&vec![2; dirty]);
        content
    }

    #[test]
    fn bytes_that_were_synced_survive_whatever_is_drawn() {
        let content = file(700, 5000);
        for seed in 0..200 {
            let after = content.after_power_cut(&mut Rng::new(seed), 50);
            assert!(after.is_durable());
            assert_eq!(after.bytes()[..700], [1; 700], "seed {seed}");
            assert!(after.bytes().len() <= 5700);
        }
    }

    #[test]
    fn bytes_that_were_not_synced_are_lost_in_every_way() {
        let content = file(700, 5000);
        let (mut shorter, mut torn, mut holes, mut whole) = (0, 0, 0, 0);
        for seed in 0..300 {
            let after = content.after_power_cut(&mut Rng::new(seed), 80);
            let bytes = after.bytes();
            shorter += usize::from(bytes.len() == 700);
            torn += usize::from(
                !bytes.len().is_multiple_of(SECTOR) && (701..5700).contains(&bytes.len()),
            );
            let hole = bytes.iter().position(|byte| *byte == 0);
            holes += usize::from(hole.is_some_and(|hole| bytes[hole..].contains(&2)));
            whole += usize::from(bytes == content.bytes());
            for sector in sectors(700..bytes.len()) {
                let first = bytes[sector.start];
                assert!(bytes[sector].iter().all(|byte| *byte == first), "a torn sector");
            }
        }
        assert!(shorter > 5 && torn > 5 && holes > 5 && whole > 5);
    }

    #[test]
    fn nothing_and_everything_can_be_asked_for() {
        let content = file(700, 5000);
        for seed in 0..20 {
            assert_eq!(content.after_power_cut(&mut Rng::new(seed), 0).bytes(), [1; 700]);
            let all = content.after_power_cut(&mut Rng::new(seed), 100);
            assert_eq!(all.bytes(), content.bytes());
        }
    }

    #[test]
    fn a_failed_sync_is_never_made_good_by_a_later_one() {
        let mut content = file(700, 1000);
        content.fail_sync();
        content.sync();
        assert!(!content.is_durable());
        assert_eq!(content.after_power_cut(&mut Rng::new(0), 0).bytes(), [1; 700]);
        content.append(&[3; 10]);
        content.sync();
        assert_eq!(content.bytes().len(), 1710, "it reads as if nothing were wrong");
        let after = content.after_power_cut(&mut Rng::new(0), 0);
        assert_eq!(after.bytes()[..700], [1; 700]);
        assert_eq!(after.bytes()[700..1700], [0; 1000], "a hole, with what came later behind it");
        assert_eq!(after.bytes()[1700..], [3; 10]);
    }

    #[test]
    fn what_was_written_over_room_is_lost_in_parts_and_the_room_is_not() {
        let mut content = file(700, 0);
        content.make_room(5000);
        assert_eq!(content.after_power_cut(&mut Rng::new(0), 0).bytes().len(), 700);
        content.sync();
        assert!(content.is_durable());
        content.append(&[3; 2000]);
        assert!(!content.is_durable());
        let (mut none, mut holes, mut whole) = (0, 0, 0);
        for seed in 0..100 {
            let after = content.after_power_cut(&mut Rng::new(seed), 50);
            let bytes = after.bytes();
            assert_eq!((bytes.len(), &bytes[..700]), (5700, &[1; 700][..]));
            assert!(bytes[2700..].iter().all(|byte| *byte == 0));
            let there = bytes[700..2700].iter().filter(|byte| **byte == 3).count();
            none += usize::from(there == 0);
            whole += usize::from(there == 2000);
            holes += usize::from((1..2000).contains(&there));
        }
        assert!(none > 0 && whole > 0 && holes > 50);
        content.sync();
        assert_eq!(content.after_power_cut(&mut Rng::new(0), 0).bytes()[700..2700], [3; 2000]);
        content.append(&[4; 10]);
        content.fail_sync();
        content.sync();
        assert_eq!(content.after_power_cut(&mut Rng::new(0), 0).bytes()[2700..2710], [0; 10]);
        content.take_room_back();
        content.append(&[5; 3]);
        assert_eq!(content.bytes()[2700..], [&[4; 10][..], &[5; 3]].concat());
    }

    #[test]
    fn shortening_makes_what_is_left_durable_but_not_what_was_doomed() {
        let mut content = file(10, 20);
        content.truncate(15);
        assert!(content.is_durable());
        let mut content = file(10, 20);
        content.fail_sync();
        content.truncate(15);
        assert!(!content.is_durable());
        content.truncate(10);
        assert!(content.is_durable());
    }

    #[test]
    fn a_map_does_not_see_what_is_written_later() {
        let mut content = file(3, 0);
        let map = bytes::Bytes::from_owner(content.share());
        content.append(&[9]);
        assert_eq!((map.len(), content.bytes().len()), (3, 4));
    }
}
