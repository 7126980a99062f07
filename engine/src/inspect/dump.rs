//! What a file holds, in the order in which it holds it.

use std::path::Path;
use std::sync::Arc;

use asofdb_format::batch::{BatchReader, Entry};
use asofdb_format::catalog::Bounds;
use asofdb_format::frame::{FileEnd, Frame, FrameKind};
use asofdb_format::freshness::FeatureFreshness;
use asofdb_format::hash::EntityHash;
use asofdb_format::header::{HEADER_LEN, Header};
use asofdb_format::ids::{EventTime, FeatureId, KnownTime, SourceId};
use asofdb_format::meta::{FeatureMeta, TableMeta};
use asofdb_format::revision::Payload;
use asofdb_format::value::{Value, ValueType};
use asofdb_format::wire::{narrow, wide};

use super::FileKind;
use super::dump_edit::edit_items;
use super::find::kind_name;
use super::item::{Field, Item};
use super::picture::{FrameBytes, Listing, Picture, decode_edits, file_len, rot};
use super::walk::{Record, TableFile};
use crate::files::log::{check_header, open_error};
use crate::files::names;
use crate::types::error::{Error, Result};
use crate::world::disk::Disk;

type Out<'o> = &'o mut dyn FnMut(Item);

/// Dumps a file that its header tells the kind of.
pub(super) fn file(path: &Path, disk: &dyn Disk, out: Out<'_>) -> Result<()> {
    let header = header_of(path, disk)?;
    let picture = match header.kind {
        // Only a log needs its store to be understood.
        FileKind::Log => picture_beside(path, disk),
        _ => None,
    };
    let picture = picture.filter(|picture| picture.store == Some(header.store));
    dump(path, &header, disk, picture.as_ref(), out)
}

/// Dumps all files of a store.
pub(super) fn store(dir: &Path, disk: &dyn Disk, out: Out<'_>) -> Result<()> {
    let listing = Listing::of(disk, dir)?;
    let picture = Picture::read(disk, dir, &listing);
    let mut paths = Vec::new();
    if listing.current {
        paths.push(names::current(dir));
    }
    for kind in [FileKind::Manifest, FileKind::Log, FileKind::Table] {
        paths.extend(listing.of_kind(kind).map(|number| names::numbered(dir, kind, number)));
    }
    let mut first = None;
    for path in &paths {
        let dumped =
            header_of(path, disk).and_then(|header| dump(path, &header, disk, Some(&picture), out));
        if let Err(error) = dumped {
            out(Item::new("fault", 1, vec![("error", Field::text_of(error.to_string()))]));
            first = first.or(Some(error));
        }
    }
    for name in &listing.others {
        let path = dir.join(name);
        let bytes = Field::Count(file_len(disk, &path));
        out(Item::new("stray", 0, vec![("path", path_field(&path)), ("bytes", bytes)]));
    }
    first.map_or(Ok(()), Err)
}

fn header_of(path: &Path, disk: &dyn Disk) -> Result<Header> {
    let file = disk.open(path).map_err(|source| open_error(path, source))?;
    let len = file.len().map_err(|source| Error::io("read", path, source))?;
    let mut bytes = vec![0; narrow(len.min(wide(HEADER_LEN)))];
    file.read_at(0, &mut bytes).map_err(|source| Error::io("read", path, source))?;
    // The kind is whatever the header says it is.
    let kind = Header::decode(&bytes).map_or(FileKind::Current, |header| header.kind);
    check_header(path, &bytes, kind)
}

/// The picture of the store in whose directory a file lies.
fn picture_beside(path: &Path, disk: &dyn Disk) -> Option<Picture> {
    let dir = path.parent()?;
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let listing = Listing::of(disk, dir).ok()?;
    Some(Picture::read(disk, dir, &listing))
}

fn path_field(path: &Path) -> Field {
    Field::text_of(path.display().to_string())
}

fn dump(
    path: &Path,
    header: &Header,
    disk: &dyn Disk,
    picture: Option<&Picture>,
    out: Out<'_>,
) -> Result<()> {
    let number = if header.kind == FileKind::Current { "manifest" } else { "number" };
    out(Item::new(
        "file",
        0,
        vec![
            ("path", path_field(path)),
            ("kind", Field::text_of(header.kind.as_str())),
            ("bytes", Field::Count(file_len(disk, path))),
            ("format", Field::Count(u64::from(header.version))),
            ("store", Field::text_of(format!("{:?}", header.store))),
            (number, Field::Count(header.number.0)),
            ("made", Field::Moment(header.made)),
        ],
    ));
    match header.kind {
        FileKind::Current => Ok(()),
        FileKind::Manifest | FileKind::Log => frames(path, header.kind, disk, picture, out),
        FileKind::Table => table(path, disk, out),
    }
}

