//! What [`rows`](crate::chunk::rows) tells, four columns at a time, on processors with AVX2: in about half
//! of the instructions.
//!
//! What goes from memory into lanes and back is written lane by lane: through an array that was just
//! written piece by piece a processor waits for all of its pieces.

use std::arch::x86_64::{
    _mm_add_epi32, _mm_cmpeq_epi32, _mm_movemask_epi8, _mm_set1_epi32, _mm_setr_epi32,
    _mm256_add_epi64, _mm256_add_pd, _mm256_and_si256, _mm256_andnot_si256, _mm256_blendv_epi8,
    _mm256_castpd_si256, _mm256_castsi256_pd, _mm256_cmpgt_epi64, _mm256_div_pd,
    _mm256_movemask_pd, _mm256_mul_epu32, _mm256_or_si256, _mm256_set1_pd, _mm256_srli_epi64,
    _mm256_sub_epi64, _mm256_sub_pd, _mm256_xor_si256,
};

use crate::chunk::grid::Grid;
use crate::chunk::rows::{Cells, Moments, Wanted};
use crate::ids::EventTime;
use crate::ints::Limit;
use crate::ints::lanes::{Four, LANES, all, each, four};
use crate::values::NumberCode;
use crate::wire::Decoded;

/// Of so many moments no place of a cell is too large for a number.
const MOST_MOMENTS: usize = usize::MAX >> u32::BITS;

/// Four columns, and what is wanted of them.
struct Columns {
    /// How many revisions lie before each, and how many event times.
    before: Four,
    times_before: Four,
    /// How many revisions each has; none if there is no such column.
    counts: Four,
    bases: Four,
    newest: Four,
    bits: Four,
}

/// What four columns tell at a moment.
struct Versions {
    /// A bit for each that has a version.
    are_there: i32,
    event_times: Four,
    bits: Four,
}

