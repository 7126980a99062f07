//! The history of one entity in a table: a column a feature, older versions ascending.
//!
//! ```text
//! u8       width of the ids: 1, 2, 4, or 0: a run (low half)
//!          | width of the ends: 1, 2, 4, or 0 where there are none (high half)
//! u8       flags: event times 1 one list | 2 each column its own | 3 some lists
//!                 (neither: side by side)
//!                 commits     4 one list | 8 places | 12 timeline  (neither: side by side)
//!                 16 known times of their own | 32 has sources | 64 has kinds
//!                 128 numbers side by side: there are no ends and no bodies; not where each column
//!                 has its own event times
//! varint   number of columns C, 1 to MAX_FEATURES
//! ints     C numbers of revisions, each at least 1; R in all
//! ids      C feature ids, ascending; a run: varint, the first, and each is one more than the one
//!          before
//! ends     C ends of the columns' bodies, counted from the first body
//! times    one list: ints of N event times, which are those of every column
//!          side by side: lines of the C columns' event times, R in all
//!          each its own: nothing here
//!          some lists: see `listed`
//! kinds    ints of R kinds                                if flagged; else all are values
//! bodies   or numbers side by side, see `beside`
//! commits  one list: ints of N commits, which are those of every column
//!          side by side: lines of the C columns' commits, R in all
//!          places: varint K, ints of K commits, ascending, and lines of R places among them
//!          timeline: varint X, ints of X places of revisions, ascending, and ints of X commits:
//!                  theirs; that of each other one is what the table's timeline tells of its event
//!                  time
//! known    ints of R differences commit - known time      if flagged; else known at the commit
//! sources  ints of R source ids                           if flagged; else none
//!
//! body:
//! varint   0: ints of the column's event times follow;
//!          n + 1: they are those of the earlier column n     only where each has its own
//! values   see [`values`](crate::values)
//! ```
//!
//! `ints` are columns of integers ([`ints`](crate::ints)), `lines` lists of them
//! ([`lines`](crate::lines)). A read looks at times, kinds and bodies; commits, known times and
//! sources, which few reads need, lie behind them.
//!
//! The chunk names nothing outside itself and the entity's heap behind it but the table's
//! timeline (see [`Timeline`]), so that a merge may copy both byte for byte into a table whose
//! timeline tells the same. Revisions of a column ascend strictly by (event time, known time,
//! commit). An earlier column that is referred to holds its own list and has the same number.

mod beside;
mod column;
mod encode;
mod grid;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod listed;
mod numbers;
mod rows;

use self::beside::Beside;
pub use self::column::{Column, Orders, OrdersBack};
use self::column::{ColumnValues, Commits};
pub use self::encode::{ColumnInput, encode};
pub use self::grid::{Grid, Starts};
use self::listed::Listed;
pub use self::numbers::{Moment, NumberColumn};
pub use self::rows::{Cells, Moments, Wanted, answer_newest};
use crate::head::{MAX_FEATURES, place_in_run};
use crate::ids::{EventTime, FeatureId};
use crate::ints::Ints;
use crate::timeline::{self, Timeline};
use crate::values::NumberValues;
use crate::wire::{Decoded, Malformed, Reader, narrow, uint, wide};

/// Which form event times have: none of these where they lie side by side.
const TIMES: u8 = 3;
const ONE_TIMES: u8 = 1;
const OWN_TIMES: u8 = 2;
const LISTED_TIMES: u8 = 3;
const ONE_COMMITS: u8 = 4;
const PLACED_COMMITS: u8 = 8;
const COMMITS_BY_TIME: u8 = ONE_COMMITS | PLACED_COMMITS;
const OWN_KNOWN: u8 = 16;
const HAS_SOURCES: u8 = 32;
const HAS_KINDS: u8 = 64;
const NUMBERS_BESIDE: u8 = 128;

