//! A tree of late records against an ordered map of the same, in each order in which records may come.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;

use asofdb_format::batch::EntryValue;
use asofdb_format::hash::EntityHash;
use asofdb_format::ids::{Commit, EventTime, FeatureId, FileNumber, KnownTime, SourceId};
use asofdb_format::revision::Order;
use asofdb_format::value::Kind;

use crate::state::memtable::{FeatureNode, HeldValue, Incoming, Memtable, Newest};
use crate::sync::Ordering;

const ENTITY: &[u8] = b"e";
const FEATURE: FeatureId = FeatureId(3);
/// Above all that comes late.
const TOP: i64 = 1 << 40;

fn put(memtable: &Memtable, batch: &[(Order, u64)]) {
    let mut inserter = memtable.inserter();
    for (order, bits) in batch {
        let (kind, source, value) = (Kind::Value, SourceId::NONE, EntryValue::Bits(*bits));
        let order = *order;
        inserter.put(ENTITY, Incoming { feature: FEATURE, order, kind, source, value });
    }
    inserter.end();
}

fn order(event_time: i64, known_time: i64, commit: i64) -> Order {
    let (event_time, known_time) = (EventTime(event_time), KnownTime(known_time));
    Order { event_time, known_time, commit: Commit(commit) }
}

fn feature(memtable: &Memtable) -> FeatureNode<'_> {
    memtable.find(EntityHash::of(ENTITY), ENTITY).unwrap().feature(FEATURE).unwrap()
}

/// A number that looks random, of another one.
fn mix(n: i64) -> i64 {
    let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed());
    (n ^ n >> 29).wrapping_mul(0x0bf5_8476_d1ce_4e5b) >> 20 & 0xff_ffff
}

type Way = fn(i64) -> i64;

/// How event times come, one after another.
const WAYS: [(&str, Way); 9] = [
    ("ascending", |n| n),
    ("falling", |n| -n),
    ("anyhow", mix),
    ("from both ends", |n| if n % 2 == 0 { n } else { -n }),
    ("inwards", |n| if n % 2 == 0 { n - 5_000 } else { 5_000 - n }),
    ("of few moments", |n| mix(n) % 5),
    ("runs that ascend", |n| mix(n / 40) * 100 + n % 40),
    // A full leaf is above all that comes after it.
    ("ascending below what is there", |n| if n < 15 { 1 << 24 | n } else { n }),
    ("ascending runs, each below the one before", |n| n % 1_000 - n / 1_000 * 1_000),
];

/// So many in order over all the time of those that come late, some of one moment, then these.
fn filled(way: Way, in_order: i64, len: i64) -> (Memtable, BTreeMap<Order, u64>) {
    let memtable = Memtable::new(FileNumber(1), 1 << 12);
    let mut model = BTreeMap::new();
    let mut arrived = 0;
    let (first, last) = (0..len).map(way).fold((0, 0), |(a, b), t| (t.min(a), t.max(b)));
    let mut batch = Vec::new();
    for n in 0..in_order {
        let time = first - 1 + (last - first + 3) * (n / 3 * 3) / in_order;
        batch.push((order(time, n, n + 1), u64::MAX - n.cast_unsigned()));
    }
    batch.push((order(TOP, 1, in_order + 1), 0));
    for n in 0..len {
        let commit = in_order + n + 2;
        let known_time = if n % 3 == 0 { commit } else { commit - mix(n) % (50 + in_order) };
        // Of some the batch says it twice.
        for _ in 0..=i64::from(n % 11 == 0) {
            arrived += 1;
            batch.push((order(way(n), known_time, commit), arrived));
        }
        model.extend(batch.iter().copied());
        put(&memtable, &batch);
        batch.clear();
    }
    model.extend(batch.iter().copied());
    put(&memtable, &batch);
    (memtable, model)
}

