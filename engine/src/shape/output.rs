//! Writes merged entities into tables, each of about the size that the options say, dropping
//! garbage on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use asofdb_format::edit::TableEntry;
use asofdb_format::header::{FileKind, Header};
use asofdb_format::ids::{Commit, FeatureId};
use asofdb_format::meta::FeatureMeta;
use asofdb_format::revision::Revision;
use asofdb_format::table::{Names, TableBuilder};

use crate::files::names;
use crate::files::scan::EntityRevisions;
use crate::files::table::Table;
use crate::shape::garbage::{Dropped, Limits, drop_garbage};
use crate::shape::merge::Merge;
use crate::state::live::{Keeper, State};
use crate::sync::Shared;
use crate::types::error::{Error, Result};
use crate::world::disk::{Disk, FileWriter};

/// What came of a merge.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) tables: Vec<Shared<Table>>,
    pub(crate) dropped: Dropped,
}

/// Tables are not made longer, whatever the options say: places of heads have 32 bits.
const MAX_TABLE_LEN: u64 = 1 << 30;

/// Bytes of a table that are gathered before they are written.
const WRITE_LEN: usize = 1 << 20;

/// Writes all entities of a merge into new tables of a level. The tables are durable when it
/// returns, and no manifest names them yet.
pub(crate) fn write_all(
    keeper: &Keeper,
    state: &State,
    merge: &mut Merge<'_>,
    seen_by_all: Commit,
    level: u8,
) -> Result<Written> {
    let mut written = Written::default();
    let result = fill(keeper, state, merge, seen_by_all, level, &mut written);
    if result.is_err() {
        // No manifest names what was made so far.
        written.tables.iter().for_each(|table| table.mark_obsolete());
    }
    result.map(|()| written)
}

fn fill(
    keeper: &Keeper,
    state: &State,
    merge: &mut Merge<'_>,
    seen_by_all: Commit,
    level: u8,
    written: &mut Written,
) -> Result<()> {
    let names = Names {
        features: state
            .catalog
            .all()
            .map(|feature| {
                let definition = &feature.definition;
                let meta = FeatureMeta::new(
                    definition.name.clone(),
                    definition.schema,
                    definition.value_type,
                    feature.recorded,
                );
                (definition.id, meta)
            })
            .collect::<BTreeMap<_, _>>(),
        sources: state.sources.iter().map(|(id, label)| (*id, label.to_string())).collect(),
    };
    let mut open: Option<Output> = None;
    let mut last = None;
    while let Some(mut entity) = merge.next_entity()? {
        clean(state, &mut entity, seen_by_all, &mut written.dropped);
        if entity.features.is_empty() {
            continue;
        }
        // Entities of one hash stay in one table: tables of the run share no hash.
        let is_full =
            |output: &Output| output.builder.len() >= keeper.options.table_bytes.min(MAX_TABLE_LEN);
        if open.as_ref().is_some_and(is_full)
            && last != Some(entity.hash)
            && let Some(full) = open.take()
        {
            written.tables.push(full.finish(keeper, level)?);
        }
        last = Some(entity.hash);
        let output = match &mut open {
            Some(output) => output,
            None => open.insert(Output::create(keeper, names.clone())?),
        };
        let features: Vec<(FeatureId, &[Revision])> =
            entity.features.iter().map(|(id, revisions)| (*id, revisions.as_slice())).collect();
        output.builder.add(&entity.entity, &features);
        output.write(false)?;
    }
    if let Some(last) = open {
        written.tables.push(last.finish(keeper, level)?);
    }
    if !written.tables.is_empty() {
        let disk = &keeper.options.world.disk;
        disk.sync_dir(&keeper.dir).map_err(|source| Error::io("sync", &keeper.dir, source))?;
    }
    Ok(())
}

/// Takes garbage out of an entity.
fn clean(state: &State, entity: &mut EntityRevisions, seen_by_all: Commit, dropped: &mut Dropped) {
    let erased = state.taken.erase_of(&entity.entity);
    for (feature, revisions) in &mut entity.features {
        let Some(known) = state.catalog.get(*feature) else { continue };
        let limits = Limits { bounds: known.recorded, seen_by_all, erased, taken: &state.taken };
        let now = drop_garbage(revisions, &limits);
        dropped.revisions += now.revisions;
        dropped.values += now.values;
    }
    entity.features.retain(|(_, revisions)| !revisions.is_empty());
}

/// A table that is being written.
struct Output {
    builder: TableBuilder,
    header: Header,
    path: std::path::PathBuf,
    file: Box<dyn FileWriter>,
    pending: Vec<u8>,
    unfinished: Unfinished,
}

/// A file that no manifest names yet: it goes with this, unless it was finished.
struct Unfinished {
    disk: Arc<dyn Disk>,
    path: Option<std::path::PathBuf>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // Left over at the worst: the next open removes it.
            let _ = self.disk.remove(&path);
        }
    }
}

impl Output {
    fn create(keeper: &Keeper, names: Names) -> Result<Self> {
        let number = keeper.next_file();
        let header = Header::new(FileKind::Table, keeper.store, number, keeper.now().0);
        let path = names::numbered(&keeper.dir, FileKind::Table, number);
        let disk = &keeper.options.world.disk;
        let file = disk.create(&path).map_err(|source| Error::io("create", &path, source))?;
        let builder = TableBuilder::new(&header, names);
        let unfinished = Unfinished { disk: Arc::clone(disk), path: Some(path.clone()) };
        Ok(Self { builder, header, path, file, pending: Vec::new(), unfinished })
    }

    fn write(&mut self, all: bool) -> Result<()> {
        self.pending.extend(self.builder.take_written());
        if self.pending.len() >= WRITE_LEN || all {
            self.file
                .append(&self.pending)
                .map_err(|source| Error::io("write", &self.path, source))?;
            self.pending.clear();
        }
        Ok(())
    }

    fn finish(mut self, keeper: &Keeper, level: u8) -> Result<Shared<Table>> {
        self.write(true)?;
        let (rest, finished) = self.builder.finish();
        self.file.append(&rest).map_err(|source| Error::io("write", &self.path, source))?;
        self.file.sync().map_err(|source| Error::io("sync", &self.path, source))?;
        let meta = &finished.meta;
        let entry = TableEntry {
            number: self.header.number,
            len: finished.len,
            identity: finished.identity,
            level,
            min_hash: meta.min_hash,
            max_hash: meta.max_hash,
            entities: meta.entities,
            revisions: meta.revisions,
            min_event_time: meta.min_event_time,
            max_event_time: meta.max_event_time,
            max_known_time: meta.max_known_time,
            min_commit: meta.min_commit,
            max_commit: meta.max_commit,
        };
        let options = &keeper.options;
        let table =
            Table::open(&options.world.disk, &keeper.dir, keeper.store, &entry, options.read_mode)?;
        self.unfinished.path = None;
        Ok(Shared::new(table))
    }
}
