//! A list that one writer appends to and any number of readers read, without a lock.
//!
//! Elements never move: the first one stands in the list itself, the others in segments of
//! doubling length. An element is published by the length, which is stored after it with
//! `Release` and loaded before it with `Acquire`; each cell is a [`OnceLock`], so that even a
//! second writer could only fail to append.

use crate::sync::{AtomicUsize, OnceLock, Ordering};

const SEGMENTS: usize = 32;
const FIRST_SEGMENT: usize = 4;

/// About how many bytes of memory an allocator takes for so many: it keeps a length beside them, and
/// hands out multiples of sixteen.
pub(crate) fn allocated(len: usize) -> usize {
    (len + 8).next_multiple_of(16).max(32)
}

/// The list.
#[derive(Debug)]
pub(crate) struct AppendList<T> {
    len: AtomicUsize,
    first: OnceLock<T>,
    segments: OnceLock<Box<[OnceLock<Segment<T>>; SEGMENTS]>>,
}

type Segment<T> = Box<[OnceLock<T>]>;

impl<T> AppendList<T> {
    pub(crate) fn new() -> Self {
        Self { len: AtomicUsize::new(0), first: OnceLock::new(), segments: OnceLock::new() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// The element at a place below the length.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        if index == 0 {
            return self.first.get();
        }
        let (segment, offset) = place(index)?;
        self.segments.get()?.get(segment)?.get()?.get(offset)?.get()
    }

    /// Appends an element; how many bytes of memory the list grew by. One writer at a time.
    pub(crate) fn push(&self, element: T) -> usize {
        let index = self.len.load(Ordering::Relaxed);
        let mut grown = 0;
        if index == 0 {
            let _ = self.first.set(element);
        } else if let Some((segment, offset)) = place(index) {
            let segments = self.segments.get_or_init(|| {
                grown += allocated(SEGMENTS * size_of::<OnceLock<Segment<T>>>());
                Box::new(std::array::from_fn(|_| OnceLock::new()))
            });
            let cell = segments.get(segment).map(|segment_cell| {
                segment_cell.get_or_init(|| {
                    let len = FIRST_SEGMENT << segment;
                    grown += allocated(len * size_of::<OnceLock<T>>());
                    (0..len).map(|_| OnceLock::new()).collect()
                })
            });
            if let Some(cell) = cell.and_then(|cells| cells.get(offset)) {
                let _ = cell.set(element);
            }
        }
        self.len.store(index + 1, Ordering::Release);
        grown
    }
}

/// The segment of an element other than the first, and its place in it.
#[inline]
fn place(index: usize) -> Option<(usize, usize)> {
    // Segment s holds the places from 4 * (2^s - 1) on, counted from the second element.
    let from_second = index - 1;
    let segment = (from_second / FIRST_SEGMENT + 1).ilog2() as usize;
    let start = FIRST_SEGMENT * ((1usize << segment) - 1);
    (segment < SEGMENTS).then_some((segment, from_second - start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_found_where_it_was_put() {
        let list = AppendList::new();
        assert!(list.get(0).is_none());
        for n in 0..10_000usize {
            list.push(n);
            assert_eq!(list.len(), n + 1);
        }
        assert!((0..10_000).all(|n| list.get(n) == Some(&n)));
        assert_eq!(list.get(10_000), None);
    }

    #[test]
    fn readers_beside_the_writer_see_whole_elements() {
        let list = AppendList::new();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while list.len() < 20_000 {
                        let len = list.len();
                        for index in len.saturating_sub(50)..len {
                            assert_eq!(list.get(index), Some(&vec![index; 3]));
                        }
                    }
                });
            }
            for n in 0..20_000 {
                list.push(vec![n; 3]);
            }
        });
    }
}
