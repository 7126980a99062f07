//! Memory that writers hand out in words, and any number of readers read without a lock.
//!
//! Words never move and are handed out once. They lie in segments, eight of a length, each eight
//! twice as long as those before, so that a small arena takes little, a large one has few of them,
//! and about a sixteenth stands empty. What is put in words is published by a link: a word that is
//! stored with `Release` when they are filled, and loaded with `Acquire` before they are read.
//!
//! Several writers beside one another take words in lots, so that they seldom meet.

use std::cell::Cell;

use asofdb_format::wire::{narrow, wide};

use crate::sync::{AtomicUsize, OnceLock, Ordering, Word};

/// The words of the first segments, as a power of two.
#[cfg(not(all(loom, test)))]
const FIRST: u32 = 6;
#[cfg(all(loom, test))]
const FIRST: u32 = 3;

/// So many segments have the same length, as a power of two.
const ALIKE: u32 = 3;

const SEGMENTS: usize = 40 << ALIKE;

/// Where words begin; none begin at 0.
pub(crate) type Place = u64;

/// The memory.
#[derive(Debug)]
pub(crate) struct Arena {
    segments: Box<[OnceLock<Box<[Word]>>]>,
    next: AtomicUsize,
}

/// A segment, the length of its kind, and a place in it.
#[inline]
const fn find(place: usize) -> (usize, usize, usize) {
    // The first place is 2^(FIRST + ALIKE), so that the highest bits of a place tell its segment.
    let log = (place | 1).ilog2();
    if log < FIRST + ALIKE {
        return (SEGMENTS, 0, 0);
    }
    let shift = log - ALIKE;
    let segment = ((shift - FIRST) as usize) << ALIKE | ((place >> shift) & ((1 << ALIKE) - 1));
    (segment, 1 << shift, place & ((1 << shift) - 1))
}

impl Arena {
    pub(crate) fn new() -> Self {
        Self {
            segments: (0..SEGMENTS).map(|_| OnceLock::new()).collect(),
            next: AtomicUsize::new(1 << (FIRST + ALIKE)),
        }
    }

    /// So many words from a place on; none if they are not there.
    #[inline]
    pub(crate) fn words(&self, place: Place, len: usize) -> &[Word] {
        let (segment, _, start) = find(narrow(place));
        let segment = self.segments.get(segment).and_then(OnceLock::get);
        segment.and_then(|segment| segment.get(start..start + len)).unwrap_or_default()
    }

    /// All words that lie side by side from a place on: who looks at a few first to know how many there
    /// are finds them once.
    #[inline]
    pub(crate) fn words_from(&self, place: Place) -> &[Word] {
        let (segment, _, start) = find(narrow(place));
        let segment = self.segments.get(segment).and_then(OnceLock::get);
        segment.and_then(|segment| segment.get(start..)).unwrap_or_default()
    }

    /// Up to so many words from a place on, as many as lie side by side.
    #[inline]
    pub(crate) fn words_up_to(&self, place: Place, len: usize) -> &[Word] {
        let (segment, segment_len, start) = find(narrow(place));
        let segment = self.segments.get(segment).and_then(OnceLock::get);
        let end = segment_len.min(start + len);
        segment.and_then(|segment| segment.get(start..end)).unwrap_or_default()
    }

    /// Hands out so many words side by side, all 0: where they are, and how many bytes of memory
    /// the arena grew by.
    pub(crate) fn take(&self, len: usize) -> (Place, usize) {
        let mut next = self.next.load(Ordering::Relaxed);
        let mut place = next;
        loop {
            let (segment, segment_len, start) = find(place);
            let Some(cell) = self.segments.get(segment) else {
                // No machine has so much memory.
                return (0, 0);
            };
            if start + len > segment_len {
                place += segment_len - start;
                continue;
            }
            let taken =
                self.next.compare_exchange(next, place + len, Ordering::Relaxed, Ordering::Relaxed);
            if let Err(taken) = taken {
                (next, place) = (taken, taken);
                continue;
            }
            let mut grown = 0;
            cell.get_or_init(|| {
                grown = segment_len * size_of::<Word>();
                (0..segment_len).map(|_| Word::new(0)).collect()
            });
            return (wide(place), grown);
        }
    }

