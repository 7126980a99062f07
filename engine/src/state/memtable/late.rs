//! A feature's records that came late: a tree of words, in which a step down looks at records of one
//! line or two, and nothing that a reader has in hand goes away.
//!
//! ```text
//! link     place of a node, a multiple of 8 | what it is: 0 to 3 a leaf for 1, 3, 7, 15 records, 4 a fork
//! leaf     0  which record is the first, the second, ... (4 bits each) | how many (bits 60-63)   link
//!          1  event times, a word each
//!             the three other words of each record
//! fork     0  how many children
//!          1  event times of the bounds, one between each two children
//!             the children                                                                      links
//!             link of the leaf where the bound's record is << 4 | which one it is
//!             | that record is the first behind the bound, not the last before it << 63
//! ```
//!
//! All that is in a child is behind the bound before it, and before the bound behind it.
//!
//! A record is written where the leaf is empty still, and then the leaf's first word tells of it and
//! of its place in the order. A leaf that is full makes way for a larger one, in its parent's link to
//! it, or for two, in a fork that takes the place of its parent; a record at either end of a full leaf
//! begins a leaf of its own beside it, so that what comes in an order fills leaves. What made way stays
//! as it was: who has found it finds in it all that was there when it was linked.
//!
//! Of a revision that a batch writes twice the value is written over, for nobody sees that batch yet, and
//! its order stays as it is.

#[cfg(all(test, not(loom)))]
mod tests;

use asofdb_format::ids::{Commit, EventTime, KnownTime};
use asofdb_format::revision::Order;
use asofdb_format::wire::{narrow, wide};

use crate::state::arena::{Lots, get, link, set, set_link};
use crate::state::memtable::Memtable;
use crate::state::memtable::record::{HAS_KNOWN, RECORD, Record, event_time};
use crate::sync::Word;

/// A link to a node; 0: to none.
pub(super) type Link = u64;

/// The bits of a link that tell what a node is.
const WHAT: u64 = 7;
const FORK: u64 = 4;

/// What the largest leaf is, and how many children a fork has at the most: few where interleavings are
/// tried out.
#[cfg(not(all(loom, test)))]
const LARGEST: u64 = 3;
#[cfg(all(loom, test))]
const LARGEST: u64 = 1;
#[cfg(not(all(loom, test)))]
const MOST_CHILDREN: usize = 16;
#[cfg(all(loom, test))]
const MOST_CHILDREN: usize = 2;

const COUNT_AT: u32 = 60;
const PLACE_BITS: usize = 4;
const PLACE: u64 = 15;

/// Of a bound: its record is the first behind it, and not the last before it.
const BEHIND: u64 = 1 << 63;

/// The words of a record beside its event time.
const REST: usize = RECORD - 1;

/// How many records a leaf has room for: with the words of each and one more they take 8, 16, 32, 64
/// at the most.
const fn room(what: u64) -> usize {
    (2 << what) - 1
}

/// Where the tree of a feature begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct LateTree<'m> {
    memtable: &'m Memtable,
    root: Link,
}

/// A leaf as it was when it was looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Leaf<'m> {
    words: &'m [Word],
    link: Link,
    /// Its first word.
    order: u64,
}

impl<'m> Leaf<'m> {
    #[inline]
    const fn len(&self) -> usize {
        (self.order >> COUNT_AT) as usize
    }

    /// Where the record of a rank is.
    #[inline]
    const fn place(&self, rank: usize) -> usize {
        (self.order >> (rank * PLACE_BITS) & PLACE) as usize
    }

    #[inline]
    fn event_time(&self, rank: usize) -> EventTime {
        EventTime(get(self.words, 1 + self.place(rank)).cast_signed())
    }

    #[inline]
    fn record(&self, rank: usize) -> Record {
        self.record_at(self.place(rank))
    }

    #[inline]
    fn rest(&self, place: usize) -> &'m [Word] {
        let from = 1 + room(self.link & WHAT) + place * REST;
        self.words.get(from..from + REST).unwrap_or_default()
    }

    #[inline]
    fn record_at(&self, place: usize) -> Record {
        let rest = self.rest(place);
        [get(self.words, 1 + place), get(rest, 0), get(rest, 1), get(rest, 2)]
    }
}

