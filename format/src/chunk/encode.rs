//! Writes chunks: of every list the form that takes the least room.

use crate::head::is_run;
use crate::ids::{Commit, EventTime, FeatureId};
use crate::ints;
use crate::lines::{self, Lists};
use crate::revision::{Payload, Revision};
use crate::timeline::Timeline;
use crate::values::{self, Numbers, Wholes};
use crate::wire::{Writer, put_uint, wide};

use super::{
    COMMITS_BY_TIME, HAS_KINDS, HAS_SOURCES, LISTED_TIMES, NUMBERS_BESIDE, ONE_COMMITS, ONE_TIMES,
    OWN_KNOWN, OWN_TIMES, PLACED_COMMITS, beside, listed,
};

/// One feature's older versions, as a chunk is made of.
#[derive(Clone, Debug)]
pub struct ColumnInput<'a> {
    /// The feature.
    pub feature: FeatureId,
    /// How its numbers may be written.
    pub numbers: Numbers,
    /// Its revisions, ascending, at least one.
    pub revisions: &'a [Revision],
}

/// Writes a chunk of columns ascending by feature, and its heap, for a table that has this timeline.
pub fn encode(
    columns: &[ColumnInput<'_>],
    timeline: &Timeline,
    out: &mut Vec<u8>,
    heap: &mut Vec<u8>,
) {
    let counts: Vec<usize> = columns.iter().map(|column| column.revisions.len()).collect();
    let all = |integer: fn(&Revision) -> i64| -> Vec<i64> {
        columns.iter().flat_map(|column| column.revisions.iter().map(integer)).collect()
    };
    let times = all(|revision| revision.order.event_time.0);
    let times = Lists { all: &times, counts: &counts };
    // Mostly they are all zero.
    let some = |integer: fn(&Revision) -> i64| {
        let mut each = columns.iter().flat_map(|column| column.revisions);
        each.any(|revision| integer(revision) != 0).then(|| all(integer))
    };
    let known = some(|revision| revision.order.commit.0.wrapping_sub(revision.order.known_time.0));
    let sources = some(|revision| i64::from(revision.source.0));
    let kinds = some(|revision| i64::from(revision.kind.tag()));

    let numbers = numbers(columns);
    let times_form = Times::of(times, numbers.is_some());
    let beside = match &times_form {
        Times::Own(_) => None,
        _ => numbers.and_then(|numbers| beside::Plan::of(&numbers, &counts)),
    };
    let mut bodies = Vec::new();
    let mut ends = Vec::new();
    match &beside {
        Some(plan) => plan.write(&counts, &mut bodies),
        None => ends = write_bodies(columns, &times_form, &mut bodies, heap),
    }
    let commits = all(|revision| revision.order.commit.0);
    let mut order = Vec::new();
    let commits = Lists { all: &commits, counts: &counts };
    let commits_flag = encode_commits(commits, times.all, timeline, &mut order);

    let last_id = columns.last().map_or(0, |column| u64::from(column.feature.0));
    let last_end = ends.last().copied().unwrap_or_default();
    let ids = columns.iter().map(|column| column.feature);
    let id_width = if columns.len() > 2 && is_run(ids) { 0 } else { width_of(last_id) };
    let end_width = if beside.is_some() { 0 } else { width_of(last_end) };
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    out.push(low(id_width) | low(end_width) << 4);
    out.push(
        times_form.flag()
            | commits_flag
            | flag(known.is_some(), OWN_KNOWN)
            | flag(sources.is_some(), HAS_SOURCES)
            | flag(kinds.is_some(), HAS_KINDS)
            | flag(beside.is_some(), NUMBERS_BESIDE),
    );
    out.put_varint(wide(columns.len()));
    let whole: Vec<i64> =
        counts.iter().map(|&count| i64::try_from(count).unwrap_or(i64::MAX)).collect();
    ints::encode(&whole, out);
    match columns.first() {
        Some(first) if id_width == 0 => out.put_varint(u64::from(first.feature.0)),
        _ => columns.iter().for_each(|c| put_uint(out, u64::from(c.feature.0), id_width)),
    }
    ends.iter().for_each(|&end| put_uint(out, end, end_width));
    times_form.write(times, out);
    if let Some(kinds) = kinds {
        ints::encode(&kinds, out);
    }
    out.extend_from_slice(&bodies);
    out.extend_from_slice(&order);
    [known, sources].iter().flatten().for_each(|list| ints::encode(list, out));
}

/// The integers that the columns' numbers are written as; `None` if one of them holds bytes, or
/// nothing, which may be bytes.
fn numbers(columns: &[ColumnInput<'_>]) -> Option<Vec<Wholes>> {
    let of = |column| Wholes::of(&payloads(column), column.numbers).filter(|all| !all.are_none);
    columns.iter().map(of).collect()
}

fn payloads<'a>(column: &ColumnInput<'a>) -> Vec<&'a Payload> {
    column.revisions.iter().map(|revision| &revision.payload).collect()
}

