//! Revisions not yet in a table, grouped by entity like a table is.
//!
//! ```text
//! buckets by hash -> entities, chained -> features, chained in a few buckets
//!                                             -> in order: an append list, ascending
//!                                             -> late: a skip list
//! ```
//!
//! One writer at a time (it holds the commit lock) and any number of readers, who take no lock:
//! every link is set once and never changed. A revision that comes in order, as nearly all do,
//! costs an append; one that comes late goes to the skip list beside it. Of revisions equal in
//! order, which only one batch can write, the one that came last stands.
//!
//! Revisions of a commit are all put in before it is [`visible`](crate::state::visible).

use std::collections::BTreeMap;
use std::sync::Arc;

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::{Commit, EventTime, FeatureId, FileNumber, KnownTime, SourceId};
use asofdb_format::revision::{Order, Revision};
use bytes::Bytes;

use crate::state::append::{AppendList, allocated};
use crate::state::commits::CommitSpans;
use crate::state::tally::Tally;
use crate::sync::{
    AtomicI64, AtomicU64, AtomicUsize, Mutex, MutexGuard, OnceLock, Ordering, SkipMap,
};

const FEATURE_BUCKETS: usize = 8;

/// What [`Bytes`] take beside themselves when they are first cloned, as a flush does.
const SHARED: usize = 24;

/// Revisions of one log.
#[derive(Debug)]
pub(crate) struct Memtable {
    /// The log that holds the same.
    pub(crate) log: FileNumber,
    buckets: Box<[OnceLock<Box<EntityNode>>]>,
    bytes: AtomicUsize,
    revisions: AtomicU64,
    max_event_time: AtomicI64,
    max_known_time: AtomicI64,
    aside: Mutex<Aside>,
}

/// What batches carry beside their revisions, and counts of these.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aside {
    pub(crate) sources: BTreeMap<SourceId, Arc<str>>,
    pub(crate) touches: BTreeMap<(SourceId, FeatureId), Commit>,
    pub(crate) marks: BTreeMap<String, Mark>,
    pub(crate) commits: CommitSpans,
    pub(crate) tallies: BTreeMap<FeatureId, Tally>,
}

/// A mark of progress, and the batch that set it.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) commit: Commit,
    pub(crate) source: SourceId,
    pub(crate) value: Bytes,
}

/// One entity's revisions.
#[derive(Debug)]
pub(crate) struct EntityNode {
    pub(crate) hash: EntityHash,
    pub(crate) entity: Bytes,
    next: OnceLock<Box<EntityNode>>,
    features: [OnceLock<Box<FeatureNode>>; FEATURE_BUCKETS],
}

/// A revision's place in the order, and when it came.
type Arrived = (Order, u64);

/// One feature's revisions of an entity.
#[derive(Debug)]
pub(crate) struct FeatureNode {
    id: FeatureId,
    next: OnceLock<Box<FeatureNode>>,
    ordered: AppendList<Revision>,
    /// Boxed: a skip list takes half a kilobyte before it holds anything, and few have one.
    late: OnceLock<Box<SkipMap<Arrived, Revision>>>,
}

impl Memtable {
    /// An empty memtable beside a log, for about so many bytes of memory.
    pub(crate) fn new(log: FileNumber, budget: usize) -> Self {
        let buckets = (budget / 512).clamp(16, 1 << 18).next_power_of_two();
        Self {
            log,
            buckets: (0..buckets).map(|_| OnceLock::new()).collect(),
            bytes: AtomicUsize::new(0),
            revisions: AtomicU64::new(0),
            max_event_time: AtomicI64::new(i64::MIN),
            max_known_time: AtomicI64::new(i64::MIN),
            aside: Mutex::new(Aside::default()),
        }
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

    pub(crate) fn aside(&self) -> MutexGuard<'_, Aside> {
        self.aside.lock()
    }

    /// The first commit of its log's batches, if there is any.
    pub(crate) fn oldest(&self) -> Option<Commit> {
        self.aside().commits.spans().first().map(|span| span.0)
    }

    #[inline]
    fn bucket(&self, hash: EntityHash) -> Option<&OnceLock<Box<EntityNode>>> {
        // The count is a power of two, and the highest bits order tables: the low ones are free.
        self.buckets.get(asofdb_format::wire::narrow(hash.0) & (self.buckets.len() - 1))
    }

    /// An entity's revisions, if it has any.
    #[inline]
    pub(crate) fn find(&self, hash: EntityHash, entity: &[u8]) -> Option<&EntityNode> {
        let mut node = self.bucket(hash)?.get()?;
        loop {
            if node.hash == hash && node.entity == entity {
                return Some(node);
            }
            node = node.next.get()?;
        }
    }

    /// Puts a revision in. One writer at a time.
    pub(crate) fn insert(&self, entity: &[u8], feature: FeatureId, revision: Revision) {
        let hash = EntityHash::of(entity);
        let mut grown = match revision.payload.raw_len() {
            0 => 0,
            len => allocated(len) + allocated(SHARED),
        };
        self.max_event_time.fetch_max(revision.order.event_time.0, Ordering::Release);
        self.max_known_time.fetch_max(revision.order.known_time.0, Ordering::Release);
        let Some(mut cell) = self.bucket(hash) else { return };
        let node = loop {
            let node = cell.get_or_init(|| {
                grown += allocated(size_of::<EntityNode>());
                grown += allocated(entity.len()) + allocated(SHARED);
                Box::new(EntityNode {
                    hash,
                    entity: Bytes::copy_from_slice(entity),
                    next: OnceLock::new(),
                    features: std::array::from_fn(|_| OnceLock::new()),
                })
            });
            if node.hash == hash && node.entity == entity {
                break node;
            }
            cell = &node.next;
        };
        grown += node.insert(feature, revision, self.revisions.load(Ordering::Relaxed));
        self.revisions.fetch_add(1, Ordering::Release);
        self.bytes.fetch_add(grown, Ordering::Relaxed);
    }

