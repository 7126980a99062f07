//! Rows dated after now, found by looking only at the sources that have some.

use asofdb_format::ids::EventTime;
use asofdb_format::value::Kind;
use bytes::Bytes;

use crate::files::table::Table;
use crate::metrics::Visits;
use crate::read::entities::Entities;
use crate::read::history::{Wanted, each_version};
use crate::read::how::{Read, Stand};
use crate::read::plan::{Ask, Pinned, Plan};
use crate::read::selection::Selection;
use crate::read::source::Found;
use crate::state::live::Keeper;
use crate::state::memtable::Memtable;
use crate::types::error::Result;

/// A version that is dated after now. It is stored, and not served until its time comes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FutureRow {
    /// The entity.
    pub entity: Bytes,
    /// The feature's name without the schema number.
    pub feature: String,
    /// The feature's schema number.
    pub schema: u32,
    /// When it becomes true.
    pub event_time: EventTime,
    /// What it says.
    pub kind: Kind,
}

/// Up to `limit` rows dated after now, in the order of the entities' hashes.
pub(crate) fn future_rows(keeper: &Keeper, limit: usize) -> Result<Vec<FutureRow>> {
    let pinned = Pinned::new(keeper, &Stand::Newest)?;
    let catalog = &pinned.state.catalog;
    let features: Vec<_> = catalog.alive().map(|feature| catalog.describe(feature)).collect();
    let selection = Selection::new(keeper.store, features);
    let plan = Plan::of(keeper, pinned, &selection, &Read::latest())?;
    let mut scan = FutureScan::new(&plan)?;
    let mut all = Vec::new();
    while all.len() < limit
        && let Some(found) = scan.next_entity()?
    {
        for (place, row) in found.rows {
            let feature = plan.asks.get(place).and_then(|ask| selection.features().get(ask.place));
            all.extend(feature.map(|feature| FutureRow {
                entity: found.entity.clone(),
                feature: feature.name.clone(),
                schema: feature.schema,
                event_time: row.order.event_time,
                kind: row.content.kind,
            }));
        }
    }
    all.truncate(limit);
    Ok(all)
}

/// Walks over the entities that have versions after the moment that each feature is asked at.
pub(super) struct FutureScan<'p> {
    plan: &'p Plan,
    entities: Entities,
}

/// An entity's versions after that moment: the place of the ask, and the winning revision of each
/// version, newest first.
pub(super) struct FutureOf<'p> {
    pub(super) entity: Bytes,
    pub(super) rows: Vec<(usize, Found<'p>)>,
}

fn reaches(table: &Table, after: EventTime) -> bool {
    table.entry.max_event_time > after
}

fn memtable_reaches(memtable: &Memtable, after: EventTime) -> bool {
    memtable.revisions() > 0 && memtable.upper_bound().event_time > after
}

impl<'p> FutureScan<'p> {
    pub(super) fn new(plan: &'p Plan) -> Result<Self> {
        let after = plan.asks.iter().map(|ask| ask.t).min().unwrap_or(EventTime::MAX);
        let entities = Entities::new(
            &plan.state,
            b"",
            |memtable| memtable_reaches(memtable, after),
            |table| reaches(table, after),
        )?;
        Ok(Self { plan, entities })
    }

    /// The next entity that has any.
    pub(super) fn next_entity(&mut self) -> Result<Option<FutureOf<'p>>> {
        while let Some(entity) = self.entities.next_entity()? {
            let mut rows = Vec::new();
            for (place, ask) in self.plan.asks.iter().enumerate() {
                let found = self.of(&entity, ask)?;
                rows.extend(found.into_iter().map(|found| (place, found)));
            }
            if !rows.is_empty() {
                return Ok(Some(FutureOf { entity, rows }));
            }
        }
        Ok(None)
    }

    fn of(&self, entity: &[u8], ask: &Ask) -> Result<Vec<Found<'p>>> {
        let Some(from) = ask.t.0.checked_add(1).map(EventTime) else { return Ok(Vec::new()) };
        let asked = Ask { t: EventTime::MAX, ..*ask };
        let wanted = Wanted { from, most: usize::MAX, base: None };
        let mut found = Vec::new();
        let view = self.plan.view(entity);
        let visits = &mut Visits::new();
        each_version(&self.plan.state, &view, &asked, entity, wanted, visits, |run| {
            while let Some(version) = run.next()? {
                found.push(version.found(ask.value_type)?);
            }
            Ok(())
        })?;
        Ok(found)
    }
}
