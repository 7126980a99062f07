//! What compaction does next: policy alone, told by metadata. Reads are right whatever it chooses.
//!
//! In this order:
//!
//! 1. merge flushed tables when there are so many that writers are slowed;
//! 2. drop files in which all is garbage, unread;
//! 3. merge flushed tables with one another while they are few beside the present, into the present
//!    when they are not. A byte is then rewritten a bounded number of times as the store grows. If
//!    history outweighs what is newest in the present it is demoted on the way, so that the cost of
//!    the present depends on how many entities there are, not on how deep their history is;
//! 4. merge windows of the past: the runs of one window when they are many, neighbouring windows when
//!    they are as old as they would together be wide. Their number grows with the logarithm of the
//!    history, and a version is rewritten as often;
//! 5. rewrite what a good part of has become garbage by the clock alone
//!    ([`wear`](crate::shape::wear)).

use asofdb_format::catalog::Bounds;
use asofdb_format::edit::{Level, Past};
use asofdb_format::ids::{Commit, EventTime, FeatureId, Span};
use asofdb_format::meta::FeatureMeta;

use crate::files::table::Table;
use crate::shape::demote::Window;
use crate::state::arrangement::Run;
use crate::state::live::State;
use crate::sync::Shared;
use crate::types::options::Options;

/// So many neighbouring windows are merged into one.
const FAN: usize = 4;

/// A window is at most this part of the shortest history of a feature that has a good part of it.
pub(crate) const WINDOWS_A_HISTORY: i64 = 12;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Task {
    /// Remove tables in which all is garbage.
    Drop(Vec<Shared<Table>>),
    /// Merge tables into others.
    Merge { inputs: Vec<Shared<Table>>, place: Place },
}

/// Where a merge puts what it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Recent,
    Present,
    /// What was superseded goes to the past.
    Parted,
    /// To one window of the past.
    Window(EventTime, EventTime),
}

impl Place {
    /// Where a table stands now.
    pub(crate) fn of(table: &Table) -> Self {
        match table.entry.level {
            Level::Recent => Self::Recent,
            Level::Present => Self::Present,
            Level::Past(Past { window: (first, last), .. }) => Self::Window(first, last),
        }
    }
}

/// What the policy looks at.
#[derive(Debug)]
pub(crate) struct Policy<'p> {
    pub(crate) state: &'p State,
    pub(crate) options: &'p Options,
    /// The clock that compaction relies on.
    pub(crate) now: EventTime,
    /// The oldest snapshot that is held.
    pub(crate) oldest: Option<Commit>,
    /// The newest commit that every reader sees.
    pub(crate) seen_by_all: Commit,
}

