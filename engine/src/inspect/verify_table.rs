//! Verifies a table: its bytes, its directory, every record, and what its metadata and the
//! manifest say of all that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use asofdb_format::directory;
use asofdb_format::edit::{Level, TableEntry};
use asofdb_format::hash::EntityHash;
use asofdb_format::header::HEADER_LEN;
use asofdb_format::ids::{Commit, FeatureId, FileNumber, SourceId};
use asofdb_format::meta::{FeatureMeta, TableMeta};
use asofdb_format::revision::Order;
use asofdb_format::table::{FOOTER_LEN, Layout};
use asofdb_format::value::Kind;
use asofdb_format::wire::{Malformed, uint, wide};
use bytes::Bytes;

use super::FileKind;
use super::find::Place;
use super::picture::{Faults, Picture, belongs};
use super::verify::{Done, fits};
use super::verify_freshness::FreshnessFound;
use super::walk::{Record, Row, TableFile};
use crate::types::error::{Error, Result};
use crate::world::disk::Disk;

/// Verifies a table, against a picture if there is a whole one. `step` is told how many of its
/// bytes are done.
pub(super) fn verify_table(
    disk: &dyn Disk,
    path: PathBuf,
    number: FileNumber,
    picture: &Picture,
    against: Option<&Picture>,
    sources: &BTreeMap<SourceId, String>,
    step: &mut dyn FnMut(u64),
) -> Done {
    let bytes = super::picture::file_len(disk, &path);
    let mut done = Done::new(FileKind::Table, path, bytes);
    let mut faults = Faults::default();
    let entry = against.and_then(|picture| picture.durable.tables.get(&number));
    done.run = entry.and_then(|entry| {
        let run = match entry.level {
            Level::Recent => return None,
            Level::Present => None,
            Level::Past(past) => Some(past.run),
        };
        Some((run, entry.min_hash, entry.max_hash))
    });
    let mut table = match TableFile::open(disk, &done.file.path) {
        Ok(table) => table,
        Err(fault) => {
            faults.push(fault);
            return done.with(faults);
        }
    };
    if let Err(fault) = belongs(table.path(), &table.opened.header, picture.store, number) {
        faults.push(fault);
    }
    if let Some(entry) = entry {
        check_entry(&table, entry, &mut faults);
    }
    check_layout(&table, &mut faults);
    let half = |done: u64| done / 2;
    table.check_pages(&mut |fault| faults.push(fault), &mut |at| step(half(at)));
    // What damaged pages tell is not worth telling again record by record.
    if faults.is_empty() {
        if let Some(picture) = against {
            check_names(&table, picture, sources, &mut faults);
        }
        check_buckets(&mut table, &mut faults);
        let rows = table.directory.rows();
        let heads = table.opened.layout.heads;
        let mut check = Check::new(against, table.opened.meta.clone(), heads.start, faults);
        for row in 0..rows {
            if let Err(fault) = check.row(&mut table, row) {
                check.faults.push(fault);
                check.is_whole = false;
            }
            let so_far = u128::from(bytes) * (wide(row) as u128 + 1) / (wide(rows) as u128).max(1);
            step(half(bytes) + half(u64::try_from(so_far).unwrap_or(bytes)));
        }
        if check.is_whole && check.next_head != heads.end() {
            let fault = Malformed::new(0, "nothing behind the last head");
            check.faults.push(table.corrupt(check.next_head, &fault));
        }
        check.check_meta(&table);
        check.check_freshness(&table);
        done.file.records = check.found.revisions;
        done.file.entities = check.entities;
        faults = check.faults;
    }
    done.with(faults)
}