/// Writes a body for each column; where they end.
fn write_bodies(
    columns: &[ColumnInput<'_>],
    times: &Times,
    out: &mut Vec<u8>,
    heap: &mut Vec<u8>,
) -> Vec<u64> {
    let body = |(index, column): (usize, &ColumnInput<'_>)| {
        if let Times::Own(owners) = times {
            write_own_times(column.revisions, owners.get(index).copied().flatten(), out);
        }
        values::encode(&payloads(column), column.numbers, out, heap);
        wide(out.len())
    };
    columns.iter().enumerate().map(body).collect()
}

/// Where the event times go.
enum Times {
    /// One list is that of every column.
    One,
    /// The lists side by side.
    Lines(lines::Plan),
    /// Some lists, of which each column has one.
    Listed(listed::Plan),
    /// In the bodies; of each column the earlier one whose list it has again.
    Own(Vec<Option<usize>>),
}

impl Times {
    fn of(times: Lists<'_>, are_numbers: bool) -> Self {
        // What each column's numbers have of their own where they do not lie side by side.
        const BODY: u64 = 24;
        if times.are_one() {
            return Self::One;
        }
        let owners = owners(times);
        let plan = times.plan();
        let bits = plan.bits(times.all.len());
        let listed = listed::Plan::of(times, &owners).filter(|listed| listed.bits() < bits);
        let bodies = if are_numbers { BODY * wide(owners.len()) } else { 0 };
        let most = listed.as_ref().map_or(bits, |listed| listed.bits().saturating_sub(bodies));
        if are_shorter(times, &owners, most) {
            return Self::Own(owners);
        }
        listed.map_or(Self::Lines(plan), Self::Listed)
    }

    const fn flag(&self) -> u8 {
        match self {
            Self::One => ONE_TIMES,
            Self::Lines(_) => 0,
            Self::Listed(_) => LISTED_TIMES,
            Self::Own(_) => OWN_TIMES,
        }
    }

    fn write(&self, times: Lists<'_>, out: &mut Vec<u8>) {
        match self {
            Self::One => ints::encode(first_of(times), out),
            Self::Lines(plan) => plan.write(times, out),
            Self::Listed(plan) => plan.write(out),
            Self::Own(_) => {}
        }
    }
}

/// Whether lists of their own take fewer bits than so many.
fn are_shorter(times: Lists<'_>, owners: &[Option<usize>], bits: u64) -> bool {
    const AGAIN: u64 = 16;
    const OWN: u64 = 24;
    let least = |owner: &Option<usize>| owner.map_or(OWN + lines::Plan::LEAST_BITS, |_| AGAIN);
    // At first what each takes at least, which is mostly enough to know.
    let mut own: u64 = owners.iter().map(least).sum();
    let mut rest = times.all;
    for (count, owner) in times.counts.iter().zip(owners) {
        if own >= bits {
            return false;
        }
        let (list, later) = rest.split_at_checked(*count).unwrap_or((rest, &[]));
        rest = later;
        if owner.is_none() {
            let plan = Lists { all: list, counts: &[*count] }.plan();
            own += plan.bits(*count) - lines::Plan::LEAST_BITS;
        }
    }
    own < bits
}

fn first_of<'a>(lists: Lists<'a>) -> &'a [i64] {
    let count = lists.counts.first().copied().unwrap_or_default();
    lists.all.get(..count).unwrap_or_default()
}

