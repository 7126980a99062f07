//! The certificate of an erase: a text that says what was done with every file of a store, so that
//! anybody can hold the store against it later.
//!
//! ```text
//! asofdb erasure certificate 1
//! store 000102030405060708090a0b0c0d0e0f
//! engine 0.1.0
//! made 1700000000000000
//! deadline 1700086400000000
//! next 42
//! erased 1700000000000000 a3817f04ba25a8e66df67214c7550293
//! file table 3 1234 0a1b2c3d rewritten
//! file log 2 500 - removed
//! other 12 6e6f7465732e747874
//! pinned table 3 1234 -
//! status pending
//! crc 0a1b2c3d
//! ```
//!
//! Invariants: entities are named by their keyed hashes alone, and stand in the order of these;
//! files stand in that of their numbers; each certificate has one form, so what was read is written
//! as the same bytes; the last line is the CRC-32 of all before it, which finds damage and no
//! forgery.

use std::fmt::Write as _;

use crate::hash::ErasedEntity;
use crate::header::FileKind;
use crate::ids::{Commit, FileNumber, StoreId};

/// What a certificate begins with.
const FIRST_LINE: &str = "asofdb erasure certificate 1";

/// What was done to forget entities, and what still holds their bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErasureCertificate {
    /// The store.
    pub store: StoreId,
    /// The version of the engine that made it.
    pub engine: String,
    /// When it was made.
    pub made: i64,
    /// By when the bytes are to be gone.
    pub deadline: i64,
    /// Files with this number and higher ones were made later, of what was written later.
    pub next_file: FileNumber,
    /// The entities, ascending.
    pub erased: Vec<Erased>,
    /// All files that the store had when the work began or has now, ascending by number.
    pub files: Vec<CertifiedFile>,
    /// Files of the directory that are not the store's: nobody has looked into them.
    pub others: Vec<OtherFile>,
    /// What readers of the process still hold. With none the certificate is complete.
    pub pinned: Vec<CertifiedFile>,
}

/// An entity that was erased.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Erased {
    /// Its keyed hash.
    pub entity: ErasedEntity,
    /// The commit of its newest erase.
    pub commit: Commit,
}

/// A file of the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertifiedFile {
    /// What it is.
    pub kind: FileKind,
    /// Its number.
    pub number: FileNumber,
    /// Its length in bytes when it was looked at.
    pub len: u64,
    /// The identity of a table, which every byte of it hangs on.
    pub identity: Option<u32>,
    /// What became of it; nothing of what is pinned.
    pub fate: Option<Fate>,
}

/// What became of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// A table that held something of the entities: written anew without it, and removed.
    Rewritten,
    /// Removed for another reason: what it held is in tables, or another file took its place.
    Removed,
    /// It was looked through, and holds nothing of the entities from before their erase.
    Absent,
    /// It was made by the work, of what is left.
    New,
}

/// A file that is not the store's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtherFile {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
}

/// Why bytes are no certificate.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// They are something else.
    #[error("this is no erasure certificate")]
    NotOne,
    /// They are a certificate of a later form.
    #[error("this certificate was made by a newer asofdb")]
    Newer,
    /// They were a certificate once.
    #[error("this certificate is damaged: line {line} is not as it was written")]
    Damaged {
        /// The line, from 1.
        line: usize,
    },
    /// They were a certificate once, and some byte of it is another now.
    #[error("this certificate is damaged: it does not have the checksum it was written with")]
    Checksum,
}

impl Fate {
    const ALL: [Self; 4] = [Self::Rewritten, Self::Removed, Self::Absent, Self::New];

    /// The fate in a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rewritten => "rewritten",
            Self::Removed => "removed",
            Self::Absent => "absent",
            Self::New => "new",
        }
    }

    /// Whether the file was still there when the certificate was made.
    #[must_use]
    pub const fn stays(self) -> bool {
        matches!(self, Self::Absent | Self::New)
    }
}