fn check(memtable: &Memtable, model: &BTreeMap<Order, u64>, what: &str) {
    let feature = feature(memtable);
    let told = |t: EventTime| {
        let told = feature.newest_first(t).map(|held| {
            let bits = if let HeldValue::Bits(bits) = held.value { bits } else { u64::MAX };
            (held.order, bits)
        });
        told.collect::<Vec<_>>()
    };
    let all: Vec<(Order, u64)> = model.iter().rev().map(|(order, bits)| (*order, *bits)).collect();
    assert_eq!(told(EventTime::MAX), all, "{what}");
    let mut revisions = Vec::new();
    feature.revisions_into(&mut revisions);
    assert!(revisions.iter().map(|r| &r.order).eq(model.keys()), "{what}");
    let times = all.iter().map(|(order, _)| order.event_time.0);
    let mut moments: Vec<i64> = times.flat_map(|t| [t + 1, t, t - 1]).collect();
    moments.sort_unstable_by_key(|t| std::cmp::Reverse(*t));
    moments.dedup();
    let (mut falling, mut leaping) = (feature.falling(), feature.falling());
    for (n, t) in moments.iter().enumerate() {
        let t = EventTime(*t);
        let from = all.partition_point(|(order, _)| order.event_time > t);
        let wanted = all.get(from).map(|(order, bits)| (order.event_time, order.commit, *bits));
        let told_by = |newest: Newest| {
            assert!(!matches!(newest, Newest::More), "{what}: more than a number");
            let Newest::Number(number) = newest else { return None };
            Some((number.event_time, number.commit, number.bits))
        };
        assert_eq!(told_by(feature.number_up_to(t)), wanted, "{what}, at {t:?}");
        assert_eq!(told_by(falling.number_up_to(t)), wanted, "{what}, at {t:?}, falling");
        if mix(n as i64) % 23 == 0 {
            assert_eq!(told_by(leaping.number_up_to(t)), wanted, "{what}, at {t:?}, leaping");
            assert_eq!(told(t), all[from..], "{what}, at {t:?}");
        }
    }
}

#[test]
fn what_came_late_is_lost_or_told_of_another_moment() {
    for (what, way) in WAYS {
        for in_order in [0, 1, 2, 7, 100] {
            for len in (0..40).chain([100, 241, 1_000]) {
                let (memtable, model) = filled(way, in_order, len);
                check(&memtable, &model, &format!("{what}, {in_order} in order, {len} late"));
            }
        }
    }
}

#[test]
fn what_comes_late_takes_much_memory() {
    for (what, way) in WAYS {
        let mut figures = Vec::new();
        for len in [1, 2, 7, 15, 16, 100, 10_000] {
            let memtables: Vec<_> = (0..20_000 / len).map(|_| filled(way, 0, len).0).collect();
            let words: u64 = memtables.iter().map(|m| m.nodes.handed_out()).sum();
            let records = memtables.len() as u64 * len.cast_unsigned();
            figures.push((len, words * 8 / records));
            assert!(words * 8 / records <= 200, "{what}, {figures:?}");
        }
        println!("late records of a feature, {what}, and bytes of each: {figures:?}");
    }
}

/// A reader finds all that was there before it looked, however leaves make way for others meanwhile.
#[test]
fn what_came_late_is_missed_while_more_comes() {
    const LEN: i64 = 3_000;
    let mut looks = 0;
    for (what, way) in WAYS {
        let memtable = Memtable::new(FileNumber(1), 1 << 16);
        let orders: Vec<Order> = (0..LEN).map(|n| order(way(n), n + 2, n + 2)).collect();
        // Some late ones are before all that is in order, others among it.
        let in_order = [-50, 0, 30, 500, 9_000, 1 << 20, TOP].map(|t| (order(t, 1, 1), 0));
        put(&memtable, &in_order);
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for (n, order) in orders.iter().enumerate() {
                    put(&memtable, &[(*order, 7)]);
                    done.store(n + 1, Ordering::Release);
                }
            });
            let mut seen = 0;
            while seen < orders.len() {
                seen = done.load(Ordering::Acquire);
                let feature = feature(&memtable);
                let all: Vec<Order> =
                    feature.newest_first(EventTime::MAX).map(|held| held.order).collect();
                assert!(all.is_sorted_by(|newer, older| newer > older), "{what}");
                let found = all.iter().filter(|order| order.commit.0 < seen as i64 + 2).count();
                assert_eq!(found, seen + in_order.len(), "{what}");
                let mut falling = feature.falling();
                for asked in orders[..seen].iter().rev().step_by(17) {
                    let t = asked.event_time;
                    let Newest::Number(number) = feature.number_up_to(t) else { panic!("{what}") };
                    assert_eq!(number.event_time, t, "{what}");
                }
                for asked in all.iter().skip(1).step_by(7) {
                    let t = asked.event_time;
                    let Newest::Number(number) = falling.number_up_to(t) else { panic!("{what}") };
                    assert_eq!(number.event_time, t, "{what}");
                }
                looks += 1;
            }
        });
    }
    println!("{looks} looks while records came late, none missed one");
}
