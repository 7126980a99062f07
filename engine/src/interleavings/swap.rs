//! The live state is swapped under readers: what they pinned stays whole, and is of one moment.

use std::sync::Arc;

use asofdb_format::ids::{EventTime, Span};
use loom::thread::{self, JoinHandle};

use super::explore;
use super::lab::{FEATURE, Lab, NOW, Seen};
use crate::read::how::{Read, Stand};
use crate::read::plan::{Pinned, Plan};
use crate::read::row::read_row;
use crate::shape::flush::flush_one;
use crate::types::answer::Answer;
use crate::types::spec::{Alter, Terms};
use crate::write::batch::Durability;
use crate::write::definitions;
use crate::write::taking_back::{self, Revert};

/// A lab with one batch of number 1, in a memtable that waits for its flush.
fn sealed() -> Arc<Lab> {
    let lab = Lab::new(Terms::default());
    lab.write(1, EventTime(1));
    lab.committer.rotate(0).unwrap();
    lab
}

/// A thread that reads once.
fn latest(lab: &Arc<Lab>) -> JoinHandle<Seen> {
    let lab = Arc::clone(lab);
    thread::spawn(move || lab.read(&Read::latest()).unwrap())
}

#[test]
fn a_flush_hides_or_doubles_what_it_moves() {
    explore(3, || {
        let lab = sealed();
        let flusher = thread::spawn({
            let lab = Arc::clone(&lab);
            move || assert!(flush_one(&lab.keeper).unwrap())
        });
        let plan = Plan::new(&lab.keeper, &lab.selection, &Read::latest()).unwrap();
        let in_memory = plan.state.memtables.iter().map(|memtable| memtable.revisions());
        let in_tables = plan.state.tables.all().map(|table| table.entry.revisions);
        assert_eq!(in_memory.chain(in_tables).sum::<u64>(), 2, "records of two entities");
        assert_eq!(lab.read_at(&plan).unwrap().numbers, [Some(1); 2]);
        flusher.join().unwrap();
        assert_eq!(lab.read_at(&plan).unwrap().numbers, [Some(1); 2], "the pinned state changed");
    });
}

#[test]
fn a_flush_takes_back_a_batch_that_is_written_beside_it() {
    explore(2, || {
        let lab = sealed();
        let flusher = thread::spawn({
            let lab = Arc::clone(&lab);
            move || assert!(flush_one(&lab.keeper).unwrap())
        });
        let written = lab.write_as(2, EventTime(2), Durability::Buffered, Some("job")).unwrap();
        let check = || {
            let seen = lab.read(&Read::latest()).unwrap();
            assert!(written <= seen.stamp.commit && seen.numbers == [Some(2); 2], "{seen:?}");
            assert_eq!(lab.keeper.state().sources.each().count(), 1, "the source is not known");
        };
        check();
        flusher.join().unwrap();
        check();
    });
}

#[test]
fn a_new_memtable_hides_what_is_in_the_full_one() {
    explore(2, || {
        let lab = Lab::new(Terms::default());
        let first = lab.write(1, EventTime(1));
        let reader = latest(&lab);
        lab.committer.rotate(0).unwrap();
        let second = lab.write(2, EventTime(2));
        let seen = reader.join().unwrap();
        let number = if seen.stamp.commit < second { 1 } else { 2 };
        assert!(first <= seen.stamp.commit && seen.numbers == [Some(number); 2], "{seen:?}");
    });
}

/// The stamp of a read that was under way when a revert came either stands before the revert, or
/// the read knew of it.
#[test]
fn a_stamp_of_a_read_beside_a_revert_answers_otherwise_later() {
    explore(3, || {
        let lab = Lab::new(Terms::default());
        let bad = lab.write(1, EventTime(1));
        let reader = latest(&lab);
        let what = Revert::commits([bad]);
        taking_back::revert(&lab.keeper, &lab.committer, &what, false).unwrap();
        let seen = reader.join().unwrap();
        assert_eq!(lab.read(&Read::at(seen.stamp)).unwrap(), seen, "not what was read");
    });
}

#[test]
fn a_stamp_of_a_read_beside_an_alter_answers_otherwise_later() {
    explore(3, || {
        let lab = Lab::new(Terms::default());
        lab.write(1, EventTime(1));
        let reader = latest(&lab);
        let change = Alter::new().ttl(Some(Span::from_micros(1).unwrap()));
        definitions::alter(&lab.keeper, &lab.committer, FEATURE, change).unwrap();
        let seen = reader.join().unwrap();
        assert_eq!(lab.read(&Read::at(seen.stamp)).unwrap(), seen, "not what was read");
    });
}

/// Every answer can tell its source, also that of the first batch which the source wrote.
#[test]
fn an_answer_does_not_tell_the_source_of_a_batch_written_beside_it() {
    explore(3, || {
        let lab = Lab::new(Terms::default());
        let reader = thread::spawn({
            let lab = Arc::clone(&lab);
            move || {
                let plan = Plan::new(&lab.keeper, &lab.selection, &Read::latest()).unwrap();
                let row = read_row(&plan, b"ant").unwrap();
                if let Answer::Value(_, origin) = &row.answers[0] {
                    assert_eq!(origin.source.as_deref(), Some("job"));
                }
            }
        });
        lab.write_as(1, EventTime(1), Durability::Buffered, Some("job")).unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn a_pinned_state_is_seen_from_a_commit_behind_an_alter_that_it_has_not() {
    explore(3, || {
        let lab = Lab::new(Terms::default());
        let reader = thread::spawn({
            let lab = Arc::clone(&lab);
            move || {
                let pinned = Pinned::new(&lab.keeper, &Stand::Newest).unwrap();
                let altered = pinned.state.catalog.all().any(|known| known.changes().len() > 1);
                (altered, pinned.seen_from)
            }
        });
        let change = Alter::new().history(Some(Span::ZERO));
        definitions::alter(&lab.keeper, &lab.committer, FEATURE, change).unwrap();
        let written = lab.write(1, NOW);
        let (altered, seen_from) = reader.join().unwrap();
        assert!(altered || seen_from < written, "an alter below the batch is not known");
    });
}
