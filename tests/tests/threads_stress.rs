//! Readers beside writers, merges, reverts, alters and snapshots: each reader is held against what the writers wrote
//! down, at once by reading again at its stamps, and in the end by the rule itself.
//!
//! Small enough to be run under a checker of memory or of races, which makes it many times slower; `ASOFDB_STRESS`
//! says how many batches each writer writes.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use asofdb::world::sim::Rng;
use asofdb::{
    Alter, Answer, Batch, Commit, Durability, EventTime, FeatureSpec, Options, Read, ReadMode,
    Revert, Row, Selection, Snapshot, Span, Stamp, Store, ValueType,
};
use asofdb_tests::cores::join_all;
// A race checker sees its locks; those of the standard library come compiled without it.
use parking_lot::Mutex;

const FEATURES: [&str; 3] = ["v:a", "v:b", "v:c"];
const ENTITIES: [&str; 3] = ["ant", "bee", "cat"];
const WRITERS: u64 = 2;
const READERS: u64 = 2;

/// How far readers run ahead of writers.
const READS_PER_BATCH: usize = 50;

/// How many reads are held against the rule in the end.
const MOST_OBSERVED: usize = 4_000;

/// What was written, by whom wrote it, after it was told the commit.
#[derive(Debug, Default)]
struct Journal {
    batches: Vec<(Commit, EventTime, i64)>,
    reverts: Vec<(Commit, Commit)>,
    ttls: Vec<(Commit, Option<Span>)>,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Missing,
    Fresh(i64),
    Expired(i64),
}

/// The answers of the first feature, whose TTL is altered, and of the others, which have none: the same for every
/// entity.
type Both = [Seen; 2];

/// What was read, and when.
#[derive(Clone, Copy, Debug)]
struct Observed {
    stamp: Stamp,
    t: EventTime,
    seen: Both,
}

impl Journal {
    /// The answers as of `t`, seen from `s`: the rule, for what this test writes.
    fn answers(&self, t: EventTime, s: Commit) -> Both {
        let is_reverted = |batch: Commit| {
            self.reverts.iter().any(|(revert, reverted)| *revert <= s && *reverted == batch)
        };
        let visible = self.batches.iter().filter(|(commit, event_time, _)| {
            *commit <= s && *event_time <= t && !is_reverted(*commit)
        });
        let Some((_, event_time, number)) = visible.max_by_key(|(commit, e, _)| (*e, *commit))
        else {
            return [Seen::Missing; 2];
        };
        let in_force = self.ttls.iter().filter(|(commit, _)| *commit <= s).max();
        let ttl = in_force.and_then(|(_, ttl)| *ttl);
        let is_stale = ttl.is_some_and(|ttl| t.0 - event_time.0 > ttl.micros());
        let first = if is_stale { Seen::Expired(*number) } else { Seen::Fresh(*number) };
        [first, Seen::Fresh(*number)]
    }

    /// What was written down of a batch.
    fn of(&self, [_, seen]: Both) -> String {
        let (Seen::Fresh(number) | Seen::Expired(number)) = seen else { return String::new() };
        let batch = self.batches.iter().find(|batch| batch.2 == number);
        let reverts: Vec<_> = self
            .reverts
            .iter()
            .filter(|(_, gone)| Some(*gone) == batch.map(|batch| batch.0))
            .collect();
        format!("{batch:?}, reverted {reverts:?}")
    }
}

fn seen(answer: &Answer) -> Seen {
    match answer {
        Answer::Missing => Seen::Missing,
        Answer::Value(value, _) => Seen::Fresh(value.as_i64().unwrap()),
        Answer::Expired(stale, _) => Seen::Expired(stale.stale_value().unwrap().as_i64().unwrap()),
        other => panic!("nobody wrote {other:?}"),
    }
}

/// What all rows say: a batch writes every entity and feature, so that they all say the same.
fn both(rows: &[Row]) -> Both {
    assert_eq!(rows.len(), ENTITIES.len());
    let both = [seen(&rows[0].answers[0]), seen(&rows[0].answers[1])];
    for row in rows {
        assert_eq!(row.answers.len(), FEATURES.len());
        let (first, others) = row.answers.split_first().unwrap();
        let whole = seen(first) == both[0] && others.iter().all(|other| seen(other) == both[1]);
        assert!(whole, "half a batch: {rows:?}");
    }
    both
}

