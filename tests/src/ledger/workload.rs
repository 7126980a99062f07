//! The workload: one thing after another that a seed draws, each written down as the store answers it.

use std::collections::BTreeSet;

use asofdb::world::sim::{Rng, SimWorld};
use asofdb::{
    Alter, Batch, Commit, Durability, Error, EventTime, FeatureSpec, KnownTime, Read, Revert, Span,
    Store, Value, ValueType,
};

use super::batches::{AGED, ENTITIES, Fate, NUMBER, Row, Stood, Taken, Told, What, Written};
use super::coverage::Deed;
use super::{BEGIN, HISTORY, Held, Known, Ledger, numbers, plain};

/// The source whose batches are reverted together; the batches of the others are not.
const BAD: &str = "bad";

/// The source whose batches tell how far it came.
pub(super) const GOOD: &str = "good";

/// The mark that they share.
pub(super) const PROGRESS: &str = "progress";

/// What a batch is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    /// Some entities of all features.
    All,
    /// All entities of the feature that the clock takes from, so that it can take a whole table.
    Aged,
}

fn micros(micros: i64) -> Span {
    Span::from_micros(micros).unwrap_or(Span::ZERO)
}

fn spec(name: &str, value_type: ValueType) -> FeatureSpec {
    let spec = FeatureSpec::new(name, value_type);
    if name != plain(AGED) {
        return spec;
    }
    spec.ttl(micros(HISTORY / 2)).history(micros(HISTORY)).forget_after(micros(HISTORY / 2))
}

/// A value that tells its batch.
fn value(value_type: ValueType, feature: &str, id: i64) -> Value {
    if value_type == ValueType::I64 {
        return Value::I64(id);
    }
    let length = usize::try_from(id * 37 % 500).unwrap_or(0);
    Value::from(format!("{feature} {id} {}", "x".repeat(length)))
}

impl Ledger {
    /// Does one thing that the seed draws.
    pub fn step(&mut self, sim: &SimWorld, store: &Store, rng: &mut Rng) -> asofdb::Result<()> {
        self.saw_time(store);
        let first =
            [(NUMBER, ValueType::I64), ("v:text@1", ValueType::Text), (AGED, ValueType::I64)];
        for (name, value_type) in first {
            if !self.features.contains_key(name) {
                self.define(store, plain(name), value_type)?;
            }
        }
        match rng.below(100) {
            0..50 => self.write(store, rng, Load::All)?,
            50..53 => {
                store.sync()?;
                self.all_sure();
            }
            53..57 => self.flush(store)?,
            57..59 => {
                self.merge(store, |store| store.compact().map(|()| 0))?;
                self.deeds.add(Deed::Compact, 1);
                self.all_sure();
            }
            59..66 => self.merge(store, work)?,
            66..72 => self.change_features(store, rng)?,
            72..75 => self.alter(store, rng)?,
            75..78 => {
                let entity = rng.index(ENTITIES.len());
                let done = store.erase(ENTITIES[entity]).map(Some);
                self.take(Deed::Erase, What::Entity(entity), done)?;
            }
            78..81 => {
                let done = store.revert(Revert::source(BAD)).map(|reverted| reverted.commit);
                self.take(Deed::RevertSource, What::Source(BAD), done)?;
            }
            81..84 => self.revert_batch(store, rng)?,
            84..87 => self.season(sim, store, rng)?,
            87..92 => self.hold(store)?,
            92..96 => sim.clock.advance(micros(1 << rng.below(12))),
            96..98 => sim.clock.step_back(micros(500)),
            _ => {}
        }
        self.saw_time(store);
        self.stamp(store)
    }

    /// Writes a batch, whatever the seed draws next.
    pub fn write_any(&mut self, store: &Store, rng: &mut Rng) -> asofdb::Result<()> {
        self.write(store, rng, Load::All)
    }