/// A fork, which never changes but for its links.
#[derive(Clone, Copy, Debug, Default)]
struct Fork<'m> {
    children: &'m [Word],
    times: &'m [Word],
    places: &'m [Word],
}

impl<'m> LateTree<'m> {
    pub(super) const fn new(memtable: &'m Memtable, root: Link) -> Self {
        Self { memtable, root }
    }

    #[inline]
    fn leaf(&self, at: Link) -> Leaf<'m> {
        let words = self.memtable.nodes.words(at & !WHAT, 8 << (at & WHAT));
        Leaf { words, link: at, order: link(words, 0) }
    }

    #[inline]
    fn fork(&self, at: Link) -> Fork<'m> {
        let words = self.memtable.nodes.words_from(at & !WHAT);
        let Some((count, rest)) = words.split_first() else { return Fork::default() };
        let children = narrow(get(std::slice::from_ref(count), 0));
        let bounds = children.saturating_sub(1);
        let (times, rest) = rest.split_at_checked(bounds).unwrap_or_default();
        let (children, rest) = rest.split_at_checked(children).unwrap_or_default();
        Fork { children, times, places: rest.get(..bounds).unwrap_or_default() }
    }

    /// How many records of a leaf are up to a bound.
    #[inline]
    fn up_to(&self, leaf: &Leaf<'_>, bound: &Order) -> usize {
        let before = |rank: &usize| leaf.event_time(*rank) < bound.event_time;
        let mut count = (0..leaf.len()).filter(before).count();
        while count < leaf.len() && self.is_up_to(bound, &leaf.record(count)) {
            count += 1;
        }
        count
    }

    #[inline]
    fn is_up_to(&self, bound: &Order, record: &Record) -> bool {
        let t = event_time(record);
        let is_within = || is_moment(bound) || self.memtable.order_of(record) <= *bound;
        t < bound.event_time || t == bound.event_time && is_within()
    }

    /// Which child of a fork holds the greatest up to a bound, if it holds any of these.
    #[inline]
    fn child_of(&self, fork: &Fork<'_>, bound: &Order) -> usize {
        let time = |nth| EventTime(get(fork.times, nth).cast_signed());
        let before = |nth: &usize| time(*nth) < bound.event_time;
        let mut child = (0..fork.times.len()).filter(before).count();
        while child < fork.times.len()
            && time(child) == bound.event_time
            && (is_moment(bound) || self.is_below(get(fork.places, child), bound))
        {
            child += 1;
        }
        child
    }

    /// Whether an order is behind a bound of a fork.
    fn is_below(&self, place: u64, order: &Order) -> bool {
        let of_bound = self.order_at(place & !BEHIND);
        of_bound < *order || place & BEHIND != 0 && of_bound == *order
    }

    /// The order of the record of a bound.
    fn order_at(&self, place: u64) -> Order {
        let leaf = self.leaf(place >> PLACE_BITS);
        self.memtable.order_of(&leaf.record_at(narrow(place & PLACE)))
    }

    /// The leaf of the greatest record up to a bound, and how many of its are.
    fn find(&self, bound: &Order) -> Option<(Leaf<'m>, usize)> {
        let (mut at, mut before) = (self.root, 0);
        while at != 0 {
            if at & FORK == 0 {
                let leaf = self.leaf(at);
                let count = self.up_to(&leaf, bound);
                if count > 0 {
                    return Some((leaf, count));
                }
                // All of it is above, and nothing of its neighbour is.
                (at, before) = (before, 0);
                continue;
            }
            let fork = self.fork(at);
            let child = self.child_of(&fork, bound);
            if let Some(neighbour) = child.checked_sub(1) {
                before = link(fork.children, neighbour);
            }
            at = link(fork.children, child);
        }
        None
    }

    /// Goes back, from a moment that is not told yet.
    #[inline]
    pub(super) fn back(self) -> LateBack<'m> {
        LateBack { tree: self, leaf: Leaf::default(), left: 0 }
    }

    /// Puts a record in: the root then, and how many bytes of memory the memtable grew by. One writer at
    /// a time.
    pub(super) fn insert(&self, lots: &Lots<'_>, record: &Record) -> (Link, usize) {
        let put = Put { tree: *self, lots, record, order: self.memtable.order_of(record) };
        let mut grown = 0;
        let root = match put.below(self.root, &mut grown) {
            Change::None => self.root,
            Change::One(root) => root,
            Change::Two(first, bound, second) => {
                let children = Children { links: vec![first, second], bounds: vec![bound] };
                put.fork_of(&children, &mut grown)
            }
        };
        (root, grown)
    }
}

