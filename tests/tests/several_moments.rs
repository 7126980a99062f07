//! Rows and joins over entities of numbers alone, at several moments at once: each cell against the model.
//!
//! The numbers of such an entity lie side by side in a table, and a read that looks at several of them, or at several
//! moments of one entity, finds them by arithmetic over all columns at once. Programs of single cells seldom come
//! there: a text among the features, or a lone column, and the numbers lie otherwise.
//!
//! `ASOFDB_FIRST_SEED=7 ASOFDB_SEEDS=1 cargo test -p asofdb-tests --test several_moments` replays a seed.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use asofdb::{
    Error, EventTime, JoinOptions, Joined, KnownTime, Options, Read as Asked, ReadMode, Selection,
    Span, Stamp, Status,
};
use asofdb_tests::answer::{Answer, Kind, Outcome, Value};
use asofdb_tests::asked::asked;
use asofdb_tests::engine::{Engine, answer, value};
use asofdb_tests::generate::Rng;
use asofdb_tests::model::Model;
use asofdb_tests::program::Step;
use asofdb_tests::question::{self, Definition, Put, Question, Read, Reader};
use asofdb_tests::replay::apply;

const SECOND: i64 = 1_000_000;
const START: i64 = 1_700_000_000 * SECOND;
const ENTITIES: [&str; 3] = ["ant", "bee", "cat"];

/// Rows of a spine that has many of each entity.
const MANY: usize = 4_000;

/// Where the event times of a batch lie.
#[derive(Clone, Copy, Debug)]
enum Times {
    /// All features of an entity have one.
    One,
    /// They are a little apart from feature to feature.
    Near,
    /// They are a little apart from view to view: a third of the features is one.
    Views,
    /// Anywhere in the past.
    Far,
    /// Those of the newest versions, which are corrected.
    Again,
    /// All features of an entity have one, long before all others: what has always been true.
    Beginning,
}

struct Trial {
    seed: u64,
    rng: Rng,
    engine: Engine,
    model: Model,
    names: Vec<String>,
    stamps: Vec<(String, Stamp)>,
    /// Whether some numbers are far greater than the others, which then seldom lie side by side.
    has_large: bool,
    cells: usize,
}

/// What a cell tells that has no origin.
type Cell = (Status, Option<i64>, Option<Value>);

impl Trial {
    fn new(seed: u64) -> Trial {
        let mut rng = Rng::new(seed);
        let read_mode = *rng.pick(&[ReadMode::Map, ReadMode::Pread]).unwrap();
        let options = Options::new().clock_lag(Span::ZERO).read_mode(read_mode);
        let engine = Engine::new(options).unwrap();
        let (model, names, stamps) = (Model::new(), Vec::new(), Vec::new());
        let has_large = rng.percent(25);
        Trial { seed, rng, engine, model, names, stamps, has_large, cells: 0 }
    }

    fn step(&mut self, step: &Step) {
        let (ours, theirs) = (apply(step, &mut self.model), apply(step, &mut self.engine));
        assert_eq!(ours, theirs, "seed {}: {step:?}", self.seed);
    }

    fn define(&mut self) {
        // Any bits are an integer or a double: where all are, a shorter way reads them; where all are
        // one of them, several columns are read at a time.
        let types: &[&str] = match self.rng.between(1, 10) {
            1..=3 => &["f64"],
            4 => &["i64"],
            5..=7 => &["i64", "f64"],
            _ => &["i64", "f64", "f32"],
        };
        let has_terms = self.rng.percent(40);
        let has_history = self.rng.percent(40);
        let most = *self.rng.pick(&[2, 7, 24]).unwrap();
        for place in 0..self.rng.between(1, most) {
            let mut some = |has_any, longest| {
                let is_there = has_any && self.rng.percent(60);
                is_there.then(|| self.rng.between(1, longest) * SECOND)
            };
            let (ttl, forget_after) = (some(has_terms, 60), some(has_terms, 90));
            let history = some(has_history, 120);
            let forget_after = ttl.and(forget_after);
            let value_type = (*self.rng.pick(types).unwrap()).to_owned();
            let definition = Definition { value_type, ttl, history, forget_after };
            let name = format!("only:{place:02}");
            self.names.push(name.clone());
            self.step(&Step::Define(name, definition));
        }
    }

