//! The answers to the rows of one entity from the one row of a table that holds it.

use std::cell::OnceCell;

use asofdb_format::chunk::{Chunk, Moment, NumberColumn};
use asofdb_format::head::Head;
use asofdb_format::ids::EventTime;
use asofdb_format::wire::Malformed;

use crate::files::table::HeadRow;
use crate::read::asked::{Asked, Places};
use crate::read::direct::{is_number, put_after};
use crate::read::numbers::{self, NumbersRoom};
use crate::read::older::OlderVersions;
use crate::read::part::{Group, Numbers, PartCells, Views, seen};
use crate::read::plan::Ask;
use crate::read::source::{LastBlock, Version, column_version, head_version};
use crate::read::spared::sees_row;
use crate::types::error::Result;

/// Answers a group from the one row of a table that holds its entity; whether its older versions
/// were decoded for it.
pub(crate) fn answer_group(
    row: &HeadRow<'_>,
    asked: &mut Asked,
    views: &Views<'_>,
    group: Group<'_>,
    room: &mut GroupRoom,
    cells: &mut PartCells,
) -> Result<bool> {
    let head = row.head()?;
    let are_same = asked.are(&head);
    let are_older_asked = group.times.iter().any(|t| *t < head.top_time());
    if !sees_row(&views.first, row, &head, are_older_asked)? {
        let places = Places::new(are_same);
        return seen::answer((row, &head), (asked, places), views, group, &mut room.spells, cells);
    }
    let out = &mut cells.of_group(group);
    let looked = numbers::answer(row, &head, (asked, group.times), &mut room.numbers, out)?;
    if let Some(opened) = looked
        && asked.is_numbers
    {
        return Ok(opened);
    }
    let chunk = OnceCell::new();
    let mut history = None;
    let mut places = Places::new(are_same);
    for (index, ask) in asked.each().iter().enumerate() {
        if looked.is_some() && is_number(ask) {
            continue;
        }
        let Some(place) = places.find(&head, index, ask) else { continue };
        let newest = head.event_time(place);
        let before = group.times.partition_point(|t| *t < newest);
        from_head(row, &head, place, ask, group, before, cells)?;
        if before == 0 {
            continue;
        }
        let bytes = match chunk.get() {
            Some(bytes) => bytes,
            None => {
                let bytes = row.chunk(&head)?;
                chunk.get_or_init(|| bytes)
            }
        };
        let Some(bytes) = bytes else { continue };
        let history = match &mut history {
            Some(history) => history,
            None => {
                let history = history.insert(OlderVersions::of(row, bytes)?);
                find_spells(&history.chunk, group.times, &mut room.spells);
                history
            }
        };
        from_history(history, ask, group, before, &room.spells, cells)?;
    }
    Ok(looked == Some(true) || history.is_some())
}

/// Answers the rows from `before` on, which see the newest version.
#[inline]
pub(super) fn from_head(
    row: &HeadRow<'_>,
    head: &Head<'_>,
    place: usize,
    ask: &Ask,
    group: Group<'_>,
    before: usize,
    cells: &mut PartCells,
) -> Result<()> {
    if is_number(ask) {
        let malformed = |fault: Malformed| row.table.corrupt(row.at, &fault);
        let version =
            (head.event_time(place), head.kind(place).map_err(malformed)?, head.bits(place));
        let mut to = cells.numbers_mut(group, ask.place);
        to.fill(ask, group.times, (before, group.times.len()), version);
        return Ok(());
    }
    for at in before..group.times.len() {
        let version = head_version(row, head, place, ask)?;
        put_at(group, at, ask, &version, (cells, &mut LastBlock::passing()))?;
    }
    Ok(())
}

/// Room that is used again from entity to entity.
#[derive(Debug, Default)]
pub(crate) struct GroupRoom {
    numbers: NumbersRoom,
    spells: Vec<Spell>,
}

/// Rows in a row for which each column tells the version that it tells for the first of them.
#[derive(Debug)]
pub(super) struct Spell {
    /// The moment of the first.
    pub(super) moment: Moment,
    /// The row behind the last.
    pub(super) end: usize,
}

/// Finds the spells of moments that ascend: those replace what is in the list.
pub(super) fn find_spells(chunk: &Chunk<'_>, times: &[EventTime], spells: &mut Vec<Spell>) {
    spells.clear();
    let mut rows = times.iter().enumerate().peekable();
    while let Some((first, t)) = rows.next() {
        let moment = chunk.moment(*t);
        let until = chunk.changes_after(&moment);
        let mut end = first + 1;
        while rows.next_if(|(_, t)| until.is_none_or(|until| **t < until)).is_some() {
            end += 1;
        }
        spells.push(Spell { moment, end });
    }
}

/// Answers the first `before` rows of the group, which see older versions.
#[inline]
fn from_history(
    history: &mut OlderVersions<'_, '_>,
    ask: &Ask,
    group: Group<'_>,
    before: usize,
    spells: &[Spell],
    cells: &mut PartCells,
) -> Result<()> {
    let Some(place) = history.column_of(ask.feature) else { return Ok(()) };
    if is_number(ask)
        && let Some(column) = history.numbers(place)?
    {
        let to = cells.numbers_mut(group, ask.place);
        return fill_all(&column, ask, (group.times, spells), before, to)
            .map_err(|fault| history.corrupt(&fault));
    }
    let table = history.row.table;
    let column = history.column(place)?;
    let malformed = |fault: Malformed| history.corrupt(&fault);
    let mut last = LastBlock::passing();
    for (at, t) in group.times.iter().enumerate().take(before) {
        if let Some(newest) = column.up_to(*t).checked_sub(1) {
            let version = column_version(table, history.bytes, &column, newest);
            put_at(group, at, ask, &version.map_err(malformed)?, (cells, &mut last))?;
        }
    }
    Ok(())
}

/// Fills the first `before` rows. Spells in a row mostly see the same version, too, where columns have
/// event times of their own.
#[inline]
fn fill_all(
    column: &NumberColumn<'_>,
    ask: &Ask,
    (times, spells): (&[EventTime], &[Spell]),
    before: usize,
    mut to: Numbers<'_>,
) -> std::result::Result<(), Malformed> {
    let mut at = 0;
    let mut spells = spells.iter();
    while let Some(Spell { moment, end }) = spells.next().filter(|_| at < before) {
        let up_to = column.up_to(moment);
        let mut next = *end;
        if up_to < column.len() {
            let limit = column.event_time(up_to);
            // The first row of the spell that follows tells of all of it.
            let sees_it = |next: usize| times.get(next).is_some_and(|t| *t < limit);
            while sees_it(next)
                && let Some(spell) = spells.next()
            {
                next = spell.end;
            }
        } else {
            next = before;
        }
        let next = next.min(before);
        if let Some(newest) = up_to.checked_sub(1) {
            let version = (column.event_time(newest), column.kind(newest)?, column.bits(newest));
            to.fill(ask, times, (at, next), version);
        }
        at = next;
    }
    Ok(())
}

pub(super) fn put_at(
    group: Group<'_>,
    at: usize,
    ask: &Ask,
    version: &Version<'_>,
    (cells, last): (&mut PartCells, &mut LastBlock),
) -> Result<()> {
    let Some(t) = group.times.get(at) else { return Ok(()) };
    put_after(&Ask { t: *t, ..*ask }, version, last, &mut cells.row(group, at))
}
