//! The answers to the rows of one entity from a memtable, feature by feature. Numbers of which nothing
//! but a commit tells whether they are seen are looked for from the latest moment on, each from where the
//! one before was found; rows that learn go back through the versions together; all else is looked for
//! row by row.

use asofdb_format::ids::{Commit, EventTime, KnownTime, SourceId};
use asofdb_format::revision::Order;

use crate::read::direct::is_number;
use crate::read::going_back::GoingBack;
use crate::read::part::group::put_at;
use crate::read::part::{Group, PartCells, Views};
use crate::read::plan::Ask;
use crate::read::resolve::View;
use crate::read::source::{LastBlock, Version, each_feature};
use crate::state::memtable::{EntityNode, Falling, FeatureNode, Held, Newest, Number};
use crate::types::error::{Error, Result};

/// Answers a group; cells of features that the memtable does not have of the entity stay as they are.
pub(crate) fn answer_in_memory(
    node: EntityNode<'_>,
    asks: &[Ask],
    views: &Views<'_>,
    group: Group<'_>,
    cells: &mut PartCells,
) -> Result<()> {
    let mut versions = Vec::new();
    each_feature(node, asks, |ask, _, feature| {
        if views.known.len() > 1 {
            learning(feature, ask, (views, group), &mut versions, cells)?;
        } else {
            falling(feature, ask, (views, group), cells)?;
        }
        Ok::<_, Error>(true)
    })?;
    Ok(())
}

/// Answers rows that know the same.
#[inline]
fn falling(
    feature: FeatureNode<'_>,
    ask: &Ask,
    (views, group): (&Views<'_>, Group<'_>),
    cells: &mut PartCells,
) -> Result<()> {
    let are_numbers = is_number(ask) && views.first.sees_by_commit();
    let mut numbers = are_numbers.then(|| feature.falling());
    for (at, t) in group.times.iter().enumerate().rev() {
        let view = views.of(at);
        match number_seen(numbers.as_mut(), *t, &view) {
            Newest::Nothing => {}
            Newest::Number(Number { event_time, kind, bits, .. }) => {
                let mut to = cells.numbers_mut(group, ask.place);
                to.put(ask, group.times, at, (event_time, kind, bits));
            }
            Newest::More => {
                let seen = feature.newest(*t, |order, source| view.sees(order, || source));
                if let Some(held) = seen {
                    put_held(group, at, ask, &held, cells)?;
                }
            }
        }
    }
    Ok(())
}

/// What the newest version up to a moment says where it is a number that is surely seen.
#[inline]
fn number_seen(numbers: Option<&mut Falling<'_>>, t: EventTime, view: &View<'_>) -> Newest {
    let Some(numbers) = numbers else { return Newest::More };
    match numbers.number_up_to(t) {
        Newest::Number(number) if !view.surely_sees(number.commit) => Newest::More,
        newest => newest,
    }
}

/// Answers rows that each know more than the one before. `versions` become those that some row looked
/// at, ascending: what is new to a row, down to the first that it sees.
fn learning<'m>(
    feature: FeatureNode<'m>,
    ask: &Ask,
    (views, group): (&Views<'_>, Group<'_>),
    versions: &mut Vec<Held<'m>>,
    cells: &mut PartCells,
) -> Result<()> {
    versions.clear();
    let mut back = GoingBack::new(true);
    let mut before = None;
    for (at, t) in group.times.iter().enumerate() {
        let view = views.of(at);
        let old = versions.len();
        for held in feature.newest_first(*t) {
            if before.is_some_and(|before| held.order.event_time <= before) {
                break;
            }
            let is_seen = view.sees(&held.order, || held.source);
            versions.push(held);
            if is_seen {
                break;
            }
        }
        versions.get_mut(old..).unwrap_or_default().reverse();
        before = Some(*t);
        let version = |index: usize| {
            versions.get(index).map_or(UNSEEN, |version| (version.order, version.source))
        };
        let newest = back.newest(versions.len(), version, &view);
        if let Some(held) = newest.and_then(|newest| versions.get(newest)) {
            put_held(group, at, ask, held, cells)?;
        }
    }
    Ok(())
}

/// Of a place behind all versions, which nobody is told of.
const UNSEEN: (Order, SourceId) = (
    Order { event_time: EventTime::MAX, known_time: KnownTime::MAX, commit: Commit::MAX },
    SourceId::NONE,
);

fn put_held(
    group: Group<'_>,
    at: usize,
    ask: &Ask,
    held: &Held<'_>,
    cells: &mut PartCells,
) -> Result<()> {
    put_at(group, at, ask, &Version::of(held), (cells, &mut LastBlock::passing()))
}
