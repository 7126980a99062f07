//! The payload of a manifest frame: a list of edits that take effect together. Frames of a log
//! that hold no batch hold one edit, of the last kind.
//!
//! ```text
//! edits:   varint tag, bytes content; one after another up to the end of the payload
//! ```
//!
//! Odd tags may be passed over by a reader that does not know them; an even one that it does not
//! know means that the store is of a newer format.
//!
//! | tag | edit | content |
//! | --- | --- | --- |
//! | 2 | store | 16 bytes erase key |
//! | 4 | add table | see [`TableEntry`] |
//! | 6 | remove table | varint number |
//! | 8 | add log | varint number |
//! | 10 | seal log | varint number, varint length |
//! | 12 | remove log | varint number |
//! | 14 | next file | varint number |
//! | 16 | clock | zigzag newest commit, zigzag ceiling |
//! | 18 | commits | varint count; each: zigzag first moment, varint last less first |
//! | 20 | lost commits | zigzag first, zigzag last |
//! | 22 | define | zigzag commit, definition |
//! | 24 | alter | zigzag commit, varint feature id, terms, bounds |
//! | 26 | retire | zigzag commit, bytes name |
//! | 28 | bounds | varint feature id, bounds |
//! | 30 | erase | zigzag commit, 16 bytes keyed hash of the entity |
//! | 32 | revert of a source | zigzag commit, varint source id |
//! | 34 | revert of commits | zigzag commit, varint count, zigzag each |
//! | 36 | source | varint id, bytes label |
//! | 38 | touch | varint source id, varint feature id, zigzag least commit |
//! | 40 | mark | zigzag commit, varint source id, bytes name, bytes value |
//! | 42 | log synced | varint number, varint length |
//! | 44 | manifest synced | varint number, varint length |
//! | 45 | erases done | zigzag commit |

use bytes::Bytes;

use crate::catalog::{Bounds, Definition, Terms};
pub use crate::entry::{Level, Past, TableEntry};
use crate::hash::{EraseKey, ErasedEntity};
use crate::ids::{Commit, FeatureId, FileNumber, SourceId};
use crate::wire::{Decoded, Malformed, Reader, Writer, wide};

/// A change of what the store is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Edit {
    /// The store's secret for naming erased entities.
    Store(EraseKey),
    /// A table takes part in reads from now on.
    AddTable(TableEntry),
    /// A table takes no part any more.
    RemoveTable(FileNumber),
    /// A log takes batches from now on.
    AddLog(FileNumber),
    /// A log is durable, complete, and of this length.
    SealLog(FileNumber, u64),
    /// All of a log is in tables.
    RemoveLog(FileNumber),
    /// Files get this number and higher ones.
    NextFile(FileNumber),
    /// The newest commit, and the ceiling.
    Clock(Commit, Commit),
    /// Moments between which commits lie; each pair is a first and a last commit.
    Commits(Vec<(Commit, Commit)>),
    /// Commits that a crash took: nothing has them or ever will.
    Lost(Commit, Commit),
    /// A feature was defined.
    Define(Commit, Definition),
    /// A feature was altered; the bounds are those that stood before.
    Alter(Commit, FeatureId, Terms, Bounds),
    /// A feature was retired under all its schema numbers.
    Retire(Commit, String),
    /// What compaction relies on from now on.
    Bounds(FeatureId, Bounds),
    /// An entity was erased.
    Erase(Commit, ErasedEntity),
    /// All earlier batches of a source were taken away.
    RevertSource(Commit, SourceId),
    /// Some batches were taken away.
    RevertCommits(Commit, Vec<Commit>),
    /// The label of a source.
    Source(SourceId, String),
    /// The least commit, not yet taken away, in which a source wrote a feature.
    Touch(SourceId, FeatureId, Commit),
    /// A mark of progress, set by a batch of this commit and source.
    Mark(Commit, SourceId, String, Bytes),
    /// The log that takes batches was durable up to this length.
    LogSynced(FileNumber, u64),
    /// The manifest was this one, and durable up to this length: a log tells it.
    ManifestSynced(FileNumber, u64),
    /// No file that a manifest names holds what an erase up to this commit takes away.
    ErasesDone(Commit),
}