    fn write(&mut self, times: Times, chance: i64, with_kinds: bool) {
        let mut puts = Vec::new();
        for entity in ENTITIES {
            let newest = self.model.now - self.rng.between(0, 2) * SECOND;
            let beginning = *self.rng.pick(&[i64::MIN, -1, -START]).unwrap();
            let of_views = [1, 2, 3].map(|_| newest - self.rng.between(0, 3_000));
            for (place, name) in self.names.clone().into_iter().enumerate() {
                if !self.rng.percent(chance) {
                    continue;
                }
                let e = match times {
                    Times::One => newest,
                    Times::Near => newest - self.rng.between(0, 3_000),
                    Times::Views => of_views[place * 3 / self.names.len()],
                    Times::Far => newest - self.rng.between(0, 80) * SECOND / 2,
                    Times::Again => self.newest(entity, &name).unwrap_or(newest),
                    Times::Beginning => beginning,
                };
                let known = with_kinds && self.rng.percent(10);
                let known = known.then(|| self.model.now - self.rng.between(0, 9) * SECOND);
                let kind = match self.rng.between(1, 12) {
                    1 if with_kinds => Kind::Null,
                    2 if with_kinds => Kind::Deleted,
                    _ => Kind::Value(self.number(&name)),
                };
                puts.push(Put { entity: entity.into(), feature: name, e, known, kind });
            }
        }
        let source = self.rng.percent(50).then(|| format!("job-{}", self.model.batches.len() / 3));
        self.step(&Step::Write { puts, source, synced: false });
    }

    /// The newest event time of a feature of an entity.
    fn newest(&self, entity: &str, name: &str) -> Option<i64> {
        let (column, _) = self.model.resolve(name, self.model.last_commit()).ok()?;
        let revisions = self.model.revisions.iter();
        let own = revisions.filter(|it| it.entity == entity.as_bytes() && it.column == column);
        own.map(|revision| revision.e).max()
    }

    fn number(&mut self, name: &str) -> Value {
        let number = self.rng.between(-1000, 1000);
        let (_, column) = self.model.resolve(name, self.model.last_commit()).unwrap();
        let is_large = self.has_large && self.rng.percent(5);
        match column.newest_definition().value_type.as_str() {
            "i64" => Value::I64(number * if is_large { 1 << 40 } else { 1 }),
            // Hundredths of it have more than 32 bits.
            "f64" if is_large => Value::Other(format!("{}.25", number << 26).into_bytes()),
            _ => Value::Other(format!("{number}.25").into_bytes()),
        }
    }

    /// Versions of some time, in files for the most part.
    fn fill(&mut self) {
        let all = [Times::One, Times::Near, Times::Views, Times::Far];
        let times = *self.rng.pick(&all).unwrap();
        let chance = *self.rng.pick(&[100, 100, 60]).unwrap();
        let (with_kinds, with_reverts) = (self.rng.percent(50), self.rng.percent(30));
        let versions = self.rng.between(2, 40);
        // As far apart as any two of a feature, one version of each at most is in question at a moment.
        let steady = self.rng.percent(40).then(|| self.rng.between(4, 9) * SECOND);
        if self.rng.percent(25) {
            self.write(Times::Beginning, chance, with_kinds);
        }
        for _ in 0..versions {
            let forward = steady.unwrap_or(self.rng.between(1, 4) * SECOND);
            self.step(&Step::Clock(self.model.now + forward));
            self.write(times, chance, with_kinds);
            match self.rng.between(1, 40) {
                1 => self.step(&Step::Flush),
                2 => self.step(&Step::Compact),
                3..=5 => self.remember(),
                6 if with_reverts => {
                    let source = self.model.batches.iter().rev().find_map(|it| it.source.clone());
                    if let Some(source) = source {
                        self.step(&Step::Revert(source));
                    }
                }
                _ => {}
            }
        }
        let last = if self.rng.percent(80) { Step::Compact } else { Step::Flush };
        self.step(&last);
        if self.rng.percent(60) {
            self.unsettle(times, with_kinds);
        }
    }

    /// Versions beside those of the files: newer ones, late ones and corrections, of which some come
    /// to files of their own.
    fn unsettle(&mut self, usual: Times, with_kinds: bool) {
        for _ in 0..self.rng.between(1, 6) {
            if self.rng.percent(50) {
                let forward = self.rng.between(1, 4) * SECOND;
                self.step(&Step::Clock(self.model.now + forward));
            }
            let all = [usual, Times::Near, Times::Far, Times::Again];
            let times = *self.rng.pick(&all).unwrap();
            let chance = *self.rng.pick(&[100, 50, 10]).unwrap();
            self.write(times, chance, with_kinds);
            if self.rng.percent(20) {
                self.step(&Step::Flush);
            }
            if self.rng.percent(20) {
                self.remember();
            }
        }
    }

