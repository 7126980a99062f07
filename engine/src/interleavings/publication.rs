//! A batch is seen whole or not at all, and in the order of commits.

use std::sync::Arc;

use asofdb_format::batch::EntryValue;
use asofdb_format::hash::EntityHash;
use asofdb_format::ids::{Commit, EventTime, FeatureId, FileNumber, KnownTime, SourceId};
use asofdb_format::revision::{Order, Payload};
use asofdb_format::value::Kind;
use loom::thread;

use super::explore;
use super::lab::{Lab, NOW, Seen};
use crate::read::how::{Read, Stand};
use crate::read::plan::{Pinned, Plan};
use crate::read::row::read_row;
use crate::state::append::AppendList;
use crate::state::memtable::{FeatureNode, Incoming, Memtable, Newest, Number};
use crate::state::visible::Visible;
use crate::types::spec::Terms;

/// A read sees the last of the batches at or below its stamp, which are given in their order.
fn check(seen: &Seen, batches: &[(Commit, i64)]) {
    let last = batches.iter().rev().find(|(commit, _)| *commit <= seen.stamp.commit);
    assert_eq!(seen.numbers, [last.map(|(_, number)| *number); 2], "{seen:?} of {batches:?}");
}

#[test]
fn a_read_sees_half_a_batch() {
    explore(3, || {
        let lab = Lab::new(Terms::default());
        let reader = thread::spawn({
            let lab = Arc::clone(&lab);
            move || lab.read(&Read::latest()).unwrap()
        });
        let batch = (lab.write(1, EventTime(1)), 1);
        check(&reader.join().unwrap(), &[batch]);
    });
}

#[test]
fn a_read_sees_an_older_commit_than_the_read_before_it() {
    explore(3, || {
        let lab = Lab::new(Terms::default());
        let reader = thread::spawn({
            let lab = Arc::clone(&lab);
            move || [(); 2].map(|()| Pinned::new(&lab.keeper, &Stand::Newest).unwrap().seen_from)
        });
        for number in [1, 2] {
            lab.write(number, EventTime(number));
        }
        assert!(reader.join().unwrap().is_sorted(), "commits go back");
    });
}

#[test]
fn a_read_sees_a_commit_and_not_the_one_below_it() {
    explore(1, || {
        let lab = Lab::new(Terms::default());
        let other = thread::spawn({
            let lab = Arc::clone(&lab);
            move || (lab.write(1, EventTime(1)), 1)
        });
        let reader = thread::spawn({
            let lab = Arc::clone(&lab);
            move || {
                let plan = Plan::new(&lab.keeper, &lab.selection, &Read::latest()).unwrap();
                (plan.stamp.commit, read_row(&plan, b"ant").unwrap().answers[0].as_i64())
            }
        });
        let own = (lab.write(2, EventTime(1)), 2);
        let mut batches = [own, other.join().unwrap()];
        batches.sort_unstable();
        let (seen_from, number) = reader.join().unwrap();
        let below = batches.iter().rev().find(|(commit, _)| *commit <= seen_from);
        assert_eq!(number, below.map(|(_, number)| *number), "{seen_from:?} of {batches:?}");
        let last = lab.read(&Read::latest()).unwrap();
        assert_eq!(last.stamp.commit, batches[1].0, "the newest commit is not seen");
        check(&last, &batches);
    });
}

#[test]
fn a_writer_does_not_see_its_own_batch() {
    explore(2, || {
        let lab = Lab::new(Terms::default());
        let other = thread::spawn({
            let lab = Arc::clone(&lab);
            move || lab.write(1, EventTime(1))
        });
        let own = lab.write(2, EventTime(2));
        let seen = lab.read(&Read::latest()).unwrap();
        assert!(own <= seen.stamp.commit && seen.numbers == [Some(2); 2], "{own:?} {seen:?}");
        other.join().unwrap();
    });
}

