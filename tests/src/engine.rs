//! The engine as a subject of programs: on a simulated disk and clock, its background work stepped.
//!
//! Invariants:
//! - the store's clock moves only by the program's steps;
//! - whatever the engine refuses for a reason that no rule knows is [`Outcome::Failed`].

use std::collections::BTreeMap;

use asofdb::world::clock::Clock;
use asofdb::world::sim::SimWorld;
use asofdb::{
    Alter, Batch, Durability, Error, EventTime, FeatureSpec, InvalidArgument, KnownTime, Options,
    Read as EngineRead, Revert, Snapshot, Span, Stamp, Store, ValueType,
};

use crate::answer::{Answer, Kind, Outcome, Refusal, Value};
use crate::generate::Rng;
use crate::question::{Definition, Put, Question, Read, Reader};
use crate::replay::Subject;

/// A store that programs are replayed on.
pub struct Engine {
    sim: SimWorld,
    options: Options,
    store: Store,
    snapshots: BTreeMap<String, Snapshot>,
    stamps: BTreeMap<String, Stamp>,
    /// Draws how many steps of background work follow each write.
    steps: Option<Rng>,
}

impl Engine {
    /// A new store with these options, its world apart.
    pub fn new(options: Options) -> Result<Engine, Error> {
        let sim = SimWorld::new(EventTime(0));
        let options = options.world(sim.world()).max_ahead(None).identity(Some([7; 32]));
        let store = Store::open("/store", options.clone())?;
        let (snapshots, stamps) = (BTreeMap::new(), BTreeMap::new());
        Ok(Engine { sim, options, store, snapshots, stamps, steps: None })
    }

    /// Background work is done at random places between writes, drawn from a seed.
    pub fn stepped_at_random(mut self, seed: u64) -> Engine {
        self.steps = Some(Rng::new(seed));
        self
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    fn put(&self, batch: &mut Batch, put: &Put) -> Result<(), Outcome> {
        let at = EventTime(put.e);
        match &put.kind {
            Kind::Value(Value::I64(number)) => batch.put(&put.entity, &put.feature, at, *number),
            Kind::Value(Value::Other(bytes)) => {
                let feature = self.store.feature(&put.feature).map_err(refused)?;
                let value = other_value(feature.value_type, bytes);
                batch.put(&put.entity, &put.feature, at, value)
            }
            Kind::Null => batch.put_null(&put.entity, &put.feature, at),
            Kind::Deleted => batch.delete(&put.entity, &put.feature, at),
        };
        if let Some(known) = put.known {
            batch.known(KnownTime(known));
        }
        Ok(())
    }

    fn try_read(&self, read: &Read) -> Result<Outcome, Outcome> {
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
            asked = asked.delay(span(delay)?);
        }
        if let Some(max_age) = options.max_age {
            asked = asked.max_age(span(max_age)?);
        }
        asked = match &options.reader {
            Reader::Newest => asked,
            Reader::Snapshot(name) => {
                let held = self.snapshots.get(name);
                asked.snapshot(held.ok_or(Outcome::Refused(Refusal::UnknownSnapshot))?)
            }
            Reader::Stamp(name) => {
                let stamp = self.stamps.get(name);
                asked.stamp(*stamp.ok_or(Outcome::Refused(Refusal::UnknownStamp))?)
            }
        };
        let (entity, feature) = (&read.entity, read.feature.as_str());
        let versions = match read.question {
            Question::Latest | Question::AsOf(_) => {
                let reading = self.store.read(entity, feature, &asked).map_err(refused)?;
                return Ok(Outcome::Cell(answer(&reading.answer)));
            }
            Question::Range { from, to } => {
                self.store.range(entity, feature, EventTime(from), EventTime(to), &asked)
            }
            Question::LastN { n, .. } => self.store.last_n(entity, feature, n, &asked),
        };
        let versions = versions.map_err(refused)?;
        Ok(Outcome::Versions(versions.answers.iter().map(answer).collect()))
    }
}

fn span(micros: i64) -> Result<Span, Outcome> {
    Span::from_micros(micros).ok_or(Outcome::Refused(Refusal::InvalidDefinition))
}

/// Values of other types than i64 are opaque to the model.
fn other_value(value_type: ValueType, bytes: &[u8]) -> asofdb::Value {
    match value_type {
        ValueType::Text => asofdb::Value::from(String::from_utf8_lossy(bytes).into_owned()),
        ValueType::F64 => {
            let number: f64 = String::from_utf8_lossy(bytes).parse().unwrap_or(f64::NAN);
            asofdb::Value::from(number)
        }
        _ => asofdb::Value::from(bytes),
    }
}

fn value(value: &asofdb::Value) -> Value {
    match value {
        asofdb::Value::I64(number) => Value::I64(*number),
        asofdb::Value::F64(number) => Value::Other(number.to_string().into_bytes()),
        other => Value::Other(other.as_raw_bytes().map(|raw| raw.to_vec()).unwrap_or_default()),
    }
}

fn answer(answer: &asofdb::Answer) -> Answer {
    let e = answer.event_time().map_or(0, |time| time.0);
    let known = answer.origin().map_or(0, |origin| origin.known_time.0);
    match answer {
        asofdb::Answer::Missing => Answer::Missing,
        asofdb::Answer::Deleted(_) => Answer::Deleted { e },
        asofdb::Answer::Expired(..) => Answer::Expired { e },
        asofdb::Answer::Null(_) => Answer::Null { e, known },
        asofdb::Answer::Value(given, _) => Answer::Value { e, known, value: value(given) },
    }
}

