//! Which commit brought what became true at an event time, as far as one can tell: where batches
//! come in the order of event time, the event time of a revision tells its commit.
//!
//! ```text
//! varint   number of steps K, 1 to MAX_STEPS
//! ints     K event times, each greater than the one before
//! ints     K commits, each greater than the one before
//! ```
//!
//! A step says that what became true from its event time on, up to that of the next step, came with
//! its commit. What became true before the first step came with the commit of the first. Chunks
//! that go by the table's timeline list those revisions of which that is not so.

use crate::ids::{Commit, EventTime};
use crate::ints::{self, Ints};
use crate::wire::{Decoded, Malformed, Reader, Writer, narrow, wide};

/// The most steps that a timeline may have.
pub const MAX_STEPS: usize = 1 << 18;

/// From an event time on revisions came with a commit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Step {
    /// The commit.
    pub commit: Commit,
    /// The least event time of what came with it in time.
    pub from: EventTime,
}

impl Step {
    /// So many records a batch must have, or a step is longer than what it saves.
    pub const LEAST_RECORDS: usize = 4;

    /// The step of a batch, of which the event times are told in any order; they are then in another
    /// one. What is much older than most of the batch came late and counts for nothing.
    #[must_use]
    pub fn of(commit: Commit, times: &mut [i64]) -> Option<Self> {
        if times.len() < Self::LEAST_RECORDS {
            return None;
        }
        let (half, rest) = (times.len() / 2, times.len() / 4);
        let (_, middle, newer) = times.select_nth_unstable(half);
        let middle = *middle;
        let (_, upper, _) = newer.select_nth_unstable(rest.min(newer.len().checked_sub(1)?));
        // In a batch that is in time, as much lies below the middle as above it.
        let far = upper.saturating_sub(middle).saturating_mul(FAR);
        let oldest = middle.saturating_sub(far);
        let from = times.iter().copied().filter(|time| *time >= oldest).min()?;
        Some(Self { commit, from: EventTime(from) })
    }
}

/// What lies so many times as far below the middle of a batch as its third quarter lies above came
/// late: even spread, its oldest lies twice as far.
const FAR: i64 = 4;

/// Steps that ascend by event time and by commit, in memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Timeline {
    times: Vec<i64>,
    commits: Vec<i64>,
    /// Where the steps of each bucket begin, and where the last ones end: event time `t` is in
    /// bucket `(t - the first) >> shift`.
    starts: Vec<u32>,
    shift: u32,
}

impl Timeline {
    /// None: no event time tells anything.
    #[must_use]
    pub const fn none() -> Self {
        Self { times: Vec::new(), commits: Vec::new(), starts: Vec::new(), shift: 0 }
    }

    /// As many of these steps as ascend both ways; none if they are less than half, or more than
    /// `most`.
    #[must_use]
    pub fn of(mut steps: Vec<Step>, most: usize) -> Self {
        steps.sort_unstable();
        steps.dedup_by_key(|step| step.commit);
        let kept = ascending(&steps);
        if kept.len() > most.min(MAX_STEPS) || kept.len() * 2 < steps.len() {
            return Self::none();
        }
        let (times, commits) = kept.iter().map(|step| (step.from.0, step.commit.0)).unzip();
        Self::over(times, commits)
    }

