//! One entity in a memtable: where its features are.
//!
//! ```text
//! entity   0  hash
//!          1  the next entity of the bucket
//!          2  the newest group of features                                 link
//!          3  length of the entity
//!          4  its bytes, eight a word, the last word filled with zeros
//! group    0  the group before it
//!          1  number of features n
//!          2  n ids, ascending, two a word
//!             n slots, see [`feature`](crate::state::memtable::feature)
//! ```
//!
//! A group holds the features that came new in one batch: mostly all of an entity, side by side.

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::FeatureId;
use asofdb_format::revision::Revision;
use asofdb_format::wire::{narrow, wide, window};
use bytes::Bytes;

use crate::state::arena::{Place, get, link, set, set_link};
use crate::state::memtable::Memtable;
use crate::state::memtable::feature::{FeatureNode, SLOT};
use crate::sync::Word;

const GROUPS: usize = 2;
const HEAD: usize = 4;
const GROUP_HEAD: usize = 2;

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
    slots: &'m [Word],
    count: usize,
    next: usize,
}

impl<'m> EntityNode<'m> {
    /// The entity at a place.
    #[inline]
    pub(super) fn at(memtable: &'m Memtable, place: Place) -> Option<Self> {
        let head = memtable.arena.words(place, HEAD);
        let len = narrow(get(head, 3)).div_ceil(8);
        let name = memtable.arena.words(place + wide(HEAD), len);
        (!head.is_empty()).then_some(Self { memtable, head, name })
    }

    /// Makes a node before another one; where it is, and how many bytes of memory the memtable grew
    /// by.
    pub(super) fn make(
        memtable: &Memtable,
        hash: EntityHash,
        entity: &[u8],
        next: Place,
    ) -> (Place, usize) {
        let len = HEAD + entity.len().div_ceil(8);
        let (place, grown) = memtable.arena.take(len);
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
        let mut place = link(self.head, GROUPS);
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

    /// Makes room for features that are new, ascending; how many bytes of memory the memtable grew
    /// by. One writer at a time.
    pub(super) fn add_features(&self, features: &[FeatureId]) -> usize {
        let ids = features.len().div_ceil(2);
        let len = GROUP_HEAD + ids + features.len() * SLOT;
        let (place, grown) = self.memtable.arena.take(len);
        let words = self.memtable.arena.words(place, len);
        set(words, 0, link(self.head, GROUPS));
        set(words, 1, wide(features.len()));
        for (index, pair) in features.chunks(2).enumerate() {
            let half = |n: usize| pair.get(n).map_or(0, |id| u64::from(id.0));
            set(words, GROUP_HEAD + index, half(0) | half(1) << 32);
        }
        set_link(self.head, GROUPS, place);
        grown
    }

    /// Its features, ascending, each with its revisions, ascending, in an empty list that it is given;
    /// what was written over in a batch left out.
    pub(crate) fn revisions(
        &self,
        mut list: impl FnMut() -> Vec<Revision>,
    ) -> Vec<(FeatureId, Vec<Revision>)> {
        let mut all = Vec::new();
        let mut place = link(self.head, GROUPS);
        let is_one = place != 0 && Near::at(self.memtable, place).older == 0;
        while place != 0 {
            let group = Near::at(self.memtable, place);
            place = group.older;
            all.reserve_exact(group.count);
            for index in 0..group.count {
                let mut revisions = list();
                FeatureNode::new(self.memtable, group.slot(index)).revisions_into(&mut revisions);
                if !revisions.is_empty() {
                    all.push((group.id(index), revisions));
                }
            }
        }
        if !is_one {
            all.sort_unstable_by_key(|(id, _)| *id);
        }
        all
    }
}

impl<'m> Near<'m> {
    #[inline]
    fn at(memtable: &'m Memtable, place: Place) -> Self {
        let head = memtable.arena.words(place, GROUP_HEAD);
        let count = narrow(get(head, 1));
        let ids = count.div_ceil(2);
        let rest = memtable.arena.words(place + wide(GROUP_HEAD), ids + count * SLOT);
        let (ids, slots) = rest.split_at_checked(ids).unwrap_or_default();
        Self { older: get(head, 0), ids, slots, count, next: 0 }
    }

    #[inline]
    fn id(&self, index: usize) -> FeatureId {
        let half = get(self.ids, index / 2) >> (32 * (index % 2)) & 0xffff_ffff;
        FeatureId(u32::try_from(half).unwrap_or_default())
    }

    #[inline]
    fn slot(&self, index: usize) -> &'m [Word] {
        self.slots.get(index * SLOT..(index + 1) * SLOT).unwrap_or_default()
    }

    #[inline]
    fn find(&mut self, feature: FeatureId) -> Option<&'m [Word]> {
        let place = if self.next < self.count && self.id(self.next) == feature {
            self.next
        } else {
            let (mut low, mut high) = (0, self.count);
            while low < high {
                let middle = low.midpoint(high);
                if self.id(middle) < feature {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            if low >= self.count || self.id(low) != feature {
                return None;
            }
            low
        };
        self.next = place + 1;
        Some(self.slot(place))
    }
}
