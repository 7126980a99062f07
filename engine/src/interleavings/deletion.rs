//! Files of merged tables go when their last reader has let go of them, and not before.

use std::path::PathBuf;
use std::sync::Arc;

use asofdb_format::ids::EventTime;
use loom::thread;

use super::explore;
use super::lab::Lab;
use crate::read::how::Read;
use crate::read::plan::Plan;
use crate::shape::compact;
use crate::types::spec::Terms;

/// A lab with two tables.
fn two_tables() -> Arc<Lab> {
    let lab = Lab::new(Terms::default());
    for number in [1, 2] {
        lab.write(number, EventTime(number));
        lab.flush();
    }
    lab
}

fn tables(lab: &Lab) -> Vec<PathBuf> {
    lab.keeper.state().tables.all().map(|table| table.path().to_owned()).collect()
}

/// Reads a state; its files are there before and afterwards.
fn read(lab: &Lab) {
    let plan = Plan::new(&lab.keeper, &lab.selection, &Read::latest()).unwrap();
    let check = || {
        for table in plan.state.tables.all() {
            assert_eq!(lab.disk.removals(table.path()), 0, "{:?} is read", table.path());
        }
    };
    check();
    assert_eq!(lab.read_at(&plan).unwrap().numbers, [Some(2); 2]);
    check();
}

/// The files that were merged are gone, each removed once, and those that stand for them are there.
fn check_swept(lab: &Lab, merged: &[PathBuf]) {
    for path in merged {
        assert_eq!(lab.disk.removals(path), 1, "{path:?} was merged and nobody reads it");
    }
    for path in tables(lab) {
        assert_eq!(lab.disk.removals(&path), 0, "{path:?} is in the store");
    }
}

#[test]
fn a_table_is_removed_under_its_reader_or_never() {
    explore(3, || {
        let lab = two_tables();
        let merged = tables(&lab);
        let merger = thread::spawn({
            let lab = Arc::clone(&lab);
            move || compact::compact_all(&lab.keeper).unwrap()
        });
        read(&lab);
        merger.join().unwrap();
        check_swept(&lab, &merged);
    });
}

#[test]
fn a_table_is_removed_under_the_second_of_its_readers() {
    explore(2, || {
        let lab = two_tables();
        let merged = tables(&lab);
        let merger = thread::spawn({
            let lab = Arc::clone(&lab);
            move || compact::compact_all(&lab.keeper).unwrap()
        });
        let reader = thread::spawn({
            let lab = Arc::clone(&lab);
            move || read(&lab)
        });
        read(&lab);
        merger.join().unwrap();
        reader.join().unwrap();
        check_swept(&lab, &merged);
    });
}

#[test]
fn a_table_is_removed_under_a_merge_of_it_beside_a_flush() {
    explore(2, || {
        let lab = two_tables();
        let merged = tables(&lab);
        lab.write(3, EventTime(3));
        lab.committer.rotate(0).unwrap();
        let merger = thread::spawn({
            let lab = Arc::clone(&lab);
            move || compact::compact_all(&lab.keeper).unwrap()
        });
        assert!(crate::shape::flush::flush_one(&lab.keeper).unwrap());
        merger.join().unwrap();
        check_swept_beside_a_flush(&lab, &merged);
    });
}

/// The merge may have begun before the flush or after it.
fn check_swept_beside_a_flush(lab: &Lab, merged: &[PathBuf]) {
    check_swept(lab, merged);
    let state = lab.keeper.state();
    let revisions: u64 = state.tables.all().map(|table| table.entry.revisions).sum();
    assert_eq!(revisions, 6, "records are missing or doubled");
    assert_eq!(lab.read(&Read::latest()).unwrap().numbers, [Some(3); 2]);
}
