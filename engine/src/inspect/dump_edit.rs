//! Edits of a manifest as items of a dump.
//!
//! The store's secret for naming erased entities is left out: with it, who has a dump could tell
//! whether somebody was erased.

use asofdb_format::catalog::Terms;
use asofdb_format::edit::{Edit, TableEntry};
use asofdb_format::ids::{Commit, FileNumber, SourceId, Span};

use super::dump::bounds_fields;
use super::item::{Field, Item};

type Fields = Vec<(&'static str, Field)>;

/// Tells an edit, and below it the members of its list if it has one.
pub(super) fn edit_items(edit: &Edit, out: &mut dyn FnMut(Item)) {
    let (what, fields) = head(edit);
    out(Item::new(what, 2, fields));
    match edit {
        Edit::Commits(spans) => {
            for (first, last) in spans {
                out(Item::new("span", 3, vec![("first", at(*first)), ("last", at(*last))]));
            }
        }
        Edit::RevertCommits(_, commits) => {
            for commit in commits {
                out(Item::new("of", 3, vec![("commit", at(*commit))]));
            }
        }
        Edit::Define(_, definition) => tag_items(&definition.terms, out),
        Edit::Alter(_, _, terms, _) => tag_items(terms, out),
        _ => {}
    }
}

fn head(edit: &Edit) -> (&'static str, Fields) {
    match edit {
        Edit::Store(_) => ("store", vec![("erase_key", Field::text_of("(not shown)"))]),
        Edit::AddTable(entry) => ("add_table", entry_fields(entry)),
        Edit::RemoveTable(number) => ("remove_table", vec![file(*number)]),
        Edit::AddLog(number) => ("add_log", vec![file(*number)]),
        Edit::SealLog(number, len) => {
            ("seal_log", vec![file(*number), ("bytes", Field::Count(*len))])
        }
        Edit::RemoveLog(number) => ("remove_log", vec![file(*number)]),
        Edit::LogSynced(number, len) => {
            ("log_synced", vec![file(*number), ("bytes", Field::Count(*len))])
        }
        Edit::ManifestSynced(number, len) => {
            ("manifest_synced", vec![file(*number), ("bytes", Field::Count(*len))])
        }
        Edit::NextFile(number) => ("next_file", vec![file(*number)]),
        Edit::Clock(newest, ceiling) => {
            ("clock", vec![("newest", at(*newest)), ("ceiling", at(*ceiling))])
        }
        Edit::Commits(spans) => ("commits", vec![("spans", Field::Count(spans.len() as u64))]),
        Edit::Lost(first, last) => ("lost", vec![("first", at(*first)), ("last", at(*last))]),
        Edit::Bounds(id, bounds) => {
            let mut fields = vec![number("feature", id.0)];
            fields.extend(bounds_fields(bounds));
            ("bounds", fields)
        }
        Edit::Source(id, label) => {
            ("source", vec![number("id", id.0), ("label", Field::text_of(label))])
        }
        Edit::Touch(source, feature, commit) => (
            "touch",
            vec![number("source", source.0), number("feature", feature.0), ("commit", at(*commit))],
        ),
        with_commit => head_with_commit(with_commit),
    }
}

/// What has a commit of its own.
fn head_with_commit(edit: &Edit) -> (&'static str, Fields) {
    match edit {
        Edit::Define(commit, definition) => {
            let mut fields = vec![
                ("commit", at(*commit)),
                number("id", definition.id.0),
                ("name", Field::text_of(&definition.name)),
                number("schema", definition.schema),
                ("type", Field::Text(definition.value_type.to_string())),
            ];
            fields.extend(terms_fields(&definition.terms));
            ("define", fields)
        }
        Edit::Alter(commit, id, terms, bounds) => {
            let mut fields = vec![("commit", at(*commit)), number("feature", id.0)];
            fields.extend(terms_fields(terms));
            fields.extend(bounds_fields(bounds));
            ("alter", fields)
        }
        Edit::Retire(commit, name) => {
            ("retire", vec![("commit", at(*commit)), ("name", Field::text_of(name))])
        }
        Edit::Erase(commit, entity) => {
            let entity = Field::Text(format!("{entity:?}"));
            ("erase", vec![("commit", at(*commit)), ("keyed_hash", entity)])
        }
        Edit::ErasesDone(commit) => ("erases_done", vec![("commit", at(*commit))]),
        Edit::RevertSource(commit, source) => {
            ("revert_source", vec![("commit", at(*commit)), number("source", source.0)])
        }
        Edit::RevertCommits(commit, commits) => {
            let batches = Field::Count(commits.len() as u64);
            ("revert_commits", vec![("commit", at(*commit)), ("batches", batches)])
        }
        Edit::Mark(commit, source, name, value) => (
            "mark",
            vec![
                ("commit", at(*commit)),
                source_field(*source),
                ("name", Field::text_of(name)),
                ("value", Field::Bytes(value.clone())),
            ],
        ),
        // The format may get edits that this build was not told of.
        _ => ("edit", Vec::new()),
    }
}

const fn at(commit: Commit) -> Field {
    Field::Moment(commit.0)
}

const fn file(number: FileNumber) -> (&'static str, Field) {
    ("number", Field::Count(number.0))
}

fn number(name: &'static str, number: u32) -> (&'static str, Field) {
    (name, Field::Count(u64::from(number)))
}

fn source_field(source: SourceId) -> (&'static str, Field) {
    let id = (source != SourceId::NONE).then(|| u64::from(source.0));
    ("source", Field::count(id))
}

fn terms_fields(terms: &Terms) -> Fields {
    let span = |span: Option<Span>| span.map_or(Field::Absent, |span| Field::Span(span.micros()));
    let description = match terms.description.as_str() {
        "" => Field::Absent,
        description => Field::text_of(description),
    };
    vec![
        ("ttl", span(terms.ttl)),
        ("history", span(terms.history)),
        ("forget_after", span(terms.forget_after)),
        ("description", description),
    ]
}

fn tag_items(terms: &Terms, out: &mut dyn FnMut(Item)) {
    for (key, value) in &terms.tags {
        let fields = vec![("key", Field::text_of(key)), ("value", Field::text_of(value))];
        out(Item::new("tag", 3, fields));
    }
}

fn entry_fields(entry: &TableEntry) -> Fields {
    let mut fields = vec![
        file(entry.number),
        ("bytes", Field::Count(entry.len)),
        ("identity", Field::Text(format!("{:08x}", entry.identity))),
        ("level", Field::Count(u64::from(entry.level.number()))),
        ("min_hash", Field::Text(format!("{:?}", entry.min_hash))),
        ("max_hash", Field::Text(format!("{:?}", entry.max_hash))),
        ("rows", Field::Count(entry.entities)),
        ("revisions", Field::Count(entry.revisions)),
        ("min_event_time", Field::Moment(entry.min_event_time.0)),
        ("max_event_time", Field::Moment(entry.max_event_time.0)),
        ("max_known_time", Field::Moment(entry.max_known_time.0)),
        ("min_commit", Field::Moment(entry.min_commit.0)),
        ("max_commit", Field::Moment(entry.max_commit.0)),
    ];
    if let Some(past) = entry.level.past() {
        fields.extend([
            ("run", Field::Count(past.run)),
            ("first_moment", Field::Moment(past.window.0.0)),
            ("last_moment", Field::Moment(past.window.1.0)),
            ("superseded", Field::Moment(past.superseded.0)),
            ("made", Field::Moment(past.made.0)),
        ]);
    }
    fields
}
