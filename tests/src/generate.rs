//! A generator of random programs over every operation.
//!
//! Times are few and collide on purpose: whole seconds around the clock, the bounds, the times already written and
//! the moments at which they expire, often off by one microsecond. So the edges of every rule are hit.
//!
//! Invariants:
//! - a seed gives the same program for ever, on every machine;
//! - the generator runs a model beside the program, but only to choose what to ask, never to leave a refusal out:
//!   illegal reads and reverts are part of a program.

use crate::answer::{Kind, Value};
use crate::model::{Model, Wide};
use crate::program::Step;
use crate::question::{Crash, Definition, Options, Put, Question, Read, Reader};
use crate::replay::apply;

const SECOND: i64 = 1_000_000;
const NAMES: [&str; 3] = ["v:f0", "v:f1", "w:g"];
const ENTITIES: [&str; 4] = ["a", "ab", "b", "\u{0}é"];

/// Random numbers: splitmix64.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both possible.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let count = high.abs_diff(low).saturating_add(1);
        low.saturating_add_unsigned(self.number() % count)
    }

    /// Yes in so many of a hundred cases.
    pub fn percent(&mut self, chance: i64) -> bool {
        self.between(1, 100) <= chance
    }

    /// One of a list, unless it is empty.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let last = i64::try_from(list.len()).ok()? - 1;
        if last < 0 {
            return None;
        }
        usize::try_from(self.between(0, last)).ok().and_then(|place| list.get(place))
    }
}

/// What a program may hold beyond what every program does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// The clock may step back by some seconds. What an engine recorded for compaction by then is its own affair, so a
    /// subject must hold back its recorded bounds by as much for its answers to be comparable.
    pub clock_steps_back: bool,
    /// Only steps of the kinds that the conformance programs have.
    pub only_conformance_steps: bool,
    /// Crashes, synced writes, reverts of batches and every type of value too.
    pub every_operation: bool,
    /// The clock is set ahead or back by up to a year, and right again within minutes. A subject must
    /// not rely on what the clock says before it has said so for longer.
    pub clock_jumps: bool,
}

/// The steps of the program of a seed.
pub fn generate(seed: u64, settings: Settings) -> Vec<Step> {
    let mut rng = Rng::new(seed);
    // Around the epoch e is negative; far from it no time fits into 32 bits.
    let start = if rng.percent(15) { 0 } else { 1_700_000_000 * SECOND };
    let mut generator = Generator {
        rng,
        settings,
        model: Model::new(),
        steps: Vec::new(),
        names_used: 0,
        jump: None,
    };
    generator.push(Step::Clock(start));
    let features = generator.rng.between(1, 3);
    for name in NAMES.iter().take(usize::try_from(features).unwrap_or(1)) {
        generator.move_clock();
        let definition = generator.definition(None);
        generator.push(Step::Define((*name).to_owned(), definition));
    }
    let length = generator.rng.between(20, 160);
    for _ in 0..length {
        generator.step();
    }
    generator.steps
}

struct Generator {
    rng: Rng,
    settings: Settings,
    model: Model,
    steps: Vec<Step>,
    names_used: u32,
    /// While the clock is wrong: what it said before, and what it was set to.
    jump: Option<(i64, i64)>,
}

impl Generator {
    fn push(&mut self, step: Step) {
        // The outcome is not needed here; what is refused changes nothing in the model.
        let _ = apply(&step, &mut self.model);
        self.steps.push(step);
    }

    fn step(&mut self) {
        if self.settings.every_operation && self.rng.percent(6) {
            self.rare_step();
            return;
        }
        if self.settings.clock_jumps && self.rng.percent(4) {
            self.jump();
            return;
        }
        match self.rng.between(1, 100) {
            1..=22 => self.move_clock(),
            23..=42 => self.write(),
            43..=46 => self.push(Step::Flush),
            47..=50 => self.push(Step::Compact),
            // A store that is opened while the clock is wrong takes it for right.
            51 if self.jump.is_some() => self.set_right(),
            51 => self.push(Step::Reopen),
            52..=54 => {
                let name = self.new_name("snapshot");
                self.push(Step::Snapshot(name));
            }
            55..=57 => {
                let name = self.new_name("stamp");
                self.push(Step::Stamp(name));
            }
            58 => self.release(),
            59 => {
                let entity = self.entity();
                self.push(Step::Erase(entity));
            }
            60..=61 => self.revert(),
            62..=64 => self.alter(),
            65 => self.change_catalog(),
            _ => self.read(),
        }
    }

