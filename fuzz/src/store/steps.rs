//! What the operations of a tape mean to the model and the engine at hand, and back for the seeds.
//!
//! Invariant: a step that [`op_of`] gives an operation for is what [`step_of`] makes of it, on the
//! same model.

use asofdb_tests::answer::{Kind, Value};
use asofdb_tests::model::Model;
use asofdb_tests::program::Step;
use asofdb_tests::question::{self, Options, Reader};

use super::op::{Definition, Length, Op, Put, Question, Read, Said, Stand, Time};

/// Names of features; one is never defined.
pub const NAMES: [&str; 4] = ["v:f0", "v:f1", "w:g", "no:such"];

const ABSENT: u8 = 3;

const SECOND: i64 = 1_000_000;

/// Types by their number; the first ones are those that programs have most.
const TYPES: [&str; 8] = ["i64", "text", "bytes", "f64", "f32", "bool", "vector(3)", "i64"];

/// Entities by their number.
pub fn entity(number: u8) -> Vec<u8> {
    match number % 8 {
        0 => b"a".to_vec(),
        1 => b"ab".to_vec(),
        2 => b"b".to_vec(),
        3 => "\u{0}é".as_bytes().to_vec(),
        4 => b"12345678".to_vec(),
        5 => vec![0xff; 2],
        6 => vec![7; 300],
        _ => b"a\0".to_vec(),
    }
}

/// The name of a feature: a name's number in two bits, a schema's number above them, 0: none.
fn feature(number: u8) -> String {
    let name = NAMES[usize::from(number & 3)];
    match number >> 2 & 3 {
        0 => name.to_owned(),
        schema => format!("{name}@{schema}"),
    }
}

fn micros(length: Length) -> i64 {
    match length {
        Length(255, 127) => i64::MAX,
        Length(seconds, micros) => (i64::from(seconds) * SECOND + i64::from(micros)).max(0),
    }
}

fn moment(time: Time, column: &str, model: &Model) -> i64 {
    let which = match time {
        Time::FromNow(seconds, micros) => {
            return model.now.saturating_add(i64::from(seconds) * SECOND + i64::from(micros));
        }
        Time::Special(which) => which,
    };
    let resolved = model.resolve(column, model.last_commit());
    let bounds = resolved.map(|(index, _)| model.bounds(index)).unwrap_or_default();
    let bound = |bound: Option<i128>| {
        bound.and_then(|bound| i64::try_from(bound).ok()).unwrap_or(model.now)
    };
    match which % 16 {
        0 => i64::MIN,
        1 => i64::MIN + 1,
        2 => i64::MAX,
        3 => i64::MAX - 1,
        4 => 0,
        5 => bound(bounds.horizon),
        6 => bound(bounds.stale),
        7 => bound(bounds.forgotten),
        later => {
            let written = model.revisions.iter().rev().nth(usize::from(later - 8));
            written.map_or(model.now, |revision| revision.e)
        }
    }
}

fn definition(Definition(number, lengths): Definition) -> question::Definition {
    let [ttl, history, forget_after] = lengths.map(|length| length.map(micros));
    let value_type = TYPES[usize::from(number % 8)].to_owned();
    question::Definition { value_type, ttl, history, forget_after }
}

/// The type that a feature has now.
fn value_type<'m>(column: &str, model: &'m Model) -> &'m str {
    let resolved = model.resolve(column, model.last_commit());
    resolved.map_or("i64", |(_, column)| column.newest_definition().value_type.as_str())
}

/// Bytes that do not compress, all of them printable.
fn noise(seed: u16, len: usize) -> Vec<u8> {
    let mut state = u32::from(seed) | 1 << 16;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        b' ' + u8::try_from(state % 95).unwrap_or(0)
    };
    (0..len).map(|_| next()).collect()
}

fn value(said: Said, of: &str) -> Value {
    let number = match said {
        Said::Null | Said::Deleted => 0,
        Said::Stray(n) | Said::Value(n) | Said::Long(n) | Said::Noise(n) => n,
    };
    let signed = number.cast_signed();
    let text = match said {
        Said::Long(n) => format!("value {n} ").repeat(usize::from(n % 512)).into_bytes(),
        Said::Noise(n) => noise(n, usize::from(n % 4096) * 4),
        _ => format!("value {signed}").into_bytes(),
    };
    let is_i64 = (of == "i64") != matches!(said, Said::Stray(_));
    match (is_i64, of) {
        (true, _) => Value::I64(match signed {
            i16::MIN => i64::MIN,
            i16::MAX => i64::MAX,
            _ => i64::from(signed),
        }),
        (false, "f64") => Value::Other((f64::from(signed) / 100.0).to_string().into_bytes()),
        (false, "f32") => Value::Other((f32::from(signed) / 100.0).to_string().into_bytes()),
        (false, "bool") => Value::Other((number % 2 == 1).to_string().into_bytes()),
        (false, "vector(3)") => Value::Other(format!("{} -0 0.5", f32::from(signed)).into_bytes()),
        (false, _) => Value::Other(text),
    }
}

