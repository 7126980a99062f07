//! Decompressed blocks, kept from read to read.
//!
//! Older texts, bytes and vectors lie in compressed blocks of 8 or 32 KiB. Where the same entities
//! are asked for again and again, to decompress a block is most of what a read of a few of them does.
//! So blocks stay until others need their room. Which one goes is told by a hand that moves around:
//! the first that nobody asked for since the hand last passed it (the clock of F. J. Corbató, *A
//! Paging Experiment with the Multics System*, 1968). A block that is read only once goes before one
//! that is read twice.
//!
//! ```text
//! shard  place -> number, and  number  place | block | was asked for     ^ hand
//! ```
//!
//! Each shard has its part of the room and never more, what a block takes beside its bytes included. The
//! blocks of a table go with the table, those of erased entities too.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use asofdb_format::ids::FileNumber;
use asofdb_format::wire::{narrow, wide};
use bytes::Bytes;

use crate::metrics::{BlockMetrics, Counter};
use crate::sync::Mutex;

/// In up to so many parts, so that threads seldom meet.
const MOST_SHARDS: usize = 8;

/// A part has at least so many bytes, if there are that many.
const LEAST_ROOM: usize = 256 << 10;

/// About what a block takes beside its bytes: its entry, its place in the map, what the allocator adds.
const BESIDE: usize = 256;

/// Which block: its table, where the heap begins that it lies in, and its bounds and length as the
/// column told them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct BlockPlace {
    pub(crate) table: FileNumber,
    pub(crate) heap: u64,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) len: usize,
}

/// A hash of places, which are few numbers that the store itself has chosen: a multiplication for each
/// spreads them enough.
#[derive(Debug, Default)]
struct PlaceHasher(u64);

impl Hasher for PlaceHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 over the golden ratio.
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(wide(number));
    }
}

/// The blocks that a store keeps.
#[derive(Debug)]
pub(crate) struct Blocks {
    shards: Box<[Mutex<Shard>]>,
    /// The bytes that a shard may keep.
    room: usize,
    found: Counter,
    decompressed: Counter,
}

#[derive(Debug, Default)]
struct Shard {
    places: HashMap<BlockPlace, usize, BuildHasherDefault<PlaceHasher>>,
    blocks: Vec<Kept>,
    hand: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    place: BlockPlace,
    block: Bytes,
    was_asked_for: bool,
}

impl Blocks {
    /// Room for so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        let shards = (bytes / LEAST_ROOM).clamp(1, MOST_SHARDS);
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            room: bytes / shards,
            found: Counter::default(),
            decompressed: Counter::default(),
        }
    }

    fn shard(&self, place: &BlockPlace) -> Option<&Mutex<Shard>> {
        let mut hasher = PlaceHasher::default();
        place.hash(&mut hasher);
        // The map looks at the lowest and the highest bits.
        let part = (hasher.finish() >> 32) % wide(self.shards.len());
        self.shards.get(narrow(part))
    }

    /// A block, if it is here.
    pub(crate) fn get(&self, place: &BlockPlace) -> Option<Bytes> {
        if self.room == 0 {
            return None;
        }
        let mut shard = self.shard(place)?.lock();
        let number = *shard.places.get(place)?;
        let kept = shard.blocks.get_mut(number)?;
        kept.was_asked_for = true;
        self.found.add(1);
        Some(kept.block.clone())
    }

    /// Keeps a block; one that would take more than half of its shard's room is not kept.
    pub(crate) fn keep(&self, place: BlockPlace, block: &Bytes) {
        let takes = block.len().saturating_add(BESIDE);
        if takes > self.room / 2 {
            return;
        }
        let Some(shard) = self.shard(&place) else { return };
        let mut shard = shard.lock();
        if shard.places.contains_key(&place) {
            return;
        }
        while shard.bytes + takes > self.room && shard.drop_one() {}
        let number = shard.blocks.len();
        shard.bytes += takes;
        shard.places.insert(place, number);
        shard.blocks.push(Kept { place, block: block.clone(), was_asked_for: false });
    }

    /// Lets the blocks of a table go.
    pub(crate) fn forget(&self, table: FileNumber) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let mut number = 0;
            while let Some(kept) = shard.blocks.get(number) {
                if kept.place.table == table {
                    shard.take(number);
                } else {
                    number += 1;
                }
            }
        }
    }

    /// A block was decompressed.
    pub(crate) fn count(&self) {
        self.decompressed.add(1);
    }

    /// The bytes that all that is kept takes.
    fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().bytes).sum()
    }

    /// What was counted.
    pub(crate) fn metrics(&self) -> BlockMetrics {
        BlockMetrics {
            found: self.found.get(),
            decompressed: self.decompressed.get(),
            bytes: wide(self.bytes()),
        }
    }
}

