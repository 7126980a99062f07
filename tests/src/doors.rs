//! One question asked through every door of the library: alone, in a row, in rows, through readers, in a scan, in
//! a join.
//!
//! There is one rule, so there is one answer. What a door other than [`Store::read`] says of a cell is held against what
//! `read` says of it.
//!
//! Invariants:
//! - nothing here knows what the answer should be: that is for the model;
//! - a door is passed over only where the question cannot be put to it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use asofdb::{
    Answer, Cells, Error, EventTime, Feature, InvalidArgument, JoinOptions, KnownTime,
    Read as Asked, Row, RowReader, Selection, Sequence, Snapshot, Span, Stamp, Status, Store,
    Value, Vector, Versions,
};

use bytes::Bytes;

use crate::question::{Question, Read, Reader};

/// Where a question stands.
#[derive(Clone, Copy)]
pub enum Stand<'s> {
    /// At the newest commit.
    Newest,
    /// At that of a snapshot.
    Snapshot(&'s Snapshot),
    /// Where an earlier answer stood.
    Stamp(Stamp),
}

/// Asks `read` of the feature that its name means now, and of all others that can be read beside it, through every
/// door. `asked` is the same question in the library's words, and says where it stands.
///
/// Tells how two doors differ, if they do.
pub fn agree(
    store: &Store,
    read: &Read,
    asked: &Asked,
    stand: Stand<'_>,
    readers: &Readers,
) -> Result<(), String> {
    if !matches!(read.question, Question::Latest | Question::AsOf(_)) {
        return Ok(());
    }
    let entity = read.entity.as_slice();
    refusals_agree(store, read, asked)?;
    newest_version_agrees(store, read, asked)?;
    stamp_agrees(store, read, asked)?;

    let mut readable: Vec<(Feature, Answer)> = Vec::new();
    let mut stamp = None;
    for feature in store.features() {
        if let Ok(reading) = store.read(entity, &feature.versioned_name(), asked) {
            stamp = Some(reading.stamp);
            readable.push((feature, reading.answer));
        }
    }
    let Some(stamp) = stamp else { return Ok(()) };
    let names: Vec<String> = readable.iter().map(|(feature, _)| feature.versioned_name()).collect();
    let features = store.select(&names).map_err(|error| error.to_string())?;
    let answers: Vec<Answer> = readable.into_iter().map(|(_, answer)| answer).collect();

    let row = store.read_row(entity, &features, asked).map(|row| row.answers);
    same("read_row", &answers, row)?;
    let three: [&[u8]; 3] = [entity, NOBODY, entity];
    for place in [0, 2] {
        let rows = store.read_rows(&three, &features, asked);
        let of_it = |mut rows: Vec<Row>| rows.swap_remove(place).answers;
        same("read_rows", &answers, rows.map(of_it))?;
    }
    readers_agree(store, readers, asked, entity, (&names, &features), &answers)?;
    same("scan", &in_scan(&answers), scan(store, &features, asked, entity))?;
    joins_agree(store, read, &features, stamp, stand, &answers)
}

/// Readers that are kept from question to question, by the features that they read: what they found
/// out for one question must not outlive it where it does not hold.
#[derive(Default)]
pub struct Readers(RefCell<BTreeMap<Vec<String>, RowReader>>);

/// A reader that was kept and one that is new, each asked twice: about several entities, then alone.
fn readers_agree(
    store: &Store,
    readers: &Readers,
    asked: &Asked,
    entity: &[u8],
    (names, features): (&[String], &Selection),
    answers: &[Answer],
) -> Result<(), String> {
    let alone: Vec<Cell> = answers.iter().map(told).collect();
    let fresh = || store.reader(features).map_err(|error| error.to_string());
    let check = |door: &str, reader: &mut RowReader| {
        let row = |cells: &Cells, row: usize| -> Vec<Cell> {
            let cell = |feature| {
                cells.at(row, feature).map(|cell| (cell.status(), cell.event_time(), cell.value()))
            };
            (0..cells.features()).filter_map(cell).collect()
        };
        let three: [&[u8]; 3] = [entity, NOBODY, entity];
        for place in [0, 2] {
            same(door, &alone, reader.read_all(&three, asked).map(|cells| row(cells, place)))?;
        }
        same(door, &alone, reader.read(entity, asked).map(|cells| row(cells, 0)))
    };
    check("a new reader", &mut fresh()?)?;
    let mut kept = readers.0.borrow_mut();
    let reader = match kept.remove(names) {
        Some(mut reader) => match reader.read(NOBODY, &Asked::latest()) {
            // The store was opened again since.
            Err(Error::Closed) => fresh()?,
            _ => reader,
        },
        None => fresh()?,
    };
    let reader = kept.entry(names.to_vec()).or_insert(reader);
    check("a reader that was kept", reader)
}

/// An entity that no program writes.
const NOBODY: &[u8] = b"nobody";