#[test]
fn a_list_has_a_length_and_lacks_an_element() {
    explore(3, || {
        let list = Arc::new(AppendList::new());
        list.push(0);
        let reader = thread::spawn({
            let list = Arc::clone(&list);
            move || (0..list.len()).map(|index| list.get(index).copied()).collect::<Vec<_>>()
        });
        for element in 1..4 {
            list.push(element);
        }
        let elements = reader.join().unwrap();
        let whole: Vec<_> = (0..elements.len()).map(Some).collect();
        assert_eq!(elements, whole);
    });
}

/// A revision that comes late stands beside the list of those in order; one behind another grows it.
#[test]
fn a_memtable_shows_a_commit_and_lacks_revisions_of_it() {
    explore(2, || {
        let shared = Arc::new((Memtable::new(FileNumber(1), 0), Visible::new(Commit(0))));
        let write = |(commit, time)| {
            put(&shared.0, commit, EventTime(time), &[FEATURE_ID]);
            shared.1.publish(commit);
        };
        let mut all = (1..).map(Commit).zip(TIMES);
        all.next().into_iter().for_each(write);
        let reader = thread::spawn({
            let shared = Arc::clone(&shared);
            move || find(&shared.0, &shared.1)
        });
        all.for_each(write);
        reader.join().unwrap();
    });
}

/// A leaf of what came late is full, and makes way for two below a fork, and that fork for two below
/// another: here leaves have room for three records and forks for two children.
#[test]
fn what_came_late_is_missed_while_a_leaf_makes_way() {
    const IN_ORDER: [i64; 2] = [15, 100];
    const LATE: [i64; 6] = [40, 10, 70, 30, 20, 25];
    for (before, preemptions) in [(0, 2), (3, 2), (5, 1)] {
        explore(preemptions, move || {
            let shared = Arc::new((Memtable::new(FileNumber(1), 0), Visible::new(Commit(0))));
            let write = |nth: usize, time| {
                let commit = Commit(i64::try_from(nth).unwrap() + 1);
                put(&shared.0, commit, EventTime(time), &[FEATURE_ID]);
                shared.1.publish(commit);
            };
            let all = IN_ORDER.into_iter().chain(LATE).enumerate();
            let written = IN_ORDER.len() + before;
            all.clone().take(written).for_each(|(nth, time)| write(nth, time));
            let reader = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    find(&shared.0, &shared.1);
                    find_late(&shared.0, &shared.1, IN_ORDER.len(), &LATE);
                }
            });
            all.skip(written).take(1).for_each(|(nth, time)| write(nth, time));
            reader.join().unwrap();
        });
    }
}

/// Finds each of those that came late that is visible, from the latest moment on.
fn find_late(memtable: &Memtable, visible: &Visible, in_order: usize, late: &[i64]) {
    let shown = usize::try_from(visible.get().0).unwrap() - in_order;
    let node = memtable.find(EntityHash::of(ENTITY), ENTITY).unwrap();
    let feature = node.feature(FEATURE_ID).unwrap();
    let mut falling = feature.falling();
    let mut times: Vec<i64> = late.iter().take(shown).copied().collect();
    times.sort_unstable_by_key(|time| std::cmp::Reverse(*time));
    for t in times.into_iter().map(EventTime) {
        for found in [falling.number_up_to(t), feature.number_up_to(t)] {
            let Newest::Number(found) = found else { panic!("{found:?} at {t:?}") };
            assert_eq!(found.event_time, t, "{shown} are shown");
        }
    }
}

