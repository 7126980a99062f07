//! Looks at and changes the files of a simulated disk behind the engine's back.
//!
//! Invariant: nothing here is counted or fails as planned, so that a test may look whenever it
//! likes without moving the faults of its program.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::{SimDisk, length};
use super::file::Content;
use super::names::{Node, plain};

impl SimDisk {
    /// All files with their lengths, in the order of their paths.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = self.state.lock();
        let files = state.names.below(Path::new("/")).filter_map(|(path, node)| match node {
            Node::Dir => None,
            Node::File(file) => Some((path.to_owned(), length(&file.lock()))),
        });
        files.collect()
    }

    /// What is in a file.
    pub fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.state.lock().file(&plain(path))?;
        let bytes = file.lock().bytes().to_vec();
        Ok(bytes)
    }

    /// Puts these bytes in the place of a file's, or makes one of them, with its directories.
    /// They are durable. Who maps the file goes on seeing the bytes from before.
    pub fn write_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let path = plain(path);
        let content = Content::durable(Arc::new(bytes.to_vec()));
        let mut state = self.state.lock();
        match state.names.get(&path) {
            Some(Node::File(file)) => *file.lock() = content,
            Some(Node::Dir) => return Err(io::ErrorKind::IsADirectory.into()),
            None => state.names.place(&path, Node::File(Arc::new(Mutex::new(content)))),
        }
        Ok(())
    }

    /// Takes a file away; its name does not come back after a crash.
    pub fn lose_file(&self, path: &Path) -> io::Result<()> {
        let path = plain(path);
        let mut state = self.state.lock();
        state.file(&path)?;
        state.names.displace(&path);
        Ok(())
    }

    /// Whether a power cut now would leave a file as it is, under its name.
    pub fn is_durable(&self, path: &Path) -> io::Result<bool> {
        let path = plain(path);
        let state = self.state.lock();
        let whole = state.file(&path)?.lock().is_durable();
        let mut dirs = path.ancestors().skip(1);
        Ok(whole && dirs.all(|dir| state.names.is_durable(dir)))
    }

    /// Copies all directories and files below a directory of the real disk, which is made if
    /// missing: `/db/a` goes to `dir/db/a`.
    #[expect(clippy::disallowed_methods, reason = "carries a simulated store to the real disk")]
    pub fn copy_to_real(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)?;
        let state = self.state.lock();
        for (path, node) in state.names.below(Path::new("/")) {
            let target = dir.join(path.strip_prefix("/").unwrap_or(path));
            match node {
                Node::Dir => std::fs::create_dir_all(target)?,
                Node::File(file) => std::fs::write(target, file.lock().bytes())?,
            }
        }
        Ok(())
    }
}