/// What is refused alone is refused in a row, in the same words.
fn refusals_agree(store: &Store, read: &Read, asked: &Asked) -> Result<(), String> {
    let Ok(feature) = store.feature(&read.feature) else { return Ok(()) };
    let name = feature.versioned_name();
    let alone = match store.read(&read.entity, &name, asked) {
        // Told with the names that look like it, which a selection does not know.
        Ok(_) | Err(Error::UnknownFeature { .. }) => return Ok(()),
        Err(error) => error.to_string(),
    };
    let features = store.select(&[&name]).map_err(|error| error.to_string())?;
    match store.read_row(&read.entity, &features, asked) {
        Err(error) if error.to_string() == alone => Ok(()),
        there => Err(format!("read_row: {there:?}\n  alone: {alone}")),
    }
}

/// The first of the newest versions is the one that a cell shows.
fn newest_version_agrees(store: &Store, read: &Read, asked: &Asked) -> Result<(), String> {
    let Ok(reading) = store.read(&read.entity, &read.feature, asked) else { return Ok(()) };
    let newest = store.last_n(&read.entity, &read.feature, 1, asked);
    let newest = newest.map(|found| found.answers.into_iter().next().unwrap_or(Answer::Missing));
    same("last_n", &reading.answer, newest)
}

/// A reader of sequences tells of many versions what is told of them in answers, whatever it read before.
pub fn versions_agree(
    store: &Store,
    read: &Read,
    asked: &Asked,
    versions: &Result<Versions, Error>,
) -> Result<(), String> {
    let is_newest = read.options.reader == Reader::Newest;
    let mut reader = match store.sequence_reader(&read.feature) {
        Ok(reader) => reader,
        Err(error) if is_newest => {
            return same("a sequence", &refused(versions), Ok(Some(error.to_string())));
        }
        Err(_) => return Ok(()),
    };
    let schema = Some(reader.feature().schema);
    let is_of_it = |answer: &Answer| answer.origin().map(|origin| origin.schema) == schema;
    match versions {
        // Of a value that is too old, which alone is damaged, a sequence has nothing to tell.
        Err(Error::Corruption { .. }) => return Ok(()),
        // What the name meant then is not what it means now.
        Ok(versions) if !versions.answers.iter().all(is_of_it) => return Ok(()),
        Err(_) if !is_newest => return Ok(()),
        _ => {}
    }
    for entity in [NOBODY, &read.entity] {
        let found = match read.question {
            Question::Range { from, to } => {
                reader.range(entity, EventTime(from), EventTime(to), asked)
            }
            Question::LastN { n, .. } => reader.last_n(entity, n, asked),
            Question::Latest | Question::AsOf(_) => return Ok(()),
        };
        let found = match found {
            Ok(found) if entity == NOBODY => {
                same("a sequence of nobody", &0, Ok(found.len()))?;
                continue;
            }
            Ok(found) => found,
            // The name meant another schema then.
            Err(Error::UnknownFeature { .. }) if !is_newest => return Ok(()),
            Err(error) => {
                return same("a sequence", &refused(versions), Ok(Some(error.to_string())));
            }
        };
        let Ok(alone) = versions else {
            return Err(format!("a sequence: {found:?}\n  alone: {versions:?}"));
        };
        let cells: Vec<Cell> = alone.answers.iter().map(told).collect();
        same("a sequence", &cells, Ok(in_sequence(found)))?;
        let ends = (alone.stopped_at_horizon, alone.stamp.commit);
        same("a sequence ends", &ends, Ok((found.stopped_at_horizon(), found.stamp().commit)))?;
    }
    Ok(())
}

fn refused(versions: &Result<Versions, Error>) -> Option<String> {
    versions.as_ref().err().map(Error::to_string)
}

fn in_sequence(found: &Sequence) -> Vec<Cell> {
    let value = |at: usize| {
        let text = || found.as_text(at).map(Value::from);
        let bytes = || found.as_bytes(at).map(Value::from);
        let vector = || found.as_vector(at).map(|vector| Value::Vector(Vector::from_slice(vector)));
        let number = || Value::from_bits(found.value_type(), *found.bits().get(at)?);
        text().or_else(bytes).or_else(vector).or_else(number)
    };
    let cells = found.statuses().iter().zip(found.event_times()).enumerate();
    cells
        .map(|(at, (status, time))| {
            let value = if *status == Status::Value { value(at) } else { None };
            (*status, Some(EventTime(*time)), value)
        })
        .collect()
}

/// A stamp says again what the read said that returned it.
fn stamp_agrees(store: &Store, read: &Read, asked: &Asked) -> Result<(), String> {
    if read.question != Question::Latest || read.options.reader != Reader::Newest {
        return Ok(());
    }
    let Ok(reading) = store.read(&read.entity, &read.feature, asked) else { return Ok(()) };
    match store.read(&read.entity, &read.feature, &asked.clone().stamp(reading.stamp)) {
        // While the clock stands below the horizon, a stamp of now is below it too.
        Err(Error::BelowHorizon { horizon, .. }) if reading.stamp.now < horizon => Ok(()),
        again => same("its stamp", &reading.answer, again.map(|again| again.answer)),
    }
}