impl ErasureCertificate {
    /// Whether nothing held the erased bytes any more, as far as the store can know.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.pinned.is_empty()
    }

    /// The files with this fate.
    pub fn with_fate(&self, fate: Fate) -> impl Iterator<Item = &CertifiedFile> {
        self.files.iter().filter(move |file| file.fate == Some(fate))
    }

    /// The certificate as text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let mut line = |words: &[&str]| {
            text.push_str(&words.join(" "));
            text.push('\n');
        };
        line(&[FIRST_LINE]);
        line(&["store", &hex(&self.store.0)]);
        line(&["engine", &self.engine]);
        line(&["made", &self.made.to_string()]);
        line(&["deadline", &self.deadline.to_string()]);
        line(&["next", &self.next_file.0.to_string()]);
        for erased in &self.erased {
            line(&["erased", &erased.commit.0.to_string(), &hex(&erased.entity.0)]);
        }
        let mut files = |word: &str, files: &[CertifiedFile]| {
            for file in files {
                let identity = file.identity.map_or("-".to_owned(), |crc| format!("{crc:08x}"));
                let fate = file.fate.map_or("-", Fate::as_str);
                let (number, len) = (file.number.0.to_string(), file.len.to_string());
                line(&[word, file.kind.as_str(), &number, &len, &identity, fate]);
            }
        };
        files("file", &self.files);
        files("pinned", &self.pinned);
        for other in &self.others {
            line(&["other", &other.len.to_string(), &hex(other.name.as_bytes())]);
        }
        line(&["status", if self.is_complete() { "complete" } else { "pending" }]);
        let crc = crc32fast::hash(text.as_bytes());
        let _ = writeln!(text, "crc {crc:08x}");
        text
    }

    /// Reads a certificate.
    pub fn decode(bytes: &[u8]) -> Result<Self, CertificateFault> {
        let begins = FIRST_LINE.trim_end_matches('1').as_bytes();
        if !bytes.starts_with(begins) {
            return Err(CertificateFault::NotOne);
        }
        // The checksum first: with it, what cannot be read is of another form, and not damage.
        let text = std::str::from_utf8(bytes).map_err(|_| CertificateFault::Checksum)?;
        let end = text.trim_end_matches('\n').rfind('\n').map_or(0, |newline| newline + 1);
        let (body, last) = text.split_at(end);
        if last != format!("crc {:08x}\n", crc32fast::hash(body.as_bytes())) {
            return Err(CertificateFault::Checksum);
        }
        if body.lines().next() != Some(FIRST_LINE) {
            return Err(CertificateFault::Newer);
        }
        let mut certificate = Self {
            store: StoreId([0; 16]),
            engine: String::new(),
            made: 0,
            deadline: 0,
            next_file: FileNumber(0),
            erased: Vec::new(),
            files: Vec::new(),
            others: Vec::new(),
            pinned: Vec::new(),
        };
        for (index, line) in body.lines().enumerate().skip(1) {
            let read = certificate.take(line);
            read.ok_or(CertificateFault::Damaged { line: index + 1 })?;
        }
        // Each has one form: lines that are missing, doubled or out of order give another text.
        let again = certificate.encode();
        let differs = || again.lines().zip(text.lines()).take_while(|(a, b)| a == b).count() + 1;
        if again == text {
            Ok(certificate)
        } else {
            Err(CertificateFault::Damaged { line: differs() })
        }
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        let words: Vec<&str> = rest.split(' ').collect();
        match (word, words.as_slice()) {
            ("store", [id]) => self.store = StoreId(unhex(id)?.try_into().ok()?),
            ("engine", [_, ..]) => rest.clone_into(&mut self.engine),
            ("made", [moment]) => self.made = moment.parse().ok()?,
            ("deadline", [moment]) => self.deadline = moment.parse().ok()?,
            ("next", [number]) => self.next_file = FileNumber(number.parse().ok()?),
            ("erased", [commit, entity]) => {
                let commit = Commit(commit.parse().ok()?);
                let entity = ErasedEntity(unhex(entity)?.try_into().ok()?);
                let ascends = self.erased.last().is_none_or(|last| last.entity < entity);
                self.erased.push(ascends.then_some(Erased { entity, commit })?);
            }
            ("file", words) => {
                let file = CertifiedFile::of(words)?;
                let ascends = self.files.last().is_none_or(|last| last.number < file.number);
                self.files.push(ascends.then_some(file)?);
            }
            ("pinned", words) => self.pinned.push(CertifiedFile::of(words)?),
            ("other", [len, name]) => self.others.push(OtherFile {
                len: len.parse().ok()?,
                name: String::from_utf8(unhex(name)?).ok()?,
            }),
            // Told by the rest, and compared with it in the end.
            ("status", [_]) => {}
            _ => return None,
        }
        Some(())
    }
}

