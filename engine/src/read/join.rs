//! The point-in-time join: a spine of entities and times against features.
//!
//! A [`Joiner`] pins one state for its whole life and takes the spine in parts of any size, so the
//! caller decides how much memory the join takes. The rows of a part are grouped by entity and
//! time, each entity is looked up once, and its rows are answered beside one another; the groups
//! are split over the cores. Rows come out in the order in which they went in.

use std::sync::Arc;

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::{EventTime, KnownTime, Span};
use asofdb_format::value::Value;
use asofdb_format::wire::wide;
use parking_lot::Mutex;

use crate::files::table::HeadRow;
use crate::metrics::{Lookup, Visits};
use crate::read::how::{JoinKnown, JoinOptions, Stand};
use crate::read::plan::{Ask, Pinned, clamp, shifted};
use crate::read::resolve::View;
use crate::read::row::{answer_of, table_may_offer};
use crate::read::selection::Selection;
use crate::read::source::{Found, offer_memtable, offer_row};
use crate::state::live::{Keeper, State};
use crate::state::memtable::EntityNode;
use crate::state::snapshots::Snapshot;
use crate::sync::Shared;
use crate::types::answer::{Answer, Stamp, Status};
use crate::types::error::{Error, Result};
use crate::types::spec::Feature;

/// Joins parts of a spine against features, all seen from one commit.
#[derive(Debug)]
pub struct Joiner {
    keeper: Arc<Keeper>,
    features: Selection,
    options: JoinOptions,
    asks: Vec<Ask>,
    state: Shared<State>,
    stamp: Stamp,
    /// Keeps compaction from dropping what the join sees.
    _held: Snapshot,
}

/// The answers to a part of a spine: a column a feature, a row for each row of the part.
#[derive(Clone, Debug)]
pub struct Joined {
    rows: usize,
    columns: Vec<JoinedColumn>,
    stamp: Stamp,
}

/// The answers of one feature.
#[derive(Clone, Debug)]
pub struct JoinedColumn {
    status: Vec<Status>,
    event_times: Vec<i64>,
    values: Vec<Option<Value>>,
}

impl Joined {
    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in the order of the selection.
    #[must_use]
    pub fn columns(&self) -> &[JoinedColumn] {
        &self.columns
    }

    /// The column of the n-th feature of the selection.
    #[must_use]
    pub fn column(&self, feature: usize) -> Option<&JoinedColumn> {
        self.columns.get(feature)
    }

    /// What the join saw.
    #[must_use]
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }
}

impl JoinedColumn {
    fn missing(rows: usize) -> Self {
        Self {
            status: vec![Status::Missing; rows],
            event_times: vec![0; rows],
            values: vec![None; rows],
        }
    }

    /// Which of the five answers each row got.
    #[must_use]
    pub fn status(&self) -> &[Status] {
        &self.status
    }

    /// A row's value, if it is fresh.
    #[must_use]
    pub fn value(&self, row: usize) -> Option<&Value> {
        self.values.get(row)?.as_ref()
    }

    /// The event time of a row's version, of whatever answer but `Missing`.
    #[must_use]
    pub fn event_time(&self, row: usize) -> Option<EventTime> {
        let status = self.status.get(row)?;
        (*status != Status::Missing).then(|| self.event_times.get(row).copied().map(EventTime))?
    }

    fn set(&mut self, row: usize, answer: Answer) {
        let time = answer.event_time().map_or(0, |time| time.0);
        if let Some(status) = self.status.get_mut(row) {
            *status = answer.status();
        }
        if let Some(event_time) = self.event_times.get_mut(row) {
            *event_time = time;
        }
        if let (Answer::Value(value, _), Some(cell)) = (answer, self.values.get_mut(row)) {
            *cell = Some(value);
        }
    }
}

/// One row of the spine that asks about something.
struct SpineRow<'e> {
    row: usize,
    hash: EntityHash,
    entity: &'e [u8],
    t: EventTime,
}

/// About how many answers are made before they go to their columns.
const CELLS_AT_ONCE: usize = 1 << 20;

/// Answers of some rows: row, place of the feature, answer.
type Answers = Vec<(usize, usize, Answer)>;

