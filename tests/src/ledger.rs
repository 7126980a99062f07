//! A workload for a store on a bad disk, and a ledger of what the store acknowledged, to hold a
//! reopened store against: every batch that was acknowledged as durable is there, batches are there
//! whole or not at all, none without those before it, nothing is there that was not written, what
//! was erased or reverted stays away, and stamps answer what they answered or say that they cannot.
//! Of the feature that the clock takes from, what lies at or below its horizon may be gone.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod batches;
mod coverage;
mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use asofdb::world::disk::Disk;
use asofdb::world::sim::{Injected, SimWorld};
use asofdb::{
    Answer, Commit, Error, EventTime, Feature, KnownTime, Options, Read, ReadMode, Snapshot, Span,
    Store, ValueType, inspect,
};

use self::batches::{AGED, ENTITIES, Fate, NUMBER, Row, Stood, Taken, What, Written};
pub use self::coverage::{Coverage, Deed, Deeds};
use self::workload::{GOOD, PROGRESS};

/// When the simulated worlds begin.
pub const BEGIN: EventTime = EventTime(1_700_000_000_000_000);

/// How much history the feature that the clock takes from keeps, in microseconds.
const HISTORY: i64 = 2_000;

const DIR: &str = "/store";

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

/// Opens it so that its tables are read in this way.
pub fn open_reading(sim: &SimWorld, mode: ReadMode) -> asofdb::Result<Store> {
    Store::open(DIR, small(sim).read_mode(mode))
}

/// Every file of a world's store is whole and fits the others.
pub fn verify(sim: &SimWorld) {
    let verified = inspect::verify(Path::new(DIR), &sim.world(), &mut |_, _| {}).unwrap();
    assert!(verified.is_clean(), "{:?}", verified.files);
}

/// An error of a disk that fails is that of the disk, or tells that there was one: nobody is told
/// that what was written is damaged.
pub fn check_clean(error: &Error) {
    let planned = match error {
        Error::Io { source, .. } => source.get_ref().is_some_and(|inner| inner.is::<Injected>()),
        Error::Poisoned { .. } => true,
        _ => false,
    };
    assert!(planned, "{error:?}");
}

/// A feature that is surely defined.
#[derive(Clone, Debug)]
struct Known {
    /// `None`: it is not known.
    description: Option<String>,
    value_type: ValueType,
    /// Whether it is the newest schema of its name.
    newest: bool,
}

/// A snapshot, what was taken away when it was, and what it told.
#[derive(Clone, Debug)]
struct Held {
    snapshot: Snapshot,
    taken: usize,
    numbers: Vec<Answer>,
}

/// What the store acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    batches: Vec<Written>,
    taken: Vec<Taken>,
    /// Features with their schema numbers.
    features: BTreeMap<String, Known>,
    /// Features whose definition failed.
    open_features: BTreeMap<String, Known>,
    /// How many names were thought of.
    names: usize,
    /// Names of which retiring failed.
    open_retired: BTreeSet<String>,
    stamps: Vec<Stood>,
    held: Option<Held>,
    newest: Option<Commit>,
    /// The latest moment that the clock has told.
    latest: Option<EventTime>,
    deeds: Deeds,
}

/// Whether a row is in the store, as far as that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// It is, and has this commit.
    There(Commit),
    Away,
    /// The horizon has passed it.
    Unknown,
}

