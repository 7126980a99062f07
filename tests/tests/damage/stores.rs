//! Small stores that between them hold every kind of file and every part of one, and what they
//! were at earlier points of their lives.
//!
//! | store | what it holds |
//! | --- | --- |
//! | `tables` | closed cleanly: tables of both levels with values of every form, stubs, an erase, reverts, retired and evolved features |
//! | `pages` | closed cleanly: one table of several pages, so that some are read only when they are asked for |
//! | `killed` | a table, sealed logs, and a log that ends with batches that were not synced, an erase among them |
//! | `reopened` | closed cleanly: one log of what an earlier process left, marks, commits that a crash took |
//! | `bare` | closed cleanly: definitions and an erase, and no data |
//! | `numbers` | closed cleanly: entities of numbers alone, side by side in their chunks, with nulls, deletes and what came late |
//! | `large` | killed: tables of many pages, with histories in compressed blocks, and logs too long to be copied |

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use asofdb::world::sim::{CrashPolicy, Rng, SimWorld};
use asofdb::{
    Alter, Batch, Commit, Durability, EventTime, FeatureSpec, KnownTime, Options, Revert, Span,
    Store, Value, ValueType, Vector,
};

use crate::questions::{About, Found, Question};
use crate::tail::Tail;

/// Where the stores are.
pub const DIR: &str = "/db";

/// Files and what is in them.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A store that was made, and is now looked at.
pub struct Lab {
    /// What it is called.
    pub name: &'static str,
    /// How large its files are made.
    pub sizes: Sizes,
    /// Its disk, as another process finds it, and the time.
    pub sim: SimWorld,
    /// Its files, without LOCK.
    pub files: Files,
    /// What they were before.
    pub past: Vec<Files>,
    /// What is asked.
    pub questions: Vec<Question>,
    /// What is right to answer.
    pub right: Vec<Found>,
    /// The newest log, if the store was not closed.
    pub tail: Option<Tail>,
    /// How many operations of the disk the undamaged store takes, in each way to open it.
    pub sound_operations: [OnceCell<u64>; 4],
}

/// How large a store makes memtables and tables.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    memtable: usize,
    table: u64,
    /// Makes the store another one than those beside it.
    id: u8,
}

const fn small_of(id: u8) -> Sizes {
    Sizes { memtable: 16_000, table: 1_500, id }
}

/// Options of a store in a world.
pub fn options(sim: &SimWorld, sizes: Sizes) -> Options {
    Options::new()
        .world(sim.world())
        .identity(Some([sizes.id; 32]))
        .max_ahead(None)
        .memtable_bytes(sizes.memtable)
        .table_bytes(sizes.table)
        .max_recent_tables(100)
        .max_sealed_memtables(8)
        .commit_lease(Span::from_micros(50).unwrap_or(Span::ZERO))
        .clock_lag(Span::ZERO)
}

/// All files of a disk but LOCK.
pub fn files_of(sim: &SimWorld) -> Files {
    let paths = sim.disk.files().into_iter().map(|(path, _)| path);
    let paths = paths.filter(|path| path.file_name().is_some_and(|name| name != "LOCK"));
    paths.map(|path| (path.clone(), sim.disk.read_file(&path).unwrap())).collect()
}

/// The hour `n` of these stores.
fn hour(n: i64) -> EventTime {
    EventTime(1_700_000_000_000_000 + n * 3_600_000_000)
}

/// A store that is being made.
struct Maker {
    sim: SimWorld,
    store: Store,
    sizes: Sizes,
    past: Vec<Files>,
    questions: Vec<Question>,
    /// What the store answered after each batch of its last log.
    states: Vec<Vec<Found>>,
    /// The newest log when the catalog changed last, and how many batches it had.
    floor: (PathBuf, usize),
}

