//! One entity in a memtable: where its features are.
//!
//! ```text
//! entity   0  hash
//!          1  the next entity of the bucket
//!          2  the newest group of features                                 link
//!          3  length of the entity
//!          4  its bytes, eight a word, the last word filled with zeros
//! group    0  the group before it
//!          1  room for n features
//!          2  how many there are                                           link
//!          3  ids, two a word: of a group of many they ascend
//!             n slots, see [`feature`](crate::state::memtable::feature)
//! ```
//!
//! A group holds the features that came new in one batch: mostly all of an entity, side by side.
//! Where they come one by one, as they do in the order of event time, a group has room for as many
//! as the entity has already or entities had in the memtable before, and more are added behind those
//! that are there: an entity has few groups however its features come.

use std::hint::select_unpredictable;

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::FeatureId;
use asofdb_format::revision::Revision;
use asofdb_format::wire::{narrow, wide, window};
use bytes::Bytes;

use crate::state::arena::{Lots, Place, get, link, set, set_link};
use crate::state::memtable::Memtable;
use crate::state::memtable::feature::{FeatureNode, SLOT, Slot};
use crate::sync::{Ordering, Word};

const GROUPS: usize = 2;
const HEAD: usize = 4;
const ROOM: usize = 1;
const COUNT: usize = 2;
const GROUP_HEAD: usize = 3;

/// A group has room for at most so many features that are to come, and where it has no more than so
/// many all of them are looked at.
const MOST_TO_COME: usize = 32;

/// The words of a line of the cache.
const LINE: usize = 8;

const HALF: u64 = 0xffff_ffff;

/// One entity's revisions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntityNode<'m> {
    memtable: &'m Memtable,
    head: &'m [Word],
    name: &'m [Word],
}

/// Features that lie side by side, and which of them is guessed to be asked for next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Near<'m> {
    older: Place,
    ids: &'m [Word],
    slots: &'m [Slot],
    count: usize,
    next: usize,
}

impl<'m> EntityNode<'m> {
    /// The entity at a place.
    #[inline]
    pub(super) fn at(memtable: &'m Memtable, place: Place) -> Option<Self> {
        let (head, rest) = memtable.arena.words_from(place).split_at_checked(HEAD)?;
        let name = rest.get(..narrow(get(head, 3)).div_ceil(8)).unwrap_or_default();
        Some(Self { memtable, head, name })
    }

    /// Looks at the lines where an entity is, and at those behind it, where so many features of its
    /// mostly are.
    #[inline]
    pub(super) fn fetch(memtable: &Memtable, place: Place, features: usize) -> u64 {
        let len = HEAD + GROUP_HEAD + features.min(MOST_TO_COME) * (SLOT + 1);
        let lines = memtable.arena.words_up_to(place, len).iter().step_by(LINE);
        lines.fold(0, |seen, word| seen ^ word.load(Ordering::Relaxed))
    }

    /// Makes a node before another one; where it is, and how many bytes of memory the memtable grew
    /// by.
    pub(super) fn make(
        memtable: &Memtable,
        words: &Lots<'_>,
        (hash, entity): (EntityHash, &[u8]),
        next: Place,
    ) -> (Place, usize) {
        let len = HEAD + entity.len().div_ceil(8);
        let (place, grown) = words.take(len);
        memtable.entities.fetch_add(1, Ordering::Relaxed);
        let words = memtable.arena.words(place, len);
        set(words, 0, hash.0);
        set(words, 1, next);
        set(words, 3, wide(entity.len()));
        for word in HEAD..len {
            set(words, word, window(entity, (word - HEAD) * 8));
        }
        (place, grown)
    }

    #[inline]
    pub(crate) fn hash(&self) -> EntityHash {
        EntityHash(get(self.head, 0))
    }

    #[inline]
    pub(super) fn next(&self) -> Place {
        get(self.head, 1)
    }

    /// Its newest group of features; 0: there is none.
    #[inline]
    pub(super) fn newest_group(&self) -> Place {
        link(self.head, GROUPS)
    }

    #[inline]
    pub(super) fn is(&self, hash: EntityHash, entity: &[u8]) -> bool {
        let same = |word| get(self.name, word) == window(entity, word * 8);
        self.hash() == hash
            && get(self.head, 3) == wide(entity.len())
            && (0..self.name.len()).all(same)
    }