fn put(put: &Put, model: &Model) -> question::Put {
    let feature = feature(put.feature);
    let kind = match put.said {
        Said::Null => Kind::Null,
        Said::Deleted => Kind::Deleted,
        said => Kind::Value(value(said, value_type(&feature, model))),
    };
    let e = moment(put.time, &feature, model);
    let known = put.known.map(|known| moment(known, &feature, model));
    question::Put { entity: entity(put.entity), e, known, kind, feature }
}

fn read(read: &Read, model: &Model) -> question::Read {
    let feature = feature(read.feature);
    let at = |time: Time| moment(time, &feature, model);
    let question = match read.question {
        Question::Latest => question::Question::Latest,
        Question::AsOf(t) => question::Question::AsOf(at(t)),
        Question::Range(from, to) => question::Question::Range { from: at(from), to: at(to) },
        Question::LastN(t, n) => question::Question::LastN { t: at(t), n: usize::from(n) },
    };
    // Only questions of one cell have these two.
    let one_cell = matches!(read.question, Question::Latest | Question::AsOf(_));
    let options = Options {
        known_at: read.known_at.map(at),
        before: read.before && one_cell,
        delay: read.delay.filter(|_| one_cell).map(micros),
        max_age: read.max_age.map(micros),
        reader: match read.stand {
            Stand::Newest => Reader::Newest,
            Stand::Snapshot(which) => Reader::Snapshot(snapshot(which)),
            Stand::Stamp(which) => Reader::Stamp(stamp(which)),
        },
    };
    question::Read { entity: entity(read.entity), feature, question, options }
}

fn snapshot(which: u8) -> String {
    format!("snapshot-{which}")
}

fn stamp(which: u8) -> String {
    format!("stamp-{which}")
}

fn source(which: u8) -> String {
    format!("job-{which}")
}

/// What an operation asks of the model; `None` if it asks nothing of it.
pub fn step_of(op: &Op, model: &Model) -> Option<Step> {
    Some(match op {
        Op::Clock(seconds, micros) => {
            let by = (i64::from(*seconds) * SECOND + i64::from(*micros)).max(0);
            Step::Clock(model.now.saturating_add(by))
        }
        Op::Define(name, terms) => Step::Define(plain(*name), definition(*terms)),
        Op::Alter(name, terms) => Step::Alter(feature(*name), definition(*terms)),
        Op::Evolve(name, terms) => Step::Evolve(plain(*name), definition(*terms)),
        Op::Retire(name) => Step::Retire(plain(*name)),
        Op::Write(label, puts) => Step::Write {
            puts: puts.iter().map(|one| put(one, model)).collect(),
            source: (*label > 0).then(|| source(*label)),
            synced: false,
        },
        Op::Flush => Step::Flush,
        Op::Compact => Step::Compact,
        Op::Reopen => Step::Reopen,
        Op::Snapshot(which) => Step::Snapshot(snapshot(*which)),
        Op::Release(which) => Step::Release(snapshot(*which)),
        Op::Stamp(which) => Step::Stamp(stamp(*which)),
        Op::Erase(which) => Step::Erase(entity(*which)),
        Op::Revert(which) => Step::Revert(source(*which)),
        Op::Read(one) => Step::Read(read(one, model)),
        Op::Sync | Op::Work(_) | Op::Sweep | Op::Damage(_) => return None,
    })
}

/// The name of a feature that is, or may be, defined.
fn plain(name: u8) -> String {
    NAMES[usize::from(name % ABSENT)].to_owned()
}

