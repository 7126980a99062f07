//! What a source holds of each feature, counted while it is written or told by its metadata: what
//! a freshness report is made of without reading a row.

use std::collections::BTreeMap;

use asofdb_format::batch::EntryValue;
use asofdb_format::catalog::Bounds;
use asofdb_format::freshness::{POINTS, rank};
use asofdb_format::ids::{EventTime, FeatureId, KnownTime};
use asofdb_format::meta::FeatureMeta;
use asofdb_format::revision::Order;
use asofdb_format::value::{Kind, ValueType};

use crate::files::table::Table;

/// What memtables hold of a feature.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// Counts and extremes; the name is left out.
    pub(crate) meta: FeatureMeta,
    pub(crate) newest_known: KnownTime,
    /// The greatest event time of what is no delete.
    pub(crate) newest: Option<EventTime>,
    /// The same, of what was not ahead of its commit when it was written.
    pub(crate) newest_on_time: Option<EventTime>,
}

fn nameless(value_type: ValueType) -> FeatureMeta {
    FeatureMeta::new(String::new(), 0, value_type, Bounds::default())
}

impl Tally {
    /// Nothing of a feature with values of this type.
    pub(crate) fn new(value_type: ValueType) -> Self {
        Self {
            meta: nameless(value_type),
            newest_known: KnownTime::MIN,
            newest: None,
            newest_on_time: None,
        }
    }

    /// Counts a revision.
    #[inline]
    pub(crate) fn count(&mut self, order: &Order, kind: Kind, value: EntryValue<'_>) {
        let bits = if let EntryValue::Bits(bits) = value { Some(bits) } else { None };
        self.meta.count_one(order.event_time, kind, bits);
        self.newest_known = self.newest_known.max(order.known_time);
        if kind != Kind::Deleted {
            self.newest = self.newest.max(Some(order.event_time));
            if order.event_time.0 <= order.commit.0 {
                self.newest_on_time = self.newest_on_time.max(Some(order.event_time));
            }
        }
    }

    /// Counts what another has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.meta.merge(&other.meta);
        self.newest_known = self.newest_known.max(other.newest_known);
        self.newest = self.newest.max(other.newest);
        self.newest_on_time = self.newest_on_time.max(other.newest_on_time);
    }
}

/// What all tables of a state hold of each feature.
#[derive(Clone, Debug, Default)]
pub(crate) struct TablesTally {
    pub(crate) features: BTreeMap<FeatureId, TableTally>,
    /// Tables that do not tell how fresh they are.
    pub(crate) silent: usize,
}

/// What tables hold of a feature.
#[derive(Clone, Debug)]
pub(crate) struct TableTally {
    /// Counts and extremes; the name is left out.
    pub(crate) meta: FeatureMeta,
    pub(crate) newest_known: KnownTime,
    /// The greatest event time of an entity's newest revision in a table that is no delete; of a
    /// silent table the greatest of all.
    pub(crate) newest: Option<EventTime>,
    /// Event times, ascending, and how many entities have one up to there, as far as the points
    /// of the tables tell: each entity is taken to lie at the last point not after it.
    points: Vec<(EventTime, u64)>,
}

impl TablesTally {
    /// Puts together what tables tell; the cost is that of their points, whatever their rows.
    pub(crate) fn of<'t>(tables: impl Iterator<Item = &'t Table>) -> Self {
        let mut all = Self::default();
        for table in tables {
            all.silent += usize::from(table.freshness.is_none());
            for (id, meta) in &table.meta.features {
                let tally = all.features.entry(*id).or_insert_with(|| TableTally {
                    meta: nameless(meta.value_type),
                    newest_known: KnownTime::MIN,
                    newest: None,
                    points: Vec::new(),
                });
                tally.meta.merge(meta);
                let Some(freshness) = &table.freshness else {
                    tally.newest_known = tally.newest_known.max(table.meta.max_known_time);
                    tally.newest = tally.newest.max(Some(meta.newest));
                    continue;
                };
                let Some(fresh) = freshness.get(*id) else { continue };
                tally.newest_known = tally.newest_known.max(fresh.newest_known);
                tally.newest = tally.newest.max(fresh.points.last().copied());
                // What is superseded is nobody's newest version.
                if table.entry.level.past().is_some() {
                    continue;
                }
                for (place, point) in fresh.points.iter().enumerate() {
                    let rank_of = |place| rank(place, fresh.entities).unwrap_or(fresh.entities);
                    let next = if place + 1 < POINTS { rank_of(place + 1) } else { fresh.entities };
                    tally.points.push((*point, next - rank_of(place)));
                }
            }
        }
        for tally in all.features.values_mut() {
            tally.points.sort_unstable();
            let mut entities = 0u64;
            for (_, count) in &mut tally.points {
                entities = entities.saturating_add(*count);
                *count = entities;
            }
        }
        all
    }
}

impl TableTally {
    /// How many entities have their event time before this one.
    pub(crate) fn before(&self, t: EventTime) -> u64 {
        let place = self.points.partition_point(|(point, _)| *point < t);
        place.checked_sub(1).and_then(|last| self.points.get(last)).map_or(0, |(_, count)| *count)
    }

    /// How many have theirs up to this one, itself included.
    pub(crate) fn up_to(&self, t: EventTime) -> u64 {
        match t.0.checked_add(1) {
            Some(next) => self.before(EventTime(next)),
            None => self.points.last().map_or(0, |(_, count)| *count),
        }
    }

    /// The event time of the entity that has so many before it.
    pub(crate) fn at(&self, rank: u64) -> Option<EventTime> {
        let place = self.points.partition_point(|(_, count)| *count <= rank);
        self.points.get(place).map(|(point, _)| *point)
    }

    /// The last point that is not after a moment.
    pub(crate) fn newest_up_to(&self, t: EventTime) -> Option<EventTime> {
        let place = self.points.partition_point(|(point, _)| *point <= t).checked_sub(1)?;
        self.points.get(place).map(|(point, _)| *point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_stands_at_a_point_behind_it_or_none() {
        let tally = TableTally {
            meta: nameless(ValueType::F64),
            newest_known: KnownTime(0),
            newest: Some(EventTime(9)),
            points: vec![(EventTime(1), 3), (EventTime(5), 4), (EventTime(9), 5)],
        };
        let all: Vec<_> = (0..6).map(|rank| tally.at(rank).map(|t| t.0)).collect();
        assert_eq!(all, [Some(1), Some(1), Some(1), Some(5), Some(9), None]);
        assert_eq!([1, 2, 5, 6, 10].map(|t| tally.before(EventTime(t))), [0, 3, 3, 4, 5]);
        assert_eq!([0, 1, 5, i64::MAX].map(|t| tally.up_to(EventTime(t))), [0, 3, 4, 5]);
        assert_eq!(tally.newest_up_to(EventTime(8)), Some(EventTime(5)));
        assert_eq!(tally.newest_up_to(EventTime(0)), None);
    }
}