    fn remember(&mut self) {
        let name = format!("stamp-{}", self.stamps.len());
        self.step(&Step::Stamp(name.clone()));
        let all = self.engine.store().select(&self.names).unwrap();
        let row = self.engine.store().read_row("ant", &all, &Asked::latest()).unwrap();
        self.stamps.push((name, row.stamp));
    }

    /// A moment at which something may change.
    fn moment(&mut self) -> i64 {
        let times: Vec<i64> = self.model.revisions.iter().map(|revision| revision.e).collect();
        match self.rng.between(1, 9) {
            1 => self.model.now + self.rng.between(-200, 100) * SECOND,
            // Of most features the newest version is asked for.
            7.. => self.model.now,
            2 => self.rng.pick(&times).unwrap().saturating_sub(1),
            3 => self.rng.pick(&times).unwrap().saturating_add(1),
            4 => 0,
            _ => *self.rng.pick(&times).unwrap(),
        }
    }

    /// Some features, in any order.
    fn some_names(&mut self) -> Vec<String> {
        if self.rng.percent(50) {
            return self.names.clone();
        }
        let chance = self.rng.between(5, 90);
        let mut names = self.names.clone();
        names.retain(|_| self.rng.percent(chance));
        if names.is_empty() || self.rng.percent(30) {
            names.reverse();
        }
        if names.is_empty() { vec![self.names[0].clone()] } else { names }
    }

    /// `None`: the read is refused.
    fn judged(
        &self,
        entity: &str,
        feature: &str,
        t: i64,
        options: &question::Options,
    ) -> Option<Answer> {
        let (entity, feature) = (entity.into(), feature.to_owned());
        let question = Question::AsOf(t);
        let read = Read { entity, feature, question, options: options.clone() };
        match self.model.read(&read) {
            Outcome::Cell(answer) => Some(answer),
            Outcome::Refused(_) => None,
            outcome => unreachable!("{read:?}: {outcome:?}"),
        }
    }

    fn rows(&mut self) {
        let names = self.some_names();
        let features = self.engine.store().select(&names).unwrap();
        let t = self.moment();
        let mut options = question::Options::default();
        let mut asked = Asked::as_of(EventTime(t));
        if self.rng.percent(20) {
            let known_at = self.moment();
            options.known_at = Some(known_at);
            asked = asked.known_at(KnownTime(known_at));
        }
        if let Some((name, stamp)) = self.rng.pick(&self.stamps)
            && self.rng.percent(40)
        {
            options.reader = Reader::Stamp(name.clone());
            asked = asked.stamp(*stamp);
        }
        let rows = self.engine.store().read_rows(&ENTITIES, &features, &asked);
        if names.iter().any(|name| self.judged(ENTITIES[0], name, t, &options).is_none()) {
            assert!(
                matches!(rows, Err(Error::BelowHorizon { .. })),
                "seed {}: {rows:?}",
                self.seed
            );
            return;
        }
        let rows = rows.unwrap();
        // Whoever wants no origins is answered another way.
        let mut reader = self.engine.store().reader(&features).unwrap();
        let cells = reader.read_all(&ENTITIES, &asked).unwrap();
        for (at, (entity, row)) in ENTITIES.iter().zip(rows).enumerate() {
            for (place, (name, found)) in names.iter().zip(&row.answers).enumerate() {
                let wanted = self.judged(entity, name, t, &options).unwrap();
                let how = format!("seed {}: {entity} {name} {t} {options:?}", self.seed);
                assert_eq!(answer(found), wanted, "{how}");
                let cell = cells.at(at, place).unwrap();
                let e = cell.event_time().map(|time| time.0);
                let told = (cell.status(), e, cell.value().as_ref().map(value));
                assert_eq!(told, cell_of(wanted), "{how}, by a reader");
                self.cells += 2;
            }
        }
    }

