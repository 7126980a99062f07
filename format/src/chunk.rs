//! The history of one entity in a table: a column a feature, older versions ascending.
//!
//! ```text
//! u8       width of the ids: 1, 2, 4 (low half) | width of the ends: 1, 2, 4 (high half)
//! varint   number of columns C
//! varint   number of commits K
//! ints     the K commits, ascending
//! ids      C feature ids, ascending
//! ends     C ends of the columns' bodies, counted from the first body
//! bodies
//!
//! body:
//! varint   number of revisions N, at least 1
//! u8       flags: 1 times as in an earlier column | 2 commits as in an earlier column
//!                 4 known times of their own | 8 has sources | 16 has kinds
//! times    ints of N event times, or the varint index of the earlier column
//! commits  ints of N places in the list of commits, or the varint index of the earlier column
//! known    ints of N differences commit - known time      if flagged; else known at the commit
//! sources  ints of N source ids                           if flagged; else none
//! kinds    ints of N kinds                                if flagged; else all are values
//! values   see [`values`](crate::values)
//! ```
//!
//! The chunk names nothing outside itself and the entity's heap behind it, so that a merge may
//! copy both byte for byte. Revisions of a column ascend strictly by (event time, known time,
//! commit). An earlier column that is referred to holds its own list and has the same N.

use crate::ids::{Commit, EventTime, FeatureId, KnownTime, SourceId};
use crate::ints::{self, Ints};
use crate::revision::{Order, Payload, Revision};
use crate::value::Kind;
use crate::values::{self, NumberValues, Numbers, Place, Values};
use crate::wire::{Decoded, Malformed, Reader, Writer, narrow, put_uint, uint, wide};

const SHARED_TIMES: u8 = 1;
const SHARED_COMMITS: u8 = 2;
const OWN_KNOWN: u8 = 4;
const HAS_SOURCES: u8 = 8;
const HAS_KINDS: u8 = 16;

/// The most revisions that a column may have; an entity with more is written in several parts.
pub const MAX_COLUMN: u64 = 1 << 24;

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

/// Writes a chunk of columns ascending by feature, and its heap.
pub fn encode(columns: &[ColumnInput<'_>], out: &mut Vec<u8>, heap: &mut Vec<u8>) {
    let mut commits: Vec<i64> = columns
        .iter()
        .flat_map(|column| column.revisions.iter().map(|revision| revision.order.commit.0))
        .collect();
    commits.sort_unstable();
    commits.dedup();
    let mut bodies = Vec::new();
    let mut ends = Vec::with_capacity(columns.len());
    let mut written: Vec<(Vec<i64>, Vec<i64>)> = Vec::with_capacity(columns.len());
    // Only a column that holds its own list may be referred to.
    let mut own_times: Vec<usize> = Vec::new();
    let mut own_commits: Vec<usize> = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let times: Vec<i64> =
            column.revisions.iter().map(|revision| revision.order.event_time.0).collect();
        let places: Vec<i64> = column
            .revisions
            .iter()
            .map(|revision| {
                let place = commits.partition_point(|&commit| commit < revision.order.commit.0);
                i64::try_from(place).unwrap_or(i64::MAX)
            })
            .collect();
        let same_times = earlier(&own_times, &written, |lists| lists.0 == times);
        let same_commits = earlier(&own_commits, &written, |lists| lists.1 == places);
        encode_body(column, &times, &places, (same_times, same_commits), &mut bodies, heap);
        ends.push(wide(bodies.len()));
        if same_times.is_none() {
            own_times.push(index);
        }
        if same_commits.is_none() {
            own_commits.push(index);
        }
        written.push((times, places));
    }
    let last_id = columns.last().map_or(0, |column| u64::from(column.feature.0));
    let last_end = ends.last().copied().unwrap_or_default();
    let (id_width, end_width) = (width_of(last_id), width_of(last_end));
    out.push(low(id_width) | low(end_width) << 4);
    out.put_varint(wide(columns.len()));
    out.put_varint(wide(commits.len()));
    ints::encode(&commits, out);
    columns.iter().for_each(|column| put_uint(out, u64::from(column.feature.0), id_width));
    ends.iter().for_each(|&end| put_uint(out, end, end_width));
    out.extend_from_slice(&bodies);
}

fn earlier(
    own: &[usize],
    written: &[(Vec<i64>, Vec<i64>)],
    alike: impl Fn(&(Vec<i64>, Vec<i64>)) -> bool,
) -> Option<usize> {
    // The last few are enough: features of one view stand beside one another.
    own.iter().rev().take(8).copied().find(|&index| written.get(index).is_some_and(&alike))
}