/// A record on its way in.
struct Put<'a, 'm> {
    tree: LateTree<'m>,
    lots: &'a Lots<'m>,
    record: &'a Record,
    order: Order,
}

/// What takes the place of a node.
enum Change {
    None,
    One(Link),
    /// Two nodes with a bound between them.
    Two(Link, Bound, Link),
}

/// The event time of a record, and where the record is.
type Bound = (u64, u64);

/// What a fork is made of.
struct Children {
    links: Vec<Link>,
    bounds: Vec<Bound>,
}

impl Put<'_, '_> {
    /// Puts the record in below a node.
    fn below(&self, at: Link, grown: &mut usize) -> Change {
        if at == 0 {
            return Change::One(self.leaf_of(0, &[*self.record], grown).link);
        }
        if at & FORK == 0 {
            return self.in_leaf(&self.tree.leaf(at), grown);
        }
        let fork = self.tree.fork(at);
        let child = self.tree.child_of(&fork, &self.order);
        match self.below(link(fork.children, child), grown) {
            Change::None => Change::None,
            Change::One(now) => {
                set_link(fork.children, child, now);
                Change::None
            }
            Change::Two(first, bound, second) => {
                let mut children = Children::of(&fork);
                children.links.splice(child..=child, [first, second]);
                children.bounds.insert(child, bound);
                self.forks_of(children, grown)
            }
        }
    }

    fn in_leaf(&self, leaf: &Leaf<'_>, grown: &mut usize) -> Change {
        let len = leaf.len();
        let rank = self.tree.up_to(leaf, &self.order);
        if let Some(before) = rank.checked_sub(1)
            && self.tree.memtable.order_of(&leaf.record(before)) == self.order
        {
            self.write_over(leaf, leaf.place(before));
            return Change::None;
        }
        let what = leaf.link & WHAT;
        if len < room(what) {
            write(leaf, len, self.record);
            set_link(leaf.words, 0, with(leaf.order, rank, len));
            return Change::None;
        }
        let ends = what == LARGEST && (rank == 0 || rank == len);
        if ends {
            let new = self.leaf_of(what, &[*self.record], grown);
            return if rank == 0 {
                let (time, place) = bound_of(leaf, 0);
                Change::Two(new.link, (time, place | BEHIND), leaf.link)
            } else {
                Change::Two(leaf.link, bound_of(leaf, len - 1), new.link)
            };
        }
        let mut records: Vec<Record> = (0..len).map(|rank| leaf.record(rank)).collect();
        records.insert(rank, *self.record);
        if what < LARGEST {
            return Change::One(self.leaf_of(what + 1, &records, grown).link);
        }
        let (first, second) = records.split_at(records.len() / 2);
        let [first, second] = [first, second].map(|half| self.leaf_of(what, half, grown));
        Change::Two(first.link, bound_of(&first, first.len() - 1), second.link)
    }

    /// Writes over a record of the same order. Readers compare orders of what they do not see, too: where
    /// the known time is stays what it was, and only what is said beside it changes.
    fn write_over(&self, leaf: &Leaf<'_>, place: usize) {
        let [time, commit, value, what] = *self.record;
        if what & HAS_KNOWN == 0 {
            return write(leaf, place, self.record);
        }
        let [_, _, pair, _] = leaf.record_at(place);
        let arena = &self.tree.memtable.arena;
        set(arena.words(pair, 2), 1, get(arena.words(value, 2), 1));
        write(leaf, place, &[time, commit, pair, what]);
    }