/// What the manifest says of the table.
fn check_entry(table: &TableFile, entry: &TableEntry, faults: &mut Faults) {
    let meta = &table.opened.meta;
    let mut expect = |holds: bool, what: &str| {
        if !holds {
            let what = format!("this is another table than the manifest names: {what} differs");
            faults.push(Error::corrupt(table.path(), 0, what));
        }
    };
    expect(table.len == entry.len, "its length");
    expect(table.opened.layout.identity == entry.identity, "its identity");
    let told = (entry.min_hash, entry.max_hash, entry.entities, entry.revisions);
    let held = (meta.min_hash, meta.max_hash, meta.entities, meta.revisions);
    expect(told == held, "its entities");
    let told = (entry.min_event_time, entry.max_event_time, entry.max_known_time);
    let held = (meta.min_event_time, meta.max_event_time, meta.max_known_time);
    expect(told == held, "its times");
    let told = (entry.min_commit, entry.max_commit);
    expect(told == (meta.min_commit, meta.max_commit), "its commits");
}

/// Sections lie behind one another, so that every byte before the checksums has one.
fn check_layout(table: &TableFile, faults: &mut Faults) {
    let Layout { history, far, heads, directory, meta, freshness, timeline, hints, .. } =
        table.opened.layout;
    let checksums = table.opened.layout.checksums;
    let mut end = wide(HEADER_LEN);
    let sections = [history, far, heads, directory, meta].into_iter();
    let sections = sections.chain(freshness).chain(timeline).chain(hints);
    for section in sections.chain([checksums]) {
        if section.start < end {
            let fault = Malformed::new(0, "a section that begins behind the one before it");
            faults.push(table.corrupt(section.start, &fault));
        }
        end = section.end();
    }
    if end.saturating_add(wide(FOOTER_LEN)) > table.len {
        let fault = Malformed::new(0, "sections that end before the footer");
        faults.push(table.corrupt(end, &fault));
    }
}

/// What the catalog says of the features and sources that the metadata names.
fn check_names(
    table: &TableFile,
    picture: &Picture,
    sources: &BTreeMap<SourceId, String>,
    faults: &mut Faults,
) {
    let durable = &picture.durable;
    let meta = &table.opened.meta;
    let at = table.opened.layout.meta.start;
    let mut expect = |holds: bool, what: &'static str| {
        if !holds {
            faults.push(table.corrupt(at, &Malformed::new(0, what)));
        }
    };
    for (id, known) in &meta.features {
        let same = durable.catalog.get(*id).is_some_and(|state| {
            let of = &state.definition;
            (&of.name, of.schema, of.value_type) == (&known.name, known.schema, known.value_type)
        });
        expect(same, "features as the catalog has them");
        let recorded = durable.catalog.get(*id).map(|state| state.recorded).unwrap_or_default();
        let in_bounds = known.bounds.max(recorded) == recorded;
        expect(in_bounds, "bounds that were recorded before the table was made");
    }
    let named = meta.sources.iter().all(|(id, label)| sources.get(id) == Some(label));
    expect(named, "sources as the manifest names them");
    expect(meta.max_commit <= durable.newest, "no commit above the newest");
}

/// The buckets begin at the least hash, and their starts ascend from the first row to the last.
fn check_buckets(table: &mut TableFile, faults: &mut Faults) {
    let at = table.opened.layout.directory.start;
    match table.directory_bytes(0, 16) {
        Ok(head) => {
            let (base, zero) = (uint(&head, 0, 8), uint(&head, 9, 7));
            if base != table.opened.meta.min_hash.0 || zero != 0 {
                let fault = Malformed::new(0, "a directory that begins at the least hash");
                return faults.push(table.corrupt(at, &fault));
            }
        }
        Err(fault) => return faults.push(fault),
    }
    let first_row = table.directory.row_at(0);
    let mut before = 0;
    let mut place = directory::FIXED_LEN;
    while place < first_row {
        let start = match table.directory_bytes(place, 4) {
            Ok(four) => uint(&four, 0, 4),
            Err(fault) => return faults.push(fault),
        };
        let last = place + 4 == first_row;
        let wanted = wide(table.directory.rows());
        if start < before || place == directory::FIXED_LEN && start != 0 || last && start != wanted
        {
            let fault = Malformed::new(0, "starts of buckets from the first row to the last");
            return faults.push(table.corrupt(at + wide(place), &fault));
        }
        before = start;
        place += 4;
    }
}

