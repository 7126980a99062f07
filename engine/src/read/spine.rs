//! A spine in the order of its entities: the rows of each beside one another, mostly ascending by time.
//!
//! ```text
//! as asked      r0 r1 r2 r3 r4 r5 ...        in any order
//! in buckets    r3 r0 | r1 r5 | r2 r4 | ...  by the first bits of the hashes, told by one pass
//! in order      r0 r3 | r1 r5 | r4 r2 | ...  each bucket sorted in a core's own cache
//! ```
//!
//! Many rows of one entity that have a bucket for themselves stay as they were asked: who answers them
//! may not need them in order.
//!
//! Hashes are as good as evenly spread, so that a bucket holds few entities. Whoever makes many entities
//! whose hashes begin alike gets one bucket of them, and an ordinary sort.
//!
//! Answers are made in this order and have to go back to the rows that ask. [`landings`] finds out for
//! each part where: one pass over the rows in the order in which they were asked.

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::EventTime;
use asofdb_format::wire::window;

use crate::world::scheduler::Scheduler;

/// One row of the spine that asks about something.
#[derive(Clone, Copy)]
pub(crate) struct SpineRow<'e> {
    pub(crate) row: usize,
    pub(crate) hash: EntityHash,
    entity: &'e [u8],
    /// What the entity begins with: short ones are told apart without a look at where they lie, which
    /// in the order of hashes is anywhere.
    begins: [u8; 8],
    pub(crate) t: EventTime,
}

/// Where a row of a part goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Landing {
    pub(crate) row: usize,
    /// Its place in the part.
    pub(crate) from: u32,
}

/// About how many rows of a spine come to a bucket: so many are sorted in the smallest cache.
const ROWS_A_BUCKET: usize = 64;

/// So many rows of one entity need not be in order.
pub(crate) const MANY_ROWS: usize = 512;

/// So many buckets, as a power of two, are filled side by side without waiting for each.
const MOST_BITS: u32 = 12;

impl<'e> SpineRow<'e> {
    pub(crate) fn new(row: usize, entity: &'e [u8], t: EventTime) -> Self {
        let begins = window(entity, 0).to_le_bytes();
        Self { row, hash: EntityHash::of(entity), entity, begins, t }
    }

    /// The entity. Where a short one lies need not be looked at.
    pub(crate) fn entity(&self) -> &[u8] {
        self.begins.get(..self.entity.len()).unwrap_or(self.entity)
    }

    #[inline]
    pub(crate) fn is_of_entity(&self, other: &Self) -> bool {
        let is_like = (self.hash, self.begins, self.entity.len())
            == (other.hash, other.begins, other.entity.len());
        is_like && (self.entity.len() <= self.begins.len() || self.entity == other.entity)
    }
}

/// Brings the rows of each entity together, ascending by time unless they are many, in the order of
/// hashes.
pub(crate) fn sort(spine: &mut Vec<SpineRow<'_>>, threads: usize, scheduler: &dyn Scheduler) {
    let bits = (spine.len() / ROWS_A_BUCKET).checked_ilog2().unwrap_or(0).min(MOST_BITS);
    if bits == 0 {
        return sort_bucket(spine);
    }
    let bucket = |row: &SpineRow<'_>| usize::try_from(row.hash.0 >> (u64::BITS - bits)).ok();
    let mut ends = vec![0; 1 << bits];
    for row in &*spine {
        if let Some(rows) = bucket(row).and_then(|bucket| ends.get_mut(bucket)) {
            *rows += 1;
        }
    }
    let mut before = 0;
    for rows in &mut ends {
        (before, *rows) = (before + *rows, before);
    }
    let mut sorted = spine.clone();
    for row in &*spine {
        let Some(end) = bucket(row).and_then(|bucket| ends.get_mut(bucket)) else { continue };
        if let Some(to) = sorted.get_mut(*end) {
            *to = *row;
        }
        *end += 1;
    }
    *spine = sorted;
    sort_buckets(spine, &ends, threads, scheduler);
}

