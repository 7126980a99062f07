//! Where the records of an entity lie, in all files, whether or not a read would see them.

use std::fmt;
use std::path::{Path, PathBuf};

use asofdb_format::batch::{BatchReader, Entry};
use asofdb_format::frame::{FileEnd, Frame, FrameKind};
use asofdb_format::hash::EntityHash;
use asofdb_format::header::FileKind;
use asofdb_format::ids::{Commit, EventTime, FeatureId, FileNumber, KnownTime, SourceId};
use asofdb_format::value::{Kind, Value, ValueType};

use super::item::{Field, Item};
use super::picture::{FrameBytes, Listing, Picture, file_len, rot};
use super::walk::{Record, TableFile};
use crate::files::names;
use crate::types::error::{Error, Result};
use crate::world::World;
use crate::world::disk::Disk;

/// In which part of a file a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In a frame of a log.
    Log,
    /// In the head of an entity in a table: it is the newest version that the table has.
    Head,
    /// In the history of an entity in a table.
    History,
}

impl Place {
    /// The place in a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Head => "head",
            Self::History => "history",
        }
    }
}

/// A record that [`find_entity`](super::find_entity) found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Found {
    /// The file that it lies in.
    pub path: PathBuf,
    /// Where the frame, the head or the chunk begins that holds it.
    pub offset: u64,
    /// Which of them that is.
    pub place: Place,
    /// Where the bytes of its value lie, or the compressed block that they are in.
    pub value_offset: Option<u64>,
    /// Whether the manifest names the file; if not, it is left over and read by nobody.
    pub named: bool,
    /// The feature with its schema number: `view:feature@1`, or `#3` if its name is not known.
    pub feature: String,
    /// When it became true.
    pub event_time: EventTime,
    /// When it became known.
    pub known_time: KnownTime,
    /// The commit of its batch.
    pub commit: Commit,
    /// What it says.
    pub kind: Kind,
    /// Its value, if it has one and its type is known.
    pub value: Option<Value>,
    /// The label of its batch.
    pub source: Option<String>,
    /// Whether an erase took it away.
    pub erased: bool,
    /// Whether a revert took it away, for readers that see the revert.
    pub reverted: bool,
    /// Whether it lies below the bound B: it does not exist for any read.
    pub forgotten: bool,
    /// Whether it is a value below the bound S: no read is given the value.
    pub given_up: bool,
}

impl Found {
    /// The record as an item of a dump.
    #[must_use]
    pub fn item(&self) -> Item {
        let flag = |flag: bool| if flag { Field::Flag(true) } else { Field::Absent };
        Item::new(
            "found",
            0,
            vec![
                ("path", Field::text_of(self.path.display().to_string())),
                ("offset", Field::Count(self.offset)),
                ("place", Field::text_of(self.place.as_str())),
                ("value_offset", Field::count(self.value_offset)),
                ("feature", Field::text_of(&self.feature)),
                ("event_time", Field::Moment(self.event_time.0)),
                ("known_time", Field::Moment(self.known_time.0)),
                ("commit", Field::Moment(self.commit.0)),
                ("kind", Field::text_of(kind_name(self.kind))),
                ("value", self.value.clone().map_or(Field::Absent, Field::Value)),
                ("source", self.source.as_ref().map_or(Field::Absent, Field::text_of)),
                ("left_over", flag(!self.named)),
                ("erased", flag(self.erased)),
                ("reverted", flag(self.reverted)),
                ("forgotten", flag(self.forgotten)),
                ("given_up", flag(self.given_up)),
            ],
        )
    }
}

/// As [`Found::item`] is written.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.item(), f)
    }
}

/// A kind in a word.
pub(super) const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Value => "value",
        Kind::Null => "null",
        Kind::Deleted => "deleted",
        Kind::Stub => "stub",
    }
}

/// How a search went.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Searched {
    /// How many logs and tables were searched.
    pub files: u64,
    /// How long they are together.
    pub bytes: u64,
    /// How many records were found.
    pub records: u64,
    /// What could not be searched, so that records may lie there. A table that is left over is
    /// often half-written and then among them.
    pub unread: Vec<Error>,
}

pub(super) fn find_entity(
    dir: &Path,
    world: &World,
    entity: &[u8],
    out: &mut dyn FnMut(Found),
) -> Result<Searched> {
    let disk = &*world.disk;
    let listing = Listing::of(disk, dir)?;
    let picture = Picture::read(disk, dir, &listing);
    let mut search = Search {
        disk,
        now: world.clock.now(),
        erased: picture.durable.taken.ever_erased(entity),
        picture: &picture,
        entity,
        out,
        searched: Searched::default(),
    };
    search.searched.unread.extend(picture.current.list.iter().cloned());
    if let Some(manifest) = picture.manifest.as_ref().filter(|manifest| !manifest.whole) {
        search.searched.unread.extend(manifest.faults.list.iter().cloned());
    }
    search.all(dir, &listing);
    Ok(search.searched)
}

/// A search for one entity.
struct Search<'s> {
    disk: &'s dyn Disk,
    now: EventTime,
    erased: Option<Commit>,
    picture: &'s Picture,
    entity: &'s [u8],
    out: &'s mut dyn FnMut(Found),
    searched: Searched,
}

/// A file that is searched.
struct Searching<'f> {
    path: &'f Path,
    named: bool,
}

