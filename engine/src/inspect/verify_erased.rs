//! Holds a store against the certificate of an erase: what the certificate says is gone is not
//! there, what it says stayed is what it was, what is newer has higher numbers, and no record of
//! the entities from before the erase is in any log or table, named or not.

use std::collections::BTreeMap;
use std::path::Path;

use asofdb_format::batch::BatchReader;
use asofdb_format::certificate::{CertifiedFile, ErasureCertificate};
use asofdb_format::frame::{FileEnd, FrameKind};
use asofdb_format::hash::{EraseKey, ErasedEntity};
use asofdb_format::header::{FileKind, HEADER_LEN};
use asofdb_format::ids::{Commit, FileNumber};
use asofdb_format::wire::wide;

use super::VerifiedErasure;
use super::picture::{FrameBytes, Listing, Picture, belongs, file_len, rot};
use super::verify::{MAX_TRIES, changed};
use super::walk::TableFile;
use crate::files::log::check_header;
use crate::files::names;
use crate::types::error::{Error, InvalidArgument, Result};
use crate::world::disk::Disk;

pub(super) fn verify_erased(
    dir: &Path,
    disk: &dyn Disk,
    certificate: &ErasureCertificate,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<VerifiedErasure> {
    let mut tries = 0;
    loop {
        let listing = Listing::of(disk, dir)?;
        let picture = Picture::read(disk, dir, &listing);
        if picture.store.is_some_and(|store| store != certificate.store) {
            let what = format!(
                "the certificate is of store {:?}, and {} is another store",
                certificate.store,
                dir.display()
            );
            return Err(InvalidArgument::Other(what).into());
        }
        let mut round = Round::new(dir, disk, certificate, &picture);
        round.whole_store(&listing, &picture, progress);
        tries += 1;
        // A writer beside us has taken away what was not found.
        let is_sound = round.found.faults.is_empty();
        if is_sound || tries == MAX_TRIES || changed(disk, dir, &picture).is_none() {
            return Ok(round.found);
        }
    }
}

/// One reading of all files.
struct Round<'r> {
    dir: &'r Path,
    disk: &'r dyn Disk,
    certificate: &'r ErasureCertificate,
    /// What the certificate says of each file.
    files: BTreeMap<FileNumber, &'r CertifiedFile>,
    erased: BTreeMap<ErasedEntity, Commit>,
    newest: Commit,
    key: EraseKey,
    found: VerifiedErasure,
}

impl<'r> Round<'r> {
    fn new(
        dir: &'r Path,
        disk: &'r dyn Disk,
        certificate: &'r ErasureCertificate,
        picture: &Picture,
    ) -> Self {
        let erased = certificate.erased.iter().map(|erased| (erased.entity, erased.commit));
        let erased: BTreeMap<ErasedEntity, Commit> = erased.collect();
        Self {
            dir,
            disk,
            certificate,
            files: certificate.files.iter().map(|file| (file.number, file)).collect(),
            newest: erased.values().max().copied().unwrap_or(Commit::MIN),
            erased,
            key: picture.durable.taken.key,
            found: VerifiedErasure::default(),
        }
    }

    fn whole_store(
        &mut self,
        listing: &Listing,
        picture: &Picture,
        progress: &mut dyn FnMut(u64, u64),
    ) {
        self.check_picture(picture);
        if !self.found.faults.is_empty() {
            return;
        }
        self.check_others(listing);
        let files = listing.numbered.iter().map(|(kind, number)| {
            let path = names::numbered(self.dir, *kind, *number);
            let len = file_len(self.disk, &path);
            (*kind, *number, path, len)
        });
        let files: Vec<_> = files.collect();
        let in_all = files.iter().map(|(.., len)| len).sum();
        for (kind, number, path, len) in files {
            let looked = self.check_named(kind, number, &path, len).and_then(|()| {
                if !picture.names(kind, number) && self.is_unfinished(kind, number, &path) {
                    return Ok(());
                }
                match kind {
                    FileKind::Table => self.scan_table(&path, number),
                    FileKind::Log => self.scan_log(&path, number),
                    FileKind::Current | FileKind::Manifest => Ok(()),
                }
            });
            // What a writer has taken away meanwhile holds nothing.
            self.found.faults.extend(looked.err().filter(|_| self.is_there(&path)));
            self.found.files += 1;
            self.found.bytes += len;
            progress(self.found.bytes, in_all);
        }
    }

    /// Whether a file that is not named was begun after the certificate and not ended: by a writer
    /// beside us, or before a crash. All that it may hold was written after the erase, or is in
    /// files that are looked through.
    fn is_unfinished(&self, kind: FileKind, number: FileNumber, path: &Path) -> bool {
        if number < self.certificate.next_file {
            return false;
        }
        let opened = match kind {
            FileKind::Table => TableFile::open(self.disk, path).map(drop),
            _ => FrameBytes::read(self.disk, path, kind).map(drop),
        };
        let mut header = [0; HEADER_LEN];
        let read = self.disk.open(path).and_then(|file| match file.len()? {
            len if len < wide(HEADER_LEN) => Ok(false),
            _ => file.read_at(0, &mut header).map(|()| true),
        });
        let is_its_own = || {
            let header = check_header(path, &header, kind);
            let store = Some(self.certificate.store);
            header.and_then(|header| belongs(path, &header, store, number)).is_ok()
        };
        opened.is_err() && read.is_ok_and(|has_header| !has_header || is_its_own())
    }

