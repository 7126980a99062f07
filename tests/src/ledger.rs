//! A workload for a store on a bad disk, and a ledger of what the store acknowledged, to hold a
//! reopened store against: every batch that was acknowledged as durable is there, batches are there
//! whole or not at all, none without those before it, nothing is there that was not written, what
//! was erased or reverted stays away, and stamps answer what they answered or say that they cannot.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use asofdb::world::disk::Disk;
use asofdb::world::sim::{Rng, SimWorld};
use asofdb::{
    Alter, Batch, Commit, Durability, Error, EventTime, FeatureSpec, Options, Read, Revert, Span,
    Stamp, Store, Value, ValueType, inspect,
};

/// When the simulated worlds begin.
pub const BEGIN: EventTime = EventTime(1_700_000_000_000_000);

const DIR: &str = "/store";
const ENTITIES: [&str; 4] = ["ant", "bee", "cat", "dog"];

/// Options under which a few batches fill a memtable and a few memtables are merged.
pub fn small(sim: &SimWorld) -> Options {
    Options::new()
        .world(sim.world())
        .identity(Some([7; 32]))
        .max_ahead(None)
        .memtable_bytes(6_000)
        .max_sealed_memtables(2)
        .table_bytes(3_000)
        .max_recent_tables(3)
        .manifest_bytes(2_000)
        .commit_lease(Span::from_micros(20).unwrap_or(Span::ZERO))
        .clock_lag(Span::ZERO)
}

/// A world with an empty, durable directory for the store: a directory whose name a failed sync has
/// put in doubt stays in doubt, whatever a store in it does.
pub fn new_world() -> SimWorld {
    let sim = SimWorld::new(BEGIN);
    let made = sim.disk.create_dir_all(Path::new(DIR));
    let synced = made.and_then(|()| sim.disk.sync_dir(Path::new("/")));
    assert!(synced.is_ok(), "{synced:?}");
    sim
}

/// Opens the store of a world.
pub fn open(sim: &SimWorld) -> asofdb::Result<Store> {
    Store::open(DIR, small(sim))
}

/// Every file of a world's store is whole and fits the others.
pub fn verify(sim: &SimWorld) {
    let verified = inspect::verify(Path::new(DIR), &sim.world(), &mut |_, _| {}).unwrap();
    assert!(verified.is_clean(), "{:?}", verified.files);
}

/// How often a workload did what can go wrong in a way of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Operations of the disk, by their names.
    pub operations: BTreeMap<String, usize>,
    /// Logs that were begun.
    pub logs: usize,
    /// Manifests that were written anew.
    pub manifests: usize,
    /// Tables that were made.
    pub tables: usize,
    /// Tables that a merge replaced.
    pub replaced: usize,
}

impl Coverage {
    /// Of a traced disk.
    pub fn of(sim: &SimWorld) -> Coverage {
        let mut coverage = Coverage::default();
        for line in sim.disk.take_trace() {
            let mut words = line.split_whitespace().skip(1);
            let (Some(operation), Some(path)) = (words.next(), words.next()) else { continue };
            *coverage.operations.entry(operation.to_owned()).or_default() += 1;
            match operation {
                "Create" if path.contains("LOG-") => coverage.logs += 1,
                "Create" if path.contains("MANIFEST-") => coverage.manifests += 1,
                "Create" if path.contains("TABLE-") => coverage.tables += 1,
                "Remove" if path.contains("TABLE-") => coverage.replaced += 1,
                _ => {}
            }
        }
        coverage
    }

    /// Whether logs and the manifest rotated, memtables were flushed and tables merged.
    pub fn is_wide(&self) -> bool {
        self.logs > 2 && self.manifests > 2 && self.tables > 2 && self.replaced > 2
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Coverage { operations, logs, manifests, tables, replaced } = self;
        let names = operations.iter().map(|(name, count)| format!("{count} {name}"));
        let names: Vec<String> = names.collect();
        write!(
            out,
            "{logs} logs, {manifests} manifests, {tables} tables of which {replaced} were merged; {}",
            names.join(", ")
        )
    }
}

/// What is known of whether something is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It was acknowledged as durable.
    Sure,
    /// It was acknowledged as buffered, or failed in a way that leaves it open.
    Open,
    /// A crash took it, or nothing can tell whether it did.
    Gone,
}