/// Ends the others also when it panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Stress {
    store: Store,
    all: Selection,
    journal: Mutex<Journal>,
    observed: Mutex<Vec<Observed>>,
    held: Mutex<Vec<(Snapshot, EventTime, Both)>>,
    next: AtomicI64,
    reads: AtomicUsize,
    replays: AtomicI64,
    done: AtomicBool,
}

impl Stress {
    fn read(&self, read: &Read) -> (Stamp, Both) {
        let rows = self.store.read_rows(&ENTITIES, &self.all, read).unwrap();
        (rows[0].stamp, both(&rows))
    }

    /// Writes batches, and now and then alters or reverts.
    fn write(&self, rng: &mut Rng, batches: i64) {
        loop {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            if number > batches {
                return;
            }
            let late = i64::try_from(rng.below(3) * rng.below(2_000)).unwrap();
            let at = EventTime(self.store.now().0 - late);
            let mut batch = Batch::new();
            for entity in ENTITIES {
                for feature in FEATURES {
                    batch.put(entity, feature, at, number);
                }
            }
            let synced = rng.percent(5);
            let durability = if synced { Durability::Synced } else { Durability::Buffered };
            let commit = self.store.write(batch, durability).unwrap();
            self.journal.lock().batches.push((commit, at, number));
            match rng.below(60) {
                0 => self.alter(rng),
                1 => self.revert(rng),
                _ => {}
            }
        }
    }

    /// Reads, and reads again what was read before.
    fn read_on(&self, rng: &mut Rng) {
        let _done = Done(&self.done);
        let mut newest = None;
        while !self.done.load(Ordering::SeqCst) {
            // Where threads take turns, as under a checker, readers would leave writers no time.
            let batches = usize::try_from(self.next.load(Ordering::Relaxed)).unwrap();
            if self.reads.load(Ordering::Relaxed) > batches * READS_PER_BATCH {
                std::thread::yield_now();
                continue;
            }
            let now = self.store.now();
            let t = EventTime(now.0 - i64::try_from(rng.below(20_000)).unwrap());
            match rng.below(8) {
                0..=2 => {
                    let (stamp, seen) = self.read(&Read::latest());
                    assert!(newest <= Some(stamp.commit), "commits go back");
                    newest = Some(stamp.commit);
                    self.note(Observed { stamp, t: stamp.now, seen });
                }
                3 | 4 => {
                    let (stamp, seen) = self.read(&Read::as_of(t));
                    self.note(Observed { stamp, t, seen });
                }
                5 => {
                    let snapshot = self.store.snapshot().unwrap();
                    let (stamp, seen) = self.read(&Read::as_of(t).snapshot(&snapshot));
                    assert_eq!(stamp.commit, snapshot.commit());
                    self.note(Observed { stamp, t, seen });
                    let mut held = self.held.lock();
                    if held.len() > 10 {
                        let out = rng.index(held.len());
                        drop(held.swap_remove(out));
                    }
                    held.push((snapshot, t, seen));
                }
                _ => {
                    let old = rng.choose(&self.observed.lock()).copied();
                    if let Some(old) = old {
                        self.read_again(&old);
                    }
                }
            }
        }
    }

    /// Writes down a read; when many are, in place of another one, so that the newest are among them.
    fn note(&self, read: Observed) {
        let mut observed = self.observed.lock();
        let number = self.reads.fetch_add(1, Ordering::Relaxed);
        if observed.len() < MOST_OBSERVED {
            observed.push(read);
        } else {
            observed[number % MOST_OBSERVED] = read;
        }
    }

    fn read_again(&self, old: &Observed) {
        let (_, now) = self.read(&Read::as_of(old.t).stamp(old.stamp));
        assert_eq!(now, old.seen, "{old:?} answers otherwise");
        self.replays.fetch_add(1, Ordering::Relaxed);
    }

    fn alter(&self, rng: &mut Rng) {
        let ttl = Span::from_micros(i64::try_from(rng.below(30_000)).unwrap());
        let ttl = if rng.percent(30) { None } else { ttl };
        // Who alters next is told its own commit.
        let mut journal = self.journal.lock();
        let altered = self.store.alter(FEATURES[0], Alter::new().ttl(ttl)).unwrap();
        journal.ttls.push((altered.since, ttl));
    }