/// The features of a row, ascending, with the least place in the order that each has there.
type Leasts = Vec<(FeatureId, Order)>;

struct Check<'c> {
    against: Option<&'c Picture>,
    meta: Arc<TableMeta>,
    /// What metadata the records that were found ought to have.
    found: TableMeta,
    fresh: FreshnessFound,
    sources: BTreeSet<SourceId>,
    entities: u64,
    /// The row before.
    before: Option<(EntityHash, Bytes, Leasts)>,
    /// The newest commit that the picture was asked for, as neighbours mostly share it.
    known_commit: Option<Commit>,
    /// Where the next head begins.
    next_head: u64,
    /// Whether all rows could be read.
    is_whole: bool,
    faults: Faults,
}

impl<'c> Check<'c> {
    fn new(against: Option<&'c Picture>, meta: TableMeta, first_head: u64, faults: Faults) -> Self {
        Self {
            against,
            meta: Arc::new(meta),
            found: TableMeta::empty(),
            fresh: FreshnessFound::default(),
            sources: BTreeSet::new(),
            entities: 0,
            before: None,
            known_commit: None,
            next_head: first_head,
            is_whole: true,
            faults,
        }
    }

    /// Verifies a row of the directory and all that hangs on it: the first thing that is wrong.
    fn row(&mut self, table: &mut TableFile, index: usize) -> Result<()> {
        let row = table.row(index)?;
        let entity = row.entity(table)?;
        table.check_hint(index, &row)?;
        let hash = EntityHash::of(&entity);
        let strange = |what| Err(table.corrupt(row.at, &Malformed::new(0, what)));
        if row.at != self.next_head {
            return strange("heads in the order of the rows, without gaps");
        }
        if entity.is_empty() {
            return strange("an entity of at least one byte");
        }
        if directory::fingerprint(hash) != row.fingerprint {
            return strange("an entity of the hash that the directory tells");
        }
        let newer = match self.before.take() {
            Some((of, before, least)) if (of, &before) == (hash, &entity) => Some(least),
            Some((of, before, _)) if (of, &before) > (hash, &entity) => {
                return strange("entities that ascend by hash");
            }
            _ => None,
        };
        self.found.entities += 1;
        if newer.is_none() {
            self.entities += 1;
            self.fresh.next_entity();
        }
        self.found.min_hash = self.found.min_hash.min(hash);
        self.found.max_hash = self.found.max_hash.max(hash);
        if !table.rows_of(hash)?.contains(&index) {
            let fault = Malformed::new(0, "the row in the bucket of its hash");
            return Err(table.corrupt(row.at, &fault));
        }
        let least = self.records(table, &row, newer.as_deref())?;
        self.before = Some((hash, entity, least));
        Ok(())
    }

    /// Verifies the records of a row; the least of each feature. If the row before is of the same
    /// entity, it holds newer ones.
    fn records(
        &mut self,
        table: &mut TableFile,
        row: &Row,
        newer: Option<&[(FeatureId, Order)]>,
    ) -> Result<Leasts> {
        let meta = Arc::clone(&self.meta);
        let path = table.path().to_path_buf();
        let mut least = Leasts::new();
        let mut last: Option<(FeatureId, Order)> = None;
        self.next_head = table.records(row, &mut |record| {
            let order = record.revision.order;
            let strange =
                |what: &str| Err(Error::corrupt(&path, record.at, format!("expected {what}")));
            match last {
                Some((feature, before)) if feature == record.feature => {
                    if before >= order {
                        return strange("revisions that ascend, the head above its history");
                    }
                }
                _ => least.push((record.feature, order)),
            }
            last = Some((record.feature, order));
            if record.place == Place::Head
                && let Some(newer) = newer
                && let Ok(place) = newer.binary_search_by_key(&record.feature, |(id, _)| *id)
                && newer.get(place).is_some_and(|(_, newer)| order >= *newer)
            {
                return strange("an entity's later rows to be older");
            }
            let Some(known) = meta.features.get(&record.feature) else {
                return strange("only features that the metadata names");
            };
            match self.record(record, known) {
                Some(what) => strange(what),
                None => Ok(()),
            }
        })?;
        Ok(least)
    }

