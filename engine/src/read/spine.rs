//! A spine by its entities: the rows of each beside one another, mostly ascending by time.
//!
//! ```text
//! as asked      r0 r1 r2 r3 r4 r5 ...        in any order
//! in buckets    r3 r0 | r1 r5 | r2 r4 | ...  by the first bits of the hashes, counted meanwhile
//! in order      r0 r3 | r1 r5 | r4 r2 | ...  each bucket sorted in a core's own cache
//! ```
//!
//! Where most rows come together with others of their entity, entities stay in the order in which they were
//! asked about: one that comes again is then looked up again. Many rows of one entity that have a bucket
//! for themselves stay as they were asked: who answers them may not need them in order.
//!
//! Each of several threads takes rows down, and then fills some of the buckets with rows of all.
//!
//! Hashes are as good as evenly spread, so that a bucket holds few entities. Whoever makes many entities
//! whose hashes begin alike gets one bucket of them, and an ordinary sort.
//!
//! Answers are made in this order and have to go back to the rows that ask: see
//! [`landing`](crate::read::landing).

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::EventTime;
use asofdb_format::wire::{narrow, window};

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

/// About how many rows of a spine come to a bucket: so many are sorted in the smallest cache.
const ROWS_A_BUCKET: usize = 16;

/// Where so many rows in a row ask about one entity, evenly counted, rows stay as they were asked.
const ROWS_TOGETHER: usize = 3;

/// So many rows of one entity need not be in order.
pub(crate) const MANY_ROWS: usize = 512;

/// At most so many buckets, as a power of two: their ends alone are as much as a core's smaller caches
/// hold.
const MOST_BITS: u32 = 14;

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

/// Rows of a spine that is being taken down, one behind another.
pub(crate) struct Piece<'e> {
    rows: Vec<SpineRow<'e>>,
    /// So many first bits of a hash tell its bucket.
    bits: u32,
    /// How many rows each bucket has.
    buckets: Vec<usize>,
    /// How many rows ask about another entity than the one before.
    entities: usize,
}

impl<'e> Piece<'e> {
    /// A piece of up to so many rows of a spine that has up to `all`.
    pub(crate) fn of_up_to(rows: usize, all: usize) -> Self {
        let bits = (all / ROWS_A_BUCKET).checked_ilog2().unwrap_or(0).min(MOST_BITS);
        Self { rows: Vec::with_capacity(rows), bits, buckets: vec![0; 1 << bits], entities: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, row: SpineRow<'e>) {
        if let Some(rows) = self.buckets.get_mut(bucket(&row, self.bits)) {
            *rows += 1;
        }
        let is_other = self.rows.last().is_none_or(|last| !last.is_of_entity(&row));
        self.entities += usize::from(is_other);
        self.rows.push(row);
    }
}

/// The bucket of a row, told by so many bits of its hash.
#[inline]
fn bucket(row: &SpineRow<'_>, bits: u32) -> usize {
    narrow(row.hash.0.checked_shr(u64::BITS - bits).unwrap_or(0))
}

/// The rows of all pieces, which follow one another: those of each entity together, ascending by time
/// unless they are many, in the order of hashes; or as they were asked, if most are together so.
pub(crate) fn sorted<'e>(
    mut pieces: Vec<Piece<'e>>,
    threads: usize,
    scheduler: &dyn Scheduler,
) -> Vec<SpineRow<'e>> {
    if let [piece] = &mut *pieces
        && piece.bits == 0
    {
        sort_bucket(&mut piece.rows);
        return std::mem::take(&mut piece.rows);
    }
    let rows: usize = pieces.iter().map(|piece| piece.rows.len()).sum();
    let entities: usize = pieces.iter().map(|piece| piece.entities).sum();
    if entities * ROWS_TOGETHER <= rows {
        return as_asked(pieces);
    }
    let mut buckets = Vec::new();
    for piece in &mut pieces {
        buckets.resize(piece.buckets.len(), 0);
        for (all, rows) in buckets.iter_mut().zip(std::mem::take(&mut piece.buckets)) {
            *all += rows;
        }
    }
    let mut sorted = vec![SpineRow::new(0, &[], EventTime(0)); rows];
    let (mut rest, mut first) = (sorted.as_mut_slice(), 0);
    let parts = even_parts(&buckets, rows.div_ceil(threads).max(1)).map(|buckets| {
        let all = std::mem::take(&mut rest);
        let (to, later) = all.split_at_mut(buckets.iter().sum::<usize>().min(all.len()));
        let (pieces, from) = (&pieces, first);
        (rest, first) = (later, first + buckets.len());
        let job: Box<dyn FnOnce() + Send + '_> =
            Box::new(move || sort_buckets(pieces, (from, buckets), to));
        job
    });
    if threads == 1 {
        parts.for_each(|sort| sort());
    } else {
        scheduler.run_all(parts.collect());
    }
    sorted
}