/// The most revisions that a chunk may have; an entity with more is written in several rows.
pub const MAX_REVISIONS: u64 = 1 << 24;

/// Whether the commits of a chunk are those that the table's timeline tells.
#[must_use]
pub fn goes_by_timeline(chunk: &[u8]) -> bool {
    chunk.get(1).is_some_and(|flags| flags & COMMITS_BY_TIME == COMMITS_BY_TIME)
}

/// A chunk, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    bytes: &'a [u8],
    flags: u8,
    id_width: u8,
    end_width: u8,
    columns: usize,
    counts: Ints<'a>,
    revisions: usize,
    ids: usize,
    /// The first feature of a run.
    first_id: u32,
    ends: usize,
    /// None of a column that has its own.
    times: Ints<'a>,
    /// Which of them each column has, where they are some lists.
    listed: Option<Listed<'a>>,
    kinds: Option<Ints<'a>>,
    bodies: usize,
    beside: Option<Beside<'a>>,
    /// Where the commits begin.
    orders: usize,
}

impl<'a> Chunk<'a> {
    /// Reads the head of a chunk.
    #[inline(always)]
    pub fn decode(bytes: &'a [u8]) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let fault = reader.fault("the widths and flags of a chunk");
        let widths = reader.u8()?;
        let flags = reader.u8()?;
        let (id_width, end_width) = (widths & 15, widths >> 4);
        let is_beside = flags & NUMBERS_BESIDE != 0;
        let ends_fit = if is_beside { end_width == 0 } else { matches!(end_width, 1 | 2 | 4) };
        if !matches!(id_width, 0 | 1 | 2 | 4)
            || !ends_fit
            || is_beside && flags & TIMES == OWN_TIMES
        {
            return Err(fault);
        }
        let fault = reader.fault("a number of columns, each of one revision at least");
        let columns = narrow(reader.varint()?);
        if !(1..=MAX_FEATURES).contains(&columns) {
            return Err(fault);
        }
        let counts = Ints::decode(&mut reader, columns)?;
        let is_one = flags & TIMES == ONE_TIMES || flags & COMMITS_BY_TIME == ONE_COMMITS;
        let revisions = total(&counts, is_one).ok_or(fault)?;
        let first_id = if id_width == 0 { reader.varint_u32()? } else { 0 };
        if columns - 1 > (u32::MAX - first_id) as usize {
            return Err(reader.fault("ids below 2^32"));
        }
        let ids = reader.position();
        reader.take(columns.saturating_mul(usize::from(id_width)))?;
        let ends = reader.position();
        reader.take(columns.saturating_mul(usize::from(end_width)))?;
        let mut listed = None;
        let times = match flags & TIMES {
            0 => Ints::decode(&mut reader, revisions)?,
            ONE_TIMES => Ints::decode(&mut reader, narrow(counts.get(0).cast_unsigned()))?,
            OWN_TIMES => Ints::none(),
            _ => {
                let (lists, times) = Listed::decode(&mut reader, columns, revisions)?;
                listed = Some(lists);
                times
            }
        };
        let kinds = match flags & HAS_KINDS {
            0 => None,
            _ => Some(Ints::decode(&mut reader, revisions)?),
        };
        let bodies = reader.position();
        let beside = match is_beside {
            true => Some(Beside::decode(&mut reader, columns, revisions)?),
            false => None,
        };
        let mut chunk = Self {
            bytes,
            flags,
            id_width,
            end_width,
            columns,
            counts,
            revisions,
            ids,
            first_id,
            ends,
            times,
            listed,
            kinds,
            bodies,
            beside,
            orders: reader.position(),
        };
        if !is_beside {
            chunk.orders = chunk.end_of(columns);
            if chunk.orders > bytes.len() {
                return Err(Malformed::new(wide(ends), "columns within the chunk"));
            }
        }
        Ok(chunk)
    }

