//! What a store counts and tells of its own work is what happened: counts against naive ones on stores whose layout
//! is known, events against what was done.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod blocks;
mod counts;
mod events;
mod levels;

use asofdb::world::sim::SimWorld;
use asofdb::{Batch, Commit, Durability, EventTime, FeatureSpec, Options, Span, Store, ValueType};

/// The clock of the simulated worlds at first.
const NOW: i64 = 1_700_000_000_000_000;

/// Nothing is flushed or merged unless a test says so.
fn options(sim: &SimWorld) -> Options {
    Options::new()
        .world(sim.world())
        .identity(Some([7; 32]))
        .max_ahead(None)
        .clock_lag(Span::ZERO)
        .max_recent_tables(usize::MAX)
}

fn open(options: Options) -> Store {
    let store = Store::open("/db", options).unwrap();
    for name in ["v:f", "v:g"] {
        store.define(FeatureSpec::new(name, ValueType::I64)).unwrap();
    }
    store
}

fn put(store: &Store, entities: &[&str], at: i64) -> Commit {
    let mut batch = Batch::new();
    for entity in entities {
        batch.put(entity, "v:f", EventTime(at), at);
    }
    store.write(batch, Durability::Buffered).unwrap()
}

/// The length of all files of a kind on the simulated disk.
fn on_disk(sim: &SimWorld, prefix: &str) -> u64 {
    let files = sim.disk.files();
    let of_kind = files
        .iter()
        .filter(|(path, _)| path.file_name().unwrap().to_string_lossy().starts_with(prefix));
    of_kind.map(|(_, len)| len).sum()
}
