//! Full memtables become tables.

use std::sync::Arc;

use asofdb_format::edit::{Edit, Level};
use asofdb_format::header::FileKind;

use crate::files::names;
use crate::shape::bounds;
use crate::shape::output::{self, Job, Placing};
use crate::shape::told::Flush;
use crate::state::durable::mark_edit;
use crate::state::live::Keeper;
use crate::types::error::Result;

/// Flushes the oldest memtable that takes no batches any more; whether there was one. One caller
/// at a time.
pub(crate) fn flush_one(keeper: &Keeper) -> Result<bool> {
    let sealed = |state: &crate::state::live::State| {
        (state.memtables.len() > 1).then(|| state.memtables.last().cloned()).flatten()
    };
    let Some(memtable) = sealed(&keeper.state()) else { return Ok(false) };
    let flush = Flush::begin(keeper, &memtable);
    let seen_by_all = bounds::record(keeper)?;
    let state = keeper.state();
    let placing = Placing::Together(Level::Recent);
    let memtables = [&*memtable];
    let job = Job { tables: &[], memtables: &memtables, placing, seen_by_all, paced: false };
    let written = output::write_all(keeper, &state, &job)?;
    let aside = memtable.aside().clone();
    let mut edits: Vec<Edit> =
        written.tables.iter().map(|table| Edit::AddTable(table.entry.clone())).collect();
    edits.push(Edit::RemoveLog(memtable.log));
    edits.push(Edit::Commits(aside.commits.spans().to_vec()));
    edits.extend(aside.sources.iter().map(|(id, label)| Edit::Source(*id, label.to_string())));
    let touches = aside.touches.iter();
    edits
        .extend(touches.map(|((source, feature), commit)| Edit::Touch(*source, *feature, *commit)));
    edits.extend(aside.marks.iter().map(|(name, mark)| mark_edit(name, mark)));
    let tables = written.tables.clone();
    let changed = keeper.change(
        |durable| {
            let newest = durable.newest.max(aside.commits.last());
            edits.push(Edit::Clock(newest, durable.ceiling.max(newest)));
            Ok(edits)
        },
        |state, durable| {
            state.memtables.retain(|other| !Arc::ptr_eq(other, &memtable));
            state.replace_tables(&[], &tables);
            state.marks = Arc::new(durable.marks.clone());
        },
    );
    // If that failed, the manifest may name the new tables or not: the next open removes them if
    // it does not.
    changed?;
    flush.end(&written);
    keeper.erasing.replaced_memtable(&memtable);
    // Left over at the worst: the next open removes what no manifest names.
    let log = names::numbered(&keeper.dir, FileKind::Log, memtable.log);
    let _ = keeper.options.world.disk.remove(&log);
    Ok(true)
}
