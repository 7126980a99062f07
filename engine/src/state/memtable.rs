//! Revisions not yet in a table, grouped by entity like a table is.
//!
//! ```text
//! buckets by hash -> entities, chained -> groups of features
//!                                             -> in order: blocks of records, ascending
//!                                             -> late: a tree of records
//! ```
//!
//! All but long values lies in the words of two [arenas](crate::state::arena), nodes of trees in one of
//! them: 32 bytes a record that comes in order, and about 20 more where a feature of an entity begins;
//! 60 to 130 a record that comes late, or up to 180 where hundreds of a feature do; and 16 for a known
//! time of its own.
//!
//! One writer at a time (it holds the commit lock), or one for each part of the buckets while a log
//! is replayed, and any number of readers, who take no lock: what a link leads to is never changed
//! but by other links, and but for the newest record of a feature, of which a reader can tell (see
//! [`feature`]), for marks, and for what nobody sees yet. A revision that comes in order, as nearly all
//! do, takes the place of the newest and costs an append of that; one that comes late goes to the tree
//! beside it. Of revisions equal in order, which only one batch can write, the one that came last stands.
//!
//! Revisions of a commit are all put in before it is [`visible`](crate::state::visible).

mod entity;
mod feature;
mod insert;
mod late;
mod record;
#[cfg(all(test, not(loom)))]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::{Commit, EventTime, FeatureId, FileNumber, KnownTime, SourceId};
use asofdb_format::revision::Order;
use asofdb_format::timeline::Step;
use bytes::Bytes;

pub(crate) use self::entity::{EntityNode, Near};
pub(crate) use self::feature::{Falling, FeatureNode, Newest, NewestFirst, Number};
pub(crate) use self::insert::Inserter;
pub(crate) use self::record::{Held, HeldValue, Incoming};
use crate::state::append::AppendList;
use crate::state::arena::{Arena, Lots, Place, link, set_link};
use crate::state::commits::CommitSpans;
use crate::state::tally::Tally;
use crate::sync::{AtomicI64, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, Word};

/// Words that are taken at once where several writers are beside one another.
const LOT: usize = 1_024;

/// Revisions of one log.
#[derive(Debug)]
pub(crate) struct Memtable {
    /// The log that holds the same.
    pub(crate) log: FileNumber,
    buckets: Box<[Word]>,
    arena: Arena,
    /// Of what came late, which takes multiples of eight words.
    nodes: Arena,
    /// Bytes of values.
    raws: AppendList<Bytes>,
    /// Held by whoever adds to them.
    listing: Mutex<()>,
    bytes: AtomicUsize,
    revisions: AtomicU64,
    min_event_time: AtomicI64,
    max_event_time: AtomicI64,
    max_known_time: AtomicI64,
    /// The greatest number of a feature.
    max_feature: AtomicU64,
    entities: AtomicUsize,
    /// Features of all entities.
    features: AtomicUsize,
    /// So many features entities have on average in the memtable before; 0: it is not known.
    usual_features: usize,
    aside: Mutex<Aside>,
}

/// Where a writer takes words of a memtable.
#[derive(Debug)]
struct Room<'m> {
    words: Lots<'m>,
    nodes: Lots<'m>,
}

/// What batches carry beside their revisions, and counts of these.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aside {
    pub(crate) sources: BTreeMap<SourceId, Arc<str>>,
    pub(crate) touches: BTreeMap<(SourceId, FeatureId), Commit>,
    pub(crate) marks: BTreeMap<String, Mark>,
    pub(crate) commits: CommitSpans,
    pub(crate) tallies: BTreeMap<FeatureId, Tally>,
    /// Which event times came with which commits, ascending by commit.
    pub(crate) steps: Vec<Step>,
}

/// A mark of progress, and the batch that set it.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) commit: Commit,
    pub(crate) source: SourceId,
    pub(crate) value: Bytes,
}

impl Memtable {
    /// One of more bytes is full: 32 bits of a slot are the number of a word of a tree's root, so that nodes
    /// may take 32 GiB; the largest batch, of 90 M entries of three bytes, comes to 15 GiB on top.
    pub(crate) const MOST_BYTES: u64 = 8 << 30;

    /// An empty memtable beside a log, for about so many bytes of memory.
    pub(crate) fn new(log: FileNumber, budget: usize) -> Self {
        let buckets = (budget / 512).clamp(16, 1 << 18).next_power_of_two();
        Self {
            log,
            buckets: (0..buckets).map(|_| Word::new(0)).collect(),
            arena: Arena::new(),
            nodes: Arena::new(),
            raws: AppendList::new(),
            listing: Mutex::new(()),
            bytes: AtomicUsize::new(0),
            revisions: AtomicU64::new(0),
            min_event_time: AtomicI64::new(i64::MAX),
            max_event_time: AtomicI64::new(i64::MIN),
            max_known_time: AtomicI64::new(i64::MIN),
            max_feature: AtomicU64::new(0),
            entities: AtomicUsize::new(0),
            features: AtomicUsize::new(0),
            usual_features: 0,
            aside: Mutex::new(Aside::default()),
        }
    }

