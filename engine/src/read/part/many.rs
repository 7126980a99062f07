//! Many rows of one entity, answered in the order in which they were asked.
//!
//! ```text
//! newest     of each feature, its newest version and since when that is seen
//! numbers    the older versions at whose event times, or up to the next, some row asks; ascending
//! seen       of each row, which of them that is, from 1 on; 0 is none
//! versions   none | those versions | the newest of all                       of one feature
//! ```
//!
//! Where the event times of all features are one list, a row is looked for in it once, and takes of each
//! feature the version that stands there: a version that is seen is decoded once, and no row has to be
//! put in the order of time. The newest version of a feature has an event time of its own.

use std::hint::select_unpredictable;

use asofdb_format::chunk::Chunk;
use asofdb_format::head::Head;
use asofdb_format::ids::EventTime;
use asofdb_format::value::Kind;

use crate::files::table::HeadRow;
use crate::read::asked::{Asked, Places};
use crate::read::older::OlderVersions;
use crate::read::part::PartColumns;
use crate::read::plan::Ask;
use crate::read::resolve::Terms;
use crate::types::answer::Status;
use crate::types::error::Result;

/// At most so many versions are looked through for a row.
const VERSIONS_A_ROW: usize = 32;

/// Room that is used again from entity to entity.
#[derive(Debug, Default)]
pub(crate) struct ManyRoom {
    newest: Vec<(EventTime, Version)>,
    seen: Vec<u32>,
    numbers: Vec<u32>,
    places: Vec<u32>,
    versions: Vec<Version>,
}

/// A version of a feature, and what it answers.
#[derive(Clone, Copy, Debug)]
struct Version {
    event_time: i64,
    bits: u64,
    /// The moment after which it has expired, whatever it answers up to then.
    until: i64,
    status: Status,
}

impl Version {
    const NONE: Self = Self { event_time: 0, bits: 0, until: i64::MAX, status: Status::Missing };

    fn of(terms: &Terms, event_time: EventTime, kind: Kind, bits: u64) -> Self {
        if terms.is_forgotten(event_time) {
            return Self::NONE;
        }
        let (status, EventTime(until)) = terms.judge_until(event_time, kind);
        let bits = if status == Status::Value { bits } else { 0 };
        Self { event_time: event_time.0, bits, until, status }
    }
}

