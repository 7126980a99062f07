//! The point-in-time join: a spine of entities and times against features.
//!
//! A [`Joiner`] pins one state for its whole life and takes the spine in parts of any size, so the
//! caller decides how much memory the join takes. The rows of a part, up to a million at once, are brought
//! together by entity, unless that is how they come. Each entity is looked up once, and its rows are
//! answered beside one another, mostly in the order of time, into the columns of the answer; the entities
//! are split over the cores. Then each column is brought to the order in which the rows went in.

use std::sync::Arc;

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::{EventTime, KnownTime, Span};
use asofdb_format::wire::wide;
use parking_lot::Mutex;

use crate::files::table::HeadRow;
use crate::metrics::{Lookup, Visits};
use crate::read::asked::Asked;
use crate::read::direct::put_after;
use crate::read::how::{JoinKnown, JoinOptions, Stand};
use crate::read::joined::{Joined, Unanswered};
use crate::read::landing::{Landing, MOST_ROWS};
use crate::read::part::{
    Group, GroupRoom, ManyRoom, PartCells, PartColumns, Views, answer_group, answer_in_memory,
    answer_many,
};
use crate::read::plan::{Ask, Pinned, check_stamp, clamp, shifted};
use crate::read::resolve::View;
use crate::read::row::{table_may_hold, table_may_offer};
use crate::read::selection::Selection;
use crate::read::source::{Found, LastBlock, offer_memtable, offer_row};
use crate::read::spared::sees_row;
use crate::read::spine::{self, MANY_ROWS, Piece, SpineRow};
use crate::state::live::{Keeper, State};
use crate::state::memtable::EntityNode;
use crate::state::snapshots::Snapshot;
use crate::sync::Shared;
use crate::types::answer::Stamp;
use crate::types::cells::is_bytes;
use crate::types::error::{Error, Result};
use crate::types::spec::Feature;

/// Joins parts of a spine against features, all seen from one commit.
///
/// ```
/// use asofdb::{Batch, Durability, EventTime, FeatureSpec, JoinOptions, Options, Store, ValueType};
/// # fn main() -> asofdb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path().join("store"), Options::new())?;
/// store.define(FeatureSpec::new("customer:spend_30d", ValueType::F64))?;
/// let hour = |n: i64| EventTime(1_700_000_000_000_000 + n * 3_600_000_000);
/// let mut batch = Batch::new();
/// batch.put("customer-7", "customer:spend_30d", hour(1), 42.5);
/// batch.put("customer-7", "customer:spend_30d", hour(3), 43.0);
/// store.write(batch, Durability::Buffered)?;
/// let joiner = store.joiner(&store.select_all(), JoinOptions::new())?;
/// let spine = [Some(("customer-7", hour(2))), Some(("customer-7", hour(0))), None];
/// let joined = joiner.join(&spine)?;
/// let spend = joined.column(0).unwrap();
/// let told: Vec<_> = (0..3).map(|row| spend.value(row).and_then(|value| value.as_f64())).collect();
/// assert_eq!(told, [Some(42.5), None, None]);
/// # store.close()
/// # }
/// ```
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

/// About how many answers are made entity by entity before they go to columns: so many are in the
/// cache of a core.
const CELLS_BESIDE: usize = 1 << 13;

/// In more pieces a spine is not taken down: who sorts one looks at the rows of all.
const MOST_PIECES: usize = 8;

/// So many entities are looked at side by side before they are asked about.
const AHEAD: usize = 8;

impl Joiner {
    pub(crate) fn new(
        keeper: &Arc<Keeper>,
        features: &Selection,
        options: JoinOptions,
    ) -> Result<Self> {
        features.check_of(keeper)?;
        // Held first: what is pinned afterwards is seen from this commit or a later one.
        let newest = || keeper.snapshots.hold(|| keeper.state().visible());
        let (held, stand) = match &options.stand {
            Stand::Newest => {
                let newest = newest();
                (newest.clone(), Stand::Snapshot(newest))
            }
            Stand::Snapshot(snapshot) => (snapshot.clone(), options.stand.clone()),
            Stand::Stamp(_) => (newest(), options.stand.clone()),
        };
        let pinned = Pinned::new(keeper, &stand)?;
        let ask = |(place, feature)| {
            let ask = pinned.ask(keeper, (place, feature), options.max_age)?;
            check_stamp(keeper, &stand, &ask, feature).map(|()| ask)
        };
        let asks = features.by_id().map(ask).collect::<Result<_>>()?;
        let stamp = pinned.stamp();
        let (keeper, features) = (Arc::clone(keeper), features.clone());
        let state = pinned.state;
        Ok(Self { keeper, features, options, asks, state, stamp, _held: held })
    }

