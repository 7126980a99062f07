//! Merges tables: flushed ones with one another while they are few beside the run, all of them
//! into the run when they are not.
//!
//! A merge of the flushed ones alone costs what they hold; a merge into the run costs all of it.
//! The run is therefore merged when the flushed tables hold at least a third of what it holds, or
//! are very many, so that a byte is rewritten a bounded number of times as the store grows.

use asofdb_format::edit::Edit;
use asofdb_format::ids::FileNumber;

use crate::files::table::Table;
use crate::shape::bounds;
use crate::shape::merge::Merge;
use crate::shape::output;
use crate::state::live::{Keeper, State};
use crate::sync::Shared;
use crate::types::error::Result;
use crate::types::options::Options;

/// What is to be merged.
#[derive(Debug)]
struct Plan {
    inputs: Vec<Shared<Table>>,
    level: u8,
}

/// Does the merge that is due; whether there was one. One caller at a time.
pub(crate) fn compact_if_due(keeper: &Keeper) -> Result<bool> {
    let Some(plan) = due(&keeper.state(), &keeper.options) else {
        return Ok(false);
    };
    run(keeper, plan)?;
    Ok(true)
}

/// Merges all tables into the run, dropping all that is garbage. One caller at a time.
pub(crate) fn compact_all(keeper: &Keeper) -> Result<()> {
    let inputs: Vec<_> = keeper.state().tables().cloned().collect();
    if inputs.is_empty() {
        return Ok(());
    }
    run(keeper, Plan { inputs, level: 1 })
}

/// Writes a table anew, where it is, without what is garbage. One caller at a time, and no other
/// compaction beside it.
pub(crate) fn rewrite(keeper: &Keeper, table: Shared<Table>) -> Result<()> {
    let level = table.entry.level;
    run(keeper, Plan { inputs: vec![table], level })
}

fn due(state: &State, options: &Options) -> Option<Plan> {
    let most = options.max_recent_tables.max(2);
    if state.recent.len() < most {
        return None;
    }
    let bytes = |tables: &[Shared<Table>]| tables.iter().map(|table| table.entry.len).sum::<u64>();
    let many = state.recent.len() >= most.saturating_mul(4);
    if many || bytes(&state.recent).saturating_mul(3) >= bytes(&state.run) {
        return Some(Plan { inputs: state.tables().cloned().collect(), level: 1 });
    }
    // Only tables of less than half the length that tables are made: merging two or more of them
    // makes fewer, so this comes to an end.
    let is_small = |table: &&Shared<Table>| table.entry.len < options.table_bytes / 2;
    let inputs: Vec<Shared<Table>> = state.recent.iter().filter(is_small).cloned().collect();
    (inputs.len() >= (most / 2).max(2)).then_some(Plan { inputs, level: 0 })
}

fn run(keeper: &Keeper, plan: Plan) -> Result<()> {
    let seen_by_all = bounds::record(keeper)?;
    let state = keeper.state();
    let mut merge = Merge::new(&plan.inputs, &[])?;
    let written = output::write_all(keeper, &state, &mut merge, seen_by_all, plan.level)?;
    let gone: Vec<FileNumber> = plan.inputs.iter().map(|table| table.entry.number).collect();
    let mut edits: Vec<Edit> = gone.iter().map(|number| Edit::RemoveTable(*number)).collect();
    edits.extend(written.tables.iter().map(|table| Edit::AddTable(table.entry.clone())));
    let tables = written.tables.clone();
    let (recent, merged) =
        if plan.level == 0 { (tables, Vec::new()) } else { (Vec::new(), tables) };
    let changed =
        keeper.change(|_| Ok(edits), |state, _| state.replace_tables(&gone, recent, merged));
    // If that failed, the manifest may name the new tables or not: the next open removes them if
    // it does not.
    changed?;
    plan.inputs.iter().for_each(|table| keeper.erasing.replaced_table(table));
    Ok(())
}