/// The operation that a step is on this model; `None` if there is none.
pub fn op_of(step: &Step, model: &Model) -> Option<Op> {
    let op = match step {
        Step::Clock(now) => {
            let by = now.checked_sub(model.now)?;
            let seconds = by.checked_add(SECOND / 2)?.div_euclid(SECOND);
            let micros = i8::try_from(by - seconds * SECOND).ok()?;
            Op::Clock(u16::try_from(seconds).ok()?, micros)
        }
        Step::Define(name, terms) => Op::Define(number_of(name)?, definition_op(terms)?),
        Step::Alter(name, terms) => Op::Alter(number_of(name)?, definition_op(terms)?),
        Step::Evolve(name, terms) => Op::Evolve(number_of(name)?, definition_op(terms)?),
        Step::Retire(name) => Op::Retire(number_of(name)?),
        Step::Write { puts, source, .. } => {
            let source = source.as_ref().map_or(Some(0), |label| trailing(label));
            let puts = puts.iter().map(|put| put_op(put, model)).collect::<Option<_>>()?;
            Op::Write(source?, puts)
        }
        Step::Flush => Op::Flush,
        Step::Compact => Op::Compact,
        Step::Reopen => Op::Reopen,
        Step::Snapshot(name) => Op::Snapshot(trailing(name)?),
        Step::Release(name) => Op::Release(trailing(name)?),
        Step::Stamp(name) => Op::Stamp(trailing(name)?),
        Step::Erase(name) => Op::Erase(entity_number(name)?),
        Step::Revert(label) => Op::Revert(trailing(label)?),
        Step::Sync => Op::Sync,
        Step::Crash(_) | Step::RevertBatches(_) => return None,
        Step::Read(read) => Op::Read(read_op(read, model)?),
    };
    (step_of(&op, model).as_ref() == Some(step)).then_some(op)
}

fn trailing(name: &str) -> Option<u8> {
    name.rsplit_once('-')?.1.parse().ok()
}

fn entity_number(wanted: &[u8]) -> Option<u8> {
    (0..8).find(|number| entity(*number) == wanted)
}

fn number_of(name: &str) -> Option<u8> {
    (0..16).find(|number| feature(*number) == name)
}

fn length(micros: i64) -> Option<Length> {
    let seconds = (micros + SECOND / 2).div_euclid(SECOND);
    Some(Length(u8::try_from(seconds).ok()?, i8::try_from(micros - seconds * SECOND).ok()?))
}

fn time(at: i64, model: &Model) -> Option<Time> {
    let by = at.checked_sub(model.now)?;
    let seconds = by.checked_add(SECOND / 2)?.div_euclid(SECOND);
    let micros = i8::try_from(by - seconds * SECOND).ok()?;
    Some(Time::FromNow(i16::try_from(seconds).ok()?, micros))
}

/// `Some(None)` if there is nothing to tell, `None` if it cannot be told.
fn told<T, U>(given: Option<T>, tell: impl FnOnce(T) -> Option<U>) -> Option<Option<U>> {
    given.map_or(Some(None), |given| tell(given).map(Some))
}

fn definition_op(terms: &question::Definition) -> Option<Definition> {
    let number = TYPES.iter().position(|name| *name == terms.value_type)?;
    let lengths =
        [told(terms.ttl, length)?, told(terms.history, length)?, told(terms.forget_after, length)?];
    Some(Definition(u8::try_from(number).ok()?, lengths))
}

fn put_op(put: &question::Put, model: &Model) -> Option<Put> {
    let said = match &put.kind {
        Kind::Null => Said::Null,
        Kind::Deleted => Said::Deleted,
        Kind::Value(Value::I64(number)) => {
            Said::Value(i16::try_from(*number).ok()?.cast_unsigned())
        }
        Kind::Value(Value::Other(bytes)) => {
            let number = std::str::from_utf8(bytes).ok()?.strip_prefix("value ")?;
            Said::Value(number.parse::<i16>().ok()?.cast_unsigned())
        }
    };
    Some(Put {
        entity: entity_number(&put.entity)?,
        feature: number_of(&put.feature)?,
        time: time(put.e, model)?,
        known: told(put.known, |known| time(known, model))?,
        said,
    })
}

fn read_op(read: &question::Read, model: &Model) -> Option<Read> {
    let at = |t: i64| time(t, model);
    let question = match read.question {
        question::Question::Latest => Question::Latest,
        question::Question::AsOf(t) => Question::AsOf(at(t)?),
        question::Question::Range { from, to } => Question::Range(at(from)?, at(to)?),
        question::Question::LastN { t, n } => Question::LastN(at(t)?, u8::try_from(n).ok()?),
    };
    let options = &read.options;
    Some(Read {
        entity: entity_number(&read.entity)?,
        feature: number_of(&read.feature)?,
        question,
        known_at: told(options.known_at, at)?,
        before: options.before,
        delay: told(options.delay, length)?,
        max_age: told(options.max_age, length)?,
        stand: match &options.reader {
            Reader::Newest => Stand::Newest,
            Reader::Snapshot(name) => Stand::Snapshot(trailing(name)?),
            Reader::Stamp(name) => Stand::Stamp(trailing(name)?),
        },
    })
}
