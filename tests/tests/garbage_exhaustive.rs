//! Every small case of the garbage rule: what a compaction drops, no legal read can tell.
//!
//! A case is: one definition; up to four batches of one revision each, at neighbouring times; events before, between
//! and after them; a drop of what the rule allows in one file, for every subset of the revisions as that file; one
//! event after the drop. Two models go through it, one of which really drops. Then every legal read is asked of both:
//! every t and k from the horizon to beyond the clock, alone and in ranges, for the newest reader, a snapshot and a
//! stamp.
//!
//! The engine's rule (its very source, compiled here) must drop the same as the model's in every case. What was dropped
//! is read for one drop in two, as a fixed seed draws them; for all of them with ASOFDB_GARBAGE=full.
//!
//! Kinds are a value and a deletion; a null differs from a value only in having no bytes, and the random test has it.
//!
//! The whole product is too large for every day, so each test fixes some dimensions and is exhaustive in the others:
//!
//! | revisions | e, known, kind | events before the drop | events after | definitions | clocks |
//! |---|---|---|---|---|---|
//! | up to 2 | all | up to 1, at any place | up to 1 | all | all |
//! | up to 2 | all | 2, at any places | none or a late write | two | two |
//! | 3 | all | up to 1, at any place | none | two | two |
//! | 3 | known as committed | none | up to 1 | all | all |
//! | 4 | all | none | none | two | two |

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../../engine/src/shape/garbage.rs"]
mod garbage;

#[path = "../../engine/src/state"]
#[expect(dead_code, reason = "what only the engine calls")]
mod state {
    //! What the engine's rule names.
    pub mod taken;
}

use std::collections::{BTreeMap, BTreeSet};

use asofdb_format::catalog::Bounds;
use asofdb_format::hash::EraseKey;
use asofdb_format::ids::{Commit, EventTime, KnownTime, SourceId};
use asofdb_format::revision::{Order, Payload, Revision};

use asofdb::world::sim::Rng;
use asofdb_tests::answer::{Kind, Value};
use asofdb_tests::model::{Garbage, Model};
use asofdb_tests::question::{Definition, Options, Put, Question, Read, Reader};

const START: i64 = 10;
const EVENT_TIMES: [i64; 3] = [11, 13, 14];
const KINDS: [Kind; 2] = [Kind::Value(Value::I64(0)), Kind::Deleted];

/// What may happen beside the writes and the drop.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    /// Change the definition to the one of this place in [`definitions`].
    Alter(usize),
    Snapshot,
    Release,
    Stamp,
    Revert,
    Erase,
    StepBack,
    /// Write a version of this event time.
    Write(i64),
    /// Compact a file that holds everything.
    CompactAll,
}

const BEFORE: [Event; 8] = [
    Event::Alter(1),
    Event::Alter(2),
    Event::Alter(3),
    Event::Snapshot,
    Event::Stamp,
    Event::Revert,
    Event::Erase,
    Event::StepBack,
];

const AFTER: [Event; 11] = [
    Event::Alter(1),
    Event::Alter(2),
    Event::Snapshot,
    Event::Release,
    Event::Stamp,
    Event::Revert,
    Event::Erase,
    Event::StepBack,
    Event::Write(11),
    Event::Write(14),
    Event::CompactAll,
];

fn definitions() -> [Definition; 4] {
    [
        Definition::i64(Some(1), Some(3), Some(2)),
        Definition::i64(None, Some(2), None),
        Definition::i64(Some(3), Some(0), None),
        Definition::i64(Some(2), None, None),
    ]
}

/// The dimensions of one test.
struct Dimensions {
    revisions: usize,
    /// How much earlier than the commit a revision may be known.
    known_before: &'static [i64],
    events: usize,
    definitions: &'static [usize],
    /// How long after the last write the drop is.
    waits: &'static [i64],
    after: Vec<Option<Event>>,
}

struct Counts {
    cases: u64,
    drops: u64,
    /// Drops after which everything was read.
    read: u64,
    reads: u64,
    /// Draws those, unless all are read.
    draw: Option<Rng>,
}

fn happen(event: Event, model: &mut Model, really_drop: bool) {
    // A refusal (no such snapshot, a batch below the horizon) is the same on both sides and changes nothing.
    let _ = match event {
        Event::Alter(place) => model.alter("f", &definitions()[place]),
        Event::Release => model.release("held"),
        Event::Revert => model.revert("job"),
        Event::Write(e) => write(model, e, 0, &KINDS[0]),
        Event::Snapshot => {
            model.snapshot("held");
            Ok(())
        }
        Event::Stamp => {
            model.stamp("kept");
            Ok(())
        }
        Event::Erase => {
            model.erase(b"a");
            Ok(())
        }
        Event::StepBack => {
            model.now -= 3;
            Ok(())
        }
        Event::CompactAll => {
            model.record_bounds(0, model.bounds(0));
            if really_drop {
                let all: Vec<usize> = (0..model.revisions.len()).collect();
                *model = model.without(&model.garbage(&all));
            }
            Ok(())
        }
    };
}

