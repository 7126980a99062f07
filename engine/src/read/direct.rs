//! The answers of an entity that one row of one table holds alone, put straight into the caller's
//! columns.
//!
//! Most reads are such reads: nothing has to be compared with what another source offers. What is
//! seen, and what follows from it, is [`resolve`](crate::read::resolve)'s to say here as elsewhere.
//!
//! A latest row of 20 touches seven lines of its entity's own: one of the starts of buckets, one or two of
//! the directory's rows, four or five of the head (48 bytes, the entity, 6 to 9 bytes a feature if
//! numbers fit in four bytes, else 10 to 17: then up to 7 lines). An as-of row touches a line of hints
//! and the chunk, too: 19 lines of 20 features with nine older versions each. The lines of a head and
//! those of a short chunk are fetched at once: memory is waited for twice, for the row and for what it
//! leads to. What was counted stands in [`read`](crate::read).

use asofdb_format::chunk::Cells;
use asofdb_format::head::Head;
use asofdb_format::ids::EventTime;
use asofdb_format::value::{Kind, Value, ValueType};
use asofdb_format::wire::Malformed;

use crate::files::table::HeadRow;
use crate::read::asked::{Asked, Places};
use crate::read::going_back::newest_seen;
use crate::read::numbers::{self, NumbersRoom};
use crate::read::older::OlderVersions;
use crate::read::plan::Ask;
use crate::read::resolve::View;
use crate::read::source::{LastBlock, Version, column_version, head_version};
use crate::read::spared::sees_row;
use crate::types::answer::Status;
use crate::types::cells::RowCells;
use crate::types::error::Result;

/// Room that is used again from row to row.
#[derive(Debug, Default)]
pub(crate) struct RowRoom {
    /// The asks that the head does not answer.
    older: Vec<usize>,
    numbers: NumbersRoom,
}

/// Where at least one in so many features of an entity is asked about, all are looked at side by side.
pub(crate) const MANY: usize = 4;

/// Answers from one row; whether its older versions were decoded for it.
pub(crate) fn answer_row(
    row: &HeadRow<'_>,
    asked: &mut Asked,
    view: &View<'_>,
    room: &mut RowRoom,
    out: &mut RowCells<'_>,
) -> Result<bool> {
    let head = row.head()?;
    let sees_all = sees_row(view, row, &head, asked.moments.0 < head.top_time())?;
    let are_same = asked.are(&head);
    if are_same
        && sees_all
        && asked.is_plain
        && head.is_all_values()
        && head.top_time() <= asked.moments.0
    {
        out.status.fill(Status::Value);
        head.event_times_into(out.event_times);
        head.bits_into(out.bits);
        return Ok(false);
    }
    out.clear();
    room.older.clear();
    let (first, last) = asked.moments;
    let mut looked = None;
    if sees_all && first == last {
        let out = &mut Cells { status: out.status, event_times: out.event_times, bits: out.bits };
        looked = numbers::answer(row, &head, (asked, &[first]), &mut room.numbers, out)?;
        if let Some(opened) = looked
            && asked.is_numbers
        {
            return Ok(opened);
        }
    }
    let asks = asked.each();
    let mut places = Places::new(are_same);
    for (index, ask) in asks.iter().enumerate() {
        if looked.is_some() && is_number(ask) {
            continue;
        }
        let Some(place) = places.find(&head, index, ask) else { continue };
        let event_time = head.event_time(place);
        let is_seen = event_time <= ask.t
            && (sees_all || view.sees(&row.order(&head, place)?, || head.source(place)));
        if is_seen {
            from_head(row, &head, place, ask, event_time, out)?;
        } else {
            room.older.push(index);
        }
    }
    if room.older.is_empty() {
        return Ok(looked == Some(true));
    }
    let opened = from_history(row, &head, asks, view, sees_all, &room.older, out)?;
    Ok(opened || looked == Some(true))
}

#[inline]
fn from_head(
    row: &HeadRow<'_>,
    head: &Head<'_>,
    place: usize,
    ask: &Ask,
    event_time: EventTime,
    out: &mut RowCells<'_>,
) -> Result<()> {
    let malformed = |fault: Malformed| row.table.corrupt(row.at, &fault);
    if !is_number(ask) {
        return put(ask, &head_version(row, head, place, ask)?, out);
    }
    let kind = head.kind(place).map_err(malformed)?;
    put_number(ask, (event_time, kind, head.bits(place)), out);
    Ok(())
}

