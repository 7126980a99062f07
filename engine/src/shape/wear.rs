//! When a table is written anew for what became garbage in it by the clock alone.
//!
//! It is once a good part of it has become garbage since it was made. But the horizon passes through
//! a window of the past in no more time than the window is wide, and where all was superseded soon
//! after, the table is then dropped unread: to rewrite it meanwhile, again and again, is work for
//! nothing. So a table of the past waits for what a bound takes from it *soon*, which is within a
//! twelfth of the feature's history:
//!
//! - while the horizon is about to reach the moment at which the last of it was superseded, for then
//!   all of it is garbage;
//! - while a bound is about to reach the end of its window, for then no more becomes garbage by it.
//!
//! What waits is never more than what was written in a twelfth of the history. A wider window, as
//! there may be where a history was shortened or is that of many features, is rewritten by and by.

use asofdb_format::ids::{EventTime, FeatureId};
use asofdb_format::meta::FeatureMeta;

use crate::files::table::Table;
use crate::shape::placement::{Place, Policy, Task, WINDOWS_A_HISTORY, bytes};
use crate::sync::Shared;

/// A table is rewritten when this part of it has become garbage since it was made.
const GARBAGE: f64 = 0.15;

impl Policy<'_> {
    /// Tables of which much has become garbage since they were made: one, or all of a run that is
    /// no longer than a table, for little may be left of each.
    pub(crate) fn worn(&self) -> Option<Task> {
        let is_worn = |table: &Shared<Table>| self.wear(table) >= GARBAGE;
        let run = self.state.tables.past().iter().find(|run| {
            bytes(&run.tables) <= self.options.table_bytes && run.tables.iter().all(is_worn)
        });
        let one = || self.state.tables.all().find(|table| is_worn(table)).cloned();
        let inputs = match run {
            Some(run) => run.tables.clone(),
            None => vec![one()?],
        };
        let place = Place::of(inputs.first()?);
        Some(Task::Merge { inputs, place })
    }

    /// About which part of a table has become garbage since it was made, if its versions are spread
    /// evenly over time; without what is waited for.
    fn wear(&self, table: &Table) -> f64 {
        let past = table.entry.level.past();
        let mut garbage = 0.0;
        for (id, meta) in &table.meta.features {
            let Some(bounds) = self.bounds(*id) else { continue };
            if self.is_below(past, bounds) {
                garbage += count(meta.revisions);
                continue;
            }
            let soon = self.soon(*id);
            let is_near = |end: EventTime, bound: Option<EventTime>| {
                bound.is_some_and(|bound| bound < end && end.0 <= bound.0.saturating_add(soon))
            };
            if past.is_some_and(|past| is_near(past.superseded, bounds.horizon)) {
                continue;
            }
            let passed = |before: Option<EventTime>, now: Option<EventTime>| match past {
                Some(past) if is_near(past.window.1, now) => 0.0,
                _ => passed(meta, before, now),
            };
            let made = meta.bounds;
            let superseded = count(meta.revisions.saturating_sub(table.entry.entities));
            let others = [meta.nulls, meta.deletes, meta.stubs];
            let values = others.iter().fold(meta.revisions, |left, of| left.saturating_sub(*of));
            let forgotten = passed(made.forgotten, bounds.forgotten) * count(meta.revisions);
            let superseded = passed(made.horizon, bounds.horizon) * superseded;
            let stale = passed(made.stale, bounds.stale) * count(values);
            garbage += forgotten.max(superseded).max(stale);
        }
        garbage / count(table.entry.revisions.max(1))
    }

    /// How long a table of the past is left to become garbage of a feature, in microseconds.
    fn soon(&self, id: FeatureId) -> i64 {
        let history = self.state.catalog.get(id).and_then(|feature| feature.terms().history);
        history.map_or(0, |history| history.micros() / WINDOWS_A_HISTORY)
    }
}

/// The part of a feature's time in a table that lies between two readings of a bound.
fn passed(meta: &FeatureMeta, before: Option<EventTime>, now: Option<EventTime>) -> f64 {
    let Some(now) = now else { return 0.0 };
    let from = before.map_or(meta.oldest, |before| before.max(meta.oldest));
    if now <= from || meta.newest < from {
        return 0.0;
    }
    let span = |to: EventTime| count(to.0.abs_diff(from.0)) + 1.0;
    span(now.min(meta.newest)) / span(meta.newest)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn count(n: u64) -> f64 {
    n as f64
}