    fn write(&mut self, store: &Store, rng: &mut Rng, load: Load) -> asofdb::Result<()> {
        let durability = *rng.choose(&[Durability::Buffered, Durability::Synced]).unwrap();
        let written = self.draw(store, rng, load);
        let mut batch = Batch::new();
        if let Some(source) = written.source {
            batch.source(source);
        }
        for Row { entity, feature, told } in &written.rows {
            let (entity, at) = (ENTITIES[*entity], written.event_time);
            match told {
                Told::Value(value) => batch.put(entity, feature, at, value.clone()),
                Told::Null => batch.put_null(entity, feature, at),
                Told::Deleted => batch.delete(entity, feature, at),
            };
            if let Some(known) = written.imported {
                batch.known(known);
            }
        }
        if written.marks {
            batch.mark(&written.mark(), &written.id.to_le_bytes());
        }
        if written.source == Some(GOOD) {
            batch.mark(PROGRESS, &written.id.to_le_bytes());
        }
        let done = store.write(batch, durability);
        self.wrote(written, &done);
        if done.is_ok() && durability == Durability::Synced {
            self.all_sure();
        }
        done.map(drop)
    }

    fn draw(&self, store: &Store, rng: &mut Rng, load: Load) -> Written {
        let id = i64::try_from(self.batches.len()).unwrap() + 1;
        let source = *rng.choose(&[None, None, Some(GOOD), Some(BAD)]).unwrap();
        let imported =
            (load == Load::All && rng.percent(15)).then(|| KnownTime(BEGIN.0 - 1_000_000 + id));
        let corrected = if rng.percent(25) { self.correctable(rng) } else { None };
        // The end of an event time is the batch's own, some are late, and some are of the future.
        let about = store.now().0 - 1_500 + i64::try_from(rng.below(2_000)).unwrap();
        let event_time = corrected.unwrap_or(EventTime(about / 256 * 256 + id % 256));
        let entities = (0..ENTITIES.len()).filter(|_| load == Load::Aged || rng.percent(60));
        let entities = match entities.collect::<Vec<_>>() {
            // An empty batch is only a commit, which nothing but a sync makes durable.
            none if none.is_empty() => vec![0],
            some => some,
        };
        let mut rows = Vec::new();
        for entity in entities {
            for (feature, known) in self.features.iter().filter(|(_, known)| known.newest) {
                let is_aged = feature == AGED;
                let fits = match load {
                    // A horizon above what they touched would keep reverts of the source away, and a
                    // known time below it the row out of sight.
                    Load::All => !is_aged || source != Some(BAD) && imported.is_none(),
                    Load::Aged => is_aged,
                };
                if !fits {
                    continue;
                }
                let told = match rng.below(12) {
                    0 => Told::Null,
                    1 => Told::Deleted,
                    _ => Told::Value(value(known.value_type, feature, id)),
                };
                rows.push(Row { entity, feature: feature.clone(), told });
            }
        }
        let marks = id % 3 == 0 || source == Some(GOOD);
        Written { id, source, event_time, imported, rows, marks, commit: None, fate: Fate::Open }
    }

    /// The event time of an earlier batch, to be written again. Of two batches of which no commit
    /// is known nothing could tell which one a row is of.
    fn correctable(&self, rng: &mut Rng) -> Option<EventTime> {
        let newest = self.batches.iter().rev().take(10);
        let times: Vec<EventTime> =
            newest.filter(|batch| batch.commit.is_some()).map(|batch| batch.event_time).collect();
        let time = *rng.choose(&times)?;
        let is_open = |batch: &Written| batch.commit.is_none() && batch.event_time == time;
        (!self.batches.iter().any(is_open)).then_some(time)
    }

    /// Writes down a batch and what became of it.
    fn wrote(&mut self, mut written: Written, done: &asofdb::Result<Commit>) {
        if matches!(done, Err(Error::Poisoned { .. } | Error::InvalidArgument(_))) {
            return;
        }
        if let Ok(commit) = done {
            self.saw(*commit);
            written.commit = Some(*commit);
            let is_told = |told: fn(&Told) -> bool| written.rows.iter().any(|row| told(&row.told));
            let of = |other: &Written| other.event_time == written.event_time;
            let deeds = [
                (Deed::Write, true),
                (Deed::Correction, self.batches.iter().any(of)),
                (Deed::Import, written.imported.is_some()),
                (Deed::Null, is_told(|told| matches!(told, Told::Null))),
                (Deed::Delete, is_told(|told| matches!(told, Told::Deleted))),
                (Deed::Mark, written.marks),
            ];
            for (deed, _) in deeds.into_iter().filter(|(_, done)| *done) {
                self.deeds.add(deed, 1);
            }
        }
        self.batches.push(written);
    }