    /// The entity's bytes.
    pub(crate) fn entity(&self) -> Bytes {
        let mut entity = Vec::with_capacity(self.name.len() * 8);
        (0..self.name.len()).for_each(|n| entity.extend(get(self.name, n).to_le_bytes()));
        entity.truncate(narrow(get(self.head, 3)));
        Bytes::from(entity)
    }

    /// A feature's revisions, if there are any.
    #[inline]
    pub(crate) fn feature(&self, feature: FeatureId) -> Option<FeatureNode<'m>> {
        self.feature_near(feature, &mut Near::default())
    }

    /// Looks at the memory of all features where so many of them are about to be looked at: none is
    /// waited for after another.
    #[inline]
    pub(crate) fn fetch_features(&self, asked: usize) {
        let mut seen = 0;
        let mut place = self.newest_group();
        while place != 0 {
            let group = Near::at(self.memtable, place);
            if group.count <= asked * 2 {
                let slots = group.slots.get(..group.count).unwrap_or_default().as_flattened();
                seen ^= slots
                    .iter()
                    .step_by(LINE)
                    .fold(0, |seen, word| seen ^ word.load(Ordering::Relaxed));
            }
            place = group.older;
        }
        std::hint::black_box(seen);
    }

    /// Its features by groups, the newest first.
    #[inline]
    pub(crate) fn groups(&self) -> impl Iterator<Item = Near<'m>> {
        let memtable = self.memtable;
        let mut place = self.newest_group();
        std::iter::from_fn(move || {
            (place != 0).then(|| {
                let group = Near::at(memtable, place);
                place = group.older;
                group
            })
        })
    }

    /// A feature's revisions, looked for behind the one that was asked for last.
    #[inline]
    pub(crate) fn feature_near(
        &self,
        feature: FeatureId,
        near: &mut Near<'m>,
    ) -> Option<FeatureNode<'m>> {
        if let Some(found) = near.find(feature) {
            return Some(FeatureNode::new(self.memtable, found));
        }
        let mut place = self.newest_group();
        while place != 0 {
            let mut group = Near::at(self.memtable, place);
            place = group.older;
            if let Some(found) = group.find(feature) {
                *near = group;
                return Some(FeatureNode::new(self.memtable, found));
            }
        }
        None
    }

    /// The revisions of the feature at a place in a group of its.
    #[inline]
    pub(crate) fn feature_in(&self, group: &Near<'m>, index: usize) -> Option<FeatureNode<'m>> {
        Some(FeatureNode::new(self.memtable, group.slot(index)?))
    }

    /// Makes room for features that are new, ascending; how many bytes of memory the memtable grew
    /// by. One writer at a time.
    pub(super) fn add_features(&self, words: &Lots<'_>, features: &[FeatureId]) -> usize {
        let arena = &self.memtable.arena;
        self.memtable.features.fetch_add(features.len(), Ordering::Relaxed);
        let newest = self.newest_group();
        if newest != 0 {
            let head = arena.words(newest, GROUP_HEAD);
            let (room, count) = (narrow(get(head, ROOM)), narrow(get(head, COUNT)));
            if features.len() <= (room - count).min(MOST_TO_COME) {
                let ids = arena.words(newest + wide(GROUP_HEAD), room.div_ceil(2));
                set_ids(ids, count, features);
                set_link(head, COUNT, wide(count + features.len()));
                return 0;
            }
        }
        let more = self.room_to_come(features.len());
        let room = features.len() + more;
        let len = GROUP_HEAD + room.div_ceil(2) + room * SLOT;
        let (place, grown) = words.take(len);
        let words = arena.words(place, len);
        set(words, 0, newest);
        set(words, ROOM, wide(room));
        set(words, COUNT, wide(features.len()));
        set_ids(words.get(GROUP_HEAD..).unwrap_or_default(), 0, features);
        set_link(self.head, GROUPS, place);
        grown
    }

    /// For how many more features there is to be room beside so many that are new: for as many as
    /// there are already or entities mostly have, and no more than there are in the memtable.
    fn room_to_come(&self, new: usize) -> usize {
        let mut known = 0;
        let mut place = self.newest_group();
        while place != 0 && known < MOST_TO_COME {
            let group = Near::at(self.memtable, place);
            known += group.count;
            place = group.older;
        }
        let usual = self.memtable.usual_features.saturating_sub(known);
        let most = self.memtable.most_features().saturating_sub(known);
        known.max(usual).min(MOST_TO_COME).min(most).saturating_sub(new)
    }

    /// Its features, ascending, each with its revisions, ascending, in an empty list that it is given;
    /// what was written over in a batch left out.
    pub(crate) fn revisions(
        &self,
        mut list: impl FnMut() -> Vec<Revision>,
    ) -> Vec<(FeatureId, Vec<Revision>)> {
        let mut all = Vec::new();
        let mut place = self.newest_group();
        while place != 0 {
            let group = Near::at(self.memtable, place);
            place = group.older;
            all.reserve_exact(group.count);
            for index in 0..group.count {
                let Some(feature) = self.feature_in(&group, index) else { continue };
                let mut revisions = list();
                feature.revisions_into(&mut revisions);
                if !revisions.is_empty() {
                    all.push((group.id(index), revisions));
                }
            }
        }
        if !all.is_sorted_by_key(|(id, _)| *id) {
            all.sort_unstable_by_key(|(id, _)| *id);
        }
        all
    }
}

