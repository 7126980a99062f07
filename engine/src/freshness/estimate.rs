//! The report from metadata alone.

use std::collections::BTreeMap;

use asofdb_format::ids::{EventTime, FeatureId, KnownTime};
use asofdb_format::meta::FeatureMeta;
use asofdb_format::value::Value;

use crate::freshness::ages::{Ages, age, nearest_rank};
use crate::freshness::{FeatureFreshness, FreshnessReport, Records, expiry, share};
use crate::read::plan::Pinned;
use crate::read::resolve::Terms;
use crate::state::catalog::FeatureState;
use crate::state::live::Keeper;
use crate::state::tally::{TableTally, Tally};

/// What the metadata of a pinned state tells.
pub(crate) fn estimate(keeper: &Keeper, pinned: &Pinned) -> FreshnessReport {
    let state = &pinned.state;
    let mut memory: BTreeMap<FeatureId, Tally> = BTreeMap::new();
    for memtable in &state.memtables {
        for (id, tally) in &memtable.aside().tallies {
            let all = memory.entry(*id).or_insert_with(|| Tally::new(tally.meta.value_type));
            all.merge(tally);
        }
    }
    let tables = state.tally();
    let features = state.catalog.alive().map(|feature| {
        let id = feature.definition.id;
        let (bounds, terms) = pinned.terms(keeper, feature, None);
        let now = pinned.stamp().now.max(bounds.horizon.unwrap_or(EventTime::MIN));
        let newest = state.catalog.newest_of(feature) == Some(id);
        let seen = Seen { terms, now, tables: tables.features.get(&id), memory: memory.get(&id) };
        seen.report(feature, newest)
    });
    FreshnessReport {
        exact: false,
        stamp: pinned.stamp(),
        features: features.collect(),
        silent_tables: tables.silent,
    }
}

/// What is known of one feature, and the moment and terms it is judged by.
struct Seen<'s> {
    terms: Terms,
    now: EventTime,
    tables: Option<&'s TableTally>,
    memory: Option<&'s Tally>,
}

impl Seen<'_> {
    fn report(&self, feature: &FeatureState, newest_schema: bool) -> FeatureFreshness {
        let definition = &feature.definition;
        let metas: [Option<&FeatureMeta>; 2] =
            [self.tables.map(|tables| &tables.meta), self.memory.map(|memory| &memory.meta)];
        let value_type = definition.value_type;
        let mut all = FeatureMeta::new(String::new(), 0, value_type, feature.recorded);
        metas.iter().flatten().for_each(|meta| all.merge(meta));
        let number = |bits| Value::from_bits(value_type, bits);
        let known = [
            self.tables.map(|tables| tables.newest_known),
            self.memory.map(|memory| memory.newest_known),
        ];
        let known: Option<KnownTime> = known.into_iter().flatten().max();
        let entities = Entities::of(self);
        let ttl = self.terms.max_age;
        FeatureFreshness {
            name: definition.name.clone(),
            schema: definition.schema,
            newest_schema,
            value_type,
            ttl,
            records: Records {
                all: all.revisions,
                nulls: all.nulls,
                deletes: all.deletes,
                stubs: all.stubs,
                in_memory: self.memory.map_or(0, |memory| memory.meta.revisions),
            },
            entities: entities.count,
            answers: None,
            null_share: share(all.nulls, all.revisions),
            expired_share: share(entities.expired, entities.count),
            least: all.numbers.and_then(|(least, _)| number(least)),
            greatest: all.numbers.and_then(|(_, greatest)| number(greatest)),
            newest_event_time: self.newest(),
            newest_known_time: known,
            ages: self.ages(&entities),
            next_expiry: ttl
                .zip(self.tables.filter(|_| entities.expired < entities.count))
                .and_then(|(ttl, tables)| {
                    let oldest_fresh = tables.at(entities.first + entities.expired)?;
                    Some(expiry(oldest_fresh, ttl))
                }),
            future_dated: self.future_dated(&all),
        }
    }

    /// The newest event time up to now, as far as it can be told.
    fn newest(&self) -> Option<EventTime> {
        let up_to_now = |found: &EventTime| *found <= self.now && !self.terms.is_forgotten(*found);
        let tables = self.tables.and_then(|tables| {
            tables.newest.filter(up_to_now).or_else(|| tables.newest_up_to(self.now))
        });
        let memory = self
            .memory
            .and_then(|memory| memory.newest.filter(up_to_now).or(memory.newest_on_time));
        tables.into_iter().chain(memory).filter(up_to_now).max()
    }

    fn ages(&self, entities: &Entities) -> Option<Ages> {
        let tables = self.tables?;
        Ages::of(|percent| {
            let behind = nearest_rank(percent, entities.count);
            let rank = entities.count.checked_sub(behind)?;
            Some(age(self.now.0, tables.at(entities.first + rank)?.0))
        })
    }

    /// How many entities have a version after now, about; 0 only if no record has.
    fn future_dated(&self, all: &FeatureMeta) -> u64 {
        if all.newest <= self.now || all.revisions == 0 {
            return 0;
        }
        let in_tables = self.tables.map_or(0, |tables| {
            tables.up_to(EventTime::MAX).saturating_sub(tables.up_to(self.now))
        });
        let in_memory = self.memory.is_some_and(|memory| memory.meta.newest > self.now);
        (in_tables + u64::from(in_memory)).max(1)
    }
}

/// The entities of tables whose event times count: neither forgotten nor after now.
struct Entities {
    /// How many entities of the tables lie before them.
    first: u64,
    count: u64,
    /// The oldest of them.
    expired: u64,
}

impl Entities {
    fn of(seen: &Seen<'_>) -> Self {
        let Some(tables) = seen.tables else { return Self { first: 0, count: 0, expired: 0 } };
        let first = seen.terms.forgotten.map_or(0, |forgotten| tables.before(forgotten));
        let last = tables.up_to(seen.now).max(first);
        let by_ttl = seen.terms.max_age.map(|ttl| seen.now.saturating_sub(ttl));
        let fresh_from = by_ttl.max(seen.terms.stale);
        let expired = fresh_from.map_or(first, |fresh| tables.before(fresh)).clamp(first, last);
        Self { first, count: last - first, expired: expired - first }
    }
}
