//! A memtable against an ordered map of the same revisions.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use asofdb_format::batch::EntryValue;
use asofdb_format::revision::{Payload, Revision};
use asofdb_format::value::Kind;

use super::*;

type Model = BTreeMap<(Vec<u8>, FeatureId), BTreeMap<Order, Revision>>;

/// Numbers that look random, the same for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % limit
    }
}

fn filled(random: &mut Random) -> (Memtable, Model) {
    let memtable = Memtable::new(FileNumber(1), 1 << 12);
    let mut model = Model::new();
    let raw = [b"long bytes".as_slice(), b"", b"x"];
    let entities: Vec<Vec<u8>> = (1..20usize).map(|n| vec![b'e'; n]).collect();
    for commit in 1..200i64 {
        let mut inserter = memtable.inserter();
        for _ in 0..1 + random.below(60) {
            let entity = &entities[narrow(random.below(if commit < 100 { 3 } else { 19 }))];
            let feature = FeatureId(u32::try_from(random.below(7) * 11).unwrap());
            let late = if random.below(9) == 0 { 50 } else { 2 };
            let event_time = EventTime(commit - random.below(late).cast_signed());
            let known = if random.below(4) == 0 { commit - 1 } else { commit };
            let (known_time, commit) = (KnownTime(known), Commit(commit));
            let value = match random.below(4) {
                0 => EntryValue::None,
                1 => EntryValue::Raw(raw[narrow(random.below(3))]),
                _ => EntryValue::Bits(random.below(u64::from(u32::MAX)) << 20),
            };
            let kind = if value == EntryValue::None { Kind::Null } else { Kind::Value };
            let order = Order { event_time, known_time, commit };
            let source = SourceId(u32::try_from(random.below(3)).unwrap());
            inserter.put(entity, Incoming { feature, order, kind, source, value });
            let revision = Revision { order, kind, source, payload: value.to_payload() };
            model.entry((entity.clone(), feature)).or_default().insert(order, revision);
        }
        inserter.end();
    }
    (memtable, model)
}

fn narrow(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

#[test]
fn a_revision_is_lost_or_found_in_another_place() {
    let mut found_all = 0;
    let (mut numbers, mut more) = (0, 0);
    for seed in 0..8 {
        let mut random = Random(seed);
        let (memtable, model) = filled(&mut random);
        for ((entity, feature), revisions) in &model {
            let node = memtable.find(EntityHash::of(entity), entity).unwrap();
            let found = node.feature(*feature).unwrap();
            for t in [i64::MIN, 0, 1, 60, 198, 199, i64::MAX].map(EventTime) {
                let mut newest: Vec<_> =
                    found.newest_first(t).map(|held| held.revision()).collect();
                newest.dedup_by_key(|revision| revision.order);
                let wanted = revisions.values().rev().filter(|r| r.order.event_time <= t).cloned();
                assert_eq!(newest, wanted.collect::<Vec<_>>(), "seed {seed}");
                let newest = newest.first();
                let mut falling = found.falling();
                let told = format!("{:?}", found.number_up_to(t));
                for after in [199, 198, 120, 61, t.0, t.0].into_iter().filter(|after| *after >= t.0)
                {
                    let from = falling.number_up_to(EventTime(after));
                    assert!(after > t.0 || format!("{from:?}") == told, "seed {seed}");
                }
                match found.number_up_to(t) {
                    Newest::Nothing => assert!(newest.is_none(), "seed {seed}"),
                    Newest::Number(Number { event_time, commit, kind, bits }) => {
                        let newest = newest.unwrap();
                        let (order, payload) = (newest.order, &newest.payload);
                        assert_eq!((event_time, commit), (order.event_time, order.commit));
                        assert_eq!(kind, newest.kind, "seed {seed}");
                        assert!(*payload == Payload::Bits(bits) || kind == Kind::Null);
                        numbers += 1;
                    }
                    Newest::More => more += 1,
                }
            }
            found_all += revisions.len();
        }
        let mut all = Model::new();
        let mut last = None;
        for node in memtable.entities() {
            let place = (node.hash(), node.entity());
            assert!(last < Some(place.clone()));
            last = Some(place);
            let features = node.revisions(Vec::new);
            assert!(features.is_sorted_by(|a, b| a.0 < b.0));
            for (feature, revisions) in features {
                assert!(revisions.is_sorted_by(|a, b| a.order < b.order));
                let revisions = revisions.into_iter().map(|r| (r.order, r)).collect();
                all.insert((node.entity().to_vec(), feature), revisions);
            }
        }
        assert_eq!(all, model, "seed {seed}");
    }
    println!("{found_all} revisions found, {numbers} as numbers, {more} with more to know");
    assert!(numbers > 100 && more > 100);
}

#[test]
fn a_moment_among_uneven_times_is_missed() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let memtable = Memtable::new(FileNumber(1), 1 << 12);
        let mut times = vec![i64::MIN];
        for _ in 0..random.below(200) {
            let gap = 1i64 << random.below(62);
            let last = *times.last().unwrap();
            times.push(last.saturating_add(if random.below(4) == 0 { gap } else { 1 }));
        }
        let feature = FeatureId(1);
        for (commit, time) in (0..).zip(&times) {
            let mut inserter = memtable.inserter();
            let order = Order {
                event_time: EventTime(*time),
                known_time: KnownTime(commit),
                commit: Commit(commit),
            };
            let (kind, value) = (Kind::Value, EntryValue::Bits(commit.cast_unsigned()));
            let put = Incoming { feature, order, kind, source: SourceId::NONE, value };
            inserter.put(b"ant", put);
            inserter.end();
        }
        let node = memtable.find(EntityHash::of(b"ant"), b"ant").unwrap();
        let found = node.feature(feature).unwrap();
        for t in times.iter().flat_map(|t| [t.saturating_sub(1), *t, t.saturating_add(1)]) {
            let wanted = times.partition_point(|time| *time <= t) as u64 - 1;
            let Newest::Number(number) = found.number_up_to(EventTime(t)) else {
                panic!("seed {seed}, at {t}: nothing")
            };
            assert_eq!(number.bits, wanted, "seed {seed}, at {t}");
        }
    }
}