/// Sorts each bucket, some a thread; `ends` tells where each ends.
fn sort_buckets(
    spine: &mut [SpineRow<'_>],
    ends: &[usize],
    threads: usize,
    scheduler: &dyn Scheduler,
) {
    let sort = |(mut rest, first, ends): (&mut [SpineRow<'_>], usize, &[usize])| {
        let mut before = first;
        for end in ends {
            let (bucket, later) = rest.split_at_mut((end - before).min(rest.len()));
            sort_bucket(bucket);
            (rest, before) = (later, *end);
        }
    };
    if threads == 1 {
        return sort((spine, 0, ends));
    }
    let (mut rest, mut first) = (spine, 0);
    let mut jobs: Vec<Box<dyn FnOnce() + Send + '_>> = Vec::with_capacity(threads);
    for ends in ends.chunks(ends.len().div_ceil(threads)) {
        let end = ends.last().copied().unwrap_or(first);
        let (buckets, later) = rest.split_at_mut((end - first).min(rest.len()));
        jobs.push(Box::new(move || sort((buckets, first, ends))));
        (rest, first) = (later, end);
    }
    scheduler.run_all(jobs);
}

fn sort_bucket(rows: &mut [SpineRow<'_>]) {
    if let [first, others @ ..] = rows
        && others.len() >= MANY_ROWS
        && others.iter().all(|row| row.is_of_entity(first))
    {
        return;
    }
    rows.sort_unstable_by_key(|row| (row.hash, row.t, row.row));
    for same in rows.chunk_by_mut(|a, b| a.hash == b.hash) {
        let Some((first, others)) = same.split_first() else { continue };
        if !others.iter().all(|row| row.is_of_entity(first)) {
            same.sort_unstable_by_key(|row| (row.entity, row.t, row.row));
        }
    }
}

/// Splits a sorted spine into about equal parts between entities.
pub(crate) fn split<'s, 'e>(spine: &'s [SpineRow<'e>], parts: usize) -> Vec<&'s [SpineRow<'e>]> {
    let mut out = Vec::with_capacity(parts);
    let mut rest = spine;
    for left in (1..=parts).rev() {
        let mut at = rest.len() / left;
        // A part may also end between two rows of one entity: both are then looked up.
        while at > 0 && at < rest.len() && rest.len() > 4096 {
            let same = rest.get(at - 1).zip(rest.get(at)).is_some_and(|(a, b)| a.is_of_entity(b));
            if !same || at.is_multiple_of(4096) {
                break;
            }
            at += 1;
        }
        let at = if left == 1 { rest.len() } else { at };
        let (part, later) = rest.split_at(at.min(rest.len()));
        out.push(part);
        rest = later;
    }
    out
}

/// Where the rows of each part go, in the order of the rows that ask, of which there are `rows`: what is
/// written in order is written faster than what is read so. The parts are all of the spine, in its order.
pub(crate) fn landings<'s, 'e: 's>(
    parts: impl Iterator<Item = &'s [SpineRow<'e>]> + Clone,
    rows: usize,
) -> Vec<Vec<Landing>> {
    const NOWHERE: usize = usize::MAX;
    let mut places = vec![NOWHERE; rows];
    for (place, row) in parts.clone().flatten().enumerate() {
        if let Some(to) = places.get_mut(row.row) {
            *to = place;
        }
    }
    let mut landings: Vec<_> = parts.clone().map(|part| Vec::with_capacity(part.len())).collect();
    let mut start = 0;
    let mut starts = Vec::with_capacity(landings.len());
    for part in parts {
        starts.push(start);
        start += part.len();
    }
    for (row, place) in places.into_iter().enumerate().filter(|(_, place)| *place != NOWHERE) {
        // Of empty parts with one start the last is found, and it alone may have a row.
        let part = starts.partition_point(|start| *start <= place) - 1;
        if let (Some(start), Some(landings)) = (starts.get(part), landings.get_mut(part)) {
            let from = u32::try_from(place - start).unwrap_or(u32::MAX);
            landings.push(Landing { row, from });
        }
    }
    landings
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::world::scheduler::Threads;

    fn row(row: usize, entity: &'static [u8], t: i64) -> SpineRow<'static> {
        SpineRow { hash: EntityHash(7), ..SpineRow::new(row, entity, EventTime(t)) }
    }

    #[test]
    fn rows_of_entities_with_one_hash_are_taken_for_one_entity() {
        for (one, other) in [
            (&b"ant"[..], &b"bee"[..]),
            (b"ant", b"ant\0"),
            (b"", b"\0\0\0\0\0\0\0\0"),
            (b"the same beginning, one", b"the same beginning, two"),
        ] {
            let mut spine =
                vec![row(0, one, 5), row(1, other, 3), row(2, one, 1), row(3, other, 9)];
            sort(&mut spine, 1, &Threads);
            let groups: Vec<Vec<usize>> = spine
                .chunk_by(SpineRow::is_of_entity)
                .map(|rows| rows.iter().map(|row| row.row).collect())
                .collect();
            let mut expected = vec![vec![2, 0], vec![1, 3]];
            if one > other {
                expected.reverse();
            }
            assert_eq!(groups, expected, "{one:?} and {other:?}");
        }
    }

    /// Rows of some entities at some moments, in no order; of one in `alike` the hash is the same.
    fn rows_of(names: &[[u8; 9]], rows: usize, alike: u64) -> Vec<SpineRow<'_>> {
        let mut drawn = 0u64;
        let mut draw = || {
            drawn = drawn.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            drawn >> 33
        };
        let one = |row| {
            let at = usize::try_from(draw()).unwrap_or_default() % names.len();
            let name = names.get(at).unwrap_or(&[0; 9]);
            let row = SpineRow::new(row, name, EventTime(draw().cast_signed() % 50));
            let is_alike = row.hash.0.is_multiple_of(alike);
            if is_alike { SpineRow { hash: EntityHash(u64::MAX), ..row } } else { row }
        };
        (0..rows).map(one).collect()
    }

    #[test]
    fn many_rows_come_in_another_order_than_few_or_are_lost() {
        let names: Vec<[u8; 9]> = (0..700u64)
            .map(|n| [&n.to_le_bytes()[..], b"x"].concat().try_into().unwrap())
            .collect();
        for (rows, alike) in [(0, 3), (127, 3), (128, 3), (5_000, 3), (5_000, 1), (60_000, 50)] {
            let asked = rows_of(&names, rows, alike);
            let mut expected = asked.clone();
            expected.sort_by_key(|row| (row.hash, row.entity, row.t, row.row));
            let expected: Vec<usize> = expected.iter().map(|row| row.row).collect();
            for threads in [1, 2, 5] {
                let mut sorted = asked.clone();
                sort(&mut sorted, threads, &Threads);
                let mut sorted: Vec<_> = sorted.chunk_by(|a, b| a.hash == b.hash).collect();
                let same: Vec<usize> = sorted.drain(..).flatten().map(|row| row.row).collect();
                assert!(same == expected, "{rows} rows, {threads} threads");
            }
        }
    }

    #[test]
    fn a_row_lands_where_another_asked() {
        let names: Vec<[u8; 9]> = (0..90u8).map(|n| [n; 9]).collect();
        for rows in [0, 1, 200, 20_000] {
            let mut spine = rows_of(&names, rows, 7);
            // Some rows ask about nothing.
            spine.retain(|row| row.row % 5 != 3);
            sort(&mut spine, 1, &Threads);
            for (at_once, threads) in [(usize::MAX, 1), (4_500, 2), (70, 1), (9_000, 3)] {
                let parts: Vec<_> =
                    spine.chunks(at_once).flat_map(|rows| split(rows, threads)).collect();
                let landings = landings(parts.iter().copied(), rows);
                assert_eq!(landings.len(), parts.len());
                let mut asked = Vec::new();
                for (landings, part) in landings.iter().zip(&parts) {
                    assert!(landings.is_sorted_by_key(|landing| landing.row));
                    assert_eq!(landings.len(), part.len());
                    for Landing { row, from } in landings {
                        assert_eq!(part[*from as usize].row, *row);
                        asked.push(*row);
                    }
                }
                asked.sort_unstable();
                assert!(asked.into_iter().eq((0..rows).filter(|row| row % 5 != 3)));
            }
        }
    }
}