impl Maker {
    fn new(about: &About, sizes: Sizes) -> Self {
        let sim = SimWorld::new(hour(0));
        let store = Store::open(DIR, options(&sim, sizes)).unwrap();
        let questions = about.questions();
        Self {
            sim,
            store,
            sizes,
            past: Vec::new(),
            questions,
            states: Vec::new(),
            floor: Default::default(),
        }
    }

    /// Keeps what the files are now.
    fn keep(&mut self) {
        self.past.push(files_of(&self.sim));
    }

    fn define(&mut self, spec: FeatureSpec) {
        self.store.define(spec).unwrap();
    }

    /// Writes a batch and keeps the files, and the answers if `asked`.
    fn write(&mut self, batch: Batch, durability: Durability, asked: bool) -> Commit {
        let commit = self.store.write(batch, durability).unwrap();
        self.keep();
        if asked {
            self.ask();
        }
        commit
    }

    fn ask(&mut self) {
        self.states.push(self.questions.iter().map(|q| q.ask(&self.store).unwrap()).collect());
    }

    /// The catalog has changed: what was in the newest log before can no longer be lost.
    fn changed(&mut self) {
        self.keep();
        let tail = Tail::new(&files_of(&self.sim), Vec::new(), 0);
        self.floor = (tail.path.clone(), tail.batches());
    }

    /// Closes the store and opens it again.
    fn reopen(&mut self) {
        self.store.close().unwrap();
        self.keep();
        self.store = Store::open(DIR, options(&self.sim, self.sizes)).unwrap();
        self.keep();
    }

    /// The store as it is when its process has ended, cleanly or not.
    fn end(mut self, name: &'static str, closed: bool) -> Lab {
        self.keep();
        self.ask();
        if closed {
            self.store.close().unwrap();
            self.keep();
        }
        let sim = self.sim.after_kill();
        let files = files_of(&sim);
        let right = self.states.last().cloned().unwrap();
        let (log, floor) = self.floor;
        let tail = (!closed).then(|| Tail::new(&files, self.states, floor));
        assert!(tail.as_ref().is_none_or(|tail| tail.path == log), "another log since");
        let (past, questions, sizes) = (self.past, self.questions, self.sizes);
        let sound_operations = Default::default();
        Lab { name, sizes, sim, files, past, questions, right, tail, sound_operations }
    }
}

fn f64_of(n: i64) -> f64 {
    f64::from(i32::try_from(n).unwrap())
}

/// Values of each form that columns have: constant, regular, decimal, irrational, short, long.
fn values(entity: i64, n: i64) -> Vec<(&'static str, Value)> {
    let key = entity * 100 + n;
    #[expect(clippy::cast_possible_truncation, reason = "a value of a narrower type")]
    let half = (f64_of(key) / 4.0) as f32;
    vec![
        ("v:flag", (key % 3 == 0).into()),
        ("v:count", (key * key * 1_000).into()),
        ("v:ratio", half.into()),
        ("v:price", (f64_of(key) / 100.0).into()),
        ("v:noise", f64_of(key + 2).sqrt().into()),
        ("v:name", format!("n{key}").into()),
        ("v:same", vec![7, 0, 255].into()),
        ("v:profile", format!("profile {key} of {entity}; ").repeat(9).into()),
        ("v:vector", Vector::from_slice(&[half, -0.5]).into()),
    ]
}

const TYPES: [(&str, ValueType); 9] = [
    ("v:flag", ValueType::Bool),
    ("v:count", ValueType::I64),
    ("v:ratio", ValueType::F32),
    ("v:price", ValueType::F64),
    ("v:noise", ValueType::F64),
    ("v:name", ValueType::Text),
    ("v:same", ValueType::Bytes),
    ("v:profile", ValueType::Text),
    ("v:vector", ValueType::Vector(2)),
];

const ENTITIES: [&str; 4] = ["ant", "bee", "cat", "gone"];