    fn join(&mut self) {
        let names = self.some_names();
        let features = self.engine.store().select(&names).unwrap();
        let mut options = question::Options::default();
        let mut asked = JoinOptions::new();
        if self.rng.percent(20) {
            let known_at = self.moment();
            options.known_at = Some(known_at);
            asked = asked.known_at(KnownTime(known_at));
        }
        if self.rng.percent(20) {
            let max_age = self.rng.between(1, 90) * SECOND;
            options.max_age = Some(max_age);
            asked = asked.max_age(Span::from_micros(max_age).unwrap());
        }
        if self.rng.percent(20) {
            options.before = true;
            asked = asked.before();
        }
        // Many rows of one entity are answered another way.
        let are_many = self.rng.percent(12);
        let has_lag = self.rng.percent(if are_many { 40 } else { 15 });
        let lag = has_lag.then(|| self.rng.between(0, 9) * SECOND);
        if let Some(lag) = lag {
            asked = asked.known_at_row(Span::from_micros(lag).unwrap());
        }
        let most = *self.rng.pick(&[1, 6, 60]).unwrap();
        let mut rows: Vec<_> = (0..self.rng.between(1, most))
            .map(|_| (*self.rng.pick(&ENTITIES).unwrap(), self.moment()))
            .collect();
        if are_many {
            // The first knows all, those behind it mostly do not.
            let later = self.model.now + 20 * SECOND;
            rows.splice(0..0, ENTITIES.map(|entity| (entity, later)));
        }
        let of_row = |t: i64| {
            let known_at = lag.map(|lag| t.saturating_sub(lag)).or(options.known_at);
            question::Options { known_at, ..options.clone() }
        };
        let is_legal = |(entity, t): &(&str, i64)| {
            names.iter().all(|name| self.judged(entity, name, *t, &of_row(*t)).is_some())
        };
        let legal: Vec<_> = rows.iter().copied().filter(is_legal).collect();
        if legal.len() < rows.len() {
            let told = self.told(&features, asked.clone(), &rows);
            assert!(matches!(told, Err(Error::BelowHorizon { .. })), "seed {}", self.seed);
            rows = legal;
        }
        if rows.is_empty() {
            return;
        }
        let again = if are_many { MANY } else { 0 };
        let all: Vec<usize> = (0..rows.len()).collect();
        let again: Vec<usize> = (0..again).map(|_| *self.rng.pick(&all).unwrap()).collect();
        let asked_in = [all, again].concat();
        let asked = asked.threads(*self.rng.pick(&[1, 2, 3]).unwrap());
        let spine: Vec<_> = asked_in.iter().map(|row| rows[*row]).collect();
        let wanted: Vec<Vec<Cell>> = rows
            .iter()
            .map(|(entity, t)| {
                let of =
                    |name: &String| cell_of(self.judged(entity, name, *t, &of_row(*t)).unwrap());
                names.iter().map(of).collect()
            })
            .collect();
        for (row, cells) in asked_in.into_iter().zip(self.joined(&features, asked, &spine)) {
            let (seed, (entity, t)) = (self.seed, rows[row]);
            assert_eq!(
                cells, wanted[row],
                "seed {seed}: {entity} {names:?} {t} {options:?} {rows:?}"
            );
            self.cells += cells.len();
        }
    }

    fn told(
        &self,
        features: &Selection,
        asked: JoinOptions,
        rows: &[(&str, i64)],
    ) -> asofdb::Result<Joined> {
        let spine: Vec<_> = rows.iter().map(|(entity, t)| Some((*entity, EventTime(*t)))).collect();
        self.engine.store().joiner(features, asked)?.join(&spine)
    }

    fn joined(
        &self,
        features: &Selection,
        asked: JoinOptions,
        rows: &[(&str, i64)],
    ) -> Vec<Vec<Cell>> {
        let joined = self.told(features, asked, rows).unwrap();
        let row = |row| {
            let column = |column: &asofdb::JoinedColumn| {
                let is_value = column.status()[row] == Status::Value;
                assert!(is_value || column.bits()[row] == 0, "seed {}: bits of nothing", self.seed);
                let e = column.event_time(row).map(|time| time.0);
                (column.status()[row], e, column.value(row).as_ref().map(value))
            };
            joined.columns().iter().map(column).collect()
        };
        (0..rows.len()).map(row).collect()
    }
}

fn cell_of(answer: Answer) -> Cell {
    match answer {
        Answer::Value { e, value, .. } => (Status::Value, Some(e), Some(value)),
        Answer::Null { e, .. } => (Status::Null, Some(e), None),
        Answer::Deleted { e } => (Status::Deleted, Some(e), None),
        Answer::Expired { e } => (Status::Expired, Some(e), None),
        Answer::Missing => (Status::Missing, None, None),
    }
}

#[test]
fn a_cell_among_many_differs_from_the_rule() {
    let (first, seeds) =
        (asked("ASOFDB_FIRST_SEED").unwrap_or(0), asked("ASOFDB_SEEDS").unwrap_or(120));
    let mut cells = 0;
    for seed in first..first + seeds {
        let mut trial = Trial::new(seed);
        trial.step(&Step::Clock(START));
        trial.define();
        trial.fill();
        for _ in 0..30 {
            trial.rows();
        }
        for _ in 0..8 {
            trial.join();
        }
        cells += trial.cells;
    }
    println!("{seeds} seeds, {cells} cells of rows and joins");
}