impl Grid<'_, '_> {
    /// As [`Grid::answer`].
    ///
    /// # Safety
    /// Only for processors with AVX2.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn answer_with_avx2<S: Copy>(
        &self,
        wanted: Wanted<'_>,
        moments: Moments<'_>,
        states: (S, S),
        out: &mut Cells<'_, S>,
    ) -> Decoded<()> {
        let code = self.beside.one_code()?.filter(|code| code.is_f64_or_integer());
        let are_certain = moments.limits.iter().all(Limit::is_certain);
        let Some(code) = code.filter(|_| are_certain && moments.times.len() <= MOST_MOMENTS) else {
            return self.answer(wanted, moments, states, out);
        };
        let (columns, last_columns) = wanted.columns.as_chunks();
        let (places, last_places) = wanted.places.as_chunks();
        let (newest, last_newest) = wanted.newest.as_chunks();
        let (bits, last_bits) = wanted.bits.as_chunks();
        let fours = columns.iter().zip(places).zip(newest.iter().zip(bits));
        for ((columns, places), (newest, bits)) in fours {
            let columns = self.columns(columns, newest, bits);
            for (row, (t, limit)) in moments.times.iter().zip(moments.limits).enumerate() {
                let versions = self.versions(&columns, code, *t, limit);
                put(&versions, places, (row, moments.times.len()), states, out);
            }
        }
        if last_columns.is_empty() {
            return Ok(());
        }
        let last = Wanted {
            columns: last_columns,
            places: last_places,
            newest: last_newest,
            bits: last_bits,
        };
        self.answer(last, moments, states, out)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn columns(
        &self,
        columns: &[u32; LANES],
        newest: &[i64; LANES],
        bits: &[u64; LANES],
    ) -> Columns {
        let own = short(*columns);
        let is_there = _mm256_cmpgt_epi64(all(self.chunk.columns().cast_signed() as i64), own);
        // What there is none of is read like the first, and has no revisions.
        let own = _mm256_and_si256(own, is_there);
        let (before, counts) = match self.each {
            Some(each) => {
                let each = all(i64::from(each));
                (_mm256_mul_epu32(own, each), _mm256_and_si256(each, is_there))
            }
            None => self.lists_of(columns),
        };
        let [a, b, c, d] = *bits;
        Columns {
            before,
            times_before: self.times_before_lanes(columns, before),
            counts,
            bases: self.beside.bases.at_lanes(own, own),
            newest: four(*newest),
            bits: four([a, b, c, d].map(u64::cast_signed)),
        }
    }

    /// How many revisions lie before each column, and how many it has.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn lists_of(&self, columns: &[u32; LANES]) -> (Four, Four) {
        let [a, b, c, d] = *columns;
        if let Some([a, b, c, d, e]) = self.starts_from(a)
            && is_run(columns)
        {
            let before = short([*a, *b, *c, *d]);
            return (before, _mm256_sub_epi64(short([*b, *c, *d, *e]), before));
        }
        let [a, b, c, d] = [self.list(a), self.list(b), self.list(c), self.list(d)];
        (short([a.0, b.0, c.0, d.0]), short([a.1, b.1, c.1, d.1]))
    }

    /// How many event times lie before those of each column.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn times_before_lanes(&self, columns: &[u32; LANES], before: Four) -> Four {
        match self.listed {
            Some(listed) => {
                short(columns.map(|column| listed.get(column as usize).copied().unwrap_or(0)))
            }
            None if self.is_one_time => all(0),
            None => before,
        }
    }

    #[inline(always)]
    fn list(&self, column: u32) -> (u32, u32) {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let list = self.list_of(column as usize);
        list.map_or((0, 0), |(before, count)| (small(before), small(count)))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn versions(
        &self,
        columns: &Columns,
        code: NumberCode,
        t: EventTime,
        limit: &Limit,
    ) -> Versions {
        let (times, rests) = (&self.chunk.times, &self.beside.rests);
        let up_to = times.partition_lanes(columns.times_before, columns.counts, limit);
        let is_older = _mm256_cmpgt_epi64(up_to, all(0));
        // One less, where there is one.
        let index = _mm256_add_epi64(up_to, is_older);
        let event_times = times.at_lanes(index, _mm256_add_epi64(columns.times_before, index));
        let rests = rests.at_lanes(index, _mm256_add_epi64(columns.before, index));
        let wholes = _mm256_add_epi64(columns.bases, rests);
        let numbers = code.divisor().map_or(wholes, |divisor| decimals(wholes, divisor));
        let is_before = _mm256_cmpgt_epi64(columns.newest, all(t.0));
        let older_times = _mm256_and_si256(event_times, is_older);
        let older_numbers = _mm256_and_si256(numbers, is_older);
        let is_missing = _mm256_andnot_si256(is_older, is_before);
        Versions {
            are_there: _mm256_movemask_pd(_mm256_castsi256_pd(is_missing)) ^ 0b1111,
            event_times: _mm256_blendv_epi8(columns.newest, older_times, is_before),
            bits: _mm256_blendv_epi8(columns.bits, older_numbers, is_before),
        }
    }
}

/// Puts what is told of the first moment, the second, and so on, of so many, where it belongs.
#[inline]
#[target_feature(enable = "avx2")]
fn put<S: Copy>(
    versions: &Versions,
    places: &[u32; LANES],
    (row, rows): (usize, usize),
    (there, missing): (S, S),
    out: &mut Cells<'_, S>,
) {
    let Versions { are_there, event_times, bits } = versions;
    let status = |lane: i32| if are_there & lane != 0 { there } else { missing };
    let status = match are_there {
        0b1111 => [there; LANES],
        _ => [status(1), status(2), status(4), status(8)],
    };
    let (event_times, [n0, n1, n2, n3]) = (each(*event_times), each(*bits));
    let bits = [n0, n1, n2, n3].map(i64::cast_unsigned);
    let told = (status, event_times, bits);
    let [first, ..] = *places;
    if rows == 1 && is_run(places) && out.put_run(first, &told).is_some() {
        return;
    }
    out.put_each(places, (row, rows), told);
}

