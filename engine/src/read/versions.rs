//! One feature, many versions: the winning revision of each, newest first.

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::EventTime;

use crate::metrics::{Lookup, Visits};
use crate::read::plan::{Ask, Plan};
use crate::read::row::answer_of;
use crate::read::source::{Found, LastBlock, Wanted, gather_memtable, gather_row};
use crate::types::answer::{Answer, Versions};
use crate::types::error::Result;

/// The versions of a feature that are wanted, up to the ask's moment, each judged at it.
pub(crate) fn read_versions(
    plan: &Plan,
    ask: &Ask,
    entity: &[u8],
    wanted: Wanted,
) -> Result<Versions> {
    let mut visits = Visits::new();
    let versions = plan.state.monitor.watched(answer(plan, ask, entity, wanted, &mut visits))?;
    plan.state.monitor.reads.count(Lookup::Versions, 1, &visits);
    Ok(versions)
}

fn answer(
    plan: &Plan,
    ask: &Ask,
    entity: &[u8],
    wanted: Wanted,
    visits: &mut Visits,
) -> Result<Versions> {
    let found = winners(plan, ask, entity, wanted, visits)?;
    let reached_base =
        |found: &Found<'_>| wanted.base.is_some_and(|base| found.order.event_time <= base);
    let stopped_at_horizon = found.last().is_some_and(reached_base) && found.len() < wanted.most;
    let mut last = LastBlock::default();
    let answers = found.iter().map(|found| answer_of(&plan.state, ask, found, ask.t, &mut last));
    let answers: Vec<Answer> = answers.collect::<Result<_>>()?;
    Ok(Versions { answers, stopped_at_horizon, stamp: plan.stamp })
}

fn winners<'p>(
    plan: &'p Plan,
    ask: &Ask,
    entity: &[u8],
    wanted: Wanted,
    visits: &mut Visits,
) -> Result<Vec<Found<'p>>> {
    let hash = EntityHash::of(entity);
    let view = plan.view(entity);
    // What is forgotten does not exist, so it is not even a base.
    let from = wanted.from.max(ask.terms.forgotten.unwrap_or(EventTime::MIN));
    let each = Wanted { from, ..wanted };
    let mut found = Vec::new();
    for memtable in &plan.state.memtables {
        if memtable.revisions() == 0 {
            continue;
        }
        visits.consider();
        let node = memtable.find(hash, entity);
        visits.asked(node.is_some());
        if let Some(node) = node {
            gather_memtable(node, ask, &view, each, &mut found);
        }
    }
    for table in plan.state.tables.tables_of(hash) {
        visits.consider();
        let mut has_it = false;
        for row in table.rows(hash, entity)? {
            has_it = true;
            visits.open_history(gather_row(&row?, ask, &view, each, &mut found)?);
        }
        visits.asked(has_it);
    }
    found.sort_by_key(|found| std::cmp::Reverse(found.order));
    found.dedup_by_key(|found| found.order.event_time);
    if let Some(base) = wanted.base {
        let newer = found.partition_point(|found| found.order.event_time > base);
        found.truncate(newer + 1);
    }
    found.truncate(wanted.most);
    Ok(found)
}