    fn over(times: Vec<i64>, commits: Vec<i64>) -> Self {
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
            return Self::none();
        };
        let span = last.abs_diff(first);
        let most = wide(times.len()) * 2;
        let shift = (0..64).find(|shift| span >> shift < most).unwrap_or(63);
        let mut starts = Vec::with_capacity(narrow(span >> shift) + 2);
        for (index, time) in (0u32..).zip(&times) {
            let bucket = narrow(time.abs_diff(first) >> shift);
            while starts.len() <= bucket {
                starts.push(index);
            }
        }
        starts.push(u32::try_from(times.len()).unwrap_or(u32::MAX));
        Self { times, commits, starts, shift }
    }

    /// How many steps there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The steps, ascending.
    pub fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let step =
            |(from, commit): (&i64, &i64)| Step { commit: Commit(*commit), from: EventTime(*from) };
        self.times.iter().zip(&self.commits).map(step)
    }

    /// The commit that an event time tells; `None` without any step.
    #[must_use]
    #[inline]
    pub fn commit_of(&self, t: EventTime) -> Option<Commit> {
        let first = *self.times.first()?;
        if t.0 < first {
            return self.commits.first().copied().map(Commit);
        }
        let bucket = narrow(t.0.abs_diff(first) >> self.shift).min(self.starts.len() - 2);
        let bound = |at: usize| self.starts.get(at).map_or(0, |start| *start as usize);
        let (from, to) = (bound(bucket), bound(bucket + 1));
        let near = self.times.get(from..to).unwrap_or_default();
        let up_to = from + near.partition_point(|time| *time <= t.0);
        self.commits.get(up_to.checked_sub(1)?).copied().map(Commit)
    }

    /// The steps that tell the commits of two event times and of all between them.
    #[must_use]
    pub fn between(&self, first: EventTime, last: EventTime) -> Self {
        let from = self.times.partition_point(|time| *time <= first.0).saturating_sub(1);
        let to = self.times.partition_point(|time| *time <= last.0).max(from + 1);
        let part = |all: &[i64]| all.get(from..to.min(all.len())).unwrap_or_default().to_vec();
        Self::over(part(&self.times), part(&self.commits))
    }

    /// Whether two timelines tell the same of two event times and of all between them.
    #[must_use]
    pub fn agrees(&self, other: &Self, first: EventTime, last: EventTime) -> bool {
        let (ours, theirs) = (self.between(first, last), other.between(first, last));
        // It does not matter where the first one begins.
        ours.commits == theirs.commits && ours.times.get(1..) == theirs.times.get(1..)
    }

    /// The bytes of the section.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_varint(wide(self.len()));
        ints::encode(&self.times, &mut out);
        ints::encode(&self.commits, &mut out);
        out
    }

    /// Reads the section.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let fault = reader.fault("a number of steps, at least one");
        let count = ints::check_count(reader.varint()?, wide(MAX_STEPS), 0)?;
        if count == 0 {
            return Err(fault);
        }
        let mut list = || -> Decoded<Vec<i64>> {
            let fault = reader.fault("steps that ascend");
            let list = Ints::decode(&mut reader, count)?;
            let list: Vec<i64> = list.iter().collect();
            let ascends = list.iter().zip(list.iter().skip(1)).all(|(one, next)| one < next);
            if ascends { Ok(list) } else { Err(fault) }
        };
        let (times, commits) = (list()?, list()?);
        reader.end()?;
        Ok(Self::over(times, commits))
    }
}

/// The fault of a head or a chunk that goes by a timeline where there is none.
pub(crate) const MISSING: Malformed =
    Malformed::new(0, "a timeline of the table, by which a head or a chunk goes");