    /// All entities, ascending by (hash, entity).
    pub(crate) fn entities(&self) -> Vec<&EntityNode> {
        let mut all = Vec::new();
        for bucket in &self.buckets {
            let mut next = bucket.get();
            while let Some(node) = next {
                all.push(node.as_ref());
                next = node.next.get();
            }
        }
        all.sort_unstable_by(|a, b| (a.hash, &a.entity).cmp(&(b.hash, &b.entity)));
        all
    }
}

impl EntityNode {
    #[inline]
    fn feature_bucket(&self, feature: FeatureId) -> Option<&OnceLock<Box<FeatureNode>>> {
        self.features.get(feature.0 as usize % FEATURE_BUCKETS)
    }

    /// A feature's revisions, if there are any.
    #[inline]
    pub(crate) fn feature(&self, feature: FeatureId) -> Option<&FeatureNode> {
        let mut node = self.feature_bucket(feature)?.get()?;
        loop {
            if node.id == feature {
                return Some(node);
            }
            node = node.next.get()?;
        }
    }

    fn insert(&self, feature: FeatureId, revision: Revision, arrival: u64) -> usize {
        let mut grown = 0;
        let Some(mut cell) = self.feature_bucket(feature) else { return 0 };
        let node = loop {
            let node = cell.get_or_init(|| {
                grown += allocated(size_of::<FeatureNode>());
                Box::new(FeatureNode {
                    id: feature,
                    next: OnceLock::new(),
                    ordered: AppendList::new(),
                    late: OnceLock::new(),
                })
            });
            if node.id == feature {
                break node;
            }
            cell = &node.next;
        };
        grown + node.insert(revision, arrival)
    }

    /// Its features and their revisions, ascending; what was written over in a batch left out.
    pub(crate) fn revisions(&self) -> Vec<(FeatureId, Vec<Revision>)> {
        let mut all = Vec::new();
        for bucket in &self.features {
            let mut next = bucket.get();
            while let Some(node) = next {
                all.push((node.id, node.revisions()));
                next = node.next.get();
            }
        }
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }
}

impl FeatureNode {
    fn insert(&self, revision: Revision, arrival: u64) -> usize {
        let last = self.ordered.len().checked_sub(1).and_then(|last| self.ordered.get(last));
        if last.is_none_or(|last| last.order <= revision.order) {
            return self.ordered.push(revision);
        }
        // A node has four words of its own on average.
        let mut grown = allocated(size_of::<(Arrived, Revision)>() + 32);
        let late = self.late.get_or_init(|| {
            type Late = SkipMap<Arrived, Revision>;
            grown += allocated(size_of::<Late>() + align_of::<Late>());
            Box::new(SkipMap::new())
        });
        late.insert((revision.order, arrival), revision);
        grown
    }

    /// Its revisions with event times up to `t`, newest first; of equal ones the one that came
    /// last comes first.
    pub(crate) fn newest_first(&self, t: EventTime) -> NewestFirst<'_> {
        let (mut low, mut high) = (0, self.ordered.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.ordered.get(middle) {
                Some(revision) if revision.order.event_time <= t => low = middle + 1,
                _ => high = middle,
            }
        }
        let up_to = Order { event_time: t, known_time: KnownTime::MAX, commit: Commit::MAX };
        NewestFirst {
            ordered: &self.ordered,
            left: low,
            late: self.late.get().map(|late| (&**late, (up_to, u64::MAX))),
        }
    }

    fn revisions(&self) -> Vec<Revision> {
        let mut all: Vec<Revision> = self.newest_first(EventTime::MAX).map(|(_, r)| r).collect();
        all.dedup_by_key(|revision| revision.order);
        all.reverse();
        all
    }
}

/// Revisions of a feature, newest first.
#[derive(Debug)]
pub(crate) struct NewestFirst<'m> {
    ordered: &'m AppendList<Revision>,
    left: usize,
    late: Option<(&'m SkipMap<Arrived, Revision>, Arrived)>,
}

impl Iterator for NewestFirst<'_> {
    type Item = (Order, Revision);

    fn next(&mut self) -> Option<Self::Item> {
        let ordered = self.left.checked_sub(1).and_then(|index| self.ordered.get(index));
        let late = self.late.as_ref().and_then(|(late, below)| {
            late.range(..=*below).next_back().map(|entry| (*entry.key(), entry))
        });
        match (ordered, late) {
            // What is late came later than an equal one that is in order.
            (Some(ordered), Some(((order, _), _))) if ordered.order > order => {
                self.left -= 1;
                Some((ordered.order, ordered.clone()))
            }
            (_, Some(((order, arrival), entry))) => {
                let below = match arrival.checked_sub(1) {
                    Some(earlier) => (order, earlier),
                    None => (just_below(order), u64::MAX),
                };
                if let Some((_, limit)) = &mut self.late {
                    *limit = below;
                }
                Some((order, entry.value().clone()))
            }
            (Some(ordered), None) => {
                self.left -= 1;
                Some((ordered.order, ordered.clone()))
            }
            (None, None) => None,
        }
    }
}

/// The greatest order below one; only a first arrival needs it, and the lowest order of all is
/// its own: no batch writes it, for commits are far above.
fn just_below(order: Order) -> Order {
    Order { commit: Commit(order.commit.0.saturating_sub(1)), ..order }
}
