//! Records the bounds that garbage is judged by, before anything is dropped for them.

use std::sync::Arc;

use asofdb_format::edit::Edit;
use asofdb_format::ids::Commit;

use crate::state::durable::Durable;
use crate::state::live::Keeper;
use crate::types::error::Result;

/// Makes the bounds durable that the lagging clock gives, and tells the newest commit that every
/// reader sees: both are what [`garbage`](crate::shape::garbage) relies on from then on.
pub(crate) fn record(keeper: &Keeper) -> Result<Commit> {
    let now = keeper.lagging.read(&*keeper.options.world.clock);
    let newest = || keeper.state().visible();
    let seen_by_all = keeper.snapshots.seen_by_all(newest);
    let risen = |durable: &Durable| {
        // Asked under the keeper's lock: whoever takes a snapshot later sees every alter that is
        // in this picture, and needs no TTL from before it.
        let oldest = keeper.snapshots.oldest();
        let edits = durable.catalog.all().filter_map(|feature| {
            let bounds = feature.bounds(now, oldest);
            (bounds != feature.recorded).then(|| Edit::Bounds(feature.definition.id, bounds))
        });
        edits.collect::<Vec<_>>()
    };
    if keeper.look(|durable| risen(durable).is_empty()) {
        return Ok(seen_by_all);
    }
    keeper.change(
        |durable| Ok(risen(durable)),
        |state, durable| state.catalog = Arc::new(durable.catalog.clone()),
    )?;
    keeper.monitor.tell_risen();
    Ok(seen_by_all)
}