fn frames(
    path: &Path,
    kind: FileKind,
    disk: &dyn Disk,
    picture: Option<&Picture>,
    out: Out<'_>,
) -> Result<()> {
    let file = FrameBytes::read(disk, path, kind)?;
    let (frames, end) = file.frames();
    for frame in &frames {
        match frame.head.kind {
            FrameKind::Batch => batch(&file, frame, picture, out)?,
            FrameKind::Edit => edits(&file, frame, out)?,
        }
    }
    match end {
        FileEnd::Whole => Ok(()),
        FileEnd::Rot { at } => Err(rot(path, at)),
        FileEnd::Torn { at } => {
            let bytes = Field::Count(file.len() - at);
            out(Item::new("torn", 1, vec![("offset", Field::Count(at)), ("bytes", bytes)]));
            Ok(())
        }
    }
}

/// What the heads of all frames tell.
fn frame_fields(frame: &Frame<'_>, commit: &'static str) -> Vec<(&'static str, Field)> {
    vec![
        ("offset", Field::Count(frame.start)),
        ("bytes", Field::Count(frame.end - frame.start)),
        (commit, Field::Moment(frame.head.commit.0)),
        ("synced", Field::Count(frame.head.synced)),
        ("ceiling", Field::Moment(frame.head.ceiling.0)),
    ]
}

fn edits(file: &FrameBytes, frame: &Frame<'_>, out: Out<'_>) -> Result<()> {
    out(Item::new("edits", 1, frame_fields(frame, "newest")));
    for edit in decode_edits(file, frame)? {
        edit_items(&edit, out);
    }
    Ok(())
}

fn batch(
    file: &FrameBytes,
    frame: &Frame<'_>,
    picture: Option<&Picture>,
    out: Out<'_>,
) -> Result<()> {
    let fail = |fault| file.malformed(frame, &fault);
    let mut batch = BatchReader::decode(frame.payload).map_err(fail)?;
    let mut fields = frame_fields(frame, "commit");
    let source = batch.head.source.as_ref();
    fields.push(("entries", Field::Count(batch.head.entries)));
    fields.push(("source_id", Field::count(source.map(|(id, _)| u64::from(id.0)))));
    fields.push(("source", source.map_or(Field::Absent, |(_, label)| Field::text_of(label))));
    out(Item::new("batch", 1, fields));
    for (name, value) in &batch.head.marks {
        let fields = vec![("name", Field::text_of(name)), ("value", Field::Bytes(value.clone()))];
        out(Item::new("mark", 2, fields));
    }
    while let Some(entry) = batch.next_entry().map_err(fail)? {
        out(entry_item(&entry, frame, picture));
    }
    Ok(())
}

fn entry_item(entry: &Entry<'_>, frame: &Frame<'_>, picture: Option<&Picture>) -> Item {
    let feature = picture.map_or_else(
        || format!("#{}", entry.feature.0),
        |picture| picture.feature_name(entry.feature),
    );
    let value_type = picture
        .and_then(|picture| picture.durable.catalog.get(entry.feature))
        .map(|state| state.definition.value_type);
    let known = entry.known_time.unwrap_or(KnownTime(frame.head.commit.0));
    let fields = vec![
        ("entity", Field::Bytes(entry.entity.to_vec().into())),
        ("feature", Field::Text(feature)),
        ("event_time", Field::Moment(entry.event_time.0)),
        ("known_time", Field::Moment(known.0)),
        ("kind", Field::text_of(kind_name(entry.kind))),
        ("value", value_field(&entry.value.to_payload(), value_type)),
    ];
    Item::new("entry", 2, fields)
}

/// A value, or what can be told of it without its type.
fn value_field(payload: &Payload, value_type: Option<ValueType>) -> Field {
    let value: Option<Value> = value_type.and_then(|of| payload.to_value(of));
    match (value, payload) {
        (Some(value), _) => Field::Value(value),
        (None, Payload::None) => Field::Absent,
        (None, Payload::Bits(bits)) => Field::Text(format!("0x{bits:016x}")),
        (None, Payload::Raw(raw)) => Field::Bytes(raw.clone()),
    }
}

fn table(path: &Path, disk: &dyn Disk, out: Out<'_>) -> Result<()> {
    let mut table = TableFile::open(disk, path)?;
    sections(&table, out);
    let meta = table.opened.meta.clone();
    meta_items(&meta, out);
    for (id, feature) in table.opened.freshness.iter().flat_map(|of| &of.features) {
        out(freshness_item(*id, feature));
    }
    let timeline = Arc::clone(&table.timeline);
    for step in timeline.steps() {
        let fields =
            vec![("from", Field::Moment(step.from.0)), ("commit", Field::Moment(step.commit.0))];
        out(Item::new("step", 2, fields));
    }
    for index in 0..table.directory.rows() {
        let row = table.row(index)?;
        let entity = row.entity(&table)?;
        let history = row.head(&table)?.history();
        let start = table.opened.layout.history.start.saturating_add(history.start);
        let chunk = (history.chunk_len > 0).then_some(start);
        let heap =
            (history.heap_len > 0).then_some(start.saturating_add(u64::from(history.chunk_len)));
        let hash = EntityHash::of(&entity);
        let fields = vec![
            ("entity", Field::Bytes(entity)),
            ("hash", Field::Text(format!("{hash:?}"))),
            ("head", Field::Count(row.at)),
            ("chunk", Field::count(chunk)),
            ("heap", Field::count(heap)),
        ];
        out(Item::new("entity", 1, fields));
        table.records(&row, &mut |record| {
            out(record_item(record, &meta));
            Ok(())
        })?;
    }
    Ok(())
}