fn encode_body(
    column: &ColumnInput<'_>,
    times: &[i64],
    places: &[i64],
    (same_times, same_commits): (Option<usize>, Option<usize>),
    out: &mut Vec<u8>,
    heap: &mut Vec<u8>,
) {
    let revisions = column.revisions;
    let known: Vec<i64> = revisions
        .iter()
        .map(|revision| revision.order.commit.0.wrapping_sub(revision.order.known_time.0))
        .collect();
    let sources: Vec<i64> = revisions.iter().map(|revision| i64::from(revision.source.0)).collect();
    let kinds: Vec<i64> = revisions.iter().map(|revision| i64::from(revision.kind.tag())).collect();
    let any = |list: &[i64]| list.iter().any(|&number| number != 0);
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    out.put_varint(wide(revisions.len()));
    out.push(
        flag(same_times.is_some(), SHARED_TIMES)
            | flag(same_commits.is_some(), SHARED_COMMITS)
            | flag(any(&known), OWN_KNOWN)
            | flag(any(&sources), HAS_SOURCES)
            | flag(any(&kinds), HAS_KINDS),
    );
    for (same, list) in [(same_times, times), (same_commits, places)] {
        match same {
            Some(index) => out.put_varint(wide(index)),
            None => ints::encode(list, out),
        }
    }
    for list in [&known, &sources, &kinds] {
        if any(list) {
            ints::encode(list, out);
        }
    }
    let payloads: Vec<&Payload> = revisions.iter().map(|revision| &revision.payload).collect();
    values::encode(&payloads, column.numbers, out, heap);
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

/// A chunk, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    bytes: &'a [u8],
    commits: Ints<'a>,
    columns: usize,
    id_width: usize,
    end_width: usize,
    ids: usize,
    ends: usize,
    bodies: usize,
}

impl<'a> Chunk<'a> {
    /// Reads the head of a chunk.
    #[inline]
    pub fn decode(bytes: &'a [u8]) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let fault = reader.fault("the widths of a chunk");
        let widths = reader.u8()?;
        let (id_width, end_width) = (usize::from(widths & 15), usize::from(widths >> 4));
        if ![1, 2, 4].contains(&id_width) || ![1, 2, 4].contains(&end_width) {
            return Err(fault);
        }
        let columns = reader.count()?;
        let fault = reader.fault("a count of commits within the limits of the format");
        let commits = narrow(reader.varint()?);
        if wide(commits) > MAX_COLUMN {
            return Err(fault);
        }
        let commits = Ints::decode(&mut reader, commits)?;
        let ids = reader.position();
        reader.take(columns.saturating_mul(id_width))?;
        let ends = reader.position();
        reader.take(columns.saturating_mul(end_width))?;
        let bodies = reader.position();
        let chunk = Self { bytes, commits, columns, id_width, end_width, ids, ends, bodies };
        if chunk.end_of(columns) != bytes.len() {
            return Err(Malformed::new(wide(ends), "columns up to the end of the chunk"));
        }
        Ok(chunk)
    }

    /// Where the first so many columns end.
    #[inline(always)]
    fn end_of(&self, columns: usize) -> usize {
        let width = self.end_width;
        let told = |last| narrow(uint(self.bytes, self.ends + last * width, width));
        self.bodies.saturating_add(columns.checked_sub(1).map_or(0, told))
    }

    /// Whether the list of commits ascends, which no read looks at.
    #[must_use]
    pub fn commits_ascend(&self) -> bool {
        (1..self.commits.len()).all(|index| self.commits.get(index - 1) < self.commits.get(index))
    }

    /// How many columns it has.
    #[must_use]
    #[inline]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// The feature of the i-th column.
    #[must_use]
    #[inline]
    pub fn feature(&self, index: usize) -> FeatureId {
        let id = uint(self.bytes, self.ids + index * self.id_width, self.id_width);
        FeatureId(u32::try_from(id).unwrap_or(u32::MAX))
    }

