//! Puts the revisions of a batch into a memtable, those of an entity that follow one another
//! together: it is looked for once, and what it has new lies side by side.
//!
//! Where each revision is of another entity nearly all that a put looks at is not in the cache, one
//! thing behind another: the bucket, the entity, its group of features, the slot. Some dozens of
//! entities are looked at side by side.

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::FeatureId;
use asofdb_format::wire::wide;

use crate::state::arena::Place;
use crate::state::memtable::entity::{EntityNode, Near};
use crate::state::memtable::feature::{FeatureNode, Slot};
use crate::state::memtable::{Incoming, Memtable, Room};
use crate::sync::Ordering;

/// One batch on its way in. Readers may find what was put, and see it when its commit is published,
/// which must not be before [`Inserter::end`].
#[derive(Debug)]
pub(crate) struct Inserter<'m, 'p> {
    memtable: &'m Memtable,
    room: Room<'m>,
    /// Revisions that are not put in yet, those of a run side by side.
    waiting: Vec<Incoming<'p>>,
    runs: Vec<Run<'m, 'p>>,
    new: Vec<FeatureId>,
}

/// Revisions of one entity that follow one another.
#[derive(Clone, Copy, Debug)]
struct Run<'m, 'p> {
    entity: &'p [u8],
    hash: EntityHash,
    /// How many there are.
    len: usize,
    /// The entity, once it is found.
    node: Option<EntityNode<'m>>,
    /// What is looked at next: an entity of the bucket, and then a group of its features.
    next: Place,
    /// The slot of the first revision's feature, once it is found.
    slot: Option<&'m Slot>,
}

/// So many runs are put in together: what is looked at first of one is fetched while others are.
const RUNS: usize = 32;

/// Of the entities of a bucket, and of the groups of an entity, so many are fetched so.
const ENTITIES_FETCHED: usize = 2;
const GROUPS_FETCHED: usize = 3;

/// For a run of so many the slots of all features are fetched.
const MANY: usize = 4;

/// So many revisions are put in together, a longer run piece by piece.
const MOST_WAITING: usize = 4_096;

impl<'m, 'p> Inserter<'m, 'p> {
    pub(super) const fn new(memtable: &'m Memtable, room: Room<'m>) -> Self {
        Self { memtable, room, waiting: Vec::new(), runs: Vec::new(), new: Vec::new() }
    }

    /// Takes a revision.
    #[inline]
    pub(crate) fn put(&mut self, entity: &'p [u8], put: Incoming<'p>) {
        let same = self
            .runs
            .last_mut()
            .filter(|run| std::ptr::eq(run.entity, entity) || run.entity == entity);
        match same {
            Some(run) if self.waiting.len() < MOST_WAITING => run.len += 1,
            _ => {
                if self.runs.len() >= RUNS || self.waiting.len() >= MOST_WAITING {
                    self.put_in();
                }
                self.runs.push(Run {
                    entity,
                    hash: EntityHash::of(entity),
                    len: 1,
                    node: None,
                    next: 0,
                    slot: None,
                });
            }
        }
        self.waiting.push(put);
    }

    /// Puts in what is left.
    pub(crate) fn end(mut self) {
        self.put_in();
    }

    /// Puts in what waits.
    fn put_in(&mut self) {
        let memtable = self.memtable;
        let Some(first) = self.waiting.first() else { return };
        let (mut newest, mut known) = (first.order.event_time, first.order.known_time);
        let mut oldest = newest;
        for put in &self.waiting {
            oldest = oldest.min(put.order.event_time);
            newest = newest.max(put.order.event_time);
            known = known.max(put.order.known_time);
        }
        memtable.min_event_time.fetch_min(oldest.0, Ordering::Release);
        memtable.max_event_time.fetch_max(newest.0, Ordering::Release);
        memtable.max_known_time.fetch_max(known.0, Ordering::Release);
        self.fetch();
        let (runs, waiting) = (std::mem::take(&mut self.runs), std::mem::take(&mut self.waiting));
        let mut rest = waiting.as_slice();
        // Counted before any of them is visible.
        memtable.revisions.fetch_add(wide(waiting.len()), Ordering::Release);
        let mut grown = 0;
        for run in &runs {
            let (puts, behind) = rest.split_at_checked(run.len).unwrap_or_default();
            grown += match (run.slot, puts) {
                // Mostly nothing is left to be looked for.
                (Some(slot), [put]) => FeatureNode::new(memtable, slot).insert(&self.room, put),
                _ => self.put_run(run, puts),
            };
            rest = behind;
        }
        memtable.bytes.fetch_add(grown, Ordering::Relaxed);
        (self.runs, self.waiting) = (runs, waiting);
        self.runs.clear();
        self.waiting.clear();
    }

    /// Looks at what will be looked at for each run, a step for all of them before the next step, so
    /// that memory is waited for once a step.
    fn fetch(&mut self) {
        let memtable = self.memtable;
        if self.runs.len() < 2 {
            return;
        }
        for run in &mut self.runs {
            run.next = memtable.first_of(run.hash);
        }
        for _ in 0..ENTITIES_FETCHED {
            for run in self.runs.iter_mut().filter(|run| run.node.is_none()) {
                let Some(node) = EntityNode::at(memtable, run.next) else { continue };
                if node.is(run.hash, run.entity) {
                    run.node = Some(node);
                }
                run.next = node.next();
            }
        }
        for run in &mut self.runs {
            run.next = run.node.map_or(0, |node| node.newest_group());
        }
        for _ in 0..GROUPS_FETCHED {
            let mut from = 0;
            for run in &mut self.runs {
                let first = self.waiting.get(from).filter(|_| run.next != 0);
                from += run.len;
                let Some(first) = first else { continue };
                let mut group = Near::at(memtable, run.next);
                run.next = group.older();
                if let Some(slot) = group.find(first.feature) {
                    (run.slot, run.next) = (Some(slot), 0);
                }
            }
        }
        for run in self.runs.iter().filter(|run| run.len >= MANY) {
            if let Some(node) = run.node {
                node.fetch_features(run.len);
            }
        }
        let slots = self.runs.iter().filter_map(|run| run.slot);
        let slots = slots.map(|slot| FeatureNode::new(memtable, slot).newest_word());
        std::hint::black_box(slots.fold(0, |seen, word| seen ^ word));
    }

    /// Puts the revisions of a run in; how many bytes of memory the memtable grew by.
    fn put_run(&mut self, run: &Run<'_, '_>, puts: &[Incoming<'_>]) -> usize {
        let memtable = self.memtable;
        let (node, mut grown) = match run.node {
            Some(node) => (Some(node), 0),
            None => memtable.node(&self.room, run.hash, run.entity),
        };
        let Some(node) = node else { return grown };
        let mut near = Near::default();
        self.new.clear();
        let is_new = |put: &&Incoming<'_>| node.feature_near(put.feature, &mut near).is_none();
        self.new.extend(puts.iter().filter(is_new).map(|put| put.feature));
        if !self.new.is_empty() {
            self.new.sort_unstable();
            self.new.dedup();
            let greatest = self.new.last().map_or(0, |id| u64::from(id.0));
            memtable.max_feature.fetch_max(greatest, Ordering::Relaxed);
            grown += node.add_features(&self.room.words, &self.new);
            near = Near::default();
        }
        for put in puts {
            if let Some(feature) = node.feature_near(put.feature, &mut near) {
                grown += feature.insert(&self.room, put);
            }
        }
        grown
    }
}
