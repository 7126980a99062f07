//! What is in a store's directory, and the picture that its manifest draws, as far as both can be
//! read: a damaged CURRENT or manifest is a fault to tell and not a reason to stop.

use std::path::{Path, PathBuf};

use asofdb_format::edit::{self, Edit, EditFault};
use asofdb_format::frame::{self, FileEnd, Frame, FrameKind, Seed};
use asofdb_format::header::{FileKind, HEADER_LEN, Header};
use asofdb_format::ids::{Commit, FileNumber, StoreId};
use asofdb_format::wire::wide;

use crate::files::log::{check_header, read_whole, settled};
use crate::files::names;
use crate::state::durable::Durable;
use crate::types::error::{Error, Result};
use crate::world::disk::Disk;

/// More faults of one file than this are counted and not kept.
const MAX_FAULTS: usize = 16;

/// What is wrong with a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) list: Vec<Error>,
    pub(super) more: u64,
}

impl Faults {
    pub(super) fn push(&mut self, fault: Error) {
        if self.list.len() < MAX_FAULTS { self.list.push(fault) } else { self.more += 1 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// The names in a store's directory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) current: bool,
    /// Manifests, logs and tables, by number.
    pub(super) numbered: Vec<(FileKind, FileNumber)>,
    /// All other names but LOCK, in order.
    pub(super) others: Vec<String>,
}

impl Listing {
    /// Lists a directory, in which there must be something of a store.
    pub(super) fn of(disk: &dyn Disk, dir: &Path) -> Result<Self> {
        let not_a_store =
            |what: &str| Error::NotAStore { dir: dir.to_path_buf(), what: what.to_owned() };
        let names = disk.list(dir).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => not_a_store("there is no such directory"),
            std::io::ErrorKind::NotADirectory => not_a_store("it is a file"),
            _ => Error::io("list", dir, source),
        })?;
        let mut listing = Self::default();
        for name in names {
            match names::parse(&name) {
                _ if name == "CURRENT" => listing.current = true,
                _ if name == "LOCK" => {}
                // A number may be written with more zeros than the store writes.
                Some((kind, number)) if names::numbered(dir, kind, number) == dir.join(&name) => {
                    listing.numbered.push((kind, number));
                }
                _ => listing.others.push(name),
            }
        }
        listing.numbered.sort_unstable_by_key(|(_, number)| *number);
        listing.others.sort_unstable();
        if !listing.current && listing.numbered.is_empty() {
            return Err(not_a_store("it holds no file of one"));
        }
        Ok(listing)
    }

    /// The numbers of the files of a kind, ascending.
    pub(super) fn of_kind(&self, kind: FileKind) -> impl Iterator<Item = FileNumber> {
        let of_kind = self.numbered.iter().filter(move |(other, _)| *other == kind);
        of_kind.map(|(_, number)| *number)
    }
}

/// A file of frames, read whole.
#[derive(Debug)]
pub(super) struct FrameBytes {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    bytes: Vec<u8>,
}

impl FrameBytes {
    pub(super) fn read(disk: &dyn Disk, path: &Path, kind: FileKind) -> Result<Self> {
        settled(|| {
            let bytes = read_whole(disk, path)?;
            let header = check_header(path, &bytes, kind)?;
            let file = Self { path: path.to_path_buf(), header, bytes };
            let end = file.frames().1;
            Ok((file, end))
        })
    }

    pub(super) const fn len(&self) -> u64 {
        wide(self.bytes.len())
    }

    pub(super) fn frames(&self) -> (Vec<Frame<'_>>, FileEnd) {
        frame::decode_all(&self.bytes, HEADER_LEN, Seed::of(self.header.store, self.header.number))
    }

    /// What is wrong if this is the file of another store or number.
    pub(super) fn belongs(&self, store: Option<StoreId>, number: FileNumber) -> Result<()> {
        belongs(&self.path, &self.header, store, number)
    }

    /// A fault in the payload of a frame.
    pub(super) fn malformed(&self, frame: &Frame<'_>, fault: &asofdb_format::Malformed) -> Error {
        let base = frame.end - wide(frame.payload.len());
        Error::corrupt(&self.path, base + fault.at, format!("expected {}", fault.what))
    }
}

/// The fault of a frame that had been whole.
pub(super) fn rot(path: &Path, at: u64) -> Error {
    Error::corrupt(path, at, "there was a whole frame here, and it is not whole any more")
}

/// What is wrong if a header is of another store or number.
pub(super) fn belongs(
    path: &Path,
    header: &Header,
    store: Option<StoreId>,
    number: FileNumber,
) -> Result<()> {
    if header.number == number && store.is_none_or(|store| store == header.store) {
        return Ok(());
    }
    let what = format!(
        "this is {} {} of store {:?}, which is not what its name and its store say",
        header.kind.as_str(),
        header.number.0,
        header.store
    );
    Err(Error::corrupt(path, 0, what))
}

/// What CURRENT and the manifest tell.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) current: Faults,
    pub(super) store: Option<StoreId>,
    /// The manifest that was read, if there is one.
    pub(super) manifest: Option<ManifestRead>,
    pub(super) durable: Durable,
}

/// How the reading of a manifest went.
#[derive(Debug)]
pub(super) struct ManifestRead {
    pub(super) path: PathBuf,
    pub(super) number: FileNumber,
    pub(super) len: u64,
    pub(super) edits: u64,
    pub(super) torn: Option<u64>,
    /// Whether all edits were taken: if not, the picture may be an old one.
    pub(super) whole: bool,
    pub(super) faults: Faults,
}