    /// How many words were handed out, or left out because what was asked for did not fit.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn handed_out(&self) -> u64 {
        wide(self.next.load(Ordering::Relaxed) - (1 << (FIRST + ALIKE)))
    }

    /// Words for one writer, who takes so many at once and hands them out: 0, just those that are
    /// asked for.
    pub(crate) const fn lots(&self, len: usize) -> Lots<'_> {
        Lots { arena: self, len, next: Cell::new(0), left: Cell::new(0) }
    }
}

/// Words of an arena for one writer.
#[derive(Debug)]
pub(crate) struct Lots<'a> {
    arena: &'a Arena,
    len: usize,
    next: Cell<Place>,
    left: Cell<usize>,
}

impl Lots<'_> {
    /// As [`Arena::take`].
    #[inline]
    pub(crate) fn take(&self, len: usize) -> (Place, usize) {
        let mut grown = 0;
        if self.left.get() < len {
            // What is left of a lot stays empty: little, if no large part of one is asked for.
            if len > self.len / 8 {
                return self.arena.take(len);
            }
            let (place, more) = self.arena.take(self.len);
            grown = more;
            self.next.set(place);
            self.left.set(self.len);
        }
        let place = self.next.get();
        self.next.set(place + wide(len));
        self.left.set(self.left.get() - len);
        (place, grown)
    }
}

/// Reads a word that was filled before the link to it was loaded.
#[inline]
pub(crate) fn get(words: &[Word], index: usize) -> u64 {
    words.get(index).map_or(0, |word| word.load(Ordering::Relaxed))
}

/// Fills a word before a link to it is stored.
#[inline]
pub(crate) fn set(words: &[Word], index: usize, value: u64) {
    if let Some(word) = words.get(index) {
        word.store(value, Ordering::Relaxed);
    }
}

/// Follows a link.
#[inline]
pub(crate) fn link(words: &[Word], index: usize) -> u64 {
    words.get(index).map_or(0, |word| word.load(Ordering::Acquire))
}

/// Stores a link to what is filled.
#[inline]
pub(crate) fn set_link(words: &[Word], index: usize, value: u64) {
    if let Some(word) = words.get(index) {
        word.store(value, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn words_overlap_or_are_not_found_again() {
        let arena = Arena::new();
        let mut places = Vec::new();
        let (mut grown, mut taken) = (0, 0);
        for n in 1..2_000usize {
            let len = if n % 500 == 0 { 40_000 } else { n * 7 % 61 + 1 };
            let (place, more) = arena.take(len);
            let words = arena.words(place, len);
            assert_eq!(words.len(), len);
            for index in 0..len {
                assert_eq!(get(words, index), 0);
                set(words, index, wide(n));
            }
            places.push((place, len, wide(n)));
            grown += more;
            taken += len * 8;
        }
        for (place, len, value) in places {
            let words = arena.words(place, len);
            assert!((0..len).all(|index| get(words, index) == value));
        }
        println!("{taken} bytes in {grown}");
        assert!(taken <= grown);
        assert!(arena.words(0, 1).is_empty() && arena.words(u64::MAX, 1).is_empty());
    }

    #[test]
    fn words_of_writers_beside_one_another_overlap() {
        let arena = Arena::new();
        let fill = |writer: u64| {
            let (lots, mut taken) = (arena.lots(64), Vec::new());
            for n in 1..5_000usize {
                let len = if n % 700 == 0 { 3_000 } else { n * 7 % 23 + 1 };
                let place = lots.take(len).0;
                let words = arena.words(place, len);
                assert_eq!(words.len(), len);
                (0..len).for_each(|index| {
                    assert_eq!(get(words, index), 0);
                    set(words, index, writer << 32 | wide(n));
                });
                taken.push((place, len, writer << 32 | wide(n)));
            }
            taken
        };
        let all: Vec<_> = std::thread::scope(|scope| {
            let writers = [1, 2, 3].map(|writer| scope.spawn(move || fill(writer)));
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
        });
        for (place, len, value) in &all {
            let words = arena.words(*place, *len);
            assert!((0..*len).all(|index| get(words, index) == *value));
        }
        println!("{} pieces of three writers, none in another", all.len());
    }

    #[test]
    fn a_small_arena_takes_much() {
        let arena = Arena::new();
        let grown: usize = (0..1_000).map(|_| arena.take(6).1).sum();
        assert!(grown < 6_000 * 8 * 5 / 4, "{grown}");
    }
}
