//! What the freshness section of a table ought to say: its records are taken as they come, row by
//! row, and the newest of each feature of an entity is told from all rows of the entity.

use std::collections::BTreeMap;

use asofdb_format::freshness::{Freshness, Gauge};
use asofdb_format::ids::FeatureId;
use asofdb_format::revision::{Order, Revision};
use asofdb_format::value::Kind;

/// The freshness that the records so far have.
#[derive(Debug, Default)]
pub(super) struct FreshnessFound {
    gauge: Gauge,
    /// The newest revision of each feature of the entity whose rows are read.
    newest: BTreeMap<FeatureId, (Order, Kind)>,
}

impl FreshnessFound {
    /// Takes a record.
    pub(super) fn record(&mut self, feature: FeatureId, revision: &Revision) {
        self.gauge.known(feature, revision.order.known_time);
        let found = (revision.order, revision.kind);
        let newest = self.newest.entry(feature).or_insert(found);
        if newest.0 < found.0 {
            *newest = found;
        }
    }

    /// The records that follow are of another entity.
    pub(super) fn next_entity(&mut self) {
        for (feature, (order, kind)) in std::mem::take(&mut self.newest) {
            self.gauge.newest(feature, order.event_time, kind);
        }
    }

    /// What the section ought to say.
    pub(super) fn finish(mut self) -> Freshness {
        self.next_entity();
        self.gauge.finish()
    }
}
