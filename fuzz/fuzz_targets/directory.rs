//! Directories of tables: any bytes are looked up in without a panic; in one that was written each
//! row is found, in order, and nothing else. Hints beside it are of lines that have a place.
#![no_main]

use asofdb_format::directory::{self, Directory, FIXED_LEN};
use asofdb_format::hash::EntityHash;
use asofdb_format::hint::{self, ChunkHint};
use asofdb_fuzz::columns::MOST;
use asofdb_fuzz::heap;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

/// The places of the heads that a lookup finds; `None`: the directory is damaged.
fn find(bytes: &[u8], directory: &Directory, hash: EntityHash) -> Option<Vec<u32>> {
    let Some(at) = directory.bucket(hash) else { return Some(Vec::new()) };
    let (from, to) = directory.bounds(bytes.get(at..at.checked_add(8)?)?).ok()?;
    assert!(from <= to && to <= directory.rows());
    let mut found = Vec::new();
    for row in (from..to).take(MOST) {
        let at = directory.row_at(row);
        let (half, head) = Directory::row(bytes.get(at..at.checked_add(8)?)?);
        if half == directory::fingerprint(hash) {
            found.push(head);
        }
    }
    Some(found)
}

/// The hints that any bytes are.
fn hints(bytes: &[u8]) {
    for word in bytes.chunks_exact(hint::HINT_LEN).take(MOST) {
        let hint = ChunkHint(u32::from_le_bytes(word.try_into().unwrap()));
        assert!(hint.start().is_multiple_of(64) && hint.start() < 1 << 32);
        assert!(hint.len().is_none_or(|len| len < 63 * 64 && hint.is_empty() == (len == 0)));
    }
    let is_whole = bytes.len().is_multiple_of(hint::HINT_LEN);
    assert_eq!(hint::is_of_length(bytes.len() as u64, bytes.len() / hint::HINT_LEN), is_whole);
    assert!(!hint::is_of_length(bytes.len() as u64, usize::MAX));
}

fn read(bytes: &[u8]) {
    let decode = || Directory::decode(bytes, bytes.len() as u64);
    let Ok(directory) = heap::bounded(bytes.len(), 1, decode) else { return };
    for word in bytes.chunks_exact(8).take(MOST) {
        let hash = EntityHash(u64::from_le_bytes(word.try_into().unwrap()));
        let _ = find(bytes, &directory, hash);
    }
    if let Some(last) = directory.rows().checked_sub(1) {
        // As long as its counts tell, so the last row ends with the section.
        assert_eq!(directory.row_at(last) + 8, bytes.len());
    }
}

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let mut rows: Vec<(EntityHash, u32)> = Vec::new();
    let near = u.arbitrary::<u64>()?;
    for _ in 0..u.int_in_range(0..=60)? {
        let hash = match u.int_in_range(0..=3)? {
            0 => near.wrapping_add(u.int_in_range(0..=9)?),
            1 => *u.choose(&[0, 1, u64::MAX, 1 << 63])?,
            _ => u.arbitrary()?,
        };
        rows.push((EntityHash(hash), u.arbitrary()?));
    }
    rows.sort_unstable();
    let mut out = Vec::new();
    directory::encode(&rows, &mut out);
    let directory = Directory::decode(&out[..FIXED_LEN], out.len() as u64).unwrap();
    assert_eq!(directory.rows(), rows.len());
    for (row, (hash, head)) in rows.iter().enumerate() {
        let at = directory.row_at(row);
        assert_eq!(Directory::row(&out[at..at + 8]), (directory::fingerprint(*hash), *head));
        let own = rows.iter().filter(|(other, _)| other == hash).map(|(_, head)| *head);
        let found = find(&out, &directory, *hash).unwrap();
        assert!(own.into_iter().all(|head| found.contains(&head)), "{hash:?}");
    }
    let absent = EntityHash(u.arbitrary()?);
    for head in find(&out, &directory, absent).unwrap() {
        let alike = |(hash, own): &(EntityHash, u32)| {
            *own == head && directory::fingerprint(*hash) == directory::fingerprint(absent)
        };
        assert!(rows.iter().any(alike), "{absent:?}");
    }
    read(&out);
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    hints(bytes);
    let _ = written(&mut Unstructured::new(bytes));
});