    /// The column of a feature, searched from a column on: a caller who asks in ascending order
    /// passes what it was told last.
    #[inline]
    pub fn find(&self, feature: FeatureId, from: usize) -> Result<usize, usize> {
        // Callers mostly ask for the very next one.
        let (mut low, mut high) = (from, self.columns);
        if low < high && self.feature(low) == feature {
            return Ok(low);
        }
        while low < high {
            let middle = low.midpoint(high);
            match self.feature(middle).cmp(&feature) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// A reader at the start of a body, and where the body ends. The reader goes on to the end of the
    /// chunk, so that a number near the end of a column is read like any other.
    #[inline(always)]
    fn body(&self, index: usize) -> Decoded<(Reader<'a>, usize)> {
        let fault = Malformed::new(wide(self.ends), "the end of a column within the chunk");
        if index >= self.columns {
            return Err(fault);
        }
        let (from, to) = (self.end_of(index), self.end_of(index + 1));
        let mut reader = Reader::new(self.bytes);
        if from > to || to > self.bytes.len() || reader.take(from).is_err() {
            return Err(fault);
        }
        Ok((reader, to))
    }

    /// The i-th column.
    #[inline]
    pub fn column(&self, index: usize) -> Decoded<Column<'a>> {
        let (mut reader, end) = self.body(index)?;
        let (count, flags) = body_head(&mut reader)?;
        let times = if flags & SHARED_TIMES == 0 {
            Ints::decode(&mut reader, count)?
        } else {
            let at = reader.fault("an earlier column with its own times of the same number");
            self.shared(narrow(reader.varint()?), index, count, false, at)?
        };
        let places = if flags & SHARED_COMMITS == 0 {
            Ints::decode(&mut reader, count)?
        } else {
            let at = reader.fault("an earlier column with its own commits of the same number");
            self.shared(narrow(reader.varint()?), index, count, true, at)?
        };
        let mut optional =
            |flag: u8| (flags & flag != 0).then(|| Ints::decode(&mut reader, count)).transpose();
        let known = optional(OWN_KNOWN)?;
        let sources = optional(HAS_SOURCES)?;
        let kinds = optional(HAS_KINDS)?;
        Ok(Column {
            count,
            times,
            places,
            commits: self.commits,
            known,
            sources,
            kinds,
            values: reader,
            end,
        })
    }

    /// The i-th column, if it holds numbers. Lists of times that columns share are kept in `shared`
    /// from column to column.
    // Inlined, so that the parts stay in registers: a column of a few revisions is read in less time
    // than it takes to hand its parts around in memory.
    #[inline(always)]
    pub fn numbers(
        &self,
        index: usize,
        shared: &mut SharedTimes<'a>,
    ) -> Decoded<Option<NumberColumn<'a>>> {
        let (mut reader, end) = self.body(index)?;
        let (count, flags) = body_head(&mut reader)?;
        let times = if flags & SHARED_TIMES == 0 {
            Ints::decode(&mut reader, count)?
        } else {
            let at = reader.fault("an earlier column with its own times of the same number");
            let owner = narrow(reader.varint()?);
            match shared.0 {
                Some((kept, times)) if kept == owner && times.len() == count => times,
                _ => {
                    let times = self.shared(owner, index, count, false, at)?;
                    shared.0 = Some((owner, times));
                    times
                }
            }
        };
        if flags & SHARED_COMMITS == 0 {
            Ints::skip(&mut reader, count)?;
        } else {
            reader.varint()?;
        }
        for flag in [OWN_KNOWN, HAS_SOURCES] {
            if flags & flag != 0 {
                Ints::skip(&mut reader, count)?;
            }
        }
        let kinds =
            if flags & HAS_KINDS == 0 { None } else { Some(Ints::decode(&mut reader, count)?) };
        let Some(numbers) = NumberValues::decode(&mut reader, count)? else { return Ok(None) };
        if reader.position() != end {
            return Err(reader.fault("the end of the column"));
        }
        Ok(Some(NumberColumn { times, kinds, numbers }))
    }

    fn shared(
        &self,
        owner: usize,
        index: usize,
        count: usize,
        commits: bool,
        fault: Malformed,
    ) -> Decoded<Ints<'a>> {
        if owner >= index {
            return Err(fault);
        }
        let (mut reader, _) = self.body(owner)?;
        let (owner_count, flags) = body_head(&mut reader)?;
        let own = if commits { SHARED_COMMITS } else { SHARED_TIMES };
        if owner_count != count || flags & own != 0 {
            return Err(fault);
        }
        if commits {
            if flags & SHARED_TIMES == 0 {
                Ints::decode(&mut reader, count)?;
            } else {
                reader.varint()?;
            }
        }
        Ints::decode(&mut reader, count)
    }
}

#[inline(always)]
fn body_head(reader: &mut Reader<'_>) -> Decoded<(usize, u8)> {
    let fault = reader.fault("the number of revisions of a column");
    let count = reader.varint()?;
    if count == 0 || count > MAX_COLUMN {
        return Err(fault);
    }
    let fault = reader.fault("the flags of a column");
    let flags = reader.u8()?;
    if flags >= HAS_KINDS << 1 { Err(fault) } else { Ok((narrow(count), flags)) }
}