    fn rare_step(&mut self) {
        match self.rng.between(1, 10) {
            1..=3 => self.crash(),
            4 | 5 => self.push(Step::Sync),
            6..=8 => self.revert_batches(),
            _ => {
                let step = if self.rng.percent(50) { Step::Flush } else { Step::Compact };
                self.push(step);
                self.look_around(12);
            }
        }
    }

    fn crash(&mut self) {
        self.set_right();
        let percent = [0, 10, 50, 90, 100];
        let crash = if self.rng.percent(25) {
            Crash::Kill
        } else {
            Crash::PowerCut {
                names: self.rng.pick(&percent).copied().unwrap_or(50),
                data: self.rng.pick(&percent).copied().unwrap_or(50),
                seed: self.rng.number() >> 1,
            }
        };
        self.push(Step::Crash(crash));
        self.look_around(25);
    }

    fn look_around(&mut self, reads: usize) {
        for _ in 0..reads {
            self.read();
        }
    }

    fn jump(&mut self) {
        if self.jump.is_some() {
            return self.set_right();
        }
        let far = self.rng.between(1, 365 * 86_400) * SECOND;
        let to = self.model.now + if self.rng.percent(60) { far } else { -far };
        self.jump = Some((self.model.now, to));
        self.push(Step::Clock(to));
    }

    fn set_right(&mut self) {
        if let Some((before, wrong)) = self.jump.take() {
            self.push(Step::Clock(before + (self.model.now - wrong)));
        }
    }

    fn revert_batches(&mut self) {
        let count = self.model.batches.len();
        let newest: Vec<usize> = (count.saturating_sub(5)..count).collect();
        let mut places = Vec::new();
        for _ in 0..self.rng.between(1, 2) {
            places.extend(self.rng.pick(&newest));
        }
        if !places.is_empty() {
            self.push(Step::RevertBatches(places));
        }
    }

    fn new_name(&mut self, what: &str) -> String {
        self.names_used += 1;
        format!("{what}-{}", self.names_used)
    }

    fn move_clock(&mut self) {
        let forward = match self.rng.between(1, 20) {
            1 => 0,
            2 => 1,
            3 => 60 * SECOND,
            4 if self.settings.clock_steps_back => -self.rng.between(0, 6) * SECOND,
            _ => self.rng.between(1, 8) * SECOND,
        };
        self.push(Step::Clock(self.model.now + forward));
        let too_long = |(_, wrong): (i64, i64)| self.model.now - wrong > 300 * SECOND;
        if self.jump.is_some_and(too_long) {
            self.set_right();
        }
    }

    fn off_by_one(&mut self) -> i64 {
        if self.rng.percent(30) { self.rng.between(-1, 1) } else { 0 }
    }

    fn duration(&mut self, longest: i64) -> i64 {
        if self.rng.percent(12) {
            return 0;
        }
        self.rng.between(1, longest) * SECOND + self.off_by_one()
    }

    fn maybe_duration(&mut self, chance: i64, longest: i64) -> Option<i64> {
        self.rng.percent(chance).then(|| self.duration(longest))
    }

    fn definition(&mut self, same_type: Option<String>) -> Definition {
        let types = ["i64", "i64", "i64", "text", "bytes"];
        let all = ["i64", "text", "bytes", "bool", "f32", "f64", "vector(2)"];
        let free = match self.settings {
            Settings { only_conformance_steps: true, .. } => None,
            Settings { every_operation: true, .. } => self.rng.pick(&all),
            _ => self.rng.pick(&types),
        };
        let value_type = same_type.unwrap_or_else(|| (*free.unwrap_or(&"i64")).to_owned());
        let ttl = self.maybe_duration(75, 12);
        let history = self.maybe_duration(70, 12);
        let forget_after = ttl.and_then(|_| self.maybe_duration(60, 25));
        Definition { value_type, ttl, history, forget_after }
    }

    fn entity(&mut self) -> Vec<u8> {
        // Most steps are about one entity, so that they meet.
        let few = if self.rng.percent(70) { &ENTITIES[..1] } else { &ENTITIES[..] };
        self.rng.pick(few).map(|entity| entity.as_bytes().to_vec()).unwrap_or_default()
    }

