//! The answers of an entity that several sources may hold, put straight into the caller's columns.
//!
//! Of each feature the version of the latest event time stands. Where two sources hold one of the
//! same event time only the whole order tells, and [`row`](crate::read::row) answers instead.
//!
//! What a source is asked for is mostly not in the cache, one thing behind another: a bucket, what
//! it leads to, the numbers. Before any source is asked the sources are looked at side by side, a
//! step for all of them before the next step, so that memory is waited for about as often as by a
//! read of one source. Nothing is believed of what is looked at so.

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::EventTime;

use crate::files::table::Table;
use crate::metrics::Visits;
use crate::read::asked::Asked;
use crate::read::direct::{RowRoom, answer_row, is_number, put_newer, put_newer_number};
use crate::read::plan::Ask;
use crate::read::resolve::View;
use crate::read::row::table_may_hold;
use crate::read::source::{Version, newest_in_memtable};
use crate::state::live::State;
use crate::state::memtable::{EntityNode, Memtable, Near, Newest, Number};
use crate::types::cells::{Cells, RowCells};
use crate::types::error::Result;

/// A read of several sources: what is asked, and what was found.
#[derive(Debug)]
pub(crate) struct Several<'r, 'c> {
    pub(crate) asked: &'r mut Asked,
    pub(crate) view: &'r View<'r>,
    pub(crate) hash: EntityHash,
    pub(crate) entity: &'r [u8],
    pub(crate) visits: &'r mut Visits,
    pub(crate) out: &'r mut RowCells<'c>,
    pub(crate) room: &'r mut Room,
}

/// Room that is used again from entity to entity.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) row: RowRoom,
    pub(crate) spare: Cells,
}

/// So many memtables, and so many tables, are looked at side by side.
const AT_ONCE: usize = 4;

/// So many features of a group are looked at before those of them that need more are.
const SIDE_BY_SIDE: usize = 32;

fn filled(state: &State) -> impl Iterator<Item = &Memtable> {
    state.memtables.iter().map(|memtable| &**memtable).filter(|memtable| memtable.revisions() > 0)
}