/// A batch with something for each entity, nulls, deletes and imported rows among it.
fn batch(n: i64, source: Option<&str>) -> Batch {
    let mut batch = Batch::new();
    if let Some(source) = source {
        batch.source(source);
    }
    for (entity, key) in (0..).zip(ENTITIES) {
        for (at, (feature, value)) in (0..).zip(values(entity, n)) {
            match (entity + n + at) % 11 {
                0 => batch.put_null(key, feature, hour(n)),
                1 => batch.delete(key, feature, hour(n)),
                2 if n > 0 => batch.put(key, feature, hour(n), value).known(KnownTime(hour(n).0)),
                _ => batch.put(key, feature, hour(n), value),
            };
        }
    }
    batch
}

fn about(times: std::ops::Range<i64>) -> About {
    About {
        entities: vec!["ant", "bee", "cat", "gone", "nobody"],
        features: TYPES.iter().map(|(name, _)| *name).chain(["v:aged", "v:old", "v:new"]).collect(),
        times: times.map(hour).collect(),
        marks: vec!["offset", "nothing"],
        stamps: Vec::new(),
    }
}

fn define_all(maker: &mut Maker) {
    for (name, value_type) in TYPES {
        maker.define(FeatureSpec::new(name, value_type).describe(name).tag("made", "here"));
    }
    maker.changed();
}

fn tables() -> Lab {
    let mut about = about(0..5);
    about.features.extend(["v:grown", "v:grown@1"]);
    let mut maker = Maker::new(&about, small_of(1));
    define_all(&mut maker);
    let aged = FeatureSpec::new("v:aged", ValueType::Bytes).ttl(Span::from_hours(1));
    maker.define(aged.history(Span::from_hours(5)));
    maker.define(FeatureSpec::new("v:old", ValueType::I64));
    maker.define(FeatureSpec::new("v:grown", ValueType::I64));
    for n in 0..3 {
        maker.sim.clock.set(EventTime(hour(n).0 + 60));
        let mut batch = batch(n, (n == 1).then_some("job"));
        batch.mark("offset", format!("{n}").as_bytes());
        if n < 2 {
            batch.put("ant", "v:aged", hour(n), vec![1; 40]);
        }
        batch.put("bee", "v:old", hour(n), n).put("cat", "v:grown", hour(n), n);
        maker.write(batch, Durability::Buffered, false);
        maker.store.flush().unwrap();
        maker.keep();
    }
    // Now the newest value of v:aged is stale, whatever is read: its bytes are given up.
    maker.sim.clock.set(hour(9));
    maker.store.compact().unwrap();
    maker.keep();
    maker.write(batch(3, Some("bad")), Durability::Synced, false);
    let mut late = Batch::new();
    late.put("bee", "v:count", hour(1), 77).put("dog", "v:name", hour(2), "late");
    maker.write(late, Durability::Synced, false);
    maker.store.flush().unwrap();
    let reverted = maker.write(batch(4, None), Durability::Synced, false);
    maker.store.flush().unwrap();
    maker.store.erase("gone").unwrap();
    maker.changed();
    maker.store.revert(Revert::source("bad")).unwrap();
    maker.changed();
    maker.store.revert(Revert::commits([reverted])).unwrap();
    maker.store.evolve("v:grown", ValueType::Text).unwrap();
    maker.store.retire("v:old").unwrap();
    maker.store.alter("v:name", Alter::new().ttl(Some(Span::from_days(2)))).unwrap();
    maker.changed();
    maker.end("tables", true)
}

/// Bytes that no compression makes shorter.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| rng.next_u64().to_le_bytes()[0]).collect()
}

fn pages() -> Lab {
    let mut maker = Maker::new(&about(0..3), Sizes { table: 1 << 20, ..small_of(2) });
    define_all(&mut maker);
    maker.define(FeatureSpec::new("v:new", ValueType::Bytes));
    for n in 0..3 {
        maker.sim.clock.set(EventTime(hour(n).0 + 60));
        let mut batch = batch(n, Some("job"));
        for (entity, key) in (0..).zip(ENTITIES) {
            batch.put(key, "v:new", hour(n), noise(entity * 10 + n.unsigned_abs(), 700));
        }
        maker.write(batch, Durability::Synced, false);
    }
    maker.store.compact().unwrap();
    maker.end("pages", true)
}

