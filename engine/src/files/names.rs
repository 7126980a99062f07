//! Names of the files in a store's directory.
//!
//! ```text
//! CURRENT            names the manifest
//! MANIFEST-000001    LOG-000002    TABLE-000003    numbers of at least six digits
//! LOCK               held by the one process that writes
//! *.tmp              being made; left over if found at an open
//! ```

use std::path::{Path, PathBuf};

use asofdb_format::header::FileKind;
use asofdb_format::ids::FileNumber;

/// The file that names the manifest.
pub(crate) fn current(dir: &Path) -> PathBuf {
    dir.join("CURRENT")
}

/// What CURRENT is written as before it takes its name.
pub(crate) fn current_tmp(dir: &Path) -> PathBuf {
    dir.join("CURRENT.tmp")
}

/// The file whose lock says who writes.
pub(crate) fn lock(dir: &Path) -> PathBuf {
    dir.join("LOCK")
}

/// A store does not come to so many files: a larger number in a name is a stranger's, or counting on from it
/// would come to an end.
pub(crate) const MOST_FILES: u64 = 1 << 62;

const fn prefix(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Current => "CURRENT-",
        FileKind::Manifest => "MANIFEST-",
        FileKind::Log => "LOG-",
        FileKind::Table => "TABLE-",
    }
}

/// A numbered file.
pub(crate) fn numbered(dir: &Path, kind: FileKind, number: FileNumber) -> PathBuf {
    dir.join(format!("{}{:06}", prefix(kind), number.0))
}

/// The kind and number that a name tells, if it is one of a store's numbered files.
pub(crate) fn parse(name: &str) -> Option<(FileKind, FileNumber)> {
    [FileKind::Manifest, FileKind::Log, FileKind::Table].into_iter().find_map(|kind| {
        let digits = name.strip_prefix(prefix(kind))?;
        let number: u64 = digits.parse().ok()?;
        let is_one = number < MOST_FILES && digits == format!("{number:06}");
        is_one.then_some((kind, FileNumber(number)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_strangers_are_none() {
        let path = numbered(Path::new("d"), FileKind::Log, FileNumber(7));
        assert_eq!(path, Path::new("d/LOG-000007"));
        assert_eq!(parse("LOG-000007"), Some((FileKind::Log, FileNumber(7))));
        assert_eq!(parse("TABLE-1234567"), Some((FileKind::Table, FileNumber(1_234_567))));
        assert_eq!(parse(&format!("LOG-{}", MOST_FILES - 1)).unwrap().1.0, MOST_FILES - 1);
        assert_eq!(parse(&format!("LOG-{MOST_FILES}")), None);
        for stranger in ["LOG-7", "LOG-00000x", "LOG-0000007", "CURRENT", "LOCK", "x"] {
            assert_eq!(parse(stranger), None);
        }
    }
}