fn refused(error: Error) -> Outcome {
    let refusal = match &error {
        Error::BelowHorizon { .. }
        | Error::InvalidArgument(InvalidArgument::RevertBelowHorizon { .. }) => {
            Refusal::BelowHorizon
        }
        Error::UnknownFeature { .. } => Refusal::UnknownFeature,
        Error::InvalidArgument(InvalidArgument::AlreadyDefined { .. }) => Refusal::AlreadyDefined,
        Error::InvalidArgument(InvalidArgument::ForgetWithoutTtl { .. }) => {
            Refusal::InvalidDefinition
        }
        Error::InvalidArgument(InvalidArgument::KnownAfterCommit { .. }) => {
            Refusal::KnownAfterCommit
        }
        Error::InvalidArgument(InvalidArgument::NothingToRevert { .. }) => Refusal::NothingToRevert,
        Error::InvalidArgument(InvalidArgument::WrongType { .. }) => Refusal::WrongType,
        _ => return Outcome::Failed(error.to_string()),
    };
    Outcome::Refused(refusal)
}

fn done<T>(result: Result<T, Error>) -> Outcome {
    result.map_or_else(refused, |_| Outcome::Done)
}

fn terms(definition: &Definition) -> Option<Alter> {
    let span = |micros: Option<i64>| match micros {
        None => Some(None),
        Some(micros) => Span::from_micros(micros).map(Some),
    };
    let alter = Alter::new().ttl(span(definition.ttl)?).history(span(definition.history)?);
    Some(alter.forget_after(span(definition.forget_after)?))
}

impl Subject for Engine {
    fn clock(&mut self, now: i64) -> Outcome {
        let before = self.sim.clock.now().0;
        match Span::from_micros(now.saturating_sub(before)) {
            Some(forward) => self.sim.clock.advance(forward),
            None => self.sim.clock.set(EventTime(now)),
        }
        Outcome::Done
    }

    fn define(&mut self, feature: &str, definition: &Definition) -> Outcome {
        let invalid = Outcome::Refused(Refusal::InvalidDefinition);
        let (Some(value_type), Some(terms)) =
            (ValueType::parse(&definition.value_type), terms(definition))
        else {
            return invalid;
        };
        if self.store.feature(feature).is_ok() {
            return Outcome::Refused(Refusal::AlreadyDefined);
        }
        let mut spec = FeatureSpec::new(feature, value_type);
        spec.terms.ttl = terms.ttl.flatten();
        spec.terms.history = terms.history.flatten();
        spec.terms.forget_after = terms.forget_after.flatten();
        done(self.store.define(spec))
    }

    fn alter(&mut self, feature: &str, definition: &Definition) -> Outcome {
        let known = match self.store.feature(feature) {
            Ok(known) => known,
            Err(error) => return refused(error),
        };
        // The library's alter has no type to change.
        let same_type = known.value_type.to_string() == definition.value_type;
        match terms(definition) {
            Some(terms) if same_type => done(self.store.alter(feature, terms)),
            _ => Outcome::Refused(Refusal::InvalidDefinition),
        }
    }

    fn evolve(&mut self, feature: &str, definition: &Definition) -> Outcome {
        let invalid = Outcome::Refused(Refusal::InvalidDefinition);
        let (Some(value_type), Some(terms)) =
            (ValueType::parse(&definition.value_type), terms(definition))
        else {
            return invalid;
        };
        done(self.store.evolve_with(feature, value_type, terms))
    }

    fn retire(&mut self, feature: &str) -> Outcome {
        done(self.store.retire(feature))
    }

    fn write(&mut self, puts: &[Put], source: Option<&str>) -> Outcome {
        let mut batch = Batch::new();
        if let Some(source) = source {
            batch.source(source);
        }
        for put in puts {
            if let Err(outcome) = self.put(&mut batch, put) {
                return outcome;
            }
        }
        let written = done(self.store.write(batch, Durability::Buffered));
        let steps = self.steps.as_mut().map_or(0, |rng| rng.between(0, 2));
        for _ in 0..steps {
            if let Err(error) = self.store.step() {
                return Outcome::Failed(error.to_string());
            }
        }
        written
    }

    fn flush(&mut self) -> Outcome {
        done(self.store.flush())
    }

    fn compact(&mut self) -> Outcome {
        done(self.store.compact())
    }

    fn reopen(&mut self) -> Outcome {
        self.snapshots.clear();
        if let Err(error) = self.store.close() {
            return refused(error);
        }
        match Store::open("/store", self.options.clone()) {
            Ok(store) => {
                self.store = store;
                Outcome::Done
            }
            Err(error) => refused(error),
        }
    }

    fn snapshot(&mut self, name: &str) -> Outcome {
        match self.store.snapshot() {
            Ok(snapshot) => {
                self.snapshots.insert(name.to_owned(), snapshot);
                Outcome::Done
            }
            Err(error) => refused(error),
        }
    }

    fn release(&mut self, name: &str) -> Outcome {
        match self.snapshots.remove(name) {
            Some(_) => Outcome::Done,
            None => Outcome::Refused(Refusal::UnknownSnapshot),
        }
    }

    fn stamp(&mut self, name: &str) -> Outcome {
        match self.store.stamp() {
            Ok(stamp) => {
                self.stamps.insert(name.to_owned(), stamp);
                Outcome::Done
            }
            Err(error) => refused(error),
        }
    }

    fn erase(&mut self, entity: &[u8]) -> Outcome {
        done(self.store.erase(entity))
    }

    fn revert(&mut self, source: &str) -> Outcome {
        done(self.store.revert(Revert::source(source)))
    }

    fn read(&mut self, read: &Read) -> Outcome {
        self.try_read(read).unwrap_or_else(|outcome| outcome)
    }
}
