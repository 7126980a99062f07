//! A program's reads on the engine: of the store itself, through every door, or of a copy.

use asofdb::world::sim::CrashPolicy;
use asofdb::{Answer as Found, Error, EventTime, KnownTime, Read as EngineRead, Store};

use super::convert::{answer, refusal, span};
use super::{DIR, Engine};
use crate::answer::{Outcome, Refusal};
use crate::doors::{self, Stand};
use crate::question::{Question, Read, Reader};

/// Why a read is not answered.
enum Unanswered {
    /// By the rules, or because two ways to ask differ.
    Told(Outcome),
    /// For a reason that no rule knows.
    Failed(Error),
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Unanswered {
        let told = refusal(&error).map(|refusal| Unanswered::Told(refusal.into()));
        told.unwrap_or(Unanswered::Failed(error))
    }
}

impl Engine {
    /// What a read answers: an outcome that the rules know, or else an error.
    pub fn ask(&self, read: &Read) -> Result<Outcome, Error> {
        match self.try_read(read) {
            Ok(outcome) | Err(Unanswered::Told(outcome)) => Ok(outcome),
            Err(Unanswered::Failed(error)) => Err(error),
        }
    }

    /// The read in the engine's words.
    fn asked(&self, read: &Read) -> Result<EngineRead, Unanswered> {
        let options = &read.options;
        let mut asked = match read.question {
            Question::AsOf(t) | Question::LastN { t, .. } => EngineRead::as_of(EventTime(t)),
            Question::Latest | Question::Range { .. } => EngineRead::latest(),
        };
        if let Some(known_at) = options.known_at {
            asked = asked.known_at(KnownTime(known_at));
        }
        if options.before {
            asked = asked.before();
        }
        if let Some(delay) = options.delay {
            asked = asked.delay(span(delay).map_err(Unanswered::Told)?);
        }
        if let Some(max_age) = options.max_age {
            asked = asked.max_age(span(max_age).map_err(Unanswered::Told)?);
        }
        match &options.reader {
            Reader::Newest => Ok(asked),
            Reader::Snapshot(name) => {
                let held = self.snapshots.get(name);
                Ok(asked.snapshot(held.ok_or(Unanswered::Told(Refusal::UnknownSnapshot.into()))?))
            }
            Reader::Stamp(name) => {
                let stamp = self.stamps.get(name);
                Ok(asked.stamp(*stamp.ok_or(Unanswered::Told(Refusal::UnknownStamp.into()))?))
            }
        }
    }

    fn try_read(&self, read: &Read) -> Result<Outcome, Unanswered> {
        let asked = self.asked(read)?;
        let copy = match self.copies && self.snapshots.is_empty() {
            true => Some(self.copy()?),
            false => None,
        };
        let store = copy.as_ref().unwrap_or(&self.store);
        if let Some(how) = self.marks_differ(store) {
            return Err(Unanswered::Told(Outcome::Failed(how)));
        }
        if self.every_door {
            let passing = doors::Readers::default();
            let readers = if copy.is_some() { &passing } else { &self.readers };
            let stand = match &read.options.reader {
                Reader::Newest => Stand::Newest,
                Reader::Snapshot(name) => {
                    self.snapshots.get(name).map_or(Stand::Newest, Stand::Snapshot)
                }
                Reader::Stamp(name) => {
                    self.stamps.get(name).map_or(Stand::Newest, |stamp| Stand::Stamp(*stamp))
                }
            };
            let agreed = doors::agree(store, read, &asked, stand, readers);
            agreed.map_err(|how| Unanswered::Told(Outcome::Failed(how)))?;
        }
        let (entity, feature) = (&read.entity, read.feature.as_str());
        let versions = match read.question {
            Question::Latest | Question::AsOf(_) => {
                let reading = store.read(entity, feature, &asked)?;
                self.check_origin(&reading)?;
                return Ok(Outcome::Cell(answer(&reading.answer)));
            }
            Question::Range { from, to } => {
                store.range(entity, feature, EventTime(from), EventTime(to), &asked)
            }
            Question::LastN { n, .. } => store.last_n(entity, feature, n, &asked),
        };
        let agreed = doors::versions_agree(store, read, &asked, &versions);
        agreed.map_err(|how| Unanswered::Told(Outcome::Failed(how)))?;
        let versions = versions?;
        Ok(Outcome::Versions(versions.answers.iter().map(answer).collect()))
    }

    /// An answer comes from a batch that was written, and tells that batch's source.
    fn check_origin(&self, found: &Found) -> Result<(), Unanswered> {
        let Some(origin) = found.origin() else { return Ok(()) };
        let batch = self.written.iter().find(|(commit, _)| *commit == origin.commit);
        if batch.is_some_and(|(_, source)| source.as_deref() == origin.source.as_deref()) {
            return Ok(());
        }
        let how = format!("the origin {origin:?} is of a batch {batch:?}");
        Err(Unanswered::Told(Outcome::Failed(how)))
    }

    /// What a power cut would leave of the store once it is synced, opened read-only.
    fn copy(&self) -> Result<Store, Error> {
        self.store.sync()?;
        let sim = self.sim.after_power_cut(0, CrashPolicy::STRICT);
        Store::open(DIR, self.options.clone().world(sim.world()).read_only(true))
    }
}
