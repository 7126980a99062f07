//! The naive model: lists of everything that ever happened, and the rule read over them word by word.
//!
//! It is the judge of every store under test, so it is written to be obviously right, not fast.
//!
//! Invariants:
//! - nothing is ever dropped from a list; compaction, flush and bounds are no matter for what is kept;
//! - a refused operation changes nothing and takes no commit;
//! - commits rise strictly, whatever the clock does;
//! - every read goes through one rule, [`Model::read`], with the live bounds of its column.

mod catalog;
mod crash;
mod garbage;
mod taking_back;

use std::collections::{BTreeMap, BTreeSet};

pub use catalog::{Bounds, Column, Wide};
pub use garbage::Garbage;

use crate::answer::{Answer, Kind, Outcome, Refusal};
use crate::question::{Definition, Options, Put, Question, Read, Reader};

/// One write of a version.
#[derive(Clone, Debug)]
pub struct Revision {
    /// The entity.
    pub entity: Vec<u8>,
    /// The place of the column in [`Model::columns`].
    pub column: usize,
    /// The event time.
    pub e: i64,
    /// The known time.
    pub known: i64,
    /// The commit of the batch.
    pub commit: i64,
    /// The place in the batch.
    pub place: usize,
    /// What it says.
    pub kind: Kind,
}

/// One batch of puts. Kept apart from its revisions, because a revert is judged by batches.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its commit.
    pub commit: i64,
    /// Its label.
    pub source: Option<String>,
    /// The columns that its puts name.
    pub columns: BTreeSet<usize>,
}

/// An erase of an entity.
#[derive(Clone, Debug)]
pub struct Erase {
    /// Its commit.
    pub commit: i64,
    /// The entity.
    pub entity: Vec<u8>,
}

/// A revert of a fixed set of batches.
#[derive(Clone, Debug)]
pub struct Revert {
    /// Its commit.
    pub commit: i64,
    /// The commits of the batches that it takes away.
    pub batches: BTreeSet<i64>,
    /// The source that it takes away; none if it takes batches by themselves.
    pub source: Option<String>,
}

/// What a read returns so that it can be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The clock at the read.
    pub now: i64,
    /// The newest commit at the read.
    pub commit: i64,
}

/// Everything that ever happened to one store.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The clock.
    pub now: i64,
    /// Every commit, in order.
    pub commits: Vec<i64>,
    /// Every schema of every feature.
    pub columns: Vec<Column>,
    /// Every revision, in the order of writing.
    pub revisions: Vec<Revision>,
    /// Every batch.
    pub batches: Vec<Batch>,
    /// Every erase.
    pub erases: Vec<Erase>,
    /// Every revert.
    pub reverts: Vec<Revert>,
    /// The commits of the snapshots that are held now.
    pub snapshots: BTreeMap<String, i64>,
    /// Every stamp that was remembered.
    pub stamps: BTreeMap<String, Stamp>,
    /// A power cut takes no commit up to this one; none when nothing is durable.
    pub durable: Option<i64>,
    /// The first and the last commit of every span that a crash took.
    pub lost: Vec<(i64, i64)>,
}

impl Revision {
    /// The order among the revisions of one entity and feature.
    pub fn order(&self) -> (i64, i64, i64, usize) {
        (self.e, self.known, self.commit, self.place)
    }
}

/// The commit, clock and bounds under which one read is answered.
struct Seen {
    commit: i64,
    now: i64,
    column: usize,
    bounds: Bounds,
}

impl Model {
    /// A store to which nothing has happened, with its clock at 0.
    pub fn new() -> Model {
        Model::default()
    }

    /// The newest commit, or a time before every time when there is none.
    pub fn last_commit(&self) -> i64 {
        self.commits.last().copied().unwrap_or(i64::MIN)
    }

    /// The commit that the next batch or change would take.
    pub fn next_commit(&self) -> i64 {
        self.now.max(self.last_commit().saturating_add(1))
    }

    /// Takes the next commit, of something that is always durable.
    fn commit(&mut self) -> i64 {
        let commit = self.next_commit();
        self.commits.push(commit);
        self.sync();
        commit
    }

    /// Writes one batch.
    pub fn write(&mut self, puts: &[Put], source: Option<&str>) -> Result<(), Refusal> {
        let (seen, commit) = (self.last_commit(), self.next_commit());
        let mut revisions = Vec::new();
        for (place, put) in puts.iter().enumerate() {
            let (index, column) = self.resolve(&put.feature, seen)?;
            if !column.newest_definition().takes(&put.kind) {
                return Err(Refusal::WrongType);
            }
            let known = put.known.unwrap_or(commit);
            if known > commit {
                return Err(Refusal::KnownAfterCommit);
            }
            let (entity, e, kind) = (put.entity.clone(), put.e, put.kind.clone());
            revisions.push(Revision { entity, column: index, e, known, commit, place, kind });
        }
        let columns = revisions.iter().map(|revision| revision.column).collect();
        self.batches.push(Batch { commit, source: source.map(str::to_owned), columns });
        self.revisions.extend(revisions);
        self.commits.push(commit);
        Ok(())
    }

    /// Holds a snapshot of the newest commit.
    pub fn snapshot(&mut self, name: &str) {
        self.snapshots.insert(name.to_owned(), self.last_commit());
    }

    /// Lets a snapshot go.
    pub fn release(&mut self, name: &str) -> Result<(), Refusal> {
        self.snapshots.remove(name).map(|_| ()).ok_or(Refusal::UnknownSnapshot)
    }

    /// Closes and opens the store. Snapshots do not outlive that.
    pub fn reopen(&mut self) {
        self.sync();
        self.snapshots.clear();
    }