#[test]
fn a_feature_that_is_asked_for_out_of_turn_is_missed() {
    let mut random = Random(77);
    let (memtable, model) = filled(&mut random);
    for (entity, _) in model.keys() {
        let node = memtable.find(EntityHash::of(entity), entity).unwrap();
        let mut near = Near::default();
        for _ in 0..50 {
            let id = FeatureId(u32::try_from(random.below(80)).unwrap());
            let found = node.feature_near(id, &mut near).is_some();
            assert_eq!(found, model.contains_key(&(entity.clone(), id)));
        }
    }
}

/// A revert looks through the memtable that batches go to.
#[test]
fn revisions_that_come_late_while_they_are_listed_are_out_of_order() {
    let (entity, feature) = (b"e".as_slice(), FeatureId(3));
    let mut lists = 0;
    for _ in 0..200 {
        let memtable = Memtable::new(FileNumber(1), 1 << 16);
        let put = |event_time: i64, commit: i64| {
            let (event_time, commit) = (EventTime(event_time), Commit(commit));
            let order = Order { event_time, known_time: KnownTime(commit.0), commit };
            let (kind, value) = (Kind::Value, EntryValue::Bits(7));
            let mut inserter = memtable.inserter();
            inserter.put(entity, Incoming { feature, order, kind, source: SourceId::NONE, value });
            inserter.end();
        };
        (1..=100).for_each(|n| put(n * 1_000, n));
        put(1, 101);
        let writes = std::sync::atomic::AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // From all over the time that is already there.
                (102..500).for_each(|n| put(n * 7_919 % 100_000, n));
                writes.store(false, Ordering::Relaxed);
            });
            while writes.load(Ordering::Relaxed) {
                let node = memtable.find(EntityHash::of(entity), entity).unwrap();
                let mut all = Vec::new();
                node.feature(feature).unwrap().revisions_into(&mut all);
                assert!(all.is_sorted_by(|a, b| a.order < b.order), "list {lists}");
                lists += 1;
            }
        });
    }
    println!("{lists} lists while revisions came late, all in order");
}

/// In the order of event time each revision is of another entity.
#[test]
fn features_that_come_one_by_one_are_far_apart_or_take_much_memory() {
    let (entities, features) = (100u32, 20u32);
    let names: Vec<[u8; 4]> = (0..entities).map(u32::to_be_bytes).collect();
    let fill = |memtable: Memtable, at_once: u32| {
        for commit in 0..features / at_once {
            let mut inserter = memtable.inserter();
            for (entity, nth) in (0..entities).flat_map(|e| (0..at_once).map(move |n| (e, n))) {
                let commit = i64::from(commit) + 1;
                let order = Order {
                    event_time: EventTime(commit),
                    known_time: KnownTime(commit),
                    commit: Commit(commit),
                };
                // Each entity has them in another order.
                let place = (u32::try_from(commit).unwrap() - 1) * at_once + nth;
                let feature = FeatureId((place * 7 + entity) % features);
                let (kind, value) = (Kind::Value, EntryValue::Bits(u64::from(feature.0)));
                let incoming = Incoming { feature, order, kind, source: SourceId::NONE, value };
                inserter.put(&names[entity as usize], incoming);
            }
            inserter.end();
        }
        memtable
    };
    let budget = 1 << 16;
    let together = fill(Memtable::new(FileNumber(1), budget), features);
    let one_by_one = fill(Memtable::new(FileNumber(1), budget), 1);
    let after = fill(Memtable::after(&together, FileNumber(2), budget), 1);
    for (memtable, most_groups) in [(&together, 1), (&one_by_one, 6), (&after, 1)] {
        for node in memtable.entities() {
            let groups = node.groups().count();
            assert!(groups <= most_groups, "{groups} groups");
            let found = node.revisions(Vec::new);
            let ids: Vec<u32> = found.iter().map(|(id, _)| id.0).collect();
            assert_eq!(ids, (0..features).collect::<Vec<_>>());
            for (id, revisions) in found {
                assert_eq!(revisions.len(), 1);
                assert_eq!(revisions[0].payload, Payload::Bits(u64::from(id.0)));
            }
        }
    }
    let bytes = [&together, &one_by_one, &after].map(Memtable::bytes);
    println!("{bytes:?} bytes: together, one by one, one by one after another memtable");
    assert!(bytes[1] < bytes[0] * 3 / 2 && bytes[2] < bytes[0] * 5 / 4, "{bytes:?}");
}