impl<S: Copy> Cells<'_, S> {
    /// Puts into four cells one behind another, if there are so many.
    #[inline(always)]
    fn put_run(
        &mut self,
        first: u32,
        (status, event_times, bits): &([S; LANES], [i64; LANES], [u64; LANES]),
    ) -> Option<()> {
        let cells = first as usize..(first as usize).wrapping_add(LANES);
        let to_status = self.status.get_mut(cells.clone())?;
        let to_times = self.event_times.get_mut(cells.clone())?;
        let to_bits = self.bits.get_mut(cells)?;
        to_status.copy_from_slice(status);
        to_times.copy_from_slice(event_times);
        to_bits.copy_from_slice(bits);
        Some(())
    }

    #[inline(always)]
    fn put_each(
        &mut self,
        places: &[u32; LANES],
        (row, rows): (usize, usize),
        (status, event_times, bits): ([S; LANES], [i64; LANES], [u64; LANES]),
    ) {
        let len = self.status.len().min(self.event_times.len()).min(self.bits.len());
        let told = status.into_iter().zip(event_times).zip(bits);
        for (place, ((status, event_time), bits)) in places.iter().zip(told) {
            let first = (*place as usize).wrapping_mul(rows);
            // A place that is not there as a whole is not there.
            let cell = if first.wrapping_add(rows) <= len { first + row } else { len };
            let to = (
                self.status.get_mut(cell),
                self.event_times.get_mut(cell),
                self.bits.get_mut(cell),
            );
            if let (Some(to_status), Some(to_time), Some(to_bits)) = to {
                (*to_status, *to_time, *to_bits) = (status, event_time, bits);
            }
        }
    }
}

/// Whether each follows the one before.
#[inline]
#[target_feature(enable = "avx2")]
fn is_run(numbers: &[u32; LANES]) -> bool {
    let [a, b, c, d] = numbers.map(u32::cast_signed);
    let run = _mm_add_epi32(_mm_set1_epi32(a), _mm_setr_epi32(0, 1, 2, 3));
    _mm_movemask_epi8(_mm_cmpeq_epi32(run, _mm_setr_epi32(a, b, c, d))) == 0xffff
}

#[inline]
#[target_feature(enable = "avx2")]
fn short([a, b, c, d]: [u32; LANES]) -> Four {
    four([i64::from(a), i64::from(b), i64::from(c), i64::from(d)])
}

/// The doubles that integers divided by a power of ten make.
///
/// AVX2 makes no doubles of integers of 64 bits. Each half of such an integer is set behind an
/// exponent that gives its last bit the weight that it has, and what the exponent and the sign add is
/// taken away: both are exact, so that what is rounded is their sum, once.
#[inline]
#[target_feature(enable = "avx2")]
fn decimals(wholes: Four, divisor: f64) -> Four {
    const LOW: f64 = 4_503_599_627_370_496.0; // 2^52
    const HIGH: f64 = 19_342_813_113_834_066_795_298_816.0; // 2^84
    const LEAST: f64 = 9_223_372_036_854_775_808.0; // 2^63
    let from_least = _mm256_xor_si256(wholes, all(i64::MIN));
    let high = _mm256_srli_epi64::<32>(from_least);
    let high = _mm256_or_si256(high, all(HIGH.to_bits().cast_signed()));
    let low = _mm256_and_si256(from_least, all(i64::from(u32::MAX)));
    let low = _mm256_or_si256(low, all(LOW.to_bits().cast_signed()));
    let high = _mm256_sub_pd(_mm256_castsi256_pd(high), _mm256_set1_pd(HIGH + LEAST));
    let low = _mm256_sub_pd(_mm256_castsi256_pd(low), _mm256_set1_pd(LOW));
    let doubles = _mm256_add_pd(high, low);
    _mm256_castpd_si256(_mm256_div_pd(doubles, _mm256_set1_pd(divisor)))
}