#[derive(Clone, Debug)]
struct Written {
    /// As large as the order of writing; values tell it.
    id: i64,
    source: Option<&'static str>,
    entities: Vec<usize>,
    features: Vec<String>,
    commit: Option<Commit>,
    fate: Fate,
}

impl Written {
    /// Every batch has an event time of its own, late ones among them.
    fn event_time(&self) -> EventTime {
        EventTime(BEGIN.0 + self.id * 7_919 % 10_007)
    }

    fn value(&self, feature: &str) -> Value {
        if feature == "v:number" {
            return Value::I64(self.id);
        }
        let length = usize::try_from(self.id * 37 % 500).unwrap_or(0);
        Value::from(format!("{feature} {} {}", self.id, "x".repeat(length)))
    }
}

/// Something that takes batches away.
#[derive(Clone, Debug)]
struct Taken {
    /// The batches written before it.
    before: usize,
    what: What,
    fate: Fate,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Entity(usize),
    Source(&'static str),
}

/// What the store acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    batches: Vec<Written>,
    taken: Vec<Taken>,
    /// Features and the newest description of each; `None`: it is not known.
    features: BTreeMap<String, Option<String>>,
    /// Features whose definition failed.
    open_features: BTreeSet<String>,
    stamps: Vec<(Stamp, usize, Vec<Option<i64>>)>,
    newest: Option<Commit>,
}

impl Ledger {
    fn all_sure(&mut self) {
        let open = |batch: &&mut Written| batch.fate == Fate::Open && batch.commit.is_some();
        self.batches.iter_mut().filter(open).for_each(|batch| batch.fate = Fate::Sure);
    }

    fn saw(&mut self, commit: Commit) {
        assert!(self.newest < Some(commit), "{commit} after {:?}", self.newest);
        self.newest = Some(commit);
    }

    /// Whether a row is taken away: surely, perhaps (`None`), or not.
    fn is_taken(&self, index: usize, entity: usize) -> Option<bool> {
        let mut open = false;
        for taken in self.taken.iter().filter(|taken| index < taken.before) {
            let source = self.batches.get(index).and_then(|batch| batch.source);
            let hit = match taken.what {
                What::Entity(erased) => erased == entity,
                What::Source(reverted) => source == Some(reverted),
            };
            if hit && taken.fate == Fate::Sure {
                return Some(true);
            }
            open |= hit;
        }
        if open { None } else { Some(false) }
    }

    fn define(&mut self, store: &Store, name: &str) -> asofdb::Result<()> {
        let value_type = if name == "v:number" { ValueType::I64 } else { ValueType::Text };
        match store.define(FeatureSpec::new(name, value_type)) {
            Ok(feature) => {
                self.saw(feature.since);
                self.features.insert(name.to_owned(), Some(String::new()));
                self.open_features.remove(name);
                self.all_sure();
                Ok(())
            }
            Err(error) => {
                if !self.features.contains_key(name) {
                    self.open_features.insert(name.to_owned());
                }
                Err(error)
            }
        }
    }

    fn write(&mut self, store: &Store, rng: &mut Rng) -> asofdb::Result<()> {
        let durability = *rng.choose(&[Durability::Buffered, Durability::Synced]).unwrap();
        let id = i64::try_from(self.batches.len()).unwrap() + 1;
        let mut written = Written {
            id,
            source: *rng.choose(&[None, None, Some("good"), Some("bad")]).unwrap(),
            // An empty batch is only a commit, which nothing but a sync makes durable.
            entities: match (0..ENTITIES.len()).filter(|_| rng.percent(60)).collect::<Vec<_>>() {
                none if none.is_empty() => vec![0],
                some => some,
            },
            features: self.features.keys().cloned().collect(),
            commit: None,
            fate: Fate::Open,
        };
        let mut batch = Batch::new();
        if let Some(source) = written.source {
            batch.source(source);
        }
        for entity in &written.entities {
            for feature in &written.features {
                let value = written.value(feature);
                batch.put(ENTITIES[*entity], feature, written.event_time(), value);
            }
        }
        let done = store.write(batch, durability);
        if let Ok(commit) = done {
            self.saw(commit);
            written.commit = Some(commit);
        }
        let refused = matches!(done, Err(Error::Poisoned { .. } | Error::InvalidArgument(_)));
        if !refused {
            self.batches.push(written);
        }
        if done.is_ok() && durability == Durability::Synced {
            self.all_sure();
        }
        done.map(drop)
    }