/// Of each list an earlier one that is the same and is written itself.
fn owners(lists: Lists<'_>) -> Vec<Option<usize>> {
    let mut own: Vec<(usize, &[i64])> = Vec::new();
    let mut rest = lists.all;
    let owner_of = |(index, count): (usize, &usize)| {
        let (list, later) = rest.split_at_checked(*count).unwrap_or((rest, &[]));
        rest = later;
        // The last few are enough: features of one view stand beside one another.
        let owner = own.iter().rev().take(8).find(|(_, written)| *written == list);
        let owner = owner.map(|(index, _)| *index);
        if owner.is_none() {
            own.push((index, list));
        }
        owner
    };
    lists.counts.iter().enumerate().map(owner_of).collect()
}

fn write_own_times(revisions: &[Revision], owner: Option<usize>, out: &mut Vec<u8>) {
    match owner {
        Some(owner) => out.put_varint(wide(owner) + 1),
        None => {
            out.put_varint(0);
            let times: Vec<i64> =
                revisions.iter().map(|revision| revision.order.event_time.0).collect();
            ints::encode(&times, out);
        }
    }
}

/// Writes commits: those of the timeline, but for some; one list that is that of every column; all side
/// by side; or the commits that there are, and places among them.
fn encode_commits(commits: Lists<'_>, times: &[i64], timeline: &Timeline, out: &mut Vec<u8>) -> u8 {
    let others = Others::of(commits.all, times, timeline);
    // To look for what may be a little shorter takes longer than that is worth.
    if let Some(few) = others.as_ref().filter(|few| few.places.len() * FEW <= commits.all.len()) {
        return few.write(out);
    }
    let by_time = |bits: u64| others.as_ref().filter(|others| others.bits() < bits);
    if commits.are_one() {
        let one = first_of(commits);
        let bits = Lists { all: one, counts: &[one.len()] }.plan().bits(one.len());
        if let Some(others) = by_time(bits) {
            return others.write(out);
        }
        ints::encode(one, out);
        return ONE_COMMITS;
    }
    let mut distinct = commits.all.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let place = |commit: &i64| {
        let place = distinct.partition_point(|other| other < commit);
        i64::try_from(place).unwrap_or(i64::MAX)
    };
    let places: Vec<i64> = commits.all.iter().map(place).collect();
    let places = Lists { all: &places, counts: commits.counts };
    let table = Lists { all: &distinct, counts: &[distinct.len()] }.plan();
    let (flat, placed) = (commits.plan(), places.plan());
    let flat_bits = flat.bits(commits.all.len());
    let placed_bits = table.bits(distinct.len()) + placed.bits(places.all.len());
    if let Some(others) = by_time(flat_bits.min(placed_bits)) {
        return others.write(out);
    }
    if flat_bits <= placed_bits {
        flat.write(commits, out);
        return 0;
    }
    out.put_varint(wide(distinct.len()));
    ints::encode(&distinct, out);
    placed.write(places, out);
    PLACED_COMMITS
}

/// If there are so many times as many revisions as do not have the commit that the timeline tells, the
/// chunk goes by it.
const FEW: usize = 8;

/// Revisions that do not have the commit that the timeline tells.
struct Others {
    places: Vec<i64>,
    commits: Vec<i64>,
}

impl Others {
    /// `None` if there is no timeline.
    fn of(commits: &[i64], times: &[i64], timeline: &Timeline) -> Option<Self> {
        if timeline.is_empty() {
            return None;
        }
        let mut others = Self { places: Vec::new(), commits: Vec::new() };
        for (place, (commit, time)) in (0i64..).zip(commits.iter().zip(times)) {
            if timeline.commit_of(EventTime(*time)) != Some(Commit(*commit)) {
                others.places.push(place);
                others.commits.push(*commit);
            }
        }
        Some(others)
    }

    /// About how much room they take.
    fn bits(&self) -> u64 {
        let plan = |all: &[i64]| Lists { all, counts: &[all.len()] }.plan().bits(all.len());
        8 + plan(&self.places) + plan(&self.commits)
    }

    fn write(&self, out: &mut Vec<u8>) -> u8 {
        out.put_varint(wide(self.places.len()));
        ints::encode(&self.places, out);
        ints::encode(&self.commits, out);
        COMMITS_BY_TIME
    }
}

fn width_of(max: u64) -> usize {
    match max {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    }
}

fn low(width: usize) -> u8 {
    u8::try_from(width).unwrap_or(4)
}
