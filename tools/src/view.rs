//! What is shown of a store as a whole: gathered once, for text, JSON and pictures alike.

use std::collections::BTreeMap;

use asofdb::{
    EventTime, FeatureFreshness, FeatureShape, Metrics, Shape, Span, Stats, Store, TableShape,
};

/// A store to look at.
pub struct View {
    /// What the store's clock said.
    pub now: i64,
    /// Its counts.
    pub stats: Stats,
    /// How it lies over its files.
    pub shape: Shape,
    /// What it holds by level, and what was counted since it was opened.
    pub metrics: Metrics,
    /// The labels of its sources.
    pub sources: Vec<String>,
    /// Its features, by name and schema number.
    pub features: Vec<FeatureView>,
    /// How fresh those are that are not retired, as metadata tells it.
    pub freshness: Vec<FeatureFreshness>,
}

/// A feature, and what tables and memtables hold of it.
#[derive(Clone, Debug)]
pub struct FeatureView {
    /// Its name, with the schema number if it is not the newest.
    pub shown: String,
    /// Its name without the schema number.
    pub name: String,
    /// Its schema number.
    pub schema: u32,
    /// Its TTL.
    pub ttl: Option<Span>,
    /// How long its history is kept.
    pub history: Option<Span>,
    /// Revisions in tables.
    pub table_records: u64,
    /// Revisions in memory.
    pub memory_records: u64,
    /// About how many bytes of tables it takes.
    pub table_bytes: u64,
    /// About how many bytes of memory it takes.
    pub memory_bytes: u64,
    /// The newest event time of its records.
    pub newest: Option<i64>,
    /// Its records, by the oldest and the newest event time of those that lie together.
    pub spans: Vec<RecordSpan>,
}

/// So many records with event times from one to another.
#[derive(Clone, Copy, Debug)]
pub struct RecordSpan {
    /// How many.
    pub records: u64,
    /// The oldest event time.
    pub oldest: i64,
    /// The newest event time.
    pub newest: i64,
}

impl FeatureView {
    /// All its records.
    pub fn records(&self) -> u64 {
        self.table_records + self.memory_records
    }

    fn add(&mut self, shape: &FeatureShape, in_memory: bool) {
        let (records, bytes) = if in_memory {
            (&mut self.memory_records, &mut self.memory_bytes)
        } else {
            (&mut self.table_records, &mut self.table_bytes)
        };
        *records += shape.records;
        *bytes += shape.estimated_bytes;
        let (oldest, newest) = (shape.oldest.0, shape.newest.0);
        self.newest = self.newest.max(Some(newest));
        self.spans.push(RecordSpan { records: shape.records, oldest, newest });
    }
}

impl View {
    /// Looks at a store.
    pub fn of(store: &Store) -> asofdb::Result<Self> {
        let shape = store.shape();
        let mut features: BTreeMap<(String, u32), FeatureView> = BTreeMap::new();
        let blank = |name: &str, schema: u32| FeatureView {
            shown: format!("{name}@{schema}"),
            name: name.to_owned(),
            schema,
            ttl: None,
            history: None,
            table_records: 0,
            memory_records: 0,
            table_bytes: 0,
            memory_bytes: 0,
            newest: None,
            spans: Vec::new(),
        };
        for feature in store.features() {
            let mut view = blank(&feature.name, feature.schema);
            view.ttl = feature.terms.ttl;
            view.history = feature.terms.history;
            if feature.newest {
                view.shown.clone_from(&feature.name);
            }
            features.insert((feature.name, feature.schema), view);
        }
        let tables = shape.tables.iter().flat_map(|table| &table.features);
        let memtables = shape.memtables.iter().flat_map(|memtable| &memtable.features);
        let held = tables.map(|of| (of, false)).chain(memtables.map(|of| (of, true)));
        for (of, in_memory) in held {
            // What is retired may still be in tables.
            let view = features
                .entry((of.name.clone(), of.schema))
                .or_insert_with(|| blank(&of.name, of.schema));
            view.add(of, in_memory);
        }
        Ok(Self {
            now: store.now().0,
            stats: store.stats(),
            shape,
            metrics: store.metrics(),
            sources: store.sources().iter().map(ToString::to_string).collect(),
            features: features.into_values().collect(),
            freshness: store.freshness()?.features,
        })
    }

    /// The levels that have tables, each with them.
    pub fn levels(&self) -> BTreeMap<u8, Vec<&TableShape>> {
        let mut levels: BTreeMap<u8, Vec<&TableShape>> = BTreeMap::new();
        for table in &self.shape.tables {
            levels.entry(table.level).or_default().push(table);
        }
        levels
    }

    /// The least and the greatest event time of all that is held; `None` if nothing is.
    pub fn event_times(&self) -> Option<(i64, i64)> {
        let memtables = self.shape.memtables.iter().filter_map(|memtable| memtable.extent);
        let tables = self.shape.tables.iter().map(|table| table.extent);
        let all: Vec<(EventTime, EventTime)> = memtables
            .chain(tables)
            .map(|extent| (extent.min_event_time, extent.max_event_time))
            .collect();
        let least = all.iter().map(|(least, _)| least.0).min()?;
        let greatest = all.iter().map(|(_, greatest)| greatest.0).max()?;
        Some((least, greatest))
    }

    /// Features by the bytes that they take, those of memory included, the greatest first.
    pub fn by_bytes(&self) -> Vec<&FeatureView> {
        let mut features: Vec<&FeatureView> = self.features.iter().collect();
        features.sort_by_key(|feature| {
            (std::cmp::Reverse(feature.table_bytes + feature.memory_bytes), &feature.shown)
        });
        features
    }
}

/// What a level is called.
pub fn level_name(level: u8) -> String {
    match level {
        0 => "level 0, recent".to_owned(),
        1 => "level 1, present".to_owned(),
        _ => format!("level {level}, past"),
    }
}
