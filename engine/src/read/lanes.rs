//! The numbers of a chunk, looked at in registers as wide as the processor's.

use asofdb_format::chunk::{Cells, Grid, Moments, Wanted};
use asofdb_format::wire::Decoded;

/// As [`Grid::answer`].
#[inline]
pub(crate) fn answer<S: Copy>(
    grid: &Grid<'_, '_>,
    wanted: Wanted<'_>,
    moments: Moments<'_>,
    states: (S, S),
    out: &mut Cells<'_, S>,
) -> Decoded<()> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "a compiler cannot know on which processor it will run")]
        // SAFETY: it asks for nothing but a processor with AVX2, and this is one.
        return unsafe { grid.answer_with_avx2(wanted, moments, states, out) };
    }
    grid.answer(wanted, moments, states, out)
}