fn write(
    model: &mut Model,
    e: i64,
    known_before: i64,
    kind: &Kind,
) -> Result<(), asofdb_tests::answer::Refusal> {
    let commit = model.now.max(model.last_commit() + 1);
    // Every value is another one, so that an older one served in its place is seen.
    let kind = match kind {
        Kind::Value(_) => Kind::Value(Value::I64(commit)),
        other => other.clone(),
    };
    let known = (known_before > 0).then_some(commit - known_before);
    let put = Put { entity: b"a".to_vec(), feature: "f".to_owned(), e, known, kind };
    // Every other batch is of the source that events revert.
    let source = if model.batches.len().is_multiple_of(2) { Some("job") } else { None };
    model.write(&[put], source)
}

/// Goes on with a model that has all but this many revisions and may still meet this many events.
fn grow(
    model: &Model,
    revisions: usize,
    events: usize,
    dimensions: &Dimensions,
    counts: &mut Counts,
) {
    if events > 0 {
        for event in BEFORE {
            let mut next = model.clone();
            happen(event, &mut next, false);
            grow(&next, revisions, events - 1, dimensions, counts);
        }
    }
    if revisions == 0 {
        drop_and_compare(model, dimensions, counts);
        return;
    }
    for e in EVENT_TIMES {
        for known_before in dimensions.known_before {
            for kind in &KINDS {
                let mut next = model.clone();
                if write(&mut next, e, *known_before, kind).is_err() {
                    continue;
                }
                next.now += 1;
                grow(&next, revisions - 1, events, dimensions, counts);
            }
        }
    }
}

fn drop_and_compare(model: &Model, dimensions: &Dimensions, counts: &mut Counts) {
    for wait in dimensions.waits {
        let mut whole = model.clone();
        whole.now += wait;
        whole.record_bounds(0, whole.bounds(0));
        counts.cases += 1;
        for garbage in every_garbage(&whole) {
            counts.drops += 1;
            if counts.draw.as_mut().is_some_and(|draw| draw.percent(50)) {
                continue;
            }
            counts.read += 1;
            let dropped = whole.without(&garbage);
            for after in &dimensions.after {
                let (mut whole, mut dropped) = (whole.clone(), dropped.clone());
                if let Some(event) = after {
                    happen(*event, &mut whole, false);
                    happen(*event, &mut dropped, true);
                }
                compare(&whole, &dropped, counts, &|| {
                    format!("{garbage:?}, then {after:?}\n{model:#?}")
                });
            }
        }
    }
}

/// What the rule allows to drop, over every subset of the revisions as the file.
fn every_garbage(model: &Model) -> Vec<Garbage> {
    let count = model.revisions.len();
    let mut seen = BTreeSet::new();
    for subset in 0..1_u32 << count {
        let file: Vec<usize> = (0..count).filter(|place| subset >> place & 1 == 1).collect();
        let garbage = model.garbage(&file);
        assert_eq!(garbage_of_engine(model, &file), garbage, "{file:?}\n{model:#?}");
        if !garbage.dropped.is_empty() || !garbage.stubs.is_empty() {
            seen.insert((garbage.dropped, garbage.stubs));
        }
    }
    seen.into_iter().map(|(dropped, stubs)| Garbage { dropped, stubs }).collect()
}

/// What the engine's rule drops from the same file.
fn garbage_of_engine(model: &Model, file: &[usize]) -> Garbage {
    let recorded = model.columns[0].recorded;
    let bound = |bound: Option<i128>| bound.map(|b| EventTime(i64::try_from(b).unwrap()));
    let reverts = model.reverts.iter().map(|revert| state::taken::Revert {
        commit: Commit(revert.commit),
        what: state::taken::Reverted::Commits(revert.batches.iter().copied().map(Commit).collect()),
    });
    let mut taken = state::taken::Taken::new(EraseKey([0; 16]));
    reverts.for_each(|revert| taken.revert(revert));
    let limits = garbage::Limits {
        bounds: Bounds {
            horizon: bound(recorded.horizon),
            stale: bound(recorded.stale),
            forgotten: bound(recorded.forgotten),
        },
        seen_by_all: Commit(model.snapshots.values().copied().min().unwrap_or(i64::MAX)),
        erased: model.erases.iter().map(|erase| Commit(erase.commit)).max(),
        taken: &taken,
    };
    let places: BTreeMap<Order, usize> = file
        .iter()
        .map(|place| {
            let revision = &model.revisions[*place];
            let order = Order {
                event_time: EventTime(revision.e),
                known_time: KnownTime(revision.known),
                commit: Commit(revision.commit),
            };
            (order, *place)
        })
        .collect();
    let mut revisions: Vec<Revision> = places
        .iter()
        .map(|(order, place)| {
            let is_value = matches!(model.revisions[*place].kind, Kind::Value(_));
            let (kind, payload) = if is_value {
                (asofdb_format::value::Kind::Value, Payload::Bits(1))
            } else {
                (asofdb_format::value::Kind::Deleted, Payload::None)
            };
            Revision { order: *order, kind, source: SourceId::NONE, payload }
        })
        .collect();
    garbage::drop_garbage(&mut revisions, &limits);
    let mut found = Garbage { dropped: places.values().copied().collect(), ..Garbage::default() };
    for revision in &revisions {
        let place = places[&revision.order];
        found.dropped.remove(&place);
        if revision.kind == asofdb_format::value::Kind::Stub {
            assert_eq!(revision.payload, Payload::None);
            found.stubs.insert(place);
        }
    }
    found
}