    /// The name of a feature, sometimes by schema, rarely of none.
    fn feature(&mut self) -> String {
        if !self.settings.only_conformance_steps && self.rng.percent(2) {
            return "no:such".to_owned();
        }
        let mut names: Vec<String> = Vec::new();
        for column in &self.model.columns {
            names.push(column.name.clone());
            if column.schema > 1 {
                names.push(format!("{}@{}", column.name, column.schema - 1));
            }
        }
        self.rng.pick(&names).cloned().unwrap_or_else(|| "no:such".to_owned())
    }

    /// A time at which something may change for the feature.
    fn time(&mut self, feature: &str) -> i64 {
        let now = self.model.now;
        let mut times = vec![now, now, now];
        if let Ok((index, column)) = self.model.resolve(feature, self.model.last_commit()) {
            let bounds = self.model.bounds(index);
            for bound in [bounds.horizon, bounds.stale, bounds.forgotten] {
                times.extend(bound.and_then(|bound: Wide| i64::try_from(bound).ok()));
            }
            let ttl = column.newest_definition().ttl;
            let written = self.model.revisions.iter().rev();
            for revision in written.filter(|revision| revision.column == index).take(4) {
                times.extend([revision.e, revision.known, revision.e + ttl.unwrap_or(SECOND)]);
            }
        }
        let time = match self.rng.between(1, 3) {
            1 => now + self.rng.between(-20, 5) * SECOND,
            _ => self.rng.pick(&times).copied().unwrap_or(now),
        };
        time + self.off_by_one()
    }

    fn write(&mut self) {
        let mut puts: Vec<Put> = Vec::new();
        for _ in 0..self.rng.between(1, 4) {
            let feature = self.feature();
            let e = match puts.last() {
                // Two puts of one version in one batch: the later one stands.
                Some(last) if self.rng.percent(15) => last.e,
                _ => self.time(&feature),
            };
            let entity = self.entity();
            let known = self.known(&feature);
            let kind = self.kind(&feature);
            puts.push(Put { entity, feature, e, known, kind });
        }
        // A source labels a handful of neighbouring batches, so that some can still be reverted.
        let job = self.model.batches.len() / 5;
        let source = self.rng.percent(60).then(|| format!("job-{job}"));
        let synced = self.settings.every_operation && self.rng.percent(30);
        self.push(Step::Write { puts, source, synced });
    }

    fn known(&mut self, feature: &str) -> Option<i64> {
        if !self.rng.percent(25) {
            return None;
        }
        let known = self.time(feature);
        let illegal = !self.settings.only_conformance_steps && self.rng.percent(3);
        Some(if illegal { known } else { known.min(self.model.now) })
    }

    fn kind(&mut self, feature: &str) -> Kind {
        match self.rng.between(1, 10) {
            1 => Kind::Null,
            2 | 3 => Kind::Deleted,
            _ => {
                let number = self.rng.between(-1000, 1000);
                let column = self.model.resolve(feature, self.model.last_commit());
                let value_type =
                    column.map(|(_, column)| column.newest_definition().value_type.as_str());
                Kind::Value(match value_type {
                    Ok("i64") => Value::I64(number),
                    Ok("bool") => Value::Other((number > 0).to_string().into_bytes()),
                    Ok("f32" | "f64") => Value::Other(format!("{number}.25").into_bytes()),
                    Ok("vector(2)") => Value::Other(format!("{number}.5 0.5").into_bytes()),
                    _ => self.text(number),
                })
            }
        }
    }

    /// Text, now and then too long for the place where short values lie.
    fn text(&mut self, number: i64) -> Value {
        let mut text = format!("value {number}");
        if self.settings.every_operation && self.rng.percent(20) {
            let words = usize::try_from(self.rng.between(5, 60)).unwrap_or(5);
            text.push_str(&format!(" of {number}").repeat(words));
        }
        Value::Other(text.into_bytes())
    }

    fn release(&mut self) {
        let held: Vec<String> = self.model.snapshots.keys().cloned().collect();
        if let Some(name) = self.rng.pick(&held).cloned() {
            self.push(Step::Release(name));
        }
    }

