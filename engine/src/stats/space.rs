//! Estimates of bytes that no metadata tells: what a table spends on a feature, and how much of it
//! is needed.

use std::collections::BTreeMap;

use asofdb_format::edit::Level;
use asofdb_format::ids::{EventTime, FeatureId};
use asofdb_format::meta::FeatureMeta;
use asofdb_format::value::ValueType;

use crate::files::table::Table;
use crate::state::live::State;

/// What the times, the kind and the place of a revision are taken to weigh beside its value.
const TIMES_WEIGHT: u64 = 4;

/// What a text or some bytes are taken to weigh: their lengths are not in the metadata.
const TEXT_WEIGHT: u64 = 32;

/// How much a feature weighs in a table.
fn weight(meta: &FeatureMeta) -> u64 {
    let value = match meta.value_type {
        ValueType::Bool => 1,
        ValueType::F32 => 4,
        ValueType::I64 | ValueType::F64 => 8,
        ValueType::Vector(dim) => 4 * u64::from(dim),
        _ => TEXT_WEIGHT,
    };
    let without = meta.nulls.saturating_add(meta.deletes).saturating_add(meta.stubs);
    let values = meta.revisions.saturating_sub(without);
    meta.revisions.saturating_mul(TIMES_WEIGHT).saturating_add(values.saturating_mul(value))
}

/// About how many bytes of a table each of its features takes.
pub(super) fn bytes_by_feature(table: &Table) -> BTreeMap<FeatureId, u64> {
    shares(&table.meta.features, table.entry.len)
}

/// Shares out bytes by the widths of the features' types: what the features get adds up to them.
pub(super) fn shares(
    features: &BTreeMap<FeatureId, FeatureMeta>,
    mut left: u64,
) -> BTreeMap<FeatureId, u64> {
    let mut weight_left: u64 = features.values().map(weight).sum();
    let mut bytes = BTreeMap::new();
    for (id, meta) in features {
        let weight = weight(meta);
        let share = part(left, weight, weight_left);
        bytes.insert(*id, share);
        left -= share;
        weight_left -= weight;
    }
    bytes
}

/// About how many bytes of all tables are needed: see
/// [`Metrics::estimated_live_bytes`](crate::Metrics::estimated_live_bytes).
pub(super) fn live_bytes(state: &State) -> u64 {
    #[derive(Default)]
    struct Held {
        bytes: u64,
        records: u64,
        /// At or after the horizon.
        after: u64,
        /// Before the horizon and not forgotten.
        before: u64,
        /// Rows that the feature may have: in tables that may overlap, and in all others.
        rows: [u64; 2],
    }
    let mut features: BTreeMap<FeatureId, Held> = BTreeMap::new();
    for table in state.tables.all() {
        let bytes = bytes_by_feature(table);
        for (id, meta) in &table.meta.features {
            let recorded = state.catalog.get(*id).map(|feature| feature.recorded);
            let bounds = recorded.unwrap_or_default();
            let from = |bound: Option<EventTime>| {
                let event_times = (meta.oldest.0, meta.newest.0);
                bound
                    .map_or(meta.revisions, |bound| not_below(meta.revisions, event_times, bound.0))
            };
            // A commit after the horizon keeps a revision as well as an event time does.
            let committed_after = bounds.horizon.map_or(meta.revisions, |horizon| {
                let entry = &table.entry;
                let commits = (entry.min_commit.0, entry.max_commit.0);
                not_below(meta.revisions, commits, horizon.0.saturating_add(1))
            });
            let after = from(bounds.horizon).max(committed_after);
            let held = features.entry(*id).or_default();
            held.bytes += bytes.get(id).copied().unwrap_or_default();
            held.records += meta.revisions;
            held.after += after;
            held.before += from(bounds.forgotten).saturating_sub(after);
            let rows = table.entry.entities.min(meta.revisions);
            match (&mut held.rows, table.entry.level) {
                ([overlapping, _], Level::Recent) => *overlapping = rows.max(*overlapping),
                ([_, parted], _) => *parted += rows,
            }
        }
    }
    let needed = |held: &Held| {
        let [overlapping, parted] = held.rows;
        let records = held.after + held.before.min(overlapping.max(parted));
        part(held.bytes, records, held.records)
    };
    features.values().map(needed).sum()
}

/// How many of so many revisions do not lie below a moment, if they are spread evenly from a least
/// moment to a greatest.
fn not_below(revisions: u64, (least, greatest): (i64, i64), moment: i64) -> u64 {
    if moment <= least {
        return revisions;
    }
    if moment > greatest {
        return 0;
    }
    let wide = |from: i64| i128::from(greatest) - i128::from(from) + 1;
    let all = u64::try_from(wide(least)).unwrap_or(u64::MAX);
    let after = u64::try_from(wide(moment)).unwrap_or(u64::MAX);
    part(revisions, after, all)
}

/// `whole` times `a` over `b`, rounded down; all of it if `b` is 0 or `a` is more.
fn part(whole: u64, a: u64, b: u64) -> u64 {
    if b == 0 || a >= b {
        return whole;
    }
    let part = u128::from(whole) * u128::from(a) / u128::from(b);
    u64::try_from(part).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_leaves_its_bounds() {
        let left = |moment| not_below(10, (1, 10), moment);
        assert_eq!([left(0), left(1), left(2), left(6)], [10, 10, 9, 5]);
        assert_eq!([left(10), left(11), left(i64::MAX)], [1, 0, 0]);
        assert_eq!(not_below(10, (i64::MIN, i64::MAX), 0), 5);
        assert_eq!(part(u64::MAX, u64::MAX - 1, u64::MAX), u64::MAX - 1);
        assert_eq!([part(7, 1, 0), part(7, 9, 3), part(7, 0, 3)], [7, 7, 0]);
    }
}
