//! Pictures in text: bars, and charts of what tables cover.

use asofdb::{Extent, TableShape};

use crate::output::count;

/// How wide the longest bar is.
pub const BAR: usize = 30;

/// Columns of event times of a chart.
const COLUMNS: u64 = 60;

/// Rows of hashes of a chart.
const ROWS: u64 = 8;

/// A bar for a part of the whole; what is not nothing is seen.
pub fn bar(part: u64, whole: u64) -> String {
    let length = u128::from(part) * BAR as u128 / u128::from(whole.max(1));
    let length = usize::try_from(length).unwrap_or(BAR).min(BAR);
    match (part, length) {
        (0, _) => String::new(),
        (_, 0) => "▏".to_owned(),
        _ => "█".repeat(length),
    }
}

/// Bytes in their unit: `512 B`, `1.5 KiB`.
pub fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 1u64 << 10;
    if bytes < unit {
        return format!("{bytes} B");
    }
    for name in units {
        let next = unit.saturating_mul(1 << 10);
        if bytes < next || name == "EiB" {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            return format!(
                "{}.{} {name}",
                count(u64::try_from(tenths / 10).unwrap_or(0)),
                tenths % 10
            );
        }
        unit = next;
    }
    String::new()
}

/// Which part of the hashes (down) and of the event times (across) tables cover: the more tables
/// cover a place, the darker it is. The event times of the picture go from one to another.
pub fn chart(tables: &[&TableShape], event_times: (i64, i64)) -> Vec<String> {
    let extents: Vec<Extent> = tables.iter().map(|table| table.extent).collect();
    let cell = |row: u64, column: u64| {
        let covers = |extent: &&Extent| {
            let hashes = cells(extent.min_hash, extent.max_hash, (0, u64::MAX), ROWS);
            let from = offset(extent.min_event_time.0);
            let to = offset(extent.max_event_time.0);
            let axis = (offset(event_times.0), offset(event_times.1));
            hashes.contains(&row) && cells(from, to, axis, COLUMNS).contains(&column)
        };
        match extents.iter().filter(covers).count() {
            0 => ' ',
            1 => '░',
            2 => '▒',
            3 => '▓',
            _ => '█',
        }
    };
    (0..ROWS).map(|row| (0..COLUMNS).map(|column| cell(row, column)).collect()).collect()
}

/// Below the chart: where its event times begin and end.
pub fn axis((from, to): (&str, &str)) -> String {
    let width = usize::try_from(COLUMNS).unwrap_or_default();
    let room = width.saturating_sub(from.chars().count());
    format!("{from}{to:>room$}")
}

/// A moment's place among all moments.
const fn offset(moment: i64) -> u64 {
    moment.cast_unsigned() ^ (1 << 63)
}

/// The cells that a range falls into, of so many into which an axis is split.
fn cells(from: u64, to: u64, axis: (u64, u64), of: u64) -> std::ops::RangeInclusive<u64> {
    let width = u128::from(axis.1.saturating_sub(axis.0)) + 1;
    let cell = |at: u64| {
        let at = u128::from(at.clamp(axis.0, axis.1) - axis.0) * u128::from(of) / width;
        u64::try_from(at).unwrap_or(of)
    };
    cell(from)..=cell(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_seen_in_a_bar() {
        assert_eq!(bar(0, 10), "");
        assert_eq!(bar(1, 1_000_000), "▏");
        assert_eq!(bar(5, 10).chars().count(), BAR / 2);
        assert_eq!(bar(u64::MAX, u64::MAX).chars().count(), BAR);
        assert_eq!(bar(7, 0).chars().count(), BAR);
    }

    #[test]
    fn sizes_are_told_in_another_unit_than_they_have() {
        let sizes = [0, 1023, 1024, 1536, (1 << 20) - 1, 1 << 20, u64::MAX].map(size);
        assert_eq!(
            sizes,
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1,023.9 KiB", "1.0 MiB", "15.9 EiB"]
        );
    }

    #[test]
    fn a_range_falls_off_the_chart() {
        assert_eq!(cells(0, u64::MAX, (0, u64::MAX), 8), 0..=7);
        assert_eq!(cells(5, 5, (5, 5), 60), 0..=0, "an axis of one moment");
        assert_eq!(cells(0, 100, (10, 19), 10), 0..=9, "what lies aside is at the edge");
        assert_eq!(cells(12, 13, (10, 19), 10), 2..=3);
        assert!(offset(i64::MIN) < offset(-1) && offset(-1) < offset(0));
        assert_eq!(offset(i64::MAX), u64::MAX);
    }
}
