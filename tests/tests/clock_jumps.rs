//! A clock that is set wrong and right again within ten minutes has cost nothing: not what compaction did meanwhile,
//! not what was written meanwhile, not an opening in between. Every version that was written is kept here with its
//! commit, and every answer is worked out from them by the rule.
//!
//!     ASOFDB_FIRST_SEED=7 ASOFDB_SEEDS=1 cargo test -p asofdb-tests --test clock_jumps -- --nocapture
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use asofdb::world::sim::SimWorld;
use asofdb::{
    Batch, Durability, Error, EventTime, FeatureSpec, KnownTime, Options, Read, Span, Status,
    Store, ValueType,
};
use asofdb_tests::asked::asked;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;
const START: i64 = 1_700_000_000_000_000;

const HISTORY: i64 = 10 * DAY;
const TTL: i64 = DAY;
const FORGET_AFTER: i64 = 5 * DAY;
const ENTITIES: u64 = 12;
const FEATURES: [&str; 4] = ["v:plain", "v:ttl", "v:forgotten", "v:forever"];

fn span(micros: i64) -> Span {
    Span::from_micros(micros).unwrap()
}

/// One write of a version.
struct Written {
    event_time: i64,
    commit: i64,
    value: i64,
}

#[derive(Debug, Default)]
struct Counts {
    cells: u64,
    passed_over: u64,
    by_status: BTreeMap<String, u64>,
    records: u64,
    dropped: u64,
    unread_tables: u64,
}

/// A store in a simulated world, and all that was written to it.
struct Run {
    sim: SimWorld,
    store: Option<Store>,
    drawn: u64,
    written: BTreeMap<(u64, usize), Vec<Written>>,
    counts: Counts,
}

impl Run {
    fn new(seed: u64) -> Self {
        let sim = SimWorld::new(EventTime(START));
        let mut run = Self {
            sim,
            store: None,
            drawn: seed,
            written: BTreeMap::new(),
            counts: Counts::default(),
        };
        run.open();
        let [plain, ttl, forgotten, forever] =
            FEATURES.map(|name| FeatureSpec::new(name, ValueType::I64));
        let store = run.store();
        store.define(plain.history(span(HISTORY))).unwrap();
        store.define(ttl.history(span(HISTORY)).ttl(span(TTL))).unwrap();
        let forgotten = forgotten.history(span(HISTORY)).ttl(span(TTL));
        store.define(forgotten.forget_after(span(FORGET_AFTER))).unwrap();
        store.define(forever).unwrap();
        run
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.drawn = self.drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        (self.drawn >> 33) % below
    }