/// The list of times that columns share which were looked at last.
#[derive(Clone, Copy, Debug, Default)]
pub struct SharedTimes<'a>(Option<(usize, Ints<'a>)>);

/// One feature's older versions, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    count: usize,
    times: Ints<'a>,
    places: Ints<'a>,
    commits: Ints<'a>,
    known: Option<Ints<'a>>,
    sources: Option<Ints<'a>>,
    kinds: Option<Ints<'a>>,
    values: Reader<'a>,
    end: usize,
}

impl<'a> Column<'a> {
    /// How many revisions it has, at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a column is never empty")]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// How many of its revisions have an event time up to `t`.
    #[must_use]
    #[inline]
    pub fn up_to(&self, t: EventTime) -> usize {
        self.times.partition_above(t.0)
    }

    /// The i-th event time.
    #[must_use]
    #[inline]
    pub fn event_time(&self, index: usize) -> EventTime {
        EventTime(self.times.get(index))
    }

    /// The i-th revision's place in the order.
    #[must_use]
    #[inline]
    pub fn order(&self, index: usize) -> Order {
        let commit = match usize::try_from(self.places.get(index)) {
            Ok(place) if place < self.commits.len() => self.commits.get(place),
            // No writer has such a place; the largest commit is one that no reader sees.
            _ => i64::MAX,
        };
        let behind = self.known.as_ref().map_or(0, |known| known.get(index));
        Order {
            event_time: EventTime(self.times.get(index)),
            known_time: KnownTime(commit.wrapping_sub(behind)),
            commit: Commit(commit),
        }
    }

    /// The i-th revision's source.
    #[must_use]
    pub fn source(&self, index: usize) -> SourceId {
        let id = self.sources.as_ref().map_or(0, |sources| sources.get(index));
        SourceId(u32::try_from(id).unwrap_or(u32::MAX))
    }

    /// The i-th revision's kind.
    #[inline]
    pub fn kind(&self, index: usize) -> Decoded<Kind> {
        kind_of(self.kinds.as_ref(), index)
    }

    /// Where the values are, in the chunk that the column is of.
    #[inline]
    pub fn values(&self) -> Decoded<Values<'a>> {
        values_up_to(self.values, self.count, self.end)
    }

    /// Where the i-th revision's value is; places count from the start of the chunk.
    #[inline]
    pub fn place(&self, index: usize) -> Decoded<Place> {
        self.values()?.place(index)
    }

    /// Where the bytes of the column end, in the chunk.
    pub fn end(&self) -> Decoded<usize> {
        let mut reader = self.values;
        Values::decode(&mut reader, self.count)?;
        Ok(reader.position())
    }
}

/// The values that end where their column does.
#[inline]
fn values_up_to(mut reader: Reader<'_>, count: usize, end: usize) -> Decoded<Values<'_>> {
    let values = Values::decode(&mut reader, count)?;
    if reader.position() == end { Ok(values) } else { Err(reader.fault("the end of the column")) }
}

/// A column of numbers, for readers who see every revision of it: nothing is decoded that such a
/// reader does not need.
#[derive(Clone, Copy, Debug)]
pub struct NumberColumn<'a> {
    times: Ints<'a>,
    kinds: Option<Ints<'a>>,
    numbers: NumberValues<'a>,
}

impl NumberColumn<'_> {
    /// How many revisions it has, at least one.
    #[must_use]
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a column is never empty")]
    pub const fn len(&self) -> usize {
        self.times.len()
    }

    /// How many of its revisions have an event time up to `t`.
    #[must_use]
    #[inline]
    pub fn up_to(&self, t: EventTime) -> usize {
        self.times.partition_above(t.0)
    }

    /// The i-th event time.
    #[must_use]
    #[inline]
    pub fn event_time(&self, index: usize) -> EventTime {
        EventTime(self.times.get(index))
    }

    /// The i-th revision's kind.
    #[inline]
    pub fn kind(&self, index: usize) -> Decoded<Kind> {
        kind_of(self.kinds.as_ref(), index)
    }

    /// The bits of the i-th number.
    #[must_use]
    #[inline]
    pub fn bits(&self, index: usize) -> u64 {
        self.numbers.bits(index)
    }
}

#[inline]
fn kind_of(kinds: Option<&Ints<'_>>, index: usize) -> Decoded<Kind> {
    let Some(kinds) = kinds else { return Ok(Kind::Value) };
    u8::try_from(kinds.get(index))
        .ok()
        .and_then(Kind::from_tag)
        .ok_or(Malformed::new(0, "the kind of a revision"))
}
