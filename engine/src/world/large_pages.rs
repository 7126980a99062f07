//! Room for many numbers, all zero, in pages as large as the system has them.
//!
//! ```text
//! small   a Vec
//! large   ... | a large page | a large page | ... | the rest, in small pages |
//! ```
//!
//! A system hands out memory when it is touched, 4 KiB at a time: who fills tens of MiB waits for
//! thousands of faults, and for as many entries of the table of pages while reading it again. Large
//! room is therefore a map of its own, in which the system is asked for pages of 2 MiB before the
//! first is touched. Only pages that are used whole are asked for, so that the room takes no more
//! memory than small pages would.

use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::sync::{Arc, OnceLock};

use memmap2::MmapMut;

use crate::types::answer::Status;

/// The large page of most processors.
const LARGE_PAGE: usize = 2 << 20;

/// From so many bytes on a map of its own pays.
const LARGE: usize = LARGE_PAGE;

/// Columns that are together longer than this do not share a map: each keeps all of what it shares.
const MOST_SHARED: usize = 16 << 20;

/// Up to so many bytes columns share a Vec: more of them an allocator may take from the system each
/// time and give back.
const SMALL: usize = 64 << 10;

/// What may be made of zeros.
///
/// # Safety
/// A type without padding of which all bytes zero are a value.
#[expect(unsafe_code, reason = "only its implementer knows what its zeros mean")]
pub(crate) unsafe trait FromZeros: Copy {
    /// The value of zeros.
    const ZERO: Self;
}

/// Some numbers, all zero at first.
#[derive(Debug)]
pub(crate) struct Numbers<T>(Room<T>);

#[derive(Debug)]
enum Room<T> {
    Small(Vec<T>),
    /// Where the numbers begin in a map, and how many bytes they are.
    Large {
        map: MmapMut,
        first: usize,
        bytes: usize,
    },
}

/// A range of numbers that nobody writes any more. It is read at the cost of a slice.
#[derive(Clone)]
pub(crate) struct Part<T> {
    first: *const T,
    len: usize,
    /// Keeps them; never borrowed mutably.
    _all: Arc<Numbers<T>>,
}

impl<T: FromZeros> Numbers<T> {
    /// So many zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let large = len.checked_mul(size_of::<T>()).and_then(large);
        Self(large.unwrap_or_else(|| Room::Small(vec![T::ZERO; len])))
    }

    /// Rooms for some columns of so many rows each: if all are large, one for as many as may share a
    /// map, else one for as many as an allocator has likely had in use before.
    pub(crate) fn rooms(columns: usize, rows: usize) -> Vec<Self> {
        let (bytes, column) = (columns * rows * size_of::<T>(), rows * size_of::<T>());
        let shared = if is_large(bytes) { MOST_SHARED } else { SMALL };
        let at_once = shared.checked_div(column).unwrap_or_default().clamp(1, columns.max(1));
        let firsts = (0..columns).step_by(at_once);
        firsts.map(|first| Self::zeros(at_once.min(columns - first) * rows)).collect()
    }
}

/// A map of so many bytes that begins with a large page; `None` if they are few, or if the system
/// has no map to give.
fn large<T>(bytes: usize) -> Option<Room<T>> {
    if !is_large(bytes) {
        return None;
    }
    // What is not touched takes no memory.
    let map = MmapMut::map_anon(bytes.checked_add(LARGE_PAGE)?).ok()?;
    let first = map.as_ptr().addr().next_multiple_of(LARGE_PAGE) - map.as_ptr().addr();
    ask_for_large_pages(&map, first, bytes / LARGE_PAGE * LARGE_PAGE);
    Some(Room::Large { map, first, bytes })
}

/// Whether so many bytes are worth a map.
fn is_large(bytes: usize) -> bool {
    bytes >= LARGE && there_are_large_pages()
}

/// Whether the system gives large pages to who asks. A map of small ones is slower than a Vec, whose
/// memory may have been in use before.
fn there_are_large_pages() -> bool {
    static ARE_THERE: OnceLock<bool> = OnceLock::new();
    *ARE_THERE.get_or_init(|| {
        let setting = "/sys/kernel/mm/transparent_hugepage/enabled";
        let choices = std::fs::read_to_string(setting).unwrap_or_default();
        choices.contains("[madvise]") || choices.contains("[always]")
    })
}

