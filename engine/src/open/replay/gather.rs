//! What was read of batches, by part of the memtable, and how a part is put in: gathered by entity.

use asofdb_format::batch::{Entry, EntryValue};
use asofdb_format::hash::EntityHash;
use asofdb_format::ids::{Commit, EventTime, FeatureId, KnownTime, SourceId};
use asofdb_format::revision::Order;
use asofdb_format::value::Kind;
use asofdb_format::wire::{low_byte, narrow, wide};

use crate::state::memtable::{Incoming, Memtable};

const KIND: u32 = 3;
const BITS: u32 = 4;
const RAW: u32 = 8;
/// The known time was given, and stands among the others with the value.
const KNOWN: u32 = 16;

/// A revision of an entity, on its way to a memtable. It is written once and read once, both out of
/// the cache, so it is kept short.
#[derive(Debug)]
pub(super) struct Put<'a> {
    entity: &'a [u8],
    hash: EntityHash,
    event_time: EventTime,
    /// The bits of a number, or a place among the bytes or among the others.
    value: u64,
    feature: FeatureId,
    /// The place of its batch.
    batch: u32,
    what: u32,
}

/// What was read of batches that follow one another.
#[derive(Debug, Default)]
pub(super) struct Read<'a> {
    /// By part of the memtable, in order.
    pub(super) parts: Vec<Vec<Put<'a>>>,
    pub(super) batches: Vec<(Commit, SourceId)>,
    raws: Vec<&'a [u8]>,
    others: Vec<(KnownTime, u64)>,
}

impl<'a> Read<'a> {
    /// Adds an entry of the last batch.
    #[inline]
    pub(super) fn push(&mut self, part: usize, hash: EntityHash, entry: &Entry<'a>) {
        let (mut what, mut value) = match entry.value {
            EntryValue::None => (0, 0),
            EntryValue::Bits(bits) => (BITS, bits),
            EntryValue::Raw(raw) => {
                self.raws.push(raw);
                (RAW, wide(self.raws.len() - 1))
            }
        };
        if let Some(known) = entry.known_time {
            self.others.push((known, value));
            (what, value) = (what | KNOWN, wide(self.others.len() - 1));
        }
        what |= u32::from(entry.kind.tag());
        if let Some(part) = self.parts.get_mut(part) {
            part.push(Put {
                entity: entry.entity,
                event_time: entry.event_time,
                value,
                hash,
                feature: entry.feature,
                batch: u32::try_from(self.batches.len() - 1).unwrap_or(u32::MAX),
                what,
            });
        }
    }

    /// A revision as it was read.
    #[inline]
    fn incoming(&self, put: &Put<'a>) -> Incoming<'a> {
        let (commit, source) = self.batches.get(put.batch as usize).copied().unwrap_or_default();
        let (known_time, value) = if put.what & KNOWN == 0 {
            (KnownTime(commit.0), put.value)
        } else {
            self.others.get(narrow(put.value)).copied().unwrap_or_default()
        };
        let value = match put.what & (BITS | RAW) {
            BITS => EntryValue::Bits(value),
            RAW => EntryValue::Raw(self.raws.get(narrow(value)).copied().unwrap_or_default()),
            _ => EntryValue::None,
        };
        let order = Order { event_time: put.event_time, known_time, commit };
        // Only what has a tag was read.
        let kind = Kind::from_tag(low_byte(u64::from(put.what & KIND))).unwrap_or(Kind::Null);
        Incoming { feature: put.feature, order, kind, source, value }
    }
}

/// Puts in what was read of a part, that of an entity together and in the order in which it was read.
pub(super) fn put_part<'l, 'a: 'l>(
    memtable: &Memtable,
    part: usize,
    pieces: impl Iterator<Item = &'l Read<'a>> + Clone,
) {
    let lists = pieces.filter_map(|read| Some((read, read.parts.get(part)?)));
    let mut gathered = Gathered::for_up_to(lists.clone().map(|(_, list)| list.len()).sum());
    for (read, list) in lists {
        list.iter().for_each(|put| gathered.add(read, put));
    }
    let mut inserter = memtable.part_inserter();
    for chain in &gathered.chains {
        let mut next = chain.first;
        while let Some(link) = gathered.links.get(next as usize) {
            inserter.put(chain.entity, link.read.incoming(link.put));
            next = link.next;
        }
    }
    inserter.end();
}

/// Behind the last of a chain.
const NONE: u32 = u32::MAX;

/// Revisions in chains, one for each entity.
struct Gathered<'l, 'a> {
    /// 1 + the place of a chain, by the hash; 0: no chain.
    table: Vec<u32>,
    chains: Vec<Chain<'a>>,
    links: Vec<Link<'l, 'a>>,
}

struct Chain<'a> {
    entity: &'a [u8],
    hash: EntityHash,
    first: u32,
    last: u32,
}

impl Chain<'_> {
    #[inline]
    fn is_of(&self, put: &Put<'_>) -> bool {
        let len = self.entity.len();
        // The bytes of an entity are not in the cache: mostly they need not be looked at.
        let is_same = || EntityHash::tells_entity(len) || self.entity == put.entity;
        self.hash == put.hash && len == put.entity.len() && is_same()
    }
}

struct Link<'l, 'a> {
    read: &'l Read<'a>,
    put: &'l Put<'a>,
    next: u32,
}

impl<'l, 'a> Gathered<'l, 'a> {
    fn for_up_to(revisions: usize) -> Self {
        // At most half of it is taken.
        let table = vec![0; (2 * revisions.max(1)).next_power_of_two()];
        Self { table, chains: Vec::new(), links: Vec::with_capacity(revisions) }
    }

    fn add(&mut self, read: &'l Read<'a>, put: &'l Put<'a>) {
        let link = u32::try_from(self.links.len()).unwrap_or(NONE);
        self.links.push(Link { read, put, next: NONE });
        let mask = self.table.len() - 1;
        // What tells the part is in the lower half.
        let mut at = narrow(put.hash.0 >> 32) & mask;
        while let Some(cell) = self.table.get_mut(at) {
            let place = (*cell as usize).checked_sub(1);
            match place.and_then(|place| self.chains.get_mut(place)) {
                None => {
                    let Put { entity, hash, .. } = *put;
                    self.chains.push(Chain { entity, hash, first: link, last: link });
                    *cell = u32::try_from(self.chains.len()).unwrap_or(NONE);
                    return;
                }
                Some(chain) if chain.is_of(put) => {
                    if let Some(last) = self.links.get_mut(chain.last as usize) {
                        last.next = link;
                    }
                    chain.last = link;
                    return;
                }
                Some(_) => at = (at + 1) & mask,
            }
        }
    }
}