    fn take(&mut self, what: What, done: asofdb::Result<Option<Commit>>) -> asofdb::Result<()> {
        let before = self.batches.len();
        match done {
            Ok(Some(commit)) => {
                self.saw(commit);
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

    /// Takes a stamp and writes down what it answers.
    fn stamp(&mut self, store: &Store) -> asofdb::Result<()> {
        let stamp = store.stamp()?;
        let answers = numbers(store, stamp)?;
        self.stamps.push((stamp, self.taken.len(), answers));
        Ok(())
    }

    /// Does one thing that the seed draws.
    pub fn step(&mut self, sim: &SimWorld, store: &Store, rng: &mut Rng) -> asofdb::Result<()> {
        for name in ["v:number", "v:text"] {
            if !self.features.contains_key(name) {
                self.define(store, name)?;
            }
        }
        match rng.below(100) {
            0..60 => self.write(store, rng)?,
            60..64 => {
                store.sync()?;
                self.all_sure();
            }
            64..70 => {
                store.flush()?;
                self.all_sure();
            }
            70..73 => {
                store.compact()?;
                self.all_sure();
            }
            73..80 => while store.step()? {},
            80..83 => {
                let name = format!("v:text{}", self.features.len());
                self.define(store, &name)?;
            }
            83..86 => {
                let text = format!("{} {}", self.batches.len(), "words ".repeat(rng.index(9)));
                let altered = store.alter("v:text", Alter::new().describe(&*text));
                let known = altered.is_ok().then_some(text);
                if !matches!(altered, Err(Error::Poisoned { .. })) {
                    self.features.insert("v:text".to_owned(), known);
                }
                self.saw(altered?.since);
                self.all_sure();
            }
            86..89 => {
                let entity = rng.index(ENTITIES.len());
                let done = store.erase(ENTITIES[entity]).map(Some);
                self.take(What::Entity(entity), done)?;
            }
            89..92 => {
                let done = store.revert(Revert::source("bad")).map(|reverted| reverted.commit);
                self.take(What::Source("bad"), done)?;
            }
            92..96 => sim.clock.advance(Span::from_micros(1 << rng.below(12)).unwrap()),
            96..98 => sim.clock.step_back(Span::from_micros(500).unwrap()),
            _ => {}
        }
        self.stamp(store)
    }

    /// Holds a store against the ledger. What it shows is sure from then on.
    pub fn check(&mut self, store: &Store) {
        for (name, description) in &self.features {
            let found = store.feature(name).unwrap();
            let known = description.as_ref();
            assert!(known.is_none_or(|known| *known == found.terms.description), "{name}");
        }
        let all = store.features();
        for feature in &all {
            let name = &feature.name;
            let known = self.features.contains_key(name) || self.open_features.contains(name);
            assert!(known, "{name} was invented");
        }
        let mut shown = 0;
        let mut lost: Option<i64> = None;
        for index in 0..self.batches.len() {
            let batch = &self.batches[index];
            let (mut there, mut away) = (Vec::new(), Vec::new());
            for entity in &batch.entities {
                let is_taken = self.is_taken(index, *entity);
                for feature in &batch.features {
                    let is_there = has(store, batch, *entity, feature);
                    shown += usize::from(is_there);
                    let row = format!("{} {feature}", ENTITIES[*entity]);
                    match is_taken {
                        Some(true) => {
                            assert!(!is_there, "batch {} came back: {row}", batch.id);
                        }
                        Some(false) if is_there => there.push(row),
                        Some(false) => away.push(row),
                        None => {}
                    }
                }
            }
            let halves = there.is_empty() || away.is_empty();
            assert!(halves, "half of batch {}: {there:?} without {away:?}", batch.id);
            let sure = batch.fate == Fate::Sure;
            assert!(!sure || away.is_empty(), "batch {} is lost: {away:?}", batch.id);
            let gone = batch.fate == Fate::Gone;
            assert!(!gone || there.is_empty(), "batch {} came back: {there:?}", batch.id);
            if let (Some(lost), false) = (lost, there.is_empty()) {
                panic!("batch {} is there without {lost}, which was before it", batch.id);
            }
            // A batch that was not acknowledged may never have got a commit.
            if !away.is_empty() && !gone && batch.commit.is_some() {
                lost = lost.or(Some(batch.id));
            }
        }
        assert_eq!(shown, count(store), "versions were invented");
        self.check_stamps(store);
        // What is there now is read from now on.
        self.settle(store);
    }

    /// Holds what an open store reads against the ledger, while a disk may fail under it: an error
    /// is no wrong answer.
    pub fn check_reads(&self, store: &Store) {
        for (index, batch) in self.batches.iter().enumerate() {
            if batch.fate != Fate::Sure {
                continue;
            }
            for entity in &batch.entities {
                let Some(is_taken) = self.is_taken(index, *entity) else { continue };
                let feature = "v:number";
                match store.as_of(ENTITIES[*entity], feature, batch.event_time()) {
                    Ok(reading) => {
                        let is_there = reading.event_time() == Some(batch.event_time());
                        assert_eq!(is_there, !is_taken, "batch {}", batch.id);
                    }
                    Err(Error::Io { .. }) => {}
                    Err(error) => panic!("batch {}: {error}", batch.id),
                }
            }
        }
    }

    fn check_stamps(&self, store: &Store) {
        for (stamp, taken, before) in &self.stamps {
            let sure = self.batches.iter().all(|batch| {
                batch.fate == Fate::Sure || batch.commit.is_none_or(|commit| commit > stamp.commit)
            });
            let now = match numbers(store, *stamp) {
                Ok(now) => now,
                Err(Error::LostCommit { .. }) if !sure => continue,
                Err(error) => panic!("{stamp:?}: {error}"),
            };
            // An erase that failed may show itself at any later open.
            let erased = |entity: usize| {
                self.taken.iter().enumerate().any(|(index, erase)| {
                    let later = index >= *taken || erase.fate == Fate::Open;
                    later && matches!(erase.what, What::Entity(it) if it == entity)
                })
            };
            for (entity, (before, now)) in before.iter().zip(&now).enumerate() {
                let same = before == now || erased(entity);
                assert!(same, "{stamp:?} {}: {before:?}, now {now:?}", ENTITIES[entity]);
            }
        }
    }

    /// Makes up its mind about what was open.
    fn settle(&mut self, store: &Store) {
        for index in (0..self.batches.len()).rev() {
            let batch = &self.batches[index];
            if batch.fate != Fate::Open {
                continue;
            }
            let visible: Vec<usize> = (batch.entities.iter().copied())
                .filter(|entity| self.is_taken(index, *entity) == Some(false))
                .collect();
            let is_there = visible.first().is_some_and(|entity| {
                batch.features.iter().any(|feature| has(store, batch, *entity, feature))
            });
            self.batches[index].fate = if is_there { Fate::Sure } else { Fate::Gone };
        }
        for name in std::mem::take(&mut self.open_features) {
            if store.feature(&name).is_ok() {
                self.features.insert(name, None);
            }
        }
    }

    /// The store was closed without an error: all of it is durable.
    pub fn closed(&mut self) {
        self.all_sure();
    }

    /// How many batches are surely in the store.
    pub fn sure(&self) -> usize {
        self.batches.iter().filter(|batch| batch.fate == Fate::Sure).count()
    }
}

fn has(store: &Store, batch: &Written, entity: usize, feature: &str) -> bool {
    let reading = store.as_of(ENTITIES[entity], feature, batch.event_time()).unwrap();
    if reading.event_time() != Some(batch.event_time()) {
        return false;
    }
    assert_eq!(reading.value(), Some(&batch.value(feature)), "batch {}", batch.id);
    true
}

/// How many versions there are.
fn count(store: &Store) -> usize {
    let features = store.features();
    let of = |entity: &str| -> usize {
        let versions = features.iter().map(|feature| {
            let all = (EventTime::MIN, EventTime::MAX);
            let read = Read::latest();
            store.range(entity, &feature.name, all.0, all.1, &read).unwrap().answers.len()
        });
        versions.sum()
    };
    ENTITIES.iter().map(|entity| of(entity)).sum()
}

/// The newest number of each entity, as a stamp sees it.
fn numbers(store: &Store, stamp: Stamp) -> asofdb::Result<Vec<Option<i64>>> {
    let read = Read::as_of(EventTime::MAX).stamp(stamp);
    let of = |entity: &&str| match store.read(entity, "v:number", &read) {
        Ok(reading) => Ok(reading.as_i64()),
        Err(Error::UnknownFeature { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    ENTITIES.iter().map(of).collect()
}