/// Asks for large pages; without them the room is as good, and slower.
#[cfg(target_os = "linux")]
fn ask_for_large_pages(map: &MmapMut, first: usize, bytes: usize) {
    let _ = map.advise_range(memmap2::Advice::HugePage, first, bytes);
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages(_: &MmapMut, _: usize, _: usize) {}

impl<T: FromZeros> Deref for Numbers<T> {
    type Target = [T];

    #[inline]
    #[expect(unsafe_code, reason = "a map is bytes, and its numbers are to be borrowed")]
    fn deref(&self) -> &[T] {
        match &self.0 {
            Room::Small(numbers) => numbers,
            Room::Large { map, first, bytes } => {
                let bytes = map.get(*first..*first + *bytes).unwrap_or_default();
                // SAFETY: the map was all zeros, which are values of T, and is written through
                // `deref_mut` alone, by whole T without padding.
                let (_, numbers, _) = unsafe { bytes.align_to() };
                numbers
            }
        }
    }
}

impl<T: FromZeros> DerefMut for Numbers<T> {
    #[inline]
    #[expect(unsafe_code, reason = "a map is bytes, and its numbers are to be borrowed")]
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Room::Small(numbers) => numbers,
            Room::Large { map, first, bytes } => {
                let bytes = map.get_mut(*first..*first + *bytes).unwrap_or_default();
                // SAFETY: as in `deref`; and all bytes of a T may be read as bytes again.
                let (_, numbers, _) = unsafe { bytes.align_to_mut() };
                numbers
            }
        }
    }
}

impl<T: FromZeros> Part<T> {
    /// All columns of so many rows each that rooms hold.
    pub(crate) fn of_rooms(rooms: Vec<Numbers<T>>, rows: usize) -> impl Iterator<Item = Self> {
        rooms.into_iter().flat_map(move |room| {
            // A room of no rows was made for one column.
            let columns = room.len().checked_div(rows).unwrap_or(1);
            let room = Arc::new(room);
            (0..columns).map(move |at| Self::of(&room, at * rows..(at + 1) * rows))
        })
    }

