//! What lies in a store's directory when it is opened, and whether that can be all of it: CURRENT
//! and the manifest are held against what the logs that are there tell of them.

use std::path::Path;

use asofdb_format::header::FileKind;
use asofdb_format::ids::FileNumber;
use asofdb_format::wire::wide;

use crate::files::log::{FrameFile, lost_end, manifest_synced, not_named, old_manifest};
use crate::files::names;
use crate::state::durable::Durable;
use crate::state::manifest::{self, Loaded};
use crate::types::error::{Error, Result};
use crate::world::disk::Disk;

/// What is in a directory.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) has_current: bool,
    pub(super) numbered: Vec<(FileKind, FileNumber)>,
    pub(super) left_over: Vec<String>,
    pub(super) strangers: Vec<String>,
    pub(super) greatest: FileNumber,
}

pub(super) fn look_at(disk: &dyn Disk, dir: &Path) -> Result<Files> {
    let names = disk.list(dir).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::NotAStore {
            dir: dir.to_path_buf(),
            what: "there is no such directory".to_owned(),
        },
        std::io::ErrorKind::NotADirectory => {
            Error::NotAStore { dir: dir.to_path_buf(), what: "it is a file".to_owned() }
        }
        _ => Error::io("list", dir, source),
    })?;
    let mut files = Files {
        has_current: false,
        numbered: Vec::new(),
        left_over: Vec::new(),
        strangers: Vec::new(),
        greatest: FileNumber(0),
    };
    for name in names {
        if name == "CURRENT" {
            files.has_current = true;
        } else if let Some((kind, number)) = names::parse(&name) {
            files.greatest = files.greatest.max(number);
            files.numbered.push((kind, number));
        } else if name.ends_with(".tmp") {
            files.left_over.push(name);
        } else if name != "LOCK" {
            files.strangers.push(name);
        }
    }
    Ok(files)
}

impl Files {
    /// What is wrong with a directory without CURRENT in which no store is to be made.
    pub(super) fn without_current(&self, disk: &dyn Disk, dir: &Path) -> Error {
        let appeared = || look_at(disk, dir).is_ok_and(|now| now.has_current);
        match self.check_unborn(disk, dir) {
            // Somebody who makes a store beside us has none of this before CURRENT.
            Err(missing) if !appeared() => missing,
            _ => self.not_a_store(dir),
        }
    }

    fn not_a_store(&self, dir: &Path) -> Error {
        let what = match (self.numbered.is_empty(), self.strangers.first()) {
            (false, _) => "its file CURRENT is missing".to_owned(),
            (true, Some(stranger)) => format!("it holds other files, such as {stranger:?}"),
            (true, None) => "it is empty".to_owned(),
        };
        Error::NotAStore { dir: dir.to_path_buf(), what }
    }

    /// Without CURRENT there is no store yet: what is here may only be what making one leaves.
    /// A log tells of its manifest once CURRENT names that, so a log with frames tells of a store.
    pub(super) fn check_unborn(&self, disk: &dyn Disk, dir: &Path) -> Result<()> {
        let missing = || Error::corrupt(&names::current(dir), 0, "the file is missing");
        for (kind, number) in &self.numbered {
            let path = names::numbered(dir, *kind, *number);
            let grown = match kind {
                FileKind::Table => true,
                FileKind::Log => {
                    let len = disk.open(&path).and_then(|file| file.len());
                    let len = len.map_err(|source| Error::io("open", &path, source))?;
                    len > wide(asofdb_format::header::HEADER_LEN)
                }
                FileKind::Manifest => manifest::has_commits(disk, &path),
                FileKind::Current => false,
            };
            if grown {
                return Err(missing());
            }
        }
        Ok(())
    }

    /// A log that no manifest names was made just before a crash, or is left over: it has nothing
    /// that the others do not have.
    pub(super) fn check_logs(
        &self,
        disk: &dyn Disk,
        dir: &Path,
        loaded: &Loaded,
        recovered: &Durable,
    ) -> Result<()> {
        for (kind, number) in &self.numbered {
            if *kind != FileKind::Log || loaded.durable.logs.contains_key(number) {
                continue;
            }
            let Ok(file) = FrameFile::read(disk, dir, FileKind::Log, *number, loaded.store) else {
                continue;
            };
            check_notes(dir, &file, loaded)?;
            if file.frames().any(|frame| frame.head.commit > recovered.newest) {
                return Err(not_named(dir, &file.path));
            }
        }
        Ok(())
    }

    /// The newest log knows best whether the manifest is whole: it is asked, and given back,
    /// before anything that the manifest names is missed.
    pub(super) fn check_manifest(
        &self,
        disk: &dyn Disk,
        dir: &Path,
        loaded: &Loaded,
    ) -> Result<Option<FrameFile>> {
        let logs = self.numbered.iter().filter(|(kind, _)| *kind == FileKind::Log);
        let newest = logs.map(|(_, number)| *number).max();
        let newest = newest.and_then(|number| {
            FrameFile::read(disk, dir, FileKind::Log, number, loaded.store).ok()
        });
        if let Some(file) = &newest {
            check_notes(dir, file, loaded)?;
        }
        // Nothing goes away before the edit that takes it away is durable, and what takes its
        // place is there before that.
        let durable = &loaded.durable;
        let logs = durable.logs.keys().map(|number| (FileKind::Log, *number));
        let tables = durable.tables.keys().map(|number| (FileKind::Table, *number));
        let missing = logs.chain(tables).find(|named| !self.numbered.contains(named));
        let is_old = loaded.torn || self.numbered.iter().any(|file| durable.is_newer(*file));
        match missing {
            Some((kind, number)) if is_old => {
                Err(lost_end(dir, loaded.number, loaded.end, &names::numbered(dir, kind, number)))
            }
            _ => Ok(newest),
        }
    }

    /// Whether all is as a clean close leaves it, so that there is nothing to put in order.
    pub(super) fn is_as_closed(&self, loaded: &Loaded) -> bool {
        let durable = &loaded.durable;
        let is_named = |file: &(FileKind, FileNumber)| match file.0 {
            FileKind::Table => durable.tables.contains_key(&file.1),
            FileKind::Log => durable.logs.contains_key(&file.1),
            _ => file.1 == loaded.number,
        };
        loaded.vouched_for
            && durable.logs.values().all(Option::is_some)
            && durable.untold_loss().is_none()
            && self.left_over.is_empty()
            && self.numbered.iter().all(is_named)
    }

    pub(super) fn remove_left_over(
        &self,
        disk: &dyn Disk,
        dir: &Path,
        old_manifest: Option<FileNumber>,
        keep: impl Fn(FileKind, FileNumber) -> bool,
    ) {
        // What cannot be removed now is left over again at the next open.
        for (kind, number) in &self.numbered {
            if !keep(*kind, *number) {
                let _ = disk.remove(&names::numbered(dir, *kind, *number));
            }
        }
        if let Some(old) = old_manifest {
            let _ = disk.remove(&names::numbered(dir, FileKind::Manifest, old));
        }
        for name in &self.left_over {
            let _ = disk.remove(&dir.join(name));
        }
    }
}

/// The manifest must be at least as new as each log tells.
pub(super) fn check_notes(dir: &Path, file: &FrameFile, loaded: &Loaded) -> Result<()> {
    for frame in file.frames() {
        if let Some(told) = manifest_synced(&file.path, &frame)? {
            old_manifest(dir, &file.path, told, (loaded.number, loaded.end))?;
        }
    }
    Ok(())
}