    fn is_there(&self, path: &Path) -> bool {
        match self.disk.open(path) {
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
            Ok(_) => true,
        }
    }

    /// The manifest knows of the erases; without it nothing can be told.
    fn check_picture(&mut self, picture: &Picture) {
        let faults = &mut self.found.faults;
        faults.extend(picture.current.list.iter().cloned());
        let Some(manifest) = &picture.manifest else { return };
        faults.extend(manifest.faults.list.iter().cloned());
        if !faults.is_empty() {
            return;
        }
        let known = &picture.durable.taken.erased;
        let missing = |(entity, commit): &(&ErasedEntity, &Commit)| {
            known.get(*entity).is_none_or(|known| known < *commit)
        };
        if let Some((_, commit)) = self.erased.iter().find(missing) {
            let what = format!("it does not tell of the erase {commit}: it is an old copy");
            faults.push(Error::corrupt(&manifest.path, manifest.len, what));
        }
    }

    /// Who knows what is in a file that is not the store's?
    fn check_others(&mut self, listing: &Listing) {
        for name in &listing.others {
            let path = self.dir.join(name);
            let len = file_len(self.disk, &path);
            let is_current = name == "CURRENT.tmp" && len <= wide(HEADER_LEN);
            if !is_current && self.certificate.others.iter().all(|other| other.name != *name) {
                let what = "this is no file of the store, and the certificate does not tell of it";
                self.found.faults.push(Error::corrupt(&path, 0, what));
            }
        }
        let lock = names::lock(self.dir);
        if file_len(self.disk, &lock) > 0 {
            self.found.faults.push(Error::corrupt(&lock, 0, "the file is to be empty"));
        }
    }

    /// The file is one that the certificate tells of, or a newer one.
    fn check_named(&self, kind: FileKind, number: FileNumber, path: &Path, len: u64) -> Result<()> {
        if number >= self.certificate.next_file {
            return Ok(());
        }
        let known = self.files.get(&number).filter(|file| file.kind == kind);
        let what = match known.and_then(|file| Some((file, file.fate?))) {
            None => "the file is older than the certificate, which does not tell of it".to_owned(),
            Some((_, fate)) if !fate.stays() => {
                format!("the certificate says that the file was {}, and it is here", fate.as_str())
            }
            Some((file, _)) if kind == FileKind::Table && file.len != len => {
                format!("the table has {len} bytes, and the certificate tells of {}", file.len)
            }
            Some(_) => return Ok(()),
        };
        Err(Error::corrupt(path, 0, what))
    }

    fn scan_table(&mut self, path: &Path, number: FileNumber) -> Result<()> {
        let mut table = TableFile::open(self.disk, path)?;
        let opened = &table.opened;
        belongs(path, &opened.header, Some(self.certificate.store), number)?;
        let certified = self.files.get(&number).and_then(|file| file.identity);
        if certified.is_some_and(|identity| identity != opened.layout.identity) {
            return Err(Error::corrupt(path, 0, "this is another table than the certificate says"));
        }
        for row in 0..table.directory.rows() {
            let row = table.row(row)?;
            let entity = ErasedEntity::of(&self.key, row.head(&table)?.entity());
            self.found.entities += 1;
            let Some(erase) = self.erased.get(&entity).copied() else { continue };
            table.records(&row, &mut |record| {
                self.found.later += 1;
                not_before(path, record.at, record.revision.order.commit, erase)
            })?;
        }
        Ok(())
    }

    fn scan_log(&mut self, path: &Path, number: FileNumber) -> Result<()> {
        let log = FrameBytes::read(self.disk, path, FileKind::Log)?;
        log.belongs(Some(self.certificate.store), number)?;
        let (frames, end) = log.frames();
        if let FileEnd::Rot { at } = end {
            return Err(rot(path, at));
        }
        for frame in frames.iter().filter(|frame| frame.head.kind == FrameKind::Batch) {
            if frame.head.commit >= self.newest {
                continue;
            }
            let malformed = |fault| log.malformed(frame, &fault);
            let mut batch = BatchReader::decode(frame.payload).map_err(malformed)?;
            while let Some(entry) = batch.next_entry().map_err(malformed)? {
                self.found.entities += 1;
                if let Some(erase) = self.erased.get(&ErasedEntity::of(&self.key, entry.entity)) {
                    self.found.later += 1;
                    not_before(path, frame.start, frame.head.commit, *erase)?;
                }
            }
        }
        Ok(())
    }
}

fn not_before(path: &Path, at: u64, commit: Commit, erase: Commit) -> Result<()> {
    if commit >= erase {
        return Ok(());
    }
    let what = format!("here is a record of commit {commit} of an entity erased at {erase}");
    Err(Error::corrupt(path, at, what))
}
