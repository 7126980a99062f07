//! What only memory knows of erases whose work is not done: the entities, of which files keep no
//! more than a hash, and what was replaced while somebody still reads it.
//!
//! A file that was replaced loses its name, and its bytes go when the last reader lets go: who
//! pinned a state that has the table, or holds a value that borrows its map.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use asofdb_format::certificate::CertifiedFile;
use asofdb_format::hash::ErasedEntity;
use asofdb_format::header::FileKind;
use asofdb_format::ids::Commit;
use bytes::Bytes;

use crate::files::pin::Pin;
use crate::files::table::Table;
use crate::state::memtable::Memtable;
use crate::sync::Mutex;

/// Erases under way.
#[derive(Debug, Default)]
pub(crate) struct Erasing {
    names: Mutex<BTreeMap<ErasedEntity, Bytes>>,
    replaced: Mutex<Vec<Replaced>>,
}

/// Something that no state has any more.
#[derive(Debug)]
struct Replaced {
    file: CertifiedFile,
    min_commit: Commit,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Table(Weak<Pin>),
    Memtable(Weak<Memtable>),
}

impl Replaced {
    fn is_held(&self) -> bool {
        match &self.reader {
            Reader::Table(pin) => pin.strong_count() > 0,
            Reader::Memtable(memtable) => memtable.strong_count() > 0,
        }
    }
}

impl Erasing {
    /// The entities of these names are about to be looked for.
    pub(crate) fn name(&self, names: impl IntoIterator<Item = (ErasedEntity, Bytes)>) {
        self.names.lock().extend(names);
    }

    /// The entities whose names are known.
    pub(crate) fn names(&self) -> BTreeMap<ErasedEntity, Bytes> {
        self.names.lock().clone()
    }

    /// Forgets the entities of which nothing is left to find.
    pub(crate) fn forget(&self, is_done: impl Fn(&ErasedEntity) -> bool) {
        self.names.lock().retain(|entity, _| !is_done(entity));
    }

    /// A table has no place in the state any more. Its file goes with its last reader.
    pub(crate) fn replaced_table(&self, table: &Table) {
        table.mark_obsolete();
        let entry = &table.entry;
        self.add(Replaced {
            file: CertifiedFile {
                kind: FileKind::Table,
                number: entry.number,
                len: entry.len,
                identity: Some(entry.identity),
                fate: None,
            },
            min_commit: entry.min_commit,
            reader: Reader::Table(Arc::downgrade(table.pin())),
        });
    }

    /// A memtable has no place in the state any more: what it held is in tables.
    pub(crate) fn replaced_memtable(&self, memtable: &Arc<Memtable>) {
        let Some(min_commit) = memtable.oldest() else { return };
        self.add(Replaced {
            file: CertifiedFile {
                kind: FileKind::Log,
                number: memtable.log,
                len: asofdb_format::wire::wide(memtable.bytes()),
                identity: None,
                fate: None,
            },
            min_commit,
            reader: Reader::Memtable(Arc::downgrade(memtable)),
        });
    }

    fn add(&self, new: Replaced) {
        let mut replaced = self.replaced.lock();
        replaced.retain(Replaced::is_held);
        replaced.push(new);
    }

    /// What somebody still reads of what was replaced, if it has anything from before a commit.
    pub(crate) fn held(&self, before: Commit) -> Vec<CertifiedFile> {
        let mut replaced = self.replaced.lock();
        replaced.retain(Replaced::is_held);
        let old = replaced.iter().filter(|replaced| replaced.min_commit < before);
        let mut held: Vec<CertifiedFile> = old.map(|replaced| replaced.file.clone()).collect();
        held.sort_unstable_by_key(|file| file.number);
        held
    }
}
