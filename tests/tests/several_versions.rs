//! Versions of long texts, bytes and vectors, many at once: each against the model.
//!
//! A reader of sequences takes the versions of one source in a row where no other source has one between, and of a
//! table those of a whole block. Here versions are enough and long enough to fill some blocks, several have one event
//! time, and now and then another source has one between, or the same one.
//!
//! `ASOFDB_FIRST_SEED=7 ASOFDB_SEEDS=1 cargo test -p asofdb-tests --test several_versions` replays a seed.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use asofdb::{Options, ReadMode, Span};
use asofdb_tests::answer::{Kind, Outcome, Value};
use asofdb_tests::asked::asked;
use asofdb_tests::engine::Engine;
use asofdb_tests::generate::Rng;
use asofdb_tests::model::Model;
use asofdb_tests::program::Step;
use asofdb_tests::question::{self, Definition, Put, Question, Read, Reader};
use asofdb_tests::replay::{Subject, apply};

const SECOND: i64 = 1_000_000;
const START: i64 = 1_700_000_000 * SECOND;
const NAME: &str = "events:last";
const ENTITIES: [&str; 2] = ["ant", "bee"];

struct Trial {
    seed: u64,
    rng: Rng,
    engine: Engine,
    model: Model,
    value_type: &'static str,
    /// Of a text or bytes at the most.
    longest: i64,
    with_kinds: bool,
    with_reverts: bool,
    stamps: Vec<String>,
    versions: usize,
}