impl Search<'_> {
    fn all(&mut self, dir: &Path, listing: &Listing) {
        let durable = &self.picture.durable;
        let files = |kind, named: Vec<FileNumber>| {
            let mut all: Vec<FileNumber> = listing.of_kind(kind).chain(named).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        for number in files(FileKind::Log, durable.logs.keys().copied().collect()) {
            let path = names::numbered(dir, FileKind::Log, number);
            let named = durable.logs.contains_key(&number);
            self.file(&Searching { path: &path, named }, Self::log);
        }
        for number in files(FileKind::Table, durable.tables.keys().copied().collect()) {
            let path = names::numbered(dir, FileKind::Table, number);
            let named = durable.tables.contains_key(&number);
            self.file(&Searching { path: &path, named }, Self::table);
        }
    }

    fn file(&mut self, file: &Searching<'_>, search: fn(&mut Self, &Searching<'_>) -> Result<()>) {
        self.searched.files += 1;
        self.searched.bytes += file_len(self.disk, file.path);
        if let Err(fault) = search(self, file) {
            self.searched.unread.push(fault);
        }
    }

    fn log(&mut self, file: &Searching<'_>) -> Result<()> {
        let bytes = FrameBytes::read(self.disk, file.path, FileKind::Log)?;
        let (frames, end) = bytes.frames();
        for frame in frames.iter().filter(|frame| frame.head.kind == FrameKind::Batch) {
            let fail = |fault| bytes.malformed(frame, &fault);
            let mut batch = BatchReader::decode(frame.payload).map_err(fail)?;
            while let Some(entry) = batch.next_entry().map_err(fail)? {
                if entry.entity == self.entity {
                    let source = batch.head.source.as_ref();
                    self.entry(file, frame, &entry, source);
                }
            }
        }
        match end {
            FileEnd::Rot { at } => Err(rot(file.path, at)),
            FileEnd::Whole | FileEnd::Torn { .. } => Ok(()),
        }
    }

    fn entry(
        &mut self,
        file: &Searching<'_>,
        frame: &Frame<'_>,
        entry: &Entry<'_>,
        source: Option<&(SourceId, String)>,
    ) {
        let commit = frame.head.commit;
        let value_type = self.value_type(entry.feature);
        let value = value_type.and_then(|of| entry.value.to_payload().to_value(of));
        let found = Found {
            path: file.path.to_path_buf(),
            offset: frame.start,
            place: Place::Log,
            value_offset: None,
            named: file.named,
            feature: self.picture.feature_name(entry.feature),
            event_time: entry.event_time,
            known_time: entry.known_time.unwrap_or(KnownTime(commit.0)),
            commit,
            kind: entry.kind,
            value,
            source: source.map(|(_, label)| label.clone()),
            erased: false,
            reverted: false,
            forgotten: false,
            given_up: false,
        };
        self.give(found, entry.feature, source.map_or(SourceId::NONE, |(id, _)| *id));
    }

    fn table(&mut self, file: &Searching<'_>) -> Result<()> {
        let mut table = TableFile::open(self.disk, file.path)?;
        for row in table.rows_of(EntityHash::of(self.entity))? {
            let row = table.row(row)?;
            if row.entity(&table)? != self.entity {
                continue;
            }
            let meta = table.opened.meta.clone();
            table.records(&row, &mut |record| {
                let known = meta.features.get(&record.feature);
                let revision = &record.revision;
                let value = known.and_then(|known| revision.payload.to_value(known.value_type));
                let name = known.map(|known| format!("{}@{}", known.name, known.schema));
                let source = meta.sources.get(&revision.source).cloned();
                let found = found_in_table(file, record, name, value, source);
                self.give(found, record.feature, revision.source);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn value_type(&self, feature: FeatureId) -> Option<ValueType> {
        self.picture.durable.catalog.get(feature).map(|state| state.definition.value_type)
    }

    /// Tells what took a record away, and gives it out.
    fn give(&mut self, mut found: Found, feature: FeatureId, source: SourceId) {
        let durable = &self.picture.durable;
        found.erased = self.erased.is_some_and(|erase| found.commit < erase);
        found.reverted = durable.taken.is_reverted(found.commit, source, Commit::MAX);
        if let Some(state) = durable.catalog.get(feature) {
            let bounds = state.bounds(self.now, None);
            let below = |bound: Option<EventTime>| bound.is_some_and(|b| found.event_time < b);
            found.forgotten = below(bounds.forgotten);
            found.given_up = found.kind == Kind::Value && below(bounds.stale);
        }
        self.searched.records += 1;
        (self.out)(found);
    }
}

fn found_in_table(
    file: &Searching<'_>,
    record: &Record,
    name: Option<String>,
    value: Option<Value>,
    source: Option<String>,
) -> Found {
    let order = record.revision.order;
    Found {
        path: file.path.to_path_buf(),
        offset: record.at,
        place: record.place,
        value_offset: record.value_at,
        named: file.named,
        feature: name.unwrap_or_else(|| format!("#{}", record.feature.0)),
        event_time: order.event_time,
        known_time: order.known_time,
        commit: order.commit,
        kind: record.revision.kind,
        value,
        source,
        erased: false,
        reverted: false,
        forgotten: false,
        given_up: false,
    }
}
