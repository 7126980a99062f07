//! Files that are written, the standard output among them.
//!
//! A file appears under its name only when it is whole: it is written beside its place and
//! renamed, so that a failure leaves neither half a file nor takes away the one that was there.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::is_standard;
use crate::error::{Error, Result};
use crate::place::Place;

enum Target {
    Standard(io::Stdout),
    /// What is no ordinary file, as a pipe or a device.
    Special(File),
    Temporary(NamedTempFile, PathBuf),
}

/// A file that is being written.
pub struct Sink {
    target: BufWriter<Target>,
    name: String,
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::Special(file) => file.write(bytes),
            Self::Temporary(file, _) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::Special(file) => file.flush(),
            Self::Temporary(file, _) => file.flush(),
        }
    }
}

impl Sink {
    /// Begins to write a file, or the standard output.
    pub fn new(place: &Place) -> Result<Self> {
        let path = place.path();
        let name = path.display().to_string();
        let io = |error| Error::io("write", &name, error);
        let target = if is_standard(path) {
            Target::Standard(io::stdout())
        } else if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            Target::Special(OpenOptions::new().write(true).open(path).map_err(io)?)
        } else {
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
            if let Some(dir) = dir.filter(|dir| !dir.is_dir()) {
                return Err(Error::Failed(format!(
                    "cannot write {name}: there is no directory {}",
                    dir.display()
                )));
            }
            let file = tempfile::Builder::new()
                .prefix(".asofdb-")
                .suffix(".tmp")
                .tempfile_in(dir.unwrap_or(Path::new(".")))
                .map_err(io)?;
            Target::Temporary(file, path.to_path_buf())
        };
        Ok(Self { target: BufWriter::with_capacity(1 << 17, target), name })
    }

    /// How the file is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes the file appear under its name.
    pub fn finish(mut self) -> Result<()> {
        self.target.flush().map_err(|error| Error::io("write", &self.name, error))?;
        let target = self
            .target
            .into_inner()
            .map_err(|error| Error::io("write", &self.name, error.into_error()))?;
        if let Target::Temporary(file, path) = target {
            share(file.as_file());
            file.persist(path).map_err(|error| Error::io("write", self.name, error.error))?;
        }
        Ok(())
    }
}

/// Temporary files are their owner's alone; the result is as readable as any new file usually is.
#[cfg(unix)]
fn share(file: &File) {
    use std::os::unix::fs::PermissionsExt as _;
    // A file system without permissions is as good.
    let _ = file.set_permissions(std::fs::Permissions::from_mode(0o644));
}

#[cfg(not(unix))]
fn share(_: &File) {}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.target.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}