/// A batch says one thing twice that came late; who does not see it compares its order all the same.
#[test]
fn what_came_late_is_missed_while_another_is_written_over() {
    explore(1, || {
        let shared = Arc::new((Memtable::new(FileNumber(1), 0), Visible::new(Commit(0))));
        let write = |commit: i64, event_time: i64, known_time: i64, times: usize| {
            let (event_time, known_time) = (EventTime(event_time), KnownTime(known_time));
            let order = Order { event_time, known_time, commit: Commit(commit) };
            let (kind, source, value) = (Kind::Value, SourceId::NONE, EntryValue::Bits(7));
            let mut inserter = shared.0.inserter();
            for _ in 0..times {
                let feature = FEATURE_ID;
                inserter.put(ENTITY, Incoming { feature, order, kind, source, value });
            }
            inserter.end();
            shared.1.publish(Commit(commit));
        };
        for (commit, event_time, known_time) in [(1, 100, 1), (2, 5, 20), (3, 5, 3)] {
            write(commit, event_time, known_time, 1);
        }
        let reader = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let visible = shared.1.get();
                let node = shared.0.find(EntityHash::of(ENTITY), ENTITY).unwrap();
                let found = node.feature(FEATURE_ID).unwrap().newest_first(EventTime(5));
                // What is told twice would be told for ever.
                let found: Vec<Commit> = found.map(|held| held.order.commit).take(9).collect();
                let shown: Vec<Commit> =
                    found.iter().copied().filter(|c| *c <= Commit(3)).collect();
                assert_eq!(shown, [2, 3].map(Commit), "{visible:?} is shown, found are {found:?}");
            }
        });
        write(4, 5, 10, 2);
        reader.join().unwrap();
    });
}

/// The newest record gives its place to the next one while somebody reads it, in each of the ways
/// that there are.
#[test]
fn a_feature_shows_words_of_two_records() {
    for read in [read_number, read_number_up_to, read_falling, read_revision] {
        explore(2, move || {
            let shared = Arc::new((Memtable::new(FileNumber(1), 0), Visible::new(Commit(0))));
            let put = |commit: i64| {
                let (event_time, known_time) = (EventTime(commit * 10), KnownTime(commit));
                let order = Order { event_time, known_time, commit: Commit(commit) };
                let (kind, source) = (Kind::Value, SourceId::NONE);
                let (feature, value) = (FEATURE_ID, EntryValue::Bits(commit.cast_unsigned()));
                let mut inserter = shared.0.inserter();
                inserter.put(ENTITY, Incoming { feature, order, kind, source, value });
                inserter.end();
                shared.1.publish(Commit(commit));
            };
            put(1);
            let reader = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    let visible = shared.1.get();
                    let node = shared.0.find(EntityHash::of(ENTITY), ENTITY).unwrap();
                    read(&node.feature(FEATURE_ID).unwrap(), visible);
                }
            });
            put(2);
            reader.join().unwrap();
        });
    }
}

fn check_number(number: Number, visible: Commit) {
    let Number { event_time, commit, bits, .. } = number;
    let is_one = event_time.0 == commit.0 * 10 && bits.cast_signed() == commit.0;
    assert!(is_one, "words of two records: {number:?}");
    assert!(visible <= commit, "{number:?} is not the newest of {visible:?}");
}

fn read_number(feature: &FeatureNode<'_>, visible: Commit) {
    assert!(feature.upper_bound().0 >= visible.0 * 10, "a bound is below what is visible");
    feature.newest_value().into_iter().for_each(|(number, _)| check_number(number, visible));
}

fn read_number_up_to(feature: &FeatureNode<'_>, visible: Commit) {
    check_newest(feature.number_up_to(EventTime(visible.0 * 10)), visible);
}

fn read_falling(feature: &FeatureNode<'_>, visible: Commit) {
    let mut falling = feature.falling();
    for commit in (1..=visible.0).rev() {
        check_newest(falling.number_up_to(EventTime(commit * 10)), Commit(commit));
    }
}

fn check_newest(newest: Newest, commit: Commit) {
    match newest {
        Newest::Number(number) => {
            check_number(number, commit);
            assert_eq!(number.commit, commit);
        }
        other => panic!("{other:?} where {commit:?} is visible"),
    }
}