    /// Where the first so many columns end.
    #[inline(always)]
    fn end_of(&self, columns: usize) -> usize {
        let width = usize::from(self.end_width);
        let told = |last| narrow(uint(self.bytes, self.ends + last * width, width));
        self.bodies.saturating_add(columns.checked_sub(1).map_or(0, told))
    }

    /// Whether the list of commits, or of places that have one, ascends, if there is one, which no
    /// read looks at.
    pub fn commits_ascend(&self, timeline: &'a Timeline) -> Decoded<bool> {
        let ascends = |list: &Ints<'_>| (1..list.len()).all(|i| list.get(i - 1) < list.get(i));
        Ok(match self.orders(timeline)?.commits {
            Commits::Places(commits, _) => ascends(&commits),
            Commits::ByTime { places, .. } => {
                let within = |place| usize::try_from(place).is_ok_and(|at| at < self.revisions);
                ascends(&places) && places.iter().all(within)
            }
            Commits::One(_) | Commits::Lines(_) => true,
        })
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
        let id = match usize::from(self.id_width) {
            0 => u64::from(self.first_id).saturating_add(wide(index)),
            width => uint(self.bytes, self.ids + index * width, width),
        };
        FeatureId(u32::try_from(id).unwrap_or(u32::MAX))
    }

    /// The first feature, if each one behind it follows the one before and that is how they are
    /// written.
    #[must_use]
    #[inline]
    pub const fn run_from(&self) -> Option<FeatureId> {
        if self.id_width == 0 { Some(FeatureId(self.first_id)) } else { None }
    }

    /// The column of a feature, searched from a column on: a caller who asks in ascending order
    /// passes what it was told last.
    #[inline]
    pub fn find(&self, feature: FeatureId, from: usize) -> Result<usize, usize> {
        if self.id_width == 0 {
            return place_in_run(feature, FeatureId(self.first_id), from, self.columns);
        }
        let (mut low, mut high) = (from, self.columns);
        // Callers mostly ask for the very next one.
        for next in [from, from + 1] {
            if next < high && self.feature(next) == feature {
                return Ok(next);
            }
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

    /// How many revisions a column has, and how many lie before it.
    #[inline(always)]
    fn extent(&self, index: usize, walk: &mut Walk<'a>) -> (usize, usize) {
        if let Some(count) = self.counts.constant() {
            let count = narrow(count.cast_unsigned());
            return (count, index.saturating_mul(count));
        }
        let (mut at, mut before) =
            if walk.column <= index { (walk.column, walk.before) } else { (0, 0) };
        // Who asks for a column that is not there is told by who looks for its parts.
        while at < index.min(self.columns) {
            before += narrow(self.counts.get(at).cast_unsigned());
            at += 1;
        }
        (walk.column, walk.before) = (at, before);
        (narrow(self.counts.get(index).cast_unsigned()), before)
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

    /// The event times of a column, of which the reader stands at the start of the body: it is then
    /// at the values.
    #[inline(always)]
    fn times(
        &self,
        index: usize,
        (count, before): (usize, usize),
        reader: &mut Reader<'a>,
        walk: &mut Walk<'a>,
    ) -> Decoded<List<'a>> {
        if self.flags & TIMES == OWN_TIMES {
            let all = self.own_times(index, count, reader, walk)?;
            return Ok(List { all, before: 0, count });
        }
        self.times_of_all(index, (count, before))
    }

    /// The event times of a column that has none of its own.
    #[inline(always)]
    fn times_of_all(&self, index: usize, (count, before): (usize, usize)) -> Decoded<List<'a>> {
        let before = match (&self.listed, self.flags & TIMES) {
            (Some(listed), _) => listed.before(index, count, self.times.len())?,
            (None, ONE_TIMES) => 0,
            (None, _) => before,
        };
        Ok(List { all: self.times, before, count })
    }

    fn own_times(
        &self,
        index: usize,
        count: usize,
        reader: &mut Reader<'a>,
        walk: &mut Walk<'a>,
    ) -> Decoded<Ints<'a>> {
        let fault = reader.fault("an earlier column with its own times of the same number");
        let Some(owner) = reader.varint()?.checked_sub(1).map(narrow) else {
            return Ints::decode(reader, count);
        };
        if let Some((kept, times)) = walk.shared
            && kept == owner
            && times.len() == count
        {
            return Ok(times);
        }
        if owner >= index || self.extent(owner, &mut Walk::default()).0 != count {
            return Err(fault);
        }
        let (mut reader, _) = self.body(owner)?;
        if reader.varint()? != 0 {
            return Err(fault);
        }
        let times = Ints::decode(&mut reader, count)?;
        walk.shared = Some((owner, times));
        Ok(times)
    }

