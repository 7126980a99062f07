//! One entity, many features: every source is looked at once for the entity, not once a feature.
//!
//! A source can offer nothing above (min(t, its newest event time), its newest known time, its
//! newest commit). A source is passed over when all that is asked already has an answer above
//! that. No order between sources is used, so late and imported data are right wherever they are.
//! A table of the past is passed over, too, by whoever asks about a moment at which something newer
//! stood before all that it holds.

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::EventTime;
use asofdb_format::revision::Order;

use crate::files::table::{HeadRow, Table};
use crate::metrics::{Lookup, Visits};
use crate::read::plan::{Ask, Plan};
use crate::read::resolve::View;
use crate::read::source::{Found, LastBlock, offer_memtable, offer_row};
use crate::state::arrangement::is_superseded;
use crate::state::live::State;
use crate::types::answer::{Answer, Origin, Row, Stale, Status};
use crate::types::error::{Error, Result};

/// The answers for one entity.
pub(crate) fn read_row(plan: &Plan, entity: &[u8]) -> Result<Row> {
    read_as(Lookup::Row, plan, entity, &mut LastBlock::default())
}

/// As [`read_row`], counted as what it is, and for who fetched values beside these before.
pub(crate) fn read_as(
    what: Lookup,
    plan: &Plan,
    entity: &[u8],
    last: &mut LastBlock,
) -> Result<Row> {
    let mut visits = Visits::new();
    let row = plan.state.monitor.watched(answer(plan, entity, last, &mut visits))?;
    plan.state.monitor.reads.count(what, plan.asks.len(), &visits);
    Ok(row)
}

fn answer(plan: &Plan, entity: &[u8], last: &mut LastBlock, visits: &mut Visits) -> Result<Row> {
    let view = plan.view(entity);
    let best = best_of(&plan.state, entity, &plan.asks, &view, visits)?;
    let mut answers = vec![Answer::Missing; plan.asks.len()];
    for (ask, found) in plan.asks.iter().zip(best) {
        if let (Some(found), Some(answer)) = (found, answers.get_mut(ask.place)) {
            *answer = answer_of(&plan.state, ask, &found, ask.t, last)?;
        }
    }
    Ok(Row { answers, stamp: plan.stamp })
}

/// The newest revision that the view sees for each ask, in the order of the asks.
pub(crate) fn best_of<'s>(
    state: &'s State,
    entity: &[u8],
    asks: &[Ask],
    view: &View<'_>,
    visits: &mut Visits,
) -> Result<Vec<Option<Found<'s>>>> {
    let mut best = vec![None; asks.len()];
    match look(state, EntityHash::of(entity), entity, asks, view, visits)? {
        Looked::Nothing => {}
        Looked::One(row) => visits.open_history(offer_row(&row, asks, view, &mut best)?),
        Looked::Best(found) => best = found,
    }
    Ok(best)
}

/// What the sources hold of an entity.
#[derive(Debug)]
pub(crate) enum Looked<'s> {
    Nothing,
    /// One row of one table holds all of it, and nothing was read of it yet.
    One(HeadRow<'s>),
    /// The newest revision for each ask.
    Best(Vec<Option<Found<'s>>>),
}

/// Looks an entity up in all sources that may have something to offer.
#[inline]
pub(crate) fn look<'s>(
    state: &'s State,
    hash: EntityHash,
    entity: &[u8],
    asks: &[Ask],
    view: &View<'_>,
    visits: &mut Visits,
) -> Result<Looked<'s>> {
    let mut looked = Looked::Nothing;
    for memtable in &state.memtables {
        if memtable.revisions() == 0 {
            continue;
        }
        visits.consider();
        if let Looked::Best(best) = &looked
            && !may_offer(memtable.upper_bound(), asks, best)
        {
            visits.pass_over();
            continue;
        }
        let node = memtable.find(hash, entity);
        visits.asked(node.is_some());
        if let Some(node) = node {
            offer_memtable(node, asks, view, looked.best(asks, view, visits)?);
        }
    }
    for table in state.tables.tables_of(hash) {
        visits.consider();
        if !table_may_offer(table, asks, view, looked.so_far(asks, view, visits)?) {
            visits.pass_over();
            continue;
        }
        let mut found = false;
        for row in table.rows(hash, entity)? {
            let row = row?;
            found = true;
            if matches!(looked, Looked::Nothing) {
                looked = Looked::One(row);
            } else {
                let best = looked.best(asks, view, visits)?;
                let opened = offer_row(&row, asks, view, best)?;
                visits.open_history(opened);
            }
        }
        visits.asked(found);
    }
    Ok(looked)
}