impl Policy<'_> {
    /// The next task, if there is any.
    pub(crate) fn next(&self) -> Option<Task> {
        let crowded = self.is_crowded();
        crowded
            .then(|| self.of_recent())
            .flatten()
            .or_else(|| self.droppable())
            .or_else(|| self.of_recent())
            .or_else(|| self.of_windows())
            .or_else(|| self.worn())
    }

    /// Whether there are so many flushed tables that writers are slowed.
    pub(crate) fn is_crowded(&self) -> bool {
        let slow_from = self.options.slow_recent_tables.max(self.options.max_recent_tables);
        self.state.tables.recent().len() >= slow_from
    }

    /// All tables, arranged anew.
    pub(crate) fn everything(&self) -> Option<Task> {
        let inputs: Vec<_> = self.state.tables.all().cloned().collect();
        let place = if self.is_deep(&inputs) { Place::Parted } else { Place::Present };
        (!inputs.is_empty()).then_some(Task::Merge { inputs, place })
    }

    fn of_recent(&self) -> Option<Task> {
        let (recent, present) = (self.state.tables.recent(), self.state.tables.present());
        let most = self.options.max_recent_tables.max(2);
        let many = recent.len() >= most.saturating_mul(4) || self.is_crowded();
        let heavy = bytes(recent).saturating_mul(3) >= bytes(present);
        // Where there is no present yet, few merged early would soon be merged again.
        let few = heavy && !present.is_empty();
        if recent.len() < if few { most.div_ceil(2).max(2) } else { most } {
            return None;
        }
        if many || heavy {
            let mut inputs: Vec<_> = recent.iter().chain(present).cloned().collect();
            // What a revert made unknown of the past is found out again beside the present.
            let newest_revert = self.state.taken.newest_revert;
            let void = |table: &&Shared<Table>| {
                table.entry.level.past().is_some_and(|past| past.made < newest_revert)
            };
            inputs.extend(self.state.tables.all().filter(void).cloned());
            let place = if self.is_deep(&inputs) { Place::Parted } else { Place::Present };
            return Some(Task::Merge { inputs, place });
        }
        // Only tables of less than half the length that tables are made: merging two or more of
        // them makes fewer, so this comes to an end.
        let is_small = |table: &&Shared<Table>| table.entry.len < self.options.table_bytes / 2;
        let inputs: Vec<Shared<Table>> = recent.iter().filter(is_small).cloned().collect();
        (inputs.len() >= (most / 2).max(2)).then_some(Task::Merge { inputs, place: Place::Recent })
    }

    /// Whether history outweighs what is newest. A little of it is not worth files of its own.
    fn is_deep(&self, tables: &[Shared<Table>]) -> bool {
        let sum = |part: fn(&Table) -> u64| tables.iter().map(|table| part(table)).sum::<u64>();
        let history = sum(|table| table.layout.history.len);
        let newest = sum(|table| table.layout.heads.len + table.layout.far.len);
        history >= self.options.table_bytes / 4
            && history > newest.saturating_mul(self.options.present_depth)
    }

    fn droppable(&self) -> Option<Task> {
        let garbage = |table: &&Shared<Table>| self.is_all_garbage(table);
        let all: Vec<_> = self.state.tables.all().filter(garbage).cloned().collect();
        (!all.is_empty()).then_some(Task::Drop(all))
    }

    /// Whether all that a table holds is garbage under the bounds that the clock gives.
    fn is_all_garbage(&self, table: &Table) -> bool {
        self.is_all_garbage_under(table, |id| self.bounds(id))
    }

    /// Whether all that a table holds is garbage under the bounds that are recorded.
    pub(crate) fn is_all_garbage_as_recorded(&self, table: &Table) -> bool {
        self.is_all_garbage_under(table, |id| Some(self.state.catalog.get(id)?.recorded))
    }

    fn is_all_garbage_under(
        &self,
        table: &Table,
        bounds: impl Fn(FeatureId) -> Option<Bounds>,
    ) -> bool {
        let all = |(id, meta): (&FeatureId, &FeatureMeta)| {
            let Some(bounds) = bounds(*id) else { return false };
            bounds.forgotten.is_some_and(|forgotten| meta.newest < forgotten)
                || self.is_below(table.entry.level.past(), bounds)
        };
        table.meta.features.iter().all(all)
    }

    pub(crate) fn is_below(&self, past: Option<&Past>, bounds: Bounds) -> bool {
        past.is_some_and(|past| {
            superseded_for_all(past, bounds, self.seen_by_all, self.state.taken.newest_revert)
        })
    }

    pub(crate) fn bounds(&self, id: FeatureId) -> Option<Bounds> {
        Some(self.state.catalog.get(id)?.bounds(self.now, self.oldest))
    }

    fn of_windows(&self) -> Option<Task> {
        let windows = windows_of(self.state.tables.past());
        let crowded = windows.iter().find_map(|window| {
            let runs = small_runs(&window.runs, self.options.max_recent_tables.clamp(2, FAN))?;
            Some((runs, (window.first, window.last)))
        });
        let neighbours = || {
            windows.windows(FAN).rev().find_map(|group| {
                let (newest, oldest) = (group.first()?, group.last()?);
                let tables = || group.iter().flat_map(|window| window.tables());
                // The oldest window is open towards the past: what it holds is what counts.
                let first = oldest.first.max(tables().map(|t| t.entry.min_event_time).min()?);
                let wide = i128::from(newest.last.0) - i128::from(first.0);
                let age = i128::from(self.now.0) - i128::from(newest.last.0);
                let limit = self
                    .shortest_history(tables())
                    .map_or(i128::MAX, |history| i128::from(history.micros() / WINDOWS_A_HISTORY));
                (wide <= age && wide <= limit)
                    .then(|| (tables().cloned().collect::<Vec<_>>(), (oldest.first, newest.last)))
            })
        };
        let (inputs, (first, last)) = crowded.or_else(neighbours)?;
        Some(Task::Merge { inputs, place: Place::Window(first, last) })
    }

    /// The shortest history of a feature that has a good part of what these tables hold.
    fn shortest_history<'t>(
        &self,
        tables: impl Iterator<Item = &'t Shared<Table>>,
    ) -> Option<Span> {
        let mut revisions = std::collections::BTreeMap::<FeatureId, u64>::new();
        for table in tables {
            for (id, meta) in &table.meta.features {
                *revisions.entry(*id).or_default() += meta.revisions;
            }
        }
        let all: u64 = revisions.values().sum();
        let many = revisions.iter().filter(|(_, count)| **count >= all / 16);
        many.filter_map(|(id, _)| self.state.catalog.get(*id)?.terms().history)
            .filter(|history| *history > Span::ZERO)
            .min()
    }

    /// The windows that a merge parts history into: those that there are, and up to `limit` new
    /// ones; runs are numbered by `number`.
    pub(crate) fn plan_windows(
        &self,
        inputs: &[Shared<Table>],
        limit: EventTime,
        mut number: impl FnMut() -> u64,
    ) -> Vec<Window> {
        let is_input = |table: &Shared<Table>| {
            inputs.iter().any(|input| input.entry.number == table.entry.number)
        };
        let mut windows: Vec<(EventTime, EventTime)> = windows_of(self.state.tables.past())
            .iter()
            .filter(|window| !window.tables().all(is_input))
            .map(|window| (window.first, window.last))
            .rev()
            .collect();
        // What lies before the oldest window belongs to it, and between two of them to the later.
        let mut next = EventTime::MIN;
        for (first, last) in &mut windows {
            *first = next;
            next = EventTime(last.0.saturating_add(1));
        }
        if next <= limit {
            let shortest = self.shortest_history(inputs.iter());
            let width =
                shortest.map_or(i64::MAX, |history| (history.micros() / WINDOWS_A_HISTORY).max(1));
            let kept = shortest.and_then(|history| limit.0.checked_sub(history.micros()));
            let mut first = next;
            let mut cut = kept.filter(|kept| *kept > first.0).unwrap_or_else(|| {
                if first == EventTime::MIN { limit.0 } else { first.0.saturating_add(width) }
            });
            while cut < limit.0 {
                windows.push((first, EventTime(cut - 1)));
                first = EventTime(cut);
                cut = cut.saturating_add(width);
            }
            windows.push((first, limit));
        }
        let window = |(first, last)| Window { run: number(), first, last };
        windows.into_iter().map(window).collect()
    }
}