impl ManifestRead {
    /// Where its whole frames end.
    pub(super) fn end(&self) -> u64 {
        self.torn.unwrap_or(self.len)
    }
}

impl Picture {
    /// Reads CURRENT and the manifest that it names; the newest one if CURRENT cannot be read.
    pub(super) fn read(disk: &dyn Disk, dir: &Path, listing: &Listing) -> Self {
        let mut picture = Self {
            current: Faults::default(),
            store: None,
            manifest: None,
            durable: Durable::blank(),
        };
        let named = read_current(disk, dir);
        let number = match &named {
            Ok(header) => Some(header.number),
            Err(_) => listing.of_kind(FileKind::Manifest).last(),
        };
        match named {
            Ok(header) => picture.store = Some(header.store),
            Err(fault) => picture.current.push(fault),
        }
        if let Some(number) = number {
            picture.read_manifest(disk, names::numbered(dir, FileKind::Manifest, number), number);
        }
        picture
    }

    /// Whether the picture is the newest that there is, so that files can be held against it.
    pub(super) fn is_whole(&self) -> bool {
        self.manifest.as_ref().is_some_and(|manifest| manifest.whole)
    }

    /// Whether a log or a table is named.
    pub(super) fn names(&self, kind: FileKind, number: FileNumber) -> bool {
        match kind {
            FileKind::Log => self.durable.logs.contains_key(&number),
            _ => self.durable.tables.contains_key(&number),
        }
    }

    fn read_manifest(&mut self, disk: &dyn Disk, path: PathBuf, number: FileNumber) {
        let mut read = ManifestRead {
            len: file_len(disk, &path),
            path,
            number,
            edits: 0,
            torn: None,
            whole: false,
            faults: Faults::default(),
        };
        match self.replay(disk, &mut read) {
            Ok(()) => read.whole = true,
            Err(fault) => read.faults.push(fault),
        }
        self.manifest = Some(read);
    }

    fn replay(&mut self, disk: &dyn Disk, read: &mut ManifestRead) -> Result<()> {
        let file = FrameBytes::read(disk, &read.path, FileKind::Manifest)?;
        file.belongs(self.store, read.number)?;
        read.len = file.len();
        self.store = Some(file.header.store);
        let (frames, end) = file.frames();
        let mut newest = Commit::MIN;
        let mut drawn = false;
        for frame in &frames {
            let strange =
                |what: &str| Error::corrupt(&file.path, frame.start, format!("expected {what}"));
            if frame.head.kind != FrameKind::Edit {
                return Err(strange("only edits in a manifest"));
            }
            for edit in decode_edits(&file, frame)? {
                self.durable.apply(&edit).map_err(strange)?;
                drawn |= matches!(edit, Edit::Clock(..));
                read.edits += 1;
            }
            self.durable.ceiling = self.durable.ceiling.max(frame.head.ceiling);
            if frame.head.commit < newest || frame.head.synced > frame.start {
                read.faults.push(strange("commits and synced marks as they were at the time"));
            }
            newest = newest.max(frame.head.commit);
        }
        match end {
            FileEnd::Rot { at } => return Err(rot(&file.path, at)),
            FileEnd::Torn { at } => read.torn = Some(at),
            FileEnd::Whole => {}
        }
        // CURRENT names a manifest only when the picture that it begins with is durable; the
        // clock comes last in it.
        if !drawn {
            let what = "the picture that a manifest begins with ends here";
            return Err(Error::corrupt(&file.path, read.torn.unwrap_or(read.len), what));
        }
        let last = frames.last().map_or(0, |frame| frame.start);
        if let Err(what) = self.durable.check_drawn(read.number) {
            read.faults.push(Error::corrupt(&file.path, last, format!("expected {what}")));
        }
        Ok(())
    }

    /// A feature by its name and schema, or by its number if the catalog does not have it.
    pub(super) fn feature_name(&self, id: asofdb_format::ids::FeatureId) -> String {
        self.durable.catalog.get(id).map_or_else(
            || format!("#{}", id.0),
            |state| format!("{}@{}", state.definition.name, state.definition.schema),
        )
    }
}

/// The header of CURRENT, which is all there is to it.
fn read_current(disk: &dyn Disk, dir: &Path) -> Result<Header> {
    let path = names::current(dir);
    let bytes = read_whole(disk, &path)?;
    let header = check_header(&path, &bytes, FileKind::Current)?;
    if bytes.len() > HEADER_LEN {
        let what = "the file goes on behind its header";
        return Err(Error::corrupt(&path, wide(HEADER_LEN), what));
    }
    Ok(header)
}

/// The edits of a frame of a manifest.
pub(super) fn decode_edits(file: &FrameBytes, frame: &Frame<'_>) -> Result<Vec<Edit>> {
    edit::decode_all(frame.payload).map_err(|fault| match fault {
        EditFault::Malformed(fault) => file.malformed(frame, &fault),
        EditFault::Unknown(_) => Error::newer_part(&file.path),
    })
}

/// The length of a file; 0 if it cannot be told.
pub(super) fn file_len(disk: &dyn Disk, path: &Path) -> u64 {
    disk.open(path).and_then(|file| file.len()).unwrap_or(0)
}