impl Shard {
    /// Moves the hand on to a block that may go, and lets it go. `false`: there is none.
    fn drop_one(&mut self) -> bool {
        while !self.blocks.is_empty() {
            if self.hand >= self.blocks.len() {
                self.hand = 0;
            }
            match self.blocks.get_mut(self.hand) {
                Some(kept) if kept.was_asked_for => {
                    kept.was_asked_for = false;
                    self.hand += 1;
                }
                _ => {
                    self.take(self.hand);
                    // What took its place has its turn when the hand comes round.
                    self.hand += 1;
                    return true;
                }
            }
        }
        false
    }

    /// Takes a block out; the last one takes its number.
    fn take(&mut self, number: usize) {
        if number >= self.blocks.len() {
            return;
        }
        let gone = self.blocks.swap_remove(number);
        self.bytes -= gone.block.len() + BESIDE;
        self.places.remove(&gone.place);
        if let Some(moved) = self.blocks.get(number) {
            self.places.insert(moved.place, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(table: u64, start: usize) -> BlockPlace {
        BlockPlace { table: FileNumber(table), heap: 40, start, end: start + 10, len: 100 }
    }

    fn block(of: usize) -> Bytes {
        Bytes::from(of.to_le_bytes().repeat(128))
    }

    #[test]
    fn more_is_kept_than_there_is_room_for() {
        for room in [0, 1, 4_000, 100_000, 1 << 20, 4 << 20] {
            let blocks = Blocks::new(room);
            for n in 0..10_000 {
                blocks.keep(place(1, n), &block(n));
                blocks.keep(place(2, n), &Bytes::new());
                assert!(blocks.bytes() <= room, "{room}");
            }
            let each = |blocks: &Shard| blocks.blocks.len();
            let count: usize = blocks.shards.iter().map(|shard| each(&shard.lock())).sum();
            assert!(count * BESIDE <= room, "{count} blocks in {room} bytes");
        }
        let blocks = Blocks::new(1 << 20);
        for n in 0..10_000 {
            blocks.keep(place(1, n), &block(n));
        }
        assert!(blocks.bytes() > 1 << 19);
        let kept = (0..10_000).filter_map(|n| blocks.get(&place(1, n)).map(|found| (n, found)));
        let kept: Vec<_> = kept.collect();
        assert_eq!(kept.len() * (1024 + BESIDE), blocks.bytes());
        assert!(kept.iter().all(|(n, found)| *found == block(*n)));
    }

    #[test]
    fn what_is_asked_for_again_goes_before_what_is_not() {
        let blocks = Blocks::new(32 << 10);
        blocks.keep(place(1, 0), &block(0));
        for n in 1..1_000 {
            blocks.keep(place(1, n), &block(n));
            assert_eq!(blocks.get(&place(1, 0)), Some(block(0)), "after {n} others");
        }
    }

    /// The block that came last used to stand under the hand, and went for the next one: what was asked
    /// for once and never again stayed for ever.
    #[test]
    fn what_is_asked_for_now_never_gets_in() {
        let blocks = Blocks::new(600 << 10);
        for n in 0..1_000 {
            blocks.keep(place(1, n), &block(n));
        }
        let mut found = 0;
        for round in 0..10 {
            for n in 10_000..10_200 {
                match blocks.get(&place(1, n)) {
                    Some(_) if round >= 2 => found += 1,
                    Some(_) => {}
                    None => blocks.keep(place(1, n), &block(n)),
                }
            }
        }
        assert_eq!(found, 8 * 200);
    }

    #[test]
    fn a_block_of_another_length_or_place_is_taken_for_this_one() {
        let blocks = Blocks::new(1 << 20);
        blocks.keep(place(1, 0), &block(0));
        let this = place(1, 0);
        for other in [
            BlockPlace { table: FileNumber(2), ..this },
            BlockPlace { heap: 41, ..this },
            BlockPlace { start: 1, ..this },
            BlockPlace { end: 11, ..this },
            BlockPlace { len: 99, ..this },
        ] {
            assert_eq!(blocks.get(&other), None, "{other:?}");
        }
    }

    #[test]
    fn blocks_stay_when_their_table_goes() {
        let blocks = Blocks::new(1 << 20);
        for n in 0..100 {
            blocks.keep(place(n as u64 % 3, n), &block(n));
        }
        blocks.forget(FileNumber(1));
        for n in 0..100 {
            let there = blocks.get(&place(n as u64 % 3, n));
            assert_eq!(there, (n % 3 != 1).then(|| block(n)), "{n}");
        }
        [0, 2].into_iter().for_each(|table| blocks.forget(FileNumber(table)));
        assert_eq!(blocks.bytes(), 0);
    }

    #[test]
    fn a_large_block_pushes_all_others_out() {
        let blocks = Blocks::new(32 << 10);
        blocks.keep(place(1, 0), &Bytes::from(vec![1; 17 << 10]));
        assert_eq!(blocks.bytes(), 0);
    }
}
