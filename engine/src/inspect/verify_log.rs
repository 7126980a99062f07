//! Verifies a log: its frames, and each entry against the catalog.

use std::collections::BTreeMap;
use std::path::PathBuf;

use asofdb_format::batch::BatchReader;
use asofdb_format::frame::{FileEnd, Frame};
use asofdb_format::ids::{Commit, FileNumber, SourceId};

use super::FileKind;
use super::picture::{Faults, FrameBytes, Picture, rot};
use super::verify::Done;
use crate::files::log::manifest_synced;
use crate::types::error::{Error, Result};
use crate::world::disk::Disk;

/// What other files are held against.
#[derive(Debug, Default)]
pub(super) struct LogSummary {
    /// The first and the last commit, if there is any.
    pub(super) commits: Option<(Commit, Commit)>,
    /// The sources that its batches name.
    pub(super) sources: BTreeMap<SourceId, String>,
    /// The newest that it tells of the manifest: which one, and how long.
    pub(super) manifest: Option<(FileNumber, u64)>,
}

/// Verifies a log, against a picture if there is a whole one.
pub(super) fn verify_log(
    disk: &dyn Disk,
    path: PathBuf,
    number: FileNumber,
    picture: &Picture,
    against: Option<&Picture>,
    sources: &BTreeMap<SourceId, String>,
) -> Done {
    let mut done = Done::new(FileKind::Log, path, 0);
    let mut faults = Faults::default();
    let file = match FrameBytes::read(disk, &done.file.path, FileKind::Log) {
        Ok(file) => file,
        Err(fault) => {
            faults.push(fault);
            return done.with(faults);
        }
    };
    done.file.bytes = file.len();
    if let Err(fault) = file.belongs(picture.store, number) {
        faults.push(fault);
        return done.with(faults);
    }
    let sealed = against.and_then(|picture| picture.durable.logs.get(&number).copied()).flatten();
    let synced = against.and_then(|picture| picture.durable.log_synced);
    done.settled = sealed.is_some();
    let (frames, end) = file.frames();
    let mut check =
        Check { file: &file, against, sources, summary: LogSummary::default(), records: 0, faults };
    for frame in &frames {
        if let Err(fault) = check.frame(frame) {
            check.faults.push(fault);
        }
    }
    let whole = match end {
        FileEnd::Whole => file.len(),
        FileEnd::Torn { at } | FileEnd::Rot { at } => at,
    };
    match (sealed, end) {
        (Some(len), _) if len != whole || len != file.len() => {
            check.faults.push(rot(&file.path, whole.min(len)));
        }
        (None, FileEnd::Rot { at }) => check.faults.push(rot(&file.path, at)),
        (None, _) if synced.is_some_and(|(log, len)| log == number && whole < len) => {
            check.faults.push(rot(&file.path, whole));
        }
        (None, FileEnd::Torn { at }) => done.file.torn = Some(at),
        _ => {}
    }
    done.file.records = check.records;
    done.log = Some(check.summary);
    done.with(check.faults)
}

struct Check<'c> {
    file: &'c FrameBytes,
    against: Option<&'c Picture>,
    /// The labels of sources that other files tell.
    sources: &'c BTreeMap<SourceId, String>,
    summary: LogSummary,
    records: u64,
    faults: Faults,
}

impl Check<'_> {
    /// Verifies a frame: the first thing that is wrong in it.
    fn frame(&mut self, frame: &Frame<'_>) -> Result<()> {
        let strange =
            |what: &str| Error::corrupt(&self.file.path, frame.start, format!("expected {what}"));
        let commit = frame.head.commit;
        if let Some(told) = manifest_synced(&self.file.path, frame)? {
            self.summary.manifest = self.summary.manifest.max(Some(told));
            return Ok(());
        }
        let last = self.summary.commits.map(|(_, last)| last);
        if last.is_some_and(|last| commit <= last) {
            return Err(strange("batches with ascending commits"));
        }
        let first = self.summary.commits.map_or(commit, |(first, _)| first);
        self.summary.commits = Some((first, commit));
        if commit > frame.head.ceiling || frame.head.synced > frame.start {
            return Err(strange("a ceiling above the commit, and a synced mark before the frame"));
        }
        let fail = |fault| self.file.malformed(frame, &fault);
        let mut batch = BatchReader::decode(frame.payload).map_err(fail)?;
        if let Some((id, label)) = &batch.head.source {
            let known = self.sources.get(id).or_else(|| self.summary.sources.get(id));
            if known.is_some_and(|known| known != label) || label.is_empty() {
                return Err(strange("the label that its source has"));
            }
            self.summary.sources.insert(*id, label.clone());
        }
        while let Some(entry) = batch.next_entry().map_err(fail)? {
            self.records += 1;
            if let Some(picture) = self.against {
                picture.durable.catalog.check(&entry, commit).map_err(strange)?;
            }
        }
        Ok(())
    }
}