/// The rows as they were asked; those of one entity that follow one another ascend by time unless they
/// are many.
fn as_asked<'e>(pieces: Vec<Piece<'e>>) -> Vec<SpineRow<'e>> {
    let mut pieces = pieces.into_iter().map(|piece| piece.rows);
    let mut all = pieces.next().unwrap_or_default();
    pieces.for_each(|piece| all.extend(piece));
    for rows in all.chunk_by_mut(SpineRow::is_of_entity) {
        if rows.len() < MANY_ROWS && !rows.is_sorted_by_key(|row| row.t) {
            rows.sort_by_key(|row| row.t);
        }
    }
    all
}

/// Splits buckets that have so many rows each into parts of about so many rows.
fn even_parts(buckets: &[usize], rows: usize) -> impl Iterator<Item = &[usize]> {
    let mut rest = buckets;
    std::iter::from_fn(move || {
        let mut here = 0;
        let whole = rest.iter().take_while(|more| {
            here += **more;
            here < rows
        });
        let (part, later) = rest.split_at((whole.count() + 1).min(rest.len()));
        rest = later;
        (!part.is_empty()).then_some(part)
    })
}

/// Fills and sorts some buckets, from one on, that have so many rows each.
fn sort_buckets<'e>(
    pieces: &[Piece<'e>],
    (first, buckets): (usize, &[usize]),
    mut to: &mut [SpineRow<'e>],
) {
    let mut before = 0;
    let mut ends: Vec<usize> = buckets
        .iter()
        .map(|rows| {
            before += rows;
            before - rows
        })
        .collect();
    for piece in pieces {
        for row in &piece.rows {
            let at = bucket(row, piece.bits).wrapping_sub(first);
            let Some(end) = ends.get_mut(at) else { continue };
            if let Some(to) = to.get_mut(*end) {
                *to = *row;
            }
            *end += 1;
        }
    }
    for rows in buckets {
        let (bucket, later) = to.split_at_mut((*rows).min(to.len()));
        sort_bucket(bucket);
        to = later;
    }
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::world::scheduler::Threads;

    fn row(row: usize, entity: &'static [u8], t: i64) -> SpineRow<'static> {
        SpineRow { hash: EntityHash(7), ..SpineRow::new(row, entity, EventTime(t)) }
    }

    /// The rows, taken down in as many pieces as there are threads.
    fn sorted<'e>(rows: &[SpineRow<'e>], threads: usize) -> Vec<SpineRow<'e>> {
        let piece = |some: &[SpineRow<'e>]| {
            let mut piece = Piece::of_up_to(some.len(), rows.len());
            some.iter().for_each(|row| piece.push(*row));
            piece
        };
        let pieces = rows.chunks(rows.len().div_ceil(threads).max(1)).map(piece).collect();
        super::sorted(pieces, threads, &Threads)
    }

    #[test]
    fn rows_of_entities_with_one_hash_are_taken_for_one_entity() {
        for (one, other) in [
            (&b"ant"[..], &b"bee"[..]),
            (b"ant", b"ant\0"),
            (b"", b"\0\0\0\0\0\0\0\0"),
            (b"the same beginning, one", b"the same beginning, two"),
        ] {
            let rows = [row(0, one, 5), row(1, other, 3), row(2, one, 1), row(3, other, 9)];
            let spine = sorted(&rows, 1);
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

    #[test]
    fn rows_that_come_together_are_torn_apart_or_lost() {
        let names: Vec<[u8; 9]> = (0..90u8).map(|n| [n; 9]).collect();
        for rows in [3, 400, 5_000] {
            let mut asked = rows_of(&names, rows, u64::MAX);
            asked.sort_by_key(|row| row.entity);
            // One comes again at the end, and its rows in another order.
            asked.rotate_left(rows / 7);
            for threads in [1, 3] {
                let mut expected: Vec<_> = (0..).zip(&asked).collect();
                if rows > 3 {
                    for same in expected.chunk_by_mut(|(_, a), (_, b)| a.is_of_entity(b)) {
                        same.sort_by_key(|(at, row)| (row.t, *at));
                    }
                } else {
                    expected.sort_by_key(|(_, row)| (row.hash, row.t, row.row));
                }
                let expected = expected.iter().map(|(_, row)| row.row);
                let sorted = sorted(&asked, threads).into_iter().map(|row| row.row);
                assert!(sorted.eq(expected), "{rows} rows, {threads} threads");
            }
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
        for (rows, alike) in
            [(0, 3), (31, 3), (127, 3), (128, 3), (5_000, 3), (5_000, 1), (60_000, 50)]
        {
            let asked = rows_of(&names, rows, alike);
            let mut expected = asked.clone();
            expected.sort_by_key(|row| (row.hash, row.entity, row.t, row.row));
            let expected: Vec<usize> = expected.iter().map(|row| row.row).collect();
            for threads in [1, 2, 5] {
                let sorted = sorted(&asked, threads).into_iter().map(|row| row.row);
                assert!(sorted.eq(expected.iter().copied()), "{rows} rows, {threads} threads");
            }
        }
    }
}
