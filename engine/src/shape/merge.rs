//! Several sources of revisions, each ascending by (hash, entity), as one.
//!
//! An entity that several sources have comes once, its features and revisions ascending. Of
//! revisions equal in order, which can only be one that was written twice in a batch and is
//! already resolved, one is kept.

use std::ops::RangeInclusive;

use asofdb_format::hash::EntityHash;
use asofdb_format::ids::FeatureId;
use asofdb_format::revision::Revision;
use asofdb_format::timeline::Timeline;
use bytes::Bytes;

use crate::files::scan::{EntityRevisions, TableScan};
use crate::files::spare::Spare;
use crate::files::table::Table;
use crate::state::memtable::{EntityNode, Memtable};
use crate::sync::Shared;
use crate::types::error::Result;

/// Sources read side by side.
#[derive(Debug)]
pub(crate) struct Merge<'m> {
    sources: Vec<Source<'m>>,
    spare: Spare,
}

/// One source, with the entity it stands at.
#[derive(Debug)]
struct Source<'m> {
    rest: Rest<'m>,
    at: Option<EntityRevisions>,
}

#[derive(Debug)]
enum Rest<'m> {
    Table(Box<TableScan>),
    Memtable(std::vec::IntoIter<EntityNode<'m>>),
}

impl Source<'_> {
    fn advance(&mut self, spare: &mut Spare) -> Result<Option<EntityRevisions>> {
        let next = match &mut self.rest {
            Rest::Table(scan) => {
                std::mem::swap(&mut scan.spare, spare);
                let next = scan.next_row();
                std::mem::swap(&mut scan.spare, spare);
                next?
            }
            Rest::Memtable(nodes) => nodes.next().map(|node| EntityRevisions {
                hash: node.hash(),
                entity: node.entity(),
                features: node.revisions(|| spare.take()),
                raw: None,
            }),
        };
        Ok(std::mem::replace(&mut self.at, next))
    }

    fn key(&self) -> Option<(EntityHash, &Bytes)> {
        self.at.as_ref().map(|entity| (entity.hash, &entity.entity))
    }
}

impl<'m> Merge<'m> {
    /// Reads tables and memtables side by side, for tables that have a timeline.
    pub(crate) fn new(
        tables: &[Shared<Table>],
        memtables: &[&'m Memtable],
        timeline: &Timeline,
    ) -> Result<Self> {
        let all = EntityHash(0)..=EntityHash(u64::MAX);
        Self::of(tables, memtables, all, usize::MAX, timeline)
    }

    /// Reads tables side by side, those entities whose hashes lie in a range, and holds about so
    /// many bytes of each.
    pub(crate) fn in_range(
        tables: &[Shared<Table>],
        range: RangeInclusive<EntityHash>,
        window: usize,
        timeline: &Timeline,
    ) -> Result<Self> {
        Self::of(tables, &[], range, window, timeline)
    }

    fn of(
        tables: &[Shared<Table>],
        memtables: &[&'m Memtable],
        range: RangeInclusive<EntityHash>,
        window: usize,
        timeline: &Timeline,
    ) -> Result<Self> {
        let in_range = |table: &&Shared<Table>| {
            table.entry.min_hash <= *range.end() && *range.start() <= table.entry.max_hash
        };
        let tables = tables.iter().filter(in_range);
        let mut sources: Vec<Source<'m>> = Vec::new();
        for table in tables {
            let mut scan = TableScan::new(Shared::clone(table), range.clone(), window);
            let times = (table.entry.min_event_time, table.entry.max_event_time);
            scan.copies_by_time = table.timeline()?.agrees(timeline, times.0, times.1);
            sources.push(Source { rest: Rest::Table(Box::new(scan)), at: None });
        }
        let memtables =
            memtables.iter().map(|memtable| Rest::Memtable(memtable.entities().into_iter()));
        sources.extend(memtables.map(|rest| Source { rest, at: None }));
        let mut spare = Spare::default();
        for source in &mut sources {
            source.advance(&mut spare)?;
        }
        Ok(Self { sources, spare })
    }

    /// Takes the lists of an entity back, to use them again.
    pub(crate) fn take_back(&mut self, entity: EntityRevisions) {
        entity.features.into_iter().for_each(|(_, revisions)| self.spare.give(revisions));
    }

    /// The next entity.
    pub(crate) fn next_entity(&mut self) -> Result<Option<EntityRevisions>> {
        let Some((hash, entity)) = self.sources.iter().filter_map(Source::key).min() else {
            return Ok(None);
        };
        let entity = entity.clone();
        let mut parts = Vec::new();
        for source in &mut self.sources {
            // A table may hold an entity in several rows.
            while source.key() == Some((hash, &entity)) {
                parts.extend(source.advance(&mut self.spare)?);
            }
        }
        let mut parts = parts.into_iter();
        let Some(mut whole) = parts.next() else { return Ok(None) };
        for part in parts {
            whole.raw = None;
            whole.features = join(whole.features, part.features, &mut self.spare);
        }
        Ok(Some(whole))
    }
}

type Features = Vec<(FeatureId, Vec<Revision>)>;

fn join(a: Features, b: Features, spare: &mut Spare) -> Features {
    let mut out = Features::with_capacity(a.len().max(b.len()));
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return out,
        };
        match order {
            std::cmp::Ordering::Less => out.extend(a.next()),
            std::cmp::Ordering::Greater => out.extend(b.next()),
            std::cmp::Ordering::Equal => {
                if let (Some((id, mut all)), Some((_, mut more))) = (a.next(), b.next()) {
                    let in_order = match (all.last(), more.first()) {
                        (Some(last), Some(first)) => last.order < first.order,
                        _ => true,
                    };
                    all.append(&mut more);
                    spare.give(more);
                    if !in_order {
                        all.sort_by_key(|revision| revision.order);
                        all.dedup_by_key(|revision| revision.order);
                    }
                    out.push((id, all));
                }
            }
        }
    }
}
