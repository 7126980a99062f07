//! Where a command writes: no input of its own and no directory of a store.
//!
//! Whatever writes a file takes it as a [`Place`], so that no command can forget to look.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use asofdb::inspect::{self, MAGIC};

use crate::error::{Error, Result};
use crate::tabular::is_standard;

/// A file that may be written, or the standard output.
#[derive(Clone, Debug)]
pub struct Place(PathBuf);

impl Place {
    /// Takes the file of this path, or the standard output if it is `-`; an error if it is one of
    /// the files that the command reads, or lies among the files of a store.
    pub fn new(path: &Path, inputs: &[&Path]) -> Result<Self> {
        let place = Self(path.to_path_buf());
        if is_standard(path) {
            return Ok(place);
        }
        let out = path.display();
        // A pipe or a device loses nothing when it is written to.
        let own = path.is_file().then(|| identity(path)).flatten();
        let named = |input: &Path| match is_standard(input) {
            true => identity(Path::new("/dev/stdin")),
            false => identity(input),
        };
        let is_own = |input: &&Path| named(input) == own;
        if own.is_some()
            && let Some(input) = inputs.iter().copied().find(is_own)
        {
            let what = match input == path {
                true => "this command reads it".to_owned(),
                false if is_standard(input) => {
                    "it is the standard input, which this command reads".to_owned()
                }
                false => format!("it is {}, which this command reads", input.display()),
            };
            return Err(Error::Failed(format!(
                "cannot write {out}: {what}, and it would be lost; give the output another name"
            )));
        }
        // A link leads to another directory than the one that it lies in.
        let target = path.canonicalize().ok();
        let folders = [Some(folder(path)), target.as_deref().map(folder)];
        match folders.into_iter().flatten().find(|folder| holds_store(folder)) {
            Some(store) => Err(Error::Failed(format!(
                "cannot write {out}: it lies in the store {}, which keeps that directory for its \
                 own files; give the output a place elsewhere",
                store.display()
            ))),
            None => Ok(place),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// The directory in which a file lies.
fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// What two paths of one file have in common.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

/// Whether a directory has files of a store in it. A store whose CURRENT is lost is one too.
fn holds_store(dir: &Path) -> bool {
    let Ok(entries) = dir.read_dir() else { return false };
    entries.flatten().map(|entry| entry.path()).any(|path| is_named_as_one(&path) && is_one(&path))
}

/// Whether a file is called as a store calls its files.
pub fn is_named_as_one(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(inspect::is_named_as_one)
}

/// Whether a file begins as the files of a store do.
pub fn is_one(path: &Path) -> bool {
    // To open a pipe would wait for who writes to it.
    let file = Some(path).filter(|path| path.is_file()).and_then(|path| File::open(path).ok());
    let mut begin = [0; MAGIC.len()];
    file.is_some_and(|mut file| file.read_exact(&mut begin).is_ok()) && begin == *MAGIC
}