    /// Writes down what was taken away.
    fn take(
        &mut self,
        deed: Deed,
        what: What,
        done: asofdb::Result<Option<Commit>>,
    ) -> asofdb::Result<()> {
        let before = self.batches.len();
        match done {
            Ok(Some(commit)) => {
                self.saw(commit);
                self.deeds.add(deed, 1);
                self.taken.push(Taken { before, what, fate: Fate::Sure });
                self.all_sure();
                Ok(())
            }
            Err(Error::InvalidArgument(_)) | Ok(None) => Ok(()),
            Err(error) => {
                if !matches!(error, Error::Poisoned { .. }) {
                    self.taken.push(Taken { before, what, fate: Fate::Open });
                }
                Err(error)
            }
        }
    }

    /// Takes away one of the newest batches. Those that tell progress stay, so that it goes on.
    fn revert_batch(&mut self, store: &Store, rng: &mut Rng) -> asofdb::Result<()> {
        let newest = self.batches.iter().enumerate().rev().take(10);
        let some = newest.filter(|(_, batch)| batch.source != Some(GOOD));
        let some: Vec<(usize, Commit)> =
            some.filter_map(|(index, batch)| Some((index, batch.commit?))).collect();
        let Some((index, commit)) = rng.choose(&some).copied() else { return Ok(()) };
        let done = store.revert(Revert::commits([commit])).map(|reverted| reverted.commit);
        self.take(Deed::RevertBatch, What::Batch(index), done)
    }

    fn define(&mut self, store: &Store, name: &str, value_type: ValueType) -> asofdb::Result<()> {
        let done = store.define(spec(name, value_type));
        self.defined(Deed::Define, name, 1, value_type, done)
    }

    /// Features come, change their type and go.
    fn change_features(&mut self, store: &Store, rng: &mut Rng) -> asofdb::Result<()> {
        let more = |(name, known): &(&String, &Known)| known.newest && name.contains("more");
        let more: Vec<_> = self.features.iter().filter(more).collect();
        let drawn = rng.choose(&more).map(|(name, known)| ((*name).clone(), (*known).clone()));
        match (drawn, rng.below(3)) {
            (Some((name, known)), 1) => self.evolve(store, &name, &known),
            (Some((name, _)), 2) => self.retire(store, plain(&name)),
            _ => {
                self.names += 1;
                let name = format!("v:more{}", self.names);
                self.define(store, &name, ValueType::Text)
            }
        }
    }

    /// Gives a feature its next schema, of another type.
    fn evolve(&mut self, store: &Store, name: &str, known: &Known) -> asofdb::Result<()> {
        let value_type = match known.value_type {
            ValueType::Text => ValueType::I64,
            _ => ValueType::Text,
        };
        let schema = name.rsplit('@').next().and_then(|schema| schema.parse::<u32>().ok());
        let done = store.evolve(plain(name), value_type);
        self.defined(Deed::Evolve, plain(name), schema.unwrap() + 1, value_type, done)
    }

    /// Writes down a schema of a feature.
    fn defined(
        &mut self,
        deed: Deed,
        name: &str,
        schema: u32,
        value_type: ValueType,
        done: asofdb::Result<asofdb::Feature>,
    ) -> asofdb::Result<()> {
        let description = done.is_ok().then(String::new);
        let known = Known { description, value_type, newest: true };
        let versioned = format!("{name}@{schema}");
        match done {
            Ok(feature) => {
                assert_eq!(feature.versioned_name(), versioned);
                self.saw(feature.since);
                self.deeds.add(deed, 1);
                self.add_feature(versioned, known);
                self.all_sure();
                Ok(())
            }
            Err(error) => {
                if !matches!(error, Error::Poisoned { .. }) {
                    self.open_features.insert(versioned, known);
                }
                Err(error)
            }
        }
    }

