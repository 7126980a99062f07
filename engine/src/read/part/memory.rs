//! The answers to the rows of one entity from a memtable: feature by feature, the latest moment first, so
//! that each row begins where the one before it ended.

use asofdb_format::ids::EventTime;

use crate::read::direct::is_number;
use crate::read::part::group::put_at;
use crate::read::part::{Group, PartCells, Views};
use crate::read::plan::Ask;
use crate::read::resolve::View;
use crate::read::source::{Found, LastBlock, each_feature};
use crate::state::memtable::{EntityNode, Falling, Newest, Number};
use crate::types::error::{Error, Result};

/// Answers a group; cells of features that the memtable does not have of the entity stay as they are.
pub(crate) fn answer_in_memory(
    node: EntityNode<'_>,
    asks: &[Ask],
    views: &Views<'_>,
    group: Group<'_>,
    cells: &mut PartCells,
) -> Result<()> {
    each_feature(node, asks, |ask, _, feature| {
        let mut numbers =
            (is_number(ask) && views.first.sees_by_commit()).then(|| feature.falling());
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
                    if let Some(revision) = seen {
                        let to = (&mut *cells, &mut LastBlock::passing());
                        put_at(group, at, ask, &Found::of(revision), to)?;
                    }
                }
            }
        }
        Ok::<_, Error>(true)
    })?;
    Ok(())
}

/// What the newest version up to a moment says where it is a number that is surely seen.
#[inline]
fn number_seen(numbers: Option<&mut Falling<'_>>, t: EventTime, view: &View<'_>) -> Newest {
    let Some(numbers) = numbers else { return Newest::More };
    match numbers.number_up_to(t) {
        Newest::Number(number) if number.commit > view.seen_from => Newest::More,
        newest => newest,
    }
}
