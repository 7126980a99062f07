//! How a store lies over its files: what each memtable, log and table holds, and which part of
//! hashes and event times it covers. A picture of the store needs nothing else.

use std::collections::BTreeMap;

use asofdb_format::ids::{Commit, EventTime, FeatureId, FileNumber, KnownTime};
use asofdb_format::meta::FeatureMeta;

use crate::files::table::Table;
use crate::state::catalog::Catalog;
use crate::state::live::Keeper;
use crate::state::memtable::Memtable;
use crate::stats::space;

/// How a store lies over its files.
///
/// ```
/// use asofdb::{Batch, Durability, EventTime, FeatureSpec, Options, Store, ValueType};
/// # fn main() -> asofdb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path().join("store");
/// let store = Store::open(&dir, Options::new())?;
/// store.define(FeatureSpec::new("weather:temp", ValueType::F64))?;
/// let mut batch = Batch::new();
/// batch.put("JFK", "weather:temp", EventTime(1_700_000_000_000_000), 39.0);
/// store.write(batch, Durability::Buffered)?;
/// assert_eq!(store.shape().memtables[0].records, 1);
/// store.flush()?;
/// let shape = store.shape();
/// let table = &shape.tables[0];
/// assert_eq!((table.level, table.records, table.features[0].name.as_str()), (0, 1, "weather:temp"));
/// # store.close()
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Shape {
    /// The memtables, the one that takes batches first, then the older ones.
    pub memtables: Vec<MemtableShape>,
    /// The logs, by number.
    pub logs: Vec<LogShape>,
    /// The tables, by level and number.
    pub tables: Vec<TableShape>,
}

/// A memtable.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemtableShape {
    /// The log that holds the same.
    pub log: FileNumber,
    /// Revisions.
    pub records: u64,
    /// Bytes of memory that it takes, about.
    pub memory_bytes: u64,
    /// Entities.
    pub entities: u64,
    /// The part of hashes and event times that it covers; `None` if it is empty.
    pub extent: Option<Extent>,
    /// What it holds of each feature, by the feature's number; the bytes are bytes of memory.
    pub features: Vec<FeatureShape>,
}

/// A part of the hashes of entities and of event times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extent {
    /// The least hash of the entities.
    pub min_hash: u64,
    /// The greatest hash of the entities.
    pub max_hash: u64,
    /// The least event time.
    pub min_event_time: EventTime,
    /// The greatest event time.
    pub max_event_time: EventTime,
}

/// A log.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LogShape {
    /// The number in its file's name.
    pub number: FileNumber,
    /// Its length, if it takes no more batches.
    pub sealed_bytes: Option<u64>,
}

/// A table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TableShape {
    /// The number in its file's name.
    pub number: FileNumber,
    /// Its level: 0 for flushed tables, which may overlap, 1 for the present, 2 for the past.
    pub level: u8,
    /// The first and the last moment of the window that it stands for, if it is of the past.
    pub window: Option<(EventTime, EventTime)>,
    /// Its length.
    pub bytes: u64,
    /// Revisions.
    pub records: u64,
    /// Rows of its directory.
    pub entities: u64,
    /// The part of hashes and event times that it covers.
    pub extent: Extent,
    /// The greatest known time.
    pub max_known_time: KnownTime,
    /// The least commit.
    pub min_commit: Commit,
    /// The greatest commit.
    pub max_commit: Commit,
    /// What it holds of each feature, by the feature's number.
    pub features: Vec<FeatureShape>,
}

/// What a table or a memtable holds of a feature.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FeatureShape {
    /// Its name without the schema number.
    pub name: String,
    /// Its schema number.
    pub schema: u32,
    /// Revisions.
    pub records: u64,
    /// About how many bytes they take: the table's bytes are shared out by the widths of the
    /// features' types, texts and bytes counting as 32 each. Those of all features add up to the
    /// table.
    pub estimated_bytes: u64,
    /// The oldest event time.
    pub oldest: EventTime,
    /// The newest event time.
    pub newest: EventTime,
}

impl Shape {
    pub(crate) fn of(keeper: &Keeper) -> Self {
        let state = keeper.state();
        let memtables =
            state.memtables.iter().map(|memtable| MemtableShape::of(memtable, &state.catalog));
        let logs = keeper.look(|durable| {
            let log = |(number, sealed): (&FileNumber, &Option<u64>)| LogShape {
                number: *number,
                sealed_bytes: *sealed,
            };
            durable.logs.iter().map(log).collect()
        });
        let mut tables: Vec<TableShape> =
            state.tables.all().map(|table| TableShape::of(table)).collect();
        tables.sort_unstable_by_key(|table| (table.level, table.number));
        Self { memtables: memtables.collect(), logs, tables }
    }
}

impl MemtableShape {
    fn of(memtable: &Memtable, catalog: &Catalog) -> Self {
        let mut features: BTreeMap<FeatureId, FeatureMeta> = BTreeMap::new();
        let mut hashes: Option<(u64, u64)> = None;
        let (mut entities, mut records) = (0, 0);
        for node in memtable.entities() {
            entities += 1;
            let (least, greatest) = hashes.unwrap_or((node.hash().0, node.hash().0));
            hashes = Some((least.min(node.hash().0), greatest.max(node.hash().0)));
            for (id, revisions) in node.revisions(Vec::new) {
                let Some(feature) = catalog.get(id) else { continue };
                let definition = &feature.definition;
                let meta = features.entry(id).or_insert_with(|| {
                    let (name, schema) = (definition.name.clone(), definition.schema);
                    FeatureMeta::new(name, schema, definition.value_type, feature.recorded)
                });
                records += revisions.len() as u64;
                revisions.iter().for_each(|revision| meta.count(revision));
            }
        }
        let memory_bytes = memtable.bytes() as u64;
        let oldest = features.values().map(|meta| meta.oldest).min();
        let newest = features.values().map(|meta| meta.newest).max();
        let extent = match (hashes, oldest, newest) {
            (Some((min_hash, max_hash)), Some(min_event_time), Some(max_event_time)) => {
                Some(Extent { min_hash, max_hash, min_event_time, max_event_time })
            }
            _ => None,
        };
        let bytes = space::shares(&features, memory_bytes);
        let features = FeatureShape::all(&features, &bytes);
        Self { log: memtable.log, records, memory_bytes, entities, extent, features }
    }
}

impl FeatureShape {
    fn all(
        features: &BTreeMap<FeatureId, FeatureMeta>,
        bytes: &BTreeMap<FeatureId, u64>,
    ) -> Vec<Self> {
        let of = |(id, meta): (&FeatureId, &FeatureMeta)| Self {
            name: meta.name.clone(),
            schema: meta.schema,
            records: meta.revisions,
            estimated_bytes: bytes.get(id).copied().unwrap_or_default(),
            oldest: meta.oldest,
            newest: meta.newest,
        };
        features.iter().map(of).collect()
    }
}

impl TableShape {
    fn of(table: &Table) -> Self {
        let entry = &table.entry;
        let bytes = space::bytes_by_feature(table);
        Self {
            number: entry.number,
            level: entry.level.number(),
            window: entry.level.past().map(|past| past.window),
            bytes: entry.len,
            records: entry.revisions,
            entities: entry.entities,
            extent: Extent {
                min_hash: entry.min_hash.0,
                max_hash: entry.max_hash.0,
                min_event_time: entry.min_event_time,
                max_event_time: entry.max_event_time,
            },
            max_known_time: entry.max_known_time,
            min_commit: entry.min_commit,
            max_commit: entry.max_commit,
            features: FeatureShape::all(&table.meta.features, &bytes),
        }
    }
}
