//! Snapshots are taken while compaction asks what nobody holds.

use std::sync::Arc;

use asofdb_format::ids::{EventTime, Span};
use loom::thread;

use super::explore;
use super::lab::{FEATURE, Lab, NOW};
use crate::read::how::Read;
use crate::shape::{bounds, compact};
use crate::state::snapshots::Snapshot;
use crate::types::spec::{Alter, Terms};
use crate::write::definitions;

fn snapshot(lab: &Lab) -> Snapshot {
    lab.keeper.snapshots.hold(|| lab.keeper.state().visible())
}

/// Nothing older than now is kept, except for snapshots.
fn no_history() -> Terms {
    Terms { history: Some(Span::ZERO), ..Terms::default() }
}

#[test]
fn a_snapshot_is_taken_below_what_compaction_takes_for_seen_by_all() {
    explore(3, || {
        let lab = Lab::new(no_history());
        let compactor = thread::spawn({
            let lab = Arc::clone(&lab);
            move || bounds::record(&lab.keeper).unwrap()
        });
        let writer = thread::spawn({
            let lab = Arc::clone(&lab);
            move || lab.write(1, NOW)
        });
        let held = snapshot(&lab);
        let (seen_by_all, written) = (compactor.join().unwrap(), writer.join().unwrap());
        assert!(seen_by_all <= held.commit(), "{seen_by_all:?} passes {:?}", held.commit());
        let later = bounds::record(&lab.keeper).unwrap();
        assert_eq!(later, held.commit().min(written), "of what is held now");
    });
}

#[test]
fn what_a_snapshot_sees_is_dropped_by_a_merge_beside_it() {
    explore(2, || {
        let lab = Lab::new(no_history());
        lab.write(1, EventTime(1));
        lab.flush();
        let merger = thread::spawn({
            let lab = Arc::clone(&lab);
            move || {
                lab.write(2, EventTime(2));
                lab.clock.advance(10);
                lab.flush();
                compact::compact_all(&lab.keeper).unwrap();
            }
        });
        let held = snapshot(&lab);
        let read = || lab.read(&Read::latest().snapshot(&held)).unwrap().numbers;
        let before = read();
        merger.join().unwrap();
        assert_eq!(read(), before, "a snapshot answers otherwise");
    });
}

/// A snapshot is judged by the TTL that it sees: what is stale by a later, shorter one is kept as
/// long as the snapshot is held.
#[test]
fn what_a_snapshot_sees_is_given_up_by_a_ttl_that_it_does_not_see() {
    explore(3, || {
        let ttl = Span::from_micros(1_000);
        let lab = Lab::new(Terms { ttl, ..no_history() });
        lab.write(1, EventTime(NOW.0 - 500));
        lab.clock.tick(1);
        let compactor = thread::spawn({
            let lab = Arc::clone(&lab);
            move || bounds::record(&lab.keeper).map(drop).unwrap()
        });
        let held = snapshot(&lab);
        let read = || lab.read(&Read::latest().snapshot(&held)).unwrap().numbers;
        assert_eq!(read(), [Some(1); 2]);
        let change = Alter::new().ttl(Span::from_micros(1));
        definitions::alter(&lab.keeper, &lab.committer, FEATURE, change).unwrap();
        compactor.join().unwrap();
        assert_eq!(read(), [Some(1); 2], "a snapshot answers otherwise");
    });
}

#[test]
fn a_snapshot_that_was_dropped_is_counted_or_one_that_is_held_is_not() {
    explore(3, || {
        let lab = Lab::new(no_history());
        let first = snapshot(&lab);
        let other = thread::spawn({
            let lab = Arc::clone(&lab);
            move || {
                let second = snapshot(&lab);
                drop(first);
                second
            }
        });
        lab.write(1, NOW);
        let third = snapshot(&lab);
        let second = other.join().unwrap();
        assert_eq!(lab.keeper.snapshots.count(), 2);
        let oldest = second.commit().min(third.commit());
        assert_eq!(lab.keeper.snapshots.oldest(), Some(oldest));
        drop((second, third));
        assert_eq!(lab.keeper.snapshots.oldest(), None);
    });
}