/// The longest row of steps, which ascend by commit, that ascends by event time as well.
fn ascending(steps: &[Step]) -> Vec<Step> {
    // Of rows of each length the one that ends the earliest, by where it ends; and what is before
    // each step in its row.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(steps.len());
    let from = |at: &usize| steps.get(*at).map(|step| step.from);
    for (at, step) in steps.iter().enumerate() {
        let len = ends.partition_point(|end| from(end) < Some(step.from));
        before.push(len.checked_sub(1).and_then(|len| ends.get(len).copied()));
        match ends.get_mut(len) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut next = ends.last().copied();
    let mut kept = Vec::with_capacity(ends.len());
    while let Some(at) = next {
        kept.extend(steps.get(at));
        next = before.get(at).copied().flatten();
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(commit: i64, from: i64) -> Step {
        Step { commit: Commit(commit), from: EventTime(from) }
    }

    fn line(steps: &[(i64, i64)]) -> Timeline {
        let steps = steps.iter().map(|(commit, from)| step(*commit, *from)).collect();
        Timeline::of(steps, usize::MAX)
    }

    fn told(line: &Timeline, t: i64) -> Option<i64> {
        line.commit_of(EventTime(t)).map(|commit| commit.0)
    }

    #[test]
    fn a_moment_between_two_steps_is_told_of_the_wrong_one() {
        for (shape, times) in [
            ("even", (0..1_000).map(|i| i * 10).collect::<Vec<i64>>()),
            ("crowded", (0..1_000).map(|i| if i < 999 { i } else { i64::MAX - 1 }).collect()),
            ("all of time", vec![i64::MIN, -1, 0, i64::MAX]),
            ("one", vec![7]),
        ] {
            let steps: Vec<(i64, i64)> = (1..).zip(&times).map(|(c, t)| (c, *t)).collect();
            let line = line(&steps);
            for (commit, time) in &steps {
                assert_eq!(told(&line, *time), Some(*commit), "{shape}: at {time}");
                if let Some(before) = time.checked_sub(1) {
                    let expected = steps.iter().rev().find(|(_, from)| *from <= before);
                    let expected = expected.map_or(1, |(commit, _)| *commit);
                    assert_eq!(told(&line, before), Some(expected), "{shape}: before {time}");
                }
            }
            assert_eq!(Timeline::decode(&line.encode()).unwrap(), line, "{shape}");
        }
        assert_eq!(told(&Timeline::none(), 5), None);
    }

    #[test]
    fn one_late_batch_spoils_the_steps_of_others() {
        let late = line(&[(1, 10), (2, 20), (3, 5), (4, 30), (5, 40)]);
        assert_eq!(late, line(&[(1, 10), (2, 20), (4, 30), (5, 40)]));
        let early = line(&[(1, 10), (2, 1_000_000), (3, 20), (4, 30)]);
        assert_eq!(early, line(&[(1, 10), (3, 20), (4, 30)]));
    }

    #[test]
    fn batches_in_no_order_get_a_timeline() {
        let falling: Vec<(i64, i64)> = (0..100).map(|i| (i, -i)).collect();
        assert!(line(&falling).is_empty());
        let steps = (0..100).map(|i| step(i, i)).collect();
        assert!(Timeline::of(steps, 99).is_empty(), "more than are of use");
    }

    #[test]
    fn what_came_late_in_a_batch_is_taken_for_its_beginning() {
        let mut times: Vec<i64> =
            (0..100).map(|i| if i % 10 == 3 { i } else { 5_000 + i }).collect();
        times.reverse();
        assert_eq!(Step::of(Commit(9), &mut times), Some(step(9, 5_000)));
        let mut same = [7; 4];
        assert_eq!(Step::of(Commit(9), &mut same), Some(step(9, 7)));
        let mut ends = [i64::MIN, i64::MAX, i64::MIN, i64::MAX];
        assert!(Step::of(Commit(9), &mut ends).is_some());
        assert_eq!(Step::of(Commit(9), &mut [1, 2, 3]), None);
    }

    #[test]
    fn a_part_of_a_timeline_tells_otherwise_than_the_whole() {
        let whole = line(&[(1, 10), (2, 20), (3, 30), (4, 40)]);
        for first in 0..50 {
            for last in first..50 {
                let part = whole.between(EventTime(first), EventTime(last));
                for t in first..=last {
                    assert_eq!(told(&part, t), told(&whole, t), "{first} to {last}, at {t}");
                }
                assert!(part.agrees(&whole, EventTime(first), EventTime(last)));
            }
        }
    }

    #[test]
    fn timelines_that_tell_different_commits_are_taken_for_the_same() {
        let lines = [
            line(&[(1, 10), (2, 20), (3, 30)]),
            line(&[(1, 10), (2, 21), (3, 30)]),
            line(&[(1, 10), (3, 30)]),
            line(&[(1, 15), (2, 20), (3, 30), (4, 40)]),
            line(&[(2, 20)]),
            Timeline::none(),
        ];
        for a in &lines {
            for b in &lines {
                for first in 0..50 {
                    for last in first..50 {
                        let same = (first..=last).all(|t| told(a, t) == told(b, t));
                        let agrees = a.agrees(b, EventTime(first), EventTime(last));
                        assert_eq!(agrees, same, "{a:?} and {b:?}, {first} to {last}");
                    }
                }
            }
        }
    }
}