    fn now(&self) -> i64 {
        use asofdb::world::clock::Clock;
        self.sim.clock.now().0
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn open(&mut self) {
        let options = Options::new()
            .world(self.sim.world())
            .identity(Some([9; 32]))
            .max_ahead(None)
            .memtable_bytes(60_000)
            .table_bytes(20_000)
            .present_depth(0)
            .max_recent_tables(3);
        self.store = Some(Store::open("/db", options).unwrap());
    }

    /// The store is closed or its process killed, and opened again.
    fn open_again(&mut self) {
        self.note_metrics();
        if self.draw(2) == 0 {
            self.store().sync().unwrap();
            self.sim = self.sim.after_kill();
            self.store = None;
        } else if let Some(store) = self.store.take() {
            store.close().unwrap();
        }
        self.open();
    }

    /// Writes a version of some cells, some of them late by days, some corrected.
    fn write(&mut self, now: i64) {
        let mut batch = Batch::new();
        let mut put = Vec::new();
        for entity in 0..ENTITIES {
            // They rest for two days of five, so that there is something to expire.
            if (now / DAY + entity.cast_signed()) % 5 < 2 {
                continue;
            }
            for (index, feature) in FEATURES.iter().enumerate() {
                let late = if self.draw(10) == 0 { self.draw(4 * 24) } else { 0 };
                let event_time = now - late.cast_signed() * HOUR - self.draw(3).cast_signed();
                let value = self.draw(1 << 30).cast_signed();
                batch.put(entity.to_le_bytes(), feature, EventTime(event_time), value);
                put.push(((entity, index), event_time, value));
            }
        }
        let commit = self.store().write(batch, Durability::Buffered).unwrap().0;
        self.counts.records += put.len() as u64;
        for (cell, event_time, value) in put {
            self.written.entry(cell).or_default().push(Written { event_time, commit, value });
        }
    }

    /// So many days as they should be: writes every six hours, work in the background.
    fn days(&mut self, days: i64) {
        for _ in 0..days * 4 {
            self.write(self.now());
            self.sim.clock.advance(span(6 * HOUR));
            self.sim.scheduler.step_all();
        }
    }

    /// Nine minutes in which all kinds of work are done, on a clock that shows what it shows.
    fn nine_minutes(&mut self, event_time: i64) {
        for minute in 0..9 {
            self.sim.clock.advance(span(60_000_000));
            if minute % 3 == 0 {
                self.write(event_time + minute);
            }
            if minute % 4 == 1 {
                self.store().flush().unwrap();
                self.store().compact().unwrap();
            }
            self.sim.scheduler.step_all();
        }
    }

    fn note_metrics(&mut self) {
        let metrics = self.store().metrics();
        self.counts.unread_tables += metrics.compactions.unread_tables;
        self.counts.dropped += metrics.compactions.dropped_records;
    }

    /// Reads cells at random moments from one to another, known by random ones of them, and compares
    /// each with what was written. What was forgotten by `forgotten` or may have been is passed over.
    fn check(&mut self, from: i64, to: i64, forgotten: i64) {
        for _ in 0..400 {
            let (entity, index) = (self.draw(ENTITIES), self.draw(4) as usize);
            let width = (to - from).unsigned_abs() + 1;
            let t = if self.draw(4) == 0 { to } else { from + self.draw(width).cast_signed() };
            let known = (self.draw(3) == 0).then(|| from + self.draw(width).cast_signed());
            let of = self.written.get(&(entity, index)).map_or(&[][..], Vec::as_slice);
            let seen = of
                .iter()
                .filter(|one| one.event_time <= t && known.is_none_or(|known| one.commit <= known));
            let expected = seen.max_by_key(|one| (one.event_time, one.commit));
            let feature = FEATURES.get(index).copied().unwrap();
            if feature == "v:forgotten" && expected.is_none_or(|one| one.event_time < forgotten) {
                self.counts.passed_over += 1;
                continue;
            }
            let status = match expected {
                None => Status::Missing,
                Some(one) if index.is_multiple_of(3) || t - one.event_time <= TTL => {
                    assert!(one.event_time <= t);
                    Status::Value
                }
                Some(_) => Status::Expired,
            };
            let read = Read::as_of(EventTime(t));
            let read = match known {
                None => read,
                Some(known) => read.known_at(KnownTime(known)),
            };
            let what = format!("{entity} {feature} as of {t} known at {known:?}");
            let found = self.store().read(entity.to_le_bytes(), feature, &read);
            let found = found.unwrap_or_else(|error| panic!("{what}: {error}")).answer;
            assert_eq!(found.status(), status, "{what}: {found:?}");
            assert_eq!(
                found.event_time().map(|at| at.0),
                expected.map(|one| one.event_time),
                "{what}"
            );
            if status == Status::Value {
                assert_eq!(found.as_i64(), expected.map(|one| one.value), "{what}");
            }
            self.counts.cells += 1;
            *self.counts.by_status.entry(format!("{status:?}")).or_default() += 1;
        }
    }

    /// All that is legal on a clock that shows the right time.
    fn check_all(&mut self) {
        let now = self.now();
        self.check(now - HISTORY, now, now - HISTORY - FORGET_AFTER);
    }
}

fn seeds() -> std::ops::Range<u64> {
    let first = asked("ASOFDB_FIRST_SEED").unwrap_or(1);
    first..first + asked("ASOFDB_SEEDS").unwrap_or(10)
}

fn told(seed: u64, run: &mut Run) {
    run.note_metrics();
    println!("seed {seed}: {:?}", run.counts);
    println!(
        "replay: ASOFDB_FIRST_SEED={seed} ASOFDB_SEEDS=1 cargo test -p asofdb-tests --test clock_jumps"
    );
}

#[test]
fn a_clock_a_year_ahead_for_nine_minutes_costs_a_version() {
    for seed in seeds() {
        let mut run = Run::new(seed);
        run.days(20);
        run.check_all();
        for _ in 0..3 {
            let right = run.now();
            run.sim.clock.set(EventTime(right + YEAR));
            run.nine_minutes(right);
            // Meanwhile what the clock shows is what reads go by.
            let ahead = run.now();
            run.check(ahead - HISTORY, ahead, ahead - HISTORY - FORGET_AFTER);
            run.sim.clock.set(EventTime(right + 9 * 60_000_000));
            run.check_all();
            run.store().compact().unwrap();
            run.check_all();
            run.open_again();
            run.check_all();
            run.days(2);
            run.check_all();
        }
        told(seed, &mut run);
        assert!(run.counts.dropped > 0, "nothing became garbage");
    }
}

#[test]
fn a_clock_a_year_behind_costs_a_version_or_brings_a_refusal() {
    for seed in seeds() {
        let mut run = Run::new(seed);
        run.days(20);
        for _ in 0..3 {
            let right = run.now();
            let forgotten = right - HISTORY - FORGET_AFTER;
            run.sim.clock.set(EventTime(right - YEAR));
            run.nine_minutes(right);
            // Bounds do not fall with the clock, and what was legal stays so.
            run.check(right - HISTORY, right, forgotten);
            run.open_again();
            run.nine_minutes(right + 10);
            run.check(right - HISTORY, right, forgotten);
            run.sim.clock.set(EventTime(right + 9 * 60_000_000));
            run.check_all();
            run.open_again();
            run.days(2);
            run.check_all();
        }
        told(seed, &mut run);
        assert!(run.counts.dropped > 0, "nothing became garbage");
    }
}

/// As when a machine comes up before it has been told the time. Once a run: from what is written meanwhile on, commits
/// stand ahead, and tell an opening nothing any more.
#[test]
fn a_clock_a_year_ahead_at_an_opening_costs_a_version() {
    for seed in seeds() {
        let mut run = Run::new(seed);
        run.days(20);
        let right = run.now();
        run.sim.clock.set(EventTime(right + YEAR));
        run.open_again();
        run.nine_minutes(right);
        run.sim.clock.set(EventTime(right + 9 * 60_000_000));
        run.check_all();
        run.store().compact().unwrap();
        run.open_again();
        run.check_all();
        run.days(2);
        run.check_all();
        told(seed, &mut run);
    }
}

#[test]
fn a_clock_that_stays_ahead_is_not_believed_ever() {
    let mut run = Run::new(1);
    run.days(20);
    let right = run.now();
    run.sim.clock.set(EventTime(right + YEAR));
    run.nine_minutes(right);
    run.nine_minutes(right + 10);
    run.store().compact().unwrap();
    run.sim.clock.set(EventTime(right + 18 * 60_000_000));
    let found = run.store().as_of(0u64.to_le_bytes(), "v:plain", EventTime(right));
    assert!(matches!(found, Err(Error::BelowHorizon { .. })), "{found:?}");
    told(1, &mut run);
}