    /// The same, for entities that have about as many features as in another memtable.
    pub(crate) fn after(before: &Self, log: FileNumber, budget: usize) -> Self {
        let (entities, features) = (&before.entities, &before.features);
        let entities = entities.load(Ordering::Relaxed).max(1);
        let usual_features = features.load(Ordering::Relaxed).div_ceil(entities);
        let max_feature = AtomicU64::new(before.max_feature.load(Ordering::Relaxed));
        Self { usual_features, max_feature, ..Self::new(log, budget) }
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn revisions(&self) -> u64 {
        self.revisions.load(Ordering::Acquire)
    }

    /// No revision is above this in any of the three.
    #[inline]
    pub(crate) fn upper_bound(&self) -> Order {
        // A revision is counted here before its commit is visible, so what a reader may see is
        // within these bounds.
        Order {
            event_time: EventTime(self.max_event_time.load(Ordering::Acquire)),
            known_time: KnownTime(self.max_known_time.load(Ordering::Acquire)),
            commit: Commit::MAX,
        }
    }

    /// No revision that a reader may see is below this.
    #[inline]
    pub(crate) fn min_event_time(&self) -> EventTime {
        EventTime(self.min_event_time.load(Ordering::Acquire))
    }

    /// No entity has more features.
    fn most_features(&self) -> usize {
        asofdb_format::wire::narrow(self.max_feature.load(Ordering::Relaxed)).saturating_add(1)
    }

    pub(crate) fn aside(&self) -> MutexGuard<'_, Aside> {
        self.aside.lock()
    }

    /// Adds a step to what is kept beside the revisions.
    pub(crate) fn add_step(&self, aside: &mut Aside, step: Step) {
        aside.steps.push(step);
        self.bytes.fetch_add(size_of::<Step>(), Ordering::Relaxed);
    }

    /// The first commit of its log's batches, if there is any.
    pub(crate) fn oldest(&self) -> Option<Commit> {
        self.aside().commits.spans().first().map(|span| span.0)
    }

    #[inline]
    fn bucket(&self, hash: EntityHash) -> usize {
        // The count is a power of two, and the highest bits order tables: the low ones are free.
        asofdb_format::wire::narrow(hash.0) & (self.buckets.len() - 1)
    }

    /// The first entity of the bucket of a hash; 0: there is none.
    #[inline]
    pub(crate) fn first_of(&self, hash: EntityHash) -> Place {
        link(&self.buckets, self.bucket(hash))
    }

    /// Looks at the lines where an entity is that was found so, and so many features of its.
    #[inline]
    pub(crate) fn fetch(&self, first: Place, features: usize) -> u64 {
        EntityNode::fetch(self, first, features)
    }

    /// An entity's revisions, if it has any.
    #[inline]
    pub(crate) fn find(&self, hash: EntityHash, entity: &[u8]) -> Option<EntityNode<'_>> {
        let mut place = self.first_of(hash);
        loop {
            let node = EntityNode::at(self, place)?;
            if node.is(hash, entity) {
                return Some(node);
            }
            place = node.next();
        }
    }

    /// An entity's revisions, of which there may be none yet, and how many bytes of memory were
    /// needed for it. One writer at a time.
    fn node(
        &self,
        room: &Room<'_>,
        hash: EntityHash,
        entity: &[u8],
    ) -> (Option<EntityNode<'_>>, usize) {
        if let Some(node) = self.find(hash, entity) {
            return (Some(node), 0);
        }
        let next = self.first_of(hash);
        let (place, grown) = EntityNode::make(self, &room.words, (hash, entity), next);
        set_link(&self.buckets, self.bucket(hash), place);
        (EntityNode::at(self, place), grown)
    }

    const fn room(&self, lot: usize) -> Room<'_> {
        Room { words: self.arena.lots(lot), nodes: self.nodes.lots(lot) }
    }

    /// Takes the revisions of a batch. One writer at a time.
    pub(crate) const fn inserter<'p>(&self) -> Inserter<'_, 'p> {
        Inserter::new(self, self.room(0))
    }

    /// Takes the revisions of one [part](Self::part), while others may take those of other parts.
    /// One writer of a part at a time.
    pub(crate) const fn part_inserter<'p>(&self) -> Inserter<'_, 'p> {
        Inserter::new(self, self.room(LOT))
    }

    /// In which of so many parts, a power of two, an entity of a hash is: parts share no bucket.
    #[inline]
    pub(crate) fn part(&self, hash: EntityHash, parts: usize) -> usize {
        let each = (self.buckets.len() / parts).max(1);
        self.bucket(hash) / each
    }

    /// All entities, ascending by (hash, entity).
    pub(crate) fn entities(&self) -> Vec<EntityNode<'_>> {
        let mut all = Vec::new();
        for bucket in 0..self.buckets.len() {
            let mut place = link(&self.buckets, bucket);
            while let Some(node) = EntityNode::at(self, place) {
                all.push((node.hash(), node));
                place = node.next();
            }
        }
        let by_name = |a: &EntityNode<'_>, b: &EntityNode<'_>| a.entity().cmp(&b.entity());
        all.sort_unstable_by(|(a_hash, a), (b_hash, b)| {
            a_hash.cmp(b_hash).then_with(|| by_name(a, b))
        });
        all.into_iter().map(|(_, node)| node).collect()
    }
}
