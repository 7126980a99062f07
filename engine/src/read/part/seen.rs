//! The answers to the rows of one entity from the one row of a table that holds it, where they do not see
//! all that it holds: as known at each row's moment, from a snapshot, or where something was taken back.
//!
//! Rows ascend by time, and by what they know: those that see a feature's newest version are the last
//! ones. Each of the others takes the newest older version up to its moment that it sees.

use std::ops::Range;

use asofdb_format::chunk::NumberColumn;
use asofdb_format::head::Head;
use asofdb_format::wire::Malformed;

use crate::files::table::HeadRow;
use crate::read::asked::{Asked, Places};
use crate::read::direct::is_number;
use crate::read::going_back::GoingBack;
use crate::read::older::OlderVersions;
use crate::read::part::group::{Spell, find_spells, from_head, put_at};
use crate::read::part::{Group, PartCells, Views};
use crate::read::plan::Ask;
use crate::read::source::{LastBlock, column_version};
use crate::types::error::Result;

/// Answers a group; whether its older versions were decoded for it.
pub(super) fn answer(
    (row, head): (&HeadRow<'_>, &Head<'_>),
    (asked, mut places): (&mut Asked, Places),
    views: &Views<'_>,
    group: Group<'_>,
    spells: &mut Vec<Spell>,
    cells: &mut PartCells,
) -> Result<bool> {
    let rows = group.times.len();
    let asks = asked.each();
    // Of each ask the first row that sees the newest version, if some row does not.
    let mut older: Vec<(&Ask, usize)> = Vec::new();
    for (index, ask) in asks.iter().enumerate() {
        let Some(place) = places.find(head, index, ask) else { continue };
        let newest = head.event_time(place);
        let since = group.times.partition_point(|t| *t < newest);
        let since = match since < rows {
            true => first_that_sees((row, head), place, views, since..rows)?,
            false => rows,
        };
        from_head(row, head, place, ask, group, since, cells)?;
        if since > 0 {
            older.push((ask, since));
        }
    }
    if older.is_empty() {
        return Ok(false);
    }
    let Some(bytes) = row.chunk(head)? else { return Ok(false) };
    let mut history = OlderVersions::of(row, &bytes)?;
    find_spells(&history.chunk, group.times, spells);
    let mut back = GoingBack::new(!views.known.is_empty());
    for (ask, since) in older {
        let Some(place) = history.column_of(ask.feature) else { continue };
        back.clear();
        if is_number(ask)
            && let Some(column) = history.numbers(place)?
        {
            numbers(&history, &column, ask, (views, group, since), spells, &mut back, cells)?;
        } else {
            others(&mut history, place, ask, (views, group, since), &mut back, cells)?;
        }
    }
    Ok(true)
}

/// The first of some rows, all late enough for it, that sees the newest version of a feature; where they
/// end if none does.
fn first_that_sees(
    (row, head): (&HeadRow<'_>, &Head<'_>),
    place: usize,
    views: &Views<'_>,
    rows: Range<usize>,
) -> Result<usize> {
    let order = row.order(head, place)?;
    let (mut low, mut high) = (rows.start, rows.end);
    while low < high {
        let middle = low.midpoint(high);
        if views.of(middle).sees(&order, || head.source(place)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

/// Answers the first `since` rows with the numbers of a column.
#[inline]
fn numbers(
    history: &OlderVersions<'_, '_>,
    column: &NumberColumn<'_>,
    ask: &Ask,
    (views, group, since): (&Views<'_>, Group<'_>, usize),
    spells: &[Spell],
    back: &mut GoingBack,
    cells: &mut PartCells,
) -> Result<()> {
    let mut to = cells.numbers_mut(group, ask.place);
    let orders = history.orders()?;
    let mut at = 0;
    for Spell { moment, end } in spells {
        if at >= since {
            break;
        }
        let up_to = column.up_to(moment);
        for row in at..since.min(*end) {
            let mut orders = column.orders_back(orders);
            let version = |index| orders.version(index, column.event_time(index));
            if let Some(newest) = back.newest(up_to, version, &views.of(row)) {
                let kind = column.kind(newest).map_err(|fault| history.corrupt(&fault))?;
                let version = (column.event_time(newest), kind, column.bits(newest));
                to.put(ask, group.times, row, version);
            }
        }
        at = *end;
    }
    Ok(())
}

/// Answers the first `since` rows with values of any kind.
fn others(
    history: &mut OlderVersions<'_, '_>,
    place: usize,
    ask: &Ask,
    (views, group, since): (&Views<'_>, Group<'_>, usize),
    back: &mut GoingBack,
    cells: &mut PartCells,
) -> Result<()> {
    let column = history.column(place)?;
    let orders = history.orders()?;
    let malformed = |fault: Malformed| history.corrupt(&fault);
    let mut last = LastBlock::passing();
    for (at, t) in group.times.iter().enumerate().take(since) {
        let mut orders = column.orders_back(orders);
        let version = |index| orders.version(index, column.event_time(index));
        if let Some(newest) = back.newest(column.up_to(*t), version, &views.of(at)) {
            let version = column_version(history.row.table, history.bytes, &column, newest);
            put_at(group, at, ask, &version.map_err(malformed)?, (cells, &mut last))?;
        }
    }
    Ok(())
}