impl<'s> Looked<'s> {
    /// What was found, for something to be compared with it.
    fn best(
        &mut self,
        asks: &[Ask],
        view: &View<'_>,
        visits: &mut Visits,
    ) -> Result<&mut Vec<Option<Found<'s>>>> {
        if !matches!(self, Self::Best(_)) {
            let mut best = vec![None; asks.len()];
            if let Self::One(row) = self {
                visits.open_history(offer_row(row, asks, view, &mut best)?);
            }
            *self = Self::Best(best);
        }
        match self {
            Self::Best(best) => Ok(best),
            // It was made so above.
            _ => Err(Error::Closed),
        }
    }

    /// What was found, if anything was.
    fn so_far(
        &mut self,
        asks: &[Ask],
        view: &View<'_>,
        visits: &mut Visits,
    ) -> Result<&[Option<Found<'s>>]> {
        if matches!(self, Self::Nothing) {
            return Ok(&[]);
        }
        Ok(self.best(asks, view, visits)?)
    }
}

/// Whether a table may offer anything better than what was found, as far as its entry tells.
#[inline]
pub(crate) fn table_may_offer(
    table: &Table,
    asks: &[Ask],
    view: &View<'_>,
    best: &[Option<Found<'_>>],
) -> bool {
    let moments = || asks.iter().map(|ask| ask.t);
    let Some(span) = moments().min().zip(moments().max()) else { return false };
    may_offer(table.top_order(), asks, best) && table_may_hold(table, span, view)
}

/// Whether a table may hold anything that is asked for between two moments, as far as its entry tells.
#[inline]
pub(crate) fn table_may_hold(
    table: &Table,
    (earliest, latest): (EventTime, EventTime),
    view: &View<'_>,
) -> bool {
    let entry = &table.entry;
    if entry.min_commit > view.seen_from || latest < entry.min_event_time {
        return false;
    }
    let Some(past) = entry.level.past() else { return true };
    let known_at = view.known_at.map(|known_at| EventTime(known_at.0));
    let asked = known_at.map_or(earliest, |known_at| earliest.min(known_at));
    !is_superseded(past, asked, view.seen_from, view.taken.newest_revert)
}

/// Whether a source that is nowhere above `bound` may offer anything better than what was found.
#[inline]
fn may_offer(bound: Order, asks: &[Ask], best: &[Option<Found<'_>>]) -> bool {
    best.is_empty()
        || asks.iter().zip(best).any(|(ask, best)| match best {
            None => true,
            Some(best) => {
                let event_time: EventTime = bound.event_time.min(ask.t);
                best.order <= Order { event_time, ..bound }
            }
        })
}

/// The answer that the newest revision gives as of `t`.
pub(crate) fn answer_of(
    state: &State,
    ask: &Ask,
    found: &Found<'_>,
    t: EventTime,
    last: &mut LastBlock,
) -> Result<Answer> {
    let event_time = found.order.event_time;
    if ask.terms.is_forgotten(event_time) {
        return Ok(Answer::Missing);
    }
    let origin = Origin::new(
        event_time,
        found.order.known_time,
        found.order.commit,
        ask.schema,
        state.sources.label(found.source).cloned(),
    );
    Ok(match ask.terms.judge(event_time, found.content.kind, t) {
        Status::Missing => Answer::Missing,
        Status::Deleted => Answer::Deleted(origin),
        Status::Null => Answer::Null(origin),
        Status::Expired if ask.terms.is_given_up(event_time) => {
            Answer::Expired(Stale(None), origin)
        }
        Status::Expired => {
            Answer::Expired(Stale(found.content.value(ask.value_type, last)?), origin)
        }
        Status::Value => match found.content.value(ask.value_type, last)? {
            Some(value) => Answer::Value(value, origin),
            None => Answer::Expired(Stale(None), origin),
        },
    })
}
