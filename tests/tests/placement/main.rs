//! Placement is policy and answers do not depend on it; what depends on it is cost. Here the cost is held to what is
//! promised: garbage goes by the clock alone, unread where all of a file is garbage, what no merge needs to touch is
//! copied as it is, and writers are slowed and stopped at the stated bounds.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod clock;
mod copying;
mod parts;
mod rewrites;
mod room;

use asofdb::world::sim::SimWorld;
use asofdb::{
    Batch, Durability, EventTime, FeatureSpec, Options, Read, Span, Status, Store, ValueType,
};

/// The clock of the simulated worlds at first.
const NOW: i64 = 1_700_000_000_000_000;

const HOUR: i64 = 3_600_000_000;

const ENTITIES: [&str; 4] = ["ant", "bee", "cat", "dog"];

/// History leaves the present at once, and the clock is relied on at once.
fn options(sim: &SimWorld) -> Options {
    Options::new()
        .world(sim.world())
        .identity(Some([7; 32]))
        .clock_lag(Span::ZERO)
        .present_depth(0)
        .table_bytes(1)
}

/// A store with a history of a day of both features, one of them with a TTL of an hour.
fn open(options: Options) -> Store {
    let store = Store::open("/db", options).unwrap();
    let spec = |name| FeatureSpec::new(name, ValueType::I64).history(Span::from_hours(24));
    store.define(spec("v:f")).unwrap();
    store.define(spec("v:ttl").ttl(Span::from_hours(1))).unwrap();
    store
}

/// Writes one version of both features of every entity, at the hour of the clock.
fn write_hour(store: &Store, source: &str) {
    let now = store.now();
    let mut batch = Batch::new();
    batch.source(source);
    for entity in ENTITIES {
        batch.put(entity, "v:f", now, now.0).put(entity, "v:ttl", now, now.0);
    }
    store.write(batch, Durability::Buffered).unwrap();
}

/// What a store answers of both features at a moment.
fn answers(store: &Store, at: i64) -> Vec<(Status, Option<EventTime>)> {
    let mut all = Vec::new();
    for entity in ENTITIES {
        for feature in ["v:f", "v:ttl"] {
            let answer = store.read(entity, feature, &Read::as_of(EventTime(at))).unwrap().answer;
            all.push((answer.status(), answer.event_time()));
        }
    }
    all
}
