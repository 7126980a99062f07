//! The ways in which the numbers of a chunk are told: each says the same. Benches of parts measure what each
//! takes.

use asofdb_format::chunk::{Cells, Grid, Moments, Wanted};
use asofdb_format::wire::Malformed;

/// What answers moments for columns.
pub type Answer = fn(
    &Grid<'_, '_>,
    Wanted<'_>,
    Moments<'_>,
    (char, char),
    &mut Cells<'_, char>,
) -> Result<(), Malformed>;

/// Column by column; and four at a time, where the processor can.
pub const ANSWERS: [Answer; 2] =
    [|grid, wanted, moments, states, out| grid.answer(wanted, moments, states, out), in_lanes];

fn in_lanes(
    grid: &Grid<'_, '_>,
    wanted: Wanted<'_>,
    moments: Moments<'_>,
    states: (char, char),
    out: &mut Cells<'_, char>,
) -> Result<(), Malformed> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "a compiler cannot know on which processor it will run")]
        // SAFETY: it asks for nothing but a processor with AVX2, and this is one.
        return unsafe { grid.answer_with_avx2(wanted, moments, states, out) };
    }
    grid.answer(wanted, moments, states, out)
}
