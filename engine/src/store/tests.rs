//! What can only be seen beside the state that a store keeps to itself.

use asofdb_format::ids::Span;

use super::*;
use crate::world::sim::SimWorld;

/// A read that pinned the state just before an edit would be judged without the edit and be
/// given a stamp behind it.
#[test]
fn a_pinned_state_is_shown_commits_that_it_does_not_know() {
    let options = Options::new().world(SimWorld::new(EventTime(0)).world());
    let store = Store::open("/store", options).unwrap();
    let keeper = &store.0.keeper;
    let write = |source: &str| {
        let mut batch = Batch::new();
        batch.source(source).put("ant", "v:f", EventTime(0), 1i64);
        store.write(batch, Durability::Buffered).unwrap()
    };
    let pinned_beside = |what: &str, edit: &dyn Fn()| {
        let pinned = keeper.state();
        let before = pinned.visible();
        edit();
        write("first");
        assert_eq!(pinned.visible(), before, "{what}");
        assert!(keeper.state().visible() > before, "{what}");
    };
    let spec = |name| FeatureSpec::new(name, ValueType::I64);
    store.define(spec("v:f")).unwrap();
    write("first");
    pinned_beside("a definition", &|| drop(store.define(spec("v:g")).unwrap()));
    let alter = Alter::new().ttl(Some(Span::MAX));
    pinned_beside("an alter", &|| drop(store.alter("v:f", alter.clone()).unwrap()));
    pinned_beside("another type", &|| drop(store.evolve("v:g", ValueType::F64).unwrap()));
    pinned_beside("a retirement", &|| store.retire("v:g").unwrap());
    pinned_beside("an erase", &|| {
        store.erase("bee").unwrap();
    });
    pinned_beside("a revert", &|| {
        store.revert(Revert::source("first")).unwrap();
    });
    pinned_beside("a new memtable", &|| store.flush().unwrap());
    pinned_beside("a source", &|| {
        write("second");
    });
    let pinned = keeper.state();
    let written = write("second");
    assert_eq!(pinned.visible(), written, "a batch of what is known changes no state");
}

#[test]
fn the_log_of_another_opening_has_no_bytes() {
    let sim = SimWorld::new(EventTime(0));
    let store = Store::open("/store", Options::new().world(sim.world())).unwrap();
    store.define(FeatureSpec::new("v:f", ValueType::I64)).unwrap();
    let mut batch = Batch::new();
    batch.put("ant", "v:f", EventTime(0), 1i64);
    store.write(batch, Durability::Synced).unwrap();
    let (own, mut reading) = (store.stats().log_bytes, Options::new().world(sim.world()));
    reading.read_only = true;
    let beside = Store::open("/store", reading).unwrap();
    assert!(own > 0 && beside.stats().log_bytes >= own, "{own}");
    beside.close().unwrap();
    store.close().unwrap();
}
