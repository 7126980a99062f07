//! How many sources a lookup comes across: measured on entities of the store, as this process
//! opened it.

use asofdb::metrics::ReadMetrics;
use asofdb::{Read, Store};

use crate::error::Result;

/// Entities that are looked up.
const ENTITIES: usize = 1_000;

/// Features that are asked for.
const FEATURES: usize = 64;

/// What looking up some entities counted.
pub struct Lookups {
    /// Features that each was asked for.
    pub features: usize,
    /// What was counted.
    pub reads: ReadMetrics,
}

/// Looks up the newest values of the entities whose hashes are least: a sample, for hashes are
/// spread evenly. `None` if there are no features.
pub fn measure(store: &Store) -> Result<Option<Lookups>> {
    let all = store.select_all();
    let names: Vec<String> =
        all.features().iter().take(FEATURES).map(|feature| feature.versioned_name()).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let some = store.select(&names)?;
    for row in store.scan(&some, &Read::latest(), b"")?.take(ENTITIES) {
        row?;
    }
    Ok(Some(Lookups { features: names.len(), reads: store.metrics().reads }))
}