fn sections(table: &TableFile, out: Out<'_>) {
    let layout = &table.opened.layout;
    for (name, section) in [
        ("history", Some(layout.history)),
        ("far", Some(layout.far)),
        ("heads", Some(layout.heads)),
        ("directory", Some(layout.directory)),
        ("metadata", Some(layout.meta)),
        ("freshness", layout.freshness),
        ("timeline", layout.timeline),
        ("hints", layout.hints),
        ("checksums", Some(layout.checksums)),
    ] {
        let Some(section) = section else { continue };
        let fields = vec![
            ("name", Field::text_of(name)),
            ("offset", Field::Count(section.start)),
            ("bytes", Field::Count(section.len)),
        ];
        out(Item::new("section", 1, fields));
    }
    let identity = format!("{:08x}", layout.identity);
    out(Item::new("footer", 1, vec![("identity", Field::Text(identity))]));
}

fn meta_items(meta: &TableMeta, out: Out<'_>) {
    let fields = vec![
        ("rows", Field::Count(meta.entities)),
        ("revisions", Field::Count(meta.revisions)),
        ("min_hash", Field::Text(format!("{:?}", meta.min_hash))),
        ("max_hash", Field::Text(format!("{:?}", meta.max_hash))),
        ("min_event_time", Field::Moment(meta.min_event_time.0)),
        ("max_event_time", Field::Moment(meta.max_event_time.0)),
        ("max_known_time", Field::Moment(meta.max_known_time.0)),
        ("min_commit", Field::Moment(meta.min_commit.0)),
        ("max_commit", Field::Moment(meta.max_commit.0)),
    ];
    out(Item::new("table", 1, fields));
    for (id, feature) in &meta.features {
        out(feature_item(*id, feature));
    }
    for (id, label) in &meta.sources {
        let id = Field::Count(u64::from(id.0));
        out(Item::new("source", 2, vec![("id", id), ("label", Field::text_of(label))]));
    }
}

fn feature_item(id: FeatureId, feature: &FeatureMeta) -> Item {
    let number =
        |bits| Value::from_bits(feature.value_type, bits).map_or(Field::Absent, Field::Value);
    let (least, greatest) = match feature.numbers {
        Some((least, greatest)) => (number(least), number(greatest)),
        None => (Field::Absent, Field::Absent),
    };
    let mut fields = vec![
        ("id", Field::Count(u64::from(id.0))),
        ("name", Field::Text(format!("{}@{}", feature.name, feature.schema))),
        ("type", Field::Text(feature.value_type.to_string())),
        ("revisions", Field::Count(feature.revisions)),
        ("nulls", Field::Count(feature.nulls)),
        ("deletes", Field::Count(feature.deletes)),
        ("stubs", Field::Count(feature.stubs)),
        ("oldest", Field::Moment(feature.oldest.0)),
        ("newest", Field::Moment(feature.newest.0)),
        ("min", least),
        ("max", greatest),
    ];
    fields.extend(bounds_fields(&feature.bounds));
    Item::new("feature", 2, fields)
}

fn freshness_item(id: FeatureId, feature: &FeatureFreshness) -> Item {
    let points = feature.points.iter().map(|point| point.0).collect();
    let fields = vec![
        ("id", Field::Count(u64::from(id.0))),
        ("known_time", Field::Moment(feature.newest_known.0)),
        ("entities", Field::Count(feature.entities)),
        ("event_times", Field::Moments(points)),
    ];
    Item::new("freshness", 2, fields)
}

/// The three bounds of a feature.
pub(super) fn bounds_fields(bounds: &Bounds) -> [(&'static str, Field); 3] {
    let moment = |bound: Option<EventTime>| Field::moment(bound.map(|bound| bound.0));
    [
        ("horizon", moment(bounds.horizon)),
        ("stale", moment(bounds.stale)),
        ("forgotten", moment(bounds.forgotten)),
    ]
}

fn record_item(record: &Record, meta: &TableMeta) -> Item {
    let revision = &record.revision;
    let known = meta.features.get(&record.feature);
    let source = match meta.sources.get(&revision.source) {
        Some(label) => Field::text_of(label),
        None if revision.source == SourceId::NONE => Field::Absent,
        None => Field::Text(format!("#{}", revision.source.0)),
    };
    let name = known.map_or_else(
        || format!("#{}", record.feature.0),
        |known| format!("{}@{}", known.name, known.schema),
    );
    let fields = vec![
        ("feature", Field::Text(name)),
        ("place", Field::text_of(record.place.as_str())),
        ("event_time", Field::Moment(revision.order.event_time.0)),
        ("known_time", Field::Moment(revision.order.known_time.0)),
        ("commit", Field::Moment(revision.order.commit.0)),
        ("kind", Field::text_of(kind_name(revision.kind))),
        ("value", value_field(&revision.payload, known.map(|known| known.value_type))),
        ("value_offset", Field::count(record.value_at)),
        ("source", source),
    ];
    Item::new("record", 2, fields)
}
