//! Four integers at a time, one in each lane of the registers of processors with AVX2.
//!
//! A lane has 64 bits. Places and indexes have 32 of them, which is enough for any chunk. What is
//! told is what [`Ints::at`] and [`Ints::partition_within`] tell lane by lane.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_andnot_si256, _mm256_cmpgt_epi64,
    _mm256_extract_epi64, _mm256_min_epu32, _mm256_mul_epu32, _mm256_set1_epi64x,
    _mm256_setr_epi64x, _mm256_slli_epi64, _mm256_srli_epi64, _mm256_srlv_epi64,
};

use crate::ints::{Ints, Limit, Within};
use crate::wire::{narrow, window};

/// So many lanes.
pub(crate) const LANES: usize = 4;

/// What four lanes hold.
pub(crate) type Four = __m256i;

/// The same in all lanes.
#[target_feature(enable = "avx2")]
#[inline]
pub(crate) fn all(n: i64) -> Four {
    _mm256_set1_epi64x(n)
}

/// One in each lane.
#[target_feature(enable = "avx2")]
#[inline]
pub(crate) fn four([a, b, c, d]: [i64; LANES]) -> Four {
    _mm256_setr_epi64x(a, b, c, d)
}

/// What each lane holds.
#[target_feature(enable = "avx2")]
#[inline]
pub(crate) fn each(four: Four) -> [i64; LANES] {
    [
        _mm256_extract_epi64::<0>(four),
        _mm256_extract_epi64::<1>(four),
        _mm256_extract_epi64::<2>(four),
        _mm256_extract_epi64::<3>(four),
    ]
}

/// The products of numbers of 32 bits.
#[target_feature(enable = "avx2")]
#[inline]
fn times_short(numbers: Four, factor: i64) -> Four {
    let upper = _mm256_mul_epu32(numbers, all(factor >> 32));
    _mm256_add_epi64(_mm256_mul_epu32(numbers, all(factor)), _mm256_slli_epi64::<32>(upper))
}

/// The products, modulo 2^64.
#[target_feature(enable = "avx2")]
#[inline]
fn times(numbers: Four, factor: i64) -> Four {
    let upper = _mm256_mul_epu32(_mm256_srli_epi64::<32>(numbers), all(factor));
    _mm256_add_epi64(times_short(numbers, factor), _mm256_slli_epi64::<32>(upper))
}

impl Ints<'_> {
    /// The integers at these places, which have these indexes in their lists. Past the end they are some
    /// integers.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn at_lanes(&self, indexes: Four, places: Four) -> Four {
        let units = _mm256_add_epi64(self.line_lanes(indexes), self.packed_lanes(places));
        let apart = if self.scale == 1 { units } else { times(units, self.scale) };
        _mm256_add_epi64(all(self.base), apart)
    }

    /// As [`Ints::partition_within`], for lists before which so many integers lie and which have so many,
    /// and a limit that [is certain](Limit::is_certain).
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn partition_lanes(&self, before: Four, counts: Four, limit: &Limit) -> Four {
        let Some(Within { units, from, to }) = limit.within else { return all(0) };
        let (mut low, mut len) = (all(from.cast_signed() as i64), to.saturating_sub(from));
        while len > 0 {
            let half = len.div_ceil(2);
            let step = all(half.cast_signed() as i64);
            let next = _mm256_add_epi64(low, step);
            let index = _mm256_add_epi64(next, all(-1));
            let packed = self.packed_lanes(_mm256_add_epi64(before, index));
            let unit = _mm256_add_epi64(self.line_lanes(index), packed);
            // What lies behind the end of a list is another's, and says nothing.
            let is_in = _mm256_cmpgt_epi64(counts, index);
            let is_up_to = _mm256_andnot_si256(_mm256_cmpgt_epi64(unit, all(units)), is_in);
            low = _mm256_add_epi64(low, _mm256_and_si256(is_up_to, step));
            len -= half;
        }
        _mm256_min_epu32(low, counts)
    }

    /// How far the line is above its start.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn line_lanes(&self, indexes: Four) -> Four {
        if self.slope == 0 { all(0) } else { times_short(indexes, self.slope) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn packed_lanes(&self, places: Four) -> Four {
        let bit = _mm256_mul_epu32(places, all(i64::from(self.width)));
        let [a, b, c, d] = each(_mm256_srli_epi64::<3>(bit));
        let windows = [self.window(a), self.window(b), self.window(c), self.window(d)];
        let shifted = _mm256_srlv_epi64(four(windows), _mm256_and_si256(bit, all(7)));
        _mm256_and_si256(shifted, all(self.mask.cast_signed()))
    }

    #[inline(always)]
    fn window(&self, byte: i64) -> i64 {
        window(self.packed, narrow(byte.cast_unsigned())).cast_signed()
    }
}