    /// A range of some numbers; nothing where there are none.
    fn of(all: &Arc<Numbers<T>>, range: Range<usize>) -> Self {
        let numbers = all.get(range).unwrap_or_default();
        Self { first: numbers.as_ptr(), len: numbers.len(), _all: Arc::clone(all) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Part<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> Deref for Part<T> {
    type Target = [T];

    #[inline]
    #[expect(unsafe_code, reason = "a slice of what it keeps cannot be kept beside it")]
    fn deref(&self) -> &[T] {
        // SAFETY: `first` and `len` are those of a slice of numbers that `_all` keeps. They do not
        // move with `Numbers`, for a Vec and a map hold them elsewhere, and they are not written:
        // `of` borrows them from an `Arc`, which lends them mutably to none but a sole owner, and
        // a part asks for no such loan.
        unsafe { std::slice::from_raw_parts(self.first, self.len) }
    }
}

// SAFETY: a part is a shared slice and an `Arc`, and goes where both may go.
#[expect(unsafe_code, reason = "a pointer says nothing of who may hold it")]
unsafe impl<T: Send + Sync> Send for Part<T> {}

// SAFETY: as for `Send`.
#[expect(unsafe_code, reason = "a pointer says nothing of who may hold it")]
unsafe impl<T: Send + Sync> Sync for Part<T> {}

// SAFETY: any eight bytes are a value.
#[expect(unsafe_code, reason = "the promise of FromZeros")]
unsafe impl FromZeros for u64 {
    const ZERO: Self = 0;
}

// SAFETY: any eight bytes are a value.
#[expect(unsafe_code, reason = "the promise of FromZeros")]
unsafe impl FromZeros for i64 {
    const ZERO: Self = 0;
}

// SAFETY: one byte, of which zero is `Missing`.
#[expect(unsafe_code, reason = "the promise of FromZeros")]
unsafe impl FromZeros for Status {
    const ZERO: Self = Self::Missing;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many there may be of eight bytes each before they are large.
    const FEW: usize = LARGE / size_of::<u64>() - 1;

    #[test]
    fn few_numbers_have_no_map() {
        assert!(matches!(Numbers::<u64>::zeros(FEW).0, Room::Small(_)));
        assert!(Numbers::<u64>::zeros(0).is_empty());
    }

    #[test]
    fn many_numbers_begin_with_a_large_page_if_there_are_any() {
        let numbers = Numbers::<u64>::zeros(FEW + 1);
        assert_eq!(matches!(numbers.0, Room::Large { .. }), there_are_large_pages());
        if there_are_large_pages() {
            assert_eq!(numbers.as_ptr().addr() % LARGE_PAGE, 0);
        }
    }

    #[test]
    fn there_are_as_many_as_asked_for_and_all_are_zero() {
        for len in [0, 1, FEW, FEW + 1, 2 * FEW + 3] {
            let (numbers, times) = (Numbers::<u64>::zeros(len), Numbers::<i64>::zeros(len));
            assert_eq!((numbers.len(), times.len()), (len, len));
            assert!(numbers.iter().all(|number| *number == 0) && times.iter().all(|t| *t == 0));
        }
        let statuses = Numbers::<Status>::zeros(LARGE + 1);
        assert_eq!(statuses.len(), LARGE + 1);
        assert!(statuses.iter().all(|status| *status == Status::Missing));
    }

    #[test]
    fn a_part_outlives_the_numbers_it_came_from() {
        for len in [FEW, 3 * FEW + 5] {
            let mut numbers = Numbers::<u64>::zeros(len);
            (0..).zip(&mut *numbers).for_each(|(n, to)| *to = n);
            let numbers = Arc::new(numbers);
            let (part, last) = (Part::of(&numbers, 3..6), Part::of(&numbers, len - 1..len));
            assert!(Part::of(&numbers, len..len + 1).is_empty());
            drop(numbers);
            let again = part.clone();
            drop(part);
            let read = std::thread::scope(|scope| scope.spawn(|| again.to_vec()).join().unwrap());
            assert_eq!((&*read, &*last), (&[3, 4, 5][..], &[len as u64 - 1][..]));
            assert_eq!(format!("{last:?}"), format!("[{}]", len - 1));
        }
    }

    #[test]
    fn rooms_have_a_part_a_column() {
        for (columns, rows) in [(0, 5), (3, 0), (7, 3), (20, 1500), (20, 9000), (5, FEW), (1, 1)] {
            let mut rooms = Numbers::<u64>::rooms(columns, rows);
            let all = rooms.iter_mut().flat_map(|room| room.chunks_mut(rows.max(1)));
            (0..).zip(all).for_each(|(column, to)| to.fill(column));
            let parts: Vec<_> = Part::of_rooms(rooms, rows).collect();
            assert_eq!(parts.len(), columns);
            for (column, part) in (0..).zip(parts) {
                assert_eq!(part.len(), rows);
                assert!(part.iter().all(|number| *number == column), "{columns} of {rows}");
            }
        }
    }

    /// All columns of a join shared one room: who kept one kept the memory of all.
    #[test]
    fn a_column_keeps_the_room_of_all_others() {
        let own = MOST_SHARED / size_of::<u64>();
        for rows in [FEW / 20 + 1, FEW, own / 3, own, own + 1] {
            let rooms = Numbers::<u64>::rooms(20, rows);
            let most = rooms.iter().map(|room| room.len()).max();
            assert!(most <= Some(rows.max(own)), "{most:?} numbers for a column of {rows}");
        }
    }

    #[test]
    fn what_is_written_is_read_from_other_threads_too() {
        for len in [FEW, 3 * FEW + 5] {
            let mut numbers = Numbers::<u64>::zeros(len);
            let (one, other) = numbers.split_at_mut(len / 2);
            std::thread::scope(|scope| {
                scope.spawn(|| (0..).zip(one).for_each(|(n, to)| *to = n));
                scope.spawn(|| (len as u64 / 2..).zip(other).for_each(|(n, to)| *to = n));
            });
            let moved = numbers;
            assert!((0..).zip(&*moved).all(|(n, number)| n == *number), "{len}");
        }
    }
}