/// Whether every revision of a table of the past is garbage for a feature with these bounds: what
/// superseded the last of them is at or below the horizon, everybody sees it, and no revert came
/// since that may have taken it away.
pub(crate) fn superseded_for_all(
    past: &Past,
    bounds: Bounds,
    seen_by_all: Commit,
    newest_revert: Commit,
) -> bool {
    bounds.horizon.is_some_and(|horizon| past.superseded <= horizon)
        && past.superseded.0 <= seen_by_all.0
        && newest_revert <= past.made
}

pub(crate) fn bytes(tables: &[Shared<Table>]) -> u64 {
    tables.iter().map(|table| table.entry.len).sum()
}

/// A window of the past with all its runs.
#[derive(Debug)]
struct Windowed<'r> {
    first: EventTime,
    last: EventTime,
    runs: Vec<&'r Run>,
}

impl<'r> Windowed<'r> {
    fn tables(&self) -> impl Iterator<Item = &'r Shared<Table>> {
        self.runs.iter().flat_map(|run| &run.tables)
    }
}

/// The windows that runs stand for, the newest first: runs whose windows overlap are of one.
fn windows_of(runs: &[Run]) -> Vec<Windowed<'_>> {
    let mut windows: Vec<Windowed<'_>> = Vec::new();
    for run in runs {
        let (first, last) = run.window;
        match windows.last_mut() {
            Some(window) if window.first <= last => {
                window.first = window.first.min(first);
                window.runs.push(run);
            }
            _ => windows.push(Windowed { first, last, runs: vec![run] }),
        }
    }
    windows
}

/// The runs of a window that are to be merged, when there are at least so many: those that are small
/// beside the greatest, and that one too if they are no longer small beside it together.
fn small_runs(runs: &[&Run], many: usize) -> Option<Vec<Shared<Table>>> {
    if runs.len() < many {
        return None;
    }
    let largest = runs.iter().map(|run| bytes(&run.tables)).max()?;
    let is_small = |run: &&&Run| bytes(&run.tables) < largest / 2;
    let small: u64 = runs.iter().filter(is_small).map(|run| bytes(&run.tables)).sum();
    let few = runs.iter().filter(is_small).count() < 2;
    let all = few || small >= largest / 2;
    let chosen = runs.iter().filter(|run| all || is_small(run));
    Some(chosen.flat_map(|run| run.tables.iter().cloned()).collect())
}
