//! Item 10: an erased entity, what is written of it afterwards, and what is imported of it afterwards.

use asofdb::world::sim::{CrashPolicy, SimWorld};
use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType};
use asofdb_tests::case::{Case, as_of, last_n, latest, missing, numbers, put, value};

pub fn what_is_written_after_an_erase_is_all_there_is() {
    Case::new()
        .define("g", numbers())
        .clock(100)
        .write([put(10, 1), put(10, 2).feature("g"), put(10, 3).of("b")])
        .clock(200)
        .erase("a")
        .read(latest(), missing())
        .read(as_of(10), missing())
        .read(latest().feature("g"), missing())
        .read(latest().of("b"), value(3).at(10).known(100))
        .clock(300)
        .write([put(20, 4)])
        .read(latest(), value(4).at(20).known(300))
        .read(as_of(19), missing())
        .read(last_n(50, 9), [value(4).at(20).known(300)])
        .read(latest().feature("g"), missing())
        .check();
}

/// The right to be forgotten goes before the replay law.
pub fn an_erase_hides_from_stamps_and_snapshots_too() {
    Case::new()
        .clock(100)
        .write([put(10, 1), put(10, 2).of("b")])
        .stamp("then")
        .snapshot("held")
        .read(latest().stamp("then"), value(1).at(10).known(100))
        .erase("a")
        .read(latest().stamp("then"), missing())
        .read(latest().snapshot("held"), missing())
        .read(as_of(10).snapshot("held"), missing())
        .read(latest().stamp("then").of("b"), value(2).at(10).known(100))
        .read(latest().snapshot("held").of("b"), value(2).at(10).known(100))
        .check();
}

/// An old export, written again with its own times. asofdb cannot know that it is the same: writes after the erase are
/// new data, and their writer answers for them.
pub fn what_is_imported_after_an_erase_is_new_data_however_old_it_says_it_is() {
    Case::new()
        .clock(100)
        .write([put(10, 1), put(20, 2)])
        .clock(200)
        .erase("a")
        .clock(300)
        .write([put(10, 1).known(100)])
        .read(as_of(10), value(1).at(10).known(100))
        .read(latest(), value(1).at(10).known(100))
        .read(as_of(10).known_at(99), missing())
        .check();
}

pub fn an_erase_after_an_erase_takes_what_was_written_in_between() {
    Case::new()
        .clock(100)
        .write([put(10, 1)])
        .erase("a")
        .write([put(20, 2)])
        .read(latest(), value(2).at(20).known(102))
        .erase("a")
        .read(latest(), missing())
        .write([put(5, 3)])
        .read(latest(), value(3).at(5).known(104))
        .check();
}

const SECRET: &[u8] = b"name-of-a-person";

fn open(sim: &SimWorld) -> Store {
    Store::open("/store", Options::new().world(sim.world())).unwrap()
}

/// A store with a batch about one entity, in the log or in a table.
fn with_secret(sim: &SimWorld, flush: bool) -> Store {
    let store = open(sim);
    store.define(FeatureSpec::new("f", ValueType::Text)).unwrap();
    let mut batch = Batch::new();
    batch.put(SECRET, "f", EventTime(10), "the-value-of-it").put("b", "f", EventTime(10), "other");
    store.write(batch, Durability::Synced).unwrap();
    if flush {
        store.flush().unwrap();
    }
    store
}

pub fn an_erase_outlives_a_power_cut() {
    for flush in [false, true] {
        let sim = SimWorld::new(EventTime(1_000));
        with_secret(&sim, flush).erase(SECRET).unwrap();
        for seed in 0..20 {
            let policy = if seed == 0 { CrashPolicy::STRICT } else { CrashPolicy::default() };
            let store = open(&sim.after_power_cut(seed, policy));
            assert_eq!(*store.latest(SECRET, "f").unwrap(), asofdb::Answer::Missing);
            assert_eq!(store.latest("b", "f").unwrap().as_text(), Some("other"));
        }
    }
}

pub fn no_file_holds_an_erased_entity_after_compaction() {
    for flush in [false, true] {
        let sim = SimWorld::new(EventTime(1_000));
        let store = with_secret(&sim, flush);
        let holds = |what: &[u8]| {
            let files = sim.disk.files();
            let held = |path: &std::path::Path| {
                let bytes = sim.disk.read_file(path).unwrap();
                bytes.windows(what.len()).any(|window| window == what)
            };
            files.iter().filter(|(path, _)| held(path)).count()
        };
        assert_ne!(holds(SECRET), 0, "the search finds nothing");
        store.erase(SECRET).unwrap();
        store.compact().unwrap();
        assert_eq!((holds(SECRET), holds(b"the-value-of-it")), (0, 0));
        assert_ne!(holds(b"other"), 0);
    }
}
