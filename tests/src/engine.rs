//! The engine as a subject of programs: on a simulated disk and clock, its background work stepped.
//!
//! Invariants:
//! - the store's clock moves only by the program's steps;
//! - one thread moves at a time, and a seed chooses when background work moves, so the same program,
//!   options and seed do the same operations on the disk in the same order;
//! - whatever the engine refuses for a reason that no rule knows is [`Outcome::Failed`].

mod background;
mod calls;
mod convert;
mod reads;

use std::collections::{BTreeMap, BTreeSet};

use asofdb::world::clock::Clock;
use asofdb::world::sim::{CrashPolicy, SimWorld};
use asofdb::{
    Batch, Commit, Durability, Error, EventTime, FeatureSpec, Options, Revert, Snapshot, Span,
    Stamp, Store, ValueType,
};

use self::background::Background;
use self::calls::Calls;
pub use self::convert::{answer, value};
use self::convert::{done, refused, terms};
use crate::answer::{Outcome, Refusal};
use crate::doors::Readers;
use crate::model::Bounds;
use crate::parked;
use crate::question::{Crash, DOWN, Definition, Put, Read};
use crate::replay::Subject;

const DIR: &str = "/store";

/// A store that programs are replayed on.
pub struct Engine {
    /// Dropped first: a store that closes waits for work that stands still.
    background: Background,
    sim: SimWorld,
    options: Options,
    store: Store,
    snapshots: BTreeMap<String, Snapshot>,
    stamps: BTreeMap<String, Stamp>,
    /// The commits of the batches that were written, in order, and their sources.
    written: Vec<(Commit, Option<String>)>,
    calls: Calls,
    every_door: bool,
    readers: Readers,
    copies: bool,
    killed: bool,
    tells_recorded: bool,
    trace: Option<Vec<String>>,
}

impl Engine {
    /// A new store with these options, its world apart.
    pub fn new(options: Options) -> Result<Engine, Error> {
        Engine::begin(options, None)
    }

    /// As [`Engine::new`]; what happens to the store is written down, for [`Engine::trace`].
    pub fn traced(options: Options) -> Result<Engine, Error> {
        Engine::begin(options, Some(Vec::new()))
    }

    fn begin(options: Options, trace: Option<Vec<String>>) -> Result<Engine, Error> {
        let sim = SimWorld::new(EventTime(0));
        if trace.is_some() {
            sim.disk.start_trace();
        }
        let options = options.max_ahead(None).identity(Some([7; 32]));
        let store = Store::open(DIR, options.clone().world(parked::world(&sim)))?;
        Ok(Engine { trace, ..Engine::of(sim, options, store) })
    }

    fn of(sim: SimWorld, options: Options, store: Store) -> Engine {
        Engine {
            sim,
            options,
            store,
            snapshots: BTreeMap::new(),
            stamps: BTreeMap::new(),
            written: Vec::new(),
            background: Background::default(),
            calls: Calls::default(),
            every_door: false,
            readers: Readers::default(),
            copies: false,
            killed: false,
            tells_recorded: false,
            trace: None,
        }
    }

    /// Background work is done at random places, drawn from a seed: whole steps after writes, and
    /// steps that stand still at operations of the disk while the program goes on.
    pub fn stepped_at_random(mut self, seed: u64) -> Engine {
        self.background = Background::drawn_from(seed);
        self
    }

    /// Each read of one cell is asked through every door of the library.
    pub fn through_every_door(mut self) -> Engine {
        self.every_door = true;
        self
    }

    /// Each read is asked of what a power cut leaves of the synced store, opened read-only. While a
    /// snapshot is held the store itself is asked: it holds the bounds S and B down, and a copy
    /// knows nothing of it.
    pub fn read_from_copies(mut self) -> Engine {
        self.copies = true;
        self
    }

    /// Where a program closes and opens the store its process is killed instead, so that the logs
    /// are replayed.
    pub fn killed_at_reopen(mut self) -> Engine {
        self.killed = true;
        self
    }

