//! All entities, in the order of their hashes.

use bytes::Bytes;

use crate::metrics::Lookup;
use crate::read::entities::Entities;
use crate::read::plan::Plan;
use crate::read::row::read_as;
use crate::read::source::LastBlock;
use crate::types::answer::{Row, Status};
use crate::types::error::Result;

/// Entities that have anything to answer, each with its row, ascending by hash of the entity. The
/// state is pinned when the scan begins; memory stays bounded by the memtables.
///
/// ```
/// use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Read, Store, ValueType};
/// # fn main() -> asofdb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path().join("store"), Options::new())?;
/// store.define(FeatureSpec::new("customer:spend_30d", ValueType::F64))?;
/// let mut batch = Batch::new();
/// batch.put("customer-7", "customer:spend_30d", EventTime(1_700_000_000_000_000), 42.5);
/// batch.put("shop-1", "customer:spend_30d", EventTime(1_700_000_000_000_000), 7.0);
/// store.write(batch, Durability::Buffered)?;
/// for found in store.scan(&store.select_all(), &Read::latest(), b"customer-")? {
///     let (entity, row) = found?;
///     assert_eq!((&entity[..], row.answers[0].as_f64()), (&b"customer-7"[..], Some(42.5)));
/// }
/// # store.close()
/// # }
/// ```
#[derive(Debug)]
pub struct Scan {
    plan: Plan,
    prefix: Bytes,
    entities: Entities,
    failed: bool,
}

impl Scan {
    pub(crate) fn new(plan: Plan, prefix: &[u8]) -> Result<Self> {
        let entities = Entities::new(&plan.state, prefix, |_| true, |_| true);
        let entities = plan.state.monitor.watched(entities)?;
        Ok(Self { plan, prefix: Bytes::copy_from_slice(prefix), entities, failed: false })
    }

    fn next_row(&mut self) -> Result<Option<(Bytes, Row)>> {
        while let Some(entity) = self.plan.state.monitor.watched(self.entities.next_entity())? {
            if !entity.starts_with(&self.prefix) {
                continue;
            }
            let row = read_as(Lookup::Row, &self.plan, &entity, &mut LastBlock::passing())?;
            if row.answers.iter().any(|answer| answer.status() != Status::Missing) {
                return Ok(Some((entity, row)));
            }
        }
        Ok(None)
    }
}

impl Iterator for Scan {
    type Item = Result<(Bytes, Row)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_row();
        self.failed = next.is_err();
        next.transpose()
    }
}
