//! The numbers of a chunk, looked at in registers as wide as the processor's.

use asofdb_format::chunk::{Cells, Grid, Moments, Wanted};
use asofdb_format::wire::Decoded;

use crate::read::numbers::STATES;
use crate::types::answer::Status;

/// As [`Grid::answer`].
#[inline]
pub(crate) fn answer(
    grid: &Grid<'_, '_>,
    wanted: Wanted<'_>,
    moments: Moments<'_>,
    out: &mut Cells<'_, Status>,
) -> Decoded<()> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "a compiler cannot know on which processor it will run")]
        // SAFETY: it asks for nothing but a processor with AVX2, and this is one.
        return unsafe { grid.answer_with_avx2(wanted, moments, STATES, out) };
    }
    grid.answer(wanted, moments, STATES, out)
}