impl<'m> Near<'m> {
    /// The group at a place.
    #[inline]
    pub(super) fn at(memtable: &'m Memtable, place: Place) -> Self {
        let words = memtable.arena.words_from(place);
        let (head, rest) = words.split_at_checked(GROUP_HEAD).unwrap_or_default();
        let (room, count) = (narrow(get(head, ROOM)), narrow(link(head, COUNT)));
        let ids = room.div_ceil(2);
        let rest = rest.get(..ids + room * SLOT).unwrap_or_default();
        let (ids, slots) = rest.split_at_checked(ids).unwrap_or_default();
        let (slots, _) = slots.as_chunks::<SLOT>();
        Self { older: get(head, 0), ids, slots, count, next: 0 }
    }

    /// The group before it; 0: it is the first.
    #[inline]
    pub(super) const fn older(&self) -> Place {
        self.older
    }

    /// How many features it has.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    #[inline]
    pub(crate) fn id(&self, index: usize) -> FeatureId {
        let half = get(self.ids, index / 2) >> (32 * (index % 2)) & HALF;
        FeatureId(u32::try_from(half).unwrap_or_default())
    }

    #[inline]
    fn slot(&self, index: usize) -> Option<&'m Slot> {
        self.slots.get(index)
    }

    /// The place of a feature, if it is here: all ids are looked at, and none decides a branch.
    #[inline]
    fn place_among_few(&self, feature: FeatureId) -> Option<usize> {
        let ids = self.ids.get(..self.count.div_ceil(2)).unwrap_or_default();
        let mut found = usize::MAX;
        // The first one counts: behind the last feature of all stands a zero.
        for (at, word) in ids.iter().enumerate().rev() {
            let both = word.load(Ordering::Relaxed);
            let (first, second) = (both & HALF, both >> 32);
            found = select_unpredictable(second == u64::from(feature.0), at * 2 + 1, found);
            found = select_unpredictable(first == u64::from(feature.0), at * 2, found);
        }
        (found < self.count).then_some(found)
    }

    /// The slot of a feature, if it is here.
    #[inline]
    pub(super) fn find(&mut self, feature: FeatureId) -> Option<&'m Slot> {
        let place = if self.next < self.count && self.id(self.next) == feature {
            self.next
        } else if self.count <= MOST_TO_COME {
            self.place_among_few(feature)?
        } else {
            // They came together: where there is room for more, there is room for few.
            let (mut low, mut high) = (0, self.count);
            while low < high {
                let middle = low.midpoint(high);
                if self.id(middle) < feature {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            (low < self.count && self.id(low) == feature).then_some(low)?
        };
        self.next = place + 1;
        self.slot(place)
    }
}

/// Writes ids from a place on, behind those that are there.
fn set_ids(words: &[Word], from: usize, ids: &[FeatureId]) {
    for (place, id) in (from..).zip(ids) {
        let word = place / 2;
        let before = if place % 2 == 0 { 0 } else { get(words, word) };
        set(words, word, before | u64::from(id.0) << (32 * (place % 2)));
    }
}
