//! How far the percentiles of an estimate are from the true ones.

use asofdb::{Batch, EventTime, FeatureSpec, Store, ValueType};

use crate::{HOUR, Rng, START, estimate, exact, hours, micros, nearest, new_store, write};

/// A feature of many entities with random event times in some tables, each entity in one.
fn spread(seed: u64, entities: u64, tables: u64) -> (Store, Vec<i64>) {
    let (sim, store) = new_store();
    store.define(FeatureSpec::new("v:f", ValueType::F64).ttl(hours(40))).unwrap();
    let now = START + HOUR;
    let mut rng = Rng(seed);
    let mut ages = Vec::new();
    for table in 0..tables {
        let mut batch = Batch::new();
        for entity in (0..entities).filter(|entity| entity % tables == table) {
            // Most are young, and a few are old.
            let age = rng.between(1, 30 * HOUR) / (1 + rng.below(50).cast_signed());
            let age = if rng.below(40) == 0 { age + 100 * HOUR } else { age };
            ages.push(age);
            batch.put(format!("e{entity}"), "v:f", EventTime(now - age), 1.0);
        }
        write(&store, batch);
        store.flush().unwrap();
    }
    sim.clock.set(EventTime(now));
    ages.sort_unstable();
    (store, ages)
}

#[test]
fn a_percentile_of_an_estimate_is_off_by_more_than_its_points() {
    let mut checked = 0;
    for (seed, (entities, tables)) in
        [(1, 1), (2, 1), (20, 1), (33, 1), (34, 1), (200, 1), (3000, 1), (90, 3), (4000, 7)]
            .into_iter()
            .enumerate()
    {
        let (store, ages) = spread(seed as u64, entities, tables);
        let what = format!("{entities} entities in {tables} tables");
        let guess = estimate(&store, "v:f");
        assert_eq!(guess.entities, entities, "{what}");
        let told = guess.ages.unwrap();
        for (told, thousandths) in micros(&told).into_iter().zip([0, 500, 900, 990, 1000]) {
            let least = nearest(&ages, thousandths);
            // One in twenty, one in a hundred at the old end, and a rank for each table.
            let off = if thousandths >= 950 { 10 } else { 50 };
            let off = off + usize::try_from((1000 * (tables + 1)).div_ceil(entities)).unwrap();
            let greatest = nearest(&ages, (thousandths + off).min(1000));
            let is_near = least <= told && told <= greatest;
            assert!(is_near, "{what}: {told} at {thousandths}, of {least} to {greatest}");
            checked += 1;
        }
        assert_eq!((told.p0.micros(), told.p100.micros()), (ages[0], ages[ages.len() - 1]));
        let expired = ages.iter().filter(|age| **age > 40 * HOUR).count() as f64;
        let share = guess.expired_share.unwrap() - expired / entities as f64;
        let most = 0.05 + (tables + 1) as f64 / entities as f64;
        assert!((0.0..=most).contains(&share), "{what}: {share} more are told expired");
        let found = exact(&store, "v:f");
        assert_eq!(found.entities, guess.entities);
        assert!(guess.next_expiry >= found.next_expiry, "{what}");
        assert_eq!(guess.newest_event_time, found.newest_event_time, "{what}");
        // A merge brings the tables together, and neither report is any worse.
        store.compact().unwrap();
        assert_eq!(exact(&store, "v:f").answers, found.answers, "{what}");
        assert_eq!(estimate(&store, "v:f").entities, entities, "{what}");
    }
    println!("{checked} percentiles checked");
}