/// The rows that were found, each as the newest of its version: (entity, feature, event time) to what orders
/// revisions and which row it is.
type Found<'l> = BTreeMap<(usize, &'l str, EventTime), (KnownTime, Commit, &'l Row)>;

/// What is known of a batch after a check.
struct Verdict {
    index: usize,
    fate: Fate,
    commit: Option<Commit>,
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

    fn saw_time(&mut self, store: &Store) {
        self.latest = self.latest.max(Some(store.now()));
    }

    /// No horizon of the feature that the clock takes from is higher.
    fn horizon(&self) -> i64 {
        self.latest.map_or(i64::MIN, |latest| latest.0 - HISTORY)
    }

    fn add_feature(&mut self, name: String, known: Known) {
        for (other, old) in &mut self.features {
            old.newest &= plain(other) != plain(&name);
        }
        self.open_features.remove(&name);
        self.features.insert(name, known);
    }

    /// Forgets retired features and all that was written of them.
    fn remove_features(&mut self, names: &BTreeSet<String>) {
        self.features.retain(|name, _| !names.contains(plain(name)));
        for batch in &mut self.batches {
            batch.rows.retain(|row| !names.contains(plain(&row.feature)));
        }
    }

    /// Whether a row of an entity, or a mark, is taken away: surely, perhaps (`None`), or not.
    fn is_taken(&self, index: usize, entity: Option<usize>) -> Option<bool> {
        let mut open = false;
        for taken in self.taken.iter().filter(|taken| index < taken.before) {
            let hit = match taken.what {
                What::Entity(erased) => entity == Some(erased),
                What::Source(reverted) => self.batches[index].source == Some(reverted),
                What::Batch(reverted) => index == reverted,
            };
            if hit && taken.fate == Fate::Sure {
                return Some(true);
            }
            open |= hit;
        }
        if open { None } else { Some(false) }
    }

    /// Looks for a row at the known time of its batch, where no later correction hides it.
    fn look(&self, store: &Store, batch: &Written, row: &Row) -> asofdb::Result<Seen> {
        let (at, horizon) = (batch.event_time, self.horizon());
        let is_aged = row.feature == AGED;
        if is_aged && at.0 <= horizon {
            return Ok(Seen::Unknown);
        }
        // Below the horizon no known time can be asked about.
        let known = batch.known().filter(|known| !is_aged || known.0 > horizon);
        let hidden = if is_aged && known.is_none() { Seen::Unknown } else { Seen::Away };
        let read = Read::as_of(at);
        let read = known.map_or(read.clone(), |known| read.known_at(known));
        let reading = store.read(ENTITIES[row.entity], &row.feature, &read)?;
        let Some(origin) = reading.origin().filter(|origin| origin.event_time == at) else {
            return Ok(Seen::Away);
        };
        let is_own = match batch.commit {
            Some(commit) => origin.commit == commit,
            None => self.batches.iter().all(|other| other.commit != Some(origin.commit)),
        };
        if !is_own {
            return Ok(hidden);
        }
        let same_source = origin.source.as_deref() == batch.source;
        assert!(row.is(&reading.answer) && same_source, "batch {}: {row:?} {reading:?}", batch.id);
        Ok(Seen::There(origin.commit))
    }

    /// Holds a store against the ledger. What it shows is sure from then on.
    pub fn check(&mut self, store: &Store) {
        self.saw_time(store);
        // It is of another opening.
        self.held = None;
        self.check_features(store);
        let mut found = Found::new();
        let mut verdicts = Vec::new();
        let mut lost: Option<i64> = None;
        for (index, batch) in self.batches.iter().enumerate() {
            let (mut there, mut away, mut commit) = (Vec::new(), Vec::new(), batch.commit);
            let mut tell = |is_there: bool, is_taken: Option<bool>, what: String| match is_taken {
                Some(true) => assert!(!is_there, "batch {} came back: {what}", batch.id),
                Some(false) if is_there => there.push(what),
                Some(false) => away.push(what),
                None => {}
            };
            for row in &batch.rows {
                let seen = self.look(store, batch, row).unwrap();
                if seen == Seen::Unknown {
                    continue;
                }
                if let Seen::There(found_commit) = seen {
                    commit = Some(found_commit);
                    let known = batch.imported.unwrap_or(KnownTime(found_commit.0));
                    let version = (row.entity, row.feature.as_str(), batch.event_time);
                    let newest = found.entry(version).or_insert((known, found_commit, row));
                    if (newest.0, newest.1) < (known, found_commit) {
                        *newest = (known, found_commit, row);
                    }
                }
                let what = format!("{} {}", ENTITIES[row.entity], row.feature);
                let is_there = seen != Seen::Away;
                tell(is_there, self.is_taken(index, Some(row.entity)), what);
            }
            if batch.marks {
                let mark = store.mark(&batch.mark());
                let value = batch.id.to_le_bytes();
                assert!(mark.as_deref().is_none_or(|mark| mark == value), "batch {}", batch.id);
                tell(mark.is_some(), self.is_taken(index, None), batch.mark());
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
            if batch.fate == Fate::Open {
                let fate = if there.is_empty() { Fate::Gone } else { Fate::Sure };
                verdicts.push(Verdict { index, fate, commit });
            }
        }
        self.check_versions(store, &found);
        self.check_aged(store);
        self.check_progress(store);
        self.check_stamps(store);
        // What is there now is read from now on.
        for Verdict { index, fate, commit } in verdicts {
            let batch = &mut self.batches[index];
            batch.fate = fate;
            if fate == Fate::Sure {
                batch.commit = commit;
            }
        }
    }

    /// Features are there or not as was acknowledged; what was open is known from then on.
    fn check_features(&mut self, store: &Store) {
        let retired = |name: &&String| store.feature(name).is_err();
        let retired: BTreeSet<String> = self.open_retired.iter().filter(retired).cloned().collect();
        self.open_retired.clear();
        self.remove_features(&retired);
        let all = store.features();
        for (name, known) in std::mem::take(&mut self.open_features) {
            if all.iter().any(|feature| feature.versioned_name() == name) {
                self.add_feature(name, known);
            }
        }
        let names: BTreeMap<String, &Feature> =
            all.iter().map(|feature| (feature.versioned_name(), feature)).collect();
        for (name, known) in &self.features {
            let Some(found) = names.get(name) else { panic!("{name} is lost") };
            assert_eq!(
                (found.value_type, found.newest),
                (known.value_type, known.newest),
                "{name}"
            );
            let told = &found.terms.description;
            assert!(known.description.as_ref().is_none_or(|known| known == told), "{name}");
        }
        for name in names.keys() {
            assert!(self.features.contains_key(name), "{name} was invented or came back");
        }
    }

    /// All that is in the store, as a plain read tells it, is what was found row by row.
    fn check_versions(&self, store: &Store, found: &Found<'_>) {
        for feature in self.features.keys() {
            let least = if feature == AGED { self.horizon().saturating_add(1) } else { i64::MIN };
            for (entity, name) in ENTITIES.iter().enumerate() {
                let (from, to) = (EventTime(least), EventTime::MAX);
                let versions = store.range(name, feature, from, to, &Read::latest()).unwrap();
                let key = |at| (entity, feature.as_str(), at);
                let expected: Vec<_> = found.range(key(from)..=key(to)).rev().collect();
                let same = versions.answers.len() == expected.len()
                    && expected.iter().zip(&versions.answers).all(|((version, row), answer)| {
                        let told = answer.origin().map(|origin| (origin.event_time, origin.commit));
                        told == Some((version.2, row.1)) && row.2.is(answer)
                    });
                assert!(same, "{name} {feature}: {:?}, not {expected:?}", versions.answers);
            }
        }
    }

    /// Of what the clock takes nothing is there but what was written, whatever the horizon has passed.
    fn check_aged(&self, store: &Store) {
        if !self.features.contains_key(AGED) {
            return;
        }
        for (entity, name) in ENTITIES.iter().enumerate() {
            let versions = store.last_n(name, AGED, usize::MAX, &Read::latest()).unwrap();
            for answer in &versions.answers {
                let Some(origin) = answer.origin() else { panic!("{name}: a version of nothing") };
                let is_written = self.batches.iter().enumerate().any(|(index, batch)| {
                    batch.event_time == origin.event_time
                        && batch.commit.is_none_or(|commit| commit == origin.commit)
                        && self.is_taken(index, Some(entity)) != Some(true)
                        && batch.rows.iter().any(|row| {
                            row.entity == entity && row.feature == AGED && row.is(answer)
                        })
                });
                assert!(is_written, "{name}: {answer:?} was invented or came back");
            }
        }
    }

    /// The mark that batches of one source share is as new as the newest of them.
    fn check_progress(&self, store: &Store) {
        let good = || self.batches.iter().filter(|batch| batch.source == Some(GOOD));
        let least = good().filter(|batch| batch.fate == Fate::Sure).map(|batch| batch.id).max();
        let told = store.mark(PROGRESS);
        let told = good().find(|batch| told.as_deref() == Some(batch.id.to_le_bytes().as_slice()));
        assert!(told.map(|batch| batch.id) >= least, "{told:?}, not {least:?}");
        assert!(told.is_none_or(|batch| batch.fate != Fate::Gone), "{told:?} came back");
    }

    /// Holds what an open store reads against the ledger. An error is no wrong answer if the disk
    /// failed under that very read, and the same read answers when it does not.
    pub fn check_reads(&self, sim: &SimWorld, store: &Store) {
        for (index, batch) in self.batches.iter().enumerate() {
            if batch.fate != Fate::Sure {
                continue;
            }
            for row in batch.rows.iter().filter(|row| row.feature == NUMBER) {
                let Some(is_taken) = self.is_taken(index, Some(row.entity)) else { continue };
                let before = sim.disk.faults_hit();
                let mut seen = self.look(store, batch, row);
                if let Err(error) = &seen
                    && sim.disk.faults_hit() > before
                {
                    check_clean(error);
                    seen = self.look(store, batch, row);
                }
                let is_there = seen.unwrap() != Seen::Away;
                assert_eq!(is_there, !is_taken, "batch {}", batch.id);
            }
        }
    }

    fn check_stamps(&self, store: &Store) {
        for Stood { stamp, taken, numbers: before } in &self.stamps {
            let sure = self.batches.iter().all(|batch| {
                batch.fate == Fate::Sure || batch.commit.is_none_or(|commit| commit > stamp.commit)
            });
            let now = match numbers(store, &Read::as_of(EventTime::MAX).stamp(*stamp)) {
                Ok(now) => now,
                Err(Error::LostCommit { .. }) if !sure => continue,
                Err(error) => panic!("{stamp:?}: {error}"),
            };
            self.check_numbers(&format!("{stamp:?}"), *taken, before, &now);
        }
    }

    /// What was told is told again, but of entities that were erased since.
    fn check_numbers(&self, what: &str, taken: usize, before: &[Answer], now: &[Answer]) {
        // An erase that failed may show itself at any later open.
        let erased = |entity: usize| {
            self.taken.iter().enumerate().any(|(index, erase)| {
                let later = index >= taken || erase.fate == Fate::Open;
                later && matches!(erase.what, What::Entity(it) if it == entity)
            })
        };
        for (entity, (before, now)) in before.iter().zip(now).enumerate() {
            let same = before == now || erased(entity);
            assert!(same, "{what} {}: {before:?}, now {now:?}", ENTITIES[entity]);
        }
    }

    /// All that was written was made durable.
    pub fn synced(&mut self) {
        self.all_sure();
    }

    /// The store was closed without an error: all of it is durable.
    pub fn closed(&mut self) {
        self.all_sure();
        self.held = None;
        self.deeds.add(Deed::Close, 1);
    }

    /// How many batches are surely in the store.
    pub fn sure(&self) -> usize {
        self.batches.iter().filter(|batch| batch.fate == Fate::Sure).count()
    }

    /// The newest commit that was acknowledged.
    pub fn newest(&self) -> Option<Commit> {
        self.newest
    }

    /// How often each thing was done.
    pub fn deeds(&self) -> &Deeds {
        &self.deeds
    }
}

/// The name of a feature without its schema number.
fn plain(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

/// The newest number of each entity, as a read sees it.
fn numbers(store: &Store, read: &Read) -> asofdb::Result<Vec<Answer>> {
    let of = |entity: &&str| match store.read(entity, NUMBER, read) {
        Ok(reading) => Ok(reading.answer),
        Err(Error::UnknownFeature { .. }) => Ok(Answer::Missing),
        Err(error) => Err(error),
    };
    ENTITIES.iter().map(of).collect()
}