impl Joiner {
    pub(crate) fn new(
        keeper: &Arc<Keeper>,
        features: &Selection,
        options: JoinOptions,
    ) -> Result<Self> {
        // Held first: what is pinned afterwards is seen from this commit or a later one.
        let held = match &options.from {
            Some(snapshot) => snapshot.clone(),
            None => keeper.snapshots.hold(|| keeper.state().visible()),
        };
        let pinned = Pinned::new(keeper, &Stand::Snapshot(held.clone()))?;
        let asks = features
            .by_id()
            .map(|feature| pinned.ask(keeper, feature, options.max_age))
            .collect::<Result<_>>()?;
        let stamp = pinned.stamp();
        let (keeper, features) = (Arc::clone(keeper), features.clone());
        Ok(Self { keeper, features, options, asks, state: pinned.state, stamp, _held: held })
    }

    /// The features, in the order of the columns.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        self.features.features()
    }

    /// Answers a part of the spine: a row for each row, in the same order. `None`, for a null
    /// entity or time, matches nothing.
    ///
    /// # Errors
    /// [`Error::BelowHorizon`] if a row asks about a moment below the horizon of a feature; it
    /// names the first such feature of the first such row.
    pub fn join<E: AsRef<[u8]> + Sync>(&self, rows: &[Option<(E, EventTime)>]) -> Result<Joined> {
        let mut spine = Vec::with_capacity(rows.len());
        for (row, asked) in rows.iter().enumerate() {
            let Some((entity, at)) = asked else { continue };
            let t = shifted(*at, self.options.delay, self.options.before);
            self.check_horizon(t, *at)?;
            // A moment before all time matches nothing.
            if let Ok(t) = i64::try_from(t) {
                let entity = entity.as_ref();
                let hash = EntityHash::of(entity);
                spine.push(SpineRow { row, hash, entity, t: EventTime(t) });
            }
        }
        spine.sort_unstable_by(|a, b| {
            (a.hash, a.entity, a.t, a.row).cmp(&(b.hash, b.entity, b.t, b.row))
        });
        let mut columns = vec![JoinedColumn::missing(rows.len()); self.features.len()];
        // Answers on their way to the columns take far more room than there: a bounded number at a
        // time.
        let rows_at_once = (CELLS_AT_ONCE / self.features.len().max(1)).max(1024);
        for part in spine.chunks(rows_at_once) {
            for (row, place, answer) in self.state.monitor.watched(self.answer_all(part))? {
                if let Some(column) = columns.get_mut(place) {
                    column.set(row, answer);
                }
            }
        }
        Ok(Joined { rows: rows.len(), columns, stamp: self.stamp })
    }

    fn check_horizon(&self, t: i128, at: EventTime) -> Result<()> {
        let below = |asked: i128| {
            let is_below =
                |ask: &&Ask| ask.horizon.is_some_and(|horizon| asked < i128::from(horizon.0));
            let first = self.asks.iter().filter(is_below).min_by_key(|ask| ask.place)?;
            Some((first, asked))
        };
        let known = match self.options.known {
            JoinKnown::Anything => None,
            JoinKnown::At(k) => Some(i128::from(k.0)),
            JoinKnown::RowLess(lag) => Some(i128::from(at.0) - i128::from(lag.micros())),
        };
        let Some((ask, asked)) = below(t).or_else(|| below(known?)) else { return Ok(()) };
        let name = self.features.features().get(ask.place).map(|feature| feature.name.clone());
        Err(Error::BelowHorizon {
            feature: name.unwrap_or_default(),
            asked: clamp(asked),
            horizon: ask.horizon.unwrap_or(EventTime::MIN),
        })
    }

    fn answer_all(&self, spine: &[SpineRow<'_>]) -> Result<Answers> {
        let scheduler = &self.keeper.options.world.scheduler;
        let threads = self.options.threads.unwrap_or(scheduler.parallelism()).max(1);
        // Small parts do not pay for threads.
        let threads = threads.min(spine.len() / 1024 + 1);
        if threads == 1 {
            return self.answer_part(spine);
        }
        let results: Vec<Mutex<Option<Result<Answers>>>> =
            (0..threads).map(|_| Mutex::new(None)).collect();
        let jobs = split(spine, threads).into_iter().zip(&results).map(|(part, result)| {
            let job: Box<dyn FnOnce() + Send + '_> =
                Box::new(move || *result.lock() = Some(self.answer_part(part)));
            job
        });
        scheduler.run_all(jobs.collect());
        let mut all = Answers::new();
        for result in results {
            if let Some(part) = result.into_inner() {
                all.extend(part?);
            }
        }
        Ok(all)
    }

    fn answer_part(&self, spine: &[SpineRow<'_>]) -> Result<Answers> {
        let mut answers = Answers::with_capacity(spine.len() * self.asks.len());
        let mut asks = self.asks.clone();
        for rows in spine.chunk_by(|a, b| a.entity == b.entity) {
            let Some(first) = rows.first() else { continue };
            let erased = self.state.taken.erase_of(first.entity);
            let mut visits = Visits::new();
            let sources = Sources::of(&self.state, first.hash, first.entity, &mut visits)?;
            for row in rows {
                asks.iter_mut().for_each(|ask| ask.t = row.t);
                let known_at = match self.options.known {
                    JoinKnown::Anything => None,
                    JoinKnown::At(k) => Some(k),
                    JoinKnown::RowLess(lag) => match self.known_at_row(row, lag) {
                        Some(k) => Some(k),
                        // Before all time nothing was known.
                        None => continue,
                    },
                };
                let taken = &*self.state.taken;
                let view = View { seen_from: self.stamp.commit, known_at, erased, taken };
                for (ask, found) in asks.iter().zip(sources.best(&asks, &view, &mut visits)?) {
                    if let Some(found) = found {
                        let answer = answer_of(&self.state, ask, &found, row.t)?;
                        answers.push((row.row, ask.place, answer));
                    }
                }
            }
            let joined = Lookup::Join { rows: wide(rows.len()) };
            self.state.monitor.reads.count(joined, asks.len(), &visits);
        }
        Ok(answers)
    }

    /// What a row may have known: its own time, before delay and before its own microsecond are
    /// taken off, less the lag; `None`: before all time.
    fn known_at_row(&self, row: &SpineRow<'_>, lag: Span) -> Option<KnownTime> {
        let at = i128::from(row.t.0)
            + i128::from(self.options.delay.micros())
            + i128::from(self.options.before);
        i64::try_from(at - i128::from(lag.micros())).ok().map(KnownTime)
    }
}

/// Splits a sorted spine into about equal parts between entities.
fn split<'s, 'e>(spine: &'s [SpineRow<'e>], parts: usize) -> Vec<&'s [SpineRow<'e>]> {
    let mut out = Vec::with_capacity(parts);
    let mut rest = spine;
    for left in (1..=parts).rev() {
        let mut at = rest.len() / left;
        // A part may also end between two rows of one entity: both are then looked up.
        while at > 0 && at < rest.len() && rest.len() > 4096 {
            let same = rest.get(at - 1).map(|row| row.entity) == rest.get(at).map(|row| row.entity);
            if !same || at.is_multiple_of(4096) {
                break;
            }
            at += 1;
        }
        let at = if left == 1 { rest.len() } else { at };
        let (part, later) = rest.split_at(at.min(rest.len()));
        out.push(part);
        rest = later;
    }
    out
}