    /// The i-th column.
    pub fn column(&self, index: usize) -> Decoded<Column<'a>> {
        self.column_with(index, &mut Walk::default())
    }

    /// The i-th column, for who goes from column to column and passes one walk along.
    pub fn column_with(&self, index: usize, walk: &mut Walk<'a>) -> Decoded<Column<'a>> {
        let extent = self.extent(index, walk);
        let (times, values) = match self.numbers_beside(index, extent) {
            Some(found) => {
                let (times, numbers) = found?;
                (times, ColumnValues::Beside(numbers))
            }
            None => {
                let (mut reader, end) = self.body(index)?;
                let times = self.times(index, extent, &mut reader, walk)?;
                (times, ColumnValues::Body(reader, end))
            }
        };
        Ok(Column { times, before: extent.1, kinds: self.kinds, values })
    }

    /// Event times and numbers of a column, if those of all columns lie side by side.
    #[inline(always)]
    fn numbers_beside(
        &self,
        index: usize,
        extent: (usize, usize),
    ) -> Option<Decoded<(List<'a>, NumberValues<'a>)>> {
        let beside = self.beside.as_ref()?;
        if index >= self.columns {
            return Some(Err(Malformed::new(0, "a column of the chunk")));
        }
        let times = self.times_of_all(index, extent);
        Some(times.and_then(|times| Ok((times, beside.column(index, extent.1)?))))
    }

    /// No column has more revisions.
    #[inline]
    fn longest(&self) -> usize {
        match self.counts.constant() {
            Some(count) => narrow(count.cast_unsigned()),
            None => self.revisions,
        }
    }

    /// A moment, to be held against the event times of each column.
    #[inline]
    #[must_use]
    pub fn moment(&self, t: EventTime) -> Moment {
        let longest = self.longest();
        match self.flags & TIMES {
            OWN_TIMES => Moment { t, limit: None, index: None },
            ONE_TIMES => {
                let limit = self.times.limit(longest, t.0);
                let index = self.times.partition_within(0, longest, &limit);
                Moment { t, limit: None, index: Some(index) }
            }
            _ => Moment { t, limit: Some(self.times.limit(longest, t.0)), index: None },
        }
    }

    /// How many revisions each column has, if their event times are one list.
    #[inline]
    #[must_use]
    pub fn len_of_all(&self) -> Option<usize> {
        (self.flags & TIMES == ONE_TIMES).then(|| self.times.len())
    }

    /// The first moment after one at which some column may tell another version, where event times do
    /// not fall; `None`: there is none.
    #[inline]
    #[must_use]
    pub fn changes_after(&self, moment: &Moment) -> Option<EventTime> {
        match moment.index {
            Some(index) => (index < self.times.len()).then(|| EventTime(self.times.get(index))),
            None => moment.t.0.checked_add(1).map(EventTime),
        }
    }

    /// The i-th column, if it holds numbers. A caller who asks in ascending order passes one walk
    /// from column to column.
    // Inlined, so that the parts stay in registers: a column of a few revisions is read in less time
    // than it takes to hand its parts around in memory.
    #[inline(always)]
    pub fn numbers(&self, index: usize, walk: &mut Walk<'a>) -> Decoded<Option<NumberColumn<'a>>> {
        let extent = self.extent(index, walk);
        let (count, before) = extent;
        if let Some(found) = self.numbers_beside(index, extent) {
            let (times, numbers) = found?;
            return Ok(Some(NumberColumn { times, before, kinds: self.kinds, numbers }));
        }
        let (mut reader, end) = self.body(index)?;
        let times = self.times(index, extent, &mut reader, walk)?;
        let Some(numbers) = NumberValues::decode(&mut reader, count)? else { return Ok(None) };
        if reader.position() != end {
            return Err(reader.fault("the end of the column"));
        }
        Ok(Some(NumberColumn { times, before, kinds: self.kinds, numbers }))
    }

    /// What lies behind the values, in a chunk of a table that has this timeline.
    pub fn orders(&self, timeline: &'a Timeline) -> Decoded<Orders<'a>> {
        let mut reader = Reader::new(self.bytes);
        reader.take(self.orders)?;
        let commits = match self.flags & COMMITS_BY_TIME {
            0 => Commits::Lines(Ints::decode(&mut reader, self.revisions)?),
            ONE_COMMITS => {
                let count = narrow(self.counts.get(0).cast_unsigned());
                Commits::One(Ints::decode(&mut reader, count)?)
            }
            COMMITS_BY_TIME => {
                if timeline.is_empty() {
                    return Err(timeline::MISSING);
                }
                let fault = reader.fault("a number of commits up to that of revisions");
                let count = narrow(reader.varint()?);
                if count > self.revisions {
                    return Err(fault);
                }
                let places = Ints::decode(&mut reader, count)?;
                let commits = Ints::decode(&mut reader, count)?;
                Commits::ByTime { timeline, places, commits }
            }
            _ => {
                let fault = reader.fault("a number of commits up to that of revisions");
                let count = narrow(reader.varint()?);
                if count == 0 || count > self.revisions {
                    return Err(fault);
                }
                let commits = Ints::decode(&mut reader, count)?;
                Commits::Places(commits, Ints::decode(&mut reader, self.revisions)?)
            }
        };
        let mut optional = |flag: u8| {
            (self.flags & flag != 0).then(|| Ints::decode(&mut reader, self.revisions)).transpose()
        };
        let orders =
            Orders { commits, known: optional(OWN_KNOWN)?, sources: optional(HAS_SOURCES)? };
        reader.end()?;
        Ok(orders)
    }
}

/// How many revisions there are in all; `None` if a column has none, if there are too many, or if
/// all are to be alike and are not.
fn total(counts: &Ints<'_>, alike: bool) -> Option<usize> {
    let most = narrow(MAX_REVISIONS);
    let good = |count: i64| usize::try_from(count).ok().filter(|count| (1..=most).contains(count));
    let total = match counts.constant() {
        Some(count) => counts.len().checked_mul(good(count)?)?,
        None if alike => return None,
        None => counts.iter().try_fold(0usize, |total, count| total.checked_add(good(count)?))?,
    };
    (total <= most).then_some(total)
}

/// What is remembered from one column to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk<'a> {
    column: usize,
    /// How many revisions lie before it.
    before: usize,
    /// The column whose event times were looked at for others, and they.
    shared: Option<(usize, Ints<'a>)>,
}

/// A list among lists that lie side by side.
#[derive(Clone, Copy, Debug)]
struct List<'a> {
    all: Ints<'a>,
    before: usize,
    count: usize,
}

impl List<'_> {
    #[inline(always)]
    fn get(&self, index: usize) -> i64 {
        self.all.at(index, self.before.saturating_add(index))
    }

    #[inline(always)]
    fn partition_above(&self, limit: i64) -> usize {
        self.all.partition_of(self.before, self.count, limit)
    }
}
