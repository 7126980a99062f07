//! Which of the calls that do the same a program's step makes, and the marks that its batches set.
//!
//! A seed draws for each step: features by name or by number, a batch that waits for room or not, an erase alone, of
//! several, or with its certificate. A revert is asked about first, and each batch sets a mark.
//!
//! Invariant: what is drawn here changes no answer, so programs do not know of it.

use std::collections::BTreeMap;

use asofdb::{
    Batch, Commit, Durability, ErasureCertificate, Error, EventTime, FeatureId, KnownTime, Revert,
    Reverted, Store,
};

use super::Engine;
use super::convert::{done, other_value, refused};
use crate::answer::{Kind, Outcome, Value};
use crate::generate::Rng;
use crate::question::Put;

/// What is drawn; nothing: each step makes the plainest call.
#[derive(Default)]
pub(super) struct Calls {
    rng: Option<Rng>,
    marks: Marks,
}

impl Calls {
    pub(super) fn drawn_from(seed: u64) -> Calls {
        Calls { rng: Some(Rng::new(seed)), marks: Marks::default() }
    }

    /// The same marks, and the plainest calls from here on.
    pub(super) fn without_more(&self) -> Calls {
        Calls { rng: None, marks: self.marks.clone() }
    }

    /// One of so many ways; the first where nothing is drawn.
    fn way(&mut self, count: i64) -> i64 {
        self.rng.as_mut().map_or(0, |rng| rng.between(0, count - 1))
    }
}

/// The names of marks: few, so that a batch sets what another set before.
const NAMES: [&str; 3] = ["imported up to", "m", "\u{0}é"];

/// What batches set, the oldest first.
#[derive(Clone, Default)]
struct Marks(BTreeMap<&'static str, Vec<Set>>);

#[derive(Clone)]
struct Set {
    commit: Commit,
    value: Vec<u8>,
    is_taken: bool,
}

impl Marks {
    fn each(&mut self) -> impl Iterator<Item = &mut Set> {
        self.0.values_mut().flatten()
    }

    /// How a store's marks are not these, if they are not.
    fn differ(&self, store: &Store) -> Option<String> {
        let wrong = |name: &&&str| {
            let found = store.mark(name).map(|value| value.to_vec());
            let sets = self.0.get(**name).map(Vec::as_slice).unwrap_or_default();
            let newest = sets.last();
            let may_stand = |set: &&Set| !set.is_taken && Some(&set.value) == found.as_ref();
            let is_right = match newest {
                Some(newest) if !newest.is_taken => Some(&newest.value) == found.as_ref(),
                // What was set before may stand again or not.
                _ => found.is_none() || sets.iter().any(|set| may_stand(&set)),
            };
            !is_right
        };
        let name = NAMES.iter().find(wrong)?;
        Some(format!("the mark {name:?} is {:?}", store.mark(name)))
    }
}

impl Engine {
    /// Each step makes one of the calls that do the same, drawn from a seed.
    pub fn through_every_call(mut self, seed: u64) -> Engine {
        self.calls = Calls::drawn_from(seed);
        self
    }

    /// How the marks of a store are not those of the batches that stand.
    pub(super) fn marks_differ(&self, store: &Store) -> Option<String> {
        self.calls.marks.differ(store)
    }

    pub(super) fn put(&mut self, batch: &mut Batch, put: &Put) -> Result<(), Error> {
        let at = EventTime(put.e);
        let feature = self.store.feature(&put.feature);
        let by_number = self.calls.way(2) == 1;
        let id: Option<FeatureId> =
            feature.as_ref().ok().filter(|_| by_number).map(|feature| feature.id);
        let (entity, name) = (&put.entity, put.feature.as_str());
        match (&put.kind, id) {
            (Kind::Value(given), id) => {
                let value = match given {
                    Value::I64(number) => asofdb::Value::from(*number),
                    Value::Other(bytes) => other_value(feature?.value_type, bytes),
                };
                match id {
                    Some(id) => batch.put_id(entity, id, at, value),
                    None => batch.put(entity, name, at, value),
                }
            }
            (Kind::Null, Some(id)) => batch.put_null_id(entity, id, at),
            (Kind::Null, None) => batch.put_null(entity, name, at),
            (Kind::Deleted, Some(id)) => batch.delete_id(entity, id, at),
            (Kind::Deleted, None) => batch.delete(entity, name, at),
        };
        if let Some(known) = put.known {
            batch.known(KnownTime(known));
        }
        Ok(())
    }

    /// Writes a batch, with a mark.
    pub(super) fn write_marked(
        &mut self,
        mut batch: Batch,
        durability: Durability,
    ) -> Result<Commit, Error> {
        let set = self.calls.rng.as_mut().and_then(|rng| {
            let name = *rng.pick(&NAMES)?;
            Some((name, rng.number().to_le_bytes().to_vec()))
        });
        if let Some((name, value)) = &set {
            batch.mark(name, value);
        }
        let written = match self.calls.way(2) {
            0 => self.store.write(batch, durability),
            _ => match self.store.try_write(&batch, durability) {
                Err(Error::Busy { .. }) => self.store.write(&batch, durability),
                written => written,
            },
        };
        if let (Ok(commit), Some((name, value))) = (&written, set) {
            let new = Set { commit: *commit, value, is_taken: false };
            self.calls.marks.0.entry(name).or_default().push(new);
        }
        written
    }

    pub(super) fn erase_in_a_way(&mut self, entity: &[u8]) -> Outcome {
        let certificate = match self.calls.way(4) {
            0 => return done(self.store.erase(entity)),
            1 => return done(self.store.erase_all(&[entity])),
            2 => return done(self.store.erase_all(&[entity, b"nobody", entity])),
            _ => {
                // It waits for what stands still.
                self.finish_background();
                match self.store.erase_and_prove(&[entity]) {
                    Ok(certificate) => certificate,
                    Err(error) => return refused(error),
                }
            }
        };
        match ErasureCertificate::decode(certificate.encode().as_bytes()) {
            Ok(again) if again == certificate => Outcome::Done,
            again => Outcome::Failed(format!("{certificate:?} reads as {again:?}")),
        }
    }

    /// Reverts what a dry run says can be.
    pub(super) fn revert_in_a_way(
        &mut self,
        what: Revert,
        takes: impl Fn(Commit) -> bool,
    ) -> Outcome {
        let dry = (self.calls.way(2) == 1).then(|| self.store.revert_dry_run(what.clone()));
        let reverted = self.store.revert(what);
        if let Some(dry) = dry {
            let told = |result: &Result<Reverted, Error>| match result {
                Ok(it) => Ok((it.batches, it.records, it.entities)),
                Err(error) => Err(error.to_string()),
            };
            if told(&dry) != told(&reverted) || dry.is_ok_and(|dry| dry.commit.is_some()) {
                let how = format!("a dry run of what came to {reverted:?} told otherwise");
                return Outcome::Failed(how);
            }
        }
        if reverted.is_ok() {
            let taken = self.calls.marks.each().filter(|set| takes(set.commit));
            taken.for_each(|set| set.is_taken = true);
        }
        done(reverted)
    }

    /// A crash took the batches above a commit.
    pub(super) fn lose_marks(&mut self, newest: Commit) {
        self.calls.marks.0.values_mut().for_each(|sets| sets.retain(|set| set.commit <= newest));
    }
}
