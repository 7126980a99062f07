//! Item 9: a deletion far below the horizon, and older data that lies in another file, in the log, or comes later.

use asofdb_tests::answer::Answer;
use asofdb_tests::case::{
    Case, as_of, delete, deleted, last_n, latest, missing, numbers, put, value,
};
use asofdb_tests::question::Definition;

/// What may be done between two writes. Nothing leaves them in the log and in memory.
const PLACES: [&str; 4] = ["nothing", "flush", "compact", "reopen"];

fn place(case: Case, what: &str) -> Case {
    match what {
        "flush" => case.flush(),
        "compact" => case.compact(),
        "reopen" => case.reopen(),
        _ => case,
    }
}

/// A value of 10, its deletion at 20, and a value of 15 that is imported when both have long been below the horizon;
/// in every arrangement of the three over files and the log.
fn in_every_arrangement(definition: &Definition, now: &Answer, versions: &[Answer]) {
    for older in PLACES {
        for tombstone in PLACES {
            // The arrangements of a case have the other places, too.
            for late in ["nothing", "compact"] {
                let case = Case::of(definition.clone()).clock(100).write([put(10, 1).known(10)]);
                let case = place(case, older).write([delete(20).known(20)]);
                let case = place(case, tombstone).clock(1_000).write([put(15, 7).known(15)]);
                place(case, late)
                    .read(latest(), now.clone())
                    .read(as_of(950), now.clone())
                    .read(last_n(1_000, 9), versions.to_vec())
                    .check();
            }
        }
    }
}

pub fn older_data_does_not_come_back_from_below_a_tombstone() {
    let gone = deleted().at(20);
    in_every_arrangement(&numbers().history(50), &gone, std::slice::from_ref(&gone));
}

/// With a TTL the tombstone is older than anything could be fresh, and stands all the same.
pub fn a_stale_tombstone_does_not_let_older_data_expire_instead() {
    let gone = deleted().at(20);
    in_every_arrangement(&numbers().history(50).ttl(10), &gone, std::slice::from_ref(&gone));
}

/// When a tombstone is forgotten, all that it hid is forgotten with it.
pub fn a_forgotten_tombstone_takes_all_that_is_older_with_it() {
    let forgetful = numbers().history(50).ttl(10).forget_after(60);
    in_every_arrangement(&forgetful, &missing(), &[]);
}

/// The store's process dies after the tombstone was compacted and while the older data is in the log alone.
pub fn older_data_does_not_come_back_out_of_the_log() {
    Case::of(numbers().history(50))
        .clock(100)
        .write([delete(20).known(20)])
        .clock(1_000)
        .compact()
        .write([put(10, 1).known(10)])
        .reopen()
        .read(latest(), deleted().at(20))
        .compact()
        .read(latest(), deleted().at(20))
        .reopen()
        .read(latest(), deleted().at(20))
        .check();
}

pub fn newer_data_over_a_tombstone_does_not_uncover_older_data_when_it_is_taken_back() {
    Case::of(numbers().history(50))
        .clock(100)
        .write([put(10, 1).known(10)])
        .write([delete(20).known(20)])
        .clock(1_000)
        .write_from("bad load", [put(990, 9)])
        .read(latest(), value(9).at(990).known(1_000))
        .compact()
        .revert("bad load")
        .read(latest(), deleted().at(20))
        .compact()
        .read(latest(), deleted().at(20))
        .check();
}