    /// Tells which bounds it has recorded: for programs whose clock stands back at times.
    pub fn telling_recorded(mut self) -> Engine {
        self.tells_recorded = true;
        self
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The world that the store is in.
    pub fn sim(&self) -> &SimWorld {
        &self.sim
    }

    /// How often background work stood still while the program went on.
    pub fn stops(&self) -> usize {
        self.background.stops
    }

    /// What happened since the last call, one line an operation of the disk or stop of the
    /// background work.
    pub fn trace(&mut self) -> Vec<String> {
        self.note_disk();
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn note_disk(&mut self) {
        let lines = self.sim.disk.take_trace();
        self.note(lines);
    }

    fn note(&mut self, lines: impl IntoIterator<Item = String>) {
        if let Some(trace) = &mut self.trace {
            trace.extend(lines);
        }
    }

    /// Goes on in another world. The store that was open ends in the old one, where nobody looks at
    /// what it does any more.
    fn go_down(&mut self, after: SimWorld) {
        self.finish_background();
        self.snapshots.clear();
        self.note_disk();
        self.sim = after;
        if self.trace.is_some() {
            self.sim.disk.start_trace();
        }
    }

    /// Closes the store, as the first half of a reopening; snapshots do not outlive that.
    pub fn close(&mut self) -> Result<(), Error> {
        self.finish_background();
        self.snapshots.clear();
        self.store.close()
    }

    /// Opens the store that was closed or has gone down.
    pub fn open(&mut self) -> Result<(), Error> {
        self.store = Store::open(DIR, self.options.clone().world(parked::world(&self.sim)))?;
        Ok(())
    }

    /// The files of another world opened as this store is, under options changed so. Stamps are
    /// remembered there, and what was written; snapshots do not outlive an opening.
    pub fn open_in(
        &self,
        sim: SimWorld,
        change: impl FnOnce(Options) -> Options,
    ) -> Result<Engine, Error> {
        let options = change(self.options.clone());
        let store = Store::open(DIR, options.clone().world(parked::world(&sim)))?;
        let mut other = Engine::of(sim, options, store);
        other.stamps = self.stamps.clone();
        other.written = self.written.clone();
        other.calls = self.calls.without_more();
        Ok(other)
    }
}

impl Subject for Engine {
    fn clock(&mut self, now: i64) -> Outcome {
        let before = self.sim.clock.now().0;
        match Span::from_micros(now.saturating_sub(before)) {
            // Nobody waits for days: such a step forward is a clock that was set.
            Some(forward) if forward < Span::from_days(2) => self.sim.clock.advance(forward),
            _ => self.sim.clock.set(EventTime(now)),
        }
        self.move_background()
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

    fn write(&mut self, puts: &[Put], source: Option<&str>, synced: bool) -> Outcome {
        let mut batch = Batch::new();
        if let Some(source) = source {
            batch.source(source);
        }
        for put in puts {
            if let Err(error) = self.put(&mut batch, put) {
                return refused(error);
            }
        }
        self.make_room();
        let durability = if synced { Durability::Synced } else { Durability::Buffered };
        match self.write_marked(batch, durability) {
            Ok(commit) => self.written.push((commit, source.map(str::to_owned))),
            Err(error) => return refused(error),
        }
        self.begin_background()
    }

    fn sync(&mut self) -> Outcome {
        done(self.store.sync())
    }

    fn flush(&mut self) -> Outcome {
        self.finish_flush();
        done(self.store.flush())
    }

    fn compact(&mut self) -> Outcome {
        self.finish_background();
        done(self.store.compact())
    }

    fn reopen(&mut self) -> Outcome {
        if self.killed {
            self.go_down(self.sim.after_kill());
            return done(self.open());
        }
        done(self.close().and_then(|()| self.open()))
    }

    fn crash(&mut self, crash: Crash) -> Outcome {
        let after = match crash {
            Crash::Kill => self.sim.after_kill(),
            Crash::PowerCut { names, data, seed } => {
                self.sim.after_power_cut(seed, CrashPolicy { names, data })
            }
        };
        let newest = self.store.stats().newest_commit.0;
        after.clock.set(EventTime(self.sim.clock.now().0.max(newest) + DOWN));
        self.go_down(after);
        match self.open() {
            Ok(()) => {
                let newest = self.store.stats().newest_commit;
                self.written.retain(|(commit, _)| *commit <= newest);
                self.lose_marks(newest);
                match self.store.write(Batch::new(), Durability::Synced) {
                    Ok(commit) => self.written.push((commit, None)),
                    Err(error) => return refused(error),
                }
                Outcome::Survived(newest.0)
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
        self.erase_in_a_way(entity)
    }

    fn revert(&mut self, source: &str) -> Outcome {
        let of_source = self.written.iter().filter(|(_, of)| of.as_deref() == Some(source));
        let taken: BTreeSet<Commit> = of_source.map(|(commit, _)| *commit).collect();
        self.revert_in_a_way(Revert::source(source), |commit| taken.contains(&commit))
    }

    fn revert_batches(&mut self, places: &[usize]) -> Outcome {
        let commits = places.iter().map(|place| self.written.get(*place).map(|it| it.0));
        match commits.collect::<Option<BTreeSet<Commit>>>() {
            Some(commits) => {
                let what = Revert::commits(commits.iter().copied());
                self.revert_in_a_way(what, |commit| commits.contains(&commit))
            }
            None => Outcome::Refused(Refusal::NothingToRevert),
        }
    }

    fn read(&mut self, read: &Read) -> Outcome {
        self.ask(read).unwrap_or_else(|error| Outcome::Failed(error.to_string()))
    }

    fn recorded(&self) -> Vec<(String, Bounds)> {
        if !self.tells_recorded {
            return Vec::new();
        }
        let wide = |bound: Option<EventTime>| bound.map(|bound| bound.0.into());
        let of = |feature: asofdb::Feature| {
            let recorded = feature.recorded;
            let bounds = Bounds {
                horizon: wide(recorded.horizon),
                stale: wide(recorded.stale),
                forgotten: wide(recorded.forgotten),
            };
            (feature.versioned_name(), bounds)
        };
        self.store.features().into_iter().map(of).collect()
    }
}