/// Why edits cannot be taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EditFault {
    /// They are damaged.
    Malformed(Malformed),
    /// One is of a tag that this crate does not know and may not pass over.
    Unknown(u64),
}

impl From<Malformed> for EditFault {
    fn from(fault: Malformed) -> Self {
        Self::Malformed(fault)
    }
}

/// Writes edits.
#[must_use]
pub fn encode_all(edits: &[Edit]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut content = Vec::new();
    for edit in edits {
        content.clear();
        let tag = edit.encode(&mut content);
        out.put_varint(tag);
        out.put_bytes(&content);
    }
    out
}

/// Reads edits.
pub fn decode_all(payload: &[u8]) -> Result<Vec<Edit>, EditFault> {
    let mut reader = Reader::new(payload);
    let mut edits = Vec::new();
    while reader.left() > 0 {
        let tag = reader.varint()?;
        let content = reader.bytes()?;
        let start = wide(reader.position() - content.len());
        let mut inner = Reader::new(content);
        match Edit::decode(tag, &mut inner).map_err(|fault| fault.offset(start))? {
            Some(edit) => {
                inner.end().map_err(|fault| fault.offset(start))?;
                edits.push(edit);
            }
            None if tag % 2 == 1 => {}
            None => return Err(EditFault::Unknown(tag)),
        }
    }
    Ok(edits)
}

impl Edit {
    fn encode(&self, out: &mut Vec<u8>) -> u64 {
        match self {
            Self::Store(key) => {
                out.extend_from_slice(&key.0);
                2
            }
            Self::AddTable(entry) => {
                entry.encode(out);
                4
            }
            Self::RemoveTable(number) => {
                out.put_varint(number.0);
                6
            }
            Self::AddLog(number) => {
                out.put_varint(number.0);
                8
            }
            Self::SealLog(number, len) => {
                out.put_varint(number.0);
                out.put_varint(*len);
                10
            }
            Self::RemoveLog(number) => {
                out.put_varint(number.0);
                12
            }
            Self::NextFile(number) => {
                out.put_varint(number.0);
                14
            }
            Self::Clock(newest, ceiling) => {
                out.put_zigzag(newest.0);
                out.put_zigzag(ceiling.0);
                16
            }
            Self::Commits(spans) => {
                out.put_varint(wide(spans.len()));
                for (first, last) in spans {
                    out.put_zigzag(first.0);
                    out.put_varint(first.0.abs_diff(last.0));
                }
                18
            }
            Self::Lost(first, last) => {
                out.put_zigzag(first.0);
                out.put_zigzag(last.0);
                20
            }
            Self::Define(commit, definition) => {
                out.put_zigzag(commit.0);
                definition.encode(out);
                22
            }
            Self::Alter(commit, id, terms, bounds) => {
                out.put_zigzag(commit.0);
                out.put_varint(u64::from(id.0));
                terms.encode(out);
                bounds.encode(out);
                24
            }
            Self::Retire(commit, name) => {
                out.put_zigzag(commit.0);
                out.put_bytes(name.as_bytes());
                26
            }
            Self::Bounds(id, bounds) => {
                out.put_varint(u64::from(id.0));
                bounds.encode(out);
                28
            }
            Self::Erase(commit, entity) => {
                out.put_zigzag(commit.0);
                out.extend_from_slice(&entity.0);
                30
            }
            Self::RevertSource(commit, source) => {
                out.put_zigzag(commit.0);
                out.put_varint(u64::from(source.0));
                32
            }
            Self::RevertCommits(commit, commits) => {
                out.put_zigzag(commit.0);
                out.put_varint(wide(commits.len()));
                commits.iter().for_each(|commit| out.put_zigzag(commit.0));
                34
            }
            Self::Source(id, label) => {
                out.put_varint(u64::from(id.0));
                out.put_bytes(label.as_bytes());
                36
            }
            Self::Touch(source, feature, commit) => {
                out.put_varint(u64::from(source.0));
                out.put_varint(u64::from(feature.0));
                out.put_zigzag(commit.0);
                38
            }
            Self::Mark(commit, source, name, value) => {
                out.put_zigzag(commit.0);
                out.put_varint(u64::from(source.0));
                out.put_bytes(name.as_bytes());
                out.put_bytes(value);
                40
            }
            Self::LogSynced(number, len) => {
                out.put_varint(number.0);
                out.put_varint(*len);
                42
            }
            Self::ManifestSynced(number, len) => {
                out.put_varint(number.0);
                out.put_varint(*len);
                44
            }
            Self::ErasesDone(commit) => {
                out.put_zigzag(commit.0);
                45
            }
        }
    }

