//! Reads everything of a store and holds each answer against the model's.

use std::collections::BTreeSet;
use std::path::PathBuf;

use asofdb::{Error, EventTime, JoinOptions, Status};
use asofdb_tests::answer::{Answer, Outcome, Value};
use asofdb_tests::engine::{self, Engine};
use asofdb_tests::model::Model;
use asofdb_tests::question::{Options, Question, Read, Reader};

use super::steps;

/// What errors a store may answer with.
#[derive(Clone, Debug, Default)]
pub struct Blame {
    /// The files that are damaged: an error may name one of them.
    pub files: BTreeSet<PathBuf>,
    /// Whether answers may be other ones than the model's.
    pub any_answer: bool,
    /// The commits that are lost: a stamp among them says so.
    pub lost: BTreeSet<i64>,
}

impl Blame {
    /// An error must be about a damaged file.
    pub fn error(&self, error: &Error) {
        let damage = match error {
            Error::Corruption { file, .. } => self.files.contains(file),
            // Of a store without CURRENT nothing else can be said.
            Error::NotAStore { .. } => self.files.contains(&super::verdict::current()),
            _ => false,
        };
        assert!(damage || self.any_answer && is_of_files(error), "{error}\ndamaged: {self:?}");
    }

    /// Whether a read is from a stamp whose commit is lost, and no later commit is there: else it
    /// looks as if there had never been one.
    fn must_tell(&self, model: &Model, read: &Read) -> Option<bool> {
        let Reader::Stamp(name) = &read.options.reader else { return None };
        let stamp = model.stamps.get(name).filter(|stamp| self.lost.contains(&stamp.commit))?;
        Some(model.last_commit() < stamp.commit)
    }

    fn answer(&self, model: &Model, read: &Read, found: Result<Outcome, Error>) {
        use asofdb::InvalidArgument::FutureCommit;
        if let Some(must_tell) = self.must_tell(model, read) {
            let told = matches!(
                found,
                Err(Error::LostCommit { .. } | Error::InvalidArgument(FutureCommit { .. }))
            );
            let refused = matches!(found, Ok(Outcome::Refused(_)));
            if told || must_tell && refused {
                return;
            }
            assert!(!must_tell || self.any_answer, "{read:?} sees what is lost: {found:?}");
        }
        match found {
            Err(error) => self.error(&error),
            Ok(_) if self.any_answer => {}
            Ok(found) => {
                let expected = model.read(read);
                assert!(found == expected, "{read:?}\nexpected {expected}\nfound    {found}");
            }
        }
    }
}

/// Whether an error tells of the files, one way or another.
fn is_of_files(error: &Error) -> bool {
    use asofdb::InvalidArgument::FutureCommit;

    matches!(
        error,
        Error::Corruption { .. }
            | Error::NotAStore { .. }
            | Error::LostCommit { .. }
            | Error::InvalidArgument(FutureCommit { .. })
    )
}

/// Reads everything.
pub fn sweep(engine: &Engine, model: &Model, blame: &Blame) {
    let written: BTreeSet<&[u8]> =
        model.revisions.iter().map(|revision| revision.entity.as_slice()).collect();
    let mut entities: Vec<Vec<u8>> = written.into_iter().map(<[u8]>::to_vec).collect();
    entities.push(b"nobody".to_vec());
    for index in 0..model.columns.len() {
        for entity in &entities {
            cells(engine, model, blame, entity, index);
        }
    }
    rows(engine, model, blame, &entities);
}

fn cells(engine: &Engine, model: &Model, blame: &Blame, entity: &[u8], index: usize) {
    let column = &model.columns[index];
    let feature = format!("{}@{}", column.name, column.schema);
    let horizon = model.bounds(index).horizon.and_then(|horizon| i64::try_from(horizon).ok());
    let from = horizon.unwrap_or(i64::MIN);
    let mut asked = vec![
        (Question::Latest, Options::default()),
        (Question::AsOf(i64::MAX), Options::default()),
        (Question::Range { from, to: i64::MAX }, Options::default()),
        (Question::LastN { t: model.now, n: 99 }, Options::default()),
    ];
    let own = model.revisions.iter().filter(|revision| revision.column == index);
    for revision in own.rev().take(2) {
        asked.push((Question::AsOf(revision.e), Options::default()));
        let known_at = Some(revision.known);
        asked.push((Question::AsOf(revision.e), Options { known_at, ..Options::default() }));
    }
    for name in model.stamps.keys().take(3) {
        let reader = Reader::Stamp(name.clone());
        asked.push((Question::Latest, Options { reader, ..Options::default() }));
    }
    for (question, options) in asked {
        let (entity, feature) = (entity.to_vec(), feature.clone());
        let read = Read { entity, feature, question, options };
        blame.answer(model, &read, engine.ask(&read));
    }
}

