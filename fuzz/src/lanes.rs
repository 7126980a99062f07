//! Numbers of a chunk told four columns at a time: whatever its bytes are, it is what is told column by
//! column.

use asofdb_format::chunk::{Cells, Grid, Moments, Wanted};
use asofdb_format::ids::EventTime;
use asofdb_format::wire::Decoded;

/// What is told of some columns: statuses, event times and bits.
type Told = (Vec<u8>, Vec<i64>, Vec<u64>);

/// Asks for the first so many columns at some moments, in both ways, and fails if they differ.
pub fn compare(grid: &Grid<'_, '_>, columns: usize, times: &[EventTime]) {
    let columns: Vec<u32> = (0..columns).map(|column| u32::try_from(column).unwrap()).collect();
    let newest = vec![i64::MAX / 2; columns.len()];
    let bits = vec![7; columns.len()];
    let wanted = Wanted { columns: &columns, places: &columns, newest: &newest, bits: &bits };
    let mut limits = Vec::new();
    grid.limits(times, &mut limits);
    let moments = Moments { times, limits: &limits };
    let told = |answer: &dyn Fn(&mut Cells<'_, u8>) -> Decoded<()>| -> Decoded<Told> {
        let cells = columns.len() * times.len();
        let (mut status, mut event_times, mut bits) =
            (vec![0; cells], vec![0; cells], vec![0; cells]);
        let cells =
            &mut Cells { status: &mut status, event_times: &mut event_times, bits: &mut bits };
        answer(cells)?;
        Ok((status, event_times, bits))
    };
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        let one_by_one = told(&|out| grid.answer(wanted, moments, (1, 2), out));
        // SAFETY: it asks for nothing but a processor with AVX2, and this is one.
        let in_lanes = told(&|out| unsafe { grid.answer_with_avx2(wanted, moments, (1, 2), out) });
        assert_eq!(in_lanes, one_by_one);
    }
}