    /// Remembers the clock and the newest commit.
    pub fn stamp(&mut self, name: &str) {
        let stamp = Stamp { now: self.now, commit: self.last_commit() };
        self.stamps.insert(name.to_owned(), stamp);
    }

    /// Answers a read.
    pub fn read(&self, read: &Read) -> Outcome {
        self.answer(read).unwrap_or_else(Outcome::Refused)
    }

    fn answer(&self, read: &Read) -> Result<Outcome, Refusal> {
        let seen = self.stand(read)?;
        let options = &read.options;
        let may_look_at = |t: Wide| -> Result<(), Refusal> {
            let known_is_below = options.known_at.is_some_and(|k| seen.bounds.is_below(k.into()));
            let below = seen.bounds.is_below(t) || known_is_below;
            if below { Err(Refusal::BelowHorizon) } else { Ok(()) }
        };
        match read.question {
            Question::Latest | Question::AsOf(_) => {
                let mut t: Wide = match read.question {
                    Question::AsOf(t) => t.into(),
                    _ => seen.bounds.horizon.map_or(seen.now.into(), |h| h.max(seen.now.into())),
                };
                t -= Wide::from(options.delay.unwrap_or(0)) + Wide::from(options.before);
                may_look_at(t)?;
                let winner = self.winners(read, &seen, t).into_iter().next();
                let judged = winner.map(|winner| self.judge(winner, t, &seen, options));
                Ok(Outcome::Cell(judged.unwrap_or(Answer::Missing)))
            }
            Question::Range { from, to } => {
                may_look_at(from.into())?;
                let winners = self.winners(read, &seen, to.into()).into_iter();
                let inside = winners.filter(|winner| winner.e >= from);
                let judged = inside.map(|winner| self.judge(winner, to.into(), &seen, options));
                Ok(Outcome::Versions(judged.collect()))
            }
            Question::LastN { t, n } => {
                may_look_at(t.into())?;
                let mut judged = Vec::new();
                for winner in self.winners(read, &seen, t.into()).into_iter().take(n) {
                    judged.push(self.judge(winner, t.into(), &seen, options));
                    // What is older than the version in force at the horizon may be gone.
                    if seen.bounds.is_at_or_below_horizon(winner.e) {
                        break;
                    }
                }
                Ok(Outcome::Versions(judged))
            }
        }
    }

    /// Where the read stands, or why it may not stand there.
    fn stand(&self, read: &Read) -> Result<Seen, Refusal> {
        let stamp = match &read.options.reader {
            Reader::Newest => Stamp { now: self.now, commit: self.last_commit() },
            Reader::Snapshot(name) => {
                let commit = *self.snapshots.get(name).ok_or(Refusal::UnknownSnapshot)?;
                Stamp { now: self.now, commit }
            }
            Reader::Stamp(name) => *self.stamps.get(name).ok_or(Refusal::UnknownStamp)?,
        };
        if matches!(read.options.reader, Reader::Stamp(_)) && self.is_lost(stamp.commit) {
            return Err(Refusal::LostCommit);
        }
        let (column, _) = self.resolve(&read.feature, stamp.commit)?;
        let bounds = self.bounds(column);
        if matches!(read.options.reader, Reader::Stamp(_)) && !self.is_readable(stamp, bounds) {
            return Err(Refusal::BelowHorizon);
        }
        Ok(Seen { commit: stamp.commit, now: stamp.now, column, bounds })
    }

    /// Whether a stamp is above the horizon: at or after it, with no commit between its own and it.
    fn is_readable(&self, stamp: Stamp, bounds: Bounds) -> bool {
        let between =
            |commit: &i64| *commit > stamp.commit && bounds.is_at_or_below_horizon(*commit);
        !bounds.is_below(stamp.now.into()) && !self.commits.iter().any(between)
    }

    /// The winning revision of each version with e up to t, newest first.
    fn winners(&self, read: &Read, seen: &Seen, t: Wide) -> Vec<&Revision> {
        let counts = |revision: &&Revision| {
            revision.entity == read.entity
                && revision.column == seen.column
                && revision.commit <= seen.commit
                && read.options.known_at.is_none_or(|k| revision.known <= k)
                && Wide::from(revision.e) <= t
                && !seen.bounds.has_forgotten(revision.e)
                && !self.is_taken_away(revision, seen.commit)
        };
        let mut winners: Vec<&Revision> = self.revisions.iter().filter(counts).collect();
        winners.sort_by_key(|revision| std::cmp::Reverse(revision.order()));
        winners.dedup_by_key(|revision| revision.e);
        winners
    }

    /// What one winning revision answers at t.
    fn judge(&self, winner: &Revision, t: Wide, seen: &Seen, options: &Options) -> Answer {
        let e = winner.e;
        let age = t - Wide::from(e);
        let ttl = self.definition_seen(seen.column, seen.commit).and_then(|seen| seen.ttl);
        let too_old = |limit: i64| age > Wide::from(limit);
        if winner.kind == Kind::Deleted {
            return Answer::Deleted { e };
        }
        if seen.bounds.is_stale(e) || ttl.is_some_and(too_old) {
            return Answer::Expired { e };
        }
        if options.max_age.is_some_and(too_old) {
            return Answer::Expired { e };
        }
        let known = winner.known;
        match &winner.kind {
            Kind::Value(value) => Answer::Value { e, known, value: value.clone() },
            Kind::Null | Kind::Deleted => Answer::Null { e, known },
        }
    }

    /// The definition of a column that a reader at this commit sees.
    fn definition_seen(&self, column: usize, commit: i64) -> Option<&Definition> {
        let definitions = &self.columns.get(column)?.definitions;
        let seen = definitions.iter().rev().find(|(since, _)| *since <= commit);
        seen.map(|(_, definition)| definition)
    }
}