/// Rows, a scan and a join, all as of now.
fn rows(engine: &Engine, model: &Model, blame: &Blame, entities: &[Vec<u8>]) {
    let store = engine.store();
    let selection = store.select_all();
    let names: Vec<String> =
        selection.features().iter().map(|feature| feature.name.clone()).collect();
    if !blame.any_answer {
        let resolved = |name: &&&str| model.resolve(name, model.last_commit()).is_ok();
        assert_eq!(names.len(), steps::NAMES.iter().filter(resolved).count(), "{names:?}");
    }
    let expected = |entity: &[u8]| -> Option<Vec<Answer>> {
        let cell = |feature: &String| {
            let (entity, feature) = (entity.to_vec(), feature.clone());
            let options = Options::default();
            match model.read(&Read { entity, feature, question: Question::Latest, options }) {
                Outcome::Cell(answer) => Some(answer),
                _ => None,
            }
        };
        names.iter().map(cell).collect()
    };
    let check = |entity: &[u8], found: &[asofdb::Answer]| {
        if !blame.any_answer {
            let found: Vec<Answer> = found.iter().map(engine::answer).collect();
            assert_eq!(Some(found), expected(entity), "{names:?} of {entity:?}");
        }
    };
    let latest = asofdb::Read::latest();
    for entity in entities {
        match store.read_row(entity, &selection, &latest) {
            Ok(row) => check(entity, &row.answers),
            Err(error) => blame.error(&error),
        }
    }
    scan(engine, blame, entities, &check, &|entity| {
        expected(entity).is_some_and(|answers| answers.iter().any(|a| *a != Answer::Missing))
    });
    let spine: Vec<_> =
        entities.iter().map(|entity| Some((entity, EventTime(model.now)))).collect();
    let joined =
        store.joiner(&selection, JoinOptions::new()).and_then(|joiner| joiner.join(&spine));
    match joined {
        Err(error) => blame.error(&error),
        Ok(_) if blame.any_answer => {}
        Ok(joined) => {
            for (row, entity) in entities.iter().enumerate() {
                let expected = expected(entity).unwrap_or_default();
                for (column, expected) in joined.columns().iter().zip(&expected) {
                    let value = column.value(row);
                    let value = value.as_ref().map(|value| in_bytes(&engine::value(value)));
                    let found = (column.status()[row], column.event_time(row), value);
                    assert_eq!(found, told(expected), "the join of {entity:?}");
                }
            }
        }
    }
}

type IsThere<'a> = &'a dyn Fn(&[u8]) -> bool;
type Check<'a> = &'a dyn Fn(&[u8], &[asofdb::Answer]);

fn scan(
    engine: &Engine,
    blame: &Blame,
    entities: &[Vec<u8>],
    check: Check<'_>,
    is_there: IsThere<'_>,
) {
    let store = engine.store();
    let scan = match store.scan(&store.select_all(), &asofdb::Read::latest(), b"") {
        Ok(scan) => scan,
        Err(error) => return blame.error(&error),
    };
    let mut seen = BTreeSet::new();
    for row in scan {
        match row {
            Err(error) => return blame.error(&error),
            Ok((entity, row)) => {
                check(&entity, &row.answers);
                assert!(seen.insert(entity.clone()), "{entity:?} comes twice");
            }
        }
    }
    if !blame.any_answer {
        for entity in entities {
            let found = seen.contains(entity.as_slice());
            assert_eq!(found, is_there(entity), "{entity:?} in a scan");
        }
    }
}

type Told = (Status, Option<EventTime>, Option<Vec<u8>>);

/// An answer of the model as a join tells it.
fn told(answer: &Answer) -> Told {
    let (status, e, value) = match answer {
        Answer::Missing => (Status::Missing, None, None),
        Answer::Deleted { e } => (Status::Deleted, Some(*e), None),
        Answer::Expired { e } => (Status::Expired, Some(*e), None),
        Answer::Null { e, .. } => (Status::Null, Some(*e), None),
        Answer::Value { e, value, .. } => (Status::Value, Some(*e), Some(value)),
    };
    (status, e.map(EventTime), value.map(in_bytes))
}

fn in_bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::I64(number) => number.to_string().into_bytes(),
        Value::Other(bytes) => bytes.clone(),
    }
}