fn same<T: PartialEq + Debug>(
    door: &str,
    alone: &T,
    there: Result<T, Error>,
) -> Result<(), String> {
    match there {
        Ok(there) if there == *alone => Ok(()),
        there => Err(format!("{door}: {there:?}\n  alone: {alone:?}")),
    }
}

/// A scan gives only entities that have anything to answer.
fn in_scan(answers: &[Answer]) -> Option<Vec<Answer>> {
    let has_any = answers.iter().any(|answer| answer.status() != Status::Missing);
    has_any.then(|| answers.to_vec())
}

/// What a scan of all entities tells of one, if it tells the same as a scan of the names that begin as this
/// one's, and of each other what is told of it alone.
fn scan(
    store: &Store,
    features: &Selection,
    asked: &Asked,
    entity: &[u8],
) -> Result<Option<Vec<Answer>>, Error> {
    let rows = |prefix: &[u8]| store.scan(features, asked, prefix)?.collect::<Result<Vec<_>, _>>();
    let all = rows(b"")?;
    let wrong = |what: &str| Error::InvalidArgument(InvalidArgument::Other(what.to_owned()));
    let names: BTreeSet<&[u8]> = all.iter().map(|(name, _)| &**name).collect();
    if names.len() != all.len() {
        return Err(wrong("a scan tells an entity twice"));
    }
    let begin_so = all.iter().filter(|(name, _)| name.starts_with(entity));
    let told = |(name, row): &(Bytes, Row)| (name.clone(), row.answers.clone());
    if !rows(entity)?.iter().map(told).eq(begin_so.map(told)) {
        return Err(wrong("a scan of a prefix is no part of a scan of all"));
    }
    for (name, row) in &all {
        if store.read_row(name, features, asked)?.answers != row.answers {
            return Err(wrong("a scan tells of an entity what is not told of it alone"));
        }
    }
    Ok(all.into_iter().find(|(name, _)| name == entity).map(|(_, row)| row.answers))
}

/// What a join or a reader tells of a cell.
type Cell = (Status, Option<EventTime>, Option<Value>);

fn joins_agree(
    store: &Store,
    read: &Read,
    features: &Selection,
    stamp: Stamp,
    stand: Stand<'_>,
    answers: &[Answer],
) -> Result<(), String> {
    let t = match read.question {
        Question::AsOf(t) => EventTime(t),
        _ => stamp.now,
    };
    let mut options = JoinOptions::new();
    if read.options.before {
        options = options.before();
    }
    if let Some(delay) = read.options.delay.and_then(Span::from_micros) {
        options = options.delay(delay);
    }
    if let Some(max_age) = read.options.max_age.and_then(Span::from_micros) {
        options = options.max_age(max_age);
    }
    options = match stand {
        Stand::Newest => options,
        Stand::Snapshot(snapshot) => options.snapshot(snapshot),
        Stand::Stamp(stamp) => options.stamp(stamp),
    };
    let alone: Vec<Cell> = answers.iter().map(told).collect();
    let Some(k) = read.options.known_at else {
        return same_in_join("join", store, read, features, options, t, &alone);
    };
    let at = options.clone().known_at(KnownTime(k));
    same_in_join("join known at a time", store, read, features, at, t, &alone)?;
    // The same moment, told as a lag of the row's own time.
    match t.0.checked_sub(k).and_then(Span::from_micros) {
        Some(lag) => {
            let at_row = options.known_at_row(lag);
            same_in_join("join known at the row", store, read, features, at_row, t, &alone)
        }
        None => Ok(()),
    }
}

fn told(answer: &Answer) -> Cell {
    (answer.status(), answer.event_time(), answer.value().cloned())
}

fn same_in_join(
    door: &str,
    store: &Store,
    read: &Read,
    features: &Selection,
    options: JoinOptions,
    t: EventTime,
    alone: &[Cell],
) -> Result<(), String> {
    let entity = read.entity.as_slice();
    let joined = store.joiner(features, options).and_then(|joiner| {
        joiner.join(&[Some((entity, t)), None, Some((NOBODY, t)), Some((entity, t))])
    });
    let joined = match joined {
        // The newest moment of a clock that stepped back lies at the horizon, not at the clock.
        Err(Error::BelowHorizon { .. }) if read.question == Question::Latest => return Ok(()),
        joined => joined.map_err(|error| format!("{door}: {error}\n  alone: {alone:?}"))?,
    };
    for row in [0, 3] {
        let cells: Vec<Cell> = joined
            .columns()
            .iter()
            .map(|column| {
                let status = column.status().get(row).copied().unwrap_or(Status::Missing);
                (status, column.event_time(row), column.value(row))
            })
            .collect();
        same(door, &alone, Ok(cells.as_slice()))?;
    }
    Ok(())
}