/// Answers rows from the one row of a table that holds their entity, where every revision is seen, into
/// columns from a row on; whether its older versions were decoded for it. `None`: these rows are not
/// answered, for not all features are numbers that share their event times, or there are too many
/// versions.
pub(crate) fn answer_many(
    row: &HeadRow<'_>,
    asked: &mut Asked,
    times: &[EventTime],
    room: &mut ManyRoom,
    (columns, first): (&mut PartColumns<'_>, usize),
) -> Result<Option<bool>> {
    if !asked.is_numbers {
        return Ok(None);
    }
    let head = row.head()?;
    room.find_newest(row, &head, asked)?;
    let earliest = times.iter().min().copied().unwrap_or(EventTime::MAX);
    let are_older_seen = room.newest.iter().any(|(since, _)| earliest < *since);
    let bytes = if are_older_seen { row.chunk(&head)? } else { None };
    let mut history = bytes.as_ref().map(|bytes| OlderVersions::of(row, bytes)).transpose()?;
    room.numbers.clear();
    room.seen.clear();
    if let Some(OlderVersions { chunk, .. }) = &history {
        let few = |versions: &usize| *versions / VERSIONS_A_ROW <= times.len();
        let versions = chunk.len_of_all().filter(few);
        if versions.and_then(|versions| room.see(chunk, versions, times)).is_none() {
            return Ok(None);
        }
    } else {
        room.seen.resize(times.len(), 0);
    }
    for (ask, (since, newest)) in asked.each().iter().zip(&room.newest) {
        let versions = &mut room.versions;
        versions.clear();
        versions.push(Version::NONE);
        if let Some(history) = history.as_mut().filter(|_| earliest < *since)
            && read_versions(history, ask, &room.numbers, versions)?.is_none()
        {
            return Ok(None);
        }
        versions.resize(1 + room.numbers.len(), Version::NONE);
        let newest_at = versions.len();
        versions.push(*newest);
        let version_of = |(seen, t): (&u32, &EventTime)| {
            let at = select_unpredictable(*t >= *since, newest_at, *seen as usize);
            versions.get(at).copied().unwrap_or(Version::NONE)
        };
        let seen = room.seen.iter().zip(times);
        if ask.terms.max_age.is_none() {
            columns.put_rows(ask.place, first, seen, |row| {
                let Version { status, event_time, bits, .. } = version_of(row);
                (status, event_time, bits)
            });
        } else {
            columns.put_rows(ask.place, first, seen, |row| {
                let Version { status, event_time, bits, until } = version_of(row);
                let is_fresh = row.1.0 <= until;
                let status = select_unpredictable(is_fresh, status, Status::Expired);
                (status, event_time, select_unpredictable(is_fresh, bits, 0))
            });
        }
    }
    Ok(Some(history.is_some()))
}

impl ManyRoom {
    /// Finds the newest version of each feature; of one that the head does not have that there is none.
    fn find_newest(&mut self, row: &HeadRow<'_>, head: &Head<'_>, asked: &mut Asked) -> Result<()> {
        self.newest.clear();
        let mut places = Places::new(asked.are(head));
        for (index, ask) in asked.each().iter().enumerate() {
            let newest = match places.find(head, index, ask) {
                Some(place) => {
                    let kind = head.kind(place);
                    let kind = kind.map_err(|fault| row.table.corrupt(row.at, &fault))?;
                    let since = head.event_time(place);
                    (since, Version::of(&ask.terms, since, kind, head.bits(place)))
                }
                None => (EventTime::MIN, Version::NONE),
            };
            self.newest.push(newest);
        }
        Ok(())
    }

    /// Finds out which of so many versions of all features each moment sees; `None` if it is not the same
    /// of all.
    fn see(&mut self, chunk: &Chunk<'_>, versions: usize, times: &[EventTime]) -> Option<()> {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.places.clear();
        self.places.resize(versions + 1, 0);
        for t in times {
            let up_to = chunk.moment(*t).up_to_of_all()?;
            *self.places.get_mut(up_to)? = 1;
            self.seen.push(small(up_to));
        }
        for (up_to, place) in self.places.iter_mut().enumerate().skip(1) {
            if *place != 0 {
                self.numbers.push(small(up_to - 1));
                *place = small(self.numbers.len());
            }
        }
        for seen in self.seen.iter_mut().filter(|seen| **seen != 0) {
            *seen = *self.places.get(*seen as usize)?;
        }
        Some(())
    }
}

/// Decodes the versions of a feature that have these numbers. `None`: they are not written as numbers.
fn read_versions(
    history: &mut OlderVersions<'_, '_>,
    ask: &Ask,
    numbers: &[u32],
    out: &mut Vec<Version>,
) -> Result<Option<()>> {
    let Some(place) = history.column_of(ask.feature) else { return Ok(Some(())) };
    let Some(column) = history.numbers(place)? else { return Ok(None) };
    for index in numbers.iter().map(|number| *number as usize) {
        let kind = column.kind(index).map_err(|fault| history.corrupt(&fault))?;
        out.push(Version::of(&ask.terms, column.event_time(index), kind, column.bits(index)));
    }
    Ok(Some(()))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_forgotten_or_no_value_tells_a_number() {
        let terms = Terms { max_age: None, stale: None, forgotten: Some(EventTime(5)) };
        let told = |t, kind| {
            let Version { status, event_time, bits, .. } =
                Version::of(&terms, EventTime(t), kind, 9);
            (status, event_time, bits)
        };
        assert_eq!(told(4, Kind::Value), (Status::Missing, 0, 0));
        assert_eq!(told(5, Kind::Value), (Status::Value, 5, 9));
        assert_eq!(told(5, Kind::Null), (Status::Null, 5, 0));
        assert_eq!(told(5, Kind::Deleted), (Status::Deleted, 5, 0));
        assert_eq!(told(5, Kind::Stub), (Status::Expired, 5, 0));
    }
}
