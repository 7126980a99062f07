//! Random stores: what reports say of them is held against the naive count.

use std::collections::{BTreeMap, BTreeSet};

use asofdb::world::sim::SimWorld;
use asofdb::{
    Alter, Batch, EventTime, FeatureFreshness, FeatureSpec, Kind, KnownTime, Records, Revert, Span,
    Store, Value, ValueType,
};

use crate::naive::{Naive, Told, Written};
use crate::{DIR, HOUR, Rng, hours, micros, nearest, new_store, of, options, write};

const FEATURES: [(&str, ValueType, Option<i64>); 4] = [
    ("v:f", ValueType::F64, None),
    ("v:ttl", ValueType::F64, Some(20 * HOUR)),
    ("v:text", ValueType::Text, Some(60 * HOUR)),
    ("v:other", ValueType::Bool, None),
];

struct Run {
    rng: Rng,
    sim: SimWorld,
    store: Store,
    naive: Naive,
    /// Whether a delete was reverted: an estimate then misses what lies below it.
    any_taken: bool,
    compared: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let (sim, store) = new_store();
        let mut naive = Naive::default();
        for (name, value_type, ttl) in FEATURES {
            let mut spec = FeatureSpec::new(name, value_type);
            spec.terms.ttl = ttl.and_then(Span::from_micros);
            store.define(spec).unwrap();
            naive.ttl.insert(name, ttl);
        }
        Self { rng: Rng(seed), sim, store, naive, any_taken: false, compared: 0 }
    }

    fn batch(&mut self) {
        let now = self.store.now().0;
        let mut batch = Batch::new();
        let source = ["a", "b", "c"][usize::try_from(self.rng.below(3)).unwrap()];
        batch.source(source);
        let mut writes: BTreeMap<(String, &'static str, i64), Written> = BTreeMap::new();
        for _ in 0..1 + self.rng.below(12) {
            let (feature, value_type, _) = FEATURES[usize::try_from(self.rng.below(4)).unwrap()];
            let event_time = match self.rng.below(12) {
                0 => self.rng.between(now, now + 20 * HOUR),
                1 => now - 20 * HOUR,
                _ => self.rng.between(now - 100 * HOUR, now + 1),
            };
            let entity = format!("e{}", self.rng.below(12));
            let key = (entity.clone(), feature, event_time);
            if writes.contains_key(&key) {
                continue;
            }
            let number = match value_type {
                ValueType::F64 if self.rng.below(9) == 0 => Some(f64::NAN),
                ValueType::F64 => Some(self.rng.between(-50, 50) as f64),
                _ => None,
            };
            let kind = match self.rng.below(8) {
                0 => Kind::Null,
                1 => Kind::Deleted,
                _ => Kind::Value,
            };
            match (kind, value_type) {
                (Kind::Null, _) => batch.put_null(&entity, feature, EventTime(event_time)),
                (Kind::Deleted, _) => batch.delete(&entity, feature, EventTime(event_time)),
                (_, ValueType::F64) => {
                    batch.put(&entity, feature, EventTime(event_time), number.unwrap())
                }
                (_, ValueType::Text) => {
                    batch.put(&entity, feature, EventTime(event_time), "t".repeat(80))
                }
                _ => batch.put(&entity, feature, EventTime(event_time), true),
            };
            // i64::MAX: the commit.
            let known = if self.rng.below(4) == 0 { now - HOUR } else { i64::MAX };
            if known < i64::MAX {
                batch.known(KnownTime(known));
            }
            let number = number.filter(|number| kind == Kind::Value && !number.is_nan());
            let order = (event_time, known, 0);
            writes.insert(key, Written { entity, feature, order, kind, number, source });
        }
        let commit = write(&self.store, batch).0;
        for (_, mut written) in writes {
            written.order.1 = written.order.1.min(commit);
            written.order.2 = commit;
            self.naive.all.push(written);
        }
    }

    fn step(&mut self) {
        match self.rng.below(20) {
            0 => self.store.flush().unwrap(),
            1 => self.store.compact().unwrap(),
            2 => {
                let entity = format!("e{}", self.rng.below(12));
                let commit = self.store.erase(&entity).unwrap();
                self.naive.erased.insert(entity, commit.0);
                self.any_taken = true;
            }
            3 => {
                let source = ["a", "b", "c"][usize::try_from(self.rng.below(3)).unwrap()];
                // There may be nothing of it, or all of it was reverted before.
                if let Ok(done) = self.store.revert(Revert::source(source)) {
                    self.naive.reverted.push((source, done.commit.unwrap().0));
                    self.any_taken = true;
                }
            }
            4 => {
                let ttl = [None, Some(5), Some(30)][usize::try_from(self.rng.below(3)).unwrap()];
                self.store.alter("v:ttl", Alter::new().ttl(ttl.map(hours))).unwrap();
                self.naive.ttl.insert("v:ttl", ttl.map(|n| i64::from(n) * HOUR));
            }
            5 | 6 => {
                let by = self.rng.between(0, 10 * HOUR);
                self.sim.clock.set(EventTime(self.store.now().0 + by));
            }
            _ => self.batch(),
        }
    }

    fn compare(&mut self, what: &str) {
        let guess = self.store.freshness().unwrap();
        let report = self.store.freshness_exact().unwrap();
        let now = report.stamp.now.0;
        let ahead = self.store.future_dated(usize::MAX).unwrap();
        for (name, _, _) in FEATURES {
            let (told, found) = (self.naive.told(name, now), of(&report.features, name));
            let answers = found.answers.unwrap();
            let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_f64);
            let numbers = number(&found.least).zip(number(&found.greatest));
            let future: BTreeSet<(String, i64)> = ahead
                .iter()
                .filter(|row| row.feature == name)
                .map(|row| (String::from_utf8(row.entity.to_vec()).unwrap(), row.event_time.0))
                .collect();
            assert_eq!(found.future_dated, future.len() as u64, "{what}, {name}");
            let found_told = Told {
                values: answers.values,
                nulls: answers.nulls,
                expired: answers.expired,
                deleted: answers.deleted,
                newest: found.newest_event_time.map(|at| at.0),
                known: found.newest_known_time.map(|at| at.0),
                numbers,
                next_expiry: found.next_expiry.map(|at| at.0),
                future,
            };
            assert_eq!(found_told, told, "{what}, {name}");
            let entities = told.values + told.nulls + told.expired;
            assert_eq!(found.entities, entities, "{what}, {name}");
            let share = |part: u64| (entities > 0).then(|| part as f64 / entities as f64);
            assert_eq!(found.null_share, share(told.nulls), "{what}, {name}");
            assert_eq!(found.expired_share, share(told.expired), "{what}, {name}");
            self.compare_ages(found, now, what);
            self.compare_estimate(of(&guess.features, name), found, what);
            self.compared += 1;
        }
    }

    fn compare_ages(&self, found: &FeatureFreshness, now: i64, what: &str) {
        let ages = self.naive.ages(&found.name, now);
        let Some(told) = found.ages else { return assert!(ages.is_empty(), "{what}") };
        for (told, thousandths) in micros(&told).into_iter().zip([0, 500, 900, 990, 1000]) {
            let wanted = nearest(&ages, thousandths);
            let is_near = told >= wanted && told - wanted <= wanted / 128;
            assert!(is_near, "{what}, {}: {told} of {wanted} at {thousandths}", found.name);
        }
        assert_eq!((told.p0.micros(), told.p100.micros()), (ages[0], ages[ages.len() - 1]));
    }

    /// What holds of an estimate, whatever garbage there is.
    fn compare_estimate(&self, guess: &FeatureFreshness, found: &FeatureFreshness, what: &str) {
        let name = &found.name;
        assert_eq!(guess.records, found.records, "{what}, {name}");
        assert_eq!(guess.answers, None);
        if guess.future_dated == 0 {
            assert_eq!(found.future_dated, 0, "{what}, {name}: 0 is certain");
        }
        if self.any_taken {
            return;
        }
        // Nothing is dropped without a horizon, an erase or a revert.
        let stored = self.naive.all.iter().filter(|written| written.feature == name);
        let stored: Vec<&Written> = stored.collect();
        let count = |kind| stored.iter().filter(|written| written.kind == kind).count() as u64;
        let records = (guess.records.all, guess.records.nulls, guess.records.deletes);
        let all = stored.len() as u64;
        assert_eq!(records, (all, count(Kind::Null), count(Kind::Deleted)), "{what}, {name}");
        let nulls = (all > 0).then(|| count(Kind::Null) as f64 / all as f64);
        assert_eq!(guess.null_share, nulls, "{what}, {name}");
        let known = stored.iter().map(|written| written.order.1).max();
        assert_eq!(guess.newest_known_time.map(|at| at.0), known, "{what}, {name}");
        let numbers = stored.iter().filter_map(|written| written.number);
        let least = numbers.clone().reduce(f64::min);
        assert_eq!(guess.least.as_ref().and_then(Value::as_f64), least, "{what}, {name}");
        let greatest = numbers.reduce(f64::max);
        assert_eq!(guess.greatest.as_ref().and_then(Value::as_f64), greatest, "{what}, {name}");
        assert_eq!(
            guess.future_dated > 0,
            stored.iter().any(|written| { written.order.0 > self.store.now().0 }),
            "{what}, {name}"
        );
        if guess.future_dated == 0 {
            assert!(guess.newest_event_time >= found.newest_event_time, "{what}, {name}");
        }
    }
}

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn an_exact_report_differs_from_a_naive_count() {
    let seeds = match number_of("FRESHNESS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number_of("FRESHNESS_SEEDS").unwrap_or(60),
    };
    let (mut compared, mut stores) = (0, 0);
    for seed in seeds {
        let what =
            format!("FRESHNESS_SEED={seed} cargo test -p asofdb --test freshness naive_count");
        println!("{what}");
        let mut run = Run::new(seed);
        for _ in 0..6 {
            for _ in 0..8 {
                run.step();
            }
            run.compare(&what);
        }
        // The same from a reader's files, and from tables alone.
        run.store.sync().unwrap();
        let reader = Store::open(DIR, options(&run.sim).read_only(true)).unwrap();
        let (mine, theirs) =
            (run.store.freshness_exact().unwrap(), reader.freshness_exact().unwrap());
        let strip = |features: &[FeatureFreshness]| -> Vec<FeatureFreshness> {
            let one = |feature: &FeatureFreshness| {
                let mut feature = feature.clone();
                feature.records = Records::default();
                feature
            };
            features.iter().map(one).collect()
        };
        assert_eq!(strip(&mine.features), strip(&theirs.features), "{what}");
        run.store.compact().unwrap();
        run.compare(&what);
        compared += run.compared;
        stores += 1;
    }
    println!("{compared} features of {stores} stores compared");
}