fn compare(whole: &Model, dropped: &Model, counts: &mut Counts, story: &dyn Fn() -> String) {
    let horizon = whole.bounds(0).horizon.and_then(|horizon| i64::try_from(horizon).ok());
    // One time below the horizon is asked too: the refusal must be the same.
    let first = horizon.unwrap_or(START) - 1;
    let last = whole.now.max(EVENT_TIMES[2]).max(first) + 1;
    let mut read = Read {
        entity: b"a".to_vec(),
        feature: "f".to_owned(),
        question: Question::Latest,
        options: Options::default(),
    };
    let mut ask = |read: &Read| {
        counts.reads += 1;
        let (expected, found) = (whole.read(read), dropped.read(read));
        assert!(expected == found, "{read:?}\n{expected}\n{found}\n{}", story());
    };
    let mut readers = vec![Reader::Newest];
    readers.extend(whole.snapshots.keys().cloned().map(Reader::Snapshot));
    readers.extend(whole.stamps.keys().cloned().map(Reader::Stamp));
    for reader in readers {
        read.options.reader = reader;
        read.question = Question::Latest;
        ask(&read);
        for t in first..=last {
            read.question = Question::Range { from: t, to: last };
            ask(&read);
            read.question = Question::LastN { t, n: 4 };
            ask(&read);
            read.question = Question::AsOf(t);
            ask(&read);
            for known_at in first..=last {
                read.options.known_at = Some(known_at);
                ask(&read);
            }
            read.options.known_at = None;
        }
    }
}

fn explore(dimensions: &Dimensions) {
    let is_full = std::env::var("ASOFDB_GARBAGE").is_ok_and(|asked| asked == "full");
    let draw = (!is_full).then(|| Rng::new(1));
    let mut counts = Counts { cases: 0, drops: 0, read: 0, reads: 0, draw };
    for place in dimensions.definitions {
        let mut model = Model::new();
        model.now = START;
        model.define("f", &definitions()[*place]).unwrap();
        model.now += 1;
        for revisions in 1..=dimensions.revisions {
            grow(&model, revisions, dimensions.events, dimensions, &mut counts);
        }
    }
    let Counts { cases, drops, read, reads, .. } = counts;
    println!("{cases} cases, {drops} different drops, {reads} reads compared after {read} of them");
    assert!(read > drops / 3 && reads > 0, "what was dropped is not read");
}

const ALL_DEFINITIONS: &[usize] = &[0, 1, 2, 3];
const ALL_WAITS: &[i64] = &[0, 1, 2, 3, 6];

fn anything_or_nothing() -> Vec<Option<Event>> {
    AFTER.into_iter().map(Some).chain([None]).collect()
}

#[test]
fn two_revisions_one_event_before_and_one_after() {
    explore(&Dimensions {
        revisions: 2,
        known_before: &[0, 2],
        events: 1,
        definitions: ALL_DEFINITIONS,
        waits: ALL_WAITS,
        after: anything_or_nothing(),
    });
}

#[test]
fn two_revisions_two_events_before() {
    explore(&Dimensions {
        revisions: 2,
        known_before: &[0, 2],
        events: 2,
        definitions: &[0, 1],
        waits: &[1, 4],
        after: vec![None, Some(Event::Write(14))],
    });
}

#[test]
fn three_revisions_one_event_before() {
    explore(&Dimensions {
        revisions: 3,
        known_before: &[0, 2],
        events: 1,
        definitions: &[0, 1],
        waits: &[1, 4],
        after: vec![None],
    });
}

#[test]
fn three_revisions_one_event_after() {
    explore(&Dimensions {
        revisions: 3,
        known_before: &[0],
        events: 0,
        definitions: ALL_DEFINITIONS,
        waits: ALL_WAITS,
        after: anything_or_nothing(),
    });
}

#[test]
fn four_revisions() {
    explore(&Dimensions {
        revisions: 4,
        known_before: &[0, 2],
        events: 0,
        definitions: &[0, 1],
        waits: &[1, 4],
        after: vec![None],
    });
}