    fn decode(tag: u64, reader: &mut Reader<'_>) -> Decoded<Option<Self>> {
        Ok(Some(match tag {
            2 => Self::Store(EraseKey(reader.array()?)),
            4 => Self::AddTable(TableEntry::decode(reader)?),
            6 => Self::RemoveTable(FileNumber(reader.varint()?)),
            8 => Self::AddLog(FileNumber(reader.varint()?)),
            10 => Self::SealLog(FileNumber(reader.varint()?), reader.varint()?),
            12 => Self::RemoveLog(FileNumber(reader.varint()?)),
            14 => Self::NextFile(FileNumber(reader.varint()?)),
            16 => Self::Clock(Commit(reader.zigzag()?), Commit(reader.zigzag()?)),
            18 => Self::Commits(
                (0..reader.count()?).map(|_| commit_span(reader)).collect::<Decoded<_>>()?,
            ),
            20 => Self::Lost(Commit(reader.zigzag()?), Commit(reader.zigzag()?)),
            22 => Self::Define(Commit(reader.zigzag()?), Definition::decode(reader)?),
            24 => Self::Alter(
                Commit(reader.zigzag()?),
                FeatureId(reader.varint_u32()?),
                Terms::decode(reader)?,
                Bounds::decode(reader)?,
            ),
            26 => Self::Retire(Commit(reader.zigzag()?), reader.text()?.to_owned()),
            28 => Self::Bounds(FeatureId(reader.varint_u32()?), Bounds::decode(reader)?),
            30 => Self::Erase(Commit(reader.zigzag()?), ErasedEntity(reader.array()?)),
            32 => Self::RevertSource(Commit(reader.zigzag()?), SourceId(reader.varint_u32()?)),
            34 => Self::RevertCommits(
                Commit(reader.zigzag()?),
                (0..reader.count()?)
                    .map(|_| reader.zigzag().map(Commit))
                    .collect::<Decoded<_>>()?,
            ),
            36 => Self::Source(SourceId(reader.varint_u32()?), reader.text()?.to_owned()),
            38 => Self::Touch(
                SourceId(reader.varint_u32()?),
                FeatureId(reader.varint_u32()?),
                Commit(reader.zigzag()?),
            ),
            40 => Self::Mark(
                Commit(reader.zigzag()?),
                SourceId(reader.varint_u32()?),
                reader.text()?.to_owned(),
                Bytes::copy_from_slice(reader.bytes()?),
            ),
            42 => Self::LogSynced(FileNumber(reader.varint()?), reader.varint()?),
            44 => Self::ManifestSynced(FileNumber(reader.varint()?), reader.varint()?),
            45 => Self::ErasesDone(Commit(reader.zigzag()?)),
            _ => return Ok(None),
        }))
    }
}