/// All that the sources have of one entity, looked up once.
struct Sources<'s> {
    nodes: Vec<&'s EntityNode>,
    rows: Vec<HeadRow<'s>>,
}

impl<'s> Sources<'s> {
    fn of(state: &'s State, hash: EntityHash, entity: &[u8], visits: &mut Visits) -> Result<Self> {
        let mut nodes = Vec::new();
        for memtable in state.memtables.iter().filter(|memtable| memtable.revisions() > 0) {
            visits.consider();
            let node = memtable.find(hash, entity);
            visits.asked(node.is_some());
            nodes.extend(node);
        }
        let mut rows = Vec::new();
        for table in state.tables.tables_of(hash) {
            visits.consider();
            let before = rows.len();
            for row in table.rows(hash, entity)? {
                rows.push(row?);
            }
            visits.asked(rows.len() > before);
        }
        Ok(Self { nodes, rows })
    }

    fn best(
        &self,
        asks: &[Ask],
        view: &View<'_>,
        visits: &mut Visits,
    ) -> Result<Vec<Option<Found<'s>>>> {
        let mut best = vec![None; asks.len()];
        for node in &self.nodes {
            offer_memtable(node, asks, view, &mut best);
        }
        for row in &self.rows {
            if !table_may_offer(row.table, asks, view, &best) {
                continue;
            }
            visits.open_history(offer_row(row, asks, view, &mut best)?);
        }
        Ok(best)
    }
}
