//! What SPEC.md says of a store whose files were damaged: worked out from the undamaged files and
//! from which of their bytes are still there, without the engine.
//!
//! It takes for granted that a changed byte does not keep its checksum. That is sure for a change
//! of up to four bytes beside one another, and wrong once in 2^32 times for others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use asofdb_format::edit::{self, Edit};
use asofdb_format::frame::{self, FRAME_HEAD_LEN, Frame, FrameKind, Seed};
use asofdb_format::header::{FileKind, HEADER_LEN, Header};
use asofdb_format::ids::FileNumber;

use super::damage::{DIR, Files};

/// What an opening of the store must come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An error that names a damaged file.
    Refused,
    /// It opens, or the error names a damaged table. Each answer is the right one without the
    /// batches of these commits, or an error that names a damaged table.
    Answers {
        /// The batches that look as if a crash had taken them.
        lost: BTreeSet<i64>,
        /// The tables that are damaged.
        tables: BTreeSet<PathBuf>,
    },
    /// The manifest looks like an earlier one of itself: it may open, and anything but a crash and
    /// a strange error is to be expected.
    Earlier,
}

/// What an undamaged store is made of.
struct Picture {
    manifest: PathBuf,
    /// The frames that the picture begins with.
    begins: usize,
    tables: BTreeSet<PathBuf>,
    /// With the length that a log has if it is sealed.
    logs: BTreeMap<PathBuf, Option<u64>>,
    /// How much of a log that is not sealed was durable at the newest change of the catalog, or
    /// when others were copied to it.
    synced: BTreeMap<PathBuf, u64>,
}

fn numbered(kind: &str, number: FileNumber) -> PathBuf {
    Path::new(DIR).join(format!("{kind}-{:06}", number.0))
}

/// The file that names the manifest.
pub fn current() -> PathBuf {
    Path::new(DIR).join("CURRENT")
}

fn header(bytes: &[u8]) -> Header {
    Header::decode(bytes).unwrap()
}

fn frames(bytes: &[u8]) -> Vec<Frame<'_>> {
    let header = header(bytes);
    frame::decode_all(bytes, HEADER_LEN, Seed::of(header.store, header.number)).0
}

impl Picture {
    fn of(files: &Files) -> Self {
        let named = header(&files[&current()]);
        assert_eq!(named.kind, FileKind::Current);
        let manifest = numbered("MANIFEST", named.number);
        let (mut tables, mut logs) = (BTreeSet::new(), BTreeMap::new());
        let mut synced = BTreeMap::new();
        let mut begins = None;
        for (index, frame) in frames(&files[&manifest]).iter().enumerate() {
            for edit in edit::decode_all(frame.payload).unwrap() {
                match edit {
                    Edit::AddTable(entry) => drop(tables.insert(numbered("TABLE", entry.number))),
                    Edit::RemoveTable(number) => drop(tables.remove(&numbered("TABLE", number))),
                    Edit::AddLog(number) => drop(logs.insert(numbered("LOG", number), None)),
                    Edit::SealLog(number, len) => {
                        let _ = logs.insert(numbered("LOG", number), Some(len));
                    }
                    Edit::RemoveLog(number) => drop(logs.remove(&numbered("LOG", number))),
                    Edit::LogSynced(number, len) => {
                        let _ = synced.insert(numbered("LOG", number), len);
                    }
                    Edit::Clock(..) => drop(begins.get_or_insert(index + 1)),
                    _ => {}
                }
            }
        }
        Self { manifest, begins: begins.unwrap(), tables, logs, synced }
    }
}

/// The files that are not what they were, or are gone.
pub fn changed(before: &Files, after: &Files) -> BTreeSet<PathBuf> {
    let changed = before.iter().filter(|(path, bytes)| after.get(*path) != Some(bytes));
    changed.map(|(path, _)| path.clone()).collect()
}

/// How the frames of a damaged file end, by SPEC.md 4.4: so many are taken, or it is rot.
fn whole_frames(before: &[u8], after: &[u8]) -> Option<usize> {
    let all = frames(before);
    let same = |from: usize, to: usize| after.get(from..to) == before.get(from..to);
    let place = |at: u64| usize::try_from(at).unwrap();
    let whole = |frame: &&Frame<'_>| same(place(frame.start), place(frame.end));
    let taken = all.iter().take_while(whole).count();
    let at = taken.checked_sub(1).map_or(HEADER_LEN as u64, |last| all[last].end);
    let durable = all[..taken].iter().map(|frame| frame.head.synced).max().unwrap_or(0);
    let good = all[taken..].iter().filter(|frame| {
        let start = place(frame.start);
        same(start, start + FRAME_HEAD_LEN)
    });
    let later = good.map(|frame| frame.head.synced).max().unwrap_or(0);
    (durable <= at && later <= at).then_some(taken)
}

/// What an opening must come to.
pub fn verdict(before: &Files, after: &Files) -> Verdict {
    let picture = Picture::of(before);
    let changed = changed(before, after);
    if changed.contains(&current()) {
        return Verdict::Refused;
    }
    let same_header = |path: &Path| {
        after.get(path).and_then(|bytes| bytes.get(..HEADER_LEN)) == before[path].get(..HEADER_LEN)
    };
    let manifest = &picture.manifest;
    if changed.contains(manifest) {
        let whole = match after.get(manifest) {
            Some(bytes) if same_header(manifest) => whole_frames(&before[manifest], bytes),
            _ => None,
        };
        let Some(whole) = whole.filter(|whole| *whole >= picture.begins) else {
            return Verdict::Refused;
        };
        if frames(&before[manifest])[whole..].iter().any(|frame| !frame.payload.is_empty()) {
            return Verdict::Earlier;
        }
    }
    let mut lost = BTreeSet::new();
    for (path, sealed) in &picture.logs {
        if !changed.contains(path) {
            continue;
        }
        let whole = match (sealed, after.get(path)) {
            (None, Some(bytes)) if same_header(path) => whole_frames(&before[path], bytes),
            _ => None,
        };
        let Some(whole) = whole else { return Verdict::Refused };
        let all = frames(&before[path]);
        let end = whole.checked_sub(1).map_or(HEADER_LEN as u64, |last| all[last].end);
        if picture.synced.get(path).is_some_and(|synced| end < *synced) {
            return Verdict::Refused;
        }
        let batches = all[whole..].iter().filter(|frame| frame.head.kind == FrameKind::Batch);
        lost.extend(batches.map(|frame| frame.head.commit.0));
    }
    let tables: BTreeSet<PathBuf> = picture.tables.intersection(&changed).cloned().collect();
    let other_length = |path: &PathBuf| after.get(path).map(Vec::len) != Some(before[path].len());
    if tables.iter().any(other_length) {
        return Verdict::Refused;
    }
    Verdict::Answers { lost, tables }
}