fn commit_span(reader: &mut Reader<'_>) -> Decoded<(Commit, Commit)> {
    let fault = reader.fault("a last commit not before the first");
    let first = reader.zigzag()?;
    let last = first.checked_add_unsigned(reader.varint()?).ok_or(fault)?;
    Ok((Commit(first), Commit(last)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::hash::EntityHash;
    use crate::ids::{EventTime, KnownTime};

    use super::*;
    use crate::ids::Span;
    use crate::value::ValueType;

    fn one_of_each() -> Vec<Edit> {
        let terms = Terms {
            ttl: Some(Span::ZERO),
            history: Some(Span::MAX),
            forget_after: None,
            description: "spend".to_owned(),
            tags: [("team".to_owned(), "risk".to_owned())].into(),
        };
        let bounds = Bounds { horizon: Some(EventTime(-1)), stale: None, forgotten: None };
        let definition = Definition {
            id: FeatureId(7),
            name: "v:f".to_owned(),
            schema: 2,
            value_type: ValueType::Vector(3),
            terms: terms.clone(),
        };
        let past = Past {
            run: 9,
            window: (EventTime(i64::MIN), EventTime(-1)),
            superseded: EventTime(i64::MAX),
            made: Commit(3),
        };
        let entry = TableEntry {
            number: FileNumber(5),
            len: 1000,
            identity: 77,
            level: Level::Present,
            min_hash: EntityHash(1),
            max_hash: EntityHash(u64::MAX),
            entities: 3,
            revisions: 9,
            min_event_time: EventTime(i64::MIN),
            max_event_time: EventTime(i64::MAX),
            max_known_time: KnownTime(4),
            min_commit: Commit(1),
            max_commit: Commit(4),
        };
        vec![
            Edit::Store(EraseKey([3; 16])),
            Edit::AddTable(TableEntry { level: Level::Past(past), ..entry.clone() }),
            Edit::AddTable(entry),
            Edit::RemoveTable(FileNumber(1)),
            Edit::AddLog(FileNumber(2)),
            Edit::SealLog(FileNumber(2), 99),
            Edit::RemoveLog(FileNumber(2)),
            Edit::NextFile(FileNumber(8)),
            Edit::Clock(Commit(5), Commit(6)),
            Edit::Commits(vec![(Commit(-5), Commit(5)), (Commit(i64::MIN), Commit(i64::MAX))]),
            Edit::Lost(Commit(5), Commit(6)),
            Edit::Define(Commit(1), definition),
            Edit::Alter(Commit(2), FeatureId(7), terms, bounds),
            Edit::Retire(Commit(3), "v:f".to_owned()),
            Edit::Bounds(FeatureId(7), bounds),
            Edit::Erase(Commit(4), ErasedEntity([1; 16])),
            Edit::RevertSource(Commit(4), SourceId(1)),
            Edit::RevertCommits(Commit(4), vec![Commit(1), Commit(-2)]),
            Edit::Source(SourceId(1), "job".to_owned()),
            Edit::Touch(SourceId(1), FeatureId(7), Commit(2)),
            Edit::Mark(Commit(2), SourceId(1), "m".to_owned(), Bytes::from_static(b"v")),
            Edit::LogSynced(FileNumber(2), 300),
            Edit::ManifestSynced(FileNumber(3), 70_000),
            Edit::ErasesDone(Commit(4)),
        ]
    }

    #[test]
    fn edits_come_back() {
        let all = one_of_each();
        assert_eq!(decode_all(&encode_all(&all)), Ok(all));
    }

    #[test]
    fn an_unknown_edit_is_passed_over_only_if_it_may_be() {
        let mut payload = encode_all(&[Edit::NextFile(FileNumber(1))]);
        payload.put_varint(1001);
        payload.put_bytes(b"whatever");
        assert_eq!(decode_all(&payload), Ok(vec![Edit::NextFile(FileNumber(1))]));
        payload.put_varint(1000);
        payload.put_bytes(b"");
        assert_eq!(decode_all(&payload), Err(EditFault::Unknown(1000)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            drop(decode_all(&bytes));
        }

        #[test]
        fn no_flipped_byte_makes_it_panic(at in 0usize..600, to in any::<u8>()) {
            let mut payload = encode_all(&one_of_each());
            if let Some(byte) = payload.get_mut(at) {
                *byte = to;
            }
            drop(decode_all(&payload));
        }
    }
}
