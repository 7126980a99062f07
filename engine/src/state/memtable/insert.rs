//! Puts the revisions of a batch into a memtable, those of an entity that follow one another
//! together: it is looked for once, and what it has new lies side by side.

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::FeatureId;

use crate::state::memtable::Memtable;
use crate::state::memtable::entity::Near;
use crate::state::memtable::feature::Incoming;
use crate::sync::Ordering;

/// One batch on its way in. Readers may find what was put, and see it when its commit is published,
/// which must not be before [`Inserter::end`].
#[derive(Debug)]
pub(crate) struct Inserter<'m, 'p> {
    memtable: &'m Memtable,
    entity: &'p [u8],
    run: Vec<Incoming<'p>>,
    new: Vec<FeatureId>,
}

/// Longer runs of an entity are put in piece by piece.
const LONGEST_RUN: usize = 4_096;

impl<'m, 'p> Inserter<'m, 'p> {
    pub(super) const fn new(memtable: &'m Memtable) -> Self {
        Self { memtable, entity: &[], run: Vec::new(), new: Vec::new() }
    }

    /// Takes a revision.
    #[inline]
    pub(crate) fn put(&mut self, entity: &'p [u8], put: Incoming<'p>) {
        let is_same = std::ptr::eq(self.entity, entity) || self.entity == entity;
        if !is_same || self.run.len() >= LONGEST_RUN {
            self.end_run();
            self.entity = entity;
        }
        self.run.push(put);
    }

    /// Puts in what is left.
    pub(crate) fn end(mut self) {
        self.end_run();
    }

    fn end_run(&mut self) {
        let memtable = self.memtable;
        let (Some(first), entity) = (self.run.first(), self.entity) else { return };
        let (mut newest, mut known) = (first.order.event_time, first.order.known_time);
        for put in &self.run {
            newest = newest.max(put.order.event_time);
            known = known.max(put.order.known_time);
        }
        memtable.max_event_time.fetch_max(newest.0, Ordering::Release);
        memtable.max_known_time.fetch_max(known.0, Ordering::Release);
        let hash = EntityHash::of(entity);
        let (node, mut grown) = memtable.node(hash, entity);
        let Some(node) = node else { return };
        let mut near = Near::default();
        self.new.clear();
        let is_new = |put: &&Incoming<'_>| node.feature_near(put.feature, &mut near).is_none();
        self.new.extend(self.run.iter().filter(is_new).map(|put| put.feature));
        if !self.new.is_empty() {
            self.new.sort_unstable();
            self.new.dedup();
            grown += node.add_features(&self.new);
        }
        let mut arrival = memtable.revisions.load(Ordering::Relaxed);
        let mut near = Near::default();
        for put in &self.run {
            if let Some(feature) = node.feature_near(put.feature, &mut near) {
                grown += feature.insert(put, arrival);
            }
            arrival += 1;
        }
        memtable.revisions.store(arrival, Ordering::Release);
        memtable.bytes.fetch_add(grown, Ordering::Relaxed);
        self.run.clear();
    }
}