    fn revert(&self, rng: &mut Rng) {
        let mut journal = self.journal.lock();
        let newest = journal.batches.len().saturating_sub(20);
        let batch = rng.choose(&journal.batches[newest..]).map(|batch| batch.0);
        let is_gone = |batch: &Commit| journal.reverts.iter().any(|(_, gone)| gone == batch);
        if let Some(batch) = batch.filter(|batch| !is_gone(batch)) {
            let reverted = self.store.revert(Revert::commits([batch])).unwrap();
            journal.reverts.push((reverted.commit.unwrap(), batch));
        }
    }

    /// Flushes and merges.
    fn shape(&self, rng: &mut Rng) {
        let _done = Done(&self.done);
        while !self.done.load(Ordering::SeqCst) {
            match rng.below(30) {
                0 => self.store.compact().unwrap(),
                1 => self.store.flush().unwrap(),
                2 => self.store.sync().unwrap(),
                _ => std::thread::yield_now(),
            }
        }
    }

    /// Holds all that was read against the rule, and reads it again.
    fn settle(&self) {
        let journal = self.journal.lock();
        let observed = self.observed.lock();
        for old in observed.iter() {
            let right = journal.answers(old.t, old.stamp.commit);
            assert_eq!(right, old.seen, "{old:?} is not the rule's answer: {}", journal.of(right));
            self.read_again(old);
        }
        for (snapshot, t, seen) in self.held.lock().iter() {
            let (_, now) = self.read(&Read::as_of(*t).snapshot(snapshot));
            assert_eq!(now, *seen, "{snapshot:?} answers otherwise");
        }
    }
}

fn stress(seed: u64, read_mode: ReadMode) {
    let asked = std::env::var("ASOFDB_STRESS").ok().and_then(|text| text.parse().ok());
    let batches = asked.unwrap_or(500i64);
    let dir = tempfile::tempdir().unwrap();
    let options = Options::new()
        .memtable_bytes(48 << 10)
        .table_bytes(16 << 10)
        .max_recent_tables(3)
        .max_sealed_memtables(2)
        .clock_lag(Span::ZERO)
        .read_mode(read_mode);
    let store = Store::open(dir.path().join("store"), options).unwrap();
    for feature in FEATURES {
        store.define(FeatureSpec::new(feature, ValueType::I64)).unwrap();
    }
    let stress = Stress {
        all: store.select(&FEATURES).unwrap(),
        store,
        journal: Mutex::default(),
        observed: Mutex::default(),
        held: Mutex::default(),
        next: AtomicI64::new(1),
        reads: AtomicUsize::new(0),
        replays: AtomicI64::new(0),
        done: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let stress = &stress;
        let rng = |salt: u64| Rng::new(seed * 100 + salt);
        let readers =
            (0..READERS).map(|reader| scope.spawn(move || stress.read_on(&mut rng(10 + reader))));
        let readers: Vec<_> = readers.collect();
        let shaper = scope.spawn(move || stress.shape(&mut rng(20)));
        let writers = (0..WRITERS).map(|writer| {
            scope.spawn(move || stress.write(&mut rng(writer), WRITERS as i64 * batches))
        });
        let writers: Vec<_> = writers.collect();
        let written: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        stress.done.store(true, Ordering::SeqCst);
        join_all(readers.into_iter().chain([shaper]));
        written.into_iter().for_each(|written| written.unwrap());
    });
    stress.settle();
    stress.store.compact().unwrap();
    stress.settle();
    stress.store.close().unwrap();
    let journal = stress.journal.into_inner();
    println!(
        "seed {seed}, {read_mode:?}: {} batches, {} reverts, {} alters; {} reads, \
         {} of them held against the rule, {} read again",
        journal.batches.len(),
        journal.reverts.len(),
        journal.ttls.len(),
        stress.reads.into_inner(),
        stress.observed.into_inner().len(),
        stress.replays.into_inner(),
    );
}

#[test]
fn a_read_beside_writers_differs_from_what_they_wrote() {
    stress(1, ReadMode::Map);
}

#[test]
fn a_read_beside_writers_differs_from_what_they_wrote_without_the_map() {
    stress(2, ReadMode::Pread);
}