    fn retire(&mut self, store: &Store, name: &str) -> asofdb::Result<()> {
        let retired = store.retire(name);
        if let Err(error) = retired {
            if !matches!(error, Error::Poisoned { .. }) {
                self.open_retired.insert(name.to_owned());
            }
            return Err(error);
        }
        self.deeds.add(Deed::Retire, 1);
        self.remove_features(&BTreeSet::from([name.to_owned()]));
        self.all_sure();
        Ok(())
    }

    /// Changes what is said of a feature, which records its bounds.
    fn alter(&mut self, store: &Store, rng: &mut Rng) -> asofdb::Result<()> {
        let name = *rng.choose(&["v:text@1", AGED]).unwrap();
        let text = format!("{} {}", self.batches.len(), "words ".repeat(rng.index(9)));
        let altered = store.alter(plain(name), Alter::new().describe(&*text));
        if let Some(known) = self.features.get_mut(name)
            && !matches!(altered, Err(Error::Poisoned { .. }))
        {
            known.description = altered.is_ok().then_some(text);
        }
        self.saw(altered?.since);
        self.deeds.add(Deed::Alter, 1);
        self.all_sure();
        Ok(())
    }

    fn flush(&mut self, store: &Store) -> asofdb::Result<()> {
        store.flush()?;
        self.deeds.add(Deed::Flush, 1);
        self.all_sure();
        Ok(())
    }

    /// Does work that merges or drops tables.
    fn merge(
        &mut self,
        store: &Store,
        work: impl FnOnce(&Store) -> asofdb::Result<u64>,
    ) -> asofdb::Result<()> {
        let before = store.metrics().compactions;
        let done = work(store);
        let after = store.metrics().compactions;
        let dropped = after.dropped_records - before.dropped_records;
        self.deeds.add(Deed::DroppedRecord, dropped);
        self.deeds.add(Deed::DroppedTable, after.unread_tables - before.unread_tables);
        done.map(|steps| self.deeds.add(Deed::Step, steps))
    }

    /// A table of nothing but what the clock takes, and then so much time that it does.
    fn season(&mut self, sim: &SimWorld, store: &Store, rng: &mut Rng) -> asofdb::Result<()> {
        self.flush(store)?;
        self.write(store, rng, Load::Aged)?;
        self.flush(store)?;
        sim.clock.advance(micros(3 * HISTORY));
        self.saw_time(store);
        self.merge(store, work)
    }

    /// Holds a snapshot, or lets the one go that is held when it still answers as it did.
    fn hold(&mut self, store: &Store) -> asofdb::Result<()> {
        let Some(held) = self.held.take() else {
            let snapshot = store.snapshot()?;
            let read = Read::as_of(EventTime::MAX).snapshot(&snapshot);
            let numbers = numbers(store, &read)?;
            self.held = Some(Held { snapshot, taken: self.taken.len(), numbers });
            return Ok(());
        };
        let read = Read::as_of(EventTime::MAX).snapshot(&held.snapshot);
        let now = numbers(store, &read)?;
        self.check_numbers("a snapshot", held.taken, &held.numbers, &now);
        self.deeds.add(Deed::Snapshot, 1);
        Ok(())
    }

    /// Takes a stamp and writes down what it answers.
    fn stamp(&mut self, store: &Store) -> asofdb::Result<()> {
        let stamp = store.stamp()?;
        let numbers = numbers(store, &Read::as_of(EventTime::MAX).stamp(stamp))?;
        self.stamps.push(Stood { stamp, taken: self.taken.len(), numbers });
        Ok(())
    }
}

/// Does the background work that is due; how many steps that were.
fn work(store: &Store) -> asofdb::Result<u64> {
    let mut steps = 0;
    while store.step()? {
        steps += 1;
    }
    Ok(steps)
}