    fn revert(&mut self) {
        let is_taken =
            |commit: &i64| self.model.reverts.iter().any(|revert| revert.batches.contains(commit));
        let left = self.model.batches.iter().filter(|batch| !is_taken(&batch.commit));
        let sources: Vec<String> = left.filter_map(|batch| batch.source.clone()).collect();
        // The newest sources are the ones that can be reverted most often.
        let newest = sources.get(sources.len().saturating_sub(6)..).unwrap_or_default();
        if let Some(source) = self.rng.pick(newest).cloned() {
            self.push(Step::Revert(source));
        }
    }

    fn alter(&mut self) {
        let feature = self.feature();
        let column = self.model.resolve(&feature, self.model.last_commit());
        let same_type =
            column.map(|(_, column)| column.newest_definition().value_type.clone()).ok();
        let definition = self.definition(same_type);
        self.push(Step::Alter(feature, definition));
    }

    fn change_catalog(&mut self) {
        if self.settings.only_conformance_steps {
            return;
        }
        let name = self.rng.pick(&NAMES).map(|name| (*name).to_owned()).unwrap_or_default();
        let definition = self.definition(None);
        let step = match self.rng.between(1, 5) {
            1 | 2 => Step::Evolve(name, definition),
            // What is recorded of a retired feature cannot be asked for while the clock is wrong.
            3 if !self.settings.clock_jumps => Step::Retire(name),
            _ => Step::Define(name, definition),
        };
        self.push(step);
    }

    fn reader(&mut self) -> Reader {
        let held: Vec<String> = self.model.snapshots.keys().cloned().collect();
        let stamps: Vec<String> = self.model.stamps.keys().cloned().collect();
        let chosen = match self.rng.between(1, 10) {
            1 | 2 => self.rng.pick(&held).cloned().map(Reader::Snapshot),
            3 | 4 => {
                // Old stamps are below the horizon for good, so the newest are asked most.
                let newest = stamps.get(stamps.len().saturating_sub(2)..).unwrap_or_default();
                let from = if self.rng.percent(70) { newest } else { &stamps };
                self.rng.pick(from).cloned().map(Reader::Stamp)
            }
            _ => None,
        };
        chosen.unwrap_or_default()
    }

    /// A time to read at: mostly legal, sometimes not.
    fn time_to_read(&mut self, feature: &str) -> i64 {
        let time = self.time(feature);
        let column = self.model.resolve(feature, self.model.last_commit());
        let bounds = column.map(|(index, _)| self.model.bounds(index)).unwrap_or_default();
        let horizon = bounds.horizon.and_then(|horizon| i64::try_from(horizon).ok());
        let illegal = horizon.is_some_and(|horizon| time < horizon);
        if illegal && self.rng.percent(80) { horizon.unwrap_or(time) } else { time }
    }

    fn read(&mut self) {
        let feature = self.feature();
        let (t, other) = (self.time_to_read(&feature), self.time_to_read(&feature));
        let question = match self.rng.between(1, 10) {
            1..=3 => Question::Latest,
            4..=7 => Question::AsOf(t),
            8 => Question::Range { from: t.min(other), to: t.max(other) },
            _ => Question::LastN { t, n: usize::try_from(self.rng.between(1, 4)).unwrap_or(1) },
        };
        let one_cell = matches!(question, Question::Latest | Question::AsOf(_));
        let may_have_options =
            !self.settings.only_conformance_steps || matches!(question, Question::AsOf(_));
        let mut options = Options::default();
        if may_have_options {
            options.known_at = self.rng.percent(25).then(|| self.time_to_read(&feature));
            options.before = one_cell && self.rng.percent(15);
            options.delay = if one_cell { self.maybe_duration(10, 6) } else { None };
            options.max_age = self.maybe_duration(15, 10);
            options.reader = self.reader();
        }
        if self.settings.only_conformance_steps {
            match (&question, &options.reader) {
                (Question::AsOf(_), Reader::Stamp(_)) => options.reader = Reader::Newest,
                (Question::Latest, Reader::Newest) if self.rng.percent(20) => {
                    let stamps: Vec<String> = self.model.stamps.keys().cloned().collect();
                    if let Some(name) = self.rng.pick(&stamps).cloned() {
                        options.reader = Reader::Stamp(name);
                    }
                }
                _ => {}
            }
        }
        let entity = self.entity();
        self.push(Step::Read(Read { entity, feature, question, options }));
    }
}
