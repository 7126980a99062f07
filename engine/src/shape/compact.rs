//! Does what [`placement`](crate::shape::placement) chose: merges tables, or drops them unread.

use asofdb_format::edit::{Edit, Level, Past};
use asofdb_format::ids::{Commit, EventTime, FileNumber};

use crate::files::table::Table;
use crate::shape::bounds;
use crate::shape::output::{self, Job, Placing};
use crate::shape::placement::{Place, Policy, Task};
use crate::shape::told::Compaction;
use crate::state::live::{Keeper, State};
use crate::sync::Shared;
use crate::types::error::Result;

/// Does the work that is due; whether there was any. One caller at a time.
pub(crate) fn compact_if_due(keeper: &Keeper) -> Result<bool> {
    let state = keeper.state();
    let Some(task) = with_policy(keeper, &state, None, |policy| policy.next()) else {
        return Ok(false);
    };
    run(keeper, task)
}

/// Merges all tables, dropping all that is garbage. One caller at a time.
pub(crate) fn compact_all(keeper: &Keeper) -> Result<()> {
    let state = keeper.state();
    match with_policy(keeper, &state, None, |policy| policy.everything()) {
        Some(task) => run(keeper, task).map(drop),
        None => Ok(()),
    }
}

/// Asks the policy. Without a commit that everybody was found to see, it is found out now.
fn with_policy<T>(
    keeper: &Keeper,
    state: &State,
    seen_by_all: Option<Commit>,
    ask: impl FnOnce(&Policy<'_>) -> T,
) -> T {
    let seen_by_all =
        seen_by_all.unwrap_or_else(|| keeper.snapshots.seen_by_all(|| state.visible()));
    let policy = Policy {
        state,
        options: &keeper.options,
        now: keeper.lagging.read(&*keeper.options.world.clock),
        oldest: keeper.snapshots.oldest(),
        seen_by_all,
    };
    ask(&policy)
}

/// Writes a table anew, where it is, without what is garbage. One caller at a time, and no other
/// compaction beside it.
pub(crate) fn rewrite(keeper: &Keeper, table: Shared<Table>) -> Result<()> {
    let place = Place::of(&table);
    run(keeper, Task::Merge { inputs: vec![table], place }).map(drop)
}

/// Does a task; whether that changed anything.
fn run(keeper: &Keeper, task: Task) -> Result<bool> {
    let seen_by_all = bounds::record(keeper)?;
    let state = keeper.state();
    match task {
        Task::Drop(tables) => drop_unread(keeper, &state, &tables, seen_by_all),
        Task::Merge { inputs, place } => merge(keeper, &state, &inputs, place, seen_by_all),
    }
}

/// Removes tables in which all is garbage under the bounds that are recorded.
fn drop_unread(
    keeper: &Keeper,
    state: &State,
    tables: &[Shared<Table>],
    seen_by_all: Commit,
) -> Result<bool> {
    let garbage = with_policy(keeper, state, Some(seen_by_all), |policy| {
        let is_garbage = |table: &&Shared<Table>| policy.is_all_garbage_as_recorded(table);
        tables.iter().filter(is_garbage).cloned().collect::<Vec<_>>()
    });
    let dropped = replace(keeper, &garbage, &[])?;
    keeper.monitor.dropped_unread(&garbage.iter().map(|table| table.entry.len).collect::<Vec<_>>());
    Ok(dropped)
}

fn merge(
    keeper: &Keeper,
    state: &State,
    inputs: &[Shared<Table>],
    place: Place,
    seen_by_all: Commit,
) -> Result<bool> {
    let number = || keeper.next_file().0;
    let placing = match place {
        Place::Recent => Placing::Together(Level::Recent),
        Place::Present => Placing::Together(Level::Present),
        Place::Window(first, last) => {
            Placing::Together(Level::Past(joined(inputs, (first, last), number())))
        }
        Place::Parted => with_policy(keeper, state, Some(seen_by_all), |policy| {
            let limit = policy.now;
            Placing::Parted { limit, windows: policy.plan_windows(inputs, limit, number) }
        }),
    };
    let paced = !with_policy(keeper, state, Some(seen_by_all), |policy| policy.is_crowded());
    let job = Job { tables: inputs, memtables: &[], placing, seen_by_all, paced };
    let compaction = Compaction::begin(keeper, inputs);
    let written = output::write_all(keeper, state, &job)?;
    let changed = replace(keeper, inputs, &written.tables)?;
    compaction.end(inputs, &written);
    Ok(changed)
}

/// What is known of tables of the past together.
fn joined(inputs: &[Shared<Table>], window: (EventTime, EventTime), run: u64) -> Past {
    let known = || inputs.iter().filter_map(|table| table.entry.level.past());
    let all_known = known().count() == inputs.len();
    let superseded = known().map(|past| past.superseded).max().filter(|_| all_known);
    let made = known().map(|past| past.made).min().unwrap_or(Commit::MIN);
    // What one table becomes has no hash that another of its run has.
    let run =
        if inputs.len() == 1 { known().map(|past| past.run).next() } else { None }.unwrap_or(run);
    Past { run, window, superseded: superseded.unwrap_or(EventTime::MAX), made }
}

fn replace(keeper: &Keeper, out: &[Shared<Table>], new: &[Shared<Table>]) -> Result<bool> {
    if out.is_empty() && new.is_empty() {
        return Ok(false);
    }
    let gone: Vec<FileNumber> = out.iter().map(|table| table.entry.number).collect();
    let mut edits: Vec<Edit> = gone.iter().map(|number| Edit::RemoveTable(*number)).collect();
    edits.extend(new.iter().map(|table| Edit::AddTable(table.entry.clone())));
    // If this fails, the manifest may name the new tables or not: the next open removes them if it
    // does not.
    keeper.change(|_| Ok(edits), |state, _| state.replace_tables(&gone, new))?;
    out.iter().for_each(|table| keeper.erasing.replaced_table(table));
    Ok(true)
}
