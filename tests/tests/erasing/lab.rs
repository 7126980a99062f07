//! A store with entities to erase among others that stay: values of every type that are told from
//! all others wherever they lie, in logs, heads, packed columns and compressed blocks.

use std::collections::BTreeMap;
use std::path::Path;

use asofdb::world::World;
use asofdb::world::sim::{Rng, SimWorld};
use asofdb::{
    Batch, Durability, ErasureCertificate, EventTime, FeatureSpec, Options, Read, Span, Store,
    Value, ValueType, inspect,
};

/// When the simulated worlds begin.
pub const BEGIN: EventTime = EventTime(1_700_000_000_000_000);

/// Where the stores of simulated worlds are.
pub const DIR: &str = "/store";

/// The entities that are to be erased.
pub const VICTIMS: [&str; 2] = ["victim-7f3a~ada", "victim-90c1~grace"];

/// Those that stay.
pub const NEIGHBOURS: usize = 24;

const HOUR: i64 = 3_600_000_000;

/// Options under which a few batches fill a memtable, and a few memtables are merged into several
/// tables.
pub fn small(world: World) -> Options {
    Options::new()
        .world(world)
        .identity(Some([7; 32]))
        .max_ahead(None)
        .memtable_bytes(64 << 10)
        .table_bytes(24 << 10)
        .max_recent_tables(4)
        .clock_lag(Span::ZERO)
}

/// A world with an empty, durable directory for the store.
pub fn new_world() -> SimWorld {
    use asofdb::world::disk::Disk as _;
    let sim = SimWorld::new(BEGIN);
    let made = sim.disk.create_dir_all(Path::new(DIR));
    made.and_then(|()| sim.disk.sync_dir(Path::new("/"))).unwrap();
    sim
}

/// Opens the store of a world.
pub fn open(sim: &SimWorld) -> Store {
    Store::open(DIR, small(sim.world())).unwrap()
}

/// Defines a feature of each type.
pub fn define(store: &Store) {
    for (name, value_type) in [
        ("p:count", ValueType::I64),
        ("p:spend", ValueType::F64),
        ("p:share", ValueType::F32),
        ("p:flag", ValueType::Bool),
        ("p:name", ValueType::Text),
        ("p:letter", ValueType::Text),
        ("p:photo", ValueType::Bytes),
        ("p:vector", ValueType::Vector(8)),
    ] {
        store.define(FeatureSpec::new(name, value_type)).unwrap();
    }
}

/// Text that hardly shrinks, with a mark in it that nothing else has.
pub fn text(mark: &str, n: u64, len: usize) -> String {
    let mut rng = Rng::new(n ^ len as u64);
    let mut text = format!("{mark}-{n};");
    while text.len() < len {
        text.push(char::from(b'a' + u8::try_from(rng.below(26)).unwrap()));
    }
    text
}

/// What a version of an entity holds: everything in it tells the mark.
pub fn values(mark: &str, base: i64, n: u64) -> Vec<(&'static str, Value)> {
    let number = base + i64::try_from(n).unwrap();
    let share = number as f32 / 8.0;
    vec![
        ("p:count", Value::I64(number)),
        ("p:spend", Value::F64(number as f64 + 0.25)),
        ("p:share", Value::F32(share)),
        ("p:flag", Value::Bool(n.is_multiple_of(2))),
        ("p:name", text(mark, n, 0).into()),
        ("p:letter", text(mark, n, 700).into()),
        ("p:photo", Value::from(text(mark, n, 90).into_bytes())),
        ("p:vector", Value::from([share; 8].as_slice())),
    ]
}

/// One batch: a version of each of these.
pub fn write(store: &Store, entities: &[(String, &str, i64)], n: u64, durability: Durability) {
    let at = EventTime(BEGIN.0 - 200 * HOUR + i64::try_from(n).unwrap() * HOUR);
    let mut batch = Batch::new();
    for (entity, mark, base) in entities {
        for (feature, value) in values(mark, *base, n) {
            batch.put(entity, feature, at, value);
        }
    }
    store.write(batch, durability).unwrap();
}

/// The victims, each with its mark and the base of its numbers.
pub fn victims(mark: &'static str) -> Vec<(String, &'static str, i64)> {
    let bases = [OLD_BASE, OLD_BASE + 50_000];
    VICTIMS.iter().zip(bases).map(|(entity, base)| ((*entity).to_owned(), mark, base)).collect()
}

/// Where the numbers of the victims begin.
pub const OLD_BASE: i64 = 731_004_000;

/// Where their numbers begin that are written after the erase.
pub const NEW_BASE: i64 = 955_000_000;

/// The mark of what is to go.
pub const OLD: &str = "OLDMARK";

/// The mark of what the victims get afterwards.
pub const NEW: &str = "NEWMARK";

/// Those that stay, with what they have.
pub fn neighbours() -> Vec<(String, &'static str, i64)> {
    (0..NEIGHBOURS).map(|n| (format!("neighbour-{n:02}"), "STAYS", 1_000 * n as i64)).collect()
}

/// Writes versions of all entities: tables of both levels, memtables and logs hold some of each.
pub fn fill(store: &Store, rounds: std::ops::Range<u64>) {
    for n in rounds {
        let neighbours = neighbours();
        let some = if n % 3 == 0 { &neighbours[..8] } else { &neighbours[8..] };
        write(store, some, n, Durability::Buffered);
        write(store, &victims(OLD), n, Durability::Buffered);
        if n % 5 == 4 {
            store.flush().unwrap();
        }
        if n % 20 == 19 {
            store.compact().unwrap();
        }
    }
    store.sync().unwrap();
}

/// What an entity answers, at many moments.
pub fn answers(store: &Store, entity: &str) -> BTreeMap<i64, String> {
    let features = store.select_all();
    let moments = (0..220).step_by(7).map(|n| BEGIN.0 - 205 * HOUR + n * HOUR);
    moments
        .map(|at| {
            let row = store.read_row(entity, &features, &Read::as_of(EventTime(at))).unwrap();
            (at, format!("{:?}", row.answers))
        })
        .collect()
}

/// The store is whole, and as its certificate says.
#[track_caller]
pub fn check_certificate(dir: &Path, world: &World, certificate: &ErasureCertificate) -> u64 {
    let verified = inspect::verify(dir, world, &mut |_, _| {}).unwrap();
    assert!(verified.is_clean(), "{:?}", verified.faults().collect::<Vec<_>>());
    let read = ErasureCertificate::decode(certificate.encode().as_bytes()).unwrap();
    let erased = inspect::verify_erased(dir, world, &read, &mut |_, _| {}).unwrap();
    assert!(erased.faults.is_empty(), "{:?}\n{}", erased.faults, certificate.encode());
    erased.later
}