    /// Counts a record; what is wrong with it.
    fn record(&mut self, record: &Record, known: &FeatureMeta) -> Option<&'static str> {
        let revision = &record.revision;
        let Order { event_time, known_time, commit } = revision.order;
        let found = &mut self.found;
        found.revisions += 1;
        found.min_event_time = found.min_event_time.min(event_time);
        found.max_event_time = found.max_event_time.max(event_time);
        found.max_known_time = found.max_known_time.max(known_time);
        found.min_commit = found.min_commit.min(commit);
        found.max_commit = found.max_commit.max(commit);
        let counted = found.features.entry(record.feature).or_insert_with(|| {
            FeatureMeta::new(known.name.clone(), known.schema, known.value_type, known.bounds)
        });
        counted.count(revision);
        self.fresh.record(record.feature, revision);
        if revision.source != SourceId::NONE {
            self.sources.insert(revision.source);
        }
        if known_time.0 > commit.0 {
            return Some("nothing known only after its commit");
        }
        if !fits(revision.kind, &revision.payload, known.value_type) {
            return Some("values of their features' types");
        }
        let bounds = known.bounds;
        if bounds.forgotten.is_some_and(|forgotten| event_time < forgotten)
            || revision.kind == Kind::Value && bounds.stale.is_some_and(|stale| event_time < stale)
        {
            return Some("nothing below the bounds that the table was made under");
        }
        if self.known_commit != Some(commit)
            && let Some(picture) = self.against
        {
            let before = Commit(commit.0.saturating_sub(1));
            if commit != Commit::MIN && !picture.durable.commits.any_between(before, commit.0) {
                return Some("a commit that the manifest knows of");
            }
            self.known_commit = Some(commit);
        }
        None
    }

    /// Holds the metadata against what was found.
    fn check_meta(&mut self, table: &TableFile) {
        if !self.is_whole {
            return;
        }
        let (meta, found) = (&table.opened.meta, &self.found);
        let at = table.opened.layout.meta.start;
        let mut faults = Vec::new();
        let mut expect = |holds: bool, what: String| {
            if !holds {
                faults.push(Error::corrupt(table.path(), at, format!("the metadata tells {what}")));
            }
        };
        expect(
            (meta.entities, meta.revisions) == (found.entities, found.revisions),
            format!(
                "of {} rows and {} revisions, and there are {} and {}",
                meta.entities, meta.revisions, found.entities, found.revisions
            ),
        );
        let bounds = |meta: &TableMeta| {
            (
                (meta.min_hash, meta.max_hash, meta.min_event_time, meta.max_event_time),
                (meta.max_known_time, meta.min_commit, meta.max_commit),
            )
        };
        let (told, held) = (bounds(meta), bounds(found));
        expect(told == held, format!("of bounds {told:?}, and they are {held:?}"));
        for (id, known) in &meta.features {
            let counted = found.features.get(id);
            let name = &known.name;
            expect(
                counted == Some(known),
                format!(
                    "of {name:?} what the records do not: {known:?}, and found was {counted:?}"
                ),
            );
        }
        expect(
            meta.sources.keys().eq(&self.sources),
            "of other sources than the records have".to_owned(),
        );
        faults.into_iter().for_each(|fault| self.faults.push(fault));
    }

    /// Holds the freshness against what was found.
    fn check_freshness(&mut self, table: &TableFile) {
        let opened = &table.opened;
        if let (true, Some(told), Some(section)) =
            (self.is_whole, &opened.freshness, opened.layout.freshness)
        {
            let found = std::mem::take(&mut self.fresh).finish();
            if *told != found {
                let fault = Malformed::new(0, "event times and counts as the records have them");
                self.faults.push(table.corrupt(section.start, &fault));
            }
        }
    }
}