    /// A new leaf of some records, which ascend.
    fn leaf_of(&self, what: u64, records: &[Record], grown: &mut usize) -> Leaf<'_> {
        let (place, more) = self.lots.take(8 << what);
        *grown += more;
        let mut leaf = self.tree.leaf(place | what);
        for (rank, record) in records.iter().enumerate() {
            write(&leaf, rank, record);
            leaf.order = with(leaf.order, rank, rank);
        }
        set_link(leaf.words, 0, leaf.order);
        leaf
    }

    /// A new fork of some children.
    fn fork_of(&self, children: &Children, grown: &mut usize) -> Link {
        let Children { links, bounds } = children;
        let len = 1 + links.len() + 2 * bounds.len();
        let (place, more) = self.lots.take(len.next_multiple_of(8));
        *grown += more;
        let words = self.tree.memtable.nodes.words(place, len);
        let (times, places) = (bounds.iter().map(|b| &b.0), bounds.iter().map(|b| &b.1));
        set(words, 0, wide(links.len()));
        let all = times.chain(links).chain(places);
        (1..).zip(all).for_each(|(word, value)| set(words, word, *value));
        place | FORK
    }

    /// A fork, or two if it were too large.
    fn forks_of(&self, mut children: Children, grown: &mut usize) -> Change {
        if children.links.len() <= MOST_CHILDREN {
            return Change::One(self.fork_of(&children, grown));
        }
        let half = children.links.len() / 2;
        let links = children.links.split_off(half);
        let bounds = children.bounds.split_off(half);
        let Some(between) = children.bounds.pop() else { return Change::None };
        let first = self.fork_of(&children, grown);
        Change::Two(first, between, self.fork_of(&Children { links, bounds }, grown))
    }
}

impl Children {
    fn of(fork: &Fork<'_>) -> Self {
        let bounds = 0..fork.times.len();
        Self {
            links: (0..fork.children.len()).map(|nth| link(fork.children, nth)).collect(),
            bounds: bounds.map(|nth| (get(fork.times, nth), get(fork.places, nth))).collect(),
        }
    }
}

/// Writes a record where nobody sees one yet.
fn write(leaf: &Leaf<'_>, place: usize, record: &Record) {
    let [time, rest @ ..] = record;
    set(leaf.words, 1 + place, *time);
    let words = leaf.rest(place);
    (0..).zip(rest).for_each(|(word, value)| set(words, word, *value));
}

/// An order of a leaf with one more record, by its rank and its place.
const fn with(order: u64, rank: usize, place: usize) -> u64 {
    let (at, count) = (rank * PLACE_BITS, order >> COUNT_AT);
    let places = order & !(PLACE << COUNT_AT);
    let (below, above) = (places & ((1 << at) - 1), places >> at);
    let places = below | (place as u64) << at | above << at << PLACE_BITS;
    places & !(PLACE << COUNT_AT) | (count + 1) << COUNT_AT
}

fn bound_of(leaf: &Leaf<'_>, rank: usize) -> Bound {
    let place = wide(leaf.place(rank));
    (leaf.event_time(rank).0.cast_unsigned(), leaf.link << PLACE_BITS | place)
}

/// Above all that is of a moment, and below all that is after it.
pub(super) const fn up_to_moment(t: EventTime) -> Order {
    Order { event_time: t, known_time: KnownTime::MAX, commit: Commit::MAX }
}

#[inline]
fn is_moment(bound: &Order) -> bool {
    bound.known_time == KnownTime::MAX && bound.commit == Commit::MAX
}

/// The greatest order below one; of the lowest order of all it is its own, but no batch writes that:
/// commits are far above.
pub(super) fn just_below(order: Order) -> Order {
    Order { commit: Commit(order.commit.0.saturating_sub(1)), ..order }
}

/// Goes back through the records of a tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct LateBack<'m> {
    tree: LateTree<'m>,
    leaf: Leaf<'m>,
    /// How many records of the leaf are left.
    left: usize,
}

impl LateBack<'_> {
    fn go_to(&mut self, bound: &Order) {
        match self.tree.find(bound) {
            Some((leaf, left)) => (self.leaf, self.left) = (leaf, left),
            None => (self.tree.root, self.left) = (0, 0),
        }
    }

    /// Leaves out all above a bound, and tells the greatest that is left.
    #[inline]
    pub(super) fn up_to(&mut self, bound: &Order) -> Option<Record> {
        while let Some(rank) = self.left.checked_sub(1) {
            let record = self.leaf.record(rank);
            if self.tree.is_up_to(bound, &record) {
                return Some(record);
            }
            self.left = rank;
        }
        self.go_to(bound);
        Some(self.leaf.record(self.left.checked_sub(1)?))
    }
}