    /// The features, in the order of the columns.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        self.features.features()
    }

    /// Answers a part of the spine: a row for each row, in the same order. `None`, for a null
    /// entity or time, matches nothing. Beside the answers it takes some 120 bytes a row. More than 2^20
    /// rows are joined piece by piece, and an entity is looked up in each piece that has rows of it.
    ///
    /// # Errors
    /// [`Error::BelowHorizon`] if a row asks about a moment below the horizon of a feature; it
    /// names the first such feature of the first such row.
    pub fn join<E: AsRef<[u8]> + Sync>(&self, rows: &[Option<(E, EventTime)>]) -> Result<Joined> {
        self.check_horizons(rows)?;
        let types = self.features().iter().map(|feature| feature.value_type);
        let mut unanswered = Unanswered::new(types, rows.len());
        let mut columns = unanswered.columns();
        for rows in rows.chunks(MOST_ROWS) {
            self.answer(rows, columns.split_off(rows.len()))?;
        }
        Ok(unanswered.answered(self.stamp))
    }

    /// Answers rows into columns that have a row for each.
    fn answer<E: AsRef<[u8]> + Sync>(
        &self,
        rows: &[Option<(E, EventTime)>],
        mut columns: PartColumns<'_>,
    ) -> Result<()> {
        let scheduler = &*self.keeper.options.world.scheduler;
        let threads = self.threads_for(rows.len()).min(MOST_PIECES);
        let spine = spine::sorted(self.take_down(rows, threads), threads, scheduler);
        let threads = self.threads_for(spine.len());
        let parts = spine::split(&spine, threads);
        self.state.monitor.watched(self.answer_all(&parts, columns.reborrowed()))?;
        Landing::of(&spine, rows.len()).bring(&mut columns, threads, scheduler);
        Ok(())
    }

    /// The rows that ask about something, in about as many pieces as there are threads.
    fn take_down<'e, E: AsRef<[u8]> + Sync>(
        &self,
        rows: &'e [Option<(E, EventTime)>],
        threads: usize,
    ) -> Vec<Piece<'e>> {
        let at_once = rows.len().div_ceil(threads).max(1);
        let take_down = |first: usize, piece: &mut Piece<'e>| {
            for (row, asked) in rows.iter().enumerate().skip(first).take(at_once) {
                let Some((entity, at)) = asked else { continue };
                // A moment before all time matches nothing.
                let t = shifted(*at, self.options.delay, self.options.before);
                if let Ok(t) = i64::try_from(t) {
                    piece.push(SpineRow::new(row, entity.as_ref(), EventTime(t)));
                }
            }
        };
        let firsts = (0..rows.len()).step_by(at_once);
        let mut pieces: Vec<_> =
            firsts.map(|first| (first, Piece::of_up_to(at_once, rows.len()))).collect();
        let jobs = pieces.iter_mut().map(|(first, piece)| {
            let take_down = &take_down;
            let job: Box<dyn FnOnce() + Send + '_> = Box::new(move || take_down(*first, piece));
            job
        });
        if threads == 1 {
            jobs.for_each(|take_down| take_down());
        } else {
            self.keeper.options.world.scheduler.run_all(jobs.collect());
        }
        pieces.into_iter().map(|(_, piece)| piece).collect()
    }

    fn threads_for(&self, rows: usize) -> usize {
        let scheduler = &self.keeper.options.world.scheduler;
        let threads = self.options.threads.unwrap_or(scheduler.parallelism()).max(1);
        // Small parts do not pay for threads.
        threads.min(rows / 1024 + 1)
    }

    /// Refuses rows below a horizon before anything is done for any row.
    fn check_horizons<E>(&self, rows: &[Option<(E, EventTime)>]) -> Result<()> {
        if self.asks.iter().all(|ask| ask.horizon.is_none()) {
            return Ok(());
        }
        rows.iter().flatten().try_for_each(|(_, at)| {
            self.check_horizon(shifted(*at, self.options.delay, self.options.before), *at)
        })
    }

    fn check_horizon(&self, t: i128, at: EventTime) -> Result<()> {
        let known = match self.options.known {
            JoinKnown::Anything => None,
            JoinKnown::At(k) => Some(i128::from(k.0)),
            JoinKnown::RowLess(lag) => Some(i128::from(at.0) - i128::from(lag.micros())),
        };
        let below = |ask: &Ask| {
            let horizon = i128::from(ask.horizon?.0);
            let known = known.filter(|known| *known < horizon);
            Some(t).filter(|t| *t < horizon).or(known)
        };
        let asked = |ask| Some((ask, below(ask)?));
        let first = self.asks.iter().filter_map(asked).min_by_key(|(ask, _)| ask.place);
        let Some((ask, asked)) = first else { return Ok(()) };
        let name = self.features.features().get(ask.place).map(|feature| feature.name.clone());
        Err(Error::BelowHorizon {
            feature: name.unwrap_or_default(),
            asked: clamp(asked),
            horizon: ask.horizon.unwrap_or(EventTime::MIN),
        })
    }

    /// Answers parts of the spine beside one another, into the first rows of columns.
    fn answer_all(&self, parts: &[&[SpineRow<'_>]], mut columns: PartColumns<'_>) -> Result<()> {
        if let [part] = parts {
            return self.answer_part(part, columns);
        }
        let results: Vec<Mutex<Result<()>>> = parts.iter().map(|_| Mutex::new(Ok(()))).collect();
        let jobs = parts.iter().zip(&results).map(|(part, result)| {
            let columns = columns.split_off(part.len());
            let job: Box<dyn FnOnce() + Send + '_> =
                Box::new(move || *result.lock() = self.answer_part(part, columns));
            job
        });
        self.keeper.options.world.scheduler.run_all(jobs.collect());
        results.into_iter().try_for_each(Mutex::into_inner)
    }

    fn answer_part(&self, spine: &[SpineRow<'_>], mut columns: PartColumns<'_>) -> Result<()> {
        let features = self.asks.len();
        let has_bytes = self.asks.iter().any(|ask| is_bytes(ask.value_type));
        let mut cells = PartCells::none(has_bytes);
        let mut room = Room {
            spare: cells.of_none(),
            known: Vec::new(),
            alone: Vec::new(),
            group: GroupRoom::default(),
            many: ManyRoom::default(),
        };
        let mut asked = Asked::new(self.asks.clone());
        let (mut groups, mut times) = (Vec::new(), Vec::new());
        let mut first = 0;
        // In the order of tables the next entities lie behind this one, and come by themselves.
        let is_as_tables = spine.is_sorted_by_key(|row| row.hash);
        let mut rest = spine.chunk_by(SpineRow::is_of_entity).peekable();
        // A part may also begin or end among many rows, and then has few of them.
        let are_many =
            |rows: &[SpineRow<'_>]| rows.len() >= MANY_ROWS || !rows.is_sorted_by_key(|row| row.t);
        while rest.peek().is_some() {
            if let Some(rows) = rest.next_if(|rows| are_many(rows)) {
                self.answer_many(rows, &mut asked, (&mut cells, &mut room), (&mut columns, first))?;
                first += rows.len();
                continue;
            }
            groups.clear();
            let mut rows_here = 0;
            let some = rest.clone();
            while let Some(rows) = rest.next_if(|rows| {
                let cells = (rows_here + rows.len()) * features;
                !are_many(rows) && (rows_here == 0 || cells <= CELLS_BESIDE)
            }) {
                groups.push(rows.len());
                rows_here += rows.len();
            }
            cells.reset(features, rows_here);
            let mut first_here = 0;
            let mut ahead = some.clone().take(groups.len());
            for (number, rows) in some.take(groups.len()).enumerate() {
                if !is_as_tables && number % AHEAD == 0 {
                    self.glance(&mut ahead);
                }
                times.clear();
                times.extend(rows.iter().map(|row| row.t));
                let group = Group { first: first_here, times: &times };
                let entity = self.look_up(rows)?;
                self.answer_entity(rows, entity, group, &mut asked, (&mut cells, &mut room))?;
                first_here += rows.len();
            }
            columns.take_over(first, &mut cells, &groups);
            first += rows_here;
        }
        Ok(())
    }

    /// Looks at what the tables will be asked for about the next entities, a step for all of them before
    /// the next step. Nothing is believed of what is looked at so.
    fn glance<'s, 'e: 's>(&self, entities: &mut impl Iterator<Item = &'s [SpineRow<'e>]>) {
        let mut earliest = [None; AHEAD];
        // The rows of an entity ascend by time here.
        earliest.iter_mut().zip(entities).for_each(|(row, rows)| *row = rows.first());
        let asked = earliest.into_iter().flatten().flat_map(|row| {
            self.state.tables.tables_of(row.hash).map(move |table| (&**table, row.hash, row.t))
        });
        let mut tables = [None; 2 * AHEAD];
        for (place, (table, hash, t)) in tables.iter_mut().zip(asked) {
            *place = Some((table, hash, t, table.glance_at_bucket(hash)));
        }
        let mut seen = 0;
        for (table, hash, t, bounds) in tables.into_iter().flatten() {
            let older = t < table.entry.max_event_time;
            seen ^= table.glance_at_row(hash, bounds, self.asks.len(), older);
        }
        std::hint::black_box(seen);
    }

    /// Answers many rows of one entity, in whatever order they were asked, into columns from a row on.
    fn answer_many(
        &self,
        rows: &[SpineRow<'_>],
        asked: &mut Asked,
        (cells, room): (&mut PartCells, &mut Room),
        (columns, first): (&mut PartColumns<'_>, usize),
    ) -> Result<()> {
        let mut entity = self.look_up(rows)?;
        if self.answer_as_asked(rows, &mut entity, asked, room, (columns, first))? {
            return Ok(());
        }
        let mut order: Vec<u32> = (0..).zip(rows).map(|(at, _)| at).collect();
        let row = |at: u32| rows.get(at as usize);
        order.sort_by_key(|at| row(*at).map(|row| row.t));
        let rows: Vec<_> = order.iter().filter_map(|at| row(*at).copied()).collect();
        let times: Vec<_> = rows.iter().map(|row| row.t).collect();
        cells.reset(self.asks.len(), rows.len());
        let group = Group { first: 0, times: &times };
        self.answer_entity(&rows, entity, group, asked, (&mut *cells, room))?;
        columns.take_over_one(first, cells, &order);
        Ok(())
    }

    /// Answers many rows of one entity that all know the same, if one row of a table holds it.
    fn answer_as_asked(
        &self,
        rows: &[SpineRow<'_>],
        entity: &mut LookedUp<'_>,
        asked: &mut Asked,
        room: &mut Room,
        (columns, first): (&mut PartColumns<'_>, usize),
    ) -> Result<bool> {
        let Some(any) = rows.first() else { return Ok(true) };
        let known = match self.options.known {
            JoinKnown::RowLess(_) => return Ok(false),
            _ => self.known(any).flatten(),
        };
        let view = self.view_of(any, known);
        let LookedUp { sources, visits } = entity;
        let ([row], []) = (&*sources.rows, &*sources.nodes) else { return Ok(false) };
        let times: Vec<_> = rows.iter().map(|row| row.t).collect();
        let span = times.iter().min().zip(times.iter().max());
        let is_held = span.is_some_and(|(min, max)| table_may_hold(row.table, (*min, *max), &view));
        if !is_held {
            return Ok(false);
        }
        let head = row.head()?;
        let are_older_asked = times.iter().any(|t| *t < head.top_time());
        if !sees_row(&view, row, &head, are_older_asked)? {
            return Ok(false);
        }
        let Some(opened) = answer_many(row, asked, &times, &mut room.many, (columns, first))?
        else {
            return Ok(false);
        };
        visits.open_history(opened);
        self.count(rows, visits);
        Ok(true)
    }

    /// What a row sees that knows what was known at a moment, or all.
    fn view_of(&self, row: &SpineRow<'_>, known_at: Option<KnownTime>) -> View<'_> {
        View::of(&self.state.taken, row.entity(), self.stamp.commit, known_at)
    }

    /// Counts the rows of an entity that was looked up for them.
    fn count(&self, rows: &[SpineRow<'_>], visits: &Visits) {
        let joined = Lookup::Join { rows: wide(rows.len()) };
        self.state.monitor.reads.count(joined, self.asks.len(), visits);
    }

    /// What the sources have of the entity of some rows.
    fn look_up(&self, rows: &[SpineRow<'_>]) -> Result<LookedUp<'_>> {
        let mut visits = Visits::new();
        let sources = match rows.first() {
            Some(row) => Sources::of(&self.state, row.hash, row.entity(), &mut visits)?,
            None => Sources { nodes: Vec::new(), rows: Vec::new() },
        };
        Ok(LookedUp { sources, visits })
    }

    /// Answers the rows of one entity, which ascend by time.
    fn answer_entity(
        &self,
        rows: &[SpineRow<'_>],
        LookedUp { sources, mut visits }: LookedUp<'_>,
        group: Group<'_>,
        asked: &mut Asked,
        (cells, room): (&mut PartCells, &mut Room),
    ) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let all = self.view_of(first, None);
        let mut alone = std::mem::take(&mut room.alone);
        alone.clear();
        // Rows ascend by time: the first is the one that may have known least.
        if let Some(known_at) = self.known(first) {
            let mut each = std::mem::take(&mut room.known);
            each.clear();
            if let JoinKnown::RowLess(lag) = self.options.known {
                each.extend(rows.iter().filter_map(|row| self.known_at_row(row, lag)));
            }
            let views = Views { first: View { known_at, ..all }, known: &each };
            let to = (&mut *cells, &mut *room, &mut alone);
            self.answer_group(&sources, asked, &views, group, to, &mut visits)?;
            room.known = each;
        } else {
            alone.extend(0..rows.len());
        }
        if !alone.is_empty() {
            alone.sort_unstable();
            alone.dedup();
            self.answer_alone((rows, &alone), (&sources, &all), group, asked, cells, &mut visits)?;
        }
        room.alone = alone;
        self.count(rows, &visits);
        Ok(())
    }

    /// Answers some rows of one entity, each by itself.
    fn answer_alone(
        &self,
        (rows, alone): (&[SpineRow<'_>], &[usize]),
        (sources, all): (&Sources<'_>, &View<'_>),
        group: Group<'_>,
        asked: &mut Asked,
        cells: &mut PartCells,
        visits: &mut Visits,
    ) -> Result<()> {
        let mut lasts: Vec<_> = self.asks.iter().map(|_| LastBlock::passing()).collect();
        for (at, row) in alone.iter().filter_map(|at| Some((*at, rows.get(*at)?))) {
            cells.clear_row(group, at);
            // Before all time nothing was known.
            let Some(known_at) = self.known(row) else { continue };
            asked.set_moment(row.t);
            let asks = asked.each();
            let best = sources.best(asks, &View { known_at, ..*all }, visits)?;
            for ((ask, found), last) in asks.iter().zip(best).zip(&mut lasts) {
                if let Some(found) = found {
                    put_after(ask, &found.version(), last, &mut cells.row(group, at))?;
                }
            }
        }
        Ok(())
    }

    /// Answers the rows of one entity from all that the sources have of it, of each feature what has
    /// the latest event time. Adds the rows that have to be answered one by one.
    fn answer_group(
        &self,
        sources: &Sources<'_>,
        asked: &mut Asked,
        views: &Views<'_>,
        group: Group<'_>,
        (cells, room, alone): (&mut PartCells, &mut Room, &mut Vec<usize>),
        visits: &mut Visits,
    ) -> Result<()> {
        let (Some(first), Some(last)) = (group.times.first(), group.times.last()) else {
            return Ok(());
        };
        let beside = Group { first: 0, ..group };
        let mut is_empty = true;
        for row in &sources.rows {
            if !table_may_hold(row.table, (*first, *last), &views.first) {
                continue;
            }
            let Room { spare, group: again, .. } = &mut *room;
            let opened = if is_empty {
                answer_group(row, asked, views, group, again, cells)?
            } else {
                spare.reset(self.asks.len(), group.times.len());
                answer_group(row, asked, views, beside, again, spare)?
            };
            visits.open_history(opened);
            if !is_empty {
                cells.take_newer(group, spare, alone);
            }
            is_empty = false;
        }
        let spare = &mut room.spare;
        for node in &sources.nodes {
            spare.reset(self.asks.len(), group.times.len());
            answer_in_memory(*node, asked.each(), views, beside, spare)?;
            cells.take_newer(group, spare, alone);
        }
        Ok(())
    }

    /// What a row may have known; `None`: nothing.
    fn known(&self, row: &SpineRow<'_>) -> Option<Option<KnownTime>> {
        match self.options.known {
            JoinKnown::Anything => Some(None),
            JoinKnown::At(k) => Some(Some(k)),
            JoinKnown::RowLess(lag) => self.known_at_row(row, lag).map(Some),
        }
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

/// Room that is used again from entity to entity.
struct Room {
    spare: PartCells,
    known: Vec<KnownTime>,
    /// Rows that are answered one by one.
    alone: Vec<usize>,
    group: GroupRoom,
    many: ManyRoom,
}

/// An entity, looked up once.
struct LookedUp<'s> {
    sources: Sources<'s>,
    visits: Visits,
}

/// All that the sources have of one entity.
struct Sources<'s> {
    nodes: Vec<EntityNode<'s>>,
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
            offer_memtable(*node, asks, view, &mut best);
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
