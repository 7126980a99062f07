//! What an erase leaves in the store's directory, and the certificate that says so.
//!
//! The caller sees to it that nothing is flushed, merged or begun meanwhile, so that every file
//! with a number below the one that it was told is named by the manifest or of no use.

use std::collections::{BTreeMap, BTreeSet};

use asofdb_format::certificate::{CertifiedFile, Erased, ErasureCertificate, Fate, OtherFile};
use asofdb_format::header::FileKind;
use asofdb_format::ids::{Commit, EventTime, FileNumber};

use crate::files::names;
use crate::shape::erasing::Erases;
use crate::state::live::Keeper;
use crate::types::error::{Error, Result};

/// The files of a directory: no two have the same number.
#[derive(Debug, Default)]
pub(crate) struct Files {
    numbered: BTreeMap<FileNumber, CertifiedFile>,
    others: Vec<OtherFile>,
}

impl Files {
    /// Lists the directory. What goes away meanwhile is left out.
    pub(crate) fn of(keeper: &Keeper) -> Result<Self> {
        let disk = &*keeper.options.world.disk;
        let names = disk.list(&keeper.dir);
        let names = names.map_err(|source| Error::io("list", &keeper.dir, source))?;
        let identities = keeper.look(|durable| {
            let tables = durable.tables.iter();
            tables.map(|(number, entry)| (*number, entry.identity)).collect::<BTreeMap<_, _>>()
        });
        let mut files = Self::default();
        for name in names {
            let path = keeper.dir.join(&name);
            // Of CURRENT and what becomes it there is only the header; LOCK is empty.
            if ["CURRENT", "CURRENT.tmp", "LOCK"].contains(&name.as_str()) {
                continue;
            }
            let len = match disk.open(&path).and_then(|file| file.len()) {
                Ok(len) => len,
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => continue,
                Err(source) => return Err(Error::io("open", &path, source)),
            };
            match names::parse(&name) {
                Some((kind, number)) => {
                    let identity = identities.get(&number).copied();
                    let file = CertifiedFile { kind, number, len, identity, fate: None };
                    files.numbered.insert(number, file);
                }
                None => files.others.push(OtherFile { name, len }),
            }
        }
        files.others.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    /// Takes the names away of files below a number that the manifest does not name: readers keep
    /// what they have open, and what an earlier removal could not remove is tried again.
    pub(crate) fn clear_up(keeper: &Keeper, below: FileNumber) -> Result<()> {
        let disk = &*keeper.options.world.disk;
        let files = Self::of(keeper)?;
        let manifest = keeper.manifest();
        let left_over = keeper.look(|durable| {
            let is_named = |file: &CertifiedFile| match file.kind {
                FileKind::Table => durable.tables.contains_key(&file.number),
                FileKind::Log => durable.logs.contains_key(&file.number),
                _ => Some(file.number) == manifest,
            };
            let below = files.numbered.into_values().filter(|file| file.number < below);
            below.filter(|file| !is_named(file)).collect::<Vec<_>>()
        });
        for file in left_over {
            let path = names::numbered(&keeper.dir, file.kind, file.number);
            match disk.remove(&path) {
                // A reader that let go was faster.
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(|source| Error::io("remove", &path, source))?,
            }
        }
        disk.sync_dir(&keeper.dir).map_err(|source| Error::io("sync", &keeper.dir, source))
    }
}

/// What the certificate is about.
#[derive(Debug)]
pub(crate) struct Done<'d> {
    /// The files before the work.
    pub(crate) before: Files,
    /// The tables that were rewritten.
    pub(crate) rewritten: BTreeSet<FileNumber>,
    /// Files with this number and higher ones are of what was written later.
    pub(crate) next_file: FileNumber,
    /// The erases that are certified.
    pub(crate) erases: &'d Erases,
}

/// Tells what was done with each file, and what is still held.
pub(crate) fn certify(keeper: &Keeper, done: Done<'_>) -> Result<ErasureCertificate> {
    let after = Files::of(keeper)?;
    let Done { before, rewritten, next_file, erases } = done;
    let newest = erases.values().max().copied().unwrap_or(Commit::MIN);
    let oldest = erases.values().min().copied().unwrap_or(Commit::MIN);
    let mut files: BTreeMap<FileNumber, CertifiedFile> = BTreeMap::new();
    for (number, file) in &before.numbered {
        let fate = match rewritten.contains(number) {
            true => Fate::Rewritten,
            false => Fate::Removed,
        };
        files.insert(*number, CertifiedFile { fate: Some(fate), ..file.clone() });
    }
    for (number, file) in after.numbered.range(..next_file) {
        let was_there = before.numbered.contains_key(number);
        let fate = if was_there { Fate::Absent } else { Fate::New };
        files.insert(*number, CertifiedFile { fate: Some(fate), ..file.clone() });
    }
    let erased = erases.iter().map(|(entity, commit)| Erased { entity: *entity, commit: *commit });
    let deadline = EventTime(oldest.0).saturating_add(keeper.options.erase_deadline);
    Ok(ErasureCertificate {
        store: keeper.store,
        engine: env!("CARGO_PKG_VERSION").to_owned(),
        made: keeper.now().0,
        deadline: deadline.0,
        next_file,
        erased: erased.collect(),
        files: files.into_values().collect(),
        others: after.others,
        pinned: keeper.erasing.held(newest),
    })
}