impl CertifiedFile {
    fn of(words: &[&str]) -> Option<Self> {
        let [kind, number, len, identity, fate] = words else { return None };
        let kinds = [FileKind::Current, FileKind::Manifest, FileKind::Log, FileKind::Table];
        let crc = |digits: &str| u32::from_str_radix(digits, 16).ok();
        let named = |word: &str| Fate::ALL.into_iter().find(|fate| fate.as_str() == word);
        Some(Self {
            kind: kinds.into_iter().find(|known| known.as_str() == *kind)?,
            number: FileNumber(number.parse().ok()?),
            len: len.parse().ok()?,
            identity: if *identity == "-" { None } else { Some(crc(identity)?) },
            fate: if *fate == "-" { None } else { Some(named(fate)?) },
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one() -> ErasureCertificate {
        let file = |kind, number, identity, fate| CertifiedFile {
            kind,
            number: FileNumber(number),
            len: number * 100,
            identity,
            fate,
        };
        ErasureCertificate {
            store: StoreId([9; 16]),
            engine: "0.1.0".to_owned(),
            made: 17,
            deadline: -3,
            next_file: FileNumber(12),
            erased: vec![
                Erased { entity: ErasedEntity([1; 16]), commit: Commit(5) },
                Erased { entity: ErasedEntity([2; 16]), commit: Commit(-6) },
            ],
            files: vec![
                file(FileKind::Log, 2, None, Some(Fate::Removed)),
                file(FileKind::Table, 3, Some(7), Some(Fate::Rewritten)),
                file(FileKind::Table, 4, Some(u32::MAX), Some(Fate::Absent)),
                file(FileKind::Manifest, 9, None, Some(Fate::New)),
                file(FileKind::Log, 11, None, Some(Fate::New)),
            ],
            others: vec![OtherFile { name: "my notes\n.txt".to_owned(), len: 4 }],
            pinned: vec![file(FileKind::Table, 3, Some(7), None)],
        }
    }

    #[test]
    fn a_certificate_comes_back() {
        for pinned in [true, false] {
            let mut certificate = one();
            if !pinned {
                certificate.pinned.clear();
            }
            let text = certificate.encode();
            assert_eq!(ErasureCertificate::decode(text.as_bytes()), Ok(certificate.clone()));
            assert_eq!(certificate.is_complete(), !pinned);
            assert_eq!(text.contains("\nstatus complete\n"), !pinned);
        }
    }

    #[test]
    fn a_changed_byte_is_taken_for_what_was_written() {
        let text = one().encode().into_bytes();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone();
                changed[at] ^= 1 << bit;
                assert!(ErasureCertificate::decode(&changed).is_err(), "byte {at}, bit {bit}");
            }
            assert!(ErasureCertificate::decode(&text[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn lines_that_stand_twice_or_in_another_order_are_taken() {
        let order = |change: &dyn Fn(&mut ErasureCertificate)| {
            let mut certificate = one();
            change(&mut certificate);
            ErasureCertificate::decode(certificate.encode().as_bytes())
        };
        assert!(order(&|_| {}).is_ok());
        let damaged = |line| Err(CertificateFault::Damaged { line });
        assert_eq!(order(&|of| of.erased.reverse()), damaged(8));
        assert_eq!(order(&|of| of.erased[1].entity = of.erased[0].entity), damaged(8));
        assert_eq!(order(&|of| of.files.swap(0, 1)), damaged(10));
        assert_eq!(order(&|of| of.files[4].number = FileNumber(9)), damaged(13));
    }

    #[test]
    fn another_form_with_a_right_checksum_is_taken() {
        let sealed = |body: &str| format!("{body}crc {:08x}\n", crc32fast::hash(body.as_bytes()));
        let text = one().encode();
        let body = &text[..text.rfind("crc").unwrap()];
        assert_eq!(sealed(body), text);
        let newer = sealed(&body.replacen("certificate 1", "certificate 2", 1));
        assert_eq!(ErasureCertificate::decode(newer.as_bytes()), Err(CertificateFault::Newer));
        for (from, to) in [
            ("status pending", "status complete"),
            ("made 17", "made 017"),
            ("made 17\n", ""),
            ("made 17\n", "made 17\nmade 17\n"),
            ("rewritten", "written"),
            ("made 17", "made 17 "),
        ] {
            let forged = sealed(&body.replacen(from, to, 1));
            let read = ErasureCertificate::decode(forged.as_bytes());
            assert!(matches!(read, Err(CertificateFault::Damaged { .. })), "{from}: {read:?}");
        }
        assert_eq!(ErasureCertificate::decode(b"{}"), Err(CertificateFault::NotOne));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(lines in "(file|erased|other|pinned|store) [ 0-9a-fé-]{0,40}") {
            let body = format!("{FIRST_LINE}\n{lines}\n");
            let text = format!("{body}crc {:08x}\n", crc32fast::hash(body.as_bytes()));
            drop(ErasureCertificate::decode(text.as_bytes()));
        }
    }
}