impl Trial {
    fn new(seed: u64) -> Trial {
        let mut rng = Rng::new(seed);
        let read_mode = *rng.pick(&[ReadMode::Map, ReadMode::Pread]).unwrap();
        let kept = *rng.pick(&[0, 64 << 10, 32 << 20]).unwrap();
        let options = Options::new().clock_lag(Span::ZERO).read_mode(read_mode);
        let engine = Engine::new(options.block_cache_bytes(kept)).unwrap();
        let value_type = *rng.pick(&["text", "text", "text", "bytes", "vector(40)"]).unwrap();
        let with_reverts = rng.percent(20);
        let (longest, with_kinds) =
            (*rng.pick(&[60, 600, 9_000, 34_000]).unwrap(), rng.percent(30));
        let (model, stamps) = (Model::new(), Vec::new());
        Trial {
            seed,
            rng,
            engine,
            model,
            value_type,
            longest,
            with_kinds,
            with_reverts,
            stamps,
            versions: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        let (ours, theirs) = (apply(step, &mut self.model), apply(step, &mut self.engine));
        assert_eq!(ours, theirs, "seed {}: {step:?}", self.seed);
    }

    fn define(&mut self) {
        let mut some = |chance, longest| {
            let is_there = self.rng.percent(chance);
            is_there.then(|| self.rng.between(1, longest) * SECOND)
        };
        let (ttl, history) = (some(40, 300), some(30, 400));
        let forget_after = some(30, 400).and_then(|after| ttl.map(|_| after));
        let value_type = self.value_type.to_owned();
        let definition = Definition { value_type, ttl, history, forget_after };
        self.step(&Step::Define(NAME.to_owned(), definition));
    }

    /// Values that are alike, as events and profiles are.
    fn value(&mut self) -> Value {
        let drawn = self.rng.number();
        if self.value_type == "vector(40)" {
            let number = |n: u64| (drawn >> (n % 40)) as f32;
            return Value::Other((0..40).flat_map(|n| number(n).to_le_bytes()).collect());
        }
        let len = usize::try_from(self.rng.between(0, self.longest)).unwrap();
        let text = format!("{{\"item\":{drawn},\"café\":\"{}\"}} ", drawn >> 40);
        let mut bytes = text.repeat(len / text.len() + 1).into_bytes();
        // Never within a letter.
        let end = (len..bytes.len()).find(|at| bytes[*at].is_ascii()).unwrap_or(bytes.len());
        bytes.truncate(end);
        Value::Other(bytes)
    }

    /// One batch: some versions of each entity, most of them the newest.
    fn write(&mut self, most: i64) {
        let mut puts = Vec::new();
        for entity in ENTITIES {
            for _ in 0..self.rng.between(0, most) {
                let back = match self.rng.between(1, 10) {
                    1 => self.rng.between(0, 200) * SECOND,
                    2 => self.rng.between(0, 3) * SECOND,
                    _ => self.rng.between(0, 4) * SECOND / 4,
                };
                let kind = match self.rng.between(1, 12) {
                    1 if self.with_kinds => Kind::Null,
                    2 if self.with_kinds => Kind::Deleted,
                    _ => Kind::Value(self.value()),
                };
                let known = self.rng.percent(5).then(|| self.model.now - SECOND);
                let (entity, feature, e) = (entity.into(), NAME.into(), self.model.now - back);
                puts.push(Put { entity, feature, e, known, kind });
            }
        }
        let source = self.rng.percent(15).then(|| "job".to_owned());
        self.step(&Step::Write { puts, source, synced: false });
    }

    fn fill(&mut self) {
        let most = *self.rng.pick(&[1, 3, 20]).unwrap();
        for _ in 0..self.rng.between(5, 200 / most) {
            let now = self.model.now + self.rng.between(1, 3) * SECOND;
            self.step(&Step::Clock(now));
            self.write(most);
            match self.rng.between(1, 40) {
                1 | 2 => self.step(&Step::Flush),
                3 => self.step(&Step::Compact),
                4 => self.step(&Step::Reopen),
                5 if self.with_reverts => self.step(&Step::Revert("job".to_owned())),
                6 if self.with_reverts => self.step(&Step::Erase(ENTITIES[0].into())),
                7 => {
                    let name = format!("stamp-{}", self.stamps.len());
                    self.step(&Step::Stamp(name.clone()));
                    self.stamps.push(name);
                }
                _ => {}
            }
        }
        match self.rng.between(1, 5) {
            1 => {}
            2 => self.step(&Step::Flush),
            _ => self.step(&Step::Compact),
        }
        for _ in 0..self.rng.between(0, 4) {
            self.write(2);
        }
    }

    fn moment(&mut self) -> i64 {
        let times: Vec<i64> = self.model.revisions.iter().map(|revision| revision.e).collect();
        let time = self.rng.pick(&times).copied().unwrap_or(START);
        match self.rng.between(1, 5) {
            1 => self.model.now,
            2 => time - 1,
            3 => self.model.now - self.rng.between(-10, 300) * SECOND,
            _ => time,
        }
    }

    fn read(&mut self) {
        let (from, to) = (self.moment(), self.moment());
        let question = if self.rng.percent(50) {
            Question::Range { from: from.min(to), to: from.max(to) }
        } else {
            Question::LastN { t: to, n: *self.rng.pick(&[0, 1, 2, 10, 50, 1_000]).unwrap() }
        };
        let mut options = question::Options::default();
        if self.rng.percent(15) {
            options.known_at = Some(self.moment());
        }
        if self.rng.percent(15) {
            options.max_age = Some(self.rng.between(1, 100) * SECOND);
        }
        if let Some(name) = self.rng.pick(&self.stamps)
            && self.rng.percent(20)
        {
            options.reader = Reader::Stamp(name.clone());
        }
        let entity = (*self.rng.pick(&ENTITIES).unwrap()).into();
        let read = Read { entity, feature: NAME.to_owned(), question, options };
        // As answers, and as a reader of sequences tells them.
        let (wanted, found) = (self.model.read(&read), Subject::read(&mut self.engine, &read));
        assert_eq!(wanted, found, "seed {}: {read:?}", self.seed);
        self.versions += if let Outcome::Versions(versions) = wanted { versions.len() } else { 0 };
    }
}

#[test]
fn a_version_among_many_differs_from_the_rule() {
    let (first, seeds) =
        (asked("ASOFDB_FIRST_SEED").unwrap_or(0), asked("ASOFDB_SEEDS").unwrap_or(300));
    let (mut versions, mut blocks) = (0, 0);
    for seed in first..first + seeds {
        let mut trial = Trial::new(seed);
        trial.step(&Step::Clock(START));
        trial.define();
        trial.fill();
        for _ in 0..40 {
            trial.read();
        }
        versions += trial.versions;
        blocks += trial.engine.store().metrics().blocks.decompressed;
    }
    println!("{seeds} seeds, {versions} versions, {blocks} blocks");
    assert!(blocks > 0 || seeds < 10, "no version lay in a block");
}