fn killed() -> Lab {
    let mut maker = Maker::new(&about(0..6), small_of(3));
    define_all(&mut maker);
    maker.write(batch(0, None), Durability::Synced, false);
    maker.store.flush().unwrap();
    maker.keep();
    maker.sim.clock.set(hour(6));
    // Each fills a memtable, so that the next write seals its log.
    for n in 1..3 {
        maker.write(batch(n, Some("job")), Durability::Synced, false);
    }
    for n in 3..6 {
        // What was synced, then an erase, then what was synced, then what was not.
        let mut batch = Batch::new();
        batch.put("ant", "v:count", hour(n), n).put("gone", "v:name", hour(n), "x");
        batch.mark("offset", b"17");
        maker.write(batch, Durability::Synced, false);
    }
    maker.store.erase("gone").unwrap();
    maker.changed();
    maker.ask();
    for (n, durability) in [
        (1, Durability::Synced),
        (2, Durability::Synced),
        (3, Durability::Buffered),
        (4, Durability::Buffered),
        (5, Durability::Buffered),
    ] {
        let mut batch = Batch::new();
        batch.put("bee", "v:count", hour(n), n).put("gone", "v:price", hour(n), 0.25);
        if n == 4 {
            batch.mark("offset", b"18").source("tail");
        }
        maker.write(batch, durability, n < 5);
    }
    maker.end("killed", false)
}

fn reopened() -> Lab {
    let mut about = about(0..4);
    let mut maker = Maker::new(&about, small_of(4));
    define_all(&mut maker);
    for n in 0..2 {
        maker.sim.clock.set(EventTime(hour(n).0 + 60));
        let mut batch = batch(n, Some("job"));
        batch.mark("offset", format!("{n}").as_bytes());
        maker.write(batch, Durability::Synced, false);
        about.stamps.push(maker.store.stamp().unwrap());
    }
    maker.reopen();
    maker.sim.clock.set(EventTime(hour(3).0 + 60));
    maker.write(batch(2, Some("job")), Durability::Synced, false);
    maker.write(batch(3, Some("lost")), Durability::Buffered, false);
    about.stamps.push(maker.store.stamp().unwrap());
    let sim = maker.sim.after_power_cut(1, CrashPolicy::STRICT);
    maker.store = Store::open(DIR, options(&sim, maker.sizes)).unwrap();
    maker.sim = sim;
    maker.questions = about.questions();
    maker.sim.clock.set(hour(4));
    maker.store.erase("gone").unwrap();
    maker.changed();
    maker.end("reopened", true)
}

fn bare() -> Lab {
    let mut maker = Maker::new(&about(0..1), small_of(5));
    maker.keep();
    define_all(&mut maker);
    maker.store.erase("gone").unwrap();
    maker.changed();
    maker.end("bare", true)
}