impl Several<'_, '_> {
    /// Answers from all sources. `false`: two of them hold a version of one event time, and nothing
    /// stands.
    #[inline(never)]
    pub(crate) fn answer(&mut self, state: &State) -> Result<bool> {
        // A table that is older than all that is in memory is mostly not asked. Of any other the
        // most stands in it, where records came late: it is asked first.
        let oldest = filled(state).map(Memtable::min_event_time).min().unwrap_or(EventTime::MIN);
        let mut tables = [None; AT_ONCE];
        let mut others = state.tables.tables_of(self.hash).map(|table| &**table);
        tables.iter_mut().zip(&mut others).for_each(|(place, table)| *place = Some(table));
        let is_beside = |table: &Table| table.entry.max_event_time >= oldest;
        let beside = || tables.iter().flatten().filter(|table| is_beside(table));
        self.fetch(state, beside());
        let mut is_empty = true;
        for table in beside() {
            if !self.take_from_table(table, &mut is_empty)? {
                return Ok(false);
            }
        }
        if is_empty {
            self.out.clear();
        }
        for memtable in filled(state) {
            self.visits.consider();
            if !is_empty && !self.out.may_take(memtable.upper_bound().event_time) {
                self.visits.pass_over();
                continue;
            }
            let node = memtable.find(self.hash, self.entity);
            self.visits.asked(node.is_some());
            let Some(node) = node else { continue };
            is_empty = false;
            if !self.take_from_memtable(node)? {
                return Ok(false);
            }
        }
        let behind = tables.iter().flatten().copied().filter(|table| !is_beside(table));
        for table in behind.chain(others) {
            if !self.take_from_table(table, &mut is_empty)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Looks at what the sources will be asked for.
    #[inline]
    fn fetch<'s>(&self, state: &State, tables: impl Iterator<Item = &'s &'s Table>) {
        let may_hold = |table: &&&Table| table_may_hold(table, self.asked.moments, self.view);
        let mut rows = [None; AT_ONCE];
        for (row, table) in rows.iter_mut().zip(tables.filter(may_hold)) {
            *row = Some((*table, (0, 0)));
        }
        let mut places = [0; AT_ONCE];
        for (place, memtable) in places.iter_mut().zip(filled(state)) {
            *place = memtable.first_of(self.hash);
        }
        for (table, bounds) in rows.iter_mut().flatten() {
            *bounds = table.glance_at_bucket(self.hash);
        }
        let mut seen = 0;
        for (table, bounds) in rows.into_iter().flatten() {
            let older = self.asked.moments.0 < table.entry.max_event_time;
            seen ^= table.glance_at_row(self.hash, bounds, self.asked.len(), older);
        }
        for (place, memtable) in places.into_iter().zip(filled(state)) {
            seen ^= memtable.fetch(place, self.asked.len());
        }
        std::hint::black_box(seen);
    }

    /// Takes from a table what is newer than what is there, if anything is. `false`: two versions
    /// of one event time meet.
    #[inline]
    fn take_from_table(&mut self, table: &Table, is_empty: &mut bool) -> Result<bool> {
        let Self { asked, view, visits, out, room, .. } = self;
        visits.consider();
        let newest = table.entry.max_event_time;
        if !table_may_hold(table, asked.moments, view) || !*is_empty && !out.may_take(newest) {
            visits.pass_over();
            return Ok(true);
        }
        let mut found = false;
        for row in table.rows(self.hash, self.entity)? {
            let row = row?;
            found = true;
            if *is_empty {
                *is_empty = false;
                visits.open_history(answer_row(&row, asked, view, &mut room.row, out)?);
                continue;
            }
            room.spare.make_room(1);
            let mut other = room.spare.row_mut(0);
            let opened = answer_row(&row, asked, view, &mut room.row, &mut other)?;
            visits.open_history(opened);
            if !out.take_newer(&mut other) {
                return Ok(false);
            }
        }
        visits.asked(found);
        Ok(true)
    }

    /// Takes from a memtable what is newer than what is there. `false`: two versions of one event
    /// time meet.
    #[inline]
    fn take_from_memtable(&mut self, node: EntityNode<'_>) -> Result<bool> {
        let Self { asked, view, out, .. } = self;
        let count: usize = node.groups().map(|group| group.len()).sum();
        if !asked.is_ascending || count > asked.len().saturating_mul(2) {
            let put = |ask: &Ask, version: Version<'_>| put_newer(ask, &version, out);
            return newest_in_memtable(node, asked.each(), view, put);
        }
        for group in node.groups() {
            let mut from = 0;
            while from < group.len() {
                let to = group.len().min(from + SIDE_BY_SIDE);
                let Some(left) = self.take_values(node, &group, from..to) else {
                    return Ok(false);
                };
                if left != 0 && !self.take_others(node, &group, (from, left))? {
                    return Ok(false);
                }
                from = to;
            }
        }
        Ok(true)
    }

    /// Takes those features of a group whose newest record is a number that is seen; a bit for each
    /// of the others. `None`: two versions of one event time meet.
    #[inline]
    fn take_values(
        &mut self,
        node: EntityNode<'_>,
        group: &Near<'_>,
        places: std::ops::Range<usize>,
    ) -> Option<u32> {
        let all = u32::MAX >> (SIDE_BY_SIDE - places.len().min(SIDE_BY_SIDE));
        let (t, last) = self.asked.moments;
        let is_plain = self.asked.is_plain && t == last && self.view.sees_by_commit();
        let Some(first) = self.asked.row_from.filter(|_| is_plain) else { return Some(all) };
        let (mut left, mut seen, mut are_newer) = (0u32, 0, true);
        for (bit, index) in places.enumerate() {
            let Some(feature) = node.feature_in(group, index) else { continue };
            let place = group.id(index).0.wrapping_sub(first.0) as usize;
            if self.out.is_newer(place, feature.upper_bound()) {
                continue;
            }
            match feature.newest_value() {
                Some((Number { event_time, commit, bits, .. }, _))
                    if event_time <= t && self.view.surely_sees(commit) =>
                {
                    are_newer &= self.out.take_newer_number(place, event_time.0, bits);
                }
                Some((newest, true)) if newest.event_time > t => {}
                _ => {
                    seen ^= feature.newest_word();
                    left |= 1 << bit;
                }
            }
        }
        std::hint::black_box(seen);
        are_newer.then_some(left)
    }

    /// Takes features of a group of which bits tell, counted from a place on. `false`: two versions
    /// of one event time meet.
    fn take_others(
        &mut self,
        node: EntityNode<'_>,
        group: &Near<'_>,
        (from, left): (usize, u32),
    ) -> Result<bool> {
        let Self { asked, view, out, .. } = self;
        asked.each();
        let sees_commits = view.sees_by_commit();
        let t = asked.moments.0;
        let found = Bits(left).filter_map(|bit| node.feature_in(group, from + bit));
        std::hint::black_box(found.fold(0, |seen, feature| seen ^ feature.glance(t)));
        for bit in Bits(left) {
            let index = from + bit;
            let Some(feature) = node.feature_in(group, index) else { continue };
            let Some(ask) = asked.of(group.id(index)) else { continue };
            let newest = if sees_commits && is_number(ask) {
                feature.number_up_to(ask.t)
            } else {
                Newest::More
            };
            let is_newer = match newest {
                Newest::Nothing => true,
                Newest::Number(Number { event_time, kind, bits, commit })
                    if view.surely_sees(commit) =>
                {
                    put_newer_number(ask, (event_time, kind, bits), out)
                }
                Newest::Number(_) | Newest::More => {
                    let seen = feature.newest(ask.t, |order, source| view.sees(order, || source));
                    match seen {
                        Some(held) => put_newer(ask, &Version::of(&held), out)?,
                        None => true,
                    }
                }
            };
            if !is_newer {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The places of the bits that are set, ascending.
#[derive(Clone, Copy, Debug)]
struct Bits(u32);

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let bit = (self.0 != 0).then_some(self.0.trailing_zeros() as usize);
        self.0 &= self.0.wrapping_sub(1);
        bit
    }
}