fn read_revision(feature: &FeatureNode<'_>, visible: Commit) {
    let newest = feature.newest(EventTime::MAX, |order, _| order.commit <= visible).unwrap();
    let (event_time, commit) = (newest.order.event_time.0, newest.order.commit);
    assert_eq!((event_time, commit), (visible.0 * 10, visible), "words of two records");
    assert_eq!(newest.revision().payload, Payload::Bits(visible.0.cast_unsigned()));
}

const FEATURE_ID: FeatureId = FeatureId(1);
const ENTITY: &[u8] = b"ant";
const TIMES: [i64; 3] = [10, 30, 20];

/// Puts a revision of each of some features into a memtable.
fn put(memtable: &Memtable, commit: Commit, event_time: EventTime, features: &[FeatureId]) {
    let order = Order { event_time, known_time: KnownTime(commit.0), commit };
    let (kind, source, value) = (Kind::Value, SourceId::NONE, EntryValue::Bits(7));
    let mut inserter = memtable.inserter();
    for feature in features.iter().copied() {
        inserter.put(ENTITY, Incoming { feature, order, kind, source, value });
    }
    inserter.end();
}

/// Finds all that is visible, newest first.
fn find(memtable: &Memtable, visible: &Visible) {
    let visible = visible.get();
    let bound = memtable.upper_bound();
    let node = memtable.find(EntityHash::of(ENTITY), ENTITY);
    let found = node.and_then(|node| node.feature(FEATURE_ID));
    let found = found.map(|feature| feature.newest_first(NOW).map(|held| held.order));
    let mut found: Vec<Order> = found.into_iter().flatten().collect();
    found.retain(|order| order.commit <= visible);
    assert!(found.is_sorted_by(|a, b| a > b), "not newest first: {found:?}");
    let shown = usize::try_from(visible.0).unwrap();
    assert_eq!(found.len(), shown, "{visible:?} is shown, of it are found {found:?}");
    let above = |order: &Order| order.event_time > bound.event_time;
    assert!(!found.iter().any(above), "{found:?} are above {bound:?}");
}

/// Where nothing is written yet a place of a group reads as the feature 0.
#[test]
fn a_feature_that_is_put_beside_others_hides_one_or_is_taken_for_another() {
    explore(2, || {
        // Entities had three features before, so that there is room for them in the first group.
        let before = Memtable::new(FileNumber(1), 0);
        put(&before, Commit(1), EventTime(1), &[0, 1, 2].map(FeatureId));
        let memtable = Memtable::after(&before, FileNumber(2), 0);
        let shared = Arc::new((memtable, Visible::new(Commit(0))));
        let reader = thread::spawn({
            let shared = Arc::clone(&shared);
            move || find_each(&shared.0, &shared.1)
        });
        for (commit, feature) in (1..).map(Commit).zip(ONE_BY_ONE) {
            put(&shared.0, commit, EventTime(commit.0), &[feature]);
            shared.1.publish(commit);
        }
        reader.join().unwrap();
    });
}

const ONE_BY_ONE: [FeatureId; 2] = [FeatureId(2), FeatureId(1)];
const NEVER_PUT: FeatureId = FeatureId(0);

/// Finds of each feature its own revision, if that is visible, and no other's.
fn find_each(memtable: &Memtable, visible: &Visible) {
    let visible = visible.get();
    let node = memtable.find(EntityHash::of(ENTITY), ENTITY);
    let find = |feature| -> Vec<Commit> {
        let found = node.and_then(|node| node.feature(feature));
        let found = found.map(|feature| feature.newest_first(NOW).map(|held| held.order.commit));
        found.into_iter().flatten().collect()
    };
    for (commit, feature) in (1..).map(Commit).zip(ONE_BY_ONE) {
        let found = find(feature);
        let is_right = found == [commit] || found.is_empty() && visible < commit;
        assert!(is_right, "{visible:?} is shown, of {feature:?}, put at {commit:?}, are {found:?}");
    }
    let found = find(NEVER_PUT);
    assert!(found.is_empty(), "of {NEVER_PUT:?}, which was never put, are {found:?}");
}