fn from_history(
    row: &HeadRow<'_>,
    head: &Head<'_>,
    asks: &[Ask],
    view: &View<'_>,
    sees_all: bool,
    older: &[usize],
    out: &mut RowCells<'_>,
) -> Result<bool> {
    let Some(bytes) = row.chunk(head)? else { return Ok(false) };
    let malformed = |fault: Malformed| row.table.corrupt(bytes.start, &fault);
    let mut history = OlderVersions::of(row, &bytes)?;
    let mut moment = None;
    for ask in older.iter().filter_map(|index| asks.get(*index)) {
        let Some(place) = history.column_of(ask.feature) else { continue };
        if is_number(ask)
            && let Some(column) = history.numbers(place)?
        {
            if moment.as_ref().is_none_or(|(t, _)| *t != ask.t) {
                moment = Some((ask.t, history.chunk.moment(ask.t)));
            }
            let up_to = moment.as_ref().map_or(0, |(_, moment)| column.up_to(moment));
            let newest = match sees_all {
                true => up_to.checked_sub(1),
                false => {
                    let mut orders = column.orders_back(history.orders()?);
                    let version = |index| orders.version(index, column.event_time(index));
                    newest_seen(up_to, version, view)
                }
            };
            let Some(newest) = newest else { continue };
            let event_time = column.event_time(newest);
            let kind = column.kind(newest).map_err(malformed)?;
            put_number(ask, (event_time, kind, column.bits(newest)), out);
            continue;
        }
        let column = history.column(place)?;
        let up_to = column.up_to(ask.t);
        let newest = match sees_all {
            true => up_to.checked_sub(1),
            false => {
                let mut orders = column.orders_back(history.orders()?);
                let version = |index| orders.version(index, column.event_time(index));
                newest_seen(up_to, version, view)
            }
        };
        if let Some(newest) = newest {
            let version = column_version(row.table, &bytes, &column, newest);
            put(ask, &version.map_err(malformed)?, out)?;
        }
    }
    Ok(true)
}

/// Puts in what a version says whose value, if it has one, is a number of any bits.
#[inline]
fn put_number(ask: &Ask, (event_time, kind, bits): (EventTime, Kind, u64), out: &mut RowCells<'_>) {
    if ask.terms.is_forgotten(event_time) {
        return;
    }
    let status = ask.terms.judge(event_time, kind, ask.t);
    out.put(ask.place, status, event_time, if status == Status::Value { bits } else { 0 });
}

/// Whether any bits are a value.
#[inline]
pub(crate) const fn is_number(ask: &Ask) -> bool {
    matches!(ask.value_type, ValueType::F64 | ValueType::I64)
}

/// Puts the answer of the newest version into its cell.
pub(crate) fn put(ask: &Ask, version: &Version<'_>, out: &mut impl Put) -> Result<()> {
    put_after(ask, version, &mut LastBlock::default(), out)
}

/// The same for who fetched a value beside this one before.
pub(crate) fn put_after(
    ask: &Ask,
    Version { event_time, content }: &Version<'_>,
    last: &mut LastBlock,
    out: &mut impl Put,
) -> Result<()> {
    let event_time = *event_time;
    if ask.terms.is_forgotten(event_time) {
        return Ok(());
    }
    let status = ask.terms.judge(event_time, content.kind, ask.t);
    if status != Status::Value {
        out.put(ask.place, status, event_time, 0);
        return Ok(());
    }
    match (content.value(ask.value_type, last)?, content.bits()) {
        // There is none, whatever the kind says.
        (None, _) => out.put(ask.place, Status::Expired, event_time, 0),
        (Some(_), Some(bits)) => out.put(ask.place, status, event_time, bits),
        (Some(value), None) => {
            out.put(ask.place, status, event_time, 0);
            out.put_value(ask.place, value);
        }
    }
    Ok(())
}

/// Puts an answer into its cell if it is newer than what is there. `false`: a version of the same
/// event time is there, and only the whole order tells which one is newer.
pub(crate) fn put_newer(ask: &Ask, version: &Version<'_>, out: &mut RowCells<'_>) -> Result<bool> {
    let there = out.event_time(ask.place);
    let newer = version.event_time;
    if there.is_none_or(|there| there < newer) {
        out.clear_cell(ask.place);
        put(ask, version, out)?;
    }
    Ok(there != Some(newer))
}

/// The same where the value of the version, if it has one, is a number of any bits.
#[inline]
pub(crate) fn put_newer_number(
    ask: &Ask,
    version: (EventTime, Kind, u64),
    out: &mut RowCells<'_>,
) -> bool {
    let there = out.event_time(ask.place);
    let (newer, ..) = version;
    if there.is_none_or(|there| there < newer) {
        put_number(ask, version, out);
    }
    there != Some(newer)
}

/// Where answers are put, a cell a feature.
pub(crate) trait Put {
    /// Puts an answer in.
    fn put(&mut self, feature: usize, status: Status, event_time: EventTime, bits: u64);
    /// Puts in the value of an answer that is text, bytes or a vector.
    fn put_value(&mut self, feature: usize, value: Value);
}

impl Put for RowCells<'_> {
    #[inline]
    fn put(&mut self, feature: usize, status: Status, event_time: EventTime, bits: u64) {
        let to = (
            self.status.get_mut(feature),
            self.event_times.get_mut(feature),
            self.bits.get_mut(feature),
        );
        if let (Some(to_status), Some(to_time), Some(to_bits)) = to {
            (*to_status, *to_time, *to_bits) = (status, event_time.0, bits);
        }
    }

    fn put_value(&mut self, feature: usize, value: Value) {
        if let Some(to) = self.values.get_mut(feature) {
            *to = Some(value);
        }
    }
}
