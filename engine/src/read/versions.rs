//! One feature, many versions: an answer for the winning revision of each, newest first.

use crate::metrics::{Lookup, Visits};
use crate::read::history::{Wanted, each_version};
use crate::read::plan::{Ask, Plan};
use crate::read::row::answer_of;
use crate::read::source::LastBlock;
use crate::types::answer::Versions;
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
    let mut answers = Vec::new();
    let mut last = LastBlock::default();
    let (state, view) = (&plan.state, plan.view(entity));
    let stopped_at_horizon = each_version(state, &view, ask, entity, wanted, visits, |run| {
        while let Some(version) = run.next()? {
            let found = version.found(ask.value_type)?;
            answers.push(answer_of(&plan.state, ask, &found, ask.t, &mut last)?);
        }
        Ok(())
    })?;
    Ok(Versions { answers, stopped_at_horizon, stamp: plan.stamp })
}
