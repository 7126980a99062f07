//! Item 3: several writes of one version. The order is known time, then commit, then the place in the batch; no kind
//! is stronger than another.

use asofdb_tests::answer::Answer;
use asofdb_tests::case::{
    Case, as_of, delete, deleted, last_n, latest, null, null_value, put, value,
};
use asofdb_tests::question::Put;

const KINDS: [&str; 3] = ["put", "null", "delete"];

/// The n-th write of the version at 10.
fn write(kind: &str, n: i64) -> Put {
    match kind {
        "put" => put(10, n),
        "null" => null(10),
        _ => delete(10),
    }
}

/// What a reader is told if that write stands.
fn told(kind: &str, n: i64, known: i64) -> Answer {
    match kind {
        "put" => value(n).at(10).known(known),
        "null" => null_value().at(10).known(known),
        _ => deleted().at(10),
    }
}

/// Every sequence of so many kinds.
fn orders(writes: usize) -> Vec<Vec<&'static str>> {
    (0..writes).fold(vec![Vec::new()], |shorter, _| {
        let longer = |order: &Vec<&'static str>| {
            KINDS.map(|kind| order.iter().copied().chain([kind]).collect::<Vec<_>>())
        };
        shorter.iter().flat_map(longer).collect()
    })
}

/// One after another at 100, 101, 102: the last stands, and each stood until the next was known.
fn the_last_of(order: &[&str]) {
    let mut case = Case::new().clock(100);
    for (kind, n) in order.iter().zip(0..) {
        case = case.write([write(kind, n)]).read(as_of(10), told(kind, n, 100 + n));
    }
    for (kind, n) in order.iter().zip(0..) {
        case = case.read(as_of(10).known_at(100 + n), told(kind, n, 100 + n));
    }
    let (kind, n) = order.iter().zip(0..).last().unwrap_or((&"put", 0));
    let stands = told(kind, n, 100 + n);
    case.read(latest(), stands.clone()).read(last_n(50, 9), [stands]).check();
}

pub fn of_two_writes_in_every_order_of_kinds_the_last_stands() {
    let orders = orders(2);
    assert_eq!(orders.len(), 9);
    orders.iter().for_each(|order| the_last_of(order));
}

pub fn of_three_writes_in_every_order_of_kinds_the_last_stands() {
    let orders = orders(3);
    assert_eq!(orders.len(), 27);
    orders.iter().for_each(|order| the_last_of(order));
}

pub fn of_two_writes_in_one_batch_the_later_place_stands() {
    for order in orders(2) {
        let puts = order.iter().zip(0..).map(|(kind, n)| write(kind, n));
        Case::new()
            .clock(100)
            .write(puts)
            .read(as_of(10), told(order[1], 1, 100))
            .read(as_of(10).known_at(100), told(order[1], 1, 100))
            .read(last_n(50, 9), [told(order[1], 1, 100)])
            .check();
    }
}

pub fn of_three_writes_in_one_batch_the_latest_place_stands() {
    for order in orders(3) {
        let puts = order.iter().zip(0..).map(|(kind, n)| write(kind, n));
        let stands = told(order[2], 2, 100);
        Case::new().clock(100).write(puts).read(as_of(10), stands).check();
    }
}

/// Imported in the wrong order, the last first: what was known last stands all the same.
pub fn of_three_imports_the_one_known_last_stands_in_whatever_order_they_come() {
    for order in orders(3) {
        let mut case = Case::new().clock(100);
        for (kind, n) in order.iter().zip(0..) {
            case =
                case.write([write(kind, n).known(50 - n)]).read(as_of(10), told(order[0], 0, 50));
        }
        case.read(as_of(10).known_at(49), told(order[1], 1, 49))
            .read(as_of(10).known_at(48), told(order[2], 2, 48))
            .check();
    }
}

pub fn of_two_writes_known_at_the_same_time_the_later_commit_stands() {
    for order in orders(2) {
        Case::new()
            .clock(100)
            .write([write(order[0], 0).known(50)])
            .write([write(order[1], 1).known(50)])
            .read(as_of(10), told(order[1], 1, 50))
            .read(as_of(10).known_at(50), told(order[1], 1, 50))
            .check();
    }
}
