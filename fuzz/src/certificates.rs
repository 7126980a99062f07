//! Certificates of erases: any that has a form, any bytes as one, and the one that holds of a store.

use std::collections::BTreeMap;

use asofdb_format::certificate::{CertifiedFile, Erased, ErasureCertificate, Fate, OtherFile};
use asofdb_format::edit::{self, Edit};
use asofdb_format::frame::{self, Seed};
use asofdb_format::hash::ErasedEntity;
use asofdb_format::header::{FileKind, HEADER_LEN, Header};
use asofdb_format::ids::{Commit, FileNumber, StoreId};
use libfuzzer_sys::arbitrary::{Result, Unstructured};

use crate::records::{commit, few, maybe, number, text};
use crate::tables;

fn file(u: &mut Unstructured<'_>) -> Result<CertifiedFile> {
    let kinds = [FileKind::Manifest, FileKind::Log, FileKind::Table];
    let fates = [Fate::Rewritten, Fate::Removed, Fate::Absent, Fate::New];
    Ok(CertifiedFile {
        kind: *u.choose(&kinds)?,
        number: number(u)?,
        len: u.arbitrary()?,
        identity: maybe(u, |u| u.arbitrary())?,
        fate: maybe(u, |u| u.choose(&fates).copied())?,
    })
}

/// Any certificate.
pub fn certificate(u: &mut Unstructured<'_>) -> Result<ErasureCertificate> {
    let mut erased =
        few(u, |u| Ok(Erased { entity: ErasedEntity(u.arbitrary()?), commit: commit(u)? }))?;
    erased.sort_unstable();
    erased.dedup_by_key(|erased| erased.entity);
    let mut files = few(u, file)?;
    files.sort_by_key(|file| file.number);
    files.dedup_by_key(|file| file.number);
    Ok(ErasureCertificate {
        store: StoreId(u.arbitrary()?),
        engine: text(u)?.replace(['\n', '\r'], " "),
        made: u.arbitrary()?,
        deadline: u.arbitrary()?,
        next_file: number(u)?,
        erased,
        files,
        others: few(u, |u| Ok(OtherFile { name: text(u)?, len: u.arbitrary()? }))?,
        pinned: few(u, file)?,
    })
}

/// The bytes with the checksum that they should have.
pub fn mended(bytes: &[u8]) -> Vec<u8> {
    let before = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let last = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let has_sum = before[last..].starts_with(b"crc ");
    let mut text = if has_sum { before[..last].to_vec() } else { bytes.to_vec() };
    if text.last().is_some_and(|byte| *byte != b'\n') {
        text.push(b'\n');
    }
    let sum = crc32fast::hash(&text);
    text.extend_from_slice(format!("crc {sum:08x}\n").as_bytes());
    text
}

/// The certificate of a whole store, as if all its erases had just been done.
pub fn of_store(files: &[(&str, &[u8])]) -> ErasureCertificate {
    let mut store = StoreId([0; 16]);
    let mut erased = BTreeMap::new();
    let mut certified = BTreeMap::new();
    for (_, bytes) in files {
        let header = Header::decode(bytes).unwrap();
        store = header.store;
        let mut identity = None;
        match header.kind {
            FileKind::Current => continue,
            FileKind::Manifest => erased = erases(&header, bytes),
            FileKind::Log => {}
            FileKind::Table => identity = tables::layout_of(bytes).map(|layout| layout.identity),
        }
        let (kind, number, len) = (header.kind, header.number, bytes.len() as u64);
        let fate = Some(Fate::New);
        certified.insert(number, CertifiedFile { kind, number, len, identity, fate });
    }
    let greatest = certified.keys().last().map_or(0, |number| number.0);
    ErasureCertificate {
        store,
        engine: "0.1.0".to_owned(),
        made: 0,
        deadline: 0,
        next_file: FileNumber(greatest + 1),
        erased: erased.into_iter().map(|(entity, commit)| Erased { entity, commit }).collect(),
        files: certified.into_values().collect(),
        others: Vec::new(),
        pinned: Vec::new(),
    }
}

/// The newest erase of each entity that a manifest tells of.
fn erases(header: &Header, bytes: &[u8]) -> BTreeMap<ErasedEntity, Commit> {
    let seed = Seed::of(header.store, header.number);
    let (frames, _) = frame::decode_all(bytes, HEADER_LEN, seed);
    let edits = frames.iter().flat_map(|frame| edit::decode_all(frame.payload).unwrap());
    let erases = edits.filter_map(|edit| match edit {
        Edit::Erase(commit, entity) => Some((entity, commit)),
        _ => None,
    });
    erases.collect()
}