/// Numbers lie side by side in the chunk of an entity that has nothing else.
fn numbers() -> Lab {
    let features = vec!["v:count", "v:price", "v:noise", "v:large"];
    let times = [0, 1, 12, 13, 40].map(hour).to_vec();
    let entities = vec!["ant", "bee", "cat", "nobody"];
    let about = About { entities, features, times, ..About::default() };
    let mut maker = Maker::new(&about, Sizes { table: 1 << 20, ..small_of(7) });
    for (name, value_type) in [
        ("v:count", ValueType::I64),
        ("v:price", ValueType::F64),
        ("v:noise", ValueType::F64),
        ("v:large", ValueType::I64),
    ] {
        maker.define(FeatureSpec::new(name, value_type));
    }
    maker.changed();
    for n in 0..14 {
        maker.sim.clock.set(EventTime(hour(n).0 + 60));
        let mut batch = Batch::new();
        for (entity, key) in (0..).zip(["ant", "bee", "cat"]) {
            let value = entity * 100 + n * n;
            batch.put(key, "v:count", hour(n), value).put(
                key,
                "v:price",
                hour(n),
                f64_of(value) / 100.0,
            );
            batch.put(key, "v:noise", hour(n), f64_of(value + 2).sqrt());
            match (entity, n % 5) {
                (2, 3) => batch.put_null(key, "v:large", hour(n)),
                (2, 4) => batch.delete(key, "v:large", hour(n)),
                _ => batch.put(key, "v:large", hour(n), i64::MAX - value),
            };
        }
        maker.write(batch, Durability::Synced, false);
    }
    let mut late = Batch::new();
    late.put("bee", "v:count", hour(1), 77).put("bee", "v:price", hour(40), 0.5);
    maker.sim.clock.set(hour(41));
    maker.write(late, Durability::Synced, false);
    maker.store.compact().unwrap();
    maker.end("numbers", true)
}

/// Tables of many pages with deep histories, and logs that are too long to be copied.
pub fn large() -> Lab {
    let about = About {
        entities: vec!["e0", "e7", "e31", "gone", "nobody"],
        features: vec!["v:count", "v:price", "v:profile", "v:vector"],
        times: [0, 20, 39, 45].map(hour).to_vec(),
        ..About::default()
    };
    let mut maker = Maker::new(&about, Sizes { memtable: 150_000, table: 60_000, id: 6 });
    for (name, value_type) in &TYPES[..8] {
        maker.define(FeatureSpec::new(*name, *value_type));
    }
    maker.define(FeatureSpec::new("v:vector", ValueType::Vector(1_000)));
    maker.changed();
    maker.sim.clock.set(hour(50));
    for n in 0..46 {
        let mut batch = Batch::new();
        batch.source(if n % 2 == 0 { "even" } else { "odd" });
        // The last batches fill no memtable: they stay in one log.
        for entity in 0..if n > 42 { 6 } else { 40 } {
            let key = if entity == 5 { "gone".to_owned() } else { format!("e{entity}") };
            let text = noise(u64::try_from(entity * 50 + n).unwrap(), 30);
            let text = format!("{text:?} of {key}");
            batch.put(&key, "v:count", hour(n), entity * n);
            batch.put(&key, "v:price", hour(n), f64_of(entity * n) / 100.0);
            if (entity + n) % 9 == 0 {
                batch.put(&key, "v:profile", hour(n), text);
            }
            if n > 40 {
                let many = noise(u64::try_from(entity + n).unwrap(), 1_000);
                let many: Vec<f32> = many.into_iter().map(f32::from).collect();
                batch.put(&key, "v:vector", hour(n), Vector::from_slice(&many));
            }
        }
        maker.store.write(batch, Durability::Synced).unwrap();
        match n {
            30 => maker.store.compact().unwrap(),
            36 | 40 => maker.store.flush().unwrap(),
            _ => {}
        }
        if n == 43 {
            maker.store.erase("gone").unwrap();
            maker.changed();
            maker.states.clear();
            maker.ask();
        } else if n > 43 {
            maker.ask();
        }
    }
    let lab = maker.end("large", false);
    let (newest, _) = crate::tail::newest_log(&lab.files).unwrap();
    let is_sealed = |path: &PathBuf| path != newest && path.to_string_lossy().contains("LOG-");
    let sealed = lab.files.iter().filter(|(path, _)| is_sealed(path));
    let sealed: usize = sealed.map(|(_, bytes)| bytes.len()).sum();
    assert!(sealed > 256 << 10, "an open copies so short logs: {sealed} bytes");
    lab
}

/// All small stores.
pub fn small() -> Vec<Lab> {
    vec![tables(), pages(), killed(), reopened(), bare(), numbers()]
}
